/* SPDX-License-Identifier: GPL-2.0-or-later
 * ELF files with a PVH entry: a note of Xen's says at which physical address they want to be
 * started in 32-bit mode. 32 and 64 bit files differ in the layout of their headers only.
 */
#include <elf.h>
#include <string.h>

#include "hw/i386/kernel.h"
#include "util/bytes.h"
#include "util/elf.h"
#include "util/error.h"

enum {
    XEN_PHYS32_ENTRY = 18, /* XEN_ELFNOTE_PHYS32_ENTRY */
    MAX_HEADERS = 256,
    MAX_NOTES = 64 << 10, /* bytes of one PT_NOTE that are looked at */
};

typedef struct {
    LoaderStream *stream;
    ElfHead head;
} Elf;

static bool fail(GError **error, int code, const char *fmt, ...) G_GNUC_PRINTF(3, 4);

static bool fail(GError **error, int code, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    g_propagate_error(error, g_error_new_valist(HUMPY_ERROR, code, fmt, ap));
    va_end(ap);
    return false;
}

static bool check_ident(const uint8_t *p, Elf *elf, GError **error)
{
    unsigned machine = get_le16(p + G_STRUCT_OFFSET(Elf32_Ehdr, e_machine)); /* in both at 18 */

    if (!elf_read_head(p, &elf->head)) {
        return fail(error, HUMPY_ERROR_SYNTAX,
                    "is an ELF file of class %u and byte order %u; a little-endian one of 32 or 64 "
                    "bits is needed",
                    p[EI_CLASS], p[EI_DATA]);
    }
    if (machine != EM_386 && machine != EM_X86_64) {
        return fail(error, HUMPY_ERROR_SYNTAX, "is an ELF file for machine type %u, not for x86",
                    machine);
    }
    return true;
}

static bool read_start(Elf *elf, GError **error)
{
    const ElfHead *head = &elf->head;
    uint8_t p[ELF_HEAD_SIZE] = {};
    size_t got;

    if (!loader_peek(elf->stream, 0, p, sizeof(p), &got, error)) {
        return false;
    }
    if (!elf_is(p, got) || got < sizeof(Elf32_Ehdr)) {
        return fail(error, HUMPY_ERROR_SYNTAX, "ends inside its ELF header");
    }
    if (!check_ident(p, elf, error)) {
        return false;
    }
    if (head->n == 0 || head->n > MAX_HEADERS || head->size < head->real_size) {
        return fail(error, HUMPY_ERROR_SYNTAX,
                    "has %u program headers of %u bytes; 1 to %d of at least %u are needed",
                    head->n, head->size, MAX_HEADERS, head->real_size);
    }
    return true;
}

static bool read_header(const Elf *elf, unsigned i, ElfSegment *h, GError **error)
{
    uint8_t p[ELF_SEGMENT_SIZE];
    size_t want = elf->head.real_size, got = 0;
    uint64_t at = elf->head.table + (uint64_t)i * elf->head.size;

    if (at >= elf->head.table && !loader_peek(elf->stream, at, p, want, &got, error)) {
        return false;
    }
    if (got < want) {
        return fail(error, HUMPY_ERROR_RANGE, "ends before its program header %u", i);
    }
    *h = elf_read_segment(p, &elf->head);
    if (h->offset > loader_size(elf->stream) ||
        h->file_size > loader_size(elf->stream) - h->offset) {
        if (h->type != PT_LOAD && h->type != PT_NOTE) {
            return true; /* of no interest here */
        }
        return fail(error, HUMPY_ERROR_RANGE, "is cut short: program header %u is about more", i);
    }
    return true;
}

/* ---- notes ---- */

static uint64_t align_up(uint64_t value, uint64_t align)
{
    return (value + align - 1) & ~(align - 1);
}

