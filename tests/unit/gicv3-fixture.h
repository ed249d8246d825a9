/* SPDX-License-Identifier: GPL-2.0-or-later
 * What the GICv3 tests share: a GIC whose lines are recorded, and short names for the accesses
 * that a guest makes. INTIDs of SPIs are given as such (32 up).
 */
#pragma once

#include "intc/gicv3.h"

#include <glib.h>

enum {
    ICC_PMR = GICV3_SYSREG(3, 0, 4, 6, 0),
    ICC_IAR0 = GICV3_SYSREG(3, 0, 12, 8, 0),
    ICC_EOIR0 = GICV3_SYSREG(3, 0, 12, 8, 1),
    ICC_HPPIR0 = GICV3_SYSREG(3, 0, 12, 8, 2),
    ICC_BPR0 = GICV3_SYSREG(3, 0, 12, 8, 3),
    ICC_AP0R0 = GICV3_SYSREG(3, 0, 12, 8, 4),
    ICC_AP0R1 = GICV3_SYSREG(3, 0, 12, 8, 5),
    ICC_AP1R0 = GICV3_SYSREG(3, 0, 12, 9, 0),
    ICC_DIR = GICV3_SYSREG(3, 0, 12, 11, 1),
    ICC_RPR = GICV3_SYSREG(3, 0, 12, 11, 3),
    ICC_SGI1R = GICV3_SYSREG(3, 0, 12, 11, 5),
    ICC_ASGI1R = GICV3_SYSREG(3, 0, 12, 11, 6),
    ICC_SGI0R = GICV3_SYSREG(3, 0, 12, 11, 7),
    ICC_IAR1 = GICV3_SYSREG(3, 0, 12, 12, 0),
    ICC_EOIR1 = GICV3_SYSREG(3, 0, 12, 12, 1),
    ICC_HPPIR1 = GICV3_SYSREG(3, 0, 12, 12, 2),
    ICC_BPR1 = GICV3_SYSREG(3, 0, 12, 12, 3),
    ICC_CTLR = GICV3_SYSREG(3, 0, 12, 12, 4),
    ICC_SRE = GICV3_SYSREG(3, 0, 12, 12, 5),
    ICC_IGRPEN0 = GICV3_SYSREG(3, 0, 12, 12, 6),
    ICC_IGRPEN1 = GICV3_SYSREG(3, 0, 12, 12, 7),
};

enum {
    GICD_CTLR = 0x0,
    IGROUPR = 0x80,
    ISENABLER = 0x100,
    ICENABLER = 0x180,
    ISPENDR = 0x200,
    ICPENDR = 0x280,
    ISACTIVER = 0x300,
    ICACTIVER = 0x380,
    IPRIORITYR = 0x400,
    ICFGR = 0xc00,
    IROUTER = 0x6000,
    GICR_CTLR = 0x0,
    GICR_WAKER = 0x14,
    SGI_FRAME = 0x10000,
    SPURIOUS = 1023,
};

#define ROUTE_ANY UINT64_C(0x80000000)

typedef struct {
    Gicv3 *gic;
    bool irq[GICV3_MAX_CPUS];
    bool fiq[GICV3_MAX_CPUS];
    unsigned updates;
} Fixture;

static inline void fixture_update(void *opaque, unsigned cpu, bool irq, bool fiq)
{
    Fixture *f = opaque;

    g_assert_true(f->irq[cpu] != irq || f->fiq[cpu] != fiq);
    f->irq[cpu] = irq;
    f->fiq[cpu] = fiq;
    f->updates++;
}

static inline void icc_write(Fixture *f, unsigned cpu, uint32_t reg, uint64_t value)
{
    g_assert_true(gicv3_sysreg_write(f->gic, cpu, reg, value));
}

static inline uint64_t icc_read(Fixture *f, unsigned cpu, uint32_t reg)
{
    uint64_t value = ~UINT64_C(0);

    g_assert_true(gicv3_sysreg_read(f->gic, cpu, reg, &value));
    return value;
}

