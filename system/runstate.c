/* SPDX-License-Identifier: GPL-2.0-or-later
 * The one pending request, and the signals that make one.
 */
#include "runstate.h"

#include <glib-unix.h>
#include <signal.h>

#include "chardev/chardev.h"

static GMutex lock;
static RunRequest pending;
static char *pending_message;

void runstate_request(RunRequest request, const char *message)
{
    g_mutex_lock(&lock);
    if (pending == RUN_ON || (pending == RUN_RESET && request != RUN_RESET)) {
        pending = request;
        g_free(pending_message);
        pending_message = g_strdup(message);
    }
    g_mutex_unlock(&lock);
    g_main_context_wakeup(NULL);
}

void runstate_accel_event(void *opaque, AccelEvent event, const char *message)
{
    g_autofree char *text = NULL;

    switch (event) {
    case ACCEL_EVENT_SHUTDOWN:
        runstate_request(RUN_QUIT, NULL);
        break;
    case ACCEL_EVENT_RESET:
        runstate_request(RUN_RESET, NULL);
        break;
    case ACCEL_EVENT_WATCHDOG:
        g_message("the guest's watchdog has run out");
        runstate_request(RUN_RESET, NULL);
        break;
    case ACCEL_EVENT_CRASH:
        text = g_strdup_printf("the guest crashed: %s", message != NULL ? message : "no reason");
        runstate_request(RUN_FAIL, text);
        break;
    case ACCEL_EVENT_LOAD_FAILED:
        text = g_strdup_printf("the hypervisor could not start the guest: %s",
                               message != NULL ? message : "no reason");
        runstate_request(RUN_FAIL, text);
        break;
    case ACCEL_EVENT_STOPPED:
        text = g_strdup_printf("the virtual machine was stopped from outside%s%s",
                               message != NULL ? ": " : "", message != NULL ? message : "");
        runstate_request(RUN_FAIL, text);
        break;
    }
}

RunRequest runstate_get(void)
{
    RunRequest request;

    g_mutex_lock(&lock);
    request = pending;
    g_mutex_unlock(&lock);
    return request;
}

RunRequest runstate_wait(char **message)
{
    while (runstate_get() == RUN_ON) {
        g_main_context_iteration(NULL, TRUE);
    }
    g_mutex_lock(&lock);
    *message = g_steal_pointer(&pending_message);
    g_mutex_unlock(&lock);
    return runstate_get();
}

void runstate_clear_reset(void)
{
    g_mutex_lock(&lock);
    if (pending == RUN_RESET) {
        pending = RUN_ON;
    }
    g_mutex_unlock(&lock);
}

static gboolean signalled(gpointer signo)
{
    g_autofree char *message = g_strdup_printf("terminating on signal %d", GPOINTER_TO_INT(signo));

    runstate_request(RUN_QUIT, message);
    chardev_cancel_wait();
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