/* TRUE: the entry was among the len bytes of notes. */
static bool search_notes(const uint8_t *p, size_t len, unsigned align, uint64_t *entry)
{
    enum { NOTE = 12 };
    size_t at = 0;

    while (len - at >= NOTE) {
        uint32_t name_size = get_le32(p + at), desc_size = get_le32(p + at + 4);
        uint64_t desc = align_up(at + NOTE + (uint64_t)name_size, align);
        uint64_t next = align_up(desc + desc_size, align);

        if (desc + desc_size > len) {
            return false;
        }
        if (get_le32(p + at + 8) == XEN_PHYS32_ENTRY && name_size == 4 &&
            memcmp(p + at + NOTE, "Xen", 4) == 0 && desc_size >= 4) {
            *entry = desc_size >= 8 ? get_le64(p + desc) : get_le32(p + desc);
            return true;
        }
        if (next >= len) {
            return false;
        }
        at = next;
    }
    return false;
}

/* FALSE: could not be read. *found says whether the entry is known now. */
static bool read_notes(const Elf *elf, const ElfSegment *h, uint64_t *entry, bool *found,
                       GError **error)
{
    size_t len = MIN(h->file_size, (uint64_t)MAX_NOTES), got;
    g_autofree uint8_t *notes = g_malloc(len + 1);

    if (!loader_peek(elf->stream, h->offset, notes, len, &got, error)) {
        return false;
    }
    *found = search_notes(notes, got, h->align == 8 ? 8 : 4, entry);
    return true;
}

/* ---- segments ---- */

static bool add_segment(PvhImage *image, const ElfSegment *h, unsigned i, GError **error)
{
    if (h->memory_size == 0) {
        return true;
    }
    if (h->file_size > h->memory_size || h->paddr > UINT64_MAX - h->memory_size) {
        return fail(error, HUMPY_ERROR_SYNTAX,
                    "has a program header %u of 0x%" G_GINT64_MODIFIER
                    "x bytes for 0x%" G_GINT64_MODIFIER "x bytes at 0x%" G_GINT64_MODIFIER "x",
                    i, h->file_size, h->memory_size, h->paddr);
    }
    if (h->paddr < X86_KERNEL_LOW) {
        return fail(error, HUMPY_ERROR_RANGE,
                    "wants to be loaded at 0x%" G_GINT64_MODIFIER "x; kernels start from 0x%x on",
                    h->paddr, X86_KERNEL_LOW);
    }
    if (image->n == PVH_MAX_SEGMENTS) {
        return fail(error, HUMPY_ERROR_RANGE, "has more than %d segments", PVH_MAX_SEGMENTS);
    }
    image->segment[image->n++] = (PvhSegment){ h->offset, h->file_size, h->paddr, h->memory_size };
    image->start = image->n == 1 ? h->paddr : MIN(image->start, h->paddr);
    image->end = MAX(image->end, h->paddr + h->memory_size);
    return true;
}

static bool check_entry(PvhImage *image, uint64_t entry, GError **error)
{
    for (unsigned i = 0; i < image->n; i++) {
        const PvhSegment *s = &image->segment[i];

        if (entry >= s->addr && entry - s->addr < s->memory_size && entry <= UINT32_MAX) {
            image->entry = entry;
            return true;
        }
    }
    return fail(error, HUMPY_ERROR_RANGE,
                "has its PVH entry at 0x%" G_GINT64_MODIFIER "x, where it loads nothing%s", entry,
                entry > UINT32_MAX ? " (above 4 GiB)" : "");
}

bool pvh_parse(LoaderStream *stream, PvhImage *image, GError **error)
{
    Elf elf = { .stream = stream };
    uint64_t entry = 0;
    bool found = false;

    *image = (PvhImage){};
    if (!read_start(&elf, error)) {
        return false;
    }
    for (unsigned i = 0; i < elf.head.n; i++) {
        ElfSegment h = {};

        if (!read_header(&elf, i, &h, error) ||
            (h.type == PT_LOAD && !add_segment(image, &h, i, error)) ||
            (h.type == PT_NOTE && !found && !read_notes(&elf, &h, &entry, &found, error))) {
            return false;
        }
    }
    if (!found) {
        return fail(error, HUMPY_ERROR_UNSUPPORTED,
                    "is an ELF file without a PVH entry (Linux: CONFIG_PVH; a bzImage will do, "
                    "too)");
    }
    return check_entry(image, entry, error);
}
