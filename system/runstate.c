/* SPDX-License-Identifier: GPL-2.0-or-later
 * The run state, the one pending request, and the signals that make one.
 */
#include "runstate.h"

#include <glib-unix.h>
#include <pthread.h>
#include <signal.h>

#include "chardev/chardev.h"
#include "hw/core/clock.h"
#include "hw/core/run-watch.h"
#include "net/net.h"
#include "util/error.h"
#include "util/event.h"
#include "util/later.h"
#include "util/trace.h"
#include "vm.h"

static int state = RUN_STATE_PRELAUNCH; /* atomic; changed by [main] */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* seen by the thread sanitizer */
static RunOrder pending;

/* ---- run states ---- */

RunState runstate_current(void)
{
    return g_atomic_int_get(&state);
}

bool runstate_is_running(void)
{
    return runstate_current() == RUN_STATE_RUNNING;
}

static void set_state(RunState wanted)
{
    TRACE(runstate_set, "%s to %s", run_state_name(runstate_current()), run_state_name(wanted));
    g_atomic_int_set(&state, wanted);
}

void runstate_stop(RunState why)
{
    bool ran = runstate_is_running();
    Vm *vm = vm_current();

    if (ran && vm != NULL) {
        accel_pause(vm_accel(vm));
    }
    clock_stop();
    net_set_running(false);
    if (ran || why != RUN_STATE_PAUSED) {
        set_state(why);
    }
    if (ran) {
        event_emit("STOP", NULL);
    }
}

bool runstate_cont(GError **error)
{
    Vm *vm = vm_current();

    if (runstate_is_running()) {
        return true;
    }
    if (runstate_current() == RUN_STATE_SHUTDOWN ||
        runstate_current() == RUN_STATE_INTERNAL_ERROR) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "the guest is in state '%s' and must be reset first (system_reset)",
                    run_state_name(runstate_current()));
        return false;
    }
    if (runstate_current() != RUN_STATE_PRELAUNCH && vm != NULL &&
        !accel_require(vm_accel(vm), ACCEL_CAP_PAUSE, "cont without system_reset", error)) {
        return false;
    }
    set_state(RUN_STATE_RUNNING);
    event_emit("RESUME", NULL);
    clock_resume();
    net_set_running(true);
    run_watch_resumed();
    if (vm != NULL) {
        accel_resume(vm_accel(vm));
    }
    return true;
}

/* ---- requests ---- */

/* [any] */
static void request_outcome(RunRequest request, RunCause cause, Outcome outcome,
                            const char *message)
{
    pthread_mutex_lock(&lock);
    if (pending.request == RUN_ON || (pending.request == RUN_RESET && request != RUN_RESET)) {
        pending.request = request;
        pending.cause = cause;
        pending.outcome = outcome;
        g_free(pending.message);
        pending.message = g_strdup(message);
    }
    pthread_mutex_unlock(&lock);
    g_main_context_wakeup(NULL);
}

void runstate_request(RunRequest request, RunCause cause, const char *message)
{
    Outcome outcome = cause == CAUSE_GUEST_PANIC ? OUTCOME_PANIC
                      : request == RUN_RESET     ? OUTCOME_RESET
                      : request == RUN_FAIL      ? OUTCOME_ERROR
                                                 : OUTCOME_POWEROFF;

    request_outcome(request, cause, outcome, message);
}

void runstate_accel_event(void *opaque, AccelEvent event, const char *message)
{
    g_autofree char *text = NULL;

    switch (event) {
    case ACCEL_EVENT_SHUTDOWN:
        runstate_request(RUN_QUIT, CAUSE_GUEST_SHUTDOWN, NULL);
        break;
    case ACCEL_EVENT_RESET:
        runstate_request(RUN_RESET, CAUSE_GUEST_RESET, NULL);
        break;
    case ACCEL_EVENT_WATCHDOG:
        g_message("the guest's watchdog has run out");
        request_outcome(RUN_RESET, CAUSE_GUEST_RESET, OUTCOME_WATCHDOG, NULL);
        break;
    case ACCEL_EVENT_CRASH:
        text = g_strdup_printf("the guest crashed: %s", message != NULL ? message : "no reason");
        request_outcome(RUN_FAIL, CAUSE_HOST_ERROR, OUTCOME_CRASH, text);
        break;
    case ACCEL_EVENT_HYPERVISOR:
        text =
            g_strdup_printf("the hypervisor failed: %s", message != NULL ? message : "no reason");
        request_outcome(RUN_FAIL, CAUSE_HOST_ERROR, OUTCOME_HYPERVISOR, text);
        break;
    case ACCEL_EVENT_LOAD_FAILED:
        text = g_strdup_printf("the hypervisor could not start the guest: %s",
                               message != NULL ? message : "no reason");
        request_outcome(RUN_FAIL, CAUSE_HOST_ERROR, OUTCOME_LOAD, text);
        break;
    case ACCEL_EVENT_STOPPED:
        text = g_strdup_printf("the virtual machine was stopped from outside%s%s",
                               message != NULL ? ": " : "", message != NULL ? message : "");
        request_outcome(RUN_FAIL, CAUSE_HOST_ERROR, OUTCOME_STOPPED, text);
        break;
    }
}

RunRequest runstate_get(void)
{
    RunRequest request;

    pthread_mutex_lock(&lock);
    request = pending.request;
    pthread_mutex_unlock(&lock);
    return request;
}

RunOrder runstate_wait(void)
{
    RunOrder order;

    while (runstate_get() == RUN_ON) {
        g_main_context_iteration(NULL, TRUE);
    }
    pthread_mutex_lock(&lock);
    order = pending;
    pending.message = NULL;
    pthread_mutex_unlock(&lock);
    return order;
}

void runstate_clear(void)
{
    pthread_mutex_lock(&lock);
    pending.request = RUN_ON;
    g_clear_pointer(&pending.message, g_free);
    pthread_mutex_unlock(&lock);
}

void runstate_clear_reset(void)
{
    if (runstate_get() == RUN_RESET) {
        runstate_clear();
    }
}

static void stop_for_io_error(void *opaque)
{
    if (runstate_is_running()) { /* else it is stopped, for a reason that counts as much */
        runstate_stop(RUN_STATE_IO_ERROR);
    }
}

/* [any] vCPUs cannot be stopped from inside a device. */
static void hear_io_error(void)
{
    later(NULL, stop_for_io_error, NULL, NULL);
}

void runstate_hear_devices(void)
{
    run_set_io_error_handler(hear_io_error);
}

static gboolean signalled(gpointer signo)
{
    g_autofree char *message = g_strdup_printf("terminating on signal %d", GPOINTER_TO_INT(signo));

    runstate_request(RUN_QUIT, CAUSE_HOST_SIGNAL, message);
    chardev_cancel_wait();
    accel_cancel_wait();
    return G_SOURCE_CONTINUE;
}

void runstate_catch_signals(void)
{
    static const int signals[] = { SIGTERM, SIGINT, SIGHUP };

    for (unsigned i = 0; i < G_N_ELEMENTS(signals); i++) {
        g_unix_signal_add(signals[i], signalled, GINT_TO_POINTER(signals[i]));
    }
    signal(SIGPIPE, SIG_IGN); /* a closed pipe is an error of write() */
}
