/* SPDX-License-Identifier: GPL-2.0-or-later
 * Boot files that are fine, broken and hostile: streams, arm64 Image headers (Linux
 * Documentation/arm64/booting.rst), and device trees from files. Placement is test-boot.c's.
 */
#include <glib/gstdio.h>
#include <libfdt.h>
#include <string.h>
#include <zlib.h>

#include "hw/arm/boot.h"
#include "hw/arm/image.h"
#include "hw/core/loader.h"
#include "util/error.h"

/* ---- makers ---- */

static void put32(GByteArray *b, size_t at, uint32_t value)
{
    value = GUINT32_TO_LE(value);
    memcpy(b->data + at, &value, sizeof(value));
}

static void put64(GByteArray *b, size_t at, uint64_t value)
{
    value = GUINT64_TO_LE(value);
    memcpy(b->data + at, &value, sizeof(value));
}

static GByteArray *filled(size_t len)
{
    GByteArray *b = g_byte_array_new();

    g_byte_array_set_size(b, len);
    for (size_t i = 0; i < len; i++) {
        b->data[i] = i * 7 + (i >> 8);
    }
    return b;
}

static GByteArray *make_image(size_t len, uint64_t text_offset, uint64_t image_size, uint64_t flags)
{
    GByteArray *b = filled(len);

    put64(b, 8, text_offset);
    put64(b, 16, image_size);
    put64(b, 24, flags);
    memcpy(b->data + 56, "ARM\x64", 4);
    return b;
}

static GByteArray *gzip_at_level(const void *data, size_t len, int level)
{
    GByteArray *out = g_byte_array_new();
    z_stream z = {};

    g_assert_cmpint(deflateInit2(&z, level, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), ==,
                    Z_OK);
    g_byte_array_set_size(out, deflateBound(&z, len) + 64);
    z.next_in = (void *)data;
    z.avail_in = len;
    z.next_out = out->data;
    z.avail_out = out->len;
    g_assert_cmpint(deflate(&z, Z_FINISH), ==, Z_STREAM_END);
    g_byte_array_set_size(out, z.total_out);
    deflateEnd(&z);
    return out;
}

static GByteArray *gzip(const void *data, size_t len)
{
    return gzip_at_level(data, len, 6);
}

static GByteArray *zboot(const GByteArray *payload, const char *compression)
{
    GByteArray *b = filled(4096);

    memcpy(b->data, "MZ\0\0zimg", 8);
    put32(b, 8, 4096);
    put32(b, 12, payload->len);
    memset(b->data + 24, 0, 32);
    memcpy(b->data + 24, compression, strlen(compression));
    memset(b->data + 56, 0, 4);
    return g_byte_array_append(b, payload->data, payload->len);
}

/* ---- Image headers ---- */

static bool parse(GByteArray *b, Arm64Image *image, GError **error)
{
    return arm64_image_parse(b->data, b->len, image, error);
}

static void refuse(GByteArray *b, int code, const char *text)
{
    g_autoptr(GError) error = NULL;
    Arm64Image image;

    g_assert_false(parse(b, &image, &error));
    g_assert_error(error, HUMPY_ERROR, code);
    g_assert_nonnull(strstr(error->message, text));
}

static void header_fields(void)
{
    g_autoptr(GByteArray) b = make_image(64, 0x80000, 0x1234000, 1 << 1 | 1 << 3);
    g_autoptr(GError) error = NULL;
    Arm64Image image;

    g_assert_true(parse(b, &image, &error));
    g_assert_no_error(error);
    g_assert_cmphex(image.text_offset, ==, 0x80000);
    g_assert_cmphex(image.memory_size, ==, 0x1234000);
    g_assert_cmpuint(image.page_kib, ==, 4);
}

static void header_before_3_17(void)
{
    g_autoptr(GByteArray) b = make_image(64, UINT64_MAX, 0, UINT64_MAX);
    Arm64Image image;

    g_assert_true(parse(b, &image, NULL));
    g_assert_cmphex(image.text_offset, ==, 0x80000);
    g_assert_cmphex(image.memory_size, ==, 0);
}

static void header_big_endian(void)
{
    g_autoptr(GByteArray) b = make_image(64, 0, 0x1000000, 1);

    refuse(b, HUMPY_ERROR_UNSUPPORTED, "big-endian");
}

