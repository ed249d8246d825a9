/* SPDX-License-Identifier: GPL-2.0-or-later
 * The network device (virtio 1.2, section 5.1) as a device: properties, features, configuration and
 * life cycle. Packets are in virtio-net-rx.c and virtio-net-tx.c.
 */
#include <endian.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <string.h>

#include "hw/core/bus.h"
#include "hw/core/qom.h"
#include "util/error.h"
#include "virtio-net-priv.h"

enum {
    CTRL_QUEUE_SIZE = 64,
    NET_CONFIG_SIZE = offsetof(struct virtio_net_config, duplex) + 1,
    SPEED_UNKNOWN = UINT32_MAX,
};

DEVICE_DEFINE_TYPE(VirtIONet, virtio_net, "virtio-net-device", TYPE_VIRTIO_DEVICE)

/* ---- configuration bytes ---- */

static void update_status(VirtIONet *s)
{
    uint16_t status = htole16((net_link_is_up(s->nic) ? VIRTIO_NET_S_LINK_UP : 0) |
                              (s->announcing ? VIRTIO_NET_S_ANNOUNCE : 0));

    virtio_config_update(HUMPY_VIRTIO_DEVICE(s), offsetof(struct virtio_net_config, status),
                         &status, sizeof(status));
}

void virtio_net_set_announcing(VirtIONet *s, bool announcing)
{
    pthread_mutex_lock(&s->status_lock);
    s->announcing = announcing;
    update_status(s);
    pthread_mutex_unlock(&s->status_lock);
}

static void link_changed(void *opaque)
{
    VirtIONet *s = opaque;

    if (g_atomic_int_get(&s->live)) {
        pthread_mutex_lock(&s->status_lock);
        update_status(s);
        pthread_mutex_unlock(&s->status_lock);
    }
}

static void announce(void *opaque)
{
    VirtIONet *s = opaque;
    VirtIODevice *vdev = opaque;

    if (virtio_has_feature(vdev, VIRTIO_NET_F_GUEST_ANNOUNCE) &&
        virtio_has_feature(vdev, VIRTIO_NET_F_CTRL_VQ)) {
        virtio_net_set_announcing(s, true);
    }
}

/* Section 5.1.4: a legacy driver without CTRL_MAC_ADDR sets its address here. */
static void virtio_net_config_written(VirtIODevice *vdev, uint8_t *config, const uint8_t *before)
{
    VirtIONet *s = HUMPY_VIRTIO_NET(vdev);
    uint8_t mac[6];

    memcpy(mac, config, 6);
    memcpy(config, before, NET_CONFIG_SIZE);
    if (!virtio_has_feature(vdev, VIRTIO_F_VERSION_1) &&
        !virtio_has_feature(vdev, VIRTIO_NET_F_CTRL_MAC_ADDR)) {
        memcpy(config, mac, 6);
        pthread_mutex_lock(&s->filter_lock);
        memcpy(s->filter.mac, mac, 6);
        pthread_mutex_unlock(&s->filter_lock);
    }
}

/* ---- features ---- */

static uint64_t bit_if(bool condition, unsigned bit)
{
    return condition ? 1ull << bit : 0;
}

static uint64_t offload_features(const VirtIONet *s)
{
    return bit_if(s->csum, VIRTIO_NET_F_CSUM) | bit_if(s->gso, VIRTIO_NET_F_GSO) |
           bit_if(s->host_tso4, VIRTIO_NET_F_HOST_TSO4) |
           bit_if(s->host_tso6, VIRTIO_NET_F_HOST_TSO6) |
           bit_if(s->host_ecn, VIRTIO_NET_F_HOST_ECN) | bit_if(s->host_ufo, VIRTIO_NET_F_HOST_UFO) |
           bit_if(s->guest_csum, VIRTIO_NET_F_GUEST_CSUM) |
           bit_if(s->guest_tso4, VIRTIO_NET_F_GUEST_TSO4) |
           bit_if(s->guest_tso6, VIRTIO_NET_F_GUEST_TSO6) |
           bit_if(s->guest_ecn, VIRTIO_NET_F_GUEST_ECN) |
           bit_if(s->guest_ufo, VIRTIO_NET_F_GUEST_UFO) |
           bit_if(s->ctrl_vq && s->ctrl_guest_offloads, VIRTIO_NET_F_CTRL_GUEST_OFFLOADS);
}

