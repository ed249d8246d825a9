/* SPDX-License-Identifier: GPL-2.0-or-later
 * liburcu (memb) as memory/ uses it: inlined read sections, publication as C11-style atomics, and
 * the happens-before edges that the thread sanitizer cannot see because liburcu itself is not
 * instrumented.
 */
#pragma once

#if defined(__SANITIZE_THREAD__)
#define MEM_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define MEM_TSAN 1
#endif
#endif

/* Inline read_lock/unlock, for LGPL-compatible sources, which this is. Not where the sanitizer
 * would see one half of what liburcu does with its own variables. */
#ifndef MEM_TSAN
#define _LGPL_SOURCE
#endif
#include <urcu/urcu-memb.h>

#ifdef MEM_TSAN
void __tsan_acquire(void *addr);
void __tsan_release(void *addr);
#define MEM_HB_BEFORE(p) __tsan_release(p)
#define MEM_HB_AFTER(p)  __tsan_acquire(p)
#else
#define MEM_HB_BEFORE(p) ((void)(p))
#define MEM_HB_AFTER(p)  ((void)(p))
#endif

/* Stands for "every read section that ended so far"; only its address matters. */
extern char mem_rcu_readers;

static inline void mem_rcu_read_lock(void)
{
    urcu_memb_read_lock();
}

static inline void mem_rcu_read_unlock(void)
{
    MEM_HB_BEFORE(&mem_rcu_readers);
    urcu_memb_read_unlock();
}

/* What rcu_assign_pointer() and rcu_dereference() mean, spelled as atomics: the sanitizer
 * understands these, and the code is the same on x86 and one acquire load on arm64. */
#define mem_rcu_publish(pp, v)  __atomic_store_n((pp), (v), __ATOMIC_RELEASE)
#define mem_rcu_dereference(pp) __atomic_load_n((pp), __ATOMIC_ACQUIRE)

static inline void mem_rcu_synchronize(void)
{
    urcu_memb_synchronize_rcu();
    MEM_HB_AFTER(&mem_rcu_readers);
}
