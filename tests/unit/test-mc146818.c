/* SPDX-License-Identifier: GPL-2.0-or-later
 * The PC's real-time clock through its two ports, on a clock that the test turns; rules of the
 * MC146818 data sheet.
 */
#include "hw/core/clock.h"
#include "hw/rtc/mc146818.h"

enum {
    RTC_SECONDS = 0x00,
    RTC_SECONDS_ALARM = 0x01,
    RTC_MINUTES = 0x02,
    RTC_MINUTES_ALARM = 0x03,
    RTC_HOURS = 0x04,
    RTC_HOURS_ALARM = 0x05,
    RTC_WEEKDAY = 0x06,
    RTC_DAY = 0x07,
    RTC_MONTH = 0x08,
    RTC_YEAR = 0x09,
    RTC_A = 0x0a,
    RTC_B = 0x0b,
    RTC_C = 0x0c,
    RTC_D = 0x0d,
    RTC_RAM = 0x0e,
    RTC_CENTURY = 0x32,

    B_24H = 0x02,
    B_BINARY = 0x04,
    B_UIE = 0x10,
    B_AIE = 0x20,
    B_PIE = 0x40,
    B_SET = 0x80,
    C_UF = 0x10,
    C_AF = 0x20,
    C_PF = 0x40,
    C_IRQF = 0x80,
};

#define SECOND INT64_C(1000000)
/* Tuesday 2023-11-14 22:13:20 */
#define START (INT64_C(1700000000) * SECOND)

typedef struct {
    MemoryRegion root;
    AddressSpace *as;
    Device *rtc;
    int level;
} Bench;

static void on_irq(void *opaque, int n, int level)
{
    ((Bench *)opaque)->level = level;
}

static int64_t base; /* of the virtual clock, which only goes on */

static int64_t test_clock(void *opaque)
{
    return START + (clock_now() - base) / 1000;
}

static void step_us(int64_t us)
{
    clock_set(clock_now() + us * 1000);
}

static void set_up(Bench *b, gconstpointer data)
{
    base = clock_now();
    memory_region_init(&b->root, NULL, "root", UINT64_MAX);
    b->as = address_space_new(&b->root, "test");
    b->rtc = g_object_new(TYPE_MC146818, NULL);
    mc146818_set_clock(HUMPY_MC146818(b->rtc), test_clock, b);
    device_connect_irq(b->rtc, 0, irq_new(on_irq, b, 0));
    g_assert_true(device_realize(b->rtc, NULL));
    device_map(b->rtc, 0, &b->root, 0x70);
    device_reset(b->rtc);
}

static void tear_down(Bench *b, gconstpointer data)
{
    device_unrealize(b->rtc);
    g_object_unref(b->rtc);
    address_space_free(b->as);
    memory_region_destroy(&b->root);
}

static uint8_t get(Bench *b, unsigned index)
{
    address_space_stb(b->as, 0x70, index, NULL);
    return address_space_ldub(b->as, 0x71, NULL);
}

static void put(Bench *b, unsigned index, uint8_t value)
{
    address_space_stb(b->as, 0x70, index, NULL);
    address_space_stb(b->as, 0x71, value, NULL);
}

static void assert_time(Bench *b, uint64_t date, unsigned time)
{
    g_assert_cmphex((uint64_t)get(b, RTC_CENTURY) << 24 | get(b, RTC_YEAR) << 16 |
                        get(b, RTC_MONTH) << 8 | get(b, RTC_DAY),
                    ==, date);
    g_assert_cmphex(get(b, RTC_HOURS) << 16 | get(b, RTC_MINUTES) << 8 | get(b, RTC_SECONDS), ==,
                    time);
}

static void shows_the_time(Bench *b, gconstpointer data)
{
    assert_time(b, 0x20231114, 0x221320);
    g_assert_cmphex(get(b, RTC_WEEKDAY), ==, 3);
    step_us(40 * SECOND);
    assert_time(b, 0x20231114, 0x221400);
    g_assert_cmphex(get(b, RTC_D), ==, 0x80);
    g_assert_cmphex(get(b, RTC_A), ==, 0x26);
    g_assert_cmphex(get(b, RTC_B), ==, 0x02);
}

static void formats(Bench *b, gconstpointer data)
{
    put(b, RTC_B, B_BINARY | B_24H);
    assert_time(b, 0x14170b0e, 0x160d14);
    put(b, RTC_B, 0);
    assert_time(b, 0x20231114, 0x901320); /* 10 pm */
    step_us(2 * 3600 * SECOND);
    assert_time(b, 0x20231115, 0x121320); /* 12 am */
    put(b, RTC_B, B_BINARY);
    step_us(12 * 3600 * SECOND);
    g_assert_cmphex(get(b, RTC_HOURS), ==, 0x8c);
}

