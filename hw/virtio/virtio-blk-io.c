/* SPDX-License-Identifier: GPL-2.0-or-later
 * Serving block requests (virtio 1.2, section 5.2.6). Every request gets a status, whatever is
 * wrong with it; only one without room for header or status breaks the device. Requests are served
 * in order in the I/O thread; neighbouring reads or writes that wait together go as one.
 */
#include <endian.h>
#include <linux/virtio_blk.h>
#include <string.h>

#include "util/iov.h"
#include "virtio-blk-priv.h"

typedef struct {
    VirtQueueElement *elem;
    uint32_t type;
    uint64_t sector;
    uint64_t len; /* bytes of data */
} Request;

enum { BATCH_MAX = 32 };

/* Requests of one type and of neighbouring sectors. */
typedef struct {
    VirtIOBlk *s;
    VirtQueue *vq;
    Request requests[BATCH_MAX];
    unsigned n;
    struct iovec iov[VIRTIO_QUEUE_MAX];
    unsigned n_iov;
    uint64_t len;
} Batch;

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
    virtio_queue_notify(vq);
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

static int flush_unless_writeback(VirtIOBlk *s, int result)
{
    return result == 0 && !g_atomic_int_get(&s->writeback) ? block_flush(s->blk) : result;
}

static int transfer(VirtIOBlk *s, const Request *r, const struct iovec *iov, unsigned n)
{
    uint64_t offset = r->sector * BLOCK_SECTOR_SIZE;

    if (r->type == VIRTIO_BLK_T_IN) {
        return block_preadv(s->blk, offset, iov, n);
    }
    return flush_unless_writeback(s, block_pwritev(s->blk, offset, iov, n));
}

/* The data part of a transfer's buffers, at most VIRTIO_QUEUE_MAX entries. */
static unsigned data_iov(const Request *r, struct iovec *iov)
{
    const VirtQueueElement *e = r->elem;

    return r->type == VIRTIO_BLK_T_IN
               ? iov_slice(iov, e->in, e->n_in, 0, r->len)
               : iov_slice(iov, e->out, e->n_out, sizeof(struct virtio_blk_outhdr), r->len);
}

static void complete_transfer(Batch *b, const Request *r, int result)
{
    uint64_t written = r->type == VIRTIO_BLK_T_IN && result == 0 ? r->len : 0;

    complete(b->vq, r->elem, status_of(result), written);
}

/* Serves what is in the batch. If that fails as a whole, each request gets its own result. */
static void submit(Batch *b)
{
    int result;

    if (b->n == 0) {
        return;
    }
    result = transfer(b->s, &b->requests[0], b->iov, b->n_iov);
    for (unsigned i = 0; i < b->n; i++) {
        if (result != 0 && b->n > 1) {
            unsigned n = data_iov(&b->requests[i], b->iov);

            complete_transfer(b, &b->requests[i], transfer(b->s, &b->requests[i], b->iov, n));
        } else {
            complete_transfer(b, &b->requests[i], result);
        }
    }
    b->n = 0;
    b->n_iov = 0;
    b->len = 0;
}

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

/* Sections 5.2.6.1 and 5.2.6.2: flags, then range. */
static int discard_or_zero(VirtIOBlk *s, const Request *r)
{
    struct virtio_blk_discard_write_zeroes seg;
    bool is_discard = r->type == VIRTIO_BLK_T_DISCARD;
    uint32_t max = is_discard ? s->max_discard_sectors : s->max_write_zeroes_sectors;
    uint32_t flags, sectors;
    uint64_t sector, len;

    if (!(is_discard ? s->discard : s->write_zeroes) ||
        r->elem->out_size != sizeof(struct virtio_blk_outhdr) + sizeof(seg)) {
        return -ENOTSUP; /* max_*_seg is 1 */
    }
    iov_to_buf(r->elem->out, r->elem->n_out, sizeof(struct virtio_blk_outhdr), &seg, sizeof(seg));
    flags = le32toh(seg.flags);
    sectors = le32toh(seg.num_sectors);
    sector = le64toh(seg.sector);
    len = (uint64_t)sectors * BLOCK_SECTOR_SIZE;
    if ((flags & ~VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP) != 0 || (is_discard && flags != 0)) {
        return -ENOTSUP;
    }
    if (sectors > max || !range_ok(s, sector, len)) {
        return -EIO;
    }
    if (is_discard) {
        return block_discard(s->blk, sector * BLOCK_SECTOR_SIZE, len);
    }
    return flush_unless_writeback(
        s, block_write_zeroes(s->blk, sector * BLOCK_SECTOR_SIZE, len, flags != 0));
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

static void serve_other(VirtIOBlk *s, VirtQueue *vq, const Request *r)
{
    switch (r->type) {
    case VIRTIO_BLK_T_FLUSH:
        complete(vq, r->elem, status_of(block_flush(s->blk)), 0);
        break;
    case VIRTIO_BLK_T_GET_ID:
        get_id(s, vq, r);
        break;
    case VIRTIO_BLK_T_DISCARD:
    case VIRTIO_BLK_T_WRITE_ZEROES:
        complete(vq, r->elem, status_of(discard_or_zero(s, r)), 0);
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

void virtio_blk_serve_queue(VirtIODevice *vdev, VirtQueue *vq)
{
    VirtQueueElement *elem;
    Batch batch; /* large: its arrays are not cleared */
    Request r;

    batch.s = HUMPY_VIRTIO_BLK(vdev);
    batch.vq = vq;
    batch.n = 0;
    batch.n_iov = 0;
    batch.len = 0;
    while ((elem = virtio_queue_pop(vq)) != NULL && parse(vdev, vq, elem, &r)) {
        if (!is_transfer(r.type)) {
            submit(&batch);
            serve_other(batch.s, vq, &r);
        } else if (range_ok(batch.s, r.sector, r.len)) {
            add_transfer(&batch, &r);
        } else {
            submit(&batch);
            complete(vq, r.elem, VIRTIO_BLK_S_IOERR, 0);
        }
    }
    submit(&batch);
}
