/* SPDX-License-Identifier: GPL-2.0-or-later
 * Where kernel, device tree and initrd go (Linux Documentation/arm64/booting.rst) and what is said
 * when they do not fit. Image headers and hostile trees are test-loader.c's.
 */
#include <elf.h>
#include <glib/gstdio.h>
#include <libfdt.h>
#include <string.h>

#include "hw/arm/boot.h"
#include "test-accel-double.h"
#include "util/error.h"

enum { RAM_BASE = 0x40000000, MIB = 1 << 20 };

typedef struct {
    MemoryRegion ram;
    uint8_t *host;
    char *dir, *kernel, *initrd, *dtb;
    MachineConfig config;
    ArmBootRequest req;
    AccelBootInfo boot;
    void *fdt;
} Bench;

static void *tree(const char *gic)
{
    void *fdt = g_malloc0(4096);
    int node;

    g_assert_cmpint(fdt_create_empty_tree(fdt, 4096), ==, 0);
    fdt_setprop_u32(fdt, 0, "#address-cells", 2);
    fdt_setprop_u32(fdt, 0, "#size-cells", 2);
    node = fdt_add_subnode(fdt, 0, "gic");
    fdt_setprop_string(fdt, node, "compatible", gic);
    fdt_pack(fdt);
    return fdt;
}

static void *build_fdt(void *opaque, GError **error)
{
    return tree("arm,gic-v3");
}

static char *write_file(Bench *b, const char *name, const void *data, size_t len)
{
    char *path = g_build_filename(b->dir, name, NULL);

    g_assert_true(g_file_set_contents(path, data, len, NULL));
    return path;
}

/* An Image of len bytes whose every word says where in the file it is. */
static void make_kernel(Bench *b, size_t len, uint64_t text_offset, uint64_t image_size,
                        uint64_t flags)
{
    g_autofree uint8_t *image = g_malloc0(len);
    uint64_t words[] = { GUINT64_TO_LE(text_offset), GUINT64_TO_LE(image_size),
                         GUINT64_TO_LE(flags) };

    for (uint32_t i = 0; i + 4 <= len; i += 4) {
        memcpy(image + i, &i, sizeof(i));
    }
    memcpy(image + 8, words, sizeof(words));
    memcpy(image + 56, "ARM\x64", 4);
    b->kernel = write_file(b, "kernel", image, len);
    b->config.kernel = b->kernel;
}

static void make_initrd(Bench *b, size_t len)
{
    g_autofree char *data = g_strnfill(len, 'i');

    b->initrd = write_file(b, "initrd", data, len);
    b->config.initrd = b->initrd;
}

static void make_ram(Bench *b, uint64_t size)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(memory_region_init_ram(&b->ram, NULL, "ram", size, &error));
    g_assert_no_error(error);
    b->host = memory_region_get_ram_ptr(&b->ram);
    b->req.ram = &b->ram;
}

static void set_up(Bench *b, gconstpointer data)
{
    b->dir = g_dir_make_tmp("boot-XXXXXX", NULL);
    b->req = (ArmBootRequest){
        .accel = accel_double_new("double"),
        .config = &b->config,
        .ram_base = RAM_BASE,
        .build_fdt = build_fdt,
    };
}

static void drop(char *path)
{
    if (path != NULL) {
        g_unlink(path);
        g_free(path);
    }
}

static void tear_down(Bench *b, gconstpointer data)
{
    g_object_unref(b->req.accel);
    memory_region_destroy(&b->ram);
    drop(b->kernel);
    drop(b->initrd);
    drop(b->dtb);
    g_rmdir(b->dir);
    g_free(b->dir);
    g_free(b->fdt);
}

static void loads(Bench *b)
{
    g_autoptr(GError) error = NULL;
    bool ok = arm_boot_load(&b->req, &b->boot, &b->fdt, &error);

    g_assert_no_error(error);
    g_assert_true(ok);
}

static void fails(Bench *b, int code, const char *option, const char *text)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(arm_boot_load(&b->req, &b->boot, &b->fdt, &error));
    g_assert_error(error, HUMPY_ERROR, code);
    g_test_message("%s", error->message);
    g_assert_true(g_str_has_prefix(error->message, option));
    g_assert_nonnull(strstr(error->message, text));
    g_assert_null(strchr(error->message, '\n'));
}

/* Address of the initrd as the tree in RAM says. */
static uint64_t initrd_prop(Bench *b, const char *name)
{
    const void *fdt = b->host + (b->boot.dtb_gpa - RAM_BASE);
    const fdt64_t *value = fdt_getprop(fdt, fdt_path_offset(fdt, "/chosen"), name, NULL);

    g_assert_nonnull(value);
    return fdt64_ld(value);
}

