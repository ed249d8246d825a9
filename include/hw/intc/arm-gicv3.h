/* SPDX-License-Identifier: GPL-2.0-or-later
 * The GICv3 as a device ("arm-gicv3"): region 0 is the distributor, region 1 the redistributors.
 * Unnamed input n is SPI n; behind the SPIs come 32 inputs for each CPU, of which 16 to 31 are its
 * PPIs. Interrupt outputs: the IRQ lines of all CPUs, then their FIQ lines.
 */
#pragma once

#include "hw/core/device.h"

#define TYPE_ARM_GICV3 arm_gicv3_get_type()
G_DECLARE_FINAL_TYPE(ArmGicv3, arm_gicv3, HUMPY, ARM_GICV3, Device)
