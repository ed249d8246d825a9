/* SPDX-License-Identifier: GPL-2.0-or-later
 * Bytes on their way to a monitor's client, who may read slowly or not at all.
 */
#pragma once

#include "chardev/chardev.h"

typedef struct MonitorOut MonitorOut;

/* The context serves what waits; NULL: the main one. drained (may be NULL): [any] called when the
 * backlog has fallen below the limit again. */
MonitorOut *monitor_out_new(Chardev *chr, GMainContext *context, void (*drained)(void *),
                            void *opaque);
void monitor_out_free(MonitorOut *out);                               /* what waits is lost */
void monitor_out_send(MonitorOut *out, const char *text, size_t len); /* [any] */
/* The client does not read: give it nothing more to answer. [any] */
bool monitor_out_is_full(MonitorOut *out);
/* Far too much waits: events are better left out. [any] */
bool monitor_out_is_overfull(MonitorOut *out);
void monitor_out_reset(MonitorOut *out); /* a new client */
