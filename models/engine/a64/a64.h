/* SPDX-License-Identifier: GPL-2.0-or-later
 * The state of one VM and of one vCPU of the arm64 engine, and what its files offer one another.
 * C and C++ (shim.cc) read it; nothing outside this folder does.
 *
 * Who touches a vCPU: its own thread, everything. Other threads: only what stands under "shared",
 * atomically or under the lock named there. Lock order: map_lock, then inval_lock of one vCPU;
 * sync_lock, timer_lock and the GIC's own lock are leaves.
 */
#pragma once

#include "intc/gicv3.h"
#include "models/engine.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LIKELY(x)   __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

#define PAGE_OFFSET UINT64_C(0xfff)
#define PAGE_OF(va) ((va) & ~PAGE_OFFSET)

enum {
    A64_MAX_VCPUS = 8,
    A64_PA_BITS = 40,
    TLB_ENTRIES = 2048,
    INVAL_QUEUE = 32,
};

/* PSTATE and SPSR bits (DDI 0487, C5.2.19). */
#define PSTATE_F    UINT64_C(0x40)
#define PSTATE_I    UINT64_C(0x80)
#define PSTATE_DAIF UINT64_C(0x3c0)
#define PSTATE_IL   UINT64_C(0x100000)
#define PSTATE_NZCV UINT64_C(0xf0000000)

/* How a register is named in MRS and MSR: bits 20 to 5 of the instruction. */
#define SYSREG(op0, op1, crn, crm, op2)                                                            \
    ((uint32_t)(op0) << 14 | (uint32_t)(op1) << 11 | (uint32_t)(crn) << 7 | (uint32_t)(crm) << 3 | \
     (uint32_t)(op2))

typedef struct A64Vm A64Vm;
typedef struct A64Vcpu A64Vcpu;
typedef struct A64Jit A64Jit;

/* One page of one view (what EL0 or what EL1 may do). A tag is the page's VA if that access needs
 * no further question, else TLB_NONE, which no page-aligned address equals. */
typedef struct {
    uint64_t read, write, exec;
    uint64_t addend; /* host address minus VA */
} TlbEntry;

#define TLB_NONE UINT64_C(1)

/* Guest modes, each with its own translations: what an instruction means depends on it. */
typedef enum { MODE_EL0, MODE_EL1H, MODE_EL1T, N_MODES } A64Mode;

typedef enum {
    FAULT_NONE,
    FAULT_ABORT,  /* data abort with fsc */
    FAULT_DEVICE, /* allowed by stage 1, but there is no RAM at gpa */
} FaultKind;

typedef struct {
    FaultKind kind;
    uint8_t fsc; /* ISS.DFSC */
    bool write;
    bool cache_op; /* ISS.CM */
    uint64_t va;
    uint64_t gpa;
} A64Fault;

/* Why the guest cannot go on by itself. Set inside instructions, answered in the run loop. */
typedef enum {
    STOP_NONE,
    STOP_WFI,
    STOP_CPU_OFF,
    STOP_SYSTEM_OFF,
    STOP_SYSTEM_RESET,
    STOP_SYSTEM_RESET2,
    STOP_ERROR,
} A64Stop;

/* Bits of A64Vcpu.events. */
enum {
    EVENT_INTERRUPT = 1, /* an interrupt line went up */
    EVENT_INVALIDATE = 2,
    EVENT_TICK = 4, /* ask interrupted(), look at the timers */
    EVENT_KICK = 8,
    EVENT_POWER = 16,
};

/* What a TLBI or IC instruction asks of every vCPU. */
typedef enum {
    INVAL_ALL,       /* every translation */
    INVAL_ASID,      /* arg: the ASID */
    INVAL_VA,        /* arg: the page's VA */
    INVAL_CODE_ALL,  /* every decoded instruction */
    INVAL_CODE_PAGE, /* arg: the page's PA */
    INVAL_STAGE2,    /* the RAM map changed: all of the above */
} InvalKind;

typedef struct {
    InvalKind kind;
    uint64_t arg;
} Inval;

