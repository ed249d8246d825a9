/* SPDX-License-Identifier: GPL-2.0-or-later WITH Linux-syscall-note
 * The userspace interface of the kernel's ACRN driver, /dev/acrn_hsm, written from its facts:
 * names, numbers, sizes and offsets are the kernel's, the words are ours, and every one of them is
 * pinned at the end. What a Service VM's kernel says to the hypervisor below is in
 * linux/acrn-hypercall.h.
 *
 * One descriptor is one VM. A reserved field that is not 0 is mostly EINVAL.
 */
#ifndef HUMPY_LINUX_ACRN_H
#define HUMPY_LINUX_ACRN_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define ACRN_IOCTL_TYPE     0xA2
#define ACRN_INVALID_VMID   0xFFFF
#define ACRN_IO_REQUEST_MAX 16

/* ---- the request page: one slot for each vCPU, shared by guest side, driver and us ---- */

/* A slot of zeroes is PENDING. The hypervisor takes FREE to PENDING, the driver PENDING to
 * PROCESSING, whoever answers (by NOTIFY_REQUEST_FINISH) PROCESSING to COMPLETE. */
#define ACRN_IOREQ_STATE_PENDING    0
#define ACRN_IOREQ_STATE_COMPLETE   1
#define ACRN_IOREQ_STATE_PROCESSING 2
#define ACRN_IOREQ_STATE_FREE       3

#define ACRN_IOREQ_TYPE_PORTIO 0
#define ACRN_IOREQ_TYPE_MMIO   1
#define ACRN_IOREQ_TYPE_PCICFG 2
/* Newer hypervisors; the kernel's header has no name for it: a write to a read-only page. */
#define ACRN_IOREQ_TYPE_WP 3

#define ACRN_IOREQ_DIR_READ  0
#define ACRN_IOREQ_DIR_WRITE 1

struct acrn_mmio_request {
    __u32 direction;
    __u32 reserved;
    __u64 address;
    __u64 size;
    __u64 value;
};

struct acrn_pio_request {
    __u32 direction;
    __u32 reserved;
    __u64 address;
    __u64 size;
    __u32 value;
};

struct acrn_pci_request {
    __u32 direction;
    __u32 reserved[3];
    __u64 size;
    __u32 value;
    __u32 bus;
    __u32 dev;
    __u32 func;
    __u32 reg;
};

struct acrn_io_request {
    __u32 type;
    __u32 completion_polling; /* the hypervisor spins on processed instead of being told */
    __u32 reserved0[14];
    union {
        struct acrn_pio_request pio_request;
        struct acrn_pci_request pci_request;
        struct acrn_mmio_request mmio_request;
        __u64 data[8];
    } reqs;
    __u32 reserved1;
    __u32 kernel_handled; /* the driver answers it itself; written before PROCESSING */
    __u32 processed;      /* ACRN_IOREQ_STATE_* */
} __attribute__((aligned(256)));

struct acrn_io_request_buffer {
    union {
        struct acrn_io_request req_slot[ACRN_IO_REQUEST_MAX];
        __u8 reserved[4096];
    };
};

struct acrn_ioreq_notify {
    __u16 vmid; /* ignored by the driver */
    __u16 reserved;
    __u32 vcpu;
};

/* ---- a VM ---- */

/* vm_flag: the bits the hypervisor takes from a device model. */
#define ACRN_VM_FLAG_SECURE_WORLD          (1ULL << 0)
#define ACRN_VM_FLAG_LAPIC_PASSTHROUGH     (1ULL << 1) /* only together with RT */
#define ACRN_VM_FLAG_IO_COMPLETION_POLLING (1ULL << 2)
#define ACRN_VM_FLAG_RT                    (1ULL << 4)

