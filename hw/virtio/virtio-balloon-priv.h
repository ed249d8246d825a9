/* SPDX-License-Identifier: GPL-2.0-or-later
 * State of the balloon device, shared by virtio-balloon.c and virtio-balloon-stats.c.
 */
#pragma once

#include <linux/virtio_balloon.h>
#include <pthread.h>

#include "hw/core/clock.h"
#include "hw/virtio/virtio.h"

#define TYPE_VIRTIO_BALLOON virtio_balloon_get_type()
G_DECLARE_FINAL_TYPE(VirtIOBalloon, virtio_balloon, HUMPY, VIRTIO_BALLOON, VirtIODevice)

enum { BALLOON_N_STATS = VIRTIO_BALLOON_S_NR };

struct _VirtIOBalloon {
    VirtIODevice parent;
    VirtIOProps props;
    bool deflate_on_oom, page_poison, free_page_reporting;

    uint64_t ram_size; /* since realize */
    gint poison;       /* atomic: the driver fills free pages with something else than zeroes */

    VirtQueue *stats_vq;
    VirtQueueElement *stats_elem; /* [queue] the driver's buffer, until new figures are wanted */
    gint stats_wanted;            /* atomic */
    ClockTimer *timer;
    uint32_t interval; /* [main] seconds, 0: never */

    pthread_mutex_t lock; /* what follows; leaf */
    uint64_t stats[BALLOON_N_STATS];
    int64_t last_update; /* seconds of the host's time of day, 0: never */
};

/* virtio-balloon-stats.c */
void balloon_stats_init(VirtIOBalloon *s);
void balloon_stats_realize(VirtIOBalloon *s);
void balloon_stats_unrealize(VirtIOBalloon *s);
void balloon_stats_finalize(VirtIOBalloon *s);
void balloon_stats_reset(VirtIOBalloon *s);
void balloon_stats_class_init(gpointer klass);
