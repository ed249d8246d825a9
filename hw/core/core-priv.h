/* SPDX-License-Identifier: GPL-2.0-or-later
 * What the files of hw/core/ share: nodes of the composition tree, how a device learns of its bus,
 * and whether the machine has started.
 */
#pragma once

#include "hw/core/bus.h"
#include "hw/core/device.h"
#include "hw/core/hostmem.h"
#include "hw/core/machine.h"
#include "hw/core/qom.h"

/* ---- qom.c ---- */
typedef struct {
    char *name, *type;
    GObject *target; /* or NULL; borrowed */
} QomLink;

typedef struct {
    GObject *parent; /* NULL: no place, or the root; borrowed */
    char *name;
    GPtrArray *children;     /* of GObject, referenced, in order */
    GHashTable *by_name;     /* name (the child's) to GObject, borrowed */
    GHashTable *next_number; /* stem of "stem[*]" to a number below which all are taken */
    GArray *links;           /* of QomLink */
} QomNode;

QomNode *qom_node(GObject *obj); /* or NULL: neither parent nor children */
void qom_drop_link_to(GObject *obj, GObject *target);

/* ---- device.c ---- */
/* bus NULL: on none. */
void device_set_parent_bus(Device *dev, Bus *bus);
GPtrArray *device_buses(Device *dev);  /* of Bus that dev provides, oldest first; borrowed */
GObject *device_delegate(Device *dev); /* or NULL; borrowed */
void device_print_mmio(Device *dev, GString *out, unsigned indent);

/* ---- device-types.c ---- */
void device_apply_defaults(Device *dev); /* -global */

/* ---- device-gpio.c ---- */
typedef struct {
    GPtrArray *outputs, *inputs; /* of groups of one name, or NULL */
} DeviceWires;

DeviceWires *device_wires(Device *dev);
void device_wires_drop(DeviceWires *wires); /* disconnects all outputs */
void device_wires_free(DeviceWires *wires);
void device_print_wires(Device *dev, GString *out, unsigned indent);

/* ---- bus.c ---- */
/* Takes every device off bus, then bus itself out of the tree. */
void bus_destroy(Bus *bus);

/* ---- machine-ram.c ---- */
typedef struct {
    MemoryRegion *mr;
    MemoryBackend *backend; /* referenced; NULL: mr is the machine's own */
    MemoryRegion *into;     /* where it is mapped, or NULL */
} MachineRamPart;

typedef struct {
    GArray *parts; /* of MachineRamPart, by address; NULL: not made */
    MemoryRegion own;
    MemoryRegion all, first, rest; /* of a split one: the parts in a row, and what shows them */
    bool split;
} MachineRam;

void machine_ram_release(Machine *m);

/* ---- machine.c ---- */
MachineRam *machine_ram_of(Machine *m);
const GPtrArray *machine_devices(Machine *m); /* of Device on no bus; borrowed */
