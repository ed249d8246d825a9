/* SPDX-License-Identifier: GPL-2.0-or-later
 * A store-exclusive as a host compare-and-swap with the value its load-exclusive has seen. Memory
 * decides, so aliases, other vCPUs and device threads are all honoured; a location that changed
 * and changed back in between goes unnoticed, as with every monitor built on compare-and-swap.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

static inline bool exclusive_swap(void *host, unsigned size, uint64_t value, uint64_t expected)
{
    switch (size) {
    case 1: {
        uint8_t old = (uint8_t)expected;

        return __atomic_compare_exchange_n((uint8_t *)host, &old, (uint8_t)value, false,
                                           __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    }
    case 2: {
        uint16_t old = (uint16_t)expected;

        return __atomic_compare_exchange_n((uint16_t *)host, &old, (uint16_t)value, false,
                                           __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    }
    case 4: {
        uint32_t old = (uint32_t)expected;

        return __atomic_compare_exchange_n((uint32_t *)host, &old, (uint32_t)value, false,
                                           __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    }
    default:
        return __atomic_compare_exchange_n((uint64_t *)host, &expected, value, false,
                                           __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    }
}

/* 16 bytes, as two halves, low one first. */
static inline bool exclusive_swap_pair(void *host, const uint64_t value[2],
                                       const uint64_t expected[2])
{
    uint64_t low = expected[0], high = expected[1];
    bool done;

    __asm__ volatile("lock cmpxchg16b %1"
                     : "=@ccz"(done), "+m"(*(unsigned __int128 *)host), "+a"(low), "+d"(high)
                     : "b"(value[0]), "c"(value[1])
                     : "memory");
    return done;
}
