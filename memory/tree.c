/* SPDX-License-Identifier: GPL-2.0-or-later
 * The tree's shape: the topology lock and transactions, the children of a container, and which
 * address ranges a change makes dirty. Nothing is rendered here (render.c) and no listener is told
 * (commit.c).
 *
 * Adding, moving and removing a child take constant time; what is out of order is put in order once
 * per commit, so building a container of n children in one transaction is linear for n children
 * added in painting order and n log n otherwise.
 */
#include "memory-priv.h"

GPtrArray *memory_spaces;

static pthread_mutex_t topology_mutex;
static pthread_once_t topology_once = PTHREAD_ONCE_INIT;
static unsigned depth; /* under topology_mutex */
static bool committing;

static void topology_make(void)
{
    pthread_mutexattr_t attr;

    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&topology_mutex, &attr);
    pthread_mutexattr_destroy(&attr);
    memory_spaces = g_ptr_array_new();
}

void topology_lock(void)
{
    pthread_once(&topology_once, topology_make);
    pthread_mutex_lock(&topology_mutex);
}

void topology_unlock(void)
{
    pthread_mutex_unlock(&topology_mutex);
}

unsigned topology_depth(void)
{
    return depth + committing;
}

void memory_region_transaction_begin(void)
{
    topology_lock();
    depth++;
}

void memory_region_transaction_commit(void)
{
    g_assert(depth > 0);
    /* A listener that changes the topology only adds to what the commit under way goes on with. */
    if (--depth == 0 && !committing) {
        committing = true;
        commit_spaces();
        committing = false;
    }
    topology_unlock();
}

/* ---- what a change makes dirty ---- */

static void space_mark(AddressSpace *as, AddrWindow w)
{
    AddrWindow *nearest = NULL;
    uint64_t nearest_gap = UINT64_MAX;

    for (unsigned i = 0; i < as->n_dirty; i++) {
        AddrWindow *d = &as->dirty[i];
        uint64_t gap = w.first > d->last   ? w.first - d->last
                       : d->first > w.last ? d->first - w.last
                                           : 0;

        if (nearest == NULL || gap < nearest_gap) {
            nearest = d;
            nearest_gap = gap;
        }
    }
    if (nearest != NULL && (nearest_gap <= 1 || as->n_dirty == SPACE_MAX_DIRTY)) {
        nearest->first = MIN(nearest->first, w.first);
        nearest->last = MAX(nearest->last, w.last);
        return;
    }
    as->dirty[as->n_dirty++] = w;
}

static void mark_depth(MemoryRegion *mr, uint64_t first, uint64_t last, unsigned level)
{
    if (!mr->enabled || mr->size == 0 || first > region_last(mr)) {
        return;
    }
    if (level > 256) {
        g_error("memory: region '%s' contains itself", mr->name);
    }
    last = MIN(last, region_last(mr));
    for (unsigned i = 0; mr->spaces != NULL && i < mr->spaces->len; i++) {
        space_mark(mr->spaces->pdata[i], (AddrWindow){ first, last });
    }
    if (mr->container != NULL && mr->addr + first >= mr->addr) {
        uint64_t end = mr->addr + last;

        mark_depth(mr->container, mr->addr + first, end < mr->addr ? UINT64_MAX : end, level + 1);
    }
    for (unsigned i = 0; mr->aliases != NULL && i < mr->aliases->len; i++) {
        MemoryRegion *alias = mr->aliases->pdata[i];

        if (last >= alias->alias_offset) {
            mark_depth(alias, first > alias->alias_offset ? first - alias->alias_offset : 0,
                       last - alias->alias_offset, level + 1);
        }
    }
}

void tree_mark(MemoryRegion *mr, uint64_t first, uint64_t last)
{
    mark_depth(mr, first, MAX(first, last), 0);
}

void tree_mark_all(MemoryRegion *mr)
{
    mark_depth(mr, 0, UINT64_MAX, 0);
}

/* ---- children ---- */

static void child_update(MemoryRegion *mr)
{
    MemoryChild *c = &mr->container->children->v[mr->child_index];
    uint64_t last = mr->size == 0 ? 0 : region_last(mr);

    c->addr = mr->addr;
    c->last = mr->addr + last < mr->addr ? UINT64_MAX : mr->addr + last;
}

/* Stable natural merge: runs that are in order already cost one pass. */
static void children_sort(MemoryChildren *c)
{
    g_autofree MemoryChild *spare = g_new(MemoryChild, c->n);
    MemoryChild *from = c->v, *to = spare;
    bool merged;

    do {
        uint32_t i = 0, out = 0;

        merged = false;
        while (i < c->n) {
            uint32_t a = i, a_end, b, b_end;

            for (a_end = a + 1; a_end < c->n && from[a_end - 1].priority <= from[a_end].priority;) {
                a_end++;
            }
            for (b = a_end, b_end = MIN(b + 1, c->n);
                 b_end < c->n && from[b_end - 1].priority <= from[b_end].priority;) {
                b_end++;
            }
            i = b_end;
            merged |= b < b_end;
            while (a < a_end || b < b_end) {
                if (b == b_end || (a < a_end && from[a].priority <= from[b].priority)) {
                    to[out++] = from[a++];
                } else {
                    to[out++] = from[b++];
                }
            }
        }
        memcpy(from, to, c->n * sizeof(*to));
    } while (merged);
}

