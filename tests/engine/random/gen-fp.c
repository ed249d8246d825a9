/* SPDX-License-Identifier: GPL-2.0-or-later
 * Scalar floating point of single and double precision, and conversions from and to half.
 * Encodings: DDI 0487 section C4.1.96 ff.; nothing of FEAT_FP16.
 */
#include "gen.h"

static unsigned bit(Gen *gen)
{
    return gen_below(gen, 2);
}

static unsigned v(Gen *gen)
{
    return gen_below(gen, 32);
}

static void one_source(Gen *gen)
{
    static const uint32_t opcodes[] = { 0, 1, 2, 3, 8, 9, 10, 11, 12, 14, 15 };

    gen_emit(gen, 0x1e204000 | bit(gen) << 22 | opcodes[gen_below(gen, 11)] << 15 | v(gen) << 5 |
                      v(gen));
}

static void convert_precision(Gen *gen)
{
    static const struct {
        uint32_t type, opcode;
    } pairs[] = { { 0, 5 }, { 0, 7 }, { 1, 4 }, { 1, 7 }, { 3, 4 }, { 3, 5 } };
    unsigned i = gen_below(gen, G_N_ELEMENTS(pairs));

    gen_emit(gen, 0x1e204000 | pairs[i].type << 22 | pairs[i].opcode << 15 | v(gen) << 5 | v(gen));
}

static void two_source(Gen *gen)
{
    gen_emit(gen, 0x1e200800 | bit(gen) << 22 | v(gen) << 16 | gen_below(gen, 9) << 12 |
                      v(gen) << 5 | v(gen));
}

static void three_source(Gen *gen)
{
    gen_emit(gen, 0x1f000000 | bit(gen) << 22 | bit(gen) << 21 | v(gen) << 16 | bit(gen) << 15 |
                      v(gen) << 10 | v(gen) << 5 | v(gen));
}

static void compare(Gen *gen)
{
    uint32_t zero = bit(gen);

    gen_emit(gen, 0x1e202000 | bit(gen) << 22 | (zero ? 0 : v(gen)) << 16 | v(gen) << 5 |
                      bit(gen) << 4 | zero << 3);
}

static void conditional(Gen *gen)
{
    if (bit(gen)) {
        gen_emit(gen, 0x1e200400 | bit(gen) << 22 | v(gen) << 16 | gen_below(gen, 16) << 12 |
                          v(gen) << 5 | bit(gen) << 4 | gen_below(gen, 16));
    } else {
        gen_emit(gen, 0x1e200c00 | bit(gen) << 22 | v(gen) << 16 | gen_below(gen, 16) << 12 |
                          v(gen) << 5 | v(gen));
    }
}

static void immediate(Gen *gen)
{
    gen_emit(gen, 0x1e201000 | bit(gen) << 22 | gen_below(gen, 256) << 13 | v(gen));
}

static void to_integer(Gen *gen)
{
    uint32_t rounding = gen_below(gen, 5); /* 4: to nearest, ties away */

    gen_emit(gen, 0x1e200000 | bit(gen) << 31 | bit(gen) << 22 |
                      (rounding == 4 ? 4u << 16 : rounding << 19) | bit(gen) << 16 | v(gen) << 5 |
                      gen_rd(gen));
}

static void from_integer(Gen *gen)
{
    gen_emit(gen, 0x1e220000 | bit(gen) << 31 | bit(gen) << 22 | bit(gen) << 16 | gen_rn(gen) << 5 |
                      v(gen));
}

static void fixed_point(Gen *gen)
{
    uint32_t sf = bit(gen), to_fixed = bit(gen);
    uint32_t scale = sf ? gen_below(gen, 64) : 32 + gen_below(gen, 32);

    gen_emit(gen, sf << 31 | 0x1e000000 | bit(gen) << 22 | (to_fixed ? 0x180000 : 0x020000) |
                      bit(gen) << 16 | scale << 10 | (to_fixed ? v(gen) : gen_rn(gen)) << 5 |
                      (to_fixed ? gen_rd(gen) : v(gen)));
}

static void move_general(Gen *gen)
{
    static const uint32_t words[] = { 0x1e260000, 0x9e660000, 0x9eae0000 }; /* from S, D, V.D[1] */
    uint32_t word = words[gen_below(gen, 3)];

    if (bit(gen)) {
        gen_emit(gen, word | v(gen) << 5 | gen_rd(gen));
    } else {
        gen_emit(gen, word | 1 << 16 | gen_rn(gen) << 5 | v(gen));
    }
}

void gen_fp(Gen *gen)
{
    static void (*const templates[])(Gen * gen) = {
        one_source, one_source,   convert_precision, two_source,  two_source,
        two_source, three_source, compare,           conditional, immediate,
        to_integer, to_integer,   from_integer,      fixed_point, move_general,
    };

    templates[gen_below(gen, G_N_ELEMENTS(templates))](gen);
}
