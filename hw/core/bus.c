/* SPDX-License-Identifier: GPL-2.0-or-later
 * Buses: their names, how a device gets onto one and off it, and which one a device without bus=
 * goes to. What a bus means to its devices is its type's business (hw/virtio, hw/pci).
 */
#include "hw/core/bus.h"

#include <string.h>

#include "core-priv.h"
#include "util/error.h"
#include "util/event.h"

typedef struct {
    char *name;
    Device *provider;   /* borrowed */
    GPtrArray *devices; /* of Device, referenced */
    unsigned next_link; /* "child[N]" */
    bool hotpluggable;
} BusPrivate;

static GPtrArray *buses;       /* of Bus, borrowed, oldest first */
static GHashTable *next_names; /* type to the N of its next "TYPE.N" */

G_DEFINE_ABSTRACT_TYPE_WITH_PRIVATE(Bus, bus, G_TYPE_OBJECT)

static BusPrivate *priv(Bus *bus)
{
    return bus_get_instance_private(bus);
}

static void bus_init(Bus *bus)
{
    priv(bus)->devices = g_ptr_array_new_with_free_func(g_object_unref);
}

static void bus_finalize(GObject *obj)
{
    BusPrivate *p = priv(HUMPY_BUS(obj));

    g_ptr_array_unref(p->devices);
    g_free(p->name);
    G_OBJECT_CLASS(bus_parent_class)->finalize(obj);
}

static JsonNode *get_realized(GObject *obj)
{
    JsonNode *node = json_node_new(JSON_NODE_VALUE);

    json_node_set_boolean(node, TRUE);
    return node;
}

static const QomComputed computed[] = {
    { "realized", "bool", NULL, get_realized, NULL },
};

static void bus_class_init(BusClass *klass)
{
    G_OBJECT_CLASS(klass)->finalize = bus_finalize;
    qom_class_add_computed(klass, computed, G_N_ELEMENTS(computed));
}

/* ---- names ---- */

/* The id the user gave: the provider's, or that of the device it is the inner half of. */
static const char *user_id(Device *dev)
{
    GObject *outer = qom_parent(G_OBJECT(dev));

    if (device_id(dev) == NULL && outer != NULL && HUMPY_IS_DEVICE(outer) &&
        device_delegate(HUMPY_DEVICE(outer)) == G_OBJECT(dev)) {
        return device_id(HUMPY_DEVICE(outer));
    }
    return device_id(dev);
}

/* "TYPE.N" of the buses that have got their names so; starts anew when all buses are gone. */
static char *automatic_name(GType type)
{
    const char *name = g_type_name(type);
    unsigned n;

    if (next_names == NULL) {
        next_names = g_hash_table_new(g_str_hash, g_str_equal);
    }
    n = GPOINTER_TO_UINT(g_hash_table_lookup(next_names, name));
    g_hash_table_insert(next_names, (void *)name, GUINT_TO_POINTER(n + 1));
    return g_strdup_printf("%s.%u", name, n);
}

Bus *bus_new(GType type, Device *dev, const char *name)
{
    g_autoptr(Bus) bus = g_object_new(type, NULL);
    BusPrivate *p = priv(bus);
    GPtrArray *siblings = device_buses(dev);

    if (buses == NULL) {
        buses = g_ptr_array_new();
    }
    p->provider = dev;
    if (name != NULL) {
        p->name = g_strdup(name);
    } else if (user_id(dev) != NULL) {
        p->name = g_strdup_printf("%s.%u", user_id(dev), siblings->len);
    } else {
        p->name = automatic_name(type);
    }
    qom_add_child(G_OBJECT(dev), p->name, G_OBJECT(bus));
    g_ptr_array_add(siblings, bus);
    g_ptr_array_add(buses, bus);
    return bus;
}

void bus_destroy(Bus *bus)
{
    BusPrivate *p = priv(bus);

    while (p->devices->len > 0) {
        bus_remove_device(bus, g_ptr_array_index(p->devices, p->devices->len - 1));
    }
    g_ptr_array_remove(device_buses(p->provider), bus);
    g_ptr_array_remove(buses, bus);
    if (buses->len == 0 && next_names != NULL) {
        g_hash_table_remove_all(next_names);
    }
    qom_unparent(G_OBJECT(bus));
}

const char *bus_name(Bus *bus)
{
    return priv(bus)->name;
}

