/* SPDX-License-Identifier: GPL-2.0-or-later
 * Consoles, their views, and pictures in files.
 */
#include "display/display.h"

#include <glib/gstdio.h>
#include <png.h>
#include <string.h>

#include "util/error.h"

#define RED   0xff0000u
#define GREEN 0x00ff00u

typedef struct {
    Console *con;
    ConsoleView *view;
    unsigned told;
} Bench;

static void changed(void *opaque)
{
    ((Bench *)opaque)->told++;
}

static void set_up(Bench *b, gconstpointer data)
{
    b->con = console_new("gpu0", 0, NULL, NULL);
    b->view = console_view_new(b->con, changed, b);
    b->told = 0;
}

static void tear_down(Bench *b, gconstpointer data)
{
    console_view_free(b->view);
    console_free(b->con);
}

/* A source of w by h pixels in one colour; RGB as the console has it. */
static pixman_image_t *fill(int w, int h, uint32_t rgb)
{
    pixman_image_t *image = pixman_image_create_bits(PIXMAN_a8r8g8b8, w, h, NULL, 0);
    uint32_t *data = pixman_image_get_data(image);

    for (int i = 0; i < w * h; i++) {
        data[i] = rgb; /* transparent, which means nothing on a screen */
    }
    return image;
}

static void draw(Bench *b, int x, int y, int w, int h, uint32_t rgb)
{
    pixman_image_t *src = fill(w, h, rgb);

    console_draw(b->con, src, 0, 0, x, y, w, h);
    pixman_image_unref(src);
}

static uint32_t pixel(pixman_image_t *image, int x, int y)
{
    return pixman_image_get_data(image)[y * (pixman_image_get_stride(image) / 4) + x] & 0xffffff;
}

static uint32_t shown(Bench *b, int x, int y)
{
    pixman_image_t *image = console_snapshot(b->con);
    uint32_t value = pixel(image, x, y);

    pixman_image_unref(image);
    return value;
}

/* What the view is told has changed, as "x1,y1-x2,y2" of everything together. */
static char *take(Bench *b)
{
    ConsoleFrame frame;
    pixman_box32_t box;

    console_view_begin(b->view, &frame);
    box = *pixman_region32_extents(&frame.damage);
    console_view_end(b->view, &frame);
    return g_strdup_printf("%d,%d-%d,%d", box.x1, box.y1, box.x2, box.y2);
}

static void assert_damage(Bench *b, const char *want)
{
    g_autofree char *got = take(b);

    g_assert_cmpstr(got, ==, want);
}

static void starts_black(Bench *b, gconstpointer data)
{
    g_assert_cmphex(shown(b, 0, 0), ==, 0);
    g_assert_cmphex(shown(b, 639, 479), ==, 0);
    assert_damage(b, "0,0-640,480");
}

static void draws_and_tells_once(Bench *b, gconstpointer data)
{
    g_free(take(b));
    draw(b, 10, 20, 30, 40, RED);
    draw(b, 100, 100, 1, 1, GREEN);
    g_assert_cmpuint(b->told, ==, 1);
    g_assert_cmphex(shown(b, 10, 20), ==, RED);
    g_assert_cmphex(shown(b, 39, 59), ==, RED);
    g_assert_cmphex(shown(b, 40, 59), ==, 0);
    assert_damage(b, "10,20-101,101");
    assert_damage(b, "0,0-0,0");
    draw(b, 0, 0, 1, 1, RED);
    g_assert_cmpuint(b->told, ==, 2);
}

static void clips_to_the_picture(Bench *b, gconstpointer data)
{
    g_free(take(b));
    draw(b, -5, -5, 10, 10, RED);
    g_assert_cmphex(shown(b, 4, 4), ==, RED);
    g_assert_cmphex(shown(b, 5, 5), ==, 0);
    assert_damage(b, "0,0-5,5");
    draw(b, 635, 475, 10, 10, RED);
    assert_damage(b, "635,475-640,480");
    b->told = 0;
    draw(b, 640, 0, 10, 10, RED);
    draw(b, -10, 0, 10, 10, RED);
    draw(b, INT32_MAX, INT32_MAX, 10, 10, RED);
    g_assert_cmpuint(b->told, ==, 0);
}

