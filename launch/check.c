/* SPDX-License-Identifier: GPL-2.0-or-later
 * 'vm check': what this machine offers for running VMs, what is missing, and what helps. Each line
 * is one thing that a start would stumble over. It asks, and changes nothing: the VM that is made
 * to learn the interface's revision is closed again.
 */
#include <errno.h>
#include <fcntl.h>
#include <json-glib/json-glib.h>
#include <linux/capability.h>
#include <linux/gunyah.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "place.h"
#include "run.h"
#include "util/error.h"
#include "util/fd.h"
#include "verbs.h"

#define GUNYAH_NODE "/dev/gunyah"
enum { CHUNK = 2 << 20 }; /* what a VM's memory is best made of */

typedef enum { CHECK_OK, CHECK_NOTE, CHECK_MISSING } State;

static const char *const state_names[] = { "ok", "note", "missing" };

typedef struct {
    State state;
    const char *name;
    char *text, *fix; /* fix: or NULL */
} Result;

static void result_free(gpointer data)
{
    Result *r = data;

    g_free(r->text);
    g_free(r->fix);
    g_free(r);
}

static void add(GPtrArray *results, State state, const char *name, const char *fix,
                const char *format, ...) G_GNUC_PRINTF(5, 6);

static void add(GPtrArray *results, State state, const char *name, const char *fix,
                const char *format, ...)
{
    Result *r = g_new0(Result, 1);
    va_list ap;

    va_start(ap, format);
    r->state = state;
    r->name = name;
    r->text = g_strdup_vprintf(format, ap);
    r->fix = g_strdup(fix);
    va_end(ap);
    g_ptr_array_add(results, r);
}

/* ---- Gunyah ---- */

static void add_closed_node(GPtrArray *results, const char *path, int cause)
{
    bool refused = cause == EACCES || cause == EPERM;
    struct stat st;

    if (stat(path, &st) < 0) {
        add(results, CHECK_MISSING, "node",
            "a kernel with CONFIG_GUNYAH below the Gunyah hypervisor makes it; without, --accel "
            "gunyah,host=model runs the userspace model",
            "%s: %s", path, g_strerror(errno));
        return;
    }
    add(results, CHECK_MISSING, refused ? "permissions" : "node",
        refused
            ? "be root, or give your user the node by a group or udev rule; on Android look for "
              "'avc: denied' in dmesg"
            : "dmesg tells whether the resource manager answered the driver",
        "%s (owner %u, group %u, mode %o): %s", path, (unsigned)st.st_uid, (unsigned)st.st_gid,
        (unsigned)st.st_mode & 07777, g_strerror(cause));
}

static int open_node(GPtrArray *results, const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd >= 0) {
        add(results, CHECK_OK, "node", NULL, "%s can be opened", path);
    } else {
        add_closed_node(results, path, errno);
    }
    return fd;
}

/* The driver answers a NULL argument with ENOTTY only if it does not know the call. */
static bool knows(int fd, unsigned long request)
{
    return ioctl(fd, request, 0) != 0 && errno != ENOTTY;
}

static void check_memory_calls(GPtrArray *results, int node, int vm)
{
    bool share = knows(vm, GH_VM_SET_USER_MEM_REGION);
    bool lend = knows(vm, GH_VM_ANDROID_LEND_USER_MEM);
    bool guest_mem = !share && knows(node, GH_CREATE_GUEST_MEM);
    bool fw_config = knows(vm, GH_VM_ANDROID_SET_FW_CONFIG);
    const char *name = knows(vm, GH_VM_RECLAIM_REGION) ? "Android 15 or 16"
                       : lend                          ? "android14-6.1"
                       : guest_mem                     ? "the v17 posting"
                                                       : "the v14 posting";

    if (!share && !guest_mem) {
        add(results, CHECK_MISSING, "revision", "a newer humpy may know this kernel's interface",
            "no known call gives a VM memory");
        return;
    }
    add(results, CHECK_OK, "revision", NULL, "the interface is that of %s", name);
    if (lend || guest_mem) {
        add(results, CHECK_OK, "protected", NULL, "memory can be lent%s",
            fw_config ? ", and firmware started in front where there is one (--pvmfw)" : "");
        add(results, CHECK_NOTE, "firmware",
            "--accel gunyah,protected=auto tries a shared VM first and then a protected one",
            "whether this firmware starts VMs that are not protected shows only at a start");
    } else {
        add(results, CHECK_NOTE, "protected", "start VMs without --protected",
            "the driver cannot lend memory, so there are no protected VMs");
    }
}

