/* SPDX-License-Identifier: GPL-2.0-or-later
 * ramfb, set up through fw_cfg's DMA as firmware does it, looked at through its console.
 */
#include <string.h>

#include "display/display.h"
#include "hw/display/ramfb.h"
#include "util/error.h"

enum {
    FW = 0x9020000,
    RAM = 0x40000000,
    RAM_SIZE = 0x100000,
    COMMAND = RAM,
    FILE_AT = RAM + 0x100,
    PICTURE = RAM + 0x1000,
    SIDE = 32,
};

typedef struct {
    MemoryRegion root, ram;
    AddressSpace *as;
    FwCfg *fw;
    Device *ramfb;
} Bench;

typedef struct {
    uint64_t addr;
    uint32_t fourcc, flags, width, height, stride;
} Mode;

static const Mode usual = { PICTURE, 0x34325258, 0, SIDE, SIDE, SIDE * 4 };

static void set_up(Bench *b, gconstpointer data)
{
    memory_region_init(&b->root, NULL, "root", UINT64_MAX);
    b->as = address_space_new(&b->root, "test");
    g_assert_true(memory_region_init_ram(&b->ram, NULL, "ram", RAM_SIZE, NULL));
    memory_region_add_subregion(&b->root, RAM, &b->ram);
    b->fw = HUMPY_FW_CFG(device_new("fw_cfg_mem", NULL));
    fw_cfg_set_dma(b->fw, b->as);
    g_assert_true(device_realize(HUMPY_DEVICE(b->fw), NULL));
    device_map(HUMPY_DEVICE(b->fw), 0, &b->root, FW);
    b->ramfb = device_new("ramfb", NULL);
    g_assert_true(device_realize(b->ramfb, NULL));
    g_assert_true(ramfb_connect(HUMPY_RAMFB(b->ramfb), b->fw, b->as, NULL));
}

static void tear_down(Bench *b, gconstpointer data)
{
    device_unrealize(b->ramfb);
    g_object_unref(b->ramfb);
    device_unrealize(HUMPY_DEVICE(b->fw));
    g_object_unref(b->fw);
    memory_region_del_subregion(&b->root, &b->ram);
    memory_region_destroy(&b->ram);
    address_space_free(b->as);
    memory_region_destroy(&b->root);
}

static void set_mode(Bench *b, const Mode *mode)
{
    struct {
        uint64_t addr;
        uint32_t words[5];
    } __attribute__((packed)) file = {
        GUINT64_TO_BE(mode->addr),
        { GUINT32_TO_BE(mode->fourcc), GUINT32_TO_BE(mode->flags), GUINT32_TO_BE(mode->width),
          GUINT32_TO_BE(mode->height), GUINT32_TO_BE(mode->stride) },
    };
    uint32_t command[4] = { GUINT32_TO_BE(FW_CFG_KEY_FIRST_FILE << 16 | 0x18), GUINT32_TO_BE(28), 0,
                            GUINT32_TO_BE(FILE_AT) };
    uint64_t at = GUINT64_TO_BE(COMMAND);

    address_space_write(b->as, FILE_AT, &file, sizeof(file));
    address_space_write(b->as, COMMAND, command, sizeof(command));
    address_space_write(b->as, FW + 16, &at, 8);
    address_space_read(b->as, COMMAND, command, 4);
    g_assert_cmphex(command[0], ==, 0);
}

static uint32_t pixel(int x, int y, int *width, int *height)
{
    pixman_image_t *image = console_snapshot(console_find("ramfb", 0, NULL));
    uint32_t value =
        pixman_image_get_data(image)[y * (pixman_image_get_stride(image) / 4) + x] & 0xffffff;

    *width = pixman_image_get_width(image);
    *height = pixman_image_get_height(image);
    pixman_image_unref(image);
    return value;
}

static void shows_guest_memory(Bench *b, gconstpointer data)
{
    uint32_t red = 0xff0000, green = 0x00ff00;
    int w, h;

    address_space_write(b->as, PICTURE + (2 * SIDE + 1) * 4, &red, 4);
    g_assert_cmphex(pixel(1, 2, &w, &h), ==, 0);
    set_mode(b, &usual);
    g_assert_cmphex(pixel(1, 2, &w, &h), ==, 0xff0000);
    g_assert_cmpint(w, ==, SIDE);
    g_assert_cmpint(h, ==, SIDE);
    address_space_write(b->as, PICTURE + (SIDE * SIDE - 1) * 4, &green, 4);
    g_assert_cmphex(pixel(SIDE - 1, SIDE - 1, &w, &h), ==, 0x00ff00);
    g_assert_cmphex(pixel(1, 2, &w, &h), ==, 0xff0000);
}

static void changed(void *opaque)
{
}