static void can_be_set(Bench *b, gconstpointer data)
{
    step_us(300000);
    put(b, RTC_B, B_SET | B_24H);
    step_us(10 * SECOND);
    assert_time(b, 0x20231114, 0x221320); /* stands still */
    put(b, RTC_CENTURY, 0x19);
    put(b, RTC_YEAR, 0x99);
    put(b, RTC_MONTH, 0x12);
    put(b, RTC_DAY, 0x31);
    put(b, RTC_HOURS, 0x23);
    put(b, RTC_MINUTES, 0x59);
    put(b, RTC_SECONDS, 0x59);
    put(b, RTC_B, B_24H);
    assert_time(b, 0x19991231, 0x235959);
    step_us(699999); /* the fraction of a second was kept */
    assert_time(b, 0x19991231, 0x235959);
    step_us(1);
    assert_time(b, 0x20000101, 0x000000);
}

static void weekday_is_a_counter(Bench *b, gconstpointer data)
{
    put(b, RTC_WEEKDAY, 7);
    g_assert_cmphex(get(b, RTC_WEEKDAY), ==, 7);
    step_us(86400 * SECOND);
    g_assert_cmphex(get(b, RTC_WEEKDAY), ==, 1);
}

static void divider_reset(Bench *b, gconstpointer data)
{
    step_us(900000);
    put(b, RTC_A, 0x60);
    step_us(5 * SECOND);
    assert_time(b, 0x20231114, 0x221320);
    put(b, RTC_A, 0x26);
    step_us(499999);
    assert_time(b, 0x20231114, 0x221320);
    step_us(1);
    assert_time(b, 0x20231114, 0x221321);
}

static void update_in_progress(Bench *b, gconstpointer data)
{
    step_us(SECOND - 2229);
    g_assert_cmphex(get(b, RTC_A), ==, 0x26);
    step_us(1);
    g_assert_cmphex(get(b, RTC_A), ==, 0xa6);
    put(b, RTC_A, 0xa6); /* read-only */
    step_us(2228);
    g_assert_cmphex(get(b, RTC_A), ==, 0x26);
}

static void update_interrupt(Bench *b, gconstpointer data)
{
    put(b, RTC_B, B_24H | B_UIE);
    step_us(999999);
    g_assert_cmpint(b->level, ==, 0);
    step_us(1);
    g_assert_cmpint(b->level, ==, 1);
    g_assert_cmphex(get(b, RTC_C) & ~C_PF, ==, C_IRQF | C_UF);
    g_assert_cmpint(b->level, ==, 0);
    g_assert_cmphex(get(b, RTC_C), ==, 0);
    put(b, RTC_B, B_24H | B_UIE | B_SET);
    g_assert_cmphex(get(b, RTC_B), ==, B_24H | B_SET);
}

static void alarm_interrupt(Bench *b, gconstpointer data)
{
    put(b, RTC_HOURS_ALARM, 0x22);
    put(b, RTC_MINUTES_ALARM, 0x13);
    put(b, RTC_SECONDS_ALARM, 0x19); /* a second ago: tomorrow */
    put(b, RTC_B, B_24H | B_AIE);
    step_us(86398 * SECOND);
    g_assert_cmpint(b->level, ==, 0);
    step_us(SECOND);
    g_assert_cmpint(b->level, ==, 1);
    g_assert_cmphex(get(b, RTC_C) & ~C_PF, ==, C_IRQF | C_AF | C_UF);
    put(b, RTC_HOURS_ALARM, 0xff); /* each hour */
    put(b, RTC_SECONDS_ALARM, 0x00);
    step_us((59 * 60 + 40) * SECOND);
    g_assert_cmpint(b->level, ==, 0);
    step_us(SECOND);
    g_assert_cmpint(b->level, ==, 1);
    get(b, RTC_C);
    put(b, RTC_MINUTES_ALARM, 0x61); /* never */
    step_us(30 * 86400 * SECOND);
    g_assert_cmpint(b->level, ==, 0);
}

