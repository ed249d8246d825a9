/* SPDX-License-Identifier: GPL-2.0-or-later
 * Between overlay.c, which serves requests, and overlay-file.c, which keeps what was written:
 *
 *     header, 4 KiB | a bit for each cluster | from a whole MiB on: the disk, with holes
 *
 * The header is "HUMPYOVL", version 1, the cluster's size and the disk's (32, 32 and 64 bits,
 * little endian). A bit counts once it is on stable storage behind the data it speaks of.
 */
#pragma once

#include <pthread.h>

#include "block-priv.h"

enum { OVERLAY_CLUSTER = 64 << 10 };

typedef struct {
    BlockNode image;
    int fd;
    bool temporary;
    uint64_t length, data_offset;
    pthread_rwlock_t lock; /* of what follows, and of what is in the file */
    uint8_t *bitmap;       /* as in the file */
    uint64_t bitmap_size;  /* bytes, whole pages */
    uint8_t *dirty;        /* for each page of it */

    pthread_mutex_t sync_lock; /* before lock: one at a time writes the bitmap */
    int sync_error;            /* of the first that failed; under sync_lock */
} Overlay;

bool overlay_file_open(Overlay *o, const BlockOptions *options, GError **error);
void overlay_file_close(Overlay *o);

/* [lock] */
static inline bool overlay_has(const Overlay *o, uint64_t cluster)
{
    return (o->bitmap[cluster / 8] >> cluster % 8 & 1) != 0;
}
void overlay_set(Overlay *o, uint64_t cluster); /* [lock alone] */
/* All bytes to or from the file. 0 or -errno. */
int overlay_transfer(Overlay *o, uint64_t offset, const struct iovec *iov, unsigned n,
                     bool is_write);
int overlay_zero(Overlay *o, uint64_t offset, uint64_t length);
/* Data, then bitmap, to stable storage. Once it failed it fails. */
int overlay_sync(Overlay *o);
