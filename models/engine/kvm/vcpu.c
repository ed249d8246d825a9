/* SPDX-License-Identifier: GPL-2.0-or-later
 * A vCPU of the KVM engine: its shared page, running it, and what its exits mean to the caller.
 *
 * Kick without a race: SIGURG is blocked in a thread that runs vCPUs, and unblocked by KVM itself
 * inside KVM_RUN only, so no handler is needed and none that comes early is lost. A stray one, in
 * a thread that has just ended its vCPU, does nothing: the signal's default is to be ignored.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kvm-priv.h"
#include "util/error.h"

enum {
    KICK_SIGNAL = SIGURG,
    KERNEL_SIGSET = 8,    /* bytes of the kernel's own signal set */
    SETTLE_ROUNDS = 4096, /* a string instruction comes back to the guest after 1024 elements */
};

static void close_fd(int fd)
{
    if (fd >= 0) {
        close(fd);
    }
}

void ekvm_vcpu_free(EngineVcpu *vcpu)
{
    if (!vcpu) {
        return;
    }
    ekvm_arch_vcpu_fini(vcpu);
    vcpu->vm->vcpus[vcpu->index] = NULL;
    if (vcpu->run) {
        munmap(vcpu->run, vcpu->vm->run_size);
    }
    close_fd(vcpu->fd);
    close_fd(vcpu->wake);
    g_free(vcpu);
}

static bool set_up(EngineVcpu *vcpu, GError **error)
{
    void *page;

    vcpu->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    vcpu->fd = ioctl(vcpu->vm->fd, KVM_CREATE_VCPU, (unsigned long)vcpu->index);
    if (vcpu->fd < 0 || vcpu->wake < 0) {
        error_set_errno(error, errno, "engine kvm: cannot make vCPU %u", vcpu->index);
        return false;
    }
    page = mmap(NULL, vcpu->vm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
    if (page == MAP_FAILED) {
        error_set_errno(error, errno, "engine kvm: cannot map the page of vCPU %u", vcpu->index);
        return false;
    }
    vcpu->run = page;
    return ekvm_arch_vcpu_init(vcpu, error);
}

EngineVcpu *ekvm_vcpu_new(EngineVm *vm, unsigned index, GError **error)
{
    EngineVcpu *vcpu;

    if (index >= vm->config.n_vcpus || vm->vcpus[index]) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "engine kvm: vCPU %u cannot be made",
                    index);
        return NULL;
    }
    vcpu = g_new0(EngineVcpu, 1);
    vcpu->vm = vm;
    vcpu->index = index;
    vcpu->fd = vcpu->wake = -1;
    if (!set_up(vcpu, error)) {
        ekvm_vcpu_free(vcpu);
        return NULL;
    }
    vm->vcpus[index] = vcpu;
    for (unsigned i = 0; i < vm->config.n_vcpus; i++) {
        if (!vm->vcpus[i]) {
            return vcpu;
        }
    }
    if (!ekvm_arch_vm_complete(vm, error)) {
        ekvm_vcpu_free(vcpu);
        return NULL;
    }
    return vcpu;
}

static void wake(EngineVcpu *vcpu)
{
    const uint64_t one = 1;

    /* Only a full counter could fail, and then the sleeper is awake anyway. */
    if (write(vcpu->wake, &one, sizeof(one)) < 0) {
        return;
    }
}

void ekvm_vcpu_boot(EngineVcpu *vcpu, uint64_t pc, uint64_t arg)
{
    vcpu->boot_pc = pc;
    vcpu->boot_arg = arg;
    __atomic_store_n(&vcpu->booted, 1, __ATOMIC_RELEASE);
    wake(vcpu);
}

