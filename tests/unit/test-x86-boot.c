/* SPDX-License-Identifier: GPL-2.0-or-later
 * Loading x86 kernels: each check of a bzImage's setup header (Documentation/arch/x86/boot.rst) and
 * of an ELF file with a PVH entry, and what is in guest memory and registers afterwards. Expected
 * values are written out from those documents, not taken from hw/i386/.
 */
#include <elf.h>
#include <glib/gstdio.h>
#include <string.h>

#include "hw/i386/boot.h"
#include "hw/i386/kernel.h"
#include "util/error.h"

enum { MIB = 1 << 20, RAM = 32 * MIB, SETUP = 5 * 512, BODY = 4096, FILE_MAX = 64 << 10 };

typedef struct {
    uint8_t file[FILE_MAX];
    size_t len;
    uint8_t *ram;
    char *dir, *kernel, *initrd;
    MachineConfig config;
    X86MemMap map;
    X86BootRequest req;
    AccelX86State state;
} Bench;

static void put(uint8_t *p, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++) {
        p[i] = value >> 8 * i;
    }
}

static uint64_t get(const uint8_t *p, unsigned size)
{
    uint64_t value = 0;

    for (unsigned i = size; i-- > 0;) {
        value = value << 8 | p[i];
    }
    return value;
}

/* A bzImage of four setup sectors and BODY bytes that says it takes 64 KiB at 16 MiB. */
static void make_bzimage(Bench *b)
{
    memset(b->file, 0, sizeof(b->file));
    b->file[0x1f1] = 4;
    put(b->file + 0x1f4, BODY / 16, 4);
    put(b->file + 0x1fe, 0xaa55, 2);
    put(b->file + 0x200, 0x66eb, 2); /* jump: the header ends at 0x268 */
    memcpy(b->file + 0x202, "HdrS", 4);
    put(b->file + 0x206, 0x020f, 2);
    b->file[0x211] = 1;
    put(b->file + 0x22c, 0x7fffffff, 4);
    b->file[0x234] = 1;
    put(b->file + 0x238, 2047, 4);
    put(b->file + 0x258, 16 * MIB, 8);
    put(b->file + 0x260, 64 << 10, 4);
    memset(b->file + SETUP, 0x5a, BODY);
    b->len = SETUP + BODY;
}

/* One segment of 32 bytes, 64 in memory, at 1 MiB, and one note with the entry at 0x100010. */
static void make_elf64(Bench *b)
{
    Elf64_Ehdr *e = (Elf64_Ehdr *)b->file;
    Elf64_Phdr *p = (Elf64_Phdr *)(b->file + 64);
    uint8_t *note = b->file + 0x200;

    memset(b->file, 0, sizeof(b->file));
    *e = (Elf64_Ehdr){ .e_type = ET_EXEC,
                       .e_machine = EM_X86_64,
                       .e_phoff = 64,
                       .e_phentsize = sizeof(*p),
                       .e_phnum = 2 };
    memcpy(e->e_ident, "\177ELF\2\1\1", 7);
    p[0] = (Elf64_Phdr){
        .p_type = PT_LOAD, .p_offset = 0x300, .p_paddr = MIB, .p_filesz = 32, .p_memsz = 64
    };
    p[1] = (Elf64_Phdr){ .p_type = PT_NOTE, .p_offset = 0x200, .p_filesz = 24, .p_align = 4 };
    put(note, 4, 4);
    put(note + 4, 8, 4);
    put(note + 8, 18, 4);
    memcpy(note + 12, "Xen", 4);
    put(note + 16, MIB + 0x10, 8);
    memset(b->file + 0x300, 0x6b, 32);
    b->len = 0x320;
}

