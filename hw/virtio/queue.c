/* SPDX-License-Identifier: GPL-2.0-or-later
 * The device side of a split virtqueue (virtio 1.2, section 2.7): taking and returning requests,
 * suppression of notifications in both directions, and the run of a queue's handler in the I/O
 * thread. How guest addresses become host memory is in queue-map.c.
 */
#include <endian.h>
#include <errno.h>
#include <linux/virtio_config.h>
#include <sys/eventfd.h>

#include "util/error.h"
#include "util/fd.h"
#include "virtio-priv.h"

/* Both sides publish an index and then read the other's wish about notifications (section 2.7.7.2,
 * 2.7.10); sequential consistency of these four keeps them from missing each other. */
static uint16_t load16(const __virtio16 *p)
{
    return le16toh(__atomic_load_n(p, __ATOMIC_SEQ_CST));
}

static void store16(__virtio16 *p, uint16_t value)
{
    __atomic_store_n(p, htole16(value), __ATOMIC_SEQ_CST);
}

/* Behind the rings, when event indices were negotiated. */
static const __virtio16 *used_event(const VirtQueue *vq)
{
    return &vq->avail->ring[vq->size];
}

static __virtio16 *avail_event(const VirtQueue *vq)
{
    return (__virtio16 *)&vq->used->ring[vq->size];
}

static bool may_pop(const VirtQueue *vq)
{
    return g_atomic_int_get(&vq->core->running) && !g_atomic_int_get(&vq->stopping);
}

/* TRUE if the driver made entries available that were not taken yet. */
static bool has_next(VirtQueue *vq)
{
    uint16_t idx;

    if (vq->seen_avail != vq->last_avail) {
        return true;
    }
    idx = load16(&vq->avail->idx);
    if ((uint16_t)(idx - vq->last_avail) > vq->size) {
        virtio_error(vq->vdev, "queue %u: available index moved from %u to %u with %u entries",
                     vq->index, vq->last_avail, idx, vq->size);
        return false;
    }
    vq->seen_avail = idx;
    return idx != vq->last_avail;
}

VirtQueueElement *virtio_queue_pop(VirtQueue *vq)
{
    VirtQueueElement *elem;

    if (!may_pop(vq) || !vq->mapped) {
        return NULL;
    }
    if (!has_next(vq)) {
        vq->ran_dry = true;
        return NULL;
    }
    if (vq->budget == 0) {
        vq->restart = true;
        return NULL;
    }
    elem = queue_map_chain(vq, load16(&vq->avail->ring[vq->last_avail & (vq->size - 1)]));
    if (elem != NULL) {
        vq->last_avail++;
        vq->budget--;
        vq->in_flight++;
    }
    return elem;
}

static void finish(VirtQueue *vq, VirtQueueElement *elem)
{
    queue_unmap_chain(vq, elem);
    g_assert(vq->in_flight > 0);
    vq->in_flight--;
    g_free(elem);
}

void virtio_queue_fill(VirtQueue *vq, VirtQueueElement *elem, uint32_t written)
{
    bool outdated = elem->epoch != vq->epoch;
    uint16_t head = elem->head;
    struct vring_used_elem *slot;

    finish(vq, elem);
    if (!vq->mapped || outdated) {
        return;
    }
    slot = &vq->used->ring[vq->used_idx & (vq->size - 1)];
    __atomic_store_n(&slot->id, htole32(head), __ATOMIC_RELAXED);
    __atomic_store_n(&slot->len, htole32(written), __ATOMIC_RELAXED);
    vq->used_idx++;
}

void virtio_queue_flush(VirtQueue *vq)
{
    if (!vq->mapped) {
        return;
    }
    store16(&vq->used->idx, vq->used_idx);
    if ((uint16_t)(vq->used_idx - vq->signalled) > vq->size) {
        vq->signalled_valid = false; /* the distance no longer fits: do not reason with it */
    }
}

void virtio_queue_push(VirtQueue *vq, VirtQueueElement *elem, uint32_t written)
{
    virtio_queue_fill(vq, elem, written);
    virtio_queue_flush(vq);
}

void virtio_queue_drop(VirtQueue *vq, VirtQueueElement *elem)
{
    finish(vq, elem);
}

void virtio_queue_unpop(VirtQueue *vq, VirtQueueElement *elem)
{
    finish(vq, elem);
    vq->last_avail--;
    vq->budget++;
}

static bool wants_interrupt(VirtQueue *vq)
{
    uint16_t event, old = vq->signalled;
    bool old_valid = vq->signalled_valid;

    if (virtio_has_feature(vq->vdev, VIRTIO_F_NOTIFY_ON_EMPTY) && vq->in_flight == 0 &&
        load16(&vq->avail->idx) == vq->last_avail) {
        return true;
    }
    if (!vq->use_event_idx) {
        return (load16(&vq->avail->flags) & VRING_AVAIL_F_NO_INTERRUPT) == 0;
    }
    event = load16(used_event(vq));
    vq->signalled = vq->used_idx;
    vq->signalled_valid = true;
    return !old_valid || (uint16_t)(vq->used_idx - event - 1) < (uint16_t)(vq->used_idx - old);
}

