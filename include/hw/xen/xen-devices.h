/* SPDX-License-Identifier: GPL-2.0-or-later
 * The machine "xen-devices": no CPUs and no memory, only devices at addresses that the user
 * chooses, for a domain that Xen's toolstack has built (-accel xen).
 */
#pragma once

#include "hw/core/machine.h"

GType xen_devices_machine_get_type(void);
