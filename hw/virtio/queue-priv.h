/* SPDX-License-Identifier: GPL-2.0-or-later
 * What the two ring formats (queue-split.c, queue-packed.c), the mapping of guest memory they share
 * (queue-map.c) and the common part of a queue (queue.c) know of each other. Nobody else includes
 * this.
 */
#pragma once

#include "virtio-priv.h"

/* One ring format; everything is called with the queue locked. */
struct RingOps {
    /* Maps the ring at vq->addr. FALSE: virtio_error() was called. */
    bool (*map)(VirtQueue *vq);
    void (*unmap)(VirtQueue *vq);
    /* TRUE if the driver made a request available that was not taken yet. */
    bool (*has_next)(VirtQueue *vq);
    /* Takes it, after has_next() said that there is one. NULL: virtio_error() was called. */
    VirtQueueElement *(*take)(VirtQueue *vq);
    /* Takes it back: elem is the newest one taken. */
    void (*untake)(VirtQueue *vq, const VirtQueueElement *elem);
    /* Writes a used element, which the driver sees after flush(). */
    void (*fill)(VirtQueue *vq, const VirtQueueElement *elem, uint32_t written);
    void (*flush)(VirtQueue *vq);
    bool (*wants_interrupt)(VirtQueue *vq);
    /* Whether the driver is to notify the device of the next request. */
    void (*set_notification)(VirtQueue *vq, bool enable);
    /* Asks to be told of what follows the newest request seen (older ones may have been put back).
     * TRUE: something does already. */
    bool (*ask_for_more)(VirtQueue *vq);
};

extern const RingOps split_ring, packed_ring;

/* ---- queue-packed.c: places in a packed ring, as its event structures name them ---- */
uint16_t queue_packed_off_wrap(unsigned size, uint32_t place);
/* FALSE: there is no such place. */
bool queue_packed_place(unsigned size, uint16_t off_wrap, uint32_t *place);

/* ---- queue-log.c, [locked]; nothing happens without a log ---- */
void queue_log_reset(VirtQueue *vq);
/* head was taken from the ring, or put back. */
void queue_log_take(VirtQueue *vq, unsigned head);
void queue_log_untake(VirtQueue *vq, unsigned head);
/* The driver has seen vq->used_idx. */
void queue_log_flush(VirtQueue *vq);

/* ---- queue-map.c ---- */

/* A chain being collected. */
typedef struct {
    struct iovec iov[VIRTIO_QUEUE_MAX];
    unsigned n, n_out;
    uint64_t out_size, in_size;
} Chain;

/* len bytes of RAM at gpa, or NULL. */
void *queue_map_part(VirtQueue *vq, uint64_t gpa, uint64_t len, unsigned align, bool is_write);
void queue_unmap_part(VirtQueue *vq, const void *host, uint64_t len, bool is_write);
/* Maps an indirect table; wrong is what the ring format has against it, or NULL. NULL: an error was
 * reported. To be followed by queue_unmap_part(). */
const void *queue_map_table(VirtQueue *vq, uint64_t gpa, uint32_t len, const char *wrong);
void chain_init(Chain *c);
/* Adds a buffer. FALSE: virtio_error() was called. */
bool chain_add(VirtQueue *vq, Chain *c, uint64_t gpa, uint32_t len, bool is_write);
void chain_unmap(VirtQueue *vq, const Chain *c);
/* The element that has the chain's buffers. */
VirtQueueElement *chain_element(VirtQueue *vq, const Chain *c, uint16_t head, uint16_t n_desc);
void queue_unmap_element(VirtQueue *vq, VirtQueueElement *elem);
