/* SPDX-License-Identifier: GPL-2.0-or-later
 * The vdevices that the caller's device tree asks the resource manager for (facts 2.2): doorbells,
 * by label, and places for shared memory. Each name, label and interrupt is checked here, once.
 */
#include <libfdt.h>
#include <string.h>

#include "fdt-read.h"
#include "gunyah-priv.h"

#define SPI_MAX ((unsigned)GH_N_SPIS - 1)

enum { NAME_MAX_LEN = 64, MAX_VDEVICES = 1024 };

/* The name below /hypervisor that a vdevice asks for. */
static char *generated_name(const void *fdt, int node)
{
    const char *path = fdt_read_string(fdt, node, "generate");
    const char *name;

    if (!path || !g_str_has_prefix(path, "/hypervisor/")) {
        return NULL;
    }
    name = path + strlen("/hypervisor/");
    return *name && strlen(name) < NAME_MAX_LEN && !strchr(name, '/') ? g_strdup(name) : NULL;
}

static RmError parse_bell(const void *fdt, int node, RmConfig *config)
{
    uint64_t label, type, spi, flags;
    RmBell bell = { 0 };

    if (!fdt_read_cells(fdt, node, "label", 1, &label)) {
        return rm_bad_tree(RM_MEM_INVALID, "a doorbell needs a label");
    }
    if (fdt_getprop(fdt, node, "interrupts", NULL)) {
        if (!fdt_read_cell(fdt, node, "interrupts", 0, &type) ||
            !fdt_read_cell(fdt, node, "interrupts", 1, &spi) ||
            !fdt_read_cell(fdt, node, "interrupts", 2, &flags) || type != 0 || spi > SPI_MAX) {
            return rm_bad_tree(RM_MEM_INVALID, "a doorbell's interrupts is not <0 SPI flags>");
        }
        bell.has_spi = true;
        bell.spi = (uint32_t)spi;
        bell.flags = (uint32_t)flags;
    }
    bell.label = (uint32_t)label;
    bell.node = generated_name(fdt, node);
    if (!bell.node) {
        return rm_bad_tree(RM_MEM_INVALID, "a doorbell's generate is not below /hypervisor/");
    }
    g_array_append_val(config->bells, bell);
    return RM_OK;
}

static RmError parse_shm(const void *fdt, int node, RmConfig *config)
{
    int memory = fdt_subnode_offset(fdt, node, "memory");
    uint64_t label;
    RmShm shm = { 0 };

    if (memory < 0 || !fdt_read_cells(fdt, memory, "label", 1, &label)) {
        return rm_bad_tree(RM_MEM_INVALID, "a shm vdevice needs memory/label");
    }
    shm.allocate = !fdt_getprop(fdt, memory, "base", NULL);
    if (!shm.allocate &&
        !fdt_read_cells(fdt, memory, "base", fdt_address_cells(fdt, memory), &shm.base)) {
        return rm_bad_tree(RM_MEM_INVALID, "a shm vdevice's memory/base cannot be read");
    }
    shm.label = (uint32_t)label;
    shm.node = generated_name(fdt, node);
    if (!shm.node) {
        return rm_bad_tree(RM_MEM_INVALID, "a shm vdevice's generate is not below /hypervisor/");
    }
    g_array_append_val(config->shms, shm);
    return RM_OK;
}

static bool spi_used(const RmConfig *config, uint32_t spi, guint but)
{
    for (guint i = 0; i < config->bells->len; i++) {
        const RmBell *bell = &g_array_index(config->bells, RmBell, i);

        if (i != but && bell->has_spi && bell->spi == spi) {
            return true;
        }
    }
    return false;
}

/* Each name, label and interrupt once; a doorbell that asks for no interrupt gets a free one. */
static RmError settle_bells(RmConfig *config)
{
    g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);

    for (guint i = 0; i < config->shms->len; i++) {
        if (!g_hash_table_add(names, g_array_index(config->shms, RmShm, i).node)) {
            return rm_bad_tree(RM_NO_RESOURCE, "two vdevices have the same generate");
        }
    }
    for (guint i = 0; i < config->bells->len; i++) {
        RmBell *bell = &g_array_index(config->bells, RmBell, i);
        uint32_t spi = SPI_MAX;

        if (!g_hash_table_add(names, bell->node)) {
            return rm_bad_tree(RM_NO_RESOURCE, "two vdevices have the same generate");
        }
        if (bell->has_spi) {
            if (spi_used(config, bell->spi, i)) {
                return rm_bad_tree(RM_NO_RESOURCE, "two doorbells have the same interrupt");
            }
            continue;
        }
        while (spi && spi_used(config, spi, i)) {
            spi--;
        }
        if (!spi) {
            return rm_bad_tree(RM_NO_RESOURCE, "there is no free interrupt for a doorbell");
        }
        bell->spi = spi;
        bell->flags = 1;
        bell->has_spi = true;
    }
    return RM_OK;
}

RmError rm_vdevices_parse(const void *fdt, int node, RmConfig *config)
{
    int vdevices = fdt_subnode_offset(fdt, node, "vdevices");
    unsigned n = 0;
    int vdevice;

    if (vdevices < 0) {
        return RM_OK;
    }
    fdt_for_each_subnode(vdevice, fdt, vdevices)
    {
        RmError code = RM_OK;

        if (++n > MAX_VDEVICES) {
            return rm_bad_tree(RM_NO_RESOURCE, "too many vdevices");
        }
        if (fdt_string_is(fdt, vdevice, "vdevice-type", "doorbell")) {
            code = parse_bell(fdt, vdevice, config);
        } else if (fdt_string_is(fdt, vdevice, "vdevice-type", "shm")) {
            code = parse_shm(fdt, vdevice, config);
        } else {
            model_log("rm: device tree: vdevice %s has a type this model lacks",
                      fdt_get_name(fdt, vdevice, NULL));
            code = RM_NO_RESOURCE;
        }
        if (code != RM_OK) {
            return code;
        }
    }
    return settle_bells(config);
}
