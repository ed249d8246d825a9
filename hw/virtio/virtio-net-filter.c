/* SPDX-License-Identifier: GPL-2.0-or-later
 * Which packets a driver wants (virtio 1.2, section 5.1.6.5): by destination address and VLAN. How
 * the driver says so is virtio-net-ctrl.c's.
 */
#include <string.h>

#include "util/event.h"
#include "virtio-net-priv.h"

void net_filter_reset(VirtIONet *s)
{
    bool told = s->filter.told;

    s->filter = (NetFilter){ .promisc = true, .told = told };
    memcpy(s->filter.mac, s->mac, 6);
}

static bool is_among(const uint8_t (*table)[6], unsigned n, const uint8_t *mac)
{
    for (unsigned i = 0; i < n; i++) {
        if (memcmp(table[i], mac, 6) == 0) {
            return true;
        }
    }
    return false;
}

static bool wants(const NetFilter *f, const uint8_t *head, size_t len)
{
    static const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

    if (f->promisc || len < NET_ETH_HEADER) {
        return true;
    }
    if (f->vlans_checked && head[12] == 0x81 && head[13] == 0x00 && len >= 16) {
        unsigned vid = (head[14] << 8 | head[15]) & 0xfff;

        if ((f->vlans[vid / 32] & 1u << vid % 32) == 0) {
            return false;
        }
    }
    if ((head[0] & 1) == 0) {
        return !f->nouni && (f->alluni || f->unicast_overflow || memcmp(head, f->mac, 6) == 0 ||
                             is_among(f->unicast, f->n_unicast, head));
    }
    if (memcmp(head, broadcast, 6) == 0) {
        return !f->nobcast;
    }
    return !f->nomulti &&
           (f->allmulti || f->multicast_overflow || is_among(f->multicast, f->n_multicast, head));
}

bool net_filter_wants(VirtIONet *s, const uint8_t *head, size_t len)
{
    bool result;

    pthread_mutex_lock(&s->filter_lock);
    result = wants(&s->filter, head, len);
    pthread_mutex_unlock(&s->filter_lock);
    return result;
}

/* One event until somebody asks: a driver that changes its filter in a loop floods nobody. */
void net_filter_changed(VirtIONet *s)
{
    const char *id = virtio_user_id(HUMPY_VIRTIO_DEVICE(s));
    JsonObject *data;
    bool tell;

    pthread_mutex_lock(&s->filter_lock);
    tell = !s->filter.told;
    s->filter.told = true;
    pthread_mutex_unlock(&s->filter_lock);
    if (tell && s->path != NULL) {
        data = json_object_new();
        if (id != NULL) {
            json_object_set_string_member(data, "name", id);
        }
        json_object_set_string_member(data, "path", s->path);
        event_emit("NIC_RX_FILTER_CHANGED", data);
    }
}

/* ---- query-rx-filter ---- */

static void set_macs(JsonObject *info, const char *name, const uint8_t (*table)[6], unsigned n)
{
    JsonArray *macs = json_array_new();

    for (unsigned i = 0; i < n; i++) {
        g_autofree char *text = net_format_mac(table[i]);

        json_array_add_string_element(macs, text);
    }
    json_object_set_array_member(info, name, macs);
}

static const char *mode(bool none, bool all)
{
    return none ? "none" : all ? "all" : "normal";
}

static void set_vlans(JsonObject *info, const NetFilter *f)
{
    JsonArray *vlans = json_array_new();

    for (unsigned i = 0; i < NET_VLANS && f->vlans_checked; i++) {
        if (f->vlans[i / 32] & 1u << i % 32) {
            json_array_add_int_element(vlans, i);
        }
    }
    json_object_set_string_member(
        info, "vlan",
        mode(f->vlans_checked && json_array_get_length(vlans) == 0, !f->vlans_checked));
    json_object_set_array_member(info, "vlan-table", vlans);
}

JsonObject *net_filter_info(VirtIONet *s)
{
    JsonObject *info = json_object_new();
    g_autofree char *mac = NULL;
    NetFilter f;

    pthread_mutex_lock(&s->filter_lock);
    s->filter.told = false;
    f = s->filter;
    pthread_mutex_unlock(&s->filter_lock);
    mac = net_format_mac(f.mac);
    json_object_set_boolean_member(info, "promiscuous", f.promisc);
    json_object_set_string_member(info, "multicast", mode(f.nomulti, f.allmulti));
    json_object_set_string_member(info, "unicast", mode(f.nouni, f.alluni));
    json_object_set_boolean_member(info, "broadcast-allowed", !f.nobcast);
    json_object_set_boolean_member(info, "multicast-overflow", f.multicast_overflow);
    json_object_set_boolean_member(info, "unicast-overflow", f.unicast_overflow);
    json_object_set_string_member(info, "main-mac", mac);
    set_vlans(info, &f);
    set_macs(info, "unicast-table", f.unicast, f.n_unicast);
    set_macs(info, "multicast-table", f.multicast, f.n_multicast);
    return info;
}
