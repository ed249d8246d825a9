/* SPDX-License-Identifier: GPL-2.0-or-later
 * VDUSE exports against the kernel's rules as fake-vduse.c has them: what is asked of the kernel,
 * what its messages are answered, what a driver gets, and each refusal's line.
 */
#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "block/block.h"
#include "export/export.h"
#include "fake-vduse.h"
#include "hw/core/device.h"
#include "util/error.h"
#include "util/event.h"

enum {
    IMAGE_SIZE = 1 << 20,
    T_IN = 0,
    T_OUT = 1,
    REQUEST = 0x100, /* where a request's header is */
    STATUS = 0x180,
    DATA = 0x1000,
    F_RO = 5,
};
#define F_VERSION_1       (1ull << 32)
#define F_ACCESS_PLATFORM (1ull << 33)
#define F_USUAL           (F_VERSION_1 | F_ACCESS_PLATFORM)

typedef struct {
    char *dir, *image, *log;
    BlockBackend *blk;
} Fixture;

static bool add(const Fixture *f, const char *more, GError **error)
{
    g_autofree char *text = g_strdup_printf("vduse-blk,id=e,name=n,node-name=d,inflight-log=%s%s",
                                            f->log, more != NULL ? more : "");
    g_autoptr(KeyVal) kv = keyval_parse(text, "type", error);

    g_assert_nonnull(kv);
    return export_add(kv, error);
}

static void add_ok(const Fixture *f, const char *more)
{
    g_autoptr(GError) error = NULL;
    bool ok = add(f, more, &error);

    g_assert_no_error(error);
    g_assert_true(ok);
}

/* The whole line. */
static void add_fails(const Fixture *f, const char *more, const char *line)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(add(f, more, &error));
    g_assert_cmpstr(error->message, ==, line);
}

static void set_up(Fixture *f, gconstpointer data)
{
    BlockOptions options = BLOCK_OPTIONS_INIT;
    g_autofree uint8_t *zeroes = g_malloc0(IMAGE_SIZE);

    f->dir = g_dir_make_tmp("vduse-XXXXXX", NULL);
    f->image = g_build_filename(f->dir, "image", NULL);
    f->log = g_build_filename(f->dir, "log", NULL);
    g_assert_true(g_file_set_contents(f->image, (char *)zeroes, IMAGE_SIZE, NULL));
    options.node_name = "d";
    options.filename = f->image;
    f->blk = block_open(&options, NULL);
    g_assert_nonnull(f->blk);
    fake_vduse_start();
}

static void tear_down(Fixture *f, gconstpointer data)
{
    exports_close();
    fake_vduse_stop();
    block_unref(f->blk);
    g_unlink(f->log);
    g_unlink(f->image);
    g_rmdir(f->dir);
    g_free(f->log);
    g_free(f->image);
    g_free(f->dir);
}

/* A request whose data is where bufs say; returns when it is done. */
static uint8_t transfer(uint32_t type, uint64_t sector, const FakeBuf *data, unsigned n,
                        uint16_t used)
{
    struct {
        uint32_t type, reserved;
        uint64_t sector;
    } header = { type, 0, sector };
    FakeBuf bufs[8] = { { REQUEST, sizeof(header), false } };

    memcpy(fake_vduse_memory("n", REQUEST), &header, sizeof(header));
    *fake_vduse_memory("n", STATUS) = 0xff;
    memcpy(&bufs[1], data, n * sizeof(*data));
    bufs[n + 1] = (FakeBuf){ STATUS, 1, true };
    fake_vduse_submit("n", 0, bufs, n + 2);
    fake_vduse_wait_used("n", 0, used);
    return *fake_vduse_memory("n", STATUS);
}

static uint8_t write_sector(uint64_t sector, uint8_t value, uint16_t used)
{
    FakeBuf data = { DATA, 512, false };

    memset(fake_vduse_memory("n", DATA), value, 512);
    return transfer(T_OUT, sector, &data, 1, used);
}

