/* SPDX-License-Identifier: GPL-2.0-or-later
 * ACPI tables: how they hang together, and what the reference compiler thinks of them (iasl, of
 * Debian's acpica-tools; skipped without).
 */
#include <glib/gstdio.h>
#include <string.h>

#include "hw/acpi/aml.h"
#include "hw/acpi/pm.h"
#include "hw/acpi/tables.h"
#include "util/error.h"

enum { ADDR = 0xe0000, MAX = 0x20000 };

static const AcpiVirtio virtio[] = { { 0xfeb00000, 0x200, 16 }, { 0xfeb00200, 0x200, 17 } };
static const AcpiPci pci = {
    .ecam = 0xe0000000,
    .ecam_size = 0x10000000,
    .mem = 0xc0000000,
    .mem_size = 0x20000000,
    .mem64 = UINT64_C(0x4000000000),
    .mem64_size = UINT64_C(0x4000000000),
    .gsi = { 12, 13, 14, 15 },
};
static const AcpiBoard whole = {
    .n_cpus = 4,
    .lapic = 0xfee00000,
    .ioapic = 0xfec00000,
    .pic = true,
    .overrides = { { 0, 2, false }, { 9, 9, true }, { 12, 12, true } },
    .n_overrides = 3,
    .sci = 9,
    .pm = 0x600,
    .keyboard = true,
    .rtc = true,
    .fw_cfg = 0x510,
    .pvpanic = 0x505,
    .com = { { 0x3f8, 4 }, { 0x2f8, 3 }, { 0x3e8, 4 }, { 0x2e8, 3 } },
    .virtio = virtio,
    .n_virtio = G_N_ELEMENTS(virtio),
    .pci = &pci,
};
static const AcpiBoard bare = {
    .n_cpus = 1, .lapic = 0xfee00000, .ioapic = 0xfec00000, .sci = 9, .pm = 0x600
};

static uint64_t number(const uint8_t *at, unsigned size)
{
    uint64_t value = 0;

    memcpy(&value, at, size);
    return GUINT64_FROM_LE(value);
}

static GBytes *build(const AcpiBoard *board)
{
    g_autoptr(GError) error = NULL;
    GBytes *blob = acpi_tables_build(board, ADDR, MAX, &error);

    g_assert_no_error(error);
    return blob;
}

static unsigned sum(const uint8_t *data, size_t size)
{
    uint8_t total = 0;

    for (size_t i = 0; i < size; i++) {
        total += data[i];
    }
    return total;
}

/* The table at guest address addr, whole and with a right checksum. */
static const uint8_t *table_at(GBytes *blob, uint64_t addr, size_t *size)
{
    size_t total;
    const uint8_t *data = g_bytes_get_data(blob, &total);

    g_assert_cmphex(addr, >=, ADDR);
    g_assert_cmphex(addr + 36, <=, ADDR + total);
    *size = number(data + (addr - ADDR) + 4, 4);
    g_assert_cmphex(addr + *size, <=, ADDR + total);
    g_assert_cmpuint(sum(data + (addr - ADDR), *size), ==, 0);
    return data + (addr - ADDR);
}

/* By its signature, through RSDP and XSDT as a kernel goes; NULL: not listed. */
static const uint8_t *find(GBytes *blob, const char *signature, size_t *size)
{
    const uint8_t *rsdp = g_bytes_get_data(blob, NULL), *xsdt;
    size_t xsdt_size;

    g_assert_cmpmem(rsdp, 8, "RSD PTR ", 8);
    g_assert_cmpuint(sum(rsdp, 20), ==, 0);
    g_assert_cmpuint(sum(rsdp, 36), ==, 0);
    xsdt = table_at(blob, number(rsdp + 24, 8), &xsdt_size);
    for (size_t at = 36; at < xsdt_size; at += 8) {
        const uint8_t *table = table_at(blob, number(xsdt + at, 8), size);

        if (memcmp(table, signature, 4) == 0) {
            return table;
        }
    }
    return NULL;
}

