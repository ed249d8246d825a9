/* SPDX-License-Identifier: GPL-2.0-or-later
 * Making, finding and deleting what -object and object-add make. The objects themselves are where
 * what they stand for is: memory back ends, entropy sources, I/O threads.
 */
#include "hw/core/user-object.h"

#include <string.h>

#include "hw/core/qom.h"
#include "util/error.h"
#include "util/props.h"

#define OBJECTS "/objects"

typedef struct {
    char *id;
    unsigned uses;
} UserObjectPrivate;

G_DEFINE_ABSTRACT_TYPE_WITH_PRIVATE(UserObject, user_object, G_TYPE_OBJECT)

static UserObjectPrivate *priv(UserObject *obj)
{
    return user_object_get_instance_private(obj);
}

static void user_object_init(UserObject *obj)
{
}

static void user_object_finalize(GObject *obj)
{
    props_clear(obj);
    g_free(priv(HUMPY_USER_OBJECT(obj))->id);
    G_OBJECT_CLASS(user_object_parent_class)->finalize(obj);
}

static void user_object_class_init(UserObjectClass *klass)
{
    G_OBJECT_CLASS(klass)->finalize = user_object_finalize;
}

/* ---- types ---- */

static void collect_types(GType type, GPtrArray *names)
{
    g_autofree GType *children = g_type_children(type, NULL);

    if (!G_TYPE_IS_ABSTRACT(type)) {
        g_ptr_array_add(names, (void *)g_type_name(type));
    }
    for (GType *child = children; *child != 0; child++) {
        collect_types(*child, names);
    }
}

static GType find_type(const char *name, GError **error)
{
    GType type = g_type_from_name(name);
    g_autoptr(GPtrArray) names = NULL;

    if (type != 0 && g_type_is_a(type, TYPE_USER_OBJECT) && !G_TYPE_IS_ABSTRACT(type)) {
        return type;
    }
    names = g_ptr_array_new();
    collect_types(TYPE_USER_OBJECT, names);
    g_ptr_array_add(names, NULL);
    error_set_unknown(error, "object type", name, (const char *const *)names->pdata);
    return 0;
}

char *user_object_help(void)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    GString *out = g_string_new("List of user creatable objects:\n");

    collect_types(TYPE_USER_OBJECT, names);
    for (unsigned i = 0; i < names->len; i++) {
        const char *name = g_ptr_array_index(names, i);
        g_autoptr(GTypeClass) klass = g_type_class_ref(g_type_from_name(name));
        const char *summary = HUMPY_USER_OBJECT_CLASS(klass)->summary;

        g_string_append_printf(out, "  %-24s %s\n", name, summary != NULL ? summary : "");
    }
    return g_string_free(out, FALSE);
}

char *user_object_type_help(const char *type, GError **error)
{
    GType found = find_type(type, error);
    g_autoptr(GTypeClass) klass = found != 0 ? g_type_class_ref(found) : NULL;
    g_autofree char *props = klass != NULL ? props_help(G_OBJECT_CLASS(klass)) : NULL;

    return props != NULL ? g_strdup_printf("%s options:\n%s", type, props) : NULL;
}

/* ---- objects ---- */

const char *user_object_id(UserObject *obj)
{
    return priv(obj)->id;
}

static UserObject *lookup(const char *id)
{
    g_autofree char *path = g_strconcat(OBJECTS "/", id, NULL);
    GObject *obj = qom_resolve(path, NULL);

    return obj != NULL && HUMPY_IS_USER_OBJECT(obj) ? HUMPY_USER_OBJECT(obj) : NULL;
}

static bool check_id(const char *id, GError **error)
{
    if (id == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "Parameter 'id' is missing");
        return false;
    }
    if (!keyval_check_id(id, error)) {
        return false;
    }
    if (lookup(id) != NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "id '%s' is already used by another object", id);
        return false;
    }
    return true;
}

static bool set_properties(UserObject *obj, KeyVal *kv, GError **error)
{
    for (unsigned i = 0; i < kv->pairs->len; i++) {
        const KeyValPair *pair = g_ptr_array_index(kv->pairs, i);

        if (!pair->used && !props_set_str(G_OBJECT(obj), pair->key, pair->value, error)) {
            return false;
        }
    }
    return true;
}

/* An object with its id, in no tree yet. */
static UserObject *make(const char *type, const char *id, GError **error)
{
    UserObject *obj;
    GType found;

    if (type == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "Parameter 'qom-type' is missing");
        return NULL;
    }
    found = find_type(type, error);
    if (found == 0 || !check_id(id, error)) {
        return NULL;
    }
    obj = g_object_new(found, NULL);
    priv(obj)->id = g_strdup(id);
    return obj;
}

static bool complete(UserObject *obj, GError **error)
{
    UserObjectClass *klass = HUMPY_USER_OBJECT_GET_CLASS(obj);

    if (klass->complete != NULL && !klass->complete(obj, error)) {
        return false;
    }
    qom_add_child(qom_container(OBJECTS), priv(obj)->id, G_OBJECT(obj));
    return true;
}

UserObject *user_object_add(KeyVal *kv, GError **error)
{
    const char *type = keyval_take(kv, "qom-type"), *id = keyval_take(kv, "id");
    g_autoptr(UserObject) obj = make(type, id, error);

    if (obj == NULL || !set_properties(obj, kv, error) || !complete(obj, error)) {
        return NULL;
    }
    return obj; /* the tree holds it */
}

static bool set_members(UserObject *obj, JsonObject *members, GError **error)
{
    JsonObjectIter iter;
    const char *name;
    JsonNode *value;

    json_object_iter_init_ordered(&iter, members);
    while (json_object_iter_next_ordered(&iter, &name, &value)) {
        if (strcmp(name, "qom-type") != 0 && strcmp(name, "id") != 0 &&
            !qom_set(G_OBJECT(obj), name, value, error)) {
            return false;
        }
    }
    return true;
}

UserObject *user_object_add_json(const char *type, const char *id, JsonObject *members,
                                 GError **error)
{
    g_autoptr(UserObject) obj = make(type, id, error);

    if (obj == NULL || !set_members(obj, members, error) || !complete(obj, error)) {
        return NULL;
    }
    return obj; /* the tree holds it */
}

bool user_object_del(const char *id, GError **error)
{
    UserObject *obj = lookup(id);
    UserObjectClass *klass = obj != NULL ? HUMPY_USER_OBJECT_GET_CLASS(obj) : NULL;

    if (obj == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN, "object '%s' not found", id);
        return false;
    }
    if (priv(obj)->uses > 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "object '%s' is in use, can not be deleted", id);
        return false;
    }
    if (klass->can_delete != NULL && !klass->can_delete(obj, error)) {
        return false;
    }
    qom_unparent(G_OBJECT(obj));
    return true;
}

UserObject *user_object_find(const char *id, GType type, GError **error)
{
    UserObject *obj = lookup(id);

    if (obj == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN, "there is no object '%s'", id);
        return NULL;
    }
    if (!g_type_is_a(G_OBJECT_TYPE(obj), type)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT, "object '%s' is of type %s, not %s",
                    id, G_OBJECT_TYPE_NAME(obj), g_type_name(type));
        return NULL;
    }
    return obj;
}

void user_object_use(UserObject *obj)
{
    priv(obj)->uses++;
}

void user_object_unuse(UserObject *obj)
{
    g_assert(priv(obj)->uses > 0);
    priv(obj)->uses--;
}
