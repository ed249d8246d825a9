/* SPDX-License-Identifier: GPL-2.0-or-later
 * From the kernel's idea of a VDUSE device to the virtio device's: features, queues, configuration
 * bytes. Runs in the thread of messages, or before there is one.
 */
#include <linux/virtio_config.h>

#include "util/error.h"
#include "vduse-priv.h"

bool vduse_accept_features(VduseExport *x, GError **error)
{
    uint64_t features;

    if (!vduse_node_get_features(&x->node, &features, error)) {
        return false;
    }
    virtio_accept_features(x->vdev, features);
    return true;
}

static bool set_up_queue(VduseExport *x, unsigned n, bool recover, GError **error)
{
    struct vduse_vq_info info;
    VirtQueueAddresses addr;

    if (!vduse_node_queue_info(&x->node, n, &info, error)) {
        return false;
    }
    if (!info.ready) {
        return true;
    }
    addr = (VirtQueueAddresses){ info.desc_addr, info.driver_addr, info.device_addr };
    virtio_queue_set_size(x->vdev, n, info.num);
    virtio_queue_set_addresses(x->vdev, n, &addr);
    if (!recover) {
        virtio_queue_set_avail_index(x->vdev, n, info.split.avail_index);
    }
    virtio_queue_set_ready(x->vdev, n, true);
    if (recover && !virtio_queue_recover(x->vdev, n, error)) {
        return false;
    }
    return vduse_node_set_kick(&x->node, n, virtio_queue_kick_fd(x->vdev, n), error);
}

bool vduse_set_up_queues(VduseExport *x, bool recover, GError **error)
{
    for (unsigned n = 0; n < virtio_n_queues(x->vdev); n++) {
        if (!set_up_queue(x, n, recover, error)) {
            return false;
        }
    }
    return true;
}

bool vduse_push_config(VduseExport *x, GError **error)
{
    size_t size = virtio_config_size(x->vdev);
    g_autofree uint8_t *config = g_malloc(size);
    uint32_t generation;

    do {
        generation = virtio_config_generation(x->vdev);
        virtio_config_read(x->vdev, 0, config, size);
    } while (generation != virtio_config_generation(x->vdev));
    if (generation == x->generation) {
        return true;
    }
    if (!vduse_node_set_config(&x->node, config, size, error)) {
        return false;
    }
    x->generation = generation;
    return true;
}