static void header_text_offset(void)
{
    static const uint64_t bad[] = { 1, 0xfff, 64 * 1024 * 1024 + 4096, UINT64_MAX, 1ull << 63 };

    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GByteArray) b = make_image(64, bad[i], 0x1000000, 0);

        refuse(b, HUMPY_ERROR_RANGE, "text_offset");
    }
}

static void header_image_size(void)
{
    g_autoptr(GByteArray) b = make_image(64, 0, 63, 0);

    refuse(b, HUMPY_ERROR_RANGE, "image_size");
}

static void header_short(void)
{
    for (unsigned len = 0; len < 64; len++) {
        g_autoptr(GByteArray) b = make_image(64, 0, 0x1000, 0);

        g_byte_array_set_size(b, len);
        refuse(b, HUMPY_ERROR_SYNTAX, "is not an arm64 Image but");
    }
}

static void header_names_what_it_is(void)
{
    static const struct {
        unsigned offset;
        const char *magic;
        unsigned len;
        const char *text;
    } rows[] = {
        { 0,
          "\x7f"
          "ELF",
          4, "ELF" },
        { 0x24, "\x18\x28\x6f\x01", 4, "zImage" },
        { 0x202, "HdrS", 4, "bzImage" },
        { 0x30, "RISCV", 5, "RISC-V" },
        { 0, "\x27\x05\x19\x56", 4, "uImage" },
        { 0, "\xd0\x0d\xfe\xed", 4, "device tree" },
        { 0, "ANDROID!", 8, "Android" },
        { 0, "\x28\xb5\x2f\xfd", 4, "zstd" },
        { 0, "MZ", 2, "EFI program" },
        { 0, "070701", 6, "cpio" },
        { 0, "plain text", 10, "unknown" },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GByteArray) b = filled(1024);

        memcpy(b->data + rows[i].offset, rows[i].magic, rows[i].len);
        refuse(b, HUMPY_ERROR_SYNTAX, rows[i].text);
    }
}

/* Any 128 bytes are answered; the sanitizer builds watch the accesses. */
static void header_random(void)
{
    for (unsigned n = 0; n < 20000; n++) {
        g_autofree uint8_t *head = g_malloc(128);
        uint64_t offset, size;
        Arm64Image image;
        unsigned len = g_test_rand_int_range(0, 129);

        for (unsigned i = 0; i < 128; i++) {
            head[i] = g_test_rand_int();
        }
        if (n % 2 == 0) {
            memcpy(head + 56, "ARM\x64", 4);
        }
        if (n % 3 == 0) {
            memcpy(head, "MZ\0\0zimg", 8);
        }
        if (arm64_image_parse(head, len, &image, NULL)) {
            g_assert_cmpuint(image.text_offset, <=, 64 << 20);
        }
        if (arm64_zboot_parse(head, len, 4096, &offset, &size, NULL) && size > 0) {
            g_assert_cmpuint(offset + size, <=, 4096);
        }
    }
}

/* ---- loading ---- */

enum { RAM = 1 << 20 };

static bool load(const GByteArray *file, size_t ram_size, uint8_t **ram, uint64_t *used,
                 GError **error)
{
    g_autoptr(LoaderStream) stream = loader_open_bytes(file->data, file->len);
    g_autofree uint8_t *mem = g_malloc0(ram_size + 1);
    LoaderDest dest = { .host = mem, .fd = -1, .size = ram_size };
    Arm64Image image;
    bool ok;

    mem[ram_size] = 0xee; /* a guard */
    ok = arm64_image_load(stream, &dest, &image, used, error);
    g_assert_cmphex(mem[ram_size], ==, 0xee);
    *ram = g_steal_pointer(&mem);
    return ok;
}

static void load_ok(const GByteArray *file, const GByteArray *image, uint64_t text_offset)
{
    g_autofree uint8_t *ram = NULL;
    g_autoptr(GError) error = NULL;
    uint64_t used;

    g_assert_true(load(file, RAM, &ram, &used, &error));
    g_assert_no_error(error);
    g_assert_cmpmem(ram + text_offset, image->len, image->data, image->len);
    g_assert_cmphex(used, >=, text_offset + image->len);
}

static void load_fails(const GByteArray *file, int code, const char *text)
{
    g_autofree uint8_t *ram = NULL;
    g_autoptr(GError) error = NULL;
    uint64_t used;

    g_assert_false(load(file, RAM, &ram, &used, &error));
    g_assert_error(error, HUMPY_ERROR, code);
    g_assert_nonnull(strstr(error->message, text));
    g_assert_null(strchr(error->message, '\n'));
}

