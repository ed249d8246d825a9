/* SPDX-License-Identifier: GPL-2.0-or-later
 * Rules of interrupts as a guest sees them through the engine: masking, SGIs to self and to others,
 * SPIs by doorbell, priorities, preemption, EOImode 1, FIQ. The GIC's own rules have unit tests.
 */
#include "lib.h"

enum { LOG = 8 };
static volatile unsigned n_taken;
static volatile u64 taken[LOG];

static void note(u64 intid)
{
    taken[n_taken++ % LOG] = intid;
}

static void take_one(Frame *frame)
{
    u64 intid = read_sysreg(ICC_IAR1);

    if (intid < 1020) {
        note(intid);
        write_sysreg(ICC_EOIR1, intid);
    }
}

static void begin(void)
{
    gic_init_cpu();
    n_taken = 0;
    this_cpu()->irqs = 0;
    this_cpu()->on_irq = take_one;
}

static void sgi_self(unsigned intid)
{
    write_sysreg(ICC_SGI1R, (u64)intid << 24 | 1u << this_cpu()->number);
}

static void masked_irq_waits_for_unmasking(void)
{
    begin();
    gic_enable(3, 0x80);
    sgi_self(3);
    check_eq(n_taken, 0);
    check_eq(read_sysreg(isr_el1) >> 7 & 1, 1);
    irq_on();
    isb();
    irq_off();
    check_eq(n_taken, 1);
    check_eq(taken[0], 3);
    check_eq(read_sysreg(isr_el1), 0);
}

static void unmasked_irq_is_taken_at_once(void)
{
    begin();
    gic_enable(3, 0x80);
    irq_on();
    for (unsigned i = 0; i < 500; i++) {
        sgi_self(3);
        check_eq(n_taken, i + 1);
    }
    irq_off();
}

static u64 vector_spsr;

static void note_spsr(Frame *frame)
{
    vector_spsr = frame->spsr;
    take_one(frame);
}

asm(".globl el0_wait\n"
    "el0_wait: subs x0, x0, #1\n b.ne el0_wait\n svc #1\n");
void el0_wait(void);

static void irq_from_el0_uses_its_vector(void)
{
    begin();
    this_cpu()->on_irq = note_spsr;
    gic_enable(3, 0x80);
    sgi_self(3); /* pending while EL1 masks; EL0 does not */
    run_el0(el0_wait, 1000);
    check_eq(n_taken, 1);
    check_eq(vector_spsr & 0x1f, 0);
    check_eq(ESR_EC(this_cpu()->esr), EC_SVC);
}

static void take_fiq(Frame *frame)
{
    u64 intid = read_sysreg(ICC_IAR0);

    note(intid + 1000);
    write_sysreg(ICC_EOIR0, intid);
}

static void group_0_is_fiq(void)
{
    begin();
    this_cpu()->on_fiq = take_fiq;
    write32(GICR + 0x10080, ~(1u << 4));
    write_sysreg(ICC_IGRPEN0, 1);
    gic_enable(4, 0x80);
    asm volatile("msr " TEXT_OF2(S3_0_C12_C11_7) ", %0\n isb" ::"r"(4ul << 24 | 1)); /* SGI0R */
    check_eq(read_sysreg(isr_el1) >> 6 & 3, 1);
    asm volatile("msr daifclr, #1\n isb\n msr daifset, #1" ::: "memory");
    check_eq(n_taken, 1);
    check_eq(taken[0], 1004);
    write_sysreg(ICC_IGRPEN0, 0);
    write32(GICR + 0x10080, 0xffffffff);
}

static void pending_ones_come_by_priority(void)
{
    begin();
    gic_enable(1, 0xa0);
    gic_enable(2, 0x60);
    gic_enable(5, 0x80);
    sgi_self(1);
    sgi_self(2);
    sgi_self(5);
    irq_on();
    isb();
    irq_off();
    check_eq(n_taken, 3);
    check_eq(taken[0], 2);
    check_eq(taken[1], 5);
    check_eq(taken[2], 1);
}

static u64 rpr_inside;

