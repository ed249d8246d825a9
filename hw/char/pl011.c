/* SPDX-License-Identifier: GPL-2.0-or-later
 * Arm PrimeCell UART PL011, revision r1p1 with FIFOs of 16 (Arm DDI 0183, chapter 3).
 *
 * The line is infinitely fast: a transmitted character has left at once, and the receive timeout
 * (32 bit times of silence) has passed as soon as the back end has no more to give. Data bits are
 * not cut to WLEN, and UARTEN does not hold back transmission: bare guests write to a UART that
 * firmware would have set up. Not here: IrDA, DMA requests, baud rates (registers only).
 * Registers run in vCPU threads, the front end in the main context, both under the device's lock.
 */
#include "hw/char/pl011.h"

#include "chardev/chardev.h"

enum {
    UART_DR = 0x000,
    UART_RSR_ECR = 0x004,
    UART_FR = 0x018,
    UART_ILPR = 0x020,
    UART_IBRD = 0x024,
    UART_FBRD = 0x028,
    UART_LCR_H = 0x02c,
    UART_CR = 0x030,
    UART_IFLS = 0x034,
    UART_IMSC = 0x038,
    UART_RIS = 0x03c,
    UART_MIS = 0x040,
    UART_ICR = 0x044,
    UART_DMACR = 0x048,
    UART_ID = 0xfe0,
    UART_SIZE = 0x1000,
};

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

DEVICE_DEFINE_TYPE(Pl011, pl011, "pl011", TYPE_DEVICE)

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

static unsigned fifo_depth(const Pl011 *s)
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

static void update_irq(Pl011 *s)
{
    bool level = (s->ris & s->imsc) != 0;

    if (level != s->irq_level) {
        s->irq_level = level;
        irq_set(s->irq[0], level);
    }
}

/* The modem inputs: our own outputs in loopback (DDI 0183, 2.4.5), else a peer always ready. */
static uint32_t modem_flags(const Pl011 *s)
{
    uint32_t flags = 0;

    if (!(s->cr & CR_LBE)) {
        return FR_CTS | FR_DSR | FR_DCD;
    }
    flags |= s->cr & CR_RTS ? FR_CTS : 0;
    flags |= s->cr & CR_DTR ? FR_DSR : 0;
    flags |= s->cr & CR_OUT1 ? FR_DCD : 0;
    flags |= s->cr & CR_OUT2 ? FR_RI : 0;
    return flags;
}

static uint32_t flags(const Pl011 *s)
{
    uint32_t fr = modem_flags(s);

    fr |= s->rx.count == 0 ? FR_RXFE : 0;
    fr |= s->rx.count >= fifo_depth(s) ? FR_RXFF : 0;
    fr |= s->tx.count == 0 ? FR_TXFE : 0;
    fr |= s->tx.count >= fifo_depth(s) ? FR_TXFF : 0;
    return fr;
}

