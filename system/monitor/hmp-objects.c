/* SPDX-License-Identifier: GPL-2.0-or-later
 * The human monitor's view of devices and objects: adding, removing, properties, trees.
 */
#include <string.h>

#include "hmp-commands.h"
#include "hw/core/bus.h"
#include "hw/core/device-add.h"
#include "hw/core/machine.h"
#include "hw/core/qom.h"
#include "hw/core/user-object.h"
#include "json-stream.h"
#include "util/error.h"
#include "vm.h"

static bool is_help(const char *text)
{
    return strcmp(text, "help") == 0 || strcmp(text, "?") == 0;
}

/* ---- devices and objects ---- */

/* Takes a new text, or NULL. */
static bool append(GString *out, char *taken)
{
    if (taken != NULL) {
        g_string_append(out, taken);
    }
    g_free(taken);
    return taken != NULL;
}

bool hmp_device_add(HmpCall *call, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse(call->rest, "driver", error);
    const char *driver;

    if (kv == NULL) {
        return false;
    }
    driver = keyval_get(kv, "driver");
    if (driver != NULL && is_help(driver)) {
        return append(call->out, device_help());
    }
    if (driver != NULL && keyval_get(kv, "help") != NULL) {
        return append(call->out, device_type_help(driver, error));
    }
    if (vm_current() == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT, "there is no machine yet");
        return false;
    }
    return vm_add_device(vm_current(), kv, error);
}

bool hmp_device_del(HmpCall *call, GError **error)
{
    return device_del(call->words[0], error);
}

bool hmp_object_add(HmpCall *call, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse(call->rest, "qom-type", error);
    const char *type;

    if (kv == NULL) {
        return false;
    }
    type = keyval_get(kv, "qom-type");
    if (type != NULL && is_help(type)) {
        return append(call->out, user_object_help());
    }
    if (type != NULL && keyval_get(kv, "help") != NULL) {
        return append(call->out, user_object_type_help(type, error));
    }
    return user_object_add(kv, error) != NULL;
}

bool hmp_object_del(HmpCall *call, GError **error)
{
    return user_object_del(call->words[0], error);
}

/* ---- properties ---- */

static GObject *resolve(const char *path, GError **error)
{
    GObject *obj = qom_resolve(path, NULL);

    if (obj == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN, "Device '%s' not found", path);
    }
    return obj;
}

bool hmp_qom_list(HmpCall *call, GError **error)
{
    GObject *obj = resolve(call->n > 0 ? call->words[0] : "/", error);
    g_autoptr(GPtrArray) list = obj != NULL ? qom_list(obj) : NULL;

    for (unsigned i = 0; list != NULL && i < list->len; i++) {
        const QomProperty *p = g_ptr_array_index(list, i);

        g_string_append_printf(call->out, "%s (%s)\n", p->name, p->type);
    }
    return obj != NULL;
}

bool hmp_qom_get(HmpCall *call, GError **error)
{
    GObject *obj = resolve(call->words[0], error);
    g_autoptr(JsonNode) value = obj != NULL ? qom_get(obj, call->words[1], error) : NULL;

    return value != NULL && append(call->out, json_to_string(value, TRUE)) &&
           g_string_append_c(call->out, '\n') != NULL;
}

bool hmp_qom_set(HmpCall *call, GError **error)
{
    GObject *obj = resolve(call->words[0], error);
    g_autoptr(JsonNode) value = NULL;

    if (obj == NULL) {
        return false;
    }
    /* What is no JSON is a string. */
    value = json_stream_parse(call->words[2], NULL);
    if (value == NULL) {
        value = json_node_init_string(json_node_alloc(), call->words[2]);
    }
    return qom_set(obj, call->words[1], value, error);
}

/* ---- trees ---- */

typedef struct {
    GString *out;
    unsigned indent;
} Tree;

static void tree_line(const Tree *tree, const char *fmt, ...) G_GNUC_PRINTF(2, 3);

