/* SPDX-License-Identifier: GPL-2.0-or-later
 * The composition tree: parents, names, paths, links. An object's place is kept in a node that
 * hangs on the object itself, so that a bus can be put below a device that has no place yet.
 * Properties are in qom-props.c.
 */
#include "hw/core/qom.h"

#include <string.h>

#include "core-priv.h"

#define TYPE_CONTAINER container_get_type()
G_DECLARE_FINAL_TYPE(Container, container, HUMPY, CONTAINER, GObject)

struct _Container {
    GObject parent_instance;
};

DEVICE_DEFINE_TYPE(Container, container, "container", G_TYPE_OBJECT)

static void container_init(Container *c)
{
}

static void container_class_init(ContainerClass *klass)
{
}

/* ---- nodes ---- */

static GQuark node_quark(void)
{
    return g_quark_from_static_string("humpy-qom-node");
}

static void node_free(gpointer data)
{
    QomNode *node = data;

    /* Maybe in liburcu's thread: acquire what qom_unparent() released. */
    (void)__atomic_load_n(&node->parent, __ATOMIC_ACQUIRE);
    g_ptr_array_unref(node->children);
    g_hash_table_unref(node->by_name);
    g_hash_table_unref(node->next_number);
    g_array_unref(node->links);
    g_free(node->name);
    g_free(node);
}

static void link_clear(gpointer data)
{
    QomLink *link = data;

    g_free(link->name);
    g_free(link->type);
}

QomNode *qom_node(GObject *obj)
{
    return g_object_get_qdata(obj, node_quark());
}

static QomNode *make_node(GObject *obj)
{
    QomNode *node = qom_node(obj);

    if (node == NULL) {
        node = g_new0(QomNode, 1);
        node->children = g_ptr_array_new_with_free_func(g_object_unref);
        node->by_name = g_hash_table_new(g_str_hash, g_str_equal);
        node->next_number = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        node->links = g_array_new(FALSE, FALSE, sizeof(QomLink));
        g_array_set_clear_func(node->links, link_clear);
        g_object_set_qdata_full(obj, node_quark(), node, node_free);
    }
    return node;
}

/* ---- tree ---- */

GObject *qom_root(void)
{
    static GObject *root;

    if (root == NULL) {
        root = g_object_new(TYPE_CONTAINER, NULL);
    }
    return root;
}

static GObject *child_of(GObject *parent, const char *name)
{
    QomNode *node = qom_node(parent);

    return node != NULL ? g_hash_table_lookup(node->by_name, name) : NULL;
}

GObject *qom_container(const char *path)
{
    g_auto(GStrv) names = g_strsplit(path, "/", -1);
    GObject *at = qom_root();

    for (char **name = names; *name != NULL; name++) {
        GObject *next;

        if (**name == '\0') {
            continue;
        }
        next = child_of(at, *name);
        if (next == NULL) {
            g_autoptr(GObject) made = g_object_new(TYPE_CONTAINER, NULL);

            qom_add_child(at, *name, made);
            next = made;
        }
        at = next;
    }
    return at;
}

/* "device[*]" with the first free number; numbers below next_number are known to be taken. */
static char *number_name(QomNode *parent, const char *name)
{
    g_autofree char *stem = g_strndup(name, strlen(name) - strlen("[*]"));
    unsigned n = GPOINTER_TO_UINT(g_hash_table_lookup(parent->next_number, stem));
    char *text = g_strdup_printf("%s[%u]", stem, n);

    while (g_hash_table_contains(parent->by_name, text)) {
        g_free(text);
        text = g_strdup_printf("%s[%u]", stem, ++n);
    }
    g_hash_table_insert(parent->next_number, g_steal_pointer(&stem), GUINT_TO_POINTER(n + 1));
    return text;
}

void qom_add_child(GObject *parent, const char *name, GObject *child)
{
    QomNode *above = make_node(parent), *node = make_node(child);

    g_assert(node->parent == NULL);
    node->name = g_str_has_suffix(name, "[*]") ? number_name(above, name) : g_strdup(name);
    if (!g_hash_table_insert(above->by_name, node->name, child)) {
        g_error("'%s' has a child '%s' already", qom_type_name(G_OBJECT_TYPE(parent)), name);
    }
    node->parent = parent;
    g_ptr_array_add(above->children, g_object_ref(child));
}

/* A number that becomes free is found again. */
static void free_number(QomNode *parent, const char *name)
{
    const char *bracket = strrchr(name, '[');
    g_autofree char *stem = bracket != NULL ? g_strndup(name, bracket - name) : NULL;
    gpointer next;

    if (stem != NULL && g_hash_table_lookup_extended(parent->next_number, stem, NULL, &next)) {
        guint64 n = g_ascii_strtoull(bracket + 1, NULL, 10);

        if (n < GPOINTER_TO_UINT(next)) {
            g_hash_table_insert(parent->next_number, g_steal_pointer(&stem),
                                GUINT_TO_POINTER((guint)n));
        }
    }
}

