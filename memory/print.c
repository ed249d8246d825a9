/* SPDX-License-Identifier: GPL-2.0-or-later
 * The tree and the flat views as text, in the layout of QEMU's `info mtree` and `info mtree -f`.
 */
#include "memory-priv.h"

static const char *kind_name(const MemoryRegion *mr)
{
    switch (mr->kind) {
    case REGION_RAM:
        return mr->readonly ? "rom" : "ram";
    case REGION_ROM_DEVICE:
        return mr->romd ? "romd" : "i/o";
    case REGION_ALIAS:
        return kind_name(mr->alias);
    default:
        return "i/o";
    }
}

static void print_extent(GString *out, hwaddr first, uint64_t last)
{
    g_string_append_printf(out, "%016" G_GINT64_MODIFIER "x-%016" G_GINT64_MODIFIER "x", first,
                           last);
}

static void print_region(GString *out, MemoryRegion *mr, hwaddr base, unsigned level,
                         GPtrArray *aliased)
{
    hwaddr first = base + mr->addr;
    uint64_t last = mr->size == 0 ? 0 : region_last(mr);

    g_string_append_printf(out, "%*s", 2 + 2 * level, "");
    print_extent(out, first, first + last < first ? UINT64_MAX : first + last);
    g_string_append_printf(out, " (prio %d, %s): ", mr->priority, kind_name(mr));
    if (mr->alias != NULL) {
        g_string_append_printf(out, "alias %s @%s ", mr->name, mr->alias->name);
        print_extent(out, mr->alias_offset, mr->alias_offset + last);
        if (!g_ptr_array_find(aliased, mr->alias, NULL)) {
            g_ptr_array_add(aliased, mr->alias);
        }
    } else {
        g_string_append(out, mr->name);
    }
    g_string_append(out, mr->enabled ? "\n" : " [disabled]\n");

    children_tidy(mr);
    for (uint32_t i = mr->children != NULL ? mr->children->n : 0; i-- > 0;) {
        print_region(out, mr->children->v[i].mr, first, level + 1, aliased);
    }
}

/* A root need not lie at 0 of a container that also holds it. */
static void print_root(GString *out, MemoryRegion *root, GPtrArray *aliased)
{
    print_region(out, root, -root->addr, 0, aliased);
}

static void print_trees(GString *out)
{
    g_autoptr(GPtrArray) printed = g_ptr_array_new();
    g_autoptr(GPtrArray) aliased = g_ptr_array_new();

    for (guint i = 0; i < memory_spaces->len; i++) {
        AddressSpace *as = memory_spaces->pdata[i];

        if (g_ptr_array_find(printed, as->root, NULL)) {
            continue;
        }
        g_ptr_array_add(printed, as->root);
        for (guint k = i; k < memory_spaces->len; k++) {
            const AddressSpace *other = memory_spaces->pdata[k];

            if (other->root == as->root) {
                g_string_append_printf(out, "address-space: %s\n", other->name);
            }
        }
        print_root(out, as->root, aliased);
        g_string_append_c(out, '\n');
    }
    for (guint i = 0; i < aliased->len; i++) { /* grows while it is walked */
        MemoryRegion *mr = aliased->pdata[i];

        g_string_append_printf(out, "memory-region: %s\n", mr->name);
        print_root(out, mr, aliased);
        g_string_append_c(out, '\n');
    }
}

static const char *range_kind(const FlatRange *range)
{
    if (range->mr->kind == REGION_RAM) {
        return range->flags & FLAT_READONLY ? "rom" : "ram";
    }
    return kind_name(range->mr);
}

static void print_views(GString *out)
{
    for (guint i = 0; i < memory_spaces->len; i++) {
        AddressSpace *as = memory_spaces->pdata[i];
        const FlatView *view = as->view;

        g_string_append_printf(out, "FlatView #%u\n AS \"%s\", root: %s\n Root memory region: %s\n",
                               i, as->name, as->root->name, as->root->name);
        if (view->n == 0) {
            g_string_append(out, "  No rendered FlatView\n");
        }
        for (size_t r = 0; r < view->n; r++) {
            const FlatRange *range = &view->ranges[r];

            g_string_append(out, "  ");
            print_extent(out, range->first, range->last);
            g_string_append_printf(out, " (prio %d, %s): %s", range->mr->priority,
                                   range_kind(range), range->mr->name);
            if (range->offset != 0) {
                g_string_append_printf(out, " @%016" G_GINT64_MODIFIER "x", range->offset);
            }
            g_string_append_c(out, '\n');
        }
        g_string_append_c(out, '\n');
    }
}

void memory_print_tree(GString *out, bool flat)
{
    topology_lock();
    if (flat) {
        print_views(out);
    } else {
        print_trees(out);
    }
    topology_unlock();
}
