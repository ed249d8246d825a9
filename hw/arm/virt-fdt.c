/* SPDX-License-Identifier: GPL-2.0-or-later
 * The virt machine's device tree, written front to back with libfdt's sequential interface. Names,
 * addresses and interrupts are those QEMU documents for its virt board. Command line, initrd and
 * the accelerator's additions are put in later (boot.c).
 *
 * The transports are listed from the highest address down, because the first -device is plugged
 * into the highest and a guest numbers its disks in the order in which it finds them.
 */
#include <errno.h>
#include <libfdt.h>
#include <linux/input-event-codes.h>
#include <string.h>
#include <sys/random.h>

#include "hw/arm/virt.h"
#include "hw/misc/pvpanic.h"
#include "hw/misc/vcpu-stall.h"
#include "hw/nvram/fw-cfg.h"
#include "hw/virtio/virtio-mmio.h"

enum {
    FDT_ROOM = 64 << 10,
    PHANDLE_GIC = 1,
    PHANDLE_CLOCK = 2,
    PHANDLE_GPIO = 3,
    PHANDLE_POOL = 4,
    /* Interrupt specifiers of the GIC's binding. */
    GIC_SPI = 0,
    GIC_PPI = 1,
    IRQ_EDGE_RISING = 1,
    IRQ_LEVEL_HIGH = 4,
    /* PPIs of the architected timer as QEMU's virt has them. */
    TIMER_SECURE_PPI = 13,
    TIMER_PHYS_PPI = 14,
    TIMER_VIRT_PPI = 11,
    TIMER_HYP_PPI = 10,
    CLOCK_HZ = 24000000,
    PCIE_MAP_CELLS = 10, /* of one entry of interrupt-map */
    /* What of a window the driver in UEFI keeps (efi/window-driver.h), in units of swiotlb's. */
    FIRMWARE_OWN = 256 << 10,
};

/* The size is fixed and every value ours: a failure is a bug, not a condition. */
static void must(int err)
{
    if (err < 0) {
        g_error("cannot write the device tree: %s", fdt_strerror(err));
    }
}

static void begin(void *fdt, const char *name)
{
    must(fdt_begin_node(fdt, name));
}

static void end(void *fdt)
{
    must(fdt_end_node(fdt));
}

static void string(void *fdt, const char *name, const char *value)
{
    must(fdt_property_string(fdt, name, value));
}

static void flag(void *fdt, const char *name)
{
    must(fdt_property(fdt, name, NULL, 0));
}

static void cells(void *fdt, const char *name, unsigned n, const uint32_t *values)
{
    void *at;

    must(fdt_property_placeholder(fdt, name, n * sizeof(fdt32_t), &at));
    for (unsigned i = 0; i < n; i++) {
        fdt32_st((char *)at + i * sizeof(fdt32_t), values[i]);
    }
}

