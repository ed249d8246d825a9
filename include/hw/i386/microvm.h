/* SPDX-License-Identifier: GPL-2.0-or-later
 * The "microvm" machine: an x86 board of virtio-mmio, PCI Express and the few old devices that
 * kernels still ask for, at the addresses of QEMU's machine of that name where it has them
 * (docs/machine-microvm.md).
 */
#pragma once

#include "hw/core/machine.h"

#define MICROVM_GIB ((uint64_t)1 << 30)

enum {
    /* ports */
    MICROVM_PIC = 0x20,
    MICROVM_PIT = 0x40,
    MICROVM_PORT_B = 0x61,
    MICROVM_RTC = 0x70,
    MICROVM_PIC_SLAVE = 0xa0,
    MICROVM_PIC_ELCR = 0x4d0,
    MICROVM_FW_CFG = 0x510,
    MICROVM_ACPI_PM = 0x600, /* PM1 event block; control at 0x604, timer at 0x608 */

    /* memory */
    MICROVM_ROM = 0xe0000, /* to 1 MiB: where a BIOS would be, and ACPI tables are */
    MICROVM_ROM_SIZE = 0x20000,
    MICROVM_EBDA = 0x9fc00,
    MICROVM_VGA = 0xa0000,
    MICROVM_MMIO = 0xfeb00000, /* virtio-mmio transports, VIRTIO_MMIO_SIZE apart */
    MICROVM_IOAPIC = 0xfec00000,
    MICROVM_LAPIC = 0xfee00000, /* and where messages are written to */
    MICROVM_LAPIC_SIZE = 0x100000,

    MICROVM_N_TRANSPORTS = 8,
    MICROVM_N_SERIALS = 4,
    MICROVM_MAX_CPUS = 32,

    /* global system interrupts; below 16 those of ISA */
    MICROVM_RTC_IRQ = 8,
    MICROVM_SCI = 9,
    MICROVM_PCI_GSI = 12,  /* and three more: INTA to INTD */
    MICROVM_MMIO_GSI = 16, /* and one more per transport */
};

/* Memory below 4 GiB ends at the latest where the windows of PCI begin. */
#define MICROVM_LOW_RAM_MAX   (3 * MICROVM_GIB)
#define MICROVM_HIGH_RAM      (4 * MICROVM_GIB)
#define MICROVM_RAM_MAX       (252 * MICROVM_GIB)
#define MICROVM_PCI_MEM       UINT64_C(0xc0000000)
#define MICROVM_PCI_MEM_SIZE  UINT64_C(0x20000000)
#define MICROVM_ECAM          UINT64_C(0xe0000000)
#define MICROVM_ECAM_SIZE     UINT64_C(0x10000000)
#define MICROVM_PCI_HIGH      (256 * MICROVM_GIB)
#define MICROVM_PCI_HIGH_SIZE (256 * MICROVM_GIB)

#define TYPE_MICROVM_MACHINE microvm_machine_get_type()
G_DECLARE_FINAL_TYPE(MicrovmMachine, microvm_machine, HUMPY, MICROVM_MACHINE, Machine)
