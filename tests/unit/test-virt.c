/* SPDX-License-Identifier: GPL-2.0-or-later
 * The virt machine as the system layer and a guest see it: memory map and device tree (those QEMU
 * documents for its virt board), -device, refused properties, boot hand-over.
 */
#include <glib/gstdio.h>
#include <libfdt.h>
#include <string.h>

#include "hw/arm/virt.h"
#include "hw/core/bus.h"
#include "hw/core/device-add.h"
#include "hw/virtio/virtio-mmio.h"
#include "test-accel-double.h"
#include "util/error.h"

enum { MIB = 1 << 20, KERNEL_LEN = 8192 };

typedef struct {
    Machine *m;
    MachineConfig config;
    char *dir, *kernel, *dump;
    void *fdt;
} Bench;

static void set_up(Bench *b, gconstpointer data)
{
    uint8_t image[KERNEL_LEN] = {};
    uint64_t words[] = { 0, GUINT64_TO_LE(MIB), GUINT64_TO_LE(2) };

    memcpy(image, "\x14\x15\x16\x17", 4);
    memcpy(image + 8, words, sizeof(words));
    memcpy(image + 56, "ARM\x64", 4);
    b->dir = g_dir_make_tmp("virt-XXXXXX", NULL);
    b->kernel = g_build_filename(b->dir, "kernel", NULL);
    b->dump = g_build_filename(b->dir, "dump", NULL);
    g_assert_true(g_file_set_contents(b->kernel, (char *)image, sizeof(image), NULL));
    b->m = machine_new("virt", NULL);
    g_assert_nonnull(b->m);
    b->config = (MachineConfig){ .kernel = b->kernel, .smp = 2, .name = "test" };
}

static void tear_down(Bench *b, gconstpointer data)
{
    machine_finish(b->m);
    g_object_unref(b->m);
    g_unlink(b->kernel);
    g_unlink(b->dump);
    g_rmdir(b->dir);
    g_free(b->kernel);
    g_free(b->dump);
    g_free(b->dir);
    g_free(b->fdt);
}

static bool init(Bench *b, const char *accel, GError **error)
{
    g_autoptr(Accel) a = accel_double_new(accel);

    machine_set_accel(b->m, a);
    machine_set_config(b->m, &b->config);
    return machine_init(b->m, error);
}

static void starts(Bench *b)
{
    g_autoptr(GError) error = NULL;

    init(b, "double", &error);
    g_assert_no_error(error);
}

static void check(GError *error, int code, const char *text)
{
    g_assert_error(error, HUMPY_ERROR, code);
    g_test_message("%s", error->message);
    g_assert_nonnull(strstr(error->message, text));
    g_assert_null(strchr(error->message, '\n'));
}

static void init_fails(Bench *b, const char *accel, int code, const char *text)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(init(b, accel, &error));
    check(error, code, text);
}

static uint32_t rd(Bench *b, uint64_t addr)
{
    uint64_t value = 0;

    g_assert_cmpuint(address_space_ld(machine_memory(b->m), addr, 4, &value), ==, MEMTX_OK);
    return value;
}

/* ---- memory map ---- */

static void map_devices(Bench *b, gconstpointer data)
{
    uint64_t value;

    starts(b);
    g_assert_cmphex(rd(b, 0x09000fe0), ==, 0x11);
    g_assert_cmphex(rd(b, 0x09010fe0), ==, 0x31);
    for (unsigned i = 0; i < 32; i++) {
        g_assert_cmphex(rd(b, 0x0a000000 + i * 0x200), ==, 0x74726976); /* "virt" */
        g_assert_cmphex(rd(b, 0x0a000008 + i * 0x200), ==, 0);          /* no device */
    }
    g_assert_cmpuint(address_space_ld(machine_memory(b->m), 0x0a004000, 4, &value), !=, MEMTX_OK);
}

static void map_ram(Bench *b, gconstpointer data)
{
    AddressSpace *as;

    b->config.ram_size = 64 * MIB;
    starts(b);
    as = machine_memory(b->m);
    g_assert_true(address_space_access_valid(as, 0x40000000, 64 * MIB, true));
    g_assert_false(address_space_access_valid(as, 0x40000000, 64 * MIB + 1, true));
    g_assert_false(address_space_access_valid(as, 0x3fffffff, 1, true));
}

