/* SPDX-License-Identifier: GPL-2.0-or-later
 * From a filled IoRequest to its answer: one memory-API access for the plain case, and one helper
 * that expands repeated and pointer forms into such accesses. Counters belong to the vCPU whose
 * thread dispatches. Completing a request towards the hypervisor is the backend's work.
 */
#define G_LOG_DOMAIN "humpy-ioreq"

#include "accel/ioreq.h"

#include <glib.h>
#include <inttypes.h>

#include "util/trace.h"

struct IoReqDispatcher {
    AddressSpace *mem;
    AddressSpace *pio;
    IoReqPciConfigFn pci_config;
    void *pci_opaque;
};

/* What a request may move in all: hypervisors cut repetitions at a 4 KiB page. */
enum { IOREQ_MAX_BYTES = 4096 };

IoReqDispatcher *ioreq_dispatcher_new(AddressSpace *mem, AddressSpace *pio)
{
    IoReqDispatcher *d = g_new0(IoReqDispatcher, 1);

    g_assert(mem != NULL);
    d->mem = mem;
    d->pio = pio;
    return d;
}

void ioreq_dispatcher_set_pci_config(IoReqDispatcher *d, IoReqPciConfigFn fn, void *opaque)
{
    d->pci_config = fn;
    d->pci_opaque = opaque;
}

void ioreq_dispatcher_free(IoReqDispatcher *d)
{
    g_free(d);
}

/* One writer, so load and store suffice; readers in other threads see whole values. */
static inline void count_one(uint64_t *counter)
{
    __atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + 1, __ATOMIC_RELAXED);
}

static inline uint64_t all_ones(unsigned size)
{
    return UINT64_MAX >> (64 - size * 8);
}

static bool size_is_valid(unsigned size)
{
    return size == 1 || size == 2 || size == 4 || size == 8;
}

static const char *space_name(IoReqSpace space)
{
    static const char *const names[IOREQ_N_SPACES] = {
        "mmio",       "pio",         "pci-config", "write-protect",
        "invalidate", "time-offset", "page-fault", "vm-status",
    };

    return names[space];
}

static G_GNUC_NO_INLINE void trace(const IoRequest *req, const char *what, uint64_t addr)
{
    TRACE(ioreq_trouble, "vcpu %u: %s %s %s of %u bytes at 0x%" PRIx64, req->origin.vcpu, what,
          space_name(req->space), req->is_write ? "write" : "read", req->size, addr);
}

/* The device or nobody said no: what the guest then gets, and who is told. */
static G_GNUC_NO_INLINE void answer_trouble(IoRequest *req, uint64_t addr, MemTxResult result,
                                            IoReqStats *stats)
{
    if (result & ~MEMTX_DECODE_ERROR) {
        count_one(&stats->faults);
        trace(req, "refused", addr);
        req->result = IOREQ_FAULT;
    } else {
        count_one(req->is_write ? &stats->unclaimed_writes : &stats->unclaimed_reads);
        trace(req, "unclaimed", addr);
    }
}

/* A request no hypervisor may make: nothing is accessed. */
static G_GNUC_NO_INLINE void answer_malformed(IoRequest *req, IoReqStats *stats)
{
    count_one(&stats->faults);
    trace(req, "malformed", req->addr);
    req->data = UINT64_MAX;
    req->result = IOREQ_FAULT;
}

static inline void access_one(AddressSpace *as, IoRequest *req, uint64_t addr, uint64_t *value,
                              IoReqStats *stats)
{
    MemTxResult result;

    if (req->is_write) {
        count_one(&stats->writes);
        result = G_LIKELY(as != NULL) ? address_space_st(as, addr, req->size, *value)
                                      : MEMTX_DECODE_ERROR;
    } else {
        count_one(&stats->reads);
        result = G_LIKELY(as != NULL) ? address_space_ld(as, addr, req->size, value)
                                      : MEMTX_DECODE_ERROR;
        if (G_UNLIKELY(result != MEMTX_OK)) {
            *value = all_ones(req->size);
        }
    }
    if (G_UNLIKELY(result != MEMTX_OK)) {
        answer_trouble(req, addr, result, stats);
    }
}

/* TRUE if count elements of size from start in direction step stay inside 64 bits. */
static bool run_fits(uint64_t start, uint32_t count, unsigned size, int step)
{
    uint64_t reach = (uint64_t)(count - 1) * size;

    if (step < 0) {
        return start >= reach && start <= UINT64_MAX - (size - 1);
    }
    return start <= UINT64_MAX - reach - (size - 1);
}

