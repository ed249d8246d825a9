/* SPDX-License-Identifier: GPL-2.0-or-later
 * Where the virt machine puts a protected guest's memory, what its device tree says of it, and
 * which wishes are refused.
 */
#include <glib/gstdio.h>
#include <libfdt.h>
#include <string.h>

#include "hw/arm/virt.h"
#include "hw/core/user-object.h"
#include "hw/virtio/virtio-transport.h"
#include "test-accel-double.h"
#include "util/error.h"
#include "util/props.h"

#define MIB ((uint64_t)1 << 20)

enum { TREE_MAX = 128 << 10 };

typedef struct {
    Machine *m;
    MachineConfig config;
    char *dir, *kernel;
    void *fdt;
} Board;

/* A kernel; one that knows pools has the binding's name somewhere, here across two reads of it. */
static void write_kernel(Board *b, bool knows_pools)
{
    static const char name[] = "restricted-dma-pool";
    const size_t len = 2 << 20;
    g_autofree char *image = g_malloc0(len);
    uint64_t words[] = { 0, GUINT64_TO_LE(4 * MIB), GUINT64_TO_LE(2) };

    memcpy(image + 8, words, sizeof(words));
    memcpy(image + 56, "ARM\x64", 4);
    if (knows_pools) {
        memcpy(image + MIB - 5, name, sizeof(name));
    }
    g_assert_true(g_file_set_contents(b->kernel, image, len, NULL));
}

static void set_up(Board *b, gconstpointer data)
{
    b->dir = g_dir_make_tmp("virt-XXXXXX", NULL);
    b->kernel = g_build_filename(b->dir, "kernel", NULL);
    write_kernel(b, true);
    b->m = machine_new("virt", NULL);
    b->config = (MachineConfig){
        .kernel = b->kernel, .smp = 1, .name = "test", .append = "quiet", .ram_size = 128 * MIB
    };
}

static void tear_down(Board *b, gconstpointer data)
{
    machine_finish(b->m);
    g_assert_false(virtio_platform_is_required());
    g_object_unref(b->m);
    g_unlink(b->kernel);
    g_rmdir(b->dir);
    g_free(b->kernel);
    g_free(b->dir);
    g_free(b->fdt);
}

static bool init(Board *b, const AccelProtection *protection, GError **error)
{
    g_autoptr(Accel) accel = accel_double_new("double");

    accel_double.protection = *protection;
    machine_set_accel(b->m, accel);
    machine_set_config(b->m, &b->config);
    return machine_init(b->m, error);
}

/* Boots, and reads the tree back from where the guest would find it. */
static void boot(Board *b, const AccelProtection *protection, bool lent_only)
{
    GError *error = NULL;

    init(b, protection, &error);
    g_assert_no_error(error);
    accel_double.lent_only = lent_only;
    machine_boot(b->m, &error);
    g_assert_no_error(error);
    b->fdt = g_malloc(TREE_MAX);
    g_assert_cmpuint(
        address_space_read(machine_memory(b->m), accel_double.boot.dtb_gpa, b->fdt, TREE_MAX), ==,
        MEMTX_OK);
    g_assert_cmpint(fdt_check_header(b->fdt), ==, 0);
}

static void prop_is(Board *b, const char *path, const char *name, unsigned n, const uint32_t *want)
{
    int len, node = fdt_path_offset(b->fdt, path);
    const fdt32_t *got = fdt_getprop(b->fdt, node, name, &len);

    g_assert_cmpint(len, ==, n * 4);
    for (unsigned i = 0; i < n; i++) {
        g_assert_cmphex(fdt32_ld(got + i), ==, want[i]);
    }
}

#define CELLS(b, path, name, ...)                                                                  \
    prop_is(b, path, name, sizeof((uint32_t[]){ __VA_ARGS__ }) / 4,                                \
            (const uint32_t[]){ __VA_ARGS__ })

static const char *bootargs(Board *b)
{
    return fdt_getprop(b->fdt, fdt_path_offset(b->fdt, "/chosen"), "bootargs", NULL);
}

static bool has(Board *b, const char *path)
{
    return fdt_path_offset(b->fdt, path) >= 0;
}

/* ---- layout ---- */

static void pool(Board *b, gconstpointer data)
{
    const AccelProtection on = { .mode = ACCEL_PROTECT_ON, .window_size = 16 * MIB };
    int node;

    boot(b, &on, false); /* the kernel knows pools */
    CELLS(b, "/memory", "reg", 0, 0x40000000, 0, 128 << 20);
    CELLS(b, "/reserved-memory/restricted_dma_reserved@47000000", "reg", 0, 0x47000000, 0,
          16 << 20);
    node = fdt_path_offset(b->fdt, "/reserved-memory/restricted_dma_reserved@47000000");
    g_assert_cmpint(fdt_node_check_compatible(b->fdt, node, "restricted-dma-pool"), ==, 0);
    CELLS(b, "/virtio_mmio@a000000", "memory-region", fdt_get_phandle(b->fdt, node));
    CELLS(b, "/virtio_mmio@a003e00", "memory-region", fdt_get_phandle(b->fdt, node));
    node = fdt_node_offset_by_compatible(b->fdt, -1, "pci-host-ecam-generic");
    g_assert_nonnull(fdt_getprop(b->fdt, node, "memory-region", NULL));
    g_assert_cmpstr(bootargs(b), ==, "quiet");
    g_assert_true(accel_double.boot.protect);
    g_assert_cmphex(accel_double.info.window_base, ==, 0x47000000);
    g_assert_cmphex(accel_double.info.window_size, ==, 16 * MIB);
    g_assert_true(virtio_platform_is_required());
}