struct acrn_vm_creation {
    __u16 vmid; /* out */
    __u16 reserved0;
    __u16 vcpu_num; /* out: the hypervisor's choice */
    __u16 reserved1;
    __u8 uuid[16]; /* today the VM's name: up to 15 characters and a NUL */
    __u64 vm_flag;
    __u64 ioreq_buf;    /* address of a page of ours, pinned */
    __u64 cpu_affinity; /* bitmap of physical CPUs; 0: what is configured */
};

struct acrn_gp_regs {
    __le64 rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi;
    __le64 r8, r9, r10, r11, r12, r13, r14, r15;
};

struct acrn_descriptor_ptr {
    __le16 limit;
    __le64 base;
    __le16 reserved[3];
} __attribute__((packed));

struct acrn_regs {
    struct acrn_gp_regs gprs;
    struct acrn_descriptor_ptr gdt;
    struct acrn_descriptor_ptr idt;
    __le64 rip;
    __le64 cs_base;
    __le64 cr0;
    __le64 cr4;
    __le64 cr3;
    __le64 ia32_efer;
    __le64 rflags; /* 0 means 2 */
    __le64 reserved_64[4];
    __le32 cs_ar;
    __le32 cs_limit;
    __le32 reserved_32[3];
    __le16 cs_sel;
    __le16 ss_sel;
    __le16 ds_sel;
    __le16 es_sel;
    __le16 fs_sel;
    __le16 gs_sel;
    __le16 ldt_sel;
    __le16 tr_sel;
};

struct acrn_vcpu_regs {
    __u16 vcpu_id;
    __u16 reserved[3];
    struct acrn_regs vcpu_regs;
};

#define ACRN_IOCTL_CREATE_VM     _IOWR(ACRN_IOCTL_TYPE, 0x10, struct acrn_vm_creation)
#define ACRN_IOCTL_DESTROY_VM    _IO(ACRN_IOCTL_TYPE, 0x11)
#define ACRN_IOCTL_START_VM      _IO(ACRN_IOCTL_TYPE, 0x12)
#define ACRN_IOCTL_PAUSE_VM      _IO(ACRN_IOCTL_TYPE, 0x13)
#define ACRN_IOCTL_RESET_VM      _IO(ACRN_IOCTL_TYPE, 0x15)
#define ACRN_IOCTL_SET_VCPU_REGS _IOW(ACRN_IOCTL_TYPE, 0x16, struct acrn_vcpu_regs)

#define ACRN_IOCTL_NOTIFY_REQUEST_FINISH _IOW(ACRN_IOCTL_TYPE, 0x31, struct acrn_ioreq_notify)
#define ACRN_IOCTL_CREATE_IOREQ_CLIENT   _IO(ACRN_IOCTL_TYPE, 0x32)
/* Blocks; 0 means look at the slots: there may be a request, or there was a signal. */
#define ACRN_IOCTL_ATTACH_IOREQ_CLIENT  _IO(ACRN_IOCTL_TYPE, 0x33)
#define ACRN_IOCTL_DESTROY_IOREQ_CLIENT _IO(ACRN_IOCTL_TYPE, 0x34)
#define ACRN_IOCTL_CLEAR_VM_IOREQ       _IO(ACRN_IOCTL_TYPE, 0x35)

/* ---- memory ---- */

#define ACRN_MEMMAP_RAM  0 /* pinned pages of ours, for the life of the VM */
#define ACRN_MEMMAP_MMIO 1 /* physical addresses of the Service VM */

#define ACRN_MEM_ACCESS_READ       0x1U
#define ACRN_MEM_ACCESS_WRITE      0x2U
#define ACRN_MEM_ACCESS_EXEC       0x4U
#define ACRN_MEM_ACCESS_RWX        0x7U
#define ACRN_MEM_TYPE_WB           0x40U
#define ACRN_MEM_TYPE_WT           0x80U
#define ACRN_MEM_TYPE_UC           0x100U
#define ACRN_MEM_TYPE_WC           0x200U
#define ACRN_MEM_TYPE_WP           0x400U
#define ACRN_MEM_ACCESS_RIGHT_MASK 0x7U
#define ACRN_MEM_TYPE_MASK         0x7C0U

