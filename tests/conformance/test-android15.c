/* SPDX-License-Identifier: GPL-2.0-or-later
 * The Android 15 and 16 family where it differs from android14: facts 7.
 */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gunyah.h"

#define REV "rev=android15"

static Vm *vm_new_rev(const char *rev, const char *more)
{
    g_autofree char *knobs = g_strconcat("rev=", rev, more, NULL);

    return vm_new(knobs);
}

static void test_probe(void)
{
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new(REV);
    assert_errno(vm_call(vm, GH_VM_SET_USER_MEM_REGION, NULL), EFAULT);
    assert_errno(vm_call(vm, GH_VM_SET_BOOT_CONTEXT, NULL), EFAULT);
    assert_errno(vm_call(vm, GH_VM_RECLAIM_REGION, NULL), EFAULT);
    assert_errno(vm_call(vm, GH_VM_ANDROID_MAP_CMA_MEM, NULL), EFAULT);
    assert_errno(vm_call(vm, GH_VM_ANDROID_SET_AUTH_TYPE, NULL), EFAULT);
    assert_errno(vm_call(vm, GH_VM_MAP_MEM, NULL), ENOTTY);
    g_assert_cmpint(vm_call(vm, GH_VM_ANDROID_CHECK_EXTENSION, NULL), ==, 0);
}

static void test_vcpu_unknown(gconstpointer rev)
{
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new_rev(rev, "");
    assert_ok(add_vcpu(vm, 0));
    assert_errno(host->ioctl(vm->vcpu[0], _IO('G', 0x77), 0), ENOTTY);
}

static void test_labels(void)
{
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new(REV);
    assert_ok(add_region(vm, 1, RAM_GPA, 4096, vm->ram, false));
    assert_ok(add_region(vm, 1, RAM_GPA + 4096, 4096, vm->ram, false));
    assert_errno(add_region(vm, 2, RAM_GPA, 4096, vm->ram, false), EEXIST);
}

/* A VM with RAM as ever and one page more at hva runs into attempt's errno. */
static void check_absent(const void *hva, int err)
{
    g_autoptr(Vm) vm = vm_new(REV);

    assert_ok(add_region(vm, 9, RAM_GPA + RAM_SIZE, 4096, hva, false));
    start(vm, NULL, "w4 0x9000000 1");
    assert_ok(run(vm, 0));
    g_assert_cmpuint(vm->run[0]->exit_reason, ==, GH_VCPU_EXIT_PAGE_FAULT);
    g_assert_cmpint(vm->run[0]->page_fault.attempt, ==, -err);
}

/* The region call looks at no page. */
static void test_unmapped_late(void)
{
    uint8_t *gone;

    if (model_only()) {
        return;
    }
    gone = map_private(4096);
    munmap(gone, 4096);
    check_absent(gone, EFAULT);
    check_absent((const void *)(uintptr_t)-4096, EFAULT);
}

static void test_swap_backed(void)
{
    g_autofree char *path = NULL;
    void *map;
    int fd;

    if (model_only()) {
        return;
    }
    fd = g_file_open_tmp("humpy-XXXXXX", &path, NULL);
    g_assert_cmpint(fd, >=, 0);
    unlink(path);
    if (ftruncate(fd, 4096) < 0) {
        g_assert_not_reached();
    }
    map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (g_str_has_prefix(path, "/dev/shm")) {
        g_test_skip("temporary files are in memory here");
    } else {
        check_absent(map, EIO);
    }
    munmap(map, 4096);
}

static void test_remove_size_0(gconstpointer rev)
{
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new_rev(rev, "");
    assert_ok(add_vcpu(vm, 0));
    assert_errno(remove_function(vm, GH_FN_VCPU, NULL, 0), ENOENT);
}

static void test_fw_overflow(void)
{
    const struct gh_vm_firmware_config fw = { .guest_phys_addr = UINT64_MAX, .size = 2 };
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new(REV);
    assert_errno(vm_call(vm, GH_VM_ANDROID_SET_FW_CONFIG, &fw), EOVERFLOW);
}

static int boot_context(Vm *vm, unsigned set, unsigned index, uint64_t value)
{
    const struct gh_vm_boot_context context = { .reg = GH_BOOT_CONTEXT_REG(set, index),
                                                .value = value };

    return vm_call(vm, GH_VM_SET_BOOT_CONTEXT, &context);
}

