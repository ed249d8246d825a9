/* SPDX-License-Identifier: GPL-2.0-or-later
 * State of a virtio GPU: virtio-gpu.c has the device and its queues, virtio-gpu-2d.c the commands,
 * virtio-gpu-memory.c resources and what the guest backs them with. All is touched in the device's
 * I/O thread, or while the queues are stopped.
 */
#pragma once

#include <linux/virtio_gpu.h>

#include "display/display.h"
#include "hw/virtio/virtio.h"

#define TYPE_VIRTIO_GPU virtio_gpu_get_type()
G_DECLARE_FINAL_TYPE(VirtIOGpu, virtio_gpu, HUMPY, VIRTIO_GPU, VirtIODevice)

enum {
    /* What a resource costs besides pixels and backing, so that many small ones are bounded too. */
    GPU_RESOURCE_COST = 1024,
    GPU_MAX_SIDE = 16384,
    GPU_MAX_ENTRIES = 16384,
};

typedef struct {
    uint64_t addr;
    uint32_t len;
} GpuEntry;

typedef struct {
    uint32_t id;
    pixman_image_t *image;
    unsigned width, height;
    uint64_t cost; /* of image and struct */
    GpuEntry *entries;
    unsigned n_entries;
} GpuResource;

typedef struct {
    Console *con;
    uint32_t resource_id; /* 0: switched off */
    struct virtio_gpu_rect rect;
} GpuScanout;

struct _VirtIOGpu {
    VirtIODevice parent;
    VirtIOProps props;
    uint32_t max_outputs, xres, yres;
    uint64_t max_hostmem;
    bool edid;

    GHashTable *resources; /* id to GpuResource */
    uint64_t used_hostmem;
    GpuScanout scanouts[VIRTIO_GPU_MAX_SCANOUTS];
};

/* One command and its answer. */
typedef struct {
    VirtQueueElement *elem;
    struct virtio_gpu_ctrl_hdr hdr; /* in the CPU's byte order */
    union {
        struct virtio_gpu_ctrl_hdr hdr;
        struct virtio_gpu_resp_display_info display;
        struct virtio_gpu_resp_edid edid;
    } resp;
    size_t resp_size;
} GpuRequest;

/* ---- virtio-gpu-2d.c ---- */
/* Does a command of the control queue or the cursor queue; returns the type of the answer, whose
 * body it has filled in. */
uint32_t virtio_gpu_control(VirtIOGpu *s, GpuRequest *req);
uint32_t virtio_gpu_cursor(VirtIOGpu *s, GpuRequest *req);
/* Switches every output off and drops every resource. */
void virtio_gpu_forget(VirtIOGpu *s);

/* ---- virtio-gpu-memory.c; results are VIRTIO_GPU_RESP_* ---- */
uint32_t gpu_resource_create(VirtIOGpu *s, uint32_t id, uint32_t format, unsigned width,
                             unsigned height);
GpuResource *gpu_resource(VirtIOGpu *s, uint32_t id); /* or NULL */
void gpu_resource_destroy(VirtIOGpu *s, GpuResource *res);
/* The list of n entries stands in the request behind the command. */
uint32_t gpu_resource_attach(VirtIOGpu *s, GpuResource *res, const GpuRequest *req, unsigned n);
void gpu_resource_detach(VirtIOGpu *s, GpuResource *res);
/* Copies a rectangle inside res from its backing; rect is in the CPU's byte order. */
uint32_t gpu_resource_transfer(VirtIOGpu *s, GpuResource *res, const struct virtio_gpu_rect *rect,
                               uint64_t offset);
