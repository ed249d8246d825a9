/* SPDX-License-Identifier: GPL-2.0-or-later
 * Programs of random sequences, and the two places that run them: qemu-aarch64 and the engine.
 */
#pragma once

#include <glib.h>
#include <stdint.h>

enum { PROGRAM_MAX = 256 };

typedef struct {
    uint8_t *image; /* what is at PROGRAM */
    gsize size;
    unsigned count;
} Program;

/* count sequences of n_groups groups: seeds first, first + step, ... A seed has the same address
 * in every program. */
Program *program_new(uint64_t first, unsigned step, unsigned count, unsigned n_groups);
void program_free(Program *program);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Program, program_free)

/* Both return the results (layout.h; count * 2 states) or NULL with *error. harness is the file
 * built for that place. Under qemu each sequence runs once: only the first states count. */
uint8_t *program_run_qemu(const Program *program, const char *qemu, const char *harness,
                          GError **error);
uint8_t *program_run_engine(const Program *program, const char *harness, unsigned el,
                            unsigned iterations, GError **error);
