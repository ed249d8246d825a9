/* SPDX-License-Identifier: GPL-2.0-or-later
 * The microvm machine's interrupt lines and the devices at ISA's classic ports.
 */
#include "hw/char/serial.h"
#include "hw/display/ramfb.h"
#include "hw/input/i8042.h"
#include "hw/intc/i8259.h"
#include "hw/intc/ioapic.h"
#include "hw/misc/debug-exit.h"
#include "hw/misc/pc-testdev.h"
#include "hw/rtc/mc146818.h"
#include "hw/timer/i8254.h"
#include "microvm-priv.h"
#include "util/error.h"

/* ---- interrupts ---- */

static void drive_gsi(void *opaque, int gsi, int level)
{
    accel_irq_set(opaque, gsi, level != 0);
}

static bool has_irqchip(Machine *m)
{
    return accel_caps(machine_accel(m)) & ACCEL_CAP_IRQCHIP;
}

static bool connect_to_accel(MicrovmMachine *s, GError **error)
{
    Accel *accel = machine_accel(HUMPY_MACHINE(s));

    for (unsigned gsi = 0; gsi < X86_N_GSIS; gsi++) {
        if (!accel_irq_connect(accel, gsi, ACCEL_IRQ_LEVEL, error)) {
            return false;
        }
        x86_gsi_add_output(s->gsis, gsi, irq_new(drive_gsi, accel, gsi));
    }
    return true;
}

/* For an accelerator without vCPUs (qtest): nobody answers the 8259's INTR. */
static bool add_controllers(MicrovmMachine *s, GError **error)
{
    Machine *m = HUMPY_MACHINE(s);
    Device *ioapic = g_object_new(TYPE_IOAPIC, "pins", X86_N_GSIS, NULL), *pic;

    ioapic_set_memory(HUMPY_IOAPIC(ioapic), machine_memory(m));
    if (!microvm_add_device(s, ioapic, error)) {
        return false;
    }
    device_map(ioapic, 0, machine_system_memory(m), MICROVM_IOAPIC);
    for (unsigned gsi = 0; gsi < X86_N_GSIS; gsi++) {
        x86_gsi_add_output(s->gsis, gsi, device_input(ioapic, NULL, gsi));
    }
    if (s->pic == PROP_OFF) {
        return true;
    }
    pic = g_object_new(TYPE_I8259, NULL);
    if (!microvm_add_device(s, pic, error)) {
        return false;
    }
    device_map(pic, I8259_MASTER, machine_system_io(m), MICROVM_PIC);
    device_map(pic, I8259_SLAVE, machine_system_io(m), MICROVM_PIC_SLAVE);
    device_map(pic, I8259_ELCR, machine_system_io(m), MICROVM_PIC_ELCR);
    for (unsigned irq = 0; irq < I8259_N_INPUTS; irq++) {
        x86_gsi_add_output(s->gsis, irq, device_input(pic, NULL, irq));
    }
    return true;
}

bool microvm_add_irqs(MicrovmMachine *s, GError **error)
{
    s->gsis = x86_gsis_new();
    return has_irqchip(HUMPY_MACHINE(s)) ? connect_to_accel(s, error) : add_controllers(s, error);
}

void microvm_release_irqs(MicrovmMachine *s)
{
    g_clear_pointer(&s->gsis, x86_gsis_free);
}

/* ---- serial ports ---- */

const MicrovmPlace microvm_serials[] = { { 0x3f8, 4 }, { 0x2f8, 3 }, { 0x3e8, 4 }, { 0x2e8, 3 } };

/* COM1 is there for its own sake, the others for who asked for them. Two share an interrupt. */
static bool add_serials(MicrovmMachine *s, GError **error)
{
    Machine *m = HUMPY_MACHINE(s);

    for (unsigned i = 0; s->isa_serial && i < MICROVM_N_SERIALS; i++) {
        struct Chardev *chr = machine_serial(m, i);
        Device *dev;

        if (i > 0 && chr == NULL) {
            continue;
        }
        dev = serial_new(chr);
        device_connect_irq(dev, 0, x86_gsi_line(s->gsis, microvm_serials[i].irq));
        if (!microvm_add_device(s, dev, error)) {
            return false;
        }
        device_map(dev, 0, machine_system_io(m), microvm_serials[i].port);
        s->serials[i] = dev;
    }
    return true;
}

/* ---- the rest of the board ---- */

/* Nothing is plugged into it: it resets. */
static bool add_keyboard_controller(MicrovmMachine *s, GError **error)
{
    MemoryRegion *io = machine_system_io(HUMPY_MACHINE(s));
    Device *dev = g_object_new(TYPE_I8042, NULL);

    device_connect_irq(dev, 0, x86_gsi_line(s->gsis, 1));
    device_connect_irq(dev, 1, x86_gsi_line(s->gsis, 12));
    if (!microvm_add_device(s, dev, error)) {
        return false;
    }
    device_map(dev, I8042_DATA, io, 0x60);
    device_map(dev, I8042_COMMAND, io, 0x64);
    device_map(dev, I8042_PORT_A, io, 0x92);
    return true;
}

static bool add_pm(MicrovmMachine *s, GError **error)
{
    Device *dev = g_object_new(TYPE_ACPI_PM, NULL);

    device_connect_irq(dev, 0, x86_gsi_line(s->gsis, MICROVM_SCI));
    if (!microvm_add_device(s, dev, error)) {
        return false;
    }
    device_map(dev, 0, machine_system_io(HUMPY_MACHINE(s)), MICROVM_ACPI_PM);
    s->pm = HUMPY_ACPI_PM(dev);
    return true;
}

