/* SPDX-License-Identifier: GPL-2.0-or-later
 * What the resource manager reads from the caller's device tree (facts 2.2): /gunyah-vm-config,
 * /cpus, the interrupt controller; vdevices are in rm-vdev.c. The tree has passed fdt_check_full();
 * every value in it is still the caller's, and is checked here, once.
 */
#include <libfdt.h>
#include <stdlib.h>
#include <string.h>

#include "fdt-read.h"
#include "gunyah-priv.h"

enum {
    TWO_MIB = 2 << 20,
    NAME_MAX_LEN = 64,
    GICD_SIZE = 0x10000,
    GICR_SIZE = 0x20000,
};

RmError rm_bad_tree(RmError code, const char *what)
{
    model_log("rm: device tree: %s", what);
    return code;
}

/* ---- memory and image ---- */

static RmError parse_memory(const void *fdt, int node, RmConfig *config)
{
    int memory = fdt_subnode_offset(fdt, node, "memory");
    uint64_t base, size_min = 0;

    if (memory < 0 ||
        !fdt_read_cells(fdt, memory, "base-address", fdt_address_cells(fdt, memory), &base)) {
        return rm_bad_tree(RM_MEM_INVALID, "gunyah-vm-config/memory needs base-address");
    }
    if (base % 4096 || base > UINT64_MAX - TWO_MIB) {
        return rm_bad_tree(RM_MEM_INVALID, "base-address is not page aligned");
    }
    config->base = (base + TWO_MIB - 1) & ~(uint64_t)(TWO_MIB - 1);
    config->size_max = config->base ? -config->base : -(uint64_t)4096; /* all above it */
    if (fdt_getprop(fdt, memory, "size-max", NULL) &&
        !fdt_read_cells(fdt, memory, "size-max", fdt_size_cells(fdt, memory), &config->size_max)) {
        return rm_bad_tree(RM_MEM_INVALID, "size-max cannot be read");
    }
    if (fdt_getprop(fdt, memory, "size-min", NULL) &&
        !fdt_read_cells(fdt, memory, "size-min", fdt_size_cells(fdt, memory), &size_min)) {
        return rm_bad_tree(RM_MEM_INVALID, "size-min cannot be read");
    }
    if (fdt_getprop(fdt, memory, "firmware-address", NULL) &&
        (!fdt_read_cells(fdt, memory, "firmware-address", fdt_address_cells(fdt, memory),
                         &config->fw_address) ||
         !fdt_read_cells(fdt, memory, "firmware-size-max", fdt_size_cells(fdt, memory),
                         &config->fw_size_max))) {
        return rm_bad_tree(RM_MEM_INVALID, "firmware-address or firmware-size-max cannot be read");
    }
    if (config->size_max % 4096 || size_min % 4096) {
        return rm_bad_tree(RM_MEM_INVALID, "size-min or size-max is not page aligned");
    }
    if (config->size_max && config->base + config->size_max - 1 < config->base) {
        return rm_bad_tree(RM_MEM_INVALID, "base-address plus size-max wraps");
    }
    return RM_OK;
}

/* ---- CPUs ---- */

static bool enable_method_ok(const void *fdt, int cpu)
{
    return fdt_string_is(fdt, cpu, "enable-method", "psci") ||
           fdt_string_is(fdt, cpu, "enable-method", "qcom,gunyah-hvc");
}

static bool has_psci(const void *fdt)
{
    int psci = fdt_path_offset(fdt, "/psci");

    return psci >= 0 &&
           (fdt_node_check_compatible(fdt, psci, "arm,psci-1.0") == 0 ||
            fdt_node_check_compatible(fdt, psci, "arm,psci-0.2") == 0) &&
           fdt_string_is(fdt, psci, "method", "hvc");
}

