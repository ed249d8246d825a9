/* SPDX-License-Identifier: GPL-2.0-or-later
 * The socket device (virtio 1.2, section 5.10), streams only: packets, credit and the rules of who
 * is reset when. The host's side are UNIX sockets, in virtio-vsock-conn.c; nothing here needs the
 * host's own vsock. What the guest can make us keep is bounded: connections, bytes per
 * connection by the credit it was given, answers by not taking packets while there are many.
 */
#include <endian.h>
#include <errno.h>
#include <linux/virtio_ids.h>
#include <sys/socket.h>

#include "util/error.h"
#include "util/iov.h"
#include "virtio-vsock-priv.h"

enum {
    VSOCK_QUEUE_SIZE = 128,
    VSOCK_MAX_PAYLOAD = 64 * 1024,
    VSOCK_MIN_CID = 3,
    VSOCK_MAX_IOV = 64,
    HDR = sizeof(struct virtio_vsock_hdr),
};

DEVICE_DEFINE_TYPE(VirtIOVsock, virtio_vsock, "virtio-vsock-device", TYPE_VIRTIO_DEVICE)

/* ---- to the guest ---- */

static size_t put_packet(VirtIOVsock *s, VsockConn *c, const VirtQueueElement *elem, uint16_t op,
                         uint32_t flags, uint32_t len)
{
    struct virtio_vsock_hdr h = {
        .src_cid = htole64(VSOCK_HOST_CID),
        .dst_cid = htole64(s->guest_cid),
        .src_port = htole32(c->host_port),
        .dst_port = htole32(c->guest_port),
        .len = htole32(len),
        .type = htole16(VIRTIO_VSOCK_TYPE_STREAM),
        .op = htole16(op),
        .flags = htole32(flags),
        .buf_alloc = htole32(VSOCK_BUF_ALLOC),
        .fwd_cnt = htole32(c->fwd_cnt),
    };

    c->told_fwd_cnt = c->fwd_cnt;
    c->credit_update = false;
    iov_from_buf(elem->in, elem->n_in, 0, &h, sizeof(h));
    return HDR + len;
}

/* Bytes the guest has room for (section 5.10.6.3); a guest that says nonsense has none. */
static uint32_t credit(const VsockConn *c)
{
    uint32_t in_flight = c->tx_cnt - c->guest_fwd_cnt;

    return in_flight < c->guest_buf_alloc ? c->guest_buf_alloc - in_flight : 0;
}

/* The socket is at its end: the host's program writes no more, or is gone. */
static size_t put_end(VirtIOVsock *s, VsockConn *c, const VirtQueueElement *elem)
{
    c->host_writes = false;
    c->readable = false;
    if (vsock_is_hung_up(c)) {
        vsock_host_gone(s, c);
        return 0;
    }
    vsock_update_watch(s, c);
    return put_packet(s, c, elem, VIRTIO_VSOCK_OP_SHUTDOWN, VIRTIO_VSOCK_SHUTDOWN_SEND, 0);
}

/* A packet of what the socket has, or one that asks for credit; 0: neither. */
static size_t put_data(VirtIOVsock *s, VsockConn *c, const VirtQueueElement *elem)
{
    size_t room = MIN(elem->in_size - HDR, VSOCK_MAX_PAYLOAD);
    struct iovec iov[VSOCK_MAX_IOV];
    struct msghdr msg = { .msg_iov = iov };
    ssize_t n;

    if (credit(c) == 0) {
        if (c->starved) {
            return 0;
        }
        c->starved = true;
        return put_packet(s, c, elem, VIRTIO_VSOCK_OP_CREDIT_REQUEST, 0, 0);
    }
    msg.msg_iovlen =
        iov_slice(iov, elem->in, MIN(elem->n_in, VSOCK_MAX_IOV), HDR, MIN(room, credit(c)));
    n = msg.msg_iovlen > 0 ? recvmsg(c->fd, &msg, MSG_DONTWAIT) : -1;
    if (n > 0) {
        c->tx_cnt += n;
        return put_packet(s, c, elem, VIRTIO_VSOCK_OP_RW, 0, n);
    }
    if (n == 0) {
        return put_end(s, c, elem);
    }
    c->readable = false;
    if (msg.msg_iovlen > 0 && errno != EAGAIN && errno != EINTR) {
        vsock_break(s, c);
    }
    vsock_update_watch(s, c);
    return 0;
}

