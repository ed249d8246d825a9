/* SPDX-License-Identifier: GPL-2.0-or-later
 * What is in a slot, checked once: from Xen's layout (xen/hvm/ioreq.h) to an IoRequest. What Xen
 * cuts into single pages and powers of two is not taken for granted; how many repetitions fit is
 * the dispatcher's to say.
 */
#include "xen-priv.h"

static bool is_size(uint32_t size, uint32_t max)
{
    return size != 0 && size <= max && (size & (size - 1)) == 0;
}

/* addr holds segment, bus, device and function in its upper half. */
static const char *take_pci(const ioreq_t *slot, IoRequest *req)
{
    uint32_t sbdf = slot->addr >> 32, reg = slot->addr;

    if (!is_size(slot->size, 4) || slot->count != 1 || slot->data_is_ptr || reg >= 4096 ||
        reg + slot->size > 4096) {
        return "it is no access to PCI configuration";
    }
    req->space = IOREQ_PCI_CONFIG;
    req->addr = reg;
    req->pci.segment = sbdf >> 16;
    req->pci.bus = sbdf >> 8;
    req->pci.dev = sbdf >> 3 & 31;
    req->pci.fn = sbdf & 7;
    req->pci.reg = reg;
    return NULL;
}

const char *xen_slot_take(const ioreq_t *slot, IoRequest *req)
{
    req->raw_type = slot->type;
    req->is_write = slot->dir == IOREQ_WRITE;
    req->addr = slot->addr;
    req->size = slot->size;
    req->count = slot->count;
    req->step = slot->df ? -1 : 1;
    req->kind = slot->data_is_ptr ? IOREQ_GUEST_PTR : IOREQ_VALUE;
    req->data = req->data_gpa = slot->data;
    req->completion = IOREQ_COMPLETE_NOTIFY;
    switch (slot->type) {
    case IOREQ_TYPE_PIO:
        req->space = IOREQ_PIO;
        return is_size(slot->size, 4) ? NULL : "its size is none of a port access";
    case IOREQ_TYPE_COPY:
        req->space = IOREQ_MMIO;
        return is_size(slot->size, 8) ? NULL : "its size is none of a memory access";
    case IOREQ_TYPE_PCI_CONFIG:
        return take_pci(slot, req);
    case IOREQ_TYPE_TIMEOFFSET:
        req->space = IOREQ_TIME_OFFSET;
        return NULL;
    case IOREQ_TYPE_INVALIDATE:
        req->space = IOREQ_INVALIDATE;
        return NULL;
    default:
        return "its type is unknown";
    }
}

bool xen_slot_wants_data(const ioreq_t *slot)
{
    return slot->dir == IOREQ_READ && !slot->data_is_ptr;
}

const char *xen_buffered_take(const buf_ioreq_t *slot, const buf_ioreq_t *high, IoRequest *req)
{
    ioreq_t whole = {
        .addr = slot->addr,
        .size = 1u << slot->size,
        .count = 1,
        .dir = slot->dir,
        .type = slot->type,
        .data = slot->data | (high != NULL ? (uint64_t)high->data << 32 : 0),
    };
    const char *wrong = xen_slot_take(&whole, req);

    req->completion = IOREQ_COMPLETE_NONE;
    return wrong != NULL ? wrong : req->is_write ? NULL : "it is a read, which nobody waits for";
}
