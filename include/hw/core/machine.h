/* SPDX-License-Identifier: GPL-2.0-or-later
 * A machine: board properties (-machine), RAM, CPUs and devices, and how it boots. The system
 * layer makes one, sets its properties, gives it an accelerator and back ends, and calls init.
 */
#pragma once

#include <glib-object.h>
#include <stdbool.h>
#include <stdint.h>

#include "accel/accel.h"
#include "hw/core/cpu.h"
#include "hw/core/device.h"
#include "hw/core/numa.h"

struct Chardev;

#define TYPE_MACHINE machine_get_type()
G_DECLARE_DERIVABLE_TYPE(Machine, machine, HUMPY, MACHINE, GObject)

/* What the command line asked for, filled by system/ before machine_init(). Strings borrowed. */
typedef struct {
    const char *kernel, *initrd, *append, *dtb, *dumpdtb;
    const char *vendor_boot, *init_boot, *bootconfig; /* -android-boot */
    const char *firmware;                             /* -bios */
    const char *cpu_type;                             /* NULL: the machine's default */
    uint64_t ram_size;                                /* 0: the machine's default */
    unsigned smp;                                     /* 0: 1 */
    const char *name;
    const char *memory_backend; /* id of what the RAM is, or NULL */
    const char *mem_path;       /* file or directory for RAM of the machine's own, or NULL */
    bool mem_prealloc;          /* that RAM is got from the host at once */
    CpuTopology topology;       /* sockets 0: one socket of single-threaded cores */
} MachineConfig;

struct _MachineClass {
    GObjectClass parent_class;
    const char *name;  /* -machine NAME */
    const char *alias; /* a second name ("virt" for "virt-7.2"), or NULL */
    const char *summary;
    unsigned targets; /* Target bits (util/target.h); 0: all */
    uint64_t default_ram;
    unsigned max_cpus;
    bool has_numa;                /* takes -numa */
    bool no_cpus;                 /* has none, whatever -smp says, and so needs no accelerator */
    const char *const *cpu_types; /* values of -cpu, the default first; NULL-terminated */
    bool has_ports;               /* has an I/O port space: machine_io() */
    unsigned n_serials;           /* serial ports that machine_set_serial() may fill */
    /* Devices and memory; the accelerator is set up inside. [main] */
    bool (*init)(Machine *m, GError **error);
    /* Loads kernel, initrd, DTB, then accel_start(). [main] */
    bool (*boot)(Machine *m, GError **error);
    /* (optional) A device that the user added has been realized: wires it up as far as the board
     * has to. FALSE: dev is removed again. [main] */
    bool (*plugged)(Machine *m, Device *dev, GError **error);
    /* (optional) Adds a file to the firmware configuration device; after init, before boot. data
     * is referenced. NULL: the machine has no such device. [main] */
    bool (*add_fw_cfg)(Machine *m, const char *name, GBytes *data, GError **error);
    /* (optional) Somebody presses the power button. Without: there is none. [main] */
    void (*powerdown)(Machine *m);
    /* (optional) Mirrors init, also one that failed half way; all devices are unrealized. [main] */
    void (*finish)(Machine *m);
};

GType none_machine_get_type(void);

/* Of MachineClass: the types that this program's target has. The array is the caller's, the classes
 * live for ever. [main] */
GPtrArray *machine_classes(void);
/* type is a name or an alias. UNKNOWN names the nearest. After hw_register_types(). */
Machine *machine_new(const char *type, GError **error);
char *machine_help(void);
char *machine_type_help(const char *type, GError **error);
/* -cpu help for a machine type, or for all with NULL. */
char *machine_cpu_help(const char *type, GError **error);
/* All values of -cpu, each once, that any machine type of this program takes. Free the array. */
GPtrArray *machine_cpu_types(void); /* of const char */

void machine_set_config(Machine *m, const MachineConfig *config); /* copied */
const MachineConfig *machine_config(Machine *m);
void machine_set_numa(Machine *m, Numa *numa);    /* takes numa */
unsigned machine_n_cpus(Machine *m);              /* between machine_init() and machine_finish() */
Cpu *machine_cpu(Machine *m, unsigned index);     /* borrowed */
const Numa *machine_numa(Machine *m);             /* complete after machine_init() */
void machine_set_accel(Machine *m, Accel *accel); /* referenced */
Accel *machine_accel(Machine *m);
/* chr is borrowed until machine_finish(). RANGE: the machine has no serial port n. */
bool machine_set_serial(Machine *m, unsigned n, struct Chardev *chr, GError **error);
struct Chardev *machine_serial(Machine *m, unsigned n); /* or NULL */

