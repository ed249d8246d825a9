/* SPDX-License-Identifier: GPL-2.0-or-later
 * Between the x86 files of accel/kvm.
 *
 *   x86.c         the VM: interrupt controllers, PIT, reserved pages; boot registers
 *   x86-cpuid.c   what CPUID answers
 *   x86-state.c   a vCPU's state as KVM made it, to go back to at a reset
 */
#pragma once

#include "kvm-priv.h"

typedef struct {
    struct kvm_regs regs;
    struct kvm_sregs sregs;
    struct kvm_lapic_state lapic;
    struct kvm_vcpu_events events;
    struct kvm_debugregs debugregs;
    struct kvm_xcrs xcrs;
    struct kvm_mp_state mp;
    void *xsave;           /* as large as the VM's KVM_CAP_XSAVE2 says */
    struct kvm_msrs *msrs; /* those that can be read and written */
} KvmX86State;

struct KvmArchVcpu {
    KvmX86State power_on;
};

struct KvmArch {
    struct kvm_irqchip chips[3]; /* as KVM made them */
    struct kvm_pit_state2 pit;
    struct kvm_clock_data clock; /* while paused */
    bool clock_is_held;
};

/* x86-cpuid.c */
bool kvm_x86_set_cpuid(AccelKvm *kvm, unsigned index, GError **error);

/* x86-state.c */
bool kvm_x86_save(AccelKvm *kvm, unsigned index, KvmX86State *state, GError **error);
bool kvm_x86_restore(AccelKvm *kvm, unsigned index, const KvmX86State *state, GError **error);
void kvm_x86_state_clear(KvmX86State *state);
