/* SPDX-License-Identifier: GPL-2.0-or-later
 * A VDUSE export from making to ending: the kernel's device is made, or taken over from a process
 * that has died, the virtio device becomes its other side, and both go again. What goes on between
 * is in vduse-serve.c.
 */
#include "vduse.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <string.h>
#include <sys/eventfd.h>

#include "export-priv.h"
#include "util/error.h"
#include "util/later.h"
#include "vdpa.h"
#include "vduse-priv.h"

enum { VQ_ALIGN = 4096, CONFIG_MAX = 4096 };

/* ---- the kernel's device ---- */

static struct vduse_dev_config *make_config(const VduseExport *x)
{
    size_t size = virtio_config_size(x->vdev);
    struct vduse_dev_config *config = g_malloc0(sizeof(*config) + size);

    g_assert(size <= CONFIG_MAX);
    g_strlcpy(config->name, x->name, sizeof(config->name));
    config->device_id = virtio_device_id(x->vdev);
    config->features = virtio_offered_features(x->vdev);
    config->vq_num = virtio_n_queues(x->vdev);
    config->vq_align = VQ_ALIGN;
    if (x->version >= VDUSE_API_VERSION_1) {
        config->reserved[0] = 1; /* group of queues */
        config->reserved[1] = 1; /* address space */
    }
    config->config_size = size;
    virtio_config_read(x->vdev, 0, config->config, size);
    return config;
}

static bool create(VduseExport *x, bool *existed, GError **error)
{
    g_autofree struct vduse_dev_config *config = make_config(x);

    switch (vduse_control_create(x->control, config, error)) {
    case VDUSE_REFUSED:
        return false;
    case VDUSE_EXISTS:
        *existed = true;
        return true;
    case VDUSE_CREATED:
        x->generation = virtio_config_generation(x->vdev);
        return true;
    }
    g_assert_not_reached();
}

static bool set_up_queues(VduseExport *x, GError **error)
{
    for (unsigned n = 0; n < virtio_n_queues(x->vdev); n++) {
        if (!vduse_node_setup_queue(&x->node, n, virtio_queue_max_size(x->vdev, n), error)) {
            return false;
        }
    }
    return true;
}

static bool start_log(VduseExport *x, GError **error)
{
    InflightShape shape = vduse_shape(x);

    x->log = inflight_create(x->log_path, &shape, error);
    for (unsigned n = 0; x->log != NULL && n < virtio_n_queues(x->vdev); n++) {
        virtio_queue_set_log(x->vdev, n, inflight_queue(x->log, n));
    }
    return x->log != NULL;
}

static bool set_up_new(VduseExport *x, GError **error)
{
    return vduse_node_open(&x->node, x->name, error) && set_up_queues(x, error) &&
           start_log(x, error);
}

/* The kernel has one of that name. FALSE with *stale: it is gone now. */
static bool set_up_old(VduseExport *x, bool *stale, GError **error)
{
    g_autoptr(GError) cause = NULL;

    if (!vduse_node_open(&x->node, x->name, error)) {
        return false;
    }
    if (vduse_take_over(x, stale, &cause)) {
        g_message("VDUSE device '%s': goes on for a process that has ended", x->name);
        return set_up_queues(x, error);
    }
    vduse_node_close(&x->node);
    if (*stale) {
        if (x->attach) {
            vdpa_detach(x->name, NULL);
        }
        *stale = vduse_control_destroy(x->control, x->name, NULL);
    }
    g_propagate_error(error, g_steal_pointer(&cause));
    return false;
}

static void drop_log(VduseExport *x)
{
    for (unsigned n = 0; n < virtio_n_queues(x->vdev); n++) {
        virtio_queue_set_log(x->vdev, n, NULL);
    }
}

static bool make(VduseExport *x, GError **error)
{
    for (int tries = 0; tries < 2; tries++) {
        bool existed = false, stale = false;

        g_clear_error(error);
        if (!create(x, &existed, error)) {
            return false;
        }
        if (existed ? set_up_old(x, &stale, error) : set_up_new(x, error)) {
            return true;
        }
        if (!existed) {
            vduse_node_close(&x->node);
            vduse_control_destroy(x->control, x->name, NULL);
            drop_log(x);
            inflight_remove(g_steal_pointer(&x->log));
        }
        if (!stale) {
            return false;
        }
    }
    return false;
}

