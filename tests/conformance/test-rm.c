/* SPDX-License-Identifier: GPL-2.0-or-later
 * The resource manager's part of START: what it demands of the device tree, where it places
 * parcels, what it adds (facts 2.1, 2.2).
 */
#include <libfdt.h>
#include <string.h>

#include "gunyah.h"

static int start_with(Vm *vm, const DtSpec *spec)
{
    prepare(vm, spec, false);
    return vm_call(vm, GH_VM_START, NULL);
}

static void edit_or_die(int ret)
{
    g_assert_cmpint(ret, >=, 0);
}

/* ---- refusals ---- */

static void no_config(void *fdt)
{
    edit_or_die(fdt_del_node(fdt, fdt_path_offset(fdt, "/gunyah-vm-config")));
}

static void other_config_name(void *fdt)
{
    edit_or_die(fdt_set_name(fdt, fdt_path_offset(fdt, "/gunyah-vm-config"), "qcom,vm-config"));
}

static void no_image_name(void *fdt)
{
    edit_or_die(fdt_delprop(fdt, fdt_path_offset(fdt, "/gunyah-vm-config"), "image-name"));
}

static void no_base(void *fdt)
{
    edit_or_die(fdt_delprop(fdt, fdt_path_offset(fdt, "/gunyah-vm-config/memory"), "base-address"));
}

static void odd_base(void *fdt)
{
    edit_or_die(fdt_setprop_u64(fdt, fdt_path_offset(fdt, "/gunyah-vm-config/memory"),
                                "base-address", RAM_GPA + 512));
}

static void small_size_max(void *fdt)
{
    edit_or_die(fdt_setprop_u64(fdt, fdt_path_offset(fdt, "/gunyah-vm-config/memory"), "size-max",
                                RAM_SIZE / 2));
}

static void wrapping_size_max(void *fdt)
{
    edit_or_die(fdt_setprop_u64(fdt, fdt_path_offset(fdt, "/gunyah-vm-config/memory"), "size-max",
                                0xfffffffffffff000));
}

static void own_hypervisor(void *fdt)
{
    edit_or_die(fdt_add_subnode(fdt, 0, "hypervisor"));
}

static void second_memory(void *fdt)
{
    int node = fdt_add_subnode(fdt, 0, "memory@90000000");

    edit_or_die(node);
    edit_or_die(fdt_setprop_string(fdt, node, "device_type", "memory"));
}

static void crash_fatal(void *fdt)
{
    edit_or_die(fdt_setprop_string(fdt, fdt_path_offset(fdt, "/gunyah-vm-config"), "vm-attrs",
                                   "crash-fatal"));
}

static void no_psci(void *fdt)
{
    edit_or_die(fdt_del_node(fdt, fdt_path_offset(fdt, "/psci")));
}

static void wrong_gic(void *fdt)
{
    edit_or_die(fdt_setprop_string(fdt, fdt_path_offset(fdt, "/intc@8000000"), "compatible",
                                   "arm,gic-400"));
}

static void short_gicr(void *fdt)
{
    const fdt64_t reg[4] = { cpu_to_fdt64(0x8000000), cpu_to_fdt64(0x10000),
                             cpu_to_fdt64(0x80a0000), cpu_to_fdt64(0x20000) };

    edit_or_die(fdt_setprop(fdt, fdt_path_offset(fdt, "/intc@8000000"), "reg", reg, sizeof(reg)));
}

static void two_redistributor_regions(void *fdt)
{
    edit_or_die(
        fdt_setprop_u32(fdt, fdt_path_offset(fdt, "/intc@8000000"), "#redistributor-regions", 2));
}

static void bell_without_label(void *fdt)
{
    edit_or_die(
        fdt_delprop(fdt, fdt_path_offset(fdt, "/gunyah-vm-config/vdevices/bell-4"), "label"));
}

static void bell_interrupt_too_big(void *fdt)
{
    const fdt32_t interrupts[3] = { 0, cpu_to_fdt32(5000), cpu_to_fdt32(1) };

    edit_or_die(fdt_setprop(fdt, fdt_path_offset(fdt, "/gunyah-vm-config/vdevices/bell-4"),
                            "interrupts", interrupts, sizeof(interrupts)));
}

static void bell_path_elsewhere(void *fdt)
{
    edit_or_die(fdt_setprop_string(fdt, fdt_path_offset(fdt, "/gunyah-vm-config/vdevices/bell-4"),
                                   "generate", "/soc/bell"));
}

static void same_interrupt(void *fdt)
{
    const fdt32_t interrupts[3] = { 0, cpu_to_fdt32(4), cpu_to_fdt32(1) };

    edit_or_die(fdt_setprop(fdt, fdt_path_offset(fdt, "/gunyah-vm-config/vdevices/bell-5"),
                            "interrupts", interrupts, sizeof(interrupts)));
}