static void make_elf32(Bench *b)
{
    Elf32_Ehdr *e = (Elf32_Ehdr *)b->file;
    Elf32_Phdr *p = (Elf32_Phdr *)(b->file + 64);

    make_elf64(b);
    memset(b->file, 0, 0x200);
    *e = (Elf32_Ehdr){ .e_type = ET_EXEC,
                       .e_machine = EM_386,
                       .e_phoff = 64,
                       .e_phentsize = sizeof(*p),
                       .e_phnum = 2 };
    memcpy(e->e_ident, "\177ELF\1\1\1", 7);
    p[0] = (Elf32_Phdr){
        .p_type = PT_LOAD, .p_offset = 0x300, .p_paddr = MIB, .p_filesz = 32, .p_memsz = 64
    };
    p[1] = (Elf32_Phdr){ .p_type = PT_NOTE, .p_offset = 0x200, .p_filesz = 20, .p_align = 4 };
    put(b->file + 0x200 + 4, 4, 4); /* the entry is four bytes */
}

static Elf64_Phdr *phdr(Bench *b, unsigned n)
{
    return (Elf64_Phdr *)(b->file + 64) + n;
}

static void set_up(Bench *b, gconstpointer data)
{
    b->dir = g_dir_make_tmp("x86-boot-XXXXXX", NULL);
    b->kernel = g_build_filename(b->dir, "kernel", NULL);
    b->initrd = g_build_filename(b->dir, "initrd", NULL);
    b->ram = g_malloc(RAM);
    memset(b->ram, 0xee, RAM);
    b->config = (MachineConfig){ .kernel = b->kernel };
    x86_memmap_add(&b->map, 0, 0x9fc00, X86_MEM_RAM);
    x86_memmap_add(&b->map, 0xe0000, 0, X86_MEM_RESERVED);
    x86_memmap_add(&b->map, MIB, RAM - MIB, X86_MEM_RAM);
    b->req = (X86BootRequest){ .config = &b->config,
                               .append = "console=ttyS0",
                               .ram = { b->ram, -1, RAM },
                               .map = &b->map,
                               .rsdp = 0xe0000 };
    make_bzimage(b);
}

static void tear_down(Bench *b, gconstpointer data)
{
    g_unlink(b->kernel);
    g_unlink(b->initrd);
    g_rmdir(b->dir);
    g_free(b->kernel);
    g_free(b->initrd);
    g_free(b->dir);
    g_free(b->ram);
}

static bool load(Bench *b, GError **error)
{
    g_assert_true(g_file_set_contents(b->kernel, (char *)b->file, b->len, NULL));
    return x86_boot_load(&b->req, &b->state, error);
}

static void loads(Bench *b)
{
    g_autoptr(GError) error = NULL;

    load(b, &error);
    g_assert_no_error(error);
}

/* The message has option and text in it and is one line. */
static void fails(Bench *b, int code, const char *option, const char *text)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(load(b, &error));
    g_assert_error(error, HUMPY_ERROR, code);
    g_test_message("%s", error->message);
    g_assert_true(g_str_has_prefix(error->message, option));
    g_assert_nonnull(strstr(error->message, text));
    g_assert_null(strchr(error->message, '\n'));
}

static void make_initrd(Bench *b, size_t size)
{
    g_autofree char *data = g_malloc(size + 1);

    memset(data, 0x77, size);
    g_assert_true(g_file_set_contents(b->initrd, data, size, NULL));
    b->config.initrd = b->initrd;
}

static void check_flat_segments(Bench *b)
{
    const AccelX86State *s = &b->state;
    const uint8_t *gdt = b->ram + s->gdt_base;

    g_assert_cmphex(s->cs.limit, ==, UINT32_MAX);
    g_assert_cmphex(s->cs.attributes, ==, 0xc09b);
    g_assert_cmphex(s->data.limit, ==, UINT32_MAX);
    g_assert_cmphex(s->data.attributes, ==, 0xc093);
    g_assert_cmphex(s->cr0 & 1, ==, 1);
    g_assert_cmphex(s->cr0 & 0x80000000, ==, 0);
    g_assert_cmphex(get(gdt + s->cs.selector, 8), ==, 0x00cf9b000000ffff);
    g_assert_cmphex(get(gdt + s->data.selector, 8), ==, 0x00cf93000000ffff);
    g_assert_cmpuint(s->gdt_limit, >=, s->tr.selector + 7);
}

/* ---- bzImage ---- */