static bool take_flag(bool *flag)
{
    bool was = *flag;

    *flag = false;
    return was;
}

static bool may_send_data(const VsockConn *c)
{
    return c->state == VSOCK_ESTABLISHED && c->readable && c->guest_reads;
}

/* The next packet of c into elem; 0: there is none after all. Frees c with its RST. */
static size_t put_next(VirtIOVsock *s, VsockConn *c, const VirtQueueElement *elem)
{
    size_t n;

    if (c->rst) {
        n = put_packet(s, c, elem, VIRTIO_VSOCK_OP_RST, 0, 0);
        vsock_conn_free(s, c);
        return n;
    }
    if (take_flag(&c->request)) {
        n = put_packet(s, c, elem, VIRTIO_VSOCK_OP_REQUEST, 0, 0);
    } else if (take_flag(&c->response)) {
        n = put_packet(s, c, elem, VIRTIO_VSOCK_OP_RESPONSE, 0, 0);
    } else if (take_flag(&c->gone)) {
        n = put_packet(s, c, elem, VIRTIO_VSOCK_OP_SHUTDOWN,
                       VIRTIO_VSOCK_SHUTDOWN_RCV | VIRTIO_VSOCK_SHUTDOWN_SEND, 0);
    } else if (c->credit_update) {
        n = put_packet(s, c, elem, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0, 0);
    } else if (may_send_data(c)) {
        n = put_data(s, c, elem);
    } else {
        n = 0;
    }
    /* In turns with the others. Without credit it comes back when the guest has given some. */
    if (c->rst || c->request || c->response || c->gone || c->credit_update ||
        (may_send_data(c) && (credit(c) > 0 || !c->starved))) {
        vsock_make_ready(s, c);
    }
    return n;
}

static size_t fill(VirtIOVsock *s, const VirtQueueElement *elem)
{
    VsockConn *c;

    if (s->n_orphans > 0) {
        iov_from_buf(elem->in, elem->n_in, 0, &s->orphans[--s->n_orphans], HDR);
        return HDR;
    }
    c = g_queue_pop_head(&s->ready);
    c->queued = false;
    return put_next(s, c, elem);
}

static void serve_rx(VirtIODevice *vdev, VirtQueue *vq)
{
    VirtIOVsock *s = HUMPY_VIRTIO_VSOCK(vdev);
    VirtQueueElement *elem;

    pthread_mutex_lock(&s->lock);
    while ((s->n_orphans > 0 || s->ready.length > 0) && (elem = virtio_queue_pop(vq)) != NULL) {
        size_t n;

        if (elem->in_size <= HDR) {
            virtio_error(vdev, "a buffer of %" G_GUINT64_FORMAT " bytes for packets of more",
                         elem->in_size);
            virtio_queue_drop(vq, elem);
            break;
        }
        n = fill(s, elem);
        if (n == 0) {
            virtio_queue_unpop(vq, elem);
            continue;
        }
        virtio_queue_push(vq, elem, n);
        virtio_queue_notify(vq);
    }
    pthread_mutex_unlock(&s->lock);
    virtio_queue_kick(s->tx); /* it may have waited for orphans to go */
}

/* ---- from the guest ---- */

/* Section 5.10.6.4.1: a packet for nobody is answered with an RST, an RST never. */
static void answer_rst(VirtIOVsock *s, const struct virtio_vsock_hdr *h)
{
    if (le16toh(h->op) == VIRTIO_VSOCK_OP_RST) {
        return;
    }
    s->orphans[s->n_orphans++] = (struct virtio_vsock_hdr){
        .src_cid = h->dst_cid,
        .dst_cid = h->src_cid,
        .src_port = h->dst_port,
        .dst_port = h->src_port,
        .type = h->type,
        .op = htole16(VIRTIO_VSOCK_OP_RST),
    };
}

