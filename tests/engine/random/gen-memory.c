/* SPDX-License-Identifier: GPL-2.0-or-later
 * Loads and stores of all registers in all addressing modes, exclusives, acquire and release,
 * SIMD structures. All addresses stay in the window. Encodings: DDI 0487 section C4.1.
 */
#include "gen.h"

#include "layout.h"

enum { HALF = WINDOW_SIZE / 2, X26 = 26, BASE = 27, MOVING = 28, SP = 31 };

static unsigned bit(Gen *gen)
{
    return gen_below(gen, 2);
}

/* x27, x28 or SP; all point at the middle between groups. */
static unsigned base(Gen *gen)
{
    static const unsigned bases[] = { BASE, MOVING, SP };

    return bases[gen_below(gen, 3)];
}

/* After a write-back: keep the new base in some register, then put it back. */
static void put_back(Gen *gen, unsigned moved)
{
    unsigned seen = gen_below(gen, 26);

    gen_emit(gen, 0x91000000 | moved << 5 | seen);
    gen_emit(gen, 0x91000000 | BASE << 5 | moved);
}

typedef struct {
    uint32_t bits;  /* size, V, opc in their places */
    unsigned scale; /* log2 of the access's size */
    unsigned reg;
} Access;

/* Any load or store of a single register. */
static Access pick_access(Gen *gen)
{
    uint32_t size = gen_below(gen, 4), v = gen_below(gen, 3) == 0, opc;
    Access a;

    if (v) {
        bool quad = gen_below(gen, 3) == 0;

        opc = bit(gen) | (quad ? 2 : 0);
        size = quad ? 0 : size;
        a.scale = quad ? 4 : size;
        a.reg = gen_below(gen, 32);
    } else {
        opc = gen_below(gen, size == 3 ? 2 : size == 2 ? 3 : 4);
        a.scale = size;
        a.reg = gen_rd(gen);
    }
    a.bits = size << 30 | v << 26 | opc << 22;
    return a;
}

static void single_unsigned(Gen *gen)
{
    Access a = pick_access(gen);

    gen_emit(gen, 0x39000000 | a.bits | gen_below(gen, (HALF - 16) >> a.scale) << 10 |
                      base(gen) << 5 | a.reg);
}

static void single_unscaled(Gen *gen)
{
    Access a = pick_access(gen);
    uint32_t offset = gen_below(gen, WINDOW_SIZE - 16) - HALF;

    gen_emit(gen, 0x38000000 | a.bits | (offset & 0x1ff) << 12 | base(gen) << 5 | a.reg);
}

static void single_writeback(Gen *gen)
{
    Access a = pick_access(gen);
    unsigned reg = bit(gen) ? MOVING : SP;
    uint32_t offset = gen_below(gen, WINDOW_SIZE - 16) - HALF;

    if (reg == SP) {
        offset &= ~15u;
    }
    gen_emit(gen, 0x38000400 | a.bits | bit(gen) << 11 | (offset & 0x1ff) << 12 | reg << 5 | a.reg);
    put_back(gen, reg);
}

static void single_register_offset(Gen *gen)
{
    static const uint32_t options[] = { 2, 3, 6, 7 };
    Access a = pick_access(gen);
    uint32_t ones = 7 - a.scale;

    gen_emit(gen, 0x92400000 | (ones - 1) << 10 | gen_rn(gen) << 5 | X26); /* and x26, xn, mask */
    gen_emit(gen, 0x38200800 | a.bits | X26 << 16 | options[gen_below(gen, 4)] << 13 |
                      bit(gen) << 12 | base(gen) << 5 | a.reg);
}

static void pair(Gen *gen)
{
    uint32_t opc = gen_below(gen, 3), v = gen_below(gen, 3) == 0, load = bit(gen);
    unsigned mode = gen_below(gen, 4); /* no-allocate, post, offset, pre */
    unsigned scale = v ? 2 + opc : opc == 2 ? 3 : 2;
    unsigned reg = mode % 2 ? (bit(gen) ? MOVING : SP) : base(gen);
    int32_t limit = HALF - 32 < (63 << scale) ? HALF - 32 : 63 << scale;
    int32_t offset = (int32_t)gen_below(gen, 2 * limit) - limit;
    unsigned first = v ? gen_below(gen, 32) : gen_rd(gen), second;

    do {
        second = v ? gen_below(gen, 32) : gen_rd(gen);
    } while (second == first);
    if (!v && opc == 1) { /* ldpsw */
        load = 1;
        mode = mode == 0 ? 2 : mode;
    }
    offset &= reg == SP && mode % 2 ? ~15 : ~0;
    gen_emit(gen, 0x28000000 | opc << 30 | v << 26 | mode << 23 | load << 22 |
                      (offset >> scale & 0x7f) << 15 | second << 10 | reg << 5 | first);
    if (mode % 2) {
        put_back(gen, reg);
    }
}