/* The one place where repeated and pointer forms become single accesses. A pointer form moves each
 * element between guest memory and the device; ports do not step (facts: Xen's and x86's rep). */
static void expand(IoReqDispatcher *d, AddressSpace *as, IoRequest *req, IoReqStats *stats)
{
    int64_t stride = req->step < 0 ? -(int64_t)req->size : req->size;
    bool steps = req->space != IOREQ_PIO;
    bool pointer = req->kind == IOREQ_GUEST_PTR;

    if (req->count == 0 || (uint64_t)req->count * req->size > IOREQ_MAX_BYTES ||
        !run_fits(req->addr, steps ? req->count : 1, req->size, req->step) ||
        (pointer && !run_fits(req->data_gpa, req->count, req->size, req->step))) {
        answer_malformed(req, stats);
        return;
    }
    for (uint32_t i = 0; i < req->count; i++) {
        uint64_t addr = req->addr + (steps ? (uint64_t)(stride * (int64_t)i) : 0);
        uint64_t gpa = req->data_gpa + (uint64_t)(stride * (int64_t)i);
        uint64_t value = req->data;
        MemTxResult result;

        if (pointer && req->is_write) {
            result = address_space_ld(d->mem, gpa, req->size, &value);
            if (result != MEMTX_OK) {
                value = all_ones(req->size);
                trace(req, "unreadable source of", gpa);
            }
        }
        access_one(as, req, addr, &value, stats);
        if (pointer && !req->is_write) {
            result = address_space_st(d->mem, gpa, req->size, value);
            if (result != MEMTX_OK) {
                trace(req, "unwritable target of", gpa);
            }
        } else if (!req->is_write) {
            req->data = value;
        }
    }
}

static void dispatch_pci_config(IoReqDispatcher *d, IoRequest *req, IoReqStats *stats)
{
    if (req->count != 1 || req->kind != IOREQ_VALUE || req->size > 4) {
        answer_malformed(req, stats);
        return;
    }
    count_one(req->is_write ? &stats->writes : &stats->reads);
    if (d->pci_config == NULL) {
        if (!req->is_write) {
            req->data = all_ones(req->size);
        }
        answer_trouble(req, req->addr, MEMTX_DECODE_ERROR, stats);
        return;
    }
    req->result = d->pci_config(d->pci_opaque, req);
    if (req->result == IOREQ_FAULT) {
        if (!req->is_write) {
            req->data = all_ones(req->size);
        }
        answer_trouble(req, req->addr, MEMTX_ERROR, stats);
    }
}

/* Everything but a plain MMIO access. */
static G_GNUC_NO_INLINE void dispatch_other(IoReqDispatcher *d, IoRequest *req, IoReqStats *stats)
{
    switch (req->space) {
    case IOREQ_MMIO:
        expand(d, d->mem, req, stats);
        break;
    case IOREQ_WRITE_PROTECT:
        /* A write that a read-only mapping stopped: ROM drops it, flash hears it. */
        if (!req->is_write) {
            answer_malformed(req, stats);
            break;
        }
        expand(d, d->mem, req, stats);
        break;
    case IOREQ_PIO:
        if (req->addr > UINT16_MAX || req->size > 4) {
            answer_malformed(req, stats);
        } else {
            expand(d, d->pio, req, stats);
        }
        break;
    case IOREQ_PCI_CONFIG:
        dispatch_pci_config(d, req, stats);
        break;
    case IOREQ_PAGE_FAULT:
        /* The hypervisor could not give the guest a page; trying again is all there is to do. The
         * backend bounds how often. */
        req->result = IOREQ_RETRY;
        break;
    case IOREQ_INVALIDATE:  /* a backend drops its own mappings before it dispatches */
    case IOREQ_TIME_OFFSET: /* the guest's clock device keeps the time, not the hypervisor */
    case IOREQ_VM_STATUS:
    case IOREQ_N_SPACES:
        break;
    }
}

void ioreq_dispatch(IoReqDispatcher *d, IoRequest *req, IoReqStats *stats)
{
    bool access = req->space <= IOREQ_WRITE_PROTECT;

    req->result = IOREQ_HANDLED;
    if (G_UNLIKELY(req->space >= IOREQ_N_SPACES || (access && !size_is_valid(req->size)))) {
        answer_malformed(req, stats);
        return;
    }
    count_one(&stats->by_space[req->space]);
    if (G_LIKELY(req->space == IOREQ_MMIO && req->count == 1 && req->kind == IOREQ_VALUE)) {
        access_one(d->mem, req, req->addr, &req->data, stats);
        return;
    }
    dispatch_other(d, req, stats);
}
