/* SPDX-License-Identifier: GPL-2.0-or-later
 * close(): who holds the VM, and when it is gone (facts 1.3 "close()").
 */
#include <sys/wait.h>
#include <unistd.h>

#include "gunyah.h"

static const DtSpec one_cpu = { .n_cpus = 1 };

static unsigned live(void)
{
    GunyahModelStats stats;

    gunyah_model_settle();
    gunyah_model_stats(&stats);
    return stats.vms;
}

static void unmap_run(Vm *vm)
{
    host->munmap(vm->run[0], (size_t)sysconf(_SC_PAGESIZE));
    vm->run[0] = NULL;
}

static void test_vcpu_holds(void)
{
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new(NULL);
    start(vm, NULL, "w4 0x9000000 1");
    vm_close(&vm->vm);
    g_assert_cmpuint(live(), ==, 1);
    assert_ok(run(vm, 0)); /* and it still runs */
    vm_close(&vm->vcpu[0]);
    g_assert_cmpuint(live(), ==, 1); /* the mapping is a file reference too */
    unmap_run(vm);
    g_assert_cmpuint(live(), ==, 0);
}

static void test_device_does_not_hold(void)
{
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new(NULL);
    vm_close(&vm->vm);
    g_assert_cmpuint(live(), ==, 0);
}

/* close() without going through us: exec, exit of a library, a plain program. */
static void test_plain_close(void)
{
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new(NULL);
    close(vm->vm);
    vm->vm = -1;
    g_assert_cmpuint(live(), ==, 0);
}

static void test_child_holds(void)
{
    g_autoptr(Vm) vm = NULL;
    int go[2];
    pid_t child;

    if (model_only()) {
        return;
    }
    vm = vm_new(NULL);
    g_assert_cmpint(pipe(go), ==, 0);
    child = fork();
    if (child == 0) {
        char byte;

        close(go[1]);
        _exit(read(go[0], &byte, 1) == 0 ? 0 : 1);
    }
    close(go[0]);
    vm_close(&vm->vm);
    g_assert_cmpuint(live(), ==, 1);
    close(go[1]);
    waitpid(child, NULL, 0);
    g_assert_cmpuint(live(), ==, 0);
}

/* android14 tears down in a worker: an immediate relaunch can find no room. */
static void test_asynchronous(void)
{
    g_autoptr(Vm) vm = NULL;
    g_autofree Vm *next = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new("capacity=1,capacity-code=5,teardown-ms=300");
    prepare(vm, &one_cpu, false);
    assert_ok(vm_call(vm, GH_VM_START, NULL));
    next = g_new0(Vm, 1);
    next->ram = map_shared(RAM_SIZE);
    next->vm = host->ioctl(vm->dev, GH_CREATE_VM, 0);
    prepare(next, &one_cpu, false);
    vm_close(&vm->vm);
    assert_errno(vm_call(next, GH_VM_START, NULL), EBUSY);
    gunyah_model_settle();
    assert_ok(vm_call(next, GH_VM_START, NULL));
    vm_close(&next->vm);
    gunyah_model_settle();
    munmap(next->ram, RAM_SIZE);
}

static void test_functions_need_no_removal(void)
{
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new(NULL);
    for (unsigned i = 0; i < 8; i++) {
        assert_ok(add_vcpu(vm, i));
    }
}

void add_teardown_tests(void)
{
    add_for_all("close/vcpu-fd-and-mapping-hold-the-vm", test_vcpu_holds);
    add_for_all("close/device-does-not-hold-the-vm", test_device_does_not_hold);
    add_for_all("close/plain-close-counts", test_plain_close);
    add_for_all("close/child-holds-the-vm", test_child_holds);
    g_test_add_func("/android14/close/teardown-is-asynchronous", test_asynchronous);
    add_for_all("close/functions-go-with-the-vm", test_functions_need_no_removal);
}
