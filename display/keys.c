/* SPDX-License-Identifier: GPL-2.0-or-later
 * Keys by the names that the monitor has for them (QKeyCode), and by their numbers: what a PC's
 * keyboard sends (scan code set 1), with bit 7 for those behind an 0xe0.
 */
#include "display/input.h"

#include <glib.h>
#include <linux/input-event-codes.h>
#include <string.h>

typedef struct {
    const char *name;
    uint16_t code;
    uint8_t number; /* 0: none */
} Key;

static const Key keys[] = {
    { "shift", KEY_LEFTSHIFT, 0x2a },
    { "shift_r", KEY_RIGHTSHIFT, 0x36 },
    { "alt", KEY_LEFTALT, 0x38 },
    { "alt_r", KEY_RIGHTALT, 0xb8 },
    { "ctrl", KEY_LEFTCTRL, 0x1d },
    { "ctrl_r", KEY_RIGHTCTRL, 0x9d },
    { "menu", KEY_MENU, 0x9e },
    { "esc", KEY_ESC, 0x01 },
    { "1", KEY_1, 0x02 },
    { "2", KEY_2, 0x03 },
    { "3", KEY_3, 0x04 },
    { "4", KEY_4, 0x05 },
    { "5", KEY_5, 0x06 },
    { "6", KEY_6, 0x07 },
    { "7", KEY_7, 0x08 },
    { "8", KEY_8, 0x09 },
    { "9", KEY_9, 0x0a },
    { "0", KEY_0, 0x0b },
    { "minus", KEY_MINUS, 0x0c },
    { "equal", KEY_EQUAL, 0x0d },
    { "backspace", KEY_BACKSPACE, 0x0e },
    { "tab", KEY_TAB, 0x0f },
    { "q", KEY_Q, 0x10 },
    { "w", KEY_W, 0x11 },
    { "e", KEY_E, 0x12 },
    { "r", KEY_R, 0x13 },
    { "t", KEY_T, 0x14 },
    { "y", KEY_Y, 0x15 },
    { "u", KEY_U, 0x16 },
    { "i", KEY_I, 0x17 },
    { "o", KEY_O, 0x18 },
    { "p", KEY_P, 0x19 },
    { "bracket_left", KEY_LEFTBRACE, 0x1a },
    { "bracket_right", KEY_RIGHTBRACE, 0x1b },
    { "ret", KEY_ENTER, 0x1c },
    { "a", KEY_A, 0x1e },
    { "s", KEY_S, 0x1f },
    { "d", KEY_D, 0x20 },
    { "f", KEY_F, 0x21 },
    { "g", KEY_G, 0x22 },
    { "h", KEY_H, 0x23 },
    { "j", KEY_J, 0x24 },
    { "k", KEY_K, 0x25 },
    { "l", KEY_L, 0x26 },
    { "semicolon", KEY_SEMICOLON, 0x27 },
    { "apostrophe", KEY_APOSTROPHE, 0x28 },
    { "grave_accent", KEY_GRAVE, 0x29 },
    { "backslash", KEY_BACKSLASH, 0x2b },
    { "z", KEY_Z, 0x2c },
    { "x", KEY_X, 0x2d },
    { "c", KEY_C, 0x2e },
    { "v", KEY_V, 0x2f },
    { "b", KEY_B, 0x30 },
    { "n", KEY_N, 0x31 },
    { "m", KEY_M, 0x32 },
    { "comma", KEY_COMMA, 0x33 },
    { "dot", KEY_DOT, 0x34 },
    { "slash", KEY_SLASH, 0x35 },
    { "asterisk", KEY_KPASTERISK, 0x37 },
    { "spc", KEY_SPACE, 0x39 },
    { "caps_lock", KEY_CAPSLOCK, 0x3a },
    { "f1", KEY_F1, 0x3b },
    { "f2", KEY_F2, 0x3c },
    { "f3", KEY_F3, 0x3d },
    { "f4", KEY_F4, 0x3e },
    { "f5", KEY_F5, 0x3f },
    { "f6", KEY_F6, 0x40 },
    { "f7", KEY_F7, 0x41 },
    { "f8", KEY_F8, 0x42 },
    { "f9", KEY_F9, 0x43 },
    { "f10", KEY_F10, 0x44 },
    { "num_lock", KEY_NUMLOCK, 0x45 },
    { "scroll_lock", KEY_SCROLLLOCK, 0x46 },
    { "kp_divide", KEY_KPSLASH, 0xb5 },
    { "kp_multiply", KEY_KPASTERISK, 0x37 },
    { "kp_subtract", KEY_KPMINUS, 0x4a },
    { "kp_add", KEY_KPPLUS, 0x4e },
    { "kp_enter", KEY_KPENTER, 0x9c },
    { "kp_decimal", KEY_KPDOT, 0x53 },
    { "sysrq", KEY_SYSRQ, 0x54 },
    { "kp_0", KEY_KP0, 0x52 },
    { "kp_1", KEY_KP1, 0x4f },
    { "kp_2", KEY_KP2, 0x50 },
    { "kp_3", KEY_KP3, 0x51 },
    { "kp_4", KEY_KP4, 0x4b },
    { "kp_5", KEY_KP5, 0x4c },
    { "kp_6", KEY_KP6, 0x4d },
    { "kp_7", KEY_KP7, 0x47 },
    { "kp_8", KEY_KP8, 0x48 },
    { "kp_9", KEY_KP9, 0x49 },
    { "less", KEY_102ND, 0x56 },
    { "f11", KEY_F11, 0x57 },
    { "f12", KEY_F12, 0x58 },
    { "print", KEY_SYSRQ, 0xb7 },
    { "home", KEY_HOME, 0xc7 },
    { "pgup", KEY_PAGEUP, 0xc9 },
    { "pgdn", KEY_PAGEDOWN, 0xd1 },
    { "end", KEY_END, 0xcf },
    { "left", KEY_LEFT, 0xcb },
    { "up", KEY_UP, 0xc8 },
    { "down", KEY_DOWN, 0xd0 },
    { "right", KEY_RIGHT, 0xcd },
    { "insert", KEY_INSERT, 0xd2 },
    { "delete", KEY_DELETE, 0xd3 },
    { "stop", KEY_STOP, 0 },
    { "again", KEY_AGAIN, 0 },
    { "props", KEY_PROPS, 0 },
    { "undo", KEY_UNDO, 0 },
    { "front", KEY_FRONT, 0 },
    { "copy", KEY_COPY, 0 },
    { "open", KEY_OPEN, 0 },
    { "paste", KEY_PASTE, 0 },
    { "find", KEY_FIND, 0 },
    { "cut", KEY_CUT, 0 },
    { "lf", KEY_LINEFEED, 0 },
    { "help", KEY_HELP, 0 },
    { "meta_l", KEY_LEFTMETA, 0xdb },
    { "meta_r", KEY_RIGHTMETA, 0xdc },
    { "compose", KEY_COMPOSE, 0xdd },
    { "pause", KEY_PAUSE, 0xc6 },
    { "ro", KEY_RO, 0x73 },
    { "hiragana", KEY_HIRAGANA, 0 },
    { "henkan", KEY_HENKAN, 0x79 },
    { "muhenkan", KEY_MUHENKAN, 0x7b },
    { "yen", KEY_YEN, 0x7d },
    { "katakanahiragana", KEY_KATAKANAHIRAGANA, 0x70 },
    { "kp_comma", KEY_KPCOMMA, 0x7e },
    { "kp_equals", KEY_KPEQUAL, 0x59 },
    { "power", KEY_POWER, 0xde },
    { "sleep", KEY_SLEEP, 0xdf },
    { "wake", KEY_WAKEUP, 0xe3 },
    { "audionext", KEY_NEXTSONG, 0x99 },
    { "audioprev", KEY_PREVIOUSSONG, 0x90 },
    { "audiostop", KEY_STOPCD, 0xa4 },
    { "audioplay", KEY_PLAYPAUSE, 0xa2 },
    { "audiomute", KEY_MUTE, 0xa0 },
    { "volumeup", KEY_VOLUMEUP, 0xb0 },
    { "volumedown", KEY_VOLUMEDOWN, 0xae },
    { "mail", KEY_MAIL, 0xec },
    { "calculator", KEY_CALC, 0xa1 },
    { "computer", KEY_COMPUTER, 0xeb },
    { "ac_home", KEY_HOMEPAGE, 0xb2 },
    { "ac_back", KEY_BACK, 0xea },
    { "ac_forward", KEY_FORWARD, 0xe9 },
    { "ac_refresh", KEY_REFRESH, 0xe7 },
    { "ac_bookmarks", KEY_BOOKMARKS, 0xe6 },
};

uint16_t input_key_by_name(const char *name)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(keys); i++) {
        if (strcmp(keys[i].name, name) == 0) {
            return keys[i].code;
        }
    }
    return KEY_RESERVED;
}

uint16_t input_key_by_number(uint64_t number)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(keys); i++) {
        if (number != 0 && keys[i].number == number) {
            return keys[i].code;
        }
    }
    return KEY_RESERVED;
}