/* Too short for a header, whole instructions: where kernels without a size go. */
static void load_bare_program(void)
{
    static const uint8_t code[] = { 0x81, 0x0a, 0x80, 0x52, 0xfd, 0xff, 0xff, 0x17 };
    g_autoptr(GByteArray) b = g_byte_array_new();
    g_autofree uint8_t *ram = NULL;
    uint64_t used;

    g_byte_array_append(b, code, sizeof(code));
    g_assert_true(load(b, 32 * RAM, &ram, &used, NULL));
    g_assert_cmpmem(ram + 0x80000, b->len, code, sizeof(code));
    g_byte_array_append(b, code, 1);
    load_fails(b, HUMPY_ERROR_SYNTAX, "too short a file");
}

static void load_plain(void)
{
    g_autoptr(GByteArray) image = make_image(300000, 0x1000, 400000, 2);

    load_ok(image, image, 0x1000);
}

static void load_gzip(void)
{
    g_autoptr(GByteArray) image = make_image(300000, 0, 400000, 2);
    g_autoptr(GByteArray) packed = gzip(image->data, image->len);

    load_ok(packed, image, 0);
}

static void load_gzip_members(void)
{
    g_autoptr(GByteArray) image = make_image(300000, 0, 400000, 2);
    g_autoptr(GByteArray) packed = gzip(image->data, 1000);
    g_autoptr(GByteArray) second = gzip(image->data + 1000, image->len - 1000);

    g_byte_array_append(packed, second->data, second->len);
    load_ok(packed, image, 0);
}

/* The second member's magic lies across the reader's 64 KiB of input. */
static void load_gzip_straddling(void)
{
    g_autoptr(GByteArray) image = make_image(300000, 0, 400000, 2);
    g_autoptr(GByteArray) packed = NULL;
    size_t len = 65400;

    do {
        g_clear_pointer(&packed, g_byte_array_unref);
        packed = gzip_at_level(image->data, ++len, 0);
    } while (packed->len % 65536 != 65535);
    {
        g_autoptr(GByteArray) second = gzip(image->data + len, image->len - len);

        g_byte_array_append(packed, second->data, second->len);
    }
    load_ok(packed, image, 0);
}

static void load_gzip_padding(void)
{
    g_autoptr(GByteArray) image = make_image(3000, 0, 400000, 2);
    g_autoptr(GByteArray) packed = gzip(image->data, image->len);

    g_byte_array_append(packed, (const uint8_t *)"\0\0\0\0\0\0", 6);
    load_ok(packed, image, 0);
}

static void load_gzip_truncated(void)
{
    g_autoptr(GByteArray) image = make_image(300000, 0, 400000, 2);
    g_autoptr(GByteArray) packed = gzip(image->data, image->len);

    for (size_t len = packed->len - 1; len > 2; len -= MIN(len, 97)) {
        g_autoptr(GByteArray) cut = g_byte_array_new();

        g_byte_array_append(cut, packed->data, len);
        load_fails(cut, HUMPY_ERROR_RANGE, "gzip data is cut short");
    }
}

static void load_gzip_damaged(void)
{
    g_autoptr(GByteArray) image = make_image(300000, 0, 400000, 2);
    g_autoptr(GByteArray) packed = gzip(image->data, image->len);

    packed->data[packed->len - 6] ^= 1; /* the CRC */
    load_fails(packed, HUMPY_ERROR_RANGE, "gzip data is damaged");
}

/* 64 MiB of zeroes behind a header that claims 4 KiB: bounded by the header, not by the RAM. */
static void load_gzip_endless(void)
{
    g_autoptr(GByteArray) image = make_image(64 << 20, 0, 4096, 2);
    g_autoptr(GByteArray) packed = NULL;

    memset(image->data + 4096, 0, image->len - 4096);
    packed = gzip(image->data, image->len);
    load_fails(packed, HUMPY_ERROR_RANGE, "is longer than the");
}

static void load_zboot(void)
{
    g_autoptr(GByteArray) image = make_image(300000, 0, 400000, 2);
    g_autoptr(GByteArray) packed = gzip(image->data, image->len);
    g_autoptr(GByteArray) file = zboot(packed, "gzip");

    load_ok(file, image, 0);
}

