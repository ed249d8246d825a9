/* SPDX-License-Identifier: GPL-2.0-or-later
 * Consoles and their views. A view remembers what was drawn since it last looked; drawing tells it
 * once, then it has to look before it is told again. What shows pictures is vnc.c and screendump.c.
 */
#include "display/display.h"

#include <pthread.h>
#include <string.h>

#include "util/error.h"

enum {
    FIRST_WIDTH = 640,
    FIRST_HEIGHT = 480,
    UPDATE_MS = 33,
    /* More rectangles than this are not worth telling apart. */
    MAX_RECTS = 64,
    CURSOR_BYTES = CONSOLE_CURSOR_SIDE * CONSOLE_CURSOR_SIDE * sizeof(uint32_t),
};

struct ConsoleView {
    Console *con; /* referenced */
    void (*changed)(void *opaque);
    void *opaque;
    guint update_timer;
    /* the console's lock */
    bool told, resized, cursor_changed;
    pixman_region32_t damage;
};

struct Console {
    gatomicrefcount refs;
    char *device;
    unsigned head;
    const ConsoleOps *ops; /* [main] NULL: freed by its device */
    void *opaque;

    pthread_mutex_t lock; /* what follows */
    pixman_image_t *image;
    GPtrArray *views; /* of ConsoleView, borrowed */
    uint32_t *cursor; /* or NULL */
    unsigned hot_x, hot_y;
    int cursor_x, cursor_y;
};

static GPtrArray *consoles; /* [main] of Console, in order of making */
static void (*watcher)(void *opaque);
static void *watcher_opaque;

/* ---- life ---- */

static pixman_image_t *new_image(unsigned width, unsigned height)
{
    return pixman_image_create_bits(PIXMAN_x8r8g8b8, width, height, NULL, 0);
}

static void console_unref(Console *con)
{
    if (!g_atomic_ref_count_dec(&con->refs)) {
        return;
    }
    pixman_image_unref(con->image);
    g_ptr_array_unref(con->views);
    pthread_mutex_destroy(&con->lock);
    g_free(con->cursor);
    g_free(con->device);
    g_free(con);
}

static void tell_watcher(void)
{
    if (watcher != NULL) {
        watcher(watcher_opaque);
    }
}

Console *console_new(const char *device, unsigned head, const ConsoleOps *ops, void *opaque)
{
    Console *con = g_new0(Console, 1);

    g_atomic_ref_count_init(&con->refs);
    pthread_mutex_init(&con->lock, NULL);
    con->device = g_strdup(device);
    con->head = head;
    con->ops = ops;
    con->opaque = opaque;
    con->image = new_image(FIRST_WIDTH, FIRST_HEIGHT);
    g_assert(con->image != NULL);
    con->views = g_ptr_array_new();
    if (consoles == NULL) {
        consoles = g_ptr_array_new();
    }
    g_ptr_array_add(consoles, con);
    tell_watcher();
    return con;
}

void console_free(Console *con)
{
    if (con == NULL) {
        return;
    }
    con->ops = NULL;
    g_ptr_array_remove(consoles, con);
    tell_watcher();
    console_unref(con);
}

Console *console_find(const char *device, unsigned head, GError **error)
{
    const char *wanted = device;

    for (unsigned i = 0; consoles != NULL && i < consoles->len; i++) {
        Console *con = g_ptr_array_index(consoles, i);

        wanted = wanted != NULL ? wanted : con->device;
        if (con->head == head && strcmp(con->device, wanted) == 0) {
            return con;
        }
    }
    if (wanted == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN,
                    "There is no console to take a "
                    "screendump from.");
    } else {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN, "device '%s' has no display output %u",
                    wanted, head);
    }
    return NULL;
}

void console_set_watcher(void (*fn)(void *opaque), void *opaque)
{
    watcher = fn;
    watcher_opaque = opaque;
}

/* ---- drawing ---- */

/* [locked] */
static void tell(Console *con)
{
    for (unsigned i = 0; i < con->views->len; i++) {
        ConsoleView *view = g_ptr_array_index(con->views, i);

        if (!view->told) {
            view->told = true;
            view->changed(view->opaque);
        }
    }
}

/* [locked] */
static void add_damage(Console *con, int x, int y, unsigned w, unsigned h)
{
    for (unsigned i = 0; i < con->views->len; i++) {
        pixman_region32_t *damage = &((ConsoleView *)g_ptr_array_index(con->views, i))->damage;

        pixman_region32_union_rect(damage, damage, x, y, w, h);
        if (pixman_region32_n_rects(damage) > MAX_RECTS) {
            pixman_box32_t all = *pixman_region32_extents(damage);

            pixman_region32_reset(damage, &all);
        }
    }
    tell(con);
}

static bool is_size(Console *con, unsigned width, unsigned height)
{
    return pixman_image_get_width(con->image) == (int)width &&
           pixman_image_get_height(con->image) == (int)height;
}

bool console_resize(Console *con, unsigned width, unsigned height)
{
    pixman_image_t *image, *old;

    if (width == 0 || width > CONSOLE_MAX_SIDE || height == 0 || height > CONSOLE_MAX_SIDE) {
        return false;
    }
    pthread_mutex_lock(&con->lock);
    if (is_size(con, width, height)) {
        pthread_mutex_unlock(&con->lock);
        return true;
    }
    image = new_image(width, height);
    if (image == NULL) {
        pthread_mutex_unlock(&con->lock);
        return false;
    }
    old = con->image;
    con->image = image;
    for (unsigned i = 0; i < con->views->len; i++) {
        ConsoleView *view = g_ptr_array_index(con->views, i);

        view->resized = true;
        pixman_region32_clear(&view->damage);
    }
    add_damage(con, 0, 0, width, height);
    pthread_mutex_unlock(&con->lock);
    pixman_image_unref(old);
    return true;
}

