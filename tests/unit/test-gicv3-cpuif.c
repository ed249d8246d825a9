/* SPDX-License-Identifier: GPL-2.0-or-later
 * The GICv3 core's CPU interface: acknowledge and end, priority mask and preemption, binary
 * points, EOImode, SGI generation, which registers exist. Rules: IHI 0069, sections 4.8 and 12.2.
 */
#include "gicv3-fixture.h"

static void acknowledge_makes_active_and_lowers_the_line(void)
{
    FIXTURE(f, 1, 32);

    configure(&f, 0, 40);
    gicv3_pend_spi(f.gic, 40);
    g_assert_cmpuint(icc_read(&f, 0, ICC_IAR1), ==, 40);
    g_assert_false(f.irq[0]);
    g_assert_true(bit_read(&f, 0, ISACTIVER, 40));
    g_assert_false(bit_read(&f, 0, ISPENDR, 40));
    g_assert_cmphex(icc_read(&f, 0, ICC_RPR), ==, 0x80);
}

static void eoi_drops_priority_and_deactivates(void)
{
    FIXTURE(f, 1, 32);

    configure(&f, 0, 40);
    gicv3_pend_spi(f.gic, 40);
    icc_read(&f, 0, ICC_IAR1);
    icc_write(&f, 0, ICC_EOIR1, 40);
    g_assert_false(bit_read(&f, 0, ISACTIVER, 40));
    g_assert_cmphex(icc_read(&f, 0, ICC_RPR), ==, 0xff);
}

static void nothing_pending_is_spurious(void)
{
    FIXTURE(f, 1, 32);

    g_assert_cmpuint(icc_read(&f, 0, ICC_IAR0), ==, SPURIOUS);
    g_assert_cmpuint(icc_read(&f, 0, ICC_IAR1), ==, SPURIOUS);
    g_assert_cmpuint(icc_read(&f, 0, ICC_HPPIR0), ==, SPURIOUS);
    g_assert_cmpuint(icc_read(&f, 0, ICC_HPPIR1), ==, SPURIOUS);
}

static void the_other_groups_iar_is_spurious(void)
{
    FIXTURE(f, 1, 32);

    configure(&f, 0, 40);
    gicv3_pend_spi(f.gic, 40);
    g_assert_cmpuint(icc_read(&f, 0, ICC_IAR0), ==, SPURIOUS);
    g_assert_cmpuint(icc_read(&f, 0, ICC_HPPIR0), ==, SPURIOUS);
    g_assert_cmpuint(icc_read(&f, 0, ICC_IAR1), ==, 40);
}

static void highest_priority_comes_first(void)
{
    FIXTURE(f, 1, 64);

    configure(&f, 0, 40);
    configure(&f, 0, 80);
    set_priority(&f, 0, 80, 0x40);
    gicv3_pend_spi(f.gic, 40);
    gicv3_pend_spi(f.gic, 80);
    g_assert_cmpuint(icc_read(&f, 0, ICC_IAR1), ==, 80);
}

static void equal_priority_goes_by_intid(void)
{
    FIXTURE(f, 1, 64);

    configure(&f, 0, 40);
    configure(&f, 0, 80);
    configure(&f, 0, 27);
    gicv3_pend_spi(f.gic, 80);
    gicv3_pend_spi(f.gic, 40);
    gicv3_set_ppi(f.gic, 0, 27, true);
    g_assert_cmpuint(icc_read(&f, 0, ICC_IAR1), ==, 27);
    icc_write(&f, 0, ICC_EOIR1, 27);
    gicv3_set_ppi(f.gic, 0, 27, false);
    g_assert_cmpuint(icc_read(&f, 0, ICC_IAR1), ==, 40);
}

static void equal_priority_prefers_group_0(void)
{
    FIXTURE(f, 1, 32);

    configure(&f, 0, 40);
    configure(&f, 0, 41);
    set_group(&f, 0, 41, 0);
    gicv3_pend_spi(f.gic, 40);
    gicv3_pend_spi(f.gic, 41);
    g_assert_true(f.fiq[0] && !f.irq[0]);
}

static void priority_change_reorders_what_is_pending(void)
{
    FIXTURE(f, 1, 32);

    configure(&f, 0, 40);
    configure(&f, 0, 41);
    gicv3_pend_spi(f.gic, 40);
    gicv3_pend_spi(f.gic, 41);
    set_priority(&f, 0, 41, 0x20);
    g_assert_cmpuint(icc_read(&f, 0, ICC_IAR1), ==, 41);
}

