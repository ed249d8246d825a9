/* SPDX-License-Identifier: GPL-2.0-or-later
 * Doorbells and notify addresses in a running VM: facts 3, and 1.3's irqfd and ioeventfd rules.
 */
#include <sys/eventfd.h>
#include <unistd.h>

#include "gunyah.h"

static const DtSpec one_bell = { .n_cpus = 1, .bells = { 40 }, .n_bells = 1 };

static void ring(int fd)
{
    const uint64_t one = 1;

    g_assert_cmpint(write(fd, &one, sizeof(one)), ==, sizeof(one));
}

static uint64_t drain(int fd)
{
    uint64_t count = 0;

    return read(fd, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

static void test_irqfd(void)
{
    g_autoptr(Vm) vm = NULL;
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    if (model_only()) {
        return;
    }
    vm = vm_new(NULL);
    assert_ok(add_irqfd(vm, fd, 40, 0));
    start(vm, &one_bell, "wfi; w4 0x9000000 1; wfi; w4 0x9000004 1");
    ring(fd);
    assert_ok(run(vm, 0)); /* returns only if the bell woke the guest */
    assert_guest_saw("0 irq 40");
    ring(fd);
    assert_ok(run(vm, 0));
    g_assert_cmphex(vm->run[0]->mmio.phys_addr, ==, DEVICE + 4);
    g_assert_cmpuint(drain(fd), ==, 2); /* the driver listens, it does not read */
    close(fd);
}

/* Both an eventfd that was readable when it was registered and one written before START. */
static void test_premature(void)
{
    g_autoptr(Vm) vm = NULL;
    GunyahModelStats before, after;
    int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);

    if (model_only()) {
        return;
    }
    gunyah_model_stats(&before);
    vm = vm_new(NULL);
    assert_ok(add_irqfd(vm, fd, 40, 0));
    ring(fd);
    start(vm, &one_bell, "wfi; w4 0x9000000 1");
    gunyah_model_stats(&after);
    g_assert_cmpuint(after.premature_bells - before.premature_bells, >=, 2);
    vm->run[0]->immediate_exit = 1;
    assert_errno(run(vm, 0), EINTR);
    assert_dmesg_has("premature");
    vm->run[0]->immediate_exit = 0;
    ring(fd);
    assert_ok(run(vm, 0));
    close(fd);
}

static void test_dead_label(void)
{
    g_autoptr(Vm) vm = NULL;
    int fd = eventfd(0, EFD_CLOEXEC);

    if (model_only()) {
        return;
    }
    vm = vm_new(NULL);
    assert_ok(add_irqfd(vm, fd, 41, 0)); /* accepted, and START too: silently dead */
    start(vm, &one_bell, "off");
    assert_dmesg_has("irqfd 41: no doorbell");
    close(fd);
}

static void test_late_irqfd(void)
{
    g_autoptr(Vm) vm = NULL;
    int fd = eventfd(0, EFD_CLOEXEC);

    if (model_only()) {
        return;
    }
    vm = vm_new(NULL);
    start(vm, &one_bell, "wfi; w4 0x9000000 1");
    assert_ok(add_irqfd(vm, fd, 40, GH_IRQFD_FLAGS_LEVEL));
    ring(fd);
    assert_ok(run(vm, 0));
    close(fd);
}

static void test_io_plain(void)
{
    g_autoptr(Vm) vm = NULL;
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    if (model_only()) {
        return;
    }
    vm = vm_new(NULL);
    assert_ok(add_ioeventfd(vm, fd, DEVICE, 4, 0, 0));
    start(vm, NULL, "w1 0x9000000 5; w8 0x9000000 6; w4 0x9000001 7");
    assert_ok(run(vm, 0)); /* any width at that address, and nothing of it in user space */
    g_assert_cmphex(vm->run[0]->mmio.phys_addr, ==, DEVICE + 1);
    g_assert_cmpuint(drain(fd), ==, 2);
    close(fd);
}

static void test_io_datamatch(void)
{
    g_autoptr(Vm) vm = NULL;
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    if (model_only()) {
        return;
    }
    vm = vm_new(NULL);
    assert_ok(add_ioeventfd(vm, fd, DEVICE, 4, GH_IOEVENTFD_FLAGS_DATAMATCH, 0x100000001));
    assert_ok(add_ioeventfd(vm, fd, DEVICE, 4, GH_IOEVENTFD_FLAGS_DATAMATCH, 3));
    start(vm, NULL, "w4 0x9000000 3; w2 0x9000000 3; w4 0x9000000 1");
    assert_ok(run(vm, 0));
    g_assert_cmpuint(vm->run[0]->mmio.len, ==, 2); /* the width counts */
    assert_ok(run(vm, 0));
    g_assert_cmpuint(vm->run[0]->mmio.len, ==, 4); /* and all 64 bits of the value */
    g_assert_cmpuint(drain(fd), ==, 1);
    close(fd);
}

static void test_io_reads(void)
{
    g_autoptr(Vm) vm = NULL;
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    if (model_only()) {
        return;
    }
    vm = vm_new(NULL);
    assert_ok(add_ioeventfd(vm, fd, DEVICE, 4, 0, 0));
    start(vm, NULL, "r4 0x9000000");
    assert_ok(run(vm, 0));
    g_assert_cmpuint(vm->run[0]->mmio.is_write, ==, 0);
    g_assert_cmpuint(drain(fd), ==, 0);
    close(fd);
}

static void test_io_removed(void)
{
    const struct gh_fn_ioeventfd_arg key = { .addr = DEVICE, .len = 4 };
    g_autoptr(Vm) vm = NULL;
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    if (model_only()) {
        return;
    }
    vm = vm_new(NULL);
    assert_ok(add_ioeventfd(vm, fd, DEVICE, 4, 0, 0));
    start(vm, NULL, "w4 0x9000000 1");
    assert_ok(remove_function(vm, GH_FN_IOEVENTFD, &key, sizeof(key)));
    assert_ok(run(vm, 0));
    g_assert_cmphex(vm->run[0]->mmio.phys_addr, ==, DEVICE);
    close(fd);
}

void add_irq_tests(void)
{
    add_for_all("irqfd/write-is-an-interrupt", test_irqfd);
    add_for_all("irqfd/premature-write-is-dropped", test_premature);
    add_for_all("irqfd/label-without-doorbell-is-dead", test_dead_label);
    add_for_all("irqfd/added-after-start-works", test_late_irqfd);
    add_for_all("ioeventfd/any-width-without-match", test_io_plain);
    add_for_all("ioeventfd/datamatch", test_io_datamatch);
    add_for_all("ioeventfd/reads-still-exit", test_io_reads);
    add_for_all("ioeventfd/removed-exits-again", test_io_removed);
}
