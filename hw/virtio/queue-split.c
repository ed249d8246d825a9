/* SPDX-License-Identifier: GPL-2.0-or-later
 * The device side of the split ring format (virtio 1.2, section 2.7): descriptor table, available
 * ring, used ring and the suppression of notifications with flags or event indices. The guest may
 * change everything while it is read: each field is loaded once, then checked, then used.
 */
#include <endian.h>
#include <linux/virtio_config.h>

#include "queue-priv.h"

typedef struct {
    uint64_t addr;
    uint32_t len;
    uint16_t flags, next;
} Descriptor;

/* Both sides publish an index and then read the other's wish about notifications (section 2.7.7.2,
 * 2.7.10); sequential consistency of these four keeps them from missing each other. An exchange is
 * what a store is on x86; on arm64 it also holds where QEMU's TCG executes us, which lets a
 * load-acquire overtake a store-release. */
static uint16_t load16(const __virtio16 *p)
{
    return le16toh(__atomic_load_n(p, __ATOMIC_SEQ_CST));
}

static void store16(__virtio16 *p, uint16_t value)
{
    __atomic_exchange_n(p, htole16(value), __ATOMIC_SEQ_CST);
}

/* Behind the rings, when event indices were negotiated. */
static const __virtio16 *used_event(const VirtQueue *vq)
{
    return &vq->split.avail->ring[vq->size];
}

static __virtio16 *avail_event(const VirtQueue *vq)
{
    return (__virtio16 *)&vq->split.used->ring[vq->size];
}

/* ---- mapping ---- */

static void split_unmap(VirtQueue *vq)
{
    queue_unmap_part(vq, vq->split.desc, vq->split.desc_len, false);
    queue_unmap_part(vq, vq->split.avail, vq->split.avail_len, false);
    queue_unmap_part(vq, vq->split.used, vq->split.used_len, true);
    vq->split.desc = NULL;
    vq->split.avail = NULL;
    vq->split.used = NULL;
}

static bool split_map(VirtQueue *vq)
{
    SplitRing *r = &vq->split;
    unsigned event = vq->use_event_idx ? sizeof(uint16_t) : 0;

    r->desc_len = sizeof(struct vring_desc) * vq->size;
    r->avail_len = sizeof(struct vring_avail) + sizeof(uint16_t) * vq->size + event;
    r->used_len = sizeof(struct vring_used) + sizeof(struct vring_used_elem) * vq->size + event;
    r->desc = queue_map_part(vq, vq->addr.desc, r->desc_len, VRING_DESC_ALIGN_SIZE, false);
    r->avail = queue_map_part(vq, vq->addr.driver, r->avail_len, VRING_AVAIL_ALIGN_SIZE, false);
    r->used = queue_map_part(vq, vq->addr.device, r->used_len, VRING_USED_ALIGN_SIZE, true);
    if (r->desc == NULL || r->avail == NULL || r->used == NULL) {
        split_unmap(vq);
        virtio_error(vq->vdev,
                     "queue %u: ring of %u entries at 0x%" G_GINT64_MODIFIER
                     "x, 0x%" G_GINT64_MODIFIER "x, 0x%" G_GINT64_MODIFIER
                     "x is not aligned or not in RAM",
                     vq->index, vq->size, vq->addr.desc, vq->addr.driver, vq->addr.device);
        return false;
    }
    return true;
}

/* ---- taking ---- */

