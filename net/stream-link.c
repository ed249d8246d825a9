/* SPDX-License-Identifier: GPL-2.0-or-later
 * A back end over a stream socket: finds a peer as client (once, or again and again) or as server
 * (one peer after the other), and says in events and in info network who it is. What goes over the
 * stream is stream-end.c's. Without a peer packets are lost, as on a cable that is not plugged in.
 */
#include <errno.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "net-priv.h"
#include "util/error.h"
#include "util/event.h"

struct NetStreamLink {
    NetClient *nc;
    NetAddress address; /* len 0: an inherited descriptor */
    NetStreamOptions options;

    int listen_fd, connect_fd; /* or -1 */
    NetFd *listen_watch, *connect_watch;
    guint timer;      /* of the next attempt */
    char *owned_path; /* of our UNIX socket */

    pthread_mutex_t lock;
    NetStreamEnd *end; /* or NULL; changed in [main] */
};

static void find_peer(NetStreamLink *link);

static void emit(NetStreamLink *link, bool connected)
{
    JsonObject *data, *addr;

    if (!link->options.events) {
        return;
    }
    data = json_object_new();
    json_object_set_string_member(data, "netdev-id", link->nc->id);
    if (connected) {
        addr = json_object_new();
        if (link->address.sa.ss_family == AF_UNIX) {
            json_object_set_string_member(addr, "type", "unix");
            json_object_set_string_member(addr, "path", link->address.text);
        } else {
            g_auto(GStrv) parts = g_strsplit(link->address.text, ":", 2);

            json_object_set_string_member(addr, "type", "inet");
            json_object_set_string_member(addr, "host", parts[0]);
            json_object_set_string_member(addr, "port", parts[1] != NULL ? parts[1] : "");
        }
        json_object_set_object_member(data, "addr", addr);
    }
    event_emit(connected ? "NETDEV_STREAM_CONNECTED" : "NETDEV_STREAM_DISCONNECTED", data);
}

/* ---- with a peer ---- */

static void set_end(NetStreamLink *link, NetStreamEnd *end)
{
    NetStreamEnd *before;

    pthread_mutex_lock(&link->lock);
    before = link->end;
    link->end = end;
    pthread_mutex_unlock(&link->lock);
    net_stream_end_free(before);
    net_ready(link->nc, 0);
}

static void peer_gone(void *opaque, const char *why)
{
    NetStreamLink *link = opaque;

    set_end(link, NULL);
    net_set_info(link->nc, "not connected (%s)", why);
    emit(link, false);
    find_peer(link);
}

static void peer_found(NetStreamLink *link, int fd)
{
    net_set_info(link->nc, link->options.server ? "connection on %s" : "connected to %s",
                 link->address.len > 0 ? link->address.text : "an inherited descriptor");
    set_end(link, net_stream_end_new(link->nc, fd, peer_gone, link));
    if (link->address.len > 0) {
        emit(link, true);
    }
}

/* ---- server ---- */

static void on_incoming(void *opaque, unsigned revents)
{
    NetStreamLink *link = opaque;
    int fd = accept4(link->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd >= 0) {
        net_fd_want_in(link->listen_watch, false); /* one at a time */
        peer_found(link, fd);
    }
}

/* What a server that was killed has left behind; anything but a socket stays. */
static void remove_old_socket(const NetAddress *address)
{
    struct stat st;

    if (address->sa.ss_family == AF_UNIX && lstat(address->text, &st) == 0 &&
        S_ISSOCK(st.st_mode)) {
        unlink(address->text);
    }
}

