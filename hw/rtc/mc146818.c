/* SPDX-License-Identifier: GPL-2.0-or-later
 * MC146818 real-time clock (Motorola data sheet MC146818, "Registers"): index and data port, flags,
 * interrupts. Shows the host's time of day (UTC) plus what the guest has set, or, where the virtual
 * clock is moved by hand, the time of day at power-on plus that. Flags are brought up to date when
 * somebody looks; the timer is for enabled interrupts only.
 *
 * Ports run in vCPU threads, the timer in the main context, both under the device's lock. Not here:
 * the square-wave output, daylight saving, time bases other than 32768 Hz.
 */
#include "mc146818-priv.h"

enum {
    PORT_INDEX,
    PORT_DATA,

    INDEX_MASK = 0x7f, /* the highest bit masks NMIs on PCs; nobody here makes any */
    BASE_HZ = 32768,
    UPDATE_US = 244 + 1984, /* UIP before an update, and the update */
    AFTER_DIVIDER_RESET_US = 500000,
};

DEVICE_DEFINE_TYPE(Mc146818, mc146818, "mc146818rtc", TYPE_DEVICE)

static int64_t host_clock(void *opaque)
{
    const Mc146818 *s = opaque;

    return clock_is_manual() ? s->power_on + clock_now() / 1000 : g_get_real_time();
}

static bool divider_is_reset(const Mc146818 *s)
{
    return (s->cmos[RTC_A] & A_DV_RESET) == A_DV_RESET;
}

static bool stands_still(const Mc146818 *s)
{
    return (s->cmos[RTC_B] & B_SET) || divider_is_reset(s);
}

static int64_t phase(const Mc146818 *s)
{
    int64_t rest = rtc_shown(s) % G_USEC_PER_SEC;

    return rest < 0 ? rest + G_USEC_PER_SEC : rest;
}

/* ---- the periodic interrupt ---- */

/* In ticks of the time base; 0: there is none. */
static int64_t period_ticks(const Mc146818 *s)
{
    unsigned rate = s->cmos[RTC_A] & A_RS;

    if (rate == 0 || divider_is_reset(s)) {
        return 0;
    }
    return INT64_C(1) << (rate <= 2 ? rate + 6 : rate - 1);
}

/* In two steps, for the product would overflow within days. */
static int64_t ticks(void)
{
    int64_t now = clock_now(), seconds = now / CLOCK_NS_PER_SEC;

    return seconds * BASE_HZ + now % CLOCK_NS_PER_SEC * BASE_HZ / CLOCK_NS_PER_SEC;
}

/* The first moment at which there have been n. */
static int64_t time_of_tick(int64_t n)
{
    return n / BASE_HZ * CLOCK_NS_PER_SEC +
           (n % BASE_HZ * CLOCK_NS_PER_SEC + BASE_HZ - 1) / BASE_HZ;
}

/* ---- flags and interrupts ---- */

static void update_flags(Mc146818 *s)
{
    int64_t period = period_ticks(s), second = (rtc_shown(s) - phase(s)) / G_USEC_PER_SEC;

    if (period != 0 && ticks() / period != s->period) {
        s->period = ticks() / period;
        s->cmos[RTC_C] |= C_PF;
    }
    if (stands_still(s) || second == s->second) {
        return;
    }
    s->second = second;
    s->cmos[RTC_C] |= C_UF;
    if (second >= s->alarm_at) {
        s->cmos[RTC_C] |= C_AF;
        s->alarm_at = rtc_next_alarm(s, second + 1);
    }
}

/* When the next enabled flag that is not set will be. */
static int64_t next_event(const Mc146818 *s)
{
    uint8_t waiting = s->cmos[RTC_B] & ~s->cmos[RTC_C];
    int64_t period = period_ticks(s), at = INT64_MAX, now = clock_now();

    if ((waiting & C_PF) && period != 0) {
        at = time_of_tick((s->period + 1) * period);
    }
    if (stands_still(s)) {
        return at;
    }
    if (waiting & C_UF) {
        at = MIN(at, now + (G_USEC_PER_SEC - phase(s)) * 1000);
    }
    if ((waiting & C_AF) && s->alarm_at != RTC_NEVER) {
        at = MIN(at, now + MAX(s->alarm_at * G_USEC_PER_SEC - rtc_shown(s), 0) * 1000);
    }
    return at;
}

