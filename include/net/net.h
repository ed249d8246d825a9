/* SPDX-License-Identifier: GPL-2.0-or-later
 * The network as devices and the system see it. A wire has two ends, both NetClients: a back end
 * (-netdev: user, tap, socket, ...) and a NIC, which is a device's. Packets are Ethernet frames
 * without checksum, in scatter lists; where both ends agreed on it (net_use_vnet_hdr()) each begins
 * with a virtio-net header (virtio 1.2, section 5.1.6).
 *
 * Back pressure: an end that cannot take a packet says NET_BUSY and, when it can again, calls
 * net_ready(), which wakes the other end up. Nothing is queued in between.
 *
 * Threads: a back end sends in the main context's thread or one of its own, a NIC in its I/O
 * thread. Lock order: a NIC's transmit queue, the wires' lock, what a receiver locks (another
 * NIC's receive queue, a back end's output): so nothing is sent while holding one of those.
 */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "util/keyval.h"

typedef struct NetClient NetClient;

enum {
    NET_MAX_PACKET = 65536 + 4096, /* header included; what is longer is dropped */
    NET_MAX_QUEUES = 64,
    NET_MAX_IOV = 1024, /* entries of a scatter list */
    NET_ETH_HEADER = 14,
};

typedef enum {
    NET_TAKEN, /* or dropped: it is not to be sent again */
    NET_BUSY,  /* nothing happened; peer_ready() will follow */
} NetVerdict;

/* What may be left to the receiver of a packet with a virtio-net header. */
enum {
    NET_OFFLOAD_CSUM = 1 << 0,
    NET_OFFLOAD_TSO4 = 1 << 1,
    NET_OFFLOAD_TSO6 = 1 << 2,
    NET_OFFLOAD_ECN = 1 << 3,
    NET_OFFLOAD_UFO = 1 << 4,
};

typedef struct {
    const char *type; /* "user", "nic" */
    /* A packet from the other end; the bytes may be guest memory, which changes at any time: they
     * are looked at once. [sender's thread] */
    NetVerdict (*receive)(void *opaque, unsigned queue, const struct iovec *iov, unsigned n);
    /* The other end, which had been busy, may take packets again. Takes leaf locks only. [any] */
    void (*peer_ready)(void *opaque, unsigned queue);
    /* (optional) The same as receive, but packets may be held back, together with others, until
     * flush. [sender's thread] */
    NetVerdict (*receive_more)(void *opaque, unsigned queue, const struct iovec *iov, unsigned n);
    void (*flush)(void *opaque);
    /* (optional) Text for info network, after "type=...". New string. [main] */
    char *(*info)(void *opaque);

    /* ---- back ends ---- */
    /* (optional) Packets have a header of len bytes (0, 10 or 12) from now on, the NIC is stopped.
     * NULL: the back end knows no headers. [any] */
    void (*set_vnet_hdr)(void *opaque, unsigned len);
    /* (optional) What the NIC takes over (NET_OFFLOAD_*) of packets towards it. [any] */
    void (*set_offloads)(void *opaque, unsigned offloads);
    /* (optional) Queues the NIC uses from now on. [any] */
    void (*set_queues)(void *opaque, unsigned n);
    /* Frees opaque; nobody calls it any more. [main] */
    void (*close)(void *opaque);

    /* ---- NICs ---- */
    /* (optional) The wire's state may have changed, see net_link_is_up(). [main] */
    void (*link_changed)(void *opaque);
    /* (optional) Asks the guest to announce itself. [main] */
    void (*announce)(void *opaque);
    /* (optional) Members of query-rx-filter besides name. [main] */
    JsonObject *(*rx_filter)(void *opaque);
} NetOps;

/* ---- back ends, [main] ---- */
/* kv: "type", "id" and what the type takes. FALSE: *error; nothing stays open. */
bool net_backend_add(KeyVal *kv, GError **error);
/* A NIC that is left behind has its link down. FALSE: no such back end (DEVICE_NOT_FOUND). */
bool net_backend_del(const char *id, GError **error);
char *net_backend_help(void);                               /* -netdev help */
char *net_backend_type_help(const char *t, GError **error); /* -netdev TYPE,help */
/* Closes all. More than once is fine. */
void net_cleanup(void);

/* ---- for NICs ---- */
/* The NIC's end: name is what set_link and info network call it, netdev the back end's id, NULL for
 * none: a wire that leads nowhere. mac is borrowed for info and announce. NULL: UNKNOWN, or
 * CONFLICT: it has a NIC. [main] */
NetClient *net_nic_new(const NetOps *ops, void *opaque, const char *name, const char *netdev,
                       const uint8_t *mac, GError **error);
/* On return nobody calls opaque any more. NULL is fine. [main] */
void net_nic_free(NetClient *nic);
unsigned net_peer_queues(NetClient *nic); /* that the back end has; 1 without one */
/* The back end can give packets virtio-net headers. */
bool net_peer_has_vnet_hdr(NetClient *nic);
void net_use_vnet_hdr(NetClient *nic, unsigned len); /* only where it has them */
void net_set_offloads(NetClient *nic, unsigned offloads);
void net_set_queues(NetClient *nic, unsigned n);

/* ---- both ends ---- */
/* Gives a packet to the other end; TAKEN where there is none or the link is down. [any] */
NetVerdict net_send(NetClient *nc, unsigned queue, const struct iovec *iov, unsigned n);
/* The same for one of several in a row: it may be held back until net_flush(). [any] */
NetVerdict net_send_more(NetClient *nc, unsigned queue, const struct iovec *iov, unsigned n);
void net_flush(NetClient *nc);
/* After NET_BUSY: nc may take packets again. [any] */
void net_ready(NetClient *nc, unsigned queue);
bool net_link_is_up(NetClient *nic); /* both ends are there and up */

/* ---- management, [main] ---- */
/* While the machine is stopped no packet reaches a NIC. */
void net_set_running(bool running);
/* name of a NIC or id of a back end. */
bool net_set_link(const char *name, bool up, GError **error);
char *net_info(void); /* info network */
/* Array of RxFilterInfo; name NULL: all that have a filter. */
JsonArray *net_rx_filters(const char *name, GError **error);

typedef struct {
    int64_t initial, max, step;    /* milliseconds */
    unsigned rounds;               /* 0: ends what goes on under that id */
    const char *id;                /* or NULL */
    const char *const *interfaces; /* NULL: all NICs */
} NetAnnounce;
/* Tells the network where the guests are: one RARP frame now, the others at growing distances. */
void net_announce(const NetAnnounce *params);

/* "52:54:00:12:34:56". FALSE: SYNTAX. */
bool net_parse_mac(const char *text, uint8_t mac[6], GError **error);
char *net_format_mac(const uint8_t mac[6]);
/* mac if it is not zero, else the next of 52:54:00:12:34:56 on that no NIC has. Given back by
 * net_nic_free() of a NIC that was made with it. [main] */
void net_default_mac(uint8_t mac[6]);

/* Forwarding of -netdev user: id NULL is the first one. rule as after hostfwd=. [main] */
bool net_user_hostfwd_add(const char *id, const char *rule, GError **error);
bool net_user_hostfwd_remove(const char *id, const char *rule, GError **error);
char *net_user_info(void); /* info usernet */
