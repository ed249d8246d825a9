/* SPDX-License-Identifier: GPL-2.0-or-later
 * Random A64 sequences that are valid, defined and end: integer, memory, branches forward, FP and
 * SIMD, from encoding templates. The same seed gives the same sequence everywhere, and the first n
 * groups of a sequence are the same whatever its length, so that a failing one can be cut down.
 *
 * x27, x28 and SP point into the middle of the window and are put back after each write-back, x26
 * is an index; all other registers are free. A group is what a branch may land on.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    GEN_MAX_GROUPS = 40,
    GEN_MAX_WORDS = GEN_MAX_GROUPS * 8 + 1,
};

typedef enum { GEN_INTEGER, GEN_MEMORY, GEN_FP, GEN_SIMD, GEN_MIXED, GEN_KINDS } GenKind;

typedef struct {
    uint64_t rng;
    GenKind kind;
    uint64_t address; /* of words[0] */
    uint32_t words[GEN_MAX_WORDS];
    unsigned n_words;
    unsigned group_start[GEN_MAX_GROUPS + 1];
    unsigned n_groups;
    struct {
        unsigned word;  /* the branch */
        unsigned group; /* where it goes */
    } branches[GEN_MAX_GROUPS * 2];
    unsigned n_branches;
} Gen;

/* Fills gen with the sequence of seed, placed at address and leaving to SEQ_EXIT. */
void gen_sequence(Gen *gen, uint64_t seed, unsigned n_groups, uint64_t address);
/* The initial state (layout.h) that belongs to seed. */
void gen_state(uint8_t *state, uint64_t seed, uint64_t address);

/* For the template files */
uint64_t gen_random(Gen *gen);
unsigned gen_below(Gen *gen, unsigned n);
void gen_emit(Gen *gen, uint32_t word);
/* A register that a template may write (not a base), or 31; and any that it may read. */
unsigned gen_rd(Gen *gen);
unsigned gen_rn(Gen *gen);

void gen_integer(Gen *gen);
void gen_branch(Gen *gen);
void gen_memory(Gen *gen);
void gen_fp(Gen *gen);
void gen_simd(Gen *gen);
