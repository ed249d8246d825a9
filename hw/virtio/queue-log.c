/* SPDX-License-Identifier: GPL-2.0-or-later
 * The record of what a queue's device has taken and not returned, in memory that outlives the
 * process: the one that comes after it knows which requests to serve again. Split rings only.
 *
 * Taking marks an entry before anything is done; returning first shows the used index to the
 * driver, then clears the marks. What a process that died between the two has left marked is found
 * in the used ring, of which the record says up to where its marks are cleared.
 */
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "queue-priv.h"
#include "util/error.h"

/* Little more than one word for each descriptor. Stores are atomic and in program order, which is
 * all that matters to a process that starts after this one's end. */
struct QueueLog {
    uint32_t size; /* entries */
    uint16_t used_idx;
    uint16_t reserved;
    uint64_t taken[]; /* by head: the how manieth request it is; 0: the device does not have it */
};

size_t virtio_queue_log_size(unsigned max_size)
{
    return sizeof(QueueLog) + max_size * sizeof(uint64_t);
}

static void set_taken(QueueLog *log, unsigned head, uint64_t number)
{
    __atomic_store_n(&log->taken[head], number, __ATOMIC_SEQ_CST);
}

static void set_used(QueueLog *log, uint16_t used_idx)
{
    __atomic_store_n(&log->used_idx, used_idx, __ATOMIC_SEQ_CST);
}

void queue_log_reset(VirtQueue *vq)
{
    vq->n_again = 0;
    vq->next_again = 0;
    vq->n_logged = 0;
    if (vq->log != NULL) {
        memset(vq->log->taken, 0, vq->max_size * sizeof(uint64_t));
        vq->log->size = vq->max_size;
        set_used(vq->log, vq->used_idx);
    }
}

void queue_log_take(VirtQueue *vq, unsigned head)
{
    if (vq->log != NULL) {
        set_taken(vq->log, head, ++vq->n_logged);
    }
}

void queue_log_untake(VirtQueue *vq, unsigned head)
{
    if (vq->log != NULL) {
        set_taken(vq->log, head, 0);
    }
}

/* The driver has the ring, too, and may write there what it likes. */
static void clear_used(VirtQueue *vq, uint16_t from, uint16_t to)
{
    for (uint16_t i = from; i != to; i++) {
        const struct vring_used_elem *e = &vq->split.used->ring[i & (vq->size - 1)];
        uint32_t head = le32toh(__atomic_load_n(&e->id, __ATOMIC_RELAXED));

        if (head < vq->size) {
            set_taken(vq->log, head, 0);
        }
    }
}

void queue_log_flush(VirtQueue *vq)
{
    if (vq->log != NULL) {
        clear_used(vq, vq->log->used_idx, vq->used_idx);
        set_used(vq->log, vq->used_idx);
    }
}

/* ---- after a restart ---- */

static int by_number(const void *a, const void *b)
{
    const QueueLogEntry *x = a, *y = b;

    return x->number < y->number ? -1 : x->number > y->number;
}

static void collect(VirtQueue *vq)
{
    vq->n_again = 0;
    vq->next_again = 0;
    if (vq->again == NULL) {
        vq->again = g_new(QueueLogEntry, vq->max_size);
    }
    for (unsigned head = 0; head < vq->size; head++) {
        uint64_t number = vq->log->taken[head];

        if (number != 0) {
            vq->again[vq->n_again++] = (QueueLogEntry){ number, head };
            vq->n_logged = MAX(vq->n_logged, number);
        }
    }
    qsort(vq->again, vq->n_again, sizeof(*vq->again), by_number);
}

static const char *recover(VirtQueue *vq)
{
    uint16_t used;

    if (vq->log->size != vq->max_size) {
        return "is of another size";
    }
    if (vq->ring != &split_ring) {
        return "does not say anything about packed rings";
    }
    used = le16toh(__atomic_load_n(&vq->split.used->idx, __ATOMIC_SEQ_CST));
    if ((uint16_t)(used - vq->log->used_idx) > vq->size) {
        return "does not fit to the ring";
    }
    vq->used_idx = used;
    queue_log_flush(vq);
    collect(vq);
    vq->last_avail = used + vq->n_again; /* what was ever taken was returned, or is there again */
    vq->seen_avail = vq->last_avail;
    vq->signalled_valid = false;
    return NULL;
}

bool virtio_queue_recover(VirtIODevice *vdev, unsigned n, GError **error)
{
    VirtQueue *vq = virtio_queue(vdev, n);
    const char *wrong = "is for another device";

    if (vq != NULL && vq->log != NULL) {
        queue_lock_idle(vq);
        wrong = queue_map(vq) ? recover(vq) : "is of no use, as the ring cannot be mapped";
        queue_unlock(vq);
    }
    if (wrong != NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST,
                    "queue %u: the record of requests in flight %s", n, wrong);
        return false;
    }
    return true;
}

void virtio_queue_set_log(VirtIODevice *vdev, unsigned n, void *memory)
{
    VirtQueue *vq = virtio_queue(vdev, n);

    if (vq != NULL) {
        queue_lock_idle(vq);
        vq->log = memory;
        queue_unlock(vq);
    }
}
