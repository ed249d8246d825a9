/* SPDX-License-Identifier: GPL-2.0-or-later
 * A file descriptor that the main context watches, where any thread may say what for: the wish is
 * two flags that the source looks at before it sleeps.
 */
#include "net-priv.h"

struct NetFd {
    GSource source;
    GPollFD poll;
    NetFdFn fn;
    void *opaque;
    gint want_in, want_out, woken; /* atomic */
    bool polled;                   /* poll is in the source's set */
};

static gboolean fd_prepare(GSource *source, gint *timeout)
{
    NetFd *f = (NetFd *)source;

    *timeout = -1;
    f->poll.events = (g_atomic_int_get(&f->want_in) ? G_IO_IN : 0) |
                     (g_atomic_int_get(&f->want_out) ? G_IO_OUT : 0);
    f->poll.revents = 0;
    /* poll() tells of errors and hang-ups without being asked: while nothing is wanted, they must
     * not keep it from sleeping. */
    if (f->polled != (f->poll.events != 0)) {
        f->polled = !f->polled;
        (f->polled ? g_source_add_poll : g_source_remove_poll)(source, &f->poll);
    }
    return g_atomic_int_get(&f->woken) != 0;
}

static gboolean fd_check(GSource *source)
{
    NetFd *f = (NetFd *)source;

    return g_atomic_int_get(&f->woken) != 0 || (f->polled && f->poll.revents != 0);
}

static gboolean fd_dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
    NetFd *f = (NetFd *)source;

    g_atomic_int_set(&f->woken, 0);
    f->fn(f->opaque, f->polled ? f->poll.revents : 0);
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs fd_funcs = {
    .prepare = fd_prepare,
    .check = fd_check,
    .dispatch = fd_dispatch,
};

NetFd *net_fd_new(int fd, NetFdFn fn, void *opaque)
{
    NetFd *f = (NetFd *)g_source_new(&fd_funcs, sizeof(NetFd));

    f->poll.fd = fd;
    f->fn = fn;
    f->opaque = opaque;
    g_source_attach(&f->source, NULL);
    return f;
}

void net_fd_free(NetFd *f)
{
    if (f != NULL) {
        g_source_destroy(&f->source);
        g_source_unref(&f->source);
    }
}

static void set(NetFd *f, gint *flag, bool want)
{
    if (g_atomic_int_get(flag) != want) {
        g_atomic_int_set(flag, want);
        g_main_context_wakeup(NULL);
    }
}

void net_fd_want_in(NetFd *f, bool want)
{
    set(f, &f->want_in, want);
}

void net_fd_want_out(NetFd *f, bool want)
{
    set(f, &f->want_out, want);
}

void net_fd_wake(NetFd *f)
{
    g_atomic_int_set(&f->woken, 1);
    g_main_context_wakeup(NULL);
}
