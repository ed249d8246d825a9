/* SPDX-License-Identifier: GPL-2.0-or-later
 * Which input device gets which event.
 */
#include "display/input.h"

#include <glib.h>
#include <linux/input-event-codes.h>

typedef struct {
    unsigned reports, events;
    InputEvent last;
} Heard;

static void hear(void *opaque, const InputEvent *events, unsigned n)
{
    Heard *h = opaque;

    g_assert_cmpuint(n, >, 0);
    h->reports++;
    h->events += n;
    h->last = events[n - 1];
}

static void keys_go_to_the_keyboard_made_last(void)
{
    Heard old = {}, new = {}, mouse = {};
    InputSink *a = input_sink_new(INPUT_KEYS, hear, &old);
    InputSink *b = input_sink_new(INPUT_KEYS, hear, &new);
    InputSink *c = input_sink_new(INPUT_REL, hear, &mouse);

    input_send(&(InputEvent){ EV_KEY, KEY_A, 1 }, 1);
    g_assert_cmpuint(new.events, ==, 1);
    g_assert_cmpint(new.last.code, ==, KEY_A);
    input_sink_free(b);
    input_send(&(InputEvent){ EV_KEY, KEY_A, 0 }, 1);
    g_assert_cmpuint(old.events, ==, 1);
    g_assert_cmpuint(mouse.events, ==, 0);
    input_sink_free(a);
    input_sink_free(c);
}

static void buttons_go_with_the_pointer(void)
{
    static const InputEvent events[] = { { EV_ABS, ABS_X, 5 },
                                         { EV_ABS, ABS_Y, 6 },
                                         { EV_KEY, BTN_LEFT, 1 },
                                         { EV_REL, REL_WHEEL, 1 } };
    Heard keys = {}, tablet = {}, mouse = {};
    InputSink *a = input_sink_new(INPUT_KEYS, hear, &keys);
    InputSink *b = input_sink_new(INPUT_ABS, hear, &tablet);
    InputSink *c = input_sink_new(INPUT_REL, hear, &mouse);

    g_assert_cmpuint(input_pointer(), ==, INPUT_ABS);
    input_send(events, G_N_ELEMENTS(events));
    g_assert_cmpuint(tablet.reports, ==, 1);
    g_assert_cmpuint(tablet.events, ==, 4);
    input_sink_free(b);
    g_assert_cmpuint(input_pointer(), ==, INPUT_REL);
    input_send(events, G_N_ELEMENTS(events));
    g_assert_cmpuint(mouse.events, ==, 2);
    g_assert_cmpuint(keys.events, ==, 0);
    input_sink_free(a);
    input_sink_free(c);
}

static void without_a_sink_nothing_happens(void)
{
    g_assert_cmpuint(input_pointer(), ==, 0);
    input_send(&(InputEvent){ EV_KEY, KEY_A, 1 }, 1);
    input_send(&(InputEvent){ EV_KEY, BTN_LEFT, 1 }, 1);
    input_send(&(InputEvent){ 77, 77, 77 }, 1);
    input_send(NULL, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/input/keys-go-to-the-keyboard-made-last", keys_go_to_the_keyboard_made_last);
    g_test_add_func("/input/buttons-go-with-the-pointer", buttons_go_with_the_pointer);
    g_test_add_func("/input/without-a-sink-nothing-happens", without_a_sink_nothing_happens);
    return g_test_run();
}
