/* SPDX-License-Identifier: GPL-2.0-or-later
 * FlatViews: immutable sorted arrays of ranges. Successive views of an address space share what
 * their ranges refer to: a range takes its references when it first appears and gives them back a
 * grace period after the view without it was published.
 */
#include "memory-priv.h"

#include <string.h>

/* A view on its way out and what its successor dropped. */
typedef struct {
    MemDeferred deferred;
    FlatView *view; /* NULL: freed already */
    size_t n;
    FlatRange dropped[]; /* those that hold references */
} Retired;

/* Bytes of views that wait for their grace period. A guest that moves a BAR in a loop commits much
 * faster than liburcu's reclaim thread wakes up; above the limit the commit waits by itself. */
static size_t backlog;
enum { BACKLOG_MAX = 8 << 20 };

/* The last large view freed, for the next commit: a fresh allocation of that size would be paid for
 * in page faults. */
static FlatView *spare;
enum { SPARE_MIN = 256, SPARE_MAX = 65536 };

static FlatView *view_alloc(FlatView *view, size_t room)
{
    view = g_realloc(view, sizeof(*view) + room * sizeof(view->ranges[0]));
    view->room = room;
    return view;
}

FlatView *flatview_new(size_t room)
{
    static uint64_t generation;
    FlatView *view = NULL;

    if (room >= SPARE_MIN) {
        view = __atomic_exchange_n(&spare, NULL, __ATOMIC_ACQ_REL);
    }
    if (view == NULL || view->room < room) {
        g_free(view);
        view = view_alloc(NULL, room);
    }
    view->generation = __atomic_add_fetch(&generation, 1, __ATOMIC_RELAXED);
    view->n = 0;
    return view;
}

void flatview_free(FlatView *view)
{
    FlatView *none = NULL;

    if (view->room < SPARE_MIN || view->room > SPARE_MAX ||
        !__atomic_compare_exchange_n(&spare, &none, view, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_RELAXED)) {
        g_free(view);
    }
}

FlatRange *flatview_append(FlatView **view)
{
    if ((*view)->n == (*view)->room) {
        *view = view_alloc(*view, MAX(16, (*view)->room * 2));
    }
    return &(*view)->ranges[(*view)->n++];
}

void flatview_append_copy(FlatView **view, const FlatRange *ranges, size_t n)
{
    if ((*view)->n + n > (*view)->room) {
        *view = view_alloc(*view, (*view)->n + n);
    }
    memcpy(&(*view)->ranges[(*view)->n], ranges, n * sizeof(*ranges));
    (*view)->n += n;
}

size_t flatview_search(const FlatView *view, hwaddr addr)
{
    size_t lo = 0, n = view->n;

    while (n > 0) {
        size_t half = n / 2;

        if (view->ranges[lo + half].last < addr) {
            lo += half + 1;
            n -= half + 1;
        } else {
            n = half;
        }
    }
    return lo;
}

bool flat_range_same(const FlatRange *a, const FlatRange *b)
{
    return a->first == b->first && a->last == b->last && a->gate == b->gate &&
           a->offset == b->offset && a->flags == b->flags;
}

void flat_range_acquire(FlatRange *range)
{
    ioeventfd_list_ref(range->ioeventfds);
    if (range->owned) {
        g_object_ref(range->gate->owner);
    }
}

static void flat_range_release(const FlatRange *range)
{
    ioeventfd_list_unref(range->ioeventfds);
    if (range->owned) {
        gate_drop_owner(range->gate);
    }
}

static size_t view_bytes(const FlatView *view)
{
    return sizeof(*view) + view->room * sizeof(view->ranges[0]);
}

static void retired_free(MemDeferred *deferred)
{
    Retired *retired = caa_container_of(deferred, Retired, deferred);

    if (retired->view != NULL) {
        __atomic_fetch_sub(&backlog, view_bytes(retired->view), __ATOMIC_RELAXED);
        flatview_free(retired->view);
    }
    for (size_t i = 0; i < retired->n; i++) {
        flat_range_release(&retired->dropped[i]);
    }
    g_free(retired);
}

void flatview_retire(FlatView *view, const FlatSlice *slices, size_t n_slices)
{
    size_t n = 0, bytes = view_bytes(view);
    Retired *retired;

    for (size_t s = 0; s < n_slices; s++) {
        n += slices[s].end - slices[s].first;
    }
    retired = g_malloc(sizeof(*retired) + n * sizeof(retired->dropped[0]));
    retired->view = view;
    retired->n = 0;
    for (size_t s = 0; s < n_slices; s++) {
        for (size_t r = slices[s].first; r < slices[s].end; r++) {
            const FlatRange *range = &view->ranges[r];

            if (range->owned || range->ioeventfds != NULL) {
                retired->dropped[retired->n++] = *range;
            }
        }
    }
    if (__atomic_add_fetch(&backlog, bytes, __ATOMIC_RELAXED) > BACKLOG_MAX) {
        __atomic_fetch_sub(&backlog, bytes, __ATOMIC_RELAXED);
        mem_rcu_synchronize(); /* read sections never block, whatever their threads wait for */
        flatview_free(view);
        retired->view = NULL;
    }
    if (retired->view == NULL && retired->n == 0) {
        g_free(retired);
    } else {
        mem_defer(&retired->deferred, retired_free);
    }
}
