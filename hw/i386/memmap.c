/* SPDX-License-Identifier: GPL-2.0-or-later
 * The list of memory ranges, and its E820 form.
 */
#include "hw/i386/memmap.h"

#include "util/bytes.h"

void x86_memmap_add(X86MemMap *map, uint64_t addr, uint64_t size, X86MemType type)
{
    if (size == 0) {
        return;
    }
    g_assert(map->n < X86_MEM_MAX);
    map->range[map->n++] = (X86MemRange){ addr, size, type };
}

GBytes *x86_memmap_e820(const X86MemMap *map)
{
    uint8_t *bytes = g_malloc0(MAX(map->n, 1) * X86_E820_SIZE);

    for (unsigned i = 0; i < map->n; i++) {
        uint8_t *entry = bytes + i * X86_E820_SIZE;

        put_le(entry, 8, map->range[i].addr);
        put_le(entry + 8, 8, map->range[i].size);
        put_le(entry + 16, 4, map->range[i].type);
    }
    return g_bytes_new_take(bytes, map->n * X86_E820_SIZE);
}
