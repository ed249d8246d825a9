/* SPDX-License-Identifier: GPL-2.0-or-later
 * The GICv3 core's distributor and redistributors: identification, pending and active state,
 * triggers, routing, SGIs' bank, accesses that the architecture does not define, and many threads
 * at once. The CPU interface has test-gicv3-cpuif.c. Rules: IHI 0069, chapters 3, 4 and 12.
 */
#include "gicv3-fixture.h"

static void typer_counts_banks_and_denies_lpis(void)
{
    FIXTURE(f, 1, 64);
    uint64_t typer = gicv3_dist_read(f.gic, 0x4, 4);

    g_assert_cmpuint(typer & 0x1f, ==, 2);
    g_assert_cmpuint(typer >> 10 & 1, ==, 0);    /* SecurityExtn */
    g_assert_cmpuint(typer >> 16 & 3, ==, 0);    /* MBIS, LPIS */
    g_assert_cmpuint(typer >> 19 & 0x1f, ==, 9); /* 10 INTID bits */
}

static void pidr2_says_gicv3(void)
{
    FIXTURE(f, 1, 32);

    g_assert_cmphex(gicv3_dist_read(f.gic, 0xffe8, 4) & 0xf0, ==, 0x30);
    g_assert_cmphex(gicv3_redist_read(f.gic, 0xffe8, 4) & 0xf0, ==, 0x30);
}

static void ctlr_has_one_security_state_and_affinity_routing(void)
{
    FIXTURE(f, 1, 32);

    gicv3_dist_write(f.gic, GICD_CTLR, 0, 4);
    g_assert_cmphex(gicv3_dist_read(f.gic, GICD_CTLR, 4), ==, 0x50);
    gicv3_dist_write(f.gic, GICD_CTLR, 0xffffffff, 4);
    g_assert_cmphex(gicv3_dist_read(f.gic, GICD_CTLR, 4), ==, 0x53);
}

static void gicr_typer_names_cpu_and_last(void)
{
    FIXTURE(f, 3, 32);

    for (unsigned cpu = 0; cpu < 3; cpu++) {
        uint64_t offset = cpu * GICV3_REDIST_STRIDE + 0x8;
        uint64_t typer = gicv3_redist_read(f.gic, offset, 8);

        g_assert_cmpuint(typer >> 32, ==, cpu);
        g_assert_cmpuint(typer >> 8 & 0xffff, ==, cpu);
        g_assert_cmpuint(typer >> 4 & 1, ==, cpu == 2);
        g_assert_cmpuint(typer & 0xf, ==, 0); /* no LPIs of any kind */
        g_assert_cmpuint(gicv3_redist_read(f.gic, offset, 4), ==, (uint32_t)typer);
        g_assert_cmpuint(gicv3_redist_read(f.gic, offset + 4, 4), ==, typer >> 32);
    }
}

static void waker_sleeps_at_reset_and_children_follow(void)
{
    FIXTURE(f, 1, 32);
    Fixture fresh = { 0 };

    fresh.gic = gicv3_new(1, 32, fixture_update, &fresh);
    g_assert_cmphex(gicv3_redist_read(fresh.gic, GICR_WAKER, 4), ==, 6);
    gicv3_free(fresh.gic);
    g_assert_cmphex(gicv3_redist_read(f.gic, GICR_WAKER, 4), ==, 0);
    gicv3_redist_write(f.gic, GICR_WAKER, 2, 4);
    g_assert_cmphex(gicv3_redist_read(f.gic, GICR_WAKER, 4), ==, 6);
}

static void sleeping_cpu_gets_nothing_until_woken(void)
{
    FIXTURE(f, 1, 32);

    configure(&f, 0, 40);
    gicv3_redist_write(f.gic, GICR_WAKER, 2, 4);
    gicv3_pend_spi(f.gic, 40);
    g_assert_false(f.irq[0]);
    g_assert_cmpuint(icc_read(&f, 0, ICC_IAR1), ==, SPURIOUS);
    gicv3_redist_write(f.gic, GICR_WAKER, 0, 4);
    g_assert_true(f.irq[0]);
}

