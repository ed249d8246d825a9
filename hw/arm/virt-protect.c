/* SPDX-License-Identifier: GPL-2.0-or-later
 * The virt machine's memory where a guest is protected: all of it is lent to the guest, but for a
 * window that devices and host can reach, the end of RAM. How a kernel keeps to the window depends
 * on what it knows:
 *
 *   pool   RAM is where it always is, and the device tree has a restricted-dma-pool at its end:
 *          kernels with CONFIG_DMA_RESTRICTED_POOL copy all that devices are to see through it.
 *   zone   the window is below 2 GiB and the rest from there on. The buses of DMA masters reach
 *          the window alone (dma-ranges), so that any kernel makes a DMA zone of it, puts its
 *          bounce buffers and rings there and copies through them. Its own data may come to lie in
 *          that zone too when other memory is short.
 *
 * UEFI firmware wants RAM to start where it always does, with nothing before. The window is among
 * the devices then, right below them a DMA zone of its own too, and a driver that is added to the
 * firmware makes it memory.
 */
#include "hw/arm/confidential.h"
#include "hw/arm/image.h"
#include "hw/core/loader.h"
#include "hw/virtio/virtio-transport.h"
#include "util/error.h"
#include "virt-priv.h"

#define MIB ((uint64_t)1 << 20)

enum {
    WINDOW_ALIGN = 2 << 20, /* of parcels that lie where they should (docs/accel-gunyah.md) */
    WINDOW_DEFAULT = 64 << 20,
    WINDOW_MIN = 8 << 20,
    SWIOTLB_SLAB = 2048, /* Documentation/core-api/swiotlb.rst */
};
/* With room for a firmware below it. */
static const uint64_t zone_window_max = VIRT_ZONE_LIMIT - VIRT_RAM - (16 << 20);
/* At the end of what PCI devices would have for their registers, which keep some. */
static const uint64_t hidden_window_end = 0x3ee00000, hidden_window_max = 448 * MIB;

static bool find_wishes(VirtMachine *v, AccelProtection *wanted, GError **error)
{
    Accel *accel = machine_accel(HUMPY_MACHINE(v));
    UserObject *guest;

    accel_protection(accel, wanted);
    if (v->confidential == NULL || *v->confidential == '\0') {
        return true;
    }
    guest = user_object_find(v->confidential, TYPE_ARM_CONFIDENTIAL_GUEST, error);
    if (guest == NULL) {
        g_prefix_error(error, "-machine confidential-guest-support=%s: ", v->confidential);
        return false;
    }
    if (!accel_require(accel, ACCEL_CAP_PROTECT, "-machine confidential-guest-support", error)) {
        return false;
    }
    arm_confidential_guest_wishes(HUMPY_ARM_CONFIDENTIAL_GUEST(guest), wanted);
    return true;
}

/* A kernel that knows pools has their binding's name among its data. What is no kernel at all is
 * found out later, where it is loaded. */
static AccelWindow choose_window(AccelWindow wanted, const char *path)
{
    static const char name[] = "restricted-dma-pool";
    g_autoptr(LoaderStream) kernel = NULL;
    bool knows_pools;

    if (wanted == ACCEL_WINDOW_ZONE) { /* any kernel will do */
        return wanted;
    }
    kernel = path != NULL ? loader_open(path, NULL) : NULL;
    knows_pools = kernel == NULL || arm64_image_contains(kernel, name, sizeof(name), NULL);
    if (wanted == ACCEL_WINDOW_POOL && !knows_pools) {
        g_message("-kernel %s: knows no restricted DMA pools: its devices will not work with "
                  "dma-window=pool",
                  path);
    }
    return knows_pools || wanted == ACCEL_WINDOW_POOL ? ACCEL_WINDOW_POOL : ACCEL_WINDOW_ZONE;
}

static bool settle_window(VirtMachine *v, const AccelProtection *wanted, GError **error)
{
    const MachineConfig *config = machine_config(HUMPY_MACHINE(v));
    uint64_t size = wanted->window_size != 0 ? wanted->window_size : WINDOW_DEFAULT;

    v->window.hidden = virt_wants_firmware(v);
    v->window.kind = v->window.hidden && wanted->window == ACCEL_WINDOW_AUTO
                         ? ACCEL_WINDOW_ZONE /* who knows which kernel it starts */
                         : choose_window(wanted->window, config->kernel);
    v->window.size = size;
    if (size % WINDOW_ALIGN != 0 || size < WINDOW_MIN) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "swiotlb-size: is %" G_GUINT64_FORMAT
                    " but must be a multiple of 2M, and 8M or more",
                    size);
        return false;
    }
    if (config->ram_size % WINDOW_ALIGN != 0 || size > config->ram_size / 2) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "-m: %" G_GUINT64_FORMAT " MiB of memory, a multiple of 2 MiB, must be at "
                    "least twice the %" G_GUINT64_FORMAT " MiB of swiotlb-size",
                    config->ram_size / MIB, size / MIB);
        return false;
    }
    if (v->window.hidden && size > hidden_window_max) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "swiotlb-size: is %" G_GUINT64_FORMAT " MiB; with firmware there are "
                    "%" G_GUINT64_FORMAT " MiB for it among the devices",
                    size / MIB, hidden_window_max / MIB);
        return false;
    }
    if (v->window.hidden && wanted->firmware_size != 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "pvmfw=on: the resource manager's firmware starts a kernel (see -kernel), no "
                    "other firmware");
        return false;
    }
    if (v->window.kind == ACCEL_WINDOW_ZONE && size > zone_window_max) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "swiotlb-size: is %" G_GUINT64_FORMAT " MiB; with dma-window=zone there are "
                    "%" G_GUINT64_FORMAT " MiB for it below 2 GiB",
                    size / MIB, zone_window_max / MIB);
        return false;
    }
    return true;
}

