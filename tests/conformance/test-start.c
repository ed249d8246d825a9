/* SPDX-License-Identifier: GPL-2.0-or-later
 * VM_START: its states, the resource manager's replies and their errno, and what may be retried
 * (facts 1.3 "VM_START").
 */
#include "gunyah.h"

static const DtSpec one_cpu = { .n_cpus = 1 };

static void test_twice(void)
{
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new(NULL);
    start(vm, NULL, "off");
    assert_ok(vm_call(vm, GH_VM_START, NULL));
}

static void test_after_exit(void)
{
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new(NULL);
    start(vm, NULL, "off");
    assert_ok(run(vm, 0));
    assert_errno(vm_call(vm, GH_VM_START, NULL), ENODEV);
}

static void test_no_dtb(void)
{
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new(NULL);
    assert_ok(add_region(vm, 0, RAM_GPA, RAM_SIZE, vm->ram, false));
    assert_ok(set_dtb(vm, RAM_GPA + RAM_SIZE, 4096));
    assert_errno(vm_call(vm, GH_VM_START, NULL), EINVAL);
    assert_dmesg_has("DTB");
    assert_errno(vm_call(vm, GH_VM_START, NULL), ENODEV); /* the VMID was there already */
}

/* The range, not only its start, and in one region. */
static void test_dtb_across_regions(void)
{
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new(NULL);
    write_dtb(vm->ram, &one_cpu);
    assert_ok(add_region(vm, 0, RAM_GPA, 4096, vm->ram, false));
    assert_ok(add_region(vm, 1, RAM_GPA + 4096, 4096, (uint8_t *)vm->ram + 4096, false));
    assert_ok(set_dtb(vm, RAM_GPA, 8192));
    assert_errno(vm_call(vm, GH_VM_START, NULL), EINVAL);
}

static void test_dtb_last_wins(void)
{
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new(NULL);
    assert_ok(set_dtb(vm, 0, 1));
    prepare(vm, &one_cpu, false);
    assert_ok(vm_call(vm, GH_VM_START, NULL));
}

static void test_firmware_range(void)
{
    const struct gh_vm_firmware_config fw = { .guest_phys_addr = 0x7fc00000, .size = 4096 };
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new(NULL);
    prepare(vm, &one_cpu, true);
    assert_ok(vm_call(vm, GH_VM_ANDROID_SET_FW_CONFIG, &fw));
    assert_errno(vm_call(vm, GH_VM_START, NULL), EINVAL);
}

/* A failed START leaves a dead VM whose vCPUs were never there. */
static void test_failed_is_final(void)
{
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new("fail=init:6");
    prepare(vm, &one_cpu, false);
    assert_ok(add_vcpu(vm, 0));
    assert_errno(vm_call(vm, GH_VM_START, NULL), EINVAL);
    assert_errno(vm_call(vm, GH_VM_START, NULL), ENODEV);
    assert_errno(run(vm, 0), ENODEV);
}

/* The vCPUs were there, the VM never ran. */
static void test_load_failed_status(void)
{
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new("fail=start:3");
    prepare(vm, &one_cpu, false);
    assert_ok(add_vcpu(vm, 0));
    assert_errno(vm_call(vm, GH_VM_START, NULL), EPERM);
    assert_dmesg_has("start VM");
    assert_ok(run(vm, 0));
    g_assert_cmpuint(vm->run[0]->exit_reason, ==, GH_VCPU_EXIT_STATUS);
    g_assert_cmpuint(vm->run[0]->status.status, ==, GH_VM_STATUS_LOAD_FAILED);
}

/* Before the VMID: the one failure that may be retried. */
static void test_retry_before_vmid(void)
{
    g_autoptr(Vm) first = NULL;
    g_autofree Vm *second = NULL;

    if (model_only()) {
        return;
    }
    first = vm_new("capacity=1");
    prepare(first, &one_cpu, false);
    assert_ok(vm_call(first, GH_VM_START, NULL));
    second = g_new0(Vm, 1);
    second->dev = first->dev;
    second->ram = map_shared(RAM_SIZE);
    second->vm = host->ioctl(first->dev, GH_CREATE_VM, 0);
    prepare(second, &one_cpu, false);
    assert_errno(vm_call(second, GH_VM_START, NULL), ENODEV);
    vm_close(&first->vm);
    gunyah_model_settle();
    assert_ok(vm_call(second, GH_VM_START, NULL));
    vm_close(&second->vm);
    gunyah_model_settle();
    munmap(second->ram, RAM_SIZE);
}

