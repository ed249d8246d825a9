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

static void test_later_sibling_hides_earlier(Tree *t, gconstpointer data)
{
    memory_region_add_subregion(&t->root, 0x000, &t->r[1]);
    memory_region_add_subregion(&t->root, 0x080, &t->r[2]);
    g_assert_cmpuint(who(t->as, 0x07f), ==, 1);
    g_assert_cmpuint(who(t->as, 0x080), ==, 2);
}

static void test_priority_is_per_container(Tree *t, gconstpointer data)
{
    /* 1 has a high priority, but only inside of box, which has a low one. */
    memory_region_add_subregion_overlap(&t->root, 0, &t->box, 1);
    memory_region_add_subregion_overlap(&t->box, 0, &t->r[1], 1000);
    memory_region_add_subregion_overlap(&t->root, 0x80, &t->r[2], 2);
    g_assert_cmpuint(who(t->as, 0x7f), ==, 1);
    g_assert_cmpuint(who(t->as, 0x80), ==, 2);
}

static void test_negative_priority_is_background(Tree *t, gconstpointer data)
{
    memory_region_add_subregion_overlap(&t->root, 0x80, &t->r[2], -1);
    memory_region_add_subregion_overlap(&t->root, 0x00, &t->r[1], 0);
    memory_region_add_subregion_overlap(&t->root, 0x40, &t->r[3], -2);
    g_assert_cmpuint(who(t->as, 0xff), ==, 1);
    g_assert_cmpuint(who(t->as, 0x100), ==, 2);
}

static void test_hole_in_container_shows_lower(Tree *t, gconstpointer data)
{
    memory_region_add_subregion_overlap(&t->root, 0, &t->r[1], 0);
    memory_region_add_subregion_overlap(&t->root, 0, &t->box, 1);
    memory_region_add_subregion(&t->box, 0x80, &t->r[2]);
    g_assert_cmpuint(who(t->as, 0x00), ==, 1);
    g_assert_cmpuint(who(t->as, 0x80), ==, 2);
}

static void test_io_region_is_background_of_its_children(Tree *t, gconstpointer data)
{
    memory_region_add_subregion_overlap(&t->root, 0, &t->r[1], 1);
    memory_region_add_subregion_overlap(&t->root, 0, &t->r[3], 0);
    memory_region_add_subregion_overlap(&t->r[1], 0x80, &t->r[2], -5);
    g_assert_cmpuint(who(t->as, 0x7f), ==, 1); /* not 3: no hole in an I/O region */
    g_assert_cmpuint(who(t->as, 0x80), ==, 2);
    g_assert_cmpuint(who(t->as, 0x100), ==, 0); /* 2 is clipped by its container */
}

static void test_container_clips(Tree *t, gconstpointer data)
{
    memory_region_set_size(&t->box, 0x80);
    memory_region_add_subregion(&t->box, 0x40, &t->r[1]);
    memory_region_add_subregion(&t->root, 0x1000, &t->box);
    g_assert_cmpuint(who(t->as, 0x103f), ==, 0);
    g_assert_cmpuint(who(t->as, 0x1040), ==, 1);
    g_assert_cmpuint(who(t->as, 0x107f), ==, 1);
    g_assert_cmpuint(who(t->as, 0x1080), ==, 0);
}

static void test_alias_shows_a_window(Tree *t, gconstpointer data)
{
    memory_region_add_subregion(&t->box, 0x100, &t->r[1]);
    memory_region_add_subregion(&t->box, 0x200, &t->r[2]);
    memory_region_init_alias(&t->alias, NULL, "alias", &t->box, 0x180, 0x100);
    memory_region_add_subregion(&t->root, 0x8000, &t->alias);
    g_assert_cmpuint(who(t->as, 0x8000), ==, 1);
    g_assert_cmpuint(who(t->as, 0x807f), ==, 1);
    g_assert_cmpuint(who(t->as, 0x8080), ==, 2);
    g_assert_cmpuint(who(t->as, 0x8100), ==, 0);
    memory_region_set_alias_offset(&t->alias, 0x200);
    g_assert_cmpuint(who(t->as, 0x8000), ==, 2);
}

