/* SPDX-License-Identifier: GPL-2.0-or-later
 * The base class of all devices: its life cycle, reset, lock and register regions. Wires are in
 * device-gpio.c, types by name in device-types.c, getting onto a bus in bus.c and device-add.c.
 */
#include "hw/core/device.h"

#include "core-priv.h"
#include "hw/core/machine.h"

typedef struct {
    MemoryRegion *mr;
    MemoryRegion *container; /* NULL: not mapped */
    hwaddr addr;             /* in container */
} DeviceMmio;

typedef struct {
    char *id;
    bool realized;
    bool hotplugged;
    MemoryLock lock;
    GArray *mmio; /* of DeviceMmio */
    DeviceWires wires;
    Bus *bus;         /* where it is plugged, or NULL; borrowed */
    GPtrArray *buses; /* of Bus that it provides, or NULL; borrowed: they are its children */
} DevicePrivate;

G_DEFINE_ABSTRACT_TYPE_WITH_PRIVATE(Device, device, G_TYPE_OBJECT)

static DevicePrivate *priv(Device *dev)
{
    return device_get_instance_private(dev);
}

static void device_init(Device *dev)
{
    DevicePrivate *p = priv(dev);

    memory_lock_init(&p->lock);
    p->mmio = g_array_new(FALSE, FALSE, sizeof(DeviceMmio));
}

DeviceWires *device_wires(Device *dev)
{
    return &priv(dev)->wires;
}

/* The built-in defaults are set, -device's values are not yet. */
static void device_constructed(GObject *obj)
{
    device_apply_defaults(HUMPY_DEVICE(obj));
    G_OBJECT_CLASS(device_parent_class)->constructed(obj);
}

static void device_finalize(GObject *obj)
{
    DevicePrivate *p = priv(HUMPY_DEVICE(obj));

    /* The last reference may be a retired FlatView's, dropped in liburcu's thread: acquire what
     * device_unrealize() released. */
    g_assert(!__atomic_load_n(&p->realized, __ATOMIC_ACQUIRE));
    device_wires_free(&p->wires);
    props_clear(obj);
    g_array_unref(p->mmio);
    g_clear_pointer(&p->buses, g_ptr_array_unref);
    g_free(p->id);
    memory_lock_destroy(&p->lock);
    G_OBJECT_CLASS(device_parent_class)->finalize(obj);
}

static JsonNode *bool_node(bool value)
{
    JsonNode *node = json_node_new(JSON_NODE_VALUE);

    json_node_set_boolean(node, value);
    return node;
}

static JsonNode *get_realized(GObject *obj)
{
    return bool_node(priv(HUMPY_DEVICE(obj))->realized);
}

static JsonNode *get_hotplugged(GObject *obj)
{
    return bool_node(priv(HUMPY_DEVICE(obj))->hotplugged);
}

static JsonNode *get_hotpluggable(GObject *obj)
{
    Bus *bus = priv(HUMPY_DEVICE(obj))->bus;

    return bool_node(!HUMPY_DEVICE_GET_CLASS(obj)->not_hotpluggable &&
                     (bus == NULL || bus_is_hotpluggable(bus)));
}

static const QomComputed computed[] = {
    { "realized", "bool", NULL, get_realized, NULL },
    { "hotpluggable", "bool", NULL, get_hotpluggable, NULL },
    { "hotplugged", "bool", NULL, get_hotplugged, NULL },
};

static void device_class_init(DeviceClass *klass)
{
    G_OBJECT_CLASS(klass)->constructed = device_constructed;
    G_OBJECT_CLASS(klass)->finalize = device_finalize;
    qom_class_add_computed(klass, computed, G_N_ELEMENTS(computed));
}

const char *device_type(Device *dev)
{
    return G_OBJECT_TYPE_NAME(dev);
}

const char *device_id(Device *dev)
{
    return priv(dev)->id;
}

void device_set_id(Device *dev, const char *id)
{
    DevicePrivate *p = priv(dev);

    g_free(p->id);
    p->id = g_strdup(id);
}

bool device_is_realized(Device *dev)
{
    return priv(dev)->realized;
}

MemoryLock *device_lock(Device *dev)
{
    return &priv(dev)->lock;
}

Bus *device_parent_bus(Device *dev)
{
    return priv(dev)->bus;
}

void device_set_parent_bus(Device *dev, Bus *bus)
{
    priv(dev)->bus = bus;
    qom_set_link(G_OBJECT(dev), "parent_bus", "bus", bus != NULL ? G_OBJECT(bus) : NULL);
}

