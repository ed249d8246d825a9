/* SPDX-License-Identifier: GPL-2.0-or-later
 * A GICv3 core: distributor, redistributors and the system-register CPU interface, as
 * IHI 0069 describes them for a PE without EL2 and EL3: one security state (GICD_CTLR.DS = 1),
 * affinity routing always on, SGIs, PPIs and SPIs, group 1 on IRQ and group 0 on FIQ.
 * No LPIs, ITS, extended ranges, message-based SPIs or legacy operation; the ID registers say so.
 *
 * It knows neither an engine nor a bus: the owner decodes addresses and traps, and hands in the
 * offset or the register. CPU n has affinity 0.0.0.n.
 *
 * Threads: every function but new and free may be called from any thread; one lock per GIC.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef struct Gicv3 Gicv3;

enum {
    GICV3_MAX_CPUS = 64, /* one bit each in a word */
    GICV3_MAX_SPIS = 960,
    GICV3_DIST_SIZE = 0x10000,
    GICV3_REDIST_STRIDE = 0x20000, /* RD frame, then SGI frame, 64 KiB each */
};

/* How gicv3_sysreg_*() name a register: the fields of MRS and MSR in one number. */
#define GICV3_SYSREG(op0, op1, crn, crm, op2)                                                      \
    ((uint32_t)(op0) << 14 | (uint32_t)(op1) << 11 | (uint32_t)(crn) << 7 | (uint32_t)(crm) << 3 | \
     (uint32_t)(op2))

/* update: the level of cpu's IRQ and FIQ lines has changed. Called from whichever thread caused
 * it, with the GIC's lock held: it must be short and must not call back into the GIC. Calls for
 * one CPU come in order. The lines start low.
 * n_cpus: 1 to GICV3_MAX_CPUS; n_spis: a multiple of 32, up to GICV3_MAX_SPIS. Out of range is a
 * caller's bug (asserted). opaque is borrowed. */
Gicv3 *gicv3_new(unsigned n_cpus, unsigned n_spis,
                 void (*update)(void *opaque, unsigned cpu, bool irq, bool fiq), void *opaque);
/* No other call may be under way or follow. NULL is fine. */
void gicv3_free(Gicv3 *gic);
/* All registers back to power-on. Wires keep their level; CPU lines follow what is now signalled.
 */
void gicv3_reset(Gicv3 *gic);

/* A guest access to GICD_* at offset in the 64 KiB frame, size in bytes. Whatever the architecture
 * does not define (size, alignment, offset) reads as zero and ignores writes. */
uint64_t gicv3_dist_read(Gicv3 *gic, uint64_t offset, unsigned size);
void gicv3_dist_write(Gicv3 *gic, uint64_t offset, uint64_t value, unsigned size);

/* The same for GICR_*: offset = cpu * GICV3_REDIST_STRIDE + offset in that CPU's two frames. */
uint64_t gicv3_redist_read(Gicv3 *gic, uint64_t offset, unsigned size);
void gicv3_redist_write(Gicv3 *gic, uint64_t offset, uint64_t value, unsigned size);

/* MRS and MSR of ICC_*_EL1 by cpu at EL1. FALSE: not a register of this GIC, or not in that
 * direction; the owner raises the UNDEFINED exception. */
bool gicv3_sysreg_read(Gicv3 *gic, unsigned cpu, uint32_t reg, uint64_t *value);
bool gicv3_sysreg_write(Gicv3 *gic, unsigned cpu, uint32_t reg, uint64_t value);

/* Wires. A PPI (INTID 16 to 31 of cpu) or SPI (INTID 32 up): level-sensitive ones are pending
 * while high, edge-triggered ones become pending when the level rises. An INTID this GIC does not
 * have is ignored. */
void gicv3_set_ppi(Gicv3 *gic, unsigned cpu, unsigned intid, bool level);
void gicv3_set_spi(Gicv3 *gic, unsigned intid, bool level);

/* Sets the pending latch as a write to GICD_ISPENDR does, whatever the trigger: cleared when some
 * CPU acknowledges the interrupt. */
void gicv3_pend_spi(Gicv3 *gic, unsigned intid);
