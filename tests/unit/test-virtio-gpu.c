/* SPDX-License-Identifier: GPL-2.0-or-later
 * The virtio GPU (virtio 1.2, section 5.7), driven through its queues; what it shows is looked at
 * through its consoles.
 */
#include <linux/virtio_gpu.h>
#include <string.h>

#include "display/display.h"
#include "virtio-driver.h"

enum {
    CONTROL = 0,
    CURSOR = 1,
    RED = 0xff0000,
    GREEN = 0x00ff00,
    SIDE = 64, /* of the resources used here */
    RES = 7,
};

#define SMALL ((const char *[]){ "xres=320", "yres=200", "max_outputs=2", "max_hostmem=1M", NULL })

static Guest *gpu_guest(void)
{
    Guest *g = guest_new(&guest_kinds[0]);

    guest_plug_ok(g, "virtio-gpu-device", SMALL);
    guest_start(g, UINT64_MAX);
    return g;
}

/* Sends cmd, followed by extra, and returns the type of the answer, which goes to resp. */
static uint32_t ask_with(Guest *g, unsigned queue, const void *cmd, size_t len, const void *extra,
                         size_t extra_len, void *resp, size_t resp_len)
{
    uint64_t out = guest_alloc(g, len + extra_len, 8), in = guest_alloc(g, resp_len, 8);
    Buf bufs[] = { { out, len + extra_len, false }, { in, resp_len, true } };
    struct virtio_gpu_ctrl_hdr hdr = {};

    memcpy(guest_ptr(g, out), cmd, len);
    if (extra_len > 0) {
        memcpy((uint8_t *)guest_ptr(g, out) + len, extra, extra_len);
    }
    guest_submit(g, queue, bufs, resp_len > 0 ? 2 : 1);
    guest_wait(g, queue);
    memcpy(resp, guest_ptr(g, in), resp_len);
    memcpy(&hdr, resp, MIN(sizeof(hdr), resp_len));
    return hdr.type;
}

static uint32_t ask(Guest *g, unsigned queue, const void *cmd, size_t len)
{
    struct virtio_gpu_ctrl_hdr resp;

    return ask_with(g, queue, cmd, len, NULL, 0, &resp, sizeof(resp));
}

static uint32_t create(Guest *g, uint32_t id, uint32_t format, uint32_t w, uint32_t h)
{
    struct virtio_gpu_resource_create_2d cmd = {
        .hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_2D,
        .resource_id = id,
        .format = format,
        .width = w,
        .height = h,
    };

    return ask(g, CONTROL, &cmd, sizeof(cmd));
}

static uint32_t unref(Guest *g, uint32_t id)
{
    struct virtio_gpu_resource_unref cmd = { .hdr.type = VIRTIO_GPU_CMD_RESOURCE_UNREF,
                                             .resource_id = id };

    return ask(g, CONTROL, &cmd, sizeof(cmd));
}

static uint32_t attach(Guest *g, uint32_t id, const struct virtio_gpu_mem_entry *entries,
                       unsigned there, uint32_t said)
{
    struct virtio_gpu_resource_attach_backing cmd = {
        .hdr.type = VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING, .resource_id = id, .nr_entries = said
    };
    struct virtio_gpu_ctrl_hdr resp;

    return ask_with(g, CONTROL, &cmd, sizeof(cmd), entries, there * sizeof(entries[0]), &resp,
                    sizeof(resp));
}

static uint32_t transfer(Guest *g, uint32_t id, struct virtio_gpu_rect r, uint64_t offset)
{
    struct virtio_gpu_transfer_to_host_2d cmd = {
        .hdr.type = VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D, .resource_id = id, .r = r, .offset = offset
    };

    return ask(g, CONTROL, &cmd, sizeof(cmd));
}

static uint32_t flush(Guest *g, uint32_t id, struct virtio_gpu_rect r)
{
    struct virtio_gpu_resource_flush cmd = { .hdr.type = VIRTIO_GPU_CMD_RESOURCE_FLUSH,
                                             .resource_id = id,
                                             .r = r };

    return ask(g, CONTROL, &cmd, sizeof(cmd));
}

static uint32_t scanout(Guest *g, uint32_t output, uint32_t id, struct virtio_gpu_rect r)
{
    struct virtio_gpu_set_scanout cmd = {
        .hdr.type = VIRTIO_GPU_CMD_SET_SCANOUT, .scanout_id = output, .resource_id = id, .r = r
    };

    return ask(g, CONTROL, &cmd, sizeof(cmd));
}