static void damage_stays_small(Bench *b, gconstpointer data)
{
    ConsoleFrame frame;

    g_free(take(b));
    for (int i = 0; i < 300; i++) {
        draw(b, i * 2, i % 2 * 7 + i, 1, 1, RED);
    }
    console_view_begin(b->view, &frame);
    g_assert_cmpint(pixman_region32_n_rects(&frame.damage), <=, 65);
    g_assert_true(pixman_region32_contains_point(&frame.damage, 299 * 2, 7 + 299, NULL));
    console_view_end(b->view, &frame);
}

static void resize_is_bounded(Bench *b, gconstpointer data)
{
    ConsoleFrame frame;

    console_view_begin(b->view, &frame);
    console_view_end(b->view, &frame);
    g_assert_false(console_resize(b->con, 0, 10));
    g_assert_false(console_resize(b->con, 10, 0));
    g_assert_false(console_resize(b->con, CONSOLE_MAX_SIDE + 1, 10));
    g_assert_false(console_resize(b->con, 10, UINT32_MAX));
    g_assert_true(console_resize(b->con, 640, 480));
    g_assert_cmpuint(b->told, ==, 0);
    draw(b, 0, 0, 5, 5, RED);
    g_assert_true(console_resize(b->con, 100, 50));
    console_view_begin(b->view, &frame);
    g_assert_true(frame.resized);
    g_assert_cmpint(pixman_image_get_width(frame.image), ==, 100);
    g_assert_cmpint(pixman_image_get_height(frame.image), ==, 50);
    g_assert_cmphex(pixel(frame.image, 0, 0), ==, 0);
    console_view_end(b->view, &frame);
}

static void cursor_is_told(Bench *b, gconstpointer data)
{
    static const uint32_t shape[CONSOLE_CURSOR_SIDE * CONSOLE_CURSOR_SIDE] = { 0xffffffff };
    ConsoleFrame frame;

    g_free(take(b));
    console_set_cursor(b->con, shape, 3, 1000);
    console_move_cursor(b->con, -7, 9);
    console_view_begin(b->view, &frame);
    g_assert_true(frame.cursor_changed);
    g_assert_cmphex(frame.cursor[0], ==, 0xffffffff);
    g_assert_cmpuint(frame.hot_x, ==, 3);
    g_assert_cmpuint(frame.hot_y, <, CONSOLE_CURSOR_SIDE);
    g_assert_cmpint(frame.cursor_x, ==, -7);
    console_view_end(b->view, &frame);
    console_set_cursor(b->con, NULL, 0, 0);
    console_view_begin(b->view, &frame);
    g_assert_null(frame.cursor);
    console_view_end(b->view, &frame);
}

static void count(void *opaque)
{
    ++*(unsigned *)opaque;
}

