/* SPDX-License-Identifier: GPL-2.0-or-later
 * -netdev user: the addresses of the guest's network, as options or by default (10.0.2.0/24 and
 * fec0::/64), checked against each other, and the services in it.
 */
#include <string.h>

#include "user-priv.h"
#include "util/error.h"
#include "util/props.h"

typedef struct {
    SlirpConfig c;
    GPtrArray *search; /* dnssearch, NULL-terminated */
} UserConfig;

static bool take_ipv4(KeyVal *kv, const char *key, struct in_addr *addr, GError **error)
{
    const char *text = keyval_take(kv, key);

    if (text != NULL && inet_pton(AF_INET, text, addr) != 1) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "%s is '%s' but must be an IPv4 address",
                    key, text);
        return false;
    }
    return true;
}

static bool take_ipv6(KeyVal *kv, const char *key, struct in6_addr *addr, GError **error)
{
    const char *text = keyval_take(kv, key);

    if (text != NULL && inet_pton(AF_INET6, text, addr) != 1) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "%s is '%s' but must be an IPv6 address",
                    key, text);
        return false;
    }
    return true;
}

/* "ADDRESS", "ADDRESS/BITS" or "ADDRESS/MASK"; *addr loses its host part. */
static bool take_net(KeyVal *kv, struct in_addr *addr, struct in_addr *mask, GError **error)
{
    const char *text = keyval_take(kv, "net");
    g_auto(GStrv) parts = NULL;
    uint64_t bits = 24;

    inet_pton(AF_INET, "10.0.2.0", addr);
    mask->s_addr = htonl(0xffffff00);
    if (text == NULL) {
        return true;
    }
    parts = g_strsplit(text, "/", 2);
    if (parts[0] == NULL || inet_pton(AF_INET, parts[0], addr) != 1 ||
        (parts[1] != NULL && inet_pton(AF_INET, parts[1], mask) != 1 &&
         (!props_parse_u64(parts[1], &bits, NULL) || bits < 4 || bits > 28))) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "net is '%s' but must be an IPv4 network, ADDRESS/4 to ADDRESS/28", text);
        return false;
    }
    if (parts[1] == NULL || strchr(parts[1], '.') == NULL) {
        mask->s_addr = htonl(UINT32_MAX << (32 - bits));
    }
    addr->s_addr &= mask->s_addr;
    return true;
}

static struct in_addr in_net(const SlirpConfig *c, uint32_t host)
{
    return (struct in_addr){ c->vnetwork.s_addr | htonl(host & ~ntohl(c->vnetmask.s_addr)) };
}

static bool check_inside(const SlirpConfig *c, const char *key, struct in_addr addr, GError **error)
{
    uint32_t host = ntohl(addr.s_addr & ~c->vnetmask.s_addr);
    char text[INET_ADDRSTRLEN], net[INET_ADDRSTRLEN];

    if ((addr.s_addr & c->vnetmask.s_addr) == c->vnetwork.s_addr && host != 0 &&
        host != ~ntohl(c->vnetmask.s_addr)) {
        return true;
    }
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "%s is %s but must be a host inside net, %s",
                key, inet_ntop(AF_INET, &addr, text, sizeof(text)),
                inet_ntop(AF_INET, &c->vnetwork, net, sizeof(net)));
    return false;
}

static bool take_all_ipv4(KeyVal *kv, SlirpConfig *c, GError **error)
{
    if (!take_net(kv, &c->vnetwork, &c->vnetmask, error)) {
        return false;
    }
    c->vhost = in_net(c, 2);
    c->vnameserver = in_net(c, 3);
    c->vdhcp_start = in_net(c, 15);
    if (!take_ipv4(kv, "host", &c->vhost, error) || !take_ipv4(kv, "dns", &c->vnameserver, error) ||
        !take_ipv4(kv, "dhcpstart", &c->vdhcp_start, error) ||
        !check_inside(c, "host", c->vhost, error) ||
        !check_inside(c, "dns", c->vnameserver, error) ||
        !check_inside(c, "dhcpstart", c->vdhcp_start, error)) {
        return false;
    }
    if (c->vhost.s_addr == c->vnameserver.s_addr || c->vhost.s_addr == c->vdhcp_start.s_addr ||
        c->vnameserver.s_addr == c->vdhcp_start.s_addr) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "host, dns and dhcpstart must be different addresses");
        return false;
    }
    return true;
}

