/* SPDX-License-Identifier: GPL-2.0-or-later
 * Android's boot images, bootconfig, and lz4 as kernels are packed with it.
 */
#include "hw/core/android-boot.h"

#include <lz4.h>
#include <lz4frame.h>
#include <string.h>

#include "hw/core/bootconfig.h"
#include "util/error.h"

enum { SIZE = 128 << 10 };

static void put(uint8_t *p, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++) {
        p[i] = value >> 8 * i;
    }
}

/* boot.img with a kernel of 5000 bytes and a ramdisk of 100 (source.android.com). */
static uint8_t *make_boot(unsigned version, unsigned page)
{
    uint8_t *p = g_malloc0(SIZE);

    memcpy(p, "ANDROID!", 8);
    put(p + 40, version);
    put(p + 8, 5000);
    if (version < 3) {
        put(p + 16, 100);
        put(p + 36, page);
        memset(p + 64, 'a', 512);
        strcpy((char *)p + 608, " more");
    } else {
        put(p + 12, 100);
        strcpy((char *)p + 44, "words");
    }
    return p;
}

static void check_part(const AndroidPart *part, uint64_t offset, uint64_t size)
{
    g_assert_cmpuint(part->offset, ==, offset);
    g_assert_cmpuint(part->size, ==, size);
}

static void test_boot_versions(void)
{
    for (unsigned version = 0; version <= 4; version++) {
        unsigned page = version < 3 ? 2048 : 4096;
        g_autofree uint8_t *data = make_boot(version, page);
        g_autoptr(LoaderStream) stream = loader_open_bytes(data, SIZE);
        AndroidImage image;

        g_assert_true(android_boot_parse(stream, &image, NULL));
        g_assert_cmpuint(image.version, ==, version);
        check_part(&image.kernel, page, 5000);
        g_assert_cmpuint(image.n_ramdisks, ==, 1);
        check_part(&image.ramdisks[0], page == 2048 ? 4 * 2048 : 3 * 4096, 100);
        if (version < 3) {
            g_assert_cmpuint(strlen(image.cmdline), ==, 512 + 5);
        } else {
            g_assert_cmpstr(image.cmdline, ==, "words");
        }
    }
}

/* vendor_boot.img 4: ramdisk of 300 bytes in three parts, the second for recovery. */
static uint8_t *make_vendor(unsigned version)
{
    uint8_t *p = g_malloc0(SIZE), *table = p + 4 * 4096;

    memcpy(p, "VNDRBOOT", 8);
    put(p + 8, version);
    put(p + 12, 4096);
    put(p + 24, 300);
    strcpy((char *)p + 28, "vendor words");
    put(p + 2100, 4097); /* device tree: two pages */
    if (version == 4) {
        put(p + 2112, 3 * 108);
        put(p + 2116, 3);
        put(p + 2120, 108);
        put(p + 2124, 20);
        for (unsigned i = 0; i < 3; i++) {
            put(table + i * 108, 100);
            put(table + i * 108 + 4, i * 100);
            put(table + i * 108 + 8, i + 1);
        }
    }
    return p;
}

static void test_vendor_boot(void)
{
    g_autofree uint8_t *three = make_vendor(3), *four = make_vendor(4);
    g_autoptr(LoaderStream) stream3 = loader_open_bytes(three, SIZE);
    g_autoptr(LoaderStream) stream4 = loader_open_bytes(four, SIZE);
    AndroidImage image;

    g_assert_true(android_vendor_boot_parse(stream3, &image, NULL));
    g_assert_cmpuint(image.n_ramdisks, ==, 1);
    check_part(&image.ramdisks[0], 4096, 300);
    g_assert_cmpstr(image.cmdline, ==, "vendor words");
    g_assert_true(android_vendor_boot_parse(stream4, &image, NULL));
    g_assert_cmpuint(image.n_ramdisks, ==, 2);
    check_part(&image.ramdisks[0], 4096, 100);
    check_part(&image.ramdisks[1], 4096 + 200, 100);
    check_part(&image.bootconfig, 5 * 4096, 20);
}

