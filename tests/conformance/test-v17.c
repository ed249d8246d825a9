/* SPDX-License-Identifier: GPL-2.0-or-later
 * The upstream v17 family: no user memory regions and no 'A' numbers, guest memory files instead
 * (facts 7).
 */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "gunyah.h"

#define REV "rev=v17"

static void test_probe(void)
{
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new(REV);
    assert_errno(vm_call(vm, GH_VM_SET_USER_MEM_REGION, NULL), ENOTTY);
    assert_errno(vm_call(vm, GH_VM_ANDROID_LEND_USER_MEM, NULL), ENOTTY);
    assert_errno(vm_call(vm, GH_VM_ANDROID_SET_FW_CONFIG, NULL), ENOTTY);
    assert_errno(vm_call(vm, GH_VM_RECLAIM_REGION, NULL), ENOTTY);
    assert_errno(vm_call(vm, GH_VM_MAP_MEM, NULL), EFAULT);
    assert_errno(vm_call(vm, GH_VM_SET_BOOT_CONTEXT, NULL), EFAULT);
    assert_errno(host->ioctl(vm->dev, GH_CREATE_GUEST_MEM, 0), EFAULT);
}

static int create_mem(Vm *vm, uint64_t flags, uint64_t size, uint64_t reserved)
{
    const struct gh_create_mem_args args = { .flags = flags,
                                             .size = size,
                                             .reserved = { reserved } };

    return host->ioctl(vm->dev, GH_CREATE_GUEST_MEM, (uintptr_t)&args);
}

static int map_mem(Vm *vm, int fd, uint32_t flags, uint64_t gpa, uint64_t offset, uint64_t size)
{
    const struct gh_map_mem_args args = {
        .guest_addr = gpa, .flags = flags, .guest_mem_fd = (__u32)fd, .offset = offset, .size = size
    };

    return vm_call(vm, GH_VM_MAP_MEM, &args);
}

#define RWX (GH_MAP_ALLOW_READ | GH_MAP_ALLOW_WRITE | GH_MAP_ALLOW_EXEC)

static void test_create_mem(void)
{
    g_autoptr(Vm) vm = NULL;
    int fd;

    if (model_only()) {
        return;
    }
    vm = vm_new(REV);
    assert_errno(create_mem(vm, 4, 4096, 0), EINVAL);
    assert_errno(create_mem(vm, 0, 0, 0), EINVAL);
    assert_errno(create_mem(vm, 0, 4095, 0), EINVAL);
    assert_errno(create_mem(vm, 0, 4096, 1), EINVAL);
    fd = create_mem(vm, GH_GUEST_MEM_CLOEXEC, 8192, 0);
    assert_ok(fd);
    vm_close(&fd);
}

static void test_map_mem(void)
{
    g_autoptr(Vm) vm = NULL;
    int fd;

    if (model_only()) {
        return;
    }
    vm = vm_new(REV);
    fd = create_mem(vm, 0, 8192, 0);
    assert_errno(map_mem(vm, 9999, RWX, RAM_GPA, 0, 4096), EINVAL);
    assert_errno(map_mem(vm, vm->vm, RWX, RAM_GPA, 0, 4096), EINVAL);
    assert_errno(map_mem(vm, fd, RWX | 3, RAM_GPA, 0, 4096), EINVAL);
    assert_errno(map_mem(vm, fd, RWX | 1 << 9, RAM_GPA, 0, 4096), EINVAL);
    assert_errno(map_mem(vm, fd, GH_MAP_FORCE_LEND, RAM_GPA, 0, 4096), EINVAL); /* no right */
    assert_errno(map_mem(vm, fd, RWX, RAM_GPA + 1, 0, 4096), EINVAL);
    assert_errno(map_mem(vm, fd, RWX, RAM_GPA, 1, 4096), EINVAL);
    assert_errno(map_mem(vm, fd, RWX, RAM_GPA, 0, 4095), EINVAL);
    assert_errno(map_mem(vm, fd, RWX, RAM_GPA, 0, 0), EINVAL);
    assert_ok(map_mem(vm, fd, RWX, RAM_GPA, 0, 4096));
    assert_errno(map_mem(vm, fd, RWX, RAM_GPA, 4096, 4096), EEXIST);     /* the address */
    assert_errno(map_mem(vm, fd, RWX, RAM_GPA + 4096, 0, 4096), EEXIST); /* the page */
    assert_ok(map_mem(vm, fd, RWX, RAM_GPA + 4096, 4096, 4096));
    vm_close(&fd);
}

