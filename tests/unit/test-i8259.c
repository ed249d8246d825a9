/* SPDX-License-Identifier: GPL-2.0-or-later
 * The interrupt controller pair through ports and wires; rules of the 8259A data sheet.
 */
#include "hw/intc/i8259.h"

typedef struct {
    MemoryRegion root;
    AddressSpace *as;
    Device *dev;
    int intr;
} Bench;

static void on_intr(void *opaque, int n, int level)
{
    ((Bench *)opaque)->intr = level;
}

static uint8_t get(Bench *b, unsigned port)
{
    return address_space_ldub(b->as, port, NULL);
}

static void put(Bench *b, unsigned port, uint8_t value)
{
    address_space_stb(b->as, port, value, NULL);
}

static void init(Bench *b, uint8_t icw4)
{
    for (unsigned i = 0; i < 2; i++) {
        unsigned port = i == 0 ? 0x20 : 0xa0;

        put(b, port, 0x11);
        put(b, port + 1, i == 0 ? 0x30 : 0x38);
        put(b, port + 1, i == 0 ? 4 : 2);
        put(b, port + 1, icw4);
    }
}

static void set_up(Bench *b, gconstpointer data)
{
    memory_region_init(&b->root, NULL, "root", UINT64_MAX);
    b->as = address_space_new(&b->root, "test");
    b->dev = g_object_new(TYPE_I8259, NULL);
    device_connect_irq(b->dev, 0, irq_new(on_intr, b, 0));
    g_assert_true(device_realize(b->dev, NULL));
    device_map(b->dev, I8259_MASTER, &b->root, 0x20);
    device_map(b->dev, I8259_SLAVE, &b->root, 0xa0);
    device_map(b->dev, I8259_ELCR, &b->root, 0x4d0);
    device_reset(b->dev);
    init(b, 1);
}

static void tear_down(Bench *b, gconstpointer data)
{
    device_unrealize(b->dev);
    g_object_unref(b->dev);
    address_space_free(b->as);
    memory_region_destroy(&b->root);
}

static void wire(Bench *b, unsigned n, int level)
{
    g_assert_true(device_set_input(b->dev, NULL, n, level));
}

static void pulse(Bench *b, unsigned n)
{
    wire(b, n, 1);
    wire(b, n, 0);
}

static unsigned take(Bench *b)
{
    return i8259_acknowledge(HUMPY_I8259(b->dev));
}

static void one(Bench *b, gconstpointer data)
{
    pulse(b, 4);
    g_assert_cmpint(b->intr, ==, 1);
    g_assert_cmphex(get(b, 0x20), ==, 0x10);
    g_assert_cmphex(take(b), ==, 0x34);
    g_assert_cmpint(b->intr, ==, 0);
    put(b, 0x20, 0x0b);
    g_assert_cmphex(get(b, 0x20), ==, 0x10); /* in service */
    put(b, 0x20, 0x20);
    g_assert_cmphex(get(b, 0x20), ==, 0);
    g_assert_cmphex(take(b), ==, 0x37); /* spurious */
}

static void priorities(Bench *b, gconstpointer data)
{
    pulse(b, 5);
    g_assert_cmphex(take(b), ==, 0x35);
    pulse(b, 6);
    g_assert_cmpint(b->intr, ==, 0); /* lower */
    pulse(b, 1);
    g_assert_cmpint(b->intr, ==, 1);
    g_assert_cmphex(take(b), ==, 0x31);
    put(b, 0x20, 0x20); /* ends 1 */
    g_assert_cmpint(b->intr, ==, 0);
    put(b, 0x20, 0x20); /* ends 5 */
    g_assert_cmphex(take(b), ==, 0x36);
}

static void second_controller(Bench *b, gconstpointer data)
{
    pulse(b, 12);
    pulse(b, 8);
    g_assert_cmphex(take(b), ==, 0x38);
    g_assert_cmpint(b->intr, ==, 0);
    put(b, 0xa0, 0x20);
    put(b, 0x20, 0x20);
    g_assert_cmphex(take(b), ==, 0x3c);
    put(b, 0xa0, 0x0b);
    g_assert_cmphex(get(b, 0xa0), ==, 0x10);
    put(b, 0xa0, 0x64); /* a specific end */
    g_assert_cmphex(get(b, 0xa0), ==, 0);
}

