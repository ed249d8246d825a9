/* SPDX-License-Identifier: GPL-2.0-or-later
 * The image is an ELF file as it is on disk. Its first 8192 bytes hold the header, the program
 * headers and the hash segment: a header of 32-bit words, metadata, and one SHA-256 or SHA-384 per
 * program header over the bytes that the file has for it. Signature and certificates follow; they
 * are not looked at.
 */
#include "rm-mdt.h"

#include <elf.h>
#include <string.h>

#include <linux/gunyah.h>

#include "util/bytes.h"
#include "util/elf.h"

enum {
    TYPE_SHIFT = 24, /* Qualcomm's segment type, in p_flags */
    TYPE_MASK = 7,
    TYPE_HASH = 2,
    MAX_SEGMENTS = 100,
    STEP = 1 << 20,

    /* Words of the hash segment's header. */
    WORD_VERSION = 1,
    WORD_V7_METADATA = 2, /* three sizes */
    WORD_TABLE_SIZE = 5,
    WORD_V6_METADATA = 10, /* two sizes */
    HEADER_SIZE = 40,
    HEADER_V6_SIZE = 48,
};

typedef struct {
    MdtRead read;
    void *opaque;
    uint64_t size;
    uint8_t bytes[GH_QTVM_METADATA_SIZE]; /* read once */
    ElfHead head;
    ElfSegment segments[MAX_SEGMENTS];
    char **cause;
} Image;

static bool bad(Image *image, const char *format, ...) G_GNUC_PRINTF(2, 3);

static bool bad(Image *image, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    *image->cause = g_strdup_vprintf(format, ap);
    va_end(ap);
    return false;
}

/* ---- ELF ---- */

static bool read_segments(Image *image)
{
    const ElfHead *head = &image->head;

    if (head->n == 0 || head->n > MAX_SEGMENTS || head->size != head->real_size ||
        head->table > GH_QTVM_METADATA_SIZE ||
        head->n * head->size > GH_QTVM_METADATA_SIZE - head->table) {
        return bad(image, "its program headers are not in the metadata");
    }
    for (unsigned i = 0; i < head->n; i++) {
        image->segments[i] = elf_read_segment(image->bytes + head->table + i * head->size, head);
    }
    return true;
}

static bool read_elf(Image *image)
{
    if (image->size < GH_QTVM_METADATA_SIZE ||
        !image->read(image->opaque, 0, image->bytes, sizeof(image->bytes))) {
        return bad(image, "it is too short, or cannot be read");
    }
    if (!elf_is(image->bytes, sizeof(image->bytes)) || !elf_read_head(image->bytes, &image->head)) {
        return bad(image, "it does not begin with a little-endian ELF header");
    }
    if (!read_segments(image)) {
        return false;
    }
    for (unsigned i = 0; i < image->head.n; i++) {
        const ElfSegment *s = &image->segments[i];

        if (s->offset > image->size ||
            MAX(s->file_size, s->memory_size) > image->size - s->offset) {
            return bad(image, "segment %u is not inside it", i);
        }
    }
    return true;
}

/* ---- hashes ---- */

static const ElfSegment *find_hashes(Image *image)
{
    const ElfSegment *found = NULL;

    for (unsigned i = 0; i < image->head.n; i++) {
        const ElfSegment *s = &image->segments[i];

        if ((s->flags >> TYPE_SHIFT & TYPE_MASK) != TYPE_HASH) {
            continue;
        }
        if (found || s->file_size < HEADER_V6_SIZE || s->offset > GH_QTVM_METADATA_SIZE ||
            s->file_size > GH_QTVM_METADATA_SIZE - s->offset) {
            bad(image, "it has more than one hash segment, or one that is not in the metadata");
            return NULL;
        }
        found = s;
    }
    if (!found) {
        bad(image, "it has no hash segment");
    }
    return found;
}