static void test_boot_context(gconstpointer rev)
{
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new_rev(rev, "");
    assert_errno(boot_context(vm, GH_BOOT_CONTEXT_SET_X, 32, 0), EINVAL);
    assert_errno(boot_context(vm, GH_BOOT_CONTEXT_SET_PC, 1, 0), EINVAL);
    assert_errno(boot_context(vm, GH_BOOT_CONTEXT_SET_SP, 3, 0), EINVAL);
    assert_errno(boot_context(vm, 3, 0, 0), EINVAL);
    assert_ok(boot_context(vm, GH_BOOT_CONTEXT_SET_PC, 0, RAM_GPA + 0x1000));
    assert_ok(boot_context(vm, GH_BOOT_CONTEXT_SET_X, 3, 42));
    start(vm, NULL, "off");
    assert_guest_saw("boot 0 pc=0x80001000 x0=0x80100000");
    assert_guest_saw("set 0 reg3=0x2a");
    assert_errno(boot_context(vm, GH_BOOT_CONTEXT_SET_PC, 0, 0), EINVAL);
}

/* The driver takes SP index 2, the resource manager does not. */
static void test_boot_context_rm(gconstpointer rev)
{
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new_rev(rev, "");
    assert_ok(boot_context(vm, GH_BOOT_CONTEXT_SET_SP, 2, 0));
    prepare(vm, &(DtSpec){ .n_cpus = 1 }, false);
    assert_errno(vm_call(vm, GH_VM_START, NULL), EINVAL);
}

static void test_extension(void)
{
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new(REV ",extension=1");
    g_assert_cmpint(vm_call(vm, GH_VM_ANDROID_CHECK_EXTENSION, NULL), ==, 1);
}

static int reclaim(Vm *vm, uint64_t gpa, uint64_t size)
{
    const struct gh_address_range range = { gpa, size };

    return vm_call(vm, GH_VM_RECLAIM_REGION, &range);
}

static void test_reclaim(void)
{
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new(REV);
    prepare(vm, &(DtSpec){ .n_cpus = 1 }, true);
    assert_errno(reclaim(vm, RAM_GPA + 1, 4096), EINVAL);
    assert_ok(reclaim(vm, RAM_GPA, RAM_SIZE)); /* still the caller's */
    assert_ok(vm_call(vm, GH_VM_START, NULL));
    assert_errno(reclaim(vm, RAM_GPA, RAM_SIZE), EBUSY);
    g_assert_true(gunyah_model_vm_exit(vm->vm, GH_RM_EXIT_TYPE_VM_EXIT, NULL, 0));
    assert_ok(reclaim(vm, RAM_GPA, RAM_SIZE));
    ((volatile uint8_t *)vm->ram)[0] = 1; /* no fault */
}

/* No page is in a range without size, or in one that wraps. */
static void test_reclaim_nothing(void)
{
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new(REV);
    prepare(vm, &(DtSpec){ .n_cpus = 1 }, true);
    assert_ok(vm_call(vm, GH_VM_START, NULL));
    assert_ok(reclaim(vm, RAM_GPA, 0));
    assert_ok(reclaim(vm, -4096ULL, 8192));
    assert_errno(reclaim(vm, RAM_GPA, 4095), EINVAL);
}

static void test_resume_action(gconstpointer rev)
{
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new_rev(rev, "");
    start(vm, NULL, "r4 0x9000000; w4 0x9000004 7; w4 0x9000008 8; off");
    vm->run[0]->mmio.resume_action = 0x5a;
    assert_ok(run(vm, 0));
    g_assert_cmpuint(vm->run[0]->mmio.resume_action, ==, GH_VCPU_RESUME_HANDLED); /* preset */
    vm->run[0]->mmio.resume_action = GH_VCPU_RESUME_FAULT;
    assert_ok(run(vm, 0));
    assert_guest_saw("0 fault 0x9000000");
    vm->run[0]->mmio.resume_action = GH_VCPU_RESUME_RETRY;
    assert_ok(run(vm, 0));
    g_assert_cmphex(vm->run[0]->mmio.phys_addr, ==, DEVICE + 4); /* the same again */
    vm->run[0]->mmio.resume_action = 9;
    assert_errno(run(vm, 0), EINVAL);
}

static void test_page_fault(gconstpointer rev)
{
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new_rev(rev, ",page-fault=2");
    start(vm, NULL, "w4 0x9000000 1");
    for (int i = 0; i < 2; i++) {
        assert_ok(run(vm, 0)); /* running again retries, whatever resume_action says */
        g_assert_cmpuint(vm->run[0]->exit_reason, ==, GH_VCPU_EXIT_PAGE_FAULT);
        g_assert_cmpint(vm->run[0]->page_fault.attempt, ==, -ENOMEM);
        g_assert_cmpuint(vm->run[0]->page_fault.resume_action, ==, GH_VCPU_RESUME_FAULT);
    }
    assert_ok(run(vm, 0));
    g_assert_cmpuint(vm->run[0]->exit_reason, ==, GH_VCPU_EXIT_MMIO);
}

