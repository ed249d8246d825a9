/* SPDX-License-Identifier: GPL-2.0-or-later
 * See virtio.h. Register layouts: virtio 1.2 section 4.2.2 (MMIO), 4.2.4 (legacy MMIO), 4.1.4.3
 * (PCI common configuration), 4.1.4.10 (legacy PCI).
 */
#include "virtio.h"

#include <string.h>

enum {
    /* MMIO */
    M_MAGIC = 0x00,
    M_VERSION = 0x04,
    M_DEVICE_ID = 0x08,
    M_DEVICE_FEATURES = 0x10,
    M_DEVICE_FEATURES_SEL = 0x14,
    M_DRIVER_FEATURES = 0x20,
    M_DRIVER_FEATURES_SEL = 0x24,
    M_GUEST_PAGE_SIZE = 0x28,
    M_QUEUE_SEL = 0x30,
    M_QUEUE_NUM_MAX = 0x34,
    M_QUEUE_NUM = 0x38,
    M_QUEUE_ALIGN = 0x3c,
    M_QUEUE_PFN = 0x40,
    M_QUEUE_READY = 0x44,
    M_QUEUE_NOTIFY = 0x50,
    M_STATUS = 0x70,
    M_QUEUE_DESC = 0x80,
    M_QUEUE_DRIVER = 0x90,
    M_QUEUE_DEVICE = 0xa0,
    M_CONFIG = 0x100,

    /* PCI, modern: common configuration */
    C_DEVICE_FEATURE_SEL = 0x00,
    C_DEVICE_FEATURE = 0x04,
    C_DRIVER_FEATURE_SEL = 0x08,
    C_DRIVER_FEATURE = 0x0c,
    C_STATUS = 0x14,
    C_QUEUE_SELECT = 0x16,
    C_QUEUE_SIZE = 0x18,
    C_QUEUE_ENABLE = 0x1c,
    C_QUEUE_NOTIFY_OFF = 0x1e,
    C_QUEUE_DESC = 0x20,
    C_QUEUE_DRIVER = 0x28,
    C_QUEUE_DEVICE = 0x30,

    /* PCI, legacy: I/O BAR 0 */
    L_DEVICE_FEATURES = 0x00,
    L_DRIVER_FEATURES = 0x04,
    L_QUEUE_PFN = 0x08,
    L_QUEUE_SIZE = 0x0c,
    L_QUEUE_SELECT = 0x0e,
    L_QUEUE_NOTIFY = 0x10,
    L_STATUS = 0x12,
    L_CONFIG = 0x14, /* MSI-X is off */

    FIRST_DEVFN = 4 << 3,
    PCI_VENDOR_VIRTIO = 0x1af4,
    PCI_CAP_VENDOR = 0x09,

    PAGE = 4096,
    MAX_RING = 64, /* entries we use where the device lets us choose */
};

const char *const virtio_transport_names[N_VIRTIO_TRANSPORTS] = { "mmio-legacy", "mmio-modern",
                                                                  "pci-legacy", "pci-modern" };

bool virtio_is_modern(const VirtioDev *dev)
{
    return dev->transport == VIRTIO_MMIO_MODERN || dev->transport == VIRTIO_PCI_MODERN;
}

static bool is_mmio(const VirtioDev *dev)
{
    return dev->transport == VIRTIO_MMIO_LEGACY || dev->transport == VIRTIO_MMIO_MODERN;
}

static uint64_t get(VirtioDev *dev, unsigned reg, unsigned size)
{
    return qtest_read_value(dev->q, dev->common + reg, size);
}

static void put(VirtioDev *dev, unsigned reg, unsigned size, uint64_t value)
{
    qtest_write_value(dev->q, dev->common + reg, size, value);
}

static void put64(VirtioDev *dev, unsigned reg, uint64_t value)
{
    put(dev, reg, 4, (uint32_t)value);
    put(dev, reg + 4, 4, value >> 32);
}

/* ---- finding ---- */

