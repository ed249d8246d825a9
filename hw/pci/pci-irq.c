/* SPDX-License-Identifier: GPL-2.0-or-later
 * INTx (PCI 3.0, section 2.2.6): a function's wish, the command register that hides it, and the way
 * up through bridges (PCI-to-PCI Bridge 1.2, section 9.1) to the root bus's four lines, on which
 * the host bridge adds up who drives what.
 */
#include "pci-priv.h"

bool pci_irq_wish(PciDevice *dev)
{
    PciDevicePrivate *p = pci_priv(dev);
    bool wish;

    pthread_mutex_lock(&p->irq_lock);
    wish = p->wish;
    pthread_mutex_unlock(&p->irq_lock);
    return wish;
}

/* [irq_lock] */
static void drive(PciDevice *dev)
{
    PciDevicePrivate *p = pci_priv(dev);
    bool level = p->wish && !p->hidden;
    unsigned pin = p->config[PCI_INTERRUPT_PIN];

    if (level != p->driven && pin != 0) {
        p->driven = level;
        pci_bus_set_line(p->bus, p->devfn, pin - 1, level);
    }
}

void pci_use_pin(PciDevice *dev, unsigned pin)
{
    g_assert(pin >= 1 && pin <= PCI_N_LINES);
    pci_priv(dev)->config[PCI_INTERRUPT_PIN] = pin;
}

void pci_set_irq(PciDevice *dev, int level)
{
    PciDevicePrivate *p = pci_priv(dev);

    pthread_mutex_lock(&p->irq_lock);
    p->wish = level != 0;
    drive(dev);
    pthread_mutex_unlock(&p->irq_lock);
}

void pci_irq_update(PciDevice *dev)
{
    PciDevicePrivate *p = pci_priv(dev);
    bool hidden = (pci_config_word(dev, PCI_COMMAND) & PCI_COMMAND_INTX_DISABLE) != 0 ||
                  pci_msix_enabled(dev) || pci_msi_enabled(dev); /* PCI 3.0, section 6.8.2 */

    pthread_mutex_lock(&p->irq_lock);
    p->hidden = hidden;
    drive(dev);
    pthread_mutex_unlock(&p->irq_lock);
}

void pci_irq_drop(PciDevice *dev)
{
    PciDevicePrivate *p = pci_priv(dev);

    pthread_mutex_lock(&p->irq_lock);
    p->wish = false;
    p->hidden = false;
    drive(dev);
    pthread_mutex_unlock(&p->irq_lock);
}

void pci_bus_set_line(PciBus *bus, unsigned devfn, unsigned pin, int level)
{
    unsigned line = (pin + PCI_SLOT_OF(devfn)) % PCI_N_LINES;

    while (bus->bridge != NULL) {
        devfn = pci_device_devfn(bus->bridge);
        bus = pci_device_bus(bus->bridge);
        line = (line + PCI_SLOT_OF(devfn)) % PCI_N_LINES;
    }
    bus->root.set_line(bus->root.opaque, line, level);
    if (bus->root.set_pin != NULL) {
        unsigned dev = PCI_SLOT_OF(devfn);

        bus->root.set_pin(bus->root.opaque, dev, (line - dev) % PCI_N_LINES, level);
    }
}
