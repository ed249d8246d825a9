/* SPDX-License-Identifier: GPL-2.0-or-later
 * Device trees for the conformance suite: the least a resource manager accepts, with what a DtSpec
 * adds.
 */
#include <libfdt.h>
#include <string.h>

#include "gunyah.h"

enum { TREE_MAX = 64 * 1024 };

#define CHECK(call) g_assert_cmpint((call), ==, 0)

static void add_range(void *fdt, uint64_t base, uint64_t size)
{
    const fdt64_t reg[2] = { cpu_to_fdt64(base), cpu_to_fdt64(size) };

    CHECK(fdt_property(fdt, "reg", reg, sizeof(reg)));
}

static void add_cpus(void *fdt, unsigned n)
{
    CHECK(fdt_begin_node(fdt, "cpus"));
    CHECK(fdt_property_u32(fdt, "#address-cells", 1));
    CHECK(fdt_property_u32(fdt, "#size-cells", 0));
    for (unsigned i = 0; i < n; i++) {
        g_autofree char *name = g_strdup_printf("cpu@%u", i);

        CHECK(fdt_begin_node(fdt, name));
        CHECK(fdt_property_string(fdt, "device_type", "cpu"));
        CHECK(fdt_property_string(fdt, "compatible", "arm,armv8"));
        CHECK(fdt_property_string(fdt, "enable-method", "psci"));
        CHECK(fdt_property_u32(fdt, "reg", i));
        CHECK(fdt_end_node(fdt));
    }
    CHECK(fdt_end_node(fdt));
    CHECK(fdt_begin_node(fdt, "psci"));
    CHECK(fdt_property_string(fdt, "compatible", "arm,psci-1.0"));
    CHECK(fdt_property_string(fdt, "method", "hvc"));
    CHECK(fdt_end_node(fdt));
}

static void add_gic(void *fdt)
{
    const fdt64_t reg[4] = { cpu_to_fdt64(0x8000000), cpu_to_fdt64(0x10000),
                             cpu_to_fdt64(0x80a0000), cpu_to_fdt64(0xf60000) };

    CHECK(fdt_begin_node(fdt, "intc@8000000"));
    CHECK(fdt_property_string(fdt, "compatible", "arm,gic-v3"));
    CHECK(fdt_property_u32(fdt, "#interrupt-cells", 3));
    CHECK(fdt_property(fdt, "interrupt-controller", NULL, 0));
    CHECK(fdt_property(fdt, "reg", reg, sizeof(reg)));
    CHECK(fdt_end_node(fdt));
}

static void add_bell(void *fdt, uint32_t n)
{
    const fdt32_t interrupts[3] = { 0, cpu_to_fdt32(n), cpu_to_fdt32(1) };
    g_autofree char *name = g_strdup_printf("bell-%u", n);
    g_autofree char *path = g_strdup_printf("/hypervisor/bell-%u", n);

    CHECK(fdt_begin_node(fdt, name));
    CHECK(fdt_property_string(fdt, "vdevice-type", "doorbell"));
    CHECK(fdt_property_string(fdt, "generate", path));
    CHECK(fdt_property_u32(fdt, "label", n));
    CHECK(fdt_property(fdt, "peer-default", NULL, 0));
    CHECK(fdt_property(fdt, "source-can-clear", NULL, 0));
    CHECK(fdt_property(fdt, "interrupts", interrupts, sizeof(interrupts)));
    CHECK(fdt_end_node(fdt));
}

static void add_shm(void *fdt, uint32_t label, uint64_t base)
{
    g_autofree char *name = g_strdup_printf("shm-%u", label);
    g_autofree char *path = g_strdup_printf("/hypervisor/shm-%u", label);

    CHECK(fdt_begin_node(fdt, name));
    CHECK(fdt_property_string(fdt, "vdevice-type", "shm"));
    CHECK(fdt_property_string(fdt, "generate", path));
    CHECK(fdt_property(fdt, "peer-default", NULL, 0));
    CHECK(fdt_begin_node(fdt, "memory"));
    CHECK(fdt_property_u32(fdt, "label", label));
    CHECK(fdt_property_u32(fdt, "#address-cells", 2));
    CHECK(fdt_property_u64(fdt, "base", base));
    CHECK(fdt_end_node(fdt));
    CHECK(fdt_end_node(fdt));
}

static void add_config(void *fdt, const DtSpec *spec)
{
    CHECK(fdt_begin_node(fdt, "gunyah-vm-config"));
    CHECK(fdt_property_string(fdt, "image-name", "conformance"));
    CHECK(fdt_property_string(fdt, "os-type", "linux"));
    CHECK(fdt_begin_node(fdt, "memory"));
    CHECK(fdt_property_u32(fdt, "#address-cells", 2));
    CHECK(fdt_property_u32(fdt, "#size-cells", 2));
    CHECK(fdt_property_u64(fdt, "base-address", spec->base ? spec->base : RAM_GPA));
    CHECK(fdt_end_node(fdt));
    CHECK(fdt_begin_node(fdt, "interrupts"));
    CHECK(fdt_property_string(fdt, "config", "/intc@8000000"));
    CHECK(fdt_end_node(fdt));
    CHECK(fdt_begin_node(fdt, "vcpus"));
    CHECK(fdt_property_string(fdt, "affinity", "proxy"));
    CHECK(fdt_end_node(fdt));
    CHECK(fdt_begin_node(fdt, "vdevices"));
    CHECK(fdt_property_string(fdt, "generate", "/hypervisor"));
    for (unsigned i = 0; i < spec->n_bells; i++) {
        add_bell(fdt, spec->bells[i]);
    }
    for (unsigned i = 0; i < spec->n_shms; i++) {
        add_shm(fdt, spec->shms[i].label, spec->shms[i].base);
    }
    CHECK(fdt_end_node(fdt));
    CHECK(fdt_end_node(fdt));
}

uint32_t write_dtb(void *at, const DtSpec *spec)
{
    g_autofree void *fdt = g_malloc0(TREE_MAX);

    CHECK(fdt_create(fdt, TREE_MAX));
    CHECK(fdt_finish_reservemap(fdt));
    CHECK(fdt_begin_node(fdt, ""));
    CHECK(fdt_property_u32(fdt, "#address-cells", 2));
    CHECK(fdt_property_u32(fdt, "#size-cells", 2));
    CHECK(fdt_property_string(fdt, "compatible", "linux,dummy-virt"));
    CHECK(fdt_begin_node(fdt, "chosen"));
    CHECK(fdt_end_node(fdt));
    CHECK(fdt_begin_node(fdt, "memory"));
    CHECK(fdt_property_string(fdt, "device_type", "memory"));
    add_range(fdt, RAM_GPA, RAM_SIZE);
    CHECK(fdt_end_node(fdt));
    add_cpus(fdt, MAX(spec->n_cpus, 1));
    add_gic(fdt);
    add_config(fdt, spec);
    CHECK(fdt_end_node(fdt));
    CHECK(fdt_finish(fdt));
    CHECK(fdt_open_into(fdt, fdt, TREE_MAX));
    if (spec->edit) {
        spec->edit(fdt);
    }
    CHECK(fdt_pack(fdt));
    memcpy(at, fdt, fdt_totalsize(fdt));
    return fdt_totalsize(fdt);
}
