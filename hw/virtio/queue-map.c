/* SPDX-License-Identifier: GPL-2.0-or-later
 * From a split ring's guest addresses to host memory (virtio 1.2, section 2.7): the three ring
 * parts and descriptor chains. Everything here is the guest's word and may change while it is read:
 * each field is loaded once, then checked, then used. Only RAM is ever touched.
 */
#include <endian.h>

#include "virtio-priv.h"

typedef struct {
    uint64_t addr;
    uint32_t len;
    uint16_t flags, next;
} Descriptor;

/* A chain being collected. */
typedef struct {
    struct iovec iov[VIRTIO_QUEUE_MAX];
    unsigned n, n_out;
    uint64_t out_size, in_size;
} Chain;

static void *map_part(VirtQueue *vq, uint64_t gpa, uint64_t len, unsigned align, bool is_write)
{
    uint64_t got = len;
    void *host = NULL;

    if (gpa % align == 0) {
        host = address_space_map(vq->core->dma, gpa, &got, is_write);
    }
    if (host != NULL && got < len) {
        address_space_unmap(vq->core->dma, host, got, is_write);
        host = NULL;
    }
    return host;
}

bool queue_map(VirtQueue *vq)
{
    unsigned event;

    if (vq->mapped) {
        return true;
    }
    if (vq->size == 0) {
        virtio_error(vq->vdev, "queue %u is enabled without a valid size", vq->index);
        return false;
    }
    vq->use_event_idx = virtio_has_feature(vq->vdev, VIRTIO_RING_F_EVENT_IDX);
    vq->use_indirect = virtio_has_feature(vq->vdev, VIRTIO_RING_F_INDIRECT_DESC);
    event = vq->use_event_idx ? sizeof(uint16_t) : 0;
    vq->desc_len = sizeof(struct vring_desc) * vq->size;
    vq->avail_len = sizeof(struct vring_avail) + sizeof(uint16_t) * vq->size + event;
    vq->used_len = sizeof(struct vring_used) + sizeof(struct vring_used_elem) * vq->size + event;
    vq->desc = map_part(vq, vq->addr.desc, vq->desc_len, VRING_DESC_ALIGN_SIZE, false);
    vq->avail = map_part(vq, vq->addr.driver, vq->avail_len, VRING_AVAIL_ALIGN_SIZE, false);
    vq->used = map_part(vq, vq->addr.device, vq->used_len, VRING_USED_ALIGN_SIZE, true);
    vq->mapped = true;
    if (vq->desc == NULL || vq->avail == NULL || vq->used == NULL) {
        queue_unmap(vq);
        virtio_error(vq->vdev,
                     "queue %u: ring of %u entries at 0x%" G_GINT64_MODIFIER
                     "x, 0x%" G_GINT64_MODIFIER "x, 0x%" G_GINT64_MODIFIER
                     "x is not aligned or not in RAM",
                     vq->index, vq->size, vq->addr.desc, vq->addr.driver, vq->addr.device);
        return false;
    }
    return true;
}

void queue_unmap(VirtQueue *vq)
{
    if (!vq->mapped) {
        return;
    }
    if (vq->desc != NULL) {
        address_space_unmap(vq->core->dma, (void *)vq->desc, vq->desc_len, false);
    }
    if (vq->avail != NULL) {
        address_space_unmap(vq->core->dma, (void *)vq->avail, vq->avail_len, false);
    }
    if (vq->used != NULL) {
        address_space_unmap(vq->core->dma, vq->used, vq->used_len, true);
    }
    vq->desc = NULL;
    vq->avail = NULL;
    vq->used = NULL;
    vq->mapped = false;
}

static Descriptor read_descriptor(const struct vring_desc *d)
{
    return (Descriptor){
        .addr = le64toh(__atomic_load_n(&d->addr, __ATOMIC_RELAXED)),
        .len = le32toh(__atomic_load_n(&d->len, __ATOMIC_RELAXED)),
        .flags = le16toh(__atomic_load_n(&d->flags, __ATOMIC_RELAXED)),
        .next = le16toh(__atomic_load_n(&d->next, __ATOMIC_RELAXED)),
    };
}

static void unmap_iov(VirtQueue *vq, const struct iovec *iov, unsigned n, unsigned n_out)
{
    for (unsigned i = 0; i < n; i++) {
        address_space_unmap(vq->core->dma, iov[i].iov_base, iov[i].iov_len, i >= n_out);
    }
}

