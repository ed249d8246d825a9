/* SPDX-License-Identifier: GPL-2.0-or-later
 * The I/O APIC through its registers and wires; messages are what it writes at 0xfee00000 on.
 */
#include "hw/intc/ioapic.h"

enum { BASE = 0xfec00000, SELECT = BASE, WINDOW = BASE + 0x10, EOI = BASE + 0x40 };

typedef struct {
    MemoryRegion root, sink;
    AddressSpace *as;
    Device *dev;
    unsigned n;
    uint64_t addr, data; /* of the last message */
} Bench;

static uint64_t sink_read(void *opaque, hwaddr offset, unsigned size)
{
    return 0;
}

static void sink_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    Bench *b = opaque;

    b->n++;
    b->addr = 0xfee00000 + offset;
    b->data = value;
}

static const MemoryRegionOps sink_ops = {
    .read = sink_read,
    .write = sink_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 4, .max_access_size = 4 },
    .impl = { .min_access_size = 4, .max_access_size = 4 },
};

static void set_up(Bench *b, gconstpointer data)
{
    memory_region_init(&b->root, NULL, "root", UINT64_MAX);
    b->as = address_space_new(&b->root, "test");
    memory_region_init_io(&b->sink, NULL, &sink_ops, b, "sink", 0x100000);
    memory_region_add_subregion(&b->root, 0xfee00000, &b->sink);
    b->dev = g_object_new(TYPE_IOAPIC, NULL);
    ioapic_set_memory(HUMPY_IOAPIC(b->dev), b->as);
    g_assert_true(device_realize(b->dev, NULL));
    device_map(b->dev, 0, &b->root, BASE);
    device_reset(b->dev);
}

static void tear_down(Bench *b, gconstpointer data)
{
    device_unrealize(b->dev);
    g_object_unref(b->dev);
    memory_region_del_subregion(&b->root, &b->sink);
    memory_region_destroy(&b->sink);
    address_space_free(b->as);
    memory_region_destroy(&b->root);
}

static uint32_t get(Bench *b, unsigned index)
{
    address_space_stl_le(b->as, SELECT, index, NULL);
    return address_space_ldl_le(b->as, WINDOW, NULL);
}

static void put(Bench *b, unsigned index, uint32_t value)
{
    address_space_stl_le(b->as, SELECT, index, NULL);
    address_space_stl_le(b->as, WINDOW, value, NULL);
}

static void wire(Bench *b, unsigned n, int level)
{
    g_assert_true(device_set_input(b->dev, NULL, n, level));
}

static void registers(Bench *b, gconstpointer data)
{
    g_assert_cmphex(get(b, 1), ==, 0x00170020);
    put(b, 0, 0xffffffff);
    g_assert_cmphex(get(b, 0), ==, 0x0f000000);
    g_assert_cmphex(get(b, 0x10), ==, 0x00010000); /* masked */
    put(b, 0x12, 0xffffffff);
    put(b, 0x13, 0xffffffff);
    g_assert_cmphex(get(b, 0x12), ==, 0x0001afff);
    g_assert_cmphex(get(b, 0x13), ==, 0xff000000);
    g_assert_cmphex(get(b, 0x40), ==, 0); /* behind the last */
    put(b, 0x40, 1);
    put(b, 0xff, 1);
    g_assert_cmphex(get(b, 0xff), ==, 0);
}

static void edges(Bench *b, gconstpointer data)
{
    put(b, 0x19, 0x03000000);
    put(b, 0x18, 0x841); /* logical, fixed */
    wire(b, 4, 1);
    g_assert_cmpuint(b->n, ==, 1);
    g_assert_cmphex(b->addr, ==, 0xfee03004);
    g_assert_cmphex(b->data, ==, 0x4041);
    wire(b, 4, 1);
    g_assert_cmpuint(b->n, ==, 1);
    wire(b, 4, 0);
    wire(b, 4, 1);
    g_assert_cmpuint(b->n, ==, 2);
}

static void masked_edges_are_lost(Bench *b, gconstpointer data)
{
    wire(b, 4, 1);
    put(b, 0x18, 0x41);
    g_assert_cmpuint(b->n, ==, 0);
}

static void levels(Bench *b, gconstpointer data)
{
    put(b, 0x18, 0x8051);
    wire(b, 4, 1);
    g_assert_cmpuint(b->n, ==, 1);
    g_assert_cmphex(b->data, ==, 0xc051);
    g_assert_cmphex(get(b, 0x18), ==, 0xc051); /* remote IRR */
    wire(b, 4, 0);
    wire(b, 4, 1);
    g_assert_cmpuint(b->n, ==, 1); /* not before its end */
    ioapic_end_of_interrupt(HUMPY_IOAPIC(b->dev), 0x50);
    g_assert_cmpuint(b->n, ==, 1); /* another's */
    ioapic_end_of_interrupt(HUMPY_IOAPIC(b->dev), 0x51);
    g_assert_cmpuint(b->n, ==, 2); /* still up */
    wire(b, 4, 0);
    address_space_stl_le(b->as, EOI, 0x51, NULL);
    g_assert_cmpuint(b->n, ==, 2);
    g_assert_cmphex(get(b, 0x18), ==, 0x8051);
}

static void unmasking_a_level(Bench *b, gconstpointer data)
{
    wire(b, 7, 1);
    put(b, 0x1e, 0x18060);
    g_assert_cmpuint(b->n, ==, 0);
    put(b, 0x1e, 0x8060);
    g_assert_cmpuint(b->n, ==, 1);
    put(b, 0x1e, 0x0060); /* edge: remote IRR goes */
    g_assert_cmphex(get(b, 0x1e), ==, 0x0060);
}

static void reset_masks(Bench *b, gconstpointer data)
{
    put(b, 0x18, 0x41);
    device_reset(b->dev);
    wire(b, 4, 1);
    g_assert_cmpuint(b->n, ==, 0);
    g_assert_cmphex(get(b, 0x18), ==, 0x10000);
}

static void more_pins(void)
{
    Device *dev = g_object_new(TYPE_IOAPIC, "pins", 48, NULL);

    g_assert_true(device_realize(dev, NULL));
    device_reset(dev);
    g_assert_true(device_set_input(dev, NULL, 47, 1));
    g_assert_false(device_set_input(dev, NULL, 48, 1));
    device_unrealize(dev);
    g_object_unref(dev);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *rule;
        void (*fn)(Bench *b, gconstpointer data);
    } rules[] = {
        { "registers", registers },
        { "edges", edges },
        { "masked-edges-are-lost", masked_edges_are_lost },
        { "levels", levels },
        { "unmasking-a-level", unmasking_a_level },
        { "reset-masks", reset_masks },
    };

    g_test_init(&argc, &argv, NULL);
    memory_thread_register();
    for (unsigned i = 0; i < G_N_ELEMENTS(rules); i++) {
        g_autofree char *path = g_strconcat("/ioapic/", rules[i].rule, NULL);

        g_test_add(path, Bench, NULL, set_up, rules[i].fn, tear_down);
    }
    g_test_add_func("/ioapic/more-pins", more_pins);
    return g_test_run();
}
