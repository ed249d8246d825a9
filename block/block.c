/* SPDX-License-Identifier: GPL-2.0-or-later
 * The registry of block back ends by node name, and the checks every request passes before its
 * driver sees it. Drivers are in files of their own.
 */
#include "block/block.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "block-priv.h"
#include "util/error.h"
#include "util/iov.h"

struct BlockBackend {
    gint refs;
    char *node_name;
    char *claimed_by; /* NULL: free; main thread */
    BlockNode node;
    bool writethrough;
    bool no_flush;
    bool direct;
    BlockOnError rerror, werror;
    char *filename;
    BlockAio aio;
    BlockStats stats;              /* relaxed atomic */
    void (*resized)(void *opaque); /* main thread */
    void *resized_opaque;
};

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static GHashTable *registry; /* node name to BlockBackend, borrowed */

const char *const block_on_error_names[] = { "auto", "report", "ignore", "stop", "enospc", NULL };

bool block_options_set_cache(BlockOptions *options, const char *mode, GError **error)
{
    static const struct {
        const char *name;
        bool direct, no_flush, writethrough;
    } modes[] = {
        { "none", true, false, false },         { "writeback", false, false, false },
        { "writethrough", false, false, true }, { "directsync", true, false, true },
        { "unsafe", false, true, false },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(modes); i++) {
        if (strcmp(modes[i].name, mode) == 0) {
            options->cache_direct = modes[i].direct;
            options->cache_no_flush = modes[i].no_flush;
            options->writethrough = modes[i].writethrough;
            return true;
        }
    }
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                "cache is '%s' but must be one of: none, writeback, writethrough, directsync, "
                "unsafe",
                mode);
    return false;
}

/* Enters blk under its name, or under a new one. FALSE: the name is taken. */
static bool registry_add(BlockBackend *blk, const char *node_name)
{
    static unsigned serial;
    bool added;

    pthread_mutex_lock(&registry_lock);
    if (registry == NULL) {
        registry = g_hash_table_new(g_str_hash, g_str_equal);
    }
    blk->node_name =
        node_name != NULL ? g_strdup(node_name) : g_strdup_printf("#block%03u", serial++);
    added = !g_hash_table_contains(registry, blk->node_name);
    if (added) {
        g_hash_table_insert(registry, blk->node_name, blk);
    }
    pthread_mutex_unlock(&registry_lock);
    return added;
}

static void block_free(BlockBackend *blk)
{
    if (blk->node.driver != NULL) {
        blk->node.driver->close(blk->node.state);
    }
    g_free(blk->claimed_by);
    g_free(blk->filename);
    g_free(blk->node_name);
    g_free(blk);
}

bool block_open_node(const BlockOptions *options, BlockNode *node, GError **error)
{
    switch (options->driver) {
    case BLOCK_DRIVER_RAW:
        if (options->filename == NULL || *options->filename == '\0') {
            g_set_error_literal(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "a file name is needed");
            return false;
        }
        return raw_open(options, node, error);
    case BLOCK_DRIVER_NULL:
        return null_open(options, node, error);
    case BLOCK_DRIVER_BLKDEBUG:
        return blkdebug_open(options, node, error);
    case BLOCK_DRIVER_NBD:
    case BLOCK_DRIVER_SERVED:
        return nbd_open(options, node, error);
    case BLOCK_DRIVER_SPARSE:
        return sparse_open(options, node, error);
    case BLOCK_DRIVER_OVERLAY:
        return overlay_open(options, node, error);
    case BLOCK_DRIVER_COMPOSITE:
        return composite_open(options, node, error);
    }
    g_assert_not_reached();
}

/* What a client is told to be the file. */
static char *describe(const BlockOptions *options)
{
    switch (options->driver) {
    case BLOCK_DRIVER_RAW:
    case BLOCK_DRIVER_SERVED:
    case BLOCK_DRIVER_SPARSE:
        return g_strdup(options->filename);
    case BLOCK_DRIVER_OVERLAY: {
        g_autofree char *image = describe(options->image);

        return g_strdup_printf("overlay:%s:%s", options->filename != NULL ? options->filename : "",
                               image);
    }
    case BLOCK_DRIVER_COMPOSITE:
        return g_strdup_printf("composite://%u", options->n_parts);
    case BLOCK_DRIVER_NULL:
        return g_strdup("null-co://");
    case BLOCK_DRIVER_NBD:
        return options->filename != NULL ? g_strdup(options->filename)
               : options->nbd_path != NULL
                   ? g_strdup_printf("nbd+unix:///%s?socket=%s",
                                     options->nbd_export != NULL ? options->nbd_export : "",
                                     options->nbd_path)
                   : g_strdup_printf("nbd://%s:%s/%s", options->nbd_host, options->nbd_port,
                                     options->nbd_export != NULL ? options->nbd_export : "");
    case BLOCK_DRIVER_BLKDEBUG: {
        g_autofree char *image = describe(options->image);

        return g_strdup_printf("blkdebug::%s", image);
    }
    }
    g_assert_not_reached();
}

