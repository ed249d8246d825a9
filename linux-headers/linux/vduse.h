/* SPDX-License-Identifier: GPL-2.0-or-later WITH Linux-syscall-note
 * The userspace interface of the kernel's VDUSE driver (virtio devices served by a process),
 * written from its facts: names, numbers, sizes and offsets are the kernel's, the words are ours,
 * and every one of them is pinned at the end.
 *
 * /dev/vduse/control makes and destroys devices; /dev/vduse/NAME, which one process has open at a
 * time, serves one: messages are read and answered there. A reserved field that is not 0 is EINVAL.
 */
#ifndef HUMPY_LINUX_VDUSE_H
#define HUMPY_LINUX_VDUSE_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define VDUSE_BASE 0x81

/* ---- /dev/vduse/control ---- */

/* The version is kept per descriptor and is 0 until it is set. */
#define VDUSE_API_VERSION     0
#define VDUSE_GET_API_VERSION _IOR(VDUSE_BASE, 0x00, __u64)
#define VDUSE_SET_API_VERSION _IOW(VDUSE_BASE, 0x01, __u64)

#define VDUSE_NAME_MAX 256

struct vduse_dev_config {
    char name[VDUSE_NAME_MAX];
    __u32 vendor_id;
    __u32 device_id;
    __u64 features;
    __u32 vq_num;
    __u32 vq_align;
    __u32 reserved[13]; /* version 1: [0] groups of queues, [1] address spaces */
    __u32 config_size;
    __u8 config[];
};

#define VDUSE_CREATE_DEV  _IOW(VDUSE_BASE, 0x02, struct vduse_dev_config)
#define VDUSE_DESTROY_DEV _IOW(VDUSE_BASE, 0x03, char[VDUSE_NAME_MAX])

/* ---- /dev/vduse/NAME: memory ---- */

#define VDUSE_ACCESS_RO 0x1
#define VDUSE_ACCESS_WO 0x2
#define VDUSE_ACCESS_RW 0x3

/* In: start and last, both the address looked for. Out: the region around it, and where it is in
 * the descriptor that the call returns. last need not end a page. */
struct vduse_iotlb_entry {
    __u64 offset;
    __u64 start;
    __u64 last;
    __u8 perm;
};
#define VDUSE_IOTLB_GET_FD _IOWR(VDUSE_BASE, 0x10, struct vduse_iotlb_entry)

/* Own pages instead of the kernel's for the bounce buffer at iova 0, which it must span. */
struct vduse_iova_umem {
    __u64 uaddr;
    __u64 iova;
    __u64 size;
    __u64 reserved[3];
};
#define VDUSE_IOTLB_REG_UMEM   _IOW(VDUSE_BASE, 0x18, struct vduse_iova_umem)
#define VDUSE_IOTLB_DEREG_UMEM _IOW(VDUSE_BASE, 0x19, struct vduse_iova_umem)

#define VDUSE_IOVA_CAP_UMEM (1 << 0)
struct vduse_iova_info {
    __u64 start;
    __u64 last;
    __u64 capability;
    __u64 reserved[3];
};
#define VDUSE_IOTLB_GET_INFO _IOWR(VDUSE_BASE, 0x1a, struct vduse_iova_info)

/* ---- features and configuration bytes ---- */

/* What the driver accepted. */
#define VDUSE_DEV_GET_FEATURES _IOR(VDUSE_BASE, 0x11, __u64)

struct vduse_config_data {
    __u32 offset;
    __u32 length;
    __u8 buffer[];
};
#define VDUSE_DEV_SET_CONFIG        _IOW(VDUSE_BASE, 0x12, struct vduse_config_data)
#define VDUSE_DEV_INJECT_CONFIG_IRQ _IO(VDUSE_BASE, 0x13)

/* ---- queues ---- */

struct vduse_vq_config {
    __u32 index;
    __u16 max_size;
    __u16 reserved[13];
};
#define VDUSE_VQ_SETUP _IOW(VDUSE_BASE, 0x14, struct vduse_vq_config)

struct vduse_vq_state_split {
    __u16 avail_index;
};

struct vduse_vq_state_packed {
    __u16 last_avail_counter;
    __u16 last_avail_idx;
    __u16 last_used_counter;
    __u16 last_used_idx;
};

