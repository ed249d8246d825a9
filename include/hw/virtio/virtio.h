/* SPDX-License-Identifier: GPL-2.0-or-later
 * What a virtio device model (blk, rng, ...) sees: its base class, its queues, its configuration
 * bytes. It knows nothing of the transport that carries it (MMIO, PCI, VDUSE): that side is
 * hw/virtio/virtio-transport.h. Terms are those of the virtio 1.2 specification.
 *
 * Threads: realize, unrealize [main]. Queue handlers run in the device's I/O thread with their
 * queue locked; functions marked [queue] may only be called there. Everything else is [any].
 * Lock order: transport's device lock, queue lock, the device's inner lock (leaf).
 */
#pragma once

#include <glib-object.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "hw/core/device.h"
#include "hw/virtio/iothread.h"

#define TYPE_VIRTIO_DEVICE virtio_device_get_type()
G_DECLARE_DERIVABLE_TYPE(VirtIODevice, virtio_device, HUMPY, VIRTIO_DEVICE, Device)

typedef struct VirtQueue VirtQueue;

/* Serves what is in the queue; called when the driver notified it and once at DRIVER_OK. */
typedef void (*VirtQueueHandler)(VirtIODevice *vdev, VirtQueue *vq);

struct _VirtIODeviceClass {
    DeviceClass parent_class;
    uint16_t device_id; /* virtio 1.2 section 5 */
    /* [main] Checks properties, calls virtio_init() and virtio_add_queue(). */
    bool (*realize)(VirtIODevice *vdev, GError **error);
    /* (optional) [main] Mirrors realize; the queues are stopped. */
    void (*unrealize)(VirtIODevice *vdev);
    /* (optional) The driver reset the device or machine reset: guest-visible state back to
     * power-on, held elements given to virtio_queue_drop(). The queues are stopped. */
    void (*reset)(VirtIODevice *vdev);
    /* (optional) The driver wrote to the configuration bytes: config holds the new value, before
     * the old one; put back into config what is not writable. The inner lock is held: no virtio_
     * function but virtio_has_feature(). NULL: driver writes are ignored. */
    void (*config_written)(VirtIODevice *vdev, uint8_t *config, const uint8_t *before);
    /* (optional) [main] id of the iothread object that is to serve the queues, or NULL: one of the
     * device's own. Asked before realize. */
    const char *(*iothread)(VirtIODevice *vdev);
    /* (optional) The driver ends a queue, whose handler does not run: returns when the device
     * touches no element of it any more. Elements that are pushed later vanish. */
    void (*drain)(VirtIODevice *vdev, VirtQueue *vq);
    /* (optional) DRIVER_OK: negotiated features are final; the queues do not run yet. */
    void (*started)(VirtIODevice *vdev);
};

/* Properties that every virtio device has; a field of its struct and rows of its table. */
typedef struct {
    bool indirect_desc, event_idx, packed;
} VirtIOProps;
#define VIRTIO_PROPS(T, f)                                                                         \
    PROP_BOOL("indirect_desc", T, f.indirect_desc, true, "Offer indirect descriptors"),            \
        PROP_BOOL("event_idx", T, f.event_idx, true, "Offer event indices"),                       \
        PROP_BOOL("packed", T, f.packed, false, "Offer packed rings (modern drivers)")

/* [realize] Feature bits of the device type offered to the driver (ring and transport bits are
 * added by the core) and the initial configuration bytes (copied; NULL: zeroes). */
void virtio_init(VirtIODevice *vdev, const VirtIOProps *props, uint64_t features,
                 const void *config, size_t config_size);

/* [realize] Adds the next queue; size is a power of two up to VIRTIO_QUEUE_MAX. */
enum { VIRTIO_QUEUE_MAX = 1024, VIRTIO_MAX_QUEUES = 1024 };
VirtQueue *virtio_add_queue(VirtIODevice *vdev, unsigned size, VirtQueueHandler handler);
VirtQueue *virtio_queue(VirtIODevice *vdev, unsigned index);
unsigned virtio_queue_index(VirtQueue *vq);

/* What the driver accepted; 0 before it did. */
bool virtio_has_feature(VirtIODevice *vdev, unsigned bit);

