/* SPDX-License-Identifier: GPL-2.0-or-later
 * What is in a request slot, as an IoRequest, and the answer back into it. The other side may write
 * there meanwhile: every word is loaded once, and what was loaded is checked. When a slot may be
 * looked at is ioreq.c's matter.
 */
#include "acrn-priv.h"

static uint32_t load32(const uint32_t *p)
{
    return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static bool is_size(uint64_t size, unsigned largest)
{
    return size <= largest && (size == 1 || size == 2 || size == 4 || size == 8);
}

const char *acrn_slot_take(const struct acrn_io_request *slot, IoRequest *req)
{
    union {
        struct acrn_pio_request pio;
        struct acrn_pci_request pci;
        struct acrn_mmio_request mmio;
        uint64_t data[8];
    } r;

    for (unsigned i = 0; i < G_N_ELEMENTS(r.data); i++) {
        r.data[i] = __atomic_load_n(&slot->reqs.data[i], __ATOMIC_RELAXED);
    }
    req->raw_type = load32(&slot->type);
    req->completion =
        load32(&slot->completion_polling) != 0 ? IOREQ_COMPLETE_POLL : IOREQ_COMPLETE_NOTIFY;
    if (r.mmio.direction > ACRN_IOREQ_DIR_WRITE) {
        return "its direction is neither read nor write";
    }
    req->is_write = r.mmio.direction == ACRN_IOREQ_DIR_WRITE;
    switch (req->raw_type) {
    case ACRN_IOREQ_TYPE_PORTIO:
        if (!is_size(r.pio.size, 4) || r.pio.address + r.pio.size > 0x10000 ||
            r.pio.address > UINT16_MAX) {
            return "it is no access to ports";
        }
        req->space = IOREQ_PIO;
        req->addr = r.pio.address;
        req->size = r.pio.size;
        req->data = r.pio.value;
        return NULL;
    case ACRN_IOREQ_TYPE_MMIO:
    case ACRN_IOREQ_TYPE_WP:
        if (!is_size(r.mmio.size, 8) || r.mmio.address + r.mmio.size < r.mmio.address) {
            return "it is no access to memory";
        }
        req->space = req->raw_type == ACRN_IOREQ_TYPE_MMIO ? IOREQ_MMIO : IOREQ_WRITE_PROTECT;
        req->addr = r.mmio.address;
        req->size = r.mmio.size;
        req->data = r.mmio.value;
        return NULL;
    case ACRN_IOREQ_TYPE_PCICFG:
        if (!is_size(r.pci.size, 4) || r.pci.bus > 255 || r.pci.dev > 31 || r.pci.func > 7 ||
            r.pci.reg >= 4096 || r.pci.reg + r.pci.size > 4096) {
            return "it is no access to PCI configuration";
        }
        req->space = IOREQ_PCI_CONFIG;
        req->addr = r.pci.reg;
        req->size = r.pci.size;
        req->data = r.pci.value;
        req->pci.bus = r.pci.bus;
        req->pci.dev = r.pci.dev;
        req->pci.fn = r.pci.func;
        req->pci.reg = r.pci.reg;
        return NULL;
    default:
        return "its type is unknown";
    }
}

/* Where the value is, in all that could be a request. */
void acrn_slot_put(struct acrn_io_request *slot, uint32_t type, uint64_t value)
{
    switch (type) {
    case ACRN_IOREQ_TYPE_MMIO:
    case ACRN_IOREQ_TYPE_WP:
        __atomic_store_n(&slot->reqs.mmio_request.value, value, __ATOMIC_RELAXED);
        break;
    default:
        __atomic_store_n(&slot->reqs.pio_request.value, (uint32_t)value, __ATOMIC_RELAXED);
        break;
    }
}
