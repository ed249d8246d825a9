/* SPDX-License-Identifier: GPL-2.0-or-later
 * The machine "xen-devices": what -device puts into it goes where its properties say (iobase,
 * addr), and the accelerator claims those addresses in the domain. PCI functions are on bus 0 of
 * segment 0, beside those that others serve there; the domain finds them by configuration accesses
 * that Xen hands us, or through ECAM if it is told where.
 *
 * The toolstack owns the domain's memory, CPUs and boot.
 */
#include "hw/xen/xen-devices.h"

#include <pthread.h>
#include <string.h>

#include "hw/char/serial.h"
#include "hw/i386/gsi.h"
#include "hw/misc/debug-exit.h"
#include "hw/misc/pc-testdev.h"
#include "hw/misc/pvpanic.h"
#include "hw/pci/gpex.h"
#include "hw/virtio/virtio-mmio.h"
#include "util/error.h"
#include "util/target.h"

enum {
    ECAM_SIZE = 1 << 20, /* bus 0 */
    /* Between what Xen keeps for memory on PCI, by default, and the local APICs. */
    PCI_MEM = 0xf0000000,
    PCI_MEM_SIZE = 0xc000000,
    PCI_N_DEVS = 32,
    N_ISA_IRQS = 16,
    N_SPIS = 988,
};

#define TYPE_XEN_DEVICES_MACHINE xen_devices_machine_get_type()
G_DECLARE_FINAL_TYPE(XenDevicesMachine, xen_devices_machine, HUMPY, XEN_DEVICES_MACHINE, Machine)

struct _XenDevicesMachine {
    Machine parent_instance;
    bool pci_wanted; /* properties */
    uint64_t ecam, pci_mem, pci_mem_size;

    Gpex *pci;            /* or NULL; owned by the machine's list */
    X86Gsis *lines;       /* ISA's; NULL: the domain has none */
    pthread_mutex_t lock; /* the rest; held while the accelerator is told */
    uint8_t drivers[PCI_N_DEVS][PCI_N_LINES];
};

DEVICE_DEFINE_TYPE(XenDevicesMachine, xen_devices_machine, "xen-devices-machine", TYPE_MACHINE)

/* ---- PCI ---- */

static IoReqResult xen_pci_config(void *opaque, IoRequest *req)
{
    XenDevicesMachine *s = opaque;

    return s->pci != NULL ? gpex_config_request(s->pci, req) : IOREQ_FAULT;
}

static void send_msi(void *opaque, uint64_t addr, uint32_t data)
{
    accel_msi(opaque, addr, data);
}

/* Functions of one device may share a pin. */
static void set_pin(void *opaque, unsigned dev, unsigned pin, int level)
{
    XenDevicesMachine *s = opaque;
    uint8_t *drivers = &s->drivers[dev][pin];

    pthread_mutex_lock(&s->lock);
    if (level != 0 ? (*drivers)++ == 0 : --*drivers == 0) {
        accel_pci_irq(machine_accel(HUMPY_MACHINE(s)), 0, 0, dev, pin, level != 0);
    }
    pthread_mutex_unlock(&s->lock);
}

static bool add_pci(XenDevicesMachine *s, GError **error)
{
    Machine *m = HUMPY_MACHINE(s);
    GpexLayout layout = {
        .ecam = s->ecam,
        .ecam_size = s->ecam != 0 ? ECAM_SIZE : 0,
        .ports = machine_system_io(m),
        .mem = s->pci_mem,
        .mem_size = s->pci_mem_size,
    };
    Device *dev;
    bool ok;

    if (!s->pci_wanted) {
        return true;
    }
    dev = g_object_new(TYPE_GPEX, NULL);
    gpex_set_up(HUMPY_GPEX(dev), &layout, machine_system_memory(m), machine_memory(m),
                accel_caps(machine_accel(m)) & ACCEL_CAP_MSI);
    gpex_set_msi_target(HUMPY_GPEX(dev), send_msi, machine_accel(m));
    gpex_set_pin_target(HUMPY_GPEX(dev), set_pin, s);
    ok = device_realize(dev, error);
    if (ok) {
        machine_add_device(m, dev);
        s->pci = HUMPY_GPEX(dev);
    }
    g_object_unref(dev);
    return ok;
}

/* ---- interrupt lines ---- */

static void drive_line(void *opaque, int gsi, int level)
{
    accel_irq_set(opaque, gsi, level != 0);
}

