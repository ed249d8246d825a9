/* SPDX-License-Identifier: GPL-2.0-or-later
 * The virtio-mmio transport (virtio 1.2, section 4.2): registers, the interrupt line and doorbells.
 * Version 2 and, with force-legacy, version 1 (section 4.2.4). No shared memory regions.
 *
 * Registers are touched under the device's lock (its dispatcher's); only the interrupt status is
 * also changed by I/O threads and has a lock of its own, a leaf.
 */
#include "hw/virtio/virtio-mmio.h"

#include <endian.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>
#include <pthread.h>

#include "hw/core/bus.h"
#include "hw/virtio/virtio-transport.h"
#include "util/error.h"

enum {
    MMIO_MAGIC = 0x74726976,  /* "virt" */
    MMIO_VENDOR = 0x504d5548, /* "HUMP" */
    MMIO_LEGACY_ALIGN = 4096, /* before the driver sets one */
    MMIO_SHM_LEN_LOW = 0xb0,
    MMIO_SHM_LEN_HIGH = 0xb4,
    MMIO_SHM_BASE_LOW = 0xb8,
    MMIO_SHM_BASE_HIGH = 0xbc,
};

struct _VirtIOMmio {
    Device parent;
    bool force_legacy, ioeventfd; /* properties */
    uint64_t addr;
    uint32_t line;
    AddressSpace *dma;
    MemoryRegion mr;
    IrqLine *irq;
    VirtIODevice *vdev; /* what is plugged, or NULL; the bus holds it */
    Bus *bus;

    uint32_t offered_sel, accepted_sel, queue_sel;
    uint32_t accepted[2];
    uint32_t page_shift, queue_align; /* legacy */

    pthread_mutex_t irq_lock;
    uint32_t isr;
};

DEVICE_DEFINE_TYPE(VirtIOMmio, virtio_mmio, "virtio-mmio", TYPE_DEVICE)

/* A legacy driver takes guest memory for its own, which it is not where that is protected. */
static bool is_legacy(const VirtIOMmio *s)
{
    return s->force_legacy && !virtio_platform_is_required();
}

/* ---- interrupt ---- */

static void raise_irq(VirtIOMmio *s, uint32_t bits)
{
    pthread_mutex_lock(&s->irq_lock);
    if ((s->isr & bits) != bits) {
        s->isr |= bits;
        irq_set(s->irq, 1);
    }
    pthread_mutex_unlock(&s->irq_lock);
}

/* What came after the driver read the status stays pending. The line then falls and rises again:
 * boards wire it edge-triggered, and the driver has returned from its handler otherwise. */
static void acknowledge_irq(VirtIOMmio *s, uint32_t bits)
{
    pthread_mutex_lock(&s->irq_lock);
    if ((s->isr & bits) != 0) {
        s->isr &= ~bits;
        irq_set(s->irq, 0);
        if (s->isr != 0) {
            irq_set(s->irq, 1);
        }
    }
    pthread_mutex_unlock(&s->irq_lock);
}

static uint32_t irq_status(VirtIOMmio *s)
{
    uint32_t isr;

    pthread_mutex_lock(&s->irq_lock);
    isr = s->isr;
    pthread_mutex_unlock(&s->irq_lock);
    return isr;
}

static void notify_queue(void *opaque, unsigned n)
{
    raise_irq(opaque, VIRTIO_MMIO_INT_VRING);
}

static void notify_config(void *opaque)
{
    /* With the queue bit, as QEMU's devices do: there are drivers that wait for that one, and to
     * the others it means no more than a look. */
    raise_irq(opaque, VIRTIO_MMIO_INT_CONFIG | VIRTIO_MMIO_INT_VRING);
}

static const VirtIOTransportOps transport_ops = {
    .notify_queue = notify_queue,
    .notify_config = notify_config,
};

/* ---- registers ---- */

/* Not the legacy page size: a driver writes it once, before its first reset of the device. */
static void reset_registers(VirtIOMmio *s)
{
    s->offered_sel = 0;
    s->accepted_sel = 0;
    s->queue_sel = 0;
    s->accepted[0] = 0;
    s->accepted[1] = 0;
    s->queue_align = MMIO_LEGACY_ALIGN;
    acknowledge_irq(s, ~0u);
}

static uint32_t read_pfn(VirtIOMmio *s)
{
    VirtQueueAddresses addr;

    virtio_queue_addresses(s->vdev, s->queue_sel, &addr);
    return addr.desc >> s->page_shift;
}

