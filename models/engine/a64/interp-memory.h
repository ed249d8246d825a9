/* SPDX-License-Identifier: GPL-2.0-or-later
 * The interpreter's loads and stores of general registers. Included by interp.c only, so that the
 * soft TLB's hit path is compiled into the dispatch loop.
 */
#pragma once

#include "exclusive.h"
#include "interp.h"

/* Inlined where scale and opc are constants. One register; size is 1 << the size field, opc: 0
 * store, 1 zero-, 2 and 3 sign-extending load. */
static inline Result transfer(A64Vcpu *v, unsigned view, uint64_t va, unsigned scale, unsigned opc,
                              unsigned rt)
{
    unsigned size = 1u << scale;
    uint64_t value;
    bool done;

    if (opc == 0) {
        switch (scale) { /* constant sizes, for the inlined fast path */
        case 0:
            done = mem_store(v, view, va, 1, v->x[rt]);
            break;
        case 1:
            done = mem_store(v, view, va, 2, v->x[rt]);
            break;
        case 2:
            done = mem_store(v, view, va, 4, v->x[rt]);
            break;
        default:
            done = mem_store(v, view, va, 8, v->x[rt]);
            break;
        }
        return done ? NEXT : LEAVE;
    }
    switch (scale) {
    case 0:
        done = mem_load(v, view, va, 1, &value);
        break;
    case 1:
        done = mem_load(v, view, va, 2, &value);
        break;
    case 2:
        done = mem_load(v, view, va, 4, &value);
        break;
    default:
        done = mem_load(v, view, va, 8, &value);
        break;
    }
    if (!done) {
        return LEAVE;
    }
    if (opc > 1) {
        value = (uint64_t)((int64_t)(value << (64 - size * 8)) >> (64 - size * 8));
        value = alu_width(value, opc == 2);
    }
    set_reg(v, rt, value);
    return NEXT;
}

/* With an unsigned, scaled offset. */
static inline Result transfer_unsigned(A64Vcpu *v, uint32_t insn, unsigned scale, unsigned opc)
{
    uint64_t va = base_reg(v, insn >> 5 & 31) + (alu_bits(insn, 10, 12) << scale);

    return transfer(v, v->el, va, scale, opc, insn & 31);
}

static inline bool valid_transfer(unsigned scale, unsigned opc)
{
    return !(scale == 3 && opc > 1) && !(scale == 2 && opc == 3);
}

static Result load_store_other(A64Vcpu *v, uint32_t insn, unsigned *linger)
{
    unsigned scale = insn >> 30, opc = insn >> 22 & 3, rn = insn >> 5 & 31, rt = insn & 31;
    uint64_t base = base_reg(v, rn), offset;
    unsigned form = insn >> 10 & 3;
    Result result;

    if (insn >> 21 & 1) {
        unsigned option = insn >> 13 & 7;

        if (form != 2 || !(option & 2)) {
            return UNKNOWN; /* LSE atomics, which this CPU does not have */
        }
        if (scale == 3 && opc == 2) {
            return NEXT; /* PRFM */
        }
        if (!valid_transfer(scale, opc)) {
            return UNKNOWN;
        }
        offset = alu_extend(v->x[insn >> 16 & 31], option, insn >> 12 & 1 ? scale : 0);
        return transfer(v, v->el, base + offset, scale, opc, rt);
    }
    offset = alu_sbits(insn, 12, 9);
    if (scale == 3 && opc == 2 && form == 0) {
        return NEXT; /* PRFUM */
    }
    if (!valid_transfer(scale, opc)) {
        return UNKNOWN;
    }
    switch (form) {
    case 0: /* unscaled */
        return transfer(v, v->el, base + offset, scale, opc, rt);
    case 2: /* unprivileged: EL0's rights */
        *linger = LINGER;
        return transfer(v, 0, base + offset, scale, opc, rt);
    case 1: /* post-index */
        result = transfer(v, v->el, base, scale, opc, rt);
        break;
    default: /* pre-index */
        result = transfer(v, v->el, base + offset, scale, opc, rt);
        break;
    }
    if (result == NEXT) {
        set_base_reg(v, rn, base + offset);
    }
    return result;
}