static void hppir_looks_without_acknowledging_or_masking(void)
{
    FIXTURE(f, 1, 32);

    configure(&f, 0, 40);
    icc_write(&f, 0, ICC_PMR, 0);
    gicv3_pend_spi(f.gic, 40);
    g_assert_cmpuint(icc_read(&f, 0, ICC_HPPIR1), ==, 40);
    g_assert_true(bit_read(&f, 0, ISPENDR, 40));
}

static void pmr_passes_only_higher_priorities(void)
{
    FIXTURE(f, 1, 32);

    configure(&f, 0, 40);
    icc_write(&f, 0, ICC_PMR, 0x80);
    gicv3_pend_spi(f.gic, 40);
    g_assert_false(f.irq[0]);
    g_assert_cmpuint(icc_read(&f, 0, ICC_IAR1), ==, SPURIOUS);
    icc_write(&f, 0, ICC_PMR, 0x88);
    g_assert_true(f.irq[0]);
}

static void pmr_keeps_five_bits(void)
{
    FIXTURE(f, 1, 32);

    icc_write(&f, 0, ICC_PMR, 0xff);
    g_assert_cmphex(icc_read(&f, 0, ICC_PMR), ==, 0xf8);
}

static void group_enable_gates_signal_and_acknowledge(void)
{
    FIXTURE(f, 1, 32);

    configure(&f, 0, 40);
    gicv3_pend_spi(f.gic, 40);
    icc_write(&f, 0, ICC_IGRPEN1, 0);
    g_assert_false(f.irq[0]);
    g_assert_cmpuint(icc_read(&f, 0, ICC_IAR1), ==, SPURIOUS);
    icc_write(&f, 0, ICC_IGRPEN1, 1);
    g_assert_true(f.irq[0]);
}

static void disabled_group_does_not_hide_the_other(void)
{
    FIXTURE(f, 1, 32);

    configure(&f, 0, 40);
    configure(&f, 0, 41);
    set_group(&f, 0, 41, 0);
    set_priority(&f, 0, 41, 0x10);
    gicv3_pend_spi(f.gic, 40);
    gicv3_pend_spi(f.gic, 41);
    g_assert_true(f.fiq[0] && !f.irq[0]);
    icc_write(&f, 0, ICC_IGRPEN0, 0);
    g_assert_true(!f.fiq[0] && f.irq[0]);
}

/* Priorities 0xa0 and lower number = higher priority. */
static void pend_two(Fixture *f, uint8_t running, uint8_t second)
{
    configure(f, 0, 40);
    configure(f, 0, 41);
    set_priority(f, 0, 40, running);
    set_priority(f, 0, 41, second);
    gicv3_pend_spi(f->gic, 40);
    g_assert_cmpuint(icc_read(f, 0, ICC_IAR1), ==, 40);
    gicv3_pend_spi(f->gic, 41);
}

static void higher_priority_preempts(void)
{
    FIXTURE(f, 1, 32);

    pend_two(&f, 0xa0, 0x98);
    g_assert_true(f.irq[0]);
    g_assert_cmpuint(icc_read(&f, 0, ICC_IAR1), ==, 41);
    g_assert_cmphex(icc_read(&f, 0, ICC_RPR), ==, 0x98);
    icc_write(&f, 0, ICC_EOIR1, 41);
    g_assert_cmphex(icc_read(&f, 0, ICC_RPR), ==, 0xa0);
}

static void equal_or_lower_priority_waits(void)
{
    FIXTURE(f, 1, 32);

    pend_two(&f, 0xa0, 0xa0);
    g_assert_false(f.irq[0]);
    g_assert_cmpuint(icc_read(&f, 0, ICC_IAR1), ==, SPURIOUS);
    icc_write(&f, 0, ICC_EOIR1, 40);
    g_assert_true(f.irq[0]);
}

static void bpr_minimum_follows_the_priority_bits(void)
{
    FIXTURE(f, 1, 32);

    icc_write(&f, 0, ICC_BPR0, 0);
    icc_write(&f, 0, ICC_BPR1, 0);
    g_assert_cmpuint(icc_read(&f, 0, ICC_BPR0), ==, 2);
    g_assert_cmpuint(icc_read(&f, 0, ICC_BPR1), ==, 3);
    icc_write(&f, 0, ICC_BPR0, 0xf7);
    g_assert_cmpuint(icc_read(&f, 0, ICC_BPR0), ==, 7);
}

