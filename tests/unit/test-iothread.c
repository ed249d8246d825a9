/* SPDX-License-Identifier: GPL-2.0-or-later
 * How long an I/O thread looks for an event before it sleeps. What it does with events is tested
 * with the devices that use it.
 */
#include "hw/virtio/iothread.h"

static void check(const IoThreadPolling *p, uint64_t poll, uint64_t waited, uint64_t next)
{
    g_assert_cmpuint(iothread_next_poll_ns(p, poll, waited), ==, next);
}

static void test_grows_while_waits_are_short(void)
{
    const IoThreadPolling twice = { .max_ns = 10000 }, thrice = { .max_ns = 100000, .grow = 3 };

    check(&twice, 0, 9000, 4000);
    check(&twice, 4000, 9000, 8000);
    check(&twice, 8000, 9000, 10000);
    check(&thrice, 4000, 9000, 12000);
}

static void test_stays_while_looking_is_enough(void)
{
    const IoThreadPolling p = { .max_ns = 10000 };

    check(&p, 4000, 4000, 4000);
    check(&p, 10000, 1, 10000);
}

static void test_a_long_wait_ends_it(void)
{
    const IoThreadPolling at_once = { .max_ns = 10000 }, half = { .max_ns = 10000, .shrink = 2 };

    check(&at_once, 8000, 10001, 0);
    check(&half, 8000, 10001, 4000);
    check(&half, 1, 10001, 0);
}

static void test_numbers_of_any_size(void)
{
    const IoThreadPolling large = { INT64_MAX, INT64_MAX, INT64_MAX }, tiny = { .max_ns = 1 };

    check(&large, 4000, 5000, INT64_MAX);
    check(&large, 4000, UINT64_MAX, 0);
    check(&tiny, 0, 1, 1);
    check(&tiny, 1, 2, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/iothread/grows-while-waits-are-short", test_grows_while_waits_are_short);
    g_test_add_func("/iothread/stays-while-looking-is-enough", test_stays_while_looking_is_enough);
    g_test_add_func("/iothread/a-long-wait-ends-it", test_a_long_wait_ends_it);
    g_test_add_func("/iothread/numbers-of-any-size", test_numbers_of_any_size);
    return g_test_run();
}
