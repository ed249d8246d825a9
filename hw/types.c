/* SPDX-License-Identifier: GPL-2.0-or-later
 * Every device and machine type of this build, in the order in which help lists them. A new type
 * is one line here; constructors would be dropped by the linker with the rest of their object.
 */
#include "hw/acpi/pm.h"
#include "hw/arm/confidential.h"
#include "hw/arm/virt.h"
#include "hw/block/pflash-cfi01.h"
#include "hw/char/pl011.h"
#include "hw/char/serial.h"
#include "hw/core/device.h"
#include "hw/core/hostmem.h"
#include "hw/core/machine.h"
#include "hw/core/user-object.h"
#include "hw/display/ramfb.h"
#include "hw/gpio/gpio-key.h"
#include "hw/gpio/pl061.h"
#include "hw/i386/microvm.h"
#include "hw/i386/pci-ports.h"
#include "hw/input/i8042.h"
#include "hw/intc/arm-gicv3.h"
#include "hw/intc/i8259.h"
#include "hw/intc/ioapic.h"
#include "hw/misc/debug-exit.h"
#include "hw/misc/pc-testdev.h"
#include "hw/misc/pvpanic.h"
#include "hw/misc/vcpu-stall.h"
#include "hw/nvram/fw-cfg.h"
#include "hw/pci/gpex.h"
#include "hw/rtc/mc146818.h"
#include "hw/rtc/pl031.h"
#include "hw/timer/i8254.h"
#include "hw/virtio/iothread-object.h"
#include "hw/virtio/rng-backend.h"
#include "hw/virtio/virtio-mmio.h"
#include "hw/virtio/virtio-pci.h"
#include "hw/xen/xen-devices.h"

static GType (*const types[])(void) = {
    /* bases */
    device_get_type,
    user_object_get_type,
    /* objects */
    memory_backend_ram_get_type,
    memory_backend_memfd_get_type,
    memory_backend_file_get_type,
    rng_builtin_get_type,
    rng_random_get_type,
    iothread_object_get_type,
    arm_confidential_guest_get_type,
    machine_get_type,
    /* char, rtc */
    pl011_get_type,
    pl031_get_type,
    serial_get_type,
    /* platform */
    acpi_pm_get_type,
    arm_gicv3_get_type,
    debug_exit_get_type,
    debugcon_get_type,
    fw_cfg_get_type,
    fw_cfg_io_get_type,
    gpio_key_get_type,
    i8042_get_type,
    i8254_get_type,
    i8259_get_type,
    ioapic_get_type,
    mc146818_get_type,
    pflash_cfi01_get_type,
    pl061_get_type,
    pvpanic_isa_get_type,
    pvpanic_mmio_get_type,
    vcpu_stall_get_type,
    ramfb_get_type,
    pci_ports_get_type,
    pc_testdev_get_type,
    /* virtio */
    virtio_mmio_get_type,
    virtio_9p_get_type,
    virtio_balloon_get_type,
    virtio_blk_get_type,
    virtio_net_get_type,
    virtio_gpu_get_type,
    virtio_rng_get_type,
    virtio_serial_get_type,
    virtio_vsock_get_type,
    vhost_vsock_get_type,
    virtio_keyboard_get_type,
    virtio_mouse_get_type,
    virtio_tablet_get_type,
    virtserialport_get_type,
    virtconsole_get_type,
    /* PCI; the last after all virtio devices */
    pci_device_get_type,
    pci_bus_get_type,
    gpex_get_type,
    gpex_root_get_type,
    root_port_get_type,
    pvpanic_pci_get_type,
    edu_get_type,
    virtio_pci_bus_get_type,
    virtio_pci_register_types,
    /* machines */
    none_machine_get_type,
    virt_machine_get_type,
    microvm_machine_get_type,
#ifdef HAVE_XEN
    xen_devices_machine_get_type,
#endif
};

void hw_register_types(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(types); i++) {
        g_type_ensure(types[i]());
    }
}