static void bpr1_joins_priorities_into_one_level(void)
{
    FIXTURE(f, 1, 32);

    icc_write(&f, 0, ICC_BPR1, 5); /* group 1 counts from one: group priority is bits 7:5 */
    pend_two(&f, 0xb8, 0xa0);
    g_assert_cmphex(icc_read(&f, 0, ICC_RPR), ==, 0xa0);
    g_assert_false(f.irq[0]);
    set_priority(&f, 0, 41, 0x98);
    g_assert_true(f.irq[0]);
}

static void cbpr_lets_bpr0_rule_group_1(void)
{
    FIXTURE(f, 1, 32);

    icc_write(&f, 0, ICC_BPR0, 5); /* group priority is bits 7:6 */
    icc_write(&f, 0, ICC_CTLR, 1);
    g_assert_cmpuint(icc_read(&f, 0, ICC_BPR1), ==, 6);
    icc_write(&f, 0, ICC_BPR1, 3);
    g_assert_cmpuint(icc_read(&f, 0, ICC_BPR1), ==, 6);
    pend_two(&f, 0xb8, 0x80);
    g_assert_false(f.irq[0]);
    icc_write(&f, 0, ICC_CTLR, 0);
    g_assert_cmpuint(icc_read(&f, 0, ICC_BPR1), ==, 3);
}

static void active_priorities_can_be_saved_and_restored(void)
{
    FIXTURE(f, 1, 32);

    configure(&f, 0, 40);
    gicv3_pend_spi(f.gic, 40);
    icc_read(&f, 0, ICC_IAR1);
    g_assert_cmphex(icc_read(&f, 0, ICC_AP1R0), ==, 1u << (0x80 >> 3));
    icc_write(&f, 0, ICC_AP1R0, 0);
    g_assert_cmphex(icc_read(&f, 0, ICC_RPR), ==, 0xff);
    icc_write(&f, 0, ICC_AP0R0, 1u << 4);
    g_assert_cmphex(icc_read(&f, 0, ICC_RPR), ==, 0x20);
}

static void eoimode1_splits_drop_and_deactivate(void)
{
    FIXTURE(f, 1, 32);

    icc_write(&f, 0, ICC_CTLR, 2);
    configure(&f, 0, 40);
    gicv3_set_spi(f.gic, 40, true);
    icc_read(&f, 0, ICC_IAR1);
    icc_write(&f, 0, ICC_EOIR1, 40);
    g_assert_cmphex(icc_read(&f, 0, ICC_RPR), ==, 0xff);
    g_assert_true(bit_read(&f, 0, ISACTIVER, 40));
    g_assert_false(f.irq[0]); /* still active, so not deliverable */
    icc_write(&f, 0, ICC_DIR, 40);
    g_assert_false(bit_read(&f, 0, ISACTIVER, 40));
    g_assert_true(f.irq[0]);
}

static void dir_by_another_cpu_deactivates_an_spi(void)
{
    FIXTURE(f, 2, 32);

    icc_write(&f, 0, ICC_CTLR, 2);
    icc_write(&f, 1, ICC_CTLR, 2);
    configure(&f, 0, 40);
    gicv3_pend_spi(f.gic, 40);
    icc_read(&f, 0, ICC_IAR1);
    icc_write(&f, 0, ICC_EOIR1, 40);
    icc_write(&f, 1, ICC_DIR, 40);
    g_assert_false(bit_read(&f, 0, ISACTIVER, 40));
}

static void dir_without_eoimode1_is_ignored(void)
{
    FIXTURE(f, 1, 32);

    configure(&f, 0, 40);
    gicv3_pend_spi(f.gic, 40);
    icc_read(&f, 0, ICC_IAR1);
    icc_write(&f, 0, ICC_DIR, 40);
    g_assert_true(bit_read(&f, 0, ISACTIVER, 40));
}

static void eoi_of_special_or_absent_intids_does_nothing(void)
{
    static const unsigned intids[] = { 64, 991, 1019, 1020, 1023, 8192, 0xffffff };
    FIXTURE(f, 1, 32);

    configure(&f, 0, 40);
    gicv3_pend_spi(f.gic, 40);
    icc_read(&f, 0, ICC_IAR1);
    for (unsigned i = 0; i < G_N_ELEMENTS(intids); i++) {
        icc_write(&f, 0, ICC_EOIR1, intids[i]);
        icc_write(&f, 0, ICC_EOIR0, intids[i]);
    }
    g_assert_cmphex(icc_read(&f, 0, ICC_RPR), ==, 0x80);
    icc_write(&f, 0, ICC_CTLR, 2);
    for (unsigned i = 0; i < G_N_ELEMENTS(intids); i++) {
        icc_write(&f, 0, ICC_DIR, intids[i]);
    }
    g_assert_true(bit_read(&f, 0, ISACTIVER, 40));
}

