/* SPDX-License-Identifier: GPL-2.0-or-later
 * Shared inside models/engine/kvm: a VM and its vCPUs as KVM objects, and what the host's
 * architecture adds to them (x86*.c, arm64.c). vm.c and vcpu.c hold what all have.
 *
 * Locks: EngineVm.lock guards the slots only; KVM locks everything else by itself.
 */
#pragma once

#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>

#include "../engine-priv.h"

enum { KVM_ENGINE_MAX_VCPUS = 8 };

typedef struct KvmArchVm KvmArchVm;
typedef struct KvmArchVcpu KvmArchVcpu;

struct EngineVm {
    EngineVmConfig config;
    int dev; /* /dev/kvm */
    int fd;
    size_t run_size;
    KvmArchVm *arch;
    EngineVcpu *vcpus[KVM_ENGINE_MAX_VCPUS];
    pthread_mutex_t lock; /* slots */
    GArray *slots;        /* of KvmSlot; the index is KVM's number, size 0: free */
    unsigned max_slots;
};

/* An access that is being told to the caller, in as many exits as it takes. */
typedef struct {
    uint8_t *data; /* in the shared page */
    uint64_t addr;
    unsigned n, next; /* pieces; next < n: not all told */
    uint8_t size;     /* of a piece */
    bool pio, is_write;
    bool outstanding; /* piece next is with the caller */
} KvmAccess;

struct EngineVcpu {
    EngineVm *vm;
    unsigned index;
    int fd;
    struct kvm_run *run;
    KvmArchVcpu *arch;
    KvmAccess access;
    int tid;       /* atomic: the thread that ran it last */
    sigset_t mask; /* the last of EngineRunHooks.mask */
    int kicked;    /* atomic */
    int booted;    /* atomic; after it boot_* is the vCPU thread's */
    int started;   /* boot_* has gone into KVM; the vCPU thread's */
    int wake;      /* eventfd: booted or kicked while asleep */
    uint64_t boot_pc, boot_arg;
    char text[192]; /* of ENGINE_EXIT_ERROR */
};

/* ioctl() until it is not interrupted. */
int ekvm_ioctl(int fd, unsigned long request, void *arg);

/* vcpu.c: as in EngineOps */
EngineVcpu *ekvm_vcpu_new(EngineVm *vm, unsigned index, GError **error);
void ekvm_vcpu_free(EngineVcpu *vcpu);
void ekvm_vcpu_boot(EngineVcpu *vcpu, uint64_t pc, uint64_t arg);
void ekvm_vcpu_run(EngineVcpu *vcpu, EngineExit *exit, const EngineRunHooks *hooks);
void ekvm_vcpu_kick(EngineVcpu *vcpu);

/* What KVM still has to do for an exit that the caller will not answer any more. */
bool ekvm_vcpu_settle(EngineVcpu *vcpu, GError **error);

/* ---- the architecture's part ---- */
extern const char ekvm_arch_guest[];      /* "x86", "arm64" */
unsigned long ekvm_arch_vm_type(int dev); /* KVM_CREATE_VM's argument */
bool ekvm_arch_vm_init(EngineVm *vm, GError **error);
/* All vCPUs exist: called once, by the last vcpu_new(). */
bool ekvm_arch_vm_complete(EngineVm *vm, GError **error);
void ekvm_arch_vm_fini(EngineVm *vm);
bool ekvm_arch_vcpu_init(EngineVcpu *vcpu, GError **error);
void ekvm_arch_vcpu_fini(EngineVcpu *vcpu);
/* TRUE: KVM itself keeps it asleep until another vCPU starts it. */
bool ekvm_arch_waits_in_kvm(const EngineVcpu *vcpu);
/* [vcpu] Puts the boot state in. FALSE: vcpu->text says why. */
bool ekvm_arch_vcpu_start(EngineVcpu *vcpu);
/* [vcpu] The access that the caller holds is to abort. */
void ekvm_arch_access_fault(EngineVcpu *vcpu, EngineExit *exit);
/* Says in vcpu->text what KVM could not do and where the guest was. */
void ekvm_arch_describe(EngineVcpu *vcpu, const char *what);

#if defined(__x86_64__)
/* x86-state.c: all vCPUs and interrupt controllers as they were when the VM was complete. */
bool ekvm_x86_save(EngineVm *vm, GError **error);
bool ekvm_x86_restore(EngineVm *vm, GError **error);
void ekvm_x86_forget(EngineVm *vm);
/* x86-cpuid.c */
bool ekvm_x86_set_cpuid(EngineVcpu *vcpu, GError **error);

bool ekvm_x86_vm_reset(EngineVm *vm, GError **error);
void ekvm_x86_vm_set_line(EngineVm *vm, unsigned gsi, bool level);
void ekvm_x86_vm_msi(EngineVm *vm, uint64_t addr, uint32_t data);
bool ekvm_x86_vcpu_set_x86(EngineVcpu *vcpu, const EngineX86Regs *regs);
#elif defined(__aarch64__)
void ekvm_arm64_vm_pend_spi(EngineVm *vm, unsigned spi);
bool ekvm_arm64_vcpu_set_reg(EngineVcpu *vcpu, unsigned reg, uint64_t value);
#endif
