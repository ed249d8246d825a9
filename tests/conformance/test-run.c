/* SPDX-License-Identifier: GPL-2.0-or-later
 * VCPU_RUN and the page it shares: facts 1.3 "VCPU_RUN", "Exit status".
 */
#include <string.h>

#include "gunyah.h"

static void test_before_start(void)
{
    g_autoptr(Vm) vm = vm_new(NULL);

    assert_ok(add_vcpu(vm, 0));
    assert_errno(run(vm, 0), ENODEV);
}

static void test_mmio_write(void)
{
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new(NULL);
    start(vm, NULL, "w4 0x9000000 0x11223344; w1 0x9000001 0xff");
    vm->run[0]->mmio.resume_action = 0x5a; /* padding on this family */
    assert_ok(run(vm, 0));
    g_assert_cmpuint(vm->run[0]->exit_reason, ==, GH_VCPU_EXIT_MMIO);
    g_assert_cmphex(vm->run[0]->mmio.phys_addr, ==, DEVICE);
    g_assert_cmpuint(vm->run[0]->mmio.len, ==, 4);
    g_assert_cmpuint(vm->run[0]->mmio.is_write, ==, 1);
    g_assert_cmpmem(vm->run[0]->mmio.data, 8, "\x44\x33\x22\x11\0\0\0\0", 8);
    g_assert_cmphex(vm->run[0]->mmio.resume_action, ==, 0x5a);
    assert_ok(run(vm, 0));
    g_assert_cmphex(vm->run[0]->mmio.phys_addr, ==, DEVICE + 1);
}

static void test_mmio_read(void)
{
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new(NULL);
    start(vm, NULL, "r4 0x9000000; r1 0x9000004; off");
    memset(vm->run[0]->mmio.data, 0xee, 8);
    assert_ok(run(vm, 0));
    g_assert_cmpuint(vm->run[0]->mmio.is_write, ==, 0);
    g_assert_cmphex(vm->run[0]->mmio.data[0], ==, 0xee); /* left alone */
    memcpy(vm->run[0]->mmio.data, "\x78\x56\x34\x12\xff\xff\xff\xff", 8);
    assert_ok(run(vm, 0));
    assert_guest_saw("0 r4 0x9000000 = 0x12345678");
    vm->run[0]->mmio.data[0] = 0x90;
    assert_ok(run(vm, 0));
    assert_guest_saw("0 r1 0x9000004 = 0x90");
}

static void test_no_exit_above(void)
{
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new(NULL);
    start(vm, NULL, "r4 0x40000000; w4 0x3ffffffc 1");
    assert_ok(run(vm, 0));
    g_assert_cmphex(vm->run[0]->mmio.phys_addr, ==, 0x3ffffffc);
    assert_guest_saw("0 abort 0x40000000");
}

static void test_boot_state(void)
{
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new(NULL);
    start(vm, NULL, "off");
    assert_guest_saw("boot 0 pc=0x80000000 x0=0x80100000");
}

static void check_status(const char *step, unsigned type)
{
    g_autoptr(Vm) vm = vm_new(NULL);

    start(vm, NULL, step);
    assert_ok(run(vm, 0));
    g_assert_cmpuint(vm->run[0]->exit_reason, ==, GH_VCPU_EXIT_STATUS);
    g_assert_cmpuint(vm->run[0]->status.status, ==, GH_VM_STATUS_EXITED);
    g_assert_cmpuint(vm->run[0]->status.exit_info.type, ==, type);
    g_assert_cmpuint(vm->run[0]->status.exit_info.reason_size, ==, 0);
}

static void test_status_types(void)
{
    if (model_only()) {
        return;
    }
    check_status("off", GH_RM_EXIT_TYPE_PSCI_SYSTEM_OFF);
    check_status("reset", GH_RM_EXIT_TYPE_PSCI_SYSTEM_RESET);
    check_status("reset2", GH_RM_EXIT_TYPE_PSCI_SYSTEM_RESET2);
    check_status("error", GH_RM_EXIT_TYPE_HYP_ERROR);
}

static void test_status_reason(void)
{
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new(NULL);
    start(vm, NULL, "spin");
    g_assert_true(gunyah_model_vm_exit(vm->vm, GH_RM_EXIT_TYPE_WDT_BITE, "abc", 3));
    assert_ok(run(vm, 0));
    g_assert_cmpuint(vm->run[0]->status.exit_info.type, ==, GH_RM_EXIT_TYPE_WDT_BITE);
    g_assert_cmpuint(vm->run[0]->status.exit_info.reason_size, ==, 3);
    g_assert_cmpmem(vm->run[0]->status.exit_info.reason, 3, "abc", 3);
}

static void test_status_crashed(void)
{
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new(NULL);
    start(vm, NULL, "spin");
    g_assert_true(gunyah_model_vm_exit(vm->vm, -1, NULL, 0));
    assert_ok(run(vm, 0));
    g_assert_cmpuint(vm->run[0]->status.status, ==, GH_VM_STATUS_CRASHED);
}

static void test_status_once(void)
{
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new(NULL);
    start(vm, NULL, "off");
    assert_ok(run(vm, 0));
    memset(vm->run[0], 0, sizeof(*vm->run[0]));
    assert_ok(run(vm, 0));
    g_assert_cmpuint(vm->run[0]->exit_reason, ==, 0);
}

