/* SPDX-License-Identifier: GPL-2.0-or-later
 * The VNC server, from a client's side of RFC 6143.
 */
#include "display/vnc.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <linux/input-event-codes.h>
#include <netinet/in.h>
#include <rfb/keysym.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "display/display.h"
#include "display/input.h"
#include "util/error.h"

#define RED 0xff0000u

typedef struct {
    char *dir, *path, *option;
    VncServer *server;
    int fd;
    unsigned width, height;
} Bench;

static void set_up(Bench *b, gconstpointer data)
{
    b->dir = g_dir_make_tmp("vnc-XXXXXX", NULL);
    b->path = g_build_filename(b->dir, "socket", NULL);
    b->option = g_strconcat("unix:", b->path, NULL);
    b->server = vnc_server_new(b->option, "test", NULL);
    g_assert_nonnull(b->server);
    b->fd = -1;
}

static void tear_down(Bench *b, gconstpointer data)
{
    if (b->fd >= 0) {
        close(b->fd);
    }
    vnc_server_free(b->server);
    g_assert_false(g_file_test(b->path, G_FILE_TEST_EXISTS));
    g_rmdir(b->dir);
    g_free(b->dir);
    g_free(b->path);
    g_free(b->option);
}

static void get(Bench *b, void *buf, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = read(b->fd, (char *)buf + done, len - done);

        g_assert_cmpint(n, >, 0);
        done += n;
    }
}

static void put(Bench *b, const void *buf, size_t len)
{
    g_assert_cmpint(write(b->fd, buf, len), ==, len);
}

static unsigned get16(Bench *b)
{
    uint8_t bytes[2];

    get(b, bytes, 2);
    return bytes[0] << 8 | bytes[1];
}

static unsigned get32(Bench *b)
{
    unsigned high = get16(b);

    return high << 16 | get16(b);
}

static int dial(Bench *b)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    strcpy(addr.sun_path, b->path);
    g_assert_cmpint(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), ==, 0);
    return fd;
}

/* Sections 7.1 to 7.3.2, then pixels as we like them and encodings Raw and DesktopSize. */
static void greet(Bench *b)
{
    static const uint8_t format[20] = { 0, 0,   0, 0,   32, 24, 0, 1, 0, 255,
                                        0, 255, 0, 255, 16, 8,  0, 0, 0, 0 };
    static const uint8_t encodings[] = { 2, 0, 0, 2, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0x21 };
    char text[64];
    uint8_t n;

    b->fd = dial(b);
    get(b, text, 12);
    g_assert_cmpmem(text, 4, "RFB ", 4);
    put(b, "RFB 003.008\n", 12);
    get(b, &n, 1);
    g_assert_cmpuint(n, >=, 1);
    get(b, text, n);
    g_assert_nonnull(memchr(text, 1, n)); /* None */
    put(b, "\1", 1);
    g_assert_cmpuint(get32(b), ==, 0);
    put(b, "\1", 1); /* shared */
    b->width = get16(b);
    b->height = get16(b);
    get(b, text, 16);
    g_assert_cmpuint(get32(b), ==, strlen("Humpy (test)"));
    get(b, text, strlen("Humpy (test)"));
    put(b, format, sizeof(format));
    put(b, encodings, sizeof(encodings));
}

static void request(Bench *b, bool incremental)
{
    uint8_t msg[10] = { 3,        incremental,    0,        0, 0, 0, b->width >> 8,
                        b->width, b->height >> 8, b->height };

    put(b, msg, sizeof(msg));
}

