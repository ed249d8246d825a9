/* SPDX-License-Identifier: GPL-2.0-or-later
 * State of a 16550A and the register bits that both of its files know: serial.c has the registers,
 * serial-line.c the characters on their way in and out. All under the device's lock.
 */
#pragma once

#include "chardev/chardev.h"
#include "hw/char/serial.h"

enum {
    IER_RDA = 1 << 0,
    IER_THRE = 1 << 1,
    IER_RLS = 1 << 2,
    IER_MS = 1 << 3,
    IER_MASK = 0xf,

    IIR_NONE = 0x01,
    IIR_MS = 0x00,
    IIR_THRE = 0x02,
    IIR_RDA = 0x04,
    IIR_RLS = 0x06,
    IIR_TIMEOUT = 0x0c,
    IIR_FIFOS = 0xc0,

    FCR_ENABLE = 1 << 0,
    FCR_CLEAR_RX = 1 << 1,
    FCR_CLEAR_TX = 1 << 2,
    FCR_TRIGGER_SHIFT = 6,

    LCR_BREAK = 1 << 6,
    LCR_DLAB = 1 << 7,

    MCR_DTR = 1 << 0,
    MCR_RTS = 1 << 1,
    MCR_OUT1 = 1 << 2,
    MCR_OUT2 = 1 << 3,
    MCR_LOOP = 1 << 4,
    MCR_MASK = 0x1f,

    LSR_DR = 1 << 0,
    LSR_OE = 1 << 1,
    LSR_BI = 1 << 4,
    LSR_THRE = 1 << 5,
    LSR_TEMT = 1 << 6,
    LSR_FIFO_ERROR = 1 << 7,

    MSR_CTS = 1 << 4,
    MSR_DSR = 1 << 5,
    MSR_RI = 1 << 6,
    MSR_DCD = 1 << 7,
    MSR_LINES = MSR_CTS | MSR_DSR | MSR_RI | MSR_DCD,
    MSR_DELTA_SHIFT = 4, /* a line's delta bit is that far below it */

    SERIAL_FIFO = 16,
};

typedef struct {
    uint8_t c;
    uint8_t error; /* LSR bits that belong to it */
} SerialChar;

struct _Serial {
    Device parent_instance;
    char *chardev; /* properties */
    uint32_t port, isa_irq;
    struct Chardev *chr;
    MemoryRegion mr;
    IrqLine *irq[1];
    bool irq_level;
    SerialChar rx[SERIAL_FIFO];
    unsigned rx_head, rx_count;
    bool rx_timeout;   /* characters below the trigger level have waited long enough */
    bool thre_pending; /* the transmitter has become empty and nobody has asked since */
    uint8_t lsr_error; /* OE and the top character's errors, until LSR is read */
    uint8_t ier, fcr, lcr, mcr, msr, scr, dll, dlm;
};

/* ---- serial-line.c ---- */
extern const ChardevFrontend serial_frontend;

unsigned serial_rx_trigger(const Serial *s); /* characters that make RDA */
uint8_t serial_read_data(Serial *s);
void serial_write_data(Serial *s, uint8_t c);
/* LCR asks for a break now. */
void serial_send_break(Serial *s);
void serial_flush_rx(Serial *s);

/* ---- serial.c ---- */
void serial_update_irq(Serial *s);
