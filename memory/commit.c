/* SPDX-License-Identifier: GPL-2.0-or-later
 * The outermost commit: renders the dirty windows of each address space again, splices them into a
 * copy of its view, tells the listeners what differs, publishes the new view and retires the old.
 * Runs under the topology lock.
 *
 * A window is first widened to the old ranges that it touches or adjoins: then a range is never
 * split or joined across a window's edge, and what lies outside can be copied as it is.
 */
#include "memory-priv.h"

#include <string.h>

/* One window: what it was, what it is now. */
typedef struct {
    AddrWindow window;
    FlatSlice before, after; /* of the old and the new view */
} Change;

typedef struct {
    AddressSpace *as;
    FlatView *before, *after;
    GArray *changes;                      /* Change, ascending */
    GArray *eventfds_gone, *eventfds_new; /* SpaceEventfd */
} SpaceUpdate;

static int by_first(const void *a, const void *b)
{
    const AddrWindow *wa = a, *wb = b;

    return wa->first < wb->first ? -1 : wa->first > wb->first;
}

static Change change_of_window(const FlatView *view, AddrWindow w)
{
    Change c = { .window = w };
    hwaddr below = w.first > 0 ? w.first - 1 : 0;
    hwaddr above = w.last < UINT64_MAX ? w.last + 1 : UINT64_MAX;
    size_t end;

    c.before.first = end = flatview_search(view, below);
    while (end < view->n && view->ranges[end].first <= above) {
        end++;
    }
    c.before.end = end;
    if (c.before.first < end) {
        c.window.first = MIN(w.first, view->ranges[c.before.first].first);
        c.window.last = MAX(w.last, view->ranges[end - 1].last);
    }
    return c;
}

static GArray *changes_of_space(AddressSpace *as)
{
    GArray *changes = g_array_new(FALSE, FALSE, sizeof(Change));

    qsort(as->dirty, as->n_dirty, sizeof(as->dirty[0]), by_first);
    for (unsigned i = 0; i < as->n_dirty; i++) {
        Change c = change_of_window(as->view, as->dirty[i]);
        Change *last = changes->len > 0 ? &g_array_index(changes, Change, changes->len - 1) : NULL;

        if (last != NULL &&
            (c.window.first <= last->window.last || c.window.first == last->window.last + 1)) {
            last->window.last = MAX(last->window.last, c.window.last);
            last->before.end = MAX(last->before.end, c.before.end);
        } else {
            g_array_append_val(changes, c);
        }
    }
    as->n_dirty = 0;
    return changes;
}

static bool change_is_none(const FlatView *before, const FlatView *after, const Change *c)
{
    size_t n = c->before.end - c->before.first;

    if (c->after.end - c->after.first != n) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        const FlatRange *old = &before->ranges[c->before.first + i];
        const FlatRange *new = &after->ranges[c->after.first + i];

        if (!flat_range_same(old, new) || old->ioeventfds != new->ioeventfds) {
            return false;
        }
    }
    return true;
}

/* The view with the dirty windows rendered again and the rest copied; NULL if it would be the same.
 */
static FlatView *view_after(AddressSpace *as, GArray *changes)
{
    const FlatView *before = as->view;
    FlatView *after = flatview_new(before->n + 16);
    size_t from = 0;
    bool same = true;

    for (guint i = 0; i < changes->len; i++) {
        Change *c = &g_array_index(changes, Change, i);

        flatview_append_copy(&after, &before->ranges[from], c->before.first - from);
        c->after.first = after->n;
        render_window(as, c->window, &after);
        c->after.end = after->n;
        same = same && change_is_none(before, after, c);
        from = c->before.end;
    }
    if (same) {
        flatview_free(after);
        return NULL;
    }
    flatview_append_copy(&after, &before->ranges[from], before->n - from);
    for (guint i = 0; i < changes->len; i++) {
        const Change *c = &g_array_index(changes, Change, i);

        for (size_t r = c->after.first; r < c->after.end; r++) {
            flat_range_acquire(&after->ranges[r]);
        }
    }
    return after;
}