/* Reads one update; pixel (x, y) if it is in there goes to *rgb. */
static void update(Bench *b, unsigned x, unsigned y, uint32_t *rgb)
{
    uint8_t head[2];
    unsigned n;

    get(b, head, 2);
    g_assert_cmpuint(head[0], ==, 0);
    n = get16(b);
    for (unsigned i = 0; i < n; i++) {
        unsigned rx = get16(b), ry = get16(b), rw = get16(b), rh = get16(b);
        int encoding = get32(b);

        if (encoding == -223) {
            b->width = rw;
            b->height = rh;
            continue;
        }
        g_assert_cmpint(encoding, ==, 0);
        for (unsigned row = 0; row < rh; row++) {
            g_autofree uint32_t *pixels = g_new(uint32_t, rw);

            get(b, pixels, rw * 4);
            if (row + ry == y && x >= rx && x < rx + rw) {
                *rgb = pixels[x - rx] & 0xffffff;
            }
        }
    }
}

/* Follows the picture until pixel (x, y) is rgb. */
static void until(Bench *b, unsigned x, unsigned y, uint32_t rgb)
{
    uint32_t got = ~rgb;

    request(b, false);
    update(b, x, y, &got);
    while (got != rgb) {
        request(b, true);
        update(b, x, y, &got);
    }
}

static void draw(Console *con, int x, int y, int w, int h, uint32_t rgb)
{
    pixman_image_t *src = pixman_image_create_bits(PIXMAN_x8r8g8b8, w, h, NULL, 0);
    uint32_t *data = pixman_image_get_data(src);

    for (int i = 0; i < w * h; i++) {
        data[i] = rgb;
    }
    console_draw(con, src, 0, 0, x, y, w, h);
    pixman_image_unref(src);
}

/* ---- rules ---- */

static void shows_the_console(Bench *b, gconstpointer data)
{
    Console *con = console_new("gpu", 0, NULL, NULL);

    draw(con, 10, 10, 5, 5, RED);
    greet(b);
    g_assert_cmpuint(b->width, ==, 640);
    g_assert_cmpuint(b->height, ==, 480);
    until(b, 12, 12, RED);
    draw(con, 100, 100, 5, 5, 0x123456);
    until(b, 104, 104, 0x123456);
    console_free(con);
}

static void follows_a_new_size(Bench *b, gconstpointer data)
{
    Console *con = console_new("gpu", 0, NULL, NULL);

    greet(b);
    until(b, 0, 0, 0);
    g_assert_true(console_resize(con, 200, 100));
    draw(con, 199, 99, 1, 1, RED);
    until(b, 199, 99, RED);
    g_assert_cmpuint(b->width, ==, 200);
    g_assert_cmpuint(b->height, ==, 100);
    console_free(con);
}

static void draws_the_pointer(Bench *b, gconstpointer data)
{
    g_autofree uint32_t *shape = g_new0(uint32_t, CONSOLE_CURSOR_SIDE * CONSOLE_CURSOR_SIDE);
    Console *con = console_new("gpu", 0, NULL, NULL);

    shape[0] = 0xff00ff00;
    greet(b);
    console_set_cursor(con, shape, 0, 0);
    console_move_cursor(con, 50, 60);
    until(b, 50, 60, 0x00ff00);
    console_move_cursor(con, 70, 80);
    until(b, 70, 80, 0x00ff00);
    until(b, 50, 60, 0);
    console_free(con);
}

static void a_machine_may_come_again(Bench *b, gconstpointer data)
{
    Console *con = console_new("gpu", 0, NULL, NULL);

    greet(b);
    draw(con, 0, 0, 1, 1, RED);
    until(b, 0, 0, RED);
    console_free(con);
    con = console_new("gpu", 0, NULL, NULL);
    draw(con, 0, 0, 1, 1, 0x1234);
    until(b, 0, 0, 0x1234);
    console_free(con);
}

typedef struct {
    GArray *events; /* of InputEvent */
} Heard;

static void hear(void *opaque, const InputEvent *events, unsigned n)
{
    g_array_append_vals(((Heard *)opaque)->events, events, n);
}

static void wait_for(Heard *h, unsigned n)
{
    while (h->events->len < n) {
        g_main_context_iteration(NULL, TRUE);
    }
}

