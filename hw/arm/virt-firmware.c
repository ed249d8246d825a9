/* SPDX-License-Identifier: GPL-2.0-or-later
 * Firmware on an accelerator whose guests cannot have memory that is read like memory and traps
 * when it is written (Gunyah): code is plain RAM where the first flash would be, followed by what
 * the hypervisor does with the device tree; variables are in RAM where the second would be, kept by
 * a driver of ours in the guest (efi/store.h). Elsewhere firmware is in flash: virt-platform.c.
 */
#include <string.h>

#include "hw/arm/boot.h"
#include "hw/block/flash-drive.h"
#include "hw/core/loader.h"
#include "util/error.h"
#include "virt-priv.h"

enum {
    ALIGN = 2 << 20,
    DTB_GUESS = 64 << 10, /* no tree of this machine's is larger */
};

bool virt_wants_firmware(VirtMachine *v)
{
    return machine_config(HUMPY_MACHINE(v))->firmware != NULL || v->pflash[0] != NULL;
}

/* ---- content ---- */

static uint64_t dtb_room(VirtMachine *v)
{
    uint64_t room = accel_dtb_room(machine_accel(HUMPY_MACHINE(v)), DTB_GUESS);

    return (MAX(room, DTB_GUESS) + ALIGN - 1) & ~(uint64_t)(ALIGN - 1);
}

static uint8_t *read_file(VirtMachine *v, const char *path, uint64_t *len, GError **error)
{
    g_autoptr(LoaderStream) stream = loader_open(path, error);
    const uint64_t max = VIRT_FLASH_SIZE;
    g_autofree uint8_t *data = NULL;
    size_t got;

    if (stream == NULL) {
        return NULL;
    }
    *len = loader_size(stream);
    if (*len > max) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "%" G_GUINT64_FORMAT " bytes are more than the %" G_GUINT64_FORMAT
                    " of flash 'virt.flash0'",
                    *len, max);
        return NULL;
    }
    data = g_malloc(*len + 1);
    if (!loader_read(stream, data, *len, &got, error)) {
        return NULL;
    }
    *len = got;
    return g_steal_pointer(&data);
}

/* The drive is read once and needed no more, but stays taken: its user is this flash. */
static uint8_t *read_drive(VirtMachine *v, const char *name, uint64_t *len, GError **error)
{
    g_autofree uint8_t *data = NULL;

    v->code_blk = flash_drive_take(name, "virt.flash0", VIRT_FLASH_SIZE, error);
    if (v->code_blk == NULL) {
        return NULL;
    }
    if (!block_is_read_only(v->code_blk)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "drive '%s' must be readonly=on: accelerator '%s' cannot tell what a guest "
                    "writes to the flash it runs from",
                    name, accel_name(machine_accel(HUMPY_MACHINE(v))));
        return NULL;
    }
    *len = VIRT_FLASH_SIZE;
    data = g_malloc0(*len);
    return flash_drive_read(v->code_blk, data, *len, error) ? g_steal_pointer(&data) : NULL;
}

static void trim_zeroes(const uint8_t *data, uint64_t *len)
{
    while (*len > 0 && data[*len - 1] == 0) {
        (*len)--;
    }
}

static bool place_code(VirtMachine *v, const uint8_t *data, uint64_t len, GError **error)
{
    uint64_t size = (len + ALIGN - 1) & ~(uint64_t)(ALIGN - 1);
    uint64_t room = dtb_room(v);

    if (len == 0 || size > VIRT_FLASH_SIZE - room) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "%" G_GUINT64_FORMAT " bytes that are not zeroes at its end; with accelerator "
                    "'%s' it must be 1 to %" G_GUINT64_FORMAT,
                    len, accel_name(machine_accel(HUMPY_MACHINE(v))), VIRT_FLASH_SIZE - room);
        return false;
    }
    if (!memory_region_init_ram(&v->code, NULL, "virt.flash0", size + room, error)) {
        return false;
    }
    memcpy(memory_region_get_ram_ptr(&v->code), data, len);
    memory_region_add_subregion(machine_system_memory(HUMPY_MACHINE(v)), VIRT_FLASH, &v->code);
    v->code_size = size;
    return true;
}

static bool add_code(VirtMachine *v, const char *path, GError **error)
{
    g_autofree uint8_t *data = NULL;
    uint64_t len;

    data =
        path != NULL ? read_file(v, path, &len, error) : read_drive(v, v->pflash[0], &len, error);
    if (data == NULL) {
        return false;
    }
    trim_zeroes(data, &len);
    return place_code(v, data, len, error);
}

/* ---- variables ---- */

static bool add_store(VirtMachine *v, GError **error)
{
    Machine *m = HUMPY_MACHINE(v);

    v->store = efi_store_new(v->pflash[1], error);
    if (v->store == NULL) {
        g_prefix_error(error, "pflash1: ");
        return false;
    }
    memory_region_add_subregion(machine_system_memory(m), VIRT_FLASH + VIRT_FLASH_SIZE,
                                efi_store_region(v->store));
    return efi_store_connect(v->store, v->fw_cfg, error);
}

