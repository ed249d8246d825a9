/* SPDX-License-Identifier: GPL-2.0-or-later
 * The interpreter's system instructions, exception-generating instructions and branches to a
 * register (ERET among them). What registers and SYS operations mean is sysreg.c's and sysop.c's.
 */
#include "interp.h"

#include <sched.h>

static Result trap_system(A64Vcpu *v, uint32_t insn, uint64_t pc)
{
    unsigned op0 = insn >> 19 & 3, op1 = insn >> 16 & 7;

    /* What EL1 can allow EL0 and has not (MSR DAIFSet and DAIFClr with op0 0 among it) is reported
     * as a trapped access, the rest as UNDEFINED. */
    if (v->el == 0 && op1 == 3 && op0 != 2) {
        uint32_t iss = op0 << 20 | (insn >> 5 & 7) << 17 | op1 << 14 | (insn >> 12 & 15) << 10 |
                       (insn & 31) << 5 | (insn >> 8 & 15) << 1 | (insn >> 21 & 1);

        exception_take(v, EC_SYSREG, iss, pc);
    } else {
        exception_undefined(v, pc);
    }
    return RETURNED;
}

static Result hint(A64Vcpu *v, uint32_t insn, uint64_t pc)
{
    unsigned op = insn >> 5 & 127;

    switch (op) {
    case 2: /* WFE: the event register is taken to be set; a spinner yields the host CPU */
    case 3: /* WFI */
        if (v->el == 0 && !(v->sys.sctlr >> (op == 2 ? 18 : 16) & 1)) {
            exception_take(v, EC_WFX, 1 << 24 | 0xe << 20 | (op == 2), pc);
            return RETURNED;
        }
        if (op == 3) {
            v->pc = pc + 4;
            v->stop = STOP_WFI;
            return LEAVE;
        }
        if (v->vm->config.n_vcpus > 1) {
            sched_yield();
        }
        return NEXT;
    default:
        return NEXT;
    }
}

static Result barrier(A64Vcpu *v, uint32_t insn)
{
    switch (insn >> 5 & 7) {
    case 2: /* CLREX */
        v->excl_size = 0;
        return NEXT;
    case 4: /* DSB */
        full_fence();
        inval_sync(v);
        return NEXT;
    case 5: /* DMB; of loads or of stores only, TSO has it already */
        if ((insn >> 8 & 3) == 3) {
            full_fence();
        }
        return NEXT;
    case 6: /* ISB */
        return NEXT;
    default:
        return UNKNOWN;
    }
}

static Result move_immediate_to_pstate(A64Vcpu *v, uint32_t insn, uint64_t pc)
{
    unsigned op = (insn >> 16 & 7) << 3 | (insn >> 5 & 7);
    uint32_t bits = (insn >> 8 & 15) << 6;

    if (op >> 3 == 3 && v->el == 0 && !(v->sys.sctlr >> 9 & 1)) {
        return trap_system(v, insn, pc);
    }
    switch (op) {
    case 3 << 3 | 6:
        v->daif |= bits;
        return NEXT;
    case 3 << 3 | 7:
        v->daif &= ~bits;
        return NEXT;
    case 0 << 3 | 5:
        if (v->el == 0) {
            exception_undefined(v, pc);
            return RETURNED;
        }
        exception_set_mode(v, v->el, insn >> 8 & 1);
        return NEXT;
    default:
        exception_undefined(v, pc);
        return RETURNED;
    }
}

Result interp_system(A64Vcpu *v, uint32_t insn, uint64_t pc, unsigned *linger)
{
    unsigned op0 = insn >> 19 & 3, rt = insn & 31;
    uint32_t reg = insn >> 5 & 0xffff;
    uint64_t value;

    if (op0 >= 2) {
        /* FPCR, FPSR and what the JIT keeps of its own. */
        if ((reg & ~UINT32_C(1)) == SYSREG(3, 3, 4, 4, 0)) {
            return UNKNOWN;
        }
        if (insn >> 21 & 1) {
            if (!sysreg_read(v, reg, &value)) {
                return trap_system(v, insn, pc);
            }
            set_reg(v, rt, value);
        } else if (!sysreg_write(v, reg, v->x[rt])) {
            return trap_system(v, insn, pc);
        }
        return NEXT;
    }
    if (op0 == 1) {
        *linger = LINGER;
        if (insn >> 21 & 1 || !sysop_exec(v, insn, v->x[rt])) {
            return trap_system(v, insn, pc);
        }
        return v->fault.kind ? LEAVE : NEXT;
    }
    if ((insn & 0xfffff01f) == 0xd503201f) {
        return hint(v, insn, pc);
    }
    if ((insn & 0xfffff01f) == 0xd503301f) {
        return barrier(v, insn);
    }
    if ((insn & 0xfff8f01f) == 0xd500401f) {
        return move_immediate_to_pstate(v, insn, pc);
    }
    return UNKNOWN;
}

Result interp_exception(A64Vcpu *v, uint32_t insn, uint64_t pc)
{
    uint32_t imm = insn >> 5 & 0xffff;

    switch (insn & 0xffe0001f) {
    case 0xd4000001:
        exception_take(v, EC_SVC, imm, pc + 4);
        return RETURNED;
    case 0xd4000002: /* HVC: UNDEFINED at EL0 */
        if (v->el == 0) {
            exception_undefined(v, pc);
            return RETURNED;
        }
        v->pc = pc + 4;
        if (imm) {
            v->x[0] = UINT64_MAX; /* SMCCC: only HVC #0 is a call */
            return BRANCHED;
        }
        psci_call(v);
        return v->stop ? LEAVE : BRANCHED;
    case 0xd4200000:
        exception_take(v, EC_BRK, imm, pc);
        return RETURNED;
    default: /* SMC without EL3, HLT without a debugger, DCPS */
        exception_undefined(v, pc);
        return RETURNED;
    }
}

Result interp_branch_register(A64Vcpu *v, uint32_t insn, uint64_t pc)
{
    unsigned rn = insn >> 5 & 31;
    uint64_t target = v->x[rn];

    if (insn == 0xd69f03e0 && v->el == 1) {
        exception_return(v);
        return RETURNED;
    }
    switch (insn & 0xfffffc1f) {
    case 0xd63f0000:
        v->x[30] = pc + 4;
        break;
    case 0xd61f0000:
    case 0xd65f0000:
        break;
    default:
        return UNKNOWN;
    }
    if (v->sys.tcr >> (target >> 55 & 1 ? 38 : 37) & 1 && (v->el == 0 || target >> 55 & 1)) {
        target = target >> 55 & 1 ? target | UINT64_C(0xff) << 56 : target << 8 >> 8;
    }
    v->pc = target;
    return BRANCHED;
}