static void is_found_by_device_and_head(Bench *b, gconstpointer data)
{
    unsigned news = 0;
    GError *error = NULL;
    Console *second;

    console_set_watcher(count, &news);
    second = console_new("gpu0", 1, NULL, NULL);
    g_assert_cmpuint(news, ==, 1);
    g_assert_true(console_find(NULL, 0, NULL) == b->con);
    g_assert_true(console_find("gpu0", 1, NULL) == second);
    g_assert_true(console_find(NULL, 1, NULL) == second);
    g_assert_null(console_find("other", 0, &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN);
    g_clear_error(&error);
    console_free(second);
    g_assert_cmpuint(news, ==, 2);
    g_assert_null(console_find("gpu0", 1, NULL));
    console_set_watcher(NULL, NULL);
}

static void view_outlives_its_console(Bench *b, gconstpointer data)
{
    ConsoleFrame frame;

    draw(b, 0, 0, 1, 1, RED);
    console_free(b->con);
    console_view_begin(b->view, &frame);
    g_assert_cmphex(pixel(frame.image, 0, 0), ==, RED);
    console_view_end(b->view, &frame);
    b->con = NULL;
}

static void asks_for_an_update(Bench *b, gconstpointer data)
{
    static const ConsoleOps ops = { .update = count };
    unsigned updates = 0;
    Console *con = console_new("fb", 0, &ops, &updates);

    pixman_image_unref(console_snapshot(con));
    g_assert_cmpuint(updates, ==, 1);
    console_free(con);
}

static char *dump(Bench *b, ScreendumpFormat format)
{
    g_autofree char *dir = g_dir_make_tmp("screendump-XXXXXX", NULL);
    char *path = g_build_filename(dir, "picture", NULL);
    pixman_image_t *image;

    g_assert_true(console_resize(b->con, 3, 2)); /* rows that need padding */
    draw(b, 1, 0, 1, 1, RED);
    draw(b, 2, 1, 1, 1, GREEN);
    image = console_snapshot(b->con);
    g_assert_true(screendump_write(image, path, format, NULL));
    pixman_image_unref(image);
    return path;
}

static void forget(char *path)
{
    g_autofree char *dir = g_path_get_dirname(path);

    g_unlink(path);
    g_rmdir(dir);
    g_free(path);
}

static const uint8_t want[] = { 0, 0, 0, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 0 };

static void writes_ppm(Bench *b, gconstpointer data)
{
    char *path = dump(b, SCREENDUMP_PPM);
    g_autofree char *content = NULL;
    gsize len;

    g_assert_true(g_file_get_contents(path, &content, &len, NULL));
    g_assert_cmpuint(len, ==, strlen("P6\n3 2\n255\n") + sizeof(want));
    g_assert_true(g_str_has_prefix(content, "P6\n3 2\n255\n"));
    g_assert_cmpmem(content + len - sizeof(want), sizeof(want), want, sizeof(want));
    forget(path);
}

static void writes_png(Bench *b, gconstpointer data)
{
    char *path = dump(b, SCREENDUMP_PNG);
    png_image png = { .version = PNG_IMAGE_VERSION };
    uint8_t got[sizeof(want)];

    g_assert_true(png_image_begin_read_from_file(&png, path));
    g_assert_cmpuint(png.width, ==, 3);
    g_assert_cmpuint(png.height, ==, 2);
    png.format = PNG_FORMAT_RGB;
    g_assert_true(png_image_finish_read(&png, NULL, got, 0, NULL));
    g_assert_cmpmem(got, sizeof(got), want, sizeof(want));
    forget(path);
}

static void write_failures_are_told(Bench *b, gconstpointer data)
{
    pixman_image_t *image = console_snapshot(b->con);
    GError *error = NULL;

    g_assert_false(screendump_write(image, "/nonexistent/x", SCREENDUMP_PPM, &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST);
    g_clear_error(&error);
    for (ScreendumpFormat f = SCREENDUMP_PPM; f <= SCREENDUMP_PNG; f++) {
        g_assert_false(screendump_write(image, "/dev/full", f, &error));
        g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST);
        g_clear_error(&error);
    }
    pixman_image_unref(image);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *rule;
        void (*fn)(Bench *b, gconstpointer data);
    } rules[] = {
        { "picture/starts-black", starts_black },
        { "picture/draws-and-tells-once", draws_and_tells_once },
        { "picture/clips", clips_to_the_picture },
        { "picture/resize-is-bounded", resize_is_bounded },
        { "damage/stays-small", damage_stays_small },
        { "cursor/is-told", cursor_is_told },
        { "find/by-device-and-head", is_found_by_device_and_head },
        { "view/outlives-its-console", view_outlives_its_console },
        { "snapshot/asks-for-an-update", asks_for_an_update },
        { "file/ppm", writes_ppm },
        { "file/png", writes_png },
        { "file/failures-are-told", write_failures_are_told },
    };

    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(rules); i++) {
        g_autofree char *path = g_strconcat("/console/", rules[i].rule, NULL);

        g_test_add(path, Bench, NULL, set_up, rules[i].fn, tear_down);
    }
    return g_test_run();
}
