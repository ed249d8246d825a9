/* SPDX-License-Identifier: GPL-2.0-or-later
 * The device base class: life cycle, lock, mapping, wires, types by name.
 */
#include <string.h>

#include "hw/core/device.h"
#include "util/error.h"

/* ---- a device that counts what is done to it ---- */

#define TYPE_GADGET gadget_get_type()
G_DECLARE_FINAL_TYPE(Gadget, gadget, HUMPY, GADGET, Device)

struct _Gadget {
    Device parent_instance;
    MemoryRegion mr;
    IrqLine *irqs[2];
    uint32_t value;
    bool broken;
    unsigned realizes, unrealizes, resets;
    bool locked_in_op, locked_in_reset;
};

DEVICE_DEFINE_TYPE(Gadget, gadget, "gadget-device", TYPE_DEVICE)

static uint64_t gadget_read(void *opaque, hwaddr offset, unsigned size)
{
    Gadget *g = opaque;

    g->locked_in_op = memory_lock_held(device_lock(HUMPY_DEVICE(g)));
    irq_set(g->irqs[0], 1);
    return g->value;
}

static const MemoryRegionOps gadget_ops = { .read = gadget_read };

static bool gadget_realize(Device *dev, GError **error)
{
    Gadget *g = HUMPY_GADGET(dev);

    if (g->broken) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "is broken");
        return false;
    }
    g->realizes++;
    memory_region_init_io(&g->mr, G_OBJECT(dev), &gadget_ops, g, "gadget", 0x100);
    device_add_mmio(dev, &g->mr);
    return true;
}

static void gadget_unrealize(Device *dev)
{
    Gadget *g = HUMPY_GADGET(dev);

    g->unrealizes++;
    memory_region_destroy(&g->mr);
}

static void gadget_reset(Device *dev)
{
    Gadget *g = HUMPY_GADGET(dev);

    g->resets++;
    g->locked_in_reset = memory_lock_held(device_lock(dev));
}

static const Prop gadget_props[] = {
    PROP_U32("value", Gadget, value, 7, 0, 100, "What a read gives"),
};

static void gadget_init(Gadget *g)
{
    device_declare_irqs(HUMPY_DEVICE(g), g->irqs, G_N_ELEMENTS(g->irqs));
}

static void gadget_class_init(GadgetClass *klass)
{
    DeviceClass *dc = HUMPY_DEVICE_CLASS(klass);

    dc->summary = "counts what is done to it";
    dc->bus = "System";
    dc->user_creatable = true;
    dc->realize = gadget_realize;
    dc->unrealize = gadget_unrealize;
    dc->reset = gadget_reset;
    props_install(G_OBJECT_CLASS(klass), gadget_props, G_N_ELEMENTS(gadget_props));
}

/* ---- rules ---- */

static void life_cycle(void)
{
    g_autoptr(Device) dev = device_new("gadget-device", NULL);
    Gadget *g = HUMPY_GADGET(dev);

    g_assert_cmpstr(device_type(dev), ==, "gadget-device");
    g_assert_null(device_id(dev));
    device_set_id(dev, "g0");
    g_assert_cmpstr(device_id(dev), ==, "g0");
    g_assert_false(device_is_realized(dev));
    g_assert_true(device_realize(dev, NULL));
    g_assert_true(device_is_realized(dev));
    g_assert_cmpuint(g->resets, ==, 1);
    g_assert_true(g->locked_in_reset);
    device_unrealize(dev);
    device_unrealize(dev);
    device_unrealize(NULL);
    g_assert_cmpuint(g->unrealizes, ==, 1);
    g_assert_true(device_realize(dev, NULL));
    device_unrealize(dev);
    g_assert_cmpuint(g->realizes, ==, 2);
}

static void check_value(uint32_t value)
{
    g_autoptr(Device) dev = device_new("gadget-device", NULL);

    g_assert_cmpuint(HUMPY_GADGET(dev)->value, ==, value);
}

