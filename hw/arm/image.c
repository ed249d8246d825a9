/* SPDX-License-Identifier: GPL-2.0-or-later
 * Reads the arm64 Image header and recognises what people pass instead of an Image. Facts: Linux
 * Documentation/arm64/booting.rst section 4; the EFI zboot header is
 * drivers/firmware/efi/libstub's. Where the Image, the device tree and the initrd go is boot.c's
 * matter.
 */
#include "hw/arm/image.h"

#include <string.h>

#include "util/bytes.h"
#include "util/error.h"

#define TOO_SHORT "too short a file"

enum {
    IMAGE_TEXT_OFFSET = 8,
    IMAGE_SIZE = 16,
    IMAGE_FLAGS = 24,
    IMAGE_MAGIC = 56,
    FLAG_BIG_ENDIAN = 1 << 0,
    FLAG_PAGE_SHIFT = 1,
    FLAG_PAGE_MASK = 3,

    /* Before 3.17 text_offset was of unknown endianness and image_size 0. */
    OLD_TEXT_OFFSET = 0x80000,
    OLD_BSS_ROOM = 16 << 20,
    OLD_FILE_MAX = 256 << 20,
    SIGNATURE_MAX = 1 << 20,    /* what may be appended to the Image behind image_size */
    MAX_TEXT_OFFSET = 64 << 20, /* far beyond any kernel's, within reach of one branch */

    ZBOOT_MAGIC = 4,
    ZBOOT_PAYLOAD = 8,
    ZBOOT_PAYLOAD_SIZE = 12,
    ZBOOT_COMPRESSION = 24,
    ZBOOT_COMPRESSION_LEN = 32,
    ZBOOT_HEADER = 64,
};

/* What a file that is no arm64 Image seems to be. */
static const char *looks_like(const uint8_t *head, size_t len)
{
    const char *kind = loader_kind(head, len);

    if (loader_is_gzip(head, len)) {
        return "gzip data inside gzip data";
    }
    return kind != NULL ? kind : len < ARM64_IMAGE_HEADER ? TOO_SHORT : "something unknown";
}

bool arm64_image_parse(const void *head, size_t len, Arm64Image *image, GError **error)
{
    static const unsigned page_kib[] = { 0, 4, 16, 64 };
    const uint8_t *p = head;
    uint64_t flags;

    if (len < ARM64_IMAGE_HEADER || memcmp(p + IMAGE_MAGIC, "ARM\x64", 4) != 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX, "is not an arm64 Image but %s",
                    looks_like(p, len));
        return false;
    }
    image->text_offset = get_le64(p + IMAGE_TEXT_OFFSET);
    image->memory_size = get_le64(p + IMAGE_SIZE);
    flags = get_le64(p + IMAGE_FLAGS);
    image->page_kib = page_kib[(flags >> FLAG_PAGE_SHIFT) & FLAG_PAGE_MASK];
    if (image->memory_size == 0) {
        image->text_offset = OLD_TEXT_OFFSET;
        image->page_kib = 0;
        return true;
    }
    if (flags & FLAG_BIG_ENDIAN) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "is a big-endian kernel; only little-endian ones can be started");
        return false;
    }
    if (image->text_offset > MAX_TEXT_OFFSET || image->text_offset % 4096 != 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "has text_offset 0x%" G_GINT64_MODIFIER
                    "x in its Image header, which must be a multiple of 4096 up to 0x%x",
                    image->text_offset, MAX_TEXT_OFFSET);
        return false;
    }
    if (image->memory_size < ARM64_IMAGE_HEADER) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "has image_size %" G_GUINT64_FORMAT
                    " in its Image header, less than the header itself",
                    image->memory_size);
        return false;
    }
    return true;
}

bool arm64_zboot_parse(const void *head, size_t len, uint64_t file_size, uint64_t *offset,
                       uint64_t *size, GError **error)
{
    const uint8_t *p = head;

    *size = 0;
    if (len < ZBOOT_HEADER || memcmp(p, "MZ", 2) != 0 || memcmp(p + ZBOOT_MAGIC, "zimg", 4) != 0) {
        return false;
    }
    if (strncmp((const char *)p + ZBOOT_COMPRESSION, "gzip", ZBOOT_COMPRESSION_LEN) != 0) {
        g_autofree char *raw =
            g_strndup((const char *)p + ZBOOT_COMPRESSION, ZBOOT_COMPRESSION_LEN);
        g_autofree char *name = g_strescape(raw, NULL);

        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "is an EFI zboot kernel packed with '%s'; only gzip can be unpacked", name);
        return true;
    }
    *offset = get_le32(p + ZBOOT_PAYLOAD);
    *size = get_le32(p + ZBOOT_PAYLOAD_SIZE);
    if (*size == 0 || *offset > file_size || *size > file_size - *offset) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "is an EFI zboot kernel whose payload of %" G_GUINT64_FORMAT
                    " bytes at offset %" G_GUINT64_FORMAT
                    " is not inside the file of %" G_GUINT64_FORMAT " bytes",
                    *size, *offset, file_size);
        *size = 0;
    }
    return true;
}

