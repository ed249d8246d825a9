/* SPDX-License-Identifier: GPL-2.0-or-later
 * The driver of vhost-driver.h: vhost-vdpa's calls, memory, and requests as they should be.
 */
#include "vhost-driver.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

const char *rule;

static void fail(const char *what)
{
    printf("said: %s FAILED: %s (%s)\n", rule, what, strerror(errno));
    exit(1);
}

void check(bool ok, const char *what)
{
    if (!ok) {
        fail(what);
    }
}

/* ---- the device, as the kernel offers it ---- */

void set_status(Driver *d, uint8_t status)
{
    check(ioctl(d->fd, VHOST_VDPA_SET_STATUS, &status) == 0, "set status");
}

static void iotlb(Driver *d, uint8_t type, uint64_t iova, uint64_t size, void *host, uint8_t perm)
{
    struct vhost_msg_v2 msg = {
        .type = VHOST_IOTLB_MSG_V2,
        .iotlb = { .iova = iova,
                   .size = size,
                   .uaddr = (uintptr_t)host,
                   .perm = perm,
                   .type = type },
    };

    check(write(d->fd, &msg, sizeof(msg)) == sizeof(msg), "change the memory");
}

void map(Driver *d, uint64_t iova, uint64_t size, void *host, uint8_t perm)
{
    iotlb(d, VHOST_IOTLB_UPDATE, iova, size, host, perm);
}

void unmap(Driver *d, uint64_t iova, uint64_t size)
{
    iotlb(d, VHOST_IOTLB_INVALIDATE, iova, size, NULL, 0);
}

static uint8_t *new_memory(int *file)
{
    uint8_t *host;

    *file = memfd_create("memory", 0);
    check(*file >= 0 && ftruncate(*file, SIZE) == 0, "memory");
    host = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, *file, 0);
    check(host != MAP_FAILED, "map memory");
    return host;
}

static void open_device(Driver *d, const char *path)
{
    uint64_t features = 1ull << VHOST_BACKEND_F_IOTLB_MSG_V2;

    d->fd = open(path, O_RDWR);
    check(d->fd >= 0, "open the device");
    check(ioctl(d->fd, VHOST_SET_OWNER) == 0, "own the device");
    check(ioctl(d->fd, VHOST_SET_BACKEND_FEATURES, &features) == 0, "back end's features");
    d->kick = eventfd(0, EFD_NONBLOCK);
    d->call = eventfd(0, EFD_NONBLOCK);
    d->a = new_memory(&d->file[0]);
    d->b = new_memory(&d->file[1]);
    d->desc = (struct vring_desc *)(d->a + DESC);
    d->avail = (struct vring_avail *)(d->a + AVAIL);
    d->used = (struct vring_used *)(d->a + USED);
}

void close_device(Driver *d)
{
    close(d->fd);
    close(d->kick);
    close(d->call);
    for (int i = 0; i < 2; i++) {
        munmap(i == 0 ? d->a : d->b, SIZE);
        close(d->file[i]);
    }
}