typedef struct {
    uint64_t sctlr, ttbr[2], tcr, mair, vbar, cpacr, contextidr;
    uint64_t esr, far, afsr[2], elr, spsr, par;
    uint64_t tpidr_el1, tpidr_el0, tpidrro_el0;
    uint64_t cntkctl, csselr, mdscr, amair;
    uint64_t cnt_ctl[2], cnt_cval[2]; /* [0] virtual, [1] physical */
} A64Sysregs;

/* A JIT in the making (warmup.c). */
typedef struct {
    A64Vcpu *v;
    A64Mode mode;
    bool begun, has_thread;
    pthread_t thread;
    A64Jit *jit; /* valid once done */
    bool done;   /* atomic */
} A64Warmup;

struct A64Vcpu {
    /* General state; while a JIT runs, its own copy holds x, sp, pc and nzcv. */
    uint64_t x[32]; /* x[31] stays zero: XZR for the interpreter */
    uint64_t sp, pc;
    uint64_t sp_bank[2]; /* SP_EL0, SP_EL1; stale for the one in use */
    uint32_t nzcv;
    uint32_t daif; /* as in PSTATE, bits 9 to 6 */
    uint8_t el, spsel;
    A64Sysregs sys;
    uint64_t v[64]; /* V0 to V31, low half first; valid while vec_owner is NULL */
    uint32_t fpcr, fpsr;

    /* Local monitor of LDXR and STXR executed by the interpreter. */
    uint64_t excl_va, excl_value[2];
    uint8_t excl_size; /* 0: open */

    TlbEntry tlb[2][TLB_ENTRIES]; /* [0] EL0's view, [1] EL1's */
    uint8_t tlb_blocks[256];      /* by hash of va >> 21: filled from a block of up to 2 MiB */
    bool tlb_huge;                /* some entry came from a 1 GiB block */
    bool upper_by_asid;           /* the upper range has had pages that belong to an ASID */

    A64Fault fault;
    A64Stop stop;
    const char *error;
    bool state_moved;        /* an instruction emulated inside a JIT callback left the JIT's mode */
    uint8_t monitor_cleared; /* by mode: an ERET has not reached that JIT's local monitor yet */
    /* EL0 blocks to interpret rather than give up translations that the address space lacks now
     * but may be about to map again; while it applies, quarantined is set. */
    unsigned quarantine;
    bool quarantined;
    bool unsynced; /* TLBI or IC broadcast that nothing has completed yet */
    uint64_t inval_tickets[A64_MAX_VCPUS];

    A64Vm *vm;
    unsigned index;
    A64Jit *jit[N_MODES]; /* those that are ready */
    A64Warmup warmup[N_MODES];
    A64Jit *vec_owner; /* the JIT whose copy of the vector state is current; NULL: v, fpcr, fpsr */

    /* The MMIO exit being answered by the caller. */
    struct {
        bool pending;
        uint8_t reg, size;
        bool sign, wide, is_write;
    } mmio;

    /* shared: atomic */
    uint32_t events;
    uint32_t in_guest; /* may be using translations */
    uint32_t sleeping; /* wants wake_fd written */
    uint32_t irq_line, fiq_line;
    uint32_t power;      /* PowerState */
    A64Jit *running_jit; /* may be halted by others; freed only after the vCPU's last run */
    uint64_t deadline;   /* CLOCK_MONOTONIC ns of the next timer, UINT64_MAX: none */
    int wake_fd;

    /* shared: inval_lock, counters also read atomically */
    pthread_mutex_t inval_lock;
    Inval inval[INVAL_QUEUE];
    unsigned inval_n;
    uint8_t inval_overflow; /* by InvalKind: those that found no room */
    uint64_t inval_posted, inval_done;

    /* shared: vm->power_lock. What CPU_ON asked for. */
    uint64_t boot_pc, boot_x0;
};

typedef enum { POWER_OFF, POWER_ON_PENDING, POWER_ON } PowerState;

typedef struct {
    uint64_t gpa, size;
    uint8_t *host;
    unsigned flags;
    uint8_t *has_code; /* one byte per page: some vCPU has translated instructions of it */
} A64Region;

typedef struct {
    unsigned n;
    A64Region r[];
} A64Map;

struct A64Vm {
    EngineVmConfig config;
    A64Vcpu *vcpu[A64_MAX_VCPUS];
    Gicv3 *gic;