/* Changes configuration bytes, steps the generation and tells the driver. */
void virtio_config_update(VirtIODevice *vdev, size_t offset, const void *data, size_t len);

/* The guest broke a rule the device cannot go on from: no queue is served until reset, a driver
 * that negotiated VERSION_1 sees DEVICE_NEEDS_RESET, one line per device is logged. */
void virtio_error(VirtIODevice *vdev, const char *fmt, ...) G_GNUC_PRINTF(2, 3);

/* The thread the queues are served in, for timers and back-end descriptors of the device. */
IoThread *virtio_iothread(VirtIODevice *vdev);

/* The id the user gave it, or the function that carries it; NULL: none. Borrowed. */
const char *virtio_user_id(VirtIODevice *vdev);

/* What addresses in requests mean; borrowed. */
AddressSpace *virtio_dma(VirtIODevice *vdev);

/* ---- serving a queue ---- */

/* One request: a descriptor chain mapped for direct access. out is what the device reads, in what
 * it writes. All memory is guest RAM, which the guest may change meanwhile: read a field once. */
typedef struct {
    unsigned n_out, n_in;
    struct iovec *out, *in;
    uint64_t out_size, in_size;
    /* internal */
    uint16_t head;   /* what the driver knows it by: index of the first descriptor, or buffer id */
    uint16_t n_desc; /* places it has in the ring */
    unsigned epoch;  /* of the queue, when it was popped */
    bool again;      /* a process before us had taken it */
} VirtQueueElement;

/* [queue] Next request, or NULL: nothing available, device stopping, or the ring was broken
 * (virtio_error() has been called). Hand it on to push or drop. */
VirtQueueElement *virtio_queue_pop(VirtQueue *vq);
/* [queue] Returns elem to the driver with written bytes of in filled from its start; frees it. Call
 * virtio_queue_notify() afterwards, once for several elements if you like. */
void virtio_queue_push(VirtQueue *vq, VirtQueueElement *elem, uint32_t written);
/* [queue] The same for several elements that the driver must see together: virtio_queue_fill() for
 * each, then virtio_queue_flush() shows them. */
void virtio_queue_fill(VirtQueue *vq, VirtQueueElement *elem, uint32_t written);
void virtio_queue_flush(VirtQueue *vq);
/* [queue, reset] Frees elem without returning it to the driver. */
void virtio_queue_drop(VirtQueue *vq, VirtQueueElement *elem);
/* [queue] Puts elem, the newest one popped and neither pushed nor dropped, back: the next pop
 * returns that request again. */
void virtio_queue_unpop(VirtQueue *vq, VirtQueueElement *elem);
/* [queue] Interrupts the driver if it wants that. */
void virtio_queue_notify(VirtQueue *vq);
/* [any] The same from outside of the queue, for what was pushed before; not from its handler. */
void virtio_queue_tell(VirtQueue *vq);
/* [I/O thread, outside handlers] Runs the queue's handler now, as if the driver had notified it;
 * soon, where the queue has a thread of its own. */
void virtio_queue_run(VirtQueue *vq);
/* [any] Runs the queue's handler soon, as if the driver had notified it. */
void virtio_queue_kick(VirtQueue *vq);

/* What a thread other than the I/O thread does with data it has for the driver (a packet came in):
 * locks the queue as for a handler, so that [queue] functions may be called up to
 * virtio_queue_leave(). FALSE: the queue does not run and is not locked. After a pop that found the
 * queue empty the handler runs once the driver has added something; after FALSE, once the queue
 * runs. Not from a handler of the same queue; the thread is registered with the memory API. [any]
 */
bool virtio_queue_enter(VirtQueue *vq);
void virtio_queue_leave(VirtQueue *vq);

/* Device types for the table in hw/. */
GType virtio_balloon_get_type(void);
GType virtio_9p_get_type(void);
GType virtio_blk_get_type(void);
GType virtio_net_get_type(void);
GType virtio_gpu_get_type(void);
GType virtio_keyboard_get_type(void);
GType virtio_mouse_get_type(void);
GType virtio_rng_get_type(void);
GType virtio_serial_get_type(void);
GType virtio_tablet_get_type(void);
GType virtio_vsock_get_type(void);
GType vhost_vsock_get_type(void);
GType virtserialport_get_type(void);
GType virtconsole_get_type(void);
