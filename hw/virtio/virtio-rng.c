/* SPDX-License-Identifier: GPL-2.0-or-later
 * The entropy device (virtio 1.2, section 5.4): fills what the driver offers with the host's
 * getrandom(). max-bytes per period milliseconds bounds how much a guest may draw. The period is
 * host time.
 */
#include <errno.h>
#include <linux/virtio_ids.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "hw/virtio/virtio.h"
#include "util/error.h"
#include "util/fd.h"

enum {
    RNG_QUEUE_SIZE = 8,
    /* Section 5.4.6.1 lets the device fill less than was offered: no request takes long. */
    RNG_REQUEST_MAX = 64 * 1024,
};

#define TYPE_VIRTIO_RNG virtio_rng_get_type()
G_DECLARE_FINAL_TYPE(VirtIORng, virtio_rng, HUMPY, VIRTIO_RNG, VirtIODevice)

struct _VirtIORng {
    VirtIODevice parent;
    VirtIOProps props;
    uint64_t max_bytes; /* per period */
    uint32_t period_ms;

    int timer_fd;
    uint64_t timer_watch;
    VirtQueue *vq;
    uint64_t quota; /* [queue] left in this period */
    bool waiting;   /* [queue] the timer runs */
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
    struct itimerspec when = { .it_value = { .tv_sec = s->period_ms / 1000,
                                             .tv_nsec = s->period_ms % 1000 * 1000000l } };

    if (!s->waiting) {
        s->waiting = true;
        if (timerfd_settime(s->timer_fd, 0, &when, NULL) != 0) {
            g_error("cannot set a timer: %s", g_strerror(errno));
        }
    }
}

static void serve_queue(VirtIODevice *vdev, VirtQueue *vq)
{
    VirtIORng *s = HUMPY_VIRTIO_RNG(vdev);
    VirtQueueElement *elem;
    size_t len;

    while (s->quota > 0 && (elem = virtio_queue_pop(vq)) != NULL) {
        if (elem->in_size == 0) {
            virtio_error(vdev, "request without a writable buffer");
            virtio_queue_drop(vq, elem);
            return;
        }
        len = fill(elem->in, elem->n_in, MIN(MIN(s->quota, RNG_REQUEST_MAX), elem->in_size));
        if (s->max_bytes < INT64_MAX) {
            s->quota -= len;
            start_period(s);
        }
        virtio_queue_push(vq, elem, len);
        virtio_queue_notify(vq);
    }
}

/* The queue's next run, which has its lock, finds a full quota. */
static void period_ended(void *opaque)
{
    VirtIORng *s = opaque;
    uint64_t expirations;

    if (read(s->timer_fd, &expirations, sizeof(expirations)) == sizeof(expirations)) {
        s->quota = s->max_bytes;
        s->waiting = false;
        virtio_queue_kick(s->vq);
    }
}

static bool virtio_rng_realize(VirtIODevice *vdev, GError **error)
{
    VirtIORng *s = HUMPY_VIRTIO_RNG(vdev);

    s->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (s->timer_fd < 0) {
        error_set_errno(error, errno, "cannot create a timer");
        return false;
    }
    s->timer_watch = iothread_watch(virtio_iothread(vdev), s->timer_fd, period_ended, s, error);
    if (s->timer_watch == 0) {
        fd_clear(&s->timer_fd);
        return false;
    }
    s->quota = s->max_bytes;
    s->waiting = false;
    virtio_init(vdev, &s->props, 0, NULL, 0);
    s->vq = virtio_add_queue(vdev, RNG_QUEUE_SIZE, serve_queue);
    return true;
}

static void virtio_rng_unrealize(VirtIODevice *vdev)
{
    VirtIORng *s = HUMPY_VIRTIO_RNG(vdev);

    iothread_unwatch(virtio_iothread(vdev), s->timer_watch);
    fd_clear(&s->timer_fd);
}

static void virtio_rng_init(VirtIORng *s)
{
    s->timer_fd = -1;
}

static const Prop virtio_rng_props[] = {
    VIRTIO_PROPS(VirtIORng, props),
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
