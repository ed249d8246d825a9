/* SPDX-License-Identifier: GPL-2.0-or-later
 * PL061 and the push button on it, through the memory API, against Arm DDI 0190 chapter 3.
 */
#include "hw/gpio/gpio-key.h"
#include "hw/gpio/pl061.h"

#include "hw/core/clock.h"
#include "util/error.h"

enum {
    BASE = 0x9030000,
    GPIODIR = 0x400,
    IS = 0x404,
    IBE = 0x408,
    IEV = 0x40c,
    IE = 0x410,
    RIS = 0x414,
    MIS = 0x418,
    IC = 0x41c,
    AFSEL = 0x420,
    N_PINS = 8,
};

typedef struct {
    MemoryRegion root;
    AddressSpace *as;
    Device *gpio;
    int level;
    int out[N_PINS]; /* -1: never driven */
} Bench;

static void on_irq(void *opaque, int n, int level)
{
    ((Bench *)opaque)->level = level;
}

static void on_output(void *opaque, int n, int level)
{
    ((Bench *)opaque)->out[n] = level;
}

static void set_up(Bench *b, gconstpointer pulls)
{
    memory_region_init(&b->root, NULL, "root", UINT64_MAX);
    b->as = address_space_new(&b->root, "test");
    b->gpio = device_new("pl061", NULL);
    g_object_set(b->gpio, "pullups", GPOINTER_TO_UINT(pulls) & 0xff, "pulldowns",
                 GPOINTER_TO_UINT(pulls) >> 8, NULL);
    for (unsigned i = 0; i < N_PINS; i++) {
        b->out[i] = -1;
        device_connect_output(b->gpio, NULL, i, irq_new(on_output, b, i));
    }
    device_connect_irq(b->gpio, 0, irq_new(on_irq, b, 0));
    g_assert_true(device_realize(b->gpio, NULL));
    device_map(b->gpio, 0, &b->root, BASE);
}

static void tear_down(Bench *b, gconstpointer data)
{
    device_unrealize(b->gpio);
    g_object_unref(b->gpio);
    address_space_free(b->as);
    memory_region_destroy(&b->root);
}

static uint32_t rd(Bench *b, unsigned reg)
{
    uint64_t value = 0;

    g_assert_cmpuint(address_space_ld(b->as, BASE + reg, 4, &value), ==, MEMTX_OK);
    return value;
}

static void wr(Bench *b, unsigned reg, uint32_t value)
{
    g_assert_cmpuint(address_space_st(b->as, BASE + reg, 4, value), ==, MEMTX_OK);
}

static void pin(Bench *b, unsigned n, int level)
{
    g_assert_true(device_set_input(b->gpio, NULL, n, level));
}

static void address_masks_data(Bench *b, gconstpointer data)
{
    wr(b, GPIODIR, 0xff);
    wr(b, 0x3fc, 0xa5);
    g_assert_cmphex(rd(b, 0x3fc), ==, 0xa5);
    g_assert_cmphex(rd(b, 0x0f << 2), ==, 0x05);
    wr(b, 0x0f << 2, 0xff);
    g_assert_cmphex(rd(b, 0x3fc), ==, 0xaf);
    wr(b, 0, 0);
    g_assert_cmphex(rd(b, 0x3fc), ==, 0xaf);
    g_assert_cmphex(rd(b, 0), ==, 0);
}

static void outputs_follow_data_and_direction(Bench *b, gconstpointer data)
{
    wr(b, 0x3fc, 0x03);
    g_assert_cmpint(b->out[0], !=, 1); /* still inputs, pulled down */
    wr(b, GPIODIR, 0x01);
    g_assert_cmpint(b->out[0], ==, 1);
    g_assert_cmpint(b->out[1], !=, 1);
    wr(b, 0x01 << 2, 0);
    g_assert_cmpint(b->out[0], ==, 0);
    wr(b, GPIODIR, 0x02);
    g_assert_cmpint(b->out[1], ==, 1);
    wr(b, GPIODIR, 0);
    g_assert_cmpint(b->out[1], ==, 0); /* the resistor */
}