static void find_mmio(VirtioDev *dev)
{
    dev->common = qtest_board()->mmio_last;
    dev->config = dev->common + M_CONFIG;
    g_assert_cmphex(get(dev, M_MAGIC, 4), ==, 0x74726976);
    g_assert_cmpuint(get(dev, M_VERSION, 4), ==, dev->transport == VIRTIO_MMIO_LEGACY ? 1 : 2);
    dev->device_id = get(dev, M_DEVICE_ID, 4);
    if (dev->transport == VIRTIO_MMIO_LEGACY) {
        put(dev, M_GUEST_PAGE_SIZE, 4, PAGE);
    }
}

/* Section 4.1.4: each vendor capability tells where one structure is. */
static void find_structures(VirtioDev *dev)
{
    uint64_t bars[6] = {};

    for (unsigned at = qpci_find_capability(dev->q, dev->devfn, PCI_CAP_VENDOR, 0); at != 0;
         at = qpci_find_capability(dev->q, dev->devfn, PCI_CAP_VENDOR, at)) {
        unsigned type = qpci_config_read(dev->q, dev->devfn, at + 3, 1);
        unsigned bar = qpci_config_read(dev->q, dev->devfn, at + 4, 1);
        uint64_t where;

        if (type < 1 || type > 4 || bar > 5) {
            continue;
        }
        if (bars[bar] == 0) {
            bars[bar] = qpci_map_bar(dev->q, dev->devfn, bar);
        }
        where = bars[bar] + qpci_config_read(dev->q, dev->devfn, at + 8, 4);
        if (type == 1) {
            dev->common = where;
        } else if (type == 2) {
            dev->notify = where;
            dev->notify_multiplier = qpci_config_read(dev->q, dev->devfn, at + 16, 4);
        } else if (type == 3) {
            dev->isr = where;
        } else {
            dev->config = where;
        }
    }
    g_assert_true(dev->common != 0 && dev->notify != 0 && dev->isr != 0);
}

static void find_pci(VirtioDev *dev)
{
    uint16_t id;

    g_assert_cmphex(qpci_config_read(dev->q, dev->devfn, 0, 2), ==, PCI_VENDOR_VIRTIO);
    id = qpci_config_read(dev->q, dev->devfn, 2, 2);
    dev->device_id = id >= 0x1040 ? id - 0x1040u : qpci_config_read(dev->q, dev->devfn, 0x2e, 2);
    if (dev->transport == VIRTIO_PCI_LEGACY) {
        dev->common = qpci_map_bar(dev->q, dev->devfn, 0);
        dev->config = dev->common + L_CONFIG;
    } else {
        find_structures(dev);
    }
    qpci_enable(dev->q, dev->devfn);
}

void virtio_find(VirtioDev *dev, QTest *q, VirtioTransport transport)
{
    *dev = (VirtioDev){
        .q = q, .transport = transport, .devfn = FIRST_DEVFN, .free = qtest_board()->memory
    };
    if (is_mmio(dev)) {
        find_mmio(dev);
    } else {
        find_pci(dev);
    }
}

void virtio_find_pci(VirtioDev *dev, QTest *q, VirtioTransport transport, unsigned devfn)
{
    *dev = (VirtioDev){
        .q = q, .transport = transport, .devfn = devfn, .free = qtest_board()->memory
    };
    find_pci(dev);
}

/* ---- registers ---- */

static unsigned status_register(const VirtioDev *dev)
{
    return is_mmio(dev) ? M_STATUS : virtio_is_modern(dev) ? C_STATUS : L_STATUS;
}

uint8_t virtio_status(VirtioDev *dev)
{
    return get(dev, status_register(dev), is_mmio(dev) ? 4 : 1);
}

void virtio_set_status(VirtioDev *dev, uint8_t status)
{
    put(dev, status_register(dev), is_mmio(dev) ? 4 : 1, status);
}

static uint32_t features_word(VirtioDev *dev, unsigned word)
{
    if (dev->transport == VIRTIO_PCI_LEGACY) {
        return get(dev, L_DEVICE_FEATURES, 4);
    }
    put(dev, is_mmio(dev) ? M_DEVICE_FEATURES_SEL : C_DEVICE_FEATURE_SEL, 4, word);
    return get(dev, is_mmio(dev) ? M_DEVICE_FEATURES : C_DEVICE_FEATURE, 4);
}

