/* SPDX-License-Identifier: GPL-2.0-or-later
 * Reads the headers of Android's boot images. Format: Android's documentation of the boot image
 * header (source.android.com, "Boot image header", "Vendor boot partitions"). All numbers are 32
 * bits and little endian unless said; a part starts where the one before ends, at a whole page.
 */
#include "hw/core/android-boot.h"

#include <string.h>

#include "util/bytes.h"
#include "util/error.h"

#define BOOT_MAGIC   "ANDROID!"
#define VENDOR_MAGIC "VNDRBOOT"

enum {
    MAGIC = 8,

    /* boot.img 0 to 2 */
    OLD_KERNEL_SIZE = 8,
    OLD_RAMDISK_SIZE = 16,
    OLD_SECOND_SIZE = 24,
    OLD_PAGE_SIZE = 36,
    VERSION = 40, /* of all boot.img */
    OLD_CMDLINE = 64,
    OLD_CMDLINE_SIZE = 512,
    OLD_MORE_CMDLINE = 608,
    OLD_MORE_CMDLINE_SIZE = 1024,
    OLD_HEADER = 1632,

    /* boot.img 3 and 4 */
    NEW_KERNEL_SIZE = 8,
    NEW_RAMDISK_SIZE = 12,
    NEW_CMDLINE = 44,
    NEW_CMDLINE_SIZE = 1536,
    NEW_HEADER = 1580,
    NEW_PAGE = 4096,

    /* vendor_boot.img */
    VENDOR_VERSION = 8,
    VENDOR_PAGE_SIZE = 12,
    VENDOR_RAMDISK_SIZE = 24,
    VENDOR_CMDLINE = 28,
    VENDOR_CMDLINE_SIZE = 2048,
    VENDOR_HEADER_SIZE = 2096,
    VENDOR_DTB_SIZE = 2100,
    VENDOR_HEADER_3 = 2112,
    VENDOR_TABLE_SIZE = 2112,
    VENDOR_TABLE_ENTRIES = 2116,
    VENDOR_ENTRY_SIZE = 2120,
    VENDOR_BOOTCONFIG_SIZE = 2124,
    VENDOR_HEADER_4 = 2128,
    ENTRY = 108, /* of the table: size, offset, type, name, board */
    ENTRY_RECOVERY = 2,

    MIN_PAGE = 1024,
    MAX_PAGE = 65536,
};

typedef struct {
    uint8_t bytes[VENDOR_HEADER_4];
    size_t len; /* read; the rest is 0 */
} Header;

bool android_is_boot(const void *head, size_t len)
{
    return len >= MAGIC && memcmp(head, BOOT_MAGIC, MAGIC) == 0;
}

static bool too_short(GError **error)
{
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                "is an Android image that ends within its header");
    return false;
}

static bool check_version(unsigned version, unsigned lowest, GError **error)
{
    if (version >= lowest && version <= 4) {
        return true;
    }
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                "is an Android image with header version %u; %u to 4 are known", version, lowest);
    return false;
}

static bool check_page(uint32_t page, GError **error)
{
    if (page >= MIN_PAGE && page <= MAX_PAGE && (page & (page - 1)) == 0) {
        return true;
    }
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                "has pages of %u bytes in its Android header, which must be a power of two from %d "
                "to %d",
                page, MIN_PAGE, MAX_PAGE);
    return false;
}

/* The part that starts at *at, which is moved behind it and its padding. */
static bool take_part(LoaderStream *stream, const char *what, uint32_t size, uint32_t page,
                      uint64_t *at, AndroidPart *part, GError **error)
{
    *part = (AndroidPart){ *at, size };
    if (size > 0 && (*at > loader_size(stream) || size > loader_size(stream) - *at)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "has a %s of %u bytes at offset %" G_GUINT64_FORMAT
                    " in its Android header, but ends at %" G_GUINT64_FORMAT,
                    what, size, *at, loader_size(stream));
        return false;
    }
    *at += ((uint64_t)size + page - 1) / page * page;
    return true;
}

/* Text of at most size bytes; a NUL ends it. */
static void add_cmdline(AndroidImage *image, const uint8_t *text, size_t size)
{
    size_t len = strnlen((const char *)text, size), have = strlen(image->cmdline);

    len = MIN(len, ANDROID_MAX_CMDLINE - have);
    memcpy(image->cmdline + have, text, len);
    image->cmdline[have + len] = '\0';
}

static void add_ramdisk(AndroidImage *image, AndroidPart part)
{
    if (part.size > 0) {
        image->ramdisks[image->n_ramdisks++] = part;
    }
}

/* ---- boot.img ---- */

static bool parse_old(LoaderStream *stream, const Header *h, AndroidImage *image, GError **error)
{
    uint32_t page = get_le32(h->bytes + OLD_PAGE_SIZE);
    AndroidPart ramdisk;
    uint64_t at = page;

    if (h->len < OLD_HEADER) {
        return too_short(error);
    }
    if (!check_page(page, error) ||
        !take_part(stream, "kernel", get_le32(h->bytes + OLD_KERNEL_SIZE), page, &at,
                   &image->kernel, error) ||
        !take_part(stream, "ramdisk", get_le32(h->bytes + OLD_RAMDISK_SIZE), page, &at, &ramdisk,
                   error)) {
        return false;
    }
    add_ramdisk(image, ramdisk);
    add_cmdline(image, h->bytes + OLD_CMDLINE, OLD_CMDLINE_SIZE);
    add_cmdline(image, h->bytes + OLD_MORE_CMDLINE, OLD_MORE_CMDLINE_SIZE);
    return true;
}

