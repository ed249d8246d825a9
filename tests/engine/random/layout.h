/* SPDX-License-Identifier: GPL-2.0-or-later
 * Where the random-instruction programs keep their things, at the same addresses on the engine and
 * under a user-mode emulator. Shared with harness.S.
 *
 * PROGRAM: number of sequences, iterations of each, exception level (1 or 0), then for each
 * sequence the addresses of its code and of its initial state. RESULTS: two states for each
 * sequence: after its first and after its last iteration.
 */
#pragma once

#define HARNESS     0x40200000
#define SEQ_EXIT    0x40200004 /* where a sequence branches at its end */
#define PROGRAM     0x40400000
#define CONTEXT     0x40700000 /* the harness's variables */
#define TABLES      0x40710000 /* page tables, the engine only */
#define RESULTS     0x40800000
#define WINDOW      0x41000000 /* the memory that sequences work on */
#define WINDOW_SIZE 512

#define PROGRAM_COUNT      0
#define PROGRAM_ITERATIONS 8
#define PROGRAM_EL         16
#define PROGRAM_ENTRIES    32

#define STATE_X      0 /* x0 to x30, SP */
#define STATE_V      256
#define STATE_NZCV   768
#define STATE_FPCR   776
#define STATE_FPSR   784
#define STATE_WINDOW 800
#define STATE_SIZE   1312

#define CONTEXT_OUT 64

/* In STATE_FPCR: the sequence took an exception; x0 is its ESR, x1 its ELR. */
#define TRAPPED 0xdead
