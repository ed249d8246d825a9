/* SPDX-License-Identifier: GPL-2.0-or-later
 * The entropy device (virtio 1.2, section 5.4).
 */
#include <string.h>

#include "virtio-driver.h"

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
    unsigned total = 0;

    for (unsigned i = 0; i < 4; i++) {
        guest_publish(g, 0, guest_chain(g, 0, &(Buf){ in, 32, true }, 1));
    }
    guest_notify(g, 0);
    for (unsigned i = 0; i < 4; i++) {
        uint32_t len = guest_wait(g, 0).len;

        g_assert_cmpuint(len, ==, i % 2 == 0 ? 32 : 16); /* 48 per period, then a new one */
        total += len;
    }
    g_assert_cmpuint(total, ==, 96);
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

static void add(const char *name, void (*fn)(gconstpointer))
{
    for (unsigned i = 0; i < G_N_ELEMENTS(guest_kinds); i++) {
        g_autofree char *path = g_strdup_printf("/virtio-rng/%s/%s", guest_kinds[i].name, name);

        g_test_add_data_func(path, &guest_kinds[i], fn);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add("fills-what-is-offered", test_fills);
    add("max-bytes-per-period", test_quota);
    g_test_add_func("/virtio-rng/one-request-is-bounded", test_bounded);
    g_test_add_func("/virtio-rng/nothing-writable-needs-reset", test_readable_only);
    return g_test_run();
}
