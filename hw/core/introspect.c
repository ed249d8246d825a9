/* SPDX-License-Identifier: GPL-2.0-or-later
 * The machine as text for the human monitor: buses and devices from the board down, and the
 * composition tree. Nothing here changes anything.
 */
#include "core-priv.h"
#include "hw/core/machine.h"
#include "util/error.h"

typedef struct {
    GString *out;
    GObject *obj;
    unsigned indent;
} RowPrinter;

static void print_line(GString *out, unsigned indent, const char *fmt, ...) G_GNUC_PRINTF(3, 4);

static void print_line(GString *out, unsigned indent, const char *fmt, ...)
{
    va_list ap;

    g_string_append_printf(out, "%*s", indent, "");
    va_start(ap, fmt);
    g_string_append_vprintf(out, fmt, ap);
    va_end(ap);
    g_string_append_c(out, '\n');
}

static void print_row(const Prop *row, void *opaque)
{
    const RowPrinter *p = opaque;
    g_autofree char *value = props_get_str(p->obj, row->name);
    bool quoted = row->kind == PROP_KIND_STRING || row->kind == PROP_KIND_ENUM ||
                  row->kind == PROP_KIND_ONOFFAUTO;

    if (row->kind == PROP_KIND_BOOL) {
        print_line(p->out, p->indent, "%s = %s", row->name,
                   g_strcmp0(value, "on") == 0 ? "true" : "false");
    } else {
        print_line(p->out, p->indent, quoted ? "%s = \"%s\"" : "%s = %s", row->name,
                   value != NULL ? value : "");
    }
}

static void print_rows(GString *out, unsigned indent, GObject *obj)
{
    RowPrinter p = { out, obj, indent };

    if (obj != NULL) {
        props_foreach(G_OBJECT_GET_CLASS(obj), print_row, &p);
    }
}

static void print_bus(GString *out, unsigned indent, Bus *bus);

static void print_device(GString *out, unsigned indent, Device *dev)
{
    const char *id = device_id(dev);
    Bus *on = device_parent_bus(dev);
    GPtrArray *buses = device_buses(dev);

    print_line(out, indent, "dev: %s, id \"%s\"", device_type(dev), id != NULL ? id : "");
    indent += 2;
    device_print_wires(dev, out, indent);
    print_rows(out, indent, G_OBJECT(dev));
    print_rows(out, indent, device_delegate(dev));
    if (on != NULL && HUMPY_BUS_GET_CLASS(on)->address != NULL) {
        g_autofree char *address = HUMPY_BUS_GET_CLASS(on)->address(on, dev);

        print_line(out, indent, "address = %s", address);
    }
    device_print_mmio(dev, out, indent);
    for (unsigned i = 0; i < buses->len; i++) {
        print_bus(out, indent, g_ptr_array_index(buses, i));
    }
}

static void print_bus(GString *out, unsigned indent, Bus *bus)
{
    print_line(out, indent, "bus: %s", bus_name(bus));
    print_line(out, indent + 2, "type %s", qom_type_name(G_OBJECT_TYPE(bus)));
    for (unsigned i = bus_n_devices(bus); i-- > 0;) {
        print_device(out, indent + 2, bus_device(bus, i));
    }
}

void qom_print_qtree(GString *out)
{
    Machine *m = machine_current();
    const GPtrArray *devices = m != NULL ? machine_devices(m) : NULL;

    print_line(out, 0, "bus: main-system-bus");
    print_line(out, 2, "type System");
    for (unsigned i = devices != NULL ? devices->len : 0; i-- > 0;) {
        print_device(out, 2, g_ptr_array_index(devices, i));
    }
}

/* ---- the composition tree ---- */

typedef struct {
    GString *out;
    unsigned indent;
} TreePrinter;

static void print_child(const char *name, GObject *child, void *opaque)
{
    const TreePrinter *p = opaque;
    TreePrinter down = { p->out, p->indent + 2 };

    print_line(p->out, p->indent, "/%s (%s)", name, qom_type_name(G_OBJECT_TYPE(child)));
    qom_foreach_child(child, print_child, &down);
}

bool qom_print_tree(GString *out, const char *path, GError **error)
{
    bool ambiguous;
    GObject *obj;

    path = path != NULL ? path : "/machine";
    obj = qom_resolve(path, &ambiguous);
    if (obj == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN, "Path '%s' %s", path,
                    ambiguous ? "is ambiguous" : "could not be resolved");
        return false;
    }
    print_child(qom_name(obj) != NULL ? qom_name(obj) : "", obj, &(TreePrinter){ out, 0 });
    return true;
}
