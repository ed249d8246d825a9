/* SPDX-License-Identifier: GPL-2.0-or-later
 * The composition tree: every GObject that belongs to the machine has one parent and a name there,
 * so it has a path like /machine/peripheral/disk0, as QMP's qom-list, qom-get and qtest's IRQ
 * commands use it. What an object says of itself are the rows of its property table (util/props.h),
 * its children ("child<TYPE>"), its links ("link<TYPE>") and "type".
 *
 * Layout as on QEMU: /machine (the machine), /machine/peripheral/ID (devices with an id),
 * /machine/peripheral-anon/device[N], /machine/unattached/device[N] (made by the board and given no
 * better place), /objects/ID (-object), /chardevs/ID. A bus is a child of its device.
 *
 * Threads: [main] only.
 */
#pragma once

#include <glib-object.h>
#include <json-glib/json-glib.h>
#include <stdbool.h>

#include "util/props.h"

/* The object at "/". Never freed. */
GObject *qom_root(void);
/* A plain object that only holds children ("container"), made at path if it is not there. */
GObject *qom_container(const char *path);

/* child (referenced) gets a place; it has none yet. "device[*]" takes the first free number. */
void qom_add_child(GObject *parent, const char *name, GObject *child);
/* Takes child out of the tree and drops the tree's reference, its own children's too. One that has
 * no place is fine. */
void qom_unparent(GObject *child);
GObject *qom_parent(GObject *child);  /* or NULL; borrowed */
const char *qom_name(GObject *child); /* name in its parent, or NULL; borrowed */
char *qom_path(GObject *obj);         /* newly allocated; NULL: not in the tree */
/* A link obj.name to target, which may be NULL; borrowed: obj must drop it before target goes. */
void qom_set_link(GObject *obj, const char *name, const char *type, GObject *target);

/* "/machine/soc" or a partial path ("soc", which must be unique). NULL: not there (*ambiguous is
 * FALSE) or several (TRUE). Borrowed. ambiguous may be NULL. */
GObject *qom_resolve(const char *path, bool *ambiguous);

/* Properties that are no rows of a table because they are computed: "realized", "guest-stats". They
 * are for qom-get and qom-set only, never for the command line. */
typedef struct {
    const char *name, *type; /* type as qom-list tells it: "bool", "str", "link<bus>" */
    const char *description;
    JsonNode *(*get)(GObject *obj);                             /* NULL: write-only */
    bool (*set)(GObject *obj, JsonNode *value, GError **error); /* NULL: read-only */
} QomComputed;
/* [class_init] For klass and what derives from it; rows live for ever. Once per class. */
void qom_class_add_computed(gpointer klass, const QomComputed *rows, unsigned n);

/* One property as qom-list tells it. */
typedef struct {
    char *name, *type;
    const char *description; /* or NULL; borrowed */
} QomProperty;
GPtrArray *qom_list(GObject *obj); /* of QomProperty, owned; unref frees all */
/* Without children and links: what every object of obj's type has (device-list-properties). */
GPtrArray *qom_list_own(GObject *obj);
/* Calls fn for each child, in the order they were added. */
typedef void (*QomChildFn)(const char *name, GObject *child, void *opaque);
void qom_foreach_child(GObject *obj, QomChildFn fn, void *opaque);

/* Value as JSON (a link or child is its path). NULL: no such property (UNKNOWN). */
JsonNode *qom_get(GObject *obj, const char *property, GError **error);
/* FALSE: no such property, wrong type, out of range, or not settable after realize. */
bool qom_set(GObject *obj, const char *property, JsonNode *value, GError **error);

/* Type name as QEMU spells it: mostly the GType's name, but "virt-7.2-machine" for a machine,
 * "device" and the like for base classes. */
const char *qom_type_name(GType type);
GType qom_type_find(const char *name); /* or 0 */
typedef void (*QomTypeFn)(GType type, void *opaque);
/* Every type that objects of the tree may have, "object" included, parents before children. */
void qom_foreach_type(QomTypeFn fn, void *opaque);

/* A row's type and default as device-list-properties tells them; NULL: it has none. */
const char *qom_row_type(const Prop *row);
JsonNode *qom_row_default(const Prop *row);

/* An object to ask for its type's properties: in no tree, not realized. NULL: abstract. */
GObject *qom_example(GType type);

/* What the human monitor prints: devices and buses from the board down, and the whole tree. */
void qom_print_qtree(GString *out);
bool qom_print_tree(GString *out, const char *path, GError **error); /* path NULL: /machine */