static void map_default_ram(Bench *b, gconstpointer data)
{
    starts(b);
    g_assert_true(address_space_access_valid(machine_memory(b->m), 0x40000000, 128 * MIB, true));
    g_assert_false(
        address_space_access_valid(machine_memory(b->m), 0x40000000 + 128 * MIB, 1, true));
}

/* ---- device tree ---- */

/* Boots with dumpdtb; the tree is in b->fdt. */
static void dump(Bench *b)
{
    g_autoptr(GError) error = NULL;
    gsize len;

    b->config.dumpdtb = b->dump;
    starts(b);
    machine_boot(b->m, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(accel_double.starts, ==, 0);
    g_assert_true(g_file_get_contents(b->dump, (char **)&b->fdt, &len, NULL));
    g_assert_cmpint(fdt_check_full(b->fdt, len), ==, 0);
}

static int node(Bench *b, const char *path)
{
    int offset = fdt_path_offset(b->fdt, path);

    g_assert_cmpint(offset, >=, 0);
    return offset;
}

static void prop_cells(Bench *b, const char *path, const char *name, unsigned n,
                       const uint32_t *want)
{
    int len;
    const fdt32_t *got = fdt_getprop(b->fdt, node(b, path), name, &len);

    g_assert_cmpint(len, ==, n * 4);
    for (unsigned i = 0; i < n; i++) {
        g_assert_cmphex(fdt32_ld(got + i), ==, want[i]);
    }
}

#define CELLS(b, path, name, ...)                                                                  \
    prop_cells(b, path, name, sizeof((uint32_t[]){ __VA_ARGS__ }) / 4,                             \
               (const uint32_t[]){ __VA_ARGS__ })

static const char *prop_string(Bench *b, const char *path, const char *name)
{
    return fdt_getprop(b->fdt, node(b, path), name, NULL);
}

static bool compatible(Bench *b, const char *path, const char *name)
{
    return fdt_node_check_compatible(b->fdt, node(b, path), name) == 0;
}

static void fdt_devices(Bench *b, gconstpointer data)
{
    dump(b);
    g_assert_true(compatible(b, "/", "linux,dummy-virt"));
    g_assert_true(compatible(b, "/pl011@9000000", "arm,pl011"));
    g_assert_true(compatible(b, "/pl011@9000000", "arm,primecell"));
    CELLS(b, "/pl011@9000000", "reg", 0, 0x09000000, 0, 0x1000);
    CELLS(b, "/pl011@9000000", "interrupts", 0, 1, 4);
    g_assert_true(compatible(b, "/pl031@9010000", "arm,pl031"));
    CELLS(b, "/pl031@9010000", "reg", 0, 0x09010000, 0, 0x1000);
    CELLS(b, "/pl031@9010000", "interrupts", 0, 2, 4);
    g_assert_true(compatible(b, "/apb-pclk", "fixed-clock"));
    g_assert_true(compatible(b, "/timer", "arm,armv8-timer"));
    CELLS(b, "/timer", "interrupts", 1, 13, 4, 1, 14, 4, 1, 11, 4, 1, 10, 4);
    g_assert_true(compatible(b, "/psci", "arm,psci-1.0"));
    g_assert_cmpstr(prop_string(b, "/psci", "method"), ==, "hvc");
}

static void fdt_gic(Bench *b, gconstpointer data)
{
    uint32_t phandle;

    b->config.smp = 3;
    dump(b);
    g_assert_true(compatible(b, "/intc@8000000", "arm,gic-v3"));
    CELLS(b, "/intc@8000000", "reg", 0, 0x08000000, 0, 0x10000, 0, 0x080a0000, 0, 0x60000);
    CELLS(b, "/intc@8000000", "#interrupt-cells", 3);
    phandle = fdt_get_phandle(b->fdt, node(b, "/intc@8000000"));
    CELLS(b, "/", "interrupt-parent", phandle);
    g_assert_cmpstr(accel_double.gic_path, ==, "/intc@8000000");
}

static void fdt_cpus(Bench *b, gconstpointer data)
{
    b->config.smp = 8;
    b->config.cpu_type = "cortex-a72";
    dump(b);
    for (uint32_t i = 0; i < 8; i++) {
        g_autofree char *path = g_strdup_printf("/cpus/cpu@%x", i);

        CELLS(b, path, "reg", i);
        g_assert_cmpstr(prop_string(b, path, "device_type"), ==, "cpu");
        g_assert_cmpstr(prop_string(b, path, "enable-method"), ==, "psci");
        g_assert_true(compatible(b, path, "arm,cortex-a72"));
    }
    g_assert_cmpint(fdt_path_offset(b->fdt, "/cpus/cpu@8"), ==, -FDT_ERR_NOTFOUND);
}

static void fdt_memory(Bench *b, gconstpointer data)
{
    int offset;

    b->config.ram_size = 100 * MIB;
    dump(b);
    CELLS(b, "/memory@40000000", "reg", 0, 0x40000000, 0, 100 * MIB);
    offset = fdt_node_offset_by_prop_value(b->fdt, -1, "device_type", "memory", 7);
    g_assert_cmpint(offset, ==, node(b, "/memory"));
    offset = fdt_node_offset_by_prop_value(b->fdt, offset, "device_type", "memory", 7);
    g_assert_cmpint(offset, ==, -FDT_ERR_NOTFOUND);
}

/* From the highest address down, so that the first -device is the guest's first. */
static void fdt_transports(Bench *b, gconstpointer data)
{
    uint32_t expect = 31;
    int offset = -1;

    dump(b);
    while ((offset = fdt_node_offset_by_compatible(b->fdt, offset, "virtio,mmio")) >= 0) {
        char path[64];

        g_assert_cmpint(fdt_get_path(b->fdt, offset, path, sizeof(path)), ==, 0);
        CELLS(b, path, "reg", 0, 0x0a000000 + expect * 0x200, 0, 0x200);
        CELLS(b, path, "interrupts", 0, 16 + expect, 1);
        expect--;
    }
    g_assert_cmphex(expect, ==, UINT32_MAX);
}

static void fdt_chosen(Bench *b, gconstpointer data)
{
    int len;

    b->config.append = "console=ttyAMA0 root=/dev/vda";
    dump(b);
    g_assert_cmpstr(prop_string(b, "/chosen", "stdout-path"), ==, "/pl011@9000000");
    g_assert_cmpstr(prop_string(b, "/chosen", "bootargs"), ==, b->config.append);
    fdt_getprop(b->fdt, node(b, "/chosen"), "kaslr-seed", &len);
    g_assert_cmpint(len, ==, 8);
    fdt_getprop(b->fdt, node(b, "/chosen"), "rng-seed", &len);
    g_assert_cmpint(len, ==, 32);
    g_assert_null(fdt_getprop(b->fdt, node(b, "/chosen"), "linux,initrd-start", NULL));
}

static void fdt_without_seeds(Bench *b, gconstpointer data)
{
    g_assert_true(props_set_str(G_OBJECT(b->m), "dtb-randomness", "off", NULL));
    dump(b);
    g_assert_null(fdt_getprop(b->fdt, node(b, "/chosen"), "kaslr-seed", NULL));
    g_assert_null(fdt_getprop(b->fdt, node(b, "/chosen"), "rng-seed", NULL));
}

static void dump_needs_no_kernel(Bench *b, gconstpointer data)
{
    b->config.kernel = NULL;
    dump(b);
    g_assert_true(compatible(b, "/", "linux,dummy-virt"));
}

static void dump_names_the_file(Bench *b, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    b->config.dumpdtb = "/nonexistent/x.dtb";
    starts(b);
    g_assert_false(machine_boot(b->m, &error));
    check(error, HUMPY_ERROR_HOST, "-machine dumpdtb=/nonexistent/x.dtb: ");
}

/* ---- boot ---- */

static void boot_hands_over(Bench *b, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    starts(b);
    machine_boot(b->m, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(accel_double.starts, ==, 1);
    g_assert_cmphex(accel_double.boot.entry, ==, 0x40000000);
    g_assert_cmphex(accel_double.boot.ram_base, ==, 0x40000000);
    g_assert_cmphex(rd(b, 0x40000000), ==, 0x17161514);
    g_assert_cmphex(rd(b, accel_double.boot.dtb_gpa), ==, GUINT32_FROM_BE(0xd00dfeed));
    machine_finish(b->m);
    g_assert_cmpuint(accel_double.teardowns, ==, 1);
}

static void boot_needs_kernel(Bench *b, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    b->config.kernel = NULL;
    starts(b);
    g_assert_false(machine_boot(b->m, &error));
    check(error, HUMPY_ERROR_MISSING, "-kernel: is missing");
    g_assert_cmpuint(accel_double.starts, ==, 0);
}

static void boot_options_need_kernel(Bench *b, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    b->config.kernel = NULL;
    b->config.initrd = "x";
    starts(b);
    g_assert_false(machine_boot(b->m, &error));
    check(error, HUMPY_ERROR_MISSING, "-initrd: is allowed only with -kernel");
}

/* ---- interrupts ---- */

static bool connected(int line)
{
    for (unsigned i = 0; i < accel_double.lines->len; i++) {
        if (g_array_index(accel_double.lines, int, i) == line) {
            return true;
        }
    }
    return false;
}

static void irq_serial(Bench *b, gconstpointer data)
{
    AddressSpace *as;

    starts(b);
    as = machine_memory(b->m);
    g_assert_true(connected(1));
    g_assert_true(connected(2));
    g_assert_true(connected(7));
    g_assert_cmpuint(accel_double.lines->len, ==, 3);
    address_space_st(as, 0x09000038, 4, 0x20);
    address_space_st(as, 0x09000000, 4, 'x');
    g_assert_cmphex(accel_double.levels, ==, 1 << 1);
    machine_reset(b->m);
    g_assert_cmphex(accel_double.levels, ==, 0);
}

/* The guest has set the pin to interrupt on its rising edge, as Linux' gpio-keys does. */
static void irq_power_button(Bench *b, gconstpointer data)
{
    AddressSpace *as;

    starts(b);
    as = machine_memory(b->m);
    address_space_st(as, 0x0903040c, 4, 1 << 3);
    address_space_st(as, 0x09030410, 4, 1 << 3);
    machine_powerdown(b->m);
    g_assert_cmphex(accel_double.levels, ==, 1 << 7);
    g_assert_cmphex(rd(b, 0x090303fc), ==, 1 << 3);
    machine_reset(b->m);
    g_assert_cmphex(accel_double.levels, ==, 0);
    g_assert_cmphex(rd(b, 0x090303fc), ==, 0);
}

static void roms(Bench *b, gconstpointer data)
{
    g_autoptr(GString) out = g_string_new(NULL);

    starts(b);
    g_assert_true(machine_boot(b->m, NULL));
    machine_print_roms(b->m, out);
    g_assert_nonnull(strstr(out->str, b->kernel));
    g_assert_nonnull(strstr(out->str, "name=\"dtb\"\n"));
    machine_finish(b->m);
    g_string_truncate(out, 0);
    machine_print_roms(b->m, out);
    g_assert_cmpuint(out->len, ==, 0);
}

/* ---- -device ---- */

static void plug(Bench *b, const char *bus, GError **error)
{
    g_autoptr(Device) dev = device_new("virtio-rng-device", NULL);

    g_assert_nonnull(dev);
    g_assert_true(device_plug(dev, bus, error) == (*error == NULL));
}

static void plug_order(Bench *b, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    starts(b);
    plug(b, NULL, &error);
    plug(b, NULL, &error);
    g_assert_no_error(error);
    g_assert_cmphex(rd(b, 0x0a003e08), ==, 4);
    g_assert_cmphex(rd(b, 0x0a003c08), ==, 4);
    g_assert_cmphex(rd(b, 0x0a003a08), ==, 0);
    g_assert_true(connected(-(16 + 31) - 1));
    g_assert_true(connected(-(16 + 30) - 1));
    g_assert_cmpuint(accel_double.lines->len, ==, 5);
}

static void plug_on_bus(Bench *b, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    starts(b);
    plug(b, "virtio-mmio-bus.3", &error);
    g_assert_no_error(error);
    g_assert_cmphex(rd(b, 0x0a000608), ==, 4);
    plug(b, "virtio-mmio-bus.3", &error);
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT);
}

static void plug_on_no_bus(Bench *b, gconstpointer data)
{
    static const char *const bad[] = { "pcie.1", "virtio-mmio-bus.32", "virtio-mmio-bus.",
                                       "virtio-mmio-bus.-1" };

    starts(b);
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;

        plug(b, bad[i], &error);
        check(error, HUMPY_ERROR_UNKNOWN, "virtio-mmio-bus.0 to virtio-mmio-bus.31");
    }
}

