/* SPDX-License-Identifier: GPL-2.0-or-later
 * Sequences and states from seeds; see gen.h. The encodings are in gen-integer.c, gen-memory.c,
 * gen-fp.c and gen-simd.c.
 */
#include "gen.h"

#include "layout.h"

#include <string.h>

/* splitmix64: any seed, also 0, gives a good stream. */
uint64_t gen_random(Gen *gen)
{
    uint64_t z = gen->rng += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

unsigned gen_below(Gen *gen, unsigned n)
{
    return (gen_random(gen) >> 32) % n;
}

void gen_emit(Gen *gen, uint32_t word)
{
    g_assert(gen->n_words < GEN_MAX_WORDS);
    gen->words[gen->n_words++] = word;
}

unsigned gen_rd(Gen *gen)
{
    unsigned reg = gen_below(gen, 29);

    return reg < 26 ? reg : reg + 3; /* 29, 30, 31 */
}

unsigned gen_rn(Gen *gen)
{
    return gen_below(gen, 32);
}

static void emit_group(Gen *gen, GenKind kind)
{
    unsigned dice = gen_below(gen, 100);

    if (dice < 8) {
        gen_branch(gen);
        return;
    }
    if (kind == GEN_MIXED) {
        kind = dice % 4;
    }
    if (kind != GEN_INTEGER && dice < 25) {
        kind = GEN_INTEGER; /* flags and values keep moving */
    }
    switch (kind) {
    case GEN_MEMORY:
        gen_memory(gen);
        return;
    case GEN_FP:
        gen_fp(gen);
        return;
    case GEN_SIMD:
        gen_simd(gen);
        return;
    default:
        gen_integer(gen);
    }
}

static void link_branches(Gen *gen)
{
    for (unsigned i = 0; i < gen->n_branches; i++) {
        unsigned word = gen->branches[i].word;
        unsigned group = MIN(gen->branches[i].group, gen->n_groups);
        uint32_t distance = gen->group_start[group] - word;
        uint32_t op = gen->words[word];

        if ((op & 0x7c000000) == 0x14000000) { /* b, bl */
            gen->words[word] |= distance & 0x3ffffff;
        } else if ((op & 0x7e000000) == 0x36000000) { /* tbz, tbnz */
            gen->words[word] |= (distance & 0x3fff) << 5;
        } else if ((op & 0x1f000000) == 0x10000000) { /* adr, of a br or blr two words on */
            gen->words[word] |= (distance & 0x7ffff) << 5;
        } else { /* b.cond, cbz, cbnz */
            gen->words[word] |= (distance & 0x7ffff) << 5;
        }
    }
}

void gen_sequence(Gen *gen, uint64_t seed, unsigned n_groups, uint64_t address)
{
    GenKind kind = seed % GEN_KINDS;

    memset(gen, 0, sizeof(*gen));
    gen->rng = seed;
    gen->kind = kind;
    gen->address = address;
    for (; gen->n_groups < MIN(n_groups, GEN_MAX_GROUPS); gen->n_groups++) {
        gen->group_start[gen->n_groups] = gen->n_words;
        emit_group(gen, kind);
    }
    gen->group_start[gen->n_groups] = gen->n_words;
    link_branches(gen);
    gen_emit(gen, 0x14000000 | ((SEQ_EXIT - (address + gen->n_words * 4)) >> 2 & 0x3ffffff));
}

static uint64_t interesting_integer(Gen *gen)
{
    static const uint64_t values[] = { 0,
                                       1,
                                       UINT64_MAX,
                                       INT64_MAX,
                                       UINT64_C(1) << 63,
                                       INT32_MAX,
                                       UINT64_C(0x80000000),
                                       UINT32_MAX,
                                       UINT64_C(0xffffffff80000000),
                                       0x7f,
                                       0x80,
                                       0xffff8000 };
    unsigned dice = gen_below(gen, 4);

    if (dice == 0) {
        return values[gen_below(gen, G_N_ELEMENTS(values))];
    }
    return gen_random(gen) >> (dice == 1 ? gen_below(gen, 64) : 0);
}

static uint64_t interesting_float(Gen *gen)
{
    static const uint64_t singles[] = { 0,          0x80000000, 0x3f800000, 0xbf800000, 0x7f800000,
                                        0xff800000, 0x7fc00001, 0x7f800001, 0xffa12345, 0x00000001,
                                        0x807fffff, 0x00800000, 0x7f7fffff, 0x4f000000, 0xcf000000,
                                        0x4effffff, 0x40490fdb, 0x3effffff };
    static const uint64_t doubles[] = { 0,
                                        UINT64_C(1) << 63,
                                        0x3ff0000000000000,
                                        0xbff8000000000000,
                                        0x7ff0000000000000,
                                        0xfff0000000000000,
                                        0x7ff8000000000001,
                                        0x7ff0000000000001,
                                        0xfff4123456789abc,
                                        1,
                                        0x800fffffffffffff,
                                        0x0010000000000000,
                                        0x7fefffffffffffff,
                                        0x43e0000000000000,
                                        0xc3e0000000000000,
                                        0x41dfffffffc00000,
                                        0x47efffffe0000000,
                                        0x3690000000000000 };

    switch (gen_below(gen, 5)) {
    case 0:
        return singles[gen_below(gen, G_N_ELEMENTS(singles))] |
               singles[gen_below(gen, G_N_ELEMENTS(singles))] << 32;
    case 1:
        return doubles[gen_below(gen, G_N_ELEMENTS(doubles))];
    case 2: /* doubles of middling size */
        return (gen_random(gen) & UINT64_C(0x800fffffffffffff)) |
               (uint64_t)(1023 - 40 + gen_below(gen, 80)) << 52;
    case 3: /* singles of middling size */
        return (gen_random(gen) & UINT64_C(0x807fffff807fffff)) |
               (uint64_t)(127 - 20 + gen_below(gen, 40)) << 23 |
               (uint64_t)(127 - 20 + gen_below(gen, 40)) << 55;
    default:
        return gen_random(gen);
    }
}

static void put(uint8_t *state, unsigned offset, uint64_t value)
{
    memcpy(state + offset, &value, sizeof(value));
}

void gen_state(uint8_t *state, uint64_t seed, uint64_t address)
{
    Gen gen = { .rng = ~seed };
    static const uint32_t fpcr_modes[] = { 0,       0,       0,       1 << 22,          2 << 22,
                                           3 << 22, 1 << 24, 1 << 25, 1 << 24 | 1 << 25 };

    for (unsigned i = 0; i < 31; i++) {
        put(state, STATE_X + i * 8, interesting_integer(&gen));
    }
    put(state, STATE_X + 27 * 8, WINDOW + WINDOW_SIZE / 2);
    put(state, STATE_X + 28 * 8, WINDOW + WINDOW_SIZE / 2);
    put(state, STATE_X + 30 * 8, address);
    put(state, STATE_X + 31 * 8, WINDOW + WINDOW_SIZE / 2);
    for (unsigned i = 0; i < 64; i++) {
        put(state, STATE_V + i * 8,
            gen_below(&gen, 3) ? interesting_float(&gen) : interesting_integer(&gen));
    }
    put(state, STATE_NZCV, (uint64_t)gen_below(&gen, 16) << 28);
    put(state, STATE_FPCR, fpcr_modes[gen_below(&gen, G_N_ELEMENTS(fpcr_modes))]);
    put(state, STATE_FPSR, gen_below(&gen, 2) ? 0 : 0x0800009f & gen_random(&gen));
    for (unsigned i = 0; i < WINDOW_SIZE; i += 8) {
        put(state, STATE_WINDOW + i,
            gen_below(&gen, 2) ? interesting_float(&gen) : gen_random(&gen));
    }
}
