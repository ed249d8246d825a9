/* SPDX-License-Identifier: GPL-2.0-or-later
 * "virtio-echo-device": a device of the tests, written against include/hw/virtio/virtio.h only. It
 * copies what it reads to what it may write, and can be held inside a request.
 */
#pragma once

#include <pthread.h>

#include "hw/virtio/virtio.h"

enum { ECHO_DEVICE_ID = 63, ECHO_QUEUES = 2, ECHO_QUEUE_SIZE = 8, ECHO_CONFIG_SIZE = 7 };
enum { ECHO_F_ONE = 3 };

#define TYPE_VIRTIO_ECHO virtio_echo_get_type()
G_DECLARE_FINAL_TYPE(VirtIOEcho, virtio_echo, HUMPY, VIRTIO_ECHO, VirtIODevice)

struct _VirtIOEcho {
    VirtIODevice parent;
    VirtIOProps props;
    bool fail;                    /* property: realize fails */
    bool silent;                  /* never notify the driver */
    gint resets, starts, handled; /* atomic */

    pthread_mutex_t lock; /* what follows */
    pthread_cond_t changed;
    bool hold;     /* stay inside the next request */
    bool hold_end; /* stay where the queue was found empty */
    bool inside;   /* is inside one */
};

/* Makes the next request (or end of the queue) stay inside the device; waits until it does; lets it
 * go. */
void echo_hold(VirtIOEcho *s);
void echo_hold_end(VirtIOEcho *s);
void echo_wait_inside(VirtIOEcho *s);
void echo_release(VirtIOEcho *s);
bool echo_is_inside(VirtIOEcho *s);
