/* SPDX-License-Identifier: GPL-2.0-or-later
 * MSI (PCI 3.0, section 6.8.1) with one message, a 64-bit address and no mask bits. All of its
 * state is in configuration space.
 */
#include "pci-priv.h"

enum { MSI_SIZE = 14 }; /* of the capability in this form */

void pci_msi_init(PciDevice *dev)
{
    PciDevicePrivate *p = pci_priv(dev);
    uint8_t *wmask;

    g_assert(p->msi == 0);
    p->msi = pci_add_capability(dev, PCI_CAP_ID_MSI, MSI_SIZE);
    pci_set_word(p->config + p->msi + PCI_MSI_FLAGS, PCI_MSI_FLAGS_64BIT);
    wmask = p->wmask + p->msi;
    pci_set_word(wmask + PCI_MSI_FLAGS, PCI_MSI_FLAGS_ENABLE);
    pci_set_long(wmask + PCI_MSI_ADDRESS_LO, ~3u);
    pci_set_long(wmask + PCI_MSI_ADDRESS_HI, ~0u);
    pci_set_word(wmask + PCI_MSI_DATA_64, 0xffff);
}

bool pci_msi_enabled(PciDevice *dev)
{
    PciDevicePrivate *p = pci_priv(dev);

    return p->msi != 0 &&
           (pci_config_word(dev, p->msi + PCI_MSI_FLAGS) & PCI_MSI_FLAGS_ENABLE) != 0;
}

void pci_msi_notify(PciDevice *dev)
{
    unsigned at = pci_priv(dev)->msi;

    if (pci_msi_enabled(dev) && pci_is_bus_master(dev)) {
        pci_send_message(dev,
                         (uint64_t)pci_config_long(dev, at + PCI_MSI_ADDRESS_HI) << 32 |
                             pci_config_long(dev, at + PCI_MSI_ADDRESS_LO),
                         pci_config_word(dev, at + PCI_MSI_DATA_64));
    }
}
