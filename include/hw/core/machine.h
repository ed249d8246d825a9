/* SPDX-License-Identifier: GPL-2.0-or-later
 * A machine: board properties (-machine), RAM, CPUs and devices, and how it boots. The system
 * layer makes one, sets its properties, gives it an accelerator and back ends, and calls init.
 */
#pragma once

#include <glib-object.h>
#include <stdbool.h>
#include <stdint.h>

#include "accel/accel.h"
#include "hw/core/device.h"

#define TYPE_MACHINE machine_get_type()
G_DECLARE_DERIVABLE_TYPE(Machine, machine, HUMPY, MACHINE, GObject)

/* What the command line asked for, filled by system/ before machine_init(). Strings borrowed. */
typedef struct {
    const char *kernel, *initrd, *append, *dtb, *dumpdtb;
    const char *cpu_type; /* NULL: the machine's default */
    uint64_t ram_size;    /* 0: the machine's default */
    unsigned smp;         /* 0: 1 */
    const char *name;
} MachineConfig;

struct _MachineClass {
    GObjectClass parent_class;
    const char *name; /* -machine NAME */
    const char *summary;
    const char *alias_of; /* NULL, or the name this class is an alias for */
    uint64_t default_ram;
    unsigned max_cpus;
    /* Devices and memory; the accelerator is set up inside. [main] */
    bool (*init)(Machine *m, GError **error);
    /* Loads kernel, initrd, DTB, then accel_start(). [main] */
    bool (*boot)(Machine *m, GError **error);
    /* A -device of this machine's buses. [main] takes nothing; the machine references dev. */
    bool (*plug)(Machine *m, Device *dev, const char *bus, GError **error);
    /* Serial port n's character device; NULL: no such port. */
    unsigned n_serials;
};

Machine *machine_new(const char *type, GError **error); /* UNKNOWN names the nearest */
char *machine_help(void);
char *machine_type_help(const char *type, GError **error);

void machine_set_config(Machine *m, const MachineConfig *config); /* copied */
const MachineConfig *machine_config(Machine *m);
void machine_set_accel(Machine *m, Accel *accel); /* referenced */
Accel *machine_accel(Machine *m);
struct Chardev;
void machine_set_serial(Machine *m, unsigned n, struct Chardev *chr); /* borrowed */
struct Chardev *machine_serial(Machine *m, unsigned n);

AddressSpace *machine_memory(Machine *m);        /* guest physical memory */
MemoryRegion *machine_system_memory(Machine *m); /* its root container */

bool machine_init(Machine *m, GError **error);
bool machine_plug(Machine *m, Device *dev, const char *bus, GError **error);
bool machine_boot(Machine *m, GError **error);
void machine_reset(Machine *m); /* all devices */
/* Unrealizes devices after accel_teardown(). */
void machine_finish(Machine *m);