static void plug_full(Bench *b, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    starts(b);
    for (unsigned i = 0; i < 32; i++) {
        plug(b, NULL, &error);
        g_assert_no_error(error);
    }
    plug(b, NULL, &error);
    check(error, HUMPY_ERROR_CONFLICT, "are full");
}

static void plug_board_device(Bench *b, gconstpointer data)
{
    g_autoptr(Device) dev = device_new("pl031", NULL);
    g_autoptr(GError) error = NULL;

    starts(b);
    g_assert_false(device_plug(dev, NULL, &error));
    check(error, HUMPY_ERROR_UNSUPPORTED, "part of the machine");
}

/* ---- garbage from the guest ---- */

/* Any access of any size anywhere in the devices is answered. The transports carry a device. */
static void random_accesses(Bench *b, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    AddressSpace *as;

    starts(b);
    as = machine_memory(b->m);
    plug(b, NULL, &error);
    g_assert_no_error(error);
    for (unsigned i = 0; i < 200000; i++) {
        static const uint64_t bases[] = { 0x09000000, 0x09010000, 0x0a003e00, 0x0a000000 };
        uint64_t addr = bases[g_test_rand_int_range(0, 4)];
        unsigned size = 1 << g_test_rand_int_range(0, 4);
        uint64_t value = (uint64_t)g_test_rand_int() << 32 | (uint32_t)g_test_rand_int();

        /* Half of them where the registers are. */
        addr += g_test_rand_int_range(0, i % 2 ? 0x100 : 0x2000);
        if (g_test_rand_bit()) {
            address_space_st(as, addr, size, value >> g_test_rand_int_range(0, 64));
        } else {
            address_space_ld(as, addr, size, &value);
        }
    }
    machine_reset(b->m);
    g_assert_cmphex(rd(b, 0x09000030), ==, 0x300);
}

