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
    /* (optional) Reset has phases, each over all devices before the next begins (what is on a
     * device's buses before the device): reset puts state back and drives no wire that another
     * device would latch; reset_exit drives what the new state says. */
    void (*reset)(Device *dev);
    void (*reset_exit)(Device *dev);
    /* (optional) Another object whose properties this type offers as its own, made in init: the
     * virtio device inside a virtio-X-pci. */
    GObject *(*delegate)(Device *dev);
    bool not_hotpluggable;
};

/* Defines prefix_get_type() for a GType called NAME, which is also its -device name, plus the usual
 * prefix_init(), prefix_class_init() and prefix_parent_class. (G_DEFINE_TYPE can only name a type
 * after its C struct.) */
#define DEVICE_DEFINE_TYPE_FLAGS(Type, prefix, NAME, PARENT, flags)                                \
    static void prefix##_init(Type *self);                                                         \
    static void prefix##_class_init(Type##Class *klass);                                           \
    G_GNUC_UNUSED static gpointer prefix##_parent_class;                                           \
    static void prefix##_class_intern(gpointer klass, gpointer data)                               \
    {                                                                                              \
        prefix##_parent_class = g_type_class_peek_parent(klass);                                   \
        prefix##_class_init(klass);                                                                \
    }                                                                                              \
    GType prefix##_get_type(void)                                                                  \
    {                                                                                              \
        static gsize once;                                                                         \
                                                                                                   \
        if (g_once_init_enter(&once)) {                                                            \
            GType type = g_type_register_static_simple(                                            \
                PARENT, NAME, sizeof(Type##Class), prefix##_class_intern, sizeof(Type),            \
                (GInstanceInitFunc)(void (*)(void))prefix##_init, flags);                          \
                                                                                                   \
            g_once_init_leave(&once, type);                                                        \
        }                                                                                          \
        return once;                                                                               \
    }
#define DEVICE_DEFINE_TYPE(Type, prefix, NAME, PARENT)                                             \
    DEVICE_DEFINE_TYPE_FLAGS(Type, prefix, NAME, PARENT, 0)
#define DEVICE_DEFINE_ABSTRACT_TYPE(Type, prefix, NAME, PARENT)                                    \
    DEVICE_DEFINE_TYPE_FLAGS(Type, prefix, NAME, PARENT, G_TYPE_FLAG_ABSTRACT)

/* New unrealized device, or NULL: *error names the nearest type. */
Device *device_new(const char *type, GError **error);
const char *device_type(Device *dev);
const char *device_id(Device *dev); /* or NULL */
void device_set_id(Device *dev, const char *id);
struct _Bus *device_parent_bus(Device *dev); /* or NULL; see hw/core/bus.h */
bool device_realize(Device *dev, GError **error);
void device_unrealize(Device *dev); /* also unmaps and drops wires; NULL and unrealized are fine */
/* Resets dev and what is on its buses, each under its own lock. [main] */
void device_reset(Device *dev);
/* The same for several, phase by phase. */
void device_reset_many(Device *const *devices, unsigned n);
bool device_is_realized(Device *dev);
/* The lock the dispatcher holds in this device's ops. */
MemoryLock *device_lock(Device *dev);

/* ---- what a system-bus device offers: regions and output wires, in order of declaration ---- */
void device_add_mmio(Device *dev, MemoryRegion *mr); /* sets mr's lock to the device's */
void device_map(Device *dev, unsigned n, MemoryRegion *into, hwaddr addr);
/* slots is an array inside the device, all NULL; call once, in init or realize. */
void device_declare_irqs(Device *dev, IrqLine **slots, unsigned n);
void device_connect_irq(Device *dev, unsigned n, IrqLine *irq); /* takes irq */

/* ---- other wires: GPIO. name NULL: the unnamed ones, which qtest can intercept ---- */
void device_declare_outputs(Device *dev, const char *name, IrqLine **slots, unsigned n);
void device_connect_output(Device *dev, const char *name, unsigned n, IrqLine *irq); /* takes irq */
/* handler gets dev as opaque and the number within name. In init or realize, once per name. */
void device_declare_inputs(Device *dev, const char *name, IrqHandler handler, unsigned n);
/* A new wire into input n, for another device's output; NULL: there is no such input. */
IrqLine *device_input(Device *dev, const char *name, unsigned n);
/* Drives input n as its wire would; FALSE: there is no such input. [main] */
bool device_set_input(Device *dev, const char *name, unsigned n, int level);
/* From now on seen also hears every change of the unnamed inputs (or outputs; of a device without
 * unnamed outputs its interrupts), after the real handler. Again: replaces seen. FALSE: it has
 * none. [main] */
bool device_intercept_inputs(Device *dev, IrqHandler seen, void *opaque);
bool device_intercept_outputs(Device *dev, IrqHandler seen, void *opaque);

/* Every device and machine type of this build, in the order of the table in hw/types.c. Call once
 * before the first device_new() or machine_new() by name. */
void hw_register_types(void);
/* Devices of type, or of types derived from it, made from now on start with this value of a
 * property instead of the built-in one
 * (-global); replaces an earlier one. FALSE: no such type or property, or not a value for it.
 * [main]
 */
bool device_set_default(const char *type, const char *property, const char *value, GError **error);
/* props_set_str() and props_foreach() that also know the properties of a delegate. */
bool device_set_property(Device *dev, const char *name, const char *value, GError **error);
void device_foreach_property(Device *dev, PropsFn fn, void *opaque);
char *device_help(void);                                  /* -device help */
char *device_type_help(const char *type, GError **error); /* -device TYPE,help */
