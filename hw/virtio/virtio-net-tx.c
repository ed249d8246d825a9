/* SPDX-License-Identifier: GPL-2.0-or-later
 * Packets from the driver (virtio 1.2, section 5.1.6.2): handed to the back end from guest memory
 * as they are. One that the back end has no room for goes back into the queue until it has.
 */
#include "util/iov.h"
#include "virtio-net-priv.h"

enum { NOTIFY_EVERY = 32 };

void virtio_net_serve_tx(VirtIONet *s, VirtQueue *vq)
{
    unsigned header = g_atomic_int_get(&s->header), pair = virtio_queue_index(vq) / 2;
    unsigned skip = g_atomic_int_get(&s->wire_header) ? 0 : header, returned = 0;
    struct iovec iov[VIRTIO_QUEUE_MAX];
    VirtQueueElement *elem;

    while ((elem = virtio_queue_pop(vq)) != NULL) {
        NetVerdict verdict = NET_TAKEN;

        if (elem->out_size < header) {
            virtio_error(HUMPY_VIRTIO_DEVICE(s), "packet without its header");
            virtio_queue_drop(vq, elem);
            break;
        }
        if (elem->out_size > header && elem->out_size <= NET_MAX_PACKET) {
            unsigned n = iov_slice(iov, elem->out, elem->n_out, skip, elem->out_size - skip);

            verdict = net_send_more(s->nic, pair, iov, n);
        }
        if (verdict == NET_BUSY) {
            virtio_queue_unpop(vq, elem);
            break;
        }
        virtio_queue_push(vq, elem, 0);
        if (++returned % NOTIFY_EVERY == 0) {
            net_flush(s->nic);
            virtio_queue_notify(vq);
        }
    }
    net_flush(s->nic);
    if (returned % NOTIFY_EVERY != 0) {
        virtio_queue_notify(vq);
    }
}
