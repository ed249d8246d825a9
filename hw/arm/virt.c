/* SPDX-License-Identifier: GPL-2.0-or-later
 * The virt machine: what QEMU's board of that name has, at QEMU's addresses, as far as Humpy has
 * it: RAM, PL011, PL031 and 32 virtio-mmio transports. The timer is the accelerator's, and the
 * interrupt controller if it has one. Smaller parts are in virt-platform.c. Properties are
 * virt-options.c's, the device tree virt-fdt.c's, loading boot.c's.
 *
 * The first -device goes to the transport with the highest address, as on QEMU. Only transports
 * with a device are wired to the accelerator: a hypervisor may have few interrupts to give.
 */
#include <errno.h>
#include <fcntl.h>
#include <libfdt.h>
#include <string.h>
#include <unistd.h>

#include "hw/arm/boot.h"
#include "hw/char/pl011.h"
#include "hw/core/bus.h"
#include "hw/rtc/pl031.h"
#include "hw/virtio/virtio-mmio.h"
#include "hw/virtio/virtio-transport.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/target.h"
#include "virt-priv.h"

#define MIB ((uint64_t)1 << 20)

DEVICE_DEFINE_TYPE(VirtMachine, virt_machine, "virt-machine", TYPE_MACHINE)

/* ---- building ---- */

static void drive_spi(void *opaque, int spi, int level)
{
    accel_irq_set(opaque, spi, level != 0);
}

bool virt_has_irqchip(Machine *m)
{
    return accel_caps(machine_accel(m)) & ACCEL_CAP_IRQCHIP;
}

bool virt_wire(Machine *m, unsigned spi, AccelIrqMode mode, GError **error)
{
    return !virt_has_irqchip(m) || accel_irq_connect(machine_accel(m), spi, mode, error);
}

IrqLine *virt_spi_line(Machine *m, unsigned spi)
{
    Device *gic = HUMPY_VIRT_MACHINE(m)->gic;

    return gic != NULL ? device_input(gic, NULL, spi) : irq_new(drive_spi, machine_accel(m), spi);
}

bool virt_add_device(Machine *m, Device *dev, uint64_t addr, unsigned spi, GError **error)
{
    bool ok;

    if (spi != VIRT_NO_SPI) {
        device_connect_irq(dev, 0, virt_spi_line(m, spi));
    }
    ok = device_realize(dev, error);
    if (ok) {
        device_map(dev, 0, machine_system_memory(m), addr);
        machine_add_device(m, dev);
    }
    g_object_unref(dev);
    return ok;
}

static bool add_serial(Machine *m, GError **error)
{
    return virt_wire(m, VIRT_UART_SPI, ACCEL_IRQ_LEVEL, error) &&
           virt_add_device(m, pl011_new(machine_serial(m, 0)), VIRT_UART, VIRT_UART_SPI, error);
}

static bool add_rtc(Machine *m, GError **error)
{
    return virt_wire(m, VIRT_RTC_SPI, ACCEL_IRQ_LEVEL, error) &&
           virt_add_device(m, g_object_new(TYPE_PL031, NULL), VIRT_RTC, VIRT_RTC_SPI, error);
}

static bool add_transports(VirtMachine *v, GError **error)
{
    Machine *m = HUMPY_MACHINE(v);

    for (unsigned i = 0; i < VIRT_N_TRANSPORTS; i++) {
        Device *dev = g_object_new(TYPE_VIRTIO_MMIO, NULL);

        virtio_mmio_set_dma(HUMPY_VIRTIO_MMIO(dev), machine_memory(m));
        if (!virt_add_device(m, dev, VIRT_MMIO + i * VIRTIO_MMIO_SIZE, VIRT_MMIO_SPI + i, error)) {
            return false;
        }
        v->transports[i] = dev;
    }
    return true;
}

