/* SPDX-License-Identifier: GPL-2.0-or-later
 * State of the firmware configuration device: fw-cfg.c has the registers, fw-cfg-dma.c the DMA
 * commands, fw-cfg-items.c the items and the directory of files. All under the device's lock.
 */
#pragma once

#include "hw/nvram/fw-cfg.h"

enum {
    FW_CFG_MAX_FILES = 512,
    FW_CFG_KEY_MASK = 0x3fff, /* without the write and architecture bits */
    FW_CFG_KEY_ARCH = 0x8000,
};

/* What one key stands for. Read-only ones have bytes, writable ones data. */
typedef struct {
    GBytes *bytes;
    uint8_t *data;
    size_t size; /* of data */
    FwCfgWritten written;
    void *opaque;
} FwCfgItem;

typedef struct {
    char *name;
    FwCfgItem item;
} FwCfgFile;

struct _FwCfg {
    Device parent_instance;
    bool dma_enabled; /* property */
    AddressSpace *dma;
    MemoryRegion mr;
    FwCfgItem items[FW_CFG_KEY_FIRST_FILE];
    GPtrArray *files; /* of FwCfgFile, by name: file n has key FW_CFG_KEY_FIRST_FILE + n */
    unsigned key;     /* selected */
    uint64_t offset;  /* of the next byte; may be behind the end */
    uint32_t dma_high;
};

/* ---- fw-cfg-items.c ---- */
/* What is selected, or NULL. */
FwCfgItem *fw_cfg_selected(FwCfg *fw);
const uint8_t *fw_cfg_item_data(const FwCfgItem *item, size_t *size);
void fw_cfg_items_init(FwCfg *fw);
void fw_cfg_items_finalize(FwCfg *fw);

/* ---- fw-cfg.c ---- */
void fw_cfg_select(FwCfg *fw, unsigned key);
/* The next size bytes, the first in the highest place. */
uint64_t fw_cfg_read_data(FwCfg *fw, unsigned size);
/* A part of the signature in the DMA register: byte 0 is the highest. */
uint64_t fw_cfg_signature(unsigned at, unsigned size);
/* The rest of a realize: all but which registers there are. */
void fw_cfg_realize_with(FwCfg *fw, const MemoryRegionOps *ops, const char *name, unsigned size);

/* ---- fw-cfg-dma.c ---- */
/* Does what the command at guest address addr says and writes the outcome there. */
void fw_cfg_dma(FwCfg *fw, hwaddr addr);