static void periodic_interrupt(Bench *b, gconstpointer data)
{
    static const struct {
        uint8_t rate;
        unsigned ticks; /* of 32768 Hz */
    } rates[] = { { 1, 128 }, { 2, 256 }, { 3, 4 }, { 6, 32 }, { 15, 16384 } };

    for (unsigned i = 0; i < G_N_ELEMENTS(rates); i++) {
        unsigned n = 0;

        put(b, RTC_A, 0x20 | rates[i].rate);
        put(b, RTC_B, B_24H | B_PIE);
        get(b, RTC_C);
        for (int64_t end = clock_now() + CLOCK_NS_PER_SEC; clock_next_deadline() <= end;) {
            clock_set(clock_next_deadline());
            g_assert_cmpint(b->level, ==, 1);
            g_assert_cmphex(get(b, RTC_C) & (C_IRQF | C_PF), ==, C_IRQF | C_PF);
            n++;
        }
        g_assert_cmpuint(n, >=, 32768 / rates[i].ticks - 1);
        g_assert_cmpuint(n, <=, 32768 / rates[i].ticks + 1);
    }
    put(b, RTC_A, 0x20);
    g_assert_cmpint(clock_next_deadline(), ==, -1);
}

/* Whoever does not read C costs nobody anything. */
static void no_timer_while_a_flag_is_pending(Bench *b, gconstpointer data)
{
    put(b, RTC_A, 0x23);
    put(b, RTC_B, B_24H | B_PIE);
    get(b, RTC_C);
    clock_set(clock_next_deadline());
    g_assert_cmpint(b->level, ==, 1);
    g_assert_cmpint(clock_next_deadline(), ==, -1);
}

static void memory(Bench *b, gconstpointer data)
{
    for (unsigned i = RTC_RAM; i < 128; i++) {
        put(b, i, i ^ 0x5a);
    }
    mc146818_set_memory(HUMPY_MC146818(b->rtc), 0xc0000000, 0x40000000);
    device_reset(b->rtc);
    g_assert_cmphex(get(b, 0x7f), ==, 0x7f ^ 0x5a);
    g_assert_cmphex(get(b, 0x80 | 0x0e), ==, 0x0e ^ 0x5a); /* the NMI mask is no address */
    g_assert_cmphex(get(b, 0x15) | get(b, 0x16) << 8, ==, 640);
    g_assert_cmphex(get(b, 0x17) | get(b, 0x18) << 8, ==, 0xffff);
    g_assert_cmphex(get(b, 0x34) | get(b, 0x35) << 8, ==, 0xbf00);
    g_assert_cmphex(get(b, 0x5b) | get(b, 0x5c) << 8 | get(b, 0x5d) << 16, ==, 0x4000);
    g_assert_cmphex(address_space_ldub(b->as, 0x70, NULL), ==, 0xff);
}

static void any_byte_is_a_time(Bench *b, gconstpointer data)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(g_test_rand_int());

    for (unsigned i = 0; i < 20000; i++) {
        unsigned index = g_rand_int_range(rand, 0, 128);

        if (g_rand_boolean(rand)) {
            put(b, g_rand_int_range(rand, 0, 14), g_rand_int(rand));
        } else {
            get(b, index);
        }
        step_us(g_rand_int_range(rand, 0, 100000));
    }
}

static void reset_keeps_the_time(Bench *b, gconstpointer data)
{
    put(b, RTC_YEAR, 0x30);
    put(b, RTC_B, B_24H | B_UIE | B_BINARY);
    step_us(SECOND);
    g_assert_cmpint(b->level, ==, 1);
    device_reset(b->rtc);
    g_assert_cmpint(b->level, ==, 0);
    g_assert_cmphex(get(b, RTC_B), ==, B_24H | B_BINARY);
    g_assert_cmphex(get(b, RTC_C), ==, 0);
    g_assert_cmpuint(get(b, RTC_YEAR), ==, 30);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *rule;
        void (*fn)(Bench *b, gconstpointer data);
    } rules[] = {
        { "shows-the-time", shows_the_time },
        { "binary-and-bcd-12-and-24-hours", formats },
        { "can-be-set", can_be_set },
        { "weekday-is-a-counter", weekday_is_a_counter },
        { "divider-reset-starts-half-a-second-early", divider_reset },
        { "update-in-progress", update_in_progress },
        { "update-interrupt", update_interrupt },
        { "alarm-interrupt", alarm_interrupt },
        { "periodic-interrupt", periodic_interrupt },
        { "no-timer-while-a-flag-is-pending", no_timer_while_a_flag_is_pending },
        { "memory", memory },
        { "any-byte-is-a-time", any_byte_is_a_time },
        { "reset-keeps-the-time", reset_keeps_the_time },
    };

    g_test_init(&argc, &argv, NULL);
    memory_thread_register();
    clock_set_manual();
    for (unsigned i = 0; i < G_N_ELEMENTS(rules); i++) {
        g_autofree char *path = g_strconcat("/mc146818/", rules[i].rule, NULL);

        g_test_add(path, Bench, NULL, set_up, rules[i].fn, tear_down);
    }
    return g_test_run();
}