/* Before the queues are reset, the record is let go of: it is for who goes on. */
static void stop(VduseExport *x)
{
    vduse_serve_stop(x);
    virtio_allow_dma(x->vdev, false);
    drop_log(x);
    device_unrealize(HUMPY_DEVICE(x->vdev)); /* nothing is in flight from here on */
}

/* Ends the kernel's device if no driver is attached. */
static void destroy(VduseExport *x)
{
    g_autoptr(GError) error = NULL;

    vduse_node_close(&x->node);
    if (vduse_control_destroy(x->control, x->name, &error)) {
        inflight_remove(g_steal_pointer(&x->log));
    } else if (g_error_matches(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT)) {
        g_message("VDUSE device '%s' stays in the kernel with its driver attached: its requests "
                  "wait for the next process that serves it",
                  x->name);
    } else {
        g_warning("%s", error->message);
    }
}

/* ---- life ---- */

/* If it has ended in the meantime, export_lost() does not find it: no other has its address. */
static void tell_lost(void *opaque)
{
    export_lost(opaque,
                "the kernel has given the device up, as a message was not answered in time");
}

void vduse_lost(VduseExport *x)
{
    later(NULL, tell_lost, g_atomic_rc_box_acquire(x), g_atomic_rc_box_release);
}

static void free_export(VduseExport *x)
{
    stop(x);
    virtio_detach(x->vdev);
    g_object_unref(x->vdev);
    iotlb_free(x->iotlb);
    inflight_close(x->log);
    g_free(x->log_path);
    vduse_node_close(&x->node);
    fd_clear(&x->control);
    fd_clear(&x->wake_fd);
    fd_clear(&x->waited_fd);
    g_free(x->irq_owed);
    g_free(x->id);
    g_free(x->type);
    g_free(x->name);
    g_free(x->backend);
    g_atomic_rc_box_release(x);
}

static VduseExport *new_export(const VduseOptions *o)
{
    VduseExport *x = g_atomic_rc_box_new0(VduseExport);

    x->id = g_strdup(o->id);
    x->type = g_strdup(o->type);
    x->name = g_strdup(o->name);
    x->backend = g_strdup(o->backend);
    x->attach = o->attach;
    x->log_path = o->log_path != NULL ? g_strdup(o->log_path) : inflight_default_path(o->name);
    x->node.name = x->name;
    x->node.fd = -1;
    x->control = -1;
    x->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    x->waited_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    x->iotlb = iotlb_new(&x->node, x->wake_fd);
    x->vdev = o->vdev;
    device_set_id(HUMPY_DEVICE(x->vdev), o->id);
    virtio_attach(x->vdev, &vduse_transport, x, iotlb_space(x->iotlb));
    virtio_use_queue_threads(x->vdev);
    return x;
}

static bool start(VduseExport *x, const VduseOptions *o, GError **error)
{
    if (x->wake_fd < 0 || x->waited_fd < 0) {
        error_set_errno(error, errno, "cannot make an eventfd");
        return false;
    }
    x->control = vduse_control_open(&x->version, error);
    if (x->control < 0 || !device_realize(HUMPY_DEVICE(x->vdev), error)) {
        return false;
    }
    virtio_offer_features(x->vdev, o->features | 1ull << VIRTIO_F_VERSION_1 |
                                       1ull << VIRTIO_F_ACCESS_PLATFORM);
    x->irq_owed = g_new0(gint, virtio_n_queues(x->vdev));
    if (!make(x, error)) {
        return false;
    }
    if (!vduse_serve_start(x, error) || (x->attach && !vdpa_attach(x->name, error))) {
        stop(x);
        destroy(x);
        return false;
    }
    return true;
}

void *vduse_open(const VduseOptions *o, GError **error)
{
    VduseExport *x;

    if (!vduse_node_check_name(o->name, error)) {
        g_object_unref(o->vdev);
        return NULL;
    }
    x = new_export(o);
    if (!start(x, o, error)) {
        free_export(x);
        return NULL;
    }
    return x;
}

bool vduse_may_close(void *export, GError **error)
{
    const VduseExport *x = export;

    if (g_atomic_int_get(&x->in_use)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "export '%s' is in use: a driver is attached", x->id);
        return false;
    }
    return true;
}

void vduse_close(void *export, bool detach)
{
    g_autoptr(GError) error = NULL;
    VduseExport *x = export;

    if ((detach || x->attach) && !vdpa_detach(x->name, &error)) {
        g_warning("%s", error->message);
    }
    stop(x); /* before the node goes */
    destroy(x);
    free_export(x);
}