void ekvm_vcpu_kick(EngineVcpu *vcpu)
{
    int saved = errno, tid;

    /* An exchange: below QEMU's TCG a load may overtake a store, and here must not. */
    (void)__atomic_exchange_n(&vcpu->kicked, 1, __ATOMIC_SEQ_CST);
    tid = __atomic_load_n(&vcpu->tid, __ATOMIC_SEQ_CST);
    if (tid) {
        syscall(SYS_tgkill, getpid(), tid, KICK_SIGNAL);
    }
    wake(vcpu);
    errno = saved;
}

/* ---- accesses ---- */

/* Passes the next piece to the caller. */
static void tell(EngineVcpu *vcpu, EngineExit *exit)
{
    KvmAccess *a = &vcpu->access;

    *exit = (EngineExit){ .kind = a->pio ? ENGINE_EXIT_PIO : ENGINE_EXIT_MMIO,
                          .gpa = a->addr + (a->pio ? 0 : (uint64_t)a->next * a->size),
                          .len = a->size,
                          .is_write = a->is_write };
    if (a->is_write) {
        memcpy(&exit->data, a->data + (size_t)a->next * a->size, a->size);
    }
    a->outstanding = true;
}

/* What the caller made of it. */
static void take(EngineVcpu *vcpu, EngineExit *exit)
{
    KvmAccess *a = &vcpu->access;

    if (!a->outstanding) {
        return;
    }
    if (exit->fault) {
        ekvm_arch_access_fault(vcpu, exit);
        exit->fault = false;
    }
    if (!a->is_write) {
        memcpy(a->data + (size_t)a->next * a->size, &exit->data, a->size);
    }
    a->outstanding = false;
    a->next++;
}

/* One access of size bytes, or of n bytes where no guest could mean them as one (it crosses a
 * page). */
static void begin_mmio(EngineVcpu *vcpu)
{
    struct kvm_run *run = vcpu->run;
    bool whole = run->mmio.len && (run->mmio.len & (run->mmio.len - 1)) == 0;

    vcpu->access = (KvmAccess){ .data = run->mmio.data,
                                .addr = run->mmio.phys_addr,
                                .n = whole ? 1 : run->mmio.len,
                                .size = whole ? (uint8_t)run->mmio.len : 1,
                                .is_write = run->mmio.is_write };
}

/* A string instruction's elements come many at a time. */
static void begin_pio(EngineVcpu *vcpu)
{
    struct kvm_run *run = vcpu->run;

    vcpu->access = (KvmAccess){ .data = (uint8_t *)run + run->io.data_offset,
                                .addr = run->io.port,
                                .n = run->io.count,
                                .size = run->io.size,
                                .pio = true,
                                .is_write = run->io.direction == KVM_EXIT_IO_OUT };
}

/* ---- running ---- */

static void G_GNUC_PRINTF(3, 4) fail(EngineVcpu *vcpu, EngineExit *exit, const char *fmt, ...)
{
    char what[96];
    va_list args;

    va_start(args, fmt);
    vsnprintf(what, sizeof(what), fmt, args);
    va_end(args);
    ekvm_arch_describe(vcpu, what);
    *exit = (EngineExit){ .kind = ENGINE_EXIT_ERROR, .text = vcpu->text };
}

static const char *suberror(uint32_t code)
{
    switch (code) {
    case KVM_INTERNAL_ERROR_EMULATION:
        return "emulation failure";
    case KVM_INTERNAL_ERROR_SIMUL_EX:
        return "exception while delivering an exception";
    case KVM_INTERNAL_ERROR_DELIVERY_EV:
        return "exit while delivering an event";
    case KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON:
        return "unexpected exit of the CPU";
    default:
        return "of a kind without a name";
    }
}

static bool is_reset2(const struct kvm_run *run)
{
#ifdef KVM_SYSTEM_EVENT_RESET_FLAG_PSCI_RESET2
    return run->system_event.ndata > 0 &&
           run->system_event.data[0] & KVM_SYSTEM_EVENT_RESET_FLAG_PSCI_RESET2;
#else
    return false;
#endif
}

