/* SPDX-License-Identifier: GPL-2.0-or-later
 * The life of a request slot as the default client sees it.
 */
#include "acrn.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

static AcrnVm *started(const char *script, unsigned vcpus, uint64_t flags)
{
    AcrnVm *vm;

    acrn_script(script);
    vm = acrn_vm_new(vcpus, flags, true);
    acrn_ok(vm, ACRN_IOCTL_CREATE_IOREQ_CLIENT, NULL);
    acrn_ok(vm, ACRN_IOCTL_START_VM, NULL);
    return vm;
}

static void second_client_is_eexist(void)
{
    AcrnVm *vm = acrn_vm_new(1, 0, false);

    acrn_fails(vm, ACRN_IOCTL_ATTACH_IOREQ_CLIENT, NULL, ENODEV);
    acrn_ok(vm, ACRN_IOCTL_CREATE_IOREQ_CLIENT, NULL);
    acrn_fails(vm, ACRN_IOCTL_CREATE_IOREQ_CLIENT, NULL, EEXIST);
    acrn_ok(vm, ACRN_IOCTL_DESTROY_IOREQ_CLIENT, NULL);
    acrn_ok(vm, ACRN_IOCTL_DESTROY_IOREQ_CLIENT, NULL);
    acrn_fails(vm, ACRN_IOCTL_ATTACH_IOREQ_CLIENT, NULL, ENODEV);
    acrn_ok(vm, ACRN_IOCTL_CREATE_IOREQ_CLIENT, NULL);
    acrn_vm_free(vm);
}

static void notify_checks(void)
{
    AcrnVm *vm = acrn_vm_new(2, 0, false);
    struct acrn_ioreq_notify notify = { .reserved = 1 };

    acrn_fails(vm, ACRN_IOCTL_NOTIFY_REQUEST_FINISH, &notify, EINVAL);
    notify = (struct acrn_ioreq_notify){ .vcpu = 2 };
    acrn_fails(vm, ACRN_IOCTL_NOTIFY_REQUEST_FINISH, &notify, EINVAL);
    acrn_fails(vm, ACRN_IOCTL_NOTIFY_REQUEST_FINISH, NULL, EFAULT);
    notify = (struct acrn_ioreq_notify){ .vcpu = 1, .vmid = 0x7777 }; /* vmid is ignored */
    acrn_ok(vm, ACRN_IOCTL_NOTIFY_REQUEST_FINISH, &notify);
    g_assert_cmpuint(acrn_state(vm, 1), ==, ACRN_IOREQ_STATE_FREE); /* no client: nothing done */
    acrn_vm_free(vm);
}

static void one_write(gconstpointer flags)
{
    AcrnVm *vm =
        started("w4 0xd0000000 0x12345678; o2 0x3f8 0x41; r8 0x100", 1, GPOINTER_TO_UINT(flags));
    struct acrn_io_request *slot = acrn_wait(vm, 0);

    g_assert_cmpuint(slot->type, ==, ACRN_IOREQ_TYPE_MMIO);
    g_assert_cmpuint(slot->reqs.mmio_request.direction, ==, ACRN_IOREQ_DIR_WRITE);
    g_assert_cmphex(slot->reqs.mmio_request.address, ==, 0xd0000000);
    g_assert_cmpuint(slot->reqs.mmio_request.size, ==, 4);
    g_assert_cmphex(slot->reqs.mmio_request.value, ==, 0x12345678);
    g_assert_cmpuint(slot->completion_polling, ==, GPOINTER_TO_UINT(flags) != 0);
    acrn_finish(vm, 0);
    slot = acrn_wait(vm, 0);
    g_assert_cmpuint(slot->type, ==, ACRN_IOREQ_TYPE_PORTIO);
    g_assert_cmphex(slot->reqs.pio_request.address, ==, 0x3f8);
    g_assert_cmpuint(slot->reqs.pio_request.size, ==, 2);
    g_assert_cmphex(slot->reqs.pio_request.value, ==, 0x41);
    acrn_finish(vm, 0);
    acrn_expect_log("r8 0x100 = 0x0");
    g_assert_cmpuint(acrn_state(vm, 0), ==, ACRN_IOREQ_STATE_FREE);
    acrn_vm_free(vm);
}

