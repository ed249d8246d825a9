/* SPDX-License-Identifier: GPL-2.0-or-later
 * The DSDT: devices that a kernel cannot find by itself, in ACPI machine language. All interrupts
 * of PCI and virtio are level triggered and active high, which for PCI only a link device can say:
 * a plain GSI in _PRT would mean active low (ACPI 6.4, section 6.2.13).
 */
#include <string.h>

#include "acpi-priv.h"
#include "hw/acpi/pm.h"

enum {
    PCI_SLOTS = 32,
    PCI_CONFIG_PORTS = 0xcf8,
    BUS_SIZE = 1 << 20, /* of ECAM */

    /* _OSC of a host bridge (PCI Firmware 3.2, section 4.5.1) */
    OSC_UNKNOWN_UUID = 1 << 2,
    OSC_UNKNOWN_REVISION = 1 << 3,
    OSC_MASKED = 1 << 4,
    OSC_GRANTED = 0x1f, /* native hot-plug, SHPC, PME, AER, capability structure */

    RTC_PORT = 0x70,
    RTC_IRQ = 8,
    FW_CFG_PORTS = 12,
};

static void add_hid(Aml *aml, const char *id, unsigned uid)
{
    aml_name(aml, "_HID");
    if (strncmp(id, "PNP", 3) == 0) {
        aml_eisa_id(aml, id);
    } else {
        aml_string(aml, id);
    }
    aml_name(aml, "_UID");
    aml_int(aml, uid);
}

static void add_present(Aml *aml)
{
    aml_name(aml, "_STA");
    aml_int(aml, 0x0f);
}

static void begin_crs(Aml *aml)
{
    aml_name(aml, "_CRS");
    aml_resources(aml);
}

/* ---- CPUs and devices of the board ---- */

static void add_cpus(Aml *aml, const AcpiBoard *board)
{
    for (unsigned i = 0; i < board->n_cpus; i++) {
        g_autofree char *name = g_strdup_printf("C%03X", i);

        aml_device(aml, name);
        add_hid(aml, "ACPI0007", i);
        aml_end(aml);
    }
}

static void add_coms(Aml *aml, const AcpiBoard *board)
{
    for (unsigned i = 0; i < ACPI_N_COMS; i++) {
        g_autofree char *name = g_strdup_printf("COM%u", i + 1);

        if (board->com[i].port == 0) {
            continue;
        }
        aml_device(aml, name);
        add_hid(aml, "PNP0501", i + 1);
        begin_crs(aml);
        aml_res_ports(aml, board->com[i].port, 8);
        aml_res_isa_irq(aml, board->com[i].irq);
        aml_end(aml);
        aml_end(aml);
    }
}

static void add_rtc(Aml *aml)
{
    aml_device(aml, "RTC");
    add_hid(aml, "PNP0B00", 0);
    begin_crs(aml);
    aml_res_ports(aml, RTC_PORT, 2);
    aml_res_isa_irq(aml, RTC_IRQ);
    aml_end(aml);
    aml_end(aml);
}

static void add_fw_cfg(Aml *aml, uint16_t port)
{
    aml_device(aml, "FWCF");
    add_hid(aml, "QEMU0002", 0);
    add_present(aml);
    begin_crs(aml);
    aml_res_ports(aml, port, FW_CFG_PORTS);
    aml_end(aml);
    aml_end(aml);
}

static void add_pvpanic(Aml *aml, uint16_t port)
{
    aml_device(aml, "PEVT");
    add_hid(aml, "QEMU0001", 0);
    add_present(aml);
    begin_crs(aml);
    aml_res_ports(aml, port, 1);
    aml_end(aml);
    aml_end(aml);
}

static void add_virtio(Aml *aml, const AcpiBoard *board)
{
    for (unsigned i = 0; i < board->n_virtio; i++) {
        const AcpiVirtio *virtio = &board->virtio[i];
        g_autofree char *name = g_strdup_printf("VR%02X", i);

        aml_device(aml, name);
        add_hid(aml, "LNRO0005", i);
        aml_name(aml, "_CCA");
        aml_int(aml, 1);
        begin_crs(aml);
        aml_res_memory32(aml, virtio->base, virtio->size);
        aml_res_gsi(aml, virtio->gsi, AML_LEVEL_HIGH, true);
        aml_end(aml);
        aml_end(aml);
    }
}

/* ---- PCI ---- */

static void line_name(char *name, unsigned line)
{
    g_snprintf(name, 5, "LNK%c", 'A' + line);
}

/* Its one GSI cannot be changed: setting it again does nothing. */
static void add_links(Aml *aml, const AcpiPci *pci)
{
    for (unsigned i = 0; i < ACPI_N_PCI_LINES; i++) {
        char name[5];

        line_name(name, i);
        aml_device(aml, name);
        add_hid(aml, "PNP0C0F", i);
        add_present(aml);
        aml_name(aml, "_PRS");
        aml_resources(aml);
        aml_res_gsi(aml, pci->gsi[i], AML_LEVEL_HIGH, true);
        aml_end(aml);
        begin_crs(aml);
        aml_res_gsi(aml, pci->gsi[i], AML_LEVEL_HIGH, true);
        aml_end(aml);
        aml_method(aml, "_SRS", 1);
        aml_end(aml);
        aml_method(aml, "_DIS", 0);
        aml_end(aml);
        aml_end(aml);
    }
}

