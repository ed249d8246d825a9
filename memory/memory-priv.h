/* SPDX-License-Identifier: GPL-2.0-or-later
 * Shared inside memory/ only. Grouped by the file that defines things, bottom-up.
 *
 * Locks, in order of taking: MemoryLock.mutex (devices'), the topology lock (tree.c), and below it
 * the leaf mutexes of gate.c, lock.c, ram.c and thread.c, under which nothing else is taken.
 */
#pragma once

#include "memory/memory.h"
#include "rcu.h"

typedef __int128 Int128; /* addresses below 0 and above 2^64 appear while aliases are resolved */

/* ---- thread.c: what each thread keeps for its accesses ---- */
enum {
    MEM_CACHE_BITS = 7, /* last hits, see flatview_lookup() */
    MEM_MAX_DEPTH = 16, /* accesses made from inside accesses */
};

typedef struct {
    uint64_t generation;
    const struct FlatRange *range;
} MemCacheEntry;

typedef struct MemThread {
    bool registered;
    bool adopted;    /* liburcu registered it by itself */
    unsigned depth;  /* regions this thread is inside through accesses */
    unsigned n_held; /* MemoryLocks */
    const MemoryRegion *inside[MEM_MAX_DEPTH];
    MemCacheEntry cache[1 << MEM_CACHE_BITS];
    uint64_t unassigned_reads, unassigned_writes; /* relaxed, read by others */
    struct MemThread *next, **prev;               /* registered threads */
} MemThread;

extern _Thread_local MemThread mem_thread;
void mem_thread_register_self(void);
/* For liburcu's reclaim thread: twice in liburcu's list would be once too many. */
void mem_thread_adopt_self(void);

static inline MemThread *mem_thread_self(void)
{
    if (G_UNLIKELY(!mem_thread.registered)) {
        mem_thread_register_self();
    }
    return &mem_thread;
}

/* ---- defer.c ---- */
typedef struct MemDeferred {
    struct rcu_head rcu;
    void (*fn)(struct MemDeferred *deferred);
} MemDeferred;

/* Calls fn in liburcu's reclaim thread when no read section that is open now is left; in the order
 * of these calls. */
void mem_defer(MemDeferred *deferred, void (*fn)(MemDeferred *deferred));

/* ---- lock.c ---- */
/* FALSE: refused, because t holds it or would wait in a circle. */
bool mem_lock_enter(MemThread *t, MemoryLock *lock);
void mem_lock_leave(MemThread *t, MemoryLock *lock);

/* ---- gate.c: who is inside a region ---- */
typedef struct MemoryGate {
    MemDeferred deferred;
    uint32_t state; /* accesses and maps inside; GATE_SLOW: leave through the mutex */
    uint32_t owed;  /* owner references to drop when the last one leaves */
    GObject *owner;
    uint64_t access_count;
} MemoryGate;

enum { GATE_SLOW = 1u << 31 };

MemoryGate *gate_new(GObject *owner);
/* Frees it behind every view retired so far, as those may name it. */
void gate_retire(MemoryGate *gate);
void gate_leave_slow(MemoryGate *gate);
void gate_wait_empty(MemoryGate *gate);
/* Drops one reference to the owner: now, or when the accesses inside have left. */
void gate_drop_owner(MemoryGate *gate);

/* In a read section that found the region, or already inside. */
static inline void gate_enter(MemoryGate *gate)
{
    __atomic_fetch_add(&gate->state, 1, __ATOMIC_ACQUIRE);
}

/* After this the region may be gone. */
static inline void gate_leave(MemoryGate *gate)
{
    uint32_t state = __atomic_load_n(&gate->state, __ATOMIC_RELAXED);

    do {
        if (G_UNLIKELY(state & GATE_SLOW)) {
            gate_leave_slow(gate);
            return;
        }
    } while (!__atomic_compare_exchange_n(&gate->state, &state, state - 1, true, __ATOMIC_RELEASE,
                                          __ATOMIC_RELAXED));
}

/* ---- ram.c ---- */
typedef struct RAMBlock {
    MemDeferred deferred;
    MemoryGate *gate;
    uint8_t *host;
    uint64_t size;
    int fd;
    bool borrowed; /* host is the caller's */
} RAMBlock;

RAMBlock *ram_block_new(MemoryRegion *mr, GError **error);
RAMBlock *ram_block_new_fd(MemoryRegion *mr, int fd, bool shared, GError **error);
RAMBlock *ram_block_new_borrowed(MemoryRegion *mr, void *host);
/* In a read section. */
/* map.c: regions whose ops map; [topology lock for add] */
void mapper_add(MemoryRegion *mr);
void mapper_remove(MemoryRegion *mr);

const RAMBlock *ram_block_of_host(const void *host);
void ram_block_free(RAMBlock *block);

/* ---- ioeventfd.c ---- */
typedef struct Ioeventfd {
    uint32_t refs;
    hwaddr offset;
    unsigned size;
    bool match_data;
    uint64_t data;
    int fd;         /* the caller's: what listeners are told */
    int own_fd;     /* our duplicate: what accesses write; -1 if there was none to be had */
    uint64_t rings; /* times that an access here signalled it */
} Ioeventfd;

/* Immutable, sorted by offset; replaced as a whole. */
typedef struct IoeventfdList {
    uint32_t refs;
    unsigned n;
    Ioeventfd *entries[];
} IoeventfdList;

Ioeventfd *ioeventfd_ref(Ioeventfd *e);
IoeventfdList *ioeventfd_list_ref(IoeventfdList *list);
void ioeventfd_list_unref(IoeventfdList *list);
/* TRUE: somebody waits for this write and was signalled. */
bool ioeventfd_list_signal(const IoeventfdList *list, hwaddr offset, unsigned size, uint64_t value);

