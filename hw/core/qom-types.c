/* SPDX-License-Identifier: GPL-2.0-or-later
 * Types as the outside sees them: their names, and which there are. A GType's name is a type's name
 * but where GObject's rules for names or C's for structs forbid it.
 */
#include <string.h>

#include "accel/accel-impl.h"
#include "core-priv.h"
#include "hw/core/machine.h"
#include "hw/core/user-object.h"

static const char *interned(const char *name, const char *suffix)
{
    g_autofree char *full = g_strconcat(name, suffix, NULL);

    return g_intern_string(full);
}

/* Base classes, which are named after their C structs. */
static const char *base_name(GType type)
{
    static const char *const names[][2] = {
        { "GObject", "object" },
        { "Device", "device" },
        { "Bus", "bus" },
        { "Accel", "accel" },
        { "UserObject", "user-creatable" },
        { "VirtIODevice", "virtio-device" },
        { "PciDevice", "pci-device" },
        { "MemoryBackend", "memory-backend" },
        { "RngBackend", "rng-backend" },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        if (strcmp(names[i][0], g_type_name(type)) == 0) {
            return names[i][1];
        }
    }
    return NULL;
}

const char *qom_type_name(GType type)
{
    const char *name = base_name(type);

    if (name == NULL && g_type_is_a(type, TYPE_MACHINE) && !G_TYPE_IS_ABSTRACT(type)) {
        g_autoptr(GTypeClass) klass = g_type_class_ref(type);

        name = interned(HUMPY_MACHINE_CLASS(klass)->name, "-machine");
    } else if (name == NULL && g_type_is_a(type, TYPE_ACCEL)) {
        g_autoptr(GTypeClass) klass = g_type_class_ref(type);

        name = interned(HUMPY_ACCEL_CLASS(klass)->name, "-accel");
    }
    return name != NULL ? name : g_type_name(type);
}

static void visit(GType type, QomTypeFn fn, void *opaque)
{
    g_autofree GType *children = g_type_children(type, NULL);

    fn(type, opaque);
    for (GType *child = children; *child != 0; child++) {
        visit(*child, fn, opaque);
    }
}

void qom_foreach_type(QomTypeFn fn, void *opaque)
{
    const GType roots[] = { G_OBJECT_TYPE(qom_root()),
                            TYPE_USER_OBJECT,
                            TYPE_ACCEL,
                            TYPE_CPU,
                            TYPE_MACHINE,
                            TYPE_BUS,
                            TYPE_DEVICE };

    fn(G_TYPE_OBJECT, opaque);
    for (unsigned i = 0; i < G_N_ELEMENTS(roots); i++) {
        visit(roots[i], fn, opaque);
    }
}

typedef struct {
    const char *name;
    GType found;
} Search;

static void compare(GType type, void *opaque)
{
    Search *s = opaque;

    if (s->found == 0 && strcmp(qom_type_name(type), s->name) == 0) {
        s->found = type;
    }
}

GType qom_type_find(const char *name)
{
    Search s = { .name = name };

    qom_foreach_type(compare, &s);
    return s.found;
}

GObject *qom_example(GType type)
{
    return G_TYPE_IS_ABSTRACT(type) || type == G_TYPE_OBJECT ? NULL : g_object_new(type, NULL);
}
