/* SPDX-License-Identifier: GPL-2.0-or-later
 * Where things go in RAM, from its first byte up:
 *
 *     kernel (text_offset above the base) | device tree, 2 MiB aligned | initrd
 *
 * The device tree stands right behind the kernel because a hypervisor may want both in the first
 * chunk of memory it is given, with room to grow (Gunyah's resource manager adds to it). What must
 * start at a fixed address and finds the kernel elsewhere gets one branch instruction there.
 * Reading an Image is image.c's job, editing trees boot-fdt.c's.
 */
#include "hw/arm/boot.h"

#include <libfdt.h>
#include <string.h>

#include "hw/arm/image.h"
#include "hw/arm/signed-image.h"
#include "hw/core/boot-files.h"
#include "hw/core/loader.h"
#include "util/elf.h"
#include "util/error.h"

enum {
    FDT_ALIGN = 2 << 20,
    INITRD_ALIGN = 64 << 10,
    A64_B = 0x14000000,
    A64_B_REACH = 128 << 20,
};

/* booting.rst: kernel and initrd are covered by one window of up to 32 GiB, 1 GiB aligned. */
static const uint64_t initrd_window = (uint64_t)32 << 30;
static const uint64_t initrd_window_align = (uint64_t)1 << 30;

static uint64_t align_up(uint64_t value, uint64_t align)
{
    return (value + align - 1) & ~(align - 1);
}

static uint64_t usable_ram(const ArmBootRequest *req)
{
    return req->ram_size != 0 ? req->ram_size : memory_region_size(req->ram);
}

static void *read_dtb(const ArmBootRequest *req, GError **error)
{
    g_autoptr(LoaderStream) stream = loader_open(req->config->dtb, error);
    g_autofree char *data = NULL;
    size_t len, got;

    if (stream == NULL) {
        return NULL;
    }
    if (req->protect) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "a protected guest needs the machine's own device tree, which tells it where "
                    "devices can reach memory");
        return NULL;
    }
    /* One byte too many is enough for arm_fdt_from_bytes() to refuse it. */
    len = MIN(loader_size(stream), (uint64_t)ARM_FDT_MAX + 1);
    data = g_malloc(len + 1);
    if (!loader_read(stream, data, len, &got, error)) {
        return NULL;
    }
    return arm_fdt_from_bytes(data, got, req->ram_base,
                              MAX(req->config->ram_size, memory_region_size(req->ram)), error);
}

static void *open_own(const ArmBootRequest *req, GError **error)
{
    g_autofree void *own = req->build_fdt(req->opaque, error);
    void *fdt;

    if (own == NULL) {
        return NULL;
    }
    fdt = g_malloc(ARM_FDT_MAX);
    if (fdt_open_into(own, fdt, ARM_FDT_MAX) < 0) {
        g_error("the machine's own device tree is larger than 2 MiB");
    }
    return fdt;
}

/* base and size: of the region that kernel, or firmware, and the tree are in. */
static bool accel_additions(const ArmBootRequest *req, uint64_t base, uint64_t size, void *fdt,
                            GError **error)
{
    AccelFdtInfo info = { .image_base = base, .image_size = size, .protect = req->protect };
    char path[256];
    int gic = fdt_node_offset_by_compatible(fdt, -1, "arm,gic-v3");

    if (gic < 0 || fdt_get_path(fdt, gic, path, sizeof(path)) < 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING,
                    "has no interrupt controller compatible with 'arm,gic-v3'");
        return false;
    }
    info.gic_path = path;
    return accel_fdt_fixup(req->accel, fdt, &info, error);
}

static bool set_command_line(const ArmBootRequest *req, const BootFiles *files, void *fdt,
                             GError **error)
{
    g_autofree char *words = boot_files_command_line(files, req->config->append);
    const char *user = words, *more = req->more_append;
    g_autofree char *both = NULL;

    if (user != NULL && more != NULL) {
        both = g_strconcat(user, " ", more, NULL);
    }
    user = both != NULL ? both : user != NULL ? user : more;
    return user == NULL || arm_fdt_set_bootargs(fdt, user, error);
}

/* The tree with a place for the initrd if there is one, packed. */
static void *make_fdt(const ArmBootRequest *req, const BootFiles *files, GError **error)
{
    const MachineConfig *config = req->config;
    g_autofree void *fdt = config->dtb != NULL ? read_dtb(req, error) : open_own(req, error);

    if (fdt == NULL || !accel_additions(req, req->ram_base, usable_ram(req), fdt, error)) {
        goto fail;
    }
    if (!set_command_line(req, files, fdt, error)) {
        g_prefix_error(error, "-append: ");
        return NULL;
    }
    if (files->initrd_size != 0 && !arm_fdt_set_initrd(fdt, 0, 0, error)) {
        goto fail;
    }
    fdt_pack(fdt);
    return g_steal_pointer(&fdt);
fail:
    if (config->dtb != NULL) {
        g_prefix_error(error, "-dtb %s: ", config->dtb);
    }
    return NULL;
}