void virtio_queue_notify(VirtQueue *vq)
{
    VirtIOCore *core = vq->core;

    if (!vq->mapped) {
        return;
    }
    if (wants_interrupt(vq)) {
        core->ops->notify_queue(core->ops_opaque, vq->index);
    }
}

static void set_notification(VirtQueue *vq, bool enable)
{
    if (vq->use_event_idx) {
        if (enable) {
            store16(avail_event(vq), vq->last_avail);
        }
    } else {
        store16(&vq->used->flags, enable ? 0 : VRING_USED_F_NO_NOTIFY);
    }
}

/* Serves the queue until it is empty, the handler takes nothing, or the budget is used up: other
 * queues of the thread have their turn then. */
static void serve(VirtQueue *vq)
{
    unsigned before;

    vq->budget = vq->size;
    vq->restart = false;
    do {
        before = vq->budget;
        vq->ran_dry = false;
        set_notification(vq, false);
        vq->handler(vq->vdev, vq);
        if (!vq->mapped) {
            return;
        }
        set_notification(vq, true);
        /* A handler that found nothing looks again: the driver may have added something before it
         * could see that it should notify. */
    } while ((vq->budget != before || vq->ran_dry) && !vq->restart && may_pop(vq) && has_next(vq));
    if (vq->restart) {
        virtio_queue_kick(vq);
    }
}

bool virtio_queue_enter(VirtQueue *vq)
{
    pthread_mutex_lock(&vq->lock);
    if (!vq->ready || !may_pop(vq) || !queue_map(vq)) {
        pthread_mutex_unlock(&vq->lock);
        return false;
    }
    vq->budget = vq->size;
    vq->restart = false;
    vq->ran_dry = false;
    return true;
}

/* Asks to be told of what follows the newest entry seen (older ones may have been put back). TRUE:
 * something does already. */
static bool ask_for_more(VirtQueue *vq)
{
    if (vq->use_event_idx) {
        store16(avail_event(vq), vq->seen_avail);
    } else {
        store16(&vq->used->flags, 0);
    }
    return load16(&vq->avail->idx) != vq->seen_avail;
}

void virtio_queue_leave(VirtQueue *vq)
{
    if (vq->mapped && (vq->restart || (vq->ran_dry && ask_for_more(vq)))) {
        virtio_queue_kick(vq);
    } else if (vq->mapped && !vq->ran_dry) {
        set_notification(vq, false); /* there is something left for the next time */
    }
    pthread_mutex_unlock(&vq->lock);
}

void virtio_queue_run(VirtQueue *vq)
{
    pthread_mutex_lock(&vq->lock);
    if (vq->ready && may_pop(vq) && queue_map(vq)) {
        serve(vq);
    }
    pthread_mutex_unlock(&vq->lock);
}

static void queue_kicked(void *opaque)
{
    VirtQueue *vq = opaque;
    eventfd_t count;

    if (eventfd_read(vq->kick_fd, &count) == 0) { /* EAGAIN: somebody read it before */
        virtio_queue_run(vq);
    }
}

void virtio_queue_kick(VirtQueue *vq)
{
    /* EAGAIN: the counter is full, so it is readable already. */
    if (eventfd_write(vq->kick_fd, 1) != 0) {
        g_assert(errno == EAGAIN);
    }
}

VirtQueue *queue_new(VirtIODevice *vdev, unsigned index, unsigned size, VirtQueueHandler handler)
{
    VirtQueue *vq = g_new0(VirtQueue, 1);

    vq->vdev = vdev;
    vq->core = virtio_core(vdev);
    vq->index = index;
    vq->max_size = size;
    vq->handler = handler;
    vq->kick_fd = -1;
    pthread_mutex_init(&vq->lock, NULL);
    queue_reset(vq);
    return vq;
}

void queue_free(VirtQueue *vq)
{
    fd_clear(&vq->kick_fd);
    pthread_mutex_destroy(&vq->lock);
    g_free(vq);
}

bool queue_start_watch(VirtQueue *vq, GError **error)
{
    vq->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (vq->kick_fd < 0) {
        error_set_errno(error, errno, "cannot make the eventfd of queue %u", vq->index);
        return false;
    }
    vq->watch = iothread_watch(vq->core->iothread, vq->kick_fd, queue_kicked, vq, error);
    return vq->watch != 0;
}

void queue_stop_watch(VirtQueue *vq)
{
    iothread_unwatch(vq->core->iothread, vq->watch);
    vq->watch = 0;
}

void queue_lock_idle(VirtQueue *vq)
{
    g_atomic_int_inc(&vq->stopping);
    pthread_mutex_lock(&vq->lock);
    g_atomic_int_add(&vq->stopping, -1);
}

void queue_unlock(VirtQueue *vq)
{
    pthread_mutex_unlock(&vq->lock);
}

bool queue_is_wanted(VirtQueue *vq)
{
    return !may_pop(vq);
}

void queue_reset(VirtQueue *vq)
{
    queue_unmap(vq);
    vq->epoch++;
    vq->ready = false;
    vq->size = vq->max_size;
    vq->addr = (VirtQueueAddresses){ 0 };
    vq->last_avail = 0;
    vq->seen_avail = 0;
    vq->used_idx = 0;
    vq->signalled = 0;
    vq->signalled_valid = true;
}
