/* SPDX-License-Identifier: GPL-2.0-or-later
 * The interval timer through its ports on a clock that is moved by hand; rules of the 8254 data
 * sheet.
 */
#include "hw/core/clock.h"
#include "hw/timer/i8254.h"

enum { PIT = 0x40, CONTROL = 0x43, PORT_B = 0x61 };

typedef struct {
    MemoryRegion root;
    AddressSpace *as;
    Device *dev;
    int level;
    unsigned rises;
} Bench;

static int64_t base; /* the tick at which a test starts; the clock only goes on */

static void on_irq(void *opaque, int n, int level)
{
    Bench *b = opaque;

    b->rises += level && !b->level;
    b->level = level;
}

/* To the first moment of the n-th tick. */
static void go_to(int64_t n)
{
    int64_t tick = base + n;

    clock_set(tick / I8254_HZ * CLOCK_NS_PER_SEC +
              (tick % I8254_HZ * CLOCK_NS_PER_SEC + I8254_HZ - 1) / I8254_HZ);
}

static void set_up(Bench *b, gconstpointer data)
{
    base += INT64_C(1000) * I8254_HZ;
    go_to(0);
    memory_region_init(&b->root, NULL, "root", UINT64_MAX);
    b->as = address_space_new(&b->root, "test");
    b->dev = g_object_new(TYPE_I8254, NULL);
    device_connect_irq(b->dev, 0, irq_new(on_irq, b, 0));
    g_assert_true(device_realize(b->dev, NULL));
    device_map(b->dev, I8254_PORTS, &b->root, PIT);
    device_map(b->dev, I8254_PORT_B, &b->root, PORT_B);
    device_reset(b->dev);
    b->rises = 0;
}

static void tear_down(Bench *b, gconstpointer data)
{
    device_unrealize(b->dev);
    g_object_unref(b->dev);
    address_space_free(b->as);
    memory_region_destroy(&b->root);
}

static uint8_t get(Bench *b, unsigned port)
{
    return address_space_ldub(b->as, port, NULL);
}

static void put(Bench *b, unsigned port, uint8_t value)
{
    address_space_stb(b->as, port, value, NULL);
}

static void set(Bench *b, unsigned n, unsigned mode, unsigned count)
{
    put(b, CONTROL, n << 6 | 0x30 | mode << 1);
    put(b, PIT + n, count);
    put(b, PIT + n, count >> 8);
}

static unsigned latched(Bench *b, unsigned n)
{
    unsigned low;

    put(b, CONTROL, n << 6);
    low = get(b, PIT + n);
    return low | get(b, PIT + n) << 8;
}

static bool out2(Bench *b)
{
    return get(b, PORT_B) & 0x20;
}

static void mode0(Bench *b, gconstpointer data)
{
    set(b, 0, 0, 1000);
    g_assert_cmpint(b->level, ==, 0);
    g_assert_cmpuint(latched(b, 0), ==, 1000);
    go_to(999);
    g_assert_cmpint(b->level, ==, 0);
    g_assert_cmpuint(latched(b, 0), ==, 1);
    go_to(1000);
    g_assert_cmpint(b->level, ==, 1);
    go_to(1001);
    g_assert_cmphex(latched(b, 0), ==, 0xffff); /* counts on */
    put(b, PIT, 0x10);                          /* the first byte stops it */
    g_assert_cmpint(b->level, ==, 0);
    go_to(5000);
    put(b, PIT, 0);
    go_to(5015);
    g_assert_cmpint(b->level, ==, 0);
    go_to(5016 + 60); /* interrupts may come a little late */
    g_assert_cmpint(b->level, ==, 1);
}

static void mode2(Bench *b, gconstpointer data)
{
    set(b, 0, 2, 1193);
    g_assert_cmpint(b->level, ==, 1);
    b->rises = 0;
    go_to(1193 * 10 - 1);
    g_assert_cmpuint(b->rises, ==, 9);
    go_to(1193 * 10);
    g_assert_cmpuint(b->rises, ==, 10);
    go_to(1193 * 10 + 100);
    g_assert_cmpuint(latched(b, 0), ==, 1093);
}

