/* SPDX-License-Identifier: GPL-2.0-or-later
 * Rules of the generic timer: counter, conditions, masks, the PPIs (27 virtual, 30 physical), and
 * that WFI ends when it fires.
 */
#include "lib.h"

enum { ENABLE = 1, IMASK = 2, ISTATUS = 4, VIRT = 27, PHYS = 30 };

/* Beyond this, QEMU 7.2's timer below a KVM overflows with the guest's offset, and never rests. */
#define NEVER (UINT64_MAX >> 1)

static volatile unsigned n_taken;
static volatile u64 last_intid;

static void take_timer(Frame *frame)
{
    u64 intid = read_sysreg(ICC_IAR1);

    if (intid >= 1020) {
        return;
    }
    last_intid = intid;
    n_taken++;
    if (intid == VIRT) {
        write_sysreg(cntv_ctl_el0, 0);
    } else {
        write_sysreg(cntp_ctl_el0, 0);
    }
    write_sysreg(ICC_EOIR1, intid);
}

static void begin(void)
{
    gic_init_cpu();
    n_taken = 0;
    this_cpu()->on_irq = take_timer;
    write_sysreg(cntv_ctl_el0, 0);
    write_sysreg(cntp_ctl_el0, 0);
    gic_enable(VIRT, 0x80);
    gic_enable(PHYS, 0x80);
}

static void counter_runs_forward(void)
{
    u64 last = read_sysreg(cntvct_el0), first = last;

    for (unsigned i = 0; i < 10000; i++) {
        u64 now = read_sysreg(cntvct_el0);

        check(now >= last);
        last = now;
    }
    check(last > first);
    check(read_sysreg(cntfrq_el0) >= 1000000);
    check(read_sysreg(cntpct_el0) + read_sysreg(cntfrq_el0) >= last);
}

static void tval_is_the_distance_to_cval(void)
{
    u64 now, cval;

    write_sysreg(cntv_ctl_el0, 0);
    now = read_sysreg(cntvct_el0);
    write_sysreg(cntv_tval_el0, 0x10000000);
    cval = read_sysreg(cntv_cval_el0);
    check(cval >= now + 0x10000000);
    check((int32_t)read_sysreg(cntv_tval_el0) <= 0x10000000);
    write_sysreg(cntv_tval_el0, 0xffffffff); /* minus one */
    check(read_sysreg(cntv_cval_el0) < read_sysreg(cntvct_el0));
}

static void condition_shows_in_istatus(void)
{
    begin();
    write_sysreg(cntv_cval_el0, NEVER);
    write_sysreg(cntv_ctl_el0, ENABLE | IMASK);
    check_eq(read_sysreg(cntv_ctl_el0), ENABLE | IMASK);
    write_sysreg(cntv_cval_el0, 0);
    check_eq(read_sysreg(cntv_ctl_el0), ENABLE | IMASK | ISTATUS);
    check_eq(read32(GICR + 0x10200) >> VIRT & 1, 0);
    write_sysreg(cntv_ctl_el0, 0);
}

static void expired_timer_interrupts(void)
{
    begin();
    irq_on();
    write_sysreg(cntv_cval_el0, 0);
    write_sysreg(cntv_ctl_el0, ENABLE);
    while (n_taken == 0) {
    }
    check_eq(last_intid, VIRT);
    write_sysreg(cntp_cval_el0, 0);
    write_sysreg(cntp_ctl_el0, ENABLE);
    while (n_taken == 1) {
    }
    irq_off();
    check_eq(last_intid, PHYS);
    check_eq(n_taken, 2);
}

static void imask_and_disable_lower_the_line(void)
{
    begin();
    write_sysreg(cntv_cval_el0, 0);
    write_sysreg(cntv_ctl_el0, ENABLE);
    check_eq(read32(GICR + 0x10200) >> VIRT & 1, 1);
    write_sysreg(cntv_ctl_el0, ENABLE | IMASK);
    check_eq(read32(GICR + 0x10200) >> VIRT & 1, 0);
    write_sysreg(cntv_ctl_el0, ENABLE);
    check_eq(read32(GICR + 0x10200) >> VIRT & 1, 1);
    write_sysreg(cntv_cval_el0, NEVER);
    check_eq(read32(GICR + 0x10200) >> VIRT & 1, 0);
    write_sysreg(cntv_cval_el0, 0);
    write_sysreg(cntv_ctl_el0, 0);
    check_eq(read32(GICR + 0x10200) >> VIRT & 1, 0);
}

