/* SPDX-License-Identifier: GPL-2.0-or-later
 * Character back ends through their public face: files, sockets, pseudo terminals. What a user at
 * the terminal sees is tested by the functional tests.
 */
#include "chardev/chardev.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <pty.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "probe.h"
#include "util/error.h"
#include "util/fd.h"

static char *scratch;

typedef struct {
    GString *received;
    size_t room;
    unsigned opened, closed, breaks, resized;
} Front;

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

static Chardev *replaced_by;

static void front_replaced(void *opaque, Chardev *chr)
{
    replaced_by = chr;
}

static const ChardevFrontend functions = {
    .can_receive = front_can_receive,
    .receive = front_receive,
    .event = front_event,
    .replaced = front_replaced,
};

static void front_init(Front *front, size_t room)
{
    *front = (Front){ .received = g_string_new(NULL), .room = room };
}

static void front_finish(Front *front)
{
    g_string_free(front->received, TRUE);
}

static char *path_of(const char *name)
{
    return g_build_filename(scratch, name, NULL);
}

/* A client of the UNIX server chr that listens on path. */
static int connect_client(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
    g_assert_cmpint(connect(fd, (struct sockaddr *)&address, sizeof(address)), ==, 0);
    return fd;
}

static Chardev *new_server(const char *extra, char **path)
{
    static unsigned n;
    g_autofree char *name = g_strdup_printf("server%u", n);
    g_autofree char *text = NULL;
    GError *error = NULL;
    Chardev *chr;

    *path = path_of(name);
    text = g_strdup_printf("socket,id=s%u,path=%s,server=on,wait=off%s", n++, *path, extra);
    chr = chardev_new(text, &error);
    g_assert_no_error(error);
    return chr;
}

static void put(int fd, const char *text)
{
    g_assert_cmpint(write(fd, text, strlen(text)), ==, strlen(text));
}

static void run_until_received(Front *front, size_t len)
{
    while (front->received->len < len) {
        g_main_context_iteration(NULL, TRUE);
    }
}

static void expect_read(int fd, const char *text)
{
    size_t len = strlen(text), done = 0;
    g_autofree char *buf = g_malloc0(len + 1);

    while (done < len) {
        ssize_t n = read(fd, buf + done, len - done);

        g_assert_cmpint(n, >, 0);
        done += n;
    }
    g_assert_cmpstr(buf, ==, text);
}

/* Runs the loop until the server has seen the client. */
static int connect_and_settle(const char *path, Front *front)
{
    unsigned before = front->opened;
    int fd = connect_client(path);

    while (front->opened == before) {
        g_main_context_iteration(NULL, TRUE);
    }
    return fd;
}

/* ---- options ---- */

static void check_error(const char *text, int code, const char *message)
{
    GError *error = NULL;

    g_assert_null(chardev_new(text, &error));
    g_assert_error(error, HUMPY_ERROR, code);
    g_assert_cmpstr(error->message, ==, message);
    g_error_free(error);
}

static void test_errors_name_the_cause(void)
{
    check_error("stdoi,id=a", HUMPY_ERROR_UNKNOWN,
                "chardev type 'stdoi' is not known (did you mean 'stdio'?)");
    check_error("null,id=a,muks=on", HUMPY_ERROR_UNKNOWN,
                "property 'muks' is not known (did you mean 'mux'?)");
    check_error("null,id=9", HUMPY_ERROR_SYNTAX,
                "id '9' is not valid (a letter, then letters, digits, '-', '.' or '_')");
    check_error("file,id=a", HUMPY_ERROR_MISSING, "property 'path' is missing");
    check_error("file,id=a,path=/nonexistent/x", HUMPY_ERROR_HOST,
                "cannot open '/nonexistent/x' for writing: No such file or directory");
    check_error("null,mux=maybe", HUMPY_ERROR_RANGE, "mux is 'maybe' but must be on or off");
    check_error("socket,path=/nonexistent/x", HUMPY_ERROR_HOST,
                "cannot connect to '/nonexistent/x': Could not connect: No such file or directory");
    check_error("socket,host=127.0.0.1,port=99999", HUMPY_ERROR_RANGE,
                "port is '99999' but must be 1 to 65535");
    check_error("socket,path=x,port=5", HUMPY_ERROR_CONFLICT,
                "path and host or port exclude each other");
    check_error("socket,path=x,wait=on", HUMPY_ERROR_CONFLICT, "wait needs server=on");
    check_error("socket,server=on", HUMPY_ERROR_MISSING, "path, or host and port, are missing");
    check_error("", HUMPY_ERROR_MISSING, "the type of chardev is missing");
}

