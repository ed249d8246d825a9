/* SPDX-License-Identifier: GPL-2.0-or-later
 * See block/queue.h. A request takes one of three ways: at once, where that does not block
 * (null-co, files in memory, a lone read that the page cache holds); io_uring, where the driver
 * says that it is a plain transfer of a descriptor; else the synchronous functions of block.c in a
 * thread. What io_uring leaves undone (a short transfer, an error that may be about the way) is
 * done again by a thread, whose result counts.
 */
#include "block/queue.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/magic.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <time.h>

#include "block-priv.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/iov.h"

enum {
    QUEUE_THREADS = 16,
    QUEUE_ENTRIES = 256,
    /* What is in the page cache is copied where it is submitted; from that many bytes on, and with
     * another request beside it, a thread of the kernel's does that, so that several copy. */
    LONG_TRANSFER = 256 << 10,
    AT_ONCE_MAX = 64 * 1024, /* copying more would keep the queue's other requests waiting */
    AFTER_A_MISS = 32,
};

struct BlockQueue {
    BlockBackend *blk;
    WorkerPool *pool;
    int event_fd;
    unsigned in_flight;
    bool has_ring;
    struct io_uring ring;
    unsigned not_handed_over; /* entries since the last io_uring_submit() */
    bool seen, is_memory, is_cached;
    unsigned misses; /* so many requests are not tried at once */

    pthread_mutex_t lock; /* what follows */
    BlockRequest *first_done, **last_done;
};

/* ---- threads ---- */

static int run_synchronously(BlockRequest *r)
{
    BlockBackend *blk = r->queue->blk;
    int result = 0;

    if (r->only_flush) {
        return block_flush(blk);
    }
    switch (r->op) {
    case BLOCK_OP_READ:
        return block_preadv(blk, r->offset, r->iov, r->n_iov);
    case BLOCK_OP_FLUSH:
        return block_flush(blk);
    case BLOCK_OP_WRITE:
        result = block_pwritev(blk, r->offset, r->iov, r->n_iov);
        break;
    case BLOCK_OP_DISCARD:
        return block_discard(blk, r->offset, r->length);
    case BLOCK_OP_WRITE_ZEROES:
        result = block_write_zeroes(blk, r->offset, r->length, r->may_unmap);
        break;
    }
    return result == 0 && r->stable ? block_flush(blk) : result;
}

/* [worker] */
static void run_in_thread(WorkItem *item)
{
    BlockRequest *r = (BlockRequest *)item;
    BlockQueue *q = r->queue;
    bool first;

    r->result = run_synchronously(r);
    r->next = NULL;
    pthread_mutex_lock(&q->lock);
    first = q->first_done == NULL;
    *q->last_done = r;
    q->last_done = &r->next;
    if (first && eventfd_write(q->event_fd, 1) != 0) {
        g_assert(errno == EAGAIN); /* it is readable then */
    }
    pthread_mutex_unlock(&q->lock); /* the queue may be gone once somebody else had the lock */
}

static void submit_to_thread(BlockQueue *q, BlockRequest *r)
{
    r->item.run = run_in_thread;
    worker_pool_push(q->pool, &r->item);
}

static BlockRequest *take_done(BlockQueue *q)
{
    BlockRequest *first;

    pthread_mutex_lock(&q->lock);
    first = q->first_done;
    q->first_done = NULL;
    q->last_done = &q->first_done;
    pthread_mutex_unlock(&q->lock);
    return first;
}

static int64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void finish(BlockQueue *q, BlockRequest *r, int result)
{
    static const BlockStat kinds[] = {
        [BLOCK_OP_READ] = BLOCK_STAT_READ,          [BLOCK_OP_WRITE] = BLOCK_STAT_WRITE,
        [BLOCK_OP_FLUSH] = BLOCK_STAT_FLUSH,        [BLOCK_OP_DISCARD] = BLOCK_STAT_UNMAP,
        [BLOCK_OP_WRITE_ZEROES] = BLOCK_STAT_WRITE,
    };

    block_account(q->blk, kinds[r->op], r->length, now() - r->started, result != 0);
    q->in_flight--;
    r->done(r, result);
}