static void check_revision(GPtrArray *results, int node)
{
    g_auto(Fd) vm = ioctl(node, GH_CREATE_VM, 0);

    if (vm >= 0) {
        check_memory_calls(results, node, vm);
    } else if (errno == EINVAL || errno == ENOTTY) {
        add(results, CHECK_MISSING, "revision", "a kernel of android14-6.1 or newer",
            "CREATE_VM: %s: the driver speaks the older interface (ioctl type 0xB2), or the node "
            "is not Gunyah's",
            g_strerror(errno));
    } else {
        add(results, CHECK_MISSING, "revision", "dmesg tells what the driver missed",
            "CREATE_VM: %s", g_strerror(errno));
    }
}

/* ---- memory ---- */

static bool may_lock_all(void)
{
    struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct data[2] = {};

    return syscall(SYS_capget, &header, data) == 0 && (data[0].effective & 1u << CAP_IPC_LOCK) != 0;
}

static void check_memlock(GPtrArray *results)
{
    uint64_t needed = (uint64_t)(PLAN_MEMORY_MIB + PLAN_SWIOTLB_MIB) << 20;
    struct rlimit limit;

    if (may_lock_all()) {
        add(results, CHECK_OK, "memlock", NULL, "CAP_IPC_LOCK: any amount can be pinned");
        return;
    }
    if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0 || limit.rlim_cur >= needed) {
        add(results, CHECK_OK, "memlock", NULL, "enough for a VM of %d MiB can be pinned",
            PLAN_MEMORY_MIB);
        return;
    }
    add(results, CHECK_MISSING, "memlock",
        limit.rlim_max >= needed
            ? "ulimit -l unlimited"
            : "as root: raise memlock in /etc/security/limits.d, or ulimit -l unlimited before su",
        "only %" G_GUINT64_FORMAT " KiB can be pinned, a VM of %d MiB needs %" G_GUINT64_FORMAT
        " KiB",
        (uint64_t)limit.rlim_cur >> 10, PLAN_MEMORY_MIB, needed >> 10);
}

/* Free memory in pieces of at least 2 MiB (proc(5), /proc/buddyinfo), or -1. */
static gint64 large_pieces_mib(void)
{
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;
    gint64 page = sysconf(_SC_PAGESIZE), pages = 0; /* 4, 16 or 64 KiB on arm64 */

    if (!g_file_get_contents("/proc/buddyinfo", &text, NULL, NULL)) {
        return -1;
    }
    lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line != NULL; line++) {
        g_auto(GStrv) words = NULL;
        const char *zone = strstr(*line, "zone");
        unsigned order = 0;

        if (zone == NULL) {
            continue;
        }
        words = g_strsplit(zone, " ", -1);
        for (char **word = words + 1; *word != NULL; word++) {
            if (g_ascii_isdigit(**word)) {
                pages += page << order >= CHUNK ? g_ascii_strtoll(*word, NULL, 10) << order : 0;
                order++;
            }
        }
    }
    return pages * page >> 20;
}

static void check_fragmentation(GPtrArray *results)
{
    gint64 mib = large_pieces_mib();

    if (mib < 0) {
        add(results, CHECK_NOTE, "fragmentation", "be root", "/proc/buddyinfo cannot be read");
    } else if (mib < PLAN_MEMORY_MIB) {
        add(results, CHECK_NOTE, "fragmentation",
            "as root: echo 3 >/proc/sys/vm/drop_caches; echo 1 >/proc/sys/vm/compact_memory; else "
            "smaller VMs (--mem), or a reboot",
            "%" G_GINT64_FORMAT " MiB are free in pieces of 2 MiB or more", mib);
    } else {
        add(results, CHECK_OK, "fragmentation", NULL,
            "%" G_GINT64_FORMAT " MiB are free in pieces of 2 MiB or more", mib);
    }
}

/* ---- the rest ---- */