static void sgi1r_reaches_its_target_list(void)
{
    FIXTURE(f, 4, 32);

    for (unsigned cpu = 0; cpu < 4; cpu++) {
        configure(&f, cpu, 7);
    }
    icc_write(&f, 0, ICC_SGI1R, 7u << 24 | 0x5);
    g_assert_true(f.irq[0] && !f.irq[1] && f.irq[2] && !f.irq[3]);
    g_assert_cmpuint(icc_read(&f, 2, ICC_IAR1), ==, 7);
    g_assert_cmpuint(icc_read(&f, 2, ICC_IAR1), ==, SPURIOUS);
}

static void sgi1r_irm_is_all_but_self(void)
{
    FIXTURE(f, 3, 32);

    for (unsigned cpu = 0; cpu < 3; cpu++) {
        configure(&f, cpu, 7);
    }
    icc_write(&f, 1, ICC_SGI1R, UINT64_C(1) << 40 | 7u << 24);
    g_assert_true(f.irq[0] && !f.irq[1] && f.irq[2]);
}

static void sgi1r_range_selector_counts_sixteens(void)
{
    FIXTURE(f, 20, 32);

    g_assert_cmpuint(icc_read(&f, 0, ICC_CTLR) >> 18 & 1, ==, 1);
    configure(&f, 1, 7);
    configure(&f, 17, 7);
    icc_write(&f, 0, ICC_SGI1R, UINT64_C(1) << 44 | 7u << 24 | 0x2);
    g_assert_true(f.irq[17] && !f.irq[1]);
    icc_write(&f, 0, ICC_SGI1R, UINT64_C(15) << 44 | 7u << 24 | 0xffff);
    g_assert_false(f.irq[1]);
}

static void sgi1r_to_another_cluster_reaches_nobody(void)
{
    static const unsigned shifts[] = { 16, 32, 48 };
    FIXTURE(f, 1, 32);

    configure(&f, 0, 7);
    for (unsigned i = 0; i < G_N_ELEMENTS(shifts); i++) {
        icc_write(&f, 0, ICC_SGI1R, UINT64_C(1) << shifts[i] | 7u << 24 | 0x1);
        g_assert_false(f.irq[0]);
    }
}

static void sgi_registers_match_the_targets_group(void)
{
    FIXTURE(f, 1, 32);

    configure(&f, 0, 7);
    icc_write(&f, 0, ICC_SGI0R, 7u << 24 | 0x1);
    g_assert_false(f.irq[0] || f.fiq[0]);
    icc_write(&f, 0, ICC_ASGI1R, 7u << 24 | 0x1);
    g_assert_true(f.irq[0]);
    g_assert_cmpuint(icc_read(&f, 0, ICC_IAR1), ==, 7);
    icc_write(&f, 0, ICC_EOIR1, 7);
    set_group(&f, 0, 7, 0);
    icc_write(&f, 0, ICC_SGI1R, 7u << 24 | 0x1);
    g_assert_false(f.irq[0] || f.fiq[0]);
    icc_write(&f, 0, ICC_SGI0R, 7u << 24 | 0x1);
    g_assert_true(f.fiq[0]);
    g_assert_cmpuint(icc_read(&f, 0, ICC_IAR0), ==, 7);
}

static void sre_is_fixed_on(void)
{
    FIXTURE(f, 1, 32);

    icc_write(&f, 0, ICC_SRE, 0);
    g_assert_cmphex(icc_read(&f, 0, ICC_SRE), ==, 7);
}

static void ctlr_tells_priority_bits_and_keeps_two(void)
{
    FIXTURE(f, 1, 32);

    icc_write(&f, 0, ICC_CTLR, UINT64_MAX);
    g_assert_cmphex(icc_read(&f, 0, ICC_CTLR) & 0xff, ==, 3);
    g_assert_cmpuint(icc_read(&f, 0, ICC_CTLR) >> 8 & 7, ==, 4);
}

