/* SPDX-License-Identifier: GPL-2.0-or-later
 * Reading properties of a checked but untrusted device tree: FALSE or NULL where the property is
 * missing or has another shape than asked for.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint64_t base, size;
} FdtRange;

/* A property of exactly cells (1 or 2) cells as a number. */
bool fdt_read_cells(const void *fdt, int node, const char *name, int cells, uint64_t *value);
/* Cell index of a property of at least that many. */
bool fdt_read_cell(const void *fdt, int node, const char *name, unsigned index, uint64_t *value);
/* Entry index of reg, by the parent's cells; a range that does not wrap and is not empty. */
bool fdt_read_range(const void *fdt, int node, unsigned index, FdtRange *range);
/* The first string; always terminated. */
const char *fdt_read_string(const void *fdt, int node, const char *name);
bool fdt_string_is(const void *fdt, int node, const char *name, const char *value);
