/* SPDX-License-Identifier: GPL-2.0-or-later
 * The VNC server (RFC 6143) on libvncserver: a thread that waits for connections, clients and
 * changes of the console, with a copy of the picture that only it touches. Encodings and protocol
 * are the library's; a client that does not read holds up this thread for a bounded time, and
 * nobody else.
 */
#include "display/vnc.h"

#include <errno.h>
#include <glib-unix.h>
#include <pthread.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include "display/display.h"
#include "util/error.h"
#include "util/later.h"
#include "vnc-lib.h"
#include "vnc-priv.h"

enum {
    FIRST_WIDTH = 640,
    FIRST_HEIGHT = 480,
    REFRESH_US = 16000, /* at most that often */
    MAX_CLIENTS = 8,
    CLIENT_WAIT_MS = 2000,
};

struct VncServer {
    VncListener listener;
    char *name;
    GMainContext *context;
    GMainLoop *loop;
    GThread *thread;
    gint n_clients;  /* atomic */
    GSource *redraw; /* ready when the picture changed */

    pthread_mutex_t view_lock; /* before the console's; what follows */
    ConsoleView *view;         /* made and freed by [main] */

    /* the thread's own */
    rfbScreenInfoPtr screen;
    pixman_image_t *picture;   /* what screen->frameBuffer is, as libvncserver likes it */
    pixman_region32_t pointer; /* where the pointer was drawn */
    int64_t last_refresh;
    GSource *accept;
};

typedef struct {
    VncServer *server;
    GSource *readable;
    VncPointer pointer;
} VncClient;

/* ---- clients ---- */

static VncServer *server_of(rfbScreenInfoPtr screen)
{
    return screen->screenData;
}

static void client_gone(rfbClientPtr cl)
{
    VncClient *client = cl->clientData;

    if (client != NULL) {
        g_source_destroy(client->readable);
        g_source_unref(client->readable);
        g_atomic_int_add(&client->server->n_clients, -1);
        g_free(client);
        cl->clientData = NULL;
    }
}

static gboolean client_readable(gint fd, GIOCondition condition, gpointer opaque)
{
    rfbProcessEvents(((VncServer *)opaque)->screen, 0);
    return G_SOURCE_CONTINUE;
}

static enum rfbNewClientAction client_new(rfbClientPtr cl)
{
    VncServer *s = server_of(cl->screen);
    VncClient *client;

    if (g_atomic_int_get(&s->n_clients) >= MAX_CLIENTS) {
        return RFB_CLIENT_REFUSE;
    }
    g_atomic_int_inc(&s->n_clients);
    client = g_new0(VncClient, 1);
    client->server = s;
    client->readable = g_unix_fd_source_new(cl->sock, G_IO_IN | G_IO_HUP | G_IO_ERR);
    g_source_set_callback(client->readable, G_SOURCE_FUNC(client_readable), s, NULL);
    g_source_attach(client->readable, s->context);
    cl->clientData = client;
    cl->clientGoneHook = client_gone;
    return RFB_CLIENT_ACCEPT;
}

static void key_event(rfbBool down, rfbKeySym keysym, rfbClientPtr cl)
{
    vnc_key(keysym, down);
}

static void pointer_event(int buttons, int x, int y, rfbClientPtr cl)
{
    VncClient *client = cl->clientData;

    if (client != NULL) {
        vnc_pointer(&client->pointer, buttons, x, y, cl->screen->width, cl->screen->height);
    }
}

/* ---- the picture ---- */

static void new_picture(VncServer *s, int width, int height)
{
    pixman_image_t *old = s->picture;

    /* Red in the lowest byte is the format that libvncserver gives a new screen. */
    s->picture = pixman_image_create_bits(PIXMAN_x8b8g8r8, width, height, NULL, 0);
    if (s->picture == NULL) {
        s->picture = old; /* the old picture stays until there is memory */
        return;
    }
    if (s->screen == NULL) {
        return;
    }
    rfbNewFramebuffer(s->screen, (char *)pixman_image_get_data(s->picture), width, height, 8, 3, 4);
    pixman_image_unref(old);
}