/* An ioeventfd where an address space shows it. */
typedef struct {
    hwaddr addr;
    MemoryRegion *mr;
    Ioeventfd *e; /* referenced */
} SpaceEventfd;

GArray *space_eventfds_new(void); /* lets go of what is removed */

/* ---- region.c ---- */
enum { REGION_CONTAINER = 1, REGION_IO, REGION_RAM, REGION_ROM_DEVICE, REGION_ALIAS };

/* Last offset; only for size != 0. */
static inline uint64_t region_last(const MemoryRegion *mr)
{
    return mr->size == UINT64_MAX ? UINT64_MAX : mr->size - 1;
}

/* ---- flatview.c ---- */
enum {
    FLAT_READ_DIRECT = 1,  /* loads go to host */
    FLAT_WRITE_DIRECT = 2, /* stores go to host */
    FLAT_READONLY = 4,
};

typedef struct FlatRange {
    hwaddr first, last;
    MemoryRegion *mr;          /* valid in a read section, or after gate_enter() in one */
    hwaddr offset;             /* of first, in mr */
    uint8_t *host;             /* of first, or NULL */
    MemoryGate *gate;          /* mr's; valid until the last view with this range is freed */
    IoeventfdList *ioeventfds; /* referenced, or NULL */
    uint32_t flags;
    bool owned; /* holds a reference on gate->owner */
} FlatRange;

typedef struct FlatView {
    uint64_t generation; /* never used twice, so a cached range cannot be taken for another's */
    size_t n, room;
    FlatRange ranges[];
} FlatView;

/* Ranges [first, end) of a view. */
typedef struct {
    size_t first, end;
} FlatSlice;

FlatView *flatview_new(size_t room);
void flatview_free(FlatView *view);
/* While a view is built: a new last range, and many copied. */
FlatRange *flatview_append(FlatView **view);
void flatview_append_copy(FlatView **view, const FlatRange *ranges, size_t n);
/* Index of the first range whose last is >= addr. */
size_t flatview_search(const FlatView *view, hwaddr addr);
bool flat_range_same(const FlatRange *a, const FlatRange *b);
void flat_range_acquire(FlatRange *range);
/* Frees view after a grace period and releases what the ranges in slices hold; the other ranges
 * live on in the view's successor. Not in a read section. */
void flatview_retire(FlatView *view, const FlatSlice *slices, size_t n_slices);

/* Devices are 512 bytes or a power of two above that apart: a product spreads all of these. */
static inline unsigned mem_cache_slot(hwaddr addr)
{
    return (uint32_t)(addr >> 9) * 0x9e3779b1u >> (32 - MEM_CACHE_BITS);
}

static inline const FlatRange *flatview_lookup(MemThread *t, const FlatView *view, hwaddr addr)
{
    MemCacheEntry *hit = &t->cache[mem_cache_slot(addr)];
    size_t i;

    if (hit->generation == view->generation &&
        addr - hit->range->first <= hit->range->last - hit->range->first) {
        return hit->range;
    }
    i = flatview_search(view, addr);
    if (i == view->n || view->ranges[i].first > addr) {
        return NULL;
    }
    hit->generation = view->generation;
    hit->range = &view->ranges[i];
    return hit->range;
}

/* ---- address-space.c ---- */
enum { SPACE_MAX_DIRTY = 4 };

typedef struct {
    hwaddr first, last;
} AddrWindow;

struct AddressSpace {
    FlatView *view; /* RCU */
    /* the rest under the topology lock */
    char *name;
    MemoryRegion *root;
    GList *listeners; /* by ascending priority */
    GArray *eventfds; /* SpaceEventfd, by addr */
    AddrWindow dirty[SPACE_MAX_DIRTY];
    unsigned n_dirty;
};

/* ---- tree.c ---- */
extern GPtrArray *memory_spaces; /* every AddressSpace */
void topology_lock(void);
void topology_unlock(void);
unsigned topology_depth(void); /* of transactions and commits of the caller, who holds the lock */

typedef struct {
    hwaddr addr;
    uint64_t last;    /* in container; saturated */
    MemoryRegion *mr; /* NULL: removed, gone with the next tidy */
    int32_t priority;
} MemoryChild;

/* In painting order, lowest first; what was appended since is sorted in by children_tidy(). */
typedef struct MemoryChildren {
    MemoryChild *v;
    uint32_t n, room, n_removed;
    bool unsorted;
} MemoryChildren;

void children_tidy(MemoryRegion *mr);
/* What [first, last] of mr shows in any address space must be rendered again. */
void tree_mark(MemoryRegion *mr, uint64_t first, uint64_t last);
void tree_mark_all(MemoryRegion *mr);

/* ---- render.c ---- */
/* Appends what [window] of as's tree shows now to *view; the ranges are not acquired. */
void render_window(AddressSpace *as, AddrWindow window, FlatView **view);

/* ---- commit.c ---- */
void commit_spaces(void);

/* ---- listener.c ---- */
void section_from_range(AddressSpace *as, const FlatRange *range, MemoryRegionSection *section);
void listener_tell_eventfd(MemoryListener *l, AddressSpace *as, const SpaceEventfd *e, bool add);

/* ---- access.c ---- */
/* One access of 1, 2, 4 or 8 bytes inside the region; the gate is entered. value as a little-endian
 * CPU sees it. */
MemTxResult region_read(MemThread *t, MemoryRegion *mr, hwaddr offset, unsigned size,
                        uint64_t *value);
MemTxResult region_write(MemThread *t, MemoryRegion *mr, hwaddr offset, unsigned size,
                         uint64_t value);
/* Largest size of one access at offset with len bytes left. */
unsigned region_access_size(const MemoryRegion *mr, hwaddr offset, uint64_t len);
