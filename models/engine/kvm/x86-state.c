/* SPDX-License-Identifier: GPL-2.0-or-later
 * Power-on again: the state of all vCPUs and interrupt controllers is read once, when the VM is
 * complete and nothing has run, and written back at each reset. Cheaper than a new VM, whose
 * memory would have to be mapped again. Guest memory is not part of it.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "kvm-priv.h"
#include "util/error.h"

enum { N_CHIPS = 3, MAX_MSRS = 1024 };

typedef struct {
    struct kvm_regs regs;
    struct kvm_sregs sregs;
    struct kvm_debugregs debugregs;
    struct kvm_vcpu_events events;
    struct kvm_xcrs xcrs;
    struct kvm_xsave *xsave;
    struct kvm_lapic_state lapic;
    struct kvm_mp_state mp_state;
    struct kvm_msrs *msrs;
} VcpuState;

struct KvmArchVm {
    struct kvm_irqchip chips[N_CHIPS];
    VcpuState vcpus[KVM_ENGINE_MAX_VCPUS];
};

/* ---- model specific registers ---- */

static struct kvm_msr_list *list_msrs(EngineVm *vm)
{
    g_autofree struct kvm_msr_list *list =
        g_malloc0(sizeof(*list) + MAX_MSRS * sizeof(list->indices[0]));

    list->nmsrs = MAX_MSRS;
    if (ekvm_ioctl(vm->dev, KVM_GET_MSR_INDEX_LIST, list) < 0) {
        return NULL;
    }
    return g_steal_pointer(&list);
}

static bool access_msr(EngineVcpu *vcpu, unsigned long request, struct kvm_msr_entry *entry)
{
    union {
        struct kvm_msrs head;
        uint8_t room[sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry)];
    } one = { .head.nmsrs = 1 };

    one.head.entries[0] = *entry;

    if (ekvm_ioctl(vcpu->fd, request, &one) != 1) {
        return false;
    }
    *entry = one.head.entries[0];
    return true;
}

/* Those that can be read and written back: the list also names what this CPU has not. */
static struct kvm_msrs *get_msrs(EngineVcpu *vcpu, const struct kvm_msr_list *list)
{
    struct kvm_msrs *msrs = g_malloc0(sizeof(*msrs) + list->nmsrs * sizeof(msrs->entries[0]));

    for (unsigned i = 0; i < list->nmsrs; i++) {
        struct kvm_msr_entry entry = { .index = list->indices[i] };

        if (access_msr(vcpu, KVM_GET_MSRS, &entry) && access_msr(vcpu, KVM_SET_MSRS, &entry)) {
            msrs->entries[msrs->nmsrs++] = entry;
        }
    }
    return msrs;
}

/* ---- reading ---- */

static struct kvm_xsave *new_xsave(EngineVm *vm)
{
    int size = 0;

#ifdef KVM_CAP_XSAVE2
    size = ioctl(vm->fd, KVM_CHECK_EXTENSION, KVM_CAP_XSAVE2);
#endif
    return g_malloc0(MAX((size_t)MAX(size, 0), sizeof(struct kvm_xsave)));
}

static bool get_vcpu(EngineVcpu *vcpu, VcpuState *s, const struct kvm_msr_list *list)
{
    unsigned long get_xsave = KVM_GET_XSAVE;

#ifdef KVM_GET_XSAVE2
    if (ioctl(vcpu->vm->fd, KVM_CHECK_EXTENSION, KVM_CAP_XSAVE2) > 0) {
        get_xsave = KVM_GET_XSAVE2;
    }
#endif
    s->xsave = new_xsave(vcpu->vm);
    if (ekvm_ioctl(vcpu->fd, KVM_GET_REGS, &s->regs) < 0 ||
        ekvm_ioctl(vcpu->fd, KVM_GET_SREGS, &s->sregs) < 0 ||
        ekvm_ioctl(vcpu->fd, KVM_GET_DEBUGREGS, &s->debugregs) < 0 ||
        ekvm_ioctl(vcpu->fd, KVM_GET_VCPU_EVENTS, &s->events) < 0 ||
        ekvm_ioctl(vcpu->fd, KVM_GET_XCRS, &s->xcrs) < 0 ||
        ekvm_ioctl(vcpu->fd, get_xsave, s->xsave) < 0 ||
        ekvm_ioctl(vcpu->fd, KVM_GET_LAPIC, &s->lapic) < 0 ||
        ekvm_ioctl(vcpu->fd, KVM_GET_MP_STATE, &s->mp_state) < 0) {
        return false;
    }
    s->msrs = get_msrs(vcpu, list);
    return true;
}

