/* SPDX-License-Identifier: GPL-2.0-or-later
 * The microvm machine: RAM on both sides of the hole below 4 GiB, virtio-mmio transports, and the
 * way from -kernel to a running guest. The old devices and interrupts are microvm-isa.c's, PCI is
 * microvm-pci.c's, properties are microvm-options.c's, loading is boot.c's.
 *
 * The first -device goes to the transport with the highest address, as on QEMU.
 */
#include <string.h>

#include "hw/core/bus.h"
#include "hw/i386/boot.h"
#include "hw/virtio/virtio-mmio.h"
#include "microvm-priv.h"
#include "util/error.h"
#include "util/target.h"

#define MIB ((uint64_t)1 << 20)

DEVICE_DEFINE_TYPE(MicrovmMachine, microvm_machine, "microvm-machine", TYPE_MACHINE)

/* ---- building ---- */

bool microvm_add_device(MicrovmMachine *s, Device *dev, GError **error)
{
    bool ok = device_realize(dev, error);

    if (ok) {
        machine_add_device(HUMPY_MACHINE(s), dev);
    }
    g_object_unref(dev);
    return ok;
}

/* The version 1 registers are for QEMU's old clients; who knows this board knows version 2. */
static bool add_transports(MicrovmMachine *s, GError **error)
{
    Machine *m = HUMPY_MACHINE(s);

    for (unsigned i = 0; i < MICROVM_N_TRANSPORTS; i++) {
        Device *dev = g_object_new(TYPE_VIRTIO_MMIO, "force-legacy", FALSE, NULL);

        virtio_mmio_set_dma(HUMPY_VIRTIO_MMIO(dev), machine_memory(m));
        device_connect_irq(dev, 0, x86_gsi_line(s->gsis, MICROVM_MMIO_GSI + i));
        if (!microvm_add_device(s, dev, error)) {
            return false;
        }
        device_map(dev, 0, machine_system_memory(m), MICROVM_MMIO + i * VIRTIO_MMIO_SIZE);
        s->transports[i] = dev;
    }
    return true;
}

static uint64_t low_ram(Machine *m)
{
    return MIN(machine_config(m)->ram_size, MICROVM_LOW_RAM_MAX);
}

static void describe_memory(MicrovmMachine *s, X86MemMap *map)
{
    Machine *m = HUMPY_MACHINE(s);
    uint64_t low = low_ram(m);

    *map = (X86MemMap){};
    x86_memmap_add(map, 0, MICROVM_EBDA, X86_MEM_RAM);
    x86_memmap_add(map, MICROVM_EBDA, MICROVM_VGA - MICROVM_EBDA, X86_MEM_RESERVED);
    x86_memmap_add(map, MICROVM_ROM, MICROVM_ROM_SIZE, X86_MEM_RESERVED);
    x86_memmap_add(map, MIB, low - MIB, X86_MEM_RAM);
    if (s->pci != NULL) {
        x86_memmap_add(map, MICROVM_ECAM, MICROVM_ECAM_SIZE, X86_MEM_RESERVED);
    }
    x86_memmap_add(map, MICROVM_HIGH_RAM, machine_config(m)->ram_size - low, X86_MEM_RAM);
}

/* The same for firmware. */
static bool add_e820(MicrovmMachine *s, GError **error)
{
    g_autoptr(GBytes) e820 = NULL;
    X86MemMap map;

    describe_memory(s, &map);
    e820 = x86_memmap_e820(&map);
    return fw_cfg_add_file(s->fw_cfg, "etc/e820", e820, error);
}

static bool microvm_init(Machine *m, GError **error)
{
    static const MachineRamSplit split = {
        .first_size = MICROVM_LOW_RAM_MAX,
        .rest = MICROVM_HIGH_RAM,
        .first_name = "ram-below-4g",
        .rest_name = "ram-above-4g",
    };
    MicrovmMachine *s = HUMPY_MICROVM_MACHINE(m);
    AccelMachineInfo info = {
        .memory = machine_memory(m),
        .io = machine_io(m),
        .n_vcpus = machine_config(m)->smp,
        .vm_name = machine_config(m)->name,
        .pci_config = microvm_pci_config,
        .pci_opaque = s,
    };

    return microvm_check_options(s, error) &&
           machine_ram_map_split(m, "microvm.ram", &split, error) &&
           accel_setup(machine_accel(m), &info, error) && microvm_add_irqs(s, error) &&
           microvm_add_isa(s, error) && microvm_add_pci(s, error) && add_transports(s, error) &&
           add_e820(s, error);
}