static void check_other_node(GPtrArray *results, const char *name, const char *path,
                             const char *what)
{
    if (access(path, R_OK | W_OK) == 0) {
        add(results, CHECK_OK, name, NULL, "%s: %s", path, what);
    } else if (errno != ENOENT) {
        add(results, CHECK_NOTE, name, "be root, or in the node's group", "%s: %s", path,
            g_strerror(errno));
    }
}

static void check_qcow2(GPtrArray *results)
{
#ifdef HAVE_NBD
    g_autofree char *qemu_nbd = g_find_program_in_path("qemu-nbd");

    if (qemu_nbd == NULL) {
        add(results, CHECK_NOTE, "qcow2", "install the package qemu-utils",
            "there is no qemu-nbd, which reads qcow2 images");
    }
#else
    add(results, CHECK_NOTE, "qcow2", "convert images to raw",
        "this build has no NBD client, by which qcow2 images are read");
#endif
}

static void check_programs(GPtrArray *results)
{
    static const char *const archs[] = { "aarch64", "x86_64" };

    for (unsigned i = 0; i < G_N_ELEMENTS(archs); i++) {
        g_autoptr(GError) cause = NULL;
        g_autofree char *path = run_find_program(archs[i], &cause);

        if (path != NULL) {
            add(results, CHECK_OK, "program", NULL, "%s", path);
        } else {
            add(results, i == 0 ? CHECK_MISSING : CHECK_NOTE, "program",
                "install it beside humpy, or put its directory into PATH", "%s", cause->message);
        }
    }
    check_qcow2(results);
}

static void check_runtime(GPtrArray *results)
{
    g_autoptr(GError) cause = NULL;
    g_autoptr(GPtrArray) all = place_list(&cause);

    if (all != NULL) {
        add(results, CHECK_OK, "directory", NULL, "%u VMs are running", all->len);
    } else {
        add(results, CHECK_MISSING, "directory", "HUMPY_RUNTIME_DIR names another directory", "%s",
            cause->message);
    }
}

static void print_json(const GPtrArray *results)
{
    g_autoptr(JsonBuilder) b = json_builder_new();
    g_autoptr(JsonNode) root = NULL;
    g_autofree char *text = NULL;

    json_builder_begin_array(b);
    for (unsigned i = 0; i < results->len; i++) {
        const Result *r = g_ptr_array_index(results, i);

        json_builder_begin_object(b);
        json_builder_set_member_name(b, "name");
        json_builder_add_string_value(b, r->name);
        json_builder_set_member_name(b, "state");
        json_builder_add_string_value(b, state_names[r->state]);
        json_builder_set_member_name(b, "text");
        json_builder_add_string_value(b, r->text);
        if (r->fix != NULL) {
            json_builder_set_member_name(b, "fix");
            json_builder_add_string_value(b, r->fix);
        }
        json_builder_end_object(b);
    }
    json_builder_end_array(b);
    root = json_builder_get_root(b);
    text = json_to_string(root, TRUE);
    puts(text);
}

static void print_text(const GPtrArray *results)
{
    for (unsigned i = 0; i < results->len; i++) {
        const Result *r = g_ptr_array_index(results, i);

        printf("%-8s %-14s %s\n", state_names[r->state], r->name, r->text);
        if (r->fix != NULL) {
            printf("%-23s -> %s\n", "", r->fix);
        }
    }
}

int run_check(Request *request, GError **error)
{
    g_autoptr(GPtrArray) results = g_ptr_array_new_with_free_func(result_free);
    const char *path = request->device != NULL ? request->device : GUNYAH_NODE;
    g_auto(Fd) node = open_node(results, path);
    int status = EXIT_SUCCESS;

    if (node >= 0) {
        check_revision(results, node);
    }
    check_memlock(results);
    check_fragmentation(results);
    check_other_node(results, "kvm", "/dev/kvm", "--accel kvm runs guests of this architecture");
    check_other_node(results, "acrn", "/dev/acrn_hsm", "--accel acrn runs x86 guests");
    check_programs(results);
    check_runtime(results);
    for (unsigned i = 0; i < results->len; i++) {
        const Result *r = g_ptr_array_index(results, i);

        status = r->state == CHECK_MISSING ? EXIT_FAILURE : status;
    }
    if (request->json) {
        print_json(results);
    } else {
        print_text(results);
    }
    return status;
}
