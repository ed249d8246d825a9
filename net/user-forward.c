/* SPDX-License-Identifier: GPL-2.0-or-later
 * Ports of -netdev user that lead through: hostfwd= from the host to the guest, guestfwd= from the
 * guest to a command or a character device of the host.
 */
#include <string.h>

#include "chardev/chardev.h"
#include "user-priv.h"
#include "util/error.h"
#include "util/props.h"

typedef struct {
    UserNet *user;
    struct in_addr addr;
    int port;
    Chardev *chr;
} GuestFwd;

/* ---- rules ---- */

typedef struct {
    bool udp;
    struct in_addr host, guest;
    int host_port, guest_port;
} Rule;

/* "[ADDRESS]:PORT" up to its end. */
static bool parse_end(const char *text, struct in_addr *addr, int *port, int lowest)
{
    const char *colon = strchr(text, ':');
    g_autofree char *host = NULL;
    uint64_t number;

    if (colon == NULL) {
        return false;
    }
    host = g_strndup(text, colon - text);
    if (*host != '\0' && inet_pton(AF_INET, host, addr) != 1) {
        return false;
    }
    if (!props_parse_u64(colon + 1, &number, NULL) || number < (unsigned)lowest || number > 65535) {
        return false;
    }
    *port = number;
    return true;
}

/* "[tcp|udp]:" off the beginning. NULL: neither. */
static const char *take_protocol(const char *text, bool *udp)
{
    *udp = g_str_has_prefix(text, "udp:");
    if (*udp || g_str_has_prefix(text, "tcp:")) {
        return text + 4;
    }
    return *text == ':' ? text + 1 : NULL;
}

static bool parse_hostfwd(const char *text, Rule *rule, GError **error)
{
    const char *rest = take_protocol(text, &rule->udp);
    g_auto(GStrv) ends = rest != NULL ? g_strsplit(rest, "-", 2) : NULL;

    if (ends == NULL || ends[0] == NULL || ends[1] == NULL ||
        !parse_end(ends[0], &rule->host, &rule->host_port, 0) ||
        !parse_end(ends[1], &rule->guest, &rule->guest_port, 1)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX,
                    "hostfwd '%s' is not [tcp|udp]:[HOST]:PORT-[GUEST]:PORT", text);
        return false;
    }
    return true;
}

bool net_user_add_hostfwd(UserNet *user, const char *text, GError **error)
{
    Rule rule = { .guest = user->guest };
    int result;

    if (!parse_hostfwd(text, &rule, error)) {
        return false;
    }
    net_user_enter(user);
    result = slirp_add_hostfwd(user->slirp, rule.udp, rule.host, rule.host_port, rule.guest,
                               rule.guest_port);
    net_user_leave(user);
    if (result < 0) {
        error_set_errno(error, errno, "Could not set up host forwarding rule '%s'", text);
        return false;
    }
    return true;
}

/* ---- guestfwd ---- */

static size_t fwd_can_receive(void *opaque)
{
    GuestFwd *fwd = opaque;
    size_t room;

    pthread_mutex_lock(&fwd->user->lock);
    room = slirp_socket_can_recv(fwd->user->slirp, fwd->addr, fwd->port);
    pthread_mutex_unlock(&fwd->user->lock);
    return room;
}

static void fwd_receive(void *opaque, const uint8_t *buf, size_t len)
{
    GuestFwd *fwd = opaque;

    pthread_mutex_lock(&fwd->user->lock);
    slirp_socket_recv(fwd->user->slirp, fwd->addr, fwd->port, buf, len);
    pthread_mutex_unlock(&fwd->user->lock);
    net_user_wake(fwd->user);
}

static const ChardevFrontend fwd_frontend = {
    .can_receive = fwd_can_receive,
    .receive = fwd_receive,
};

static ssize_t fwd_write(const void *buf, size_t len, void *opaque)
{
    GuestFwd *fwd = opaque;

    chardev_write(fwd->chr, buf, len);
    return len;
}

/* The stack does not tell that the guest has connected or has taken what was there. */
void net_user_guestfwds_ready(UserNet *user)
{
    pthread_mutex_lock(&user->lock);
    for (unsigned i = 0; user->guestfwds != NULL && i < user->guestfwds->len; i++) {
        const GuestFwd *fwd = g_ptr_array_index(user->guestfwds, i);

        if (slirp_socket_can_recv(user->slirp, fwd->addr, fwd->port) > 0) {
            chardev_accept_input(fwd->chr);
        }
    }
    pthread_mutex_unlock(&user->lock);
}

