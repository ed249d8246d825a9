/* SPDX-License-Identifier: GPL-2.0-or-later
 * Direct pointers to guest RAM and questions about what is where. No bounce buffers: what is not
 * RAM is not mapped.
 */
#include "memory-priv.h"

/* In a read section: the range at addr if it can be accessed directly. */
static const FlatRange *direct_range(AddressSpace *as, hwaddr addr, bool is_write)
{
    const FlatRange *range =
        flatview_lookup(mem_thread_self(), mem_rcu_dereference(&as->view), addr);

    if (range == NULL || !(range->flags & (is_write ? FLAT_WRITE_DIRECT : FLAT_READ_DIRECT))) {
        return NULL;
    }
    return range;
}

/* ---- memory behind ops ---- */

enum { MAX_MAPPERS = 8 };

static MemoryRegion *mappers[MAX_MAPPERS]; /* atomic */
static pthread_mutex_t mappers_lock = PTHREAD_MUTEX_INITIALIZER;

static void mapper_replace(MemoryRegion *from, MemoryRegion *to)
{
    unsigned i = 0;

    pthread_mutex_lock(&mappers_lock);
    while (i < MAX_MAPPERS && mappers[i] != from) {
        i++;
    }
    g_assert(i < MAX_MAPPERS);
    __atomic_store_n(&mappers[i], to, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&mappers_lock);
}

void mapper_add(MemoryRegion *mr)
{
    mapper_replace(NULL, mr);
}

/* Nobody has a pointer into it any more; who asks whether another one is its must have left. */
void mapper_remove(MemoryRegion *mr)
{
    mapper_replace(mr, NULL);
    mem_rcu_synchronize();
}

/* The gate of the region that has taken host back, which is still entered. */
static MemoryGate *mapper_unmap(void *host, uint64_t len, bool is_write)
{
    MemoryGate *gate = NULL;

    mem_rcu_read_lock();
    for (unsigned i = 0; i < MAX_MAPPERS && gate == NULL; i++) {
        MemoryRegion *mr = __atomic_load_n(&mappers[i], __ATOMIC_ACQUIRE);

        if (mr != NULL && mr->ops->unmap(mr->opaque, host, len, is_write)) {
            gate = mr->gate;
        }
    }
    mem_rcu_read_unlock();
    return gate;
}

/* ---- pointers ---- */

/* Still inside, so gate stays; leaving may run the owner's finalize, which waits for readers. */
static void leave(MemoryGate *gate)
{
    GObject *owner = gate->owner;

    gate_leave(gate);
    if (owner != NULL) {
        g_object_unref(owner);
    }
}

void *address_space_map(AddressSpace *as, hwaddr addr, uint64_t *len, bool is_write)
{
    MemThread *t = mem_thread_self();
    const FlatRange *range;
    MemoryRegion *mapper = NULL;
    MemoryGate *gate = NULL;
    void *host = NULL;
    hwaddr offset = 0;

    mem_rcu_read_lock();
    range = flatview_lookup(t, mem_rcu_dereference(&as->view), addr);
    if (range != NULL && *len > 0) {
        uint64_t rest = range->last - addr;

        *len = *len - 1 <= rest ? *len : rest + 1;
        if (range->flags & (is_write ? FLAT_WRITE_DIRECT : FLAT_READ_DIRECT)) {
            host = range->host + (addr - range->first);
        } else if (range->mr->ops != NULL && range->mr->ops->map != NULL) {
            mapper = range->mr;
            offset = range->offset + (addr - range->first);
        }
        gate = host != NULL || mapper != NULL ? range->gate : NULL;
    }
    if (gate != NULL) {
        gate_enter(gate);
        if (range->owned) {
            g_object_ref(gate->owner);
        }
    }
    mem_rcu_read_unlock();
    if (mapper != NULL) {
        host = mapper->ops->map(mapper->opaque, offset, len, is_write);
        if (host == NULL) {
            leave(gate);
        }
    }
    if (host == NULL) {
        *len = 0;
    }
    return host;
}

void address_space_unmap(AddressSpace *as, void *host, uint64_t len, bool is_write)
{
    const RAMBlock *block;
    MemoryGate *gate;

    if (host == NULL) {
        return;
    }
    mem_thread_self();
    mem_rcu_read_lock();
    block = ram_block_of_host(host);
    gate = block != NULL ? block->gate : NULL;
    mem_rcu_read_unlock();
    if (gate == NULL) {
        gate = mapper_unmap(host, len, is_write);
        g_assert(gate != NULL);
    }
    leave(gate);
}

bool address_space_access_valid(AddressSpace *as, hwaddr addr, uint64_t len, bool is_write)
{
    mem_thread_self();
    while (len > 0) {
        const FlatRange *range;
        uint64_t n = 0;

        mem_rcu_read_lock();
        range = direct_range(as, addr, is_write);
        if (range != NULL) {
            n = len - 1 <= range->last - addr ? len : range->last - addr + 1;
        }
        mem_rcu_read_unlock();
        len -= n;
        if (n == 0 || (len > 0 && addr + n < addr)) {
            return false;
        }
        addr += n;
    }
    return true;
}

bool memory_region_find(AddressSpace *as, hwaddr addr, MemoryRegionSection *section)
{
    MemThread *t = mem_thread_self();
    const FlatRange *range;

    mem_rcu_read_lock();
    range = flatview_lookup(t, mem_rcu_dereference(&as->view), addr);
    if (range != NULL) {
        section_from_range(as, range, section);
    }
    mem_rcu_read_unlock();
    return range != NULL;
}
