/* SPDX-License-Identifier: GPL-2.0-or-later
 * 16550A UART (National Semiconductor PC16550D data sheet, section 8): registers, interrupt, modem
 * lines and life cycle. The characters are in serial-line.c.
 *
 * The line is infinitely fast: a character that is written has left at once, so the transmitter is
 * always empty, and the receive time-out (four character times of silence) has passed as soon as
 * the back end has no more to give. OUT2 does not hold back the interrupt as the gate on a PC's
 * board does. Registers run in vCPU threads, the front end in the main context, both under the
 * device's lock.
 */
#include "serial-priv.h"
#include "util/error.h"

enum { COM1_PORT = 0x3f8, COM1_IRQ = 4 };
enum { REG_DATA, REG_IER, REG_IIR_FCR, REG_LCR, REG_MCR, REG_LSR, REG_MSR, REG_SCR };

DEVICE_DEFINE_TYPE(Serial, serial, "isa-serial", TYPE_DEVICE)

/* What is to be told first, by the data sheet's priorities. */
static uint8_t interrupt_id(const Serial *s)
{
    if ((s->ier & IER_RLS) && s->lsr_error != 0) {
        return IIR_RLS;
    }
    if ((s->ier & IER_RDA) && s->rx_count >= serial_rx_trigger(s)) {
        return IIR_RDA;
    }
    if ((s->ier & IER_RDA) && s->rx_timeout) {
        return IIR_TIMEOUT;
    }
    if ((s->ier & IER_THRE) && s->thre_pending) {
        return IIR_THRE;
    }
    if ((s->ier & IER_MS) && (s->msr & ~MSR_LINES)) {
        return IIR_MS;
    }
    return IIR_NONE;
}

void serial_update_irq(Serial *s)
{
    bool level = interrupt_id(s) != IIR_NONE;

    if (level != s->irq_level) {
        s->irq_level = level;
        irq_set(s->irq[0], level);
    }
}

/* The modem inputs: our own outputs in loopback, else a peer that is always ready. */
static uint8_t modem_lines(const Serial *s)
{
    uint8_t lines = 0;

    if (!(s->mcr & MCR_LOOP)) {
        return MSR_CTS | MSR_DSR | MSR_DCD;
    }
    lines |= s->mcr & MCR_RTS ? MSR_CTS : 0;
    lines |= s->mcr & MCR_DTR ? MSR_DSR : 0;
    lines |= s->mcr & MCR_OUT1 ? MSR_RI : 0;
    lines |= s->mcr & MCR_OUT2 ? MSR_DCD : 0;
    return lines;
}

/* RI's delta bit tells only of its end (TERI). */
static void update_modem(Serial *s)
{
    uint8_t lines = modem_lines(s), changed = (s->msr & MSR_LINES) ^ lines;

    if (lines & MSR_RI) {
        changed &= ~MSR_RI;
    }
    s->msr = lines | (s->msr & ~MSR_LINES) | changed >> MSR_DELTA_SHIFT;
}

/* TRUE: one behind the first character has an error. */
static bool fifo_has_error(const Serial *s)
{
    for (unsigned i = 0; i < s->rx_count; i++) {
        if (s->rx[(s->rx_head + i) % SERIAL_FIFO].error != 0) {
            return true;
        }
    }
    return false;
}

static uint8_t read_lsr(Serial *s)
{
    uint8_t lsr = LSR_THRE | LSR_TEMT | s->lsr_error;

    lsr |= s->rx_count > 0 ? LSR_DR : 0;
    if ((s->fcr & FCR_ENABLE) && (fifo_has_error(s) || (s->lsr_error & LSR_BI))) {
        lsr |= LSR_FIFO_ERROR;
    }
    s->lsr_error = 0;
    return lsr;
}

static uint8_t read_iir(Serial *s)
{
    uint8_t id = interrupt_id(s);

    if (id == IIR_THRE) {
        s->thre_pending = false;
    }
    return id | (s->fcr & FCR_ENABLE ? IIR_FIFOS : 0);
}

static uint8_t read_msr(Serial *s)
{
    uint8_t msr = s->msr;

    s->msr &= MSR_LINES;
    return msr;
}

static uint64_t serial_read(void *opaque, hwaddr offset, unsigned size)
{
    Serial *s = opaque;
    bool divisor = s->lcr & LCR_DLAB;
    uint8_t value;

    switch (offset) {
    case REG_DATA:
        value = divisor ? s->dll : serial_read_data(s);
        break;
    case REG_IER:
        return divisor ? s->dlm : s->ier;
    case REG_IIR_FCR:
        value = read_iir(s);
        break;
    case REG_LCR:
        return s->lcr;
    case REG_MCR:
        return s->mcr;
    case REG_LSR:
        value = read_lsr(s);
        break;
    case REG_MSR:
        value = read_msr(s);
        break;
    default:
        return s->scr;
    }
    serial_update_irq(s);
    return value;
}