static bool forward_to_chardev(UserNet *user, struct in_addr addr, int port, const char *device,
                               GError **error)
{
    static unsigned number;
    g_autofree char *id = g_strdup_printf("#guestfwd%u", number++);
    GuestFwd *fwd = g_new0(GuestFwd, 1);
    GError *cause = NULL;
    int result = -1;

    fwd->user = user;
    fwd->addr = addr;
    fwd->port = port;
    fwd->chr = chardev_new_from_short(device, id, &cause);
    if (fwd->chr == NULL) {
        if (cause != NULL) {
            g_propagate_error(error, cause);
        } else {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX, "guestfwd leads to no device");
        }
        g_free(fwd);
        return false;
    }
    if (!chardev_attach(fwd->chr, &fwd_frontend, fwd, error)) {
        g_free(fwd);
        return false;
    }
    pthread_mutex_lock(&user->lock);
    if (user->guestfwds == NULL) {
        user->guestfwds = g_ptr_array_new_with_free_func(g_free);
    }
    g_ptr_array_add(user->guestfwds, fwd);
    result = slirp_add_guestfwd(user->slirp, fwd_write, fwd, &addr, port);
    pthread_mutex_unlock(&user->lock);
    if (result < 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "guestfwd: the address is not in the guest's network, or taken");
        return false;
    }
    return true;
}

static bool forward_to_command(UserNet *user, struct in_addr addr, int port, const char *command,
                               GError **error)
{
    int result;

    pthread_mutex_lock(&user->lock);
    result = slirp_add_exec(user->slirp, command, &addr, port);
    pthread_mutex_unlock(&user->lock);
    if (result < 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "guestfwd: the address is not in the guest's network, or taken");
        return false;
    }
    return true;
}

bool net_user_add_guestfwd(UserNet *user, const char *text, GError **error)
{
    struct in_addr addr = { 0 };
    bool udp = false;
    const char *rest = take_protocol(text, &udp);
    g_auto(GStrv) ends = rest != NULL && !udp ? g_strsplit(rest, "-", 2) : NULL;
    int port;

    if (ends == NULL || ends[0] == NULL || ends[1] == NULL ||
        !parse_end(ends[0], &addr, &port, 1) || addr.s_addr == 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX,
                    "guestfwd '%s' is not [tcp]:ADDRESS:PORT-DEVICE or -cmd:COMMAND", text);
        return false;
    }
    if (g_str_has_prefix(ends[1], "cmd:")) {
        return forward_to_command(user, addr, port, ends[1] + strlen("cmd:"), error);
    }
    return forward_to_chardev(user, addr, port, ends[1], error);
}

void net_user_free_guestfwds(UserNet *user)
{
    for (unsigned i = 0; user->guestfwds != NULL && i < user->guestfwds->len; i++) {
        chardev_detach(((GuestFwd *)g_ptr_array_index(user->guestfwds, i))->chr);
    }
    g_clear_pointer(&user->guestfwds, g_ptr_array_unref);
}

/* ---- management ---- */

static void find_user(NetClient *nc, void *opaque)
{
    NetClient **found = opaque;

    if (*found == NULL && net_user_of(nc) != NULL) {
        *found = nc;
    }
}

static UserNet *user_called(const char *id, GError **error)
{
    NetClient *nc = NULL;

    if (id != NULL) {
        nc = net_backend_find(id);
    } else {
        net_foreach(find_user, &nc);
    }
    if (nc == NULL || net_user_of(nc) == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_DEVICE_NOT_FOUND,
                    id != NULL ? "there is no user network '%s'" : "there is no user network", id);
        return NULL;
    }
    return net_user_of(nc);
}

bool net_user_hostfwd_add(const char *id, const char *rule, GError **error)
{
    UserNet *user = user_called(id, error);

    return user != NULL && net_user_add_hostfwd(user, rule, error);
}

bool net_user_hostfwd_remove(const char *id, const char *text, GError **error)
{
    UserNet *user = user_called(id, error);
    Rule rule = { 0 };
    const char *rest = take_protocol(text, &rule.udp);
    int result;

    if (user == NULL) {
        return false;
    }
    if (rest == NULL || !parse_end(rest, &rule.host, &rule.host_port, 1)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX, "'%s' is not [tcp|udp]:[HOST]:PORT",
                    text);
        return false;
    }
    net_user_enter(user);
    result = slirp_remove_hostfwd(user->slirp, rule.udp, rule.host, rule.host_port);
    net_user_leave(user);
    if (result < 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN,
                    "there is no host forwarding rule '%s'", text);
        return false;
    }
    return true;
}

static void append_user(NetClient *nc, void *opaque)
{
    UserNet *user = net_user_of(nc);

    if (user != NULL) {
        char *info;

        pthread_mutex_lock(&user->lock);
        info = slirp_connection_info(user->slirp);
        pthread_mutex_unlock(&user->lock);
        g_string_append_printf(opaque, "%s:\n%s", user->id, info);
        g_free(info);
    }
}

char *net_user_info(void)
{
    GString *out = g_string_new(NULL);

    net_foreach(append_user, out);
    return g_string_free(out, FALSE);
}
