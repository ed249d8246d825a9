/* SPDX-License-Identifier: GPL-2.0-or-later WITH Linux-syscall-note
 * The userspace interface of the kernel's Gunyah driver, written from its facts: numbers, sizes
 * and offsets are the kernel's, the words are ours, and every one of them is pinned at the end.
 *
 * Four families are in the field (docs/accel-gunyah.md tells them apart at run time):
 *
 *   0xB2        android13-5.15 vendor kernels; another interface altogether, GH_OLD_*
 *   android14   android14-6.1: ioctl types 'G' and 'A', memory pinned when it is registered
 *   android15   Android 15 (6.6) and 16 (6.12): android14 plus demand paging, page-fault exits,
 *               reclaim, boot context, CMA memory, authentication types
 *   v17         the upstream posting: no 'A' numbers and no GH_VM_SET_USER_MEM_REGION; memory
 *               comes from a guest-memory file
 *
 * Newer kernels spell the prefix gunyah_/GUNYAH_; the values are the same, so one spelling is used.
 */
#ifndef HUMPY_LINUX_GUNYAH_H
#define HUMPY_LINUX_GUNYAH_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define GH_IOCTL_TYPE         'G'
#define GH_ANDROID_IOCTL_TYPE 'A'

/* ---- the device node ---- */

/* Argument 0, reserved. Returns a VM file descriptor. */
#define GH_CREATE_VM _IO(GH_IOCTL_TYPE, 0x0)

/* ---- a VM: memory ---- */

#define GH_MEM_ALLOW_READ  (1U << 0)
#define GH_MEM_ALLOW_WRITE (1U << 1)
#define GH_MEM_ALLOW_EXEC  (1U << 2)

/* A piece of guest memory: all but label and flags are page aligned. android14, android15. */
struct gh_userspace_memory_region {
    __u32 label; /* android14: unique among shared and lent regions together */
    __u32 flags; /* GH_MEM_ALLOW_* */
    __u64 guest_phys_addr;
    __u64 memory_size;    /* bytes */
    __u64 userspace_addr; /* of the caller's mapping */
};

/* The host keeps access (share), or loses it when the VM starts (lend). */
#define GH_VM_SET_USER_MEM_REGION _IOW(GH_IOCTL_TYPE, 0x1, struct gh_userspace_memory_region)
#define GH_VM_ANDROID_LEND_USER_MEM                                                                \
    _IOW(GH_ANDROID_IOCTL_TYPE, 0x11, struct gh_userspace_memory_region)

/* A range of guest physical addresses. */
struct gh_address_range {
    __u64 guest_phys_addr;
    __u64 size; /* bytes */
};

/* android15: take reclaimable pages of the range back from the guest. */
#define GH_VM_RECLAIM_REGION _IOW(GH_ANDROID_IOCTL_TYPE, 0x13, struct gh_address_range)

/* v17, on the device node: a file of guest memory. */
#define GH_GUEST_MEM_CLOEXEC        (1ULL << 0)
#define GH_GUEST_MEM_ALLOW_HUGEPAGE (1ULL << 1)

struct gh_create_mem_args {
    __u64 flags; /* GH_GUEST_MEM_* */
    __u64 size;  /* bytes */
    __u64 reserved[6];
};

#define GH_CREATE_GUEST_MEM _IOW(GH_IOCTL_TYPE, 0x8, struct gh_create_mem_args)

/* v17, on a VM: place part of such a file. */
#define GH_MAP_DEFAULT_ACCESS 0U
#define GH_MAP_FORCE_LEND     1U
#define GH_MAP_FORCE_SHARE    2U
#define GH_MAP_ACCESS_MASK    7U
#define GH_MAP_ALLOW_READ     (1U << 4)
#define GH_MAP_ALLOW_WRITE    (1U << 5)
#define GH_MAP_ALLOW_EXEC     (1U << 6)
#define GH_MAP_UNMAP          (1U << 8)

