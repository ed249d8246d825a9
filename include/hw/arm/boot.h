/* SPDX-License-Identifier: GPL-2.0-or-later
 * Puts kernel, device tree and initrd of an arm64 machine into RAM by the arm64 boot protocol
 * (Linux Documentation/arm64/booting.rst) and by what the accelerator wants.
 */
#pragma once

#include "accel/accel.h"
#include "hw/core/machine.h"

/* Largest device tree an arm64 kernel takes. */
enum { ARM_FDT_MAX = 2 << 20 };

typedef struct {
    Machine *machine; /* for info roms; NULL: nobody asks */
    Accel *accel;
    const MachineConfig *config; /* kernel, initrd, append, dtb */
    MemoryRegion *ram;           /* one region at ram_base, which is 2 MiB aligned */
    uint64_t ram_base;
    uint64_t ram_size; /* how much of ram is for kernel, device tree and initrd; 0: all */
    bool signed_image; /* an ELF kernel is for the hypervisor to authenticate and to enter */
    bool protect;      /* as in AccelBootInfo; no device tree but the machine's own will do */
    /* What the command line gets besides config->append; NULL: nothing. */
    const char *more_append;
    /* The machine's own device tree, packed, for g_free(); not asked for with config->dtb. */
    void *(*build_fdt)(void *opaque, GError **error);
    void *opaque;
} ArmBootRequest;

/* Makes the device tree the guest will see, without addresses of an initrd: from config->dtb or
 * build_fdt, with the command line and the accelerator's additions. Packed, for g_free(). [main] */
void *arm_boot_fdt(const ArmBootRequest *req, GError **error);

/* Loads everything and tells where it is. *fdt_out (NULL: not wanted) is the tree as loaded, for
 * g_free(). Messages start with the option that is to blame. [main] */
bool arm_boot_load(const ArmBootRequest *req, AccelBootInfo *boot, void **fdt_out, GError **error);

/* Firmware that is in guest memory already. */
typedef struct {
    uint64_t entry;
    /* Where no flash can be had the RAM, from entry on, that holds it; from dtb_at on it is for the
     * device tree that goes to the hypervisor. NULL: it is in flash. */
    MemoryRegion *region;
    uint64_t dtb_at;
} ArmFirmware;

/* The same for firmware, which finds the machine's device tree at the first byte of RAM. [main] */
bool arm_boot_firmware(const ArmBootRequest *req, const ArmFirmware *firmware, AccelBootInfo *boot,
                       void **fdt_out, GError **error);

/* ---- device trees from files ---- */

/* Checks len hostile bytes as a device tree for a machine with this RAM and returns it in a buffer
 * of ARM_FDT_MAX bytes, opened for editing, with the memory nodes replaced by the one there is.
 * For g_free(). Pure. */
void *arm_fdt_from_bytes(const void *data, size_t len, uint64_t ram_base, uint64_t ram_size,
                         GError **error);
/* Sets /chosen/bootargs, creating /chosen. fdt is opened for editing. */
bool arm_fdt_set_bootargs(void *fdt, const char *bootargs, GError **error);
/* Sets /chosen's initrd range; [0, 0) makes room for it or takes it away again. */
bool arm_fdt_set_initrd(void *fdt, uint64_t start, uint64_t end, GError **error);
