/* SPDX-License-Identifier: GPL-2.0-or-later
 * Arm PrimeCell RTC PL031 (Arm DDI 0224, chapter 3): a 32-bit count of seconds with one match.
 *
 * The counter runs from power-on as if firmware had set and started it: it shows the host's wall
 * clock plus what the guest loaded, and survives reset; where the virtual clock is moved by hand,
 * the wall clock at power-on plus that. Registers run in vCPU threads, the match timer in the main
 * context, both under the device's lock. Not here: integration test registers.
 */
#include "hw/rtc/pl031.h"

#include "hw/core/clock.h"

enum {
    RTC_DR = 0x000,
    RTC_MR = 0x004,
    RTC_LR = 0x008,
    RTC_CR = 0x00c,
    RTC_IMSC = 0x010,
    RTC_RIS = 0x014,
    RTC_MIS = 0x018,
    RTC_ICR = 0x01c,
    RTC_ID = 0xfe0,
    RTC_SIZE = 0x1000,

    CR_START = 1,
    INT_MATCH = 1,
};

struct _Pl031 {
    Device parent_instance;
    MemoryRegion mr;
    IrqLine *irq[1];
    bool irq_level;
    ClockTimer *timer;
    int64_t power_on; /* wall clock at realize */
    Pl031Clock clock;
    void *clock_opaque;
    int64_t match_at; /* second of the clock at which the counter next equals MR */
    uint32_t offset;  /* counter minus seconds of the clock */
    uint32_t match, load, imsc, ris;
};

DEVICE_DEFINE_TYPE(Pl031, pl031, "pl031", TYPE_DEVICE)

static int64_t host_clock(void *opaque)
{
    const Pl031 *s = opaque;

    return clock_is_manual() ? s->power_on + clock_now() / 1000 : g_get_real_time();
}

static int64_t seconds(const Pl031 *s)
{
    return s->clock(s->clock_opaque) / G_USEC_PER_SEC;
}

static void update_irq(Pl031 *s)
{
    bool level = (s->ris & s->imsc) != 0;

    if (level != s->irq_level) {
        s->irq_level = level;
        irq_set(s->irq[0], level);
    }
}

/* Latches a match that has come. The next one is a turn of the counter on; the timer is for the
 * interrupt only, a read looks for itself. */
static void check_match(Pl031 *s)
{
    int64_t now = s->clock(s->clock_opaque);

    if (now / G_USEC_PER_SEC >= s->match_at) {
        s->ris |= INT_MATCH;
        s->match_at += (int64_t)1 << 32;
    }
    if (s->imsc & INT_MATCH) {
        clock_timer_arm(s->timer, clock_now() + (s->match_at * G_USEC_PER_SEC - now) * 1000);
    } else {
        clock_timer_disarm(s->timer);
    }
    update_irq(s);
}

/* MR, LR or the clock changed: when will the counter be equal to MR? */
static void rearm(Pl031 *s)
{
    int64_t now = seconds(s);

    s->match_at = now + (uint32_t)(s->match - (uint32_t)now - s->offset);
    check_match(s);
}

static void timer_fired(void *opaque)
{
    Pl031 *s = opaque;

    memory_lock(device_lock(&s->parent_instance));
    check_match(s);
    memory_unlock(device_lock(&s->parent_instance));
}

static uint64_t pl031_read(void *opaque, hwaddr offset, unsigned size)
{
    static const uint8_t id[] = { 0x31, 0x10, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1 };
    Pl031 *s = opaque;

    check_match(s);
    switch (offset) {
    case RTC_DR:
        return (uint32_t)seconds(s) + s->offset;
    case RTC_MR:
        return s->match;
    case RTC_LR:
        return s->load;
    case RTC_CR:
        return CR_START;
    case RTC_IMSC:
        return s->imsc;
    case RTC_RIS:
        return s->ris;
    case RTC_MIS:
        return s->ris & s->imsc;
    default: /* write-only, reserved, or between registers: zero */
        return offset >= RTC_ID && offset % 4 == 0 ? id[(offset - RTC_ID) / 4] : 0;
    }
}

static void pl031_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    Pl031 *s = opaque;

    check_match(s);
    switch (offset) {
    case RTC_MR:
        s->match = value;
        rearm(s);
        break;
    case RTC_LR:
        s->load = value;
        s->offset = (uint32_t)value - (uint32_t)seconds(s);
        rearm(s);
        break;
    case RTC_IMSC:
        s->imsc = value & INT_MATCH;
        check_match(s);
        break;
    case RTC_ICR:
        s->ris &= ~value;
        break;
    default: /* read-only or reserved; CR cannot stop a running counter */
        break;
    }
    update_irq(s);
}

static const MemoryRegionOps pl031_ops = {
    .read = pl031_read,
    .write = pl031_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 4 },
    .impl = { .min_access_size = 1, .max_access_size = 4 },
};

static bool pl031_realize(Device *dev, GError **error)
{
    Pl031 *s = HUMPY_PL031(dev);

    s->timer = clock_timer_new(timer_fired, s);
    s->power_on = g_get_real_time();
    memory_region_init_io(&s->mr, G_OBJECT(dev), &pl031_ops, s, "pl031", RTC_SIZE);
    device_add_mmio(dev, &s->mr);
    return true;
}

static void pl031_unrealize(Device *dev)
{
    Pl031 *s = HUMPY_PL031(dev);

    memory_region_destroy(&s->mr);
    g_clear_pointer(&s->timer, clock_timer_free);
}

static void pl031_reset(Device *dev)
{
    Pl031 *s = HUMPY_PL031(dev);

    s->match = s->load = s->imsc = s->ris = 0;
    rearm(s);
}

void pl031_set_clock(Pl031 *s, Pl031Clock clock, void *opaque)
{
    memory_lock(device_lock(&s->parent_instance));
    s->clock = clock != NULL ? clock : host_clock;
    s->clock_opaque = clock != NULL ? opaque : s;
    if (s->timer != NULL) {
        rearm(s);
    }
    memory_unlock(device_lock(&s->parent_instance));
}

static void pl031_init(Pl031 *s)
{
    s->clock = host_clock;
    s->clock_opaque = s;
    device_declare_irqs(HUMPY_DEVICE(s), s->irq, G_N_ELEMENTS(s->irq));
}

static void pl031_class_init(Pl031Class *klass)
{
    DeviceClass *dc = HUMPY_DEVICE_CLASS(klass);

    dc->summary = "Arm PrimeCell real-time clock PL031";
    dc->bus = "System";
    dc->realize = pl031_realize;
    dc->unrealize = pl031_unrealize;
    dc->reset = pl031_reset;
}