static bool has_lines(Machine *m)
{
    return accel_caps(machine_accel(m)) & ACCEL_CAP_IRQCHIP;
}

/* Several devices may share one of ISA's. */
static bool add_isa_lines(XenDevicesMachine *s, GError **error)
{
    Accel *accel = machine_accel(HUMPY_MACHINE(s));

    if (!has_lines(HUMPY_MACHINE(s)) || target_current() != TARGET_X86_64) {
        return true;
    }
    s->lines = x86_gsis_new();
    for (unsigned irq = 0; irq < N_ISA_IRQS; irq++) {
        if (!accel_irq_connect(accel, irq, ACCEL_IRQ_LEVEL, error)) {
            return false;
        }
        x86_gsi_add_output(s->lines, irq, irq_new(drive_line, accel, irq));
    }
    return true;
}

/* To the line that its property irq says, if the domain has such and one is said. */
static bool connect_line(XenDevicesMachine *s, Device *dev, GError **error)
{
    Machine *m = HUMPY_MACHINE(s);
    unsigned n = s->lines != NULL ? N_ISA_IRQS : N_SPIS;
    guint irq;

    g_object_get(dev, "irq", &irq, NULL);
    if (irq == UINT32_MAX || !has_lines(m)) {
        return true;
    }
    if (irq >= n) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "irq=%u: it is 0 to %u", irq, n - 1);
        return false;
    }
    if (s->lines != NULL) {
        device_connect_irq(dev, 0, x86_gsi_line(s->lines, irq));
        return true;
    }
    if (!accel_irq_connect(machine_accel(m), irq, ACCEL_IRQ_LEVEL, error)) {
        return false;
    }
    device_connect_irq(dev, 0, irq_new(drive_line, machine_accel(m), irq));
    return true;
}

/* ---- machine ---- */

static bool check_options(Machine *m, GError **error)
{
    const MachineConfig *config = machine_config(m);
    const char *option = config->kernel != NULL     ? "-kernel"
                         : config->dtb != NULL      ? "-dtb"
                         : config->initrd != NULL   ? "-initrd"
                         : config->append != NULL   ? "-append"
                         : config->firmware != NULL ? "-bios"
                         : config->dumpdtb != NULL  ? "-machine dumpdtb="
                         : config->ram_size != 0    ? "-m"
                                                    : NULL;

    if (strcmp(accel_name(machine_accel(m)), "xen") != 0 &&
        strcmp(accel_name(machine_accel(m)), "qtest") != 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING,
                    "-machine xen-devices: its domain is missing: -accel xen,domid=N");
        return false;
    }
    if (option != NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "%s: on machine 'xen-devices' memory, CPUs and kernel are the toolstack's",
                    option);
        return false;
    }
    return true;
}

static bool xen_devices_init(Machine *m, GError **error)
{
    AccelMachineInfo info = {
        .memory = machine_memory(m),
        .io = machine_io(m),
        .system = machine_system_memory(m),
        .vm_name = machine_config(m)->name,
        .pci_config = xen_pci_config,
        .pci_opaque = m,
    };

    return check_options(m, error) && accel_setup(machine_accel(m), &info, error) &&
           add_isa_lines(HUMPY_XEN_DEVICES_MACHINE(m), error) &&
           add_pci(HUMPY_XEN_DEVICES_MACHINE(m), error);
}

static bool xen_devices_boot(Machine *m, GError **error)
{
    return accel_start(machine_accel(m), &(AccelBootInfo){}, error);
}

static void xen_devices_finish(Machine *m)
{
    XenDevicesMachine *s = HUMPY_XEN_DEVICES_MACHINE(m);

    s->pci = NULL;
    g_clear_pointer(&s->lines, x86_gsis_free);
}

/* ---- -device ---- */

/* At the port that its property iobase or ioport says. */
static bool plug_at_port(Machine *m, Device *dev, const char *property, GError **error)
{
    guint port;

    if (machine_system_io(m) == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED, "domains on Arm have no ports");
        return false;
    }
    g_object_get(dev, property, &port, NULL);
    device_map(dev, 0, machine_system_io(m), port);
    return true;
}

static bool plug_at_address(Machine *m, Device *dev, GError **error)
{
    guint64 addr;

    g_object_get(dev, "addr", &addr, NULL);
    if (addr == UINT64_MAX) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING,
                    "addr is missing: where in the domain's memory map the registers are");
        return false;
    }
    device_map(dev, 0, machine_system_memory(m), addr);
    return true;
}