static void layout(Bench *b, gconstpointer data)
{
    uint64_t start, end;

    make_ram(b, 64 * MIB);
    make_kernel(b, 100000, 0, 5 * MIB, 2);
    make_initrd(b, 12345);
    loads(b);
    start = initrd_prop(b, "linux,initrd-start");
    end = initrd_prop(b, "linux,initrd-end");

    g_assert_cmphex(b->boot.entry, ==, RAM_BASE);
    g_assert_cmphex(b->boot.ram_base, ==, RAM_BASE);
    g_assert_cmphex(b->boot.dtb_gpa, >=, RAM_BASE + 5 * MIB);
    g_assert_cmphex(b->boot.dtb_gpa % (2 * MIB), ==, 0);
    g_assert_cmphex(start, >=, b->boot.dtb_gpa + b->boot.dtb_room);
    g_assert_cmphex(start % 4096, ==, 0);
    g_assert_cmphex(end - start, ==, 12345);
    g_assert_cmpint(b->host[start - RAM_BASE], ==, 'i');
    g_assert_cmpint(b->host[end - 1 - RAM_BASE], ==, 'i');
    g_assert_cmpint(b->host[end - RAM_BASE], ==, 0);
    g_assert_cmpint(fdt_check_full(b->host + (b->boot.dtb_gpa - RAM_BASE), b->boot.dtb_room), ==,
                    0);
}

static void text_offset(Bench *b, gconstpointer data)
{
    make_ram(b, 64 * MIB);
    make_kernel(b, 100000, 0x80000, 5 * MIB, 2);
    loads(b);
    g_assert_cmphex(b->boot.entry, ==, RAM_BASE + 0x80000);
    g_assert_cmphex(*(uint32_t *)(b->host + 0x80000 + 1000), ==, 1000);
    g_assert_cmphex(b->boot.dtb_gpa, >=, RAM_BASE + 0x80000 + 5 * MIB);
}

static void fixed_entry(Bench *b, gconstpointer data)
{
    make_ram(b, 64 * MIB);
    make_kernel(b, 100000, 0, 5 * MIB, 2);
    accel_double.fixed = true;
    loads(b);
    g_assert_cmphex(b->boot.entry, ==, RAM_BASE);
    g_assert_cmphex(*(uint32_t *)b->host, ==, 0);
}

/* A64 B with imm26 = 0x80000 / 4 (Arm ARM C6.2.26). */
static void fixed_entry_branches(Bench *b, gconstpointer data)
{
    make_ram(b, 64 * MIB);
    make_kernel(b, 100000, 0x80000, 5 * MIB, 2);
    accel_double.fixed = true;
    loads(b);
    g_assert_cmphex(b->boot.entry, ==, RAM_BASE);
    g_assert_cmphex(*(uint32_t *)b->host, ==, 0x14020000);
}

static void fixed_entry_out_of_reach(Bench *b, gconstpointer data)
{
    static const int64_t shifts[] = { -4, 2, 4, 64 * MIB, INT64_MAX };

    make_ram(b, 64 * MIB);
    make_kernel(b, 100000, 0, 5 * MIB, 2);
    accel_double.fixed = true;
    for (unsigned i = 0; i < G_N_ELEMENTS(shifts); i++) {
        accel_double.entry_shift = shifts[i];
        fails(b, HUMPY_ERROR_UNSUPPORTED, "-kernel ", "cannot be reached");
    }
}

static void dtb_room(Bench *b, gconstpointer data)
{
    make_ram(b, 64 * MIB);
    make_kernel(b, 100000, 0, 5 * MIB, 2);
    make_initrd(b, 100);
    accel_double.room = 4 * MIB;
    loads(b);
    g_assert_cmphex(b->boot.dtb_room, ==, 4 * MIB);
    g_assert_cmphex(initrd_prop(b, "linux,initrd-start"), >=, b->boot.dtb_gpa + 4 * MIB);
}

static void dtb_room_does_not_fit(Bench *b, gconstpointer data)
{
    make_ram(b, 8 * MIB);
    make_kernel(b, 100000, 0, 5 * MIB, 2);
    accel_double.room = 4 * MIB;
    fails(b, HUMPY_ERROR_RANGE, "-m: ", "no room for the device tree");
}

static void initrd_does_not_fit(Bench *b, gconstpointer data)
{
    make_ram(b, 8 * MIB);
    make_kernel(b, 100000, 0, 4 * MIB, 2);
    make_initrd(b, 4 * MIB);
    fails(b, HUMPY_ERROR_RANGE, "-initrd ", "do not fit behind kernel and device tree");
}

static void initrd_fits_exactly(Bench *b, gconstpointer data)
{
    make_ram(b, 8 * MIB);
    make_kernel(b, 100000, 0, 4 * MIB, 2);
    accel_double.room = 2 * MIB;
    make_initrd(b, 2 * MIB);
    loads(b);
    g_assert_cmphex(initrd_prop(b, "linux,initrd-end"), ==, RAM_BASE + 8 * MIB);
}