uint64_t virtio_features(VirtioDev *dev)
{
    uint64_t features = features_word(dev, 0);

    return virtio_is_modern(dev) ? features | (uint64_t)features_word(dev, 1) << 32 : features;
}

static void set_features_word(VirtioDev *dev, unsigned word, uint32_t features)
{
    if (dev->transport == VIRTIO_PCI_LEGACY) {
        put(dev, L_DRIVER_FEATURES, 4, features);
        return;
    }
    put(dev, is_mmio(dev) ? M_DRIVER_FEATURES_SEL : C_DRIVER_FEATURE_SEL, 4, word);
    put(dev, is_mmio(dev) ? M_DRIVER_FEATURES : C_DRIVER_FEATURE, 4, features);
}

void virtio_set_features(VirtioDev *dev, uint64_t features)
{
    set_features_word(dev, 0, features);
    if (virtio_is_modern(dev)) {
        set_features_word(dev, 1, features >> 32);
    }
}

uint64_t virtio_config(VirtioDev *dev, unsigned offset, unsigned size)
{
    return qtest_read_value(dev->q, dev->config + offset, size);
}

/* ---- queues ---- */

static void select_queue(VirtioDev *dev, unsigned n)
{
    if (is_mmio(dev)) {
        put(dev, M_QUEUE_SEL, 4, n);
    } else {
        put(dev, virtio_is_modern(dev) ? C_QUEUE_SELECT : L_QUEUE_SELECT, 2, n);
    }
}

unsigned virtio_queue_max(VirtioDev *dev, unsigned n)
{
    select_queue(dev, n);
    return is_mmio(dev) ? get(dev, M_QUEUE_NUM_MAX, 4)
                        : get(dev, virtio_is_modern(dev) ? C_QUEUE_SIZE : L_QUEUE_SIZE, 2);
}

uint64_t virtio_alloc(VirtioDev *dev, size_t len)
{
    uint64_t at = dev->free;

    len = (len + PAGE - 1) / PAGE * PAGE;
    dev->free += len;
    qtest_clear(dev->q, at, len);
    return at;
}

static void enable_modern(VirtioDev *dev, const VirtQueue *vq)
{
    bool mmio = is_mmio(dev);

    put(dev, mmio ? M_QUEUE_NUM : C_QUEUE_SIZE, mmio ? 4 : 2, vq->size);
    put64(dev, mmio ? M_QUEUE_DESC : C_QUEUE_DESC, vq->desc);
    put64(dev, mmio ? M_QUEUE_DRIVER : C_QUEUE_DRIVER, vq->avail);
    put64(dev, mmio ? M_QUEUE_DEVICE : C_QUEUE_DEVICE, vq->used);
    put(dev, mmio ? M_QUEUE_READY : C_QUEUE_ENABLE, mmio ? 4 : 2, 1);
}

static void enable_legacy(VirtioDev *dev, const VirtQueue *vq)
{
    if (is_mmio(dev)) {
        put(dev, M_QUEUE_NUM, 4, vq->size);
        put(dev, M_QUEUE_ALIGN, 4, PAGE);
        put(dev, M_QUEUE_PFN, 4, vq->desc / PAGE);
    } else {
        put(dev, L_QUEUE_PFN, 4, vq->desc / PAGE);
    }
}

/* Section 2.7.2: the legacy layout, which is a modern one as well. */
void virtio_queue_setup(VirtioDev *dev, unsigned n)
{
    VirtQueue *vq = &dev->queues[n];
    unsigned max = virtio_queue_max(dev, n);
    size_t avail_end;

    g_assert_cmpuint(n, <, VIRTIO_MAX_QUEUES);
    g_assert_cmpuint(max, >, 0);
    *vq = (VirtQueue){ .size = dev->transport == VIRTIO_PCI_LEGACY ? max : MIN(max, MAX_RING) };
    avail_end = (16 * vq->size + 6 + 2 * vq->size + PAGE - 1) / PAGE * PAGE;
    vq->desc = virtio_alloc(dev, avail_end + 6 + 8 * vq->size);
    vq->avail = vq->desc + 16 * vq->size;
    vq->used = vq->desc + avail_end;
    select_queue(dev, n);
    if (virtio_is_modern(dev)) {
        enable_modern(dev, vq);
    } else {
        enable_legacy(dev, vq);
    }
}

