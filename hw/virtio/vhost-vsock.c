/* SPDX-License-Identifier: GPL-2.0-or-later
 * vhost-vsock: sockets (virtio 1.2, section 5.10) to programs of the host that use AF_VSOCK, by the
 * kernel's vhost_vsock module. Packets are copied between the guest's queues and rings of our own
 * (vhost-ring.h), so that it serves protected guests as well. The kernel keeps connections and
 * credit; here packets are only carried, and cut where the guest's buffers are smaller. Stream
 * sockets only. virtio-vsock-device is without the kernel, to UNIX sockets.
 *
 * Threads: queue handlers and the rings' events run in the device's I/O thread; a reset comes when
 * the queues have stopped.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_vsock.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "hw/virtio/virtio.h"
#include "util/error.h"
#include "util/iov.h"
#include "util/props.h"
#include "vhost-ring.h"

#define VHOST_VSOCK_PATH "/dev/vhost-vsock"

enum {
    QUEUE_SIZE = 128,
    MIN_CID = 3,
    HDR = sizeof(struct virtio_vsock_hdr),
    MAX_PAYLOAD = 64 << 10, /* of one packet, for Linux on both sides */
    RX_BUFFER = 4096 + HDR,
    TX_BUFFER = MAX_PAYLOAD + HDR,
    KERNEL_RX = 0, /* the kernel's queues; events are nobody's */
    KERNEL_TX = 1,
};

#define TYPE_VHOST_VSOCK vhost_vsock_get_type()
G_DECLARE_FINAL_TYPE(VhostVsock, vhost_vsock, HUMPY, VHOST_VSOCK, VirtIODevice)

struct _VhostVsock {
    VirtIODevice parent;
    VirtIOProps props;
    uint64_t guest_cid;
    char *vhostfd;

    VirtQueue *rx, *tx;
    Fd fd;
    VhostRing from_kernel, to_kernel;
    uint64_t from_watch, to_watch;

    pthread_mutex_t lock; /* what follows, and the rings */
    bool running;
    int slot; /* of from_kernel, that the guest has got up to done; -1: none */
    uint32_t slot_len, done;
};

DEVICE_DEFINE_TYPE(VhostVsock, vhost_vsock, "vhost-vsock-device", TYPE_VIRTIO_DEVICE)

/* ---- to the guest ---- */

static void give_back(VhostVsock *s)
{
    vhost_ring_send(&s->from_kernel, s->slot, RX_BUFFER);
    vhost_ring_kick(&s->from_kernel);
    s->slot = -1;
}

/* TRUE: there is a packet, maybe the rest of one. */
static bool have_packet(VhostVsock *s)
{
    uint32_t len = 0;

    if (s->slot >= 0) {
        return true;
    }
    s->slot = vhost_ring_take(&s->from_kernel, &len);
    if (s->slot == -2 || (s->slot >= 0 && len < HDR)) {
        s->slot = -1;
        s->running = false;
        virtio_error(HUMPY_VIRTIO_DEVICE(s), "the host's kernel broke the ring of its packets");
        return false;
    }
    s->slot_len = len;
    s->done = HDR;
    return s->slot >= 0;
}

/* One buffer of the guest's; a packet of data that is larger than it goes in pieces. */
static bool fill(VhostVsock *s, VirtQueueElement *elem, uint32_t *written)
{
    uint8_t *packet = vhost_ring_buffer(&s->from_kernel, s->slot);
    struct virtio_vsock_hdr hdr;
    uint32_t rest = s->slot_len - s->done;
    uint32_t part = elem->in_size > HDR ? MIN(rest, elem->in_size - HDR) : 0;

    memcpy(&hdr, packet, HDR);
    if (elem->in_size < HDR || (rest > 0 && part == 0) ||
        (part < rest && le16toh(hdr.op) != VIRTIO_VSOCK_OP_RW)) {
        virtio_error(HUMPY_VIRTIO_DEVICE(s), "a buffer of %" G_GUINT64_FORMAT " bytes is too small",
                     (guint64)elem->in_size);
        return false;
    }
    hdr.len = htole32(part);
    iov_from_buf(elem->in, elem->n_in, 0, &hdr, HDR);
    iov_from_buf(elem->in, elem->n_in, HDR, packet + s->done, part);
    s->done += part;
    *written = HDR + part;
    return true;
}

