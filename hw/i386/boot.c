/* SPDX-License-Identifier: GPL-2.0-or-later
 * Where things go in RAM:
 *
 *     0x1000 GDT | 0x2000 PVH start information | 0x3000 zero page | 0x20000 command line
 *     1 MiB and up: the kernel, where it wants to be | the highest place that suits it: initrd
 *
 * The zero page is Linux's (Documentation/arch/x86/zero-page.rst), the start information Xen's
 * (docs/misc/pvh.pandoc, hvm_start_info version 1). Both kinds of kernel start in 32-bit protected
 * mode without paging. Everything is written anew each time: a reset boots the same way.
 */
#include "hw/i386/boot.h"

#include <string.h>

#include "hw/core/boot-files.h"
#include "hw/i386/kernel.h"
#include "util/bytes.h"
#include "util/elf.h"
#include "util/error.h"

enum {
    GDT = 0x1000,
    START_INFO = 0x2000,
    MODULES = 0x2040,
    MEMMAP = 0x2100,
    ZERO_PAGE = 0x3000,
    CMDLINE = 0x20000,
    CMDLINE_MAX = 0x10000, /* with the NUL */
    PAGE = 4096,

    /* selectors */
    BOOT_CS = 0x10,
    BOOT_DS = 0x18,
    BOOT_TR = 0x20,
    GDT_SIZE = 0x28,

    /* descriptors' attributes, as AccelX86Segment has them */
    FLAT_CODE = 0xc09b,
    FLAT_DATA = 0xc093,
    BUSY_TSS = 0x8b,

    CR0_PE = 1 << 0,
    CR0_ET = 1 << 4,
    CR0_NE = 1 << 5,

    /* zero page */
    ZP_RSDP = 0x070,
    ZP_E820_ENTRIES = 0x1e8,
    ZP_TYPE_OF_LOADER = 0x210,
    ZP_CODE32_START = 0x214,
    ZP_RAMDISK_IMAGE = 0x218,
    ZP_RAMDISK_SIZE = 0x21c,
    ZP_CMD_LINE_PTR = 0x228,
    ZP_E820_TABLE = 0x2d0,
    UNREGISTERED_LOADER = 0xff,

    /* hvm_start_info */
    SI_MAGIC = 0x336ec578,
    SI_VERSION = 1,
    SI_SIZE = 56,
    MODULE_SIZE = 32,
    MEMMAP_SIZE = 24,
};
G_STATIC_ASSERT(MEMMAP + X86_MEM_MAX * MEMMAP_SIZE <= START_INFO + PAGE);
G_STATIC_ASSERT(ZP_E820_TABLE + X86_MEM_MAX * X86_E820_SIZE <= PAGE);

/* A range of guest memory. */
typedef struct {
    uint64_t start, end;
} Range;

static bool store(const X86BootRequest *req, uint64_t addr, const void *data, size_t len,
                  GError **error)
{
    return loader_store(&req->ram, addr, data, len, error);
}

/* ---- what both kinds need ---- */

static bool load_cmdline(const X86BootRequest *req, const BootFiles *files, uint64_t max,
                         GError **error)
{
    g_autofree char *words = boot_files_command_line(files, req->append);
    const char *text = words != NULL ? words : "";
    size_t len = strlen(text);

    max = MIN(max, CMDLINE_MAX - 1);
    if (len > max) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "-append: has %zu bytes, but the kernel takes at most %" G_GUINT64_FORMAT, len,
                    max);
        return false;
    }
    return store(req, CMDLINE, text, len + 1, error);
}

/* As high as it can be below max (its last byte's highest address), above the kernel. */
static bool load_initrd(const X86BootRequest *req, BootFiles *files, Range kernel, uint64_t max,
                        Range *initrd, GError **error)
{
    uint64_t top = MIN(req->ram.size, max < UINT64_MAX ? max + 1 : max), size = files->initrd_size;

    *initrd = (Range){};
    if (size == 0) {
        return true;
    }
    if (size > UINT32_MAX || size > top || ((top - size) & ~(uint64_t)(PAGE - 1)) < kernel.end) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "%s: its %" G_GUINT64_FORMAT
                    " bytes do not fit between the kernel, which ends at 0x%" G_GINT64_MODIFIER
                    "x, and 0x%" G_GINT64_MODIFIER "x (see -m)",
                    files->initrd_name, size, kernel.end, top);
        return false;
    }
    initrd->start = (top - size) & ~(uint64_t)(PAGE - 1);
    initrd->end = initrd->start + size;
    if (req->machine != NULL) {
        machine_note_rom(req->machine, req->config->initrd != NULL ? req->config->initrd : "initrd",
                         initrd->start, size);
    }
    return boot_files_copy_initrd(files, &req->ram, initrd->start, error);
}

