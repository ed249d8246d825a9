/* SPDX-License-Identifier: GPL-2.0-or-later
 * Address spaces and the accesses made through them. An access looks its range up in an RCU read
 * section. RAM is read and written inside that section; an I/O region is entered through its gate,
 * and the section ends before the device's ops run (access.c).
 */
#include "memory-priv.h"

#include <string.h>

enum { DIRECT_CHUNK = 1 << 20 }; /* bytes copied per read section, so grace periods stay short */

AddressSpace *address_space_new(MemoryRegion *root, const char *name)
{
    AddressSpace *as = g_new0(AddressSpace, 1);

    as->name = g_strdup(name);
    as->root = root;
    as->view = flatview_new(0);
    as->eventfds = space_eventfds_new();
    memory_region_transaction_begin();
    if (root->spaces == NULL) {
        root->spaces = g_ptr_array_new();
    }
    g_ptr_array_add(root->spaces, as);
    g_ptr_array_add(memory_spaces, as);
    tree_mark_all(root);
    memory_region_transaction_commit();
    return as;
}

void address_space_free(AddressSpace *as)
{
    FlatSlice all;

    if (as == NULL) {
        return;
    }
    g_assert(as->listeners == NULL);
    memory_region_transaction_begin();
    g_ptr_array_remove_fast(as->root->spaces, as);
    g_ptr_array_remove(memory_spaces, as);
    memory_region_transaction_commit();
    all = (FlatSlice){ 0, as->view->n };
    flatview_retire(as->view, &all, 1);
    g_array_unref(as->eventfds);
    g_free(as->name);
    g_free(as);
}

/* ---- host memory: single copies where alignment allows, as guests poll and ring there; what was
 * written before a value is there for who sees the value ---- */

static inline uint64_t host_load(const uint8_t *p, unsigned size)
{
    uint64_t value = 0;

    if (((uintptr_t)p & (size - 1)) == 0) {
        switch (size) {
        case 1:
            return __atomic_load_n(p, __ATOMIC_ACQUIRE);
        case 2:
            return GUINT16_FROM_LE(
                __atomic_load_n((const uint16_t *)(const void *)p, __ATOMIC_ACQUIRE));
        case 4:
            return GUINT32_FROM_LE(
                __atomic_load_n((const uint32_t *)(const void *)p, __ATOMIC_ACQUIRE));
        default:
            return GUINT64_FROM_LE(
                __atomic_load_n((const uint64_t *)(const void *)p, __ATOMIC_ACQUIRE));
        }
    }
    memcpy(&value, p, size);
    return GUINT64_FROM_LE(value);
}

static inline void host_store(uint8_t *p, unsigned size, uint64_t value)
{
    if (((uintptr_t)p & (size - 1)) == 0) {
        switch (size) {
        case 1:
            __atomic_store_n(p, value, __ATOMIC_RELEASE);
            return;
        case 2:
            __atomic_store_n((uint16_t *)(void *)p, GUINT16_TO_LE(value), __ATOMIC_RELEASE);
            return;
        case 4:
            __atomic_store_n((uint32_t *)(void *)p, GUINT32_TO_LE(value), __ATOMIC_RELEASE);
            return;
        default:
            __atomic_store_n((uint64_t *)(void *)p, GUINT64_TO_LE(value), __ATOMIC_RELEASE);
            return;
        }
    }
    value = GUINT64_TO_LE(value);
    memcpy(p, &value, size);
}

/* ---- blocks ---- */

static void count_unassigned(MemThread *t, bool is_write)
{
    uint64_t *n = is_write ? &t->unassigned_writes : &t->unassigned_reads;

    __atomic_store_n(n, *n + 1, __ATOMIC_RELAXED);
}

/* Bytes of [addr, addr + len) before the next range; len if there is none. Wraps nowhere. */
static uint64_t hole_length(const FlatView *view, hwaddr addr, uint64_t len)
{
    size_t i = flatview_search(view, addr);

    if (i == view->n) {
        return len;
    }
    return MIN(len, view->ranges[i].first - addr);
}

static MemTxResult io_bytes(MemThread *t, MemoryRegion *mr, hwaddr offset, uint8_t *buf,
                            unsigned size, bool is_write)
{
    uint64_t value = 0;
    MemTxResult result;

    if (is_write) {
        memcpy(&value, buf, size);
        return region_write(t, mr, offset, size, GUINT64_FROM_LE(value));
    }
    result = region_read(t, mr, offset, size, &value);
    value = GUINT64_TO_LE(value);
    memcpy(buf, &value, size);
    return result;
}

