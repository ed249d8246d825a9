/* SPDX-License-Identifier: GPL-2.0-or-later
 * A pseudo terminal of our own: whoever opens its slave is at the other end. The kernel tells when
 * the last one closed it (the master hangs up), and inotify when somebody opens it again.
 */
#include "chardev-priv.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <poll.h>
#include <pty.h>
#include <sys/inotify.h>
#include <termios.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd.h"

typedef struct {
    Fd master, inotify;
    char *path;
    GSource *source; /* of inotify */
    bool connected;  /* under the object's lock */
} Pty;

static bool slave_is_open(const Pty *p)
{
    struct pollfd pfd = { .fd = p->master, .events = POLLIN };

    return poll(&pfd, 1, 0) >= 0 && (pfd.revents & POLLHUP) == 0;
}

static void set_connected(Chardev *chr, bool connected)
{
    Pty *p = chr->state;

    pthread_mutex_lock(&chr->lock);
    p->connected = connected;
    chr->stalled = false;
    pthread_mutex_unlock(&chr->lock);
    chardev_set_opened(chr, connected);
    if (connected) {
        chardev_check_size(chr);
        chardev_input_start(chr, p->master);
    }
}

static void look(Chardev *chr)
{
    Pty *p = chr->state;

    if (!chr->opened && slave_is_open(p)) {
        set_connected(chr, true);
    }
}

static gboolean slave_opened(int fd, GIOCondition condition, gpointer data)
{
    char events[sizeof(struct inotify_event) + NAME_MAX + 1];
    ssize_t n;

    do {
        n = read(fd, events, sizeof(events));
    } while (n > 0 || (n < 0 && errno == EINTR));
    look(data);
    return G_SOURCE_CONTINUE;
}

static void pty_hangup(Chardev *chr)
{
    set_connected(chr, false);
    look(chr); /* who opened it just now was told of already */
}

static bool watch_slave(Chardev *chr, GError **error)
{
    Pty *p = chr->state;

    p->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (p->inotify < 0 || inotify_add_watch(p->inotify, p->path, IN_OPEN) < 0) {
        error_set_errno(error, errno, "cannot watch '%s'", p->path);
        return false;
    }
    p->source = g_unix_fd_source_new(p->inotify, G_IO_IN);
    g_source_set_callback(p->source, G_SOURCE_FUNC(slave_opened), chr, NULL);
    g_source_attach(p->source, NULL);
    return true;
}

static bool pty_open(Chardev *chr, KeyVal *kv, GError **error)
{
    Pty *p = g_new0(Pty, 1);
    g_auto(Fd) slave = -1;
    struct termios mode;
    char name[64];

    p->inotify = -1;
    chr->state = p;
    if (openpty(&p->master, &slave, name, NULL, NULL) < 0) {
        p->master = -1;
        error_set_errno(error, errno, "cannot open a pseudo terminal");
        return false;
    }
    p->path = g_strdup(name);
    if (tcgetattr(slave, &mode) == 0) {
        cfmakeraw(&mode);
        tcsetattr(slave, TCSANOW, &mode);
    }
    if (!g_unix_set_fd_nonblocking(p->master, TRUE, error)) {
        return false;
    }
    fcntl(p->master, F_SETFD, FD_CLOEXEC);
    fd_clear(&slave);
    if (!watch_slave(chr, error)) {
        return false;
    }
    g_message("char device redirected to %s (label %s)", p->path, chr->id);
    return true;
}

static size_t pty_write(Chardev *chr, const uint8_t *buf, size_t len)
{
    Pty *p = chr->state;

    return p->connected ? chardev_fd_write(chr, p->master, buf, len) : 0;
}

static int pty_output_fd(const Chardev *chr)
{
    const Pty *p = chr->state;

    return p->connected ? p->master : -1;
}

static void pty_close(Chardev *chr)
{
    Pty *p = chr->state;

    if (p->source != NULL) {
        g_source_destroy(p->source);
        g_source_unref(p->source);
    }
    fd_clear(&p->inotify);
    fd_clear(&p->master);
    g_free(p->path);
    g_free(p);
}

static char *pty_describe(const Chardev *chr)
{
    return g_strdup_printf("pty:%s", ((const Pty *)chr->state)->path);
}

const char *chardev_pty_path(const Chardev *chr)
{
    return chr->ops == &chardev_pty_ops ? ((const Pty *)chr->state)->path : NULL;
}

static int pty_terminal(const Chardev *chr)
{
    return ((const Pty *)chr->state)->master;
}

const ChardevOps chardev_pty_ops = {
    .name = "pty",
    .summary = "a new pseudo terminal",
    .keys = (const char *const[]){ NULL },
    .open = pty_open,
    .write = pty_write,
    .hangup = pty_hangup,
    .output_fd = pty_output_fd,
    .describe = pty_describe,
    .terminal = pty_terminal,
    .close = pty_close,
};
