/* SPDX-License-Identifier: GPL-2.0-or-later
 * The control queue (virtio 1.2, section 5.1.6.5): receive modes, addresses, VLANs, announcements,
 * the number of queues, offloads. Every command gets an answer; one that was not negotiated or has
 * the wrong size gets an error and changes nothing.
 */
#include <endian.h>
#include <string.h>

#include "util/iov.h"
#include "virtio-net-priv.h"

/* The data of a command. */
typedef struct {
    const VirtQueueElement *elem;
    uint64_t at, left;
} Data;

static bool take(Data *d, void *buf, size_t len)
{
    if (d->left < len) {
        return false;
    }
    iov_to_buf(d->elem->out, d->elem->n_out, d->at, buf, len);
    d->at += len;
    d->left -= len;
    return true;
}

static bool has(VirtIONet *s, unsigned feature)
{
    return virtio_has_feature(HUMPY_VIRTIO_DEVICE(s), feature);
}

static bool set_rx_mode(VirtIONet *s, uint8_t cmd, Data *d)
{
    NetFilter *f = &s->filter;
    bool *const fields[] = { &f->promisc, &f->allmulti, &f->alluni,
                             &f->nomulti, &f->nouni,    &f->nobcast };
    unsigned feature =
        cmd <= VIRTIO_NET_CTRL_RX_ALLMULTI ? VIRTIO_NET_F_CTRL_RX : VIRTIO_NET_F_CTRL_RX_EXTRA;
    uint8_t on;

    if (cmd >= G_N_ELEMENTS(fields) || !has(s, feature) || d->left != 1 || !take(d, &on, 1)) {
        return false;
    }
    pthread_mutex_lock(&s->filter_lock);
    *fields[cmd] = on != 0;
    pthread_mutex_unlock(&s->filter_lock);
    net_filter_changed(s);
    return true;
}

/* A table: 32-bit number of entries, then 6 bytes for each. Too many: *overflow. */
static bool take_table(Data *d, uint8_t (*table)[6], unsigned *n, bool *overflow)
{
    uint32_t entries;

    if (!take(d, &entries, sizeof(entries))) {
        return false;
    }
    entries = le32toh(entries);
    if (entries > d->left / 6) {
        return false;
    }
    *overflow = entries > NET_MAC_ENTRIES;
    *n = 0;
    if (*overflow) {
        d->at += (uint64_t)entries * 6;
        d->left -= (uint64_t)entries * 6;
        return true;
    }
    *n = entries;
    return take(d, table, entries * 6);
}

static bool set_mac_table(VirtIONet *s, Data *d)
{
    uint8_t unicast[NET_MAC_ENTRIES][6], multicast[NET_MAC_ENTRIES][6];
    unsigned n_unicast, n_multicast;
    bool unicast_overflow, multicast_overflow;
    NetFilter *f = &s->filter;

    if (!has(s, VIRTIO_NET_F_CTRL_RX) || !take_table(d, unicast, &n_unicast, &unicast_overflow) ||
        !take_table(d, multicast, &n_multicast, &multicast_overflow) || d->left != 0) {
        return false;
    }
    pthread_mutex_lock(&s->filter_lock);
    memcpy(f->unicast, unicast, n_unicast * 6);
    memcpy(f->multicast, multicast, n_multicast * 6);
    f->n_unicast = n_unicast;
    f->n_multicast = n_multicast;
    f->unicast_overflow = unicast_overflow;
    f->multicast_overflow = multicast_overflow;
    pthread_mutex_unlock(&s->filter_lock);
    net_filter_changed(s);
    return true;
}

static bool set_mac(VirtIONet *s, Data *d)
{
    uint8_t mac[6];

    if (!has(s, VIRTIO_NET_F_CTRL_MAC_ADDR) || d->left != 6 || !take(d, mac, 6)) {
        return false;
    }
    pthread_mutex_lock(&s->filter_lock);
    memcpy(s->filter.mac, mac, 6);
    pthread_mutex_unlock(&s->filter_lock);
    virtio_config_update(HUMPY_VIRTIO_DEVICE(s), offsetof(struct virtio_net_config, mac), mac, 6);
    net_filter_changed(s);
    return true;
}

