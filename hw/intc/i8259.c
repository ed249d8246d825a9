/* SPDX-License-Identifier: GPL-2.0-or-later
 * A PC's pair of 8259A interrupt controllers (Intel 8259A data sheet), and the edge/level registers
 * that EISA added for them. Edges are kept until they are served, also if the wire falls before.
 * Not here: the buffered modes and MCS-80 vectors, which a PC does not use.
 *
 * Ports, wires and acknowledging: [any], under the device's lock.
 */
#include "hw/intc/i8259.h"

enum {
    CASCADE = 2, /* the first one's input to which the second is wired */
    SPURIOUS = 7,
    NONE = 8,

    ICW1 = 1 << 4,
    ICW1_ICW4 = 1 << 0,
    ICW4_AUTO_EOI = 1 << 1,
    ICW4_NESTED = 1 << 4,
    OCW3 = 1 << 3,
    OCW3_SPECIAL_SET = 1 << 6,
    OCW3_SPECIAL = 1 << 5,
    OCW3_POLL = 1 << 2,
    OCW3_READ_SET = 1 << 1,
    OCW3_READ_ISR = 1 << 0,
    POLL_YES = 1 << 7,

    OCW2_ROTATE_AUTO_CLEAR = 0,
    OCW2_EOI = 1,
    OCW2_SPECIFIC_EOI = 3,
    OCW2_ROTATE_AUTO_SET = 4,
    OCW2_ROTATE_EOI = 5,
    OCW2_SET_PRIORITY = 6,
    OCW2_ROTATE_SPECIFIC = 7,
};

typedef struct {
    uint8_t irr, imr, isr, level, elcr;
    uint8_t vector;  /* of input 0 */
    uint8_t highest; /* input of the highest priority */
    uint8_t step;    /* initialization word that comes next, 2 to 4; 0: none */
    bool wants_icw4, auto_eoi, auto_rotate, special_mask, nested, poll, read_isr;
} Pic;

struct _I8259 {
    Device parent_instance;
    MemoryRegion mr[3];
    IrqLine *intr[1];
    bool intr_level;
    Pic pic[2];
};

DEVICE_DEFINE_TYPE(I8259, i8259, "isa-i8259", TYPE_DEVICE)

/* How many inputs go before the first one of bits; NONE: there is none. */
static unsigned priority(const Pic *p, uint8_t bits)
{
    unsigned n = 0;

    while (n < NONE && !(bits & 1 << (p->highest + n) % 8)) {
        n++;
    }
    return n;
}

/* The input that is to be served next, or NONE. */
static unsigned pending(const Pic *p)
{
    unsigned wanted = priority(p, p->irr & ~p->imr);
    uint8_t in_service = p->special_mask ? p->isr & ~p->imr : p->isr;

    if (p->nested) { /* more of the second one may come while one of it is served */
        in_service &= ~(1 << CASCADE);
    }
    return wanted < priority(p, in_service) ? (p->highest + wanted) % 8 : NONE;
}

static void set_input(Pic *p, unsigned n, bool level)
{
    uint8_t bit = 1 << n;

    if (p->elcr & bit) {
        p->irr = level ? p->irr | bit : p->irr & ~bit;
    } else if (level && !(p->level & bit)) {
        p->irr |= bit;
    }
    p->level = level ? p->level | bit : p->level & ~bit;
}

static void update(I8259 *s)
{
    bool level, second = pending(&s->pic[1]) != NONE;

    /* It stays up while there is more to serve. */
    s->pic[0].irr = second ? s->pic[0].irr | 1 << CASCADE : s->pic[0].irr & ~(1 << CASCADE);
    level = pending(&s->pic[0]) != NONE;
    if (level != s->intr_level) {
        s->intr_level = level;
        irq_set(s->intr[0], level);
    }
}