/* ---- refused ---- */

static void refused_properties(Bench *b, gconstpointer data)
{
    static const char *const rows[][2] = {
        { "gic-version", "2" },
        { "gic-version", "4" },
        { "its", "on" },
        { "secure", "on" },
        { "virtualization", "on" },
        { "acpi", "on" },
        { "iommu", "smmuv3" },
        { "usb", "on" },
        { "mte", "on" },
        { "ras", "on" },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(Machine) m = g_steal_pointer(&b->m);
        g_autofree char *text = g_strdup_printf("%s=%s", rows[i][0], rows[i][1]);

        machine_finish(m);
        b->m = machine_new("virt-7.2", NULL);
        g_assert_true(props_set_str(G_OBJECT(b->m), rows[i][0], rows[i][1], NULL));
        init_fails(b, "double", HUMPY_ERROR_UNSUPPORTED, text);
    }
}

static void accepted_gic_versions(Bench *b, gconstpointer data)
{
    static const char *const good[] = { "3", "max", "host" };
    g_autoptr(GError) error = NULL;

    for (unsigned i = 0; i < G_N_ELEMENTS(good); i++) {
        g_autoptr(Machine) m = g_steal_pointer(&b->m);

        machine_finish(m);
        b->m = machine_new("virt", NULL);
        g_assert_true(props_set_str(G_OBJECT(b->m), "gic-version", good[i], NULL));
        g_assert_true(init(b, "double", &error));
    }
    g_assert_false(props_set_str(G_OBJECT(b->m), "gic-version", "5", &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE);
}

/* What management tools write on every command line, asking for nothing. */
static void accepted_without_effect(Bench *b, gconstpointer data)
{
    static const char *const rows[][2] = {
        { "acpi", "off" }, { "acpi", "auto" }, { "iommu", "none" }, { "usb", "off" },
        { "mte", "off" },  { "ras", "off" },   { "its", "off" },
    };
    g_autoptr(GError) error = NULL;

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        props_set_str(G_OBJECT(b->m), rows[i][0], rows[i][1], &error);
        g_assert_no_error(error);
    }
    starts(b);
}

