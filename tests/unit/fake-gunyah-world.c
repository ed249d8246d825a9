/* SPDX-License-Identifier: GPL-2.0-or-later
 * The machine of fake-gunyah-world.h.
 */
#include "fake-gunyah-world.h"

#include <libfdt.h>
#include <string.h>

const char *world_device = FAKE_GUNYAH_PATH;

static MemTxResult device_read(void *opaque, hwaddr offset, uint64_t *value, unsigned size)
{
    World *w = opaque;

    *value = w->to_read;
    w->size = size;
    __atomic_add_fetch(&w->reads, 1, __ATOMIC_SEQ_CST);
    return w->refuses ? MEMTX_ERROR : MEMTX_OK;
}

static MemTxResult device_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    World *w = opaque;

    w->written = value;
    w->size = size;
    if (w->lower_spi >= 0) {
        accel_irq_set(w->accel, w->lower_spi, false);
    }
    __atomic_add_fetch(&w->writes, 1, __ATOMIC_SEQ_CST);
    return w->refuses ? MEMTX_ERROR : MEMTX_OK;
}

static const MemoryRegionOps device_ops = {
    .read_with_result = device_read,
    .write_with_result = device_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { 1, 8, true },
    .impl = { 1, 8, true },
};

void world_init(World *w, gconstpointer data)
{
    static const SmallWorldMap map = {
        .ram = { RAM_BASE, RAM_SIZE, NULL },
        .device = { DEVICE_BASE, DEVICE_SIZE, &device_ops },
    };

    memset(w, 0, sizeof(*w));
    fake_gunyah_reset();
    small_world_init(&w->small, &map);
    w->lower_spi = -1;
    w->boot = (AccelBootInfo){
        .entry = RAM_BASE,
        .ram_base = RAM_BASE,
        .dtb_gpa = RAM_BASE + 0x800000,
        .dtb_room = 0x200000,
    };
}

void world_clear(World *w, gconstpointer data)
{
    small_world_clear(&w->small);
    g_assert_cmpuint(fake_gunyah.open_fds, ==, 0);
}

void world_grow_ram(World *w, uint64_t size)
{
    memory_region_del_subregion(&w->root, &w->ram);
    memory_region_destroy(&w->ram);
    g_assert_true(memory_region_init_ram(&w->ram, NULL, "ram", size, NULL));
    memory_region_add_subregion(&w->root, RAM_BASE, &w->ram);
}

Accel *world_create(const char *text, GError **error)
{
    g_autofree char *whole = g_strconcat("gunyah,host=model,device=", world_device, text, NULL);
    const char *texts[] = { whole, NULL };

    return accel_create(texts, error);
}

void world_setup(World *w, const char *text, unsigned n_vcpus)
{
    AccelMachineInfo info = {
        .memory = w->as,
        .n_vcpus = n_vcpus,
        .vm_name = "test-vm",
        .window_base = w->window_base,
        .window_size = w->window_size,
        .firmware_base = w->firmware_base,
        .firmware_size = w->firmware_size,
    };
    GError *error = NULL;

    w->accel = world_create(text, &error);
    g_assert_no_error(error);
    g_assert_true(accel_setup(w->accel, &info, &error));
    small_world_listen(&w->small);
}

void world_connect(World *w, unsigned spi, AccelIrqMode mode)
{
    GError *error = NULL;

    accel_irq_connect(w->accel, spi, mode, &error);
    g_assert_no_error(error);
}

void world_assert_says(const GError *error, const char *part)
{
    if (strstr(error->message, part) == NULL) {
        g_error("'%s' is not in: %s", part, error->message);
    }
}

static int node(void *fdt, int parent, const char *name, const char *device_type)
{
    int at = fdt_add_subnode(fdt, parent, name);

    g_assert_cmpint(at, >=, 0);
    if (device_type != NULL) {
        g_assert_cmpint(fdt_setprop_string(fdt, at, "device_type", device_type), ==, 0);
    }
    return at;
}

void *world_fdt(unsigned n_cpus, const char *extra)
{
    void *fdt = g_malloc0(0x10000);
    int at;

    g_assert_cmpint(fdt_create_empty_tree(fdt, 0x10000), ==, 0);
    fdt_setprop_u32(fdt, 0, "#address-cells", 2);
    fdt_setprop_u32(fdt, 0, "#size-cells", 2);
    at = node(fdt, 0, "memory@40000000", "memory");
    fdt_appendprop_u64(fdt, at, "reg", RAM_BASE);
    fdt_appendprop_u64(fdt, at, "reg", RAM_SIZE);
    at = node(fdt, 0, "psci", NULL);
    fdt_setprop_string(fdt, at, "compatible", "arm,psci-1.0");
    fdt_setprop_string(fdt, at, "method", "hvc");
    node(fdt, 0, "chosen", NULL);
    at = node(fdt, 0, "cpus", NULL);
    for (unsigned i = 0; i < n_cpus; i++) {
        g_autofree char *name = g_strdup_printf("cpu@%u", n_cpus - 1 - i);
        int cpu = node(fdt, at, name, "cpu");

        fdt_setprop_string(fdt, cpu, "enable-method", "psci");
    }
    if (g_strcmp0(extra, "cpus/cpu@9") == 0) {
        node(fdt, at, "cpu@9", "cpu");
    } else if (extra != NULL) {
        node(fdt, 0, extra, g_str_has_prefix(extra, "memory") ? "memory" : NULL);
    }
    if (g_strcmp0(extra, "no-gic") != 0) {
        at = node(fdt, 0, "intc", NULL);
        fdt_setprop_string(fdt, at, "compatible", "arm,gic-v3");
        fdt_setprop_u32(fdt, at, "#interrupt-cells", 3);
        fdt_appendprop_u64(fdt, at, "reg", 0x8000000);
        fdt_appendprop_u64(fdt, at, "reg", 0x10000);
        fdt_appendprop_u64(fdt, at, "reg", 0x80a0000);
        fdt_appendprop_u64(fdt, at, "reg", 0xf60000);
    }
    return fdt;
}

void world_write_tree(World *w, unsigned n_cpus)
{
    AccelFdtInfo info = {
        .gic_path = "/intc",
        .image_base = w->boot.ram_base,
        .image_size = RAM_SIZE,
        .protect = w->boot.protect,
    };
    g_autofree void *fdt = world_fdt(n_cpus, NULL);
    GError *error = NULL;

    accel_fdt_fixup(w->accel, fdt, &info, &error);
    g_assert_no_error(error);
    g_assert_cmpint(fdt_pack(fdt), ==, 0);
    g_assert_cmpint(address_space_write(w->as, w->boot.dtb_gpa, fdt, fdt_totalsize(fdt)), ==,
                    MEMTX_OK);
}