static void on_input(void *opaque, int n, int level)
{
    I8259 *s = opaque;

    memory_lock(device_lock(&s->parent_instance));
    if (n != CASCADE) {
        set_input(&s->pic[n / 8], n % 8, level != 0);
        update(s);
    }
    memory_unlock(device_lock(&s->parent_instance));
}

/* Serving input n begins. */
static void take(Pic *p, unsigned n)
{
    uint8_t bit = 1 << n;

    if (!(p->elcr & bit)) {
        p->irr &= ~bit;
    }
    if (!p->auto_eoi) {
        p->isr |= bit;
    } else if (p->auto_rotate) {
        p->highest = (n + 1) % 8;
    }
}

static uint8_t acknowledge(I8259 *s)
{
    unsigned n = pending(&s->pic[0]), second = NONE;
    uint8_t vector;

    if (n == NONE) {
        return s->pic[0].vector + SPURIOUS;
    }
    take(&s->pic[0], n);
    vector = s->pic[0].vector + n;
    if (n == CASCADE) {
        second = pending(&s->pic[1]);
        vector = s->pic[1].vector + (second == NONE ? SPURIOUS : second);
        if (second != NONE) {
            take(&s->pic[1], second);
        }
    }
    update(s);
    return vector;
}

uint8_t i8259_acknowledge(I8259 *s)
{
    uint8_t vector;

    memory_lock(device_lock(&s->parent_instance));
    vector = acknowledge(s);
    memory_unlock(device_lock(&s->parent_instance));
    return vector;
}

/* ---- ports ---- */

static void write_icw1(Pic *p, uint8_t value)
{
    uint8_t level = p->level, elcr = p->elcr;

    *p = (Pic){ .level = level, .elcr = elcr, .irr = level & elcr, .step = 2 };
    p->wants_icw4 = value & ICW1_ICW4;
}

static void write_ocw2(Pic *p, uint8_t value)
{
    unsigned n = value & 7, served = priority(p, p->special_mask ? p->isr & ~p->imr : p->isr);

    served = served == NONE ? NONE : (p->highest + served) % 8;
    switch (value >> 5) {
    case OCW2_ROTATE_AUTO_CLEAR:
    case OCW2_ROTATE_AUTO_SET:
        p->auto_rotate = value >> 5 == OCW2_ROTATE_AUTO_SET;
        break;
    case OCW2_EOI:
    case OCW2_ROTATE_EOI:
        if (served != NONE) {
            p->isr &= ~(1 << served);
            p->highest = value >> 5 == OCW2_ROTATE_EOI ? (served + 1) % 8 : p->highest;
        }
        break;
    case OCW2_SPECIFIC_EOI:
        p->isr &= ~(1 << n);
        break;
    case OCW2_SET_PRIORITY:
        p->highest = (n + 1) % 8;
        break;
    case OCW2_ROTATE_SPECIFIC:
        p->isr &= ~(1 << n);
        p->highest = (n + 1) % 8;
        break;
    default:
        break;
    }
}

static void write_ocw3(Pic *p, uint8_t value)
{
    p->poll = value & OCW3_POLL;
    if (value & OCW3_READ_SET) {
        p->read_isr = value & OCW3_READ_ISR;
    }
    if (value & OCW3_SPECIAL_SET) {
        p->special_mask = value & OCW3_SPECIAL;
    }
}

static void write_data(Pic *p, uint8_t value)
{
    switch (p->step) {
    case 2:
        p->vector = value & 0xf8;
        p->step = 3;
        break;
    case 3: /* how the two are wired is known */
        p->step = p->wants_icw4 ? 4 : 0;
        break;
    case 4:
        p->auto_eoi = value & ICW4_AUTO_EOI;
        p->nested = value & ICW4_NESTED;
        p->step = 0;
        break;
    default:
        p->imr = value;
        break;
    }
}

static void pic_write(I8259 *s, Pic *p, hwaddr offset, uint8_t value)
{
    if (offset == 1) {
        write_data(p, value);
    } else if (value & ICW1) {
        write_icw1(p, value);
    } else if (value & OCW3) {
        write_ocw3(p, value);
    } else {
        write_ocw2(p, value);
    }
    update(s);
}