static void new_count_with_the_next_period(Bench *b, gconstpointer data)
{
    set(b, 0, 2, 1000);
    go_to(500);
    put(b, PIT, 2000 & 0xff);
    put(b, PIT, 2000 >> 8);
    put(b, CONTROL, 0xe2); /* status: null count */
    g_assert_cmphex(get(b, PIT), ==, 0xf4);
    b->rises = 0;
    go_to(1000);
    g_assert_cmpuint(b->rises, ==, 1);
    go_to(1100);
    g_assert_cmpuint(latched(b, 0), ==, 1900);
    go_to(2999);
    g_assert_cmpuint(b->rises, ==, 1);
    go_to(3000);
    g_assert_cmpuint(b->rises, ==, 2);
}

static void mode3(Bench *b, gconstpointer data)
{
    put(b, PORT_B, 1);
    set(b, 2, 3, 1001);
    g_assert_true(out2(b));
    go_to(500);
    g_assert_true(out2(b)); /* (N + 1) / 2 ticks high */
    go_to(501);
    g_assert_false(out2(b));
    go_to(1001);
    g_assert_true(out2(b));
    set(b, 2, 3, 1000);
    g_assert_cmpuint(latched(b, 2), ==, 1000);
    go_to(1001 + 100);
    g_assert_cmpuint(latched(b, 2), ==, 800); /* by two */
}

static void mode4(Bench *b, gconstpointer data)
{
    put(b, PORT_B, 1);
    set(b, 2, 4, 300);
    g_assert_true(out2(b));
    go_to(300);
    g_assert_false(out2(b));
    go_to(301);
    g_assert_true(out2(b));
    set(b, 0, 4, 500);
    b->rises = 0;
    go_to(900);
    g_assert_cmpuint(b->rises, ==, 1);
    go_to(90000);
    g_assert_cmpuint(b->rises, ==, 1);
}

static void triggered_modes(Bench *b, gconstpointer data)
{
    put(b, PORT_B, 0);
    set(b, 2, 1, 100);
    go_to(1000);
    g_assert_true(out2(b)); /* waits for the gate */
    put(b, PORT_B, 1);
    g_assert_false(out2(b));
    go_to(1099);
    g_assert_false(out2(b));
    put(b, PORT_B, 0);
    put(b, PORT_B, 1); /* again, from the start */
    go_to(1198);
    g_assert_false(out2(b));
    go_to(1199);
    g_assert_true(out2(b));
    put(b, PORT_B, 0);
    set(b, 2, 5, 100);
    put(b, PORT_B, 1);
    go_to(1299);
    g_assert_false(out2(b));
    go_to(1300);
    g_assert_true(out2(b));
}

static void gate_holds(Bench *b, gconstpointer data)
{
    put(b, PORT_B, 1);
    set(b, 2, 0, 1000);
    go_to(400);
    put(b, PORT_B, 0);
    go_to(5000);
    g_assert_cmpuint(latched(b, 2), ==, 600);
    put(b, PORT_B, 1);
    go_to(5599);
    g_assert_false(out2(b));
    go_to(5600);
    g_assert_true(out2(b));
}

static void latches(Bench *b, gconstpointer data)
{
    set(b, 0, 0, 0x1234);
    put(b, CONTROL, 0x00);
    go_to(0x34);
    put(b, CONTROL, 0x00); /* the first stays */
    g_assert_cmphex(get(b, PIT), ==, 0x34);
    g_assert_cmphex(get(b, PIT), ==, 0x12);
    g_assert_cmphex(get(b, PIT), ==, 0x00); /* live */
    g_assert_cmphex(get(b, PIT), ==, 0x12);
    put(b, CONTROL, 0xc2); /* status and count */
    g_assert_cmphex(get(b, PIT), ==, 0x30);
    g_assert_cmphex(get(b, PIT), ==, 0x00);
    g_assert_cmphex(get(b, PIT), ==, 0x12);
    put(b, CONTROL, 0x36);
    put(b, CONTROL, 0xe2);
    g_assert_cmphex(get(b, PIT), ==, 0xf6); /* no count yet, OUT high */
    g_assert_cmphex(get(b, CONTROL), ==, 0);
}

