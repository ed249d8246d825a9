/* SPDX-License-Identifier: GPL-2.0-or-later
 * Packets on a stream, each after its length as a 32-bit big-endian number: what QEMU's socket and
 * stream back ends, passt and others speak. A length that no packet has ends the connection: there
 * is no way to find the next packet.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "net-priv.h"
#include "util/iov.h"

enum {
    LENGTH = 4,
    INPUT = 2 * (LENGTH + NET_MAX_PACKET), /* of it any whole packet fits behind a partial one */
    READS_AT_ONCE = 8,
    SMALL = 4096,        /* a packet up to this is copied to go with others */
    TOGETHER = 32 << 10, /* bytes that are worth a call */
    OUTPUT = TOGETHER + LENGTH + NET_MAX_PACKET,
};

struct NetStreamEnd {
    NetClient *nc;
    int fd;
    NetFd *watch;
    NetClosedFn closed;
    void *closed_opaque;

    /* [main] */
    size_t start, end; /* of what was read and not delivered */
    bool blocked;      /* the packet at start was not taken */
    gint ready;        /* atomic: peer_ready() was called since it was given */
    uint8_t in[INPUT];

    pthread_mutex_t lock; /* of the output: what waits for others, or for the host */
    size_t out_start, out_end;
    bool stuck;   /* the host does not take it now */
    bool waiting; /* the sender was told BUSY */
    uint8_t out[OUTPUT];
};

/* ---- from the host ---- */

static NetVerdict give(NetStreamEnd *s, const uint8_t *packet, size_t len)
{
    struct iovec iov = { (uint8_t *)packet, len };

    do {
        g_atomic_int_set(&s->ready, 0);
        if (net_send_more(s->nc, 0, &iov, 1) == NET_TAKEN) {
            return NET_TAKEN;
        }
    } while (g_atomic_int_get(&s->ready));
    return NET_BUSY;
}

static bool deliver_some(NetStreamEnd *s)
{
    s->blocked = false;
    while (s->end - s->start >= LENGTH) {
        uint32_t len;

        memcpy(&len, s->in + s->start, LENGTH);
        len = ntohl(len);
        if (len > NET_MAX_PACKET) {
            return false;
        }
        if (s->end - s->start - LENGTH < len) {
            break;
        }
        if (len > 0 && give(s, s->in + s->start + LENGTH, len) == NET_BUSY) {
            s->blocked = true;
            return true;
        }
        s->start += LENGTH + len;
    }
    if (s->start == s->end || INPUT - s->end < LENGTH + NET_MAX_PACKET) {
        memmove(s->in, s->in + s->start, s->end - s->start);
        s->end -= s->start;
        s->start = 0;
    }
    return true;
}

/* Delivers all whole packets. FALSE: the stream makes no sense. */
static bool deliver(NetStreamEnd *s)
{
    bool good = deliver_some(s);

    net_flush(s->nc);
    return good;
}

/* NULL, or why the connection is over. */
static const char *read_stream(NetStreamEnd *s)
{
    for (unsigned i = 0; i < READS_AT_ONCE && !s->blocked; i++) {
        ssize_t got = recv(s->fd, s->in + s->end, INPUT - s->end, MSG_DONTWAIT);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return got == 0 ? "the peer closed it" : errno == EAGAIN ? NULL : g_strerror(errno);
        }
        s->end += got;
        if (!deliver(s)) {
            return "the peer sent a packet length that is out of range";
        }
    }
    return NULL;
}

/* ---- towards the host ---- */

/* [lock] Sends what is left. TRUE: nothing is. */
static bool flush(NetStreamEnd *s)
{
    while (s->out_start < s->out_end) {
        ssize_t done = send(s->fd, s->out + s->out_start, s->out_end - s->out_start,
                            MSG_DONTWAIT | MSG_NOSIGNAL);

        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done < 0 && errno != EAGAIN) {
            s->out_start = s->out_end; /* the reading side finds out that the peer is gone */
        } else if (done < 0) {
            s->stuck = true;
            net_fd_want_out(s->watch, true);
            return false;
        } else {
            s->out_start += done;
        }
    }
    s->out_start = 0;
    s->out_end = 0;
    s->stuck = false;
    return true;
}