struct gh_map_mem_args {
    __u64 guest_addr;
    __u32 flags; /* GH_MAP_* */
    __u32 guest_mem_fd;
    __u64 offset; /* into the file */
    __u64 size;   /* bytes */
};

#define GH_VM_MAP_MEM _IOW(GH_IOCTL_TYPE, 0x9, struct gh_map_mem_args)

/* android15, on a node for contiguous memory (/dev/trustedvm_cma and its like), no argument: a
 * descriptor of all of it; its size is the platform's. */
#define GH_ANDROID_CREATE_CMA_MEM_FD _IO(GH_ANDROID_IOCTL_TYPE, 0x14)

/* android15: the same for CMA memory, with the rights of GH_MEM_ALLOW_* and its own bits for who
 * keeps access. Not interchangeable with GH_MAP_*. */
#define GH_CMA_FORCE_LEND  0x10U
#define GH_CMA_FORCE_SHARE 0x20U
#define GH_CMA_UNMAP       0x100U

struct gh_map_cma_mem_args {
    __u32 label;
    __u32 padding;
    __u64 guest_addr;
    __u32 flags;
    __u32 guest_mem_fd;
    __u64 offset;
    __u64 size;
};

#define GH_VM_ANDROID_MAP_CMA_MEM _IOW(GH_ANDROID_IOCTL_TYPE, 0x15, struct gh_map_cma_mem_args)

/* ---- a VM: how it starts ---- */

/* Where the device tree lies; size is all the room there is, for the resource manager adds to it.
 */
struct gh_vm_dtb_config {
    __u64 guest_phys_addr;
    __u64 size;
};

/* The range for the protected-VM firmware; also switches authentication, for good. */
struct gh_vm_firmware_config {
    __u64 guest_phys_addr;
    __u64 size;
};

#define GH_VM_SET_DTB_CONFIG        _IOW(GH_IOCTL_TYPE, 0x2, struct gh_vm_dtb_config)
#define GH_VM_ANDROID_SET_FW_CONFIG _IOW(GH_ANDROID_IOCTL_TYPE, 0x12, struct gh_vm_firmware_config)

/* android15 and v17: one initial register of the boot vCPU. */
#define GH_BOOT_CONTEXT_SET_X     0U /* index 0 to 31 */
#define GH_BOOT_CONTEXT_SET_PC    1U /* index 0 */
#define GH_BOOT_CONTEXT_SET_SP    2U /* index 0 to 2; the resource manager takes 0 and 1 */
#define GH_BOOT_CONTEXT_REG_SHIFT 8
#define GH_BOOT_CONTEXT_REG(set, index)                                                            \
    ((((set)&0xffU) << GH_BOOT_CONTEXT_REG_SHIFT) | ((index)&0xffU))

struct gh_vm_boot_context {
    __u32 reg; /* GH_BOOT_CONTEXT_REG() */
    __u32 reserved;
    __u64 value;
};

#define GH_VM_SET_BOOT_CONTEXT _IOW(GH_IOCTL_TYPE, 0xa, struct gh_vm_boot_context)

/* android15: who vouches for the image. A type nobody has registered is ENOENT; with another than
 * none the boot context counts for nothing. */
#define GH_AUTH_ANDROID_PVM     0U /* set by GH_VM_ANDROID_SET_FW_CONFIG; has no manager */
#define GH_AUTH_QCOM_TRUSTED_VM 1U /* struct gh_qtvm_auth_arg */

struct gh_auth_desc {
    __u32 type;     /* GH_AUTH_* */
    __u32 arg_size; /* bytes at arg, no more than the structure for type has */
    __u64 arg;      /* user address */
};

/* The image begins with its metadata (ELF header, program headers, hashes), and the range holds the
 * device tree, too. */
struct gh_qtvm_auth_arg {
    __u16 vm_id; /* that the resource manager has for it; 0: any */
    __u16 padding;
    __u32 pas_id; /* what the secure world knows the image as */
    __u64 guest_phys_addr;
    __u64 size; /* bytes */
};

