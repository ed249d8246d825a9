/* SPDX-License-Identifier: GPL-2.0-or-later
 * A call that can be given up. pthread, because the thread sanitizer cannot see inside GMutex.
 */
#include <errno.h>
#include <pthread.h>

#include "fsdev/fsdev.h"

struct FsCall {
    pthread_mutex_t lock; /* what follows */
    pthread_cond_t changed;
    bool cancelled;
};

FsCall *fs_call_new(void)
{
    FsCall *call = g_new0(FsCall, 1);

    pthread_mutex_init(&call->lock, NULL);
    pthread_cond_init(&call->changed, NULL);
    return call;
}

void fs_call_free(FsCall *call)
{
    if (call != NULL) {
        pthread_cond_destroy(&call->changed);
        pthread_mutex_destroy(&call->lock);
        g_free(call);
    }
}

void fs_call_cancel(FsCall *call)
{
    pthread_mutex_lock(&call->lock);
    call->cancelled = true;
    pthread_cond_broadcast(&call->changed);
    pthread_mutex_unlock(&call->lock);
}

bool fs_call_is_cancelled(FsCall *call)
{
    bool cancelled;

    pthread_mutex_lock(&call->lock);
    cancelled = call->cancelled;
    pthread_mutex_unlock(&call->lock);
    return cancelled;
}

int fs_call_wait(FsCall *call)
{
    pthread_mutex_lock(&call->lock);
    while (!call->cancelled) {
        pthread_cond_wait(&call->changed, &call->lock);
    }
    pthread_mutex_unlock(&call->lock);
    return -EINTR;
}
