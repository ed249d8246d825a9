/* SPDX-License-Identifier: GPL-2.0-or-later
 * Registers and windows of a PCI-to-PCI bridge, see pci-bridge.h. Accesses are forwarded downwards;
 * what functions behind the bridge access of their own does not depend on it.
 */
#include "pci-bridge.h"

#include "pci-priv.h"

static bool touches(unsigned addr, unsigned len, unsigned first, unsigned last)
{
    return addr <= last && addr + len > first;
}

/* ---- windows ---- */

static void set_window(MemoryRegion *win, bool open, uint64_t base, uint64_t limit)
{
    open = open && base <= limit;
    if (open) {
        memory_region_set_address(win, base);
        memory_region_set_alias_offset(win, base);
        /* All of it is 2^64, which is what the largest number stands for. */
        memory_region_set_size(win, limit - base == UINT64_MAX ? UINT64_MAX : limit - base + 1);
    }
    memory_region_set_enabled(win, open);
}

static void update_windows(PciBridge *br)
{
    const uint8_t *config = pci_config(br->dev);
    uint16_t command = pci_config_word(br->dev, PCI_COMMAND);
    bool mem = (command & PCI_COMMAND_MEMORY) != 0, io = (command & PCI_COMMAND_IO) != 0;
    uint64_t base = pci_config_word(br->dev, PCI_MEMORY_BASE) & PCI_MEMORY_RANGE_MASK;
    uint64_t limit = pci_config_word(br->dev, PCI_MEMORY_LIMIT) & PCI_MEMORY_RANGE_MASK;

    memory_region_transaction_begin();
    set_window(&br->win_mem, mem, base << 16, limit << 16 | 0xfffff);
    base = (uint64_t)pci_config_long(br->dev, PCI_PREF_BASE_UPPER32) << 32 |
           (uint32_t)(pci_config_word(br->dev, PCI_PREF_MEMORY_BASE) & 0xfff0) << 16;
    limit = (uint64_t)pci_config_long(br->dev, PCI_PREF_LIMIT_UPPER32) << 32 |
            (uint32_t)(pci_config_word(br->dev, PCI_PREF_MEMORY_LIMIT) & 0xfff0) << 16 | 0xfffff;
    set_window(&br->win_pref, mem, base, limit);
    base = (config[PCI_IO_BASE] & 0xf0) << 8;
    limit = (config[PCI_IO_LIMIT] & 0xf0) << 8 | 0xfff;
    set_window(&br->win_io, io, base, limit);
    memory_region_transaction_commit();
}

/* ---- reset of what is behind (section 3.2.5.18) ---- */

static void reset_behind(PciBridge *br)
{
    for (unsigned i = 0; i < PCI_N_DEVFNS; i++) {
        g_autoptr(PciDevice) dev = pci_bus_get(br->bus, i);

        if (dev != NULL) {
            pci_device_reset_function(dev);
        }
    }
}

void pci_bridge_config_written(PciBridge *br, unsigned addr, unsigned len)
{
    const uint8_t *config = pci_config(br->dev);

    if (touches(addr, len, PCI_SECONDARY_BUS, PCI_SUBORDINATE_BUS)) {
        pci_bus_set_numbers(br->bus, config[PCI_SECONDARY_BUS], config[PCI_SUBORDINATE_BUS]);
    }
    if (touches(addr, len, PCI_COMMAND, PCI_COMMAND + 1) ||
        touches(addr, len, PCI_IO_BASE, PCI_IO_LIMIT) ||
        touches(addr, len, PCI_MEMORY_BASE, PCI_PREF_LIMIT_UPPER32 + 3)) {
        update_windows(br);
    }
    if (touches(addr, len, PCI_BRIDGE_CONTROL, PCI_BRIDGE_CONTROL) &&
        (config[PCI_BRIDGE_CONTROL] & PCI_BRIDGE_CTL_BUS_RESET) != 0) {
        reset_behind(br);
    }
}

