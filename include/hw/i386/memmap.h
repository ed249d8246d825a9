/* SPDX-License-Identifier: GPL-2.0-or-later
 * What is where in an x86 guest's memory, as its firmware would tell it: ranges with the type
 * numbers of ACPI 6.4, section 15 (INT 15h, E820h). One list serves the zero page, PVH start
 * information and fw_cfg.
 */
#pragma once

#include <glib.h>
#include <stdint.h>

typedef enum {
    X86_MEM_RAM = 1,
    X86_MEM_RESERVED = 2,
    X86_MEM_ACPI = 3, /* tables: RAM once they have been read */
} X86MemType;

typedef struct {
    uint64_t addr, size;
    X86MemType type;
} X86MemRange;

enum { X86_MEM_MAX = 16, X86_E820_SIZE = 20 };

typedef struct {
    X86MemRange range[X86_MEM_MAX];
    unsigned n;
} X86MemMap;

/* Appends a range; size 0 adds nothing. Ranges come in ascending order. */
void x86_memmap_add(X86MemMap *map, uint64_t addr, uint64_t size, X86MemType type);
/* map as X86_E820_SIZE bytes for each range: address, size, type, little endian. */
GBytes *x86_memmap_e820(const X86MemMap *map);
