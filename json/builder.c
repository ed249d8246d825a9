/* SPDX-License-Identifier: GPL-2.0-or-later
 * Making a JSON value from the outside in (json-glib/json-glib.h). Calls in an order that makes no
 * value are errors of the program.
 */
#include "json-glib/json-glib.h"

struct _JsonBuilder {
    GObject parent_instance;
    GPtrArray
        *open; /* JsonNode: objects and arrays without their end, each inside the one before */
    GPtrArray *names; /* for each of them: of the member that comes next, or NULL */
    JsonNode *root;
};

G_DEFINE_FINAL_TYPE(JsonBuilder, json_builder, G_TYPE_OBJECT)

JsonBuilder *json_builder_new(void)
{
    return g_object_new(json_builder_get_type(), NULL);
}

/* Puts the node, which is taken, where the next value belongs. */
static void add(JsonBuilder *b, JsonNode *node)
{
    JsonNode *parent;
    char *name;

    if (b->open->len == 0) {
        g_assert(b->root == NULL);
        b->root = node;
        return;
    }
    parent = b->open->pdata[b->open->len - 1];
    if (JSON_NODE_HOLDS_ARRAY(parent)) {
        json_array_add_element(json_node_get_array(parent), node);
        return;
    }
    name = b->names->pdata[b->names->len - 1];
    g_assert(name != NULL);
    json_object_set_member(json_node_get_object(parent), name, node);
    g_free(name);
    b->names->pdata[b->names->len - 1] = NULL;
}

/* The node belongs to what it is in: it stays until the root goes. */
static void begin(JsonBuilder *b, JsonNode *node)
{
    add(b, node);
    g_ptr_array_add(b->open, node);
    g_ptr_array_add(b->names, NULL);
}

static void end(JsonBuilder *b, JsonNodeType type)
{
    guint last = b->open->len - 1;

    g_assert(b->open->len > 0);
    g_assert(json_node_get_node_type(b->open->pdata[last]) == type);
    g_assert(b->names->pdata[last] == NULL);
    g_ptr_array_set_size(b->open, last);
    g_ptr_array_set_size(b->names, last);
}

JsonBuilder *json_builder_begin_object(JsonBuilder *b)
{
    JsonNode *node = json_node_alloc();

    json_node_take_object(node, json_object_new());
    begin(b, node);
    return b;
}

JsonBuilder *json_builder_end_object(JsonBuilder *b)
{
    end(b, JSON_NODE_OBJECT);
    return b;
}

JsonBuilder *json_builder_begin_array(JsonBuilder *b)
{
    JsonNode *node = json_node_alloc();

    json_node_take_array(node, json_array_new());
    begin(b, node);
    return b;
}

JsonBuilder *json_builder_end_array(JsonBuilder *b)
{
    end(b, JSON_NODE_ARRAY);
    return b;
}

JsonBuilder *json_builder_set_member_name(JsonBuilder *b, const char *name)
{
    gpointer *next;

    g_assert(b->names->len > 0);
    next = &b->names->pdata[b->names->len - 1];
    g_assert(*next == NULL);
    *next = g_strdup(name);
    return b;
}

JsonBuilder *json_builder_add_value(JsonBuilder *b, JsonNode *node)
{
    add(b, node);
    return b;
}

JsonBuilder *json_builder_add_string_value(JsonBuilder *b, const char *value)
{
    JsonNode *node = json_node_alloc();

    add(b, value != NULL ? json_node_init_string(node, value) : node);
    return b;
}

JsonBuilder *json_builder_add_int_value(JsonBuilder *b, gint64 value)
{
    add(b, json_node_init_int(json_node_alloc(), value));
    return b;
}

JsonBuilder *json_builder_add_boolean_value(JsonBuilder *b, gboolean value)
{
    add(b, json_node_init_boolean(json_node_alloc(), value));
    return b;
}

JsonNode *json_builder_get_root(JsonBuilder *b)
{
    return b->root != NULL && b->open->len == 0 ? json_node_copy(b->root) : NULL;
}

static void json_builder_finalize(GObject *object)
{
    JsonBuilder *b = JSON_BUILDER(object);

    g_ptr_array_free(b->open, TRUE);
    g_ptr_array_set_free_func(b->names, g_free);
    g_ptr_array_free(b->names, TRUE);
    g_clear_pointer(&b->root, json_node_unref);
    G_OBJECT_CLASS(json_builder_parent_class)->finalize(object);
}

static void json_builder_class_init(JsonBuilderClass *klass)
{
    G_OBJECT_CLASS(klass)->finalize = json_builder_finalize;
}

static void json_builder_init(JsonBuilder *b)
{
    b->open = g_ptr_array_new();
    b->names = g_ptr_array_new();
}
