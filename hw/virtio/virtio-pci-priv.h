/* SPDX-License-Identifier: GPL-2.0-or-later
 * State of the virtio-pci transport, shared by virtio-pci.c (life, interrupts), virtio-pci-modern.c
 * and virtio-pci-legacy.c (registers).
 */
#pragma once

#include <linux/virtio_pci.h>
#include <pthread.h>

#include "hw/core/bus.h"
#include "hw/virtio/virtio-pci.h"
#include "hw/virtio/virtio-transport.h"

enum {
    VIRTIO_PCI_VECTORS_AUTO = UINT32_MAX,
    VIRTIO_PCI_BAR_LEGACY = 0,
    VIRTIO_PCI_BAR_MSIX = 1,
    VIRTIO_PCI_BAR_MODERN = 4,
};

typedef enum {
    VIRTIO_PCI_GENERIC,          /* as disable-legacy and disable-modern say */
    VIRTIO_PCI_TRANSITIONAL,     /* "-transitional" */
    VIRTIO_PCI_NON_TRANSITIONAL, /* "-non-transitional" */
} VirtIOPciVariant;

/* One row of the table of types. */
typedef struct {
    const char *name;         /* "virtio-blk": of the PCI types and, with "-device", of the inner */
    const char *inner;        /* another inner type than that, or NULL */
    uint16_t virtio_id;       /* virtio 1.2, section 5 */
    uint16_t transitional_id; /* PCI device number of a transitional device, 0: modern only */
    uint16_t class_id;
    uint32_t vectors; /* default; VIRTIO_PCI_VECTORS_AUTO: one per queue and one */
    const char *summary;
} VirtIOPciRow;

typedef struct {
    PciDevice parent;
    uint32_t vectors; /* properties */
    bool ioeventfd, page_per_vq, disable_modern, iommu_platform;
    int disable_legacy;

    Device *inner;      /* the virtio device, referenced */
    VirtIODevice *vdev; /* the same while it is realized [device lock] */
    bool legacy, modern, doorbells;
    MemoryRegion legacy_mr, modern_mr;
    unsigned cfg_cap; /* offset of the capability that reaches into the BAR */

    /* registers [device lock] */
    uint32_t offered_sel, accepted_sel, accepted[2];
    uint16_t queue_sel;

    /* [atomic] */
    uint16_t config_vector, queue_vectors[VIRTIO_MAX_QUEUES];

    pthread_mutex_t irq_lock; /* what follows */
    uint8_t isr;
} VirtIOPci;

typedef struct {
    PciDeviceClass parent_class;
    const VirtIOPciRow *row;
    VirtIOPciVariant variant;
} VirtIOPciClass;

#define VIRTIO_PCI_OF(obj) ((VirtIOPci *)(void *)(obj))

/* ---- virtio-pci.c; all with the device's lock ---- */
uint8_t virtio_pci_take_isr(VirtIOPci *s);
void virtio_pci_set_status(VirtIOPci *s, uint8_t status);
uint16_t virtio_pci_queue_vector(VirtIOPci *s);
void virtio_pci_set_queue_vector(VirtIOPci *s, uint16_t vector);
void virtio_pci_set_config_vector(VirtIOPci *s, uint16_t vector);

/* ---- virtio-pci-modern.c ---- */
void virtio_pci_modern_init(VirtIOPci *s); /* [realize] region, BAR, capabilities */
uint64_t virtio_pci_notify_offset(const VirtIOPci *s, unsigned queue); /* in modern_mr */
/* [device lock] hooks of the configuration access capability */
void virtio_pci_cfg_reading(VirtIOPci *s, unsigned addr, unsigned len);
void virtio_pci_cfg_written(VirtIOPci *s, unsigned addr, unsigned len);

/* ---- virtio-pci-legacy.c ---- */
void virtio_pci_legacy_init(VirtIOPci *s);
