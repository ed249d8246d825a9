/* SPDX-License-Identifier: GPL-2.0-or-later
 * -object arm-confidential-guest, as a machine sees it. [main]
 */
#pragma once

#include "accel/accel.h"
#include "hw/core/user-object.h"

#define TYPE_ARM_CONFIDENTIAL_GUEST arm_confidential_guest_get_type()
G_DECLARE_FINAL_TYPE(ArmConfidentialGuest, arm_confidential_guest, HUMPY, ARM_CONFIDENTIAL_GUEST,
                     UserObject)

/* Puts what guest says over what *wanted says so far. */
void arm_confidential_guest_wishes(ArmConfidentialGuest *guest, AccelProtection *wanted);