static bool set_vlan(VirtIONet *s, uint8_t cmd, Data *d)
{
    uint32_t bit;
    uint16_t vid;

    if (!has(s, VIRTIO_NET_F_CTRL_VLAN) || d->left != 2 || !take(d, &vid, 2) ||
        le16toh(vid) >= NET_VLANS) {
        return false;
    }
    vid = le16toh(vid);
    bit = 1u << vid % 32;
    pthread_mutex_lock(&s->filter_lock);
    if (cmd == VIRTIO_NET_CTRL_VLAN_ADD) {
        s->filter.vlans[vid / 32] |= bit;
    } else {
        s->filter.vlans[vid / 32] &= ~bit;
    }
    pthread_mutex_unlock(&s->filter_lock);
    net_filter_changed(s);
    return true;
}

static bool set_pairs(VirtIONet *s, Data *d)
{
    uint16_t pairs;

    if (!has(s, VIRTIO_NET_F_MQ) || d->left != 2 || !take(d, &pairs, 2)) {
        return false;
    }
    pairs = le16toh(pairs);
    if (pairs < 1 || pairs > s->max_pairs) {
        return false;
    }
    g_atomic_int_set(&s->pairs, pairs);
    net_set_queues(s->nic, pairs);
    virtio_net_wake_backend(s); /* packets may go to other queues now */
    return true;
}

static bool set_offloads(VirtIONet *s, Data *d)
{
    uint64_t offloads;

    if (!has(s, VIRTIO_NET_F_CTRL_GUEST_OFFLOADS) || d->left != 8 || !take(d, &offloads, 8)) {
        return false;
    }
    offloads = le64toh(offloads);
    if ((offloads & ~virtio_net_guest_offloads(s)) != 0) {
        return false;
    }
    virtio_net_apply_offloads(s, offloads);
    return true;
}

static bool run(VirtIONet *s, uint8_t class, uint8_t cmd, Data *d)
{
    switch (class) {
    case VIRTIO_NET_CTRL_RX:
        return set_rx_mode(s, cmd, d);
    case VIRTIO_NET_CTRL_MAC:
        return cmd == VIRTIO_NET_CTRL_MAC_TABLE_SET  ? set_mac_table(s, d)
               : cmd == VIRTIO_NET_CTRL_MAC_ADDR_SET ? set_mac(s, d)
                                                     : false;
    case VIRTIO_NET_CTRL_VLAN:
        return cmd <= VIRTIO_NET_CTRL_VLAN_DEL && set_vlan(s, cmd, d);
    case VIRTIO_NET_CTRL_ANNOUNCE:
        if (cmd != VIRTIO_NET_CTRL_ANNOUNCE_ACK || !has(s, VIRTIO_NET_F_GUEST_ANNOUNCE)) {
            return false;
        }
        virtio_net_set_announcing(s, false);
        return true;
    case VIRTIO_NET_CTRL_MQ:
        return cmd == VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET && set_pairs(s, d);
    case VIRTIO_NET_CTRL_GUEST_OFFLOADS:
        return cmd == VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET && set_offloads(s, d);
    default:
        return false;
    }
}

void virtio_net_serve_ctrl(VirtIONet *s, VirtQueue *vq)
{
    VirtQueueElement *elem;

    while ((elem = virtio_queue_pop(vq)) != NULL) {
        Data data = { .elem = elem, .left = elem->out_size };
        uint8_t head[2], ack;

        if (elem->in_size < 1 || !take(&data, head, sizeof(head))) {
            virtio_error(HUMPY_VIRTIO_DEVICE(s), "control command without header or answer");
            virtio_queue_drop(vq, elem);
            return;
        }
        ack = run(s, head[0], head[1], &data) ? VIRTIO_NET_OK : VIRTIO_NET_ERR;
        iov_from_buf(elem->in, elem->n_in, 0, &ack, 1);
        virtio_queue_push(vq, elem, 1);
        virtio_queue_notify(vq);
    }
}
