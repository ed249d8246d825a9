/* SPDX-License-Identifier: GPL-2.0-or-later
 * One access to one I/O region: may the guest do it (ops->valid), and what does the device get to
 * see (ops->impl, endianness). The region is entered already (gate.c) and no RCU read section is
 * open, so ops may block, do DMA and change the topology.
 *
 * An access that impl cannot take as it is becomes, in ascending order, the fewest aligned accesses
 * of sizes that impl has and that touch nothing but what the guest asked for. Bytes too few for
 * impl's smallest size take one access of that size: a read drops what it did not want; a write has
 * zeros in the other lanes, and the device is not read to fill them, as reads may have side
 * effects.
 */
#include "memory-priv.h"
#include "util/trace.h"

typedef struct {
    hwaddr at;      /* where the device is accessed */
    unsigned width; /* how wide */
    unsigned lane;  /* the first byte of it that counts */
    unsigned n;     /* how many bytes count */
} Piece;

static inline uint64_t size_mask(unsigned size)
{
    return UINT64_MAX >> (64 - size * 8);
}

static inline unsigned pow2_floor(uint64_t n)
{
    return 1u << (31 - __builtin_clz((unsigned)n));
}

static uint64_t swap_bytes(uint64_t value, unsigned size)
{
    return GUINT64_SWAP_LE_BE(value) >> (64 - size * 8);
}

static inline bool swapped(const MemoryRegionOps *ops)
{
    return ops->endianness == DEVICE_BIG_ENDIAN; /* native is the guest's: little */
}

static inline bool size_within(unsigned size, unsigned min, unsigned max)
{
    return size >= min && size <= (max != 0 ? max : 4);
}

static inline bool access_valid(const MemoryRegionOps *ops, hwaddr offset, unsigned size)
{
    return size_within(size, ops->valid.min_access_size, ops->valid.max_access_size) &&
           (ops->valid.unaligned || (offset & (size - 1)) == 0);
}

static inline bool access_direct(const MemoryRegionOps *ops, hwaddr offset, unsigned size)
{
    return size_within(size, ops->impl.min_access_size, ops->impl.max_access_size) &&
           (ops->impl.unaligned || (offset & (size - 1)) == 0);
}

unsigned region_access_size(const MemoryRegion *mr, hwaddr offset, uint64_t len)
{
    unsigned max = mr->ops->valid.max_access_size ?: 4;
    unsigned size = pow2_floor(MIN(len, max));

    if (!mr->ops->valid.unaligned && offset != 0) {
        size = MIN(size, offset & -offset);
    }
    return size;
}

static Piece next_piece(const MemoryRegionOps *ops, hwaddr offset, unsigned left)
{
    unsigned min = ops->impl.min_access_size ?: 1, max = ops->impl.max_access_size ?: 4;
    unsigned width = pow2_floor(MIN(left, max));
    Piece p;

    if (!ops->impl.unaligned && offset != 0) {
        width = MIN(width, offset & -offset);
    }
    if (width >= min) {
        return (Piece){ .at = offset, .width = width, .lane = 0, .n = width };
    }
    p.at = offset & ~(hwaddr)(min - 1);
    p.width = min;
    p.lane = offset - p.at;
    p.n = MIN(left, min - p.lane);
    return p;
}

/* ---- entering the device ---- */

static bool inside_already(const MemThread *t, const MemoryRegion *mr)
{
    for (unsigned i = 0; i < t->depth; i++) {
        if (t->inside[i] == mr) {
            return true;
        }
    }
    return false;
}

static bool region_enter(MemThread *t, MemoryRegion *mr)
{
    if (G_UNLIKELY(t->depth > 0)) {
        if (t->depth == MEM_MAX_DEPTH || inside_already(t, mr)) {
            return false;
        }
    }
    if (mr->lock != NULL && !mem_lock_enter(t, mr->lock)) {
        return false;
    }
    t->inside[t->depth++] = mr;
    return true;
}

static void region_leave(MemThread *t, MemoryLock *lock)
{
    t->depth--;
    if (lock != NULL) {
        mem_lock_leave(t, lock);
    }
}

static MemTxResult refuse_reentry(const MemoryRegion *mr, hwaddr offset)
{
    g_debug("memory: access to '%s' at offset 0x%" G_GINT64_MODIFIER
            "x refused: a device re-entered by its own DMA",
            mr->name, offset);
    return MEMTX_ACCESS_ERROR;
}