static const struct virtio_gpu_rect whole = { 0, 0, SIDE, SIDE };

/* A resource of SIDE by SIDE with its backing in one piece, all rgb; returns the backing. */
static uint64_t make(Guest *g, uint32_t id, uint32_t rgb)
{
    uint64_t backing = guest_alloc(g, SIDE * SIDE * 4, 4096);
    struct virtio_gpu_mem_entry entry = { backing, SIDE * SIDE * 4, 0 };
    uint32_t *pixels = guest_ptr(g, backing);

    for (unsigned i = 0; i < SIDE * SIDE; i++) {
        pixels[i] = rgb;
    }
    g_assert_cmphex(create(g, id, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, SIDE, SIDE), ==,
                    VIRTIO_GPU_RESP_OK_NODATA);
    g_assert_cmphex(attach(g, id, &entry, 1, 1), ==, VIRTIO_GPU_RESP_OK_NODATA);
    return backing;
}

static uint32_t shown(unsigned head, int x, int y, int *width, int *height)
{
    Console *con = console_find("virtio-gpu-device", head, NULL);
    pixman_image_t *image = console_snapshot(con);
    uint32_t value = pixman_image_get_data(image)[y * (pixman_image_get_stride(image) / 4) + x];

    *width = pixman_image_get_width(image);
    *height = pixman_image_get_height(image);
    pixman_image_unref(image);
    return value & 0xffffff;
}

static uint32_t pixel(int x, int y)
{
    int w, h;

    return shown(0, x, y, &w, &h);
}

/* ---- rules ---- */

