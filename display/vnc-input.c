/* SPDX-License-Identifier: GPL-2.0-or-later
 * What a VNC client's keys and pointer mean: X keysyms become the keys of a US keyboard, positions
 * become absolute or relative movement, whichever the guest has a device for. Events are sent in
 * the main context; a client that makes them faster than they are taken loses some.
 */
#include <linux/input-event-codes.h>
#include <rfb/keysym.h>

#include "display/input.h"
#include "util/later.h"
#include "vnc-priv.h"

enum { MAX_PENDING = 1024 };

typedef struct {
    uint32_t keysym;
    uint16_t code;
} KeyRow;

/* Shifted symbols stand behind the key's own. Letters, digits and F-keys: see vnc_key_code(). */
static const KeyRow rows[] = {
    { XK_space, KEY_SPACE },
    { XK_exclam, KEY_1 },
    { XK_at, KEY_2 },
    { XK_numbersign, KEY_3 },
    { XK_dollar, KEY_4 },
    { XK_percent, KEY_5 },
    { XK_asciicircum, KEY_6 },
    { XK_ampersand, KEY_7 },
    { XK_asterisk, KEY_8 },
    { XK_parenleft, KEY_9 },
    { XK_parenright, KEY_0 },
    { XK_minus, KEY_MINUS },
    { XK_underscore, KEY_MINUS },
    { XK_equal, KEY_EQUAL },
    { XK_plus, KEY_EQUAL },
    { XK_bracketleft, KEY_LEFTBRACE },
    { XK_braceleft, KEY_LEFTBRACE },
    { XK_bracketright, KEY_RIGHTBRACE },
    { XK_braceright, KEY_RIGHTBRACE },
    { XK_semicolon, KEY_SEMICOLON },
    { XK_colon, KEY_SEMICOLON },
    { XK_apostrophe, KEY_APOSTROPHE },
    { XK_quotedbl, KEY_APOSTROPHE },
    { XK_grave, KEY_GRAVE },
    { XK_asciitilde, KEY_GRAVE },
    { XK_backslash, KEY_BACKSLASH },
    { XK_bar, KEY_BACKSLASH },
    { XK_comma, KEY_COMMA },
    { XK_less, KEY_COMMA },
    { XK_period, KEY_DOT },
    { XK_greater, KEY_DOT },
    { XK_slash, KEY_SLASH },
    { XK_question, KEY_SLASH },
    { XK_BackSpace, KEY_BACKSPACE },
    { XK_Tab, KEY_TAB },
    { XK_ISO_Left_Tab, KEY_TAB },
    { XK_Return, KEY_ENTER },
    { XK_Escape, KEY_ESC },
    { XK_Delete, KEY_DELETE },
    { XK_Home, KEY_HOME },
    { XK_Left, KEY_LEFT },
    { XK_Up, KEY_UP },
    { XK_Right, KEY_RIGHT },
    { XK_Down, KEY_DOWN },
    { XK_Page_Up, KEY_PAGEUP },
    { XK_Page_Down, KEY_PAGEDOWN },
    { XK_End, KEY_END },
    { XK_Insert, KEY_INSERT },
    { XK_Print, KEY_SYSRQ },
    { XK_Sys_Req, KEY_SYSRQ },
    { XK_Pause, KEY_PAUSE },
    { XK_Menu, KEY_COMPOSE },
    { XK_Num_Lock, KEY_NUMLOCK },
    { XK_Scroll_Lock, KEY_SCROLLLOCK },
    { XK_Caps_Lock, KEY_CAPSLOCK },
    { XK_Shift_L, KEY_LEFTSHIFT },
    { XK_Shift_R, KEY_RIGHTSHIFT },
    { XK_Control_L, KEY_LEFTCTRL },
    { XK_Control_R, KEY_RIGHTCTRL },
    { XK_Alt_L, KEY_LEFTALT },
    { XK_Alt_R, KEY_RIGHTALT },
    { XK_Meta_L, KEY_LEFTALT },
    { XK_Meta_R, KEY_RIGHTALT },
    { XK_ISO_Level3_Shift, KEY_RIGHTALT },
    { XK_Super_L, KEY_LEFTMETA },
    { XK_Super_R, KEY_RIGHTMETA },
    { XK_KP_Enter, KEY_KPENTER },
    { XK_KP_Multiply, KEY_KPASTERISK },
    { XK_KP_Add, KEY_KPPLUS },
    { XK_KP_Subtract, KEY_KPMINUS },
    { XK_KP_Decimal, KEY_KPDOT },
    { XK_KP_Delete, KEY_KPDOT },
    { XK_KP_Divide, KEY_KPSLASH },
    { XK_KP_Insert, KEY_KP0 },
    { XK_KP_End, KEY_KP1 },
    { XK_KP_Down, KEY_KP2 },
    { XK_KP_Page_Down, KEY_KP3 },
    { XK_KP_Left, KEY_KP4 },
    { XK_KP_Begin, KEY_KP5 },
    { XK_KP_Right, KEY_KP6 },
    { XK_KP_Home, KEY_KP7 },
    { XK_KP_Up, KEY_KP8 },
    { XK_KP_Page_Up, KEY_KP9 },
};

