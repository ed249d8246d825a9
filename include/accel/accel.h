/* SPDX-License-Identifier: GPL-2.0-or-later
 * What the rest of Humpy sees of an accelerator: choose one (-accel), give it a machine, wire
 * interrupts, start, pause, resume, stop. A back end (accel/X) implements accel-impl.h; nobody
 * outside accel/ includes anything else from there.
 */
#pragma once

#include <glib-object.h>
#include <stdbool.h>
#include <stdint.h>

#include "accel/ioreq.h"
#include "memory/memory.h"

#define TYPE_ACCEL accel_get_type()
G_DECLARE_DERIVABLE_TYPE(Accel, accel, HUMPY, ACCEL, GObject)

/* What an accelerator can do: the core asks, one message says no. */
typedef enum {
    ACCEL_CAP_IRQCHIP = 1 << 0,        /* GIC and timer are the hypervisor's; else the machine's */
    ACCEL_CAP_RESET_IN_PLACE = 1 << 1, /* reset without a new process or VM */
    ACCEL_CAP_MIGRATION = 1 << 2,
    ACCEL_CAP_GDB = 1 << 3,
    ACCEL_CAP_REGISTERS = 1 << 4, /* vCPU registers can be read and written */
    ACCEL_CAP_LATE_RAM = 1 << 5,  /* RAM may come and go after start */
    ACCEL_CAP_ROM_SLOTS = 1 << 6, /* read-only memory is mapped, not trapped */
    ACCEL_CAP_MSI = 1 << 7,       /* can deliver MSIs (ITS, v2m, APIC) */
    ACCEL_CAP_HOTPLUG_VCPU = 1 << 8,
    ACCEL_CAP_PMU = 1 << 9,
    ACCEL_CAP_VCPUS = 1 << 10, /* has vCPUs at all (qtest and xen have none) */
    ACCEL_CAP_EL2 = 1 << 11,
    ACCEL_CAP_HIGH_MMIO = 1 << 12,    /* accesses to devices above RAM reach user space */
    ACCEL_CAP_MANUAL_CLOCK = 1 << 13, /* virtual time stands still unless told to move */
    ACCEL_CAP_MEMORY_NODES = 1 << 14, /* the guest sees the memory nodes that the machine wrote */
    ACCEL_CAP_PIT = 1 << 15,          /* x86, with IRQCHIP: has a 8254 and its gate at port 0x61 */
    ACCEL_CAP_PAUSE = 1 << 16,        /* a running guest can be paused and go on as it was */
    ACCEL_CAP_PROTECT = 1 << 17,      /* RAM can be lent to the guest, away from the host */
} AccelCap;

uint64_t accel_caps(Accel *accel); /* once opened: as its properties leave them */
const char *accel_name(Accel *accel);
/* TRUE if accel has cap; else *error: "<what> is not supported by accelerator '<name>': <why>". */
bool accel_require(Accel *accel, AccelCap cap, const char *what, GError **error);

/* ---- choosing ---- */
/* "gunyah,host=model" as typed after -accel. FALSE for an unknown property; an unknown name is
 * accel_create()'s matter, for another -accel may make up for it. */
bool accel_option_check(const char *text, GError **error);
/* Tries each text in turn; the first whose device opens wins. An unknown name among several is
 * passed over with a message. Returns a new reference. NULL: *error holds the last failure (all
 * failures if there were several). [main] */
Accel *accel_create(const char *const *texts, GError **error);
/* What a machine without CPUs gets when no -accel was given: runs nothing, needs nothing of the
 * host, is never set up. New reference. */
Accel *accel_new_none(void);
/* Text of -accel help: a line per accelerator. Free with g_free(). */
char *accel_help(void);
/* Text of -accel NAME,help, or NULL with *error. */
char *accel_type_help(const char *name, GError **error);

/* ---- protected guests: RAM is lent, but for a window that devices and host share with them ----
 */
