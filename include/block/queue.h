/* SPDX-License-Identifier: GPL-2.0-or-later
 * Asynchronous requests to a block back end: many in flight at a time, each told when it is done.
 * Plain reads and writes of a host file go through io_uring; what that cannot take, and all else,
 * is done by threads.
 *
 * Threads: one at a time calls a queue's functions (the owner's lock sees to that); done is called
 * in them, in submit as well. The owner watches the descriptor in its I/O thread.
 */
#pragma once

#include "block/block.h"
#include "util/worker-pool.h"

typedef struct BlockQueue BlockQueue;
typedef struct BlockRequest BlockRequest;

typedef enum {
    BLOCK_OP_READ,
    BLOCK_OP_WRITE,
    BLOCK_OP_FLUSH,
    BLOCK_OP_DISCARD,
    BLOCK_OP_WRITE_ZEROES,
} BlockOp;

struct BlockRequest {
    WorkItem item; /* internal */
    BlockOp op;
    bool may_unmap; /* WRITE_ZEROES */
    bool stable;    /* writes: done when on stable storage */
    uint64_t offset;
    uint64_t length;         /* DISCARD, WRITE_ZEROES */
    const struct iovec *iov; /* READ, WRITE; borrowed until done */
    unsigned n_iov;
    /* 0 or -errno, as of the synchronous calls in block.h. The request is the caller's again. */
    void (*done)(BlockRequest *r, int result);

    BlockQueue *queue; /* internal, as what follows */
    BlockRequest *next;
    int result;
    bool only_flush;
    int64_t started; /* ns */
};

/* blk is referenced. NULL: HOST error. */
BlockQueue *block_queue_new(BlockBackend *blk, GError **error);
/* Nothing is in flight. NULL is fine. */
void block_queue_free(BlockQueue *q);
/* Readable when something is done: call block_queue_poll() then. */
int block_queue_fd(BlockQueue *q);
/* Takes the request, but may keep it back until block_queue_kick(). */
void block_queue_submit(BlockQueue *q, BlockRequest *r);
void block_queue_kick(BlockQueue *q);
void block_queue_poll(BlockQueue *q);
/* Returns when all requests are done, those too that done submits meanwhile. */
void block_queue_drain(BlockQueue *q);
