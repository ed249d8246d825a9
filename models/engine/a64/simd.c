/* SPDX-License-Identifier: GPL-2.0-or-later
 * The Advanced SIMD instructions that libdynarmic 6.4 does not translate, one at a time: saturating
 * doubling multiply (accumulate) long, saturating rounding shift left, saturating rounding shift
 * right narrow; vector, scalar and by element (DDI 0487, C7.2). Everything else is dynarmic's.
 *
 * The vector state is at home in v (jit_flush_vectors()) while this runs.
 */
#include "a64.h"

#include <string.h>

#define FPSR_QC (UINT32_C(1) << 27)

typedef __int128 Wide;

/* Element i of register reg, bits wide. */
static uint64_t element(const A64Vcpu *v, unsigned reg, unsigned bits, unsigned i)
{
    uint64_t word = v->v[2 * reg + i * bits / 64];

    return bits == 64 ? word : word >> i * bits % 64 & ((UINT64_C(1) << bits) - 1);
}

static int64_t signed_element(const A64Vcpu *v, unsigned reg, unsigned bits, unsigned i)
{
    return (int64_t)(element(v, reg, bits, i) << (64 - bits)) >> (64 - bits);
}

/* A result register in the making: filled element by element, then stored whole. */
typedef struct {
    uint64_t word[2];
} Result;

static void set_element(Result *r, unsigned bits, unsigned i, uint64_t value)
{
    uint64_t mask = bits == 64 ? UINT64_MAX : ((UINT64_C(1) << bits) - 1) << i * bits % 64;

    r->word[i * bits / 64] = (r->word[i * bits / 64] & ~mask) | ((value << i * bits % 64) & mask);
}

static void store(A64Vcpu *v, unsigned reg, const Result *r)
{
    memcpy(&v->v[2 * reg], r->word, sizeof(r->word));
}

static uint64_t saturate(A64Vcpu *v, Wide value, unsigned bits, bool is_unsigned)
{
    Wide low = is_unsigned ? 0 : -((Wide)1 << (bits - 1));
    Wide high = ((Wide)1 << (is_unsigned ? bits : bits - 1)) - 1;

    if (value < low || value > high) {
        v->fpsr |= FPSR_QC;
        return (uint64_t)(value < low ? low : high);
    }
    return (uint64_t)value;
}

/* Right by n >= 1, to nearest. */
static Wide round_right(Wide value, unsigned n)
{
    /* |value| < 2^64: from 65 on nothing is left of it. */
    return n > 65 ? 0 : (value + ((Wide)1 << (n - 1))) >> n;
}

static void shift_left_rounding(A64Vcpu *v, uint32_t insn, bool scalar)
{
    unsigned rd = insn & 31, rn = insn >> 5 & 31, rm = insn >> 16 & 31;
    unsigned bits = 8u << (insn >> 22 & 3);
    unsigned n = scalar ? 1 : (insn >> 30 & 1 ? 128 : 64) / bits;
    bool is_unsigned = insn >> 29 & 1;
    Result r = { { 0, 0 } };

    for (unsigned i = 0; i < n; i++) {
        Wide value = is_unsigned ? (Wide)element(v, rn, bits, i) : signed_element(v, rn, bits, i);
        int shift = (int8_t)element(v, rm, bits, i);

        if (shift < 0) {
            value = round_right(value, (unsigned)-shift);
        } else if (shift < 64) {
            value *= (Wide)1 << shift;
        } else if (value != 0) {
            value = value < 0 ? -((Wide)1 << 100) : (Wide)1 << 100; /* past any limit */
        }
        set_element(&r, bits, i, saturate(v, value, bits, is_unsigned));
    }
    store(v, rd, &r);
}

/* SQDMLAL, SQDMLSL, SQDMULL: kind is 0, 1 or 2. index < 0: element by element. */
static void multiply_long(A64Vcpu *v, uint32_t insn, bool scalar, unsigned kind, unsigned rm,
                          int index)
{
    unsigned rd = insn & 31, rn = insn >> 5 & 31;
    unsigned bits = 8u << (insn >> 22 & 3);
    unsigned n = scalar ? 1 : 64 / bits;
    unsigned first = !scalar && insn >> 30 & 1 ? n : 0; /* ...2: the upper half */
    Result r = { { 0, 0 } };

    for (unsigned i = 0; i < n; i++) {
        Wide a = signed_element(v, rn, bits, first + i);
        Wide b = signed_element(v, rm, bits, index < 0 ? first + i : (unsigned)index);
        Wide product = (int64_t)saturate(v, 2 * a * b, 2 * bits, false);

        if (kind != 2) {
            Wide sum = signed_element(v, rd, 2 * bits, i);

            product = kind == 1 ? sum - product : sum + product;
            product = (int64_t)saturate(v, product, 2 * bits, false);
        }
        set_element(&r, 2 * bits, i, (uint64_t)product);
    }
    store(v, rd, &r);
}

