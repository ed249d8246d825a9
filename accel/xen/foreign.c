/* SPDX-License-Identifier: GPL-2.0-or-later
 * The domain's memory, as a region below all devices: pieces of it are mapped when they are used
 * and stay mapped while there is room, until the domain says that it has given pages back.
 *
 * A piece is in one of the few places that its number allows. Its users are counted; who finds it
 * takes no lock. CLOSED in the count keeps users out while the place gets another piece, which only
 * happens under the lock and when there are none.
 */
#define G_LOG_DOMAIN "humpy-xen"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "util/trace.h"
#include "xen-priv.h"

enum {
    PIECE_PAGES = 64,
    PIECE_SHIFT = 18,
    PIECE_SIZE = 1 << PIECE_SHIFT,
    WAYS = 8,
    ADDRESS_BITS = 52,
};
#define CLOSED (1u << 31)

struct XenPiece {
    uint64_t tag;   /* atomic: number + 1; 0: nothing is here */
    uint32_t users; /* atomic */
    bool stale;     /* atomic: nobody else may find it */
    uint8_t *host;
    uint64_t valid; /* a bit for each page that could be mapped */
};

/* ---- users ---- */

static XenPiece *first_way(AccelXen *xen, uint64_t number)
{
    return &xen->pieces[number % (xen->n_pieces / WAYS) * WAYS];
}

/* [lock] TRUE: nobody is in the place, and nobody comes. */
static bool try_close(XenPiece *p)
{
    uint32_t none = 0;

    return __atomic_compare_exchange_n(&p->users, &none, CLOSED, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST);
}

/* [lock] Of a closed place. */
static void unmap(AccelXen *xen, XenPiece *p)
{
    if (p->tag != 0 && p->host != NULL) {
        xen->lib->unmap_pages(xen->handle, p->host, PIECE_PAGES);
    }
    __atomic_store_n(&p->host, NULL, __ATOMIC_RELAXED);
    p->valid = 0;
    __atomic_store_n(&p->tag, 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&p->stale, false, __ATOMIC_SEQ_CST);
}

static void reopen(XenPiece *p)
{
    __atomic_fetch_and(&p->users, ~CLOSED, __ATOMIC_SEQ_CST);
}

/* [lock] */
static void put_locked(AccelXen *xen, XenPiece *p)
{
    if (__atomic_sub_fetch(&p->users, 1, __ATOMIC_SEQ_CST) == 0 &&
        __atomic_load_n(&p->stale, __ATOMIC_SEQ_CST) && try_close(p)) {
        unmap(xen, p);
        reopen(p);
    }
}

static void put(AccelXen *xen, XenPiece *p)
{
    if (__atomic_sub_fetch(&p->users, 1, __ATOMIC_SEQ_CST) != 0 ||
        !__atomic_load_n(&p->stale, __ATOMIC_SEQ_CST)) {
        return;
    }
    pthread_mutex_lock(&xen->pieces_lock);
    if (__atomic_load_n(&p->stale, __ATOMIC_SEQ_CST) && try_close(p)) {
        unmap(xen, p);
        reopen(p);
    }
    pthread_mutex_unlock(&xen->pieces_lock);
}

/* A user of the place if the piece is there, whole in what it says of itself. */
static bool enter(AccelXen *xen, XenPiece *p, uint64_t tag, bool locked)
{
    if (__atomic_load_n(&p->tag, __ATOMIC_SEQ_CST) != tag) {
        return false;
    }
    if (!(__atomic_fetch_add(&p->users, 1, __ATOMIC_SEQ_CST) & CLOSED) &&
        __atomic_load_n(&p->tag, __ATOMIC_SEQ_CST) == tag &&
        !__atomic_load_n(&p->stale, __ATOMIC_SEQ_CST)) {
        return true;
    }
    (locked ? put_locked : put)(xen, p);
    return false;
}

static bool has_page(const XenPiece *p, unsigned page)
{
    return p->valid >> page & 1;
}

static XenPiece *find(AccelXen *xen, uint64_t number, bool locked)
{
    XenPiece *p = first_way(xen, number);

    for (unsigned i = 0; i < WAYS; i++) {
        if (enter(xen, &p[i], number + 1, locked)) {
            return &p[i];
        }
    }
    return NULL;
}

/* ---- misses ---- */