static bool plug_testdev(Machine *m, Device *dev)
{
    if (machine_system_io(m) != NULL) {
        device_map(dev, PC_TESTDEV_SCRATCH, machine_system_io(m), PC_TESTDEV_SCRATCH_PORT);
    }
    device_map(dev, PC_TESTDEV_MEMORY, machine_system_memory(m), PC_TESTDEV_MEMORY_ADDR);
    return true;
}

static bool plug_pci(Machine *m, PciDevice *dev, GError **error)
{
    if (!pci_bus_is_root(pci_device_bus(dev))) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "functions behind a bridge cannot be told to Xen, which wants bus numbers "
                    "before the guest has given them");
        return false;
    }
    return accel_pci_function(machine_accel(m), 0, 0, pci_device_devfn(dev), error);
}

static bool xen_devices_plugged(Machine *m, Device *dev, GError **error)
{
    XenDevicesMachine *s = HUMPY_XEN_DEVICES_MACHINE(m);

    if (HUMPY_IS_PCI_DEVICE(dev)) {
        return plug_pci(m, HUMPY_PCI_DEVICE(dev), error);
    }
    if (device_parent_bus(dev) != NULL) {
        return true;
    }
    if (HUMPY_IS_SERIAL(dev)) {
        return connect_line(s, dev, error) && plug_at_port(m, dev, "iobase", error);
    }
    if (HUMPY_IS_DEBUG_EXIT(dev) || HUMPY_IS_DEBUGCON(dev)) {
        return plug_at_port(m, dev, "iobase", error);
    }
    if (HUMPY_IS_PVPANIC_ISA(dev)) {
        return plug_at_port(m, dev, "ioport", error);
    }
    if (HUMPY_IS_VIRTIO_MMIO(dev)) {
        virtio_mmio_set_dma(HUMPY_VIRTIO_MMIO(dev), machine_memory(m));
        return connect_line(s, dev, error) && plug_at_address(m, dev, error);
    }
    if (HUMPY_IS_PVPANIC_MMIO(dev)) {
        return plug_at_address(m, dev, error);
    }
    if (HUMPY_IS_PC_TESTDEV(dev)) {
        return plug_testdev(m, dev);
    }
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                "machine 'xen-devices' has no place for a '%s'", device_type(dev));
    return false;
}

/* ---- type ---- */

static const Prop xen_devices_props[] = {
    PROP_BOOL("pci", XenDevicesMachine, pci_wanted, true, "A bus for PCI functions"),
    PROP_U64("ecam", XenDevicesMachine, ecam, 0, 0, UINT64_MAX,
             "Where the domain has the configuration space of PCI bus 0 as memory; 0: nowhere"),
    PROP_U64("pci-mem", XenDevicesMachine, pci_mem, PCI_MEM, 0, UINT64_MAX,
             "Where BARs may be put: the domain's hole in memory"),
    PROP_SIZE("pci-mem-size", XenDevicesMachine, pci_mem_size, PCI_MEM_SIZE, 4096, UINT64_MAX,
              "Size of that"),
};

static void xen_devices_machine_finalize(GObject *obj)
{
    pthread_mutex_destroy(&HUMPY_XEN_DEVICES_MACHINE(obj)->lock);
    G_OBJECT_CLASS(xen_devices_machine_parent_class)->finalize(obj);
}

static void xen_devices_machine_init(XenDevicesMachine *s)
{
    pthread_mutex_init(&s->lock, NULL);
}

static void xen_devices_machine_class_init(XenDevicesMachineClass *klass)
{
    MachineClass *mc = HUMPY_MACHINE_CLASS(klass);

    G_OBJECT_CLASS(klass)->finalize = xen_devices_machine_finalize;
    mc->name = "xen-devices";
    mc->summary = "devices for a domain of Xen";
    mc->max_cpus = 1;
    mc->no_cpus = true;
    mc->has_ports = target_current() == TARGET_X86_64;
    mc->init = xen_devices_init;
    mc->boot = xen_devices_boot;
    mc->finish = xen_devices_finish;
    mc->plugged = xen_devices_plugged;
    props_install(G_OBJECT_CLASS(klass), xen_devices_props, G_N_ELEMENTS(xen_devices_props));
}