static void bz_registers(Bench *b, gconstpointer data)
{
    loads(b);
    g_assert_cmphex(b->state.rip, ==, 16 * MIB);
    g_assert_cmphex(b->state.rbx, ==, 0);
    g_assert_cmphex(b->state.cs.selector, ==, 0x10);
    g_assert_cmphex(b->state.data.selector, ==, 0x18);
    check_flat_segments(b);
    g_assert_cmphex(b->ram[16 * MIB], ==, 0x5a);
    g_assert_cmphex(b->ram[16 * MIB + BODY - 1], ==, 0x5a);
    g_assert_cmphex(b->ram[16 * MIB + BODY], ==, 0xee);
}

static void bz_zero_page(Bench *b, gconstpointer data)
{
    const uint8_t *zp;

    make_initrd(b, 5000);
    loads(b);
    zp = b->ram + b->state.rsi;
    g_assert_cmpmem(zp + 0x202, 4, "HdrS", 4);
    g_assert_cmphex(get(zp + 0x206, 2), ==, 0x20f);
    g_assert_cmphex(zp[0x210], ==, 0xff);
    g_assert_cmphex(get(zp + 0x070, 8), ==, 0xe0000);
    g_assert_cmpstr((char *)b->ram + get(zp + 0x228, 4), ==, "console=ttyS0");
    g_assert_cmphex(zp[0x1ef], ==, 0); /* sentinel: we filled it in ourselves */
    g_assert_cmpuint(zp[0x1e8], ==, 2);
    g_assert_cmphex(get(zp + 0x2d0 + 20, 8), ==, MIB);
    g_assert_cmphex(get(zp + 0x2d0 + 28, 8), ==, RAM - MIB);
    g_assert_cmphex(get(zp + 0x2d0 + 36, 4), ==, 1);
    g_assert_cmpuint(get(zp + 0x21c, 4), ==, 5000);
    g_assert_cmphex(get(zp + 0x218, 4), ==, RAM - 8192);
    g_assert_cmphex(b->ram[RAM - 8192], ==, 0x77);
}

/* Only what the header's own length says is copied. */
static void bz_header_length(Bench *b, gconstpointer data)
{
    b->file[0x268] = 0x99;
    b->file[0x267] = 0x88;
    loads(b);
    g_assert_cmphex(b->ram[b->state.rsi + 0x267], ==, 0x88);
    g_assert_cmphex(b->ram[b->state.rsi + 0x268], ==, 0);
}

static void bz_initrd_limit(Bench *b, gconstpointer data)
{
    put(b->file + 0x22c, 24 * MIB - 1, 4);
    make_initrd(b, 4096);
    loads(b);
    g_assert_cmphex(get(b->ram + b->state.rsi + 0x218, 4), ==, 24 * MIB - 4096);
}

static void bz_low_preference(Bench *b, gconstpointer data)
{
    put(b->file + 0x258, 0, 8);
    loads(b);
    g_assert_cmphex(b->state.rip, ==, MIB);
}

static void bz_default_setup_sectors(Bench *b, gconstpointer data)
{
    b->file[0x1f1] = 0;
    loads(b);
    g_assert_cmphex(b->ram[16 * MIB], ==, 0x5a);
}

static void bz_again(Bench *b, gconstpointer data)
{
    AccelX86State first;

    loads(b);
    first = b->state;
    memset(b->ram, 0xdd, RAM);
    loads(b);
    g_assert_cmpmem(&b->state, sizeof(first), &first, sizeof(first));
    g_assert_cmphex(b->ram[16 * MIB], ==, 0x5a);
}

static void bz_bad_magic(Bench *b, gconstpointer data)
{
    b->file[0x205] = 's';
    fails(b, HUMPY_ERROR_SYNTAX, "-kernel ", "no 'HdrS' at 0x202");
}

static void bz_other_kind(Bench *b, gconstpointer data)
{
    memset(b->file, 0, b->len);
    memcpy(b->file + 56, "ARM\x64", 4);
    fails(b, HUMPY_ERROR_SYNTAX, "-kernel ", "but an arm64 Image");
}

static void bz_empty(Bench *b, gconstpointer data)
{
    b->len = 0;
    fails(b, HUMPY_ERROR_SYNTAX, "-kernel ", "an empty file");
}

static void bz_short_header(Bench *b, gconstpointer data)
{
    b->len = 0x240;
    fails(b, HUMPY_ERROR_SYNTAX, "-kernel ", "ends inside its setup header");
}

