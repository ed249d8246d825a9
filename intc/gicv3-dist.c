/* SPDX-License-Identifier: GPL-2.0-or-later
 * The distributor's registers, GICD_* (IHI 0069 section 12.9), as a GIC shows them that has one
 * security state and affinity routing only: legacy routing, message-based and extended SPIs,
 * non-secure access control and GICD_SGIR are RES0.
 */
#include "gicv3-priv.h"

enum {
    GICD_CTLR = 0x0,
    GICD_TYPER = 0x4,
    GICD_IIDR = 0x8,
    GICD_BANKS = 0x80,
    GICD_BANKS_END = 0xd00,
    GICD_IROUTER = 0x6000, /* + 8 * INTID */
    GICD_IROUTER_END = 0x8000,
    GICD_ID = 0xffd0,
};

#define CTLR_ENABLE_GRP0 0x1u
#define CTLR_ENABLE_GRP1 0x2u
#define CTLR_ARE         0x10u /* read as one */
#define CTLR_DS          0x40u /* read as one */

#define TYPER_IDBITS_SHIFT 19
#define TYPER_A3V          (1u << 24)
#define TYPER_RSS          (1u << 26)
#define INTID_BITS         10

#define IROUTER_IRM   UINT64_C(0x80000000)
#define IROUTER_VALID (UINT64_C(0xff00ffffff) | IROUTER_IRM)

uint32_t gicv3_id_read(unsigned offset)
{
    /* PIDR4-7, PIDR0-3, CIDR0-3. Of these the architecture defines PIDR2 (bits 7:4, GICv3) and
     * the component ID; the others name no product. */
    static const uint8_t ids[12] = { 0, 0, 0, 0, 0, 0, 0x30, 0, 0x0d, 0xf0, 0x05, 0xb1 };

    return ids[(offset - GICD_ID) / 4];
}

static uint32_t dist_read32(Gicv3 *gic, unsigned offset)
{
    switch (offset) {
    case GICD_CTLR:
        return CTLR_DS | CTLR_ARE | (gic->group_on[0] ? CTLR_ENABLE_GRP0 : 0) |
               (gic->group_on[1] ? CTLR_ENABLE_GRP1 : 0);
    case GICD_TYPER:
        return TYPER_RSS | TYPER_A3V | (INTID_BITS - 1) << TYPER_IDBITS_SHIFT |
               (gic->n_intids / 32 - 1);
    case GICD_IIDR:
        return GIC_IIDR;
    default:
        return offset >= GICD_ID ? gicv3_id_read(offset) : 0;
    }
}

/* The INTID whose GICD_IROUTER holds offset; 0: none. */
static unsigned router_intid(const Gicv3 *gic, unsigned offset)
{
    unsigned intid = (offset - GICD_IROUTER) / 8;

    return offset >= GICD_IROUTER && offset < GICD_IROUTER_END && intid >= GIC_SPI_BASE &&
                   intid < gic->n_intids
               ? intid
               : 0;
}

static uint64_t router_read(const Gicv3 *gic, unsigned intid, unsigned offset, unsigned size)
{
    if (size == 8) {
        return gic->router[intid];
    }
    return size == 4 ? (uint32_t)(gic->router[intid] >> offset % 8 * 8) : 0;
}

static void router_write(Gicv3 *gic, unsigned intid, unsigned offset, uint64_t value, unsigned size)
{
    GicBank *bank = &gic->banks[intid / 32];
    uint32_t bit = 1u << intid % 32;
    uint64_t mask = size == 8 ? UINT64_MAX : (uint64_t)UINT32_MAX << offset % 8 * 8;

    if (size < 4) {
        return;
    }
    value <<= offset % 8 * 8;
    gic->router[intid] = (gic->router[intid] & ~mask) | (value & mask & IROUTER_VALID);
    bank->any_cpu = gic->router[intid] & IROUTER_IRM ? bank->any_cpu | bit : bank->any_cpu & ~bit;
    gicv3_requeue(gic, 0, intid);
}

static bool bad_access(uint64_t offset, unsigned size)
{
    return offset >= GICV3_DIST_SIZE || (size != 1 && size != 4 && size != 8) || offset % size != 0;
}

uint64_t gicv3_dist_read(Gicv3 *gic, uint64_t offset, unsigned size)
{
    uint64_t value = 0;
    unsigned intid;

    if (bad_access(offset, size)) {
        return 0;
    }
    gicv3_lock(gic);
    intid = router_intid(gic, offset);
    if (intid != 0) {
        value = router_read(gic, intid, offset, size);
    } else if (offset >= GICD_BANKS && offset < GICD_BANKS_END) {
        value = gicv3_bank_read(gic, GIC_DIST, offset, size);
    } else if (size == 4) {
        value = dist_read32(gic, offset);
    }
    gicv3_unlock(gic);
    return value;
}

void gicv3_dist_write(Gicv3 *gic, uint64_t offset, uint64_t value, unsigned size)
{
    unsigned intid;

    if (bad_access(offset, size)) {
        return;
    }
    gicv3_lock(gic);
    intid = router_intid(gic, offset);
    if (intid != 0) {
        router_write(gic, intid, offset, value, size);
    } else if (offset >= GICD_BANKS && offset < GICD_BANKS_END) {
        gicv3_bank_write(gic, GIC_DIST, offset, value, size);
    } else if (offset == GICD_CTLR && size == 4) {
        gic->group_on[0] = value & CTLR_ENABLE_GRP0;
        gic->group_on[1] = value & CTLR_ENABLE_GRP1;
        gicv3_touch_all(gic);
    }
    gicv3_unlock(gic);
}