void *arm_boot_fdt(const ArmBootRequest *req, GError **error)
{
    g_auto(BootFiles) files = {};

    if (req->config->kernel != NULL && !boot_files_open(req->config, &files, error)) {
        return NULL;
    }
    return make_fdt(req, &files, error);
}

static LoaderDest guest_ram(const ArmBootRequest *req)
{
    return (LoaderDest){
        .host = memory_region_get_ram_ptr(req->ram),
        .fd = memory_region_get_fd(req->ram),
        .size = usable_ram(req),
    };
}

static bool is_signed(const ArmBootRequest *req, LoaderStream *kernel)
{
    uint8_t head[4];
    size_t got;

    return req->signed_image && loader_peek(kernel, 0, head, sizeof(head), &got, NULL) &&
           elf_is(head, got);
}

static bool load_kernel(const ArmBootRequest *req, LoaderStream *kernel, Arm64Image *image,
                        uint64_t *used, GError **error)
{
    LoaderDest ram = guest_ram(req);

    if (is_signed(req, kernel)) {
        *image = (Arm64Image){ .text_offset = 0 };
        if (!arm_signed_image_load(kernel, &ram, used, error)) {
            g_prefix_error(error, "-kernel %s: ", req->config->kernel);
            return false;
        }
        return true;
    }
    if (!arm64_image_load(kernel, &ram, image, used, error)) {
        g_prefix_error(error, "-kernel %s: ", req->config->kernel);
        return false;
    }
    if (image->page_kib > 4) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "-kernel %s: is built for %u KiB pages; the guest's CPU has 4 KiB pages only",
                    req->config->kernel, image->page_kib);
        return false;
    }
    return true;
}

/* Loads the initrd at the first place at or above offset; sets the range it takes in RAM. */
static bool load_initrd(const ArmBootRequest *req, BootFiles *files, uint64_t offset,
                        uint64_t *start, uint64_t *end, GError **error)
{
    LoaderDest ram = guest_ram(req);
    uint64_t window = req->ram_base & ~(initrd_window_align - 1);
    uint64_t size = files->initrd_size;

    *start = align_up(offset, INITRD_ALIGN);
    if (*start > ram.size || size > ram.size - *start) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "%s: its %" G_GUINT64_FORMAT
                    " bytes do not fit behind kernel and device tree at "
                    "0x%" G_GINT64_MODIFIER "x in the %" G_GUINT64_FORMAT " MiB of memory (see -m)",
                    files->initrd_name, size, req->ram_base + *start, ram.size >> 20);
        return false;
    }
    *end = *start + size;
    if (req->ram_base + *end - window > initrd_window) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "%s: its %" G_GUINT64_FORMAT
                    " bytes end more than 32 GiB above the kernel, where arm64 cannot find them",
                    files->initrd_name, size);
        return false;
    }
    return boot_files_copy_initrd(files, &ram, *start, error);
}

/* Makes execution that starts at entry reach the kernel. */
static bool place_branch(const ArmBootRequest *req, uint64_t entry, uint64_t kernel, GError **error)
{
    LoaderDest ram = guest_ram(req);
    uint32_t insn;

    if (entry == kernel) {
        return true;
    }
    if (entry % 4 != 0 || entry < req->ram_base ||
        entry - req->ram_base > ram.size - sizeof(insn) || entry > kernel - sizeof(insn) ||
        kernel - entry >= A64_B_REACH) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "-kernel %s: accelerator '%s' starts at 0x%" G_GINT64_MODIFIER
                    "x, from where the kernel at 0x%" G_GINT64_MODIFIER "x cannot be reached",
                    req->config->kernel, accel_name(req->accel), entry, kernel);
        return false;
    }
    insn = GUINT32_TO_LE(A64_B | (uint32_t)((kernel - entry) / sizeof(insn)));
    return loader_store(&ram, entry - req->ram_base, &insn, sizeof(insn), error);
}

static void note_roms(const ArmBootRequest *req, uint64_t kernel, uint64_t kernel_end,
                      const AccelBootInfo *boot, uint64_t fdt_size, uint64_t initrd,
                      uint64_t initrd_end)
{
    const MachineConfig *config = req->config;

    if (req->machine == NULL) {
        return;
    }
    machine_note_rom(req->machine, config->kernel, req->ram_base + kernel, kernel_end - kernel);
    machine_note_rom(req->machine, config->dtb != NULL ? config->dtb : "dtb", boot->dtb_gpa,
                     fdt_size);
    if (initrd_end != 0) {
        machine_note_rom(req->machine, config->initrd != NULL ? config->initrd : "initrd",
                         req->ram_base + initrd, initrd_end - initrd);
    }
}

