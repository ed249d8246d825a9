/* SPDX-License-Identifier: GPL-2.0-or-later
 * PCI configuration by ports. The address register is one register for all CPUs, as on real
 * machines: a guest locks around the pair. Only accesses of four bytes reach it; of the others in
 * its place the one to 0xcf9 means the reset control register (Intel ICH9 datasheet,
 * section 13.7.5).
 */
#include "hw/i386/pci-ports.h"

#include "hw/core/machine.h"

enum {
    ADDRESS = 0, /* offsets from 0xcf8 */
    RESET_CONTROL = 1,
    DATA = 4,

    ADDRESS_ENABLE = 1u << 31,
    ADDRESS_MASK = 0x80fffffc,

    RESET_SYSTEM = 1 << 1,
    RESET_CPU = 1 << 2, /* resets as it goes from 0 to 1 */
    RESET_FULL = 1 << 3,
};

struct _PciPorts {
    Device parent_instance;
    PciBus *root;
    MemoryRegion mr;
    uint32_t address; /* atomic, as the next */
    uint8_t reset_control;
};

DEVICE_DEFINE_TYPE(PciPorts, pci_ports, "x86-pci-ports", TYPE_DEVICE)

static uint32_t address_of(PciPorts *s)
{
    return __atomic_load_n(&s->address, __ATOMIC_RELAXED);
}

static uint64_t data_read(PciPorts *s, unsigned offset, unsigned size)
{
    uint32_t address = address_of(s);

    if (s->root == NULL || !(address & ADDRESS_ENABLE)) {
        return UINT32_MAX;
    }
    return pci_root_config_read(s->root, address >> 16 & 0xff, address >> 8 & 0xff,
                                (address & 0xfc) + offset, size);
}

static void data_write(PciPorts *s, unsigned offset, uint32_t value, unsigned size)
{
    uint32_t address = address_of(s);

    if (s->root != NULL && (address & ADDRESS_ENABLE)) {
        pci_root_config_write(s->root, address >> 16 & 0xff, address >> 8 & 0xff,
                              (address & 0xfc) + offset, value, size);
    }
}

static void reset_control_write(PciPorts *s, uint8_t value)
{
    uint8_t before;

    value &= RESET_SYSTEM | RESET_CPU | RESET_FULL;
    before = __atomic_exchange_n(&s->reset_control, value, __ATOMIC_RELAXED);
    if (value & ~before & RESET_CPU) {
        machine_report_guest(MACHINE_GUEST_RESET);
    }
}

static uint64_t config_read(void *opaque, hwaddr offset, unsigned size)
{
    PciPorts *s = opaque;

    if (offset >= DATA) {
        return data_read(s, offset - DATA, size);
    }
    if (offset == ADDRESS && size == 4) {
        return address_of(s);
    }
    return offset == RESET_CONTROL && size == 1
               ? __atomic_load_n(&s->reset_control, __ATOMIC_RELAXED)
               : UINT32_MAX;
}

static void config_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    PciPorts *s = opaque;

    if (offset >= DATA) {
        data_write(s, offset - DATA, value, size);
    } else if (offset == ADDRESS && size == 4) {
        __atomic_store_n(&s->address, value & ADDRESS_MASK, __ATOMIC_RELAXED);
    } else if (offset == RESET_CONTROL && size == 1) {
        reset_control_write(s, value);
    }
}

/* Without a lock, as ECAM: the function that is meant has its own. */
static const MemoryRegionOps config_ops = {
    .read = config_read,
    .write = config_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 4 },
    .impl = { .min_access_size = 1, .max_access_size = 4 },
};

void pci_ports_set_bus(PciPorts *s, PciBus *root)
{
    s->root = root;
}

static bool pci_ports_realize(Device *dev, GError **error)
{
    PciPorts *s = HUMPY_PCI_PORTS(dev);

    memory_region_init_io(&s->mr, G_OBJECT(dev), &config_ops, s, "pci-config-ports", 8);
    device_add_mmio(dev, &s->mr);
    memory_region_set_lock(&s->mr, NULL);
    return true;
}

static void pci_ports_unrealize(Device *dev)
{
    memory_region_destroy(&HUMPY_PCI_PORTS(dev)->mr);
}

static void pci_ports_reset(Device *dev)
{
    PciPorts *s = HUMPY_PCI_PORTS(dev);

    __atomic_store_n(&s->address, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&s->reset_control, 0, __ATOMIC_RELAXED);
}

static void pci_ports_init(PciPorts *s)
{
}

static void pci_ports_class_init(PciPortsClass *klass)
{
    DeviceClass *dc = HUMPY_DEVICE_CLASS(klass);

    dc->summary = "PCI configuration and reset ports of an x86 chipset";
    dc->bus = "System";
    dc->realize = pci_ports_realize;
    dc->unrealize = pci_ports_unrealize;
    dc->reset = pci_ports_reset;
}
