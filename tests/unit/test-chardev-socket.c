/* SPDX-License-Identifier: GPL-2.0-or-later
 * Sockets as character back ends, and what a mux takes out of what arrives by one.
 */
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "chardev-front.h"
#include "util/error.h"

/* ---- sockets ---- */

static void test_socket_carries_both_ways(void)
{
    g_autofree char *path = NULL;
    g_auto(Fd) fd = -1;
    Front front;
    Chardev *chr = new_server("", &path);

    front_attach(&front, chr, 100);
    g_assert_cmpuint(front.opened, ==, 0);
    fd = connect_and_settle(path, &front);
    put(fd, "to guest");
    run_until_received(&front, 8);
    g_assert_cmpstr(front.received->str, ==, "to guest");
    g_assert_cmpuint(chardev_write(chr, "to host", 7), ==, 7);
    expect_read(fd, "to host");
    front_finish(&front);
    g_assert_cmpint(g_access(path, F_OK), !=, 0); /* a server takes its socket away */
}

static void test_full_front_end_stops_reading(void)
{
    g_auto(Fd) fd = -1;
    Front front;
    Chardev *chr = new_served("", &front, 3, &fd);

    put(fd, "abcdef");
    run_until_received(&front, 3);
    iterate_while_busy();
    g_assert_cmpstr(front.received->str, ==, "abc");
    front.room = 2;
    chardev_accept_input(chr);
    run_until_received(&front, 5);
    g_assert_cmpstr(front.received->str, ==, "abcde");
    front.room = 2;
    chardev_accept_input(chr);
    run_until_received(&front, 6);
    g_assert_cmpstr(front.received->str, ==, "abcdef");
    front_finish(&front);
}

static gpointer accept_from_thread(gpointer chr)
{
    chardev_accept_input(chr);
    return NULL;
}

static void test_accept_input_from_another_thread(void)
{
    g_auto(Fd) fd = -1;
    Front front;
    Chardev *chr = new_served("", &front, 0, &fd);

    put(fd, "x");
    iterate_while_busy();
    g_assert_cmpuint(front.received->len, ==, 0);
    front.room = 1;
    g_thread_join(g_thread_new("front", accept_from_thread, chr));
    run_until_received(&front, 1);
    front_finish(&front);
}

static void test_server_takes_the_next_client(void)
{
    g_autofree char *path = NULL;
    Front front;
    Chardev *chr = new_server("", &path);

    front_attach(&front, chr, 100);
    for (unsigned round = 1; round <= 2; round++) {
        int fd = connect_and_settle(path, &front);

        close(fd);
        iterate_until(&front.closed, round);
        g_assert_cmpuint(front.opened, ==, round);
        g_assert_cmpuint(chardev_write(chr, "lost", 4), ==, 0);
        g_assert_cmpuint(chardev_dropped(chr), ==, 4 * round);
    }
    front_finish(&front);
}

/* As with a guest that hangs before it takes any input. */
static void test_full_front_end_does_not_keep_a_client(void)
{
    g_autofree char *path = NULL;
    Front front;
    Chardev *chr = new_server("", &path);

    front_attach(&front, chr, 0);
    for (unsigned round = 1; round <= 2; round++) {
        close(connect_and_settle(path, &front));
        iterate_until(&front.closed, round);
    }
    front_finish(&front);
}

/* What it sent before it went is taken first. */
static void test_what_a_client_sent_outlives_it(void)
{
    g_autofree char *path = NULL;
    Front front;
    Chardev *chr = new_server("", &path);
    int fd;

    front_attach(&front, chr, 0);
    fd = connect_and_settle(path, &front);
    put(fd, "last words");
    close(fd);
    while (g_main_context_iteration(NULL, FALSE)) {
    }
    g_assert_cmpuint(front.closed, ==, 0);
    front.room = 100;
    chardev_accept_input(chr);
    run_until_received(&front, strlen("last words"));
    iterate_until(&front.closed, 1);
    front_finish(&front);
}

static gboolean cancel(gpointer opaque)
{
    chardev_cancel_wait();
    return G_SOURCE_REMOVE;
}