/* Moves the first bytes, all of one kind; returns how many (at least one) and adds to *result. */
static uint64_t rw_some(MemThread *t, AddressSpace *as, hwaddr addr, uint8_t *buf, uint64_t len,
                        bool is_write, MemTxResult *result)
{
    const FlatView *view;
    const FlatRange *range;
    MemoryRegion *mr;
    MemoryGate *gate;
    hwaddr offset;
    uint64_t n;

    mem_rcu_read_lock();
    view = mem_rcu_dereference(&as->view);
    range = flatview_lookup(t, view, addr);
    if (range == NULL) {
        n = hole_length(view, addr, len);
        mem_rcu_read_unlock();
        count_unassigned(t, is_write);
        *result |= MEMTX_DECODE_ERROR;
        if (!is_write) {
            memset(buf, 0xff, n);
        }
        return n;
    }

    n = len - 1 <= range->last - addr ? len : range->last - addr + 1;
    offset = addr - range->first;
    if (range->flags & (is_write ? FLAT_WRITE_DIRECT : FLAT_READ_DIRECT)) {
        n = MIN(n, DIRECT_CHUNK);
        if (is_write) {
            memmove(range->host + offset, buf, n);
        } else {
            memmove(buf, range->host + offset, n);
        }
        mem_rcu_read_unlock();
        return n;
    }
    offset += range->offset;
    mr = range->mr;
    if (mr->ops ==
        NULL) { /* lent RAM, or ROM: QEMU's documentation says that writes are forbidden */
        mem_rcu_read_unlock();
        *result |= MEMTX_ACCESS_ERROR;
        if (!is_write) {
            memset(buf, 0xff, n);
        }
        return n;
    }
    n = region_access_size(mr, offset, n);
    if (is_write && range->ioeventfds != NULL) {
        uint64_t value = 0;

        memcpy(&value, buf, n);
        if (ioeventfd_list_signal(range->ioeventfds, offset, n, GUINT64_FROM_LE(value))) {
            mem_rcu_read_unlock();
            return n;
        }
    }
    gate = range->gate;
    gate_enter(gate);
    mem_rcu_read_unlock();
    *result |= io_bytes(t, mr, offset, buf, n, is_write);
    gate_leave(gate);
    return n;
}

MemTxResult address_space_rw(AddressSpace *as, hwaddr addr, void *buf, uint64_t len, bool is_write)
{
    MemThread *t = mem_thread_self();
    MemTxResult result = MEMTX_OK;
    uint8_t *p = buf;

    while (len > 0) {
        uint64_t n = rw_some(t, as, addr, p, len, is_write, &result);

        p += n;
        len -= n;
        if (len > 0 && addr + n < addr) { /* beyond the last address there is nothing */
            count_unassigned(t, is_write);
            if (!is_write) {
                memset(p, 0xff, len);
            }
            return result | MEMTX_DECODE_ERROR;
        }
        addr += n;
    }
    return result;
}

MemTxResult address_space_read(AddressSpace *as, hwaddr addr, void *buf, uint64_t len)
{
    return address_space_rw(as, addr, buf, len, false);
}

MemTxResult address_space_write(AddressSpace *as, hwaddr addr, const void *buf, uint64_t len)
{
    return address_space_rw(as, addr, (void *)buf, len, true);
}

MemTxResult address_space_set(AddressSpace *as, hwaddr addr, uint8_t c, uint64_t len)
{
    MemTxResult result = MEMTX_OK;
    uint8_t fill[512];

    memset(fill, c, sizeof(fill));
    while (len > 0) {
        uint64_t n = MIN(len, sizeof(fill));

        result |= address_space_rw(as, addr, fill, n, true);
        len -= n;
        if (len > 0 && addr + n < addr) {
            return result | MEMTX_DECODE_ERROR;
        }
        addr += n;
    }
    return result;
}

/* ---- single accesses ---- */

static bool size_ok(unsigned size)
{
    return size == 1 || size == 2 || size == 4 || size == 8;
}

static G_GNUC_NO_INLINE MemTxResult ld_split(AddressSpace *as, hwaddr addr, unsigned size,
                                             uint64_t *value)
{
    MemTxResult result;

    *value = 0;
    result = address_space_rw(as, addr, value, size, false);
    *value = GUINT64_FROM_LE(*value);
    return result;
}

