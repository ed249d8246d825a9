/* SPDX-License-Identifier: GPL-2.0-or-later
 * Where events from devices and back ends meet the one who passes them on. What an event may be
 * called and what is in it is the schema's business, not known here.
 */
#include "util/event.h"

static EventFn listener;
static void *listener_opaque;

void event_set_listener(EventFn fn, void *opaque)
{
    listener = fn;
    listener_opaque = opaque;
}

void event_emit(const char *name, JsonObject *data)
{
    if (listener != NULL) {
        listener(name, data, listener_opaque);
    }
    if (data != NULL) {
        json_object_unref(data);
    }
}
