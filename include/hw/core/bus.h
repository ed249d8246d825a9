/* SPDX-License-Identifier: GPL-2.0-or-later
 * A bus: where -device and device_add put devices. It belongs to the device that provides it (a
 * virtio transport, a PCI host, virtio-serial) and has a name that bus= refers to: what the
 * provider gave, else "ID.N" if the provider has an id, else "TYPE.N" ("pcie.0",
 * "virtio-mmio-bus.31", "vser0.0").
 *
 * Threads: [main] only.
 */
#pragma once

#include "hw/core/device.h"

#define TYPE_BUS bus_get_type()
G_DECLARE_DERIVABLE_TYPE(Bus, bus, HUMPY, BUS, GObject)

struct _BusClass {
    GObjectClass parent_class;
    const char
        *kind; /* inherited; what DeviceClass.bus names: "virtio-bus", "PCI", "virtio-serial-bus" */
    unsigned max_devices; /* 0: no limit */
    /* (optional) Before dev is realized: checks its address property or gives it one, ties it to
     * the bus. FALSE: nothing has changed. */
    bool (*attach)(Bus *bus, Device *dev, GError **error);
    /* (optional) After dev is realized: becomes visible to the guest. Undoes nothing on failure:
     * unplugged, unrealize and detach follow then. */
    bool (*plugged)(Bus *bus, Device *dev, GError **error);
    /* (optional) Mirrors plugged, before dev is unrealized; also after a plugged that failed. */
    void (*unplugged)(Bus *bus, Device *dev);
    /* (optional) Mirrors attach; dev is unrealized. Also after a failed realize. */
    void (*detach)(Bus *bus, Device *dev);
    /* (optional) device_del: asks the guest to let dev go; bus_remove_device() follows when it has.
     * NULL: devices cannot be removed while the machine runs. */
    bool (*request_unplug)(Bus *bus, Device *dev, GError **error);
    /* (optional) Text for info qtree and messages: dev's place on the bus ("04.0"). New string. */
    char *(*address)(Bus *bus, Device *dev);
};

/* Makes a bus of GType type that dev provides; the tree holds it until device_unrealize(dev), which
 * also takes every device on it. name may be NULL. Returns borrowed. [dev's realize] */
Bus *bus_new(GType type, Device *dev, const char *name);
const char *bus_name(Bus *bus);
Device *bus_parent(Bus *bus); /* the provider */
/* Devices may come (device_add) after the machine has started. Off until set. */
void bus_set_hotpluggable(Bus *bus, bool hotpluggable);
bool bus_is_hotpluggable(Bus *bus);
unsigned bus_n_devices(Bus *bus);
Device *bus_device(Bus *bus, unsigned n); /* in the order plugged; borrowed */
void bus_foreach(void (*fn)(Bus *bus, void *opaque), void *opaque); /* all buses, oldest first */

/* By name or, with slashes, by path of names. NULL: UNKNOWN names the buses there are. */
Bus *bus_find(const char *name, GError **error);
/* The bus of kind that a device without bus= goes to: the first that is not full, where of several
 * buses the newest comes first (virtio-mmio: the highest address), but one always before those
 * further down from it. NULL: none of this kind (UNSUPPORTED), or all full (CONFLICT). */
Bus *bus_find_free(const char *kind, GError **error);

/* Puts unrealized dev on bus and realizes it: the one way a device gets onto a bus. FALSE: wrong
 * kind of bus, full, address taken (CONFLICT), not hot-pluggable, or realize's own error; dev is
 * untouched then. The bus references dev. */
bool bus_add_device(Bus *bus, Device *dev, GError **error);
/* Unrealizes and releases; emits DEVICE_DELETED if the machine has started. */
void bus_remove_device(Bus *bus, Device *dev);
