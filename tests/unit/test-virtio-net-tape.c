/* SPDX-License-Identifier: GPL-2.0-or-later
 * The network device with several queues and with headers on the wire: its other side is only a
 * record of calls. What one queue does is in test-virtio-net.c.
 */
#include <linux/virtio_net.h>
#include <string.h>

#include "net/net-priv.h"
#include "net/net.h"
#include "util/iov.h"
#include "virtio-driver.h"

enum {
    RX = 0,
    TX = 1,
};

typedef struct {
    NetClient *nc;
    pthread_mutex_t lock; /* of what follows */
    unsigned vnet_hdr, offloads, queues, ready[4];
    GPtrArray *packets; /* of GBytes */
} Tape;

static NetVerdict tape_receive(void *opaque, unsigned queue, const struct iovec *iov, unsigned n)
{
    Tape *tape = opaque;
    size_t len = iov_size(iov, n);
    uint8_t *copy = g_malloc(len + 1);

    copy[0] = queue;
    iov_to_buf(iov, n, 0, copy + 1, len);
    pthread_mutex_lock(&tape->lock);
    g_ptr_array_add(tape->packets, g_bytes_new_take(copy, len + 1));
    pthread_mutex_unlock(&tape->lock);
    return NET_TAKEN;
}

static void tape_peer_ready(void *opaque, unsigned queue)
{
    Tape *tape = opaque;

    pthread_mutex_lock(&tape->lock);
    tape->ready[queue]++;
    pthread_mutex_unlock(&tape->lock);
}

static void tape_set_vnet_hdr(void *opaque, unsigned len)
{
    ((Tape *)opaque)->vnet_hdr = len;
}

static void tape_set_offloads(void *opaque, unsigned offloads)
{
    Tape *tape = opaque;

    pthread_mutex_lock(&tape->lock);
    tape->offloads = offloads;
    pthread_mutex_unlock(&tape->lock);
}

static void tape_set_queues(void *opaque, unsigned n)
{
    Tape *tape = opaque;

    pthread_mutex_lock(&tape->lock);
    tape->queues = n;
    pthread_mutex_unlock(&tape->lock);
}

static unsigned tape_ready(Tape *tape, unsigned queue)
{
    unsigned n;

    pthread_mutex_lock(&tape->lock);
    n = tape->ready[queue];
    pthread_mutex_unlock(&tape->lock);
    return n;
}

static const NetOps tape_ops = {
    .type = "tape",
    .receive = tape_receive,
    .peer_ready = tape_peer_ready,
    .set_vnet_hdr = tape_set_vnet_hdr,
    .set_offloads = tape_set_offloads,
    .set_queues = tape_set_queues,
};

static Guest *tape_guest(Tape *tape, const GuestKind *kind, uint64_t features)
{
    Guest *g = guest_new(kind);

    *tape = (Tape){ .packets = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref) };
    pthread_mutex_init(&tape->lock, NULL);
    tape->nc = net_backend_new(&tape_ops, tape, "tape", 2, true, NULL);
    guest_plug_ok(g, "virtio-net-device", (const char *[]){ "netdev=tape", "mq=on", NULL });
    guest_start(g, features);
    return g;
}

static void tape_finish(Tape *tape, Guest *g)
{
    guest_free(g);
    net_cleanup();
    g_ptr_array_unref(tape->packets);
    pthread_mutex_destroy(&tape->lock);
}

static uint8_t tape_control(Guest *g, unsigned queue, uint8_t class, uint8_t cmd, uint16_t value)
{
    uint64_t gpa = guest_alloc(g, 16, 16);
    uint8_t *p = guest_ptr(g, gpa);
    Buf bufs[] = { { gpa, 4, false }, { gpa + 8, 1, true } };

    p[0] = class;
    p[1] = cmd;
    p[2] = value;
    p[3] = value >> 8;
    guest_submit(g, queue, bufs, 2);
    guest_wait(g, queue);
    return p[8];
}

