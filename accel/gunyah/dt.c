/* SPDX-License-Identifier: GPL-2.0-or-later
 * What the resource manager reads from the device tree: /gunyah-vm-config with the image's place,
 * the vCPUs, and one virtual device per doorbell and per parcel that is to lie at an address of its
 * own (facts 2.2). The machine's own nodes are the machine's; here they are only checked against
 * what the resource manager refuses without saying why.
 */
#include <inttypes.h>
#include <libfdt.h>
#include <string.h>

#include "gunyah-priv.h"
#include "util/error.h"

#define MIB ((uint64_t)1 << 20)

enum {
    IMAGE_NAME_MAX = 31,
    IRQ_TYPE_SPI = 0,
    IRQ_RISING = 1,
    IRQ_LEVEL_HIGH = 4,
};

/* Remembers the first failure, so that a tree is written without a test per property. */
typedef struct {
    void *fdt;
    int err;
} Writer;

static int add_node(Writer *w, int parent, const char *name)
{
    int node = w->err == 0 ? fdt_add_subnode(w->fdt, parent, name) : w->err;

    if (node < 0) {
        w->err = node;
    }
    return node;
}

static void set_str(Writer *w, int node, const char *name, const char *value)
{
    if (w->err == 0) {
        w->err = fdt_setprop_string(w->fdt, node, name, value);
    }
}

static void set_u32(Writer *w, int node, const char *name, uint32_t value)
{
    if (w->err == 0) {
        w->err = fdt_setprop_u32(w->fdt, node, name, value);
    }
}

static void set_u64(Writer *w, int node, const char *name, uint64_t value)
{
    if (w->err == 0) {
        w->err = fdt_setprop_u64(w->fdt, node, name, value);
    }
}

static void set_empty(Writer *w, int node, const char *name)
{
    if (w->err == 0) {
        w->err = fdt_setprop_empty(w->fdt, node, name);
    }
}

/* ---- checks ---- */

static unsigned count_device_type(const void *fdt, int from, int depth_limit, const char *type)
{
    unsigned n = 0;
    int depth = 0;

    for (int node = from; node >= 0 && depth >= 0; node = fdt_next_node(fdt, node, &depth)) {
        const char *value;
        int len;

        if (depth > depth_limit) {
            continue;
        }
        value = fdt_getprop(fdt, node, "device_type", &len);
        if (value != NULL && len == (int)strlen(type) + 1 && memcmp(value, type, len) == 0) {
            n++;
        }
    }
    return n;
}

static bool refuse(GError **error, const char *fmt, ...) G_GNUC_PRINTF(2, 3);

static bool refuse(GError **error, const char *fmt, ...)
{
    g_autofree char *text = NULL;
    va_list ap;

    va_start(ap, fmt);
    text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT, "device tree: %s", text);
    return false;
}

static bool check_tree(AccelGunyah *gh, const void *fdt, const char *gic_path, GError **error)
{
    int cpus = fdt_path_offset(fdt, "/cpus");
    int gic = fdt_path_offset(fdt, gic_path);
    const fdt32_t *cells;
    unsigned n_cpus;
    int len;

    if (fdt_path_offset(fdt, "/hypervisor") >= 0) {
        return refuse(error, "it has a /hypervisor node, which only the resource manager may add");
    }
    if (fdt_path_offset(fdt, "/gunyah-vm-config") >= 0 ||
        fdt_path_offset(fdt, "/qcom,vm-config") >= 0) {
        return refuse(error,
                      "it has a VM configuration of its own, which -accel gunyah writes (delete "
                      "/gunyah-vm-config and /qcom,vm-config from a tree given with -dtb)");
    }
    if (count_device_type(fdt, 0, INT_MAX, "memory") != 1 || fdt_path_offset(fdt, "/memory") < 0) {
        return refuse(error, "Gunyah wants exactly one memory node, /memory");
    }
    n_cpus = cpus >= 0 ? count_device_type(fdt, cpus, 1, "cpu") : 0;
    if (n_cpus != gh->n_vcpus) {
        return refuse(error, "/cpus has %u CPUs but the machine has %u vCPUs", n_cpus, gh->n_vcpus);
    }
    cells = gic >= 0 ? fdt_getprop(fdt, gic, "#interrupt-cells", &len) : NULL;
    if (cells == NULL || len != sizeof(*cells) || fdt32_ld(cells) != 3 ||
        fdt_node_check_compatible(fdt, gic, "arm,gic-v3") != 0) {
        return refuse(error, "%s is not an arm,gic-v3 with three interrupt cells", gic_path);
    }
    return true;
}

/* ---- writing ---- */

