/* SPDX-License-Identifier: GPL-2.0-or-later
 * mux=on: Ctrl-A and a letter is a command for Humpy, everything else goes to the guest. Input that
 * the front end has no room for is kept in a ring, so that Ctrl-A x works with a guest that
 * reads nothing. Ctrl-A c switches between the front end and a monitor, which is the second one.
 */
#include "chardev-priv.h"

#include <stdio.h>
#include <string.h>

#include "util/error.h"

enum { ESCAPE = 0x01, RING = 4096 };

struct ChardevMux {
    bool escaped; /* the last byte was Ctrl-A */
    uint8_t ring[RING];
    size_t head, used;
    const ChardevFrontend *monitor; /* or NULL */
    void *monitor_opaque;
    bool to_monitor; /* the user switched to it */

    /* Under the object's lock: */
    bool time_stamps;
    bool inside_line;
    gint64 start;
};

static ChardevQuitFn quit_handler;
static void *quit_opaque;

void chardev_set_quit_handler(ChardevQuitFn fn, void *opaque)
{
    quit_handler = fn;
    quit_opaque = opaque;
}

ChardevMux *chardev_mux_new(void)
{
    return g_new0(ChardevMux, 1);
}

void chardev_mux_free(ChardevMux *mux)
{
    g_free(mux);
}

/* ---- input ---- */

size_t chardev_mux_room(Chardev *chr)
{
    return chr->frontend != NULL || chr->mux->monitor != NULL ? RING - chr->mux->used : 0;
}

/* TRUE: what is kept has to wait for chardev_accept_input(). */
static bool front_end_is_full(Chardev *chr)
{
    if (chardev_frontend_room(chr) > 0) {
        return false;
    }
    g_atomic_int_set(&chr->input_waiting, 1);
    /* It may have made room just before it could see that it is waited for. */
    return chardev_frontend_room(chr) == 0 ||
           !g_atomic_int_compare_and_exchange(&chr->input_waiting, 1, 0);
}

void chardev_mux_flush(Chardev *chr)
{
    ChardevMux *mux = chr->mux;

    while (mux->used > 0 && !front_end_is_full(chr)) {
        size_t room = chardev_frontend_room(chr); /* once: vCPUs change it meanwhile */
        size_t n = MIN(MIN(room, mux->used), RING - mux->head);
        uint8_t bytes[RING];

        memcpy(bytes, mux->ring + mux->head, n);
        mux->head = (mux->head + n) % RING;
        mux->used -= n;
        if (n > 0) {
            chr->frontend->receive(chr->frontend_opaque, bytes, n);
        }
    }
}

static void say(Chardev *chr, const char *text)
{
    chardev_write(chr, text, strlen(text));
}

static void toggle_time_stamps(Chardev *chr)
{
    pthread_mutex_lock(&chr->lock);
    chr->mux->time_stamps = !chr->mux->time_stamps;
    chr->mux->start = g_get_monotonic_time();
    pthread_mutex_unlock(&chr->lock);
}

static void tell_monitor(ChardevMux *mux, ChardevEvent event)
{
    if (mux->monitor->event != NULL) {
        mux->monitor->event(mux->monitor_opaque, event);
    }
}

static void switch_to_monitor(Chardev *chr, bool to_monitor)
{
    ChardevMux *mux = chr->mux;

    mux->to_monitor = to_monitor;
    chardev_event(chr, to_monitor ? CHARDEV_BLURRED : CHARDEV_FOCUS);
    tell_monitor(mux, to_monitor ? CHARDEV_FOCUS : CHARDEV_BLURRED);
}