struct acrn_vm_memmap {
    __u32 type; /* ACRN_MEMMAP_* */
    __u32 attr; /* ACRN_MEM_* */
    __u64 user_vm_pa;
    union {
        __u64 service_vm_pa; /* MMIO */
        __u64 vma_base;      /* RAM */
    };
    __u64 len;
};

#define ACRN_IOCTL_SET_MEMSEG   _IOW(ACRN_IOCTL_TYPE, 0x41, struct acrn_vm_memmap)
#define ACRN_IOCTL_UNSET_MEMSEG _IOW(ACRN_IOCTL_TYPE, 0x42, struct acrn_vm_memmap)

/* ---- interrupts ---- */

struct acrn_msi_entry {
    __u64 msi_addr;
    __u64 msi_data;
};

/* SET_IRQLINE's argument is this as a value, not its address. */
#define ACRN_IRQLINE_SET_HIGH      0
#define ACRN_IRQLINE_SET_LOW       1
#define ACRN_IRQLINE_RAISING_PULSE 2
#define ACRN_IRQLINE_FALLING_PULSE 3

struct acrn_irqline_ops {
    __u32 gsi;
    __u32 op;
};

#define ACRN_INTR_MONITOR_GET_DATA  0
#define ACRN_INTR_MONITOR_DELAY_INT 1

/* What the page given to VM_INTR_MONITOR begins with. */
struct acrn_intr_monitor {
    __u32 cmd;
    __u32 buf_cnt;
    __u64 buffer[48];
};

#define ACRN_IOCTL_INJECT_MSI      _IOW(ACRN_IOCTL_TYPE, 0x23, struct acrn_msi_entry)
#define ACRN_IOCTL_VM_INTR_MONITOR _IOW(ACRN_IOCTL_TYPE, 0x24, unsigned long)
#define ACRN_IOCTL_SET_IRQLINE     _IOW(ACRN_IOCTL_TYPE, 0x25, __u64)

/* ---- eventfds ---- */

#define ACRN_IOEVENTFD_FLAG_PIO       0x01
#define ACRN_IOEVENTFD_FLAG_DATAMATCH 0x02
#define ACRN_IOEVENTFD_FLAG_DEASSIGN  0x04

struct acrn_ioeventfd {
    __u32 fd;
    __u32 flags;
    __u64 addr;
    __u32 len;
    __u32 reserved;
    __u64 data;
};

#define ACRN_IRQFD_FLAG_DEASSIGN 0x01

struct acrn_irqfd {
    __s32 fd;
    __u32 flags;
    struct acrn_msi_entry msi;
};

#define ACRN_IOCTL_IOEVENTFD _IOW(ACRN_IOCTL_TYPE, 0x70, struct acrn_ioeventfd)
#define ACRN_IOCTL_IRQFD     _IOW(ACRN_IOCTL_TYPE, 0x71, struct acrn_irqfd)

/* ---- devices given to the VM ---- */

#define ACRN_PTDEV_IRQ_INTX 0
#define ACRN_PTDEV_IRQ_MSI  1
#define ACRN_PTDEV_IRQ_MSIX 2

#define ACRN_PTDEV_QUIRK_ASSIGN (1U << 0)

struct acrn_ptdev_irq {
    __u32 type;
    __u16 virt_bdf;
    __u16 phys_bdf;
    struct {
        __u32 virt_pin;
        __u32 phys_pin;
        __u32 is_pic_pin;
    } intx;
};

#define ACRN_PCI_NUM_BARS 6

struct acrn_pcidev {
    __u32 type;
    __u16 virt_bdf;
    __u16 phys_bdf;
    __u8 intr_line;
    __u8 intr_pin;
    __u32 bar[ACRN_PCI_NUM_BARS];
};

#define ACRN_MMIODEV_RES_NUM 3

