/* SPDX-License-Identifier: GPL-2.0-or-later
 * From a driver's guest addresses to host memory (virtio 1.2, section 2.6): parts of a ring,
 * buffers of a chain, indirect tables, whatever the ring format. All of it is the guest's word: it
 * is checked here, once, and only RAM is ever touched.
 */
#include <linux/virtio_config.h>
#include <string.h>

#include "queue-priv.h"

enum { FAULT_TRIES = 16 };

/* *len bytes at gpa, or as many as lie together; NULL: none. What was faulted in may be gone again
 * before it is mapped, when the memory around it changes. */
static void *map_some(VirtQueue *vq, uint64_t gpa, uint64_t *len, bool is_write)
{
    const VirtIOCore *core = vq->core;
    uint64_t wanted = *len;
    void *host = address_space_map(core->dma, gpa, len, is_write);

    for (unsigned i = 0; host == NULL && i < FAULT_TRIES && core->ops->fault != NULL &&
                         core->ops->fault(core->ops_opaque, gpa, is_write);
         i++) {
        *len = wanted;
        host = address_space_map(core->dma, gpa, len, is_write);
    }
    return host;
}

void *queue_map_part(VirtQueue *vq, uint64_t gpa, uint64_t len, unsigned align, bool is_write)
{
    uint64_t got = len;
    void *host = NULL;

    if (gpa % align == 0) {
        host = map_some(vq, gpa, &got, is_write);
    }
    if (host != NULL && got < len) {
        address_space_unmap(vq->core->dma, host, got, is_write);
        host = NULL;
    }
    return host;
}

void queue_unmap_part(VirtQueue *vq, const void *host, uint64_t len, bool is_write)
{
    if (host != NULL) {
        address_space_unmap(vq->core->dma, (void *)host, len, is_write);
    }
}

bool queue_map(VirtQueue *vq)
{
    if (vq->mapped) {
        return true;
    }
    if (vq->size == 0) {
        virtio_error(vq->vdev, "queue %u is enabled without a valid size", vq->index);
        return false;
    }
    vq->use_event_idx = virtio_has_feature(vq->vdev, VIRTIO_RING_F_EVENT_IDX);
    vq->use_indirect = virtio_has_feature(vq->vdev, VIRTIO_RING_F_INDIRECT_DESC);
    vq->ring = virtio_has_feature(vq->vdev, VIRTIO_F_RING_PACKED) ? &packed_ring : &split_ring;
    vq->mapped = vq->ring->map(vq);
    return vq->mapped;
}

void queue_unmap(VirtQueue *vq)
{
    if (vq->mapped) {
        vq->ring->unmap(vq);
        vq->mapped = false;
    }
}

/* ---- chains ---- */

static void unmap_iov(VirtQueue *vq, const struct iovec *iov, unsigned n, unsigned n_out)
{
    for (unsigned i = 0; i < n; i++) {
        address_space_unmap(vq->core->dma, iov[i].iov_base, iov[i].iov_len, i >= n_out);
    }
}

void chain_init(Chain *c)
{
    c->n = 0; /* iov is long: it is not cleared */
    c->n_out = 0;
    c->out_size = 0;
    c->in_size = 0;
}

/* As many entries as the buffer has runs of contiguous RAM. */
bool chain_add(VirtQueue *vq, Chain *c, uint64_t gpa, uint32_t len, bool is_write)
{
    uint64_t at = gpa, left = len;

    if (left == 0) {
        virtio_error(vq->vdev, "queue %u: descriptor of length 0", vq->index);
        return false;
    }
    if (!is_write && c->n > c->n_out) {
        virtio_error(vq->vdev, "queue %u: readable descriptor behind a writable one", vq->index);
        return false;
    }
    while (left > 0) {
        uint64_t got = left;
        void *host = NULL;

        if (c->n == VIRTIO_QUEUE_MAX) {
            virtio_error(vq->vdev, "queue %u: chain of more than %u buffers", vq->index,
                         VIRTIO_QUEUE_MAX);
            return false;
        }
        if (at <= UINT64_MAX - left) {
            host = map_some(vq, at, &got, is_write);
        }
        if (host == NULL) {
            virtio_error(vq->vdev,
                         "queue %u: buffer of %u bytes at 0x%" G_GINT64_MODIFIER
                         "x is not in %sRAM",
                         vq->index, len, gpa, is_write ? "writable " : "");
            return false;
        }
        c->iov[c->n++] = (struct iovec){ host, got };
        at += got;
        left -= got;
    }
    if (is_write) {
        c->in_size += len;
    } else {
        c->out_size += len;
        c->n_out = c->n;
    }
    return true;
}

const void *queue_map_table(VirtQueue *vq, uint64_t gpa, uint32_t len, const char *wrong)
{
    const void *table = NULL;

    if (wrong == NULL) {
        wrong = !vq->use_indirect                      ? "that was not negotiated"
                : len == 0                             ? "of length 0"
                : len % sizeof(struct vring_desc) != 0 ? "of a broken length"
                                                       : NULL;
    }
    if (wrong == NULL) {
        table = queue_map_part(vq, gpa, len, _Alignof(struct vring_desc), false);
        wrong = "that is not aligned or not in RAM";
    }
    if (table == NULL) {
        virtio_error(vq->vdev,
                     "queue %u: indirect table %s (%u bytes at 0x%" G_GINT64_MODIFIER "x)",
                     vq->index, wrong, len, gpa);
    }
    return table;
}

void chain_unmap(VirtQueue *vq, const Chain *c)
{
    unmap_iov(vq, c->iov, c->n, c->n_out);
}

VirtQueueElement *chain_element(VirtQueue *vq, const Chain *c, uint16_t head, uint16_t n_desc)
{
    VirtQueueElement *elem = g_malloc(sizeof(*elem) + sizeof(struct iovec) * c->n);

    elem->out = (struct iovec *)(elem + 1);
    memcpy(elem->out, c->iov, sizeof(struct iovec) * c->n);
    elem->in = elem->out + c->n_out;
    elem->n_out = c->n_out;
    elem->n_in = c->n - c->n_out;
    elem->out_size = c->out_size;
    elem->in_size = c->in_size;
    elem->head = head;
    elem->n_desc = n_desc;
    elem->epoch = vq->epoch;
    elem->again = false;
    return elem;
}

void queue_unmap_element(VirtQueue *vq, VirtQueueElement *elem)
{
    unmap_iov(vq, elem->out, elem->n_out + elem->n_in, elem->n_out);
}
