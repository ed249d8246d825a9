/* SPDX-License-Identifier: GPL-2.0-or-later
 * ADD_FUNCTION and REMOVE_FUNCTION: the rows of the table in facts 1.3.
 */
#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "gunyah.h"

static void test_arg_size(void)
{
    static const uint8_t arg[512];
    g_autoptr(Vm) vm = vm_new(NULL);

    assert_errno(add_function(vm, GH_FN_VCPU, arg, 257), EINVAL);
    assert_errno(add_function(vm, 99, arg, 257), EINVAL); /* before the type is looked at */
}

static void test_unknown_type(void)
{
    const uint32_t arg = 0;
    g_autoptr(Vm) vm = vm_new(NULL);

    assert_errno(add_function(vm, 0, &arg, sizeof(arg)), ENOENT);
    assert_errno(add_function(vm, 4, &arg, sizeof(arg)), ENOENT);
    assert_errno(remove_function(vm, 4, &arg, sizeof(arg)), ENOENT);
}

static void test_bad_pointer(void)
{
    g_autoptr(Vm) vm = vm_new(NULL);

    assert_errno(add_function(vm, GH_FN_VCPU, (void *)8, 4), EFAULT);
}

static void test_vcpu_size(void)
{
    const uint64_t arg = 0;
    g_autoptr(Vm) vm = vm_new(NULL);

    assert_errno(add_function(vm, GH_FN_VCPU, &arg, 8), EINVAL);
    assert_errno(add_function(vm, GH_FN_VCPU, &arg, 0), EINVAL);
}

static void test_vcpu_twice(void)
{
    g_autoptr(Vm) vm = vm_new(NULL);

    assert_ok(add_vcpu(vm, 3));
    assert_errno(add_vcpu(vm, 3), EEXIST);
    assert_ok(add_vcpu(vm, 4));
}

static void test_vcpu_fd(void)
{
    g_autoptr(Vm) vm = vm_new(NULL);

    assert_ok(add_vcpu(vm, 0));
    g_assert_cmpint(fcntl(vm->vcpu[0], F_GETFD) & FD_CLOEXEC, ==, FD_CLOEXEC);
}

/* The function outlives its file; only REMOVE makes the id free. */
static void test_vcpu_close_is_not_remove(void)
{
    const struct gh_fn_vcpu_arg arg = { .id = 0 };
    g_autoptr(Vm) vm = vm_new(NULL);

    assert_ok(add_vcpu(vm, 0));
    host->munmap(vm->run[0], (size_t)sysconf(_SC_PAGESIZE));
    vm->run[0] = NULL;
    vm_close(&vm->vcpu[0]);
    assert_errno(add_vcpu(vm, 0), EEXIST);
    assert_ok(remove_function(vm, GH_FN_VCPU, &arg, sizeof(arg)));
    assert_ok(add_vcpu(vm, 0));
}

static void test_irqfd_arg(void)
{
    const struct gh_fn_irqfd_arg arg = { .fd = 0 };
    g_autoptr(Vm) vm = vm_new(NULL);

    assert_errno(add_function(vm, GH_FN_IRQFD, &arg, 12), EINVAL);
    assert_errno(add_irqfd(vm, 0, 1, 2), EINVAL);
    assert_errno(add_irqfd(vm, 9999, 1, 4), EINVAL); /* flags before the descriptor */
}

static void test_irqfd_fd(void)
{
    g_autoptr(Vm) vm = vm_new(NULL);

    assert_errno(add_irqfd(vm, 9999, 1, 0), EBADF);
    assert_errno(add_irqfd(vm, vm->vm, 1, 0), EINVAL);
}

static void test_irqfd_twice(void)
{
    g_autoptr(Vm) vm = vm_new(NULL);
    int fd = eventfd(0, EFD_CLOEXEC);

    assert_ok(add_irqfd(vm, fd, 5, GH_IRQFD_FLAGS_LEVEL));
    assert_errno(add_irqfd(vm, fd, 5, 0), EEXIST);
    assert_ok(add_irqfd(vm, fd, 6, 0));
    close(fd);
}

static void test_irqfd_remove(void)
{
    /* only the label is compared */
    const struct gh_fn_irqfd_arg key = { .fd = 12345, .label = 5, .flags = 77 };
    g_autoptr(Vm) vm = vm_new(NULL);
    int fd = eventfd(0, EFD_CLOEXEC);

    assert_ok(add_irqfd(vm, fd, 5, 0));
    close(fd);
    assert_errno(remove_function(vm, GH_FN_IRQFD, &key, 12), ENOENT);
    assert_ok(remove_function(vm, GH_FN_IRQFD, &key, sizeof(key)));
    assert_errno(remove_function(vm, GH_FN_IRQFD, &key, sizeof(key)), ENOENT);
}

static void test_io_arg(void)
{
    const struct gh_fn_ioeventfd_arg arg = { .fd = 0 };
    g_autoptr(Vm) vm = vm_new(NULL);

    assert_errno(add_function(vm, GH_FN_IOEVENTFD, &arg, 24), EINVAL);
    assert_errno(add_ioeventfd(vm, 9999, DEVICE, 3, 0, 0), EINVAL);
    assert_errno(add_ioeventfd(vm, 9999, DEVICE, 16, 0, 0), EINVAL);
    assert_errno(add_ioeventfd(vm, 9999, UINT64_MAX - 1, 4, 0, 0), EINVAL);
    assert_errno(add_ioeventfd(vm, 9999, DEVICE, 0, GH_IOEVENTFD_FLAGS_DATAMATCH, 0), EINVAL);
    assert_errno(add_ioeventfd(vm, 9999, DEVICE, 4, 2, 0), EINVAL); /* the flag's value is 1 */
}

