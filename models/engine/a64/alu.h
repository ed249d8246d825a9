/* SPDX-License-Identifier: GPL-2.0-or-later
 * Arithmetic of the interpreter: flags, shifts, immediates. Pure functions; wide means the 64-bit
 * form, and 32-bit results come zero-extended. Flags are in bits 31 to 28 as in PSTATE.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

static inline uint64_t alu_bits(uint32_t insn, unsigned low, unsigned n)
{
    return insn >> low & ((UINT32_C(1) << n) - 1);
}

/* Field of n bits at low, sign-extended. */
static inline uint64_t alu_sbits(uint32_t insn, unsigned low, unsigned n)
{
    return (uint64_t)((int64_t)((uint64_t)insn << (64 - low - n)) >> (64 - n));
}

static inline uint64_t alu_width(uint64_t x, bool wide)
{
    return wide ? x : (uint32_t)x;
}

static inline uint64_t alu_add(uint64_t a, uint64_t b, unsigned carry, bool wide)
{
    return alu_width(a + b + carry, wide);
}

static inline uint64_t alu_add_flags(uint64_t a, uint64_t b, unsigned carry, bool wide,
                                     uint32_t *nzcv)
{
    uint64_t r;
    bool c, o;

    if (wide) {
        uint64_t t;

        c = __builtin_add_overflow(a, b, &t);
        c |= __builtin_add_overflow(t, (uint64_t)carry, &r);
        o = ((a ^ r) & (b ^ r)) >> 63;
        *nzcv = (uint32_t)(r >> 63) << 31;
    } else {
        uint64_t t = (uint64_t)(uint32_t)a + (uint32_t)b + carry;

        r = (uint32_t)t;
        c = t >> 32;
        o = ((a ^ r) & (b ^ r)) >> 31 & 1;
        *nzcv = (uint32_t)r & UINT32_C(1) << 31;
    }
    *nzcv |= (uint32_t)(r == 0) << 30 | (uint32_t)c << 29 | (uint32_t)o << 28;
    return r;
}

static inline uint32_t alu_logic_flags(uint64_t r, bool wide)
{
    return (uint32_t)(r >> (wide ? 63 : 31) & 1) << 31 | (uint32_t)(r == 0) << 30;
}

/* By a condition's upper three bits, those of the 16 values of NZCV that meet it. */
static const uint16_t alu_conditions[8] = {
    0xf0f0, /* EQ: Z */
    0xcccc, /* CS: C */
    0xff00, /* MI: N */
    0xaaaa, /* VS: V */
    0x0c0c, /* HI: C and not Z */
    0xaa55, /* GE: N is V */
    0x0a05, /* GT: N is V, not Z */
    0xffff, /* AL, and so is NV */
};

/* A table: which condition comes next is not for the host's branch predictor to know. */
static inline bool alu_condition(uint32_t nzcv, unsigned cond)
{
    return (alu_conditions[cond >> 1] >> (nzcv >> 28) & 1) ^ (cond & (cond != 15));
}

/* type: 0 LSL, 1 LSR, 2 ASR, 3 ROR; n is below the width. */
static inline uint64_t alu_shift(uint64_t x, unsigned type, unsigned n, bool wide)
{
    uint32_t w = (uint32_t)x;

    switch (type) {
    case 0:
        return alu_width(x << n, wide);
    case 1:
        return wide ? x >> n : w >> n;
    case 2:
        return wide ? (uint64_t)((int64_t)x >> n) : (uint32_t)((int32_t)w >> n);
    default:
        return wide ? x >> n | x << (-n & 63) : (uint32_t)(w >> n | w << (-n & 31));
    }
}

/* option as in the extended-register forms: 0 UXTB to 7 SXTX. */
static inline uint64_t alu_extend(uint64_t x, unsigned option, unsigned shift)
{
    switch (option) {
    case 0:
        x = (uint8_t)x;
        break;
    case 1:
        x = (uint16_t)x;
        break;
    case 2:
        x = (uint32_t)x;
        break;
    case 4:
        x = (uint64_t)(int64_t)(int8_t)x;
        break;
    case 5:
        x = (uint64_t)(int64_t)(int16_t)x;
        break;
    case 6:
        x = (uint64_t)(int64_t)(int32_t)x;
        break;
    default:
        break;
    }
    return x << shift;
}

/* DecodeBitMasks' wmask for N:imms:immr. FALSE: reserved (only the bitfield forms take S = all
 * ones, which they build without this). */
static inline bool alu_bitmask(unsigned n, unsigned imms, unsigned immr, bool wide, uint64_t *mask)
{
    static const uint64_t replicate[6] = {
        /* by size: 2, 4 ... 64 */
        UINT64_C(0x5555555555555555), UINT64_C(0x1111111111111111), UINT64_C(0x0101010101010101),
        UINT64_C(0x0001000100010001), UINT64_C(0x0000000100000001), 1
    };
    unsigned level = n << 6 | (~imms & 63), size, s, r;
    uint64_t element, ones;

    if (level < 2 || (n && !wide)) {
        return false;
    }
    size = 1u << (31 - __builtin_clz(level));
    s = imms & (size - 1);
    r = immr & (size - 1);
    if (s == size - 1) {
        return false;
    }
    ones = size == 64 ? UINT64_MAX : (UINT64_C(1) << size) - 1;
    element = (UINT64_C(1) << (s + 1)) - 1;
    if (r) {
        element = (element >> r | element << (size - r)) & ones;
    }
    *mask = alu_width(element * replicate[__builtin_ctz(size) - 1], wide);
    return true;
}

/* SBFM (opc 0), BFM (1), UBFM (2) of x into old. */
static inline uint64_t alu_bitfield(unsigned opc, uint64_t old, uint64_t x, unsigned r, unsigned s,
                                    bool wide)
{
    unsigned width = wide ? 64 : 32, length, low;
    uint64_t field, mask;

    x = alu_width(x, wide);
    if (s >= r) { /* extract bits s..r to the bottom */
        length = s - r + 1;
        low = 0;
        field = x >> r;
    } else { /* the low s + 1 bits up to bit width - r */
        length = s + 1;
        low = width - r;
        field = x;
    }
    mask = length == 64 ? UINT64_MAX : (UINT64_C(1) << length) - 1;
    field = (field & mask) << low;
    if (opc == 1) {
        field |= old & ~(mask << low);
    } else if (opc == 0 && x >> s & 1) {
        field |= low + length == 64 ? 0 : UINT64_MAX << (low + length);
    }
    return alu_width(field, wide);
}

static inline uint64_t alu_reverse_bits(uint64_t x)
{
    x = __builtin_bswap64(x);
    x = (x >> 4 & UINT64_C(0x0f0f0f0f0f0f0f0f)) | (x & UINT64_C(0x0f0f0f0f0f0f0f0f)) << 4;
    x = (x >> 2 & UINT64_C(0x3333333333333333)) | (x & UINT64_C(0x3333333333333333)) << 2;
    return (x >> 1 & UINT64_C(0x5555555555555555)) | (x & UINT64_C(0x5555555555555555)) << 1;
}
