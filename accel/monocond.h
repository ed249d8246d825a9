/* SPDX-License-Identifier: GPL-2.0-or-later
 * A condition variable with deadlines on the monotonic clock. accel/ uses pthread's locks, not
 * GLib's, because the thread sanitizer cannot see inside GMutex and GCond.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

static inline void monocond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}

/* FALSE: deadline_us (g_get_monotonic_time()) has passed. As any such wait, may end early. */
static inline bool monocond_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock,
                                       int64_t deadline_us)
{
    struct timespec deadline = {
        .tv_sec = deadline_us / 1000000,
        .tv_nsec = deadline_us % 1000000 * 1000,
    };

    return pthread_cond_timedwait(cond, lock, &deadline) == 0;
}
