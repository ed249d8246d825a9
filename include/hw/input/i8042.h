/* SPDX-License-Identifier: GPL-2.0-or-later
 * Keyboard controller of a PC with nothing plugged into it: what a kernel asks to find that out,
 * the reset line and the A20 gate. Regions of one port each: data (0x60), command and status
 * (0x64), system control port A (0x92). Output wires: 0 keyboard (IRQ 1), 1 mouse (IRQ 12).
 */
#pragma once

#include "hw/core/device.h"

enum { I8042_DATA, I8042_COMMAND, I8042_PORT_A };

#define TYPE_I8042 i8042_get_type()
G_DECLARE_FINAL_TYPE(I8042, i8042, HUMPY, I8042, Device)
