/* SPDX-License-Identifier: GPL-2.0-or-later
 * The device side of the packed ring format (virtio 1.2, section 2.8): one ring of descriptors that
 * both sides write, wrap counters, and the two event suppression structures. Places in the ring are
 * counted round it twice, 0 to 2 * size - 1: the first round has wrap counter 1, the second 0. The
 * guest may change everything while it is read: each field is loaded once, then checked.
 */
#include <endian.h>

#include "queue-priv.h"

#define F_AVAIL  (1u << VRING_PACKED_DESC_F_AVAIL)
#define F_USED   (1u << VRING_PACKED_DESC_F_USED)
#define OFF_WRAP (1u << VRING_PACKED_EVENT_F_WRAP_CTR)

typedef struct {
    uint64_t addr;
    uint32_t len;
    uint16_t id, flags;
} Descriptor;

/* ---- places ---- */

static struct vring_packed_desc *slot(const VirtQueue *vq, uint32_t place)
{
    return &vq->packed.desc[place < vq->size ? place : place - vq->size];
}

static bool wrap_counter(const VirtQueue *vq, uint32_t place)
{
    return place < vq->size;
}

/* n is less than two rounds. */
static uint32_t advance(const VirtQueue *vq, uint32_t place, uint32_t n)
{
    place += n;
    return place < 2 * vq->size ? place : place - 2 * vq->size;
}

/* Steps from one place forward to another. */
static uint32_t distance(const VirtQueue *vq, uint32_t from, uint32_t to)
{
    return to >= from ? to - from : to + 2 * vq->size - from;
}

uint16_t queue_packed_off_wrap(unsigned size, uint32_t place)
{
    return place < size ? place | OFF_WRAP : place - size;
}

bool queue_packed_place(unsigned size, uint16_t off_wrap, uint32_t *place)
{
    uint32_t off = off_wrap & (OFF_WRAP - 1);

    *place = (off_wrap & OFF_WRAP) != 0 ? off : off + size;
    return off < size;
}

/* ---- mapping ---- */

static void packed_unmap(VirtQueue *vq)
{
    queue_unmap_part(vq, vq->packed.desc, sizeof(struct vring_packed_desc) * vq->size, true);
    queue_unmap_part(vq, vq->packed.driver, sizeof(uint32_t), false);
    queue_unmap_part(vq, vq->packed.device, sizeof(uint32_t), true);
    vq->packed.desc = NULL;
    vq->packed.driver = NULL;
    vq->packed.device = NULL;
}

static bool packed_map(VirtQueue *vq)
{
    PackedRing *r = &vq->packed;

    r->desc = queue_map_part(vq, vq->addr.desc, sizeof(struct vring_packed_desc) * vq->size,
                             VRING_DESC_ALIGN_SIZE, true);
    r->driver = queue_map_part(vq, vq->addr.driver, sizeof(uint32_t), sizeof(uint32_t), false);
    r->device = queue_map_part(vq, vq->addr.device, sizeof(uint32_t), sizeof(uint32_t), true);
    if (r->desc == NULL || r->driver == NULL || r->device == NULL ||
        vq->last_avail >= 2 * vq->size) {
        packed_unmap(vq);
        virtio_error(vq->vdev,
                     "queue %u: packed ring of %u entries at 0x%" G_GINT64_MODIFIER
                     "x, 0x%" G_GINT64_MODIFIER "x, 0x%" G_GINT64_MODIFIER
                     "x, place %u, is not aligned, not in RAM or has no such place",
                     vq->index, vq->size, vq->addr.desc, vq->addr.driver, vq->addr.device,
                     vq->last_avail);
        return false;
    }
    return true;
}

/* ---- event suppression (section 2.8.14) ---- */

/* Both fields are one word, so that flags never meet an offset of another time. Why it is
 * exchanged: see store16() of queue-split.c. */
static void store_device_event(VirtQueue *vq, uint16_t off_wrap, uint16_t flags)
{
    __atomic_exchange_n(vq->packed.device, htole32((uint32_t)flags << 16 | off_wrap),
                        __ATOMIC_SEQ_CST);
}

static void ask_at(VirtQueue *vq, uint32_t place)
{
    if (vq->use_event_idx) {
        store_device_event(vq, queue_packed_off_wrap(vq->size, place),
                           VRING_PACKED_EVENT_FLAG_DESC);
    } else {
        store_device_event(vq, 0, VRING_PACKED_EVENT_FLAG_ENABLE);
    }
}

static void packed_set_notification(VirtQueue *vq, bool enable)
{
    if (enable) {
        ask_at(vq, vq->last_avail);
    } else {
        store_device_event(vq, 0, VRING_PACKED_EVENT_FLAG_DISABLE);
    }
}

static bool packed_wants_interrupt(VirtQueue *vq)
{
    uint32_t word = le32toh(__atomic_load_n(vq->packed.driver, __ATOMIC_SEQ_CST));
    uint32_t since = vq->packed.unsignalled, place;

    vq->packed.unsignalled = 0;
    switch (word >> 16 & 3) {
    case VRING_PACKED_EVENT_FLAG_DISABLE:
        return false;
    case VRING_PACKED_EVENT_FLAG_DESC:
        if (vq->use_event_idx && queue_packed_place(vq->size, word, &place)) {
            /* Is it among the places that were passed since the last decision? */
            return distance(vq, advance(vq, place, 1), vq->used_idx) < since;
        }
        return true; /* a place that is not: better too much than silence */
    default:
        return true;
    }
}

/* ---- taking ---- */