static void test_id_twice_is_refused(void)
{
    GError *error = NULL;

    g_assert_nonnull(chardev_new("null,id=twice", &error));
    check_error("null,id=twice", HUMPY_ERROR_CONFLICT,
                "id 'twice' is already used by another chardev");
    chardev_cleanup();
    g_assert_nonnull(chardev_new("null,id=twice", &error));
    chardev_cleanup();
}

static void test_short_forms_make_long_ones(void)
{
    g_autofree char *path = path_of("with,comma");
    g_autofree char *file = g_strdup_printf("file:%s", path);
    g_autofree char *text = NULL;
    GError *error = NULL;
    Chardev *chr;

    g_assert_null(chardev_new_from_short("none", "a", &error));
    g_assert_no_error(error);
    chr = chardev_new_from_short(file, "serial0", &error);
    g_assert_no_error(error);
    g_assert_true(chardev_find("serial0") == chr);
    g_assert_true(chardev_new_from_short("chardev:serial0", "b", &error) == chr);
    g_assert_cmpuint(chardev_write(chr, "x", 1), ==, 1);
    chardev_cleanup();
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_assert_cmpstr(text, ==, "x");
}

static void check_short_error(const char *text, const char *message)
{
    GError *error = NULL;

    g_assert_null(chardev_new_from_short(text, "serial0", &error));
    g_assert_error(error, HUMPY_ERROR, error->code);
    g_assert_cmpstr(error->message, ==, message);
    g_error_free(error);
}

static void test_short_form_errors(void)
{
    check_short_error("chardev:nope", "there is no chardev with id 'nope'");
    check_short_error("tcp:7", "'tcp:7' is not tcp:HOST:PORT");
    check_short_error("studio", "character device 'studio' is not known (did you mean 'stdio'?)");
}

/* ---- files ---- */

static void test_file_append_keeps_content(void)
{
    g_autofree char *path = path_of("log");
    g_autofree char *fresh = g_strdup_printf("file,id=f,path=%s", path);
    g_autofree char *append = g_strdup_printf("file,id=f,path=%s,append=on", path);
    const char *const texts[] = { fresh, append, fresh };
    const char *const contents[] = { "abc", "abcabc", "abc" };

    for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autofree char *found = NULL;
        GError *error = NULL;
        Chardev *chr = chardev_new(texts[i], &error);

        g_assert_no_error(error);
        g_assert_cmpuint(chardev_write(chr, "abc", 3), ==, 3);
        chardev_cleanup();
        g_assert_true(g_file_get_contents(path, &found, NULL, NULL));
        g_assert_cmpstr(found, ==, contents[i]);
    }
}

static void test_full_file_drops_and_counts(void)
{
    GError *error = NULL;
    Chardev *chr = chardev_new("file,id=f,path=/dev/full", &error);

    g_assert_no_error(error);
    g_assert_cmpuint(chardev_write(chr, "abc", 3), ==, 0);
    g_assert_cmpuint(chardev_dropped(chr), ==, 3);
    chardev_cleanup();
}

static void expect_file(const char *path, const char *expected)
{
    g_autofree char *found = NULL;

    g_assert_true(g_file_get_contents(path, &found, NULL, NULL));
    g_assert_cmpstr(found, ==, expected);
}

