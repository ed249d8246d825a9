/* SPDX-License-Identifier: GPL-2.0-or-later
 * What was counted of each I/O region: accesses, and writes that rang a doorbell here instead.
 */
#include "memory-priv.h"

static bool is_io(const FlatRange *range)
{
    return range->mr->kind == REGION_IO || range->mr->kind == REGION_ROM_DEVICE;
}

static MemoryRegionStats stats_of(const FlatRange *range)
{
    MemoryRegion *mr = range->mr;
    const IoeventfdList *list = __atomic_load_n(&mr->ioeventfds, __ATOMIC_ACQUIRE);
    MemoryRegionStats stats = {
        .name = mr->name,
        .addr = range->first,
        .size = range->last - range->first + 1,
        .accesses = __atomic_load_n(&mr->gate->access_count, __ATOMIC_RELAXED),
    };

    for (unsigned i = 0; list != NULL && i < list->n; i++) {
        stats.ioeventfds++;
        stats.rings += __atomic_load_n(&list->entries[i]->rings, __ATOMIC_RELAXED);
    }
    return stats;
}

void memory_foreach_io(AddressSpace *as, void (*fn)(const MemoryRegionStats *stats, void *opaque),
                       void *opaque)
{
    topology_lock();
    for (size_t i = 0; i < as->view->n; i++) {
        const FlatRange *range = &as->view->ranges[i];

        if (is_io(range)) {
            MemoryRegionStats stats = stats_of(range);

            fn(&stats, opaque);
        }
    }
    topology_unlock();
}