/* Up to DRIVER_OK. */
void start(Driver *d)
{
    uint64_t features;
    struct vhost_vring_state num = { .num = QUEUE }, base = { 0 }, enable = { .num = 1 };
    struct vhost_vring_file kick = { .fd = d->kick }, call = { .fd = d->call };
    struct vhost_vring_addr at = {
        .desc_user_addr = d->ring_at + DESC,
        .avail_user_addr = d->ring_at + AVAIL,
        .used_user_addr = d->ring_at + USED,
    };

    set_status(d, 0);
    set_status(d, VIRTIO_CONFIG_S_ACKNOWLEDGE);
    set_status(d, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
    check(ioctl(d->fd, VHOST_GET_FEATURES, &features) == 0, "get features");
    features &= 1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_F_ACCESS_PLATFORM |
                1ull << VIRTIO_RING_F_INDIRECT_DESC;
    check(ioctl(d->fd, VHOST_SET_FEATURES, &features) == 0, "set features");
    set_status(d,
               VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK);
    check(ioctl(d->fd, VHOST_SET_VRING_NUM, &num) == 0, "ring size");
    check(ioctl(d->fd, VHOST_SET_VRING_BASE, &base) == 0, "ring base");
    check(ioctl(d->fd, VHOST_SET_VRING_ADDR, &at) == 0, "ring address");
    check(ioctl(d->fd, VHOST_SET_VRING_KICK, &kick) == 0, "kick");
    check(ioctl(d->fd, VHOST_SET_VRING_CALL, &call) == 0, "call");
    check(ioctl(d->fd, VHOST_VDPA_SET_VRING_ENABLE, &enable) == 0, "enable");
    set_status(d, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
                      VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK);
}

void fresh(Driver *d, const char *path)
{
    memset(d, 0, sizeof(*d));
    open_device(d, path);
    d->ring_at = IOVA_A;
    map(d, IOVA_A, SIZE, d->a, VHOST_ACCESS_RW);
    map(d, IOVA_B, SIZE, d->b, VHOST_ACCESS_RW);
}

/* ---- requests ---- */

void set_desc(Driver *d, unsigned n, uint64_t at, uint32_t len, uint16_t flags, uint16_t next)
{
    d->desc[n] = (struct vring_desc){ .addr = at, .len = len, .flags = flags, .next = next };
}

static void header(Driver *d, uint32_t type, uint64_t sector)
{
    *(struct virtio_blk_outhdr *)(d->a + HEADER) =
        (struct virtio_blk_outhdr){ .type = type, .sector = sector };
    d->a[STATUS] = 0xAA;
}

void chain(Driver *d, uint32_t type, uint64_t sector, uint64_t data, uint32_t len)
{
    uint16_t direction = type == VIRTIO_BLK_T_OUT ? 0 : VRING_DESC_F_WRITE;

    header(d, type, sector);
    set_desc(d, 0, IOVA_A + HEADER, 16, VRING_DESC_F_NEXT, 1);
    set_desc(d, 1, data, len, VRING_DESC_F_NEXT | direction, 2);
    set_desc(d, 2, IOVA_A + STATUS, 1, VRING_DESC_F_WRITE, 0);
}

void offer(Driver *d, uint16_t head, uint16_t by)
{
    uint64_t one = 1;

    d->avail->ring[d->avail->idx % QUEUE] = head;
    __atomic_store_n(&d->avail->idx, (uint16_t)(d->avail->idx + by), __ATOMIC_SEQ_CST);
    check(write(d->kick, &one, sizeof(one)) == sizeof(one), "kick");
}

uint8_t answer(Driver *d)
{
    struct pollfd wait = { .fd = d->call, .events = POLLIN };
    uint64_t count;

    while (__atomic_load_n(&d->used->idx, __ATOMIC_SEQ_CST) != d->avail->idx) {
        check(poll(&wait, 1, 20000) == 1, "no answer");
        check(read(d->call, &count, sizeof(count)) == sizeof(count), "call");
    }
    return d->a[STATUS];
}

void noticed(Driver *d)
{
    struct vhost_vring_state base = { 0 };

    for (unsigned i = 0; i < ASKED && base.num != d->avail->idx; i++) {
        check(ioctl(d->fd, VHOST_GET_VRING_BASE, &base) == 0, "where is the queue");
    }
}

void proper(const char *path)
{
    Driver d;

    fresh(&d, path);
    start(&d);
    memset(d.a + DATA, 0x5C, PAGE);
    chain(&d, VIRTIO_BLK_T_OUT, 8, IOVA_A + DATA, PAGE);
    offer(&d, 0, 1);
    check(answer(&d) == VIRTIO_BLK_S_OK, "a proper write");
    memset(d.a + DATA, 0, PAGE);
    chain(&d, VIRTIO_BLK_T_IN, 8, IOVA_A + DATA, PAGE);
    offer(&d, 0, 1);
    check(answer(&d) == VIRTIO_BLK_S_OK, "a proper read");
    check(d.a[DATA] == 0x5C && d.a[DATA + PAGE - 1] == 0x5C, "what was read");
    set_status(&d, 0);
    close_device(&d);
}
