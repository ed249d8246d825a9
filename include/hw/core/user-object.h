/* SPDX-License-Identifier: GPL-2.0-or-later
 * What -object and object-add make: iothread, memory-backend-*, rng-*, ... A type is a GObject
 * class derived from UserObject whose GType name is its -object name and whose properties come from
 * one table (util/props.h). It lives at /objects/ID.
 *
 * Threads: [main] only.
 */
#pragma once

#include <glib-object.h>
#include <json-glib/json-glib.h>
#include <stdbool.h>

#include "util/keyval.h"

#define TYPE_USER_OBJECT user_object_get_type()
G_DECLARE_DERIVABLE_TYPE(UserObject, user_object, HUMPY, USER_OBJECT, GObject)

struct _UserObjectClass {
    GObjectClass parent_class;
    const char *summary; /* one line for -object help */
    /* (optional) All properties are set: check them, open what is needed. */
    bool (*complete)(UserObject *obj, GError **error);
    /* (optional) FALSE: in use, cannot be deleted. */
    bool (*can_delete)(UserObject *obj, GError **error);
};

/* props: "qom-type" and "id" are taken, the rest are properties. NULL: unknown type (names the
 * nearest), bad or taken id, property errors, complete's error. Returns borrowed. */
UserObject *user_object_add(KeyVal *props, GError **error);
/* The same from JSON, where each value must have its property's type; "qom-type" and "id" among
 * members are skipped. */
UserObject *user_object_add_json(const char *type, const char *id, JsonObject *members,
                                 GError **error);
bool user_object_del(const char *id, GError **error);
/* The object called id if it is of type; else NULL with UNKNOWN or CONFLICT. Borrowed. */
UserObject *user_object_find(const char *id, GType type, GError **error);
/* While use > 0 it cannot be deleted. */
void user_object_use(UserObject *obj);
void user_object_unuse(UserObject *obj);
const char *user_object_id(UserObject *obj);
char *user_object_help(void);
char *user_object_type_help(const char *type, GError **error);
