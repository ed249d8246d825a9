/* SPDX-License-Identifier: GPL-2.0-or-later
 * Advanced SIMD, vector and scalar, integer and floating point, without the cryptographic and
 * half-precision extensions. A table row is one opcode of an encoding class with the element sizes
 * it takes. Encodings: DDI 0487 section C4.1.96.
 */
#include "gen.h"

/* Element sizes that a row allows: B, H, S, D. */
enum { B = 1, H = 2, S = 4, D = 8, BHS = B | H | S, ALL = B | H | S | D, HS = H | S };

typedef struct {
    uint8_t u, opcode, sizes;
} Row;

/* Floating point in the same classes: bit 23 selects the operation, bit 22 is D. */
typedef struct {
    uint8_t u, a, opcode;
} FpRow;

static unsigned bit(Gen *gen)
{
    return gen_below(gen, 2);
}

static unsigned v(Gen *gen)
{
    return gen_below(gen, 32);
}

static uint32_t regs2(Gen *gen)
{
    return v(gen) << 5 | v(gen);
}

static uint32_t regs3(Gen *gen)
{
    return v(gen) << 16 | regs2(gen);
}

static unsigned pick_size(Gen *gen, uint8_t sizes)
{
    unsigned size;

    do {
        size = gen_below(gen, 4);
    } while ((sizes >> size & 1) == 0);
    return size;
}

#define PICK(gen, rows) (&(rows)[gen_below((gen), G_N_ELEMENTS(rows))])

static const Row same_rows[] = {
    { 0, 0, BHS },  { 1, 0, BHS },  { 0, 1, ALL },  { 1, 1, ALL },  { 0, 2, BHS },  { 1, 2, BHS },
    { 0, 3, ALL },  { 1, 3, ALL },  { 0, 4, BHS },  { 1, 4, BHS },  { 0, 5, ALL },  { 1, 5, ALL },
    { 0, 6, ALL },  { 1, 6, ALL },  { 0, 7, ALL },  { 1, 7, ALL },  { 0, 8, ALL },  { 1, 8, ALL },
    { 0, 9, ALL },  { 1, 9, ALL },  { 0, 10, ALL }, { 1, 10, ALL }, { 0, 11, ALL }, { 1, 11, ALL },
    { 0, 12, BHS }, { 1, 12, BHS }, { 0, 13, BHS }, { 1, 13, BHS }, { 0, 14, BHS }, { 1, 14, BHS },
    { 0, 15, BHS }, { 1, 15, BHS }, { 0, 16, ALL }, { 1, 16, ALL }, { 0, 17, ALL }, { 1, 17, ALL },
    { 0, 18, BHS }, { 1, 18, BHS }, { 0, 19, BHS }, { 1, 19, B },   { 0, 20, BHS }, { 1, 20, BHS },
    { 0, 21, BHS }, { 1, 21, BHS }, { 0, 22, HS },  { 1, 22, HS },  { 0, 23, ALL },
};

static void three_same(Gen *gen)
{
    const Row *row = PICK(gen, same_rows);
    unsigned size = pick_size(gen, row->sizes);
    uint32_t q = size == 3 && row->opcode != 3 ? 1 : bit(gen);

    gen_emit(gen,
             q << 30 | row->u << 29 | 0x0e200400 | size << 22 | row->opcode << 11 | regs3(gen));
}

static void scalar_three_same(Gen *gen)
{
    static const Row rows[] = { { 0, 1, ALL }, { 1, 1, ALL }, { 0, 5, ALL },  { 1, 5, ALL },
                                { 0, 6, D },   { 1, 6, D },   { 0, 7, D },    { 1, 7, D },
                                { 0, 8, D },   { 1, 8, D },   { 0, 9, ALL },  { 1, 9, ALL },
                                { 0, 10, D },  { 1, 10, D },  { 0, 11, ALL }, { 1, 11, ALL },
                                { 0, 16, D },  { 1, 16, D },  { 0, 17, D },   { 1, 17, D },
                                { 0, 22, HS }, { 1, 22, HS } };
    const Row *row = PICK(gen, rows);

    gen_emit(gen, 0x5e200400 | row->u << 29 | pick_size(gen, row->sizes) << 22 | row->opcode << 11 |
                      regs3(gen));
}