#define GH_QTVM_METADATA_SIZE 8192U

#define GH_VM_ANDROID_SET_AUTH_TYPE   _IOW(GH_ANDROID_IOCTL_TYPE, 0x16, struct gh_auth_desc)
#define GH_VM_ANDROID_CHECK_EXTENSION _IO(GH_ANDROID_IOCTL_TYPE, 0x17)

#define GH_VM_START _IO(GH_IOCTL_TYPE, 0x3)

/* ---- a VM: functions ---- */

#define GH_FN_VCPU      1U
#define GH_FN_IRQFD     2U
#define GH_FN_IOEVENTFD 3U

#define GH_FN_MAX_ARG_SIZE 256U

struct gh_fn_desc {
    __u32 type;     /* GH_FN_* */
    __u32 arg_size; /* bytes at arg */
    __u64 arg;      /* user address of the structure for type */
};

struct gh_fn_vcpu_arg {
    __u32 id; /* place among the nodes below /cpus */
};

#define GH_IRQFD_FLAGS_LEVEL (1U << 0)

struct gh_fn_irqfd_arg {
    __u32 fd;    /* eventfd: each write rings the doorbell once */
    __u32 label; /* of the doorbell in the device tree */
    __u32 flags; /* GH_IRQFD_FLAGS_* */
    __u32 padding;
};

#define GH_IOEVENTFD_FLAGS_DATAMATCH (1U << 0)

struct gh_fn_ioeventfd_arg {
    __u64 datamatch; /* compared only with the DATAMATCH flag */
    __u64 addr;      /* guest physical */
    __u32 len;       /* 0, 1, 2, 4 or 8 */
    __s32 fd;        /* eventfd */
    __u32 flags;     /* GH_IOEVENTFD_FLAGS_* */
    __u32 padding;
};

#define GH_VM_ADD_FUNCTION    _IOW(GH_IOCTL_TYPE, 0x4, struct gh_fn_desc)
#define GH_VM_REMOVE_FUNCTION _IOW(GH_IOCTL_TYPE, 0x7, struct gh_fn_desc)

/* ---- a vCPU ---- */

#define GH_VCPU_RUN       _IO(GH_IOCTL_TYPE, 0x5)
#define GH_VCPU_MMAP_SIZE _IO(GH_IOCTL_TYPE, 0x6)

/* exit_reason */
#define GH_VCPU_EXIT_UNKNOWN    0U
#define GH_VCPU_EXIT_MMIO       1U
#define GH_VCPU_EXIT_STATUS     2U
#define GH_VCPU_EXIT_PAGE_FAULT 3U /* android15, v17 */

/* status.status */
#define GH_VM_STATUS_LOAD_FAILED 1U
#define GH_VM_STATUS_EXITED      2U /* exit_info is valid */
#define GH_VM_STATUS_CRASHED     3U

/* status.exit_info.type: the resource manager's words, passed through by the kernel */
#define GH_RM_EXIT_TYPE_VM_EXIT            0U
#define GH_RM_EXIT_TYPE_PSCI_SYSTEM_OFF    1U
#define GH_RM_EXIT_TYPE_PSCI_SYSTEM_RESET  2U
#define GH_RM_EXIT_TYPE_PSCI_SYSTEM_RESET2 3U
#define GH_RM_EXIT_TYPE_WDT_BITE           4U
#define GH_RM_EXIT_TYPE_HYP_ERROR          5U
#define GH_RM_EXIT_TYPE_ASYNC_EXT_ABORT    6U
#define GH_RM_EXIT_TYPE_VM_FORCE_STOPPED   7U

/* resume_action: android15 and v17 only; the byte is padding on android14 */
#define GH_VCPU_RESUME_HANDLED 0U
#define GH_VCPU_RESUME_FAULT   1U
#define GH_VCPU_RESUME_RETRY   2U

#define GH_VM_MAX_EXIT_REASON_SIZE 8U