static void bz_boot_flag(Bench *b, gconstpointer data)
{
    b->file[0x1fe] = 0;
    fails(b, HUMPY_ERROR_SYNTAX, "-kernel ", "0xaa00");
}

static void bz_old_version(Bench *b, gconstpointer data)
{
    put(b->file + 0x206, 0x0209, 2);
    fails(b, HUMPY_ERROR_UNSUPPORTED, "-kernel ", "boot protocol 2.09");
}

static void bz_zimage(Bench *b, gconstpointer data)
{
    b->file[0x211] = 0;
    fails(b, HUMPY_ERROR_UNSUPPORTED, "-kernel ", "zImage");
}

static void bz_not_relocatable(Bench *b, gconstpointer data)
{
    b->file[0x234] = 0;
    fails(b, HUMPY_ERROR_UNSUPPORTED, "-kernel ", "not relocatable");
}

static void bz_cut(Bench *b, gconstpointer data)
{
    b->len--;
    fails(b, HUMPY_ERROR_RANGE, "-kernel ", "is cut short");
}

static void bz_no_body(Bench *b, gconstpointer data)
{
    put(b->file + 0x1f4, 0, 4);
    fails(b, HUMPY_ERROR_SYNTAX, "-kernel ", "0 bytes");
}

static void bz_too_large(Bench *b, gconstpointer data)
{
    put(b->file + 0x260, 16 * MIB + 1, 4);
    fails(b, HUMPY_ERROR_RANGE, "-kernel ", "needs 16385 KiB of memory from 0x1000000 on");
}

static void bz_exact_fit(Bench *b, gconstpointer data)
{
    put(b->file + 0x260, 16 * MIB, 4);
    loads(b);
}

static void bz_high_preference(Bench *b, gconstpointer data)
{
    put(b->file + 0x258, UINT64_MAX - 100, 8);
    fails(b, HUMPY_ERROR_RANGE, "-kernel ", "pref_address");
}

static void bz_cmdline_limit(Bench *b, gconstpointer data)
{
    g_autofree char *text = g_strnfill(2048, 'x');

    b->req.append = text + 1;
    loads(b);
    b->req.append = text;
    fails(b, HUMPY_ERROR_RANGE, "-append: ", "2048 bytes, but the kernel takes at most 2047");
}

static void bz_initrd_too_large(Bench *b, gconstpointer data)
{
    make_initrd(b, 16 * MIB);
    fails(b, HUMPY_ERROR_RANGE, "-initrd ", "do not fit between the kernel");
}

static void bz_initrd_missing(Bench *b, gconstpointer data)
{
    b->config.initrd = b->initrd;
    fails(b, HUMPY_ERROR_HOST, "-initrd ", "No such file");
}

/* ---- PVH ---- */

static void pvh_registers(Bench *b, gconstpointer data)
{
    make_elf64(b);
    loads(b);
    g_assert_cmphex(b->state.rip, ==, MIB + 0x10);
    check_flat_segments(b);
    g_assert_cmphex(b->state.cr0 & ~UINT64_C(0x10), ==, 1); /* ET cannot be cleared */
    g_assert_cmphex(b->state.tr.limit, ==, 0x67);
    g_assert_cmphex(b->state.tr.attributes, ==, 0x8b);
}

static void pvh_start_info(Bench *b, gconstpointer data)
{
    const uint8_t *si, *module, *memmap;

    make_elf64(b);
    make_initrd(b, 100);
    loads(b);
    si = b->ram + b->state.rbx;
    g_assert_cmphex(get(si, 4), ==, 0x336ec578);
    g_assert_cmpuint(get(si + 4, 4), ==, 1);
    g_assert_cmpuint(get(si + 8, 4), ==, 0);
    g_assert_cmpuint(get(si + 12, 4), ==, 1);
    module = b->ram + get(si + 16, 8);
    g_assert_cmphex(get(module, 8), ==, RAM - 4096);
    g_assert_cmpuint(get(module + 8, 8), ==, 100);
    g_assert_cmpstr((char *)b->ram + get(si + 24, 8), ==, "console=ttyS0");
    g_assert_cmphex(get(si + 32, 8), ==, 0xe0000);
    g_assert_cmpuint(get(si + 48, 4), ==, 2);
    memmap = b->ram + get(si + 40, 8);
    g_assert_cmphex(get(memmap + 24, 8), ==, MIB);
    g_assert_cmphex(get(memmap + 32, 8), ==, RAM - MIB);
    g_assert_cmpuint(get(memmap + 40, 4), ==, 1);
}

