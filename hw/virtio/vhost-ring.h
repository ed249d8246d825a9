/* SPDX-License-Identifier: GPL-2.0-or-later
 * Both ends of a vhost device of the host's kernel, but for the guest: rings and buffers of this
 * program's own, which the kernel serves as it would a guest's. A device model copies between them
 * and the guest's queues, so that the kernel reaches no guest memory: not what is lent to a
 * protected guest, not what a translation hides, and whatever ring format the guest chose.
 *
 * Threads: one at a time, the caller sees to that.
 */
#pragma once

#include <glib.h>
#include <linux/vhost.h>
#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stdint.h>

#include "util/fd.h"

enum { VHOST_RING_SLOTS = 32 }; /* buffers of a ring, a power of two */

/* The kernel's side, for tests: NULL members are system calls. Borrowed. */
typedef struct {
    int (*open)(const char *path);
    int (*ioctl)(int fd, unsigned long request, void *arg);
} VhostHost;
void vhost_set_host(const VhostHost *host); /* NULL: the kernel */
int vhost_open(const char *path);
int vhost_ioctl(int fd, unsigned long request, void *arg);

typedef struct {
    unsigned index;       /* of the kernel's queue */
    uint32_t buffer_size; /* bytes of a slot */
    bool is_in;           /* the kernel writes to the buffers */
    uint8_t *memory;      /* rings, then buffers */
    uint64_t memory_size;
    struct vring vring;
    uint16_t next_avail, next_used;
    uint32_t free; /* bit per slot that is neither the kernel's nor taken */
    Fd kick, call; /* eventfds; call becomes readable when the kernel has used buffers */
} VhostRing;

/* FALSE: no memory, no descriptors. ring may be finished then. */
bool vhost_ring_init(VhostRing *ring, unsigned index, uint32_t buffer_size, bool is_in,
                     GError **error);
void vhost_ring_finish(VhostRing *ring);
/* Fills in what VHOST_SET_MEM_TABLE is told of it: addresses are this program's own. */
void vhost_ring_region(const VhostRing *ring, struct vhost_memory_region *region);
/* Empties it, and tells the kernel of it, which does not run the queue. -1 and errno. */
int vhost_ring_setup(VhostRing *ring, int fd);

/* A slot that is free, or -1. It stays free until it is sent. */
int vhost_ring_free_slot(const VhostRing *ring);
uint8_t *vhost_ring_buffer(const VhostRing *ring, unsigned slot);
/* Gives len bytes of it (all of it if the kernel writes) to the kernel. */
void vhost_ring_send(VhostRing *ring, unsigned slot, uint32_t len);
void vhost_ring_kick(VhostRing *ring);
/* The next slot that the kernel is done with and *len, what it wrote; -1: none, -2: the kernel has
 * broken the ring. The slot is free. */
int vhost_ring_take(VhostRing *ring, uint32_t *len);
