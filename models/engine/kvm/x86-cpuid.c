/* SPDX-License-Identifier: GPL-2.0-or-later
 * What CPUID says in an x86 guest of the KVM engine: what KVM can do, the vCPU's own place in the
 * topology (each a package's core of its own), and the hypervisor leaves that a User VM of ACRN
 * sees, without the Service VM's privilege. Frequencies are told where the guest would otherwise
 * have to measure them.
 */
#include <errno.h>
#include <string.h>

#include "kvm-priv.h"
#include "util/error.h"

enum {
    MAX_LEAVES = 256,
    LEAF_FEATURES = 1,
    LEAF_CACHE = 4,
    LEAF_TOPOLOGY = 0xb,
    LEAF_TSC = 0x15,
    LEAF_TOPOLOGY_V2 = 0x1f,
    FEATURE_ECX_TSC_DEADLINE = 1 << 24,
    TOPOLOGY_NONE = 0,
    TOPOLOGY_SMT = 1,
    TOPOLOGY_CORE = 2,
    APIC_HZ = 1000000000, /* KVM's local APIC counts nanoseconds */
};

static const uint32_t FEATURE_ECX_HYPERVISOR = 1u << 31, LEAF_HYPERVISOR = 0x40000000,
                      LEAF_HYPERVISOR_TSC = 0x40000010, LEAF_AMD_SIZES = 0x80000008,
                      LEAF_AMD_TOPOLOGY = 0x8000001e;

static bool is_hypervisor_leaf(uint32_t leaf)
{
    return leaf >> 16 == LEAF_HYPERVISOR >> 16;
}

/* SDM, leaf 0xb: one thread in a core, n cores in the package. */
static void set_topology(struct kvm_cpuid_entry2 *e, const EngineVcpu *vcpu)
{
    unsigned n = vcpu->vm->config.n_vcpus;
    unsigned shift = n > 1 ? 32 - (unsigned)__builtin_clz(n - 1) : 0;

    e->edx = vcpu->index;
    e->ecx = e->index & 0xff;
    e->eax = e->ebx = 0;
    if (e->index == 0) {
        e->ebx = 1;
        e->ecx |= TOPOLOGY_SMT << 8;
    } else if (e->index == 1) {
        e->eax = shift;
        e->ebx = n;
        e->ecx |= TOPOLOGY_CORE << 8;
    }
}

static void adapt(struct kvm_cpuid_entry2 *e, const EngineVcpu *vcpu, uint32_t tsc_khz,
                  bool deadline)
{
    unsigned n = vcpu->vm->config.n_vcpus;

    switch (e->function) {
    case LEAF_FEATURES:
        e->ebx = (e->ebx & 0xff00) | vcpu->index << 24 | n << 16;
        e->ecx |= FEATURE_ECX_HYPERVISOR | (deadline ? FEATURE_ECX_TSC_DEADLINE : 0);
        e->edx = n > 1 ? e->edx | 1 << 28 : e->edx & ~(1u << 28);
        return;
    case LEAF_CACHE:
        e->eax &= 0x3fff; /* no sharing beyond a thread */
        e->eax |= e->eax & 31 ? (n - 1) << 26 : 0;
        return;
    case LEAF_TOPOLOGY:
    case LEAF_TOPOLOGY_V2:
        set_topology(e, vcpu);
        return;
    case LEAF_TSC: /* the APIC's clock as the crystal: what a guest derives from it is true */
        e->eax = APIC_HZ / 1000;
        e->ebx = tsc_khz;
        e->ecx = APIC_HZ;
        e->edx = 0;
        return;
    }
    if (e->function == LEAF_AMD_SIZES) {
        e->ecx = n - 1;
    } else if (e->function == LEAF_AMD_TOPOLOGY) {
        e->eax = vcpu->index;
        e->ebx = vcpu->index;
        e->ecx = 0;
    }
}

static void append(struct kvm_cpuid2 *table, struct kvm_cpuid_entry2 entry)
{
    if (table->nent < MAX_LEAVES) {
        table->entries[table->nent++] = entry;
    }
}

static void append_hypervisor(struct kvm_cpuid2 *table, uint32_t tsc_khz)
{
    const uint32_t acrn = 0x4e524341;

    append(table, (struct kvm_cpuid_entry2){ .function = LEAF_HYPERVISOR,
                                             .eax = LEAF_HYPERVISOR_TSC,
                                             .ebx = acrn,
                                             .ecx = acrn,
                                             .edx = acrn });
    append(table, (struct kvm_cpuid_entry2){ .function = LEAF_HYPERVISOR + 1 });
    append(table, (struct kvm_cpuid_entry2){ .function = LEAF_HYPERVISOR_TSC, .eax = tsc_khz });
}

static struct kvm_cpuid2 *new_table(void)
{
    struct kvm_cpuid2 *table = g_malloc0(sizeof(*table) + MAX_LEAVES * sizeof(table->entries[0]));

    table->nent = MAX_LEAVES;
    return table;
}

bool ekvm_x86_set_cpuid(EngineVcpu *vcpu, GError **error)
{
    g_autofree struct kvm_cpuid2 *host = new_table(), *guest = new_table();
    int khz = ekvm_ioctl(vcpu->fd, KVM_GET_TSC_KHZ, NULL);
    bool deadline =
        ekvm_ioctl(vcpu->vm->fd, KVM_CHECK_EXTENSION, (void *)KVM_CAP_TSC_DEADLINE_TIMER) > 0;

    if (ekvm_ioctl(vcpu->vm->dev, KVM_GET_SUPPORTED_CPUID, host) < 0) {
        error_set_errno(error, errno, "engine kvm: cannot ask for CPUID");
        return false;
    }
    guest->nent = 0;
    for (unsigned i = 0; i < host->nent; i++) {
        struct kvm_cpuid_entry2 entry = host->entries[i];

        if (!is_hypervisor_leaf(entry.function)) {
            adapt(&entry, vcpu, khz > 0 ? (uint32_t)khz : 0, deadline);
            append(guest, entry);
        }
    }
    append_hypervisor(guest, khz > 0 ? (uint32_t)khz : 0);
    if (ekvm_ioctl(vcpu->fd, KVM_SET_CPUID2, guest) < 0) {
        error_set_errno(error, errno, "engine kvm: vCPU %u: cannot set CPUID", vcpu->index);
        return false;
    }
    return true;
}