static void put_descriptor(uint8_t *p, uint32_t limit, uint32_t attributes)
{
    uint64_t value = (limit & 0xffff) | (uint64_t)attributes << 40 | (uint64_t)(limit >> 16) << 48;

    put_le(p, 8, value);
}

static bool load_gdt(const X86BootRequest *req, AccelX86State *state, GError **error)
{
    uint8_t gdt[GDT_SIZE] = {};

    put_descriptor(gdt + BOOT_CS, 0xfffff, FLAT_CODE);
    put_descriptor(gdt + BOOT_DS, 0xfffff, FLAT_DATA);
    put_descriptor(gdt + BOOT_TR, 0x67, BUSY_TSS);
    *state = (AccelX86State){
        .cr0 = CR0_PE | CR0_ET,
        .gdt_base = GDT,
        .gdt_limit = GDT_SIZE - 1,
        .cs = { BOOT_CS, FLAT_CODE, UINT32_MAX, 0 },
        .data = { BOOT_DS, FLAT_DATA, UINT32_MAX, 0 },
        .tr = { BOOT_TR, BUSY_TSS, 0x67, 0 },
    };
    return store(req, GDT, gdt, sizeof(gdt), error);
}

/* ---- bzImage ---- */

static bool place_bzimage(const X86BootRequest *req, const BzImage *image, GError **error)
{
    if (image->memory_size > req->ram.size || image->load > req->ram.size - image->memory_size) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "needs %" G_GUINT64_FORMAT " KiB of memory from 0x%x on, but memory below "
                    "4 GiB ends at 0x%" G_GINT64_MODIFIER "x (see -m)",
                    (image->memory_size + 1023) >> 10, image->load, req->ram.size);
        return false;
    }
    return true;
}

static bool load_zero_page(const X86BootRequest *req, const BzImage *image, Range initrd,
                           GError **error)
{
    g_autofree uint8_t *page = g_malloc0(PAGE);
    g_autoptr(GBytes) e820 = x86_memmap_e820(req->map);

    memcpy(page + BZIMAGE_HEADER, image->header, image->header_size);
    page[ZP_TYPE_OF_LOADER] = UNREGISTERED_LOADER;
    put_le(page + ZP_CODE32_START, 4, image->load);
    put_le(page + ZP_RAMDISK_IMAGE, 4, initrd.start);
    put_le(page + ZP_RAMDISK_SIZE, 4, initrd.end - initrd.start);
    put_le(page + ZP_CMD_LINE_PTR, 4, CMDLINE);
    put_le(page + ZP_RSDP, 8, req->rsdp);
    page[ZP_E820_ENTRIES] = req->map->n;
    memcpy(page + ZP_E820_TABLE, g_bytes_get_data(e820, NULL), g_bytes_get_size(e820));
    return store(req, ZERO_PAGE, page, PAGE, error);
}

static bool load_bzimage(const X86BootRequest *req, BootFiles *files, const uint8_t *head,
                         size_t len, AccelX86State *state, GError **error)
{
    BzImage image;
    Range kernel, initrd;
    uint64_t got;

    if (!bzimage_parse(head, len, loader_size(files->kernel), &image, error) ||
        !place_bzimage(req, &image, error)) {
        goto fail;
    }
    loader_select(files->kernel, image.kernel_offset, image.kernel_size, false);
    if (!loader_copy(files->kernel, &req->ram, image.load, image.kernel_size, &got, error)) {
        goto fail;
    }
    kernel = (Range){ image.load, image.load + image.memory_size };
    if (req->machine != NULL) {
        machine_note_rom(req->machine, req->config->kernel, image.load, image.kernel_size);
    }
    if (!load_cmdline(req, files, image.cmdline_max, error) ||
        !load_initrd(req, files, kernel, image.initrd_max, &initrd, error) ||
        !load_zero_page(req, &image, initrd, error) || !load_gdt(req, state, error)) {
        return false;
    }
    state->cr0 |= CR0_NE;
    state->rip = image.load;
    state->rsi = ZERO_PAGE;
    return true;
fail:
    g_prefix_error(error, "-kernel %s: ", req->config->kernel);
    return false;
}

