/* SPDX-License-Identifier: GPL-2.0-or-later
 * The content of a flash: guest-visible memory, and the drive behind it. Changes go to both before
 * the chip says that it is ready.
 */
#include <string.h>

#include "hw/block/flash-drive.h"
#include "pflash-priv.h"

bool pflash_open(PflashCfi01 *s, GError **error)
{
    if (s->drive == NULL) {
        return true;
    }
    s->blk = flash_drive_take(s->drive, s->name, s->size, error);
    if (s->blk == NULL) {
        return false;
    }
    if (!flash_drive_read(s->blk, s->data, s->size, error)) {
        pflash_close(s);
        return false;
    }
    return true;
}

void pflash_close(PflashCfi01 *s)
{
    flash_drive_release(&s->blk);
}

bool pflash_is_writable(PflashCfi01 *s)
{
    return s->blk == NULL || !block_is_read_only(s->blk);
}

static bool write_back(PflashCfi01 *s, uint64_t offset, uint64_t len)
{
    int err = s->blk != NULL ? flash_drive_write(s->blk, s->data, offset, len) : 0;

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
