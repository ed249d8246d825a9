/* SPDX-License-Identifier: GPL-2.0-or-later
 * A stream socket, UNIX (path=) or TCP (host=, port=), as client or server=on. A server serves one
 * peer after the other; with wait=on (its default) it is ready only when the first one is there.
 * A client whose peer left stays closed.
 */
#include "chardev-priv.h"

#include <gio/gio.h>
#include <gio/gunixsocketaddress.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "util/error.h"
#include "util/props.h"

typedef struct {
    char *where; /* for messages */
    bool is_unix;
    char *path; /* of a UNIX server's socket, removed on close */
    GSocketService *service;
    GSocketConnection *connection; /* changed with the object's lock held */
} Socket;

static bool wait_cancelled;

void chardev_cancel_wait(void)
{
    wait_cancelled = true;
    g_main_context_wakeup(NULL);
}

static int connection_fd(Socket *s)
{
    return g_socket_get_fd(g_socket_connection_get_socket(s->connection));
}

static void set_connection(Chardev *chr, GSocketConnection *connection)
{
    Socket *s = chr->state;
    GSocketConnection *before;

    chardev_input_stop(chr);
    g_mutex_lock(&chr->lock);
    before = s->connection;
    s->connection = connection != NULL ? g_object_ref(connection) : NULL;
    chr->stalled = false;
    g_mutex_unlock(&chr->lock);
    chardev_drop_fds(chr);
    g_clear_object(&before);
    chardev_set_opened(chr, connection != NULL);
    if (s->connection != NULL) {
        chardev_input_start(chr, connection_fd(s));
    }
}

static gboolean incoming(GSocketService *service, GSocketConnection *connection, GObject *source,
                         gpointer opaque)
{
    Chardev *chr = opaque;
    Socket *s = chr->state;

    if (s->connection != NULL) {
        return TRUE; /* was in the queue when the other one was taken: closed by its last unref */
    }
    g_socket_service_stop(service);
    set_connection(chr, connection);
    return TRUE;
}

static void socket_hangup(Chardev *chr)
{
    Socket *s = chr->state;

    set_connection(chr, NULL);
    if (s->service != NULL) {
        g_socket_service_start(s->service);
    }
}

/* ---- set-up ---- */

static bool fail(GError **error, GError *cause, const char *verb, const char *where)
{
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST, "cannot %s '%s': %s", verb, where,
                cause->message);
    g_error_free(cause);
    return false;
}

static GSocketAddress *unix_address(const char *path, GError **error)
{
    enum { LONGEST = sizeof(((struct sockaddr_un *)0)->sun_path) - 1 };

    if (strlen(path) > LONGEST) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "path '%s' is longer than the %d bytes a UNIX socket can have", path, LONGEST);
        return NULL;
    }
    return g_unix_socket_address_new(path);
}

/* What a server listens on; an empty host is every IPv4 address. */
static GSocketAddress *tcp_server_address(const char *host, uint16_t port, GError **error)
{
    g_autoptr(GResolver) resolver = g_resolver_get_default();
    g_autoptr(GInetAddress) any = g_inet_address_new_any(G_SOCKET_FAMILY_IPV4);
    GError *cause = NULL;
    GSocketAddress *address;
    GList *found;

    if (*host == '\0') {
        return g_inet_socket_address_new(any, port);
    }
    found = g_resolver_lookup_by_name(resolver, host, NULL, &cause);
    if (found == NULL) {
        fail(error, cause, "find", host);
        return NULL;
    }
    address = g_inet_socket_address_new(found->data, port);
    g_resolver_free_addresses(found);
    return address;
}

static GSocketConnectable *tcp_address(const char *host, const char *port, bool server,
                                       GError **error)
{
    uint64_t number;

    if (!props_parse_u64(port, &number, NULL) || number < 1 || number > 65535) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "port is '%s' but must be 1 to 65535",
                    port);
        return NULL;
    }
    if (server) {
        return (GSocketConnectable *)tcp_server_address(host, number, error);
    }
    return g_network_address_new(*host != '\0' ? host : "localhost", number);
}

static GSocketConnectable *make_address(Chardev *chr, KeyVal *kv, bool server, GError **error)
{
    const char *path = keyval_take(kv, "path");
    const char *host = keyval_take(kv, "host");
    const char *port = keyval_take(kv, "port");
    Socket *s = chr->state;

    if (path != NULL && (host != NULL || port != NULL)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "path and host or port exclude each other");
        return NULL;
    }
    if (path != NULL && *path != '\0') {
        s->where = g_strdup(path);
        s->is_unix = true;
        return (GSocketConnectable *)unix_address(path, error);
    }
    if (port == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "path, or host and port, are missing");
        return NULL;
    }
    s->where = g_strdup_printf("%s:%s", host != NULL ? host : "", port);
    return tcp_address(host != NULL ? host : "", port, server, error);
}

/* What a server that was killed has left behind; anything but a socket stays. */
static void remove_old_socket(const char *path)
{
    struct stat st;

    if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode)) {
        unlink(path);
    }
}