static void pull_ups_show_at_power_on(Bench *b, gconstpointer data)
{
    g_assert_cmphex(rd(b, 0x3fc), ==, 0xff);
    for (unsigned i = 0; i < N_PINS; i++) {
        g_assert_cmpint(b->out[i], ==, 1);
    }
    pin(b, 4, 0);
    g_assert_cmphex(rd(b, 0x3fc), ==, 0xef);
}

static void floating_outputs_stay(Bench *b, gconstpointer data)
{
    wr(b, GPIODIR, 1);
    wr(b, 1 << 2, 1);
    wr(b, GPIODIR, 0);
    g_assert_cmpint(b->out[0], ==, 1);
    g_assert_cmpint(b->out[1], ==, -1);
}

static void inputs_are_read_where_they_are_inputs(Bench *b, gconstpointer data)
{
    pin(b, 0, 1);
    pin(b, 7, 1);
    g_assert_cmphex(rd(b, 0x3fc), ==, 0x81);
    wr(b, GPIODIR, 0x80);
    g_assert_cmphex(rd(b, 0x3fc), ==, 0x01);
}

static void rising_edge(Bench *b, gconstpointer data)
{
    wr(b, IEV, 0x08);
    wr(b, IE, 0x08);
    pin(b, 3, 1);
    g_assert_cmphex(rd(b, RIS), ==, 0x08);
    g_assert_cmphex(rd(b, MIS), ==, 0x08);
    g_assert_cmpint(b->level, ==, 1);
    wr(b, IC, 0x08);
    g_assert_cmpint(b->level, ==, 0);
    pin(b, 3, 1); /* no edge */
    pin(b, 3, 0); /* the other one */
    g_assert_cmphex(rd(b, RIS), ==, 0);
}

static void falling_and_both_edges(Bench *b, gconstpointer data)
{
    wr(b, IBE, 0x02);
    wr(b, IE, 0x03);
    pin(b, 0, 1);
    g_assert_cmphex(rd(b, RIS), ==, 0);
    pin(b, 0, 0);
    g_assert_cmphex(rd(b, RIS), ==, 1);
    wr(b, IC, 1);
    pin(b, 1, 1);
    g_assert_cmphex(rd(b, RIS), ==, 2);
    wr(b, IC, 2);
    pin(b, 1, 0);
    g_assert_cmphex(rd(b, RIS), ==, 2);
}

static void masked_edge_waits(Bench *b, gconstpointer data)
{
    wr(b, IEV, 1);
    pin(b, 0, 1);
    g_assert_cmphex(rd(b, RIS), ==, 1);
    g_assert_cmphex(rd(b, MIS), ==, 0);
    g_assert_cmpint(b->level, ==, 0);
    wr(b, IE, 1);
    g_assert_cmpint(b->level, ==, 1);
}

static void level_is_not_latched(Bench *b, gconstpointer data)
{
    wr(b, IS, 1);
    wr(b, IEV, 1);
    wr(b, IE, 1);
    pin(b, 0, 1);
    g_assert_cmpint(b->level, ==, 1);
    wr(b, IC, 1);
    g_assert_cmpint(b->level, ==, 1);
    pin(b, 0, 0);
    g_assert_cmpint(b->level, ==, 0);
    wr(b, IEV, 0); /* active low now */
    g_assert_cmpint(b->level, ==, 1);
}

static void output_pins_do_not_interrupt(Bench *b, gconstpointer data)
{
    wr(b, GPIODIR, 1);
    wr(b, IEV, 1);
    wr(b, IE, 1);
    pin(b, 0, 1);
    g_assert_cmphex(rd(b, RIS), ==, 0);
    wr(b, IS, 1);
    g_assert_cmphex(rd(b, RIS), ==, 0);
}

static void reset_keeps_wires_only(Bench *b, gconstpointer data)
{
    pin(b, 2, 1);
    wr(b, IEV, 0xff);
    wr(b, IE, 0xff);
    wr(b, AFSEL, 0x55);
    wr(b, GPIODIR, 1);
    wr(b, 0x3fc, 1);
    pin(b, 3, 1);
    g_assert_cmpint(b->level, ==, 1);
    device_reset(b->gpio);
    g_assert_cmpint(b->level, ==, 0);
    g_assert_cmpint(b->out[0], ==, 0);
    for (unsigned reg = GPIODIR; reg <= AFSEL; reg += 4) {
        g_assert_cmphex(rd(b, reg), ==, 0);
    }
    g_assert_cmphex(rd(b, 0x3fc), ==, 0x0c);
}

