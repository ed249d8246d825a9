/* SPDX-License-Identifier: GPL-2.0-or-later
 * What a bare-metal payload of the engine tests stands on: TAP output through the debug port,
 * exceptions, page tables, PSCI and further CPUs. A payload is one file with a table of rules and
 * payload_main(); it runs under payload-run, and, less the tests that need payload-run's ports, on
 * any machine with the same memory map.
 */
#pragma once

#include "offsets.h"

#include <stdbool.h>
#include <stdint.h>

typedef uint64_t u64;
typedef uint32_t u32;
typedef uint8_t u8;

/* The debug ports of payload-run; the first is also where the virt machine has its UART. */
enum {
    PORT_PUTCHAR = 0x09000000,
    PORT_EXIT = 0x09001000,
    PORT_DOORBELL = 0x09002000, /* write n: pend SPI n, INTID n + 32 */
    PORT_SCRATCH = 0x09003000,  /* eight bytes that keep what is written */
    PORT_LAST_LEN = 0x09004000, /* read: size of the last access to SCRATCH */
    PORT_FAULT = 0x09005000,    /* every access aborts */
    PORT_ENGINE = 0x09006000,   /* read: 1 for KVM, 2 for KVM on QEMU's TCG, 0 for others */
    GICD = 0x08000000,
    GICR = 0x080a0000,
    RAM = 0x40000000,
    RAM_SIZE = 0x04000000,
};

/* Fields of ESR_ELx */
#define ESR_EC(esr)  ((esr) >> 26 & 0x3f)
#define ESR_IL       (1u << 25)
#define ESR_ISS(esr) ((esr)&0x1ffffff)
#define ESR_FSC(esr) ((esr)&0x3f)
#define ESR_WNR      (1u << 6)
#define ESR_CM       (1u << 8)

enum {
    EC_UNKNOWN = 0x00,
    EC_WFX = 0x01,
    EC_FP = 0x07,
    EC_ILLEGAL = 0x0e,
    EC_SVC = 0x15,
    EC_SYSREG = 0x18,
    EC_IABORT_EL0 = 0x20,
    EC_IABORT = 0x21,
    EC_PC_ALIGN = 0x22,
    EC_DABORT_EL0 = 0x24,
    EC_DABORT = 0x25,
    EC_SP_ALIGN = 0x26,
    EC_BRK = 0x3c,
    FSC_ADDRESS_SIZE = 0x00, /* + level */
    FSC_TRANSLATION = 0x04,  /* + level */
    FSC_ACCESS_FLAG = 0x08,  /* + level */
    FSC_PERMISSION = 0x0c,   /* + level */
    FSC_EXTERNAL = 0x10,
    FSC_WALK_EXTERNAL = 0x14, /* + level */
    FSC_ALIGNMENT = 0x21,
};

typedef struct {
    u64 x[31];
    u64 sp_el0, elr, spsr, esr, far;
} Frame;

typedef struct Cpu {
    u64 resume, resume_sp, el0_sp; /* offsets.h */
    u64 number;
    u64 expect; /* synchronous exceptions at EL1 to step over */
    u64 traps;  /* synchronous exceptions so far; the last one: */
    u64 vector, esr, far, elr, spsr, nzcv_daif;
    void (*on_sync)(Frame *frame); /* runs for an EL1 exception instead of all that */
    void (*on_irq)(Frame *frame);
    void (*on_fiq)(Frame *frame);
    u64 irqs;
    void (*entry)(u64 arg);
    u64 arg;
    u64 done;
    u64 scratch[4];
    u64 pad[9];
} Cpu;

extern Cpu cpus[MAX_CPUS];
extern char _image[], _end[], vectors[];

u64 guarded_call(u64 pc, u64 arg);
u64 el0_call(u64 pc, u64 sp, u64 arg);
_Noreturn void el0_leave(u64 value);

/* Output and verdicts. check() fails the rule under way and goes on. */
typedef struct {
    const char *name;
    void (*run)(void);
} Rule;

