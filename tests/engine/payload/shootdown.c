/* SPDX-License-Identifier: GPL-2.0-or-later
 * Rules of invalidations that two CPUs tell one another about, where it is hard: the DSB far behind
 * its TLBI, in code that has long been translated, and more requests at once than a CPU that sleeps
 * keeps room for. smp.c has the plain cases.
 */
#include "lib.h"

#define VA(index) (WINDOW + (u64)(index)*4096)

enum { DATA = 60, CODE = 61, OTHERS = 64, N_OTHERS = 40, CHANGES = 4000, NAPS = 8, CALLS = 1000 };

static u64 page_a, page_b;
static volatile u64 round, acked, stop, wrong;

static void skip_fault(Frame *frame)
{
    frame->elr += 4;
}

static void ignore_irq(Frame *frame)
{
    u64 intid = read_sysreg(ICC_IAR1);

    if (intid < 1020) {
        write_sysreg(ICC_EOIR1, intid);
    }
}

static void loop(u64 n)
{
    asm volatile("1: subs %0, %0, #1\n b.ne 1b" : "+r"(n)::"cc", "memory");
}

/* Reads in straight lines, long enough that a change falls into one. Zero must never be seen. */
static void read_on(u64 n)
{
    u64 bad = 0;

    this_cpu()->on_sync = skip_fault; /* between break and make */
    while (!stop) {
        asm volatile("mov x1, #1\n"
                     ".rept 300\n"
                     " ldr x1, [%1]\n"
                     " cmp x1, #0\n"
                     " cinc %0, %0, eq\n"
                     ".endr\n"
                     : "+r"(bad)
                     : "r"(VA(DATA))
                     : "x1", "cc", "memory");
    }
    this_cpu()->on_sync = 0;
    wrong = bad;
}

static void dsb_far_behind_tlbi_waits_for_readers(void)
{
    page_a = take_pages(1);
    page_b = take_pages(1);
    write64(page_a, 'a');
    write64(page_b, 'b');
    set_page(DATA, page_a | PAGE);
    stop = wrong = 0;
    start_cpu(1, read_on, 0);
    for (u64 i = 1; i <= CHANGES; i++) {
        u64 old = i & 1 ? page_a : page_b, new = i & 1 ? page_b : page_a;

        set_page(DATA, 0);
        asm volatile("dsb ishst\n"
                     "tlbi vae1is, %0\n"
                     "mov x9, #40\n"
                     "1: subs x9, x9, #1\n"
                     "b.ne 1b\n"
                     "dsb ish\n"
                     "isb\n" ::"r"(VA(DATA) >> 12)
                     : "x9", "cc", "memory");
        write64(old, 0); /* nobody is to see this */
        loop(200);
        write64(old, 'x');
        set_page(DATA, new | PAGE);
        loop(5000); /* the reader comes back to its straight line */
    }
    stop = 1;
    join_cpu(1);
    check_eq(wrong, 0);
}

static void nap(u64 n)
{
    this_cpu()->on_irq = ignore_irq;
    gic_init_cpu();
    gic_enable(6, 0x80);
    for (u64 i = 0; i <= NAPS; i++) {
        while (round != i) {
            asm volatile("wfi");
            irq_on();
            isb();
            irq_off();
        }
        isb();
        wrong += read64(VA(DATA)) != i;
        for (unsigned k = 0; k < CALLS; k++) {
            u64 value;

            asm volatile("blr %1\n mov %0, x0"
                         : "=r"(value)
                         : "r"(VA(CODE))
                         : "x0", "x30", "memory");
            wrong += value != i;
        }
        acked = i + 1;
    }
}

/* The page's data and the code change in the midst of many other requests: first those of
 * translations, or first those of code. */
static void change_while_asleep(u64 code, u64 i, bool code_first)
{
    u64 new = i & 1 ? page_b : page_a;

    for (unsigned k = 0; k < N_OTHERS && !code_first; k++) {
        asm volatile("tlbi vae1is, %0" ::"r"(VA(OTHERS + k) >> 12) : "memory");
    }
    write64(new, i);
    write32(code, 0xd2800000 | (u32)i << 5); /* movz x0, #i */
    for (unsigned k = 0; k < N_OTHERS && code_first; k++) {
        asm volatile("ic ivau, %0" ::"r"(VA(OTHERS + k)) : "memory");
    }
    sync_code(VA(CODE), 8);
    set_page(DATA, 0);
    asm volatile("dsb ishst\n tlbi vae1is, %0\n dsb ish\n isb" ::"r"(VA(DATA) >> 12) : "memory");
    set_page(DATA, new | PAGE);
    dsb();
}

static void many_requests_reach_a_sleeping_cpu(void)
{
    u64 code = take_pages(1), others = take_pages(N_OTHERS);

    page_a = take_pages(1);
    page_b = take_pages(1);
    write64(page_a, 0);
    write32(code, 0xd2800000); /* movz x0, #0 */
    write32(code + 4, 0xd65f03c0);
    sync_code(code, 8);
    set_page(DATA, page_a | PAGE);
    set_page(CODE, code | PAGE);
    for (unsigned k = 0; k < N_OTHERS; k++) {
        set_page(OTHERS + k, (others + k * 4096) | PAGE);
    }
    round = acked = wrong = 0;
    start_cpu(1, nap, 0);
    for (u64 i = 1; i <= NAPS; i++) {
        while (acked != i) {
            asm volatile("yield");
        }
        for (unsigned k = 0; k < 50000; k++) { /* it is falling asleep, most likely */
            asm volatile("nop");
        }
        change_while_asleep(code, i, i & 2);
        round = i;
        dsb();
        write_sysreg(ICC_SGI1R, 6ul << 24 | 2);
    }
    join_cpu(1);
    check_eq(wrong, 0);
}

static const Rule rules[] = {
    RULE("/shootdown/dsb-far-behind-tlbi-waits-for-readers", dsb_far_behind_tlbi_waits_for_readers),
    RULE("/shootdown/many-requests-reach-a-sleeping-cpu", many_requests_reach_a_sleeping_cpu),
};

void payload_main(void)
{
    mmu_init();
    mmu_on();
    RUN(rules);
}
