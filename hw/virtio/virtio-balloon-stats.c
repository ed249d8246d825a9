/* SPDX-License-Identifier: GPL-2.0-or-later
 * The balloon's statistics queue (virtio 1.2, section 5.5.6.3): the device holds the driver's one
 * buffer and returns it when it wants new figures. They are the properties guest-stats and
 * guest-stats-polling-interval, for qom-get and qom-set.
 */
#include <endian.h>
#include <string.h>

#include "hw/core/qom.h"
#include "util/error.h"
#include "util/iov.h"
#include "virtio-balloon-priv.h"

enum { BALLOON_MAX_INTERVAL = INT32_MAX };

static const char *const stat_names[BALLOON_N_STATS] = {
    [VIRTIO_BALLOON_S_SWAP_IN] = "stat-swap-in",
    [VIRTIO_BALLOON_S_SWAP_OUT] = "stat-swap-out",
    [VIRTIO_BALLOON_S_MAJFLT] = "stat-major-faults",
    [VIRTIO_BALLOON_S_MINFLT] = "stat-minor-faults",
    [VIRTIO_BALLOON_S_MEMFREE] = "stat-free-memory",
    [VIRTIO_BALLOON_S_MEMTOT] = "stat-total-memory",
    [VIRTIO_BALLOON_S_AVAIL] = "stat-available-memory",
    [VIRTIO_BALLOON_S_CACHES] = "stat-disk-caches",
    [VIRTIO_BALLOON_S_HTLB_PGALLOC] = "stat-htlb-pgalloc",
    [VIRTIO_BALLOON_S_HTLB_PGFAIL] = "stat-htlb-pgfail",
};

/* [lock] */
static void forget(VirtIOBalloon *s)
{
    for (unsigned i = 0; i < BALLOON_N_STATS; i++) {
        s->stats[i] = UINT64_MAX;
    }
}

/* Entries of an unknown tag are skipped; a driver that repeats itself is believed the last time. */
static void take_figures(VirtIOBalloon *s, const VirtQueueElement *elem)
{
    enum { MAX_ENTRIES = 64 };
    struct virtio_balloon_stat entry;

    pthread_mutex_lock(&s->lock);
    forget(s);
    for (unsigned i = 0; i < MAX_ENTRIES; i++) {
        if (iov_to_buf(elem->out, elem->n_out, i * sizeof(entry), &entry, sizeof(entry)) <
            sizeof(entry)) {
            break;
        }
        if (le16toh(entry.tag) < BALLOON_N_STATS) {
            s->stats[le16toh(entry.tag)] = le64toh(entry.val);
        }
    }
    s->last_update = g_get_real_time() / G_USEC_PER_SEC;
    pthread_mutex_unlock(&s->lock);
}

static void return_buffer(VirtIOBalloon *s, VirtQueue *vq)
{
    if (s->stats_elem != NULL) {
        virtio_queue_push(vq, g_steal_pointer(&s->stats_elem), 0);
        virtio_queue_notify(vq);
    }
}

static void serve_queue(VirtIODevice *vdev, VirtQueue *vq)
{
    VirtIOBalloon *s = HUMPY_VIRTIO_BALLOON(vdev);
    VirtQueueElement *elem;

    if (s->stats_elem != NULL && g_atomic_int_compare_and_exchange(&s->stats_wanted, 1, 0)) {
        return_buffer(s, vq);
    }
    while ((elem = virtio_queue_pop(vq)) != NULL) {
        return_buffer(s, vq); /* a driver has one buffer; of several the last one stays */
        take_figures(s, elem);
        s->stats_elem = elem;
    }
}

/* ---- polling ---- */

static void arm(VirtIOBalloon *s)
{
    if (s->interval != 0 && s->timer != NULL) {
        clock_timer_arm(s->timer, clock_now() + s->interval * CLOCK_NS_PER_SEC);
    }
}

static void time_to_ask(void *opaque)
{
    VirtIOBalloon *s = opaque;

    g_atomic_int_set(&s->stats_wanted, 1);
    virtio_queue_kick(s->stats_vq);
    arm(s);
}

static JsonNode *get_interval(GObject *obj)
{
    JsonNode *node = json_node_new(JSON_NODE_VALUE);

    json_node_set_int(node, HUMPY_VIRTIO_BALLOON(obj)->interval);
    return node;
}

static bool set_interval(GObject *obj, JsonNode *value, GError **error)
{
    VirtIOBalloon *s = HUMPY_VIRTIO_BALLOON(obj);
    gint64 seconds;

    if (!JSON_NODE_HOLDS_VALUE(value) || json_node_get_value_type(value) != G_TYPE_INT64) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX,
                    "Invalid parameter type for 'guest-stats-polling-interval', expected: integer");
        return false;
    }
    seconds = json_node_get_int(value);
    if (seconds < 0 || seconds > BALLOON_MAX_INTERVAL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "guest-stats-polling-interval is %" G_GINT64_FORMAT
                    " but must be 0 to %d seconds",
                    seconds, BALLOON_MAX_INTERVAL);
        return false;
    }
    s->interval = seconds;
    if (s->timer != NULL) {
        clock_timer_disarm(s->timer);
    }
    arm(s);
    return true;
}

static JsonNode *get_stats(GObject *obj)
{
    VirtIOBalloon *s = HUMPY_VIRTIO_BALLOON(obj);
    JsonObject *result = json_object_new(), *stats = json_object_new();
    JsonNode *node = json_node_new(JSON_NODE_OBJECT);

    pthread_mutex_lock(&s->lock);
    for (unsigned i = 0; i < BALLOON_N_STATS; i++) {
        json_object_set_int_member(stats, stat_names[i], (gint64)s->stats[i]);
    }
    json_object_set_int_member(result, "last-update", s->last_update);
    pthread_mutex_unlock(&s->lock);
    json_object_set_object_member(result, "stats", stats);
    json_node_take_object(node, result);
    return node;
}

static const QomComputed computed[] = {
    { "guest-stats", "guest statistics", "What the guest says of its memory; -1: it does not",
      get_stats, NULL },
    { "guest-stats-polling-interval", "int", "Seconds between two questions; 0: none", get_interval,
      set_interval },
};

/* ---- life cycle ---- */

/* The queue is stopped. */
void balloon_stats_reset(VirtIOBalloon *s)
{
    if (s->stats_elem != NULL) {
        virtio_queue_drop(s->stats_vq, g_steal_pointer(&s->stats_elem));
    }
    g_atomic_int_set(&s->stats_wanted, 0);
}

void balloon_stats_realize(VirtIOBalloon *s)
{
    s->stats_vq = virtio_add_queue(HUMPY_VIRTIO_DEVICE(s), 128, serve_queue);
    s->timer = clock_timer_new(time_to_ask, s);
    arm(s);
}

void balloon_stats_unrealize(VirtIOBalloon *s)
{
    g_clear_pointer(&s->timer, clock_timer_free);
}

void balloon_stats_init(VirtIOBalloon *s)
{
    pthread_mutex_init(&s->lock, NULL);
    forget(s);
}

void balloon_stats_finalize(VirtIOBalloon *s)
{
    pthread_mutex_destroy(&s->lock);
}

void balloon_stats_class_init(gpointer klass)
{
    qom_class_add_computed(klass, computed, G_N_ELEMENTS(computed));
}
