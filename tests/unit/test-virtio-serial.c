/* SPDX-License-Identifier: GPL-2.0-or-later
 * The console device (virtio 1.2, section 5.3): control messages, bytes both ways, ports that come
 * and go, drivers that break rules.
 */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "chardev/chardev.h"
#include "expect-read.h"
#include "hw/core/bus.h"
#include "util/error.h"
#include "util/event.h"
#include "virtio-driver.h"

enum {
    P0_IN,
    P0_OUT,
    C_IN,
    C_OUT,
    P1_IN,
    P1_OUT,

    DEVICE_READY = 0,
    PORT_ADD,
    PORT_REMOVE,
    PORT_READY,
    CONSOLE_PORT,
    RESIZE,
    PORT_OPEN,
    PORT_NAME,

    F_SIZE = 0,
    F_MULTIPORT = 1,
    CONTROL_BUFFER = 64,
};

static char *scratch;

/* ---- helpers ---- */

/* A socket back end called id, and its peer. */
static int socket_chardev(const char *id)
{
    g_autofree char *path = g_build_filename(scratch, id, NULL);
    g_autofree char *text = g_strdup_printf("socket,id=%s,path=%s,server=on,wait=off", id, path);
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    GError *error = NULL;

    g_assert_nonnull(chardev_new(text, &error));
    g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
    g_assert_cmpint(connect(fd, (struct sockaddr *)&address, sizeof(address)), ==, 0);
    return fd;
}

static Bus *serial_bus(void)
{
    GError *error = NULL;
    Bus *bus = bus_find_free("virtio-serial-bus", &error);

    g_assert_no_error(error);
    return bus;
}

static bool plug_port(const char *type, const char *id, const char *const *props, GError **error)
{
    g_autoptr(Device) dev = device_new(type, error);

    device_set_id(dev, id);
    for (; props != NULL && *props != NULL; props++) {
        g_auto(GStrv) parts = g_strsplit(*props, "=", 2);

        g_assert_true(props_set_str(G_OBJECT(dev), parts[0], parts[1], NULL));
    }
    return bus_add_device(serial_bus(), dev, error);
}

static void plug_port_ok(const char *type, const char *id, const char *const *props)
{
    g_autoptr(GError) error = NULL;

    plug_port(type, id, props, &error);
    g_assert_no_error(error);
}

static Guest *serial_guest(const GuestKind *kind, const char *const *props)
{
    Guest *g = guest_new(kind);

    guest_plug_ok(g, "virtio-serial-device", props);
    return g;
}

static void serial_guest_free(Guest *g)
{
    guest_free(g);
    chardev_cleanup();
}

/* ---- control ---- */

static void offer_control(Guest *g, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        uint64_t at = guest_alloc(g, CONTROL_BUFFER, 8);

        guest_publish(g, C_IN, guest_chain(g, C_IN, &(Buf){ at, CONTROL_BUFFER, true }, 1));
    }
    guest_notify(g, C_IN);
}

static void say(Guest *g, uint32_t port, uint16_t event, uint16_t value)
{
    uint64_t at = guest_alloc(g, 8, 8);
    uint8_t *m = guest_ptr(g, at);

    memcpy(m, &(uint32_t){ GUINT32_TO_LE(port) }, 4);
    memcpy(m + 4, &(uint16_t){ GUINT16_TO_LE(event) }, 2);
    memcpy(m + 6, &(uint16_t){ GUINT16_TO_LE(value) }, 2);
    guest_submit(g, C_OUT, &(Buf){ at, 8, false }, 1);
    guest_wait(g, C_OUT);
}

/* The next control message is this one; text is what follows it, or NULL. */
static void expect(Guest *g, uint32_t port, uint16_t event, uint16_t value, const char *text)
{
    Used used = guest_wait(g, C_IN);
    uint64_t at;
    const uint8_t *m;

    memcpy(&at, guest_ptr(g, g->queues[C_IN].desc + used.id * 16), 8);
    m = guest_ptr(g, at);
    g_assert_cmpuint(m[0] | m[1] << 8 | m[2] << 16, ==, port);
    g_assert_cmpuint(m[4] | m[5] << 8, ==, event);
    g_assert_cmpuint(m[6] | m[7] << 8, ==, value);
    g_assert_cmpuint(used.len, ==, 8 + (text != NULL ? strlen(text) + 1 : 0));
    if (text != NULL) {
        g_assert_cmpstr((const char *)m + 8, ==, text);
    }
}

static void expect_nothing(Guest *g)
{
    guest_barrier(g);
    g_assert_cmpuint(guest_used_idx(g, C_IN), ==, g->queues[C_IN].used_taken);
}