static void group1_is_irq_and_group0_is_fiq(void)
{
    FIXTURE(f, 1, 32);

    configure(&f, 0, 40);
    gicv3_pend_spi(f.gic, 40);
    g_assert_true(f.irq[0] && !f.fiq[0]);
    set_group(&f, 0, 40, 0);
    g_assert_true(!f.irq[0] && f.fiq[0]);
}

static void disabled_interrupt_stays_pending_only(void)
{
    FIXTURE(f, 1, 32);

    configure(&f, 0, 40);
    bit_write(&f, 0, ICENABLER, 40);
    gicv3_pend_spi(f.gic, 40);
    g_assert_false(f.irq[0]);
    g_assert_true(bit_read(&f, 0, ISPENDR, 40));
    bit_write(&f, 0, ISENABLER, 40);
    g_assert_true(f.irq[0]);
}

static void distributor_group_enable_gates_its_group(void)
{
    FIXTURE(f, 1, 32);

    configure(&f, 0, 40);
    gicv3_dist_write(f.gic, GICD_CTLR, 1, 4);
    gicv3_pend_spi(f.gic, 40);
    g_assert_false(f.irq[0]);
    gicv3_dist_write(f.gic, GICD_CTLR, 2, 4);
    g_assert_true(f.irq[0]);
}

static void set_and_clear_registers_share_one_state(void)
{
    static const unsigned pairs[][2] = { { ISENABLER, ICENABLER },
                                         { ISPENDR, ICPENDR },
                                         { ISACTIVER, ICACTIVER } };
    FIXTURE(f, 2, 64);

    for (unsigned i = 0; i < G_N_ELEMENTS(pairs); i++) {
        static const unsigned intids[] = { 3, 20, 32, 95 };

        for (unsigned j = 0; j < G_N_ELEMENTS(intids); j++) {
            bit_write(&f, 1, pairs[i][0], intids[j]);
            g_assert_true(bit_read(&f, 1, pairs[i][0], intids[j]));
            g_assert_true(bit_read(&f, 1, pairs[i][1], intids[j]));
            bit_write(&f, 1, pairs[i][1], intids[j]);
            g_assert_false(bit_read(&f, 1, pairs[i][0], intids[j]));
        }
    }
}

static void private_interrupts_are_banked(void)
{
    FIXTURE(f, 2, 32);

    bit_write(&f, 1, ISENABLER, 27);
    g_assert_true(bit_read(&f, 1, ISENABLER, 27));
    g_assert_false(bit_read(&f, 0, ISENABLER, 27));
    gicv3_dist_write(f.gic, ISENABLER, 0xffffffff, 4); /* GICD's own word 0: RES0 */
    g_assert_cmphex(gicv3_dist_read(f.gic, ISENABLER, 4), ==, 0);
    g_assert_false(bit_read(&f, 0, ISENABLER, 27));
}

static void priority_bytes_keep_five_bits(void)
{
    FIXTURE(f, 1, 32);

    gicv3_dist_write(f.gic, IPRIORITYR + 40, 0xffffffff, 4);
    gicv3_dist_write(f.gic, IPRIORITYR + 41, 0x17, 1);
    g_assert_cmphex(gicv3_dist_read(f.gic, IPRIORITYR + 40, 4), ==, 0xf8f810f8);
    g_assert_cmphex(gicv3_dist_read(f.gic, IPRIORITYR + 41, 1), ==, 0x10);
    gicv3_redist_write(f.gic, SGI_FRAME + IPRIORITYR + 31, 0xa5, 1);
    g_assert_cmphex(gicv3_redist_read(f.gic, SGI_FRAME + IPRIORITYR + 28, 4), ==, 0xa0000000);
}

static void level_is_pending_while_high(void)
{
    FIXTURE(f, 1, 32);

    configure(&f, 0, 40);
    gicv3_set_spi(f.gic, 40, true);
    g_assert_true(f.irq[0]);
    bit_write(&f, 0, ICPENDR, 40); /* clears the latch, not the wire */
    g_assert_true(bit_read(&f, 0, ISPENDR, 40));
    gicv3_set_spi(f.gic, 40, false);
    g_assert_false(f.irq[0]);
    g_assert_false(bit_read(&f, 0, ISPENDR, 40));
}