/* ---- doorbells ---- */

static int by_eventfd(const void *a, const void *b)
{
    const SpaceEventfd *x = a, *y = b;
    const uint64_t keys[][2] = {
        { x->addr, y->addr },
        { x->e->size, y->e->size },
        { x->e->match_data, y->e->match_data },
        { x->e->data, y->e->data },
        { (unsigned)x->e->fd, (unsigned)y->e->fd },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(keys); i++) {
        if (keys[i][0] != keys[i][1]) {
            return keys[i][0] < keys[i][1] ? -1 : 1;
        }
    }
    return 0;
}

static void eventfds_append(GArray *array, const SpaceEventfd *e)
{
    ioeventfd_ref(e->e);
    g_array_append_val(array, *e);
}

static void eventfds_of_range(const FlatRange *range, GArray *out)
{
    const IoeventfdList *list = range->ioeventfds;

    for (unsigned i = 0; list != NULL && i < list->n; i++) {
        Ioeventfd *e = list->entries[i];
        hwaddr end = e->offset + MAX(e->size, 1) - 1;

        /* Split between two ranges it is none: such a write arrives as two. */
        if (e->offset >= range->offset && end - range->offset <= range->last - range->first) {
            SpaceEventfd shown = { range->first + (e->offset - range->offset), range->mr, e };

            eventfds_append(out, &shown);
        }
    }
}