static bool parse_new(LoaderStream *stream, const Header *h, AndroidImage *image, GError **error)
{
    AndroidPart ramdisk;
    uint64_t at = NEW_PAGE;

    if (h->len < NEW_HEADER) {
        return too_short(error);
    }
    if (!take_part(stream, "kernel", get_le32(h->bytes + NEW_KERNEL_SIZE), NEW_PAGE, &at,
                   &image->kernel, error) ||
        !take_part(stream, "ramdisk", get_le32(h->bytes + NEW_RAMDISK_SIZE), NEW_PAGE, &at,
                   &ramdisk, error)) {
        return false;
    }
    add_ramdisk(image, ramdisk);
    add_cmdline(image, h->bytes + NEW_CMDLINE, NEW_CMDLINE_SIZE);
    return true;
}

static bool read_header(LoaderStream *stream, const char *magic, const char *what, Header *h,
                        GError **error)
{
    *h = (Header){};
    if (!loader_peek(stream, 0, h->bytes, sizeof(h->bytes), &h->len, error)) {
        return false;
    }
    if (h->len < MAGIC || memcmp(h->bytes, magic, MAGIC) != 0) {
        const char *kind = loader_kind(h->bytes, h->len);

        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX, "is not an Android %s image but %s",
                    what, kind != NULL ? kind : "something unknown");
        return false;
    }
    return true;
}

bool android_boot_parse(LoaderStream *stream, AndroidImage *image, GError **error)
{
    Header h;

    *image = (AndroidImage){};
    if (!read_header(stream, BOOT_MAGIC, "boot", &h, error)) {
        return false;
    }
    if (h.len < VERSION + sizeof(uint32_t)) {
        return too_short(error);
    }
    image->version = get_le32(h.bytes + VERSION);
    if (!check_version(image->version, 0, error)) {
        return false;
    }
    return image->version < 3 ? parse_old(stream, &h, image, error)
                              : parse_new(stream, &h, image, error);
}

/* ---- vendor_boot.img ---- */

/* The table that divides the ramdisk: all but those for recovery, in its order. */
static bool take_table(LoaderStream *stream, const Header *h, AndroidPart ramdisk,
                       AndroidPart table, AndroidImage *image, GError **error)
{
    uint32_t n = get_le32(h->bytes + VENDOR_TABLE_ENTRIES),
             size = get_le32(h->bytes + VENDOR_ENTRY_SIZE);

    if (n > ANDROID_MAX_RAMDISKS || size < ENTRY || (uint64_t)n * size > table.size) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "has a table of %" G_GUINT64_FORMAT
                    " bytes for %u ramdisks with %u bytes each; at most %d with at least %d are "
                    "possible",
                    table.size, n, size, ANDROID_MAX_RAMDISKS, ENTRY);
        return false;
    }
    for (uint32_t i = 0; i < n; i++) {
        uint8_t entry[ENTRY];
        AndroidPart part;
        size_t got;

        if (!loader_peek(stream, table.offset + (uint64_t)i * size, entry, ENTRY, &got, error)) {
            return false;
        }
        part = (AndroidPart){ get_le32(entry + 4), get_le32(entry) };
        if (got < ENTRY || part.offset > ramdisk.size || part.size > ramdisk.size - part.offset) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                        "has ramdisk %u at offset %" G_GUINT64_FORMAT " with %" G_GUINT64_FORMAT
                        " bytes, outside the %" G_GUINT64_FORMAT " bytes of all",
                        i, part.offset, part.size, ramdisk.size);
            return false;
        }
        part.offset += ramdisk.offset;
        if (get_le32(entry + 8) != ENTRY_RECOVERY) {
            add_ramdisk(image, part);
        }
    }
    return true;
}

bool android_vendor_boot_parse(LoaderStream *stream, AndroidImage *image, GError **error)
{
    AndroidPart ramdisk, dtb, table = {};
    uint32_t page;
    uint64_t at;
    Header h;

    *image = (AndroidImage){};
    if (!read_header(stream, VENDOR_MAGIC, "vendor_boot", &h, error)) {
        return false;
    }
    image->version = get_le32(h.bytes + VENDOR_VERSION);
    page = get_le32(h.bytes + VENDOR_PAGE_SIZE);
    if (!check_version(image->version, 3, error) || !check_page(page, error)) {
        return false;
    }
    if (h.len < (image->version == 3 ? VENDOR_HEADER_3 : VENDOR_HEADER_4)) {
        return too_short(error);
    }
    at = (VENDOR_HEADER_4 + page - 1) / page * page;
    if (!take_part(stream, "ramdisk", get_le32(h.bytes + VENDOR_RAMDISK_SIZE), page, &at, &ramdisk,
                   error) ||
        !take_part(stream, "device tree", get_le32(h.bytes + VENDOR_DTB_SIZE), page, &at, &dtb,
                   error)) {
        return false;
    }
    add_cmdline(image, h.bytes + VENDOR_CMDLINE, VENDOR_CMDLINE_SIZE);
    if (image->version == 3) {
        add_ramdisk(image, ramdisk);
        return true;
    }
    return take_part(stream, "table of ramdisks", get_le32(h.bytes + VENDOR_TABLE_SIZE), page, &at,
                     &table, error) &&
           take_part(stream, "bootconfig", get_le32(h.bytes + VENDOR_BOOTCONFIG_SIZE), page, &at,
                     &image->bootconfig, error) &&
           take_table(stream, &h, ramdisk, table, image, error);
}
