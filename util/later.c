/* SPDX-License-Identifier: GPL-2.0-or-later
 * See later.h.
 */
#include "util/later.h"

#include <pthread.h>

typedef struct {
    void (*fn)(void *data);
    void *data;
    GDestroyNotify destroy;
} Call;

/* Held until the source is attached: who gets it afterwards has all of it. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static gboolean run(gpointer opaque)
{
    Call *call = opaque;

    pthread_mutex_lock(&lock);
    pthread_mutex_unlock(&lock);
    call->fn(call->data);
    return G_SOURCE_REMOVE;
}

static void drop(gpointer opaque)
{
    Call *call = opaque;

    pthread_mutex_lock(&lock);
    pthread_mutex_unlock(&lock);
    if (call->destroy != NULL) {
        call->destroy(call->data);
    }
    g_free(call);
}

void later(GMainContext *context, void (*fn)(void *data), void *data, GDestroyNotify destroy)
{
    Call *call = g_new(Call, 1);
    GSource *source;

    *call = (Call){ fn, data, destroy };
    pthread_mutex_lock(&lock);
    source = g_idle_source_new();
    g_source_set_priority(source, G_PRIORITY_DEFAULT);
    g_source_set_callback(source, run, call, drop);
    g_source_attach(source, context);
    g_source_unref(source);
    pthread_mutex_unlock(&lock);
}