BlockBackend *block_open(const BlockOptions *options, GError **error)
{
    BlockBackend *blk;

    blk = g_new0(BlockBackend, 1);
    blk->refs = 1;
    blk->writethrough = options->writethrough;
    blk->no_flush = options->cache_no_flush;
    blk->direct = options->cache_direct;
    blk->rerror = options->rerror;
    blk->werror = options->werror;
    if (!block_open_node(options, &blk->node, error)) {
        block_free(blk);
        return NULL;
    }
    blk->filename = describe(options);
    blk->aio = options->aio;
    if (!registry_add(blk, options->node_name)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT, "node name '%s' is already used",
                    options->node_name);
        block_free(blk);
        return NULL;
    }
    return blk;
}

BlockBackend *block_find(const char *node_name)
{
    BlockBackend *blk;

    pthread_mutex_lock(&registry_lock);
    blk = registry != NULL ? g_hash_table_lookup(registry, node_name) : NULL;
    pthread_mutex_unlock(&registry_lock);
    return blk;
}

BlockBackend *block_ref(BlockBackend *blk)
{
    g_atomic_int_inc(&blk->refs);
    return blk;
}

void block_unref(BlockBackend *blk)
{
    if (blk == NULL || !g_atomic_int_dec_and_test(&blk->refs)) {
        return;
    }
    pthread_mutex_lock(&registry_lock);
    g_hash_table_remove(registry, blk->node_name);
    pthread_mutex_unlock(&registry_lock);
    block_free(blk);
}

const char *block_user(BlockBackend *blk)
{
    return blk->claimed_by;
}

bool block_claim(BlockBackend *blk, const char *who, GError **error)
{
    if (blk->claimed_by != NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT, "drive '%s' is already used by %s",
                    blk->node_name, blk->claimed_by);
        return false;
    }
    blk->claimed_by = g_strdup(who);
    return true;
}

void block_release(BlockBackend *blk)
{
    blk->resized = NULL;
    g_clear_pointer(&blk->claimed_by, g_free);
}

void block_foreach(void (*fn)(const BlockDescription *d, void *opaque), void *opaque)
{
    g_autoptr(GList) all = NULL;

    pthread_mutex_lock(&registry_lock);
    if (registry != NULL) {
        all = g_list_sort(g_hash_table_get_keys(registry), (GCompareFunc)strcmp);
    }
    pthread_mutex_unlock(&registry_lock);
    for (GList *name = all; name != NULL; name = name->next) {
        const BlockBackend *blk = block_find(name->data);
        BlockDescription d = {
            .node_name = blk->node_name,
            .driver = blk->node.driver->name,
            .filename = blk->filename,
            .user = blk->claimed_by,
            .length = __atomic_load_n(&blk->node.length, __ATOMIC_RELAXED),
            .read_only = blk->node.read_only,
            .cache_direct = blk->direct,
            .cache_no_flush = blk->no_flush,
            .writethrough = blk->writethrough,
        };

        fn(&d, opaque);
    }
}

uint64_t block_length(BlockBackend *blk)
{
    return __atomic_load_n(&blk->node.length, __ATOMIC_RELAXED);
}

void block_set_resize_handler(BlockBackend *blk, void (*fn)(void *opaque), void *opaque)
{
    blk->resized = fn;
    blk->resized_opaque = opaque;
}

bool block_resize(BlockBackend *blk, uint64_t size, GError **error)
{
    uint64_t length;

    if (size > INT64_MAX - BLOCK_SECTOR_SIZE) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "size is %" G_GUINT64_FORMAT " but must be below 2^63", size);
        return false;
    }
    length = (size + BLOCK_SECTOR_SIZE - 1) / BLOCK_SECTOR_SIZE * BLOCK_SECTOR_SIZE;
    if (blk->node.read_only) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT, "drive '%s' is read-only",
                    blk->node_name);
        return false;
    }
    if (blk->node.driver->resize == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "driver '%s' cannot change its size", blk->node.driver->name);
        return false;
    }
    if (!blk->node.driver->resize(blk->node.state, length, error)) {
        return false;
    }
    __atomic_store_n(&blk->node.length, length, __ATOMIC_RELAXED);
    if (blk->resized != NULL) {
        blk->resized(blk->resized_opaque);
    }
    return true;
}

BlockOnError block_on_error(BlockBackend *blk, bool is_read)
{
    BlockOnError on_error = is_read ? blk->rerror : blk->werror;

    if (on_error != BLOCK_ON_ERROR_AUTO) {
        return on_error;
    }
    return is_read ? BLOCK_ON_ERROR_REPORT : BLOCK_ON_ERROR_ENOSPC;
}