static void future_timer_interrupts_a_busy_cpu(void)
{
    begin();
    irq_on();
    for (unsigned i = 0; i < 5; i++) {
        u64 start = read_sysreg(cntvct_el0), delta = read_sysreg(cntfrq_el0) / 500;

        write_sysreg(cntv_cval_el0, start + delta);
        write_sysreg(cntv_ctl_el0, ENABLE);
        while (n_taken != i + 1) {
        }
        check(read_sysreg(cntvct_el0) >= start + delta);
    }
    irq_off();
}

static void wfi_sleeps_until_the_timer(void)
{
    begin();
    for (unsigned i = 0; i < 5; i++) {
        u64 start = read_sysreg(cntvct_el0), delta = read_sysreg(cntfrq_el0) / 500;

        write_sysreg(cntv_cval_el0, start + delta);
        write_sysreg(cntv_ctl_el0, ENABLE);
        while (n_taken != i + 1) {
            asm volatile("wfi"); /* masked: wakes without taking it */
            irq_on();
            isb();
            irq_off();
        }
        check(read_sysreg(cntvct_el0) >= start + delta);
    }
}

static void physical_timer_wakes_wfi_too(void)
{
    u64 start, delta;

    begin();
    start = read_sysreg(cntpct_el0);
    delta = read_sysreg(cntfrq_el0) / 500;
    write_sysreg(cntp_tval_el0, delta);
    write_sysreg(cntp_ctl_el0, ENABLE);
    while (n_taken == 0) {
        asm volatile("wfi");
        irq_on();
        isb();
        irq_off();
    }
    check_eq(last_intid, PHYS);
    check(read_sysreg(cntpct_el0) >= start + delta);
}

asm(".globl el0_forever\n"
    "el0_forever: b el0_forever\n");
void el0_forever(void);

static void leave_el0(Frame *frame)
{
    take_timer(frame);
    this_cpu()->on_irq = take_timer;
    el0_leave(7);
}

static void timer_interrupts_el0(void)
{
    begin();
    this_cpu()->on_irq = leave_el0;
    write_sysreg(cntv_tval_el0, read_sysreg(cntfrq_el0) / 500);
    write_sysreg(cntv_ctl_el0, ENABLE);
    check_eq(run_el0(el0_forever, 0), 7);
    check_eq(n_taken, 1);
}

static volatile u64 own[MAX_CPUS];

static void count_own(Frame *frame)
{
    u64 intid = read_sysreg(ICC_IAR1);

    if (intid < 1020) {
        own[this_cpu()->number]++;
        write_sysreg(cntv_ctl_el0, 0);
        write_sysreg(ICC_EOIR1, intid);
    }
}

static void sleep_often(u64 times)
{
    u64 number = this_cpu()->number;

    gic_init_cpu();
    this_cpu()->on_irq = count_own;
    gic_enable(VIRT, 0x80);
    for (u64 i = 0; i < times; i++) {
        write_sysreg(cntv_tval_el0, 1000 * (number + 1));
        write_sysreg(cntv_ctl_el0, ENABLE);
        while (own[number] != i + 1) {
            asm volatile("wfi");
            irq_on();
            isb();
            irq_off();
        }
    }
}

static void timers_of_cpus_are_their_own(void)
{
    own[0] = 0;
    own[1] = 0;
    start_cpu(1, sleep_often, 100);
    sleep_often(100);
    join_cpu(1);
    check_eq(own[0], 100);
    check_eq(own[1], 100);
}

static const Rule rules[] = {
    RULE("/timer/counter-runs-forward", counter_runs_forward),
    RULE("/timer/tval-is-the-distance-to-cval", tval_is_the_distance_to_cval),
    RULE("/timer/condition-shows-in-istatus", condition_shows_in_istatus),
    RULE("/timer/expired-interrupts", expired_timer_interrupts),
    RULE("/timer/imask-and-disable-lower-the-line", imask_and_disable_lower_the_line),
    RULE("/timer/future-interrupts-a-busy-cpu", future_timer_interrupts_a_busy_cpu),
    RULE("/timer/wfi-sleeps-until-it-fires", wfi_sleeps_until_the_timer),
    RULE("/timer/physical-wakes-wfi-too", physical_timer_wakes_wfi_too),
    RULE("/timer/interrupts-el0", timer_interrupts_el0),
    RULE("/timer/of-cpus-are-their-own", timers_of_cpus_are_their_own),
};

void payload_main(void)
{
    mmu_init();
    mmu_on();
    RUN(rules);
}