static void draw_pointer(VncServer *s, const ConsoleFrame *frame)
{
    pixman_image_t *shape;

    pixman_region32_clear(&s->pointer);
    if (frame->cursor == NULL) {
        return;
    }
    shape =
        pixman_image_create_bits(PIXMAN_a8r8g8b8, CONSOLE_CURSOR_SIDE, CONSOLE_CURSOR_SIDE,
                                 (uint32_t *)frame->cursor, CONSOLE_CURSOR_SIDE * sizeof(uint32_t));
    if (shape != NULL) {
        int x = frame->cursor_x - (int)frame->hot_x, y = frame->cursor_y - (int)frame->hot_y;

        pixman_image_composite32(PIXMAN_OP_OVER, shape, NULL, s->picture, 0, 0, 0, 0, x, y,
                                 CONSOLE_CURSOR_SIDE, CONSOLE_CURSOR_SIDE);
        pixman_image_unref(shape);
        pixman_region32_union_rect(&s->pointer, &s->pointer, x, y, CONSOLE_CURSOR_SIDE,
                                   CONSOLE_CURSOR_SIDE);
    }
}

/* Adds to damage where the pointer was and will be; the picture below is copied there first. */
static void add_pointer(VncServer *s, const ConsoleFrame *frame, pixman_region32_t *damage)
{
    pixman_region32_union(damage, damage, &s->pointer);
    if (frame->cursor != NULL) {
        pixman_region32_union_rect(damage, damage, frame->cursor_x - (int)frame->hot_x,
                                   frame->cursor_y - (int)frame->hot_y, CONSOLE_CURSOR_SIDE,
                                   CONSOLE_CURSOR_SIDE);
    }
}

static void copy(VncServer *s, ConsoleFrame *frame)
{
    int width = pixman_image_get_width(frame->image);
    int height = pixman_image_get_height(frame->image), n;
    pixman_region32_t *damage = &frame->damage;
    const pixman_box32_t *boxes;

    if (pixman_image_get_width(s->picture) != width ||
        pixman_image_get_height(s->picture) != height) {
        new_picture(s, width, height);
        pixman_region32_union_rect(damage, damage, 0, 0, width, height);
    }
    add_pointer(s, frame, damage);
    pixman_region32_intersect_rect(damage, damage, 0, 0,
                                   MIN(width, pixman_image_get_width(s->picture)),
                                   MIN(height, pixman_image_get_height(s->picture)));
    boxes = pixman_region32_rectangles(damage, &n);
    for (int i = 0; i < n; i++) {
        pixman_image_composite32(PIXMAN_OP_SRC, frame->image, NULL, s->picture, boxes[i].x1,
                                 boxes[i].y1, 0, 0, boxes[i].x1, boxes[i].y1,
                                 boxes[i].x2 - boxes[i].x1, boxes[i].y2 - boxes[i].y1);
        rfbMarkRectAsModified(s->screen, boxes[i].x1, boxes[i].y1, boxes[i].x2, boxes[i].y2);
    }
    draw_pointer(s, frame);
}

static void refresh(VncServer *s)
{
    pthread_mutex_lock(&s->view_lock);
    if (s->view != NULL) {
        ConsoleFrame frame;

        console_view_begin(s->view, &frame);
        copy(s, &frame);
        console_view_end(s->view, &frame);
    }
    pthread_mutex_unlock(&s->view_lock);
    s->last_refresh = g_get_monotonic_time();
    rfbProcessEvents(s->screen, 0);
}

/* libvncserver waits with select(). A client is told the size that the picture has now. */
static gboolean accept_client(gint listener, GIOCondition condition, gpointer opaque)
{
    VncServer *s = opaque;
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

    if (fd >= FD_SETSIZE) {
        close(fd);
    } else if (fd >= 0) {
        refresh(s);
        rfbNewClient(s->screen, fd); /* owns fd, also if it refuses */
        rfbProcessEvents(s->screen, 0);
    }
    return G_SOURCE_CONTINUE;
}

static gboolean redraw(gpointer opaque)
{
    VncServer *s = opaque;
    int64_t next = s->last_refresh + REFRESH_US;

    if (g_get_monotonic_time() < next) {
        g_source_set_ready_time(s->redraw, next);
        return G_SOURCE_CONTINUE;
    }
    g_source_set_ready_time(s->redraw, -1);
    refresh(s);
    return G_SOURCE_CONTINUE;
}

/* In the drawing thread, with the console's lock. */
static void console_changed(void *opaque)
{
    g_source_set_ready_time(((VncServer *)opaque)->redraw, 0);
}

/* [main] */
static void follow_first_console(void *opaque)
{
    VncServer *s = opaque;
    Console *con = console_find(NULL, 0, NULL);
    ConsoleView *view = con != NULL ? console_view_new(con, console_changed, s) : NULL;
    ConsoleView *old;

    pthread_mutex_lock(&s->view_lock);
    old = s->view;
    s->view = view;
    pthread_mutex_unlock(&s->view_lock);
    console_view_free(old);
    g_source_set_ready_time(s->redraw, 0);
}

/* ---- life ---- */