bool block_is_read_only(BlockBackend *blk)
{
    return blk->node.read_only;
}

bool block_is_writethrough(BlockBackend *blk)
{
    return blk->writethrough;
}

const char *block_node_name(BlockBackend *blk)
{
    return blk->node_name;
}

static int check_range(const BlockBackend *blk, uint64_t offset, uint64_t length)
{
    uint64_t end = __atomic_load_n(&blk->node.length, __ATOMIC_RELAXED);

    if ((offset | length) % BLOCK_SECTOR_SIZE != 0) {
        return -EINVAL;
    }
    if (offset > end || length > end - offset) {
        return -EIO;
    }
    return 0;
}

static int check_write(const BlockBackend *blk, uint64_t offset, uint64_t length)
{
    return blk->node.read_only ? -EROFS : check_range(blk, offset, length);
}

/* What follows each change of the content. */
static int written(BlockBackend *blk, int result)
{
    return result == 0 && blk->writethrough ? block_flush(blk) : result;
}

int block_preadv(BlockBackend *blk, uint64_t offset, const struct iovec *iov, unsigned n)
{
    uint64_t length = iov_size(iov, n);
    int result = check_range(blk, offset, length);

    if (result != 0 || length == 0) {
        return result;
    }
    return blk->node.driver->preadv(blk->node.state, offset, iov, n);
}

int block_pwritev(BlockBackend *blk, uint64_t offset, const struct iovec *iov, unsigned n)
{
    uint64_t length = iov_size(iov, n);
    int result = check_write(blk, offset, length);

    if (result != 0 || length == 0) {
        return result;
    }
    return written(blk, blk->node.driver->pwritev(blk->node.state, offset, iov, n));
}

int block_flush(BlockBackend *blk)
{
    return blk->no_flush || blk->node.read_only ? 0 : blk->node.driver->flush(blk->node.state);
}

int block_discard(BlockBackend *blk, uint64_t offset, uint64_t length)
{
    int result = check_write(blk, offset, length);

    if (result != 0 || length == 0) {
        return result;
    }
    return written(blk, blk->node.driver->discard(blk->node.state, offset, length));
}

int block_write_zeroes(BlockBackend *blk, uint64_t offset, uint64_t length, bool may_unmap)
{
    int result = check_write(blk, offset, length);

    if (result != 0 || length == 0) {
        return result;
    }
    return written(blk, blk->node.driver->write_zeroes(blk->node.state, offset, length, may_unmap));
}

/* ---- for queues ---- */

int block_check(BlockBackend *blk, uint64_t offset, uint64_t length, bool is_write)
{
    return is_write ? check_write(blk, offset, length) : check_range(blk, offset, length);
}

bool block_is_immediate(BlockBackend *blk)
{
    return blk->node.immediate;
}

BlockAio block_aio(BlockBackend *blk)
{
    return blk->aio;
}

bool block_has_plain(BlockBackend *blk)
{
    return blk->node.driver->plain_begin != NULL;
}

int block_plain_begin(BlockBackend *blk, uint64_t offset, const struct iovec *iov, unsigned n,
                      bool is_write)
{
    return blk->node.driver->plain_begin(blk->node.state, offset, iov, n, is_write);
}

void block_plain_end(BlockBackend *blk, bool is_write, uint64_t end)
{
    blk->node.driver->plain_end(blk->node.state, is_write, end);
}

/* ---- statistics ---- */

void block_account(BlockBackend *blk, BlockStat kind, uint64_t bytes, int64_t nanoseconds,
                   bool failed)
{
    BlockStats *s = &blk->stats;

    __atomic_fetch_add(&s->operations[kind], 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&s->bytes[kind], failed ? 0 : bytes, __ATOMIC_RELAXED);
    __atomic_fetch_add(&s->nanoseconds[kind], nanoseconds, __ATOMIC_RELAXED);
    __atomic_fetch_add(&s->failed[kind], failed, __ATOMIC_RELAXED);
}

void block_get_stats(BlockBackend *blk, BlockStats *stats)
{
    for (unsigned i = 0; i < BLOCK_N_STATS; i++) {
        stats->operations[i] = __atomic_load_n(&blk->stats.operations[i], __ATOMIC_RELAXED);
        stats->bytes[i] = __atomic_load_n(&blk->stats.bytes[i], __ATOMIC_RELAXED);
        stats->nanoseconds[i] = __atomic_load_n(&blk->stats.nanoseconds[i], __ATOMIC_RELAXED);
        stats->failed[i] = __atomic_load_n(&blk->stats.failed[i], __ATOMIC_RELAXED);
    }
}
