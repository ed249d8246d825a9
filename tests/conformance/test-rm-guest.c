/* SPDX-License-Identifier: GPL-2.0-or-later
 * The resource manager's part of START as the guest finds it: where parcels are placed, what is
 * added to the device tree, which vCPUs there are (facts 2.1, 2.2).
 */
#include <inttypes.h>
#include <libfdt.h>
#include <string.h>

#include "gunyah.h"

static void edit_or_die(int ret)
{
    g_assert_cmpint(ret, >=, 0);
}

/* ---- placement ---- */

static void test_base_rounds_up(void)
{
    const DtSpec spec = { .n_cpus = 1, .base = RAM_GPA + 4096 };
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new(NULL);
    assert_ok(prepare_and_start(vm, &spec));
    assert_guest_saw("map 0x80200000+0x400000 rwx"); /* and no longer where it was said */
    assert_guest_saw("boot 0 pc=0x80200000 x0=0x80300000");
    assert_dmesg_has("not at the");
}

/* Memory is to be had from base-address on, whatever that is: exits are for what is not mapped. */
static void test_below_1_gib(void)
{
    const DtSpec spec = { .n_cpus = 1, .base = 0x20000000 };
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new(NULL);
    assert_ok(prepare_and_start(vm, &spec));
    assert_guest_saw("map 0x20000000+0x400000 rwx");
}

/* Lent parcels follow the image in the order the driver tells them: newest first. */
static void test_lent_chunks_order(void)
{
    const DtSpec spec = { .n_cpus = 1 };
    g_autoptr(Vm) vm = NULL;
    uint8_t *a, *b;

    if (model_only()) {
        return;
    }
    vm = vm_new(NULL);
    a = map_shared(4096);
    b = map_shared(8192);
    assert_ok(add_region(vm, 1, RAM_GPA + RAM_SIZE, 4096, a, true));
    assert_ok(add_region(vm, 2, RAM_GPA + RAM_SIZE + 4096, 8192, b, true));
    assert_ok(prepare_and_start(vm, &spec));
    assert_guest_saw("map 0x80400000+0x2000 rwx");
    assert_guest_saw("map 0x80402000+0x1000 rwx");
    g_clear_pointer(&vm, vm_free);
    munmap(a, 4096);
    munmap(b, 8192);
}

typedef struct {
    const char *path;
    uint64_t gpa; /* where the tree wants the parcel */
    int err;      /* of START; 0: it is mapped there */
} ShmRow;

static const ShmRow shm_rows[] = {
    { "/android14/rm/below-base-address-is-denied", 0x10000000, EPERM },
    { "/android14/rm/shm-places-a-parcel", 0xa0000000, 0 },
    { "/android14/rm/shm-on-the-image-is-denied", RAM_GPA + 4096, EPERM },
};

static void test_shm(gconstpointer data)
{
    const ShmRow *row = data;
    const DtSpec spec = { .n_cpus = 1, .shms = { { 9, row->gpa } }, .n_shms = 1 };
    g_autoptr(Vm) vm = NULL;
    uint8_t *extra;

    if (model_only()) {
        return;
    }
    vm = vm_new(NULL);
    extra = map_shared(4096);
    assert_ok(add_region(vm, 9, 0xa0000000, 4096, extra, false));
    if (row->err != 0) {
        assert_errno(prepare_and_start(vm, &spec), row->err);
    } else {
        g_autofree char *seen = g_strdup_printf("map 0x%" PRIx64 "+0x1000 rwx", row->gpa);

        assert_ok(prepare_and_start(vm, &spec));
        assert_guest_saw(seen);
    }
    g_clear_pointer(&vm, vm_free);
    munmap(extra, 4096);
}

/* ---- what the guest finds ---- */

static const void *guest_tree(Vm *vm)
{
    const void *fdt = (uint8_t *)vm->ram + (DTB_GPA - RAM_GPA);

    g_assert_cmpint(fdt_check_full(fdt, DTB_ROOM), ==, 0);
    return fdt;
}

