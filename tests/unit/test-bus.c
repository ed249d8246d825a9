/* SPDX-License-Identifier: GPL-2.0-or-later
 * Buses, the composition tree and properties as QMP sees them: paths, names, plugging, unplugging.
 */
#include <string.h>

#include "hw/core/bus.h"
#include "hw/core/device-add.h"
#include "hw/core/machine.h"
#include "hw/core/qom.h"
#include "hw/core/user-object.h"
#include "util/error.h"
#include "util/event.h"

/* ---- a hub that provides a bus of two places, and a leaf that plugs into it ---- */

#define TYPE_TEST_BUS test_bus_get_type()
G_DECLARE_FINAL_TYPE(TestBus, test_bus, HUMPY, TEST_BUS, Bus)

struct _TestBus {
    Bus parent_instance;
    GString *log;
    bool refuse;
};

DEVICE_DEFINE_TYPE(TestBus, test_bus, "test-bus", TYPE_BUS)

static bool bus_attach(Bus *bus, Device *dev, GError **error)
{
    g_string_append(HUMPY_TEST_BUS(bus)->log, "attach ");
    return true;
}

static bool bus_plugged(Bus *bus, Device *dev, GError **error)
{
    g_string_append(HUMPY_TEST_BUS(bus)->log, "plugged ");
    if (HUMPY_TEST_BUS(bus)->refuse) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "refused");
        return false;
    }
    return true;
}

static void bus_unplugged(Bus *bus, Device *dev)
{
    g_assert_true(device_is_realized(dev));
    g_string_append(HUMPY_TEST_BUS(bus)->log, "unplugged ");
}

static void bus_detach(Bus *bus, Device *dev)
{
    g_assert_false(device_is_realized(dev));
    g_string_append(HUMPY_TEST_BUS(bus)->log, "detach ");
}

static bool bus_request_unplug(Bus *bus, Device *dev, GError **error)
{
    bus_remove_device(bus, dev);
    return true;
}

static void test_bus_finalize(GObject *obj)
{
    g_string_free(HUMPY_TEST_BUS(obj)->log, TRUE);
    G_OBJECT_CLASS(test_bus_parent_class)->finalize(obj);
}

static void test_bus_init(TestBus *bus)
{
    bus->log = g_string_new(NULL);
}

static void test_bus_class_init(TestBusClass *klass)
{
    BusClass *bc = HUMPY_BUS_CLASS(klass);

    G_OBJECT_CLASS(klass)->finalize = test_bus_finalize;
    bc->kind = "Test";
    bc->max_devices = 2;
    bc->attach = bus_attach;
    bc->plugged = bus_plugged;
    bc->unplugged = bus_unplugged;
    bc->detach = bus_detach;
    bc->request_unplug = bus_request_unplug;
}

static GString *reset_log;

#define TYPE_HUB hub_get_type()
G_DECLARE_FINAL_TYPE(Hub, hub, HUMPY, HUB, Device)

struct _Hub {
    Device parent_instance;
    Bus *bus;
};

DEVICE_DEFINE_TYPE(Hub, hub, "hub", TYPE_DEVICE)

static bool hub_realize(Device *dev, GError **error)
{
    HUMPY_HUB(dev)->bus = bus_new(TYPE_TEST_BUS, dev, NULL);
    return true;
}

static void log_reset(Device *dev)
{
    g_string_append_printf(reset_log, "%s ", device_type(dev));
}

static void log_exit(Device *dev)
{
    g_string_append_printf(reset_log, "%s-exit ", device_type(dev));
}

static void hub_init(Hub *hub)
{
}

static void hub_class_init(HubClass *klass)
{
    DeviceClass *dc = HUMPY_DEVICE_CLASS(klass);

    dc->bus = "Test"; /* hubs plug into hubs */
    dc->user_creatable = true;
    dc->realize = hub_realize;
    dc->reset = log_reset;
    dc->reset_exit = log_exit;
}

#define TYPE_LEAF leaf_get_type()
G_DECLARE_FINAL_TYPE(Leaf, leaf, HUMPY, LEAF, Device)

struct _Leaf {
    Device parent_instance;
    uint32_t number;
    char *text;
    bool flag, broken;
};

DEVICE_DEFINE_TYPE(Leaf, leaf, "leaf", TYPE_DEVICE)

static bool leaf_realize(Device *dev, GError **error)
{
    if (HUMPY_LEAF(dev)->broken) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "is broken");
        return false;
    }
    return true;
}

static void leaf_init(Leaf *leaf)
{
}

