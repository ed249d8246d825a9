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