static void assert_numbers(const void *fdt, const char *path, const char *name, unsigned n, ...)
{
    int len, node = fdt_path_offset(fdt, path);
    const fdt64_t *cells = fdt_getprop(fdt, node, name, &len);
    va_list args;

    g_assert_cmpint(node, >=, 0);
    g_assert_cmpint(len, ==, (int)(n * 8));
    va_start(args, n);
    for (unsigned i = 0; i < n; i++) {
        uint64_t value;

        memcpy(&value, cells + i, 8);
        g_assert_cmphex(fdt64_to_cpu(value), ==, va_arg(args, uint64_t));
    }
    va_end(args);
}

static void test_overlay(void)
{
    const DtSpec spec = { .n_cpus = 1, .bells = { 4, 70 }, .n_bells = 2 };
    const fdt32_t interrupts[3] = { 0, cpu_to_fdt32(70), cpu_to_fdt32(1) };
    g_autoptr(Vm) vm = NULL;
    const void *fdt;
    int node, len;

    if (model_only()) {
        return;
    }
    vm = vm_new(NULL);
    assert_ok(prepare_and_start(vm, &spec));
    fdt = guest_tree(vm);
    node = fdt_path_offset(fdt, "/hypervisor");
    g_assert_cmpint(fdt_node_check_compatible(fdt, node, "qcom,gunyah-hypervisor-1.0"), ==, 0);
    g_assert_cmpint(fdt_node_check_compatible(fdt, node, "simple-bus"), ==, 0);
    node = fdt_path_offset(fdt, "/hypervisor/bell-70");
    g_assert_cmpint(fdt_node_check_compatible(fdt, node, "qcom,gunyah-doorbell"), ==, 0);
    g_assert_cmpmem(fdt_getprop(fdt, node, "interrupts", &len), 12, interrupts, 12);
    g_assert_nonnull(fdt_getprop(fdt, fdt_path_offset(fdt, "/chosen"), "kaslr-seed", &len));
    g_assert_cmpint(len, ==, 8);
    assert_numbers(fdt, "/memory", "reg", 2, RAM_GPA, RAM_SIZE);
}

/* Sorted, and touching ranges merged. */
static void test_memory_merged(void)
{
    const DtSpec spec = { .n_cpus = 1, .shms = { { 9, 0xa0000000 } }, .n_shms = 1 };
    g_autoptr(Vm) vm = NULL;
    uint8_t *a, *b;

    if (model_only()) {
        return;
    }
    vm = vm_new(NULL);
    a = map_shared(4096);
    b = map_shared(4096);
    prepare(vm, &spec, false);
    assert_ok(add_region(vm, 1, RAM_GPA + RAM_SIZE, 4096, a, true));
    assert_ok(add_region(vm, 9, 0xa0000000, 4096, b, false));
    assert_ok(vm_call(vm, GH_VM_START, NULL));
    assert_numbers(guest_tree(vm), "/memory", "reg", 4, RAM_GPA, RAM_SIZE + 4096,
                   (uint64_t)0xa0000000, (uint64_t)4096);
    g_clear_pointer(&vm, vm_free);
    munmap(a, 4096);
    munmap(b, 4096);
}

/* A shared parcel nobody placed gets an address and a no-map node. */
static void test_auto_placed(void)
{
    const DtSpec spec = { .n_cpus = 1 };
    g_autoptr(Vm) vm = NULL;
    const void *fdt;
    uint8_t *extra;
    int node;

    if (model_only()) {
        return;
    }
    vm = vm_new(NULL);
    extra = map_shared(4096);
    assert_ok(add_region(vm, 9, 0xa0000000, 4096, extra, false));
    assert_ok(prepare_and_start(vm, &spec));
    fdt = guest_tree(vm);
    node = fdt_first_subnode(fdt, fdt_path_offset(fdt, "/reserved-memory"));
    g_assert_true(g_str_has_prefix(fdt_get_name(fdt, node, NULL), "buffer@"));
    g_assert_nonnull(fdt_getprop(fdt, node, "no-map", NULL));
    g_clear_pointer(&vm, vm_free);
    munmap(extra, 4096);
}

static void gic_without_reg(void *fdt)
{
    edit_or_die(fdt_delprop(fdt, fdt_path_offset(fdt, "/intc@8000000"), "reg"));
}