static void check_refused(uint8_t *data, size_t len, int code, const char *part)
{
    g_autoptr(LoaderStream) stream = loader_open_bytes(data, len);
    g_autoptr(GError) error = NULL;
    AndroidImage image;

    g_assert_false(data[0] == 'V' ? android_vendor_boot_parse(stream, &image, &error)
                                  : android_boot_parse(stream, &image, &error));
    g_assert_error(error, HUMPY_ERROR, code);
    if (strstr(error->message, part) == NULL) {
        g_error("'%s' does not say '%s'", error->message, part);
    }
}

static void test_refused(void)
{
    g_autofree uint8_t *old = make_boot(0, 2048), *boot = make_boot(4, 0), *vendor = make_vendor(4);

    put(old + 36, 3000);
    check_refused(old, SIZE, HUMPY_ERROR_RANGE, "pages of 3000 bytes");
    put(old + 36, 2048);
    check_refused(old, 1000, HUMPY_ERROR_RANGE, "ends within its header");
    put(old + 8, UINT32_MAX);
    check_refused(old, SIZE, HUMPY_ERROR_RANGE, "kernel of 4294967295 bytes at offset 2048");
    put(boot + 12, UINT32_MAX);
    check_refused(boot, SIZE, HUMPY_ERROR_RANGE, "ramdisk of 4294967295 bytes");
    put(boot + 40, 5);
    check_refused(boot, SIZE, HUMPY_ERROR_UNSUPPORTED, "header version 5; 0 to 4 are known");
    memcpy(boot, "ELF", 3);
    check_refused(boot, SIZE, HUMPY_ERROR_SYNTAX, "is not an Android boot image");
    put(vendor + 4 * 4096 + 108, 201);
    check_refused(vendor, SIZE, HUMPY_ERROR_RANGE, "ramdisk 1 at offset 100 with 201 bytes");
    put(vendor + 2116, 65);
    check_refused(vendor, SIZE, HUMPY_ERROR_RANGE, "for 65 ramdisks");
    put(vendor + 8, 2);
    check_refused(vendor, SIZE, HUMPY_ERROR_UNSUPPORTED, "header version 2; 3 to 4");
}

/* ---- bootconfig ---- */

static void test_bootconfig_accepted(void)
{
    static const char *const texts[] = {
        "",
        "\n",
        "# only a comment",
        "a",
        "a=b",
        "a.b.c = d\n",
        "a = b, c, \"d;e\", 'f'\n",
        "a { b = c; d }",
        "a {\n  b.c += d # comment\n  e := f\n}\n",
        "a =\n",
        "a = x,\n  y # z\nb = 1",
        "androidboot.hardware = humpy\nk-1_2 = v w\n",
        "a = 1\na += 2\na := 3\na { b = 1 }\na.c = 1\nb.a = 1\nb\n",
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL;

        bootconfig_check(texts[i], strlen(texts[i]), &error);
        g_assert_no_error(error);
    }
}

static void test_bootconfig_refused(void)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        { "a = b\n= c", "line 2: a key (letters" },
        { "a b", "line 1: '=', '+=', ':=' or '{' is expected behind a key" },
        { "a. = b", "line 1: a key (letters" },
        { "a = \"b", "line 1: a quote is not closed" },
        { "a = \"b\" c", "line 1: something follows a value" },
        { "a {\nb = c\n", "line 3: a brace is not closed" },
        { "a = 1\na = 2\n", "line 2: a key has a value already" },
        { "a.b { c = 1 }\na { b.c = 2 }", "line 2: a key has a value already" },
        { "a += 1; a = 2", "a key has a value already" },
        { "a }\n}", "a brace is closed that is not open" },
        { "a = \x01", "cannot be printed" },
        { "a{b{c{d{e{f{g{h{i{j{k{l{m{n{o{p{q{", "more than 16 levels" },
    };
    g_autofree char *big = g_strnfill(40000, '#');
    g_autoptr(GError) too_big = NULL;

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_false(bootconfig_check(cases[i].text, strlen(cases[i].text), &error));
        if (strstr(error->message, cases[i].message) == NULL) {
            g_error("'%s' does not say '%s'", error->message, cases[i].message);
        }
    }
    g_assert_false(bootconfig_check(big, strlen(big), &too_big));
    g_assert_error(too_big, HUMPY_ERROR, HUMPY_ERROR_RANGE);
}

