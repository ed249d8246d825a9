/* SPDX-License-Identifier: GPL-2.0-or-later
 * Commands about the values of -cpu. They are names that machine types take so that command lines
 * carry over from QEMU; what the guest's CPU is, is the accelerator's to say.
 */
#include "hw/core/machine.h"
#include "node.h"
#include "qapi-commands.h"
#include "util/error.h"
#include "util/target.h"

JsonNode *qmp_query_cpu_definitions(JsonObject *args, GError **error)
{
    g_autoptr(GPtrArray) types = machine_cpu_types();
    JsonArray *all = json_array_new();

    for (unsigned i = 0; i < types->len; i++) {
        const char *name = g_ptr_array_index(types, i);
        g_autofree char *type = g_strdup_printf("%s-%s-cpu", name, target_name());
        JsonObject *info = json_object_new();

        json_object_set_string_member(info, "name", name);
        json_object_set_boolean_member(info, "migration-safe", FALSE);
        json_object_set_boolean_member(info, "static", FALSE);
        json_object_set_string_member(info, "typename", type);
        json_object_set_boolean_member(info, "deprecated", FALSE);
        json_array_add_object_element(all, info);
    }
    return node_array(all);
}

/* "props" is of any type for the schema. */
static bool check_props(const char *name, JsonObject *model, GError **error)
{
    JsonNode *props = json_object_get_member(model, "props");
    g_autoptr(GList) keys = NULL;

    if (props == NULL) {
        return true;
    }
    if (!JSON_NODE_HOLDS_OBJECT(props)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX,
                    "model.props of CPU type '%s' is not an object", name);
        return false;
    }
    keys = json_object_get_members(json_node_get_object(props));
    if (keys != NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "CPU type '%s' has no property '%s': it is the accelerator's CPU", name,
                    (const char *)keys->data);
        return false;
    }
    return true;
}

JsonNode *qmp_query_cpu_model_expansion(JsonObject *args, GError **error)
{
    JsonObject *asked = json_object_get_object_member(args, "model");
    const char *name = json_object_get_string_member(asked, "name");
    g_autoptr(GPtrArray) types = machine_cpu_types();
    JsonObject *model, *info;

    if (!g_ptr_array_find_with_equal_func(types, name, g_str_equal, NULL)) {
        g_ptr_array_add(types, NULL);
        error_set_unknown(error, "CPU type", name, (const char *const *)types->pdata);
        return NULL;
    }
    if (!check_props(name, asked, error)) {
        return NULL;
    }
    model = json_object_new();
    json_object_set_string_member(model, "name", name);
    json_object_set_object_member(model, "props", json_object_new());
    info = json_object_new();
    json_object_set_object_member(info, "model", model);
    return node_object(info);
}