static gboolean redraw_dispatch(GSource *source, GSourceFunc fn, gpointer opaque)
{
    return fn(opaque);
}

static GSourceFuncs redraw_funcs = { .dispatch = redraw_dispatch };

static void say_nothing(const char *format, ...)
{
}

static bool make_screen(VncServer *s, GError **error)
{
    int argc = 0;

    if (!vnc_lib_load(error)) {
        return false;
    }
    rfbLog = say_nothing; /* clients come and go, and say what they like */
    rfbErr = say_nothing;
    new_picture(s, FIRST_WIDTH, FIRST_HEIGHT);
    s->screen =
        s->picture != NULL ? rfbGetScreen(&argc, NULL, FIRST_WIDTH, FIRST_HEIGHT, 8, 3, 4) : NULL;
    if (s->screen == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST, "cannot set up libvncserver");
        return false;
    }
    s->screen->frameBuffer = (char *)pixman_image_get_data(s->picture);
    s->screen->screenData = s;
    s->screen->desktopName = s->name;
    s->screen->cursor = NULL;
    s->screen->alwaysShared = TRUE;
    s->screen->deferUpdateTime = 0;
    s->screen->maxClientWait = CLIENT_WAIT_MS;
    s->screen->kbdAddEvent = key_event;
    s->screen->ptrAddEvent = pointer_event;
    s->screen->newClientHook = client_new;
    return true;
}

static gpointer run(gpointer opaque)
{
    VncServer *s = opaque;

    g_main_context_push_thread_default(s->context);
    g_main_loop_run(s->loop);
    g_main_context_pop_thread_default(s->context);
    return NULL;
}

static bool in_use; /* [main] */

VncServer *vnc_server_new(const char *text, const char *name, GError **error)
{
    VncServer *s;

    if (in_use) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT, "there already is a VNC server");
        return NULL;
    }
    in_use = true;
    s = g_new0(VncServer, 1);
    s->listener.fd = -1;
    s->name = g_strdup_printf("Humpy%s%s%s", name != NULL ? " (" : "", name != NULL ? name : "",
                              name != NULL ? ")" : "");
    pthread_mutex_init(&s->view_lock, NULL);
    pixman_region32_init(&s->pointer);
    s->context = g_main_context_new();
    s->loop = g_main_loop_new(s->context, FALSE);
    if (!vnc_listen(&s->listener, text, error) || !make_screen(s, error)) {
        vnc_server_free(s);
        return NULL;
    }
    s->redraw = g_source_new(&redraw_funcs, sizeof(GSource));
    g_source_set_callback(s->redraw, redraw, s, NULL);
    g_source_attach(s->redraw, s->context);
    s->accept = g_unix_fd_source_new(s->listener.fd, G_IO_IN);
    g_source_set_callback(s->accept, G_SOURCE_FUNC(accept_client), s, NULL);
    g_source_attach(s->accept, s->context);
    console_set_watcher(follow_first_console, s);
    follow_first_console(s);
    s->thread = g_thread_new("vnc", run, s);
    return s;
}

static void stop(void *opaque)
{
    g_main_loop_quit(opaque);
}

static void stop_thread(VncServer *s)
{
    console_set_watcher(NULL, NULL);
    later(s->context, stop, s->loop, NULL); /* also if the loop does not run yet */
    g_thread_join(s->thread);
    console_view_free(s->view);
}

void vnc_server_free(VncServer *s)
{
    if (s == NULL) {
        return;
    }
    in_use = false;
    if (s->thread != NULL) {
        stop_thread(s);
    }
    if (s->screen != NULL) {
        rfbShutdownServer(s->screen, TRUE);
        s->screen->frameBuffer = NULL; /* the picture's */
        rfbScreenCleanup(s->screen);
    }
    if (s->accept != NULL) {
        g_source_destroy(s->accept);
        g_source_unref(s->accept);
        g_source_destroy(s->redraw);
        g_source_unref(s->redraw);
    }
    if (s->picture != NULL) {
        pixman_image_unref(s->picture);
    }
    pixman_region32_fini(&s->pointer);
    vnc_listener_clear(&s->listener);
    g_main_loop_unref(s->loop);
    g_main_context_unref(s->context);
    pthread_mutex_destroy(&s->view_lock);
    g_free(s->name);
    g_free(s);
}

const char *vnc_server_host(const VncServer *s)
{
    return s->listener.host;
}

const char *vnc_server_service(const VncServer *s)
{
    return s->listener.service;
}

const char *vnc_server_family(const VncServer *s)
{
    return s->listener.family;
}

unsigned vnc_server_clients(VncServer *s)
{
    return g_atomic_int_get(&s->n_clients);
}