/* What a kernel that knows no ACPI asks for the size of memory is in its CMOS. */
static bool add_rtc(MicrovmMachine *s, GError **error)
{
    Machine *m = HUMPY_MACHINE(s);
    uint64_t size = machine_config(m)->ram_size, low = MIN(size, MICROVM_LOW_RAM_MAX);
    Device *dev;

    if (s->rtc == PROP_OFF) {
        return true;
    }
    dev = g_object_new(TYPE_MC146818, NULL);
    device_connect_irq(dev, 0, x86_gsi_line(s->gsis, MICROVM_RTC_IRQ));
    if (!microvm_add_device(s, dev, error)) {
        return false;
    }
    mc146818_set_memory(HUMPY_MC146818(dev), low, size - low);
    device_map(dev, 0, machine_system_io(m), MICROVM_RTC);
    return true;
}

/* Where the accelerator has one, that one is closer to the guest. */
static bool add_pit(MicrovmMachine *s, GError **error)
{
    Machine *m = HUMPY_MACHINE(s);
    Device *dev;

    if (s->pit == PROP_OFF || (accel_caps(machine_accel(m)) & ACCEL_CAP_PIT)) {
        return true;
    }
    dev = g_object_new(TYPE_I8254, NULL);
    device_connect_irq(dev, 0, x86_gsi_line(s->gsis, 0));
    if (!microvm_add_device(s, dev, error)) {
        return false;
    }
    device_map(dev, I8254_PORTS, machine_system_io(m), MICROVM_PIT);
    device_map(dev, I8254_PORT_B, machine_system_io(m), MICROVM_PORT_B);
    return true;
}

static bool add_fw_cfg(MicrovmMachine *s, GError **error)
{
    Machine *m = HUMPY_MACHINE(s);
    uint16_t n_cpus = GUINT16_TO_LE(machine_n_cpus(m));
    g_autoptr(GBytes) item = g_bytes_new(&n_cpus, sizeof(n_cpus));
    Device *dev = g_object_new(TYPE_FW_CFG_IO, NULL);

    fw_cfg_set_dma(HUMPY_FW_CFG(dev), machine_memory(m));
    fw_cfg_set_item(HUMPY_FW_CFG(dev), FW_CFG_KEY_N_CPUS, item);
    if (!microvm_add_device(s, dev, error)) {
        return false;
    }
    device_map(dev, 0, machine_system_io(m), MICROVM_FW_CFG);
    s->fw_cfg = HUMPY_FW_CFG(dev);
    return true;
}

bool microvm_add_fw_cfg(Machine *m, const char *name, GBytes *data, GError **error)
{
    return fw_cfg_add_file(HUMPY_MICROVM_MACHINE(m)->fw_cfg, name, data, error);
}

void microvm_powerdown(Machine *m)
{
    acpi_pm_power_button(HUMPY_MICROVM_MACHINE(m)->pm);
}

static void plug_testdev(MicrovmMachine *s, Device *dev)
{
    Machine *m = HUMPY_MACHINE(s);

    for (unsigned i = 0; i < PC_TESTDEV_N_LINES; i++) {
        device_connect_irq(dev, i, x86_gsi_line(s->gsis, i));
    }
    device_map(dev, PC_TESTDEV_SCRATCH, machine_system_io(m), PC_TESTDEV_SCRATCH_PORT);
    device_map(dev, PC_TESTDEV_LINES, machine_system_io(m), PC_TESTDEV_LINES_PORT);
    device_map(dev, PC_TESTDEV_MEMORY, machine_system_memory(m), PC_TESTDEV_MEMORY_ADDR);
    s->testdev = dev;
}

static void plug_panic(MicrovmMachine *s, Device *dev)
{
    s->panic = HUMPY_PVPANIC_ISA(dev);
    device_map(dev, 0, machine_system_io(HUMPY_MACHINE(s)), pvpanic_isa_port(s->panic));
}

/* At the port that its property says. */
static void plug_debug_port(MicrovmMachine *s, Device *dev)
{
    unsigned port;

    g_object_get(dev, "iobase", &port, NULL);
    device_map(dev, 0, machine_system_io(HUMPY_MACHINE(s)), port);
}

bool microvm_plug_into_board(MicrovmMachine *s, Device *dev, GError **error)
{
    bool testdev = HUMPY_IS_PC_TESTDEV(dev), panic = HUMPY_IS_PVPANIC_ISA(dev);

    if (HUMPY_IS_RAMFB(dev)) {
        return ramfb_connect(HUMPY_RAMFB(dev), s->fw_cfg, machine_memory(HUMPY_MACHINE(s)), error);
    }
    if (HUMPY_IS_DEBUG_EXIT(dev) || HUMPY_IS_DEBUGCON(dev)) {
        plug_debug_port(s, dev);
        return true;
    }
    if (!testdev && !panic) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "machine 'microvm' has no place for a '%s'", device_type(dev));
        return false;
    }
    if ((testdev && s->testdev != NULL) || (panic && s->panic != NULL)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT, "there already is a '%s'",
                    device_type(dev));
        return false;
    }
    if (testdev) {
        plug_testdev(s, dev);
    } else {
        plug_panic(s, dev);
    }
    return true;
}

bool microvm_add_isa(MicrovmMachine *s, GError **error)
{
    return add_serials(s, error) && add_keyboard_controller(s, error) && add_pm(s, error) &&
           add_rtc(s, error) && add_fw_cfg(s, error) && add_pit(s, error);
}