static void test_rm_replies(void)
{
    static const struct {
        const char *code;
        int err;
    } rows[] = {
        { "unimplemented", EOPNOTSUPP },
        { "1", ENOMEM },
        { "2", ENODEV },
        { "3", EPERM },
        { "5", EBUSY },
        { "4", EINVAL },
        { "6", EINVAL },
        { "10", EINVAL },
        { "17", EINVAL },
        { "18", EBADMSG },
        { "99", EBADMSG },
    };

    if (model_only()) {
        return;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *knob = g_strdup_printf("fail=configure:%s", rows[i].code);
        g_autoptr(Vm) vm = vm_new(knob);

        prepare(vm, &one_cpu, false);
        assert_errno(vm_call(vm, GH_VM_START, NULL), rows[i].err);
    }
}

/* dmesg is the only place that tells the step. */
static void test_steps_in_dmesg(void)
{
    static const struct {
        const char *knob, *text;
    } rows[] = {
        { "fail=vmid:2", "allocate VMID" },     { "fail=parcel:3", "share parcel 0" },
        { "fail=configure:6", "configure VM" }, { "fail=init:10", "initialize VM" },
        { "fail=resources:2", "resources" },    { "fail=start:4", "start VM" },
    };

    if (model_only()) {
        return;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(Vm) vm = vm_new(rows[i].knob);

        prepare(vm, &one_cpu, false);
        g_assert_cmpint(vm_call(vm, GH_VM_START, NULL), ==, -1);
        assert_dmesg_has(rows[i].text);
    }
}

/* Most phones: only lent images. */
static void test_lend_only(void)
{
    g_autoptr(Vm) vm = NULL;
    g_autoptr(Vm) lent = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new("policy=lend");
    prepare(vm, &one_cpu, false);
    assert_errno(vm_call(vm, GH_VM_START, NULL), ENODEV);
    g_clear_pointer(&vm, vm_free);
    lent = vm_new("policy=lend");
    prepare(lent, &one_cpu, true);
    assert_ok(vm_call(lent, GH_VM_START, NULL));
}

static void test_share_only(void)
{
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new("policy=share");
    prepare(vm, &one_cpu, true);
    assert_errno(vm_call(vm, GH_VM_START, NULL), EPERM);
    assert_dmesg_has("Failed to lend parcel 0");
}

static void check_parcels(unsigned n, bool ok)
{
    g_autoptr(Vm) vm = vm_new(NULL);
    uint8_t *extra = map_shared(4096ULL * n);

    prepare(vm, &one_cpu, false);
    for (unsigned i = 1; i < n; i++) {
        assert_ok(
            add_region(vm, i, RAM_GPA + RAM_SIZE + 4096ULL * i, 4096, extra + 4096ULL * i, true));
    }
    if (ok) {
        assert_ok(vm_call(vm, GH_VM_START, NULL));
    } else {
        assert_errno(vm_call(vm, GH_VM_START, NULL), ENODEV);
    }
    g_clear_pointer(&vm, vm_free);
    munmap(extra, 4096ULL * n);
}

static void test_64_parcels(void)
{
    if (!model_only()) {
        check_parcels(64, true);
        check_parcels(65, false);
    }
}

void add_start_tests(void)
{
    add_for_all("start/second-is-0", test_twice);
    add_for_all("start/after-exit-is-enodev", test_after_exit);
    g_test_add_func("/android14/start/dtb-outside-is-einval", test_no_dtb);
    g_test_add_func("/android14/start/dtb-across-regions-is-einval", test_dtb_across_regions);
    add_for_all("start/last-dtb-wins", test_dtb_last_wins);
    g_test_add_func("/android14/start/firmware-outside-is-einval", test_firmware_range);
    add_for_all("start/failed-is-final", test_failed_is_final);
    add_for_all("start/failed-late-is-load-failed", test_load_failed_status);
    add_for_all("start/no-vmid-may-be-retried", test_retry_before_vmid);
    add_for_all("start/rm-replies", test_rm_replies);
    g_test_add_func("/android14/start/dmesg-names-the-step", test_steps_in_dmesg);
    add_for_all("start/lend-only-resource-manager", test_lend_only);
    g_test_add_func("/android14/start/share-only-resource-manager", test_share_only);
    g_test_add_func("/android14/start/64-parcels-at-most", test_64_parcels);
}
