/* SPDX-License-Identifier: GPL-2.0-or-later
 * A guest for the virtio tests: a board with RAM and one virtio-mmio transport, and a driver that
 * touches registers through the memory API and RAM as a CPU does. Written against virtio 1.2, not
 * against the device's code.
 */
#pragma once

#include <pthread.h>

#include "hw/virtio/virtio-mmio.h"

enum {
    RAM_BASE = 0x40000000,
    RAM_SIZE = 4 << 20,
    RAM2_BASE = RAM_BASE + RAM_SIZE, /* follows, but is a region of its own */
    RAM2_SIZE = 1 << 20,
    TRAP_BASE = 0x50000000, /* an I/O region that counts accesses */
    ROM_BASE = 0x60000000,
    MMIO_BASE = 0x0a003e00,

    R_MAGIC = 0x00,
    R_VERSION = 0x04,
    R_DEVICE_ID = 0x08,
    R_VENDOR_ID = 0x0c,
    R_DEVICE_FEATURES = 0x10,
    R_DEVICE_FEATURES_SEL = 0x14,
    R_DRIVER_FEATURES = 0x20,
    R_DRIVER_FEATURES_SEL = 0x24,
    R_PAGE_SIZE = 0x28,
    R_QUEUE_SEL = 0x30,
    R_QUEUE_NUM_MAX = 0x34,
    R_QUEUE_NUM = 0x38,
    R_QUEUE_ALIGN = 0x3c,
    R_QUEUE_PFN = 0x40,
    R_QUEUE_READY = 0x44,
    R_QUEUE_NOTIFY = 0x50,
    R_ISR = 0x60,
    R_ACK = 0x64,
    R_STATUS = 0x70,
    R_DESC_LOW = 0x80,
    R_DRIVER_LOW = 0x90,
    R_DEVICE_LOW = 0xa0,
    R_SHM_LEN_LOW = 0xb0,
    R_GENERATION = 0xfc,
    R_CONFIG = 0x100,

    S_ACKNOWLEDGE = 1,
    S_DRIVER = 2,
    S_DRIVER_OK = 4,
    S_FEATURES_OK = 8,
    S_NEEDS_RESET = 64,

    ISR_USED = 1,
    ISR_CONFIG = 2,

    D_NEXT = 1,
    D_WRITE = 2,
    D_INDIRECT = 4,

    MAX_QUEUE_SIZE = 1024,

    F_NOTIFY_ON_EMPTY = 24,
    F_INDIRECT = 28,
    F_EVENT_IDX = 29,
    F_VERSION_1 = 32,
    F_RING_PACKED = 34,
};

typedef struct {
    uint64_t gpa;
    uint32_t len;
    bool write;
} Buf;

typedef struct {
    uint32_t id, len;
} Used;

typedef struct {
    unsigned index, size;
    uint64_t desc, avail,
        used;            /* packed: the ring, the driver's and the device's event structure */
    uint16_t next_desc;  /* where the next chain goes, round the table */
    uint16_t avail_idx;  /* as published */
    uint16_t used_taken; /* used entries taken */

    /* Packed rings; the wrap counters are of next_desc and of next_used. */
    bool wrap, used_wrap;
    uint16_t next_used;
    uint16_t head_flags[MAX_QUEUE_SIZE], n_desc[MAX_QUEUE_SIZE]; /* of a chain, by its head */
} GuestQueue;

typedef struct {
    MemoryRegion root, ram, ram2, rom, trap;
    AddressSpace *as;
    Device *transport, *dev;
    bool legacy, event_idx;
    bool offer_packed, packed; /* devices are made with packed=on; it was negotiated */
    uint64_t next_free;        /* RAM allocator */
    uint64_t features;         /* negotiated */
    GuestQueue queues[8];

    pthread_mutex_t lock; /* what follows */
    pthread_cond_t changed;
    int level;
    unsigned raised; /* 0 to 1 changes of the line */
    gint trapped;    /* atomic: accesses to the trap region */
} Guest;

/* Transport kinds every data path rule is tested on. */
typedef struct {
    const char *name;
    bool legacy, no_ioeventfd, packed;
} GuestKind;
extern const GuestKind guest_kinds[4];