static uint8_t read_sector(uint64_t sector, uint8_t *value, uint16_t used)
{
    FakeBuf data = { DATA, 512, true };
    uint8_t status = transfer(T_IN, sector, &data, 1, used);

    *value = *fake_vduse_memory("n", DATA);
    return status;
}

/* ---- making ---- */

static void test_config(Fixture *f, gconstpointer data)
{
    const struct vduse_dev_config *c;

    add_ok(f, ",writable=on,num-queues=2,queue-size=64");
    c = fake_vduse_config("n");
    g_assert_cmpuint(c->device_id, ==, 2);
    g_assert_cmpuint(c->vq_num, ==, 2);
    g_assert_cmpuint(c->vq_align, ==, 4096);
    g_assert_cmphex(c->features & F_USUAL, ==, F_USUAL);
    g_assert_cmphex(c->features & 1ull << F_RO, ==, 0);
    g_assert_cmphex(c->features & 1ull << 11, ==, 0); /* CONFIG_WCE */
    g_assert_cmphex(c->features & 1ull << 12, !=, 0); /* MQ */
    g_assert_cmpuint(*(uint64_t *)fake_vduse_config_bytes("n"), ==, IMAGE_SIZE / 512);
    g_assert_cmpuint(fake_vduse_version(), ==, 0);
}

static void test_version_1(Fixture *f, gconstpointer data)
{
    fake_vduse_set_newest(1);
    add_ok(f, NULL);
    g_assert_cmpuint(fake_vduse_version(), ==, 1);
    g_assert_cmpuint(fake_vduse_config("n")->reserved[0], ==, 1);
    g_assert_cmpuint(fake_vduse_config("n")->reserved[1], ==, 1);
}

static void test_read_only(Fixture *f, gconstpointer data)
{
    uint8_t value;

    add_ok(f, NULL);
    g_assert_cmphex(fake_vduse_config("n")->features & 1ull << F_RO, !=, 0);
    g_assert_true(fake_vduse_attach("n", F_USUAL));
    g_assert_cmpuint(write_sector(0, 7, 1), ==, 1);
    g_assert_cmpuint(read_sector(0, &value, 2), ==, 0);
    g_assert_cmpuint(value, ==, 0);
}

static void test_deleted_goes(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    add_ok(f, NULL);
    g_assert_true(g_file_test(f->log, G_FILE_TEST_EXISTS));
    g_assert_true(fake_vduse_attach("n", F_USUAL));
    g_assert_false(export_del("e", EXPORT_DEL_SAFE, &error));
    g_assert_cmpstr(error->message, ==, "export 'e' is in use: a driver is attached");
    g_clear_error(&error);
    g_assert_true(fake_vduse_set_status("n", 0));
    g_assert_true(export_del("e", EXPORT_DEL_SAFE, &error));
    g_assert_false(fake_vduse_exists("n"));
    g_assert_false(g_file_test(f->log, G_FILE_TEST_EXISTS));
    g_assert_false(export_del("e", EXPORT_DEL_HARD, &error));
    g_assert_cmpstr(error->message, ==, "there is no export 'e'");
}

/* ---- each refusal ---- */

static void test_open_refused(Fixture *f, gconstpointer data)
{
    fake_vduse_fail(0, ENOENT);
    add_fails(f, NULL,
              "cannot open /dev/vduse/control: No such file or directory "
              "(is the kernel's module there? modprobe vduse)");
    fake_vduse_fail(0, EACCES);
    add_fails(f, NULL, "cannot open /dev/vduse/control: Permission denied (run it as root)");
}

