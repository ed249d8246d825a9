/* SPDX-License-Identifier: GPL-2.0-or-later
 * PCI configuration mechanism 1 at ports 0xcf8 to 0xcff (PCI Local Bus 3.0, section 3.2.2.3.2), and
 * amid it, at 0xcf9, the reset control register of a PC chipset. One region of eight bytes.
 */
#pragma once

#include "hw/pci/pci.h"

#define TYPE_PCI_PORTS pci_ports_get_type()
G_DECLARE_FINAL_TYPE(PciPorts, pci_ports, HUMPY, PCI_PORTS, Device)

enum {
    PCI_PORTS_CONFIG = 0xcf8, /* where it belongs */
    PCI_PORTS_RESET = 0xcf9,
    PCI_PORTS_RESET_VALUE = 0x06, /* written there resets the machine */
};

/* The root bus, borrowed, or NULL: there is no PCI. Before realize. */
void pci_ports_set_bus(PciPorts *ports, PciBus *root);
