/* SPDX-License-Identifier: GPL-2.0-or-later
 * The 9P device: one queue whose requests hold a message and room for its reply, and the mount tag
 * as configuration bytes (linux/virtio_9p.h; virtio 1.2 only reserves its number). What messages
 * mean is p9-session.c's business.
 *
 * Messages are served in worker threads, because host files block. The I/O thread hands them over
 * and returns what is done; Tflush it serves itself, so that it overtakes what it is about.
 */
#include <endian.h>
#include <linux/virtio_9p.h>
#include <linux/virtio_ids.h>
#include <string.h>

#include "hw/virtio/virtio.h"
#include "p9-proto.h"
#include "p9.h"
#include "util/error.h"
#include "util/worker-pool.h"

enum {
    P9_QUEUE_SIZE = 128,
    P9_WORKERS = 8,
    P9_TAG_MAX = 255, /* bytes; Linux matches the name given to mount against it */
};

#define TYPE_VIRTIO_9P virtio_9p_get_type()
G_DECLARE_FINAL_TYPE(VirtIO9p, virtio_9p, HUMPY, VIRTIO_9P, VirtIODevice)

/* One message in the device's hands. */
typedef struct Request Request;
struct Request {
    WorkItem item;
    VirtIO9p *s;
    VirtQueueElement *elem;
    P9Message message;
    Request *flushed; /* Tflush: answered right after this one; NULL: answered already */
    bool ok, done;
};

struct _VirtIO9p {
    VirtIODevice parent;
    VirtIOProps props;
    char *tag, *fsdev;

    P9Session *session;
    WorkerPool *pool;
    VirtQueue *vq;
    GPtrArray *in_flight; /* [queue, reset] of Request, in the order in which they came */
    Request *version;     /* [queue, reset] a Tversion that waits until all others are done */

    pthread_mutex_t lock; /* Request.done of all */
};

DEVICE_DEFINE_TYPE(VirtIO9p, virtio_9p, "virtio-9p-device", TYPE_VIRTIO_DEVICE)

/* ---- requests ---- */

static bool is_done(Request *r)
{
    bool done;

    pthread_mutex_lock(&r->s->lock);
    done = r->done;
    pthread_mutex_unlock(&r->s->lock);
    return done;
}

/* [worker] */
static void serve_request(WorkItem *item)
{
    Request *r = (Request *)item;
    VirtIO9p *s = r->s;
    VirtQueue *vq = s->vq;

    r->ok = p9_serve(s->session, &r->message);
    pthread_mutex_lock(&s->lock);
    r->done = true; /* from now on r is the I/O thread's */
    pthread_mutex_unlock(&s->lock);
    virtio_queue_kick(vq);
}

static void request_free(Request *r)
{
    fs_call_free(r->message.call);
    g_free(r);
}

/* NULL: the driver broke a rule, the element is gone. */
static Request *request_new(VirtIO9p *s, VirtQueueElement *elem)
{
    Request *r = g_new0(Request, 1);

    r->item.run = serve_request;
    r->s = s;
    r->elem = elem;
    r->message = (P9Message){
        .out = elem->out,
        .n_out = elem->n_out,
        .out_size = elem->out_size,
        .in = elem->in,
        .n_in = elem->n_in,
        .in_size = elem->in_size,
        .call = fs_call_new(),
    };
    if (!p9_read_header(&r->message)) {
        virtio_error(HUMPY_VIRTIO_DEVICE(s), "9P message without a header or room for one");
        virtio_queue_drop(s->vq, elem);
        request_free(r);
        return NULL;
    }
    return r;
}

/* Returns r, which is served, to the driver. A request that was given up has no reply. */
static void complete(VirtIO9p *s, Request *r)
{
    if (r->ok) {
        virtio_queue_push(s->vq, r->elem, r->message.reply_size);
        virtio_queue_notify(s->vq);
    } else {
        virtio_error(HUMPY_VIRTIO_DEVICE(s), "9P message without room for a reply");
        virtio_queue_drop(s->vq, r->elem);
    }
    request_free(r);
}

static void cancel_all(VirtIO9p *s)
{
    for (unsigned i = 0; i < s->in_flight->len; i++) {
        Request *r = g_ptr_array_index(s->in_flight, i);

        fs_call_cancel(r->message.call);
    }
}

/* Serves a Tflush whose time has come. */
static void answer_flush(VirtIO9p *s, Request *r)
{
    r->ok = p9_serve(s->session, &r->message);
    r->done = true;
}

static Request *find_tag(VirtIO9p *s, uint16_t tag)
{
    for (unsigned i = 0; i < s->in_flight->len; i++) {
        Request *r = g_ptr_array_index(s->in_flight, i);

        if (r->message.tag == tag) {
            return r;
        }
    }
    return NULL;
}

/* The protocol (flush(5)) wants the reply behind that of the message which is given up. */
static void begin_flush(VirtIO9p *s, Request *r)
{
    uint16_t tag;

    if (p9_flushed_tag(&r->message, &tag)) {
        r->flushed = find_tag(s, tag);
    }
    if (r->flushed == NULL) {
        answer_flush(s, r);
        complete(s, r);
        return;
    }
    fs_call_cancel(r->flushed->message.call);
    g_ptr_array_add(s->in_flight, r);
}

static void begin(VirtIO9p *s, Request *r)
{
    switch (r->message.type) {
    case P9_TFLUSH:
        begin_flush(s, r);
        break;
    case P9_TVERSION:
        cancel_all(s);
        s->version = r;
        break;
    default:
        g_ptr_array_add(s->in_flight, r);
        worker_pool_push(s->pool, &r->item);
        break;
    }
}