static void test_create_refused(Fixture *f, gconstpointer data)
{
    fake_vduse_fail(VDUSE_CREATE_DEV, EPERM);
    add_fails(f, NULL,
              "VDUSE device 'n': cannot make it: Operation not permitted: a network device "
              "takes CAP_NET_ADMIN (run it as root)");
    fake_vduse_fail(VDUSE_CREATE_DEV, EINVAL);
    add_fails(f, NULL,
              "VDUSE device 'n': cannot make it: Invalid argument: the kernel does not take "
              "such a device (kernels before 6.12 only take block devices)");
    fake_vduse_fail(VDUSE_VQ_SETUP, EINVAL);
    add_fails(f, NULL,
              "VDUSE device 'n': cannot set up a queue: Invalid argument: the device has "
              "fewer queues");
    g_assert_false(fake_vduse_exists("n")); /* undone */
    fake_vduse_fail(VDUSE_VQ_SETUP, EPERM);
    add_fails(f, NULL,
              "VDUSE device 'n': cannot set up a queue: Operation not permitted: the kernel "
              "has given the device up, as a message was not answered in time; detach it "
              "(vdpa dev del) and start again");
    add_ok(f, NULL);
}

/* A file that is not ours stays. */
static void test_log_refused(Fixture *f, gconstpointer data)
{
    g_autofree char *line =
        g_strdup_printf("%s is there already and is no record of requests", f->log);

    g_assert_true(g_file_set_contents(f->log, "something else", -1, NULL));
    add_fails(f, NULL, line);
    g_assert_true(g_file_test(f->log, G_FILE_TEST_EXISTS));
    g_assert_false(fake_vduse_exists("n"));
}

static void test_name_in_use(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KeyVal) kv = keyval_parse("vduse-blk,id=e2,name=n,node-name=d2", "type", NULL);
    BlockOptions options = BLOCK_OPTIONS_INIT;
    g_autoptr(BlockBackend) other = NULL;

    options.node_name = "d2";
    options.driver = BLOCK_DRIVER_NULL;
    other = block_open(&options, NULL);
    add_ok(f, NULL);
    g_assert_false(export_add(kv, &error));
    g_assert_cmpstr(error->message, ==, "VDUSE device 'n': another process serves it");
}

static void test_bad_options(Fixture *f, gconstpointer data)
{
    static const struct {
        const char *text, *line;
    } rows[] = {
        { "vduse-bl,id=e", "type 'vduse-bl' is not known (did you mean 'vduse-blk'?)" },
        { "vduse-blk,name=n", "property 'id' is missing" },
        { "vduse-blk,id=e,node-name=d", "property 'name' is missing" },
        { "vduse-blk,id=e,name=n", "property 'node-name' is missing" },
        { "vduse-blk,id=e,name=n,node-name=x", "node-name: there is no block node 'x'" },
        { "vduse-blk,id=e,name=n,node-name=d,queue-size=48",
          "queue-size is 48 but must be a power of two" },
        { "vduse-blk,id=e,name=n,node-name=d,logical-block-size=8192",
          "logical-block-size is 8192 but must be a power of two from 512 to 4096" },
        { "vduse-blk,id=e,name=n,node-name=d,writable=maybe",
          "writable is 'maybe' but must be on or off" },
        { "vduse-blk,id=e,name=vq3,node-name=d",
          "name: 'vq3' is the name of a file that the kernel puts beside it in sysfs" },
        { "vduse-blk,id=e,name=a/b,node-name=d",
          "name: 'a/b' has a '/', '..' or a '.' at its start, but becomes a file's name" },
        { "vduse-net,id=e,name=n", "property 'netdev' is missing" },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(KeyVal) kv = keyval_parse(rows[i].text, "type", NULL);
        g_autoptr(GError) error = NULL;

        g_assert_false(export_add(kv, &error));
        g_assert_cmpstr(error->message, ==, rows[i].line);
    }
    g_assert_false(fake_vduse_exists("n"));
}

/* ---- messages ---- */

