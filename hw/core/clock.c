/* SPDX-License-Identifier: GPL-2.0-or-later
 * The virtual clock: its time, and the timers that wait for it. Armed timers are kept in order of
 * their deadlines; one GSource in the main context wakes up for the first. Under the manual clock
 * that source serves only what is due already, and clock_set() the rest.
 */
#include "hw/core/clock.h"

#include <glib.h>
#include <pthread.h>
#include <time.h>

struct ClockTimer {
    ClockTimerFn fn;
    void *opaque;
    int64_t deadline;
    GSequenceIter *place; /* in armed, or NULL */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* all of this file's state */
static bool started, stopped, manual;
static int64_t now_ns;  /* stopped or manual: the time */
static int64_t zero_ns; /* else: host time at which the clock was 0 */
static GSequence *armed;
static GSource *source;

static int64_t host_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * CLOCK_NS_PER_SEC + ts.tv_nsec;
}

static int by_deadline(gconstpointer a, gconstpointer b, gpointer unused)
{
    const ClockTimer *x = a, *y = b;

    return (x->deadline > y->deadline) - (x->deadline < y->deadline);
}

/* [lock] */
static int64_t time_now(void)
{
    return stopped || manual ? now_ns : host_ns() - zero_ns;
}

/* [lock] */
static ClockTimer *first_timer(void)
{
    GSequenceIter *first = g_sequence_get_begin_iter(armed);

    return g_sequence_iter_is_end(first) ? NULL : g_sequence_get(first);
}

/* [lock] Sets the main context's alarm; its unit is microseconds, rounded up. */
static void set_alarm(void)
{
    const ClockTimer *first = first_timer();
    int64_t ready = -1;

    if (first != NULL && first->deadline <= time_now()) {
        ready = 0;
    } else if (first != NULL && !stopped && !manual &&
               first->deadline < INT64_MAX - zero_ns - 1000) {
        ready = (first->deadline + zero_ns + 999) / 1000;
    }
    g_source_set_ready_time(source, ready);
}

/* [lock] Takes the first timer off if it is due at ns. */
static ClockTimer *take_due(int64_t ns)
{
    ClockTimer *first = first_timer();

    if (first == NULL || first->deadline > ns) {
        return NULL;
    }
    g_sequence_remove(first->place);
    first->place = NULL;
    return first;
}

/* Only what was due on entry: a timer that arms itself again for now does not keep the main
 * context from its other work. */
static gboolean serve_timers(GSource *self, GSourceFunc fn, gpointer opaque)
{
    ClockTimer *timer;
    int64_t due;

    pthread_mutex_lock(&lock);
    due = time_now();
    for (int left = g_sequence_get_length(armed); left > 0 && (timer = take_due(due)) != NULL;
         left--) {
        pthread_mutex_unlock(&lock);
        timer->fn(timer->opaque);
        pthread_mutex_lock(&lock);
    }
    set_alarm();
    pthread_mutex_unlock(&lock);
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs source_funcs = { .dispatch = serve_timers };

/* Takes the lock; the clock runs from its first use on. */
static void enter(void)
{
    pthread_mutex_lock(&lock);
    if (!started) {
        started = true;
        zero_ns = host_ns();
        armed = g_sequence_new(NULL);
        source = g_source_new(&source_funcs, sizeof(GSource));
        g_source_set_static_name(source, "virtual clock");
        g_source_attach(source, NULL);
    }
}

int64_t clock_now(void)
{
    int64_t now;

    enter();
    now = time_now();
    pthread_mutex_unlock(&lock);
    return now;
}

/* ---- timers ---- */

ClockTimer *clock_timer_new(ClockTimerFn fn, void *opaque)
{
    ClockTimer *timer = g_new0(ClockTimer, 1);

    timer->fn = fn;
    timer->opaque = opaque;
    return timer;
}

void clock_timer_free(ClockTimer *timer)
{
    if (timer != NULL) {
        clock_timer_disarm(timer);
        g_free(timer);
    }
}

/* [lock] */
static void remove_timer(ClockTimer *timer)
{
    if (timer->place != NULL) {
        g_sequence_remove(timer->place);
        timer->place = NULL;
    }
}

void clock_timer_arm(ClockTimer *timer, int64_t deadline)
{
    enter();
    remove_timer(timer);
    timer->deadline = deadline;
    timer->place = g_sequence_insert_sorted(armed, timer, by_deadline, NULL);
    if (first_timer() == timer) {
        set_alarm();
    }
    pthread_mutex_unlock(&lock);
}

void clock_timer_disarm(ClockTimer *timer)
{
    enter();
    remove_timer(timer);
    pthread_mutex_unlock(&lock);
}

/* ---- run state and qtest ---- */

void clock_stop(void)
{
    enter();
    if (!stopped) {
        now_ns = time_now();
        stopped = true;
        set_alarm();
    }
    pthread_mutex_unlock(&lock);
}

void clock_resume(void)
{
    enter();
    if (stopped) {
        stopped = false;
        zero_ns = host_ns() - now_ns;
        set_alarm();
    }
    pthread_mutex_unlock(&lock);
}

void clock_set_manual(void)
{
    enter();
    manual = true;
    now_ns = 0;
    set_alarm();
    pthread_mutex_unlock(&lock);
}

bool clock_is_manual(void)
{
    bool is;

    enter();
    is = manual;
    pthread_mutex_unlock(&lock);
    return is;
}

void clock_set(int64_t ns)
{
    ClockTimer *timer;

    enter();
    g_assert(manual);
    while (ns >= now_ns && (timer = take_due(ns)) != NULL) {
        now_ns = MAX(now_ns, timer->deadline);
        pthread_mutex_unlock(&lock);
        timer->fn(timer->opaque);
        pthread_mutex_lock(&lock);
    }
    now_ns = MAX(now_ns, ns);
    set_alarm();
    pthread_mutex_unlock(&lock);
}

int64_t clock_next_deadline(void)
{
    const ClockTimer *first;
    int64_t deadline;

    enter();
    first = first_timer();
    deadline = first != NULL ? first->deadline : -1;
    pthread_mutex_unlock(&lock);
    return deadline;
}
