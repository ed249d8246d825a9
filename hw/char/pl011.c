/* SPDX-License-Identifier: GPL-2.0-or-later
 * Arm PrimeCell UART PL011, revision r1p1 with FIFOs of 16 (Arm DDI 0183, chapter 3): registers,
 * interrupt, modem lines and life cycle. The characters are in pl011-line.c.
 *
 * The line is infinitely fast: a transmitted character has left at once, and the receive timeout
 * (32 bit times of silence) has passed as soon as the back end has no more to give. Data bits are
 * not cut to WLEN, and UARTEN does not hold back transmission: bare guests write to a UART that
 * firmware would have set up. Not here: IrDA, DMA requests, baud rates (registers only).
 * Registers run in vCPU threads, the front end in the main context, both under the device's lock.
 */
#include "pl011-priv.h"

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

DEVICE_DEFINE_TYPE(Pl011, pl011, "pl011", TYPE_DEVICE)

void pl011_update_irq(Pl011 *s)
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
    fr |= s->rx.count >= pl011_fifo_depth(s) ? FR_RXFF : 0;
    fr |= s->tx.count == 0 ? FR_TXFE : 0;
    fr |= s->tx.count >= pl011_fifo_depth(s) ? FR_TXFF : 0;
    return fr;
}

static void write_lcr_h(Pl011 *s, uint32_t value)
{
    uint32_t changed = s->lcr_h ^ value;

    s->lcr_h = value & 0xff;
    if (changed & LCR_H_FEN) {
        pl011_flush(s);
        s->ris &= ~(INT_RX | INT_RT);
        if (s->chr != NULL) {
            chardev_accept_input(s->chr);
        }
    }
    if (changed & LCR_H_BRK) {
        pl011_send_break(s);
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
    pl011_transmit(s);
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
        value = pl011_read_data(s);
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
    pl011_update_irq(s);
    return value;
}

static void pl011_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    Pl011 *s = opaque;

    switch (offset) {
    case UART_DR:
        pl011_write_data(s, value);
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
    pl011_update_irq(s);
}

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

    pl011_flush(s);
    s->overrun = false;
    s->rsr = s->ilpr = s->ibrd = s->fbrd = s->lcr_h = s->imsc = s->ris = s->dmacr = 0;
    s->cr = CR_RESET;
    s->ifls = IFLS_RESET;
    pl011_update_irq(s);
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
