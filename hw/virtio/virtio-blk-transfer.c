/* SPDX-License-Identifier: GPL-2.0-or-later
 * A block device's requests on their way to the back end's queue and back: what is done is returned
 * to the driver in the order in which it was done, what failed is judged (rerror, werror), and what
 * stopped the machine waits until it goes on. How requests are taken is in virtio-blk-io.c.
 */
#include <errno.h>
#include <linux/virtio_blk.h>
#include <string.h>

#include "util/event.h"
#include "util/iov.h"
#include "virtio-blk-priv.h"

/* One request to the back end: requests of one type and of neighbouring sectors, or one other. */
struct VirtIOBlkTransfer {
    BlockRequest block;
    VirtIOBlk *s;
    VirtQueue *vq;
    VirtIOBlkTransfer *next; /* in the list of what is done */
    int result;
    unsigned n;
    VirtIOBlkRequest requests[]; /* behind them, the scatter list */
};

/* ---- lists ---- */

void virtio_blk_list_init(VirtIOBlkList *list)
{
    *list = (VirtIOBlkList){ .last = &list->first };
}

static void append(VirtIOBlkList *list, VirtIOBlkTransfer *t)
{
    t->next = NULL;
    *list->last = t;
    list->last = &t->next;
}

static VirtIOBlkTransfer *take_all(VirtIOBlkList *list)
{
    VirtIOBlkTransfer *first = list->first;

    virtio_blk_list_init(list);
    return first;
}

static VirtIOBlkLane *lane(VirtIOBlk *s, VirtQueue *vq)
{
    return &s->lanes[virtio_queue_index(vq)];
}

uint8_t blk_status_of(int result)
{
    return result == 0          ? VIRTIO_BLK_S_OK
           : result == -ENOTSUP ? VIRTIO_BLK_S_UNSUPP
                                : VIRTIO_BLK_S_IOERR;
}

void blk_complete(VirtQueue *vq, VirtQueueElement *elem, uint8_t status, uint64_t data_written)
{
    iov_from_buf(elem->in, elem->n_in, elem->in_size - 1, &status, 1);
    virtio_queue_push(vq, elem, MIN(data_written + 1, UINT32_MAX));
}

unsigned blk_data_iov(const VirtIOBlkRequest *r, struct iovec *iov)
{
    const VirtQueueElement *e = r->elem;

    return r->type == VIRTIO_BLK_T_IN
               ? iov_slice(iov, e->in, e->n_in, 0, r->len)
               : iov_slice(iov, e->out, e->n_out, sizeof(struct virtio_blk_outhdr), r->len);
}

/* ---- to the back end and back ---- */

/* In block_queue_*(), so under the device's lock. */
static void transfer_done(BlockRequest *block, int result)
{
    VirtIOBlkTransfer *t = (VirtIOBlkTransfer *)block;

    t->result = result;
    append(&lane(t->s, t->vq)->done, t);
}

VirtIOBlkTransfer *blk_transfer_new(VirtIOBlk *s, VirtQueue *vq, BlockOp op,
                                    const VirtIOBlkRequest *requests, unsigned n,
                                    const struct iovec *iov, unsigned n_iov)
{
    VirtIOBlkTransfer *t =
        g_malloc(sizeof(*t) + n * sizeof(VirtIOBlkRequest) + n_iov * sizeof(struct iovec));
    struct iovec *own = (struct iovec *)&t->requests[n];

    memcpy(t->requests, requests, n * sizeof(VirtIOBlkRequest));
    if (n_iov > 0) {
        memcpy(own, iov, n_iov * sizeof(struct iovec));
    }
    t->s = s;
    t->vq = vq;
    t->n = n;
    t->block = (BlockRequest){
        .op = op,
        .stable = !g_atomic_int_get(&s->writeback),
        .offset = requests[0].sector * BLOCK_SECTOR_SIZE,
        .iov = own,
        .n_iov = n_iov,
        .done = transfer_done,
    };
    return t;
}

void blk_transfer_set_range(VirtIOBlkTransfer *t, uint64_t length, bool may_unmap)
{
    t->block.length = length;
    t->block.may_unmap = may_unmap;
}

void blk_submit(VirtIOBlkTransfer *t)
{
    VirtIOBlk *s = t->s;

    pthread_mutex_lock(&s->lock);
    block_queue_submit(s->bq, &t->block);
    pthread_mutex_unlock(&s->lock);
}

/* Each request of a transfer that failed as a whole gets its own result. */
static void split(VirtIOBlkTransfer *t)
{
    struct iovec iov[VIRTIO_QUEUE_MAX];

    for (unsigned i = 0; i < t->n; i++) {
        unsigned n_iov = blk_data_iov(&t->requests[i], iov);

        blk_submit(blk_transfer_new(t->s, t->vq, t->block.op, &t->requests[i], 1, iov, n_iov));
    }
}

/* What becomes of a request that failed. */
static BlockOnError choose_action(const VirtIOBlk *s, bool is_read, int result)
{
    BlockOnError action = is_read ? s->rerror : s->werror;

    if (action == BLOCK_ON_ERROR_AUTO) {
        action = block_on_error(s->blk, is_read);
    }
    if (action == BLOCK_ON_ERROR_ENOSPC) {
        action = result == -ENOSPC ? BLOCK_ON_ERROR_STOP : BLOCK_ON_ERROR_REPORT;
    }
    return action;
}