static void accel_without_irqchip(Bench *b, gconstpointer data)
{
    init_fails(b, "bare", HUMPY_ERROR_UNSUPPORTED, "no interrupt controller");
}

static void ram_size(Bench *b, gconstpointer data)
{
    static const uint64_t bad[] = { 1, MIB, 256ull << 30, UINT64_MAX, 64 * MIB + 1 };

    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        b->config.ram_size = bad[i];
        init_fails(b, "double", HUMPY_ERROR_RANGE, "-m: ");
        machine_finish(b->m);
    }
    g_assert_true(props_set_str(G_OBJECT(b->m), "highmem", "off", NULL));
    b->config.ram_size = 4ull << 30;
    init_fails(b, "double", HUMPY_ERROR_RANGE, "highmem=off");
}

static void cpu_count(Bench *b, gconstpointer data)
{
    b->config.smp = 9;
    init_fails(b, "double", HUMPY_ERROR_RANGE, "-smp 9: ");
}

static void cpu_types(Bench *b, gconstpointer data)
{
    static const struct {
        const char *text;
        int code;
        const char *says;
    } rows[] = {
        { "cortex-a75x", HUMPY_ERROR_UNKNOWN, "cortex-a57" },
        { "host,sve=on", HUMPY_ERROR_UNKNOWN, "sve" },
        { "host,pmu=on", HUMPY_ERROR_UNSUPPORTED, "pmu=on" },
        { "host,pmu=maybe", HUMPY_ERROR_RANGE, "pmu is 'maybe' but must be on or off" },
        { "", HUMPY_ERROR_UNKNOWN, "host" },
    };
    static const char *const good[] = { "host", "max,", "cortex-a53", "host,pmu=off",
                                        "host,pmu=no" };

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;

        b->config.cpu_type = rows[i].text;
        g_assert_false(init(b, "double", &error));
        check(error, rows[i].code, rows[i].says);
        g_assert_true(g_str_has_prefix(error->message, "-cpu "));
        machine_finish(b->m);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(good); i++) {
        b->config.cpu_type = good[i];
        starts(b);
        machine_finish(b->m);
    }
}