/* Reading after the poll command acknowledges. */
static uint8_t poll(I8259 *s, Pic *p)
{
    unsigned n = pending(p);

    p->poll = false;
    if (n == NONE) {
        return 0;
    }
    take(p, n);
    update(s);
    return POLL_YES | n;
}

static uint8_t pic_read(I8259 *s, Pic *p, hwaddr offset)
{
    if (p->poll) {
        return poll(s, p);
    }
    if (offset == 1) {
        return p->imr;
    }
    return p->read_isr ? p->isr : p->irr;
}

static uint64_t master_read(void *opaque, hwaddr offset, unsigned size)
{
    return pic_read(opaque, &((I8259 *)opaque)->pic[0], offset);
}

static void master_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    pic_write(opaque, &((I8259 *)opaque)->pic[0], offset, value);
}

static uint64_t slave_read(void *opaque, hwaddr offset, unsigned size)
{
    return pic_read(opaque, &((I8259 *)opaque)->pic[1], offset);
}

static void slave_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    pic_write(opaque, &((I8259 *)opaque)->pic[1], offset, value);
}

static uint64_t elcr_read(void *opaque, hwaddr offset, unsigned size)
{
    return ((I8259 *)opaque)->pic[offset].elcr;
}

static void elcr_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    static const uint8_t writable[] = { 0xf8, 0xde }; /* not timer, keyboard, cascade, RTC, FPU */
    I8259 *s = opaque;

    s->pic[offset].elcr = value & writable[offset];
    update(s);
}

#define PORT_OPS(name)                                                                             \
    {                                                                                              \
        .read = name##_read, .write = name##_write, .endianness = DEVICE_LITTLE_ENDIAN,            \
        .valid = { .min_access_size = 1, .max_access_size = 2 },                                   \
        .impl = { .min_access_size = 1, .max_access_size = 1 },                                    \
    }

static const MemoryRegionOps i8259_ops[] = {
    [I8259_MASTER] = PORT_OPS(master),
    [I8259_SLAVE] = PORT_OPS(slave),
    [I8259_ELCR] = PORT_OPS(elcr),
};

/* ---- life cycle ---- */

static bool i8259_realize(Device *dev, GError **error)
{
    static const char *const names[] = { "pic", "pic2", "elcr" };
    I8259 *s = HUMPY_I8259(dev);

    for (unsigned i = 0; i < G_N_ELEMENTS(s->mr); i++) {
        memory_region_init_io(&s->mr[i], G_OBJECT(dev), &i8259_ops[i], s, names[i], 2);
        device_add_mmio(dev, &s->mr[i]);
    }
    return true;
}

static void i8259_unrealize(Device *dev)
{
    I8259 *s = HUMPY_I8259(dev);

    for (unsigned i = 0; i < G_N_ELEMENTS(s->mr); i++) {
        memory_region_destroy(&s->mr[i]);
    }
}

/* Wires keep their levels: what drives them is reset by itself. */
static void i8259_reset(Device *dev)
{
    I8259 *s = HUMPY_I8259(dev);

    for (unsigned i = 0; i < G_N_ELEMENTS(s->pic); i++) {
        s->pic[i] = (Pic){ .level = s->pic[i].level };
    }
    update(s);
}

static void i8259_init(I8259 *s)
{
    device_declare_inputs(HUMPY_DEVICE(s), NULL, on_input, I8259_N_INPUTS);
    device_declare_irqs(HUMPY_DEVICE(s), s->intr, G_N_ELEMENTS(s->intr));
}

static void i8259_class_init(I8259Class *klass)
{
    DeviceClass *dc = HUMPY_DEVICE_CLASS(klass);

    dc->summary = "PC interrupt controllers (8259A pair)";
    dc->bus = "System";
    dc->realize = i8259_realize;
    dc->unrealize = i8259_unrealize;
    dc->reset = i8259_reset;
}
