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

void *address_space_map(AddressSpace *as, hwaddr addr, uint64_t *len, bool is_write)
{
    const FlatRange *range;
    void *host = NULL;

    mem_thread_self();
    mem_rcu_read_lock();
    range = direct_range(as, addr, is_write);
    if (range != NULL && *len > 0) {
        uint64_t rest = range->last - addr;

        *len = *len - 1 <= rest ? *len : rest + 1;
        host = range->host + (addr - range->first);
        gate_enter(range->gate);
        if (range->owned) {
            g_object_ref(range->gate->owner);
        }
    }
    mem_rcu_read_unlock();
    if (host == NULL) {
        *len = 0;
    }
    return host;
}

void address_space_unmap(AddressSpace *as, void *host, uint64_t len, bool is_write)
{
    MemoryGate *gate;
    GObject *owner;

    if (host == NULL) {
        return;
    }
    mem_thread_self();
    mem_rcu_read_lock();
    gate = ram_block_of_host(host)->gate;
    mem_rcu_read_unlock();
    /* Still inside, so gate stays; leaving may run the owner's finalize, which waits for readers.
     */
    owner = gate->owner;
    gate_leave(gate);
    if (owner != NULL) {
        g_object_unref(owner);
    }
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
