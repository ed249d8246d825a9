/* SPDX-License-Identifier: GPL-2.0-or-later
 * The devices' locks. A thread that holds none simply waits. A thread that already holds one (a
 * device doing DMA into another device) may be part of a circle, so before it sleeps it enters
 * itself in a list and follows "holder of what I want waits for …"; the access that would close the
 * circle is refused. The guest decides where DMA goes, so this must never hang.
 */
#include "memory-priv.h"

/* A thread that holds a lock and waits for another; on its own stack while it waits. */
typedef struct Waiter {
    const MemThread *thread;
    const MemoryLock *wants;
    struct Waiter *next;
} Waiter;

static pthread_mutex_t waiters_lock = PTHREAD_MUTEX_INITIALIZER;
static Waiter *waiters;

static MemThread *lock_holder(const MemoryLock *lock)
{
    return __atomic_load_n((MemThread *const *)&lock->holder, __ATOMIC_ACQUIRE);
}

static void lock_set_holder(MemoryLock *lock, MemThread *t)
{
    __atomic_store_n((MemThread **)&lock->holder, t, __ATOMIC_RELEASE);
}

void memory_lock_init(MemoryLock *lock)
{
    pthread_mutex_init(&lock->mutex, NULL);
    lock->holder = NULL;
}

void memory_lock_destroy(MemoryLock *lock)
{
    pthread_mutex_destroy(&lock->mutex);
}

/* With waiters_lock held. Each step needs a waiter of its own, which also bounds the walk when an
 * entry is a moment out of date. */
static bool waits_for(const MemoryLock *lock, const MemThread *t)
{
    unsigned steps = 0, n_waiters = 0;

    for (const Waiter *w = waiters; w != NULL; w = w->next) {
        n_waiters++;
    }
    while (steps++ <= n_waiters) {
        const MemThread *holder = lock_holder(lock);
        const Waiter *w = waiters;

        if (holder == NULL) {
            return false; /* taken this instant: that thread will see us if it comes to wait */
        }
        if (holder == t) {
            return true;
        }
        while (w != NULL && w->thread != holder) {
            w = w->next;
        }
        if (w == NULL) {
            return false;
        }
        lock = w->wants;
    }
    return false;
}

static void waiter_remove(Waiter *w)
{
    Waiter **p = &waiters;

    while (*p != w) {
        p = &(*p)->next;
    }
    *p = w->next;
}

static bool lock_nested(MemThread *t, MemoryLock *lock, bool may_refuse)
{
    Waiter w = { .thread = t, .wants = lock };

    if (pthread_mutex_trylock(&lock->mutex) == 0) {
        return true;
    }
    pthread_mutex_lock(&waiters_lock);
    if (may_refuse && waits_for(lock, t)) {
        pthread_mutex_unlock(&waiters_lock);
        return false;
    }
    w.next = waiters;
    waiters = &w;
    pthread_mutex_unlock(&waiters_lock);

    pthread_mutex_lock(&lock->mutex);

    pthread_mutex_lock(&waiters_lock);
    waiter_remove(&w);
    pthread_mutex_unlock(&waiters_lock);
    return true;
}

bool mem_lock_enter(MemThread *t, MemoryLock *lock)
{
    if (G_LIKELY(t->n_held == 0)) {
        pthread_mutex_lock(&lock->mutex);
    } else if (!lock_nested(t, lock, true)) {
        return false; /* also the shortest circle: t holds lock itself */
    }
    lock_set_holder(lock, t);
    t->n_held++;
    return true;
}

void mem_lock_leave(MemThread *t, MemoryLock *lock)
{
    t->n_held--;
    lock_set_holder(lock, NULL);
    pthread_mutex_unlock(&lock->mutex);
}

void memory_lock(MemoryLock *lock)
{
    MemThread *t = mem_thread_self();

    if (lock_holder(lock) == t) {
        g_error("memory: a thread takes a device's lock that it holds already");
    }
    if (t->n_held == 0) {
        pthread_mutex_lock(&lock->mutex);
    } else {
        lock_nested(t, lock, false);
    }
    lock_set_holder(lock, t);
    t->n_held++;
}

void memory_unlock(MemoryLock *lock)
{
    MemThread *t = mem_thread_self();

    g_assert(lock_holder(lock) == t);
    mem_lock_leave(t, lock);
}

bool memory_lock_held(const MemoryLock *lock)
{
    return lock_holder(lock) == &mem_thread;
}