    pthread_mutex_t map_lock; /* writers of map */
    A64Map *map;              /* sorted by gpa; replaced whole, atomically */

    uint16_t *heat; /* how often a block was interpreted, by hash of its address */

    pthread_mutex_t sync_lock; /* waiting for other vCPUs to acknowledge invalidations */
    pthread_cond_t sync_cond;
    uint32_t sync_waiters; /* atomic */

    pthread_mutex_t power_lock;

    pthread_mutex_t timer_lock;
    pthread_cond_t timer_cond;
    pthread_t timer_thread;
    uint64_t timer_wake; /* when the thread will look again; under timer_lock */
    bool timer_stop, timer_started;
    uint32_t timer_idle; /* atomic: the thread sleeps until somebody enters the guest */
};

/* ---- atomics usable from C and C++ ---- */

#define LOAD_RELAXED(p)     __atomic_load_n(p, __ATOMIC_RELAXED)
#define LOAD_ACQUIRE(p)     __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define LOAD_SEQ(p)         __atomic_load_n(p, __ATOMIC_SEQ_CST)
#define STORE_RELAXED(p, x) __atomic_store_n(p, x, __ATOMIC_RELAXED)
#define STORE_RELEASE(p, x) __atomic_store_n(p, x, __ATOMIC_RELEASE)
#define STORE_SEQ(p, x)     __atomic_store_n(p, x, __ATOMIC_SEQ_CST)
#define EXCHANGE(p, x)      __atomic_exchange_n(p, x, __ATOMIC_SEQ_CST)

static inline A64Mode a64_mode(const A64Vcpu *v)
{
    return v->el == 0 ? MODE_EL0 : v->spsel ? MODE_EL1H : MODE_EL1T;
}

/* ---- mmu.c: stage 1, and the RAM map below it ---- */

typedef enum { ACCESS_READ, ACCESS_WRITE, ACCESS_EXEC } A64Access;

typedef struct {
    uint64_t gpa;
    uint8_t level; /* of the leaf; 3 with the MMU off */
    bool writable; /* by this view */
    bool device;   /* Device memory: no unaligned access */
    bool by_asid;  /* nG */
    uint8_t attr;  /* MAIR byte */
    uint8_t fsc;   /* on failure: ISS.DFSC or IFSC */
} Translation;

/* Walks stage 1 for an access by view (0: EL0's rights, 1: EL1's). FALSE: t->fsc. */
bool mmu_translate(A64Vcpu *v, uint64_t va, unsigned view, A64Access access, Translation *t);
/* The region holding gpa, or NULL. Valid until the vCPU next leaves the guest. */
const A64Region *map_find(A64Vm *vm, uint64_t gpa);
/* AT S1E0R and its kin: sets PAR_EL1. */
void mmu_address_translate(A64Vcpu *v, uint64_t va, unsigned view, bool write);

/* ---- tlb.c ---- */

void tlb_fill(A64Vcpu *v, uint64_t va, unsigned view, A64Access access, const Translation *t,
              const A64Region *r);
void tlb_flush_all(A64Vcpu *v);
void tlb_flush_low(A64Vcpu *v);
void tlb_flush_page(A64Vcpu *v, uint64_t va);

/* ---- memory.c: what mem.h's fast paths fall back to ---- */

bool mem_load_slow(A64Vcpu *v, unsigned view, uint64_t va, unsigned size, uint64_t *value);
bool mem_store_slow(A64Vcpu *v, unsigned view, uint64_t va, unsigned size, uint64_t value);
/* Host pointer to size bytes at va for an exclusive, or NULL with v->fault. */
void *mem_exclusive(A64Vcpu *v, uint64_t va, unsigned size, A64Access access);
/* Sets the page's exec tag; NULL: instruction abort with *fsc. Returns the page's host address. */
const uint8_t *mem_exec_page(A64Vcpu *v, uint64_t va, uint8_t *fsc);
bool mem_zero_line(A64Vcpu *v, uint64_t va);

/* ---- exception.c ---- */

