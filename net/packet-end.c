/* SPDX-License-Identifier: GPL-2.0-or-later
 * A descriptor where each read and write is one packet: a tap queue, a datagram socket. A packet
 * the other end has no room for waits here, and nothing more is read; one that the host has no room
 * for is left to the sender.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "net-priv.h"
#include "util/iov.h"

enum {
    READS_AT_ONCE = 64, /* then other sources of the main context have their turn */
    HEADER_MAX = 12,
};

struct NetPacketEnd {
    NetClient *nc;
    unsigned queue;
    int fd;
    bool is_socket;
    NetAddress to; /* len 0: none */
    NetFd *watch;

    gint fd_header, wire_header; /* atomic: lengths */
    gint enabled;                /* atomic: packets are read */

    /* [main] */
    size_t waiting; /* bytes of the packet in buf that was not taken; 0: none */
    gint ready;     /* atomic: peer_ready() was called since it was given */
    uint8_t buf[NET_MAX_PACKET];

    pthread_mutex_t lock; /* of the output: */
    bool full;
    uint8_t linear[NET_MAX_PACKET];
};

/* Errors of a socket that tell of an earlier datagram, which is lost. */
static bool is_passing(int err)
{
    return err == ECONNREFUSED || err == ECONNRESET || err == EHOSTUNREACH || err == ENETUNREACH ||
           err == ENETDOWN;
}

/* The packet in buf, with the header that the wire wants. */
static NetVerdict deliver(NetPacketEnd *end)
{
    static uint8_t zeroes[HEADER_MAX];
    size_t has = g_atomic_int_get(&end->fd_header), wants = g_atomic_int_get(&end->wire_header);
    struct iovec iov[2] = { { zeroes, 0 } };

    if (end->waiting < has) {
        return NET_TAKEN;
    }
    if (has == wants) {
        has = 0;
    } else {
        iov[0].iov_len = wants;
    }
    iov[1] = (struct iovec){ end->buf + has, end->waiting - has };
    return iov[0].iov_len > 0 ? net_send(end->nc, end->queue, iov, 2)
                              : net_send(end->nc, end->queue, iov + 1, 1);
}

/* TRUE: buf is free again. */
static bool deliver_waiting(NetPacketEnd *end)
{
    do {
        g_atomic_int_set(&end->ready, 0);
        if (deliver(end) == NET_TAKEN) {
            end->waiting = 0;
            return true;
        }
    } while (g_atomic_int_get(&end->ready));
    return false;
}

/* The descriptor is of no more use: an interface was removed, say. Watching it would never sleep.
 */
static void give_up(NetPacketEnd *end, const char *why)
{
    if (g_atomic_int_compare_and_exchange(&end->enabled, 1, 0)) {
        g_message("netdev '%s': nothing more can be received: %s", end->nc->id, why);
    }
}

static void read_packets(NetPacketEnd *end)
{
    for (unsigned i = 0; i < READS_AT_ONCE; i++) {
        ssize_t got = read(end->fd, end->buf, sizeof(end->buf));

        if (got < 0 && errno == EAGAIN) {
            return;
        }
        if (got < 0 && (errno == EINTR || (end->is_socket && is_passing(errno)))) {
            continue;
        }
        if (got < 0) {
            give_up(end, g_strerror(errno));
            return;
        }
        end->waiting = got;
        if (got > 0 && !deliver_waiting(end)) {
            return;
        }
    }
}

static void room_again(NetPacketEnd *end)
{
    pthread_mutex_lock(&end->lock);
    end->full = false;
    net_fd_want_out(end->watch, false);
    pthread_mutex_unlock(&end->lock);
    net_ready(end->nc, end->queue);
}

static void on_event(void *opaque, unsigned revents)
{
    NetPacketEnd *end = opaque;

    if (revents & (G_IO_OUT | G_IO_ERR | G_IO_HUP)) {
        room_again(end);
    }
    if ((end->waiting == 0 || deliver_waiting(end)) && g_atomic_int_get(&end->enabled) &&
        (revents & (G_IO_IN | G_IO_ERR))) {
        read_packets(end);
    }
    if (revents & G_IO_HUP) {
        give_up(end, "the other end is gone");
    }
    net_fd_want_in(end->watch, end->waiting == 0 && g_atomic_int_get(&end->enabled));
}

