/* SPDX-License-Identifier: GPL-2.0-or-later
 * Names of run states and causes as the monitor's schema has them.
 */
#include "runstate.h"

static const char *const states[] = {
    [RUN_STATE_PRELAUNCH] = "prelaunch",
    [RUN_STATE_RUNNING] = "running",
    [RUN_STATE_PAUSED] = "paused",
    [RUN_STATE_SHUTDOWN] = "shutdown",
    [RUN_STATE_INTERNAL_ERROR] = "internal-error",
    [RUN_STATE_IO_ERROR] = "io-error",
    [RUN_STATE_WATCHDOG] = "watchdog",
    [RUN_STATE_GUEST_PANICKED] = "guest-panicked",
    [RUN_STATE_SUSPENDED] = "suspended",
};

static const struct {
    const char *name;
    bool guest;
} causes[] = {
    [CAUSE_NONE] = { "none", false },
    [CAUSE_HOST_ERROR] = { "host-error", false },
    [CAUSE_HOST_QMP_QUIT] = { "host-qmp-quit", false },
    [CAUSE_HOST_QMP_SYSTEM_RESET] = { "host-qmp-system-reset", false },
    [CAUSE_HOST_SIGNAL] = { "host-signal", false },
    [CAUSE_HOST_UI] = { "host-ui", false },
    [CAUSE_GUEST_SHUTDOWN] = { "guest-shutdown", true },
    [CAUSE_GUEST_RESET] = { "guest-reset", true },
    [CAUSE_GUEST_PANIC] = { "guest-panic", true },
};

const char *run_state_name(RunState state)
{
    return states[state];
}

const char *run_cause_name(RunCause cause)
{
    return causes[cause].name;
}

bool run_cause_is_guest(RunCause cause)
{
    return causes[cause].guest;
}