static void take_with_preemption(Frame *frame)
{
    u64 intid = read_sysreg(ICC_IAR1);

    note(intid);
    if (intid == 1) {
        sgi_self(2); /* higher: taken inside */
        sgi_self(5); /* same priority: after */
        irq_on();
        isb();
        irq_off();
        note(100);
    } else if (intid == 2) {
        rpr_inside = read_sysreg(ICC_RPR);
    }
    write_sysreg(ICC_EOIR1, intid);
}

static void take_nesting(Frame *frame)
{
    u64 elr = frame->elr, spsr = frame->spsr;

    take_with_preemption(frame);
    frame->elr = elr;
    frame->spsr = spsr;
}

static void higher_priority_preempts_a_handler(void)
{
    begin();
    this_cpu()->on_irq = take_nesting;
    gic_enable(1, 0xa0);
    gic_enable(2, 0x60);
    gic_enable(5, 0xa0);
    sgi_self(1);
    irq_on();
    isb();
    irq_off();
    check_eq(n_taken, 4);
    check_eq(taken[0], 1);
    check_eq(taken[1], 2);
    check_eq(taken[2], 100);
    check_eq(taken[3], 5);
    check_eq(rpr_inside, 0x60);
}

static void pmr_masks_the_line(void)
{
    begin();
    gic_enable(1, 0xa0);
    write_sysreg(ICC_PMR, 0xa0);
    irq_on();
    sgi_self(1);
    check_eq(n_taken, 0);
    write_sysreg(ICC_PMR, 0xa8);
    isb();
    irq_off();
    check_eq(n_taken, 1);
}

static void take_and_keep_active(Frame *frame)
{
    u64 intid = read_sysreg(ICC_IAR1);

    note(intid);
    write_sysreg(ICC_EOIR1, intid);
}

static void eoimode_1_deactivates_by_dir(void)
{
    begin();
    write_sysreg(ICC_CTLR, 2);
    this_cpu()->on_irq = take_and_keep_active;
    gic_enable(1, 0xa0);
    irq_on();
    sgi_self(1);
    sgi_self(1);
    check_eq(n_taken, 1); /* active: pending again, not delivered */
    write_sysreg(ICC_DIR, 1);
    isb();
    check_eq(n_taken, 2);
    write_sysreg(ICC_DIR, 1);
    irq_off();
    write_sysreg(ICC_CTLR, 0);
}

static void spi_can_be_made_pending_by_register(void)
{
    begin();
    gic_enable(40, 0x80);
    irq_on();
    write32(GICD + 0x200 + 4, 1u << 8);
    isb();
    irq_off();
    check_eq(n_taken, 1);
    check_eq(taken[0], 40);
    gic_disable(40);
}

/* A doorbell may take its time on the way to the GIC; that of a lost one is the test's time limit.
 */
static void wait_taken(unsigned n)
{
    while (n_taken < n) {
        asm volatile("yield");
    }
}

static void doorbell_pends_an_spi_once(void)
{
    if (!have_ports()) {
        skip("no doorbell port");
        return;
    }
    begin();
    gic_enable(32 + 7, 0x80);
    irq_on();
    for (unsigned i = 0; i < 100; i++) {
        write32(PORT_DOORBELL, 7);
        wait_taken(i + 1);
    }
    irq_off();
    check_eq(n_taken, 100);
    check_eq(taken[0], 39);
    check_eq(read32(GICD + 0x200 + 4), 0);
    gic_disable(39);
}

static void take_and_ring_once(Frame *frame)
{
    u64 intid = read_sysreg(ICC_IAR1);

    note(intid);
    if (n_taken == 1) {
        write32(PORT_DOORBELL, 7);
    }
    write_sysreg(ICC_EOIR1, intid);
}

/* Nobody would look again at a device whose doorbell is lost. */
static void doorbell_inside_its_handler_is_not_lost(void)
{
    if (!have_ports()) {
        skip("no doorbell port");
        return;
    }
    for (unsigned i = 0; i < 100; i++) {
        begin();
        this_cpu()->on_irq = take_and_ring_once;
        write32(GICD + 0xc08, i % 2 ? 0x8000 : 0); /* edge, level */
        gic_enable(32 + 7, 0x80);
        irq_on();
        write32(PORT_DOORBELL, 7);
        wait_taken(2);
        irq_off();
        check_eq(taken[1], 39);
        gic_disable(39);
    }
    write32(GICD + 0xc08, 0);
    write32(GICD + 0x280 + 4, 1u << 7); /* ICPENDR: one too many is no harm */
}

