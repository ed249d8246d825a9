/* SPDX-License-Identifier: GPL-2.0-or-later
 * The arm64 Linux Image: its header (Linux Documentation/arm64/booting.rst), and loading one,
 * plain, gzip'd or as an EFI zboot file with a gzip payload, into guest RAM.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/core/loader.h"

enum {
    ARM64_IMAGE_HEADER = 64,
    ARM64_IMAGE_HEAD = 1024, /* bytes that tell an Image from everything else */
};

typedef struct {
    uint64_t text_offset; /* from a 2 MiB aligned base to the Image's first byte */
    uint64_t memory_size; /* bytes the kernel needs from there; 0: it does not say (before 3.17) */
    unsigned page_kib;    /* 4, 16, 64, or 0 if it does not say */
} Arm64Image;

/* Looks at the first len bytes of a file. FALSE: SYNTAX, "is not an arm64 Image but …", RANGE for a
 * header field that cannot be right, or UNSUPPORTED for a big-endian kernel. Pure. */
bool arm64_image_parse(const void *head, size_t len, Arm64Image *image, GError **error);

/* If head starts an EFI zboot file of file_size bytes: TRUE and where its gzip payload is, or TRUE
 * with *size 0 and *error if the payload cannot be used. FALSE: it is none. Pure. */
bool arm64_zboot_parse(const void *head, size_t len, uint64_t file_size, uint64_t *offset,
                       uint64_t *size, GError **error);

/* Loads the Image in stream (or a bare program shorter than a header) to ram + text_offset, where
 * ram lies at a 2 MiB aligned guest address. *used is how far from ram's start the kernel reaches,
 * its uninitialised data included. FALSE: as above, RANGE if it does not fit, or HOST. */
bool arm64_image_load(LoaderStream *stream, const LoaderDest *ram, Arm64Image *image,
                      uint64_t *used, GError **error);

/* Whether the unpacked kernel in stream has these len (at most 256) bytes in it. FALSE with *error:
 * it could not be read to its end. */
bool arm64_image_contains(LoaderStream *stream, const void *what, size_t len, GError **error);
