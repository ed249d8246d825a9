/* SPDX-License-Identifier: GPL-2.0-or-later
 * State of a virtio device that virtio.c (features, status, configuration) and the queue-*.c files
 * (rings) share.
 *
 * Lock order: VirtQueue.lock, VirtIOCore.lock (leaf, but for the transport's interrupt lock). Both
 * are pthread mutexes, because the thread sanitizer cannot see inside GMutex.
 */
#pragma once

#include <linux/virtio_ring.h>
#include <pthread.h>

#include "hw/core/user-object.h"
#include "hw/virtio/virtio-transport.h"

typedef struct {
    const VirtIOTransportOps *ops;
    void *ops_opaque;
    AddressSpace *dma;
    IoThread *iothread;
    bool thread_per_queue;      /* the first queue's is iothread */
    UserObject *iothread_owner; /* who it belongs to, referenced; NULL: it is the device's own */

    uint64_t offered, accepted; /* the transport's lock */
    bool accepted_too_much;
    bool legacy;  /* the driver speaks through a legacy interface */
    bool no_dma;  /* the device may make no accesses now */
    gint running; /* atomic: DRIVER_OK and not broken */

    pthread_mutex_t lock; /* what follows */
    uint8_t status;
    bool broken;
    bool logged; /* virtio_error() has spoken */
    uint8_t *config;
    size_t config_size;
    uint32_t generation;

    GPtrArray *queues; /* of VirtQueue */
} VirtIOCore;

typedef struct RingOps RingOps; /* queue-priv.h */

/* queue-log.c */
typedef struct QueueLog QueueLog;
typedef struct {
    uint64_t number;
    uint16_t head;
} QueueLogEntry;

/* Guest memory: each field is read or written once, atomically. */
typedef struct {
    const struct vring_desc *desc;
    const struct vring_avail *avail;
    struct vring_used *used;
    uint64_t desc_len, avail_len, used_len;
} SplitRing;

typedef struct {
    struct vring_packed_desc *desc;
    const uint32_t *driver; /* event suppression structures, each as one little-endian word */
    uint32_t *device;
    struct vring_packed_desc *held; /* the first one filled and not flushed; its flags: */
    uint16_t held_flags;
    uint32_t unsignalled; /* places used since the last interrupt decision, two rounds at most */
} PackedRing;

struct VirtQueue {
    VirtIODevice *vdev;
    VirtIOCore *core;
    unsigned index, max_size;
    VirtQueueHandler handler;
    int kick_fd;
    IoThread *iothread; /* where it is served */
    uint64_t watch;
    gint stopping; /* atomic: somebody waits for lock to stop the queue */

    pthread_mutex_t lock; /* what follows; held while the handler runs */
    unsigned size;
    VirtQueueAddresses addr;
    bool ready;

    bool mapped, use_event_idx, use_indirect;
    const RingOps *ring; /* the format, while mapped */
    SplitRing split;
    PackedRing packed;

    /* Split: free running indices. Packed: places, see queue-packed.c. */
    uint16_t last_avail;  /* the next to take */
    uint16_t seen_avail;  /* newest available index read and checked; packed: place looked at */
    uint16_t used_idx;    /* ours; the ring's copy is never read back */
    uint16_t signalled;   /* split: used_idx at the last interrupt decision */
    bool signalled_valid; /* FALSE: not known, interrupt at the next push */
    unsigned taken;       /* descriptors (split: heads) of this epoch that the device has */
    unsigned budget;      /* pops left in this run of the handler */
    unsigned epoch;       /* steps when the queue is reset: elements of before are not returned */
    unsigned in_flight;   /* elements popped and neither pushed nor dropped */
    bool restart;         /* handler must run again: budget ended */
    bool ran_dry;         /* a pop found nothing since virtio_queue_enter() */

    QueueLog *log;        /* or NULL */
    uint64_t n_logged;    /* requests taken so far */
    QueueLogEntry *again; /* requests that a process before us had taken, oldest first, or NULL */
    unsigned n_again, next_again;
};

VirtIOCore *virtio_core(VirtIODevice *vdev);

VirtQueue *queue_new(VirtIODevice *vdev, unsigned index, unsigned size, VirtQueueHandler handler);
void queue_free(VirtQueue *vq);
/* Opens the kick descriptor and lets the I/O thread watch it. */
bool queue_start_watch(VirtQueue *vq, GError **error);
void queue_stop_watch(VirtQueue *vq);
/* Returns when the handler is not running. To be followed by queue_unlock(). */
void queue_lock_idle(VirtQueue *vq);
void queue_unlock(VirtQueue *vq);
/* TRUE: somebody waits for the handler to return, or the device stops. For long requests. [any] */
bool queue_is_wanted(VirtQueue *vq);
/* [locked] Back to power-on. */
void queue_reset(VirtQueue *vq);

/* queue-map.c, [locked]. FALSE: virtio_error() was called. */
bool queue_map(VirtQueue *vq);
void queue_unmap(VirtQueue *vq);
