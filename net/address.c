/* SPDX-License-Identifier: GPL-2.0-or-later
 * Socket addresses from option text, and sockets and inherited descriptors for the back ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <netdb.h>
#include <string.h>
#include <sys/un.h>

#include "net-priv.h"
#include "util/error.h"
#include "util/props.h"

void net_address_clear(NetAddress *address)
{
    g_clear_pointer(&address->text, g_free);
    address->len = 0;
}

static bool net_address_inet(const char *host, const char *port, NetAddress *address,
                             GError **error)
{
    struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM }, *found;
    uint64_t number;
    int err;

    if (!props_parse_u64(port, &number, NULL) || number > 65535) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "port is '%s' but must be 0 to 65535",
                    port);
        return false;
    }
    err = getaddrinfo(host, port, &hints, &found);
    if (err != 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST, "cannot find host '%s': %s", host,
                    gai_strerror(err));
        return false;
    }
    memcpy(&address->sa, found->ai_addr, found->ai_addrlen);
    address->len = found->ai_addrlen;
    freeaddrinfo(found);
    g_free(address->text);
    address->text = net_address_text((struct sockaddr *)&address->sa, address->len);
    return true;
}

bool net_address_parse(const char *text, bool any_host, NetAddress *address, GError **error)
{
    const char *colon = strrchr(text, ':');
    g_autofree char *host = NULL;

    if (colon == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX, "'%s' is not HOST:PORT", text);
        return false;
    }
    host = g_strndup(text, colon - text);
    if (*host == '[' && host[strlen(host) - 1] == ']') {
        host[strlen(host) - 1] = '\0';
        memmove(host, host + 1, strlen(host));
    }
    if (*host == '\0') {
        g_free(host);
        host = g_strdup(any_host ? "0.0.0.0" : "127.0.0.1");
    }
    return net_address_inet(host, colon + 1, address, error);
}

static bool net_address_unix(const char *path, NetAddress *address, GError **error)
{
    struct sockaddr_un *sun = (struct sockaddr_un *)&address->sa;
    enum { LONGEST = sizeof(sun->sun_path) - 1 };

    if (strlen(path) > LONGEST) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "path '%s' is longer than the %d bytes a UNIX socket can have", path, LONGEST);
        return false;
    }
    memset(sun, 0, sizeof(*sun));
    sun->sun_family = AF_UNIX;
    memcpy(sun->sun_path, path, strlen(path));
    address->len = sizeof(*sun);
    g_free(address->text);
    address->text = g_strdup(path);
    return true;
}

char *net_address_text(const struct sockaddr *sa, socklen_t len)
{
    char host[NI_MAXHOST], port[NI_MAXSERV];

    if (sa->sa_family == AF_UNIX) {
        return g_strdup(((const struct sockaddr_un *)sa)->sun_path);
    }
    if (getnameinfo(sa, len, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        return g_strdup("?");
    }
    return g_strdup_printf(sa->sa_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

/* Takes "PREFIX.name" from kv; with error set where it must be there. */
static const char *take(KeyVal *kv, const char *prefix, const char *name, GError **error)
{
    g_autofree char *key = g_strconcat(prefix, ".", name, NULL);
    const char *value = keyval_take(kv, key);

    if (value == NULL && error != NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "property '%s' is missing", key);
    }
    return value;
}

bool net_address_take(KeyVal *kv, const char *prefix, NetAddress *address, int *fd, bool *given,
                      GError **error)
{
    static const char *const types[] = { "inet", "unix", "fd", NULL };
    const char *type = take(kv, prefix, "type", NULL), *first, *second;
    GError *missing = NULL;

    *given = type != NULL;
    if (type == NULL) {
        return true;
    }
    if (strcmp(type, "unix") == 0) {
        first = take(kv, prefix, "path", &missing);
        if (first != NULL) {
            return net_address_unix(first, address, error);
        }
    } else if (strcmp(type, "fd") == 0) {
        first = take(kv, prefix, "str", &missing);
        if (first != NULL) {
            *fd = net_take_fd(first, error);
            return *fd >= 0;
        }
    } else if (strcmp(type, "inet") == 0) {
        first = take(kv, prefix, "host", &missing);
        second = first != NULL ? take(kv, prefix, "port", &missing) : NULL;
        if (second != NULL) {
            return net_address_inet(first, second, address, error);
        }
    } else {
        error_set_unknown(error, "type of address", type, types);
        return false;
    }
    g_propagate_error(error, missing);
    return false;
}

int net_take_fd(const char *text, GError **error)
{
    uint64_t number;
    int flags;

    if (!props_parse_u64(text, &number, NULL) || number > INT32_MAX) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "fd is '%s' but must be the number of an open descriptor", text);
        return -1;
    }
    flags = fcntl(number, F_GETFL);
    if (flags < 0 || fcntl(number, F_SETFL, flags | O_NONBLOCK) < 0 ||
        fcntl(number, F_SETFD, FD_CLOEXEC) < 0) {
        error_set_errno(error, errno, "fd %s", text);
        return -1;
    }
    return number;
}

int net_socket(const NetAddress *address, int type, GError **error)
{
    int fd = socket(address->sa.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0) {
        error_set_errno(error, errno, "cannot make a socket for '%s'", address->text);
    }
    return fd;
}
