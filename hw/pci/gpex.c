/* SPDX-License-Identifier: GPL-2.0-or-later
 * The generic PCI Express host bridge: windows, ECAM (PCI Express Base 2.0, section 7.2.2), adding
 * up interrupt lines, and the function at 00.0 by which a guest sees that there is a host bridge.
 */
#include "hw/pci/gpex.h"

#include "hw/pci/pci-ids.h"
#include "pci-priv.h"
#include "util/error.h"

struct _Gpex {
    Device parent;
    GpexLayout layout;
    MemoryRegion *system;
    AddressSpace *dma;
    bool msi;
    void (*send_msi)(void *opaque, uint64_t addr, uint32_t data);
    void *msi_opaque;
    void (*set_pin)(void *opaque, unsigned dev, unsigned pin, int level);
    void *pin_opaque;

    PciBus *bus;
    MemoryRegion ecam, mem, io;            /* configuration, PCI memory, ports */
    MemoryRegion mem_window, mem64_window; /* parts of mem that the machine sees */
    IrqLine *lines[PCI_N_LINES];

    pthread_mutex_t lock; /* what follows; a leaf but for the machine's interrupt controller */
    unsigned drivers[PCI_N_LINES]; /* functions that hold the line up */
};

DEVICE_DEFINE_TYPE(Gpex, gpex, "gpex-pcihost", TYPE_DEVICE)

/* ---- the function at 00.0 ---- */

typedef struct {
    PciDevice parent;
} GpexRoot;
typedef struct {
    PciDeviceClass parent_class;
} GpexRootClass;

DEVICE_DEFINE_TYPE(GpexRoot, gpex_root, "gpex-root", TYPE_PCI_DEVICE)

static void gpex_root_init(GpexRoot *s)
{
}

static void gpex_root_class_init(GpexRootClass *klass)
{
    PciDeviceClass *pc = HUMPY_PCI_DEVICE_CLASS(klass);

    HUMPY_DEVICE_CLASS(klass)->summary = "function of the PCI Express host bridge";
    pc->vendor_id = PCI_VENDOR_REDHAT;
    pc->device_id = PCI_DEVICE_HOST_BRIDGE;
    pc->class_id = PCI_CLASS_HOST_BRIDGE;
    pc->subsystem_vendor_id = PCI_VENDOR_VIRTIO;
    pc->subsystem_id = PCI_SUBSYSTEM_PLAIN;
}

/* ---- configuration space ---- */

static uint64_t ecam_read(void *opaque, hwaddr offset, unsigned size)
{
    Gpex *s = opaque;

    return pci_root_config_read(s->bus, offset >> 20, offset >> 12 & 0xff, offset & 0xfff, size);
}

static void ecam_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    Gpex *s = opaque;

    pci_root_config_write(s->bus, offset >> 20, offset >> 12 & 0xff, offset & 0xfff, value, size);
}

IoReqResult gpex_config_request(Gpex *s, IoRequest *req)
{
    unsigned devfn = PCI_MAKE_DEVFN(req->pci.dev, req->pci.fn);

    if (req->pci.segment != 0 || req->pci.dev >= 32 || req->pci.fn >= 8 ||
        req->pci.reg >= PCIE_CONFIG_SIZE || req->pci.reg % req->size != 0) {
        return IOREQ_FAULT;
    }
    if (req->is_write) {
        pci_root_config_write(s->bus, req->pci.bus, devfn, req->pci.reg, req->data, req->size);
    } else {
        req->data = pci_root_config_read(s->bus, req->pci.bus, devfn, req->pci.reg, req->size);
    }
    return IOREQ_HANDLED;
}

/* Without a lock: the function that is meant has its own. */
static const MemoryRegionOps ecam_ops = {
    .read = ecam_read,
    .write = ecam_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 4 },
    .impl = { .min_access_size = 1, .max_access_size = 4 },
};

/* ---- interrupts ---- */

static void set_line(void *opaque, unsigned line, int level)
{
    Gpex *s = opaque;

    pthread_mutex_lock(&s->lock);
    if (level != 0 ? s->drivers[line]++ == 0 : --s->drivers[line] == 0) {
        irq_set(s->lines[line], level != 0);
    }
    pthread_mutex_unlock(&s->lock);
}

static void set_pin(void *opaque, unsigned dev, unsigned pin, int level)
{
    Gpex *s = opaque;

    s->set_pin(s->pin_opaque, dev, pin, level);
}

static void send_msi(void *opaque, uint64_t addr, uint32_t data)
{
    Gpex *s = opaque;

    if (s->send_msi != NULL) {
        s->send_msi(s->msi_opaque, addr, data);
    }
}

/* ---- life ---- */