static void three_same_fp(Gen *gen)
{
    static const FpRow rows[] = {
        { 0, 0, 0x18 }, { 0, 0, 0x19 }, { 0, 0, 0x1a }, { 0, 0, 0x1b }, { 0, 0, 0x1c },
        { 0, 0, 0x1e }, { 0, 0, 0x1f }, { 0, 1, 0x18 }, { 0, 1, 0x19 }, { 0, 1, 0x1a },
        { 0, 1, 0x1e }, { 0, 1, 0x1f }, { 1, 0, 0x18 }, { 1, 0, 0x1a }, { 1, 0, 0x1b },
        { 1, 0, 0x1c }, { 1, 0, 0x1d }, { 1, 0, 0x1e }, { 1, 0, 0x1f }, { 1, 1, 0x18 },
        { 1, 1, 0x1a }, { 1, 1, 0x1c }, { 1, 1, 0x1d }, { 1, 1, 0x1e },
    };
    static const FpRow scalar[] = { { 0, 0, 0x1b }, { 0, 0, 0x1c }, { 0, 0, 0x1f },
                                    { 0, 1, 0x1f }, { 1, 0, 0x1c }, { 1, 0, 0x1d },
                                    { 1, 1, 0x1a }, { 1, 1, 0x1c }, { 1, 1, 0x1d } };
    uint32_t sz = bit(gen);

    if (gen_below(gen, 4) == 0) {
        const FpRow *row = PICK(gen, scalar);

        gen_emit(gen, 0x5e200400 | row->u << 29 | row->a << 23 | sz << 22 | row->opcode << 11 |
                          regs3(gen));
    } else {
        const FpRow *row = PICK(gen, rows);

        gen_emit(gen, (sz ? 1 : bit(gen)) << 30 | row->u << 29 | 0x0e200400 | row->a << 23 |
                          sz << 22 | row->opcode << 11 | regs3(gen));
    }
}

static void three_different(Gen *gen)
{
    static const Row rows[] = { { 0, 0, BHS },  { 1, 0, BHS },  { 0, 1, BHS },  { 1, 1, BHS },
                                { 0, 2, BHS },  { 1, 2, BHS },  { 0, 3, BHS },  { 1, 3, BHS },
                                { 0, 4, BHS },  { 1, 4, BHS },  { 0, 5, BHS },  { 1, 5, BHS },
                                { 0, 6, BHS },  { 1, 6, BHS },  { 0, 7, BHS },  { 1, 7, BHS },
                                { 0, 8, BHS },  { 1, 8, BHS },  { 0, 10, BHS }, { 1, 10, BHS },
                                { 0, 12, BHS }, { 1, 12, BHS }, { 0, 9, HS },   { 0, 11, HS },
                                { 0, 13, HS },  { 0, 14, B } };
    const Row *row = PICK(gen, rows);
    uint32_t scalar = (row->opcode & 9) == 9 && row->u == 0 && bit(gen) ? 0x50000000 : 0;

    gen_emit(gen, (scalar ? scalar : bit(gen) << 30) | row->u << 29 | 0x0e200000 |
                      pick_size(gen, row->sizes) << 22 | row->opcode << 12 | regs3(gen));
}

