/* SPDX-License-Identifier: GPL-2.0-or-later
 * Commands about the composition tree, types and objects: JSON in front of hw/core/qom.h and
 * hw/core/user-object.h.
 */
#include "hw/core/qom.h"
#include "hw/core/device.h"
#include "hw/core/user-object.h"
#include "node.h"
#include "qapi-commands.h"
#include "util/error.h"

static GObject *find(const char *path, GError **error)
{
    bool ambiguous;
    GObject *obj = qom_resolve(path, &ambiguous);

    if (obj == NULL && ambiguous) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT, "Path '%s' is ambiguous", path);
    } else if (obj == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_DEVICE_NOT_FOUND, "Device '%s' not found",
                    path);
    }
    return obj;
}

static JsonNode *property_list(const GPtrArray *list)
{
    JsonArray *array = json_array_new();

    for (unsigned i = 0; i < list->len; i++) {
        const QomProperty *p = g_ptr_array_index(list, i);
        JsonObject *info = json_object_new();

        json_object_set_string_member(info, "name", p->name);
        json_object_set_string_member(info, "type", p->type);
        if (p->description != NULL) {
            json_object_set_string_member(info, "description", p->description);
        }
        json_array_add_object_element(array, info);
    }
    return node_array(array);
}

JsonNode *qmp_qom_list(JsonObject *args, GError **error)
{
    GObject *obj = find(json_object_get_string_member(args, "path"), error);
    g_autoptr(GPtrArray) list = obj != NULL ? qom_list(obj) : NULL;

    return list != NULL ? property_list(list) : NULL;
}

JsonNode *qmp_qom_get(JsonObject *args, GError **error)
{
    GObject *obj = find(json_object_get_string_member(args, "path"), error);

    return obj != NULL ? qom_get(obj, json_object_get_string_member(args, "property"), error)
                       : NULL;
}

JsonNode *qmp_qom_set(JsonObject *args, GError **error)
{
    GObject *obj = find(json_object_get_string_member(args, "path"), error);

    if (obj != NULL) {
        qom_set(obj, json_object_get_string_member(args, "property"),
                json_object_get_member(args, "value"), error);
    }
    return NULL;
}

/* ---- types ---- */

typedef struct {
    JsonArray *array;
    GType implements;
    bool abstract;
} TypeList;

static void add_type(GType type, void *opaque)
{
    const TypeList *list = opaque;
    bool abstract = G_TYPE_IS_ABSTRACT(type) || type == G_TYPE_OBJECT;
    JsonObject *info;

    if ((abstract && !list->abstract) || !g_type_is_a(type, list->implements)) {
        return;
    }
    info = json_object_new();
    json_object_set_string_member(info, "name", qom_type_name(type));
    if (abstract) {
        json_object_set_boolean_member(info, "abstract", TRUE);
    }
    if (type != G_TYPE_OBJECT) {
        json_object_set_string_member(info, "parent", qom_type_name(g_type_parent(type)));
    }
    json_array_add_object_element(list->array, info);
}

JsonNode *qmp_qom_list_types(JsonObject *args, GError **error)
{
    const char *implements = json_object_get_string_member_with_default(args, "implements", NULL);
    TypeList list = {
        .array = json_array_new(),
        .implements = implements != NULL ? qom_type_find(implements) : G_TYPE_OBJECT,
        .abstract = json_object_get_boolean_member_with_default(args, "abstract", FALSE),
    };

    if (list.implements != 0) {
        qom_foreach_type(add_type, &list);
    }
    return node_array(list.array);
}

static GType find_type(const char *name, GError **error)
{
    GType type = qom_type_find(name);

    if (type == 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_DEVICE_NOT_FOUND, "Class '%s' not found", name);
    }
    return type;
}

JsonNode *qmp_qom_list_properties(JsonObject *args, GError **error)
{
    GType type = find_type(json_object_get_string_member(args, "typename"), error);
    g_autoptr(GObject) example = type != 0 ? qom_example(type) : NULL;
    g_autoptr(GPtrArray) list = NULL;

    if (type == 0) {
        return NULL;
    }
    list = example != NULL ? qom_list_own(example) : g_ptr_array_new();
    return property_list(list);
}

static void add_row(const Prop *row, void *opaque)
{
    JsonObject *info = json_object_new();
    JsonNode *def = qom_row_default(row);

    json_object_set_string_member(info, "name", row->name);
    json_object_set_string_member(info, "type", qom_row_type(row));
    json_object_set_string_member(info, "description", row->help);
    if (def != NULL) {
        json_object_set_member(info, "default-value", def);
    }
    json_array_add_object_element(opaque, info);
}

JsonNode *qmp_device_list_properties(JsonObject *args, GError **error)
{
    const char *name = json_object_get_string_member(args, "typename");
    GType type = find_type(name, error);
    g_autoptr(GObject) example = NULL;
    JsonArray *array;

    if (type == 0) {
        return NULL;
    }
    example = g_type_is_a(type, TYPE_DEVICE) ? qom_example(type) : NULL;
    if (example == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "Parameter 'typename' is '%s' but must be a device type that is not abstract",
                    name);
        return NULL;
    }
    array = json_array_new();
    device_foreach_property(HUMPY_DEVICE(example), add_row, array);
    return node_array(array);
}

/* ---- objects ---- */

JsonNode *qmp_object_add(JsonObject *args, GError **error)
{
    user_object_add_json(json_object_get_string_member(args, "qom-type"),
                         json_object_get_string_member(args, "id"), args, error);
    return NULL;
}

JsonNode *qmp_object_del(JsonObject *args, GError **error)
{
    user_object_del(json_object_get_string_member(args, "id"), error);
    return NULL;
}