/* Section 2.7.2: the three parts of a legacy ring follow each other. PFN 0 gives the ring up. */
static void write_pfn(VirtIOMmio *s, uint32_t pfn)
{
    uint64_t size = virtio_queue_size(s->vdev, s->queue_sel);
    uint64_t desc = (uint64_t)pfn << s->page_shift;
    uint64_t avail = desc + size * sizeof(struct vring_desc);
    uint64_t avail_end = avail + sizeof(uint16_t) * (3 + size);
    VirtQueueAddresses addr = { 0 };

    virtio_queue_set_ready(s->vdev, s->queue_sel, false);
    if (pfn != 0) {
        addr.desc = desc;
        addr.driver = avail;
        addr.device = (avail_end + s->queue_align - 1) & ~(uint64_t)(s->queue_align - 1);
    }
    virtio_queue_set_addresses(s->vdev, s->queue_sel, &addr);
    virtio_queue_set_ready(s->vdev, s->queue_sel, pfn != 0);
}

static uint32_t read_legacy(VirtIOMmio *s, uint32_t reg)
{
    switch (reg) {
    case VIRTIO_MMIO_QUEUE_PFN:
        return read_pfn(s);
    default:
        return 0;
    }
}

static uint32_t read_modern(VirtIOMmio *s, uint32_t reg)
{
    switch (reg) {
    case VIRTIO_MMIO_QUEUE_READY:
        return virtio_queue_is_ready(s->vdev, s->queue_sel);
    case MMIO_SHM_LEN_LOW:
    case MMIO_SHM_LEN_HIGH:
    case MMIO_SHM_BASE_LOW:
    case MMIO_SHM_BASE_HIGH:
        return UINT32_MAX; /* no such region */
    case VIRTIO_MMIO_CONFIG_GENERATION:
        return virtio_config_generation(s->vdev);
    default:
        return 0;
    }
}

static uint32_t read_register(VirtIOMmio *s, uint32_t reg)
{
    switch (reg) {
    case VIRTIO_MMIO_MAGIC_VALUE:
        return MMIO_MAGIC;
    case VIRTIO_MMIO_VERSION:
        return is_legacy(s) ? 1 : 2;
    case VIRTIO_MMIO_VENDOR_ID:
        return MMIO_VENDOR;
    }
    if (s->vdev == NULL) {
        return 0; /* DeviceID 0: nothing here */
    }
    switch (reg) {
    case VIRTIO_MMIO_DEVICE_ID:
        return virtio_device_id(s->vdev);
    case VIRTIO_MMIO_DEVICE_FEATURES:
        return s->offered_sel <= !is_legacy(s)
                   ? virtio_offered_features(s->vdev) >> (32 * s->offered_sel)
                   : 0;
    case VIRTIO_MMIO_QUEUE_NUM_MAX:
        return virtio_queue_max_size(s->vdev, s->queue_sel);
    case VIRTIO_MMIO_INTERRUPT_STATUS:
        return irq_status(s);
    case VIRTIO_MMIO_STATUS:
        return virtio_status(s->vdev);
    default:
        return is_legacy(s) ? read_legacy(s, reg) : read_modern(s, reg);
    }
}

static void set_low(uint64_t *field, uint32_t value)
{
    *field = (*field & ~(uint64_t)UINT32_MAX) | value;
}

static void set_high(uint64_t *field, uint32_t value)
{
    *field = (*field & UINT32_MAX) | (uint64_t)value << 32;
}

static void write_legacy(VirtIOMmio *s, uint32_t reg, uint32_t value)
{
    switch (reg) {
    case VIRTIO_MMIO_GUEST_PAGE_SIZE:
        s->page_shift = value != 0 ? __builtin_ctz(value) : 0;
        break;
    case VIRTIO_MMIO_QUEUE_ALIGN:
        /* Other values would put the used ring at places no driver can mean. */
        if (value != 0 && (value & (value - 1)) == 0) {
            s->queue_align = value;
        }
        break;
    case VIRTIO_MMIO_QUEUE_PFN:
        write_pfn(s, value);
        break;
    }
}

static void write_modern(VirtIOMmio *s, uint32_t reg, uint32_t value)
{
    VirtQueueAddresses addr;

    if (reg == VIRTIO_MMIO_QUEUE_READY) {
        virtio_queue_set_ready(s->vdev, s->queue_sel, (value & 1) != 0);
        return;
    }
    virtio_queue_addresses(s->vdev, s->queue_sel, &addr);
    switch (reg) {
    case VIRTIO_MMIO_QUEUE_DESC_LOW:
        set_low(&addr.desc, value);
        break;
    case VIRTIO_MMIO_QUEUE_DESC_HIGH:
        set_high(&addr.desc, value);
        break;
    case VIRTIO_MMIO_QUEUE_AVAIL_LOW:
        set_low(&addr.driver, value);
        break;
    case VIRTIO_MMIO_QUEUE_AVAIL_HIGH:
        set_high(&addr.driver, value);
        break;
    case VIRTIO_MMIO_QUEUE_USED_LOW:
        set_low(&addr.device, value);
        break;
    case VIRTIO_MMIO_QUEUE_USED_HIGH:
        set_high(&addr.device, value);
        break;
    default:
        return;
    }
    virtio_queue_set_addresses(s->vdev, s->queue_sel, &addr);
}

