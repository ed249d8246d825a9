/* SPDX-License-Identifier: GPL-2.0-or-later
 * The 9P device: configuration, messages through its queue, giving up messages, reset while one is
 * being served, messages that are none.
 */
#include <string.h>

#include "fsdev/fsdev.h"
#include "hw/9p/p9-proto.h"
#include "p9-client.h"
#include "virtio-driver.h"

enum { MSIZE = 4096, NO_FID = -1 };

static FsDev *fs;

static Guest *start(const GuestKind *kind)
{
    Guest *g = guest_new(kind);

    guest_plug_ok(g, "virtio-9p-device", (const char *[]){ "fsdev=fs", "mount_tag=share", NULL });
    guest_start(g, UINT64_MAX);
    return g;
}

/* Puts a message into the queue; returns where its reply goes, *head its chain. */
static uint64_t submit(Guest *g, uint8_t type, uint16_t tag, unsigned *head, const char *format,
                       ...)
{
    uint64_t out, in = guest_alloc(g, MSIZE, 1);
    GByteArray *m;
    va_list ap;

    va_start(ap, format);
    m = p9c_message_va(type, tag, format, ap);
    va_end(ap);
    out = guest_alloc(g, m->len, 1);
    memcpy(guest_ptr(g, out), m->data, m->len);
    *head = guest_submit(g, 0, (Buf[]){ { out, m->len, false }, { in, MSIZE, true } }, 2);
    g_byte_array_unref(m);
    return in;
}

/* The next message that comes back is head's, and a reply of type. */
static P9cReply take(Guest *g, unsigned head, uint64_t in, uint8_t expected)
{
    Used used = guest_wait(g, 0);
    P9cReply r = { guest_ptr(g, in), used.len, 0 };
    uint32_t size;
    uint16_t tag;
    uint8_t type;

    g_assert_cmpuint(used.id, ==, head);
    p9c_read(&r, "dbw", &size, &type, &tag);
    g_assert_cmpuint(size, ==, used.len);
    g_assert_cmpuint(type, ==, expected);
    return r;
}

#define CALL(g, type, ...)                                                                         \
    do {                                                                                           \
        unsigned head_;                                                                            \
        uint64_t in_ = submit(g, type, 1, &head_, __VA_ARGS__);                                    \
                                                                                                   \
        take(g, head_, in_, (type) + 1);                                                           \
    } while (0)

static void attach(Guest *g)
{
    CALL(g, P9_TVERSION, "ds", MSIZE, "9P2000.L");
    CALL(g, P9_TATTACH, "ddssd", 0, NO_FID, "", "", 0);
}

/* A write to FLUSH that is served until it is given up. */
static void open_flush(Guest *g)
{
    CALL(g, P9_TWALK, "ddws", 0, 1, 1, "FLUSH");
    CALL(g, P9_TLOPEN, "dd", 1, 1);
}

static void test_config(gconstpointer kind)
{
    Guest *g = start(kind);
    uint64_t value;

    g_assert_cmpuint(guest_rd(g, R_DEVICE_ID), ==, 9);
    g_assert_true(g->features & 1); /* VIRTIO_9P_MOUNT_TAG */
    address_space_ld(g->as, MMIO_BASE + R_CONFIG, 2, &value);
    g_assert_cmpuint(value, ==, 5);
    for (unsigned i = 0; i < 5; i++) {
        address_space_ld(g->as, MMIO_BASE + R_CONFIG + 2 + i, 1, &value);
        g_assert_cmpuint(value, ==, "share"[i]);
    }
    guest_free(g);
}

static void test_messages(gconstpointer kind)
{
    Guest *g = start(kind);
    unsigned head;
    uint64_t in;
    uint32_t err;
    P9cReply r;

    attach(g);
    CALL(g, P9_TWALK, "ddwss", 0, 1, 2, "WALK0", "WALK1");
    in = submit(g, P9_TWALK, 1, &head, "ddws", 0, 2, 1, "nothing");
    r = take(g, head, in, P9_RLERROR);
    p9c_read(&r, "d", &err);
    g_assert_cmpuint(err, ==, 2);
    guest_free(g);
}

static void test_flush(gconstpointer kind)
{
    Guest *g = start(kind);
    unsigned head, flush_head;
    uint64_t flush_in;
    Used used;

    attach(g);
    open_flush(g);
    submit(g, P9_TWRITE, 7, &head, "dqdb", 1, (uint64_t)0, 1, 1);
    flush_in = submit(g, P9_TFLUSH, 8, &flush_head, "w", 7);
    used = guest_wait(g, 0);
    g_assert_cmpuint(used.id, ==, head);
    g_assert_cmpuint(used.len, ==, 0); /* no reply */
    take(g, flush_head, flush_in, P9_TFLUSH + 1);
    guest_free(g);
}

static void test_flush_too_late(gconstpointer kind)
{
    Guest *g = start(kind);
    unsigned head, flush_head;
    uint64_t in, flush_in;

    attach(g);
    open_flush(g);
    in = submit(g, P9_TWRITE, 7, &head, "dqdb", 1, (uint64_t)0, 1, 0);
    flush_in = submit(g, P9_TFLUSH, 8, &flush_head, "w", 7);
    take(g, head, in, P9_TWRITE + 1);
    take(g, flush_head, flush_in, P9_TFLUSH + 1);
    CALL(g, P9_TFLUSH, "w", 99); /* of nothing */
    guest_free(g);
}

