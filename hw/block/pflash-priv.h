/* SPDX-License-Identifier: GPL-2.0-or-later
 * State of a flash: pflash-cfi01.c has the commands and the life cycle, pflash-query.c what the
 * chips say of themselves, pflash-store.c the content. All under the device's lock.
 */
#pragma once

#include "block/block.h"
#include "hw/block/pflash-cfi01.h"

enum {
    PFLASH_QUERY_SIZE = 0x40,
    /* Bytes that one buffered write can program in one chip (a power of two). */
    PFLASH_BUFFER_LOG2 = 10,
    PFLASH_MAX_LANES = 4,
    PFLASH_BUFFER_MAX = PFLASH_MAX_LANES << PFLASH_BUFFER_LOG2,
};

/* What the next access means. */
typedef enum {
    PFLASH_ARRAY, /* reads are memory */
    PFLASH_STATUS,
    PFLASH_IDENTIFY,
    PFLASH_QUERY,
    PFLASH_ERASE_SETUP, /* the confirmation is awaited */
    PFLASH_LOCK_SETUP,
    PFLASH_WORD,         /* the word to be programmed is awaited */
    PFLASH_BUFFER_COUNT, /* the number of words less one is awaited */
    PFLASH_BUFFER_DATA,
    PFLASH_BUFFER_CONFIRM,
} PflashMode;

struct _PflashCfi01 {
    Device parent_instance;
    /* properties */
    char *drive, *name;
    uint32_t num_blocks, width, device_width;
    uint64_t sector_length;
    uint32_t ident[4];

    MemoryRegion mr;
    uint8_t *data;
    uint64_t size;
    BlockBackend *blk; /* or NULL */
    unsigned lanes;    /* chips side by side on the bus */
    uint8_t query[PFLASH_QUERY_SIZE];
    uint8_t *locked; /* one for each block */

    PflashMode mode;
    uint8_t status;
    unsigned words_left; /* of a buffered write */
    bool window_known;
    uint64_t window; /* offset that the buffer is for */
    uint32_t buffer_size;
    uint8_t buffer[PFLASH_BUFFER_MAX];
};

/* ---- pflash-query.c ---- */
void pflash_make_query(PflashCfi01 *s);

/* ---- pflash-store.c ---- */
/* Takes the drive, if there is one, and reads it. */
bool pflash_open(PflashCfi01 *s, GError **error);
void pflash_close(PflashCfi01 *s);
/* Clears the bits that are 0 in buf: programming can do no more. FALSE: the drive failed. */
bool pflash_program(PflashCfi01 *s, uint64_t offset, const uint8_t *buf, size_t len);
bool pflash_erase(PflashCfi01 *s, uint64_t block);
bool pflash_is_writable(PflashCfi01 *s);