static void masks(Bench *b, gconstpointer data)
{
    put(b, 0x21, 0xff);
    pulse(b, 3);
    g_assert_cmpint(b->intr, ==, 0);
    g_assert_cmphex(get(b, 0x21), ==, 0xff);
    put(b, 0x21, 0xf7);
    g_assert_cmpint(b->intr, ==, 1);
    put(b, 0x21, 0xff);
    g_assert_cmpint(b->intr, ==, 0);
}

static void levels(Bench *b, gconstpointer data)
{
    put(b, 0x4d1, 0xff);
    g_assert_cmphex(get(b, 0x4d1), ==, 0xde);
    wire(b, 9, 1);
    g_assert_cmphex(take(b), ==, 0x39);
    put(b, 0xa0, 0x20);
    put(b, 0x20, 0x20);
    g_assert_cmpint(b->intr, ==, 1); /* still up */
    wire(b, 9, 0);
    g_assert_cmpint(b->intr, ==, 0);
}

static void automatic_end(Bench *b, gconstpointer data)
{
    init(b, 3);
    put(b, 0x20, 0x80); /* and rotate */
    pulse(b, 3);
    g_assert_cmphex(take(b), ==, 0x33);
    pulse(b, 3);
    pulse(b, 4);
    g_assert_cmphex(take(b), ==, 0x34); /* 3 is the lowest now */
    g_assert_cmphex(take(b), ==, 0x33);
}

static void polling(Bench *b, gconstpointer data)
{
    put(b, 0x20, 0x0c);
    g_assert_cmphex(get(b, 0x20), ==, 0);
    pulse(b, 6);
    put(b, 0x20, 0x0c);
    g_assert_cmphex(get(b, 0x20), ==, 0x86);
    g_assert_cmpint(b->intr, ==, 0);
}

static void special_mask(Bench *b, gconstpointer data)
{
    pulse(b, 1);
    take(b);
    put(b, 0x21, 0x02);
    pulse(b, 5);
    g_assert_cmpint(b->intr, ==, 0);
    put(b, 0x20, 0x68);
    g_assert_cmpint(b->intr, ==, 1);
    put(b, 0x20, 0x48);
    g_assert_cmpint(b->intr, ==, 0);
}

static void set_priority(Bench *b, gconstpointer data)
{
    put(b, 0x20, 0xc4); /* 5 is the highest */
    pulse(b, 0);
    pulse(b, 5);
    g_assert_cmphex(take(b), ==, 0x35);
    put(b, 0x20, 0x20);
    g_assert_cmphex(take(b), ==, 0x30);
}

static void any_bytes(Bench *b, gconstpointer data)
{
    static const unsigned ports[] = { 0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1 };
    g_autoptr(GRand) rand = g_rand_new_with_seed(g_test_rand_int());

    for (unsigned i = 0; i < 50000; i++) {
        unsigned port = ports[g_rand_int_range(rand, 0, G_N_ELEMENTS(ports))];

        put(b, port, g_rand_int(rand));
        get(b, port);
        wire(b, g_rand_int_range(rand, 0, 16), g_rand_boolean(rand));
        take(b);
    }
    device_reset(b->dev);
    init(b, 1);
    for (unsigned i = 0; i < 16; i++) {
        wire(b, i, 0);
    }
    pulse(b, 4);
    g_assert_cmphex(take(b), ==, 0x34);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *rule;
        void (*fn)(Bench *b, gconstpointer data);
    } rules[] = {
        { "one-interrupt", one },
        { "priorities", priorities },
        { "second-controller", second_controller },
        { "masks", masks },
        { "levels", levels },
        { "automatic-end-and-rotation", automatic_end },
        { "polling", polling },
        { "special-mask", special_mask },
        { "set-priority", set_priority },
        { "any-bytes", any_bytes },
    };

    g_test_init(&argc, &argv, NULL);
    memory_thread_register();
    for (unsigned i = 0; i < G_N_ELEMENTS(rules); i++) {
        g_autofree char *path = g_strconcat("/i8259/", rules[i].rule, NULL);

        g_test_add(path, Bench, NULL, set_up, rules[i].fn, tear_down);
    }
    return g_test_run();
}