/* memlock is charged when a page is touched, so the region call succeeds. */
static void test_memlock_late(void)
{
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new(REV ",memlock=1M");
    start(vm, NULL, "w4 0x9000000 1");
    assert_ok(run(vm, 0));
    g_assert_cmpuint(vm->run[0]->exit_reason, ==, GH_VCPU_EXIT_PAGE_FAULT);
    g_assert_cmpint(vm->run[0]->page_fault.attempt, ==, -ENOMEM);
}

static void test_run_elsewhere(gconstpointer rev)
{
    g_autoptr(Vm) vm = NULL;
    pid_t child;
    int status;

    if (model_only()) {
        return;
    }
    vm = vm_new_rev(rev, "");
    start(vm, NULL, "w4 0x9000000 1");
    child = fork();
    if (child == 0) {
        _exit(run(vm, 0) == -1 && errno == EPERM ? 0 : 1);
    }
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_cmpint(status, ==, 0);
}

static void test_rights(void)
{
    g_autoptr(Vm) shared = NULL;
    g_autoptr(Vm) lent = NULL;

    if (model_only()) {
        return;
    }
    shared = vm_new(REV);
    start(shared, NULL, "off");
    assert_guest_saw("map 0x80000000+0x400000 rw-");
    g_clear_pointer(&shared, vm_free);
    lent = vm_new(REV);
    prepare(lent, &(DtSpec){ .n_cpus = 1 }, true);
    assert_ok(vm_call(lent, GH_VM_START, NULL));
    assert_guest_saw("map 0x80000000+0x400000 rwx");
}

static void test_late_region(void)
{
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new(REV);
    start(vm, NULL, "w4 0x9000000 1");
    assert_ok(add_region(vm, 1, 0x90000000, 4096, vm->ram, false));
    assert_guest_saw("map 0x90000000+0x1000 rw-");
}

static void test_synchronous_close(gconstpointer rev)
{
    GunyahModelStats stats;
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new_rev(rev, ",teardown-ms=50");
    vm_close(&vm->vm);
    gunyah_model_stats(&stats); /* no settling */
    g_assert_cmpuint(stats.vms, ==, 0);
}

static int map_cma(Vm *vm, int fd, uint64_t gpa, uint64_t offset, uint64_t size, uint32_t flags)
{
    const struct gh_map_cma_mem_args args = {
        .guest_addr = gpa, .flags = flags, .guest_mem_fd = (__u32)fd, .offset = offset, .size = size
    };

    return vm_call(vm, GH_VM_ANDROID_MAP_CMA_MEM, &args);
}

static void test_cma_node(void)
{
    int node, fd;

    if (model_only()) {
        return;
    }
    g_assert_true(gunyah_model_configure("engine=script," REV, NULL));
    assert_errno(host->open(GUNYAH_MODEL_CMA_PATH, 2), ENOENT); /* no such platform */
    g_assert_true(gunyah_model_configure("engine=script,cma=8M," REV, NULL));
    node = host->open(GUNYAH_MODEL_CMA_PATH, 2);
    assert_ok(node);
    assert_errno(host->ioctl(node, GH_CREATE_VM, 0), ENOTTY);
    fd = host->ioctl(node, GH_ANDROID_CREATE_CMA_MEM_FD, 0);
    assert_ok(fd);
    g_assert_cmpint(lseek(fd, 0, SEEK_END), ==, 8 << 20);
    vm_close(&fd);
    vm_close(&node);
}

static void test_cma_arguments(void)
{
    g_autoptr(Vm) vm = NULL;
    int node, fd;

    if (model_only()) {
        return;
    }
    vm = vm_new(REV ",cma=8M");
    node = host->open(GUNYAH_MODEL_CMA_PATH, 2);
    fd = host->ioctl(node, GH_ANDROID_CREATE_CMA_MEM_FD, 0);
    assert_ok(fd);
    assert_errno(map_cma(vm, fd, RAM_GPA, 0, 0, 7), EINVAL);
    assert_errno(map_cma(vm, fd, RAM_GPA, 0, 4095, 7), EINVAL);
    assert_errno(map_cma(vm, fd, RAM_GPA + 1, 0, 4096, 7), EINVAL);
    assert_errno(map_cma(vm, fd, -4096ULL, 0, 8192, 7), EOVERFLOW);
    assert_errno(map_cma(vm, 9999, RAM_GPA, 0, 4096, 7), EBADF);
    assert_errno(map_cma(vm, vm->vm, RAM_GPA, 0, 4096, 7), EINVAL);
    assert_errno(map_cma(vm, fd, RAM_GPA, 8 << 20, 4096, 7), EOVERFLOW);
    assert_ok(map_cma(vm, fd, RAM_GPA, 4096, 8192, 7));
    assert_errno(map_cma(vm, fd, RAM_GPA + 4096, 0, 4096, 7), EEXIST);
    assert_ok(map_cma(vm, fd, RAM_GPA, 4096, 8192, GH_CMA_UNMAP));
    vm_close(&fd);
    vm_close(&node);
}