static RmError parse_cpus(const void *fdt, int node, RmConfig *config)
{
    int vcpus = fdt_subnode_offset(fdt, node, "vcpus");
    const char *path = vcpus >= 0 ? fdt_read_string(fdt, vcpus, "config") : NULL;
    int cpus = fdt_path_offset(fdt, path ? path : "/cpus");
    int cpu;

    if (cpus < 0) {
        return rm_bad_tree(RM_MEM_INVALID, "there is no /cpus");
    }
    config->proxy = vcpus >= 0 && fdt_string_is(fdt, vcpus, "affinity", "proxy");
    fdt_for_each_subnode(cpu, fdt, cpus)
    {
        if (!fdt_string_is(fdt, cpu, "device_type", "cpu")) {
            continue;
        }
        if (config->n_cpus && (!enable_method_ok(fdt, cpu) || !has_psci(fdt))) {
            return rm_bad_tree(RM_MEM_INVALID,
                               "a secondary CPU needs enable-method psci and /psci with "
                               "method hvc");
        }
        config->n_cpus++;
    }
    if (!config->n_cpus || config->n_cpus > GH_MAX_VCPUS) {
        return rm_bad_tree(RM_ARGUMENT_INVALID, "/cpus has no CPU or more than the platform's 8");
    }
    if (!config->proxy) {
        model_log("rm: vcpus/affinity is not \"proxy\": the vCPUs cannot be run by the host");
    }
    return RM_OK;
}

/* ---- interrupt controller ---- */

/* interrupts/config as a path or a phandle, else the root's interrupt-parent. */
static int find_gic(const void *fdt, int node)
{
    int interrupts = fdt_subnode_offset(fdt, node, "interrupts");
    const char *path = interrupts >= 0 ? fdt_read_string(fdt, interrupts, "config") : NULL;
    uint64_t phandle;

    if (path && path[0] == '/') {
        return fdt_path_offset(fdt, path);
    }
    if (interrupts >= 0 && fdt_read_cells(fdt, interrupts, "config", 1, &phandle)) {
        return fdt_node_offset_by_phandle(fdt, (uint32_t)phandle);
    }
    if (fdt_read_cells(fdt, 0, "interrupt-parent", 1, &phandle)) {
        return fdt_node_offset_by_phandle(fdt, (uint32_t)phandle);
    }
    return -FDT_ERR_NOTFOUND;
}

static RmError parse_gic_reg(const void *fdt, int gic, RmConfig *config)
{
    uint64_t cells = 0, regions = 1;
    FdtRange gicd, gicr;

    if (fdt_getprop(fdt, gic, "#redistributor-regions", NULL) &&
        (!fdt_read_cells(fdt, gic, "#redistributor-regions", 1, &regions) || regions != 1)) {
        return rm_bad_tree(RM_MEM_INVALID, "the GIC has more than one redistributor region");
    }
    if (!fdt_read_cells(fdt, gic, "#interrupt-cells", 1, &cells) || cells != 3) {
        return rm_bad_tree(RM_MEM_INVALID, "the GIC needs #interrupt-cells = <3>");
    }
    if (!fdt_getprop(fdt, gic, "reg", NULL)) {
        return RM_OK;
    }
    if (!fdt_read_range(fdt, gic, 0, &gicd) || !fdt_read_range(fdt, gic, 1, &gicr)) {
        return rm_bad_tree(RM_MEM_INVALID, "the GIC's reg cannot be read");
    }
    if (gicd.size != GICD_SIZE || gicr.size < (uint64_t)GICR_SIZE * config->n_cpus ||
        gicd.base % GICD_SIZE || gicr.base % GICD_SIZE) {
        return rm_bad_tree(RM_MEM_INVALID, "the GIC's reg needs 64 KiB and 128 KiB for each CPU");
    }
    if (gicd.base < gicr.base + (uint64_t)GICR_SIZE * config->n_cpus &&
        gicr.base < gicd.base + GICD_SIZE) {
        return rm_bad_tree(RM_MEM_INVALID, "the GIC's distributor and redistributors overlap");
    }
    config->has_gic_reg = true;
    config->gicd_base = gicd.base;
    config->gicr_base = gicr.base;
    return RM_OK;
}

