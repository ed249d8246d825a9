/* SPDX-License-Identifier: GPL-2.0-or-later
 * The virt machine: what QEMU's board of that name has, at QEMU's addresses, as far as Humpy has
 * it: RAM, PL011, PL031 and 32 virtio-mmio transports. The interrupt controller and the timer are
 * the accelerator's. The device tree is virt-fdt.c's, loading boot.c's.
 *
 * The first -device goes to the transport with the highest address, as on QEMU. Only transports
 * with a device are wired to the accelerator: a hypervisor may have few interrupts to give.
 */
#include "hw/arm/virt.h"

#include <errno.h>
#include <fcntl.h>
#include <libfdt.h>
#include <string.h>
#include <unistd.h>

#include "hw/arm/boot.h"
#include "hw/char/pl011.h"
#include "hw/rtc/pl031.h"
#include "hw/virtio/virtio-mmio.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/keyval.h"

#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

enum { GIC_2, GIC_3, GIC_4, GIC_HOST, GIC_MAX };
static const char *const gic_versions[] = { "2", "3", "4", "host", "max", NULL };

/* Values of -cpu, and what the device tree then calls the CPU. The accelerator decides what the CPU
 * really is: names are taken as on QEMU so that command lines carry over. */
static const char *const cpu_types[] = { "cortex-a57", "cortex-a53", "cortex-a72",
                                         "host",       "max",        NULL };
static const char *const cpu_compatibles[] = { "arm,cortex-a57", "arm,cortex-a53", "arm,cortex-a72",
                                               "arm,armv8", "arm,armv8" };

struct _VirtMachine {
    Machine parent_instance;
    int gic_version;
    bool highmem, its, secure, virtualization, dtb_randomness;

    const char *cpu_compatible;
    MemoryRegion ram;
    bool has_ram;
    Device *transports[VIRT_N_TRANSPORTS]; /* owned by the machine's list */
};

DEVICE_DEFINE_TYPE(VirtMachine, virt_machine, "virt-machine", TYPE_MACHINE)

/* ---- checks of what the user asked for ---- */

static bool unsupported(GError **error, const char *option, const char *why)
{
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED, "-machine virt,%s: %s", option, why);
    return false;
}

static bool check_properties(VirtMachine *v, Accel *accel, GError **error)
{
    switch (v->gic_version) {
    case GIC_2:
        return unsupported(error, "gic-version=2", "a GICv2 is not emulated (use 3)");
    case GIC_4:
        return unsupported(error, "gic-version=4", "a GICv4 is not emulated (use 3)");
    default:
        break;
    }
    if (v->its) {
        return accel_require(accel, ACCEL_CAP_MSI, "-machine virt,its=on", error) &&
               unsupported(error, "its=on", "the machine has no ITS of its own yet");
    }
    if (v->secure) {
        return unsupported(error, "secure=on", "there is no EL3");
    }
    if (v->virtualization) {
        return accel_require(accel, ACCEL_CAP_EL2, "-machine virt,virtualization=on", error) &&
               unsupported(error, "virtualization=on", "EL2 cannot be started yet");
    }
    if ((accel_caps(accel) & ACCEL_CAP_VCPUS) && !(accel_caps(accel) & ACCEL_CAP_IRQCHIP)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "-machine virt: accelerator '%s' brings no interrupt controller and the "
                    "machine has none of its own",
                    accel_name(accel));
        return false;
    }
    return true;
}

static bool check_cpu(VirtMachine *v, const char *text, Accel *accel, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse(text != NULL ? text : cpu_types[0], "type", error);
    const char *type, *unknown;
    bool pmu = false;

    v->cpu_compatible = NULL;
    if (kv == NULL) {
        return false;
    }
    type = keyval_take(kv, "type");
    for (unsigned i = 0; cpu_types[i] != NULL; i++) {
        if (g_strcmp0(type, cpu_types[i]) == 0) {
            v->cpu_compatible = cpu_compatibles[i];
        }
    }
    if (v->cpu_compatible == NULL) {
        error_set_unknown(error, "CPU type", type != NULL ? type : "", cpu_types);
        return false;
    }
    if (!keyval_take_bool(kv, "pmu", &pmu, error) ||
        (pmu && !accel_require(accel, ACCEL_CAP_PMU, "pmu=on", error))) {
        return false;
    }
    unknown = keyval_unused(kv);
    if (unknown != NULL) {
        error_set_unknown(error, "CPU property", unknown, (const char *const[]){ "pmu", NULL });
        return false;
    }
    return true;
}