static void tell_management(VirtIOBlk *s, bool is_read, BlockOnError action, int result)
{
    const char *id = virtio_user_id(HUMPY_VIRTIO_DEVICE(s));
    JsonObject *data = json_object_new();

    json_object_set_string_member(data, "device", id != NULL ? id : "");
    json_object_set_string_member(data, "node-name", block_node_name(s->blk));
    json_object_set_string_member(data, "operation", is_read ? "read" : "write");
    json_object_set_string_member(data, "action", block_on_error_names[action]);
    json_object_set_boolean_member(data, "nospace", result == -ENOSPC);
    json_object_set_string_member(data, "reason", g_strerror(-result));
    event_emit("BLOCK_IO_ERROR", data);
}

/* FALSE: the machine is asked to stop, and t is kept until it goes on. */
static bool judge_error(VirtIOBlkTransfer *t)
{
    VirtIOBlk *s = t->s;
    bool is_read = t->block.op == BLOCK_OP_READ;
    BlockOnError action = choose_action(s, is_read, t->result);

    if (action == BLOCK_ON_ERROR_STOP) { /* before anybody can hear of it and say cont */
        pthread_mutex_lock(&s->lock);
        append(&lane(s, t->vq)->stopped, t);
        pthread_mutex_unlock(&s->lock);
    }
    tell_management(s, is_read, action, t->result);
    if (action == BLOCK_ON_ERROR_STOP) {
        run_stop_for_io_error();
        return false;
    }
    if (action == BLOCK_ON_ERROR_IGNORE) {
        t->result = 0;
    }
    return true;
}

static void return_transfer(VirtIOBlkTransfer *t)
{
    if (t->result != 0 && t->n > 1) {
        split(t);
        g_free(t);
        return;
    }
    if (t->result != 0 && !judge_error(t)) {
        return;
    }
    for (unsigned i = 0; i < t->n; i++) {
        const VirtIOBlkRequest *r = &t->requests[i];
        bool is_read = r->type == VIRTIO_BLK_T_IN && t->result == 0;

        blk_complete(t->vq, r->elem, blk_status_of(t->result), is_read ? r->len : 0);
    }
    g_free(t);
}

static VirtIOBlkTransfer *take_done(VirtIOBlk *s, VirtQueue *vq)
{
    VirtIOBlkTransfer *first;

    pthread_mutex_lock(&s->lock);
    block_queue_kick(s->bq);
    first = take_all(&lane(s, vq)->done);
    pthread_mutex_unlock(&s->lock);
    return first;
}

void virtio_blk_resumed(void *opaque)
{
    VirtIOBlk *s = opaque;

    for (unsigned i = 0; i < s->num_queues; i++) {
        VirtIOBlkLane *l = &s->lanes[i];
        bool any;

        pthread_mutex_lock(&s->lock);
        any = l->stopped.first != NULL;
        if (any) {
            *l->retry.last = l->stopped.first;
            l->retry.last = l->stopped.last;
            virtio_blk_list_init(&l->stopped);
        }
        pthread_mutex_unlock(&s->lock);
        if (any) {
            virtio_queue_kick(virtio_queue(HUMPY_VIRTIO_DEVICE(s), i));
        }
    }
}

void blk_retry(VirtIOBlk *s, VirtQueue *vq)
{
    VirtIOBlkTransfer *t;

    pthread_mutex_lock(&s->lock);
    t = take_all(&lane(s, vq)->retry);
    while (t != NULL) {
        VirtIOBlkTransfer *next = t->next;

        block_queue_submit(s->bq, &t->block);
        t = next;
    }
    pthread_mutex_unlock(&s->lock);
}

bool blk_return_done(VirtIOBlk *s, VirtQueue *vq)
{
    VirtIOBlkTransfer *t = take_done(s, vq);
    bool any = t != NULL;

    while (t != NULL) {
        VirtIOBlkTransfer *next = t->next;

        return_transfer(t);
        t = next;
    }
    if (any) {
        virtio_queue_notify(vq);
    }
    return any;
}

void virtio_blk_done(void *opaque)
{
    VirtIOBlk *s = opaque;

    pthread_mutex_lock(&s->lock);
    block_queue_poll(s->bq);
    pthread_mutex_unlock(&s->lock);
    for (unsigned i = 0; i < s->num_queues; i++) {
        bool any;

        pthread_mutex_lock(&s->lock);
        any = s->lanes[i].done.first != NULL;
        pthread_mutex_unlock(&s->lock);
        if (any) {
            virtio_queue_run(virtio_queue(HUMPY_VIRTIO_DEVICE(s), i));
        }
    }
}

static void drop(VirtQueue *vq, VirtIOBlkTransfer *t)
{
    while (t != NULL) {
        VirtIOBlkTransfer *next = t->next;

        for (unsigned i = 0; i < t->n; i++) {
            virtio_queue_drop(vq, t->requests[i].elem);
        }
        g_free(t);
        t = next;
    }
}

void virtio_blk_drain(VirtIODevice *vdev, VirtQueue *vq)
{
    VirtIOBlk *s = HUMPY_VIRTIO_BLK(vdev);
    VirtIOBlkLane *l = lane(s, vq);
    VirtIOBlkTransfer *stopped, *again;

    pthread_mutex_lock(&s->lock);
    block_queue_drain(s->bq);
    stopped = take_all(&l->stopped);
    again = take_all(&l->retry);
    pthread_mutex_unlock(&s->lock);
    drop(vq, stopped); /* cancelled: nobody waits for them any more */
    drop(vq, again);
}

void virtio_blk_drop_all(VirtIOBlk *s)
{
    for (unsigned i = 0; i < s->num_queues; i++) {
        VirtQueue *vq = virtio_queue(HUMPY_VIRTIO_DEVICE(s), i);

        virtio_blk_drain(HUMPY_VIRTIO_DEVICE(s), vq);
        drop(vq, take_done(s, vq));
    }
}
