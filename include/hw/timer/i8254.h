/* SPDX-License-Identifier: GPL-2.0-or-later
 * 8254 interval timer of a PC. Regions: the timer's four ports (0x40), system control port B (0x61)
 * with the third counter's gate and output. One output wire: the first counter's (IRQ 0).
 */
#pragma once

#include "hw/core/device.h"

enum { I8254_PORTS, I8254_PORT_B };
enum { I8254_HZ = 1193182 };

#define TYPE_I8254 i8254_get_type()
G_DECLARE_FINAL_TYPE(I8254, i8254, HUMPY, I8254, Device)
