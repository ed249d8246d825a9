/* SPDX-License-Identifier: GPL-2.0-or-later
 * The base class of all devices: its life cycle, lock, register regions and output wires, and the
 * look-up of device types by name. What a machine does with devices is in machine.c.
 */
#include "hw/core/device.h"

#include <string.h>

#include "util/error.h"

typedef struct {
    MemoryRegion *mr;
    MemoryRegion *container; /* NULL: not mapped */
} DeviceMmio;

typedef struct {
    char *id;
    bool realized;
    MemoryLock lock;
    GArray *mmio; /* of DeviceMmio */
    IrqLine **irqs;
    unsigned n_irqs;
} DevicePrivate;

typedef struct {
    GType type;
    char *property, *value; /* checked */
} DeviceDefault;

static GPtrArray *defaults; /* of DeviceDefault; [main] */

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

/* The built-in defaults are set, -device's values are not yet. */
static void device_constructed(GObject *obj)
{
    for (unsigned i = 0; defaults != NULL && i < defaults->len; i++) {
        const DeviceDefault *d = g_ptr_array_index(defaults, i);

        if (G_OBJECT_TYPE(obj) == d->type) {
            props_set_str(obj, d->property, d->value, NULL);
        }
    }
    G_OBJECT_CLASS(device_parent_class)->constructed(obj);
}

static void device_finalize(GObject *obj)
{
    DevicePrivate *p = priv(HUMPY_DEVICE(obj));

    /* The last reference may be a retired FlatView's, dropped in liburcu's thread: acquire what
     * device_unrealize() released. */
    g_assert(!__atomic_load_n(&p->realized, __ATOMIC_ACQUIRE));
    for (unsigned i = 0; i < p->n_irqs; i++) {
        g_clear_pointer(&p->irqs[i], irq_free);
    }
    props_clear(obj);
    g_array_unref(p->mmio);
    g_free(p->id);
    memory_lock_destroy(&p->lock);
    G_OBJECT_CLASS(device_parent_class)->finalize(obj);
}

static void device_class_init(DeviceClass *klass)
{
    G_OBJECT_CLASS(klass)->constructed = device_constructed;
    G_OBJECT_CLASS(klass)->finalize = device_finalize;
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

bool device_realize(Device *dev, GError **error)
{
    DeviceClass *dc = HUMPY_DEVICE_GET_CLASS(dev);
    DevicePrivate *p = priv(dev);

    g_assert(!p->realized);
    if (dc->realize != NULL && !dc->realize(dev, error)) {
        g_array_set_size(p->mmio, 0);
        return false;
    }
    p->realized = true;
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
    for (unsigned i = 0; i < p->n_irqs; i++) {
        g_clear_pointer(&p->irqs[i], irq_free);
    }
    __atomic_store_n(&p->realized, false, __ATOMIC_RELEASE);
}

void device_reset(Device *dev)
{
    DeviceClass *dc = HUMPY_DEVICE_GET_CLASS(dev);
    DevicePrivate *p = priv(dev);

    if (dc->reset != NULL) {
        memory_lock(&p->lock);
        dc->reset(dev);
        memory_unlock(&p->lock);
    }
}

void device_add_mmio(Device *dev, MemoryRegion *mr)
{
    DevicePrivate *p = priv(dev);
    DeviceMmio m = { .mr = mr };

    memory_region_set_lock(mr, &p->lock);
    g_array_append_val(p->mmio, m);
}

MemoryRegion *device_mmio(Device *dev, unsigned n)
{
    DevicePrivate *p = priv(dev);

    g_assert(n < p->mmio->len);
    return g_array_index(p->mmio, DeviceMmio, n).mr;
}

void device_map(Device *dev, unsigned n, MemoryRegion *into, hwaddr addr)
{
    DevicePrivate *p = priv(dev);
    DeviceMmio *m;

    g_assert(n < p->mmio->len);
    m = &g_array_index(p->mmio, DeviceMmio, n);
    g_assert(m->container == NULL);
    m->container = into;
    memory_region_add_subregion(into, addr, m->mr);
}

void device_declare_irqs(Device *dev, IrqLine **slots, unsigned n)
{
    DevicePrivate *p = priv(dev);

    g_assert(p->irqs == NULL || p->irqs == slots);
    p->irqs = slots;
    p->n_irqs = n;
}

void device_connect_irq(Device *dev, unsigned n, IrqLine *irq)
{
    DevicePrivate *p = priv(dev);

    g_assert(n < p->n_irqs && p->irqs[n] == NULL);
    p->irqs[n] = irq;
}

/* ---- types by name ---- */

static void collect_types(GType type, GPtrArray *names, bool user_creatable_only)
{
    g_autofree GType *children = g_type_children(type, NULL);

    if (type != TYPE_DEVICE && !G_TYPE_IS_ABSTRACT(type)) {
        DeviceClass *dc = g_type_class_ref(type);

        if (dc->user_creatable || !user_creatable_only) {
            g_ptr_array_add(names, (void *)g_type_name(type));
        }
        g_type_class_unref(dc);
    }
    for (GType *child = children; *child != 0; child++) {
        collect_types(*child, names, user_creatable_only);
    }
}

static GPtrArray *type_names(bool user_creatable_only)
{
    GPtrArray *names = g_ptr_array_new();

    collect_types(TYPE_DEVICE, names, user_creatable_only);
    return names;
}

static GType concrete_type(const char *name)
{
    GType type = g_type_from_name(name);

    return type != 0 && g_type_is_a(type, TYPE_DEVICE) && !G_TYPE_IS_ABSTRACT(type) ? type : 0;
}

/* On QEMU "virtio-X" and "virtio-X-pci" are PCI devices. Without PCI, point to the same device for
 * a virtio-mmio transport rather than give the guest another device than was asked for. */
static bool is_known_without_pci(const char *name, GError **error)
{
    g_autofree char *base = g_strdup(name);
    g_autofree char *other = NULL;

    if (g_str_has_suffix(base, "-pci")) {
        base[strlen(base) - strlen("-pci")] = '\0';
    }
    other = g_strconcat(base, "-device", NULL);
    if (concrete_type(other) == 0) {
        return false;
    }
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                "device type '%s' is a PCI device and there is no PCI yet (use '%s')", name, other);
    return true;
}

