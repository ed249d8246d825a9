/* SPDX-License-Identifier: GPL-2.0-or-later
 * The part of json-glib that Humpy uses, for programs that cannot have the library: Debian has no
 * static form of it. Names, ownership and results are json-glib's, so whoever includes this does
 * not know the difference; what a caller must not do (a member that is not there, a node of another
 * type) gives 0 or NULL. Nodes, objects and arrays are counted by atomics, their content is not
 * locked. [any]
 */
#pragma once

#include <glib-object.h>

typedef enum {
    JSON_NODE_OBJECT,
    JSON_NODE_ARRAY,
    JSON_NODE_VALUE,
    JSON_NODE_NULL,
} JsonNodeType;

typedef struct JsonNode JsonNode;
typedef struct JsonObject JsonObject;
typedef struct JsonArray JsonArray;

typedef struct {
    JsonObject *object;
    guint next;
} JsonObjectIter;

#define JSON_NODE_HOLDS_OBJECT(node) (json_node_get_node_type(node) == JSON_NODE_OBJECT)
#define JSON_NODE_HOLDS_ARRAY(node)  (json_node_get_node_type(node) == JSON_NODE_ARRAY)
#define JSON_NODE_HOLDS_VALUE(node)  (json_node_get_node_type(node) == JSON_NODE_VALUE)
#define JSON_NODE_HOLDS_NULL(node)   (json_node_get_node_type(node) == JSON_NODE_NULL)

/* ---- node.c ---- */

JsonNode *json_node_alloc(void); /* one of the init functions is next */
JsonNode *json_node_new(JsonNodeType type);
JsonNode *json_node_copy(JsonNode *node); /* objects and arrays are shared */
void json_node_unref(JsonNode *node);
/* Return the node. Objects and arrays are referenced, strings copied. */
JsonNode *json_node_init_object(JsonNode *node, JsonObject *object);
JsonNode *json_node_init_array(JsonNode *node, JsonArray *array);
JsonNode *json_node_init_string(JsonNode *node, const char *value);
JsonNode *json_node_init_int(JsonNode *node, gint64 value);
JsonNode *json_node_init_double(JsonNode *node, gdouble value);
JsonNode *json_node_init_boolean(JsonNode *node, gboolean value);
JsonNode *json_node_init_null(JsonNode *node);
void json_node_take_object(JsonNode *node, JsonObject *object);
void json_node_take_array(JsonNode *node, JsonArray *array);
void json_node_set_string(JsonNode *node, const char *value);
void json_node_set_int(JsonNode *node, gint64 value);
void json_node_set_boolean(JsonNode *node, gboolean value);
JsonNodeType json_node_get_node_type(JsonNode *node);
GType json_node_get_value_type(JsonNode *node); /* G_TYPE_INVALID: no value */
JsonObject *json_node_get_object(JsonNode *node);
JsonObject *json_node_dup_object(JsonNode *node);
JsonArray *json_node_get_array(JsonNode *node);
const char *json_node_get_string(JsonNode *node);
char *json_node_dup_string(JsonNode *node);
gint64 json_node_get_int(JsonNode *node);
gdouble json_node_get_double(JsonNode *node);
gboolean json_node_get_boolean(JsonNode *node);

/* ---- object.c ---- */

JsonObject *json_object_new(void);
JsonObject *json_object_ref(JsonObject *object);
void json_object_unref(JsonObject *object);
/* Take node, value. Members keep the order in which they came. */
void json_object_set_member(JsonObject *object, const char *name, JsonNode *node);
void json_object_set_object_member(JsonObject *object, const char *name, JsonObject *value);
void json_object_set_array_member(JsonObject *object, const char *name, JsonArray *value);
void json_object_set_string_member(JsonObject *object, const char *name, const char *value);
void json_object_set_int_member(JsonObject *object, const char *name, gint64 value);
void json_object_set_boolean_member(JsonObject *object, const char *name, gboolean value);
gboolean json_object_has_member(JsonObject *object, const char *name);
JsonNode *json_object_get_member(JsonObject *object, const char *name); /* or NULL */
JsonNode *json_object_dup_member(JsonObject *object, const char *name);
JsonObject *json_object_get_object_member(JsonObject *object, const char *name);
JsonArray *json_object_get_array_member(JsonObject *object, const char *name);
const char *json_object_get_string_member(JsonObject *object, const char *name);
gint64 json_object_get_int_member(JsonObject *object, const char *name);
gboolean json_object_get_boolean_member(JsonObject *object, const char *name);
/* value also for a member that is no value. */
const char *json_object_get_string_member_with_default(JsonObject *object, const char *name,
                                                       const char *value);