static void zone(Board *b, gconstpointer data)
{
    const AccelProtection on = { .mode = ACCEL_PROTECT_ON, .window_size = 16 * MIB };
    AddressSpace *as;
    int node;

    write_kernel(b, false);
    boot(b, &on, false);
    CELLS(b, "/memory", "reg", 0, 0x7f000000, 0, 16 << 20, 0, 0x80000000, 0, 112 << 20);
    g_assert_false(has(b, "/reserved-memory"));
    CELLS(b, "/virtio-bus", "dma-ranges", 0, 0x7f000000, 0, 0x7f000000, 0, 16 << 20);
    g_assert_true(has(b, "/virtio-bus/virtio_mmio@a003e00"));
    node = fdt_node_offset_by_compatible(b->fdt, -1, "pci-host-ecam-generic");
    g_assert_nonnull(fdt_getprop(b->fdt, node, "dma-ranges", NULL));
    g_assert_cmpstr(bootargs(b), ==, "quiet cma=0 swiotlb=4096"); /* 8 MiB of the 16 */
    g_assert_cmphex(accel_double.boot.ram_base, ==, 0x80000000);
    g_assert_cmphex(accel_double.info.window_base, ==, 0x7f000000);
    as = machine_memory(b->m);
    g_assert_true(address_space_access_valid(as, 0x7f000000, 128 * MIB, true));
    g_assert_false(address_space_access_valid(as, 0x7efff000, 1, true));
    g_assert_false(address_space_access_valid(as, 0x87000000, 1, true));
}

static void pool_for_another_kernel(Board *b, gconstpointer data)
{
    const AccelProtection on = { .mode = ACCEL_PROTECT_ON, .window = ACCEL_WINDOW_POOL };

    write_kernel(b, false);
    g_test_expect_message(NULL, G_LOG_LEVEL_MESSAGE, "*knows no restricted DMA pools*");
    boot(b, &on, false);
    g_test_assert_expected_messages();
    g_assert_true(has(b, "/reserved-memory"));
}

static void firmware(Board *b, gconstpointer data)
{
    AccelProtection on = { .mode = ACCEL_PROTECT_ON,
                           .window_size = 16 * MIB,
                           .firmware_size = 4 * MIB };

    boot(b, &on, false);
    CELLS(b, "/memory", "reg", 0, 0x80000000, 0, 128 << 20); /* without the firmware */
    g_assert_cmphex(accel_double.info.firmware_base, ==, 0x7fc00000);
    g_assert_cmphex(accel_double.info.firmware_size, ==, 4 * MIB);
    g_assert_true(address_space_access_valid(machine_memory(b->m), 0x7fc00000, 4 * MIB, true));
}

static void unprotected_is_as_ever(Board *b, gconstpointer data)
{
    const AccelProtection off = { .mode = ACCEL_PROTECT_OFF, .window_size = 16 * MIB };

    write_kernel(b, false);
    boot(b, &off, false);
    CELLS(b, "/memory", "reg", 0, 0x40000000, 0, 128 << 20);
    g_assert_true(has(b, "/virtio_mmio@a003e00"));
    g_assert_cmpstr(bootargs(b), ==, "quiet");
    g_assert_cmpuint(accel_double.info.window_size, ==, 0);
    g_assert_false(virtio_platform_is_required());
}

/* ---- auto ---- */

static void auto_shares(Board *b, gconstpointer data)
{
    const AccelProtection mode = { .mode = ACCEL_PROTECT_AUTO };

    boot(b, &mode, false);
    g_assert_false(accel_double.boot.protect);
    g_assert_false(has(b, "/reserved-memory"));
    g_assert_false(virtio_platform_is_required());
}

static void auto_lends(Board *b, gconstpointer data)
{
    const AccelProtection mode = { .mode = ACCEL_PROTECT_AUTO };

    g_test_expect_message(NULL, G_LOG_LEVEL_MESSAGE, "*lent memory only*protected guest*");
    boot(b, &mode, true);
    g_test_assert_expected_messages();
    g_assert_true(accel_double.boot.protect);
    g_assert_true(has(b, "/reserved-memory"));
    g_assert_true(virtio_platform_is_required());
}

/* ---- the object ---- */

