/* SPDX-License-Identifier: GPL-2.0-or-later
 * Configuration space of one function (PCI 3.0, chapter 6): the header's identity and masks, reads
 * and writes, what a write sets in motion, the capability list. Which function an access means is
 * pci-bus.c's business.
 */
#include <endian.h>
#include <string.h>

#include "pci-priv.h"

enum {
    COMMAND_WRITABLE = PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER |
                       PCI_COMMAND_PARITY | PCI_COMMAND_SERR | PCI_COMMAND_INTX_DISABLE,
    STATUS_W1C = PCI_STATUS_PARITY | PCI_STATUS_SIG_TARGET_ABORT | PCI_STATUS_REC_TARGET_ABORT |
                 PCI_STATUS_REC_MASTER_ABORT | PCI_STATUS_SIG_SYSTEM_ERROR |
                 PCI_STATUS_DETECTED_PARITY,
    EXP_CAP_SIZE = 0x3c,
};

void pci_set_word(uint8_t *bytes, uint16_t value)
{
    value = htole16(value);
    memcpy(bytes, &value, sizeof(value));
}

void pci_set_long(uint8_t *bytes, uint32_t value)
{
    value = htole32(value);
    memcpy(bytes, &value, sizeof(value));
}

uint16_t pci_config_word(PciDevice *dev, unsigned reg)
{
    uint16_t value;

    g_assert(reg + sizeof(value) <= PCIE_CONFIG_SIZE);
    memcpy(&value, pci_config(dev) + reg, sizeof(value));
    return le16toh(value);
}

uint32_t pci_config_long(PciDevice *dev, unsigned reg)
{
    uint32_t value;

    g_assert(reg + sizeof(value) <= PCIE_CONFIG_SIZE);
    memcpy(&value, pci_config(dev) + reg, sizeof(value));
    return le32toh(value);
}

uint8_t *pci_config(PciDevice *dev)
{
    return pci_priv(dev)->config;
}

uint8_t *pci_wmask(PciDevice *dev)
{
    return pci_priv(dev)->wmask;
}

uint8_t *pci_w1cmask(PciDevice *dev)
{
    return pci_priv(dev)->w1cmask;
}

/* ---- the header ---- */

void pci_config_init(PciDevice *dev)
{
    PciDevicePrivate *p = pci_priv(dev);
    PciDeviceClass *pc = HUMPY_PCI_DEVICE_GET_CLASS(dev);

    p->config_size = PCI_CONFIG_SIZE;
    p->cap_end = PCI_STD_HEADER_SIZEOF;
    memset(p->config, 0, PCIE_CONFIG_SIZE);
    memset(p->wmask, 0, PCIE_CONFIG_SIZE);
    memset(p->w1cmask, 0, PCIE_CONFIG_SIZE);
    pci_set_word(p->config + PCI_VENDOR_ID, pc->vendor_id);
    pci_set_word(p->config + PCI_DEVICE_ID, pc->device_id);
    p->config[PCI_REVISION_ID] = pc->revision;
    p->config[PCI_CLASS_PROG] = pc->prog_if;
    pci_set_word(p->config + PCI_CLASS_DEVICE, pc->class_id);
    p->config[PCI_HEADER_TYPE] = (pc->bridge ? PCI_HEADER_TYPE_BRIDGE : PCI_HEADER_TYPE_NORMAL) |
                                 (dev->multifunction ? 0x80 : 0);
    if (!pc->bridge) {
        pci_set_word(p->config + PCI_SUBSYSTEM_VENDOR_ID, pc->subsystem_vendor_id);
        pci_set_word(p->config + PCI_SUBSYSTEM_ID, pc->subsystem_id);
    }
    pci_set_word(p->wmask + PCI_COMMAND, COMMAND_WRITABLE);
    pci_set_word(p->w1cmask + PCI_STATUS, STATUS_W1C);
    p->wmask[PCI_CACHE_LINE_SIZE] = 0xff;
    p->wmask[PCI_INTERRUPT_LINE] = 0xff;
}

void pci_config_reset(PciDevice *dev)
{
    PciDevicePrivate *p = pci_priv(dev);

    for (unsigned i = 0; i < PCIE_CONFIG_SIZE; i++) {
        uint8_t changeable = p->wmask[i] | p->w1cmask[i];

        p->config[i] = (p->config[i] & ~changeable) | (p->power_on[i] & changeable);
    }
}

/* ---- capabilities ---- */