static void load_zboot_other(void)
{
    g_autoptr(GByteArray) payload = filled(100);
    g_autoptr(GByteArray) file = zboot(payload, "zstd");

    load_fails(file, HUMPY_ERROR_UNSUPPORTED, "packed with 'zstd'");
}

static void load_zboot_range(void)
{
    static const uint32_t rows[][2] = {
        { 4096, 101 }, { 4197, 1 }, { UINT32_MAX, 1 }, { 0, UINT32_MAX }, { 4096, 0 },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GByteArray) payload = filled(100);
        g_autoptr(GByteArray) file = zboot(payload, "gzip");

        put32(file, 8, rows[i][0]);
        put32(file, 12, rows[i][1]);
        load_fails(file, HUMPY_ERROR_RANGE, "is not inside the file");
    }
}

static void load_too_big(void)
{
    static const uint64_t sizes[] = { RAM + 1, UINT64_MAX, 1ull << 63 };

    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_autoptr(GByteArray) image = make_image(3000, 0, sizes[i], 2);

        load_fails(image, HUMPY_ERROR_RANGE, "needs");
    }
}

static void load_text_offset_beyond_ram(void)
{
    g_autoptr(GByteArray) image = make_image(3000, RAM, 4096, 2);

    load_fails(image, HUMPY_ERROR_RANGE, "needs");
}

static void load_signature(void)
{
    g_autoptr(GByteArray) image = make_image(5000, 0, 4096, 2);

    load_ok(image, image, 0);
}

static void load_file_longer_than_ram(void)
{
    g_autoptr(GByteArray) image = make_image(RAM + 1, 0, RAM, 2);

    load_fails(image, HUMPY_ERROR_RANGE, "is longer than the");
}

static void load_fills_ram_exactly(void)
{
    g_autoptr(GByteArray) image = make_image(RAM, 0, RAM, 2);

    load_ok(image, image, 0);
}

/* ---- files ---- */

static void open_fails(const char *path, const char *text)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(loader_open(path, &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST);
    g_assert_nonnull(strstr(error->message, text));
}

static void file_missing(void)
{
    open_fails("/nonexistent/vmlinuz", "No such file");
}

static void file_not_regular(void)
{
    open_fails("/", "is not a regular file");
    open_fails("/dev/zero", "is not a regular file");
}

static void file_shrinks(void)
{
    g_autofree char *path = NULL;
    g_autoptr(LoaderStream) stream = NULL;
    g_autoptr(GError) error = NULL;
    char buf[100];
    size_t got;
    int fd = g_file_open_tmp(NULL, &path, NULL);

    g_assert_cmpint(ftruncate(fd, 100), ==, 0);
    stream = loader_open(path, NULL);
    g_assert_cmpuint(loader_size(stream), ==, 100);
    g_assert_cmpint(ftruncate(fd, 50), ==, 0);
    g_assert_false(loader_read(stream, buf, sizeof(buf), &got, &error));
    g_assert_nonnull(strstr(error->message, "shrank"));
    close(fd);
    g_unlink(path);
}

static void file_reads_to_its_end(void)
{
    g_autofree char *path = NULL;
    g_autoptr(LoaderStream) stream = NULL;
    char buf[100];
    size_t got;
    int fd = g_file_open_tmp(NULL, &path, NULL);

    g_assert_cmpint(write(fd, "hello", 5), ==, 5);
    close(fd);
    stream = loader_open(path, NULL);
    g_assert_true(loader_read(stream, buf, 2, &got, NULL));
    g_assert_cmpmem(buf, got, "he", 2);
    g_assert_true(loader_read(stream, buf, sizeof(buf), &got, NULL));
    g_assert_cmpmem(buf, got, "llo", 3);
    g_assert_true(loader_read(stream, buf, sizeof(buf), &got, NULL));
    g_assert_cmpuint(got, ==, 0);
    g_unlink(path);
}

/* ---- device trees ---- */

