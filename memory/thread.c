/* SPDX-License-Identifier: GPL-2.0-or-later
 * What each accessing thread keeps to itself: its liburcu registration, its last hits, the regions
 * it is inside, its counters. Nothing here is written by two threads, so accesses of different
 * threads share no written cache line.
 */
#include "memory-priv.h"

char mem_rcu_readers;
_Thread_local MemThread mem_thread;

static pthread_mutex_t threads_lock = PTHREAD_MUTEX_INITIALIZER;
static MemThread *threads;
static uint64_t gone_unassigned_reads, gone_unassigned_writes;
static pthread_key_t thread_key;
static pthread_once_t thread_key_once = PTHREAD_ONCE_INIT;

static void thread_leave(MemThread *t)
{
    if (!t->registered) {
        return;
    }
    pthread_mutex_lock(&threads_lock);
    *t->prev = t->next;
    if (t->next != NULL) {
        t->next->prev = t->prev;
    }
    gone_unassigned_reads += t->unassigned_reads;
    gone_unassigned_writes += t->unassigned_writes;
    t->unassigned_reads = t->unassigned_writes = 0;
    pthread_mutex_unlock(&threads_lock);
    if (!t->adopted) {
        urcu_memb_unregister_thread();
    }
    t->registered = false;
}

static void thread_key_destroyed(void *t)
{
    thread_leave(t);
}

static void thread_key_make(void)
{
    if (pthread_key_create(&thread_key, thread_key_destroyed) != 0) {
        g_error("memory: no thread-specific key left");
    }
}

static void thread_join(MemThread *t, bool adopt)
{
    if (t->registered) {
        return;
    }
    pthread_once(&thread_key_once, thread_key_make);
    /* A thread that ends without unregistering would leave liburcu a pointer into its TLS. */
    if (pthread_setspecific(thread_key, t) != 0) {
        g_error("memory: no memory to register a thread");
    }
    t->adopted = adopt;
    if (!adopt) {
        urcu_memb_register_thread();
    }
    pthread_mutex_lock(&threads_lock);
    t->next = threads;
    t->prev = &threads;
    if (threads != NULL) {
        threads->prev = &t->next;
    }
    threads = t;
    pthread_mutex_unlock(&threads_lock);
    t->registered = true;
}

void mem_thread_register_self(void)
{
    thread_join(&mem_thread, false);
}

void mem_thread_adopt_self(void)
{
    thread_join(&mem_thread, true);
}

void memory_thread_register(void)
{
    mem_thread_register_self();
}

void memory_thread_unregister(void)
{
    g_assert(mem_thread.depth == 0);
    thread_leave(&mem_thread);
}

uint64_t memory_unassigned_reads(void)
{
    uint64_t sum;

    pthread_mutex_lock(&threads_lock);
    sum = gone_unassigned_reads;
    for (MemThread *t = threads; t != NULL; t = t->next) {
        sum += __atomic_load_n(&t->unassigned_reads, __ATOMIC_RELAXED);
    }
    pthread_mutex_unlock(&threads_lock);
    return sum;
}

uint64_t memory_unassigned_writes(void)
{
    uint64_t sum;

    pthread_mutex_lock(&threads_lock);
    sum = gone_unassigned_writes;
    for (MemThread *t = threads; t != NULL; t = t->next) {
        sum += __atomic_load_n(&t->unassigned_writes, __ATOMIC_RELAXED);
    }
    pthread_mutex_unlock(&threads_lock);
    return sum;
}
