/* SPDX-License-Identifier: GPL-2.0-or-later
 * What the command line asked for, before any of it is made: option handlers (options-*.c) fill it,
 * vm.c builds from it, once per life of the VM.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "accel/accel.h"
#include "hw/core/numa.h"
#include "util/keyval.h"

/* Something only an accelerator with cap can do. */
typedef struct {
    AccelCap cap;
    char *what; /* the option as typed */
} Wish;

typedef enum { MONITOR_CONTROL, MONITOR_READLINE } MonitorMode;

typedef struct {
    char *typed;   /* the option */
    char *chardev; /* id, or NULL: */
    char *device;  /* to be made, as after -serial */
    MonitorMode mode;
    bool pretty;
} MonitorOption;

/* What -action panic= says; the default first. */
typedef enum { PANIC_SHUTDOWN, PANIC_PAUSE, PANIC_EXIT_FAILURE, PANIC_NONE } PanicAction;

typedef struct {
    GPtrArray *accels; /* of char *, in the order to be tried; from -accel or -machine accel= */
    bool accel_option; /* -accel was given */
    char *machine;     /* type, or NULL */
    KeyVal *machine_properties; /* what -machine says besides type, accel and dumpdtb */
    char *dumpdtb;

    char *cpu;
    unsigned smp, max_cpus; /* 0: not given */
    uint64_t ram_size;      /* 0: not given */
    char *more_ram;         /* argument of a -m that allows for more memory later, or NULL */
    char *vcpu_sched;       /* as typed, or NULL */
    CpuTopology topology;   /* sockets 0: not given */
    char *memory_backend;
    char *mem_path; /* or NULL */
    bool mem_prealloc;
    char *name;
    char *kernel, *initrd, *append, *dtb, *bios;
    char *vendor_boot, *init_boot, *bootconfig;

    /* Texts as typed (char *), in that order. */
    GPtrArray *drives, *blockdevs, *devices, *globals, *objects, *numas, *chardevs, *serials;
    GPtrArray *fw_cfgs;
    GPtrArray *fsdevs; /* those of -virtfs, too */
    GPtrArray *netdevs, *nics, *nets;
    GPtrArray *exports;
    bool attach;             /* exports to the vDPA bus */
    GPtrArray *wishes;       /* of Wish */
    GPtrArray *traces;       /* patterns of trace events to switch on */
    char *trace_file;        /* or NULL: stderr */
    GPtrArray *monitors;     /* of MonitorOption, in the order typed */
    char *qtest, *qtest_log; /* or NULL */
    bool nographic, nodefaults, display_none;
    char *vnc; /* or NULL */
    bool no_reboot, no_shutdown;
    bool detailed_status; /* -exit-status detailed */
    PanicAction panic_action;
    bool daemonize;
    char *pidfile;  /* or NULL */
    bool stopped;   /* -S */
    bool preconfig; /* the machine is made when a monitor asks for it */
    char *uuid;     /* canonical, or NULL */

    char *output; /* help or version: to be printed instead of starting anything */
} VmConfig;

VmConfig *vm_config_new(void);
void vm_config_free(VmConfig *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmConfig, vm_config_free)