static const uint16_t letters[] = {
    KEY_A, KEY_B, KEY_C, KEY_D, KEY_E, KEY_F, KEY_G, KEY_H, KEY_I, KEY_J, KEY_K, KEY_L, KEY_M,
    KEY_N, KEY_O, KEY_P, KEY_Q, KEY_R, KEY_S, KEY_T, KEY_U, KEY_V, KEY_W, KEY_X, KEY_Y, KEY_Z,
};
static const uint16_t digits[] = { KEY_0, KEY_1, KEY_2, KEY_3, KEY_4,
                                   KEY_5, KEY_6, KEY_7, KEY_8, KEY_9 };
static const uint16_t keypad[] = { KEY_KP0, KEY_KP1, KEY_KP2, KEY_KP3, KEY_KP4,
                                   KEY_KP5, KEY_KP6, KEY_KP7, KEY_KP8, KEY_KP9 };
static const uint16_t f_keys[] = { KEY_F1, KEY_F2, KEY_F3, KEY_F4,  KEY_F5,  KEY_F6,
                                   KEY_F7, KEY_F8, KEY_F9, KEY_F10, KEY_F11, KEY_F12 };

static gint pending; /* atomic: reports on their way to the main context */

/* Linux' code of the key that makes keysym on a US keyboard; 0: none. Pure. */
static uint16_t vnc_key_code(uint32_t keysym)
{
    static const struct {
        uint32_t first, last;
        const uint16_t *codes;
    } runs[] = {
        { XK_a, XK_z, letters },      { XK_A, XK_Z, letters },   { XK_0, XK_9, digits },
        { XK_KP_0, XK_KP_9, keypad }, { XK_F1, XK_F12, f_keys },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(runs); i++) {
        if (keysym >= runs[i].first && keysym <= runs[i].last) {
            return runs[i].codes[keysym - runs[i].first];
        }
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        if (rows[i].keysym == keysym) {
            return rows[i].code;
        }
    }
    return 0;
}

/* ---- to the main context ---- */

typedef struct {
    /* A pointer report; what of it is sent depends on the devices there are then. */
    bool is_pointer;
    InputEvent key;
    int abs_x, abs_y, rel_x, rel_y, wheel;
    unsigned pressed, released;
} Report;

static const uint16_t buttons[] = { BTN_LEFT, BTN_MIDDLE, BTN_RIGHT };

static void send_pointer(const Report *r)
{
    InputEvent events[8];
    unsigned n = 0;

    if (input_pointer() == INPUT_ABS) {
        events[n++] = (InputEvent){ EV_ABS, ABS_X, r->abs_x };
        events[n++] = (InputEvent){ EV_ABS, ABS_Y, r->abs_y };
    } else {
        if (r->rel_x != 0) {
            events[n++] = (InputEvent){ EV_REL, REL_X, r->rel_x };
        }
        if (r->rel_y != 0) {
            events[n++] = (InputEvent){ EV_REL, REL_Y, r->rel_y };
        }
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(buttons); i++) {
        if ((r->pressed | r->released) >> i & 1) {
            events[n++] = (InputEvent){ EV_KEY, buttons[i], r->pressed >> i & 1 };
        }
    }
    if (r->wheel != 0) {
        events[n++] = (InputEvent){ EV_REL, REL_WHEEL, r->wheel };
    }
    input_send(events, n);
}

static void send_report(void *data)
{
    const Report *r = data;

    g_atomic_int_add(&pending, -1);
    if (r->is_pointer) {
        send_pointer(r);
    } else {
        input_send(&r->key, 1);
    }
}

static void post(const Report *report)
{
    if (g_atomic_int_add(&pending, 1) >= MAX_PENDING) {
        g_atomic_int_add(&pending, -1);
        return;
    }
    later(NULL, send_report, g_memdup2(report, sizeof(*report)), g_free);
}

void vnc_key(uint32_t keysym, bool down)
{
    Report report = { .key = { EV_KEY, vnc_key_code(keysym), down } };

    if (report.key.code != 0) {
        post(&report);
    }
}

static int scale(int at, int size)
{
    return size > 1 ? (int64_t)CLAMP(at, 0, size - 1) * INPUT_ABS_MAX / (size - 1) : 0;
}

void vnc_pointer(VncPointer *last, unsigned mask, int x, int y, int width, int height)
{
    enum { WHEEL_UP = 1 << 3, WHEEL_DOWN = 1 << 4 };
    unsigned pressed = mask & ~last->buttons;
    Report report = {
        .is_pointer = true,
        .abs_x = scale(x, width),
        .abs_y = scale(y, height),
        .rel_x = x - last->x,
        .rel_y = y - last->y,
        .wheel = (pressed & WHEEL_UP ? 1 : 0) - (pressed & WHEEL_DOWN ? 1 : 0),
        .pressed = pressed & 7,
        .released = last->buttons & ~mask & 7,
    };

    *last = (VncPointer){ x, y, mask };
    post(&report);
}
