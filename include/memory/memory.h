/* SPDX-License-Identifier: GPL-2.0-or-later
 * The memory API: a tree of MemoryRegions seen by a master is an AddressSpace; a commit flattens
 * it into an immutable FlatView; readers look up ranges in it without a lock (liburcu); listeners
 * are told the difference. Names and meaning follow QEMU's documented memory API.
 *
 * Threads: topology calls (init, add/del subregion, set_*, transactions, listeners) take one
 * internal topology lock and may come from any thread, also from an I/O region's ops; accesses
 * (address_space_*) from any thread without a lock. An I/O region's ops run under the region's
 * MemoryLock if it has one, and outside any RCU read section: they may block as long as they like.
 *
 * Lock order: MemoryLocks, then the topology lock (held from the outermost transaction_begin to
 * its commit). So: inside a transaction or a listener take no device lock, access no I/O region,
 * and wait for no vCPU that might be inside a device.
 */
#pragma once

#include <glib-object.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct MemoryRegion MemoryRegion;
typedef struct AddressSpace AddressSpace;
typedef struct MemoryListener MemoryListener;
typedef uint64_t hwaddr;

/* Result of an access; bits may be ored when an access was split. */
typedef uint32_t MemTxResult;
enum {
    MEMTX_OK = 0,
    MEMTX_ERROR = 1,        /* the device refused */
    MEMTX_DECODE_ERROR = 2, /* nothing there: reads give all-ones, writes vanish */
    MEMTX_ACCESS_ERROR = 4, /* wrong size, read-only, or a device re-entered through its own DMA */
};

enum device_endian { DEVICE_NATIVE_ENDIAN, DEVICE_LITTLE_ENDIAN, DEVICE_BIG_ENDIAN };

/* A device's lock. The dispatcher takes it around the device's ops; timers, back-end callbacks and
 * other threads of the device take it too. An access that would take it again in the thread that
 * holds it, or that would close a circle of devices waiting for each other (A's DMA into B while
 * B's goes into A), is refused with MEMTX_ACCESS_ERROR and one trace line, never a deadlock.
 * memory_lock() itself cannot be refused: calling it twice in a thread aborts with a message.
 * (A pthread mutex, because the thread sanitizer cannot see inside GMutex.) */
typedef struct MemoryLock {
    pthread_mutex_t mutex;
    void *holder; /* identity of the thread inside, or NULL; internal */
} MemoryLock;

void memory_lock_init(MemoryLock *lock);
void memory_lock_destroy(MemoryLock *lock);
void memory_lock(MemoryLock *lock);
void memory_unlock(MemoryLock *lock);
bool memory_lock_held(const MemoryLock *lock); /* by this thread */

typedef struct {
    /* size is 1, 2, 4 or 8 and within impl; offset is relative to the region. */
    uint64_t (*read)(void *opaque, hwaddr offset, unsigned size);
    void (*write)(void *opaque, hwaddr offset, uint64_t value, unsigned size);
    /* (optional) instead of the pair above: report a result */
    MemTxResult (*read_with_result)(void *opaque, hwaddr offset, uint64_t *value, unsigned size);
    MemTxResult (*write_with_result)(void *opaque, hwaddr offset, uint64_t value, unsigned size);
    /* (optional pair) What is behind the region is memory, of somebody else: direct pointers to it
     * for address_space_map(), *len cut to what is contiguous there; NULL: not now. unmap gets a
     * pointer into what map gave; FALSE: it is none of this region's. At most 8 such regions. [any,
     * no lock held] */
    void *(*map)(void *opaque, hwaddr offset, uint64_t *len, bool is_write);
    bool (*unmap)(void *opaque, void *host, uint64_t len, bool is_write);
    enum device_endian endianness;
    struct { /* what a guest may do; outside it: MEMTX_ACCESS_ERROR. 0 = 1 and 4 */
        unsigned min_access_size, max_access_size;
        bool unaligned;
    } valid;
    struct { /* what the callbacks take; other sizes are split or widened. 0 = 1 and 4 */
        unsigned min_access_size, max_access_size;
        bool unaligned;
    } impl;
} MemoryRegionOps;

