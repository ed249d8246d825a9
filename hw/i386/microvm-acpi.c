/* SPDX-License-Identifier: GPL-2.0-or-later
 * What the microvm machine's ACPI tables say of it, and where they are: at the start of the range
 * in which a PC's BIOS would be, so that a kernel that is not told finds them, too.
 */
#include "hw/core/bus.h"
#include "hw/virtio/virtio-mmio.h"
#include "microvm-priv.h"

enum { IOAPIC_ID = 0 };

/* Lines that several devices may share; ISA's others are edge triggered, as a kernel expects. */
static void add_override(AcpiBoard *board, unsigned irq)
{
    board->overrides[board->n_overrides++] =
        (AcpiOverride){ .irq = irq, .gsi = irq, .level = true };
}

static void describe_pci(MicrovmMachine *s, AcpiBoard *board, AcpiPci *pci)
{
    *pci = (AcpiPci){
        .ecam = MICROVM_ECAM,
        .ecam_size = MICROVM_ECAM_SIZE,
        .mem = MICROVM_PCI_MEM,
        .mem_size = MICROVM_PCI_MEM_SIZE,
        .mem64 = MICROVM_PCI_HIGH,
        .mem64_size = s->pci_high_size,
    };
    for (unsigned i = 0; i < ACPI_N_PCI_LINES; i++) {
        pci->gsi[i] = MICROVM_PCI_GSI + i;
        add_override(board, MICROVM_PCI_GSI + i);
    }
    board->pci = pci;
}

/* Transports that carry something, in the order in which the user gave the devices. */
static unsigned describe_virtio(MicrovmMachine *s, AcpiVirtio *virtio)
{
    unsigned n = 0;

    for (unsigned i = MICROVM_N_TRANSPORTS; i-- > 0;) {
        if (bus_n_devices(virtio_mmio_bus(HUMPY_VIRTIO_MMIO(s->transports[i]))) > 0) {
            virtio[n++] = (AcpiVirtio){
                .base = MICROVM_MMIO + i * VIRTIO_MMIO_SIZE,
                .size = VIRTIO_MMIO_SIZE,
                .gsi = MICROVM_MMIO_GSI + i,
            };
        }
    }
    return n;
}

bool microvm_load_acpi(MicrovmMachine *s, const LoaderDest *ram, uint64_t *rsdp, GError **error)
{
    Machine *m = HUMPY_MACHINE(s);
    g_autoptr(GBytes) tables = NULL;
    AcpiVirtio virtio[MICROVM_N_TRANSPORTS];
    AcpiPci pci;
    AcpiBoard board = {
        .n_cpus = machine_n_cpus(m),
        .lapic = MICROVM_LAPIC,
        .ioapic = MICROVM_IOAPIC,
        .ioapic_id = IOAPIC_ID,
        .pic = accel_caps(machine_accel(m)) & ACCEL_CAP_IRQCHIP,
        .sci = MICROVM_SCI,
        .pm = MICROVM_ACPI_PM,
        .keyboard = false, /* the controller is there, and nothing plugged into it */
        .rtc = s->rtc != PROP_OFF,
        .pvpanic = s->panic != NULL ? pvpanic_isa_port(s->panic) : 0,
        .fw_cfg = MICROVM_FW_CFG,
        .virtio = virtio,
        .n_virtio = describe_virtio(s, virtio),
    };

    for (unsigned i = 0; i < MICROVM_N_SERIALS; i++) {
        if (s->serials[i] != NULL) {
            board.com[i].port = microvm_serials[i].port;
            board.com[i].irq = microvm_serials[i].irq;
        }
    }
    add_override(&board, MICROVM_SCI);
    if (s->pci != NULL) {
        describe_pci(s, &board, &pci);
    }
    tables = acpi_tables_build(&board, MICROVM_ROM, MICROVM_ROM_SIZE, error);
    if (tables == NULL || !loader_store(ram, MICROVM_ROM, g_bytes_get_data(tables, NULL),
                                        g_bytes_get_size(tables), error)) {
        g_prefix_error(error, "-machine microvm: ");
        return false;
    }
    machine_note_rom(m, "acpi-tables", MICROVM_ROM, g_bytes_get_size(tables));
    *rsdp = MICROVM_ROM;
    return true;
}
