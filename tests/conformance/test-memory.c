/* SPDX-License-Identifier: GPL-2.0-or-later
 * SET_USER_MEM_REGION and LEND_USER_MEM: the rows of facts 1.3 "Memory", and what lending does to
 * the caller.
 */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gunyah.h"

#define PAGE 4096ULL

static int region_call(Vm *vm, uint32_t flags, uint64_t gpa, uint64_t size, uint64_t hva)
{
    const struct gh_userspace_memory_region region = {
        .flags = flags, .guest_phys_addr = gpa, .memory_size = size, .userspace_addr = hva
    };

    return vm_call(vm, GH_VM_SET_USER_MEM_REGION, &region);
}

static void test_fork(void)
{
    g_autoptr(Vm) vm = vm_new(NULL);
    pid_t child = fork();
    int status;

    if (child == 0) {
        int ret = host->ioctl(vm->vm, GH_VM_SET_USER_MEM_REGION, 0);

        _exit(ret == -1 && errno == EPERM ? 0 : 1); /* before the copy-in */
    }
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_cmpint(status, ==, 0);
}

static void test_flags(void)
{
    g_autoptr(Vm) vm = vm_new(NULL);

    assert_errno(region_call(vm, 8, RAM_GPA, PAGE, (uintptr_t)vm->ram), EINVAL);
}

static void test_size_0(void)
{
    g_autoptr(Vm) vm = vm_new(NULL);

    assert_ok(add_region(vm, 0, RAM_GPA, RAM_SIZE, vm->ram, false));
    assert_errno(add_region(vm, 0, RAM_GPA, 0, vm->ram, false), EINVAL); /* no removal */
}

static void test_alignment(void)
{
    g_autoptr(Vm) vm = vm_new(NULL);
    const uintptr_t hva = (uintptr_t)vm->ram;

    assert_errno(region_call(vm, 7, RAM_GPA, PAGE + 1, hva), EINVAL);
    assert_errno(region_call(vm, 7, RAM_GPA + 512, PAGE, hva), EINVAL);
    assert_errno(region_call(vm, 7, RAM_GPA, PAGE, hva + 512), EINVAL);
}

static void test_overflow(void)
{
    g_autoptr(Vm) vm = vm_new(NULL);

    assert_wraps(region_call(vm, 7, UINT64_MAX - PAGE + 1, 2 * PAGE, (uintptr_t)vm->ram));
}

/* Share and lend have one label space. */
static void test_label(void)
{
    g_autoptr(Vm) vm = vm_new(NULL);
    uint8_t *ram = vm->ram;

    assert_ok(add_region(vm, 7, RAM_GPA, PAGE, ram, false));
    assert_errno(add_region(vm, 7, RAM_GPA + PAGE, PAGE, ram + PAGE, true), EEXIST);
    assert_ok(add_region(vm, 8, RAM_GPA + PAGE, PAGE, ram + PAGE, true));
}

static void test_overlap(void)
{
    g_autoptr(Vm) vm = vm_new(NULL);

    assert_ok(add_region(vm, 1, RAM_GPA + PAGE, 2 * PAGE, vm->ram, false));
    assert_errno(add_region(vm, 2, RAM_GPA, 2 * PAGE, vm->ram, false), EEXIST);
    assert_errno(add_region(vm, 3, RAM_GPA + 2 * PAGE, 2 * PAGE, vm->ram, true), EEXIST);
    assert_ok(add_region(vm, 4, RAM_GPA, PAGE, vm->ram, false)); /* touching is not overlapping */
}

/* The order of the checks: flags, sizes, wrap, label, overlap, pin. */
static void test_order(void)
{
    g_autoptr(Vm) vm = vm_new(NULL);

    assert_ok(add_region(vm, 0, RAM_GPA, PAGE, vm->ram, false));
    assert_errno(region_call(vm, 8, RAM_GPA, 0, 0), EINVAL);
    assert_wraps(region_call(vm, 7, UINT64_MAX - PAGE + 1, 2 * PAGE, 0));
    assert_errno(region_call(vm, 7, RAM_GPA, PAGE, 0), EEXIST);
}

static void test_memlock(void)
{
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new("memlock=8K");
    g_assert_cmpuint(host->memlock_limit(), ==, 8192);
    assert_ok(add_region(vm, 0, RAM_GPA, PAGE, vm->ram, false));
    assert_errno(add_region(vm, 1, RAM_GPA + PAGE, 2 * PAGE, vm->ram, false), ENOMEM);
    assert_ok(add_region(vm, 1, RAM_GPA + PAGE, PAGE, vm->ram, false));
}

static void test_memlock_given_back(void)
{
    if (model_only()) {
        return;
    }
    for (int i = 0; i < 2; i++) {
        g_autoptr(Vm) vm = vm_new("memlock=4M");

        assert_ok(add_region(vm, 0, RAM_GPA, RAM_SIZE, vm->ram, false));
    }
}

