/* SPDX-License-Identifier: GPL-2.0-or-later
 * Commands that tell about the virtual machine as a whole.
 */
#include "accel/accel.h"
#include "monitor/hmp.h"
#include "node.h"
#include "qapi-commands.h"
#include "util/error.h"
#include "util/target.h"
#include "vm.h"

JsonNode *qmp_query_name(JsonObject *args, GError **error)
{
    JsonObject *info = json_object_new();

    if (vm_config()->name != NULL) {
        json_object_set_string_member(info, "name", vm_config()->name);
    }
    return node_object(info);
}

JsonNode *qmp_query_uuid(JsonObject *args, GError **error)
{
    const char *uuid = vm_config()->uuid;
    JsonObject *info = json_object_new();

    json_object_set_string_member(info, "UUID",
                                  uuid != NULL ? uuid : "00000000-0000-0000-0000-000000000000");
    return node_object(info);
}

JsonNode *qmp_xen_set_global_dirty_log(JsonObject *args, GError **error)
{
    Vm *vm = vm_current();

    if (vm == NULL ||
        !accel_set_dirty_log(vm_accel(vm), json_object_get_boolean_member(args, "enable"))) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "only -accel xen tells a hypervisor of what devices write");
    }
    return NULL;
}

JsonNode *qmp_query_kvm(JsonObject *args, GError **error)
{
    Vm *vm = vm_current();
    JsonObject *info = json_object_new();

    json_object_set_boolean_member(info, "enabled",
                                   vm != NULL && g_str_equal(accel_name(vm_accel(vm)), "kvm"));
    json_object_set_boolean_member(info, "present", accel_option_check("kvm", NULL));
    return node_object(info);
}

JsonNode *qmp_query_target(JsonObject *args, GError **error)
{
    JsonObject *info = json_object_new();

    json_object_set_string_member(info, "arch", target_name());
    return node_object(info);
}

JsonNode *qmp_human_monitor_command(JsonObject *args, GError **error)
{
    g_autofree char *text = hmp_run(json_object_get_string_member(args, "command-line"));
    g_autofree char *valid = g_utf8_make_valid(text, -1);

    return node_string(valid);
}
