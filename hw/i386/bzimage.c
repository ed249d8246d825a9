/* SPDX-License-Identifier: GPL-2.0-or-later
 * The setup header of a Linux bzImage. What is asked of it is what the 32-bit entry needs: protocol
 * 2.10 (Linux 2.6.31), which says how much memory the kernel takes while it unpacks itself.
 */
#include <string.h>

#include "hw/i386/kernel.h"
#include "util/bytes.h"
#include "util/error.h"

enum {
    SETUP_SECTS = 0x1f1,
    SYSSIZE = 0x1f4,
    BOOT_FLAG = 0x1fe,
    JUMP_LENGTH = 0x201, /* the header ends so many bytes behind the next */
    MAGIC = 0x202,
    VERSION = 0x206,
    LOADFLAGS = 0x211,
    INITRD_ADDR_MAX = 0x22c,
    RELOCATABLE_KERNEL = 0x234,
    CMDLINE_SIZE = 0x238,
    PREF_ADDRESS = 0x258,
    INIT_SIZE = 0x260,
    HEADER_END = 0x264, /* of protocol 2.10 */

    LOADED_HIGH = 1 << 0,
    OLDEST = 0x20a,
    SECTOR = 512,
    PARAGRAPH = 16,
    DEFAULT_SETUP_SECTS = 4,
};

static bool check_flags(const uint8_t *p, GError **error)
{
    if (get_le16(p + BOOT_FLAG) != 0xaa55) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX,
                    "has 0x%04x where a boot sector has 0xaa55", get_le16(p + BOOT_FLAG));
        return false;
    }
    if (get_le16(p + VERSION) < OLDEST) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "has boot protocol %u.%02u; at least 2.10 (Linux 2.6.31) is needed",
                    p[VERSION + 1], p[VERSION]);
        return false;
    }
    if (!(p[LOADFLAGS] & LOADED_HIGH)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "is a zImage, which runs below 1 MiB; only a bzImage can be started");
        return false;
    }
    if (p[RELOCATABLE_KERNEL] == 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "is not relocatable (CONFIG_RELOCATABLE); only relocatable kernels can be "
                    "started");
        return false;
    }
    return true;
}

static bool find_kernel(const uint8_t *p, uint64_t file_size, BzImage *image, GError **error)
{
    unsigned sectors = p[SETUP_SECTS] != 0 ? p[SETUP_SECTS] : DEFAULT_SETUP_SECTS;

    image->kernel_offset = (sectors + 1) * SECTOR;
    image->kernel_size = (uint64_t)get_le32(p + SYSSIZE) * PARAGRAPH;
    if (image->kernel_size == 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX, "has a kernel of 0 bytes");
        return false;
    }
    if (image->kernel_offset > file_size || image->kernel_size > file_size - image->kernel_offset) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "is cut short: it has %" G_GUINT64_FORMAT
                    " bytes, and its header says %" G_GUINT64_FORMAT,
                    file_size, image->kernel_offset + image->kernel_size);
        return false;
    }
    return true;
}

bool bzimage_parse(const void *head, size_t len, uint64_t file_size, BzImage *image, GError **error)
{
    const uint8_t *p = head;
    uint64_t preferred;

    if (len < MAGIC + 4 || memcmp(p + MAGIC, "HdrS", 4) != 0) {
        const char *kind = loader_kind(head, len);

        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX,
                    "is neither a bzImage (no 'HdrS' at 0x202) nor an ELF file, but %s",
                    kind != NULL ? kind : "something unknown");
        return false;
    }
    if (len < HEADER_END) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX, "ends inside its setup header");
        return false;
    }
    if (!check_flags(p, error) || !find_kernel(p, file_size, image, error)) {
        return false;
    }
    preferred = get_le64(p + PREF_ADDRESS);
    if (preferred > UINT32_MAX) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "has pref_address 0x%" G_GINT64_MODIFIER
                    "x in its setup header, which is above 4 GiB",
                    preferred);
        return false;
    }
    image->version = get_le16(p + VERSION);
    image->load = MAX(preferred, X86_KERNEL_LOW);
    image->memory_size = MAX(get_le32(p + INIT_SIZE), image->kernel_size);
    image->initrd_max = get_le32(p + INITRD_ADDR_MAX);
    image->cmdline_max = get_le32(p + CMDLINE_SIZE);
    image->header = p + BZIMAGE_HEADER;
    image->header_size =
        MIN(MIN((size_t)MAGIC + p[JUMP_LENGTH], BZIMAGE_HEADER_MAX), len) - BZIMAGE_HEADER;
    return true;
}
