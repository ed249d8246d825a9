/* SPDX-License-Identifier: GPL-2.0-or-later
 * The thread of a VDUSE export that reads the kernel's messages and answers them, and the transport
 * that the virtio device sees. A message that has to wait for requests in flight (reset, dropped
 * memory) lets another thread wait; when that takes too long the memory is taken from the requests
 * instead, so that the kernel gets its answer in time.
 */
#include <errno.h>
#include <linux/virtio_config.h>
#include <poll.h>
#include <sys/eventfd.h>

#include "util/error.h"
#include "util/trace.h"
#include "vduse-priv.h"

enum { RETRY_MS = 1 };

static void wake(int fd)
{
    if (eventfd_write(fd, 1) != 0) {
        g_assert(errno == EAGAIN); /* readable already */
    }
}

/* ---- what the device calls ---- */

/* FALSE: to be made again. The kernel says EINVAL while it has not yet taken note that the driver
 * is ready, or does no more know of one. */
static bool interrupt(VduseExport *x, unsigned n)
{
    if (vduse_node_interrupt(&x->node, n) != EINVAL) {
        return true;
    }
    g_atomic_int_set(&x->irq_owed[n], 1);
    g_atomic_int_set(&x->any_irq_owed, 1);
    return false;
}

static void notify_queue(void *opaque, unsigned n)
{
    VduseExport *x = opaque;

    if (!interrupt(x, n)) {
        wake(x->wake_fd);
    }
}

/* The device's inner lock is held: its bytes are read later. */
static void notify_config(void *opaque)
{
    VduseExport *x = opaque;

    g_atomic_int_set(&x->config_changed, 1);
    wake(x->wake_fd);
}

static bool fault(void *opaque, uint64_t addr, bool is_write)
{
    VduseExport *x = opaque;

    return iotlb_fault(x->iotlb, addr, is_write);
}

const VirtIOTransportOps vduse_transport = {
    .notify_queue = notify_queue,
    .notify_config = notify_config,
    .fault = fault,
};

/* ---- what waits for requests ---- */

static gpointer wait_for_requests(gpointer opaque)
{
    VduseExport *x = opaque;

    memory_thread_register();
    if (x->wait_for_reset) {
        virtio_reset(x->vdev);
        iotlb_drop(x->iotlb, 0, UINT64_MAX); /* what was mapped up to the queues' end */
    }
    iotlb_reap(x->iotlb);
    memory_thread_unregister();
    wake(x->waited_fd);
    return NULL;
}

static void join_waiter(VduseExport *x)
{
    eventfd_t count;

    g_thread_join(g_steal_pointer(&x->waiter));
    if (eventfd_read(x->waited_fd, &count) != 0) {
        g_assert(errno == EAGAIN);
    }
    x->waiting = false;
}

/* Has requests waited for, as long as the kernel's patience allows. FALSE: some still run, with
 * memory that is not the driver's. */
static bool settle(VduseExport *x, bool reset)
{
    struct pollfd done = { .fd = x->waited_fd, .events = POLLIN };
    /* How long a message may wait for requests; 0: for ever. The other half is for what follows. */
    unsigned patience_ms = vduse_node_timeout_ms(x->name) / 2;
    int n;

    x->wait_for_reset = reset;
    x->waiter = g_thread_new("vduse-wait", wait_for_requests, x);
    do {
        n = poll(&done, 1, patience_ms == 0 ? -1 : (int)patience_ms);
    } while (n < 0 && errno == EINTR);
    if (n > 0) {
        join_waiter(x);
        return true;
    }
    if (reset) {
        iotlb_drop(x->iotlb, 0, UINT64_MAX);
    }
    iotlb_revoke(x->iotlb);
    x->waiting = true;
    g_warning("VDUSE device '%s': requests are not done after %u ms, the driver is told that they "
              "are lost",
              x->name, patience_ms);
    return false;
}

/* ---- messages ---- */

static bool refuse(VduseExport *x, GError *error)
{
    g_warning("%s", error->message);
    g_error_free(error);
    return false;
}

