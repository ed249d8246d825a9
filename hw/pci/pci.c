/* SPDX-License-Identifier: GPL-2.0-or-later
 * The base class of PCI functions: properties, life cycle, bus mastering. Configuration space is in
 * pci-config.c, base addresses in pci-bar.c, interrupts in pci-irq.c and msix.c.
 */
#include <string.h>

#include "pci-priv.h"
#include "util/error.h"

G_DEFINE_ABSTRACT_TYPE_WITH_PRIVATE(PciDevice, pci_device, TYPE_DEVICE)

/* What a function sees that may not be bus master: nothing. Made once, never freed. */
static AddressSpace *nowhere(void)
{
    static MemoryRegion root;
    static AddressSpace *as;
    static gsize once;

    if (g_once_init_enter(&once)) {
        memory_region_init(&root, NULL, "pci-no-bus-master", UINT64_MAX);
        as = address_space_new(&root, "pci-no-bus-master");
        g_once_init_leave(&once, 1);
    }
    return as;
}

PciDevicePrivate *pci_priv(PciDevice *dev)
{
    return pci_device_get_instance_private(dev);
}

PciBus *pci_device_bus(PciDevice *dev)
{
    return pci_priv(dev)->bus;
}

unsigned pci_device_devfn(PciDevice *dev)
{
    return pci_priv(dev)->devfn;
}

bool pci_is_bus_master(PciDevice *dev)
{
    return __atomic_load_n(&pci_priv(dev)->master, __ATOMIC_ACQUIRE);
}

AddressSpace *pci_dma_ungated(PciDevice *dev)
{
    return pci_priv(dev)->bus->root.dma;
}

AddressSpace *pci_dma(PciDevice *dev)
{
    return pci_is_bus_master(dev) ? pci_dma_ungated(dev) : nowhere();
}

/* ---- life cycle ---- */

static bool pci_device_realize(Device *d, GError **error)
{
    PciDevice *dev = HUMPY_PCI_DEVICE(d);
    PciDevicePrivate *p = pci_priv(dev);
    PciDeviceClass *pc = HUMPY_PCI_DEVICE_GET_CLASS(dev);

    if (p->bus == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING,
                    "%s needs a PCI bus to be plugged into", device_type(d));
        return false;
    }
    if (dev->romfile != NULL && dev->romfile[0] != '\0') {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "romfile is '%s' but there are no expansion ROMs (valid: an empty name)",
                    dev->romfile);
        return false;
    }
    pci_config_init(dev);
    if (pc->realize != NULL && !pc->realize(dev, error)) {
        pci_msix_free(dev);
        memset(p->bars, 0, sizeof(p->bars));
        return false;
    }
    memcpy(p->power_on, p->config, PCIE_CONFIG_SIZE);
    return true;
}

static void pci_device_unrealize(Device *d)
{
    PciDevice *dev = HUMPY_PCI_DEVICE(d);
    PciDevicePrivate *p = pci_priv(dev);
    PciDeviceClass *pc = HUMPY_PCI_DEVICE_GET_CLASS(dev);

    memory_lock(device_lock(d));
    pci_bars_unmap(dev);
    pci_irq_drop(dev);
    memory_unlock(device_lock(d));
    if (pc->unrealize != NULL) {
        pc->unrealize(dev);
    }
    pci_irq_drop(dev); /* of a request that ended meanwhile */
    pci_msix_free(dev);
    memset(p->bars, 0, sizeof(p->bars));
}

static void pci_device_reset(Device *d)
{
    PciDevice *dev = HUMPY_PCI_DEVICE(d);
    PciDevicePrivate *p = pci_priv(dev);
    PciDeviceClass *pc = HUMPY_PCI_DEVICE_GET_CLASS(dev);
    bool was_master = p->master;

    pci_config_reset(dev);
    pci_msix_reset(dev);
    if (pc->reset != NULL) {
        pc->reset(dev);
    }
    __atomic_store_n(&p->master, false, __ATOMIC_RELEASE);
    if (was_master && pc->bus_master_changed != NULL) {
        pc->bus_master_changed(dev, false);
    }
    pci_irq_drop(dev);
    pci_bars_update(dev);
}

void pci_device_reset_function(PciDevice *dev)
{
    memory_lock(device_lock(HUMPY_DEVICE(dev)));
    pci_device_reset(HUMPY_DEVICE(dev));
    memory_unlock(device_lock(HUMPY_DEVICE(dev)));
}

static void pci_device_finalize(GObject *obj)
{
    PciDevicePrivate *p = pci_priv(HUMPY_PCI_DEVICE(obj));

    g_free(p->config);
    g_free(p->wmask);
    g_free(p->w1cmask);
    g_free(p->power_on);
    pthread_mutex_destroy(&p->irq_lock);
    G_OBJECT_CLASS(pci_device_parent_class)->finalize(obj);
}

static void pci_device_init(PciDevice *dev)
{
    PciDevicePrivate *p = pci_priv(dev);

    p->config = g_malloc0(PCIE_CONFIG_SIZE);
    p->wmask = g_malloc0(PCIE_CONFIG_SIZE);
    p->w1cmask = g_malloc0(PCIE_CONFIG_SIZE);
    p->power_on = g_malloc0(PCIE_CONFIG_SIZE);
    pthread_mutex_init(&p->irq_lock, NULL);
}

static const Prop pci_device_props[] = {
    PROP_STRING("addr", PciDevice, addr, NULL,
                "Slot and function on the bus, hexadecimal: 4 or 4.1"),
    PROP_BOOL("multifunction", PciDevice, multifunction, false,
              "Function 0 of a slot that has other functions, too"),
    PROP_STRING("romfile", PciDevice, romfile, NULL, "Expansion ROM; only an empty name is taken"),
    PROP_U32("rombar", PciDevice, rombar, 1, 0, 1, "Show the expansion ROM"),
};

static void pci_device_class_init(PciDeviceClass *klass)
{
    DeviceClass *dc = HUMPY_DEVICE_CLASS(klass);

    G_OBJECT_CLASS(klass)->finalize = pci_device_finalize;
    props_install(G_OBJECT_CLASS(klass), pci_device_props, G_N_ELEMENTS(pci_device_props));
    dc->bus = "PCI";
    dc->realize = pci_device_realize;
    dc->unrealize = pci_device_unrealize;
    dc->reset = pci_device_reset;
}