static RmError parse_gic(const void *fdt, int node, RmConfig *config)
{
    char path[256];
    int gic = find_gic(fdt, node);

    if (gic < 0 || fdt_node_check_compatible(fdt, gic, "arm,gic-v3") != 0 ||
        fdt_get_path(fdt, gic, path, sizeof(path)) < 0) {
        return rm_bad_tree(RM_MEM_INVALID, "interrupts/config does not lead to an arm,gic-v3 node");
    }
    config->gic_path = g_strdup(path);
    /* The platform's own places, for a tree without reg. */
    config->gicd_base = 0x3fff0000;
    config->gicr_base = 0x3fff0000 - (uint64_t)GICR_SIZE * config->n_cpus;
    return parse_gic_reg(fdt, gic, config);
}

/* ---- the whole ---- */

static RmError check_forbidden(const void *fdt)
{
    int memory = fdt_path_offset(fdt, "/memory");
    int node = -1;

    if (fdt_path_offset(fdt, "/hypervisor") >= 0) {
        return rm_bad_tree(RM_DENIED, "/hypervisor is the resource manager's");
    }
    for (;;) {
        node = fdt_node_offset_by_prop_value(fdt, node, "device_type", "memory", 7);
        if (node < 0) {
            return RM_OK;
        }
        if (node != memory) {
            return rm_bad_tree(RM_DENIED,
                               "only one node, /memory, may have device_type \"memory\"");
        }
    }
}

static RmError parse(const void *fdt, RmConfig *config)
{
    int node = fdt_path_offset(fdt, "/gunyah-vm-config");
    const char *name;
    RmError code;

    if (node < 0) {
        node = fdt_path_offset(fdt, "/qcom,vm-config");
    }
    if (node < 0) {
        return rm_bad_tree(RM_MEM_INVALID, "there is no /gunyah-vm-config");
    }
    name = fdt_read_string(fdt, node, "image-name");
    if (!name || !*name || strlen(name) >= NAME_MAX_LEN) {
        return rm_bad_tree(RM_MEM_INVALID, "gunyah-vm-config needs a short image-name");
    }
    config->image_name = g_strdup(name);
    if ((fdt_getprop(fdt, node, "os-type", NULL) &&
         !fdt_string_is(fdt, node, "os-type", "linux")) ||
        (fdt_getprop(fdt, node, "vm-type", NULL) &&
         !fdt_string_is(fdt, node, "vm-type", "aarch64-guest"))) {
        return rm_bad_tree(RM_MEM_INVALID, "os-type or vm-type is unknown");
    }
    if (fdt_stringlist_search(fdt, node, "vm-attrs", "crash-fatal") >= 0) {
        return rm_bad_tree(RM_DENIED, "vm-attrs: crash-fatal is denied to this VM");
    }
    code = parse_memory(fdt, node, config);
    if (code == RM_OK) {
        code = parse_cpus(fdt, node, config);
    }
    if (code == RM_OK) {
        code = parse_gic(fdt, node, config);
    }
    if (code == RM_OK) {
        code = rm_vdevices_parse(fdt, node, config);
    }
    return code == RM_OK ? check_forbidden(fdt) : code;
}

static void bell_clear(gpointer data)
{
    g_free(((RmBell *)data)->node);
}

static void shm_clear(gpointer data)
{
    g_free(((RmShm *)data)->node);
}

RmConfig *rm_config_parse(const void *fdt, RmError *code)
{
    g_autoptr(RmConfig) config = g_new0(RmConfig, 1);

    config->bells = g_array_new(FALSE, TRUE, sizeof(RmBell));
    config->shms = g_array_new(FALSE, TRUE, sizeof(RmShm));
    g_array_set_clear_func(config->bells, bell_clear);
    g_array_set_clear_func(config->shms, shm_clear);
    *code = parse(fdt, config);
    return *code == RM_OK ? g_steal_pointer(&config) : NULL;
}

void rm_config_free(RmConfig *config)
{
    if (!config) {
        return;
    }
    g_array_unref(config->bells);
    g_array_unref(config->shms);
    g_free(config->image_name);
    g_free(config->gic_path);
    g_free(config);
}
