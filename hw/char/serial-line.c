/* SPDX-License-Identifier: GPL-2.0-or-later
 * The 16550A's characters: the receive FIFO with its errors, the way in from the character back
 * end, the way out to it, loopback. Registers are serial.c's, where the line's timing is told, too.
 */
#include "serial-priv.h"

static unsigned depth(const Serial *s)
{
    return s->fcr & FCR_ENABLE ? SERIAL_FIFO : 1;
}

unsigned serial_rx_trigger(const Serial *s)
{
    static const uint8_t levels[] = { 1, 4, 8, 14 };

    return s->fcr & FCR_ENABLE ? levels[s->fcr >> FCR_TRIGGER_SHIFT] : 1;
}

/* The errors of the character that is next to be read show in LSR. */
static void reveal_top(Serial *s)
{
    if (s->rx_count > 0) {
        s->lsr_error |= s->rx[s->rx_head].error;
        s->rx[s->rx_head].error = 0;
    }
}

static void receive_char(Serial *s, uint8_t c, uint8_t error)
{
    if (s->rx_count >= depth(s)) {
        s->lsr_error |= LSR_OE;
        if (!(s->fcr & FCR_ENABLE)) {
            s->rx[s->rx_head] = (SerialChar){ c, error }; /* the new one wins without FIFOs */
            reveal_top(s);
        }
        return;
    }
    s->rx[(s->rx_head + s->rx_count++) % SERIAL_FIFO] = (SerialChar){ c, error };
    if (s->rx_count == 1) {
        reveal_top(s);
    }
}

/* The line fell silent with characters waiting (see the top of serial.c). */
static void receive_timeout(Serial *s)
{
    s->rx_timeout = (s->fcr & FCR_ENABLE) && s->rx_count > 0;
}

void serial_flush_rx(Serial *s)
{
    s->rx_count = 0;
    s->rx_timeout = false;
}

uint8_t serial_read_data(Serial *s)
{
    uint8_t c;

    if (s->rx_count == 0) {
        return 0;
    }
    c = s->rx[s->rx_head].c;
    s->rx_head = (s->rx_head + 1) % SERIAL_FIFO;
    s->rx_count--;
    s->rx_timeout = s->rx_timeout && s->rx_count > 0;
    reveal_top(s);
    if (s->chr != NULL && s->rx_count == 0) {
        chardev_accept_input(s->chr);
    }
    return c;
}

void serial_write_data(Serial *s, uint8_t c)
{
    s->thre_pending = true; /* gone, and the register empty again */
    if (s->mcr & MCR_LOOP) {
        receive_char(s, c, 0);
        receive_timeout(s);
    } else if (s->chr != NULL) {
        chardev_write(s->chr, &c, 1);
    }
}

void serial_send_break(Serial *s)
{
    if ((s->lcr & LCR_BREAK) && (s->mcr & MCR_LOOP)) {
        receive_char(s, 0, LSR_BI);
        receive_timeout(s);
    }
}

static size_t serial_can_receive(void *opaque)
{
    Serial *s = opaque;
    size_t room = 0;

    memory_lock(device_lock(&s->parent_instance));
    if (!(s->mcr & MCR_LOOP)) {
        room = depth(s) - MIN(s->rx_count, depth(s));
    }
    memory_unlock(device_lock(&s->parent_instance));
    return room;
}

static void serial_receive(void *opaque, const uint8_t *buf, size_t len)
{
    Serial *s = opaque;

    memory_lock(device_lock(&s->parent_instance));
    for (size_t i = 0; i < len; i++) {
        receive_char(s, buf[i], 0);
    }
    receive_timeout(s);
    serial_update_irq(s);
    memory_unlock(device_lock(&s->parent_instance));
}

static void serial_event(void *opaque, ChardevEvent event)
{
    Serial *s = opaque;

    if (event != CHARDEV_BREAK) {
        return;
    }
    memory_lock(device_lock(&s->parent_instance));
    if (!(s->mcr & MCR_LOOP)) {
        receive_char(s, 0, LSR_BI);
        receive_timeout(s);
        serial_update_irq(s);
    }
    memory_unlock(device_lock(&s->parent_instance));
}

const ChardevFrontend serial_frontend = {
    .can_receive = serial_can_receive,
    .receive = serial_receive,
    .event = serial_event,
};
