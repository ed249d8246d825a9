/* SPDX-License-Identifier: GPL-2.0-or-later
 * The 2D commands of a virtio GPU (virtio 1.2, sections 5.7.6.7 to 5.7.6.10): display information,
 * resources, outputs ("scanouts"), and the cursor. Everything a driver says is checked here; a
 * wrong command gets its error and changes nothing.
 */
#include <endian.h>
#include <string.h>

#include "edid.h"
#include "util/iov.h"
#include "virtio-gpu-priv.h"

enum { MIN_SCANOUT_SIDE = 16 };

typedef union {
    struct virtio_gpu_cmd_get_edid edid;
    struct virtio_gpu_set_scanout scanout;
    struct virtio_gpu_resource_flush flush;
    struct virtio_gpu_resource_create_2d create;
    struct virtio_gpu_resource_unref unref;
    struct virtio_gpu_resource_attach_backing attach;
    struct virtio_gpu_resource_detach_backing detach;
    struct virtio_gpu_transfer_to_host_2d transfer;
} GpuCommand;

/* Copies the command, which begins with its header. FALSE: the request is shorter. */
static bool take(const GpuRequest *req, void *cmd, size_t size)
{
    return iov_to_buf(req->elem->out, req->elem->n_out, 0, cmd, size) == size;
}

static struct virtio_gpu_rect rect_to_cpu(struct virtio_gpu_rect r)
{
    return (struct virtio_gpu_rect){ le32toh(r.x), le32toh(r.y), le32toh(r.width),
                                     le32toh(r.height) };
}

static bool is_inside(const struct virtio_gpu_rect *r, const GpuResource *res)
{
    return (uint64_t)r->x + r->width <= res->width && (uint64_t)r->y + r->height <= res->height;
}

/* ---- information ---- */

static uint32_t get_display_info(VirtIOGpu *s, GpuRequest *req, const GpuCommand *cmd,
                                 GpuResource *res)
{
    struct virtio_gpu_resp_display_info *info = &req->resp.display;

    /* Only the first output has a monitor. */
    info->pmodes[0].enabled = htole32(1);
    info->pmodes[0].r.width = htole32(s->xres);
    info->pmodes[0].r.height = htole32(s->yres);
    req->resp_size = sizeof(*info);
    return VIRTIO_GPU_RESP_OK_DISPLAY_INFO;
}

static uint32_t get_edid(VirtIOGpu *s, GpuRequest *req, const GpuCommand *cmd, GpuResource *res)
{
    if (!virtio_has_feature(HUMPY_VIRTIO_DEVICE(s), VIRTIO_GPU_F_EDID)) {
        return VIRTIO_GPU_RESP_ERR_UNSPEC;
    }
    if (le32toh(cmd->edid.scanout) >= s->max_outputs) {
        return VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID;
    }
    req->resp.edid.size = htole32(EDID_SIZE);
    edid_make(req->resp.edid.edid, s->xres, s->yres);
    req->resp_size = sizeof(req->resp.edid);
    return VIRTIO_GPU_RESP_OK_EDID;
}

/* ---- outputs ---- */

static void switch_off(GpuScanout *out)
{
    out->resource_id = 0;
    console_blank(out->con);
}

/* Shows what of rect (in the resource) is on this output. */
static void show(GpuScanout *out, const GpuResource *res, const struct virtio_gpu_rect *rect)
{
    uint32_t left = MAX(rect->x, out->rect.x), top = MAX(rect->y, out->rect.y);
    uint32_t right = MIN(rect->x + rect->width, out->rect.x + out->rect.width);
    uint32_t bottom = MIN(rect->y + rect->height, out->rect.y + out->rect.height);

    if (left < right && top < bottom) {
        console_draw(out->con, res->image, left, top, left - out->rect.x, top - out->rect.y,
                     right - left, bottom - top);
    }
}

static uint32_t set_scanout(VirtIOGpu *s, GpuRequest *req, const GpuCommand *cmd, GpuResource *res)
{
    struct virtio_gpu_rect rect;
    GpuScanout *out;

    if (le32toh(cmd->scanout.scanout_id) >= s->max_outputs) {
        return VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID;
    }
    out = &s->scanouts[le32toh(cmd->scanout.scanout_id)];
    if (cmd->scanout.resource_id == 0) {
        switch_off(out);
        return VIRTIO_GPU_RESP_OK_NODATA;
    }
    res = gpu_resource(s, le32toh(cmd->scanout.resource_id));
    if (res == NULL) {
        return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
    }
    rect = rect_to_cpu(cmd->scanout.r);
    if (rect.width < MIN_SCANOUT_SIDE || rect.height < MIN_SCANOUT_SIDE || !is_inside(&rect, res)) {
        return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
    }
    if (!console_resize(out->con, rect.width, rect.height)) {
        return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
    }
    out->resource_id = res->id;
    out->rect = rect;
    show(out, res, &rect);
    return VIRTIO_GPU_RESP_OK_NODATA;
}

