/* SPDX-License-Identifier: GPL-2.0-or-later
 * Output, verdicts, exceptions, further CPUs and the GIC for payloads. Page tables are in
 * mmu-lib.c.
 */
#include "lib.h"

Cpu cpus[MAX_CPUS];
char stacks[MAX_CPUS << STACK_SHIFT] __attribute__((aligned(16)));

_Static_assert(sizeof(Frame) == FRAME_SIZE, "start.S");
_Static_assert(sizeof(Cpu) == CPU_SIZE, "start.S");

/* The compiler may call these two even here. */
void *memset(void *to, int value, u64 n)
{
    for (volatile u8 *p = to; n-- != 0; p++) {
        *p = value;
    }
    return to;
}

void *memcpy(void *restrict to, const void *restrict from, u64 n)
{
    volatile u8 *p = to;

    for (const u8 *q = from; n-- != 0; p++, q++) {
        *p = *q;
    }
    return to;
}

static bool rule_failed, rule_skipped;

void put_char(char c)
{
    write32(PORT_PUTCHAR, (u8)c);
}

void put_text(const char *text)
{
    for (; *text != 0; text++) {
        put_char(*text);
    }
}

void put_hex(u64 value)
{
    put_text("0x");
    for (int shift = 60; shift >= 0; shift -= 4) {
        put_char("0123456789abcdef"[value >> shift & 15]);
    }
}

static void put_number(unsigned n)
{
    if (n >= 10) {
        put_number(n / 10);
    }
    put_char('0' + n % 10);
}

static void leave(Frame *frame)
{
    psci(PSCI_SYSTEM_OFF, 0, 0, 0);
}

/* Where there is no exit port the store aborts, and leave() turns the machine off. */
_Noreturn void finish(u64 status)
{
    this_cpu()->on_sync = leave;
    write32(PORT_EXIT, status);
    psci(PSCI_SYSTEM_OFF, 0, 0, 0);
    for (;;) {
    }
}

bool have_ports(void)
{
    return read32(PORT_PUTCHAR + 0xfe0) == 0; /* the UART has an ID register there */
}

bool is_kvm(void)
{
    return have_ports() && read32(PORT_ENGINE) != 0;
}

bool is_kvm_on_qemu(void)
{
    return have_ports() && read32(PORT_ENGINE) == 2;
}

void skip(const char *why)
{
    rule_skipped = true;
    put_text("# ");
    put_text(why);
    put_char('\n');
}

void check_true(bool ok, const char *text, int line)
{
    if (ok) {
        return;
    }
    rule_failed = true;
    put_text("# line ");
    put_number(line);
    put_text(": not ");
    put_text(text);
    put_char('\n');
}

void check_equal(u64 is, u64 should, const char *text, int line)
{
    check_true(is == should, text, line);
    if (is != should) {
        put_text("#   is ");
        put_hex(is);
        put_text(", should be ");
        put_hex(should);
        put_char('\n');
    }
}

void run_rules(const Rule *rules, unsigned n)
{
    unsigned failed = 0;

    put_text("1..");
    put_number(n);
    put_char('\n');
    for (unsigned i = 0; i < n; i++) {
        rule_failed = false;
        rule_skipped = false;
        rules[i].run();
        failed += rule_failed;
        put_text(rule_failed ? "not ok " : "ok ");
        put_number(i + 1);
        put_text(" - ");
        put_text(rules[i].name);
        put_text(rule_skipped ? " # SKIP needs the ports of payload-run\n" : "\n");
    }
    finish(failed != 0);
}

static void unexpected(const Frame *frame, u64 vector)
{
    put_text("Bail out! unexpected exception, vector ");
    put_number(vector);
    put_text(" cpu ");
    put_number(this_cpu()->number);
    put_text(" esr ");
    put_hex(frame->esr);
    put_text(" elr ");
    put_hex(frame->elr);
    put_text(" far ");
    put_hex(frame->far);
    put_text(" spsr ");
    put_hex(frame->spsr);
    put_char('\n');
    finish(2);
}

