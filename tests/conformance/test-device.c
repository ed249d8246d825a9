/* SPDX-License-Identifier: GPL-2.0-or-later
 * /dev/gunyah and the VM file as such: facts 1.3 "Device / VM fd", facts 7 detection recipe.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gunyah.h"

static void test_create_arg(void)
{
    int dev = device_open(NULL);

    assert_errno(host->ioctl(dev, GH_CREATE_VM, 1), EINVAL);
    vm_close(&dev);
}

static void test_create_cloexec(void)
{
    g_autoptr(Vm) vm = vm_new(NULL);

    g_assert_cmpint(fcntl(vm->vm, F_GETFD) & FD_CLOEXEC, ==, FD_CLOEXEC);
}

static void test_device_unknown(void)
{
    int dev = device_open(NULL);

    assert_errno(host->ioctl(dev, _IO('G', 0x77), 0), ENOTTY);
    assert_errno(host->ioctl(dev, GH_VM_START, 0), ENOTTY);
    vm_close(&dev);
}

static void test_vm_unknown(void)
{
    g_autoptr(Vm) vm = vm_new(NULL);

    assert_errno(vm_call(vm, _IO('G', 0x77), NULL), ENOTTY);
    assert_errno(vm_call(vm, GH_CREATE_VM, NULL), ENOTTY);
}

static void test_vcpu_unknown(void)
{
    g_autoptr(Vm) vm = vm_new(NULL);

    assert_ok(add_vcpu(vm, 0));
    assert_errno(host->ioctl(vm->vcpu[0], _IO('G', 0x77), 0), EINVAL);
}

static void test_vcpu_mmap_size(void)
{
    g_autoptr(Vm) vm = vm_new(NULL);

    assert_ok(add_vcpu(vm, 0));
    g_assert_cmpint(host->ioctl(vm->vcpu[0], GH_VCPU_MMAP_SIZE, 0), ==, sysconf(_SC_PAGESIZE));
}

/* Copy-in comes first, so a NULL argument tells which calls there are without an effect. */
static void test_probe_android14(void)
{
    g_autoptr(Vm) vm = vm_new(NULL);

    assert_errno(vm_call(vm, GH_VM_SET_USER_MEM_REGION, NULL), EFAULT);
    assert_errno(vm_call(vm, GH_VM_ANDROID_LEND_USER_MEM, NULL), EFAULT);
    assert_errno(vm_call(vm, GH_VM_SET_DTB_CONFIG, NULL), EFAULT);
    assert_errno(vm_call(vm, GH_VM_ANDROID_SET_FW_CONFIG, NULL), EFAULT);
    assert_errno(vm_call(vm, GH_VM_ADD_FUNCTION, NULL), EFAULT);
    assert_errno(vm_call(vm, GH_VM_REMOVE_FUNCTION, NULL), EFAULT);
    assert_errno(vm_call(vm, GH_VM_SET_BOOT_CONTEXT, NULL), ENOTTY);
    assert_errno(vm_call(vm, GH_VM_RECLAIM_REGION, NULL), ENOTTY);
    assert_errno(vm_call(vm, GH_VM_MAP_MEM, NULL), ENOTTY);
    assert_errno(host->ioctl(vm->dev, GH_CREATE_GUEST_MEM, 0), ENOTTY);
}

/* Calls that only Android 15 has, on the others; and those of other nodes on this one. */
static void test_foreign_calls(void)
{
    static const unsigned long calls[] = { GH_VM_ANDROID_CHECK_EXTENSION,
                                           GH_VM_ANDROID_SET_AUTH_TYPE, GH_VM_ANDROID_MAP_CMA_MEM };
    static const char *const revisions[] = { "rev=android14", "rev=v17" };

    if (model_only()) {
        return;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(revisions); i++) {
        g_autoptr(Vm) vm = vm_new(revisions[i]);

        for (unsigned k = 0; k < G_N_ELEMENTS(calls); k++) {
            assert_errno(vm_call(vm, calls[k], NULL), ENOTTY);
        }
    }
}

static void test_cma_call_elsewhere(void)
{
    g_autoptr(Vm) vm = vm_new(NULL);

    assert_errno(host->ioctl(vm->dev, GH_ANDROID_CREATE_CMA_MEM_FD, 0), ENOTTY);
    assert_errno(vm_call(vm, GH_ANDROID_CREATE_CMA_MEM_FD, NULL), ENOTTY);
}