static void tells_rows_that_changed(Bench *b, gconstpointer data)
{
    Console *con = console_find("ramfb", 0, NULL);
    ConsoleView *view;
    ConsoleFrame frame;
    uint32_t red = 0xff0000;

    set_mode(b, &usual);
    pixman_image_unref(console_snapshot(con));
    view = console_view_new(con, changed, NULL);
    console_view_begin(view, &frame);
    console_view_end(view, &frame);
    address_space_write(b->as, PICTURE + 7 * SIDE * 4, &red, 4);
    pixman_image_unref(console_snapshot(con));
    console_view_begin(view, &frame);
    g_assert_cmpint(pixman_region32_extents(&frame.damage)->y1, ==, 7);
    g_assert_cmpint(pixman_region32_extents(&frame.damage)->y2, ==, 8);
    console_view_end(view, &frame);
    console_view_free(view);
}

static void formats(Bench *b, gconstpointer data)
{
    static const struct {
        const char *fourcc;
        unsigned bytes;
        uint32_t want;
    } rows[] = {
        { "XR24", 4, 0x332211 }, { "AR24", 4, 0x332211 }, { "XB24", 4, 0x112233 },
        { "AB24", 4, 0x112233 }, { "RG24", 3, 0x332211 }, { "RG16", 2, 0x21418c },
    };
    int w, h;

    address_space_write(b->as, PICTURE, "\x11\x22\x33\x44", 4);
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        Mode mode = usual;

        memcpy(&mode.fourcc, rows[i].fourcc, 4);
        mode.stride = SIDE * rows[i].bytes;
        set_mode(b, &mode);
        g_assert_cmphex(pixel(0, 0, &w, &h), ==, rows[i].want);
    }
}

static void bad_modes_are_ignored(Bench *b, gconstpointer data)
{
    const Mode bad[] = {
        { PICTURE, 0x12345678, 0, 64, 64, 256 },         /* format */
        { PICTURE, 0x34325258, 0, 0, 64, 256 },          /* size */
        { PICTURE, 0x34325258, 0, 64, 5000, 256 },       /* ... */
        { PICTURE, 0x34325258, 0, UINT32_MAX, 64, 256 }, /* ... */
        { PICTURE, 0x34325258, 0, 64, 64, 255 },         /* stride */
        { PICTURE, 0x34325258, 0, 64, 64, UINT32_MAX },  /* ... */
        { 0x1000, 0x34325258, 0, 64, 64, 256 },          /* no memory there */
        { RAM + RAM_SIZE - 4096, 0x34325258, 0, 64, 64, 256 },
        { UINT64_MAX - 100, 0x34325258, 0, 64, 64, 256 },
    };
    int w, h;

    set_mode(b, &usual);
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        set_mode(b, &bad[i]);
        pixel(0, 0, &w, &h);
        g_assert_cmpint(w, ==, SIDE);
    }
}

static void memory_may_go_away(Bench *b, gconstpointer data)
{
    uint32_t red = 0xff0000;
    int w, h;

    address_space_write(b->as, PICTURE, &red, 4);
    set_mode(b, &usual);
    g_assert_cmphex(pixel(0, 0, &w, &h), ==, red);
    memory_region_set_enabled(&b->ram, false);
    g_assert_cmphex(pixel(0, 0, &w, &h), ==, red);
    memory_region_set_enabled(&b->ram, true);
}

static void reset_goes_black(Bench *b, gconstpointer data)
{
    uint32_t red = 0xff0000;
    int w, h;

    address_space_write(b->as, PICTURE, &red, 4);
    set_mode(b, &usual);
    g_assert_cmphex(pixel(0, 0, &w, &h), ==, red);
    device_reset(b->ramfb);
    g_assert_cmphex(pixel(0, 0, &w, &h), ==, 0);
}

static void there_is_one(Bench *b, gconstpointer data)
{
    g_autoptr(Device) second = device_new("ramfb", NULL);
    GError *error = NULL;

    g_assert_true(device_realize(second, NULL));
    g_assert_false(ramfb_connect(HUMPY_RAMFB(second), b->fw, b->as, &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT);
    g_clear_error(&error);
    device_unrealize(second);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *rule;
        void (*fn)(Bench *b, gconstpointer data);
    } rules[] = {
        { "picture/shows-guest-memory", shows_guest_memory },
        { "picture/tells-rows-that-changed", tells_rows_that_changed },
        { "picture/formats", formats },
        { "hostile/bad-modes-are-ignored", bad_modes_are_ignored },
        { "hostile/memory-may-go-away", memory_may_go_away },
        { "reset/goes-black", reset_goes_black },
        { "refused/a-second-one", there_is_one },
    };

    g_test_init(&argc, &argv, NULL);
    g_type_ensure(TYPE_FW_CFG);
    g_type_ensure(TYPE_RAMFB);
    for (unsigned i = 0; i < G_N_ELEMENTS(rules); i++) {
        g_autofree char *path = g_strconcat("/ramfb/", rules[i].rule, NULL);

        g_test_add(path, Bench, NULL, set_up, rules[i].fn, tear_down);
    }
    return g_test_run();
}
