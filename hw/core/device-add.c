/* SPDX-License-Identifier: GPL-2.0-or-later
 * How a user's device comes and goes: see hw/core/device-add.h. What the words of the command line
 * or of QMP mean is system/'s business; what a bus does is bus.c's and its type's.
 */
#include "hw/core/device-add.h"

#include <string.h>

#include "core-priv.h"
#include "hw/core/machine.h"
#include "util/error.h"

#define PERIPHERAL      "/machine/peripheral"
#define PERIPHERAL_ANON "/machine/peripheral-anon"

static bool place(Device *dev, GError **error)
{
    const char *id = device_id(dev);
    g_autofree char *path = g_strconcat(PERIPHERAL "/", id, NULL);

    if (id == NULL) {
        qom_add_child(qom_container(PERIPHERAL_ANON), "device[*]", G_OBJECT(dev));
        return true;
    }
    if (!keyval_check_id(id, error)) {
        return false;
    }
    if (qom_resolve(path, NULL) != NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "id '%s' is already used by another device", id);
        return false;
    }
    qom_add_child(qom_container(PERIPHERAL), id, G_OBJECT(dev));
    return true;
}

/* A device of the board's own kind of bus: there is only one, and no object for it. */
static bool plug_into_board(Device *dev, const char *bus, GError **error)
{
    Machine *m = machine_current();

    if (bus != NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT, "'%s' is on no bus that has a name",
                    device_type(dev));
        return false;
    }
    if (machine_has_started()) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "Device '%s' does not support hotplugging", device_type(dev));
        return false;
    }
    if (!device_realize(dev, error)) {
        return false;
    }
    machine_add_device(m, dev);
    if (!machine_plugged(m, dev, error)) {
        machine_remove_device(m, dev);
        return false;
    }
    return true;
}

static bool plug_into_bus(Device *dev, const char *name, GError **error)
{
    const char *kind = HUMPY_DEVICE_GET_CLASS(dev)->bus;
    Bus *bus = name != NULL ? bus_find(name, error) : bus_find_free(kind, error);

    if (bus == NULL || !bus_add_device(bus, dev, error)) {
        return false;
    }
    if (!machine_plugged(machine_current(), dev, error)) {
        bus_remove_device(bus, dev);
        return false;
    }
    return true;
}

bool device_plug(Device *dev, const char *bus, GError **error)
{
    const char *kind = HUMPY_DEVICE_GET_CLASS(dev)->bus;
    bool ok;

    g_assert(machine_current() != NULL);
    if (!HUMPY_DEVICE_GET_CLASS(dev)->user_creatable) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "'%s' is part of the machine and cannot be added", device_type(dev));
        return false;
    }
    if (!place(dev, error)) {
        return false;
    }
    ok = g_strcmp0(kind, "System") == 0 || kind == NULL ? plug_into_board(dev, bus, error)
                                                        : plug_into_bus(dev, bus, error);
    if (!ok) {
        qom_unparent(G_OBJECT(dev));
    }
    return ok;
}

Device *device_add(KeyVal *kv, GError **error)
{
    const char *type = keyval_take(kv, "driver"), *bus = keyval_take(kv, "bus");
    g_autoptr(Device) dev = NULL;

    if (type == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "Parameter 'driver' is missing");
        return NULL;
    }
    dev = device_new(type, error);
    if (dev == NULL) {
        return NULL;
    }
    device_set_id(dev, keyval_take(kv, "id"));
    for (unsigned i = 0; i < kv->pairs->len; i++) {
        const KeyValPair *pair = g_ptr_array_index(kv->pairs, i);

        if (!pair->used && !device_set_property(dev, pair->key, pair->value, error)) {
            return NULL;
        }
    }
    return device_plug(dev, bus, error) ? dev : NULL; /* the tree holds it */
}

/* The device at a path of the tree or, without a slash, with that id; DEVICE_NOT_FOUND: there
 * is none. Borrowed. */
static Device *device_find(const char *id_or_path, GError **error)
{
    g_autofree char *path = *id_or_path != '/' && strchr(id_or_path, '/') == NULL
                                ? g_strconcat(PERIPHERAL "/", id_or_path, NULL)
                                : g_strdup(id_or_path);
    GObject *found = qom_resolve(path, NULL);

    if (found == NULL || !HUMPY_IS_DEVICE(found)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_DEVICE_NOT_FOUND, "Device '%s' not found",
                    id_or_path);
        return NULL;
    }
    return HUMPY_DEVICE(found);
}

bool device_del(const char *id_or_path, GError **error)
{
    Device *dev = device_find(id_or_path, error);
    Bus *bus = dev != NULL ? device_parent_bus(dev) : NULL;

    if (dev == NULL) {
        return false;
    }
    if (bus == NULL || HUMPY_DEVICE_GET_CLASS(dev)->not_hotpluggable) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "Device '%s' does not support hotplugging", id_or_path);
        return false;
    }
    if (HUMPY_BUS_GET_CLASS(bus)->request_unplug == NULL || !bus_is_hotpluggable(bus)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "Bus '%s' does not support hotplugging", bus_name(bus));
        return false;
    }
    return HUMPY_BUS_GET_CLASS(bus)->request_unplug(bus, dev, error);
}
