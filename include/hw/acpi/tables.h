/* SPDX-License-Identifier: GPL-2.0-or-later
 * The ACPI tables that describe an x86 board to its kernel (ACPI 6.4, chapter 5): a machine says
 * what it has, and gets the bytes to put into guest memory.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

enum { ACPI_N_COMS = 4, ACPI_N_PCI_LINES = 4, ACPI_ALIGN = 64, ACPI_MAX_OVERRIDES = 16 };

/* An ISA interrupt that is not edge triggered at the GSI of its own number. */
typedef struct {
    uint8_t irq;
    uint32_t gsi;
    bool level; /* active high either way */
} AcpiOverride;

typedef struct {
    uint64_t base;
    uint32_t size, gsi;
} AcpiVirtio;

typedef struct {
    uint64_t ecam, ecam_size; /* below 4 GiB; 1 MiB for each bus */
    uint32_t mem, mem_size;
    uint64_t mem64, mem64_size; /* size 0: no window */
    uint32_t gsi[ACPI_N_PCI_LINES];
} AcpiPci;

typedef struct {
    unsigned n_cpus; /* local APIC IDs 0 to n_cpus - 1 */
    uint32_t lapic, ioapic;
    uint8_t ioapic_id;
    bool pic; /* a pair of 8259, too */
    AcpiOverride overrides[ACPI_MAX_OVERRIDES];
    unsigned n_overrides;
    uint8_t sci;        /* GSI of the PM block; needs an override */
    uint16_t pm;        /* its ports: see hw/acpi/pm.h */
    bool keyboard, rtc; /* an 8042 with a keyboard; an MC146818 at 0x70, IRQ 8 */
    uint16_t fw_cfg;    /* ports of the firmware configuration device; 0: there is none */
    struct {
        uint16_t port; /* 0: no such serial port */
        uint8_t irq;
    } com[ACPI_N_COMS];
    uint16_t pvpanic;         /* port of the panic register; 0: there is none */
    const AcpiVirtio *virtio; /* virtio-mmio transports */
    unsigned n_virtio;        /* at most 256 */
    const AcpiPci *pci;       /* or NULL: there is none */
} AcpiBoard;

/* Tables of at most max bytes for guest address addr, a multiple of ACPI_ALIGN; they begin with the
 * RSDP. NULL: they do not fit (RANGE). */
GBytes *acpi_tables_build(const AcpiBoard *board, uint32_t addr, size_t max, GError **error);