/* All addresses of a name are tried: the first that a host has for "localhost" is not the one. */
static void test_client_tries_each_address(void)
{
    struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    socklen_t len = sizeof(address);
    g_auto(Fd) listener = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), peer = -1;
    Chardev *chr;

    if (listener < 0 || bind(listener, (struct sockaddr *)&address, len) != 0) {
        g_test_skip("no IPv6 on this host");
        return;
    }
    g_assert_cmpint(listen(listener, 1), ==, 0);
    g_assert_cmpint(getsockname(listener, (struct sockaddr *)&address, &len), ==, 0);
    chr = new_ok("socket,id=c,host=localhost,port=%u", ntohs(address.sin6_port));
    peer = accept(listener, NULL, NULL);
    g_assert_cmpuint(chardev_write(chr, "abc", 3), ==, 3);
    expect_read(peer, "abc");
    chardev_cleanup();
}

/* Late in the list: a cancelled wait stays cancelled, the program is about to end. */
static void test_wait_can_be_cancelled(void)
{
    g_autofree char *path = path_of("waiting");
    g_autofree char *text = g_strdup_printf("socket,id=w,path=%s,server=on", path);
    GError *error = NULL;

    g_idle_add(cancel, NULL);
    g_test_expect_message(NULL, G_LOG_LEVEL_MESSAGE, "waiting for a connection on *");
    g_assert_null(chardev_new(text, &error));
    g_test_assert_expected_messages();
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT);
    g_error_free(error);
    g_assert_cmpint(g_access(path, F_OK), !=, 0);
}

