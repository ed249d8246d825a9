/* SPDX-License-Identifier: GPL-2.0-or-later
 * FlatViews: immutable sorted arrays of ranges. Successive views of an address space share what
 * their ranges refer to: a range takes its references when it first appears and gives them back a
 * grace period after the view without it was published.
 */
#include "memory-priv.h"

#include <string.h>

typedef struct {
    MemDeferred deferred;
    FlatView *view;
    GArray *slices;
} Retired;

FlatView *flatview_new(size_t n)
{
    static uint64_t generation;
    FlatView *view = g_malloc(sizeof(*view) + n * sizeof(view->ranges[0]));

    view->generation = __atomic_add_fetch(&generation, 1, __ATOMIC_RELAXED);
    view->n = n;
    return view;
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
    range->gate->shown = true;
    gate_ref(range->gate);
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
    gate_unref(range->gate);
}

static void retired_free(MemDeferred *deferred)
{
    Retired *retired = caa_container_of(deferred, Retired, deferred);

    for (guint i = 0; i < retired->slices->len; i++) {
        const FlatSlice *slice = &g_array_index(retired->slices, FlatSlice, i);

        for (size_t r = slice->first; r < slice->end; r++) {
            flat_range_release(&retired->view->ranges[r]);
        }
    }
    g_array_unref(retired->slices);
    g_free(retired->view);
    g_free(retired);
}

void flatview_retire(FlatView *view, GArray *slices)
{
    Retired *retired = g_new0(Retired, 1);

    retired->view = view;
    retired->slices = slices;
    mem_defer(&retired->deferred, retired_free);
}