/* A driver that knows of all ports. */
static void start(Guest *g)
{
    guest_start(g, UINT64_MAX);
    offer_control(g, 16);
    say(g, UINT32_MAX, DEVICE_READY, 1);
}

static void open_port(Guest *g, unsigned nr)
{
    expect(g, nr, PORT_ADD, 1, NULL);
    say(g, nr, PORT_READY, 1);
    say(g, nr, PORT_OPEN, 1);
}

static void settle(void)
{
    while (g_main_context_iteration(NULL, FALSE)) {
    }
}

static uint64_t text_buffer(Guest *g, const char *text)
{
    uint64_t at = guest_alloc(g, strlen(text), 1);

    memcpy(guest_ptr(g, at), text, strlen(text));
    return at;
}

/* Input of a port arrives in its queue while the main loop runs. */
static void wait_used(Guest *g, unsigned queue)
{
    while (guest_used_idx(g, queue) == g->queues[queue].used_taken) {
        g_main_context_iteration(NULL, FALSE);
        g_thread_yield();
    }
}

/* ---- tests ---- */

static void test_ports_are_announced(gconstpointer kind)
{
    Guest *g = serial_guest(kind, NULL);
    int fd = socket_chardev("c0");

    plug_port_ok("virtconsole", NULL, (const char *[]){ "chardev=c0", NULL });
    plug_port_ok("virtserialport", "p1", (const char *[]){ "name=org.test", NULL });
    g_assert_cmpuint(guest_rd(g, R_DEVICE_ID), ==, 3);
    g_assert_cmpuint(guest_rd(g, R_CONFIG + 4), ==, 31);
    start(g);
    expect(g, 0, PORT_ADD, 1, NULL);
    expect(g, 1, PORT_ADD, 1, NULL);
    say(g, 0, PORT_READY, 1);
    expect(g, 0, CONSOLE_PORT, 1, NULL);
    expect(g, 0, PORT_OPEN, 1, NULL);
    say(g, 1, PORT_READY, 1);
    expect(g, 1, PORT_NAME, 1, "org.test");
    expect_nothing(g);
    close(fd);
    serial_guest_free(g);
}

static void test_output_reaches_the_chardev(gconstpointer kind)
{
    Guest *g = serial_guest(kind, NULL);
    int fd = socket_chardev("c0"), fd1 = socket_chardev("c1");
    uint64_t at = text_buffer(g, "to the host");
    Buf bufs[] = { { at, 3, false }, { at + 3, 8, false } };

    settle();
    plug_port_ok("virtconsole", NULL, (const char *[]){ "chardev=c0", NULL });
    plug_port_ok("virtserialport", NULL, (const char *[]){ "chardev=c1", NULL });
    start(g);
    guest_submit(g, P0_OUT, bufs, 2);
    guest_wait(g, P0_OUT);
    expect_read(fd, "to the host");
    guest_submit(g, P1_OUT, bufs, 2);
    guest_wait(g, P1_OUT);
    expect_read(fd1, "to the host");
    close(fd);
    close(fd1);
    serial_guest_free(g);
}

static void test_input_waits_for_an_open_port(gconstpointer kind)
{
    Guest *g = serial_guest(kind, NULL);
    int fd = socket_chardev("c1");
    uint64_t at = guest_alloc(g, 64, 1);

    plug_port_ok("virtserialport", NULL, (const char *[]){ "chardev=c1", NULL });
    start(g);
    guest_submit(g, P1_IN, &(Buf){ at, 4, true }, 1);
    guest_submit(g, P1_IN, &(Buf){ at + 4, 32, true }, 1);
    g_assert_cmpint(write(fd, "abcdefg", 7), ==, 7);
    settle();
    guest_barrier(g);
    g_assert_cmpuint(guest_used_idx(g, P1_IN), ==, 0);
    open_port(g, 1);
    wait_used(g, P1_IN);
    g_assert_cmpuint(guest_poll(g, P1_IN).len, ==, 4);
    g_assert_cmpuint(guest_poll(g, P1_IN).len, ==, 3);
    g_assert_cmpmem(guest_ptr(g, at), 7, "abcdefg", 7);
    close(fd);
    serial_guest_free(g);
}

static void test_without_control_port_0_is_open(gconstpointer kind)
{
    Guest *g = serial_guest(kind, NULL);
    int fd = socket_chardev("c0");
    uint64_t at = guest_alloc(g, 64, 1);

    plug_port_ok("virtconsole", NULL, (const char *[]){ "chardev=c0", NULL });
    guest_start(g, ~(1ull << F_MULTIPORT));
    guest_submit(g, P0_IN, &(Buf){ at, 32, true }, 1);
    g_assert_cmpint(write(fd, "hi", 2), ==, 2);
    wait_used(g, P0_IN);
    g_assert_cmpuint(guest_poll(g, P0_IN).len, ==, 2);
    close(fd);
    serial_guest_free(g);
}

