/* SPDX-License-Identifier: GPL-2.0-or-later
 * Block back ends: what -blockdev and -drive name and a block device front end reads and writes.
 * raw over a host file or block device today. Requests are synchronous here; a device runs them in
 * its own I/O thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

typedef struct BlockBackend BlockBackend;

typedef struct {
    const char *node_name; /* or NULL */
    const char *filename;
    bool read_only;
    bool auto_read_only;
    bool cache_direct;   /* O_DIRECT */
    bool cache_no_flush; /* cache=unsafe: flushes are ignored */
    bool writethrough;   /* cache=writethrough, directsync: every write is flushed */
    bool discard_unmap;
    bool locking; /* OFD lock: one writer or many readers among processes; default on */
} BlockOptions;

/* Opens and locks. NULL: *error names file and cause (missing, busy in another process, size). */
BlockBackend *block_open(const BlockOptions *options, GError **error);
BlockBackend *block_find(const char *node_name);
BlockBackend *block_ref(BlockBackend *blk);
void block_unref(BlockBackend *blk);

uint64_t block_length(BlockBackend *blk); /* bytes, multiple of 512 */
bool block_is_read_only(BlockBackend *blk);
const char *block_node_name(BlockBackend *blk);

/* 0 or -errno. offset and total length are multiples of 512 and inside the length, checked here
 * (-EINVAL, -EIO). Short reads and writes are continued. [any] */
int block_preadv(BlockBackend *blk, uint64_t offset, const struct iovec *iov, unsigned n);
int block_pwritev(BlockBackend *blk, uint64_t offset, const struct iovec *iov, unsigned n);
int block_flush(BlockBackend *blk); /* fdatasync: on return the data is on stable storage */
int block_discard(BlockBackend *blk, uint64_t offset, uint64_t length);
int block_write_zeroes(BlockBackend *blk, uint64_t offset, uint64_t length, bool may_unmap);
