/* SPDX-License-Identifier: GPL-2.0-or-later
 * PL031 through the memory API, against Arm DDI 0224 chapter 3, on a clock the test turns.
 */
#include "hw/core/clock.h"
#include "hw/rtc/pl031.h"

enum {
    DR = 0x00,
    MR = 0x04,
    LR = 0x08,
    CR = 0x0c,
    IMSC = 0x10,
    RIS = 0x14,
    MIS = 0x18,
    ICR = 0x1c,
    START = 1700000000,
};

typedef struct {
    MemoryRegion root;
    AddressSpace *as;
    Device *rtc;
    int64_t now; /* seconds */
    int level;
} Bench;

static void on_irq(void *opaque, int n, int level)
{
    ((Bench *)opaque)->level = level;
}

static int64_t test_clock(void *opaque)
{
    return ((Bench *)opaque)->now * G_USEC_PER_SEC;
}

static void set_up(Bench *b, gconstpointer data)
{
    memory_region_init(&b->root, NULL, "root", UINT64_MAX);
    b->as = address_space_new(&b->root, "test");
    b->rtc = device_new("pl031", NULL);
    b->now = START;
    pl031_set_clock(HUMPY_PL031(b->rtc), test_clock, b);
    device_connect_irq(b->rtc, 0, irq_new(on_irq, b, 0));
    g_assert_true(device_realize(b->rtc, NULL));
    device_map(b->rtc, 0, &b->root, 0x9010000);
}

static void tear_down(Bench *b, gconstpointer data)
{
    device_unrealize(b->rtc);
    g_object_unref(b->rtc);
    address_space_free(b->as);
    memory_region_destroy(&b->root);
}

static uint32_t rd(Bench *b, unsigned reg)
{
    uint64_t value = 0;

    g_assert_cmpuint(address_space_ld(b->as, 0x9010000 + reg, 4, &value), ==, MEMTX_OK);
    return value;
}

static void wr(Bench *b, unsigned reg, uint32_t value)
{
    g_assert_cmpuint(address_space_st(b->as, 0x9010000 + reg, 4, value), ==, MEMTX_OK);
}

static void shows_wall_clock(Bench *b, gconstpointer data)
{
    g_assert_cmpuint(rd(b, DR), ==, START);
    g_assert_cmpuint(rd(b, CR), ==, 1);
    b->now += 7;
    g_assert_cmpuint(rd(b, DR), ==, START + 7);
}

static void load_moves_the_counter(Bench *b, gconstpointer data)
{
    wr(b, LR, 1000);
    g_assert_cmpuint(rd(b, DR), ==, 1000);
    g_assert_cmpuint(rd(b, LR), ==, 1000);
    b->now += 5;
    g_assert_cmpuint(rd(b, DR), ==, 1005);
}

static void stop_is_ignored(Bench *b, gconstpointer data)
{
    wr(b, CR, 0);
    b->now++;
    g_assert_cmpuint(rd(b, CR), ==, 1);
    g_assert_cmpuint(rd(b, DR), ==, START + 1);
}

static void match_raises(Bench *b, gconstpointer data)
{
    wr(b, IMSC, 1);
    wr(b, MR, START + 3);
    b->now += 2;
    g_assert_cmpuint(rd(b, RIS), ==, 0);
    b->now++;
    g_assert_cmpuint(rd(b, RIS), ==, 1);
    g_assert_cmpuint(rd(b, MIS), ==, 1);
    g_assert_cmpint(b->level, ==, 1);
    wr(b, ICR, 1);
    g_assert_cmpuint(rd(b, RIS), ==, 0);
    g_assert_cmpint(b->level, ==, 0);
    b->now++;
    g_assert_cmpuint(rd(b, RIS), ==, 0);
}

static void match_of_now(Bench *b, gconstpointer data)
{
    wr(b, MR, START);
    g_assert_cmpuint(rd(b, RIS), ==, 1);
    g_assert_cmpuint(rd(b, MIS), ==, 0);
    g_assert_cmpint(b->level, ==, 0);
    wr(b, IMSC, 1);
    g_assert_cmpint(b->level, ==, 1);
}

static void match_follows_load(Bench *b, gconstpointer data)
{
    wr(b, MR, 10);
    wr(b, LR, 8);
    b->now++;
    g_assert_cmpuint(rd(b, RIS), ==, 0);
    b->now++;
    g_assert_cmpuint(rd(b, RIS), ==, 1);
}

static void match_behind_waits_a_turn(Bench *b, gconstpointer data)
{
    wr(b, MR, START - 1);
    b->now += 1000000;
    g_assert_cmpuint(rd(b, RIS), ==, 0);
}