/* What is not in the file is zero, also where something was before. */
static void pvh_zeroes(Bench *b, gconstpointer data)
{
    make_elf64(b);
    loads(b);
    g_assert_cmphex(b->ram[MIB + 31], ==, 0x6b);
    g_assert_cmphex(b->ram[MIB + 32], ==, 0);
    g_assert_cmphex(b->ram[MIB + 63], ==, 0);
    g_assert_cmphex(b->ram[MIB + 64], ==, 0xee);
}

static void pvh_elf32(Bench *b, gconstpointer data)
{
    make_elf32(b);
    loads(b);
    g_assert_cmphex(b->state.rip, ==, MIB + 0x10);
    g_assert_cmphex(b->ram[MIB], ==, 0x6b);
}

static void pvh_note_behind_others(Bench *b, gconstpointer data)
{
    make_elf64(b);
    memmove(b->file + 0x214, b->file + 0x200, 24);
    memset(b->file + 0x200, 0, 20);
    put(b->file + 0x200, 3, 4); /* name "ab", 4 bytes of description, type 7 */
    put(b->file + 0x204, 4, 4);
    put(b->file + 0x208, 7, 4);
    phdr(b, 1)->p_filesz = 0x14 + 24;
    loads(b);
    g_assert_cmphex(b->state.rip, ==, MIB + 0x10);
}

static void pvh_no_note(Bench *b, gconstpointer data)
{
    make_elf64(b);
    b->file[0x208] = 6;
    fails(b, HUMPY_ERROR_UNSUPPORTED, "-kernel ", "without a PVH entry");
}

static void pvh_note_too_long(Bench *b, gconstpointer data)
{
    make_elf64(b);
    put(b->file + 0x204, UINT32_MAX, 4);
    fails(b, HUMPY_ERROR_UNSUPPORTED, "-kernel ", "without a PVH entry");
}

static void pvh_wrong_machine(Bench *b, gconstpointer data)
{
    make_elf64(b);
    b->file[18] = EM_AARCH64;
    fails(b, HUMPY_ERROR_SYNTAX, "-kernel ", "machine type 183");
}

static void pvh_wrong_class(Bench *b, gconstpointer data)
{
    make_elf64(b);
    b->file[EI_DATA] = ELFDATA2MSB;
    fails(b, HUMPY_ERROR_SYNTAX, "-kernel ", "byte order 2");
}

static void pvh_short(Bench *b, gconstpointer data)
{
    make_elf64(b);
    b->len = 20;
    fails(b, HUMPY_ERROR_SYNTAX, "-kernel ", "ends inside its ELF header");
}

static void pvh_headers_outside(Bench *b, gconstpointer data)
{
    make_elf64(b);
    put(b->file + 32, UINT64_MAX - 8, 8);
    fails(b, HUMPY_ERROR_RANGE, "-kernel ", "program header 0");
}

static void pvh_no_headers(Bench *b, gconstpointer data)
{
    make_elf64(b);
    put(b->file + 56, 0, 2);
    fails(b, HUMPY_ERROR_SYNTAX, "-kernel ", "0 program headers");
}

static void pvh_segment_outside(Bench *b, gconstpointer data)
{
    make_elf64(b);
    phdr(b, 0)->p_offset = b->len - 31;
    fails(b, HUMPY_ERROR_RANGE, "-kernel ", "is cut short");
}

static void pvh_file_larger_than_memory(Bench *b, gconstpointer data)
{
    make_elf64(b);
    phdr(b, 0)->p_memsz = 31;
    fails(b, HUMPY_ERROR_SYNTAX, "-kernel ", "0x20 bytes for 0x1f bytes");
}

