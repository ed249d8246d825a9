/* SPDX-License-Identifier: GPL-2.0-or-later
 * START on the Android 15 and 16 family: which parcels the driver makes, and what becomes of those
 * that cannot be had. Trusted VMs have their own file.
 */
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gunyah.h"

#define REV "rev=android15"

static const DtSpec one_cpu = { .n_cpus = 1 };

/* START with the tree at DTB_GPA and this range told, RAM being lent; then START again. */
static void check_dtb(uint64_t gpa, uint64_t size, int expected, const char *said)
{
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new(REV);
    prepare(vm, &one_cpu, true);
    assert_ok(set_dtb(vm, gpa, size));
    assert_errno(vm_call(vm, GH_VM_START, NULL), expected);
    assert_dmesg_has(said);
    assert_errno(vm_call(vm, GH_VM_START, NULL), ENODEV); /* for good */
}

static void test_dtb_outside(void)
{
    check_dtb(RAM_GPA + RAM_SIZE, 4096, ENOENT, "parcel for the config image: -2");
}

static void test_dtb_beyond(void)
{
    check_dtb(RAM_GPA + RAM_SIZE - 4096, 8192, EFAULT, "parcel for the config image: -14");
}

static void test_dtb_empty(void)
{
    check_dtb(DTB_GPA, 0, EINVAL, "parcel for the config image: -22");
    check_dtb(DTB_GPA, 4095, EINVAL, "parcel for the config image: -22");
}

/* The parcel is whole pages, the range is told as it is. */
static void test_dtb_not_whole_pages(void)
{
    check_dtb(DTB_GPA, DTB_ROOM + 8, EINVAL, "Failed to configure VM: -22");
    check_dtb(DTB_GPA + 8, DTB_ROOM, EINVAL, "Failed to configure VM: -22");
}

static void test_dtb_not_there(void)
{
    g_autoptr(Vm) vm = NULL;
    void *gone;

    if (model_only()) {
        return;
    }
    vm = vm_new(REV);
    gone = map_private(4096);
    munmap(gone, 4096);
    assert_ok(add_region(vm, 0, RAM_GPA, 4096, gone, false));
    assert_ok(set_dtb(vm, RAM_GPA, 4096));
    assert_errno(vm_call(vm, GH_VM_START, NULL), EFAULT);
}

/* The driver drops its errno, and START says that the VM does not run; it may be set right. */
static void test_firmware_outside(void)
{
    struct gh_vm_firmware_config fw = { .guest_phys_addr = 0x7fc00000, .size = 4096 };
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new(REV);
    prepare(vm, &one_cpu, true);
    assert_ok(vm_call(vm, GH_VM_ANDROID_SET_FW_CONFIG, &fw));
    assert_errno(vm_call(vm, GH_VM_START, NULL), ENODEV);
    assert_dmesg_has("Failed to share parcel for the fw: -2");
    fw.guest_phys_addr = RAM_GPA;
    fw.size = RAM_SIZE + 4096;
    assert_ok(vm_call(vm, GH_VM_ANDROID_SET_FW_CONFIG, &fw));
    assert_errno(vm_call(vm, GH_VM_START, NULL), ENODEV);
    assert_dmesg_has("Failed to share parcel for the fw: -14");
    fw.size = 4096;
    assert_ok(vm_call(vm, GH_VM_ANDROID_SET_FW_CONFIG, &fw));
    assert_errno(vm_call(vm, GH_VM_START, NULL), EOPNOTSUPP); /* gets as far as the firmware */
}

/* Only image and firmware are parcels. */
static void test_many_regions(void)
{
    enum { N = 70 };
    g_autoptr(Vm) vm = NULL;
    uint8_t *extra;

    if (model_only()) {
        return;
    }
    vm = vm_new(REV);
    extra = map_shared(N * 4096);
    for (unsigned i = 0; i < N; i++) {
        assert_ok(
            add_region(vm, i, RAM_GPA + RAM_SIZE + 4096ULL * i, 4096, extra + 4096ULL * i, true));
    }
    prepare(vm, &one_cpu, true);
    assert_ok(vm_call(vm, GH_VM_START, NULL));
    g_clear_pointer(&vm, vm_free);
    munmap(extra, N * 4096);
}

static void test_dmesg(void)
{
    static const struct {
        const char *knob, *said;
    } rows[] = {
        { "fail=vmid:2", "Failed to allocate VMID: -19" },
        { "fail=parcel:3", "Failed to allocate parcel for the config image: -1" },
        { "fail=configure:6", "Failed to configure VM: -22" },
        { "fail=init:5", "Failed to initialize VM: -16" },
        { "fail=resources:1", "Failed to get hypervisor resources for VM: -12" },
        { "fail=start:3", "Failed to start VM: -1" },
    };

    if (model_only()) {
        return;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *knobs = g_strconcat(REV ",", rows[i].knob, NULL);
        g_autoptr(Vm) vm = vm_new(knobs);

        g_assert_cmpint(prepare_and_start(vm, &one_cpu), ==, -1);
        assert_dmesg_has(rows[i].said);
    }
}

/* What is about the caller's memory is for the process that made the VM. */
static void test_other_process(void)
{
    static const unsigned long calls[] = { GH_VM_SET_USER_MEM_REGION, GH_VM_ANDROID_LEND_USER_MEM,
                                           GH_VM_RECLAIM_REGION, GH_VM_ANDROID_MAP_CMA_MEM };
    g_autoptr(Vm) vm = NULL;
    pid_t child;
    int status;

    if (model_only()) {
        return;
    }
    vm = vm_new(REV);
    child = fork();
    if (child == 0) {
        for (unsigned i = 0; i < G_N_ELEMENTS(calls); i++) { /* before the argument is looked at */
            if (vm_call(vm, calls[i], NULL) != -1 || errno != EPERM) {
                _exit((int)i + 1);
            }
        }
        _exit(0);
    }
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_cmpint(status, ==, 0);
}

void add_start15_tests(void)
{
    g_test_add_func("/android15/start/dtb-outside-is-enoent", test_dtb_outside);
    g_test_add_func("/android15/start/dtb-beyond-its-region-is-efault", test_dtb_beyond);
    g_test_add_func("/android15/start/dtb-without-a-page-is-einval", test_dtb_empty);
    g_test_add_func("/android15/start/dtb-of-parts-of-pages-is-einval", test_dtb_not_whole_pages);
    g_test_add_func("/android15/start/dtb-that-is-not-mapped-is-efault", test_dtb_not_there);
    g_test_add_func("/android15/start/firmware-outside-is-enodev", test_firmware_outside);
    g_test_add_func("/android15/start/more-than-64-regions", test_many_regions);
    g_test_add_func("/android15/start/dmesg-names-the-step", test_dmesg);
    g_test_add_func("/android15/memory/other-process-is-eperm-first", test_other_process);
}
