/* SPDX-License-Identifier: GPL-2.0-or-later
 * The host's side of the store of variables: its content from the drive, an empty one where there
 * is none (PI 1.7 volume 3, 3.2.1; EDK2's VariableFormat.h for what a store starts with), and the
 * writing back of what the driver brings as changes. The drive's content is hostile, but only to
 * the guest that reads it; records are the guest's and are checked. The guest's memory is filled in
 * here and not touched afterwards: it may be lent.
 */
#include "store.h"

#include <string.h>

#include "hw/block/flash-drive.h"
#include "store-params.h"
#include "util/bytes.h"
#include "util/error.h"

enum {
    FV_HEADER = 0x48,
    FV_ATTRIBUTES = 0x0e36, /* as store-driver.c has them */
    STORE_FORMATTED = 0x5a,
    STORE_HEALTHY = 0xfe,
};

#define FILE_NAME "etc/humpy/variables"

struct EfiStore {
    MemoryRegion mr;
    uint8_t *data; /* what the drive has, or would have */
    char *drive;
    BlockBackend *blk; /* or NULL */
    FwCfg *fw;         /* or NULL: not connected */
    uint8_t *driver;   /* its code in the image, or NULL: not installed */
};

/* EFI_SYSTEM_NV_DATA_FV_GUID, and EDK2's for stores of authenticated variables. */
static const uint8_t volume_guid[16] = { 0x8d, 0x2b, 0xf1, 0xff, 0x96, 0x76, 0x8b, 0x4c,
                                         0xa9, 0x85, 0x27, 0x47, 0x07, 0x5b, 0x4f, 0x50 };
static const uint8_t store_guid[16] = { 0x78, 0x2c, 0xf3, 0xaa, 0x7b, 0x94, 0x9a, 0x43,
                                        0xa1, 0x80, 0x2e, 0x14, 0x4e, 0xc3, 0x77, 0x92 };

/* ---- content ---- */

static void format(uint8_t *data)
{
    uint8_t *store = data + FV_HEADER;
    uint16_t sum = 0;

    memset(data, 0xff, EFI_STORE_SIZE);
    memset(data, 0, FV_HEADER);
    memcpy(data + 16, volume_guid, sizeof(volume_guid));
    put_le(data + 32, 8, EFI_STORE_SIZE);
    memcpy(data + 40, "_FVH", 4);
    put_le(data + 44, 4, FV_ATTRIBUTES);
    put_le(data + 48, 2, FV_HEADER);
    data[55] = 2; /* revision */
    put_le(data + 56, 4, EFI_STORE_SIZE / EFI_STORE_BLOCK);
    put_le(data + 60, 4, EFI_STORE_BLOCK);
    for (unsigned i = 0; i < FV_HEADER; i += 2) {
        sum += data[i] | data[i + 1] << 8;
    }
    put_le(data + 50, 2, (uint16_t)-sum);

    memset(store, 0, 28);
    memcpy(store, store_guid, sizeof(store_guid));
    put_le(store + 16, 4, EFI_STORE_BLOCK - FV_HEADER);
    store[20] = STORE_FORMATTED;
    store[21] = STORE_HEALTHY;
}

static bool is_blank(const uint8_t *data)
{
    return (data[0] == 0 || data[0] == 0xff) && memcmp(data, data + 1, EFI_STORE_SIZE - 1) == 0;
}

static bool is_store(const uint8_t *data)
{
    return memcmp(data + 16, volume_guid, sizeof(volume_guid)) == 0 &&
           memcmp(data + 40, "_FVH", 4) == 0;
}

static bool take_drive(EfiStore *s, GError **error)
{
    s->blk = flash_drive_take(s->drive, "virt.flash1", EFI_STORE_DRIVE_SIZE, error);
    if (s->blk == NULL) {
        return false;
    }
    if (block_is_read_only(s->blk)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "drive '%s' is read-only, but UEFI does not start with variables that it "
                    "cannot write; without a drive they are forgotten at the end",
                    s->drive);
        return false;
    }
    if (!flash_drive_read(s->blk, s->data, EFI_STORE_SIZE, error)) {
        return false;
    }
    if (is_blank(s->data)) {
        format(s->data);
    } else if (!is_store(s->data)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "drive '%s' has neither a store of UEFI variables at its start nor nothing",
                    s->drive);
        return false;
    }
    return true;
}

