/* SPDX-License-Identifier: GPL-2.0-or-later
 * What becomes of a disk's errors: reported, ignored, or the machine stops with the request kept,
 * to be made again on cont and forgotten at a reset. Errors are made by blkdebug.
 */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "virtio.h"

typedef struct {
    QTest *q;
    VirtioDev dev;
    char *dir, *rules;
    uint64_t out, in;
} Disk;

enum { READ, WRITE, FLUSH = 4, OK = 0, FAILED = 1 };

/* A disk behind rules; props are the device's, with a comma in front. */
static Disk start(const char *rules, const char *props)
{
    Disk d = { .dir = g_dir_make_tmp("humpy-blk-XXXXXX", NULL) };

    d.rules = g_build_filename(d.dir, "rules", NULL);
    g_assert_true(g_file_set_contents(d.rules, rules, -1, NULL));
    d.q = qtest_startf("-machine virt -nodefaults -blockdev driver=blkdebug,node-name=d0,config=%s,"
                       "image.driver=null-co,image.size=1048576,image.read-zeroes=on "
                       "-device virtio-blk-pci,addr=04.0,drive=d0,id=disk%s",
                       d.rules, props);
    virtio_find(&d.dev, d.q, VIRTIO_PCI_MODERN);
    d.dev.packed = strstr(props, "packed=on") != NULL;
    virtio_start(&d.dev);
    d.out = virtio_alloc(&d.dev, 4096);
    d.in = virtio_alloc(&d.dev, 4096);
    return d;
}

static void finish(Disk *d)
{
    qtest_end(d->q);
    g_unlink(d->rules);
    g_rmdir(d->dir);
    g_free(d->rules);
    g_free(d->dir);
}

/* Reads or writes sector 0, or flushes. Section 5.2.6. */
static void submit(Disk *d, unsigned type)
{
    qtest_write_value(d->q, d->out, 4, type);
    qtest_write_value(d->q, d->out + 8, 8, 0);
    qtest_write_value(d->q, d->in + (type == READ ? 512 : 0), 1, 0xff);
    virtq_submit(&d->dev, 0, d->out, type == WRITE ? 16 + 512 : 16, d->in, type == READ ? 513 : 1);
}

static unsigned result(Disk *d, unsigned type)
{
    virtq_wait(&d->dev, 0);
    return qtest_read_value(d->q, d->in + (type == READ ? 512 : 0), 1);
}

static void expect_error(Disk *d, const char *operation, const char *action, bool nospace)
{
    g_autoptr(JsonObject) data = qtest_event(d->q, "BLOCK_IO_ERROR");

    g_assert_cmpstr(json_object_get_string_member(data, "operation"), ==, operation);
    g_assert_cmpstr(json_object_get_string_member(data, "action"), ==, action);
    g_assert_cmpint(json_object_get_boolean_member(data, "nospace"), ==, nospace);
    g_assert_cmpstr(json_object_get_string_member(data, "device"), ==, "disk");
    g_assert_cmpstr(json_object_get_string_member(data, "node-name"), ==, "d0");
}

static void expect_state(Disk *d, const char *state)
{
    g_autoptr(JsonObject) reply = qtest_qmp(d->q, "{'execute': 'query-status'}");
    JsonObject *status = json_object_get_object_member(reply, "return");

    g_assert_cmpstr(json_object_get_string_member(status, "status"), ==, state);
}

static void wait_stop(Disk *d)
{
    json_object_unref(qtest_event(d->q, "STOP"));
    expect_state(d, "io-error");
}

#define READ_ONCE "[inject-error]\nevent = \"read_aio\"\nonce = \"on\"\n"
#define WRITE_ONCE(number)                                                                         \
    "[inject-error]\nevent = \"write_aio\"\nerrno = \"" number "\"\nonce = \"on\"\n"

/* The machine stops, the driver hears nothing; on cont the request is made again. */
static void retried(gconstpointer props)
{
    Disk d = start(READ_ONCE, props);

    submit(&d, READ);
    expect_error(&d, "read", "stop", false);
    wait_stop(&d);
    g_assert_false(virtq_is_used(&d.dev, 0));
    qtest_qmp_ok(d.q, "{'execute': 'cont'}");
    g_assert_cmpuint(result(&d, READ), ==, OK);
    expect_state(&d, "running");
    finish(&d);
}

/* Again and again, until it works. */
static void stopped_twice(void)
{
    Disk d = start(READ_ONCE READ_ONCE, ",rerror=stop");

    submit(&d, READ);
    wait_stop(&d);
    qtest_qmp_ok(d.q, "{'execute': 'cont'}");
    wait_stop(&d);
    g_assert_false(virtq_is_used(&d.dev, 0));
    qtest_qmp_ok(d.q, "{'execute': 'cont'}");
    g_assert_cmpuint(result(&d, READ), ==, OK);
    finish(&d);
}

static void full_disk_stops_by_default(void)
{
    Disk d = start(WRITE_ONCE("28"), "");

    submit(&d, WRITE);
    expect_error(&d, "write", "stop", true);
    wait_stop(&d);
    qtest_qmp_ok(d.q, "{'execute': 'cont'}");
    g_assert_cmpuint(result(&d, WRITE), ==, OK);
    finish(&d);
}

