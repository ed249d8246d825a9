/* SPDX-License-Identifier: GPL-2.0-or-later
 * The entropy device (virtio 1.2, section 5.4): fills what the driver offers from a back end
 * or the host's getrandom(). max-bytes per period milliseconds bounds how much a guest may draw.
 * Periods pass on the virtual clock.
 */
#include <errno.h>
#include <linux/virtio_ids.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#include "hw/core/clock.h"
#include "hw/virtio/rng-backend.h"
#include "hw/virtio/virtio.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/iov.h"

enum {
    RNG_QUEUE_SIZE = 8,
    /* Section 5.4.6.1 lets the device fill less than was offered: no request takes long. */
    RNG_REQUEST_MAX = 64 * 1024,
    RNG_STASH = 4096, /* what is drawn from a back end at a time */
};

#define TYPE_VIRTIO_RNG virtio_rng_get_type()
G_DECLARE_FINAL_TYPE(VirtIORng, virtio_rng, HUMPY, VIRTIO_RNG, VirtIODevice)

struct _VirtIORng {
    VirtIODevice parent;
    VirtIOProps props;
    uint64_t max_bytes; /* per period */
    uint32_t period_ms;
    char *rng; /* id of a back end, or NULL: getrandom() */

    ClockTimer *timer;
    gint period_over; /* atomic: the timer has fired */
    VirtQueue *vq;
    uint64_t quota; /* [queue] left in this period */
    bool waiting;   /* [queue] for the timer */

    RngBackend *backend; /* used, referenced; or NULL */
    int source_epoll;
    uint64_t source_watch;
    bool dry;         /* [queue] the back end is at its end */
    size_t stash_len; /* [queue] bytes drawn and not given out */
    uint8_t stash[RNG_STASH];
};

DEVICE_DEFINE_TYPE(VirtIORng, virtio_rng, "virtio-rng-device", TYPE_VIRTIO_DEVICE)

/* Fills up to len bytes; returns how many, 0 only if the host fails. */
static size_t fill(const struct iovec *iov, unsigned n, size_t len)
{
    size_t done = 0;

    for (unsigned i = 0; i < n && done < len; i++) {
        size_t want = MIN(iov[i].iov_len, len - done), part = 0;

        while (part < want) {
            ssize_t got = getrandom((char *)iov[i].iov_base + part, want - part, 0);

            if (got < 0 && errno != EINTR) {
                return done + part;
            }
            part += MAX(got, 0);
        }
        done += part;
    }
    return done;
}

/* The period begins with the first byte drawn from a full quota. */
static void start_period(VirtIORng *s)
{
    if (!s->waiting) {
        s->waiting = true;
        clock_timer_arm(s->timer, clock_now() + s->period_ms * INT64_C(1000000));
    }
}

/* [main] */
static void period_ended(void *opaque)
{
    VirtIORng *s = opaque;

    g_atomic_int_set(&s->period_over, 1);
    virtio_queue_kick(s->vq);
}

/* The back end's descriptor is in an epoll set of its own, armed for one shot at a time, so that
 * the watch of that set is the same from realize to unrealize. */
static void source_ready(void *opaque)
{
    VirtIORng *s = opaque;
    struct epoll_event event;

    if (epoll_wait(s->source_epoll, &event, 1, 0) > 0) {
        virtio_queue_kick(s->vq);
    }
}

static void wait_for_source(VirtIORng *s)
{
    struct epoll_event event = { .events = EPOLLIN | EPOLLONESHOT };

    if (epoll_ctl(s->source_epoll, EPOLL_CTL_MOD, rng_backend_fd(s->backend), &event) != 0) {
        g_error("cannot wait for rng '%s': %s", s->rng, g_strerror(errno));
    }
}

/* Bytes are drawn before a request is taken, so that no request is held while there are none. */
static bool has_entropy(VirtIORng *s)
{
    ssize_t got;

    if (s->backend == NULL || s->stash_len > 0) {
        return true;
    }
    got = s->dry ? -1 : rng_backend_read(s->backend, s->stash, MIN(s->quota, RNG_STASH));
    if (got > 0) {
        s->stash_len = got;
        return true;
    }
    if (got == 0) {
        wait_for_source(s);
    } else if (!s->dry) {
        g_message("rng '%s' has no more entropy, requests wait for ever", s->rng);
        s->dry = true;
    }
    return false;
}

static size_t give(VirtIORng *s, const VirtQueueElement *elem)
{
    size_t len = MIN(MIN(s->quota, RNG_REQUEST_MAX), elem->in_size);

    if (s->backend == NULL) {
        return fill(elem->in, elem->n_in, len);
    }
    len = MIN(len, s->stash_len);
    s->stash_len -= len; /* from its end: each byte is given once */
    return iov_from_buf(elem->in, elem->n_in, 0, s->stash + s->stash_len, len);
}