/* A bitmap register of intid's word: the distributor's, or cpu's redistributor's. */
static inline uint64_t frame_offset(unsigned cpu, unsigned reg, unsigned intid)
{
    return intid >= 32 ? reg + intid / 32 * 4 : cpu * GICV3_REDIST_STRIDE + SGI_FRAME + reg;
}

static inline void bit_write(Fixture *f, unsigned cpu, unsigned reg, unsigned intid)
{
    (intid >= 32 ? gicv3_dist_write : gicv3_redist_write)(f->gic, frame_offset(cpu, reg, intid),
                                                          1u << intid % 32, 4);
}

static inline bool bit_read(Fixture *f, unsigned cpu, unsigned reg, unsigned intid)
{
    return (intid >= 32 ? gicv3_dist_read : gicv3_redist_read)(f->gic,
                                                               frame_offset(cpu, reg, intid), 4) >>
               intid % 32 &
           1;
}

static inline void set_group(Fixture *f, unsigned cpu, unsigned intid, unsigned group)
{
    uint64_t offset = frame_offset(cpu, IGROUPR, intid);
    uint32_t bit = 1u << intid % 32;

    if (intid >= 32) {
        uint64_t old = gicv3_dist_read(f->gic, offset, 4) & ~bit;
        gicv3_dist_write(f->gic, offset, old | (group ? bit : 0), 4);
    } else {
        uint64_t old = gicv3_redist_read(f->gic, offset, 4) & ~bit;
        gicv3_redist_write(f->gic, offset, old | (group ? bit : 0), 4);
    }
}

static inline void set_priority(Fixture *f, unsigned cpu, unsigned intid, uint8_t priority)
{
    if (intid >= 32) {
        gicv3_dist_write(f->gic, IPRIORITYR + intid, priority, 1);
    } else {
        gicv3_redist_write(f->gic, cpu * GICV3_REDIST_STRIDE + SGI_FRAME + IPRIORITYR + intid,
                           priority, 1);
    }
}

static inline void set_edge(Fixture *f, unsigned cpu, unsigned intid)
{
    uint32_t bit = 2u << intid % 16 * 2;

    if (intid >= 32) {
        uint64_t offset = ICFGR + intid / 16 * 4;
        gicv3_dist_write(f->gic, offset, gicv3_dist_read(f->gic, offset, 4) | bit, 4);
    } else {
        uint64_t offset = cpu * GICV3_REDIST_STRIDE + SGI_FRAME + ICFGR + intid / 16 * 4;
        gicv3_redist_write(f->gic, offset, gicv3_redist_read(f->gic, offset, 4) | bit, 4);
    }
}

static inline void set_route(Fixture *f, unsigned intid, uint64_t route)
{
    gicv3_dist_write(f->gic, IROUTER + 8 * intid, route, 8);
}

/* Group 1, priority 0x80, enabled. */
static inline void configure(Fixture *f, unsigned cpu, unsigned intid)
{
    set_group(f, cpu, intid, 1);
    set_priority(f, cpu, intid, 0x80);
    bit_write(f, cpu, ISENABLER, intid);
}

/* A GIC as a kernel has set it up: both groups on, all CPUs awake and unmasked; every interrupt
 * still disabled, in group 0 and routed to CPU 0. */
static inline void fixture_init(Fixture *f, unsigned n_cpus, unsigned n_spis)
{
    *f = (Fixture){ 0 };
    f->gic = gicv3_new(n_cpus, n_spis, fixture_update, f);
    gicv3_dist_write(f->gic, GICD_CTLR, 3, 4);
    for (unsigned cpu = 0; cpu < n_cpus; cpu++) {
        gicv3_redist_write(f->gic, cpu * GICV3_REDIST_STRIDE + GICR_WAKER, 0, 4);
        icc_write(f, cpu, ICC_PMR, 0xff);
        icc_write(f, cpu, ICC_IGRPEN0, 1);
        icc_write(f, cpu, ICC_IGRPEN1, 1);
    }
}

static inline void fixture_clear(Fixture *f)
{
    gicv3_free(f->gic);
}

#define FIXTURE(f, n_cpus, n_spis)                                                                 \
    __attribute__((cleanup(fixture_clear))) Fixture f;                                             \
    fixture_init(&f, n_cpus, n_spis)
