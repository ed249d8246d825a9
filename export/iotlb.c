/* SPDX-License-Identifier: GPL-2.0-or-later
 * See iotlb.h. What the kernel says of a region is checked here, once; a region ends anywhere, not
 * only at a page's end. The bounce buffer is one region that stays; rings have small ones of their
 * own.
 */
#include "iotlb.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bus-guard.h"
#include "util/error.h"
#include "util/trace.h"

enum { MAX_REGIONS = 4096 };

typedef struct {
    MemoryRegion mr;
    uint64_t start, last;
    uint8_t *map; /* from a page's start on */
    uint64_t map_len;
    bool readonly, revoked;
} Region;

struct Iotlb {
    const VduseNode *node;
    int wake_fd;
    gint torn; /* atomic */
    MemoryRegion root;
    AddressSpace *as;
    pthread_mutex_t reap_lock; /* who waits for requests; before lock */
    pthread_mutex_t lock;      /* what follows */
    GPtrArray *live;           /* of Region: few, searched linearly */
    GPtrArray *dropped;
};

Iotlb *iotlb_new(const VduseNode *node, int wake_fd)
{
    Iotlb *tlb = g_new0(Iotlb, 1);

    tlb->node = node;
    tlb->wake_fd = wake_fd;
    memory_region_init(&tlb->root, NULL, "vduse-iova", UINT64_MAX);
    tlb->as = address_space_new(&tlb->root, node->name);
    pthread_mutex_init(&tlb->reap_lock, NULL);
    pthread_mutex_init(&tlb->lock, NULL);
    tlb->live = g_ptr_array_new();
    tlb->dropped = g_ptr_array_new();
    return tlb;
}

void iotlb_free(Iotlb *tlb)
{
    if (tlb == NULL) {
        return;
    }
    iotlb_drop(tlb, 0, UINT64_MAX);
    iotlb_reap(tlb);
    address_space_free(tlb->as);
    memory_region_destroy(&tlb->root);
    g_ptr_array_unref(tlb->live);
    g_ptr_array_unref(tlb->dropped);
    pthread_mutex_destroy(&tlb->lock);
    pthread_mutex_destroy(&tlb->reap_lock);
    g_free(tlb);
}

AddressSpace *iotlb_space(Iotlb *tlb)
{
    return tlb->as;
}

bool iotlb_was_torn(Iotlb *tlb)
{
    return g_atomic_int_compare_and_exchange(&tlb->torn, 1, 0);
}

unsigned iotlb_regions(Iotlb *tlb)
{
    unsigned n;

    pthread_mutex_lock(&tlb->lock);
    n = tlb->live->len;
    pthread_mutex_unlock(&tlb->lock);
    return n;
}

/* [lock] The live one at addr, or NULL. */
static Region *find(Iotlb *tlb, uint64_t addr)
{
    for (unsigned i = 0; i < tlb->live->len; i++) {
        Region *r = g_ptr_array_index(tlb->live, i);

        if (r->start <= addr && addr <= r->last) {
            return r;
        }
    }
    return NULL;
}

/* [lock] */
static void drop(Iotlb *tlb, uint64_t start, uint64_t last)
{
    memory_region_transaction_begin();
    for (unsigned i = tlb->live->len; i-- > 0;) {
        Region *r = g_ptr_array_index(tlb->live, i);

        if (r->start <= last && start <= r->last) {
            memory_region_del_subregion(&tlb->root, &r->mr);
            g_ptr_array_remove_index_fast(tlb->live, i);
            g_ptr_array_add(tlb->dropped, r);
        }
    }
    memory_region_transaction_commit();
}

void iotlb_drop(Iotlb *tlb, uint64_t start, uint64_t last)
{
    pthread_mutex_lock(&tlb->lock);
    drop(tlb, start, last);
    pthread_mutex_unlock(&tlb->lock);
}

void iotlb_reap(Iotlb *tlb)
{
    pthread_mutex_lock(&tlb->reap_lock);
    while (true) {
        Region *r = NULL;

        pthread_mutex_lock(&tlb->lock);
        if (tlb->dropped->len > 0) {
            r = g_ptr_array_index(tlb->dropped, 0);
        }
        pthread_mutex_unlock(&tlb->lock);
        if (r == NULL) {
            break;
        }
        memory_region_destroy(&r->mr); /* waits for requests; iotlb_revoke() may look at r now */
        pthread_mutex_lock(&tlb->lock);
        g_ptr_array_remove(tlb->dropped, r);
        pthread_mutex_unlock(&tlb->lock);
        bus_guard_remove(r->map);
        vduse_node_unmap(r->map, r->map_len);
        g_free(r);
    }
    pthread_mutex_unlock(&tlb->reap_lock);
}