#define RULE(path, function)                                                                       \
    {                                                                                              \
        path, function                                                                             \
    }

void put_char(char c);
void put_text(const char *text);
void put_hex(u64 value);
_Noreturn void finish(u64 status);
void run_rules(const Rule *rules, unsigned n);
#define RUN(rules) run_rules(rules, sizeof(rules) / sizeof((rules)[0]))
void check_true(bool ok, const char *text, int line);
void check_equal(u64 is, u64 should, const char *text, int line);
#define check(e)       check_true((e), #e, __LINE__)
#define check_eq(a, b) check_equal((u64)(a), (u64)(b), #a " == " #b, __LINE__)
/* Ends the rule under way as skipped; return after it. */
void skip(const char *why);
/* FALSE on a machine without payload-run's other ports. */
bool have_ports(void);
/* On KVM some things are less exact than the architecture has them, or the host's own. */
bool is_kvm(void);
/* And that KVM is on QEMU's TCG, which has faults of its own (7.2). */
bool is_kvm_on_qemu(void);

#define TEXT_OF(x)  #x
#define TEXT_OF2(x) TEXT_OF(x)
#define read_sysreg(name)                                                                          \
    ({                                                                                             \
        u64 v_;                                                                                    \
        asm volatile("mrs %0, " TEXT_OF2(name) : "=r"(v_)::"memory");                              \
        v_;                                                                                        \
    })
#define write_sysreg(name, value)                                                                  \
    asm volatile("msr " TEXT_OF2(name) ", %0\n isb" ::"r"((u64)(value)) : "memory")
#define isb() asm volatile("isb" ::: "memory")
#define dsb() asm volatile("dsb sy" ::: "memory")

static inline Cpu *this_cpu(void)
{
    return (Cpu *)read_sysreg(tpidr_el1);
}

static inline void write32(u64 address, u32 value)
{
    asm volatile("str %w0, [%1]" ::"r"(value), "r"(address) : "memory");
}

static inline u32 read32(u64 address)
{
    u32 value;
    asm volatile("ldr %w0, [%1]" : "=r"(value) : "r"(address) : "memory");
    return value;
}

static inline void write64(u64 address, u64 value)
{
    asm volatile("str %0, [%1]" ::"r"(value), "r"(address) : "memory");
}

static inline u64 read64(u64 address)
{
    u64 value;
    asm volatile("ldr %0, [%1]" : "=r"(value) : "r"(address) : "memory");
    return value;
}

/* One access at EL1 that may trap: TRUE if it did, with the details in this_cpu(). */
bool read_traps(u64 va);
bool write_traps(u64 va);
/* Call of va as a function at EL1; TRUE if a trap ended it. */
bool exec_traps(u64 va);

/* Page tables: 4 KiB granule, 39-bit TTBR0 and TTBR1. Identity: the first GiB is device memory, the
 * payload's RAM normal memory for EL1 only. Tests map what they like in WINDOW (2 MiB in pages)
 * and BLOCKS (1 GiB in blocks). EL0 sees the image read-only and executable at EL0_IMAGE, and one
 * page of stack and data at EL0_DATA. */
#define WINDOW    UINT64_C(0x80000000)
#define BLOCKS    UINT64_C(0x100000000)
#define EL0_IMAGE UINT64_C(0xc0000000)
#define EL0_DATA  UINT64_C(0xc0800000)
#define HIGH      UINT64_C(0xffffff8000000000) /* TTBR1: HIGH + n is WINDOW + n */

enum {
    PTE_VALID = 1 << 0,
    PTE_PAGE = 1 << 1, /* page or table, not block */
    PTE_DEVICE = 0 << 2,
    PTE_NORMAL = 1 << 2,
    PTE_EL0 = 1 << 6,
    PTE_RO = 1 << 7,
    PTE_INNER = 3 << 8,
    PTE_AF = 1 << 10,
    PTE_NG = 1 << 11,
};
#define PTE_PXN (UINT64_C(1) << 53)
#define PTE_UXN (UINT64_C(1) << 54)
#define PAGE    (PTE_VALID | PTE_PAGE | PTE_NORMAL | PTE_INNER | PTE_AF)
#define BLOCK   (PAGE & ~PTE_PAGE)