static void test_pin_unmapped(void)
{
    g_autoptr(Vm) vm = vm_new(NULL);
    uint8_t *map = map_private(2 * PAGE);

    munmap(map + PAGE, PAGE);
    assert_errno(add_region(vm, 0, RAM_GPA, 2 * PAGE, map, false), EFAULT);
    assert_errno(add_region(vm, 0, RAM_GPA, PAGE, NULL, false), EFAULT);
    munmap(map, PAGE);
}

static void test_pin_protection(void)
{
    g_autoptr(Vm) vm = vm_new(NULL);
    void *map = map_private(PAGE);

    mprotect(map, PAGE, PROT_READ);
    assert_errno(
        region_call(vm, GH_MEM_ALLOW_READ | GH_MEM_ALLOW_WRITE, RAM_GPA, PAGE, (uintptr_t)map),
        EFAULT);
    assert_ok(region_call(vm, GH_MEM_ALLOW_READ, RAM_GPA, PAGE, (uintptr_t)map));
    munmap(map, PAGE);
}

/* The mapping is longer than its file: the last page is not there. */
static void test_pin_beyond_file(void)
{
    g_autoptr(Vm) vm = vm_new(NULL);
    int fd = memfd_create("short", MFD_CLOEXEC);
    void *map;

    g_assert_cmpint(ftruncate(fd, PAGE), ==, 0);
    map = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    g_assert_true(map != MAP_FAILED);
    close(fd);
    assert_errno(add_region(vm, 0, RAM_GPA, 2 * PAGE, map, false), EFAULT);
    munmap(map, 2 * PAGE);
}

static void test_pin_enomem(void)
{
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new("pin=enomem");
    assert_errno(add_region(vm, 0, RAM_GPA, PAGE, vm->ram, false), ENOMEM);
}

/* A failed call leaves nothing behind: label and range are free. */
static void test_failed_leaves_nothing(void)
{
    g_autoptr(Vm) vm = vm_new(NULL);

    assert_errno(add_region(vm, 3, RAM_GPA, PAGE, NULL, false), EFAULT);
    assert_ok(add_region(vm, 3, RAM_GPA, PAGE, vm->ram, false));
}

/* A region added to a running VM is accepted and never given to it. */
static void test_late_region(void)
{
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new(NULL);
    start(vm, NULL, "r4 0x90000000; w4 0x9000000 1");
    assert_ok(add_region(vm, 1, 0x90000000, PAGE, vm->ram, false));
    assert_ok(run(vm, 0));
    assert_guest_saw("0 abort 0x90000000");
}

/* Pinned pages: what the caller does to its mapping afterwards does not matter to the guest. */
static void test_pinned(void)
{
    g_autoptr(Vm) vm = NULL;
    uint32_t *more;

    if (model_only()) {
        return;
    }
    vm = vm_new(NULL);
    more = map_shared(PAGE);
    *more = 0xabcd;
    assert_ok(add_region(vm, 1, RAM_GPA + RAM_SIZE, PAGE, more, true));
    munmap(more, PAGE);
    start(vm, NULL, "r4 0x80400000; w4 0x9000000 1");
    assert_ok(run(vm, 0));
    assert_guest_saw("0 r4 0x80400000 = 0xabcd");
}

/* ---- sharing and lending ---- */

static void test_share(void)
{
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new(NULL);
    ((uint32_t *)vm->ram)[0] = 0x1234;
    start(vm, NULL, "r4 0x80000000; w4 0x80000004 0x5678; w4 0x9000000 1");
    assert_ok(run(vm, 0));
    assert_guest_saw("0 r4 0x80000000 = 0x1234");
    g_assert_cmphex(((uint32_t *)vm->ram)[1], ==, 0x5678);
}

static void check_lend(uint8_t *extra)
{
    g_autoptr(Vm) vm = vm_new(NULL);
    const uint64_t gpa = RAM_GPA + RAM_SIZE;

    memcpy(extra, "\x21\x43\x65\x87", 4);
    assert_ok(add_region(vm, 1, gpa, 2 * PAGE, extra, true));
    g_assert_cmpint(touch(extra), ==, 0); /* until START it is the caller's */
    start(vm, NULL, "r4 0x80400000; w4 0x80400000 0x99; w4 0x9000000 1; off");
    g_assert_cmpint(touch(extra), ==, SIGBUS);
    g_assert_cmpint(touch(extra + 2 * PAGE - 1), ==, SIGBUS);
    assert_ok(run(vm, 0));
    assert_guest_saw("0 r4 0x80400000 = 0x87654321");
    assert_ok(run(vm, 0));
    g_assert_cmpint(touch(extra), ==, SIGBUS); /* the end alone gives nothing back */
    g_clear_pointer(&vm, vm_free);
    g_assert_cmpint(touch(extra), ==, 0);
    g_assert_cmphex(*(uint32_t *)extra, ==, 0x99);
    munmap(extra, 2 * PAGE);
}

static void test_lend_shared(void)
{
    if (!model_only()) {
        check_lend(map_shared(2 * PAGE));
    }
}