unsigned pci_add_capability(PciDevice *dev, uint8_t id, unsigned size)
{
    PciDevicePrivate *p = pci_priv(dev);
    unsigned at = p->cap_end;

    size = (size + 3) & ~3u;
    g_assert(at + size <= PCI_CONFIG_SIZE);
    p->config[at] = id;
    p->config[at + PCI_CAP_LIST_NEXT] = p->config[PCI_CAPABILITY_LIST];
    p->config[PCI_CAPABILITY_LIST] = at;
    p->config[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
    p->cap_end = at + size;
    return at;
}

unsigned pci_find_capability(PciDevice *dev, uint8_t id)
{
    PciDevicePrivate *p = pci_priv(dev);

    for (unsigned at = p->config[PCI_CAPABILITY_LIST]; at != 0;
         at = p->config[at + PCI_CAP_LIST_NEXT]) {
        if (p->config[at] == id) {
            return at;
        }
    }
    return 0;
}

unsigned pci_add_express_capability(PciDevice *dev, unsigned port_type)
{
    PciDevicePrivate *p = pci_priv(dev);
    unsigned at = pci_add_capability(dev, PCI_CAP_ID_EXP, EXP_CAP_SIZE);
    uint8_t *cap = p->config + at;
    bool integrated = port_type == PCI_EXP_TYPE_RC_END;

    p->config_size = PCIE_CONFIG_SIZE;
    pci_set_word(cap + PCI_EXP_FLAGS, 2 | port_type << 4);
    pci_set_long(cap + PCI_EXP_DEVCAP, PCI_EXP_DEVCAP_RBER);
    pci_set_word(p->wmask + at + PCI_EXP_DEVCTL, PCI_EXP_DEVCTL_CERE | PCI_EXP_DEVCTL_NFERE |
                                                     PCI_EXP_DEVCTL_FERE | PCI_EXP_DEVCTL_URRE);
    pci_set_word(p->w1cmask + at + PCI_EXP_DEVSTA, PCI_EXP_DEVSTA_CED | PCI_EXP_DEVSTA_NFED |
                                                       PCI_EXP_DEVSTA_FED | PCI_EXP_DEVSTA_URD);
    if (!integrated) { /* what is integrated into the root complex has no link */
        pci_set_long(cap + PCI_EXP_LNKCAP,
                     PCI_EXP_LNKCAP_SLS_2_5GB | 1 << 4 /* x1 */ | PCI_EXP_LNKCAP_ASPM_L0S);
        pci_set_word(cap + PCI_EXP_LNKSTA, PCI_EXP_LNKSTA_CLS_2_5GB | PCI_EXP_LNKSTA_NLW_X1);
    }
    return at;
}

/* ---- accesses ---- */

/* [device lock] */
static uint32_t pci_config_read_locked(PciDevice *dev, unsigned reg, unsigned size)
{
    PciDevicePrivate *p = pci_priv(dev);
    PciDeviceClass *pc = HUMPY_PCI_DEVICE_GET_CLASS(dev);
    uint8_t bytes[4] = { 0 };
    uint32_t value;

    if (!p->visible || reg + size > p->config_size) {
        return UINT32_MAX >> (32 - 8 * size);
    }
    if (pc->config_reading != NULL) {
        pc->config_reading(dev, reg, size);
    }
    memcpy(bytes, p->config + reg, size);
    if (reg <= PCI_STATUS && PCI_STATUS < reg + size && pci_irq_wish(dev)) {
        bytes[PCI_STATUS - reg] |= PCI_STATUS_INTERRUPT;
    }
    memcpy(&value, bytes, sizeof(value));
    return le32toh(value);
}

static bool touches(unsigned reg, unsigned size, unsigned first, unsigned last)
{
    return reg <= last && reg + size > first;
}

static void update_master(PciDevice *dev)
{
    PciDevicePrivate *p = pci_priv(dev);
    PciDeviceClass *pc = HUMPY_PCI_DEVICE_GET_CLASS(dev);
    bool master = (p->config[PCI_COMMAND] & PCI_COMMAND_MASTER) != 0;

    if (master == p->master) {
        return;
    }
    __atomic_store_n(&p->master, master, __ATOMIC_RELEASE);
    if (pc->bus_master_changed != NULL) {
        pc->bus_master_changed(dev, master);
    }
    if (master) {
        pci_msix_flush(dev);
    }
}

/* [device lock] */
static void pci_config_write_locked(PciDevice *dev, unsigned reg, uint32_t value, unsigned size)
{
    PciDevicePrivate *p = pci_priv(dev);
    PciDeviceClass *pc = HUMPY_PCI_DEVICE_GET_CLASS(dev);

    if (!p->visible || reg + size > p->config_size) {
        return;
    }
    for (unsigned i = 0; i < size; i++) {
        uint8_t byte = value >> (8 * i);
        uint8_t *config = &p->config[reg + i];

        *config = (*config & ~p->wmask[reg + i]) | (byte & p->wmask[reg + i]);
        *config &= ~(byte & p->w1cmask[reg + i]);
    }
    if (touches(reg, size, PCI_COMMAND, PCI_COMMAND + 1)) {
        update_master(dev);
        pci_irq_update(dev);
    }
    if (touches(reg, size, PCI_COMMAND, PCI_COMMAND + 1) ||
        touches(reg, size, PCI_BASE_ADDRESS_0, PCI_BASE_ADDRESS_5 + 3)) {
        pci_bars_update(dev);
    }
    if (p->msix != NULL && touches(reg, size, p->msix->cap, p->msix->cap + 3)) {
        pci_msix_config_written(dev);
    }
    if (p->msi != 0 && touches(reg, size, p->msi, p->msi + 3)) {
        pci_irq_update(dev);
    }
    if (pc->config_written != NULL) {
        pc->config_written(dev, reg, size);
    }
}

/* A device whose own bus master access ends here would wait for itself: it finds nothing. */
uint32_t pci_device_config_read(PciDevice *dev, unsigned reg, unsigned size)
{
    MemoryLock *lock = device_lock(HUMPY_DEVICE(dev));
    uint32_t value;

    if (memory_lock_held(lock)) {
        return UINT32_MAX >> (32 - 8 * size);
    }
    memory_lock(lock);
    value = pci_config_read_locked(dev, reg, size);
    memory_unlock(lock);
    return value;
}

void pci_device_config_write(PciDevice *dev, unsigned reg, uint32_t value, unsigned size)
{
    MemoryLock *lock = device_lock(HUMPY_DEVICE(dev));

    if (memory_lock_held(lock)) {
        return;
    }
    memory_lock(lock);
    pci_config_write_locked(dev, reg, value, size);
    memory_unlock(lock);
}