static void test_io_fd(void)
{
    g_autoptr(Vm) vm = vm_new(NULL);

    assert_errno(add_ioeventfd(vm, 9999, DEVICE, 4, 0, 0), EBADF);
    assert_errno(add_ioeventfd(vm, vm->dev, DEVICE, 4, 0, 0), EINVAL);
}

static void test_io_lengths(void)
{
    static const uint32_t lengths[] = { 0, 1, 2, 4, 8 };
    g_autoptr(Vm) vm = vm_new(NULL);
    int fd = eventfd(0, EFD_CLOEXEC);

    for (unsigned i = 0; i < G_N_ELEMENTS(lengths); i++) {
        assert_ok(add_ioeventfd(vm, fd, DEVICE + 8 * i, lengths[i], 0, 0));
    }
    close(fd);
}

static void test_io_collisions(void)
{
    g_autoptr(Vm) vm = vm_new(NULL);
    int fd = eventfd(0, EFD_CLOEXEC);

    assert_ok(add_ioeventfd(vm, fd, DEVICE, 4, 0, 0));
    assert_errno(add_ioeventfd(vm, fd, DEVICE, 2, 0, 0), EEXIST);
    assert_errno(add_ioeventfd(vm, fd, DEVICE, 4, GH_IOEVENTFD_FLAGS_DATAMATCH, 1), EEXIST);
    assert_ok(add_ioeventfd(vm, fd, DEVICE + 8, 4, GH_IOEVENTFD_FLAGS_DATAMATCH, 1));
    assert_ok(add_ioeventfd(vm, fd, DEVICE + 8, 4, GH_IOEVENTFD_FLAGS_DATAMATCH, 2));
    assert_errno(add_ioeventfd(vm, fd, DEVICE + 8, 4, GH_IOEVENTFD_FLAGS_DATAMATCH, 2), EEXIST);
    assert_errno(add_ioeventfd(vm, fd, DEVICE + 8, 0, 0, 0), EEXIST);
    close(fd);
}

static void test_io_remove(void)
{
    struct gh_fn_ioeventfd_arg key = { .addr = DEVICE, .len = 4, .flags = 0, .fd = -1 };
    g_autoptr(Vm) vm = vm_new(NULL);
    int fd = eventfd(0, EFD_CLOEXEC);

    assert_ok(add_ioeventfd(vm, fd, DEVICE, 4, 0, 0));
    key.addr++;
    assert_errno(remove_function(vm, GH_FN_IOEVENTFD, &key, sizeof(key)), ENOENT);
    key.addr--;
    assert_ok(remove_function(vm, GH_FN_IOEVENTFD, &key, sizeof(key)));
    assert_ok(add_ioeventfd(vm, fd, DEVICE, 4, 0, 0));
    close(fd);
}

static void test_remove_vcpu_key(void)
{
    const struct gh_fn_vcpu_arg other = { .id = 2 };
    g_autoptr(Vm) vm = vm_new(NULL);

    assert_ok(add_vcpu(vm, 1));
    assert_errno(remove_function(vm, GH_FN_VCPU, &other, sizeof(other)), ENOENT);
}

static void test_remove_size_0(void)
{
    g_autoptr(Vm) vm = vm_new(NULL);

    assert_ok(add_vcpu(vm, 1));
    g_assert_cmpint(remove_function(vm, GH_FN_VCPU, NULL, 0), ==, 0);
    assert_errno(add_vcpu(vm, 1), EEXIST); /* nothing was removed */
}

void add_function_tests(void)
{
    add_for_all("function/arg-size-over-256-is-einval", test_arg_size);
    add_for_all("function/unknown-type-is-enoent", test_unknown_type);
    add_for_all("function/bad-pointer-is-efault", test_bad_pointer);
    add_for_all("function/vcpu-arg-size", test_vcpu_size);
    add_for_all("function/vcpu-id-twice-is-eexist", test_vcpu_twice);
    add_for_all("function/vcpu-fd-is-cloexec", test_vcpu_fd);
    add_for_all("function/vcpu-close-is-not-remove", test_vcpu_close_is_not_remove);
    add_for_all("function/irqfd-arg", test_irqfd_arg);
    add_for_all("function/irqfd-needs-an-eventfd", test_irqfd_fd);
    add_for_all("function/irqfd-label-twice-is-eexist", test_irqfd_twice);
    add_for_all("function/irqfd-remove-by-label", test_irqfd_remove);
    add_for_all("function/ioeventfd-arg", test_io_arg);
    add_for_all("function/ioeventfd-needs-an-eventfd", test_io_fd);
    add_for_all("function/ioeventfd-lengths", test_io_lengths);
    add_for_all("function/ioeventfd-collisions", test_io_collisions);
    add_for_all("function/ioeventfd-remove-by-key", test_io_remove);
    add_for_all("function/remove-without-match-is-enoent", test_remove_vcpu_key);
    g_test_add_func("/android14/function/remove-with-size-0-does-nothing", test_remove_size_0);
}