static void type_names(Bench *b, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *help = machine_help();
    g_autofree char *props = machine_type_help("virt", NULL);

    g_assert_null(machine_new("vrit", &error));
    check(error, HUMPY_ERROR_UNKNOWN, "did you mean 'virt'");
    g_assert_nonnull(strstr(help, "(alias of virt-7.2)"));
    g_assert_nonnull(strstr(props, "gic-version"));
}

static void no_second_serial(Bench *b, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(machine_set_serial(b->m, 0, NULL, NULL));
    g_assert_false(machine_set_serial(b->m, 1, NULL, &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE);
    g_assert_null(machine_serial(b->m, 7));
}

int main(int argc, char **argv)
{
    static const struct {
        const char *path;
        void (*fn)(Bench *b, gconstpointer data);
    } rules[] = {
        { "/virt/map/devices-are-at-their-addresses", map_devices },
        { "/virt/map/ram-is-at-1-gib", map_ram },
        { "/virt/map/default-ram-is-128-mib", map_default_ram },
        { "/virt/fdt/devices", fdt_devices },
        { "/virt/fdt/gic-covers-its-cpus", fdt_gic },
        { "/virt/fdt/cpus", fdt_cpus },
        { "/virt/fdt/one-memory-node", fdt_memory },
        { "/virt/fdt/transports-from-high-to-low", fdt_transports },
        { "/virt/fdt/chosen", fdt_chosen },
        { "/virt/fdt/no-seeds-without-dtb-randomness", fdt_without_seeds },
        { "/virt/dumpdtb/needs-no-kernel", dump_needs_no_kernel },
        { "/virt/dumpdtb/failure-names-the-file", dump_names_the_file },
        { "/virt/boot/hands-over-to-the-accelerator", boot_hands_over },
        { "/virt/boot/needs-a-kernel", boot_needs_kernel },
        { "/virt/boot/options-need-a-kernel", boot_options_need_kernel },
        { "/virt/irq/serial-and-clock-are-level-lines", irq_serial },
        { "/virt/irq/power-button", irq_power_button },
        { "/virt/boot/roms-are-listed", roms },
        { "/virt/device/first-goes-to-the-highest-address", plug_order },
        { "/virt/device/bus-is-obeyed", plug_on_bus },
        { "/virt/device/unknown-bus-is-refused", plug_on_no_bus },
        { "/virt/device/no-more-than-32", plug_full },
        { "/virt/device/board-devices-are-refused", plug_board_device },
        { "/virt/guest/random-accesses-are-answered", random_accesses },
        { "/virt/refused/properties", refused_properties },
        { "/virt/refused/accelerator-without-irqchip", accel_without_irqchip },
        { "/virt/refused/ram-size", ram_size },
        { "/virt/refused/cpu-count", cpu_count },
        { "/virt/refused/cpu-types", cpu_types },
        { "/virt/accepted/gic-versions", accepted_gic_versions },
        { "/virt/accepted/off-and-auto-of-what-is-not-there", accepted_without_effect },
        { "/virt/type/names-alias-and-help", type_names },
        { "/virt/serial/there-is-one", no_second_serial },
    };

    g_test_init(&argc, &argv, NULL);
    hw_register_types();
    for (unsigned i = 0; i < G_N_ELEMENTS(rules); i++) {
        g_test_add(rules[i].path, Bench, NULL, set_up, rules[i].fn, tear_down);
    }
    return g_test_run();
}
