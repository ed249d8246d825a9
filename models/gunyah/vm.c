/* SPDX-License-Identifier: GPL-2.0-or-later
 * The VM file: which calls a kernel family has and in which order each checks its argument; the
 * VM's end; and the teardown after the last close, in a worker on android14 and inside the close
 * on newer kernels. Memory, functions and the resource manager have their own files.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gunyah-priv.h"

static pthread_mutex_t live_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t live_changed = PTHREAD_COND_INITIALIZER;
static unsigned live_vms, teardowns;

/* ---- the end ---- */

void vm_down(GhVm *vm, VmStatus status, int type, const void *reason, unsigned n)
{
    pthread_mutex_lock(&vm->exit_lock);
    if (g_atomic_int_get(&vm->status) == VM_RUNNING) {
        vm->exit_info = (struct gh_vm_exit_info){ .type = (__u16)type, .reason_size = n };
        if (n) {
            memcpy(vm->exit_info.reason, reason, n);
        }
        g_atomic_int_set(&vm->status, (int)status);
    }
    pthread_mutex_unlock(&vm->exit_lock);
    for (unsigned i = 0; vm->engine && i < vm->config->n_cpus; i++) {
        vm->ops->vcpu_kick(vm->engine_vcpus[i]);
    }
}

static void vm_free(GhVm *vm)
{
    g_ptr_array_unref(vm->vcpus);
    g_ptr_array_unref(vm->irqfds);
    g_ptr_array_unref(vm->ioeventfds);
    g_array_unref(vm->boot_regs);
    pthread_rwlock_destroy(&vm->status_lock);
    pthread_rwlock_destroy(&vm->io_lock);
    pthread_mutex_destroy(&vm->exit_lock);
    pthread_mutex_destroy(&vm->mm_lock);
    pthread_mutex_destroy(&vm->fn_lock);
    g_free(vm);
}

/* Facts 1.3, close(): stop, functions, reset, reclaim, VMID. Nobody else has the VM now. */
static gpointer teardown(gpointer opaque)
{
    GhVm *vm = opaque;

    vm_down(vm, VM_EXITED, GH_RM_EXIT_TYPE_VM_FORCE_STOPPED, NULL, 0);
    fn_remove_all(vm);
    if (vm->knobs.teardown_ms) {
        g_usleep(vm->knobs.teardown_ms * 1000UL);
    }
    rm_release(vm);
    vm_free(vm);
    pthread_mutex_lock(&live_lock);
    live_vms--;
    teardowns--;
    pthread_cond_broadcast(&live_changed);
    pthread_mutex_unlock(&live_lock);
    return NULL;
}

