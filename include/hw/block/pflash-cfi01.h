/* SPDX-License-Identifier: GPL-2.0-or-later
 * Parallel NOR flash with the Intel command set ("cfi_pflash01"): one region that reads as memory
 * until a command is written to it. Its content is a drive's, which every change is written to, or
 * volatile without one.
 */
#pragma once

#include "hw/core/device.h"

#define TYPE_PFLASH_CFI01 pflash_cfi01_get_type()
G_DECLARE_FINAL_TYPE(PflashCfi01, pflash_cfi01, HUMPY, PFLASH_CFI01, Device)

/* Puts bytes (at most the flash's size) at its start, as if they had been programmed before
 * power-on, without telling the drive. After realize. [main] */
bool pflash_load(PflashCfi01 *flash, const void *data, size_t len, GError **error);
