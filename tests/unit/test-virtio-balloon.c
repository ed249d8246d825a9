/* SPDX-License-Identifier: GPL-2.0-or-later
 * The memory balloon (virtio 1.2, section 5.5). Whether the host has a page is seen in mincore() of
 * the guest's RAM.
 */
#include <string.h>
#include <sys/mman.h>

#include "hw/core/clock.h"
#include "hw/core/qom.h"
#include "probe.h"
#include "util/error.h"
#include "virtio-driver.h"

enum {
    INFLATE,
    DEFLATE,
    STATS,
    REPORTING,
    PAGE = 4096,
    C_NUM_PAGES = R_CONFIG,
    C_ACTUAL = R_CONFIG + 4,
    C_POISON = R_CONFIG + 12,
    F_PAGE_POISON = 4,
};

static Guest *balloon_guest(const GuestKind *kind, const char *const *props)
{
    Guest *g = guest_new(kind);

    guest_plug_ok(g, "virtio-balloon-device", props);
    guest_start(g, UINT64_MAX);
    return g;
}

/* Pages, each filled, so that the host has them. */
static uint64_t pages(Guest *g, unsigned n)
{
    uint64_t gpa = guest_alloc(g, n * PAGE, PAGE);

    guest_fill(g, gpa, 0x55, n * PAGE);
    return gpa;
}

static bool host_has(Guest *g, uint64_t gpa)
{
    unsigned char there = 0;

    g_assert_cmpint(mincore(guest_ptr(g, gpa), PAGE, &there), ==, 0);
    return (there & 1) != 0;
}

static void submit_pfns(Guest *g, unsigned queue, const uint64_t *gpas, unsigned n)
{
    uint64_t at = guest_alloc(g, n * 4, 4);

    for (unsigned i = 0; i < n; i++) {
        ((uint32_t *)guest_ptr(g, at))[i] = GUINT32_TO_LE(gpas[i] / PAGE);
    }
    guest_submit(g, queue, &(Buf){ at, n * 4, false }, 1);
    g_assert_cmpuint(guest_wait(g, queue).len, ==, 0);
}

static void test_inflated_pages_go_to_the_host(gconstpointer kind)
{
    Guest *g = balloon_guest(kind, NULL);
    uint64_t a = pages(g, 4), b = pages(g, 2);

    if (!can_discard()) {
        guest_free(g);
        return;
    }
    g_assert_cmpuint(guest_rd(g, R_DEVICE_ID), ==, 5);
    submit_pfns(g, INFLATE, (uint64_t[]){ a + PAGE, a + 2 * PAGE, b }, 3);
    g_assert_true(host_has(g, a));
    g_assert_false(host_has(g, a + PAGE));
    g_assert_false(host_has(g, a + 2 * PAGE));
    g_assert_true(host_has(g, a + 3 * PAGE));
    g_assert_false(host_has(g, b));
    g_assert_true(host_has(g, b + PAGE));
    submit_pfns(g, DEFLATE, (uint64_t[]){ a + PAGE }, 1);
    g_assert_cmpuint(*(uint8_t *)guest_ptr(g, a + PAGE), ==, 0);
    guest_free(g);
}

static void test_pinned_memory_stays(void)
{
    Guest *g = balloon_guest(&guest_kinds[0], NULL);
    uint64_t a = pages(g, 1);

    if (!can_discard()) {
        guest_free(g);
        return;
    }
    memory_discard_inhibit();
    submit_pfns(g, INFLATE, (uint64_t[]){ a }, 1);
    g_assert_true(host_has(g, a));
    memory_discard_allow();
    submit_pfns(g, INFLATE, (uint64_t[]){ a }, 1);
    g_assert_false(host_has(g, a));
    guest_free(g);
}

static void test_pfns_outside_ram_are_ignored(void)
{
    Guest *g = balloon_guest(&guest_kinds[0], NULL);
    uint64_t a = pages(g, 1);

    if (!can_discard()) {
        guest_free(g);
        return;
    }
    submit_pfns(g, INFLATE, (uint64_t[]){ TRAP_BASE, ROM_BASE, 0, UINT32_MAX * (uint64_t)PAGE, a },
                5);
    g_assert_cmpint(g_atomic_int_get(&g->trapped), ==, 0);
    g_assert_false(host_has(g, a));
    guest_free(g);
}

