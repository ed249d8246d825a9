/* SPDX-License-Identifier: GPL-2.0-or-later
 * A guest's report of a panic, or its wish to be reset or powered off, from whichever thread it
 * comes, is acted upon in the main context: the reporting vCPU is inside a device then, and must
 * get out before vCPUs can be stopped.
 */
#include "panic.h"

#include "hw/core/machine.h"
#include "runstate.h"
#include "util/event.h"
#include "util/later.h"

static const VmConfig *config;

static void emit(const char *event, const char *action)
{
    JsonObject *data = json_object_new();

    json_object_set_string_member(data, "action", action);
    event_emit(event, data);
}

static void panicked(void *opaque)
{
    PanicAction action = config->panic_action;

    /* -no-shutdown: there is to be something left to look at. */
    if (action == PANIC_SHUTDOWN && config->no_shutdown) {
        action = PANIC_PAUSE;
    }
    if (action == PANIC_NONE) {
        emit("GUEST_PANICKED", "run");
        return;
    }
    emit("GUEST_PANICKED", action == PANIC_PAUSE ? "pause" : "poweroff");
    runstate_stop(RUN_STATE_GUEST_PANICKED);
    if (action == PANIC_SHUTDOWN) {
        runstate_request(RUN_QUIT, CAUSE_GUEST_PANIC, "the guest panicked");
    } else if (action == PANIC_EXIT_FAILURE) {
        runstate_request(RUN_FAIL, CAUSE_GUEST_PANIC, "the guest panicked");
    }
}

static void hear(void *opaque, MachineGuestReport report)
{
    switch (report) {
    case MACHINE_GUEST_PANICKED:
        later(NULL, panicked, NULL, NULL);
        break;
    case MACHINE_GUEST_CRASH_LOADED:
        emit("GUEST_CRASHLOADED", "run");
        break;
    case MACHINE_GUEST_SHUTDOWN:
    case MACHINE_GUEST_EXIT: /* main asks for the status */
        runstate_request(RUN_QUIT, CAUSE_GUEST_SHUTDOWN, NULL);
        break;
    case MACHINE_GUEST_WATCHDOG:
        runstate_accel_event(NULL, ACCEL_EVENT_WATCHDOG, NULL);
        break;
    case MACHINE_GUEST_RESET:
        runstate_request(RUN_RESET, CAUSE_GUEST_RESET, NULL);
        break;
    }
}

void panic_start(const VmConfig *vm_config)
{
    config = vm_config;
    machine_set_guest_report_handler(hear, NULL);
}
