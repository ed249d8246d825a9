/* SPDX-License-Identifier: GPL-2.0-or-later
 * Where a VNC server listens. Display N is TCP port 5900 + N.
 */
#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd.h"
#include "util/keyval.h"
#include "util/props.h"
#include "vnc-priv.h"

enum { FIRST_PORT = 5900, BACKLOG = 4 };

static bool listen_unix(VncListener *l, const char *path, GError **error)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    g_auto(Fd) fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (*path == '\0' || strlen(path) >= sizeof(addr.sun_path)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "socket path '%s' must have 1 to %zu bytes", path, sizeof(addr.sun_path) - 1);
        return false;
    }
    strcpy(addr.sun_path, path);
    unlink(path); /* as for other sockets: what is left of an earlier run */
    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0 ||
        listen(fd, BACKLOG) != 0) {
        error_set_errno(error, errno, "cannot listen on '%s'", path);
        return false;
    }
    *l = (VncListener){ fd_steal(&fd), g_strdup(path), g_strdup(""), "unix", g_strdup(path) };
    return true;
}

static bool is_loopback(const char *host)
{
    static const char *const names[] = { "", "localhost", "127.0.0.1", "::1", "[::1]", NULL };

    return g_strv_contains(names, host);
}

static bool listen_port(VncListener *l, const char *host, unsigned port, GError **error)
{
    bool ipv6 = strchr(host, ':') != NULL;
    struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
                              .ai_socktype = SOCK_STREAM };
    g_autofree char *service = g_strdup_printf("%u", port);
    const char *numeric = ipv6 ? "::1" : "127.0.0.1";
    struct addrinfo *addr;
    g_auto(Fd) fd = -1;
    int err, on = 1;

    err = getaddrinfo(numeric, service, &hints, &addr);
    if (err != 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST, "address %s: %s", numeric,
                    gai_strerror(err));
        return false;
    }
    fd = socket(addr->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    err = fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
                  bind(fd, addr->ai_addr, addr->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0
              ? errno
              : 0;
    freeaddrinfo(addr);
    if (err != 0) {
        error_set_errno(error, err, "cannot listen on %s port %u", numeric, port);
        return false;
    }
    *l = (VncListener){ fd_steal(&fd), g_strdup(numeric), g_steal_pointer(&service),
                        ipv6 ? "ipv6" : "ipv4", NULL };
    return true;
}

/* "HOST:N": tries displays N to last. */
static bool listen_tcp(VncListener *l, const char *address, const char *to, GError **error)
{
    enum { MAX_DISPLAY = UINT16_MAX - FIRST_PORT };
    const char *colon = strrchr(address, ':');
    g_autofree char *host = colon != NULL ? g_strndup(address, colon - address) : NULL;
    uint64_t first, last;

    if (host == NULL || !props_parse_u64(colon + 1, &first, NULL) || first > MAX_DISPLAY) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX,
                    "'%s' is not [HOST]:DISPLAY with a display from 0 to %d, nor unix:PATH, nor "
                    "none",
                    address, MAX_DISPLAY);
        return false;
    }
    if (!is_loopback(host)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "host '%s' is refused because there is no password: only localhost and "
                    "unix:PATH can be listened on",
                    host);
        return false;
    }
    last = first;
    if (to != NULL && (!props_parse_u64(to, &last, NULL) || last < first || last > MAX_DISPLAY)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "to is '%s' but must be %u to %d", to,
                    (unsigned)first, MAX_DISPLAY);
        return false;
    }
    for (uint64_t n = first;; n++) {
        if (listen_port(l, host, FIRST_PORT + n, n < last ? NULL : error)) {
            return true;
        }
        if (n == last) {
            return false;
        }
    }
}

bool vnc_listen(VncListener *listener, const char *text, GError **error)
{
    static const char *const keys[] = { "vnc", "to", NULL };
    g_autoptr(KeyVal) kv = keyval_parse(text, "vnc", error);
    const char *address;

    if (kv == NULL || !keyval_check_keys(kv, keys, error)) {
        return false;
    }
    address = keyval_get(kv, "vnc");
    if (address == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "the address is missing");
        return false;
    }
    return g_str_has_prefix(address, "unix:")
               ? listen_unix(listener, address + strlen("unix:"), error)
               : listen_tcp(listener, address, keyval_get(kv, "to"), error);
}

void vnc_listener_clear(VncListener *listener)
{
    if (listener->fd >= 0) {
        close(listener->fd);
    }
    if (listener->unlink_path != NULL) {
        unlink(listener->unlink_path);
    }
    g_free(listener->unlink_path);
    g_free(listener->host);
    g_free(listener->service);
    *listener = (VncListener){ .fd = -1 };
}