static void write_accepted(VirtIOMmio *s, uint32_t value)
{
    if (s->accepted_sel <= !is_legacy(s)) {
        s->accepted[s->accepted_sel] = value;
        virtio_accept_features(s->vdev, (uint64_t)s->accepted[1] << 32 | s->accepted[0]);
    }
}

static void write_register(VirtIOMmio *s, uint32_t reg, uint32_t value)
{
    switch (reg) {
    case VIRTIO_MMIO_DEVICE_FEATURES_SEL:
        s->offered_sel = value;
        break;
    case VIRTIO_MMIO_DRIVER_FEATURES:
        write_accepted(s, value);
        break;
    case VIRTIO_MMIO_DRIVER_FEATURES_SEL:
        s->accepted_sel = value;
        break;
    case VIRTIO_MMIO_QUEUE_SEL:
        s->queue_sel = value;
        break;
    case VIRTIO_MMIO_QUEUE_NUM:
        virtio_queue_set_size(s->vdev, s->queue_sel, value);
        break;
    case VIRTIO_MMIO_QUEUE_NOTIFY:
        virtio_queue_notify_device(s->vdev, value);
        break;
    case VIRTIO_MMIO_INTERRUPT_ACK:
        acknowledge_irq(s, value);
        break;
    case VIRTIO_MMIO_STATUS:
        virtio_set_status(s->vdev, value);
        if ((value & 0xff) == 0) {
            reset_registers(s);
        }
        break;
    default:
        if (is_legacy(s)) {
            write_legacy(s, reg, value);
        } else {
            write_modern(s, reg, value);
        }
        break;
    }
}

/* Section 4.2.2.2: registers are read and written whole; only configuration has other widths. */
static uint64_t virtio_mmio_read(void *opaque, hwaddr offset, unsigned size)
{
    VirtIOMmio *s = opaque;
    uint32_t value = 0;

    if (offset < VIRTIO_MMIO_CONFIG) {
        return size == 4 ? read_register(s, offset) : 0;
    }
    if (s->vdev != NULL) {
        virtio_config_read(s->vdev, offset - VIRTIO_MMIO_CONFIG, &value, size);
    }
    return le32toh(value);
}

static void virtio_mmio_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    VirtIOMmio *s = opaque;
    uint32_t bytes = htole32(value);

    if (s->vdev == NULL) {
        return;
    }
    if (offset < VIRTIO_MMIO_CONFIG) {
        if (size == 4) {
            write_register(s, offset, value);
        }
        return;
    }
    virtio_config_write(s->vdev, offset - VIRTIO_MMIO_CONFIG, &bytes, size);
}

static const MemoryRegionOps virtio_mmio_ops = {
    .read = virtio_mmio_read,
    .write = virtio_mmio_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 8 },
    .impl = { .min_access_size = 1, .max_access_size = 4 },
};

/* ---- the bus ---- */

void virtio_mmio_set_dma(VirtIOMmio *s, AddressSpace *dma)
{
    g_assert(s->vdev == NULL);
    s->dma = dma;
}

/* Matched by value, so that a write of any other number still reaches the register. */
static void set_doorbells(VirtIOMmio *s, bool add)
{
    void (*set)(MemoryRegion *, hwaddr, unsigned, bool, uint64_t, int) =
        add ? memory_region_add_eventfd : memory_region_del_eventfd;

    memory_region_transaction_begin();
    for (unsigned i = 0; s->ioeventfd && i < virtio_n_queues(s->vdev); i++) {
        set(&s->mr, VIRTIO_MMIO_QUEUE_NOTIFY, 4, true, i, virtio_queue_kick_fd(s->vdev, i));
    }
    memory_region_transaction_commit();
}

#define TYPE_VIRTIO_MMIO_BUS virtio_mmio_bus_get_type()
G_DECLARE_FINAL_TYPE(VirtIOMmioBus, virtio_mmio_bus, HUMPY, VIRTIO_MMIO_BUS, Bus)

struct _VirtIOMmioBus {
    Bus parent_instance;
};

DEVICE_DEFINE_TYPE(VirtIOMmioBus, virtio_mmio_bus, "virtio-mmio-bus", TYPE_BUS)

static bool bus_attach(Bus *bus, Device *dev, GError **error)
{
    VirtIOMmio *s = HUMPY_VIRTIO_MMIO(bus_parent(bus));

    g_assert(s->dma != NULL);
    virtio_attach(HUMPY_VIRTIO_DEVICE(dev), &transport_ops, s, s->dma);
    return true;
}

