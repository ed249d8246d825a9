/* SPDX-License-Identifier: GPL-2.0-or-later
 * Entry to and return from EL1 (DDI 0487, D1.3): modes, SPSR, ELR, ESR, vectors. Which exception an
 * instruction or access deserves is decided elsewhere.
 */
#include "a64.h"

enum { VECTOR_SYNC = 0x000, VECTOR_IRQ = 0x080, VECTOR_FIQ = 0x100 };

void exception_set_mode(A64Vcpu *v, unsigned el, unsigned spsel)
{
    v->sp_bank[v->el && v->spsel] = v->sp;
    v->el = (uint8_t)el;
    v->spsel = (uint8_t)spsel;
    v->sp = v->sp_bank[el && spsel];
}

static void enter(A64Vcpu *v, uint64_t vector, uint64_t elr)
{
    v->sys.spsr = v->nzcv | v->daif | (uint64_t)v->el << 2 | (v->el ? v->spsel : 0);
    v->sys.elr = elr;
    if (v->el == 0) {
        vector += 0x400;
    } else if (v->spsel) {
        vector += 0x200;
    }
    exception_set_mode(v, 1, 1);
    v->daif = PSTATE_DAIF;
    v->pc = v->sys.vbar + vector;
}

void exception_take(A64Vcpu *v, unsigned ec, uint32_t iss, uint64_t elr)
{
    v->sys.esr = (uint64_t)ec << 26 | 1 << 25 | iss;
    enter(v, VECTOR_SYNC, elr);
}

void exception_undefined(A64Vcpu *v, uint64_t elr)
{
    exception_take(v, EC_UNKNOWN, 0, elr);
}

void exception_insn_abort(A64Vcpu *v, uint64_t pc, uint8_t fsc)
{
    v->sys.far = pc;
    exception_take(v, EC_IABORT + v->el, fsc, pc);
}

void exception_data_abort(A64Vcpu *v)
{
    uint32_t iss = v->fault.fsc | (v->fault.write ? 1 << 6 : 0) | (v->fault.cache_op ? 1 << 8 : 0);

    v->sys.far = v->fault.va;
    v->fault.kind = FAULT_NONE;
    exception_take(v, EC_DABORT + v->el, iss, v->pc);
}

bool exception_interrupt(A64Vcpu *v)
{
    if (LOAD_ACQUIRE(&v->fiq_line) && !(v->daif & PSTATE_F)) {
        enter(v, VECTOR_FIQ, v->pc);
    } else if (LOAD_ACQUIRE(&v->irq_line) && !(v->daif & PSTATE_I)) {
        enter(v, VECTOR_IRQ, v->pc);
    } else {
        return false;
    }
    return true;
}

void exception_return(A64Vcpu *v)
{
    uint64_t spsr = v->sys.spsr, target = v->sys.elr;
    unsigned el = spsr >> 2 & 3;
    /* AArch32, EL2, EL3, a reserved bit or EL0 with SP_ELx: an illegal return (D1.4.6). */
    bool illegal = spsr & 0x12 || el > 1 || (el == 0 && spsr & 1);

    v->excl_size = 0;
    v->monitor_cleared = (1 << N_MODES) - 1;
    v->nzcv = (uint32_t)(spsr & PSTATE_NZCV);
    v->daif = (uint32_t)(spsr & PSTATE_DAIF);
    if (!illegal) {
        exception_set_mode(v, el, spsr & 1);
        if (v->sys.tcr >> (target >> 55 & 1 ? 38 : 37) & 1 && (el == 0 || target >> 55 & 1)) {
            target = target >> 55 & 1 ? target | UINT64_C(0xff) << 56 : target << 8 >> 8;
        }
    }
    v->pc = target;
    if (illegal || spsr & PSTATE_IL) {
        exception_take(v, EC_ILLEGAL_STATE, 0, target);
        v->sys.spsr |= PSTATE_IL;
    }
}