static void test_gic_patched(void)
{
    const DtSpec spec = { .n_cpus = 2, .edit = gic_without_reg };
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new(NULL);
    assert_ok(prepare_and_start(vm, &spec));
    assert_numbers(guest_tree(vm), "/intc@8000000", "reg", 4, (uint64_t)0x3fff0000,
                   (uint64_t)0x10000, (uint64_t)0x3ffb0000, (uint64_t)0x40000);
}

/* ---- /reserved-memory of the caller ---- */

static int add_reserved(void *fdt, uint64_t base, uint64_t size)
{
    const fdt64_t reg[2] = { cpu_to_fdt64(base), cpu_to_fdt64(size) };
    int parent = fdt_add_subnode(fdt, 0, "reserved-memory");
    int node;

    edit_or_die(fdt_setprop_u32(fdt, parent, "#address-cells", 2));
    edit_or_die(fdt_setprop_u32(fdt, parent, "#size-cells", 2));
    edit_or_die(fdt_setprop(fdt, parent, "ranges", NULL, 0));
    node = fdt_add_subnode(fdt, parent, "pool");
    edit_or_die(node);
    if (size) {
        edit_or_die(fdt_setprop(fdt, node, "reg", reg, sizeof(reg)));
    } else {
        edit_or_die(fdt_setprop_u64(fdt, node, "size", 4096));
    }
    return node;
}

static void reserve_parcel(void *fdt)
{
    add_reserved(fdt, 0xa0000000, 4096);
}

static void reserve_part_of_image(void *fdt)
{
    add_reserved(fdt, RAM_GPA + 0x200000, 4096);
}

static void reserve_dynamic(void *fdt)
{
    add_reserved(fdt, 0, 0);
}

static void reserve_shared_reusable(void *fdt)
{
    int node = add_reserved(fdt, 0xa0000000, 4096);

    edit_or_die(fdt_setprop(fdt, node, "reusable", NULL, 0));
}

static void test_reserved(void)
{
    static const struct {
        void (*edit)(void *fdt);
        int err;
    } rows[] = { { reserve_parcel, 0 },
                 { reserve_part_of_image, EPERM },
                 { reserve_dynamic, 0 },
                 { reserve_shared_reusable, EPERM } };

    if (model_only()) {
        return;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        const DtSpec spec = {
            .n_cpus = 1, .shms = { { 9, 0xa0000000 } }, .n_shms = 1, .edit = rows[i].edit
        };
        g_autoptr(Vm) vm = vm_new(NULL);
        uint8_t *extra = map_shared(4096);

        assert_ok(add_region(vm, 9, 0xa0000000, 4096, extra, false));
        if (rows[i].err) {
            assert_errno(prepare_and_start(vm, &spec), rows[i].err);
        } else {
            assert_ok(prepare_and_start(vm, &spec));
        }
        g_clear_pointer(&vm, vm_free);
        munmap(extra, 4096);
    }
}

static void no_proxy(void *fdt)
{
    edit_or_die(fdt_del_node(fdt, fdt_path_offset(fdt, "/gunyah-vm-config/vcpus")));
}

static void test_no_proxy(void)
{
    const DtSpec spec = { .n_cpus = 1, .edit = no_proxy };
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new(NULL);
    start(vm, &spec, "off");
    assert_errno(run(vm, 0), ENODEV);
}

void add_rm_guest_tests(void)
{
    g_test_add_func("/android14/rm/base-is-rounded-to-2-mib", test_base_rounds_up);
    g_test_add_func("/android14/rm/base-address-may-be-below-1-gib", test_below_1_gib);
    g_test_add_func("/android14/rm/lent-chunks-newest-first", test_lent_chunks_order);
    for (unsigned i = 0; i < G_N_ELEMENTS(shm_rows); i++) {
        g_test_add_data_func(shm_rows[i].path, &shm_rows[i], test_shm);
    }
    add_for_all("rm/overlay", test_overlay);
    add_for_android("rm/memory-is-sorted-and-merged", test_memory_merged);
    g_test_add_func("/android14/rm/unplaced-share-is-reserved", test_auto_placed);
    add_for_all("rm/gic-reg-is-patched", test_gic_patched);
    g_test_add_func("/android14/rm/reserved-memory-must-be-a-parcel", test_reserved);
    add_for_all("rm/affinity-must-be-proxy", test_no_proxy);
}
