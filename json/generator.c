/* SPDX-License-Identifier: GPL-2.0-or-later
 * JSON values as text, RFC 8259, in json-glib's layout (json-glib/json-glib.h).
 */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "json-glib/json-glib.h"

struct _JsonGenerator {
    GObject parent_instance;
    JsonNode *root;
    gboolean pretty;
    guint indent;
};

G_DEFINE_FINAL_TYPE(JsonGenerator, json_generator, G_TYPE_OBJECT)

static void put_string(GString *out, const char *text)
{
    static const char plain[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";

    g_string_append_c(out, '"');
    for (const char *p = text; *p != '\0'; p++) {
        const char *found = strchr(plain, *p);

        if (found != NULL) {
            g_string_append_c(out, '\\');
            g_string_append_c(out, letters[found - plain]);
        } else if ((unsigned char)*p < 0x20 || *p == 0x7f) {
            g_string_append_printf(out, "\\u%04x", (unsigned char)*p);
        } else {
            g_string_append_c(out, *p);
        }
    }
    g_string_append_c(out, '"');
}

/* So that it is read back as what it was. JSON has no word for what is no number. */
static void put_double(GString *out, gdouble value)
{
    char text[G_ASCII_DTOSTR_BUF_SIZE];

    if (!isfinite(value)) {
        g_string_append(out, "null");
        return;
    }
    g_ascii_dtostr(text, sizeof(text), value);
    g_string_append(out, text);
    if (strpbrk(text, ".e") == NULL) {
        g_string_append(out, ".0");
    }
}

static void put_value(GString *out, JsonNode *node)
{
    GType type = json_node_get_value_type(node);

    if (type == G_TYPE_STRING && json_node_get_string(node) != NULL) {
        put_string(out, json_node_get_string(node));
    } else if (type == G_TYPE_INT64) {
        g_string_append_printf(out, "%" G_GINT64_FORMAT, json_node_get_int(node));
    } else if (type == G_TYPE_DOUBLE) {
        put_double(out, json_node_get_double(node));
    } else if (type == G_TYPE_BOOLEAN) {
        g_string_append(out, json_node_get_boolean(node) ? "true" : "false");
    } else {
        g_string_append(out, "null");
    }
}

static void new_line(JsonGenerator *g, GString *out, guint depth)
{
    if (g->pretty) {
        g_string_append_printf(out, "\n%*s", (int)(depth * g->indent), "");
    }
}

static void put_node(JsonGenerator *g, GString *out, JsonNode *node, guint depth);

static void put_object(JsonGenerator *g, GString *out, JsonObject *object, guint depth)
{
    JsonObjectIter iter;
    const char *name;
    JsonNode *value;
    bool any = false;

    g_string_append_c(out, '{');
    json_object_iter_init_ordered(&iter, object);
    while (json_object_iter_next_ordered(&iter, &name, &value)) {
        g_string_append(out, any ? "," : "");
        new_line(g, out, depth + 1);
        put_string(out, name);
        g_string_append(out, g->pretty ? " : " : ":");
        put_node(g, out, value, depth + 1);
        any = true;
    }
    if (any) {
        new_line(g, out, depth);
    }
    g_string_append_c(out, '}');
}

static void put_array(JsonGenerator *g, GString *out, JsonArray *array, guint depth)
{
    guint n = json_array_get_length(array);

    g_string_append_c(out, '[');
    for (guint i = 0; i < n; i++) {
        g_string_append(out, i > 0 ? "," : "");
        new_line(g, out, depth + 1);
        put_node(g, out, json_array_get_element(array, i), depth + 1);
    }
    if (n > 0) {
        new_line(g, out, depth);
    }
    g_string_append_c(out, ']');
}

static void put_node(JsonGenerator *g, GString *out, JsonNode *node, guint depth)
{
    if (json_node_get_object(node) != NULL) {
        put_object(g, out, json_node_get_object(node), depth);
    } else if (json_node_get_array(node) != NULL) {
        put_array(g, out, json_node_get_array(node), depth);
    } else {
        put_value(out, node);
    }
}

JsonGenerator *json_generator_new(void)
{
    return g_object_new(json_generator_get_type(), NULL);
}

void json_generator_set_root(JsonGenerator *g, JsonNode *root)
{
    g_clear_pointer(&g->root, json_node_unref);
    g->root = json_node_copy(root);
}

void json_generator_set_pretty(JsonGenerator *g, gboolean pretty)
{
    g->pretty = pretty;
}

void json_generator_set_indent(JsonGenerator *g, guint spaces)
{
    g->indent = spaces;
}

GString *json_generator_to_gstring(JsonGenerator *g, GString *out)
{
    if (g->root != NULL) {
        put_node(g, out, g->root, 0);
    }
    return out;
}

char *json_generator_to_data(JsonGenerator *g, gsize *len)
{
    GString *out = json_generator_to_gstring(g, g_string_new(NULL));

    if (len != NULL) {
        *len = out->len;
    }
    return g_string_free(out, FALSE);
}

char *json_to_string(JsonNode *node, gboolean pretty)
{
    g_autoptr(JsonGenerator) g = json_generator_new();

    json_generator_set_root(g, node);
    json_generator_set_pretty(g, pretty);
    return json_generator_to_data(g, NULL);
}

static void json_generator_finalize(GObject *object)
{
    g_clear_pointer(&JSON_GENERATOR(object)->root, json_node_unref);
    G_OBJECT_CLASS(json_generator_parent_class)->finalize(object);
}

static void json_generator_class_init(JsonGeneratorClass *klass)
{
    G_OBJECT_CLASS(klass)->finalize = json_generator_finalize;
}

static void json_generator_init(JsonGenerator *g)
{
    g->indent = 2;
}