/* bootconfig.rst, "Boot Kernel With a Boot Config": size and sum cover text and padding. */
static void test_bootconfig_tail(void)
{
    g_autoptr(GBytes) tail = bootconfig_tail("a=b\nc\n", 6, 1001);
    gsize len;
    const uint8_t *p = g_bytes_get_data(tail, &len);

    g_assert_cmpmem(p, len,
                    "\0\0\0a=b\nc\n\0\0\x08\0\0\0"
                    "\x77\1\0\0#BOOTCONFIG\n",
                    3 + 8 + 20);
}

/* ---- lz4 ---- */

static void check_unpacks(const uint8_t *packed, size_t len, const uint8_t *plain, size_t plain_len)
{
    g_autoptr(LoaderStream) stream = loader_open_bytes(packed, len);
    g_autoptr(GError) error = NULL;
    g_autofree uint8_t *buf = g_malloc(plain_len + 1);
    size_t got, first;

    g_assert_true(loader_is_lz4(packed, len));
    g_assert_true(loader_select_lz4(stream, 0, len, &error));
    g_assert_true(loader_read(stream, buf, 10, &first, &error));
    g_assert_true(loader_read(stream, buf + first, plain_len + 1 - first, &got, &error));
    g_assert_cmpmem(buf, first + got, plain, plain_len);
}

static void check_damaged(const uint8_t *packed, size_t len)
{
    g_autoptr(LoaderStream) stream = loader_open_bytes(packed, len);
    g_autoptr(GError) error = NULL;
    g_autofree uint8_t *buf = g_malloc(1 << 20);
    size_t got;

    g_assert_true(loader_select_lz4(stream, 0, len, &error));
    g_assert_false(loader_read(stream, buf, 1 << 20, &got, &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE);
}

static void test_lz4(void)
{
    enum { PLAIN = 200000 };
    g_autofree uint8_t *plain = g_malloc(PLAIN), *packed = g_malloc(2 * PLAIN);
    size_t len;

    for (unsigned i = 0; i < PLAIN; i++) {
        plain[i] = i * i >> 8;
    }
    len = LZ4F_compressFrame(packed, 2 * PLAIN, plain, PLAIN, NULL);
    check_unpacks(packed, len, plain, PLAIN);
    check_damaged(packed, len / 2);
    /* legacy: two blocks, then the whole length */
    put(packed, 0x184c2102);
    len = LZ4_compress_default((char *)plain, (char *)packed + 8, PLAIN - 100, PLAIN);
    put(packed + 4, len);
    check_damaged(packed, len);
    len += 8;
    put(packed + len,
        LZ4_compress_default((char *)plain + PLAIN - 100, (char *)packed + len + 4, 100, 1000));
    len += 4 + packed[len];
    check_unpacks(packed, len, plain, PLAIN);
    put(packed + len, PLAIN);
    check_unpacks(packed, len + 4, plain, PLAIN);
    put(packed + 4, UINT32_MAX);
    check_damaged(packed, len);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/android-boot/boot/versions-0-to-4", test_boot_versions);
    g_test_add_func("/android-boot/vendor-boot/leaves-recovery-out", test_vendor_boot);
    g_test_add_func("/android-boot/refused", test_refused);
    g_test_add_func("/bootconfig/accepted", test_bootconfig_accepted);
    g_test_add_func("/bootconfig/refused", test_bootconfig_refused);
    g_test_add_func("/bootconfig/tail", test_bootconfig_tail);
    g_test_add_func("/loader/lz4", test_lz4);
    return g_test_run();
}
