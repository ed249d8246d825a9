/* SPDX-License-Identifier: GPL-2.0-or-later
 * /dev/gunyah and the VM file as such: facts 1.3 "Device / VM fd", facts 7 detection recipe.
 */
#include <fcntl.h>
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

    assert_errno(set_dtb(vm, UINT64_MAX - 4095, 8192), EOVERFLOW);
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
    g_test_add_func("/android14/create-vm/argument-must-be-0", test_create_arg);
    g_test_add_func("/android14/create-vm/fd-is-cloexec", test_create_cloexec);
    g_test_add_func("/android14/create-vm/old-api-is-einval", test_old_api);
    g_test_add_func("/android14/device/unknown-call-is-enotty", test_device_unknown);
    g_test_add_func("/android14/vm/unknown-call-is-enotty", test_vm_unknown);
    g_test_add_func("/android14/device/child-opens-its-own", test_child_opens);
    g_test_add_func("/android14/vm/dup-keeps-it", test_dup);
    g_test_add_func("/android14/vcpu/unknown-call-is-einval", test_vcpu_unknown);
    g_test_add_func("/android14/vcpu/mmap-size-is-a-page", test_vcpu_mmap_size);
    g_test_add_func("/android14/probe/null-tells-which-calls-exist", test_probe_android14);
    g_test_add_func("/android14/dtb/overflow", test_dtb_overflow);
    g_test_add_func("/android14/firmware/range-is-not-checked-early", test_fw_unchecked);
}