static void tells_displays(void)
{
    Guest *g = gpu_guest();
    struct virtio_gpu_ctrl_hdr cmd = { .type = VIRTIO_GPU_CMD_GET_DISPLAY_INFO };
    struct virtio_gpu_resp_display_info info;

    g_assert_cmpuint(guest_rd(g, R_DEVICE_ID), ==, 16);
    g_assert_cmpuint(guest_rd(g, R_CONFIG + 8), ==, 2); /* num_scanouts */
    g_assert_cmphex(ask_with(g, CONTROL, &cmd, sizeof(cmd), NULL, 0, &info, sizeof(info)), ==,
                    VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
    g_assert_cmpuint(info.pmodes[0].enabled, ==, 1);
    g_assert_cmpuint(info.pmodes[0].r.width, ==, 320);
    g_assert_cmpuint(info.pmodes[0].r.height, ==, 200);
    g_assert_cmpuint(info.pmodes[1].enabled, ==, 0);
    guest_free(g);
}

static void tells_edid(void)
{
    Guest *g = gpu_guest();
    struct virtio_gpu_cmd_get_edid cmd = { .hdr.type = VIRTIO_GPU_CMD_GET_EDID };
    struct virtio_gpu_resp_edid resp;
    uint8_t sum = 0;

    g_assert_cmphex(ask_with(g, CONTROL, &cmd, sizeof(cmd), NULL, 0, &resp, sizeof(resp)), ==,
                    VIRTIO_GPU_RESP_OK_EDID);
    g_assert_cmpuint(resp.size, ==, 128);
    for (unsigned i = 0; i < 128; i++) {
        sum += resp.edid[i];
    }
    g_assert_cmpuint(sum, ==, 0);
    g_assert_cmpmem(resp.edid, 8, "\0\xff\xff\xff\xff\xff\xff\0", 8);
    g_assert_cmpuint(resp.edid[56] | (resp.edid[58] & 0xf0) << 4, ==, 320);
    g_assert_cmpuint(resp.edid[59] | (resp.edid[61] & 0xf0) << 4, ==, 200);
    cmd.scanout = 2;
    g_assert_cmphex(ask_with(g, CONTROL, &cmd, sizeof(cmd), NULL, 0, &resp, sizeof(resp)), ==,
                    VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID);
    guest_free(g);
}

static void shows_what_is_flushed(void)
{
    Guest *g = gpu_guest();
    struct virtio_gpu_rect corner = { 1, 2, 3, 4 };
    uint64_t backing = make(g, RES, RED);
    uint32_t *pixels = guest_ptr(g, backing);
    int width, height;

    g_assert_cmphex(transfer(g, RES, whole, 0), ==, VIRTIO_GPU_RESP_OK_NODATA);
    g_assert_cmphex(scanout(g, 0, RES, whole), ==, VIRTIO_GPU_RESP_OK_NODATA);
    g_assert_cmphex(shown(0, 0, 0, &width, &height), ==, RED);
    g_assert_cmpint(width, ==, SIDE);
    g_assert_cmpint(height, ==, SIDE);
    for (unsigned i = 0; i < SIDE * SIDE; i++) {
        pixels[i] = GREEN;
    }
    g_assert_cmphex(transfer(g, RES, corner, (2 * SIDE + 1) * 4), ==, VIRTIO_GPU_RESP_OK_NODATA);
    g_assert_cmphex(pixel(1, 2), ==, RED); /* not flushed yet */
    g_assert_cmphex(flush(g, RES, whole), ==, VIRTIO_GPU_RESP_OK_NODATA);
    g_assert_cmphex(pixel(1, 2), ==, GREEN);
    g_assert_cmphex(pixel(3, 5), ==, GREEN);
    g_assert_cmphex(pixel(4, 5), ==, RED);
    g_assert_cmphex(pixel(1, 6), ==, RED);
    guest_free(g);
}

static void scanout_is_a_part(void)
{
    Guest *g = gpu_guest();
    struct virtio_gpu_rect part = { 16, 32, 20, 16 };
    uint64_t backing = make(g, RES, RED);
    int width, height;

    ((uint32_t *)guest_ptr(g, backing))[32 * SIDE + 16] = GREEN;
    transfer(g, RES, whole, 0);
    g_assert_cmphex(scanout(g, 1, RES, part), ==, VIRTIO_GPU_RESP_OK_NODATA);
    flush(g, RES, whole);
    g_assert_cmphex(shown(1, 0, 0, &width, &height), ==, GREEN);
    g_assert_cmpint(width, ==, 20);
    g_assert_cmpint(height, ==, 16);
    g_assert_cmphex(shown(1, 1, 0, &width, &height), ==, RED);
    g_assert_cmphex(shown(0, 0, 0, &width, &height), ==, 0);
    g_assert_cmphex(scanout(g, 1, 0, part), ==, VIRTIO_GPU_RESP_OK_NODATA);
    g_assert_cmphex(shown(1, 0, 0, &width, &height), ==, 0);
    guest_free(g);
}

static void backing_may_be_in_pieces(void)
{
    Guest *g = gpu_guest();
    uint64_t a = guest_alloc(g, 4096, 4096), b = guest_alloc(g, SIDE * SIDE * 4, 4096);
    struct virtio_gpu_mem_entry pieces[] = { { a, 100, 0 },
                                             { b, 0, 0 },
                                             { b, SIDE * SIDE * 4, 0 } };

    guest_fill(g, a, 0x11, 100);
    guest_fill(g, b, 0x22, SIDE * SIDE * 4);
    create(g, RES, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, SIDE, SIDE);
    g_assert_cmphex(attach(g, RES, pieces, 3, 3), ==, VIRTIO_GPU_RESP_OK_NODATA);
    g_assert_cmphex(transfer(g, RES, whole, 0), ==, VIRTIO_GPU_RESP_OK_NODATA);
    scanout(g, 0, RES, whole);
    g_assert_cmphex(pixel(24, 0), ==, 0x111111);
    g_assert_cmphex(pixel(25, 0), ==, 0x222222);
    guest_free(g);
}

static void formats_are_bytes_in_memory(void)
{
    static const struct {
        uint32_t format, want;
    } rows[] = {
        { VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, 0x332211 },
        { VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, 0x332211 },
        { VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM, 0x223344 },
        { VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM, 0x223344 },
        { VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM, 0x112233 },
        { VIRTIO_GPU_FORMAT_X8B8G8R8_UNORM, 0x443322 },
        { VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM, 0x443322 },
        { VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM, 0x112233 },
    };
    Guest *g = gpu_guest();
    uint64_t backing = guest_alloc(g, SIDE * SIDE * 4, 4096);
    struct virtio_gpu_mem_entry entry = { backing, SIDE * SIDE * 4, 0 };

    memcpy(guest_ptr(g, backing), "\x11\x22\x33\x44", 4);
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_assert_cmphex(create(g, 1, rows[i].format, SIDE, SIDE), ==, VIRTIO_GPU_RESP_OK_NODATA);
        attach(g, 1, &entry, 1, 1);
        transfer(g, 1, whole, 0);
        scanout(g, 0, 1, whole);
        g_assert_cmphex(pixel(0, 0), ==, rows[i].want);
        unref(g, 1);
    }
    guest_free(g);
}

