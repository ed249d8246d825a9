/* SPDX-License-Identifier: GPL-2.0-or-later
 * The virtual clock and its timers. Under an accelerator with vCPUs it is the host's monotonic
 * clock minus the time the machine was stopped; under -accel qtest it starts at 0 and moves only by
 * clock_step() and clock_set(). Devices use it for everything a guest can see except the time of
 * day. Timers fire in the main context's thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define CLOCK_NS_PER_SEC INT64_C(1000000000)

int64_t clock_now(void); /* ns of the virtual clock. [any] */

typedef struct ClockTimer ClockTimer;
typedef void (*ClockTimerFn)(void *opaque); /* [main], no lock held */

ClockTimer *clock_timer_new(ClockTimerFn fn, void *opaque); /* [any] */
/* Disarms; on return fn does not run (unless called from fn itself) and never will. NULL is fine.
 * Not while holding a lock that fn takes. [main] */
void clock_timer_free(ClockTimer *timer);
/* Fires once when the clock reaches deadline (at once if it has). Replaces an earlier one. [any] */
void clock_timer_arm(ClockTimer *timer, int64_t deadline);
void clock_timer_disarm(ClockTimer *timer); /* fn may just be running. [any] */

/* ---- for the run state and the qtest server, [main] ---- */
void clock_stop(void);
void clock_resume(void);
/* From now on the clock stands still at 0 but for the two below. */
void clock_set_manual(void);
bool clock_is_manual(void);
/* Moves to ns, firing due timers in order of their deadlines, each at its own time. A time in the
 * past changes nothing. */
void clock_set(int64_t ns);
/* Deadline of the next timer, or -1. */
int64_t clock_next_deadline(void);