typedef enum {
    ACCEL_PROTECT_OFF,
    ACCEL_PROTECT_ON,
    ACCEL_PROTECT_AUTO, /* if this host starts no VM otherwise */
} AccelProtect;
/* How a guest's kernel is made to keep what devices touch inside the window. */
typedef enum {
    ACCEL_WINDOW_AUTO, /* by what the kernel can do */
    ACCEL_WINDOW_POOL, /* restricted-dma-pool, at the end of RAM */
    ACCEL_WINDOW_ZONE, /* the lowest RAM, all that the buses reach (dma-ranges) */
} AccelWindow;
typedef struct {
    AccelProtect mode;
    AccelWindow window;
    uint64_t window_size;   /* bytes; 0: not said */
    uint64_t firmware_size; /* RAM of its own for a firmware that the hypervisor brings; 0: none */
    bool all_lent;          /* whatever mode: there is no window, and no device reaches memory */
    bool signed_image; /* what -kernel names is authenticated: it is at the first byte, as it is */
} AccelProtection;
extern const char *const accel_window_names[]; /* for properties */
/* What accel's own properties ask for. After it is opened. [main] */
void accel_protection(Accel *accel, AccelProtection *wanted);
/* After an accel_start() that failed: it would be worth starting again with a protected guest,
 * whose RAM and device tree are to be written anew. [main] */
bool accel_wants_protection(Accel *accel);

/* ---- building the VM ---- */
typedef struct {
    AddressSpace *memory; /* guest physical memory; borrowed until accel_teardown() */
    AddressSpace *io;     /* ports, or NULL */
    /* Root of memory, where a hypervisor that has the guest's memory itself (Xen) shows it below
     * all else, from setup to teardown; NULL: devices do without it. */
    MemoryRegion *system;
    unsigned n_vcpus;
    const char *vm_name;
    /* Serves PCI_CONFIG requests, where the hypervisor makes them (ACRN, Xen); NULL: nothing is
     * there. pci_opaque is borrowed until accel_teardown(). [any] */
    IoReqPciConfigFn pci_config;
    void *pci_opaque;
    /* The window of a guest that is protected, or may become so: whole pages of RAM. Size 0: it is
     * never protected. */
    uint64_t window_base, window_size;
    uint64_t firmware_base, firmware_size; /* where that firmware goes; size 0: there is none */
    /* Arm, for an accelerator with ACCEL_CAP_IRQCHIP: where the machine wants its GICv3. */
    uint64_t gicd_base, gicr_base;
} AccelMachineInfo;

/* Makes the VM and starts following info->memory with a MemoryListener. [main] */
bool accel_setup(Accel *accel, const AccelMachineInfo *info, GError **error);

typedef enum { ACCEL_IRQ_EDGE, ACCEL_IRQ_LEVEL } AccelIrqMode;
/* Declares that GSI (Arm: SPI number) is wired. Before start. [main] */
bool accel_irq_connect(Accel *accel, unsigned gsi, AccelIrqMode mode, GError **error);
/* Drives a connected line. For EDGE a 0 to 1 change is one interrupt. [any] */
void accel_irq_set(Accel *accel, unsigned gsi, bool level);
/* A message that a device has written to the interrupt controller's address; needs ACCEL_CAP_MSI.
 * What the hypervisor refuses is dropped and counted. [any] */
void accel_msi(Accel *accel, uint64_t addr, uint32_t data);

/* The pin (0: INTA) of a PCI device, where the hypervisor has the wires behind it (Xen); elsewhere
 * nothing is there. [any] */
void accel_pci_irq(Accel *accel, uint16_t segment, uint8_t bus, uint8_t dev, unsigned pin,
                   bool level);
/* A device or the user has ended the guest: whoever keeps it (a toolstack) is told, where that is
 * not us. [main] */
void accel_guest_over(Accel *accel, bool reset);

/* Whether the hypervisor is told of pages that devices write, where it cannot see that by itself
 * (Xen). FALSE: there is nobody to tell. [main] */
bool accel_set_dirty_log(Accel *accel, bool on);

/* PCI_CONFIG requests of this function are for info->pci_config from now on, where the hypervisor
 * asks function by function (Xen). After setup; nothing takes it back but teardown. [main] */
bool accel_pci_function(Accel *accel, uint16_t segment, uint8_t bus, uint8_t devfn, GError **error);

/* (optional in the back end) Adds what the hypervisor wants to the machine's device tree, and says
 * how large the memory range given as DTB must at least be. fdt is an opened tree with room
 * (fdt_open_into); the GIC node's path and the RAM region that holds kernel and DTB are given. */