static void reads_get_what_fits(void)
{
    AcrnVm *vm = started("r2 0xd0000000; i1 0x60", 1, 0);

    acrn_wait(vm, 0)->reqs.mmio_request.value = 0x123456789abc;
    acrn_finish(vm, 0);
    acrn_expect_log("r2 0xd0000000 = 0x9abc");
    acrn_wait(vm, 0)->reqs.pio_request.value = 0xfff1;
    acrn_finish(vm, 0);
    acrn_expect_log("i1 0x60 = 0xf1");
    acrn_vm_free(vm);
}

/* ATTACH consumes nothing: while a request is open it returns at once. */
static void attach_is_a_level(void)
{
    AcrnVm *vm = started("w1 0xd0000000 1", 1, 0);

    acrn_wait(vm, 0);
    acrn_ok(vm, ACRN_IOCTL_ATTACH_IOREQ_CLIENT, NULL);
    acrn_ok(vm, ACRN_IOCTL_ATTACH_IOREQ_CLIENT, NULL);
    g_assert_cmpuint(acrn_state(vm, 0), ==, ACRN_IOREQ_STATE_PROCESSING);
    acrn_vm_free(vm);
}

typedef struct {
    AcrnVm *vm;
    long result;
} Attacher;

static void *attach(void *data)
{
    Attacher *a = data;

    a->result = acrn_call(a->vm, ACRN_IOCTL_ATTACH_IOREQ_CLIENT, NULL);
    return NULL;
}

static void destroy_wakes_with_enodev(void)
{
    AcrnVm *vm = started(NULL, 1, 0);
    Attacher a = { vm, 1 };
    pthread_t thread;

    pthread_create(&thread, NULL, attach, &a);
    acrn_ok(vm, ACRN_IOCTL_DESTROY_IOREQ_CLIENT, NULL);
    pthread_join(thread, NULL);
    g_assert_cmpint(a.result, ==, -ENODEV);
    acrn_vm_free(vm);
}

static gint signals;

static void on_signal(int sig)
{
    g_atomic_int_inc(&signals);
}

static void *attach_with_signal(void *data)
{
    Attacher *a = data;
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

    sigaction(SIGUSR2, &action, NULL);
    g_atomic_int_set(&signals, 1);
    return attach(a);
}

/* The result of the interrupted wait is dropped: 0, and nothing is there. */
static void a_signal_is_zero(void)
{
    AcrnVm *vm = started(NULL, 1, 0);
    Attacher a = { vm, 1 };
    pthread_t thread;

    g_atomic_int_set(&signals, 0);
    pthread_create(&thread, NULL, attach_with_signal, &a);
    while (!g_atomic_int_get(&signals)) {
        sched_yield();
    }
    while (pthread_tryjoin_np(thread, NULL) != 0) {
        pthread_kill(thread, SIGUSR2);
        sched_yield();
    }
    g_assert_cmpint(a.result, ==, 0);
    g_assert_cmpuint(acrn_state(vm, 0), ==, ACRN_IOREQ_STATE_FREE);
    acrn_vm_free(vm);
}

static void each_vcpu_has_its_slot(void)
{
    AcrnVm *vm = started("0: on 1; on 2; on 3; w4 0xd0000000 0; 1: w4 0xd0000000 1;"
                         "2: w4 0xd0000000 2; 3: w4 0xd0000000 3",
                         4, 0);

    for (unsigned i = 4; i-- > 0;) {
        g_assert_cmpuint(acrn_wait(vm, i)->reqs.mmio_request.value, ==, i);
    }
    for (unsigned i = 0; i < 4; i++) {
        acrn_finish(vm, i);
    }
    acrn_vm_free(vm);
}