Device *bus_parent(Bus *bus)
{
    return priv(bus)->provider;
}

static bool bus_is_full(Bus *bus)
{
    unsigned max = HUMPY_BUS_GET_CLASS(bus)->max_devices;

    return max != 0 && priv(bus)->devices->len >= max;
}

void bus_set_hotpluggable(Bus *bus, bool hotpluggable)
{
    priv(bus)->hotpluggable = hotpluggable;
}

bool bus_is_hotpluggable(Bus *bus)
{
    return priv(bus)->hotpluggable;
}

unsigned bus_n_devices(Bus *bus)
{
    return priv(bus)->devices->len;
}

Device *bus_device(Bus *bus, unsigned n)
{
    return g_ptr_array_index(priv(bus)->devices, n);
}

void bus_foreach(void (*fn)(Bus *bus, void *opaque), void *opaque)
{
    for (unsigned i = 0; buses != NULL && i < buses->len; i++) {
        fn(g_ptr_array_index(buses, i), opaque);
    }
}

/* ---- looking for one ---- */

/* Is what stands before bus in a path of n names (buses, devices' ids or types) above it? */
static bool has_ancestors(Bus *bus, char **names, unsigned n)
{
    while (n > 0) {
        Device *dev = bus_parent(bus);
        Bus *above = device_parent_bus(dev);

        if (g_strcmp0(names[n - 1], device_id(dev)) == 0 ||
            strcmp(names[n - 1], device_type(dev)) == 0) {
            n--;
        }
        if (n == 0) {
            break;
        }
        if (above == NULL) {
            return false;
        }
        if (strcmp(names[n - 1], bus_name(above)) == 0) {
            n--;
        }
        bus = above;
    }
    return true;
}

/* Length of "virtio-mmio-bus" in "virtio-mmio-bus.31". */
static size_t stem_length(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot != NULL ? (size_t)(dot - name) : strlen(name);
}

static bool same_stem(Bus *a, Bus *b)
{
    size_t length = stem_length(bus_name(a));

    return length == stem_length(bus_name(b)) && strncmp(bus_name(a), bus_name(b), length) == 0;
}

/* Names the buses there are, those of one kind as "first to last". */
static void no_such_bus(const char *name, GError **error)
{
    g_autoptr(GString) names = g_string_new(NULL);
    unsigned n = buses != NULL ? buses->len : 0;

    for (unsigned i = 0; i < n; i++) {
        unsigned last = i;

        while (last + 1 < n &&
               same_stem(g_ptr_array_index(buses, i), g_ptr_array_index(buses, last + 1))) {
            last++;
        }
        g_string_append_printf(names, "%s%s", names->len > 0 ? ", " : "",
                               bus_name(g_ptr_array_index(buses, i)));
        if (last > i) {
            g_string_append_printf(names, " to %s", bus_name(g_ptr_array_index(buses, last)));
        }
        i = last;
    }
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN, "bus '%s' is not known (valid: %s)", name,
                n > 0 ? names->str : "none, the machine has no buses");
}

Bus *bus_find(const char *name, GError **error)
{
    g_auto(GStrv) names = g_strsplit(*name == '/' ? name + 1 : name, "/", -1);
    unsigned n = g_strv_length(names);
    Bus *found = NULL;

    for (unsigned i = 0; n > 0 && buses != NULL && i < buses->len; i++) {
        Bus *bus = g_ptr_array_index(buses, i);

        /* Several may have one name ("virtio-bus"): rather one with room. */
        if (strcmp(bus_name(bus), names[n - 1]) == 0 && has_ancestors(bus, names, n - 1) &&
            (found == NULL || (bus_is_full(found) && !bus_is_full(bus)))) {
            found = bus;
        }
    }
    if (found == NULL) {
        no_such_bus(name, error);
    }
    return found;
}

static bool is_kind(Bus *bus, const char *kind)
{
    return g_strcmp0(HUMPY_BUS_GET_CLASS(bus)->kind, kind) == 0;
}

/* The first with room among bus and what is further down from it. */
static Bus *find_down(Bus *bus, const char *kind, bool *any)
{
    BusPrivate *p = priv(bus);

    if (is_kind(bus, kind)) {
        *any = true;
        if (!bus_is_full(bus)) {
            return bus;
        }
    }
    for (unsigned i = p->devices->len; i-- > 0;) {
        GPtrArray *down = device_buses(g_ptr_array_index(p->devices, i));

        for (unsigned k = down->len; k-- > 0;) {
            Bus *found = find_down(g_ptr_array_index(down, k), kind, any);

            if (found != NULL) {
                return found;
            }
        }
    }
    return NULL;
}

