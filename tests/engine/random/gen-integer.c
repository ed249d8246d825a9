/* SPDX-License-Identifier: GPL-2.0-or-later
 * Integer instructions, branches forward, and the few system registers that user code has.
 * Encodings: DDI 0487 section C4.1, "data processing" and "branches".
 */
#include "gen.h"

static unsigned bit(Gen *gen)
{
    return gen_below(gen, 2);
}

/* Destination of an instruction in which 31 means SP: anything but that. */
static unsigned not_sp(Gen *gen)
{
    unsigned reg;

    do {
        reg = gen_rd(gen);
    } while (reg == 31);
    return reg;
}

static void add_sub(Gen *gen)
{
    uint32_t sf = bit(gen), op = bit(gen), s = bit(gen);
    uint32_t word = sf << 31 | op << 30 | s << 29;

    switch (gen_below(gen, 3)) {
    case 0:
        word |= 0x11000000 | bit(gen) << 22 | gen_below(gen, 4096) << 10;
        word |= gen_rn(gen) << 5 | (s ? gen_rd(gen) : not_sp(gen));
        break;
    case 1:
        word |= 0x0b000000 | gen_below(gen, 3) << 22 | gen_rn(gen) << 16;
        word |= gen_below(gen, sf ? 64 : 32) << 10 | gen_rn(gen) << 5 | gen_rd(gen);
        break;
    default:
        word |= 0x0b200000 | gen_rn(gen) << 16 | gen_below(gen, 8) << 13 | gen_below(gen, 5) << 10;
        word |= gen_rn(gen) << 5 | (s ? gen_rd(gen) : not_sp(gen));
    }
    gen_emit(gen, word);
}

static void add_with_carry(Gen *gen)
{
    gen_emit(gen, 0x1a000000 | gen_below(gen, 8) << 29 | gen_rn(gen) << 16 | gen_rn(gen) << 5 |
                      gen_rd(gen));
}

static void logical_immediate(Gen *gen)
{
    uint32_t sf = bit(gen), opc = gen_below(gen, 4);
    unsigned size_log = 1 + gen_below(gen, sf ? 6 : 5); /* elements of 2 to 64 bits */
    unsigned size = 1u << size_log;
    unsigned ones = 1 + gen_below(gen, size - 1);
    uint32_t n = size == 64;
    uint32_t imms = n ? ones - 1 : ((~(size - 1) << 1 & 0x3f) | (ones - 1));
    uint32_t immr = gen_below(gen, size);

    gen_emit(gen, sf << 31 | opc << 29 | 0x12000000 | n << 22 | immr << 16 | imms << 10 |
                      gen_rn(gen) << 5 | (opc == 3 ? gen_rd(gen) : not_sp(gen)));
}

static void logical_shifted(Gen *gen)
{
    uint32_t sf = bit(gen);

    gen_emit(gen, sf << 31 | gen_below(gen, 4) << 29 | 0x0a000000 | gen_below(gen, 8) << 21 |
                      gen_rn(gen) << 16 | gen_below(gen, sf ? 64 : 32) << 10 | gen_rn(gen) << 5 |
                      gen_rd(gen));
}

static void move_wide(Gen *gen)
{
    static const uint32_t opcs[] = { 0, 2, 3 };
    uint32_t sf = bit(gen);

    gen_emit(gen, sf << 31 | opcs[gen_below(gen, 3)] << 29 | 0x12800000 |
                      gen_below(gen, sf ? 4 : 2) << 21 | gen_below(gen, 65536) << 5 | gen_rd(gen));
}

static void bitfield_or_extract(Gen *gen)
{
    uint32_t sf = bit(gen), n = sf << 22;
    unsigned width = sf ? 64 : 32;

    if (gen_below(gen, 4) == 0) {
        gen_emit(gen, sf << 31 | 0x13800000 | n | gen_rn(gen) << 16 | gen_below(gen, width) << 10 |
                          gen_rn(gen) << 5 | gen_rd(gen));
    } else {
        gen_emit(gen, sf << 31 | gen_below(gen, 3) << 29 | 0x13000000 | n |
                          gen_below(gen, width) << 16 | gen_below(gen, width) << 10 |
                          gen_rn(gen) << 5 | gen_rd(gen));
    }
}

static void conditional(Gen *gen)
{
    uint32_t sf = bit(gen), op = bit(gen);

    if (bit(gen)) { /* ccmn, ccmp */
        gen_emit(gen, sf << 31 | op << 30 | 0x3a400000 | gen_below(gen, 32) << 16 |
                          gen_below(gen, 16) << 12 | bit(gen) << 11 | gen_rn(gen) << 5 |
                          gen_below(gen, 16));
    } else { /* csel, csinc, csinv, csneg */
        gen_emit(gen, sf << 31 | op << 30 | 0x1a800000 | gen_rn(gen) << 16 |
                          gen_below(gen, 16) << 12 | bit(gen) << 10 | gen_rn(gen) << 5 |
                          gen_rd(gen));
    }
}