static void take_credit(VirtIOVsock *s, VsockConn *c, const struct virtio_vsock_hdr *h)
{
    c->guest_buf_alloc = le32toh(h->buf_alloc);
    c->guest_fwd_cnt = le32toh(h->fwd_cnt);
    if (credit(c) > 0) {
        c->starved = false;
        if (may_send_data(c)) {
            vsock_make_ready(s, c);
        }
    }
}

static void handle_request(VirtIOVsock *s, const struct virtio_vsock_hdr *h)
{
    VsockConn *c = vsock_connect(s, le32toh(h->dst_port), le32toh(h->src_port));

    if (c == NULL) {
        answer_rst(s, h);
        return;
    }
    take_credit(s, c, h);
    c->response = true;
    vsock_make_ready(s, c);
    vsock_update_watch(s, c);
}

/* Data of an established connection. */
static void handle_data(VirtIOVsock *s, VsockConn *c, const VirtQueueElement *elem, uint32_t len)
{
    struct iovec iov[VSOCK_MAX_IOV];
    unsigned n = iov_slice(iov, elem->out, MIN(elem->n_out, VSOCK_MAX_IOV), HDR, len);

    if (len > VSOCK_BUF_ALLOC - c->pending_used || iov_size(iov, n) != len || !c->guest_writes) {
        vsock_break(s, c); /* more than it was allowed, or than there is */
        return;
    }
    if (len > 0) {
        vsock_write(s, c, iov, n, len);
    }
}

static void handle_established(VirtIOVsock *s, VsockConn *c, const struct virtio_vsock_hdr *h,
                               const VirtQueueElement *elem)
{
    uint32_t flags = le32toh(h->flags);

    switch (le16toh(h->op)) {
    case VIRTIO_VSOCK_OP_RW:
        handle_data(s, c, elem, le32toh(h->len));
        break;
    case VIRTIO_VSOCK_OP_CREDIT_UPDATE:
        break;
    case VIRTIO_VSOCK_OP_CREDIT_REQUEST:
        c->credit_update = true;
        vsock_make_ready(s, c);
        break;
    case VIRTIO_VSOCK_OP_SHUTDOWN:
        vsock_guest_shutdown(s, c, (flags & VIRTIO_VSOCK_SHUTDOWN_RCV) != 0,
                             (flags & VIRTIO_VSOCK_SHUTDOWN_SEND) != 0);
        break;
    default: /* a second REQUEST or RESPONSE, or no operation there is */
        vsock_break(s, c);
        break;
    }
}

static void handle_packet(VirtIOVsock *s, const struct virtio_vsock_hdr *h,
                          const VirtQueueElement *elem)
{
    uint16_t op = le16toh(h->op);
    VsockConn *c;

    if (le64toh(h->src_cid) != s->guest_cid || le64toh(h->dst_cid) != VSOCK_HOST_CID) {
        return; /* section 5.10.6.4.1: from or to somebody else */
    }
    if (le16toh(h->type) != VIRTIO_VSOCK_TYPE_STREAM) {
        answer_rst(s, h);
        return;
    }
    c = vsock_find(s, le32toh(h->dst_port), le32toh(h->src_port));
    if (c == NULL && op == VIRTIO_VSOCK_OP_REQUEST) {
        handle_request(s, h);
        return;
    }
    if (c == NULL) {
        answer_rst(s, h);
        return;
    }
    if (op == VIRTIO_VSOCK_OP_RST) {
        vsock_conn_free(s, c);
        return;
    }
    take_credit(s, c, h);
    if (c->state == VSOCK_ESTABLISHED) {
        handle_established(s, c, h, elem);
    } else if (c->state == VSOCK_REQUESTED && op == VIRTIO_VSOCK_OP_RESPONSE && !c->request) {
        vsock_accepted(s, c);
    } else if (c->state != VSOCK_LINGERING) {
        vsock_break(s, c);
    }
}

static void serve_tx(VirtIODevice *vdev, VirtQueue *vq)
{
    VirtIOVsock *s = HUMPY_VIRTIO_VSOCK(vdev);
    VirtQueueElement *elem;

    pthread_mutex_lock(&s->lock);
    while (s->n_orphans < VSOCK_MAX_ORPHANS && (elem = virtio_queue_pop(vq)) != NULL) {
        struct virtio_vsock_hdr h;

        if (iov_to_buf(elem->out, elem->n_out, 0, &h, sizeof(h)) == sizeof(h)) {
            handle_packet(s, &h, elem);
        }
        virtio_queue_push(vq, elem, 0);
        virtio_queue_notify(vq);
    }
    if (s->n_orphans > 0) {
        virtio_queue_kick(s->rx);
    }
    pthread_mutex_unlock(&s->lock);
}