/* ---- PVH ---- */

static bool load_segments(const X86BootRequest *req, LoaderStream *stream, const PvhImage *image,
                          GError **error)
{
    uint64_t got;

    if (image->end > req->ram.size) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "needs memory up to 0x%" G_GINT64_MODIFIER
                    "x, but memory below 4 GiB ends at 0x%" G_GINT64_MODIFIER "x (see -m)",
                    image->end, req->ram.size);
        return false;
    }
    for (unsigned i = 0; i < image->n; i++) {
        const PvhSegment *s = &image->segment[i];

        loader_select(stream, s->offset, s->file_size, false);
        if (!loader_copy(stream, &req->ram, s->addr, s->file_size, &got, error)) {
            return false;
        }
        /* After a reset it is not zero any more. */
        memset((uint8_t *)req->ram.host + s->addr + s->file_size, 0, s->memory_size - s->file_size);
    }
    return true;
}

static bool load_memmap(const X86BootRequest *req, GError **error)
{
    uint8_t table[X86_MEM_MAX * MEMMAP_SIZE] = {};

    for (unsigned i = 0; i < req->map->n; i++) {
        const X86MemRange *range = &req->map->range[i];

        put_le(table + i * MEMMAP_SIZE, 8, range->addr);
        put_le(table + i * MEMMAP_SIZE + 8, 8, range->size);
        put_le(table + i * MEMMAP_SIZE + 16, 4, range->type);
    }
    return store(req, MEMMAP, table, sizeof(table), error);
}

static bool load_start_info(const X86BootRequest *req, Range initrd, GError **error)
{
    uint8_t info[SI_SIZE] = {}, module[MODULE_SIZE] = {};
    unsigned n_modules = initrd.end > 0 ? 1 : 0;

    put_le(module, 8, initrd.start);
    put_le(module + 8, 8, initrd.end - initrd.start);
    put_le(info, 4, SI_MAGIC);
    put_le(info + 4, 4, SI_VERSION);
    put_le(info + 12, 4, n_modules);
    put_le(info + 16, 8, n_modules > 0 ? MODULES : 0);
    put_le(info + 24, 8, CMDLINE);
    put_le(info + 32, 8, req->rsdp);
    put_le(info + 40, 8, MEMMAP);
    put_le(info + 48, 4, req->map->n);
    return store(req, MODULES, module, sizeof(module), error) && load_memmap(req, error) &&
           store(req, START_INFO, info, sizeof(info), error);
}

static bool load_pvh(const X86BootRequest *req, BootFiles *files, AccelX86State *state,
                     GError **error)
{
    PvhImage image;
    Range initrd;

    if (!pvh_parse(files->kernel, &image, error) ||
        !load_segments(req, files->kernel, &image, error)) {
        g_prefix_error(error, "-kernel %s: ", req->config->kernel);
        return false;
    }
    if (req->machine != NULL) {
        machine_note_rom(req->machine, req->config->kernel, image.start, image.end - image.start);
    }
    if (!load_cmdline(req, files, UINT64_MAX, error) ||
        !load_initrd(req, files, (Range){ image.start, image.end }, UINT32_MAX, &initrd, error) ||
        !load_start_info(req, initrd, error) || !load_gdt(req, state, error)) {
        return false;
    }
    state->rip = image.entry;
    state->rbx = START_INFO;
    return true;
}

bool x86_boot_load(const X86BootRequest *req, AccelX86State *state, GError **error)
{
    g_auto(BootFiles) files = {};
    uint8_t head[X86_KERNEL_HEAD];
    size_t len;

    g_assert(req->ram.size >= 2 * X86_KERNEL_LOW);
    if (!boot_files_open(req->config, &files, error)) {
        return false;
    }
    if (!loader_peek(files.kernel, 0, head, sizeof(head), &len, error)) {
        g_prefix_error(error, "-kernel %s: ", req->config->kernel);
        return false;
    }
    if (elf_is(head, len)) {
        return load_pvh(req, &files, state, error);
    }
    return load_bzimage(req, &files, head, len, state, error);
}
