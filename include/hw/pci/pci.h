/* SPDX-License-Identifier: GPL-2.0-or-later
 * PCI and PCI Express functions (PCI Local Bus 3.0, PCI Express Base 2.0) and the buses they sit
 * on: configuration bytes with write masks, base address registers, capabilities, MSI-X, INTx. A
 * host bridge (hw/pci/gpex.h) gives the root bus its windows and interrupt lines.
 *
 * Threads: configuration accesses come from any thread and hold the device's lock (device_lock()),
 * as accesses to its BARs do; the hooks of PciDeviceClass run under it. Interrupt functions are
 * [any] and take only leaf locks. Life cycle is [main].
 */
#pragma once

#include "hw/core/bus.h"

enum {
    PCI_CONFIG_SIZE = 256,
    PCIE_CONFIG_SIZE = 4096,
    PCI_N_BARS = 6,
    PCI_N_LINES = 4, /* INTA to INTD */
    PCI_N_DEVFNS = 256,
    PCI_ADDR_AUTO = -1,
};

#define PCI_MAKE_DEVFN(slot, fn) ((slot) << 3 | (fn))
#define PCI_SLOT_OF(devfn)       ((devfn) >> 3)
#define PCI_FN_OF(devfn)         ((devfn)&7)

/* ---- buses ---- */

#define TYPE_PCI_BUS pci_bus_get_type()
G_DECLARE_FINAL_TYPE(PciBus, pci_bus, HUMPY, PCI_BUS, Bus)

#define TYPE_PCI_DEVICE pci_device_get_type()
typedef struct _PciDevice PciDevice;
typedef struct _PciDeviceClass PciDeviceClass;
GType pci_device_get_type(void);
#define HUMPY_PCI_DEVICE(obj)    (G_TYPE_CHECK_INSTANCE_CAST(obj, TYPE_PCI_DEVICE, PciDevice))
#define HUMPY_IS_PCI_DEVICE(obj) (G_TYPE_CHECK_INSTANCE_TYPE(obj, TYPE_PCI_DEVICE))
#define HUMPY_PCI_DEVICE_CLASS(klass)                                                              \
    (G_TYPE_CHECK_CLASS_CAST(klass, TYPE_PCI_DEVICE, PciDeviceClass))
#define HUMPY_PCI_DEVICE_GET_CLASS(obj)                                                            \
    (G_TYPE_INSTANCE_GET_CLASS(obj, TYPE_PCI_DEVICE, PciDeviceClass))
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PciDevice, g_object_unref)

/* What the provider of a root bus gives it; copied, what it points to is borrowed for the life of
 * the bus. */
typedef struct {
    MemoryRegion *mem; /* memory BARs are mapped here at their PCI address */
    MemoryRegion *io;  /* I/O BARs */
    AddressSpace *dma; /* what addresses in bus master accesses mean */
    /* Line 0 to 3 changed level. [any] Takes only leaf locks. */
    void (*set_line)(void *opaque, unsigned line, int level);
    /* (optional) The same before pins become lines: pin (0: INTA) of device dev of the root bus. */
    void (*set_pin)(void *opaque, unsigned dev, unsigned pin, int level);
    /* (optional) Message-signalled interrupts that do not go to RAM. [any] Takes only leaf locks.
     */
    void (*send_msi)(void *opaque, uint64_t addr, uint32_t data);
    void *opaque;
    bool msi; /* somebody receives message-signalled interrupts: devices may offer them */
} PciRootOps;

/* [realize of the host bridge] Name as in bus_new(). */
PciBus *pci_root_bus_new(Device *host, const char *name, const PciRootOps *ops);
/* [realize of a bridge] The bus behind bridge; its BARs and interrupts go through the bridge. One
 * slot only, for a PCI Express port. */
PciBus *pci_secondary_bus_new(PciDevice *bridge, const char *name, MemoryRegion *mem,
                              MemoryRegion *io, bool one_slot);
/* [unrealize of the bridge] What was behind it is gone. */
void pci_secondary_bus_drop(PciBus *bus);
bool pci_bus_is_root(PciBus *bus);
bool pci_bus_has_msi(PciBus *bus);
/* The function at devfn that the guest sees, referenced; or NULL. [any] */
PciDevice *pci_bus_get(PciBus *bus, unsigned devfn);
/* The same whether the guest sees it or not. Behind a bridge: with the bridge's lock, until whose
 * release the function stays. [any] */
PciDevice *pci_bus_get_plugged(PciBus *bus, unsigned devfn);
/* Number the guest (or power-on: 0) gave the bus; the bridge sets it, and the highest number behind
 * it. 0 below a bridge: not reached. [any] */
unsigned pci_bus_number(PciBus *bus);
void pci_bus_set_numbers(PciBus *bus, uint8_t number, uint8_t last);
/* The bus behind a bridge, or NULL; borrowed. [main] */
PciBus *pci_bridge_bus(PciDevice *bridge);

/* Access to configuration space below root, size 1, 2 or 4, naturally aligned. What is not there
 * reads as all-ones and ignores writes. [any] */
uint32_t pci_root_config_read(PciBus *root, unsigned bus, unsigned devfn, unsigned reg,
                              unsigned size);
void pci_root_config_write(PciBus *root, unsigned bus, unsigned devfn, unsigned reg, uint32_t value,
                           unsigned size);

/* ---- functions ---- */

/* Body public for its property table; the rest is in hw/pci/. */
struct _PciDevice {
    Device parent_instance;
    char *addr, *romfile;
    bool multifunction;
    uint32_t rombar;
};

struct _PciDeviceClass {
    DeviceClass parent_class;
    uint16_t vendor_id, device_id, class_id;
    uint16_t subsystem_vendor_id, subsystem_id; /* 0: none */
    uint8_t revision, prog_if;
    bool bridge; /* header type 1 */

