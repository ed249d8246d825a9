/* SPDX-License-Identifier: GPL-2.0-or-later
 * State of the virt machine, shared by virt.c, which builds and boots it, virt-platform.c, which
 * has the smaller parts of the board, virt-protect.c, which lays out memory, and virt-options.c,
 * which knows its properties and what of them can be had.
 */
#pragma once

#include "block/block.h"
#include "efi/store.h"
#include "hw/arm/boot.h"
#include "hw/arm/virt.h"
#include "hw/block/pflash-cfi01.h"
#include "hw/nvram/fw-cfg.h"

struct _VirtMachine {
    Machine parent_instance;
    int gic_version, acpi, iommu;
    bool highmem, its, secure, virtualization, usb, mte, ras, dtb_randomness;

    const char *cpu_compatible;
    char *confidential;        /* id of an arm-confidential-guest, or NULL */
    AccelProtect protection;   /* what is asked for */
    bool protect;              /* what it is */
    bool all_lent;             /* no device reaches memory */
    bool signed_image;         /* -kernel is what the hypervisor authenticates */
    VirtWindow window;         /* size 0: there is none; kind is settled */
    MemoryRegion firmware_ram; /* for what the hypervisor starts first */
    uint64_t firmware_base;
    uint64_t ram_base,
        ram_size; /* what the kernel is loaded into; the window is behind it in RAM */
    char *pflash[VIRT_N_FLASHES]; /* node names */
    PflashCfi01 *flash;           /* the first, or NULL; owned by the machine's list, as the rest */
    /* firmware where there can be no flash: virt-firmware.c */
    MemoryRegion code;
    uint64_t code_size; /* 0: there is none */
    BlockBackend *code_blk;
    EfiVolume volume; /* len 0: there is none */
    EfiStore *store;
    Device *gic; /* or NULL: the accelerator's */
    Device *power_button;
    Device *panic, *stall;
    FwCfg *fw_cfg;
    Gpex *pcie;
    bool pcie_wired;
    Device *transports[VIRT_N_TRANSPORTS];
    const char *on_transport; /* type of a device on one of them, or NULL */
};

/* ---- virt.c ---- */
enum { VIRT_NO_SPI = UINT32_MAX };
bool virt_has_irqchip(Machine *m);
bool virt_wire(Machine *m, unsigned spi, AccelIrqMode mode, GError **error);
/* A new wire to spi, wherever the interrupt controller is. */
IrqLine *virt_spi_line(Machine *m, unsigned spi);
/* Realizes, maps and connects dev, whose line is wired by then. Takes the reference. */
bool virt_add_device(Machine *m, Device *dev, uint64_t addr, unsigned spi, GError **error);

/* ---- virt-platform.c ---- */
/* The interrupt controller, unless the accelerator brings one. Before anything with an interrupt.
 */
bool virt_add_gic(VirtMachine *v, GError **error);
/* Everything on the board besides CPUs, RAM, UART, clock and the buses for -device. */
bool virt_add_platform(VirtMachine *v, GError **error);
/* Maps a -device that is on no bus. */
bool virt_plug_into_board(VirtMachine *v, Device *dev, GError **error);
void virt_powerdown(Machine *m);
bool virt_add_fw_cfg(Machine *m, const char *name, GBytes *data, GError **error);

/* ---- virt-firmware.c ---- */
/* Whether -bios or a drive for the first flash is given. */
bool virt_wants_firmware(VirtMachine *v);
/* Takes firmware and variables into RAM, for an accelerator that can have no flash. fw_cfg is
 * there. */
bool virt_add_firmware(VirtMachine *v, GError **error);
/* Makes it ready to start, all devices being there. */
bool virt_install_firmware(VirtMachine *v, ArmFirmware *firmware, GError **error);
void virt_drop_firmware(VirtMachine *v);

/* ---- virt-pcie.c ---- */
/* Where the PCI Express host is. [main] */
GpexLayout virt_pcie_layout(VirtMachine *v);
/* Realizes and maps it; takes nothing of the accelerator's yet. */
bool virt_add_pcie(VirtMachine *v, GError **error);
/* Wires its interrupt lines, if there is something behind it. Before the device tree is built. */
bool virt_wire_pcie(VirtMachine *v, GError **error);

/* ---- virt-protect.c ---- */
/* Settles whether the guest is, or may become, protected and with which window, and maps RAM. The
 * accelerator is open. */
bool virt_map_ram(VirtMachine *v, GError **error);
/* Mirrors it, but for what the machine does with its RAM itself. */
void virt_unmap_ram(VirtMachine *v);
/* Makes the guest's kernel ready for the one or the other, before the device tree is built. */
void virt_set_protected(VirtMachine *v, bool protect);
/* What the kernel's command line needs for it, or NULL. For g_free(). */
char *virt_protect_append(VirtMachine *v);

/* ---- virt-options.c ---- */
/* Values of -cpu, the default first; NULL-terminated. */
extern const char *const virt_cpu_types[];

void virt_install_options(VirtMachineClass *klass);
/* Checks the properties and config against each other and what accel can do; sets cpu_compatible.
 * Errors start with the option. */
bool virt_check_options(VirtMachine *v, const MachineConfig *config, Accel *accel, GError **error);