static G_GNUC_NO_INLINE MemTxResult st_split(AddressSpace *as, hwaddr addr, unsigned size,
                                             uint64_t value)
{
    value = GUINT64_TO_LE(value);
    return address_space_rw(as, addr, &value, size, true);
}

MemTxResult address_space_ld(AddressSpace *as, hwaddr addr, unsigned size, uint64_t *value)
{
    MemThread *t = mem_thread_self();
    const FlatRange *range;
    MemTxResult result;
    MemoryRegion *mr;
    MemoryGate *gate;
    hwaddr offset;

    if (!size_ok(size)) {
        *value = UINT64_MAX;
        return MEMTX_ACCESS_ERROR;
    }
    mem_rcu_read_lock();
    range = flatview_lookup(t, mem_rcu_dereference(&as->view), addr);
    if (G_UNLIKELY(range == NULL || size - 1 > range->last - addr)) {
        mem_rcu_read_unlock();
        return ld_split(as, addr, size, value);
    }
    offset = addr - range->first;
    if (range->flags & FLAT_READ_DIRECT) {
        *value = host_load(range->host + offset, size);
        mem_rcu_read_unlock();
        return MEMTX_OK;
    }
    mr = range->mr;
    gate = range->gate;
    offset += range->offset;
    gate_enter(gate);
    mem_rcu_read_unlock();
    result = region_read(t, mr, offset, size, value);
    gate_leave(gate);
    return result;
}

MemTxResult address_space_st(AddressSpace *as, hwaddr addr, unsigned size, uint64_t value)
{
    MemThread *t = mem_thread_self();
    const FlatRange *range;
    MemTxResult result;
    MemoryRegion *mr;
    MemoryGate *gate;
    hwaddr offset;

    if (!size_ok(size)) {
        return MEMTX_ACCESS_ERROR;
    }
    mem_rcu_read_lock();
    range = flatview_lookup(t, mem_rcu_dereference(&as->view), addr);
    if (G_UNLIKELY(range == NULL || size - 1 > range->last - addr)) {
        mem_rcu_read_unlock();
        return st_split(as, addr, size, value);
    }
    offset = addr - range->first;
    if (range->flags & FLAT_WRITE_DIRECT) {
        host_store(range->host + offset, size, value);
        mem_rcu_read_unlock();
        return MEMTX_OK;
    }
    mr = range->mr;
    gate = range->gate;
    offset += range->offset;
    if (range->ioeventfds != NULL &&
        ioeventfd_list_signal(range->ioeventfds, offset, size, value)) {
        mem_rcu_read_unlock();
        return MEMTX_OK;
    }
    gate_enter(gate);
    mem_rcu_read_unlock();
    result = region_write(t, mr, offset, size, value);
    gate_leave(gate);
    return result;
}

static uint64_t ld_result(AddressSpace *as, hwaddr addr, unsigned size, MemTxResult *result)
{
    uint64_t value;
    MemTxResult r = address_space_ld(as, addr, size, &value);

    if (result != NULL) {
        *result = r;
    }
    return value;
}

static void st_result(AddressSpace *as, hwaddr addr, unsigned size, uint64_t value,
                      MemTxResult *result)
{
    MemTxResult r = address_space_st(as, addr, size, value);

    if (result != NULL) {
        *result = r;
    }
}

uint64_t address_space_ldub(AddressSpace *as, hwaddr addr, MemTxResult *result)
{
    return ld_result(as, addr, 1, result);
}

uint64_t address_space_lduw_le(AddressSpace *as, hwaddr addr, MemTxResult *result)
{
    return ld_result(as, addr, 2, result);
}

uint64_t address_space_ldl_le(AddressSpace *as, hwaddr addr, MemTxResult *result)
{
    return ld_result(as, addr, 4, result);
}

uint64_t address_space_ldq_le(AddressSpace *as, hwaddr addr, MemTxResult *result)
{
    return ld_result(as, addr, 8, result);
}

void address_space_stb(AddressSpace *as, hwaddr addr, uint8_t value, MemTxResult *result)
{
    st_result(as, addr, 1, value, result);
}

void address_space_stw_le(AddressSpace *as, hwaddr addr, uint16_t value, MemTxResult *result)
{
    st_result(as, addr, 2, value, result);
}

void address_space_stl_le(AddressSpace *as, hwaddr addr, uint32_t value, MemTxResult *result)
{
    st_result(as, addr, 4, value, result);
}

void address_space_stq_le(AddressSpace *as, hwaddr addr, uint64_t value, MemTxResult *result)
{
    st_result(as, addr, 8, value, result);
}
