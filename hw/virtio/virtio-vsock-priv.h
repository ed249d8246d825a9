/* SPDX-License-Identifier: GPL-2.0-or-later
 * State of the socket device: virtio-vsock.c is the device and its packets, virtio-vsock-conn.c the
 * connections and their UNIX sockets.
 *
 * Threads: queue handlers and socket events run in the device's I/O thread, a reset in any; all of
 * them hold the device's lock. Lock order: queue, VirtIOVsock.lock.
 */
#pragma once

#include <linux/virtio_vsock.h>
#include <pthread.h>

#include "hw/virtio/virtio.h"
#include "util/fd.h"

#define TYPE_VIRTIO_VSOCK virtio_vsock_get_type()
G_DECLARE_FINAL_TYPE(VirtIOVsock, virtio_vsock, HUMPY, VIRTIO_VSOCK, VirtIODevice)

enum {
    VSOCK_HOST_CID = 2,
    VSOCK_HELLO_MAX = 32, /* "CONNECT 4294967295\n" is shorter */
    VSOCK_MAX_CONNS = 256,
    VSOCK_MAX_ORPHANS = 64,
    VSOCK_BUF_ALLOC = 256 * 1024, /* bytes from the guest that may wait for the host, each */
};

typedef enum {
    VSOCK_HELLO,       /* the host's program has yet to say whom it wants */
    VSOCK_REQUESTED,   /* the guest was asked and has not answered */
    VSOCK_ESTABLISHED, /* both ways, as far as not shut down */
    VSOCK_LINGERING,   /* the host is gone, the guest was told and has not answered */
} VsockState;

typedef struct {
    uint64_t id;
    uint32_t host_port, guest_port;
    VsockState state;
    char hello[VSOCK_HELLO_MAX]; /* as far as it came */
    unsigned hello_len;
    Fd fd;
    uint32_t watched; /* EPOLLIN, EPOLLOUT */

    /* What the guest is to be told, in this order. */
    bool rst, request, response, gone, credit_update;
    bool queued;   /* in VirtIOVsock.ready */
    bool readable; /* the socket may have bytes for the guest */
    bool guest_reads, guest_writes, host_writes;

    /* Credit (section 5.10.6.3); counters wrap. */
    uint32_t guest_buf_alloc, guest_fwd_cnt, tx_cnt;
    uint32_t fwd_cnt, told_fwd_cnt;
    bool starved; /* no credit, and the guest was asked for some */

    uint8_t *pending; /* from the guest, for a socket that is full */
    size_t pending_head, pending_used;
} VsockConn;

struct _VirtIOVsock {
    VirtIODevice parent;
    VirtIOProps props;
    uint64_t guest_cid;
    char *path;

    VirtQueue *rx, *tx;
    Fd listener, epoll;
    uint64_t watch;
    ino_t inode; /* of the listener's path */

    pthread_mutex_t lock; /* what follows */
    bool running;
    bool accepting;               /* listener is watched */
    GHashTable *by_id, *by_ports; /* the same connections; by_id owns them */
    GQueue ready;                 /* of VsockConn: with something to tell, or readable */
    struct virtio_vsock_hdr orphans[VSOCK_MAX_ORPHANS]; /* RSTs for nobody's packets */
    unsigned n_orphans;
    uint64_t next_id;
    uint32_t next_port;
};

/* ---- virtio-vsock-conn.c, [device lock held] ---- */
bool vsock_host_open(VirtIOVsock *s, GError **error);
void vsock_host_close(VirtIOVsock *s);
/* Closes every connection, and takes none before the next start. */
void vsock_host_reset(VirtIOVsock *s);
void vsock_host_start(VirtIOVsock *s);
VsockConn *vsock_find(VirtIOVsock *s, uint32_t host_port, uint32_t guest_port);
/* The guest asks for a connection. NULL: nobody listens, or there are too many. */
VsockConn *vsock_connect(VirtIOVsock *s, uint32_t host_port, uint32_t guest_port);
void vsock_conn_free(VirtIOVsock *s, VsockConn *c);
/* The guest accepted what the host's program asked for. */
void vsock_accepted(VirtIOVsock *s, VsockConn *c);
/* Bytes from the guest, within its credit. */
void vsock_write(VirtIOVsock *s, VsockConn *c, const struct iovec *iov, unsigned n, size_t len);
/* The guest will not read, or not write, any more. */
void vsock_guest_shutdown(VirtIOVsock *s, VsockConn *c, bool no_read, bool no_write);
/* Watches the socket for what is wanted of it now. */
void vsock_update_watch(VirtIOVsock *s, VsockConn *c);
/* c has something for the guest. */
void vsock_make_ready(VirtIOVsock *s, VsockConn *c);
/* The host's program is gone: the guest is told, and what it still writes goes nowhere. */
void vsock_host_gone(VirtIOVsock *s, VsockConn *c);
/* TRUE: the other end of the socket is closed, not only shut down. */
bool vsock_is_hung_up(const VsockConn *c);
/* Ends it: the guest is told by an RST, the host by the socket's end. */
void vsock_break(VirtIOVsock *s, VsockConn *c);