static void serve_rx(VirtIODevice *vdev, VirtQueue *vq)
{
    VhostVsock *s = HUMPY_VHOST_VSOCK(vdev);
    VirtQueueElement *elem;

    pthread_mutex_lock(&s->lock);
    while (s->running && have_packet(s) && (elem = virtio_queue_pop(vq)) != NULL) {
        uint32_t written;

        if (!fill(s, elem, &written)) {
            virtio_queue_drop(vq, elem);
            s->running = false;
            break;
        }
        virtio_queue_push(vq, elem, written);
        virtio_queue_notify(vq);
        if (s->done == s->slot_len) {
            give_back(s);
        }
    }
    pthread_mutex_unlock(&s->lock);
}

/* ---- to the kernel ---- */

static void serve_tx(VirtIODevice *vdev, VirtQueue *vq)
{
    VhostVsock *s = HUMPY_VHOST_VSOCK(vdev);
    VirtQueueElement *elem;
    uint32_t len;
    int slot;

    pthread_mutex_lock(&s->lock);
    while (s->running && vhost_ring_take(&s->to_kernel, &len) >= 0) {
    }
    while (s->running && (slot = vhost_ring_free_slot(&s->to_kernel)) >= 0 &&
           (elem = virtio_queue_pop(vq)) != NULL) {
        /* What is no packet at all goes nowhere; the rest is the kernel's to judge. */
        if (elem->out_size >= HDR && elem->out_size <= TX_BUFFER) {
            iov_to_buf(elem->out, elem->n_out, 0, vhost_ring_buffer(&s->to_kernel, slot),
                       elem->out_size);
            vhost_ring_send(&s->to_kernel, slot, elem->out_size);
            vhost_ring_kick(&s->to_kernel);
        }
        virtio_queue_push(vq, elem, 0);
        virtio_queue_notify(vq);
    }
    pthread_mutex_unlock(&s->lock);
}

/* Its buffers are kept: there is no migration to tell of. */
static void serve_events(VirtIODevice *vdev, VirtQueue *vq)
{
}

static void drain(int fd)
{
    uint64_t count;

    while (read(fd, &count, sizeof(count)) == sizeof(count)) {
    }
}

static void kernel_has_packets(void *opaque)
{
    VhostVsock *s = opaque;

    drain(s->from_kernel.call);
    virtio_queue_run(s->rx);
}

static void kernel_has_room(void *opaque)
{
    VhostVsock *s = opaque;

    drain(s->to_kernel.call);
    virtio_queue_run(s->tx);
}

/* ---- life cycle ---- */

static int set_running(VhostVsock *s, int running)
{
    return vhost_ioctl(s->fd, VHOST_VSOCK_SET_RUNNING, &running);
}

static void vhost_vsock_started(VirtIODevice *vdev)
{
    VhostVsock *s = HUMPY_VHOST_VSOCK(vdev);

    pthread_mutex_lock(&s->lock);
    if (vhost_ring_setup(&s->from_kernel, s->fd) != 0 ||
        vhost_ring_setup(&s->to_kernel, s->fd) != 0 || set_running(s, 1) != 0) {
        virtio_error(vdev, "the host's kernel does not take its rings: %s", g_strerror(errno));
        pthread_mutex_unlock(&s->lock);
        return;
    }
    for (unsigned i = 0; i < VHOST_RING_SLOTS; i++) {
        vhost_ring_send(&s->from_kernel, i, RX_BUFFER);
    }
    vhost_ring_kick(&s->from_kernel);
    s->slot = -1;
    s->running = true;
    pthread_mutex_unlock(&s->lock);
}