/* ---- io_uring ---- */

static void ring_completed(BlockQueue *q, BlockRequest *r, int res)
{
    bool is_write = r->op == BLOCK_OP_WRITE, whole = res >= 0 && (uint64_t)res == r->length;

    block_plain_end(q->blk, is_write, whole ? r->offset + r->length : 0);
    if (!whole) {
        submit_to_thread(q, r);
    } else if (is_write && (r->stable || block_is_writethrough(q->blk))) {
        r->only_flush = true;
        submit_to_thread(q, r);
    } else {
        finish(q, r, 0);
    }
}

/* Files that are memory themselves, and those that the page cache stands in front of. */
static void look_at_file(BlockQueue *q, int fd)
{
    struct statfs fs;
    int flags = fcntl(fd, F_GETFL);

    q->seen = true;
    q->is_memory = fstatfs(fd, &fs) == 0 && (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
    q->is_cached = flags >= 0 && (flags & O_DIRECT) == 0;
}

/* What is in the host's memory needs no handing over and no waking up. FALSE: it has not all been
 * done, and is to be done again. */
static bool transfer_at_once(BlockQueue *q, BlockRequest *r, int fd, bool is_write)
{
    bool alone = q->in_flight == 1, done;
    ssize_t got;

    if (!q->seen) {
        look_at_file(q, fd);
    }
    if (r->length > AT_ONCE_MAX) {
        return false;
    }
    if (q->is_memory) {
        got = is_write ? pwritev(fd, r->iov, r->n_iov, r->offset)
                       : preadv(fd, r->iov, r->n_iov, r->offset);
        return got >= 0 && (uint64_t)got == r->length;
    }
    if (is_write || !q->is_cached || !alone) {
        return false;
    }
    if (q->misses > 0) { /* the cache does not hold what is read these days */
        q->misses--;
        return false;
    }
    got = preadv2(fd, r->iov, r->n_iov, r->offset, RWF_NOWAIT);
    done = got >= 0 && (uint64_t)got == r->length;
    q->misses = done ? 0 : AFTER_A_MISS;
    return done;
}

static bool submit_to_ring(BlockQueue *q, BlockRequest *r)
{
    bool is_write = r->op == BLOCK_OP_WRITE;
    struct io_uring_sqe *sqe;
    int fd;

    if (!q->has_ring || (r->op != BLOCK_OP_READ && !is_write) || r->n_iov > IOV_MAX) {
        return false;
    }
    fd = block_plain_begin(q->blk, r->offset, r->iov, r->n_iov, is_write);
    if (fd < 0) {
        return false;
    }
    if (transfer_at_once(q, r, fd, is_write)) {
        ring_completed(q, r, (int)r->length);
        return true;
    }
    sqe = io_uring_get_sqe(&q->ring);
    if (sqe == NULL) { /* the ring is full of what was not handed over */
        block_queue_kick(q);
        sqe = io_uring_get_sqe(&q->ring);
    }
    if (sqe == NULL) {
        block_plain_end(q->blk, is_write, 0);
        return false;
    }
    if (is_write) {
        io_uring_prep_writev(sqe, fd, r->iov, r->n_iov, r->offset);
    } else {
        io_uring_prep_readv(sqe, fd, r->iov, r->n_iov, r->offset);
    }
    if (r->length >= LONG_TRANSFER && q->in_flight > 1) {
        sqe->flags |= IOSQE_ASYNC;
    }
    io_uring_sqe_set_data(sqe, r);
    q->not_handed_over++;
    return true;
}

static void reap_ring(BlockQueue *q)
{
    struct io_uring_cqe *cqe;

    while (q->has_ring && io_uring_peek_cqe(&q->ring, &cqe) == 0) {
        BlockRequest *r = io_uring_cqe_get_data(cqe);
        int res = cqe->res;

        io_uring_cqe_seen(&q->ring, cqe);
        ring_completed(q, r, res);
    }
}

/* ---- what the owner calls ---- */

void block_queue_submit(BlockQueue *q, BlockRequest *r)
{
    bool transfers = r->op == BLOCK_OP_READ || r->op == BLOCK_OP_WRITE;
    uint64_t length = r->op == BLOCK_OP_FLUSH ? 0
                      : transfers             ? iov_size(r->iov, r->n_iov)
                                              : r->length;
    int result = r->op == BLOCK_OP_FLUSH
                     ? 0
                     : block_check(q->blk, r->offset, length, r->op != BLOCK_OP_READ);

    r->queue = q;
    r->length = length;
    r->only_flush = false;
    r->started = now();
    q->in_flight++;
    if (result != 0 || (transfers && length == 0)) {
        finish(q, r, result);
    } else if (block_is_immediate(q->blk)) {
        finish(q, r, run_synchronously(r));
    } else if (!submit_to_ring(q, r)) {
        submit_to_thread(q, r);
    }
}

void block_queue_kick(BlockQueue *q)
{
    while (q->not_handed_over > 0) {
        int n = io_uring_submit(&q->ring);

        if (n < 0 && n != -EINTR) {
            /* EAGAIN, EBUSY: the kernel is out of something for now; the next poll tries again. */
            if (eventfd_write(q->event_fd, 1) != 0) {
                g_assert(errno == EAGAIN);
            }
            return;
        }
        q->not_handed_over -= MIN(MAX(n, 0), (int)q->not_handed_over);
    }
}

void block_queue_poll(BlockQueue *q)
{
    BlockRequest *r;
    eventfd_t count;

    if (eventfd_read(q->event_fd, &count) != 0) {
        g_assert(errno == EAGAIN);
    }
    reap_ring(q);
    for (r = take_done(q); r != NULL;) {
        BlockRequest *next = r->next;

        finish(q, r, r->result);
        r = next;
    }
    block_queue_kick(q);
}

void block_queue_drain(BlockQueue *q)
{
    block_queue_kick(q);
    while (q->in_flight > 0) {
        struct pollfd fd = { .fd = q->event_fd, .events = POLLIN };

        if (poll(&fd, 1, -1) < 0) {
            g_assert(errno == EINTR);
        }
        block_queue_poll(q);
    }
}

int block_queue_fd(BlockQueue *q)
{
    return q->event_fd;
}

void block_queue_free(BlockQueue *q)
{
    if (q == NULL) {
        return;
    }
    g_assert(q->in_flight == 0);
    worker_pool_free(q->pool);
    if (q->has_ring) {
        io_uring_queue_exit(&q->ring);
    }
    fd_clear(&q->event_fd);
    pthread_mutex_destroy(&q->lock);
    block_unref(q->blk);
    g_free(q);
}

static bool start_ring(BlockQueue *q, BlockAio aio, GError **error)
{
    int result;

    if (aio == BLOCK_AIO_THREADS || !block_has_plain(q->blk)) {
        return true;
    }
    result = io_uring_queue_init(QUEUE_ENTRIES, &q->ring, 0);
    q->has_ring = result == 0;
    if (result == 0) {
        result = io_uring_register_eventfd(&q->ring, q->event_fd);
    }
    if (result == 0) {
        return true;
    }
    if (q->has_ring) {
        io_uring_queue_exit(&q->ring);
        q->has_ring = false;
    }
    if (aio == BLOCK_AIO_AUTO) {
        return true; /* a kernel or sandbox without it */
    }
    error_set_errno(error, -result, "cannot use io_uring (aio=threads does without)");
    return false;
}

BlockQueue *block_queue_new(BlockBackend *blk, GError **error)
{
    BlockQueue *q = g_new0(BlockQueue, 1);

    q->blk = block_ref(blk);
    q->last_done = &q->first_done;
    pthread_mutex_init(&q->lock, NULL);
    q->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (q->event_fd < 0) {
        error_set_errno(error, errno, "cannot create an eventfd");
        block_queue_free(q);
        return NULL;
    }
    q->pool = worker_pool_new("block-worker", QUEUE_THREADS, error);
    if (q->pool == NULL || !start_ring(q, block_aio(blk), error)) {
        block_queue_free(q);
        return NULL;
    }
    return q;
}
