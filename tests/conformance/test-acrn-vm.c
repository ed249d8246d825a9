/* SPDX-License-Identifier: GPL-2.0-or-later
 * Rules of a VM's life, its registers and memory.
 */
#include "acrn.h"

#include <string.h>
#include <sys/mman.h>

#include "models/acrn-model.h"

static void before_create_all_is_einval(void)
{
    static const unsigned long requests[] = {
        ACRN_IOCTL_START_VM,
        ACRN_IOCTL_PAUSE_VM,
        ACRN_IOCTL_RESET_VM,
        ACRN_IOCTL_DESTROY_VM,
        ACRN_IOCTL_CREATE_IOREQ_CLIENT,
        ACRN_IOCTL_ATTACH_IOREQ_CLIENT,
        ACRN_IOCTL_CLEAR_VM_IOREQ,
        0xA2FF,
    };
    AcrnVm vm = { .fd = acrn_open() };

    for (unsigned i = 0; i < G_N_ELEMENTS(requests); i++) {
        acrn_fails(&vm, requests[i], NULL, EINVAL);
    }
    acrn_ops->close(vm.fd);
}

static void unknown_is_enotty(void)
{
    AcrnVm *vm = acrn_vm_new(1, 0, false);

    acrn_fails(vm, 0xA2FF, NULL, ENOTTY);
    acrn_fails(vm, ACRN_IOCTL_SETUP_ASYNCIO, NULL, ENOTTY);
    acrn_fails(vm, ACRN_IOCTL_START_VM | 1 << 16, NULL, ENOTTY);
    acrn_vm_free(vm);
}

static void create_checks(void)
{
    AcrnVm vm = { .fd = acrn_open() };
    struct acrn_vm_creation args = { .reserved0 = 1, .cpu_affinity = 1 };

    acrn_fails(&vm, ACRN_IOCTL_CREATE_VM, &args, EINVAL);
    args = (struct acrn_vm_creation){ .reserved1 = 1, .cpu_affinity = 1 };
    acrn_fails(&vm, ACRN_IOCTL_CREATE_VM, &args, EINVAL);
    args = (struct acrn_vm_creation){ .cpu_affinity = 1 }; /* no request page */
    acrn_fails(&vm, ACRN_IOCTL_CREATE_VM, &args, EINVAL);
    acrn_fails(&vm, ACRN_IOCTL_CREATE_VM, NULL, EFAULT);
    acrn_ops->close(vm.fd);
}

static void affinity_without_a_cpu(void)
{
    AcrnVm vm = { .fd = acrn_open() };
    struct acrn_vm_creation args = { .cpu_affinity = UINT64_C(1) << 63 };

    acrn_fails(&vm, ACRN_IOCTL_CREATE_VM, &args, EINVAL);
    acrn_ops->close(vm.fd);
}

static void lapic_passthrough_needs_rt(void)
{
    AcrnVm vm = { .fd = acrn_open() };
    struct acrn_vm_creation args = { .vm_flag = ACRN_VM_FLAG_LAPIC_PASSTHROUGH, .cpu_affinity = 1 };

    acrn_fails(&vm, ACRN_IOCTL_CREATE_VM, &args, EINVAL);
    acrn_ops->close(vm.fd);
}

static void second_create_loses_both(void)
{
    AcrnVm *vm = acrn_vm_new(1, 0, false);
    struct acrn_vm_creation args = { .cpu_affinity = 1, .ioreq_buf = (uintptr_t)vm->page };

    acrn_fails(vm, ACRN_IOCTL_CREATE_VM, &args, EINVAL);
    acrn_fails(vm, ACRN_IOCTL_START_VM, NULL, EINVAL);
    acrn_vm_free(vm);
}

static void slots_start_free(void)
{
    AcrnVm *vm = acrn_vm_new(1, 0, false);

    for (unsigned i = 0; i < ACRN_IO_REQUEST_MAX; i++) {
        g_assert_cmpuint(acrn_state(vm, i), ==, ACRN_IOREQ_STATE_FREE);
    }
    acrn_vm_free(vm);
}