static bool virt_init(Machine *m, GError **error)
{
    VirtMachine *v = HUMPY_VIRT_MACHINE(m);
    const MachineConfig *config = machine_config(m);
    Accel *accel = machine_accel(m);
    AccelMachineInfo info = {
        .memory = machine_memory(m),
        .n_vcpus = config->smp,
        .vm_name = config->name,
        .gicd_base = VIRT_GICD,
        .gicr_base = VIRT_GICR,
    };

    if (!virt_check_options(v, config, accel, error) || !virt_map_ram(v, error)) {
        return false;
    }
    info.window_base = v->window.base;
    info.window_size = v->window.size;
    if (v->firmware_base != 0) {
        info.firmware_base = v->firmware_base;
        info.firmware_size = memory_region_size(&v->firmware_ram);
    }
    return accel_setup(accel, &info, error) && virt_add_gic(v, error) && add_serial(m, error) &&
           add_rtc(m, error) && virt_add_platform(v, error) && virt_add_pcie(v, error) &&
           add_transports(v, error);
}

static void virt_finish(Machine *m)
{
    VirtMachine *v = HUMPY_VIRT_MACHINE(m);

    virtio_require_platform(false);
    virt_drop_firmware(v);
    virt_unmap_ram(v);
    memset(v->transports, 0, sizeof(v->transports));
    v->on_transport = NULL;
    v->flash = NULL;
    v->fw_cfg = NULL;
    v->gic = NULL;
    v->power_button = NULL;
    v->panic = v->stall = NULL;
    v->pcie = NULL;
}

/* ---- -device ---- */

static bool virt_plugged(Machine *m, Device *dev, GError **error)
{
    VirtMachine *v = HUMPY_VIRT_MACHINE(m);
    Bus *bus = device_parent_bus(dev);

    if (bus == NULL) {
        return virt_plug_into_board(v, dev, error);
    }
    for (unsigned i = 0; i < VIRT_N_TRANSPORTS; i++) {
        if (bus_parent(bus) == v->transports[i]) {
            v->on_transport = device_type(dev);
            return virt_wire(m, VIRT_MMIO_SPI + i, ACCEL_IRQ_EDGE, error);
        }
    }
    return true;
}

/* ---- boot ---- */

static void *build_fdt(void *opaque, GError **error)
{
    VirtMachine *v = opaque;
    const Numa *numa = machine_numa(HUMPY_MACHINE(v));
    VirtFdtInfo info = {
        .numa = numa->n_nodes > 0 && !v->window.hidden ? numa : NULL,
        .cpu_compatible = v->cpu_compatible,
        .n_cpus = machine_config(HUMPY_MACHINE(v))->smp,
        .ram_base = v->ram_base,
        .ram_size = v->ram_size +
                    (v->window.kind == ACCEL_WINDOW_POOL && !v->window.hidden ? v->window.size : 0),
        .window = v->window,
        .protect = v->protect,
        .flash = v->flash != NULL,
        .panic = v->panic != NULL,
        .stall = v->stall != NULL,
        .seeds = v->dtb_randomness,
        .pcie = virt_pcie_layout(v),
    };

    return virt_fdt_build(&info);
}

static bool check_boot_options(const MachineConfig *config, bool needs_kernel, bool has_firmware,
                               GError **error)
{
    const char *option = config->initrd != NULL   ? "-initrd"
                         : config->append != NULL ? "-append"
                         : config->dtb != NULL    ? "-dtb"
                                                  : NULL;

    if (config->kernel != NULL || config->dumpdtb != NULL) {
        return true;
    }
    if (option != NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "%s: is allowed only with -kernel",
                    option);
        return false;
    }
    if (needs_kernel && !has_firmware) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING,
                    "-kernel: is missing, and so is firmware to start (-bios)");
        return false;
    }
    return true;
}

static bool dump_fdt(const char *path, const void *fdt, GError **error)
{
    g_auto(Fd) fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    size_t size = fdt_totalsize(fdt);
    const char *what = "cannot open";

    if (fd >= 0) {
        what = "cannot write";
        for (size_t done = 0; done < size;) {
            ssize_t n = write(fd, (const char *)fdt + done, size - done);

            if (n < 0 && errno != EINTR) {
                goto fail;
            }
            done += MAX(n, 0);
        }
        return true;
    }
fail:
    error_set_errno(error, errno, "-machine dumpdtb=%s: %s", path, what);
    return false;
}

