/* SPDX-License-Identifier: GPL-2.0-or-later
 * The system registers: what MRS and MSR by name see and do, at EL1 and as far as EL1 allows it at
 * EL0. The CPU described is an Armv8.0 one with FP, SIMD, CRC32 and a GICv3 system-register
 * interface, without EL2, EL3 and AArch32; a register it lacks is UNDEFINED.
 */
#include "a64.h"

#define REG_DAIF   SYSREG(3, 3, 4, 2, 1)
#define REG_NZCV   SYSREG(3, 3, 4, 2, 0)
#define REG_SP_EL0 SYSREG(3, 0, 4, 1, 0)

static const struct {
    uint32_t reg;
    uint64_t value;
} id_registers[] = {
    { SYSREG(3, 0, 0, 0, 0), 0x410fd034 }, /* MIDR_EL1: Cortex-A53 r0p4 */
    { SYSREG(3, 0, 0, 0, 6), 1 << 8 },     /* REVIDR_EL1: 843419 is fixed */
    { SYSREG(3, 0, 0, 4, 0), UINT64_C(0x01000011) | UINT64_C(1) << 60 | UINT64_C(1) << 56 },
    /* ID_AA64PFR0_EL1 above: EL0 and EL1 AArch64 only, FP, SIMD, GIC, CSV2, CSV3 */
    { SYSREG(3, 0, 0, 5, 0), 0x10305006 },        /* ID_AA64DFR0_EL1: no PMU */
    { SYSREG(3, 0, 0, 6, 0), 0x10000 },           /* ID_AA64ISAR0_EL1: CRC32 */
    { SYSREG(3, 0, 0, 7, 0), 0x0f001022 },        /* ID_AA64MMFR0_EL1: 40 bits, 4K only */
    { SYSREG(3, 0, 0, 7, 2), UINT64_C(1) << 60 }, /* ID_AA64MMFR2_EL1: E0PD, for KASLR's sake */
    { SYSREG(3, 1, 0, 0, 0), 0x700fe01a },        /* CCSIDR_EL1: 32 KiB, 4 ways */
    { SYSREG(3, 1, 0, 0, 1), 0x0a200023 },        /* CLIDR_EL1 */
    { SYSREG(3, 1, 0, 0, 7), 0 },                 /* AIDR_EL1 */
    { SYSREG(3, 3, 14, 0, 0), TIMER_FREQUENCY },  /* CNTFRQ_EL0 */
    { SYSREG(3, 3, 0, 0, 7), 4 },                 /* DCZID_EL0: 64 bytes */
    { SYSREG(2, 0, 1, 1, 4), 0 },                 /* OSLSR_EL1 */
    { SYSREG(2, 0, 1, 3, 4), 0 },                 /* OSDLR_EL1 */
    { SYSREG(2, 0, 7, 14, 6), 0 },                /* DBGAUTHSTATUS_EL1 */
    { SYSREG(2, 0, 1, 0, 0), 0 },                 /* MDRAR_EL1 */
};

void sysreg_reset(A64Vcpu *v)
{
    v->sys = (A64Sysregs){ .sctlr = 0x30d00800 };
    v->el = 1;
    v->spsel = 1;
    v->daif = PSTATE_DAIF;
    v->nzcv = 0;
    v->excl_size = 0;
}

/* The storage of a register that is plain memory, else NULL; *mask: the bits that can be set. */
static uint64_t *plain(A64Vcpu *v, uint32_t reg, uint64_t *mask)
{
    A64Sysregs *s = &v->sys;

    *mask = UINT64_MAX;
    switch (reg) {
    case SYSREG(3, 0, 5, 2, 0):
        *mask = UINT32_MAX;
        return &s->esr;
    case SYSREG(3, 0, 6, 0, 0):
        return &s->far;
    case SYSREG(3, 0, 4, 0, 1):
        return &s->elr;
    case SYSREG(3, 0, 4, 0, 0):
        *mask = UINT32_MAX;
        return &s->spsr;
    case SYSREG(3, 0, 12, 0, 0):
        *mask = ~UINT64_C(0x7ff);
        return &s->vbar;
    case SYSREG(3, 0, 13, 0, 4):
        return &s->tpidr_el1;
    case SYSREG(3, 3, 13, 0, 2):
        return &s->tpidr_el0;
    case SYSREG(3, 3, 13, 0, 3):
        return &s->tpidrro_el0;
    case SYSREG(3, 0, 7, 4, 0):
        return &s->par;
    case SYSREG(3, 0, 5, 1, 0):
        return &s->afsr[0];
    case SYSREG(3, 0, 5, 1, 1):
        return &s->afsr[1];
    case SYSREG(3, 0, 10, 3, 0):
        return &s->amair;
    case SYSREG(3, 0, 13, 0, 1):
        *mask = UINT32_MAX;
        return &s->contextidr;
    case SYSREG(3, 2, 0, 0, 0):
        *mask = 0xf;
        return &s->csselr;
    case SYSREG(3, 0, 14, 1, 0):
        *mask = 0x3ff;
        return &s->cntkctl;
    case SYSREG(3, 0, 1, 0, 2):
        *mask = 3 << 20;
        return &s->cpacr;
    case SYSREG(2, 0, 0, 2, 2):
        *mask = 0; /* MDSCR_EL1: no debug exceptions are implemented */
        return &s->mdscr;
    default:
        return NULL;
    }
}