static void missing_files(Bench *b, gconstpointer data)
{
    make_ram(b, 64 * MIB);
    b->config.kernel = "/nonexistent/k";
    fails(b, HUMPY_ERROR_HOST, "-kernel /nonexistent/k: ", "No such file");
    make_kernel(b, 100000, 0, 5 * MIB, 2);
    b->config.initrd = "/nonexistent/i";
    fails(b, HUMPY_ERROR_HOST, "-initrd /nonexistent/i: ", "No such file");
    b->config.initrd = NULL;
    b->config.dtb = "/nonexistent/d";
    fails(b, HUMPY_ERROR_HOST, "-dtb /nonexistent/d: ", "No such file");
}

static void page_size(Bench *b, gconstpointer data)
{
    make_ram(b, 64 * MIB);
    make_kernel(b, 100000, 0, 5 * MIB, 3 << 1);
    fails(b, HUMPY_ERROR_UNSUPPORTED, "-kernel ", "64 KiB pages");
}

static void command_line(Bench *b, gconstpointer data)
{
    make_ram(b, 64 * MIB);
    make_kernel(b, 100000, 0, 5 * MIB, 2);
    b->config.append = "console=ttyAMA0";
    loads(b);
    g_assert_cmpstr(fdt_getprop(b->fdt, fdt_path_offset(b->fdt, "/chosen"), "bootargs", NULL), ==,
                    "console=ttyAMA0");
    g_assert_cmpstr(accel_double.gic_path, ==, "/gic");
}

static void command_line_too_long(Bench *b, gconstpointer data)
{
    g_autofree char *args = g_strnfill(3 * MIB, 'x');

    make_ram(b, 64 * MIB);
    make_kernel(b, 100000, 0, 5 * MIB, 2);
    b->config.append = args;
    fails(b, HUMPY_ERROR_RANGE, "-append: ", "larger than 2 MiB");
}

static void user_dtb(Bench *b, gconstpointer data)
{
    g_autofree void *fdt = tree("arm,gic-v3");
    int node;

    make_ram(b, 64 * MIB);
    make_kernel(b, 100000, 0, 5 * MIB, 2);
    b->dtb = write_file(b, "dtb", fdt, fdt_totalsize(fdt));
    b->config.dtb = b->dtb;
    make_initrd(b, 10);
    loads(b);
    node = fdt_path_offset(b->fdt, "/memory@40000000");
    g_assert_cmpint(node, >=, 0);
    g_assert_cmphex(initrd_prop(b, "linux,initrd-end") - initrd_prop(b, "linux,initrd-start"), ==,
                    10);
    g_assert_cmpuint(accel_double.fixups, ==, 1);
}

static void user_dtb_without_gic(Bench *b, gconstpointer data)
{
    g_autofree void *fdt = tree("arm,cortex-a15-gic");

    make_ram(b, 64 * MIB);
    make_kernel(b, 100000, 0, 5 * MIB, 2);
    b->dtb = write_file(b, "dtb", fdt, fdt_totalsize(fdt));
    b->config.dtb = b->dtb;
    fails(b, HUMPY_ERROR_MISSING, "-dtb ", "arm,gic-v3");
}

static void accel_refuses_tree(Bench *b, gconstpointer data)
{
    make_ram(b, 64 * MIB);
    make_kernel(b, 100000, 0, 5 * MIB, 2);
    accel_double.refuse_fdt = true;
    fails(b, HUMPY_ERROR_CONFLICT, "-accel double: ", "not to my taste");
}

/* ---- signed images ---- */

/* An ELF file of len bytes with one segment at offset that wants memory bytes. */
static void make_signed(Bench *b, size_t len, uint64_t offset, uint64_t memory)
{
    const Elf64_Ehdr head = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64,
                                           ELFDATA2LSB },
                              .e_phoff = GUINT64_TO_LE(sizeof(head)),
                              .e_phentsize = GUINT16_TO_LE(sizeof(Elf64_Phdr)),
                              .e_phnum = GUINT16_TO_LE(1) };
    const Elf64_Phdr segment = { .p_offset = GUINT64_TO_LE(offset),
                                 .p_memsz = GUINT64_TO_LE(memory) };
    g_autofree char *image = g_strnfill(MAX(len, 8192), 's');

    memcpy(image, &head, sizeof(head));
    memcpy(image + sizeof(head), &segment, sizeof(segment));
    b->kernel = write_file(b, "kernel", image, len);
    b->config.kernel = b->kernel;
    b->req.signed_image = true;
}

