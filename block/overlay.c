/* SPDX-License-Identifier: GPL-2.0-or-later
 * driver=overlay: a disk that can be written to over an image that is not. What is written is kept
 * in a file of its own, in clusters, at the same place as in the disk (the file has holes); without
 * a name it has none and is gone at the end. overlay-file.c is that file.
 *
 * Locks: many requests at a time hold the lock for reading; one that needs clusters which are not
 * there yet holds it alone, and copies what it does not overwrite from the image.
 */
#include "overlay-priv.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "util/error.h"
#include "util/iov.h"

/* ---- clusters ---- */

/* How many bytes from offset on, at most length, are all in the file or all not; which in *has. */
static uint64_t run_length(const Overlay *o, uint64_t offset, uint64_t length, bool *has)
{
    uint64_t first = offset / OVERLAY_CLUSTER, last = (offset + length - 1) / OVERLAY_CLUSTER;
    uint64_t i = first + 1;

    *has = overlay_has(o, first);
    while (i <= last && overlay_has(o, i) == *has) {
        i++;
    }
    return MIN(length, i * OVERLAY_CLUSTER - offset);
}

static bool has_all(const Overlay *o, uint64_t offset, uint64_t length)
{
    bool has;

    return run_length(o, offset, length, &has) == length && has;
}

/* Copies a cluster of the image; the disk may end within it. */
static int copy_cluster(Overlay *o, uint64_t cluster)
{
    uint64_t offset = cluster * OVERLAY_CLUSTER;
    struct iovec iov = { .iov_len = MIN(OVERLAY_CLUSTER, o->length - offset) };
    g_autofree void *buf = g_malloc(iov.iov_len);
    int result;

    iov.iov_base = buf;
    result = o->image.driver->preadv(o->image.state, offset, &iov, 1);
    return result != 0 ? result : overlay_transfer(o, offset, &iov, 1, true);
}

/* Makes clusters that the range begins or ends within whole, and has the others. [lock alone] */
static int prepare(Overlay *o, uint64_t offset, uint64_t length)
{
    uint64_t end = offset + length, first = offset / OVERLAY_CLUSTER;
    uint64_t last = (end - 1) / OVERLAY_CLUSTER;
    bool head = offset % OVERLAY_CLUSTER != 0;
    bool tail = end % OVERLAY_CLUSTER != 0 && end != o->length;
    int result = 0;

    if (!overlay_has(o, first) && (head || (tail && first == last))) {
        result = copy_cluster(o, first);
    }
    if (result == 0 && last != first && tail && !overlay_has(o, last)) {
        result = copy_cluster(o, last);
    }
    return result;
}

static void have_all(Overlay *o, uint64_t offset, uint64_t length)
{
    uint64_t last = (offset + length - 1) / OVERLAY_CLUSTER;

    for (uint64_t i = offset / OVERLAY_CLUSTER; i <= last; i++) {
        overlay_set(o, i);
    }
}

/* Calls write with what the range needs done before, and notes it afterwards. */
static int with_clusters(Overlay *o, uint64_t offset, uint64_t length,
                         int (*write)(Overlay *o, uint64_t offset, uint64_t length, void *opaque),
                         void *opaque)
{
    int result;

    pthread_rwlock_rdlock(&o->lock);
    if (has_all(o, offset, length)) {
        result = write(o, offset, length, opaque);
        pthread_rwlock_unlock(&o->lock);
        return result;
    }
    pthread_rwlock_unlock(&o->lock);
    pthread_rwlock_wrlock(&o->lock);
    result = prepare(o, offset, length);
    if (result == 0) {
        result = write(o, offset, length, opaque);
    }
    if (result == 0) {
        have_all(o, offset, length);
    }
    pthread_rwlock_unlock(&o->lock);
    return result;
}

/* ---- requests ---- */

static int overlay_preadv(void *state, uint64_t offset, const struct iovec *iov, unsigned n)
{
    g_autofree struct iovec *part = g_new(struct iovec, n);
    uint64_t length = iov_size(iov, n), now;
    Overlay *o = state;
    int result = 0;

    pthread_rwlock_rdlock(&o->lock);
    for (uint64_t done = 0; done < length && result == 0; done += now) {
        unsigned used;
        bool has;

        now = run_length(o, offset + done, length - done, &has);
        used = iov_slice(part, iov, n, done, now);
        result = has ? overlay_transfer(o, offset + done, part, used, false)
                     : o->image.driver->preadv(o->image.state, offset + done, part, used);
    }
    pthread_rwlock_unlock(&o->lock);
    return result;
}

typedef struct {
    const struct iovec *iov;
    unsigned n;
} Data;

static int write_data(Overlay *o, uint64_t offset, uint64_t length, void *opaque)
{
    const Data *data = opaque;

    return overlay_transfer(o, offset, data->iov, data->n, true);
}

static int overlay_pwritev(void *state, uint64_t offset, const struct iovec *iov, unsigned n)
{
    Data data = { iov, n };
    uint64_t length = iov_size(iov, n);

    return length == 0 ? 0 : with_clusters(state, offset, length, write_data, &data);
}

static int write_zeroes(Overlay *o, uint64_t offset, uint64_t length, void *opaque)
{
    return overlay_zero(o, offset, length);
}

static int overlay_write_zeroes(void *state, uint64_t offset, uint64_t length, bool may_unmap)
{
    return length == 0 ? 0 : with_clusters(state, offset, length, write_zeroes, NULL);
}

/* A hint, and the image below keeps its bytes anyway. */
static int overlay_discard(void *state, uint64_t offset, uint64_t length)
{
    return 0;
}

static int overlay_flush(void *state)
{
    return overlay_sync(state);
}

static void overlay_close(void *state)
{
    Overlay *o = state;

    if (o->fd >= 0 && !o->temporary && overlay_sync(o) != 0) {
        g_warning("what was last written to an overlay is lost");
    }
    if (o->image.driver != NULL) {
        o->image.driver->close(o->image.state);
    }
    overlay_file_close(o);
    pthread_rwlock_destroy(&o->lock);
    pthread_mutex_destroy(&o->sync_lock);
    g_free(o);
}

static const BlockDriver overlay_driver = {
    .name = "overlay",
    .preadv = overlay_preadv,
    .pwritev = overlay_pwritev,
    .flush = overlay_flush,
    .discard = overlay_discard,
    .write_zeroes = overlay_write_zeroes,
    .close = overlay_close,
};

bool overlay_open(const BlockOptions *options, BlockNode *node, GError **error)
{
    BlockOptions image = *options->image;
    Overlay *o = g_new0(Overlay, 1);

    o->fd = -1;
    pthread_rwlock_init(&o->lock, NULL);
    pthread_mutex_init(&o->sync_lock, NULL);
    image.read_only = true;
    image.discard_unmap = false;
    if (!block_open_node(&image, &o->image, error)) {
        overlay_close(o);
        return false;
    }
    o->length = o->image.length;
    o->temporary = options->filename == NULL;
    if (!overlay_file_open(o, options, error)) {
        overlay_close(o);
        return false;
    }
    *node = (BlockNode){
        .driver = &overlay_driver,
        .state = o,
        .length = o->length,
        .read_only = options->read_only,
    };
    return true;
}
