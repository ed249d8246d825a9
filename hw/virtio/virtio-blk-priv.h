/* SPDX-License-Identifier: GPL-2.0-or-later
 * State of a virtio block device, shared by the virtio-blk*.c files. After realize only
 * writeback and sectors change.
 */
#pragma once

#include <pthread.h>

#include "block/queue.h"
#include "hw/core/run-watch.h"
#include "hw/virtio/virtio.h"

#define TYPE_VIRTIO_BLK virtio_blk_get_type()
G_DECLARE_FINAL_TYPE(VirtIOBlk, virtio_blk, HUMPY, VIRTIO_BLK, VirtIODevice)

typedef struct VirtIOBlkTransfer VirtIOBlkTransfer;
/* Oldest first. */
typedef struct {
    VirtIOBlkTransfer *first, **last;
} VirtIOBlkList;

/* What there is of one queue outside the back end. */
typedef struct {
    VirtIOBlkList done;    /* the driver was not told yet */
    VirtIOBlkList stopped; /* failed, to be made again when the machine goes on */
    VirtIOBlkList retry;   /* to be made again now */
} VirtIOBlkLane;

struct _VirtIOBlk {
    VirtIODevice parent;
    VirtIOProps props;
    char *iothread;
    char *drive, *serial;
    uint32_t logical_block_size, physical_block_size, min_io_size, opt_io_size;
    uint32_t discard_granularity;
    int write_cache_prop;
    int rerror, werror; /* BlockOnError */
    bool config_wce, request_merging, discard, write_zeroes;
    bool read_only; /* whatever the drive is */
    uint32_t num_queues, queue_size;
    uint32_t max_discard_sectors, max_write_zeroes_sectors;

    BlockBackend *blk;
    uint64_t sectors; /* relaxed atomic: capacity in 512 bytes, whole logical blocks */
    bool write_cache; /* at reset */
    bool wce;         /* as the driver set it; calls of the transport only */
    gint writeback;   /* atomic: 0 flushes with every write */

    RunWatch *run_watch;
    uint64_t watch;
    pthread_mutex_t lock; /* what follows; after a queue's lock */
    BlockQueue *bq;
    VirtIOBlkLane *lanes; /* one for each queue */
};

/* ---- virtio-blk-transfer.c ---- */

typedef struct {
    VirtQueueElement *elem;
    uint32_t type;
    uint64_t sector;
    uint64_t len; /* bytes of data */
} VirtIOBlkRequest;

/* The data part of a transfer's buffers, at most VIRTIO_QUEUE_MAX entries. */
unsigned blk_data_iov(const VirtIOBlkRequest *r, struct iovec *iov);
uint8_t blk_status_of(int result);
/* The last writable byte is the status; written counts it and the data before it. [queue] */
void blk_complete(VirtQueue *vq, VirtQueueElement *elem, uint8_t status, uint64_t data_written);
/* One request to the back end: requests of one type and of neighbouring sectors, or one other. */
VirtIOBlkTransfer *blk_transfer_new(VirtIOBlk *s, VirtQueue *vq, BlockOp op,
                                    const VirtIOBlkRequest *requests, unsigned n,
                                    const struct iovec *iov, unsigned n_iov);
void blk_transfer_set_range(VirtIOBlkTransfer *t, uint64_t length, bool may_unmap);
void blk_submit(VirtIOBlkTransfer *t);
/* Submits again what is to be made again. [queue] */
void blk_retry(VirtIOBlk *s, VirtQueue *vq);
/* Returns what is done to the driver. FALSE: nothing was done. [queue] */
bool blk_return_done(VirtIOBlk *s, VirtQueue *vq);

void virtio_blk_list_init(VirtIOBlkList *list);
void virtio_blk_done(void *opaque); /* [I/O thread] the back end's queue has something */
void virtio_blk_drain(VirtIODevice *vdev, VirtQueue *vq);
/* [main] The machine goes on: so do requests that stopped it. */
void virtio_blk_resumed(void *opaque);
/* The queues are stopped: waits for the back end and forgets what it did. */
void virtio_blk_drop_all(VirtIOBlk *s);

/* ---- virtio-blk-io.c ---- */
void virtio_blk_serve_queue(VirtIODevice *vdev, VirtQueue *vq);