static void test_alias_below_zero(Tree *t, gconstpointer data)
{
    /* The target's offset 0 would lie below address 0. */
    memory_region_add_subregion(&t->box, 0x800, &t->r[1]);
    memory_region_init_alias(&t->alias, NULL, "alias", &t->box, 0x800, 0x100);
    memory_region_add_subregion(&t->root, 0, &t->alias);
    g_assert_cmpuint(who(t->as, 0x00), ==, 1);
    g_assert_cmpuint(who(t->as, 0xff), ==, 1);
}

static void test_alias_of_alias(Tree *t, gconstpointer data)
{
    MemoryRegion second;

    memory_region_init_alias(&t->alias, NULL, "alias", &t->r[1], 0x40, 0x80);
    memory_region_init_alias(&second, NULL, "second", &t->alias, 0x20, 0x100);
    memory_region_add_subregion(&t->root, 0x1000, &second);
    g_assert_cmpuint(who(t->as, 0x1000), ==, 1);
    g_assert_cmpuint(who(t->as, 0x105f), ==, 1);
    g_assert_cmpuint(who(t->as, 0x1060), ==, 0); /* the first alias ends here */
    memory_region_set_enabled(&t->alias, false);
    g_assert_cmpuint(who(t->as, 0x1000), ==, 0);
    memory_region_del_subregion(&t->root, &second);
    memory_region_destroy(&second);
}

static void test_change_is_seen_through_alias(Tree *t, gconstpointer data)
{
    memory_region_init_alias(&t->alias, NULL, "alias", &t->box, 0, 0x1000);
    memory_region_add_subregion(&t->root, 0x4000, &t->alias);
    g_assert_cmpuint(who(t->as, 0x4100), ==, 0);
    memory_region_add_subregion(&t->box, 0x100, &t->r[1]); /* box itself is nowhere in root */
    g_assert_cmpuint(who(t->as, 0x4100), ==, 1);
    memory_region_set_address(&t->r[1], 0x300);
    g_assert_cmpuint(who(t->as, 0x4100), ==, 0);
    g_assert_cmpuint(who(t->as, 0x4300), ==, 1);
}

static void test_disabled_is_not_seen(Tree *t, gconstpointer data)
{
    memory_region_add_subregion_overlap(&t->root, 0, &t->r[1], 0);
    memory_region_add_subregion_overlap(&t->root, 0, &t->r[2], 1);
    memory_region_set_enabled(&t->r[2], false);
    g_assert_cmpuint(who(t->as, 0), ==, 1);
    memory_region_set_enabled(&t->r[2], true);
    g_assert_cmpuint(who(t->as, 0), ==, 2);
}

static void test_disabled_container_hides_children(Tree *t, gconstpointer data)
{
    memory_region_add_subregion(&t->root, 0, &t->box);
    memory_region_set_enabled(&t->box, false);
    memory_region_add_subregion(&t->box, 0, &t->r[1]);
    g_assert_cmpuint(who(t->as, 0), ==, 0);
    memory_region_set_enabled(&t->box, true);
    g_assert_cmpuint(who(t->as, 0), ==, 1);
}

static void test_size_zero_is_nothing(Tree *t, gconstpointer data)
{
    memory_region_add_subregion(&t->root, 0, &t->r[1]);
    memory_region_set_size(&t->r[1], 0);
    g_assert_cmpuint(who(t->as, 0), ==, 0);
    memory_region_set_size(&t->r[1], 0x100);
    g_assert_cmpuint(who(t->as, 0), ==, 1);
}

static void test_region_of_2_to_64(Tree *t, gconstpointer data)
{
    MemoryRegion all;

    init_id(&all, 9, UINT64_MAX);
    memory_region_add_subregion_overlap(&t->root, 0, &all, -1);
    memory_region_add_subregion(&t->root, UINT64_MAX - 0xff, &t->r[1]);
    g_assert_cmpuint(who(t->as, 0), ==, 9);
    g_assert_cmpuint(who(t->as, UINT64_MAX - 0x100), ==, 9);
    g_assert_cmpuint(who(t->as, UINT64_MAX), ==, 1);
    memory_region_set_enabled(&t->r[1], false);
    g_assert_cmpuint(who(t->as, UINT64_MAX), ==, 9);
    memory_region_del_subregion(&t->root, &all);
    memory_region_destroy(&all);
}

static void test_region_beyond_the_end_is_clipped(Tree *t, gconstpointer data)
{
    memory_region_add_subregion(&t->root, UINT64_MAX - 0x0f, &t->r[1]);
    g_assert_cmpuint(who(t->as, UINT64_MAX), ==, 1);
    g_assert_cmpuint(who(t->as, 0), ==, 0); /* does not wrap */
    g_assert_cmpuint(who(t->as, 0xef), ==, 0);
}

