/* SPDX-License-Identifier: GPL-2.0-or-later
 * The variables of UEFI firmware on an accelerator that can have no flash: memory of the guest,
 * with a copy on a drive that every change goes to. In the guest serves them the driver that is
 * added to its firmware (store-driver.c).
 */
#pragma once

#include "hw/nvram/fw-cfg.h"
#include "volume.h"

enum {
    EFI_STORE_BLOCK = 256 << 10, /* an erase block of the virt machine's flash */
    /* What EDK2 built for that machine uses of its second flash: variables, and twice as much to
     * replace them without a moment in which they are lost. */
    EFI_STORE_SIZE = 3 * EFI_STORE_BLOCK,
    EFI_STORE_DRIVE_SIZE = 64 << 20, /* that flash */
};

typedef struct EfiStore EfiStore;

/* drive: name of a node with a flash's content, or NULL for a store that is forgotten. */
EfiStore *efi_store_new(const char *drive, GError **error);
/* The region is mapped nowhere, fw_cfg asks no more. NULL is fine. */
void efi_store_free(EfiStore *s);
MemoryRegion *efi_store_region(EfiStore *s);

/* Adds the file that takes the driver's records; before the guest runs. */
bool efi_store_connect(EfiStore *s, FwCfg *fw, GError **error);

/* Guest addresses of what the driver uses. */
typedef struct {
    uint64_t store, fw_cfg;
    uint64_t window, window_size; /* memory that firmware does not know; size 0: there is none */
    bool window_only;             /* devices reach nothing but that */
} EfiPlaces;
/* Adds the driver to image, where volume is, or tells the one that is there of other places. All
 * files of fw_cfg are there. */
bool efi_store_install(EfiStore *s, uint8_t *image, EfiVolume *volume, const EfiPlaces *places,
                       GError **error);