static uint64_t features(const VirtIONet *s)
{
    bool ctrl = s->ctrl_vq;

    return 1ull << VIRTIO_NET_F_MAC | bit_if(s->status, VIRTIO_NET_F_STATUS) |
           bit_if(s->mrg_rxbuf, VIRTIO_NET_F_MRG_RXBUF) | bit_if(ctrl, VIRTIO_NET_F_CTRL_VQ) |
           bit_if(ctrl && s->ctrl_rx, VIRTIO_NET_F_CTRL_RX) |
           bit_if(ctrl && s->ctrl_rx_extra, VIRTIO_NET_F_CTRL_RX_EXTRA) |
           bit_if(ctrl && s->ctrl_vlan, VIRTIO_NET_F_CTRL_VLAN) |
           bit_if(ctrl && s->ctrl_mac_addr, VIRTIO_NET_F_CTRL_MAC_ADDR) |
           bit_if(ctrl && s->status && s->guest_announce, VIRTIO_NET_F_GUEST_ANNOUNCE) |
           bit_if(ctrl && s->max_pairs > 1, VIRTIO_NET_F_MQ) |
           bit_if(s->host_mtu != 0, VIRTIO_NET_F_MTU) |
           bit_if(s->speed != SPEED_UNKNOWN || s->duplex != NULL, VIRTIO_NET_F_SPEED_DUPLEX) |
           (net_peer_has_vnet_hdr(s->nic) ? offload_features(s) : 0);
}

uint64_t virtio_net_guest_offloads(VirtIONet *s)
{
    static const unsigned bits[] = { VIRTIO_NET_F_GUEST_CSUM, VIRTIO_NET_F_GUEST_TSO4,
                                     VIRTIO_NET_F_GUEST_TSO6, VIRTIO_NET_F_GUEST_ECN,
                                     VIRTIO_NET_F_GUEST_UFO };
    uint64_t accepted = 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(bits); i++) {
        accepted |= bit_if(virtio_has_feature(HUMPY_VIRTIO_DEVICE(s), bits[i]), bits[i]);
    }
    return accepted;
}

void virtio_net_apply_offloads(VirtIONet *s, uint64_t guest_bits)
{
    static const struct {
        unsigned feature, offload;
    } map[] = {
        { VIRTIO_NET_F_GUEST_CSUM, NET_OFFLOAD_CSUM },
        { VIRTIO_NET_F_GUEST_TSO4, NET_OFFLOAD_TSO4 },
        { VIRTIO_NET_F_GUEST_TSO6, NET_OFFLOAD_TSO6 },
        { VIRTIO_NET_F_GUEST_ECN, NET_OFFLOAD_ECN },
        { VIRTIO_NET_F_GUEST_UFO, NET_OFFLOAD_UFO },
    };
    unsigned offloads = 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(map); i++) {
        offloads |= (guest_bits & 1ull << map[i].feature) ? map[i].offload : 0;
    }
    net_set_offloads(s->nic, offloads);
}

/* ---- running ---- */

/* Section 5.1.2: the control queue is the last one, and without MQ there is one pair. */
static void serve(VirtIODevice *vdev, VirtQueue *vq)
{
    VirtIONet *s = HUMPY_VIRTIO_NET(vdev);
    unsigned index = virtio_queue_index(vq);
    unsigned pairs = virtio_has_feature(vdev, VIRTIO_NET_F_MQ) ? s->max_pairs : 1;

    if (index < 2 * pairs) {
        index % 2 == 0 ? virtio_net_serve_rx(s, vq) : virtio_net_serve_tx(s, vq);
    } else if (index == 2 * pairs && virtio_has_feature(vdev, VIRTIO_NET_F_CTRL_VQ)) {
        virtio_net_serve_ctrl(s, vq);
    }
}

