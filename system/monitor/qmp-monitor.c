/* SPDX-License-Identifier: GPL-2.0-or-later
 * A QMP connection: bytes in, requests in a queue, replies out. Reading, parsing, exec-oob and the
 * commands that any thread may run are done in the monitors' thread; the others wait in the queue
 * for the main thread, in the order they came. What the client sends faster than it is run is not
 * read.
 *
 * Lock order: the monitor's lock, then the output's.
 */
#include "qmp-monitor.h"

#include <pthread.h>

#include "json-stream.h"
#include "monitor-out.h"
#include "qmp-request.h"
#include "util/error.h"
#include "util/trace.h"

enum {
    QUEUE_FULL = 8, /* requests; those of one read may be added to it */
    READ_SIZE = 4096,
};

struct QmpMonitor {
    Chardev *chr;
    bool pretty;
    bool has_oob;
    JsonStream *parser; /* of the reading thread; of [main] while nobody is connected */
    MonitorOut *out;

    pthread_mutex_t lock;
    QmpRules rules;  /* but for preconfig */
    GQueue requests; /* of QmpRequest, not yet run */
    bool busy;       /* [main] runs one */
    unsigned client; /* counts connections */
};

static void send_message(QmpMonitor *mon, JsonNode *message)
{
    size_t len;
    g_autofree char *text = qmp_text(message, mon->pretty, &len);

    TRACE(monitor_qmp_respond, "%s: %s", chardev_id(mon->chr), text);
    monitor_out_send(mon->out, text, len);
    json_node_unref(message);
}

/* ---- requests ---- */

static QmpRules current_rules(QmpMonitor *mon)
{
    QmpRules rules = mon->rules;

    rules.preconfig = monitors_phase() == MONITOR_PRECONFIG;
    return rules;
}

/* TRUE: r need not wait for the main thread. [lock held] */
static bool runs_here(QmpMonitor *mon, const QmpRequest *r)
{
    const QmpCommand *command;

    if (r->error != NULL) {
        return false;
    }
    if (r->oob) {
        return true;
    }
    if (mon->busy || !g_queue_is_empty(&mon->requests) || !mon->rules.negotiated ||
        monitors_phase() == MONITOR_WAIT) {
        return false;
    }
    command = qmp_command_find(r->name);
    return command != NULL && (command->flags & QMP_ANY_THREAD);
}

static void take_request(void *opaque, JsonNode *node, GError *error)
{
    QmpMonitor *mon = opaque;
    g_autoptr(QmpRequest) request = qmp_request_new(node, error);
    QmpRules rules;
    bool here;

    pthread_mutex_lock(&mon->lock);
    here = runs_here(mon, request);
    rules = current_rules(mon);
    if (!here) {
        g_queue_push_tail(&mon->requests, g_steal_pointer(&request));
    }
    pthread_mutex_unlock(&mon->lock);
    if (here) {
        send_message(mon, qmp_request_run(request, &rules));
    } else {
        monitor_kick();
    }
}

/* The next request, which mon is then busy with, or NULL. */
static QmpRequest *next_request(QmpMonitor *mon, QmpRules *rules, unsigned *client)
{
    QmpRequest *request = NULL;

    pthread_mutex_lock(&mon->lock);
    if (!mon->busy && !monitor_out_is_full(mon->out)) {
        request = g_queue_pop_head(&mon->requests);
    }
    mon->busy |= request != NULL;
    *rules = current_rules(mon);
    *client = mon->client;
    pthread_mutex_unlock(&mon->lock);
    return request;
}

bool qmp_monitor_run_one(QmpMonitor *mon)
{
    QmpRules rules;
    unsigned client;
    g_autoptr(QmpRequest) request = next_request(mon, &rules, &client);
    JsonNode *reply;
    bool same;

    if (request == NULL) {
        return false;
    }
    reply = qmp_request_run(request, &rules);
    pthread_mutex_lock(&mon->lock);
    same = mon->client == client;
    if (same) {
        send_message(mon, reply); /* under the lock: a later reply does not overtake it */
    }
    mon->busy = false;
    pthread_mutex_unlock(&mon->lock);
    if (!same) {
        json_node_unref(reply);
    }
    chardev_accept_input(mon->chr);
    return true;
}