bool sysreg_fp_enabled(const A64Vcpu *v, unsigned el)
{
    unsigned fpen = v->sys.cpacr >> 20 & 3;

    return fpen == 3 || (fpen == 1 && el == 1);
}

uint32_t sysreg_jit_config(const A64Vcpu *v, A64Mode mode)
{
    uint32_t config = sysreg_fp_enabled(v, mode != MODE_EL0);

    if (mode == MODE_EL0) {
        config |= (uint32_t)(v->sys.cntkctl & 3) << 1;     /* EL0PCTEN, EL0VCTEN */
        config |= (uint32_t)(v->sys.sctlr >> 14 & 3) << 3; /* DZE, UCT */
        config |= (uint32_t)(v->sys.sctlr >> 26 & 1) << 5; /* UCI */
    }
    return config;
}

/* EL0 may use only these, and some only by leave of EL1. FALSE: trapped or UNDEFINED. */
static bool el0_may(const A64Vcpu *v, uint32_t reg, bool write)
{
    uint64_t kctl = v->sys.cntkctl;

    switch (reg) {
    case REG_NZCV:
    case SYSREG(3, 3, 13, 0, 2):
        return true;
    case SYSREG(3, 3, 13, 0, 3):
        return !write;
    case SYSREG(3, 3, 0, 0, 1):
        return !write && v->sys.sctlr >> 15 & 1;
    case SYSREG(3, 3, 0, 0, 7):
        return !write;
    case REG_DAIF:
        return v->sys.sctlr >> 9 & 1;
    case SYSREG(3, 3, 14, 0, 0):
        return !write && kctl & 3;
    case SYSREG(3, 3, 14, 0, 1):
        return !write && kctl & 1;
    case SYSREG(3, 3, 14, 0, 2):
        return !write && kctl & 2;
    case SYSREG(3, 3, 14, 3, 0):
    case SYSREG(3, 3, 14, 3, 1):
    case SYSREG(3, 3, 14, 3, 2):
        return kctl >> 8 & 1;
    case SYSREG(3, 3, 14, 2, 0):
    case SYSREG(3, 3, 14, 2, 1):
    case SYSREG(3, 3, 14, 2, 2):
        return kctl >> 9 & 1;
    default:
        return false;
    }
}

static bool timer_read(A64Vcpu *v, uint32_t reg, uint64_t *value)
{
    unsigned t = (reg >> 3 & 15) == 3 ? 0 : 1; /* CRm 3: virtual, 2: physical */

    switch (reg & 7) {
    case 0:
        *value = (uint32_t)(v->sys.cnt_cval[t] - timer_count());
        return true;
    case 1:
        *value = v->sys.cnt_ctl[t] | (timer_condition(v, t) ? 4 : 0);
        return true;
    case 2:
        *value = v->sys.cnt_cval[t];
        return true;
    default:
        return false;
    }
}

static bool timer_write(A64Vcpu *v, uint32_t reg, uint64_t value)
{
    unsigned t = (reg >> 3 & 15) == 3 ? 0 : 1;

    switch (reg & 7) {
    case 0:
        v->sys.cnt_cval[t] = timer_count() + (uint64_t)(int64_t)(int32_t)value;
        break;
    case 1:
        v->sys.cnt_ctl[t] = value & 3;
        break;
    case 2:
        v->sys.cnt_cval[t] = value;
        break;
    default:
        return false;
    }
    timer_update(v);
    return true;
}

static bool is_timer(uint32_t reg)
{
    uint32_t group = reg & ~UINT32_C(7);

    return group == SYSREG(3, 3, 14, 3, 0) || group == SYSREG(3, 3, 14, 2, 0);
}

/* Breakpoint and watchpoint registers: without debug exceptions (MDSCR_EL1 reads as zero) they do
 * nothing. */
static bool is_debug_slot(uint32_t reg)
{
    return (reg & ~SYSREG(0, 0, 0, 15, 3)) == SYSREG(2, 0, 0, 0, 4);
}

