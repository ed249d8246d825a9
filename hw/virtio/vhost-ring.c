/* SPDX-License-Identifier: GPL-2.0-or-later
 * The driver's half of a split virtqueue (virtio 1.2, section 2.7) over this program's own memory;
 * see vhost-ring.h. Every buffer is one descriptor, with the slot's number.
 */
#include "vhost-ring.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "util/error.h"

enum { RING_ALIGN = 64 };
G_STATIC_ASSERT(VHOST_RING_SLOTS <= 32); /* VhostRing.free */

static const VhostHost *test_host;

void vhost_set_host(const VhostHost *host)
{
    test_host = host;
}

int vhost_open(const char *path)
{
    return test_host != NULL ? test_host->open(path) : open(path, O_RDWR | O_CLOEXEC);
}

int vhost_ioctl(int fd, unsigned long request, void *arg)
{
    return test_host != NULL ? test_host->ioctl(fd, request, arg) : ioctl(fd, request, arg);
}

static uint64_t ring_bytes(void)
{
    uint64_t page = sysconf(_SC_PAGESIZE);

    return (vring_size(VHOST_RING_SLOTS, RING_ALIGN) + page - 1) & ~(page - 1);
}

bool vhost_ring_init(VhostRing *ring, unsigned index, uint32_t buffer_size, bool is_in,
                     GError **error)
{
    *ring = (VhostRing){
        .index = index,
        .buffer_size = buffer_size,
        .is_in = is_in,
        .memory_size = ring_bytes() + (uint64_t)buffer_size * VHOST_RING_SLOTS,
        .kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
        .call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
    };
    ring->memory =
        mmap(NULL, ring->memory_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (ring->memory == MAP_FAILED || ring->kick < 0 || ring->call < 0) {
        error_set_errno(error, errno, "cannot make a ring for the host's kernel");
        return false;
    }
    vring_init(&ring->vring, VHOST_RING_SLOTS, ring->memory, RING_ALIGN);
    return true;
}

void vhost_ring_finish(VhostRing *ring)
{
    if (ring->memory != NULL && ring->memory != MAP_FAILED) {
        munmap(ring->memory, ring->memory_size);
    }
    ring->memory = NULL;
    fd_clear(&ring->kick);
    fd_clear(&ring->call);
}

void vhost_ring_region(const VhostRing *ring, struct vhost_memory_region *region)
{
    *region = (struct vhost_memory_region){
        .guest_phys_addr = (uintptr_t)ring->memory,
        .memory_size = ring->memory_size,
        .userspace_addr = (uintptr_t)ring->memory,
    };
}

int vhost_ring_setup(VhostRing *ring, int fd)
{
    struct vhost_vring_state num = { ring->index, VHOST_RING_SLOTS }, base = { ring->index, 0 };
    struct vhost_vring_addr addr = {
        .index = ring->index,
        .desc_user_addr = (uintptr_t)ring->vring.desc,
        .avail_user_addr = (uintptr_t)ring->vring.avail,
        .used_user_addr = (uintptr_t)ring->vring.used,
    };
    struct vhost_vring_file kick = { ring->index, ring->kick }, call = { ring->index, ring->call };

    ring->vring.avail->flags = 0;
    __atomic_store_n(&ring->vring.avail->idx, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&ring->vring.used->idx, 0, __ATOMIC_RELAXED);
    ring->next_avail = ring->next_used = 0;
    ring->free = UINT32_MAX >> (32 - VHOST_RING_SLOTS);
    return vhost_ioctl(fd, VHOST_SET_VRING_NUM, &num) != 0 ||
                   vhost_ioctl(fd, VHOST_SET_VRING_BASE, &base) != 0 ||
                   vhost_ioctl(fd, VHOST_SET_VRING_ADDR, &addr) != 0 ||
                   vhost_ioctl(fd, VHOST_SET_VRING_KICK, &kick) != 0 ||
                   vhost_ioctl(fd, VHOST_SET_VRING_CALL, &call) != 0
               ? -1
               : 0;
}

int vhost_ring_free_slot(const VhostRing *ring)
{
    return ring->free != 0 ? __builtin_ctz(ring->free) : -1;
}

uint8_t *vhost_ring_buffer(const VhostRing *ring, unsigned slot)
{
    return ring->memory + ring_bytes() + (uint64_t)slot * ring->buffer_size;
}

void vhost_ring_send(VhostRing *ring, unsigned slot, uint32_t len)
{
    ring->vring.desc[slot] = (struct vring_desc){
        .addr = (uintptr_t)vhost_ring_buffer(ring, slot),
        .len = len,
        .flags = ring->is_in ? VRING_DESC_F_WRITE : 0,
    };
    ring->vring.avail->ring[ring->next_avail % VHOST_RING_SLOTS] = slot;
    ring->free &= ~(1U << slot);
    ring->next_avail++;
    __atomic_store_n(&ring->vring.avail->idx, ring->next_avail, __ATOMIC_RELEASE);
}

/* Full is as good as readable. */
void vhost_ring_kick(VhostRing *ring)
{
    uint64_t one = 1;

    if (write(ring->kick, &one, sizeof(one)) < 0) {
        g_assert(errno == EAGAIN);
    }
}

int vhost_ring_take(VhostRing *ring, uint32_t *len)
{
    const struct vring_used_elem *used;
    unsigned slot;

    if (__atomic_load_n(&ring->vring.used->idx, __ATOMIC_ACQUIRE) == ring->next_used) {
        return -1;
    }
    used = &ring->vring.used->ring[ring->next_used % VHOST_RING_SLOTS];
    slot = used->id;
    *len = used->len;
    if (slot >= VHOST_RING_SLOTS || (ring->free & 1U << slot) ||
        *len > ring->vring.desc[slot].len) {
        return -2;
    }
    ring->next_used++;
    ring->free |= 1U << slot;
    return (int)slot;
}