static void test_unmap_mem(void)
{
    const uint32_t unmap = RWX | GH_MAP_UNMAP;
    g_autoptr(Vm) vm = NULL;
    int fd, other;

    if (model_only()) {
        return;
    }
    vm = vm_new(REV);
    fd = create_mem(vm, 0, 4 * 4096, 0);
    other = create_mem(vm, 0, 4 * 4096, 0);
    assert_errno(map_mem(vm, fd, unmap, RAM_GPA, 0, 4096), ENOENT);
    assert_ok(map_mem(vm, fd, RWX, RAM_GPA, 0, 4 * 4096));
    assert_errno(map_mem(vm, fd, GH_MAP_UNMAP, RAM_GPA, 0, 4 * 4096), EINVAL); /* no right */
    assert_errno(map_mem(vm, fd, unmap | GH_MAP_FORCE_LEND, RAM_GPA, 0, 4 * 4096), ENOENT);
    assert_errno(map_mem(vm, other, unmap, RAM_GPA, 0, 4 * 4096), ENOENT);
    assert_errno(map_mem(vm, fd, unmap, RAM_GPA, 4096, 4096), ENOENT);        /* another page */
    assert_errno(map_mem(vm, fd, unmap, RAM_GPA + 4096, 4096, 4096), EINVAL); /* leaves two */
    assert_ok(map_mem(vm, fd, unmap, RAM_GPA, 0, 4096));
    assert_ok(map_mem(vm, fd, unmap, RAM_GPA + 3 * 4096, 3 * 4096, 4096));
    assert_ok(map_mem(vm, fd, unmap, RAM_GPA + 4096, 4096, 2 * 4096));
    assert_errno(map_mem(vm, fd, unmap, RAM_GPA + 4096, 4096, 2 * 4096), ENOENT);
    vm_close(&fd);
    vm_close(&other);
}

static void test_dtb_outside(void)
{
    static const struct {
        uint64_t gpa, size;
    } rows[] = { { RAM_GPA + RAM_SIZE, 4096 }, { RAM_GPA + RAM_SIZE - 4096, 8192 } };

    if (model_only()) {
        return;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(Vm) vm = vm_new(REV);

        prepare(vm, &(DtSpec){ .n_cpus = 1 }, true);
        assert_ok(set_dtb(vm, rows[i].gpa, rows[i].size));
        assert_errno(vm_call(vm, GH_VM_START, NULL), ENOENT);
        assert_dmesg_has("Failed to allocate parcel for DTB: -2");
        assert_errno(vm_call(vm, GH_VM_START, NULL), ENODEV);
    }
}

/* A file of RAM_SIZE with a device tree for one vCPU, mapped into us, too. */
static uint8_t *map_ram(Vm *vm, int *fd)
{
    uint8_t *ram;

    *fd = create_mem(vm, GH_GUEST_MEM_CLOEXEC, RAM_SIZE, 0);
    assert_ok(*fd);
    ram = host->mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
    g_assert_true(ram != MAP_FAILED);
    write_dtb(ram + (DTB_GPA - RAM_GPA), &(DtSpec){ .n_cpus = 1 });
    return ram;
}