static const Prop leaf_props[] = {
    PROP_U32("number", Leaf, number, 7, 0, 100, "A number"),
    PROP_STRING("text", Leaf, text, NULL, "A text"),
    PROP_BOOL("flag", Leaf, flag, false, "A flag"),
    PROP_BOOL("broken", Leaf, broken, false, "Fails to be realized"),
};

static void leaf_class_init(LeafClass *klass)
{
    DeviceClass *dc = HUMPY_DEVICE_CLASS(klass);

    props_install(G_OBJECT_CLASS(klass), leaf_props, G_N_ELEMENTS(leaf_props));
    dc->bus = "Test";
    dc->user_creatable = true;
    dc->realize = leaf_realize;
    dc->reset = log_reset;
    dc->reset_exit = log_exit;
}

/* An outer device that offers a leaf's properties as its own. */
#define TYPE_SHELL shell_get_type()
G_DECLARE_FINAL_TYPE(Shell, shell, HUMPY, SHELL, Device)

struct _Shell {
    Device parent_instance;
    uint32_t depth;
    Device *leaf;
};

DEVICE_DEFINE_TYPE(Shell, shell, "shell", TYPE_DEVICE)

static GObject *shell_delegate(Device *dev)
{
    return G_OBJECT(HUMPY_SHELL(dev)->leaf);
}

static void shell_finalize(GObject *obj)
{
    g_object_unref(HUMPY_SHELL(obj)->leaf);
    G_OBJECT_CLASS(shell_parent_class)->finalize(obj);
}

static void shell_init(Shell *shell)
{
    shell->leaf = g_object_new(TYPE_LEAF, NULL);
}

static const Prop shell_props[] = {
    PROP_U32("depth", Shell, depth, 1, 0, 9, "How deep"),
};

static void shell_class_init(ShellClass *klass)
{
    DeviceClass *dc = HUMPY_DEVICE_CLASS(klass);

    G_OBJECT_CLASS(klass)->finalize = shell_finalize;
    props_install(G_OBJECT_CLASS(klass), shell_props, G_N_ELEMENTS(shell_props));
    dc->bus = "Test";
    dc->user_creatable = true;
    dc->delegate = shell_delegate;
}

/* ---- the board ---- */

typedef struct {
    Machine *m;
    Device *hub;
    TestBus *bus;
} Board;

static void setup(Board *b, gconstpointer data)
{
    static const MachineConfig config = { .smp = 1 };
    GError *error = NULL;

    reset_log = g_string_new(NULL);
    b->m = machine_new("none", &error);
    machine_set_config(b->m, &config);
    machine_init(b->m, &error);
    g_assert_no_error(error);
    b->hub = g_object_new(TYPE_HUB, NULL);
    g_assert_true(device_realize(b->hub, NULL));
    machine_add_device(b->m, b->hub);
    g_object_unref(b->hub);
    b->bus = HUMPY_TEST_BUS(HUMPY_HUB(b->hub)->bus);
}

static void teardown(Board *b, gconstpointer data)
{
    machine_finish(b->m);
    g_assert_null(machine_current());
    g_object_unref(b->m);
    g_string_free(reset_log, TRUE);
}

static Device *add(const char *text, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse(text, "driver", NULL);

    return device_add(kv, error);
}

static Device *add_ok(const char *text)
{
    GError *error = NULL;
    Device *dev = add(text, &error);

    g_assert_no_error(error);
    return dev;
}

static void fails(const char *text, int code, const char *part)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(add(text, &error));
    g_assert_error(error, HUMPY_ERROR, code);
    if (strstr(error->message, part) == NULL) {
        g_error("'%s' is not in: %s", part, error->message);
    }
}

static void check_path(gpointer obj, const char *path)
{
    g_autofree char *is = qom_path(obj);

    g_assert_cmpstr(is, ==, path);
    g_assert_true(qom_resolve(path, NULL) == obj);
}

/* ---- rules ---- */

static void paths(Board *b, gconstpointer data)
{
    check_path(b->hub, "/machine/unattached/device[0]");
    check_path(b->bus, "/machine/unattached/device[0]/test-bus.0");
    check_path(add_ok("leaf,id=l0"), "/machine/peripheral/l0");
    check_path(add_ok("hub"), "/machine/peripheral-anon/device[0]");
    g_assert_null(qom_resolve("/machine/peripheral/l1", NULL));
    g_assert_null(qom_resolve("/machine/peripheral/l0/x", NULL));
}

