/* SPDX-License-Identifier: GPL-2.0-or-later
 * The content of a flash: guest-visible memory, and the drive behind it. Changes go to both before
 * the chip says that it is ready.
 */
#include <errno.h>
#include <string.h>

#include "pflash-priv.h"
#include "util/error.h"

enum { READ_CHUNK = 64 * 1024 };

/* The last byte equals the first, and each its neighbour. */
static bool is_zero(const uint8_t *buf, size_t len)
{
    return buf[0] == 0 && memcmp(buf, buf + 1, len - 1) == 0;
}

/* Pages that are zeroes anyway stay untouched: an image is mostly a hole. */
static bool read_drive(PflashCfi01 *s, GError **error)
{
    g_autofree uint8_t *buf = g_malloc(READ_CHUNK);

    for (uint64_t at = 0; at < s->size;) {
        size_t len = MIN(s->size - at, READ_CHUNK);
        struct iovec iov = { buf, len };
        int err = block_preadv(s->blk, at, &iov, 1);

        if (err < 0) {
            error_set_errno(error, -err, "drive '%s': cannot read", s->drive);
            return false;
        }
        if (!is_zero(buf, len)) {
            memcpy(s->data + at, buf, len);
        }
        at += len;
    }
    return true;
}

static bool take_drive(PflashCfi01 *s, GError **error)
{
    BlockBackend *blk = block_find(s->drive);

    if (blk == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN, "drive '%s' is not known", s->drive);
        return false;
    }
    if (block_length(blk) != s->size) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "drive '%s' has %" G_GUINT64_FORMAT " bytes, but flash '%s' needs exactly "
                    "%" G_GUINT64_FORMAT,
                    s->drive, block_length(blk), s->name, s->size);
        return false;
    }
    if (!block_claim(blk, s->name, error)) {
        return false;
    }
    s->blk = block_ref(blk);
    return true;
}

bool pflash_open(PflashCfi01 *s, GError **error)
{
    if (s->drive == NULL) {
        return true;
    }
    if (!take_drive(s, error)) {
        return false;
    }
    if (!read_drive(s, error)) {
        pflash_close(s);
        return false;
    }
    return true;
}

void pflash_close(PflashCfi01 *s)
{
    if (s->blk != NULL) {
        block_release(s->blk);
        g_clear_pointer(&s->blk, block_unref);
    }
}

bool pflash_is_writable(PflashCfi01 *s)
{
    return s->blk == NULL || !block_is_read_only(s->blk);
}

/* Whole sectors around the change; the flash's size is a multiple of them. */
static bool write_back(PflashCfi01 *s, uint64_t offset, uint64_t len)
{
    uint64_t from = offset / BLOCK_SECTOR_SIZE * BLOCK_SECTOR_SIZE;
    uint64_t to = (offset + len + BLOCK_SECTOR_SIZE - 1) / BLOCK_SECTOR_SIZE * BLOCK_SECTOR_SIZE;
    struct iovec iov = { s->data + from, to - from };
    int err;

    if (s->blk == NULL) {
        return true;
    }
    err = block_pwritev(s->blk, from, &iov, 1);
    if (err < 0) {
        g_message("flash '%s': cannot write to drive '%s': %s", s->name, s->drive,
                  g_strerror(-err));
    }
    return err == 0;
}

bool pflash_program(PflashCfi01 *s, uint64_t offset, const uint8_t *buf, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        s->data[offset + i] &= buf[i];
    }
    return write_back(s, offset, len);
}

bool pflash_erase(PflashCfi01 *s, uint64_t block)
{
    memset(s->data + block * s->sector_length, 0xff, s->sector_length);
    return write_back(s, block * s->sector_length, s->sector_length);
}