static void vhost_vsock_reset(VirtIODevice *vdev)
{
    VhostVsock *s = HUMPY_VHOST_VSOCK(vdev);

    pthread_mutex_lock(&s->lock);
    if (s->fd >= 0) {
        set_running(s, 0);
    }
    s->running = false;
    s->slot = -1;
    pthread_mutex_unlock(&s->lock);
}

static bool open_node(VhostVsock *s, GError **error)
{
    uint64_t fd;

    if (s->vhostfd == NULL || *s->vhostfd == '\0') {
        s->fd = vhost_open(VHOST_VSOCK_PATH);
        if (s->fd < 0) {
            error_set_errno(error, errno, "cannot open " VHOST_VSOCK_PATH "%s",
                            errno == ENOENT   ? " (modprobe vhost_vsock; virtio-vsock-device does "
                                                "without, with UNIX sockets)"
                            : errno == EACCES ? " (give this user access to it, or pass it in with "
                                                "vhostfd=)"
                                              : "");
            return false;
        }
        return true;
    }
    if (!props_parse_u64(s->vhostfd, &fd, NULL) || fd > G_MAXINT) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX,
                    "vhostfd is '%s' but must be the number of a descriptor", s->vhostfd);
        return false;
    }
    s->fd = fcntl((int)fd, F_DUPFD_CLOEXEC, 0);
    if (s->fd < 0) {
        error_set_errno(error, errno, "vhostfd=%s", s->vhostfd);
    }
    return s->fd >= 0;
}

static bool call_kernel(VhostVsock *s, unsigned long request, void *arg, const char *what,
                        GError **error)
{
    if (vhost_ioctl(s->fd, request, arg) == 0) {
        return true;
    }
    error_set_errno(error, errno, "%s%s", what,
                    errno == ENOTTY ? " (the descriptor is none of " VHOST_VSOCK_PATH ")" : "");
    return false;
}

static bool set_up_kernel(VhostVsock *s, GError **error)
{
    g_autofree struct vhost_memory *memory =
        g_malloc0(sizeof(*memory) + 2 * sizeof(memory->regions[0]));
    uint64_t features = 0;

    if (!call_kernel(s, VHOST_SET_OWNER, NULL, "VHOST_SET_OWNER", error) ||
        !call_kernel(s, VHOST_GET_FEATURES, &features, "VHOST_GET_FEATURES", error)) {
        return false;
    }
    if (!(features & 1ULL << VIRTIO_F_VERSION_1)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "the kernel's vhost_vsock lacks VIRTIO_F_VERSION_1");
        return false;
    }
    features = 1ULL << VIRTIO_F_VERSION_1;
    memory->nregions = 2;
    vhost_ring_region(&s->from_kernel, &memory->regions[0]);
    vhost_ring_region(&s->to_kernel, &memory->regions[1]);
    if (!call_kernel(s, VHOST_SET_FEATURES, &features, "VHOST_SET_FEATURES", error) ||
        !call_kernel(s, VHOST_SET_MEM_TABLE, memory, "VHOST_SET_MEM_TABLE", error)) {
        return false;
    }
    if (vhost_ioctl(s->fd, VHOST_VSOCK_SET_GUEST_CID, &s->guest_cid) != 0) {
        error_set_errno(error, errno, "guest-cid=%" G_GUINT64_FORMAT "%s", s->guest_cid,
                        errno == EADDRINUSE ? " (another VM of this host has it)" : "");
        return false;
    }
    return true;
}

static void vhost_vsock_unrealize(VirtIODevice *vdev)
{
    VhostVsock *s = HUMPY_VHOST_VSOCK(vdev);
    IoThread *thread = virtio_iothread(vdev);

    iothread_unwatch(thread, s->from_watch);
    iothread_unwatch(thread, s->to_watch);
    s->from_watch = s->to_watch = 0;
    fd_clear(&s->fd); /* the kernel lets go of the rings */
    vhost_ring_finish(&s->from_kernel);
    vhost_ring_finish(&s->to_kernel);
}

