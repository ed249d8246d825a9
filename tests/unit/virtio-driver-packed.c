/* SPDX-License-Identifier: GPL-2.0-or-later
 * The packed ring half of the virtio tests' guest, see virtio-driver.h. Written against virtio 1.2,
 * section 2.8. A chain's buffer id is the place of its head, so that tests find its descriptor.
 */
#include "virtio-driver.h"

enum { AVAIL = 1 << 7, USED = 1 << 15, EVENT_DESC = 2 };

void packed_desc(Guest *g, uint64_t table, unsigned i, uint64_t gpa, uint32_t len, uint16_t id,
                 uint16_t flags)
{
    uint64_t at = table + i * 16;

    __atomic_store_n((uint64_t *)guest_ptr(g, at), GUINT64_TO_LE(gpa), __ATOMIC_RELAXED);
    __atomic_store_n((uint32_t *)guest_ptr(g, at + 8), GUINT32_TO_LE(len), __ATOMIC_RELAXED);
    guest_store16(g, at + 12, id);
    guest_store16(g, at + 14, flags);
}

/* Writes all of a descriptor but the head's flags, which publish it. */
static void write_one(Guest *g, GuestQueue *q, unsigned head, bool is_head, const Buf *b,
                      uint16_t flags)
{
    uint64_t at = q->desc + q->next_desc * 16;

    flags |= q->wrap ? AVAIL : USED;
    if (is_head) {
        q->head_flags[head] = flags;
        flags = guest_load16(g, at + 14);
    }
    packed_desc(g, q->desc, q->next_desc, b->gpa, b->len, head, flags);
    if (++q->next_desc == q->size) {
        q->next_desc = 0;
        q->wrap = !q->wrap;
    }
}

unsigned packed_chain(Guest *g, GuestQueue *q, const Buf *bufs, unsigned n)
{
    unsigned head = q->next_desc;

    q->n_desc[head] = n;
    for (unsigned i = 0; i < n; i++) {
        write_one(g, q, head, i == 0, &bufs[i],
                  (bufs[i].write ? D_WRITE : 0) | (i + 1 < n ? D_NEXT : 0));
    }
    return head;
}

unsigned packed_chain_indirect(Guest *g, GuestQueue *q, const Buf *bufs, unsigned n)
{
    unsigned head = q->next_desc;
    uint64_t table = guest_alloc(g, n * 16, 16);

    for (unsigned i = 0; i < n; i++) {
        packed_desc(g, table, i, bufs[i].gpa, bufs[i].len, 0, bufs[i].write ? D_WRITE : 0);
    }
    q->n_desc[head] = 1;
    write_one(g, q, head, true, &(Buf){ table, n * 16, false }, D_INDIRECT);
    return head;
}

void packed_publish(Guest *g, GuestQueue *q, unsigned head)
{
    guest_store16(g, q->desc + head * 16 + 14, q->head_flags[head]);
    q->avail_idx++;
}

static bool is_used(Guest *g, GuestQueue *q, unsigned place, bool wrap)
{
    uint16_t flags = guest_load16(g, q->desc + place * 16 + 14);

    return ((flags & AVAIL) != 0) == wrap && ((flags & USED) != 0) == wrap;
}

static void round_off(const GuestQueue *q, uint16_t *place, bool *wrap)
{
    if (*place >= q->size) {
        *place -= q->size;
        *wrap = !*wrap;
    }
}

unsigned packed_used_ahead(Guest *g, GuestQueue *q)
{
    uint16_t place = q->next_used;
    bool wrap = q->used_wrap;
    unsigned n = 0;

    while (n < q->size && is_used(g, q, place, wrap)) {
        uint16_t id = guest_load16(g, q->desc + place * 16 + 12);

        g_assert_cmpuint(id, <, q->size);
        place += q->n_desc[id];
        round_off(q, &place, &wrap);
        n++;
    }
    return n;
}

/* An event structure: offset and round, then what it is for. */
static void set_event(Guest *g, GuestQueue *q, unsigned place, bool wrap)
{
    guest_store16(g, q->avail, place | wrap << 15);
    guest_store16(g, q->avail + 2, EVENT_DESC);
}

Used packed_take(Guest *g, GuestQueue *q)
{
    uint64_t at = q->desc + q->next_used * 16;
    Used used = { guest_load16(g, at + 12), guest_load32(g, at + 8) };

    g_assert_cmpuint(used.id, <, q->size);
    g_assert_cmpint((guest_load16(g, at + 14) & D_WRITE) != 0, ==, used.len != 0);
    q->next_used += q->n_desc[used.id];
    round_off(q, &q->next_used, &q->used_wrap);
    q->used_taken++;
    if (g->event_idx) {
        set_event(g, q, q->next_used, q->used_wrap);
    }
    return used;
}

void packed_set_used_event(Guest *g, GuestQueue *q, uint16_t event)
{
    set_event(g, q, event % q->size, event / q->size % 2 == 0);
}

/* Back to a count: the newest place not beyond what was published. */
uint16_t packed_avail_event(Guest *g, GuestQueue *q)
{
    uint16_t off_wrap = guest_load16(g, q->used);
    unsigned rounds = 2 * q->size, place = off_wrap & 0x7fff;

    place += (off_wrap & 0x8000) != 0 ? 0 : q->size;
    return q->avail_idx - (q->avail_idx % rounds + rounds - place) % rounds;
}
