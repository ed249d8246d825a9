/* SPDX-License-Identifier: GPL-2.0-or-later
 * 8254 interval timer and system control port B of a PC (Intel 8254 data sheet; IBM PC/AT Technical
 * Reference, "System Board"). The counters are i8254-counter.c's. IRQ 0 gets a pulse each time that
 * the first counter's output rises, at most one each MIN_PERIOD_NS; the speaker is silent.
 *
 * Ports run in vCPU threads, the timer in the main context, both under the device's lock.
 */
#include "hw/timer/i8254.h"

#include "hw/core/clock.h"
#include "i8254-priv.h"

enum {
    N_COUNTERS = 3,
    PORT_CONTROL = 3,
    SPEAKER_COUNTER = 2,

    READ_BACK = 3,
    READ_BACK_NO_COUNT = 1 << 5,
    READ_BACK_NO_STATUS = 1 << 4,

    PORT_B_GATE = 1 << 0,
    PORT_B_WRITABLE = 0x0f, /* gate, speaker data, two kinds of checks that nobody makes */
    PORT_B_REFRESH = 1 << 4,
    PORT_B_OUT = 1 << 5,
    REFRESH_NS = 15085, /* the toggling of it by which old programs measure time */

    MIN_PERIOD_NS = 50000,
};

struct _I8254 {
    Device parent_instance;
    MemoryRegion mr[2];
    IrqLine *irq[1];
    bool irq_level;
    ClockTimer *timer;
    PitCounter counter[N_COUNTERS];
    int64_t rises; /* of the first counter's output that IRQ 0 has been told of since */
    unsigned loads;
    int64_t pulsed; /* when it was */
    uint8_t port_b;
};

DEVICE_DEFINE_TYPE(I8254, i8254, "isa-pit", TYPE_DEVICE)

/* Ticks since the clock's zero. In two steps, for the product would overflow within hours. */
static int64_t ticks(void)
{
    int64_t now = clock_now(), seconds = now / CLOCK_NS_PER_SEC;

    return seconds * I8254_HZ + now % CLOCK_NS_PER_SEC * I8254_HZ / CLOCK_NS_PER_SEC;
}

/* The first moment at which there have been n ticks. */
static int64_t time_of(int64_t n)
{
    return n / I8254_HZ * CLOCK_NS_PER_SEC +
           (n % I8254_HZ * CLOCK_NS_PER_SEC + I8254_HZ - 1) / I8254_HZ;
}

static void drive(I8254 *s, bool level)
{
    if (level != s->irq_level) {
        s->irq_level = level;
        irq_set(s->irq[0], level);
    }
}

/* Tells IRQ 0 what has happened since last time, and when to look again. */
static void check(I8254 *s)
{
    PitCounter *c = &s->counter[0];
    int64_t now = ticks(), rises = pit_rises(c, now), next = pit_next_rise(c, now);

    if (c->loads != s->loads) {
        s->loads = c->loads;
        s->rises = 0;
    }
    if (rises != s->rises) {
        s->rises = rises;
        s->pulsed = clock_now();
        drive(s, false);
        drive(s, true);
    } else if (rises == 0) {
        drive(s, pit_out(c, now));
    }
    if (next != INT64_MAX) {
        clock_timer_arm(s->timer, MAX(time_of(next), s->pulsed + MIN_PERIOD_NS));
    } else {
        clock_timer_disarm(s->timer);
    }
}

static void timer_fired(void *opaque)
{
    I8254 *s = opaque;

    memory_lock(device_lock(&s->parent_instance));
    check(s);
    memory_unlock(device_lock(&s->parent_instance));
}

/* ---- the timer's ports ---- */

static void read_back(I8254 *s, uint8_t value)
{
    for (unsigned i = 0; i < N_COUNTERS; i++) {
        if (!(value & 2 << i)) {
            continue;
        }
        if (!(value & READ_BACK_NO_COUNT)) {
            pit_latch_count(&s->counter[i], ticks());
        }
        if (!(value & READ_BACK_NO_STATUS)) {
            pit_latch_status(&s->counter[i], ticks());
        }
    }
}

