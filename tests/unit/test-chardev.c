/* SPDX-License-Identifier: GPL-2.0-or-later
 * Character back ends through their public face: options, files, terminals, pipes, rings, hubs.
 * Sockets are test-chardev-socket.c's. What a user at the terminal sees is tested by the functional
 * tests.
 */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <pty.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chardev-front.h"
#include "probe.h"
#include "util/error.h"

static void expect_file(const char *path, const char *expected)
{
    g_autofree char *found = NULL;

    g_assert_true(g_file_get_contents(path, &found, NULL, NULL));
    g_assert_cmpstr(found, ==, expected);
}

/* ---- options ---- */

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
    expect_file(path, "x");
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
    const char *const modes[] = { "", ",append=on", "" };
    const char *const contents[] = { "abc", "abcabc", "abc" };

    for (unsigned i = 0; i < G_N_ELEMENTS(modes); i++) {
        Chardev *chr = new_ok("file,id=f,path=%s%s", path, modes[i]);

        g_assert_cmpuint(chardev_write(chr, "abc", 3), ==, 3);
        chardev_cleanup();
        expect_file(path, contents[i]);
    }
}

static void test_full_file_drops_and_counts(void)
{
    Chardev *chr = new_ok("file,id=f,path=/dev/full");

    g_assert_cmpuint(chardev_write(chr, "abc", 3), ==, 0);
    g_assert_cmpuint(chardev_dropped(chr), ==, 3);
    chardev_cleanup();
}

/* What the back end loses is in the log; what will be tried again is there once. */
static void test_log_has_what_the_back_end_lost(void)
{
    g_autofree char *path = path_of("device.log");
    Chardev *chr = new_ok("file,id=f,path=/dev/full,logfile=%s", path);

    g_assert_cmpuint(chardev_write(chr, "abc", 3), ==, 0);
    g_assert_cmpuint(chardev_try_write(chr, "de", 2), ==, 0);
    chardev_cleanup();
    expect_file(path, "abc");
    chr = new_ok("null,id=f,logfile=%s,logappend=on", path);
    g_assert_cmpuint(chardev_try_write(chr, "de", 2), ==, 2);
    chardev_cleanup();
    expect_file(path, "abcde");
}

static void test_log_rotation_splits_exactly(void)
{
    g_autofree char *path = path_of("turn.log"), *first = path_of("turn.log.1");
    g_autofree char *second = path_of("turn.log.2"), *third = path_of("turn.log.3");
    Chardev *chr = new_ok("null,id=f,logfile=%s,logrotate-size=512,logrotate-count=2", path);
    g_autofree char *a = g_strnfill(512, 'a'), *b = g_strnfill(512, 'b');
    g_autofree char *all = g_strconcat("lost", a + 4, a, b, "end", NULL);

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
    g_auto(Fd) fd = -1;
    Chardev *chr;

    g_assert_cmpint(mkfifo(path, 0600), ==, 0);
    fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    chr = new_ok("file,id=p,path=%s", path);
    g_assert_cmpuint(chardev_write(chr, "abc", 3), ==, 3);
    expect_read(fd, "abc");
    chardev_cleanup();
}

static void test_file_reads_its_input_to_the_end(void)
{
    g_autofree char *in = path_of("input"), *out = path_of("output");
    Front front;
    Chardev *chr;

    g_assert_true(g_file_set_contents(in, "typed ahead", -1, NULL));
    chr = new_ok("file,id=f,path=%s,input-path=%s", out, in);
    front_attach(&front, chr, 100);
    run_until_received(&front, 11);
    g_assert_cmpstr(front.received->str, ==, "typed ahead");
    front_finish(&front);
}

/* ---- stdio ---- */

/* In a process of its own, for it changes standard output. A terminal that says it is writable may
 * still make a write of more than it has room for wait. */
static void test_stopped_terminal_does_not_hold_writers(void)
{
    char text[3001];
    g_auto(Fd) master = -1, slave = -1;
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
    chr = new_ok("stdio,id=t");
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
    chr = new_ok("stdio,id=t");
    g_assert_false(chardev_get_size(chr, &columns, &rows)); /* nobody has said */
    front_attach(&front, chr, 100);
    g_assert_cmpint(ioctl(master, TIOCSWINSZ, &size), ==, 0);
    raise(SIGWINCH); /* the kernel tells those whose controlling terminal it is */
    iterate_until(&front.resized, 1);
    g_assert_true(chardev_get_size(chr, &columns, &rows));
    g_assert_cmpuint(columns, ==, 132);
    g_assert_cmpuint(rows, ==, 50);
    front_finish(&front);
}

/* ---- pty, pipe, ring, hub ---- */

static void test_pty_opens_and_closes_with_its_slave(void)
{
    Chardev *chr = new_ok("pty,id=p0");
    const char *path = chardev_pty_path(chr);
    g_autofree char *name = chardev_filename(chr), *expected = g_strdup_printf("pty:%s", path);
    Front front;

    g_assert_cmpstr(name, ==, expected);
    front_attach(&front, chr, 100);
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
    front_finish(&front);
}

static void test_pipe_reads_in_and_writes_out(void)
{
    g_autofree char *base = path_of("fifo");
    g_autofree char *in = path_of("fifo.in"), *out = path_of("fifo.out");
    g_auto(Fd) to = -1, from = -1;
    Front front;
    Chardev *chr;

    g_assert_cmpint(mkfifo(in, 0600), ==, 0);
    g_assert_cmpint(mkfifo(out, 0600), ==, 0);
    chr = new_ok("pipe,id=p,path=%s", base);
    front_attach(&front, chr, 100);
    for (unsigned i = 1; i <= 2; i++) { /* a writer that leaves ends nothing */
        to = open(in, O_WRONLY);
        put(to, "in");
        run_until_received(&front, 2 * i);
        fd_clear(&to);
    }
    chardev_write(chr, "out", 3);
    from = open(out, O_RDONLY);
    expect_read(from, "out");
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
    front_attach(&front, hub, 3);
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

/* ---- front ends ---- */

static void test_one_front_end_at_a_time(void)
{
    GError *error = NULL;
    Front front;
    Chardev *chr = chardev_new("null,id=n", &error);

    front_attach(&front, chr, 0);
    g_assert_cmpuint(front.opened, ==, 1);
    g_assert_false(chardev_attach(chr, &front_functions, &front, &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT);
    g_clear_error(&error);
    chardev_detach(chr);
    g_assert_true(chardev_attach(chr, &front_functions, &front, &error));
    front_finish(&front);
}

static void test_used_one_is_not_removed(void)
{
    Chardev *chr = new_ok("null,id=n");
    GError *error = NULL;
    Front front;

    front_attach(&front, chr, 1);
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

static void add_tests(void)
{
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
    g_test_add_func("/chardev/pty/opens-and-closes-with-its-slave",
                    test_pty_opens_and_closes_with_its_slave);
    g_test_add_func("/chardev/pipe/reads-in-and-writes-out", test_pipe_reads_in_and_writes_out);
    g_test_add_func("/chardev/hub/has-all-parts", test_hub_has_all_parts);
    g_test_add_func("/chardev/hub/errors", test_hub_errors);
    g_test_add_func("/chardev/ringbuf/keeps-the-newest", test_ring_keeps_the_newest);
    g_test_add_func("/chardev/file/reads-its-input-to-the-end",
                    test_file_reads_its_input_to_the_end);
    g_test_add_func("/chardev/used-one-is-not-removed", test_used_one_is_not_removed);
}

int main(int argc, char **argv)
{
    return test_chardevs(argc, argv, add_tests);
}