static void test_queue_pairs(void)
{
    Tape tape;
    Guest *g = tape_guest(&tape, &guest_kinds[0], UINT64_MAX);
    uint64_t gpa[2] = { guest_alloc(g, 2048, 16), guest_alloc(g, 2048, 16) };
    uint8_t packet[12 + 64] = { 0 };
    struct iovec iov = { packet, sizeof(packet) };
    gsize len;

    g_assert_cmpuint(guest_rd(g, R_CONFIG + 8) & 0xffff, ==, 2);
    g_assert_cmpuint(tape_control(g, 4, 4, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, 3), ==, VIRTIO_NET_ERR);
    g_assert_cmpuint(tape_control(g, 4, 4, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, 2), ==, VIRTIO_NET_OK);
    g_assert_cmpuint(tape.queues, ==, 2);
    guest_submit(g, 3, &(Buf){ gpa[0], 76, false }, 1); /* transmit queue of the second pair */
    guest_wait(g, 3);
    g_assert_cmpuint(((const uint8_t *)g_bytes_get_data(tape.packets->pdata[0], &len))[0], ==, 1);
    guest_publish(g, 0, guest_chain(g, 0, &(Buf){ gpa[0], 2048, true }, 1));
    guest_publish(g, 2, guest_chain(g, 2, &(Buf){ gpa[1], 2048, true }, 1));
    g_assert_cmpint(net_send(tape.nc, 1, &iov, 1), ==, NET_TAKEN);
    g_assert_cmpuint(guest_used_idx(g, 0), ==, 0);
    g_assert_cmpuint(guest_used_idx(g, 2), ==, 1);
    g_assert_cmpint(net_send(tape.nc, 1, &iov, 1), ==, NET_BUSY);
    /* One pair again: the second queue's packets go to the first, and it is told so. */
    g_assert_cmpuint(tape_control(g, 4, 4, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, 1), ==, VIRTIO_NET_OK);
    while (tape_ready(&tape, 1) == 0) {
        g_thread_yield();
    }
    g_assert_cmpint(net_send(tape.nc, 1, &iov, 1), ==, NET_TAKEN);
    g_assert_cmpuint(guest_used_idx(g, 0), ==, 1);
    tape_finish(&tape, g);
}

/* Section 5.1.2: without MQ the control queue is the third one. */
static void test_control_queue_moves(void)
{
    Tape tape;
    Guest *g = tape_guest(&tape, &guest_kinds[0], ~(1ull << VIRTIO_NET_F_MQ));

    g_assert_cmpuint(tape_control(g, 2, VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_ADD, 5), ==,
                     VIRTIO_NET_OK);
    tape_finish(&tape, g);
}

static void test_headers_on_the_wire(gconstpointer kind)
{
    Tape tape;
    Guest *g = tape_guest(&tape, kind, ~(1ull << VIRTIO_NET_F_MRG_RXBUF));
    unsigned header = g->legacy ? 10 : 12;
    uint64_t gpa = guest_alloc(g, 2048, 16);
    uint8_t packet[12 + 64] = {
        VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_GSO_TCPV4, 54, 0, 1, 2, 34, 0, 16, 0
    };
    struct iovec iov = { packet, header + 64 };
    const uint8_t *got;
    gsize len;

    g_assert_cmpuint(tape.vnet_hdr, ==, header);
    g_assert_cmphex(tape.offloads, ==,
                    NET_OFFLOAD_CSUM | NET_OFFLOAD_TSO4 | NET_OFFLOAD_TSO6 | NET_OFFLOAD_ECN);
    memcpy(guest_ptr(g, gpa), packet, sizeof(packet));
    guest_submit(g, TX, &(Buf){ gpa, header + 64, false }, 1);
    guest_wait(g, TX);
    got = g_bytes_get_data(tape.packets->pdata[0], &len);
    g_assert_cmpmem(got + 1, len - 1, packet, header + 64);
    guest_fill(g, gpa, 0, 2048);
    guest_publish(g, RX, guest_chain(g, RX, &(Buf){ gpa, 2048, true }, 1));
    g_assert_cmpint(net_send(tape.nc, 0, &iov, 1), ==, NET_TAKEN);
    g_assert_cmpuint(guest_poll(g, RX).len, ==, header + 64);
    packet[10] = header == 12; /* num_buffers */
    g_assert_cmpmem(guest_ptr(g, gpa), header + 64, packet, header + 64);
    guest_wr(g, R_STATUS, 0);
    g_assert_cmphex(tape.offloads, ==, 0);
    tape_finish(&tape, g);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    guest_add_test("/virtio-net", "headers-on-the-wire", test_headers_on_the_wire);
    g_test_add_func("/virtio-net/queue-pairs", test_queue_pairs);
    g_test_add_func("/virtio-net/control-queue-without-mq", test_control_queue_moves);
    return g_test_run();
}
