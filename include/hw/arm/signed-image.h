/* SPDX-License-Identifier: GPL-2.0-or-later
 * Images that a hypervisor authenticates before it starts them (Qualcomm's trusted VMs): ELF files
 * that lie in memory as they are on disk, their metadata first. What is in them is the
 * hypervisor's business; here only the room they take is found out.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/core/loader.h"

/* Copies the file to the first byte of ram. *used is how far its segments reach, which may be
 * beyond its end. FALSE: SYNTAX, RANGE if it does not fit, or HOST. */
bool arm_signed_image_load(LoaderStream *stream, const LoaderDest *ram, uint64_t *used,
                           GError **error);
