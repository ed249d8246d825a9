/* SPDX-License-Identifier: GPL-2.0-or-later
 * What a device and the machine's run state have to tell each other: a device asks that the machine
 * be stopped because it cannot go on (a disk's error), and hears when the machine goes on. The
 * states themselves are system/runstate.h's.
 */
#pragma once

/* Asks for the run state "io-error"; the machine stops soon after, not before this returns. [any]
 */
void run_stop_for_io_error(void);
/* fn does it, in whichever thread asked. [main, before threads] */
void run_set_io_error_handler(void (*fn)(void));

typedef struct RunWatch RunWatch;
/* fn is called each time the machine goes on after a stop, before vCPUs run. [main] */
RunWatch *run_watch_new(void (*fn)(void *opaque), void *opaque);
void run_watch_free(RunWatch *watch); /* NULL is fine. [main] */
/* For the run state: the machine goes on. [main] */
void run_watch_resumed(void);