static void system_event(EngineVcpu *vcpu, EngineExit *exit)
{
    switch (vcpu->run->system_event.type) {
    case KVM_SYSTEM_EVENT_SHUTDOWN:
        exit->kind = ENGINE_EXIT_SYSTEM_OFF;
        break;
    case KVM_SYSTEM_EVENT_RESET:
        exit->kind = is_reset2(vcpu->run) ? ENGINE_EXIT_SYSTEM_RESET2 : ENGINE_EXIT_SYSTEM_RESET;
        break;
    default:
        fail(vcpu, exit, "system event %u", vcpu->run->system_event.type);
    }
}

/* Of an access that the caller does not hear of. */
static void abort_access(EngineVcpu *vcpu)
{
    EngineExit exit = { 0 };

    ekvm_arch_access_fault(vcpu, &exit);
    memcpy(vcpu->run->mmio.data, &exit.data, sizeof(vcpu->run->mmio.data));
}

/* TRUE: exit is the caller's matter. */
static bool sort_out(EngineVcpu *vcpu, EngineExit *exit)
{
    struct kvm_run *run = vcpu->run;

    switch (run->exit_reason) {
    case KVM_EXIT_IO:
        begin_pio(vcpu);
        return false;
    case KVM_EXIT_MMIO:
        if (run->mmio.phys_addr >= vcpu->vm->config.mmio_limit) {
            abort_access(vcpu);
        } else {
            begin_mmio(vcpu);
        }
        return false;
    case KVM_EXIT_ARM_NISV: /* an instruction that says nothing of its access to the hypervisor */
        abort_access(vcpu);
        return false;
    case KVM_EXIT_INTR:
    case KVM_EXIT_IRQ_WINDOW_OPEN:
        return false;
    case KVM_EXIT_SHUTDOWN:
        *exit = (EngineExit){ .kind = ENGINE_EXIT_TRIPLE_FAULT };
        return true;
    case KVM_EXIT_SYSTEM_EVENT:
        system_event(vcpu, exit);
        return true;
    case KVM_EXIT_INTERNAL_ERROR:
        fail(vcpu, exit, "KVM internal error %u, %s", run->internal.suberror,
             suberror(run->internal.suberror));
        return true;
    case KVM_EXIT_FAIL_ENTRY:
        fail(vcpu, exit, "KVM cannot enter the guest, reason 0x%llx",
             (unsigned long long)run->fail_entry.hardware_entry_failure_reason);
        return true;
    default:
        fail(vcpu, exit, "KVM exit %u is not known", run->exit_reason);
        return true;
    }
}

/* The calling thread takes over, or lets other signals through: see the top of the file. */
static bool adopt(EngineVcpu *vcpu, EngineExit *exit, const sigset_t *wanted)
{
    union {
        struct kvm_signal_mask head;
        uint8_t room[sizeof(struct kvm_signal_mask) + KERNEL_SIGSET];
    } arg = { .head.len = KERNEL_SIGSET };
    sigset_t kick, mask;
    int tid = (int)syscall(SYS_gettid);

    if (__atomic_load_n(&vcpu->tid, __ATOMIC_RELAXED) == tid &&
        (!wanted || memcmp(&vcpu->mask, wanted, KERNEL_SIGSET) == 0)) {
        return true;
    }
    sigemptyset(&kick);
    sigaddset(&kick, KICK_SIGNAL);
    pthread_sigmask(SIG_BLOCK, &kick, &mask);
    if (wanted) {
        mask = *wanted;
        memcpy(&vcpu->mask, wanted, KERNEL_SIGSET);
    }
    sigdelset(&mask, KICK_SIGNAL);
    memcpy(arg.head.sigset, &mask, KERNEL_SIGSET);
    if (ekvm_ioctl(vcpu->fd, KVM_SET_SIGNAL_MASK, &arg) < 0) {
        fail(vcpu, exit, "KVM_SET_SIGNAL_MASK: %s", g_strerror(errno));
        return false;
    }
    __atomic_store_n(&vcpu->tid, tid, __ATOMIC_SEQ_CST);
    return true;
}

