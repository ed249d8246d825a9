/* SPDX-License-Identifier: GPL-2.0-or-later
 * The virtio-pci transport (virtio 1.2, section 4.1): a PCI function with a virtio device inside,
 * its life cycle, interrupts and doorbells. The two register interfaces are virtio-pci-modern.c's
 * and virtio-pci-legacy.c's, the types virtio-pci-types.c's.
 *
 * Registers are touched under the device's lock; interrupts come from I/O threads and take leaf
 * locks only.
 */
#include "hw/virtio/virtio-pci.h"

#include <linux/pci_regs.h>
#include <linux/virtio_config.h>
#include <string.h>

#include "hw/core/qom.h"
#include "hw/pci/pci-ids.h"
#include "util/error.h"
#include "virtio-pci-priv.h"

enum {
    DEVICE_MODERN_FIRST = 0x1040, /* plus the virtio device's number */
    ISR_QUEUE = 1,
    ISR_CONFIG = 2,
};

DEVICE_DEFINE_ABSTRACT_TYPE(VirtIOPci, virtio_pci, "virtio-pci", TYPE_PCI_DEVICE)

/* ---- interrupts ---- */

static void raise_intx(VirtIOPci *s, uint8_t bit)
{
    pthread_mutex_lock(&s->irq_lock);
    s->isr |= bit;
    pci_set_irq(&s->parent, 1);
    pthread_mutex_unlock(&s->irq_lock);
}

uint8_t virtio_pci_take_isr(VirtIOPci *s)
{
    uint8_t isr;

    pthread_mutex_lock(&s->irq_lock);
    isr = s->isr;
    s->isr = 0;
    pci_set_irq(&s->parent, 0);
    pthread_mutex_unlock(&s->irq_lock);
    return isr;
}

static void notify_queue(void *opaque, unsigned n)
{
    VirtIOPci *s = opaque;

    if (pci_msix_enabled(&s->parent)) {
        pci_msix_notify(&s->parent, __atomic_load_n(&s->queue_vectors[n], __ATOMIC_RELAXED));
    } else {
        raise_intx(s, ISR_QUEUE);
    }
}

static void notify_config(void *opaque)
{
    VirtIOPci *s = opaque;

    /* The status bit, with MSI-X too (section 4.1.4.5.1). With the queue bit, as QEMU's devices do:
     * there are drivers that wait for that one, and to the others it means no more than a look. */
    raise_intx(s, ISR_CONFIG | ISR_QUEUE);
    pci_msix_notify(&s->parent, __atomic_load_n(&s->config_vector, __ATOMIC_RELAXED));
}

static const VirtIOTransportOps transport_ops = {
    .notify_queue = notify_queue,
    .notify_config = notify_config,
};

/* Section 4.1.5.1.2.1: a vector there is none of reads back as none. */
static uint16_t valid_vector(VirtIOPci *s, uint16_t vector)
{
    return vector < pci_msix_vectors(&s->parent) ? vector : VIRTIO_MSI_NO_VECTOR;
}

void virtio_pci_set_config_vector(VirtIOPci *s, uint16_t vector)
{
    __atomic_store_n(&s->config_vector, valid_vector(s, vector), __ATOMIC_RELAXED);
}

void virtio_pci_set_queue_vector(VirtIOPci *s, uint16_t vector)
{
    if (s->queue_sel < virtio_n_queues(s->vdev)) {
        __atomic_store_n(&s->queue_vectors[s->queue_sel], valid_vector(s, vector),
                         __ATOMIC_RELAXED);
    }
}

uint16_t virtio_pci_queue_vector(VirtIOPci *s)
{
    return s->queue_sel < virtio_n_queues(s->vdev)
               ? __atomic_load_n(&s->queue_vectors[s->queue_sel], __ATOMIC_RELAXED)
               : VIRTIO_MSI_NO_VECTOR;
}

/* ---- registers of both interfaces ---- */