static Result load_store_pair(A64Vcpu *v, uint32_t insn)
{
    unsigned opc = insn >> 30, rn = insn >> 5 & 31, rt = insn & 31, rt2 = insn >> 10 & 31;
    unsigned index = insn >> 23 & 3;
    bool load = insn >> 22 & 1;
    uint64_t offset = alu_sbits(insn, 15, 7) << (opc == 2 ? 3 : 2);
    uint64_t base = base_reg(v, rn), va = index == 1 ? base : base + offset;
    uint64_t first, second;

    if (opc == 3 || (opc == 1 && (!load || index == 0))) {
        return UNKNOWN;
    }
    if (load) {
        if (opc == 2) {
            if (!mem_load(v, v->el, va, 8, &first) || !mem_load(v, v->el, va + 8, 8, &second)) {
                return LEAVE;
            }
        } else {
            if (!mem_load(v, v->el, va, 4, &first) || !mem_load(v, v->el, va + 4, 4, &second)) {
                return LEAVE;
            }
            if (opc == 1) {
                first = (uint64_t)(int64_t)(int32_t)first;
                second = (uint64_t)(int64_t)(int32_t)second;
            }
        }
        set_reg(v, rt, first);
        set_reg(v, rt2, second);
    } else if (opc == 2) {
        if (!mem_store(v, v->el, va, 8, v->x[rt]) || !mem_store(v, v->el, va + 8, 8, v->x[rt2])) {
            return LEAVE;
        }
    } else if (!mem_store(v, v->el, va, 4, v->x[rt]) ||
               !mem_store(v, v->el, va + 4, 4, v->x[rt2])) {
        return LEAVE;
    }
    if (index & 1) {
        set_base_reg(v, rn, base + offset);
    }
    return NEXT;
}

static Result load_exclusive(A64Vcpu *v, uint32_t insn, uint64_t va, unsigned size, bool pair)
{
    unsigned total = pair ? 2 * size : size;
    uint64_t first, second = 0;

    if (va & (total - 1)) { /* always a fault */
        mem_exclusive(v, va, total, ACCESS_READ);
        return LEAVE;
    }
    if (!mem_load(v, v->el, va, size, &first) ||
        (pair && !mem_load(v, v->el, va + size, size, &second))) {
        return LEAVE;
    }
    v->excl_va = va;
    v->excl_size = (uint8_t)total;
    v->excl_value[0] = first;
    v->excl_value[1] = second;
    set_reg(v, insn & 31, first);
    if (pair) {
        set_reg(v, insn >> 10 & 31, second);
    }
    return NEXT;
}

static Result store_exclusive(A64Vcpu *v, uint32_t insn, uint64_t va, unsigned size, bool pair)
{
    unsigned total = pair ? 2 * size : size;
    uint64_t value[2] = { v->x[insn & 31], v->x[insn >> 10 & 31] };
    bool held = v->excl_size == total && v->excl_va == va, done = false;

    v->excl_size = 0;
    if (held) {
        void *host = mem_exclusive(v, va, total, ACCESS_WRITE);

        if (!host) {
            return LEAVE;
        }
        if (total == 16) {
            done = exclusive_swap_pair(host, value, v->excl_value);
        } else if (pair) {
            done = exclusive_swap(host, 8, (uint32_t)value[0] | value[1] << 32,
                                  (uint32_t)v->excl_value[0] | v->excl_value[1] << 32);
        } else {
            done = exclusive_swap(host, size, value[0], v->excl_value[0]);
        }
    }
    set_reg(v, insn >> 16 & 31, !done);
    return NEXT;
}

static Result exclusive(A64Vcpu *v, uint32_t insn)
{
    unsigned scale = insn >> 30;
    uint64_t va = base_reg(v, insn >> 5 & 31);
    bool load = insn >> 22 & 1, pair = insn >> 21 & 1;

    if (insn >> 23 & 1) {
        if (pair || !(insn >> 15 & 1)) {
            return UNKNOWN;
        }
        if (va & ((1u << scale) - 1)) { /* ordered accesses must be aligned too */
            mem_exclusive(v, va, 1u << scale, load ? ACCESS_READ : ACCESS_WRITE);
            return LEAVE;
        }
        /* LDAR: TSO orders a load before what follows; the fence behind each STLR orders the
         * pair STLR, LDAR. */
        Result result = transfer(v, v->el, va, scale, load, insn & 31);
        if (!load) {
            full_fence();
        }
        return result;
    }
    if (pair && scale < 2) {
        return UNKNOWN;
    }
    return load ? load_exclusive(v, insn, va, 1u << scale, pair)
                : store_exclusive(v, insn, va, 1u << scale, pair);
}