/* The type called name, or 0 with *error. */
static GType find_type(const char *name, GError **error)
{
    GType type = concrete_type(name);
    g_autoptr(GPtrArray) names = NULL;

    if (type != 0 || is_known_without_pci(name, error)) {
        return type;
    }
    names = type_names(true);
    g_ptr_array_add(names, NULL);
    error_set_unknown(error, "device type", name, (const char *const *)names->pdata);
    return 0;
}

Device *device_new(const char *type, GError **error)
{
    GType found = find_type(type, error);

    return found != 0 ? g_object_new(found, NULL) : NULL;
}

static void default_free(gpointer data)
{
    DeviceDefault *d = data;

    g_free(d->property);
    g_free(d->value);
    g_free(d);
}

static DeviceDefault *find_default(GType type, const char *property)
{
    for (unsigned i = 0; i < defaults->len; i++) {
        DeviceDefault *d = g_ptr_array_index(defaults, i);

        if (d->type == type && strcmp(d->property, property) == 0) {
            return d;
        }
    }
    return NULL;
}

bool device_set_default(const char *type, const char *property, const char *value, GError **error)
{
    GType found = find_type(type, error);
    g_autoptr(Device) probe = found != 0 ? g_object_new(found, NULL) : NULL;
    DeviceDefault *d;

    if (probe == NULL || !props_set_str(G_OBJECT(probe), property, value, error)) {
        return false;
    }
    if (defaults == NULL) {
        defaults = g_ptr_array_new_with_free_func(default_free);
    }
    d = find_default(found, property);
    if (d == NULL) {
        d = g_new0(DeviceDefault, 1);
        d->type = found;
        d->property = g_strdup(property);
        g_ptr_array_add(defaults, d);
    }
    g_free(d->value);
    d->value = g_strdup(value);
    return true;
}

char *device_help(void)
{
    g_autoptr(GPtrArray) names = type_names(true);
    GString *out = g_string_new(NULL);

    for (unsigned i = 0; i < names->len; i++) {
        const char *name = g_ptr_array_index(names, i);
        DeviceClass *dc = g_type_class_ref(g_type_from_name(name));

        g_string_append_printf(out, "name \"%s\"", name);
        if (dc->bus != NULL) {
            g_string_append_printf(out, ", bus %s", dc->bus);
        }
        if (dc->summary != NULL) {
            g_string_append_printf(out, ", desc \"%s\"", dc->summary);
        }
        g_string_append_c(out, '\n');
        g_type_class_unref(dc);
    }
    return g_string_free(out, FALSE);
}

char *device_type_help(const char *type, GError **error)
{
    GType found = find_type(type, error);
    g_autofree char *props = NULL;
    GObjectClass *klass;

    if (found == 0) {
        return NULL;
    }
    klass = g_type_class_ref(found);
    props = props_help(klass);
    g_type_class_unref(klass);
    return g_strdup_printf("%s options:\n%s", type, props);
}
