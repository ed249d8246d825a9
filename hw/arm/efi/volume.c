/* SPDX-License-Identifier: GPL-2.0-or-later
 * Firmware volumes: the walk through one (PI 1.7 volume 3, 3.2.1 EFI_FIRMWARE_VOLUME_HEADER, 3.2.3
 * EFI_FFS_FILE_HEADER) and the making of a driver's file: a condition for its dispatch and a PE32+
 * image with one section (Microsoft PE format, as UEFI 2.10 2.1.1 asks for it). What the driver
 * does is store-driver.c's matter.
 */
#include "volume.h"

#include <string.h>

#include "util/bytes.h"
#include "util/error.h"

enum {
    FV_STEP = 4096, /* where volumes may start */
    FV_LENGTH = 32,
    FV_SIGNATURE = 40,
    FV_ATTRIBUTES = 44,
    FV_HEADER_LENGTH = 48,
    FV_EXT_HEADER = 52,
    FV_HEADER_MIN = 0x48,
    FV_EXT_HEADER_SIZE = 16, /* where an extended header has its size */
    FV_ERASED_TO_1 = 0x800,

    FFS_CHECKSUM = 16,
    FFS_TYPE = 18,
    FFS_ATTRIBUTES = 19,
    FFS_SIZE = 20,
    FFS_STATE = 23,
    FFS_HEADER = 24,
    FFS_LARGE_SIZE = 24,
    FFS_LARGE = 0x01,
    FFS_DRIVER = 0x07,
    FFS_VOLUME = 0x0b,
    FFS_NO_FILE_CHECKSUM = 0xaa,
    FFS_VALID = 0xf8, /* header and data are, where erased bits are 1 */

    SECTION_PE32 = 0x10,
    SECTION_DEPEX = 0x13,
    SECTION_HEADER = 4,
    DEPEX_PUSH = 0x02,
    DEPEX_END = 0x08,
    DEPEX = 18, /* its length */
    /* Where in the file the driver's image starts; sections are at multiples of 4. */
    PE_AT = ((FFS_HEADER + SECTION_HEADER + DEPEX + 3) & ~3) + SECTION_HEADER,

    PE_SECTION_ALIGN = 0x10000, /* what arm64 wants of run time drivers */
    PE_FILE_ALIGN = 0x200,
    PE_ARM64 = 0xaa64,
    PE_RUNTIME_DRIVER = 12,
};

static const uint8_t driver_guid[16] = { 0x7e, 0x1b, 0x0c, 0x5d, 0x93, 0x2f, 0x4a, 0x46,
                                         0xa8, 0x51, 0x3c, 0x9e, 0x60, 0xd7, 0xf1, 0x24 };
/* EFI_CPU_ARCH_PROTOCOL_GUID: from then on memory can be mapped. */
static const uint8_t cpu_guid[16] = { 0xb1, 0xcc, 0xba, 0x26, 0x42, 0x6f, 0xd4, 0x11,
                                      0xbc, 0xe7, 0x00, 0x80, 0xc7, 0x3c, 0x88, 0x81 };

/* ---- finding ---- */

static bool header_valid(const uint8_t *fv, uint64_t room)
{
    uint64_t len, header;
    uint16_t sum = 0;

    if (room < FV_HEADER_MIN || memcmp(fv + FV_SIGNATURE, "_FVH", 4) != 0) {
        return false;
    }
    len = get_le64(fv + FV_LENGTH);
    header = get_le(fv + FV_HEADER_LENGTH, 2);
    if (header < FV_HEADER_MIN || header % 2 != 0 || header > len || len > room) {
        return false;
    }
    for (uint64_t i = 0; i < header; i += 2) {
        sum += get_le(fv + i, 2);
    }
    return sum == 0 && get_le(fv + FV_ATTRIBUTES, 4) & FV_ERASED_TO_1;
}

static uint64_t first_file(const uint8_t *fv, uint64_t len)
{
    uint64_t ext = get_le(fv + FV_EXT_HEADER, 2);
    uint64_t at = get_le(fv + FV_HEADER_LENGTH, 2);

    if (ext != 0) {
        at = ext + FV_EXT_HEADER_SIZE + 4 <= len ? ext + get_le(fv + ext + FV_EXT_HEADER_SIZE, 4)
                                                 : len;
    }
    return (at + 7) & ~UINT64_C(7);
}

static bool is_erased(const uint8_t *at, uint64_t len)
{
    return at[0] == 0xff && memcmp(at, at + 1, len - 1) == 0;
}

/* Offset behind the last file; 0: it holds no volume, or its files are damaged. */
static uint64_t walk(const uint8_t *fv, uint64_t len)
{
    bool has_volume = false;
    uint64_t at = first_file(fv, len);

    while (at <= len && len - at >= FFS_HEADER && !is_erased(fv + at, FFS_HEADER)) {
        uint64_t size = get_le(fv + at + FFS_SIZE, 3), least = FFS_HEADER;

        if (fv[at + FFS_ATTRIBUTES] & FFS_LARGE) {
            least += 8;
            size = len - at >= least ? get_le64(fv + at + FFS_LARGE_SIZE) : 0;
        }
        if (size < least || size > len - at) {
            return 0;
        }
        has_volume |= fv[at + FFS_TYPE] == FFS_VOLUME;
        at = (at + size + 7) & ~UINT64_C(7);
    }
    return has_volume && at <= len ? at : 0;
}

