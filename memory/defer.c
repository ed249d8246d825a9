/* SPDX-License-Identifier: GPL-2.0-or-later
 * Work that waits for a grace period, and waiting for all of it. liburcu's default reclaim thread
 * takes callbacks in order, so a count tells when everything up to now is done. (rcu_barrier()
 * would do, but the thread sanitizer reports its insides.)
 */
#include "memory-priv.h"

static pthread_mutex_t defer_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t defer_cond = PTHREAD_COND_INITIALIZER;
static uint64_t n_given, n_done;

static void deferred_run(struct rcu_head *head)
{
    MemDeferred *deferred = caa_container_of(head, MemDeferred, rcu);

    mem_thread_adopt_self();
    MEM_HB_AFTER(head);
    MEM_HB_AFTER(&mem_rcu_readers);
    deferred->fn(deferred);
    pthread_mutex_lock(&defer_lock);
    n_done++;
    pthread_cond_broadcast(&defer_cond);
    pthread_mutex_unlock(&defer_lock);
}

void mem_defer(MemDeferred *deferred, void (*fn)(MemDeferred *deferred))
{
    mem_thread_self(); /* call_rcu is for registered readers */
    deferred->fn = fn;
    pthread_mutex_lock(&defer_lock);
    n_given++;
    MEM_HB_BEFORE(&deferred->rcu);
    urcu_memb_call_rcu(&deferred->rcu, deferred_run); /* in the order of the count */
    pthread_mutex_unlock(&defer_lock);
}

void memory_drain(void)
{
    uint64_t upto;

    pthread_mutex_lock(&defer_lock);
    upto = n_given;
    while (n_done < upto) {
        pthread_cond_wait(&defer_cond, &defer_lock);
    }
    pthread_mutex_unlock(&defer_lock);
}
