/* SPDX-License-Identifier: GPL-2.0-or-later
 * The generic PCI Express host ("gpex-pcihost", what a device tree calls pci-host-ecam-generic):
 * configuration space as memory (ECAM), a window for I/O ports, one or two for memory, four
 * interrupt lines, and the root bus "pcie.0" with the host bridge's own function at 00.0.
 */
#pragma once

#include "accel/ioreq.h"
#include "hw/pci/pci.h"

#define TYPE_GPEX gpex_get_type()
G_DECLARE_FINAL_TYPE(Gpex, gpex, HUMPY, GPEX, Device)
GType gpex_root_get_type(void);
GType root_port_get_type(void); /* "pcie-root-port" */

enum {
    GPEX_ECAM_BUS_SIZE = 1 << 20, /* configuration space of one bus */
    GPEX_IO_SIZE = 0x10000,
};

/* Where the windows are in the machine's memory. Memory windows show PCI addresses that are the
 * same; the I/O window shows port 0 and up. */
typedef struct {
    hwaddr ecam, ecam_size; /* size 0: configuration is reached by other ways only */
    hwaddr io;              /* without ports: where they are shown in memory */
    MemoryRegion *ports;    /* the machine's ports: PCI's are the same; or NULL: it has none */
    hwaddr mem, mem_size;
    hwaddr mem64, mem64_size; /* size 0: none */
} GpexLayout;

/* Before realize. system and dma are borrowed until unrealize; msi: something in the machine
 * receives message-signalled interrupts, or a test looks for them in RAM. */
void gpex_set_up(Gpex *gpex, const GpexLayout *layout, MemoryRegion *system, AddressSpace *dma,
                 bool msi);
/* Before realize. Where messages go that are not for RAM, as PciRootOps.send_msi. */
void gpex_set_msi_target(Gpex *gpex, void (*send)(void *opaque, uint64_t addr, uint32_t data),
                         void *opaque);
/* Before realize. Who hears each device's pins, as PciRootOps.set_pin. */
void gpex_set_pin_target(Gpex *gpex,
                         void (*set)(void *opaque, unsigned dev, unsigned pin, int level),
                         void *opaque);
/* A configuration access of a hypervisor that tells bus, device and function itself (an
 * IoReqPciConfigFn but for its first argument). IOREQ_FAULT: it is none of segment 0, or of no
 * register. [any] After realize. */
IoReqResult gpex_config_request(Gpex *gpex, IoRequest *req);
/* The root bus; borrowed. After realize. */
PciBus *gpex_bus(Gpex *gpex);