static void level_still_high_is_pending_again_after_eoi(void)
{
    FIXTURE(f, 1, 32);

    configure(&f, 0, 40);
    gicv3_set_spi(f.gic, 40, true);
    g_assert_cmpuint(icc_read(&f, 0, ICC_IAR1), ==, 40);
    g_assert_false(f.irq[0]);
    icc_write(&f, 0, ICC_EOIR1, 40);
    g_assert_true(f.irq[0]);
}

static void edge_latches_until_acknowledged(void)
{
    FIXTURE(f, 1, 32);

    configure(&f, 0, 40);
    set_edge(&f, 0, 40);
    gicv3_set_spi(f.gic, 40, true);
    gicv3_set_spi(f.gic, 40, false);
    g_assert_true(f.irq[0]);
    g_assert_cmpuint(icc_read(&f, 0, ICC_IAR1), ==, 40);
    icc_write(&f, 0, ICC_EOIR1, 40);
    g_assert_false(f.irq[0]);
}

static void edge_while_active_is_pending_after_eoi(void)
{
    FIXTURE(f, 1, 32);

    configure(&f, 0, 40);
    set_edge(&f, 0, 40);
    gicv3_set_spi(f.gic, 40, true);
    g_assert_cmpuint(icc_read(&f, 0, ICC_IAR1), ==, 40);
    gicv3_set_spi(f.gic, 40, false);
    gicv3_set_spi(f.gic, 40, true);
    g_assert_true(bit_read(&f, 0, ISPENDR, 40));
    g_assert_false(f.irq[0]);
    icc_write(&f, 0, ICC_EOIR1, 40);
    g_assert_cmpuint(icc_read(&f, 0, ICC_IAR1), ==, 40);
}

static void doorbell_on_a_level_spi_is_taken_once(void)
{
    FIXTURE(f, 1, 32);

    configure(&f, 0, 40);
    gicv3_pend_spi(f.gic, 40);
    g_assert_cmpuint(icc_read(&f, 0, ICC_IAR1), ==, 40);
    icc_write(&f, 0, ICC_EOIR1, 40);
    g_assert_false(f.irq[0]);
}

static void ppi_is_level_and_private(void)
{
    FIXTURE(f, 2, 32);

    configure(&f, 0, 27);
    configure(&f, 1, 27);
    gicv3_set_ppi(f.gic, 1, 27, true);
    g_assert_true(f.irq[1] && !f.irq[0]);
    gicv3_set_ppi(f.gic, 1, 27, false);
    g_assert_false(f.irq[1]);
}

static void sgi_trigger_is_fixed_and_spi_trigger_is_not(void)
{
    FIXTURE(f, 1, 32);

    gicv3_redist_write(f.gic, SGI_FRAME + ICFGR, 0, 4);
    g_assert_cmphex(gicv3_redist_read(f.gic, SGI_FRAME + ICFGR, 4), ==, 0xaaaaaaaa);
    gicv3_dist_write(f.gic, ICFGR + 8, 0xffffffff, 4);
    g_assert_cmphex(gicv3_dist_read(f.gic, ICFGR + 8, 4), ==, 0xaaaaaaaa);
    g_assert_cmphex(gicv3_dist_read(f.gic, ICFGR + 12, 4), ==, 0);
}

static void irouter_sends_to_its_affinity(void)
{
    FIXTURE(f, 3, 32);

    configure(&f, 0, 40);
    set_route(&f, 40, 2);
    gicv3_pend_spi(f.gic, 40);
    g_assert_true(!f.irq[0] && !f.irq[1] && f.irq[2]);
}

static void irouter_move_takes_the_pending_interrupt_along(void)
{
    FIXTURE(f, 2, 32);

    configure(&f, 0, 40);
    gicv3_pend_spi(f.gic, 40);
    set_route(&f, 40, 1);
    g_assert_true(!f.irq[0] && f.irq[1]);
}

