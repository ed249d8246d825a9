/* SPDX-License-Identifier: GPL-2.0-or-later
 * A driver of a block device behind vhost-vdpa, with one queue of 8 and two pieces of memory that
 * lie behind each other for the device. What it is told to do wrong it does; see rings.c. A call
 * that cannot be made ends the program.
 */
#pragma once

#include <linux/vhost.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    QUEUE = 8,
    PAGE = 4096,
    SIZE = 16 * PAGE, /* of each of the two pieces of memory */
    ASKED = 50,       /* so often: where is the queue? */
};
#define IOVA_A 0x10000000ull
#define IOVA_B (IOVA_A + SIZE) /* right behind, of another file */

/* Where things are in A. */
enum {
    DESC = 0,
    AVAIL = PAGE,
    USED = 2 * PAGE,
    HEADER = 3 * PAGE,
    STATUS = 4 * PAGE,
    DATA = 5 * PAGE
};

typedef struct {
    int fd, kick, call, file[2];
    uint8_t *a, *b;
    struct vring_desc *desc;
    struct vring_avail *avail;
    struct vring_used *used;
    uint64_t ring_at; /* as the device is told */
} Driver;

extern const char *rule; /* what is printed when something fails */
void check(bool ok, const char *what);

/* Memory for both pieces, mapped for the device; the device is not started. */
void fresh(Driver *d, const char *path);
void start(Driver *d); /* up to DRIVER_OK, after a reset */
void close_device(Driver *d);
void set_status(Driver *d, uint8_t status);
void map(Driver *d, uint64_t iova, uint64_t size, void *host, uint8_t perm);
void unmap(Driver *d, uint64_t iova, uint64_t size);

void set_desc(Driver *d, unsigned n, uint64_t at, uint32_t len, uint16_t flags, uint16_t next);
/* Header, data, status as descriptors 0 to 2, as it should be. */
void chain(Driver *d, uint32_t type, uint64_t sector, uint64_t data, uint32_t len);
/* The ring's next entry is head, its index goes on by so much. */
void offer(Driver *d, uint16_t head, uint16_t by);
/* Waits for the answer to what was offered last; the status byte. */
uint8_t answer(Driver *d);
/* There may be no answer; but the device knows of the request. */
void noticed(Driver *d);
/* One write and one read, from opening to closing the device. */
void proper(const char *path);