static void write_control(I8254 *s, uint8_t value)
{
    unsigned n = value >> 6;

    if (n == READ_BACK) {
        read_back(s, value);
    } else if ((value >> 4 & 3) == 0) {
        pit_latch_count(&s->counter[n], ticks());
    } else {
        pit_set_mode(&s->counter[n], value);
    }
}

static uint64_t ports_read(void *opaque, hwaddr offset, unsigned size)
{
    I8254 *s = opaque;

    return offset == PORT_CONTROL ? 0 : pit_read(&s->counter[offset], ticks());
}

static void ports_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    I8254 *s = opaque;

    check(s); /* what was due is not lost */
    if (offset == PORT_CONTROL) {
        write_control(s, value);
    } else {
        pit_write(&s->counter[offset], value, ticks());
    }
    check(s);
}

/* ---- port B ---- */

static uint64_t port_b_read(void *opaque, hwaddr offset, unsigned size)
{
    I8254 *s = opaque;

    return s->port_b | (clock_now() / REFRESH_NS % 2 != 0 ? PORT_B_REFRESH : 0) |
           (pit_out(&s->counter[SPEAKER_COUNTER], ticks()) ? PORT_B_OUT : 0);
}

static void port_b_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    I8254 *s = opaque;

    s->port_b = value & PORT_B_WRITABLE;
    pit_set_gate(&s->counter[SPEAKER_COUNTER], value & PORT_B_GATE, ticks());
}

static const MemoryRegionOps i8254_ops[] = {
    [I8254_PORTS] = {
        .read = ports_read,
        .write = ports_write,
        .endianness = DEVICE_LITTLE_ENDIAN,
        .valid = { .min_access_size = 1, .max_access_size = 4 },
        .impl = { .min_access_size = 1, .max_access_size = 1 },
    },
    [I8254_PORT_B] = {
        .read = port_b_read,
        .write = port_b_write,
        .endianness = DEVICE_LITTLE_ENDIAN,
        .valid = { .min_access_size = 1, .max_access_size = 1 },
        .impl = { .min_access_size = 1, .max_access_size = 1 },
    },
};

/* ---- life cycle ---- */

static bool i8254_realize(Device *dev, GError **error)
{
    static const struct {
        const char *name;
        unsigned size;
    } regions[] = { { "pit", 4 }, { "port61", 1 } };
    I8254 *s = HUMPY_I8254(dev);

    s->timer = clock_timer_new(timer_fired, s);
    for (unsigned i = 0; i < G_N_ELEMENTS(regions); i++) {
        memory_region_init_io(&s->mr[i], G_OBJECT(dev), &i8254_ops[i], s, regions[i].name,
                              regions[i].size);
        device_add_mmio(dev, &s->mr[i]);
    }
    return true;
}

static void i8254_unrealize(Device *dev)
{
    I8254 *s = HUMPY_I8254(dev);

    g_clear_pointer(&s->timer, clock_timer_free);
    for (unsigned i = 0; i < G_N_ELEMENTS(s->mr); i++) {
        memory_region_destroy(&s->mr[i]);
    }
}

/* The data sheet leaves it open; as if each had got mode 3 and no count yet. */
static void i8254_reset(Device *dev)
{
    I8254 *s = HUMPY_I8254(dev);

    s->port_b = 0;
    for (unsigned i = 0; i < N_COUNTERS; i++) {
        s->counter[i] = (PitCounter){ .gate = i != SPEAKER_COUNTER };
        pit_set_mode(&s->counter[i], PIT_BOTH << 4 | 3 << 1);
    }
    s->rises = s->loads = 0;
    clock_timer_disarm(s->timer);
}

static void i8254_reset_exit(Device *dev)
{
    I8254 *s = HUMPY_I8254(dev);

    check(s);
}

static void i8254_init(I8254 *s)
{
    device_declare_irqs(HUMPY_DEVICE(s), s->irq, G_N_ELEMENTS(s->irq));
}

static void i8254_class_init(I8254Class *klass)
{
    DeviceClass *dc = HUMPY_DEVICE_CLASS(klass);

    dc->summary = "PC interval timer (8254)";
    dc->bus = "System";
    dc->realize = i8254_realize;
    dc->unrealize = i8254_unrealize;
    dc->reset = i8254_reset;
    dc->reset_exit = i8254_reset_exit;
}