void pci_bridge_reset(PciBridge *br)
{
    memory_region_transaction_begin();
    memory_region_set_enabled(&br->win_mem, false);
    memory_region_set_enabled(&br->win_pref, false);
    memory_region_set_enabled(&br->win_io, false);
    memory_region_transaction_commit();
    pci_bus_set_numbers(br->bus, 0, 0);
}

/* ---- life ---- */

static void init_registers(PciDevice *dev)
{
    uint8_t *config = pci_config(dev), *wmask = pci_wmask(dev), *w1c = pci_w1cmask(dev);

    wmask[PCI_PRIMARY_BUS] = 0xff;
    wmask[PCI_SECONDARY_BUS] = 0xff;
    wmask[PCI_SUBORDINATE_BUS] = 0xff;
    wmask[PCI_IO_BASE] = 0xf0;
    wmask[PCI_IO_LIMIT] = 0xf0;
    pci_set_word(w1c + PCI_SEC_STATUS, 0xf900);
    pci_set_word(wmask + PCI_MEMORY_BASE, 0xfff0);
    pci_set_word(wmask + PCI_MEMORY_LIMIT, 0xfff0);
    pci_set_word(config + PCI_PREF_MEMORY_BASE, PCI_PREF_RANGE_TYPE_64);
    pci_set_word(config + PCI_PREF_MEMORY_LIMIT, PCI_PREF_RANGE_TYPE_64);
    pci_set_word(wmask + PCI_PREF_MEMORY_BASE, 0xfff0);
    pci_set_word(wmask + PCI_PREF_MEMORY_LIMIT, 0xfff0);
    pci_set_long(wmask + PCI_PREF_BASE_UPPER32, UINT32_MAX);
    pci_set_long(wmask + PCI_PREF_LIMIT_UPPER32, UINT32_MAX);
    pci_set_word(wmask + PCI_BRIDGE_CONTROL,
                 PCI_BRIDGE_CTL_PARITY | PCI_BRIDGE_CTL_SERR | PCI_BRIDGE_CTL_BUS_RESET);
}

static void add_window(PciBridge *br, MemoryRegion *win, const char *name, MemoryRegion *behind,
                       MemoryRegion *before)
{
    memory_region_init_alias(win, G_OBJECT(br->dev), name, behind, 0, 0x1000);
    memory_region_set_enabled(win, false);
    memory_region_add_subregion(before, 0, win);
}

void pci_bridge_init(PciBridge *br, PciDevice *dev, const char *name, bool one_slot)
{
    PciBus *before = pci_device_bus(dev);

    br->dev = dev;
    init_registers(dev);
    memory_region_init(&br->mem, G_OBJECT(dev), "pci-bridge-mem", UINT64_MAX);
    memory_region_init(&br->io, G_OBJECT(dev), "pci-bridge-io", 0x10000);
    add_window(br, &br->win_mem, "pci-bridge-mem-window", &br->mem, before->root.mem);
    add_window(br, &br->win_pref, "pci-bridge-pref-window", &br->mem, before->root.mem);
    add_window(br, &br->win_io, "pci-bridge-io-window", &br->io, before->root.io);
    br->bus = g_object_ref(pci_secondary_bus_new(dev, name, &br->mem, &br->io, one_slot));
}

void pci_bridge_finish(PciBridge *br)
{
    PciBus *before = pci_device_bus(br->dev);

    pci_secondary_bus_drop(br->bus);
    memory_region_transaction_begin();
    memory_region_del_subregion(before->root.mem, &br->win_mem);
    memory_region_del_subregion(before->root.mem, &br->win_pref);
    memory_region_del_subregion(before->root.io, &br->win_io);
    memory_region_transaction_commit();
    memory_region_destroy(&br->win_mem);
    memory_region_destroy(&br->win_pref);
    memory_region_destroy(&br->win_io);
    memory_region_destroy(&br->mem);
    memory_region_destroy(&br->io);
    g_clear_object(&br->bus);
}
