/* SPDX-License-Identifier: GPL-2.0-or-later
 * Instructions are rewritten as they are fetched for translation, where dynarmic has no notion of
 * what they mean at this exception level or a dearer one than needed:
 *  - privileged ones it would misread, or whose fault it could not report, trap to the interpreter;
 *  - at EL1 with SP_EL1 its two inline thread registers serve SP_EL0 and TPIDR_EL1, its counter
 *    callback serves DAIF, and unused cache operations serve DAIF writes; the instructions thus
 *    displaced trap;
 *  - barriers and acquire loads become what x86-64's ordering (TSO) leaves to do.
 */
#include "rewrite.h"

#include "decode.h"

#define NOP   UINT32_C(0xd503201f)
#define NO_RT UINT32_C(0xffffffe0)
#define RT    UINT32_C(0x1f)

#if !defined(__x86_64__)
#error "the memory-ordering rewrites below rest on TSO"
#endif

static bool is_fp(uint32_t insn)
{
    return (insn & 0x0c000000) == 0x0c000000;
}

/* Bits 31:30 of every load and store exclusive or ordered are its size: left alone. */
static uint32_t relax_ordering(uint32_t insn)
{
    if ((insn & 0xfffff01f) == 0xd503301f) {
        unsigned op = insn >> 5 & 7;

        if (op == 5 && (insn >> 8 & 3) != 3) {
            return NOP; /* DMB of loads or of stores only */
        }
        return insn; /* DSB has nothing else to complete: see inval_sync() */
    }
    /* Dynarmic puts a full fence behind each STLR and before each LDAR; the former is enough.
     * A store-exclusive is a locked compare-and-swap, itself a full fence. */
    if ((insn & 0x3ffffc00) == 0x08dffc00) {
        return (insn & 0xc00003ff) | 0x39400000; /* LDAR: LDR */
    }
    if ((insn & 0x3fe08000) == 0x08408000 || (insn & 0x3fe08000) == 0x08608000 ||
        (insn & 0x3fe08000) == 0x08008000 || (insn & 0x3fe08000) == 0x08208000) {
        return insn & ~UINT32_C(0x8000); /* LDAXR, LDAXP, STLXR, STLXP */
    }
    return insn;
}

static uint32_t rewrite_el0(const A64Vcpu *v, uint32_t insn)
{
    switch (insn & NO_RT) {
    case 0xd53be020: /* MRS CNTPCT_EL0 */
        return v->sys.cntkctl & 1 ? insn : REWRITE_TRAP;
    case 0xd53be040: /* MRS CNTVCT_EL0: the offset is zero */
        return v->sys.cntkctl & 2 ? 0xd53be020 | (insn & RT) : REWRITE_TRAP;
    case 0xd53be000: /* MRS CNTFRQ_EL0 */
        return v->sys.cntkctl & 3 ? insn : REWRITE_TRAP;
    case 0xd53b0020: /* MRS CTR_EL0 */
        return v->sys.sctlr >> 15 & 1 ? insn : REWRITE_TRAP;
    default:
        return insn;
    }
}

static uint32_t rewrite_el1h(uint32_t insn)
{
    switch (insn & NO_RT) {
    case 0xd5384100: /* MRS SP_EL0: TPIDRRO_EL0 */
        return 0xd53bd060 | (insn & RT);
    case 0xd538d080: /* MRS TPIDR_EL1: TPIDR_EL0 */
        return 0xd53bd040 | (insn & RT);
    case 0xd518d080: /* MSR TPIDR_EL1 */
        return 0xd51bd040 | (insn & RT);
    case 0xd53b4220: /* MRS DAIF: CNTPCT_EL0 */
        return 0xd53be020 | (insn & RT);
    case 0xd51b4220: /* MSR DAIF */
        return REWRITE_UNMASK;
    case 0xd53bd060: /* the displaced ones */
    case 0xd53bd040:
    case 0xd51bd040:
    case 0xd53be020:
        return REWRITE_TRAP;
    default:
        break;
    }
    switch (insn) {
    case 0xd50342df: /* MSR DAIFSet, #2 */
        return REWRITE_MASK_I;
    case 0xd50343df: /* MSR DAIFSet, #3 */
        return REWRITE_MASK_IF;
    case 0xd50342ff: /* MSR DAIFClr, #2 */
    case 0xd50343ff:
        return REWRITE_UNMASK;
    default:
        return insn;
    }
}

uint32_t rewrite_insn(const A64Vcpu *v, A64Mode mode, uint32_t insn)
{
    if (is_fp(insn) && !sysreg_fp_enabled(v, mode != MODE_EL0)) {
        return REWRITE_TRAP;
    }
    /* LDTR, STTR and kin at EL1 need EL0's view. */
    if (mode != MODE_EL0 && (insn & 0x3f200c00) == 0x38000800) {
        return REWRITE_TRAP;
    }
    /* Cache maintenance: dynarmic could not report its faults in time. */
    if ((insn & 0xfff8f000) == 0xd5087000) {
        return REWRITE_TRAP;
    }
    /* SEVL stands for something else; SEV and SEVL as such do nothing here (see WFE). */
    if (insn == 0xd503209f || insn == 0xd50320bf) {
        return NOP;
    }
    insn = relax_ordering(insn);
    switch (mode) {
    case MODE_EL0:
        return rewrite_el0(v, insn);
    case MODE_EL1H:
        return rewrite_el1h(insn);
    default:
        return insn;
    }
}

bool rewrite_ends_block(uint32_t insn)
{
    switch (decode(insn)) {
    case OP_B:
    case OP_B_COND:
    case OP_CBZ:
    case OP_TBZ:
    case OP_BR:
    case OP_EXCEPTION:
        return true;
    case OP_SYSTEM:
        if ((insn & 0xfffff000) == 0xd5033000) {
            return (insn >> 5 & 7) == 6; /* ISB */
        }
        if ((insn & 0xfff80000) == 0xd5080000) {
            return false;
        }
        return insn == REWRITE_TRAP || insn == REWRITE_UNMASK;
    default:
        return false;
    }
}
