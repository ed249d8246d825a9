/* SPDX-License-Identifier: GPL-2.0-or-later
 * Arm PrimeCell GPIO PL061 (Arm DDI 0190, chapter 3): eight pins, each input or output, with
 * interrupts on edges or levels of the inputs.
 *
 * Inputs are wires that other devices (or qtest) drive; one that was never driven shows its pull
 * resistor. A pin that is an input drives its output wire with the pull resistor's level, if it has
 * one. Not here: hardware control of pins (GPIOAFSEL is a register only), integration test
 * registers. Registers run in vCPU threads, inputs in any, all under the device's lock.
 */
#include "hw/gpio/pl061.h"

#include "util/error.h"

enum {
    GPIO_DATA_END = 0x400, /* address bits 9:2 say which pins an access means */
    GPIO_DIR = 0x400,
    GPIO_IS = 0x404,
    GPIO_IBE = 0x408,
    GPIO_IEV = 0x40c,
    GPIO_IE = 0x410,
    GPIO_RIS = 0x414,
    GPIO_MIS = 0x418,
    GPIO_IC = 0x41c,
    GPIO_AFSEL = 0x420,
    GPIO_ID = 0xfe0,
    GPIO_SIZE = 0x1000,
    N_PINS = 8,
};

struct _Pl061 {
    Device parent_instance;
    uint32_t pullups, pulldowns; /* properties */
    MemoryRegion mr;
    IrqLine *irq[1];
    IrqLine *out[N_PINS];
    bool irq_level;
    uint8_t out_level; /* as the wires show it */
    uint8_t in;        /* levels at the pins from outside */
    uint8_t data, dir, is, ibe, iev, ie, afsel;
    uint8_t edges; /* latched */
};

DEVICE_DEFINE_TYPE(Pl061, pl061, "pl061", TYPE_DEVICE)

static uint8_t raw_status(const Pl061 *s)
{
    uint8_t at_level = ~(s->in ^ s->iev);

    return ((s->edges & ~s->is) | (at_level & s->is)) & ~s->dir;
}

static void update_irq(Pl061 *s)
{
    bool level = (raw_status(s) & s->ie) != 0;

    if (level != s->irq_level) {
        s->irq_level = level;
        irq_set(s->irq[0], level);
    }
}

/* Pins that float (inputs without a resistor) leave their wire as it was. */
static void update_outputs(Pl061 *s)
{
    uint8_t driven = s->dir | s->pullups | s->pulldowns;
    uint8_t level = (s->data & s->dir) | (s->pullups & ~s->dir);
    uint8_t changed = (level ^ s->out_level) & driven;

    s->out_level ^= changed;
    for (unsigned i = 0; i < N_PINS; i++) {
        if (changed >> i & 1) {
            irq_set(s->out[i], s->out_level >> i & 1);
        }
    }
}

static void set_pin(void *opaque, int n, int level)
{
    Pl061 *s = opaque;
    uint8_t bit = 1u << n, before, wanted;

    memory_lock(device_lock(&s->parent_instance));
    before = s->in;
    s->in = level ? s->in | bit : s->in & ~bit;
    wanted = s->ibe | (level ? s->iev : ~s->iev);
    s->edges |= (before ^ s->in) & wanted & ~s->is & ~s->dir;
    update_irq(s);
    memory_unlock(device_lock(&s->parent_instance));
}

static uint64_t pl061_read(void *opaque, hwaddr offset, unsigned size)
{
    static const uint8_t id[] = { 0x61, 0x10, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1 };
    Pl061 *s = opaque;

    if (offset < GPIO_DATA_END) {
        return ((s->data & s->dir) | (s->in & ~s->dir)) & offset >> 2;
    }
    switch (offset) {
    case GPIO_DIR:
        return s->dir;
    case GPIO_IS:
        return s->is;
    case GPIO_IBE:
        return s->ibe;
    case GPIO_IEV:
        return s->iev;
    case GPIO_IE:
        return s->ie;
    case GPIO_RIS:
        return raw_status(s);
    case GPIO_MIS:
        return raw_status(s) & s->ie;
    case GPIO_AFSEL:
        return s->afsel;
    default: /* write-only, reserved, or between registers: zero */
        return offset >= GPIO_ID && offset % 4 == 0 ? id[(offset - GPIO_ID) / 4] : 0;
    }
}

static void pl061_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    Pl061 *s = opaque;
    uint8_t mask = offset >> 2;

    if (offset < GPIO_DATA_END) {
        s->data = (s->data & ~mask) | (value & mask);
        update_outputs(s);
        return;
    }
    switch (offset) {
    case GPIO_DIR:
        s->dir = value;
        update_outputs(s);
        break;
    case GPIO_IS:
        s->is = value;
        s->edges &= ~s->is;
        break;
    case GPIO_IBE:
        s->ibe = value;
        break;
    case GPIO_IEV:
        s->iev = value;
        break;
    case GPIO_IE:
        s->ie = value;
        break;
    case GPIO_IC:
        s->edges &= ~value;
        break;
    case GPIO_AFSEL:
        s->afsel = value;
        break;
    default: /* read-only or reserved */
        break;
    }
    update_irq(s);
}

static const MemoryRegionOps pl061_ops = {
    .read = pl061_read,
    .write = pl061_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 4 },
    .impl = { .min_access_size = 1, .max_access_size = 4 },
};

static bool pl061_realize(Device *dev, GError **error)
{
    Pl061 *s = HUMPY_PL061(dev);

    if (s->pullups & s->pulldowns) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "pullups 0x%x and pulldowns 0x%x have pins in common", s->pullups,
                    s->pulldowns);
        return false;
    }
    s->in = s->pullups;
    memory_region_init_io(&s->mr, G_OBJECT(dev), &pl061_ops, s, "pl061", GPIO_SIZE);
    device_add_mmio(dev, &s->mr);
    return true;
}

static void pl061_unrealize(Device *dev)
{
    memory_region_destroy(&HUMPY_PL061(dev)->mr);
}

static void pl061_reset(Device *dev)
{
    Pl061 *s = HUMPY_PL061(dev);

    s->data = s->dir = s->is = s->ibe = s->iev = s->ie = s->afsel = s->edges = 0;
}

static void pl061_reset_exit(Device *dev)
{
    Pl061 *s = HUMPY_PL061(dev);

    update_outputs(s);
    update_irq(s);
}

static const Prop pl061_props[] = {
    PROP_U32("pullups", Pl061, pullups, 0xff, 0, 0xff, "Pins with a resistor to high (mask)"),
    PROP_U32("pulldowns", Pl061, pulldowns, 0, 0, 0xff, "Pins with a resistor to low (mask)"),
};

static void pl061_init(Pl061 *s)
{
    Device *dev = HUMPY_DEVICE(s);

    device_declare_irqs(dev, s->irq, G_N_ELEMENTS(s->irq));
    device_declare_inputs(dev, NULL, set_pin, N_PINS);
    device_declare_outputs(dev, NULL, s->out, G_N_ELEMENTS(s->out));
}

static void pl061_class_init(Pl061Class *klass)
{
    DeviceClass *dc = HUMPY_DEVICE_CLASS(klass);

    dc->summary = "Arm PrimeCell general purpose I/O PL061";
    dc->bus = "System";
    dc->realize = pl061_realize;
    dc->unrealize = pl061_unrealize;
    dc->reset = pl061_reset;
    dc->reset_exit = pl061_reset_exit;
    props_install(G_OBJECT_CLASS(klass), pl061_props, G_N_ELEMENTS(pl061_props));
}