static void add_routes(Aml *aml)
{
    aml_name(aml, "_PRT");
    aml_package(aml, PCI_SLOTS * ACPI_N_PCI_LINES);
    for (unsigned slot = 0; slot < PCI_SLOTS; slot++) {
        for (unsigned pin = 0; pin < ACPI_N_PCI_LINES; pin++) {
            char name[5];

            line_name(name, (slot + pin) % ACPI_N_PCI_LINES);
            aml_package(aml, 4);
            aml_int(aml, slot << 16 | 0xffff);
            aml_int(aml, pin);
            aml_path(aml, name);
            aml_int(aml, 0);
            aml_end(aml);
        }
    }
    aml_end(aml);
}

/* SHDR |= bits */
static void set_status(Aml *aml, unsigned bits)
{
    aml_op(aml, AML_OR);
    aml_path(aml, "SHDR");
    aml_int(aml, bits);
    aml_path(aml, "SHDR");
}

static void create_field(Aml *aml, unsigned at, const char *name)
{
    aml_op(aml, AML_CREATE_DWORD_FIELD);
    aml_op(aml, AML_ARG0 + 3);
    aml_int(aml, at);
    aml_path(aml, name);
}

static void answer_osc(Aml *aml)
{
    create_field(aml, 8, "SCTL");
    aml_op(aml, AML_AND);
    aml_path(aml, "SCTL");
    aml_int(aml, OSC_GRANTED);
    aml_op(aml, AML_LOCAL0);
    aml_if(aml);
    aml_op(aml, AML_NOT);
    aml_op(aml, AML_EQUAL);
    aml_op(aml, AML_LOCAL0);
    aml_path(aml, "SCTL");
    set_status(aml, OSC_MASKED);
    aml_end(aml);
    aml_if(aml);
    aml_op(aml, AML_NOT);
    aml_op(aml, AML_EQUAL);
    aml_op(aml, AML_ARG0 + 1);
    aml_int(aml, 1);
    set_status(aml, OSC_UNKNOWN_REVISION);
    aml_end(aml);
    aml_op(aml, AML_STORE);
    aml_op(aml, AML_LOCAL0);
    aml_path(aml, "SCTL");
}

/* The kernel may have what it wants of what the board has. */
static void add_osc(Aml *aml)
{
    aml_method(aml, "_OSC", 4);
    create_field(aml, 0, "SHDR");
    aml_if(aml);
    aml_op(aml, AML_EQUAL);
    aml_op(aml, AML_ARG0);
    aml_uuid(aml, "33db4d5b-1ff7-401c-9657-7441c03dd766");
    answer_osc(aml);
    aml_end(aml);
    aml_else(aml);
    set_status(aml, OSC_UNKNOWN_UUID);
    aml_end(aml);
    aml_op(aml, AML_RETURN);
    aml_op(aml, AML_ARG0 + 3);
    aml_end(aml);
}

static void add_host_bridge(Aml *aml, const AcpiPci *pci)
{
    aml_device(aml, "PCI0");
    add_hid(aml, "PNP0A08", 0);
    aml_name(aml, "_CID");
    aml_eisa_id(aml, "PNP0A03");
    aml_name(aml, "_SEG");
    aml_int(aml, 0);
    aml_name(aml, "_BBN");
    aml_int(aml, 0);
    begin_crs(aml);
    aml_res_bus_window(aml, 0, pci->ecam_size / BUS_SIZE);
    aml_res_ports(aml, PCI_CONFIG_PORTS, 8);
    aml_res_port_window(aml, 0, PCI_CONFIG_PORTS);
    aml_res_port_window(aml, PCI_CONFIG_PORTS + 8, 0x10000 - PCI_CONFIG_PORTS - 8);
    aml_res_memory_window32(aml, pci->mem, pci->mem_size);
    aml_res_memory_window64(aml, pci->mem64, pci->mem64_size);
    aml_end(aml);
    add_osc(aml);
    add_routes(aml);
    aml_end(aml);

    /* Nothing else may be put where configuration space is. */
    aml_device(aml, "ECAM");
    add_hid(aml, "PNP0C02", 0);
    begin_crs(aml);
    aml_res_memory32(aml, pci->ecam, pci->ecam_size);
    aml_end(aml);
    aml_end(aml);
}

/* The SLP_TYP values of soft off, for PM1a and the PM1b that there is not. */
static void add_s5(Aml *aml)
{
    aml_name(aml, "\\_S5");
    aml_package(aml, 4);
    aml_int(aml, ACPI_PM_S5);
    for (unsigned i = 1; i < 4; i++) {
        aml_int(aml, 0);
    }
    aml_end(aml);
}

GBytes *acpi_dsdt_build(const AcpiBoard *board, size_t max, GError **error)
{
    Aml *aml = aml_new(max);

    add_s5(aml);
    aml_scope(aml, "\\_SB");
    add_cpus(aml, board);
    add_coms(aml, board);
    if (board->rtc) {
        add_rtc(aml);
    }
    if (board->fw_cfg != 0) {
        add_fw_cfg(aml, board->fw_cfg);
    }
    if (board->pvpanic != 0) {
        add_pvpanic(aml, board->pvpanic);
    }
    add_virtio(aml, board);
    if (board->pci != NULL) {
        add_links(aml, board->pci);
        add_host_bridge(aml, board->pci);
    }
    aml_end(aml);
    return aml_finish(aml, error);
}
