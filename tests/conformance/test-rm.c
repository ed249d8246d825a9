/* SPDX-License-Identifier: GPL-2.0-or-later
 * The resource manager's part of START: what it demands of the device tree (facts 2.2).
 */
#include <libfdt.h>
#include <string.h>

#include "gunyah.h"

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
        assert_errno(prepare_and_start(vm, &spec), rows[i].err);
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

        assert_ok(prepare_and_start(vm, &spec));
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
        assert_ok(set_dtb(vm, DTB_GPA, (i ? 3 * size : size + 4096) & ~4095U));
        g_assert_cmpint(vm_call(vm, GH_VM_START, NULL), ==, i ? 0 : -1);
    }
}

void add_rm_tests(void)
{
    g_test_add_func("/android14/rm/refusals", test_refusals);
    add_for_all("rm/accepted-variants", test_accepted);
    add_for_all("rm/malformed-tree-is-refused", test_malformed);
    g_test_add_func("/android14/rm/damaged-tree-is-an-errno-or-a-vm", test_damaged);
    g_test_add_func("/android14/rm/dtb-needs-room", test_dtb_room);
    add_for_android("rm/dtb-beyond-16k-needs-twice", test_dtb_room_doubles);
}