static void assert_event(Heard *h, unsigned i, unsigned type, unsigned code, int value)
{
    const InputEvent *e = &g_array_index(h->events, InputEvent, i);

    g_assert_cmpint(e->type, ==, type);
    g_assert_cmpint(e->code, ==, code);
    g_assert_cmpint(e->value, ==, value);
}

static void key(Bench *b, bool down, uint32_t keysym)
{
    uint8_t msg[8] = { 4, down, 0, 0, keysym >> 24, keysym >> 16, keysym >> 8, keysym };

    put(b, msg, sizeof(msg));
}

static void pointer(Bench *b, unsigned buttons, unsigned x, unsigned y)
{
    uint8_t msg[6] = { 5, buttons, x >> 8, x, y >> 8, y };

    put(b, msg, sizeof(msg));
}

static void keys_arrive(Bench *b, gconstpointer data)
{
    Heard h = { g_array_new(FALSE, FALSE, sizeof(InputEvent)) };
    InputSink *sink = input_sink_new(INPUT_KEYS, hear, &h);

    greet(b);
    key(b, true, XK_Shift_L);
    key(b, true, XK_A);
    key(b, true, 0xdeadbeef); /* no such key */
    key(b, false, XK_A);
    key(b, true, XK_F12);
    key(b, true, XK_question);
    wait_for(&h, 5);
    assert_event(&h, 0, EV_KEY, KEY_LEFTSHIFT, 1);
    assert_event(&h, 1, EV_KEY, KEY_A, 1);
    assert_event(&h, 2, EV_KEY, KEY_A, 0);
    assert_event(&h, 3, EV_KEY, KEY_F12, 1);
    assert_event(&h, 4, EV_KEY, KEY_SLASH, 1);
    input_sink_free(sink);
    g_array_unref(h.events);
}

static void pointer_is_absolute(Bench *b, gconstpointer data)
{
    Heard h = { g_array_new(FALSE, FALSE, sizeof(InputEvent)) };
    InputSink *sink = input_sink_new(INPUT_ABS, hear, &h);

    greet(b);
    pointer(b, 1, 639, 0);
    wait_for(&h, 3);
    assert_event(&h, 0, EV_ABS, ABS_X, INPUT_ABS_MAX);
    assert_event(&h, 1, EV_ABS, ABS_Y, 0);
    assert_event(&h, 2, EV_KEY, BTN_LEFT, 1);
    pointer(b, 8, 65535, 65535); /* released, wheel up, far outside */
    wait_for(&h, 7);
    assert_event(&h, 3, EV_ABS, ABS_X, INPUT_ABS_MAX);
    assert_event(&h, 4, EV_ABS, ABS_Y, INPUT_ABS_MAX);
    assert_event(&h, 5, EV_KEY, BTN_LEFT, 0);
    assert_event(&h, 6, EV_REL, REL_WHEEL, 1);
    input_sink_free(sink);
    g_array_unref(h.events);
}

static void pointer_is_relative(Bench *b, gconstpointer data)
{
    Heard h = { g_array_new(FALSE, FALSE, sizeof(InputEvent)) };
    InputSink *sink = input_sink_new(INPUT_REL, hear, &h);

    greet(b);
    pointer(b, 0, 10, 20);
    wait_for(&h, 2);
    pointer(b, 4, 7, 20);
    wait_for(&h, 4);
    assert_event(&h, 2, EV_REL, REL_X, -3);
    assert_event(&h, 3, EV_KEY, BTN_RIGHT, 1);
    input_sink_free(sink);
    g_array_unref(h.events);
}