void iotlb_revoke(Iotlb *tlb)
{
    pthread_mutex_lock(&tlb->lock);
    for (unsigned i = 0; i < tlb->dropped->len; i++) {
        Region *r = g_ptr_array_index(tlb->dropped, i);

        if (!r->revoked &&
            mmap(r->map, r->map_len, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED) {
            g_warning("VDUSE device '%s': cannot take the driver's memory away: %s",
                      tlb->node->name, g_strerror(errno));
        } else {
            r->revoked = true;
        }
    }
    pthread_mutex_unlock(&tlb->lock);
}

/* ---- mapping ---- */

/* What the kernel says of the region around addr: NULL, or what is wrong with it. */
static const char *check_entry(const struct vduse_iotlb_entry *e, uint64_t addr)
{
    if (e->start > addr || e->last < addr) {
        return "is not around it";
    }
    if (e->last - e->start >= INT64_MAX || e->offset > INT64_MAX - (e->last - e->start) - 1) {
        return "is too large";
    }
    if (e->perm < VDUSE_ACCESS_RO || e->perm > VDUSE_ACCESS_RW) {
        return "has no valid permissions";
    }
    return NULL;
}

/* [lock] */
static Region *map_region(Iotlb *tlb, const struct vduse_iotlb_entry *e, int fd, GError **error)
{
    uint64_t size = e->last - e->start + 1;
    uint64_t lead = e->offset % sysconf(_SC_PAGESIZE);
    int prot = ((e->perm & VDUSE_ACCESS_RO) != 0 ? PROT_READ : 0) |
               ((e->perm & VDUSE_ACCESS_WO) != 0 ? PROT_WRITE : 0);
    void *map = vduse_node_map(fd, size + lead, prot, e->offset - lead);
    Region *r;

    if (map == MAP_FAILED) {
        error_set_errno(error, errno, "cannot map %" G_GUINT64_FORMAT " bytes", size);
        return NULL;
    }
    if (!bus_guard_add(map, size + lead, &tlb->torn, tlb->wake_fd)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST, "too many regions are mapped");
        vduse_node_unmap(map, size + lead);
        return NULL;
    }
    r = g_new0(Region, 1);
    r->start = e->start;
    r->last = e->last;
    r->map = map;
    r->map_len = size + lead;
    r->readonly = e->perm == VDUSE_ACCESS_RO;
    memory_region_init_ram_ptr(&r->mr, NULL, "vduse-region", size, r->map + lead);
    if (r->readonly) {
        memory_region_set_readonly(&r->mr, true);
    }
    return r;
}

/* [lock] */
static bool fault_in(Iotlb *tlb, uint64_t addr, GError **error)
{
    struct vduse_iotlb_entry e;
    g_auto(Fd) fd = -1;
    const char *wrong;
    Region *r;

    if (tlb->live->len + tlb->dropped->len >= MAX_REGIONS) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST, "there are %u regions already",
                    MAX_REGIONS);
        return false;
    }
    /* Under the lock: a region that goes meanwhile is dropped after it is there. */
    fd = vduse_node_iotlb_fd(tlb->node, addr, &e, error);
    if (fd < 0) {
        return false;
    }
    wrong = check_entry(&e, addr);
    if (wrong != NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST,
                    "VDUSE device '%s': the region that the kernel names %s", tlb->node->name,
                    wrong);
        return false;
    }
    r = map_region(tlb, &e, fd, error);
    if (r == NULL) {
        return false;
    }
    drop(tlb, r->start, r->last); /* an older idea of the same memory */
    memory_region_add_subregion(&tlb->root, r->start, &r->mr);
    g_ptr_array_add(tlb->live, r);
    TRACE(vduse_map, "%s 0x%" G_GINT64_MODIFIER "x-0x%" G_GINT64_MODIFIER "x perm %u",
          tlb->node->name, r->start, r->last, e.perm);
    return true;
}

bool iotlb_fault(Iotlb *tlb, uint64_t addr, bool is_write)
{
    g_autoptr(GError) error = NULL;
    Region *r;
    bool ok;

    pthread_mutex_lock(&tlb->lock);
    r = find(tlb, addr);
    if (r == NULL && fault_in(tlb, addr, &error)) {
        r = find(tlb, addr);
    }
    ok = r != NULL && !(is_write && r->readonly);
    pthread_mutex_unlock(&tlb->lock);
    if (error != NULL) {
        g_debug("VDUSE: address 0x%" G_GINT64_MODIFIER "x: %s", addr, error->message);
    }
    return ok;
}
