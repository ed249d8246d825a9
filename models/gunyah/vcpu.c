/* SPDX-License-Identifier: GPL-2.0-or-later
 * The vCPU file: VCPU_RUN in the caller's thread, and the page it shares with the caller. Facts
 * 1.3 (VCPU_RUN, hazards H1 to H3) describe what this file reproduces. A system call is not
 * interrupted by a handler but by a pending signal, so signals stay blocked while RUN runs, are
 * looked at where the driver looks, and run their handlers once the mask is back (vcpu-signals.c).
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "gunyah-priv.h"
#include "util/fd.h"

/* ---- one at a time ---- */

static bool try_run_lock(GhVcpu *vcpu)
{
    return g_atomic_int_compare_and_exchange(&vcpu->running, 0, 1);
}

static void run_unlock(GhVcpu *vcpu)
{
    const uint64_t one = 1;

    /* An exchange: below QEMU's TCG a load may overtake a store, and here must not. */
    (void)__atomic_exchange_n(&vcpu->running, 0, __ATOMIC_SEQ_CST);
    if (g_atomic_int_get(&vcpu->waiters) &&
        write(vcpu->run_free, &one, sizeof(one)) != sizeof(one)) {
        model_log("vcpu %u: %s", vcpu->id, g_strerror(errno));
    }
}

/* Waits until it is free; FALSE if it is interruptible and a handler ran. */
static bool run_lock(GhVcpu *vcpu, bool interruptible)
{
    bool got = try_run_lock(vcpu);

    if (got) {
        return true;
    }
    g_atomic_int_inc(&vcpu->waiters);
    while (!(got = try_run_lock(vcpu))) {
        struct pollfd pfd = { .fd = vcpu->run_free, .events = POLLIN };
        uint64_t count;

        if (poll(&pfd, 1, -1) < 0 && interruptible) {
            break;
        }
        if (pfd.revents && read(vcpu->run_free, &count, sizeof(count)) < 0) {
            continue; /* another waiter was faster */
        }
    }
    g_atomic_int_add(&vcpu->waiters, -1);
    return got;
}

/* ---- RUN ---- */

/* The VM's end, once; later calls return at once and leave the page alone. */
static void write_status(GhVcpu *vcpu)
{
    GhVm *vm = vcpu->vm;
    struct gh_vcpu_run *page = vcpu->page;

    page->exit_reason = GH_VCPU_EXIT_STATUS;
    switch (g_atomic_int_get(&vm->status)) {
    case VM_INIT_FAILED:
        page->status.status = GH_VM_STATUS_LOAD_FAILED;
        break;
    case VM_EXITED:
        page->status.status = GH_VM_STATUS_EXITED;
        pthread_mutex_lock(&vm->exit_lock);
        page->status.exit_info = vm->exit_info;
        pthread_mutex_unlock(&vm->exit_lock);
        break;
    default:
        page->status.status = GH_VM_STATUS_CRASHED;
        break;
    }
    vcpu->state = VCPU_DOWN;
}

static bool newer(const GhVcpu *vcpu)
{
    return vcpu->vm->knobs.rev != REV_ANDROID14;
}

/* TRUE if user space must see it. */
static bool write_mmio(GhVcpu *vcpu)
{
    const EngineExit *exit = &vcpu->exit;
    struct gh_vcpu_run *page = vcpu->page;

    if (exit->is_write) {
        uint64_t data = GUINT64_TO_LE(exit->data);

        if (ioeventfd_write(vcpu->vm, exit->gpa, exit->len, exit->data)) {
            return false;
        }
        memcpy(page->mmio.data, &data, sizeof(data));
    }
    page->mmio.phys_addr = exit->gpa;
    page->mmio.len = exit->len;
    page->mmio.is_write = exit->is_write;
    if (newer(vcpu)) {
        page->mmio.resume_action = GH_VCPU_RESUME_HANDLED;
    }
    page->exit_reason = GH_VCPU_EXIT_MMIO;
    vcpu->state = exit->is_write ? VCPU_MMIO_WRITE : VCPU_MMIO_READ;
    return true;
}