static void command(Chardev *chr, uint8_t key)
{
    switch (key) {
    case 'h':
    case '?':
        say(chr, "\r\n"
                 "Ctrl-A h    this help\r\n"
                 "Ctrl-A x    leave Humpy\r\n"
                 "Ctrl-A s    save disk data (with -snapshot)\r\n"
                 "Ctrl-A t    time stamps on or off\r\n"
                 "Ctrl-A b    send a break\r\n"
                 "Ctrl-A c    switch between console and monitor\r\n"
                 "Ctrl-A Ctrl-A  send Ctrl-A\r\n");
        break;
    case 'x':
        say(chr, "\r\nHumpy: terminated\r\n");
        if (quit_handler != NULL) {
            quit_handler(quit_opaque);
        }
        break;
    case 's':
        say(chr, "\r\nHumpy: no disk is a snapshot, there is nothing to save\r\n");
        break;
    case 't':
        toggle_time_stamps(chr);
        break;
    case 'b':
        chardev_event(chr, CHARDEV_BREAK);
        break;
    case 'c':
        if (chr->mux->monitor == NULL) {
            say(chr, "\a\r\nHumpy: this terminal has no monitor\r\n");
        } else if (chr->frontend != NULL) {
            switch_to_monitor(chr, !chr->mux->to_monitor);
        }
        break;
    default:
        break;
    }
}

static bool monitor_has_keyboard(const Chardev *chr)
{
    return chr->mux->monitor != NULL && (chr->mux->to_monitor || chr->frontend == NULL);
}

void chardev_mux_input(Chardev *chr, const uint8_t *buf, size_t len)
{
    ChardevMux *mux = chr->mux;

    for (size_t i = 0; i < len; i++) {
        bool was_escaped = mux->escaped;

        mux->escaped = !was_escaped && buf[i] == ESCAPE;
        if (mux->escaped) {
            continue;
        }
        if (was_escaped && buf[i] != ESCAPE) {
            command(chr, buf[i]);
            continue;
        }
        if (monitor_has_keyboard(chr)) {
            mux->monitor->receive(mux->monitor_opaque, &buf[i], 1);
            continue;
        }
        mux->ring[(mux->head + mux->used) % RING] = buf[i];
        mux->used++;
    }
    chardev_mux_flush(chr);
}

/* ---- the second front end ---- */

bool chardev_attach_monitor(Chardev *chr, const ChardevFrontend *functions, void *opaque,
                            GError **error)
{
    ChardevMux *mux = chr->mux;

    g_assert(mux != NULL);
    if (mux->monitor != NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT, "chardev '%s' has a monitor already",
                    chr->id);
        return false;
    }
    mux->monitor = functions;
    mux->monitor_opaque = opaque;
    if (chr->opened) {
        tell_monitor(mux, CHARDEV_OPENED);
    }
    chardev_input_resume(chr);
    return true;
}

bool chardev_mux_has_monitor(const Chardev *chr)
{
    return chr->mux->monitor != NULL;
}

void chardev_detach_monitor(Chardev *chr)
{
    chr->mux->monitor = NULL;
    chr->mux->monitor_opaque = NULL;
    chr->mux->to_monitor = false;
}

void chardev_mux_tell_opened(Chardev *chr, bool opened)
{
    if (chr->mux->monitor != NULL) {
        tell_monitor(chr->mux, opened ? CHARDEV_OPENED : CHARDEV_CLOSED);
    }
}

/* ---- output ---- */

static void write_time(Chardev *chr)
{
    gint64 ms = (g_get_monotonic_time() - chr->mux->start) / 1000;
    char text[64];
    int n = snprintf(text, sizeof(text), "[%02d:%02d:%02d.%03d] ", (int)(ms / 3600000),
                     (int)(ms / 60000 % 60), (int)(ms / 1000 % 60), (int)(ms % 1000));

    chr->ops->write(chr, (const uint8_t *)text, n);
}

size_t chardev_mux_write(Chardev *chr, const uint8_t *buf, size_t len)
{
    ChardevMux *mux = chr->mux;
    size_t done = 0;

    while (done < len) {
        const uint8_t *newline = mux->time_stamps ? memchr(buf + done, '\n', len - done) : NULL;
        size_t want = newline != NULL ? (size_t)(newline + 1 - buf) - done : len - done;
        size_t n;

        if (mux->time_stamps && !mux->inside_line) {
            write_time(chr);
        }
        n = chr->ops->write(chr, buf + done, want);
        done += n;
        if (n > 0) {
            mux->inside_line = buf[done - 1] != '\n';
        }
        if (n < want) {
            break;
        }
    }
    return done;
}
