/* SPDX-License-Identifier: GPL-2.0-or-later
 * Shared inside accel/xen: the accelerator object and what its files offer each other.
 *
 *   xen.c       type, properties, the server's life from creation to destruction
 *   lib.c       Xen's libraries behind include/accel/xenlib.h
 *   pages.c     the request pages
 *   serve.c     a thread for each event channel, and the two kinds of requests
 *   slot.c      a slot's content as a request
 *   ranges.c    which ports, memory and PCI functions are ours
 *   foreign.c   the domain's memory
 *   irq.c       interrupts into the domain
 *
 * Lock order: a waiter's gate; ring_lock; devices' locks; the topology lock; pieces_lock.
 */
#pragma once

#include <pthread.h>

#include "accel/accel-impl.h"
#include "accel/xen-abi.h"
#include "accel/xenlib.h"
#include "util/fd.h"

#define TYPE_ACCEL_XEN accel_xen_get_type()
G_DECLARE_FINAL_TYPE(AccelXen, accel_xen, HUMPY, ACCEL_XEN, Accel)

enum {
    XEN_MAX_RANGES = 256, /* of each kind, for one server */
    XEN_PAGE_SIZE = 4096,
    XEN_SLOTS_PER_PAGE = XEN_PAGE_SIZE / sizeof(ioreq_t),
    XEN_MAX_VCPUS = 8192, /* Xen's own limit is below */
    XEN_NO_SERVER = -1,
    XEN_N_HINTS = 4096,
};

/* Who waits on an event channel: a vCPU's, or (slot NULL) the one of the buffered ring. */
typedef struct {
    AccelXen *xen;
    unsigned index;
    ioreq_t *slot;
    void *ev;
    int port; /* local; -1: not bound */
    GThread *thread;
    pthread_mutex_t gate; /* held while a request is served */
    int stop_port;        /* events here end the thread, ... */
    uint32_t stop_send;   /* ... sent from here */
    IoReqStats stats;
    bool complained; /* [own thread] of what a slot held */
} XenWaiter;

/* Addresses first to last of one kind, as Xen was told. */
typedef struct {
    uint64_t first, last;
} XenRange;

typedef struct {
    XenLibRange type;
    GArray *wanted; /* of XenRange, as the listener sees them, in any order */
    GArray *told;   /* of XenRange, ascending */
    bool dirty;
    bool warned;
} XenRangeSet;

typedef struct XenPiece XenPiece;

struct _AccelXen {
    Accel parent_instance;

    /* Properties. */
    int host;
    int restrict_wish;
    uint32_t domid;
    bool buffered;
    uint64_t map_cache;

    const XenLib *lib;
    void *handle;
    XenLibDomainType domain_type;

    const AccelMachineInfo *info;
    IoReqDispatcher *dispatcher;
    int server; /* id, or XEN_NO_SERVER */

    /* pages.c */
    void *resource;               /* or NULL: not mapped as a resource */
    void *pages;                  /* the first page */
    unsigned n_pages;             /* in one piece */
    struct buffered_iopage *ring; /* or NULL */
    void *ring_page;              /* mapped apart from pages, or NULL */
    ioreq_t *slots;

    unsigned n_vcpus;
    XenWaiter *waiters; /* of vCPUs, then the ring's */
    unsigned n_waiters;
    pthread_mutex_t ring_lock;
    uint32_t buffered_port;
    bool started, paused;
    pthread_mutex_t pause_lock;
    pthread_cond_t resumed;

    MemoryListener mem_listener, io_listener;
    XenRangeSet memory, ports; /* guarded by the topology lock */
    GError *range_error;       /* the first, before the start */
    bool warned_irq;           /* atomic */
    bool gone;                 /* atomic: the domain has been destroyed */
    GSource *watch;            /* whether it has, or NULL */

    /* foreign.c */
    MemoryRegion guest_memory;
    MemoryRegion *shown_in; /* or NULL */
    XenPiece *pieces;
    unsigned n_pieces;
    unsigned next_victim;
    uint32_t hints[XEN_N_HINTS]; /* atomic: places by host address */
    pthread_mutex_t pieces_lock;
    bool dirty_log; /* atomic */
};

/* xen.c */
/* Something failed that only a domain's end explains, or a fault of the host. [any] */
void xen_report_trouble(AccelXen *xen, const char *what, int cause);

/* pages.c */
bool xen_pages_map(AccelXen *xen, GError **error);
void xen_pages_unmap(AccelXen *xen);

/* serve.c */
void xen_serve_init(AccelXen *xen);
void xen_serve_clear(AccelXen *xen);
/* Opens an event channel handle for each thread to come. */
bool xen_serve_open(AccelXen *xen, GError **error);
/* Binds the channels, which exist once the server is enabled, and starts the threads. */
bool xen_serve_start(AccelXen *xen, GError **error);
/* What is in the slots is answered before the threads end. Idempotent. */
void xen_serve_stop(AccelXen *xen);
/* Returns when no request is being served; vCPUs that make one wait until it goes on. */
void xen_serve_pause(AccelXen *xen);
void xen_serve_resume(AccelXen *xen);

/* slot.c */
/* Fills req from a copy of a slot. NULL, or what is wrong with the slot's content. */
const char *xen_slot_take(const ioreq_t *slot, IoRequest *req);
/* Whether Xen looks for an answer in the slot's data. */
bool xen_slot_wants_data(const ioreq_t *slot);
/* The same for a buffered request; high is the slot behind it, for 8 bytes. */
const char *xen_buffered_take(const buf_ioreq_t *slot, const buf_ioreq_t *high, IoRequest *req);

/* ranges.c */
void xen_ranges_init(AccelXen *xen);
void xen_ranges_clear(AccelXen *xen);
void xen_ranges_follow(AccelXen *xen);
void xen_ranges_unfollow(AccelXen *xen);
bool xen_pci_function(Accel *accel, uint16_t segment, uint8_t bus, uint8_t devfn, GError **error);

/* foreign.c */
void xen_foreign_init(AccelXen *xen);
void xen_foreign_clear(AccelXen *xen);
/* The region is there from show to hide; what was mapped stays until close. */
void xen_foreign_show(AccelXen *xen, MemoryRegion *system);
void xen_foreign_hide(AccelXen *xen);
void xen_foreign_close(AccelXen *xen);
/* Forgets all mappings; one that is in use goes with its last user. [any] */
void xen_foreign_invalidate(AccelXen *xen);

/* irq.c */
/* Whether interrupt lines may be driven at all. */
bool xen_has_lines(const AccelXen *xen);
void xen_msi(Accel *accel, uint64_t addr, uint32_t data);
bool xen_irq_connect(Accel *accel, unsigned gsi, AccelIrqMode mode, GError **error);
void xen_irq_set(Accel *accel, unsigned gsi, bool level);
void xen_pci_irq(Accel *accel, uint16_t segment, uint8_t bus, uint8_t dev, unsigned pin,
                 bool level);
