/* SPDX-License-Identifier: GPL-2.0-or-later
 * What a VDUSE export of any device type is made from, once its options are read.
 */
#pragma once

#include <glib.h>

#include "hw/virtio/virtio.h"

typedef struct {
    const char *id, *type, *name;
    const char *backend;  /* node name or netdev */
    const char *log_path; /* of the record of requests in flight, or NULL */
    VirtIODevice *vdev;   /* unrealized, taken */
    uint64_t features;    /* offered besides the device's own */
    bool attach;          /* to the vDPA bus, as soon as it is served */
} VduseOptions;

void *vduse_open(const VduseOptions *options, GError **error);
bool vduse_may_close(void *export, GError **error);
void vduse_close(void *export, bool detach);