static void two_misc(Gen *gen)
{
    static const Row rows[] = {
        { 0, 0, BHS },   { 1, 0, B | H }, { 0, 1, B },    { 0, 2, BHS },  { 1, 2, BHS },
        { 0, 3, ALL },   { 1, 3, ALL },   { 0, 4, BHS },  { 1, 4, BHS },  { 0, 5, B },
        { 1, 5, B | H }, { 0, 6, BHS },   { 1, 6, BHS },  { 0, 7, ALL },  { 1, 7, ALL },
        { 0, 8, ALL },   { 1, 8, ALL },   { 0, 9, ALL },  { 1, 9, ALL },  { 0, 10, ALL },
        { 0, 11, ALL },  { 1, 11, ALL },  { 0, 18, BHS }, { 1, 18, BHS }, { 1, 19, BHS },
        { 0, 20, BHS },  { 1, 20, BHS },
    };
    static const Row scalar[] = { { 0, 3, ALL },  { 1, 3, ALL }, { 0, 7, ALL }, { 1, 7, ALL },
                                  { 0, 8, D },    { 1, 8, D },   { 0, 9, D },   { 1, 9, D },
                                  { 0, 10, D },   { 0, 11, D },  { 1, 11, D },  { 1, 18, BHS },
                                  { 0, 20, BHS }, { 1, 20, BHS } };

    if (gen_below(gen, 4) == 0) {
        const Row *row = PICK(gen, scalar);

        gen_emit(gen, 0x5e200800 | row->u << 29 | pick_size(gen, row->sizes) << 22 |
                          row->opcode << 12 | regs2(gen));
    } else {
        const Row *row = PICK(gen, rows);
        unsigned size = pick_size(gen, row->sizes);

        gen_emit(gen, (size == 3 ? 1 : bit(gen)) << 30 | row->u << 29 | 0x0e200800 | size << 22 |
                          row->opcode << 12 | regs2(gen));
    }
}

static void two_misc_fp(Gen *gen)
{
    static const FpRow rows[] = {
        { 0, 0, 22 }, { 0, 0, 23 }, { 0, 0, 24 }, { 0, 0, 25 }, { 0, 0, 26 }, { 0, 0, 27 },
        { 0, 0, 28 }, { 0, 0, 29 }, { 0, 1, 12 }, { 0, 1, 13 }, { 0, 1, 14 }, { 0, 1, 15 },
        { 0, 1, 24 }, { 0, 1, 25 }, { 0, 1, 26 }, { 0, 1, 27 }, { 0, 1, 28 }, { 0, 1, 29 },
        { 1, 0, 22 }, { 1, 0, 24 }, { 1, 0, 25 }, { 1, 0, 26 }, { 1, 0, 27 }, { 1, 0, 28 },
        { 1, 0, 29 }, { 1, 1, 12 }, { 1, 1, 13 }, { 1, 1, 15 }, { 1, 1, 25 }, { 1, 1, 26 },
        { 1, 1, 27 }, { 1, 1, 28 }, { 1, 1, 29 }, { 1, 1, 31 },
    };
    static const FpRow scalar[] = { { 0, 0, 26 }, { 0, 0, 27 }, { 0, 0, 28 }, { 0, 0, 29 },
                                    { 0, 1, 12 }, { 0, 1, 13 }, { 0, 1, 14 }, { 0, 1, 26 },
                                    { 0, 1, 27 }, { 0, 1, 29 }, { 0, 1, 31 }, { 1, 0, 26 },
                                    { 1, 0, 27 }, { 1, 0, 28 }, { 1, 0, 29 }, { 1, 1, 12 },
                                    { 1, 1, 13 }, { 1, 1, 26 }, { 1, 1, 27 }, { 1, 1, 29 },
                                    { 1, 0, 22 } };
    bool is_scalar = gen_below(gen, 4) == 0;
    const FpRow *row = is_scalar ? PICK(gen, scalar) : PICK(gen, rows);
    uint32_t sz = bit(gen), q = bit(gen);

    if (row->opcode == 22 && row->u == 1) { /* fcvtxn: from D only */
        sz = 1;
    } else if (row->opcode == 28 && row->a == 1) { /* urecpe, ursqrte: S only */
        sz = 0;
    } else if (sz && row->opcode != 22 && row->opcode != 23) {
        q = 1;
    }
    gen_emit(gen, (is_scalar ? 0x50000000 : q << 30) | row->u << 29 | 0x0e200800 | row->a << 23 |
                      sz << 22 | row->opcode << 12 | regs2(gen));
}

