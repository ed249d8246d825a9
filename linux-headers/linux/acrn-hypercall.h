/* SPDX-License-Identifier: GPL-2.0-or-later WITH Linux-syscall-note
 * What the kernel of an ACRN Service VM says to its hypervisor: hypercall numbers and the layouts
 * that only they take. VMCALL with the number in R8, arguments in RDI and RSI, the result in RAX;
 * addresses are guest physical ones of the Service VM. Dispatch looks at the low 8 bits only.
 *
 * A result is 0, or negative: mostly -1, which the driver passes on as EPERM.
 */
#ifndef HUMPY_LINUX_ACRN_HYPERCALL_H
#define HUMPY_LINUX_ACRN_HYPERCALL_H

#include <linux/acrn.h>

#define ACRN_HC(n) (0x80UL << 24 | (n))

#define ACRN_HC_GET_API_VERSION       ACRN_HC(0x00)
#define ACRN_HC_SOS_REMOVE_CPU        ACRN_HC(0x01)
#define ACRN_HC_SET_CALLBACK_VECTOR   ACRN_HC(0x02)
#define ACRN_HC_CREATE_VM             ACRN_HC(0x10)
#define ACRN_HC_DESTROY_VM            ACRN_HC(0x11)
#define ACRN_HC_START_VM              ACRN_HC(0x12)
#define ACRN_HC_PAUSE_VM              ACRN_HC(0x13)
#define ACRN_HC_RESET_VM              ACRN_HC(0x15)
#define ACRN_HC_SET_VCPU_REGS         ACRN_HC(0x16)
#define ACRN_HC_INJECT_MSI            ACRN_HC(0x23)
#define ACRN_HC_VM_INTR_MONITOR       ACRN_HC(0x24)
#define ACRN_HC_SET_IRQLINE           ACRN_HC(0x25) /* RSI is the value, not an address */
#define ACRN_HC_SET_IOREQ_BUFFER      ACRN_HC(0x30)
#define ACRN_HC_NOTIFY_REQUEST_FINISH ACRN_HC(0x31) /* RDI: VM, RSI: vCPU */
#define ACRN_HC_VM_SET_MEMORY_REGIONS ACRN_HC(0x42)
#define ACRN_HC_VM_WRITE_PROTECT_PAGE ACRN_HC(0x43)
#define ACRN_HC_SET_PTDEV_INTR        ACRN_HC(0x53)
#define ACRN_HC_RESET_PTDEV_INTR      ACRN_HC(0x54)
#define ACRN_HC_ASSIGN_PCIDEV         ACRN_HC(0x55)
#define ACRN_HC_DEASSIGN_PCIDEV       ACRN_HC(0x56)
#define ACRN_HC_ASSIGN_MMIODEV        ACRN_HC(0x57)
#define ACRN_HC_DEASSIGN_MMIODEV      ACRN_HC(0x58)
#define ACRN_HC_CREATE_VDEV           ACRN_HC(0x59)
#define ACRN_HC_DESTROY_VDEV          ACRN_HC(0x5A)
#define ACRN_HC_PM_GET_CPU_STATE      ACRN_HC(0x80)

#define ACRN_HSM_CALLBACK_VECTOR 0xF3 /* "look at the request page", to the Service VM's vCPU 0 */

struct acrn_ioreq_buffer {
    __u64 ioreq_buf;
};

#define ACRN_MEM_REGION_ADD 0
#define ACRN_MEM_REGION_DEL 2

struct vm_memory_region_op {
    __u32 type; /* ACRN_MEM_REGION_*; whatever is not ADD deletes */
    __u32 attr; /* ACRN_MEM_* */
    __u64 user_vm_pa;
    __u64 service_vm_pa;
    __u64 size;
};

struct vm_memory_region_batch {
    __u16 vmid;
    __u16 reserved[3];
    __u32 regions_num;
    __u64 regions_gpa; /* of regions_op */
    struct vm_memory_region_op regions_op[];
};

_Static_assert(sizeof(struct acrn_ioreq_buffer) == 8, "size of acrn_ioreq_buffer");
_Static_assert(sizeof(struct vm_memory_region_op) == 32, "size of vm_memory_region_op");
_Static_assert(__builtin_offsetof(struct vm_memory_region_op, user_vm_pa) == 8, "user_vm_pa");
_Static_assert(__builtin_offsetof(struct vm_memory_region_op, service_vm_pa) == 16,
               "service_vm_pa");
_Static_assert(__builtin_offsetof(struct vm_memory_region_op, size) == 24, "size");
_Static_assert(sizeof(struct vm_memory_region_batch) == 24, "size of vm_memory_region_batch");
_Static_assert(__builtin_offsetof(struct vm_memory_region_batch, regions_num) == 8, "regions_num");
_Static_assert(__builtin_offsetof(struct vm_memory_region_batch, regions_gpa) == 16, "regions_gpa");
_Static_assert(__builtin_offsetof(struct vm_memory_region_batch, regions_op) == 24, "regions_op");

#endif