/* [lock] A closed and empty place: one that is empty, else one after the other. */
static XenPiece *make_room(AccelXen *xen, uint64_t number)
{
    XenPiece *p = first_way(xen, number);

    for (unsigned i = 0; i < WAYS; i++) {
        if (p[i].tag == 0 && try_close(&p[i])) {
            return &p[i];
        }
    }
    for (unsigned i = 0; i < WAYS; i++) {
        XenPiece *victim = &p[xen->next_victim++ % WAYS];

        if (try_close(victim)) {
            unmap(xen, victim);
            return victim;
        }
    }
    return NULL;
}

/* Which place may have a host address. */
static uint32_t *hint(AccelXen *xen, const uint8_t *host)
{
    return &xen->hints[((uintptr_t)host >> PIECE_SHIFT) % XEN_N_HINTS];
}

/* [lock] */
static bool map_piece(AccelXen *xen, XenPiece *p, uint64_t number)
{
    uint64_t gfns[PIECE_PAGES];
    int errors[PIECE_PAGES] = { 0 };
    uint64_t valid = 0;
    uint8_t *host;

    for (unsigned i = 0; i < PIECE_PAGES; i++) {
        gfns[i] = number * PIECE_PAGES + i;
    }
    host = xen->lib->map_pages(xen->handle, PROT_READ | PROT_WRITE, PIECE_PAGES, gfns, errors);
    for (unsigned i = 0; i < PIECE_PAGES && host != NULL; i++) {
        valid |= (uint64_t)(errors[i] == 0) << i;
    }
    if (host != NULL && valid == 0) {
        xen->lib->unmap_pages(xen->handle, host, PIECE_PAGES);
    }
    if (valid == 0) {
        return false;
    }
    p->valid = valid;
    __atomic_store_n(&p->host, host, __ATOMIC_RELAXED);
    __atomic_store_n(hint(xen, host), p - xen->pieces, __ATOMIC_RELAXED);
    __atomic_store_n(hint(xen, host + PIECE_SIZE - 1), p - xen->pieces, __ATOMIC_RELAXED);
    return true;
}

/* [lock] The page was not there when the piece was mapped: perhaps it is now. */
static void drop(XenPiece *p)
{
    __atomic_store_n(&p->stale, true, __ATOMIC_SEQ_CST);
}

static XenPiece *miss(AccelXen *xen, uint64_t number, unsigned page)
{
    XenPiece *p;

    pthread_mutex_lock(&xen->pieces_lock);
    p = find(xen, number, true); /* another thread may have been faster */
    if (p != NULL && has_page(p, page)) {
        pthread_mutex_unlock(&xen->pieces_lock);
        return p;
    }
    if (p != NULL) {
        drop(p);
        put_locked(xen, p);
    }
    p = make_room(xen, number);
    if (p != NULL && map_piece(xen, p, number)) {
        __atomic_store_n(&p->tag, number + 1, __ATOMIC_SEQ_CST);
        __atomic_add_fetch(&p->users, 1, __ATOMIC_SEQ_CST);
        reopen(p);
    } else if (p != NULL) {
        reopen(p);
        p = NULL;
    }
    pthread_mutex_unlock(&xen->pieces_lock);
    return p;
}

/* The piece with the page at gpa, with a user more; NULL: that page cannot be had. */
static XenPiece *get(AccelXen *xen, uint64_t gpa)
{
    uint64_t number = gpa >> PIECE_SHIFT;
    unsigned page = gpa / XEN_PAGE_SIZE % PIECE_PAGES;
    XenPiece *p;

    if (gpa >> ADDRESS_BITS != 0) {
        return NULL;
    }
    p = find(xen, number, false);
    if (G_LIKELY(p != NULL && has_page(p, page))) {
        return p;
    }
    if (p != NULL) {
        put(xen, p);
    }
    p = miss(xen, number, page);
    if (p != NULL && !has_page(p, page)) {
        put(xen, p);
        p = NULL;
    }
    if (p == NULL) {
        TRACE(xen_foreign_fault, "no page of the domain at 0x%" G_GINT64_MODIFIER "x", gpa);
    }
    return p;
}

/* ---- as a region ---- */

/* A domain that is being migrated has to be told what was written behind its back. */
static void note_write(AccelXen *xen, uint64_t gpa, uint64_t len)
{
    if (__atomic_load_n(&xen->dirty_log, __ATOMIC_RELAXED)) {
        uint64_t first = gpa / XEN_PAGE_SIZE, last = (gpa + len - 1) / XEN_PAGE_SIZE;

        xen->lib->modified_memory(xen->handle, first, last - first + 1);
    }
}