/* Body public so that devices can embed it; every field is internal to memory/. */
struct MemoryRegion {
    GObject *owner;
    char *name;
    uint64_t size; /* UINT64_MAX means 2^64 */
    hwaddr addr;   /* in container */
    int32_t priority;
    uint8_t kind;
    bool enabled, readonly, romd;
    uint64_t lent; /* RAM: so many bytes from its start are a guest's alone */
    bool shown;    /* was ever in a FlatView */
    const MemoryRegionOps *ops;
    void *opaque;
    MemoryLock *lock;
    struct MemoryGate *gate; /* what accesses write: see memory/gate.c */
    struct RAMBlock *ram_block;
    MemoryRegion *alias;
    hwaddr alias_offset;
    MemoryRegion *container;
    uint32_t child_index;            /* in container->children */
    struct MemoryChildren *children; /* see memory/tree.c */
    GPtrArray *aliases;              /* regions that are an alias of this one */
    GPtrArray *spaces;               /* address spaces whose root this is */
    struct IoeventfdList *ioeventfds;
};

/* ---- building the tree. owner may be NULL; it is referenced while a FlatView shows the region
 * and while an access is inside it, and the region must not be freed before
 * memory_region_destroy() returned. The last reference to an owner may so be dropped in a thread
 * that made an access or in liburcu's reclaim thread: an owner's finalize runs there then. ---- */
void memory_region_init(MemoryRegion *mr, GObject *owner, const char *name, uint64_t size);
void memory_region_init_io(MemoryRegion *mr, GObject *owner, const MemoryRegionOps *ops,
                           void *opaque, const char *name, uint64_t size);
void memory_region_init_alias(MemoryRegion *mr, GObject *owner, const char *name,
                              MemoryRegion *orig, hwaddr offset, uint64_t size);
/* memfd-backed, shared, zeroed; FALSE: HOST error. size is a multiple of the page size. */
bool memory_region_init_ram(MemoryRegion *mr, GObject *owner, const char *name, uint64_t size,
                            GError **error);
/* RAM that is the first size bytes of what fd (the caller's; duplicated) stands for. Not shared:
 * what is written to it stays out of the file, and memory_region_get_fd() is -1. */
bool memory_region_init_ram_fd(MemoryRegion *mr, GObject *owner, const char *name, uint64_t size,
                               int fd, bool shared, GError **error);
/* RAM that guests cannot write; the host fills it through memory_region_get_ram_ptr(). */
bool memory_region_init_rom(MemoryRegion *mr, GObject *owner, const char *name, uint64_t size,
                            GError **error);
/* RAM whose reads are direct and whose writes go to ops (flash). */
bool memory_region_init_rom_device(MemoryRegion *mr, GObject *owner, const MemoryRegionOps *ops,
                                   void *opaque, const char *name, uint64_t size, GError **error);
/* Existing host memory; borrowed until memory_region_destroy(). */
void memory_region_init_ram_ptr(MemoryRegion *mr, GObject *owner, const char *name, uint64_t size,
                                void *host);
/* Undoes init; on zeroed memory does nothing. The region is in no container, no address space's
 * root and no alias's target. Returns when no reader can see it, no access is inside it and no
 * address_space_map() of it is left. Any thread, also an owner's finalize, but not: inside a
 * transaction, from the region's own ops, or while holding the region's MemoryLock (an access that
 * waits for that lock would be waited for); the first two abort with a message. */
void memory_region_destroy(MemoryRegion *mr);

/* The lock the dispatcher takes around mr's ops; NULL: ops are safe from any thread. */
void memory_region_set_lock(MemoryRegion *mr, MemoryLock *lock);

void memory_region_add_subregion(MemoryRegion *mr, hwaddr offset, MemoryRegion *sub);
void memory_region_add_subregion_overlap(MemoryRegion *mr, hwaddr offset, MemoryRegion *sub,
                                         int priority);
void memory_region_del_subregion(MemoryRegion *mr, MemoryRegion *sub);
void memory_region_set_enabled(MemoryRegion *mr, bool enabled);
void memory_region_set_readonly(MemoryRegion *mr, bool readonly);
void memory_region_set_address(MemoryRegion *mr, hwaddr addr);
void memory_region_set_size(MemoryRegion *mr, uint64_t size);
void memory_region_set_alias_offset(MemoryRegion *mr, hwaddr offset);
void memory_region_rom_device_set_romd(MemoryRegion *mr, bool romd);
/* The first size bytes of RAM are not to be touched by the host while a guest has them to itself:
 * accesses give MEMTX_ACCESS_ERROR, address_space_map() gives NULL. Listeners are told as of a
 * section that goes and comes again, in two where only a part is lent. What was mapped before stays
 * mapped. 0 ends it. */