static void irouter_to_nobody_is_delivered_nowhere(void)
{
    FIXTURE(f, 2, 32);

    configure(&f, 0, 40);
    set_route(&f, 40, UINT64_C(0x100000000));
    gicv3_pend_spi(f.gic, 40);
    g_assert_true(!f.irq[0] && !f.irq[1]);
    set_route(&f, 40, 2);
    g_assert_true(!f.irq[0] && !f.irq[1]);
}

static void irouter_halves_are_32_bit_registers(void)
{
    FIXTURE(f, 1, 32);

    gicv3_dist_write(f.gic, IROUTER + 8 * 40, UINT64_MAX, 8);
    g_assert_cmphex(gicv3_dist_read(f.gic, IROUTER + 8 * 40, 8), ==, 0xff80ffffff);
    gicv3_dist_write(f.gic, IROUTER + 8 * 40, 0x123, 4);
    g_assert_cmphex(gicv3_dist_read(f.gic, IROUTER + 8 * 40, 8), ==, 0xff00000123);
    gicv3_dist_write(f.gic, IROUTER + 8 * 40 + 4, 0x11, 4);
    g_assert_cmphex(gicv3_dist_read(f.gic, IROUTER + 8 * 40 + 4, 4), ==, 0x11);
    g_assert_cmphex(gicv3_dist_read(f.gic, IROUTER + 8 * 31, 8), ==, 0);
}

static unsigned irq_count(const Fixture *f)
{
    unsigned n = 0;

    for (unsigned cpu = 0; cpu < GICV3_MAX_CPUS; cpu++) {
        n += f->irq[cpu];
    }
    return n;
}

static void one_of_n_reaches_exactly_one_cpu(void)
{
    FIXTURE(f, 4, 32);

    configure(&f, 0, 40);
    set_route(&f, 40, ROUTE_ANY);
    gicv3_pend_spi(f.gic, 40);
    g_assert_cmpuint(irq_count(&f), ==, 1);
}

static void one_of_n_takes_turns(void)
{
    FIXTURE(f, 2, 32);
    unsigned seen = 0;

    configure(&f, 0, 40);
    configure(&f, 0, 41);
    set_route(&f, 40, ROUTE_ANY);
    set_route(&f, 41, ROUTE_ANY);
    gicv3_pend_spi(f.gic, 40);
    gicv3_pend_spi(f.gic, 41);
    seen = f.irq[0] + f.irq[1];
    g_assert_cmpuint(seen, ==, 2);
}

static void one_of_n_skips_cpus_that_decline(void)
{
    FIXTURE(f, 4, 32);

    configure(&f, 0, 40);
    set_route(&f, 40, ROUTE_ANY);
    gicv3_redist_write(f.gic, 0 * GICV3_REDIST_STRIDE + GICR_CTLR, 1u << 25, 4); /* DPG1NS */
    icc_write(&f, 1, ICC_IGRPEN1, 0);
    gicv3_redist_write(f.gic, 3 * GICV3_REDIST_STRIDE + GICR_WAKER, 2, 4);
    gicv3_pend_spi(f.gic, 40);
    g_assert_true(f.irq[2]);
    icc_write(&f, 2, ICC_IGRPEN1, 0);
    g_assert_cmpuint(irq_count(&f), ==, 0);
    icc_write(&f, 1, ICC_IGRPEN1, 1);
    g_assert_true(f.irq[1]);
}

static void one_of_n_waits_for_a_cpu_that_takes_part(void)
{
    FIXTURE(f, 2, 32);

    configure(&f, 0, 40);
    set_route(&f, 40, ROUTE_ANY);
    gicv3_redist_write(f.gic, GICR_CTLR, 1u << 25, 4);
    gicv3_redist_write(f.gic, GICV3_REDIST_STRIDE + GICR_WAKER, 2, 4);
    gicv3_pend_spi(f.gic, 40);
    g_assert_cmpuint(irq_count(&f), ==, 0);
    gicv3_redist_write(f.gic, GICV3_REDIST_STRIDE + GICR_WAKER, 0, 4);
    g_assert_true(f.irq[1]);
    gicv3_redist_write(f.gic, GICV3_REDIST_STRIDE + GICR_WAKER, 2, 4);
    g_assert_cmpuint(irq_count(&f), ==, 0);
    gicv3_redist_write(f.gic, GICR_CTLR, 0, 4);
    g_assert_true(f.irq[0]);
}