/* A console on a pseudo terminal, whose user's end it returns. */
static int terminal_console(void)
{
    g_autoptr(GError) error = NULL;
    Chardev *chr = chardev_new("pty,id=t0", &error);
    int fd;

    g_assert_no_error(error);
    fd = open(chardev_pty_path(chr), O_RDWR | O_NOCTTY | O_CLOEXEC);
    g_assert_cmpint(fd, >=, 0);
    plug_port_ok("virtconsole", NULL, (const char *[]){ "chardev=t0", NULL });
    return fd;
}

static void set_size(int fd, unsigned columns, unsigned rows)
{
    struct winsize size = { .ws_col = columns, .ws_row = rows };

    g_assert_cmpint(ioctl(fd, TIOCSWINSZ, &size), ==, 0);
}

/* Section 5.3.6.2: RESIZE is followed by columns and rows, 16 bits each. */
static void expect_resize(Guest *g, unsigned columns, unsigned rows)
{
    Used used = guest_wait(g, C_IN);
    uint64_t at;
    const uint8_t *m;

    memcpy(&at, guest_ptr(g, g->queues[C_IN].desc + used.id * 16), 8);
    m = guest_ptr(g, at);
    g_assert_cmpuint(used.len, ==, 12);
    g_assert_cmpuint(m[4] | m[5] << 8, ==, RESIZE);
    g_assert_cmpuint(m[8] | m[9] << 8, ==, columns);
    g_assert_cmpuint(m[10] | m[11] << 8, ==, rows);
}

static void test_size_by_control_queue(gconstpointer kind)
{
    Guest *g = serial_guest(kind, NULL);
    int fd = terminal_console();

    set_size(fd, 132, 50);
    settle();
    start(g);
    expect(g, 0, PORT_ADD, 1, NULL);
    say(g, 0, PORT_READY, 1);
    expect(g, 0, CONSOLE_PORT, 1, NULL);
    expect_resize(g, 132, 50);
    expect(g, 0, PORT_OPEN, 1, NULL);
    say(g, 0, PORT_OPEN, 1);
    set_size(fd, 80, 25);
    g_assert_cmpint(write(fd, "x", 1), ==, 1); /* a key: the size is looked at */
    settle();
    expect_resize(g, 80, 25);
    g_assert_cmpint(write(fd, "y", 1), ==, 1);
    settle();
    expect_nothing(g);
    close(fd);
    serial_guest_free(g);
}

static void test_size_by_configuration(gconstpointer kind)
{
    Guest *g = serial_guest(kind, NULL);
    int fd = terminal_console();

    g_assert_cmphex(guest_offered(g) & 1ull << F_SIZE, !=, 0);
    g_assert_cmphex(guest_rd(g, R_CONFIG), ==, 0); /* nobody has said */
    set_size(fd, 132, 50);
    settle();
    g_assert_cmphex(guest_rd(g, R_CONFIG), ==, 132 | 50 << 16);
    guest_start(g, ~(1ull << F_MULTIPORT));
    set_size(fd, 80, 25);
    g_assert_cmpint(write(fd, "x", 1), ==, 1);
    settle();
    guest_wait_isr(g, ISR_CONFIG);
    g_assert_cmphex(guest_rd(g, R_CONFIG), ==, 80 | 25 << 16);
    close(fd);
    serial_guest_free(g);
}

static void test_slow_reader_is_waited_for(void)
{
    Guest *g = serial_guest(&guest_kinds[0], NULL);
    int fd = socket_chardev("c1");
    uint64_t at = guest_alloc(g, 1 << 20, 1);
    size_t total = 0;
    uint8_t buf[4096];

    settle();
    plug_port_ok("virtserialport", NULL, (const char *[]){ "chardev=c1", NULL });
    start(g);
    guest_fill(g, at, 'x', 1 << 20);
    guest_submit(g, P1_OUT, &(Buf){ at, 1 << 20, false }, 1); /* more than a socket takes */
    guest_barrier(g);
    g_assert_cmpuint(guest_used_idx(g, P1_OUT), ==, 0);
    while (total < 1 << 20) {
        ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);

        g_main_context_iteration(NULL, FALSE);
        for (ssize_t i = 0; i < n; i++) {
            g_assert_cmpint(buf[i], ==, 'x');
        }
        total += MAX(n, 0);
    }
    guest_wait(g, P1_OUT);
    close(fd);
    serial_guest_free(g);
}

