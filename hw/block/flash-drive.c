/* SPDX-License-Identifier: GPL-2.0-or-later
 * See flash-drive.h.
 */
#include "hw/block/flash-drive.h"

#include <string.h>

#include "util/error.h"

enum { READ_CHUNK = 64 * 1024 };

BlockBackend *flash_drive_take(const char *drive, const char *flash, uint64_t size, GError **error)
{
    BlockBackend *blk = block_find(drive);

    if (blk == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN, "drive '%s' is not known", drive);
        return NULL;
    }
    if (block_length(blk) != size) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "drive '%s' has %" G_GUINT64_FORMAT " bytes, but flash '%s' needs exactly "
                    "%" G_GUINT64_FORMAT,
                    drive, block_length(blk), flash, size);
        return NULL;
    }
    return block_claim(blk, flash, error) ? block_ref(blk) : NULL;
}

void flash_drive_release(BlockBackend **blk)
{
    if (*blk != NULL) {
        block_release(*blk);
        g_clear_pointer(blk, block_unref);
    }
}

/* The last byte equals the first, and each its neighbour. */
static bool is_zero(const uint8_t *buf, size_t len)
{
    return buf[0] == 0 && memcmp(buf, buf + 1, len - 1) == 0;
}

bool flash_drive_read(BlockBackend *blk, uint8_t *data, uint64_t len, GError **error)
{
    g_autofree uint8_t *buf = g_malloc(READ_CHUNK);

    for (uint64_t at = 0; at < len;) {
        size_t n = MIN(len - at, READ_CHUNK);
        struct iovec iov = { buf, n };
        int err = block_preadv(blk, at, &iov, 1);

        if (err < 0) {
            error_set_errno(error, -err, "drive '%s': cannot read", block_node_name(blk));
            return false;
        }
        if (!is_zero(buf, n)) {
            memcpy(data + at, buf, n);
        }
        at += n;
    }
    return true;
}

int flash_drive_write(BlockBackend *blk, const uint8_t *data, uint64_t offset, uint64_t len)
{
    uint64_t from = offset / BLOCK_SECTOR_SIZE * BLOCK_SECTOR_SIZE;
    uint64_t to = (offset + len + BLOCK_SECTOR_SIZE - 1) / BLOCK_SECTOR_SIZE * BLOCK_SECTOR_SIZE;
    struct iovec iov = { (void *)(data + from), to - from };

    return block_pwritev(blk, from, &iov, 1);
}