static bool vhost_vsock_realize(VirtIODevice *vdev, GError **error)
{
    VhostVsock *s = HUMPY_VHOST_VSOCK(vdev);
    struct virtio_vsock_config config = { .guest_cid = htole64(s->guest_cid) };

    if (s->guest_cid < MIN_CID || s->guest_cid >= UINT32_MAX) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "guest-cid is %" G_GUINT64_FORMAT " but must be %d to %u", s->guest_cid,
                    MIN_CID, UINT32_MAX - 1);
        return false;
    }
    virtio_init(vdev, &s->props, 0, &config, sizeof(config));
    s->rx = virtio_add_queue(vdev, QUEUE_SIZE, serve_rx);
    s->tx = virtio_add_queue(vdev, QUEUE_SIZE, serve_tx);
    virtio_add_queue(vdev, QUEUE_SIZE, serve_events);
    if (!vhost_ring_init(&s->from_kernel, KERNEL_RX, RX_BUFFER, true, error) ||
        !vhost_ring_init(&s->to_kernel, KERNEL_TX, TX_BUFFER, false, error) ||
        !open_node(s, error) || !set_up_kernel(s, error)) {
        vhost_vsock_unrealize(vdev);
        return false;
    }
    s->from_watch =
        iothread_watch(virtio_iothread(vdev), s->from_kernel.call, kernel_has_packets, s, error);
    s->to_watch = s->from_watch != 0 ? iothread_watch(virtio_iothread(vdev), s->to_kernel.call,
                                                      kernel_has_room, s, error)
                                     : 0;
    if (s->to_watch == 0) {
        vhost_vsock_unrealize(vdev);
        return false;
    }
    return true;
}

static void vhost_vsock_finalize(GObject *obj)
{
    pthread_mutex_destroy(&HUMPY_VHOST_VSOCK(obj)->lock);
    G_OBJECT_CLASS(vhost_vsock_parent_class)->finalize(obj);
}

static void vhost_vsock_init(VhostVsock *s)
{
    pthread_mutex_init(&s->lock, NULL);
    s->fd = -1;
    s->slot = -1;
    s->from_kernel.kick = s->from_kernel.call = -1;
    s->to_kernel.kick = s->to_kernel.call = -1;
}

static const Prop vhost_vsock_props[] = {
    VIRTIO_PROPS(VhostVsock, props),
    PROP_U64("guest-cid", VhostVsock, guest_cid, 0, 0, UINT64_MAX,
             "The guest's address among the host's AF_VSOCK sockets, 3 or more"),
    PROP_STRING("vhostfd", VhostVsock, vhostfd, NULL,
                "Descriptor of " VHOST_VSOCK_PATH " that somebody else has opened"),
};

static void vhost_vsock_class_init(VhostVsockClass *klass)
{
    DeviceClass *dc = HUMPY_DEVICE_CLASS(klass);
    VirtIODeviceClass *vc = HUMPY_VIRTIO_DEVICE_CLASS(klass);

    G_STATIC_ASSERT(HDR == 44);
    G_OBJECT_CLASS(klass)->finalize = vhost_vsock_finalize;
    props_install(G_OBJECT_CLASS(klass), vhost_vsock_props, G_N_ELEMENTS(vhost_vsock_props));
    dc->summary = "Sockets to the host's kernel (AF_VSOCK)";
    dc->user_creatable = true;
    vc->device_id = VIRTIO_ID_VSOCK;
    vc->realize = vhost_vsock_realize;
    vc->unrealize = vhost_vsock_unrealize;
    vc->reset = vhost_vsock_reset;
    vc->started = vhost_vsock_started;
}
