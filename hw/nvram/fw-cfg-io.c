/* SPDX-License-Identifier: GPL-2.0-or-later
 * The firmware configuration device at I/O ports ("fw_cfg_io"), as PCs have it: selector (16 bits,
 * little endian) at 0, data (bytes) at 1, DMA address at 4, whose halves of 32 bits are big endian.
 * The rest is fw-cfg.c's.
 */
#include "fw-cfg-priv.h"

enum { PORT_SELECTOR = 0, PORT_DATA = 1, PORT_DMA_HIGH = 4, PORT_DMA_LOW = 8 };

DEVICE_DEFINE_TYPE(FwCfg, fw_cfg_io, "fw_cfg_io", TYPE_FW_CFG)

static uint64_t fw_cfg_io_read(void *opaque, hwaddr offset, unsigned size)
{
    FwCfg *fw = opaque;

    if (offset == PORT_DATA) {
        return fw_cfg_read_data(fw, 1);
    }
    if (!fw->dma_enabled || offset < PORT_DMA_HIGH) {
        return 0;
    }
    /* The first byte, which is the highest there, is the lowest here. */
    return GUINT64_SWAP_LE_BE(fw_cfg_signature(offset - PORT_DMA_HIGH, size)) >> (8 - size) * 8;
}

static void fw_cfg_io_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    FwCfg *fw = opaque;
    hwaddr addr;

    if (offset == PORT_SELECTOR && size == 2) {
        fw_cfg_select(fw, value);
        return;
    }
    if (!fw->dma_enabled || size != 4) {
        return;
    }
    if (offset == PORT_DMA_HIGH) {
        fw->dma_high = GUINT32_SWAP_LE_BE((uint32_t)value);
    } else if (offset == PORT_DMA_LOW) {
        addr = (hwaddr)fw->dma_high << 32 | GUINT32_SWAP_LE_BE((uint32_t)value);
        fw->dma_high = 0;
        fw_cfg_dma(fw, addr);
    }
}

static const MemoryRegionOps fw_cfg_io_ops = {
    .read = fw_cfg_io_read,
    .write = fw_cfg_io_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 4 },
    .impl = { .min_access_size = 1, .max_access_size = 4 },
};

static bool fw_cfg_io_realize(Device *dev, GError **error)
{
    fw_cfg_realize_with(HUMPY_FW_CFG(dev), &fw_cfg_io_ops, "fwcfg-io", FW_CFG_IO_SIZE);
    return true;
}

static void fw_cfg_io_init(FwCfg *fw)
{
}

static void fw_cfg_io_class_init(FwCfgClass *klass)
{
    DeviceClass *dc = HUMPY_DEVICE_CLASS(klass);

    dc->summary = "Firmware configuration device at I/O ports";
    dc->realize = fw_cfg_io_realize;
}
