/* SPDX-License-Identifier: GPL-2.0-or-later
 * A QMP connection on a chardev, one client after the other. For monitor.c and events.c.
 */
#pragma once

#include <json-glib/json-glib.h>

#include "monitor.h"

typedef struct QmpMonitor QmpMonitor;

/* context: of the monitors' thread; not used with a mux, which is served in the main thread and
 * offers no exec-oob. NULL: chr is in use. */
QmpMonitor *qmp_monitor_new(Chardev *chr, bool pretty, GMainContext *context, GError **error);
/* The context's thread has ended. */
void qmp_monitor_free(QmpMonitor *mon);

/* Runs one request that waits, if there is one and the client reads its replies. [main] */
bool qmp_monitor_run_one(QmpMonitor *mon);
/* The capabilities that the client asked for. FALSE: mon has no such. [main] */
bool qmp_monitor_negotiate(QmpMonitor *mon, bool oob, GError **error);
Chardev *qmp_monitor_chardev(QmpMonitor *mon);
/* Sends an event if the client has negotiated; text is the two forms of it. [any] */
typedef struct {
    const char *plain, *pretty;
    size_t plain_len, pretty_len;
} QmpEventText;
void qmp_monitor_send_event(QmpMonitor *mon, const QmpEventText *text);

/* ---- monitor.c ---- */
/* Whose command [main] runs, or NULL. */
QmpMonitor *monitor_current(void);
void monitor_foreach(void (*fn)(QmpMonitor *mon, void *opaque), void *opaque); /* [any] */
/* Some monitor has something to run. [any] */
void monitor_kick(void);

/* ---- qmp-out.c: bytes on their way to the client ---- */
typedef struct QmpOut QmpOut;

/* drained: [any] called when the backlog has fallen below the limit again. */
QmpOut *qmp_out_new(Chardev *chr, GMainContext *context, void (*drained)(void *), void *opaque);
void qmp_out_free(QmpOut *out);
void qmp_out_send(QmpOut *out, const char *text, size_t len); /* [any] */
/* The client does not read: give it nothing more to answer. [any] */
bool qmp_out_is_full(QmpOut *out);
/* Far too much waits: events are better left out. [any] */
bool qmp_out_is_overfull(QmpOut *out);
void qmp_out_reset(QmpOut *out); /* a new client */