/* A client that talks nonsense, and too many of them, are let go; others go on. */
static void bad_clients_are_let_go(Bench *b, gconstpointer data)
{
    int fds[20];
    char byte;

    for (unsigned i = 0; i < G_N_ELEMENTS(fds); i++) {
        fds[i] = dial(b);
        g_assert_cmpint(write(fds[i], "GET / HTTP/1.0\r\n\r\n", 18), ==, 18);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(fds); i++) {
        while (read(fds[i], &byte, 1) == 1) {
        }
        close(fds[i]);
    }
    greet(b);
    put(b, "\xff\xff\xff", 3); /* no such message */
    while (read(b->fd, &byte, 1) == 1) {
    }
    close(b->fd);
    greet(b);
    until(b, 0, 0, 0);
    g_assert_cmpuint(vnc_server_clients(b->server), ==, 1);
}

static void bad_addresses_are_refused(void)
{
    static const struct {
        const char *text;
        HumpyError code;
    } rows[] = {
        { "", HUMPY_ERROR_MISSING },
        { "1", HUMPY_ERROR_SYNTAX },
        { ":x", HUMPY_ERROR_SYNTAX },
        { ":70000", HUMPY_ERROR_SYNTAX },
        { "0.0.0.0:1", HUMPY_ERROR_UNSUPPORTED },
        { "example.org:1", HUMPY_ERROR_UNSUPPORTED },
        { ":5,to=4", HUMPY_ERROR_RANGE },
        { ":5,password=on", HUMPY_ERROR_UNKNOWN },
        { "unix:", HUMPY_ERROR_RANGE },
        { "unix:/nonexistent/x", HUMPY_ERROR_HOST },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        GError *error = NULL;

        g_assert_null(vnc_server_new(rows[i].text, NULL, &error));
        g_assert_error(error, HUMPY_ERROR, (int)rows[i].code);
        g_clear_error(&error);
    }
}

static void second_display_when_the_first_is_taken(void)
{
    struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    g_autofree char *same = NULL, *range = NULL;
    GError *error = NULL;
    VncServer *server;
    unsigned port = 5900 + 5900;

    do {
        addr.sin_port = htons(++port);
    } while (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0);
    g_assert_cmpint(listen(fd, 1), ==, 0);
    same = g_strdup_printf(":%u", port - 5900);
    range = g_strdup_printf("localhost:%u,to=%u", port - 5900, port - 5900 + 1000);
    g_assert_null(vnc_server_new(same, NULL, &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST);
    g_clear_error(&error);
    server = vnc_server_new(range, NULL, NULL);
    g_assert_nonnull(server);
    g_assert_cmpstr(vnc_server_host(server), ==, "127.0.0.1");
    g_assert_cmpint(atoi(vnc_server_service(server)), >, port);
    g_assert_null(vnc_server_new(range, NULL, &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT);
    g_clear_error(&error);
    vnc_server_free(server);
    close(fd);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *rule;
        void (*fn)(Bench *b, gconstpointer data);
    } rules[] = {
        { "picture/shows-the-console", shows_the_console },
        { "picture/follows-a-new-size", follows_a_new_size },
        { "picture/draws-the-pointer", draws_the_pointer },
        { "picture/a-machine-may-come-again", a_machine_may_come_again },
        { "input/keys", keys_arrive },
        { "input/pointer-is-absolute", pointer_is_absolute },
        { "input/pointer-is-relative", pointer_is_relative },
        { "hostile/bad-clients-are-let-go", bad_clients_are_let_go },
    };

    g_test_init(&argc, &argv, NULL);
    signal(SIGPIPE, SIG_IGN);
    for (unsigned i = 0; i < G_N_ELEMENTS(rules); i++) {
        g_autofree char *path = g_strconcat("/vnc/", rules[i].rule, NULL);

        g_test_add(path, Bench, NULL, set_up, rules[i].fn, tear_down);
    }
    g_test_add_func("/vnc/address/bad-ones-are-refused", bad_addresses_are_refused);
    g_test_add_func("/vnc/address/second-when-the-first-is-taken",
                    second_display_when_the_first_is_taken);
    return g_test_run();
}