static void across_lanes(Gen *gen)
{
    static const Row rows[] = { { 0, 3, BHS },  { 1, 3, BHS },  { 0, 10, BHS }, { 1, 10, BHS },
                                { 0, 26, BHS }, { 1, 26, BHS }, { 0, 27, BHS } };
    const Row *row = PICK(gen, rows);
    unsigned size = pick_size(gen, row->sizes);

    if (gen_below(gen, 4) == 0) { /* fmaxnmv, fminnmv, fmaxv, fminv */
        gen_emit(gen, 0x6e30c800 | bit(gen) << 23 | (bit(gen) ? 3u << 12 : 0) | regs2(gen));
        return;
    }
    gen_emit(gen, (size == 2 ? 1 : bit(gen)) << 30 | row->u << 29 | 0x0e300800 | size << 22 |
                      row->opcode << 12 | regs2(gen));
}

static void scalar_pairwise(Gen *gen)
{
    static const FpRow rows[] = {
        { 1, 0, 12 }, { 1, 0, 13 }, { 1, 0, 15 }, { 1, 1, 12 }, { 1, 1, 15 }
    };
    const FpRow *row = PICK(gen, rows);

    if (bit(gen)) {
        gen_emit(gen, 0x5ef1b800 | regs2(gen)); /* addp d, v.2d */
    } else {
        gen_emit(gen, 0x5e300800 | row->u << 29 | row->a << 23 | bit(gen) << 22 |
                          row->opcode << 12 | regs2(gen));
    }
}

static void copy(Gen *gen)
{
    unsigned size = gen_below(gen, 4);
    uint32_t imm5 = (1u << size | gen_below(gen, 16) << (size + 1)) & 31;
    uint32_t q = size == 3 ? 1 : bit(gen);

    switch (gen_below(gen, 7)) {
    case 0: /* dup from element */
        gen_emit(gen, q << 30 | 0x0e000400 | imm5 << 16 | regs2(gen));
        break;
    case 1: /* dup from register */
        gen_emit(gen, q << 30 | 0x0e000c00 | imm5 << 16 | gen_rn(gen) << 5 | v(gen));
        break;
    case 2: /* smov */
        size = gen_below(gen, 3);
        imm5 = (1u << size | gen_below(gen, 16) << (size + 1)) & 31;
        gen_emit(gen, (size == 2 ? 1 : bit(gen)) << 30 | 0x0e002c00 | imm5 << 16 | v(gen) << 5 |
                          gen_rd(gen));
        break;
    case 3: /* umov */
        gen_emit(gen, (size == 3) << 30 | 0x0e003c00 | imm5 << 16 | v(gen) << 5 | gen_rd(gen));
        break;
    case 4: /* ins from register */
        gen_emit(gen, 0x4e001c00 | imm5 << 16 | gen_rn(gen) << 5 | v(gen));
        break;
    case 5: /* ins from element */
        gen_emit(gen,
                 0x6e000400 | imm5 << 16 | gen_below(gen, 16 >> size) << (11 + size) | regs2(gen));
        break;
    default: /* scalar dup */
        gen_emit(gen, 0x5e000400 | imm5 << 16 | regs2(gen));
    }
}

static void modified_immediate(Gen *gen)
{
    uint32_t op = bit(gen), cmode = gen_below(gen, 16);
    uint32_t q = op && cmode == 15 ? 1 : bit(gen);

    gen_emit(gen, q << 30 | op << 29 | 0x0f000400 | gen_below(gen, 8) << 16 | cmode << 12 |
                      gen_below(gen, 32) << 5 | v(gen));
}