enum {
    EC_UNKNOWN = 0x00,
    EC_WFX = 0x01,
    EC_FP = 0x07,
    EC_ILLEGAL_STATE = 0x0e,
    EC_SVC = 0x15,
    EC_SYSREG = 0x18,
    EC_IABORT = 0x20, /* +1 from the same EL, as for the data abort */
    EC_PC_ALIGN = 0x22,
    EC_DABORT = 0x24,
    EC_BRK = 0x3c,
};

/* Synchronous exception to EL1 with return address elr. */
void exception_take(A64Vcpu *v, unsigned ec, uint32_t iss, uint64_t elr);
void exception_undefined(A64Vcpu *v, uint64_t elr);
void exception_insn_abort(A64Vcpu *v, uint64_t pc, uint8_t fsc);
/* Takes v->fault, which must be FAULT_ABORT, at v->pc. */
void exception_data_abort(A64Vcpu *v);
/* Takes IRQ or FIQ if one is up and not masked. */
bool exception_interrupt(A64Vcpu *v);
void exception_return(A64Vcpu *v);
void exception_set_mode(A64Vcpu *v, unsigned el, unsigned spsel);

/* ---- sysreg.c, sysop.c: what MRS, MSR and SYS do; FALSE: UNDEFINED ---- */

/* CTR_EL0: 64-byte lines, PIPT instruction cache, IDC (data need not be cleaned to the point of
 * unification: there is only memory) but not DIC: translated code is a cache that IC maintains. */
#define A64_CTR_EL0 (UINT64_C(0x8444c004) | 1 << 28)

bool sysreg_read(A64Vcpu *v, uint32_t reg, uint64_t *value);
bool sysreg_write(A64Vcpu *v, uint32_t reg, uint64_t value);
void sysreg_reset(A64Vcpu *v);
bool sysop_exec(A64Vcpu *v, uint32_t insn, uint64_t value);
/* What decides how instructions are translated in mode, as one number. */
uint32_t sysreg_jit_config(const A64Vcpu *v, A64Mode mode);
/* FP and SIMD are enabled at the current EL (CPACR_EL1.FPEN). */
bool sysreg_fp_enabled(const A64Vcpu *v, unsigned el);

/* ---- inval.c: invalidations and their shoot-down ---- */

void inval_local(A64Vcpu *v, InvalKind kind, uint64_t arg);
/* Also posts it to the other vCPUs; complete only after inval_sync(). */
void inval_broadcast(A64Vcpu *v, InvalKind kind, uint64_t arg);
/* DSB, and before translated code runs, whose DSB is a mere fence: waits until every other vCPU has
 * acted on what this one has posted. */
void inval_sync(A64Vcpu *v);
void inval_process(A64Vcpu *v);
/* From any thread: every vCPU drops everything it knows of the RAM map. */
void inval_stage2(A64Vm *vm);
void inval_enter_guest(A64Vcpu *v);
void inval_leave_guest(A64Vcpu *v);

/* ---- interp.c ---- */

enum { HEAT_BITS = 22, HEAT_BYTES = sizeof(uint16_t) << HEAT_BITS, HEAT_JIT = UINT16_MAX };

/* About a millisecond: short-lived processes end or find their pages within it. */
enum { QUARANTINE_BLOCKS = 16384 };

/* Executes from v->pc until the code is hot, an event, a fault, a stop or an instruction it does
 * not know (whose heat it then sets to HEAT_JIT). FALSE: the first one was such, nothing is done.
 */
bool interp_run(A64Vcpu *v);
bool interp_is_cold(const A64Vcpu *v, uint64_t pc);

/* ---- simd.c ---- */

/* Executes an Advanced SIMD instruction that the JIT lacks on v->v and v->fpsr. FALSE: not one. */
bool simd_exec(A64Vcpu *v, uint32_t insn);

/* ---- timer.c ---- */

uint64_t timer_now_ns(void);
uint64_t timer_count(void);
/* Sets the PPIs by the timers' conditions and v->deadline by the next one to come. */
void timer_update(A64Vcpu *v);
bool timer_condition(const A64Vcpu *v, unsigned t);
/* A vCPU has entered the guest while vm->timer_idle. */
void timer_thread_wake(A64Vm *vm);
bool timer_thread_start(A64Vm *vm, GError **error);
void timer_thread_stop(A64Vm *vm);

