/* SPDX-License-Identifier: GPL-2.0-or-later
 * State of a raw node, shared by raw.c and raw-bounce.c.
 */
#pragma once

#include <limits.h>
#include <pthread.h>

#include "block-priv.h"

#define ROUND_DOWN(x, to) ((x) / (to) * (to))
#define ROUND_UP(x, to)   ROUND_DOWN((x) + (to)-1, to)

typedef struct {
    int fd;
    bool is_device;
    bool direct;
    bool discard_unmap;
    unsigned offset_align, memory_align; /* with direct only */
    uint64_t file_size;                  /* relaxed atomic; grows once, to the rounded-up length */
    int flush_error;                     /* relaxed atomic; errno of the first failed flush */
    GRWLock bounce_lock; /* with direct: read-modify-write cycles exclude other writes */
    /* The same for writes that end in another thread than they began in. */
    pthread_mutex_t plain_lock; /* what follows */
    pthread_cond_t plain_ended;
    unsigned n_plain, n_bounced;
} Raw;

enum { RAW_AT_END = 1 };

/* Moves all bytes. 0, -errno, or RAW_AT_END: a read met the end of the file. */
int raw_transfer(Raw *raw, uint64_t offset, const struct iovec *iov, unsigned n, bool is_write);

/* The same through an aligned buffer; a read may end at a file end that is not aligned. */
int raw_bounce_read(Raw *raw, uint64_t offset, const struct iovec *iov, unsigned n);
int raw_bounce_write(Raw *raw, uint64_t offset, const struct iovec *iov, unsigned n);
