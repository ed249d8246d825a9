/* SPDX-License-Identifier: GPL-2.0-or-later
 * State of a PL011 and the register bits that both of its files know: pl011.c has the registers,
 * pl011-line.c the characters on their way in and out. All under the device's lock.
 */
#pragma once

#include "chardev/chardev.h"
#include "hw/char/pl011.h"

enum {
    DR_BE = 1 << 10,
    DR_OE = 1 << 11,
    DR_ERROR_SHIFT = 8, /* DR bits 8-11 are RSR bits 0-3 */
    RSR_OE = 1 << 3,
    RSR_MASK = 0xf,

    FR_CTS = 1 << 0,
    FR_DSR = 1 << 1,
    FR_DCD = 1 << 2,
    FR_RXFE = 1 << 4,
    FR_TXFF = 1 << 5,
    FR_RXFF = 1 << 6,
    FR_TXFE = 1 << 7,
    FR_RI = 1 << 8,
    FR_MODEM = FR_CTS | FR_DSR | FR_DCD | FR_RI,

    LCR_H_BRK = 1 << 0,
    LCR_H_FEN = 1 << 4,

    CR_UARTEN = 1 << 0,
    CR_LBE = 1 << 7,
    CR_TXE = 1 << 8,
    CR_RXE = 1 << 9,
    CR_DTR = 1 << 10,
    CR_RTS = 1 << 11,
    CR_OUT1 = 1 << 12,
    CR_OUT2 = 1 << 13,
    CR_RESET = CR_TXE | CR_RXE,
    CR_MASK = 0xff87,

    IFLS_RESET = 0x12,
    IFLS_RX_SHIFT = 3,
    IFLS_LEVEL_MASK = 7,

    INT_RIM = 1 << 0,
    INT_CTSM = 1 << 1,
    INT_DCDM = 1 << 2,
    INT_DSRM = 1 << 3,
    INT_RX = 1 << 4,
    INT_TX = 1 << 5,
    INT_RT = 1 << 6,
    INT_BE = 1 << 9,
    INT_OE = 1 << 10,
    INT_MASK = 0x7ff,

    FIFO_DEPTH = 16,
};

typedef struct {
    uint16_t data[FIFO_DEPTH]; /* with error bits as DR shows them */
    unsigned head, count;
} Pl011Fifo;

struct _Pl011 {
    Device parent_instance;
    struct Chardev *chr;
    MemoryRegion mr;
    IrqLine *irq[1];
    bool irq_level;
    Pl011Fifo rx, tx;
    bool overrun; /* a character was lost since the last one that found room */
    uint32_t rsr, ilpr, ibrd, fbrd, lcr_h, cr, ifls, imsc, ris, dmacr;
};

/* ---- pl011-line.c ---- */
extern const ChardevFrontend pl011_frontend;

/* Characters that the FIFOs hold now: one without FIFOs. */
unsigned pl011_fifo_depth(const Pl011 *s);
uint32_t pl011_read_data(Pl011 *s);
void pl011_write_data(Pl011 *s, uint8_t c);
/* The break that LCR_H asks for begins. */
void pl011_send_break(Pl011 *s);
/* Sends what waits in the transmit FIFO, if the transmitter is on. */
void pl011_transmit(Pl011 *s);
/* Empties both FIFOs. */
void pl011_flush(Pl011 *s);

/* ---- pl011.c ---- */
void pl011_update_irq(Pl011 *s);
