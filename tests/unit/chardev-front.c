/* SPDX-License-Identifier: GPL-2.0-or-later
 * See chardev-front.h.
 */
#include "chardev-front.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "util/error.h"

/* ---- the guest's side ---- */

static size_t front_can_receive(void *opaque)
{
    return ((Front *)opaque)->room;
}

static void front_receive(void *opaque, const uint8_t *buf, size_t len)
{
    Front *front = opaque;

    g_assert_cmpuint(len, <=, front->room);
    front->room -= len;
    g_string_append_len(front->received, (const char *)buf, len);
}

static void front_event(void *opaque, ChardevEvent event)
{
    Front *front = opaque;

    front->opened += event == CHARDEV_OPENED;
    front->closed += event == CHARDEV_CLOSED;
    front->breaks += event == CHARDEV_BREAK;
    front->resized += event == CHARDEV_RESIZED;
}

static void front_replaced(void *opaque, Chardev *chr)
{
    ((Front *)opaque)->replaced_by = chr;
}

const ChardevFrontend front_functions = {
    .can_receive = front_can_receive,
    .receive = front_receive,
    .event = front_event,
    .replaced = front_replaced,
};

void front_attach(Front *front, Chardev *chr, size_t room)
{
    GError *error = NULL;

    *front = (Front){ .received = g_string_new(NULL), .room = room };
    chardev_attach(chr, &front_functions, front, &error);
    g_assert_no_error(error);
}

void front_finish(Front *front)
{
    chardev_cleanup();
    g_string_free(front->received, TRUE);
}

/* ---- the other side ---- */

Chardev *new_ok(const char *fmt, ...)
{
    g_autofree char *text = NULL;
    GError *error = NULL;
    Chardev *chr;
    va_list ap;

    va_start(ap, fmt);
    text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    chr = chardev_new(text, &error);
    g_assert_no_error(error);
    return chr;
}

void check_error(const char *text, int code, const char *message)
{
    GError *error = NULL;

    g_assert_null(chardev_new(text, &error));
    g_assert_error(error, HUMPY_ERROR, code);
    g_assert_cmpstr(error->message, ==, message);
    g_error_free(error);
}

Chardev *new_server(const char *extra, char **path)
{
    static unsigned n;
    g_autofree char *name = g_strdup_printf("server%u", n);

    *path = path_of(name);
    return new_ok("socket,id=s%u,path=%s,server=on,wait=off%s", n++, *path, extra);
}

static int connect_client(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
    g_assert_cmpint(connect(fd, (struct sockaddr *)&address, sizeof(address)), ==, 0);
    return fd;
}

int connect_and_settle(const char *path, Front *front)
{
    unsigned before = front->opened;
    int fd = connect_client(path);

    iterate_until(&front->opened, before + 1);
    return fd;
}

Chardev *new_served(const char *extra, Front *front, size_t room, Fd *client)
{
    g_autofree char *path = NULL;
    Chardev *chr = new_server(extra, &path);

    front_attach(front, chr, room);
    *client = connect_and_settle(path, front);
    return chr;
}

void put(int fd, const char *text)
{
    g_assert_cmpint(write(fd, text, strlen(text)), ==, strlen(text));
}

/* ---- the loop ---- */

void run_until_received(Front *front, size_t len)
{
    while (front->received->len < len) {
        g_main_context_iteration(NULL, TRUE);
    }
}

void iterate_until(const unsigned *count, unsigned wanted)
{
    while (*count < wanted) {
        g_main_context_iteration(NULL, TRUE);
    }
}

void iterate_while_busy(void)
{
    while (g_main_context_iteration(NULL, FALSE)) {
    }
}

/* ---- main ---- */

int test_chardevs(int argc, char **argv, void (*add_tests)(void))
{
    int status;

    g_test_init(&argc, &argv, NULL);
    scratch_make("chardev");
    add_tests();
    status = g_test_run();
    chardev_cleanup();
    scratch_remove();
    return status;
}