/* Makes stream deliver the Image itself, whatever it is wrapped in. */
static bool unwrap(LoaderStream *stream, GError **error)
{
    uint8_t head[ARM64_IMAGE_HEAD];
    uint64_t offset, size;
    size_t got;

    if (!loader_peek(stream, 0, head, sizeof(head), &got, error)) {
        return false;
    }
    if (loader_is_gzip(head, got)) {
        loader_select(stream, 0, loader_size(stream), true);
        return true;
    }
    if (loader_is_lz4(head, got)) {
        return loader_select_lz4(stream, 0, loader_size(stream), error);
    }
    if (arm64_zboot_parse(head, got, loader_size(stream), &offset, &size, error)) {
        if (size == 0) {
            return false;
        }
        loader_select(stream, offset, size, true);
    }
    return true;
}

static bool set_too_big(GError **error, uint64_t needed, uint64_t room)
{
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                "needs %" G_GUINT64_FORMAT " bytes of memory but only %" G_GUINT64_FORMAT
                " are there (see -m)",
                needed, room);
    return false;
}

/* A few whole instructions, too short for any header: a bare-metal program. It goes where kernels
 * without a size in their header go. */
static bool is_bare(const uint8_t *head, size_t len, Arm64Image *image)
{
    if (len == 0 || len >= ARM64_IMAGE_HEADER || len % 4 != 0 ||
        strcmp(looks_like(head, len), TOO_SHORT) != 0) {
        return false;
    }
    *image = (Arm64Image){ .text_offset = OLD_TEXT_OFFSET };
    return true;
}

bool arm64_image_load(LoaderStream *stream, const LoaderDest *ram, Arm64Image *image,
                      uint64_t *used, GError **error)
{
    uint8_t head[ARM64_IMAGE_HEAD];
    uint64_t room, file_max, needed, rest;
    uint8_t more;
    size_t got, extra;

    if (!unwrap(stream, error) || !loader_read(stream, head, sizeof(head), &got, error) ||
        !(is_bare(head, got, image) || arm64_image_parse(head, got, image, error))) {
        return false;
    }
    room = ram->size > image->text_offset ? ram->size - image->text_offset : 0;
    if (image->memory_size > room || got > room) {
        return set_too_big(error, MAX(image->memory_size, got), room);
    }
    file_max = image->memory_size != 0 ? image->memory_size + SIGNATURE_MAX : OLD_FILE_MAX;
    file_max = MIN(file_max, room);
    if (!loader_store(ram, image->text_offset, head, got, error) ||
        !loader_copy(stream, ram, image->text_offset + got, file_max - got, &rest, error) ||
        !loader_read(stream, &more, 1, &extra, error)) {
        return false;
    }
    if (extra > 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "is longer than the %" G_GUINT64_FORMAT
                    " bytes that its header and the memory allow",
                    file_max);
        return false;
    }
    /* A signature may be appended to the file; older kernels do not say what they need beyond. */
    needed = MAX(image->memory_size, got + rest);
    if (image->memory_size == 0) {
        needed += OLD_BSS_ROOM;
    }
    if (needed > room) {
        return set_too_big(error, needed, room);
    }
    *used = image->text_offset + needed;
    return true;
}

bool arm64_image_contains(LoaderStream *stream, const void *what, size_t len, GError **error)
{
    enum { STEP = 1 << 20, LONGEST = 256 };
    g_autofree uint8_t *buf = g_malloc(LONGEST + STEP);
    size_t kept = 0, got;

    g_assert(len > 0 && len <= LONGEST);
    if (!unwrap(stream, error)) {
        return false;
    }
    do {
        if (!loader_read(stream, buf + kept, STEP, &got, error)) {
            return false;
        }
        if (memmem(buf, kept + got, what, len) != NULL) {
            return true;
        }
        got += kept;
        kept = MIN(got, len - 1); /* what may be the start of a match */
        memmove(buf, buf + got - kept, kept);
    } while (got >= STEP);
    return false;
}
