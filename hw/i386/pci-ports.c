/* SPDX-License-Identifier: GPL-2.0-or-later
 * The chipset's ports. The address register is one register for all CPUs, as on real machines: a
 * guest locks around the pair. Only accesses of four bytes reach it; of the others in its place the
 * one to 0xcf9 means the reset control register (Intel ICH9 datasheet, section 13.7.5).
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

    PORT92_RESET = 1 << 0,
    PORT92_A20 = 1 << 1,
};

struct _PciPorts {
    Device parent_instance;
    PciBus *root;
    MemoryRegion config_mr, port92_mr;
    uint32_t address; /* atomic, as the next two */
    uint8_t reset_control, port92;
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

/* A bit that asks for a reset as it goes from 0 to 1. */
static void write_reset(uint8_t *reg, uint8_t value, uint8_t reset_bit)
{
    uint8_t before = __atomic_exchange_n(reg, value, __ATOMIC_RELAXED);

    if (value & ~before & reset_bit) {
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
        write_reset(&s->reset_control, value & (RESET_SYSTEM | RESET_CPU | RESET_FULL), RESET_CPU);
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

static uint64_t port92_read(void *opaque, hwaddr offset, unsigned size)
{
    return __atomic_load_n(&((PciPorts *)opaque)->port92, __ATOMIC_RELAXED);
}

/* A20 is always open: the bit is kept for who reads it back. */
static void port92_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    PciPorts *s = opaque;

    write_reset(&s->port92, value & (PORT92_RESET | PORT92_A20), PORT92_RESET);
}

static const MemoryRegionOps port92_ops = {
    .read = port92_read,
    .write = port92_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 1 },
    .impl = { .min_access_size = 1, .max_access_size = 1 },
};

void pci_ports_set_bus(PciPorts *s, PciBus *root)
{
    s->root = root;
}

static bool pci_ports_realize(Device *dev, GError **error)
{
    PciPorts *s = HUMPY_PCI_PORTS(dev);

    memory_region_init_io(&s->config_mr, G_OBJECT(dev), &config_ops, s, "pci-config-ports", 8);
    memory_region_init_io(&s->port92_mr, G_OBJECT(dev), &port92_ops, s, "port92", 1);
    device_add_mmio(dev, &s->config_mr);
    device_add_mmio(dev, &s->port92_mr);
    memory_region_set_lock(&s->config_mr, NULL);
    memory_region_set_lock(&s->port92_mr, NULL);
    return true;
}

static void pci_ports_unrealize(Device *dev)
{
    memory_region_destroy(&HUMPY_PCI_PORTS(dev)->config_mr);
    memory_region_destroy(&HUMPY_PCI_PORTS(dev)->port92_mr);
}

static void pci_ports_reset(Device *dev)
{
    PciPorts *s = HUMPY_PCI_PORTS(dev);

    __atomic_store_n(&s->address, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&s->reset_control, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&s->port92, PORT92_A20, __ATOMIC_RELAXED);
}

static void pci_ports_init(PciPorts *s)
{
    s->port92 = PORT92_A20;
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