static void legacy_and_security_registers_are_res0(void)
{
    /* ITARGETSR, IGRPMODR, NSACR, SGIR, SPENDSGIR, SETSPI_NSR */
    static const unsigned offsets[] = { 0x820, 0xd04, 0xe04, 0xf00, 0xf20, 0x40 };
    FIXTURE(f, 1, 32);

    for (unsigned i = 0; i < G_N_ELEMENTS(offsets); i++) {
        gicv3_dist_write(f.gic, offsets[i], 0xffffffff, 4);
        g_assert_cmphex(gicv3_dist_read(f.gic, offsets[i], 4), ==, 0);
    }
    g_assert_cmpuint(f.updates, ==, 0);
}

static void spis_beyond_the_count_do_not_exist(void)
{
    FIXTURE(f, 1, 32);

    for (unsigned intid = 64; intid < 1024; intid += 31) {
        bit_write(&f, 0, ISENABLER, intid);
        g_assert_false(bit_read(&f, 0, ISENABLER, intid));
        set_route(&f, intid, 1);
        g_assert_cmphex(gicv3_dist_read(f.gic, IROUTER + 8 * intid, 8), ==, 0);
        gicv3_pend_spi(f.gic, intid);
        gicv3_set_spi(f.gic, intid, true);
    }
    gicv3_set_ppi(f.gic, 0, 15, true);
    gicv3_set_ppi(f.gic, 0, 32, true);
    gicv3_set_ppi(f.gic, 1, 27, true);
    gicv3_pend_spi(f.gic, 31);
    g_assert_cmphex(gicv3_redist_read(f.gic, SGI_FRAME + ISPENDR, 4), ==, 0);
}

static void the_last_spi_works(void)
{
    FIXTURE(f, GICV3_MAX_CPUS, GICV3_MAX_SPIS);

    configure(&f, 0, 991);
    set_route(&f, 991, GICV3_MAX_CPUS - 1);
    gicv3_set_spi(f.gic, 991, true);
    g_assert_true(f.irq[GICV3_MAX_CPUS - 1]);
    g_assert_cmpuint(icc_read(&f, GICV3_MAX_CPUS - 1, ICC_IAR1), ==, 991);
}

/* Every offset and size, also absurd ones, with all-ones: nothing may crash (sanitizers look),
 * and reads of a bad size give zero. */
static void undefined_accesses_read_zero_and_are_ignored(void)
{
    static const unsigned sizes[] = { 0, 1, 2, 3, 4, 5, 8, 16, 255 };
    static const uint64_t starts[] = { 0,          GICV3_DIST_SIZE,           GICV3_REDIST_STRIDE,
                                       0xfffffff0, UINT64_C(0x7fffffffffff0), UINT64_MAX - 16 };
    FIXTURE(f, 2, 32);

    for (unsigned i = 0; i < G_N_ELEMENTS(starts); i++) {
        for (uint64_t step = 0; step < (i < 3 ? 0x10000 : 16); step++) {
            for (unsigned j = 0; j < G_N_ELEMENTS(sizes); j++) {
                uint64_t offset = starts[i] + step;
                uint64_t value = gicv3_dist_read(f.gic, offset, sizes[j]);
                bool sane = sizes[j] == 1 || sizes[j] == 4 || sizes[j] == 8;

                g_assert_true(sane || value == 0);
                value = gicv3_redist_read(f.gic, offset, sizes[j]);
                g_assert_true(sane || value == 0);
                gicv3_dist_write(f.gic, offset, UINT64_MAX, sizes[j]);
                gicv3_redist_write(f.gic, offset, UINT64_MAX, sizes[j]);
            }
        }
    }
}

/* Threads: each CPU acknowledges and ends what it gets and sends SGIs to the next one, others
 * move wires, ring doorbells and reconfigure. Then everything settles: what was rung last is
 * taken, nothing is left active. */
enum { STORM_CPUS = 3, STORM_ROUNDS = 3000 };

typedef struct {
    Gicv3 *gic;
    unsigned cpu;
    unsigned *taken; /* by INTID, shared, atomic */
    gint *stop;
} Storm;