/* Other firmware than UEFI does without. */
static bool find_volume(VirtMachine *v, const char *what, GError **error)
{
    g_autoptr(GError) cause = NULL;

    if (efi_volume_find(memory_region_get_ram_ptr(&v->code), v->code_size, &v->volume, &cause)) {
        return true;
    }
    if (v->pflash[1] == NULL) {
        if (v->protection != ACCEL_PROTECT_ON) { /* which check_protected() refuses */
            g_message("%s: %s; it is started as it is, without flash", what, cause->message);
        }
        return true;
    }
    g_set_error(error, cause->domain, cause->code,
                "pflash1: %s %s, which the second flash is for with accelerator '%s'", what,
                cause->message, accel_name(machine_accel(HUMPY_MACHINE(v))));
    return false;
}

/* ---- all ---- */

static bool check_company(VirtMachine *v, const char *what, GError **error)
{
    const MachineConfig *config = machine_config(HUMPY_MACHINE(v));

    if (config->kernel != NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "%s: with accelerator '%s' firmware loads a system from a disk, not -kernel %s",
                    what, accel_name(machine_accel(HUMPY_MACHINE(v))), config->kernel);
        return false;
    }
    if (config->firmware != NULL && v->pflash[0] != NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "%s: the first flash already has the drive '%s'", what, v->pflash[0]);
        return false;
    }
    return true;
}

static char *what_is_asked(VirtMachine *v)
{
    const char *path = machine_config(HUMPY_MACHINE(v))->firmware;

    return path != NULL ? g_strdup_printf("-bios %s", path)
                        : g_strdup_printf("-machine virt,pflash0=%s", v->pflash[0]);
}

bool virt_add_firmware(VirtMachine *v, GError **error)
{
    const char *path = machine_config(HUMPY_MACHINE(v))->firmware;
    g_autofree char *what = NULL;

    if (!virt_wants_firmware(v)) {
        if (v->pflash[1] == NULL) {
            return true;
        }
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING,
                    "-machine virt,pflash1=%s: with accelerator '%s' the second flash is for the "
                    "variables of firmware, which is missing (see -bios)",
                    v->pflash[1], accel_name(machine_accel(HUMPY_MACHINE(v))));
        return false;
    }
    what = what_is_asked(v);
    if (!check_company(v, what, error)) {
        return false;
    }
    if (!add_code(v, path, error)) {
        g_prefix_error(error, "%s: ", what);
        return false;
    }
    machine_note_rom(HUMPY_MACHINE(v), path != NULL ? path : v->pflash[0], VIRT_FLASH,
                     v->code_size);
    return find_volume(v, what, error) && (v->volume.len == 0 || add_store(v, error));
}

/* What nobody would keep to the window: firmware without our driver, and devices whose drivers do
 * not ask it. */
static bool check_protected(VirtMachine *v, const char *what, GError **error)
{
    if (v->store == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "%s: is no UEFI firmware, which alone Humpy can tell of the window of memory "
                    "that a protected guest shares with its devices",
                    what);
        return false;
    }
    if (v->on_transport != NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "%s: UEFI's drivers for virtio-mmio do not keep to the window of memory that a "
                    "protected guest shares with its devices: '%s' must be one for PCI",
                    what, v->on_transport);
        return false;
    }
    return true;
}

bool virt_install_firmware(VirtMachine *v, ArmFirmware *firmware, GError **error)
{
    g_autofree char *what = what_is_asked(v);
    EfiPlaces places = {
        .store = VIRT_FLASH + VIRT_FLASH_SIZE,
        .fw_cfg = VIRT_FW_CFG,
        .window = v->window.base,
        .window_size = v->window.size,
        .window_only = v->protect,
    };

    *firmware = (ArmFirmware){ .entry = VIRT_FLASH };
    if (v->code_size == 0) { /* in flash */
        return true;
    }
    if (v->protect && !check_protected(v, what, error)) {
        return false;
    }
    if (v->all_lent && v->store != NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "%s: with lend=on no device reaches memory, which UEFI does not start without "
                    "(see protected=on)",
                    what);
        return false;
    }
    firmware->region = &v->code;
    firmware->dtb_at = v->code_size;
    if (v->store != NULL && !efi_store_install(v->store, memory_region_get_ram_ptr(&v->code),
                                               &v->volume, &places, error)) {
        g_prefix_error(error, "%s: ", what);
        return false;
    }
    return true;
}

void virt_drop_firmware(VirtMachine *v)
{
    MemoryRegion *system = machine_system_memory(HUMPY_MACHINE(v));

    if (v->store != NULL) {
        memory_region_del_subregion(system, efi_store_region(v->store));
        efi_store_free(g_steal_pointer(&v->store));
    }
    if (v->code_size != 0) {
        memory_region_del_subregion(system, &v->code);
        memory_region_destroy(&v->code);
        v->code_size = 0;
    }
    flash_drive_release(&v->code_blk);
    v->volume = (EfiVolume){ 0 };
}