GPtrArray *device_buses(Device *dev)
{
    DevicePrivate *p = priv(dev);

    if (p->buses == NULL) {
        p->buses = g_ptr_array_new();
    }
    return p->buses;
}

GObject *device_delegate(Device *dev)
{
    DeviceClass *dc = HUMPY_DEVICE_GET_CLASS(dev);

    return dc->delegate != NULL ? dc->delegate(dev) : NULL;
}

/* ---- life cycle ---- */

static void destroy_buses(Device *dev)
{
    GPtrArray *buses = priv(dev)->buses;

    while (buses != NULL && buses->len > 0) {
        bus_destroy(g_ptr_array_index(buses, buses->len - 1));
    }
}

bool device_realize(Device *dev, GError **error)
{
    DeviceClass *dc = HUMPY_DEVICE_GET_CLASS(dev);
    DevicePrivate *p = priv(dev);

    g_assert(!p->realized);
    if (dc->realize != NULL && !dc->realize(dev, error)) {
        destroy_buses(dev);
        g_array_set_size(p->mmio, 0);
        return false;
    }
    p->realized = true;
    p->hotplugged = machine_has_started();
    device_reset(dev);
    return true;
}

void device_unrealize(Device *dev)
{
    DevicePrivate *p;

    if (dev == NULL || !priv(dev)->realized) {
        return;
    }
    p = priv(dev);
    destroy_buses(dev);
    for (unsigned i = 0; i < p->mmio->len; i++) {
        DeviceMmio *m = &g_array_index(p->mmio, DeviceMmio, i);

        if (m->container != NULL) {
            memory_region_del_subregion(m->container, m->mr);
        }
    }
    g_array_set_size(p->mmio, 0);
    if (HUMPY_DEVICE_GET_CLASS(dev)->unrealize != NULL) {
        HUMPY_DEVICE_GET_CLASS(dev)->unrealize(dev);
    }
    device_wires_drop(&p->wires);
    __atomic_store_n(&p->realized, false, __ATOMIC_RELEASE);
}

/* ---- reset ---- */

typedef void (*ResetFn)(Device *dev);

/* fn for what is further down from dev, then for dev. */
static void reset_phase(Device *dev, size_t offset)
{
    DeviceClass *dc = HUMPY_DEVICE_GET_CLASS(dev);
    DevicePrivate *p = priv(dev);
    ResetFn fn = G_STRUCT_MEMBER(ResetFn, dc, offset);

    for (unsigned i = 0; p->buses != NULL && i < p->buses->len; i++) {
        Bus *bus = g_ptr_array_index(p->buses, i);

        for (unsigned k = 0; k < bus_n_devices(bus); k++) {
            reset_phase(bus_device(bus, k), offset);
        }
    }
    if (fn != NULL && p->realized) {
        memory_lock(&p->lock);
        fn(dev);
        memory_unlock(&p->lock);
    }
}

void device_reset_many(Device *const *devices, unsigned n)
{
    static const size_t phases[] = { offsetof(DeviceClass, reset),
                                     offsetof(DeviceClass, reset_exit) };

    for (unsigned phase = 0; phase < G_N_ELEMENTS(phases); phase++) {
        for (unsigned i = 0; i < n; i++) {
            reset_phase(devices[i], phases[phase]);
        }
    }
}

void device_reset(Device *dev)
{
    device_reset_many(&dev, 1);
}

/* ---- registers ---- */

void device_add_mmio(Device *dev, MemoryRegion *mr)
{
    DevicePrivate *p = priv(dev);
    DeviceMmio m = { .mr = mr };

    memory_region_set_lock(mr, &p->lock);
    g_array_append_val(p->mmio, m);
}

void device_map(Device *dev, unsigned n, MemoryRegion *into, hwaddr addr)
{
    DevicePrivate *p = priv(dev);
    DeviceMmio *m;

    g_assert(n < p->mmio->len);
    m = &g_array_index(p->mmio, DeviceMmio, n);
    g_assert(m->container == NULL);
    m->container = into;
    m->addr = addr;
    memory_region_add_subregion(into, addr, m->mr);
}

void device_print_mmio(Device *dev, GString *out, unsigned indent)
{
    DevicePrivate *p = priv(dev);

    for (unsigned i = 0; i < p->mmio->len; i++) {
        const DeviceMmio *m = &g_array_index(p->mmio, DeviceMmio, i);

        g_string_append_printf(
            out, "%*smmio %016" G_GINT64_MODIFIER "x/%016" G_GINT64_MODIFIER "x\n", indent, "",
            m->container != NULL ? m->addr : UINT64_MAX, memory_region_size(m->mr));
    }
}