AddressSpace *machine_memory(Machine *m);        /* guest physical memory */
MemoryRegion *machine_system_memory(Machine *m); /* its root container */
/* I/O ports 0 to 0xffff and their root container; NULL where MachineClass.has_ports is not set. */
AddressSpace *machine_io(Machine *m);
MemoryRegion *machine_system_io(Machine *m);

/* -fw_cfg, between machine_init() and machine_boot(). UNSUPPORTED: the machine has no such device.
 */
bool machine_add_fw_cfg(Machine *m, const char *name, GBytes *data, GError **error);

/* What a guest says of itself, or asks for, through a device. The handler is called in the
 * reporting thread, inside the device: what is asked for happens later. NULL: nobody hears. [main,
 * before the guest runs] */
typedef enum {
    MACHINE_GUEST_PANICKED,
    MACHINE_GUEST_CRASH_LOADED,
    MACHINE_GUEST_SHUTDOWN, /* powers itself off */
    MACHINE_GUEST_RESET,    /* wants to be reset */
    MACHINE_GUEST_WATCHDOG, /* has let its watchdog run out */
    MACHINE_GUEST_EXIT,     /* wants the program to end with machine_guest_exit_status() */
} MachineGuestReport;
typedef void (*MachineGuestReportFn)(void *opaque, MachineGuestReport report);
void machine_set_guest_report_handler(MachineGuestReportFn fn, void *opaque);
void machine_report_guest(MachineGuestReport report); /* [any] */
/* The same for a guest that wants the program to end with this status. [any] */
void machine_report_guest_exit(int status);
/* The status of the last such report; 0: there was none since the last reset. [any] */
int machine_guest_exit_status(void);

/* [main] In this order: init, device_add() for each -device, boot, finish. A failed call leaves a
 * machine that can only be finished. Between init and finish it is at /machine: there is one. */
bool machine_init(Machine *m, GError **error);
/* With config->dumpdtb only the device tree is written and nothing starts: the program is done. */
bool machine_boot(Machine *m, GError **error);
/* TRUE from machine_boot() on: what is added now is hot-plugged. */
bool machine_has_started(void);
void machine_reset(Machine *m); /* all devices */
/* Presses the power button: the guest hears of it and may power off. Nothing happens on a machine
 * without one. [main] */
void machine_powerdown(Machine *m);
Machine *machine_current(void); /* the one at /machine, or NULL; borrowed */
/* For hw/core/device-add.c: calls the machine's hook of that name. */
bool machine_plugged(Machine *m, Device *dev, GError **error);
/* Tears the accelerator down, then unrealizes devices, last made first. Idempotent. */
void machine_finish(Machine *m);

/* For machine types: makes the RAM (config->ram_size bytes; name is for info mtree) and maps it at
 * base of the system memory, in one piece or several. machine_finish() undoes it. */
bool machine_ram_map(Machine *m, const char *name, hwaddr base, GError **error);
/* The same in two pieces, which have names of their own: the first first_size bytes are at first,
 * the rest, if there is more, at rest. */
typedef struct {
    hwaddr first, rest;
    uint64_t first_size;
    const char *first_name, *rest_name; /* literals */
} MachineRamSplit;
bool machine_ram_map_split(Machine *m, const char *name, const MachineRamSplit *split,
                           GError **error);
/* The first piece: what a kernel is loaded into. NULL: there is none. */
MemoryRegion *machine_ram(Machine *m);

/* What has been loaded into guest memory at boot, for info roms. [main] */
void machine_note_rom(Machine *m, const char *name, hwaddr addr, uint64_t size);
void machine_print_roms(Machine *m, GString *out);

/* For machine types: dev (referenced), which is on no bus, is reset and finished with the machine
 * from now on. Without a place in the tree it gets one in /machine/unattached. */
void machine_add_device(Machine *m, Device *dev);
/* Unrealizes such a device and releases it. */
void machine_remove_device(Machine *m, Device *dev);
