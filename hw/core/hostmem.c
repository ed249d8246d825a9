/* SPDX-License-Identifier: GPL-2.0-or-later
 * Memory back ends: what all of them share, and the three kinds, which differ in what is mapped.
 */
#include "hw/core/hostmem.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hugepages.h"
#include "hw/core/device.h" /* DEVICE_DEFINE_TYPE */
#include "util/error.h"
#include "util/fd.h"
#include "util/props.h"

typedef struct {
    bool made, taken;
    MemoryRegion mr;
} MemoryBackendPrivate;

G_DEFINE_ABSTRACT_TYPE_WITH_PRIVATE(MemoryBackend, memory_backend, TYPE_USER_OBJECT)

static MemoryBackendPrivate *priv(MemoryBackend *b)
{
    return memory_backend_get_instance_private(b);
}

static MemoryBackendProps *props_of(MemoryBackend *b)
{
    return G_STRUCT_MEMBER_P(b, HUMPY_MEMORY_BACKEND_GET_CLASS(b)->props);
}

/* ---- life ---- */

/* Every page now, or an error now. */
static bool preallocate(MemoryBackend *b, int fd, GError **error)
{
    const MemoryBackendProps *p = props_of(b);
    void *host = memory_region_get_ram_ptr(&priv(b)->mr);
    int failed =
        p->share ? fallocate(fd, 0, 0, p->size) : madvise(host, p->size, MADV_POPULATE_WRITE);

    if (failed != 0) {
        error_set_errno(error, errno, "prealloc: cannot get %" G_GUINT64_FORMAT " bytes", p->size);
        return false;
    }
    return true;
}

static bool backend_complete(UserObject *obj, GError **error)
{
    MemoryBackend *b = HUMPY_MEMORY_BACKEND(obj);
    MemoryBackendProps *p = props_of(b);
    MemoryRegion *mr = &priv(b)->mr;
    uint64_t page = sysconf(_SC_PAGESIZE);
    g_auto(Fd) fd = -1;

    if (p->size % page != 0 || p->size > G_MAXINT64) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "size is %" G_GUINT64_FORMAT
                    " but must be a multiple of the page size, %" G_GUINT64_FORMAT,
                    p->size, page);
        return false;
    }
    fd = HUMPY_MEMORY_BACKEND_GET_CLASS(b)->open(b, p, error);
    if (fd < 0 || !hugepages_check(fd, p->size, error)) {
        return false;
    }
    if (!memory_region_init_ram_fd(mr, NULL, user_object_id(obj), p->size, fd, p->share, error)) {
        hugepages_explain(fd, p->size, error);
        return false;
    }
    priv(b)->made = true;
    if (!p->dump) {
        madvise(memory_region_get_ram_ptr(mr), p->size, MADV_DONTDUMP);
    }
    if (p->thp && !hugepages_advise(memory_region_get_ram_ptr(mr), p->size, error)) {
        return false;
    }
    return !p->prealloc || preallocate(b, fd, error);
}

static void backend_finalize(GObject *obj)
{
    MemoryBackendPrivate *p = priv(HUMPY_MEMORY_BACKEND(obj));

    if (p->made) {
        memory_region_destroy(&p->mr);
    }
    G_OBJECT_CLASS(memory_backend_parent_class)->finalize(obj);
}

uint64_t memory_backend_size(MemoryBackend *b)
{
    return props_of(b)->size;
}

MemoryRegion *memory_backend_take(MemoryBackend *b, GError **error)
{
    MemoryBackendPrivate *p = priv(b);

    if (p->taken) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT, "memory backend '%s' is in use",
                    user_object_id(HUMPY_USER_OBJECT(b)));
        return NULL;
    }
    p->taken = true;
    user_object_use(HUMPY_USER_OBJECT(b));
    return &p->mr;
}

void memory_backend_release(MemoryBackend *b)
{
    g_assert(priv(b)->taken);
    priv(b)->taken = false;
    user_object_unuse(HUMPY_USER_OBJECT(b));
}

bool memory_backend_is_taken(MemoryBackend *b)
{
    return priv(b)->taken;
}

void memory_backend_info(MemoryBackend *b, MemoryBackendInfo *info)
{
    const MemoryBackendProps *p = props_of(b);

    *info = (MemoryBackendInfo){ user_object_id(HUMPY_USER_OBJECT(b)), p->size, p->share,
                                 p->prealloc, p->dump };
}

static void memory_backend_init(MemoryBackend *b)
{
}

static void memory_backend_class_init(MemoryBackendClass *klass)
{
    G_OBJECT_CLASS(klass)->finalize = backend_finalize;
    HUMPY_USER_OBJECT_CLASS(klass)->complete = backend_complete;
}

