/* SPDX-License-Identifier: GPL-2.0-or-later
 * A stream socket, UNIX (path=) or TCP (host=, port=), as client or server=on. A server serves one
 * peer after the other; with wait=on (its default) it is ready only when the first one is there.
 * A client whose peer left stays closed, unless reconnect= says after how many seconds to try
 * again; then it need not be there at the start either.
 */
#include "chardev-priv.h"

#include <gio/gio.h>
#include <gio/gunixsocketaddress.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "util/error.h"
#include "util/props.h"

typedef struct {
    char *where; /* for messages */
    bool is_unix;
    char *path; /* of a UNIX server's socket, removed on close if it is still that one */
    ino_t inode;
    GSocketService *service;
    GSocketConnection *connection; /* changed with the object's lock held */
    bool nodelay;

    uint64_t reconnect; /* seconds, 0: never */
    GSocketConnectable *address;
    GCancellable *attempt; /* the one under way */
    guint timer;
} Socket;

static void try_to_connect(Chardev *chr);

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
    if (connection != NULL && s->nodelay && !s->is_unix) {
        g_socket_set_option(g_socket_connection_get_socket(connection), IPPROTO_TCP, TCP_NODELAY, 1,
                            NULL);
    }
    pthread_mutex_lock(&chr->lock);
    before = s->connection;
    s->connection = connection != NULL ? g_object_ref(connection) : NULL;
    chr->stalled = false;
    pthread_mutex_unlock(&chr->lock);
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

static gboolean time_to_try(gpointer opaque)
{
    ((Socket *)((Chardev *)opaque)->state)->timer = 0;
    try_to_connect(opaque);
    return G_SOURCE_REMOVE;
}

static void try_later(Chardev *chr)
{
    Socket *s = chr->state;

    s->timer = g_timeout_add_seconds(s->reconnect, time_to_try, chr);
}

typedef struct {
    Chardev *chr; /* gone if the attempt was cancelled */
    GCancellable *cancellable;
} Attempt;

static void attempt_ended(GObject *client, GAsyncResult *result, gpointer opaque)
{
    g_autofree Attempt *a = opaque;
    g_autoptr(GCancellable) cancellable = a->cancellable;
    g_autoptr(GSocketConnection) connection =
        g_socket_client_connect_finish(G_SOCKET_CLIENT(client), result, NULL);

    if (g_cancellable_is_cancelled(cancellable)) {
        return;
    }
    g_clear_object(&((Socket *)a->chr->state)->attempt);
    if (connection != NULL) {
        set_connection(a->chr, connection);
    } else {
        try_later(a->chr);
    }
}

static void try_to_connect(Chardev *chr)
{
    g_autoptr(GSocketClient) client = g_socket_client_new();
    Attempt *a = g_new(Attempt, 1);
    Socket *s = chr->state;

    s->attempt = g_cancellable_new();
    *a = (Attempt){ chr, g_object_ref(s->attempt) };
    g_socket_client_set_enable_proxy(client, FALSE);
    g_socket_client_connect_async(client, s->address, s->attempt, attempt_ended, a);
}

static void socket_hangup(Chardev *chr)
{
    Socket *s = chr->state;

    set_connection(chr, NULL);
    if (s->service != NULL) {
        g_socket_service_start(s->service);
    } else if (s->reconnect != 0) {
        try_later(chr);
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

static ino_t inode_of(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 ? st.st_ino : 0;
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
        s->inode = inode_of(s->path);
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

static bool take_reconnect(Socket *s, KeyVal *kv, bool server, GError **error)
{
    const char *text = keyval_take(kv, "reconnect");

    if (text == NULL) {
        return true;
    }
    if (!props_parse_u64(text, &s->reconnect, NULL) || s->reconnect > INT32_MAX) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "reconnect is '%s' but must be 0 to %d seconds", text, INT32_MAX);
        return false;
    }
    if (server && s->reconnect != 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "reconnect is for clients, not for server=on");
        return false;
    }
    return true;
}

/* An inherited descriptor: of a connection, or with server=on of what listens. */
static bool use_fd(Chardev *chr, const char *text, bool server, GError **error)
{
    g_autoptr(GSocketConnection) connection = NULL;
    g_autoptr(GSocket) socket = NULL;
    Socket *s = chr->state;
    GError *cause = NULL;
    uint64_t fd;

    s->where = g_strdup_printf("fd %s", text);
    if (!props_parse_u64(text, &fd, NULL) || fd > INT32_MAX) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "fd is '%s' but must be the number of an inherited descriptor", text);
        return false;
    }
    socket = g_socket_new_from_fd(fd, &cause);
    if (socket == NULL) {
        return fail(error, cause, "use", s->where);
    }
    s->is_unix = g_socket_get_family(socket) == G_SOCKET_FAMILY_UNIX;
    if (!server) {
        connection = g_socket_connection_factory_create_connection(socket);
        set_connection(chr, connection);
        return true;
    }
    s->service = g_socket_service_new();
    if (!g_socket_listener_add_socket(G_SOCKET_LISTENER(s->service), socket, NULL, &cause)) {
        return fail(error, cause, "listen on", s->where);
    }
    g_signal_connect(s->service, "incoming", G_CALLBACK(incoming), chr);
    g_socket_service_start(s->service);
    return true;
}

static bool socket_open(Chardev *chr, KeyVal *kv, GError **error)
{
    g_autoptr(GSocketConnectable) address = NULL;
    bool server = false, wait = true, nowait = false;
    Socket *s = g_new0(Socket, 1);
    const char *fd;

    chr->state = s;
    chr->is_socket = true;
    if (!keyval_take_bool(kv, "server", &server, error) ||
        !keyval_take_bool(kv, "wait", &wait, error) ||
        !keyval_take_bool(kv, "nowait", &nowait, error) ||
        !keyval_take_bool(kv, "nodelay", &s->nodelay, error) ||
        !take_reconnect(s, kv, server, error)) {
        return false;
    }
    fd = keyval_take(kv, "fd");
    if (fd != NULL) {
        return use_fd(chr, fd, server, error);
    }
    if (!server && (keyval_get(kv, "wait") != NULL || nowait)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT, "wait needs server=on");
        return false;
    }
    address = make_address(chr, kv, server, error);
    if (address == NULL) {
        return false;
    }
    if (s->reconnect != 0) {
        s->address = g_steal_pointer(&address);
        try_to_connect(chr);
        return true;
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
    if (s->attempt != NULL) {
        g_cancellable_cancel(s->attempt);
        g_clear_object(&s->attempt);
    }
    g_clear_object(&s->address);
    g_clear_handle_id(&s->timer, g_source_remove);
    if (s->service != NULL) {
        g_signal_handlers_disconnect_by_data(s->service, chr);
        g_socket_service_stop(s->service);
        g_socket_listener_close(G_SOCKET_LISTENER(s->service));
        g_clear_object(&s->service);
    }
    if (s->path != NULL && inode_of(s->path) == s->inode) {
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
    .keys = (const char *const[]){ "path", "host", "port", "server", "wait", "nowait", "nodelay",
                                   "reconnect", "fd", NULL },
    .open = socket_open,
    .write = socket_write,
    .hangup = socket_hangup,
    .output_fd = socket_output_fd,
    .describe = socket_describe,
    .close = socket_close,
};
