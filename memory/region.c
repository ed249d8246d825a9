/* SPDX-License-Identifier: GPL-2.0-or-later
 * A region's life: the init functions, destroy, and the questions one may ask it. Its place in the
 * tree is tree.c's, its bytes are ram.c's, accesses to it access.c's.
 */
#include "memory-priv.h"

#include <string.h>

static void region_init(MemoryRegion *mr, GObject *owner, const char *name, uint64_t size, int kind)
{
    memset(mr, 0, sizeof(*mr));
    mr->owner = owner;
    mr->name = g_strdup(name != NULL ? name : "");
    mr->size = size;
    mr->kind = kind;
    mr->enabled = true;
    mr->gate = gate_new(owner);
}

void memory_region_init(MemoryRegion *mr, GObject *owner, const char *name, uint64_t size)
{
    region_init(mr, owner, name, size, REGION_CONTAINER);
}

/* A table that makes no sense is our own bug: found at init, not at a guest's access. */
static void ops_check(const MemoryRegionOps *ops, const char *name)
{
    unsigned sizes[] = { ops->valid.min_access_size, ops->valid.max_access_size,
                         ops->impl.min_access_size, ops->impl.max_access_size };

    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
        if (sizes[i] > 8 || (sizes[i] & (sizes[i] - 1)) != 0) {
            g_error("memory: ops of '%s': an access size is 1, 2, 4 or 8", name);
        }
    }
    if ((ops->valid.min_access_size ?: 1) > (ops->valid.max_access_size ?: 4) ||
        (ops->impl.min_access_size ?: 1) > (ops->impl.max_access_size ?: 4)) {
        g_error("memory: ops of '%s': smallest access size above the largest", name);
    }
}

void memory_region_init_io(MemoryRegion *mr, GObject *owner, const MemoryRegionOps *ops,
                           void *opaque, const char *name, uint64_t size)
{
    region_init(mr, owner, name, size, REGION_IO);
    ops_check(ops, mr->name);
    mr->ops = ops;
    mr->opaque = opaque;
    if (ops->map != NULL) {
        mapper_add(mr);
    }
}

void memory_region_init_alias(MemoryRegion *mr, GObject *owner, const char *name,
                              MemoryRegion *orig, hwaddr offset, uint64_t size)
{
    region_init(mr, owner, name, size, REGION_ALIAS);
    mr->alias = orig;
    mr->alias_offset = offset;
    topology_lock();
    if (orig->aliases == NULL) {
        orig->aliases = g_ptr_array_new();
    }
    g_ptr_array_add(orig->aliases, mr);
    topology_unlock();
}

static bool init_memory(MemoryRegion *mr, GObject *owner, const char *name, uint64_t size, int kind,
                        GError **error)
{
    region_init(mr, owner, name, size, kind);
    mr->ram_block = ram_block_new(mr, error);
    if (mr->ram_block == NULL) {
        memory_region_destroy(mr);
        return false;
    }
    return true;
}

bool memory_region_init_ram(MemoryRegion *mr, GObject *owner, const char *name, uint64_t size,
                            GError **error)
{
    return init_memory(mr, owner, name, size, REGION_RAM, error);
}

bool memory_region_init_ram_fd(MemoryRegion *mr, GObject *owner, const char *name, uint64_t size,
                               int fd, bool shared, GError **error)
{
    region_init(mr, owner, name, size, REGION_RAM);
    mr->ram_block = ram_block_new_fd(mr, fd, shared, error);
    if (mr->ram_block == NULL) {
        memory_region_destroy(mr);
        return false;
    }
    return true;
}

bool memory_region_init_rom(MemoryRegion *mr, GObject *owner, const char *name, uint64_t size,
                            GError **error)
{
    if (!init_memory(mr, owner, name, size, REGION_RAM, error)) {
        return false;
    }
    mr->readonly = true;
    return true;
}

bool memory_region_init_rom_device(MemoryRegion *mr, GObject *owner, const MemoryRegionOps *ops,
                                   void *opaque, const char *name, uint64_t size, GError **error)
{
    if (!init_memory(mr, owner, name, size, REGION_ROM_DEVICE, error)) {
        return false;
    }
    ops_check(ops, mr->name);
    mr->ops = ops;
    mr->opaque = opaque;
    mr->romd = true;
    return true;
}

void memory_region_init_ram_ptr(MemoryRegion *mr, GObject *owner, const char *name, uint64_t size,
                                void *host)
{
    region_init(mr, owner, name, size, REGION_RAM);
    mr->ram_block = ram_block_new_borrowed(mr, host);
}

/* Takes mr out of every structure that the tree keeps. */
static void region_detach(MemoryRegion *mr)
{
    memory_region_transaction_begin();
    if (topology_depth() != 1) {
        g_error("memory: region '%s' is destroyed inside a transaction", mr->name);
    }
    g_assert(mr->container == NULL);
    g_assert(mr->spaces == NULL || mr->spaces->len == 0);
    g_assert(mr->aliases == NULL || mr->aliases->len == 0);
    if (mr->alias != NULL) {
        g_ptr_array_remove_fast(mr->alias->aliases, mr);
    }
    for (uint32_t i = 0; mr->children != NULL && i < mr->children->n; i++) {
        if (mr->children->v[i].mr != NULL) {
            memory_region_del_subregion(mr, mr->children->v[i].mr);
        }
    }
    memory_region_transaction_commit();
}

void memory_region_destroy(MemoryRegion *mr)
{
    MemThread *t = &mem_thread;

    if (mr->gate == NULL) {
        return;
    }
    for (unsigned i = 0; i < t->depth; i++) {
        if (t->inside[i] == mr) {
            g_error("memory: region '%s' is destroyed by its own ops", mr->name);
        }
    }
    region_detach(mr);
    if (mr->shown) {
        mem_rcu_synchronize();
        gate_wait_empty(mr->gate);
    }
    if (mr->ops != NULL && mr->ops->map != NULL) {
        mapper_remove(mr);
    }
    ioeventfd_list_unref(mr->ioeventfds);
    ram_block_free(mr->ram_block);
    gate_retire(mr->gate);
    if (mr->children != NULL) {
        g_free(mr->children->v);
        g_free(mr->children);
    }
    g_clear_pointer(&mr->aliases, g_ptr_array_unref);
    g_clear_pointer(&mr->spaces, g_ptr_array_unref);
    g_free(mr->name);
    memset(mr, 0, sizeof(*mr));
}

void memory_region_set_lock(MemoryRegion *mr, MemoryLock *lock)
{
    mr->lock = lock;
}

uint64_t memory_region_size(const MemoryRegion *mr)
{
    return mr->size;
}

const char *memory_region_name(const MemoryRegion *mr)
{
    return mr->name;
}

bool memory_region_is_ram(const MemoryRegion *mr)
{
    return mr->kind == REGION_RAM;
}

bool memory_region_is_romd(const MemoryRegion *mr)
{
    return mr->kind == REGION_ROM_DEVICE && mr->romd;
}

void *memory_region_get_ram_ptr(const MemoryRegion *mr)
{
    hwaddr offset = 0;

    for (; mr->alias != NULL; mr = mr->alias) {
        offset += mr->alias_offset;
    }
    return mr->ram_block != NULL ? mr->ram_block->host + offset : NULL;
}

int memory_region_get_fd(const MemoryRegion *mr)
{
    return mr->ram_block != NULL ? mr->ram_block->fd : -1;
}