static void test_odd_requests_are_answered(void)
{
    Guest *g = balloon_guest(&guest_kinds[0], NULL);
    uint64_t a = pages(g, 1);

    guest_submit(g, INFLATE, &(Buf){ a, 3, false }, 1);
    guest_wait(g, INFLATE);
    guest_submit(g, INFLATE, &(Buf){ a, 64, true }, 1);
    guest_wait(g, INFLATE);
    guest_submit(g, DEFLATE, &(Buf){ a, 64, true }, 1);
    guest_wait(g, DEFLATE);
    g_assert_true(host_has(g, a));
    guest_free(g);
}

static void report(Guest *g, uint64_t gpa, unsigned n)
{
    guest_submit(g, REPORTING, &(Buf){ gpa, n * PAGE, true }, 1);
    guest_wait(g, REPORTING);
}

static void test_reported_pages_go_to_the_host(gconstpointer kind)
{
    Guest *g = balloon_guest(kind, (const char *[]){ "free-page-reporting=on", NULL });
    uint64_t a = pages(g, 4);

    if (!can_discard()) {
        guest_free(g);
        return;
    }
    report(g, a + PAGE, 2);
    g_assert_true(host_has(g, a));
    g_assert_false(host_has(g, a + PAGE));
    g_assert_false(host_has(g, a + 2 * PAGE));
    g_assert_true(host_has(g, a + 3 * PAGE));
    guest_free(g);
}

static void test_poisoned_pages_are_kept(void)
{
    Guest *g = balloon_guest(&guest_kinds[0], (const char *[]){ "free-page-reporting=on", NULL });
    uint64_t a = pages(g, 1);

    if (!can_discard()) {
        guest_free(g);
        return;
    }
    guest_wr(g, C_POISON, 0xaaaaaaaa);
    report(g, a, 1);
    g_assert_true(host_has(g, a));
    guest_start(g, UINT64_MAX); /* a reset forgets it */
    g_assert_cmphex(guest_rd(g, C_POISON), ==, 0);
    report(g, a, 1);
    g_assert_false(host_has(g, a));
    guest_free(g);
}

static void test_driver_writes_what_is_its_own(void)
{
    Guest *g = balloon_guest(&guest_kinds[0], NULL);

    guest_wr(g, C_NUM_PAGES, 77);
    g_assert_cmphex(guest_rd(g, C_NUM_PAGES), ==, 0);
    guest_wr(g, C_ACTUAL, 77);
    g_assert_cmphex(guest_rd(g, C_ACTUAL), ==, 77);
    guest_start(g, ~(1ull << F_PAGE_POISON));
    g_assert_cmphex(guest_rd(g, C_ACTUAL), ==, 0);
    guest_wr(g, C_POISON, 1);
    g_assert_cmphex(guest_rd(g, C_POISON), ==, 0); /* not negotiated */
    guest_free(g);
}

static gint64 stat_of(Guest *g, const char *name)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(JsonNode) node = qom_get(G_OBJECT(g->dev), "guest-stats", &error);
    JsonObject *stats;

    g_assert_no_error(error);
    stats = json_object_get_object_member(json_node_get_object(node), "stats");
    return json_object_get_int_member(stats, name);
}

static void put_stat(uint8_t *at, uint16_t tag, uint64_t value)
{
    tag = GUINT16_TO_LE(tag);
    value = GUINT64_TO_LE(value);
    memcpy(at, &tag, 2);
    memcpy(at + 2, &value, 8);
}

