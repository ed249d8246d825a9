/* SPDX-License-Identifier: GPL-2.0-or-later
 * The device between a guest and the kernel's vhost_vsock: packets come out as they went in, and
 * what either side breaks is noticed. The kernel is played by the test, on the rings it was told
 * of; the real one has a test in the machine of scripts/vduse.
 */
#include <errno.h>
#include <linux/vhost.h>
#include <linux/virtio_ring.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../../hw/virtio/vhost-ring.h"
#include "util/error.h"
#include "virtio-driver.h"

enum { RX, TX, CID = 42, HDR = 44, RW = 5, REQUEST = 1 };

typedef struct {
    struct vhost_vring_addr addr;
    unsigned size;
    int kick, call;
    uint16_t seen, used;
} KernelRing;

static struct {
    int open_errno, cid_errno;
    uint64_t cid, features;
    int running;
    unsigned starts;
    KernelRing rings[2];
} kernel;

/* ---- the kernel ---- */

static int fake_open(const char *path)
{
    g_assert_cmpstr(path, ==, "/dev/vhost-vsock");
    if (kernel.open_errno != 0) {
        errno = kernel.open_errno;
        return -1;
    }
    return eventfd(0, EFD_CLOEXEC);
}

static int refuse(int cause)
{
    errno = cause;
    return cause != 0 ? -1 : 0;
}

static int fake_ioctl(int fd, unsigned long request, void *arg)
{
    const struct vhost_vring_file *file = arg;
    const struct vhost_vring_state *state = arg;

    switch (request) {
    case VHOST_SET_OWNER:
        return 0;
    case VHOST_GET_FEATURES:
        *(uint64_t *)arg = kernel.features;
        return 0;
    case VHOST_SET_FEATURES:
        g_assert_cmphex(*(uint64_t *)arg, ==, 1ULL << F_VERSION_1);
        return 0;
    case VHOST_SET_MEM_TABLE:
        g_assert_cmpuint(((struct vhost_memory *)arg)->nregions, ==, 2);
        return 0;
    case VHOST_VSOCK_SET_GUEST_CID:
        kernel.cid = *(uint64_t *)arg;
        return refuse(kernel.cid_errno);
    case VHOST_SET_VRING_NUM:
        kernel.rings[state->index].size = state->num;
        return 0;
    case VHOST_SET_VRING_BASE:
        g_assert_false(kernel.running);
        kernel.rings[state->index].seen = kernel.rings[state->index].used = state->num;
        return 0;
    case VHOST_SET_VRING_ADDR:
        kernel.rings[((struct vhost_vring_addr *)arg)->index].addr =
            *(struct vhost_vring_addr *)arg;
        return 0;
    case VHOST_SET_VRING_KICK:
        kernel.rings[file->index].kick = file->fd;
        return 0;
    case VHOST_SET_VRING_CALL:
        kernel.rings[file->index].call = file->fd;
        return 0;
    case VHOST_VSOCK_SET_RUNNING:
        kernel.running = *(int *)arg;
        kernel.starts += kernel.running;
        return 0;
    }
    return refuse(ENOTTY);
}

static const VhostHost host = { fake_open, fake_ioctl };

/* The next buffer that was made available; waits for its kick. */
static struct vring_desc *kernel_take(KernelRing *r, uint16_t *head)
{
    struct vring_avail *avail = (void *)(uintptr_t)r->addr.avail_user_addr;
    struct vring_desc *desc = (void *)(uintptr_t)r->addr.desc_user_addr;

    while (__atomic_load_n(&avail->idx, __ATOMIC_ACQUIRE) == r->seen) {
        struct pollfd pfd = { .fd = r->kick, .events = POLLIN };
        uint64_t count;

        g_assert_cmpint(poll(&pfd, 1, -1), ==, 1);
        g_assert_cmpint(read(r->kick, &count, sizeof(count)), ==, sizeof(count));
    }
    *head = avail->ring[r->seen++ % r->size];
    return &desc[*head];
}

static void kernel_use(KernelRing *r, uint32_t id, uint32_t len)
{
    struct vring_used *used = (void *)(uintptr_t)r->addr.used_user_addr;
    uint64_t one = 1;

    used->ring[r->used % r->size] = (struct vring_used_elem){ id, len };
    __atomic_store_n(&used->idx, ++r->used, __ATOMIC_RELEASE);
    g_assert_cmpint(write(r->call, &one, sizeof(one)), ==, sizeof(one));
}

/* A packet to the guest. */
static void kernel_sends(uint16_t op, const void *data, uint32_t len)
{
    uint16_t head;
    struct vring_desc *desc = kernel_take(&kernel.rings[RX], &head);
    uint8_t *at = (uint8_t *)(uintptr_t)desc->addr;
    uint32_t len_le = GUINT32_TO_LE(len);
    uint16_t op_le = GUINT16_TO_LE(op);

    g_assert_cmpuint(desc->flags, ==, VRING_DESC_F_WRITE);
    g_assert_cmpuint(desc->len, >=, HDR + len);
    memset(at, 0x11, HDR);
    memcpy(at + 24, &len_le, 4);
    memcpy(at + 30, &op_le, 2);
    memcpy(at + HDR, data, len);
    kernel_use(&kernel.rings[RX], head, HDR + len);
}