static void test_boot(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Vm) vm = NULL;
    uint8_t *ram;
    int fd;

    if (model_only()) {
        return;
    }
    vm = vm_new(REV);
    ram = map_ram(vm, &fd);
    memcpy(ram, "\x01\x02\x03\x04", 4);
    assert_ok(map_mem(vm, fd, RWX, RAM_GPA, 0, RAM_SIZE));
    assert_ok(set_dtb(vm, DTB_GPA, DTB_ROOM));
    assert_ok(add_vcpu(vm, 0));
    engine_script_set("r4 0x80000000; w4 0x9000000 1; off", &error);
    g_assert_no_error(error);
    assert_ok(vm_call(vm, GH_VM_START, NULL));
    assert_ok(run(vm, 0));
    assert_guest_saw("0 r4 0x80000000 = 0x4030201");
    host->munmap(ram, RAM_SIZE);
    vm_close(&fd);
}

/* The image shared, half of a second file lent, which is mapped or not; what RUN comes to. */
static void check_lend(bool mapped)
{
    const DtSpec dt = { .n_cpus = 1 };
    g_autoptr(GError) error = NULL;
    g_autoptr(Vm) vm = NULL;
    uint8_t *lent;
    int extra;

    if (model_only()) {
        return;
    }
    vm = vm_new(REV);
    prepare(vm, &dt, false);
    extra = create_mem(vm, GH_GUEST_MEM_CLOEXEC, 8192, 0);
    assert_ok(map_mem(vm, extra, RWX | GH_MAP_FORCE_LEND, RAM_GPA + RAM_SIZE, 4096, 4096));
    /* Of the other half nobody cares. */
    lent = host->mmap(NULL, mapped ? 8192 : 4096, PROT_READ | PROT_WRITE, MAP_SHARED, extra, 0);
    assert_ok(add_vcpu(vm, 0));
    engine_script_set("w4 0x80400000 7; r4 0x80400000; w4 0x9000000 1", &error);
    g_assert_no_error(error);
    assert_ok(vm_call(vm, GH_VM_START, NULL));
    assert_ok(run(vm, 0));
    if (mapped) {
        g_assert_cmpuint(vm->run[0]->exit_reason, ==, GH_VCPU_EXIT_PAGE_FAULT);
        g_assert_cmpint(vm->run[0]->page_fault.attempt, ==, -EPERM);
        g_assert_cmpint(touch(lent + 4096), ==, 0);
    } else {
        assert_guest_saw("0 r4 0x80400000 = 0x7");
        g_assert_cmpint(touch(lent), ==, 0);
    }
    host->munmap(lent, mapped ? 8192 : 4096);
    vm_close(&extra);
}

static void test_lend(void)
{
    check_lend(false);
}

static void test_lend_mapped(void)
{
    check_lend(true);
}

/* The device tree's pages are lent by START itself. */
static void test_lend_mapped_image(void)
{
    g_autoptr(Vm) vm = NULL;
    uint8_t *ram;
    int fd;

    if (model_only()) {
        return;
    }
    vm = vm_new(REV);
    ram = map_ram(vm, &fd);
    assert_ok(map_mem(vm, fd, RWX | GH_MAP_FORCE_LEND, RAM_GPA, 0, RAM_SIZE));
    assert_ok(set_dtb(vm, DTB_GPA, DTB_ROOM));
    assert_errno(vm_call(vm, GH_VM_START, NULL), EPERM);
    assert_dmesg_has("Failed to allocate parcel for DTB: -1");
    host->munmap(ram, RAM_SIZE);
    vm_close(&fd);
}

void add_v17_tests(void)
{
    g_test_add_func("/v17/probe/null-tells-which-calls-exist", test_probe);
    g_test_add_func("/v17/create-guest-mem/arguments", test_create_mem);
    g_test_add_func("/v17/map-mem/arguments", test_map_mem);
    g_test_add_func("/v17/map-mem/unmap", test_unmap_mem);
    g_test_add_func("/v17/start/dtb-outside-is-enoent", test_dtb_outside);
    g_test_add_func("/v17/start/from-a-guest-memory-file", test_boot);
    g_test_add_func("/v17/start/part-of-a-file-is-lent", test_lend);
    g_test_add_func("/v17/start/mapped-page-is-not-lent", test_lend_mapped);
    g_test_add_func("/v17/start/mapped-device-tree-is-eperm", test_lend_mapped_image);
}
