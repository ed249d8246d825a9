/* SPDX-License-Identifier: GPL-2.0-or-later
 * The "virtio-mmio" transport: one register window of 0x200 bytes, one interrupt, room for one
 * virtio device. Properties as QEMU spells them: force-legacy (default on: the version 1
 * registers), ioeventfd (default on).
 */
#pragma once

#include "hw/virtio/virtio.h"

#define TYPE_VIRTIO_MMIO virtio_mmio_get_type()
G_DECLARE_FINAL_TYPE(VirtIOMmio, virtio_mmio, HUMPY, VIRTIO_MMIO, Device)

enum { VIRTIO_MMIO_SIZE = 0x200 };

/* The address space the plugged device does its DMA in; borrowed. Before virtio_bus_plug(). */
void virtio_mmio_set_dma(VirtIOMmio *mmio, AddressSpace *dma);

/* Plugs the unrealized virtio device vdev into a realized transport and realizes it; the transport
 * references it. FALSE: the transport is taken (CONFLICT), vdev is no virtio device, or its realize
 * failed; nothing has changed then. The machine adds it before the guest runs. [main] */
bool virtio_bus_plug(Device *transport, Device *vdev, GError **error);
/* Unrealizes and releases what is plugged. NULL and empty are fine. [main] */
void virtio_bus_unplug(Device *transport);
/* The plugged device or NULL; borrowed. */
Device *virtio_bus_device(Device *transport);
