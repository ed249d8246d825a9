/* SPDX-License-Identifier: GPL-2.0-or-later
 * Giving the host back pages that a guest said it does not need (balloon, free page reporting).
 * What was there is lost; the next touch finds zeroes in a fresh page. Never where a hypervisor
 * holds on to the pages themselves: it would go on with the old ones and the host with new ones.
 */
#include "memory/memory.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

static gint inhibited; /* atomic: how many hold on to pages */

void memory_discard_inhibit(void)
{
    g_atomic_int_inc(&inhibited);
}

void memory_discard_allow(void)
{
    g_assert(g_atomic_int_get(&inhibited) > 0);
    g_atomic_int_add(&inhibited, -1);
}

bool memory_discard_is_inhibited(void)
{
    return g_atomic_int_get(&inhibited) != 0;
}

uint64_t memory_discard(void *host, uint64_t len)
{
    uintptr_t page = sysconf(_SC_PAGESIZE);
    uintptr_t first, end;

    if (memory_discard_is_inhibited() || len > UINTPTR_MAX - (uintptr_t)host) {
        return 0;
    }
    first = ((uintptr_t)host + page - 1) & ~(page - 1);
    end = ((uintptr_t)host + len) & ~(page - 1);
    if (first >= end) {
        return 0;
    }
    /* MADV_REMOVE punches a hole into a shared file or memfd; private memory has no file to punch
     * (EACCES, EINVAL) and is dropped. */
    if (madvise((void *)first, end - first, MADV_REMOVE) == 0 ||
        ((errno == EACCES || errno == EINVAL) &&
         madvise((void *)first, end - first, MADV_DONTNEED) == 0)) {
        return end - first;
    }
    return 0;
}