extern u64 table_l1[512], table_window_l2[512], table_window_l3[512], table_blocks_l2[512];
extern u64 table_high_l1[512];

void mmu_init(void); /* builds the tables; first CPU */
void mmu_on(void);
void mmu_off(void);
/* Stores the descriptor of a page of WINDOW, or of a 2 MiB block of BLOCKS; no TLB maintenance. */
void set_page(unsigned index, u64 descriptor);
void set_block(unsigned index, u64 descriptor);
void tlbi_all(void);
/* A fresh, zeroed, page-aligned piece of RAM (never freed). */
u64 take_pages(unsigned n);
u64 take_block(void); /* 2 MiB */
/* Makes instructions at va (words written through any alias) visible to execution. */
void sync_code(u64 va, u64 size);

static inline u64 el0_alias(const void *p)
{
    return (u64)p - (u64)_image + EL0_IMAGE;
}
/* Runs code of this image at EL0 with the stack at the end of EL0_DATA's page. */
u64 run_el0(void (*code)(void), u64 arg);

/* PSCI 1.0 by HVC, and CPUs */
enum {
    PSCI_SUCCESS = 0,
    PSCI_NOT_SUPPORTED = -1,
    PSCI_INVALID_PARAMETERS = -2,
    PSCI_DENIED = -3,
    PSCI_ALREADY_ON = -4,
    PSCI_ON_PENDING = -5,
    PSCI_INVALID_ADDRESS = -9,
};
#define PSCI_VERSION       0x84000000u
#define PSCI_CPU_OFF       0x84000002u
#define PSCI_CPU_ON        0xc4000003u
#define PSCI_AFFINITY_INFO 0xc4000004u
#define PSCI_MIGRATE_TYPE  0x84000006u
#define PSCI_SYSTEM_OFF    0x84000008u
#define PSCI_SYSTEM_RESET  0x84000009u
#define PSCI_FEATURES      0x8400000au

int64_t psci(u64 function, u64 a, u64 b, u64 c);
/* Runs entry(arg) on CPU number with the MMU on; join waits until it is off again. */
void start_cpu(unsigned number, void (*entry)(u64 arg), u64 arg);
void join_cpu(unsigned number);

/* GIC: everything this CPU needs to take group 1 interrupts; then one interrupt. */
#define ICC_PMR     S3_0_C4_C6_0
#define ICC_IAR0    S3_0_C12_C8_0
#define ICC_EOIR0   S3_0_C12_C8_1
#define ICC_DIR     S3_0_C12_C11_1
#define ICC_RPR     S3_0_C12_C11_3
#define ICC_SGI1R   S3_0_C12_C11_5
#define ICC_IAR1    S3_0_C12_C12_0
#define ICC_EOIR1   S3_0_C12_C12_1
#define ICC_HPPIR1  S3_0_C12_C12_2
#define ICC_BPR1    S3_0_C12_C12_3
#define ICC_CTLR    S3_0_C12_C12_4
#define ICC_SRE     S3_0_C12_C12_5
#define ICC_IGRPEN0 S3_0_C12_C12_6
#define ICC_IGRPEN1 S3_0_C12_C12_7

void gic_init_cpu(void);
void gic_enable(unsigned intid, u8 priority);
void gic_disable(unsigned intid);

static inline void irq_on(void)
{
    asm volatile("msr daifclr, #2" ::: "memory");
}

static inline void irq_off(void)
{
    asm volatile("msr daifset, #2" ::: "memory");
}

void *memset(void *to, int value, u64 n);
void *memcpy(void *restrict to, const void *restrict from, u64 n);
void payload_main(void);
void secondary_main(void);
void exception(Frame *frame, u64 vector);
