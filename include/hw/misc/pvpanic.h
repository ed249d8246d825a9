/* SPDX-License-Identifier: GPL-2.0-or-later
 * pvpanic: a register in which a guest says that its kernel has panicked ("pvpanic-mmio" on a
 * board; the register alone for other carriers). What follows is the system layer's decision, which
 * machine_set_guest_report_handler() gets to hear.
 */
#pragma once

#include "hw/core/device.h"

#define TYPE_PVPANIC_MMIO pvpanic_mmio_get_type()
G_DECLARE_FINAL_TYPE(PvpanicMmio, pvpanic_mmio, HUMPY, PVPANIC_MMIO, Device)

enum {
    PVPANIC_SIZE = 2,
    PVPANIC_PANICKED = 1 << 0,
    PVPANIC_CRASH_LOADED = 1 << 1, /* a second kernel takes over and saves what the first left */
    PVPANIC_EVENTS = PVPANIC_PANICKED | PVPANIC_CRASH_LOADED,
};

#define PVPANIC_PROPS(T, f)                                                                        \
    PROP_U32("events", T, f, PVPANIC_EVENTS, 0, PVPANIC_EVENTS,                                    \
             "Events that the guest may report: 1 panic, 2 crash kernel loaded")

/* Makes mr, of size bytes, the register; *events, which the guest reads, lives as long as owner.
 * Give mr to device_add_mmio() or into a BAR. */
void pvpanic_init_region(MemoryRegion *mr, GObject *owner, uint32_t *events, uint64_t size);

/* "pvpanic": at one port, which the user may choose. */
#define TYPE_PVPANIC_ISA pvpanic_isa_get_type()
G_DECLARE_FINAL_TYPE(PvpanicIsa, pvpanic_isa, HUMPY, PVPANIC_ISA, Device)
uint16_t pvpanic_isa_port(PvpanicIsa *s);

/* "pvpanic-pci", for the table in hw/types.c. */
GType pvpanic_pci_get_type(void);
