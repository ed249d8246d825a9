/* SPDX-License-Identifier: GPL-2.0-or-later
 * KVM on x86: the in-kernel interrupt controllers and PIT, the pages KVM wants for itself, and the
 * registers a guest boots with. GSI n is input n of the IOAPIC (0 to 23) and, below 16, of the
 * PIC pair: KVM's own default routing.
 */
#define G_LOG_DOMAIN "humpy-kvm"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "util/error.h"
#include "util/target.h"
#include "x86.h"

enum {
    N_PINS = 24,
    MAX_APIC_ID = 254, /* 255 is everybody */
};

/* Four pages just below 0xff000000 that no machine uses: old Intel CPUs run a guest's real mode
 * with a page table and a TSS of KVM's there. */
#define IDENTITY_MAP_ADDR 0xfeffc000ULL
#define TSS_ADDR          0xfeffd000UL

const unsigned kvm_arch_target = TARGET_X86_64;
const char kvm_arch_no_node[] = " (is the module kvm-intel or kvm-amd loaded, and virtualization "
                                "switched on in the firmware?)";
const uint64_t kvm_arch_caps = ACCEL_CAP_RESET_IN_PLACE | ACCEL_CAP_MSI | ACCEL_CAP_PIT;
const AccelCapReason kvm_arch_missing_caps[] = {
    { ACCEL_CAP_MIGRATION, "no dirty log is kept and no vCPU state is saved" },
    { ACCEL_CAP_GDB, "debug exits are not served yet" },
    { ACCEL_CAP_REGISTERS, "vCPU registers are not offered yet" },
    { ACCEL_CAP_HOTPLUG_VCPU, "vCPUs are made with the machine" },
    { ACCEL_CAP_EL2, "an x86 CPU has no EL2" },
    { 0, NULL },
};

unsigned long kvm_arch_vm_type(AccelKvm *kvm)
{
    return 0;
}

bool kvm_arch_check(AccelKvm *kvm, GError **error)
{
    static const struct {
        int extension;
        const char *name;
    } needed[] = {
        { KVM_CAP_SIGNAL_MSI, "KVM_CAP_SIGNAL_MSI" },
        { KVM_CAP_PIT2, "KVM_CAP_PIT2" },
        { KVM_CAP_PIT_STATE2, "KVM_CAP_PIT_STATE2" },
        { KVM_CAP_EXT_CPUID, "KVM_CAP_EXT_CPUID" },
        { KVM_CAP_XSAVE, "KVM_CAP_XSAVE" },
        { KVM_CAP_XCRS, "KVM_CAP_XCRS" },
        { KVM_CAP_DEBUGREGS, "KVM_CAP_DEBUGREGS" },
        { KVM_CAP_VCPU_EVENTS, "KVM_CAP_VCPU_EVENTS" },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(needed); i++) {
        if (kvm_check(kvm, needed[i].extension) == 0) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                        "%s lacks %s (a newer host kernel may have it)", kvm->device,
                        needed[i].name);
            return false;
        }
    }
    if (kvm->chip != KVM_CHIP_ON) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "kernel-irqchip=%s: the vCPUs' local APICs and the controllers in front of "
                    "them are KVM's here, only kernel-irqchip=on is possible",
                    kvm->chip == KVM_CHIP_SPLIT ? "split" : "off");
        return false;
    }
    return true;
}

static bool vm_call(AccelKvm *kvm, unsigned long request, const void *arg, const char *name,
                    GError **error)
{
    if (kvm_vm_ioctl(kvm, request, arg) != 0) {
        error_set_errno(error, errno, "%s", name);
        return false;
    }
    return true;
}

#define VM_CALL(request, arg) vm_call(kvm, request, arg, #request, error)

static bool create_chips(AccelKvm *kvm, GError **error)
{
    struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };

    if (!VM_CALL(KVM_CREATE_IRQCHIP, NULL) || !VM_CALL(KVM_CREATE_PIT2, &pit)) {
        return false;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(kvm->arch->chips); i++) {
        kvm->arch->chips[i].chip_id = i; /* KVM_IRQCHIP_PIC_MASTER, PIC_SLAVE, IOAPIC */
        if (!VM_CALL(KVM_GET_IRQCHIP, &kvm->arch->chips[i])) {
            return false;
        }
    }
    return VM_CALL(KVM_GET_PIT2, &kvm->arch->pit);
}

bool kvm_arch_setup(AccelKvm *kvm, GError **error)
{
    uint64_t identity_map = IDENTITY_MAP_ADDR;

    kvm->arch = g_new0(KvmArch, 1);
    if (kvm->n_vcpus > MAX_APIC_ID + 1) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "%u vCPUs, but local APIC IDs go from 0 to %d", kvm->n_vcpus, MAX_APIC_ID);
        return false;
    }
    return VM_CALL(KVM_SET_IDENTITY_MAP_ADDR, &identity_map) &&
           VM_CALL(KVM_SET_TSS_ADDR, (const void *)TSS_ADDR) && create_chips(kvm, error);
}

bool kvm_arch_vcpu_init(AccelKvm *kvm, unsigned index, GError **error)
{
    KvmVcpu *v = kvm->vcpus[index];

    v->arch = g_new0(KvmArchVcpu, 1);
    return kvm_x86_set_cpuid(kvm, index, error) &&
           kvm_x86_save(kvm, index, &v->arch->power_on, error);
}

bool kvm_arch_complete(AccelKvm *kvm, GError **error)
{
    return true;
}