static void virtio_net_started(VirtIODevice *vdev)
{
    VirtIONet *s = HUMPY_VIRTIO_NET(vdev);
    bool wire = net_peer_has_vnet_hdr(s->nic);
    /* Section 5.1.6.1: the legacy header ends before num_buffers unless MRG_RXBUF was accepted. */
    unsigned header = virtio_has_feature(vdev, VIRTIO_F_VERSION_1) ||
                              virtio_has_feature(vdev, VIRTIO_NET_F_MRG_RXBUF)
                          ? sizeof(struct virtio_net_hdr_mrg_rxbuf)
                          : sizeof(struct virtio_net_hdr);

    g_atomic_int_set(&s->header, header);
    g_atomic_int_set(&s->wire_header, wire);
    if (wire) {
        net_use_vnet_hdr(s->nic, header);
        virtio_net_apply_offloads(s, virtio_net_guest_offloads(s));
    }
    pthread_mutex_lock(&s->filter_lock);
    s->filter.vlans_checked = virtio_has_feature(vdev, VIRTIO_NET_F_CTRL_VLAN);
    pthread_mutex_unlock(&s->filter_lock);
}

static void virtio_net_reset(VirtIODevice *vdev)
{
    VirtIONet *s = HUMPY_VIRTIO_NET(vdev);

    if (g_atomic_int_get(&s->wire_header)) {
        net_set_offloads(s->nic, 0);
    }
    g_atomic_int_set(&s->pairs, 1);
    net_set_queues(s->nic, 1);
    virtio_net_set_announcing(s, false);
    pthread_mutex_lock(&s->filter_lock);
    net_filter_reset(s);
    pthread_mutex_unlock(&s->filter_lock);
    virtio_config_update(vdev, offsetof(struct virtio_net_config, mac), s->mac, 6);
}

static void peer_ready(void *opaque, unsigned queue)
{
    VirtIONet *s = opaque;

    if (g_atomic_int_get(&s->live) && queue < s->max_pairs) {
        virtio_queue_kick(virtio_queue(HUMPY_VIRTIO_DEVICE(s), 2 * queue + 1));
    }
}

static JsonObject *rx_filter(void *opaque)
{
    return net_filter_info(opaque);
}

static const NetOps nic_ops = {
    .type = "nic",
    .receive = virtio_net_receive,
    .receive_more = virtio_net_receive_more,
    .flush = virtio_net_flush,
    .peer_ready = peer_ready,
    .link_changed = link_changed,
    .announce = announce,
    .rx_filter = rx_filter,
};

/* ---- life ---- */

static bool check_properties(VirtIONet *s, GError **error)
{
    const struct {
        const char *name;
        uint32_t value;
    } sizes[] = { { "rx_queue_size", s->rx_queue_size }, { "tx_queue_size", s->tx_queue_size } };

    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
        if ((sizes[i].value & (sizes[i].value - 1)) != 0) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                        "%s is %u but must be a power of two from 256 to %u", sizes[i].name,
                        sizes[i].value, VIRTIO_QUEUE_MAX);
            return false;
        }
    }
    if (s->host_mtu != 0 && s->host_mtu < 68) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "host_mtu is %u but must be 0 or 68 to 65535", s->host_mtu);
        return false;
    }
    if (s->duplex != NULL && strcmp(s->duplex, "half") != 0 && strcmp(s->duplex, "full") != 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "duplex is '%s' but must be half or full", s->duplex);
        return false;
    }
    return true;
}

/* What set_link calls it: the id of the device as the user knows it. */
static char *client_name(VirtIONet *s)
{
    const char *id = virtio_user_id(HUMPY_VIRTIO_DEVICE(s));
    static unsigned number;

    return id != NULL ? g_strdup(id) : g_strdup_printf("virtio-net.%u", number++);
}