struct acrn_mmiodev {
    __u8 name[8];
    struct {
        __u64 user_vm_pa;
        __u64 service_vm_pa;
        __u64 size;
        __u64 mem_type;
    } res[ACRN_MMIODEV_RES_NUM];
};

struct acrn_vdev {
    union {
        __u64 value;
        struct {
            __le16 vendor;
            __le16 device;
            __le32 legacy_id;
        } fields;
    } id;
    __u64 slot;
    __u32 io_addr[ACRN_PCI_NUM_BARS];
    __u32 io_size[ACRN_PCI_NUM_BARS];
    __u8 args[128];
};

#define ACRN_IOCTL_SET_PTDEV_INTR   _IOW(ACRN_IOCTL_TYPE, 0x53, struct acrn_ptdev_irq)
#define ACRN_IOCTL_RESET_PTDEV_INTR _IOW(ACRN_IOCTL_TYPE, 0x54, struct acrn_ptdev_irq)
#define ACRN_IOCTL_ASSIGN_PCIDEV    _IOW(ACRN_IOCTL_TYPE, 0x55, struct acrn_pcidev)
#define ACRN_IOCTL_DEASSIGN_PCIDEV  _IOW(ACRN_IOCTL_TYPE, 0x56, struct acrn_pcidev)
#define ACRN_IOCTL_ASSIGN_MMIODEV   _IOW(ACRN_IOCTL_TYPE, 0x57, struct acrn_mmiodev)
#define ACRN_IOCTL_DEASSIGN_MMIODEV _IOW(ACRN_IOCTL_TYPE, 0x58, struct acrn_mmiodev)
#define ACRN_IOCTL_CREATE_VDEV      _IOW(ACRN_IOCTL_TYPE, 0x59, struct acrn_vdev)
#define ACRN_IOCTL_DESTROY_VDEV     _IOW(ACRN_IOCTL_TYPE, 0x5A, struct acrn_vdev)

/* ---- power states: the argument holds a command and takes the answer ---- */

struct acrn_cstate_data {
    struct {
        __u8 space_id, bit_width, bit_offset, access_size;
        __le64 address;
    } __attribute__((packed)) cx_reg;
    __u8 type;
    __u32 latency;
    __u64 power;
};

struct acrn_pstate_data {
    __u64 core_frequency, power, transition_latency, bus_master_latency, control, status;
};

enum acrn_pm_cmd_type {
    ACRN_PMCMD_GET_PX_CNT,
    ACRN_PMCMD_GET_PX_DATA,
    ACRN_PMCMD_GET_CX_CNT,
    ACRN_PMCMD_GET_CX_DATA,
};

#define ACRN_IOCTL_PM_GET_CPU_STATE _IOWR(ACRN_IOCTL_TYPE, 0x60, __u64)

/* ---- ACRN's own kernel only; others answer ENOTTY ---- */

#define ACRN_IOCTL_SETUP_ASYNCIO       _IOW(ACRN_IOCTL_TYPE, 0x90, __u64)
#define ACRN_IOCTL_SETUP_VM_EVENT_RING _IOW(ACRN_IOCTL_TYPE, 0xA0, __u64)
#define ACRN_IOCTL_SETUP_VM_EVENT_FD   _IOW(ACRN_IOCTL_TYPE, 0xA1, int)

/* ---- pins ---- */

