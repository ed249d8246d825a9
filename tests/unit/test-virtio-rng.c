/* SPDX-License-Identifier: GPL-2.0-or-later
 * The entropy device (virtio 1.2, section 5.4).
 */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hw/core/clock.h"
#include "hw/core/user-object.h"
#include "util/error.h"
#include "virtio-driver.h"

enum { MS = 1000000 };

static Guest *rng_guest(const GuestKind *kind, const char *const *props)
{
    Guest *g = guest_new(kind);

    guest_plug_ok(g, "virtio-rng-device", props);
    guest_start(g, UINT64_MAX);
    return g;
}

static void test_fills(gconstpointer kind)
{
    Guest *g = rng_guest(kind, NULL);
    uint64_t in = guest_alloc(g, 64, 1);
    uint8_t zeroes[32] = { 0 };
    Buf bufs[] = { { in, 20, true }, { in + 20, 12, true } };
    uint8_t *bytes = guest_ptr(g, in);

    g_assert_cmpuint(guest_rd(g, R_DEVICE_ID), ==, 4);
    guest_submit(g, 0, bufs, 2);
    g_assert_cmpuint(guest_wait(g, 0).len, ==, 32);
    g_assert_cmpint(memcmp(bytes, zeroes, 20), !=, 0);
    g_assert_cmpint(memcmp(bytes + 20, zeroes, 12), !=, 0);
    g_assert_cmpmem(bytes + 32, 32, zeroes, 32);
    guest_free(g);
}

static void test_bounded(void)
{
    Guest *g = rng_guest(&guest_kinds[0], NULL);
    uint64_t in = guest_alloc(g, 1 << 20, 1);
    uint32_t len;

    guest_submit(g, 0, &(Buf){ in, 1 << 20, true }, 1);
    len = guest_wait(g, 0).len;
    g_assert_cmpuint(len, >, 0);
    g_assert_cmpuint(len, <=, 64 * 1024);
    guest_free(g);
}

static void test_quota(gconstpointer kind)
{
    Guest *g = rng_guest(kind, (const char *[]){ "max-bytes=48", "period=1", NULL });
    uint64_t in = guest_alloc(g, 64, 1);

    for (unsigned i = 0; i < 4; i++) {
        guest_publish(g, 0, guest_chain(g, 0, &(Buf){ in, 32, true }, 1));
    }
    guest_notify(g, 0);
    for (unsigned i = 0; i < 4; i++) {
        if (i == 2) { /* the period has been used up, and only the virtual clock ends it */
            clock_set(clock_now() + MS - 1);
            guest_barrier(g);
            g_assert_cmpuint(guest_used_idx(g, 0), ==, 2);
            clock_set(clock_now() + 1);
        }
        g_assert_cmpuint(guest_wait(g, 0).len, ==, i % 2 == 0 ? 32 : 16);
    }
    guest_free(g);
}

static void test_readable_only(void)
{
    Guest *g = rng_guest(&guest_kinds[0], NULL);
    uint64_t out = guest_alloc(g, 64, 1);

    guest_submit(g, 0, &(Buf){ out, 64, false }, 1);
    guest_wait_isr(g, ISR_CONFIG);
    g_assert_true(guest_rd(g, R_STATUS) & S_NEEDS_RESET);
    guest_free(g);
}

static UserObject *make_object(const char *text)
{
    g_autoptr(KeyVal) kv = keyval_parse(text, "qom-type", NULL);
    GError *error = NULL;
    UserObject *obj = user_object_add(kv, &error);

    g_assert_no_error(error);
    return obj;
}

static void delete_object(const char *id)
{
    GError *error = NULL;

    user_object_del(id, &error);
    g_assert_no_error(error);
}

/* What comes out of a pipe reaches the guest, and a request waits for it. */
static void test_backend_pipe(gconstpointer kind)
{
    g_autofree char *dir = g_dir_make_tmp("rng-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "fifo", NULL);
    g_autofree char *text = g_strdup_printf("rng-random,id=r0,filename=%s", path);
    Guest *g;
    uint64_t in;
    int fd;

    hw_register_types();
    g_assert_cmpint(mkfifo(path, 0600), ==, 0);
    make_object(text);
    g = rng_guest(kind, (const char *[]){ "rng=r0", NULL });
    g_assert_false(user_object_del("r0", NULL));
    in = guest_alloc(g, 64, 1);
    fd = open(path, O_WRONLY);
    for (unsigned i = 0; i < 3; i++) {
        guest_submit(g, 0, &(Buf){ in, 64, true }, 1);
        g_assert_cmpint(write(fd, "12345678", 8), ==, 8);
        g_assert_cmpuint(guest_wait(g, 0).len, ==, 8);
        g_assert_cmpmem(guest_ptr(g, in), 8, "12345678", 8);
    }
    close(fd);
    guest_free(g);
    delete_object("r0");
    g_unlink(path);
    g_rmdir(dir);
}

/* One request per byte is answered, those after the end wait; the device can be reset. */
static void test_backend_ends(void)
{
    g_autofree char *path = NULL, *text = NULL;
    int fd = g_file_open_tmp("rng-XXXXXX", &path, NULL);
    Guest *g;
    uint64_t in;

    hw_register_types();
    g_assert_cmpint(write(fd, "ab", 2), ==, 2);
    close(fd);
    text = g_strdup_printf("rng-random,id=r0,filename=%s", path);
    make_object(text);
    g = rng_guest(&guest_kinds[0], (const char *[]){ "rng=r0", NULL });
    in = guest_alloc(g, 64, 1);
    for (unsigned i = 0; i < 2; i++) {
        guest_submit(g, 0, &(Buf){ in, 1, true }, 1);
        g_assert_cmpuint(guest_wait(g, 0).len, ==, 1);
        g_assert_cmpint(*(char *)guest_ptr(g, in), ==, "ba"[i]);
    }
    guest_submit(g, 0, &(Buf){ in, 1, true }, 1);
    guest_wr(g, R_STATUS, 0);
    guest_free(g);
    delete_object("r0");
    g_unlink(path);
}

static void test_backend_errors(void)
{
    static const char *const bad[] = { "rng=r1", "rng=t0" };
    static const int codes[] = { HUMPY_ERROR_UNKNOWN, HUMPY_ERROR_CONFLICT };
    Guest *g = guest_new(&guest_kinds[0]);

    make_object("iothread,id=t0");
    make_object("rng-builtin,id=r0");
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_false(
            guest_plug(g, "virtio-rng-device", (const char *[]){ bad[i], NULL }, &error));
        g_assert_error(error, HUMPY_ERROR, codes[i]);
    }
    guest_plug_ok(g, "virtio-rng-device", (const char *[]){ "rng=r0", NULL });
    guest_free(g);
    delete_object("r0");
    delete_object("t0");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    clock_set_manual();
    guest_add_test("/virtio-rng", "fills-what-is-offered", test_fills);
    guest_add_test("/virtio-rng", "max-bytes-per-period", test_quota);
    guest_add_test("/virtio-rng", "back-end-is-a-pipe", test_backend_pipe);
    g_test_add_func("/virtio-rng/back-end-ends", test_backend_ends);
    g_test_add_func("/virtio-rng/back-end-must-be-one", test_backend_errors);
    g_test_add_func("/virtio-rng/one-request-is-bounded", test_bounded);
    g_test_add_func("/virtio-rng/nothing-writable-needs-reset", test_readable_only);
    return g_test_run();
}