static void primecell_id(Bench *b, gconstpointer data)
{
    static const uint8_t id[] = { 0x61, 0x10, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1 };

    for (unsigned i = 0; i < G_N_ELEMENTS(id); i++) {
        g_assert_cmphex(rd(b, 0xfe0 + 4 * i), ==, id[i]);
    }
}

static void conflicting_pulls_are_refused(Bench *b, gconstpointer data)
{
    g_autoptr(Device) dev = device_new("pl061", NULL);
    GError *error = NULL;

    g_object_set(dev, "pullups", 3, "pulldowns", 2, NULL);
    g_assert_false(device_realize(dev, &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT);
    g_clear_error(&error);
}

/* The clock stands still (main() has set it by hand) until a test moves it. */
static void button_is_down_for_a_while(Bench *b, gconstpointer data)
{
    Device *key = device_new("gpio-key", NULL);

    device_connect_output(key, NULL, 0, device_input(b->gpio, NULL, 3));
    g_assert_true(device_realize(key, NULL));
    g_assert_cmphex(rd(b, 0x3fc), ==, 0);
    device_set_input(key, NULL, 0, 1);
    device_set_input(key, NULL, 0, 0);
    g_assert_cmphex(rd(b, 0x3fc), ==, 8);
    clock_set(clock_now() + CLOCK_NS_PER_SEC / 10 - 1);
    g_assert_cmphex(rd(b, 0x3fc), ==, 8);
    clock_set(clock_now() + 1);
    g_assert_cmphex(rd(b, 0x3fc), ==, 0);
    device_set_input(key, NULL, 0, 1);
    device_reset(key);
    g_assert_cmphex(rd(b, 0x3fc), ==, 0);
    g_assert_cmpint(clock_next_deadline(), ==, -1);
    device_unrealize(key);
    g_object_unref(key);
}

int main(int argc, char **argv)
{
    enum { DOWN = 0xff00, UP = 0xff, FLOATING = 0 };
    static const struct {
        const char *rule;
        unsigned pulls;
        void (*fn)(Bench *b, gconstpointer data);
    } rules[] = {
        { "data/address-masks-it", DOWN, address_masks_data },
        { "data/inputs-are-read-where-they-are-inputs", DOWN,
          inputs_are_read_where_they_are_inputs },
        { "output/follows-data-and-direction", DOWN, outputs_follow_data_and_direction },
        { "output/floating-stays", FLOATING, floating_outputs_stay },
        { "pull/up-shows-at-power-on", UP, pull_ups_show_at_power_on },
        { "pull/conflicting-is-refused", DOWN, conflicting_pulls_are_refused },
        { "irq/rising-edge", DOWN, rising_edge },
        { "irq/falling-and-both-edges", DOWN, falling_and_both_edges },
        { "irq/masked-edge-waits", DOWN, masked_edge_waits },
        { "irq/level-is-not-latched", DOWN, level_is_not_latched },
        { "irq/output-pins-do-not-interrupt", DOWN, output_pins_do_not_interrupt },
        { "reset/keeps-wires-only", DOWN, reset_keeps_wires_only },
        { "id/primecell", DOWN, primecell_id },
        { "button/is-down-for-a-while", DOWN, button_is_down_for_a_while },
    };

    g_test_init(&argc, &argv, NULL);
    g_type_ensure(TYPE_PL061);
    g_type_ensure(TYPE_GPIO_KEY);
    clock_set_manual();
    for (unsigned i = 0; i < G_N_ELEMENTS(rules); i++) {
        g_autofree char *path = g_strconcat("/pl061/", rules[i].rule, NULL);

        g_test_add(path, Bench, GUINT_TO_POINTER(rules[i].pulls), set_up, rules[i].fn, tear_down);
    }
    return g_test_run();
}
