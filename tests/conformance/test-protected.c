/* SPDX-License-Identifier: GPL-2.0-or-later
 * What a protected guest is made of, on each family: lent memory beside a shared window, and the
 * firmware that the resource manager starts first (facts 2.3).
 */
#include <libfdt.h>
#include <signal.h>
#include <string.h>

#include "gunyah.h"

#define FW_GPA   0x7fc00000ULL
#define FW_SIZE  (2ULL << 20)
#define WIN_GPA  0x90000000ULL
#define WIN_SIZE (1ULL << 20)

/* ---- the window ---- */

/* RAM is lent, a window shared: the host keeps the one and loses the other. */
static void check_window(const char *rev)
{
    const DtSpec dt = { .n_cpus = 1, .shms = { { 7, WIN_GPA } }, .n_shms = 1 };
    g_autofree char *knobs = g_strdup_printf("policy=lend,rev=%s", rev);
    g_autoptr(GError) error = NULL;
    g_autoptr(Vm) vm = NULL;
    uint8_t *window;

    if (model_only()) {
        return;
    }
    vm = vm_new(knobs);
    window = map_shared(WIN_SIZE);
    window[8] = 0x42;
    prepare(vm, &dt, true);
    assert_ok(add_region(vm, 7, WIN_GPA, WIN_SIZE, window, false));
    assert_ok(add_vcpu(vm, 0));
    engine_script_set("r1 0x90000008; w1 0x90000009 0x43; w1 0x80000000 0x44; off", &error);
    g_assert_no_error(error);
    assert_ok(vm_call(vm, GH_VM_START, NULL));
    assert_ok(run(vm, 0));
    assert_guest_saw("0 r1 0x90000008 = 0x42");
    g_assert_cmphex(window[9], ==, 0x43);
    g_assert_cmpint(touch(window), ==, 0);
    g_assert_cmpint(touch(vm->ram), ==, SIGBUS);
    munmap(window, WIN_SIZE);
}

static void test_window_14(void)
{
    check_window("android14");
}

static void test_window_15(void)
{
    check_window("android15");
}

