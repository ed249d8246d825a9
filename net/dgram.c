/* SPDX-License-Identifier: GPL-2.0-or-later
 * Back ends where a datagram is a packet, and -netdev dgram: UNIX or UDP between two.
 */
#include <errno.h>
#include <sys/stat.h>

#include "net-priv.h"
#include "util/error.h"

typedef struct {
    NetClient *nc;
    NetPacketEnd *end;
    char *owned_path;
} Dgram;

static NetVerdict dgram_receive(void *opaque, unsigned queue, const struct iovec *iov, unsigned n)
{
    return net_packet_end_receive(((Dgram *)opaque)->end, iov, n);
}

static void dgram_peer_ready(void *opaque, unsigned queue)
{
    net_packet_end_peer_ready(((Dgram *)opaque)->end);
}

static void dgram_close(void *opaque)
{
    Dgram *d = opaque;

    net_packet_end_free(d->end);
    if (d->owned_path != NULL) {
        unlink(d->owned_path);
    }
    g_free(d->owned_path);
    g_free(d);
}

static const NetOps dgram_ops = {
    .type = "dgram",
    .receive = dgram_receive,
    .peer_ready = dgram_peer_ready,
    .close = dgram_close,
};

NetClient *net_dgram_open(const char *id, int fd, const NetAddress *to, const char *info)
{
    Dgram *d = g_new0(Dgram, 1);

    d->nc = net_backend_new(&dgram_ops, d, id, 1, false, info);
    d->end = net_packet_end_new(d->nc, 0, fd, true, to, 0);
    return d->nc;
}

static bool bind_local(int fd, const NetAddress *local, GError **error)
{
    struct stat st;

    if (local->sa.ss_family == AF_UNIX && lstat(local->text, &st) == 0 && S_ISSOCK(st.st_mode)) {
        unlink(local->text); /* what was left behind; anything but a socket stays */
    }
    if (bind(fd, (const struct sockaddr *)&local->sa, local->len) != 0) {
        error_set_errno(error, errno, "cannot bind to '%s'", local->text);
        return false;
    }
    return true;
}

static NetClient *open_pair(const char *id, const NetAddress *local, const NetAddress *remote,
                            GError **error)
{
    g_auto(Fd) fd = -1;
    g_autofree char *info = NULL;
    NetClient *nc;

    if (remote->len == 0 || local->sa.ss_family != remote->sa.ss_family) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING,
                    "remote.type must be given and be that of local.type");
        return NULL;
    }
    fd = net_socket(local, SOCK_DGRAM, error);
    if (fd < 0 || !bind_local(fd, local, error)) {
        return NULL;
    }
    info = g_strdup_printf("%s to %s", local->text, remote->text);
    nc = net_dgram_open(id, fd_steal(&fd), remote, info);
    if (local->sa.ss_family == AF_UNIX) {
        ((Dgram *)nc->opaque)->owned_path = g_strdup(local->text);
    }
    return nc;
}

static NetClient *dgram_open(const char *id, KeyVal *kv, GError **error)
{
    NetAddress local = { 0 }, remote = { 0 };
    bool has_local = false, has_remote = false;
    int fd = -1, remote_fd = -1;
    NetClient *nc = NULL;

    if (!net_address_take(kv, "local", &local, &fd, &has_local, error) ||
        !net_address_take(kv, "remote", &remote, &remote_fd, &has_remote, error)) {
        /* error is set */
    } else if (remote_fd >= 0 || (fd >= 0 && has_remote)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "a descriptor is given as local, without remote");
    } else if (!has_local) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "property 'local.type' is missing");
    } else {
        nc = fd >= 0 ? net_dgram_open(id, fd, NULL, "an inherited descriptor")
                     : open_pair(id, &local, &remote, error);
    }
    net_address_clear(&local);
    net_address_clear(&remote);
    return nc;
}

const NetType net_type_dgram = {
    .name = "dgram",
    .summary = "a datagram socket, UNIX or UDP",
    .keys =
        (const char *const[]){ "local.type", "local.path", "local.host", "local.port", "local.str",
                               "remote.type", "remote.path", "remote.host", "remote.port", NULL },
    .open = dgram_open,
};
