/* SPDX-License-Identifier: GPL-2.0-or-later
 * Editing a device tree for boot: a tree from the user (-dtb), which is hostile until libfdt has
 * walked all of it, gets the machine's memory; any tree gets command line and initrd. Making the
 * machine's own tree is virt-fdt.c's job.
 */
#include <libfdt.h>
#include <string.h>

#include "hw/arm/boot.h"
#include "util/error.h"

static bool set_fdt_error(GError **error, int err, const char *what)
{
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "cannot %s in the device tree: %s", what,
                err == -FDT_ERR_NOSPACE ? "it would be larger than 2 MiB" : fdt_strerror(err));
    return false;
}

static int chosen_node(void *fdt)
{
    int node = fdt_path_offset(fdt, "/chosen");

    return node == -FDT_ERR_NOTFOUND ? fdt_add_subnode(fdt, 0, "chosen") : node;
}

static bool is_memory(const void *fdt, int node)
{
    int len;
    const char *type = fdt_getprop(fdt, node, "device_type", &len);

    return type != NULL && len == sizeof("memory") && memcmp(type, "memory", len) == 0;
}

/* Memory is described by children of the root. A hostile tree may have very many: they are found
 * first and then blanked out, which moves nothing. */
static int blank_memory_nodes(void *fdt)
{
    g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(int));
    int err = 0;

    for (int node = fdt_first_subnode(fdt, 0); node >= 0; node = fdt_next_subnode(fdt, node)) {
        if (is_memory(fdt, node)) {
            g_array_append_val(found, node);
        }
    }
    for (unsigned i = 0; i < found->len && err == 0; i++) {
        err = fdt_nop_node(fdt, g_array_index(found, int, i));
    }
    return err;
}

/* value as n cells, big endian. FALSE: too large for them. */
static bool put_cells(fdt32_t *cells, int n, uint64_t value)
{
    if (n == 2) {
        *cells++ = cpu_to_fdt32(value >> 32);
    } else if (value > UINT32_MAX) {
        return false;
    }
    *cells = cpu_to_fdt32(value);
    return true;
}

static bool set_memory(void *fdt, uint64_t base, uint64_t size, GError **error)
{
    int na = fdt_address_cells(fdt, 0), ns = fdt_size_cells(fdt, 0);
    g_autofree char *name = g_strdup_printf("memory@%" G_GINT64_MODIFIER "x", base);
    fdt32_t reg[4];
    int node, err;

    if (na < 1 || na > 2 || ns < 1 || ns > 2) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "has #address-cells %d and #size-cells %d at its root; both must be 1 or 2", na,
                    ns);
        return false;
    }
    if (!put_cells(reg, na, base) || !put_cells(reg + na, ns, size)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "cannot hold %" G_GUINT64_FORMAT " bytes of memory at 0x%" G_GINT64_MODIFIER
                    "x with its #address-cells %d and #size-cells %d",
                    size, base, na, ns);
        return false;
    }
    err = blank_memory_nodes(fdt);
    if (err < 0) {
        return set_fdt_error(error, err, "replace the memory nodes");
    }
    node = fdt_add_subnode(fdt, 0, name);
    if (node < 0) {
        return set_fdt_error(error, node, "add a memory node");
    }
    err = fdt_setprop_string(fdt, node, "device_type", "memory");
    if (err == 0) {
        err = fdt_setprop(fdt, node, "reg", reg, (na + ns) * sizeof(fdt32_t));
    }
    return err == 0 || set_fdt_error(error, err, "set the memory");
}

void *arm_fdt_from_bytes(const void *data, size_t len, uint64_t ram_base, uint64_t ram_size,
                         GError **error)
{
    g_autofree void *fdt = NULL;
    int err;

    if (len > ARM_FDT_MAX) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "is %zu bytes long; an arm64 kernel takes a device tree of at most 2 MiB", len);
        return NULL;
    }
    err = len < sizeof(struct fdt_header) ? -FDT_ERR_TRUNCATED : fdt_check_full(data, len);
    if (err < 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX, "is not a valid device tree: %s",
                    fdt_strerror(err));
        return NULL;
    }
    fdt = g_malloc(ARM_FDT_MAX);
    err = fdt_open_into(data, fdt, ARM_FDT_MAX);
    if (err < 0) {
        set_fdt_error(error, err, "make room");
        return NULL;
    }
    if (!set_memory(fdt, ram_base, ram_size, error)) {
        return NULL;
    }
    return g_steal_pointer(&fdt);
}

bool arm_fdt_set_bootargs(void *fdt, const char *bootargs, GError **error)
{
    int node = chosen_node(fdt);
    int err = node < 0 ? node : fdt_setprop_string(fdt, node, "bootargs", bootargs);

    return err == 0 || set_fdt_error(error, err, "set the command line");
}

bool arm_fdt_set_initrd(void *fdt, uint64_t start, uint64_t end, GError **error)
{
    int node = chosen_node(fdt);
    int err = node < 0 ? node : fdt_setprop_u64(fdt, node, "linux,initrd-start", start);

    if (err == 0) {
        err = fdt_setprop_u64(fdt, node, "linux,initrd-end", end);
    }
    return err == 0 || set_fdt_error(error, err, "set the initrd");
}