static void test_transaction_takes_effect_at_the_outermost_commit(Tree *t, gconstpointer data)
{
    memory_region_transaction_begin();
    memory_region_add_subregion(&t->root, 0, &t->r[1]);
    memory_region_transaction_begin();
    memory_region_add_subregion(&t->root, 0x100, &t->r[2]);
    memory_region_transaction_commit();
    g_assert_cmpuint(who(t->as, 0), ==, 0);
    g_assert_cmpuint(who(t->as, 0x100), ==, 0);
    memory_region_transaction_commit();
    g_assert_cmpuint(who(t->as, 0), ==, 1);
    g_assert_cmpuint(who(t->as, 0x100), ==, 2);
}

static void test_root_may_be_a_subregion_elsewhere(Tree *t, gconstpointer data)
{
    AddressSpace *inner;

    memory_region_add_subregion(&t->root, 0x10000, &t->box);
    memory_region_add_subregion(&t->box, 0x10, &t->r[1]);
    inner = address_space_new(&t->box, "inner");
    g_assert_cmpuint(who(t->as, 0x10010), ==, 1);
    g_assert_cmpuint(who(inner, 0x10), ==, 1);
    memory_region_set_address(&t->box, 0x20000);
    g_assert_cmpuint(who(inner, 0x10), ==, 1);
    g_assert_cmpuint(who(t->as, 0x20010), ==, 1);
    address_space_free(inner);
}

/* Fifty children with shuffled priorities at one place: removal uncovers them in order. */
static void test_removal_uncovers_by_priority(Tree *t, gconstpointer data)
{
    enum { N = 50 };
    MemoryRegion r[N];

    for (unsigned i = 0; i < N; i++) {
        init_id(&r[i], 100 + i, 0x10);
    }
    memory_region_transaction_begin();
    for (unsigned i = 0; i < N; i++) {
        unsigned k = i * 17 % N;

        memory_region_add_subregion_overlap(&t->root, 0, &r[k], k);
    }
    memory_region_transaction_commit();
    for (unsigned i = N; i-- > 0;) {
        g_assert_cmpuint(who(t->as, 0), ==, 100 + i);
        memory_region_del_subregion(&t->root, &r[i]);
        memory_region_destroy(&r[i]);
    }
    g_assert_cmpuint(who(t->as, 0), ==, 0);
}

static void test_parts_of_one_ram_with_and_without_readonly(Tree *t, gconstpointer data)
{
    MemoryRegionSection s;
    MemoryRegion ram;

    g_assert_true(memory_region_init_ram(&ram, NULL, "ram", 0x2000, NULL));
    memory_region_add_subregion(&t->root, 0, &ram);
    memory_region_init_alias(&t->alias, NULL, "alias", &ram, 0x1000, 0x1000);
    memory_region_set_readonly(&t->alias, true);
    memory_region_add_subregion_overlap(&t->root, 0x1000, &t->alias, 1);
    g_assert_true(memory_region_find(t->as, 0x0fff, &s));
    g_assert_false(s.readonly);
    g_assert_cmphex(s.size, ==, 0x1000);
    g_assert_true(memory_region_find(t->as, 0x1000, &s));
    g_assert_true(s.readonly);
    g_assert_cmphex(s.offset_within_region, ==, 0x1000);
    g_assert_cmpuint(address_space_st(t->as, 0x1ffe, 1, 1), ==, MEMTX_ACCESS_ERROR);
    memory_region_set_readonly(&t->alias, false); /* one range again */
    g_assert_true(memory_region_find(t->as, 0x1000, &s));
    g_assert_cmphex(s.size, ==, 0x2000);
    memory_region_del_subregion(&t->root, &t->alias);
    memory_region_destroy(&t->alias);
    memory_region_del_subregion(&t->root, &ram);
    memory_region_destroy(&ram);
}

/* ---- printing ---- */