/* Other messages are served while more writes wait than there are threads: no, they wait too; but
 * giving up one lets them go on, and a Tflush never needs a thread. */
static void test_all_threads_wait(void)
{
    enum { N = 20 };
    Guest *g = start(&guest_kinds[0]);
    unsigned head;

    attach(g);
    open_flush(g);
    for (unsigned i = 0; i < N; i++) {
        submit(g, P9_TWRITE, 100 + i, &head, "dqdb", 1, (uint64_t)0, 1, 1);
    }
    for (unsigned i = 0; i < N; i++) {
        unsigned flush_head;
        uint64_t flush_in = submit(g, P9_TFLUSH, 8, &flush_head, "w", 100 + i);

        g_assert_cmpuint(guest_wait(g, 0).len, ==, 0);
        take(g, flush_head, flush_in, P9_TFLUSH + 1);
    }
    guest_free(g);
}

static void test_version_ends_all(void)
{
    Guest *g = start(&guest_kinds[0]);
    unsigned head, version_head;
    uint64_t in;

    attach(g);
    open_flush(g);
    submit(g, P9_TWRITE, 7, &head, "dqdb", 1, (uint64_t)0, 1, 1);
    in = submit(g, P9_TVERSION, 8, &version_head, "ds", MSIZE, "9P2000.L");
    g_assert_cmpuint(guest_wait(g, 0).len, ==, 0);
    take(g, version_head, in, P9_TVERSION + 1);
    CALL(g, P9_TATTACH, "ddssd", 0, NO_FID, "", "", 0); /* fid 0 is free again */
    guest_free(g);
}

static void test_reset(gconstpointer kind)
{
    Guest *g = start(kind);
    unsigned head;

    for (unsigned i = 0; i < 3; i++) {
        attach(g);
        open_flush(g);
        submit(g, P9_TWRITE, 7, &head, "dqdb", 1, (uint64_t)0, 1, 1);
        submit(g, P9_TFLUSH, 8, &head, "w", 6);
        submit(g, P9_TVERSION, 9, &head, "ds", MSIZE, "9P2000.L");
        guest_start(g, UINT64_MAX);
    }
    attach(g);
    guest_free(g);
}

static void test_unplug(void)
{
    Guest *g = start(&guest_kinds[0]);
    unsigned head;

    attach(g);
    open_flush(g);
    submit(g, P9_TWRITE, 7, &head, "dqdb", 1, (uint64_t)0, 1, 1);
    guest_unplug(g);
    guest_free(g);
}

static void test_no_message(void)
{
    Guest *g = start(&guest_kinds[0]);
    uint64_t mem = guest_alloc(g, 64, 1);

    guest_submit(g, 0, (Buf[]){ { mem, 6, false }, { mem + 32, 32, true } }, 2);
    guest_wait_isr(g, ISR_CONFIG);
    g_assert_true(guest_rd(g, R_STATUS) & S_NEEDS_RESET);
    guest_start(g, UINT64_MAX);
    guest_submit(g, 0, (Buf[]){ { mem, 16, false }, { mem + 32, 8, true } }, 2);
    guest_wait_isr(g, ISR_CONFIG); /* not even an error fits */
    guest_start(g, UINT64_MAX);
    attach(g);
    guest_free(g);
}

static void test_properties(void)
{
    const struct {
        const char *props[3];
        const char *message;
    } cases[] = {
        { { "fsdev=fs" }, "mount_tag property not set" },
        { { "mount_tag=x" }, "fsdev property not set" },
        { { "mount_tag=x", "fsdev=other" }, "there is no -fsdev with the id 'other'" },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        Guest *g = guest_new(&guest_kinds[0]);
        g_autoptr(GError) error = NULL;

        g_assert_false(guest_plug(g, "virtio-9p-device", cases[i].props, &error));
        g_assert_cmpstr(error->message, ==, cases[i].message);
        guest_free(g);
    }
}

int main(int argc, char **argv)
{
    int status;

    g_test_init(&argc, &argv, NULL);
    fs = fsdev_open(&(FsDevOptions){ .driver = "synth", .id = "fs" }, NULL);
    guest_add_test("/virtio-9p", "tag-in-configuration", test_config);
    guest_add_test("/virtio-9p", "messages-and-errors", test_messages);
    guest_add_test("/virtio-9p", "flush/gives-up-what-waits", test_flush);
    guest_add_test("/virtio-9p", "flush/after-the-reply", test_flush_too_late);
    g_test_add_func("/virtio-9p/flush/while-all-threads-wait", test_all_threads_wait);
    g_test_add_func("/virtio-9p/version-ends-all-others", test_version_ends_all);
    guest_add_test("/virtio-9p", "reset-while-serving", test_reset);
    g_test_add_func("/virtio-9p/unplug-while-serving", test_unplug);
    g_test_add_func("/virtio-9p/no-message-needs-reset", test_no_message);
    g_test_add_func("/virtio-9p/properties", test_properties);
    status = g_test_run();
    fsdev_unref(fs);
    return status;
}
