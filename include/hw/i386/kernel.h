/* SPDX-License-Identifier: GPL-2.0-or-later
 * Reading the two kinds of x86 kernels: a Linux bzImage (Documentation/arch/x86/boot.rst) and an
 * ELF file with a PVH entry (Xen docs/misc/pvh.pandoc). Files are hostile. Messages state the fact;
 * the caller prefixes option and path. Where things then go in memory is boot.c's matter.
 */
#pragma once

#include <stdbool.h>

#include "hw/core/loader.h"

enum {
    X86_KERNEL_HEAD = 0x1000, /* bytes from the start of a file in which all headers are */
    X86_KERNEL_LOW = 1 << 20, /* kernels are loaded from here on */

    BZIMAGE_HEADER = 0x1f1,     /* offset of the setup header, in the file and in the zero page */
    BZIMAGE_HEADER_MAX = 0x290, /* where the zero page has no more room for it */

    PVH_MAX_SEGMENTS = 32,
};

typedef struct {
    unsigned version;       /* of the protocol: major << 8 | minor */
    uint64_t kernel_offset; /* in the file */
    uint64_t kernel_size;   /* bytes to load */
    uint32_t load;          /* guest address at which it likes best to be */
    uint64_t memory_size;   /* from there on, that it overwrites before it reads the memory map */
    uint32_t initrd_max;    /* highest address a byte of the initrd may have */
    uint32_t cmdline_max;   /* bytes, without the NUL */
    unsigned header_size;   /* of the setup header */
    const uint8_t *header;  /* borrowed from head */
} BzImage;

/* head: the first len bytes of a file of file_size bytes. FALSE: no bzImage that could be started.
 */
bool bzimage_parse(const void *head, size_t len, uint64_t file_size, BzImage *image,
                   GError **error);

typedef struct {
    uint64_t offset, file_size; /* in the file; inside it */
    uint64_t addr, memory_size; /* physical; addr + memory_size does not wrap */
} PvhSegment;

typedef struct {
    PvhSegment segment[PVH_MAX_SEGMENTS];
    unsigned n;
    uint32_t entry;      /* inside a segment */
    uint64_t start, end; /* of all segments */
} PvhImage;

/* FALSE: not an ELF file for this machine with a PVH entry. */
bool pvh_parse(LoaderStream *stream, PvhImage *image, GError **error);
