/* SPDX-License-Identifier: GPL-2.0-or-later
 * Loads an image that the hypervisor authenticates: byte for byte, for its hashes are over the
 * file. A segment stands in memory where it stands in the file; what it needs behind its own bytes
 * is kept free. Signatures, hashes and the entry are the hypervisor's to read.
 */
#include "hw/arm/signed-image.h"

#include "util/elf.h"
#include "util/error.h"

enum {
    METADATA = 8192, /* header, program headers and hashes are in there */
    MAX_SEGMENTS = 100,
};

static bool refuse(GError **error, const char *what)
{
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX, "is no signed image: its ELF header %s",
                what);
    return false;
}

static bool read_head(const uint8_t *p, size_t len, ElfHead *head, GError **error)
{
    if (len < METADATA) {
        return refuse(error, "is not followed by 8192 bytes of metadata");
    }
    if (!elf_read_head(p, head)) {
        return refuse(error, "is neither a 32-bit nor a 64-bit little-endian one");
    }
    if (head->n == 0 || head->n > MAX_SEGMENTS || head->size != head->real_size ||
        head->table > METADATA || head->n * head->size > METADATA - head->table) {
        return refuse(error, "has no program headers within the first 8192 bytes");
    }
    return true;
}

/* The end of segment i in memory; UINT64_MAX: beyond all bounds. */
static uint64_t segment_end(const uint8_t *p, const ElfHead *head, unsigned i)
{
    ElfSegment s = elf_read_segment(p + head->table + i * head->size, head);
    uint64_t end;

    return __builtin_add_overflow(s.offset, MAX(s.file_size, s.memory_size), &end) ? UINT64_MAX
                                                                                   : end;
}

bool arm_signed_image_load(LoaderStream *stream, const LoaderDest *ram, uint64_t *used,
                           GError **error)
{
    g_autofree uint8_t *p = g_malloc(METADATA);
    uint64_t end = loader_size(stream), copied;
    ElfHead head;
    size_t got;

    if (!loader_peek(stream, 0, p, METADATA, &got, error) || !read_head(p, got, &head, error)) {
        return false;
    }
    for (unsigned i = 0; i < head.n; i++) {
        end = MAX(end, segment_end(p, &head, i));
    }
    if (end > ram->size) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "its segments reach 0x%" G_GINT64_MODIFIER
                    "x bytes far but there are %" G_GUINT64_FORMAT " MiB of memory (see -m)",
                    end, ram->size >> 20);
        return false;
    }
    if (!loader_copy(stream, ram, 0, loader_size(stream), &copied, error)) {
        return false;
    }
    *used = end;
    return true;
}