static void test_transfers(Fixture *f, gconstpointer data)
{
    uint8_t value;

    add_ok(f, ",writable=on");
    g_assert_true(fake_vduse_attach("n", F_USUAL));
    g_assert_cmpuint(write_sector(3, 0xa5, 1), ==, 0);
    fake_vduse_wait_irqs("n", 0, 1);
    g_assert_cmpuint(read_sector(3, &value, 2), ==, 0);
    g_assert_cmphex(value, ==, 0xa5);
    g_assert_cmpint(fake_vduse_queue_state("n", 0), ==, 2);
    g_assert_cmpint(fake_vduse_queue_state("n", 1), ==, -1);
}

/* FEATURES_OK is refused, and the device goes on. */
static void test_features_refused(Fixture *f, gconstpointer data)
{
    uint8_t value;

    add_ok(f, NULL);
    g_test_expect_message(NULL, G_LOG_LEVEL_WARNING, "*status 0x0b is refused*");
    g_assert_false(fake_vduse_attach("n", F_ACCESS_PLATFORM));
    g_test_assert_expected_messages();
    g_test_expect_message(NULL, G_LOG_LEVEL_WARNING, "*status 0x0b is refused*");
    g_assert_false(fake_vduse_attach("n", F_USUAL | 1ull << 40));
    g_test_assert_expected_messages();
    g_assert_true(fake_vduse_attach("n", F_USUAL));
    g_assert_cmpuint(read_sector(0, &value, 1), ==, 0);
}

static void test_unknown_message(Fixture *f, gconstpointer data)
{
    struct vduse_dev_request request = { .type = 77 };
    struct vduse_dev_response response;

    add_ok(f, NULL);
    g_test_expect_message(NULL, G_LOG_LEVEL_WARNING, "*message of unknown type 77");
    g_assert_true(fake_vduse_ask("n", &request, &response));
    g_test_assert_expected_messages();
    g_assert_cmpuint(response.result, ==, VDUSE_REQ_RESULT_FAILED);
    g_assert_false(fake_vduse_update_iotlb("n", 2, 1));
    g_assert_true(fake_vduse_set_status("n", 1));
}

static void test_reset_forgets(Fixture *f, gconstpointer data)
{
    uint8_t value;

    add_ok(f, ",writable=on");
    for (unsigned i = 0; i < 3; i++) {
        g_assert_true(fake_vduse_attach("n", F_USUAL));
        g_assert_cmpuint(write_sector(1, 10 + i, 1), ==, 0);
        fake_vduse_replace_bounce("n"); /* is not told: nothing may use the old one after reset */
    }
    g_assert_true(fake_vduse_attach("n", F_USUAL));
    g_assert_cmpuint(read_sector(1, &value, 1), ==, 0);
    g_assert_cmpuint(value, ==, 12);
}

/* The driver's interrupt comes, however long the kernel takes to note that it is ready. */
static void test_refused_interrupt(Fixture *f, gconstpointer data)
{
    static const FakeBuf bufs[] = { { REQUEST, 16, false },
                                    { DATA, 512, true },
                                    { STATUS, 1, true } };
    uint8_t value;

    add_ok(f, NULL);
    g_assert_true(fake_vduse_attach("n", F_USUAL));
    fake_vduse_refuse_irqs("n", true);
    memset(fake_vduse_memory("n", REQUEST), 0, 16);
    fake_vduse_submit("n", 0, bufs, 3);
    fake_vduse_wait_refused("n");
    fake_vduse_refuse_irqs("n", false);
    fake_vduse_wait_irqs("n", 0, 1);
    g_assert_cmpuint(read_sector(0, &value, 2), ==, 0);
}

