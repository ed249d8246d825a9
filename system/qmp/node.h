/* SPDX-License-Identifier: GPL-2.0-or-later
 * Small words for handlers of commands: JSON values as nodes. All take what they are given.
 */
#pragma once

#include <json-glib/json-glib.h>

static inline JsonNode *node_object(JsonObject *object)
{
    JsonNode *node = json_node_new(JSON_NODE_OBJECT);

    json_node_take_object(node, object);
    return node;
}

static inline JsonNode *node_array(JsonArray *array)
{
    JsonNode *node = json_node_new(JSON_NODE_ARRAY);

    json_node_take_array(node, array);
    return node;
}

static inline JsonNode *node_string(const char *text) /* copied */
{
    return json_node_init_string(json_node_alloc(), text);
}
