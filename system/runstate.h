/* SPDX-License-Identifier: GPL-2.0-or-later
 * What the virtual machine is doing (run states as QMP names them), and what the program is to do
 * next: go on, reset, or end, and with which exit status. Accelerator events, signals, the
 * console's Ctrl-A x and the monitor all end up here.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "accel/accel.h"
#include "util/outcome.h"

/* ---- run states; names in runstate-name.c ---- */
typedef enum {
    RUN_STATE_PRELAUNCH,
    RUN_STATE_RUNNING,
    RUN_STATE_PAUSED,
    RUN_STATE_SHUTDOWN,
    RUN_STATE_INTERNAL_ERROR,
    RUN_STATE_IO_ERROR,
    RUN_STATE_WATCHDOG,
    RUN_STATE_GUEST_PANICKED,
    RUN_STATE_SUSPENDED,
} RunState;

const char *run_state_name(RunState state);
RunState runstate_current(void); /* [any] */
bool runstate_is_running(void);  /* [any] */

/* vCPUs and virtual clock; STOP and RESUME are emitted. Nothing happens if it is so already. With
 * no machine only the state is kept. [main] */
void runstate_stop(RunState why);
bool runstate_cont(GError **error); /* FALSE: the guest has shut down and must be reset first */

/* ---- requests ---- */
typedef enum {
    RUN_ON,
    RUN_PRECONFIG_DONE, /* the machine may be made */
    RUN_RESET,
    RUN_QUIT, /* end, with plain status 0 */
    RUN_FAIL, /* end, with plain status 1 */
} RunRequest;

typedef enum {
    CAUSE_NONE,
    CAUSE_HOST_ERROR,
    CAUSE_HOST_QMP_QUIT,
    CAUSE_HOST_QMP_SYSTEM_RESET,
    CAUSE_HOST_SIGNAL,
    CAUSE_HOST_UI,
    CAUSE_GUEST_SHUTDOWN,
    CAUSE_GUEST_RESET,
    CAUSE_GUEST_PANIC,
} RunCause;

const char *run_cause_name(RunCause cause);
bool run_cause_is_guest(RunCause cause);

/* [any] The first request counts, but an end goes before a reset. message is copied, may be NULL.
 */
void runstate_request(RunRequest request, RunCause cause, const char *message);
/* [any] What an accelerator event means; an AccelEventFn. */
void runstate_accel_event(void *opaque, AccelEvent event, const char *message);
/* [main] The request so far, without waiting. */
RunRequest runstate_get(void);

typedef struct {
    RunRequest request;
    RunCause cause;
    Outcome outcome; /* which exit status a detailed one is */
    char *message;   /* or NULL */
} RunOrder;

/* [main] Serves the main context until something is requested. The message is the caller's. */
RunOrder runstate_wait(void);
/* [main] Forgets the request. */
void runstate_clear(void);
/* [main] Forgets a reset request, for the next life of the VM. */
void runstate_clear_reset(void);

/* [main] A device's error may stop the machine from now on. */
void runstate_hear_devices(void);
/* [main] SIGTERM, SIGINT and SIGHUP end the program in good order from now on. */
void runstate_catch_signals(void);