static void states(void)
{
    AcrnVm *vm = acrn_vm_new(1, 0, true);

    acrn_fails(vm, ACRN_IOCTL_RESET_VM, NULL, EPERM);
    acrn_fails(vm, ACRN_IOCTL_DESTROY_VM, NULL, EPERM);
    acrn_ok(vm, ACRN_IOCTL_START_VM, NULL);
    acrn_fails(vm, ACRN_IOCTL_START_VM, NULL, EPERM);
    acrn_fails(vm, ACRN_IOCTL_RESET_VM, NULL, EPERM);
    acrn_fails(vm, ACRN_IOCTL_DESTROY_VM, NULL, EPERM);
    acrn_ok(vm, ACRN_IOCTL_PAUSE_VM, NULL);
    acrn_ok(vm, ACRN_IOCTL_PAUSE_VM, NULL);
    acrn_fails(vm, ACRN_IOCTL_START_VM, NULL, EPERM);
    acrn_ok(vm, ACRN_IOCTL_RESET_VM, NULL);
    acrn_ok(vm, ACRN_IOCTL_START_VM, NULL);
    acrn_ok(vm, ACRN_IOCTL_PAUSE_VM, NULL);
    acrn_ok(vm, ACRN_IOCTL_DESTROY_VM, NULL);
    acrn_fails(vm, ACRN_IOCTL_START_VM, NULL, EINVAL);
    acrn_vm_free(vm);
}

static void registers_checked(void)
{
    AcrnVm *vm = acrn_vm_new(1, 0, false);
    struct acrn_vcpu_regs regs = { 0 };

    regs.vcpu_regs.cr0 = GUINT64_TO_LE(0x30);
    acrn_ok(vm, ACRN_IOCTL_SET_VCPU_REGS, &regs);
    regs.reserved[2] = 1;
    acrn_fails(vm, ACRN_IOCTL_SET_VCPU_REGS, &regs, EINVAL);
    regs.reserved[2] = 0;
    regs.vcpu_regs.reserved_64[3] = 1;
    acrn_fails(vm, ACRN_IOCTL_SET_VCPU_REGS, &regs, EINVAL);
    regs.vcpu_regs.reserved_64[3] = 0;
    regs.vcpu_regs.reserved_32[0] = 1;
    acrn_fails(vm, ACRN_IOCTL_SET_VCPU_REGS, &regs, EINVAL);
    regs.vcpu_regs.reserved_32[0] = 0;
    regs.vcpu_regs.gdt.reserved[1] = 1;
    acrn_fails(vm, ACRN_IOCTL_SET_VCPU_REGS, &regs, EINVAL);
    regs.vcpu_regs.gdt.reserved[1] = 0;
    regs.vcpu_id = 1;
    acrn_fails(vm, ACRN_IOCTL_SET_VCPU_REGS, &regs, EPERM);
    regs.vcpu_id = 0;
    regs.vcpu_regs.cr0 = UINT64_MAX;
    acrn_fails(vm, ACRN_IOCTL_SET_VCPU_REGS, &regs, EPERM);
    acrn_fails(vm, ACRN_IOCTL_SET_VCPU_REGS, NULL, EFAULT);
    acrn_ok(vm, ACRN_IOCTL_START_VM, NULL);
    regs.vcpu_regs.cr0 = GUINT64_TO_LE(0x30);
    acrn_fails(vm, ACRN_IOCTL_SET_VCPU_REGS, &regs, EPERM);
    acrn_vm_free(vm);
}

static void segments_checked(void)
{
    AcrnVm *vm = acrn_vm_new(1, 0, true);
    struct acrn_vm_memmap map = { .type = ACRN_MEMMAP_RAM,
                                  .attr = ACRN_MEM_ACCESS_RWX,
                                  .user_vm_pa = 1 << 30,
                                  .vma_base = (uintptr_t)vm->ram,
                                  .len = 4095 };
    void *constant = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    acrn_fails(vm, ACRN_IOCTL_SET_MEMSEG, &map, EINVAL); /* no whole page */
    map.len = 4096;
    map.vma_base = (uintptr_t)constant;
    acrn_fails(vm, ACRN_IOCTL_SET_MEMSEG, &map, EFAULT);
    map.vma_base = 4096; /* nothing there */
    acrn_fails(vm, ACRN_IOCTL_SET_MEMSEG, &map, EFAULT);
    acrn_fails(vm, ACRN_IOCTL_SET_MEMSEG, NULL, EFAULT);
    map.vma_base = (uintptr_t)vm->ram;
    map.user_vm_pa += 1;
    acrn_fails(vm, ACRN_IOCTL_SET_MEMSEG, &map, EINVAL);
    map.user_vm_pa -= 1;
    acrn_ok(vm, ACRN_IOCTL_SET_MEMSEG, &map);
    acrn_fails(vm, ACRN_IOCTL_UNSET_MEMSEG, &map, EINVAL); /* RAM stays */
    munmap(constant, 4096);
    acrn_vm_free(vm);
}