static void test_print_tree(Tree *t, gconstpointer data)
{
    g_autoptr(GString) out = g_string_new(NULL);
    MemoryRegion ram;

    g_assert_true(memory_region_init_ram(&ram, NULL, "ram", 0x2000, NULL));
    memory_region_add_subregion(&t->root, 0x40000000, &ram);
    memory_region_add_subregion_overlap(&t->root, 0x1000, &t->box, 3);
    memory_region_add_subregion(&t->box, 0x100, &t->r[1]);
    memory_region_set_enabled(&t->r[1], false);
    memory_region_init_alias(&t->alias, NULL, "low", &ram, 0x1000, 0x800);
    memory_region_add_subregion_overlap(&t->root, 0, &t->alias, -1);
    memory_print_tree(out, false);
    g_assert_cmpstr(out->str, ==,
                    "address-space: test\n"
                    "  0000000000000000-ffffffffffffffff (prio 0, i/o): root\n"
                    "    0000000000001000-0000000000001fff (prio 3, i/o): box\n"
                    "      0000000000001100-00000000000011ff (prio 0, i/o): r1 [disabled]\n"
                    "    0000000040000000-0000000040001fff (prio 0, ram): ram\n"
                    "    0000000000000000-00000000000007ff (prio -1, ram): alias low @ram "
                    "0000000000001000-00000000000017ff\n"
                    "\n"
                    "memory-region: ram\n"
                    "  0000000000000000-0000000000001fff (prio 0, ram): ram\n"
                    "\n");
    memory_region_del_subregion(&t->root, &t->alias);
    memory_region_destroy(&t->alias);
    memory_region_del_subregion(&t->root, &ram);
    memory_region_destroy(&ram);
}

static void test_print_flat(Tree *t, gconstpointer data)
{
    g_autoptr(GString) out = g_string_new(NULL);
    MemoryRegion ram;

    g_assert_true(memory_region_init_rom(&ram, NULL, "bios", 0x2000, NULL));
    memory_region_add_subregion(&t->root, 0x4000, &ram);
    memory_region_add_subregion_overlap(&t->root, 0x5000, &t->r[1], 1);
    memory_print_tree(out, true);
    g_assert_cmpstr(out->str, ==,
                    "FlatView #0\n"
                    " AS \"test\", root: root\n"
                    " Root memory region: root\n"
                    "  0000000000004000-0000000000004fff (prio 0, rom): bios\n"
                    "  0000000000005000-00000000000050ff (prio 1, i/o): r1\n"
                    "  0000000000005100-0000000000005fff (prio 0, rom): bios @0000000000001100\n"
                    "\n");
    memory_region_del_subregion(&t->root, &ram);
    memory_region_destroy(&ram);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, fn) g_test_add("/mem/view/" name, Tree, NULL, tree_setup, fn, tree_teardown)
    ADD("higher-priority-hides-lower", test_higher_priority_hides_lower);
    ADD("later-sibling-hides-earlier-at-equal-priority", test_later_sibling_hides_earlier);
    ADD("priority-is-per-container", test_priority_is_per_container);
    ADD("negative-priority-is-background", test_negative_priority_is_background);
    ADD("hole-in-container-shows-lower", test_hole_in_container_shows_lower);
    ADD("io-region-is-background-of-its-children", test_io_region_is_background_of_its_children);
    ADD("container-clips-children", test_container_clips);
    ADD("alias-shows-a-window", test_alias_shows_a_window);
    ADD("alias-reaches-below-zero", test_alias_below_zero);
    ADD("alias-of-alias-is-clipped-by-both", test_alias_of_alias);
    ADD("change-is-seen-through-alias", test_change_is_seen_through_alias);
    ADD("disabled-is-not-seen", test_disabled_is_not_seen);
    ADD("disabled-container-hides-children", test_disabled_container_hides_children);
    ADD("size-zero-is-nothing", test_size_zero_is_nothing);
    ADD("region-of-2-to-64-covers-the-last-byte", test_region_of_2_to_64);
    ADD("region-beyond-the-end-is-clipped", test_region_beyond_the_end_is_clipped);
    ADD("transaction-takes-effect-at-the-outermost-commit",
        test_transaction_takes_effect_at_the_outermost_commit);
    ADD("root-may-be-a-subregion-elsewhere", test_root_may_be_a_subregion_elsewhere);
    ADD("removal-uncovers-by-priority", test_removal_uncovers_by_priority);
    ADD("ram-joins-only-where-readonly-agrees", test_parts_of_one_ram_with_and_without_readonly);
    ADD("print-tree-as-info-mtree", test_print_tree);
    ADD("print-flat-as-info-mtree-f", test_print_flat);
    return g_test_run();
}
