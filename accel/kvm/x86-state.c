/* SPDX-License-Identifier: GPL-2.0-or-later
 * A vCPU's whole state, read when KVM has just made it and written back at a reset in place: so
 * power-on state is what this kernel says it is, not a copy of the manual's tables. The time stamp
 * counter is left out, and goes on counting.
 */
#include <errno.h>
#include <string.h>

#include "util/error.h"
#include "x86.h"

enum { MSR_TSC = 0x10, XSAVE_BYTES = 4096 };

static bool call(AccelKvm *kvm, unsigned index, unsigned long request, const void *arg,
                 const char *name, GError **error)
{
    if (kvm_vcpu_ioctl(kvm, kvm->vcpus[index], request, arg) != 0) {
        error_set_errno(error, errno, "%s on vCPU %u", name, index);
        return false;
    }
    return true;
}

#define CALL(request, arg) call(kvm, index, request, arg, #request, error)

/* ---- MSRs ---- */

static struct kvm_msr_list *msr_list(AccelKvm *kvm, GError **error)
{
    struct kvm_msr_list probe = { 0 };
    struct kvm_msr_list *list;

    /* Fails, but tells how many there are. */
    if (kvm_ioctl(kvm, kvm->dev.fd, KVM_GET_MSR_INDEX_LIST, (uintptr_t)&probe) != 0 &&
        errno != E2BIG) {
        error_set_errno(error, errno, "GET_MSR_INDEX_LIST");
        return NULL;
    }
    list = g_malloc0(sizeof(*list) + probe.nmsrs * sizeof(list->indices[0]));
    list->nmsrs = probe.nmsrs;
    if (kvm_ioctl(kvm, kvm->dev.fd, KVM_GET_MSR_INDEX_LIST, (uintptr_t)list) != 0) {
        error_set_errno(error, errno, "GET_MSR_INDEX_LIST");
        g_free(list);
        return NULL;
    }
    return list;
}

/* KVM_GET_MSRS or KVM_SET_MSRS for one of them; FALSE: KVM refuses. */
static bool one_msr(AccelKvm *kvm, unsigned index, unsigned long request, uint32_t number,
                    uint64_t *value)
{
    g_autofree struct kvm_msrs *one = g_malloc0(sizeof(*one) + sizeof(one->entries[0]));

    one->nmsrs = 1;
    one->entries[0].index = number;
    one->entries[0].data = *value;
    if (kvm_vcpu_ioctl(kvm, kvm->vcpus[index], request, one) != 1) {
        return false;
    }
    *value = one->entries[0].data;
    return true;
}

/* One that cannot be read belongs to a feature this CPU lacks; one that cannot be written cannot
 * have been changed by the guest in a way we could take back. */
static bool msr_is_state(AccelKvm *kvm, unsigned index, uint32_t number, uint64_t *value)
{
    *value = 0;
    return number != MSR_TSC && one_msr(kvm, index, KVM_GET_MSRS, number, value) &&
           one_msr(kvm, index, KVM_SET_MSRS, number, value);
}

static struct kvm_msrs *save_msrs(AccelKvm *kvm, unsigned index, GError **error)
{
    g_autofree struct kvm_msr_list *list = msr_list(kvm, error);
    struct kvm_msrs *msrs;

    if (list == NULL) {
        return NULL;
    }
    msrs = g_malloc0(sizeof(*msrs) + list->nmsrs * sizeof(msrs->entries[0]));
    for (uint32_t i = 0; i < list->nmsrs; i++) {
        uint64_t value;

        if (msr_is_state(kvm, index, list->indices[i], &value)) {
            msrs->entries[msrs->nmsrs++] =
                (struct kvm_msr_entry){ .index = list->indices[i], .data = value };
        }
    }
    return msrs;
}

static bool msr_is(AccelKvm *kvm, unsigned index, const struct kvm_msr_entry *entry)
{
    uint64_t value = 0;

    return one_msr(kvm, index, KVM_GET_MSRS, entry->index, &value) && value == entry->data;
}

/* KVM stops at one that it refuses. If that has its value already, the rest is still to be done. */
static bool restore_msrs(AccelKvm *kvm, unsigned index, const struct kvm_msrs *msrs, GError **error)
{
    g_autofree struct kvm_msrs *rest =
        g_memdup2(msrs, sizeof(*msrs) + msrs->nmsrs * sizeof(msrs->entries[0]));
    uint32_t at = 0;

    while (at < msrs->nmsrs) {
        int done;

        rest->nmsrs = msrs->nmsrs - at;
        memcpy(rest->entries, &msrs->entries[at], rest->nmsrs * sizeof(msrs->entries[0]));
        done = kvm_vcpu_ioctl(kvm, kvm->vcpus[index], KVM_SET_MSRS, rest);
        if (done < 0) {
            error_set_errno(error, errno, "KVM_SET_MSRS on vCPU %u", index);
            return false;
        }
        at += done;
        if (at < msrs->nmsrs && !msr_is(kvm, index, &msrs->entries[at])) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST,
                        "KVM_SET_MSRS on vCPU %u: MSR 0x%x cannot be set back", index,
                        msrs->entries[at].index);
            return false;
        }
        at++;
    }
    return true;
}

/* ---- all ---- */

static bool save_xsave(AccelKvm *kvm, unsigned index, KvmX86State *s, GError **error)
{
    int size = kvm_check(kvm, KVM_CAP_XSAVE2);

    s->xsave = g_malloc0(MAX(size, XSAVE_BYTES));
    return size > XSAVE_BYTES ? CALL(KVM_GET_XSAVE2, s->xsave) : CALL(KVM_GET_XSAVE, s->xsave);
}

bool kvm_x86_save(AccelKvm *kvm, unsigned index, KvmX86State *s, GError **error)
{
    bool ok = CALL(KVM_GET_REGS, &s->regs) && CALL(KVM_GET_SREGS, &s->sregs) &&
              CALL(KVM_GET_LAPIC, &s->lapic) && CALL(KVM_GET_VCPU_EVENTS, &s->events) &&
              CALL(KVM_GET_DEBUGREGS, &s->debugregs) && CALL(KVM_GET_XCRS, &s->xcrs) &&
              CALL(KVM_GET_MP_STATE, &s->mp) && save_xsave(kvm, index, s, error);

    if (!ok) {
        return false;
    }
    /* An INIT that was on its way to this vCPU is to be forgotten, too. */
    s->events.flags |= KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SIPI_VECTOR |
                       KVM_VCPUEVENT_VALID_SHADOW | KVM_VCPUEVENT_VALID_SMM;
    s->msrs = save_msrs(kvm, index, error);
    return s->msrs != NULL;
}

/* The local APIC's base address and mode (sregs) come before its registers. */
bool kvm_x86_restore(AccelKvm *kvm, unsigned index, const KvmX86State *s, GError **error)
{
    return CALL(KVM_SET_SREGS, &s->sregs) && CALL(KVM_SET_REGS, &s->regs) &&
           CALL(KVM_SET_XCRS, &s->xcrs) && CALL(KVM_SET_XSAVE, s->xsave) &&
           CALL(KVM_SET_DEBUGREGS, &s->debugregs) && restore_msrs(kvm, index, s->msrs, error) &&
           CALL(KVM_SET_LAPIC, &s->lapic) && CALL(KVM_SET_MP_STATE, &s->mp) &&
           CALL(KVM_SET_VCPU_EVENTS, &s->events);
}

void kvm_x86_state_clear(KvmX86State *s)
{
    g_clear_pointer(&s->xsave, g_free);
    g_clear_pointer(&s->msrs, g_free);
}
