/* SPDX-License-Identifier: GPL-2.0-or-later
 * ioeventfds and irqfds of /dev/acrn_hsm.
 */
#include "acrn.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "models/acrn-model.h"

static void ioeventfd_checks(void)
{
    AcrnVm *vm = acrn_vm_new(1, 0, false);
    int fd = eventfd(0, EFD_CLOEXEC), other = open("/dev/null", O_RDWR | O_CLOEXEC);
    struct acrn_ioeventfd args = { .fd = (uint32_t)fd, .addr = 0x1000, .len = 4 };

    args.reserved = 1;
    acrn_fails(vm, ACRN_IOCTL_IOEVENTFD, &args, EINVAL);
    args.reserved = 0;
    args.len = 3;
    acrn_fails(vm, ACRN_IOCTL_IOEVENTFD, &args, EINVAL);
    args.len = 4;
    args.addr = UINT64_MAX - 2;
    acrn_fails(vm, ACRN_IOCTL_IOEVENTFD, &args, EINVAL);
    args.addr = 0x1000;
    args.fd = (uint32_t)other;
    acrn_fails(vm, ACRN_IOCTL_IOEVENTFD, &args, EINVAL);
    args.fd = 9999;
    acrn_fails(vm, ACRN_IOCTL_IOEVENTFD, &args, EBADF);
    args.fd = (uint32_t)fd;
    acrn_ok(vm, ACRN_IOCTL_IOEVENTFD, &args);
    acrn_fails(vm, ACRN_IOCTL_IOEVENTFD, &args, EEXIST);
    args.flags = ACRN_IOEVENTFD_FLAG_DATAMATCH;
    args.data = 5;
    acrn_fails(vm, ACRN_IOCTL_IOEVENTFD, &args, EEXIST); /* the first takes any value */
    args.flags = ACRN_IOEVENTFD_FLAG_PIO;
    acrn_ok(vm, ACRN_IOCTL_IOEVENTFD, &args);
    args.flags = ACRN_IOEVENTFD_FLAG_DEASSIGN;
    acrn_ok(vm, ACRN_IOCTL_IOEVENTFD, &args);
    acrn_ok(vm, ACRN_IOCTL_IOEVENTFD, &args);
    acrn_ok(vm, ACRN_IOCTL_IOEVENTFD, &args); /* none is left, and that is fine */
    close(fd);
    close(other);
    acrn_vm_free(vm);
}

static uint64_t count(int fd)
{
    uint64_t n = 0;

    return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

/* A match signals; another value in the same range is lost; a read gives 0. */
static void ioeventfd_swallows(void)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct acrn_ioeventfd args = { .fd = (uint32_t)fd,
                                   .flags = ACRN_IOEVENTFD_FLAG_DATAMATCH,
                                   .addr = 0xd0000050,
                                   .len = 4,
                                   .data = 7 };
    AcrnModelStats before, after;
    AcrnVm *vm;

    acrn_script("w4 0xd0000050 7; w4 0xd0000050 8; r4 0xd0000050; w4 0xd0000054 1");
    acrn_model_stats(&before);
    vm = acrn_vm_new(1, 0, true);
    acrn_ok(vm, ACRN_IOCTL_CREATE_IOREQ_CLIENT, NULL);
    acrn_ok(vm, ACRN_IOCTL_IOEVENTFD, &args);
    acrn_ok(vm, ACRN_IOCTL_START_VM, NULL);
    g_assert_cmphex(acrn_wait(vm, 0)->reqs.mmio_request.address, ==, 0xd0000054);
    acrn_expect_log("r4 0xd0000050 = 0x0");
    acrn_model_stats(&after);
    g_assert_cmpuint(count(fd), ==, 1);
    g_assert_cmpuint(after.swallowed, ==, before.swallowed + 1);
    close(fd);
    acrn_vm_free(vm);
}

static void irqfd_checks(void)
{
    AcrnVm *vm = acrn_vm_new(1, 0, false);
    int fd = eventfd(0, EFD_CLOEXEC);
    struct acrn_irqfd args = { .fd = 9999, .msi = { .msi_addr = 0xfee00000, .msi_data = 0x40 } };

    acrn_fails(vm, ACRN_IOCTL_IRQFD, &args, EBADF);
    args.fd = fd;
    acrn_ok(vm, ACRN_IOCTL_IRQFD, &args);
    acrn_fails(vm, ACRN_IOCTL_IRQFD, &args, EBUSY);
    args.flags = ACRN_IRQFD_FLAG_DEASSIGN;
    acrn_ok(vm, ACRN_IOCTL_IRQFD, &args);
    acrn_ok(vm, ACRN_IOCTL_IRQFD, &args);
    close(fd);
    acrn_vm_free(vm);
}

/* Every write is a message, and the counter stays the caller's. */
static void irqfd_injects(void)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct acrn_irqfd args = { .fd = fd, .msi = { .msi_addr = 0xfee01000, .msi_data = 0x41 } };
    const uint64_t one = 1;
    AcrnVm *vm;

    acrn_script("wfi; wfi");
    vm = acrn_vm_new(1, 0, true);
    acrn_ok(vm, ACRN_IOCTL_START_VM, NULL);
    acrn_ok(vm, ACRN_IOCTL_IRQFD, &args);
    g_assert_cmpint(write(fd, &one, sizeof(one)), ==, sizeof(one));
    acrn_expect_log("msi 0xfee01000 0x41");
    g_assert_cmpint(write(fd, &one, sizeof(one)), ==, sizeof(one));
    acrn_expect_log("msi 0xfee01000 0x41");
    g_assert_cmpuint(count(fd), ==, 2);
    close(fd);
    acrn_vm_free(vm);
}

static void signalled_irqfd_injects_at_once(void)
{
    int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    struct acrn_irqfd args = { .fd = fd, .msi = { .msi_addr = 0xfee00000, .msi_data = 0x42 } };
    AcrnVm *vm;

    acrn_script("wfi");
    vm = acrn_vm_new(1, 0, true);
    acrn_ok(vm, ACRN_IOCTL_START_VM, NULL);
    acrn_ok(vm, ACRN_IOCTL_IRQFD, &args);
    acrn_expect_log("msi 0xfee00000 0x42");
    close(fd);
    acrn_vm_free(vm);
}

void acrn_add_eventfd_tests(void)
{
    g_test_add_func("/acrn/ioeventfd/checks-its-argument", ioeventfd_checks);
    g_test_add_func("/acrn/ioeventfd/swallows-what-does-not-match", ioeventfd_swallows);
    g_test_add_func("/acrn/irqfd/checks-its-argument", irqfd_checks);
    g_test_add_func("/acrn/irqfd/every-write-is-a-message", irqfd_injects);
    g_test_add_func("/acrn/irqfd/signalled-before-injects-at-once",
                    signalled_irqfd_injects_at_once);
}