static bool take_all_ipv6(KeyVal *kv, SlirpConfig *c, GError **error)
{
    const char *text = keyval_take(kv, "ipv6-net");
    g_auto(GStrv) parts = g_strsplit(text != NULL ? text : "fec0::/64", "/", 2);
    uint64_t bits = 64;

    if (parts[0] == NULL || inet_pton(AF_INET6, parts[0], &c->vprefix_addr6) != 1 ||
        (parts[1] != NULL && (!props_parse_u64(parts[1], &bits, NULL) || bits > 126))) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "ipv6-net is '%s' but must be an IPv6 prefix, ADDRESS/0 to ADDRESS/126", text);
        return false;
    }
    c->vprefix_len = bits;
    c->vhost6 = c->vprefix_addr6;
    c->vhost6.s6_addr[15] |= 2;
    c->vnameserver6 = c->vprefix_addr6;
    c->vnameserver6.s6_addr[15] |= 3;
    return take_ipv6(kv, "ipv6-host", &c->vhost6, error) &&
           take_ipv6(kv, "ipv6-dns", &c->vnameserver6, error);
}

/* DHCP carries a name in an option of at most 255 bytes. */
static bool take_name(KeyVal *kv, const char *key, size_t longest, const char **name,
                      GError **error)
{
    *name = keyval_take(kv, key);
    if (*name != NULL && strlen(*name) > longest) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "%s is longer than %zu bytes", key,
                    longest);
        return false;
    }
    return true;
}

static bool take_config(KeyVal *kv, UserConfig *u, GError **error)
{
    SlirpConfig *c = &u->c;
    bool restricted = false, ipv4 = true, ipv6 = true;

    c->version = 4;
    if (!keyval_take_bool(kv, "restrict", &restricted, error) ||
        !keyval_take_bool(kv, "ipv4", &ipv4, error) ||
        !keyval_take_bool(kv, "ipv6", &ipv6, error) || !take_all_ipv4(kv, c, error) ||
        !take_all_ipv6(kv, c, error) || !take_name(kv, "hostname", 33, &c->vhostname, error) ||
        !take_name(kv, "domainname", 255, &c->vdomainname, error) ||
        !take_name(kv, "tftp-server-name", 255, &c->tftp_server_name, error) ||
        !take_name(kv, "bootfile", 127, &c->bootfile, error)) {
        return false;
    }
    if (!ipv4 && !ipv6) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT, "ipv4=off and ipv6=off");
        return false;
    }
    c->restricted = restricted;
    c->in_enabled = ipv4;
    c->in6_enabled = ipv6;
    c->tftp_path = keyval_take(kv, "tftp");
    u->search = g_ptr_array_new();
    for (unsigned i = 0; i < kv->pairs->len; i++) {
        KeyValPair *pair = g_ptr_array_index(kv->pairs, i);

        if (strcmp(pair->key, "dnssearch") == 0) {
            pair->used = true;
            g_ptr_array_add(u->search, pair->value);
        }
    }
    g_ptr_array_add(u->search, NULL);
    c->vdnssearch = u->search->len > 1 ? (const char **)u->search->pdata : NULL;
    return true;
}

/* hostfwd= and guestfwd= may be given more than once. */
static bool add_forwards(UserNet *user, KeyVal *kv, GError **error)
{
    for (unsigned i = 0; i < kv->pairs->len; i++) {
        KeyValPair *pair = g_ptr_array_index(kv->pairs, i);

        if (strcmp(pair->key, "hostfwd") == 0    ? !net_user_add_hostfwd(user, pair->value, error)
            : strcmp(pair->key, "guestfwd") == 0 ? !net_user_add_guestfwd(user, pair->value, error)
                                                 : false) {
            return false;
        }
    }
    return true;
}

static NetClient *user_open(const char *id, KeyVal *kv, GError **error)
{
    g_autoptr(GPtrArray) search = NULL;
    g_autofree char *info = NULL;
    char net[INET_ADDRSTRLEN];
    UserConfig u = { 0 };
    NetClient *nc;
    UserNet *user;
    bool ok = take_config(kv, &u, error);

    search = u.search;
    if (!ok) {
        return NULL;
    }
    info =
        g_strdup_printf("net=%s,restrict=%s", inet_ntop(AF_INET, &u.c.vnetwork, net, sizeof(net)),
                        u.c.restricted ? "on" : "off");
    nc = net_user_start(id, &u.c, info, &user, error);
    if (nc != NULL && !add_forwards(user, kv, error)) {
        net_client_free(nc);
        return NULL;
    }
    return nc;
}

const NetType net_type_user = {
    .name = "user",
    .summary = "a network behind a TCP/IP stack in this program; needs no rights",
    .keys = (const char *const[]){ "net", "host", "dns", "dhcpstart", "hostname", "domainname",
                                   "dnssearch", "restrict", "hostfwd", "guestfwd", "ipv4", "ipv6",
                                   "ipv6-net", "ipv6-host", "ipv6-dns", "tftp", "tftp-server-name",
                                   "bootfile", NULL },
    .open = user_open,
};
