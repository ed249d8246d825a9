/* SPDX-License-Identifier: GPL-2.0-or-later
 * One guest access that a hypervisor trapped, whatever hypervisor it was: Gunyah's run page,
 * ACRN's request slots and Xen's ioreq pages are all copied into this record once, dispatched
 * into the memory API, and completed by the backend that made it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "memory/memory.h"

typedef enum {
    IOREQ_MMIO,
    IOREQ_PIO,
    IOREQ_PCI_CONFIG,
    IOREQ_WRITE_PROTECT,
    IOREQ_INVALIDATE,
    IOREQ_TIME_OFFSET,
    IOREQ_PAGE_FAULT,
    IOREQ_VM_STATUS,
    IOREQ_N_SPACES,
} IoReqSpace;

typedef enum { IOREQ_VALUE, IOREQ_GUEST_PTR } IoReqData;
typedef enum {
    IOREQ_COMPLETE_IMPLICIT, /* answer in place, next run completes (Gunyah) */
    IOREQ_COMPLETE_NOTIFY,   /* a call or event completes (ACRN, Xen) */
    IOREQ_COMPLETE_POLL,     /* the other side polls the slot (ACRN completion polling) */
    IOREQ_COMPLETE_NONE,     /* buffered: nobody waits (Xen) */
} IoReqCompletion;
typedef enum { IOREQ_HANDLED, IOREQ_FAULT, IOREQ_RETRY } IoReqResult;

typedef struct {
    struct {
        const void *backend; /* the accelerator */
        unsigned vcpu;
        uint64_t cookie; /* the backend's: slot number, page offset */
    } origin;
    IoReqSpace space;
    bool is_write;
    uint64_t addr;  /* GPA, port, or register for PCI_CONFIG */
    uint8_t size;   /* 1, 2, 4, 8: checked by the backend's edge */
    uint32_t count; /* repetitions, 1 for plain */
    int8_t step;    /* +1 or -1 */
    IoReqData kind;
    uint64_t data;     /* VALUE: written, or the answer */
    uint64_t data_gpa; /* GUEST_PTR: where the elements are */
    struct {
        uint16_t segment;
        uint8_t bus, dev, fn;
        uint16_t reg;
    } pci;
    uint32_t raw_type; /* the hypervisor's own word, for traces */
    IoReqCompletion completion;
    IoReqResult result;
} IoRequest;

/* Counters of one vCPU; written by its thread, read by any (relaxed). */
typedef struct {
    uint64_t by_space[IOREQ_N_SPACES];
    uint64_t reads, writes;
    uint64_t unclaimed_reads, unclaimed_writes;
    uint64_t faults;
} IoReqStats;

typedef struct IoReqDispatcher IoReqDispatcher;

/* mem is needed; pio may be NULL (no port space). Both are borrowed. pci_config (optional) serves
 * PCI_CONFIG requests. */
typedef IoReqResult (*IoReqPciConfigFn)(void *opaque, IoRequest *req);
IoReqDispatcher *ioreq_dispatcher_new(AddressSpace *mem, AddressSpace *pio);
void ioreq_dispatcher_set_pci_config(IoReqDispatcher *d, IoReqPciConfigFn fn, void *opaque);
void ioreq_dispatcher_free(IoReqDispatcher *d);

/* Serves req: single accesses into the memory API, rep and pointer forms expanded. Unclaimed reads
 * give all-ones and unclaimed writes vanish; both are counted and traceable. Sets req->data (reads)
 * and req->result. [any thread that called memory_thread_register()] */
void ioreq_dispatch(IoReqDispatcher *d, IoRequest *req, IoReqStats *stats);
