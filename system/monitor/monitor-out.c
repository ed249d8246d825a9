/* SPDX-License-Identifier: GPL-2.0-or-later
 * Bytes to a client that may read slowly or not at all: what does not go at once waits here
 * and goes when the chardev says so. Nobody ever waits for a client.
 */
#include "monitor-out.h"

#include <pthread.h>
#include <stdbool.h>

enum {
    FULL = 1 << 20,      /* no more commands are run */
    OVERFULL = 16 << 20, /* events are left out */
};

struct MonitorOut {
    Chardev *chr;
    GMainContext *context;
    void (*drained)(void *opaque);
    void *opaque;
    pthread_mutex_t lock;
    GString *waiting; /* from sent on */
    size_t sent;
    GSource *source;
};

MonitorOut *monitor_out_new(Chardev *chr, GMainContext *context, void (*drained)(void *),
                            void *opaque)
{
    MonitorOut *out = g_new0(MonitorOut, 1);

    out->chr = chr;
    out->context = context;
    out->drained = drained;
    out->opaque = opaque;
    out->waiting = g_string_new(NULL);
    pthread_mutex_init(&out->lock, NULL);
    return out;
}

static void forget(MonitorOut *out)
{
    g_string_set_size(out->waiting, 0);
    out->sent = 0;
    if (out->source != NULL) {
        g_source_destroy(out->source);
        g_clear_pointer(&out->source, g_source_unref);
    }
}

void monitor_out_reset(MonitorOut *out)
{
    pthread_mutex_lock(&out->lock);
    forget(out);
    pthread_mutex_unlock(&out->lock);
}

void monitor_out_free(MonitorOut *out)
{
    forget(out);
    g_string_free(out->waiting, TRUE);
    pthread_mutex_destroy(&out->lock);
    g_free(out);
}

static size_t backlog(const MonitorOut *out)
{
    return out->waiting->len - out->sent;
}

static void write_some(MonitorOut *out)
{
    out->sent += chardev_try_write(out->chr, out->waiting->str + out->sent, backlog(out));
    if (out->sent == out->waiting->len) {
        out->sent = 0;
        g_string_set_size(out->waiting, 0);
    } else if (out->sent > FULL) {
        g_string_erase(out->waiting, 0, out->sent);
        out->sent = 0;
    }
}

static gboolean writable(int fd, GIOCondition condition, gpointer data)
{
    MonitorOut *out = data;
    bool was_full, is_full, more;

    pthread_mutex_lock(&out->lock);
    if (out->source != g_main_current_source()) {
        pthread_mutex_unlock(&out->lock);
        return G_SOURCE_REMOVE; /* of a client that is gone */
    }
    was_full = backlog(out) >= FULL;
    if (condition & (G_IO_HUP | G_IO_ERR)) {
        g_string_set_size(out->waiting, 0);
        out->sent = 0;
    } else {
        write_some(out);
    }
    is_full = backlog(out) >= FULL;
    more = backlog(out) > 0;
    if (!more) {
        g_clear_pointer(&out->source, g_source_unref);
    }
    pthread_mutex_unlock(&out->lock);
    if (was_full && !is_full && out->drained != NULL) {
        out->drained(out->opaque);
    }
    return more ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

void monitor_out_send(MonitorOut *out, const char *text, size_t len)
{
    pthread_mutex_lock(&out->lock);
    if (out->source == NULL) { /* nothing waits */
        size_t n = chardev_try_write(out->chr, text, len);

        text += n;
        len -= n;
    }
    g_string_append_len(out->waiting, text, len);
    if (out->source == NULL && backlog(out) > 0) {
        out->source = chardev_output_source(out->chr);
        if (out->source == NULL) {
            forget(out); /* nobody will ever read it */
        } else {
            g_source_set_callback(out->source, G_SOURCE_FUNC(writable), out, NULL);
            g_source_attach(out->source, out->context);
        }
    }
    pthread_mutex_unlock(&out->lock);
}

bool monitor_out_is_full(MonitorOut *out)
{
    bool full;

    pthread_mutex_lock(&out->lock);
    full = backlog(out) >= FULL;
    pthread_mutex_unlock(&out->lock);
    return full;
}

bool monitor_out_is_overfull(MonitorOut *out)
{
    bool overfull;

    pthread_mutex_lock(&out->lock);
    overfull = backlog(out) >= OVERFULL;
    pthread_mutex_unlock(&out->lock);
    return overfull;
}