static bool split_has_next(VirtQueue *vq)
{
    uint16_t idx;

    if (vq->next_again < vq->n_again || vq->seen_avail != vq->last_avail) {
        return true;
    }
    idx = load16(&vq->split.avail->idx);
    if ((uint16_t)(idx - vq->last_avail) > vq->size) {
        virtio_error(vq->vdev, "queue %u: available index moved from %u to %u with %u entries",
                     vq->index, vq->last_avail, idx, vq->size);
        return false;
    }
    vq->seen_avail = idx;
    return idx != vq->last_avail;
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

/* A table the walk is in: the ring's own, or an indirect one. */
typedef struct {
    const struct vring_desc *desc;
    uint64_t len; /* bytes */
    bool indirect;
} Table;

static bool enter_indirect(VirtQueue *vq, Table *t, const Descriptor *d)
{
    const char *wrong = t->indirect                           ? "inside an indirect table"
                        : (d->flags & VRING_DESC_F_NEXT) != 0 ? "with a next descriptor"
                                                              : NULL;
    const struct vring_desc *desc = queue_map_table(vq, d->addr, d->len, wrong);

    if (desc == NULL) {
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
        if (!chain_add(vq, c, d.addr, d.len, (d.flags & VRING_DESC_F_WRITE) != 0)) {
            return false;
        }
        if ((d.flags & VRING_DESC_F_NEXT) == 0) {
            return true;
        }
        index = d.next;
    }
}

static VirtQueueElement *split_take(VirtQueue *vq)
{
    bool again = vq->next_again < vq->n_again;
    unsigned head = again ? vq->again[vq->next_again].head
                          : load16(&vq->split.avail->ring[vq->last_avail & (vq->size - 1)]);
    Table table = { .desc = vq->split.desc, .len = vq->split.desc_len };
    VirtQueueElement *elem = NULL;
    Chain chain;

    chain_init(&chain);
    if (walk(vq, head, &table, &chain)) {
        elem = chain_element(vq, &chain, head, 1);
        elem->again = again;
        if (again) {
            vq->next_again++;
        } else {
            vq->last_avail++;
            queue_log_take(vq, head);
        }
    } else {
        chain_unmap(vq, &chain);
    }
    if (table.indirect) {
        queue_unmap_part(vq, table.desc, table.len, false);
    }
    return elem;
}

static void split_untake(VirtQueue *vq, const VirtQueueElement *elem)
{
    if (elem->again) {
        vq->next_again--;
        return;
    }
    queue_log_untake(vq, elem->head);
    vq->last_avail--;
}

/* ---- returning ---- */

static void split_fill(VirtQueue *vq, const VirtQueueElement *elem, uint32_t written)
{
    struct vring_used_elem *slot = &vq->split.used->ring[vq->used_idx & (vq->size - 1)];

    __atomic_store_n(&slot->id, htole32(elem->head), __ATOMIC_RELAXED);
    __atomic_store_n(&slot->len, htole32(written), __ATOMIC_RELAXED);
    vq->used_idx++;
}

static void split_flush(VirtQueue *vq)
{
    store16(&vq->split.used->idx, vq->used_idx);
    queue_log_flush(vq);
    if ((uint16_t)(vq->used_idx - vq->signalled) > vq->size) {
        vq->signalled_valid = false; /* the distance no longer fits: do not reason with it */
    }
}

static bool split_wants_interrupt(VirtQueue *vq)
{
    uint16_t event, old = vq->signalled;
    bool old_valid = vq->signalled_valid;

    if (virtio_has_feature(vq->vdev, VIRTIO_F_NOTIFY_ON_EMPTY) && vq->taken == 0 &&
        load16(&vq->split.avail->idx) == vq->last_avail) {
        return true;
    }
    if (!vq->use_event_idx) {
        return (load16(&vq->split.avail->flags) & VRING_AVAIL_F_NO_INTERRUPT) == 0;
    }
    event = load16(used_event(vq));
    vq->signalled = vq->used_idx;
    vq->signalled_valid = true;
    return !old_valid || (uint16_t)(vq->used_idx - event - 1) < (uint16_t)(vq->used_idx - old);
}

static void split_set_notification(VirtQueue *vq, bool enable)
{
    if (vq->use_event_idx) {
        if (enable) {
            store16(avail_event(vq), vq->last_avail);
        }
    } else {
        store16(&vq->split.used->flags, enable ? 0 : VRING_USED_F_NO_NOTIFY);
    }
}

static bool split_ask_for_more(VirtQueue *vq)
{
    if (vq->use_event_idx) {
        store16(avail_event(vq), vq->seen_avail);
    } else {
        store16(&vq->split.used->flags, 0);
    }
    return load16(&vq->split.avail->idx) != vq->seen_avail;
}

const RingOps split_ring = {
    .map = split_map,
    .unmap = split_unmap,
    .has_next = split_has_next,
    .take = split_take,
    .untake = split_untake,
    .fill = split_fill,
    .flush = split_flush,
    .wants_interrupt = split_wants_interrupt,
    .set_notification = split_set_notification,
    .ask_for_more = split_ask_for_more,
};