/* Takes the signal that ended KVM_RUN away, or it would end the next one as well. */
static void drain_signal(void)
{
    const struct timespec now = { 0 };
    sigset_t kick;

    sigemptyset(&kick);
    sigaddset(&kick, KICK_SIGNAL);
    while (sigtimedwait(&kick, NULL, &now) == KICK_SIGNAL) {
    }
}

static bool is_interrupted(EngineVcpu *vcpu, const EngineRunHooks *hooks)
{
    return __atomic_exchange_n(&vcpu->kicked, 0, __ATOMIC_SEQ_CST) ||
           hooks->interrupted(hooks->opaque);
}

/* FALSE: to be left with INTERRUPTED. */
static bool sleep_until_booted(EngineVcpu *vcpu, const EngineRunHooks *hooks)
{
    while (!__atomic_load_n(&vcpu->booted, __ATOMIC_ACQUIRE)) {
        struct pollfd fds[2] = { { vcpu->wake, POLLIN, 0 }, { hooks->wake_fd, POLLIN, 0 } };
        uint64_t count;

        if (is_interrupted(vcpu, hooks) || (poll(fds, 2, -1) < 0 && errno != EINTR)) {
            return false;
        }
        if (fds[0].revents && read(vcpu->wake, &count, sizeof(count)) < 0) {
            continue;
        }
    }
    return true;
}

/* TRUE: it may enter the guest. */
static bool make_ready(EngineVcpu *vcpu, EngineExit *exit, const EngineRunHooks *hooks)
{
    if (vcpu->started) {
        return true;
    }
    if (!ekvm_arch_waits_in_kvm(vcpu)) {
        if (!sleep_until_booted(vcpu, hooks)) {
            return false;
        }
        if (!ekvm_arch_vcpu_start(vcpu)) {
            *exit = (EngineExit){ .kind = ENGINE_EXIT_ERROR, .text = vcpu->text };
            return false;
        }
    }
    vcpu->started = true;
    return true;
}

void ekvm_vcpu_run(EngineVcpu *vcpu, EngineExit *exit, const EngineRunHooks *hooks)
{
    take(vcpu, exit);
    exit->kind = ENGINE_EXIT_INTERRUPTED;
    if (!adopt(vcpu, exit, hooks->mask) || !make_ready(vcpu, exit, hooks)) {
        return;
    }
    while (!is_interrupted(vcpu, hooks)) {
        if (vcpu->access.next < vcpu->access.n) {
            tell(vcpu, exit);
            return;
        }
        if (ioctl(vcpu->fd, KVM_RUN, 0) == 0) {
            if (sort_out(vcpu, exit)) {
                return;
            }
        } else if (errno == EINTR) {
            drain_signal();
        } else if (errno != EAGAIN) {
            fail(vcpu, exit, "KVM_RUN: %s", g_strerror(errno));
            return;
        }
    }
    exit->kind = ENGINE_EXIT_INTERRUPTED;
}

bool ekvm_vcpu_settle(EngineVcpu *vcpu, GError **error)
{
    int ret = 0;

    vcpu->access = (KvmAccess){ 0 };
    vcpu->run->immediate_exit = 1;
    for (unsigned i = 0; i < SETTLE_ROUNDS && ret == 0; i++) {
        ret = ioctl(vcpu->fd, KVM_RUN, 0);
    }
    vcpu->run->immediate_exit = 0;
    if (ret == 0 || (errno != EINTR && errno != EAGAIN)) {
        error_set_errno(error, ret ? errno : EBUSY, "engine kvm: vCPU %u does not come to rest",
                        vcpu->index);
        return false;
    }
    return true;
}