#define ACRN_PIN_SIZE(type, bytes) _Static_assert(sizeof(struct type) == (bytes), "size of " #type)
#define ACRN_PIN(type, field, at)                                                                  \
    _Static_assert(__builtin_offsetof(struct type, field) == (at), "place of " #type "." #field)
#define ACRN_PIN_NUMBER(name, value)                                                               \
    _Static_assert(ACRN_IOCTL_##name == (value), "number of " #name)

ACRN_PIN_SIZE(acrn_mmio_request, 32);
ACRN_PIN(acrn_mmio_request, address, 8);
ACRN_PIN(acrn_mmio_request, size, 16);
ACRN_PIN(acrn_mmio_request, value, 24);
ACRN_PIN_SIZE(acrn_pio_request, 32);
ACRN_PIN(acrn_pio_request, address, 8);
ACRN_PIN(acrn_pio_request, size, 16);
ACRN_PIN(acrn_pio_request, value, 24);
ACRN_PIN_SIZE(acrn_pci_request, 48);
ACRN_PIN(acrn_pci_request, size, 16);
ACRN_PIN(acrn_pci_request, value, 24);
ACRN_PIN(acrn_pci_request, bus, 28);
ACRN_PIN(acrn_pci_request, dev, 32);
ACRN_PIN(acrn_pci_request, func, 36);
ACRN_PIN(acrn_pci_request, reg, 40);
ACRN_PIN_SIZE(acrn_io_request, 256);
ACRN_PIN(acrn_io_request, completion_polling, 4);
ACRN_PIN(acrn_io_request, reqs, 64);
ACRN_PIN(acrn_io_request, kernel_handled, 132);
ACRN_PIN(acrn_io_request, processed, 136);
ACRN_PIN_SIZE(acrn_io_request_buffer, 4096);
ACRN_PIN_SIZE(acrn_ioreq_notify, 8);
ACRN_PIN(acrn_ioreq_notify, vcpu, 4);
ACRN_PIN_SIZE(acrn_vm_creation, 48);
ACRN_PIN(acrn_vm_creation, vcpu_num, 4);
ACRN_PIN(acrn_vm_creation, uuid, 8);
ACRN_PIN(acrn_vm_creation, vm_flag, 24);
ACRN_PIN(acrn_vm_creation, ioreq_buf, 32);
ACRN_PIN(acrn_vm_creation, cpu_affinity, 40);
ACRN_PIN_SIZE(acrn_gp_regs, 128);
ACRN_PIN(acrn_gp_regs, rsi, 48);
ACRN_PIN(acrn_gp_regs, r8, 64);
ACRN_PIN_SIZE(acrn_descriptor_ptr, 16);
ACRN_PIN(acrn_descriptor_ptr, base, 2);
ACRN_PIN_SIZE(acrn_regs, 288);
ACRN_PIN(acrn_regs, gdt, 128);
ACRN_PIN(acrn_regs, rip, 160);
ACRN_PIN(acrn_regs, cr4, 184);
ACRN_PIN(acrn_regs, rflags, 208);
ACRN_PIN(acrn_regs, cs_ar, 248);
ACRN_PIN(acrn_regs, cs_limit, 252);
ACRN_PIN(acrn_regs, cs_sel, 268);
ACRN_PIN(acrn_regs, tr_sel, 282);
ACRN_PIN_SIZE(acrn_vcpu_regs, 296);
ACRN_PIN(acrn_vcpu_regs, vcpu_regs, 8);
ACRN_PIN_SIZE(acrn_vm_memmap, 32);
ACRN_PIN(acrn_vm_memmap, user_vm_pa, 8);
ACRN_PIN(acrn_vm_memmap, vma_base, 16);
ACRN_PIN(acrn_vm_memmap, len, 24);
ACRN_PIN_SIZE(acrn_msi_entry, 16);
ACRN_PIN_SIZE(acrn_irqline_ops, 8);
ACRN_PIN_SIZE(acrn_intr_monitor, 392);
ACRN_PIN_SIZE(acrn_ioeventfd, 32);
ACRN_PIN(acrn_ioeventfd, addr, 8);
ACRN_PIN(acrn_ioeventfd, len, 16);
ACRN_PIN(acrn_ioeventfd, data, 24);
ACRN_PIN_SIZE(acrn_irqfd, 24);
ACRN_PIN(acrn_irqfd, msi, 8);
ACRN_PIN_SIZE(acrn_ptdev_irq, 20);
ACRN_PIN(acrn_ptdev_irq, phys_bdf, 6);
ACRN_PIN(acrn_ptdev_irq, intx, 8);
ACRN_PIN_SIZE(acrn_pcidev, 36);
ACRN_PIN(acrn_pcidev, intr_pin, 9);
ACRN_PIN(acrn_pcidev, bar, 12);
ACRN_PIN_SIZE(acrn_mmiodev, 104);
ACRN_PIN(acrn_mmiodev, res, 8);
ACRN_PIN_SIZE(acrn_vdev, 192);
ACRN_PIN(acrn_vdev, slot, 8);
ACRN_PIN(acrn_vdev, io_addr, 16);
ACRN_PIN(acrn_vdev, io_size, 40);
ACRN_PIN(acrn_vdev, args, 64);
ACRN_PIN_SIZE(acrn_cstate_data, 32);
ACRN_PIN(acrn_cstate_data, type, 12);
ACRN_PIN(acrn_cstate_data, latency, 16);
ACRN_PIN(acrn_cstate_data, power, 24);
ACRN_PIN_SIZE(acrn_pstate_data, 48);

ACRN_PIN_NUMBER(CREATE_VM, 0xC030A210);
ACRN_PIN_NUMBER(DESTROY_VM, 0x0000A211);
ACRN_PIN_NUMBER(START_VM, 0x0000A212);
ACRN_PIN_NUMBER(PAUSE_VM, 0x0000A213);
ACRN_PIN_NUMBER(RESET_VM, 0x0000A215);
ACRN_PIN_NUMBER(SET_VCPU_REGS, 0x4128A216);
ACRN_PIN_NUMBER(INJECT_MSI, 0x4010A223);
ACRN_PIN_NUMBER(VM_INTR_MONITOR, 0x4008A224);
ACRN_PIN_NUMBER(SET_IRQLINE, 0x4008A225);
ACRN_PIN_NUMBER(NOTIFY_REQUEST_FINISH, 0x4008A231);
ACRN_PIN_NUMBER(CREATE_IOREQ_CLIENT, 0x0000A232);
ACRN_PIN_NUMBER(ATTACH_IOREQ_CLIENT, 0x0000A233);
ACRN_PIN_NUMBER(DESTROY_IOREQ_CLIENT, 0x0000A234);
ACRN_PIN_NUMBER(CLEAR_VM_IOREQ, 0x0000A235);
ACRN_PIN_NUMBER(SET_MEMSEG, 0x4020A241);
ACRN_PIN_NUMBER(UNSET_MEMSEG, 0x4020A242);
ACRN_PIN_NUMBER(SET_PTDEV_INTR, 0x4014A253);
ACRN_PIN_NUMBER(RESET_PTDEV_INTR, 0x4014A254);
ACRN_PIN_NUMBER(ASSIGN_PCIDEV, 0x4024A255);
ACRN_PIN_NUMBER(DEASSIGN_PCIDEV, 0x4024A256);
ACRN_PIN_NUMBER(ASSIGN_MMIODEV, 0x4068A257);
ACRN_PIN_NUMBER(DEASSIGN_MMIODEV, 0x4068A258);
ACRN_PIN_NUMBER(CREATE_VDEV, 0x40C0A259);
ACRN_PIN_NUMBER(DESTROY_VDEV, 0x40C0A25A);
ACRN_PIN_NUMBER(PM_GET_CPU_STATE, 0xC008A260);
ACRN_PIN_NUMBER(IOEVENTFD, 0x4020A270);
ACRN_PIN_NUMBER(IRQFD, 0x4018A271);
ACRN_PIN_NUMBER(SETUP_ASYNCIO, 0x4008A290);
ACRN_PIN_NUMBER(SETUP_VM_EVENT_RING, 0x4008A2A0);
ACRN_PIN_NUMBER(SETUP_VM_EVENT_FD, 0x4004A2A1);

#undef ACRN_PIN_SIZE
#undef ACRN_PIN
#undef ACRN_PIN_NUMBER

#endif
