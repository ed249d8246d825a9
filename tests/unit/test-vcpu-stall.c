/* SPDX-License-Identifier: GPL-2.0-or-later
 * The countdown of vcpu-stall-detector, by a clock that stands still unless it is moved.
 */
#include "hw/core/clock.h"
#include "hw/core/machine.h"
#include "hw/misc/vcpu-stall.h"

enum { BASE = 0xc001000, STATUS = 0, LOAD = 4, CURRENT = 8, FREQ = 12, NEXT_CPU = 16 };
#define SECOND CLOCK_NS_PER_SEC

typedef struct {
    MemoryRegion root;
    AddressSpace *as;
    Device *dev;
    unsigned bites;
    int64_t now;
} Bench;

static void hear(void *opaque, MachineGuestReport report)
{
    g_assert_cmpint(report, ==, MACHINE_GUEST_WATCHDOG);
    ((Bench *)opaque)->bites++;
}

static void set_up(Bench *b, gconstpointer data)
{
    memory_region_init(&b->root, NULL, "root", UINT64_MAX);
    b->as = address_space_new(&b->root, "test");
    b->dev = device_new("vcpu-stall-detector", NULL);
    g_assert_true(device_realize(b->dev, NULL));
    device_map(b->dev, 0, &b->root, BASE);
    machine_set_guest_report_handler(hear, b);
    b->now = clock_now();
}

static void tear_down(Bench *b, gconstpointer data)
{
    machine_set_guest_report_handler(NULL, NULL);
    device_unrealize(b->dev);
    g_object_unref(b->dev);
    address_space_free(b->as);
    memory_region_destroy(&b->root);
}

static void wr(Bench *b, unsigned reg, uint32_t value)
{
    g_assert_cmpuint(address_space_st(b->as, BASE + reg, 4, value), ==, MEMTX_OK);
}

static uint64_t rd(Bench *b, unsigned reg)
{
    uint64_t value;

    g_assert_cmpuint(address_space_ld(b->as, BASE + reg, 4, &value), ==, MEMTX_OK);
    return value;
}

static void pass(Bench *b, int64_t ns)
{
    b->now += ns;
    clock_set(b->now);
}

/* As Linux does it: clock, load, enable; then loads from the vCPU's timer. */
static void start(Bench *b, unsigned hz, unsigned ticks)
{
    wr(b, FREQ, hz);
    wr(b, LOAD, ticks);
    wr(b, STATUS, 1);
}

static void bites_once_at_its_end(Bench *b, gconstpointer data)
{
    start(b, 10, 80);
    pass(b, 8 * SECOND - 1);
    g_assert_cmpuint(b->bites, ==, 0);
    g_assert_cmpuint(rd(b, CURRENT), ==, 1);
    pass(b, 1);
    g_assert_cmpuint(b->bites, ==, 1);
    g_assert_cmpuint(rd(b, STATUS), ==, 0);
    pass(b, 100 * SECOND);
    g_assert_cmpuint(b->bites, ==, 1);
}

static void load_starts_it_anew(Bench *b, gconstpointer data)
{
    start(b, 10, 80);
    for (unsigned i = 0; i < 5; i++) {
        pass(b, 7 * SECOND);
        wr(b, LOAD, 80);
    }
    g_assert_cmpuint(b->bites, ==, 0);
    g_assert_cmpuint(rd(b, CURRENT), ==, 80);
    pass(b, 8 * SECOND);
    g_assert_cmpuint(b->bites, ==, 1);
}

static void disabled_does_not_bite(Bench *b, gconstpointer data)
{
    wr(b, LOAD, 1);
    pass(b, 10 * SECOND);
    start(b, 1, 5);
    wr(b, STATUS, 0);
    pass(b, 10 * SECOND);
    start(b, 1, 5);
    device_reset(b->dev);
    pass(b, 10 * SECOND);
    g_assert_cmpuint(b->bites, ==, 0);
    g_assert_cmpuint(rd(b, STATUS), ==, 0);
}

static void odd_values_do_no_harm(Bench *b, gconstpointer data)
{
    wr(b, FREQ, 0);
    wr(b, FREQ, 101);
    g_assert_cmpuint(rd(b, FREQ), ==, 10);
    start(b, 1, UINT32_MAX);
    g_assert_cmpuint(rd(b, CURRENT), ==, UINT32_MAX);
    wr(b, NEXT_CPU + LOAD, 0); /* there is one vCPU */
    wr(b, NEXT_CPU + STATUS, 1);
    g_assert_cmpuint(rd(b, NEXT_CPU + STATUS), ==, 0);
    wr(b, VCPU_STALL_SIZE - 4, 1);
    pass(b, 1000 * SECOND);
    g_assert_cmpuint(b->bites, ==, 0);
    wr(b, LOAD, 0); /* at once */
    pass(b, 1);
    g_assert_cmpuint(b->bites, ==, 1);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_type_ensure(TYPE_VCPU_STALL);
    clock_set_manual();
#define ADD(name, fn) g_test_add("/vcpu-stall/" name, Bench, NULL, set_up, fn, tear_down)
    ADD("bites-once-at-its-end", bites_once_at_its_end);
    ADD("load-starts-it-anew", load_starts_it_anew);
    ADD("disabled-does-not-bite", disabled_does_not_bite);
    ADD("odd-values-do-no-harm", odd_values_do_no_harm);
    return g_test_run();
}