static void test_status_all(void)
{
    const DtSpec dt = { .n_cpus = 2 };
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new(NULL);
    start(vm, &dt, "off");
    assert_ok(run(vm, 0));
    assert_ok(run(vm, 1));
    g_assert_cmpuint(vm->run[1]->exit_reason, ==, GH_VCPU_EXIT_STATUS);
}

typedef struct {
    Vm *vm;
    unsigned vcpu;
    int ret;
} Runner;

static gpointer runner(gpointer opaque)
{
    Runner *r = opaque;

    r->ret = run(r->vm, r->vcpu);
    return NULL;
}

/* A powered-off vCPU sleeps in the call, and the VM's end wakes it. */
static void test_status_wakes(void)
{
    const DtSpec dt = { .n_cpus = 2 };
    g_autoptr(Vm) vm = NULL;
    GThread *thread;
    Runner r;

    if (model_only()) {
        return;
    }
    vm = vm_new(NULL);
    start(vm, &dt, "w4 0x9000000 1; off");
    r = (Runner){ vm, 1, -1 };
    thread = g_thread_new("vcpu1", runner, &r);
    assert_ok(run(vm, 0));
    assert_ok(run(vm, 0));
    g_thread_join(thread);
    g_assert_cmpint(r.ret, ==, 0);
    g_assert_cmpuint(vm->run[1]->exit_reason, ==, GH_VCPU_EXIT_STATUS);
}

static void test_secondary(void)
{
    const DtSpec dt = { .n_cpus = 2 };
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new(NULL);
    start(vm, &dt, "on 1; w4 0x9000000 1; 1: w4 0x9000010 2");
    assert_ok(run(vm, 0));
    assert_ok(run(vm, 1));
    g_assert_cmphex(vm->run[1]->mmio.phys_addr, ==, DEVICE + 0x10);
}

static void test_immediate_exit(void)
{
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new(NULL);
    start(vm, NULL, "w4 0x9000000 1");
    vm->run[0]->immediate_exit = 1;
    vm->run[0]->exit_reason = 77;
    assert_errno(run(vm, 0), EINTR);
    g_assert_cmpuint(vm->run[0]->exit_reason, ==, 77);
    g_assert_cmpuint(vm->run[0]->immediate_exit, ==, 1); /* never cleared by the kernel */
    vm->run[0]->immediate_exit = 0;
    assert_ok(run(vm, 0));
}

static void test_no_cpu_node(void)
{
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new(NULL);
    assert_ok(add_vcpu(vm, 5));
    start(vm, NULL, "off");
    assert_errno(run(vm, 5), ENODEV);
}

static void test_removed(void)
{
    const struct gh_fn_vcpu_arg arg = { 0 };
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new(NULL);
    start(vm, NULL, "off");
    assert_ok(remove_function(vm, GH_FN_VCPU, &arg, sizeof(arg)));
    assert_errno(run(vm, 0), ENODEV);
}

static void test_late_vcpu(void)
{
    const DtSpec dt = { .n_cpus = 1 };
    g_autoptr(GError) error = NULL;
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new(NULL);
    engine_script_set("w4 0x9000000 1", &error);
    g_assert_no_error(error);
    prepare(vm, &dt, false);
    assert_ok(vm_call(vm, GH_VM_START, NULL));
    assert_ok(add_vcpu(vm, 0));
    assert_ok(run(vm, 0));
}

static void test_hypervisor_errors(void)
{
    static const struct {
        const char *knob;
        int err;
    } rows[] = {
        { "run-error=nomem", ENOMEM },     { "run-error=denied", EACCES },
        { "run-error=cspace", EACCES },    { "run-error=busy", EBUSY },
        { "run-error=idle", EBUSY },       { "run-error=irq", EIO },
        { "run-error=msgq", EIO },         { "run-error=unimplemented", EOPNOTSUPP },
        { "run-error=retry", EOPNOTSUPP }, { "run-error=arg", EINVAL },
    };

    if (model_only()) {
        return;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(Vm) vm = vm_new(rows[i].knob);

        start(vm, NULL, "off");
        assert_errno(run(vm, 0), rows[i].err);
    }
}

void add_run_tests(void)
{
    add_for_all("run/before-start-is-enodev", test_before_start);
    g_test_add_func("/android14/run/mmio-write-page", test_mmio_write);
    add_for_all("run/mmio-read-answer", test_mmio_read);
    add_for_all("run/no-exit-from-1-gib-on", test_no_exit_above);
    add_for_all("run/boot-state-without-auth", test_boot_state);
    add_for_all("run/status-types", test_status_types);
    add_for_all("run/status-carries-the-reason", test_status_reason);
    add_for_all("run/status-crashed", test_status_crashed);
    add_for_all("run/status-page-is-written-once", test_status_once);
    add_for_all("run/status-reaches-every-vcpu", test_status_all);
    add_for_all("run/status-wakes-sleepers", test_status_wakes);
    add_for_all("run/secondary-runs-after-cpu-on", test_secondary);
    add_for_all("run/immediate-exit-is-eintr", test_immediate_exit);
    add_for_all("run/vcpu-without-cpu-node-is-enodev", test_no_cpu_node);
    add_for_all("run/removed-vcpu-is-enodev", test_removed);
    add_for_all("run/vcpu-added-after-start-runs", test_late_vcpu);
    add_for_all("run/hypervisor-replies", test_hypervisor_errors);
}
