/* SPDX-License-Identifier: GPL-2.0-or-later
 * -netdev stream: a UNIX or TCP stream to another program (passt, another machine), as client or
 * server.
 */
#include "net-priv.h"
#include "util/error.h"
#include "util/props.h"

static bool take_reconnect(KeyVal *kv, NetStreamOptions *options, GError **error)
{
    const char *text = keyval_take(kv, "reconnect");
    uint64_t seconds;

    if (text == NULL) {
        return true;
    }
    if (!props_parse_u64(text, &seconds, NULL) || seconds > 86400) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "reconnect is '%s' but must be 0 to 86400 seconds", text);
        return false;
    }
    if (options->server && seconds > 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT, "a server does not reconnect");
        return false;
    }
    options->reconnect = seconds;
    return true;
}

static NetClient *stream_open(const char *id, KeyVal *kv, GError **error)
{
    NetStreamOptions options = { .events = true };
    NetAddress address = { 0 };
    NetClient *nc = NULL;
    bool given = false;
    int fd = -1;

    if (!keyval_take_bool(kv, "server", &options.server, error) ||
        !take_reconnect(kv, &options, error) ||
        !net_address_take(kv, "addr", &address, &fd, &given, error)) {
        return NULL;
    }
    if (!given) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "property 'addr.type' is missing");
    } else if (fd >= 0 && options.server) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "server=on needs addr.type=unix or inet");
    } else {
        nc = net_stream_link_open(id, fd >= 0 ? NULL : &address, fd, &options, error);
    }
    net_address_clear(&address);
    return nc;
}

const NetType net_type_stream = {
    .name = "stream",
    .summary = "a stream socket, UNIX or TCP, as client or server",
    .keys = (const char *const[]){ "addr.type", "addr.path", "addr.host", "addr.port", "addr.str",
                                   "server", "reconnect", NULL },
    .open = stream_open,
};
