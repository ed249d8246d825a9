/* SPDX-License-Identifier: GPL-2.0-or-later
 * virtio devices as PCI functions: "virtio-blk-pci" and so on. Each holds the virtio device whose
 * name ends in "-device" and offers its properties as its own. A type is one row of the table in
 * hw/virtio/virtio-pci-types.c.
 */
#pragma once

#include "hw/pci/pci.h"
#include "hw/virtio/virtio.h"

#define TYPE_VIRTIO_PCI virtio_pci_get_type()
GType virtio_pci_get_type(void);
GType virtio_pci_bus_get_type(void);
/* Makes the types of all rows known; returns the base type. After the types of the devices. */
GType virtio_pci_register_types(void);