static void add_guest(const char *more)
{
    g_autofree char *text = g_strconcat("arm-confidential-guest,id=prot0", more, NULL);
    g_autoptr(KeyVal) kv = keyval_parse(text, "qom-type", NULL);
    GError *error = NULL;

    user_object_add(kv, &error);
    g_assert_no_error(error);
}

static void object_goes_before_accelerator(Board *b, gconstpointer data)
{
    const AccelProtection mode = { .mode = ACCEL_PROTECT_AUTO,
                                   .window_size = 8 * MIB,
                                   .window = ACCEL_WINDOW_ZONE };

    add_guest(",swiotlb-size=32M");
    props_set_str(G_OBJECT(b->m), "confidential-guest-support", "prot0", NULL);
    boot(b, &mode, false);
    g_assert_true(accel_double.boot.protect);
    g_assert_cmpuint(accel_double.info.window_size, ==, 32 * MIB);
    g_assert_true(has(b, "/virtio-bus")); /* what it does not say is the accelerator's */
    g_assert_true(user_object_del("prot0", NULL));
}

static void refused(Board *b, const AccelProtection *protection, int code, const char *text)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(init(b, protection, &error));
    g_assert_error(error, HUMPY_ERROR, code);
    g_assert_nonnull(strstr(error->message, text));
    machine_finish(b->m);
}

static void unknown_object(Board *b, gconstpointer data)
{
    const AccelProtection off = { 0 };

    props_set_str(G_OBJECT(b->m), "confidential-guest-support", "prot1", NULL);
    refused(b, &off, HUMPY_ERROR_UNKNOWN, "-machine confidential-guest-support=prot1: ");
}

static void accelerator_cannot(Board *b, gconstpointer data)
{
    g_autoptr(Accel) accel = accel_double_new("pc");
    g_autoptr(GError) error = NULL;

    add_guest("");
    props_set_str(G_OBJECT(b->m), "confidential-guest-support", "prot0", NULL);
    machine_set_accel(b->m, accel);
    machine_set_config(b->m, &b->config);
    g_assert_false(machine_init(b->m, &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED);
    g_assert_true(user_object_del("prot0", NULL));
}

static void window_sizes(Board *b, gconstpointer data)
{
    const AccelProtection odd = { .mode = ACCEL_PROTECT_ON, .window_size = 9 * MIB };
    const AccelProtection tiny = { .mode = ACCEL_PROTECT_ON, .window_size = 2 * MIB };
    const AccelProtection large = { .mode = ACCEL_PROTECT_ON, .window_size = 66 * MIB };
    const AccelProtection high = { .mode = ACCEL_PROTECT_ON,
                                   .window_size = 1024 * MIB,
                                   .window = ACCEL_WINDOW_ZONE };

    refused(b, &odd, HUMPY_ERROR_RANGE, "swiotlb-size: is 9437184");
    refused(b, &tiny, HUMPY_ERROR_RANGE, "swiotlb-size: is 2097152");
    refused(b, &large, HUMPY_ERROR_RANGE, "-m: 128 MiB");
    b->config.ram_size = 4096 * MIB;
    refused(b, &high, HUMPY_ERROR_RANGE, "dma-window=zone");
}

static void no_tree_of_the_users(Board *b, gconstpointer data)
{
    const AccelProtection on = { .mode = ACCEL_PROTECT_ON };
    g_autoptr(GError) error = NULL;

    b->config.dtb = b->kernel; /* any file */
    g_assert_true(init(b, &on, &error));
    g_assert_false(machine_boot(b->m, &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT);
    g_assert_nonnull(strstr(error->message, "-dtb "));
}

int main(int argc, char **argv)
{
    static const struct {
        const char *path;
        void (*fn)(Board *b, gconstpointer data);
    } rules[] = {
        { "/virt/protect/pool-is-at-the-end-of-ram", pool },
        { "/virt/protect/zone-is-below-2-gib", zone },
        { "/virt/protect/pool-is-kept-for-another-kernel", pool_for_another_kernel },
        { "/virt/protect/firmware-is-below-all", firmware },
        { "/virt/protect/off-changes-nothing", unprotected_is_as_ever },
        { "/virt/protect/auto-shares-if-it-can", auto_shares },
        { "/virt/protect/auto-lends-if-it-must", auto_lends },
        { "/virt/protect/object-goes-before-the-accelerator", object_goes_before_accelerator },
        { "/virt/protect/unknown-object-is-refused", unknown_object },
        { "/virt/protect/accelerator-must-be-able-to", accelerator_cannot },
        { "/virt/protect/window-sizes", window_sizes },
        { "/virt/protect/dtb-is-refused", no_tree_of_the_users },
    };

    g_test_init(&argc, &argv, NULL);
    hw_register_types();
    for (unsigned i = 0; i < G_N_ELEMENTS(rules); i++) {
        g_test_add(rules[i].path, Board, NULL, set_up, rules[i].fn, tear_down);
    }
    return g_test_run();
}
