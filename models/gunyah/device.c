/* SPDX-License-Identifier: GPL-2.0-or-later
 * /dev/gunyah behind HostDevOps: opens it, and sends each call to the object its descriptor is.
 *
 * The caller's address space is told by its process: on its parent's files a process that forked
 * off gets EPERM where a kernel compares address spaces, and for all other calls too, which a
 * kernel would serve.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gunyah-priv.h"

typedef struct {
    Object obj;
    Knobs knobs;
} Device;

static void free_object(Object *obj)
{
    g_free(obj);
}

static int open_node(Device *dev, const char *path)
{
    if (!model_knobs(&gunyah_model, &dev->knobs)) {
        return -EINVAL;
    }
    if (strcmp(path, GUNYAH_MODEL_CMA_PATH) == 0 && dev->knobs.cma > 0 &&
        dev->knobs.rev == REV_ANDROID15) {
        dev->obj.kind = OBJECT_CMA_NODE;
    } else if (strcmp(path, GUNYAH_MODEL_PATH) != 0) {
        return -ENOENT;
    }
    return object_install(&dev->obj, "gunyah", 0, NULL);
}

static int device_open(const char *path, int flags)
{
    Device *dev;
    int fd;

    dev = g_new0(Device, 1);
    dev->obj.model = &gunyah_model_ops;
    dev->obj.kind = OBJECT_DEVICE;
    dev->obj.last_close = free_object;
    fd = open_node(dev, path);
    if (fd < 0) {
        g_free(dev);
        errno = -fd;
        return -1;
    }
    return fd;
}

/* What open() gives in another process that has this model (models/preload), by its looks: here it
 * is no object of ours, and what counts is that it was allowed to open the node. */
static int device_adopt(int fd)
{
    static const char name[] = "/memfd:gunyah (deleted)";
    g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);
    g_autofree char *link = g_file_read_link(path, NULL);
    int seals = fcntl(fd, F_GET_SEALS);

    if (g_strcmp0(link, name) != 0 || seals < 0 || !(seals & F_SEAL_SEAL)) {
        errno = EINVAL;
        return -1;
    }
    return device_open(GUNYAH_MODEL_PATH, O_RDWR | O_CLOEXEC);
}

static int install_memory(int kind, const char *name, uint64_t size)
{
    Object *obj = g_new0(Object, 1);
    int fd;

    obj->model = &gunyah_model_ops;
    obj->kind = kind;
    obj->last_close = free_object;
    fd = object_install(obj, name, size, NULL);
    if (fd < 0) {
        g_free(obj);
    }
    return fd;
}

static long create_guest_mem(uintptr_t arg)
{
    struct gh_create_mem_args args;

    if (user_copy_from(&args, arg, sizeof(args)) < 0) {
        return -EFAULT;
    }
    if (args.flags & ~(GH_GUEST_MEM_CLOEXEC | GH_GUEST_MEM_ALLOW_HUGEPAGE) || !args.size ||
        args.size % (uint64_t)sysconf(_SC_PAGESIZE) || args.size > INT64_MAX) {
        return -EINVAL;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(args.reserved); i++) {
        if (args.reserved[i]) {
            return -EINVAL;
        }
    }
    return install_memory(OBJECT_GUEST_MEM, "gunyah-guest-mem", args.size);
}

static long cma_ioctl(const Device *node, unsigned long request)
{
    return request == GH_ANDROID_CREATE_CMA_MEM_FD
               ? install_memory(OBJECT_CMA_MEM, "gunyah-cma", node->knobs.cma)
               : -ENOTTY;
}

static long device_ioctl(const Device *dev, unsigned long request, uintptr_t arg)
{
    if (dev->knobs.rev == REV_B2) {
        return -EINVAL; /* what 'G' numbers meet there */
    }
    switch (request) {
    case GH_CREATE_VM:
        return arg ? -EINVAL : vm_create(&dev->knobs);
    case GH_CREATE_GUEST_MEM:
        return dev->knobs.rev == REV_V17 ? create_guest_mem(arg) : -ENOTTY;
    default:
        return -ENOTTY;
    }
}

static long dispatch(Object *obj, unsigned long request, uintptr_t arg)
{
    switch (obj->kind) {
    case OBJECT_DEVICE:
        return device_ioctl((const Device *)obj, request, arg);
    case OBJECT_VM:
        return vm_ioctl((GhVm *)obj, request, arg);
    case OBJECT_VCPU:
        return vcpu_ioctl((GhVcpu *)obj, request);
    case OBJECT_CMA_NODE:
        return cma_ioctl((const Device *)obj, request);
    case OBJECT_GUEST_MEM:
    case OBJECT_CMA_MEM:
        break;
    }
    return -ENOTTY;
}

static int model_ioctl(int fd, unsigned long request, uintptr_t arg)
{
    return object_ioctl(&gunyah_model_ops, fd, request, arg, dispatch);
}

static void *model_mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
{
    Object *obj = object_get(&gunyah_model_ops, fd);
    bool mappable = obj && (obj->kind == OBJECT_VCPU || obj->kind == OBJECT_GUEST_MEM ||
                            obj->kind == OBJECT_CMA_MEM);

    if (obj) {
        object_put(obj);
    }
    if (!mappable) {
        errno = obj ? ENODEV : EBADF;
        return MAP_FAILED;
    }
    return mmap(addr, length, prot, flags, fd, offset);
}

static uint64_t model_memlock_limit(void)
{
    Knobs knobs;

    return model_knobs(&gunyah_model, &knobs) ? knobs.memlock : UINT64_MAX;
}

static void model_follow(void)
{
    model_log_follow(&gunyah_model);
}

static char *model_newest(void)
{
    return model_log_newest(&gunyah_model);
}

bool gunyah_model_owns(int fd)
{
    return object_is_of(&gunyah_model_ops, fd);
}

bool gunyah_model_vm_exit(int vm_fd, int type, const void *reason, unsigned n)
{
    Object *obj = object_get(&gunyah_model_ops, vm_fd);
    bool ok = false;

    if (!obj) {
        return false;
    }
    if (obj->kind == OBJECT_VM && n <= GH_VM_MAX_EXIT_REASON_SIZE) {
        GhVm *vm = (GhVm *)obj;

        ok = g_atomic_int_get(&vm->status) == VM_RUNNING;
        vm_down(vm, type < 0 ? VM_CRASHED : VM_EXITED, MAX(type, 0), reason, n);
    }
    object_put(obj);
    return ok;
}

void gunyah_model_settle(void)
{
    object_drain();
    vm_wait_teardowns();
}

/* Whoever sets knobs wants the model: an engine of the tests', say. */
static bool model_can_run(void)
{
    const EngineOps *engine = engine_for("arm64", NULL);

    return (engine && engine_can_run(engine)) || g_getenv(gunyah_model.variable);
}

const HostDevOps gunyah_model_ops = {
    .name = "model",
    .open = device_open,
    .ioctl = model_ioctl,
    .mmap = model_mmap,
    .munmap = object_munmap,
    .close = object_close,
    .memlock_limit = model_memlock_limit,
    .can_run = model_can_run,
    .adopt = device_adopt,
    .log_follow = model_follow,
    .log_newest = model_newest,
};
