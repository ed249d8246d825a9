/* SPDX-License-Identifier: GPL-2.0-or-later
 * State of the GICv3 core and delivery: which interrupt is pending, where it is routed, what the
 * CPUs' IRQ and FIQ lines show (IHI 0069 chapter 4). The register interfaces are in
 * gicv3-dist.c, gicv3-redist.c and gicv3-cpuif.c.
 */
#include "gicv3-priv.h"

#include <string.h>

/* GICD_IROUTER */
#define IROUTER_AFFINITY UINT64_C(0xff00ffffff)

void gicv3_lock(Gicv3 *gic)
{
    pthread_mutex_lock(&gic->lock);
}

static void refresh_lines(Gicv3 *gic, unsigned number)
{
    GicCpu *cpu = &gic->cpus[number];
    GicCandidate candidate;
    bool any = gicv3_signalled(gic, cpu, &candidate);
    bool irq = any && candidate.group == 1;
    bool fiq = any && candidate.group == 0;

    if (irq != cpu->irq || fiq != cpu->fiq) {
        cpu->irq = irq;
        cpu->fiq = fiq;
        gic->update(gic->opaque, number, irq, fiq);
    }
}

void gicv3_unlock(Gicv3 *gic)
{
    while (gic->dirty != 0) {
        unsigned number = __builtin_ctzll(gic->dirty);

        gic->dirty &= gic->dirty - 1;
        refresh_lines(gic, number);
    }
    pthread_mutex_unlock(&gic->lock);
}

bool gicv3_hppi(const Gicv3 *gic, const GicCpu *cpu, GicCandidate *candidate)
{
    unsigned best = GIC_LEVELS;

    if (cpu->asleep) {
        return false;
    }
    for (unsigned group = 0; group < 2; group++) {
        unsigned level, intid;

        if (!gic->group_on[group] || !cpu->group_on[group] ||
            !gic_queue_first(&cpu->queue[group], &level, &intid) || level >= best) {
            continue;
        }
        best = level;
        candidate->intid = intid;
        candidate->group = group;
        candidate->priority = level << GIC_LEVEL_SHIFT;
    }
    return best != GIC_LEVELS;
}

bool gicv3_signalled(const Gicv3 *gic, const GicCpu *cpu, GicCandidate *candidate)
{
    return gicv3_hppi(gic, cpu, candidate) && candidate->priority < cpu->pmr &&
           gicv3_group_priority(cpu, candidate->group, candidate->priority) <
               gicv3_running_priority(cpu);
}

static bool takes_1n(const GicCpu *cpu, unsigned group)
{
    return !cpu->asleep && cpu->group_on[group] && !cpu->no_1n[group];
}

/* The CPU that intid goes to; FALSE: none for now. 1-of-N takes turns among the CPUs that
 * participate (IHI 0069 section 3.1.2 leaves the choice to us). */
static bool route(Gicv3 *gic, unsigned intid, const GicBank *bank, unsigned *target)
{
    uint64_t affinity = gic->router[intid] & IROUTER_AFFINITY;
    unsigned group = bank->group >> intid % 32 & 1;

    if ((bank->any_cpu >> intid % 32 & 1) == 0) {
        *target = affinity;
        return affinity < gic->n_cpus;
    }
    for (unsigned i = 0; i < gic->n_cpus; i++) {
        unsigned number = (gic->next_1n + i) % gic->n_cpus;

        if (takes_1n(&gic->cpus[number], group)) {
            gic->next_1n = number + 1;
            *target = number;
            return true;
        }
    }
    return false;
}

/* place = 1 + (cpu, group, level) packed: enough to find the queue entry again after priority,
 * group or route have changed. */
static void leave_queue(Gicv3 *gic, GicBank *bank, unsigned intid)
{
    unsigned place = bank->place[intid % 32];
    unsigned number;

    if (place == 0) {
        return;
    }
    place--;
    number = place / (2 * GIC_LEVELS);
    gic_queue_remove(&gic->cpus[number].queue[place / GIC_LEVELS % 2], place % GIC_LEVELS, intid);
    bank->place[intid % 32] = 0;
    gicv3_touch(gic, number);
}

void gicv3_requeue(Gicv3 *gic, unsigned cpu, unsigned intid)
{
    GicBank *bank = gicv3_bank(gic, cpu, intid);
    uint32_t pending = bank->latch | (bank->line & ~bank->edge);
    unsigned group = bank->group >> intid % 32 & 1;
    unsigned level = bank->priority[intid % 32] >> GIC_LEVEL_SHIFT;

    leave_queue(gic, bank, intid);
    if ((pending & bank->enabled & ~bank->active & 1u << intid % 32) == 0 ||
        (intid >= GIC_SPI_BASE && !route(gic, intid, bank, &cpu))) {
        return;
    }
    gic_queue_insert(&gic->cpus[cpu].queue[group], level, intid);
    bank->place[intid % 32] = 1 + (cpu * 2 + group) * GIC_LEVELS + level;
    gicv3_touch(gic, cpu);
}