static void receive_char(Pl011 *s, uint16_t c)
{
    if (s->rx.count >= fifo_depth(s)) {
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

static void send_break(Pl011 *s)
{
    if ((s->lcr_h & LCR_H_BRK) && (s->cr & CR_LBE) && (s->cr & CR_RXE)) {
        receive_char(s, DR_BE);
        receive_timeout(s);
    }
}

/* Sends what waits in the transmit FIFO, if the transmitter is on. */
static void transmit(Pl011 *s)
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

static uint32_t read_data(Pl011 *s)
{
    bool was_full = s->rx.count >= fifo_depth(s);
    uint32_t c;

    if (s->rx.count == 0) {
        return 0;
    }
    c = fifo_pop(&s->rx);
    if (s->overrun) {
        c |= DR_OE;
    }
    s->rsr = (c >> DR_ERROR_SHIFT) & RSR_MASK;
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

static void write_data(Pl011 *s, uint8_t c)
{
    s->ris &= ~INT_TX;
    if (s->tx.count < fifo_depth(s)) {
        fifo_push(&s->tx, c);
    }
    transmit(s);
}

static void write_lcr_h(Pl011 *s, uint32_t value)
{
    uint32_t changed = s->lcr_h ^ value;

    s->lcr_h = value & 0xff;
    if (changed & LCR_H_FEN) {
        s->rx.count = 0;
        s->tx.count = 0;
        s->ris &= ~(INT_RX | INT_RT);
        if (s->chr != NULL) {
            chardev_accept_input(s->chr);
        }
    }
    if (changed & LCR_H_BRK) {
        send_break(s);
    }
}

static void write_cr(Pl011 *s, uint32_t value)
{
    uint32_t before = modem_flags(s), changed;

    s->cr = value & CR_MASK;
    changed = before ^ modem_flags(s);
    s->ris |= changed & FR_CTS ? INT_CTSM : 0;
    s->ris |= changed & FR_DSR ? INT_DSRM : 0;
    s->ris |= changed & FR_DCD ? INT_DCDM : 0;
    s->ris |= changed & FR_RI ? INT_RIM : 0;
    transmit(s);
    if (s->chr != NULL && (s->cr & CR_UARTEN) && (s->cr & CR_RXE)) {
        chardev_accept_input(s->chr);
    }
}

static uint64_t pl011_read(void *opaque, hwaddr offset, unsigned size)
{
    static const uint8_t id[] = { 0x11, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1 };
    Pl011 *s = opaque;
    uint32_t value = 0;

    switch (offset) {
    case UART_DR:
        value = read_data(s);
        break;
    case UART_RSR_ECR:
        return s->rsr;
    case UART_FR:
        return flags(s);
    case UART_ILPR:
        return s->ilpr;
    case UART_IBRD:
        return s->ibrd;
    case UART_FBRD:
        return s->fbrd;
    case UART_LCR_H:
        return s->lcr_h;
    case UART_CR:
        return s->cr;
    case UART_IFLS:
        return s->ifls;
    case UART_IMSC:
        return s->imsc;
    case UART_RIS:
        return s->ris;
    case UART_MIS:
        return s->ris & s->imsc;
    case UART_DMACR:
        return s->dmacr;
    default: /* write-only, reserved, or between registers: zero */
        return offset >= UART_ID && offset % 4 == 0 ? id[(offset - UART_ID) / 4] : 0;
    }
    update_irq(s);
    return value;
}

static void pl011_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    Pl011 *s = opaque;

    switch (offset) {
    case UART_DR:
        write_data(s, value);
        break;
    case UART_RSR_ECR:
        s->rsr = 0;
        break;
    case UART_ILPR:
        s->ilpr = value & 0xff;
        break;
    case UART_IBRD:
        s->ibrd = value & 0xffff;
        break;
    case UART_FBRD:
        s->fbrd = value & 0x3f;
        break;
    case UART_LCR_H:
        write_lcr_h(s, value);
        break;
    case UART_CR:
        write_cr(s, value);
        break;
    case UART_IFLS:
        s->ifls = value & 0x3f;
        break;
    case UART_IMSC:
        s->imsc = value & INT_MASK;
        break;
    case UART_ICR:
        s->ris &= ~value;
        break;
    case UART_DMACR:
        s->dmacr = value & 7;
        break;
    default: /* read-only or reserved */
        break;
    }
    update_irq(s);
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
        room = fifo_depth(s) - MIN(s->rx.count, fifo_depth(s));
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
    update_irq(s);
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
        update_irq(s);
    }
    memory_unlock(device_lock(&s->parent_instance));
}

static const ChardevFrontend pl011_frontend = {
    .can_receive = pl011_can_receive,
    .receive = pl011_receive,
    .event = pl011_event,
};

static const MemoryRegionOps pl011_ops = {
    .read = pl011_read,
    .write = pl011_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 4 },
    .impl = { .min_access_size = 1, .max_access_size = 4 },
};

static bool pl011_realize(Device *dev, GError **error)
{
    Pl011 *s = HUMPY_PL011(dev);

    if (s->chr != NULL && !chardev_attach(s->chr, &pl011_frontend, s, error)) {
        return false;
    }
    memory_region_init_io(&s->mr, G_OBJECT(dev), &pl011_ops, s, "pl011", UART_SIZE);
    device_add_mmio(dev, &s->mr);
    return true;
}

static void pl011_unrealize(Device *dev)
{
    Pl011 *s = HUMPY_PL011(dev);

    if (s->chr != NULL) {
        chardev_detach(s->chr);
    }
    memory_region_destroy(&s->mr);
}

static void pl011_reset(Device *dev)
{
    Pl011 *s = HUMPY_PL011(dev);

    s->rx.count = 0;
    s->tx.count = 0;
    s->overrun = false;
    s->rsr = s->ilpr = s->ibrd = s->fbrd = s->lcr_h = s->imsc = s->ris = s->dmacr = 0;
    s->cr = CR_RESET;
    s->ifls = IFLS_RESET;
    update_irq(s);
}

Device *pl011_new(struct Chardev *chr)
{
    Pl011 *s = g_object_new(TYPE_PL011, NULL);

    s->chr = chr;
    return HUMPY_DEVICE(s);
}

static void pl011_init(Pl011 *s)
{
    device_declare_irqs(HUMPY_DEVICE(s), s->irq, G_N_ELEMENTS(s->irq));
}

static void pl011_class_init(Pl011Class *klass)
{
    DeviceClass *dc = HUMPY_DEVICE_CLASS(klass);

    dc->summary = "Arm PrimeCell UART PL011";
    dc->bus = "System";
    dc->realize = pl011_realize;
    dc->unrealize = pl011_unrealize;
    dc->reset = pl011_reset;
}