Bus *bus_find_free(const char *kind, GError **error)
{
    bool any = false;

    for (unsigned i = buses != NULL ? buses->len : 0; i-- > 0;) {
        Bus *bus = g_ptr_array_index(buses, i);
        Bus *found = NULL;

        if (device_parent_bus(bus_parent(bus)) == NULL) {
            found = find_down(bus, kind, &any);
        }
        if (found != NULL) {
            return found;
        }
    }
    if (any) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT, "all buses of kind %s are full",
                    kind);
    } else {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "the machine has no bus of kind %s", kind);
    }
    return NULL;
}

/* ---- plugging ---- */

static bool check_plug(Bus *bus, Device *dev, GError **error)
{
    DeviceClass *dc = HUMPY_DEVICE_GET_CLASS(dev);

    if (!is_kind(bus, dc->bus)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "'%s' needs a bus of kind %s, but bus '%s' is of kind %s", device_type(dev),
                    dc->bus != NULL ? dc->bus : "none", bus_name(bus),
                    HUMPY_BUS_GET_CLASS(bus)->kind);
        return false;
    }
    if (bus_is_full(bus)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT, "bus '%s' is full: it takes %u",
                    bus_name(bus), HUMPY_BUS_GET_CLASS(bus)->max_devices);
        return false;
    }
    if (machine_has_started() && (!priv(bus)->hotpluggable || dc->not_hotpluggable)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "%s '%s' does not support hotplugging",
                    priv(bus)->hotpluggable ? "Device" : "Bus",
                    priv(bus)->hotpluggable ? device_type(dev) : bus_name(bus));
        return false;
    }
    return true;
}

static void put_on(Bus *bus, Device *dev)
{
    BusPrivate *p = priv(bus);
    g_autofree char *link = g_strdup_printf("child[%u]", p->next_link++);

    g_ptr_array_add(p->devices, g_object_ref(dev));
    qom_set_link(G_OBJECT(bus), link, device_type(dev), G_OBJECT(dev));
    device_set_parent_bus(dev, bus);
}

static void take_off(Bus *bus, Device *dev)
{
    if (HUMPY_BUS_GET_CLASS(bus)->detach != NULL) {
        HUMPY_BUS_GET_CLASS(bus)->detach(bus, dev);
    }
    device_set_parent_bus(dev, NULL);
    qom_drop_link_to(G_OBJECT(bus), G_OBJECT(dev));
    g_ptr_array_remove(priv(bus)->devices, dev);
}

bool bus_add_device(Bus *bus, Device *dev, GError **error)
{
    BusClass *bc = HUMPY_BUS_GET_CLASS(bus);

    g_assert(!device_is_realized(dev) && device_parent_bus(dev) == NULL);
    if (!check_plug(bus, dev, error) || (bc->attach != NULL && !bc->attach(bus, dev, error))) {
        return false;
    }
    put_on(bus, dev);
    if (!device_realize(dev, error)) {
        take_off(bus, dev);
        return false;
    }
    if (bc->plugged != NULL && !bc->plugged(bus, dev, error)) {
        if (bc->unplugged != NULL) {
            bc->unplugged(bus, dev);
        }
        device_unrealize(dev);
        take_off(bus, dev);
        return false;
    }
    return true;
}

static void tell_deleted(const char *id, const char *path)
{
    JsonObject *data = json_object_new();

    if (id != NULL) {
        json_object_set_string_member(data, "device", id);
    }
    json_object_set_string_member(data, "path", path);
    event_emit("DEVICE_DELETED", data);
}

void bus_remove_device(Bus *bus, Device *dev)
{
    BusClass *bc = HUMPY_BUS_GET_CLASS(bus);
    g_autoptr(Device) keep G_GNUC_UNUSED = g_object_ref(dev);
    g_autofree char *path = qom_path(G_OBJECT(dev));

    g_assert(device_parent_bus(dev) == bus);
    if (bc->unplugged != NULL) {
        bc->unplugged(bus, dev);
    }
    device_unrealize(dev);
    take_off(bus, dev);
    qom_unparent(G_OBJECT(dev));
    if (machine_has_started() && path != NULL) {
        tell_deleted(device_id(dev), path);
    }
}
