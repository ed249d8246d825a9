/* SPDX-License-Identifier: GPL-2.0-or-later
 * Commands that start, stop, reset and end the virtual machine.
 */
#include "hw/core/machine.h"
#include "monitor/monitor.h"
#include "node.h"
#include "qapi-commands.h"
#include "runstate.h"
#include "util/error.h"
#include "util/event.h"
#include "vm.h"

JsonNode *qmp_query_status(JsonObject *args, GError **error)
{
    RunState state = runstate_current();
    JsonObject *info = json_object_new();

    json_object_set_boolean_member(info, "running", state == RUN_STATE_RUNNING);
    json_object_set_boolean_member(info, "singlestep", FALSE);
    json_object_set_string_member(info, "status", run_state_name(state));
    return node_object(info);
}

JsonNode *qmp_stop(JsonObject *args, GError **error)
{
    Vm *vm = vm_current();

    if (vm == NULL || !runstate_is_running() ||
        accel_require(vm_accel(vm), ACCEL_CAP_PAUSE, "stop", error)) {
        runstate_stop(RUN_STATE_PAUSED);
    }
    return NULL;
}

JsonNode *qmp_cont(JsonObject *args, GError **error)
{
    runstate_cont(error);
    return NULL;
}

JsonNode *qmp_quit(JsonObject *args, GError **error)
{
    runstate_request(RUN_QUIT, CAUSE_HOST_QMP_QUIT, NULL);
    return NULL;
}

JsonNode *qmp_system_reset(JsonObject *args, GError **error)
{
    runstate_request(RUN_RESET, CAUSE_HOST_QMP_SYSTEM_RESET, NULL);
    return NULL;
}

JsonNode *qmp_system_powerdown(JsonObject *args, GError **error)
{
    Machine *m = machine_current();

    event_emit("POWERDOWN", NULL);
    if (m != NULL) {
        machine_powerdown(m);
    }
    return NULL;
}

JsonNode *qmp_x_exit_preconfig(JsonObject *args, GError **error)
{
    if (monitors_phase() != MONITOR_PRECONFIG) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "the machine is made already (x-exit-preconfig follows --preconfig)");
        return NULL;
    }
    runstate_request(RUN_PRECONFIG_DONE, CAUSE_NONE, NULL);
    return NULL;
}