/* Page 0 of the file is all there is. */
static void test_vcpu_mmap(void)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    g_autoptr(Vm) vm = NULL;
    uint8_t *map;

    if (model_only()) { /* android14 has a bug there */
        return;
    }
    vm = vm_new(NULL);
    assert_ok(add_vcpu(vm, 0));
    map = host->mmap(NULL, 2 * page, PROT_READ, MAP_SHARED, vm->vcpu[0], 0);
    if (map != MAP_FAILED) {
        g_assert_cmpint(touch(map), ==, 0);
        g_assert_cmpint(touch(map + page), ==, SIGBUS);
        host->munmap(map, 2 * page);
    }
}

static void test_old_api(void)
{
    int dev;

    if (model_only()) {
        return;
    }
    dev = device_open("rev=0xb2");
    assert_errno(host->ioctl(dev, GH_CREATE_VM, 0), EINVAL);
    vm_close(&dev);
}

static void test_dtb_overflow(void)
{
    g_autoptr(Vm) vm = vm_new(NULL);

    assert_wraps(set_dtb(vm, UINT64_MAX - 4095, 8192));
    assert_ok(set_dtb(vm, 12345, 1)); /* nothing else is looked at before START */
}

static void test_fw_unchecked(void)
{
    const struct gh_vm_firmware_config fw = { .guest_phys_addr = UINT64_MAX, .size = 2 };
    g_autoptr(Vm) vm = vm_new(NULL);

    assert_ok(vm_call(vm, GH_VM_ANDROID_SET_FW_CONFIG, &fw));
}

/* The parent's VM is not the child's, a device it opens is. */
static void test_child_opens(void)
{
    g_autoptr(Vm) vm = vm_new(NULL);
    pid_t child = fork();
    int status;

    g_assert_nonnull(vm);
    if (child == 0) {
        int dev = host->open("/dev/gunyah", O_RDWR | O_CLOEXEC);
        int own = host->ioctl(dev, GH_CREATE_VM, 0);

        _exit(own >= 0 && host->ioctl(own, GH_VM_SET_DTB_CONFIG, 0) == -1 && errno == EFAULT &&
                      host->close(own) == 0
                  ? 0
                  : 1);
    }
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_cmpint(status, ==, 0);
}

static void test_dup(void)
{
    g_autoptr(Vm) vm = vm_new(NULL);
    int copy = dup(vm->vm);

    vm_close(&vm->vm);
    g_assert_cmpint(host->ioctl(copy, GH_VM_SET_DTB_CONFIG, 0), ==, -1);
    g_assert_cmpint(errno, ==, EFAULT); /* still a VM */
    vm_close(&copy);
    assert_errno(host->ioctl(copy, GH_VM_START, 0), EBADF);
}

void add_device_tests(void)
{
    add_for_all("create-vm/argument-must-be-0", test_create_arg);
    add_for_all("create-vm/fd-is-cloexec", test_create_cloexec);
    g_test_add_func("/android14/create-vm/old-api-is-einval", test_old_api);
    add_for_all("device/unknown-call-is-enotty", test_device_unknown);
    add_for_all("vm/unknown-call-is-enotty", test_vm_unknown);
    add_for_all("device/child-opens-its-own", test_child_opens);
    add_for_all("vm/dup-keeps-it", test_dup);
    g_test_add_func("/android14/vcpu/unknown-call-is-einval", test_vcpu_unknown);
    add_for_all("vcpu/mmap-size-is-a-page", test_vcpu_mmap_size);
    g_test_add_func("/android14/probe/null-tells-which-calls-exist", test_probe_android14);
    add_for_all("dtb/overflow", test_dtb_overflow);
    g_test_add_func("/android14/vm/calls-of-other-families-are-enotty", test_foreign_calls);
    add_for_all("device/cma-call-is-enotty", test_cma_call_elsewhere);
    add_for_all("vcpu/only-page-0-is-mapped", test_vcpu_mmap);
    g_test_add_func("/android14/firmware/range-is-not-checked-early", test_fw_unchecked);
}