static void fill_config(const VirtIONet *s, struct virtio_net_config *c)
{
    memcpy(c->mac, s->mac, 6);
    c->status = htole16(net_link_is_up(s->nic) ? VIRTIO_NET_S_LINK_UP : 0);
    c->max_virtqueue_pairs = htole16(s->max_pairs);
    c->mtu = htole16(s->host_mtu);
    c->speed = htole32(s->speed);
    c->duplex = s->duplex == NULL ? 0xff : strcmp(s->duplex, "full") == 0;
}

static bool virtio_net_realize(VirtIODevice *vdev, GError **error)
{
    VirtIONet *s = HUMPY_VIRTIO_NET(vdev);
    struct virtio_net_config config = { 0 };
    g_autofree char *name = NULL;

    memset(s->mac, 0, 6);
    if (!check_properties(s, error) ||
        (s->mac_text != NULL && !net_parse_mac(s->mac_text, s->mac, error))) {
        return false;
    }
    net_default_mac(s->mac);
    name = client_name(s);
    s->nic = net_nic_new(&nic_ops, s, name, s->netdev, s->mac, error);
    if (s->nic == NULL || !virtio_net_start_waking(s, error)) {
        virtio_net_stop_waking(s);
        g_clear_pointer(&s->nic, net_nic_free);
        return false;
    }
    s->path = qom_path(G_OBJECT(s));
    s->max_pairs = s->mq && s->ctrl_vq ? net_peer_queues(s->nic) : 1;
    g_atomic_int_set(&s->pairs, 1);
    net_filter_reset(s);
    fill_config(s, &config);
    virtio_init(vdev, &s->props, features(s), &config, NET_CONFIG_SIZE);
    for (unsigned i = 0; i < s->max_pairs; i++) {
        virtio_add_queue(vdev, s->rx_queue_size, serve);
        virtio_add_queue(vdev, s->tx_queue_size, serve);
    }
    if (s->ctrl_vq) {
        virtio_add_queue(vdev, CTRL_QUEUE_SIZE, serve);
    }
    g_atomic_int_set(&s->live, 1);
    return true;
}

static void virtio_net_unrealize(VirtIODevice *vdev)
{
    VirtIONet *s = HUMPY_VIRTIO_NET(vdev);

    g_atomic_int_set(&s->live, 0);
    virtio_net_stop_waking(s);
    g_clear_pointer(&s->nic, net_nic_free);
    g_clear_pointer(&s->path, g_free);
}

static void virtio_net_init(VirtIONet *s)
{
    pthread_mutex_init(&s->status_lock, NULL);
    pthread_mutex_init(&s->filter_lock, NULL);
    s->pairs = 1;
    s->wake_fd = -1;
}

static void virtio_net_finalize(GObject *obj)
{
    VirtIONet *s = HUMPY_VIRTIO_NET(obj);

    pthread_mutex_destroy(&s->status_lock);
    pthread_mutex_destroy(&s->filter_lock);
    G_OBJECT_CLASS(virtio_net_parent_class)->finalize(obj);
}

