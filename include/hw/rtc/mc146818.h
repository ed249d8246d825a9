/* SPDX-License-Identifier: GPL-2.0-or-later
 * MC146818 real-time clock with 128 bytes of registers and battery-backed memory ("CMOS"), as in a
 * PC. One region of MC146818_SIZE ports (index, data), one output wire (IRQ, level, active high).
 */
#pragma once

#include "hw/core/device.h"

enum { MC146818_SIZE = 2, MC146818_N_BYTES = 128 };

#define TYPE_MC146818 mc146818_get_type()
G_DECLARE_FINAL_TYPE(Mc146818, mc146818, HUMPY, MC146818, Device)

/* Where firmware looks for the size of memory: low bytes below 4 GiB and high above. [main] */
void mc146818_set_memory(Mc146818 *s, uint64_t low, uint64_t high);

/* The wall clock that is shown, in microseconds since 1970 (UTC); before the guest runs. NULL: the
 * host's. [main] */
typedef int64_t (*Mc146818Clock)(void *opaque);
void mc146818_set_clock(Mc146818 *s, Mc146818Clock clock, void *opaque);
