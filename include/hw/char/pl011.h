/* SPDX-License-Identifier: GPL-2.0-or-later
 * Arm PrimeCell UART PL011. One register region, one output wire (the combined UARTINTR).
 */
#pragma once

#include "hw/core/device.h"

struct Chardev;

#define TYPE_PL011 pl011_get_type()
G_DECLARE_FINAL_TYPE(Pl011, pl011, HUMPY, PL011, Device)

/* New unrealized UART that speaks through chr, borrowed until unrealize; NULL: nobody listens. */
Device *pl011_new(struct Chardev *chr);