/* What the back end loses is in the log; what will be tried again is there once. */
static void test_log_has_what_the_back_end_lost(void)
{
    g_autofree char *path = path_of("device.log");
    g_autofree char *text = g_strdup_printf("file,id=f,path=/dev/full,logfile=%s", path);
    g_autofree char *append = g_strdup_printf("null,id=f,logfile=%s,logappend=on", path);
    GError *error = NULL;
    Chardev *chr = chardev_new(text, &error);

    g_assert_no_error(error);
    g_assert_cmpuint(chardev_write(chr, "abc", 3), ==, 0);
    g_assert_cmpuint(chardev_try_write(chr, "de", 2), ==, 0);
    chardev_cleanup();
    expect_file(path, "abc");
    chr = chardev_new(append, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(chardev_try_write(chr, "de", 2), ==, 2);
    chardev_cleanup();
    expect_file(path, "abcde");
}

static void test_log_rotation_splits_exactly(void)
{
    g_autofree char *path = path_of("turn.log"), *first = path_of("turn.log.1");
    g_autofree char *second = path_of("turn.log.2"), *third = path_of("turn.log.3");
    g_autofree char *text =
        g_strdup_printf("null,id=f,logfile=%s,logrotate-size=512,logrotate-count=2", path);
    g_autofree char *a = g_strnfill(512, 'a'), *b = g_strnfill(512, 'b');
    g_autofree char *all = g_strconcat("lost", a + 4, a, b, "end", NULL);
    GError *error = NULL;
    Chardev *chr = chardev_new(text, &error);

    g_assert_no_error(error);
    g_assert_cmpuint(chardev_write(chr, all, strlen(all)), ==, strlen(all));
    chardev_cleanup();
    expect_file(second, a);
    expect_file(first, b);
    expect_file(path, "end");
    g_assert_false(g_file_test(third, G_FILE_TEST_EXISTS));
}

static void test_log_errors(void)
{
    check_error("null,logappend=on", HUMPY_ERROR_MISSING, "logappend needs logfile");
    check_error("null,logfile=/nonexistent/x", HUMPY_ERROR_HOST,
                "logfile: cannot open '/nonexistent/x' for writing: No such file or directory");
    check_error("null,logfile=/dev/null,logrotate-size=1M", HUMPY_ERROR_CONFLICT,
                "logfile: '/dev/null' is no regular file, which logrotate-size needs");
    check_error("null,logfile=/dev/null,logrotate-count=1", HUMPY_ERROR_MISSING,
                "logrotate-count needs logrotate-size");
    check_error("null,logfile=/dev/null,logrotate-size=5", HUMPY_ERROR_RANGE,
                "logrotate-size is '5' but must be 512 or more");
    check_error("null,logfile=/dev/null,logrotate-size=1M,logrotate-count=0", HUMPY_ERROR_RANGE,
                "logrotate-count is '0' but must be 1 to 1000");
}

/* ---- sockets and the front end ---- */

/* open() would wait for a reader, with all signals for Humpy waiting behind it. */
static void test_pipe_without_reader_is_refused(void)
{
    g_autofree char *path = path_of("pipe");
    g_autofree char *text = g_strdup_printf("file,id=p,path=%s", path);
    g_autofree char *message =
        g_strdup_printf("cannot open '%s' for writing: No such device or address", path);

    g_assert_cmpint(mkfifo(path, 0600), ==, 0);
    check_error(text, HUMPY_ERROR_HOST, message);
}

static void test_pipe_with_reader_is_written(void)
{
    g_autofree char *path = path_of("read-pipe");
    g_autofree char *text = g_strdup_printf("file,id=p,path=%s", path);
    GError *error = NULL;
    g_auto(Fd) fd = -1;
    Chardev *chr;

    g_assert_cmpint(mkfifo(path, 0600), ==, 0);
    fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    chr = chardev_new(text, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(chardev_write(chr, "abc", 3), ==, 3);
    expect_read(fd, "abc");
    chardev_cleanup();
}

/* ---- stdio ---- */

/* In a process of its own, for it changes standard output. A terminal that says it is writable may
 * still make a write of more than it has room for wait. */
static void test_stopped_terminal_does_not_hold_writers(void)
{
    char text[3001];
    g_auto(Fd) master = -1, slave = -1;
    GError *error = NULL;
    Chardev *chr;
    size_t written;

    memset(text, '\n', sizeof(text)); /* each becomes two characters */
    if (!g_test_subprocess()) {
        if (!can_start_self()) {
            return;
        }
        g_test_trap_subprocess(NULL, 60 * (guint64)G_USEC_PER_SEC, 0);
        g_test_trap_assert_passed();
        return;
    }
    g_assert_cmpint(openpty(&master, &slave, NULL, NULL, NULL), ==, 0);
    g_assert_cmpint(dup2(slave, STDOUT_FILENO), ==, STDOUT_FILENO);
    chr = chardev_new("stdio,id=t", &error);
    g_assert_no_error(error);
    do {
        written = chardev_write(chr, text, sizeof(text));
    } while (written == sizeof(text));
    g_assert_cmpuint(chardev_dropped(chr), ==, sizeof(text) - written);
    g_assert_cmpint(fcntl(slave, F_GETFL) & O_NONBLOCK, ==, 0); /* the shell's file, too */
    chardev_cleanup();
}

/* In a process of its own, for it changes standard input. */
static void test_window_size(void)
{
    struct winsize size = { .ws_col = 132, .ws_row = 50 };
    g_auto(Fd) master = -1, slave = -1;
    uint16_t columns, rows;
    GError *error = NULL;
    Chardev *chr;
    Front front;

    if (!g_test_subprocess()) {
        if (!can_start_self()) {
            return;
        }
        g_test_trap_subprocess(NULL, 60 * (guint64)G_USEC_PER_SEC, 0);
        g_test_trap_assert_passed();
        return;
    }
    g_assert_cmpint(openpty(&master, &slave, NULL, NULL, NULL), ==, 0);
    g_assert_cmpint(dup2(slave, STDIN_FILENO), ==, STDIN_FILENO);
    chr = chardev_new("stdio,id=t", &error);
    g_assert_no_error(error);
    g_assert_false(chardev_get_size(chr, &columns, &rows)); /* nobody has said */
    front_init(&front, 100);
    g_assert_true(chardev_attach(chr, &functions, &front, &error));
    g_assert_cmpint(ioctl(master, TIOCSWINSZ, &size), ==, 0);
    raise(SIGWINCH); /* the kernel tells those whose controlling terminal it is */
    while (front.resized == 0) {
        g_main_context_iteration(NULL, TRUE);
    }
    g_assert_true(chardev_get_size(chr, &columns, &rows));
    g_assert_cmpuint(columns, ==, 132);
    g_assert_cmpuint(rows, ==, 50);
    chardev_cleanup();
    front_finish(&front);
}

static void test_one_front_end_at_a_time(void)
{
    GError *error = NULL;
    Front front;
    Chardev *chr = chardev_new("null,id=n", &error);

    front_init(&front, 0);
    g_assert_true(chardev_attach(chr, &functions, &front, &error));
    g_assert_cmpuint(front.opened, ==, 1);
    g_assert_false(chardev_attach(chr, &functions, &front, &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT);
    g_clear_error(&error);
    chardev_detach(chr);
    g_assert_true(chardev_attach(chr, &functions, &front, &error));
    chardev_cleanup();
    front_finish(&front);
}

static void test_socket_carries_both_ways(void)
{
    g_autofree char *path = NULL;
    g_auto(Fd) fd = -1;
    GError *error = NULL;
    Front front;
    Chardev *chr = new_server("", &path);

    front_init(&front, 100);
    g_assert_true(chardev_attach(chr, &functions, &front, &error));
    g_assert_cmpuint(front.opened, ==, 0);
    fd = connect_and_settle(path, &front);
    put(fd, "to guest");
    run_until_received(&front, 8);
    g_assert_cmpstr(front.received->str, ==, "to guest");
    g_assert_cmpuint(chardev_write(chr, "to host", 7), ==, 7);
    expect_read(fd, "to host");
    chardev_cleanup();
    front_finish(&front);
    g_assert_cmpint(g_access(path, F_OK), !=, 0); /* a server takes its socket away */
}

static void test_full_front_end_stops_reading(void)
{
    g_autofree char *path = NULL;
    g_auto(Fd) fd = -1;
    GError *error = NULL;
    Front front;
    Chardev *chr = new_server("", &path);

    front_init(&front, 3);
    g_assert_true(chardev_attach(chr, &functions, &front, &error));
    fd = connect_and_settle(path, &front);
    put(fd, "abcdef");
    run_until_received(&front, 3);
    while (g_main_context_iteration(NULL, FALSE)) {
    }
    g_assert_cmpstr(front.received->str, ==, "abc");
    front.room = 2;
    chardev_accept_input(chr);
    run_until_received(&front, 5);
    g_assert_cmpstr(front.received->str, ==, "abcde");
    front.room = 2;
    chardev_accept_input(chr);
    run_until_received(&front, 6);
    g_assert_cmpstr(front.received->str, ==, "abcdef");
    chardev_cleanup();
    front_finish(&front);
}

static gpointer accept_from_thread(gpointer chr)
{
    chardev_accept_input(chr);
    return NULL;
}

static void test_accept_input_from_another_thread(void)
{
    g_autofree char *path = NULL;
    g_auto(Fd) fd = -1;
    GError *error = NULL;
    Front front;
    Chardev *chr = new_server("", &path);

    front_init(&front, 0);
    g_assert_true(chardev_attach(chr, &functions, &front, &error));
    fd = connect_and_settle(path, &front);
    put(fd, "x");
    while (g_main_context_iteration(NULL, FALSE)) {
    }
    g_assert_cmpuint(front.received->len, ==, 0);
    front.room = 1;
    g_thread_join(g_thread_new("front", accept_from_thread, chr));
    run_until_received(&front, 1);
    chardev_cleanup();
    front_finish(&front);
}

static void test_server_takes_the_next_client(void)
{
    g_autofree char *path = NULL;
    GError *error = NULL;
    Front front;
    Chardev *chr = new_server("", &path);

    front_init(&front, 100);
    g_assert_true(chardev_attach(chr, &functions, &front, &error));
    for (unsigned round = 1; round <= 2; round++) {
        int fd = connect_and_settle(path, &front);

        close(fd);
        while (front.closed < round) {
            g_main_context_iteration(NULL, TRUE);
        }
        g_assert_cmpuint(front.opened, ==, round);
        g_assert_cmpuint(chardev_write(chr, "lost", 4), ==, 0);
        g_assert_cmpuint(chardev_dropped(chr), ==, 4 * round);
    }
    chardev_cleanup();
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
    g_autofree char *text = NULL;
    GError *error = NULL;
    Chardev *chr;

    if (listener < 0 || bind(listener, (struct sockaddr *)&address, len) != 0) {
        g_test_skip("no IPv6 on this host");
        return;
    }
    g_assert_cmpint(listen(listener, 1), ==, 0);
    g_assert_cmpint(getsockname(listener, (struct sockaddr *)&address, &len), ==, 0);
    text = g_strdup_printf("socket,id=c,host=localhost,port=%u", ntohs(address.sin6_port));
    chr = chardev_new(text, &error);
    g_assert_no_error(error);
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

/* ---- pty, pipe, ring, input from a file ---- */

static Chardev *new_ok(const char *fmt, ...)
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

static void iterate_until(const unsigned *count, unsigned wanted)
{
    while (*count < wanted) {
        g_main_context_iteration(NULL, TRUE);
    }
}

static void test_pty_opens_and_closes_with_its_slave(void)
{
    Chardev *chr = new_ok("pty,id=p0");
    const char *path = chardev_pty_path(chr);
    g_autofree char *name = chardev_filename(chr), *expected = g_strdup_printf("pty:%s", path);
    GError *error = NULL;
    Front front;

    g_assert_cmpstr(name, ==, expected);
    front_init(&front, 100);
    g_assert_true(chardev_attach(chr, &functions, &front, &error));
    g_assert_cmpuint(front.opened, ==, 0);
    g_assert_cmpuint(chardev_write(chr, "lost", 4), ==, 0);
    for (unsigned i = 1; i <= 3; i++) {
        int fd = open(path, O_RDWR | O_NOCTTY);

        g_assert_cmpint(fd, >=, 0);
        iterate_until(&front.opened, i);
        g_assert_cmpuint(chardev_write(chr, "to\n", 3), ==, 3);
        expect_read(fd, "to\n"); /* raw: no carriage return */
        put(fd, "from");
        run_until_received(&front, 4 * i);
        close(fd);
        iterate_until(&front.closed, i);
    }
    chardev_cleanup();
    front_finish(&front);
}

static void test_pipe_reads_in_and_writes_out(void)
{
    g_autofree char *base = path_of("fifo");
    g_autofree char *in = path_of("fifo.in"), *out = path_of("fifo.out");
    g_auto(Fd) to = -1, from = -1;
    GError *error = NULL;
    Front front;
    Chardev *chr;

    g_assert_cmpint(mkfifo(in, 0600), ==, 0);
    g_assert_cmpint(mkfifo(out, 0600), ==, 0);
    chr = new_ok("pipe,id=p,path=%s", base);
    front_init(&front, 100);
    g_assert_true(chardev_attach(chr, &functions, &front, &error));
    for (unsigned i = 1; i <= 2; i++) { /* a writer that leaves ends nothing */
        to = open(in, O_WRONLY);
        put(to, "in");
        run_until_received(&front, 2 * i);
        fd_clear(&to);
    }
    chardev_write(chr, "out", 3);
    from = open(out, O_RDONLY);
    expect_read(from, "out");
    chardev_cleanup();
    front_finish(&front);
}

static void check_ring(Chardev *chr, size_t max, const char *expected)
{
    g_autoptr(GBytes) bytes = chardev_ringbuf_read(chr, max);
    gsize len;
    const void *data = g_bytes_get_data(bytes, &len);

    g_assert_cmpmem(data, len, expected, strlen(expected));
}

static void test_ring_keeps_the_newest(void)
{
    Chardev *chr = new_ok("ringbuf,id=r,size=8");

    check_ring(chr, 10, "");
    g_assert_cmpuint(chardev_write(chr, "abc", 3), ==, 3);
    check_ring(chr, 2, "ab");
    chardev_write(chr, "defghijk", 8);
    check_ring(chr, 100, "defghijk");
    chardev_write(chr, "0123456789abcdef", 16);
    check_ring(chr, 100, "89abcdef");
    check_error("ringbuf,size=12", HUMPY_ERROR_RANGE,
                "size is 12 but must be a power of two from 1 to 1073741824");
    chardev_cleanup();
}

/* Two parts: what is written is in both, what one of them reads arrives. */
static void test_hub_has_all_parts(void)
{
    g_autofree char *in = path_of("hub-input"), *out = path_of("hub-output");
    GError *error = NULL;
    Chardev *ring, *hub;
    Front front;

    g_assert_true(g_file_set_contents(in, "typed", -1, NULL));
    ring = new_ok("ringbuf,id=r");
    new_ok("file,id=f,path=%s,input-path=%s", out, in);
    hub = new_ok("hub,id=h,chardevs.0=r,chardevs.1=f");
    front_init(&front, 3);
    g_assert_true(chardev_attach(hub, &functions, &front, &error));
    run_until_received(&front, 3);
    front.room = 10;
    chardev_accept_input(hub);
    run_until_received(&front, 5);
    g_assert_cmpstr(front.received->str, ==, "typed");
    g_assert_cmpuint(chardev_write(hub, "said", 4), ==, 4);
    check_ring(ring, 10, "said");
    g_assert_false(chardev_remove("r", &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT);
    g_clear_error(&error);
    chardev_cleanup();
    front_finish(&front);
}

static void test_hub_errors(void)
{
    new_ok("null,id=n");
    new_ok("hub,id=h,chardevs.0=n");
    check_error("hub,id=i", HUMPY_ERROR_MISSING, "property 'chardevs.0' is missing");
    check_error("hub,id=i,chardevs.1=x", HUMPY_ERROR_UNKNOWN,
                "chardevs.1: there is no chardev 'x' before it");
    check_error("hub,id=i,chardevs.0=n", HUMPY_ERROR_CONFLICT,
                "chardevs.0: chardev 'n' is already used by another device");
    check_error("hub,id=i,chardevs.0=h", HUMPY_ERROR_UNSUPPORTED,
                "chardevs.0: chardev 'h' is a hub itself, which a hub cannot have");
    chardev_cleanup();
}

static void test_file_reads_its_input_to_the_end(void)
{
    g_autofree char *in = path_of("input"), *out = path_of("output");
    GError *error = NULL;
    Front front;
    Chardev *chr;

    g_assert_true(g_file_set_contents(in, "typed ahead", -1, NULL));
    chr = new_ok("file,id=f,path=%s,input-path=%s", out, in);
    front_init(&front, 100);
    g_assert_true(chardev_attach(chr, &functions, &front, &error));
    run_until_received(&front, 11);
    g_assert_cmpstr(front.received->str, ==, "typed ahead");
    chardev_cleanup();
    front_finish(&front);
}

/* ---- coming back, going away ---- */

static void test_client_comes_back(void)
{
    g_autofree char *path = path_of("server-later");
    Chardev *client = new_ok("socket,id=c,path=%s,reconnect=1", path), *server;
    GError *error = NULL;
    Front front;

    front_init(&front, 100);
    g_assert_true(chardev_attach(client, &functions, &front, &error));
    for (unsigned i = 1; i <= 2; i++) {
        server = new_ok("socket,id=s,path=%s,server=on,wait=off", path);
        iterate_until(&front.opened, i);
        g_assert_nonnull(server);
        g_assert_true(chardev_remove("s", &error));
        iterate_until(&front.closed, i);
    }
    chardev_cleanup();
    front_finish(&front);
}

static void test_used_one_is_not_removed(void)
{
    Chardev *chr = new_ok("null,id=n");
    GError *error = NULL;
    Front front;

    front_init(&front, 1);
    g_assert_true(chardev_attach(chr, &functions, &front, &error));
    g_assert_false(chardev_remove("n", &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT);
    g_clear_error(&error);
    chardev_detach(chr);
    g_assert_true(chardev_remove("n", &error));
    g_assert_false(chardev_remove("n", &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN);
    g_clear_error(&error);
    front_finish(&front);
}

static void test_replaced_one_keeps_its_id(void)
{
    g_autofree char *path = path_of("swap");
    g_autofree char *text = g_strdup_printf("socket,path=%s,server=on,wait=off", path);
    Chardev *chr = new_ok("%s,id=n", text), *other;
    GError *error = NULL;
    Front front;

    front_init(&front, 1);
    g_assert_true(chardev_attach(chr, &functions, &front, &error));
    g_assert_null(chardev_replace("n", "ringbuf,size=3", &error)); /* nothing has changed */
    g_clear_error(&error);
    g_assert_true(chardev_find("n") == chr);
    other = chardev_replace("n", text, &error); /* the very same path */
    g_assert_no_error(error);
    g_assert_true(replaced_by == other && chardev_find("n") == other);
    g_assert_true(chardev_is_attached(other));
    g_assert_true(g_file_test(path, G_FILE_TEST_EXISTS));
    chardev_cleanup();
    front_finish(&front);
}

/* ---- mux ---- */

static void quit(void *opaque)
{
    ++*(unsigned *)opaque;
}

static void test_mux_takes_commands_out(void)
{
    g_autofree char *path = NULL;
    g_auto(Fd) fd = -1;
    GError *error = NULL;
    unsigned quits = 0;
    Front front;
    Chardev *chr = new_server(",mux=on", &path);

    chardev_set_quit_handler(quit, &quits);
    front_init(&front, 100);
    g_assert_true(chardev_attach(chr, &functions, &front, &error));
    fd = connect_and_settle(path, &front);
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
    chardev_cleanup();
    front_finish(&front);
}

static void test_mux_quits_when_the_guest_reads_nothing(void)
{
    g_autofree char *path = NULL;
    g_auto(Fd) fd = -1;
    GError *error = NULL;
    unsigned quits = 0;
    Front front;
    Chardev *chr = new_server(",mux=on", &path);

    chardev_set_quit_handler(quit, &quits);
    front_init(&front, 0);
    g_assert_true(chardev_attach(chr, &functions, &front, &error));
    fd = connect_and_settle(path, &front);
    put(fd, "typed\x01x");
    while (quits == 0) {
        g_main_context_iteration(NULL, TRUE);
    }
    g_assert_cmpuint(front.received->len, ==, 0);
    front.room = 5;
    chardev_accept_input(chr);
    run_until_received(&front, 5);
    g_assert_cmpstr(front.received->str, ==, "typed");
    chardev_set_quit_handler(NULL, NULL);
    chardev_cleanup();
    front_finish(&front);
}

/* Somebody who gets no answer types a lot before giving up. */
static void test_mux_quits_after_much_typing(void)
{
    g_autofree char *path = NULL, *typed = g_strnfill(1000, 'a');
    g_auto(Fd) fd = -1;
    GError *error = NULL;
    unsigned quits = 0;
    Front front;
    Chardev *chr = new_server(",mux=on", &path);

    chardev_set_quit_handler(quit, &quits);
    front_init(&front, 0);
    g_assert_true(chardev_attach(chr, &functions, &front, &error));
    fd = connect_and_settle(path, &front);
    put(fd, typed);
    put(fd, "\x01x");
    while (quits == 0) {
        g_main_context_iteration(NULL, TRUE);
    }
    front.room = 1000;
    chardev_accept_input(chr);
    run_until_received(&front, 1000);
    g_assert_cmpstr(front.received->str, ==, typed);
    chardev_set_quit_handler(NULL, NULL);
    chardev_cleanup();
    front_finish(&front);
}

static void test_mux_stamps_each_line(void)
{
    g_autofree char *path = NULL;
    g_auto(Fd) fd = -1;
    GError *error = NULL;
    Front front;
    Chardev *chr = new_server(",mux=on", &path);
    char buf[64] = {};
    size_t len = 0;

    front_init(&front, 100);
    g_assert_true(chardev_attach(chr, &functions, &front, &error));
    fd = connect_and_settle(path, &front);
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
    chardev_cleanup();
    front_finish(&front);
}

int main(int argc, char **argv)
{
    int status;

    g_test_init(&argc, &argv, NULL);
    scratch = g_dir_make_tmp("humpy-chardev-XXXXXX", NULL);
    g_test_add_func("/chardev/options/errors-name-the-cause", test_errors_name_the_cause);
    g_test_add_func("/chardev/options/id-twice-is-refused", test_id_twice_is_refused);
    g_test_add_func("/chardev/short/makes-long-form", test_short_forms_make_long_ones);
    g_test_add_func("/chardev/short/errors", test_short_form_errors);
    g_test_add_func("/chardev/file/append-keeps-content", test_file_append_keeps_content);
    g_test_add_func("/chardev/file/full-drops-and-counts", test_full_file_drops_and_counts);
    g_test_add_func("/chardev/log/has-what-the-back-end-lost", test_log_has_what_the_back_end_lost);
    g_test_add_func("/chardev/log/rotation-splits-exactly", test_log_rotation_splits_exactly);
    g_test_add_func("/chardev/log/errors", test_log_errors);
    g_test_add_func("/chardev/file/pipe-without-reader-is-refused",
                    test_pipe_without_reader_is_refused);
    g_test_add_func("/chardev/file/pipe-with-reader-is-written", test_pipe_with_reader_is_written);
    g_test_add_func("/chardev/stdio/window-size", test_window_size);
    g_test_add_func("/chardev/stdio/stopped-terminal-does-not-hold-writers",
                    test_stopped_terminal_does_not_hold_writers);
    g_test_add_func("/chardev/front-end/one-at-a-time", test_one_front_end_at_a_time);
    g_test_add_func("/chardev/socket/carries-both-ways", test_socket_carries_both_ways);
    g_test_add_func("/chardev/socket/full-front-end-stops-reading",
                    test_full_front_end_stops_reading);
    g_test_add_func("/chardev/socket/accept-input-from-another-thread",
                    test_accept_input_from_another_thread);
    g_test_add_func("/chardev/socket/takes-the-next-client", test_server_takes_the_next_client);
    g_test_add_func("/chardev/pty/opens-and-closes-with-its-slave",
                    test_pty_opens_and_closes_with_its_slave);
    g_test_add_func("/chardev/pipe/reads-in-and-writes-out", test_pipe_reads_in_and_writes_out);
    g_test_add_func("/chardev/hub/has-all-parts", test_hub_has_all_parts);
    g_test_add_func("/chardev/hub/errors", test_hub_errors);
    g_test_add_func("/chardev/ringbuf/keeps-the-newest", test_ring_keeps_the_newest);
    g_test_add_func("/chardev/file/reads-its-input-to-the-end",
                    test_file_reads_its_input_to_the_end);
    g_test_add_func("/chardev/socket/client-comes-back", test_client_comes_back);
    g_test_add_func("/chardev/used-one-is-not-removed", test_used_one_is_not_removed);
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
    status = g_test_run();
    chardev_cleanup();
    {
        g_autoptr(GDir) dir = g_dir_open(scratch, 0, NULL);
        const char *name;

        while ((name = g_dir_read_name(dir)) != NULL) {
            g_autofree char *path = path_of(name);

            g_unlink(path);
        }
    }
    g_rmdir(scratch);
    g_free(scratch);
    return status;
}
