/* SPDX-License-Identifier: GPL-2.0-or-later
 * Taking block requests from a queue (virtio 1.2, section 5.2.6). Every request gets a status,
 * whatever is wrong with it; only one without room for header or status breaks the device. Many are
 * handed to the back end at a time, neighbouring reads or writes that wait together as one. What
 * becomes of them there is in virtio-blk-transfer.c.
 */
#include <endian.h>
#include <errno.h>
#include <linux/virtio_blk.h>
#include <string.h>

#include "util/iov.h"
#include "virtio-blk-priv.h"

enum { BATCH_MAX = 32 };

/* What is being put together in one run of the handler. */
typedef struct {
    VirtIOBlk *s;
    VirtQueue *vq;
    VirtIOBlkRequest requests[BATCH_MAX];
    unsigned n;
    struct iovec iov[VIRTIO_QUEUE_MAX];
    unsigned n_iov;
    uint64_t len;
} Batch;

static bool is_transfer(uint32_t type)
{
    return type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_OUT;
}

static bool changes_data(uint32_t type)
{
    return type == VIRTIO_BLK_T_OUT || type == VIRTIO_BLK_T_DISCARD ||
           type == VIRTIO_BLK_T_WRITE_ZEROES;
}

static bool range_ok(const VirtIOBlk *s, uint64_t sector, uint64_t len)
{
    uint64_t sectors = len / BLOCK_SECTOR_SIZE;
    uint64_t all = __atomic_load_n(&s->sectors, __ATOMIC_RELAXED);

    return len % s->logical_block_size == 0 && sector <= all && sectors <= all - sector &&
           sector % (s->logical_block_size / BLOCK_SECTOR_SIZE) == 0;
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
        blk_submit(blk_transfer_new(b->s, b->vq, op_of(b->requests[0].type), b->requests, b->n,
                                    b->iov, b->n_iov));
        b->n = 0;
        b->n_iov = 0;
        b->len = 0;
    }
}

static bool fits(const Batch *b, const VirtIOBlkRequest *r)
{
    const VirtIOBlkRequest *first = &b->requests[0];

    return b->s->request_merging && b->n < BATCH_MAX && r->type == first->type &&
           r->sector == first->sector + b->len / BLOCK_SECTOR_SIZE &&
           b->n_iov + r->elem->n_in + r->elem->n_out <= VIRTIO_QUEUE_MAX;
}

static void add_transfer(Batch *b, const VirtIOBlkRequest *r)
{
    if (b->n > 0 && !fits(b, r)) {
        submit(b);
    }
    b->requests[b->n++] = *r;
    b->n_iov += blk_data_iov(r, &b->iov[b->n_iov]);
    b->len += r->len;
}

/* Sections 5.2.6.1 and 5.2.6.2: flags, then range. 0: it was submitted. */
static int discard_or_zero(VirtIOBlk *s, VirtQueue *vq, VirtIOBlkRequest *r)
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
    t = blk_transfer_new(s, vq, op_of(r->type), r, 1, NULL, 0);
    blk_transfer_set_range(t, r->len, flags != 0);
    blk_submit(t);
    return 0;
}

static void get_id(VirtIOBlk *s, VirtQueue *vq, const VirtIOBlkRequest *r)
{
    char id[VIRTIO_BLK_ID_BYTES] = { 0 };
    size_t len = MIN(sizeof(id), r->elem->in_size - 1);

    if (s->serial != NULL) {
        memcpy(id, s->serial, strnlen(s->serial, sizeof(id)));
    }
    iov_from_buf(r->elem->in, r->elem->n_in, 0, id, len);
    blk_complete(vq, r->elem, VIRTIO_BLK_S_OK, len);
}

static void serve_other(VirtIOBlk *s, VirtQueue *vq, VirtIOBlkRequest *r)
{
    int result = 0;

    switch (r->type) {
    case VIRTIO_BLK_T_FLUSH:
        r->sector = 0; /* the field means nothing here */
        blk_submit(blk_transfer_new(s, vq, BLOCK_OP_FLUSH, r, 1, NULL, 0));
        break;
    case VIRTIO_BLK_T_GET_ID:
        get_id(s, vq, r);
        break;
    case VIRTIO_BLK_T_DISCARD:
    case VIRTIO_BLK_T_WRITE_ZEROES:
        result = discard_or_zero(s, vq, r);
        if (result != 0) {
            blk_complete(vq, r->elem, blk_status_of(result), 0);
        }
        break;
    default:
        blk_complete(vq, r->elem, VIRTIO_BLK_S_UNSUPP, 0);
        break;
    }
}

/* FALSE: no room for header or status, the element is gone. */
static bool parse(VirtIODevice *vdev, VirtQueue *vq, VirtQueueElement *elem, VirtIOBlkRequest *r)
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
    VirtIOBlkRequest r;

    batch.s = s;
    batch.vq = vq;
    batch.n = 0;
    batch.n_iov = 0;
    batch.len = 0;
    while ((elem = virtio_queue_pop(vq)) != NULL && parse(vdev, vq, elem, &r)) {
        any = true;
        if (s->read_only && changes_data(r.type)) {
            submit(&batch);
            blk_complete(vq, r.elem, VIRTIO_BLK_S_IOERR, 0);
        } else if (!is_transfer(r.type)) {
            submit(&batch);
            serve_other(s, vq, &r);
        } else if (range_ok(s, r.sector, r.len)) {
            add_transfer(&batch, &r);
        } else {
            submit(&batch);
            blk_complete(vq, r.elem, VIRTIO_BLK_S_IOERR, 0);
        }
    }
    submit(&batch);
    return any;
}

void virtio_blk_serve_queue(VirtIODevice *vdev, VirtQueue *vq)
{
    VirtIOBlk *s = HUMPY_VIRTIO_BLK(vdev);

    blk_retry(s, vq);
    blk_return_done(s, vq);
    if (take_requests(s, vq)) {
        virtio_queue_notify(vq); /* of those that were answered at once */
    }
    while (blk_return_done(s, vq)) { /* what a back end does without waiting */
    }
}