static void write_page_fault(GhVcpu *vcpu)
{
    struct gh_vcpu_run *page = vcpu->page;

    vcpu->page_faults -= vcpu->page_faults > 0;
    page->page_fault.phys_addr = vcpu->vm->config->base;
    page->page_fault.attempt = vcpu->vm->absent ? -vcpu->vm->absent : -ENOMEM;
    page->page_fault.resume_action = GH_VCPU_RESUME_FAULT;
    page->exit_reason = GH_VCPU_EXIT_PAGE_FAULT;
}

/* Takes what the caller left in the page: 1 to go on, 0 to return it again, or -errno. */
static int take_answer(GhVcpu *vcpu)
{
    const uint8_t action = newer(vcpu) ? vcpu->page->mmio.resume_action : GH_VCPU_RESUME_HANDLED;
    uint64_t data;

    if (vcpu->state != VCPU_MMIO_READ && vcpu->state != VCPU_MMIO_WRITE) {
        return 1;
    }
    switch (action) {
    case GH_VCPU_RESUME_HANDLED:
        break;
    case GH_VCPU_RESUME_FAULT:
        vcpu->exit.fault = true;
        break;
    case GH_VCPU_RESUME_RETRY: /* the guest repeats its access, which exits again */
        write_mmio(vcpu);
        return 0;
    default:
        return -EINVAL;
    }
    if (vcpu->state == VCPU_MMIO_READ) {
        memcpy(&data, vcpu->page->mmio.data, sizeof(data));
        vcpu->exit.data = GUINT64_FROM_LE(data);
    }
    vcpu->state = VCPU_READY;
    return 1;
}

/* H2: the answer was moved into a variable of the call that is now given up; the guest reads 0. */
static void lose_answer(GhVcpu *vcpu)
{
    if (vcpu->exit.kind == ENGINE_EXIT_MMIO && !vcpu->exit.is_write) {
        vcpu->exit.data = 0;
        MODEL_COUNT(lost_answers);
    }
}

static bool interrupted(void *opaque)
{
    GhVcpu *vcpu = opaque;

    if (g_atomic_int_get(&vcpu->vm->status) != VM_RUNNING || vcpu_signal_pending(vcpu)) {
        return true;
    }
    return !(vcpu->vm->knobs.hazards & HAZARD_H3) &&
           __atomic_load_n(&vcpu->page->immediate_exit, __ATOMIC_RELAXED);
}

static void run_engine(GhVcpu *vcpu)
{
    const EngineRunHooks hooks = { interrupted, vcpu, vcpu->signals, &vcpu->caller_mask };
    static const struct {
        VmStatus status;
        int type;
    } ends[] = {
        [END_OFF] = { VM_EXITED, GH_RM_EXIT_TYPE_PSCI_SYSTEM_OFF },
        [END_WATCHDOG] = { VM_EXITED, GH_RM_EXIT_TYPE_WDT_BITE },
        [END_ABORT] = { VM_EXITED, GH_RM_EXIT_TYPE_ASYNC_EXT_ABORT },
        [END_STOPPED] = { VM_EXITED, GH_RM_EXIT_TYPE_VM_FORCE_STOPPED },
        [END_CRASH] = { VM_CRASHED, 0 },
        [END_LOAD] = { VM_INIT_FAILED, 0 },
    };
    const int end = vcpu->vm->knobs.end;
    static const int psci_types[] = {
        [ENGINE_EXIT_SYSTEM_RESET] = GH_RM_EXIT_TYPE_PSCI_SYSTEM_RESET,
        [ENGINE_EXIT_SYSTEM_RESET2] = GH_RM_EXIT_TYPE_PSCI_SYSTEM_RESET2,
    };

    vcpu->vm->ops->vcpu_run(vcpu->engine, &vcpu->exit, &hooks);
    switch (vcpu->exit.kind) {
    case ENGINE_EXIT_SYSTEM_OFF:
        vm_down(vcpu->vm, ends[end].status, ends[end].type, NULL, 0);
        break;
    case ENGINE_EXIT_SYSTEM_RESET:
    case ENGINE_EXIT_SYSTEM_RESET2:
        vm_down(vcpu->vm, VM_EXITED, psci_types[vcpu->exit.kind], NULL, 0);
        break;
    case ENGINE_EXIT_ERROR:
        g_message("the model of Gunyah cannot go on with vCPU %u: %s", vcpu->id, vcpu->exit.text);
        vm_down(vcpu->vm, VM_EXITED, GH_RM_EXIT_TYPE_HYP_ERROR, NULL, 0);
        break;
    default:
        break;
    }
}