static void pvh_wraps(Bench *b, gconstpointer data)
{
    make_elf64(b);
    phdr(b, 0)->p_paddr = UINT64_MAX - 40;
    fails(b, HUMPY_ERROR_SYNTAX, "-kernel ", "program header 0");
}

static void pvh_low(Bench *b, gconstpointer data)
{
    make_elf64(b);
    phdr(b, 0)->p_paddr = 0xfffff;
    fails(b, HUMPY_ERROR_RANGE, "-kernel ", "wants to be loaded at 0xfffff");
}

static void pvh_too_large(Bench *b, gconstpointer data)
{
    make_elf64(b);
    phdr(b, 0)->p_memsz = RAM;
    fails(b, HUMPY_ERROR_RANGE, "-kernel ", "needs memory up to 0x2100000");
}

static void pvh_entry_outside(Bench *b, gconstpointer data)
{
    make_elf64(b);
    put(b->file + 0x210, MIB + 64, 8);
    fails(b, HUMPY_ERROR_RANGE, "-kernel ", "where it loads nothing");
}

static void no_file(Bench *b, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(x86_boot_load(&b->req, &b->state, &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST);
    g_assert_true(g_str_has_prefix(error->message, "-kernel "));
}

static void add(const char *name, void (*fn)(Bench *, gconstpointer))
{
    g_autofree char *path = g_strconcat("/x86-boot/", name, NULL);

    g_test_add(path, Bench, NULL, set_up, fn, tear_down);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add("bzimage/starts-where-it-prefers", bz_registers);
    add("bzimage/zero-page", bz_zero_page);
    add("bzimage/copies-its-header-only", bz_header_length);
    add("bzimage/initrd-below-its-limit", bz_initrd_limit);
    add("bzimage/never-below-1-MiB", bz_low_preference);
    add("bzimage/no-setup-sectors-means-four", bz_default_setup_sectors);
    add("bzimage/boots-again", bz_again);
    add("bzimage/exact-fit", bz_exact_fit);
    add("bzimage/refuses/magic", bz_bad_magic);
    add("bzimage/refuses/other-kind", bz_other_kind);
    add("bzimage/refuses/empty", bz_empty);
    add("bzimage/refuses/short-header", bz_short_header);
    add("bzimage/refuses/boot-flag", bz_boot_flag);
    add("bzimage/refuses/old-version", bz_old_version);
    add("bzimage/refuses/zimage", bz_zimage);
    add("bzimage/refuses/not-relocatable", bz_not_relocatable);
    add("bzimage/refuses/cut-short", bz_cut);
    add("bzimage/refuses/no-kernel", bz_no_body);
    add("bzimage/refuses/too-large", bz_too_large);
    add("bzimage/refuses/preference-above-4-GiB", bz_high_preference);
    add("bzimage/refuses/long-command-line", bz_cmdline_limit);
    add("bzimage/refuses/large-initrd", bz_initrd_too_large);
    add("bzimage/refuses/missing-initrd", bz_initrd_missing);
    add("pvh/registers", pvh_registers);
    add("pvh/start-info", pvh_start_info);
    add("pvh/zeroes-the-rest", pvh_zeroes);
    add("pvh/elf32", pvh_elf32);
    add("pvh/note-behind-others", pvh_note_behind_others);
    add("pvh/refuses/no-note", pvh_no_note);
    add("pvh/refuses/note-too-long", pvh_note_too_long);
    add("pvh/refuses/machine", pvh_wrong_machine);
    add("pvh/refuses/byte-order", pvh_wrong_class);
    add("pvh/refuses/short-header", pvh_short);
    add("pvh/refuses/headers-outside", pvh_headers_outside);
    add("pvh/refuses/no-headers", pvh_no_headers);
    add("pvh/refuses/segment-outside", pvh_segment_outside);
    add("pvh/refuses/file-larger-than-memory", pvh_file_larger_than_memory);
    add("pvh/refuses/wrapping-address", pvh_wraps);
    add("pvh/refuses/low-address", pvh_low);
    add("pvh/refuses/too-large", pvh_too_large);
    add("pvh/refuses/entry-outside", pvh_entry_outside);
    add("refuses-missing-file", no_file);
    return g_test_run();
}