/* TRUE: nothing of before is going on. */
static bool is_settled(const VduseExport *x, const char *message)
{
    if (x->waiting) {
        g_warning("VDUSE device '%s': %s is refused while requests of before are not done", x->name,
                  message);
    }
    return !x->waiting;
}

static bool reset(VduseExport *x)
{
    x->status = 0;
    g_atomic_int_set(&x->in_use, 0);
    g_atomic_int_set(&x->any_irq_owed, 0);
    if (!x->waiting) {
        iotlb_drop(x->iotlb, 0, UINT64_MAX);
        settle(x, true);
    }
    return true;
}

/* FALSE: the kernel keeps the old status. */
static bool set_status(VduseExport *x, uint8_t status)
{
    uint8_t added = status & ~x->status;
    uint32_t generation = x->generation;
    GError *error = NULL;

    if (status == 0) {
        return reset(x);
    }
    if (!is_settled(x, "a status")) {
        return false;
    }
    if (!vduse_push_config(x, &error) ||
        ((added & VIRTIO_CONFIG_S_FEATURES_OK) != 0 && !vduse_accept_features(x, &error)) ||
        ((added & VIRTIO_CONFIG_S_DRIVER_OK) != 0 && !vduse_set_up_queues(x, false, &error))) {
        return refuse(x, error);
    }
    virtio_set_status(x->vdev, status);
    if ((status & ~virtio_status(x->vdev)) != 0) {
        g_warning("VDUSE device '%s': status 0x%02x is refused, the driver's features are "
                  "0x%" G_GINT64_MODIFIER "x of 0x%" G_GINT64_MODIFIER "x",
                  x->name, status, virtio_accepted_features(x->vdev),
                  virtio_offered_features(x->vdev));
        return false;
    }
    x->status = status;
    g_atomic_int_set(&x->in_use, (status & VIRTIO_CONFIG_S_DRIVER) != 0);
    if (x->generation != generation) { /* the driver may have read them before */
        g_atomic_int_set(&x->config_changed, 1);
    }
    return true;
}

static bool update_iotlb(VduseExport *x, const struct vduse_iova_range *range)
{
    if (range->start > range->last) {
        return false;
    }
    iotlb_drop(x->iotlb, range->start, range->last);
    for (unsigned n = 0; n < virtio_n_queues(x->vdev); n++) {
        virtio_queue_unmap(x->vdev, n);
    }
    if (x->waiting) {
        iotlb_revoke(x->iotlb);
    } else {
        settle(x, false);
    }
    return true;
}

static bool get_queue_state(VduseExport *x, uint32_t n, struct vduse_vq_state *state)
{
    if (n >= virtio_n_queues(x->vdev)) {
        return false;
    }
    state->index = n;
    state->split.avail_index = virtio_queue_avail_index(x->vdev, n);
    return true;
}

/* FALSE: no more messages will be answered. */
static bool answer(VduseExport *x, const struct vduse_dev_request *request)
{
    struct vduse_dev_response response = { .request_id = request->request_id };
    bool ok;
    int err;

    TRACE(vduse_message, "%s type %u id %u value 0x%x", x->name, request->type, request->request_id,
          request->padding[0]);
    switch (request->type) {
    case VDUSE_SET_STATUS:
        ok = set_status(x, request->s.status);
        break;
    case VDUSE_UPDATE_IOTLB:
        ok = update_iotlb(x, &request->iova);
        break;
    case VDUSE_GET_VQ_STATE:
        ok = get_queue_state(x, request->vq_state.index, &response.vq_state);
        break;
    case VDUSE_SET_VQ_GROUP_ASID: /* there is one address space */
        ok = request->padding[0] == 0 && request->padding[1] == 0;
        break;
    default:
        g_warning("VDUSE device '%s': message of unknown type %u", x->name, request->type);
        ok = false;
        break;
    }
    response.result = ok ? VDUSE_REQ_RESULT_OK : VDUSE_REQ_RESULT_FAILED;
    err = vduse_node_answer(&x->node, &response);
    if (err == ENOENT) {
        g_warning("VDUSE device '%s': the kernel no longer waits for the answer to message %u",
                  x->name, request->request_id);
    } else if (err != 0) {
        g_warning("VDUSE device '%s': cannot answer message %u: %s", x->name, request->request_id,
                  g_strerror(err));
    }
    return err == 0 || err == ENOENT;
}