/* The driver's loop, to the point where it has something for user space. */
static int run_loop(GhVcpu *vcpu)
{
    bool entered = false; /* the answer, if there was one, has reached the guest */

    while (!vcpu_signal_pending(vcpu)) {
        if (__atomic_load_n(&vcpu->page->immediate_exit, __ATOMIC_RELAXED)) {
            if (!entered) {
                lose_answer(vcpu);
            }
            return -EINTR;
        }
        if (g_atomic_int_get(&vcpu->vm->status) != VM_RUNNING) {
            write_status(vcpu);
            return 0;
        }
        if (vcpu->vm->knobs.run_errno) {
            return -vcpu->vm->knobs.run_errno;
        }
        if (newer(vcpu) && (vcpu->page_faults || vcpu->vm->absent)) {
            write_page_fault(vcpu);
            return 0;
        }
        entered = true;
        run_engine(vcpu);
        if (vcpu->exit.kind == ENGINE_EXIT_MMIO && write_mmio(vcpu)) {
            return 0;
        }
    }
    if (!entered) {
        lose_answer(vcpu);
    }
    return -EINTR;
}

/* With signals blocked and the run lock. *signal: what made it EINTR, or 0. */
static int run_locked(GhVcpu *vcpu, int *signal)
{
    const unsigned hazards = vcpu->vm->knobs.hazards;
    struct pollfd kick = { .fd = vcpu->signals, .events = POLLIN };
    bool was_read = vcpu->state == VCPU_MMIO_READ;
    int ret;

    if (!vcpu->engine) {
        return -ENODEV;
    }
    if (vcpu->state == VCPU_DOWN) {
        return 0;
    }
    if (hazards & HAZARD_EAGAIN && (vcpu->eagain_turn = !vcpu->eagain_turn)) {
        return -EAGAIN;
    }
    ret = take_answer(vcpu);
    if (ret < 0) {
        return ret;
    }
    if (was_read && hazards & HAZARD_H2) {
        poll(&kick, 1, 2); /* whoever kicks now finds the window open */
    }
    if (ret > 0) {
        ret = run_loop(vcpu);
    }
    *signal = vcpu_signal_pending(vcpu);
    if (ret == 0 && (*signal || (hazards & HAZARD_H1 && vcpu->state != VCPU_DOWN))) {
        MODEL_COUNT(hidden_exits);
        return -EINTR;
    }
    return *signal ? -EINTR : ret;
}

static int vcpu_run(GhVcpu *vcpu)
{
    GhVm *vm = vcpu->vm;

    /* START holds it for as long as it takes. */
    pthread_rwlock_rdlock(&vm->status_lock);
    pthread_rwlock_unlock(&vm->status_lock);
    for (;;) {
        int signal = 0;
        sigset_t mask;
        int ret;

        /* The fields of the call are the lock holder's; the mask is restored from a copy. */
        if (!run_lock(vcpu, true)) {
            return -EINTR;
        }
        vcpu_block_signals(vcpu);
        mask = vcpu->caller_mask;
        ret = run_locked(vcpu, &signal);
        run_unlock(vcpu);
        if (ret == -EINTR && signal && vcpu_restarts_after(signal)) {
            pthread_sigmask(SIG_SETMASK, &mask, NULL);
            continue;
        }
        pthread_sigmask(SIG_SETMASK, &mask, NULL);
        return ret;
    }
}