static void microvm_finish(Machine *m)
{
    MicrovmMachine *s = HUMPY_MICROVM_MACHINE(m);

    memset(s->transports, 0, sizeof(s->transports));
    memset(s->serials, 0, sizeof(s->serials));
    s->pm = NULL;
    s->fw_cfg = NULL;
    s->pci = NULL;
    s->testdev = NULL;
    s->panic = NULL;
    microvm_release_irqs(s);
}

static bool microvm_plugged(Machine *m, Device *dev, GError **error)
{
    return device_parent_bus(dev) != NULL ||
           microvm_plug_into_board(HUMPY_MICROVM_MACHINE(m), dev, error);
}

/* ---- boot ---- */

/* Without ACPI a kernel learns of virtio-mmio devices from its command line only. */
static char *command_line(MicrovmMachine *s)
{
    const char *append = machine_config(HUMPY_MACHINE(s))->append;
    GString *text = g_string_new(append);

    for (unsigned i = MICROVM_N_TRANSPORTS;
         s->acpi == PROP_OFF && s->auto_kernel_cmdline && i-- > 0;) {
        if (bus_n_devices(virtio_mmio_bus(HUMPY_VIRTIO_MMIO(s->transports[i]))) > 0) {
            g_string_append_printf(text, "%svirtio_mmio.device=%d@0x%x:%u",
                                   text->len > 0 ? " " : "", VIRTIO_MMIO_SIZE,
                                   MICROVM_MMIO + i * VIRTIO_MMIO_SIZE, MICROVM_MMIO_GSI + i);
        }
    }
    return g_string_free(text, FALSE);
}

static bool check_boot_options(Machine *m, GError **error)
{
    const MachineConfig *config = machine_config(m);
    const char *option = config->initrd != NULL   ? "-initrd"
                         : config->append != NULL ? "-append"
                                                  : NULL;

    if (config->kernel == NULL && option != NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "%s: is allowed only with -kernel",
                    option);
        return false;
    }
    if (config->kernel == NULL && (accel_caps(machine_accel(m)) & ACCEL_CAP_VCPUS)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING,
                    "-kernel: is missing, and machine 'microvm' has no firmware to start");
        return false;
    }
    return true;
}

static bool microvm_boot(Machine *m, GError **error)
{
    MicrovmMachine *s = HUMPY_MICROVM_MACHINE(m);
    const MachineConfig *config = machine_config(m);
    MemoryRegion *ram = machine_ram(m);
    g_autofree char *append = command_line(s);
    X86MemMap map;
    AccelX86State state = {};
    AccelBootInfo boot = { .x86 = &state };
    X86BootRequest req = {
        .machine = m,
        .config = config,
        .append = append,
        .ram = { .host = memory_region_get_ram_ptr(ram),
                 .fd = memory_region_get_fd(ram),
                 .size = low_ram(m) },
        .map = &map,
    };

    if (!check_boot_options(m, error)) {
        return false;
    }
    describe_memory(s, &map);
    if (s->acpi != PROP_OFF && !microvm_load_acpi(s, &req.ram, &req.rsdp, error)) {
        return false;
    }
    if (config->kernel != NULL && !x86_boot_load(&req, &state, error)) {
        return false;
    }
    return accel_start(machine_accel(m), &boot, error);
}

static void microvm_machine_init(MicrovmMachine *s)
{
}

static void microvm_machine_class_init(MicrovmMachineClass *klass)
{
    MachineClass *mc = HUMPY_MACHINE_CLASS(klass);

    mc->name = "microvm";
    mc->targets = TARGET_X86_64;
    mc->summary = "x86 board of virtio-mmio and PCI Express, without firmware";
    mc->default_ram = 128 * MIB;
    mc->max_cpus = MICROVM_MAX_CPUS;
    mc->cpu_types = microvm_cpu_types;
    mc->n_serials = MICROVM_N_SERIALS;
    mc->has_ports = true;
    mc->init = microvm_init;
    mc->finish = microvm_finish;
    mc->plugged = microvm_plugged;
    mc->boot = microvm_boot;
    mc->powerdown = microvm_powerdown;
    mc->add_fw_cfg = microvm_add_fw_cfg;
    microvm_install_options(klass);
}