void memory_region_set_lent(MemoryRegion *mr, uint64_t size);

/* A guest write of size bytes (0: any) at offset, equal to data if match_data, signals fd instead
 * of reaching ops. fd stays the caller's. A device must still serve the write in its ops: it gets
 * it when no descriptor is left for the monitor's own duplicate, or the write was split. */
void memory_region_add_eventfd(MemoryRegion *mr, hwaddr offset, unsigned size, bool match_data,
                               uint64_t data, int fd);
void memory_region_del_eventfd(MemoryRegion *mr, hwaddr offset, unsigned size, bool match_data,
                               uint64_t data, int fd);
/* fd may be closed as soon as del_eventfd()'s transaction is committed: accesses use a duplicate.
 */

/* Nestable; topology changes take effect at the outermost commit. */
void memory_region_transaction_begin(void);
void memory_region_transaction_commit(void);

uint64_t memory_region_size(const MemoryRegion *mr);
const char *memory_region_name(const MemoryRegion *mr);
bool memory_region_is_ram(const MemoryRegion *mr);  /* RAM or ROM */
bool memory_region_is_romd(const MemoryRegion *mr); /* ROM device whose reads are direct now */
void *memory_region_get_ram_ptr(const MemoryRegion *mr);
int memory_region_get_fd(const MemoryRegion *mr); /* memfd of RAM, or -1 */

/* ---- address spaces ---- */
AddressSpace *address_space_new(MemoryRegion *root, const char *name);
/* Nobody uses as any more and its listeners are unregistered. */
void address_space_free(AddressSpace *as);

/* Bytes in guest memory order; split at range and access-size boundaries. On a read error the
 * bytes that could not be read are 0xff. */
MemTxResult address_space_read(AddressSpace *as, hwaddr addr, void *buf, uint64_t len);
MemTxResult address_space_write(AddressSpace *as, hwaddr addr, const void *buf, uint64_t len);
MemTxResult address_space_rw(AddressSpace *as, hwaddr addr, void *buf, uint64_t len, bool is_write);
MemTxResult address_space_set(AddressSpace *as, hwaddr addr, uint8_t c, uint64_t len);

/* One access of 1, 2, 4 or 8 bytes, value as a little-endian guest CPU sees it: the hot path that
 * the ioreq dispatcher uses. */
MemTxResult address_space_ld(AddressSpace *as, hwaddr addr, unsigned size, uint64_t *value);
MemTxResult address_space_st(AddressSpace *as, hwaddr addr, unsigned size, uint64_t value);

uint64_t address_space_ldl_le(AddressSpace *as, hwaddr addr, MemTxResult *result);
uint64_t address_space_ldq_le(AddressSpace *as, hwaddr addr, MemTxResult *result);
uint64_t address_space_lduw_le(AddressSpace *as, hwaddr addr, MemTxResult *result);
uint64_t address_space_ldub(AddressSpace *as, hwaddr addr, MemTxResult *result);
void address_space_stl_le(AddressSpace *as, hwaddr addr, uint32_t value, MemTxResult *result);
void address_space_stq_le(AddressSpace *as, hwaddr addr, uint64_t value, MemTxResult *result);
void address_space_stw_le(AddressSpace *as, hwaddr addr, uint16_t value, MemTxResult *result);
void address_space_stb(AddressSpace *as, hwaddr addr, uint8_t value, MemTxResult *result);

/* Direct pointer to guest RAM at addr, *len cut to what is contiguous; NULL where it is not RAM
 * (or is_write on ROM): use address_space_rw() then. Valid until address_space_unmap(); the owner
 * is referenced meanwhile. */
void *address_space_map(AddressSpace *as, hwaddr addr, uint64_t *len, bool is_write);
void address_space_unmap(AddressSpace *as, void *host, uint64_t len, bool is_write);

