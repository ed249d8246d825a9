/* SPDX-License-Identifier: GPL-2.0-or-later
 * Properties as qom-list, qom-get and qom-set tell them: rows of the property tables, computed
 * ones, those of a device's delegate, children and links. Values are JSON here; the rows' own
 * setters want text, which also checks ranges.
 */
#include <string.h>

#include "core-priv.h"
#include "hw/core/machine.h"
#include "hw/core/user-object.h"
#include "util/error.h"

typedef struct {
    const QomComputed *rows;
    unsigned n;
} ComputedRows;

static GQuark computed_quark(void)
{
    return g_quark_from_static_string("humpy-qom-computed");
}

void qom_class_add_computed(gpointer klass, const QomComputed *rows, unsigned n)
{
    ComputedRows *c = g_new(ComputedRows, 1);

    *c = (ComputedRows){ rows, n };
    g_type_set_qdata(G_TYPE_FROM_CLASS(klass), computed_quark(), c);
}

static GObject *delegate_of(GObject *obj)
{
    return HUMPY_IS_DEVICE(obj) ? device_delegate(HUMPY_DEVICE(obj)) : NULL;
}

/* ---- listing ---- */

static void property_free(gpointer data)
{
    QomProperty *p = data;

    g_free(p->name);
    g_free(p->type);
    g_free(p);
}

static void add_property(GPtrArray *list, const char *name, char *type, const char *description)
{
    QomProperty *p = g_new(QomProperty, 1);

    *p = (QomProperty){ g_strdup(name), type, description };
    g_ptr_array_add(list, p);
}

const char *qom_row_type(const Prop *row)
{
    static const char *const types[] = {
        [PROP_KIND_BOOL] = "bool",           [PROP_KIND_U32] = "uint32", [PROP_KIND_U64] = "uint64",
        [PROP_KIND_SIZE] = "size",           [PROP_KIND_STRING] = "str", [PROP_KIND_ENUM] = "str",
        [PROP_KIND_ONOFFAUTO] = "OnOffAuto",
    };

    return types[row->kind];
}

static void add_row(const Prop *row, void *opaque)
{
    add_property(opaque, row->name, g_strdup(qom_row_type(row)), row->help);
}

static void add_computed(GPtrArray *list, GType type)
{
    for (; type != 0; type = g_type_parent(type)) {
        const ComputedRows *c = g_type_get_qdata(type, computed_quark());

        for (unsigned i = 0; c != NULL && i < c->n; i++) {
            add_property(list, c->rows[i].name, g_strdup(c->rows[i].type), c->rows[i].description);
        }
    }
}

GPtrArray *qom_list_own(GObject *obj)
{
    GPtrArray *list = g_ptr_array_new_with_free_func(property_free);
    GObject *delegate = delegate_of(obj);

    add_property(list, "type", g_strdup("string"), NULL);
    add_computed(list, G_OBJECT_TYPE(obj));
    props_foreach(G_OBJECT_GET_CLASS(obj), add_row, list);
    if (delegate != NULL) {
        props_foreach(G_OBJECT_GET_CLASS(delegate), add_row, list);
    }
    return list;
}

GPtrArray *qom_list(GObject *obj)
{
    GPtrArray *list = qom_list_own(obj);
    QomNode *node = qom_node(obj);

    for (unsigned i = 0; node != NULL && i < node->links->len; i++) {
        const QomLink *link = &g_array_index(node->links, QomLink, i);

        add_property(list, link->name, g_strdup_printf("link<%s>", link->type), NULL);
    }
    for (unsigned i = 0; node != NULL && i < node->children->len; i++) {
        GObject *child = g_ptr_array_index(node->children, i);

        add_property(list, qom_name(child),
                     g_strdup_printf("child<%s>", qom_type_name(G_OBJECT_TYPE(child))), NULL);
    }
    return list;
}

/* ---- finding ---- */

static const QomComputed *find_computed(GObject *obj, const char *name)
{
    for (GType type = G_OBJECT_TYPE(obj); type != 0; type = g_type_parent(type)) {
        const ComputedRows *c = g_type_get_qdata(type, computed_quark());

        for (unsigned i = 0; c != NULL && i < c->n; i++) {
            if (strcmp(c->rows[i].name, name) == 0) {
                return &c->rows[i];
            }
        }
    }
    return NULL;
}

/* The row called name of obj or its delegate, and whose it is. */
static const Prop *find_row(GObject *obj, const char *name, GObject **whose)
{
    GObject *candidates[] = { obj, delegate_of(obj) };

    for (unsigned i = 0; i < G_N_ELEMENTS(candidates); i++) {
        const Prop *row =
            candidates[i] != NULL ? props_find(G_OBJECT_GET_CLASS(candidates[i]), name) : NULL;

        if (row != NULL) {
            *whose = candidates[i];
            return row;
        }
    }
    return NULL;
}

/* A child's or link's target as its path ("" for none). */
static bool find_object(GObject *obj, const char *name, char **path)
{
    QomNode *node = qom_node(obj);
    GObject *target = node != NULL ? g_hash_table_lookup(node->by_name, name) : NULL;
    bool found = target != NULL;

    for (unsigned i = 0; !found && node != NULL && i < node->links->len; i++) {
        const QomLink *link = &g_array_index(node->links, QomLink, i);

        if (strcmp(link->name, name) == 0) {
            target = link->target;
            found = true;
        }
    }
    *path = found && target != NULL ? qom_path(target) : NULL;
    if (found && *path == NULL) {
        *path = g_strdup("");
    }
    return found;
}