struct gh_vm_exit_info {
    __u16 type; /* GH_RM_EXIT_TYPE_* */
    __u16 padding;
    __u32 reason_size; /* bytes valid in reason */
    __u8 reason[GH_VM_MAX_EXIT_REASON_SIZE];
};

/* What GH_VCPU_RUN and its caller share: page 0 of the vCPU file. */
struct gh_vcpu_run {
    __u8 immediate_exit; /* in: RUN returns EINTR at once; the kernel never clears it */
    __u8 padding[7];
    __u32 exit_reason; /* out: GH_VCPU_EXIT_* */
    union {
        struct {
            __u64 phys_addr;
            __u8 data[8]; /* little endian; in after a read */
            __u32 len;
            __u8 is_write;
            __u8 resume_action; /* GH_VCPU_RESUME_* */
        } mmio;
        struct {
            __u32 status; /* GH_VM_STATUS_* */
            struct gh_vm_exit_info exit_info;
        } status;
        struct {
            __u64 phys_addr;
            __s32 attempt; /* negative errno of the kernel's own try */
            __u8 resume_action;
        } page_fault;
    };
};

/* ---- 0xB2: enough to recognise it and say so ---- */

#define GH_OLD_IOCTL_TYPE  0xB2
#define GH_OLD_CREATE_VM   _IO(GH_OLD_IOCTL_TYPE, 0x01)
#define GH_OLD_CREATE_VCPU _IO(GH_OLD_IOCTL_TYPE, 0x40)
#define GH_OLD_VCPU_RUN    _IO(GH_OLD_IOCTL_TYPE, 0x80)

/* ---- pinned ---- */

#ifdef __cplusplus
#define GH_PIN(cond) static_assert(cond, #cond)
#else
#define GH_PIN(cond) _Static_assert(cond, #cond)
#endif
#define GH_PIN_AT(type, field, offset) GH_PIN(__builtin_offsetof(struct type, field) == (offset))

GH_PIN(GH_CREATE_VM == 0x4700);
GH_PIN(GH_VM_SET_USER_MEM_REGION == 0x40204701);
GH_PIN(GH_VM_SET_DTB_CONFIG == 0x40104702);
GH_PIN(GH_VM_START == 0x4703);
GH_PIN(GH_VM_ADD_FUNCTION == 0x40104704);
GH_PIN(GH_VCPU_RUN == 0x4705);
GH_PIN(GH_VCPU_MMAP_SIZE == 0x4706);
GH_PIN(GH_VM_REMOVE_FUNCTION == 0x40104707);
GH_PIN(GH_CREATE_GUEST_MEM == 0x40404708);
GH_PIN(GH_VM_MAP_MEM == 0x40204709);
GH_PIN(GH_VM_SET_BOOT_CONTEXT == 0x4010470a);
GH_PIN(GH_VM_ANDROID_LEND_USER_MEM == 0x40204111);
GH_PIN(GH_VM_ANDROID_SET_FW_CONFIG == 0x40104112);
GH_PIN(GH_VM_RECLAIM_REGION == 0x40104113);
GH_PIN(GH_ANDROID_CREATE_CMA_MEM_FD == 0x4114);
GH_PIN(GH_VM_ANDROID_MAP_CMA_MEM == 0x40284115);
GH_PIN(GH_VM_ANDROID_SET_AUTH_TYPE == 0x40104116);
GH_PIN(GH_VM_ANDROID_CHECK_EXTENSION == 0x4117);

