/* SPDX-License-Identifier: GPL-2.0-or-later
 * What the files of net/ share: the two ends of a wire, the back end types, and helpers for back
 * ends that sit on file descriptors. Not for other folders.
 */
#pragma once

#include <sys/socket.h>

#include "net/net.h"
#include "util/fd.h"

struct NetClient {
    const NetOps *ops;
    void *opaque;
    char *id;
    bool is_nic, is_hub_side; /* neither: a back end that a NIC or hub port may claim */
    unsigned queues;
    bool has_vnet_hdr;
    const uint8_t *mac; /* of a NIC */
    gint vnet_hdr;      /* atomic, of a NIC: length of the header on its wire */
    char *info;         /* of a back end, or NULL */

    /* The wires' lock: */
    NetClient *peer;
    bool up;
};

/* A type of back end. */
typedef struct {
    const char *name;
    const char *summary;
    const char *const *keys; /* besides type and id; NULL-terminated */
    /* kv's keys are known. Calls net_backend_new(). */
    NetClient *(*open)(const char *id, KeyVal *kv, GError **error);
} NetType;

extern const NetType net_type_dgram, net_type_hubport, net_type_socket, net_type_stream,
    net_type_tap, net_type_user;

/* ---- net.c, [main] ---- */
/* Puts a back end on the list; info (copied, may be NULL) is for info network. */
NetClient *net_backend_new(const NetOps *ops, void *opaque, const char *id, unsigned queues,
                           bool has_vnet_hdr, const char *info);
NetClient *net_backend_find(const char *id); /* or NULL */
/* Ties two ends that are on no wire yet. */
void net_connect(NetClient *a, NetClient *b);
void net_client_free(NetClient *nc);
/* Around changes of what receive() and peer_ready() of NetOps look at: they do not run then. */
void net_wires_lock(void);
void net_wires_unlock(void);
void net_set_info(NetClient *nc, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
typedef void (*NetClientFn)(NetClient *nc, void *opaque);
void net_foreach(NetClientFn fn, void *opaque);

/* ---- address.c ---- */
typedef struct {
    struct sockaddr_storage sa;
    socklen_t len;
    char *text; /* for messages; of net_address_clear() */
} NetAddress;

void net_address_clear(NetAddress *address);
/* "HOST:PORT", "[V6]:PORT", ":PORT" (any_host: 0.0.0.0, else 127.0.0.1). Names are looked up. */
bool net_address_parse(const char *text, bool any_host, NetAddress *address, GError **error);
/* PREFIX.type=inet|unix|fd and what belongs to it; fd goes to *fd. *given FALSE: there is none. */
bool net_address_take(KeyVal *kv, const char *prefix, NetAddress *address, int *fd, bool *given,
                      GError **error);
char *net_address_text(const struct sockaddr *sa, socklen_t len);
/* An open descriptor given by number, now non-blocking and close-on-exec, or -1. */
int net_take_fd(const char *text, GError **error);
/* socket(), non-blocking and close-on-exec. */
int net_socket(const NetAddress *address, int type, GError **error);

/* ---- fd.c: a descriptor in the main context ---- */
typedef struct NetFd NetFd;
typedef void (*NetFdFn)(void *opaque, unsigned revents); /* [main] G_IO_*; 0: only woken */
NetFd *net_fd_new(int fd, NetFdFn fn, void *opaque);     /* fd stays the caller's; wants nothing */
void net_fd_free(NetFd *f);                              /* NULL is fine; fn may call it */
void net_fd_want_in(NetFd *f, bool want);                /* [any] */
void net_fd_want_out(NetFd *f, bool want);               /* [any] */
void net_fd_wake(NetFd *f);                              /* fn runs soon. [any] */

/* ---- packet-end.c: one packet per read and write ---- */
typedef struct NetPacketEnd NetPacketEnd;
/* Takes fd. The end sends as nc's queue and receives for it. to: sendto() there, or NULL (copied).
 * vnet_hdr is the length of the header the descriptor's packets have. */
NetPacketEnd *net_packet_end_new(NetClient *nc, unsigned queue, int fd, bool is_socket,
                                 const NetAddress *to, unsigned vnet_hdr);
void net_packet_end_free(NetPacketEnd *end); /* NULL is fine */
NetVerdict net_packet_end_receive(NetPacketEnd *end, const struct iovec *iov, unsigned n);
void net_packet_end_peer_ready(NetPacketEnd *end);
/* The header that packets of the wire have, where the descriptor's have one. */
void net_packet_end_set_vnet_hdr(NetPacketEnd *end, unsigned fd_len, unsigned wire_len);
/* While it is not enabled nothing is read. [any] */
void net_packet_end_enable(NetPacketEnd *end, bool enabled);

/* ---- stream-end.c: packets with their length before them on a stream ---- */
typedef struct NetStreamEnd NetStreamEnd;
typedef void (*NetClosedFn)(void *opaque, const char *why); /* [main] may free the end */
/* Takes fd. */
NetStreamEnd *net_stream_end_new(NetClient *nc, int fd, NetClosedFn closed, void *opaque);
void net_stream_end_free(NetStreamEnd *end); /* NULL is fine */
NetVerdict net_stream_end_receive(NetStreamEnd *end, const struct iovec *iov, unsigned n);
/* The same for one of several: small ones wait for each other until net_stream_end_flush(). */
NetVerdict net_stream_end_receive_more(NetStreamEnd *end, const struct iovec *iov, unsigned n);
void net_stream_end_flush(NetStreamEnd *end);
void net_stream_end_peer_ready(NetStreamEnd *end);

/* ---- stream-link.c: who is at the other end of a stream ---- */
typedef struct NetStreamLink NetStreamLink;
typedef struct {
    bool server;
    unsigned reconnect; /* seconds between attempts of a client; 0: none */
    bool events;        /* NETDEV_STREAM_* */
} NetStreamOptions;
/* A back end over a stream: address (copied), or a connected fd (taken) if it is not -1. */
NetClient *net_stream_link_open(const char *id, const NetAddress *address, int fd,
                                const NetStreamOptions *options, GError **error);
/* A back end over datagrams: takes fd. */
NetClient *net_dgram_open(const char *id, int fd, const NetAddress *to, const char *info);