void gicv3_requeue_mask(Gicv3 *gic, unsigned cpu, unsigned number, uint32_t mask)
{
    for (; mask != 0; mask &= mask - 1) {
        gicv3_requeue(gic, cpu, number * 32 + __builtin_ctz(mask));
    }
}

void gicv3_reroute_1n(Gicv3 *gic)
{
    for (unsigned number = 1; number < gic->n_intids / 32; number++) {
        const GicBank *bank = &gic->banks[number];
        uint32_t pending = bank->latch | (bank->line & ~bank->edge);

        gicv3_requeue_mask(gic, 0, number, pending & bank->any_cpu);
    }
}

/* A wire that does not move is the common case (a timer that is looked at again and again), so
 * it takes no lock; only the wire's owner moves it, and the owner sees its own last call. */
static void set_line(Gicv3 *gic, unsigned cpu, unsigned intid, bool level)
{
    GicBank *bank = gicv3_bank(gic, cpu, intid);
    uint32_t bit = 1u << intid % 32;
    uint32_t line = __atomic_load_n(&bank->line, __ATOMIC_RELAXED);

    if (((line & bit) != 0) == level) {
        return;
    }
    gicv3_lock(gic);
    if (level) {
        bank->latch |= bank->edge & bit;
        __atomic_fetch_or(&bank->line, bit, __ATOMIC_RELAXED);
    } else {
        __atomic_fetch_and(&bank->line, ~bit, __ATOMIC_RELAXED);
    }
    gicv3_requeue(gic, cpu, intid);
    gicv3_unlock(gic);
}

void gicv3_set_ppi(Gicv3 *gic, unsigned cpu, unsigned intid, bool level)
{
    if (cpu < gic->n_cpus && intid >= 16 && intid < GIC_SPI_BASE) {
        set_line(gic, cpu, intid, level);
    }
}

void gicv3_set_spi(Gicv3 *gic, unsigned intid, bool level)
{
    if (intid >= GIC_SPI_BASE && intid < gic->n_intids) {
        set_line(gic, 0, intid, level);
    }
}

void gicv3_pend_spi(Gicv3 *gic, unsigned intid)
{
    if (intid < GIC_SPI_BASE || intid >= gic->n_intids) {
        return;
    }
    gicv3_lock(gic);
    gic->banks[intid / 32].latch |= 1u << intid % 32;
    gicv3_requeue(gic, 0, intid);
    gicv3_unlock(gic);
}

static void power_on_bank(GicBank *bank)
{
    *bank = (GicBank){ .line = bank->line };
}

/* The wires keep their levels, and what was told of irq and fiq stands until the next telling. */
static void power_on_cpu(GicCpu *cpu)
{
    GicBank bank = cpu->bank;
    bool irq = cpu->irq, fiq = cpu->fiq;

    power_on_bank(&bank);
    bank.edge = 0xffff; /* SGIs, for ever */
    *cpu = (GicCpu){ .bank = bank, .asleep = true, .irq = irq, .fiq = fiq };
    cpu->bpr[0] = GIC_BPR0_MIN;
    cpu->bpr[1] = GIC_BPR1_MIN;
}

void gicv3_reset(Gicv3 *gic)
{
    gicv3_lock(gic);
    gic->group_on[0] = gic->group_on[1] = false;
    gic->next_1n = 0;
    memset(gic->router, 0, sizeof(gic->router));
    for (unsigned i = 0; i < GIC_BANKS; i++) {
        power_on_bank(&gic->banks[i]);
    }
    for (unsigned i = 0; i < gic->n_cpus; i++) {
        power_on_cpu(&gic->cpus[i]);
    }
    gicv3_touch_all(gic);
    gicv3_unlock(gic);
}

Gicv3 *gicv3_new(unsigned n_cpus, unsigned n_spis,
                 void (*update)(void *opaque, unsigned cpu, bool irq, bool fiq), void *opaque)
{
    Gicv3 *gic = g_new0(Gicv3, 1);

    g_assert(n_cpus >= 1 && n_cpus <= GICV3_MAX_CPUS);
    g_assert(n_spis <= GICV3_MAX_SPIS && n_spis % 32 == 0 && update != NULL);
    pthread_mutex_init(&gic->lock, NULL);
    gic->n_cpus = n_cpus;
    gic->n_intids = GIC_SPI_BASE + n_spis;
    gic->update = update;
    gic->opaque = opaque;
    gic->cpus = g_new0(GicCpu, n_cpus);
    for (unsigned i = 0; i < n_cpus; i++) {
        power_on_cpu(&gic->cpus[i]);
    }
    return gic;
}

void gicv3_free(Gicv3 *gic)
{
    if (gic == NULL) {
        return;
    }
    pthread_mutex_destroy(&gic->lock);
    g_free(gic->cpus);
    g_free(gic);
}
