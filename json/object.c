/* SPDX-License-Identifier: GPL-2.0-or-later
 * JSON objects (json-glib/json-glib.h): members by name, and in the order in which they came.
 */
#include "json-glib/json-glib.h"

struct JsonObject {
    gint refs;           /* atomic */
    GHashTable *members; /* name to JsonNode; both are ours */
    GPtrArray *names;    /* borrowed from it */
};

JsonObject *json_object_new(void)
{
    JsonObject *object = g_new0(JsonObject, 1);

    object->refs = 1;
    object->members =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)json_node_unref);
    object->names = g_ptr_array_new();
    return object;
}

JsonObject *json_object_ref(JsonObject *object)
{
    g_atomic_int_inc(&object->refs);
    return object;
}

void json_object_unref(JsonObject *object)
{
    if (g_atomic_int_dec_and_test(&object->refs)) {
        g_ptr_array_free(object->names, TRUE);
        g_hash_table_destroy(object->members);
        g_free(object);
    }
}

/* ---- setting ---- */

void json_object_set_member(JsonObject *object, const char *name, JsonNode *node)
{
    char *own;

    if (g_hash_table_contains(object->members, name)) {
        g_hash_table_insert(object->members, g_strdup(name), node); /* keeps the name it has */
        return;
    }
    own = g_strdup(name);
    g_hash_table_insert(object->members, own, node);
    g_ptr_array_add(object->names, own);
}

void json_object_set_object_member(JsonObject *object, const char *name, JsonObject *value)
{
    JsonNode *node = json_node_alloc();

    if (value != NULL) {
        json_node_take_object(node, value);
    }
    json_object_set_member(object, name, node);
}

void json_object_set_array_member(JsonObject *object, const char *name, JsonArray *value)
{
    JsonNode *node = json_node_alloc();

    if (value != NULL) {
        json_node_take_array(node, value);
    }
    json_object_set_member(object, name, node);
}

void json_object_set_string_member(JsonObject *object, const char *name, const char *value)
{
    JsonNode *node = json_node_alloc();

    if (value != NULL) {
        json_node_init_string(node, value);
    }
    json_object_set_member(object, name, node);
}

void json_object_set_int_member(JsonObject *object, const char *name, gint64 value)
{
    json_object_set_member(object, name, json_node_init_int(json_node_alloc(), value));
}

void json_object_set_boolean_member(JsonObject *object, const char *name, gboolean value)
{
    json_object_set_member(object, name, json_node_init_boolean(json_node_alloc(), value));
}

/* ---- getting ---- */

gboolean json_object_has_member(JsonObject *object, const char *name)
{
    return g_hash_table_contains(object->members, name);
}

JsonNode *json_object_get_member(JsonObject *object, const char *name)
{
    return g_hash_table_lookup(object->members, name);
}

JsonNode *json_object_dup_member(JsonObject *object, const char *name)
{
    JsonNode *node = json_object_get_member(object, name);

    return node != NULL ? json_node_copy(node) : NULL;
}

JsonObject *json_object_get_object_member(JsonObject *object, const char *name)
{
    return json_node_get_object(json_object_get_member(object, name));
}

JsonArray *json_object_get_array_member(JsonObject *object, const char *name)
{
    return json_node_get_array(json_object_get_member(object, name));
}

const char *json_object_get_string_member(JsonObject *object, const char *name)
{
    return json_node_get_string(json_object_get_member(object, name));
}

gint64 json_object_get_int_member(JsonObject *object, const char *name)
{
    return json_node_get_int(json_object_get_member(object, name));
}

gboolean json_object_get_boolean_member(JsonObject *object, const char *name)
{
    return json_node_get_boolean(json_object_get_member(object, name));
}

const char *json_object_get_string_member_with_default(JsonObject *object, const char *name,
                                                       const char *value)
{
    JsonNode *node = json_object_get_member(object, name);

    return JSON_NODE_HOLDS_VALUE(node) ? json_node_get_string(node) : value;
}

gint64 json_object_get_int_member_with_default(JsonObject *object, const char *name, gint64 value)
{
    JsonNode *node = json_object_get_member(object, name);

    return JSON_NODE_HOLDS_VALUE(node) ? json_node_get_int(node) : value;
}

gboolean json_object_get_boolean_member_with_default(JsonObject *object, const char *name,
                                                     gboolean value)
{
    JsonNode *node = json_object_get_member(object, name);

    return JSON_NODE_HOLDS_VALUE(node) ? json_node_get_boolean(node) : value;
}

/* ---- all of them ---- */

GList *json_object_get_members(JsonObject *object)
{
    GList *names = NULL;

    for (guint i = object->names->len; i > 0; i--) {
        names = g_list_prepend(names, object->names->pdata[i - 1]);
    }
    return names;
}

void json_object_iter_init_ordered(JsonObjectIter *iter, JsonObject *object)
{
    *iter = (JsonObjectIter){ .object = object };
}

gboolean json_object_iter_next_ordered(JsonObjectIter *iter, const char **name, JsonNode **node)
{
    const char *found;

    if (iter->next >= iter->object->names->len) {
        return FALSE;
    }
    found = iter->object->names->pdata[iter->next++];
    if (name != NULL) {
        *name = found;
    }
    if (node != NULL) {
        *node = json_object_get_member(iter->object, found);
    }
    return TRUE;
}
