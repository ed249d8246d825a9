/* SPDX-License-Identifier: GPL-2.0-or-later
 * Firmware volumes of UEFI images (PI 1.7 volume 3): finding one and adding a driver to it. The
 * image is hostile.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* The volume in len bytes of image that holds others, as EDK2 builds its main one; FALSE: there is
 * none, *error (UNSUPPORTED) says so. */
typedef struct {
    uint64_t at, len; /* in the image */
    uint64_t free_at; /* in the image, where the next file may go */
} EfiVolume;
bool efi_volume_find(const uint8_t *image, uint64_t len, EfiVolume *volume, GError **error);

/* Adds a run time driver, position-independent code that starts at entry, which is dispatched once
 * the CPU's protocol is there. Returns where in the image the code is; NULL: the volume has no room
 * (RANGE). */
uint8_t *efi_volume_add_driver(uint8_t *image, EfiVolume *volume, const uint8_t *code, uint32_t len,
                               uint32_t entry, GError **error);
