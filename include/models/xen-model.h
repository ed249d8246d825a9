/* SPDX-License-Identifier: GPL-2.0-or-later
 * A model of Xen for tests on machines without it: domains, their ioreq servers and event channels,
 * and what their vCPUs ask for, request by request as the hypervisor makes them from instructions.
 * The other side of it is the table of include/accel/xenlib.h, which errs as Xen does.
 *
 * A domain 1, PVH with one idle vCPU and 16 MiB of memory, is there unless a test made another one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "accel/xenlib.h"

extern const XenLib xen_model_lib;

typedef struct XenModelDomain XenModelDomain;

/* Replaces a domain with that number. vcpus: up to XEN_MODEL_MAX_VCPUS. */
enum { XEN_MODEL_MAX_VCPUS = 512 };
XenModelDomain *xen_model_domain_new(uint16_t domid, XenLibDomainType type, unsigned vcpus,
                                     uint64_t memory);
/* No handle for it is open any more. */
void xen_model_domain_free(XenModelDomain *d);
uint8_t *xen_model_memory(XenModelDomain *d);
/* The page can no longer be mapped: ballooned out. */
void xen_model_take_page(XenModelDomain *d, uint64_t gfn);
/* From now on every operation and mapping for it gives ESRCH; its vCPUs run no more. */
void xen_model_kill(XenModelDomain *d);
/* The next call of this function of the table fails, once. */
void xen_model_fail(const char *function, int cause);
/* A host whose kernel or hypervisor cannot map resources. */
void xen_model_set_old_host(bool old);

/* ---- what a vCPU does: each returns when the vCPU would go on. [any, one thread for each vCPU] */

typedef struct {
    uint8_t type; /* IOREQ_TYPE_* */
    bool is_write, df, data_is_ptr;
    uint64_t addr, data;
    uint32_t size, count;
} XenModelRequest;

/* Makes the request as it is: to the newest enabled server that has the whole of it; all-ones and
 * no request where none has. Returns what the vCPU reads. */
uint64_t xen_model_request(XenModelDomain *d, unsigned vcpu, const XenModelRequest *req);

uint32_t xen_model_in(XenModelDomain *d, unsigned vcpu, uint16_t port, unsigned size);
void xen_model_out(XenModelDomain *d, unsigned vcpu, uint16_t port, uint32_t value, unsigned size);
/* Cut where pages end. */
uint64_t xen_model_read(XenModelDomain *d, unsigned vcpu, uint64_t addr, unsigned size);
void xen_model_write(XenModelDomain *d, unsigned vcpu, uint64_t addr, uint64_t value,
                     unsigned size);
/* Through ports 0xcf8 and 0xcfc. */
uint32_t xen_model_config_read(XenModelDomain *d, unsigned vcpu, unsigned devfn, unsigned reg,
                               unsigned size);
void xen_model_config_write(XenModelDomain *d, unsigned vcpu, unsigned devfn, unsigned reg,
                            uint32_t value, unsigned size);
/* To every enabled server. */
void xen_model_invalidate(XenModelDomain *d, unsigned vcpu);
/* The vCPU does not wait, but where the ring is full or cannot hold the request. FALSE: it was
 * made the other way. */
bool xen_model_write_buffered(XenModelDomain *d, unsigned vcpu, uint8_t type, uint64_t addr,
                              uint64_t value, unsigned size);
/* From now on nobody is told of what is in the ring. */
void xen_model_mute_ring(XenModelDomain *d);
/* A slot that somebody has filled without the rules: state READY, event sent; waits. */
uint64_t xen_model_raw_slot(XenModelDomain *d, unsigned vcpu, const void *ioreq);
/* The event of a vCPU's channel, without a request. */
void xen_model_spurious(XenModelDomain *d, unsigned vcpu);

/* ---- what has been seen ---- */

typedef struct {
    bool crashed;  /* the domain: its emulator broke the rules of a slot */
    bool panicked; /* the host: an operation that a domain without a vPIC makes fatal */
    bool shut_down;
    unsigned shutdown_reason;
    unsigned msis;
    uint64_t msi_addr;
    uint32_t msi_data;
    unsigned isa_changes, intx_changes, spi_changes;
    uint32_t isa_levels; /* a bit each */
    uint32_t last_intx;  /* device << 2 | pin */
    bool intx_level;
    uint32_t last_spi;
    bool spi_level;
    unsigned modified_calls;
    uint64_t modified_gfn;   /* of the last call */
    unsigned modified_pages; /* of all */
    unsigned mapped_pages;   /* of its memory, now */
    unsigned map_calls;
    unsigned servers;
    bool restricted;
} XenModelStats;

void xen_model_stats(XenModelDomain *d, XenModelStats *stats);
/* Whether some enabled server has the whole range. */
bool xen_model_has_range(XenModelDomain *d, XenLibRange type, uint64_t first, uint64_t last);
unsigned xen_model_n_ranges(XenModelDomain *d, XenLibRange type);