static void drain(const Storm *s)
{
    uint64_t intid;

    g_assert_true(gicv3_sysreg_read(s->gic, s->cpu, ICC_IAR1, &intid));
    if (intid < 1020) {
        __atomic_fetch_add(&s->taken[intid], 1, __ATOMIC_RELAXED);
        g_assert_true(gicv3_sysreg_write(s->gic, s->cpu, ICC_EOIR1, intid));
    }
}

static gpointer storm_cpu(gpointer data)
{
    const Storm *s = data;

    while (!g_atomic_int_get(s->stop)) {
        drain(s);
        gicv3_sysreg_write(s->gic, s->cpu, ICC_SGI1R, 1u << (s->cpu + 1) % STORM_CPUS | 5u << 24);
        gicv3_set_ppi(s->gic, s->cpu, 27, true);
        drain(s);
        gicv3_set_ppi(s->gic, s->cpu, 27, false);
    }
    return NULL;
}

static gpointer storm_devices(gpointer data)
{
    const Storm *s = data;

    for (unsigned i = 0; i < STORM_ROUNDS; i++) {
        unsigned intid = 32 + i % 32;

        gicv3_pend_spi(s->gic, intid);
        gicv3_set_spi(s->gic, 64, i & 1);
        gicv3_dist_write(s->gic, IROUTER + 8 * intid, i % 4 == 3 ? ROUTE_ANY : i % 4, 8);
        gicv3_dist_write(s->gic, IPRIORITYR + intid, i, 1);
    }
    return NULL;
}

static void storm_settles_with_nothing_lost(void)
{
    GThread *threads[STORM_CPUS];
    Storm storms[STORM_CPUS];
    unsigned taken[96] = { 0 };
    gint stop = 0;
    FIXTURE(f, STORM_CPUS, 64);

    for (unsigned intid = 32; intid < 96; intid++) {
        configure(&f, 0, intid);
    }
    for (unsigned cpu = 0; cpu < STORM_CPUS; cpu++) {
        storms[cpu] = (Storm){ f.gic, cpu, taken, &stop };
        configure(&f, cpu, 5);
        configure(&f, cpu, 27);
        threads[cpu] = g_thread_new("cpu", storm_cpu, &storms[cpu]);
    }
    storm_devices(&storms[0]);
    g_atomic_int_set(&stop, 1);
    for (unsigned cpu = 0; cpu < STORM_CPUS; cpu++) {
        g_thread_join(threads[cpu]);
    }

    gicv3_set_spi(f.gic, 64, false);
    memset(taken, 0, sizeof(taken));
    for (unsigned intid = 32; intid < 64; intid++) {
        set_priority(&f, 0, intid, 0x80);
        gicv3_pend_spi(f.gic, intid);
    }
    for (unsigned cpu = 0; cpu < STORM_CPUS; cpu++) {
        while (f.irq[cpu]) {
            drain(&storms[cpu]);
        }
        g_assert_cmphex(icc_read(&f, cpu, ICC_AP1R0), ==, 0);
        g_assert_cmphex(gicv3_redist_read(f.gic, frame_offset(cpu, ISACTIVER, 0), 4), ==, 0);
    }
    for (unsigned intid = 32; intid < 64; intid++) {
        g_assert_cmpuint(taken[intid], ==, 1);
    }
    g_assert_cmphex(gicv3_dist_read(f.gic, ISACTIVER + 4, 4), ==, 0);
    g_assert_cmphex(gicv3_dist_read(f.gic, ISPENDR + 4, 4), ==, 0);
}

