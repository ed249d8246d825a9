/* SPDX-License-Identifier: GPL-2.0-or-later
 * File descriptors as back ends: a GLib source that reads no more than the front end can take, and
 * writes that wait for a slow reader, but not for ever. Descriptors may be in blocking mode:
 * standard input and output share their open file with the user's shell.
 */
#include "chardev-priv.h"

#include <errno.h>
#include <glib-unix.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/later.h"

enum {
    PATIENCE_MS = 5000, /* for a reader who does not read, once; see chardev_fd_write() */
    CHUNK = 4096,       /* PIPE_BUF: a writable pipe takes so much without blocking */
    READ_CHUNK = 65536,
    RETRY_US = 1000,
};

/* ---- input ---- */

static size_t room(Chardev *chr)
{
    return chr->mux != NULL ? chardev_mux_room(chr) : chardev_frontend_room(chr);
}

/* The front end is full: chardev_accept_input() starts the source again. FALSE if it took something
 * out in the meantime. */
static bool wait_for_room(Chardev *chr)
{
    g_atomic_int_set(&chr->input_waiting, 1);
    return room(chr) == 0 || !g_atomic_int_compare_and_exchange(&chr->input_waiting, 1, 0);
}

static void hang_up(void *id)
{
    Chardev *chr = chardev_find(id);

    if (chr != NULL && chr->ops->hangup != NULL) {
        chr->ops->hangup(chr);
    }
}

static void forget(GSource **source)
{
    if (*source != NULL) {
        g_source_destroy(*source);
        g_clear_pointer(source, g_source_unref);
    }
}

static void input_ended(Chardev *chr)
{
    g_atomic_int_set(&chr->input_fd, -1);
    forget(&chr->input_source);
    forget(&chr->gone_source);
    if (chr->context != NULL) {
        later(NULL, hang_up, g_strdup(chr->id), g_free);
    } else if (chr->ops->hangup != NULL) {
        chr->ops->hangup(chr);
    }
}

/* What was sent before the other end went is still for the front end; it is read when there is room
 * for it, and its end is seen then. */
static gboolean other_end_gone(int fd, GIOCondition condition, gpointer data)
{
    Chardev *chr = data;
    int unread = 0;

    if (ioctl(fd, FIONREAD, &unread) == 0 && unread > 0) {
        g_clear_pointer(&chr->gone_source, g_source_unref);
        return G_SOURCE_REMOVE;
    }
    input_ended(chr);
    return G_SOURCE_REMOVE;
}

/* A front end that never has room again must not keep a socket from its next client. */
static void watch_for_end(Chardev *chr)
{
    int fd = g_atomic_int_get(&chr->input_fd);

    if (chr->gone_source != NULL || fd < 0) {
        return;
    }
    chr->gone_source = g_unix_fd_source_new(fd, G_IO_HUP | G_IO_ERR);
    g_source_set_callback(chr->gone_source, G_SOURCE_FUNC(other_end_gone), chr, NULL);
    g_source_attach(chr->gone_source, chr->context);
}

static gboolean take_input(Chardev *chr, int fd)
{
    uint8_t buf[READ_CHUNK];
    size_t free = room(chr);
    ssize_t n;

    if (free == 0 && wait_for_room(chr)) {
        g_clear_pointer(&chr->input_source, g_source_unref);
        watch_for_end(chr);
        return G_SOURCE_REMOVE;
    }
    n = chardev_receive(chr, fd, buf, MIN(MAX(free, 1), sizeof(buf)));
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
        return G_SOURCE_CONTINUE;
    }
    if (n <= 0) {
        input_ended(chr);
        return G_SOURCE_REMOVE;
    }
    if (chr->context == NULL) {
        chardev_check_size(
            chr); /* nobody tells of a pseudo terminal's new size: look now and then */
    }
    if (chr->mux != NULL) {
        chardev_mux_input(chr, buf, n);
    } else {
        chr->frontend->receive(chr->frontend_opaque, buf, n);
    }
    /* Whoever received may have closed or reopened the input. */
    return chr->input_source == g_main_current_source() ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

static void resume(Chardev *chr);

/* GLib's own guard against a source that runs within itself costs three system calls a time; so
 * this one allows it, and goes away until the outer run is over. */
static gboolean input_ready(int fd, GIOCondition condition, gpointer data)
{
    Chardev *chr = data;
    gboolean more;

    if (chr->input_running) {
        g_clear_pointer(&chr->input_source, g_source_unref);
        chr->input_again = true;
        return G_SOURCE_REMOVE;
    }
    chr->input_running = true;
    more = take_input(chr, fd);
    chr->input_running = false;
    if (chr->input_again) {
        chr->input_again = false;
        resume(chr);
    }
    return more;
}

