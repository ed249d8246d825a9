/* SPDX-License-Identifier: GPL-2.0-or-later
 * Resources of a virtio GPU: host memory for pixels, bounded by max_hostmem, and the list of guest
 * memory that a resource is filled from. Guest memory is mapped anew for each transfer: what the
 * guest named may have gone meanwhile, and what is not RAM is refused.
 */
#include <endian.h>
#include <string.h>

#include "util/iov.h"
#include "virtio-gpu-priv.h"

/* Section 5.7.6.8: names are the bytes in memory, first to last. 0: unknown. */
static pixman_format_code_t pixel_format(uint32_t format)
{
    switch (format) {
    case VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM:
        return PIXMAN_a8r8g8b8;
    case VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM:
        return PIXMAN_x8r8g8b8;
    case VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM:
        return PIXMAN_b8g8r8a8;
    case VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM:
        return PIXMAN_b8g8r8x8;
    case VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM:
        return PIXMAN_a8b8g8r8;
    case VIRTIO_GPU_FORMAT_X8B8G8R8_UNORM:
        return PIXMAN_r8g8b8x8;
    case VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM:
        return PIXMAN_r8g8b8a8;
    case VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM:
        return PIXMAN_x8b8g8r8;
    default:
        return 0;
    }
}

static bool take_hostmem(VirtIOGpu *s, uint64_t cost)
{
    if (cost > s->max_hostmem - s->used_hostmem) {
        return false;
    }
    s->used_hostmem += cost;
    return true;
}

uint32_t gpu_resource_create(VirtIOGpu *s, uint32_t id, uint32_t format, unsigned width,
                             unsigned height)
{
    pixman_format_code_t code = pixel_format(format);
    uint64_t cost = (uint64_t)width * height * 4 + GPU_RESOURCE_COST;
    pixman_image_t *image;
    GpuResource *res;

    if (id == 0 || gpu_resource(s, id) != NULL) {
        return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
    }
    if (code == 0 || width == 0 || width > GPU_MAX_SIDE || height == 0 || height > GPU_MAX_SIDE) {
        return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
    }
    if (!take_hostmem(s, cost)) {
        return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
    }
    image = pixman_image_create_bits(code, width, height, NULL, 0);
    if (image == NULL) {
        s->used_hostmem -= cost;
        return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
    }
    res = g_new0(GpuResource, 1);
    *res =
        (GpuResource){ .id = id, .image = image, .width = width, .height = height, .cost = cost };
    g_hash_table_insert(s->resources, GUINT_TO_POINTER(id), res);
    return VIRTIO_GPU_RESP_OK_NODATA;
}

GpuResource *gpu_resource(VirtIOGpu *s, uint32_t id)
{
    return g_hash_table_lookup(s->resources, GUINT_TO_POINTER(id));
}

void gpu_resource_destroy(VirtIOGpu *s, GpuResource *res)
{
    gpu_resource_detach(s, res);
    g_hash_table_remove(s->resources, GUINT_TO_POINTER(res->id));
    s->used_hostmem -= res->cost;
    pixman_image_unref(res->image);
    g_free(res);
}

/* ---- backing ---- */

uint32_t gpu_resource_attach(VirtIOGpu *s, GpuResource *res, const GpuRequest *req, unsigned n)
{
    uint64_t at = sizeof(struct virtio_gpu_resource_attach_backing);
    GpuEntry *entries;

    if (res->entries != NULL) {
        return VIRTIO_GPU_RESP_ERR_UNSPEC;
    }
    if (n == 0 || n > GPU_MAX_ENTRIES ||
        req->elem->out_size - at < n * sizeof(struct virtio_gpu_mem_entry)) {
        return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
    }
    if (!take_hostmem(s, n * sizeof(GpuEntry))) {
        return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
    }
    entries = g_new(GpuEntry, n);
    for (unsigned i = 0; i < n; i++, at += sizeof(struct virtio_gpu_mem_entry)) {
        struct virtio_gpu_mem_entry entry = {};

        iov_to_buf(req->elem->out, req->elem->n_out, at, &entry, sizeof(entry));
        entries[i] = (GpuEntry){ le64toh(entry.addr), le32toh(entry.length) };
    }
    res->entries = entries;
    res->n_entries = n;
    return VIRTIO_GPU_RESP_OK_NODATA;
}

void gpu_resource_detach(VirtIOGpu *s, GpuResource *res)
{
    s->used_hostmem -= res->n_entries * sizeof(GpuEntry);
    res->n_entries = 0;
    g_clear_pointer(&res->entries, g_free);
}

/* Where reading a backing stands; offsets only grow. */
typedef struct {
    const GpuResource *res;
    unsigned entry;
    uint64_t start; /* offset of that entry's first byte */
} BackingReader;

/* FALSE: the backing ends before, or is not RAM. */
static bool read_backing(VirtIOGpu *s, BackingReader *r, uint64_t offset, uint8_t *to, uint64_t len)
{
    AddressSpace *dma = virtio_dma(HUMPY_VIRTIO_DEVICE(s));

    while (len > 0) {
        const GpuEntry *entry;
        uint64_t within, part;
        void *host;

        if (r->entry == r->res->n_entries) {
            return false;
        }
        entry = &r->res->entries[r->entry];
        within = offset - r->start;
        if (within >= entry->len) {
            r->start += entry->len;
            r->entry++;
            continue;
        }
        part = MIN(entry->len - within, len);
        host = address_space_map(dma, entry->addr + within, &part, false);
        if (host == NULL) {
            return false;
        }
        memcpy(to, host, part);
        address_space_unmap(dma, host, part, false);
        to += part;
        offset += part;
        len -= part;
    }
    return true;
}

uint32_t gpu_resource_transfer(VirtIOGpu *s, GpuResource *res, const struct virtio_gpu_rect *rect,
                               uint64_t offset)
{
    uint64_t stride = pixman_image_get_stride(res->image);
    uint8_t *to = (uint8_t *)pixman_image_get_data(res->image) + rect->y * stride + rect->x * 4ull;
    BackingReader reader = { .res = res };

    if (res->entries == NULL || offset > UINT64_MAX / 2) {
        return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
    }
    if (rect->width == res->width && stride == res->width * 4ull) {
        return read_backing(s, &reader, offset, to, stride * rect->height)
                   ? VIRTIO_GPU_RESP_OK_NODATA
                   : VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
    }
    for (unsigned y = 0; y < rect->height; y++) {
        if (!read_backing(s, &reader, offset + y * stride, to + y * stride, rect->width * 4ull)) {
            return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
        }
    }
    return VIRTIO_GPU_RESP_OK_NODATA;
}