/* The table's place in the hash segment; FALSE: none is there. */
static bool find_table(Image *image, const ElfSegment *hashes, const uint8_t **table,
                       uint32_t *size)
{
    const uint8_t *head = image->bytes + hashes->offset;
    const uint32_t version = get_le32(head + 4 * WORD_VERSION);
    uint64_t at = version == 6 ? HEADER_V6_SIZE : HEADER_SIZE;

    if (version != 3 && (version < 5 || version > 7)) {
        return bad(image, "its hash segment is of version %u, not 3, 5, 6 or 7", version);
    }
    for (unsigned i = 0; i < 3 && version == 7; i++) {
        at += get_le32(head + 4 * (WORD_V7_METADATA + i));
    }
    for (unsigned i = 0; i < 2 && version == 6; i++) {
        at += get_le32(head + 4 * (WORD_V6_METADATA + i));
    }
    *size = get_le32(head + 4 * WORD_TABLE_SIZE);
    if (at > hashes->file_size || *size > hashes->file_size - at) {
        return bad(image, "its table of hashes is not inside the hash segment");
    }
    *table = head + at;
    return true;
}

static bool add_bytes(Image *image, const ElfSegment *s, GChecksum *sum)
{
    g_autofree uint8_t *buf = g_malloc(STEP);

    for (uint64_t at = 0; at < s->file_size; at += STEP) {
        const size_t n = MIN(s->file_size - at, STEP);

        if (!image->read(image->opaque, s->offset + at, buf, n)) {
            return bad(image, "it cannot be read");
        }
        g_checksum_update(sum, buf, (gssize)n);
    }
    return true;
}

static bool check_hashes(Image *image, const ElfSegment *hashes)
{
    const uint8_t *table = NULL;
    GChecksumType kind;
    uint32_t size = 0;
    gsize len;

    if (!find_table(image, hashes, &table, &size)) {
        return false;
    }
    kind = size == image->head.n * 32 ? G_CHECKSUM_SHA256 : G_CHECKSUM_SHA384;
    len = (gsize)g_checksum_type_get_length(kind);
    if (size != image->head.n * len) {
        return bad(image, "its table of hashes has %u bytes for %u segments", size, image->head.n);
    }
    for (unsigned i = 0; i < image->head.n; i++) {
        const ElfSegment *s = &image->segments[i];
        g_autoptr(GChecksum) sum = g_checksum_new(kind);
        uint8_t digest[48];
        gsize got = sizeof(digest);

        if (s == hashes || s->file_size == 0) {
            continue;
        }
        if (!add_bytes(image, s, sum)) {
            return false;
        }
        g_checksum_get_digest(sum, digest, &got);
        if (memcmp(digest, table + i * len, len) != 0) {
            return bad(image, "segment %u has another hash than the metadata says", i);
        }
    }
    return true;
}

/* The header with the entry in it must be vouched for, too. */
static bool check_head(Image *image)
{
    for (unsigned i = 0; i < image->head.n; i++) {
        if (image->segments[i].offset == 0 && image->segments[i].file_size >= sizeof(Elf32_Ehdr)) {
            return true;
        }
    }
    return bad(image, "no segment holds its ELF header");
}

static bool find_entry(Image *image, uint64_t *entry)
{
    for (unsigned i = 0; i < image->head.n; i++) {
        const ElfSegment *s = &image->segments[i];

        if (s->type == PT_LOAD && image->head.entry >= s->paddr &&
            image->head.entry - s->paddr < s->file_size) {
            *entry = s->offset + (image->head.entry - s->paddr);
            return true;
        }
    }
    return bad(image, "its entry is in none of its segments");
}

bool mdt_check(MdtRead read, void *opaque, uint64_t size, uint64_t *entry, char **cause)
{
    Image image = { .read = read, .opaque = opaque, .size = size, .cause = cause };
    const ElfSegment *hashes;

    if (!read_elf(&image) || !check_head(&image)) {
        return false;
    }
    hashes = find_hashes(&image);
    return hashes && check_hashes(&image, hashes) && find_entry(&image, entry);
}
