/* SPDX-License-Identifier: GPL-2.0-or-later
 * What a virtio transport (virtio-mmio, virtio-pci, VDUSE) sees of a device: features, status,
 * configuration bytes, queue set-up. Calls for one device are serialised by the transport (its
 * device lock); interrupts come back through VirtIOTransportOps from any thread.
 */
#pragma once

#include "hw/virtio/virtio.h"

typedef struct {
    /* Used-buffer interrupt of queue n. [any] Under the queue's lock: takes only leaf locks. */
    void (*notify_queue)(void *opaque, unsigned n);
    /* Configuration change interrupt. [any] As above. */
    void (*notify_config)(void *opaque);
    /* (optional) The device needs what is at addr of its address space, where there is no
     * (writable) RAM now. TRUE: there may be now. [any] Under a queue's lock. */
    bool (*fault)(void *opaque, uint64_t addr, bool is_write);
} VirtIOTransportOps;

/* [main] Ties an unrealized device to its transport. dma is what its addresses mean; borrowed. */
void virtio_attach(VirtIODevice *vdev, const VirtIOTransportOps *ops, void *opaque,
                   AddressSpace *dma);
void virtio_detach(VirtIODevice *vdev);
/* [main] Before realize: each queue is to be served in a thread of its own, unless the user names
 * one for the device. */
void virtio_use_queue_threads(VirtIODevice *vdev);

uint16_t virtio_device_id(VirtIODevice *vdev);

/* What the device offers. A transport adds its own bits (VERSION_1, ACCESS_PLATFORM) with
 * virtio_offer_features() once, before the driver runs. */
uint64_t virtio_offered_features(VirtIODevice *vdev);
void virtio_offer_features(VirtIODevice *vdev, uint64_t bits);
/* Machine-wide: guests keep part of their memory to themselves, so that each device offers
 * ACCESS_PLATFORM and VERSION_1, takes no driver without them, and transports show no legacy
 * interface. A PCI device that was made meanwhile never has one. [main] before the guest runs */
void virtio_require_platform(bool required);
bool virtio_platform_is_required(void); /* [any] */
/* What the driver accepts; ignored after FEATURES_OK (modern) or DRIVER_OK. */
void virtio_accept_features(VirtIODevice *vdev, uint64_t features);
uint64_t virtio_accepted_features(VirtIODevice *vdev);

/* Device status field (section 2.1). Writing 0 resets and returns when no request is in flight.
 * FEATURES_OK does not stick if the accepted features are not acceptable. */
uint8_t virtio_status(VirtIODevice *vdev);
void virtio_set_status(VirtIODevice *vdev, uint8_t status);
void virtio_reset(VirtIODevice *vdev);

/* A transitional device: the driver has shown that it uses the legacy interface (or the other one),
 * where there is no FEATURES_OK (section 3.1.2). The modern one after reset. */
void virtio_set_legacy(VirtIODevice *vdev, bool legacy);
/* Whether the device may make accesses of its own, as a PCI function without bus mastering may not.
 * From the start it may. FALSE: returns when no queue is served; queues that ran go on later. */
void virtio_allow_dma(VirtIODevice *vdev, bool allowed);

/* Configuration bytes, little endian values as on the wire. Bytes outside read as 0, writes there
 * vanish. generation steps on every change the device makes. */
size_t virtio_config_size(VirtIODevice *vdev);
void virtio_config_read(VirtIODevice *vdev, uint64_t offset, void *buf, size_t len);
void virtio_config_write(VirtIODevice *vdev, uint64_t offset, const void *buf, size_t len);
uint32_t virtio_config_generation(VirtIODevice *vdev);

/* ---- queues; an index out of range: size 0, never ready, writes vanish ---- */
unsigned virtio_n_queues(VirtIODevice *vdev);
unsigned virtio_queue_max_size(VirtIODevice *vdev, unsigned n);
unsigned virtio_queue_size(VirtIODevice *vdev, unsigned n);
void virtio_queue_set_size(VirtIODevice *vdev, unsigned n, uint32_t size);
typedef struct {
    uint64_t desc, driver, device; /* bus addresses of the three parts of a ring */
} VirtQueueAddresses;
void virtio_queue_addresses(VirtIODevice *vdev, unsigned n, VirtQueueAddresses *addr);
void virtio_queue_set_addresses(VirtIODevice *vdev, unsigned n, const VirtQueueAddresses *addr);
bool virtio_queue_is_ready(VirtIODevice *vdev, unsigned n);
/* FALSE stops the queue: returns when no request is in flight. */
void virtio_queue_set_ready(VirtIODevice *vdev, unsigned n, bool ready);
/* Where the device will take the next available entry; for VDUSE and save/restore. Packed ring: an
 * offset, with the wrap counter in bit 15. */
uint16_t virtio_queue_avail_index(VirtIODevice *vdev, unsigned n);
void virtio_queue_set_avail_index(VirtIODevice *vdev, unsigned n, uint16_t index);
/* Gives up the cached ring mapping; it is taken again on the next request. For a transport whose
 * address space changed (VDUSE UPDATE_IOTLB). Returns when no request is in flight. */
void virtio_queue_unmap(VirtIODevice *vdev, unsigned n);

/* ---- the record of requests in flight, for who goes on after this process (split rings) ---- */
/* Bytes it takes for a queue of that maximal size; zeroes are an empty one. */
size_t virtio_queue_log_size(unsigned max_size);
/* Keeps the record in memory, which is aligned to 8 bytes and stays the caller's, from now on;
 * NULL: keeps none, and leaves the one there as it is. */
void virtio_queue_set_log(VirtIODevice *vdev, unsigned n, void *memory);
/* The ring at the queue's addresses is one that a process before this one has served: finds out
 * from the record what is to be served again and goes on behind it. Features are accepted, the
 * queue is ready and does not run yet. FALSE: ring and record do not fit. */
bool virtio_queue_recover(VirtIODevice *vdev, unsigned n, GError **error);

/* The eventfd whose signal is a notification of queue n, for ioeventfd or VDUSE kickfd. The core
 * owns it. A signal while the queue does not run is forgotten. */
int virtio_queue_kick_fd(VirtIODevice *vdev, unsigned n);
/* The same without an eventfd of the transport's. */
void virtio_queue_notify_device(VirtIODevice *vdev, unsigned n);
