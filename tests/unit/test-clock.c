/* SPDX-License-Identifier: GPL-2.0-or-later
 * The virtual clock and its timers: running, stopped, and by hand. One process, one clock: the
 * tests run in this order, the manual ones last.
 */
#include "hw/core/clock.h"

#include <glib.h>

typedef struct {
    ClockTimer *timer;
    int fired;
    int64_t at;
    int64_t again; /* arms itself again after this, -1: not */
    GString *log;
    char name;
} Alarm;

static void on_timer(void *opaque)
{
    Alarm *a = opaque;

    a->fired++;
    a->at = clock_now();
    if (a->log != NULL) {
        g_string_append_c(a->log, a->name);
    }
    if (a->again >= 0) {
        clock_timer_arm(a->timer, a->at + a->again);
    }
}

static void alarm_init(Alarm *a)
{
    *a = (Alarm){ .again = -1, .timer = clock_timer_new(on_timer, a) };
}

static void runs(void)
{
    int64_t a = clock_now(), b;

    do {
        b = clock_now();
    } while (b == a);
    g_assert_cmpint(b, >, a);
    g_assert_false(clock_is_manual());
}

static void fires_at_deadline(void)
{
    Alarm a;

    alarm_init(&a);
    clock_timer_arm(a.timer, clock_now() + CLOCK_NS_PER_SEC / 500);
    g_assert_cmpint(clock_next_deadline(), >, 0);
    while (a.fired == 0) {
        g_main_context_iteration(NULL, TRUE);
    }
    g_assert_cmpint(clock_next_deadline(), ==, -1);
    clock_timer_arm(a.timer, 0); /* long past: at once */
    while (a.fired == 1) {
        g_main_context_iteration(NULL, TRUE);
    }
    clock_timer_free(a.timer);
    clock_timer_free(NULL);
}

static void disarmed_stays_quiet(void)
{
    Alarm a, b;

    alarm_init(&a);
    alarm_init(&b);
    clock_timer_arm(a.timer, clock_now());
    clock_timer_disarm(a.timer);
    clock_timer_arm(b.timer, clock_now());
    while (b.fired == 0) {
        g_main_context_iteration(NULL, TRUE);
    }
    g_assert_cmpint(a.fired, ==, 0);
    clock_timer_free(a.timer);
    clock_timer_free(b.timer);
}

/* A timer that is always due does not keep the main context from anything else. */
static gboolean on_idle(gpointer opaque)
{
    *(bool *)opaque = true;
    return G_SOURCE_REMOVE;
}

static void always_due(void)
{
    bool idle = false;
    Alarm a;

    alarm_init(&a);
    a.again = 0;
    clock_timer_arm(a.timer, 0);
    g_idle_add_full(G_PRIORITY_DEFAULT, on_idle, &idle, NULL);
    while (!idle || a.fired < 3) {
        g_main_context_iteration(NULL, TRUE);
    }
    clock_timer_free(a.timer);
}

static void stops(void)
{
    int64_t stopped;

    clock_stop();
    clock_stop();
    stopped = clock_now();
    g_assert_cmpint(clock_now(), ==, stopped);
    clock_resume();
    clock_resume();
    g_assert_cmpint(clock_now(), <, stopped + CLOCK_NS_PER_SEC * 60);
    while (clock_now() == stopped) {
    }
}

static void by_hand(void)
{
    g_autoptr(GString) log = g_string_new(NULL);
    Alarm a, b, c;

    clock_set_manual();
    g_assert_true(clock_is_manual());
    g_assert_cmpint(clock_now(), ==, 0);
    alarm_init(&a);
    alarm_init(&b);
    alarm_init(&c);
    a.log = b.log = c.log = log;
    a.name = 'a';
    b.name = 'b';
    c.name = 'c';
    clock_timer_arm(a.timer, 300);
    clock_timer_arm(b.timer, 100);
    clock_timer_arm(c.timer, 1000);
    b.again = 150;
    g_assert_cmpint(clock_next_deadline(), ==, 100);
    clock_set(500);
    g_assert_cmpstr(log->str, ==, "bbab");
    g_assert_cmpint(a.at, ==, 300);
    g_assert_cmpint(b.at, ==, 400);
    g_assert_cmpint(clock_now(), ==, 500);
    clock_set(400); /* not back */
    g_assert_cmpint(clock_now(), ==, 500);
    g_assert_cmpint(clock_next_deadline(), ==, 550);
    b.again = -1;
    clock_set(550);
    clock_set(1000);
    g_assert_cmpstr(log->str, ==, "bbabbc");
    clock_timer_free(a.timer);
    clock_timer_free(b.timer);
    clock_timer_free(c.timer);
}

static void by_hand_due_at_once(void)
{
    Alarm a;

    alarm_init(&a);
    clock_timer_arm(a.timer, clock_now());
    while (a.fired == 0) {
        g_main_context_iteration(NULL, TRUE);
    }
    clock_timer_free(a.timer);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/clock/runs-with-the-host", runs);
    g_test_add_func("/clock/timer/fires-at-its-deadline", fires_at_deadline);
    g_test_add_func("/clock/timer/disarmed-stays-quiet", disarmed_stays_quiet);
    g_test_add_func("/clock/timer/always-due-starves-nobody", always_due);
    g_test_add_func("/clock/stands-still-while-stopped", stops);
    g_test_add_func("/clock/manual/fires-in-order-each-at-its-time", by_hand);
    g_test_add_func("/clock/manual/due-now-fires-from-the-main-context", by_hand_due_at_once);
    return g_test_run();
}