static void test_refusals(void)
{
    static const struct {
        const char *why; /* in dmesg */
        void (*edit)(void *fdt);
        int err;
        unsigned n_cpus;
    } rows[] = {
        { "no /gunyah-vm-config", no_config, EINVAL, 1 },
        { "image-name", no_image_name, EINVAL, 1 },
        { "base-address", no_base, EINVAL, 1 },
        { "page aligned", odd_base, EINVAL, 1 },
        { "initialize VM", small_size_max, EINVAL, 1 },
        { "wraps", wrapping_size_max, EINVAL, 1 },
        { "/hypervisor", own_hypervisor, EPERM, 1 },
        { "device_type", second_memory, EPERM, 1 },
        { "crash-fatal", crash_fatal, EPERM, 1 },
        { "psci", no_psci, EINVAL, 2 },
        { "gic-v3", wrong_gic, EINVAL, 1 },
        { "128 KiB", short_gicr, EINVAL, 2 },
        { "redistributor region", two_redistributor_regions, EINVAL, 1 },
        { "needs a label", bell_without_label, EINVAL, 1 },
        { "interrupts", bell_interrupt_too_big, EINVAL, 1 },
        { "generate", bell_path_elsewhere, EINVAL, 1 },
        { "same interrupt", same_interrupt, ENODEV, 1 },
    };

    if (model_only()) {
        return;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        const DtSpec spec = {
            .n_cpus = rows[i].n_cpus, .bells = { 4, 5 }, .n_bells = 2, .edit = rows[i].edit
        };
        g_autoptr(Vm) vm = vm_new(NULL);

        g_test_message("%s", rows[i].why);
        assert_errno(start_with(vm, &spec), rows[i].err);
        assert_dmesg_has(rows[i].why);
    }
}

/* One CPU needs no PSCI; one redistributor needs 128 KiB; the node has two names. */
static void test_accepted(void)
{
    static void (*const edits[])(void *fdt) = { no_psci, short_gicr, other_config_name };

    if (model_only()) {
        return;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(edits); i++) {
        const DtSpec spec = { .n_cpus = 1, .edit = edits[i] };
        g_autoptr(Vm) vm = vm_new(NULL);

        assert_ok(start_with(vm, &spec));
    }
}

static void test_malformed(void)
{
    const DtSpec spec = { .n_cpus = 1 };

    if (model_only()) {
        return;
    }
    for (unsigned i = 0; i < 64; i += 4) { /* each word of the header, and the first of the body */
        g_autoptr(Vm) vm = vm_new(NULL);
        uint8_t *dtb = (uint8_t *)vm->ram + (DTB_GPA - RAM_GPA);

        prepare(vm, &spec, false);
        memset(dtb + i, 0xff, 4);
        g_test_message("offset %u", i);
        if (vm_call(vm, GH_VM_START, NULL) < 0) {
            g_assert_true(errno == EINVAL || errno == ENOMEM);
        }
    }
}

/* Damage anywhere: an errno or a VM, and nothing else. */
static void test_damaged(void)
{
    const DtSpec spec = {
        .n_cpus = 2, .bells = { 4, 5 }, .n_bells = 2, .shms = { { 9, RAM_GPA } }, .n_shms = 1
    };

    if (model_only()) {
        return;
    }
    for (unsigned i = 0; i < 400; i++) {
        g_autoptr(Vm) vm = vm_new(NULL);
        uint8_t *dtb = (uint8_t *)vm->ram + (DTB_GPA - RAM_GPA);
        uint32_t size = write_dtb(dtb, &spec);

        prepare(vm, &spec, false);
        for (int n = g_test_rand_int_range(1, 4); n > 0; n--) {
            dtb[g_test_rand_int_range(0, (gint32)size)] = (uint8_t)g_test_rand_int();
        }
        if (vm_call(vm, GH_VM_START, NULL) < 0) {
            g_assert_true(errno == EINVAL || errno == EPERM || errno == ENODEV || errno == ENOMEM);
        }
    }
}

static void test_dtb_room(void)
{
    const DtSpec spec = { .n_cpus = 1 };
    g_autoptr(Vm) vm = NULL;
    uint32_t size;

    if (model_only()) {
        return;
    }
    vm = vm_new(NULL);
    size = write_dtb((uint8_t *)vm->ram + (DTB_GPA - RAM_GPA), &spec);
    assert_ok(add_region(vm, 0, RAM_GPA, RAM_SIZE, vm->ram, false));
    assert_ok(set_dtb(vm, DTB_GPA, size)); /* exactly: nothing fits behind it */
    assert_errno(vm_call(vm, GH_VM_START, NULL), ENOMEM);
    assert_dmesg_has("room");
}

static void big_property(void *fdt)
{
    static const char fill[15 * 1024];

    edit_or_die(fdt_setprop(fdt, 0, "fill", fill, sizeof(fill)));
}