static void test_resize(Fixture *f, gconstpointer data)
{
    add_ok(f, ",writable=on");
    g_assert_true(fake_vduse_attach("n", F_USUAL));
    g_assert_true(block_resize(f->blk, 2 * IMAGE_SIZE, NULL));
    fake_vduse_wait_irqs("n", -1, 1);
    g_assert_cmpuint(*(uint64_t *)fake_vduse_config_bytes("n"), ==, 2 * IMAGE_SIZE / 512);
    /* Without a driver: the next one sees it. */
    g_assert_true(fake_vduse_set_status("n", 0));
    g_assert_true(block_resize(f->blk, 3 * IMAGE_SIZE, NULL));
    g_assert_true(fake_vduse_set_status("n", 1));
    g_assert_cmpuint(*(uint64_t *)fake_vduse_config_bytes("n"), ==, 3 * IMAGE_SIZE / 512);
}

/* ---- memory ---- */

/* One buffer over two regions, which are two mappings; the second ends inside a page. */
static void test_straddle(Fixture *f, gconstpointer data)
{
    FakeBuf buf = { FAKE_BOUNCE_SIZE - 512, 512 + FAKE_SECOND_SIZE / 512 * 512, false };
    uint8_t value;

    add_ok(f, ",writable=on");
    g_assert_true(fake_vduse_attach("n", F_USUAL));
    memset(fake_vduse_memory("n", FAKE_BOUNCE_SIZE - 512), 1, 512);
    memset(fake_vduse_memory("n", FAKE_BOUNCE_SIZE), 2, FAKE_SECOND_SIZE);
    g_assert_cmpuint(transfer(T_OUT, 0, &buf, 1, 1), ==, 0);
    g_assert_cmpuint(read_sector(0, &value, 2), ==, 0);
    g_assert_cmpuint(value, ==, 1);
    g_assert_cmpuint(read_sector(FAKE_SECOND_SIZE / 512, &value, 3), ==, 0);
    g_assert_cmpuint(value, ==, 2);
    g_assert_cmpuint(fake_vduse_get_fd_calls("n"), ==, 3); /* each region once */
}

/* A device that stopped over what its driver did: its messages are answered on, reset helps. */
static void check_recovers(void)
{
    uint8_t value;

    g_assert_cmpint(fake_vduse_queue_state("n", 0), >=, 0); /* after the handler's end */
    g_assert_true(fake_vduse_attach("n", F_USUAL));
    g_assert_cmpuint(read_sector(0, &value, 1), ==, 0);
}

static void test_buffer_past_region(Fixture *f, gconstpointer data)
{
    FakeBuf buf = { FAKE_BOUNCE_SIZE + FAKE_SECOND_SIZE - 256, 512, false };

    add_ok(f, ",writable=on");
    g_assert_true(fake_vduse_attach("n", F_USUAL));
    fake_vduse_submit("n", 0, &buf, 1);
    fake_vduse_wait_get_fd("n", 3); /* the ring, the region, and what is behind it */
    check_recovers();
}

static void test_lies(Fixture *f, gconstpointer data)
{
    static const struct vduse_iotlb_entry lies[] = {
        { .start = 0x1000, .last = 0x1fff, .perm = 3 },   /* not around it */
        { .start = 0, .last = UINT64_MAX, .perm = 3 },    /* everything */
        { .start = 0, .last = INT64_MAX - 1, .perm = 3 }, /* cannot be mapped */
        { .offset = INT64_MAX, .start = 0, .last = UINT32_MAX, .perm = 3 },
        { .start = FAKE_RING_IOVA, .last = FAKE_RING_IOVA, .perm = 3 }, /* one byte */
        { .start = FAKE_RING_IOVA, .last = FAKE_RING_IOVA + FAKE_RING_SIZE - 1, .perm = 0 },
        { .start = FAKE_RING_IOVA, .last = FAKE_RING_IOVA + FAKE_RING_SIZE - 1, .perm = 1 },
        { .start = FAKE_RING_IOVA, .last = FAKE_RING_IOVA + FAKE_RING_SIZE - 1, .perm = 9 },
    };

    add_ok(f, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(lies); i++) {
        unsigned calls = fake_vduse_get_fd_calls("n");

        fake_vduse_set_lie("n", &lies[i]);
        g_assert_true(fake_vduse_attach("n", F_USUAL));
        fake_vduse_wait_get_fd("n", calls + 1);
        g_assert_cmpint(fake_vduse_queue_state("n", 0), ==, 0);
        fake_vduse_set_lie("n", NULL);
    }
    check_recovers();
}

