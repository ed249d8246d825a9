/* SPDX-License-Identifier: GPL-2.0-or-later
 * State of a PCI function and of a PCI bus, shared inside hw/pci/.
 *
 * Lock order: device lock; PciBus.lock (leaf, never held across a call into a device);
 * PciDevicePrivate.irq_lock or PciMsix.lock, then what the host bridge's set_line() takes.
 */
#pragma once

#include <linux/pci_regs.h>
#include <pthread.h>

#include "hw/pci/pci.h"

typedef struct {
    MemoryRegion *mr; /* NULL: no such BAR */
    unsigned flags;
    MemoryRegion *into; /* where it is mapped now, or NULL */
    uint64_t addr;
} PciBar;

typedef struct {
    MemoryRegion bar, table_mr, pba_mr;
    unsigned n, cap;
    uint8_t *table; /* n entries of 16 bytes, as the guest sees them */

    pthread_mutex_t lock; /* what follows, and table */
    uint64_t *pending;    /* one bit per vector */
    bool enabled, masked; /* message control */
} PciMsix;

typedef struct {
    PciBus *bus;
    unsigned devfn;

    /* the device's lock */
    bool visible; /* configuration accesses are answered */
    unsigned config_size;
    uint8_t *config, *wmask, *w1cmask;
    uint8_t *power_on; /* config as realize left it */
    PciBar bars[PCI_N_BARS];
    unsigned cap_end; /* first byte of the capability area that is free */
    PciMsix *msix;    /* or NULL */
    unsigned msi;     /* offset of the MSI capability, or 0 */

    bool master; /* atomic: copy of the command register's bit */

    pthread_mutex_t irq_lock; /* what follows */
    bool wish, hidden;        /* INTx asked for; hidden by the command register or MSI-X */
    bool driven;              /* level last told to the bus */
} PciDevicePrivate;

struct _PciBus {
    Bus parent;
    PciRootOps root; /* of the root bus above, mem and io of this bus */
    PciDevice *bridge;
    bool one_slot;
    PciDevice *slots[PCI_N_DEVFNS]; /* [main] attached; borrowed */

    pthread_mutex_t lock;             /* what follows */
    PciDevice *plugged[PCI_N_DEVFNS]; /* realized; borrowed */
    PciDevice *visible[PCI_N_DEVFNS]; /* referenced */
    GPtrArray *below;                 /* of PciBus, referenced: behind this bus's bridges */
    uint8_t number, last;             /* this bus's number, the highest below it */
};

PciDevicePrivate *pci_priv(PciDevice *dev);

/* ---- pci-config.c ---- */
void pci_config_init(PciDevice *dev);  /* identity and masks of the header */
void pci_config_reset(PciDevice *dev); /* [device lock] */

/* ---- pci-bar.c ---- */
void pci_bars_update(PciDevice *dev); /* [device lock] maps as the registers now say */
void pci_bars_unmap(PciDevice *dev);  /* [device lock] */

/* ---- pci-irq.c ---- */
void pci_irq_update(PciDevice *dev); /* [device lock] command register or MSI-X control changed */
bool pci_irq_wish(PciDevice *dev);
void pci_irq_drop(PciDevice *dev);
void pci_bus_set_line(PciBus *bus, unsigned devfn, unsigned pin, int level);

/* ---- msix.c ---- */
/* A message as a write of four bytes. [any] */
void pci_send_message(PciDevice *dev, uint64_t addr, uint32_t data);
void pci_msix_config_written(PciDevice *dev); /* [device lock] */
void pci_msix_flush(PciDevice *dev);          /* bus mastering was switched on */
void pci_msix_reset(PciDevice *dev);          /* [device lock] */
void pci_msix_free(PciDevice *dev);
