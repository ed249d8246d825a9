/* SPDX-License-Identifier: GPL-2.0-or-later
 * What the parts of the interpreter share: the outcome of an instruction, access to registers, and
 * the groups of instructions that have a file of their own. interp.c dispatches.
 */
#pragma once

#include "alu.h"
#include "mem.h"

/* Blocks to stay here after an instruction the JIT would only hand back: unprivileged accesses and
 * cache and TLB maintenance come in loops. */
enum { LINGER = 16 };

typedef enum {
    NEXT,     /* go on behind the instruction */
    SYNC,     /* likewise, after looking for interrupts and fetching afresh */
    BRANCHED, /* v->pc is set, the exception level is the same */
    RETURNED, /* v->pc is set, by an exception or the return from one */
    LEAVE,    /* fault or stop; v->pc is set */
    UNKNOWN,  /* not the interpreter's */
} Result;

static inline uint64_t base_reg(const A64Vcpu *v, unsigned r)
{
    return r == 31 ? v->sp : v->x[r];
}

static inline void set_reg(A64Vcpu *v, unsigned r, uint64_t value)
{
    v->x[r] = value;
    v->x[31] = 0;
}

static inline void set_base_reg(A64Vcpu *v, unsigned r, uint64_t value)
{
    if (r == 31) {
        v->sp = value;
    } else {
        v->x[r] = value;
    }
}

/* interp-system.c */
Result interp_system(A64Vcpu *v, uint32_t insn, uint64_t pc, unsigned *linger);
Result interp_exception(A64Vcpu *v, uint32_t insn, uint64_t pc);
Result interp_branch_register(A64Vcpu *v, uint32_t insn, uint64_t pc);
