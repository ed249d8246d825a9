/* SPDX-License-Identifier: GPL-2.0-or-later
 * MSI-X (PCI 3.0, section 6.8.2): the table and the pending bits in a BAR of their own, masks, and
 * sending messages.
 *
 * A message is a four-byte write into guest RAM or, where the host bridge takes messages, a call of
 * its send_msi(). It never goes to a device's registers: messages are sent by I/O threads that hold
 * a queue's lock, and the guest chooses the address.
 */
#include <endian.h>
#include <string.h>

#include "pci-priv.h"

enum {
    BAR_MIN = 4096,
    ENTRY_MASKED = PCI_MSIX_ENTRY_CTRL_MASKBIT,
};

static uint32_t entry_long(const PciMsix *x, unsigned vector, unsigned field)
{
    uint32_t value;

    memcpy(&value, x->table + vector * PCI_MSIX_ENTRY_SIZE + field, sizeof(value));
    return le32toh(value);
}

/* ---- messages ---- */

void pci_send_message(PciDevice *dev, uint64_t addr, uint32_t data)
{
    const PciRootOps *root = &pci_device_bus(dev)->root;
    uint64_t len = sizeof(data);
    uint32_t *host;

    if ((addr & (sizeof(data) - 1)) != 0) {
        return; /* section 6.8.2.2: undefined */
    }
    host = address_space_map(root->dma, addr, &len, true);
    if (host != NULL && len == sizeof(data)) {
        __atomic_store_n(host, htole32(data), __ATOMIC_RELEASE);
    }
    if (host != NULL) {
        address_space_unmap(root->dma, host, len, true);
    } else if (root->send_msi != NULL) {
        root->send_msi(root->opaque, addr, data);
    }
}

/* [lock] */
static bool may_send(PciDevice *dev, unsigned vector)
{
    const PciMsix *x = pci_priv(dev)->msix;

    return x->enabled && !x->masked && pci_is_bus_master(dev) &&
           (entry_long(x, vector, PCI_MSIX_ENTRY_VECTOR_CTRL) & ENTRY_MASKED) == 0;
}

/* [lock] */
static void send_or_keep(PciDevice *dev, unsigned vector)
{
    PciMsix *x = pci_priv(dev)->msix;
    uint64_t bit = 1ull << (vector % 64);

    if (!may_send(dev, vector)) {
        x->pending[vector / 64] |= bit;
        return;
    }
    x->pending[vector / 64] &= ~bit;
    pci_send_message(dev,
                     (uint64_t)entry_long(x, vector, PCI_MSIX_ENTRY_UPPER_ADDR) << 32 |
                         entry_long(x, vector, PCI_MSIX_ENTRY_LOWER_ADDR),
                     entry_long(x, vector, PCI_MSIX_ENTRY_DATA));
}

void pci_msix_notify(PciDevice *dev, unsigned vector)
{
    PciMsix *x = pci_priv(dev)->msix;

    if (x == NULL || vector >= x->n) {
        return;
    }
    pthread_mutex_lock(&x->lock);
    if (x->enabled) {
        send_or_keep(dev, vector);
    }
    pthread_mutex_unlock(&x->lock);
}

/* [lock] */
static void send_pending(PciDevice *dev)
{
    PciMsix *x = pci_priv(dev)->msix;

    for (unsigned i = 0; i < x->n; i++) {
        if ((x->pending[i / 64] >> (i % 64) & 1) != 0 && may_send(dev, i)) {
            send_or_keep(dev, i);
        }
    }
}

void pci_msix_flush(PciDevice *dev)
{
    PciMsix *x = pci_priv(dev)->msix;

    if (x != NULL) {
        pthread_mutex_lock(&x->lock);
        send_pending(dev);
        pthread_mutex_unlock(&x->lock);
    }
}

/* ---- what the guest sees ---- */

static uint64_t table_read(void *opaque, hwaddr offset, unsigned size)
{
    PciMsix *x = pci_priv(opaque)->msix;
    uint32_t value;

    pthread_mutex_lock(&x->lock);
    memcpy(&value, x->table + offset, sizeof(value));
    pthread_mutex_unlock(&x->lock);
    return le32toh(value);
}

static void table_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    PciDevice *dev = opaque;
    PciMsix *x = pci_priv(dev)->msix;
    unsigned vector = offset / PCI_MSIX_ENTRY_SIZE;

    pthread_mutex_lock(&x->lock);
    if (offset % PCI_MSIX_ENTRY_SIZE == PCI_MSIX_ENTRY_VECTOR_CTRL) {
        value &= ENTRY_MASKED; /* the rest is reserved */
    }
    pci_set_long(x->table + offset, value);
    if ((x->pending[vector / 64] >> (vector % 64) & 1) != 0 && may_send(dev, vector)) {
        send_or_keep(dev, vector);
    }
    pthread_mutex_unlock(&x->lock);
}

static uint64_t pba_read(void *opaque, hwaddr offset, unsigned size)
{
    PciMsix *x = pci_priv(opaque)->msix;
    uint64_t value;

    pthread_mutex_lock(&x->lock);
    value = x->pending[offset / 8] >> (8 * (offset % 8));
    pthread_mutex_unlock(&x->lock);
    return size == 8 ? value : (uint32_t)value;
}

