/* SPDX-License-Identifier: GPL-2.0-or-later
 * The disk that is nowhere (driver null-co): writes vanish, reads give zeroes or leave the buffer
 * as it is. For tests and for measuring what is in front of it.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "block-priv.h"
#include "util/error.h"

enum { DEFAULT_SIZE = 1 << 30 };

typedef struct {
    bool read_zeroes;
    uint64_t latency_ns;
} NullDisk;

static int wait_latency(const NullDisk *disk)
{
    struct timespec left = { disk->latency_ns / 1000000000, disk->latency_ns % 1000000000 };

    while (disk->latency_ns > 0 && nanosleep(&left, &left) < 0 && errno == EINTR) {
    }
    return 0;
}

static int null_preadv(void *state, uint64_t offset, const struct iovec *iov, unsigned n)
{
    const NullDisk *disk = state;

    for (unsigned i = 0; disk->read_zeroes && i < n; i++) {
        memset(iov[i].iov_base, 0, iov[i].iov_len);
    }
    return wait_latency(disk);
}

static int null_pwritev(void *state, uint64_t offset, const struct iovec *iov, unsigned n)
{
    return wait_latency(state);
}

static int null_flush(void *state)
{
    return wait_latency(state);
}

static int null_discard(void *state, uint64_t offset, uint64_t length)
{
    return wait_latency(state);
}

static int null_write_zeroes(void *state, uint64_t offset, uint64_t length, bool may_unmap)
{
    return wait_latency(state);
}

static bool null_resize(void *state, uint64_t length, GError **error)
{
    return true;
}

static void null_close(void *state)
{
    g_free(state);
}

static const BlockDriver null_driver = {
    .name = "null-co",
    .preadv = null_preadv,
    .pwritev = null_pwritev,
    .flush = null_flush,
    .discard = null_discard,
    .write_zeroes = null_write_zeroes,
    .resize = null_resize,
    .close = null_close,
};

bool null_open(const BlockOptions *options, BlockNode *node, GError **error)
{
    NullDisk *disk;
    uint64_t size = options->size != 0 ? options->size : DEFAULT_SIZE;

    if (size > INT64_MAX - BLOCK_SECTOR_SIZE) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "size is %" G_GUINT64_FORMAT " but must be below 8 EiB", size);
        return false;
    }
    disk = g_new0(NullDisk, 1);
    disk->read_zeroes = options->read_zeroes;
    disk->latency_ns = options->latency_ns;
    *node = (BlockNode){
        .driver = &null_driver,
        .state = disk,
        .length = (size + BLOCK_SECTOR_SIZE - 1) / BLOCK_SECTOR_SIZE * BLOCK_SECTOR_SIZE,
        .read_only = options->read_only,
        .immediate = options->latency_ns == 0,
    };
    return true;
}
