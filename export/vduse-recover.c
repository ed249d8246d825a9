/* SPDX-License-Identifier: GPL-2.0-or-later
 * Going on with a VDUSE device that another process has left behind. The kernel does not tell a
 * device's status, nor what was in flight: the first shows when an interrupt is made, the second is
 * in the record (inflight.h).
 */
#include <errno.h>
#include <linux/virtio_config.h>

#include "util/error.h"
#include "vduse-priv.h"

InflightShape vduse_shape(const VduseExport *x)
{
    return (InflightShape){
        .device_id = virtio_device_id(x->vdev),
        .n_queues = virtio_n_queues(x->vdev),
        .queue_size = virtio_queue_max_size(x->vdev, 0),
        .features = virtio_offered_features(x->vdev),
    };
}

/* TRUE: a driver has come so far that there may be requests. */
static bool has_ready_queue(const VduseExport *x)
{
    for (unsigned n = 0; n < virtio_n_queues(x->vdev); n++) {
        struct vduse_vq_info info;

        if (vduse_node_queue_info(&x->node, n, &info, NULL) && info.ready) {
            return true;
        }
    }
    return false;
}

static bool open_log(VduseExport *x, bool *stale, GError **error)
{
    InflightShape shape = vduse_shape(x);

    x->log = inflight_open(x->log_path, &shape, error);
    if (x->log != NULL) {
        return true;
    }
    *stale = !has_ready_queue(x);
    g_prefix_error(error,
                   "VDUSE device '%s' is left from another process, but what that had in flight is "
                   "not known (detach it: vdpa dev del %s): ",
                   x->name, x->name);
    return false;
}

/* The driver is there and waits. */
static bool resume(VduseExport *x, GError **error)
{
    const uint8_t status = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
                           VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK;

    if (!vduse_accept_features(x, error) || !vduse_set_up_queues(x, true, error)) {
        return false;
    }
    virtio_set_status(x->vdev, status);
    if (virtio_status(x->vdev) != status) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "VDUSE device '%s': its driver has features that this export does not offer",
                    x->name);
        return false;
    }
    x->status = status;
    g_atomic_int_set(&x->in_use, 1);
    for (unsigned n = 0; n < virtio_n_queues(x->vdev); n++) {
        vduse_node_interrupt(&x->node, n); /* of what was returned and not told */
    }
    g_atomic_int_set(&x->config_changed, 1);
    return true;
}

bool vduse_take_over(VduseExport *x, bool *stale, GError **error)
{
    int err;

    if (vduse_node_is_broken(&x->node)) {
        *stale = true;
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST,
                    "VDUSE device '%s': the kernel has given it up (detach it: vdpa dev del %s)",
                    x->name, x->name);
        return false;
    }
    if (!open_log(x, stale, error)) {
        return false;
    }
    for (unsigned n = 0; n < virtio_n_queues(x->vdev); n++) {
        virtio_queue_set_log(x->vdev, n, inflight_queue(x->log, n));
    }
    x->generation = ~virtio_config_generation(x->vdev); /* the disk may have another size now */
    if (!vduse_push_config(x, error)) {
        return false;
    }
    err = vduse_node_interrupt(&x->node, 0);
    if (err != 0 && err != EINVAL) {
        error_set_errno(error, err, "VDUSE device '%s': cannot go on with it", x->name);
        return false;
    }
    return err == EINVAL || resume(x, error);
}
