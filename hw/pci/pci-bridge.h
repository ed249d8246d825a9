/* SPDX-License-Identifier: GPL-2.0-or-later
 * What a PCI-to-PCI bridge forwards: bus numbers and address windows (PCI-to-PCI Bridge 1.2,
 * chapters 3 and 4). Embedded in a function whose class says bridge.
 */
#pragma once

#include "hw/pci/pci.h"

typedef struct {
    PciDevice *dev;
    PciBus *bus;                            /* behind it, referenced */
    MemoryRegion mem, io;                   /* what is behind it, at PCI addresses */
    MemoryRegion win_mem, win_pref, win_io; /* the parts that are seen before it */
} PciBridge;

/* [realize] Registers, windows and the bus behind dev, called name (NULL: after dev's id). */
void pci_bridge_init(PciBridge *br, PciDevice *dev, const char *name, bool one_slot);
void pci_bridge_finish(PciBridge *br); /* [unrealize] */
void pci_bridge_reset(PciBridge *br);  /* [device lock] closes all windows */
void pci_bridge_config_written(PciBridge *br, unsigned addr, unsigned len); /* [device lock] */