static GByteArray *make_dtb(unsigned na, unsigned ns)
{
    GByteArray *b = g_byte_array_new();
    int node;

    g_byte_array_set_size(b, 4096);
    g_assert_cmpint(fdt_create_empty_tree(b->data, b->len), ==, 0);
    fdt_setprop_u32(b->data, 0, "#address-cells", na);
    fdt_setprop_u32(b->data, 0, "#size-cells", ns);
    node = fdt_add_subnode(b->data, 0, "memory@0");
    fdt_setprop_string(b->data, node, "device_type", "memory");
    node = fdt_add_subnode(b->data, 0, "memory");
    fdt_setprop_string(b->data, node, "device_type", "memory");
    fdt_pack(b->data);
    g_byte_array_set_size(b, fdt_totalsize(b->data));
    return b;
}

static void dtb_memory(void)
{
    for (unsigned cells = 1; cells <= 2; cells++) {
        g_autoptr(GByteArray) b = make_dtb(cells, cells);
        g_autoptr(GError) error = NULL;
        g_autofree void *fdt = arm_fdt_from_bytes(b->data, b->len, 0x40000000, 0x10000000, &error);
        const fdt32_t *reg;
        int node, len;

        g_assert_no_error(error);
        node = fdt_node_offset_by_prop_value(fdt, -1, "device_type", "memory", 7);
        g_assert_cmpstr(fdt_get_name(fdt, node, NULL), ==, "memory@40000000");
        reg = fdt_getprop(fdt, node, "reg", &len);
        g_assert_cmpint(len, ==, cells * 8);
        g_assert_cmphex(fdt32_to_cpu(reg[cells - 1]), ==, 0x40000000);
        g_assert_cmphex(fdt32_to_cpu(reg[2 * cells - 1]), ==, 0x10000000);
        node = fdt_node_offset_by_prop_value(fdt, node, "device_type", "memory", 7);
        g_assert_cmpint(node, ==, -FDT_ERR_NOTFOUND);
    }
}

/* Done one by one, with all others moved each time, this took a minute, deaf to signals. */
static void dtb_many_memory_nodes(void)
{
    enum { N = 24000 };
    g_autofree void *dtb = g_malloc0(2 << 20), *fdt = NULL;
    GError *error = NULL;
    int node;

    fdt_create(dtb, 2 << 20);
    fdt_finish_reservemap(dtb);
    fdt_begin_node(dtb, "");
    fdt_property_u32(dtb, "#address-cells", 2);
    fdt_property_u32(dtb, "#size-cells", 2);
    for (unsigned i = 0; i < 2 * N; i++) {
        g_autofree char *name = g_strdup_printf("n%x", i);

        fdt_begin_node(dtb, name);
        fdt_property_string(dtb, i < N ? "x" : "device_type", "memory");
        fdt_end_node(dtb);
    }
    fdt_end_node(dtb);
    g_assert_cmpint(fdt_finish(dtb), ==, 0);
    fdt = arm_fdt_from_bytes(dtb, fdt_totalsize(dtb), 0x40000000, 0x10000000, &error);
    g_assert_no_error(error);
    node = fdt_node_offset_by_prop_value(fdt, -1, "device_type", "memory", 7);
    g_assert_cmpstr(fdt_get_name(fdt, node, NULL), ==, "memory@40000000");
    node = fdt_node_offset_by_prop_value(fdt, node, "device_type", "memory", 7);
    g_assert_cmpint(node, ==, -FDT_ERR_NOTFOUND);
}

static void dtb_fails(const void *data, size_t len, uint64_t ram_size, const char *text)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(arm_fdt_from_bytes(data, len, 0x40000000, ram_size, &error));
    g_assert_nonnull(error);
    g_assert_nonnull(strstr(error->message, text));
}

static void dtb_cells(void)
{
    static const unsigned bad[][2] = { { 0, 2 }, { 3, 2 }, { 2, 0 }, { 2, 4 } };

    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GByteArray) b = make_dtb(bad[i][0], bad[i][1]);

        dtb_fails(b->data, b->len, 1 << 20, "both must be 1 or 2");
    }
}

static void dtb_ram_too_large_for_cells(void)
{
    g_autoptr(GByteArray) b = make_dtb(1, 1);

    dtb_fails(b->data, b->len, 1ull << 33, "cannot hold");
}

static void dtb_size(void)
{
    g_autofree char *big = g_malloc0((2 << 20) + 1);

    dtb_fails(big, (2 << 20) + 1, 1 << 20, "at most 2 MiB");
}

static void dtb_truncated(void)
{
    g_autoptr(GByteArray) b = make_dtb(2, 2);

    for (unsigned len = 0; len < b->len; len++) {
        g_autofree void *exact = g_memdup2(b->data, len);

        dtb_fails(exact, len, 1 << 20, "is not a valid device tree");
    }
}