static void fadt(void)
{
    g_autoptr(GBytes) blob = build(&whole);
    size_t size, dsdt_size;
    const uint8_t *t = find(blob, "FACP", &size), *facs;

    g_assert_cmpuint(size, ==, 276);
    g_assert_cmpmem(table_at(blob, number(t + 140, 8), &dsdt_size), 4, "DSDT", 4);
    g_assert_cmphex(number(t + 40, 4), ==, number(t + 140, 8));
    facs = (const uint8_t *)g_bytes_get_data(blob, NULL) + (number(t + 36, 4) - ADDR);
    g_assert_cmpmem(facs, 4, "FACS", 4);
    g_assert_cmphex(number(t + 36, 4) % 64, ==, 0);
    g_assert_cmphex(number(t + 46, 2), ==, 9);
    g_assert_cmphex(number(t + 56, 4), ==, 0x600);
    g_assert_cmphex(number(t + 64, 4), ==, 0x604);
    g_assert_cmphex(number(t + 76, 4), ==, 0x608);
    g_assert_cmphex(number(t + 112, 4) & (1 << 10), !=, 0); /* may be reset by: */
    g_assert_cmphex(number(t + 116, 4), ==, 0x01000801);
    g_assert_cmphex(number(t + 120, 8), ==, 0x600 + ACPI_PM_RESET);
    g_assert_cmphex(t[128], ==, ACPI_PM_RESET_VALUE);
    g_assert_cmphex(number(t + 152, 8), ==, 0x600); /* behind its space, width, access */
    g_assert_cmphex(number(t + 176, 8), ==, 0x604);
    g_assert_cmphex(number(t + 212, 8), ==, 0x608);
}

static void madt(void)
{
    g_autoptr(GBytes) blob = build(&whole);
    size_t size, at = 44;
    const uint8_t *t = find(blob, "APIC", &size);
    unsigned seen[16] = { 0 };

    g_assert_cmphex(number(t + 36, 4), ==, 0xfee00000);
    g_assert_cmphex(number(t + 40, 4), ==, 1);
    while (at + 2 <= size) {
        g_assert_cmpuint(t[at], <, G_N_ELEMENTS(seen));
        seen[t[at]]++;
        g_assert_cmpuint(t[at + 1], >=, 6);
        at += t[at + 1];
    }
    g_assert_cmpuint(at, ==, size);
    g_assert_cmpuint(seen[0], ==, 4);
    g_assert_cmpuint(seen[1], ==, 1);
    g_assert_cmpuint(seen[2], ==, 3);
    g_assert_cmpuint(seen[4], ==, 1);
}

static void many_cpus(void)
{
    AcpiBoard board = whole;
    g_autoptr(GBytes) blob = NULL;
    size_t size;
    const uint8_t *t;

    board.n_cpus = 257;
    blob = build(&board);
    t = find(blob, "APIC", &size) + 44 + 255 * 8;
    g_assert_cmpuint(t[0], ==, 9);
    g_assert_cmpuint(number(t + 4, 4), ==, 255);
    g_assert_cmpuint(number(t + 16 + 4, 4), ==, 256);
}

static void mcfg(void)
{
    g_autoptr(GBytes) with = build(&whole), without = build(&bare);
    size_t size;
    const uint8_t *t = find(with, "MCFG", &size);

    g_assert_cmpuint(size, ==, 60);
    g_assert_cmphex(number(t + 44, 8), ==, 0xe0000000);
    g_assert_cmphex(t[55], ==, 0xff);
    g_assert_null(find(without, "MCFG", &size));
}

static void no_space(void)
{
    g_autoptr(GBytes) blob = build(&whole);
    size_t need = g_bytes_get_size(blob);

    for (size_t max = 0; max < need; max += 7) {
        g_autoptr(GError) error = NULL;

        g_assert_null(acpi_tables_build(&whole, ADDR, max, &error));
        g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE);
    }
    g_bytes_unref(acpi_tables_build(&whole, ADDR, need, NULL));
}

/* ---- the language ---- */

static void expect(Aml *aml, const char *bytes, size_t size)
{
    g_autoptr(GBytes) blob = aml_finish(aml, NULL);

    g_assert_cmpmem(g_bytes_get_data(blob, NULL), g_bytes_get_size(blob), bytes, size);
}

static void lengths(void)
{
    static const size_t sizes[] = { 0,    55,   56,    58,    59,    60,      61,      255,
                                    4000, 4090, 65535, 65536, 80000, 1 << 19, 1 << 20, 3 << 20 };
    g_autofree uint8_t *zeroes = g_malloc0(3 << 20);

    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
        Aml *aml = aml_new(SIZE_MAX);
        g_autoptr(GBytes) blob = NULL;
        const uint8_t *b;
        size_t size, length;

        aml_buffer(aml, zeroes, sizes[i]);
        blob = aml_finish(aml, NULL);
        b = g_bytes_get_data(blob, &size);
        length = b[1] >> 6 == 0 ? b[1] : b[1] & 0xf;
        for (unsigned k = 0; k < b[1] >> 6; k++) {
            length |= (size_t)b[2 + k] << (4 + 8 * k);
        }
        g_assert_cmpuint(length, ==, size - 1);
        g_assert_true(b[1] >> 6 != 0 || (b[1] & 0x3f) == b[1]);
    }
}