void net_packet_end_peer_ready(NetPacketEnd *end)
{
    g_atomic_int_set(&end->ready, 1);
    net_fd_wake(end->watch);
}

/* ---- towards the host ---- */

static ssize_t write_packet(NetPacketEnd *end, struct iovec *iov, unsigned n)
{
    struct msghdr msg = { .msg_iov = iov, .msg_iovlen = n };
    ssize_t done;

    if (end->to.len > 0) {
        msg.msg_name = &end->to.sa;
        msg.msg_namelen = end->to.len;
    }
    do {
        done = end->is_socket ? sendmsg(end->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL)
                              : writev(end->fd, iov, n);
    } while (done < 0 && errno == EINTR);
    return done;
}

/* out has room for NET_MAX_IOV + 1 entries. Returns those used; 0: there is no packet. */
static unsigned with_fd_header(const NetPacketEnd *end, struct iovec *out, const struct iovec *iov,
                               unsigned n)
{
    static uint8_t zeroes[HEADER_MAX];
    size_t has = g_atomic_int_get(&end->wire_header), wants = g_atomic_int_get(&end->fd_header);
    uint64_t size = iov_size(iov, n);

    if (size < has || size > NET_MAX_PACKET) {
        return 0;
    }
    if (has == wants) {
        memcpy(out, iov, n * sizeof(*iov));
        return n;
    }
    out[0] = (struct iovec){ zeroes, wants };
    return 1 + iov_slice(out + 1, iov, n, has, size - has);
}

NetVerdict net_packet_end_receive(NetPacketEnd *end, const struct iovec *iov, unsigned n)
{
    struct iovec out[NET_MAX_IOV + 1];
    NetVerdict verdict = NET_TAKEN;
    unsigned used = n <= NET_MAX_IOV ? with_fd_header(end, out, iov, n) : 0;

    if (used == 0) {
        return NET_TAKEN;
    }
    pthread_mutex_lock(&end->lock);
    if (used > NET_MAX_IOV) { /* more than the kernel takes in one call */
        out[0].iov_len = iov_to_buf(out, used, 0, end->linear, sizeof(end->linear));
        out[0].iov_base = end->linear;
        used = 1;
    }
    if (end->full || (write_packet(end, out, used) < 0 && errno == EAGAIN)) {
        end->full = true;
        net_fd_want_out(end->watch, true);
        verdict = NET_BUSY;
    }
    pthread_mutex_unlock(&end->lock);
    return verdict; /* any other error loses the packet, as a wire does */
}

/* ---- life ---- */

void net_packet_end_set_vnet_hdr(NetPacketEnd *end, unsigned fd_len, unsigned wire_len)
{
    g_assert(fd_len <= HEADER_MAX && wire_len <= HEADER_MAX);
    g_atomic_int_set(&end->fd_header, fd_len);
    g_atomic_int_set(&end->wire_header, wire_len);
}

NetPacketEnd *net_packet_end_new(NetClient *nc, unsigned queue, int fd, bool is_socket,
                                 const NetAddress *to, unsigned vnet_hdr)
{
    NetPacketEnd *end = g_new0(NetPacketEnd, 1);

    end->nc = nc;
    end->queue = queue;
    end->fd = fd;
    end->is_socket = is_socket;
    end->enabled = 1;
    end->fd_header = vnet_hdr;
    if (to != NULL) {
        end->to.sa = to->sa;
        end->to.len = to->len;
    }
    pthread_mutex_init(&end->lock, NULL);
    end->watch = net_fd_new(fd, on_event, end);
    net_fd_want_in(end->watch, true);
    return end;
}

void net_packet_end_enable(NetPacketEnd *end, bool enabled)
{
    g_atomic_int_set(&end->enabled, enabled);
    net_fd_wake(end->watch); /* which looks at it */
}

void net_packet_end_free(NetPacketEnd *end)
{
    if (end == NULL) {
        return;
    }
    net_fd_free(end->watch);
    fd_clear(&end->fd);
    pthread_mutex_destroy(&end->lock);
    g_free(end);
}