/* ---- the guest ---- */

static Guest *start(const GuestKind *kind)
{
    Guest *g = guest_new(kind);

    guest_plug_ok(g, "vhost-vsock-device", (const char *[]){ "guest-cid=42", NULL });
    guest_start(g, UINT64_MAX);
    return g;
}

static uint64_t offer(Guest *g, uint32_t size)
{
    uint64_t at = guest_alloc(g, size, 8);

    guest_submit(g, RX, &(Buf){ at, size, true }, 1);
    return at;
}

static uint64_t send_bytes(Guest *g, uint8_t value, uint32_t size)
{
    uint64_t at = guest_alloc(g, size, 8);

    guest_fill(g, at, value, size);
    guest_submit(g, TX, &(Buf){ at, size, false }, 1);
    guest_wait(g, TX);
    return at;
}

static void packets_to_the_kernel(gconstpointer kind)
{
    Guest *g = start(kind);

    g_assert_cmpuint(kernel.cid, ==, CID);
    for (unsigned i = 0; i < 3 * VHOST_RING_SLOTS; i++) {
        uint32_t size = HDR + i * 100;
        uint64_t at = send_bytes(g, (uint8_t)(i + 1), size);
        uint16_t head;
        struct vring_desc *desc = kernel_take(&kernel.rings[TX], &head);

        g_assert_cmpuint(desc->len, ==, size);
        g_assert_cmpuint(desc->flags, ==, 0);
        g_assert_cmpmem((void *)(uintptr_t)desc->addr, desc->len, guest_ptr(g, at), size);
        kernel_use(&kernel.rings[TX], head, 0);
    }
    guest_free(g);
}

/* The kernel takes nothing for a while: the guest's packets wait in its queue, none is lost. */
static void full_ring_waits(gconstpointer kind)
{
    Guest *g = start(kind);
    enum { MORE = 5 };

    for (unsigned i = 0; i < VHOST_RING_SLOTS + MORE; i++) {
        uint64_t at = guest_alloc(g, HDR, 8);

        guest_fill(g, at, (uint8_t)i, HDR);
        guest_submit(g, TX, &(Buf){ at, HDR, false }, 1);
    }
    for (unsigned i = 0; i < VHOST_RING_SLOTS; i++) {
        guest_wait(g, TX);
    }
    guest_barrier(g);
    g_assert_cmpuint(guest_used_idx(g, TX), ==, g->queues[TX].used_taken);
    for (unsigned i = 0; i < VHOST_RING_SLOTS + MORE; i++) {
        uint16_t head;
        struct vring_desc *desc = kernel_take(&kernel.rings[TX], &head);

        g_assert_cmpuint(*(uint8_t *)(uintptr_t)desc->addr, ==, i);
        kernel_use(&kernel.rings[TX], head, 0);
        if (i < MORE) {
            guest_wait(g, TX);
        }
    }
    guest_free(g);
}

static void packets_to_the_guest(gconstpointer kind)
{
    Guest *g = start(kind);
    g_autofree char *data = g_strnfill(4000, 'd');

    for (unsigned i = 0; i < 2 * VHOST_RING_SLOTS; i++) {
        uint64_t at = offer(g, 4096);
        uint8_t *got = guest_ptr(g, at);

        data[0] = (char)i;
        kernel_sends(RW, data, 3900 + i);
        g_assert_cmpuint(guest_wait(g, RX).len, ==, HDR + 3900 + i);
        g_assert_cmpuint(got[24] | got[25] << 8, ==, 3900 + i);
        g_assert_cmpmem(got + HDR, 3900 + i, data, 3900 + i);
    }
    guest_free(g);
}

/* A stream has no packets: data that does not fit into a buffer goes on in the next. */
static void small_buffers_cut_data(gconstpointer kind)
{
    Guest *g = start(kind);
    g_autoptr(GString) got = g_string_new(NULL);
    g_autofree char *data = g_strnfill(250, 'x');
    uint64_t at[3];

    data[249] = 'e';
    kernel_sends(RW, data, 250);
    for (unsigned i = 0; i < 3; i++) {
        at[i] = offer(g, HDR + 100);
    }
    for (unsigned i = 0; i < 3; i++) {
        uint8_t *p = guest_ptr(g, at[i]);

        guest_wait(g, RX);
        g_string_append_len(got, (char *)p + HDR, p[24]);
        g_assert_cmpuint(p[0], ==, 0x11);
    }
    g_assert_cmpstr(got->str, ==, data);
    kernel_sends(REQUEST, "", 0);
    offer(g, HDR);
    g_assert_cmpuint(guest_wait(g, RX).len, ==, HDR);
    guest_free(g);
}