GH_PIN(sizeof(struct gh_userspace_memory_region) == 32);
GH_PIN_AT(gh_userspace_memory_region, flags, 4);
GH_PIN_AT(gh_userspace_memory_region, guest_phys_addr, 8);
GH_PIN_AT(gh_userspace_memory_region, memory_size, 16);
GH_PIN_AT(gh_userspace_memory_region, userspace_addr, 24);
GH_PIN(sizeof(struct gh_address_range) == 16);
GH_PIN(sizeof(struct gh_create_mem_args) == 64);
GH_PIN_AT(gh_create_mem_args, size, 8);
GH_PIN(sizeof(struct gh_map_mem_args) == 32);
GH_PIN_AT(gh_map_mem_args, flags, 8);
GH_PIN_AT(gh_map_mem_args, guest_mem_fd, 12);
GH_PIN_AT(gh_map_mem_args, offset, 16);
GH_PIN_AT(gh_map_mem_args, size, 24);
GH_PIN(sizeof(struct gh_map_cma_mem_args) == 40);
GH_PIN_AT(gh_map_cma_mem_args, guest_addr, 8);
GH_PIN_AT(gh_map_cma_mem_args, flags, 16);
GH_PIN_AT(gh_map_cma_mem_args, offset, 24);
GH_PIN(sizeof(struct gh_vm_dtb_config) == 16);
GH_PIN(sizeof(struct gh_vm_firmware_config) == 16);
GH_PIN(sizeof(struct gh_vm_boot_context) == 16);
GH_PIN_AT(gh_vm_boot_context, value, 8);
GH_PIN(sizeof(struct gh_auth_desc) == 16);
GH_PIN_AT(gh_auth_desc, arg_size, 4);
GH_PIN_AT(gh_auth_desc, arg, 8);
GH_PIN(sizeof(struct gh_qtvm_auth_arg) == 24);
GH_PIN_AT(gh_qtvm_auth_arg, pas_id, 4);
GH_PIN_AT(gh_qtvm_auth_arg, guest_phys_addr, 8);
GH_PIN_AT(gh_qtvm_auth_arg, size, 16);
GH_PIN(sizeof(struct gh_fn_desc) == 16);
GH_PIN_AT(gh_fn_desc, arg_size, 4);
GH_PIN_AT(gh_fn_desc, arg, 8);
GH_PIN(sizeof(struct gh_fn_vcpu_arg) == 4);
GH_PIN(sizeof(struct gh_fn_irqfd_arg) == 16);
GH_PIN_AT(gh_fn_irqfd_arg, label, 4);
GH_PIN_AT(gh_fn_irqfd_arg, flags, 8);
GH_PIN(sizeof(struct gh_fn_ioeventfd_arg) == 32);
GH_PIN_AT(gh_fn_ioeventfd_arg, addr, 8);
GH_PIN_AT(gh_fn_ioeventfd_arg, len, 16);
GH_PIN_AT(gh_fn_ioeventfd_arg, fd, 20);
GH_PIN_AT(gh_fn_ioeventfd_arg, flags, 24);
GH_PIN(sizeof(struct gh_vm_exit_info) == 16);
GH_PIN(sizeof(struct gh_vcpu_run) == 40);
GH_PIN_AT(gh_vcpu_run, immediate_exit, 0);
GH_PIN_AT(gh_vcpu_run, exit_reason, 8);
GH_PIN_AT(gh_vcpu_run, mmio.phys_addr, 16);
GH_PIN_AT(gh_vcpu_run, mmio.data, 24);
GH_PIN_AT(gh_vcpu_run, mmio.len, 32);
GH_PIN_AT(gh_vcpu_run, mmio.is_write, 36);
GH_PIN_AT(gh_vcpu_run, mmio.resume_action, 37);
GH_PIN_AT(gh_vcpu_run, status.status, 16);
GH_PIN_AT(gh_vcpu_run, status.exit_info.type, 20);
GH_PIN_AT(gh_vcpu_run, status.exit_info.reason_size, 24);
GH_PIN_AT(gh_vcpu_run, status.exit_info.reason, 28);
GH_PIN_AT(gh_vcpu_run, page_fault.phys_addr, 16);
GH_PIN_AT(gh_vcpu_run, page_fault.attempt, 24);
GH_PIN_AT(gh_vcpu_run, page_fault.resume_action, 28);

#undef GH_PIN
#undef GH_PIN_AT

#endif
