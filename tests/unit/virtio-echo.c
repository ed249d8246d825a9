/* SPDX-License-Identifier: GPL-2.0-or-later
 * See virtio-echo.h.
 */
#include "virtio-echo.h"

#include "util/error.h"
#include "util/iov.h"

DEVICE_DEFINE_TYPE(VirtIOEcho, virtio_echo, "virtio-echo-device", TYPE_VIRTIO_DEVICE)

static void maybe_hold(VirtIOEcho *s, bool *hold)
{
    pthread_mutex_lock(&s->lock);
    if (*hold) {
        s->inside = true;
        pthread_cond_broadcast(&s->changed);
        while (*hold) {
            pthread_cond_wait(&s->changed, &s->lock);
        }
        s->inside = false;
    }
    pthread_mutex_unlock(&s->lock);
}

static void echo_serve(VirtIODevice *vdev, VirtQueue *vq)
{
    VirtIOEcho *s = HUMPY_VIRTIO_ECHO(vdev);
    VirtQueueElement *elem;

    while ((elem = virtio_queue_pop(vq)) != NULL) {
        uint64_t done = 0;

        maybe_hold(s, &s->hold);
        for (unsigned i = 0; i < elem->n_out && done < elem->in_size; i++) {
            done += iov_from_buf(elem->in, elem->n_in, done, elem->out[i].iov_base,
                                 elem->out[i].iov_len);
        }
        g_atomic_int_inc(&s->handled);
        virtio_queue_push(vq, elem, done);
        if (!s->silent) {
            virtio_queue_notify(vq);
        }
    }
    maybe_hold(s, &s->hold_end);
}

static bool echo_realize(VirtIODevice *vdev, GError **error)
{
    VirtIOEcho *s = HUMPY_VIRTIO_ECHO(vdev);

    if (s->fail) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "echo fails");
        return false;
    }
    virtio_init(vdev, &s->props, 1ull << ECHO_F_ONE, "config!", ECHO_CONFIG_SIZE);
    for (unsigned i = 0; i < ECHO_QUEUES; i++) {
        virtio_add_queue(vdev, ECHO_QUEUE_SIZE, echo_serve);
    }
    return true;
}

static void echo_reset(VirtIODevice *vdev)
{
    g_atomic_int_inc(&HUMPY_VIRTIO_ECHO(vdev)->resets);
}

static void echo_started(VirtIODevice *vdev)
{
    g_atomic_int_inc(&HUMPY_VIRTIO_ECHO(vdev)->starts);
}

void echo_hold(VirtIOEcho *s)
{
    pthread_mutex_lock(&s->lock);
    s->hold = true;
    pthread_mutex_unlock(&s->lock);
}

void echo_hold_end(VirtIOEcho *s)
{
    pthread_mutex_lock(&s->lock);
    s->hold_end = true;
    pthread_mutex_unlock(&s->lock);
}

void echo_wait_inside(VirtIOEcho *s)
{
    pthread_mutex_lock(&s->lock);
    while (!s->inside) {
        pthread_cond_wait(&s->changed, &s->lock);
    }
    pthread_mutex_unlock(&s->lock);
}

void echo_release(VirtIOEcho *s)
{
    pthread_mutex_lock(&s->lock);
    s->hold = false;
    s->hold_end = false;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

bool echo_is_inside(VirtIOEcho *s)
{
    bool inside;

    pthread_mutex_lock(&s->lock);
    inside = s->inside;
    pthread_mutex_unlock(&s->lock);
    return inside;
}

static void virtio_echo_finalize(GObject *obj)
{
    pthread_mutex_destroy(&HUMPY_VIRTIO_ECHO(obj)->lock);
    pthread_cond_destroy(&HUMPY_VIRTIO_ECHO(obj)->changed);
    G_OBJECT_CLASS(virtio_echo_parent_class)->finalize(obj);
}

static void virtio_echo_init(VirtIOEcho *s)
{
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
}

static const Prop virtio_echo_props[] = {
    VIRTIO_PROPS(VirtIOEcho, props),
    PROP_BOOL("fail", VirtIOEcho, fail, false, "Realize fails"),
};

static void virtio_echo_class_init(VirtIOEchoClass *klass)
{
    VirtIODeviceClass *vc = HUMPY_VIRTIO_DEVICE_CLASS(klass);

    G_OBJECT_CLASS(klass)->finalize = virtio_echo_finalize;
    props_install(G_OBJECT_CLASS(klass), virtio_echo_props, G_N_ELEMENTS(virtio_echo_props));
    vc->device_id = ECHO_DEVICE_ID;
    vc->realize = echo_realize;
    vc->reset = echo_reset;
    vc->started = echo_started;
}
