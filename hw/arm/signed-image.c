/* SPDX-License-Identifier: GPL-2.0-or-later
 * Loads an image that the hypervisor authenticates: byte for byte, for its hashes are over the
 * file. A segment stands in memory where it stands in the file; what it needs behind its own bytes
 * is kept free. Signatures, hashes and the entry are the hypervisor's to read.
 */
#include "hw/arm/signed-image.h"

#include <elf.h>
#include <string.h>

#include "util/error.h"

enum {
    METADATA = 8192, /* header, program headers and hashes are in there */
    MAX_SEGMENTS = 100,
};

bool arm_signed_image_is(const void *head, size_t len)
{
    return len >= SELFMAG && memcmp(head, ELFMAG, SELFMAG) == 0;
}

static bool refuse(GError **error, const char *what)
{
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX, "is no signed image: its ELF header %s",
                what);
    return false;
}

typedef struct {
    uint64_t table;
    unsigned n;
    bool wide;
} Head;

static bool read_head(const uint8_t *p, size_t len, Head *head, GError **error)
{
    unsigned entry, wanted;

    if (len < METADATA) {
        return refuse(error, "is not followed by 8192 bytes of metadata");
    }
    if (p[EI_DATA] != ELFDATA2LSB || (p[EI_CLASS] != ELFCLASS32 && p[EI_CLASS] != ELFCLASS64)) {
        return refuse(error, "is neither a 32-bit nor a 64-bit little-endian one");
    }
    head->wide = p[EI_CLASS] == ELFCLASS64;
    if (head->wide) {
        Elf64_Ehdr e;

        memcpy(&e, p, sizeof(e));
        head->table = GUINT64_FROM_LE(e.e_phoff);
        head->n = GUINT16_FROM_LE(e.e_phnum);
        entry = GUINT16_FROM_LE(e.e_phentsize);
        wanted = sizeof(Elf64_Phdr);
    } else {
        Elf32_Ehdr e;

        memcpy(&e, p, sizeof(e));
        head->table = GUINT32_FROM_LE(e.e_phoff);
        head->n = GUINT16_FROM_LE(e.e_phnum);
        entry = GUINT16_FROM_LE(e.e_phentsize);
        wanted = sizeof(Elf32_Phdr);
    }
    if (head->n == 0 || head->n > MAX_SEGMENTS || entry != wanted || head->table > METADATA ||
        head->n * wanted > METADATA - head->table) {
        return refuse(error, "has no program headers within the first 8192 bytes");
    }
    return true;
}

/* The end of segment i in memory; UINT64_MAX: beyond all bounds. */
static uint64_t segment_end(const uint8_t *p, const Head *head, unsigned i)
{
    uint64_t offset, size, end;

    if (head->wide) {
        Elf64_Phdr h;

        memcpy(&h, p + head->table + i * sizeof(h), sizeof(h));
        offset = GUINT64_FROM_LE(h.p_offset);
        size = MAX(GUINT64_FROM_LE(h.p_filesz), GUINT64_FROM_LE(h.p_memsz));
    } else {
        Elf32_Phdr h;

        memcpy(&h, p + head->table + i * sizeof(h), sizeof(h));
        offset = GUINT32_FROM_LE(h.p_offset);
        size = MAX(GUINT32_FROM_LE(h.p_filesz), GUINT32_FROM_LE(h.p_memsz));
    }
    return __builtin_add_overflow(offset, size, &end) ? UINT64_MAX : end;
}

bool arm_signed_image_load(LoaderStream *stream, const LoaderDest *ram, uint64_t *used,
                           GError **error)
{
    g_autofree uint8_t *p = g_malloc(METADATA);
    uint64_t end = loader_size(stream), copied;
    Head head;
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
