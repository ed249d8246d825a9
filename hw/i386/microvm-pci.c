/* SPDX-License-Identifier: GPL-2.0-or-later
 * The microvm machine's PCI Express host: one root bus, reached through ECAM, through ports 0xcf8
 * and 0xcfc, and by hypervisors that decode those ports themselves; its lines; its messages, which
 * the accelerator delivers.
 */
#include "hw/i386/pci-ports.h"
#include "microvm-priv.h"

IoReqResult microvm_pci_config(void *opaque, IoRequest *req)
{
    MicrovmMachine *s = opaque;

    return s->pci != NULL ? gpex_config_request(s->pci, req) : IOREQ_FAULT;
}

/* Messages are for local APICs, or writes that mean nothing. [any] */
static void send_msi(void *opaque, uint64_t addr, uint32_t data)
{
    if (addr >= MICROVM_LAPIC && addr - MICROVM_LAPIC < MICROVM_LAPIC_SIZE) {
        accel_msi(opaque, addr, data);
    }
}

/* ---- the host ---- */

static bool add_host(MicrovmMachine *s, uint64_t caps, GError **error)
{
    Machine *m = HUMPY_MACHINE(s);
    bool high = !(caps & ACCEL_CAP_VCPUS) || (caps & ACCEL_CAP_HIGH_MMIO);
    GpexLayout layout = {
        .ecam = MICROVM_ECAM,
        .ecam_size = MICROVM_ECAM_SIZE,
        .ports = machine_system_io(m),
        .mem = MICROVM_PCI_MEM,
        .mem_size = MICROVM_PCI_MEM_SIZE,
        .mem64 = MICROVM_PCI_HIGH,
        .mem64_size = high ? MICROVM_PCI_HIGH_SIZE : 0,
    };
    Device *dev = g_object_new(TYPE_GPEX, NULL);

    gpex_set_up(HUMPY_GPEX(dev), &layout, machine_system_memory(m), machine_memory(m),
                caps & ACCEL_CAP_MSI);
    gpex_set_msi_target(HUMPY_GPEX(dev), send_msi, machine_accel(m));
    for (unsigned i = 0; i < PCI_N_LINES; i++) {
        device_connect_irq(dev, i, x86_gsi_line(s->gsis, MICROVM_PCI_GSI + i));
    }
    if (!microvm_add_device(s, dev, error)) {
        return false;
    }
    s->pci = HUMPY_GPEX(dev);
    s->pci_high_size = layout.mem64_size;
    return true;
}

static bool add_ports(MicrovmMachine *s, GError **error)
{
    MemoryRegion *io = machine_system_io(HUMPY_MACHINE(s));
    Device *dev = g_object_new(TYPE_PCI_PORTS, NULL);

    pci_ports_set_bus(HUMPY_PCI_PORTS(dev), s->pci != NULL ? gpex_bus(s->pci) : NULL);
    if (!microvm_add_device(s, dev, error)) {
        return false;
    }
    device_map(dev, 0, io, PCI_PORTS_CONFIG);
    return true;
}

bool microvm_add_pci(MicrovmMachine *s, GError **error)
{
    uint64_t caps = accel_caps(machine_accel(HUMPY_MACHINE(s)));

    return (s->pcie == PROP_OFF || add_host(s, caps, error)) && add_ports(s, error);
}
