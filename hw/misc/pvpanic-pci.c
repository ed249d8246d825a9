/* SPDX-License-Identifier: GPL-2.0-or-later
 * The pvpanic register behind BAR 0 of a PCI function. What it does is in pvpanic.c.
 */
#include "hw/misc/pvpanic.h"
#include "hw/pci/pci-ids.h"
#include "hw/pci/pci.h"

enum { BAR_SIZE = 16 }; /* the smallest that there is */

typedef struct {
    PciDevice parent_instance;
    uint32_t events; /* property */
    MemoryRegion mr;
} PvpanicPci;

typedef struct {
    PciDeviceClass parent_class;
} PvpanicPciClass;

DEVICE_DEFINE_TYPE(PvpanicPci, pvpanic_pci, "pvpanic-pci", TYPE_PCI_DEVICE)

static PvpanicPci *from_pci(PciDevice *dev)
{
    return (PvpanicPci *)dev;
}

static bool pvpanic_pci_realize(PciDevice *dev, GError **error)
{
    PvpanicPci *s = from_pci(dev);

    pvpanic_init_region(&s->mr, G_OBJECT(dev), &s->events, BAR_SIZE);
    pci_add_bar(dev, 0, 0, &s->mr);
    return true;
}

static void pvpanic_pci_unrealize(PciDevice *dev)
{
    memory_region_destroy(&from_pci(dev)->mr);
}

static const Prop pvpanic_pci_props[] = {
    PVPANIC_PROPS(PvpanicPci, events),
};

static void pvpanic_pci_init(PvpanicPci *s)
{
}

static void pvpanic_pci_class_init(PvpanicPciClass *klass)
{
    PciDeviceClass *pc = HUMPY_PCI_DEVICE_CLASS(klass);

    pc->vendor_id = PCI_VENDOR_REDHAT;
    pc->device_id = PCI_DEVICE_PVPANIC;
    pc->class_id = PCI_CLASS_SYSTEM_OTHER;
    pc->subsystem_vendor_id = PCI_VENDOR_VIRTIO;
    pc->subsystem_id = PCI_SUBSYSTEM_PLAIN;
    pc->revision = 1;
    pc->realize = pvpanic_pci_realize;
    pc->unrealize = pvpanic_pci_unrealize;
    HUMPY_DEVICE_CLASS(klass)->summary = "Register in which a guest reports a kernel panic";
    HUMPY_DEVICE_CLASS(klass)->user_creatable = true;
    props_install(G_OBJECT_CLASS(klass), pvpanic_pci_props, G_N_ELEMENTS(pvpanic_pci_props));
}