static void write_memory(AccelGunyah *gh, Writer *w, int config, const AccelFdtInfo *info)
{
    int node = add_node(w, config, "memory");

    set_u32(w, node, "#address-cells", 2);
    set_u32(w, node, "#size-cells", 2);
    set_u64(w, node, "base-address", gh->has_base_address ? gh->base_address : info->image_base);
    if (gh->has_size_max) {
        set_u64(w, node, "size-max", gh->size_max);
    }
    if (gh->pvmfw && gh->info->firmware_size > 0) {
        set_u64(w, node, "firmware-address", gh->info->firmware_base);
        set_u64(w, node, "firmware-size-max", gh->info->firmware_size);
    }
}

static void write_doorbell(Writer *w, int vdevices, const GunyahLine *line)
{
    g_autofree char *name = g_strdup_printf("bell-%x", line->spi);
    g_autofree char *path = g_strdup_printf("/hypervisor/%s", name);
    fdt32_t cells[3] = {
        cpu_to_fdt32(IRQ_TYPE_SPI),
        cpu_to_fdt32(line->spi),
        cpu_to_fdt32(line->mode == ACCEL_IRQ_LEVEL ? IRQ_LEVEL_HIGH : IRQ_RISING),
    };
    int node = add_node(w, vdevices, name);

    set_str(w, node, "vdevice-type", "doorbell");
    set_str(w, node, "generate", path);
    set_u32(w, node, "label", line->spi);
    set_empty(w, node, "peer-default");
    set_empty(w, node, "source-can-clear");
    if (w->err == 0) {
        w->err = fdt_setprop(w->fdt, node, "interrupts", cells, sizeof(cells));
    }
}

/* Puts a parcel outside the image at its address; the label is the region's. */
static void write_shm(Writer *w, int vdevices, const GunyahRegion *region)
{
    g_autofree char *name = g_strdup_printf("shm-%x", region->label);
    g_autofree char *path = g_strdup_printf("/hypervisor/%s", name);
    int node = add_node(w, vdevices, name);
    int memory;

    set_str(w, node, "vdevice-type", "shm");
    set_str(w, node, "generate", path);
    set_u32(w, node, "label", region->label);
    set_empty(w, node, "peer-default");
    set_u64(w, node, "dma_base", 0);
    memory = add_node(w, node, "memory");
    set_u32(w, memory, "label", region->label);
    set_u32(w, memory, "#address-cells", 2);
    set_u64(w, memory, "base", region->gpa);
}

bool gunyah_fdt_fixup(Accel *accel, void *fdt, const AccelFdtInfo *info, GError **error)
{
    AccelGunyah *gh = HUMPY_ACCEL_GUNYAH(accel);
    g_autoptr(GArray) regions = NULL;
    g_autofree char *name = NULL;
    Writer w = { .fdt = fdt };
    int config, node;

    gunyah_set_lending(gh, info->protect);
    regions = gunyah_memory_plan(gh, info->image_base, error);
    if (regions == NULL || !check_tree(gh, fdt, info->gic_path, error)) {
        return false;
    }
    name = g_strndup(gh->info->vm_name != NULL ? gh->info->vm_name : "humpy", IMAGE_NAME_MAX);
    config = add_node(&w, 0, "gunyah-vm-config");
    set_str(&w, config, "image-name", name);
    set_str(&w, config, "os-type", "linux");
    set_str(&w, config, "vm-type", "aarch64-guest");
    write_memory(gh, &w, config, info);
    node = add_node(&w, config, "interrupts");
    set_str(&w, node, "config", info->gic_path);
    node = add_node(&w, config, "vcpus");
    set_str(&w, node, "config", "/cpus");
    set_str(&w, node, "affinity", "proxy");
    if (gh->features.no_timer_wakeups) { /* kernels that have the extension expect it */
        set_empty(&w, node, "no-timer-wakeups");
    }
    node = add_node(&w, config, "vdevices");
    set_str(&w, node, "generate", "/hypervisor");
    for (unsigned i = 0; i < gh->irqs.lines->len; i++) {
        write_doorbell(&w, node, g_ptr_array_index(gh->irqs.lines, i));
    }
    for (unsigned i = 0; i < regions->len; i++) {
        const GunyahRegion *region = &g_array_index(regions, GunyahRegion, i);

        if (!region->image && (region->window || region->apart || !gh->lending) &&
            !gh->features.guest_mem) {
            write_shm(&w, node, region);
        }
    }
    if (w.err != 0) {
        return refuse(error, "cannot add Gunyah's configuration: %s", fdt_strerror(w.err));
    }
    return true;
}

uint64_t gunyah_dtb_room(Accel *accel, uint64_t dtb_size)
{
    /* The resource manager merges its overlay inside this range and wants about twice the final
     * size; crosvm's 2 MiB has proved enough for any tree so far. */
    uint64_t want = 4 * dtb_size;

    return want <= 2 * MIB ? 2 * MIB : (want + 2 * MIB - 1) & ~(2 * MIB - 1);
}