bool sysreg_read(A64Vcpu *v, uint32_t reg, uint64_t *value)
{
    uint64_t mask;
    const uint64_t *p;

    if (v->el == 0 && !el0_may(v, reg, false)) {
        return false;
    }
    p = plain(v, reg, &mask);
    if (p) {
        *value = *p;
        return true;
    }
    if (is_timer(reg)) {
        return timer_read(v, reg, value);
    }
    switch (reg) {
    case SYSREG(3, 0, 1, 0, 0):
        *value = v->sys.sctlr;
        return true;
    case SYSREG(3, 0, 1, 0, 1): /* ACTLR_EL1 */
        *value = 0;
        return true;
    case SYSREG(3, 0, 2, 0, 0):
    case SYSREG(3, 0, 2, 0, 1):
        *value = v->sys.ttbr[reg & 1];
        return true;
    case SYSREG(3, 0, 2, 0, 2):
        *value = v->sys.tcr;
        return true;
    case SYSREG(3, 0, 10, 2, 0):
        *value = v->sys.mair;
        return true;
    case SYSREG(3, 0, 4, 2, 2): /* CurrentEL */
        *value = (uint64_t)v->el << 2;
        return true;
    case SYSREG(3, 0, 4, 2, 0): /* SPSel */
        *value = v->spsel;
        return true;
    case REG_DAIF:
        *value = v->daif;
        return true;
    case REG_SP_EL0:
        if (!v->spsel) {
            return false;
        }
        *value = v->sp_bank[0];
        return true;
    case SYSREG(3, 3, 0, 0, 1):
        *value = A64_CTR_EL0;
        return true;
    case SYSREG(3, 3, 14, 0, 1):
    case SYSREG(3, 3, 14, 0, 2):
        *value = timer_count();
        return true;
    case SYSREG(3, 0, 0, 0, 5): /* MPIDR_EL1 */
        *value = UINT64_C(1) << 31 | v->index;
        return true;
    case SYSREG(3, 0, 12, 1, 0): /* ISR_EL1 */
        *value =
            (LOAD_ACQUIRE(&v->irq_line) ? 1 << 7 : 0) | (LOAD_ACQUIRE(&v->fiq_line) ? 1 << 6 : 0);
        return true;
    case REG_NZCV:
        *value = v->nzcv;
        return true;
    default:
        break;
    }
    if (is_debug_slot(reg)) {
        *value = 0;
        return true;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(id_registers); i++) {
        if (id_registers[i].reg == reg) {
            *value = id_registers[i].value;
            return true;
        }
    }
    /* The rest of the ID space (CRn 0, CRm 1 to 7) reads as zero: nothing of it is implemented. */
    if ((reg & ~UINT32_C(0x3f)) == SYSREG(3, 0, 0, 0, 0) && (reg >> 3 & 7) != 0) {
        *value = 0;
        return true;
    }
    return gicv3_sysreg_read(v->vm->gic, v->index, reg, value);
}

static void write_ttbr(A64Vcpu *v, unsigned n, uint64_t value)
{
    uint64_t changed = v->sys.ttbr[n] ^ value;

    if (!changed) {
        return;
    }
    v->sys.ttbr[n] = value;
    /* Another base or ASID below; above, an ASID kept in TTBR1 also changes the lower half. An ASID
     * concerns the upper half only if something there is not global. */
    if ((n == 1 && changed & UINT64_C(0x0000fffffffffffe)) || (v->upper_by_asid && changed >> 48)) {
        inval_local(v, INVAL_ALL, 0);
    } else {
        tlb_flush_low(v);
        v->quarantine = QUARANTINE_BLOCKS;
        for (unsigned m = 0; m < N_MODES; m++) {
            if (v->jit[m]) {
                jit_recheck(v->jit[m], true, false);
            }
        }
    }
}

bool sysreg_write(A64Vcpu *v, uint32_t reg, uint64_t value)
{
    uint64_t mask, *p;

    if (v->el == 0 && !el0_may(v, reg, true)) {
        return false;
    }
    p = plain(v, reg, &mask);
    if (p) {
        *p = value & mask;
        return true;
    }
    if (is_timer(reg)) {
        return timer_write(v, reg, value);
    }
    switch (reg) {
    case SYSREG(3, 0, 1, 0, 0):
        /* Little-endian only: EE and E0E stay clear. */
        value = (value & ~UINT64_C(0x03000000)) | 0x30d00800;
        if (v->sys.sctlr != value) {
            v->sys.sctlr = value;
            inval_local(v, INVAL_ALL, 0);
        }
        return true;
    case SYSREG(3, 0, 1, 0, 1):
        return true;
    case SYSREG(3, 0, 2, 0, 0):
    case SYSREG(3, 0, 2, 0, 1):
        write_ttbr(v, reg & 1, value);
        return true;
    case SYSREG(3, 0, 2, 0, 2):
        if (v->sys.tcr != value) {
            v->sys.tcr = value;
            inval_local(v, INVAL_ALL, 0);
        }
        return true;
    case SYSREG(3, 0, 10, 2, 0):
        if (v->sys.mair != value) {
            v->sys.mair = value;
            inval_local(v, INVAL_ALL, 0);
        }
        return true;
    case SYSREG(3, 0, 4, 2, 0):
        exception_set_mode(v, v->el, value & 1);
        return true;
    case REG_DAIF:
        v->daif = (uint32_t)(value & PSTATE_DAIF);
        return true;
    case REG_SP_EL0:
        if (!v->spsel) {
            return false;
        }
        v->sp_bank[0] = value;
        return true;
    case REG_NZCV:
        v->nzcv = (uint32_t)(value & PSTATE_NZCV);
        return true;
    case SYSREG(2, 0, 1, 0, 4): /* OSLAR_EL1: there is no debug state to lock */
    case SYSREG(2, 0, 1, 3, 4):
        return true;
    default:
        return is_debug_slot(reg) || gicv3_sysreg_write(v->vm->gic, v->index, reg, value);
    }
}