static void no_property(GObject *obj, const char *name, GError **error)
{
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN, "Property '%s.%s' not found",
                qom_type_name(G_OBJECT_TYPE(obj)), name);
}

/* ---- values ---- */

static JsonNode *string_node(const char *text)
{
    JsonNode *node = json_node_new(JSON_NODE_VALUE);

    json_node_set_string(node, text);
    return node;
}

/* A value in text form. */
static JsonNode *text_value(const Prop *row, const char *text)
{
    JsonNode *node;

    switch (row->kind) {
    case PROP_KIND_BOOL:
        node = json_node_new(JSON_NODE_VALUE);
        json_node_set_boolean(node, strcmp(text, "on") == 0);
        return node;
    case PROP_KIND_U32:
    case PROP_KIND_U64:
    case PROP_KIND_SIZE:
        node = json_node_new(JSON_NODE_VALUE);
        json_node_set_int(node, (gint64)g_ascii_strtoull(text, NULL, 10));
        return node;
    case PROP_KIND_STRING:
    case PROP_KIND_ENUM:
    case PROP_KIND_ONOFFAUTO:
        return string_node(text != NULL ? text : "");
    }
    g_assert_not_reached();
}

static JsonNode *row_value(GObject *obj, const Prop *row)
{
    g_autofree char *text = props_get_str(obj, row->name);

    return text_value(row, text);
}

JsonNode *qom_row_default(const Prop *row)
{
    g_autofree char *text = props_default_str(row);

    return text != NULL ? text_value(row, text) : NULL;
}

JsonNode *qom_get(GObject *obj, const char *property, GError **error)
{
    const QomComputed *computed = find_computed(obj, property);
    GObject *whose;
    const Prop *row = find_row(obj, property, &whose);
    g_autofree char *path = NULL;

    if (strcmp(property, "type") == 0) {
        return string_node(qom_type_name(G_OBJECT_TYPE(obj)));
    }
    if (computed != NULL && computed->get == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED, "Property '%s.%s' is not readable",
                    qom_type_name(G_OBJECT_TYPE(obj)), property);
        return NULL;
    }
    if (computed != NULL) {
        return computed->get(obj);
    }
    if (row != NULL) {
        return row_value(whose, row);
    }
    if (find_object(obj, property, &path)) {
        return string_node(path);
    }
    no_property(obj, property, error);
    return NULL;
}

/* The JSON value as the text that the row's setter takes; NULL: another type is wanted. */
static char *value_text(const Prop *row, JsonNode *value, GError **error)
{
    GType type = JSON_NODE_HOLDS_VALUE(value) ? json_node_get_value_type(value) : G_TYPE_NONE;
    const char *expected = "string";

    switch (row->kind) {
    case PROP_KIND_BOOL:
        if (type == G_TYPE_BOOLEAN) {
            return g_strdup(json_node_get_boolean(value) ? "on" : "off");
        }
        expected = "boolean";
        break;
    case PROP_KIND_U32:
    case PROP_KIND_U64:
    case PROP_KIND_SIZE:
        if (type == G_TYPE_INT64) {
            return g_strdup_printf("%" G_GINT64_FORMAT, json_node_get_int(value));
        }
        expected = "integer";
        break;
    case PROP_KIND_STRING:
    case PROP_KIND_ENUM:
    case PROP_KIND_ONOFFAUTO:
        if (type == G_TYPE_STRING) {
            return g_strdup(json_node_get_string(value));
        }
        break;
    }
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX,
                "Invalid parameter type for '%s', expected: %s", row->name, expected);
    return NULL;
}

static bool check_settable(GObject *obj, const char *property, GError **error)
{
    if (HUMPY_IS_USER_OBJECT(obj) && qom_parent(obj) != NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "cannot change property '%s' of object '%s' after it was made", property,
                    user_object_id(HUMPY_USER_OBJECT(obj)));
        return false;
    }
    if (HUMPY_IS_DEVICE(obj) && device_is_realized(HUMPY_DEVICE(obj))) {
        const char *id = device_id(HUMPY_DEVICE(obj));

        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "Attempt to set property '%s' on device '%s' (type '%s') after it was realized",
                    property, id != NULL ? id : "", device_type(HUMPY_DEVICE(obj)));
        return false;
    }
    if (HUMPY_IS_MACHINE(obj)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "Property '%s' of the machine cannot be set any more", property);
        return false;
    }
    return true;
}

bool qom_set(GObject *obj, const char *property, JsonNode *value, GError **error)
{
    const QomComputed *computed = find_computed(obj, property);
    GObject *whose;
    const Prop *row = find_row(obj, property, &whose);
    g_autofree char *text = NULL;

    if (computed != NULL && computed->set != NULL) {
        return computed->set(obj, value, error);
    }
    if (row != NULL) {
        if (!check_settable(obj, property, error)) {
            return false;
        }
        text = value_text(row, value, error);
        return text != NULL && props_set_str(whose, property, text, error);
    }
    if (computed != NULL || strcmp(property, "type") == 0 || find_object(obj, property, &text)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED, "Property '%s.%s' is not writable",
                    qom_type_name(G_OBJECT_TYPE(obj)), property);
        return false;
    }
    no_property(obj, property, error);
    return false;
}
