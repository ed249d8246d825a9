/* SPDX-License-Identifier: GPL-2.0-or-later
 * The virt machine's smaller parts: interrupt controller, flash, firmware configuration device,
 * GPIO with the power button. Addresses and interrupts are in hw/arm/virt.h, nodes of the device
 * tree in virt-fdt.c.
 */
#include "hw/display/ramfb.h"
#include "hw/gpio/gpio-key.h"
#include "hw/gpio/pl061.h"
#include "hw/intc/arm-gicv3.h"
#include "hw/misc/pvpanic.h"
#include "hw/misc/vcpu-stall.h"
#include "util/error.h"
#include "virt-priv.h"

/* ---- interrupt controller ---- */

bool virt_add_gic(VirtMachine *v, GError **error)
{
    Machine *m = HUMPY_MACHINE(v);
    Device *dev;

    if (virt_has_irqchip(m)) {
        return true;
    }
    dev = g_object_new(TYPE_ARM_GICV3, "num-cpu", machine_config(m)->smp, "num-irq",
                       32 + VIRT_N_SPIS, NULL);
    if (!virt_add_device(m, dev, VIRT_GICD, VIRT_NO_SPI, error)) {
        return false;
    }
    device_map(dev, 1, machine_system_memory(m), VIRT_GICR);
    v->gic = dev;
    return true;
}

/* ---- flash ---- */

/* Flash is memory that a guest reads and runs from, and traps only when it writes: an accelerator
 * without such memory cannot have it, and gets what virt-firmware.c makes up for it. One without
 * vCPUs leaves all accesses to the memory API. */
static bool can_have_flash(Accel *accel)
{
    return !(accel_caps(accel) & ACCEL_CAP_VCPUS) || (accel_caps(accel) & ACCEL_CAP_ROM_SLOTS);
}

/* Two chips of 16 bits side by side, blocks of 256 KiB, as QEMU's board has them. */
static bool add_flash(VirtMachine *v, unsigned n, GError **error)
{
    Device *dev = g_object_new(
        TYPE_PFLASH_CFI01, "drive", v->pflash[n], "num-blocks", VIRT_FLASH_SIZE / (256 << 10),
        "sector-length", G_GUINT64_CONSTANT(256) << 10, "width", 4, "device-width", 2, "id0", 0x89,
        "id1", 0x18, "name", n == 0 ? "virt.flash0" : "virt.flash1", NULL);

    if (!virt_add_device(HUMPY_MACHINE(v), dev, VIRT_FLASH + n * VIRT_FLASH_SIZE, VIRT_NO_SPI,
                         error)) {
        g_prefix_error(error, "pflash%u: ", n);
        return false;
    }
    v->flash = n == 0 ? HUMPY_PFLASH_CFI01(dev) : v->flash;
    return true;
}

static bool load_firmware(VirtMachine *v, const char *path, GError **error)
{
    g_autoptr(GError) cause = NULL;
    g_autofree char *data = NULL;
    gsize len;

    if (v->pflash[0] != NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "-bios %s: the first flash already has the drive '%s'", path, v->pflash[0]);
        return false;
    }
    if (!g_file_get_contents(path, &data, &len, &cause)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST, "-bios %s: %s", path, cause->message);
        return false;
    }
    if (!pflash_load(v->flash, data, len, error)) {
        g_prefix_error(error, "-bios %s: ", path);
        return false;
    }
    machine_note_rom(HUMPY_MACHINE(v), path, VIRT_FLASH, len);
    return true;
}

static bool add_flashes(VirtMachine *v, GError **error)
{
    const char *firmware = machine_config(HUMPY_MACHINE(v))->firmware;
    Accel *accel = machine_accel(HUMPY_MACHINE(v));

    if (!can_have_flash(accel)) {
        return virt_add_firmware(v, error);
    }
    for (unsigned i = 0; i < VIRT_N_FLASHES; i++) {
        if (!add_flash(v, i, error)) {
            return false;
        }
    }
    return firmware == NULL || load_firmware(v, firmware, error);
}

/* ---- firmware configuration ---- */

static bool add_fw_cfg(VirtMachine *v, GError **error)
{
    Machine *m = HUMPY_MACHINE(v);
    uint16_t n_cpus = GUINT16_TO_LE(machine_config(m)->smp);
    g_autoptr(GBytes) n_cpus_item = g_bytes_new(&n_cpus, sizeof(n_cpus));
    FwCfg *fw = g_object_new(TYPE_FW_CFG, NULL);

    fw_cfg_set_dma(fw, machine_memory(m));
    fw_cfg_set_item(fw, FW_CFG_KEY_N_CPUS, n_cpus_item);
    if (!virt_add_device(m, HUMPY_DEVICE(fw), VIRT_FW_CFG, VIRT_NO_SPI, error)) {
        return false;
    }
    v->fw_cfg = fw;
    return true;
}

bool virt_add_fw_cfg(Machine *m, const char *name, GBytes *data, GError **error)
{
    return fw_cfg_add_file(HUMPY_VIRT_MACHINE(m)->fw_cfg, name, data, error);
}

/* ---- GPIO and power button ---- */

static bool add_gpio(VirtMachine *v, GError **error)
{
    Machine *m = HUMPY_MACHINE(v);
    Device *gpio = g_object_new(TYPE_PL061, "pullups", 0, "pulldowns", 0xff, NULL);
    Device *button;

    if (!virt_wire(m, VIRT_GPIO_SPI, ACCEL_IRQ_LEVEL, error)) {
        g_object_unref(gpio);
        return false;
    }
    if (!virt_add_device(m, gpio, VIRT_GPIO, VIRT_GPIO_SPI, error)) {
        return false;
    }
    button = g_object_new(TYPE_GPIO_KEY, NULL);
    device_connect_output(button, NULL, 0, device_input(gpio, NULL, VIRT_POWER_PIN));
    if (device_realize(button, error)) {
        machine_add_device(m, button);
        v->power_button = button;
    }
    g_object_unref(button);
    return v->power_button != NULL;
}

void virt_powerdown(Machine *m)
{
    Device *button = HUMPY_VIRT_MACHINE(m)->power_button;

    device_set_input(button, NULL, 0, 1);
    device_set_input(button, NULL, 0, 0);
}

/* ---- -device on the board itself ---- */

/* One of a kind, at its own place. */
static bool plug_at(VirtMachine *v, Device *dev, Device **slot, hwaddr addr, GError **error)
{
    if (*slot != NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT, "there already is a '%s'",
                    device_type(dev));
        return false;
    }
    device_map(dev, 0, machine_system_memory(HUMPY_MACHINE(v)), addr);
    *slot = dev;
    return true;
}

bool virt_plug_into_board(VirtMachine *v, Device *dev, GError **error)
{
    if (HUMPY_IS_PVPANIC_MMIO(dev)) {
        return plug_at(v, dev, &v->panic, VIRT_PANIC, error);
    }
    if (HUMPY_IS_VCPU_STALL(dev)) {
        return plug_at(v, dev, &v->stall, VIRT_STALL, error);
    }
    if (HUMPY_IS_RAMFB(dev)) {
        return ramfb_connect(HUMPY_RAMFB(dev), v->fw_cfg, machine_memory(HUMPY_MACHINE(v)), error);
    }
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                "machine 'virt' has no place for a '%s'", device_type(dev));
    return false;
}

/* ---- all ---- */

bool virt_add_platform(VirtMachine *v, GError **error)
{
    return add_fw_cfg(v, error) && add_flashes(v, error) && add_gpio(v, error);
}