static void halves_and_digits(Bench *b, gconstpointer data)
{
    put(b, CONTROL, 0x10); /* low byte only */
    put(b, PIT, 200);
    go_to(100);
    g_assert_cmphex(get(b, PIT), ==, 100);
    put(b, CONTROL, 0x20); /* high byte only */
    put(b, PIT, 2);
    g_assert_cmphex(get(b, PIT), ==, 2);
    put(b, CONTROL, 0x31); /* digits */
    put(b, PIT, 0x00);
    put(b, PIT, 0x10);
    go_to(101);
    g_assert_cmphex(latched(b, 0), ==, 0x0999);
    put(b, CONTROL, 0x31);
    put(b, PIT, 0);
    put(b, PIT, 0); /* 10000 */
    go_to(102);
    g_assert_cmphex(latched(b, 0), ==, 0x9999);
}

/* The guest cannot make the host do more than 20000 of them a second. */
static void floods_are_merged(Bench *b, gconstpointer data)
{
    for (unsigned mode = 2; mode <= 3; mode++) {
        set(b, 0, mode, 1);
        b->rises = 0;
        go_to((mode - 1) * I8254_HZ / 10);
        g_assert_cmpuint(b->rises, >, 1000);
        g_assert_cmpuint(b->rises, <=, 2001);
    }
}

static void any_bytes(Bench *b, gconstpointer data)
{
    static const unsigned ports[] = { PIT, PIT + 1, PIT + 2, CONTROL, PORT_B };
    g_autoptr(GRand) rand = g_rand_new_with_seed(g_test_rand_int());
    int64_t at = 0;

    for (unsigned i = 0; i < 50000; i++) {
        unsigned port = ports[g_rand_int_range(rand, 0, G_N_ELEMENTS(ports))];

        if (g_rand_boolean(rand)) {
            put(b, port, g_rand_int(rand));
        } else {
            get(b, port);
        }
        go_to(at += g_rand_int_range(rand, 0, 30));
    }
}

static void reset_stops(Bench *b, gconstpointer data)
{
    set(b, 0, 2, 100);
    put(b, PORT_B, 3);
    device_reset(b->dev);
    b->rises = 0;
    go_to(I8254_HZ);
    g_assert_cmpuint(b->rises, ==, 0);
    g_assert_cmphex(get(b, PORT_B) & 0xf, ==, 0);
    g_assert_cmpint(clock_next_deadline(), ==, -1);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *rule;
        void (*fn)(Bench *b, gconstpointer data);
    } rules[] = {
        { "mode-0-terminal-count", mode0 },
        { "mode-2-rate", mode2 },
        { "new-count-with-the-next-period", new_count_with_the_next_period },
        { "mode-3-square-wave", mode3 },
        { "mode-4-strobe", mode4 },
        { "modes-1-and-5-by-gate", triggered_modes },
        { "gate-holds", gate_holds },
        { "latches", latches },
        { "halves-and-digits", halves_and_digits },
        { "floods-are-merged", floods_are_merged },
        { "any-bytes", any_bytes },
        { "reset-stops", reset_stops },
    };

    g_test_init(&argc, &argv, NULL);
    memory_thread_register();
    clock_set_manual();
    for (unsigned i = 0; i < G_N_ELEMENTS(rules); i++) {
        g_autofree char *path = g_strconcat("/i8254/", rules[i].rule, NULL);

        g_test_add(path, Bench, NULL, set_up, rules[i].fn, tear_down);
    }
    return g_test_run();
}
