/* SPDX-License-Identifier: GPL-2.0-or-later
 * The GICv3 core's state and what its files share. gicv3.c owns the state and decides what is
 * delivered where; gicv3-dist.c, gicv3-redist.c and gicv3-cpuif.c are the three register
 * interfaces; gicv3-bank.c is what the first two share; gicv3-queue.c is the per-CPU set of
 * deliverable interrupts.
 *
 * Everything here runs with Gicv3.lock held. A public function takes the lock, changes state
 * through the functions below, which note every CPU whose outcome may differ in Gicv3.dirty, and
 * leaves through gicv3_unlock(), which recomputes those CPUs' lines once.
 */
#pragma once

#include "intc/gicv3.h"

#include <glib.h>
#include <pthread.h>

enum {
    GIC_SPI_BASE = 32,
    GIC_BANKS = (GIC_SPI_BASE + GICV3_MAX_SPIS) / 32,
    GIC_SPURIOUS = 1023,
    GIC_LEVELS = 32,     /* 5 implemented priority bits */
    GIC_LEVEL_SHIFT = 3, /* ... the top ones of 8 */
    GIC_PRIORITY_MASK = 0xf8,
    GIC_BPR0_MIN = 2, /* no preemption level finer than the priority bits */
    GIC_BPR1_MIN = GIC_BPR0_MIN + 1,
    GIC_IDLE_PRIORITY = 0xff,
};

/* Deliverable interrupts of one group at one CPU: pending, enabled, not active. Constant-time
 * insert, remove and lookup of the most urgent one. */
typedef struct {
    uint32_t levels;            /* priorities that have members */
    uint32_t banks[GIC_LEVELS]; /* per priority: banks that have members */
    uint32_t members[GIC_LEVELS][GIC_BANKS];
} GicQueue;

void gic_queue_insert(GicQueue *queue, unsigned level, unsigned intid);
void gic_queue_remove(GicQueue *queue, unsigned level, unsigned intid);
/* The lowest INTID of the highest priority. FALSE: empty. */
bool gic_queue_first(const GicQueue *queue, unsigned *level, unsigned *intid);

/* 32 interrupts, as one 32-bit register covers them. */
typedef struct {
    uint32_t group; /* 1 = group 1 */
    uint32_t enabled;
    uint32_t latch; /* pending by edge, SGI or register write */
    uint32_t line;  /* level of the wire; written under the lock, see gicv3_set_line() */
    uint32_t active;
    uint32_t edge;    /* trigger, 1 = edge */
    uint32_t any_cpu; /* SPIs: GICD_IROUTER.IRM, 1 of N */
    uint8_t priority[32];
    uint16_t place[32]; /* where it is queued, see gicv3_requeue(); 0 = nowhere */
} GicBank;

typedef struct {
    GicBank bank; /* SGIs and PPIs */
    GicQueue queue[2];
    bool asleep;   /* GICR_WAKER.ProcessorSleep */
    bool no_1n[2]; /* GICR_CTLR.DPG0, DPG1NS: not a target of 1-of-N interrupts */
    uint8_t pmr;
    uint8_t bpr[2];
    bool group_on[2];   /* ICC_IGRPEN0/1 */
    bool common_bpr;    /* ICC_CTLR.CBPR */
    bool eoi_drop_only; /* ICC_CTLR.EOImode */
    uint32_t apr[2];    /* ICC_AP0R0, AP1R0 */
    bool irq, fiq;      /* lines as last told */
} GicCpu;

struct Gicv3 {
    pthread_mutex_t lock; /* not GMutex: the thread sanitizer cannot see into GLib's futexes */
    unsigned n_cpus;
    unsigned n_intids; /* SGIs, PPIs and SPIs */
    void (*update)(void *opaque, unsigned cpu, bool irq, bool fiq);
    void *opaque;

    bool group_on[2];         /* GICD_CTLR.EnableGrp0/1 */
    GicBank banks[GIC_BANKS]; /* [0] is unused: each CPU has its own */
    uint64_t router[GIC_BANKS * 32];
    unsigned next_1n; /* where the search for the next 1-of-N target starts */
    uint64_t dirty;   /* CPUs whose lines are to be recomputed */
    GicCpu *cpus;
};

typedef struct {
    unsigned intid;
    unsigned group;
    uint8_t priority;
} GicCandidate;

void gicv3_lock(Gicv3 *gic);
void gicv3_unlock(Gicv3 *gic);

static inline void gicv3_touch(Gicv3 *gic, unsigned cpu)
{
    gic->dirty |= UINT64_C(1) << cpu;
}

static inline void gicv3_touch_all(Gicv3 *gic)
{
    gic->dirty = gic->n_cpus == 64 ? UINT64_MAX : (UINT64_C(1) << gic->n_cpus) - 1;
}

/* The bank of intid as cpu sees it. */
static inline GicBank *gicv3_bank(Gicv3 *gic, unsigned cpu, unsigned intid)
{
    return intid < GIC_SPI_BASE ? &gic->cpus[cpu].bank : &gic->banks[intid / 32];
}

/* Bring the queues in step after any state of intid, or of its routing, has changed. cpu is the
 * owner of an SGI or PPI and means nothing for an SPI. */
void gicv3_requeue(Gicv3 *gic, unsigned cpu, unsigned intid);
/* The same for the interrupts of bank number that are set in mask. */
void gicv3_requeue_mask(Gicv3 *gic, unsigned cpu, unsigned number, uint32_t mask);
/* The set of CPUs that take 1-of-N interrupts has changed: choose again. */
void gicv3_reroute_1n(Gicv3 *gic);

/* The highest-priority pending interrupt of cpu among enabled groups. FALSE: none. */
bool gicv3_hppi(const Gicv3 *gic, const GicCpu *cpu, GicCandidate *candidate);
/* The same if it passes the priority mask and preempts what runs: what cpu's lines signal. */
bool gicv3_signalled(const Gicv3 *gic, const GicCpu *cpu, GicCandidate *candidate);

/* gicv3-cpuif.c. The part of priority that decides preemption, and the running priority. */
uint8_t gicv3_group_priority(const GicCpu *cpu, unsigned group, uint8_t priority);
uint8_t gicv3_running_priority(const GicCpu *cpu);

/* gicv3-bank.c. Registers that GICD and the SGI frame of GICR have in common, 0x80 to 0xcff from
 * the frame's start: cpu's bank 0, or (GIC_DIST) every other bank. */
enum { GIC_DIST = -1 };
uint32_t gicv3_bank_read(Gicv3 *gic, int cpu, unsigned offset, unsigned size);
void gicv3_bank_write(Gicv3 *gic, int cpu, unsigned offset, uint32_t value, unsigned size);

/* The identification registers at 0xffd0 to 0xffff of the GICD and RD frames. */
uint32_t gicv3_id_read(unsigned offset);

#define GIC_IIDR 0x48000000u /* product H, no JEP106 implementer */
