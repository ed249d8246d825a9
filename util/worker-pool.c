/* SPDX-License-Identifier: GPL-2.0-or-later
 * See util/worker-pool.h. One lock for the queue and the counts; it is held for a few instructions.
 */
#include "util/worker-pool.h"

#include <glib.h>
#include <pthread.h>
#include <stdbool.h>

#include "util/error.h"

struct WorkerPool {
    char *name;
    unsigned max;

    pthread_mutex_t lock; /* what follows */
    pthread_cond_t work, idle;
    WorkItem *first, **last;
    GPtrArray *threads; /* of pthread_t * */
    unsigned n_queued, n_waiting, n_running;
    bool stopping;
};

static void *worker(void *opaque)
{
    WorkerPool *pool = opaque;

    pthread_mutex_lock(&pool->lock);
    for (;;) {
        WorkItem *item = pool->first;

        if (item == NULL && pool->stopping) {
            break;
        }
        if (item == NULL) {
            pool->n_waiting++;
            pthread_cond_wait(&pool->work, &pool->lock);
            pool->n_waiting--;
            continue;
        }
        pool->first = item->next;
        if (pool->first == NULL) {
            pool->last = &pool->first;
        }
        pool->n_queued--;
        pool->n_running++;
        pthread_mutex_unlock(&pool->lock);
        item->run(item);
        pthread_mutex_lock(&pool->lock);
        pool->n_running--;
        if (pool->first == NULL && pool->n_running == 0) {
            pthread_cond_broadcast(&pool->idle);
        }
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* [locked] */
static int start_thread(WorkerPool *pool)
{
    pthread_t *thread = g_new(pthread_t, 1);
    int err = pthread_create(thread, NULL, worker, pool);

    if (err != 0) {
        g_free(thread);
        return err;
    }
    pthread_setname_np(*thread, pool->name);
    g_ptr_array_add(pool->threads, thread);
    return 0;
}

WorkerPool *worker_pool_new(const char *name, unsigned max, GError **error)
{
    WorkerPool *pool = g_new0(WorkerPool, 1);
    int err;

    pool->name = g_strndup(name, 15); /* what pthread_setname_np() takes */
    pool->max = max;
    pool->last = &pool->first;
    pool->threads = g_ptr_array_new_with_free_func(g_free);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    pthread_cond_init(&pool->idle, NULL);
    pthread_mutex_lock(&pool->lock);
    err = start_thread(pool);
    pthread_mutex_unlock(&pool->lock);
    if (err != 0) {
        error_set_errno(error, err, "cannot create a worker thread");
        worker_pool_free(pool);
        return NULL;
    }
    return pool;
}

void worker_pool_free(WorkerPool *pool)
{
    if (pool == NULL) {
        return;
    }
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->threads->len; i++) {
        pthread_join(*(pthread_t *)g_ptr_array_index(pool->threads, i), NULL);
    }
    g_ptr_array_unref(pool->threads);
    pthread_cond_destroy(&pool->idle);
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->lock);
    g_free(pool->name);
    g_free(pool);
}

void worker_pool_push(WorkerPool *pool, WorkItem *item)
{
    item->next = NULL;
    pthread_mutex_lock(&pool->lock);
    *pool->last = item;
    pool->last = &item->next;
    pool->n_queued++;
    if (pool->n_queued > pool->n_waiting && pool->threads->len < pool->max) {
        start_thread(pool); /* if the host gives none, those that are there do it */
    }
    pthread_cond_signal(&pool->work);
    pthread_mutex_unlock(&pool->lock);
}

void worker_pool_drain(WorkerPool *pool)
{
    pthread_mutex_lock(&pool->lock);
    while (pool->first != NULL || pool->n_running > 0) {
        pthread_cond_wait(&pool->idle, &pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
}