static void test_lend_private(void)
{
    if (!model_only()) {
        check_lend(map_private(2 * PAGE));
    }
}

/* The pages are gone, not one mapping of them. */
static void test_lend_alias(void)
{
    g_autoptr(Vm) vm = NULL;
    uint8_t *alias;

    if (model_only()) {
        return;
    }
    vm = vm_new(NULL);
    alias = mremap(vm->ram, 0, RAM_SIZE, MREMAP_MAYMOVE);
    g_assert_true(alias != MAP_FAILED);
    prepare(vm, &(DtSpec){ .n_cpus = 1 }, true);
    assert_ok(vm_call(vm, GH_VM_START, NULL));
    g_assert_cmpint(touch(alias), ==, SIGBUS);
    vm_close(&vm->vm);
    gunyah_model_settle();
    g_assert_cmpint(touch(alias), ==, 0);
    munmap(alias, RAM_SIZE);
}

/* A private copy of a page is another page. */
static void test_lend_copy(void)
{
    g_autoptr(Vm) vm = NULL;
    uint8_t *extra, *copy;
    int fd;

    if (model_only()) {
        return;
    }
    vm = vm_new(NULL);
    fd = memfd_create("extra", MFD_CLOEXEC);
    g_assert_cmpint(ftruncate(fd, PAGE), ==, 0);
    extra = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    copy = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    close(fd);
    *copy = 0x5a;
    assert_ok(add_region(vm, 1, RAM_GPA + RAM_SIZE, PAGE, extra, true));
    start(vm, NULL, "off");
    g_assert_cmpint(touch(extra), ==, SIGBUS);
    g_assert_cmpint(touch(copy), ==, 0);
    g_clear_pointer(&vm, vm_free);
    g_assert_cmphex(*copy, ==, 0x5a);
    munmap(extra, PAGE);
    munmap(copy, PAGE);
}

/* The image itself lent: the resource manager still reads and extends the tree in it. */
static void test_lend_image(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new(NULL);
    engine_script_set("w4 0x9000000 1", &error);
    g_assert_no_error(error);
    prepare(vm, &(DtSpec){ .n_cpus = 1 }, true);
    assert_ok(add_vcpu(vm, 0));
    assert_ok(vm_call(vm, GH_VM_START, NULL));
    g_assert_cmpint(touch(vm->ram), ==, SIGBUS);
    assert_ok(run(vm, 0));
}

/* Giving back must not touch what the caller has mapped there since. */
static void test_lend_unmapped(void)
{
    g_autoptr(Vm) vm = NULL;
    uint8_t *extra, *other;

    if (model_only()) {
        return;
    }
    vm = vm_new(NULL);
    extra = map_shared(PAGE);
    assert_ok(add_region(vm, 1, RAM_GPA + RAM_SIZE, PAGE, extra, true));
    start(vm, NULL, "off");
    munmap(extra, PAGE);
    other =
        mmap(extra, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    *other = 0x5a;
    g_clear_pointer(&vm, vm_free);
    g_assert_cmphex(*other, ==, 0x5a);
    munmap(other, PAGE);
}

void add_memory_tests(void)
{
    add_for_android("memory/other-process-is-eperm", test_fork);
    add_for_android("memory/unknown-flag-is-einval", test_flags);
    add_for_android("memory/size-0-is-einval", test_size_0);
    add_for_android("memory/unaligned-is-einval", test_alignment);
    add_for_android("memory/wrapping-is-eoverflow", test_overflow);
    g_test_add_func("/android14/memory/label-in-use-is-eexist", test_label);
    add_for_android("memory/overlap-is-eexist", test_overlap);
    g_test_add_func("/android14/memory/order-of-checks", test_order);
    g_test_add_func("/android14/memory/over-memlock-is-enomem", test_memlock);
    g_test_add_func("/android14/memory/memlock-is-given-back", test_memlock_given_back);
    g_test_add_func("/android14/memory/unmapped-page-is-efault", test_pin_unmapped);
    g_test_add_func("/android14/memory/protection-is-efault", test_pin_protection);
    g_test_add_func("/android14/memory/beyond-file-is-efault", test_pin_beyond_file);
    g_test_add_func("/android14/memory/no-pages-array-is-enomem", test_pin_enomem);
    g_test_add_func("/android14/memory/failed-call-leaves-nothing", test_failed_leaves_nothing);
    g_test_add_func("/android14/memory/late-region-is-never-given", test_late_region);
    add_for_android("memory/pages-stay-pinned", test_pinned);
    add_for_android("memory/share-keeps-host-access", test_share);
    add_for_android("memory/lend-takes-shared-pages", test_lend_shared);
    add_for_android("memory/lend-takes-private-pages", test_lend_private);
    add_for_android("memory/lend-takes-every-mapping", test_lend_alias);
    add_for_android("memory/lend-spares-private-copies", test_lend_copy);
    add_for_android("memory/lend-image-region", test_lend_image);
    add_for_android("memory/reclaim-spares-new-mappings", test_lend_unmapped);
}