bool arm_boot_load(const ArmBootRequest *req, AccelBootInfo *boot, void **fdt_out, GError **error)
{
    g_autofree void *fdt = NULL;
    LoaderDest ram = guest_ram(req);
    uint64_t used, fdt_at, fdt_room, entry, initrd = 0, initrd_end = 0;
    g_auto(BootFiles) files = {};
    Arm64Image image;

    if (!boot_files_open(req->config, &files, error) ||
        !load_kernel(req, files.kernel, &image, &used, error)) {
        return false;
    }
    fdt = make_fdt(req, &files, error);
    if (fdt == NULL) {
        return false;
    }
    fdt_at = align_up(used, FDT_ALIGN);
    fdt_room = MAX(accel_dtb_room(req->accel, fdt_totalsize(fdt)), fdt_totalsize(fdt));
    if (fdt_at > ram.size || fdt_room > ram.size - fdt_at) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "-m: %" G_GUINT64_FORMAT
                    " MiB of memory have no room for the device tree: %" G_GUINT64_FORMAT
                    " KiB behind the kernel at 0x%" G_GINT64_MODIFIER "x",
                    ram.size >> 20, fdt_room >> 10, req->ram_base + fdt_at);
        return false;
    }
    if (files.initrd_size != 0) {
        if (!load_initrd(req, &files, fdt_at + fdt_room, &initrd, &initrd_end, error)) {
            return false;
        }
        /* Same size as the zeroes make_fdt() put there: this cannot run out of room. */
        if (!arm_fdt_set_initrd(fdt, req->ram_base + initrd, req->ram_base + initrd_end, error)) {
            return false;
        }
    }
    if (!loader_store(&ram, fdt_at, fdt, fdt_totalsize(fdt), error)) {
        return false;
    }
    *boot = (AccelBootInfo){
        .entry = req->ram_base + image.text_offset,
        .dtb_gpa = req->ram_base + fdt_at,
        .dtb_room = fdt_room,
        .ram_base = req->ram_base,
        .protect = req->protect,
    };
    if (accel_fixed_entry(req->accel, req->ram_base, &entry)) {
        if (!place_branch(req, entry, boot->entry, error)) {
            return false;
        }
        boot->entry = entry;
    }
    note_roms(req, image.text_offset, used, boot, fdt_totalsize(fdt), initrd, initrd_end);
    if (fdt_out != NULL) {
        *fdt_out = g_steal_pointer(&fdt);
    }
    return true;
}

/* ---- firmware ---- */

static bool store_tree(const LoaderDest *dest, uint64_t at, const void *fdt, const char *what,
                       GError **error)
{
    if (at > dest->size || fdt_totalsize(fdt) > dest->size - at) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "%s: %u KiB of device tree do not fit in %" G_GUINT64_FORMAT " KiB of memory",
                    what, fdt_totalsize(fdt) >> 10, (dest->size - at) >> 10);
        return false;
    }
    return loader_store(dest, at, fdt, fdt_totalsize(fdt), error);
}

/* The hypervisor's own copy goes behind the firmware: what the guest sees is the machine's. */
static bool store_for_hypervisor(const ArmBootRequest *req, const ArmFirmware *firmware,
                                 const void *plain, AccelBootInfo *boot, GError **error)
{
    LoaderDest dest = {
        .host = memory_region_get_ram_ptr(firmware->region),
        .fd = memory_region_get_fd(firmware->region),
        .size = memory_region_size(firmware->region),
    };
    g_autofree void *fdt = g_malloc(ARM_FDT_MAX);
    int reserved;

    if (fdt_open_into(plain, fdt, ARM_FDT_MAX) < 0) {
        g_error("the machine's own device tree is larger than 2 MiB");
    }
    /* Of no concern to it: parcels are told in words of its own. */
    reserved = fdt_path_offset(fdt, "/reserved-memory");
    if (reserved >= 0) {
        fdt_del_node(fdt, reserved);
    }
    if (!accel_additions(req, firmware->entry, dest.size, fdt, error)) {
        return false;
    }
    fdt_pack(fdt);
    boot->ram_base = firmware->entry;
    boot->dtb_gpa = firmware->entry + firmware->dtb_at;
    boot->dtb_room = MAX(accel_dtb_room(req->accel, fdt_totalsize(fdt)), fdt_totalsize(fdt));
    if (boot->dtb_room > dest.size - firmware->dtb_at) {
        boot->dtb_room = dest.size - firmware->dtb_at;
    }
    return store_tree(&dest, firmware->dtb_at, fdt, "-bios", error);
}

bool arm_boot_firmware(const ArmBootRequest *req, const ArmFirmware *firmware, AccelBootInfo *boot,
                       void **fdt_out, GError **error)
{
    LoaderDest ram = guest_ram(req);
    g_autofree void *fdt = open_own(req, error);

    if (fdt == NULL) {
        return false;
    }
    fdt_pack(fdt);
    *boot = (AccelBootInfo){
        .entry = firmware->entry,
        .dtb_gpa = req->ram_base,
        .dtb_room = fdt_totalsize(fdt),
        .ram_base = req->ram_base,
        .protect = req->protect,
    };
    if (!store_tree(&ram, 0, fdt, "-m", error) ||
        (firmware->region != NULL && !store_for_hypervisor(req, firmware, fdt, boot, error))) {
        return false;
    }
    if (fdt_out != NULL) {
        *fdt_out = g_steal_pointer(&fdt);
    }
    return true;
}
