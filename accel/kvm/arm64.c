/* SPDX-License-Identifier: GPL-2.0-or-later
 * KVM on arm64: a GICv3 of the kernel's where the machine wants it, vCPUs of the host's own kind
 * with PSCI 0.2 (all but the first start powered off), and the registers the boot protocol asks
 * for. No ITS: devices have wired interrupts.
 */
#define G_LOG_DOMAIN "humpy-kvm"

#include <errno.h>
#include <inttypes.h>

#include "kvm-priv.h"
#include "util/error.h"
#include "util/target.h"

enum {
    N_INTIDS = 992, /* the largest that KVM takes, a multiple of 32 */
    FIRST_SPI = 32,
};

struct KvmArch {
    int gic_fd;     /* -1: none */
    uint64_t count; /* of the virtual counter, while held */
    bool count_is_held;
    bool warned_nisv; /* atomic */
};

const unsigned kvm_arch_target = TARGET_AARCH64;
const char kvm_arch_no_node[] =
    " (was the kernel started at EL2? a hypervisor below it keeps KVM away)";
const uint64_t kvm_arch_caps = 0;
const AccelCapReason kvm_arch_missing_caps[] = {
    { ACCEL_CAP_RESET_IN_PLACE, "KVM has no call that resets its GIC; a new VM is made instead" },
    { ACCEL_CAP_MIGRATION, "no dirty log is kept and no vCPU state is saved" },
    { ACCEL_CAP_GDB, "debug exits are not served yet" },
    { ACCEL_CAP_REGISTERS, "vCPU registers are not offered yet" },
    { ACCEL_CAP_MSI, "the GIC is made without an ITS" },
    { ACCEL_CAP_HOTPLUG_VCPU, "vCPUs are made with the machine" },
    { ACCEL_CAP_PMU, "vCPUs are made without a PMU" },
    { ACCEL_CAP_EL2, "guests run at EL1 and EL0 only" },
    { ACCEL_CAP_PIT, "a PIT is found in PCs only" },
    { 0, NULL },
};

/* Guest physical addresses as wide as the host can; 0 is the 40 bits of old kernels. */
unsigned long kvm_arch_vm_type(AccelKvm *kvm)
{
    int bits = kvm_check(kvm, KVM_CAP_ARM_VM_IPA_SIZE);

    return bits > 0 ? KVM_VM_TYPE_ARM_IPA_SIZE(bits) : 0;
}

bool kvm_arch_check(AccelKvm *kvm, GError **error)
{
    if (kvm_check(kvm, KVM_CAP_ARM_PSCI_0_2) == 0 || kvm_check(kvm, KVM_CAP_DEVICE_CTRL) == 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "%s lacks KVM_CAP_ARM_PSCI_0_2 or KVM_CAP_DEVICE_CTRL (a newer host kernel may "
                    "have them)",
                    kvm->device);
        return false;
    }
    if (kvm->chip != KVM_CHIP_ON) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "kernel-irqchip=%s: on arm64 the GIC is KVM's, only kernel-irqchip=on is "
                    "possible",
                    kvm->chip == KVM_CHIP_SPLIT ? "split" : "off");
        return false;
    }
    return true;
}

/* ---- the GIC ---- */

static bool gic_set(AccelKvm *kvm, uint32_t group, uint64_t attr, const void *value,
                    const char *what, GError **error)
{
    struct kvm_device_attr arg = { .group = group, .attr = attr, .addr = (uintptr_t)value };

    if (kvm_ioctl(kvm, kvm->arch->gic_fd, KVM_SET_DEVICE_ATTR, (uintptr_t)&arg) != 0) {
        error_set_errno(error, errno, "GICv3: %s", what);
        return false;
    }
    return true;
}