/* A Tflush waits for what it is about, which stands before it in the array. */
static void finish(VirtIO9p *s, unsigned index)
{
    Request *r = g_ptr_array_index(s->in_flight, index);

    g_ptr_array_remove_index(s->in_flight, index);
    for (unsigned i = 0; i < s->in_flight->len; i++) {
        Request *flush = g_ptr_array_index(s->in_flight, i);

        if (flush->flushed == r) {
            flush->flushed = NULL;
            answer_flush(s, flush);
        }
    }
    complete(s, r);
}

static void finish_done(VirtIO9p *s)
{
    for (unsigned i = 0; i < s->in_flight->len;) {
        if (is_done(g_ptr_array_index(s->in_flight, i))) {
            finish(s, i);
        } else {
            i++;
        }
    }
    if (s->version != NULL && s->in_flight->len == 0) {
        Request *r = g_steal_pointer(&s->version);

        r->ok = p9_serve(s->session, &r->message);
        complete(s, r);
    }
}

static void serve_queue(VirtIODevice *vdev, VirtQueue *vq)
{
    VirtIO9p *s = HUMPY_VIRTIO_9P(vdev);
    VirtQueueElement *elem;

    finish_done(s);
    while (s->version == NULL && (elem = virtio_queue_pop(vq)) != NULL) {
        Request *r = request_new(s, elem);

        if (r == NULL) {
            return;
        }
        begin(s, r);
        finish_done(s);
    }
}

/* ---- life cycle ---- */

/* The queue is stopped; what is on its way ends before the guest's memory is let go. */
static void virtio_9p_reset(VirtIODevice *vdev)
{
    VirtIO9p *s = HUMPY_VIRTIO_9P(vdev);

    cancel_all(s);
    worker_pool_drain(s->pool);
    if (s->version != NULL) {
        g_ptr_array_add(s->in_flight, g_steal_pointer(&s->version));
    }
    for (unsigned i = 0; i < s->in_flight->len; i++) {
        Request *r = g_ptr_array_index(s->in_flight, i);

        virtio_queue_drop(s->vq, r->elem);
        request_free(r);
    }
    g_ptr_array_set_size(s->in_flight, 0);
    p9_session_reset(s->session);
}

static bool check_tag(const VirtIO9p *s, GError **error)
{
    if (s->tag == NULL || *s->tag == '\0') {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "mount_tag property not set");
        return false;
    }
    if (strlen(s->tag) > P9_TAG_MAX) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "mount_tag is %zu bytes long but must not be longer than %d", strlen(s->tag),
                    P9_TAG_MAX);
        return false;
    }
    return true;
}

static FsDev *find_fsdev(const VirtIO9p *s, GError **error)
{
    FsDev *fs;

    if (s->fsdev == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "fsdev property not set");
        return NULL;
    }
    fs = fsdev_find(s->fsdev);
    if (fs == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN, "there is no -fsdev with the id '%s'",
                    s->fsdev);
    }
    return fs;
}

static bool virtio_9p_realize(VirtIODevice *vdev, GError **error)
{
    VirtIO9p *s = HUMPY_VIRTIO_9P(vdev);
    uint8_t config[sizeof(struct virtio_9p_config) + P9_TAG_MAX];
    uint16_t len;
    FsDev *fs;

    if (!check_tag(s, error)) {
        return false;
    }
    fs = find_fsdev(s, error);
    if (fs == NULL) {
        return false;
    }
    s->pool = worker_pool_new("9p-worker", P9_WORKERS, error);
    if (s->pool == NULL) {
        return false;
    }
    s->session = p9_session_new(fs);
    len = htole16(strlen(s->tag));
    memcpy(config, &len, sizeof(len));
    memcpy(config + sizeof(len), s->tag, strlen(s->tag));
    virtio_init(vdev, &s->props, 1ull << VIRTIO_9P_MOUNT_TAG, config, sizeof(len) + strlen(s->tag));
    s->vq = virtio_add_queue(vdev, P9_QUEUE_SIZE, serve_queue);
    return true;
}

static void virtio_9p_unrealize(VirtIODevice *vdev)
{
    VirtIO9p *s = HUMPY_VIRTIO_9P(vdev);

    g_clear_pointer(&s->pool, worker_pool_free);
    g_clear_pointer(&s->session, p9_session_free);
}

static void virtio_9p_finalize(GObject *obj)
{
    VirtIO9p *s = HUMPY_VIRTIO_9P(obj);

    g_ptr_array_unref(s->in_flight);
    pthread_mutex_destroy(&s->lock);
    G_OBJECT_CLASS(virtio_9p_parent_class)->finalize(obj);
}

static void virtio_9p_init(VirtIO9p *s)
{
    s->in_flight = g_ptr_array_new();
    pthread_mutex_init(&s->lock, NULL);
}

static const Prop virtio_9p_props[] = {
    VIRTIO_PROPS(VirtIO9p, props),
    PROP_STRING("mount_tag", VirtIO9p, tag, NULL, "Name by which the guest mounts it"),
    PROP_STRING("fsdev", VirtIO9p, fsdev, NULL, "Id of the -fsdev"),
};

static void virtio_9p_class_init(VirtIO9pClass *klass)
{
    DeviceClass *dc = HUMPY_DEVICE_CLASS(klass);
    VirtIODeviceClass *vc = HUMPY_VIRTIO_DEVICE_CLASS(klass);

    G_OBJECT_CLASS(klass)->finalize = virtio_9p_finalize;
    props_install(G_OBJECT_CLASS(klass), virtio_9p_props, G_N_ELEMENTS(virtio_9p_props));
    dc->summary = "Shared directory (9P)";
    dc->user_creatable = true;
    vc->device_id = VIRTIO_ID_9P;
    vc->realize = virtio_9p_realize;
    vc->unrealize = virtio_9p_unrealize;
    vc->reset = virtio_9p_reset;
}
