/* SPDX-License-Identifier: GPL-2.0-or-later
 * The registers that the distributor and each redistributor have in common: group, enable,
 * pending, active, priority and trigger, at the same offsets (IHI 0069 sections 12.9, 12.11).
 * The distributor's hold the SPIs, a redistributor's the SGIs and PPIs of its CPU.
 */
#include "gicv3-priv.h"

enum {
    BITMAP_START = 0x80, /* eight bitmaps of 0x80 bytes each, the first not ours */
    IPRIORITYR = 0x400,
    IPRIORITYR_END = 0x800,
    ICFGR = 0xc00,
    ICFGR_END = 0xd00,
};

typedef enum {
    IGROUPR = 1, /* offset / 0x80 */
    ISENABLER,
    ICENABLER,
    ISPENDR,
    ICPENDR,
    ISACTIVER,
    ICACTIVER,
} Bitmap;

/* Bank number as seen from the frame of cpu (or GIC_DIST); NULL: not in this frame. */
static GicBank *bank_of_frame(Gicv3 *gic, int cpu, unsigned number)
{
    if (cpu == GIC_DIST) {
        return number != 0 && number < gic->n_intids / 32 ? &gic->banks[number] : NULL;
    }
    return number == 0 ? &gic->cpus[cpu].bank : NULL;
}

static uint32_t bitmap_read(const GicBank *bank, Bitmap which)
{
    switch (which) {
    case IGROUPR:
        return bank->group;
    case ISENABLER:
    case ICENABLER:
        return bank->enabled;
    case ISPENDR:
    case ICPENDR:
        return bank->latch | (bank->line & ~bank->edge);
    case ISACTIVER:
    case ICACTIVER:
        return bank->active;
    }
    return 0;
}

/* Returns which interrupts have to be looked at again. */
static uint32_t bitmap_write(GicBank *bank, Bitmap which, uint32_t value)
{
    switch (which) {
    case IGROUPR:
        value ^= bank->group;
        bank->group ^= value;
        return value;
    case ISENABLER:
        bank->enabled |= value;
        return value;
    case ICENABLER:
        bank->enabled &= ~value;
        return value;
    case ISPENDR:
        bank->latch |= value;
        return value;
    case ICPENDR:
        bank->latch &= ~value;
        return value;
    case ISACTIVER:
        bank->active |= value;
        return value;
    case ICACTIVER:
        bank->active &= ~value;
        return value;
    }
    return 0;
}

/* ICFGR has two bits for each interrupt; the upper one is the trigger, the lower one is RES0. */
static uint32_t trigger_read(const GicBank *bank, unsigned half)
{
    uint32_t edge = bank->edge >> half * 16;
    uint32_t value = 0;

    for (unsigned i = 0; i < 16; i++) {
        value |= (edge >> i & 1) << (2 * i + 1);
    }
    return value;
}

static void trigger_write(GicBank *bank, unsigned half, uint32_t value)
{
    for (unsigned i = 0; i < 16; i++) {
        uint32_t bit = 1u << (half * 16 + i);

        bank->edge = value >> (2 * i + 1) & 1 ? bank->edge | bit : bank->edge & ~bit;
    }
}

uint32_t gicv3_bank_read(Gicv3 *gic, int cpu, unsigned offset, unsigned size)
{
    const GicBank *bank;
    uint32_t value = 0;

    if (offset >= IPRIORITYR && offset < IPRIORITYR_END && (size == 1 || size == 4)) {
        bank = bank_of_frame(gic, cpu, (offset - IPRIORITYR) / 32);
        for (unsigned i = 0; bank != NULL && i < size; i++) {
            value |= (uint32_t)bank->priority[offset % 32 + i] << i * 8;
        }
        return value;
    }
    if (size != 4) {
        return 0;
    }
    if (offset >= BITMAP_START && offset < IPRIORITYR) {
        bank = bank_of_frame(gic, cpu, offset % 0x80 / 4);
        return bank != NULL ? bitmap_read(bank, offset / 0x80) : 0;
    }
    if (offset >= ICFGR && offset < ICFGR_END) {
        bank = bank_of_frame(gic, cpu, (offset - ICFGR) / 8);
        return bank != NULL ? trigger_read(bank, offset / 4 % 2) : 0;
    }
    return 0;
}

void gicv3_bank_write(Gicv3 *gic, int cpu, unsigned offset, uint32_t value, unsigned size)
{
    GicBank *bank;
    unsigned number, half;

    if (offset >= IPRIORITYR && offset < IPRIORITYR_END && (size == 1 || size == 4)) {
        number = (offset - IPRIORITYR) / 32;
        bank = bank_of_frame(gic, cpu, number);
        for (unsigned i = 0; bank != NULL && i < size; i++) {
            bank->priority[offset % 32 + i] = value >> i * 8 & GIC_PRIORITY_MASK;
            gicv3_requeue(gic, cpu, offset - IPRIORITYR + i);
        }
        return;
    }
    if (size != 4) {
        return;
    }
    if (offset >= BITMAP_START && offset < IPRIORITYR) {
        number = offset % 0x80 / 4;
        bank = bank_of_frame(gic, cpu, number);
        if (bank != NULL) {
            gicv3_requeue_mask(gic, cpu, number, bitmap_write(bank, offset / 0x80, value));
        }
    } else if (offset >= ICFGR && offset < ICFGR_END) {
        number = (offset - ICFGR) / 8;
        half = offset / 4 % 2;
        bank = bank_of_frame(gic, cpu, number);
        if (bank != NULL && (number != 0 || half != 0)) { /* GICR_ICFGR0: SGIs stay edge */
            trigger_write(bank, half, value);
            gicv3_requeue_mask(gic, cpu, number, UINT32_C(0xffff) << half * 16);
        }
    }
}
