/* SPDX-License-Identifier: GPL-2.0-or-later
 * Little-endian numbers at any address, for formats that are defined by offsets of bytes. What
 * guests and devices share goes by <memory/memory.h>.
 */
#pragma once

#include <stdint.h>

/* len bytes, up to 8. */
static inline uint64_t get_le(const uint8_t *p, unsigned len)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < len; i++) {
        value |= (uint64_t)p[i] << 8 * i;
    }
    return value;
}

static inline uint16_t get_le16(const uint8_t *p)
{
    return get_le(p, 2);
}

static inline uint32_t get_le32(const uint8_t *p)
{
    return get_le(p, 4);
}

static inline uint64_t get_le64(const uint8_t *p)
{
    return get_le(p, 8);
}

static inline void put_le(uint8_t *p, unsigned len, uint64_t value)
{
    for (unsigned i = 0; i < len; i++) {
        p[i] = value >> 8 * i;
    }
}
