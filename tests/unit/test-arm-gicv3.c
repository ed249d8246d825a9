/* SPDX-License-Identifier: GPL-2.0-or-later
 * The GICv3 as a device: its regions, wires and reset. What the registers do is test-gicv3.c's.
 */
#include "hw/intc/arm-gicv3.h"

#include "intc/gicv3.h"
#include "util/error.h"

enum {
    GICD = 0x8000000,
    GICR = 0x80a0000,
    N_SPIS = 64,
    ISPENDR1 = GICD + 0x204,
    SGI_ISPENDR0 = GICR + 0x10000 + 0x200,
};

typedef struct {
    MemoryRegion root;
    AddressSpace *as;
    Device *gic;
} Bench;

static void set_up(Bench *b, gconstpointer data)
{
    memory_region_init(&b->root, NULL, "root", UINT64_MAX);
    b->as = address_space_new(&b->root, "test");
    b->gic = device_new("arm-gicv3", NULL);
    g_object_set(b->gic, "num-cpu", 2, "num-irq", 32 + N_SPIS, NULL);
    g_assert_true(device_realize(b->gic, NULL));
    device_map(b->gic, 0, &b->root, GICD);
    device_map(b->gic, 1, &b->root, GICR);
}

static void tear_down(Bench *b, gconstpointer data)
{
    device_unrealize(b->gic);
    g_object_unref(b->gic);
    address_space_free(b->as);
    memory_region_destroy(&b->root);
}

static uint64_t rd(Bench *b, hwaddr at, unsigned size)
{
    uint64_t value = 0;

    g_assert_cmpuint(address_space_ld(b->as, at, size, &value), ==, MEMTX_OK);
    return value;
}

static void regions_are_gicd_and_gicr(Bench *b, gconstpointer data)
{
    g_assert_cmphex(rd(b, GICD + 0x4, 4) & 0x1f, ==, (32 + N_SPIS) / 32 - 1);
    g_assert_cmphex(rd(b, GICR + 0x8, 8) & 0x10, ==, 0);
    g_assert_cmphex(rd(b, GICR + GICV3_REDIST_STRIDE + 0x8, 8) & 0x10, ==, 0x10); /* the last */
}

static void spi_input_is_pending(Bench *b, gconstpointer data)
{
    g_assert_true(device_set_input(b->gic, NULL, 5, 1));
    g_assert_cmphex(rd(b, ISPENDR1, 4), ==, 1 << 5);
    g_assert_true(device_set_input(b->gic, NULL, 5, 0));
    g_assert_cmphex(rd(b, ISPENDR1, 4), ==, 0);
}

static void ppi_inputs_follow_the_spis(Bench *b, gconstpointer data)
{
    g_assert_true(device_set_input(b->gic, NULL, N_SPIS + 32 + 27, 1));
    g_assert_cmphex(rd(b, SGI_ISPENDR0, 4), ==, 0);
    g_assert_cmphex(rd(b, SGI_ISPENDR0 + GICV3_REDIST_STRIDE, 4), ==, 1 << 27);
    g_assert_true(device_set_input(b->gic, NULL, N_SPIS + 3, 1)); /* an SGI has no wire */
    g_assert_cmphex(rd(b, SGI_ISPENDR0, 4), ==, 0);
    g_assert_false(device_set_input(b->gic, NULL, N_SPIS + 64, 1));
}

static void note(void *opaque, int n, int level)
{
    *(int *)opaque = n * 2 + level;
}

static void inputs_can_be_intercepted(Bench *b, gconstpointer data)
{
    int seen = -1;

    g_assert_true(device_intercept_inputs(b->gic, note, &seen));
    device_set_input(b->gic, NULL, 9, 1);
    g_assert_cmpint(seen, ==, 19);
    g_assert_cmphex(rd(b, ISPENDR1, 4), ==, 1 << 9); /* still delivered */
}

static void cpu_lines(Bench *b, gconstpointer data)
{
    const uint32_t all = UINT32_MAX;
    int seen = -1;

    device_connect_irq(b->gic, 1, irq_new(note, &seen, 1));
    address_space_st(b->as, GICD, 4, 3);
    address_space_st(b->as, GICD + 0x84, 4, all);                     /* group 1 */
    address_space_st(b->as, GICD + 0x104, 4, all);                    /* enabled */
    address_space_st(b->as, GICD + 0x6000 + 8 * 37, 8, 1);            /* to CPU 1 */
    address_space_st(b->as, GICR + GICV3_REDIST_STRIDE + 0x14, 4, 0); /* awake */
    device_set_input(b->gic, NULL, 5, 1);
    g_assert_cmpint(seen, ==, -1); /* its CPU interface is masked, and nobody can open it here */
}

static void reset_forgets_registers(Bench *b, gconstpointer data)
{
    address_space_st(b->as, GICD, 4, 3);
    address_space_st(b->as, GICD + 0x104, 4, UINT32_MAX);
    device_set_input(b->gic, NULL, 5, 1);
    device_reset(b->gic);
    g_assert_cmphex(rd(b, GICD, 4) & 3, ==, 0);
    g_assert_cmphex(rd(b, GICD + 0x104, 4), ==, 0);
    g_assert_cmphex(rd(b, ISPENDR1, 4), ==, 1 << 5); /* the wire is still high */
}

static void bad_counts_are_refused(Bench *b, gconstpointer data)
{
    g_autoptr(Device) dev = device_new("arm-gicv3", NULL);
    GError *error = NULL;

    g_object_set(dev, "num-irq", 100, NULL);
    g_assert_false(device_realize(dev, &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE);
    g_clear_error(&error);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *rule;
        void (*fn)(Bench *b, gconstpointer data);
    } rules[] = {
        { "regions/are-gicd-and-gicr", regions_are_gicd_and_gicr },
        { "input/spi-is-pending", spi_input_is_pending },
        { "input/ppis-follow-the-spis", ppi_inputs_follow_the_spis },
        { "input/can-be-intercepted", inputs_can_be_intercepted },
        { "output/masked-cpu-hears-nothing", cpu_lines },
        { "reset/forgets-registers", reset_forgets_registers },
        { "refused/bad-counts", bad_counts_are_refused },
    };

    g_test_init(&argc, &argv, NULL);
    g_type_ensure(TYPE_ARM_GICV3);
    for (unsigned i = 0; i < G_N_ELEMENTS(rules); i++) {
        g_autofree char *path = g_strconcat("/arm-gicv3/", rules[i].rule, NULL);

        g_test_add(path, Bench, NULL, set_up, rules[i].fn, tear_down);
    }
    return g_test_run();
}