/* TRUE if [addr, addr+len) is all RAM (writable if is_write). */
bool address_space_access_valid(AddressSpace *as, hwaddr addr, uint64_t len, bool is_write);

/* ---- giving pages back ---- */

/* Gives the host the whole pages back that lie in [host, host + len) of RAM mapped by
 * address_space_map(): what they held is lost, they read as zero until they are written again.
 * Returns the bytes given back: 0 where that is inhibited or the host refuses. [any] */
uint64_t memory_discard(void *host, uint64_t len);
/* For who keeps pages of guest memory itself (an accelerator that pins them), from before it takes
 * them until it has let go of them. Counted. [any] */
void memory_discard_inhibit(void);
void memory_discard_allow(void);
bool memory_discard_is_inhibited(void);
/* For who can be asked to let go: fn is called with whole pages before they are given back, which
 * are kept when it says FALSE. One call at a time, none any more once it was replaced. NULL: nobody
 * is asked. One at most. [main] */
typedef bool (*MemoryDiscardFn)(void *opaque, void *host, uint64_t len);
void memory_discard_set_gate(MemoryDiscardFn fn, void *opaque);

/* ---- listeners ---- */
typedef struct {
    MemoryRegion *mr;
    AddressSpace *as;
    hwaddr offset_within_region;
    hwaddr offset_within_address_space;
    uint64_t size; /* UINT64_MAX means 2^64 */
    bool readonly; /* writes must not go to memory: ROM, or a ROM device in romd mode */
} MemoryRegionSection;

/* All optional. Called with the topology lock held, in the thread that commits, and only when the
 * listener's address space changed: begin, eventfd_del, region_del (listeners from high to low
 * priority), the new view is published, region_add and region_nop (from low to high), eventfd_add,
 * commit. Unchanged sections are told as region_nop only. A section lives during the call. */
struct MemoryListener {
    const char *name;
    int priority; /* lower is told first about additions, last about deletions */
    void (*begin)(MemoryListener *l);
    void (*commit)(MemoryListener *l);
    void (*region_add)(MemoryListener *l, const MemoryRegionSection *section);
    void (*region_del)(MemoryListener *l, const MemoryRegionSection *section);
    void (*region_nop)(MemoryListener *l, const MemoryRegionSection *section);
    void (*eventfd_add)(MemoryListener *l, const MemoryRegionSection *section, bool match_data,
                        uint64_t data, int fd);
    void (*eventfd_del)(MemoryListener *l, const MemoryRegionSection *section, bool match_data,
                        uint64_t data, int fd);
    AddressSpace *as; /* set by register */
};
void memory_listener_register(MemoryListener *listener, AddressSpace *as);
void memory_listener_unregister(MemoryListener *listener);

/* ---- looking ---- */

/* The RAM section or I/O range at addr in the current view; FALSE if nothing is there. The owner
 * is not referenced: only for callers that know the topology is still. */
bool memory_region_find(AddressSpace *as, hwaddr addr, MemoryRegionSection *section);

/* The tree and the flat view of every address space, as `info mtree` prints them. */
void memory_print_tree(GString *out, bool flat);

/* Counters of an I/O region where an address space shows it. */
typedef struct {
    const char *name;
    hwaddr addr;
    uint64_t size;
    uint64_t accesses;   /* of the whole region, since it was made */
    unsigned ioeventfds; /* writes that signal an eventfd instead */
    uint64_t rings;      /* those that came as accesses; a kernel's own are not seen */
} MemoryRegionStats;
/* Calls fn for each range in ascending order, with the topology lock held: fn changes nothing. */
void memory_foreach_io(AddressSpace *as, void (*fn)(const MemoryRegionStats *stats, void *opaque),
                       void *opaque);

/* Number of accesses that hit nothing, since start, for statistics. */
uint64_t memory_unassigned_reads(void);
uint64_t memory_unassigned_writes(void);

/* Waits until every view retired so far is freed and the references it held are dropped. Not from
 * transactions, listeners or finalizers, nor from ops of a device that another device's finalizer
 * waits for. For orderly shutdown and tests. */
void memory_drain(void);

/* Every thread that does accesses needs this once before and once after (liburcu memb). A thread
 * that forgets is registered at its first access and unregistered when it ends. */
void memory_thread_register(void);
void memory_thread_unregister(void);