static void other_errors_are_reported_by_default(void)
{
    Disk d = start(WRITE_ONCE("5") READ_ONCE, "");

    submit(&d, WRITE);
    expect_error(&d, "write", "report", false);
    g_assert_cmpuint(result(&d, WRITE), ==, FAILED);
    submit(&d, READ);
    g_assert_cmpuint(result(&d, READ), ==, FAILED);
    expect_state(&d, "running");
    finish(&d);
}

static void ignored(void)
{
    Disk d = start(WRITE_ONCE("28"), ",werror=ignore");

    submit(&d, WRITE);
    expect_error(&d, "write", "ignore", true);
    g_assert_cmpuint(result(&d, WRITE), ==, OK);
    expect_state(&d, "running");
    finish(&d);
}

static void flush_is_a_write(void)
{
    Disk d = start("[inject-error]\nevent = \"flush_to_disk\"\nonce = \"on\"\n", ",werror=stop");

    submit(&d, FLUSH);
    expect_error(&d, "write", "stop", false);
    wait_stop(&d);
    qtest_qmp_ok(d.q, "{'execute': 'cont'}");
    g_assert_cmpuint(result(&d, FLUSH), ==, OK);
    finish(&d);
}

/* A reset cancels what stopped the machine: cont then makes no request again. */
static void system_reset_cancels(void)
{
    Disk d = start(READ_ONCE WRITE_ONCE("5"), ",rerror=stop");

    submit(&d, READ);
    wait_stop(&d);
    qtest_qmp_ok(d.q, "{'execute': 'system_reset'}");
    json_object_unref(qtest_event(d.q, "RESET"));
    qtest_qmp_ok(d.q, "{'execute': 'cont'}");
    virtio_find(&d.dev, d.q, VIRTIO_PCI_MODERN);
    virtio_start(&d.dev);
    submit(&d, WRITE); /* the first request after it is this one */
    g_assert_cmpuint(result(&d, WRITE), ==, FAILED);
    submit(&d, READ);
    g_assert_cmpuint(result(&d, READ), ==, OK);
    finish(&d);
}

static void driver_reset_cancels(void)
{
    Disk d = start(READ_ONCE, ",rerror=stop");

    submit(&d, READ);
    wait_stop(&d);
    virtio_set_status(&d.dev, 0);
    qtest_qmp_ok(d.q, "{'execute': 'cont'}");
    virtio_start(&d.dev);
    g_assert_false(virtq_is_used(&d.dev, 0));
    submit(&d, READ);
    g_assert_cmpuint(result(&d, READ), ==, OK);
    g_assert_false(virtq_is_used(&d.dev, 0));
    finish(&d);
}

/* The program ends while a request waits for cont. */
static void end_while_stopped(void)
{
    Disk d = start(READ_ONCE, ",rerror=stop");

    submit(&d, READ);
    wait_stop(&d);
    finish(&d);
}

/* -drive's own option, and an error that the host makes: the file is shorter than it was. */
static void drive_option(void)
{
    Disk d = { .dir = g_dir_make_tmp("humpy-blk-XXXXXX", NULL) };
    int fd;

    d.rules = g_build_filename(d.dir, "disk", NULL);
    fd = open(d.rules, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    g_assert_cmpint(ftruncate(fd, 65536), ==, 0);
    d.q = qtest_startf("-machine virt -nodefaults "
                       "-drive if=none,id=d0,file=%s,format=raw,rerror=stop,werror=report "
                       "-device virtio-blk-pci,addr=04.0,drive=d0,id=disk",
                       d.rules);
    virtio_find(&d.dev, d.q, VIRTIO_PCI_MODERN);
    virtio_start(&d.dev);
    d.out = virtio_alloc(&d.dev, 4096);
    d.in = virtio_alloc(&d.dev, 4096);
    g_assert_cmpint(ftruncate(fd, 0), ==, 0);
    submit(&d, READ);
    expect_error(&d, "read", "stop", false);
    wait_stop(&d);
    g_assert_cmpint(ftruncate(fd, 65536), ==, 0);
    qtest_qmp_ok(d.q, "{'execute': 'cont'}");
    g_assert_cmpuint(result(&d, READ), ==, OK);
    close(fd);
    finish(&d);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/qtest/virtio-blk/stop-and-retry", ",rerror=stop", retried);
    g_test_add_data_func("/qtest/virtio-blk/stop-and-retry-packed", ",rerror=stop,packed=on",
                         retried);
    g_test_add_func("/qtest/virtio-blk/stop-twice", stopped_twice);
    g_test_add_func("/qtest/virtio-blk/full-disk-stops-by-default", full_disk_stops_by_default);
    g_test_add_func("/qtest/virtio-blk/other-errors-are-reported-by-default",
                    other_errors_are_reported_by_default);
    g_test_add_func("/qtest/virtio-blk/ignore", ignored);
    g_test_add_func("/qtest/virtio-blk/flush-is-a-write", flush_is_a_write);
    g_test_add_func("/qtest/virtio-blk/system-reset-cancels", system_reset_cancels);
    g_test_add_func("/qtest/virtio-blk/driver-reset-cancels", driver_reset_cancels);
    g_test_add_func("/qtest/virtio-blk/end-while-stopped", end_while_stopped);
    g_test_add_func("/qtest/virtio-blk/drive-option", drive_option);
    return g_test_run();
}
