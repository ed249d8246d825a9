/* SPDX-License-Identifier: GPL-2.0-or-later
 * Device types by name: look-up, help, -global, and properties set by name on a device or the inner
 * device that it offers as its own (DeviceClass.delegate).
 */
#include <string.h>

#include "core-priv.h"
#include "util/error.h"

typedef struct {
    GType type;
    char *property, *value; /* checked */
} DeviceDefault;

static GPtrArray *defaults; /* of DeviceDefault; [main] */

void device_apply_defaults(Device *dev)
{
    for (unsigned i = 0; defaults != NULL && i < defaults->len; i++) {
        const DeviceDefault *d = g_ptr_array_index(defaults, i);

        if (g_type_is_a(G_OBJECT_TYPE(dev), d->type)) {
            device_set_property(dev, d->property, d->value, NULL);
        }
    }
}

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

/* "virtio-blk" is short for "virtio-blk-pci". */
static GType short_type(const char *name)
{
    g_autofree char *full = g_strconcat(name, "-pci", NULL);

    return g_str_has_prefix(name, "virtio-") ? concrete_type(full) : 0;
}

/* The type called name, or 0 with *error. */
static GType find_type(const char *name, GError **error)
{
    GType type = concrete_type(name);
    g_autoptr(GPtrArray) names = NULL;

    if (type == 0) {
        type = short_type(name);
    }
    if (type != 0) {
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

/* An example of type or, if that is abstract, of a type derived from it. */
static Device *make_example(GType type)
{
    g_autofree GType *children = NULL;
    Device *example = NULL;

    if (!G_TYPE_IS_ABSTRACT(type)) {
        return g_object_new(type, NULL);
    }
    children = g_type_children(type, NULL);
    for (GType *child = children; *child != 0 && example == NULL; child++) {
        example = make_example(*child);
    }
    return example;
}

bool device_set_default(const char *type, const char *property, const char *value, GError **error)
{
    GType found = g_type_from_name(type);
    g_autoptr(Device) probe = NULL;
    DeviceDefault *d;

    if (found == 0 || !g_type_is_a(found, TYPE_DEVICE)) {
        found = find_type(type, error);
    }
    probe = found != 0 ? make_example(found) : NULL;
    if (probe == NULL || !device_set_property(probe, property, value, error)) {
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

static void add_name(const Prop *row, void *opaque)
{
    g_ptr_array_add(opaque, (void *)row->name);
}

bool device_set_property(Device *dev, const char *name, const char *value, GError **error)
{
    GObject *delegate = device_delegate(dev);
    GObjectClass *klass = G_OBJECT_GET_CLASS(dev);
    g_autoptr(GPtrArray) names = NULL;

    if (delegate == NULL || props_find(klass, name) != NULL) {
        return props_set_str(G_OBJECT(dev), name, value, error);
    }
    if (props_find(G_OBJECT_GET_CLASS(delegate), name) != NULL) {
        return props_set_str(delegate, name, value, error);
    }
    names = g_ptr_array_new();
    props_foreach(klass, add_name, names);
    props_foreach(G_OBJECT_GET_CLASS(delegate), add_name, names);
    g_ptr_array_add(names, NULL);
    error_set_unknown(error, "property", name, (const char *const *)names->pdata);
    return false;
}

void device_foreach_property(Device *dev, PropsFn fn, void *opaque)
{
    GObject *delegate = device_delegate(dev);

    props_foreach(G_OBJECT_GET_CLASS(dev), fn, opaque);
    if (delegate != NULL) {
        props_foreach(G_OBJECT_GET_CLASS(delegate), fn, opaque);
    }
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
    g_autofree char *own = NULL, *inner = NULL;
    g_autoptr(Device) example = NULL;

    if (found == 0) {
        return NULL;
    }
    example = g_object_new(found, NULL);
    own = props_help(G_OBJECT_GET_CLASS(example));
    if (device_delegate(example) != NULL) {
        inner = props_help(G_OBJECT_GET_CLASS(device_delegate(example)));
    }
    return g_strdup_printf("%s options:\n%s%s", type, own, inner != NULL ? inner : "");
}