/* Nobody accepts and the queue of connections is full: TCP tries for minutes. */
static void test_connecting_can_be_cancelled(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(address);
    g_auto(Fd) listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_autofree char *text = NULL, *message = NULL;
    Fd queued[4];

    g_assert_cmpint(bind(listener, (struct sockaddr *)&address, len), ==, 0);
    g_assert_cmpint(listen(listener, 0), ==, 0);
    g_assert_cmpint(getsockname(listener, (struct sockaddr *)&address, &len), ==, 0);
    for (unsigned i = 0; i < G_N_ELEMENTS(queued); i++) {
        queued[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        connect(queued[i], (struct sockaddr *)&address, len);
    }
    text = g_strdup_printf("socket,id=c,host=127.0.0.1,port=%u", ntohs(address.sin_port));
    message = g_strdup_printf("'127.0.0.1:%u' did not answer before the end was asked for",
                              ntohs(address.sin_port));
    g_idle_add(cancel, NULL);
    check_error(text, HUMPY_ERROR_CONFLICT, message);
    for (unsigned i = 0; i < G_N_ELEMENTS(queued); i++) {
        fd_clear(&queued[i]);
    }
}

static void test_client_comes_back(void)
{
    g_autofree char *path = path_of("server-later");
    Chardev *client = new_ok("socket,id=c,path=%s,reconnect=1", path), *server;
    GError *error = NULL;
    Front front;

    front_attach(&front, client, 100);
    for (unsigned i = 1; i <= 2; i++) {
        server = new_ok("socket,id=s,path=%s,server=on,wait=off", path);
        iterate_until(&front.opened, i);
        g_assert_nonnull(server);
        g_assert_true(chardev_remove("s", &error));
        iterate_until(&front.closed, i);
    }
    front_finish(&front);
}

static void test_replaced_one_keeps_its_id(void)
{
    g_autofree char *path = path_of("swap");
    g_autofree char *text = g_strdup_printf("socket,path=%s,server=on,wait=off", path);
    Chardev *chr = new_ok("%s,id=n", text), *other;
    GError *error = NULL;
    Front front;

    front_attach(&front, chr, 1);
    g_assert_null(chardev_replace("n", "ringbuf,size=3", &error)); /* nothing has changed */
    g_clear_error(&error);
    g_assert_true(chardev_find("n") == chr);
    other = chardev_replace("n", text, &error); /* the very same path */
    g_assert_no_error(error);
    g_assert_true(front.replaced_by == other && chardev_find("n") == other);
    g_assert_true(chardev_is_attached(other));
    g_assert_true(g_file_test(path, G_FILE_TEST_EXISTS));
    front_finish(&front);
}

/* ---- mux ---- */

static void quit(void *opaque)
{
    ++*(unsigned *)opaque;
}

static void test_mux_takes_commands_out(void)
{
    g_auto(Fd) fd = -1;
    unsigned quits = 0;
    Front front;

    new_served(",mux=on", &front, 100, &fd);
    chardev_set_quit_handler(quit, &quits);
    put(fd, "a\x01xb\x01\x01"
            "c\x01"
            "bd\x01ze");
    run_until_received(&front, 6);
    g_assert_cmpstr(front.received->str, ==,
                    "ab\x01"
                    "cde");
    g_assert_cmpuint(quits, ==, 1);
    g_assert_cmpuint(front.breaks, ==, 1);
    expect_read(fd, "\r\nHumpy: terminated\r\n");
    put(fd, "\x01"
            "c.");
    run_until_received(&front, 7);
    expect_read(fd, "\a\r\nHumpy: this terminal has no monitor\r\n");
    chardev_set_quit_handler(NULL, NULL);
    front_finish(&front);
}

static void test_mux_quits_when_the_guest_reads_nothing(void)
{
    g_auto(Fd) fd = -1;
    unsigned quits = 0;
    Front front;
    Chardev *chr = new_served(",mux=on", &front, 0, &fd);

    chardev_set_quit_handler(quit, &quits);
    put(fd, "typed\x01x");
    iterate_until(&quits, 1);
    g_assert_cmpuint(front.received->len, ==, 0);
    front.room = 5;
    chardev_accept_input(chr);
    run_until_received(&front, 5);
    g_assert_cmpstr(front.received->str, ==, "typed");
    chardev_set_quit_handler(NULL, NULL);
    front_finish(&front);
}

/* Somebody who gets no answer types a lot before giving up. */
static void test_mux_quits_after_much_typing(void)
{
    g_autofree char *typed = g_strnfill(1000, 'a');
    g_auto(Fd) fd = -1;
    unsigned quits = 0;
    Front front;
    Chardev *chr = new_served(",mux=on", &front, 0, &fd);

    chardev_set_quit_handler(quit, &quits);
    put(fd, typed);
    put(fd, "\x01x");
    iterate_until(&quits, 1);
    front.room = 1000;
    chardev_accept_input(chr);
    run_until_received(&front, 1000);
    g_assert_cmpstr(front.received->str, ==, typed);
    chardev_set_quit_handler(NULL, NULL);
    front_finish(&front);
}

static void test_mux_stamps_each_line(void)
{
    g_auto(Fd) fd = -1;
    Front front;
    Chardev *chr = new_served(",mux=on", &front, 100, &fd);
    char buf[64] = {};
    size_t len = 0;

    put(fd, "\x01t.");
    run_until_received(&front, 1);
    g_assert_cmpuint(chardev_write(chr, "o", 1), ==, 1);
    g_assert_cmpuint(chardev_write(chr, "ne\ntwo", 6), ==, 6);
    while (len < 37) { /* two stamps of 15 bytes */
        ssize_t n = read(fd, buf + len, sizeof(buf) - 1 - len);

        g_assert_cmpint(n, >, 0);
        len += n;
    }
    g_assert_true(g_regex_match_simple("^\\[00:00:\\d\\d\\.\\d{3}\\] one\n"
                                       "\\[00:00:\\d\\d\\.\\d{3}\\] two$",
                                       buf, 0, 0));
    front_finish(&front);
}

static void add_tests(void)
{
    g_test_add_func("/chardev/socket/carries-both-ways", test_socket_carries_both_ways);
    g_test_add_func("/chardev/socket/full-front-end-stops-reading",
                    test_full_front_end_stops_reading);
    g_test_add_func("/chardev/socket/accept-input-from-another-thread",
                    test_accept_input_from_another_thread);
    g_test_add_func("/chardev/socket/takes-the-next-client", test_server_takes_the_next_client);
    g_test_add_func("/chardev/socket/full-front-end-does-not-keep-a-client",
                    test_full_front_end_does_not_keep_a_client);
    g_test_add_func("/chardev/socket/what-a-client-sent-outlives-it",
                    test_what_a_client_sent_outlives_it);
    g_test_add_func("/chardev/socket/client-comes-back", test_client_comes_back);
    g_test_add_func("/chardev/replaced-one-keeps-its-id", test_replaced_one_keeps_its_id);
    g_test_add_func("/chardev/mux/takes-commands-out", test_mux_takes_commands_out);
    g_test_add_func("/chardev/mux/quits-when-the-guest-reads-nothing",
                    test_mux_quits_when_the_guest_reads_nothing);
    g_test_add_func("/chardev/mux/quits-after-much-typing", test_mux_quits_after_much_typing);
    g_test_add_func("/chardev/mux/stamps-each-line", test_mux_stamps_each_line);
    g_test_add_func("/chardev/socket/client-tries-each-address", test_client_tries_each_address);
    g_test_add_func("/chardev/socket/wait-can-be-cancelled", test_wait_can_be_cancelled);
    g_test_add_func("/chardev/socket/connecting-can-be-cancelled",
                    test_connecting_can_be_cancelled);
}

int main(int argc, char **argv)
{
    return test_chardevs(argc, argv, add_tests);
}
