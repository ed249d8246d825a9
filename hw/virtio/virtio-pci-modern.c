/* SPDX-License-Identifier: GPL-2.0-or-later
 * The modern interface of virtio-pci (virtio 1.2, section 4.1.4): memory BAR 4 with the common
 * configuration, the interrupt status, the device's configuration and the notification addresses,
 * the capabilities that tell where they are, and the one that reaches into the BAR through
 * configuration space.
 */
#include <endian.h>
#include <linux/pci_regs.h>
#include <linux/virtio_config.h>
#include <stddef.h>
#include <string.h>

#include "virtio-pci-priv.h"

enum {
    AREA_SIZE = 0x1000,
    AREA_COMMON = 0,
    AREA_ISR = 0x1000,
    AREA_DEVICE = 0x2000,
    AREA_NOTIFY = 0x3000,
    NOTIFY_STEP = 4,
    NOTIFY_STEP_PAGE = 4096,
};

/* What only a legacy driver may see (sections 6.3, 2.7.4). */
#define LEGACY_FEATURES (1ull << VIRTIO_F_NOTIFY_ON_EMPTY | 1ull << VIRTIO_F_ANY_LAYOUT)

static unsigned notify_step(const VirtIOPci *s)
{
    return s->page_per_vq ? NOTIFY_STEP_PAGE : NOTIFY_STEP;
}

uint64_t virtio_pci_notify_offset(const VirtIOPci *s, unsigned queue)
{
    return AREA_NOTIFY + (uint64_t)queue * notify_step(s);
}

/* ---- common configuration ---- */

static uint32_t offered(VirtIOPci *s)
{
    uint64_t features = virtio_offered_features(s->vdev) & ~LEGACY_FEATURES;

    return s->offered_sel < 2 ? features >> (32 * s->offered_sel) : 0;
}

static uint32_t read_address(VirtIOPci *s, unsigned reg)
{
    VirtQueueAddresses addr;

    virtio_queue_addresses(s->vdev, s->queue_sel, &addr);
    switch (reg) {
    case VIRTIO_PCI_COMMON_Q_DESCLO:
        return addr.desc;
    case VIRTIO_PCI_COMMON_Q_DESCHI:
        return addr.desc >> 32;
    case VIRTIO_PCI_COMMON_Q_AVAILLO:
        return addr.driver;
    case VIRTIO_PCI_COMMON_Q_AVAILHI:
        return addr.driver >> 32;
    case VIRTIO_PCI_COMMON_Q_USEDLO:
        return addr.device;
    default:
        return addr.device >> 32;
    }
}

static uint32_t read_common(VirtIOPci *s, unsigned reg)
{
    switch (reg) {
    case VIRTIO_PCI_COMMON_DFSELECT:
        return s->offered_sel;
    case VIRTIO_PCI_COMMON_DF:
        return offered(s);
    case VIRTIO_PCI_COMMON_GFSELECT:
        return s->accepted_sel;
    case VIRTIO_PCI_COMMON_GF:
        return s->accepted_sel < 2 ? s->accepted[s->accepted_sel] : 0;
    case VIRTIO_PCI_COMMON_MSIX:
        return __atomic_load_n(&s->config_vector, __ATOMIC_RELAXED);
    case VIRTIO_PCI_COMMON_NUMQ:
        return virtio_n_queues(s->vdev);
    case VIRTIO_PCI_COMMON_STATUS:
        return virtio_status(s->vdev);
    case VIRTIO_PCI_COMMON_CFGGENERATION:
        return (uint8_t)virtio_config_generation(s->vdev);
    case VIRTIO_PCI_COMMON_Q_SELECT:
        return s->queue_sel;
    case VIRTIO_PCI_COMMON_Q_SIZE:
        return virtio_queue_size(s->vdev, s->queue_sel);
    case VIRTIO_PCI_COMMON_Q_MSIX:
        return virtio_pci_queue_vector(s);
    case VIRTIO_PCI_COMMON_Q_ENABLE:
        return virtio_queue_is_ready(s->vdev, s->queue_sel);
    case VIRTIO_PCI_COMMON_Q_NOFF:
        return s->queue_sel < virtio_n_queues(s->vdev) ? s->queue_sel : 0;
    case VIRTIO_PCI_COMMON_Q_DESCLO ... VIRTIO_PCI_COMMON_Q_USEDHI:
        return (reg & 3) == 0 ? read_address(s, reg) : 0;
    default:
        return 0; /* queue_reset, too: a reset is over when the write returns */
    }
}

static void set_half(uint64_t *field, bool high, uint32_t value)
{
    *field = high ? (*field & UINT32_MAX) | (uint64_t)value << 32
                  : (*field & ~(uint64_t)UINT32_MAX) | value;
}

