/* SPDX-License-Identifier: GPL-2.0-or-later
 * The interpreter's register-to-register groups with 1, 2 and 3 sources. Included by interp.c only.
 */
#pragma once

#include "interp.h"

static Result two_source(A64Vcpu *v, uint32_t insn)
{
    bool wide = insn >> 31;
    uint64_t a = alu_width(v->x[insn >> 5 & 31], wide), b = alu_width(v->x[insn >> 16 & 31], wide);
    uint64_t r;

    switch (insn >> 10 & 63) {
    case 2: /* UDIV */
        r = b ? a / b : 0;
        break;
    case 3: /* SDIV: INT_MIN / -1 is INT_MIN */
        if (!b) {
            r = 0;
        } else if (wide) {
            r = b == UINT64_MAX ? -a : (uint64_t)((int64_t)a / (int64_t)b);
        } else {
            r = (uint32_t)b == UINT32_MAX ? (uint32_t)-a
                                          : (uint32_t)((int32_t)(uint32_t)a / (int32_t)(uint32_t)b);
        }
        break;
    case 8:
    case 9:
    case 10:
    case 11:
        r = alu_shift(a, insn >> 10 & 3, b & (wide ? 63 : 31), wide);
        break;
    default:
        return UNKNOWN;
    }
    set_reg(v, insn & 31, r);
    return NEXT;
}

static Result one_source(A64Vcpu *v, uint32_t insn)
{
    bool wide = insn >> 31;
    uint64_t a = alu_width(v->x[insn >> 5 & 31], wide), r;

    switch (insn >> 10 & 0x7ff) {
    case 0: /* RBIT */
        r = alu_reverse_bits(a) >> (wide ? 0 : 32);
        break;
    case 1: /* REV16 */
        r = (a & UINT64_C(0x00ff00ff00ff00ff)) << 8 | (a >> 8 & UINT64_C(0x00ff00ff00ff00ff));
        break;
    case 2: /* REV, REV32 */
        r = wide ? (uint64_t)__builtin_bswap32((uint32_t)a) |
                       (uint64_t)__builtin_bswap32((uint32_t)(a >> 32)) << 32
                 : __builtin_bswap32((uint32_t)a);
        break;
    case 3: /* REV, 64-bit */
        if (!wide) {
            return UNKNOWN;
        }
        r = __builtin_bswap64(a);
        break;
    case 4: /* CLZ */
        r = a ? (uint64_t)__builtin_clzll(a) - (wide ? 0 : 32) : wide ? 64 : 32;
        break;
    case 5: /* CLS: leading bits equal to the sign, less the sign itself */
        a = (uint64_t)((int64_t)(wide ? a : a << 32) >> (wide ? 0 : 32));
        a ^= (uint64_t)((int64_t)a >> 63);
        r = (a ? (uint64_t)__builtin_clzll(a) : 64) - 1 - (wide ? 0 : 32);
        break;
    default:
        return UNKNOWN;
    }
    set_reg(v, insn & 31, r);
    return NEXT;
}

static Result three_source(A64Vcpu *v, uint32_t insn)
{
    uint64_t a = v->x[insn >> 5 & 31], b = v->x[insn >> 16 & 31], c = v->x[insn >> 10 & 31], r;
    bool wide = insn >> 31, subtract = insn >> 15 & 1;
    unsigned op = insn >> 21 & 7;

    if (op && !wide) {
        return UNKNOWN;
    }
    switch (op) {
    case 0: /* MADD, MSUB */
        r = a * b;
        break;
    case 1: /* SMADDL, SMSUBL */
        r = (uint64_t)((int64_t)(int32_t)(uint32_t)a * (int32_t)(uint32_t)b);
        break;
    case 5: /* UMADDL, UMSUBL */
        r = (uint64_t)(uint32_t)a * (uint32_t)b;
        break;
    case 2: /* SMULH */
    case 6: /* UMULH */
        if (subtract) {
            return UNKNOWN;
        }
        r = op == 2 ? (uint64_t)((__int128)(int64_t)a * (int64_t)b >> 64)
                    : (uint64_t)((unsigned __int128)a * b >> 64);
        set_reg(v, insn & 31, r);
        return NEXT;
    default:
        return UNKNOWN;
    }
    set_reg(v, insn & 31, alu_width(subtract ? c - r : c + r, wide));
    return NEXT;
}
