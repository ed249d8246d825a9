/* SPDX-License-Identifier: GPL-2.0-or-later
 * The device side of a virtqueue (virtio 1.2, section 2.6), whatever the format of its ring: taking
 * and returning requests, and the run of a queue's handler in the I/O thread. The formats are in
 * queue-split.c and queue-packed.c, how guest addresses become host memory is in queue-map.c.
 */
#include <errno.h>
#include <sys/eventfd.h>

#include "queue-priv.h"
#include "util/error.h"
#include "util/fd.h"

static bool may_pop(const VirtQueue *vq)
{
    return g_atomic_int_get(&vq->core->running) && !g_atomic_int_get(&vq->stopping);
}

VirtQueueElement *virtio_queue_pop(VirtQueue *vq)
{
    VirtQueueElement *elem;

    if (!may_pop(vq) || !vq->mapped) {
        return NULL;
    }
    if (!vq->ring->has_next(vq)) {
        vq->ran_dry = true;
        return NULL;
    }
    if (vq->budget == 0) {
        vq->restart = true;
        return NULL;
    }
    if (vq->taken >= vq->size) {
        virtio_error(vq->vdev, "queue %u: a request while all %u entries are in use", vq->index,
                     vq->size);
        return NULL;
    }
    elem = vq->ring->take(vq);
    if (elem != NULL) {
        vq->budget--;
        vq->in_flight++;
        vq->taken += elem->n_desc;
    }
    return elem;
}

static bool is_outdated(const VirtQueue *vq, const VirtQueueElement *elem)
{
    return elem->epoch != vq->epoch;
}

static void finish(VirtQueue *vq, VirtQueueElement *elem)
{
    queue_unmap_element(vq, elem);
    g_assert(vq->in_flight > 0);
    vq->in_flight--;
    if (!is_outdated(vq, elem)) {
        vq->taken -= elem->n_desc;
    }
    g_free(elem);
}

void virtio_queue_fill(VirtQueue *vq, VirtQueueElement *elem, uint32_t written)
{
    if (vq->mapped && !is_outdated(vq, elem)) {
        vq->ring->fill(vq, elem, written);
    }
    finish(vq, elem);
}

void virtio_queue_flush(VirtQueue *vq)
{
    if (vq->mapped) {
        vq->ring->flush(vq);
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
    if (!is_outdated(vq, elem)) {
        vq->ring->untake(vq, elem);
        vq->budget++;
    }
    finish(vq, elem);
}

void virtio_queue_notify(VirtQueue *vq)
{
    VirtIOCore *core = vq->core;

    if (vq->mapped && vq->ring->wants_interrupt(vq)) {
        core->ops->notify_queue(core->ops_opaque, vq->index);
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
        vq->ring->set_notification(vq, false);
        vq->handler(vq->vdev, vq);
        if (!vq->mapped) {
            return;
        }
        vq->ring->set_notification(vq, true);
        /* A handler that found nothing looks again: the driver may have added something before it
         * could see that it should notify. */
    } while ((vq->budget != before || vq->ran_dry) && !vq->restart && may_pop(vq) &&
             vq->ring->has_next(vq));
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

void virtio_queue_leave(VirtQueue *vq)
{
    if (vq->mapped && (vq->restart || (vq->ran_dry && vq->ring->ask_for_more(vq)))) {
        virtio_queue_kick(vq);
    } else if (vq->mapped && !vq->ran_dry) {
        vq->ring->set_notification(vq, false); /* there is something left for the next time */
    }
    pthread_mutex_unlock(&vq->lock);
}

void virtio_queue_tell(VirtQueue *vq)
{
    pthread_mutex_lock(&vq->lock);
    if (vq->ready && may_pop(vq) && queue_map(vq)) {
        virtio_queue_notify(vq);
    }
    pthread_mutex_unlock(&vq->lock);
}

static void run(VirtQueue *vq)
{
    pthread_mutex_lock(&vq->lock);
    if (vq->ready && may_pop(vq) && queue_map(vq)) {
        serve(vq);
    }
    pthread_mutex_unlock(&vq->lock);
}

void virtio_queue_run(VirtQueue *vq)
{
    if (vq->iothread != vq->core->iothread) {
        virtio_queue_kick(vq);
    } else {
        run(vq);
    }
}

static void queue_kicked(void *opaque)
{
    VirtQueue *vq = opaque;
    eventfd_t count;

    if (eventfd_read(vq->kick_fd, &count) == 0) { /* EAGAIN: somebody read it before */
        run(vq);
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
    g_free(vq->again);
    pthread_mutex_destroy(&vq->lock);
    g_free(vq);
}

static bool take_thread(VirtQueue *vq, GError **error)
{
    VirtIOCore *core = vq->core;
    g_autofree char *name = NULL;

    if (!core->thread_per_queue || core->iothread_owner != NULL || vq->index == 0) {
        vq->iothread = core->iothread;
        return true;
    }
    name = g_strdup_printf("%s.%u", device_type(HUMPY_DEVICE(vq->vdev)), vq->index);
    vq->iothread = iothread_new(name, NULL, error);
    return vq->iothread != NULL;
}

bool queue_start_watch(VirtQueue *vq, GError **error)
{
    vq->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (vq->kick_fd < 0) {
        error_set_errno(error, errno, "cannot make the eventfd of queue %u", vq->index);
        return false;
    }
    if (!take_thread(vq, error)) {
        return false;
    }
    vq->watch = iothread_watch(vq->iothread, vq->kick_fd, queue_kicked, vq, error);
    return vq->watch != 0;
}

void queue_stop_watch(VirtQueue *vq)
{
    if (vq->watch != 0) {
        iothread_unwatch(vq->iothread, vq->watch);
        vq->watch = 0;
    }
    if (vq->iothread != vq->core->iothread) {
        iothread_free(vq->iothread);
    }
    vq->iothread = NULL;
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
    vq->taken = 0;
    vq->packed = (PackedRing){ 0 };
    queue_log_reset(vq);
}