static void literal(Gen *gen)
{
    uint32_t opc = gen_below(gen, 3), v = bit(gen);

    gen_emit(gen, 0x18000000 | opc << 30 | v << 26 | gen_below(gen, 8) << 5 |
                      (v ? gen_below(gen, 32) : gen_rd(gen)));
}

/* ldxr and stxr of all sizes, pairs included, alone and as a pair that succeeds. */
static void exclusive(Gen *gen)
{
    uint32_t size = gen_below(gen, 4), two = size >= 2 && bit(gen);
    uint32_t bits = 0x08000000 | size << 30 | two << 21 | bit(gen) << 15 | BASE << 5;
    unsigned first = gen_below(gen, 8), second = 8 + gen_below(gen, 8);
    unsigned status = 16 + gen_below(gen, 8);

    if (gen_below(gen, 4) == 0) {
        gen_emit(gen, 0xd503305f | gen_below(gen, 16) << 8); /* clrex: the store fails */
    } else {
        gen_emit(gen, bits | 1 << 22 | 31 << 16 | (two ? second : 31) << 10 | first);
    }
    bits ^= bit(gen) << 15;
    first = gen_below(gen, 16);
    gen_emit(gen, bits | status << 16 | (two ? gen_below(gen, 16) : 31) << 10 | first);
}

static void ordered(Gen *gen)
{
    gen_emit(gen, 0x089ffc00 | gen_below(gen, 4) << 30 | bit(gen) << 22 | BASE << 5 | gen_rd(gen));
}

static void structures(Gen *gen)
{
    static const uint32_t opcodes[] = { 0, 2, 4, 6, 7, 8, 10 };
    uint32_t q = bit(gen), load = bit(gen), size = gen_below(gen, 4), post = bit(gen);
    uint32_t opcode = opcodes[gen_below(gen, 7)];

    if ((opcode == 0 || opcode == 4 || opcode == 8) && size == 3) {
        q = 1; /* interleaved elements of 64 bits */
    }
    gen_emit(gen, 0x0c000000 | q << 30 | post << 23 | load << 22 | (post ? 31u << 16 : 0) |
                      opcode << 12 | size << 10 | MOVING << 5 | gen_below(gen, 32));
    if (post) {
        put_back(gen, MOVING);
    }
}

/* One lane, or one element to all lanes. */
static void lane(Gen *gen)
{
    uint32_t q = bit(gen), load = bit(gen), r = bit(gen), post = bit(gen), more = bit(gen);
    uint32_t opcode, s = bit(gen), size = gen_below(gen, 4);

    switch (gen_below(gen, 4)) {
    case 0:
        opcode = 0;
        break;
    case 1:
        opcode = 2;
        size &= 2;
        break;
    case 2:
        opcode = 4;
        size = bit(gen);
        s = size ? 0 : s;
        break;
    default:
        opcode = 6;
        load = 1;
        s = 0;
    }
    gen_emit(gen, 0x0d000000 | q << 30 | post << 23 | load << 22 | r << 21 |
                      (post ? 31u << 16 : 0) | (opcode | more) << 13 | s << 12 | size << 10 |
                      MOVING << 5 | gen_below(gen, 32));
    if (post) {
        put_back(gen, MOVING);
    }
}

static void barrier_or_hint(Gen *gen)
{
    static const uint32_t words[] = { 0xd5033bbf, 0xd50339bf, 0xd5033abf, 0xd5033b9f,
                                      0xd5033fdf, 0xd503201f, 0xd503203f, 0xf9800360 };

    gen_emit(gen, words[gen_below(gen, G_N_ELEMENTS(words))]);
}

void gen_memory(Gen *gen)
{
    static void (*const templates[])(Gen * gen) = {
        single_unsigned,
        single_unsigned,
        single_unscaled,
        single_writeback,
        single_writeback,
        single_register_offset,
        single_register_offset,
        pair,
        pair,
        pair,
        literal,
        exclusive,
        ordered,
        structures,
        lane,
        barrier_or_hint,
    };

    templates[gen_below(gen, G_N_ELEMENTS(templates))](gen);
}