static void write_ier(Serial *s, uint8_t value)
{
    if ((value & IER_THRE) && !(s->ier & IER_THRE)) {
        s->thre_pending = true; /* it is empty now */
    }
    s->ier = value & IER_MASK;
}

static void write_fcr(Serial *s, uint8_t value)
{
    bool toggled = (s->fcr ^ value) & FCR_ENABLE;

    if (toggled || (value & FCR_CLEAR_RX)) {
        serial_flush_rx(s);
        if (s->chr != NULL) {
            chardev_accept_input(s->chr);
        }
    }
    if (value & FCR_ENABLE) {
        s->fcr = value & ~(FCR_CLEAR_RX | FCR_CLEAR_TX);
    } else {
        s->fcr = 0; /* the other bits take effect only together with it */
    }
}

static void write_mcr(Serial *s, uint8_t value)
{
    bool was_loop = s->mcr & MCR_LOOP;

    s->mcr = value & MCR_MASK;
    update_modem(s);
    if (was_loop && !(s->mcr & MCR_LOOP) && s->chr != NULL) {
        chardev_accept_input(s->chr);
    }
}

static void serial_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    Serial *s = opaque;
    bool divisor = s->lcr & LCR_DLAB, begins;

    switch (offset) {
    case REG_DATA:
        if (divisor) {
            s->dll = value;
        } else {
            serial_write_data(s, value);
        }
        break;
    case REG_IER:
        if (divisor) {
            s->dlm = value;
        } else {
            write_ier(s, value);
        }
        break;
    case REG_IIR_FCR:
        write_fcr(s, value);
        break;
    case REG_LCR:
        begins = value & ~s->lcr & LCR_BREAK;
        s->lcr = value;
        if (begins) {
            serial_send_break(s);
        }
        break;
    case REG_MCR:
        write_mcr(s, value);
        break;
    case REG_SCR:
        s->scr = value;
        break;
    default: /* LSR and MSR are not for writing */
        break;
    }
    serial_update_irq(s);
}

static const MemoryRegionOps serial_ops = {
    .read = serial_read,
    .write = serial_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 4, .unaligned = true },
    .impl = { .min_access_size = 1, .max_access_size = 1 },
};

static bool serial_realize(Device *dev, GError **error)
{
    Serial *s = HUMPY_SERIAL(dev);

    if (s->chardev != NULL) {
        s->chr = chardev_find(s->chardev);
        if (s->chr == NULL) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN, "there is no chardev with id '%s'",
                        s->chardev);
            return false;
        }
    }
    if (s->chr != NULL && !chardev_attach(s->chr, &serial_frontend, s, error)) {
        return false;
    }
    memory_region_init_io(&s->mr, G_OBJECT(dev), &serial_ops, s, "serial", SERIAL_SIZE);
    device_add_mmio(dev, &s->mr);
    return true;
}

static void serial_unrealize(Device *dev)
{
    Serial *s = HUMPY_SERIAL(dev);

    if (s->chr != NULL) {
        chardev_detach(s->chr);
    }
    memory_region_destroy(&s->mr);
}

/* Table I of the data sheet; what it leaves undefined is zero. */
static void serial_reset(Device *dev)
{
    Serial *s = HUMPY_SERIAL(dev);

    serial_flush_rx(s);
    s->thre_pending = false;
    s->lsr_error = 0;
    s->ier = s->fcr = s->lcr = s->mcr = 0;
    s->scr = s->dll = s->dlm = 0;
    s->msr = modem_lines(s);
    serial_update_irq(s);
}

Device *serial_new(struct Chardev *chr)
{
    Serial *s = g_object_new(TYPE_SERIAL, NULL);

    s->chr = chr;
    return HUMPY_DEVICE(s);
}

/* What is a board's own has its place and its wire there. */
static const Prop serial_props[] = {
    PROP_STRING("chardev", Serial, chardev, NULL, "Id of the character back end"),
    PROP_U32("iobase", Serial, port, COM1_PORT, 0, UINT16_MAX + 1 - SERIAL_SIZE, "Its first port"),
    PROP_U32("irq", Serial, isa_irq, COM1_IRQ, 0, 15, "Its interrupt"),
};

static void serial_init(Serial *s)
{
    device_declare_irqs(HUMPY_DEVICE(s), s->irq, G_N_ELEMENTS(s->irq));
}

static void serial_class_init(SerialClass *klass)
{
    DeviceClass *dc = HUMPY_DEVICE_CLASS(klass);

    dc->summary = "16550A UART of a PC";
    dc->bus = "System";
    dc->user_creatable = true;
    dc->not_hotpluggable = true;
    dc->realize = serial_realize;
    dc->unrealize = serial_unrealize;
    dc->reset = serial_reset;
    props_install(G_OBJECT_CLASS(klass), serial_props, G_N_ELEMENTS(serial_props));
}
