/* SPDX-License-Identifier: GPL-2.0-or-later
 * Serving block requests (virtio 1.2, section 5.2.6). Every request gets a status, whatever is
 * wrong with it; only one without room for header or status breaks the device. The I/O thread takes
 * requests and hands them to the back end's queue, many at a time, neighbouring reads or writes
 * that wait together as one; what is done it returns in the order in which it was done.
 */
#include <endian.h>
#include <errno.h>
#include <linux/virtio_blk.h>
#include <string.h>

#include "util/event.h"
#include "util/iov.h"
#include "virtio-blk-priv.h"

typedef struct {
    VirtQueueElement *elem;
    uint32_t type;
    uint64_t sector;
    uint64_t len; /* bytes of data */
} Request;

enum { BATCH_MAX = 32 };

/* One request to the back end: requests of one type and of neighbouring sectors, or one other. */
struct VirtIOBlkTransfer {
    BlockRequest block;
    VirtIOBlk *s;
    VirtQueue *vq;
    VirtIOBlkTransfer *next; /* in the list of what is done */
    int result;
    unsigned n;
    Request requests[]; /* behind them, the scatter list */
};

/* What is being put together in one run of the handler. */
typedef struct {
    VirtIOBlk *s;
    VirtQueue *vq;
    Request requests[BATCH_MAX];
    unsigned n;
    struct iovec iov[VIRTIO_QUEUE_MAX];
    unsigned n_iov;
    uint64_t len;
} Batch;

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

static uint8_t status_of(int result)
{
    return result == 0          ? VIRTIO_BLK_S_OK
           : result == -ENOTSUP ? VIRTIO_BLK_S_UNSUPP
                                : VIRTIO_BLK_S_IOERR;
}

/* The last writable byte is the status; written counts it and the data before it. */
static void complete(VirtQueue *vq, VirtQueueElement *elem, uint8_t status, uint64_t data_written)
{
    iov_from_buf(elem->in, elem->n_in, elem->in_size - 1, &status, 1);
    virtio_queue_push(vq, elem, MIN(data_written + 1, UINT32_MAX));
}

static bool is_transfer(uint32_t type)
{
    return type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_OUT;
}

static bool range_ok(const VirtIOBlk *s, uint64_t sector, uint64_t len)
{
    uint64_t sectors = len / BLOCK_SECTOR_SIZE;
    uint64_t all = __atomic_load_n(&s->sectors, __ATOMIC_RELAXED);

    return len % s->logical_block_size == 0 && sector <= all && sectors <= all - sector &&
           sector % (s->logical_block_size / BLOCK_SECTOR_SIZE) == 0;
}

/* The data part of a transfer's buffers, at most VIRTIO_QUEUE_MAX entries. */
static unsigned data_iov(const Request *r, struct iovec *iov)
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

