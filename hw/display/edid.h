/* SPDX-License-Identifier: GPL-2.0-or-later
 * What a monitor tells of itself (VESA E-EDID 1.4).
 */
#pragma once

#include <stdint.h>

enum {
    EDID_SIZE = 128,
    EDID_MAX_SIDE = 4095, /* what a detailed timing can tell */
};

/* A block for a monitor that prefers width by height, both 1 to EDID_MAX_SIDE. */
void edid_make(uint8_t block[EDID_SIZE], unsigned width, unsigned height);