/* A board; nothing is plugged. */
Guest *guest_new(const GuestKind *kind);
/* Makes a device of type with properties ("name=value", NULL-terminated) and plugs it. */
bool guest_plug(Guest *g, const char *type, const char *const *props, GError **error);
void guest_plug_ok(Guest *g, const char *type, const char *const *props);
void guest_unplug(Guest *g);
void guest_free(Guest *g);

uint32_t guest_rd(Guest *g, unsigned reg);
void guest_wr(Guest *g, unsigned reg, uint32_t value);
uint64_t guest_offered(Guest *g);

/* Whole start of a driver: reset to DRIVER_OK, accepting what is offered of wanted (modern:
 * VERSION_1 too) and setting up every queue there is (up to 8). */
void guest_start(Guest *g, uint64_t wanted);
/* The steps of it. */
void guest_negotiate(Guest *g, uint64_t wanted);
void guest_setup_queue(Guest *g, unsigned index, unsigned size);
void guest_driver_ok(Guest *g);

/* Guest RAM: allocation is never freed. */
uint64_t guest_alloc(Guest *g, uint64_t size, uint64_t align);
void *guest_ptr(Guest *g, uint64_t gpa);
void guest_fill(Guest *g, uint64_t gpa, uint8_t value, size_t len);

/* Descriptor i of the queue's table, or of a table at an address. */
void guest_desc(Guest *g, uint64_t table, unsigned i, uint64_t gpa, uint32_t len, unsigned flags,
                unsigned next);
/* Writes a chain to the table (or to an indirect table of its own) without publishing it; returns
 * its head. */
unsigned guest_chain(Guest *g, unsigned queue, const Buf *bufs, unsigned n);
unsigned guest_chain_indirect(Guest *g, unsigned queue, const Buf *bufs, unsigned n);
/* Puts head into the available ring and publishes it. Packed rings: chains are published in the
 * order in which they were made, or all are before the first is. */
void guest_publish(Guest *g, unsigned queue, unsigned head);
void guest_set_avail_idx(Guest *g, unsigned queue, uint16_t idx);
void guest_notify(Guest *g, unsigned queue);
/* chain + publish + notify */
unsigned guest_submit(Guest *g, unsigned queue, const Buf *bufs, unsigned n);

/* Returns when the device has seen every notification made before. */
void guest_barrier(Guest *g);
uint16_t guest_used_idx(Guest *g, unsigned queue);
/* The next used entry, sleeping for interrupts, which it acknowledges. */
Used guest_wait(Guest *g, unsigned queue);
/* The same, looking at the ring only. */
Used guest_poll(Guest *g, unsigned queue);
/* Sleeps until the bits are in the interrupt status; acknowledges them. */
void guest_wait_isr(Guest *g, uint32_t bits);
int guest_level(Guest *g);
unsigned guest_raised(Guest *g);
/* Event index fields; a value the driver (used_event) or the device (avail_event) wrote. */
void guest_set_used_event(Guest *g, unsigned queue, uint16_t event);
uint16_t guest_avail_event(Guest *g, unsigned queue);
void guest_set_avail_flags(Guest *g, unsigned queue, uint16_t flags);
uint16_t guest_used_flags(Guest *g, unsigned queue);

/* virtio-driver-packed.c: the same for packed rings (section 2.8), called by the above. There
 * indices count chains; where it matters each chain must be of one descriptor. */
unsigned packed_chain(Guest *g, GuestQueue *q, const Buf *bufs, unsigned n);
unsigned packed_chain_indirect(Guest *g, GuestQueue *q, const Buf *bufs, unsigned n);
void packed_publish(Guest *g, GuestQueue *q, unsigned head);
unsigned packed_used_ahead(Guest *g, GuestQueue *q); /* chains used and not taken */
Used packed_take(Guest *g, GuestQueue *q);
void packed_set_used_event(Guest *g, GuestQueue *q, uint16_t event);
uint16_t packed_avail_event(Guest *g, GuestQueue *q);
/* Descriptor i as the device or the driver writes it, flags last. */
void packed_desc(Guest *g, uint64_t table, unsigned i, uint64_t gpa, uint32_t len, uint16_t id,
                 uint16_t flags);
void guest_store16(Guest *g, uint64_t gpa, uint16_t value);
uint16_t guest_load16(Guest *g, uint64_t gpa);
uint32_t guest_load32(Guest *g, uint64_t gpa);

/* A test /GROUP/KIND/NAME for each of guest_kinds, which fn gets. */
void guest_add_test(const char *group, const char *name, void (*fn)(gconstpointer kind));
