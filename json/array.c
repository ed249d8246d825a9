/* SPDX-License-Identifier: GPL-2.0-or-later
 * JSON arrays (json-glib/json-glib.h).
 */
#include "json-glib/json-glib.h"

struct JsonArray {
    gint refs; /* atomic */
    GPtrArray *elements;
};

JsonArray *json_array_new(void)
{
    JsonArray *array = g_new0(JsonArray, 1);

    array->refs = 1;
    array->elements = g_ptr_array_new_with_free_func((GDestroyNotify)json_node_unref);
    return array;
}

JsonArray *json_array_ref(JsonArray *array)
{
    g_atomic_int_inc(&array->refs);
    return array;
}

void json_array_unref(JsonArray *array)
{
    if (g_atomic_int_dec_and_test(&array->refs)) {
        g_ptr_array_free(array->elements, TRUE);
        g_free(array);
    }
}

void json_array_add_element(JsonArray *array, JsonNode *node)
{
    g_ptr_array_add(array->elements, node);
}

void json_array_add_object_element(JsonArray *array, JsonObject *value)
{
    JsonNode *node = json_node_alloc();

    if (value != NULL) {
        json_node_take_object(node, value);
    }
    json_array_add_element(array, node);
}

void json_array_add_string_element(JsonArray *array, const char *value)
{
    JsonNode *node = json_node_alloc();

    json_array_add_element(array, value != NULL ? json_node_init_string(node, value) : node);
}

void json_array_add_int_element(JsonArray *array, gint64 value)
{
    json_array_add_element(array, json_node_init_int(json_node_alloc(), value));
}

guint json_array_get_length(JsonArray *array)
{
    return array->elements->len;
}

JsonNode *json_array_get_element(JsonArray *array, guint index)
{
    return index < array->elements->len ? array->elements->pdata[index] : NULL;
}

JsonObject *json_array_get_object_element(JsonArray *array, guint index)
{
    return json_node_get_object(json_array_get_element(array, index));
}

const char *json_array_get_string_element(JsonArray *array, guint index)
{
    return json_node_get_string(json_array_get_element(array, index));
}
