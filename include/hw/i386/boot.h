/* SPDX-License-Identifier: GPL-2.0-or-later
 * Loading an x86 kernel, its initrd and command line into guest memory, with what tells it about
 * the machine, and the registers with which it starts.
 */
#pragma once

#include "accel/accel.h"
#include "hw/core/loader.h"
#include "hw/core/machine.h"
#include "hw/i386/memmap.h"

typedef struct {
    Machine *machine;            /* or NULL: nothing is noted for info roms */
    const MachineConfig *config; /* kernel is set */
    const char *append;          /* the command line, or NULL */
    LoaderDest ram;              /* RAM from guest address 0 on, at most 4 GiB */
    const X86MemMap *map;
    uint64_t rsdp; /* guest address of ACPI's first table; 0: there is none */
} X86BootRequest;

/* FALSE: *error starts with the option. [main] */
bool x86_boot_load(const X86BootRequest *req, AccelX86State *state, GError **error);