static guint eventfds_search(const GArray *array, hwaddr addr)
{
    guint lo = 0, hi = array->len;

    while (lo < hi) {
        guint mid = (lo + hi) / 2;

        if (g_array_index(array, SpaceEventfd, mid).addr < addr) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

static void eventfds_change(SpaceUpdate *u, const Change *c)
{
    GArray *all = u->as->eventfds;
    g_autoptr(GArray) now = space_eventfds_new();
    guint first = eventfds_search(all, c->window.first);
    guint end = c->window.last == UINT64_MAX ? all->len : eventfds_search(all, c->window.last + 1);
    guint i = first, k = 0;

    for (size_t r = c->after.first; r < c->after.end; r++) {
        eventfds_of_range(&u->after->ranges[r], now);
    }
    if (now->len == 0 && first == end) {
        return;
    }
    g_array_sort(now, by_eventfd);
    while (i < end || k < now->len) {
        const SpaceEventfd *old = i < end ? &g_array_index(all, SpaceEventfd, i) : NULL;
        const SpaceEventfd *new = k < now->len ? &g_array_index(now, SpaceEventfd, k) : NULL;
        int order = old == NULL ? 1 : new == NULL ? -1 : by_eventfd(old, new);

        if (order == 0 && old->mr != new->mr) {
            eventfds_append(u->eventfds_gone, old);
            eventfds_append(u->eventfds_new, new);
        } else if (order < 0) {
            eventfds_append(u->eventfds_gone, old);
        } else if (order > 0) {
            eventfds_append(u->eventfds_new, new);
        }
        i += order <= 0;
        k += order >= 0;
    }
    if (end > first) {
        g_array_remove_range(all, first, end - first);
    }
    for (guint n = 0; n < now->len; n++) {
        ioeventfd_ref(g_array_index(now, SpaceEventfd, n).e);
    }
    if (now->len > 0) {
        g_array_insert_vals(all, first, now->data, now->len);
    }
}

/* ---- telling ---- */

static void tell(void (*fn)(MemoryListener *, const MemoryRegionSection *), MemoryListener *l,
                 AddressSpace *as, const FlatRange *range)
{
    MemoryRegionSection section;

    section_from_range(as, range, &section);
    fn(l, &section);
}

/* The range of view's slice that is the same as range, or NULL; *at moves forward with range. */
static bool slice_has(const FlatView *view, const FlatSlice *slice, size_t *at,
                      const FlatRange *range)
{
    while (*at < slice->end && view->ranges[*at].first < range->first) {
        (*at)++;
    }
    return *at < slice->end && flat_range_same(&view->ranges[*at], range);
}

static void tell_gone(const SpaceUpdate *u, MemoryListener *l)
{
    for (guint i = 0; i < u->eventfds_gone->len; i++) {
        listener_tell_eventfd(l, u->as, &g_array_index(u->eventfds_gone, SpaceEventfd, i), false);
    }
    for (guint i = 0; l->region_del != NULL && i < u->changes->len; i++) {
        const Change *c = &g_array_index(u->changes, Change, i);
        size_t at = c->after.first;

        for (size_t r = c->before.first; r < c->before.end; r++) {
            if (!slice_has(u->after, &c->after, &at, &u->before->ranges[r])) {
                tell(l->region_del, l, u->as, &u->before->ranges[r]);
            }
        }
    }
}

static void tell_nop(const SpaceUpdate *u, MemoryListener *l, size_t first, size_t end)
{
    for (size_t r = first; l->region_nop != NULL && r < end; r++) {
        tell(l->region_nop, l, u->as, &u->after->ranges[r]);
    }
}

static void tell_new(const SpaceUpdate *u, MemoryListener *l)
{
    size_t done = 0;

    for (guint i = 0; i < u->changes->len; i++) {
        const Change *c = &g_array_index(u->changes, Change, i);
        size_t at = c->before.first;

        tell_nop(u, l, done, c->after.first);
        for (size_t r = c->after.first; r < c->after.end; r++) {
            if (slice_has(u->before, &c->before, &at, &u->after->ranges[r])) {
                tell_nop(u, l, r, r + 1);
            } else if (l->region_add != NULL) {
                tell(l->region_add, l, u->as, &u->after->ranges[r]);
            }
        }
        done = c->after.end;
    }
    tell_nop(u, l, done, u->after->n);
    for (guint i = 0; i < u->eventfds_new->len; i++) {
        listener_tell_eventfd(l, u->as, &g_array_index(u->eventfds_new, SpaceEventfd, i), true);
    }
}

/* ---- the commit ---- */

static bool update_make(SpaceUpdate *u, AddressSpace *as)
{
    *u = (SpaceUpdate){ .as = as, .before = as->view, .changes = changes_of_space(as) };
    u->after = view_after(as, u->changes);
    if (u->after == NULL) {
        g_array_unref(u->changes);
        return false;
    }
    u->eventfds_gone = space_eventfds_new();
    u->eventfds_new = space_eventfds_new();
    for (guint i = 0; i < u->changes->len; i++) {
        eventfds_change(u, &g_array_index(u->changes, Change, i));
    }
    return true;
}

static void update_apply(SpaceUpdate *u)
{
    AddressSpace *as = u->as;
    FlatSlice gone[SPACE_MAX_DIRTY];

    for (GList *i = as->listeners; i != NULL; i = i->next) {
        MemoryListener *l = i->data;

        if (l->begin != NULL) {
            l->begin(l);
        }
    }
    for (GList *i = g_list_last(as->listeners); i != NULL; i = i->prev) {
        tell_gone(u, i->data);
    }
    mem_rcu_publish(&as->view, u->after);
    for (GList *i = as->listeners; i != NULL; i = i->next) {
        tell_new(u, i->data);
    }
    for (GList *i = as->listeners; i != NULL; i = i->next) {
        MemoryListener *l = i->data;

        if (l->commit != NULL) {
            l->commit(l);
        }
    }
    for (guint i = 0; i < u->changes->len; i++) {
        gone[i] = g_array_index(u->changes, Change, i).before;
    }
    flatview_retire(u->before, gone, u->changes->len);
    g_array_unref(u->changes);
    g_array_unref(u->eventfds_gone);
    g_array_unref(u->eventfds_new);
}

void commit_spaces(void)
{
    bool again;

    do {
        again = false;
        for (guint i = 0; i < memory_spaces->len; i++) {
            AddressSpace *as = memory_spaces->pdata[i];
            SpaceUpdate u;

            if (as->n_dirty > 0) {
                again = true; /* a listener may have changed what was done already */
                if (update_make(&u, as)) {
                    update_apply(&u);
                }
            }
        }
    } while (again);
}
