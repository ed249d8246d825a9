/* SPDX-License-Identifier: GPL-2.0-or-later
 * Events that a management program hears (QMP): devices and back ends say what happened here, the
 * monitor passes it on. Names and members are those of the schema (system/qapi/).
 */
#pragma once

#include <json-glib/json-glib.h>

/* data is taken, may be NULL. Does not block; what the schema rate-limits may be dropped. [any] */
void event_emit(const char *name, JsonObject *data);

typedef void (*EventFn)(const char *name, JsonObject *data, void *opaque); /* data borrowed */
/* The one listener; called in the emitting thread. [main, before threads] */
void event_set_listener(EventFn fn, void *opaque);