/* The image lent, a page behind it shared; the descriptors may go. */
static void test_cma_boot(void)
{
    const uint64_t window = RAM_GPA + RAM_SIZE;
    const DtSpec dt = { .n_cpus = 1 };
    g_autoptr(Vm) vm = NULL;
    uint8_t *memory;
    int node, fd;

    if (model_only()) {
        return;
    }
    vm = vm_new(REV ",cma=8M,policy=lend");
    node = host->open(GUNYAH_MODEL_CMA_PATH, 2);
    fd = host->ioctl(node, GH_ANDROID_CREATE_CMA_MEM_FD, 0);
    memory = host->mmap(NULL, 8 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    g_assert_true(memory != MAP_FAILED);
    write_dtb(memory + (DTB_GPA - RAM_GPA), &dt);
    assert_ok(map_cma(vm, fd, RAM_GPA, 0, RAM_SIZE, 7 | GH_CMA_FORCE_LEND));
    assert_ok(map_cma(vm, fd, window, RAM_SIZE, 4096, 7 | GH_CMA_FORCE_SHARE));
    vm_close(&fd);
    vm_close(&node);
    assert_ok(set_dtb(vm, DTB_GPA, DTB_ROOM));
    assert_ok(add_vcpu(vm, 0));
    g_assert_true(engine_script_set("w1 0x80400001 0x43; off", NULL));
    assert_ok(vm_call(vm, GH_VM_START, NULL));
    assert_ok(run(vm, 0));
    g_assert_cmphex(memory[RAM_SIZE + 1], ==, 0x43);
    g_assert_cmpint(touch(memory), ==, SIGBUS);
    g_assert_cmpint(touch(memory + RAM_SIZE), ==, 0);
    host->munmap(memory, 8 << 20);
}

/* What the v17 posting has in common with it. */
static const struct {
    const char *rule;
    GTestDataFunc fn;
} shared_with_v17[] = {
    { "vcpu/unknown-call-is-enotty", test_vcpu_unknown },
    { "function/remove-with-size-0-is-enoent", test_remove_size_0 },
    { "boot-context/registers", test_boot_context },
    { "boot-context/rm-refuses-sp-2", test_boot_context_rm },
    { "run/resume-action", test_resume_action },
    { "run/page-fault", test_page_fault },
    { "run/other-process-is-eperm", test_run_elsewhere },
    { "close/teardown-is-in-the-last-close", test_synchronous_close },
};

void add_android15_tests(void)
{
    g_test_add_func("/android15/probe/null-tells-which-calls-exist", test_probe);
    g_test_add_func("/android15/memory/labels-may-repeat", test_labels);
    g_test_add_func("/android15/memory/file-backed-is-eio-late", test_swap_backed);
    g_test_add_func("/android15/memory/unmapped-is-efault-late", test_unmapped_late);
    g_test_add_func("/android15/memory/reclaim-of-nothing", test_reclaim_nothing);
    g_test_add_func("/android15/memory/memlock-is-charged-late", test_memlock_late);
    g_test_add_func("/android15/memory/shared-is-not-executable", test_rights);
    g_test_add_func("/android15/memory/late-region-is-given", test_late_region);
    g_test_add_func("/android15/memory/reclaim-region", test_reclaim);
    g_test_add_func("/android15/firmware/overflow", test_fw_overflow);
    g_test_add_func("/android15/cma/node-gives-the-platform's-memory", test_cma_node);
    g_test_add_func("/android15/cma/arguments", test_cma_arguments);
    g_test_add_func("/android15/cma/guest-runs-from-it", test_cma_boot);
    g_test_add_func("/android15/extension/zero-is-the-platforms", test_extension);
    for (unsigned i = 0; i < G_N_ELEMENTS(shared_with_v17); i++) {
        g_autofree char *here = g_strdup_printf("/android15/%s", shared_with_v17[i].rule);
        g_autofree char *there = g_strdup_printf("/v17/%s", shared_with_v17[i].rule);

        g_test_add_data_func(here, "android15", shared_with_v17[i].fn);
        g_test_add_data_func(there, "v17", shared_with_v17[i].fn);
    }
}