static void test_statistics(gconstpointer kind)
{
    Guest *g = balloon_guest(kind, NULL);
    uint64_t at = guest_alloc(g, 64, 1);
    uint8_t *bytes = guest_ptr(g, at);

    g_assert_cmpint(stat_of(g, "stat-free-memory"), ==, -1);
    put_stat(bytes, 4, 1234);
    put_stat(bytes + 10, 999, 5); /* a tag of the future */
    put_stat(bytes + 20, 5, 5678);
    guest_submit(g, STATS, &(Buf){ at, 35, false }, 1); /* half an entry at the end */
    guest_barrier(g);
    g_assert_cmpint(stat_of(g, "stat-free-memory"), ==, 1234);
    g_assert_cmpint(stat_of(g, "stat-total-memory"), ==, 5678);
    g_assert_cmpint(stat_of(g, "stat-disk-caches"), ==, -1);
    g_assert_cmpuint(guest_used_idx(g, STATS), ==, 0); /* kept until new figures are wanted */
    put_stat(bytes, 4, 4321);
    guest_submit(g, STATS, &(Buf){ at, 10, false }, 1);
    guest_wait(g, STATS);
    guest_barrier(g); /* the old buffer comes back before the new one is read */
    g_assert_cmpint(stat_of(g, "stat-free-memory"), ==, 4321);
    guest_wr(g, R_STATUS, 0); /* with a buffer kept */
    guest_free(g);
}

static bool set_interval(Guest *g, gint64 seconds, GError **error)
{
    g_autoptr(JsonNode) node = json_node_new(JSON_NODE_VALUE);

    json_node_set_int(node, seconds);
    return qom_set(G_OBJECT(g->dev), "guest-stats-polling-interval", node, error);
}

static void test_polling_returns_the_buffer(void)
{
    Guest *g;
    uint64_t at;

    clock_set_manual();
    g = balloon_guest(&guest_kinds[0], NULL);
    at = guest_alloc(g, 64, 1);
    put_stat(guest_ptr(g, at), 4, 1);
    guest_submit(g, STATS, &(Buf){ at, 10, false }, 1);
    guest_barrier(g);
    g_assert_true(set_interval(g, 2, NULL));
    clock_set(clock_now() + 2 * CLOCK_NS_PER_SEC - 1);
    guest_barrier(g);
    g_assert_cmpuint(guest_used_idx(g, STATS), ==, 0);
    clock_set(clock_now() + 1);
    guest_wait(g, STATS);
    g_assert_cmpint(clock_next_deadline(), ==, clock_now() + 2 * CLOCK_NS_PER_SEC);
    g_assert_true(set_interval(g, 0, NULL));
    g_assert_cmpint(clock_next_deadline(), ==, -1);
    guest_free(g);
}

static void test_interval_is_checked(void)
{
    Guest *g = balloon_guest(&guest_kinds[0], NULL);
    g_autoptr(GError) error = NULL;

    g_assert_false(set_interval(g, -1, &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE);
    g_clear_error(&error);
    g_assert_false(set_interval(g, 1ll << 40, &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE);
    guest_free(g);
}

static void test_second_one_is_refused(void)
{
    Guest *g = balloon_guest(&guest_kinds[0], NULL);
    Guest *other = guest_new(&guest_kinds[0]);
    g_autoptr(GError) error = NULL;

    g_assert_false(guest_plug(other, "virtio-balloon-device", NULL, &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT);
    guest_free(other);
    guest_free(g);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    guest_add_test("/virtio-balloon", "inflated-pages-go-to-the-host",
                   test_inflated_pages_go_to_the_host);
    guest_add_test("/virtio-balloon", "reported-pages-go-to-the-host",
                   test_reported_pages_go_to_the_host);
    guest_add_test("/virtio-balloon", "statistics-by-tag", test_statistics);
    g_test_add_func("/virtio-balloon/pinned-memory-stays", test_pinned_memory_stays);
    g_test_add_func("/virtio-balloon/pfns-outside-ram-are-ignored",
                    test_pfns_outside_ram_are_ignored);
    g_test_add_func("/virtio-balloon/odd-requests-are-answered", test_odd_requests_are_answered);
    g_test_add_func("/virtio-balloon/poisoned-pages-are-kept", test_poisoned_pages_are_kept);
    g_test_add_func("/virtio-balloon/driver-writes-what-is-its-own",
                    test_driver_writes_what_is_its_own);
    g_test_add_func("/virtio-balloon/interval-is-checked", test_interval_is_checked);
    g_test_add_func("/virtio-balloon/second-one-is-refused", test_second_one_is_refused);
    /* Last: the clock stays manual. */
    g_test_add_func("/virtio-balloon/polling-returns-the-buffer", test_polling_returns_the_buffer);
    return g_test_run();
}
