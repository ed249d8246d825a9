/* SPDX-License-Identifier: GPL-2.0-or-later
 * Keyboard and pointer input on its way from displays (VNC, QMP) to input devices. An event is what
 * Linux' evdev calls it: types EV_KEY, EV_REL, EV_ABS with their codes (linux/input-event-codes.h),
 * without EV_SYN: one call of input_send() is one report.
 *
 * A sink is a device that takes a kind of events; of several the one made last gets them. Threads:
 * [main] only.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
    INPUT_KEYS = 1, /* EV_KEY below and above the mouse buttons */
    INPUT_REL = 2,  /* EV_REL REL_X, REL_Y, REL_WHEEL, and mouse buttons */
    INPUT_ABS = 4,  /* EV_ABS ABS_X, ABS_Y from 0 to INPUT_ABS_MAX, REL_WHEEL, mouse buttons */
};
enum { INPUT_ABS_MAX = 0x7fff };

typedef struct {
    uint16_t type, code;
    int32_t value; /* EV_KEY: 1 pressed, 0 released */
} InputEvent;

typedef struct InputSink InputSink;
typedef void (*InputFn)(void *opaque, const InputEvent *events, unsigned n); /* n > 0 */

/* kinds: what the device takes, or'd. */
InputSink *input_sink_new(unsigned kinds, InputFn fn, void *opaque);
void input_sink_free(InputSink *sink); /* NULL is fine */

/* Gives each event to the sink that takes it; those nobody takes are dropped. Pointer movement and
 * buttons go to the same sink: an INPUT_ABS one if there is one. */
void input_send(const InputEvent *events, unsigned n);
/* The key of a name ("ret", "ctrl_r") or number (what a PC's keyboard sends) of the monitor's; 0
 * (KEY_RESERVED): there is none. [any] */
uint16_t input_key_by_name(const char *name);
uint16_t input_key_by_number(uint64_t number);
/* Which kind of pointer wants to be moved: INPUT_ABS, INPUT_REL or 0. */
unsigned input_pointer(void);