bool efi_volume_find(const uint8_t *image, uint64_t len, EfiVolume *volume, GError **error)
{
    for (uint64_t at = 0; at < len; at += FV_STEP) {
        uint64_t size, end;

        if (!header_valid(image + at, len - at)) {
            continue;
        }
        size = get_le64(image + at + FV_LENGTH);
        end = walk(image + at, size);
        if (end != 0) {
            *volume = (EfiVolume){ .at = at, .len = size, .free_at = at + end };
            return true;
        }
    }
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                "has no UEFI firmware volume with others inside");
    return false;
}

/* ---- adding ---- */

/* Headers of a PE32+ image whose one section is its code, in PE_FILE_ALIGN bytes. */
static void write_pe_headers(uint8_t *pe, uint32_t code_len, uint32_t entry)
{
    enum { COFF = 0x44, OPTIONAL = COFF + 20, OPTIONAL_SIZE = 240 };
    uint8_t *opt = pe + OPTIONAL, *section = opt + OPTIONAL_SIZE;
    uint32_t rounded = (code_len + PE_FILE_ALIGN - 1) & ~(PE_FILE_ALIGN - 1u);
    uint32_t in_memory = (code_len + PE_SECTION_ALIGN - 1) & ~(PE_SECTION_ALIGN - 1u);

    memset(pe, 0, PE_FILE_ALIGN);
    memcpy(pe, "MZ", 2);
    put_le(pe + 0x3c, 4, COFF - 4);
    memcpy(pe + COFF - 4, "PE\0", 4);
    put_le(pe + COFF, 2, PE_ARM64);
    put_le(pe + COFF + 2, 2, 1); /* sections */
    put_le(pe + COFF + 16, 2, OPTIONAL_SIZE);
    put_le(pe + COFF + 18, 2,
           0x22e); /* executable, no lines, symbols or debug data; > 2 GiB is fine */

    put_le(opt, 2, 0x20b); /* PE32+ */
    put_le(opt + 4, 4, rounded);
    put_le(opt + 16, 4, PE_SECTION_ALIGN + entry);
    put_le(opt + 20, 4, PE_SECTION_ALIGN); /* code */
    put_le(opt + 32, 4, PE_SECTION_ALIGN);
    put_le(opt + 36, 4, PE_FILE_ALIGN);
    put_le(opt + 56, 4, PE_SECTION_ALIGN + in_memory); /* image */
    put_le(opt + 60, 4, PE_FILE_ALIGN);                /* headers */
    put_le(opt + 68, 2, PE_RUNTIME_DRIVER);
    put_le(opt + 108, 4, 16); /* directories, all empty: nothing to relocate */

    memcpy(section, ".text", 5);
    put_le(section + 8, 4, code_len);
    put_le(section + 12, 4, PE_SECTION_ALIGN);
    put_le(section + 16, 4, rounded);
    put_le(section + 20, 4, PE_FILE_ALIGN);
    put_le(section + 36, 4, 0x60000020); /* code, to be executed and read */
}

static uint32_t put_section_header(uint8_t *at, uint8_t type, uint32_t payload)
{
    put_le(at, 3, payload + SECTION_HEADER);
    at[3] = type;
    return SECTION_HEADER;
}

/* The file's length; written to at if that is not NULL. */
static uint32_t write_file(uint8_t *at, const uint8_t *code, uint32_t len, uint32_t entry)
{
    uint32_t rounded = (len + PE_FILE_ALIGN - 1) & ~(PE_FILE_ALIGN - 1u);
    uint32_t size = PE_AT + PE_FILE_ALIGN + rounded;
    uint8_t sum = 0;

    if (at == NULL) {
        return size;
    }
    memset(at, 0, size);
    memcpy(at, driver_guid, sizeof(driver_guid));
    at[FFS_TYPE] = FFS_DRIVER;
    put_le(at + FFS_SIZE, 3, size);
    for (unsigned i = 0; i < FFS_HEADER; i++) {
        sum += at[i];
    }
    at[FFS_CHECKSUM] = -sum; /* of the header, without the next two */
    at[FFS_CHECKSUM + 1] = FFS_NO_FILE_CHECKSUM;
    at[FFS_STATE] = FFS_VALID;

    at += FFS_HEADER;
    at += put_section_header(at, SECTION_DEPEX, DEPEX);
    at[0] = DEPEX_PUSH;
    memcpy(at + 1, cpu_guid, sizeof(cpu_guid));
    at[DEPEX - 1] = DEPEX_END;
    at += PE_AT - SECTION_HEADER - FFS_HEADER - SECTION_HEADER;
    at += put_section_header(at, SECTION_PE32, PE_FILE_ALIGN + rounded);
    write_pe_headers(at, len, entry);
    memcpy(at + PE_FILE_ALIGN, code, len);
    return size;
}

uint8_t *efi_volume_add_driver(uint8_t *image, EfiVolume *volume, const uint8_t *code, uint32_t len,
                               uint32_t entry, GError **error)
{
    uint32_t size = (write_file(NULL, code, len, entry) + 7) & ~7u;
    uint64_t room = volume->at + volume->len - volume->free_at;
    uint8_t *at = image + volume->free_at;

    /* What follows the last file must be erased to the end. */
    if (size > room || !is_erased(at, room)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "its firmware volume has %" G_GUINT64_FORMAT
                    " bytes left, but the driver for variables needs %u erased ones",
                    room, size);
        return NULL;
    }
    write_file(at, code, len, entry);
    volume->free_at += size;
    return at + PE_AT + PE_FILE_ALIGN;
}