static void serve_queue(VirtIODevice *vdev, VirtQueue *vq)
{
    VirtIORng *s = HUMPY_VIRTIO_RNG(vdev);
    VirtQueueElement *elem;
    size_t len;

    if (g_atomic_int_compare_and_exchange(&s->period_over, 1, 0)) {
        s->quota = s->max_bytes;
        s->waiting = false;
    }
    while (s->quota > 0 && has_entropy(s) && (elem = virtio_queue_pop(vq)) != NULL) {
        if (elem->in_size == 0) {
            virtio_error(vdev, "request without a writable buffer");
            virtio_queue_drop(vq, elem);
            return;
        }
        len = give(s, elem);
        if (s->max_bytes < INT64_MAX) {
            s->quota -= len;
            start_period(s);
        }
        virtio_queue_push(vq, elem, len);
        virtio_queue_notify(vq);
    }
}

/* A regular file cannot be waited for, and need not be. */
static bool watch_source(VirtIORng *s, GError **error)
{
    int fd = rng_backend_fd(s->backend);
    struct epoll_event event = { .events = 0 };

    s->source_epoll = epoll_create1(EPOLL_CLOEXEC);
    if (s->source_epoll < 0 ||
        (fd >= 0 && epoll_ctl(s->source_epoll, EPOLL_CTL_ADD, fd, &event) != 0 && errno != EPERM)) {
        error_set_errno(error, errno, "rng: cannot watch '%s'", s->rng);
        return false;
    }
    s->source_watch = iothread_watch(virtio_iothread(HUMPY_VIRTIO_DEVICE(s)), s->source_epoll,
                                     source_ready, s, error);
    return s->source_watch != 0;
}

static void release_backend(VirtIORng *s)
{
    iothread_unwatch(virtio_iothread(HUMPY_VIRTIO_DEVICE(s)), s->source_watch);
    s->source_watch = 0;
    fd_clear(&s->source_epoll);
    if (s->backend != NULL) {
        user_object_unuse(HUMPY_USER_OBJECT(s->backend));
        g_clear_object(&s->backend);
    }
}

static bool take_backend(VirtIORng *s, GError **error)
{
    UserObject *obj;

    if (s->rng == NULL) {
        return true;
    }
    obj = user_object_find(s->rng, TYPE_RNG_BACKEND, error);
    if (obj == NULL) {
        g_prefix_error(error, "rng: ");
        return false;
    }
    user_object_use(obj);
    s->backend = HUMPY_RNG_BACKEND(g_object_ref(obj));
    s->stash_len = 0;
    s->dry = false;
    if (!watch_source(s, error)) {
        release_backend(s);
        return false;
    }
    return true;
}

static bool virtio_rng_realize(VirtIODevice *vdev, GError **error)
{
    VirtIORng *s = HUMPY_VIRTIO_RNG(vdev);

    if (!take_backend(s, error)) {
        return false;
    }
    s->timer = clock_timer_new(period_ended, s);
    s->period_over = 0;
    s->quota = s->max_bytes;
    s->waiting = false;
    virtio_init(vdev, &s->props, 0, NULL, 0);
    s->vq = virtio_add_queue(vdev, RNG_QUEUE_SIZE, serve_queue);
    return true;
}

static void virtio_rng_unrealize(VirtIODevice *vdev)
{
    VirtIORng *s = HUMPY_VIRTIO_RNG(vdev);

    g_clear_pointer(&s->timer, clock_timer_free);
    release_backend(s);
}

static void virtio_rng_init(VirtIORng *s)
{
    s->source_epoll = -1;
}

static const Prop virtio_rng_props[] = {
    VIRTIO_PROPS(VirtIORng, props),
    PROP_STRING("rng", VirtIORng, rng, NULL,
                "Id of an entropy source; else the host's getrandom()"),
    PROP_U64("max-bytes", VirtIORng, max_bytes, INT64_MAX, 1, INT64_MAX,
             "Bytes the guest may draw per period"),
    PROP_U32("period", VirtIORng, period_ms, 1 << 16, 1, INT32_MAX, "Milliseconds of a period"),
};

static void virtio_rng_class_init(VirtIORngClass *klass)
{
    DeviceClass *dc = HUMPY_DEVICE_CLASS(klass);
    VirtIODeviceClass *vc = HUMPY_VIRTIO_DEVICE_CLASS(klass);

    props_install(G_OBJECT_CLASS(klass), virtio_rng_props, G_N_ELEMENTS(virtio_rng_props));
    dc->summary = "Entropy device";
    dc->user_creatable = true;
    vc->device_id = VIRTIO_ID_RNG;
    vc->realize = virtio_rng_realize;
    vc->unrealize = virtio_rng_unrealize;
}