void virtio_start(VirtioDev *dev)
{
    uint64_t features;

    virtio_set_status(dev, 0);
    if (dev->transport == VIRTIO_MMIO_LEGACY) {
        put(dev, M_GUEST_PAGE_SIZE, 4, PAGE);
    }
    virtio_set_status(dev, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
    features = virtio_features(dev) &
               ~(UINT64_C(1) << VIRTIO_F_INDIRECT | UINT64_C(1) << VIRTIO_F_EVENT_IDX);
    g_assert_true(!dev->packed || (features >> VIRTIO_F_RING_PACKED & 1) != 0);
    if (!dev->packed) {
        features &= ~(UINT64_C(1) << VIRTIO_F_RING_PACKED);
    }
    virtio_set_features(dev, features);
    if (virtio_is_modern(dev)) {
        virtio_set_status(dev, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK);
        g_assert_true(virtio_status(dev) & VIRTIO_FEATURES_OK);
    }
    for (unsigned n = 0; n < VIRTIO_MAX_QUEUES && virtio_queue_max(dev, n) > 0; n++) {
        virtio_queue_setup(dev, n);
    }
    virtio_set_status(dev, virtio_status(dev) | VIRTIO_DRIVER_OK);
}

/* ---- rings ---- */

void virtq_write_desc(VirtioDev *dev, unsigned n, unsigned index, uint64_t addr, uint32_t len,
                      uint16_t flags, uint16_t next)
{
    struct {
        uint64_t addr;
        uint32_t len;
        uint16_t flags, next;
    } desc = { GUINT64_TO_LE(addr), GUINT32_TO_LE(len), GUINT16_TO_LE(flags), GUINT16_TO_LE(next) };

    qtest_write_bytes(dev->q, dev->queues[n].desc + 16 * index, &desc, sizeof(desc));
}

uint64_t virtio_notify_address(VirtioDev *dev, unsigned n)
{
    select_queue(dev, n);
    return dev->notify + get(dev, C_QUEUE_NOTIFY_OFF, 2) * dev->notify_multiplier;
}

void virtq_notify(VirtioDev *dev, unsigned n)
{
    if (is_mmio(dev)) {
        put(dev, M_QUEUE_NOTIFY, 4, n);
    } else if (virtio_is_modern(dev)) {
        qtest_write_value(dev->q, virtio_notify_address(dev, n), 2, n);
    } else {
        put(dev, L_QUEUE_NOTIFY, 2, n);
    }
}

void virtq_offer(VirtioDev *dev, unsigned n, uint16_t head)
{
    VirtQueue *vq = &dev->queues[n];

    qtest_write_value(dev->q, vq->avail + 4 + 2 * (vq->next % vq->size), 2, head);
    qtest_write_value(dev->q, vq->avail + 2, 2, ++vq->next);
    virtq_notify(dev, n);
}

uint16_t virtq_used_index(VirtioDev *dev, unsigned n)
{
    return qtest_read_value(dev->q, dev->queues[n].used + 2, 2);
}

/* ---- packed rings (section 2.8) ---- */

enum { PACKED_AVAIL = 1 << 7, PACKED_USED = 1 << 15 };

static uint64_t place_address(const VirtQueue *vq, unsigned place)
{
    return vq->desc + 16 * (place % vq->size);
}

/* The second round has wrap counter 0. */
static bool wrap_counter(const VirtQueue *vq, unsigned place)
{
    return place % (2 * vq->size) < vq->size;
}

void virtq_packed_desc(VirtioDev *dev, unsigned n, unsigned i, uint64_t addr, uint32_t len,
                       uint16_t flags)
{
    VirtQueue *vq = &dev->queues[n];
    unsigned place = (vq->next + i) % (2 * vq->size);
    struct {
        uint64_t addr;
        uint32_t len;
        uint16_t id;
    } desc = { GUINT64_TO_LE(addr), GUINT32_TO_LE(len), GUINT16_TO_LE(vq->next % vq->size) };

    qtest_write_bytes(dev->q, place_address(vq, place), &desc, 14);
    flags |= wrap_counter(vq, place) ? PACKED_AVAIL : PACKED_USED;
    qtest_write_value(dev->q, place_address(vq, place) + 14, 2, flags);
}

void virtq_packed_offer(VirtioDev *dev, unsigned n, unsigned n_desc)
{
    VirtQueue *vq = &dev->queues[n];

    vq->n_desc[vq->next % vq->size] = n_desc;
    vq->next = (vq->next + n_desc) % (2 * vq->size);
    virtq_notify(dev, n);
}

static bool packed_is_used(VirtioDev *dev, const VirtQueue *vq)
{
    uint16_t flags = qtest_read_value(dev->q, place_address(vq, vq->seen) + 14, 2);
    bool wrap = wrap_counter(vq, vq->seen);

    return ((flags & PACKED_AVAIL) != 0) == wrap && ((flags & PACKED_USED) != 0) == wrap;
}

static uint32_t packed_take(VirtioDev *dev, VirtQueue *vq)
{
    uint64_t at = place_address(vq, vq->seen);
    uint16_t id = qtest_read_value(dev->q, at + 12, 2);

    g_assert_cmpuint(id, <, vq->size);
    vq->seen = (vq->seen + vq->n_desc[id]) % (2 * vq->size);
    return qtest_readl(dev->q, at + 8);
}

/* The first descriptor last: that one makes the chain available. */
static void packed_submit(VirtioDev *dev, unsigned n, uint64_t out, uint32_t out_len, uint64_t in,
                          uint32_t in_len)
{
    if (in_len > 0) {
        virtq_packed_desc(dev, n, out_len > 0 ? 1 : 0, in, in_len, VIRTQ_WRITE);
    }
    if (out_len > 0) {
        virtq_packed_desc(dev, n, 0, out, out_len, in_len > 0 ? VIRTQ_NEXT : 0);
    }
    virtq_packed_offer(dev, n, (out_len > 0) + (in_len > 0));
}

/* ---- both ---- */

bool virtq_is_used(VirtioDev *dev, unsigned n)
{
    VirtQueue *vq = &dev->queues[n];

    return dev->packed ? packed_is_used(dev, vq) : virtq_used_index(dev, n) != vq->seen;
}

uint32_t virtq_wait(VirtioDev *dev, unsigned n)
{
    VirtQueue *vq = &dev->queues[n];
    gint64 began = g_get_monotonic_time();

    while (!virtq_is_used(dev, n)) {
        if (g_get_monotonic_time() - began > CLIENT_PATIENCE_S * G_USEC_PER_SEC) {
            g_error("queue %u: the device uses no chain (status 0x%x)", n, virtio_status(dev));
        }
        g_thread_yield();
    }
    if (dev->packed) {
        return packed_take(dev, vq);
    }
    return qtest_readl(dev->q, vq->used + 4 + 8 * (vq->seen++ % vq->size) + 4);
}

void virtq_submit(VirtioDev *dev, unsigned n, uint64_t out, uint32_t out_len, uint64_t in,
                  uint32_t in_len)
{
    if (dev->packed) {
        packed_submit(dev, n, out, out_len, in, in_len);
        return;
    }
    if (out_len > 0) {
        virtq_write_desc(dev, n, 0, out, out_len, in_len > 0 ? VIRTQ_NEXT : 0, 1);
    }
    if (in_len > 0) {
        virtq_write_desc(dev, n, out_len > 0 ? 1 : 0, in, in_len, VIRTQ_WRITE, 0);
    }
    virtq_offer(dev, n, 0);
}