static pthread_mutex_t heard_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t heard = PTHREAD_COND_INITIALIZER;
static bool heard_gone;

static void hear(const char *domain, GLogLevelFlags level, const char *message, gpointer opaque)
{
    pthread_mutex_lock(&heard_lock);
    heard_gone = heard_gone || strstr(message, "memory of the driver is gone") != NULL;
    pthread_cond_broadcast(&heard);
    pthread_mutex_unlock(&heard_lock);
}

/* The memory's owner makes it shorter: no more than this device stops. */
static void test_shrunk(Fixture *f, gconstpointer data)
{
    static const FakeBuf bufs[] = { { REQUEST, 16, false },
                                    { DATA, 512, true },
                                    { STATUS, 1, true } };

    heard_gone = false;
    g_log_set_default_handler(hear, NULL);
    add_ok(f, NULL);
    g_assert_true(fake_vduse_attach("n", F_USUAL));
    check_recovers();
    fake_vduse_resize("n", 0, 0);
    fake_vduse_submit("n", 0, bufs, G_N_ELEMENTS(bufs));
    pthread_mutex_lock(&heard_lock);
    while (!heard_gone) {
        pthread_cond_wait(&heard, &heard_lock);
    }
    pthread_mutex_unlock(&heard_lock);
    g_log_set_default_handler(g_log_default_handler, NULL);
    g_assert_cmpint(fake_vduse_queue_state("n", 0), ==, 2);
    fake_vduse_resize("n", 0, FAKE_BOUNCE_SIZE);
    check_recovers();
}

static void test_update_iotlb(Fixture *f, gconstpointer data)
{
    uint8_t value;

    add_ok(f, ",writable=on");
    g_assert_true(fake_vduse_attach("n", F_USUAL));
    g_assert_cmpuint(write_sector(0, 1, 1), ==, 0);
    fake_vduse_replace_bounce("n");
    g_assert_true(fake_vduse_update_iotlb("n", 0, UINT64_MAX));
    g_assert_cmpuint(write_sector(0, 2, 2), ==, 0);
    g_assert_cmpuint(read_sector(0, &value, 3), ==, 0);
    g_assert_cmpuint(value, ==, 2);
    g_assert_cmpuint(fake_vduse_get_fd_calls("n"), ==, 4); /* both again */
}

/* ---- one process after the other ---- */

static void test_take_over(Fixture *f, gconstpointer data)
{
    uint8_t value;

    add_ok(f, ",writable=on");
    g_assert_true(fake_vduse_attach("n", F_USUAL));
    g_assert_cmpuint(write_sector(5, 0x5a, 1), ==, 0);
    g_test_expect_message(NULL, G_LOG_LEVEL_MESSAGE, "*stays in the kernel with its driver*");
    exports_close();
    g_test_assert_expected_messages();
    g_assert_true(fake_vduse_exists("n"));
    g_assert_false(fake_vduse_is_open("n"));
    g_test_expect_message(NULL, G_LOG_LEVEL_MESSAGE, "*goes on for a process that has ended");
    add_ok(f, ",writable=on");
    g_test_assert_expected_messages();
    g_assert_cmpuint(read_sector(5, &value, 2), ==, 0);
    g_assert_cmphex(value, ==, 0x5a);
    g_assert_cmpint(fake_vduse_queue_state("n", 0), ==, 2);
}

