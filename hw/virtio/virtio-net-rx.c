/* SPDX-License-Identifier: GPL-2.0-or-later
 * Packets to the driver (virtio 1.2, section 5.1.6.3): put into the receive queue by the thread
 * that has them, each as a whole or not at all. A packet without room stays with the back end,
 * which is woken when the driver has added buffers.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>

#include "hw/virtio/virtio-transport.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/iov.h"
#include "virtio-net-priv.h"

/* Buffers taken for one packet. */
typedef struct {
    VirtQueueElement *elems[VIRTIO_QUEUE_MAX];
    unsigned n;
    uint64_t room;
} Taken;

static void put_back(VirtQueue *vq, Taken *t)
{
    while (t->n > 0) {
        virtio_queue_unpop(vq, t->elems[--t->n]);
    }
}

typedef enum {
    ROOM,
    NO_ROOM, /* yet */
    NEVER,   /* the packet is to be dropped */
} Room;

/* Takes as many buffers as size bytes need; none on NO_ROOM and NEVER. */
static Room take_buffers(VirtIONet *s, VirtQueue *vq, uint64_t size, Taken *t)
{
    unsigned header = g_atomic_int_get(&s->header);
    unsigned limit =
        virtio_has_feature(HUMPY_VIRTIO_DEVICE(s), VIRTIO_NET_F_MRG_RXBUF) ? VIRTIO_QUEUE_MAX : 1;

    while (t->room < size && t->n < limit) {
        VirtQueueElement *elem = virtio_queue_pop(vq);

        if (elem == NULL) {
            bool all = t->n == virtio_queue_size(HUMPY_VIRTIO_DEVICE(s), virtio_queue_index(vq));

            put_back(vq, t);
            return all ? NEVER : NO_ROOM;
        }
        if (elem->in_size < (t->n == 0 ? header : 1)) {
            virtio_error(HUMPY_VIRTIO_DEVICE(s), "receive buffer too small for the header");
            virtio_queue_drop(vq, elem);
            put_back(vq, t);
            return NEVER;
        }
        t->elems[t->n++] = elem;
        t->room += elem->in_size;
    }
    if (t->room < size) {
        put_back(vq, t);
        return NEVER;
    }
    return ROOM;
}

/* Writes the list of source at *skip of the buffers, counted over all of them; moves it on. */
static void scatter(const Taken *t, uint64_t *at, const void *buf, size_t len)
{
    uint64_t begin = 0;

    for (unsigned i = 0; i < t->n && len > 0; i++) {
        const VirtQueueElement *e = t->elems[i];

        if (*at < begin + e->in_size) {
            size_t done = iov_from_buf(e->in, e->n_in, *at - begin, buf, len);

            buf = (const char *)buf + done;
            len -= done;
            *at += done;
        }
        begin += e->in_size;
    }
}

static void write_packet(VirtIONet *s, VirtQueue *vq, const Taken *t, const struct iovec *iov,
                         unsigned n, uint64_t size)
{
    unsigned header = g_atomic_int_get(&s->header);
    unsigned skip = g_atomic_int_get(&s->wire_header) ? header : 0;
    struct virtio_net_hdr_mrg_rxbuf h = { 0 };
    uint64_t at = 0;

    iov_to_buf(iov, n, 0, &h, skip);
    h.num_buffers = htole16(t->n);
    scatter(t, &at, &h, header);
    for (unsigned i = 0; i < n; i++) {
        size_t cut = MIN(skip, iov[i].iov_len);

        skip -= cut;
        scatter(t, &at, (const char *)iov[i].iov_base + cut, iov[i].iov_len - cut);
    }
    for (unsigned i = 0; i < t->n; i++) {
        uint64_t part = MIN(size, t->elems[i]->in_size);

        virtio_queue_fill(vq, t->elems[i], part);
        size -= part;
    }
    virtio_queue_flush(vq);
}

static bool is_wanted(VirtIONet *s, const struct iovec *iov, unsigned n, unsigned wire_header)
{
    uint8_t head[18];
    size_t len = iov_to_buf(iov, n, wire_header, head, sizeof(head));

    return net_filter_wants(s, head, len);
}