/* ---- changes ---- */

static bool write_back(EfiStore *s, uint64_t offset, uint64_t len)
{
    int err = s->blk != NULL && len > 0 ? flash_drive_write(s->blk, s->data, offset, len) : 0;

    if (err < 0) {
        g_message("drive '%s': cannot write UEFI variables: %s", s->drive, g_strerror(-err));
    }
    return err == 0;
}

static bool record_written(void *opaque, const uint8_t *data, size_t size)
{
    EfiStore *s = opaque;
    StoreRecord record;

    memcpy(&record, data, sizeof(record));
    record.offset = GUINT64_FROM_LE(record.offset);
    record.len = GUINT64_FROM_LE(record.len);
    if (record.offset > EFI_STORE_SIZE || record.len > EFI_STORE_SIZE - record.offset) {
        return false;
    }
    if (record.erased) {
        memset(s->data + record.offset, 0xff, record.len);
    } else if (record.len <= size - sizeof(record)) {
        memcpy(s->data + record.offset, data + sizeof(record), record.len);
    } else {
        return false;
    }
    return write_back(s, record.offset, record.len);
}

/* ---- life cycle ---- */

EfiStore *efi_store_new(const char *drive, GError **error)
{
    EfiStore *s = g_new0(EfiStore, 1);

    if (!memory_region_init_ram(&s->mr, NULL, "virt.flash1", EFI_STORE_SIZE, error)) {
        g_free(s);
        return NULL;
    }
    s->data = g_malloc0(EFI_STORE_SIZE);
    s->drive = g_strdup(drive);
    if (drive == NULL) {
        format(s->data);
    } else if (!take_drive(s, error)) {
        efi_store_free(s);
        return NULL;
    }
    memcpy(memory_region_get_ram_ptr(&s->mr), s->data, EFI_STORE_SIZE);
    return s;
}

void efi_store_free(EfiStore *s)
{
    if (s == NULL) {
        return;
    }
    if (s->fw != NULL) {
        fw_cfg_remove_file(s->fw, FILE_NAME);
        g_object_unref(s->fw);
    }
    if (s->blk != NULL) {
        block_flush(s->blk);
        flash_drive_release(&s->blk);
    }
    memory_region_destroy(&s->mr);
    g_free(s->data);
    g_free(s->drive);
    g_free(s);
}

MemoryRegion *efi_store_region(EfiStore *s)
{
    return &s->mr;
}

bool efi_store_connect(EfiStore *s, FwCfg *fw, GError **error)
{
    if (!fw_cfg_add_writable(fw, FILE_NAME, sizeof(StoreRecord) + STORE_CHUNK, record_written, s,
                             error)) {
        return false;
    }
    s->fw = g_object_ref(fw);
    return true;
}

/* ---- the driver ---- */

extern const uint8_t efi_store_driver[],
    efi_store_driver_end[]; /* store-blob.S; empty: store-none.S */

bool efi_store_install(EfiStore *s, uint8_t *image, EfiVolume *volume, const EfiPlaces *places,
                       GError **error)
{
    uint32_t len = efi_store_driver_end - efi_store_driver;
    StoreParams params = {
        .store_base = GUINT64_TO_LE(places->store),
        .store_size = GUINT64_TO_LE(EFI_STORE_SIZE),
        .block_size = GUINT64_TO_LE(EFI_STORE_BLOCK),
        .fw_cfg_base = GUINT64_TO_LE(places->fw_cfg),
        .fw_cfg_key = GUINT64_TO_LE((uint64_t)fw_cfg_file_key(s->fw, FILE_NAME)),
        .window_base = GUINT64_TO_LE(places->window),
        .window_size = GUINT64_TO_LE(places->window_size),
        .window_only = GUINT64_TO_LE((uint64_t)places->window_only),
    };

    if (len == 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "this build has no driver for UEFI variables, which takes an arm64 compiler");
        return false;
    }
    if (s->driver == NULL) {
        s->driver = efi_volume_add_driver(image, volume, efi_store_driver, len, STORE_ENTRY, error);
    }
    if (s->driver != NULL) {
        memcpy(s->driver, &params, sizeof(params));
    }
    return s->driver != NULL;
}
