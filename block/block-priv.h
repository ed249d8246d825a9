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
    /* (optional) [main] length is a multiple of 512. */
    bool (*resize)(void *state, uint64_t length, GError **error);
    void (*close)(void *state);
} BlockDriver;

typedef struct {
    const BlockDriver *driver;
    void *state;
    uint64_t length; /* relaxed atomic */
    bool read_only;
} BlockNode;

/* Fill node. FALSE: *error, nothing is open. */
bool raw_open(const BlockOptions *options, BlockNode *node, GError **error);
bool null_open(const BlockOptions *options, BlockNode *node, GError **error);
bool nbd_open(const BlockOptions *options, BlockNode *node, GError **error);
bool blkdebug_open(const BlockOptions *options, BlockNode *node, GError **error);
/* The one of these that options->driver names. */
bool block_open_node(const BlockOptions *options, BlockNode *node, GError **error);

/* Takes the advisory locks of one writer or one of many readers on fd. */
bool raw_lock(int fd, const char *filename, bool writer, GError **error);
