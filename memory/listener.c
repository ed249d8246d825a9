/* SPDX-License-Identifier: GPL-2.0-or-later
 * Registering listeners, and the form in which they are told about ranges and doorbells. What
 * changed in a commit is commit.c's.
 */
#include "memory-priv.h"

void section_from_range(AddressSpace *as, const FlatRange *range, MemoryRegionSection *section)
{
    uint64_t span = range->last - range->first;

    *section = (MemoryRegionSection){
        .mr = range->mr,
        .as = as,
        .offset_within_region = range->offset,
        .offset_within_address_space = range->first,
        .size = span == UINT64_MAX ? UINT64_MAX : span + 1,
        .readonly = range->flags & FLAT_READONLY,
    };
}

void listener_tell_eventfd(MemoryListener *l, AddressSpace *as, const SpaceEventfd *e, bool add)
{
    MemoryRegionSection section = {
        .mr = e->mr,
        .as = as,
        .offset_within_region = e->e->offset,
        .offset_within_address_space = e->addr,
        .size = e->e->size,
    };

    if (add && l->eventfd_add != NULL) {
        l->eventfd_add(l, &section, e->e->match_data, e->e->data, e->e->fd);
    } else if (!add && l->eventfd_del != NULL) {
        l->eventfd_del(l, &section, e->e->match_data, e->e->data, e->e->fd);
    }
}

static void tell_all(MemoryListener *l, AddressSpace *as, bool add)
{
    void (*fn)(MemoryListener *, const MemoryRegionSection *) = add ? l->region_add : l->region_del;

    if (l->begin != NULL) {
        l->begin(l);
    }
    for (guint i = 0; !add && i < as->eventfds->len; i++) {
        listener_tell_eventfd(l, as, &g_array_index(as->eventfds, SpaceEventfd, i), false);
    }
    for (size_t i = 0; fn != NULL && i < as->view->n; i++) {
        MemoryRegionSection section;

        section_from_range(as, &as->view->ranges[i], &section);
        fn(l, &section);
    }
    for (guint i = 0; add && i < as->eventfds->len; i++) {
        listener_tell_eventfd(l, as, &g_array_index(as->eventfds, SpaceEventfd, i), true);
    }
    if (l->commit != NULL) {
        l->commit(l);
    }
}

static gint by_priority(gconstpointer a, gconstpointer b)
{
    const MemoryListener *la = a, *lb = b;

    return la->priority < lb->priority ? -1 : la->priority > lb->priority;
}

void memory_listener_register(MemoryListener *listener, AddressSpace *as)
{
    memory_region_transaction_begin();
    g_assert(listener->as == NULL);
    listener->as = as;
    tell_all(listener, as, true);
    as->listeners = g_list_insert_sorted(as->listeners, listener, by_priority);
    memory_region_transaction_commit();
}

void memory_listener_unregister(MemoryListener *listener)
{
    AddressSpace *as = listener->as;

    if (as == NULL) {
        return;
    }
    memory_region_transaction_begin();
    as->listeners = g_list_remove(as->listeners, listener);
    tell_all(listener, as, false);
    listener->as = NULL;
    memory_region_transaction_commit();
}