/* Maps one buffer: as many entries as it has runs of contiguous RAM. */
static bool add_buffer(VirtQueue *vq, Chain *c, const Descriptor *d)
{
    bool is_write = (d->flags & VRING_DESC_F_WRITE) != 0;
    uint64_t gpa = d->addr, left = d->len;

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
        if (gpa <= UINT64_MAX - left) {
            host = address_space_map(vq->core->dma, gpa, &got, is_write);
        }
        if (host == NULL) {
            virtio_error(vq->vdev,
                         "queue %u: buffer of %u bytes at 0x%" G_GINT64_MODIFIER
                         "x is not in %sRAM",
                         vq->index, d->len, d->addr, is_write ? "writable " : "");
            return false;
        }
        c->iov[c->n++] = (struct iovec){ host, got };
        gpa += got;
        left -= got;
    }
    if (is_write) {
        c->in_size += d->len;
    } else {
        c->out_size += d->len;
        c->n_out = c->n;
    }
    return true;
}

/* A table the walk is in: the ring's own, or an indirect one. */
typedef struct {
    const struct vring_desc *desc;
    uint64_t len; /* bytes */
    bool indirect;
} Table;

static bool enter_indirect(VirtQueue *vq, Table *t, const Descriptor *d)
{
    const char *wrong = !vq->use_indirect                         ? "that was not negotiated"
                        : t->indirect                             ? "inside an indirect table"
                        : (d->flags & VRING_DESC_F_NEXT) != 0     ? "with a next descriptor"
                        : d->len == 0                             ? "of length 0"
                        : d->len % sizeof(struct vring_desc) != 0 ? "of a broken length"
                                                                  : NULL;
    const struct vring_desc *desc = NULL;

    if (wrong == NULL) {
        desc = map_part(vq, d->addr, d->len, _Alignof(struct vring_desc), false);
        wrong = desc == NULL ? "that is not aligned or not in RAM" : NULL;
    }
    if (wrong != NULL) {
        virtio_error(vq->vdev,
                     "queue %u: indirect table %s (%u bytes at 0x%" G_GINT64_MODIFIER "x)",
                     vq->index, wrong, d->len, d->addr);
        return false;
    }
    *t = (Table){ .desc = desc, .len = d->len, .indirect = true };
    return true;
}

static bool walk(VirtQueue *vq, unsigned index, Table *t, Chain *c)
{
    unsigned visited = 0;

    for (;;) {
        uint64_t n = t->len / sizeof(struct vring_desc);
        Descriptor d;

        if (index >= n) {
            virtio_error(vq->vdev, "queue %u: descriptor %u of %u", vq->index, index, (unsigned)n);
            return false;
        }
        if (visited++ >= n) {
            virtio_error(vq->vdev, "queue %u: descriptor chain has a loop", vq->index);
            return false;
        }
        d = read_descriptor(&t->desc[index]);
        if ((d.flags & VRING_DESC_F_INDIRECT) != 0) {
            if (!enter_indirect(vq, t, &d)) {
                return false;
            }
            index = 0;
            visited = 0;
            continue;
        }
        if (!add_buffer(vq, c, &d)) {
            return false;
        }
        if ((d.flags & VRING_DESC_F_NEXT) == 0) {
            return true;
        }
        index = d.next;
    }
}

VirtQueueElement *queue_map_chain(VirtQueue *vq, unsigned head)
{
    Table table = { .desc = vq->desc, .len = vq->desc_len };
    VirtQueueElement *elem;
    Chain chain;
    bool ok;

    chain.n = 0;
    chain.n_out = 0;
    chain.out_size = 0;
    chain.in_size = 0;
    ok = walk(vq, head, &table, &chain);
    if (table.indirect) {
        address_space_unmap(vq->core->dma, (void *)table.desc, table.len, false);
    }
    if (!ok) {
        unmap_iov(vq, chain.iov, chain.n, chain.n_out);
        return NULL;
    }
    elem = g_malloc(sizeof(*elem) + sizeof(struct iovec) * chain.n);
    elem->out = (struct iovec *)(elem + 1);
    memcpy(elem->out, chain.iov, sizeof(struct iovec) * chain.n);
    elem->in = elem->out + chain.n_out;
    elem->n_out = chain.n_out;
    elem->n_in = chain.n - chain.n_out;
    elem->out_size = chain.out_size;
    elem->in_size = chain.in_size;
    elem->head = head;
    elem->epoch = vq->epoch;
    return elem;
}

void queue_unmap_chain(VirtQueue *vq, VirtQueueElement *elem)
{
    unmap_iov(vq, elem->out, elem->n_out + elem->n_in, elem->n_out);
}