static void write_address(VirtIOPci *s, unsigned reg, uint32_t value)
{
    VirtQueueAddresses addr;
    uint64_t *field = reg < VIRTIO_PCI_COMMON_Q_AVAILLO  ? &addr.desc
                      : reg < VIRTIO_PCI_COMMON_Q_USEDLO ? &addr.driver
                                                         : &addr.device;

    virtio_queue_addresses(s->vdev, s->queue_sel, &addr);
    set_half(field, (reg & 4) != 0, value);
    virtio_queue_set_addresses(s->vdev, s->queue_sel, &addr);
}

static void write_accepted(VirtIOPci *s, uint32_t value)
{
    if (s->accepted_sel < 2) {
        s->accepted[s->accepted_sel] = value;
        virtio_set_legacy(s->vdev, false);
        virtio_accept_features(s->vdev, (uint64_t)s->accepted[1] << 32 | s->accepted[0]);
    }
}

static void write_common(VirtIOPci *s, unsigned reg, uint32_t value)
{
    switch (reg) {
    case VIRTIO_PCI_COMMON_DFSELECT:
        s->offered_sel = value;
        break;
    case VIRTIO_PCI_COMMON_GFSELECT:
        s->accepted_sel = value;
        break;
    case VIRTIO_PCI_COMMON_GF:
        write_accepted(s, value);
        break;
    case VIRTIO_PCI_COMMON_MSIX:
        virtio_pci_set_config_vector(s, value);
        break;
    case VIRTIO_PCI_COMMON_STATUS:
        virtio_set_legacy(s->vdev, false);
        virtio_pci_set_status(s, value);
        break;
    case VIRTIO_PCI_COMMON_Q_SELECT:
        s->queue_sel = value;
        break;
    case VIRTIO_PCI_COMMON_Q_SIZE:
        virtio_queue_set_size(s->vdev, s->queue_sel, (uint16_t)value);
        break;
    case VIRTIO_PCI_COMMON_Q_MSIX:
        virtio_pci_set_queue_vector(s, value);
        break;
    case VIRTIO_PCI_COMMON_Q_ENABLE:
        if ((uint16_t)value == 1) { /* section 4.1.4.3.2: 0 is never written */
            virtio_queue_set_ready(s->vdev, s->queue_sel, true);
        }
        break;
    case VIRTIO_PCI_COMMON_Q_DESCLO ... VIRTIO_PCI_COMMON_Q_USEDHI:
        if ((reg & 3) == 0) {
            write_address(s, reg, value);
        }
        break;
    case VIRTIO_PCI_COMMON_Q_RESET:
        if ((uint16_t)value == 1 && virtio_has_feature(s->vdev, VIRTIO_F_RING_RESET)) {
            virtio_queue_set_ready(s->vdev, s->queue_sel, false);
        }
        break;
    }
}

/* ---- the whole BAR; size is 1, 2 or 4 ---- */

static uint32_t modern_read_locked(VirtIOPci *s, uint64_t offset, unsigned size)
{
    uint32_t value = 0;

    if (s->vdev == NULL) {
        return UINT32_MAX;
    }
    if (offset < AREA_ISR) {
        return read_common(s, offset);
    }
    if (offset < AREA_DEVICE) {
        return offset == AREA_ISR ? virtio_pci_take_isr(s) : 0;
    }
    if (offset < AREA_NOTIFY) {
        virtio_config_read(s->vdev, offset - AREA_DEVICE, &value, size);
        return le32toh(value);
    }
    return 0;
}

static void modern_write_locked(VirtIOPci *s, uint64_t offset, uint32_t value, unsigned size)
{
    uint32_t bytes = htole32(value);

    if (s->vdev == NULL) {
        return;
    }
    if (offset < AREA_ISR) {
        write_common(s, offset, value);
    } else if (offset >= AREA_NOTIFY) {
        virtio_queue_notify_device(s->vdev, (offset - AREA_NOTIFY) / notify_step(s));
    } else if (offset >= AREA_DEVICE) {
        virtio_config_write(s->vdev, offset - AREA_DEVICE, &bytes, size);
    }
}

static uint64_t modern_read(void *opaque, hwaddr offset, unsigned size)
{
    return modern_read_locked(opaque, offset, size);
}

static void modern_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    modern_write_locked(opaque, offset, value, size);
}

static const MemoryRegionOps modern_ops = {
    .read = modern_read,
    .write = modern_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 8 },
    .impl = { .min_access_size = 1, .max_access_size = 4 },
};

/* ---- through configuration space (section 4.1.4.9) ---- */