void kvm_arch_vcpu_clear(AccelKvm *kvm, KvmVcpu *v)
{
    if (v->arch != NULL) {
        kvm_x86_state_clear(&v->arch->power_on);
        g_clear_pointer(&v->arch, g_free);
    }
}

void kvm_arch_clear(AccelKvm *kvm)
{
    g_clear_pointer(&kvm->arch, g_free);
}

bool kvm_arch_line(AccelKvm *kvm, unsigned gsi, uint32_t *number, GError **error)
{
    if (gsi >= N_PINS) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "interrupt line %u: KVM's IOAPIC has lines 0 to %d", gsi, N_PINS - 1);
        return false;
    }
    *number = gsi;
    return true;
}

/* ---- boot ---- */

static struct kvm_segment to_kvm(const AccelX86Segment *s)
{
    return (struct kvm_segment){
        .base = s->base,
        .limit = s->limit,
        .selector = s->selector,
        .type = s->attributes & 0xf,
        .s = s->attributes >> 4 & 1,
        .dpl = s->attributes >> 5 & 3,
        .present = s->attributes >> 7 & 1,
        .avl = s->attributes >> 12 & 1,
        .l = s->attributes >> 13 & 1,
        .db = s->attributes >> 14 & 1,
        .g = s->attributes >> 15 & 1,
        .unusable = !(s->attributes >> 7 & 1),
    };
}

static bool set_boot_state(AccelKvm *kvm, const AccelX86State *x86, GError **error)
{
    KvmVcpu *v = kvm->vcpus[0];
    struct kvm_regs regs = v->arch->power_on.regs;
    struct kvm_sregs sregs = v->arch->power_on.sregs;

    if (x86 == NULL) {
        return true; /* at the reset vector */
    }
    regs.rip = x86->rip;
    regs.rax = x86->rax;
    regs.rbx = x86->rbx;
    regs.rsi = x86->rsi;
    sregs.cr0 = x86->cr0;
    sregs.gdt.base = x86->gdt_base;
    sregs.gdt.limit = x86->gdt_limit;
    sregs.cs = to_kvm(&x86->cs);
    sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = to_kvm(&x86->data);
    if (x86->tr.limit != 0) {
        sregs.tr = to_kvm(&x86->tr);
    }
    if (kvm_vcpu_ioctl(kvm, v, KVM_SET_SREGS, &sregs) != 0 ||
        kvm_vcpu_ioctl(kvm, v, KVM_SET_REGS, &regs) != 0) {
        error_set_errno(error, errno, "cannot set the boot vCPU's registers (RIP 0x%" PRIx64 ")",
                        x86->rip);
        return false;
    }
    return true;
}

bool kvm_arch_start(AccelKvm *kvm, const AccelBootInfo *boot, GError **error)
{
    return set_boot_state(kvm, boot->x86, error);
}

bool kvm_arch_reset(AccelKvm *kvm, const AccelBootInfo *boot, GError **error)
{
    for (unsigned i = 0; i < kvm->n_vcpus; i++) {
        if (!kvm_x86_restore(kvm, i, &kvm->vcpus[i]->arch->power_on, error)) {
            return false;
        }
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(kvm->arch->chips); i++) {
        if (!VM_CALL(KVM_SET_IRQCHIP, &kvm->arch->chips[i])) {
            return false;
        }
    }
    return VM_CALL(KVM_SET_PIT2, &kvm->arch->pit) && set_boot_state(kvm, boot->x86, error);
}

/* ---- running ---- */

char *kvm_arch_where(AccelKvm *kvm, KvmVcpu *v)
{
    struct kvm_regs regs;
    struct kvm_sregs sregs;

    if (kvm_vcpu_ioctl(kvm, v, KVM_GET_REGS, &regs) != 0 ||
        kvm_vcpu_ioctl(kvm, v, KVM_GET_SREGS, &sregs) != 0) {
        return g_strdup("at an unknown address");
    }
    return g_strdup_printf("at CS base 0x%" PRIx64 " RIP 0x%" PRIx64, (uint64_t)sregs.cs.base,
                           (uint64_t)regs.rip);
}

bool kvm_arch_exit(AccelKvm *kvm, unsigned index, const struct kvm_run *run, AccelRunResult *result)
{
    return false;
}

/* kvmclock is held, and a guest that uses it is told not to blame its CPUs for the gap; for one
 * that does not, the second call fails, which is fine. */
void kvm_arch_pause(AccelKvm *kvm)
{
    KvmArch *arch = kvm->arch;

    if (arch->clock_is_held) {
        return;
    }
    arch->clock_is_held = kvm_vm_ioctl(kvm, KVM_GET_CLOCK, &arch->clock) == 0;
    if (!arch->clock_is_held) {
        g_debug("kvmclock goes on: %s", g_strerror(errno));
    }
    for (unsigned i = 0; i < kvm->n_vcpus; i++) {
        kvm_vcpu_ioctl(kvm, kvm->vcpus[i], KVM_KVMCLOCK_CTRL, NULL);
    }
}

void kvm_arch_resume(AccelKvm *kvm)
{
    /* Without flags: they would ask KVM to add the time that has passed. */
    struct kvm_clock_data clock = { .clock = kvm->arch->clock.clock };

    if (kvm->arch->clock_is_held && kvm_vm_ioctl(kvm, KVM_SET_CLOCK, &clock) != 0) {
        g_warning("cannot set kvmclock back: %s", g_strerror(errno));
    }
    kvm->arch->clock_is_held = false;
}