static void test_window_v17(void)
{
    const uint32_t rwx = GH_MAP_ALLOW_READ | GH_MAP_ALLOW_WRITE | GH_MAP_ALLOW_EXEC;
    const DtSpec dt = { .n_cpus = 1 };
    struct gh_create_mem_args create = { .size = RAM_SIZE + WIN_SIZE };
    struct gh_map_mem_args map = { .guest_addr = RAM_GPA, .size = RAM_SIZE };
    g_autoptr(GError) error = NULL;
    g_autoptr(Vm) vm = NULL;
    uint8_t *memory;
    int fd;

    if (model_only()) {
        return;
    }
    vm = vm_new("rev=v17,policy=lend");
    fd = host->ioctl(vm->dev, GH_CREATE_GUEST_MEM, (uintptr_t)&create);
    assert_ok(fd);
    memory = host->mmap(NULL, create.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    g_assert_true(memory != MAP_FAILED);
    write_dtb(memory + (DTB_GPA - RAM_GPA), &dt);
    map.guest_mem_fd = fd;
    map.flags = GH_MAP_FORCE_LEND | rwx;
    assert_ok(vm_call(vm, GH_VM_MAP_MEM, &map));
    map.guest_addr = WIN_GPA;
    map.flags = GH_MAP_FORCE_SHARE | rwx;
    map.offset = RAM_SIZE;
    map.size = WIN_SIZE;
    assert_ok(vm_call(vm, GH_VM_MAP_MEM, &map));
    assert_ok(set_dtb(vm, DTB_GPA, DTB_ROOM));
    assert_ok(add_vcpu(vm, 0));
    host->munmap(memory, RAM_SIZE); /* what is mapped is not lent */
    engine_script_set("w1 0x90000009 0x43; w1 0x80000000 0x44; off", &error);
    g_assert_no_error(error);
    assert_ok(vm_call(vm, GH_VM_START, NULL));
    assert_ok(run(vm, 0));
    g_assert_cmphex(memory[RAM_SIZE + 9], ==, 0x43);
    g_assert_cmpint(touch(memory + RAM_SIZE), ==, 0);
    host->munmap(memory + RAM_SIZE, WIN_SIZE);
    vm_close(&fd);
}

/* ---- the firmware ---- */

static void fw_node(void *fdt, uint64_t address)
{
    int node = fdt_path_offset(fdt, "/gunyah-vm-config/memory");

    g_assert_cmpint(fdt_setprop_u64(fdt, node, "firmware-address", address), ==, 0);
    g_assert_cmpint(fdt_setprop_u64(fdt, node, "firmware-size-max", FW_SIZE), ==, 0);
}

static void fw_below_ram(void *fdt)
{
    fw_node(fdt, FW_GPA);
}

static void fw_in_image(void *fdt)
{
    fw_node(fdt, RAM_GPA);
}

/* All but START; firmware's parcel is lent if lend. */
static Vm *with_firmware(const char *knobs, void (*edit)(void *fdt), bool lend, void *firmware)
{
    const struct gh_vm_firmware_config fw = { .guest_phys_addr = FW_GPA, .size = FW_SIZE };
    Vm *vm = vm_new(knobs);

    prepare(vm, &(DtSpec){ .n_cpus = 1, .edit = edit }, true);
    assert_ok(add_region(vm, 9, FW_GPA, FW_SIZE, firmware, lend));
    assert_ok(vm_call(vm, GH_VM_ANDROID_SET_FW_CONFIG, &fw));
    return vm;
}

/* START's errno with such a firmware. */
static void check_refusal(const char *knobs, void (*edit)(void *fdt), bool lend, int expected)
{
    g_autoptr(Vm) vm = NULL;
    void *firmware;

    if (model_only()) {
        return;
    }
    firmware = map_shared(FW_SIZE);
    vm = with_firmware(knobs, edit, lend, firmware);
    assert_errno(vm_call(vm, GH_VM_START, NULL), expected);
    g_clear_pointer(&vm, vm_free);
    gunyah_model_settle();
    munmap(firmware, FW_SIZE);
}

static void test_fw_none(void)
{
    check_refusal(NULL, fw_below_ram, true, EOPNOTSUPP);
}

static void test_fw_shared(void)
{
    check_refusal("pvmfw=on", fw_below_ram, false, EPERM);
}

static void test_fw_in_image(void)
{
    check_refusal("pvmfw=on", fw_in_image, true, EINVAL);
}

static void test_fw_unplaced(void)
{
    check_refusal("pvmfw=on", NULL, true, EINVAL);
}

static void test_fw_unreadable(void)
{
    check_refusal("pvmfw=/nonexistent", fw_below_ram, true, ENODEV);
}

static void check_fw_starts(const char *knobs)
{
    g_autoptr(Vm) vm = NULL;
    void *firmware;

    if (model_only()) {
        return;
    }
    firmware = map_shared(FW_SIZE);
    vm = with_firmware(knobs, fw_below_ram, true, firmware);
    assert_ok(vm_call(vm, GH_VM_START, NULL));
    assert_guest_saw("set 0 reg1=0x80000000");
    assert_guest_saw("set 0 reg2=0x400000");
    assert_guest_saw("boot 0 pc=0x7fc00000 x0=0x80100000");
    g_clear_pointer(&vm, vm_free);
    gunyah_model_settle();
    munmap(firmware, FW_SIZE);
}

static void test_fw_starts(void)
{
    check_fw_starts("pvmfw=on");
}

static void test_fw_starts_15(void)
{
    check_fw_starts("pvmfw=on,rev=android15");
}

/* The firmware decides where to go on: the driver takes a boot context and does not use it. */
static void test_fw_no_boot_context(void)
{
    const struct gh_vm_boot_context pc = { .reg = GH_BOOT_CONTEXT_REG(GH_BOOT_CONTEXT_SET_PC, 0) };
    g_autoptr(Vm) vm = NULL;
    void *firmware;

    if (model_only()) {
        return;
    }
    firmware = map_shared(FW_SIZE);
    vm = with_firmware("pvmfw=on,rev=android15", fw_below_ram, true, firmware);
    assert_ok(vm_call(vm, GH_VM_SET_BOOT_CONTEXT, &pc));
    assert_ok(vm_call(vm, GH_VM_START, NULL));
    assert_guest_saw("boot 0 pc=0x7fc00000 x0=0x80100000");
    g_clear_pointer(&vm, vm_free);
    gunyah_model_settle();
    munmap(firmware, FW_SIZE);
}

/* Closes the VM and all that holds it. */
static void end_vm(Vm *vm)
{
    vm_close(&vm->vm);
    gunyah_model_settle();
}

static void test_fw_wiped(void)
{
    g_autoptr(Vm) vm = NULL;
    g_autoptr(Vm) plain = NULL;
    void *firmware;

    if (model_only()) {
        return;
    }
    firmware = map_shared(FW_SIZE);
    vm = with_firmware("pvmfw=on", fw_below_ram, true, firmware);
    memset((uint8_t *)vm->ram + 0x200000, 0xa5, 64);
    assert_ok(vm_call(vm, GH_VM_START, NULL));
    end_vm(vm);
    g_assert_cmpint(touch((uint8_t *)vm->ram + 0x200000), ==, 0);
    g_assert_cmphex(*((uint8_t *)vm->ram + 0x200000), ==, 0);
    plain = vm_new(NULL);
    prepare(plain, &(DtSpec){ .n_cpus = 1 }, true);
    memset((uint8_t *)plain->ram + 0x200000, 0xa5, 64);
    assert_ok(vm_call(plain, GH_VM_START, NULL));
    end_vm(plain);
    g_assert_cmphex(*((uint8_t *)plain->ram + 0x200000), ==, 0xa5);
    munmap(firmware, FW_SIZE);
}

void add_protected_tests(void)
{
    g_test_add_func("/android14/protected/window-stays-shared", test_window_14);
    g_test_add_func("/android15/protected/window-stays-shared", test_window_15);
    g_test_add_func("/v17/protected/force-share-keeps-force-lend-takes", test_window_v17);
    g_test_add_func("/android14/firmware/none-there-is-eopnotsupp", test_fw_none);
    g_test_add_func("/android14/firmware/shared-parcel-is-eperm", test_fw_shared);
    g_test_add_func("/android14/firmware/in-the-image-is-einval", test_fw_in_image);
    g_test_add_func("/android14/firmware/without-address-is-einval", test_fw_unplaced);
    g_test_add_func("/android14/firmware/unreadable-is-enodev", test_fw_unreadable);
    g_test_add_func("/android14/firmware/starts-and-is-told-the-payload", test_fw_starts);
    g_test_add_func("/android15/firmware/starts-and-is-told-the-payload", test_fw_starts_15);
    g_test_add_func("/android15/firmware/boot-context-is-taken-and-not-used",
                    test_fw_no_boot_context);
    g_test_add_func("/android14/firmware/memory-is-wiped-at-the-end", test_fw_wiped);
}
