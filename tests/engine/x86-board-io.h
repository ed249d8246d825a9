/* SPDX-License-Identifier: GPL-2.0-or-later
 * The devices of the small PC in x86-board.c: ports and registers only.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "models/engine.h"

enum {
    X86_IO_DEBUG_EXIT = 0x501,
    X86_IO_KEYBOARD = 0x64,
    X86_IO_PM1 = 0x604,
    X86_IO_TESTDEV_MMIO = 0x10000,
};

#define X86_IO_ECAM 0xb0000000
#define X86_IO_BAR  0xfd000000

/* All but ops and vm are as after power-on when zero. */
typedef struct {
    const EngineOps *ops;
    EngineVm *vm;
    GString *output; /* NULL: stdout */
    uint8_t fifo[16];
    unsigned fifo_len;
    uint8_t mcr;
    uint8_t scratch[4];
    uint8_t mmio[X86_IO_TESTDEV_MMIO];
    uint32_t config_address;
    uint8_t config[2][256]; /* of functions 0:0.0 and 0:1.0 */
    uint32_t edu_liveness, edu_irq;
} X86Io;

void x86_io_reset(X86Io *io);
/* What the board itself does not take: fills exit->data of reads. */
void x86_io_port(X86Io *io, EngineExit *exit);
void x86_io_mmio(X86Io *io, EngineExit *exit);