static void tree_line(const Tree *tree, const char *fmt, ...)
{
    va_list ap;

    g_string_append_printf(tree->out, "%*s", tree->indent, "");
    va_start(ap, fmt);
    g_string_append_vprintf(tree->out, fmt, ap);
    va_end(ap);
    g_string_append_c(tree->out, '\n');
}

static void print_property(const Prop *row, void *opaque)
{
    const struct {
        const Tree *tree;
        GObject *obj;
    } *at = opaque;
    g_autofree char *value = props_get_str(at->obj, row->name);

    tree_line(at->tree, "%s = %s", row->name, value != NULL ? value : "<null>");
}

static void print_buses_of(Device *dev, const Tree *tree);

static void print_device(Device *dev, const Tree *tree)
{
    Tree inner = { tree->out, tree->indent + 2 };
    struct {
        const Tree *tree;
        GObject *obj;
    } at = { &inner, G_OBJECT(dev) };
    const char *id = device_id(dev);

    tree_line(tree, "dev: %s, id \"%s\"", device_type(dev), id != NULL ? id : "");
    props_foreach(G_OBJECT_GET_CLASS(dev), print_property, &at);
    print_buses_of(dev, &inner);
}

static void print_bus(Bus *bus, const Tree *tree)
{
    Tree inner = { tree->out, tree->indent + 2 };

    tree_line(tree, "bus: %s", bus_name(bus));
    tree_line(&inner, "type %s", qom_type_name(G_OBJECT_TYPE(bus)));
    for (unsigned i = 0; i < bus_n_devices(bus); i++) {
        print_device(bus_device(bus, i), &inner);
    }
}

typedef struct {
    Device *dev;
    const Tree *tree;
} BusesOf;

static void print_if_of(Bus *bus, void *opaque)
{
    BusesOf *of = opaque;

    if (bus_parent(bus) == of->dev) {
        print_bus(bus, of->tree);
    }
}

static void print_buses_of(Device *dev, const Tree *tree)
{
    BusesOf of = { dev, tree };

    bus_foreach(print_if_of, &of);
}

/* Devices that are on no bus are on the board's own. */
static void print_board_devices(const char *name, GObject *obj, void *opaque)
{
    if (HUMPY_IS_DEVICE(obj) && device_parent_bus(HUMPY_DEVICE(obj)) == NULL) {
        print_device(HUMPY_DEVICE(obj), opaque);
    }
    if (!HUMPY_IS_DEVICE(obj)) {
        qom_foreach_child(obj, print_board_devices, opaque);
    }
}

bool hmp_info_qtree(HmpCall *call, GError **error)
{
    Tree tree = { call->out, 0 }, inner = { call->out, 2 };

    if (vm_current() == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT, "there is no machine yet");
        return false;
    }
    tree_line(&tree, "bus: main-system-bus");
    tree_line(&inner, "type System");
    qom_foreach_child(G_OBJECT(vm_machine(vm_current())), print_board_devices, &inner);
    return true;
}

static void print_child(const char *name, GObject *obj, void *opaque)
{
    const Tree *tree = opaque;
    Tree inner = { tree->out, tree->indent + 2 };

    tree_line(tree, "/%s (%s)", name, qom_type_name(G_OBJECT_TYPE(obj)));
    qom_foreach_child(obj, print_child, &inner);
}

bool hmp_info_qom_tree(HmpCall *call, GError **error)
{
    const char *path = call->n > 0 ? call->words[0] : "/machine";
    GObject *obj = resolve(path, error);
    Tree tree = { call->out, 0 }, inner = { call->out, 2 };

    if (obj == NULL) {
        return false;
    }
    tree_line(&tree, "/%s (%s)", qom_name(obj) != NULL ? qom_name(obj) : "",
              qom_type_name(G_OBJECT_TYPE(obj)));
    qom_foreach_child(obj, print_child, &inner);
    return true;
}