void console_draw(Console *con, pixman_image_t *src, int src_x, int src_y, int x, int y, int w,
                  int h)
{
    int width, height, left = MAX(x, 0), top = MAX(y, 0), right, bottom;

    pthread_mutex_lock(&con->lock);
    width = pixman_image_get_width(con->image);
    height = pixman_image_get_height(con->image);
    right = MIN((int64_t)x + w, width);
    bottom = MIN((int64_t)y + h, height);
    if (left < right && top < bottom) {
        pixman_image_composite32(PIXMAN_OP_SRC, src, NULL, con->image, src_x + (left - x),
                                 src_y + (top - y), 0, 0, left, top, right - left, bottom - top);
        add_damage(con, left, top, right - left, bottom - top);
    }
    pthread_mutex_unlock(&con->lock);
}

void console_blank(Console *con)
{
    static const pixman_color_t black = { 0, 0, 0, 0xffff };
    pixman_box32_t all = {};

    pthread_mutex_lock(&con->lock);
    all.x2 = pixman_image_get_width(con->image);
    all.y2 = pixman_image_get_height(con->image);
    pixman_image_fill_boxes(PIXMAN_OP_SRC, con->image, &black, 1, &all);
    add_damage(con, 0, 0, all.x2, all.y2);
    pthread_mutex_unlock(&con->lock);
}

static void tell_cursor(Console *con)
{
    for (unsigned i = 0; i < con->views->len; i++) {
        ((ConsoleView *)g_ptr_array_index(con->views, i))->cursor_changed = true;
    }
    tell(con);
}

void console_set_cursor(Console *con, const uint32_t *argb, unsigned hot_x, unsigned hot_y)
{
    pthread_mutex_lock(&con->lock);
    if (argb == NULL) {
        g_clear_pointer(&con->cursor, g_free);
    } else {
        con->cursor = g_realloc(con->cursor, CURSOR_BYTES);
        memcpy(con->cursor, argb, CURSOR_BYTES);
    }
    con->hot_x = MIN(hot_x, CONSOLE_CURSOR_SIDE - 1);
    con->hot_y = MIN(hot_y, CONSOLE_CURSOR_SIDE - 1);
    tell_cursor(con);
    pthread_mutex_unlock(&con->lock);
}

void console_move_cursor(Console *con, int x, int y)
{
    pthread_mutex_lock(&con->lock);
    con->cursor_x = x;
    con->cursor_y = y;
    tell_cursor(con);
    pthread_mutex_unlock(&con->lock);
}

/* ---- looking ---- */

static void update(Console *con)
{
    if (con->ops != NULL && con->ops->update != NULL) {
        con->ops->update(con->opaque);
    }
}

pixman_image_t *console_snapshot(Console *con)
{
    pixman_image_t *copy;
    int width, height;

    update(con);
    pthread_mutex_lock(&con->lock);
    width = pixman_image_get_width(con->image);
    height = pixman_image_get_height(con->image);
    copy = new_image(width, height);
    if (copy != NULL) {
        pixman_image_composite32(PIXMAN_OP_SRC, con->image, NULL, copy, 0, 0, 0, 0, 0, 0, width,
                                 height);
    }
    pthread_mutex_unlock(&con->lock);
    return copy;
}

static gboolean update_view(gpointer opaque)
{
    update(((ConsoleView *)opaque)->con);
    return G_SOURCE_CONTINUE;
}

ConsoleView *console_view_new(Console *con, void (*changed)(void *opaque), void *opaque)
{
    ConsoleView *view = g_new0(ConsoleView, 1);

    g_atomic_ref_count_inc(&con->refs);
    view->con = con;
    view->changed = changed;
    view->opaque = opaque;
    view->resized = view->cursor_changed = true;
    if (con->ops != NULL && con->ops->update != NULL) {
        view->update_timer = g_timeout_add(UPDATE_MS, update_view, view);
    }
    pthread_mutex_lock(&con->lock);
    pixman_region32_init_rect(&view->damage, 0, 0, pixman_image_get_width(con->image),
                              pixman_image_get_height(con->image));
    g_ptr_array_add(con->views, view);
    pthread_mutex_unlock(&con->lock);
    return view;
}

void console_view_free(ConsoleView *view)
{
    if (view == NULL) {
        return;
    }
    if (view->update_timer != 0) {
        g_source_remove(view->update_timer);
    }
    pthread_mutex_lock(&view->con->lock);
    g_ptr_array_remove(view->con->views, view);
    pthread_mutex_unlock(&view->con->lock);
    pixman_region32_fini(&view->damage);
    console_unref(view->con);
    g_free(view);
}

void console_view_begin(ConsoleView *view, ConsoleFrame *frame)
{
    Console *con = view->con;

    pthread_mutex_lock(&con->lock);
    *frame = (ConsoleFrame){
        .image = con->image,
        .resized = view->resized,
        .cursor_changed = view->cursor_changed,
        .cursor = con->cursor,
        .hot_x = con->hot_x,
        .hot_y = con->hot_y,
        .cursor_x = con->cursor_x,
        .cursor_y = con->cursor_y,
    };
    pixman_region32_init(&frame->damage);
    pixman_region32_copy(&frame->damage, &view->damage);
    pixman_region32_clear(&view->damage);
    view->told = view->resized = view->cursor_changed = false;
}

void console_view_end(ConsoleView *view, ConsoleFrame *frame)
{
    pthread_mutex_unlock(&view->con->lock);
    pixman_region32_fini(&frame->damage);
}
