/* SPDX-License-Identifier: GPL-2.0-or-later
 * Android's boot images: where kernel, ramdisks, command line and bootconfig are in them. boot.img
 * (and init_boot.img, which has no kernel) of header versions 0 to 4, vendor_boot.img of 3 and 4.
 * Whatever follows what the header tells, such as padding and an AVB footer, does not matter.
 */
#pragma once

#include <stdbool.h>

#include "hw/core/loader.h"

typedef struct {
    uint64_t offset, size; /* in the file; size 0: not there */
} AndroidPart;

enum { ANDROID_MAX_RAMDISKS = 64, ANDROID_MAX_CMDLINE = 2048 };

typedef struct {
    unsigned version;
    AndroidPart kernel;
    AndroidPart ramdisks[ANDROID_MAX_RAMDISKS]; /* in the order a bootloader joins them */
    unsigned n_ramdisks;
    AndroidPart bootconfig;
    char cmdline[ANDROID_MAX_CMDLINE + 1];
} AndroidImage;

bool android_is_boot(const void *head, size_t len);
/* FALSE: *error (SYNTAX, RANGE, UNSUPPORTED) says what is wrong with the header. */
bool android_boot_parse(LoaderStream *stream, AndroidImage *image, GError **error);
bool android_vendor_boot_parse(LoaderStream *stream, AndroidImage *image, GError **error);
