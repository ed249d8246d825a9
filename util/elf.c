/* SPDX-License-Identifier: GPL-2.0-or-later
 * See elf.h.
 */
#include "util/elf.h"

#include <elf.h>
#include <string.h>

#include "util/bytes.h"

_Static_assert(ELF_HEAD_SIZE == sizeof(Elf64_Ehdr) && ELF_HEAD_SIZE >= sizeof(Elf32_Ehdr), "");
_Static_assert(ELF_SEGMENT_SIZE == sizeof(Elf64_Phdr) && ELF_SEGMENT_SIZE >= sizeof(Elf32_Phdr),
               "");

bool elf_is(const void *head, size_t len)
{
    return len >= SELFMAG && memcmp(head, ELFMAG, SELFMAG) == 0;
}

bool elf_read_head(const uint8_t *p, ElfHead *head)
{
    if (p[EI_DATA] != ELFDATA2LSB || (p[EI_CLASS] != ELFCLASS32 && p[EI_CLASS] != ELFCLASS64)) {
        return false;
    }
    head->wide = p[EI_CLASS] == ELFCLASS64;
    if (head->wide) {
        head->entry = get_le64(p + offsetof(Elf64_Ehdr, e_entry));
        head->table = get_le64(p + offsetof(Elf64_Ehdr, e_phoff));
        head->n = get_le16(p + offsetof(Elf64_Ehdr, e_phnum));
        head->size = get_le16(p + offsetof(Elf64_Ehdr, e_phentsize));
        head->real_size = sizeof(Elf64_Phdr);
    } else {
        head->entry = get_le32(p + offsetof(Elf32_Ehdr, e_entry));
        head->table = get_le32(p + offsetof(Elf32_Ehdr, e_phoff));
        head->n = get_le16(p + offsetof(Elf32_Ehdr, e_phnum));
        head->size = get_le16(p + offsetof(Elf32_Ehdr, e_phentsize));
        head->real_size = sizeof(Elf32_Phdr);
    }
    return true;
}

ElfSegment elf_read_segment(const uint8_t *p, const ElfHead *head)
{
    if (head->wide) {
        return (ElfSegment){
            .type = get_le32(p + offsetof(Elf64_Phdr, p_type)),
            .flags = get_le32(p + offsetof(Elf64_Phdr, p_flags)),
            .offset = get_le64(p + offsetof(Elf64_Phdr, p_offset)),
            .paddr = get_le64(p + offsetof(Elf64_Phdr, p_paddr)),
            .file_size = get_le64(p + offsetof(Elf64_Phdr, p_filesz)),
            .memory_size = get_le64(p + offsetof(Elf64_Phdr, p_memsz)),
            .align = get_le64(p + offsetof(Elf64_Phdr, p_align)),
        };
    }
    return (ElfSegment){
        .type = get_le32(p + offsetof(Elf32_Phdr, p_type)),
        .flags = get_le32(p + offsetof(Elf32_Phdr, p_flags)),
        .offset = get_le32(p + offsetof(Elf32_Phdr, p_offset)),
        .paddr = get_le32(p + offsetof(Elf32_Phdr, p_paddr)),
        .file_size = get_le32(p + offsetof(Elf32_Phdr, p_filesz)),
        .memory_size = get_le32(p + offsetof(Elf32_Phdr, p_memsz)),
        .align = get_le32(p + offsetof(Elf32_Phdr, p_align)),
    };
}
