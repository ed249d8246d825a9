/* SPDX-License-Identifier: GPL-2.0-or-later
 * State of a virtio network device (virtio 1.2, section 5.1), shared by virtio-net.c (life,
 * configuration), virtio-net-rx.c and virtio-net-tx.c (packets), virtio-net-ctrl.c (the control
 * queue) and virtio-net-filter.c (which packets the driver wants).
 */
#pragma once

#include <linux/virtio_net.h>
#include <pthread.h>

#include "hw/virtio/virtio.h"
#include "net/net.h"

#define TYPE_VIRTIO_NET virtio_net_get_type()
G_DECLARE_FINAL_TYPE(VirtIONet, virtio_net, HUMPY, VIRTIO_NET, VirtIODevice)

enum {
    NET_MAC_ENTRIES = 64, /* more: the table overflows, and everything of its kind is received */
    NET_VLANS = 4096,
};

typedef struct {
    uint8_t mac[6]; /* what the driver set, or the configured one */
    bool promisc, allmulti, alluni, nomulti, nouni, nobcast;
    bool vlans_checked; /* CTRL_VLAN was accepted */
    unsigned n_unicast, n_multicast;
    bool unicast_overflow, multicast_overflow;
    uint8_t unicast[NET_MAC_ENTRIES][6], multicast[NET_MAC_ENTRIES][6];
    uint32_t vlans[NET_VLANS / 32];
    bool told; /* NIC_RX_FILTER_CHANGED was emitted and nobody has asked since */
} NetFilter;

struct _VirtIONet {
    VirtIODevice parent;
    VirtIOProps props;
    char *netdev, *mac_text, *duplex;
    bool mq, mrg_rxbuf, status, ctrl_vq, ctrl_rx, ctrl_rx_extra, ctrl_vlan, ctrl_mac_addr;
    bool guest_announce, ctrl_guest_offloads;
    bool csum, gso, host_tso4, host_tso6, host_ecn, host_ufo;
    bool guest_csum, guest_tso4, guest_tso6, guest_ecn, guest_ufo;
    uint32_t host_mtu, rx_queue_size, tx_queue_size, speed;

    NetClient *nic;
    uint8_t mac[6];     /* as configured */
    char *path;         /* in the composition tree, for events; or NULL */
    unsigned max_pairs; /* of queues */
    int wake_fd;        /* eventfd: the back end is to be woken */
    uint64_t wake_watch;

    /* atomic */
    gint live;                    /* the queues exist */
    gint pairs;                   /* that the driver uses */
    gint header;                  /* length before packets in the queues */
    gint wire_header;             /* packets on the wire have it, too */
    gint blocked[NET_MAX_QUEUES]; /* rx queue: the back end waits for buffers */
    gint untold[NET_MAX_QUEUES];  /* rx queue: has packets that the driver was not told of */

    pthread_mutex_t status_lock; /* taken before the core's inner lock, of: */
    bool announcing;

    pthread_mutex_t filter_lock; /* leaf, of: */
    NetFilter filter;
};

/* virtio-net-rx.c */
NetVerdict virtio_net_receive(void *opaque, unsigned queue, const struct iovec *iov, unsigned n);
NetVerdict virtio_net_receive_more(void *opaque, unsigned queue, const struct iovec *iov,
                                   unsigned n);
void virtio_net_flush(void *opaque);
/* The driver added buffers: wakes the back end if it waits for them. */
void virtio_net_serve_rx(VirtIONet *s, VirtQueue *vq);
/* Lets what waits for buffers try again, soon. [any] */
void virtio_net_wake_backend(VirtIONet *s);
/* For realize and unrealize. */
bool virtio_net_start_waking(VirtIONet *s, GError **error);
void virtio_net_stop_waking(VirtIONet *s);
/* virtio-net-tx.c */
void virtio_net_serve_tx(VirtIONet *s, VirtQueue *vq);
/* virtio-net-ctrl.c */
void virtio_net_serve_ctrl(VirtIONet *s, VirtQueue *vq);

/* virtio-net.c */
void virtio_net_set_announcing(VirtIONet *s, bool announcing);
uint64_t virtio_net_guest_offloads(VirtIONet *s); /* VIRTIO_NET_F_GUEST_* bits accepted */
void virtio_net_apply_offloads(VirtIONet *s, uint64_t guest_bits);

/* virtio-net-filter.c; all but reset take filter_lock */
void net_filter_reset(VirtIONet *s);
/* head: the first bytes of a packet, up to 18 of them. */
bool net_filter_wants(VirtIONet *s, const uint8_t *head, size_t len);
/* After a change by the driver. */
void net_filter_changed(VirtIONet *s);
JsonObject *net_filter_info(VirtIONet *s);
