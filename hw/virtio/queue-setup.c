/* SPDX-License-Identifier: GPL-2.0-or-later
 * What a transport asks for and sets in a device's queues: size, addresses, ready, the place in the
 * ring, doorbells (virtio 1.2, sections 2.6 and 4.2.2). Each call waits until no
 * request is served.
 */
#include <linux/virtio_config.h>

#include "queue-priv.h"

static bool is_packed(const VirtQueue *vq)
{
    return virtio_has_feature(vq->vdev, VIRTIO_F_RING_PACKED);
}

unsigned virtio_n_queues(VirtIODevice *vdev)
{
    return virtio_core(vdev)->queues->len;
}

unsigned virtio_queue_max_size(VirtIODevice *vdev, unsigned n)
{
    VirtQueue *vq = virtio_queue(vdev, n);

    return vq != NULL ? vq->max_size : 0;
}

unsigned virtio_queue_size(VirtIODevice *vdev, unsigned n)
{
    VirtQueue *vq = virtio_queue(vdev, n);

    return vq != NULL ? vq->size : 0;
}

void virtio_queue_set_size(VirtIODevice *vdev, unsigned n, uint32_t size)
{
    VirtQueue *vq = virtio_queue(vdev, n);

    if (vq == NULL) {
        return;
    }
    queue_lock_idle(vq);
    if (!vq->ready) {
        /* Only a split ring needs a power of two (section 2.7, 2.8.10.1). */
        vq->size = size <= vq->max_size && (is_packed(vq) || (size & (size - 1)) == 0) ? size : 0;
    }
    queue_unlock(vq);
}

void virtio_queue_addresses(VirtIODevice *vdev, unsigned n, VirtQueueAddresses *addr)
{
    VirtQueue *vq = virtio_queue(vdev, n);

    *addr = vq != NULL ? vq->addr : (VirtQueueAddresses){ 0 };
}

void virtio_queue_set_addresses(VirtIODevice *vdev, unsigned n, const VirtQueueAddresses *addr)
{
    VirtQueue *vq = virtio_queue(vdev, n);

    if (vq == NULL) {
        return;
    }
    queue_lock_idle(vq);
    if (!vq->ready) {
        vq->addr = *addr;
    }
    queue_unlock(vq);
}

bool virtio_queue_is_ready(VirtIODevice *vdev, unsigned n)
{
    VirtQueue *vq = virtio_queue(vdev, n);

    return vq != NULL && vq->ready;
}

void virtio_queue_set_ready(VirtIODevice *vdev, unsigned n, bool ready)
{
    VirtQueue *vq = virtio_queue(vdev, n);

    if (vq == NULL || vq->ready == ready) {
        return;
    }
    queue_lock_idle(vq);
    vq->ready = ready;
    if (!ready) {
        VirtIODeviceClass *klass = HUMPY_VIRTIO_DEVICE_GET_CLASS(vdev);
        VirtQueueAddresses addr = vq->addr;
        unsigned size = vq->size;

        if (klass->drain != NULL) {
            klass->drain(vdev, vq);
        }
        queue_reset(vq);
        vq->addr = addr;
        vq->size = size;
    }
    queue_unlock(vq);
    virtio_queue_kick(vq);
}

uint16_t virtio_queue_avail_index(VirtIODevice *vdev, unsigned n)
{
    VirtQueue *vq = virtio_queue(vdev, n);
    uint16_t index;

    if (vq == NULL) {
        return 0;
    }
    queue_lock_idle(vq);
    index = is_packed(vq) ? queue_packed_off_wrap(vq->size, vq->last_avail) : vq->last_avail;
    queue_unlock(vq);
    virtio_queue_kick(vq);
    return index;
}

void virtio_queue_set_avail_index(VirtIODevice *vdev, unsigned n, uint16_t index)
{
    VirtQueue *vq = virtio_queue(vdev, n);
    uint32_t next = index;

    if (vq == NULL) {
        return;
    }
    queue_lock_idle(vq);
    if (is_packed(vq) && !queue_packed_place(vq->size, index, &next)) {
        next = UINT16_MAX; /* no place in any ring: an error when the queue is mapped */
    }
    queue_unmap(vq);
    vq->last_avail = next;
    vq->seen_avail = next;
    vq->used_idx = next; /* requests complete in order: all before it were returned */
    vq->signalled_valid = false;
    queue_log_reset(vq);
    queue_unlock(vq);
}

void virtio_queue_unmap(VirtIODevice *vdev, unsigned n)
{
    VirtQueue *vq = virtio_queue(vdev, n);

    if (vq == NULL) {
        return;
    }
    queue_lock_idle(vq);
    queue_unmap(vq);
    queue_unlock(vq);
    virtio_queue_kick(vq); /* what was available meanwhile */
}

int virtio_queue_kick_fd(VirtIODevice *vdev, unsigned n)
{
    VirtQueue *vq = virtio_queue(vdev, n);

    return vq != NULL ? vq->kick_fd : -1;
}

void virtio_queue_notify_device(VirtIODevice *vdev, unsigned n)
{
    VirtQueue *vq = virtio_queue(vdev, n);

    if (vq != NULL) {
        virtio_queue_kick(vq);
    }
}
