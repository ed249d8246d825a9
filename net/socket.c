/* SPDX-License-Identifier: GPL-2.0-or-later
 * -netdev socket: an inherited descriptor (fd=), a TCP stream to another machine (listen=,
 * connect=), a multicast group that many share (mcast=), or UDP between two (udp=, localaddr=).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "net-priv.h"
#include "util/error.h"

static NetClient *open_fd(const char *id, const char *text, GError **error)
{
    NetStreamOptions options = { 0 };
    int type = 0, fd = net_take_fd(text, error);
    socklen_t len = sizeof(type);

    if (fd < 0) {
        return NULL;
    }
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) != 0 ||
        (type != SOCK_STREAM && type != SOCK_DGRAM)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "fd %s is not a stream or datagram socket", text);
        return NULL;
    }
    return type == SOCK_STREAM ? net_stream_link_open(id, NULL, fd, &options, error)
                               : net_dgram_open(id, fd, NULL, "an inherited descriptor");
}

static NetClient *open_stream(const char *id, const char *text, bool server, GError **error)
{
    NetStreamOptions options = { .server = server };
    NetAddress address = { 0 };
    NetClient *nc = NULL;

    if (net_address_parse(text, server, &address, error)) {
        nc = net_stream_link_open(id, &address, -1, &options, error);
    }
    net_address_clear(&address);
    return nc;
}

/* "SOCKET on ADDRESS" or "UDP from ADDRESS to ADDRESS". */
static bool bind_to(int fd, const NetAddress *address, GError **error)
{
    if (bind(fd, (const struct sockaddr *)&address->sa, address->len) != 0) {
        error_set_errno(error, errno, "cannot bind to '%s'", address->text);
        return false;
    }
    return true;
}

static NetClient *open_udp(const char *id, const char *to, const char *from, GError **error)
{
    NetAddress remote = { 0 }, local = { 0 };
    g_auto(Fd) fd = -1;
    NetClient *nc = NULL;

    if (from == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "udp needs localaddr");
        return NULL;
    }
    if (net_address_parse(to, false, &remote, error) &&
        net_address_parse(from, true, &local, error) &&
        (fd = net_socket(&remote, SOCK_DGRAM, error)) >= 0 && bind_to(fd, &local, error)) {
        g_autofree char *info = g_strdup_printf("udp=%s/%s", local.text, remote.text);

        nc = net_dgram_open(id, fd_steal(&fd), &remote, info);
    }
    net_address_clear(&remote);
    net_address_clear(&local);
    return nc;
}

/* All of a group on one host share the port; what one sends comes back to it and is seen by its NIC
 * as a frame from its own address, which a NIC's driver ignores. */
static bool join(int fd, const NetAddress *group, const char *local, GError **error)
{
    const struct sockaddr_in *sin = (const struct sockaddr_in *)&group->sa;
    struct ip_mreq request = { .imr_multiaddr = sin->sin_addr };
    static const int on = 1;

    if (sin->sin_family != AF_INET || !IN_MULTICAST(ntohl(sin->sin_addr.s_addr))) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "mcast is '%s' but must be an IPv4 multicast address and a port", group->text);
        return false;
    }
    if (local != NULL && inet_pton(AF_INET, local, &request.imr_interface) != 1) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "localaddr is '%s' but must be an IPv4 address", local);
        return false;
    }
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        !bind_to(fd, group, error)) {
        return false;
    }
    if (setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof(request)) != 0 ||
        setsockopt(fd, IPPROTO_IP, IP_MULTICAST_LOOP, &on, sizeof(on)) != 0 ||
        (local != NULL && setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &request.imr_interface,
                                     sizeof(request.imr_interface)) != 0)) {
        error_set_errno(error, errno, "cannot join the group '%s'", group->text);
        return false;
    }
    return true;
}

static NetClient *open_mcast(const char *id, const char *text, const char *local, GError **error)
{
    NetAddress group = { 0 };
    g_auto(Fd) fd = -1;
    NetClient *nc = NULL;

    if (net_address_parse(text, false, &group, error) &&
        (fd = net_socket(&group, SOCK_DGRAM, error)) >= 0 && join(fd, &group, local, error)) {
        g_autofree char *info = g_strdup_printf("mcast=%s", group.text);

        nc = net_dgram_open(id, fd_steal(&fd), &group, info);
    }
    net_address_clear(&group);
    return nc;
}

static NetClient *socket_open(const char *id, KeyVal *kv, GError **error)
{
    const char *fd = keyval_take(kv, "fd"), *listen = keyval_take(kv, "listen");
    const char *connect = keyval_take(kv, "connect"), *mcast = keyval_take(kv, "mcast");
    const char *udp = keyval_take(kv, "udp"), *localaddr = keyval_take(kv, "localaddr");

    if ((fd != NULL) + (listen != NULL) + (connect != NULL) + (mcast != NULL) + (udp != NULL) !=
        1) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX,
                    "exactly one of fd, listen, connect, mcast and udp is needed");
        return NULL;
    }
    if (localaddr != NULL && udp == NULL && mcast == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT, "localaddr needs mcast or udp");
        return NULL;
    }
    if (fd != NULL) {
        return open_fd(id, fd, error);
    }
    if (udp != NULL) {
        return open_udp(id, udp, localaddr, error);
    }
    if (mcast != NULL) {
        return open_mcast(id, mcast, localaddr, error);
    }
    return listen != NULL ? open_stream(id, listen, true, error)
                          : open_stream(id, connect, false, error);
}

const NetType net_type_socket = {
    .name = "socket",
    .summary = "another machine over TCP, UDP or an open socket",
    .keys = (const char *const[]){ "fd", "listen", "connect", "mcast", "udp", "localaddr", NULL },
    .open = socket_open,
};
