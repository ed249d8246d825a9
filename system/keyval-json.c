/* SPDX-License-Identifier: GPL-2.0-or-later
 * The JSON form that -blockdev and -device take as well, brought into the key=value form, nested
 * objects as dotted keys, so that one reader serves both.
 */
#include <json-glib/json-glib.h>
#include <string.h>

#include "monitor/json-stream.h"
#include "options.h"
#include "util/error.h"

enum { DEEPEST = 8 };

static bool append_object(GString *out, const char *prefix, JsonObject *object, unsigned depth,
                          GError **error);

static bool syntax(GError **error, const char *key, const char *what)
{
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX, "JSON member '%s' %s", key, what);
    return false;
}

/* A key that could be typed in the other form, too. */
static bool key_is_plain(const char *key)
{
    return *key != '\0' && strspn(key, "-_.0123456789abcdefghijklmnopqrstuvwxyz"
                                       "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == strlen(key);
}

static bool append_member(GString *out, const char *key, JsonNode *node, unsigned depth,
                          GError **error);

/* An element is KEY.NUMBER. */
static bool append_array(GString *out, const char *key, JsonArray *array, unsigned depth,
                         GError **error)
{
    if (depth > DEEPEST) {
        return syntax(error, key, "is nested too deeply");
    }
    for (unsigned i = 0; i < json_array_get_length(array); i++) {
        g_autofree char *element = g_strdup_printf("%s.%u", key, i);

        if (!append_member(out, element, json_array_get_element(array, i), depth, error)) {
            return false;
        }
    }
    return true;
}

static bool append_member(GString *out, const char *key, JsonNode *node, unsigned depth,
                          GError **error)
{
    g_autofree char *text = NULL;

    if (JSON_NODE_HOLDS_OBJECT(node)) {
        return append_object(out, key, json_node_get_object(node), depth + 1, error);
    }
    if (JSON_NODE_HOLDS_ARRAY(node)) {
        return append_array(out, key, json_node_get_array(node), depth + 1, error);
    }
    if (!JSON_NODE_HOLDS_VALUE(node)) {
        return syntax(error, key, "has no value");
    }
    switch (json_node_get_value_type(node)) {
    case G_TYPE_STRING: {
        g_auto(GStrv) parts = g_strsplit(json_node_get_string(node), ",", -1);

        text = g_strjoinv(",,", parts);
        break;
    }
    case G_TYPE_BOOLEAN:
        text = g_strdup(json_node_get_boolean(node) ? "on" : "off");
        break;
    case G_TYPE_INT64:
        text = g_strdup_printf("%" G_GINT64_FORMAT, json_node_get_int(node));
        break;
    default:
        return syntax(error, key, "is not a string, a whole number or a boolean");
    }
    g_string_append_printf(out, "%s%s=%s", out->len > 0 ? "," : "", key, text);
    return true;
}

static bool append_object(GString *out, const char *prefix, JsonObject *object, unsigned depth,
                          GError **error)
{
    JsonObjectIter iter;
    const char *name;
    JsonNode *node;

    if (depth > DEEPEST) {
        return syntax(error, prefix, "is nested too deeply");
    }
    json_object_iter_init_ordered(&iter, object);
    while (json_object_iter_next_ordered(&iter, &name, &node)) {
        g_autofree char *key =
            prefix != NULL ? g_strdup_printf("%s.%s", prefix, name) : g_strdup(name);

        if (!key_is_plain(name)) {
            return syntax(error, key, "is not a property name");
        }
        if (!append_member(out, key, node, depth, error)) {
            return false;
        }
    }
    return true;
}

KeyVal *keyval_from_json(JsonObject *object, GError **error)
{
    g_autoptr(GString) flat = g_string_new(NULL);

    return append_object(flat, NULL, object, 0, error) ? keyval_parse(flat->str, NULL, error)
                                                       : NULL;
}

KeyVal *keyval_parse_or_json(const char *text, const char *implied_key, GError **error)
{
    g_autoptr(JsonNode) root = NULL;

    if (*text != '{') {
        return keyval_parse(text, implied_key, error);
    }
    root = json_stream_parse(text, error);
    return root != NULL ? keyval_from_json(json_node_get_object(root), error) : NULL;
}