static void one_source(Gen *gen)
{
    uint32_t sf = bit(gen), opcode;

    do {
        opcode = gen_below(gen, 6);
    } while (opcode == 3 && !sf);
    gen_emit(gen, sf << 31 | 0x5ac00000 | opcode << 10 | gen_rn(gen) << 5 | gen_rd(gen));
}

static void two_source(Gen *gen)
{
    static const uint32_t opcodes[] = { 2, 3, 8, 9, 10, 11 };
    uint32_t sf = bit(gen), opcode = opcodes[gen_below(gen, 6)];

    if (gen_below(gen, 4) == 0) { /* crc32, crc32c */
        opcode = 16 | bit(gen) << 2 | (sf ? 3 : gen_below(gen, 3));
    }
    gen_emit(gen, sf << 31 | 0x1ac00000 | gen_rn(gen) << 16 | opcode << 10 | gen_rn(gen) << 5 |
                      gen_rd(gen));
}

static void three_source(Gen *gen)
{
    uint32_t ra = gen_rn(gen), sf = bit(gen), op31 = 0, o0 = bit(gen);

    if (sf) {
        static const uint32_t ops[] = { 0, 1, 5, 2, 6 };

        op31 = ops[gen_below(gen, 5)];
        if (op31 == 2 || op31 == 6) {
            o0 = 0;
            ra = 31;
        }
    }
    gen_emit(gen, sf << 31 | 0x1b000000 | op31 << 21 | gen_rn(gen) << 16 | o0 << 15 | ra << 10 |
                      gen_rn(gen) << 5 | gen_rd(gen));
}

static void address_of(Gen *gen)
{
    gen_emit(gen, 0x10000000 | bit(gen) << 31 | gen_below(gen, 4) << 29 |
                      gen_below(gen, 1u << 19) << 5 | gen_rd(gen));
}

/* NZCV, FPSR, FPCR and TPIDR_EL0; FPCR only with values that mean something without FP16. */
static void system_register(Gen *gen)
{
    bool fp = gen->kind != GEN_INTEGER && gen->kind != GEN_MEMORY;
    unsigned reg = gen_rd(gen);

    switch (gen_below(gen, 6)) {
    case 0:
        gen_emit(gen, 0xd53b4200 | gen_rd(gen)); /* mrs nzcv */
        break;
    case 1:
        gen_emit(gen, 0xd51b4200 | gen_rn(gen)); /* msr nzcv */
        break;
    case 2:
        if (!fp) { /* its exception bits are not compared, see test-a64-random.c */
            gen_emit(gen, 0xd53b4420 | gen_rd(gen)); /* mrs fpsr */
        }
        break;
    case 3:
        gen_emit(gen, 0xd53b4400 | gen_rd(gen)); /* mrs fpcr */
        break;
    case 4:
        gen_emit(gen, 0xd51bd040 | reg); /* msr tpidr_el0, mrs */
        gen_emit(gen, 0xd53bd040 | gen_rd(gen));
        break;
    default:
        reg = reg == 31 ? 30 : reg;
        gen_emit(gen, 0xd2a00000 | (gen_below(gen, 16) << 6) << 5 | reg); /* movz, lsl #16 */
        gen_emit(gen, 0xd51b4400 | reg);                                  /* msr fpcr */
    }
}

void gen_integer(Gen *gen)
{
    static void (*const templates[])(Gen * gen) = {
        add_sub,
        add_sub,
        add_sub,
        add_with_carry,
        logical_immediate,
        logical_shifted,
        move_wide,
        bitfield_or_extract,
        bitfield_or_extract,
        conditional,
        conditional,
        one_source,
        two_source,
        three_source,
        address_of,
        system_register,
    };

    templates[gen_below(gen, G_N_ELEMENTS(templates))](gen);
}

static void branch_to(Gen *gen, uint32_t word)
{
    gen->branches[gen->n_branches].word = gen->n_words;
    gen->branches[gen->n_branches].group = gen->n_groups + 1 + gen_below(gen, 5);
    gen->n_branches++;
    gen_emit(gen, word);
}

void gen_branch(Gen *gen)
{
    unsigned reg;

    switch (gen_below(gen, 7)) {
    case 0:
        branch_to(gen, 0x14000000);
        break;
    case 1:
        branch_to(gen, 0x94000000); /* bl */
        break;
    case 2:
        branch_to(gen, 0x34000000 | bit(gen) << 24 | bit(gen) << 31 | gen_rn(gen));
        break;
    case 3:
        branch_to(gen, 0x36000000 | bit(gen) << 24 | bit(gen) << 31 | gen_below(gen, 32) << 19 |
                           gen_rn(gen));
        break;
    case 4:
        reg = not_sp(gen);
        branch_to(gen, 0x10000000 | reg); /* adr; br, blr or ret */
        gen_emit(gen, 0xd61f0000 | gen_below(gen, 3) << 21 | reg << 5);
        break;
    default:
        branch_to(gen, 0x54000000 | gen_below(gen, 16));
    }
}
