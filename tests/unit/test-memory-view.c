/* SPDX-License-Identifier: GPL-2.0-or-later
 * Which region answers where: overlap, priority, alias, enable, holes, edges of the address space.
 * The rules are QEMU's docs/devel/memory ("Overlapping regions and priority", "Visibility").
 */
#include "memory/memory.h"

#include <string.h>

/* A region that answers every read with its own number. */
static uint64_t id_read(void *opaque, hwaddr offset, unsigned size)
{
    return GPOINTER_TO_UINT(opaque);
}

static void id_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
}

static const MemoryRegionOps id_ops = {
    .read = id_read,
    .write = id_write,
    .valid = { 1, 8, true },
    .impl = { 1, 8, true },
};

static void init_id(MemoryRegion *mr, unsigned id, uint64_t size)
{
    g_autofree char *name = g_strdup_printf("r%u", id);

    memory_region_init_io(mr, NULL, &id_ops, GUINT_TO_POINTER(id), name, size);
}

/* 0: nothing there. */
static unsigned who(AddressSpace *as, hwaddr addr)
{
    uint64_t value;
    MemTxResult r = address_space_ld(as, addr, 1, &value);

    if (r == MEMTX_DECODE_ERROR) {
        g_assert_cmphex(value, ==, 0xff);
        return 0;
    }
    g_assert_cmpuint(r, ==, MEMTX_OK);
    return value;
}

/* A root container of 2^64 bytes, its address space and four regions of 0x100 bytes. */
typedef struct {
    MemoryRegion root, box, alias, r[5];
    AddressSpace *as;
} Tree;

static void tree_setup(Tree *t, gconstpointer data)
{
    memory_region_init(&t->root, NULL, "root", UINT64_MAX);
    memory_region_init(&t->box, NULL, "box", 0x1000);
    for (unsigned i = 1; i < G_N_ELEMENTS(t->r); i++) {
        init_id(&t->r[i], i, 0x100);
    }
    t->as = address_space_new(&t->root, "test");
}

static void tree_teardown(Tree *t, gconstpointer data)
{
    MemoryRegion *all[] = { &t->alias, &t->box, &t->r[1], &t->r[2], &t->r[3], &t->r[4] };

    for (unsigned i = 0; i < G_N_ELEMENTS(all); i++) {
        if (all[i]->container != NULL) {
            memory_region_del_subregion(all[i]->container, all[i]);
        }
    }
    address_space_free(t->as);
    for (unsigned i = 0; i < G_N_ELEMENTS(all); i++) {
        memory_region_destroy(all[i]);
    }
    memory_region_destroy(&t->root);
}

static void test_higher_priority_hides_lower(Tree *t, gconstpointer data)
{
    memory_region_add_subregion_overlap(&t->root, 0x080, &t->r[2], 5);
    memory_region_add_subregion_overlap(&t->root, 0x000, &t->r[1], 1);
    g_assert_cmpuint(who(t->as, 0x07f), ==, 1);
    g_assert_cmpuint(who(t->as, 0x080), ==, 2);
    g_assert_cmpuint(who(t->as, 0x0ff), ==, 2);
    g_assert_cmpuint(who(t->as, 0x17f), ==, 2);
    g_assert_cmpuint(who(t->as, 0x180), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, fn) g_test_add("/mem/view/" name, Tree, NULL, tree_setup, fn, tree_teardown)
    ADD("higher-priority-hides-lower", test_higher_priority_hides_lower);
    return g_test_run();
}
