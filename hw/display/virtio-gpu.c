/* SPDX-License-Identifier: GPL-2.0-or-later
 * The virtio GPU (virtio 1.2, section 5.7), 2D only: properties, configuration, the two queues and
 * life cycle. Commands are in virtio-gpu-2d.c. No 3D, no blobs, no resource UUIDs: none of their
 * feature bits is offered.
 *
 * Commands are done in the order of the queue, one by one, so every fence is reached when its
 * command is answered.
 */
#include <endian.h>
#include <linux/virtio_ids.h>

#include "edid.h"
#include "hw/core/bus.h"
#include "util/error.h"
#include "util/iov.h"
#include "virtio-gpu-priv.h"

enum { CONTROL_QUEUE_SIZE = 64, CURSOR_QUEUE_SIZE = 16, MIN_SIDE = 16 };

DEVICE_DEFINE_TYPE(VirtIOGpu, virtio_gpu, "virtio-gpu-device", TYPE_VIRTIO_DEVICE)

/* ---- queues ---- */

static void answer(VirtQueue *vq, GpuRequest *req, uint32_t type)
{
    size_t size = type < VIRTIO_GPU_RESP_ERR_UNSPEC ? req->resp_size : sizeof(req->resp.hdr);

    req->resp.hdr = (struct virtio_gpu_ctrl_hdr){ .type = htole32(type) };
    if (req->hdr.flags & VIRTIO_GPU_FLAG_FENCE) {
        req->resp.hdr.flags = htole32(VIRTIO_GPU_FLAG_FENCE);
        req->resp.hdr.fence_id = htole64(req->hdr.fence_id);
        req->resp.hdr.ctx_id = htole32(req->hdr.ctx_id);
    }
    size = iov_from_buf(req->elem->in, req->elem->n_in, 0, &req->resp, size);
    virtio_queue_push(vq, req->elem, size);
    virtio_queue_notify(vq);
}

static void serve(VirtIODevice *vdev, VirtQueue *vq,
                  uint32_t (*command)(VirtIOGpu *s, GpuRequest *req))
{
    VirtQueueElement *elem;

    while ((elem = virtio_queue_pop(vq)) != NULL) {
        GpuRequest req = { .elem = elem, .resp_size = sizeof(req.resp.hdr) };
        struct virtio_gpu_ctrl_hdr hdr;
        uint32_t type = VIRTIO_GPU_RESP_ERR_UNSPEC;

        if (iov_to_buf(elem->out, elem->n_out, 0, &hdr, sizeof(hdr)) == sizeof(hdr)) {
            req.hdr.type = le32toh(hdr.type);
            req.hdr.flags = le32toh(hdr.flags);
            req.hdr.fence_id = le64toh(hdr.fence_id);
            req.hdr.ctx_id = le32toh(hdr.ctx_id);
            type = command(HUMPY_VIRTIO_GPU(vdev), &req);
        }
        answer(vq, &req, type);
    }
}

static void serve_control(VirtIODevice *vdev, VirtQueue *vq)
{
    serve(vdev, vq, virtio_gpu_control);
}

static void serve_cursor(VirtIODevice *vdev, VirtQueue *vq)
{
    serve(vdev, vq, virtio_gpu_cursor);
}

/* ---- configuration ---- */

/* A driver acknowledges events with events_clear, which reads as zero. */
static void gpu_config_written(VirtIODevice *vdev, uint8_t *config, const uint8_t *before)
{
    struct virtio_gpu_config written, old;

    memcpy(&written, config, sizeof(written));
    memcpy(&old, before, sizeof(old));
    old.events_read &= ~written.events_clear;
    memcpy(config, &old, sizeof(old));
}

static void gpu_reset(VirtIODevice *vdev)
{
    virtio_gpu_forget(HUMPY_VIRTIO_GPU(vdev));
}

/* ---- life cycle ---- */

/* What a user calls the device: its id, or that of the PCI function that it is the inside of. */
static const char *console_name(Device *dev)
{
    Bus *bus = device_parent_bus(dev);
    const char *id = device_id(dev);

    if (id == NULL && bus != NULL) {
        id = device_id(bus_parent(bus));
    }
    return id != NULL ? id : device_type(dev);
}

static bool gpu_realize(VirtIODevice *vdev, GError **error)
{
    VirtIOGpu *s = HUMPY_VIRTIO_GPU(vdev);
    struct virtio_gpu_config config = { .num_scanouts = htole32(s->max_outputs) };

    virtio_init(vdev, &s->props, s->edid ? UINT64_C(1) << VIRTIO_GPU_F_EDID : 0, &config,
                sizeof(config));
    virtio_add_queue(vdev, CONTROL_QUEUE_SIZE, serve_control);
    virtio_add_queue(vdev, CURSOR_QUEUE_SIZE, serve_cursor);
    s->resources = g_hash_table_new(NULL, NULL);
    for (unsigned i = 0; i < s->max_outputs; i++) {
        s->scanouts[i] = (GpuScanout){
            .con = console_new(console_name(HUMPY_DEVICE(s)), i, NULL, NULL),
        };
        console_resize(s->scanouts[i].con, s->xres, s->yres);
    }
    return true;
}

static void gpu_unrealize(VirtIODevice *vdev)
{
    VirtIOGpu *s = HUMPY_VIRTIO_GPU(vdev);

    virtio_gpu_forget(s);
    for (unsigned i = 0; i < s->max_outputs; i++) {
        g_clear_pointer(&s->scanouts[i].con, console_free);
    }
    g_clear_pointer(&s->resources, g_hash_table_unref);
}

static const Prop gpu_props[] = {
    PROP_U32("max_outputs", VirtIOGpu, max_outputs, 1, 1, VIRTIO_GPU_MAX_SCANOUTS,
             "Number of display outputs"),
    PROP_U32("xres", VirtIOGpu, xres, 1280, MIN_SIDE, EDID_MAX_SIDE, "Preferred width in pixels"),
    PROP_U32("yres", VirtIOGpu, yres, 800, MIN_SIDE, EDID_MAX_SIDE, "Preferred height in pixels"),
    PROP_SIZE("max_hostmem", VirtIOGpu, max_hostmem, 256 << 20, 1 << 20, UINT64_C(16) << 30,
              "Host memory that the guest's resources may take"),
    PROP_BOOL("edid", VirtIOGpu, edid, true, "Offer a description of the monitor (EDID)"),
    VIRTIO_PROPS(VirtIOGpu, props),
};

static void virtio_gpu_init(VirtIOGpu *s)
{
}

static void virtio_gpu_class_init(VirtIOGpuClass *klass)
{
    VirtIODeviceClass *vc = HUMPY_VIRTIO_DEVICE_CLASS(klass);

    vc->device_id = VIRTIO_ID_GPU;
    vc->realize = gpu_realize;
    vc->unrealize = gpu_unrealize;
    vc->reset = gpu_reset;
    vc->config_written = gpu_config_written;
    HUMPY_DEVICE_CLASS(klass)->summary = "virtio display (2D)";
    HUMPY_DEVICE_CLASS(klass)->user_creatable = true;
    props_install(G_OBJECT_CLASS(klass), gpu_props, G_N_ELEMENTS(gpu_props));
}
