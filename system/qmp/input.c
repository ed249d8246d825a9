/* SPDX-License-Identifier: GPL-2.0-or-later
 * Commands that type and move a pointer.
 */
#include "display/input.h"

#include <linux/input-event-codes.h>
#include <string.h>

#include "hw/core/clock.h"
#include "node.h"
#include "qapi-commands.h"
#include "util/error.h"

enum { MAX_EVENTS = 64, DEFAULT_HOLD_MS = 100, NS_PER_MS = 1000000 };

/* 0: there is no such key. */
static uint16_t key_code(JsonObject *key, GError **error)
{
    bool by_name = strcmp(json_object_get_string_member(key, "type"), "qcode") == 0;
    gint64 number = by_name ? 0 : json_object_get_int_member(key, "data");
    uint16_t code = by_name ? input_key_by_name(json_object_get_string_member(key, "data"))
                            : input_key_by_number(number);

    if (code == KEY_RESERVED) { /* each name of the schema has one */
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "there is no key of number %" G_GINT64_FORMAT, number);
    }
    return code;
}

static bool key_event(InputEvent *out, JsonObject *data, GError **error)
{
    uint16_t code = key_code(json_object_get_object_member(data, "key"), error);

    *out = (InputEvent){ EV_KEY, code, json_object_get_boolean_member(data, "down") };
    return code != KEY_RESERVED;
}

/* A wheel is a button in QMP: its release means nothing. */
static bool button_event(InputEvent *out, JsonObject *data)
{
    static const struct {
        const char *name;
        uint16_t type, code;
        int32_t value;
    } buttons[] = {
        { "left", EV_KEY, BTN_LEFT, 1 },          { "middle", EV_KEY, BTN_MIDDLE, 1 },
        { "right", EV_KEY, BTN_RIGHT, 1 },        { "side", EV_KEY, BTN_SIDE, 1 },
        { "extra", EV_KEY, BTN_EXTRA, 1 },        { "wheel-up", EV_REL, REL_WHEEL, 1 },
        { "wheel-down", EV_REL, REL_WHEEL, -1 },  { "wheel-left", EV_REL, REL_HWHEEL, -1 },
        { "wheel-right", EV_REL, REL_HWHEEL, 1 },
    };
    const char *name = json_object_get_string_member(data, "button");
    bool down = json_object_get_boolean_member(data, "down");
    unsigned i = 0;

    while (strcmp(buttons[i].name, name) != 0) {
        i++;
        g_assert(i < G_N_ELEMENTS(buttons)); /* the schema has the same names */
    }
    *out = (InputEvent){ buttons[i].type, buttons[i].code, down ? buttons[i].value : 0 };
    return down || buttons[i].type == EV_KEY;
}

static bool move_event(InputEvent *out, JsonObject *data, bool absolute, GError **error)
{
    bool is_x = strcmp(json_object_get_string_member(data, "axis"), "x") == 0;
    gint64 value = json_object_get_int_member(data, "value");

    if (absolute && (value < 0 || value > INPUT_ABS_MAX)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "value is %" G_GINT64_FORMAT " but must be 0 to %d", value, INPUT_ABS_MAX);
        return false;
    }
    *out = absolute ? (InputEvent){ EV_ABS, is_x ? ABS_X : ABS_Y, value }
                    : (InputEvent){ EV_REL, is_x ? REL_X : REL_Y, value };
    return true;
}

JsonNode *qmp_input_send_event(JsonObject *args, GError **error)
{
    JsonArray *list = json_object_get_array_member(args, "events");
    guint n = json_array_get_length(list), used = 0;
    InputEvent events[MAX_EVENTS];

    if (n > MAX_EVENTS) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "events has %u entries but must have at most %d", n, MAX_EVENTS);
        return NULL;
    }
    for (guint i = 0; i < n; i++) {
        JsonObject *event = json_array_get_object_element(list, i);
        const char *type = json_object_get_string_member(event, "type");
        JsonObject *data = json_object_get_object_member(event, "data");

        if (strcmp(type, "btn") == 0) {
            used += button_event(&events[used], data);
        } else if (strcmp(type, "key") == 0
                       ? key_event(&events[used], data, error)
                       : move_event(&events[used], data, strcmp(type, "abs") == 0, error)) {
            used++;
        } else {
            return NULL;
        }
    }
    input_send(events, used);
    return NULL;
}

/* ---- send-key ---- */

typedef struct {
    ClockTimer *timer;
    InputEvent keys[MAX_EVENTS];
    unsigned n;
} Held;

static gboolean held_free(gpointer data)
{
    Held *held = data;

    clock_timer_free(held->timer);
    g_free(held);
    return G_SOURCE_REMOVE;
}

/* Each in a report of its own, as a hand does it. */
static void release(void *opaque)
{
    Held *held = opaque;

    while (held->n > 0) {
        held->keys[--held->n].value = 0;
        input_send(&held->keys[held->n], 1);
    }
    g_idle_add(held_free, held); /* not from its own timer */
}

JsonNode *qmp_send_key(JsonObject *args, GError **error)
{
    JsonArray *list = json_object_get_array_member(args, "keys");
    gint64 hold = json_object_get_int_member_with_default(args, "hold-time", DEFAULT_HOLD_MS);
    guint n = json_array_get_length(list);
    g_autofree Held *held = g_new0(Held, 1);

    if (n > MAX_EVENTS) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "keys has %u entries but must have at most %d", n, MAX_EVENTS);
        return NULL;
    }
    for (; held->n < n; held->n++) {
        uint16_t code = key_code(json_array_get_object_element(list, held->n), error);

        if (code == KEY_RESERVED) {
            return NULL;
        }
        held->keys[held->n] = (InputEvent){ EV_KEY, code, 1 };
    }
    for (unsigned i = 0; i < n; i++) {
        input_send(&held->keys[i], 1);
    }
    held->timer = clock_timer_new(release, held);
    clock_timer_arm(held->timer, clock_now() + hold * NS_PER_MS);
    g_steal_pointer(&held);
    return NULL;
}