/* The driver keeps the address port to itself and turns data accesses into configuration ones. */
static void pci_ports_become_config(void)
{
    AcrnVm *vm =
        started("i4 0xcfc; o4 0xcf8 0x89031a44; i4 0xcf8; o2 0xcfe 0xbeef; i1 0xcf9", 1, 0);
    struct acrn_io_request *slot = acrn_wait(vm, 0);

    acrn_expect_log("i4 0xcf8 = 0x89031a44");
    g_assert_cmpuint(slot->type, ==, ACRN_IOREQ_TYPE_PCICFG);
    g_assert_cmpuint(slot->reqs.pci_request.direction, ==, ACRN_IOREQ_DIR_WRITE);
    g_assert_cmpuint(slot->reqs.pci_request.size, ==, 2);
    g_assert_cmphex(slot->reqs.pci_request.value, ==, 0xbeef);
    g_assert_cmpuint(slot->reqs.pci_request.bus, ==, 3);
    g_assert_cmpuint(slot->reqs.pci_request.dev, ==, 3);
    g_assert_cmpuint(slot->reqs.pci_request.func, ==, 2);
    g_assert_cmphex(slot->reqs.pci_request.reg, ==, 0x946);
    acrn_finish(vm, 0);
    g_assert_cmpuint(acrn_wait(vm, 0)->type, ==, ACRN_IOREQ_TYPE_PORTIO); /* 0xCF9 is a port */
    acrn_vm_free(vm);
}

static void disabled_config_reads_ones(void)
{
    AcrnVm *vm = started("i4 0xcfc; o4 0xcfc 1; i2 0xcfe", 1, 0);

    acrn_expect_log("i2 0xcfe = 0xffff");
    acrn_vm_free(vm);
}

static void clear_completes_all(void)
{
    AcrnVm *vm = started("w4 0xd0000000 1; r4 0x10; w4 0xd0000000 2", 1, 0);

    acrn_wait(vm, 0);
    acrn_ok(vm, ACRN_IOCTL_CLEAR_VM_IOREQ, NULL);
    acrn_expect_log("r4 0x10 = 0x0");
    g_assert_cmpuint(acrn_wait(vm, 0)->reqs.mmio_request.value, ==, 2);
    acrn_vm_free(vm);
}

/* What acrn-dm does when the guest asks for it: the same VM, the same memory. */
static void reset_in_place(void)
{
    AcrnVm *vm = started("r4 0x40; w4 0x40 7; w4 0xd0000000 1", 1, 0);

    for (unsigned i = 0; i < 50; i++) {
        acrn_wait(vm, 0);
        acrn_ok(vm, ACRN_IOCTL_PAUSE_VM, NULL);
        acrn_ok(vm, ACRN_IOCTL_CLEAR_VM_IOREQ, NULL);
        acrn_ok(vm, ACRN_IOCTL_RESET_VM, NULL);
        g_assert_cmpuint(acrn_state(vm, 0), ==, ACRN_IOREQ_STATE_FREE);
        acrn_ok(vm, ACRN_IOCTL_START_VM, NULL);
    }
    acrn_expect_log("r4 0x40 = 0x7");
    acrn_vm_free(vm);
}

void acrn_add_ioreq_tests(void)
{
    g_test_add_func("/acrn/ioreq/second-client-is-eexist", second_client_is_eexist);
    g_test_add_func("/acrn/ioreq/notify-checks-its-argument", notify_checks);
    g_test_add_data_func("/acrn/ioreq/write", NULL, one_write);
    g_test_add_data_func("/acrn/ioreq/write-with-completion-polling",
                         GUINT_TO_POINTER(ACRN_VM_FLAG_IO_COMPLETION_POLLING), one_write);
    g_test_add_func("/acrn/ioreq/reads-get-what-fits", reads_get_what_fits);
    g_test_add_func("/acrn/ioreq/attach-is-a-level", attach_is_a_level);
    g_test_add_func("/acrn/ioreq/destroy-wakes-with-enodev", destroy_wakes_with_enodev);
    g_test_add_func("/acrn/ioreq/a-signal-is-zero", a_signal_is_zero);
    g_test_add_func("/acrn/ioreq/each-vcpu-has-its-slot", each_vcpu_has_its_slot);
    g_test_add_func("/acrn/ioreq/pci-ports-become-config", pci_ports_become_config);
    g_test_add_func("/acrn/ioreq/disabled-config-reads-ones", disabled_config_reads_ones);
    g_test_add_func("/acrn/ioreq/clear-completes-all", clear_completes_all);
    g_test_add_func("/acrn/ioreq/reset-in-place", reset_in_place);
}