long vcpu_ioctl(GhVcpu *vcpu, unsigned long request)
{
    switch (request) {
    case GH_VCPU_RUN:
        return vcpu_run(vcpu);
    case GH_VCPU_MMAP_SIZE:
        return sysconf(_SC_PAGESIZE);
    default:
        return newer(vcpu) ? -ENOTTY : -EINVAL;
    }
}

/* ---- the function ---- */

void vcpu_unref(GhVcpu *vcpu)
{
    if (!g_ref_count_dec(&vcpu->refs)) {
        return;
    }
    munmap(vcpu->page, (size_t)sysconf(_SC_PAGESIZE));
    close(vcpu->run_free);
    close(vcpu->signals);
    g_free(vcpu);
}

static void vcpu_last_close(Object *obj)
{
    GhVcpu *vcpu = (GhVcpu *)obj;
    GhVm *vm = vcpu->vm;

    pthread_mutex_lock(&vm->fn_lock); /* the reference count's */
    vcpu_unref(vcpu);
    pthread_mutex_unlock(&vm->fn_lock);
    vm_put_file(vm);
}

static GhVcpu *find_vcpu(GhVm *vm, uint32_t id)
{
    for (guint i = 0; i < vm->vcpus->len; i++) {
        GhVcpu *vcpu = g_ptr_array_index(vm->vcpus, i);

        if (vcpu->id == id) {
            return vcpu;
        }
    }
    return NULL;
}

static int open_vcpu_fds(GhVcpu *vcpu)
{
    g_autofree char *name = g_strdup_printf("gh-vcpu:%u", vcpu->id);
    sigset_t none;
    void *page = NULL;
    int fd;

    vcpu->exit.kind = ENGINE_EXIT_INTERRUPTED;
    sigemptyset(&none);
    vcpu->run_free = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    vcpu->signals = signalfd(-1, &none, SFD_CLOEXEC | SFD_NONBLOCK);
    fd = vcpu->run_free < 0 || vcpu->signals < 0
             ? -ENOMEM
             : object_install(&vcpu->obj, name, (size_t)sysconf(_SC_PAGESIZE), &page);
    vcpu->page = page;
    return fd;
}

int vcpu_add(GhVm *vm, const void *data, uint32_t size)
{
    const struct gh_fn_vcpu_arg *arg = data;
    GhVcpu *vcpu;
    int fd;

    if (size != sizeof(*arg)) {
        return -EINVAL;
    }
    if (find_vcpu(vm, arg->id)) {
        return -EEXIST;
    }
    vcpu = g_new0(GhVcpu, 1);
    vcpu->obj.model = &gunyah_model_ops;
    vcpu->obj.kind = OBJECT_VCPU;
    vcpu->obj.last_close = vcpu_last_close;
    vcpu->vm = vm;
    vcpu->id = arg->id;
    vcpu->page_faults = vm->knobs.page_faults;
    g_ref_count_init(&vcpu->refs);
    fd = open_vcpu_fds(vcpu);
    if (fd < 0) {
        fd_clear(&vcpu->run_free);
        fd_clear(&vcpu->signals);
        g_free(vcpu);
        return fd;
    }
    g_ref_count_inc(&vcpu->refs);
    g_atomic_int_inc(&vm->files);
    g_ptr_array_add(vm->vcpus, vcpu);
    if (vm->engine && vm->config->proxy && vcpu->id < vm->config->n_cpus) {
        vcpu_populate(vcpu, vm->engine_vcpus[vcpu->id]);
    }
    return fd;
}

/* With fn_lock. Waits for a RUN in progress, as the driver does. */
void vcpu_populate(GhVcpu *vcpu, EngineVcpu *engine)
{
    if (run_lock(vcpu, false)) {
        vcpu->engine = engine;
        run_unlock(vcpu);
    }
}

bool vcpu_remove(GhVm *vm, uint32_t id)
{
    GhVcpu *vcpu = find_vcpu(vm, id);

    if (!vcpu) {
        return false;
    }
    vcpu_populate(vcpu, NULL);
    g_ptr_array_remove_fast(vm->vcpus, vcpu);
    vcpu_unref(vcpu);
    return true;
}