static void test_take_over_other(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    add_ok(f, ",writable=on");
    g_assert_true(fake_vduse_attach("n", F_USUAL));
    g_test_expect_message(NULL, G_LOG_LEVEL_MESSAGE, "*stays in the kernel with its driver*");
    exports_close();
    g_assert_false(add(f, ",writable=on,queue-size=64", &error));
    g_assert_nonnull(strstr(error->message, "is of an export with other settings"));
    g_clear_error(&error);
    g_assert_cmpint(g_unlink(f->log), ==, 0);
    g_assert_false(add(f, ",writable=on", &error));
    g_assert_nonnull(strstr(error->message, "what that had in flight is not known (detach it: "
                                            "vdpa dev del n)"));
    g_assert_true(fake_vduse_exists("n"));
}

/* One that no driver has got to is made anew, whatever it was. */
static void test_take_over_idle(Fixture *f, gconstpointer data)
{
    const struct vduse_dev_config idle = {
        .name = "n", .device_id = 1, .features = F_USUAL, .vq_num = 1
    };
    const HostDevOps *ops = fake_vduse_ops();
    int control = ops->open("/dev/vduse/control", 0);

    g_assert_cmpint(ops->ioctl(control, VDUSE_CREATE_DEV, (uintptr_t)&idle), ==, 0);
    ops->close(control);
    add_ok(f, NULL);
    g_assert_cmpuint(fake_vduse_config("n")->device_id, ==, 2);
}

static char *lost_id;

static void lost(const char *id, const char *why)
{
    g_free(lost_id);
    lost_id = g_strdup(id);
}

static void test_given_up(Fixture *f, gconstpointer data)
{
    add_ok(f, NULL);
    export_set_lost_handler(lost);
    g_assert_true(fake_vduse_attach("n", F_USUAL));
    fake_vduse_break("n");
    while (lost_id == NULL) {
        g_main_context_iteration(NULL, TRUE);
    }
    g_assert_cmpstr(lost_id, ==, "e");
    g_assert_false(fake_vduse_exists("n"));
    g_clear_pointer(&lost_id, g_free);
    export_set_lost_handler(NULL);
    add_ok(f, NULL);
}

static void ignore_event(const char *name, JsonObject *data, void *opaque)
{
}

int main(int argc, char **argv)
{
    static const struct {
        const char *path;
        void (*fn)(Fixture *f, gconstpointer data);
    } tests[] = {
        { "/vduse/make/config", test_config },
        { "/vduse/make/newest-version", test_version_1 },
        { "/vduse/make/read-only-unless-writable", test_read_only },
        { "/vduse/make/deleted-goes", test_deleted_goes },
        { "/vduse/refused/open", test_open_refused },
        { "/vduse/refused/create", test_create_refused },
        { "/vduse/refused/foreign-log", test_log_refused },
        { "/vduse/refused/name-in-use", test_name_in_use },
        { "/vduse/refused/options", test_bad_options },
        { "/vduse/message/transfers", test_transfers },
        { "/vduse/message/features-refused", test_features_refused },
        { "/vduse/message/unknown", test_unknown_message },
        { "/vduse/message/reset-forgets-memory", test_reset_forgets },
        { "/vduse/message/refused-interrupt-comes-later", test_refused_interrupt },
        { "/vduse/message/resize", test_resize },
        { "/vduse/memory/straddling-buffer", test_straddle },
        { "/vduse/memory/buffer-past-region", test_buffer_past_region },
        { "/vduse/memory/lying-kernel", test_lies },
        { "/vduse/memory/shrunk-region", test_shrunk },
        { "/vduse/memory/update-drops", test_update_iotlb },
        { "/vduse/next/takes-over", test_take_over },
        { "/vduse/next/not-with-other-settings", test_take_over_other },
        { "/vduse/next/idle-one-is-made-anew", test_take_over_idle },
        { "/vduse/next/given-up", test_given_up },
    };

    g_test_init(&argc, &argv, NULL);
    g_main_context_default(); /* there before the threads, as in the program */
    hw_register_types();
    event_set_listener(ignore_event, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(tests); i++) {
        g_test_add(tests[i].path, Fixture, NULL, set_up, tests[i].fn, tear_down);
    }
    return g_test_run();
}
