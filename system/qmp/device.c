/* SPDX-License-Identifier: GPL-2.0-or-later
 * Commands that add and remove devices.
 */
#include "hw/core/device-add.h"
#include "options.h"
#include "qapi-commands.h"
#include "vm.h"

JsonNode *qmp_device_add(JsonObject *args, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_from_json(args, error);

    if (kv != NULL) {
        vm_add_device(vm_current(), kv, error);
    }
    return NULL;
}

JsonNode *qmp_device_del(JsonObject *args, GError **error)
{
    device_del(json_object_get_string_member(args, "id"), error);
    return NULL;
}
