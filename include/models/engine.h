/* SPDX-License-Identifier: GPL-2.0-or-later
 * What executes guest code below a model: the hypervisor's own part of the work (CPU, stage-2
 * map, interrupt controller, timer, PSCI). A model (models/gunyah, models/acrn) turns the exits
 * into its kernel interface. Nothing here knows of Gunyah or ACRN.
 *
 * Threads: [main] = whoever builds the VM, one at a time; [vcpu] = the thread that runs that
 * vCPU; [any] = the engine locks. FALSE means *error is set and nothing has changed.
 */
#pragma once

#include <glib.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct EngineVm EngineVm;
typedef struct EngineVcpu EngineVcpu;

enum { ENGINE_MAP_READ = 1, ENGINE_MAP_WRITE = 2, ENGINE_MAP_EXEC = 4 };

typedef struct {
    unsigned n_vcpus;    /* 1 to 8 */
    unsigned n_spis;     /* multiple of 32, up to 960 */
    uint64_t gicd_base;  /* IPA of the GICv3 distributor, 64 KiB */
    uint64_t gicr_base;  /* IPA of the redistributors, 128 KiB per vCPU, contiguous */
    uint64_t mmio_limit; /* accesses below it and outside RAM and GIC exit as MMIO; above it they
                          * are injected into the guest as a synchronous external abort */
} EngineVmConfig;

typedef enum {
    ENGINE_EXIT_MMIO,          /* data access outside RAM; complete it and run again */
    ENGINE_EXIT_PIO,           /* x86: the same on a port; gpa is its number, len 1, 2 or 4 */
    ENGINE_EXIT_INTERRUPTED,   /* the interrupted() hook said so, or engine_vcpu_kick() */
    ENGINE_EXIT_SYSTEM_OFF,    /* PSCI */
    ENGINE_EXIT_SYSTEM_RESET,  /* PSCI */
    ENGINE_EXIT_SYSTEM_RESET2, /* PSCI */
    ENGINE_EXIT_TRIPLE_FAULT,  /* x86: the CPU has shut down */
    ENGINE_EXIT_ERROR,         /* the engine cannot go on; text says why */
} EngineExitKind;

typedef struct {
    EngineExitKind kind;
    uint64_t gpa;  /* MMIO: guest physical address */
    uint64_t data; /* MMIO: little-endian value written; before re-entry the answer of a read */
    uint8_t len;   /* MMIO: 1, 2, 4 or 8 */
    bool is_write;
    bool fault;       /* MMIO, before re-entry: the access aborts instead of completing */
    const char *text; /* ERROR: static or owned by the vCPU */
} EngineExit;

/* x86: registers by the Intel SDM's names. Attributes are as in a VMCS (bits 0-7 and 12-15 of the
 * descriptor's second word, shifted right by 8; bit 16: unusable). */
typedef struct {
    uint16_t selector;
    uint32_t attributes, limit;
    uint64_t base;
} EngineX86Segment;

typedef struct {
    uint64_t gprs[16]; /* rax rcx rdx rbx rsp rbp rsi rdi r8 ... r15 */
    uint64_t rflags, cr0, cr3, cr4, efer;
    uint64_t gdt_base, idt_base;
    uint16_t gdt_limit, idt_limit;
    EngineX86Segment cs, ss, ds, es, fs, gs, ldt, tr;
} EngineX86Regs;

typedef struct {
    /* [vcpu] Called at least every few milliseconds while guest code runs and whenever a sleeper
     * is woken. TRUE makes engine_vcpu_run() return INTERRUPTED at an instruction boundary.
     * (A model of a kernel asks sigpending() here.) */
    bool (*interrupted)(void *opaque);
    void *opaque;
    /* Added with POLLIN to what a vCPU polls while it sleeps in WFI or powered off: once it is
     * readable, interrupted() is called and either says TRUE or has made it unreadable again.
     * -1: none. (A model of a kernel puts a signalfd here, so that no handler runs before it has
     * seen the signal.) Signals stay as the caller masked them. */
    int wake_fd;
    /* NULL, or the signals that are to stay blocked while guest code runs: once another one is
     * pending, interrupted() is called as above. For an engine that cannot look every few
     * milliseconds. */
    const sigset_t *mask;
} EngineRunHooks;

