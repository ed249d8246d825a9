/* SPDX-License-Identifier: GPL-2.0-or-later
 * vCPUs and one turn of their run loop: enter, look at the run page, answer in it. KVM finishes
 * what an exit began at the next entry, before anything else, so an answer is never lost to a
 * kick: the entry then ends with EINTR as soon as the answer has been taken in.
 */
#define G_LOG_DOMAIN "humpy-kvm"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

#include "kvm-priv.h"
#include "util/error.h"

/* An instruction's string form may leave again and again before it is finished, but KVM lets go of
 * it after 1024 elements, of a read and a write each. */
enum { MAX_SETTLE_TURNS = 4096 };

/* ---- life ---- */

static bool create_vcpu(AccelKvm *kvm, unsigned index, GError **error)
{
    KvmVcpu *v = g_aligned_alloc0(1, (sizeof(*v) + 127) & ~127UL, 128);
    void *page;

    kvm->vcpus[index] = v;
    v->fd = kvm_ioctl(kvm, kvm->vm_fd, KVM_CREATE_VCPU, index);
    if (v->fd < 0) {
        error_set_errno(error, errno, "cannot create vCPU %u", index);
        return false;
    }
    page = hostdev_mmap(kvm->dev.ops, kvm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 0);
    if (page == MAP_FAILED) {
        error_set_errno(error, errno, "cannot map vCPU %u's run page", index);
        return false;
    }
    v->run = page;
    return kvm_arch_vcpu_init(kvm, index, error);
}

bool kvm_vcpus_create(AccelKvm *kvm, GError **error)
{
    kvm->vcpus = g_new0(KvmVcpu *, kvm->n_vcpus);
    for (unsigned i = 0; i < kvm->n_vcpus; i++) {
        if (!create_vcpu(kvm, i, error)) {
            return false;
        }
    }
    return true;
}

void kvm_vcpus_close(AccelKvm *kvm)
{
    for (unsigned i = 0; kvm->vcpus != NULL && i < kvm->n_vcpus; i++) {
        KvmVcpu *v = kvm->vcpus[i];

        if (v == NULL) {
            continue;
        }
        kvm_arch_vcpu_clear(kvm, v);
        if (v->run != NULL) {
            hostdev_munmap(kvm->dev.ops, v->run, kvm->run_size);
        }
        if (v->fd >= 0) {
            hostdev_close(kvm->dev.ops, v->fd);
        }
        g_aligned_free(v);
    }
    g_clear_pointer(&kvm->vcpus, g_free);
}

bool kvm_vcpu_settle(AccelKvm *kvm, unsigned index, GError **error)
{
    KvmVcpu *v = kvm->vcpus[index];
    int ret = 0;

    if (!v->owes) {
        return true; /* an entry by another thread than the vCPU's own is slow in old kernels */
    }
    for (unsigned i = 0; i < MAX_SETTLE_TURNS && ret == 0; i++) {
        v->run->immediate_exit = 1;
        ret = kvm_vcpu_ioctl(kvm, v, KVM_RUN, NULL);
    }
    v->run->immediate_exit = 0;
    v->owes = false;
    if (ret == 0 || errno != EINTR) {
        error_set_errno(error, ret == 0 ? ELOOP : errno, "cannot bring vCPU %u to rest", index);
        return false;
    }
    return true;
}

/* ---- exits ---- */

static AccelRunResult crash(AccelKvm *kvm, unsigned index, const char *what, uint64_t detail)
{
    g_autofree char *where = kvm_arch_where(kvm, kvm->vcpus[index]);

    accel_report_event(HUMPY_ACCEL(kvm), ACCEL_EVENT_CRASH, "vCPU %u: %s 0x%" PRIx64 " %s", index,
                       what, detail, where);
    return ACCEL_RUN_DONE;
}

static AccelRunResult on_internal_error(AccelKvm *kvm, unsigned index, const struct kvm_run *run)
{
    static const char *const names[] = {
        [KVM_INTERNAL_ERROR_EMULATION] = "KVM cannot emulate an instruction, internal error",
        [KVM_INTERNAL_ERROR_SIMUL_EX] = "simultaneous exceptions, internal error",
        [KVM_INTERNAL_ERROR_DELIVERY_EV] = "KVM cannot deliver an event, internal error",
        [KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON] = "unexpected exit, internal error",
    };
    uint32_t sub = run->internal.suberror;

    return crash(kvm, index,
                 sub < G_N_ELEMENTS(names) && names[sub] != NULL ? names[sub] : "internal error",
                 sub);
}

static AccelRunResult on_system_event(AccelKvm *kvm, unsigned index, const struct kvm_run *run)
{
    Accel *accel = HUMPY_ACCEL(kvm);

    switch (run->system_event.type) {
    case KVM_SYSTEM_EVENT_SHUTDOWN:
        accel_report_event(accel, ACCEL_EVENT_SHUTDOWN, "the guest powered itself off");
        return ACCEL_RUN_DONE;
    case KVM_SYSTEM_EVENT_RESET:
        accel_report_event(accel, ACCEL_EVENT_RESET, "the guest asked for a reset");
        return ACCEL_RUN_DONE;
    case KVM_SYSTEM_EVENT_CRASH:
        accel_report_event(accel, ACCEL_EVENT_CRASH, "vCPU %u: the guest says that it crashed",
                           index);
        return ACCEL_RUN_DONE;
    }
    return crash(kvm, index, "unknown system event", run->system_event.type);
}