static void wfi_ends_with_an_interrupt_that_is_masked(void)
{
    begin();
    gic_enable(3, 0x80);
    sgi_self(3);
    asm volatile("wfi");
    check_eq(n_taken, 0);
    irq_on();
    isb();
    irq_off();
    check_eq(n_taken, 1);
}

static volatile u64 other_ready, other_stop;

static void other_cpu(u64 arg)
{
    this_cpu()->on_irq = take_one;
    gic_init_cpu();
    gic_enable(6, 0x80);
    other_ready = 1;
    if (arg) { /* sleeps for each */
        while (!other_stop) {
            asm volatile("wfi");
            irq_on();
            isb();
            irq_off();
        }
    } else { /* never sleeps */
        irq_on();
        while (!other_stop) {
            asm volatile("nop");
        }
        irq_off();
    }
}

static void sgi_reaches(u64 asleep)
{
    begin();
    other_ready = 0;
    other_stop = 0;
    start_cpu(1, other_cpu, asleep);
    while (!other_ready) {
        asm volatile("yield");
    }
    for (unsigned i = 0; i < 200; i++) {
        write_sysreg(ICC_SGI1R, 6ul << 24 | 2);
        while (n_taken != i + 1) {
            asm volatile("yield");
        }
    }
    other_stop = 1;
    write_sysreg(ICC_SGI1R, UINT64_C(1) << 40 | 6ul << 24);
    join_cpu(1);
    check_eq(this_cpu()->irqs, 0);
    check_eq(taken[1], 6);
}

static void sgi_interrupts_a_busy_cpu(void)
{
    sgi_reaches(0);
}

static void sgi_wakes_a_sleeping_cpu(void)
{
    sgi_reaches(1);
}

static void registers_are_reachable_by_mmio(void)
{
    check_eq(read32(GICD + 0xffe8) >> 4 & 15, 3);
    check_eq(read32(GICR + 0xffe8) >> 4 & 15, 3);
    check_eq(read64(GICR + 8) >> 32, 0);
    check_eq(read64(GICR + 0x20000 + 8) >> 32, 1);
    check_eq(read64(GICR + 0x20000 + 8) >> 4 & 1, 1); /* the last of two */
}

static const Rule rules[] = {
    RULE("/irq/masked-waits-for-unmasking", masked_irq_waits_for_unmasking),
    RULE("/irq/unmasked-is-taken-at-once", unmasked_irq_is_taken_at_once),
    RULE("/irq/from-el0-uses-its-vector", irq_from_el0_uses_its_vector),
    RULE("/irq/group-0-is-fiq", group_0_is_fiq),
    RULE("/irq/pending-ones-come-by-priority", pending_ones_come_by_priority),
    RULE("/irq/higher-priority-preempts-a-handler", higher_priority_preempts_a_handler),
    RULE("/irq/pmr-masks-the-line", pmr_masks_the_line),
    RULE("/irq/eoimode-1-deactivates-by-dir", eoimode_1_deactivates_by_dir),
    RULE("/irq/spi-can-be-made-pending-by-register", spi_can_be_made_pending_by_register),
    RULE("/irq/doorbell-pends-an-spi-once", doorbell_pends_an_spi_once),
    RULE("/irq/doorbell-inside-its-handler-is-not-lost", doorbell_inside_its_handler_is_not_lost),
    RULE("/irq/wfi-ends-with-a-masked-interrupt", wfi_ends_with_an_interrupt_that_is_masked),
    RULE("/irq/registers-are-reachable-by-mmio", registers_are_reachable_by_mmio),
    RULE("/irq/sgi-interrupts-a-busy-cpu", sgi_interrupts_a_busy_cpu),
    RULE("/irq/sgi-wakes-a-sleeping-cpu", sgi_wakes_a_sleeping_cpu),
};

void payload_main(void)
{
    mmu_init();
    mmu_on();
    RUN(rules);
}
