/* SPDX-License-Identifier: GPL-2.0-or-later
 * Base address registers (PCI 3.0, section 6.2.5.1): what they look like to the guest that sizes
 * them, and where in the bus's windows the regions behind them appear.
 */
#include "pci-priv.h"

enum { BAR_PRIORITY = 1 };

static unsigned bar_reg(unsigned n)
{
    return PCI_BASE_ADDRESS_0 + 4 * n;
}

void pci_add_bar(PciDevice *dev, unsigned n, unsigned flags, MemoryRegion *mr)
{
    PciDevicePrivate *p = pci_priv(dev);
    uint64_t size = memory_region_size(mr);
    uint64_t mask = ~(size - 1);
    uint32_t type;

    g_assert(n < PCI_N_BARS && p->bars[n].mr == NULL);
    g_assert((size & (size - 1)) == 0 && size >= ((flags & PCI_BAR_IO) != 0 ? 4 : 16));
    g_assert((flags & PCI_BAR_64) != 0 ? n + 1 < PCI_N_BARS : size <= 2u << 30);
    type = (flags & PCI_BAR_IO) != 0 ? PCI_BASE_ADDRESS_SPACE_IO : 0;
    type |= (flags & PCI_BAR_64) != 0 ? PCI_BASE_ADDRESS_MEM_TYPE_64 : 0;
    type |= (flags & PCI_BAR_PREFETCH) != 0 ? PCI_BASE_ADDRESS_MEM_PREFETCH : 0;
    pci_set_long(p->config + bar_reg(n), type);
    pci_set_long(p->wmask + bar_reg(n), mask);
    if ((flags & PCI_BAR_64) != 0) {
        pci_set_long(p->wmask + bar_reg(n + 1), mask >> 32);
    }
    memory_region_set_lock(mr, device_lock(HUMPY_DEVICE(dev)));
    p->bars[n] = (PciBar){ .mr = mr, .flags = flags };
}

/* Where the guest has put BAR n, or UINT64_MAX: not decoded now. A range that would wrap or reach
 * the last address is what a guest that sizes the register (or has none of its own) leaves there:
 * nothing is decoded. [device lock] */
static uint64_t pci_bar_address(PciDevice *dev, unsigned n)
{
    PciDevicePrivate *p = pci_priv(dev);
    const PciBar *bar = &p->bars[n];
    bool io = (bar->flags & PCI_BAR_IO) != 0, wide = (bar->flags & PCI_BAR_64) != 0;
    uint64_t addr, size, limit = wide ? UINT64_MAX : UINT32_MAX;

    if (bar->mr == NULL ||
        (p->config[PCI_COMMAND] & (io ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY)) == 0) {
        return UINT64_MAX;
    }
    size = memory_region_size(bar->mr);
    addr = pci_config_long(dev, bar_reg(n));
    if (wide) {
        addr |= (uint64_t)pci_config_long(dev, bar_reg(n + 1)) << 32;
    }
    addr &= ~(size - 1);
    return addr < limit - (size - 1) ? addr : UINT64_MAX;
}

bool pci_bar_info(PciDevice *dev, unsigned n, PciBarInfo *info)
{
    const PciBar *bar = &pci_priv(dev)->bars[n];

    memory_lock(device_lock(HUMPY_DEVICE(dev)));
    if (bar->mr != NULL) {
        info->flags = bar->flags;
        info->size = memory_region_size(bar->mr);
        info->address = pci_bar_address(dev, n);
    }
    memory_unlock(device_lock(HUMPY_DEVICE(dev)));
    return bar->mr != NULL;
}

static void move_bar(PciDevice *dev, unsigned n)
{
    PciDevicePrivate *p = pci_priv(dev);
    PciBar *bar = &p->bars[n];
    uint64_t addr = pci_bar_address(dev, n);

    if (addr == bar->addr && bar->into != NULL) {
        return;
    }
    if (bar->into != NULL) {
        memory_region_del_subregion(bar->into, bar->mr);
        bar->into = NULL;
    }
    if (addr != UINT64_MAX) {
        bar->into = (bar->flags & PCI_BAR_IO) != 0 ? p->bus->root.io : p->bus->root.mem;
        bar->addr = addr;
        memory_region_add_subregion_overlap(bar->into, addr, bar->mr, BAR_PRIORITY);
    }
}

void pci_bars_update(PciDevice *dev)
{
    memory_region_transaction_begin();
    for (unsigned i = 0; i < PCI_N_BARS; i++) {
        if (pci_priv(dev)->bars[i].mr != NULL) {
            move_bar(dev, i);
        }
    }
    memory_region_transaction_commit();
}

void pci_bars_unmap(PciDevice *dev)
{
    PciDevicePrivate *p = pci_priv(dev);

    memory_region_transaction_begin();
    for (unsigned i = 0; i < PCI_N_BARS; i++) {
        if (p->bars[i].into != NULL) {
            memory_region_del_subregion(p->bars[i].into, p->bars[i].mr);
            p->bars[i].into = NULL;
        }
    }
    memory_region_transaction_commit();
}