static void fence_comes_back(void)
{
    Guest *g = gpu_guest();
    struct virtio_gpu_ctrl_hdr cmd = { .type = VIRTIO_GPU_CMD_GET_DISPLAY_INFO,
                                       .flags = VIRTIO_GPU_FLAG_FENCE,
                                       .fence_id = UINT64_C(0x123456789abcdef),
                                       .ctx_id = 5 };
    struct virtio_gpu_ctrl_hdr resp;

    ask_with(g, CONTROL, &cmd, sizeof(cmd), NULL, 0, &resp, sizeof(resp));
    g_assert_cmphex(resp.flags, ==, VIRTIO_GPU_FLAG_FENCE);
    g_assert_cmphex(resp.fence_id, ==, cmd.fence_id);
    g_assert_cmphex(resp.ctx_id, ==, 5);
    guest_free(g);
}

static void no_change(void *opaque)
{
}

static void cursor_has_shape_and_place(void)
{
    Guest *g = gpu_guest();
    struct virtio_gpu_update_cursor cmd = { .hdr.type = VIRTIO_GPU_CMD_UPDATE_CURSOR,
                                            .pos = { .scanout_id = 0, .x = 5, .y = 6 },
                                            .resource_id = RES,
                                            .hot_x = 1,
                                            .hot_y = 2 };
    ConsoleView *view =
        console_view_new(console_find("virtio-gpu-device", 0, NULL), no_change, NULL);
    ConsoleFrame frame;

    make(g, RES, RED);
    transfer(g, RES, whole, 0);
    g_assert_cmphex(ask(g, CURSOR, &cmd, sizeof(cmd)), ==, VIRTIO_GPU_RESP_OK_NODATA);
    console_view_begin(view, &frame);
    g_assert_cmphex(frame.cursor[0] & 0xffffff, ==, RED);
    g_assert_cmpuint(frame.hot_y, ==, 2);
    g_assert_cmpint(frame.cursor_x, ==, 5);
    console_view_end(view, &frame);
    cmd.hdr.type = VIRTIO_GPU_CMD_MOVE_CURSOR;
    cmd.pos.x = 9;
    ask(g, CURSOR, &cmd, sizeof(cmd));
    console_view_begin(view, &frame);
    g_assert_cmpint(frame.cursor_x, ==, 9);
    console_view_end(view, &frame);
    cmd.pos.scanout_id = 2;
    g_assert_cmphex(ask(g, CURSOR, &cmd, sizeof(cmd)), ==, VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID);
    console_view_free(view);
    guest_free(g);
}

