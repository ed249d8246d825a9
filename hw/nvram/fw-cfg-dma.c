/* SPDX-License-Identifier: GPL-2.0-or-later
 * DMA commands of the firmware configuration device: a structure of 16 bytes in guest memory, big
 * endian, says what to do; its first word is overwritten with the outcome. The guest is believed
 * nothing: what goes behind an item's end reads as zeroes, is refused for writing, and the first
 * guest address that is not memory ends the command.
 */
#include <string.h>

#include "fw-cfg-priv.h"

enum {
    CTL_ERROR = 0x01,
    CTL_READ = 0x02,
    CTL_SKIP = 0x04,
    CTL_SELECT = 0x08,
    CTL_WRITE = 0x10,
    CTL_KEY_SHIFT = 16,
};

typedef struct {
    uint32_t control, length;
    uint64_t address;
} DmaCommand;
G_STATIC_ASSERT(sizeof(DmaCommand) == 16);

/* The bytes of item from the current offset on, at most len. */
static const uint8_t *rest(const FwCfg *fw, const FwCfgItem *item, uint32_t len, uint32_t *have)
{
    const uint8_t *data = NULL;
    size_t size = 0;

    if (item != NULL) {
        data = fw_cfg_item_data(item, &size);
    }
    *have = fw->offset < size ? MIN(size - fw->offset, len) : 0;
    return *have != 0 ? data + fw->offset : NULL;
}

static bool dma_read(FwCfg *fw, const FwCfgItem *item, const DmaCommand *cmd)
{
    uint32_t have;
    const uint8_t *data = rest(fw, item, cmd->length, &have);

    if (have != 0 && address_space_write(fw->dma, cmd->address, data, have) != MEMTX_OK) {
        return false;
    }
    for (uint32_t done = have, part; done < cmd->length; done += part) {
        static const uint8_t zeroes[4096];

        part = MIN(cmd->length - done, sizeof(zeroes));
        if (address_space_write(fw->dma, cmd->address + done, zeroes, part) != MEMTX_OK) {
            return false;
        }
    }
    fw->offset += cmd->length;
    return true;
}

static bool dma_write(FwCfg *fw, FwCfgItem *item, const DmaCommand *cmd)
{
    if (item == NULL || item->data == NULL || fw->offset > item->size ||
        cmd->length > item->size - fw->offset) {
        return false;
    }
    if (cmd->length == 0) {
        return true;
    }
    if (address_space_read(fw->dma, cmd->address, item->data + fw->offset, cmd->length) !=
        MEMTX_OK) {
        return false;
    }
    fw->offset += cmd->length;
    return item->written == NULL || item->written(item->opaque, item->data, item->size);
}

/* Of the three that move the offset the first that is asked for is done. */
static bool run(FwCfg *fw, const DmaCommand *cmd)
{
    FwCfgItem *item;

    if (cmd->control & CTL_SELECT) {
        fw_cfg_select(fw, cmd->control >> CTL_KEY_SHIFT);
    }
    item = fw_cfg_selected(fw);
    if (cmd->control & CTL_READ) {
        return dma_read(fw, item, cmd);
    }
    if (cmd->control & CTL_WRITE) {
        return dma_write(fw, item, cmd);
    }
    if (cmd->control & CTL_SKIP) {
        fw->offset += cmd->length;
    }
    return true;
}

void fw_cfg_dma(FwCfg *fw, hwaddr addr)
{
    DmaCommand cmd;
    uint32_t outcome;

    if (address_space_read(fw->dma, addr, &cmd, sizeof(cmd)) != MEMTX_OK) {
        outcome = GUINT32_TO_BE(CTL_ERROR);
    } else {
        cmd.control = GUINT32_FROM_BE(cmd.control);
        cmd.length = GUINT32_FROM_BE(cmd.length);
        cmd.address = GUINT64_FROM_BE(cmd.address);
        outcome = run(fw, &cmd) ? 0 : GUINT32_TO_BE(CTL_ERROR);
    }
    /* Nobody is left to tell if this fails. */
    (void)address_space_write(fw->dma, addr, &outcome, sizeof(outcome));
}