static void at_most_256_segments(void)
{
    AcrnVm *vm = acrn_vm_new(1, 0, true);
    struct acrn_vm_memmap map = { .type = ACRN_MEMMAP_RAM,
                                  .attr = ACRN_MEM_ACCESS_RWX,
                                  .vma_base = (uintptr_t)vm->ram,
                                  .len = 4096 };

    for (unsigned i = 1; i < 256; i++) {
        map.user_vm_pa = ((uint64_t)1 << 32) + i * 8192;
        acrn_ok(vm, ACRN_IOCTL_SET_MEMSEG, &map);
    }
    map.user_vm_pa = UINT64_C(2) << 32;
    acrn_fails(vm, ACRN_IOCTL_SET_MEMSEG, &map, ENOMEM);
    acrn_vm_free(vm);
}

/* One kmalloc() holds 131071 operations, one for each page. */
static void small_pages_limit_a_call(void)
{
    AcrnVm *vm = acrn_vm_new(1, 0, false);
    uint64_t most = UINT64_C(131071) * 4096;
    void *ram = mmap(NULL, most + 4096, PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    struct acrn_vm_memmap map = { .type = ACRN_MEMMAP_RAM,
                                  .attr = ACRN_MEM_ACCESS_RWX,
                                  .vma_base = (uintptr_t)ram,
                                  .len = most + 4096 };

    g_assert_true(ram != MAP_FAILED);
    acrn_fails(vm, ACRN_IOCTL_SET_MEMSEG, &map, ENOMEM);
    map.len = most;
    acrn_ok(vm, ACRN_IOCTL_SET_MEMSEG, &map);
    munmap(ram, most + 4096);
    acrn_vm_free(vm);
}

static void close_without_pause_is_a_bug(void)
{
    AcrnModelStats before, after;
    AcrnVm *vm = acrn_vm_new(1, 0, true);

    if (!acrn_on_model) {
        acrn_vm_free(vm);
        g_test_skip("the kernel would use freed memory");
        return;
    }
    acrn_model_stats(&before);
    acrn_ok(vm, ACRN_IOCTL_START_VM, NULL);
    acrn_ops->close(vm->fd);
    acrn_model_stats(&after);
    g_assert_cmpuint(after.closed_running, ==, before.closed_running + 1);
    g_assert_cmpuint(after.vms, ==, before.vms - 1);
    vm->fd = acrn_open();
    acrn_vm_free(vm);
}

static void irq_lines_checked(void)
{
    AcrnVm *vm = acrn_vm_new(1, 0, false);
    struct acrn_msi_entry msi = { .msi_addr = 0xfee00000, .msi_data = 0x31 };

    g_assert_cmpint(acrn_call_value(vm, ACRN_IOCTL_SET_IRQLINE, 47), ==, 0);
    g_assert_cmpint(acrn_call_value(vm, ACRN_IOCTL_SET_IRQLINE, 48), ==, -EPERM);
    g_assert_cmpint(acrn_call_value(vm, ACRN_IOCTL_SET_IRQLINE, UINT64_C(4) << 32), ==, -EPERM);
    acrn_ok(vm, ACRN_IOCTL_START_VM, NULL);
    acrn_ok(vm, ACRN_IOCTL_INJECT_MSI, &msi);
    msi.msi_addr = 0x12345678;
    acrn_fails(vm, ACRN_IOCTL_INJECT_MSI, &msi, EPERM);
    acrn_fails(vm, ACRN_IOCTL_INJECT_MSI, NULL, EFAULT);
    acrn_vm_free(vm);
}

void acrn_add_vm_tests(void)
{
    g_test_add_func("/acrn/vm/before-create-all-is-einval", before_create_all_is_einval);
    g_test_add_func("/acrn/vm/unknown-is-enotty", unknown_is_enotty);
    g_test_add_func("/acrn/vm/create-checks-reserved-and-page", create_checks);
    g_test_add_func("/acrn/vm/affinity-names-a-cpu", affinity_without_a_cpu);
    g_test_add_func("/acrn/vm/lapic-passthrough-needs-rt", lapic_passthrough_needs_rt);
    g_test_add_func("/acrn/vm/second-create-loses-both", second_create_loses_both);
    g_test_add_func("/acrn/vm/slots-start-free", slots_start_free);
    g_test_add_func("/acrn/vm/wrong-state-is-eperm", states);
    g_test_add_func("/acrn/vm/registers-are-checked", registers_checked);
    g_test_add_func("/acrn/vm/close-without-pause", close_without_pause_is_a_bug);
    g_test_add_func("/acrn/memory/segments-are-checked", segments_checked);
    g_test_add_func("/acrn/memory/at-most-256-segments", at_most_256_segments);
    g_test_add_func("/acrn/memory/small-pages-limit-a-call", small_pages_limit_a_call);
    g_test_add_func("/acrn/irq/lines-and-messages-are-checked", irq_lines_checked);
}