static void absent_or_one_way_registers_are_undefined(void)
{
    static const uint32_t write_only[] = { ICC_EOIR0, ICC_EOIR1, ICC_DIR,
                                           ICC_SGI0R, ICC_SGI1R, ICC_ASGI1R };
    static const uint32_t read_only[] = { ICC_IAR0, ICC_IAR1, ICC_HPPIR0, ICC_HPPIR1, ICC_RPR };
    static const uint32_t absent[] = { ICC_AP0R1, GICV3_SYSREG(3, 0, 12, 9, 1),
                                       GICV3_SYSREG(3, 4, 12, 9, 5), GICV3_SYSREG(3, 6, 12, 12, 5),
                                       UINT32_MAX };
    FIXTURE(f, 1, 32);
    uint64_t value;

    for (unsigned i = 0; i < G_N_ELEMENTS(write_only); i++) {
        g_assert_false(gicv3_sysreg_read(f.gic, 0, write_only[i], &value));
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(read_only); i++) {
        g_assert_false(gicv3_sysreg_write(f.gic, 0, read_only[i], 0));
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(absent); i++) {
        g_assert_false(gicv3_sysreg_read(f.gic, 0, absent[i], &value));
        g_assert_false(gicv3_sysreg_write(f.gic, 0, absent[i], 0));
    }
    g_assert_false(gicv3_sysreg_read(f.gic, 1, ICC_PMR, &value)); /* no such CPU */
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define RULE(path, function) g_test_add_func("/gicv3/cpuif/" path, function)
    RULE("ack/makes-active-and-lowers-the-line", acknowledge_makes_active_and_lowers_the_line);
    RULE("ack/nothing-pending-is-spurious", nothing_pending_is_spurious);
    RULE("ack/the-other-groups-iar-is-spurious", the_other_groups_iar_is_spurious);
    RULE("ack/highest-priority-comes-first", highest_priority_comes_first);
    RULE("ack/equal-priority-goes-by-intid", equal_priority_goes_by_intid);
    RULE("ack/equal-priority-prefers-group-0", equal_priority_prefers_group_0);
    RULE("ack/priority-change-reorders-what-is-pending", priority_change_reorders_what_is_pending);
    RULE("ack/hppir-looks-without-acknowledging-or-masking",
         hppir_looks_without_acknowledging_or_masking);
    RULE("mask/pmr-passes-only-higher-priorities", pmr_passes_only_higher_priorities);
    RULE("mask/pmr-keeps-five-bits", pmr_keeps_five_bits);
    RULE("mask/group-enable-gates-signal-and-acknowledge",
         group_enable_gates_signal_and_acknowledge);
    RULE("mask/disabled-group-does-not-hide-the-other", disabled_group_does_not_hide_the_other);
    RULE("preempt/higher-priority-preempts", higher_priority_preempts);
    RULE("preempt/equal-or-lower-priority-waits", equal_or_lower_priority_waits);
    RULE("preempt/bpr-minimum-follows-the-priority-bits", bpr_minimum_follows_the_priority_bits);
    RULE("preempt/bpr1-joins-priorities-into-one-level", bpr1_joins_priorities_into_one_level);
    RULE("preempt/cbpr-lets-bpr0-rule-group-1", cbpr_lets_bpr0_rule_group_1);
    RULE("preempt/active-priorities-can-be-saved-and-restored",
         active_priorities_can_be_saved_and_restored);
    RULE("eoi/drops-priority-and-deactivates", eoi_drops_priority_and_deactivates);
    RULE("eoi/eoimode1-splits-drop-and-deactivate", eoimode1_splits_drop_and_deactivate);
    RULE("eoi/dir-by-another-cpu-deactivates-an-spi", dir_by_another_cpu_deactivates_an_spi);
    RULE("eoi/dir-without-eoimode1-is-ignored", dir_without_eoimode1_is_ignored);
    RULE("eoi/special-or-absent-intids-do-nothing", eoi_of_special_or_absent_intids_does_nothing);
    RULE("sgi/sgi1r-reaches-its-target-list", sgi1r_reaches_its_target_list);
    RULE("sgi/irm-is-all-but-self", sgi1r_irm_is_all_but_self);
    RULE("sgi/range-selector-counts-sixteens", sgi1r_range_selector_counts_sixteens);
    RULE("sgi/another-cluster-reaches-nobody", sgi1r_to_another_cluster_reaches_nobody);
    RULE("sgi/registers-match-the-targets-group", sgi_registers_match_the_targets_group);
    RULE("reg/sre-is-fixed-on", sre_is_fixed_on);
    RULE("reg/ctlr-tells-priority-bits-and-keeps-two", ctlr_tells_priority_bits_and_keeps_two);
    RULE("reg/absent-or-one-way-registers-are-undefined",
         absent_or_one_way_registers_are_undefined);
    return g_test_run();
}
