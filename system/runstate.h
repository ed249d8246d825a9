/* SPDX-License-Identifier: GPL-2.0-or-later
 * What the program is to do next: go on, start the VM anew, or end, and with which exit status.
 * Accelerator events, signals and the console's Ctrl-A x all end up here.
 */
#pragma once

#include <stdbool.h>

#include "accel/accel.h"

typedef enum {
    RUN_ON,
    RUN_RESET, /* the guest asked for a reset */
    RUN_QUIT,  /* end with status 0 */
    RUN_FAIL,  /* end with status 1 */
} RunRequest;

/* [any] Asks for the end or a reset. The first request counts, but an end goes before a reset.
 * message is copied, may be NULL. */
void runstate_request(RunRequest request, const char *message);
/* [any] What an accelerator event means; an AccelEventFn. */
void runstate_accel_event(void *opaque, AccelEvent event, const char *message);
/* [main] The request so far, without waiting. */
RunRequest runstate_get(void);
/* [main] Serves the main context until something is requested. message is taken by the caller. */
RunRequest runstate_wait(char **message);
/* [main] Forgets a reset request, for the next life of the VM. */
void runstate_clear_reset(void);

/* [main] SIGTERM, SIGINT and SIGHUP end the program in good order from now on. */
void runstate_catch_signals(void);
