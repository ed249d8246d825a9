/* SPDX-License-Identifier: GPL-2.0-or-later
 * The six modes of an 8254's counter (Intel 8254 data sheet, "Mode Definitions"). A count is taken
 * over at once and not with the next tick; that is the only liberty.
 */
#include "i8254-priv.h"

#include <stddef.h>

enum {
    MODE_TERMINAL_COUNT = 0,
    MODE_ONE_SHOT = 1,
    MODE_RATE = 2,
    MODE_SQUARE = 3,
    MODE_SOFTWARE_STROBE = 4,
    MODE_HARDWARE_STROBE = 5,

    STATUS_OUT = 1 << 7,
    STATUS_NULL = 1 << 6,

    BCD_RANGE = 10000,
    BINARY_RANGE = 65536,
};

static bool is_periodic(const PitCounter *c)
{
    return c->mode == MODE_RATE || c->mode == MODE_SQUARE;
}

static bool is_triggered(const PitCounter *c)
{
    return c->mode == MODE_ONE_SHOT || c->mode == MODE_HARDWARE_STROBE;
}

static uint32_t range(const PitCounter *c)
{
    return c->bcd ? BCD_RANGE : BINARY_RANGE;
}

static uint32_t from_digits(uint16_t value)
{
    return (value >> 12) * 1000 + (value >> 8 & 0xf) * 100 + (value >> 4 & 0xf) * 10 +
           (value & 0xf);
}

static uint16_t to_digits(uint32_t value)
{
    return value / 1000 % 10 << 12 | value / 100 % 10 << 8 | value / 10 % 10 << 4 | value % 10;
}

static int64_t elapsed(const PitCounter *c, int64_t now)
{
    return c->running ? now - c->start : c->held;
}

/* A new count of a periodic mode comes into force with the next period. */
static void settle(PitCounter *c, int64_t now)
{
    int64_t boundary;

    if (!is_periodic(c) || c->next == 0 || !c->running) {
        return;
    }
    boundary = c->start + c->count;
    if (now >= boundary) {
        boundary = now - (now - c->start) % c->count;
        c->done += (boundary - c->start) / c->count;
        c->start = boundary;
        c->count = c->next;
        c->next = 0;
    }
}

static void begin(PitCounter *c, int64_t now)
{
    if (c->next != 0) {
        c->count = c->next;
        c->next = 0;
    }
    c->start = now;
    c->held = c->done = 0;
    c->running = true;
    c->loads++;
}

/* OUT goes to what it is without a count. */
static void stop(PitCounter *c)
{
    c->loaded = c->running = false;
    c->held = c->done = 0;
    c->loads++;
}

void pit_set_mode(PitCounter *c, uint8_t control)
{
    c->access = control >> 4 & 3;
    c->mode = control >> 1 & 7;
    if (c->mode > MODE_HARDWARE_STROBE) {
        c->mode -= 4; /* 6 and 7 mean 2 and 3 */
    }
    c->bcd = control & 1;
    c->latched = c->has_status = c->write_high = c->read_high = false;
    c->next = 0;
    stop(c);
    c->count = range(c);
}

static void load(PitCounter *c, uint16_t value, int64_t now)
{
    uint32_t count = c->bcd ? from_digits(value) : value;
    bool first = !c->loaded;

    c->next = count == 0 || count > range(c) ? range(c) : count;
    c->loaded = true;
    if (is_triggered(c) || (is_periodic(c) && !first)) {
        if (is_periodic(c) && !c->running) {
            begin(c, now);
            c->running = c->gate;
        }
        return;
    }
    begin(c, now);
    c->running = c->gate;
}

void pit_write(PitCounter *c, uint8_t byte, int64_t now)
{
    settle(c, now);
    if (c->access == PIT_LSB) {
        load(c, byte, now);
    } else if (c->access == PIT_MSB) {
        load(c, byte << 8, now);
    } else if (!c->write_high) {
        c->low = byte;
        c->write_high = true;
        if (c->mode == MODE_TERMINAL_COUNT) {
            stop(c);
        }
    } else {
        c->write_high = false;
        load(c, byte << 8 | c->low, now);
    }
}

static uint16_t value_at(PitCounter *c, int64_t now)
{
    uint32_t value;
    int64_t d;

    settle(c, now);
    d = elapsed(c, now);
    if (c->mode == MODE_RATE) {
        value = c->count - d % c->count;
    } else if (c->mode == MODE_SQUARE) {
        value = (c->count & ~1u) - 2 * d % (c->count > 1 ? c->count & ~1u : 2);
    } else {
        value = ((int64_t)c->count - d % range(c) + range(c)) % range(c);
    }
    value %= range(c);
    return c->bcd ? to_digits(value) : value;
}

bool pit_out(PitCounter *c, int64_t now)
{
    int64_t d;

    settle(c, now);
    d = elapsed(c, now);
    switch (c->mode) {
    case MODE_TERMINAL_COUNT:
        return c->loaded && d >= c->count;
    case MODE_ONE_SHOT:
        return !c->running || d >= c->count;
    case MODE_RATE:
        return !c->running || d % c->count != c->count - 1;
    case MODE_SQUARE:
        return !c->running || d % c->count < (c->count + 1) / 2;
    default:
        return !c->running || d != c->count;
    }
}

int64_t pit_rises(PitCounter *c, int64_t now)
{
    settle(c, now);
    if (!c->loaded) {
        return 0;
    }
    return c->done + (is_periodic(c) ? elapsed(c, now) / c->count : elapsed(c, now) >= c->count);
}

int64_t pit_next_rise(PitCounter *c, int64_t now)
{
    settle(c, now);
    if (!c->running || (!is_periodic(c) && elapsed(c, now) >= c->count)) {
        return INT64_MAX;
    }
    return c->start + (is_periodic(c) ? (elapsed(c, now) / c->count + 1) * c->count : c->count);
}

/* ---- reading ---- */

void pit_latch_count(PitCounter *c, int64_t now)
{
    if (!c->latched) {
        c->latch = value_at(c, now);
        c->latched = true;
    }
}

void pit_latch_status(PitCounter *c, int64_t now)
{
    if (!c->has_status) {
        bool out = pit_out(c, now);

        c->status = (out ? STATUS_OUT : 0) | (!c->loaded || c->next != 0 ? STATUS_NULL : 0) |
                    c->access << 4 | c->mode << 1 | c->bcd;
        c->has_status = true;
    }
}

uint8_t pit_read(PitCounter *c, int64_t now)
{
    uint16_t value;
    bool high;

    if (c->has_status) {
        c->has_status = false;
        return c->status;
    }
    value = c->latched ? c->latch : value_at(c, now);
    high = c->access == PIT_MSB || (c->access == PIT_BOTH && c->read_high);
    if (c->access == PIT_BOTH) {
        c->read_high = !c->read_high;
    }
    if (c->access != PIT_BOTH || high) {
        c->latched = false;
    }
    return high ? value >> 8 : value;
}

/* ---- the gate ---- */

void pit_set_gate(PitCounter *c, bool gate, int64_t now)
{
    if (gate == c->gate) {
        return;
    }
    settle(c, now);
    c->gate = gate;
    if (!c->loaded) {
        return;
    }
    if (is_triggered(c)) {
        if (gate) {
            begin(c, now);
        }
    } else if (!gate) { /* waits; a periodic one starts anew afterwards */
        c->held = is_periodic(c) ? 0 : elapsed(c, now);
        c->running = false;
    } else if (is_periodic(c)) {
        begin(c, now);
    } else {
        c->start = now - c->held;
        c->running = true;
    }
}
