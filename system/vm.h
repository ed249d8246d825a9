/* SPDX-License-Identifier: GPL-2.0-or-later
 * One life of the virtual machine: accelerator, machine and devices made from the configuration,
 * and everything taken down again. A reset is the end of one life and the beginning of another.
 */
#pragma once

#include "config.h"
#include "drives.h"

typedef struct Vm Vm;
typedef struct Serials Serials;

/* Opens -chardev and -serial, once for all lives. NULL: *error starts with the option. */
Serials *serials_open(const VmConfig *config, GError **error);
void serials_free(Serials *serials); /* chardevs stay open until chardev_cleanup() */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Serials, serials_free)

typedef struct _Machine Machine;

/* The one there is, or NULL while none is made. [main] */
Vm *vm_current(void);
const VmConfig *vm_config(void); /* the command line; constant once read. [any] */
void vm_set_config(const VmConfig *config);
Machine *vm_machine(Vm *vm);
Accel *vm_accel(Vm *vm);
Drives *vm_drives(Vm *vm);

/* Builds and starts, with vCPUs that wait unless running. NULL: nothing is left of it. Everything
 * given is borrowed until vm_free(). */
Vm *vm_new(const VmConfig *config, const Serials *serials, Drives *drives, bool running,
           GError **error);
/* -device and device_add: device_add() where drive= may also be the id of a -drive. [main] */
bool vm_add_device(Vm *vm, KeyVal *kv, GError **error);
/* Devices and vCPUs as after power-on, in place, with the guest's images loaded again; needs
 * ACCEL_CAP_RESET_IN_PLACE. FALSE: the guest cannot run any more. */
bool vm_reset(Vm *vm, GError **error);
void vm_free(Vm *vm); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Vm, vm_free)