static bool check_ram(VirtMachine *v, uint64_t size, GError **error)
{
    uint64_t max = v->highmem ? 255 * GIB : 3 * GIB;
    uint64_t page = sysconf(_SC_PAGESIZE);

    if (size < 4 * MIB || size > max) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "-m: %" G_GUINT64_FORMAT " bytes of memory; machine 'virt' takes 4 MiB to "
                    "%" G_GUINT64_FORMAT " GiB%s",
                    size, max / GIB, v->highmem ? "" : " with highmem=off");
        return false;
    }
    if (size % page != 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "-m: %" G_GUINT64_FORMAT " bytes of memory are not a multiple of the page size "
                    "%" G_GUINT64_FORMAT,
                    size, page);
        return false;
    }
    return true;
}

/* ---- building ---- */

static void drive_spi(void *opaque, int spi, int level)
{
    accel_irq_set(opaque, spi, level != 0);
}

static bool has_irqchip(Machine *m)
{
    return accel_caps(machine_accel(m)) & ACCEL_CAP_IRQCHIP;
}

static bool wire(Machine *m, unsigned spi, AccelIrqMode mode, GError **error)
{
    return !has_irqchip(m) || accel_irq_connect(machine_accel(m), spi, mode, error);
}

/* Realizes, maps and connects dev; the line itself is wired by then. Takes the reference. */
static bool add_device(Machine *m, Device *dev, uint64_t addr, unsigned spi, GError **error)
{
    bool ok;

    if (has_irqchip(m)) {
        device_connect_irq(dev, 0, irq_new(drive_spi, machine_accel(m), spi));
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
    return wire(m, VIRT_UART_SPI, ACCEL_IRQ_LEVEL, error) &&
           add_device(m, pl011_new(machine_serial(m, 0)), VIRT_UART, VIRT_UART_SPI, error);
}

static bool add_rtc(Machine *m, GError **error)
{
    return wire(m, VIRT_RTC_SPI, ACCEL_IRQ_LEVEL, error) &&
           add_device(m, g_object_new(TYPE_PL031, NULL), VIRT_RTC, VIRT_RTC_SPI, error);
}

static bool add_transports(VirtMachine *v, GError **error)
{
    Machine *m = HUMPY_MACHINE(v);

    for (unsigned i = 0; i < VIRT_N_TRANSPORTS; i++) {
        Device *dev = g_object_new(TYPE_VIRTIO_MMIO, NULL);

        virtio_mmio_set_dma(HUMPY_VIRTIO_MMIO(dev), machine_memory(m));
        if (!add_device(m, dev, VIRT_MMIO + i * VIRTIO_MMIO_SIZE, VIRT_MMIO_SPI + i, error)) {
            return false;
        }
        v->transports[i] = dev;
    }
    return true;
}

static bool add_ram(VirtMachine *v, uint64_t size, GError **error)
{
    if (!memory_region_init_ram(&v->ram, NULL, "mach-virt.ram", size, error)) {
        g_prefix_error(error, "-m: ");
        return false;
    }
    v->has_ram = true;
    memory_region_add_subregion(machine_system_memory(HUMPY_MACHINE(v)), VIRT_RAM, &v->ram);
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
    };

    if (!check_properties(v, accel, error) || !check_ram(v, config->ram_size, error)) {
        return false;
    }
    if (!check_cpu(v, config->cpu_type, accel, error)) {
        g_prefix_error(error, "-cpu %s: ", config->cpu_type);
        return false;
    }
    return add_ram(v, config->ram_size, error) && accel_setup(accel, &info, error) &&
           add_serial(m, error) && add_rtc(m, error) && add_transports(v, error);
}

static void virt_finish(Machine *m)
{
    VirtMachine *v = HUMPY_VIRT_MACHINE(m);

    memset(v->transports, 0, sizeof(v->transports));
    if (v->has_ram) {
        memory_region_del_subregion(machine_system_memory(m), &v->ram);
        memory_region_destroy(&v->ram);
        v->has_ram = false;
    }
}

/* ---- -device ---- */