struct vduse_vq_info {
    __u32 index;
    __u32 num;
    __u64 desc_addr;
    __u64 driver_addr;
    __u64 device_addr;
    union {
        struct vduse_vq_state_split split;
        struct vduse_vq_state_packed packed;
    };
    __u8 ready;
};
#define VDUSE_VQ_GET_INFO _IOWR(VDUSE_BASE, 0x15, struct vduse_vq_info)

#define VDUSE_EVENTFD_DEASSIGN (-1)
struct vduse_vq_eventfd {
    __u32 index;
    int fd;
};
#define VDUSE_VQ_SETUP_KICKFD _IOW(VDUSE_BASE, 0x16, struct vduse_vq_eventfd)
#define VDUSE_VQ_INJECT_IRQ   _IOW(VDUSE_BASE, 0x17, __u32)

/* ---- messages: read one, write its answer ---- */

enum vduse_req_type {
    VDUSE_GET_VQ_STATE,
    VDUSE_SET_STATUS,
    VDUSE_UPDATE_IOTLB,
};

struct vduse_vq_state {
    __u32 index;
    union {
        struct vduse_vq_state_split split;
        struct vduse_vq_state_packed packed;
    };
};

struct vduse_dev_status {
    __u8 status;
};

/* Both ends belong to it; what is mapped of it is no longer valid. */
struct vduse_iova_range {
    __u64 start;
    __u64 last;
};

struct vduse_dev_request {
    __u32 type;
    __u32 request_id;
    __u32 reserved[4];
    union {
        struct vduse_vq_state vq_state;
        struct vduse_dev_status s;
        struct vduse_iova_range iova;
        __u32 padding[32];
    };
};

#define VDUSE_REQ_RESULT_OK     0
#define VDUSE_REQ_RESULT_FAILED 1
struct vduse_dev_response {
    __u32 request_id;
    __u32 result;
    __u32 reserved[4];
    union {
        struct vduse_vq_state vq_state;
        __u32 padding[32];
    };
};

/* ---- version 1, in kernels newer than 6.12 ---- */

#define VDUSE_API_VERSION_1 1
/* Address spaces: moves a group of queues to another one; the answer is as any other. */
#define VDUSE_SET_VQ_GROUP_ASID 3
struct vduse_vq_group_asid {
    __u32 group;
    __u32 asid;
};

/* ---- pinned ---- */