void exception(Frame *frame, u64 vector)
{
    Cpu *cpu = this_cpu();
    void (*handler)(Frame *) = vector % 4 == 1 ? cpu->on_irq : vector % 4 == 2 ? cpu->on_fiq : 0;

    if (vector % 4 != 0) {
        if (handler == 0) {
            unexpected(frame, vector);
        }
        cpu->irqs++;
        handler(frame);
        return;
    }
    if (cpu->on_sync != 0 && vector < 8) {
        cpu->on_sync(frame);
        return;
    }
    cpu->traps++;
    cpu->vector = vector;
    cpu->esr = frame->esr;
    cpu->far = frame->far;
    cpu->elr = frame->elr;
    cpu->spsr = frame->spsr;
    if (vector >= 8) {
        el0_leave(frame->x[0]);
    }
    if (cpu->resume != 0) {
        frame->elr = cpu->resume;
        frame->spsr = (frame->spsr & ~UINT64_C(0x10001f)) | 5; /* EL1h, not illegal */
    } else if (cpu->expect != 0) {
        cpu->expect--;
        if (ESR_EC(frame->esr) != EC_SVC) {
            frame->elr += 4;
        }
    } else {
        unexpected(frame, vector);
    }
}

static bool trapped_since(u64 traps)
{
    Cpu *cpu = this_cpu();

    cpu->expect = 0;
    return cpu->traps != traps;
}

bool read_traps(u64 va)
{
    u64 traps = this_cpu()->traps;

    this_cpu()->expect = 1;
    read64(va);
    return trapped_since(traps);
}

bool write_traps(u64 va)
{
    u64 traps = this_cpu()->traps;

    this_cpu()->expect = 1;
    write64(va, 0x5a5a5a5a5a5a5a5a);
    return trapped_since(traps);
}

bool exec_traps(u64 va)
{
    u64 traps = this_cpu()->traps;

    guarded_call(va, 0);
    return trapped_since(traps);
}

int64_t psci(u64 function, u64 a, u64 b, u64 c)
{
    register u64 x0 asm("x0") = function;
    register u64 x1 asm("x1") = a;
    register u64 x2 asm("x2") = b;
    register u64 x3 asm("x3") = c;

    asm volatile("hvc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)::"memory");
    return function >> 30 & 1 ? (int64_t)x0 : (int32_t)x0;
}

extern char secondary_start[];

void start_cpu(unsigned number, void (*entry)(u64 arg), u64 arg)
{
    cpus[number] = (Cpu){ .entry = entry, .arg = arg };
    cpus[number].number = number;
    dsb();
    check_eq(psci(PSCI_CPU_ON, number, (u64)secondary_start, number), PSCI_SUCCESS);
}

void secondary_main(void)
{
    Cpu *cpu = this_cpu();

    mmu_on();
    cpu->entry(cpu->arg);
    __atomic_store_n(&cpu->done, 1, __ATOMIC_RELEASE);
    psci(PSCI_CPU_OFF, 0, 0, 0);
}

void join_cpu(unsigned number)
{
    while (!__atomic_load_n(&cpus[number].done, __ATOMIC_ACQUIRE)) {
        asm volatile("yield");
    }
    while (psci(PSCI_AFFINITY_INFO, number, 0, 0) != 1) {
        asm volatile("yield");
    }
}

void gic_init_cpu(void)
{
    u64 rd = GICR + this_cpu()->number * 0x20000;

    write32(GICD, 0x13); /* ARE, both groups */
    write32(rd + 0x14, 0);
    while (read32(rd + 0x14) & 4) {
    }
    write32(rd + 0x10080, 0xffffffff); /* all in group 1 */
    write32(rd + 0x10280, 0xffff);     /* no SGI left from before */
    write_sysreg(ICC_SRE, 7);
    write_sysreg(ICC_PMR, 0xff);
    write_sysreg(ICC_BPR1, 0);
    write_sysreg(ICC_CTLR, 0);
    write_sysreg(ICC_IGRPEN1, 1);
}

void gic_enable(unsigned intid, u8 priority)
{
    u64 frame = intid < 32 ? GICR + this_cpu()->number * 0x20000 + 0x10000 : GICD;
    u64 bit = 1u << intid % 32;

    asm volatile("strb %w0, [%1]" ::"r"(priority), "r"(frame + 0x400 + intid) : "memory");
    if (intid >= 32) {
        write32(frame + 0x80 + intid / 32 * 4, read32(frame + 0x80 + intid / 32 * 4) | bit);
        write64(frame + 0x6000 + intid * 8, this_cpu()->number);
    }
    write32(frame + 0x100 + intid / 32 * 4, bit);
}

void gic_disable(unsigned intid)
{
    u64 frame = intid < 32 ? GICR + this_cpu()->number * 0x20000 + 0x10000 : GICD;

    write32(frame + 0x180 + intid / 32 * 4, 1u << intid % 32);
}