static void *foreign_map(void *opaque, hwaddr offset, uint64_t *len, bool is_write)
{
    AccelXen *xen = opaque;
    XenPiece *p = get(xen, offset);
    uint64_t within = offset % PIECE_SIZE, end = within / XEN_PAGE_SIZE + 1;

    if (p == NULL) {
        return NULL;
    }
    while (end < PIECE_PAGES && has_page(p, end)) {
        end++;
    }
    *len = MIN(*len, end * XEN_PAGE_SIZE - within);
    return p->host + within;
}

/* Whoever asks has a user in the piece that is meant, so that one does not change; the others may,
 * and are only compared. */
static bool foreign_unmap(void *opaque, void *host, uint64_t len, bool is_write)
{
    AccelXen *xen = opaque;

    uint32_t first = xen->n_pieces > 0 ? __atomic_load_n(hint(xen, host), __ATOMIC_RELAXED) : 0;

    for (unsigned i = 0; i < xen->n_pieces; i++) {
        XenPiece *p = &xen->pieces[(first + i) % xen->n_pieces];
        uint8_t *at = __atomic_load_n(&p->host, __ATOMIC_RELAXED);

        if (at != NULL && (uint8_t *)host >= at && (uint8_t *)host < at + PIECE_SIZE) {
            if (is_write && len > 0) {
                note_write(xen, ((p->tag - 1) << PIECE_SHIFT) + ((uint8_t *)host - at), len);
            }
            put(xen, p);
            return true;
        }
    }
    return false;
}

static MemTxResult transfer(AccelXen *xen, hwaddr offset, void *buf, unsigned size, bool is_write)
{
    uint8_t *bytes = buf;

    while (size > 0) {
        unsigned n = MIN(size, XEN_PAGE_SIZE - offset % XEN_PAGE_SIZE);
        XenPiece *p = get(xen, offset);
        uint8_t *host;

        if (p == NULL) {
            return MEMTX_ERROR;
        }
        host = p->host + offset % PIECE_SIZE;
        memcpy(is_write ? host : bytes, is_write ? bytes : host, n);
        if (is_write) {
            note_write(xen, offset, n);
        }
        put(xen, p);
        bytes += n;
        offset += n;
        size -= n;
    }
    return MEMTX_OK;
}

static MemTxResult foreign_read(void *opaque, hwaddr offset, uint64_t *value, unsigned size)
{
    uint64_t bytes = 0;
    MemTxResult result = transfer(opaque, offset, &bytes, size, false);

    *value = GUINT64_FROM_LE(bytes);
    return result;
}

static MemTxResult foreign_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    value = GUINT64_TO_LE(value);
    return transfer(opaque, offset, &value, size, true);
}

static const MemoryRegionOps foreign_ops = {
    .read_with_result = foreign_read,
    .write_with_result = foreign_write,
    .map = foreign_map,
    .unmap = foreign_unmap,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
    .impl = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
};

/* ---- life ---- */

void xen_foreign_invalidate(AccelXen *xen)
{
    pthread_mutex_lock(&xen->pieces_lock);
    for (unsigned i = 0; i < xen->n_pieces; i++) {
        XenPiece *p = &xen->pieces[i];

        if (p->tag == 0) {
            continue;
        }
        drop(p);
        if (try_close(p)) {
            unmap(xen, p);
            reopen(p);
        }
    }
    pthread_mutex_unlock(&xen->pieces_lock);
}

void xen_foreign_init(AccelXen *xen)
{
    pthread_mutex_init(&xen->pieces_lock, NULL);
}

void xen_foreign_clear(AccelXen *xen)
{
    pthread_mutex_destroy(&xen->pieces_lock);
}

void xen_foreign_show(AccelXen *xen, MemoryRegion *system)
{
    xen->n_pieces = MAX(xen->map_cache / PIECE_SIZE / WAYS, 1) * WAYS;
    xen->pieces = g_new0(XenPiece, xen->n_pieces);
    memory_region_init_io(&xen->guest_memory, NULL, &foreign_ops, xen, "xen-guest-memory",
                          UINT64_C(1) << ADDRESS_BITS);
    memory_region_add_subregion_overlap(system, 0, &xen->guest_memory, INT32_MIN);
    xen->shown_in = system;
}

void xen_foreign_hide(AccelXen *xen)
{
    if (xen->shown_in != NULL) {
        memory_region_del_subregion(xen->shown_in, &xen->guest_memory);
    }
    xen->shown_in = NULL;
}

/* Nobody has a pointer into it any more, or gives it back while this waits. */
void xen_foreign_close(AccelXen *xen)
{
    memory_region_destroy(&xen->guest_memory);
    xen_foreign_invalidate(xen);
    g_clear_pointer(&xen->pieces, g_free);
    xen->n_pieces = 0;
}