gint64 json_object_get_int_member_with_default(JsonObject *object, const char *name, gint64 value);
gboolean json_object_get_boolean_member_with_default(JsonObject *object, const char *name,
                                                     gboolean value);
GList *json_object_get_members(JsonObject *object); /* of borrowed names */
void json_object_iter_init_ordered(JsonObjectIter *iter, JsonObject *object);
gboolean json_object_iter_next_ordered(JsonObjectIter *iter, const char **name, JsonNode **node);

/* ---- array.c ---- */

JsonArray *json_array_new(void);
JsonArray *json_array_ref(JsonArray *array);
void json_array_unref(JsonArray *array);
void json_array_add_element(JsonArray *array, JsonNode *node);
void json_array_add_object_element(JsonArray *array, JsonObject *value);
void json_array_add_string_element(JsonArray *array, const char *value);
void json_array_add_int_element(JsonArray *array, gint64 value);
guint json_array_get_length(JsonArray *array);
JsonNode *json_array_get_element(JsonArray *array, guint index);
JsonObject *json_array_get_object_element(JsonArray *array, guint index);
const char *json_array_get_string_element(JsonArray *array, guint index);

/* ---- builder.c ---- */

G_DECLARE_FINAL_TYPE(JsonBuilder, json_builder, JSON, BUILDER, GObject)
JsonBuilder *json_builder_new(void);
JsonBuilder *json_builder_begin_object(JsonBuilder *builder);
JsonBuilder *json_builder_end_object(JsonBuilder *builder);
JsonBuilder *json_builder_begin_array(JsonBuilder *builder);
JsonBuilder *json_builder_end_array(JsonBuilder *builder);
JsonBuilder *json_builder_set_member_name(JsonBuilder *builder, const char *name);
JsonBuilder *json_builder_add_value(JsonBuilder *builder, JsonNode *node); /* takes it */
JsonBuilder *json_builder_add_string_value(JsonBuilder *builder, const char *value);
JsonBuilder *json_builder_add_int_value(JsonBuilder *builder, gint64 value);
JsonBuilder *json_builder_add_boolean_value(JsonBuilder *builder, gboolean value);
JsonNode *json_builder_get_root(JsonBuilder *builder); /* full; NULL before the end */

/* ---- generator.c ---- */

G_DECLARE_FINAL_TYPE(JsonGenerator, json_generator, JSON, GENERATOR, GObject)
JsonGenerator *json_generator_new(void);
void json_generator_set_root(JsonGenerator *generator, JsonNode *root);
void json_generator_set_pretty(JsonGenerator *generator, gboolean pretty);
void json_generator_set_indent(JsonGenerator *generator, guint spaces);
GString *json_generator_to_gstring(JsonGenerator *generator, GString *out); /* appends */
char *json_generator_to_data(JsonGenerator *generator, gsize *len);
char *json_to_string(JsonNode *node, gboolean pretty);

/* ---- parser.c ---- */

#define JSON_PARSER_ERROR json_parser_error_quark()
GQuark json_parser_error_quark(void);
enum { JSON_PARSER_ERROR_PARSE };

G_DECLARE_FINAL_TYPE(JsonParser, json_parser, JSON, PARSER, GObject)
JsonParser *json_parser_new_immutable(void);
/* len -1: up to the NUL. No text at all is no error, and no root. */
gboolean json_parser_load_from_data(JsonParser *parser, const char *text, gssize len,
                                    GError **error);
JsonNode *json_parser_get_root(JsonParser *parser);
JsonNode *json_from_string(const char *text, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(JsonNode, json_node_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(JsonObject, json_object_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(JsonArray, json_array_unref)
