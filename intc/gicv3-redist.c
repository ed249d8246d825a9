/* SPDX-License-Identifier: GPL-2.0-or-later
 * The redistributors' registers, GICR_* (IHI 0069 sections 12.10 and 12.11): one RD and one SGI
 * frame for each CPU. Without LPIs; the wake request of a sleeping redistributor is not modelled.
 */
#include "gicv3-priv.h"

enum {
    GICR_CTLR = 0x0,
    GICR_IIDR = 0x4,
    GICR_TYPER = 0x8, /* 64 bits */
    GICR_WAKER = 0x14,
    GICR_ID = 0xffd0,
    GICR_SGI_FRAME = 0x10000,
    GICR_BANKS = GICR_SGI_FRAME + 0x80,
    GICR_BANKS_END = GICR_SGI_FRAME + 0xd00,
};

#define CTLR_DPG0   (1u << 24)
#define CTLR_DPG1NS (1u << 25)

#define TYPER_LAST            (1u << 4)
#define TYPER_DPGS            (1u << 5)
#define TYPER_PROCESSOR_SHIFT 8
#define TYPER_AFFINITY_SHIFT  32

#define WAKER_PROCESSOR_SLEEP 0x2u
#define WAKER_CHILDREN_ASLEEP 0x4u /* follows ProcessorSleep at once */

static uint64_t typer(const Gicv3 *gic, unsigned number)
{
    return (uint64_t)number << TYPER_AFFINITY_SHIFT | (uint64_t)number << TYPER_PROCESSOR_SHIFT |
           TYPER_DPGS | (number == gic->n_cpus - 1 ? TYPER_LAST : 0);
}

static uint32_t rd_read32(Gicv3 *gic, unsigned number, unsigned offset)
{
    const GicCpu *cpu = &gic->cpus[number];

    switch (offset) {
    case GICR_CTLR:
        return (cpu->no_1n[0] ? CTLR_DPG0 : 0) | (cpu->no_1n[1] ? CTLR_DPG1NS : 0);
    case GICR_IIDR:
        return GIC_IIDR;
    case GICR_TYPER:
        return typer(gic, number);
    case GICR_TYPER + 4:
        return typer(gic, number) >> 32;
    case GICR_WAKER:
        return cpu->asleep ? WAKER_PROCESSOR_SLEEP | WAKER_CHILDREN_ASLEEP : 0;
    default:
        return offset >= GICR_ID && offset < GICR_SGI_FRAME ? gicv3_id_read(offset) : 0;
    }
}

static void rd_write32(Gicv3 *gic, unsigned number, unsigned offset, uint32_t value)
{
    GicCpu *cpu = &gic->cpus[number];

    switch (offset) {
    case GICR_CTLR:
        cpu->no_1n[0] = value & CTLR_DPG0;
        cpu->no_1n[1] = value & CTLR_DPG1NS;
        break;
    case GICR_WAKER:
        cpu->asleep = value & WAKER_PROCESSOR_SLEEP;
        break;
    default:
        return;
    }
    gicv3_reroute_1n(gic);
    gicv3_touch(gic, number);
}

static bool bad_access(const Gicv3 *gic, uint64_t offset, unsigned size)
{
    return offset / GICV3_REDIST_STRIDE >= gic->n_cpus || (size != 1 && size != 4 && size != 8) ||
           offset % size != 0;
}

uint64_t gicv3_redist_read(Gicv3 *gic, uint64_t offset, unsigned size)
{
    unsigned number = offset / GICV3_REDIST_STRIDE;
    uint64_t value = 0;

    if (bad_access(gic, offset, size)) {
        return 0;
    }
    offset %= GICV3_REDIST_STRIDE;
    gicv3_lock(gic);
    if (offset >= GICR_BANKS && offset < GICR_BANKS_END) {
        value = gicv3_bank_read(gic, number, offset - GICR_SGI_FRAME, size);
    } else if (size == 8 && offset == GICR_TYPER) {
        value = typer(gic, number);
    } else if (size == 4) {
        value = rd_read32(gic, number, offset);
    }
    gicv3_unlock(gic);
    return value;
}

void gicv3_redist_write(Gicv3 *gic, uint64_t offset, uint64_t value, unsigned size)
{
    unsigned number = offset / GICV3_REDIST_STRIDE;

    if (bad_access(gic, offset, size)) {
        return;
    }
    offset %= GICV3_REDIST_STRIDE;
    gicv3_lock(gic);
    if (offset >= GICR_BANKS && offset < GICR_BANKS_END) {
        gicv3_bank_write(gic, number, offset - GICR_SGI_FRAME, value, size);
    } else if (size == 4) {
        rd_write32(gic, number, offset, value);
    }
    gicv3_unlock(gic);
}