void children_tidy(MemoryRegion *mr)
{
    MemoryChildren *c = mr->children;
    uint32_t kept = 0;

    if (c == NULL || (!c->unsorted && c->n_removed == 0)) {
        return;
    }
    for (uint32_t i = 0; i < c->n; i++) {
        if (c->v[i].mr != NULL) {
            c->v[kept++] = c->v[i];
        }
    }
    c->n = kept;
    c->n_removed = 0;
    if (c->unsorted && c->n > 1) {
        children_sort(c);
    }
    c->unsorted = false;
    for (uint32_t i = 0; i < c->n; i++) {
        if (c->v[i].mr->child_index != i) {
            c->v[i].mr->child_index = i;
        }
    }
}

static void add_subregion(MemoryRegion *mr, hwaddr offset, MemoryRegion *sub, int priority)
{
    MemoryChildren *c;

    g_assert(sub->container == NULL && sub != mr && mr->alias == NULL);
    memory_region_transaction_begin();
    if (mr->children == NULL) {
        mr->children = g_new0(MemoryChildren, 1);
    }
    c = mr->children;
    if (c->n == c->room) {
        c->room = MAX(4, c->room * 2);
        c->v = g_renew(MemoryChild, c->v, c->room);
    }
    if (c->n > 0 && c->v[c->n - 1].priority > priority) {
        c->unsorted = true;
    }
    c->v[c->n] = (MemoryChild){ .mr = sub, .priority = priority };
    sub->child_index = c->n++;
    sub->container = mr;
    sub->addr = offset;
    sub->priority = priority;
    child_update(sub);
    tree_mark_all(sub);
    memory_region_transaction_commit();
}

void memory_region_add_subregion(MemoryRegion *mr, hwaddr offset, MemoryRegion *sub)
{
    add_subregion(mr, offset, sub, 0);
}

void memory_region_add_subregion_overlap(MemoryRegion *mr, hwaddr offset, MemoryRegion *sub,
                                         int priority)
{
    add_subregion(mr, offset, sub, priority);
}

void memory_region_del_subregion(MemoryRegion *mr, MemoryRegion *sub)
{
    g_assert(sub->container == mr);
    memory_region_transaction_begin();
    tree_mark_all(sub);
    mr->children->v[sub->child_index].mr = NULL;
    if (++mr->children->n_removed == mr->children->n) {
        mr->children->n = mr->children->n_removed = 0;
        mr->children->unsorted = false;
    }
    sub->container = NULL;
    memory_region_transaction_commit();
}

/* ---- changes of one region ---- */

void memory_region_set_enabled(MemoryRegion *mr, bool enabled)
{
    memory_region_transaction_begin();
    if (mr->enabled != enabled) {
        tree_mark_all(mr); /* marks nothing while disabled, hence before and after */
        mr->enabled = enabled;
        tree_mark_all(mr);
    }
    memory_region_transaction_commit();
}

void memory_region_set_readonly(MemoryRegion *mr, bool readonly)
{
    memory_region_transaction_begin();
    if (mr->readonly != readonly) {
        mr->readonly = readonly;
        tree_mark_all(mr);
    }
    memory_region_transaction_commit();
}

void memory_region_set_lent(MemoryRegion *mr, uint64_t size)
{
    g_assert(mr->kind == REGION_RAM && size <= mr->size);
    memory_region_transaction_begin();
    if (mr->lent != size) {
        mr->lent = size;
        tree_mark_all(mr);
    }
    memory_region_transaction_commit();
}

void memory_region_rom_device_set_romd(MemoryRegion *mr, bool romd)
{
    g_assert(mr->kind == REGION_ROM_DEVICE);
    memory_region_transaction_begin();
    if (mr->romd != romd) {
        mr->romd = romd;
        tree_mark_all(mr);
    }
    memory_region_transaction_commit();
}

void memory_region_set_address(MemoryRegion *mr, hwaddr addr)
{
    memory_region_transaction_begin();
    if (mr->addr != addr) {
        tree_mark_all(mr);
        mr->addr = addr;
        if (mr->container != NULL) {
            child_update(mr);
        }
        tree_mark_all(mr);
    }
    memory_region_transaction_commit();
}

void memory_region_set_size(MemoryRegion *mr, uint64_t size)
{
    g_assert(mr->ram_block == NULL || size <= mr->ram_block->size);
    memory_region_transaction_begin();
    if (mr->size != size) {
        tree_mark_all(mr);
        mr->size = size;
        if (mr->container != NULL) {
            child_update(mr);
        }
        tree_mark_all(mr);
    }
    memory_region_transaction_commit();
}

void memory_region_set_alias_offset(MemoryRegion *mr, hwaddr offset)
{
    g_assert(mr->kind == REGION_ALIAS);
    memory_region_transaction_begin();
    if (mr->alias_offset != offset) {
        tree_mark_all(mr);
        mr->alias_offset = offset;
        tree_mark_all(mr);
    }
    memory_region_transaction_commit();
}