static bool serve(Chardev *chr, GSocketAddress *address, bool wait, GError **error)
{
    Socket *s = chr->state;
    GError *cause = NULL;

    if (G_IS_UNIX_SOCKET_ADDRESS(address)) {
        remove_old_socket(s->where);
    }
    s->service = g_socket_service_new();
    if (!g_socket_listener_add_address(G_SOCKET_LISTENER(s->service), address, G_SOCKET_TYPE_STREAM,
                                       G_SOCKET_PROTOCOL_DEFAULT, NULL, NULL, &cause)) {
        return fail(error, cause, "listen on", s->where);
    }
    if (G_IS_UNIX_SOCKET_ADDRESS(address)) {
        s->path = g_strdup(s->where);
    }
    g_signal_connect(s->service, "incoming", G_CALLBACK(incoming), chr);
    g_socket_service_start(s->service);
    if (wait) {
        g_message("waiting for a connection on %s", s->where);
    }
    while (wait && s->connection == NULL) {
        if (wait_cancelled) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                        "nobody connected to '%s' before the end was asked for", s->where);
            return false;
        }
        g_main_context_iteration(NULL, TRUE);
    }
    return true;
}

static void connected(GObject *client, GAsyncResult *result, gpointer opaque)
{
    *(GAsyncResult **)opaque = g_object_ref(result);
}

/* Serves the main context meanwhile: a host that does not answer is tried for minutes. */
static bool connect_to(Chardev *chr, GSocketConnectable *address, GError **error)
{
    g_autoptr(GSocketClient) client = g_socket_client_new();
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    g_autoptr(GSocketConnection) connection = NULL;
    g_autoptr(GAsyncResult) result = NULL;
    Socket *s = chr->state;
    GError *cause = NULL;

    g_socket_client_set_enable_proxy(client, FALSE);
    g_socket_client_connect_async(client, address, cancellable, connected, &result);
    while (result == NULL) {
        if (wait_cancelled) {
            g_cancellable_cancel(cancellable);
        }
        g_main_context_iteration(NULL, TRUE);
    }
    connection = g_socket_client_connect_finish(client, result, &cause);
    if (g_error_matches(cause, G_IO_ERROR, G_IO_ERROR_CANCELLED)) {
        g_error_free(cause);
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "'%s' did not answer before the end was asked for", s->where);
        return false;
    }
    if (connection == NULL) {
        return fail(error, cause, "connect to", s->where);
    }
    set_connection(chr, connection);
    return true;
}

static bool socket_open(Chardev *chr, KeyVal *kv, GError **error)
{
    g_autoptr(GSocketConnectable) address = NULL;
    bool server = false, wait = true, nowait = false;

    chr->state = g_new0(Socket, 1);
    chr->is_socket = true;
    if (!keyval_take_bool(kv, "server", &server, error) ||
        !keyval_take_bool(kv, "wait", &wait, error) ||
        !keyval_take_bool(kv, "nowait", &nowait, error)) {
        return false;
    }
    if (!server && (keyval_get(kv, "wait") != NULL || nowait)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT, "wait needs server=on");
        return false;
    }
    address = make_address(chr, kv, server, error);
    if (address == NULL) {
        return false;
    }
    return server ? serve(chr, G_SOCKET_ADDRESS(address), wait && !nowait, error)
                  : connect_to(chr, address, error);
}

static size_t socket_write(Chardev *chr, const uint8_t *buf, size_t len)
{
    Socket *s = chr->state;

    return s->connection != NULL ? chardev_fd_write(chr, connection_fd(s), buf, len) : 0;
}

static int socket_output_fd(const Chardev *chr)
{
    Socket *s = chr->state;

    return s->connection != NULL ? connection_fd(s) : -1;
}

static void socket_close(Chardev *chr)
{
    Socket *s = chr->state;

    g_clear_object(&s->connection);
    if (s->service != NULL) {
        g_signal_handlers_disconnect_by_data(s->service, chr);
        g_socket_service_stop(s->service);
        g_socket_listener_close(G_SOCKET_LISTENER(s->service));
        g_clear_object(&s->service);
    }
    if (s->path != NULL) {
        unlink(s->path);
    }
    g_free(s->path);
    g_free(s->where);
    g_free(s);
}

static char *socket_describe(const Chardev *chr)
{
    const Socket *s = chr->state;

    return g_strdup_printf("%s%s:%s%s", s->connection == NULL ? "disconnected:" : "",
                           s->is_unix ? "unix" : "tcp", s->where,
                           s->service != NULL ? ",server=on" : "");
}

const ChardevOps chardev_socket_ops = {
    .name = "socket",
    .summary = "a UNIX or TCP stream, as client or server",
    .keys = (const char *const[]){ "path", "host", "port", "server", "wait", "nowait", NULL },
    .open = socket_open,
    .write = socket_write,
    .hangup = socket_hangup,
    .output_fd = socket_output_fd,
    .describe = socket_describe,
    .close = socket_close,
};