void gpex_set_up(Gpex *s, const GpexLayout *layout, MemoryRegion *system, AddressSpace *dma,
                 bool msi)
{
    g_assert(!device_is_realized(HUMPY_DEVICE(s)));
    s->layout = *layout;
    s->system = system;
    s->dma = dma;
    s->msi = msi;
}

void gpex_set_msi_target(Gpex *s, void (*send)(void *opaque, uint64_t addr, uint32_t data),
                         void *opaque)
{
    s->send_msi = send;
    s->msi_opaque = opaque;
}

void gpex_set_pin_target(Gpex *s, void (*set)(void *opaque, unsigned dev, unsigned pin, int level),
                         void *opaque)
{
    s->set_pin = set;
    s->pin_opaque = opaque;
}

PciBus *gpex_bus(Gpex *s)
{
    return s->bus;
}

static void add_windows(Gpex *s)
{
    const GpexLayout *l = &s->layout;
    GObject *owner = G_OBJECT(s);

    memory_region_init(&s->mem, owner, "gpex_mmio", UINT64_MAX);
    memory_region_init(&s->io, owner, "gpex_ioport", GPEX_IO_SIZE);
    memory_region_init_alias(&s->mem_window, owner, "pcie-mmio", &s->mem, l->mem, l->mem_size);
    memory_region_transaction_begin();
    if (l->ecam_size != 0) {
        memory_region_init_io(&s->ecam, owner, &ecam_ops, s, "pcie-ecam", l->ecam_size);
        memory_region_add_subregion(s->system, l->ecam, &s->ecam);
    }
    if (l->ports != NULL) { /* behind everything that the board itself has there */
        memory_region_add_subregion_overlap(l->ports, 0, &s->io, -1);
    } else {
        memory_region_add_subregion(s->system, l->io, &s->io);
    }
    memory_region_add_subregion(s->system, l->mem, &s->mem_window);
    if (l->mem64_size != 0) {
        memory_region_init_alias(&s->mem64_window, owner, "pcie-mmio-high", &s->mem, l->mem64,
                                 l->mem64_size);
        memory_region_add_subregion(s->system, l->mem64, &s->mem64_window);
    }
    memory_region_transaction_commit();
}

static void remove_windows(Gpex *s)
{
    memory_region_transaction_begin();
    if (s->layout.ecam_size != 0) {
        memory_region_del_subregion(s->system, &s->ecam);
    }
    memory_region_del_subregion(s->layout.ports != NULL ? s->layout.ports : s->system, &s->io);
    memory_region_del_subregion(s->system, &s->mem_window);
    if (s->layout.mem64_size != 0) {
        memory_region_del_subregion(s->system, &s->mem64_window);
    }
    memory_region_transaction_commit();
    memory_region_destroy(&s->mem64_window);
    memory_region_destroy(&s->mem_window);
    memory_region_destroy(&s->ecam);
    memory_region_destroy(&s->io);
    memory_region_destroy(&s->mem);
}

static void gpex_unrealize(Device *dev)
{
    Gpex *s = HUMPY_GPEX(dev);

    remove_windows(s);
    g_clear_object(&s->bus);
}

static bool gpex_realize(Device *dev, GError **error)
{
    Gpex *s = HUMPY_GPEX(dev);
    PciRootOps ops = {
        .mem = &s->mem,
        .io = &s->io,
        .dma = s->dma,
        .set_line = set_line,
        .set_pin = s->set_pin != NULL ? set_pin : NULL,
        .send_msi = send_msi,
        .opaque = s,
        .msi = s->msi,
    };
    g_autoptr(Device) root = g_object_new(gpex_root_get_type(), "addr", "0", NULL);

    g_assert(s->system != NULL && s->dma != NULL);
    s->bus = g_object_ref(pci_root_bus_new(dev, "pcie.0", &ops));
    add_windows(s);
    if (!bus_add_device(HUMPY_BUS(s->bus), root, error)) {
        gpex_unrealize(dev);
        return false;
    }
    return true;
}

static void gpex_finalize(GObject *obj)
{
    pthread_mutex_destroy(&HUMPY_GPEX(obj)->lock);
    G_OBJECT_CLASS(gpex_parent_class)->finalize(obj);
}

static void gpex_init(Gpex *s)
{
    pthread_mutex_init(&s->lock, NULL);
    device_declare_irqs(HUMPY_DEVICE(s), s->lines, PCI_N_LINES);
}

static void gpex_class_init(GpexClass *klass)
{
    DeviceClass *dc = HUMPY_DEVICE_CLASS(klass);

    G_OBJECT_CLASS(klass)->finalize = gpex_finalize;
    dc->summary = "generic PCI Express host bridge";
    dc->bus = "System";
    dc->realize = gpex_realize;
    dc->unrealize = gpex_unrealize;
}