static void watch(Chardev *chr)
{
    int fd = g_atomic_int_get(&chr->input_fd);

    if (chr->input_source != NULL || fd < 0) {
        return;
    }
    forget(&chr->gone_source);
    chr->input_source = g_unix_fd_source_new(fd, G_IO_IN | G_IO_HUP | G_IO_ERR);
    g_source_set_callback(chr->input_source, G_SOURCE_FUNC(input_ready), chr, NULL);
    g_source_set_can_recurse(chr->input_source, TRUE);
    g_source_attach(chr->input_source, chr->context);
}

void chardev_input_start(Chardev *chr, int fd)
{
    g_atomic_int_set(&chr->input_fd, fd);
    g_atomic_int_set(&chr->input_waiting, 0);
    chardev_input_resume(chr);
}

void chardev_input_stop(Chardev *chr)
{
    g_atomic_int_set(&chr->input_fd, -1);
    forget(&chr->input_source);
    forget(&chr->gone_source);
}

static void resume(Chardev *chr)
{
    if (chr->mux != NULL) {
        chardev_mux_flush(chr);
    }
    if (room(chr) > 0 || !wait_for_room(chr)) {
        watch(chr);
    } else if (chr->input_source == NULL) {
        watch_for_end(chr);
    }
}

static void resume_here(void *chr)
{
    resume(chr);
}

/* The thread of a context ends before its chardev does, and what was not run is not run. */
static void resume_in_context(Chardev *chr)
{
    later(chr->context, resume_here, chr, NULL);
}

void chardev_input_resume(Chardev *chr)
{
    if (chr->ops->accept_input != NULL) {
        chr->ops->accept_input(chr);
        return;
    }
    if (chr->context != NULL) {
        resume_in_context(chr);
    } else {
        resume(chr);
    }
}

static void resume_by_id(void *id)
{
    Chardev *chr = chardev_find(id);

    if (chr != NULL) {
        chardev_input_resume(chr);
    }
}

void chardev_accept_input(Chardev *chr)
{
    if (chr->ops->accept_input != NULL) {
        chr->ops->accept_input(chr);
        return;
    }
    if (!g_atomic_int_compare_and_exchange(&chr->input_waiting, 1, 0)) {
        return;
    }
    if (chr->context != NULL) {
        resume_in_context(chr);
    } else {
        /* By id: the object may be gone when the main loop comes to it. */
        later(NULL, resume_by_id, g_strdup(chr->id), g_free);
    }
}

/* ---- output ---- */

static bool is_patient(const Chardev *chr)
{
    return !chr->stalled && !chr->impatient;
}

/* TRUE: fd takes something at once, a pipe even CHUNK bytes, or has an error to tell. */
static bool wait_writable(Chardev *chr, int fd, gint64 deadline)
{
    struct pollfd pfd = { .fd = fd, .events = POLLOUT };
    int n;

    do {
        gint64 left = !is_patient(chr) ? 0 : (deadline - g_get_monotonic_time()) / 1000;

        n = poll(&pfd, 1, CLAMP(left, 0, PATIENCE_MS));
    } while (n < 0 && errno == EINTR);
    return n > 0;
}

size_t chardev_fd_write(Chardev *chr, int fd, const uint8_t *buf, size_t len)
{
    gint64 deadline = g_get_monotonic_time() + PATIENCE_MS * (gint64)1000;
    size_t done = 0;

    while (done < len) {
        ssize_t n = -1;

        errno = EAGAIN;
        if (chr->is_socket) { /* says by itself what it can take */
            n = send(fd, buf + done, len - done, MSG_NOSIGNAL | MSG_DONTWAIT);
            if (n < 0 && errno == EAGAIN && is_patient(chr)) {
                wait_writable(chr, fd, deadline);
                n = send(fd, buf + done, len - done, MSG_NOSIGNAL | MSG_DONTWAIT);
            }
        } else if (wait_writable(chr, fd, deadline)) {
            n = write(fd, buf + done, MIN(len - done, CHUNK));
        }
        if (n > 0) {
            chr->stalled = false;
            done += n;
        } else if (n < 0 && errno == EAGAIN) {
            if (!is_patient(chr) || g_get_monotonic_time() >= deadline) {
                chr->stalled = !chr->impatient || chr->stalled;
                break;
            }
            /* A terminal that has room for one character, when a newline takes two: poll() cannot
             * wait for that. */
            g_usleep(RETRY_US);
        } else if (n < 0 && errno != EINTR) {
            break;
        }
    }
    return done;
}
