/* SPDX-License-Identifier: GPL-2.0-or-later
 * A device type is a GObject class whose GType name is its -device name and whose properties are
 * GObject properties from one table (util/props.h).
 *
 *   init     defaults only, cannot fail
 *   realize  checks, regions, irqs; on failure undoes itself
 *   reset    guest-visible state only, cannot fail
 *   unrealize mirrors realize; finalize accepts a half-built object
 */
#pragma once

#include <glib-object.h>
#include <stdbool.h>

#include "hw/core/irq.h"
#include "memory/memory.h"
#include "util/props.h"

#define TYPE_DEVICE device_get_type()
G_DECLARE_DERIVABLE_TYPE(Device, device, HUMPY, DEVICE, GObject)

struct _DeviceClass {
    GObjectClass parent_class;
    const char *summary; /* one line for -device help */
    const char *bus;     /* kind of bus it plugs into: "System", "virtio-bus", "PCI" */
    bool user_creatable;
    bool (*realize)(Device *dev, GError **error);
    void (*unrealize)(Device *dev);
    void (*reset)(Device *dev);
};

/* New unrealized device, or NULL: *error names the nearest type. */
Device *device_new(const char *type, GError **error);
const char *device_type(Device *dev);
const char *device_id(Device *dev); /* or NULL */
void device_set_id(Device *dev, const char *id);
bool device_realize(Device *dev, GError **error);
void device_unrealize(Device *dev); /* also drops wires */
void device_reset(Device *dev);
bool device_is_realized(Device *dev);
/* The lock the dispatcher holds in this device's ops. */
MemoryLock *device_lock(Device *dev);

/* ---- what a system-bus device offers: regions and output wires, in order of declaration ---- */
void device_add_mmio(Device *dev, MemoryRegion *mr); /* sets mr's lock to the device's */
MemoryRegion *device_mmio(Device *dev, unsigned n);
void device_declare_irqs(Device *dev, IrqLine **slots, unsigned n); /* outputs */
void device_connect_irq(Device *dev, unsigned n, IrqLine *irq);     /* takes irq */
void device_map(Device *dev, unsigned n, MemoryRegion *into, hwaddr addr);

/* Every device type this build knows, in the order of the tables (hw_register_types()). */
void hw_register_types(void);
char *device_help(void);                                  /* -device help */
char *device_type_help(const char *type, GError **error); /* -device TYPE,help */
