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

/* The address space the plugged device does its DMA in; borrowed. Before something is plugged. */
void virtio_mmio_set_dma(VirtIOMmio *mmio, AddressSpace *dma);
/* The bus of a realized transport, kind "virtio-bus", room for one; borrowed. */
struct _Bus *virtio_mmio_bus(VirtIOMmio *mmio);