static void room_again(NetStreamEnd *s)
{
    bool tell = false;

    pthread_mutex_lock(&s->lock);
    if (flush(s)) {
        net_fd_want_out(s->watch, false);
        tell = s->waiting;
        s->waiting = false;
    }
    pthread_mutex_unlock(&s->lock);
    if (tell) {
        net_ready(s->nc, 0);
    }
}

NetVerdict net_stream_end_receive(NetStreamEnd *s, const struct iovec *iov, unsigned n)
{
    uint64_t size = iov_size(iov, n);
    uint32_t length = htonl(size);
    struct iovec all[NET_MAX_IOV];
    struct msghdr msg = { .msg_iov = all };
    ssize_t done;

    if (size == 0 || size > NET_MAX_PACKET) {
        return NET_TAKEN;
    }
    pthread_mutex_lock(&s->lock);
    if (!flush(s)) {
        s->waiting = true;
        pthread_mutex_unlock(&s->lock);
        return NET_BUSY;
    }
    done = 0;
    if (n < NET_MAX_IOV) {
        all[0] = (struct iovec){ &length, LENGTH };
        memcpy(all + 1, iov, n * sizeof(*iov));
        msg.msg_iovlen = n + 1;
        do {
            done = sendmsg(s->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
        } while (done < 0 && errno == EINTR);
        if (done < 0) {
            done = errno == EAGAIN ? 0 : (ssize_t)(LENGTH + size); /* as in flush() */
        }
    }
    if ((size_t)done < LENGTH + size) {
        memcpy(s->out, &length, LENGTH);
        s->out_start = done;
        s->out_end = LENGTH + iov_to_buf(iov, n, 0, s->out + LENGTH, NET_MAX_PACKET);
        flush(s);
    }
    pthread_mutex_unlock(&s->lock);
    return NET_TAKEN;
}

NetVerdict net_stream_end_receive_more(NetStreamEnd *s, const struct iovec *iov, unsigned n)
{
    uint64_t size = iov_size(iov, n);
    uint32_t length = htonl(size);

    if (size == 0 || size > SMALL) {
        return net_stream_end_receive(s, iov, n);
    }
    pthread_mutex_lock(&s->lock);
    if ((s->stuck || s->out_end >= TOGETHER) && !flush(s)) {
        s->waiting = true;
        pthread_mutex_unlock(&s->lock);
        return NET_BUSY;
    }
    memcpy(s->out + s->out_end, &length, LENGTH);
    s->out_end += LENGTH + iov_to_buf(iov, n, 0, s->out + s->out_end + LENGTH, size);
    pthread_mutex_unlock(&s->lock);
    return NET_TAKEN;
}

void net_stream_end_flush(NetStreamEnd *s)
{
    pthread_mutex_lock(&s->lock);
    if (!s->stuck) {
        flush(s);
    }
    pthread_mutex_unlock(&s->lock);
}

/* ---- life ---- */

static void on_event(void *opaque, unsigned revents)
{
    NetStreamEnd *s = opaque;
    const char *why = NULL;

    if (revents & (G_IO_OUT | G_IO_ERR | G_IO_HUP)) {
        room_again(s);
    }
    if (s->blocked && !deliver(s)) {
        why = "the peer sent a packet length that is out of range";
    } else if (!s->blocked && (revents & (G_IO_IN | G_IO_ERR | G_IO_HUP))) {
        why = read_stream(s);
    }
    if (why != NULL) {
        net_fd_want_in(s->watch, false);
        s->closed(s->closed_opaque, why);
        return;
    }
    net_fd_want_in(s->watch, !s->blocked);
}

void net_stream_end_peer_ready(NetStreamEnd *s)
{
    g_atomic_int_set(&s->ready, 1);
    net_fd_wake(s->watch);
}

NetStreamEnd *net_stream_end_new(NetClient *nc, int fd, NetClosedFn closed, void *opaque)
{
    NetStreamEnd *s = g_new0(NetStreamEnd, 1);

    s->nc = nc;
    s->fd = fd;
    s->closed = closed;
    s->closed_opaque = opaque;
    pthread_mutex_init(&s->lock, NULL);
    s->watch = net_fd_new(fd, on_event, s);
    net_fd_want_in(s->watch, true);
    return s;
}

void net_stream_end_free(NetStreamEnd *s)
{
    if (s == NULL) {
        return;
    }
    net_fd_free(s->watch);
    fd_clear(&s->fd);
    pthread_mutex_destroy(&s->lock);
    g_free(s);
}
