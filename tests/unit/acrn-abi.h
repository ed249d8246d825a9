/* SPDX-License-Identifier: GPL-2.0-or-later
 * Every constant, structure and field that linux-headers/linux/acrn.h and the system's own
 * <linux/acrn.h> both have. Included by a file for each of the two, after its header.
 */
#pragma once

#include "abi.h"

/* clang-format off */
#define ABI_ROWS                                                                                   \
    SIZE(acrn_mmio_request), \
    FIELD(acrn_mmio_request, direction), \
    FIELD(acrn_mmio_request, reserved), \
    FIELD(acrn_mmio_request, address), \
    FIELD(acrn_mmio_request, size), \
    FIELD(acrn_mmio_request, value), \
    SIZE(acrn_pio_request), \
    FIELD(acrn_pio_request, direction), \
    FIELD(acrn_pio_request, reserved), \
    FIELD(acrn_pio_request, address), \
    FIELD(acrn_pio_request, size), \
    FIELD(acrn_pio_request, value), \
    SIZE(acrn_pci_request), \
    FIELD(acrn_pci_request, direction), \
    FIELD(acrn_pci_request, reserved), \
    FIELD(acrn_pci_request, size), \
    FIELD(acrn_pci_request, value), \
    FIELD(acrn_pci_request, bus), \
    FIELD(acrn_pci_request, dev), \
    FIELD(acrn_pci_request, func), \
    FIELD(acrn_pci_request, reg), \
    SIZE(acrn_io_request), \
    FIELD(acrn_io_request, type), \
    FIELD(acrn_io_request, completion_polling), \
    FIELD(acrn_io_request, reserved0), \
    FIELD(acrn_io_request, reqs), \
    FIELD(acrn_io_request, reserved1), \
    FIELD(acrn_io_request, kernel_handled), \
    FIELD(acrn_io_request, processed), \
    SIZE(acrn_io_request_buffer), \
    FIELD(acrn_io_request_buffer, req_slot), \
    FIELD(acrn_io_request_buffer, reserved), \
    SIZE(acrn_ioreq_notify), \
    FIELD(acrn_ioreq_notify, vmid), \
    FIELD(acrn_ioreq_notify, reserved), \
    FIELD(acrn_ioreq_notify, vcpu), \
    SIZE(acrn_vm_creation), \
    FIELD(acrn_vm_creation, vmid), \
    FIELD(acrn_vm_creation, reserved0), \
    FIELD(acrn_vm_creation, vcpu_num), \
    FIELD(acrn_vm_creation, reserved1), \
    FIELD(acrn_vm_creation, uuid), \
    FIELD(acrn_vm_creation, vm_flag), \
    FIELD(acrn_vm_creation, ioreq_buf), \
    FIELD(acrn_vm_creation, cpu_affinity), \
    SIZE(acrn_gp_regs), \
    FIELD(acrn_gp_regs, rax), \
    FIELD(acrn_gp_regs, rcx), \
    FIELD(acrn_gp_regs, rdx), \
    FIELD(acrn_gp_regs, rbx), \
    FIELD(acrn_gp_regs, rsp), \
    FIELD(acrn_gp_regs, rbp), \
    FIELD(acrn_gp_regs, rsi), \
    FIELD(acrn_gp_regs, rdi), \
    FIELD(acrn_gp_regs, r8), \
    FIELD(acrn_gp_regs, r9), \
    FIELD(acrn_gp_regs, r10), \
    FIELD(acrn_gp_regs, r11), \
    FIELD(acrn_gp_regs, r12), \
    FIELD(acrn_gp_regs, r13), \
    FIELD(acrn_gp_regs, r14), \
    FIELD(acrn_gp_regs, r15), \
    SIZE(acrn_descriptor_ptr), \
    FIELD(acrn_descriptor_ptr, limit), \
    FIELD(acrn_descriptor_ptr, base), \
    FIELD(acrn_descriptor_ptr, reserved), \
    SIZE(acrn_regs), \
    FIELD(acrn_regs, gprs), \
    FIELD(acrn_regs, gdt), \
    FIELD(acrn_regs, idt), \
    FIELD(acrn_regs, rip), \
    FIELD(acrn_regs, cs_base), \
    FIELD(acrn_regs, cr0), \
    FIELD(acrn_regs, cr4), \
    FIELD(acrn_regs, cr3), \
    FIELD(acrn_regs, ia32_efer), \
    FIELD(acrn_regs, rflags), \
    FIELD(acrn_regs, reserved_64), \
    FIELD(acrn_regs, cs_ar), \
    FIELD(acrn_regs, cs_limit), \
    FIELD(acrn_regs, reserved_32), \
    FIELD(acrn_regs, cs_sel), \
    FIELD(acrn_regs, ss_sel), \
    FIELD(acrn_regs, ds_sel), \
    FIELD(acrn_regs, es_sel), \
    FIELD(acrn_regs, fs_sel), \
    FIELD(acrn_regs, gs_sel), \
    FIELD(acrn_regs, ldt_sel), \
    FIELD(acrn_regs, tr_sel), \
    SIZE(acrn_vcpu_regs), \
    FIELD(acrn_vcpu_regs, vcpu_id), \
    FIELD(acrn_vcpu_regs, reserved), \
    FIELD(acrn_vcpu_regs, vcpu_regs), \
    SIZE(acrn_vm_memmap), \
    FIELD(acrn_vm_memmap, type), \
    FIELD(acrn_vm_memmap, attr), \
    FIELD(acrn_vm_memmap, user_vm_pa), \
    FIELD(acrn_vm_memmap, service_vm_pa), \
    FIELD(acrn_vm_memmap, vma_base), \
    FIELD(acrn_vm_memmap, len), \
    SIZE(acrn_msi_entry), \
    FIELD(acrn_msi_entry, msi_addr), \
    FIELD(acrn_msi_entry, msi_data), \
    SIZE(acrn_ioeventfd), \
    FIELD(acrn_ioeventfd, fd), \
    FIELD(acrn_ioeventfd, flags), \
    FIELD(acrn_ioeventfd, addr), \
    FIELD(acrn_ioeventfd, len), \
    FIELD(acrn_ioeventfd, reserved), \
    FIELD(acrn_ioeventfd, data), \
    SIZE(acrn_irqfd), \
    FIELD(acrn_irqfd, fd), \
    FIELD(acrn_irqfd, flags), \
    FIELD(acrn_irqfd, msi), \
    SIZE(acrn_ptdev_irq), \
    FIELD(acrn_ptdev_irq, type), \
    FIELD(acrn_ptdev_irq, virt_bdf), \
    FIELD(acrn_ptdev_irq, phys_bdf), \
    FIELD(acrn_ptdev_irq, intx), \
    SIZE(acrn_pcidev), \
    FIELD(acrn_pcidev, type), \
    FIELD(acrn_pcidev, virt_bdf), \
    FIELD(acrn_pcidev, phys_bdf), \
    FIELD(acrn_pcidev, intr_line), \
    FIELD(acrn_pcidev, intr_pin), \
    FIELD(acrn_pcidev, bar), \
    SIZE(acrn_mmiodev), \
    FIELD(acrn_mmiodev, name), \
    FIELD(acrn_mmiodev, res), \
    SIZE(acrn_vdev), \
    FIELD(acrn_vdev, id), \
    FIELD(acrn_vdev, slot), \
    FIELD(acrn_vdev, io_addr), \
    FIELD(acrn_vdev, io_size), \
    FIELD(acrn_vdev, args), \
    SIZE(acrn_cstate_data), \
    FIELD(acrn_cstate_data, cx_reg), \
    FIELD(acrn_cstate_data, type), \
    FIELD(acrn_cstate_data, latency), \
    FIELD(acrn_cstate_data, power), \
    SIZE(acrn_pstate_data), \
    FIELD(acrn_pstate_data, core_frequency), \
    FIELD(acrn_pstate_data, power), \
    FIELD(acrn_pstate_data, transition_latency), \
    FIELD(acrn_pstate_data, bus_master_latency), \
    FIELD(acrn_pstate_data, control), \
    FIELD(acrn_pstate_data, status), \
    NUMBER(ACRN_IOCTL_TYPE), \
    NUMBER(ACRN_IO_REQUEST_MAX), \
    NUMBER(ACRN_IOREQ_STATE_PENDING), \
    NUMBER(ACRN_IOREQ_STATE_COMPLETE), \
    NUMBER(ACRN_IOREQ_STATE_PROCESSING), \
    NUMBER(ACRN_IOREQ_STATE_FREE), \
    NUMBER(ACRN_IOREQ_TYPE_PORTIO), \
    NUMBER(ACRN_IOREQ_TYPE_MMIO), \
    NUMBER(ACRN_IOREQ_TYPE_PCICFG), \
    NUMBER(ACRN_IOREQ_DIR_READ), \
    NUMBER(ACRN_IOREQ_DIR_WRITE), \
    NUMBER(ACRN_IOCTL_CREATE_VM), \
    NUMBER(ACRN_IOCTL_DESTROY_VM), \
    NUMBER(ACRN_IOCTL_START_VM), \
    NUMBER(ACRN_IOCTL_PAUSE_VM), \
    NUMBER(ACRN_IOCTL_RESET_VM), \
    NUMBER(ACRN_IOCTL_SET_VCPU_REGS), \
    NUMBER(ACRN_IOCTL_NOTIFY_REQUEST_FINISH), \
    NUMBER(ACRN_IOCTL_CREATE_IOREQ_CLIENT), \
    NUMBER(ACRN_IOCTL_ATTACH_IOREQ_CLIENT), \
    NUMBER(ACRN_IOCTL_DESTROY_IOREQ_CLIENT), \
    NUMBER(ACRN_IOCTL_CLEAR_VM_IOREQ), \
    NUMBER(ACRN_MEMMAP_RAM), \
    NUMBER(ACRN_MEMMAP_MMIO), \
    NUMBER(ACRN_MEM_ACCESS_READ), \
    NUMBER(ACRN_MEM_ACCESS_WRITE), \
    NUMBER(ACRN_MEM_ACCESS_EXEC), \
    NUMBER(ACRN_MEM_ACCESS_RWX), \
    NUMBER(ACRN_MEM_TYPE_WB), \
    NUMBER(ACRN_MEM_TYPE_WT), \
    NUMBER(ACRN_MEM_TYPE_UC), \
    NUMBER(ACRN_MEM_TYPE_WC), \
    NUMBER(ACRN_MEM_TYPE_WP), \
    NUMBER(ACRN_MEM_ACCESS_RIGHT_MASK), \
    NUMBER(ACRN_MEM_TYPE_MASK), \
    NUMBER(ACRN_IOCTL_SET_MEMSEG), \
    NUMBER(ACRN_IOCTL_UNSET_MEMSEG), \
    NUMBER(ACRN_IOCTL_INJECT_MSI), \
    NUMBER(ACRN_IOCTL_VM_INTR_MONITOR), \
    NUMBER(ACRN_IOCTL_SET_IRQLINE), \
    NUMBER(ACRN_IOEVENTFD_FLAG_PIO), \
    NUMBER(ACRN_IOEVENTFD_FLAG_DATAMATCH), \
    NUMBER(ACRN_IOEVENTFD_FLAG_DEASSIGN), \
    NUMBER(ACRN_IRQFD_FLAG_DEASSIGN), \
    NUMBER(ACRN_IOCTL_IOEVENTFD), \
    NUMBER(ACRN_IOCTL_IRQFD), \
    NUMBER(ACRN_PTDEV_IRQ_INTX), \
    NUMBER(ACRN_PTDEV_IRQ_MSI), \
    NUMBER(ACRN_PTDEV_IRQ_MSIX), \
    NUMBER(ACRN_PTDEV_QUIRK_ASSIGN), \
    NUMBER(ACRN_PCI_NUM_BARS), \
    NUMBER(ACRN_MMIODEV_RES_NUM), \
    NUMBER(ACRN_IOCTL_SET_PTDEV_INTR), \
    NUMBER(ACRN_IOCTL_RESET_PTDEV_INTR), \
    NUMBER(ACRN_IOCTL_ASSIGN_PCIDEV), \
    NUMBER(ACRN_IOCTL_DEASSIGN_PCIDEV), \
    NUMBER(ACRN_IOCTL_ASSIGN_MMIODEV), \
    NUMBER(ACRN_IOCTL_DEASSIGN_MMIODEV), \
    NUMBER(ACRN_IOCTL_CREATE_VDEV), \
    NUMBER(ACRN_IOCTL_DESTROY_VDEV), \
    NUMBER(ACRN_IOCTL_PM_GET_CPU_STATE)
/* clang-format on */