static void check(Mc146818 *s)
{
    bool level;
    int64_t at;

    update_flags(s);
    level = s->cmos[RTC_B] & s->cmos[RTC_C] & C_FLAGS;
    s->cmos[RTC_C] = (s->cmos[RTC_C] & C_FLAGS) | (level ? C_IRQF : 0);
    at = next_event(s);
    if (at != INT64_MAX) {
        clock_timer_arm(s->timer, at);
    } else {
        clock_timer_disarm(s->timer);
    }
    if (level != s->irq_level) {
        s->irq_level = level;
        irq_set(s->irq[0], level);
    }
}

static void timer_fired(void *opaque)
{
    Mc146818 *s = opaque;

    memory_lock(device_lock(&s->parent_instance));
    check(s);
    memory_unlock(device_lock(&s->parent_instance));
}

/* ---- registers ---- */

static bool is_time(unsigned index)
{
    return index == RTC_SECONDS || index == RTC_MINUTES || index == RTC_HOURS ||
           (index >= RTC_WEEKDAY && index <= RTC_YEAR) || index == RTC_CENTURY;
}

static uint8_t read_register(Mc146818 *s, unsigned index)
{
    uint8_t value;

    check(s);
    if (is_time(index) && !stands_still(s)) {
        rtc_to_bytes(s);
    }
    value = s->cmos[index];
    switch (index) {
    case RTC_A:
        return value | (!stands_still(s) && phase(s) >= G_USEC_PER_SEC - UPDATE_US ? A_UIP : 0);
    case RTC_C:
        s->cmos[RTC_C] = 0;
        check(s);
        return value;
    case RTC_D:
        return D_VALID;
    default:
        return value;
    }
}

static void write_time(Mc146818 *s, unsigned index, uint8_t value)
{
    if (stands_still(s)) {
        s->cmos[index] = value;
        return;
    }
    rtc_to_bytes(s);
    s->cmos[index] = value;
    rtc_from_bytes(s, phase(s));
}

/* The time stops with SET or with the divider, and goes on from what the bytes then say. */
static void write_control(Mc146818 *s, unsigned index, uint8_t value)
{
    bool was_still = stands_still(s), was_reset = divider_is_reset(s);
    uint8_t old = s->cmos[index];

    if (index == RTC_B && (value & B_SET)) {
        value &= ~B_UIE;
    }
    s->cmos[index] = index == RTC_A ? value & ~A_UIP : value;
    if (!was_still && stands_still(s)) {
        uint8_t now = s->cmos[index];

        s->cmos[index] = old; /* whose format the bytes still have */
        rtc_to_bytes(s);
        s->cmos[index] = now;
    } else if (was_still && !stands_still(s)) {
        rtc_from_bytes(s, was_reset ? AFTER_DIVIDER_RESET_US : phase(s));
    }
    if (index == RTC_A && ((old ^ value) & ~A_UIP) && period_ticks(s) != 0) {
        s->period = ticks() / period_ticks(s);
    } else if (index == RTC_B) {
        s->alarm_at = rtc_next_alarm(s, s->second + 1);
    }
}

static void write_register(Mc146818 *s, unsigned index, uint8_t value)
{
    check(s);
    if (is_time(index)) {
        write_time(s, index, value);
    } else if (index == RTC_A || index == RTC_B) {
        write_control(s, index, value);
    } else if (index != RTC_C && index != RTC_D) {
        s->cmos[index] = value;
        if (index <= RTC_HOURS_ALARM) {
            s->alarm_at = rtc_next_alarm(s, s->second + 1);
        }
    }
    check(s);
}

static uint64_t rtc_read(void *opaque, hwaddr offset, unsigned size)
{
    Mc146818 *s = opaque;

    return offset == PORT_DATA ? read_register(s, s->index) : 0xff; /* the index: write-only */
}

static void rtc_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    Mc146818 *s = opaque;

    if (offset == PORT_DATA) {
        write_register(s, s->index, value);
    } else {
        s->index = value & INDEX_MASK;
    }
}