/* Section 2.8.1: available is what has the AVAIL bit of this round and the USED bit of the last. */
static bool available_at(VirtQueue *vq, uint32_t place)
{
    uint16_t flags = le16toh(__atomic_load_n(&slot(vq, place)->flags, __ATOMIC_SEQ_CST));
    bool wrap = wrap_counter(vq, place);

    return ((flags & F_AVAIL) != 0) == wrap && ((flags & F_USED) != 0) != wrap;
}

static bool packed_has_next(VirtQueue *vq)
{
    if (available_at(vq, vq->last_avail)) {
        return true;
    }
    vq->seen_avail = vq->last_avail;
    return false;
}

static bool packed_ask_for_more(VirtQueue *vq)
{
    ask_at(vq, vq->seen_avail);
    return available_at(vq, vq->seen_avail);
}

static Descriptor read_descriptor(const struct vring_packed_desc *d)
{
    return (Descriptor){
        .addr = le64toh(__atomic_load_n(&d->addr, __ATOMIC_RELAXED)),
        .len = le32toh(__atomic_load_n(&d->len, __ATOMIC_RELAXED)),
        .id = le16toh(__atomic_load_n(&d->id, __ATOMIC_RELAXED)),
        .flags = le16toh(__atomic_load_n(&d->flags, __ATOMIC_RELAXED)),
    };
}

/* Section 2.8.8: the table is read from its start to its end, only WRITE counts. */
static bool add_indirect(VirtQueue *vq, Chain *c, const Descriptor *d, bool in_list)
{
    const char *wrong = in_list ? "in a list of descriptors" : NULL;
    const struct vring_packed_desc *table = queue_map_table(vq, d->addr, d->len, wrong);
    bool ok = table != NULL;

    for (uint32_t i = 0; ok && i < d->len / sizeof(*table); i++) {
        Descriptor entry = read_descriptor(&table[i]);

        ok = chain_add(vq, c, entry.addr, entry.len, (entry.flags & VRING_DESC_F_WRITE) != 0);
    }
    queue_unmap_part(vq, table, d->len, false);
    return ok;
}

/* A chain is in consecutive places; its id is in the last one (section 2.8.6). Returns the places,
 * or 0 after an error. */
static unsigned walk(VirtQueue *vq, Chain *c, uint16_t *id)
{
    unsigned room = vq->size - vq->taken;
    uint32_t place = vq->last_avail;
    Descriptor d;

    for (unsigned n = 1; n <= room; n++) {
        bool ok;

        d = read_descriptor(slot(vq, place));
        if ((d.flags & VRING_DESC_F_INDIRECT) != 0) {
            ok = add_indirect(vq, c, &d, n > 1 || (d.flags & VRING_DESC_F_NEXT) != 0);
        } else {
            ok = chain_add(vq, c, d.addr, d.len, (d.flags & VRING_DESC_F_WRITE) != 0);
        }
        if (!ok) {
            return 0;
        }
        if ((d.flags & VRING_DESC_F_NEXT) == 0) {
            *id = d.id;
            return n;
        }
        place = advance(vq, place, 1);
    }
    virtio_error(vq->vdev, "queue %u: more than %u descriptors are in use", vq->index, vq->size);
    return 0;
}

static VirtQueueElement *packed_take(VirtQueue *vq)
{
    uint16_t id;
    Chain chain;
    unsigned n;

    chain_init(&chain);
    n = walk(vq, &chain, &id);
    if (n == 0) {
        chain_unmap(vq, &chain);
        return NULL;
    }
    vq->last_avail = advance(vq, vq->last_avail, n);
    return chain_element(vq, &chain, id, n);
}

static void packed_untake(VirtQueue *vq, const VirtQueueElement *elem)
{
    vq->last_avail = advance(vq, vq->last_avail, 2 * vq->size - elem->n_desc);
}

/* ---- returning ---- */

/* The driver looks at the first of several first: its flags are kept back until flush(). */
static void packed_fill(VirtQueue *vq, const VirtQueueElement *elem, uint32_t written)
{
    PackedRing *r = &vq->packed;
    struct vring_packed_desc *d = slot(vq, vq->used_idx);
    uint16_t flags = (wrap_counter(vq, vq->used_idx) ? F_AVAIL | F_USED : 0) |
                     (written != 0 ? VRING_DESC_F_WRITE : 0);

    __atomic_store_n(&d->id, htole16(elem->head), __ATOMIC_RELAXED);
    __atomic_store_n(&d->len, htole32(written), __ATOMIC_RELAXED);
    if (r->held == NULL) {
        r->held = d;
        r->held_flags = flags;
    } else {
        __atomic_store_n(&d->flags, htole16(flags), __ATOMIC_RELEASE);
    }
    vq->used_idx = advance(vq, vq->used_idx, elem->n_desc);
    r->unsignalled = MIN(r->unsignalled + elem->n_desc, 2 * vq->size);
}

static void packed_flush(VirtQueue *vq)
{
    PackedRing *r = &vq->packed;

    if (r->held != NULL) {
        __atomic_exchange_n(&r->held->flags, htole16(r->held_flags), __ATOMIC_SEQ_CST);
        r->held = NULL;
    }
}

const RingOps packed_ring = {
    .map = packed_map,
    .unmap = packed_unmap,
    .has_next = packed_has_next,
    .take = packed_take,
    .untake = packed_untake,
    .fill = packed_fill,
    .flush = packed_flush,
    .wants_interrupt = packed_wants_interrupt,
    .set_notification = packed_set_notification,
    .ask_for_more = packed_ask_for_more,
};