static void test_peer_that_leaves_frees_the_buffer(void)
{
    Guest *g = serial_guest(&guest_kinds[0], NULL);
    int fd = socket_chardev("c1");
    uint64_t at = guest_alloc(g, 1 << 20, 1);

    settle();
    plug_port_ok("virtserialport", NULL, (const char *[]){ "chardev=c1", NULL });
    start(g);
    open_port(g, 1);
    expect(g, 1, PORT_OPEN, 1, NULL);
    guest_submit(g, P1_OUT, &(Buf){ at, 1 << 20, false }, 1);
    guest_barrier(g);
    close(fd);
    wait_used(g, P1_OUT);
    expect(g, 1, PORT_OPEN, 0, NULL);
    serial_guest_free(g);
}

static void test_reset_amid_output(void)
{
    Guest *g = serial_guest(&guest_kinds[0], NULL);
    int fd = socket_chardev("c1");
    uint64_t at = guest_alloc(g, 1 << 20, 1);

    settle();
    plug_port_ok("virtserialport", NULL, (const char *[]){ "chardev=c1", NULL });
    start(g);
    guest_submit(g, P1_OUT, &(Buf){ at, 1 << 20, false }, 1);
    guest_barrier(g);
    g->next_free = at + (1 << 20);
    start(g);
    expect(g, 1, PORT_ADD, 1, NULL);
    close(fd);
    serial_guest_free(g);
}

static void test_unplug_amid_output(void)
{
    Guest *g = serial_guest(&guest_kinds[0], NULL);
    int fd = socket_chardev("c1");
    uint64_t at = guest_alloc(g, 1 << 20, 1);

    settle();
    plug_port_ok("virtserialport", "p1", (const char *[]){ "chardev=c1", NULL });
    start(g);
    open_port(g, 1);
    expect(g, 1, PORT_OPEN, 1, NULL);
    guest_submit(g, P1_OUT, &(Buf){ at, 1 << 20, false }, 1);
    guest_barrier(g);
    bus_remove_device(serial_bus(), bus_device(serial_bus(), 0));
    guest_wait(g, P1_OUT);
    expect(g, 1, PORT_REMOVE, 1, NULL);
    guest_submit(g, P1_OUT, &(Buf){ at, 16, false }, 1); /* to a port that is no more */
    guest_wait(g, P1_OUT);
    plug_port_ok("virtserialport", "p1", (const char *[]){ "chardev=c1", NULL });
    expect(g, 1, PORT_ADD, 1, NULL);
    close(fd);
    serial_guest_free(g);
}

static void test_port_that_never_was_is_not_removed(void)
{
    Guest *g = serial_guest(&guest_kinds[0], NULL);

    guest_start(g, UINT64_MAX);
    say(g, UINT32_MAX, DEVICE_READY, 1);
    plug_port_ok("virtserialport", NULL, NULL);
    bus_remove_device(serial_bus(), bus_device(serial_bus(), 0));
    offer_control(g, 2);
    expect_nothing(g);
    serial_guest_free(g);
}

static void test_asking_without_end_costs_nothing(void)
{
    Guest *g = serial_guest(&guest_kinds[0], NULL);

    plug_port_ok("virtserialport", NULL, (const char *[]){ "name=n", NULL });
    guest_start(g, UINT64_MAX);
    for (unsigned i = 0; i < 1000; i++) {
        say(g, 1, PORT_READY, 1);
    }
    offer_control(g, 16);
    expect(g, 1, PORT_NAME, 1, "n");
    expect_nothing(g);
    serial_guest_free(g);
}

static void test_odd_messages_are_answered(void)
{
    Guest *g = serial_guest(&guest_kinds[0], NULL);
    uint64_t at = guest_alloc(g, 64, 8);

    guest_fill(g, at, 0xff, 64);
    start(g);
    say(g, 31, PORT_OPEN, 1);
    say(g, UINT32_MAX, PORT_READY, 1);
    say(g, 3, 0xffff, 1);
    guest_submit(g, C_OUT, &(Buf){ at, 7, false }, 1);
    guest_wait(g, C_OUT);
    guest_submit(g, C_OUT, &(Buf){ at, 64, true }, 1);
    guest_wait(g, C_OUT);
    guest_submit(g, C_OUT, &(Buf){ at, 64, false }, 1);
    guest_wait(g, C_OUT);
    expect_nothing(g);
    serial_guest_free(g);
}

