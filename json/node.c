/* SPDX-License-Identifier: GPL-2.0-or-later
 * A JSON value of any type, counted (json-glib/json-glib.h). What is in objects and arrays is in
 * object.c and array.c.
 */
#include "json-glib/json-glib.h"

struct JsonNode {
    gint refs; /* atomic */
    JsonNodeType type;
    GType value_type; /* of JSON_NODE_VALUE */
    union {
        JsonObject *object; /* or NULL */
        JsonArray *array;   /* or NULL */
        char *string;       /* or NULL */
        gint64 integer;     /* booleans, too */
        gdouble real;
    };
};

JsonNode *json_node_alloc(void)
{
    JsonNode *node = g_new0(JsonNode, 1);

    node->refs = 1;
    return json_node_init_null(node);
}

JsonNode *json_node_new(JsonNodeType type)
{
    JsonNode *node = json_node_alloc();

    node->type = type;
    return node;
}

/* Back to null. */
static void clear(JsonNode *node)
{
    if (node->type == JSON_NODE_OBJECT && node->object != NULL) {
        json_object_unref(node->object);
    } else if (node->type == JSON_NODE_ARRAY && node->array != NULL) {
        json_array_unref(node->array);
    } else if (node->type == JSON_NODE_VALUE && node->value_type == G_TYPE_STRING) {
        g_free(node->string);
    }
    node->type = JSON_NODE_NULL;
    node->value_type = G_TYPE_INVALID;
    node->object = NULL;
}

void json_node_unref(JsonNode *node)
{
    if (g_atomic_int_dec_and_test(&node->refs)) {
        clear(node);
        g_free(node);
    }
}

JsonNode *json_node_copy(JsonNode *node)
{
    switch (node->type) {
    case JSON_NODE_OBJECT:
        return json_node_init_object(json_node_alloc(), node->object);
    case JSON_NODE_ARRAY:
        return json_node_init_array(json_node_alloc(), node->array);
    case JSON_NODE_VALUE:
        if (node->value_type == G_TYPE_STRING) {
            return json_node_init_string(json_node_alloc(), node->string);
        } else if (node->value_type == G_TYPE_DOUBLE) {
            return json_node_init_double(json_node_alloc(), node->real);
        } else if (node->value_type == G_TYPE_BOOLEAN) {
            return json_node_init_boolean(json_node_alloc(), node->integer != 0);
        }
        return json_node_init_int(json_node_alloc(), node->integer);
    case JSON_NODE_NULL:
        break;
    }
    return json_node_alloc();
}

/* ---- what it is set to ---- */

void json_node_take_object(JsonNode *node, JsonObject *object)
{
    clear(node);
    node->type = JSON_NODE_OBJECT;
    node->object = object;
}

void json_node_take_array(JsonNode *node, JsonArray *array)
{
    clear(node);
    node->type = JSON_NODE_ARRAY;
    node->array = array;
}

JsonNode *json_node_init_object(JsonNode *node, JsonObject *object)
{
    json_node_take_object(node, object != NULL ? json_object_ref(object) : NULL);
    return node;
}

JsonNode *json_node_init_array(JsonNode *node, JsonArray *array)
{
    json_node_take_array(node, array != NULL ? json_array_ref(array) : NULL);
    return node;
}

static JsonNode *init_value(JsonNode *node, GType type)
{
    clear(node);
    node->type = JSON_NODE_VALUE;
    node->value_type = type;
    return node;
}

JsonNode *json_node_init_string(JsonNode *node, const char *value)
{
    char *copy = g_strdup(value); /* before the node lets go of what may be the same */

    init_value(node, G_TYPE_STRING)->string = copy;
    return node;
}

JsonNode *json_node_init_int(JsonNode *node, gint64 value)
{
    init_value(node, G_TYPE_INT64)->integer = value;
    return node;
}

JsonNode *json_node_init_double(JsonNode *node, gdouble value)
{
    init_value(node, G_TYPE_DOUBLE)->real = value;
    return node;
}

JsonNode *json_node_init_boolean(JsonNode *node, gboolean value)
{
    init_value(node, G_TYPE_BOOLEAN)->integer = value != FALSE;
    return node;
}

JsonNode *json_node_init_null(JsonNode *node)
{
    clear(node);
    return node;
}

void json_node_set_string(JsonNode *node, const char *value)
{
    json_node_init_string(node, value);
}

void json_node_set_int(JsonNode *node, gint64 value)
{
    json_node_init_int(node, value);
}

void json_node_set_boolean(JsonNode *node, gboolean value)
{
    json_node_init_boolean(node, value);
}

/* ---- what it is ---- */

JsonNodeType json_node_get_node_type(JsonNode *node)
{
    return node != NULL ? node->type : JSON_NODE_NULL;
}

GType json_node_get_value_type(JsonNode *node)
{
    return JSON_NODE_HOLDS_VALUE(node) ? node->value_type : G_TYPE_INVALID;
}

JsonObject *json_node_get_object(JsonNode *node)
{
    return JSON_NODE_HOLDS_OBJECT(node) ? node->object : NULL;
}

JsonObject *json_node_dup_object(JsonNode *node)
{
    JsonObject *object = json_node_get_object(node);

    return object != NULL ? json_object_ref(object) : NULL;
}

JsonArray *json_node_get_array(JsonNode *node)
{
    return JSON_NODE_HOLDS_ARRAY(node) ? node->array : NULL;
}

const char *json_node_get_string(JsonNode *node)
{
    return json_node_get_value_type(node) == G_TYPE_STRING ? node->string : NULL;
}

char *json_node_dup_string(JsonNode *node)
{
    return g_strdup(json_node_get_string(node));
}

gint64 json_node_get_int(JsonNode *node)
{
    GType type = json_node_get_value_type(node);

    if (type == G_TYPE_DOUBLE) {
        /* What does not fit is not defined in C. */
        return node->real >= -0x1p63 && node->real < 0x1p63 ? (gint64)node->real : 0;
    }
    return type == G_TYPE_INT64 || type == G_TYPE_BOOLEAN ? node->integer : 0;
}

gdouble json_node_get_double(JsonNode *node)
{
    return json_node_get_value_type(node) == G_TYPE_DOUBLE ? node->real
                                                           : (gdouble)json_node_get_int(node);
}

gboolean json_node_get_boolean(JsonNode *node)
{
    return json_node_get_double(node) != 0;
}