typedef struct {
    const char *gic_path;
    uint64_t image_base; /* start of the RAM region that holds kernel and DTB */
    uint64_t image_size;
    bool protect; /* as AccelBootInfo will say */
} AccelFdtInfo;
bool accel_fdt_fixup(Accel *accel, void *fdt, const AccelFdtInfo *info, GError **error);
uint64_t accel_dtb_room(Accel *accel, uint64_t dtb_size);

/* x86: how the boot vCPU starts, by the Intel SDM's names; the others wait for INIT and SIPI.
 * Segments' attributes are as in a VMCS (bits 0-7 and 12-15 of the descriptor's second word,
 * shifted right by 8). What is not said is as after power-on. */
typedef struct {
    uint16_t selector;
    uint32_t attributes, limit;
    uint64_t base;
} AccelX86Segment;

typedef struct {
    uint64_t rip, rax, rbx, rsi;
    uint64_t cr0;
    uint64_t gdt_base;
    uint16_t gdt_limit;
    AccelX86Segment cs, data; /* data: DS, ES, SS, and FS, GS */
    AccelX86Segment tr;       /* limit 0: none */
} AccelX86State;

typedef struct {
    uint64_t entry;           /* PC of the boot vCPU */
    uint64_t dtb_gpa;         /* X0 */
    uint64_t dtb_room;        /* bytes reserved there */
    uint64_t ram_base;        /* first byte of the region that holds kernel and DTB */
    bool protect;             /* lend all RAM but the window, and what the tree says is for that */
    const AccelX86State *x86; /* x86: instead of all above; borrowed for the call */
} AccelBootInfo;
/* Where the accelerator can only start at a fixed place (Gunyah without SET_BOOT_CONTEXT: the first
 * byte of the RAM region that holds the DTB), sets *entry and returns TRUE. */
bool accel_fixed_entry(Accel *accel, uint64_t region_base, uint64_t *entry);

/* Regions, functions, DTB, START; then the vCPU threads run (or wait if paused). Called again on
 * one that has started and is paused, which needs ACCEL_CAP_RESET_IN_PLACE: all vCPUs and the
 * hypervisor's devices are as after power-on, memory keeps what is in it, and the guest starts
 * anew with accel_resume(). [main] */
bool accel_start(Accel *accel, const AccelBootInfo *boot, GError **error);
/* Before accel_start(): this program has had a VM that has just ended, which the hypervisor may
 * still be taking down; the start waits for that, within bounds. [main] */
void accel_set_relaunch(Accel *accel);
bool accel_is_relaunch(Accel *accel);
/* Makes an accel_start() that waits give up, now and from now on. [any] */
void accel_cancel_wait(void);

/* ---- running ---- */
void accel_pause(Accel *accel);  /* [main] returns when every vCPU has left the guest */
void accel_resume(Accel *accel); /* [main] */
/* Stops threads and gives everything back in the hypervisor's order, but for the node: devices that
 * are still at work may drive lines and send messages, to no effect, until the last reference goes.
 * Idempotent. [main] */
void accel_teardown(Accel *accel);

typedef enum {
    ACCEL_EVENT_SHUTDOWN, /* guest powered itself off */
    ACCEL_EVENT_RESET,    /* guest asked for reset */
    ACCEL_EVENT_WATCHDOG,
    ACCEL_EVENT_CRASH,      /* the guest's fault: message says which */
    ACCEL_EVENT_HYPERVISOR, /* the hypervisor's: error, unknown exit, a page it cannot give */
    ACCEL_EVENT_LOAD_FAILED,
    ACCEL_EVENT_STOPPED, /* force-stopped from outside */
} AccelEvent;
typedef void (*AccelEventFn)(void *opaque, AccelEvent event, const char *message);
/* fn is called once at most per VM life, in any thread; message is borrowed, may be NULL. */
void accel_set_event_handler(Accel *accel, AccelEventFn fn, void *opaque);

/* Interrupt lines connected, and changes of their levels, since setup. [any] */
unsigned accel_irq_lines(Accel *accel);
uint64_t accel_irq_changes(Accel *accel);
uint64_t accel_msis(Accel *accel); /* messages, since setup */

/* Between setup and teardown, else 0. [any] */
unsigned accel_n_vcpus(Accel *accel);
/* The kernel's number of a vCPU's thread; 0: there is none. [main] */
int accel_vcpu_tid(Accel *accel, unsigned index);
/* Per-vCPU exit counters, for statistics. */
const IoReqStats *accel_vcpu_stats(Accel *accel, unsigned index);
