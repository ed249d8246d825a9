/* SPDX-License-Identifier: GPL-2.0-or-later
 * Arguments of a command against the schema: types, missing and unknown members, enumerations,
 * ranges. Depth is bounded by the reader of JSON and by the schema's own types.
 */
#include <stdlib.h>
#include <string.h>

#include "qapi.h"
#include "util/error.h"

static int compare_command(const void *name, const void *command)
{
    return strcmp(name, ((const QmpCommand *)command)->name);
}

const QmpCommand *qmp_command_find(const char *name)
{
    return bsearch(name, qmp_commands, qmp_n_commands, sizeof(QmpCommand), compare_command);
}

static int compare_event(const void *name, const void *event)
{
    return strcmp(name, ((const QmpEvent *)event)->name);
}

const QmpEvent *qmp_event_find(const char *name)
{
    return bsearch(name, qmp_events, qmp_n_events, sizeof(QmpEvent), compare_event);
}

/* ---- where in the arguments ---- */

typedef struct Place {
    const struct Place *outer; /* NULL: the arguments themselves */
    const char *name;          /* of the member, or NULL: element number index */
    unsigned index;
} Place;

static void append_place(GString *out, const Place *place)
{
    if (place == NULL || place->outer == NULL) {
        return;
    }
    append_place(out, place->outer);
    if (place->name == NULL) {
        g_string_append_printf(out, "[%u]", place->index);
    } else {
        g_string_append_printf(out, "%s%.100s", out->len > 0 ? "." : "", place->name);
    }
}

static bool G_GNUC_PRINTF(4, 5)
    refuse(GError **error, HumpyError code, const Place *place, const char *fmt, ...)
{
    g_autoptr(GString) where = g_string_new(NULL);
    g_autofree char *text = NULL;
    va_list ap;

    append_place(where, place);
    va_start(ap, fmt);
    text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    g_set_error(error, HUMPY_ERROR, code, "argument '%s' %s", where->str, text);
    return false;
}

/* ---- values ---- */

static bool check(const QapiType *type, const QapiMember *limits, JsonNode *node,
                  const Place *place, GError **error);

static bool wrong_type(GError **error, const Place *place, const char *expected)
{
    return refuse(error, HUMPY_ERROR_SYNTAX, place, "must be %s", expected);
}

static bool holds(JsonNode *node, GType type)
{
    return JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == type;
}

static bool check_int(const QapiType *type, const QapiMember *limits, JsonNode *node,
                      const Place *place, GError **error)
{
    bool own = limits != NULL && limits->has_range;
    gint64 min = own ? limits->min : type->min, max = own ? limits->max : type->max, n;

    if (holds(node, G_TYPE_DOUBLE) || !holds(node, G_TYPE_INT64)) {
        return wrong_type(error, place, "a whole number");
    }
    n = json_node_get_int(node);
    if (n < min || n > max) {
        return refuse(error, HUMPY_ERROR_RANGE, place,
                      "is %" G_GINT64_FORMAT " but must be %" G_GINT64_FORMAT
                      " to %" G_GINT64_FORMAT,
                      n, min, max);
    }
    return true;
}

static bool check_enum(const QapiType *type, JsonNode *node, const Place *place, GError **error)
{
    g_autoptr(GString) where = g_string_new(NULL);
    g_autofree char *what = NULL;

    if (!holds(node, G_TYPE_STRING)) {
        return wrong_type(error, place, "a string");
    }
    if (g_strv_contains(type->values, json_node_get_string(node))) {
        return true;
    }
    append_place(where, place);
    what = g_strdup_printf("argument '%s': value", where->str);
    error_set_unknown(error, what, json_node_get_string(node), type->values);
    return false;
}

static bool check_array(const QapiType *type, JsonNode *node, const Place *place, GError **error)
{
    JsonArray *array;

    if (!JSON_NODE_HOLDS_ARRAY(node)) {
        return wrong_type(error, place, "an array");
    }
    array = json_node_get_array(node);
    for (unsigned i = 0; i < json_array_get_length(array); i++) {
        Place element = { place, NULL, i };

        if (!check(type->element, NULL, json_array_get_element(array, i), &element, error)) {
            return false;
        }
    }
    return true;
}

static const QapiMember *find_member(const QapiType *type, const char *name)
{
    for (unsigned i = 0; i < type->n_members; i++) {
        if (strcmp(type->members[i].name, name) == 0) {
            return &type->members[i];
        }
    }
    return NULL;
}