static void test_emergency_write(gconstpointer kind)
{
    Guest *g = serial_guest(kind, NULL);
    int fd = socket_chardev("c0");

    settle();
    plug_port_ok("virtserialport", NULL, NULL);
    plug_port_ok("virtconsole", NULL, (const char *[]){ "chardev=c0", NULL });
    guest_wr(g, R_CONFIG + 8, 'o'); /* no driver runs */
    guest_start(g, UINT64_MAX);
    guest_wr(g, R_CONFIG + 8, 'k');
    expect_read(fd, "ok");
    g_assert_cmpuint(guest_rd(g, R_CONFIG + 8), ==, 0);
    close(fd);
    serial_guest_free(g);
}

static char *last_event;

static void event_seen(const char *name, JsonObject *data, void *opaque)
{
    g_free(last_event);
    last_event = g_strdup_printf("%s %s %d", name, json_object_get_string_member(data, "id"),
                                 json_object_get_boolean_member(data, "open"));
}

static void test_events_tell_open_and_closed(void)
{
    Guest *g = serial_guest(&guest_kinds[0], NULL);

    plug_port_ok("virtserialport", "p1", NULL);
    event_set_listener(event_seen, NULL);
    start(g);
    open_port(g, 1);
    g_assert_cmpstr(last_event, ==, "VSERPORT_CHANGE p1 1");
    say(g, 1, PORT_OPEN, 0);
    g_assert_cmpstr(last_event, ==, "VSERPORT_CHANGE p1 0");
    say(g, 1, PORT_OPEN, 1);
    guest_wr(g, R_STATUS, 0);
    g_assert_cmpstr(last_event, ==, "VSERPORT_CHANGE p1 0");
    event_set_listener(NULL, NULL);
    g_clear_pointer(&last_event, g_free);
    serial_guest_free(g);
}

static void check_refused(const char *type, const char *prop, const char *message)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(plug_port(type, NULL, (const char *[]){ prop, NULL }, &error));
    g_assert_cmpstr(error->message, ==, message);
}

static void test_errors_name_the_cause(void)
{
    Guest *g = serial_guest(&guest_kinds[0], (const char *[]){ "max_ports=2", NULL });

    plug_port_ok("virtserialport", NULL, NULL);
    check_refused("virtserialport", "nr=0", "nr 0 is for a virtconsole");
    check_refused("virtserialport", "nr=1", "nr 1 is taken by another port");
    check_refused("virtserialport", "nr=2", "nr is 2 but must be 0 to 1");
    check_refused("virtserialport", "name=x", "all 2 port numbers of the device are taken");
    check_refused("virtconsole", "chardev=no", "there is no chardev with id 'no'");
    plug_port_ok("virtconsole", NULL, NULL);
    serial_guest_free(g);
}

int main(int argc, char **argv)
{
    int status;

    g_test_init(&argc, &argv, NULL);
    scratch = g_dir_make_tmp("humpy-serial-XXXXXX", NULL);
    guest_add_test("/virtio-serial", "ports-are-announced", test_ports_are_announced);
    guest_add_test("/virtio-serial", "output-reaches-the-chardev", test_output_reaches_the_chardev);
    guest_add_test("/virtio-serial", "input-waits-for-an-open-port",
                   test_input_waits_for_an_open_port);
    guest_add_test("/virtio-serial", "without-control-port-0-is-open",
                   test_without_control_port_0_is_open);
    guest_add_test("/virtio-serial", "size-by-control-queue", test_size_by_control_queue);
    guest_add_test("/virtio-serial", "size-by-configuration", test_size_by_configuration);
    guest_add_test("/virtio-serial", "emergency-write", test_emergency_write);
    g_test_add_func("/virtio-serial/slow-reader-is-waited-for", test_slow_reader_is_waited_for);
    g_test_add_func("/virtio-serial/peer-that-leaves-frees-the-buffer",
                    test_peer_that_leaves_frees_the_buffer);
    g_test_add_func("/virtio-serial/reset-amid-output", test_reset_amid_output);
    g_test_add_func("/virtio-serial/unplug-amid-output", test_unplug_amid_output);
    g_test_add_func("/virtio-serial/port-that-never-was-is-not-removed",
                    test_port_that_never_was_is_not_removed);
    g_test_add_func("/virtio-serial/asking-without-end-costs-nothing",
                    test_asking_without_end_costs_nothing);
    g_test_add_func("/virtio-serial/odd-messages-are-answered", test_odd_messages_are_answered);
    g_test_add_func("/virtio-serial/events-tell-open-and-closed", test_events_tell_open_and_closed);
    g_test_add_func("/virtio-serial/errors-name-the-cause", test_errors_name_the_cause);
    status = g_test_run();
    g_rmdir(scratch);
    g_free(scratch);
    return status;
}