static void partial_paths(Board *b, gconstpointer data)
{
    Device *leaf = add_ok("leaf,id=l0");
    bool ambiguous;

    g_assert_true(qom_resolve("l0", NULL) == G_OBJECT(leaf));
    g_assert_true(qom_resolve("peripheral/l0", NULL) == G_OBJECT(leaf));
    add_ok("hub");
    g_assert_null(qom_resolve("device[0]", &ambiguous));
    g_assert_true(ambiguous);
    g_assert_null(qom_resolve("nowhere", &ambiguous));
    g_assert_false(ambiguous);
    g_assert_null(qom_resolve("", &ambiguous));
}

static void numbers_are_used_again(Board *b, gconstpointer data)
{
    Device *first = add_ok("leaf"), *second = add_ok("leaf");

    check_path(first, "/machine/peripheral-anon/device[0]");
    check_path(second, "/machine/peripheral-anon/device[1]");
    bus_remove_device(device_parent_bus(first), first);
    check_path(add_ok("leaf"), "/machine/peripheral-anon/device[0]");
}

static void bus_names(Board *b, gconstpointer data)
{
    Device *anon = add_ok("hub"), *named = add_ok("hub,id=h0,bus=test-bus.0");
    g_autoptr(GError) error = NULL;

    g_assert_cmpstr(bus_name(HUMPY_HUB(anon)->bus), ==, "test-bus.1");
    g_assert_cmpstr(bus_name(HUMPY_HUB(named)->bus), ==, "h0.0");
    g_assert_true(bus_find("h0.0", NULL) == HUMPY_HUB(named)->bus);
    g_assert_true(bus_find("test-bus.0/h0/h0.0", NULL) == HUMPY_HUB(named)->bus);
    g_assert_true(bus_find("/hub/test-bus.0/h0/h0.0", NULL) == HUMPY_HUB(named)->bus);
    g_assert_null(bus_find("test-bus.1/h0.0", NULL));
    g_assert_null(bus_find("h0.1", &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN);
    g_assert_nonnull(strstr(error->message, "test-bus.0 to test-bus.1, h0.0"));
}

/* The first hub's bus is full with two; then what is further down takes devices, newest first. */
static void free_bus(Board *b, gconstpointer data)
{
    Device *h1 = add_ok("hub"), *h2 = add_ok("hub,bus=test-bus.0"), *leaf = add_ok("leaf");

    g_assert_true(device_parent_bus(h1) == HUMPY_BUS(b->bus));
    g_assert_true(device_parent_bus(leaf) == HUMPY_HUB(h2)->bus);
    add_ok("leaf");
    g_assert_true(device_parent_bus(add_ok("leaf")) == HUMPY_HUB(h1)->bus);
    add_ok("leaf");
    fails("leaf", HUMPY_ERROR_CONFLICT, "full");
    fails("leaf,bus=test-bus.0", HUMPY_ERROR_CONFLICT, "bus 'test-bus.0' is full: it takes 2");
}

static void plug_calls(Board *b, gconstpointer data)
{
    Device *leaf = add_ok("leaf,id=l0");

    g_assert_cmpstr(b->bus->log->str, ==, "attach plugged ");
    bus_remove_device(HUMPY_BUS(b->bus), leaf);
    g_assert_cmpstr(b->bus->log->str, ==, "attach plugged unplugged detach ");
    g_assert_cmpuint(bus_n_devices(HUMPY_BUS(b->bus)), ==, 0);
    g_assert_null(qom_resolve("/machine/peripheral/l0", NULL));
}

static void failed_plug(Board *b, gconstpointer data)
{
    fails("leaf,id=l0,broken=on", HUMPY_ERROR_RANGE, "is broken");
    g_assert_cmpstr(b->bus->log->str, ==, "attach detach ");
    g_string_truncate(b->bus->log, 0);
    b->bus->refuse = true;
    fails("leaf,id=l0", HUMPY_ERROR_RANGE, "refused");
    g_assert_cmpstr(b->bus->log->str, ==, "attach plugged unplugged detach ");
    g_assert_null(qom_resolve("/machine/peripheral/l0", NULL));
    b->bus->refuse = false;
    add_ok("leaf,id=l0");
}

static void bad_adds(Board *b, gconstpointer data)
{
    add_ok("leaf,id=l0");
    fails("leaf,id=l0", HUMPY_ERROR_CONFLICT, "'l0' is already used");
    fails("leaf,id=0l", HUMPY_ERROR_SYNTAX, "0l");
    fails("laef", HUMPY_ERROR_UNKNOWN, "leaf");
    fails("leaf,nubmer=1", HUMPY_ERROR_UNKNOWN, "number");
    fails("leaf,number=101", HUMPY_ERROR_RANGE, "0 to 100");
    fails("pl031", HUMPY_ERROR_UNSUPPORTED, "part of the machine");
    fails("virtio-rng-device", HUMPY_ERROR_UNSUPPORTED, "no bus of kind virtio-bus");
    fails("virtio-rng-device,bus=test-bus.0", HUMPY_ERROR_CONFLICT, "kind Test");
}

static void on_event(const char *name, JsonObject *data, void *opaque)
{
    g_string_append_printf(opaque, "%s %s %s;", name,
                           json_object_get_string_member_with_default(data, "device", "-"),
                           json_object_get_string_member(data, "path"));
}

static void hot_plug(Board *b, gconstpointer data)
{
    g_autoptr(GString) events = g_string_new(NULL);
    g_autoptr(GError) error = NULL;
    Device *hub;

    event_set_listener(on_event, events);
    hub = add_ok("hub,id=h0");
    g_assert_true(machine_boot(b->m, NULL));
    fails("leaf", HUMPY_ERROR_UNSUPPORTED, "Bus 'test-bus.0' does not support hotplugging");
    g_assert_false(device_del("h0", &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED);
    g_clear_error(&error);
    bus_set_hotpluggable(HUMPY_BUS(b->bus), true);
    bus_set_hotpluggable(HUMPY_HUB(hub)->bus, true);
    add_ok("leaf,id=l0,bus=h0.0");
    g_assert_cmpuint(events->len, ==, 0);
    g_assert_true(device_del("h0", NULL));
    g_assert_cmpstr(events->str, ==,
                    "DEVICE_DELETED l0 /machine/peripheral/l0;"
                    "DEVICE_DELETED h0 /machine/peripheral/h0;");
    g_assert_false(device_del("h0", &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_DEVICE_NOT_FOUND);
    event_set_listener(NULL, NULL);
}

static void reset_order(Board *b, gconstpointer data)
{
    add_ok("leaf");
    g_string_truncate(reset_log, 0);
    machine_reset(b->m);
    g_assert_cmpstr(reset_log->str, ==, "leaf hub leaf-exit hub-exit ");
}

/* ---- properties ---- */

static void check_json(gpointer obj, const char *property, const char *json)
{
    g_autoptr(JsonNode) value = qom_get(obj, property, NULL);
    g_autofree char *text = json_to_string(value, FALSE);

    g_assert_cmpstr(text, ==, json);
}

static void get(Board *b, gconstpointer data)
{
    Device *leaf = add_ok("leaf,id=l0,number=3,flag=on");
    g_autoptr(GError) error = NULL;

    check_json(leaf, "number", "3");
    check_json(leaf, "text", "\"\"");
    check_json(leaf, "flag", "true");
    check_json(leaf, "type", "\"leaf\"");
    check_json(leaf, "realized", "true");
    check_json(leaf, "hotplugged", "false");
    check_json(leaf, "parent_bus", "\"/machine/unattached/device[0]/test-bus.0\"");
    check_json(b->bus, "child[0]", "\"/machine/peripheral/l0\"");
    check_json(b->m, "peripheral", "\"/machine/peripheral\"");
    g_assert_null(qom_get(G_OBJECT(leaf), "nope", &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN);
}

static void set(Board *b, gconstpointer data)
{
    static const struct {
        const char *property, *json;
        int code; /* -1: works */
    } rows[] = {
        { "number", "9", -1 },
        { "number", "101", HUMPY_ERROR_RANGE },
        { "number", "\"9\"", HUMPY_ERROR_SYNTAX },
        { "number", "[]", HUMPY_ERROR_SYNTAX },
        { "flag", "true", -1 },
        { "flag", "1", HUMPY_ERROR_SYNTAX },
        { "text", "\"hi\"", -1 },
        { "text", "null", HUMPY_ERROR_SYNTAX },
        { "type", "\"x\"", HUMPY_ERROR_UNSUPPORTED },
        { "realized", "true", HUMPY_ERROR_UNSUPPORTED },
        { "nope", "1", HUMPY_ERROR_UNKNOWN },
    };
    g_autoptr(Device) leaf = device_new("leaf", NULL);

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(JsonNode) value = json_from_string(rows[i].json, NULL);
        g_autoptr(GError) error = NULL;

        g_assert_true(qom_set(G_OBJECT(leaf), rows[i].property, value, &error) ==
                      (rows[i].code == -1));
        if (rows[i].code != -1) {
            g_assert_error(error, HUMPY_ERROR, rows[i].code);
        }
    }
    g_assert_cmpuint(HUMPY_LEAF(leaf)->number, ==, 9);
    g_assert_true(HUMPY_LEAF(leaf)->flag);
}

static void set_realized(Board *b, gconstpointer data)
{
    g_autoptr(JsonNode) value = json_from_string("9", NULL);
    g_autoptr(GError) error = NULL;

    g_assert_false(qom_set(G_OBJECT(add_ok("leaf")), "number", value, &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT);
}

static bool has_property(GPtrArray *list, const char *name, const char *type)
{
    for (unsigned i = 0; i < list->len; i++) {
        const QomProperty *p = g_ptr_array_index(list, i);

        if (strcmp(p->name, name) == 0) {
            g_assert_cmpstr(p->type, ==, type);
            return true;
        }
    }
    return false;
}

static void delegate(Board *b, gconstpointer data)
{
    Device *shell = add_ok("shell,depth=2,number=5");
    g_autofree char *help = device_type_help("shell", NULL);
    g_autoptr(GPtrArray) list = qom_list(G_OBJECT(shell));

    g_assert_cmpuint(HUMPY_LEAF(HUMPY_SHELL(shell)->leaf)->number, ==, 5);
    check_json(shell, "number", "5");
    g_assert_nonnull(strstr(help, "depth="));
    g_assert_nonnull(strstr(help, "number="));
    g_assert_true(has_property(list, "number", "uint32"));
    g_assert_true(has_property(list, "depth", "uint32"));
    g_assert_true(has_property(list, "parent_bus", "link<bus>"));
    fails("shell,nubmer=5", HUMPY_ERROR_UNKNOWN, "number");
    g_assert_true(device_set_default("shell", "number", "6", NULL));
    check_json(add_ok("shell"), "number", "6");
    g_assert_true(device_set_default("shell", "number", "7", NULL));
}

/* Making an example of a type leaves no trace. */
static void examples(Board *b, gconstpointer data)
{
    g_autoptr(GString) before = g_string_new(NULL), after = g_string_new(NULL);

    add_ok("leaf,id=l0");
    qom_print_qtree(before);
    qom_print_tree(before, NULL, NULL);
    g_object_unref(qom_example(TYPE_SHELL));
    g_free(device_type_help("hub", NULL));
    qom_print_qtree(after);
    qom_print_tree(after, NULL, NULL);
    g_assert_cmpstr(before->str, ==, after->str);
    g_assert_nonnull(strstr(before->str, "dev: leaf, id \"l0\""));
    g_assert_nonnull(strstr(before->str, "/l0 (leaf)"));
}

static void type_names(void)
{
    g_assert_cmpstr(qom_type_name(TYPE_DEVICE), ==, "device");
    g_assert_cmpstr(qom_type_name(TYPE_LEAF), ==, "leaf");
    g_assert_true(qom_type_find("device") == TYPE_DEVICE);
    g_assert_true(qom_type_find("leaf") == TYPE_LEAF);
    g_assert_true(g_type_is_a(qom_type_find("virt-7.2-machine"), TYPE_MACHINE));
    g_assert_cmpuint(qom_type_find("GObject"), ==, 0);
    g_assert_null(qom_example(TYPE_DEVICE));
}

#define ADD(name, fn) g_test_add(name, Board, NULL, setup, fn, teardown)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    hw_register_types();
    g_type_ensure(TYPE_HUB);
    g_type_ensure(TYPE_LEAF);
    g_type_ensure(TYPE_SHELL);
    ADD("/qom/path/by-id-anonymous-and-board", paths);
    ADD("/qom/path/partial-must-be-unique", partial_paths);
    ADD("/qom/path/free-numbers-are-used-again", numbers_are_used_again);
    ADD("/bus/name/from-id-or-type", bus_names);
    ADD("/bus/free/upper-first-then-newest", free_bus);
    ADD("/bus/plug/calls-in-order-and-mirrored", plug_calls);
    ADD("/bus/plug/failure-leaves-nothing", failed_plug);
    ADD("/device-add/bad-input-is-refused", bad_adds);
    ADD("/device-add/hot-plug-and-unplug", hot_plug);
    ADD("/device/reset/phases-and-children-first", reset_order);
    ADD("/qom/get/rows-computed-links-children", get);
    ADD("/qom/set/types-and-ranges", set);
    ADD("/qom/set/not-after-realize", set_realized);
    ADD("/device/delegate/properties-shine-through", delegate);
    ADD("/qom/print/examples-leave-no-trace", examples);
    g_test_add_func("/qom/type/names", type_names);
    return g_test_run();
}