#define VDUSE_PIN(name, expr) _Static_assert(expr, "VDUSE ABI: " name)
#define VDUSE_PIN_AT(type, field, at)                                                              \
    VDUSE_PIN(#type "." #field, __builtin_offsetof(struct type, field) == (at))

VDUSE_PIN("GET_API_VERSION", VDUSE_GET_API_VERSION == 0x80088100);
VDUSE_PIN("SET_API_VERSION", VDUSE_SET_API_VERSION == 0x40088101);
VDUSE_PIN("CREATE_DEV", VDUSE_CREATE_DEV == 0x41508102);
VDUSE_PIN("DESTROY_DEV", VDUSE_DESTROY_DEV == 0x41008103);
VDUSE_PIN("IOTLB_GET_FD", VDUSE_IOTLB_GET_FD == 0xC0208110);
VDUSE_PIN("DEV_GET_FEATURES", VDUSE_DEV_GET_FEATURES == 0x80088111);
VDUSE_PIN("DEV_SET_CONFIG", VDUSE_DEV_SET_CONFIG == 0x40088112);
VDUSE_PIN("DEV_INJECT_CONFIG_IRQ", VDUSE_DEV_INJECT_CONFIG_IRQ == 0x00008113);
VDUSE_PIN("VQ_SETUP", VDUSE_VQ_SETUP == 0x40208114);
VDUSE_PIN("VQ_GET_INFO", VDUSE_VQ_GET_INFO == 0xC0308115);
VDUSE_PIN("VQ_SETUP_KICKFD", VDUSE_VQ_SETUP_KICKFD == 0x40088116);
VDUSE_PIN("VQ_INJECT_IRQ", VDUSE_VQ_INJECT_IRQ == 0x40048117);
VDUSE_PIN("IOTLB_REG_UMEM", VDUSE_IOTLB_REG_UMEM == 0x40308118);
VDUSE_PIN("IOTLB_DEREG_UMEM", VDUSE_IOTLB_DEREG_UMEM == 0x40308119);
VDUSE_PIN("IOTLB_GET_INFO", VDUSE_IOTLB_GET_INFO == 0xC030811A);

VDUSE_PIN("dev_config", sizeof(struct vduse_dev_config) == 336);
VDUSE_PIN_AT(vduse_dev_config, vendor_id, 256);
VDUSE_PIN_AT(vduse_dev_config, device_id, 260);
VDUSE_PIN_AT(vduse_dev_config, features, 264);
VDUSE_PIN_AT(vduse_dev_config, vq_num, 272);
VDUSE_PIN_AT(vduse_dev_config, vq_align, 276);
VDUSE_PIN_AT(vduse_dev_config, reserved, 280);
VDUSE_PIN_AT(vduse_dev_config, config_size, 332);
VDUSE_PIN_AT(vduse_dev_config, config, 336);
VDUSE_PIN("iotlb_entry", sizeof(struct vduse_iotlb_entry) == 32);
VDUSE_PIN_AT(vduse_iotlb_entry, start, 8);
VDUSE_PIN_AT(vduse_iotlb_entry, last, 16);
VDUSE_PIN_AT(vduse_iotlb_entry, perm, 24);
VDUSE_PIN("config_data", sizeof(struct vduse_config_data) == 8);
VDUSE_PIN_AT(vduse_config_data, length, 4);
VDUSE_PIN_AT(vduse_config_data, buffer, 8);
VDUSE_PIN("vq_config", sizeof(struct vduse_vq_config) == 32);
VDUSE_PIN_AT(vduse_vq_config, max_size, 4);
VDUSE_PIN_AT(vduse_vq_config, reserved, 6);
VDUSE_PIN("vq_state_split", sizeof(struct vduse_vq_state_split) == 2);
VDUSE_PIN("vq_state_packed", sizeof(struct vduse_vq_state_packed) == 8);
VDUSE_PIN("vq_info", sizeof(struct vduse_vq_info) == 48);
VDUSE_PIN_AT(vduse_vq_info, num, 4);
VDUSE_PIN_AT(vduse_vq_info, desc_addr, 8);
VDUSE_PIN_AT(vduse_vq_info, driver_addr, 16);
VDUSE_PIN_AT(vduse_vq_info, device_addr, 24);
VDUSE_PIN_AT(vduse_vq_info, split, 32);
VDUSE_PIN_AT(vduse_vq_info, packed, 32);
VDUSE_PIN_AT(vduse_vq_info, ready, 40);
VDUSE_PIN("vq_eventfd", sizeof(struct vduse_vq_eventfd) == 8);
VDUSE_PIN_AT(vduse_vq_eventfd, fd, 4);
VDUSE_PIN("iova_umem", sizeof(struct vduse_iova_umem) == 48);
VDUSE_PIN_AT(vduse_iova_umem, iova, 8);
VDUSE_PIN_AT(vduse_iova_umem, size, 16);
VDUSE_PIN("iova_info", sizeof(struct vduse_iova_info) == 48);
VDUSE_PIN_AT(vduse_iova_info, last, 8);
VDUSE_PIN_AT(vduse_iova_info, capability, 16);
VDUSE_PIN("vq_state", sizeof(struct vduse_vq_state) == 12);
VDUSE_PIN_AT(vduse_vq_state, split, 4);
VDUSE_PIN("dev_request", sizeof(struct vduse_dev_request) == 152);
VDUSE_PIN_AT(vduse_dev_request, request_id, 4);
VDUSE_PIN_AT(vduse_dev_request, vq_state, 24);
VDUSE_PIN_AT(vduse_dev_request, s, 24);
VDUSE_PIN_AT(vduse_dev_request, iova, 24);
VDUSE_PIN("dev_response", sizeof(struct vduse_dev_response) == 152);
VDUSE_PIN_AT(vduse_dev_response, result, 4);
VDUSE_PIN_AT(vduse_dev_response, vq_state, 24);
VDUSE_PIN("request types",
          VDUSE_GET_VQ_STATE == 0 && VDUSE_SET_STATUS == 1 && VDUSE_UPDATE_IOTLB == 2);
VDUSE_PIN("vq_group_asid", sizeof(struct vduse_vq_group_asid) == 8);

#undef VDUSE_PIN
#undef VDUSE_PIN_AT

#endif