static uint32_t resource_flush(VirtIOGpu *s, GpuRequest *req, const GpuCommand *cmd,
                               GpuResource *res)
{
    struct virtio_gpu_rect rect = rect_to_cpu(cmd->flush.r);

    if (!is_inside(&rect, res)) {
        return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
    }
    for (unsigned i = 0; i < s->max_outputs; i++) {
        if (s->scanouts[i].resource_id == res->id) {
            show(&s->scanouts[i], res, &rect);
        }
    }
    return VIRTIO_GPU_RESP_OK_NODATA;
}

/* ---- resources ---- */

static uint32_t resource_create(VirtIOGpu *s, GpuRequest *req, const GpuCommand *cmd,
                                GpuResource *res)
{
    return gpu_resource_create(s, le32toh(cmd->create.resource_id), le32toh(cmd->create.format),
                               le32toh(cmd->create.width), le32toh(cmd->create.height));
}

static void destroy(VirtIOGpu *s, GpuResource *res)
{
    for (unsigned i = 0; i < s->max_outputs; i++) {
        if (s->scanouts[i].resource_id == res->id) {
            switch_off(&s->scanouts[i]);
        }
    }
    gpu_resource_destroy(s, res);
}

static uint32_t resource_unref(VirtIOGpu *s, GpuRequest *req, const GpuCommand *cmd,
                               GpuResource *res)
{
    destroy(s, res);
    return VIRTIO_GPU_RESP_OK_NODATA;
}

static uint32_t resource_attach(VirtIOGpu *s, GpuRequest *req, const GpuCommand *cmd,
                                GpuResource *res)
{
    return gpu_resource_attach(s, res, req, le32toh(cmd->attach.nr_entries));
}

static uint32_t resource_detach(VirtIOGpu *s, GpuRequest *req, const GpuCommand *cmd,
                                GpuResource *res)
{
    if (res->entries == NULL) {
        return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
    }
    gpu_resource_detach(s, res);
    return VIRTIO_GPU_RESP_OK_NODATA;
}

static uint32_t transfer_to_host(VirtIOGpu *s, GpuRequest *req, const GpuCommand *cmd,
                                 GpuResource *res)
{
    struct virtio_gpu_rect rect = rect_to_cpu(cmd->transfer.r);

    return is_inside(&rect, res)
               ? gpu_resource_transfer(s, res, &rect, le64toh(cmd->transfer.offset))
               : VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
}

/* ---- cursor ---- */

/* Section 5.7.6.10: a cursor is a resource of 64 by 64; the console wants it premultiplied, which
 * is how drivers draw it. */
static uint32_t set_shape(VirtIOGpu *s, GpuScanout *out, uint32_t id, uint32_t hot_x,
                          uint32_t hot_y)
{
    GpuResource *res = gpu_resource(s, id);
    uint32_t argb[CONSOLE_CURSOR_SIDE * CONSOLE_CURSOR_SIDE];
    pixman_image_t *shape;

    if (id == 0) {
        console_set_cursor(out->con, NULL, 0, 0);
        return VIRTIO_GPU_RESP_OK_NODATA;
    }
    if (res == NULL) {
        return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
    }
    if (res->width != CONSOLE_CURSOR_SIDE || res->height != CONSOLE_CURSOR_SIDE) {
        return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
    }
    shape = pixman_image_create_bits(PIXMAN_a8r8g8b8, CONSOLE_CURSOR_SIDE, CONSOLE_CURSOR_SIDE,
                                     argb, CONSOLE_CURSOR_SIDE * sizeof(uint32_t));
    if (shape == NULL) {
        return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
    }
    pixman_image_composite32(PIXMAN_OP_SRC, res->image, NULL, shape, 0, 0, 0, 0, 0, 0,
                             CONSOLE_CURSOR_SIDE, CONSOLE_CURSOR_SIDE);
    pixman_image_unref(shape);
    console_set_cursor(out->con, argb, hot_x, hot_y);
    return VIRTIO_GPU_RESP_OK_NODATA;
}

