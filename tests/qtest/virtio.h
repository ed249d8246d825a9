/* SPDX-License-Identifier: GPL-2.0-or-later
 * A virtio driver over the qtest protocol, for any device on any of four transports, with split or
 * packed rings (virtio 1.2, sections 2.7, 2.8, 4.1, 4.2; the legacy parts of the same). Registers
 * and rings are touched as a CPU would, one access at a time.
 */
#pragma once

#include "client.h"

typedef enum {
    VIRTIO_MMIO_LEGACY,
    VIRTIO_MMIO_MODERN,
    VIRTIO_PCI_LEGACY,
    VIRTIO_PCI_MODERN,
    N_VIRTIO_TRANSPORTS,
} VirtioTransport;

extern const char *const virtio_transport_names[N_VIRTIO_TRANSPORTS];

enum {
    VIRTIO_ACKNOWLEDGE = 1,
    VIRTIO_DRIVER = 2,
    VIRTIO_DRIVER_OK = 4,
    VIRTIO_FEATURES_OK = 8,
    VIRTIO_NEEDS_RESET = 64,

    VIRTIO_F_INDIRECT = 28,
    VIRTIO_F_EVENT_IDX = 29,
    VIRTIO_F_VERSION_1 = 32,
    VIRTIO_F_RING_PACKED = 34,

    VIRTQ_NEXT = 1,
    VIRTQ_WRITE = 2,
    VIRTQ_INDIRECT = 4,
    VIRTIO_MAX_QUEUES = 8,
};

typedef struct {
    uint64_t desc, avail, used; /* guest addresses; packed: ring, driver's and device's events */
    unsigned size;
    uint16_t next, seen; /* available and used index; packed: places, round the ring twice */
    uint8_t n_desc[64];  /* packed: by buffer id, which is the place of the first descriptor */
} VirtQueue;

typedef struct {
    QTest *q;
    VirtioTransport transport;
    unsigned devfn;                       /* on PCI */
    uint64_t common, notify, isr, config; /* where the parts are; MMIO: common is all */
    uint32_t notify_multiplier;
    bool packed;        /* set before virtio_start(): packed rings, which the device must offer */
    uint16_t device_id; /* as in virtio 1.2, section 5 */
    VirtQueue queues[VIRTIO_MAX_QUEUES];
    uint64_t free; /* guest memory from here on is unused */
} VirtioDev;

/* The device added first: in the last MMIO slot, or the PCI function at 04.0. */
void virtio_find(VirtioDev *dev, QTest *q, VirtioTransport transport);
/* The one at a PCI function. */
void virtio_find_pci(VirtioDev *dev, QTest *q, VirtioTransport transport, unsigned devfn);
/* Where a driver writes the queue's number to notify it (PCI, modern). */
uint64_t virtio_notify_address(VirtioDev *dev, unsigned n);
bool virtio_is_modern(const VirtioDev *dev);

uint8_t virtio_status(VirtioDev *dev);
void virtio_set_status(VirtioDev *dev, uint8_t status);
uint64_t virtio_features(VirtioDev *dev);
void virtio_set_features(VirtioDev *dev, uint64_t features);
uint64_t virtio_config(VirtioDev *dev, unsigned offset, unsigned size);
unsigned virtio_queue_max(VirtioDev *dev, unsigned n); /* 0: there is none */
/* Places the rings in guest memory and tells the device. */
void virtio_queue_setup(VirtioDev *dev, unsigned n);

/* Reset, features (all but indirect and event index; packed if asked for), all queues, DRIVER_OK.
 */
void virtio_start(VirtioDev *dev);
uint64_t virtio_alloc(VirtioDev *dev, size_t len); /* zeroed guest memory, aligned to 4096 */

void virtq_write_desc(VirtioDev *dev, unsigned n, unsigned index, uint64_t addr, uint32_t len,
                      uint16_t flags, uint16_t next);
void virtq_offer(VirtioDev *dev, unsigned n, uint16_t head); /* and notifies */
void virtq_notify(VirtioDev *dev, unsigned n);
uint16_t virtq_used_index(VirtioDev *dev, unsigned n);
/* Packed rings: descriptor i places behind the next one; flags are what stands in NEXT, WRITE and
 * INDIRECT, the round's bits are added. Offering says how many there are, and notifies. */
void virtq_packed_desc(VirtioDev *dev, unsigned n, unsigned i, uint64_t addr, uint32_t len,
                       uint16_t flags);
void virtq_packed_offer(VirtioDev *dev, unsigned n, unsigned n_desc);
/* TRUE if there is a used chain that virtq_wait() would return at once. */
bool virtq_is_used(VirtioDev *dev, unsigned n);
/* Waits until the device has used the next chain; returns the bytes it says it wrote. */
uint32_t virtq_wait(VirtioDev *dev, unsigned n);
/* One chain of out_len bytes to read at out and in_len bytes to write at in (either may be 0). */
void virtq_submit(VirtioDev *dev, unsigned n, uint64_t out, uint32_t out_len, uint64_t in,
                  uint32_t in_len);