#define SHARED_PROPS(T, share_default)                                                             \
    PROP_SIZE("size", T, props.size, 0, 0, UINT64_MAX, "Bytes"),                                   \
        PROP_BOOL("share", T, props.share, share_default,                                          \
                  "Other processes can be given the memory, and a file sees what is written"),     \
        PROP_BOOL("prealloc", T, props.prealloc, false, "Get all of it from the host at once"),    \
        PROP_BOOL("thp", T, props.thp, false, "Advise the host to use transparent huge pages"),    \
        PROP_BOOL("dump", T, props.dump, true, "Have it in core dumps")

static bool require_size(const MemoryBackendProps *p, GError **error)
{
    if (p->size == 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "property 'size' is missing or 0");
        return false;
    }
    return true;
}

static int sized_memfd(MemoryBackend *b, const MemoryBackendProps *p, unsigned flags,
                       GError **error)
{
    const char *name = user_object_id(HUMPY_USER_OBJECT(b));
    g_auto(Fd) fd = -1;

    if (!require_size(p, error)) {
        return -1;
    }
    fd = memfd_create(name, MFD_CLOEXEC | flags);
    if (fd < 0 && (flags & MFD_HUGETLB)) {
        unsigned shift = flags >> MFD_HUGE_SHIFT;

        hugepages_explain_size(shift != 0 ? 1ULL << shift : 0, errno, error);
        return -1;
    }
    if (fd < 0) {
        error_set_errno(error, errno, "cannot create memory '%s'", name);
        return -1;
    }
    if (!hugepages_check(fd, p->size, error)) {
        return -1;
    }
    if (ftruncate(fd, p->size) != 0) {
        error_set_errno(error, errno, "cannot size memory '%s' to %" G_GUINT64_FORMAT " bytes",
                        name, p->size);
        return -1;
    }
    return fd_steal(&fd);
}

/* ---- memory-backend-ram ---- */

#define TYPE_MEMORY_BACKEND_RAM memory_backend_ram_get_type()
G_DECLARE_FINAL_TYPE(MemoryBackendRam, memory_backend_ram, HUMPY, MEMORY_BACKEND_RAM, MemoryBackend)

struct _MemoryBackendRam {
    MemoryBackend parent_instance;
    MemoryBackendProps props;
};

DEVICE_DEFINE_TYPE(MemoryBackendRam, memory_backend_ram, "memory-backend-ram", TYPE_MEMORY_BACKEND)

static int ram_open(MemoryBackend *b, MemoryBackendProps *props, GError **error)
{
    return sized_memfd(b, props, 0, error);
}

static const Prop ram_props[] = {
    SHARED_PROPS(MemoryBackendRam, false),
};

static void memory_backend_ram_init(MemoryBackendRam *b)
{
}

static void memory_backend_ram_class_init(MemoryBackendRamClass *klass)
{
    MemoryBackendClass *mc = HUMPY_MEMORY_BACKEND_CLASS(klass);

    props_install(G_OBJECT_CLASS(klass), ram_props, G_N_ELEMENTS(ram_props));
    HUMPY_USER_OBJECT_CLASS(klass)->summary = "Anonymous memory";
    mc->props = offsetof(MemoryBackendRam, props);
    mc->open = ram_open;
}

/* ---- memory-backend-memfd ---- */

#define TYPE_MEMORY_BACKEND_MEMFD memory_backend_memfd_get_type()
G_DECLARE_FINAL_TYPE(MemoryBackendMemfd, memory_backend_memfd, HUMPY, MEMORY_BACKEND_MEMFD,
                     MemoryBackend)

struct _MemoryBackendMemfd {
    MemoryBackend parent_instance;
    MemoryBackendProps props;
    bool seal, hugetlb;
    uint64_t hugetlbsize;
};

DEVICE_DEFINE_TYPE(MemoryBackendMemfd, memory_backend_memfd, "memory-backend-memfd",
                   TYPE_MEMORY_BACKEND)

static bool hugetlb_flags(const MemoryBackendMemfd *m, unsigned *flags, GError **error)
{
    if (!m->hugetlb && m->hugetlbsize != 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT, "hugetlbsize needs hugetlb=on");
        return false;
    }
    if ((m->hugetlbsize & (m->hugetlbsize - 1)) != 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "hugetlbsize is %" G_GUINT64_FORMAT " but must be a power of two",
                    m->hugetlbsize);
        return false;
    }
    if (m->hugetlb) {
        *flags |= MFD_HUGETLB;
    }
    if (m->hugetlbsize != 0) {
        *flags |= __builtin_ctzll(m->hugetlbsize) << MFD_HUGE_SHIFT;
    }
    return true;
}

static int memfd_open(MemoryBackend *b, MemoryBackendProps *props, GError **error)
{
    MemoryBackendMemfd *m = HUMPY_MEMORY_BACKEND_MEMFD(b);
    unsigned flags = m->seal ? MFD_ALLOW_SEALING : 0;
    int fd;

    if (!hugetlb_flags(m, &flags, error)) {
        return -1;
    }
    fd = sized_memfd(b, props, flags, error);
    if (fd >= 0 && m->seal &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
        error_set_errno(error, errno, "seal: cannot fix the size");
        close(fd);
        return -1;
    }
    return fd;
}