    /* [main] BARs, capabilities, pin. The device is on its bus, not yet visible. */
    bool (*realize)(PciDevice *dev, GError **error);
    /* (optional) Mirrors realize; the guest no longer sees the device and its BARs are unmapped. */
    void (*unrealize)(PciDevice *dev);
    /* (optional) Power-on state of all but what a guest can change in configuration space, which is
     * back by then. */
    void (*reset)(PciDevice *dev);
    /* (optional) [addr, addr + len) is about to be read. */
    void (*config_reading)(PciDevice *dev, unsigned addr, unsigned len);
    /* (optional) [addr, addr + len) was written; config holds the new value. */
    void (*config_written)(PciDevice *dev, unsigned addr, unsigned len);
    /* (optional) The command register's bus master bit changed. */
    void (*bus_master_changed)(PciDevice *dev, bool on);
    /* (optional) [main] device_del of a device behind this port. */
    bool (*request_unplug)(PciDevice *port, Device *dev, GError **error);
    /* (optional) [main] A realized device came onto the bus behind this bridge: decides whether the
     * guest sees it (pci_device_show()). Without: it does. child_detached: it has left. */
    void (*child_plugged)(PciDevice *port, PciDevice *child);
    void (*child_detached)(PciDevice *port, PciDevice *child);
};

/* Whether configuration accesses find the function: a slot without power hides it. [any] */
void pci_device_show(PciDevice *dev, bool visible);
/* Puts the function back to power-on, as its bridge can. [any] Not with the device's lock. */
void pci_device_reset_function(PciDevice *dev);

PciBus *pci_device_bus(PciDevice *dev); /* or NULL: not plugged */
unsigned pci_device_devfn(PciDevice *dev);

/* Configuration bytes and which bits of them the guest may write or clear by writing 1. All writes
 * from outside the hooks: before realize ends. */
uint8_t *pci_config(PciDevice *dev);
uint8_t *pci_wmask(PciDevice *dev);
uint8_t *pci_w1cmask(PciDevice *dev);
uint16_t pci_config_word(PciDevice *dev, unsigned reg);
uint32_t pci_config_long(PciDevice *dev, unsigned reg);
void pci_set_word(uint8_t *bytes, uint16_t value);
void pci_set_long(uint8_t *bytes, uint32_t value);

/* As the guest does it, size 1, 2 or 4, naturally aligned. [any] Not with the device's lock. */
uint32_t pci_device_config_read(PciDevice *dev, unsigned reg, unsigned size);
void pci_device_config_write(PciDevice *dev, unsigned reg, uint32_t value, unsigned size);

typedef enum {
    PCI_BAR_IO = 1 << 0,
    PCI_BAR_64 = 1 << 1, /* takes number n + 1, too */
    PCI_BAR_PREFETCH = 1 << 2,
} PciBarFlags;

/* [realize] mr's size is a power of two, from 4 (I/O) or 16 bytes. Sets mr's lock to the device's.
 * mr is unmapped before unrealize is called and is the device's to destroy there. */
void pci_add_bar(PciDevice *dev, unsigned n, unsigned flags, MemoryRegion *mr);

/* What BAR n is; address is UINT64_MAX while it is not decoded. FALSE: there is none. [any] */
typedef struct {
    unsigned flags;
    uint64_t size, address;
} PciBarInfo;
bool pci_bar_info(PciDevice *dev, unsigned n, PciBarInfo *info);

/* [realize] Puts a capability of size bytes (with its two-byte header) into the list and returns
 * its offset. Newest first. */
unsigned pci_add_capability(PciDevice *dev, uint8_t id, unsigned size);
/* Offset of the first capability with this id, or 0. */
unsigned pci_find_capability(PciDevice *dev, uint8_t id);
/* [realize] The PCI Express capability, version 2; port_type is PCI_EXP_TYPE_*. The function has
 * 4 KiB of configuration space from then on. Returns its offset. */
unsigned pci_add_express_capability(PciDevice *dev, unsigned port_type);

/* ---- interrupts ---- */

/* [realize] The function drives INTA (1) to INTD (4). */
void pci_use_pin(PciDevice *dev, unsigned pin);
/* Level of the function's INTx wish; the command register can hide it. [any] */
void pci_set_irq(PciDevice *dev, int level);

/* [realize] MSI with one message. */
void pci_msi_init(PciDevice *dev);
bool pci_msi_enabled(PciDevice *dev); /* by the guest. [device lock] */
/* Sends the message, if MSI is enabled and the function is bus master. [device lock] */
void pci_msi_notify(PciDevice *dev);

enum { PCI_MSIX_MAX_VECTORS = 2048 };
/* [realize] MSI-X with its table and pending bits in BAR bar, which holds nothing else. */
void pci_msix_init(PciDevice *dev, unsigned vectors, unsigned bar);
bool pci_msix_present(PciDevice *dev);
bool pci_msix_enabled(PciDevice *dev); /* by the guest. [any] */
unsigned pci_msix_vectors(PciDevice *dev);
/* Sends vector's message, or keeps it pending while it is masked or the function may not be bus
 * master. Out of range or disabled: nothing. [any] */
void pci_msix_notify(PciDevice *dev, unsigned vector);

/* ---- bus master accesses ---- */

/* The address space of the function's own accesses: an empty one while the guest has not set the
 * bus master bit. [any] */
AddressSpace *pci_dma(PciDevice *dev);
/* The one behind it, for a device that stops its accesses in bus_master_changed(). */
AddressSpace *pci_dma_ungated(PciDevice *dev);
bool pci_is_bus_master(PciDevice *dev); /* [any] */