static VirtIOBlkTransfer *transfer_new(VirtIOBlk *s, VirtQueue *vq, BlockOp op,
                                       const Request *requests, unsigned n, const struct iovec *iov,
                                       unsigned n_iov)
{
    VirtIOBlkTransfer *t =
        g_malloc(sizeof(*t) + n * sizeof(Request) + n_iov * sizeof(struct iovec));
    struct iovec *own = (struct iovec *)&t->requests[n];

    memcpy(t->requests, requests, n * sizeof(Request));
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

static void submit_transfer(VirtIOBlkTransfer *t)
{
    VirtIOBlk *s = t->s;

    pthread_mutex_lock(&s->lock);
    block_queue_submit(s->bq, &t->block);
    pthread_mutex_unlock(&s->lock);
}

static BlockOp op_of(uint32_t type)
{
    switch (type) {
    case VIRTIO_BLK_T_IN:
        return BLOCK_OP_READ;
    case VIRTIO_BLK_T_OUT:
        return BLOCK_OP_WRITE;
    case VIRTIO_BLK_T_DISCARD:
        return BLOCK_OP_DISCARD;
    case VIRTIO_BLK_T_WRITE_ZEROES:
        return BLOCK_OP_WRITE_ZEROES;
    default:
        return BLOCK_OP_FLUSH;
    }
}

static void submit(Batch *b)
{
    if (b->n > 0) {
        submit_transfer(transfer_new(b->s, b->vq, op_of(b->requests[0].type), b->requests, b->n,
                                     b->iov, b->n_iov));
        b->n = 0;
        b->n_iov = 0;
        b->len = 0;
    }
}

/* Each request of a transfer that failed as a whole gets its own result. */
static void split(VirtIOBlkTransfer *t)
{
    struct iovec iov[VIRTIO_QUEUE_MAX];

    for (unsigned i = 0; i < t->n; i++) {
        unsigned n_iov = data_iov(&t->requests[i], iov);

        submit_transfer(transfer_new(t->s, t->vq, t->block.op, &t->requests[i], 1, iov, n_iov));
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
        const Request *r = &t->requests[i];
        bool is_read = r->type == VIRTIO_BLK_T_IN && t->result == 0;

        complete(t->vq, r->elem, status_of(t->result), is_read ? r->len : 0);
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

static void retry(VirtIOBlk *s, VirtQueue *vq)
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

/* FALSE: nothing was done. */
static bool return_done(VirtIOBlk *s, VirtQueue *vq)
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

/* ---- taking requests ---- */

static bool fits(const Batch *b, const Request *r)
{
    const Request *first = &b->requests[0];

    return b->s->request_merging && b->n < BATCH_MAX && r->type == first->type &&
           r->sector == first->sector + b->len / BLOCK_SECTOR_SIZE &&
           b->n_iov + r->elem->n_in + r->elem->n_out <= VIRTIO_QUEUE_MAX;
}

static void add_transfer(Batch *b, const Request *r)
{
    if (b->n > 0 && !fits(b, r)) {
        submit(b);
    }
    b->requests[b->n++] = *r;
    b->n_iov += data_iov(r, &b->iov[b->n_iov]);
    b->len += r->len;
}

/* Sections 5.2.6.1 and 5.2.6.2: flags, then range. 0: it was submitted. */
static int discard_or_zero(VirtIOBlk *s, VirtQueue *vq, Request *r)
{
    struct virtio_blk_discard_write_zeroes seg;
    bool is_discard = r->type == VIRTIO_BLK_T_DISCARD;
    uint32_t max = is_discard ? s->max_discard_sectors : s->max_write_zeroes_sectors;
    uint32_t flags, sectors;
    VirtIOBlkTransfer *t;

    if (!(is_discard ? s->discard : s->write_zeroes) ||
        r->elem->out_size != sizeof(struct virtio_blk_outhdr) + sizeof(seg)) {
        return -ENOTSUP; /* max_*_seg is 1 */
    }
    iov_to_buf(r->elem->out, r->elem->n_out, sizeof(struct virtio_blk_outhdr), &seg, sizeof(seg));
    flags = le32toh(seg.flags);
    sectors = le32toh(seg.num_sectors);
    r->sector = le64toh(seg.sector);
    r->len = (uint64_t)sectors * BLOCK_SECTOR_SIZE;
    if ((flags & ~VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP) != 0 || (is_discard && flags != 0)) {
        return -ENOTSUP;
    }
    if (sectors > max || !range_ok(s, r->sector, r->len)) {
        return -EIO;
    }
    t = transfer_new(s, vq, op_of(r->type), r, 1, NULL, 0);
    t->block.length = r->len;
    t->block.may_unmap = flags != 0;
    submit_transfer(t);
    return 0;
}

static void get_id(VirtIOBlk *s, VirtQueue *vq, const Request *r)
{
    char id[VIRTIO_BLK_ID_BYTES] = { 0 };
    size_t len = MIN(sizeof(id), r->elem->in_size - 1);

    if (s->serial != NULL) {
        memcpy(id, s->serial, strnlen(s->serial, sizeof(id)));
    }
    iov_from_buf(r->elem->in, r->elem->n_in, 0, id, len);
    complete(vq, r->elem, VIRTIO_BLK_S_OK, len);
}

static void serve_other(VirtIOBlk *s, VirtQueue *vq, Request *r)
{
    int result = 0;

    switch (r->type) {
    case VIRTIO_BLK_T_FLUSH:
        r->sector = 0; /* the field means nothing here */
        submit_transfer(transfer_new(s, vq, BLOCK_OP_FLUSH, r, 1, NULL, 0));
        break;
    case VIRTIO_BLK_T_GET_ID:
        get_id(s, vq, r);
        break;
    case VIRTIO_BLK_T_DISCARD:
    case VIRTIO_BLK_T_WRITE_ZEROES:
        result = discard_or_zero(s, vq, r);
        if (result != 0) {
            complete(vq, r->elem, status_of(result), 0);
        }
        break;
    default:
        complete(vq, r->elem, VIRTIO_BLK_S_UNSUPP, 0);
        break;
    }
}

/* FALSE: no room for header or status, the element is gone. */
static bool parse(VirtIODevice *vdev, VirtQueue *vq, VirtQueueElement *elem, Request *r)
{
    struct virtio_blk_outhdr header;

    if (iov_to_buf(elem->out, elem->n_out, 0, &header, sizeof(header)) != sizeof(header) ||
        elem->in_size < 1) {
        virtio_error(vdev, "block request without header or status");
        virtio_queue_drop(vq, elem);
        return false;
    }
    r->elem = elem;
    r->type = le32toh(header.type);
    r->sector = le64toh(header.sector);
    r->len = r->type == VIRTIO_BLK_T_IN ? elem->in_size - 1 : elem->out_size - sizeof(header);
    return true;
}

/* FALSE: nothing was there, or the device is broken. */
static bool take_requests(VirtIOBlk *s, VirtQueue *vq)
{
    VirtIODevice *vdev = HUMPY_VIRTIO_DEVICE(s);
    VirtQueueElement *elem;
    bool any = false;
    Batch batch; /* large: its arrays are not cleared */
    Request r;

    batch.s = s;
    batch.vq = vq;
    batch.n = 0;
    batch.n_iov = 0;
    batch.len = 0;
    while ((elem = virtio_queue_pop(vq)) != NULL && parse(vdev, vq, elem, &r)) {
        any = true;
        if (!is_transfer(r.type)) {
            submit(&batch);
            serve_other(s, vq, &r);
        } else if (range_ok(s, r.sector, r.len)) {
            add_transfer(&batch, &r);
        } else {
            submit(&batch);
            complete(vq, r.elem, VIRTIO_BLK_S_IOERR, 0);
        }
    }
    submit(&batch);
    return any;
}

void virtio_blk_serve_queue(VirtIODevice *vdev, VirtQueue *vq)
{
    VirtIOBlk *s = HUMPY_VIRTIO_BLK(vdev);

    retry(s, vq);
    return_done(s, vq);
    if (take_requests(s, vq)) {
        virtio_queue_notify(vq); /* of those that were answered at once */
    }
    while (return_done(s, vq)) { /* what a back end does without waiting */
    }
}
