/* SPDX-License-Identifier: GPL-2.0-or-later
 * /chardevs/ID in the composition tree: an object of a type called "chardev-TYPE" for each
 * character device, made and dropped with it.
 */
#include "chardev-tree.h"

#include "chardev/chardev.h"
#include "hw/core/qom.h"

static GType base_type(void)
{
    static GType type;
    GTypeQuery query;

    if (type == 0) {
        g_type_query(G_TYPE_OBJECT, &query);
        type = g_type_register_static_simple(G_TYPE_OBJECT, "chardev", query.class_size, NULL,
                                             query.instance_size, NULL, G_TYPE_FLAG_ABSTRACT);
    }
    return type;
}

static GType type_of(const Chardev *chr)
{
    g_autofree char *name = g_strdup_printf("chardev-%s", chardev_type(chr));
    GType type = g_type_from_name(name);
    GTypeQuery query;

    if (type == 0) {
        g_type_query(base_type(), &query);
        type = g_type_register_static_simple(base_type(), g_intern_string(name), query.class_size,
                                             NULL, query.instance_size, NULL, 0);
    }
    return type;
}

static void changed(Chardev *chr, bool made)
{
    GObject *container = qom_container("/chardevs");
    g_autofree char *path = g_strconcat("/chardevs/", chardev_id(chr), NULL);
    g_autoptr(GObject) obj = NULL;
    GObject *found = qom_resolve(path, NULL);

    if (!made) {
        if (found != NULL) {
            qom_unparent(found);
        }
        return;
    }
    obj = g_object_new(type_of(chr), NULL);
    qom_add_child(container, chardev_id(chr), obj);
}

void chardev_tree_init(void)
{
    chardev_set_observer(changed);
}