static void reset_forgets_all_but_the_wires(void)
{
    FIXTURE(f, 2, 32);

    configure(&f, 0, 40);
    set_route(&f, 40, 1);
    gicv3_set_spi(f.gic, 40, true);
    g_assert_true(f.irq[1]);
    gicv3_reset(f.gic);
    g_assert_false(f.irq[1]);
    g_assert_false(bit_read(&f, 0, ISENABLER, 40));
    g_assert_cmphex(gicv3_dist_read(f.gic, GICD_CTLR, 4) & 3, ==, 0);
    g_assert_cmphex(gicv3_dist_read(f.gic, IROUTER + 8 * 40, 8), ==, 0);
    g_assert_cmphex(gicv3_redist_read(f.gic, GICR_WAKER, 4) & 2, ==, 2);
    g_assert_cmphex(icc_read(&f, 0, ICC_PMR), ==, 0);
    g_assert_true(bit_read(&f, 0, ISPENDR, 40));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define RULE(path, function) g_test_add_func("/gicv3/" path, function)
    RULE("id/typer-counts-banks-and-denies-lpis", typer_counts_banks_and_denies_lpis);
    RULE("id/pidr2-says-gicv3", pidr2_says_gicv3);
    RULE("id/ctlr-has-one-security-state-and-affinity-routing",
         ctlr_has_one_security_state_and_affinity_routing);
    RULE("id/gicr-typer-names-cpu-and-last", gicr_typer_names_cpu_and_last);
    RULE("waker/sleeps-at-reset-and-children-follow", waker_sleeps_at_reset_and_children_follow);
    RULE("waker/sleeping-cpu-gets-nothing-until-woken", sleeping_cpu_gets_nothing_until_woken);
    RULE("state/group1-is-irq-and-group0-is-fiq", group1_is_irq_and_group0_is_fiq);
    RULE("state/disabled-interrupt-stays-pending-only", disabled_interrupt_stays_pending_only);
    RULE("state/distributor-group-enable-gates-its-group",
         distributor_group_enable_gates_its_group);
    RULE("state/set-and-clear-registers-share-one-state", set_and_clear_registers_share_one_state);
    RULE("state/private-interrupts-are-banked", private_interrupts_are_banked);
    RULE("state/priority-bytes-keep-five-bits", priority_bytes_keep_five_bits);
    RULE("trigger/level-is-pending-while-high", level_is_pending_while_high);
    RULE("trigger/level-still-high-is-pending-again-after-eoi",
         level_still_high_is_pending_again_after_eoi);
    RULE("trigger/edge-latches-until-acknowledged", edge_latches_until_acknowledged);
    RULE("trigger/edge-while-active-is-pending-after-eoi", edge_while_active_is_pending_after_eoi);
    RULE("trigger/doorbell-on-a-level-spi-is-taken-once", doorbell_on_a_level_spi_is_taken_once);
    RULE("trigger/ppi-is-level-and-private", ppi_is_level_and_private);
    RULE("trigger/sgi-is-fixed-and-spi-is-not", sgi_trigger_is_fixed_and_spi_trigger_is_not);
    RULE("route/irouter-sends-to-its-affinity", irouter_sends_to_its_affinity);
    RULE("route/irouter-move-takes-the-pending-interrupt-along",
         irouter_move_takes_the_pending_interrupt_along);
    RULE("route/irouter-to-nobody-is-delivered-nowhere", irouter_to_nobody_is_delivered_nowhere);
    RULE("route/irouter-halves-are-32-bit-registers", irouter_halves_are_32_bit_registers);
    RULE("route/one-of-n-reaches-exactly-one-cpu", one_of_n_reaches_exactly_one_cpu);
    RULE("route/one-of-n-takes-turns", one_of_n_takes_turns);
    RULE("route/one-of-n-skips-cpus-that-decline", one_of_n_skips_cpus_that_decline);
    RULE("route/one-of-n-waits-for-a-cpu-that-takes-part",
         one_of_n_waits_for_a_cpu_that_takes_part);
    RULE("reset/forgets-all-but-the-wires", reset_forgets_all_but_the_wires);
    RULE("hostile/legacy-and-security-registers-are-res0", legacy_and_security_registers_are_res0);
    RULE("hostile/spis-beyond-the-count-do-not-exist", spis_beyond_the_count_do_not_exist);
    RULE("hostile/the-last-spi-works", the_last_spi_works);
    RULE("hostile/undefined-accesses-read-zero-and-are-ignored",
         undefined_accesses_read_zero_and_are_ignored);
    RULE("threads/storm-settles-with-nothing-lost", storm_settles_with_nothing_lost);
    return g_test_run();
}
