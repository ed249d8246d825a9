/* SPDX-License-Identifier: GPL-2.0-or-later
 * Shared inside models/xen.
 *
 *   domain.c  domains and their memory
 *   server.c  ioreq servers: the device model operations about them, and their pages
 *   evtchn.c  event channels, as dom0's kernel hands them to a program
 *   irq.c     interrupts and the rest of the operations
 *   guest.c   vCPUs: which request goes where, and waiting for its answer
 *   lib.c     the table
 *
 * One lock for all of it; a vCPU that waits gives it up.
 */
#pragma once

#include <pthread.h>

#include "accel/xen-abi.h"
#include "models/xen-model.h"

enum {
    PAGE_SIZE = 4096,
    MAX_SERVERS = 8,
    MAX_RANGES = 256,
    SLOTS_PER_PAGE = PAGE_SIZE / sizeof(ioreq_t),
    STATE_OFFSET = 30, /* of the byte in a slot that holds the state */
    STATE_MASK = 0xf,
};

typedef struct {
    uint64_t first, last;
} Range;

/* One channel between a server's end in Xen and a handle. */
typedef struct Port {
    uint32_t number;    /* as slots tell it; 0: not there */
    uint32_t local;     /* of the handle */
    struct Evtchn *end; /* or NULL: not bound */
    bool pending, masked;
    uint64_t notified; /* from the handle's side */
} Port;

typedef struct {
    bool exists, enabled;
    uint16_t id;
    int buffering;
    bool has_gfns, has_resource; /* one excludes the other */
    int fd;                      /* of the pages: ring, then slots */
    uint8_t *pages;
    unsigned n_pages;
    Port *ports; /* of vCPUs, then the ring's */
    GArray *ranges[3];
} Server;

struct XenModelDomain {
    uint16_t domid;
    XenLibDomainType type;
    bool arm, dead, muted;
    unsigned n_vcpus;
    uint64_t memory_size;
    int memory_fd;
    uint8_t *memory;
    GHashTable *taken; /* gfns */
    Server servers[MAX_SERVERS];
    uint32_t cf8;
    bool vpic_confused;
    uint32_t next_port;
    XenModelStats stats;
};

/* Of the table's open(). */
typedef struct {
    XenModelDomain *d;
    bool restricted;
} Handle;

typedef struct Evtchn {
    int fd; /* a semaphore: channels in the queue */
    GQueue queue;
    GPtrArray *ports; /* of Port, bound */
    uint32_t next_local;
    Port self; /* from the handle to itself */
} Evtchn;

extern pthread_mutex_t model_lock;
extern pthread_cond_t model_changed;

/* domain.c [model_lock] */
XenModelDomain *model_find_domain(uint16_t domid);
/* The domain of a handle. NULL: errno, as the call has to fail. */
XenModelDomain *model_enter(void *xen, const char *function);
/* Whether function is to fail; sets errno. */
bool model_fails(const char *function);
bool model_is_old_host(void);
void *model_map_pages(XenModelDomain *d, int prot, size_t n, const uint64_t *gfns, int *errors);
int model_unmap_pages(XenModelDomain *d, void *addr, size_t n);

/* server.c [model_lock]: -1 and errno */
Server *model_server(XenModelDomain *d, uint16_t id);
int model_create_server(XenModelDomain *d, int buffering, uint16_t *id);
void model_destroy_server(XenModelDomain *d, Server *s);
int model_server_info(XenModelDomain *d, Server *s, uint64_t *sync_gfn, uint64_t *buffered_gfn,
                      uint32_t *port);
int model_set_state(XenModelDomain *d, Server *s, bool enabled);
int model_map_range(Server *s, unsigned type, uint64_t first, uint64_t last);
int model_unmap_range(Server *s, unsigned type, uint64_t first, uint64_t last);
bool model_has(const Server *s, unsigned type, uint64_t first, uint64_t last);
void *model_map_resource(XenModelDomain *d, Server *s, unsigned frame, unsigned n, void **addr);
int model_unmap_resource(void *resource);
/* The file behind a page of the domain that is a server's, or -1. */
int model_server_gfn(XenModelDomain *d, uint64_t gfn, uint64_t *offset);
ioreq_t *model_slot(Server *s, unsigned vcpu);
struct buffered_iopage *model_ring(Server *s);

/* evtchn.c */
void *model_evtchn_open(void);
void model_evtchn_close(void *ev);
int model_evtchn_bind_self(void *ev, uint32_t *sender);
int model_evtchn_bind(void *ev, uint16_t domid, uint32_t remote);
int model_evtchn_unbind(void *ev, uint32_t local);
int model_evtchn_pending(void *ev);
int model_evtchn_unmask(void *ev, uint32_t local);
int model_evtchn_notify(void *ev, uint32_t local);
void model_send(Port *port);   /* [model_lock] */
void model_unbind(Port *port); /* [model_lock] */

/* irq.c [model_lock]: -1 and errno */
int model_inject_msi(XenModelDomain *d, uint64_t addr, uint32_t data);
int model_set_irq_level(XenModelDomain *d, uint32_t irq, bool level);
int model_set_isa_irq(XenModelDomain *d, uint8_t irq, bool level);
int model_set_intx(XenModelDomain *d, uint16_t segment, uint8_t bus, uint8_t dev, uint8_t pin,
                   bool level);
int model_modified(XenModelDomain *d, uint64_t gfn, uint32_t n);
int model_shutdown(XenModelDomain *d, unsigned reason);
