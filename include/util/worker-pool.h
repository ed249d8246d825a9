/* SPDX-License-Identifier: GPL-2.0-or-later
 * Threads for host calls that block: as many as there is work for, up to a bound. Work begins in
 * the order in which it was pushed. (Not GThreadPool: the thread sanitizer cannot see inside
 * GMutex.)
 */
#pragma once

#include <glib.h>

typedef struct WorkerPool WorkerPool;

/* Part of the caller's own structure. */
typedef struct WorkItem WorkItem;
struct WorkItem {
    void (*run)(WorkItem *item); /* in a thread of the pool; item is the caller's again */
    WorkItem *next;              /* internal */
};

/* max > 0. One thread is started here, the others when they are needed. NULL: HOST error. */
WorkerPool *worker_pool_new(const char *name, unsigned max, GError **error);
/* Waits until all work is done. NULL is fine. */
void worker_pool_free(WorkerPool *pool);
/* [any] Does not block. */
void worker_pool_push(WorkerPool *pool, WorkItem *item);
/* Returns when nothing is queued or running. [any but the pool's threads] */
void worker_pool_drain(WorkerPool *pool);
