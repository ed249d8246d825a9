/* SPDX-License-Identifier: GPL-2.0-or-later
 * The PL011's characters: FIFOs, their levels and errors, the way in from the character back end,
 * the way out to it, loopback. Registers are pl011.c's, where the line's timing is told, too.
 */
#include "pl011-priv.h"

static void fifo_push(Pl011Fifo *fifo, uint16_t c)
{
    fifo->data[(fifo->head + fifo->count++) % FIFO_DEPTH] = c;
}

static uint16_t fifo_pop(Pl011Fifo *fifo)
{
    uint16_t c = fifo->data[fifo->head];

    fifo->head = (fifo->head + 1) % FIFO_DEPTH;
    fifo->count--;
    return c;
}

unsigned pl011_fifo_depth(const Pl011 *s)
{
    return s->lcr_h & LCR_H_FEN ? FIFO_DEPTH : 1;
}

/* DDI 0183, 3.3.9: 1/8, 1/4, 1/2, 3/4, 7/8 full; other encodings are reserved. */
static unsigned rx_trigger(const Pl011 *s)
{
    static const uint8_t levels[] = { 2, 4, 8, 12, 14 };
    unsigned select = (s->ifls >> IFLS_RX_SHIFT) & IFLS_LEVEL_MASK;

    if (!(s->lcr_h & LCR_H_FEN)) {
        return 1;
    }
    return levels[MIN(select, G_N_ELEMENTS(levels) - 1)];
}

static void receive_char(Pl011 *s, uint16_t c)
{
    if (s->rx.count >= pl011_fifo_depth(s)) {
        s->overrun = true;
        s->rsr |= RSR_OE;
        s->ris |= INT_OE;
        return;
    }
    s->overrun = false;
    fifo_push(&s->rx, c);
    if (c & DR_BE) {
        s->ris |= INT_BE;
    }
    if (s->rx.count == rx_trigger(s)) {
        s->ris |= INT_RX;
    }
}

/* The line fell silent with characters waiting (see the top of the file). */
static void receive_timeout(Pl011 *s)
{
    if (s->rx.count > 0 && (s->lcr_h & LCR_H_FEN)) {
        s->ris |= INT_RT;
    }
}

void pl011_send_break(Pl011 *s)
{
    if ((s->lcr_h & LCR_H_BRK) && (s->cr & CR_LBE) && (s->cr & CR_RXE)) {
        receive_char(s, DR_BE);
        receive_timeout(s);
    }
}

void pl011_transmit(Pl011 *s)
{
    uint8_t out[FIFO_DEPTH];
    unsigned n = 0;

    if (s->tx.count == 0 || !(s->cr & CR_TXE)) {
        return;
    }
    while (s->tx.count > 0) {
        out[n++] = fifo_pop(&s->tx);
    }
    if (s->cr & CR_LBE) {
        for (unsigned i = 0; i < n && (s->cr & CR_RXE); i++) {
            receive_char(s, out[i]);
        }
        receive_timeout(s);
    } else if (s->chr != NULL) {
        chardev_write(s->chr, out, n);
    }
    s->ris |= INT_TX;
}

void pl011_flush(Pl011 *s)
{
    s->rx.count = 0;
    s->tx.count = 0;
}

uint32_t pl011_read_data(Pl011 *s)
{
    bool was_full = s->rx.count >= pl011_fifo_depth(s);
    uint32_t c;

    if (s->rx.count == 0) {
        return 0;
    }
    c = fifo_pop(&s->rx);
    if (s->overrun) {
        c |= DR_OE;
    }
    s->rsr = (s->rsr & RSR_OE) | ((c >> DR_ERROR_SHIFT) & RSR_MASK);
    if (s->rx.count < rx_trigger(s)) {
        s->ris &= ~INT_RX;
    }
    if (s->rx.count == 0) {
        s->ris &= ~INT_RT;
    }
    if (s->chr != NULL && (was_full || s->rx.count == 0)) {
        chardev_accept_input(s->chr);
    }
    return c;
}

void pl011_write_data(Pl011 *s, uint8_t c)
{
    s->ris &= ~INT_TX;
    if (s->tx.count < pl011_fifo_depth(s)) {
        fifo_push(&s->tx, c);
    }
    pl011_transmit(s);
}

/* The receiver listens to the line, not to nothing or to our own transmitter. */
static bool receiver_is_on(const Pl011 *s)
{
    return (s->cr & CR_UARTEN) && (s->cr & CR_RXE) && !(s->cr & CR_LBE);
}

static size_t pl011_can_receive(void *opaque)
{
    Pl011 *s = opaque;
    size_t room = 0;

    memory_lock(device_lock(&s->parent_instance));
    if (receiver_is_on(s)) {
        room = pl011_fifo_depth(s) - MIN(s->rx.count, pl011_fifo_depth(s));
    }
    memory_unlock(device_lock(&s->parent_instance));
    return room;
}

static void pl011_receive(void *opaque, const uint8_t *buf, size_t len)
{
    Pl011 *s = opaque;

    memory_lock(device_lock(&s->parent_instance));
    for (size_t i = 0; i < len; i++) {
        receive_char(s, buf[i]);
    }
    receive_timeout(s);
    pl011_update_irq(s);
    memory_unlock(device_lock(&s->parent_instance));
}

static void pl011_event(void *opaque, ChardevEvent event)
{
    Pl011 *s = opaque;

    if (event != CHARDEV_BREAK) {
        return;
    }
    memory_lock(device_lock(&s->parent_instance));
    if (receiver_is_on(s)) {
        receive_char(s, DR_BE);
        receive_timeout(s);
        pl011_update_irq(s);
    }
    memory_unlock(device_lock(&s->parent_instance));
}

const ChardevFrontend pl011_frontend = {
    .can_receive = pl011_can_receive,
    .receive = pl011_receive,
    .event = pl011_event,
};
