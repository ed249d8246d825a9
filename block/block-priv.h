/* SPDX-License-Identifier: GPL-2.0-or-later
 * What a block driver (raw, null-co, blkdebug) gives to block.c, which has checked bounds and
 * access already.
 */
#pragma once

#include "block/block.h"

typedef struct {
    const char *name; /* as after driver= */
    /* All: 0 or -errno; [any]; offset and length are multiples of 512 inside the length. */
    int (*preadv)(void *state, uint64_t offset, const struct iovec *iov, unsigned n);
    int (*pwritev)(void *state, uint64_t offset, const struct iovec *iov, unsigned n);
    int (*flush)(void *state);
    int (*discard)(void *state, uint64_t offset, uint64_t length);
    int (*write_zeroes)(void *state, uint64_t offset, uint64_t length, bool may_unmap);
    /* (optional) For io_uring: the descriptor if the request is a transfer of it at that offset and
     * nothing else, else -1; then plain_end when it has been done. end is where a whole write
     * ended, else 0. */
    int (*plain_begin)(void *state, uint64_t offset, const struct iovec *iov, unsigned n,
                       bool is_write);
    void (*plain_end)(void *state, bool is_write, uint64_t end);
    /* (optional) [main] length is a multiple of 512. */
    bool (*resize)(void *state, uint64_t length, GError **error);
    void (*close)(void *state);
} BlockDriver;

typedef struct {
    const BlockDriver *driver;
    void *state;
    uint64_t length; /* relaxed atomic */
    bool read_only;
    bool immediate; /* no call ever blocks */
} BlockNode;

/* Fill node. FALSE: *error, nothing is open. */
bool raw_open(const BlockOptions *options, BlockNode *node, GError **error);
bool null_open(const BlockOptions *options, BlockNode *node, GError **error);
bool nbd_open(const BlockOptions *options, BlockNode *node, GError **error);
bool blkdebug_open(const BlockOptions *options, BlockNode *node, GError **error);
bool sparse_open(const BlockOptions *options, BlockNode *node, GError **error);
bool overlay_open(const BlockOptions *options, BlockNode *node, GError **error);
bool composite_open(const BlockOptions *options, BlockNode *node, GError **error);
/* The one of these that options->driver names. */
bool block_open_node(const BlockOptions *options, BlockNode *node, GError **error);

/* Takes the advisory locks of one writer or one of many readers on fd. */
bool raw_lock(int fd, const char *filename, bool writer, GError **error);

/* ---- file.c: all of len bytes, whatever interrupts it. 0, -errno, or -EIO at the end. ---- */
int block_read_at(int fd, uint64_t offset, void *buf, size_t len);
int block_write_at(int fd, uint64_t offset, const void *buf, size_t len);

/* ---- block.c, for queue.c ---- */
void block_account(BlockBackend *blk, BlockStat kind, uint64_t bytes, int64_t nanoseconds,
                   bool failed);
/* 0, or why the request is refused. */
int block_check(BlockBackend *blk, uint64_t offset, uint64_t length, bool is_write);
bool block_is_immediate(BlockBackend *blk);
BlockAio block_aio(BlockBackend *blk);
bool block_has_plain(BlockBackend *blk);
int block_plain_begin(BlockBackend *blk, uint64_t offset, const struct iovec *iov, unsigned n,
                      bool is_write);
void block_plain_end(BlockBackend *blk, bool is_write, uint64_t end);