static inline void count_access(MemoryGate *gate)
{
    /* Not one atomic add: the number is for statistics, the line is owned already. */
    __atomic_store_n(&gate->access_count,
                     __atomic_load_n(&gate->access_count, __ATOMIC_RELAXED) + 1, __ATOMIC_RELAXED);
}

/* ---- one call of ops ---- */

static inline MemTxResult call_read(const MemoryRegion *mr, hwaddr offset, unsigned size,
                                    uint64_t *value)
{
    const MemoryRegionOps *ops = mr->ops;
    MemTxResult result = MEMTX_OK;

    if (ops->read != NULL) {
        *value = ops->read(mr->opaque, offset, size);
    } else if (ops->read_with_result != NULL) {
        *value = 0;
        result = ops->read_with_result(mr->opaque, offset, value, size);
    } else {
        result = MEMTX_ACCESS_ERROR;
    }
    if (result != MEMTX_OK) {
        *value = UINT64_MAX;
    } else if (swapped(ops)) {
        *value = swap_bytes(*value, size);
    }
    *value &= size_mask(size);
    return result;
}

static inline MemTxResult call_write(const MemoryRegion *mr, hwaddr offset, unsigned size,
                                     uint64_t value)
{
    const MemoryRegionOps *ops = mr->ops;

    value &= size_mask(size);
    if (swapped(ops)) {
        value = swap_bytes(value, size);
    }
    if (ops->write != NULL) {
        ops->write(mr->opaque, offset, value, size);
        return MEMTX_OK;
    }
    if (ops->write_with_result != NULL) {
        return ops->write_with_result(mr->opaque, offset, value, size);
    }
    return MEMTX_ACCESS_ERROR;
}

static MemTxResult read_pieces(const MemoryRegion *mr, hwaddr offset, unsigned size,
                               uint64_t *value)
{
    MemTxResult result = MEMTX_OK;
    unsigned done = 0;

    *value = 0;
    while (done < size) {
        Piece p = next_piece(mr->ops, offset + done, size - done);
        uint64_t part;

        result |= call_read(mr, p.at, p.width, &part);
        part = (part >> p.lane * 8) & size_mask(p.n);
        *value |= part << done * 8;
        done += p.n;
    }
    return result;
}

static MemTxResult write_pieces(const MemoryRegion *mr, hwaddr offset, unsigned size,
                                uint64_t value)
{
    MemTxResult result = MEMTX_OK;
    unsigned done = 0;

    while (done < size) {
        Piece p = next_piece(mr->ops, offset + done, size - done);
        uint64_t part = (value >> done * 8) & size_mask(p.n);

        result |= call_write(mr, p.at, p.width, part << p.lane * 8);
        done += p.n;
    }
    return result;
}

MemTxResult region_read(MemThread *t, MemoryRegion *mr, hwaddr offset, unsigned size,
                        uint64_t *value)
{
    MemoryLock *lock = mr->lock;
    MemTxResult result;

    *value = size_mask(size);
    if (mr->ops == NULL || !access_valid(mr->ops, offset, size)) {
        return MEMTX_ACCESS_ERROR;
    }
    if (!region_enter(t, mr)) {
        return refuse_reentry(mr, offset);
    }
    count_access(mr->gate);
    if (G_LIKELY(access_direct(mr->ops, offset, size))) {
        result = call_read(mr, offset, size, value);
    } else {
        result = read_pieces(mr, offset, size, value);
    }
    TRACE(memory_region_ops_read,
          "%s offset 0x%" G_GINT64_MODIFIER "x value 0x%" G_GINT64_MODIFIER "x size %u", mr->name,
          offset, *value, size);
    region_leave(t, lock);
    return result;
}

MemTxResult region_write(MemThread *t, MemoryRegion *mr, hwaddr offset, unsigned size,
                         uint64_t value)
{
    MemoryLock *lock = mr->lock;
    MemTxResult result;

    if (mr->ops == NULL || !access_valid(mr->ops, offset, size)) {
        return MEMTX_ACCESS_ERROR;
    }
    if (!region_enter(t, mr)) {
        return refuse_reentry(mr, offset);
    }
    count_access(mr->gate);
    TRACE(memory_region_ops_write,
          "%s offset 0x%" G_GINT64_MODIFIER "x value 0x%" G_GINT64_MODIFIER "x size %u", mr->name,
          offset, value, size);
    if (G_LIKELY(access_direct(mr->ops, offset, size))) {
        result = call_write(mr, offset, size, value);
    } else {
        result = write_pieces(mr, offset, size, value);
    }
    region_leave(t, lock);
    return result;
}
