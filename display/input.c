/* SPDX-License-Identifier: GPL-2.0-or-later
 * Which input device gets which event. What events mean to a guest is the device's business.
 */
#include "display/input.h"

#include <glib.h>
#include <linux/input-event-codes.h>

enum { REPORT_MAX = 32 };

struct InputSink {
    unsigned kinds;
    InputFn fn;
    void *opaque;
};

static GPtrArray *sinks; /* of InputSink, borrowed; the last made is the last */

InputSink *input_sink_new(unsigned kinds, InputFn fn, void *opaque)
{
    InputSink *sink = g_new(InputSink, 1);

    *sink = (InputSink){ kinds, fn, opaque };
    if (sinks == NULL) {
        sinks = g_ptr_array_new();
    }
    g_ptr_array_add(sinks, sink);
    return sink;
}

void input_sink_free(InputSink *sink)
{
    if (sink != NULL) {
        g_ptr_array_remove(sinks, sink);
        g_free(sink);
    }
}

static InputSink *sink_for(unsigned kind)
{
    for (unsigned i = sinks != NULL ? sinks->len : 0; i-- > 0;) {
        InputSink *sink = g_ptr_array_index(sinks, i);

        if (sink->kinds & kind) {
            return sink;
        }
    }
    return NULL;
}

unsigned input_pointer(void)
{
    return sink_for(INPUT_ABS) != NULL ? INPUT_ABS : sink_for(INPUT_REL) != NULL ? INPUT_REL : 0;
}

static bool is_button(const InputEvent *event)
{
    return event->type == EV_KEY && event->code >= BTN_MOUSE && event->code < BTN_JOYSTICK;
}

/* The kind of sink that takes event; 0: none. */
static unsigned kind_of(const InputEvent *event, unsigned pointer)
{
    if (event->type == EV_KEY) {
        return is_button(event) ? pointer : INPUT_KEYS;
    }
    if (event->type == EV_ABS) {
        return INPUT_ABS;
    }
    return event->type == EV_REL && event->code == REL_WHEEL ? pointer : INPUT_REL;
}

static void report(unsigned kind, const InputEvent *events, unsigned n)
{
    InputSink *sink = kind != 0 && n > 0 ? sink_for(kind) : NULL;

    if (sink != NULL) {
        sink->fn(sink->opaque, events, n);
    }
}

void input_send(const InputEvent *events, unsigned n)
{
    unsigned pointer = input_pointer(), kind = 0, first = 0;

    for (unsigned i = 0; i < n; i++) {
        unsigned next = kind_of(&events[i], pointer);

        if (next != kind || i - first == REPORT_MAX) {
            report(kind, events + first, i - first);
            kind = next;
            first = i;
        }
    }
    report(kind, events + first, n - first);
}