static void pba_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    /* section 6.8.2.10: software never writes it */
}

static const MemoryRegionOps table_ops = {
    .read = table_read,
    .write = table_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 4, .max_access_size = 8 },
    .impl = { .min_access_size = 4, .max_access_size = 4 },
};

static const MemoryRegionOps pba_ops = {
    .read = pba_read,
    .write = pba_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 4, .max_access_size = 8 },
    .impl = { .min_access_size = 4, .max_access_size = 8 },
};

void pci_msix_config_written(PciDevice *dev)
{
    PciMsix *x = pci_priv(dev)->msix;
    uint16_t control = pci_config_word(dev, x->cap + PCI_MSIX_FLAGS);

    pthread_mutex_lock(&x->lock);
    x->enabled = (control & PCI_MSIX_FLAGS_ENABLE) != 0;
    x->masked = (control & PCI_MSIX_FLAGS_MASKALL) != 0;
    send_pending(dev);
    pthread_mutex_unlock(&x->lock);
    pci_irq_update(dev);
}

/* ---- life ---- */

/* The table first, the pending bits in the second half or, where that is taken, behind it. */
void pci_msix_init(PciDevice *dev, unsigned vectors, unsigned bar)
{
    PciDevicePrivate *p = pci_priv(dev);
    unsigned table_size = vectors * PCI_MSIX_ENTRY_SIZE;
    unsigned pba_size = (vectors + 63) / 64 * 8;
    unsigned pba = MAX(table_size, BAR_MIN / 2), size = BAR_MIN;
    PciMsix *x = g_new0(PciMsix, 1);

    g_assert(vectors >= 1 && vectors <= PCI_MSIX_MAX_VECTORS && p->msix == NULL);
    while (size < pba + pba_size) {
        size *= 2;
    }
    p->msix = x;
    x->n = vectors;
    x->table = g_malloc0(table_size);
    x->pending = g_malloc0(pba_size);
    pthread_mutex_init(&x->lock, NULL);
    memory_region_init(&x->bar, G_OBJECT(dev), "msix", size);
    memory_region_init_io(&x->table_mr, G_OBJECT(dev), &table_ops, dev, "msix-table", table_size);
    memory_region_init_io(&x->pba_mr, G_OBJECT(dev), &pba_ops, dev, "msix-pba", pba_size);
    memory_region_add_subregion(&x->bar, 0, &x->table_mr);
    memory_region_add_subregion(&x->bar, pba, &x->pba_mr);
    pci_add_bar(dev, bar, 0, &x->bar);
    x->cap = pci_add_capability(dev, PCI_CAP_ID_MSIX, PCI_CAP_MSIX_SIZEOF);
    pci_set_word(p->config + x->cap + PCI_MSIX_FLAGS, vectors - 1);
    pci_set_word(p->wmask + x->cap + PCI_MSIX_FLAGS,
                 PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
    pci_set_long(p->config + x->cap + PCI_MSIX_TABLE, bar);
    pci_set_long(p->config + x->cap + PCI_MSIX_PBA, pba | bar);
}

void pci_msix_reset(PciDevice *dev)
{
    PciMsix *x = pci_priv(dev)->msix;

    if (x == NULL) {
        return;
    }
    pthread_mutex_lock(&x->lock);
    x->enabled = false;
    x->masked = false;
    memset(x->pending, 0, (x->n + 63) / 64 * 8);
    memset(x->table, 0, x->n * PCI_MSIX_ENTRY_SIZE);
    for (unsigned i = 0; i < x->n; i++) {
        x->table[i * PCI_MSIX_ENTRY_SIZE + PCI_MSIX_ENTRY_VECTOR_CTRL] = ENTRY_MASKED;
    }
    pthread_mutex_unlock(&x->lock);
}

void pci_msix_free(PciDevice *dev)
{
    PciMsix *x = g_steal_pointer(&pci_priv(dev)->msix);

    if (x == NULL) {
        return;
    }
    memory_region_del_subregion(&x->bar, &x->table_mr);
    memory_region_del_subregion(&x->bar, &x->pba_mr);
    memory_region_destroy(&x->table_mr);
    memory_region_destroy(&x->pba_mr);
    memory_region_destroy(&x->bar);
    pthread_mutex_destroy(&x->lock);
    g_free(x->table);
    g_free(x->pending);
    g_free(x);
}

bool pci_msix_present(PciDevice *dev)
{
    return pci_priv(dev)->msix != NULL;
}

unsigned pci_msix_vectors(PciDevice *dev)
{
    return pci_priv(dev)->msix != NULL ? pci_priv(dev)->msix->n : 0;
}

bool pci_msix_enabled(PciDevice *dev)
{
    PciMsix *x = pci_priv(dev)->msix;
    bool enabled;

    if (x == NULL) {
        return false;
    }
    pthread_mutex_lock(&x->lock);
    enabled = x->enabled;
    pthread_mutex_unlock(&x->lock);
    return enabled;
}
