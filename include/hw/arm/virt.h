/* SPDX-License-Identifier: GPL-2.0-or-later
 * The "virt" machine: QEMU's documented arm64 board made of virtio-mmio, PL011, PL031 and a GICv3
 * at QEMU's addresses, and its device tree.
 */
#pragma once

#include "hw/core/machine.h"
#include "hw/pci/gpex.h"

enum {
    VIRT_FLASH = 0x00000000,
    VIRT_FLASH_SIZE = 0x04000000, /* of each of the two */
    VIRT_N_FLASHES = 2,
    VIRT_GICD = 0x08000000,
    VIRT_GICD_SIZE = 0x10000,
    VIRT_GICR = 0x080a0000,
    VIRT_GICR_SIZE_PER_CPU = 0x20000,
    VIRT_UART = 0x09000000,
    VIRT_RTC = 0x09010000,
    VIRT_FW_CFG = 0x09020000,
    VIRT_GPIO = 0x09030000,
    VIRT_MMIO = 0x0a000000,  /* virtio-mmio transports, VIRTIO_MMIO_SIZE apart */
    VIRT_PANIC = 0x0c000000, /* where QEMU has room for what a user adds to the board */
    VIRT_STALL = 0x0c001000, /* the same */
    VIRT_RAM = 0x40000000,
    VIRT_ZONE_LIMIT =
        0x80000000, /* protected, dma-window=zone: RAM is from here on, window below */

    VIRT_POWER_PIN = 3, /* of the GPIO */
    VIRT_N_SPIS = 256,
    VIRT_N_TRANSPORTS = 32,
    VIRT_MAX_CPUS = 8,

    /* SPIs */
    VIRT_UART_SPI = 1,
    VIRT_RTC_SPI = 2,
    VIRT_PCIE_SPI = 3, /* and three more: INTA to INTD */
    VIRT_GPIO_SPI = 7,
    VIRT_MMIO_SPI = 16, /* and one more per transport */
};

#define TYPE_VIRT_MACHINE virt_machine_get_type()
G_DECLARE_FINAL_TYPE(VirtMachine, virt_machine, HUMPY, VIRT_MACHINE, Machine)

/* The memory that a protected guest shares with its devices. */
typedef struct {
    AccelWindow kind; /* POOL or ZONE */
    /* No memory to the device tree but to firmware, which RAM starts with as ever. */
    bool hidden;
    uint64_t base, size;
} VirtWindow;

typedef struct {
    const char *cpu_compatible;
    unsigned n_cpus;
    uint64_t ram_base, ram_size; /* without a ZONE window, which is elsewhere */
    VirtWindow window;           /* size 0: there is none */
    bool protect;                /* devices reach nothing but the window */
    const Numa *numa;            /* NULL: not divided into nodes */
    bool flash, panic, stall;
    bool seeds; /* put kaslr-seed and rng-seed into /chosen */
    GpexLayout pcie;
} VirtFdtInfo;

/* The machine's device tree, packed, for g_free(). [any] */
void *virt_fdt_build(const VirtFdtInfo *info);
