/* SPDX-License-Identifier: GPL-2.0-or-later
 * The virt machine's PCI Express host: its places in the memory map, which are QEMU's, and its
 * wires. With highmem=off, or on a hypervisor that hands on no accesses so far up (Gunyah),
 * configuration space is small and below 1 GiB, and there is no 64-bit window.
 */
#include "virt-priv.h"

GpexLayout virt_pcie_layout(VirtMachine *v)
{
    uint64_t caps = accel_caps(machine_accel(HUMPY_MACHINE(v)));
    bool high = (caps & ACCEL_CAP_VCPUS) == 0 || (caps & ACCEL_CAP_HIGH_MMIO) != 0;
    GpexLayout layout = {
        .ecam = 0x3f000000,
        .ecam_size = 0x01000000,
        .io = 0x3eff0000,
        .mem = 0x10000000,
        .mem_size = 0x2eff0000,
    };

    if (v->window.hidden) {
        layout.mem_size = v->window.base - layout.mem;
    }
    if (v->highmem && high) {
        layout.ecam = 0x4010000000;
        layout.ecam_size = 0x10000000;
        layout.mem64 = 0x8000000000;
        layout.mem64_size = 0x8000000000;
    }
    return layout;
}

bool virt_add_pcie(VirtMachine *v, GError **error)
{
    Machine *m = HUMPY_MACHINE(v);
    GpexLayout layout = virt_pcie_layout(v);
    uint64_t caps = accel_caps(machine_accel(m));
    g_autoptr(Device) dev = g_object_new(TYPE_GPEX, NULL);

    gpex_set_up(HUMPY_GPEX(dev), &layout, machine_system_memory(m), machine_memory(m),
                (caps & ACCEL_CAP_MSI) != 0);
    for (unsigned i = 0; i < PCI_N_LINES; i++) {
        device_connect_irq(dev, i, virt_spi_line(m, VIRT_PCIE_SPI + i));
    }
    if (!device_realize(dev, error)) {
        return false;
    }
    machine_add_device(m, dev);
    v->pcie = HUMPY_GPEX(dev);
    return true;
}

bool virt_wire_pcie(VirtMachine *v, GError **error)
{
    if (v->pcie_wired || bus_n_devices(HUMPY_BUS(gpex_bus(v->pcie))) <= 1 /* the bridge itself */) {
        return true;
    }
    v->pcie_wired = true;
    for (unsigned i = 0; i < PCI_N_LINES; i++) {
        if (!virt_wire(HUMPY_MACHINE(v), VIRT_PCIE_SPI + i, ACCEL_IRQ_LEVEL, error)) {
            return false;
        }
    }
    return true;
}
