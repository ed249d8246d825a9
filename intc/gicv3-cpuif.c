/* SPDX-License-Identifier: GPL-2.0-or-later
 * The CPU interface: ICC_*_EL1 as a non-secure EL1 sees them in a GIC with one security state
 * (IHI 0069 sections 4.8 and 12.2): acknowledge, priority drop, deactivation, masks, preemption,
 * SGI generation. ICC_SRE_EL1 is fixed: there is no memory-mapped CPU interface.
 */
#include "gicv3-priv.h"

enum {
    ICC_PMR = GICV3_SYSREG(3, 0, 4, 6, 0),
    ICC_IAR0 = GICV3_SYSREG(3, 0, 12, 8, 0),
    ICC_EOIR0 = GICV3_SYSREG(3, 0, 12, 8, 1),
    ICC_HPPIR0 = GICV3_SYSREG(3, 0, 12, 8, 2),
    ICC_BPR0 = GICV3_SYSREG(3, 0, 12, 8, 3),
    ICC_AP0R0 = GICV3_SYSREG(3, 0, 12, 8, 4),
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

#define CTLR_CBPR     0x1u
#define CTLR_EOIMODE  0x2u
#define CTLR_PRI_BITS (4u << 8) /* 5 bits; IDbits 0: 16 bits */
#define CTLR_A3V      (1u << 15)
#define CTLR_RSS      (1u << 18)

#define SRE_SRE_DFB_DIB 0x7u

#define INTID_MASK 0xffffffu

#define SGI_INTID(v)   ((v) >> 24 & 0xf)
#define SGI_RANGE(v)   ((v) >> 44 & 0xf)
#define SGI_ALL_BUT_ME (UINT64_C(1) << 40)
#define SGI_AFF3_2_1   UINT64_C(0x00ff00ff00ff0000)

uint8_t gicv3_group_priority(const GicCpu *cpu, unsigned group, uint8_t priority)
{
    /* Table "priority grouping": the non-secure binary point of group 1 counts from one. */
    unsigned point = group == 1 && !cpu->common_bpr ? cpu->bpr[1] - 1u : cpu->bpr[0];

    return priority & 0xffu << (point + 1);
}

uint8_t gicv3_running_priority(const GicCpu *cpu)
{
    uint32_t active = cpu->apr[0] | cpu->apr[1];

    return active != 0 ? __builtin_ctz(active) << GIC_LEVEL_SHIFT : GIC_IDLE_PRIORITY;
}

static unsigned acknowledge(Gicv3 *gic, unsigned number, unsigned group)
{
    GicCpu *cpu = &gic->cpus[number];
    GicCandidate candidate;
    GicBank *bank;

    if (!gicv3_signalled(gic, cpu, &candidate) || candidate.group != group) {
        return GIC_SPURIOUS;
    }
    bank = gicv3_bank(gic, number, candidate.intid);
    bank->active |= 1u << candidate.intid % 32;
    bank->latch &= ~(1u << candidate.intid % 32);
    cpu->apr[group] |=
        1u << (gicv3_group_priority(cpu, group, candidate.priority) >> GIC_LEVEL_SHIFT);
    gicv3_requeue(gic, number, candidate.intid);
    gicv3_touch(gic, number);
    return candidate.intid;
}

static void deactivate(Gicv3 *gic, unsigned number, unsigned intid)
{
    gicv3_bank(gic, number, intid)->active &= ~(1u << intid % 32);
    gicv3_requeue(gic, number, intid);
}

/* An EOI that does not belong to the interrupt that runs (no such INTID, other group) is
 * UNPREDICTABLE in the architecture; here it does nothing. */
static void end_of_interrupt(Gicv3 *gic, unsigned number, unsigned group, unsigned intid)
{
    GicCpu *cpu = &gic->cpus[number];
    uint32_t active = cpu->apr[0] | cpu->apr[1];
    uint32_t running = active & -active;

    if (intid >= gic->n_intids || (cpu->apr[group] & running) == 0) {
        return;
    }
    cpu->apr[group] &= ~running;
    gicv3_touch(gic, number);
    if (!cpu->eoi_drop_only && (gicv3_bank(gic, number, intid)->group >> intid % 32 & 1) == group) {
        deactivate(gic, number, intid);
    }
}

/* A target takes the SGI only if it has configured it for the group that the register names. */
static void send_sgi(Gicv3 *gic, unsigned number, unsigned group, uint64_t value)
{
    unsigned intid = SGI_INTID(value);
    unsigned first = SGI_RANGE(value) * 16;

    for (unsigned target = 0; target < gic->n_cpus; target++) {
        GicBank *bank = &gic->cpus[target].bank;
        bool listed = target >= first && target < first + 16 && (value & SGI_AFF3_2_1) == 0 &&
                      value >> (target - first) & 1;

        if ((value & SGI_ALL_BUT_ME ? target != number : listed) &&
            (bank->group >> intid & 1) == group) {
            bank->latch |= 1u << intid;
            gicv3_requeue(gic, target, intid);
        }
    }
}

static unsigned highest_pending(const Gicv3 *gic, const GicCpu *cpu, unsigned group)
{
    GicCandidate candidate;

    return gicv3_hppi(gic, cpu, &candidate) && candidate.group == group ? candidate.intid
                                                                        : GIC_SPURIOUS;
}

static void set_group_enable(Gicv3 *gic, unsigned number, unsigned group, bool on)
{
    if (gic->cpus[number].group_on[group] != on) {
        gic->cpus[number].group_on[group] = on;
        gicv3_reroute_1n(gic);
        gicv3_touch(gic, number);
    }
}

static bool read_register(Gicv3 *gic, unsigned number, uint32_t reg, uint64_t *value)
{
    const GicCpu *cpu = &gic->cpus[number];

    switch (reg) {
    case ICC_PMR:
        *value = cpu->pmr;
        return true;
    case ICC_IAR0:
    case ICC_IAR1:
        *value = acknowledge(gic, number, reg == ICC_IAR1);
        return true;
    case ICC_HPPIR0:
    case ICC_HPPIR1:
        *value = highest_pending(gic, cpu, reg == ICC_HPPIR1);
        return true;
    case ICC_BPR0:
        *value = cpu->bpr[0];
        return true;
    case ICC_BPR1:
        *value = cpu->common_bpr ? MIN(cpu->bpr[0] + 1, 7) : cpu->bpr[1];
        return true;
    case ICC_AP0R0:
    case ICC_AP1R0:
        *value = cpu->apr[reg == ICC_AP1R0];
        return true;
    case ICC_RPR:
        *value = gicv3_running_priority(cpu);
        return true;
    case ICC_CTLR:
        *value = CTLR_RSS | CTLR_A3V | CTLR_PRI_BITS | (cpu->eoi_drop_only ? CTLR_EOIMODE : 0) |
                 (cpu->common_bpr ? CTLR_CBPR : 0);
        return true;
    case ICC_SRE:
        *value = SRE_SRE_DFB_DIB;
        return true;
    case ICC_IGRPEN0:
    case ICC_IGRPEN1:
        *value = cpu->group_on[reg == ICC_IGRPEN1];
        return true;
    default:
        return false;
    }
}

static bool write_register(Gicv3 *gic, unsigned number, uint32_t reg, uint64_t value)
{
    GicCpu *cpu = &gic->cpus[number];

    switch (reg) {
    case ICC_PMR:
        cpu->pmr = value & GIC_PRIORITY_MASK;
        break;
    case ICC_EOIR0:
    case ICC_EOIR1:
        end_of_interrupt(gic, number, reg == ICC_EOIR1, value & INTID_MASK);
        return true;
    case ICC_DIR:
        if (cpu->eoi_drop_only && (value & INTID_MASK) < gic->n_intids) {
            deactivate(gic, number, value & INTID_MASK);
        }
        return true;
    case ICC_BPR0:
        cpu->bpr[0] = MAX(value & 7, GIC_BPR0_MIN);
        break;
    case ICC_BPR1:
        if (!cpu->common_bpr) {
            cpu->bpr[1] = MAX(value & 7, GIC_BPR1_MIN);
        }
        break;
    case ICC_AP0R0:
    case ICC_AP1R0:
        cpu->apr[reg == ICC_AP1R0] = value;
        break;
    case ICC_SGI0R:
        send_sgi(gic, number, 0, value);
        return true;
    case ICC_SGI1R:
    case ICC_ASGI1R: /* the other security state's group 1 is the same one here */
        send_sgi(gic, number, 1, value);
        return true;
    case ICC_CTLR:
        cpu->common_bpr = value & CTLR_CBPR;
        cpu->eoi_drop_only = value & CTLR_EOIMODE;
        break;
    case ICC_SRE:
        return true;
    case ICC_IGRPEN0:
    case ICC_IGRPEN1:
        set_group_enable(gic, number, reg == ICC_IGRPEN1, value & 1);
        return true;
    default:
        return false;
    }
    gicv3_touch(gic, number);
    return true;
}

bool gicv3_sysreg_read(Gicv3 *gic, unsigned cpu, uint32_t reg, uint64_t *value)
{
    bool known;

    if (cpu >= gic->n_cpus) {
        return false;
    }
    gicv3_lock(gic);
    known = read_register(gic, cpu, reg, value);
    gicv3_unlock(gic);
    return known;
}

bool gicv3_sysreg_write(Gicv3 *gic, unsigned cpu, uint32_t reg, uint64_t value)
{
    bool known;

    if (cpu >= gic->n_cpus) {
        return false;
    }
    gicv3_lock(gic);
    known = write_register(gic, cpu, reg, value);
    gicv3_unlock(gic);
    return known;
}
