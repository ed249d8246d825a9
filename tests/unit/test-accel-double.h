/* SPDX-License-Identifier: GPL-2.0-or-later
 * An accelerator without a hypervisor for tests of machines: it has an interrupt controller, says
 * what the test tells it to say, and remembers what it was asked.
 */
#pragma once

#include "accel/accel-impl.h"

typedef struct {
    /* what it answers */
    bool fixed; /* can start only at the region's base, plus entry_shift */
    int64_t entry_shift;
    uint64_t room; /* accel_dtb_room(); 0: the tree's own size */
    bool refuse_fdt;
    AccelProtection protection;
    bool lent_only; /* starts protected guests alone, and says so */
    /* what it saw */
    AccelBootInfo boot;
    AccelX86State x86; /* what boot.x86 pointed to */
    AccelMachineInfo info;
    uint64_t msi_addr;
    uint32_t msi_data;
    unsigned msis;
    unsigned starts, teardowns, fixups;
    char gic_path[64];
    GArray *lines;   /* of int: gsi, negated minus one for EDGE */
    uint64_t levels; /* bit per gsi */
} AccelDouble;

extern AccelDouble accel_double;

/* A fresh accelerator called "double", "bare" without an interrupt controller, or "pc", which takes
 * messages and resets in place; accel_double is cleared. */
Accel *accel_double_new(const char *name);