/* Its buffers are kept: there is no migration to tell of. */
static void serve_events(VirtIODevice *vdev, VirtQueue *vq)
{
}

/* ---- life cycle ---- */

static void vsock_started(VirtIODevice *vdev)
{
    VirtIOVsock *s = HUMPY_VIRTIO_VSOCK(vdev);

    pthread_mutex_lock(&s->lock);
    vsock_host_start(s);
    pthread_mutex_unlock(&s->lock);
}

static void vsock_reset(VirtIODevice *vdev)
{
    VirtIOVsock *s = HUMPY_VIRTIO_VSOCK(vdev);

    pthread_mutex_lock(&s->lock);
    vsock_host_reset(s);
    pthread_mutex_unlock(&s->lock);
}

static bool vsock_realize(VirtIODevice *vdev, GError **error)
{
    VirtIOVsock *s = HUMPY_VIRTIO_VSOCK(vdev);
    struct virtio_vsock_config config = { .guest_cid = htole64(s->guest_cid) };

    if (s->guest_cid < VSOCK_MIN_CID || s->guest_cid >= UINT32_MAX) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "guest-cid is %" G_GUINT64_FORMAT " but must be %d to %u", s->guest_cid,
                    VSOCK_MIN_CID, UINT32_MAX - 1);
        return false;
    }
    if (s->path == NULL || *s->path == '\0') {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING,
                    "path is missing: the UNIX socket for programs on the host");
        return false;
    }
    if (!vsock_host_open(s, error)) {
        return false;
    }
    virtio_init(vdev, &s->props, 0, &config, sizeof(config));
    s->rx = virtio_add_queue(vdev, VSOCK_QUEUE_SIZE, serve_rx);
    s->tx = virtio_add_queue(vdev, VSOCK_QUEUE_SIZE, serve_tx);
    virtio_add_queue(vdev, VSOCK_QUEUE_SIZE, serve_events);
    return true;
}

static void vsock_unrealize(VirtIODevice *vdev)
{
    VirtIOVsock *s = HUMPY_VIRTIO_VSOCK(vdev);

    vsock_host_close(s);
}

static void virtio_vsock_finalize(GObject *obj)
{
    pthread_mutex_destroy(&HUMPY_VIRTIO_VSOCK(obj)->lock);
    G_OBJECT_CLASS(virtio_vsock_parent_class)->finalize(obj);
}

static void virtio_vsock_init(VirtIOVsock *s)
{
    pthread_mutex_init(&s->lock, NULL);
    s->listener = -1;
    s->epoll = -1;
}

static const Prop virtio_vsock_props[] = {
    VIRTIO_PROPS(VirtIOVsock, props),
    PROP_U64("guest-cid", VirtIOVsock, guest_cid, 0, 0, UINT64_MAX,
             "The guest's address, 3 or more"),
    PROP_STRING("path", VirtIOVsock, path, NULL,
                "UNIX socket for programs on the host; the guest's port P of the host is PATH_P"),
};

static void virtio_vsock_class_init(VirtIOVsockClass *klass)
{
    DeviceClass *dc = HUMPY_DEVICE_CLASS(klass);
    VirtIODeviceClass *vc = HUMPY_VIRTIO_DEVICE_CLASS(klass);

    G_STATIC_ASSERT(HDR == 44);
    G_OBJECT_CLASS(klass)->finalize = virtio_vsock_finalize;
    props_install(G_OBJECT_CLASS(klass), virtio_vsock_props, G_N_ELEMENTS(virtio_vsock_props));
    dc->summary = "Sockets between guest and host";
    dc->user_creatable = true;
    vc->device_id = VIRTIO_ID_VSOCK;
    vc->realize = vsock_realize;
    vc->unrealize = vsock_unrealize;
    vc->reset = vsock_reset;
    vc->started = vsock_started;
}