/* Index of the transport that bus ("virtio-mmio-bus.N", or NULL: the next free one) means. */
static int find_transport(VirtMachine *v, const char *bus, GError **error)
{
    static const char prefix[] = "virtio-mmio-bus.";
    uint64_t n;

    if (bus == NULL) {
        for (int i = VIRT_N_TRANSPORTS; i-- > 0;) {
            if (virtio_bus_device(v->transports[i]) == NULL) {
                return i;
            }
        }
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "all %d virtio-mmio transports are taken", VIRT_N_TRANSPORTS);
        return -1;
    }
    if (!g_str_has_prefix(bus, prefix) || !props_parse_u64(bus + strlen(prefix), &n, NULL) ||
        n >= VIRT_N_TRANSPORTS) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN,
                    "bus '%s' is not known (valid: virtio-mmio-bus.0 to virtio-mmio-bus.%d)", bus,
                    VIRT_N_TRANSPORTS - 1);
        return -1;
    }
    return n;
}

static bool virt_plug(Machine *m, Device *dev, const char *bus, GError **error)
{
    VirtMachine *v = HUMPY_VIRT_MACHINE(m);
    const char *kind = HUMPY_DEVICE_GET_CLASS(dev)->bus;
    int n;

    if (g_strcmp0(kind, "virtio-bus") != 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "'%s' needs a bus of kind %s, which machine 'virt' does not have",
                    device_type(dev), kind != NULL ? kind : "unknown");
        return false;
    }
    n = find_transport(v, bus, error);
    if (n < 0 || !virtio_bus_plug(v->transports[n], dev, error)) {
        return false;
    }
    if (!wire(m, VIRT_MMIO_SPI + n, ACCEL_IRQ_EDGE, error)) {
        virtio_bus_unplug(v->transports[n]);
        return false;
    }
    return true;
}

/* ---- boot ---- */

static void *build_fdt(void *opaque, GError **error)
{
    VirtMachine *v = opaque;
    VirtFdtInfo info = {
        .cpu_compatible = v->cpu_compatible,
        .n_cpus = machine_config(HUMPY_MACHINE(v))->smp,
        .ram_size = memory_region_size(&v->ram),
        .seeds = v->dtb_randomness,
    };

    return virt_fdt_build(&info);
}

static bool check_boot_options(const MachineConfig *config, bool needs_kernel, GError **error)
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
    if (needs_kernel) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING,
                    "-kernel: is missing, and machine 'virt' has no firmware to start");
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

static bool virt_boot(Machine *m, GError **error)
{
    VirtMachine *v = HUMPY_VIRT_MACHINE(m);
    const MachineConfig *config = machine_config(m);
    Accel *accel = machine_accel(m);
    g_autofree void *fdt = NULL;
    AccelBootInfo boot = { .ram_base = VIRT_RAM };
    ArmBootRequest req = {
        .accel = accel,
        .config = config,
        .ram = &v->ram,
        .ram_base = VIRT_RAM,
        .build_fdt = build_fdt,
        .opaque = v,
    };

    if (!check_boot_options(config, accel_caps(accel) & ACCEL_CAP_VCPUS, error)) {
        return false;
    }
    if (config->kernel != NULL) {
        if (!arm_boot_load(&req, &boot, &fdt, error)) {
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

static const Prop virt_props[] = {
    PROP_ENUM("gic-version", VirtMachine, gic_version, GIC_3, gic_versions,
              "Interrupt controller; 3, max and host give a GICv3"),
    PROP_BOOL("highmem", VirtMachine, highmem, true, "Allow memory above 4 GiB"),
    PROP_BOOL("its", VirtMachine, its, false, "Interrupt translation service"),
    PROP_BOOL("secure", VirtMachine, secure, false, "Secure world (EL3)"),
    PROP_BOOL("virtualization", VirtMachine, virtualization, false, "Start the guest in EL2"),
    PROP_BOOL("dtb-randomness", VirtMachine, dtb_randomness, true,
              "Give the guest random seeds in the device tree"),
};

static void virt_machine_init(VirtMachine *v)
{
}

static void virt_machine_class_init(VirtMachineClass *klass)
{
    MachineClass *mc = HUMPY_MACHINE_CLASS(klass);

    mc->name = "virt-7.2";
    mc->alias = "virt";
    mc->summary = "Arm virtual machine, laid out as QEMU 7.2's";
    mc->default_ram = 128 * MIB;
    mc->max_cpus = VIRT_MAX_CPUS;
    mc->cpu_types = cpu_types;
    mc->n_serials = 1;
    mc->init = virt_init;
    mc->finish = virt_finish;
    mc->plug = virt_plug;
    mc->boot = virt_boot;
    props_install(G_OBJECT_CLASS(klass), virt_props, G_N_ELEMENTS(virt_props));
}
