/* SPDX-License-Identifier: GPL-2.0-or-later
 * The caller's address space as a kernel sees it.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 0 or -EFAULT. */
int user_copy_from(void *to, uint64_t from, size_t n);
int user_copy_to(uint64_t to, const void *from, size_t n);

typedef struct {
    uint64_t start, end;
    uint64_t offset;
    uint64_t dev; /* major << 32 | minor */
    uint64_t ino;
    int prot; /* PROT_* */
    bool shared;
    bool swap_backed; /* anonymous or tmpfs */
} Vma;

/* This process's mappings, by address; free with g_array_unref(). NULL if they cannot be read. */
GArray *user_vmas(void);