void vm_put_file(GhVm *vm)
{
    sigset_t all, old;

    if (!g_atomic_int_dec_and_test(&vm->files)) {
        return;
    }
    pthread_mutex_lock(&live_lock);
    teardowns++;
    pthread_mutex_unlock(&live_lock);
    if (vm->knobs.rev != REV_ANDROID14) {
        teardown(vm);
        return;
    }
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    g_thread_unref(g_thread_new("gunyah-teardown", teardown, vm));
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void vm_wait_teardowns(void)
{
    pthread_mutex_lock(&live_lock);
    while (teardowns) {
        pthread_cond_wait(&live_changed, &live_lock);
    }
    pthread_mutex_unlock(&live_lock);
}

unsigned vm_live_count(void)
{
    unsigned n;

    pthread_mutex_lock(&live_lock);
    n = live_vms;
    pthread_mutex_unlock(&live_lock);
    return n;
}

/* ---- calls ---- */

static long vm_start(GhVm *vm)
{
    long ret;

    pthread_rwlock_wrlock(&vm->status_lock);
    switch (g_atomic_int_get(&vm->status)) {
    case VM_NO_STATE:
        ret = rm_start(vm);
        break;
    case VM_RUNNING:
        ret = 0;
        break;
    default:
        ret = -ENODEV;
        break;
    }
    pthread_rwlock_unlock(&vm->status_lock);
    return ret;
}

static long set_region(GhVm *vm, uintptr_t arg, bool lend)
{
    struct gh_userspace_memory_region region;

    return user_copy_from(&region, arg, sizeof(region)) < 0 ? -EFAULT : mem_add(vm, &region, lend);
}

static long set_dtb(GhVm *vm, uintptr_t arg)
{
    struct gh_vm_dtb_config dtb;

    if (user_copy_from(&dtb, arg, sizeof(dtb)) < 0) {
        return -EFAULT;
    }
    if (dtb.guest_phys_addr + dtb.size < dtb.guest_phys_addr) {
        return -EOVERFLOW;
    }
    vm->dtb = dtb;
    return 0;
}

static long set_firmware(GhVm *vm, uintptr_t arg)
{
    struct gh_vm_firmware_config fw;

    if (user_copy_from(&fw, arg, sizeof(fw)) < 0) {
        return -EFAULT;
    }
    if (vm->knobs.rev == REV_ANDROID15 && fw.guest_phys_addr + fw.size < fw.guest_phys_addr) {
        return -EOVERFLOW;
    }
    vm->fw = fw;
    vm->fw_set = true; /* protected for good */
    return 0;
}

static long set_boot_context(GhVm *vm, uintptr_t arg)
{
    static const unsigned max_index[] = {
        [GH_BOOT_CONTEXT_SET_X] = 31, [GH_BOOT_CONTEXT_SET_PC] = 0, [GH_BOOT_CONTEXT_SET_SP] = 2
    };
    struct gh_vm_boot_context context;
    unsigned set, index;

    if (user_copy_from(&context, arg, sizeof(context)) < 0) {
        return -EFAULT;
    }
    set = context.reg >> GH_BOOT_CONTEXT_REG_SHIFT;
    index = context.reg & 0xff;
    if (set >= G_N_ELEMENTS(max_index) || index > max_index[set]) {
        return -EINVAL;
    }
    if (g_atomic_int_get(&vm->status) != VM_NO_STATE) {
        return -EINVAL;
    }
    for (guint i = 0; i < vm->boot_regs->len; i++) {
        struct gh_vm_boot_context *old =
            &g_array_index(vm->boot_regs, struct gh_vm_boot_context, i);

        if (old->reg == context.reg) {
            *old = context;
            return 0;
        }
    }
    g_array_append_val(vm->boot_regs, context);
    return 0;
}

static long reclaim_region(GhVm *vm, uintptr_t arg)
{
    struct gh_address_range range;

    return user_copy_from(&range, arg, sizeof(range)) < 0 ? -EFAULT : mem_reclaim_range(vm, &range);
}

/* fd's object is of that kind. */
static bool is_memory(int fd, int kind)
{
    Object *file = object_get(&gunyah_model_ops, fd);
    bool ours = file && file->kind == kind;

    if (file) {
        object_put(file);
    }
    return ours;
}

/* The checks in the driver's order; the rights are bits 0 to 2 here and 4 to 6 on v17. */
static long map_cma(GhVm *vm, uintptr_t arg)
{
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    struct gh_map_cma_mem_args args;
    struct gh_map_mem_args map;
    struct stat st;
    int fd;

    if (user_copy_from(&args, arg, sizeof(args)) < 0) {
        return -EFAULT;
    }
    if (!args.size || args.size % page || args.guest_addr % page || args.offset % page) {
        return -EINVAL;
    }
    if (args.guest_addr + args.size < args.guest_addr) {
        return -EOVERFLOW;
    }
    fd = (int)args.guest_mem_fd;
    if (fstat(fd, &st) < 0) {
        return -EBADF;
    }
    if (!is_memory(fd, OBJECT_CMA_MEM)) {
        return -EINVAL;
    }
    if (args.offset + args.size < args.offset || args.offset + args.size > (uint64_t)st.st_size) {
        return -EOVERFLOW;
    }
    map = (struct gh_map_mem_args){
        .guest_addr = args.guest_addr,
        .flags = (args.flags & 7U) << 4 |
                 (args.flags & GH_CMA_FORCE_LEND ? GH_MAP_FORCE_LEND : GH_MAP_FORCE_SHARE),
        .offset = args.offset,
        .size = args.size,
    };
    return args.flags & GH_CMA_UNMAP ? mem_unmap_file(vm, &map) : mem_add_file(vm, &map, fd);
}

static long set_auth_type(GhVm *vm, uintptr_t arg)
{
    struct gh_auth_desc desc;

    return user_copy_from(&desc, arg, sizeof(desc)) < 0 ? -EFAULT : rm_set_auth_type(vm, &desc);
}

static bool map_flags_valid(uint32_t flags)
{
    const uint32_t rights = GH_MAP_ALLOW_READ | GH_MAP_ALLOW_WRITE | GH_MAP_ALLOW_EXEC;
    const uint32_t known = GH_MAP_ACCESS_MASK | rights | GH_MAP_UNMAP;

    return !(flags & ~known) && flags & rights &&
           (flags & GH_MAP_ACCESS_MASK) <= GH_MAP_FORCE_SHARE;
}

/* One errno for all that is wrong. A kernel takes a range that its file does not have, too, and
 * faults later; there is nothing here that could be mapped then. */
static long map_mem(GhVm *vm, uintptr_t arg)
{
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    struct gh_map_mem_args args;
    struct stat st;

    if (user_copy_from(&args, arg, sizeof(args)) < 0) {
        return -EFAULT;
    }
    if (!is_memory((int)args.guest_mem_fd, OBJECT_GUEST_MEM) || !map_flags_valid(args.flags) ||
        args.guest_addr % page || args.offset % page || args.size % page) {
        return -EINVAL;
    }
    if (args.flags & GH_MAP_UNMAP) {
        args.flags &= ~GH_MAP_UNMAP;
        return mem_trim_file(vm, &args, (int)args.guest_mem_fd);
    }
    if (!args.size || args.guest_addr + args.size < args.guest_addr ||
        fstat((int)args.guest_mem_fd, &st) < 0 || args.offset > (uint64_t)st.st_size ||
        args.size > (uint64_t)st.st_size - args.offset) {
        return -EINVAL;
    }
    return mem_add_file(vm, &args, (int)args.guest_mem_fd);
}

static long function_call(GhVm *vm, uintptr_t arg, int (*call)(GhVm *, const struct gh_fn_desc *))
{
    struct gh_fn_desc desc;

    return user_copy_from(&desc, arg, sizeof(desc)) < 0 ? -EFAULT : call(vm, &desc);
}

static long common_ioctl(GhVm *vm, unsigned long request, uintptr_t arg)
{
    switch (request) {
    case GH_VM_SET_DTB_CONFIG:
        return set_dtb(vm, arg);
    case GH_VM_START:
        return vm_start(vm);
    case GH_VM_ADD_FUNCTION:
        return function_call(vm, arg, fn_add);
    case GH_VM_REMOVE_FUNCTION:
        return function_call(vm, arg, fn_remove);
    default:
        return -ENOTTY;
    }
}

static long android14_ioctl(GhVm *vm, unsigned long request, uintptr_t arg)
{
    switch (request) {
    case GH_VM_SET_USER_MEM_REGION:
        return set_region(vm, arg, false);
    case GH_VM_ANDROID_LEND_USER_MEM:
        return set_region(vm, arg, true);
    case GH_VM_ANDROID_SET_FW_CONFIG:
        return set_firmware(vm, arg);
    default:
        return common_ioctl(vm, request, arg);
    }
}

static long android15_ioctl(GhVm *vm, unsigned long request, uintptr_t arg)
{
    switch (request) {
    case GH_VM_RECLAIM_REGION:
        return reclaim_region(vm, arg);
    case GH_VM_SET_BOOT_CONTEXT:
        return set_boot_context(vm, arg);
    case GH_VM_ANDROID_MAP_CMA_MEM:
        return map_cma(vm, arg);
    case GH_VM_ANDROID_SET_AUTH_TYPE:
        return set_auth_type(vm, arg);
    case GH_VM_ANDROID_CHECK_EXTENSION:
        return arg == 0 ? vm->knobs.extension : 0;
    default:
        return android14_ioctl(vm, request, arg);
    }
}

static long v17_ioctl(GhVm *vm, unsigned long request, uintptr_t arg)
{
    switch (request) {
    case GH_VM_MAP_MEM:
        return map_mem(vm, arg);
    case GH_VM_SET_BOOT_CONTEXT:
        return set_boot_context(vm, arg);
    default:
        return common_ioctl(vm, request, arg);
    }
}

long vm_ioctl(GhVm *vm, unsigned long request, uintptr_t arg)
{
    switch (vm->knobs.rev) {
    case REV_ANDROID14:
        return android14_ioctl(vm, request, arg);
    case REV_ANDROID15:
        return android15_ioctl(vm, request, arg);
    case REV_V17:
        return v17_ioctl(vm, request, arg);
    case REV_B2:
        break;
    }
    return -ENOTTY;
}

/* ---- creation ---- */

static void vm_last_close(Object *obj)
{
    vm_put_file((GhVm *)obj);
}

int vm_create(const Knobs *knobs)
{
    GhVm *vm = g_new0(GhVm, 1);
    int fd;

    vm->obj.model = &gunyah_model_ops;

    vm->obj.kind = OBJECT_VM;
    vm->obj.last_close = vm_last_close;
    vm->knobs = *knobs;
    vm->files = 1;
    vm->vcpus = g_ptr_array_new();
    vm->irqfds = g_ptr_array_new();
    vm->ioeventfds = g_ptr_array_new();
    vm->boot_regs = g_array_new(FALSE, TRUE, sizeof(struct gh_vm_boot_context));
    pthread_rwlock_init(&vm->status_lock, NULL);
    pthread_rwlock_init(&vm->io_lock, NULL);
    pthread_mutex_init(&vm->exit_lock, NULL);
    pthread_mutex_init(&vm->mm_lock, NULL);
    pthread_mutex_init(&vm->fn_lock, NULL);
    pthread_mutex_lock(&live_lock);
    live_vms++;
    pthread_mutex_unlock(&live_lock);
    fd = object_install(&vm->obj, "gunyah-vm", 0, NULL);
    if (fd < 0) {
        vm_free(vm);
        pthread_mutex_lock(&live_lock);
        live_vms--;
        pthread_mutex_unlock(&live_lock);
    }
    return fd;
}
