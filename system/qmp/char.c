/* SPDX-License-Identifier: GPL-2.0-or-later
 * Commands about character devices.
 */
#include "chardev/chardev.h"

#include "node.h"
#include "qapi-commands.h"

static void add_chardev(Chardev *chr, void *all)
{
    g_autofree char *filename = chardev_filename(chr);
    JsonObject *info = json_object_new();

    json_object_set_boolean_member(info, "frontend-open", chardev_is_attached(chr));
    json_object_set_string_member(info, "filename", filename);
    json_object_set_string_member(info, "label", chardev_id(chr));
    json_array_add_object_element(all, info);
}

JsonNode *qmp_query_chardev(JsonObject *args, GError **error)
{
    JsonArray *all = json_array_new();

    chardev_foreach(add_chardev, all);
    return node_array(all);
}

JsonNode *qmp_query_chardev_backends(JsonObject *args, GError **error)
{
    g_autofree const char **names = chardev_types();
    JsonArray *all = json_array_new();

    for (unsigned i = 0; names[i] != NULL; i++) {
        JsonObject *info = json_object_new();

        json_object_set_string_member(info, "name", names[i]);
        json_array_add_object_element(all, info);
    }
    return node_array(all);
}