static void signed_as_it_is(Bench *b, gconstpointer data)
{
    g_autofree char *file = NULL;
    gsize len;

    make_ram(b, 16 * MIB);
    make_signed(b, 3 * MIB, 2 * MIB, 3 * MIB);
    loads(b);
    g_assert_true(g_file_get_contents(b->kernel, &file, &len, NULL));
    g_assert_cmpmem(b->host, len, file, len);
    g_assert_cmphex(b->boot.dtb_gpa, ==, RAM_BASE + 6 * MIB); /* behind what it needs */
    g_assert_cmphex(b->boot.ram_base, ==, RAM_BASE);
}

static void signed_too_large(Bench *b, gconstpointer data)
{
    make_ram(b, 16 * MIB);
    make_signed(b, 8192, 4096, UINT64_MAX);
    fails(b, HUMPY_ERROR_RANGE, "-kernel ", "see -m");
}

static void signed_too_short(Bench *b, gconstpointer data)
{
    make_ram(b, 16 * MIB);
    make_signed(b, 8191, 4096, 0);
    fails(b, HUMPY_ERROR_SYNTAX, "-kernel ", "not followed by 8192 bytes of metadata");
}

static void signed_without_headers(Bench *b, gconstpointer data)
{
    static const struct {
        size_t at;
        uint8_t value;
        const char *says;
    } rows[] = {
        { EI_CLASS, 3, "neither a 32-bit nor a 64-bit" },
        { EI_DATA, ELFDATA2MSB, "neither a 32-bit nor a 64-bit" },
        { offsetof(Elf64_Ehdr, e_phnum), 0, "no program headers" },
        { offsetof(Elf64_Ehdr, e_phnum) + 1, 1, "no program headers" },
        { offsetof(Elf64_Ehdr, e_phentsize), 32, "no program headers" },
        { offsetof(Elf64_Ehdr, e_phoff) + 7, 0x80, "no program headers" },
        { offsetof(Elf64_Ehdr, e_phoff) + 1, 0x20, "no program headers" },
    };

    make_ram(b, 16 * MIB);
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *file = NULL;
        gsize len;

        make_signed(b, 8192, 4096, 0);
        g_assert_true(g_file_get_contents(b->kernel, &file, &len, NULL));
        file[rows[i].at] = (char)rows[i].value;
        g_assert_true(g_file_set_contents(b->kernel, file, (gssize)len, NULL));
        fails(b, HUMPY_ERROR_SYNTAX, "-kernel ", rows[i].says);
        drop(g_steal_pointer(&b->kernel));
    }
}

/* Where nobody authenticates an ELF file, it is as unknown as ever. */
static void elf_is_no_kernel(Bench *b, gconstpointer data)
{
    make_ram(b, 16 * MIB);
    make_signed(b, 8192, 4096, 0);
    b->req.signed_image = false;
    fails(b, HUMPY_ERROR_SYNTAX, "-kernel ", "is not an arm64 Image but");
}

int main(int argc, char **argv)
{
    static const struct {
        const char *path;
        void (*fn)(Bench *b, gconstpointer data);
    } rules[] = {
        { "/boot/layout/kernel-then-tree-then-initrd", layout },
        { "/boot/layout/text-offset-is-kept", text_offset },
        { "/boot/layout/tree-gets-the-room-the-accelerator-wants", dtb_room },
        { "/boot/layout/initrd-fits-exactly", initrd_fits_exactly },
        { "/boot/entry/fixed-at-the-kernel", fixed_entry },
        { "/boot/entry/fixed-below-the-kernel-branches", fixed_entry_branches },
        { "/boot/entry/out-of-reach-is-refused", fixed_entry_out_of_reach },
        { "/boot/refused/tree-does-not-fit", dtb_room_does_not_fit },
        { "/boot/refused/initrd-does-not-fit", initrd_does_not_fit },
        { "/boot/refused/missing-file-names-its-option", missing_files },
        { "/boot/refused/page-size", page_size },
        { "/boot/refused/command-line-too-long", command_line_too_long },
        { "/boot/refused/by-the-accelerator", accel_refuses_tree },
        { "/boot/signed/loaded-as-it-is", signed_as_it_is },
        { "/boot/signed/segments-beyond-memory", signed_too_large },
        { "/boot/signed/no-metadata", signed_too_short },
        { "/boot/signed/no-program-headers", signed_without_headers },
        { "/boot/signed/elf-is-no-kernel-elsewhere", elf_is_no_kernel },
        { "/boot/tree/command-line-and-gic", command_line },
        { "/boot/tree/from-the-user", user_dtb },
        { "/boot/tree/from-the-user-without-gic", user_dtb_without_gic },
    };

    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(rules); i++) {
        g_test_add(rules[i].path, Bench, NULL, set_up, rules[i].fn, tear_down);
    }
    return g_test_run();
}