static void needs_reset(Guest *g)
{
    guest_wait_isr(g, ISR_CONFIG);
    g_assert_cmphex(guest_rd(g, R_STATUS) & S_NEEDS_RESET, !=, 0);
    guest_free(g);
}

static void tiny_buffers_need_a_reset(void)
{
    Guest *g = start(&guest_kinds[0]);

    kernel_sends(REQUEST, "", 0);
    offer(g, HDR - 1);
    needs_reset(g);
}

static void broken_ring_needs_a_reset(void)
{
    static const struct {
        uint32_t id, len;
    } rows[] = { { VHOST_RING_SLOTS, HDR }, { 0, HDR - 1 }, { 0, 100000 } };

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        Guest *g = start(&guest_kinds[0]);

        kernel_use(&kernel.rings[RX], rows[i].id, rows[i].len);
        needs_reset(g);
    }
}

/* What cannot be a packet is not the kernel's to see. */
static void no_packets_go_nowhere(void)
{
    Guest *g = start(&guest_kinds[0]);
    uint16_t head;

    send_bytes(g, 1, HDR - 1);
    send_bytes(g, 2, HDR + (64 << 10) + 1);
    send_bytes(g, 3, HDR + (64 << 10));
    g_assert_cmpuint(*(uint8_t *)(uintptr_t)kernel_take(&kernel.rings[TX], &head)->addr, ==, 3);
    guest_free(g);
}

static void reset_starts_anew(void)
{
    Guest *g = start(&guest_kinds[0]);
    unsigned before = kernel.starts;

    kernel_sends(RW, "old", 3);
    guest_wr(g, R_STATUS, 0);
    g_assert_false(kernel.running);
    guest_start(g, UINT64_MAX);
    g_assert_true(kernel.running);
    g_assert_cmpuint(kernel.starts, ==, before + 1);
    kernel_sends(RW, "new", 3);
    g_assert_cmpmem(guest_ptr(g, offer(g, 100) + 0), 0, "", 0);
    g_assert_cmpuint(guest_wait(g, RX).len, ==, HDR + 3);
    guest_free(g);
}

static void refused(const char *const *props, const char *says)
{
    Guest *g = guest_new(&guest_kinds[0]);
    g_autoptr(GError) error = NULL;

    g_assert_false(guest_plug(g, "vhost-vsock-device", props, &error));
    g_assert_nonnull(strstr(error->message, says));
    guest_free(g);
}

static void errors_name_the_cause(void)
{
    const char *good[] = { "guest-cid=42", NULL };

    kernel.open_errno = ENOENT;
    refused(good, "cannot open /dev/vhost-vsock (modprobe vhost_vsock");
    kernel.open_errno = EACCES;
    refused(good, "vhostfd=");
    kernel.open_errno = 0;
    kernel.cid_errno = EADDRINUSE;
    refused(good, "guest-cid=42 (another VM of this host has it): Address already in use");
    kernel.cid_errno = 0;
    kernel.features = 0;
    refused(good, "VIRTIO_F_VERSION_1");
    kernel.features = UINT64_MAX;
    refused((const char *[]){ "guest-cid=2", NULL }, "guest-cid is 2 but must be 3 to 4294967294");
    refused((const char *[]){ "guest-cid=42", "vhostfd=x", NULL }, "vhostfd is 'x'");
    refused((const char *[]){ "guest-cid=42", "vhostfd=999", NULL },
            "vhostfd=999: Bad file descriptor");
    vhost_set_host(NULL);
    refused((const char *[]){ "guest-cid=42", "vhostfd=0", NULL }, "VHOST_SET_OWNER");
    vhost_set_host(&host);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    vhost_set_host(&host);
    kernel.features = UINT64_MAX;
    for (unsigned i = 0; i < G_N_ELEMENTS(guest_kinds); i++) { /* the device is modern only */
        const struct {
            const char *name;
            GTestDataFunc fn;
        } rules[] = {
            { "packets-to-the-kernel", packets_to_the_kernel },
            { "full-ring-waits", full_ring_waits },
            { "packets-to-the-guest", packets_to_the_guest },
            { "small-buffers-cut-data", small_buffers_cut_data },
        };

        for (unsigned n = 0; n < G_N_ELEMENTS(rules); n++) {
            g_autofree char *path =
                g_strdup_printf("/vhost-vsock/%s/%s", guest_kinds[i].name, rules[n].name);

            if (!guest_kinds[i].legacy) {
                g_test_add_data_func(path, &guest_kinds[i], rules[n].fn);
            }
        }
    }
    g_test_add_func("/vhost-vsock/tiny-buffers-need-a-reset", tiny_buffers_need_a_reset);
    g_test_add_func("/vhost-vsock/broken-ring-needs-a-reset", broken_ring_needs_a_reset);
    g_test_add_func("/vhost-vsock/no-packets-go-nowhere", no_packets_go_nowhere);
    g_test_add_func("/vhost-vsock/reset-starts-anew", reset_starts_anew);
    g_test_add_func("/vhost-vsock/errors-name-the-cause", errors_name_the_cause);
    return g_test_run();
}
