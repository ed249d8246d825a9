/* SPDX-License-Identifier: GPL-2.0-or-later
 * The headers of little-endian ELF files of 32 and 64 bits, which differ in their layout only. What
 * they say is checked by whoever asked. Layout: System V ABI, chapters 4 and 5.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    bool wide; /* 64 bits */
    uint64_t entry;
    uint64_t table;     /* offset of the program headers, */
    unsigned n;         /* how many there are, */
    unsigned size;      /* bytes from one to the next, */
    unsigned real_size; /* bytes that one of this class has */
} ElfHead;

typedef struct {
    uint32_t type, flags;
    uint64_t offset, paddr, file_size, memory_size, align;
} ElfSegment;

enum { ELF_HEAD_SIZE = 64, ELF_SEGMENT_SIZE = 56 }; /* of the larger class */

bool elf_is(const void *head, size_t len);
/* p has ELF_HEAD_SIZE bytes. FALSE: of another class or byte order. [any] */
bool elf_read_head(const uint8_t *p, ElfHead *head);
/* The program header at p, which has head->real_size bytes. [any] */
ElfSegment elf_read_segment(const uint8_t *p, const ElfHead *head);
