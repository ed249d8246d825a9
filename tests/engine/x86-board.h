/* SPDX-License-Identifier: GPL-2.0-or-later
 * A small PC around an x86 engine, for its tests and the payload in tests/guest/x86: RAM at 0, a
 * 16550 that talks and loops, pc-testdev, PCI with edu on it, a thread for each vCPU. No
 * accelerator, no device models of Humpy's.
 */
#pragma once

#include "models/engine.h"

enum {
    X86_BOARD_RAM = 16 << 20,
    X86_BOARD_ENTRY = 0x100000,
    X86_BOARD_MAX_CPUS = 8,
};

typedef enum {
    X86_BOARD_STATUS, /* the debug-exit port was written */
    X86_BOARD_OFF,    /* PM1 control was */
    X86_BOARD_TRIPLE_FAULT,
    X86_BOARD_ERROR, /* the engine gave up, see text */
    X86_BOARD_STOPPED,
    X86_BOARD_TIME_OUT,
} X86BoardEnd;

typedef struct X86Board X86Board;

/* command_line is the payload's, after what the board adds by itself. NULL: no engine; *error. */
X86Board *x86_board_new(unsigned n_cpus, const char *command_line, GError **error);
void x86_board_free(X86Board *board);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(X86Board, x86_board_free)

uint8_t *x86_board_ram(X86Board *board);
EngineVm *x86_board_vm(X86Board *board);
EngineVcpu *x86_board_vcpu(X86Board *board, unsigned index);
/* What the UART says goes to text instead of stdout. */
void x86_board_set_output(X86Board *board, GString *text);

/* A flat image at 1 MiB, loaded again at each reset. */
bool x86_board_load(X86Board *board, const char *file, GError **error);
void x86_board_load_bytes(X86Board *board, const void *code, size_t size);

/* vCPU 0 starts at 1 MiB as a PVH kernel does; real: at 0x1000 in real mode instead. */
void x86_board_start(X86Board *board, bool real);
void x86_board_stop(X86Board *board);
/* After at most 170 seconds, all vCPUs have returned. */
X86BoardEnd x86_board_wait(X86Board *board);
unsigned x86_board_status(X86Board *board);
const char *x86_board_text(X86Board *board);
/* Exits, for tests of their numbers. */
unsigned x86_board_exits(X86Board *board);