static void virtio_pci_reset_registers(VirtIOPci *s)
{
    s->offered_sel = 0;
    s->accepted_sel = 0;
    s->accepted[0] = 0;
    s->accepted[1] = 0;
    s->queue_sel = 0;
    __atomic_store_n(&s->config_vector, VIRTIO_MSI_NO_VECTOR, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < VIRTIO_MAX_QUEUES; i++) {
        __atomic_store_n(&s->queue_vectors[i], VIRTIO_MSI_NO_VECTOR, __ATOMIC_RELAXED);
    }
    virtio_pci_take_isr(s);
}

void virtio_pci_set_status(VirtIOPci *s, uint8_t status)
{
    virtio_set_status(s->vdev, status);
    if (status == 0) {
        virtio_pci_reset_registers(s);
    }
}

static void config_reading(PciDevice *dev, unsigned addr, unsigned len)
{
    virtio_pci_cfg_reading(VIRTIO_PCI_OF(dev), addr, len);
}

static void config_written(PciDevice *dev, unsigned addr, unsigned len)
{
    virtio_pci_cfg_written(VIRTIO_PCI_OF(dev), addr, len);
}

static void bus_master_changed(PciDevice *dev, bool on)
{
    VirtIOPci *s = VIRTIO_PCI_OF(dev);

    if (s->vdev != NULL) {
        virtio_allow_dma(s->vdev, on);
    }
}

/* ---- doorbells ---- */

/* Drivers write 16 bits; other widths reach the registers. */
static void set_doorbells(VirtIOPci *s, bool add)
{
    void (*set)(MemoryRegion *, hwaddr, unsigned, bool, uint64_t, int) =
        add ? memory_region_add_eventfd : memory_region_del_eventfd;
    VirtIODevice *vdev = HUMPY_VIRTIO_DEVICE(s->inner);

    memory_region_transaction_begin();
    for (unsigned i = 0; s->ioeventfd && i < virtio_n_queues(vdev); i++) {
        int fd = virtio_queue_kick_fd(vdev, i);

        if (s->modern) {
            set(&s->modern_mr, virtio_pci_notify_offset(s, i), 2, false, 0, fd);
        }
        if (s->legacy) {
            set(&s->legacy_mr, VIRTIO_PCI_QUEUE_NOTIFY, 2, true, i, fd);
        }
    }
    memory_region_transaction_commit();
}

/* ---- the bus inside ---- */

typedef struct {
    Bus parent;
} VirtIOPciBus;
typedef struct {
    BusClass parent_class;
} VirtIOPciBusClass;

DEVICE_DEFINE_TYPE(VirtIOPciBus, virtio_pci_bus, "virtio-pci-bus", TYPE_BUS)

static bool inner_attach(Bus *bus, Device *dev, GError **error)
{
    VirtIOPci *s = VIRTIO_PCI_OF(bus_parent(bus));

    if (dev != s->inner) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT, "bus '%s' takes no other device",
                    bus_name(bus));
        return false;
    }
    virtio_attach(HUMPY_VIRTIO_DEVICE(dev), &transport_ops, s, pci_dma_ungated(&s->parent));
    return true;
}

static void inner_unplugged(Bus *bus, Device *dev)
{
    VirtIOPci *s = VIRTIO_PCI_OF(bus_parent(bus));

    if (s->doorbells) {
        set_doorbells(s, false);
        s->doorbells = false;
    }
    memory_lock(device_lock(HUMPY_DEVICE(s)));
    s->vdev = NULL;
    memory_unlock(device_lock(HUMPY_DEVICE(s)));
}

static void inner_detach(Bus *bus, Device *dev)
{
    virtio_detach(HUMPY_VIRTIO_DEVICE(dev));
}

static void virtio_pci_bus_init(VirtIOPciBus *bus)
{
}

static void virtio_pci_bus_class_init(VirtIOPciBusClass *klass)
{
    BusClass *bc = HUMPY_BUS_CLASS(klass);

    bc->kind = "virtio-bus";
    bc->max_devices = 1;
    bc->attach = inner_attach;
    bc->unplugged = inner_unplugged;
    bc->detach = inner_detach;
}