static void shift_right_narrow(A64Vcpu *v, uint32_t insn, bool scalar, bool from_unsigned,
                               bool to_unsigned)
{
    unsigned rd = insn & 31, rn = insn >> 5 & 31, immediate = insn >> 16 & 127;
    unsigned bits = 8u << (31 - __builtin_clz(immediate >> 3));
    unsigned shift = 2 * bits - immediate;
    unsigned n = scalar ? 1 : 64 / bits;
    bool upper = !scalar && insn >> 30 & 1;
    Result r = { { upper ? v->v[2 * rd] : 0, 0 } };

    for (unsigned i = 0; i < n; i++) {
        Wide value =
            from_unsigned ? (Wide)element(v, rn, 2 * bits, i) : signed_element(v, rn, 2 * bits, i);

        set_element(&r, bits, upper ? n + i : i,
                    saturate(v, round_right(value, shift), bits, to_unsigned));
    }
    store(v, rd, &r);
}

/* Accumulate, subtract or neither, by opcode (bits 15:12) of "three different" and "by element". */
static int multiply_kind(uint32_t insn, bool by_element)
{
    static const int8_t different[16] = { [0x9] = 1, [0xb] = 2, [0xd] = 3 };
    static const int8_t element_wise[16] = { [0x3] = 1, [0x7] = 2, [0xb] = 3 };

    return (by_element ? element_wise : different)[insn >> 12 & 15] - 1;
}

static bool multiply(A64Vcpu *v, uint32_t insn, bool scalar, bool by_element)
{
    unsigned size = insn >> 22 & 3, rm = insn >> 16 & 31;
    unsigned h = insn >> 11 & 1, l = insn >> 21 & 1, m = insn >> 20 & 1;
    int kind = multiply_kind(insn, by_element);

    if (kind < 0 || size == 0 || size == 3) {
        return false;
    }
    if (!by_element) {
        multiply_long(v, insn, scalar, (unsigned)kind, rm, -1);
    } else if (size == 1) {
        multiply_long(v, insn, scalar, (unsigned)kind, rm & 15, (int)(h << 2 | l << 1 | m));
    } else {
        multiply_long(v, insn, scalar, (unsigned)kind, rm, (int)(h << 1 | l));
    }
    return true;
}

bool simd_exec(A64Vcpu *v, uint32_t insn)
{
    bool scalar = (insn & 0xd0000000) == 0x50000000;
    /* Without what tells scalar from vector and Q, both have the same encodings. */
    uint32_t op = insn & ~(scalar ? UINT32_C(0x50000000) : UINT32_C(0x40000000));

    if ((op & 0xdf20fc00) == 0x0e205c00) { /* SQRSHL, UQRSHL */
        if (!scalar && (insn >> 22 & 3) == 3 && !(insn >> 30 & 1)) {
            return false;
        }
        shift_left_rounding(v, insn, scalar);
        return true;
    }
    if ((op & 0xff200c00) == 0x0e200000) {
        return multiply(v, insn, scalar, false);
    }
    if ((op & 0xff000400) == 0x0f000000) {
        return multiply(v, insn, scalar, true);
    }
    if ((op & 0x00780000) == 0 || op & 0x00400000) { /* immh: not a shift, or of 64-bit elements */
        return false;
    }
    switch (op & 0xff80fc00) {
    case 0x0f009c00: /* SQRSHRN */
        shift_right_narrow(v, insn, scalar, false, false);
        return true;
    case 0x2f008c00: /* SQRSHRUN */
        shift_right_narrow(v, insn, scalar, false, true);
        return true;
    case 0x2f009c00: /* UQRSHRN */
        shift_right_narrow(v, insn, scalar, true, true);
        return true;
    default:
        return false;
    }
}