/* Beyond 16 KiB twice the size is wanted. */
static void test_dtb_room_doubles(void)
{
    const DtSpec spec = {
        .n_cpus = 1, .bells = { 1, 2, 3, 4 }, .n_bells = 4, .edit = big_property
    };

    if (model_only()) {
        return;
    }
    for (int i = 0; i < 2; i++) {
        g_autoptr(Vm) vm = vm_new(NULL);
        uint8_t *dtb = (uint8_t *)vm->ram + (DTB_GPA - RAM_GPA);
        uint32_t size = write_dtb(dtb, &spec);

        g_assert_cmpuint(size, >, 16 * 1024);
        assert_ok(add_region(vm, 0, RAM_GPA, RAM_SIZE, vm->ram, false));
        assert_ok(set_dtb(vm, DTB_GPA, i ? 3 * size : size + 4096));
        g_assert_cmpint(vm_call(vm, GH_VM_START, NULL), ==, i ? 0 : -1);
    }
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
    assert_ok(start_with(vm, &spec));
    assert_guest_saw("map 0x80200000+0x400000 rwx"); /* and no longer where it was said */
    assert_guest_saw("boot 0 pc=0x80200000 x0=0x80300000");
    assert_dmesg_has("not at the");
}

static void test_below_1_gib(void)
{
    const DtSpec spec = { .n_cpus = 1, .base = 0x20000000 };
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new(NULL);
    assert_errno(start_with(vm, &spec), EINVAL);
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
    assert_ok(start_with(vm, &spec));
    assert_guest_saw("map 0x80400000+0x2000 rwx");
    assert_guest_saw("map 0x80402000+0x1000 rwx");
    g_clear_pointer(&vm, vm_free);
    munmap(a, 4096);
    munmap(b, 8192);
}

static void test_shm_places(void)
{
    const DtSpec spec = { .n_cpus = 1, .shms = { { 9, 0xa0000000 } }, .n_shms = 1 };
    g_autoptr(Vm) vm = NULL;
    uint8_t *extra;

    if (model_only()) {
        return;
    }
    vm = vm_new(NULL);
    extra = map_shared(4096);
    assert_ok(add_region(vm, 9, 0xa0000000, 4096, extra, false));
    assert_ok(start_with(vm, &spec));
    assert_guest_saw("map 0xa0000000+0x1000 rwx");
    g_clear_pointer(&vm, vm_free);
    munmap(extra, 4096);
}

static void test_shm_on_image(void)
{
    const DtSpec spec = { .n_cpus = 1, .shms = { { 9, RAM_GPA + 4096 } }, .n_shms = 1 };
    g_autoptr(Vm) vm = NULL;
    uint8_t *extra;

    if (model_only()) {
        return;
    }
    vm = vm_new(NULL);
    extra = map_shared(4096);
    assert_ok(add_region(vm, 9, 0xa0000000, 4096, extra, false));
    assert_errno(start_with(vm, &spec), EPERM);
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
    assert_ok(start_with(vm, &spec));
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
    assert_ok(start_with(vm, &spec));
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
    assert_ok(start_with(vm, &spec));
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
            assert_errno(start_with(vm, &spec), rows[i].err);
        } else {
            assert_ok(start_with(vm, &spec));
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

void add_rm_tests(void)
{
    g_test_add_func("/android14/rm/refusals", test_refusals);
    g_test_add_func("/android14/rm/accepted-variants", test_accepted);
    g_test_add_func("/android14/rm/malformed-tree-is-refused", test_malformed);
    g_test_add_func("/android14/rm/damaged-tree-is-an-errno-or-a-vm", test_damaged);
    g_test_add_func("/android14/rm/dtb-needs-room", test_dtb_room);
    g_test_add_func("/android14/rm/dtb-beyond-16k-needs-twice", test_dtb_room_doubles);
    g_test_add_func("/android14/rm/base-is-rounded-to-2-mib", test_base_rounds_up);
    g_test_add_func("/android14/rm/ram-below-1-gib-is-refused", test_below_1_gib);
    g_test_add_func("/android14/rm/lent-chunks-newest-first", test_lent_chunks_order);
    g_test_add_func("/android14/rm/shm-places-a-parcel", test_shm_places);
    g_test_add_func("/android14/rm/shm-on-the-image-is-denied", test_shm_on_image);
    g_test_add_func("/android14/rm/overlay", test_overlay);
    g_test_add_func("/android14/rm/memory-is-sorted-and-merged", test_memory_merged);
    g_test_add_func("/android14/rm/unplaced-share-is-reserved", test_auto_placed);
    g_test_add_func("/android14/rm/gic-reg-is-patched", test_gic_patched);
    g_test_add_func("/android14/rm/reserved-memory-must-be-a-parcel", test_reserved);
    g_test_add_func("/android14/rm/affinity-must-be-proxy", test_no_proxy);
}