typedef struct {
    const char *name;  /* "a64", "kvm", "script" */
    const char *guest; /* what it executes: "arm64", "x86"; NULL: nothing */

    EngineVm *(*vm_new)(const EngineVmConfig *config, GError **error);
    /* [main] All vCPUs have returned. NULL is fine. */
    void (*vm_free)(EngineVm *vm);

    /* [any] Maps host memory at gpa; page (4 KiB) aligned, no overlap. Borrows host until unmap.
     * unmap waits until no vCPU can touch the range any more. */
    bool (*vm_map)(EngineVm *vm, uint64_t gpa, uint64_t size, void *host, unsigned flags,
                   GError **error);
    bool (*vm_unmap)(EngineVm *vm, uint64_t gpa, uint64_t size, GError **error);

    /* [any] Sets the pending latch of SPI n (INTID n + 32), as a write to GICD_ISPENDR would,
     * whether it is edge or level; cleared when a vCPU acknowledges it. What a doorbell does. */
    void (*vm_pend_spi)(EngineVm *vm, unsigned spi);
    /* x86 (optional pair): [any] level of an I/O APIC input; a message to the local APICs. */
    void (*vm_set_line)(EngineVm *vm, unsigned gsi, bool level);
    void (*vm_msi)(EngineVm *vm, uint64_t addr, uint32_t data);

    /* x86 (optional): [main] All vCPUs have returned. They, the interrupt controllers and the
     * levels of their inputs are as in a new VM, with no vCPU booted; mappings stay. FALSE: the VM
     * is only good to be freed. */
    bool (*vm_reset)(EngineVm *vm, GError **error);

    /* [main] The vCPU exists powered off; boot() powers it on at pc with x0, EL1h, MMU off.
     * x86: vCPU 0 at RIP pc with RSI x0, all else as set or as after power-on; the others wait for
     * INIT and SIPI. */
    EngineVcpu *(*vcpu_new)(EngineVm *vm, unsigned index, GError **error);
    void (*vcpu_free)(EngineVcpu *vcpu);
    void (*vcpu_boot)(EngineVcpu *vcpu, uint64_t pc, uint64_t x0);
    /* [main] Before boot: one general register (0-30), 31 = SP_EL1, 32 = PC. FALSE: no such one. */
    bool (*vcpu_set_reg)(EngineVcpu *vcpu, unsigned reg, uint64_t value);
    /* x86 (optional): [main] before boot, vCPU 0's registers. FALSE: not that vCPU's. What the CPU
     * does not take is an ERROR exit of the first run. */
    bool (*vcpu_set_x86)(EngineVcpu *vcpu, const EngineX86Regs *regs);

    /* [vcpu] Runs until an exit; sleeps (interruptibly, see hooks) in WFI and while powered off.
     * After an MMIO read exit the caller puts the answer into exit->data and calls again with the
     * same exit. After SYSTEM_*, TRIPLE_FAULT or ERROR the VM
     * must not be run again before a reset. */
    void (*vcpu_run)(EngineVcpu *vcpu, EngineExit *exit, const EngineRunHooks *hooks);

    /* [any] Async-signal-safe: makes a present or the next vcpu_run() return INTERRUPTED. */
    void (*vcpu_kick)(EngineVcpu *vcpu);
} EngineOps;

/* The engine called name; NULL with *error (UNSUPPORTED) if this build has none. */
const EngineOps *engine_get(const char *name, GError **error);
/* The best one that executes guests ("arm64", "x86") in this build, or NULL with *error. */
const EngineOps *engine_for(const char *guest, GError **error);
/* Whether this host has what it needs; what it lacks is said when a VM is made. */
bool engine_can_run(const EngineOps *engine);