static bool check_members(const QapiType *type, JsonObject *object, const Place *place,
                          GError **error)
{
    for (unsigned i = 0; i < type->n_members; i++) {
        const QapiMember *m = &type->members[i];
        JsonNode *value = json_object_get_member(object, m->name);
        Place member = { place, m->name, 0 };

        if (value == NULL && !m->optional) {
            return refuse(error, HUMPY_ERROR_MISSING, &member, "is missing");
        }
        if (value != NULL && !check(m->type, m, value, &member, error)) {
            return false;
        }
    }
    return true;
}

/* The members that the tag's value adds, or NULL. The tag is checked and there. */
static const QapiType *chosen_variant(const QapiType *type, JsonObject *object)
{
    const char *value;

    if (type->tag == NULL || !json_object_has_member(object, type->tag)) {
        return NULL;
    }
    value = json_object_get_string_member(object, type->tag);
    for (unsigned i = 0; i < type->n_variants; i++) {
        if (strcmp(type->variants[i].value, value) == 0) {
            return type->variants[i].type;
        }
    }
    return NULL;
}

static bool check_unknown(const QapiType *type, const QapiType *variant, JsonObject *object,
                          const Place *place, GError **error)
{
    JsonObjectIter iter;
    const char *name;

    if (type->open || (variant != NULL && variant->open)) {
        return true;
    }
    json_object_iter_init_ordered(&iter, object);
    while (json_object_iter_next_ordered(&iter, &name, NULL)) {
        Place member = { place, name, 0 };

        if (find_member(type, name) == NULL &&
            (variant == NULL || find_member(variant, name) == NULL)) {
            return refuse(error, HUMPY_ERROR_UNKNOWN, &member, "is not known here");
        }
    }
    return true;
}

static bool check_object(const QapiType *type, JsonObject *object, const Place *place,
                         GError **error)
{
    const QapiType *variant;

    if (!check_members(type, object, place, error)) {
        return false;
    }
    variant = chosen_variant(type, object);
    return (variant == NULL || check_members(variant, object, place, error)) &&
           check_unknown(type, variant, object, place, error);
}

/* TRUE if node is of the kind of JSON value that type is written as. */
static bool looks_like(const QapiType *type, JsonNode *node)
{
    switch (type->kind) {
    case QAPI_STR:
    case QAPI_ENUM:
        return holds(node, G_TYPE_STRING);
    case QAPI_INT:
        return holds(node, G_TYPE_INT64);
    case QAPI_NUMBER:
        return holds(node, G_TYPE_INT64) || holds(node, G_TYPE_DOUBLE);
    case QAPI_BOOL:
        return holds(node, G_TYPE_BOOLEAN);
    case QAPI_NULL:
        return JSON_NODE_HOLDS_NULL(node);
    case QAPI_ARRAY:
        return JSON_NODE_HOLDS_ARRAY(node);
    case QAPI_STRUCT:
        return JSON_NODE_HOLDS_OBJECT(node);
    case QAPI_ANY:
    case QAPI_ALTERNATE:
        return true;
    }
    g_assert_not_reached();
}

static bool check_alternate(const QapiType *type, JsonNode *node, const Place *place,
                            GError **error)
{
    for (unsigned i = 0; i < type->n_members; i++) {
        if (looks_like(type->members[i].type, node)) {
            return check(type->members[i].type, NULL, node, place, error);
        }
    }
    return wrong_type(error, place, type->name);
}

static bool check(const QapiType *type, const QapiMember *limits, JsonNode *node,
                  const Place *place, GError **error)
{
    switch (type->kind) {
    case QAPI_STR:
        return holds(node, G_TYPE_STRING) || wrong_type(error, place, "a string");
    case QAPI_INT:
        return check_int(type, limits, node, place, error);
    case QAPI_NUMBER:
        return looks_like(type, node) || wrong_type(error, place, "a number");
    case QAPI_BOOL:
        return holds(node, G_TYPE_BOOLEAN) || wrong_type(error, place, "true or false");
    case QAPI_NULL:
        return JSON_NODE_HOLDS_NULL(node) || wrong_type(error, place, "null");
    case QAPI_ANY:
        return true;
    case QAPI_ENUM:
        return check_enum(type, node, place, error);
    case QAPI_ARRAY:
        return check_array(type, node, place, error);
    case QAPI_STRUCT:
        if (!JSON_NODE_HOLDS_OBJECT(node)) {
            return wrong_type(error, place, "an object");
        }
        return check_object(type, json_node_get_object(node), place, error);
    case QAPI_ALTERNATE:
        return check_alternate(type, node, place, error);
    }
    g_assert_not_reached();
}

bool qapi_check_args(const QmpCommand *command, JsonObject *args, GError **error)
{
    Place arguments = { NULL, NULL, 0 };

    return check_object(command->args, args, &arguments, error);
}
