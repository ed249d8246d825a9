/* SPDX-License-Identifier: GPL-2.0-or-later
 * 16550A UART, as at the COM ports of a PC. One region of eight byte registers, one output wire
 * (INTR, level).
 */
#pragma once

#include "hw/core/device.h"

struct Chardev;

enum { SERIAL_SIZE = 8 };

#define TYPE_SERIAL serial_get_type()
G_DECLARE_FINAL_TYPE(Serial, serial, HUMPY, SERIAL, Device)

/* New unrealized UART that speaks through chr, borrowed until unrealize; NULL: nobody listens. */
Device *serial_new(struct Chardev *chr);