/* The window ends at end, the rest starts at first. */
static bool map_apart(VirtMachine *v, uint64_t first, uint64_t end, GError **error)
{
    MachineRamSplit split = {
        .first = first,
        .first_size = v->ram_size,
        .rest = end - v->window.size,
        .first_name = "ram-lent",
        .rest_name = "ram-window",
    };

    v->ram_base = split.first;
    v->window.base = split.rest;
    return machine_ram_map_split(HUMPY_MACHINE(v), "mach-virt.ram", &split, error);
}

/* Below all other memory, as Android has it. */
static bool map_firmware(VirtMachine *v, uint64_t size, GError **error)
{
    uint64_t lowest = v->window.kind == ACCEL_WINDOW_ZONE ? v->window.base : v->ram_base;

    if (!memory_region_init_ram(&v->firmware_ram, NULL, "protected-firmware", size, error)) {
        return false;
    }
    v->firmware_base = lowest - size;
    memory_region_add_subregion(machine_system_memory(HUMPY_MACHINE(v)), v->firmware_base,
                                &v->firmware_ram);
    return true;
}

void virt_unmap_ram(VirtMachine *v)
{
    if (v->firmware_base != 0) {
        memory_region_del_subregion(machine_system_memory(HUMPY_MACHINE(v)), &v->firmware_ram);
        memory_region_destroy(&v->firmware_ram);
        v->firmware_base = 0;
    }
}

bool virt_map_ram(VirtMachine *v, GError **error)
{
    Machine *m = HUMPY_MACHINE(v);
    AccelProtection wanted;

    v->window = (VirtWindow){ 0 };
    v->ram_base = VIRT_RAM;
    v->ram_size = machine_config(m)->ram_size;
    if (!find_wishes(v, &wanted, error)) {
        return false;
    }
    v->protection = wanted.mode;
    v->all_lent = wanted.all_lent;
    v->signed_image = wanted.signed_image;
    /* Devices are made as for a protected guest where it may become one. */
    virtio_require_platform(wanted.mode != ACCEL_PROTECT_OFF);
    if (wanted.mode != ACCEL_PROTECT_OFF) {
        if (!settle_window(v, &wanted, error)) {
            return false;
        }
        v->ram_size -= v->window.size;
        if (wanted.firmware_size != 0) {
            v->ram_base = VIRT_ZONE_LIMIT; /* leaves room below */
        }
        if (v->window.hidden) {
            return map_apart(v, VIRT_RAM, hidden_window_end, error);
        }
        if (v->window.kind == ACCEL_WINDOW_ZONE) {
            return map_apart(v, VIRT_ZONE_LIMIT, VIRT_ZONE_LIMIT, error) &&
                   (wanted.firmware_size == 0 || map_firmware(v, wanted.firmware_size, error));
        }
        v->window.base = v->ram_base + v->ram_size;
    }
    return machine_ram_map(m, "mach-virt.ram", v->ram_base, error) &&
           (wanted.firmware_size == 0 || map_firmware(v, wanted.firmware_size, error));
}

void virt_set_protected(VirtMachine *v, bool protect)
{
    v->protect = protect;
    virtio_require_platform(protect);
    fw_cfg_advertise_dma(v->fw_cfg, !protect);
}

/* The kernel would take 64 MiB for a CMA area and 64 MiB for bounce buffers out of the zone,
 * whatever its size, and go without what does not fit. It rounds to a power of two. */
char *virt_protect_append(VirtMachine *v)
{
    uint64_t bytes = WINDOW_ALIGN;

    if (!v->protect || v->window.kind != ACCEL_WINDOW_ZONE) {
        return NULL;
    }
    while (bytes * 2 <= v->window.size / 4 * 3) {
        bytes *= 2;
    }
    return g_strdup_printf("cma=0 swiotlb=%" G_GUINT64_FORMAT, bytes / SWIOTLB_SLAB);
}