static void encodings(void)
{
    Aml *aml = aml_new(100);

    aml_int(aml, 0);
    aml_int(aml, 1);
    aml_int(aml, 0xff);
    aml_int(aml, 0x100);
    aml_int(aml, 0x10000);
    aml_int(aml, UINT64_C(0x100000000));
    expect(aml, "\0\1\x0a\xff\x0b\0\1\x0c\0\0\1\0\x0e\0\0\0\0\1\0\0\0", 21);
    aml = aml_new(100);
    aml_eisa_id(aml, "PNP0A03");
    aml_path(aml, "\\_SB.PCI0");
    aml_path(aml, "A.B.C");
    expect(aml,
           "\x0c\x41\xd0\x0a\x03\\\x2e"
           "_SB_PCI0\x2f\3A___B___C___",
           29);
    aml = aml_new(100);
    aml_uuid(aml, "33db4d5b-1ff7-401c-9657-7441c03dd766");
    expect(aml, "\x11\x13\x0a\x10\x5b\x4d\xdb\x33\xf7\x1f\x1c\x40\x96\x57\x74\x41\xc0\x3d\xd7\x66",
           20);
}

/* ---- the reference compiler ---- */

/* What it says of file, with option. */
static char *iasl(const char *dir, const char *option, const char *file)
{
    const char *argv[] = { "iasl", option, file, NULL };
    g_autofree char *out = NULL, *err = NULL;
    g_autoptr(GError) error = NULL;
    int status;

    g_assert_true(g_spawn_sync(dir, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &out,
                               &err, &status, &error));
    g_test_message("iasl %s %s: %s%s", option, file, out, err);
    g_assert_true(g_spawn_check_wait_status(status, NULL));
    return g_strconcat(out, err, NULL);
}

/* Takes the table apart and puts it together again. */
static void check(const char *dir, const char *signature)
{
    g_autofree char *binary = g_strconcat(signature, ".bin", NULL);
    g_autofree char *source = g_strconcat(signature, ".dsl", NULL);
    g_autofree char *apart = iasl(dir, "-d", binary), *together = iasl(dir, "-vo", source);

    g_assert_null(strstr(apart, "Warning"));
    g_assert_null(strstr(apart, "Invalid"));
    g_assert_null(strstr(apart, "rror"));
    g_assert_nonnull(strstr(together, "0 Errors, 0 Warnings, 0 Remarks"));
}

static void put_file(const char *dir, const char *name, const void *data, size_t size)
{
    g_autofree char *path = g_build_filename(dir, name, NULL);

    g_assert_true(g_file_set_contents(path, data, size, NULL));
}

static void remove_dir(const char *path)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    const char *name;

    while ((name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *file = g_build_filename(path, name, NULL);

        g_unlink(file);
    }
    g_rmdir(path);
}

static void compiles(gconstpointer board)
{
    static const char *const signatures[] = { "FACP", "APIC", "MCFG" };
    g_autofree char *program = g_find_program_in_path("iasl");
    g_autofree char *dir = NULL;
    g_autoptr(GBytes) blob = build(board);
    const uint8_t *t;
    size_t size;

    if (program == NULL) {
        g_test_skip("no iasl");
        return;
    }
    dir = g_dir_make_tmp("test-acpi-XXXXXX", NULL);
    t = table_at(blob, number(find(blob, "FACP", &size) + 140, 8), &size);
    put_file(dir, "DSDT.bin", t, size);
    check(dir, "DSDT");
    for (unsigned i = 0; i < G_N_ELEMENTS(signatures); i++) {
        g_autofree char *name = g_strconcat(signatures[i], ".bin", NULL);

        t = find(blob, signatures[i], &size);
        if (t != NULL) {
            put_file(dir, name, t, size);
            check(dir, signatures[i]);
        }
    }
    remove_dir(dir);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/acpi/tables/fadt", fadt);
    g_test_add_func("/acpi/tables/madt", madt);
    g_test_add_func("/acpi/tables/madt-beyond-254-cpus", many_cpus);
    g_test_add_func("/acpi/tables/mcfg-only-with-pci", mcfg);
    g_test_add_func("/acpi/tables/no-space-is-an-error", no_space);
    g_test_add_func("/acpi/aml/lengths", lengths);
    g_test_add_func("/acpi/aml/encodings", encodings);
    g_test_add_data_func("/acpi/iasl/whole-board", &whole, compiles);
    g_test_add_data_func("/acpi/iasl/bare-board", &bare, compiles);
    return g_test_run();
}
