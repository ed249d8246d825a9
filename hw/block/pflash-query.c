/* SPDX-License-Identifier: GPL-2.0-or-later
 * The CFI query structure of one chip (JESD68 section 4, and Intel's primary vendor table of JEP137
 * command set 1): how a driver learns size, blocks, voltages, times and buffer without knowing the
 * part.
 */
#include <string.h>

#include "pflash-priv.h"
#include "util/bytes.h"

enum {
    COMMAND_SET_INTEL = 1,
    PRIMARY_TABLE = 0x31,
    /* x16 with x8 fallback (JESD68, device interface codes). */
    INTERFACE_X8_X16 = 2,
    INTERFACE_X8 = 0,
    FEATURE_BLOCK_LOCK = 1 << 5, /* each block by itself, at once */
};

void pflash_make_query(PflashCfi01 *s)
{
    uint8_t *q = s->query;
    unsigned lane_width = s->width / s->lanes;

    memcpy(q + 0x10, "QRY", 3);
    put_le(q + 0x13, 2, COMMAND_SET_INTEL);
    put_le(q + 0x15, 2, PRIMARY_TABLE);
    q[0x1b] = 0x45; /* Vcc 4.5 V to 5.5 V, no Vpp */
    q[0x1c] = 0x55;
    q[0x1f] = 7;  /* typical times as powers of two: 128 us for a word */
    q[0x20] = 7;  /* ... and for a buffer */
    q[0x21] = 10; /* 1 s for a block */
    q[0x23] = 4;  /* the longest is 16 times the typical */
    q[0x24] = 4;
    q[0x25] = 4;
    q[0x27] = g_bit_nth_msf(s->size / s->lanes, -1);
    put_le(q + 0x28, 2, lane_width == 1 ? INTERFACE_X8 : INTERFACE_X8_X16);
    put_le(q + 0x2a, 2, PFLASH_BUFFER_LOG2);
    q[0x2c] = 1; /* one region of equal blocks */
    put_le(q + 0x2d, 2, s->num_blocks - 1);
    put_le(q + 0x2f, 2, s->sector_length / s->lanes / 256);
    memcpy(q + PRIMARY_TABLE, "PRI10", 5);
    q[0x36] = FEATURE_BLOCK_LOCK;
    put_le(q + 0x3b, 2, 1); /* block status: the lock bit */
    q[0x3d] = 0x50;         /* Vcc 5.0 V */
}
