/* SPDX-License-Identifier: GPL-2.0-or-later
 * Shared inside accel/kvm: the accelerator object and what its files offer each other.
 *
 *   kvm.c        type, properties, opening the node, the VM's life
 *   memory.c     memory slots and ioeventfds, as the listeners report them
 *   gate.c       keeping vCPUs out of the guest while slots change
 *   irq.c        interrupt lines and messages
 *   vcpu.c       making vCPUs, the run loop's one turn
 *   x86*.c, arm64.c   what differs by architecture (one of them is built): kvm_arch_*()
 *
 * Lock order: the memory API's topology lock, gate.lock; a line's lock. None is held while a
 * device's ops run, and none but the gate's is taken by a vCPU on its way in.
 */
#pragma once

#include <linux/kvm.h>
#include <pthread.h>

#include "accel/accel-impl.h"
#include "accel/hostdev.h"

#define TYPE_ACCEL_KVM accel_kvm_get_type()
G_DECLARE_FINAL_TYPE(AccelKvm, accel_kvm, HUMPY, ACCEL_KVM, Accel)

typedef struct KvmArch KvmArch;         /* of the VM */
typedef struct KvmArchVcpu KvmArchVcpu; /* of one vCPU */

typedef enum { KVM_CHIP_ON, KVM_CHIP_SPLIT, KVM_CHIP_OFF } KvmChip;

typedef struct {
    uint32_t id;
    uint64_t gpa, size;
} KvmSlot;

/* Each in cache lines of its own: its thread writes here at every entry. */
typedef struct {
    int fd;      /* -1: none */
    bool inside; /* atomic: between gate_enter() and gate_leave() */
    bool owes;   /* the last entry ended with an exit, which the next one finishes */
    struct kvm_run *run;
    KvmArchVcpu *arch;
} KvmVcpu;

typedef struct {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* opened, or somebody has left */
    bool closed;            /* atomic; written under lock */
} KvmGate;

typedef struct {
    pthread_mutex_t lock;
    uint32_t number; /* what KVM_IRQ_LINE calls it */
    bool level;
} KvmLine;

struct _AccelKvm {
    Accel parent_instance;

    /* Properties. */
    char *device;
    int chip; /* KvmChip */

    HostDev dev;
    int vm_fd; /* -1: none */
    size_t run_size;

    const AccelMachineInfo *info;
    IoReqDispatcher *dispatcher;
    MemoryListener mem_listener, io_listener;
    bool detaching; /* the listeners are being taken off */

    /* Guarded by the topology lock. */
    GArray *slots; /* of KvmSlot */
    unsigned max_slots;
    unsigned slots_refused;
    bool warned_slots, warned_io, warned_unaligned;
    bool gate_held;

    bool started;
    KvmGate gate;
    unsigned n_vcpus;
    KvmVcpu **vcpus;
    GHashTable *lines; /* gsi to KvmLine; fixed once started */
    KvmArch *arch;
};

static inline int kvm_ioctl(const AccelKvm *kvm, int fd, unsigned long request, uintptr_t arg)
{
    return hostdev_ioctl(kvm->dev.ops, fd, request, arg);
}

static inline int kvm_vm_ioctl(const AccelKvm *kvm, unsigned long request, const void *arg)
{
    return hostdev_ioctl(kvm->dev.ops, kvm->vm_fd, request, (uintptr_t)arg);
}

static inline int kvm_vcpu_ioctl(const AccelKvm *kvm, const KvmVcpu *v, unsigned long request,
                                 const void *arg)
{
    return hostdev_ioctl(kvm->dev.ops, v->fd, request, (uintptr_t)arg);
}

/* Answer of KVM_CHECK_EXTENSION on the VM, or on the node while there is none; 0: no. */
int kvm_check(const AccelKvm *kvm, int extension);

/* memory.c */
void kvm_memory_init(AccelKvm *kvm);
/* FALSE: RAM that the machine has got no slot. */
bool kvm_memory_check(AccelKvm *kvm, GError **error);