#define CELLS(fdt, name, ...)                                                                      \
    cells(fdt, name, sizeof((uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t),                       \
          (const uint32_t[]){ __VA_ARGS__ })

/* Two strings or more in one property; text separates them with NULs. */
#define STRINGS(fdt, name, text) must(fdt_property(fdt, name, text, sizeof(text)))

static void reg(void *fdt, uint64_t base, uint64_t size)
{
    CELLS(fdt, "reg", base >> 32, base, size >> 32, size);
}

static void seed(void *fdt, const char *name, size_t len)
{
    void *at;

    must(fdt_property_placeholder(fdt, name, len, &at));
    while (getrandom(at, len, 0) != (ssize_t)len) {
        if (errno != EINTR) {
            g_error("cannot get random bytes: %s", g_strerror(errno));
        }
    }
}

static void chosen(void *fdt, const VirtFdtInfo *info)
{
    begin(fdt, "aliases");
    string(fdt, "serial0", "/pl011@9000000");
    end(fdt);
    begin(fdt, "chosen");
    string(fdt, "stdout-path", "/pl011@9000000");
    if (info->seeds) {
        seed(fdt, "kaslr-seed", 8);
        seed(fdt, "rng-seed", 32);
    }
    end(fdt);
}

static void cpus(void *fdt, const VirtFdtInfo *info)
{
    begin(fdt, "cpus");
    CELLS(fdt, "#address-cells", 1);
    CELLS(fdt, "#size-cells", 0);
    for (unsigned i = 0; i < info->n_cpus; i++) {
        g_autofree char *name = g_strdup_printf("cpu@%x", i);

        begin(fdt, name);
        string(fdt, "device_type", "cpu");
        string(fdt, "compatible", info->cpu_compatible);
        string(fdt, "enable-method", "psci");
        CELLS(fdt, "reg", i);
        if (info->numa != NULL) {
            CELLS(fdt, "numa-node-id", info->numa->cpu_node[i]);
        }
        end(fdt);
    }
    end(fdt);
}

static void memory_node(void *fdt, uint64_t base, uint64_t size, int numa_node)
{
    g_autofree char *name = g_strdup_printf("memory@%" G_GINT64_MODIFIER "x", base);

    begin(fdt, name);
    string(fdt, "device_type", "memory");
    reg(fdt, base, size);
    if (numa_node >= 0) {
        CELLS(fdt, "numa-node-id", numa_node);
    }
    end(fdt);
}

static bool has_zone(const VirtFdtInfo *info)
{
    return info->window.size > 0 && info->window.kind == ACCEL_WINDOW_ZONE && !info->window.hidden;
}

/* One node, for a hypervisor may want no more. */
static void zoned_memory(void *fdt, const VirtFdtInfo *info)
{
    const VirtWindow *w = &info->window;
    g_autofree char *name = g_strdup_printf("memory@%" G_GINT64_MODIFIER "x", w->base);

    begin(fdt, name);
    string(fdt, "device_type", "memory");
    CELLS(fdt, "reg", w->base >> 32, w->base, w->size >> 32, w->size, info->ram_base >> 32,
          info->ram_base, info->ram_size >> 32, info->ram_size);
    end(fdt);
}

static void memory(void *fdt, const VirtFdtInfo *info)
{
    uint64_t base = info->ram_base;

    if (has_zone(info)) {
        zoned_memory(fdt, info);
        return;
    }
    if (info->numa == NULL) {
        memory_node(fdt, base, info->ram_size, -1);
        return;
    }
    for (unsigned i = 0; i < info->numa->n_nodes; i++) {
        uint64_t size = info->numa->nodes[i].size;

        if (size > 0) {
            memory_node(fdt, base, size, i);
            base += size;
        }
    }
}

/* Binding "numa": triples of from, to, distance. */
static void distances(void *fdt, const Numa *numa)
{
    unsigned n = numa->n_nodes;
    g_autofree uint32_t *matrix = g_new(uint32_t, 3 * n * n);
    uint32_t *at = matrix;

    for (unsigned from = 0; from < n; from++) {
        for (unsigned to = 0; to < n; to++) {
            *at++ = from;
            *at++ = to;
            *at++ = numa->nodes[from].distance[to];
        }
    }
    begin(fdt, "distance-map");
    string(fdt, "compatible", "numa-distance-map-v1");
    cells(fdt, "distance-matrix", 3 * n * n, matrix);
    end(fdt);
}

static void psci(void *fdt)
{
    begin(fdt, "psci");
    STRINGS(fdt, "compatible", "arm,psci-1.0\0arm,psci-0.2");
    string(fdt, "method", "hvc");
    end(fdt);
}

static void timer(void *fdt)
{
    begin(fdt, "timer");
    STRINGS(fdt, "compatible", "arm,armv8-timer\0arm,armv7-timer");
    flag(fdt, "always-on");
    CELLS(fdt, "interrupts", GIC_PPI, TIMER_SECURE_PPI, IRQ_LEVEL_HIGH, GIC_PPI, TIMER_PHYS_PPI,
          IRQ_LEVEL_HIGH, GIC_PPI, TIMER_VIRT_PPI, IRQ_LEVEL_HIGH, GIC_PPI, TIMER_HYP_PPI,
          IRQ_LEVEL_HIGH);
    end(fdt);
}

static void gic(void *fdt, const VirtFdtInfo *info)
{
    begin(fdt, "intc@8000000");
    string(fdt, "compatible", "arm,gic-v3");
    flag(fdt, "interrupt-controller");
    CELLS(fdt, "#interrupt-cells", 3);
    CELLS(fdt, "#address-cells", 2);
    CELLS(fdt, "#size-cells", 2);
    flag(fdt, "ranges");
    CELLS(fdt, "#redistributor-regions", 1);
    CELLS(fdt, "reg", 0, VIRT_GICD, 0, VIRT_GICD_SIZE, 0, VIRT_GICR, 0,
          info->n_cpus * VIRT_GICR_SIZE_PER_CPU);
    CELLS(fdt, "phandle", PHANDLE_GIC);
    end(fdt);
}

static void devices(void *fdt)
{
    begin(fdt, "apb-pclk");
    string(fdt, "compatible", "fixed-clock");
    CELLS(fdt, "#clock-cells", 0);
    CELLS(fdt, "clock-frequency", CLOCK_HZ);
    string(fdt, "clock-output-names", "clk24mhz");
    CELLS(fdt, "phandle", PHANDLE_CLOCK);
    end(fdt);

    begin(fdt, "pl011@9000000");
    STRINGS(fdt, "compatible", "arm,pl011\0arm,primecell");
    reg(fdt, VIRT_UART, 0x1000);
    CELLS(fdt, "interrupts", GIC_SPI, VIRT_UART_SPI, IRQ_LEVEL_HIGH);
    CELLS(fdt, "clocks", PHANDLE_CLOCK, PHANDLE_CLOCK);
    STRINGS(fdt, "clock-names", "uartclk\0apb_pclk");
    end(fdt);

    begin(fdt, "pl031@9010000");
    STRINGS(fdt, "compatible", "arm,pl031\0arm,primecell");
    reg(fdt, VIRT_RTC, 0x1000);
    CELLS(fdt, "interrupts", GIC_SPI, VIRT_RTC_SPI, IRQ_LEVEL_HIGH);
    CELLS(fdt, "clocks", PHANDLE_CLOCK);
    string(fdt, "clock-names", "apb_pclk");
    end(fdt);
}

static void platform(void *fdt, const VirtFdtInfo *info)
{
    if (info->flash) {
        begin(fdt, "flash@0");
        string(fdt, "compatible", "cfi-flash");
        CELLS(fdt, "reg", 0, VIRT_FLASH, 0, VIRT_FLASH_SIZE, 0, VIRT_FLASH + VIRT_FLASH_SIZE, 0,
              VIRT_FLASH_SIZE);
        CELLS(fdt, "bank-width", 4);
        end(fdt);
    }
    if (info->panic) {
        begin(fdt, "pvpanic@c000000");
        string(fdt, "compatible", "qemu,pvpanic-mmio");
        reg(fdt, VIRT_PANIC, PVPANIC_SIZE);
        end(fdt);
    }
    if (info->stall) {
        begin(fdt, "vcpu-stall-detector@c001000");
        string(fdt, "compatible", "qemu,vcpu-stall-detector");
        reg(fdt, VIRT_STALL, VCPU_STALL_SIZE);
        CELLS(fdt, "clock-frequency", VCPU_STALL_CLOCK_HZ);
        CELLS(fdt, "timeout-sec", VCPU_STALL_TIMEOUT);
        end(fdt);
    }
    begin(fdt, "pl061@9030000");
    STRINGS(fdt, "compatible", "arm,pl061\0arm,primecell");
    reg(fdt, VIRT_GPIO, 0x1000);
    CELLS(fdt, "interrupts", GIC_SPI, VIRT_GPIO_SPI, IRQ_LEVEL_HIGH);
    flag(fdt, "gpio-controller");
    CELLS(fdt, "#gpio-cells", 2);
    CELLS(fdt, "clocks", PHANDLE_CLOCK);
    string(fdt, "clock-names", "apb_pclk");
    CELLS(fdt, "phandle", PHANDLE_GPIO);
    end(fdt);

    begin(fdt, "gpio-keys");
    string(fdt, "compatible", "gpio-keys");
    begin(fdt, "poweroff");
    string(fdt, "label", "GPIO Key Poweroff");
    CELLS(fdt, "linux,code", KEY_POWER);
    CELLS(fdt, "gpios", PHANDLE_GPIO, VIRT_POWER_PIN, 0);
    end(fdt);
    end(fdt);

    begin(fdt, "fw-cfg@9020000");
    string(fdt, "compatible", "qemu,fw-cfg-mmio");
    reg(fdt, VIRT_FW_CFG, FW_CFG_SIZE);
    flag(fdt, "dma-coherent");
    end(fdt);
}

/* Binding "restricted-dma-pool": memory that a device's buffers are copied through. */
static void pool(void *fdt, const VirtWindow *w)
{
    uint64_t own = w->hidden ? FIRMWARE_OWN : 0;
    g_autofree char *name =
        g_strdup_printf("restricted_dma_reserved@%" G_GINT64_MODIFIER "x", w->base + own);

    begin(fdt, "reserved-memory");
    CELLS(fdt, "#address-cells", 2);
    CELLS(fdt, "#size-cells", 2);
    flag(fdt, "ranges");
    begin(fdt, name);
    string(fdt, "compatible", "restricted-dma-pool");
    reg(fdt, w->base + own, w->size - own);
    CELLS(fdt, "phandle", PHANDLE_POOL);
    end(fdt);
    end(fdt);
}

static bool is_pooled(const VirtFdtInfo *info)
{
    return info->protect && info->window.kind == ACCEL_WINDOW_POOL;
}

static bool is_zoned(const VirtFdtInfo *info)
{
    return info->protect && info->window.kind == ACCEL_WINDOW_ZONE;
}

static void one_to_one(void *fdt, const VirtWindow *w)
{
    CELLS(fdt, "dma-ranges", w->base >> 32, w->base, w->base >> 32, w->base, w->size >> 32,
          w->size);
}

static void transports(void *fdt, const VirtFdtInfo *info)
{
    if (is_zoned(info)) { /* dma-ranges are a bus's, and the root is none */
        begin(fdt, "virtio-bus");
        string(fdt, "compatible", "simple-bus");
        CELLS(fdt, "#address-cells", 2);
        CELLS(fdt, "#size-cells", 2);
        flag(fdt, "ranges");
        one_to_one(fdt, &info->window);
    }
    for (unsigned i = VIRT_N_TRANSPORTS; i-- > 0;) {
        uint64_t base = VIRT_MMIO + i * VIRTIO_MMIO_SIZE;
        g_autofree char *name = g_strdup_printf("virtio_mmio@%" G_GINT64_MODIFIER "x", base);

        begin(fdt, name);
        string(fdt, "compatible", "virtio,mmio");
        reg(fdt, base, VIRTIO_MMIO_SIZE);
        CELLS(fdt, "interrupts", GIC_SPI, VIRT_MMIO_SPI + i, IRQ_EDGE_RISING);
        flag(fdt, "dma-coherent");
        if (is_pooled(info)) {
            CELLS(fdt, "memory-region", PHANDLE_POOL);
        }
        end(fdt);
    }
    if (is_zoned(info)) {
        end(fdt);
    }
}

/* The lines swizzle by slot; a map of four slots says it for all. */
static void pcie_interrupts(void *fdt)
{
    uint32_t map[PCI_N_LINES * PCI_N_LINES * PCIE_MAP_CELLS], *cell = map;

    for (unsigned slot = 0; slot < PCI_N_LINES; slot++) {
        for (unsigned pin = 0; pin < PCI_N_LINES; pin++) {
            const uint32_t entry[PCIE_MAP_CELLS] = {
                PCI_MAKE_DEVFN(slot, 0) << 8,
                0,
                0,
                pin + 1,
                PHANDLE_GIC,
                0,
                0, /* the GIC's #address-cells */
                GIC_SPI,
                VIRT_PCIE_SPI + (slot + pin) % PCI_N_LINES,
                IRQ_LEVEL_HIGH,
            };

            memcpy(cell, entry, sizeof(entry));
            cell += PCIE_MAP_CELLS;
        }
    }
    cells(fdt, "interrupt-map", G_N_ELEMENTS(map), map);
    CELLS(fdt, "interrupt-map-mask", PCI_MAKE_DEVFN(PCI_N_LINES - 1, 0) << 8, 0, 0, 7);
}

static void pcie(void *fdt, const VirtFdtInfo *info)
{
    const GpexLayout *l = &info->pcie;
    const VirtWindow *w = &info->window;
    g_autofree char *name = g_strdup_printf("pcie@%" G_GINT64_MODIFIER "x", l->mem);
    enum { SPACE_IO = 0x01000000, SPACE_MEM32 = 0x02000000, SPACE_MEM64 = 0x03000000 };

    begin(fdt, name);
    string(fdt, "compatible", "pci-host-ecam-generic");
    string(fdt, "device_type", "pci");
    CELLS(fdt, "#address-cells", 3);
    CELLS(fdt, "#size-cells", 2);
    CELLS(fdt, "#interrupt-cells", 1);
    CELLS(fdt, "linux,pci-domain", 0);
    CELLS(fdt, "bus-range", 0, l->ecam_size / GPEX_ECAM_BUS_SIZE - 1);
    flag(fdt, "dma-coherent");
    reg(fdt, l->ecam, l->ecam_size);
    if (l->mem64_size != 0) {
        CELLS(fdt, "ranges", SPACE_IO, 0, 0, l->io >> 32, l->io, 0, GPEX_IO_SIZE, SPACE_MEM32,
              l->mem >> 32, l->mem, l->mem >> 32, l->mem, l->mem_size >> 32, l->mem_size,
              SPACE_MEM64, l->mem64 >> 32, l->mem64, l->mem64 >> 32, l->mem64, l->mem64_size >> 32,
              l->mem64_size);
    } else {
        CELLS(fdt, "ranges", SPACE_IO, 0, 0, l->io >> 32, l->io, 0, GPEX_IO_SIZE, SPACE_MEM32,
              l->mem >> 32, l->mem, l->mem >> 32, l->mem, l->mem_size >> 32, l->mem_size);
    }
    if (is_pooled(info)) {
        CELLS(fdt, "memory-region", PHANDLE_POOL);
    } else if (is_zoned(info)) {
        CELLS(fdt, "dma-ranges", SPACE_MEM32, w->base >> 32, w->base, w->base >> 32, w->base,
              w->size >> 32, w->size);
    }
    pcie_interrupts(fdt);
    end(fdt);
}

void *virt_fdt_build(const VirtFdtInfo *info)
{
    unsigned n_nodes = info->numa != NULL ? info->numa->n_nodes : 0;
    size_t room = FDT_ROOM + n_nodes * n_nodes * 3 * sizeof(uint32_t);
    void *fdt = g_malloc0(room);

    must(fdt_create(fdt, room));
    must(fdt_finish_reservemap(fdt));
    begin(fdt, "");
    CELLS(fdt, "#address-cells", 2);
    CELLS(fdt, "#size-cells", 2);
    string(fdt, "compatible", "linux,dummy-virt");
    string(fdt, "model", "linux,dummy-virt");
    CELLS(fdt, "interrupt-parent", PHANDLE_GIC);
    chosen(fdt, info);
    cpus(fdt, info);
    memory(fdt, info);
    if (info->numa != NULL) {
        distances(fdt, info->numa);
    }
    psci(fdt);
    timer(fdt);
    gic(fdt, info);
    devices(fdt);
    platform(fdt, info);
    if (is_pooled(info)) {
        pool(fdt, &info->window);
    }
    transports(fdt, info);
    pcie(fdt, info);
    end(fdt);
    must(fdt_finish(fdt));
    return fdt;
}
