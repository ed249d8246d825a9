/* SPDX-License-Identifier: GPL-2.0-or-later
 * The SYS instructions: TLBI, IC, DC and AT. What an invalidation does is inval.c's.
 */
#include "mem.h"

/* op1, CRn, CRm and op2 of a SYS instruction. */
#define SYSOP(op1, crn, crm, op2) SYSREG(1, op1, crn, crm, op2)

static uint64_t tlbi_va(uint64_t value)
{
    return (uint64_t)((int64_t)(value << 20) >> 8); /* VA[55:12], sign-extended */
}

static bool tlbi(A64Vcpu *v, uint32_t op, uint64_t value)
{
    bool shared = (op >> 3 & 15) == 3; /* CRm: 3 inner shareable, 7 this PE only */
    void (*act)(A64Vcpu *, InvalKind, uint64_t) = shared ? inval_broadcast : inval_local;

    if (op >> 11 & 7 || ((op >> 3 & 15) != 3 && (op >> 3 & 15) != 7)) {
        return false;
    }
    switch (op & 7) {
    case 0: /* VMALLE1 */
        act(v, INVAL_ALL, 0);
        return true;
    case 2: /* ASIDE1 */
        act(v, INVAL_ASID, value >> 48);
        return true;
    case 1: /* VAE1, VAAE1, VALE1, VAALE1 */
    case 3:
    case 5:
    case 7:
        act(v, INVAL_VA, tlbi_va(value));
        return true;
    default:
        return false;
    }
}

/* IC IVAU: the line's page, wherever else it is mapped (the cache is physically tagged). */
static void ic_ivau(A64Vcpu *v, uint64_t va)
{
    const A64Region *r;
    Translation t;

    if (!mmu_translate(v, va, v->el, ACCESS_READ, &t)) {
        v->fault = (A64Fault){ FAULT_ABORT, t.fsc, true, true, va, 0 };
        return;
    }
    r = map_find(v->vm, t.gpa);
    /* The fence pairs with the one between setting has_code and reading the instructions: either
     * the translator sees what the guest has written, or we see that it has translated. */
    full_fence();
    if (r && LOAD_RELAXED(&r->has_code[(t.gpa - r->gpa) >> 12])) {
        inval_broadcast(v, INVAL_CODE_PAGE, PAGE_OF(t.gpa));
    }
}

/* Clean and invalidate to PoC or PoU by VA: nothing to do, but the address must translate. */
static void dc_by_va(A64Vcpu *v, uint64_t va, bool write)
{
    Translation t;

    if (!mmu_translate(v, va, v->el, write ? ACCESS_WRITE : ACCESS_READ, &t)) {
        v->fault = (A64Fault){ FAULT_ABORT, t.fsc, true, true, va, 0 };
    }
}

bool sysop_exec(A64Vcpu *v, uint32_t insn, uint64_t value)
{
    uint32_t op = (insn >> 5 & 0x3fff) | 1 << 14;
    bool user_cache_ops = v->sys.sctlr >> 26 & 1;

    switch (op) {
    case SYSOP(3, 7, 4, 1): /* DC ZVA */
        if (v->el == 0 && !(v->sys.sctlr >> 14 & 1)) {
            return false;
        }
        mem_zero_line(v, value);
        return true;
    case SYSOP(3, 7, 5, 1): /* IC IVAU */
        if (v->el == 0 && !user_cache_ops) {
            return false;
        }
        ic_ivau(v, value);
        return true;
    case SYSOP(3, 7, 10, 1): /* DC CVAC, CVAU, CIVAC */
    case SYSOP(3, 7, 11, 1):
    case SYSOP(3, 7, 14, 1):
        if (v->el == 0 && !user_cache_ops) {
            return false;
        }
        dc_by_va(v, value, false);
        return true;
    default:
        break;
    }
    if (v->el == 0) {
        return false;
    }
    if ((op >> 7 & 15) == 8) {
        return tlbi(v, op, value);
    }
    switch (op) {
    case SYSOP(0, 7, 1, 0): /* IC IALLUIS */
        inval_broadcast(v, INVAL_CODE_ALL, 0);
        return true;
    case SYSOP(0, 7, 5, 0): /* IC IALLU */
        inval_local(v, INVAL_CODE_ALL, 0);
        return true;
    case SYSOP(0, 7, 6, 1): /* DC IVAC */
        dc_by_va(v, value, true);
        return true;
    case SYSOP(0, 7, 6, 2): /* DC ISW, CSW, CISW */
    case SYSOP(0, 7, 10, 2):
    case SYSOP(0, 7, 14, 2):
        return true;
    case SYSOP(0, 7, 8, 0): /* AT S1E1R, S1E1W, S1E0R, S1E0W */
    case SYSOP(0, 7, 8, 1):
    case SYSOP(0, 7, 8, 2):
    case SYSOP(0, 7, 8, 3):
        mmu_address_translate(v, value, op & 2 ? 0 : 1, op & 1);
        return true;
    default:
        return false;
    }
}
