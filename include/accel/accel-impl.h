/* SPDX-License-Identifier: GPL-2.0-or-later
 * For back ends only (accel/X and tests of accel/): the class a hypervisor fills in, the vCPU as
 * its thread sees it, and how it reports that the VM is over. Users of an accelerator include
 * accel/accel.h.
 *
 * Threads: [main] = the thread that builds and tears down the machine, [vcpu] = that vCPU's own
 * thread, [any] = the op locks. FALSE means *error is set and nothing has changed. Error texts
 * state the fact; the core puts "-accel NAME: " in front, once. A NULL optional op: the core
 * answers with HUMPY_ERROR_UNSUPPORTED or does nothing, as said at the op.
 */
#pragma once

#include "accel/accel.h"

/* One vCPU. Made by the core in accel_setup(), lives until accel_teardown(). */
typedef struct {
    Accel *accel;
    unsigned index;
    IoReqStats stats; /* written by [vcpu] only */
} AccelVcpu;

/* What one entry into the guest led to. */
typedef enum {
    ACCEL_RUN_AGAIN,
    /* The next entry carries the answer of a read. While it is on its way a signal could make the
     * hypervisor drop it (Gunyah), so a pause waits a little before it sends one. */
    ACCEL_RUN_ANSWERED,
    ACCEL_RUN_DONE, /* never enter this vCPU again; the thread parks until accel_teardown() */
} AccelRunResult;

typedef struct {
    AccelCap cap; /* 0 ends the table */
    const char *why;
} AccelCapReason;

struct _AccelClass {
    GObjectClass parent_class;
    const char *name;    /* as in -accel NAME */
    const char *summary; /* one line for -accel help */
    uint64_t caps;       /* AccelCap bits: what the core may then ask for */
    unsigned targets;    /* Target bits (util/target.h); 0: all */
    /* (optional) Why a capability is missing, for accel_require(). */
    const AccelCapReason *cap_reasons;

    /* [main] Opens what the hypervisor needs and checks that this host can run VMs at all; a
     * failure makes the core try the next -accel. close undoes it and is called once after a
     * successful open, when the last reference goes; irq_set and msi may still come between
     * teardown and close, from any thread. Mandatory pair. */
    bool (*open)(Accel *accel, GError **error);
    void (*close)(Accel *accel);

    /* (optional pair, with ACCEL_CAP_PROTECT) [main] accel_protection() and
     * accel_wants_protection(). */
    void (*protection)(Accel *accel, AccelProtection *wanted);
    bool (*wants_protection)(Accel *accel);

    /* [main] Follows info->memory with a listener. info and what it points to are borrowed until
     * teardown returns; info->vm_name is a copy. teardown undoes setup and start in the
     * hypervisor's order, whatever had been reached; vCPU threads are gone by then. Mandatory
     * pair. */
    bool (*setup)(Accel *accel, const AccelMachineInfo *info, GError **error);
    void (*teardown)(Accel *accel);

    /* connect: [main] before start, each gsi once (the core checks both). set: [any] level of a
     * connected line, called for every change and maybe without one. Mandatory pair with
     * ACCEL_CAP_IRQCHIP, absent without. */
    bool (*irq_connect)(Accel *accel, unsigned gsi, AccelIrqMode mode, GError **error);
    void (*irq_set)(Accel *accel, unsigned gsi, bool level);
    /* (optional) [any] accel_msi(). Without: the message is lost. */
    void (*msi)(Accel *accel, uint64_t addr, uint32_t data);

    /* (optional) [any] accel_pci_irq(), accel_guest_over(). Without: nothing happens. */
    void (*pci_irq)(Accel *accel, uint16_t segment, uint8_t bus, uint8_t dev, unsigned pin,
                    bool level);
    void (*guest_over)(Accel *accel, bool reset);
    /* (optional) [main] accel_set_dirty_log(). */
    void (*set_dirty_log)(Accel *accel, bool on);

    /* (optional) [main] accel_pci_function(). */
    bool (*pci_function)(Accel *accel, uint16_t segment, uint8_t bus, uint8_t devfn,
                         GError **error);

    /* (optional pair) [main] after setup, before start. fdt is borrowed for the call. Without:
     * the tree stays as it is and its own size is room enough. */
    bool (*fdt_fixup)(Accel *accel, void *fdt, const AccelFdtInfo *info, GError **error);
    uint64_t (*dtb_room)(Accel *accel, uint64_t dtb_size);

    /* (optional) [main] after open. Without: any entry will do. */
    bool (*fixed_entry)(Accel *accel, uint64_t region_base, uint64_t *entry);

    /* [main] Everything up to the moment vCPUs may enter. Mandatory. */
    bool (*start)(Accel *accel, const AccelBootInfo *boot, GError **error);
    /* [main] The second and later accel_start(): between pause and resume, no vCPU is in the
     * guest, devices have been reset. An answer that was still in hand is dropped. Mandatory with
     * ACCEL_CAP_RESET_IN_PLACE and ACCEL_CAP_VCPUS. */
    bool (*reset)(Accel *accel, const AccelBootInfo *boot, GError **error);
    /* (optional) [main] Guest code stops and goes on, where the hypervisor has it in hand: resume
     * is called after start and after reset unless paused, before the core's threads enter; pause
     * when they have left. FALSE cannot be said: what fails is reported as an event. */
    void (*pause)(Accel *accel);
    void (*resume)(Accel *accel);

    /* [vcpu] One entry into the guest and the handling of its exit. Blocks; a kick (a signal
     * without SA_RESTART, repeated until the thread has seen the request) makes it return. All
     * other asynchronous signals are blocked in this thread. Without, with ACCEL_CAP_VCPUS: the
     * hypervisor runs them by itself, and the core makes no threads. */
    AccelRunResult (*vcpu_run)(Accel *accel, AccelVcpu *vcpu);
};

/* Makes type known to -accel. Asserts that mandatory ops are there and pairs complete: a class
 * that does not is a bug of ours. The name must be new. [main] */
void accel_register_type(GType type);

/* The VM is over (or cannot go on): the first report of a VM's life reaches the event handler with
 * the formatted message, later ones only the debug log. fmt may be NULL. [any] */
void accel_report_event(Accel *accel, AccelEvent event, const char *fmt, ...) G_GNUC_PRINTF(3, 4);

/* [main] Serves the main context for ms milliseconds. FALSE: accel_cancel_wait() was called. */
bool accel_wait(unsigned ms);

/* [main] From open: this instance lacks some of its class's capabilities. */
void accel_drop_caps(Accel *accel, uint64_t caps);

/* [vcpu] Where a kick leaves a 1 before the entry that it would have interrupted, so that one that
 * comes too early for the signal is not lost (KVM's immediate_exit). For the calling thread, until
 * the next call; the back end clears it when it has been seen. */
void accel_set_kick_flag(uint8_t *flag);
/* Sends one kick, if the thread runs; it may come before the entry that it is meant for. [any] */
void accel_vcpu_kick(AccelVcpu *vcpu);

/* One of accel_n_vcpus(); borrowed. Between setup and teardown. [any] */
AccelVcpu *accel_vcpu(Accel *accel, unsigned index);