bool ekvm_x86_save(EngineVm *vm, GError **error)
{
    g_autofree struct kvm_msr_list *list = list_msrs(vm);

    if (!list) {
        error_set_errno(error, errno, "engine kvm: cannot list the MSRs");
        return false;
    }
    vm->arch = g_new0(KvmArchVm, 1);
    for (unsigned i = 0; i < N_CHIPS; i++) {
        vm->arch->chips[i].chip_id = i;
        if (ekvm_ioctl(vm->fd, KVM_GET_IRQCHIP, &vm->arch->chips[i]) < 0) {
            error_set_errno(error, errno, "engine kvm: cannot read interrupt controller %u", i);
            return false;
        }
    }
    for (unsigned i = 0; i < vm->config.n_vcpus; i++) {
        if (!get_vcpu(vm->vcpus[i], &vm->arch->vcpus[i], list)) {
            error_set_errno(error, errno, "engine kvm: cannot read the state of vCPU %u", i);
            return false;
        }
    }
    return true;
}

void ekvm_x86_forget(EngineVm *vm)
{
    if (!vm->arch) {
        return;
    }
    for (unsigned i = 0; i < KVM_ENGINE_MAX_VCPUS; i++) {
        g_free(vm->arch->vcpus[i].xsave);
        g_free(vm->arch->vcpus[i].msrs);
    }
    g_clear_pointer(&vm->arch, g_free);
}

/* ---- writing ---- */

/* SREGS before LAPIC (the APIC's base), LAPIC before MSRs (its timer's deadline). */
static bool set_vcpu(EngineVcpu *vcpu, VcpuState *s)
{
    struct kvm_mp_state old;

    /* Asking takes an INIT or SIPI that is on its way, so that it cannot arrive afterwards. */
    return ekvm_ioctl(vcpu->fd, KVM_GET_MP_STATE, &old) == 0 &&
           ekvm_ioctl(vcpu->fd, KVM_SET_MP_STATE, &s->mp_state) == 0 &&
           ekvm_ioctl(vcpu->fd, KVM_SET_SREGS, &s->sregs) == 0 &&
           ekvm_ioctl(vcpu->fd, KVM_SET_REGS, &s->regs) == 0 &&
           ekvm_ioctl(vcpu->fd, KVM_SET_XCRS, &s->xcrs) == 0 &&
           ekvm_ioctl(vcpu->fd, KVM_SET_XSAVE, s->xsave) == 0 &&
           ekvm_ioctl(vcpu->fd, KVM_SET_DEBUGREGS, &s->debugregs) == 0 &&
           ekvm_ioctl(vcpu->fd, KVM_SET_LAPIC, &s->lapic) == 0 &&
           ekvm_ioctl(vcpu->fd, KVM_SET_MSRS, s->msrs) == (int)s->msrs->nmsrs &&
           ekvm_ioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, &s->events) == 0;
}

bool ekvm_x86_restore(EngineVm *vm, GError **error)
{
    for (unsigned i = 0; i < N_CHIPS; i++) {
        if (ekvm_ioctl(vm->fd, KVM_SET_IRQCHIP, &vm->arch->chips[i]) < 0) {
            error_set_errno(error, errno, "engine kvm: cannot reset interrupt controller %u", i);
            return false;
        }
    }
    for (unsigned i = 0; i < vm->config.n_vcpus; i++) {
        if (!set_vcpu(vm->vcpus[i], &vm->arch->vcpus[i])) {
            error_set_errno(error, errno, "engine kvm: cannot reset vCPU %u", i);
            return false;
        }
    }
    return true;
}