/* FALSE: the kernel gave the device up. */
static bool read_messages(VduseExport *x)
{
    struct vduse_dev_request request;
    int err;

    while ((err = vduse_node_read(&x->node, &request)) == 0) {
        if (!answer(x, &request)) {
            return false;
        }
    }
    if (err != EAGAIN && !vduse_node_is_broken(&x->node)) {
        g_warning("VDUSE device '%s': cannot read messages: %s", x->name, g_strerror(err));
    }
    return err == EAGAIN;
}

/* ---- the thread ---- */

static bool has_driver(const VduseExport *x)
{
    return (x->status & VIRTIO_CONFIG_S_DRIVER_OK) != 0;
}

static void retry_interrupts(VduseExport *x)
{
    if (!g_atomic_int_compare_and_exchange(&x->any_irq_owed, 1, 0)) {
        return;
    }
    for (unsigned n = 0; n < virtio_n_queues(x->vdev); n++) {
        if (g_atomic_int_compare_and_exchange(&x->irq_owed[n], 1, 0) && has_driver(x)) {
            interrupt(x, n);
        }
    }
}

static void tell_config(VduseExport *x)
{
    g_autoptr(GError) error = NULL;

    if (!g_atomic_int_compare_and_exchange(&x->config_changed, 1, 0)) {
        return;
    }
    if (!vduse_push_config(x, &error)) {
        g_warning("%s", error->message);
    } else if (has_driver(x) && vduse_node_interrupt_config(&x->node) == EINVAL) {
        g_atomic_int_set(&x->config_changed, 1); /* again, as above */
        g_atomic_int_set(&x->any_irq_owed, 1);
    }
}

static void woken(VduseExport *x)
{
    eventfd_t count;

    if (eventfd_read(x->wake_fd, &count) != 0) {
        g_assert(errno == EAGAIN);
    }
}

static bool turn(VduseExport *x)
{
    struct pollfd fds[] = {
        { .fd = x->node.fd, .events = POLLIN },
        { .fd = x->wake_fd, .events = POLLIN },
        { .fd = x->waiting ? x->waited_fd : -1, .events = POLLIN },
    };
    bool owed = g_atomic_int_get(&x->any_irq_owed);
    int n = poll(fds, G_N_ELEMENTS(fds), owed ? RETRY_MS : -1);

    if (n < 0) {
        g_assert(errno == EINTR);
        return true;
    }
    if (fds[2].revents != 0) {
        join_waiter(x);
    }
    if (fds[1].revents != 0) {
        woken(x);
    }
    if (iotlb_was_torn(x->iotlb)) {
        virtio_error(x->vdev, "memory of the driver is gone");
    }
    tell_config(x);
    if (owed) {
        retry_interrupts(x);
    }
    if ((fds[0].revents & (POLLERR | POLLNVAL | POLLHUP)) != 0) {
        return false;
    }
    return (fds[0].revents & POLLIN) == 0 || read_messages(x);
}

static gpointer serve(gpointer opaque)
{
    VduseExport *x = opaque;
    bool ok = true;

    memory_thread_register();
    while (ok && !g_atomic_int_get(&x->stop)) {
        ok = turn(x);
    }
    if (!ok) {
        g_atomic_int_set(&x->broken, 1);
        vduse_lost(x);
    }
    memory_thread_unregister();
    return NULL;
}

bool vduse_serve_start(VduseExport *x, GError **error)
{
    x->thread = g_thread_try_new("vduse", serve, x, error);
    return x->thread != NULL;
}

void vduse_serve_stop(VduseExport *x)
{
    if (x->thread != NULL) {
        g_atomic_int_set(&x->stop, 1);
        wake(x->wake_fd);
        g_thread_join(g_steal_pointer(&x->thread));
    }
    if (x->waiter != NULL) {
        join_waiter(x);
    }
}