static const MemoryRegionOps rtc_ops = {
    .read = rtc_read,
    .write = rtc_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 4 },
    .impl = { .min_access_size = 1, .max_access_size = 1 },
};

/* ---- what the machine sets ---- */

/* A byte above the clock's registers, as if the battery had kept it. [main] */
static void mc146818_set_byte(Mc146818 *s, unsigned index, uint8_t value)
{
    g_assert(index >= RTC_RAM && index < MC146818_N_BYTES && !is_time(index));
    memory_lock(device_lock(&s->parent_instance));
    s->cmos[index] = value;
    memory_unlock(device_lock(&s->parent_instance));
}

static void set_number(Mc146818 *s, unsigned index, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++) {
        mc146818_set_byte(s, index + i, value >> 8 * i);
    }
}

void mc146818_set_memory(Mc146818 *s, uint64_t low, uint64_t high)
{
    const uint64_t kib = 1 << 10, mib = 1 << 20;
    uint64_t extended = low > mib ? MIN((low - mib) / kib, UINT16_MAX) : 0;

    set_number(s, 0x15, MIN(low / kib, 640), 2);
    set_number(s, 0x17, extended, 2);
    set_number(s, 0x30, extended, 2);
    set_number(s, 0x34, low > 16 * mib ? MIN((low - 16 * mib) / (64 * kib), UINT16_MAX) : 0, 2);
    set_number(s, 0x5b, MIN(high / (64 * kib), 0xffffff), 3);
}

void mc146818_set_clock(Mc146818 *s, Mc146818Clock clock, void *opaque)
{
    memory_lock(device_lock(&s->parent_instance));
    s->clock = clock != NULL ? clock : host_clock;
    s->clock_opaque = clock != NULL ? opaque : s;
    s->second = (rtc_shown(s) - phase(s)) / G_USEC_PER_SEC;
    s->alarm_at = rtc_next_alarm(s, s->second + 1);
    memory_unlock(device_lock(&s->parent_instance));
}

/* ---- life cycle ---- */

static bool rtc_realize(Device *dev, GError **error)
{
    Mc146818 *s = HUMPY_MC146818(dev);

    s->timer = clock_timer_new(timer_fired, s);
    s->power_on = g_get_real_time();
    mc146818_set_clock(s, s->clock != host_clock ? s->clock : NULL, s->clock_opaque);
    memory_region_init_io(&s->mr, G_OBJECT(dev), &rtc_ops, s, "rtc", MC146818_SIZE);
    device_add_mmio(dev, &s->mr);
    return true;
}

static void rtc_unrealize(Device *dev)
{
    Mc146818 *s = HUMPY_MC146818(dev);

    memory_region_destroy(&s->mr);
    g_clear_pointer(&s->timer, clock_timer_free);
}

/* Time and memory live on the battery; only what the RESET pin clears goes. */
static void rtc_reset(Device *dev)
{
    Mc146818 *s = HUMPY_MC146818(dev);

    s->index = 0;
    s->cmos[RTC_B] &= ~(B_PIE | B_AIE | B_UIE | B_SQWE);
    s->cmos[RTC_C] = 0;
    update_flags(s);
    s->cmos[RTC_C] = 0;
    check(s);
}

static const Prop rtc_props[] = {
    PROP_U32("base_year", Mc146818, base_year, 2000, 1900, 9900,
             "Year that the year register counts from"),
};

static void mc146818_init(Mc146818 *s)
{
    s->clock = host_clock;
    s->clock_opaque = s;
    s->cmos[RTC_A] = A_DV_32KHZ | 6;
    s->cmos[RTC_B] = B_24H;
    device_declare_irqs(HUMPY_DEVICE(s), s->irq, G_N_ELEMENTS(s->irq));
}

static void mc146818_class_init(Mc146818Class *klass)
{
    DeviceClass *dc = HUMPY_DEVICE_CLASS(klass);

    dc->summary = "PC real-time clock with CMOS memory";
    dc->bus = "System";
    dc->realize = rtc_realize;
    dc->unrealize = rtc_unrealize;
    dc->reset = rtc_reset;
    props_install(G_OBJECT_CLASS(klass), rtc_props, G_N_ELEMENTS(rtc_props));
}