/* Both or none: an exit for what KVM cannot decode is only good with a way to answer it. */
static bool ask_for_undecoded(AccelKvm *kvm, GError **error)
{
    struct kvm_enable_cap arg = { .cap = KVM_CAP_ARM_NISV_TO_USER };

    if (kvm_check(kvm, KVM_CAP_ARM_NISV_TO_USER) == 0 ||
        kvm_check(kvm, KVM_CAP_ARM_INJECT_EXT_DABT) == 0) {
        return true;
    }
    if (kvm_vm_ioctl(kvm, KVM_ENABLE_CAP, &arg) != 0) {
        error_set_errno(error, errno, "ENABLE_CAP ARM_NISV_TO_USER");
        return false;
    }
    return true;
}

bool kvm_arch_setup(AccelKvm *kvm, GError **error)
{
    kvm->arch = g_new0(KvmArch, 1);
    kvm->arch->gic_fd = -1;
    return ask_for_undecoded(kvm, error);
}

/* The redistributors are one region for all vCPUs, so these must be there. */
bool kvm_arch_complete(AccelKvm *kvm, GError **error)
{
    struct kvm_create_device create = { .type = KVM_DEV_TYPE_ARM_VGIC_V3 };
    uint64_t dist = kvm->info->gicd_base, redist = kvm->info->gicr_base;
    uint32_t n = N_INTIDS;

    if (kvm_vm_ioctl(kvm, KVM_CREATE_DEVICE, &create) != 0) {
        error_set_errno(error, errno, "cannot create a GICv3 (a host with a GICv2 only has none)");
        return false;
    }
    kvm->arch->gic_fd = create.fd;
    return gic_set(kvm, KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0, &n, "number of interrupts", error) &&
           gic_set(kvm, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_DIST, &dist,
                   "address of the distributor", error) &&
           gic_set(kvm, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_REDIST, &redist,
                   "address of the redistributors", error) &&
           gic_set(kvm, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, NULL, "init", error);
}

bool kvm_arch_line(AccelKvm *kvm, unsigned gsi, uint32_t *number, GError **error)
{
    if (gsi >= N_INTIDS - FIRST_SPI) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "SPI %u: the GIC is made with SPIs 0 to %d", gsi, N_INTIDS - FIRST_SPI - 1);
        return false;
    }
    *number = KVM_ARM_IRQ_TYPE_SPI << KVM_ARM_IRQ_TYPE_SHIFT | (gsi + FIRST_SPI);
    return true;
}

void kvm_arch_clear(AccelKvm *kvm)
{
    if (kvm->arch != NULL && kvm->arch->gic_fd >= 0) {
        hostdev_close(kvm->dev.ops, kvm->arch->gic_fd);
    }
    g_clear_pointer(&kvm->arch, g_free);
}

/* ---- vCPUs ---- */

bool kvm_arch_vcpu_init(AccelKvm *kvm, unsigned index, GError **error)
{
    struct kvm_vcpu_init init = { 0 };

    if (kvm_vm_ioctl(kvm, KVM_ARM_PREFERRED_TARGET, &init) != 0) {
        error_set_errno(error, errno, "ARM_PREFERRED_TARGET");
        return false;
    }
    init.features[0] |= 1 << KVM_ARM_VCPU_PSCI_0_2;
    if (index > 0) {
        init.features[0] |= 1 << KVM_ARM_VCPU_POWER_OFF; /* until PSCI CPU_ON */
    }
    if (kvm_vcpu_ioctl(kvm, kvm->vcpus[index], KVM_ARM_VCPU_INIT, &init) != 0) {
        error_set_errno(error, errno, "ARM_VCPU_INIT of vCPU %u", index);
        return false;
    }
    return true;
}

void kvm_arch_vcpu_clear(AccelKvm *kvm, KvmVcpu *v)
{
}

#define CORE_REG(name)                                                                             \
    (KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | KVM_REG_ARM_CORE_REG(name))

static bool set_reg(AccelKvm *kvm, uint64_t id, uint64_t value, const char *name, GError **error)
{
    struct kvm_one_reg reg = { .id = id, .addr = (uintptr_t)&value };

    if (kvm_vcpu_ioctl(kvm, kvm->vcpus[0], KVM_SET_ONE_REG, &reg) != 0) {
        error_set_errno(error, errno, "cannot set the boot vCPU's %s to 0x%" PRIx64, name, value);
        return false;
    }
    return true;
}