static void wrong_commands_get_errors(void)
{
    Guest *g = gpu_guest();
    struct virtio_gpu_rect outside = { SIDE, 0, 1, 1 }, around = { UINT32_MAX, 0, 2, SIDE };
    struct virtio_gpu_rect tiny = { 0, 0, 1, 1 };
    struct virtio_gpu_mem_entry far = { 0x1000, 4096, 0 }, trap = { TRAP_BASE, 4096, 0 };
    uint32_t type = 0x999;

    make(g, RES, RED);
    g_assert_cmphex(create(g, RES, 2, 1, 1), ==, VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
    g_assert_cmphex(create(g, 0, 2, 1, 1), ==, VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
    g_assert_cmphex(create(g, 8, 99, 1, 1), ==, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
    g_assert_cmphex(create(g, 8, 2, 0, 1), ==, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
    g_assert_cmphex(create(g, 8, 2, UINT32_MAX, UINT32_MAX), ==,
                    VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
    g_assert_cmphex(unref(g, 8), ==, VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
    g_assert_cmphex(transfer(g, RES, outside, 0), ==, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
    g_assert_cmphex(transfer(g, RES, around, 0), ==, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
    g_assert_cmphex(transfer(g, RES, whole, 4), ==, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
    g_assert_cmphex(transfer(g, RES, whole, UINT64_MAX), ==, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
    g_assert_cmphex(flush(g, RES, around), ==, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
    g_assert_cmphex(scanout(g, 2, RES, whole), ==, VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID);
    g_assert_cmphex(scanout(g, 0, RES, around), ==, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
    g_assert_cmphex(scanout(g, 0, RES, tiny), ==, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
    g_assert_cmphex(attach(g, RES, &far, 1, 1), ==, VIRTIO_GPU_RESP_ERR_UNSPEC); /* has one */
    g_assert_cmphex(create(g, 8, 2, SIDE, SIDE), ==, VIRTIO_GPU_RESP_OK_NODATA);
    g_assert_cmphex(attach(g, 8, &far, 1, 2), ==, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
    g_assert_cmphex(attach(g, 8, &far, 1, UINT32_MAX), ==, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
    g_assert_cmphex(attach(g, 8, &far, 1, 1), ==, VIRTIO_GPU_RESP_OK_NODATA);
    g_assert_cmphex(transfer(g, 8, tiny, 0), ==, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
    create(g, 9, 2, SIDE, SIDE);
    attach(g, 9, &trap, 1, 1);
    g_assert_cmphex(transfer(g, 9, tiny, 0), ==, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
    g_assert_cmpint(g_atomic_int_get(&g->trapped), ==, 0);
    g_assert_cmphex(ask(g, CONTROL, &type, sizeof(type)), ==, VIRTIO_GPU_RESP_ERR_UNSPEC);
    g_assert_cmphex(ask(g, CURSOR, &type, sizeof(type)), ==, VIRTIO_GPU_RESP_ERR_UNSPEC);
    guest_free(g);
}

static void host_memory_is_bounded(void)
{
    Guest *g = gpu_guest(); /* 1 MiB */
    unsigned n = 0;

    g_assert_cmphex(create(g, 1, 2, 512, 512), ==, VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
    g_assert_cmphex(create(g, 1, 2, 512, 256), ==, VIRTIO_GPU_RESP_OK_NODATA);
    g_assert_cmphex(create(g, 2, 2, 512, 256), ==, VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
    g_assert_cmphex(unref(g, 1), ==, VIRTIO_GPU_RESP_OK_NODATA);
    while (create(g, 10 + n, 2, 1, 1) == VIRTIO_GPU_RESP_OK_NODATA) {
        n++;
        g_assert_cmpuint(n, <, 2000);
    }
    g_assert_cmpuint(n, >, 100);
    guest_free(g);
}

static void reset_forgets(void)
{
    Guest *g = gpu_guest();
    int width, height;

    make(g, RES, RED);
    transfer(g, RES, whole, 0);
    scanout(g, 0, RES, whole);
    g_assert_cmphex(pixel(0, 0), ==, RED);
    guest_start(g, UINT64_MAX);
    g_assert_cmphex(shown(0, 0, 0, &width, &height), ==, 0);
    g_assert_cmphex(unref(g, RES), ==, VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
    g_assert_cmphex(create(g, 1, 2, 512, 256), ==, VIRTIO_GPU_RESP_OK_NODATA);
    guest_free(g);
    g_assert_null(console_find("virtio-gpu-device", 0, NULL));
}

static void short_answers_are_cut(void)
{
    Guest *g = gpu_guest();
    struct virtio_gpu_ctrl_hdr cmd = { .type = VIRTIO_GPU_CMD_GET_DISPLAY_INFO };
    uint64_t out = guest_alloc(g, sizeof(cmd), 8), in = guest_alloc(g, 64, 8);
    Buf bufs[] = { { out, sizeof(cmd), false }, { in, 5, true } };

    memcpy(guest_ptr(g, out), &cmd, sizeof(cmd));
    guest_fill(g, in, 0xee, 64);
    guest_submit(g, CONTROL, bufs, 2);
    g_assert_cmpuint(guest_wait(g, CONTROL).len, ==, 5);
    g_assert_cmphex(((uint8_t *)guest_ptr(g, in))[5], ==, 0xee);
    guest_submit(g, CONTROL, bufs, 1); /* nowhere to answer */
    g_assert_cmpuint(guest_wait(g, CONTROL).len, ==, 0);
    guest_free(g);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *rule;
        void (*fn)(void);
    } rules[] = {
        { "info/tells-displays", tells_displays },
        { "info/tells-edid", tells_edid },
        { "2d/shows-what-is-flushed", shows_what_is_flushed },
        { "2d/scanout-is-a-part", scanout_is_a_part },
        { "2d/backing-may-be-in-pieces", backing_may_be_in_pieces },
        { "2d/formats-are-bytes-in-memory", formats_are_bytes_in_memory },
        { "fence/comes-back", fence_comes_back },
        { "cursor/has-shape-and-place", cursor_has_shape_and_place },
        { "hostile/wrong-commands-get-errors", wrong_commands_get_errors },
        { "hostile/host-memory-is-bounded", host_memory_is_bounded },
        { "hostile/short-answers-are-cut", short_answers_are_cut },
        { "reset/forgets", reset_forgets },
    };

    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(rules); i++) {
        g_autofree char *path = g_strconcat("/virtio-gpu/", rules[i].rule, NULL);

        g_test_add_func(path, rules[i].fn);
    }
    return g_test_run();
}