static int64_t later_clock(void *opaque)
{
    return test_clock(opaque) + 60 * G_USEC_PER_SEC;
}

static void timer_is_set_to_the_match(Bench *b, gconstpointer data)
{
    int64_t before = clock_now();

    wr(b, MR, START + 60);
    g_assert_cmpint(clock_next_deadline(), ==, -1); /* nobody would hear it */
    wr(b, IMSC, 1);
    g_assert_cmpint(clock_next_deadline(), >=, before + 60 * CLOCK_NS_PER_SEC);
    g_assert_cmpint(clock_next_deadline(), <=, clock_now() + 60 * CLOCK_NS_PER_SEC);
}

/* No register is touched after the match is set: the timer alone raises the line. */
static void timer_raises_without_access(Bench *b, gconstpointer data)
{
    clock_set_manual();
    wr(b, IMSC, 1);
    wr(b, MR, START + 60);
    b->now += 60;
    clock_set(clock_now() + 59 * CLOCK_NS_PER_SEC);
    g_assert_cmpint(b->level, ==, 0);
    clock_set(clock_now() + CLOCK_NS_PER_SEC);
    g_assert_cmpint(b->level, ==, 1);
}

static void follows_the_manual_clock(Bench *b, gconstpointer data)
{
    uint32_t start;

    clock_set_manual();
    pl031_set_clock(HUMPY_PL031(b->rtc), NULL, NULL);
    start = rd(b, DR);
    wr(b, IMSC, 1);
    wr(b, MR, start + 3600);
    clock_set(clock_now() + 3599 * CLOCK_NS_PER_SEC);
    g_assert_cmpuint(rd(b, DR), ==, start + 3599);
    g_assert_cmpint(b->level, ==, 0);
    clock_set(clock_now() + CLOCK_NS_PER_SEC);
    g_assert_cmpint(b->level, ==, 1);
}

static void clock_step_is_noticed(Bench *b, gconstpointer data)
{
    wr(b, IMSC, 1);
    wr(b, MR, START + 60);
    pl031_set_clock(HUMPY_PL031(b->rtc), later_clock, b);
    g_assert_cmpint(b->level, ==, 1);
}

static void reset_keeps_time(Bench *b, gconstpointer data)
{
    wr(b, LR, 500);
    wr(b, IMSC, 1);
    wr(b, MR, 500);
    g_assert_cmpint(b->level, ==, 1);
    device_reset(b->rtc);
    g_assert_cmpint(b->level, ==, 0);
    g_assert_cmpuint(rd(b, IMSC), ==, 0);
    g_assert_cmpuint(rd(b, DR), ==, 500);
}

static void primecell_id(Bench *b, gconstpointer data)
{
    static const uint8_t id[] = { 0x31, 0x10, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1 };

    for (unsigned i = 0; i < G_N_ELEMENTS(id); i++) {
        uint64_t byte = 0;

        g_assert_cmphex(rd(b, 0xfe0 + 4 * i), ==, id[i]);
        /* UEFI's driver reads no more than it needs. */
        g_assert_cmpuint(address_space_ld(b->as, 0x9010fe0 + 4 * i, 1, &byte), ==, MEMTX_OK);
        g_assert_cmphex(byte, ==, id[i]);
    }
}

int main(int argc, char **argv)
{
    static const struct {
        const char *rule;
        void (*fn)(Bench *b, gconstpointer data);
    } rules[] = {
        { "counter/shows-wall-clock", shows_wall_clock },
        { "counter/load-moves-it", load_moves_the_counter },
        { "counter/cannot-be-stopped", stop_is_ignored },
        { "match/raises-once", match_raises },
        { "match/of-now-raises-at-once", match_of_now },
        { "match/follows-load", match_follows_load },
        { "match/behind-the-counter-waits-a-turn", match_behind_waits_a_turn },
        { "match/timer-is-set-to-it", timer_is_set_to_the_match },
        { "match/clock-step-is-noticed", clock_step_is_noticed },
        { "reset/keeps-time", reset_keeps_time },
        { "id/primecell", primecell_id },
        { "match/timer-raises-without-access", timer_raises_without_access },
        { "counter/follows-the-manual-clock", follows_the_manual_clock },
    };

    g_test_init(&argc, &argv, NULL);
    g_type_ensure(TYPE_PL031);
    for (unsigned i = 0; i < G_N_ELEMENTS(rules); i++) {
        g_autofree char *path = g_strconcat("/pl031/", rules[i].rule, NULL);

        g_test_add(path, Bench, NULL, set_up, rules[i].fn, tear_down);
    }
    return g_test_run();
}
