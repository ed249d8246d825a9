/* SPDX-License-Identifier: GPL-2.0-or-later
 * Every constant, structure and field that linux-headers/linux/vduse.h and the system's own
 * <linux/vduse.h> both have. Included by a file for each of the two, after its header.
 */
#pragma once

#include "abi.h"

/* clang-format off */
#define ABI_ROWS                                                                                   \
    NUMBER(VDUSE_BASE), \
    NUMBER(VDUSE_API_VERSION), \
    NUMBER(VDUSE_GET_API_VERSION), \
    NUMBER(VDUSE_SET_API_VERSION), \
    NUMBER(VDUSE_NAME_MAX), \
    NUMBER(VDUSE_CREATE_DEV), \
    NUMBER(VDUSE_DESTROY_DEV), \
    NUMBER(VDUSE_ACCESS_RO), \
    NUMBER(VDUSE_ACCESS_WO), \
    NUMBER(VDUSE_ACCESS_RW), \
    NUMBER(VDUSE_IOTLB_GET_FD), \
    NUMBER(VDUSE_IOTLB_REG_UMEM), \
    NUMBER(VDUSE_IOTLB_DEREG_UMEM), \
    NUMBER(VDUSE_IOVA_CAP_UMEM), \
    NUMBER(VDUSE_IOTLB_GET_INFO), \
    NUMBER(VDUSE_DEV_GET_FEATURES), \
    NUMBER(VDUSE_DEV_SET_CONFIG), \
    NUMBER(VDUSE_DEV_INJECT_CONFIG_IRQ), \
    NUMBER(VDUSE_VQ_SETUP), \
    NUMBER(VDUSE_VQ_GET_INFO), \
    NUMBER(VDUSE_EVENTFD_DEASSIGN), \
    NUMBER(VDUSE_VQ_SETUP_KICKFD), \
    NUMBER(VDUSE_VQ_INJECT_IRQ), \
    NUMBER(VDUSE_REQ_RESULT_OK), \
    NUMBER(VDUSE_REQ_RESULT_FAILED), \
    NUMBER(VDUSE_GET_VQ_STATE), \
    NUMBER(VDUSE_SET_STATUS), \
    NUMBER(VDUSE_UPDATE_IOTLB), \
    SIZE(vduse_dev_config), \
    FIELD(vduse_dev_config, name), \
    FIELD(vduse_dev_config, vendor_id), \
    FIELD(vduse_dev_config, device_id), \
    FIELD(vduse_dev_config, features), \
    FIELD(vduse_dev_config, vq_num), \
    FIELD(vduse_dev_config, vq_align), \
    FIELD(vduse_dev_config, reserved), \
    FIELD(vduse_dev_config, config_size), \
    START(vduse_dev_config, config), \
    SIZE(vduse_iotlb_entry), \
    FIELD(vduse_iotlb_entry, offset), \
    FIELD(vduse_iotlb_entry, start), \
    FIELD(vduse_iotlb_entry, last), \
    FIELD(vduse_iotlb_entry, perm), \
    SIZE(vduse_iova_umem), \
    FIELD(vduse_iova_umem, uaddr), \
    FIELD(vduse_iova_umem, iova), \
    FIELD(vduse_iova_umem, size), \
    FIELD(vduse_iova_umem, reserved), \
    SIZE(vduse_iova_info), \
    FIELD(vduse_iova_info, start), \
    FIELD(vduse_iova_info, last), \
    FIELD(vduse_iova_info, capability), \
    FIELD(vduse_iova_info, reserved), \
    SIZE(vduse_config_data), \
    FIELD(vduse_config_data, offset), \
    FIELD(vduse_config_data, length), \
    START(vduse_config_data, buffer), \
    SIZE(vduse_vq_config), \
    FIELD(vduse_vq_config, index), \
    FIELD(vduse_vq_config, max_size), \
    FIELD(vduse_vq_config, reserved), \
    SIZE(vduse_vq_state_split), \
    FIELD(vduse_vq_state_split, avail_index), \
    SIZE(vduse_vq_state_packed), \
    FIELD(vduse_vq_state_packed, last_avail_counter), \
    FIELD(vduse_vq_state_packed, last_avail_idx), \
    FIELD(vduse_vq_state_packed, last_used_counter), \
    FIELD(vduse_vq_state_packed, last_used_idx), \
    SIZE(vduse_vq_info), \
    FIELD(vduse_vq_info, index), \
    FIELD(vduse_vq_info, num), \
    FIELD(vduse_vq_info, desc_addr), \
    FIELD(vduse_vq_info, driver_addr), \
    FIELD(vduse_vq_info, device_addr), \
    FIELD(vduse_vq_info, split), \
    FIELD(vduse_vq_info, packed), \
    FIELD(vduse_vq_info, ready), \
    SIZE(vduse_vq_eventfd), \
    FIELD(vduse_vq_eventfd, index), \
    FIELD(vduse_vq_eventfd, fd), \
    SIZE(vduse_vq_state), \
    FIELD(vduse_vq_state, index), \
    FIELD(vduse_vq_state, split), \
    FIELD(vduse_vq_state, packed), \
    SIZE(vduse_dev_status), \
    FIELD(vduse_dev_status, status), \
    SIZE(vduse_iova_range), \
    FIELD(vduse_iova_range, start), \
    FIELD(vduse_iova_range, last), \
    SIZE(vduse_dev_request), \
    FIELD(vduse_dev_request, type), \
    FIELD(vduse_dev_request, request_id), \
    FIELD(vduse_dev_request, reserved), \
    FIELD(vduse_dev_request, vq_state), \
    FIELD(vduse_dev_request, s), \
    FIELD(vduse_dev_request, iova), \
    FIELD(vduse_dev_request, padding), \
    SIZE(vduse_dev_response), \
    FIELD(vduse_dev_response, request_id), \
    FIELD(vduse_dev_response, result), \
    FIELD(vduse_dev_response, reserved), \
    FIELD(vduse_dev_response, vq_state), \
    FIELD(vduse_dev_response, padding)
/* clang-format on */