static AccelRunResult on_other(AccelKvm *kvm, unsigned index, const struct kvm_run *run)
{
    AccelRunResult result;

    switch (run->exit_reason) {
    case KVM_EXIT_INTR:
    case KVM_EXIT_IRQ_WINDOW_OPEN:
        return ACCEL_RUN_AGAIN;
    case KVM_EXIT_SHUTDOWN: /* x86's triple fault: boards reset themselves */
        accel_report_event(HUMPY_ACCEL(kvm), ACCEL_EVENT_RESET, "vCPU %u: triple fault", index);
        return ACCEL_RUN_DONE;
    case KVM_EXIT_SYSTEM_EVENT:
        return on_system_event(kvm, index, run);
    case KVM_EXIT_INTERNAL_ERROR:
        return on_internal_error(kvm, index, run);
    case KVM_EXIT_FAIL_ENTRY:
        return crash(kvm, index, "the CPU refused the entry, reason",
                     run->fail_entry.hardware_entry_failure_reason);
    case KVM_EXIT_UNKNOWN:
        return crash(kvm, index, "unknown hardware exit", run->hw.hardware_exit_reason);
    }
    if (kvm_arch_exit(kvm, index, run, &result)) {
        return result;
    }
    return crash(kvm, index, "unknown exit", run->exit_reason);
}

static AccelRunResult on_run_error(AccelKvm *kvm, unsigned index, int cause)
{
    struct kvm_run *run = kvm->vcpus[index]->run;
    g_autofree char *where = NULL;
    const char *advice = "";

    if (cause == EINTR || cause == EAGAIN) {
        /* A kick that comes from here on is for what the thread will look at before it enters. */
        __atomic_store_n(&run->immediate_exit, 0, __ATOMIC_RELAXED);
        return ACCEL_RUN_AGAIN;
    }
    if (cause == EFAULT) {
        advice = " (guest memory that the host does not back)";
    } else if (cause == ENOSYS) {
        advice = " (an instruction that KVM cannot decode touches a device)";
    }
    where = kvm_arch_where(kvm, kvm->vcpus[index]);
    accel_report_event(HUMPY_ACCEL(kvm), ACCEL_EVENT_CRASH, "vCPU %u: cannot run: %s%s %s", index,
                       g_strerror(cause), advice, where);
    return ACCEL_RUN_DONE;
}

/* ---- accesses ---- */

/* An access that crosses a page comes in two parts of any size. */
static unsigned part_size(uint64_t addr, unsigned len)
{
    unsigned size = 8;

    while (size > len || (addr & (size - 1)) != 0) {
        size /= 2;
    }
    return size;
}

static void access_part(AccelKvm *kvm, IoRequest *req, uint8_t *data, IoReqStats *stats)
{
    uint64_t wire = 0;

    if (req->is_write) {
        memcpy(&wire, data, req->size);
        req->data = GUINT64_FROM_LE(wire);
    }
    ioreq_dispatch(kvm->dispatcher, req, stats);
    if (!req->is_write) {
        wire = GUINT64_TO_LE(req->data);
        memcpy(data, &wire, req->size);
    }
}

static void on_mmio(AccelKvm *kvm, IoRequest *req, struct kvm_run *run, IoReqStats *stats)
{
    unsigned len = run->mmio.len;

    req->space = IOREQ_MMIO;
    req->addr = run->mmio.phys_addr;
    req->is_write = run->mmio.is_write != 0;
    if (G_LIKELY((len & (len - 1)) == 0)) {
        req->size = len;
        access_part(kvm, req, run->mmio.data, stats);
        return;
    }
    for (unsigned at = 0; at < len; at += req->size) {
        req->addr = run->mmio.phys_addr + at;
        req->size = part_size(req->addr, len - at);
        access_part(kvm, req, run->mmio.data + at, stats);
    }
}

static void on_pio(AccelKvm *kvm, IoRequest *req, struct kvm_run *run, IoReqStats *stats)
{
    uint8_t *data = (uint8_t *)run + run->io.data_offset;
    uint32_t count = run->io.count;

    req->space = IOREQ_PIO;
    req->addr = run->io.port;
    req->size = run->io.size;
    req->is_write = run->io.direction == KVM_EXIT_IO_OUT;
    for (uint32_t i = 0; i < count; i++) {
        access_part(kvm, req, data + (size_t)i * req->size, stats);
    }
}

AccelRunResult kvm_vcpu_run(Accel *accel, AccelVcpu *vcpu)
{
    AccelKvm *kvm = (AccelKvm *)accel; /* unchecked: this is once for each exit */
    KvmVcpu *v = kvm->vcpus[vcpu->index];
    struct kvm_run *run = v->run;
    IoRequest req = {
        .origin = { .backend = kvm, .vcpu = vcpu->index },
        .count = 1,
        .step = 1,
        .completion = IOREQ_COMPLETE_IMPLICIT,
    };
    int ret, cause;

    accel_set_kick_flag(&run->immediate_exit);
    kvm_gate_enter(kvm, v);
    ret = kvm_vcpu_ioctl(kvm, v, KVM_RUN, NULL);
    cause = errno;
    kvm_gate_leave(v);
    v->owes = ret == 0;
    if (G_UNLIKELY(ret != 0)) {
        return on_run_error(kvm, vcpu->index, cause);
    }
    req.raw_type = run->exit_reason;
    switch (run->exit_reason) {
    case KVM_EXIT_MMIO:
        on_mmio(kvm, &req, run, &vcpu->stats);
        return ACCEL_RUN_AGAIN;
    case KVM_EXIT_IO:
        on_pio(kvm, &req, run, &vcpu->stats);
        return ACCEL_RUN_AGAIN;
    }
    return on_other(kvm, vcpu->index, run);
}
