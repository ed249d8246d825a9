/* SPDX-License-Identifier: GPL-2.0-or-later
 * Giving the host back pages that a guest said it does not need (balloon, free page reporting).
 * What was there is lost; the next touch finds zeroes in a fresh page. Never where a hypervisor
 * holds on to the pages themselves: it would go on with the old ones and the host with new ones.
 */
#include "memory/memory.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

static gint inhibited; /* atomic: how many hold on to pages */

static pthread_mutex_t gate_lock = PTHREAD_MUTEX_INITIALIZER;
static MemoryDiscardFn gate;
static void *gate_opaque;

void memory_discard_set_gate(MemoryDiscardFn fn, void *opaque)
{
    pthread_mutex_lock(&gate_lock);
    g_assert(fn == NULL || gate == NULL);
    gate = fn;
    gate_opaque = opaque;
    pthread_mutex_unlock(&gate_lock);
}

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

/* MADV_REMOVE punches a hole into a shared file or memfd; private memory has no file to punch
 * (EACCES, EINVAL) and is dropped. */
static bool drop(void *host, uint64_t len)
{
    return madvise(host, len, MADV_REMOVE) == 0 ||
           ((errno == EACCES || errno == EINVAL) && madvise(host, len, MADV_DONTNEED) == 0);
}

uint64_t memory_discard(void *host, uint64_t len)
{
    uintptr_t page = sysconf(_SC_PAGESIZE);
    uintptr_t first, end;
    bool given;

    if (memory_discard_is_inhibited() || len > UINTPTR_MAX - (uintptr_t)host) {
        return 0;
    }
    first = ((uintptr_t)host + page - 1) & ~(page - 1);
    end = ((uintptr_t)host + len) & ~(page - 1);
    if (first >= end) {
        return 0;
    }
    pthread_mutex_lock(&gate_lock);
    given = (gate == NULL || gate(gate_opaque, (void *)first, end - first)) &&
            drop((void *)first, end - first);
    pthread_mutex_unlock(&gate_lock);
    return given ? end - first : 0;
}