static const Prop virtio_net_props[] = {
    VIRTIO_PROPS(VirtIONet, props),
    PROP_STRING("netdev", VirtIONet, netdev, NULL, "Id of the -netdev at the other end"),
    PROP_STRING("mac", VirtIONet, mac_text, NULL,
                "Address; without one the next from 52:54:00:12:34:56 on"),
    PROP_BOOL("mq", VirtIONet, mq, false, "Offer as many queue pairs as the netdev has"),
    PROP_BOOL("mrg_rxbuf", VirtIONet, mrg_rxbuf, true, "Offer packets over several buffers"),
    PROP_BOOL("status", VirtIONet, status, true, "Offer the link's state"),
    PROP_BOOL("ctrl_vq", VirtIONet, ctrl_vq, true, "Offer the control queue"),
    PROP_BOOL("ctrl_rx", VirtIONet, ctrl_rx, true, "Offer receive modes"),
    PROP_BOOL("ctrl_rx_extra", VirtIONet, ctrl_rx_extra, true, "Offer more receive modes"),
    PROP_BOOL("ctrl_vlan", VirtIONet, ctrl_vlan, true, "Offer VLAN filtering"),
    PROP_BOOL("ctrl_mac_addr", VirtIONet, ctrl_mac_addr, true, "Offer to set the address"),
    PROP_BOOL("ctrl_guest_offloads", VirtIONet, ctrl_guest_offloads, true,
              "Offer to switch offloads"),
    PROP_BOOL("guest_announce", VirtIONet, guest_announce, true,
              "Offer announcements by the guest"),
    PROP_BOOL("csum", VirtIONet, csum, true, "Offer to take packets without checksum"),
    PROP_BOOL("gso", VirtIONet, gso, true, "Offer to segment packets (legacy)"),
    PROP_BOOL("host_tso4", VirtIONet, host_tso4, true, "Offer to segment TCP over IPv4"),
    PROP_BOOL("host_tso6", VirtIONet, host_tso6, true, "Offer to segment TCP over IPv6"),
    PROP_BOOL("host_ecn", VirtIONet, host_ecn, true, "Offer to segment TCP with ECN"),
    PROP_BOOL("host_ufo", VirtIONet, host_ufo, false, "Offer to fragment UDP"),
    PROP_BOOL("guest_csum", VirtIONet, guest_csum, true, "Packets may come without checksum"),
    PROP_BOOL("guest_tso4", VirtIONet, guest_tso4, true, "TCP over IPv4 may come unsegmented"),
    PROP_BOOL("guest_tso6", VirtIONet, guest_tso6, true, "TCP over IPv6 may come unsegmented"),
    PROP_BOOL("guest_ecn", VirtIONet, guest_ecn, true, "TCP with ECN may come unsegmented"),
    PROP_BOOL("guest_ufo", VirtIONet, guest_ufo, false, "UDP may come unfragmented"),
    PROP_U32("host_mtu", VirtIONet, host_mtu, 0, 0, 65535, "Largest packet; 0: not said"),
    PROP_U32("rx_queue_size", VirtIONet, rx_queue_size, 256, 256, VIRTIO_QUEUE_MAX,
             "Entries of a receive queue, a power of two"),
    PROP_U32("tx_queue_size", VirtIONet, tx_queue_size, 256, 256, VIRTIO_QUEUE_MAX,
             "Entries of a transmit queue, a power of two"),
    PROP_U32("speed", VirtIONet, speed, SPEED_UNKNOWN, 0, SPEED_UNKNOWN,
             "Mbit/s told to the guest"),
    PROP_STRING("duplex", VirtIONet, duplex, NULL, "half or full, told to the guest"),
};

static void virtio_net_class_init(VirtIONetClass *klass)
{
    DeviceClass *dc = HUMPY_DEVICE_CLASS(klass);
    VirtIODeviceClass *vc = HUMPY_VIRTIO_DEVICE_CLASS(klass);

    G_STATIC_ASSERT(NET_CONFIG_SIZE == 17);
    G_STATIC_ASSERT(sizeof(struct virtio_net_hdr) == 10);
    G_STATIC_ASSERT(sizeof(struct virtio_net_hdr_mrg_rxbuf) == 12);
    G_OBJECT_CLASS(klass)->finalize = virtio_net_finalize;
    props_install(G_OBJECT_CLASS(klass), virtio_net_props, G_N_ELEMENTS(virtio_net_props));
    dc->summary = "Network card";
    dc->user_creatable = true;
    vc->device_id = VIRTIO_ID_NET;
    vc->realize = virtio_net_realize;
    vc->unrealize = virtio_net_unrealize;
    vc->reset = virtio_net_reset;
    vc->started = virtio_net_started;
    vc->config_written = virtio_net_config_written;
}
