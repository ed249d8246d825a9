/* SPDX-License-Identifier: GPL-2.0-or-later
 * One VDUSE export, as its files share it: vduse.c makes and ends it, vduse-serve.c answers the
 * kernel's messages in a thread of its own, vduse-start.c starts and stops the queues.
 */
#pragma once

#include "hw/virtio/virtio-transport.h"
#include "inflight.h"
#include "iotlb.h"
#include "vduse-node.h"

typedef struct {
    char *id, *type, *name;
    char *backend; /* node name or netdev */
    bool attach;   /* attached to the vDPA bus by us */
    VirtIODevice *vdev;
    int control;
    uint64_t version;
    VduseNode node;
    Iotlb *iotlb;
    char *log_path;
    Inflight *log;

    GThread *thread; /* of messages; what follows is its own, unless it says otherwise */
    int wake_fd;
    gint stop;           /* atomic */
    gint config_changed; /* atomic */
    gint *irq_owed;      /* atomic, one for each queue: to be made again */
    gint any_irq_owed;   /* atomic */
    gint in_use;         /* atomic: there is a driver, not only a bus */
    gint broken;         /* atomic: the kernel gave the device up */
    uint8_t status;
    uint32_t generation; /* of the configuration bytes that the kernel has */

    GThread *waiter; /* does what waits for requests */
    int waited_fd;   /* it is done */
    bool waiting;    /* it was given up on, and is not done yet */
    bool wait_for_reset;
} VduseExport;

/* ---- vduse-serve.c ---- */
bool vduse_serve_start(VduseExport *x, GError **error);
/* Returns when the thread is gone; queues run on. */
void vduse_serve_stop(VduseExport *x);
extern const VirtIOTransportOps vduse_transport;

/* ---- vduse-start.c ---- */
/* Before the driver reaches DRIVER_OK. */
bool vduse_accept_features(VduseExport *x, GError **error);
/* What the kernel knows of the queues becomes the device's. recover: what was in flight in a
 * process before this one is served again. */
bool vduse_set_up_queues(VduseExport *x, bool recover, GError **error);
/* The kernel's copy of the configuration bytes becomes the device's. */
bool vduse_push_config(VduseExport *x, GError **error);

/* ---- vduse-recover.c ---- */
InflightShape vduse_shape(const VduseExport *x);
/* There is a device of that name, which node has open now. *stale: it is of no use to anybody and
 * may be made anew. FALSE: *error says why it cannot be gone on with. */
bool vduse_take_over(VduseExport *x, bool *stale, GError **error);

/* ---- vduse.c: called in any thread, runs in the main one ---- */
void vduse_lost(VduseExport *x);