static bool bus_plugged(Bus *bus, Device *dev, GError **error)
{
    Device *transport = bus_parent(bus);
    VirtIOMmio *s = HUMPY_VIRTIO_MMIO(transport);
    VirtIODevice *vdev = HUMPY_VIRTIO_DEVICE(dev);

    virtio_offer_features(vdev, s->force_legacy
                                    ? 1ull << VIRTIO_F_NOTIFY_ON_EMPTY | 1ull << VIRTIO_F_ANY_LAYOUT
                                    : 1ull << VIRTIO_F_VERSION_1);
    memory_lock(device_lock(transport));
    s->vdev = vdev;
    memory_unlock(device_lock(transport));
    set_doorbells(s, true);
    return true;
}

static void bus_unplugged(Bus *bus, Device *dev)
{
    Device *transport = bus_parent(bus);
    VirtIOMmio *s = HUMPY_VIRTIO_MMIO(transport);

    set_doorbells(s, false);
    memory_lock(device_lock(transport));
    s->vdev = NULL;
    reset_registers(s);
    memory_unlock(device_lock(transport));
}

static void bus_detach(Bus *bus, Device *dev)
{
    acknowledge_irq(HUMPY_VIRTIO_MMIO(bus_parent(bus)), ~0u); /* of a request that ended late */
    virtio_detach(HUMPY_VIRTIO_DEVICE(dev));
}

static void virtio_mmio_bus_init(VirtIOMmioBus *bus)
{
}

static void virtio_mmio_bus_class_init(VirtIOMmioBusClass *klass)
{
    BusClass *bc = HUMPY_BUS_CLASS(klass);

    bc->kind = "virtio-bus";
    bc->max_devices = 1;
    bc->attach = bus_attach;
    bc->plugged = bus_plugged;
    bc->unplugged = bus_unplugged;
    bc->detach = bus_detach;
}

Bus *virtio_mmio_bus(VirtIOMmio *s)
{
    return s->bus;
}

/* ---- life cycle ---- */

static bool virtio_mmio_realize(Device *dev, GError **error)
{
    VirtIOMmio *s = HUMPY_VIRTIO_MMIO(dev);

    memory_region_init_io(&s->mr, G_OBJECT(dev), &virtio_mmio_ops, s, "virtio-mmio",
                          VIRTIO_MMIO_SIZE);
    device_add_mmio(dev, &s->mr);
    s->bus = bus_new(TYPE_VIRTIO_MMIO_BUS, dev, NULL);
    return true;
}

static void virtio_mmio_unrealize(Device *dev)
{
    VirtIOMmio *s = HUMPY_VIRTIO_MMIO(dev);

    s->bus = NULL;
    memory_region_destroy(&s->mr);
}

static void virtio_mmio_reset(Device *dev)
{
    VirtIOMmio *s = HUMPY_VIRTIO_MMIO(dev);

    if (s->vdev != NULL) {
        virtio_reset(s->vdev);
    }
    reset_registers(s);
    s->page_shift = 0;
}

static void virtio_mmio_finalize(GObject *obj)
{
    pthread_mutex_destroy(&HUMPY_VIRTIO_MMIO(obj)->irq_lock);
    G_OBJECT_CLASS(virtio_mmio_parent_class)->finalize(obj);
}

static void virtio_mmio_init(VirtIOMmio *s)
{
    pthread_mutex_init(&s->irq_lock, NULL);
    device_declare_irqs(HUMPY_DEVICE(s), &s->irq, 1);
}

static const Prop virtio_mmio_props[] = {
    PROP_BOOL("force-legacy", VirtIOMmio, force_legacy, true,
              "Version 1 registers instead of version 2"),
    PROP_BOOL("ioeventfd", VirtIOMmio, ioeventfd, true, "Queue notifications through eventfds"),
    PROP_U64("addr", VirtIOMmio, addr, UINT64_MAX, 0, UINT64_MAX,
             "Where its registers are, on a machine that leaves that open"),
    PROP_U32("irq", VirtIOMmio, line, UINT32_MAX, 0, UINT32_MAX, "Its interrupt there"),
};

static void virtio_mmio_class_init(VirtIOMmioClass *klass)
{
    DeviceClass *dc = HUMPY_DEVICE_CLASS(klass);

    G_OBJECT_CLASS(klass)->finalize = virtio_mmio_finalize;
    props_install(G_OBJECT_CLASS(klass), virtio_mmio_props, G_N_ELEMENTS(virtio_mmio_props));
    dc->summary = "virtio-mmio transport";
    dc->bus = "System";
    dc->user_creatable = true;
    dc->not_hotpluggable = true;
    dc->realize = virtio_mmio_realize;
    dc->unrealize = virtio_mmio_unrealize;
    dc->reset = virtio_mmio_reset;
}