static const Prop memfd_props[] = {
    SHARED_PROPS(MemoryBackendMemfd, true),
    PROP_BOOL("seal", MemoryBackendMemfd, seal, true, "Fix its size, for those it is given to"),
    PROP_BOOL("hugetlb", MemoryBackendMemfd, hugetlb, false, "Use huge pages"),
    PROP_SIZE("hugetlbsize", MemoryBackendMemfd, hugetlbsize, 0, 0, UINT64_MAX,
              "Their size; 0: the host's default"),
};

static void memory_backend_memfd_init(MemoryBackendMemfd *b)
{
}

static void memory_backend_memfd_class_init(MemoryBackendMemfdClass *klass)
{
    MemoryBackendClass *mc = HUMPY_MEMORY_BACKEND_CLASS(klass);

    props_install(G_OBJECT_CLASS(klass), memfd_props, G_N_ELEMENTS(memfd_props));
    HUMPY_USER_OBJECT_CLASS(klass)->summary = "Memory that can be handed on by descriptor";
    mc->props = offsetof(MemoryBackendMemfd, props);
    mc->open = memfd_open;
}

/* ---- memory-backend-file ---- */

#define TYPE_MEMORY_BACKEND_FILE memory_backend_file_get_type()
G_DECLARE_FINAL_TYPE(MemoryBackendFile, memory_backend_file, HUMPY, MEMORY_BACKEND_FILE,
                     MemoryBackend)

struct _MemoryBackendFile {
    MemoryBackend parent_instance;
    MemoryBackendProps props;
    char *path;
};

DEVICE_DEFINE_TYPE(MemoryBackendFile, memory_backend_file, "memory-backend-file",
                   TYPE_MEMORY_BACKEND)

/* A directory gets a file without a name. */
static int open_path(const char *path, GError **error)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0 && errno == EISDIR) {
        fd = open(path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    }
    if (fd < 0 && errno == EOPNOTSUPP) { /* hugetlbfs of older kernels */
        g_autofree char *name = g_build_filename(path, "humpy-XXXXXX", NULL);

        fd = g_mkstemp_full(name, O_RDWR | O_CLOEXEC, 0600);
        if (fd >= 0) {
            unlink(name);
        }
    }
    if (fd < 0) {
        error_set_errno(error, errno, "mem-path: cannot open '%s'", path);
    }
    return fd;
}

/* An empty file is made as large as it must be; another keeps its size. */
static bool fit_file(int fd, const char *path, MemoryBackendProps *p, GError **error)
{
    uint64_t page = sysconf(_SC_PAGESIZE);
    struct stat st;

    if (fstat(fd, &st) != 0) {
        error_set_errno(error, errno, "mem-path: cannot get the size of '%s'", path);
        return false;
    }
    if (p->size == 0) {
        p->size = st.st_size;
    }
    if (!require_size(p, error)) {
        return false;
    }
    if (p->size % page != 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "mem-path: '%s' has %" G_GUINT64_FORMAT " bytes, no multiple of the page size",
                    path, p->size);
        return false;
    }
    if (st.st_size != 0 && (uint64_t)st.st_size < p->size) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "size is %" G_GUINT64_FORMAT " but '%s' has only %" G_GINT64_FORMAT " bytes",
                    p->size, path, (gint64)st.st_size);
        return false;
    }
    if (st.st_size == 0 && ftruncate(fd, p->size) != 0) {
        error_set_errno(error, errno, "mem-path: cannot size '%s' to %" G_GUINT64_FORMAT " bytes",
                        path, p->size);
        return false;
    }
    return true;
}

static int file_open(MemoryBackend *b, MemoryBackendProps *props, GError **error)
{
    const char *path = HUMPY_MEMORY_BACKEND_FILE(b)->path;
    g_auto(Fd) fd = -1;

    if (path == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "property 'mem-path' is missing");
        return -1;
    }
    fd = open_path(path, error);
    return fd >= 0 && fit_file(fd, path, props, error) ? fd_steal(&fd) : -1;
}

static const Prop file_props[] = {
    SHARED_PROPS(MemoryBackendFile, false),
    PROP_STRING("mem-path", MemoryBackendFile, path, NULL, "The file, or a directory for one"),
};

static void memory_backend_file_init(MemoryBackendFile *b)
{
}

static void memory_backend_file_class_init(MemoryBackendFileClass *klass)
{
    MemoryBackendClass *mc = HUMPY_MEMORY_BACKEND_CLASS(klass);

    props_install(G_OBJECT_CLASS(klass), file_props, G_N_ELEMENTS(file_props));
    HUMPY_USER_OBJECT_CLASS(klass)->summary = "Memory that is a file";
    mc->props = offsetof(MemoryBackendFile, props);
    mc->open = file_open;
}