/* TRUE if the capability's window is a place in the BAR that size bytes can be accessed at. */
static bool window(VirtIOPci *s, uint64_t *offset, uint32_t *size)
{
    const uint8_t *cap = pci_config(&s->parent) + s->cfg_cap;

    *offset = pci_config_long(&s->parent, s->cfg_cap + offsetof(struct virtio_pci_cap, offset));
    *size = pci_config_long(&s->parent, s->cfg_cap + offsetof(struct virtio_pci_cap, length));
    return cap[offsetof(struct virtio_pci_cap, bar)] == VIRTIO_PCI_BAR_MODERN &&
           (*size == 1 || *size == 2 || *size == 4) && *offset % *size == 0 &&
           *offset < memory_region_size(&s->modern_mr);
}

static bool touches_data(VirtIOPci *s, unsigned addr, unsigned len)
{
    unsigned data = s->cfg_cap + offsetof(struct virtio_pci_cfg_cap, pci_cfg_data);

    return s->modern && addr < data + 4 && addr + len > data;
}

void virtio_pci_cfg_reading(VirtIOPci *s, unsigned addr, unsigned len)
{
    uint8_t *data =
        pci_config(&s->parent) + s->cfg_cap + offsetof(struct virtio_pci_cfg_cap, pci_cfg_data);
    uint64_t offset;
    uint32_t size, value;

    if (touches_data(s, addr, len) && window(s, &offset, &size)) {
        value = htole32(modern_read_locked(s, offset, size));
        memcpy(data, &value, size);
    }
}

void virtio_pci_cfg_written(VirtIOPci *s, unsigned addr, unsigned len)
{
    uint64_t offset;
    uint32_t size, value;

    if (touches_data(s, addr, len) && window(s, &offset, &size)) {
        value = pci_config_long(&s->parent,
                                s->cfg_cap + offsetof(struct virtio_pci_cfg_cap, pci_cfg_data));
        modern_write_locked(s, offset, value & (UINT32_MAX >> (32 - 8 * size)), size);
    }
}

/* ---- capabilities ---- */

static unsigned add_cap(VirtIOPci *s, unsigned type, unsigned size, uint32_t offset, uint32_t len)
{
    unsigned at = pci_add_capability(&s->parent, PCI_CAP_ID_VNDR, size);
    uint8_t *cap = pci_config(&s->parent) + at;

    cap[offsetof(struct virtio_pci_cap, cap_len)] = size;
    cap[offsetof(struct virtio_pci_cap, cfg_type)] = type;
    cap[offsetof(struct virtio_pci_cap, bar)] = len != 0 ? VIRTIO_PCI_BAR_MODERN : 0;
    pci_set_long(cap + offsetof(struct virtio_pci_cap, offset), offset);
    pci_set_long(cap + offsetof(struct virtio_pci_cap, length), len);
    return at;
}

static void add_cfg_cap(VirtIOPci *s)
{
    uint8_t *mask;

    s->cfg_cap = add_cap(s, VIRTIO_PCI_CAP_PCI_CFG, sizeof(struct virtio_pci_cfg_cap), 0, 0);
    mask = pci_wmask(&s->parent) + s->cfg_cap;
    mask[offsetof(struct virtio_pci_cap, bar)] = 0xff;
    pci_set_long(mask + offsetof(struct virtio_pci_cap, offset), UINT32_MAX);
    pci_set_long(mask + offsetof(struct virtio_pci_cap, length), UINT32_MAX);
    pci_set_long(mask + offsetof(struct virtio_pci_cfg_cap, pci_cfg_data), UINT32_MAX);
}

void virtio_pci_modern_init(VirtIOPci *s)
{
    uint64_t notify = (uint64_t)notify_step(s) * VIRTIO_MAX_QUEUES;
    uint64_t size = AREA_SIZE;
    unsigned at;

    while (size < AREA_NOTIFY + notify) {
        size *= 2;
    }
    memory_region_init_io(&s->modern_mr, G_OBJECT(s), &modern_ops, s, "virtio-pci-modern", size);
    pci_add_bar(&s->parent, VIRTIO_PCI_BAR_MODERN, PCI_BAR_64 | PCI_BAR_PREFETCH, &s->modern_mr);
    add_cap(s, VIRTIO_PCI_CAP_COMMON_CFG, sizeof(struct virtio_pci_cap), AREA_COMMON, AREA_SIZE);
    add_cap(s, VIRTIO_PCI_CAP_ISR_CFG, sizeof(struct virtio_pci_cap), AREA_ISR, AREA_SIZE);
    add_cap(s, VIRTIO_PCI_CAP_DEVICE_CFG, sizeof(struct virtio_pci_cap), AREA_DEVICE, AREA_SIZE);
    at = add_cap(s, VIRTIO_PCI_CAP_NOTIFY_CFG, sizeof(struct virtio_pci_notify_cap), AREA_NOTIFY,
                 notify);
    pci_set_long(pci_config(&s->parent) + at +
                     offsetof(struct virtio_pci_notify_cap, notify_off_multiplier),
                 notify_step(s));
    add_cfg_cap(s);
}