bool kvm_arch_start(AccelKvm *kvm, const AccelBootInfo *boot, GError **error)
{
    return set_reg(kvm, CORE_REG(regs.regs[0]), boot->dtb_gpa, "X0", error) &&
           set_reg(kvm, CORE_REG(regs.pc), boot->entry, "PC", error);
}

bool kvm_arch_reset(AccelKvm *kvm, const AccelBootInfo *boot, GError **error)
{
    g_assert_not_reached(); /* no ACCEL_CAP_RESET_IN_PLACE */
}

char *kvm_arch_where(AccelKvm *kvm, KvmVcpu *v)
{
    uint64_t pc;
    struct kvm_one_reg reg = { .id = CORE_REG(regs.pc), .addr = (uintptr_t)&pc };

    if (kvm_vcpu_ioctl(kvm, v, KVM_GET_ONE_REG, &reg) != 0) {
        return g_strdup("at an unknown address");
    }
    return g_strdup_printf("at PC 0x%" PRIx64, pc);
}

/* A device is touched by an instruction (a pair, a write-back, a vector) whose syndrome does not
 * say what it would have done: the bus ends it with an abort. */
static AccelRunResult on_undecoded(AccelKvm *kvm, unsigned index, const struct kvm_run *run)
{
    struct kvm_vcpu_events events = { .exception.ext_dabt_pending = 1 };

    if (!__atomic_exchange_n(&kvm->arch->warned_nisv, true, __ATOMIC_RELAXED)) {
        g_autofree char *where = kvm_arch_where(kvm, kvm->vcpus[index]);

        g_warning("vCPU %u: an instruction that KVM cannot decode touches a device at 0x%" PRIx64
                  " %s; this and further ones abort",
                  index, (uint64_t)run->arm_nisv.fault_ipa, where);
    }
    if (kvm_vcpu_ioctl(kvm, kvm->vcpus[index], KVM_SET_VCPU_EVENTS, &events) != 0) {
        accel_report_event(HUMPY_ACCEL(kvm), ACCEL_EVENT_CRASH,
                           "vCPU %u: cannot abort its access to 0x%" PRIx64 ": %s", index,
                           (uint64_t)run->arm_nisv.fault_ipa, g_strerror(errno));
        return ACCEL_RUN_DONE;
    }
    return ACCEL_RUN_AGAIN;
}

bool kvm_arch_exit(AccelKvm *kvm, unsigned index, const struct kvm_run *run, AccelRunResult *result)
{
    if (run->exit_reason != KVM_EXIT_ARM_NISV) {
        return false;
    }
    *result = on_undecoded(kvm, index, run);
    return true;
}

/* ---- pause ---- */

/* The virtual counter is the VM's: setting one vCPU's sets all. */
void kvm_arch_pause(AccelKvm *kvm)
{
    KvmArch *arch = kvm->arch;
    struct kvm_one_reg reg = { .id = KVM_REG_ARM_TIMER_CNT, .addr = (uintptr_t)&arch->count };

    if (arch->count_is_held) {
        return;
    }
    arch->count_is_held = kvm_vcpu_ioctl(kvm, kvm->vcpus[0], KVM_GET_ONE_REG, &reg) == 0;
    if (!arch->count_is_held) {
        g_debug("the virtual counter goes on: %s", g_strerror(errno));
    }
}

void kvm_arch_resume(AccelKvm *kvm)
{
    KvmArch *arch = kvm->arch;
    struct kvm_one_reg reg = { .id = KVM_REG_ARM_TIMER_CNT, .addr = (uintptr_t)&arch->count };

    if (arch->count_is_held && kvm_vcpu_ioctl(kvm, kvm->vcpus[0], KVM_SET_ONE_REG, &reg) != 0) {
        g_warning("cannot set the virtual counter back: %s", g_strerror(errno));
    }
    arch->count_is_held = false;
}
