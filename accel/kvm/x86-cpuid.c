/* SPDX-License-Identifier: GPL-2.0-or-later
 * What a vCPU's CPUID answers: all that KVM supports on this host, with the vCPU's own APIC ID and
 * a topology of one socket of single-thread cores (Intel SDM volume 2, CPUID; AMD APM volume 3,
 * appendix E). Nested virtualization is left out: a reset in place knows nothing of its state.
 */
#include <errno.h>
#include <string.h>

#include "util/error.h"
#include "x86.h"

enum {
    FIRST_ENTRIES = 128,
    MAX_ENTRIES = 4096,

    LEVEL_INVALID = 0,
    LEVEL_THREAD = 1,
    LEVEL_CORE = 2,

    ECX1_VMX = 1 << 5,
    ECX1_TSC_DEADLINE = 1 << 24,
    EDX1_HTT = 1 << 28,
    ECX81_CMP_LEGACY = 1 << 1,
    ECX81_SVM = 1 << 2,
};
#define ECX1_HYPERVISOR (1u << 31)

static struct kvm_cpuid2 *get_supported(AccelKvm *kvm, GError **error)
{
    for (uint32_t n = FIRST_ENTRIES; n <= MAX_ENTRIES; n *= 2) {
        struct kvm_cpuid2 *cpuid = g_malloc0(sizeof(*cpuid) + n * sizeof(struct kvm_cpuid_entry2));
        int cause;

        cpuid->nent = n;
        if (kvm_ioctl(kvm, kvm->dev.fd, KVM_GET_SUPPORTED_CPUID, (uintptr_t)cpuid) == 0) {
            return cpuid;
        }
        cause = errno;
        g_free(cpuid);
        if (cause != E2BIG) {
            error_set_errno(error, cause, "GET_SUPPORTED_CPUID");
            return NULL;
        }
    }
    error_set_errno(error, E2BIG, "GET_SUPPORTED_CPUID");
    return NULL;
}

/* Bits an APIC ID needs for n cores. */
static unsigned id_bits(unsigned n)
{
    return n > 1 ? 32 - __builtin_clz(n - 1) : 0;
}

/* Leaf 0xB, and 0x1F which adds levels that we do not have: threads, cores, end. */
static void set_levels(struct kvm_cpuid_entry2 *e, unsigned index, unsigned n)
{
    unsigned level = e->index == 0 ? LEVEL_THREAD : e->index == 1 ? LEVEL_CORE : LEVEL_INVALID;

    e->eax = level == LEVEL_CORE ? id_bits(n) : 0;
    e->ebx = level == LEVEL_CORE ? n : level == LEVEL_THREAD ? 1 : 0;
    e->ecx = level << 8 | (e->index & 0xff);
    e->edx = index;
}

static void set_entry(AccelKvm *kvm, struct kvm_cpuid_entry2 *e, unsigned index)
{
    unsigned n = kvm->n_vcpus;

    switch (e->function) {
    case 1:
        e->ebx = (e->ebx & 0xffff) | index << 24 | MIN(n, 255) << 16;
        e->ecx = (e->ecx & ~(uint32_t)ECX1_VMX) | ECX1_HYPERVISOR;
        if (kvm_check(kvm, KVM_CAP_TSC_DEADLINE_TIMER) != 0) {
            e->ecx |= ECX1_TSC_DEADLINE;
        }
        e->edx = n > 1 ? e->edx | EDX1_HTT : e->edx & ~(uint32_t)EDX1_HTT;
        break;
    case 4: /* caches: who shares one, and cores in the package */
        if ((e->eax & 0x1f) != 0) {
            unsigned level = (e->eax >> 5) & 7;

            e->eax = (e->eax & 0x3fff) | (MIN(n, 64) - 1) << 26 |
                     (level >= 3 ? (1u << id_bits(n)) - 1 : 0) << 14;
        }
        break;
    case 0xb:
    case 0x1f:
        set_levels(e, index, n);
        break;
    case 0x80000001:
        e->ecx &= ~(uint32_t)ECX81_SVM;
        e->ecx = n > 1 ? e->ecx | ECX81_CMP_LEGACY : e->ecx & ~(uint32_t)ECX81_CMP_LEGACY;
        break;
    case 0x80000008:
        e->ecx = (e->ecx & ~0xf0ffu) | id_bits(n) << 12 | (MIN(n, 256) - 1);
        break;
    case 0x8000000a: /* SVM */
        e->eax = e->ebx = e->ecx = e->edx = 0;
        break;
    case 0x8000001d: /* AMD's leaf 4, without the cores */
        if ((e->eax & 0x1f) != 0) {
            unsigned level = (e->eax >> 5) & 7;

            e->eax = (e->eax & 0x3fff) | (level >= 3 ? n - 1 : 0) << 14;
        }
        break;
    case 0x8000001e:
        e->eax = index;
        e->ebx = index & 0xff; /* core, one thread */
        e->ecx = 0;            /* node 0 of 1 */
        break;
    }
}

bool kvm_x86_set_cpuid(AccelKvm *kvm, unsigned index, GError **error)
{
    g_autofree struct kvm_cpuid2 *cpuid = get_supported(kvm, error);

    if (cpuid == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < cpuid->nent; i++) {
        set_entry(kvm, &cpuid->entries[i], index);
    }
    if (kvm_vcpu_ioctl(kvm, kvm->vcpus[index], KVM_SET_CPUID2, cpuid) != 0) {
        error_set_errno(error, errno, "cannot set vCPU %u's CPUID", index);
        return false;
    }
    return true;
}