/* more: the driver is told by virtio_net_flush(). */
static NetVerdict receive(void *opaque, unsigned queue, const struct iovec *iov, unsigned n,
                          bool more)
{
    VirtIONet *s = opaque;
    unsigned pair = queue % g_atomic_int_get(&s->pairs), header, wire_header;
    uint64_t size = iov_size(iov, n);
    Taken taken;
    VirtQueue *vq;
    Room room;

    /* First, so that a driver that adds buffers from now on is noticed. */
    g_atomic_int_set(&s->blocked[pair], 1);
    if (!g_atomic_int_get(&s->live)) {
        return NET_BUSY;
    }
    vq = virtio_queue(HUMPY_VIRTIO_DEVICE(s), 2 * pair);
    if (!virtio_queue_enter(vq)) {
        return NET_BUSY;
    }
    header = g_atomic_int_get(&s->header); /* final while the queue runs */
    wire_header = g_atomic_int_get(&s->wire_header) ? header : 0;
    if (size <= wire_header || size > NET_MAX_PACKET || !is_wanted(s, iov, n, wire_header)) {
        room = NEVER;
    } else {
        size += header - wire_header;
        taken.n = 0; /* its array is not cleared */
        taken.room = 0;
        room = take_buffers(s, vq, size, &taken);
        if (room == ROOM) {
            write_packet(s, vq, &taken, iov, n, size);
            if (more) {
                g_atomic_int_set(&s->untold[pair], 1);
            } else {
                virtio_queue_notify(vq);
            }
        }
    }
    virtio_queue_leave(vq);
    if (room == NO_ROOM) {
        return NET_BUSY;
    }
    g_atomic_int_set(&s->blocked[pair], 0);
    return NET_TAKEN;
}

NetVerdict virtio_net_receive(void *opaque, unsigned queue, const struct iovec *iov, unsigned n)
{
    return receive(opaque, queue, iov, n, false);
}

NetVerdict virtio_net_receive_more(void *opaque, unsigned queue, const struct iovec *iov,
                                   unsigned n)
{
    return receive(opaque, queue, iov, n, true);
}

void virtio_net_flush(void *opaque)
{
    VirtIONet *s = opaque;

    for (unsigned pair = 0; pair < (unsigned)g_atomic_int_get(&s->pairs); pair++) {
        VirtQueue *vq = virtio_queue(HUMPY_VIRTIO_DEVICE(s), 2 * pair);

        if (g_atomic_int_compare_and_exchange(&s->untold[pair], 1, 0)) {
            virtio_queue_tell(vq);
        }
    }
}

/* Not from the queue's handler: a sender holds the wires' lock when it takes that of the queue. */
static void wake_backend(void *opaque)
{
    VirtIONet *s = opaque;
    eventfd_t count;

    if (eventfd_read(s->wake_fd, &count) != 0) {
        return; /* EAGAIN: somebody read it before */
    }
    for (unsigned queue = 0; queue < net_peer_queues(s->nic); queue++) {
        net_ready(s->nic, queue);
    }
}

bool virtio_net_start_waking(VirtIONet *s, GError **error)
{
    s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->wake_fd < 0) {
        error_set_errno(error, errno, "cannot make an eventfd");
        return false;
    }
    s->wake_watch =
        iothread_watch(virtio_iothread(HUMPY_VIRTIO_DEVICE(s)), s->wake_fd, wake_backend, s, error);
    return s->wake_watch != 0;
}

void virtio_net_stop_waking(VirtIONet *s)
{
    if (s->wake_watch != 0) {
        iothread_unwatch(virtio_iothread(HUMPY_VIRTIO_DEVICE(s)), s->wake_watch);
        s->wake_watch = 0;
    }
    fd_clear(&s->wake_fd);
}

void virtio_net_wake_backend(VirtIONet *s)
{
    if (eventfd_write(s->wake_fd, 1) != 0) {
        g_assert(errno == EAGAIN);
    }
}

void virtio_net_serve_rx(VirtIONet *s, VirtQueue *vq)
{
    unsigned pair = virtio_queue_index(vq) / 2;

    if (g_atomic_int_compare_and_exchange(&s->blocked[pair], 1, 0)) {
        virtio_net_wake_backend(s);
    }
}
