/* SPDX-License-Identifier: GPL-2.0-or-later
 * See fdt-read.h.
 */
#include "fdt-read.h"

#include <libfdt.h>
#include <string.h>

static uint64_t number(const fdt32_t *cells, int n)
{
    uint64_t value = 0;

    for (int i = 0; i < n; i++) {
        value = value << 32 | fdt32_to_cpu(cells[i]);
    }
    return value;
}

bool fdt_read_cells(const void *fdt, int node, const char *name, int cells, uint64_t *value)
{
    const fdt32_t *prop;
    int len;

    prop = fdt_getprop(fdt, node, name, &len);
    if (!prop || cells < 1 || cells > 2 || len != cells * 4) {
        return false;
    }
    *value = number(prop, cells);
    return true;
}

bool fdt_read_cell(const void *fdt, int node, const char *name, unsigned index, uint64_t *value)
{
    const fdt32_t *prop;
    int len;

    prop = fdt_getprop(fdt, node, name, &len);
    if (!prop || len / 4 <= (int)index) {
        return false;
    }
    *value = number(prop + index, 1);
    return true;
}

bool fdt_read_range(const void *fdt, int node, unsigned index, FdtRange *range)
{
    int parent = fdt_parent_offset(fdt, node);
    int address_cells = parent < 0 ? -1 : fdt_address_cells(fdt, parent);
    int size_cells = parent < 0 ? -1 : fdt_size_cells(fdt, parent);
    int per_entry = address_cells + size_cells;
    const fdt32_t *prop;
    int len;

    if (address_cells < 1 || address_cells > 2 || size_cells < 1 || size_cells > 2) {
        return false;
    }
    prop = fdt_getprop(fdt, node, "reg", &len);
    if (!prop || len / 4 / per_entry <= (int)index) {
        return false;
    }
    prop += (int)index * per_entry;
    range->base = number(prop, address_cells);
    range->size = number(prop + address_cells, size_cells);
    return range->size && range->base + range->size - 1 >= range->base;
}

const char *fdt_read_string(const void *fdt, int node, const char *name)
{
    const char *prop;
    int len;

    prop = fdt_getprop(fdt, node, name, &len);
    return prop && len > 0 && memchr(prop, '\0', (size_t)len) ? prop : NULL;
}

bool fdt_string_is(const void *fdt, int node, const char *name, const char *value)
{
    const char *text = fdt_read_string(fdt, node, name);

    return text && strcmp(text, value) == 0;
}