enum { TIMER_FREQUENCY = 62500000, TIMER_NS_PER_TICK = 16, TIMER_SLICE_NS = 2000000 };

/* ---- psci.c ---- */

void psci_call(A64Vcpu *v);

/* ---- run.c ---- */

void vcpu_run_loop(EngineVcpu *vcpu, EngineExit *exit, const EngineRunHooks *hooks);
/* [any thread] Sets event bits and makes the vCPU look at them soon; async-signal-safe. */
void vcpu_notify(A64Vcpu *v, uint32_t events);

/* ---- device.c: accesses outside RAM ---- */

/* v->fault is FAULT_DEVICE at v->pc. TRUE: *exit is to be answered outside; FALSE: done here. */
bool device_access(A64Vcpu *v, EngineExit *exit);
void device_complete(A64Vcpu *v, uint64_t data);
/* The pending access ends in an external abort instead. */
void device_abort(A64Vcpu *v);

/* ---- warmup.c ---- */

/* Whether the mode's JIT can be used now. */
bool warmup_ready(A64Vcpu *v, A64Mode mode);
void warmup_begin(A64Vcpu *v, A64Mode mode);
/* NULL: no memory. */
A64Jit *warmup_wait(A64Vcpu *v, A64Mode mode);
/* Ends what is under way and frees all JITs. */
void warmup_cancel(A64Vcpu *v);

/* ---- shim.cc: dynarmic. It is a module of its own that jit-load.c loads when the first JIT is
 * wanted, for libdynarmic brings 20 ms and 40 MiB of other libraries with it. ---- */

/* May run on any thread; uses nothing of v that changes. NULL: no memory, or see jit_load_error. */
A64Jit *jit_new(A64Vcpu *v, A64Mode mode);
/* Why the module could not be loaded, or NULL. */
const char *jit_load_error(void);
void jit_free(A64Jit *j);
void jit_run(A64Jit *j);
/* One instruction, whatever its heat, touching no other translation. */
void jit_step(A64Jit *j);
void jit_halt(A64Jit *j);
/* Brings the vector state home into v. */
void jit_flush_vectors(A64Vcpu *v);
/* The block at pc is hot now: drop the stand-in compiled for it, if there is one. TRUE: was one. */
bool jit_promote(A64Jit *j, uint64_t pc);
void jit_clear(A64Jit *j);
/* Translations of the lower or upper VA range, or of one page, may have changed: what depends on
 * them is checked before the JIT runs again. */
void jit_recheck(A64Jit *j, bool low, bool high);
void jit_recheck_page(A64Jit *j, uint64_t va);
/* Whether every page translated from is mapped executable, and where it was, in the current mode.
 * Only then may the JIT run. */
bool jit_pages_valid(A64Jit *j);
/* Drops what was translated from those that are not. */
void jit_drop_invalid(A64Jit *j);
/* Drops what was translated from the page at gpa. */
void jit_drop_gpa(A64Jit *j, uint64_t gpa);

/* The same functions, as the module exports them under the name a64_jit_ops. */
typedef struct {
    A64Jit *(*new_jit)(A64Vcpu *v, A64Mode mode);
    void (*free_jit)(A64Jit *j);
    void (*run)(A64Jit *j);
    void (*step)(A64Jit *j);
    void (*halt)(A64Jit *j);
    void (*flush_vectors)(A64Vcpu *v);
    bool (*promote)(A64Jit *j, uint64_t pc);
    void (*clear)(A64Jit *j);
    void (*recheck)(A64Jit *j, bool low, bool high);
    void (*recheck_page)(A64Jit *j, uint64_t va);
    bool (*pages_valid)(A64Jit *j);
    void (*drop_invalid)(A64Jit *j);
    void (*drop_gpa)(A64Jit *j, uint64_t gpa);
} A64JitOps;

extern const __attribute__((visibility("default"))) A64JitOps a64_jit_ops;

/* Beside the engine's library, which carries $ORIGIN as its search path. */
#define JIT_MODULE "humpy-a64-jit.so"

/* ops->new_jit, for code that lies where it can call its functions; see reach.c. Any thread. */
A64Jit *reach_new_jit(const A64JitOps *ops, A64Vcpu *v, A64Mode mode);

#ifdef __cplusplus
}
#endif