static void changed_defaults(void)
{
    static const char *const bad[][3] = {
        { "gadget-devise", "value", "1" },
        { "gadget-device", "valeu", "1" },
        { "gadget-device", "value", "101" },
    };
    GError *error = NULL;

    device_set_default("gadget-device", "value", "8", &error);
    g_assert_no_error(error);
    check_value(8);
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        int code = i < 2 ? HUMPY_ERROR_UNKNOWN : HUMPY_ERROR_RANGE;

        g_assert_false(device_set_default(bad[i][0], bad[i][1], bad[i][2], &error));
        g_assert_error(error, HUMPY_ERROR, code);
        g_clear_error(&error);
        check_value(8);
    }
    g_assert_true(device_set_default("gadget-device", "value", "7", NULL));
    check_value(7);
}

static void failed_realize(void)
{
    g_autoptr(Device) dev = device_new("gadget-device", NULL);
    g_autoptr(GError) error = NULL;

    HUMPY_GADGET(dev)->broken = true;
    g_assert_false(device_realize(dev, &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE);
    g_assert_false(device_is_realized(dev));
    g_assert_cmpuint(HUMPY_GADGET(dev)->resets, ==, 0);
    g_assert_cmpuint(HUMPY_GADGET(dev)->unrealizes, ==, 0);
}

static void mapping(void)
{
    g_autoptr(Device) dev = device_new("gadget-device", NULL);
    MemoryRegion root;
    AddressSpace *as;
    uint64_t value;

    memory_region_init(&root, NULL, "root", UINT64_MAX);
    as = address_space_new(&root, "test");
    g_assert_true(props_set_str(G_OBJECT(dev), "value", "42", NULL));
    g_assert_true(device_realize(dev, NULL));
    device_map(dev, 0, &root, 0x1000);
    g_assert_cmpuint(address_space_ld(as, 0x1000, 4, &value), ==, MEMTX_OK);
    g_assert_cmpuint(value, ==, 42);
    g_assert_true(HUMPY_GADGET(dev)->locked_in_op);
    g_assert_false(memory_lock_held(device_lock(dev)));
    device_unrealize(dev);
    g_assert_cmpuint(address_space_ld(as, 0x1000, 4, &value), ==, MEMTX_DECODE_ERROR);
    address_space_free(as);
    memory_region_destroy(&root);
}

static void on_irq(void *opaque, int n, int level)
{
    *(int *)opaque = n * 10 + level;
}

static void wires(void)
{
    g_autoptr(Device) dev = device_new("gadget-device", NULL);
    Gadget *g = HUMPY_GADGET(dev);
    int heard = -1;

    irq_set(g->irqs[1], 1); /* unconnected: nobody hears */
    device_connect_irq(dev, 1, irq_new(on_irq, &heard, 5));
    irq_set(g->irqs[0], 1);
    g_assert_cmpint(heard, ==, -1);
    irq_set(g->irqs[1], 1);
    g_assert_cmpint(heard, ==, 51);
    g_assert_true(device_realize(dev, NULL));
    device_unrealize(dev);
    g_assert_null(g->irqs[1]);
}

static void hear(void *opaque, int n, int level)
{
    g_string_append_printf(opaque, "%d%c ", n, level ? '+' : '-');
}

static GString *input_log;

static void on_input(void *opaque, int n, int level)
{
    g_assert_true(HUMPY_IS_GADGET(opaque));
    hear(input_log, n, level);
}

static void named_wires(void)
{
    g_autoptr(Device) dev = device_new("gadget-device", NULL);
    IrqLine *unnamed[3] = { NULL }, *led[1] = { NULL }, *in;

    input_log = g_string_new(NULL);
    device_declare_outputs(dev, NULL, unnamed, 3);
    device_declare_outputs(dev, "led", led, 1);
    device_declare_inputs(dev, NULL, on_input, 2);
    device_connect_output(dev, "led", 0, device_input(dev, NULL, 1));
    irq_set(led[0], 1);
    g_assert_cmpstr(input_log->str, ==, "1+ ");
    g_assert_true(device_set_input(dev, NULL, 0, 0));
    g_assert_cmpstr(input_log->str, ==, "1+ 0- ");
    g_assert_false(device_set_input(dev, NULL, 2, 0));
    g_assert_false(device_set_input(dev, "led", 0, 0));
    in = device_input(dev, NULL, 2);
    g_assert_null(in);
    g_assert_true(device_realize(dev, NULL));
    device_unrealize(dev);
    g_assert_null(led[0]);
    g_string_free(input_log, TRUE);
}

/* Who listens hears besides the real handler, not instead; a wire may be connected later. */
static void interception(void)
{
    g_autoptr(GString) seen = g_string_new(NULL), real = g_string_new(NULL);
    g_autoptr(Device) dev = device_new("gadget-device", NULL);
    IrqLine *out[2] = { NULL };

    input_log = real;
    g_assert_false(device_intercept_inputs(dev, hear, seen));
    device_declare_outputs(dev, NULL, out, 2);
    device_declare_inputs(dev, NULL, on_input, 2);
    device_connect_output(dev, NULL, 0, irq_new(hear, real, 7));
    g_assert_true(device_intercept_outputs(dev, hear, seen));
    irq_set(out[0], 1);
    irq_set(out[1], 1);
    g_assert_cmpstr(seen->str, ==, "0+ 1+ ");
    g_assert_cmpstr(real->str, ==, "7+ ");
    device_connect_output(dev, NULL, 1, irq_new(hear, real, 8));
    irq_set(out[1], 0);
    g_assert_cmpstr(real->str, ==, "7+ 8- ");
    g_assert_true(device_intercept_inputs(dev, hear, seen));
    device_set_input(dev, NULL, 1, 1);
    g_assert_cmpstr(seen->str, ==, "0+ 1+ 1- 1+ ");
    g_assert_cmpstr(real->str, ==, "7+ 8- 1+ ");
    device_realize(dev, NULL);
    device_unrealize(dev);
    g_assert_null(out[0]);
}

/* A device without unnamed outputs: its interrupts. */
static void interrupt_interception(void)
{
    g_autoptr(GString) seen = g_string_new(NULL);
    g_autoptr(Device) dev = device_new("gadget-device", NULL);

    g_assert_true(device_intercept_outputs(dev, hear, seen));
    irq_set(HUMPY_GADGET(dev)->irqs[1], 1);
    g_assert_cmpstr(seen->str, ==, "1+ ");
}

static void unknown_type(void)
{
    static const char *const bad[] = { "gadget-devcie", "GObject", "Device", "" };

    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_null(device_new(bad[i], &error));
        g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN);
        g_assert_nonnull(strstr(error->message, "gadget-device"));
    }
}