bool qmp_monitor_negotiate(QmpMonitor *mon, bool oob, GError **error)
{
    if (oob && !mon->has_oob) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "argument 'enable': this monitor has no capability 'oob'");
        return false;
    }
    pthread_mutex_lock(&mon->lock);
    mon->rules.negotiated = true;
    mon->rules.oob = oob;
    pthread_mutex_unlock(&mon->lock);
    return true;
}

Chardev *qmp_monitor_chardev(QmpMonitor *mon)
{
    return mon->chr;
}

void qmp_monitor_send_event(QmpMonitor *mon, const QmpEventText *text)
{
    bool wants;

    pthread_mutex_lock(&mon->lock);
    wants = mon->rules.negotiated;
    pthread_mutex_unlock(&mon->lock);
    if (!wants) {
        return;
    }
    if (monitor_out_is_overfull(mon->out)) {
        g_debug("chardev '%s': the client does not read, an event is left out",
                chardev_id(mon->chr));
        return;
    }
    monitor_out_send(mon->out, mon->pretty ? text->pretty : text->plain,
                     mon->pretty ? text->pretty_len : text->plain_len);
}

/* ---- the chardev's front end ---- */

static size_t can_receive(void *opaque)
{
    QmpMonitor *mon = opaque;
    bool room;

    pthread_mutex_lock(&mon->lock);
    room = mon->requests.length < QUEUE_FULL && !monitor_out_is_full(mon->out);
    pthread_mutex_unlock(&mon->lock);
    return room ? READ_SIZE : 0;
}

static void receive(void *opaque, const uint8_t *buf, size_t len)
{
    QmpMonitor *mon = opaque;

    json_stream_feed(mon->parser, buf, len);
}

static void forget_client(QmpMonitor *mon)
{
    pthread_mutex_lock(&mon->lock);
    mon->client++;
    mon->rules = (QmpRules){};
    g_queue_clear_full(&mon->requests, (GDestroyNotify)qmp_request_free);
    monitor_out_reset(mon->out);
    pthread_mutex_unlock(&mon->lock);
}

static void event(void *opaque, ChardevEvent what)
{
    QmpMonitor *mon = opaque;

    switch (what) {
    case CHARDEV_OPENED:
        forget_client(mon);
        json_stream_reset(mon->parser);
        send_message(mon, qmp_greeting(mon->has_oob));
        break;
    case CHARDEV_CLOSED:
        forget_client(mon);
        break;
    case CHARDEV_BREAK:
    case CHARDEV_FOCUS:
    case CHARDEV_BLURRED:
    case CHARDEV_RESIZED:
        break;
    }
}

static const ChardevFrontend frontend = {
    .can_receive = can_receive,
    .receive = receive,
    .event = event,
};

/* ---- life ---- */

static void drained(void *opaque)
{
    QmpMonitor *mon = opaque;

    monitor_kick();
    chardev_accept_input(mon->chr);
}

QmpMonitor *qmp_monitor_new(Chardev *chr, bool pretty, GMainContext *context, GError **error)
{
    QmpMonitor *mon = g_new0(QmpMonitor, 1);

    mon->chr = chr;
    mon->pretty = pretty;
    mon->has_oob = !chardev_is_mux(chr);
    mon->parser = json_stream_new(take_request, mon);
    mon->out = monitor_out_new(chr, mon->has_oob ? context : NULL, drained, mon);
    pthread_mutex_init(&mon->lock, NULL);
    g_queue_init(&mon->requests);
    if (mon->has_oob) {
        chardev_set_context(chr, context);
    }
    chardev_keep_fds(chr);
    if (!chardev_attach(chr, &frontend, mon, error)) {
        mon->chr = NULL;
        qmp_monitor_free(mon);
        return NULL;
    }
    return mon;
}

void qmp_monitor_free(QmpMonitor *mon)
{
    if (mon->chr != NULL) {
        chardev_detach(mon->chr);
    }
    forget_client(mon);
    monitor_out_free(mon->out);
    json_stream_free(mon->parser);
    pthread_mutex_destroy(&mon->lock);
    g_free(mon);
}