void qom_unparent(GObject *child)
{
    QomNode *node = qom_node(child), *above;

    if (node == NULL) {
        return;
    }
    while (node->children->len > 0) {
        qom_unparent(g_ptr_array_index(node->children, node->children->len - 1));
    }
    g_array_set_size(node->links, 0);
    if (node->parent == NULL) {
        return;
    }
    above = qom_node(node->parent);
    g_hash_table_remove(above->by_name, node->name);
    free_number(above, node->name);
    g_clear_pointer(&node->name, g_free);
    __atomic_store_n(&node->parent, NULL, __ATOMIC_RELEASE); /* the last use of node here */
    g_ptr_array_remove(above->children, child);              /* may be the last reference */
}

GObject *qom_parent(GObject *child)
{
    QomNode *node = qom_node(child);

    return node != NULL ? node->parent : NULL;
}

const char *qom_name(GObject *child)
{
    QomNode *node = qom_node(child);

    return node != NULL ? node->name : NULL;
}

char *qom_path(GObject *obj)
{
    g_autofree char *path = NULL;

    if (obj == qom_root()) {
        return g_strdup("/");
    }
    for (; obj != qom_root(); obj = qom_parent(obj)) {
        char *longer;

        if (obj == NULL || qom_name(obj) == NULL) {
            return NULL;
        }
        longer = g_strconcat("/", qom_name(obj), path, NULL);
        g_free(path);
        path = longer;
    }
    return g_steal_pointer(&path);
}

void qom_set_link(GObject *obj, const char *name, const char *type, GObject *target)
{
    QomNode *node = make_node(obj);
    QomLink link = { .target = target };

    for (unsigned i = 0; i < node->links->len; i++) {
        QomLink *old = &g_array_index(node->links, QomLink, i);

        if (strcmp(old->name, name) == 0) {
            old->target = target;
            return;
        }
    }
    link.name = g_strdup(name);
    link.type = g_strdup(type);
    g_array_append_val(node->links, link);
}

void qom_drop_link_to(GObject *obj, GObject *target)
{
    QomNode *node = qom_node(obj);

    for (unsigned i = 0; node != NULL && i < node->links->len; i++) {
        if (g_array_index(node->links, QomLink, i).target == target) {
            g_array_remove_index(node->links, i);
            return;
        }
    }
}

void qom_foreach_child(GObject *obj, QomChildFn fn, void *opaque)
{
    QomNode *node = qom_node(obj);

    for (unsigned i = 0; node != NULL && i < node->children->len; i++) {
        GObject *child = g_ptr_array_index(node->children, i);

        fn(qom_name(child), child, opaque);
    }
}

/* ---- paths ---- */

/* The child or link target of that name. */
static GObject *step(GObject *obj, const char *name)
{
    GObject *child = child_of(obj, name);
    QomNode *node = qom_node(obj);

    for (unsigned i = 0; child == NULL && node != NULL && i < node->links->len; i++) {
        const QomLink *link = &g_array_index(node->links, QomLink, i);

        if (strcmp(link->name, name) == 0) {
            return link->target;
        }
    }
    return child;
}

static GObject *walk(GObject *from, char **names)
{
    for (; *names != NULL && from != NULL; names++) {
        if (**names != '\0') {
            from = step(from, *names);
        }
    }
    return from;
}

/* Looks for names below obj, wherever it starts; counts up to two finds. */
static void find_partial(GObject *obj, char **names, GObject **found, unsigned *n)
{
    QomNode *node = qom_node(obj);
    GObject *hit = walk(obj, names);

    if (hit != NULL && hit != *found) {
        *found = hit;
        (*n)++;
    }
    for (unsigned i = 0; node != NULL && i < node->children->len && *n < 2; i++) {
        find_partial(g_ptr_array_index(node->children, i), names, found, n);
    }
}

GObject *qom_resolve(const char *path, bool *ambiguous)
{
    g_auto(GStrv) names = g_strsplit(path, "/", -1);
    GObject *found = NULL;
    unsigned n = 0;
    bool unused;

    ambiguous = ambiguous != NULL ? ambiguous : &unused;
    *ambiguous = false;
    if (*path == '/') {
        return walk(qom_root(), names);
    }
    if (*path != '\0') {
        find_partial(qom_root(), names, &found, &n);
    }
    *ambiguous = n > 1;
    return n == 1 ? found : NULL;
}