static void help(void)
{
    g_autofree char *all = device_help();
    g_autofree char *one = device_type_help("gadget-device", NULL);
    g_autoptr(GError) error = NULL;

    g_assert_nonnull(
        strstr(all, "name \"gadget-device\", bus System, desc \"counts what is done to it\"\n"));
    g_assert_nonnull(strstr(one, "value=<uint32>"));
    g_assert_null(device_type_help("nonesuch", &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_type_ensure(TYPE_GADGET);
    g_test_add_func("/device/life/realize-reset-unrealize", life_cycle);
    g_test_add_func("/device/defaults/change-for-what-is-made-later", changed_defaults);
    g_test_add_func("/device/life/failed-realize-leaves-nothing", failed_realize);
    g_test_add_func("/device/mmio/mapped-locked-and-gone-after-unrealize", mapping);
    g_test_add_func("/device/irq/wires-are-dropped-on-unrealize", wires);
    g_test_add_func("/device/gpio/named-outputs-and-inputs", named_wires);
    g_test_add_func("/device/gpio/interception-hears-besides", interception);
    g_test_add_func("/device/gpio/interception-of-interrupts", interrupt_interception);
    g_test_add_func("/device/type/unknown-names-the-nearest", unknown_type);
    g_test_add_func("/device/help/lists-types-and-properties", help);
    return g_test_run();
}
