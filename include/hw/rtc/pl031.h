/* SPDX-License-Identifier: GPL-2.0-or-later
 * Arm PrimeCell RTC PL031. One register region, one output wire.
 */
#pragma once

#include "hw/core/device.h"

#define TYPE_PL031 pl031_get_type()
G_DECLARE_FINAL_TYPE(Pl031, pl031, HUMPY, PL031, Device)

/* Microseconds since 1970. [any], called with the device's lock held. */
typedef int64_t (*Pl031Clock)(void *opaque);

/* Replaces the host's wall clock from now on. NULL: the host's again. The guest sees the change. */
void pl031_set_clock(Pl031 *rtc, Pl031Clock clock, void *opaque);
