/* SPDX-License-Identifier: GPL-2.0-or-later
 * Events from event_emit() to every client. The schema limits the rate of some: the first goes at
 * once, of those that follow within the time only the last one, when the time is over.
 */
#include "events.h"

#include <pthread.h>

#include "qapi/qapi.h"
#include "qmp-monitor.h"
#include "qmp-request.h"
#include "util/event.h"
#include "util/trace.h"

/* What is held back, for an event and a value of its key. */
typedef struct {
    const QmpEvent *event;
    char *key;
    JsonObject *data; /* the last one since sent, or NULL */
    bool waiting;     /* something was emitted since */
    gint64 us;        /* when */
    GSource *timer;   /* runs while another one must wait; in the main context */
} Held;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static GHashTable *helds; /* key to Held; under lock */

static void send_to(QmpMonitor *mon, void *text)
{
    qmp_monitor_send_event(mon, text);
}

static void send(const char *name, JsonObject *data, gint64 us)
{
    g_autoptr(JsonNode) message = qmp_event(name, data, us);
    QmpEventText text = {};
    g_autofree char *plain = qmp_text(message, false, &text.plain_len);
    g_autofree char *pretty = qmp_text(message, true, &text.pretty_len);

    TRACE(monitor_protocol_event_emit, "%s", plain);
    text.plain = plain;
    text.pretty = pretty;
    monitor_foreach(send_to, &text);
}

static void held_free(void *opaque)
{
    Held *h = opaque;

    g_clear_pointer(&h->data, json_object_unref);
    if (h->timer != NULL) {
        g_source_destroy(h->timer);
        g_source_unref(h->timer);
    }
    g_free(h->key);
    g_free(h);
}

/* ---- rate limits ---- */

static gboolean time_is_over(gpointer opaque)
{
    Held *h = opaque;
    JsonObject *data = NULL;
    const char *name = h->event->name;
    bool more;
    gint64 us;

    pthread_mutex_lock(&lock);
    more = h->waiting;
    h->waiting = false;
    data = g_steal_pointer(&h->data);
    us = h->us;
    if (!more) {
        g_hash_table_remove(helds, h->key);
    }
    pthread_mutex_unlock(&lock);
    if (more) {
        send(name, data, us);
    }
    g_clear_pointer(&data, json_object_unref);
    return more ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

static char *key_of(const QmpEvent *event, JsonObject *data)
{
    const char *value = "";

    if (event->rate_key != NULL && data != NULL && json_object_has_member(data, event->rate_key)) {
        value = json_object_get_string_member(data, event->rate_key);
    }
    return g_strdup_printf("%s %s", event->name, value);
}

/* TRUE: may be sent now. */
static bool pass(const QmpEvent *event, JsonObject *data, gint64 us)
{
    g_autofree char *key = key_of(event, data);
    Held *h;

    pthread_mutex_lock(&lock);
    h = helds != NULL ? g_hash_table_lookup(helds, key) : NULL;
    if (h != NULL) {
        g_clear_pointer(&h->data, json_object_unref);
        h->data = data != NULL ? json_object_ref(data) : NULL;
        h->waiting = true;
        h->us = us;
    } else if (helds != NULL) {
        h = g_new0(Held, 1);
        h->event = event;
        h->key = g_steal_pointer(&key);
        h->timer = g_timeout_source_new(event->rate_ms);
        g_source_set_callback(h->timer, time_is_over, h, NULL);
        g_hash_table_insert(helds, h->key, h);
        g_source_attach(h->timer, NULL);
        h = NULL;
    }
    pthread_mutex_unlock(&lock);
    return h == NULL;
}

static void hear(const char *name, JsonObject *data, void *opaque)
{
    const QmpEvent *event = qmp_event_find(name);
    gint64 us = g_get_real_time();

    if (event == NULL) {
        g_warning("event %s is not in the schema and was not sent", name);
        return;
    }
    if (event->rate_ms == 0 || pass(event, data, us)) {
        send(name, data, us);
    }
}

/* ---- life ---- */

void events_start(void)
{
    helds = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, held_free);
    event_set_listener(hear, NULL);
}

void events_stop(void)
{
    event_set_listener(NULL, NULL);
    pthread_mutex_lock(&lock);
    g_clear_pointer(&helds, g_hash_table_unref);
    pthread_mutex_unlock(&lock);
}
