/* SPDX-License-Identifier: GPL-2.0-or-later
 * Host memory behind RAM, ROM and ROM devices: a memfd mapped shared, so that another process
 * (vhost-user) or a kernel interface can be given the same pages by descriptor; or memory that the
 * caller lends.
 */
#include "memory-priv.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd.h"

/* Every block, sorted by host address; replaced as a whole (RCU), so unmap needs no lock. */
typedef struct {
    MemDeferred deferred;
    size_t n;
    RAMBlock *v[];
} BlockTable;

static pthread_mutex_t blocks_lock = PTHREAD_MUTEX_INITIALIZER;
static BlockTable *blocks;

static void table_free(MemDeferred *deferred)
{
    g_free(caa_container_of(deferred, BlockTable, deferred));
}

/* Index of the first block that ends above host. */
static size_t table_search(const BlockTable *table, const uint8_t *host)
{
    size_t lo = 0, hi = table != NULL ? table->n : 0;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;

        if (table->v[mid]->host + table->v[mid]->size <= host) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

static void table_change(RAMBlock *block, bool add)
{
    BlockTable *old, *table;
    size_t i, n;

    pthread_mutex_lock(&blocks_lock);
    old = blocks;
    n = old != NULL ? old->n : 0;
    i = table_search(old, block->host);
    table = g_malloc0(sizeof(*table) + (n + 1) * sizeof(table->v[0]));
    if (add) {
        if (i < n && old->v[i]->host < block->host + block->size) {
            g_error("memory: host memory at %p is another region's already", block->host);
        }
        table->n = n + 1;
        table->v[i] = block;
    } else {
        table->n = n - 1;
    }
    if (old != NULL) {
        memcpy(table->v, old->v, i * sizeof(table->v[0]));
        memcpy(&table->v[i + add], &old->v[i + !add], (n - i - !add) * sizeof(table->v[0]));
    }
    mem_rcu_publish(&blocks, table);
    pthread_mutex_unlock(&blocks_lock);
    if (old != NULL) {
        mem_defer(&old->deferred, table_free);
    }
}

const RAMBlock *ram_block_of_host(const void *host)
{
    const BlockTable *table = mem_rcu_dereference(&blocks);
    size_t i = table_search(table, host);

    if (table == NULL || i == table->n || (const uint8_t *)host < table->v[i]->host) {
        return NULL;
    }
    return table->v[i];
}

static void block_free(MemDeferred *deferred)
{
    g_free(caa_container_of(deferred, RAMBlock, deferred));
}

static RAMBlock *block_new(MemoryRegion *mr, void *host, int fd, bool borrowed)
{
    RAMBlock *block = g_new0(RAMBlock, 1);

    block->gate = mr->gate;
    block->host = host;
    block->size = mr->size;
    block->fd = fd;
    block->borrowed = borrowed;
    table_change(block, true);
    return block;
}

RAMBlock *ram_block_new(MemoryRegion *mr, GError **error)
{
    const char *name = mr->name;
    uint64_t size = mr->size;
    uint64_t page = sysconf(_SC_PAGESIZE);
    g_auto(Fd) fd = -1;
    void *host;

    if (size == 0 || size % page != 0 || size > G_MAXINT64) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "memory '%s' of %" G_GUINT64_FORMAT
                    " bytes: the size is a multiple of the page size (%" G_GUINT64_FORMAT
                    " bytes) and not 0",
                    name, size, page);
        return NULL;
    }
    fd = memfd_create(name, MFD_CLOEXEC);
    if (fd < 0) {
        error_set_errno(error, errno, "cannot create memory '%s'", name);
        return NULL;
    }
    if (ftruncate(fd, size) != 0) {
        error_set_errno(error, errno, "cannot size memory '%s' to %" G_GUINT64_FORMAT " bytes",
                        name, size);
        return NULL;
    }
    host = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (host == MAP_FAILED) {
        error_set_errno(error, errno, "cannot map memory '%s' of %" G_GUINT64_FORMAT " bytes", name,
                        size);
        return NULL;
    }
    return block_new(mr, host, fd_steal(&fd), false);
}

RAMBlock *ram_block_new_fd(MemoryRegion *mr, int fd, bool shared, GError **error)
{
    g_auto(Fd) own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    void *host;

    if (own < 0) {
        error_set_errno(error, errno, "cannot keep the descriptor of memory '%s'", mr->name);
        return NULL;
    }
    host = mmap(NULL, mr->size, PROT_READ | PROT_WRITE, shared ? MAP_SHARED : MAP_PRIVATE, own, 0);
    if (host == MAP_FAILED) {
        error_set_errno(error, errno, "cannot map memory '%s' of %" G_GUINT64_FORMAT " bytes",
                        mr->name, mr->size);
        return NULL;
    }
    /* What is written to a private mapping is not in the file: nobody else may look there. */
    return block_new(mr, host, shared ? fd_steal(&own) : -1, false);
}

RAMBlock *ram_block_new_borrowed(MemoryRegion *mr, void *host)
{
    return block_new(mr, host, -1, true);
}

void ram_block_free(RAMBlock *block)
{
    if (block == NULL) {
        return;
    }
    table_change(block, false);
    if (!block->borrowed) {
        munmap(block->host, block->size);
        fd_clear(&block->fd);
    }
    /* ram_block_of_host() of another block's address may look at this one until now. */
    mem_defer(&block->deferred, block_free);
}
