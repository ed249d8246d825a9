/* SPDX-License-Identifier: GPL-2.0-or-later
 * vcpu-stall-detector: a watchdog for each vCPU, as Linux's driver of that name drives it (binding
 * misc/qemu,vcpu-stall-detector.yaml); crosvm's guests know it, too.
 */
#pragma once

#include "hw/core/device.h"

#define TYPE_VCPU_STALL vcpu_stall_get_type()
G_DECLARE_FINAL_TYPE(VcpuStall, vcpu_stall, HUMPY, VCPU_STALL, Device)

enum {
    VCPU_STALL_SIZE = 0x1000, /* of all registers */
    VCPU_STALL_CLOCK_HZ = 10, /* what the device tree tells */
    VCPU_STALL_TIMEOUT = 8,   /* seconds, the same */
};
