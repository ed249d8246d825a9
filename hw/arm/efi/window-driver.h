/* SPDX-License-Identifier: GPL-2.0-or-later
 * The driver's part that keeps devices of a protected guest to the window of memory that they share
 * with it. Freestanding arm64 code.
 */
#pragma once

#include "uefi.h"

enum {
    /* The start of the window, or memory of this size anywhere, is the store's for as long as the
     * guest runs: as much as attributes of run time memory may differ by on arm64. */
    WINDOW_MAIL = 0x10000,
};

/* Makes the window memory. */
EfiStatus window_add(const EfiDxeServices *dxe, uint64_t base, uint64_t size);
/* Takes all of it, and publishes what drivers of devices get their buffers from. */
EfiStatus window_start(const EfiBootServices *boot, uint64_t base, uint64_t size);

/* The compiler calls it, too. */
void *memcpy(void *to, const void *from, size_t len);