/* gate.c */
void kvm_gate_init(KvmGate *gate);
void kvm_gate_clear(KvmGate *gate);
/* [any but a vCPU inside the guest] Returns when no vCPU is inside; none gets in until open. */
void kvm_gate_close(AccelKvm *kvm);
void kvm_gate_open(AccelKvm *kvm);
void kvm_gate_wait(AccelKvm *kvm, KvmVcpu *v);

/* [vcpu] The two halves must be seen in order by whoever closes: inside, then closed. (An exchange
 * instead of a store: QEMU's TCG, below which this may run, keeps that order only.) */
static inline void kvm_gate_enter(AccelKvm *kvm, KvmVcpu *v)
{
    (void)__atomic_exchange_n(&v->inside, true, __ATOMIC_SEQ_CST);
    if (G_UNLIKELY(__atomic_load_n(&kvm->gate.closed, __ATOMIC_SEQ_CST))) {
        kvm_gate_wait(kvm, v);
    }
}

/* Whoever closes looks again and again: it need not be woken. */
static inline void kvm_gate_leave(KvmVcpu *v)
{
    __atomic_store_n(&v->inside, false, __ATOMIC_RELEASE);
}

/* irq.c */
bool kvm_irq_connect(Accel *accel, unsigned gsi, AccelIrqMode mode, GError **error);
void kvm_irq_set(Accel *accel, unsigned gsi, bool level);
void kvm_msi(Accel *accel, uint64_t addr, uint32_t data);
void kvm_irqs_init(AccelKvm *kvm);
void kvm_irqs_clear(AccelKvm *kvm);
/* After the in-kernel interrupt controllers have forgotten: tells them which lines are high. */
void kvm_irqs_refresh(AccelKvm *kvm);

/* vcpu.c */
bool kvm_vcpus_create(AccelKvm *kvm, GError **error);
void kvm_vcpus_close(AccelKvm *kvm);
AccelRunResult kvm_vcpu_run(Accel *accel, AccelVcpu *vcpu);
/* [main] While paused: what an exit left to be done in the kernel is done, its answer is lost. */
bool kvm_vcpu_settle(AccelKvm *kvm, unsigned index, GError **error);

/* The architecture's part. */
extern const uint64_t kvm_arch_caps; /* beside those that all have */
extern const unsigned kvm_arch_target;
extern const char kvm_arch_no_node[]; /* what may be behind a missing node, for its message */
extern const AccelCapReason kvm_arch_missing_caps[];
/* [main] Before the VM exists: its type for CREATE_VM. */
unsigned long kvm_arch_vm_type(AccelKvm *kvm);
/* Extensions that are needed; drops capabilities by the properties. */
bool kvm_arch_check(AccelKvm *kvm, GError **error);
/* What must be there before vCPUs; then one of them; then what comes after all. */
bool kvm_arch_setup(AccelKvm *kvm, GError **error);
bool kvm_arch_vcpu_init(AccelKvm *kvm, unsigned index, GError **error);
bool kvm_arch_complete(AccelKvm *kvm, GError **error);
/* boot is what accel_start() was given. reset: all vCPUs and chips were used before. */
bool kvm_arch_start(AccelKvm *kvm, const AccelBootInfo *boot, GError **error);
bool kvm_arch_reset(AccelKvm *kvm, const AccelBootInfo *boot, GError **error);
void kvm_arch_vcpu_clear(AccelKvm *kvm, KvmVcpu *v);
void kvm_arch_clear(AccelKvm *kvm);
/* The kernel's number of line gsi; FALSE: there is none of that number. */
bool kvm_arch_line(AccelKvm *kvm, unsigned gsi, uint32_t *number, GError **error);
/* Where a vCPU is, for a message: "at RIP 0x7c00". Free with g_free(). */
char *kvm_arch_where(AccelKvm *kvm, KvmVcpu *v);
/* [vcpu] An exit that no other architecture has. FALSE: not known, nothing is done. */
bool kvm_arch_exit(AccelKvm *kvm, unsigned index, const struct kvm_run *run,
                   AccelRunResult *result);
/* No vCPU is inside: the guest's clock stands still from one to the other. */
void kvm_arch_pause(AccelKvm *kvm);
void kvm_arch_resume(AccelKvm *kvm);