static bool listen_on(NetStreamLink *link, GError **error)
{
    static const int on = 1;

    link->listen_fd = net_socket(&link->address, SOCK_STREAM, error);
    if (link->listen_fd < 0) {
        return false;
    }
    remove_old_socket(&link->address);
    if (link->address.sa.ss_family != AF_UNIX) {
        setsockopt(link->listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    }
    if (bind(link->listen_fd, (struct sockaddr *)&link->address.sa, link->address.len) != 0 ||
        listen(link->listen_fd, 1) != 0) {
        error_set_errno(error, errno, "cannot listen on '%s'", link->address.text);
        return false;
    }
    if (link->address.sa.ss_family == AF_UNIX) {
        link->owned_path = g_strdup(link->address.text);
    }
    link->listen_watch = net_fd_new(link->listen_fd, on_incoming, link);
    return true;
}

/* ---- client ---- */

static gboolean try_again(gpointer opaque)
{
    NetStreamLink *link = opaque;

    link->timer = 0;
    find_peer(link);
    return G_SOURCE_REMOVE;
}

static void attempt_failed(NetStreamLink *link, int err)
{
    net_set_info(link->nc, "not connected (%s: %s)", link->address.text, g_strerror(err));
    if (link->options.reconnect > 0) {
        link->timer = g_timeout_add_seconds(link->options.reconnect, try_again, link);
    } else {
        g_message("netdev '%s': cannot connect to '%s': %s", link->nc->id, link->address.text,
                  g_strerror(err));
    }
}

static void on_connected(void *opaque, unsigned revents)
{
    NetStreamLink *link = opaque;
    int err = 0, fd;
    socklen_t len = sizeof(err);

    if (revents == 0) {
        return;
    }
    getsockopt(link->connect_fd, SOL_SOCKET, SO_ERROR, &err, &len);
    g_clear_pointer(&link->connect_watch, net_fd_free);
    fd = fd_steal(&link->connect_fd);
    if (err == 0) {
        peer_found(link, fd);
    } else {
        close(fd);
        attempt_failed(link, err);
    }
}

/* FALSE: it failed at once. */
static bool start_connect(NetStreamLink *link, GError **error)
{
    int fd = net_socket(&link->address, SOCK_STREAM, error);

    if (fd < 0) {
        return false;
    }
    if (connect(fd, (struct sockaddr *)&link->address.sa, link->address.len) == 0) {
        peer_found(link, fd);
        return true;
    }
    if (errno != EINPROGRESS) {
        error_set_errno(error, errno, "cannot connect to '%s'", link->address.text);
        close(fd);
        return false;
    }
    link->connect_fd = fd;
    link->connect_watch = net_fd_new(fd, on_connected, link);
    net_fd_want_out(link->connect_watch, true);
    return true;
}

static void find_peer(NetStreamLink *link)
{
    g_autoptr(GError) error = NULL;

    if (link->options.server) {
        net_fd_want_in(link->listen_watch, true);
    } else if (link->options.reconnect > 0 && !start_connect(link, &error)) {
        net_set_info(link->nc, "not connected (%s)", error->message);
        link->timer = g_timeout_add_seconds(link->options.reconnect, try_again, link);
    }
}

/* ---- the back end ---- */

static NetVerdict link_receive(void *opaque, unsigned queue, const struct iovec *iov, unsigned n)
{
    NetStreamLink *link = opaque;
    NetVerdict verdict = NET_TAKEN;

    pthread_mutex_lock(&link->lock);
    if (link->end != NULL) {
        verdict = net_stream_end_receive(link->end, iov, n);
    }
    pthread_mutex_unlock(&link->lock);
    return verdict;
}

static NetVerdict link_receive_more(void *opaque, unsigned queue, const struct iovec *iov,
                                    unsigned n)
{
    NetStreamLink *link = opaque;
    NetVerdict verdict = NET_TAKEN;

    pthread_mutex_lock(&link->lock);
    if (link->end != NULL) {
        verdict = net_stream_end_receive_more(link->end, iov, n);
    }
    pthread_mutex_unlock(&link->lock);
    return verdict;
}

static void link_flush(void *opaque)
{
    NetStreamLink *link = opaque;

    pthread_mutex_lock(&link->lock);
    if (link->end != NULL) {
        net_stream_end_flush(link->end);
    }
    pthread_mutex_unlock(&link->lock);
}

static void link_peer_ready(void *opaque, unsigned queue)
{
    NetStreamLink *link = opaque;

    pthread_mutex_lock(&link->lock);
    if (link->end != NULL) {
        net_stream_end_peer_ready(link->end);
    }
    pthread_mutex_unlock(&link->lock);
}

static void link_close(void *opaque)
{
    NetStreamLink *link = opaque;

    if (link->timer != 0) {
        g_source_remove(link->timer);
    }
    net_fd_free(link->listen_watch);
    net_fd_free(link->connect_watch);
    fd_clear(&link->listen_fd);
    fd_clear(&link->connect_fd);
    net_stream_end_free(link->end);
    if (link->owned_path != NULL) {
        unlink(link->owned_path);
    }
    g_free(link->owned_path);
    net_address_clear(&link->address);
    pthread_mutex_destroy(&link->lock);
    g_free(link);
}

static const NetOps stream_ops = {
    .type = "stream",
    .receive = link_receive,
    .receive_more = link_receive_more,
    .flush = link_flush,
    .peer_ready = link_peer_ready,
    .close = link_close,
};
static const NetOps socket_ops = {
    .type = "socket",
    .receive = link_receive,
    .receive_more = link_receive_more,
    .flush = link_flush,
    .peer_ready = link_peer_ready,
    .close = link_close,
};

NetClient *net_stream_link_open(const char *id, const NetAddress *address, int fd,
                                const NetStreamOptions *options, GError **error)
{
    NetStreamLink *link = g_new0(NetStreamLink, 1);
    GError *cause = NULL;

    link->listen_fd = -1;
    link->connect_fd = -1;
    link->options = *options;
    if (address != NULL) {
        link->address = *address;
        link->address.text = g_strdup(address->text);
    }
    pthread_mutex_init(&link->lock, NULL);
    link->nc = net_backend_new(options->events ? &stream_ops : &socket_ops, link, id, 1, false,
                               "not connected");
    if (fd >= 0) {
        peer_found(link, fd);
    } else if (options->server) {
        if (listen_on(link, &cause)) {
            net_set_info(link->nc, "listening on %s", link->address.text);
            find_peer(link);
        }
    } else if (!start_connect(link, &cause) && options->reconnect > 0) {
        g_clear_error(&cause);
        link->timer = g_timeout_add_seconds(options->reconnect, try_again, link);
    }
    if (cause != NULL) {
        g_propagate_error(error, cause);
        net_client_free(link->nc);
        return NULL;
    }
    return link->nc;
}
