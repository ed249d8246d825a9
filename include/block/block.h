/* SPDX-License-Identifier: GPL-2.0-or-later
 * Block back ends: what -blockdev and -drive name and a block device front end reads and writes.
 * raw over a host file or block device today. Requests are synchronous here; a device runs them in
 * its own I/O thread.
 *
 * Sizes: the length is the file's, rounded up to 512 bytes. The rounded-up part reads as zeroes
 * and is added to the file when it is written. A file that became shorter than it was when opened
 * gives -EIO there.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

typedef struct BlockBackend BlockBackend;

/* What is counted apart. */
typedef enum {
    BLOCK_STAT_READ,
    BLOCK_STAT_WRITE,
    BLOCK_STAT_FLUSH,
    BLOCK_STAT_UNMAP,
    BLOCK_N_STATS
} BlockStat;

enum { BLOCK_SECTOR_SIZE = 512 };

typedef enum {
    BLOCK_DRIVER_RAW,       /* a file or block device of the host */
    BLOCK_DRIVER_NULL,      /* nowhere */
    BLOCK_DRIVER_BLKDEBUG,  /* errors on demand, in front of image */
    BLOCK_DRIVER_NBD,       /* another process or machine */
    BLOCK_DRIVER_SERVED,    /* a file in format, which qemu-nbd reads and writes for us */
    BLOCK_DRIVER_SPARSE,    /* an Android sparse image; read-only */
    BLOCK_DRIVER_OVERLAY,   /* what is written over image: in filename, or gone at the end */
    BLOCK_DRIVER_COMPOSITE, /* partition images with a table around them */
} BlockDriverKind;

/* How the requests of a queue (block/queue.h) to a host file are served. native is io_uring, too.
 */
typedef enum { BLOCK_AIO_AUTO, BLOCK_AIO_THREADS, BLOCK_AIO_NATIVE, BLOCK_AIO_IO_URING } BlockAio;

/* What becomes of a request that failed; the device decides, block/ only keeps what -drive said. */
typedef enum {
    BLOCK_ON_ERROR_AUTO, /* of a device: as the drive says. Of a drive: report, enospc for writes */
    BLOCK_ON_ERROR_REPORT, /* the guest hears of it */
    BLOCK_ON_ERROR_IGNORE, /* as if it had worked */
    BLOCK_ON_ERROR_STOP,   /* the machine stops; the request is made again when it goes on */
    BLOCK_ON_ERROR_ENOSPC, /* stop if the host's disk is full, else report */
} BlockOnError;

/* Their names, in that order, NULL at the end. */
extern const char *const block_on_error_names[];

typedef struct BlockOptions BlockOptions;

/* One partition of a composite disk. */
typedef struct {
    const char *label;
    const char *guid, *type_guid; /* text, or NULL */
    uint64_t size;                /* 0: the image's */
    const BlockOptions *image;
} BlockPart;

struct BlockOptions {
    BlockDriverKind driver;
    const char *node_name; /* or NULL: one is made up */
    BlockAio aio;          /* RAW; AUTO: io_uring where the kernel lets us, else threads */
    const char *filename;  /* NULL: only for what is not RAW */
    bool read_only;
    bool auto_read_only;
    bool cache_direct;   /* O_DIRECT */
    bool cache_no_flush; /* cache=unsafe: flushes are ignored */
    bool writethrough;   /* cache=writethrough, directsync: every write is flushed */
    bool discard_unmap;
    BlockOnError rerror, werror;
    bool locking; /* OFD lock: one writer or many readers among processes */

    /* NULL: */
    uint64_t size; /* 0: 1 GiB */
    uint64_t latency_ns;
    bool read_zeroes; /* else reads leave the buffer as it is */

    /* NBD: filename is a URI, else a UNIX socket's path or host and port */
    const char *nbd_path, *nbd_host, *nbd_port;
    const char *nbd_export; /* or NULL: the server's default, or the URI's */

    /* BLKDEBUG: */
    const char *rules;         /* see block/blkdebug.c; or NULL */
    const BlockOptions *image; /* OVERLAY, too */

