/* SPDX-License-Identifier: GPL-2.0-or-later
 * libFuzzer target for json/, the stand-in for json-glib in static programs: what it takes,
 * json-glib takes as the same tree, and what it writes it reads as the same. json-glib takes more:
 * comments, for one. Its names are the stand-in's, so it is loaded. Run: tests/fuzz/fuzz-json
 * CORPUS
 */
#include <dlfcn.h>
#include <json-glib/json-glib.h>
#include <stdbool.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What either gives; a node is only handed to whom it is from. */
typedef struct {
    JsonNode *(*from_string)(const char *text, GError **error);
    void (*unref)(JsonNode *node);
    JsonNodeType (*type)(JsonNode *node);
    GType (*value_type)(JsonNode *node);
    const char *(*string)(JsonNode *node);
    gint64 (*integer)(JsonNode *node);
    gdouble (*real)(JsonNode *node);
    gboolean (*boolean)(JsonNode *node);
    JsonObject *(*object)(JsonNode *node);
    GList *(*members)(JsonObject *object);
    JsonNode *(*member)(JsonObject *object, const char *name);
    JsonArray *(*array)(JsonNode *node);
    guint (*length)(JsonArray *array);
    JsonNode *(*element)(JsonArray *array, guint index);
} Json;

#define JSON_FUNCTIONS(GET)                                                                        \
    {                                                                                              \
        GET(json_from_string), GET(json_node_unref), GET(json_node_get_node_type),                 \
            GET(json_node_get_value_type), GET(json_node_get_string), GET(json_node_get_int),      \
            GET(json_node_get_double), GET(json_node_get_boolean), GET(json_node_get_object),      \
            GET(json_object_get_members), GET(json_object_get_member), GET(json_node_get_array),   \
            GET(json_array_get_length), GET(json_array_get_element),                               \
    }
#define OWN(name)    name
#define LOADED(name) must_find(library, #name)

static void *must_find(void *library, const char *name)
{
    void *found = dlsym(library, name);

    g_assert_nonnull(found);
    return found;
}

static const Json *oracle(void)
{
    static Json json;

    if (json.from_string == NULL) {
        void *library = dlopen("libjson-glib-1.0.so.0", RTLD_NOW | RTLD_LOCAL);

        g_assert_nonnull(library);
        json = (Json)JSON_FUNCTIONS(LOADED);
    }
    return &json;
}

/* Each node on a line, with its type and all that it is as a value. What a large double is as an
 * integer, C does not say. */
static void tell(const Json *json, JsonNode *node, GString *out)
{
    GType type = json->value_type(node);

    switch (json->type(node)) {
    case JSON_NODE_OBJECT: {
        g_autoptr(GList) names = json->members(json->object(node));

        g_string_append_printf(out, "object %u\n", g_list_length(names));
        for (GList *i = names; i != NULL; i = i->next) {
            g_string_append_printf(out, "%s:", (const char *)i->data);
            tell(json, json->member(json->object(node), i->data), out);
        }
        break;
    }
    case JSON_NODE_ARRAY:
        g_string_append_printf(out, "array %u\n", json->length(json->array(node)));
        for (guint i = 0; i < json->length(json->array(node)); i++) {
            tell(json, json->element(json->array(node), i), out);
        }
        break;
    case JSON_NODE_VALUE:
        g_string_append_printf(out, "%s %s %" G_GINT64_FORMAT " %a %d\n", g_type_name(type),
                               type == G_TYPE_STRING ? json->string(node) : "-",
                               type == G_TYPE_DOUBLE ? 0 : json->integer(node), json->real(node),
                               json->boolean(node));
        break;
    case JSON_NODE_NULL:
        g_string_append(out, "null\n");
        break;
    }
}

/* NULL: it was refused. Empty: there was no text. */
static char *tree(const Json *json, const char *text)
{
    g_autoptr(GError) error = NULL;
    JsonNode *node = json->from_string(text, &error);
    g_autoptr(GString) out = NULL;

    if (error != NULL) {
        g_assert_null(node);
        return NULL;
    }
    out = g_string_new(NULL);
    if (node != NULL) {
        tell(json, node, out);
        json->unref(node);
    }
    return g_string_free(g_steal_pointer(&out), FALSE);
}

/* json-glib makes -1 of a number that gint64 cannot hold, the stand-in a double. */
static bool has_long_number(const char *text)
{
    unsigned digits = 0;

    for (; *text != '\0' && digits < 19; text++) {
        digits = g_ascii_isdigit(*text) ? digits + 1 : 0;
    }
    return digits == 19;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const Json own = JSON_FUNCTIONS(OWN);
    g_autofree char *text = g_strndup((const char *)data, size);
    g_autofree char *ours = tree(&own, text);

    if (ours == NULL) {
        return 0;
    }
    if (!has_long_number(text)) {
        g_autofree char *theirs = tree(oracle(), text);

        g_assert_cmpstr(ours, ==, theirs);
    }
    if (*ours != '\0') {
        g_autoptr(JsonNode) node = json_from_string(text, NULL);
        g_autofree char *written = json_to_string(node, size % 2 == 0);
        g_autofree char *again = tree(&own, written);

        g_assert_cmpstr(again, ==, ours);
    }
    return 0;
}
