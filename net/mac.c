/* SPDX-License-Identifier: GPL-2.0-or-later
 * MAC addresses: text, and which one a NIC gets that was given none.
 */
#include <stdio.h>
#include <string.h>

#include "net-priv.h"
#include "util/error.h"

bool net_parse_mac(const char *text, uint8_t mac[6], GError **error)
{
    const char *p = text;

    for (unsigned i = 0; i < 6; i++) {
        if (!g_ascii_isxdigit(p[0]) || !g_ascii_isxdigit(p[1]) ||
            (i < 5 ? p[2] != ':' && p[2] != '-' : p[2] != '\0')) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX,
                        "mac is '%s' but must be like 52:54:00:12:34:56", text);
            return false;
        }
        mac[i] = g_ascii_xdigit_value(p[0]) << 4 | g_ascii_xdigit_value(p[1]);
        p += 3;
    }
    if (mac[0] & 1) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "mac is '%s' but must not be a multicast address (odd first byte)", text);
        return false;
    }
    return true;
}

char *net_format_mac(const uint8_t mac[6])
{
    return g_strdup_printf("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
                           mac[5]);
}

typedef struct {
    const uint8_t *mac;
    bool used;
} Search;

static void compare(NetClient *nc, void *opaque)
{
    Search *search = opaque;

    search->used |= nc->mac != NULL && memcmp(nc->mac, search->mac, 6) == 0;
}

void net_default_mac(uint8_t mac[6])
{
    static const uint8_t first[6] = { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56 };
    static const uint8_t none[6];
    Search search = { mac, true };

    if (memcmp(mac, none, 6) != 0) {
        return;
    }
    memcpy(mac, first, 6);
    for (unsigned tries = 0; tries < 256; tries++, mac[5]++) {
        search.used = false;
        net_foreach(compare, &search);
        if (!search.used) {
            return;
        }
    }
}