    const char *format; /* SERVED: as after qemu-nbd -f */

    /* COMPOSITE: */
    const BlockPart *parts;
    unsigned n_parts;
};

/* Locking on, everything else off: cache=writeback. Start from this. */
#define BLOCK_OPTIONS_INIT                                                                         \
    {                                                                                              \
        .locking = true                                                                            \
    }

/* Sets the three cache fields from -drive cache=MODE: none, writeback, writethrough, directsync,
 * unsafe. FALSE: RANGE error naming the value and the valid ones. */
bool block_options_set_cache(BlockOptions *options, const char *mode, GError **error);

/* Opens and locks. NULL: *error names file and cause (missing, busy in another process, size). */
BlockBackend *block_open(const BlockOptions *options, GError **error);
BlockBackend *block_find(const char *node_name); /* borrowed, or NULL */
BlockBackend *block_ref(BlockBackend *blk);
void block_unref(BlockBackend *blk); /* the last one closes; NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BlockBackend, block_unref)

/* One front end at a time: FALSE (CONFLICT) names the node and who has it. [main] */
const char *block_user(BlockBackend *blk); /* who has claimed it, or NULL; borrowed. [main] */
bool block_claim(BlockBackend *blk, const char *who, GError **error);
void block_release(BlockBackend *blk);

/* Requests since it was opened, by kind; failed ones too. */
typedef struct {
    uint64_t operations[BLOCK_N_STATS], bytes[BLOCK_N_STATS], failed[BLOCK_N_STATS];
    uint64_t nanoseconds[BLOCK_N_STATS]; /* from submission to end, summed */
} BlockStats;
void block_get_stats(BlockBackend *blk, BlockStats *stats); /* [any] */

/* What there is to tell of a back end; strings are borrowed for the call. */
typedef struct {
    const char *node_name;
    const char *driver; /* "raw" */
    const char *filename;
    const char *user; /* who has claimed it, or NULL */
    uint64_t length;
    bool read_only, cache_direct, cache_no_flush, writethrough;
} BlockDescription;
/* Calls fn for each, sorted by node name. fn opens and closes none. [main] */
void block_foreach(void (*fn)(const BlockDescription *d, void *opaque), void *opaque);

uint64_t block_length(BlockBackend *blk); /* bytes, multiple of 512. [any] */
/* Makes it size bytes long, rounded up to 512; who has claimed it is told. [main] */
bool block_resize(BlockBackend *blk, uint64_t size, GError **error);
/* fn is called in block_resize(). NULL: nobody. For who has claimed it. [main] */
void block_set_resize_handler(BlockBackend *blk, void (*fn)(void *opaque), void *opaque);
bool block_is_read_only(BlockBackend *blk);
BlockOnError block_on_error(BlockBackend *blk, bool is_read); /* never AUTO */
bool block_is_writethrough(BlockBackend *blk);
const char *block_node_name(BlockBackend *blk);

/* 0 or -errno. offset and total length are multiples of 512 and inside the length, checked here
 * (-EINVAL, -EIO); writing a read-only back end is -EROFS. Short reads and writes are continued.
 * After an error a write may be partly done. [any] */
int block_preadv(BlockBackend *blk, uint64_t offset, const struct iovec *iov, unsigned n);
int block_pwritev(BlockBackend *blk, uint64_t offset, const struct iovec *iov, unsigned n);
/* fdatasync: on return the data of all completed writes is on stable storage. Once one failed, all
 * later ones fail: the host may have dropped what it could not write. */
int block_flush(BlockBackend *blk);
/* Tells the host the range is not needed. Does nothing without discard_unmap, or where the host
 * file cannot: a discard is only a hint, the range then keeps its content. */
int block_discard(BlockBackend *blk, uint64_t offset, uint64_t length);
/* The range reads as zeroes afterwards. Holes may be made if may_unmap and discard_unmap; where the
 * host has no quick way zeroes are written. */
int block_write_zeroes(BlockBackend *blk, uint64_t offset, uint64_t length, bool may_unmap);
