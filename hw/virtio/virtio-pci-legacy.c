/* SPDX-License-Identifier: GPL-2.0-or-later
 * The legacy interface of virtio-pci (virtio 1.2, sections 4.1.4.8 and 4.1.5.1.2.2): registers in
 * I/O BAR 0, rings by page number, configuration behind the registers. Numbers are little endian,
 * as the guest's CPU is.
 */
#include <endian.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "virtio-pci-priv.h"

static unsigned config_offset(VirtIOPci *s)
{
    return VIRTIO_PCI_CONFIG_OFF(pci_msix_enabled(&s->parent));
}

static uint32_t read_pfn(VirtIOPci *s)
{
    VirtQueueAddresses addr;

    virtio_queue_addresses(s->vdev, s->queue_sel, &addr);
    return addr.desc >> VIRTIO_PCI_QUEUE_ADDR_SHIFT;
}

/* Section 2.7.2: the three parts of a legacy ring follow each other. Page 0 gives the ring up. */
static void write_pfn(VirtIOPci *s, uint32_t pfn)
{
    uint64_t size = virtio_queue_size(s->vdev, s->queue_sel);
    uint64_t desc = (uint64_t)pfn << VIRTIO_PCI_QUEUE_ADDR_SHIFT;
    uint64_t avail = desc + size * sizeof(struct vring_desc);
    uint64_t avail_end = avail + sizeof(uint16_t) * (3 + size);
    VirtQueueAddresses addr = { 0 };

    virtio_set_legacy(s->vdev, true);
    virtio_queue_set_ready(s->vdev, s->queue_sel, false);
    if (pfn != 0) {
        addr.desc = desc;
        addr.driver = avail;
        addr.device =
            (avail_end + VIRTIO_PCI_VRING_ALIGN - 1) & ~(uint64_t)(VIRTIO_PCI_VRING_ALIGN - 1);
    }
    virtio_queue_set_addresses(s->vdev, s->queue_sel, &addr);
    virtio_queue_set_ready(s->vdev, s->queue_sel, pfn != 0);
}

static uint32_t read_register(VirtIOPci *s, unsigned reg)
{
    switch (reg) {
    case VIRTIO_PCI_HOST_FEATURES:
        return virtio_offered_features(s->vdev);
    case VIRTIO_PCI_GUEST_FEATURES:
        return virtio_accepted_features(s->vdev);
    case VIRTIO_PCI_QUEUE_PFN:
        return read_pfn(s);
    case VIRTIO_PCI_QUEUE_NUM:
        return virtio_queue_max_size(s->vdev, s->queue_sel);
    case VIRTIO_PCI_QUEUE_SEL:
        return s->queue_sel;
    case VIRTIO_PCI_STATUS:
        return virtio_status(s->vdev);
    case VIRTIO_PCI_ISR:
        return virtio_pci_take_isr(s);
    case VIRTIO_MSI_CONFIG_VECTOR:
        return __atomic_load_n(&s->config_vector, __ATOMIC_RELAXED);
    case VIRTIO_MSI_QUEUE_VECTOR:
        return virtio_pci_queue_vector(s);
    default:
        return 0;
    }
}

static void write_register(VirtIOPci *s, unsigned reg, uint32_t value)
{
    switch (reg) {
    case VIRTIO_PCI_GUEST_FEATURES:
        virtio_set_legacy(s->vdev, true);
        virtio_accept_features(s->vdev, value);
        break;
    case VIRTIO_PCI_QUEUE_PFN:
        write_pfn(s, value);
        break;
    case VIRTIO_PCI_QUEUE_SEL:
        s->queue_sel = value;
        break;
    case VIRTIO_PCI_QUEUE_NOTIFY:
        virtio_queue_notify_device(s->vdev, (uint16_t)value);
        break;
    case VIRTIO_PCI_STATUS:
        virtio_set_legacy(s->vdev, true);
        virtio_pci_set_status(s, value);
        break;
    case VIRTIO_MSI_CONFIG_VECTOR:
        virtio_pci_set_config_vector(s, value);
        break;
    case VIRTIO_MSI_QUEUE_VECTOR:
        virtio_pci_set_queue_vector(s, value);
        break;
    }
}

static uint64_t legacy_read(void *opaque, hwaddr offset, unsigned size)
{
    VirtIOPci *s = opaque;
    unsigned config = config_offset(s);
    uint32_t value = 0;

    if (s->vdev == NULL) {
        return UINT64_MAX;
    }
    if (offset < config) {
        return read_register(s, offset);
    }
    virtio_config_read(s->vdev, offset - config, &value, size);
    return le32toh(value);
}

static void legacy_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    VirtIOPci *s = opaque;
    unsigned config = config_offset(s);
    uint32_t bytes = htole32(value);

    if (s->vdev == NULL) {
        return;
    }
    if (offset < config) {
        write_register(s, offset, value);
        return;
    }
    virtio_config_write(s->vdev, offset - config, &bytes, size);
}

static const MemoryRegionOps legacy_ops = {
    .read = legacy_read,
    .write = legacy_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 4 },
    .impl = { .min_access_size = 1, .max_access_size = 4 },
};

void virtio_pci_legacy_init(VirtIOPci *s)
{
    unsigned need = VIRTIO_PCI_CONFIG_OFF(pci_msix_present(&s->parent)) +
                    virtio_config_size(HUMPY_VIRTIO_DEVICE(s->inner));
    unsigned size = 4;

    while (size < need) {
        size *= 2;
    }
    memory_region_init_io(&s->legacy_mr, G_OBJECT(s), &legacy_ops, s, "virtio-pci", size);
    pci_add_bar(&s->parent, VIRTIO_PCI_BAR_LEGACY, PCI_BAR_IO, &s->legacy_mr);
}
