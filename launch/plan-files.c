/* SPDX-License-Identifier: GPL-2.0-or-later
 * The files of a plan: each is opened once before anything starts, so that what is missing is said
 * with the name the user gave. With --confine the kernel's openat2() sees to it that no name leads
 * out of the directory, through symbolic links neither, and the program gets the descriptor: what
 * was checked is what is used.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "plan.h"
#include "util/error.h"
#include "util/fd.h"

/* Paths are looked up below the directory; absolute ones must begin with its name. */
static const char *below(const char *dir, const char *path, GError **error)
{
    size_t len = strlen(dir);

    while (len > 1 && dir[len - 1] == '/') {
        len--;
    }
    if (!g_path_is_absolute(path)) {
        return path;
    }
    if (strncmp(path, dir, len) == 0 && path[len] == '/') {
        path += len;
        return path + strspn(path, "/");
    }
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT, "'%s' is not below '%s'", path, dir);
    return NULL;
}

static int open_below(const char *dir, const char *path, int flags, GError **error)
{
    struct open_how how = {
        .flags = flags,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    g_autofree char *whole = g_canonicalize_filename(dir, NULL);
    const char *inner = below(whole, path, error);
    g_auto(Fd) dir_fd = -1;
    int fd;

    if (inner == NULL) {
        return -1;
    }
    dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0) {
        error_set_errno(error, errno, "--confine: cannot open '%s'", dir);
        return -1;
    }
    do {
        fd = syscall(SYS_openat2, dir_fd, inner, &how, sizeof(how));
    } while (fd < 0 && (errno == EINTR || errno == EAGAIN));
    if (fd < 0 && errno == EXDEV) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT, "'%s' leads out of '%s'", path, dir);
    } else if (fd < 0) {
        error_set_errno(error, errno, "cannot open '%s'", path);
    }
    return fd;
}

/* Without O_CLOEXEC if it is for the program. Never waits for the other end of a FIFO. */
static int open_file(const Plan *plan, const char *path, bool writable, GError **error)
{
    int flags = (writable ? O_RDWR : O_RDONLY) | O_NONBLOCK | O_NOCTTY, fd;

    if (plan->confine != NULL) {
        return open_below(plan->confine, path, flags, error);
    }
    fd = open(path, flags | O_CLOEXEC);
    if (fd < 0) {
        error_set_errno(error, errno, "cannot open '%s'", path);
    }
    return fd;
}

/* *path is what the program is to open afterwards. */
static bool resolve(const Plan *plan, const char *what, char **path, bool writable, GError **error)
{
    g_auto(Fd) fd = -1;
    struct stat st;

    if (*path == NULL) {
        return true;
    }
    fd = open_file(plan, *path, writable, error);
    if (fd < 0) {
        g_prefix_error(error, "%s: ", what);
        return false;
    }
    if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST,
                    "%s: '%s' is neither a regular file nor a block device", what, *path);
        return false;
    }
    if (plan->confine != NULL) {
        g_free(*path);
        *path = g_strdup_printf("/proc/self/fd/%d", fd_steal(&fd));
    }
    return true;
}

static bool resolve_image(const Plan *plan, const char *what, char **path, char **format,
                          bool writable, GError **error)
{
    g_autofree char *name = g_strdup(*path);

    if (name == NULL) {
        return true; /* a disk of partitions */
    }
    if (!resolve(plan, what, path, writable, error)) {
        return false;
    }
    if (!plan_find_format(plan, name, *path, format, error)) {
        g_prefix_error(error, "%s: ", what);
        return false;
    }
    if (writable && strcmp(*format, "sparse") == 0) {
        g_warning("%s: '%s' is a sparse image, which a guest cannot write to without an overlay",
                  what, name);
    }
    return true;
}

static bool resolve_disk(const Plan *plan, PlanDisk *d, unsigned number, GError **error)
{
    g_autofree char *what = g_strdup_printf("disk %u", number);
    bool below_overlay = d->overlay != NULL || d->temporary;

    if (plan->confine != NULL && d->overlay != NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "%s: an overlay cannot be used with --confine", what);
        return false;
    }
    if (!resolve_image(plan, what, &d->image, &d->format, d->writable && !below_overlay, error)) {
        return false;
    }
    for (unsigned i = 0; i < d->partitions->len; i++) {
        PlanPartition *p = g_ptr_array_index(d->partitions, i);
        g_autofree char *part = g_strdup_printf("disk %u, partition '%s'", number, p->label);

        if (p->writable && !d->writable) {
            g_warning("%s: is writable only if the whole disk is, which says it is not", part);
            p->writable = false;
        }
        if (!resolve_image(plan, part, &p->path, &p->format, p->writable && !below_overlay,
                           error)) {
            return false;
        }
    }
    return true;
}

/* x86_64 for a bzImage (Documentation/arch/x86/boot.rst), else aarch64. */
static const char *arch_of(const char *path)
{
    g_auto(Fd) fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) : -1;
    char magic[4];

    return fd >= 0 && pread(fd, magic, sizeof(magic), 0x202) == sizeof(magic) &&
                   memcmp(magic, "HdrS", sizeof(magic)) == 0
               ? "x86_64"
               : "aarch64";
}

bool plan_resolve_files(Plan *plan, GError **error)
{
    const struct {
        const char *what;
        char **path;
    } files[] = {
        { "kernel", &plan->kernel },
        { "initrd", &plan->initrd },
        { "dtb", &plan->dtb },
        { "bootloader", &plan->firmware },
        { "vendor-boot", &plan->vendor_boot },
        { "init-boot", &plan->init_boot },
        { "bootconfig", &plan->bootconfig },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(files); i++) {
        if (!resolve(plan, files[i].what, files[i].path, false, error)) {
            return false;
        }
    }
    for (unsigned i = 0; i < plan->disks->len; i++) {
        if (!resolve_disk(plan, g_ptr_array_index(plan->disks, i), i, error)) {
            return false;
        }
    }
    if (plan->arch == NULL) {
        plan->arch = g_strdup(arch_of(plan->kernel));
    }
    return true;
}