/* ---- life cycle ---- */

static VirtIOPciClass *class_of(VirtIOPci *s)
{
    return G_TYPE_INSTANCE_GET_CLASS(s, TYPE_VIRTIO_PCI, VirtIOPciClass);
}

/* QEMU's rule: behind a PCI Express port I/O ports are scarce, so auto is modern there. Where
 * ACCESS_PLATFORM is required a legacy interface would be of no use, but UEFI take it. */
static bool choose_interfaces(VirtIOPci *s, GError **error)
{
    VirtIOPciClass *vc = class_of(s);
    bool can_legacy = vc->row->transitional_id != 0;
    bool required = virtio_platform_is_required();

    s->modern = !s->disable_modern;
    switch (vc->variant) {
    case VIRTIO_PCI_TRANSITIONAL:
        s->legacy = true;
        break;
    case VIRTIO_PCI_NON_TRANSITIONAL:
        s->legacy = false;
        break;
    case VIRTIO_PCI_GENERIC:
        if (s->disable_legacy == 2 && !can_legacy) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                        "disable-legacy is 'off' but %s has no legacy interface",
                        device_type(HUMPY_DEVICE(s)));
            return false;
        }
        s->legacy =
            can_legacy && (s->disable_legacy == 2 ||
                           (s->disable_legacy == 0 && pci_bus_is_root(pci_device_bus(&s->parent))));
        break;
    }
    s->legacy = s->legacy && !required;
    if (!s->legacy && !s->modern) {
        g_set_error_literal(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                            required
                                ? "disable-modern leaves a protected guest no interface"
                                : "disable-legacy and disable-modern leave the guest no interface");
        return false;
    }
    return true;
}

static void set_identity(VirtIOPci *s)
{
    const VirtIOPciRow *row = class_of(s)->row;
    uint8_t *config = pci_config(&s->parent);
    uint16_t modern_id = DEVICE_MODERN_FIRST + row->virtio_id;

    pci_set_word(config + PCI_DEVICE_ID, s->legacy ? row->transitional_id : modern_id);
    config[PCI_REVISION_ID] = s->legacy ? 0 : 1;
    pci_set_word(config + PCI_SUBSYSTEM_ID, s->legacy ? row->virtio_id : PCI_SUBSYSTEM_PLAIN);
}

static void offer_features(VirtIOPci *s, VirtIODevice *vdev)
{
    uint64_t features = 0;

    if (s->modern) {
        features |= 1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_F_RING_RESET;
        features |= s->iommu_platform ? 1ull << VIRTIO_F_ACCESS_PLATFORM : 0;
    }
    if (s->legacy) {
        features |= 1ull << VIRTIO_F_NOTIFY_ON_EMPTY | 1ull << VIRTIO_F_ANY_LAYOUT;
    }
    virtio_offer_features(vdev, features);
}

static bool check_vectors(const VirtIOPci *s, GError **error)
{
    if (s->vectors > PCI_MSIX_MAX_VECTORS && s->vectors != VIRTIO_PCI_VECTORS_AUTO) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "vectors is %u but must be 0 to %u",
                    s->vectors, PCI_MSIX_MAX_VECTORS);
        return false;
    }
    return true;
}

static void init_msix(VirtIOPci *s, VirtIODevice *vdev)
{
    uint32_t vectors =
        s->vectors == VIRTIO_PCI_VECTORS_AUTO ? class_of(s)->row->vectors : s->vectors;

    if (vectors == VIRTIO_PCI_VECTORS_AUTO) {
        vectors = MIN(virtio_n_queues(vdev) + 1, PCI_MSIX_MAX_VECTORS);
    }
    if (vectors != 0 && pci_bus_has_msi(pci_device_bus(&s->parent))) {
        pci_msix_init(&s->parent, vectors, VIRTIO_PCI_BAR_MSIX);
    }
}

