/* SPDX-License-Identifier: GPL-2.0-or-later
 * Commands about exports.
 */
#include "export/export.h"

#include <string.h>

#include "node.h"
#include "options.h"
#include "qapi-commands.h"

JsonNode *qmp_block_export_add(JsonObject *args, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_from_json(args, error);

    if (kv != NULL) {
        export_add(kv, error);
    }
    return NULL;
}

JsonNode *qmp_block_export_del(JsonObject *args, GError **error)
{
    const char *mode = json_object_get_string_member_with_default(args, "mode", "safe");

    export_del(json_object_get_string_member(args, "id"),
               strcmp(mode, "hard") == 0 ? EXPORT_DEL_HARD : EXPORT_DEL_SAFE, error);
    return NULL;
}

static void add_info(const ExportDescription *d, void *opaque)
{
    JsonObject *info = json_object_new();

    json_object_set_string_member(info, "id", d->id);
    json_object_set_string_member(info, "type", d->type);
    json_object_set_string_member(info, "node-name", d->node);
    json_object_set_boolean_member(info, "attached", d->attached);
    json_object_set_boolean_member(info, "shutting-down", FALSE);
    json_array_add_object_element(opaque, info);
}

JsonNode *qmp_query_block_exports(JsonObject *args, GError **error)
{
    JsonArray *all = json_array_new();

    export_foreach(add_info, all);
    return node_array(all);
}
