/* SPDX-License-Identifier: GPL-2.0-or-later
 * State of the virt machine, shared by virt.c, which builds and boots it, and virt-options.c, which
 * knows its properties and what of them can be had.
 */
#pragma once

#include "hw/arm/virt.h"

struct _VirtMachine {
    Machine parent_instance;
    int gic_version, acpi, iommu;
    bool highmem, its, secure, virtualization, usb, mte, ras, dtb_randomness;

    const char *cpu_compatible;
    MemoryRegion ram;
    bool has_ram;
    Device *transports[VIRT_N_TRANSPORTS]; /* owned by the machine's list */
};

/* ---- virt-options.c ---- */
/* Values of -cpu, the default first; NULL-terminated. */
extern const char *const virt_cpu_types[];

void virt_install_options(VirtMachineClass *klass);
/* Checks the properties and config against each other and what accel can do; sets cpu_compatible.
 * Errors start with the option. */
bool virt_check_options(VirtMachine *v, const MachineConfig *config, Accel *accel, GError **error);