static void shift_immediate(Gen *gen)
{
    static const Row rows[] = {
        { 0, 0, ALL },    { 1, 0, ALL },    { 0, 2, ALL },    { 1, 2, ALL },  { 0, 4, ALL },
        { 1, 4, ALL },    { 0, 6, ALL },    { 1, 6, ALL },    { 1, 8, ALL },  { 0, 10, ALL },
        { 1, 10, ALL },   { 1, 12, ALL },   { 0, 14, ALL },   { 1, 14, ALL }, { 0, 16, BHS },
        { 1, 16, BHS },   { 0, 17, BHS },   { 1, 17, BHS },   { 0, 18, BHS }, { 1, 18, BHS },
        { 0, 19, BHS },   { 1, 19, BHS },   { 0, 20, BHS },   { 1, 20, BHS }, { 0, 28, S | D },
        { 1, 28, S | D }, { 0, 31, S | D }, { 1, 31, S | D },
    };
    static const Row scalar[] = {
        { 0, 0, D },      { 1, 0, D },      { 0, 2, D },      { 1, 2, D },      { 0, 4, D },
        { 1, 4, D },      { 0, 6, D },      { 1, 6, D },      { 1, 8, D },      { 0, 10, D },
        { 1, 10, D },     { 1, 12, ALL },   { 0, 14, ALL },   { 1, 14, ALL },   { 1, 16, BHS },
        { 1, 17, BHS },   { 0, 18, BHS },   { 1, 18, BHS },   { 0, 19, BHS },   { 1, 19, BHS },
        { 0, 28, S | D }, { 1, 28, S | D }, { 0, 31, S | D }, { 1, 31, S | D },
    };
    bool is_scalar = gen_below(gen, 4) == 0;
    const Row *row = is_scalar ? PICK(gen, scalar) : PICK(gen, rows);
    unsigned size = pick_size(gen, row->sizes);
    uint32_t immh_immb = 8u << size | gen_below(gen, 8u << size);

    gen_emit(gen, (is_scalar ? 0x50000000 : (size == 3 ? 1 : bit(gen)) << 30) | row->u << 29 |
                      0x0f000400 | immh_immb << 16 | row->opcode << 11 | regs2(gen));
}

static void permute(Gen *gen)
{
    static const uint32_t opcodes[] = { 1, 2, 3, 5, 6, 7 };
    unsigned size = gen_below(gen, 4);
    uint32_t q;

    switch (gen_below(gen, 3)) {
    case 0:
        gen_emit(gen, (size == 3 ? 1 : bit(gen)) << 30 | 0x0e000800 | size << 22 |
                          opcodes[gen_below(gen, 6)] << 12 | regs3(gen));
        break;
    case 1: /* ext */
        q = bit(gen);
        gen_emit(gen, q << 30 | 0x2e000000 | gen_below(gen, q ? 16 : 8) << 11 | regs3(gen));
        break;
    default: /* tbl, tbx of one to four registers */
        gen_emit(gen, bit(gen) << 30 | 0x0e000000 | gen_below(gen, 4) << 13 | bit(gen) << 12 |
                          regs3(gen));
    }
}

static void by_element(Gen *gen)
{
    static const Row rows[] = { { 0, 8, HS },    { 1, 0, HS },   { 1, 4, HS },    { 0, 2, HS },
                                { 1, 2, HS },    { 0, 6, HS },   { 1, 6, HS },    { 0, 10, HS },
                                { 1, 10, HS },   { 0, 3, HS },   { 0, 7, HS },    { 0, 11, HS },
                                { 0, 12, HS },   { 0, 13, HS },  { 0, 1, S | D }, { 0, 5, S | D },
                                { 0, 9, S | D }, { 1, 9, S | D } };
    const Row *row = PICK(gen, rows);
    unsigned size = pick_size(gen, row->sizes);
    uint32_t rm = gen_below(gen, 16); /* M is its top bit, or of the index of a half */
    uint32_t l = bit(gen), m = bit(gen), h = bit(gen), q = bit(gen);
    bool can_be_scalar =
        row->opcode == 3 || row->opcode == 7 || row->opcode >= 11 || row->sizes == (S | D);

    if (size == 3) {
        l = 0;
        q = 1;
    }
    gen_emit(gen, (can_be_scalar && bit(gen) ? 0x50000000 : q << 30) | row->u << 29 | 0x0f000000 |
                      size << 22 | l << 21 | m << 20 | rm << 16 | row->opcode << 12 | h << 11 |
                      regs2(gen));
}

void gen_simd(Gen *gen)
{
    static void (*const templates[])(Gen * gen) = {
        three_same,    three_same,         three_same,      scalar_three_same, three_same_fp,
        three_same_fp, three_different,    three_different, two_misc,          two_misc,
        two_misc_fp,   two_misc_fp,        across_lanes,    scalar_pairwise,   copy,
        copy,          modified_immediate, shift_immediate, shift_immediate,   shift_immediate,
        permute,       by_element,         by_element,
    };

    templates[gen_below(gen, G_N_ELEMENTS(templates))](gen);
}