static bool virtio_pci_realize(PciDevice *dev, GError **error)
{
    VirtIOPci *s = VIRTIO_PCI_OF(dev);
    VirtIODevice *vdev = HUMPY_VIRTIO_DEVICE(s->inner);
    Bus *bus;

    if (!check_vectors(s, error) || !choose_interfaces(s, error)) {
        return false;
    }
    bus = bus_new(virtio_pci_bus_get_type(), HUMPY_DEVICE(dev), "virtio-bus");
    bus_set_hotpluggable(bus, true);
    if (!bus_add_device(bus, s->inner, error)) {
        return false;
    }
    offer_features(s, vdev);
    virtio_allow_dma(vdev, false); /* until the guest makes the function bus master */
    set_identity(s);
    init_msix(s, vdev);
    pci_use_pin(dev, 1);
    if (s->legacy) {
        virtio_pci_legacy_init(s);
    }
    if (s->modern) {
        virtio_pci_modern_init(s);
    }
    if (!pci_bus_is_root(pci_device_bus(dev))) {
        pci_add_express_capability(dev, PCI_EXP_TYPE_ENDPOINT);
    }
    set_doorbells(s, true);
    s->doorbells = true;
    s->vdev = vdev;
    return true;
}

static void virtio_pci_unrealize(PciDevice *dev)
{
    VirtIOPci *s = VIRTIO_PCI_OF(dev);

    memory_region_destroy(&s->legacy_mr);
    memory_region_destroy(&s->modern_mr);
}

static void virtio_pci_reset(PciDevice *dev)
{
    VirtIOPci *s = VIRTIO_PCI_OF(dev);

    if (s->vdev != NULL) {
        virtio_reset(s->vdev);
    }
    virtio_pci_reset_registers(s);
}

static GObject *virtio_pci_delegate(Device *dev)
{
    return G_OBJECT(VIRTIO_PCI_OF(dev)->inner);
}

static void virtio_pci_finalize(GObject *obj)
{
    VirtIOPci *s = VIRTIO_PCI_OF(obj);

    g_clear_object(&s->inner);
    pthread_mutex_destroy(&s->irq_lock);
    G_OBJECT_CLASS(virtio_pci_parent_class)->finalize(obj);
}

static void virtio_pci_init(VirtIOPci *s)
{
    pthread_mutex_init(&s->irq_lock, NULL);
}

static const Prop virtio_pci_props[] = {
    PROP_U32("vectors", VirtIOPci, vectors, VIRTIO_PCI_VECTORS_AUTO, 0, UINT32_MAX,
             "MSI-X vectors; 0: none; default: as many as the type of device uses"),
    PROP_BOOL("ioeventfd", VirtIOPci, ioeventfd, true, "Queue notifications through eventfds"),
    PROP_BOOL("page-per-vq", VirtIOPci, page_per_vq, false,
              "A page of its own for each queue's notification address"),
    PROP_BOOL("iommu_platform", VirtIOPci, iommu_platform, false, "Offer ACCESS_PLATFORM"),
};

static void virtio_pci_class_init(VirtIOPciClass *klass)
{
    DeviceClass *dc = HUMPY_DEVICE_CLASS(klass);
    PciDeviceClass *pc = HUMPY_PCI_DEVICE_CLASS(klass);

    G_OBJECT_CLASS(klass)->finalize = virtio_pci_finalize;
    props_install(G_OBJECT_CLASS(klass), virtio_pci_props, G_N_ELEMENTS(virtio_pci_props));
    dc->delegate = virtio_pci_delegate;
    pc->vendor_id = PCI_VENDOR_VIRTIO;
    pc->subsystem_vendor_id = PCI_VENDOR_VIRTIO;
    pc->realize = virtio_pci_realize;
    pc->unrealize = virtio_pci_unrealize;
    pc->reset = virtio_pci_reset;
    pc->config_reading = config_reading;
    pc->config_written = config_written;
    pc->bus_master_changed = bus_master_changed;
}
