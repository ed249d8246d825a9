/* SPDX-License-Identifier: GPL-2.0-or-later
 * Consoles: a picture that a device draws and that displays and screenshots show. A console keeps
 * the pixels (x8r8g8b8) itself, so that whoever looks never waits for a guest and never sees memory
 * that a guest takes away. Sizes are bounded here: what a guest asks for beyond is refused.
 *
 * Threads: [main] makes, frees and finds consoles; drawing and looking are [any], under the
 * console's own lock, which is a leaf.
 */
#pragma once

#include <glib.h>
#include <pixman.h>
#include <stdbool.h>
#include <stdint.h>

enum { CONSOLE_MAX_SIDE = 8192, CONSOLE_CURSOR_SIDE = 64 };

typedef struct Console Console;

typedef struct {
    /* (optional) [main] Somebody is looking: draw what is new. For devices whose picture is guest
     * memory that changes without a word. */
    void (*update)(void *opaque);
} ConsoleOps;

/* ---- the device's side ---- */

/* A new console, black, of 640 by 480. device is the id or type that screendump's device= means,
 * head the number of the device's output. ops is borrowed, may be NULL. [main] */
Console *console_new(const char *device, unsigned head, const ConsoleOps *ops, void *opaque);
/* Nothing calls ops any more on return; whoever looks keeps the last picture. NULL is fine. [main]
 */
void console_free(Console *con);

/* A new size, black. FALSE: a side is 0 or above CONSOLE_MAX_SIDE, or no memory for it; nothing has
 * changed. The same size again changes nothing. [any] */
bool console_resize(Console *con, unsigned width, unsigned height);
/* Copies w by h pixels of src from (src_x, src_y) to (x, y); what lies outside is left out. [any]
 */
void console_draw(Console *con, pixman_image_t *src, int src_x, int src_y, int x, int y, int w,
                  int h);
void console_blank(Console *con); /* all black [any] */

/* The pointer's shape: CONSOLE_CURSOR_SIDE squared pixels a8r8g8b8, premultiplied, and the point
 * in it that points. NULL: none. [any] */
void console_set_cursor(Console *con, const uint32_t *argb, unsigned hot_x, unsigned hot_y);
void console_move_cursor(Console *con, int x, int y); /* [any] */

/* ---- who looks ---- */

/* The console of device (NULL: of the first one) with this head. NULL: UNKNOWN. Borrowed. [main] */
Console *console_find(const char *device, unsigned head, GError **error);
/* fn is called after consoles came or went. One at a time; NULL: nobody. [main] */
void console_set_watcher(void (*fn)(void *opaque), void *opaque);

/* Lets the device draw what is new, then copies the picture. For pixman_image_unref(); NULL: no
 * memory. [main] */
pixman_image_t *console_snapshot(Console *con);

/* One who follows changes. */
typedef struct ConsoleView ConsoleView;

/* changed is called in the drawing thread, with the console's lock held, after something was drawn
 * since the last console_view_begin(). Until the view is freed the device is asked to update 30
 * times a second. [main] */
ConsoleView *console_view_new(Console *con, void (*changed)(void *opaque), void *opaque);
void console_view_free(ConsoleView *view); /* NULL is fine [main] */

typedef struct {
    pixman_image_t *image;    /* the picture; valid until console_view_end() */
    pixman_region32_t damage; /* what has changed since the last time */
    bool resized;
    bool cursor_changed;
    const uint32_t *cursor; /* shape, or NULL */
    unsigned hot_x, hot_y;
    int cursor_x, cursor_y;
} ConsoleFrame;
/* Locks the console: drawing waits until console_view_end(). [any] */
void console_view_begin(ConsoleView *view, ConsoleFrame *frame);
void console_view_end(ConsoleView *view, ConsoleFrame *frame);

/* ---- screenshots: screendump.c ---- */
typedef enum { SCREENDUMP_PPM, SCREENDUMP_PNG } ScreendumpFormat;
/* Writes image to a file. FALSE: HOST error. [any] */
bool screendump_write(pixman_image_t *image, const char *path, ScreendumpFormat format,
                      GError **error);
