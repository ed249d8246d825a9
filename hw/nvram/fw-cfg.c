/* SPDX-License-Identifier: GPL-2.0-or-later
 * The firmware configuration device: registers and life cycle. Interface as in QEMU's
 * docs/specs/fw_cfg.txt, memory-mapped form (for ports see fw-cfg-io.c): data at 0, selector at 8,
 * DMA address at 16, all big endian. Writing through the data register was taken out of the
 * interface and does nothing.
 *
 * Registers, DMA included, run in vCPU threads under the device's lock.
 */
#include "fw-cfg-priv.h"

enum {
    REG_DATA_END = 8,
    REG_SELECTOR = 8,
    REG_DMA_HIGH = 16,
    REG_DMA_LOW = 20,

    ID_TRADITIONAL = 1,
    ID_DMA = 2,
};

#define DMA_SIGNATURE UINT64_C(0x51454d5520434647) /* "QEMU CFG" */

DEVICE_DEFINE_TYPE(FwCfg, fw_cfg, "fw_cfg_mem", TYPE_DEVICE)

void fw_cfg_select(FwCfg *fw, unsigned key)
{
    fw->key = key;
    fw->offset = 0;
}

uint64_t fw_cfg_read_data(FwCfg *fw, unsigned size)
{
    FwCfgItem *item = fw_cfg_selected(fw);
    const uint8_t *data = NULL;
    size_t len = 0;
    uint64_t value = 0;

    if (item != NULL) {
        data = fw_cfg_item_data(item, &len);
    }
    for (unsigned i = 0; i < size; i++) {
        value = value << 8 | (fw->offset < len ? data[fw->offset++] : 0);
    }
    return value;
}

uint64_t fw_cfg_signature(unsigned at, unsigned size)
{
    return DMA_SIGNATURE << at * 8 >> (8 - size) * 8;
}

static uint64_t fw_cfg_read(void *opaque, hwaddr offset, unsigned size)
{
    FwCfg *fw = opaque;

    if (offset + size <= REG_DATA_END) {
        return fw_cfg_read_data(fw, size);
    }
    if (!fw->dma_enabled || offset < REG_DMA_HIGH) {
        return 0;
    }
    return fw_cfg_signature(offset - REG_DMA_HIGH, size);
}

static void fw_cfg_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    FwCfg *fw = opaque;
    hwaddr addr;

    if (offset == REG_SELECTOR && size == 2) {
        fw_cfg_select(fw, value);
        return;
    }
    if (!fw->dma_enabled) {
        return;
    }
    if (offset == REG_DMA_HIGH && size == 4) {
        fw->dma_high = value;
    } else if (offset == REG_DMA_HIGH && size == 8) {
        fw->dma_high = 0;
        fw_cfg_dma(fw, value);
    } else if (offset == REG_DMA_LOW && size == 4) {
        addr = (hwaddr)fw->dma_high << 32 | value;
        fw->dma_high = 0;
        fw_cfg_dma(fw, addr);
    }
}

static const MemoryRegionOps fw_cfg_ops = {
    .read = fw_cfg_read,
    .write = fw_cfg_write,
    .endianness = DEVICE_BIG_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 8 },
    .impl = { .min_access_size = 1, .max_access_size = 8 },
};

void fw_cfg_advertise_dma(FwCfg *fw, bool advertise)
{
    uint32_t id = GUINT32_TO_LE(ID_TRADITIONAL | (advertise && fw->dma_enabled ? ID_DMA : 0));
    g_autoptr(GBytes) features = g_bytes_new(&id, sizeof(id));

    fw_cfg_set_item(fw, FW_CFG_KEY_ID, features);
}

void fw_cfg_realize_with(FwCfg *fw, const MemoryRegionOps *ops, const char *name, unsigned size)
{
    Device *dev = HUMPY_DEVICE(fw);
    g_autoptr(GBytes) signature = g_bytes_new_static("QEMU", 4);

    fw->dma_enabled = fw->dma_enabled && fw->dma != NULL;
    fw_cfg_set_item(fw, FW_CFG_KEY_SIGNATURE, signature);
    fw_cfg_advertise_dma(fw, true);
    memory_region_init_io(&fw->mr, G_OBJECT(dev), ops, fw, name, size);
    device_add_mmio(dev, &fw->mr);
}

static bool fw_cfg_realize(Device *dev, GError **error)
{
    fw_cfg_realize_with(HUMPY_FW_CFG(dev), &fw_cfg_ops, "fwcfg", FW_CFG_SIZE);
    return true;
}

static void fw_cfg_unrealize(Device *dev)
{
    memory_region_destroy(&HUMPY_FW_CFG(dev)->mr);
}

static void fw_cfg_reset(Device *dev)
{
    FwCfg *fw = HUMPY_FW_CFG(dev);

    fw_cfg_select(fw, FW_CFG_KEY_SIGNATURE);
    fw->dma_high = 0;
}

static void fw_cfg_finalize(GObject *obj)
{
    fw_cfg_items_finalize(HUMPY_FW_CFG(obj));
    G_OBJECT_CLASS(fw_cfg_parent_class)->finalize(obj);
}

void fw_cfg_set_dma(FwCfg *fw, AddressSpace *dma)
{
    fw->dma = dma;
}

static const Prop fw_cfg_props[] = {
    PROP_BOOL("dma_enabled", FwCfg, dma_enabled, true, "Offer the DMA interface"),
};

static void fw_cfg_init(FwCfg *fw)
{
    fw_cfg_items_init(fw);
}

static void fw_cfg_class_init(FwCfgClass *klass)
{
    DeviceClass *dc = HUMPY_DEVICE_CLASS(klass);

    dc->summary = "Firmware configuration device, memory-mapped";
    dc->bus = "System";
    dc->realize = fw_cfg_realize;
    dc->unrealize = fw_cfg_unrealize;
    dc->reset = fw_cfg_reset;
    G_OBJECT_CLASS(klass)->finalize = fw_cfg_finalize;
    props_install(G_OBJECT_CLASS(klass), fw_cfg_props, G_N_ELEMENTS(fw_cfg_props));
}
