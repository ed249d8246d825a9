/* SPDX-License-Identifier: GPL-2.0-or-later
 * A drive that is the content of a flash, whoever shows the guest that flash: found, measured and
 * taken; read, and written in whole sectors. [main], or with the flash's lock
 */
#pragma once

#include "block/block.h"

/* The drive of that name or id, for the flash alone; a new reference. NULL: *error, and it is
 * unknown (UNKNOWN), of another size (RANGE) or in use (CONFLICT). */
BlockBackend *flash_drive_take(const char *drive, const char *flash, uint64_t size, GError **error);
void flash_drive_release(BlockBackend **blk); /* NULL in it is fine */
/* The first len bytes, whole sectors, to data, which is zeroes: pages of zeroes stay untouched. */
bool flash_drive_read(BlockBackend *blk, uint8_t *data, uint64_t len, GError **error);
/* Brings the sectors around a change to the drive. data is the content; 0 or -errno. */
int flash_drive_write(BlockBackend *blk, const uint8_t *data, uint64_t offset, uint64_t len);