static bool load_firmware(VirtMachine *v, const ArmBootRequest *req, AccelBootInfo *boot,
                          void **fdt, GError **error)
{
    ArmFirmware firmware;

    if (v->signed_image) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "-bios: a trusted VM is started from its own image (-kernel)");
        return false;
    }
    return virt_install_firmware(v, &firmware, error) &&
           arm_boot_firmware(req, &firmware, boot, fdt, error);
}

/* Loads and starts, or with dumpdtb only writes the tree. */
static bool boot_once(Machine *m, bool protect, GError **error)
{
    VirtMachine *v = HUMPY_VIRT_MACHINE(m);
    const MachineConfig *config = machine_config(m);
    Accel *accel = machine_accel(m);
    g_autofree void *fdt = NULL;
    g_autofree char *more_append = NULL;
    AccelBootInfo boot = { .ram_base = v->ram_base, .protect = protect };
    ArmBootRequest req = {
        .machine = m,
        .accel = accel,
        .config = config,
        .ram = machine_ram(m),
        .ram_base = v->ram_base,
        .ram_size = v->ram_size,
        .signed_image = v->signed_image,
        .protect = protect,
        .build_fdt = build_fdt,
        .opaque = v,
    };

    virt_set_protected(v, protect);
    more_append = virt_protect_append(v);
    req.more_append = more_append;
    if (config->kernel != NULL) {
        if (!arm_boot_load(&req, &boot, &fdt, error)) {
            return false;
        }
    } else if (virt_wants_firmware(v) && accel_caps(accel) & ACCEL_CAP_VCPUS) {
        if (!load_firmware(v, &req, &boot, &fdt, error)) {
            return false;
        }
    } else if (config->dumpdtb != NULL) {
        fdt = arm_boot_fdt(&req, error);
        if (fdt == NULL) {
            return false;
        }
    }
    if (config->dumpdtb != NULL) {
        return dump_fdt(config->dumpdtb, fdt, error);
    }
    return accel_start(accel, &boot, error);
}

static bool virt_boot(Machine *m, GError **error)
{
    VirtMachine *v = HUMPY_VIRT_MACHINE(m);
    Accel *accel = machine_accel(m);
    g_autoptr(GError) cause = NULL;

    if (!check_boot_options(machine_config(m), accel_caps(accel) & ACCEL_CAP_VCPUS,
                            virt_wants_firmware(v), error) ||
        !virt_wire_pcie(v, error)) {
        return false;
    }
    if (boot_once(m, v->protection == ACCEL_PROTECT_ON, &cause)) {
        return true;
    }
    if (v->protection == ACCEL_PROTECT_AUTO && accel_wants_protection(accel)) {
        g_message("%s; going on with a protected guest", cause->message);
        return boot_once(m, true, error);
    }
    g_propagate_error(error, g_steal_pointer(&cause));
    return false;
}

static void virt_machine_init(VirtMachine *v)
{
}

static void virt_machine_class_init(VirtMachineClass *klass)
{
    MachineClass *mc = HUMPY_MACHINE_CLASS(klass);

    mc->name = "virt-7.2";
    mc->alias = "virt";
    mc->targets = TARGET_AARCH64;
    mc->summary = "Arm virtual machine, laid out as QEMU 7.2's";
    mc->default_ram = 128 * MIB;
    mc->max_cpus = VIRT_MAX_CPUS;
    mc->cpu_types = virt_cpu_types;
    mc->n_serials = 1;
    mc->has_numa = true;
    mc->init = virt_init;
    mc->finish = virt_finish;
    mc->plugged = virt_plugged;
    mc->boot = virt_boot;
    mc->powerdown = virt_powerdown;
    mc->add_fw_cfg = virt_add_fw_cfg;
    virt_install_options(klass);
}