uint32_t virtio_gpu_cursor(VirtIOGpu *s, GpuRequest *req)
{
    struct virtio_gpu_update_cursor cmd;
    uint32_t result = VIRTIO_GPU_RESP_OK_NODATA;
    GpuScanout *out;

    if ((req->hdr.type != VIRTIO_GPU_CMD_UPDATE_CURSOR &&
         req->hdr.type != VIRTIO_GPU_CMD_MOVE_CURSOR) ||
        !take(req, &cmd, sizeof(cmd))) {
        return VIRTIO_GPU_RESP_ERR_UNSPEC;
    }
    if (le32toh(cmd.pos.scanout_id) >= s->max_outputs) {
        return VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID;
    }
    out = &s->scanouts[le32toh(cmd.pos.scanout_id)];
    if (req->hdr.type == VIRTIO_GPU_CMD_UPDATE_CURSOR) {
        result =
            set_shape(s, out, le32toh(cmd.resource_id), le32toh(cmd.hot_x), le32toh(cmd.hot_y));
    }
    if (result == VIRTIO_GPU_RESP_OK_NODATA) {
        console_move_cursor(out->con, le32toh(cmd.pos.x), le32toh(cmd.pos.y));
    }
    return result;
}

/* ---- all ---- */

#define COMMAND(type, member, fn)                                                                  \
    {                                                                                              \
        VIRTIO_GPU_CMD_##type, sizeof(((GpuCommand *)0)->member), 0, fn                            \
    }
#define ON_RESOURCE(type, member, fn)                                                              \
    {                                                                                              \
        VIRTIO_GPU_CMD_##type, sizeof(((GpuCommand *)0)->member),                                  \
            offsetof(GpuCommand, member.resource_id), fn                                           \
    }

static const struct {
    uint32_t type;
    size_t size;
    size_t resource_id; /* where it stands when there must be such a resource; otherwise 0 */
    uint32_t (*run)(VirtIOGpu *s, GpuRequest *req, const GpuCommand *cmd, GpuResource *res);
} commands[] = {
    { VIRTIO_GPU_CMD_GET_DISPLAY_INFO, 0, 0, get_display_info },
    COMMAND(GET_EDID, edid, get_edid),
    COMMAND(SET_SCANOUT, scanout, set_scanout),
    ON_RESOURCE(RESOURCE_FLUSH, flush, resource_flush),
    COMMAND(RESOURCE_CREATE_2D, create, resource_create),
    ON_RESOURCE(RESOURCE_UNREF, unref, resource_unref),
    ON_RESOURCE(RESOURCE_ATTACH_BACKING, attach, resource_attach),
    ON_RESOURCE(RESOURCE_DETACH_BACKING, detach, resource_detach),
    ON_RESOURCE(TRANSFER_TO_HOST_2D, transfer, transfer_to_host),
};

uint32_t virtio_gpu_control(VirtIOGpu *s, GpuRequest *req)
{
    GpuResource *res = NULL;
    GpuCommand cmd;
    unsigned i = 0;
    uint32_t id;

    while (i < G_N_ELEMENTS(commands) && commands[i].type != req->hdr.type) {
        i++;
    }
    if (i == G_N_ELEMENTS(commands) || !take(req, &cmd, commands[i].size)) {
        return VIRTIO_GPU_RESP_ERR_UNSPEC;
    }
    if (commands[i].resource_id != 0) {
        memcpy(&id, (const char *)&cmd + commands[i].resource_id, sizeof(id));
        res = gpu_resource(s, le32toh(id));
        if (res == NULL) {
            return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
        }
    }
    return commands[i].run(s, req, &cmd, res);
}

void virtio_gpu_forget(VirtIOGpu *s)
{
    GHashTableIter iter;
    gpointer res;

    for (unsigned i = 0; i < s->max_outputs; i++) {
        if (s->scanouts[i].resource_id != 0) {
            switch_off(&s->scanouts[i]);
        }
        console_set_cursor(s->scanouts[i].con, NULL, 0, 0);
    }
    g_hash_table_iter_init(&iter, s->resources);
    while (g_hash_table_iter_next(&iter, NULL, &res)) {
        g_hash_table_iter_steal(&iter);
        gpu_resource_destroy(s, res);
    }
}