/* One damaged byte anywhere: accepted or refused, never a crash or an endless walk. */
static void dtb_damaged(void)
{
    g_autoptr(GByteArray) b = make_dtb(2, 2);

    for (unsigned n = 0; n < b->len * 8; n++) {
        g_autofree uint8_t *bad = g_memdup2(b->data, b->len);
        g_autofree void *fdt = NULL;

        bad[n / 8] ^= 1 << n % 8;
        fdt = arm_fdt_from_bytes(bad, b->len, 0x40000000, 1 << 20, NULL);
        if (fdt != NULL) {
            g_assert_cmpint(fdt_check_full(fdt, ARM_FDT_MAX), ==, 0);
        }
    }
}

static void dtb_bootargs(void)
{
    g_autoptr(GByteArray) b = make_dtb(2, 2);
    g_autofree void *fdt = arm_fdt_from_bytes(b->data, b->len, 0x40000000, 1 << 20, NULL);
    g_autofree char *long_args = g_strnfill(3 << 20, 'x');
    g_autoptr(GError) error = NULL;

    g_assert_true(arm_fdt_set_bootargs(fdt, "console=ttyAMA0", NULL));
    g_assert_cmpstr(fdt_getprop(fdt, fdt_path_offset(fdt, "/chosen"), "bootargs", NULL), ==,
                    "console=ttyAMA0");
    g_assert_false(arm_fdt_set_bootargs(fdt, long_args, &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *path;
        void (*fn)(void);
    } rules[] = {
        { "/image/header/fields-are-read", header_fields },
        { "/image/header/before-3.17-has-no-size", header_before_3_17 },
        { "/image/header/big-endian-is-refused", header_big_endian },
        { "/image/header/text-offset-is-checked", header_text_offset },
        { "/image/header/image-size-is-checked", header_image_size },
        { "/image/header/short-file-is-refused", header_short },
        { "/image/header/refusal-names-what-it-is", header_names_what_it_is },
        { "/image/header/random-bytes-are-answered", header_random },
        { "/image/load/plain", load_plain },
        { "/image/load/bare-program", load_bare_program },
        { "/image/load/gzip", load_gzip },
        { "/image/load/gzip-with-several-members", load_gzip_members },
        { "/image/load/gzip-member-across-input-blocks", load_gzip_straddling },
        { "/image/load/gzip-with-padding", load_gzip_padding },
        { "/image/load/truncated-gzip-is-refused", load_gzip_truncated },
        { "/image/load/damaged-gzip-is-refused", load_gzip_damaged },
        { "/image/load/endless-gzip-is-bounded", load_gzip_endless },
        { "/image/load/zboot-gzip", load_zboot },
        { "/image/load/zboot-of-other-kind-is-refused", load_zboot_other },
        { "/image/load/zboot-payload-range-is-checked", load_zboot_range },
        { "/image/load/larger-than-ram-is-refused", load_too_big },
        { "/image/load/text-offset-beyond-ram-is-refused", load_text_offset_beyond_ram },
        { "/image/load/appended-signature-is-taken", load_signature },
        { "/image/load/file-longer-than-ram-is-refused", load_file_longer_than_ram },
        { "/image/load/fills-ram-exactly", load_fills_ram_exactly },
        { "/loader/file/missing-is-named", file_missing },
        { "/loader/file/only-regular", file_not_regular },
        { "/loader/file/shrinking-is-noticed", file_shrinks },
        { "/loader/file/reads-to-its-end", file_reads_to_its_end },
        { "/dtb/memory-nodes-are-replaced", dtb_memory },
        { "/dtb/many-memory-nodes-are-no-hang", dtb_many_memory_nodes },
        { "/dtb/cells-are-checked", dtb_cells },
        { "/dtb/ram-too-large-for-its-cells-is-refused", dtb_ram_too_large_for_cells },
        { "/dtb/over-2-mib-is-refused", dtb_size },
        { "/dtb/truncated-is-refused", dtb_truncated },
        { "/dtb/damaged-byte-never-crashes", dtb_damaged },
        { "/dtb/bootargs-are-bounded", dtb_bootargs },
    };

    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(rules); i++) {
        g_test_add_func(rules[i].path, rules[i].fn);
    }
    return g_test_run();
}
