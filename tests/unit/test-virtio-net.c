/* SPDX-License-Identifier: GPL-2.0-or-later
 * The network device (virtio 1.2, section 5.1) between the tests' guest and a socket.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/virtio_net.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/net.h"
#include "util/keyval.h"
#include "virtio-driver.h"

enum {
    RX = 0,
    TX = 1,
    CTRL = 2,
    FRAME = 100,
};

static const uint8_t our_mac[6] = { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56 };

typedef struct {
    Guest *g;
    int host; /* the other end of the socket */
    unsigned header;
} Fixture;

static void add_netdev(const char *text)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KeyVal) kv = keyval_parse(text, "type", &error);

    g_assert_no_error(error);
    net_backend_add(kv, &error);
    g_assert_no_error(error);
}

static Fixture start_with(const GuestKind *kind, uint64_t features, const char *prop)
{
    const char *props[] = { "netdev=n0", prop, NULL };
    g_autofree char *text = NULL;
    Fixture f;
    int fds[2];

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
    text = g_strdup_printf("socket,id=n0,fd=%d", fds[0]);
    add_netdev(text);
    f.host = fds[1];
    f.g = guest_new(kind);
    guest_plug_ok(f.g, "virtio-net-device", props);
    guest_start(f.g, features);
    f.header = f.g->legacy && !(f.g->features & 1ull << VIRTIO_NET_F_MRG_RXBUF) ? 10 : 12;
    return f;
}

static Fixture start(const GuestKind *kind, uint64_t features)
{
    return start_with(kind, features, NULL);
}

static void finish(Fixture *f)
{
    guest_free(f->g);
    net_cleanup();
    close(f->host);
}

static void host_send(Fixture *f, const uint8_t *frame, uint32_t len)
{
    uint32_t length = htonl(len);

    g_assert_cmpint(send(f->host, &length, 4, 0), ==, 4);
    g_assert_cmpint(send(f->host, frame, len, 0), ==, len);
}

static size_t host_receive(Fixture *f, uint8_t *frame, size_t room)
{
    uint32_t length;

    g_assert_cmpint(recv(f->host, &length, 4, MSG_WAITALL), ==, 4);
    length = ntohl(length);
    g_assert_cmpuint(length, <=, room);
    g_assert_cmpint(recv(f->host, frame, length, MSG_WAITALL), ==, length);
    return length;
}

static void make_frame(uint8_t *frame, size_t len, const uint8_t *to, uint8_t seed)
{
    for (size_t i = 0; i < len; i++) {
        frame[i] = seed + i * 7;
    }
    memcpy(frame, to, 6);
    frame[12] = 0x08;
    frame[13] = 0x00;
}

static unsigned give_buffer(Fixture *f, uint64_t *gpa, uint32_t len)
{
    *gpa = guest_alloc(f->g, len, 16);
    return guest_submit(f->g, RX, &(Buf){ *gpa, len, true }, 1);
}

/* Received packets come in the main context. */
static Used wait_rx(Fixture *f)
{
    while (guest_used_idx(f->g, RX) == f->g->queues[RX].used_taken) {
        g_main_context_iteration(NULL, TRUE);
    }
    return guest_poll(f->g, RX);
}

static void serve_main(void)
{
    while (g_main_context_iteration(NULL, FALSE)) {
    }
}

/* ---- packets ---- */

static void test_receive(gconstpointer kind)
{
    Fixture f = start(kind, ~(1ull << VIRTIO_NET_F_MRG_RXBUF));
    uint8_t frame[FRAME], zeroes[12] = { 0 };
    uint64_t gpa;
    unsigned head = give_buffer(&f, &gpa, 1526);
    Used used;

    if (!f.g->legacy) {
        zeroes[10] = 1; /* num_buffers */
    }
    make_frame(frame, FRAME, our_mac, 3);
    host_send(&f, frame, FRAME);
    used = wait_rx(&f);
    g_assert_cmpuint(used.id, ==, head);
    g_assert_cmpuint(used.len, ==, f.header + FRAME);
    g_assert_cmpmem(guest_ptr(f.g, gpa), f.header, zeroes, f.header);
    g_assert_cmpmem((uint8_t *)guest_ptr(f.g, gpa) + f.header, FRAME, frame, FRAME);
    finish(&f);
}

static void test_transmit(gconstpointer kind)
{
    Fixture f = start(kind, UINT64_MAX);
    uint64_t gpa = guest_alloc(f.g, 4096, 16);
    uint8_t frame[FRAME], got[FRAME];
    Buf bufs[] = { { gpa, f.header, false },
                   { gpa + f.header, 50, false },
                   { gpa + f.header + 50, FRAME - 50, false } };

    make_frame(frame, FRAME, our_mac, 9);
    memcpy((uint8_t *)guest_ptr(f.g, gpa) + f.header, frame, FRAME);
    for (unsigned i = 0; i < 3; i++) {
        guest_submit(f.g, TX, bufs, 3);
        g_assert_cmpuint(guest_wait(f.g, TX).len, ==, 0);
        g_assert_cmpuint(host_receive(&f, got, sizeof(got)), ==, FRAME);
        g_assert_cmpmem(got, FRAME, frame, FRAME);
    }
    finish(&f);
}

static void test_mergeable(gconstpointer kind)
{
    Fixture f = start(kind, UINT64_MAX);
    uint8_t frame[1000], got[1200];
    uint64_t gpa[4];
    unsigned heads[4], at = 0;

    make_frame(frame, sizeof(frame), our_mac, 1);
    for (unsigned i = 0; i < 3; i++) {
        heads[i] = give_buffer(&f, &gpa[i], 300);
    }
    guest_barrier(f.g);
    host_send(&f, frame, sizeof(frame));
    serve_main();
    g_assert_cmpuint(guest_used_idx(f.g, RX), ==, 0); /* all of it or nothing */
    heads[3] = give_buffer(&f, &gpa[3], 300);
    for (unsigned i = 0; i < 4; i++) {
        Used used = wait_rx(&f);

        g_assert_cmpuint(used.id, ==, heads[i]);
        g_assert_cmpuint(used.len, ==, i < 3 ? 300 : 12 + 1000 - 900);
        memcpy(got + at, guest_ptr(f.g, gpa[i]), used.len);
        at += used.len;
    }
    g_assert_cmpuint(got[10], ==, 4);
    g_assert_cmpmem(got + 12, sizeof(frame), frame, sizeof(frame));
    finish(&f);
}

static void test_too_large(void)
{
    Fixture f = start(&guest_kinds[0], ~(1ull << VIRTIO_NET_F_MRG_RXBUF));
    uint8_t frame[FRAME];
    uint64_t gpa;
    unsigned head = give_buffer(&f, &gpa, 60);

    make_frame(frame, FRAME, our_mac, 1);
    host_send(&f, frame, FRAME);
    host_send(&f, frame, 20);
    g_assert_cmpuint(wait_rx(&f).id, ==, head); /* the buffer was kept for one that fits */
    g_assert_cmpmem((uint8_t *)guest_ptr(f.g, gpa) + 12, 20, frame, 20);
    finish(&f);
}

/* Every packet arrives, in order, whichever side is slower. */
static void test_many(gconstpointer kind)
{
    Fixture f = start(kind, UINT64_MAX);
    enum { ROUNDS = 2000, SIZE = 700 };
    uint8_t frame[SIZE];
    unsigned sent = 0, received = 0, given = 0;
    uint64_t gpas[16];

    while (received < ROUNDS) {
        while (given < received + 1 + received % 16 && given < ROUNDS) {
            if (given < 16) {
                give_buffer(&f, &gpas[given % 16], 1024);
            } else {
                guest_submit(f.g, RX, &(Buf){ gpas[given % 16], 1024, true }, 1);
            }
            given++;
        }
        while (sent < ROUNDS && sent < received + 40) {
            make_frame(frame, SIZE, our_mac, sent);
            host_send(&f, frame, SIZE);
            sent++;
        }
        wait_rx(&f);
        make_frame(frame, SIZE, our_mac, received);
        g_assert_cmpmem((uint8_t *)guest_ptr(f.g, gpas[received % 16]) + f.header, SIZE, frame,
                        SIZE);
        received++;
    }
    finish(&f);
}

/* The host does not read: packets wait in the queue and are sent when it does. */
static void test_transmit_waits(gconstpointer kind)
{
    Fixture f = start(kind, UINT64_MAX);
    enum { SIZE = 60000, PACKETS = 60 };
    uint64_t gpa = guest_alloc(f.g, SIZE + 12, 16);
    g_autofree uint8_t *got = g_malloc(SIZE);
    unsigned done;

    make_frame((uint8_t *)guest_ptr(f.g, gpa) + f.header, SIZE, our_mac, 5);
    for (unsigned i = 0; i < PACKETS; i++) {
        guest_submit(f.g, TX, &(Buf){ gpa, SIZE + f.header, false }, 1);
    }
    guest_barrier(f.g);
    done = guest_used_idx(f.g, TX);
    g_assert_cmpuint(done, <, PACKETS);
    for (unsigned i = 0; i < PACKETS; i++) {
        uint32_t length;
        size_t have = 0;

        while (recv(f.host, &length, 4, MSG_DONTWAIT | MSG_PEEK) != 4) {
            g_main_context_iteration(NULL, FALSE);
        }
        g_assert_cmpint(recv(f.host, &length, 4, 0), ==, 4);
        g_assert_cmpuint(ntohl(length), ==, SIZE);
        while (have < SIZE) {
            ssize_t part = recv(f.host, got + have, SIZE - have, MSG_DONTWAIT);

            have += MAX(part, 0);
            g_main_context_iteration(NULL, FALSE);
        }
        g_assert_cmpmem(got, SIZE, (uint8_t *)guest_ptr(f.g, gpa) + f.header, SIZE);
    }
    for (unsigned i = 0; i < PACKETS; i++) {
        guest_poll(f.g, TX);
    }
    finish(&f);
}

typedef struct {
    Fixture f;
    gint done; /* atomic */
} Race;

/* Where an emulator executes everything a round takes a thousand times as long. */
static unsigned race_rounds(void)
{
    return g_getenv("HUMPY_KVM_ON_TCG") == NULL ? 20000 : 200;
}

/* One buffer at a time, as fast as the ring goes; notifies only when the device asks for it. */
static void *race_driver(void *opaque)
{
    Race *race = opaque;
    Guest *g = race->f.g;
    uint64_t gpa;

    memory_thread_register();
    gpa = guest_alloc(g, 256, 16);
    for (unsigned i = 0, n = race_rounds(); i < n; i++) {
        guest_publish(g, RX, guest_chain(g, RX, &(Buf){ gpa, 256, true }, 1));
        if (g->event_idx ? guest_avail_event(g, RX) == (uint16_t)(g->queues[RX].avail_idx - 1)
                         : (guest_used_flags(g, RX) & 1) == 0) {
            guest_notify(g, RX);
        }
        guest_poll(g, RX);
    }
    g_atomic_int_set(&race->done, 1);
    g_main_context_wakeup(NULL);
    memory_thread_unregister();
    return NULL;
}

/* A buffer that the driver adds while the device finds the queue empty is noticed. */
static void test_race(gconstpointer kind)
{
    Race race = { start(kind, UINT64_MAX), 0 };
    uint8_t packets[64 * 20] = { 0 };
    GThread *driver;

    for (unsigned i = 0; i < 64; i++) {
        packets[20 * i + 3] = 16;
    }
    driver = g_thread_new("driver", race_driver, &race);
    while (!g_atomic_int_get(&race.done)) {
        /* In whole packets: what does not go now goes later. */
        ssize_t sent = send(race.f.host, packets, sizeof(packets), MSG_DONTWAIT);

        g_assert_true(sent < 0 || sent % 20 == 0);
        g_main_context_iteration(NULL, sent < 0);
    }
    g_thread_join(driver);
    finish(&race.f);
}

static void test_stopped(void)
{
    Fixture f = start(&guest_kinds[0], UINT64_MAX);
    uint8_t frame[FRAME];
    uint64_t gpa;

    give_buffer(&f, &gpa, 1526);
    net_set_running(false);
    make_frame(frame, FRAME, our_mac, 1);
    host_send(&f, frame, FRAME);
    serve_main();
    g_assert_cmpuint(guest_used_idx(f.g, RX), ==, 0);
    net_set_running(true);
    wait_rx(&f);
    g_assert_cmpmem((uint8_t *)guest_ptr(f.g, gpa) + 12, FRAME, frame, FRAME);
    finish(&f);
}

/* What comes before the driver is there is not lost. */
static void test_before_driver(void)
{
    Fixture f = start(&guest_kinds[0], UINT64_MAX);
    uint8_t frame[FRAME];
    uint64_t gpa;

    guest_wr(f.g, R_STATUS, 0);
    make_frame(frame, FRAME, our_mac, 1);
    host_send(&f, frame, FRAME);
    serve_main();
    guest_start(f.g, UINT64_MAX);
    give_buffer(&f, &gpa, 1526);
    wait_rx(&f);
    g_assert_cmpmem((uint8_t *)guest_ptr(f.g, gpa) + 12, FRAME, frame, FRAME);
    finish(&f);
}

/* ---- configuration ---- */

static uint8_t config_byte(Guest *g, unsigned at)
{
    uint64_t value;

    g_assert_cmpuint(address_space_ld(g->as, MMIO_BASE + R_CONFIG + at, 1, &value), ==, MEMTX_OK);
    return value;
}

static void test_mac(void)
{
    Fixture f = start(&guest_kinds[0], UINT64_MAX);
    g_autoptr(GError) error = NULL;

    for (unsigned i = 0; i < 6; i++) {
        g_assert_cmphex(config_byte(f.g, i), ==, our_mac[i]);
    }
    finish(&f);
    f = start_with(&guest_kinds[0], UINT64_MAX, "mac=02:00:00:00:00:07");
    g_assert_cmphex(config_byte(f.g, 5), ==, 7);
    finish(&f);
    f.g = guest_new(&guest_kinds[0]);
    g_assert_false(guest_plug(f.g, "virtio-net-device",
                              (const char *[]){ "mac=02:00:00:00:00:0", NULL }, &error));
    g_assert_cmpstr(error->message, ==,
                    "mac is '02:00:00:00:00:0' but must be like 52:54:00:12:34:56");
    guest_free(f.g);
    net_cleanup();
}

static void test_default_macs_differ(void)
{
    uint8_t mac[6] = { 0 };
    Fixture f = start(&guest_kinds[0], UINT64_MAX);

    net_default_mac(mac);
    g_assert_cmphex(mac[5], ==, 0x57);
    finish(&f);
    memset(mac, 0, 6);
    net_default_mac(mac);
    g_assert_cmphex(mac[5], ==, 0x56);
}

static void test_link(void)
{
    Fixture f = start(&guest_kinds[0], UINT64_MAX);
    uint8_t frame[FRAME];
    uint64_t gpa;

    g_assert_cmphex(config_byte(f.g, 6), ==, VIRTIO_NET_S_LINK_UP);
    g_assert_true(net_set_link("n0", false, NULL));
    guest_wait_isr(f.g, ISR_CONFIG);
    g_assert_cmphex(config_byte(f.g, 6), ==, 0);
    give_buffer(&f, &gpa, 1526);
    make_frame(frame, FRAME, our_mac, 1);
    host_send(&f, frame, FRAME);
    serve_main();
    g_assert_true(net_set_link("n0", true, NULL));
    g_assert_cmphex(config_byte(f.g, 6), ==, VIRTIO_NET_S_LINK_UP);
    g_assert_cmpuint(guest_used_idx(f.g, RX), ==, 0); /* lost */
    host_send(&f, frame, FRAME);
    wait_rx(&f);
    g_assert_true(net_backend_del("n0", NULL));
    g_assert_cmphex(config_byte(f.g, 6), ==, 0);
    guest_submit(f.g, TX, &(Buf){ gpa, 100, false }, 1);
    guest_wait(f.g, TX); /* into the void */
    finish(&f);
}

/* ---- control queue ---- */

static uint8_t control(Fixture *f, uint8_t class, uint8_t cmd, const void *data, uint32_t len)
{
    uint64_t gpa = guest_alloc(f->g, len + 16, 16);
    uint8_t *p = guest_ptr(f->g, gpa);
    Buf bufs[] = { { gpa, 2, false }, { gpa + 8, len, false }, { gpa + 4, 1, true } };

    p[0] = class;
    p[1] = cmd;
    p[4] = 0xff;
    if (len == 0) {
        bufs[1] = bufs[2];
    } else {
        memcpy(p + 8, data, len);
    }
    guest_submit(f->g, CTRL, bufs, len == 0 ? 2 : 3);
    g_assert_cmpuint(guest_wait(f->g, CTRL).len, ==, 1);
    return p[4];
}

/* TRUE if a frame to that address reaches the driver: a second one, which always does, ends the
 * wait. */
static bool passes(Fixture *f, const uint8_t *to, unsigned vlan)
{
    uint8_t frame[FRAME];
    uint64_t gpa[2];
    bool passed;

    give_buffer(f, &gpa[0], 1526);
    give_buffer(f, &gpa[1], 1526);
    make_frame(frame, FRAME, to, 1);
    if (vlan != 0) {
        frame[12] = 0x81;
        frame[14] = vlan >> 8;
        frame[15] = vlan;
    }
    host_send(f, frame, FRAME);
    make_frame(frame, FRAME, our_mac, 2);
    host_send(f, frame, FRAME);
    wait_rx(f);
    passed = memcmp((uint8_t *)guest_ptr(f->g, gpa[0]) + 12 + 16, frame + 16, 20) != 0;
    if (!passed) {
        host_send(f, frame, FRAME);
    }
    wait_rx(f);
    return passed;
}

static void test_filter(void)
{
    static const uint8_t other[6] = { 2, 0, 0, 0, 0, 1 }, multi[6] = { 1, 0, 0x5e, 0, 0, 1 },
                         broadcast[6] = { 255, 255, 255, 255, 255, 255 };
    Fixture f = start(&guest_kinds[0], UINT64_MAX);
    uint8_t on = 1, off = 0, table[20] = { 1 }, vlan[2] = { 0x34, 0x01 };

    g_assert_true(passes(&f, other, 0)); /* promiscuous after reset */
    g_assert_cmpuint(control(&f, 0, VIRTIO_NET_CTRL_RX_PROMISC, &off, 1), ==, VIRTIO_NET_OK);
    g_assert_false(passes(&f, other, 0));
    g_assert_false(passes(&f, multi, 0));
    g_assert_true(passes(&f, broadcast, 0));
    memcpy(table + 4, other, 6);
    table[10] = 1;
    memcpy(table + 14, multi, 6);
    g_assert_cmpuint(control(&f, 1, VIRTIO_NET_CTRL_MAC_TABLE_SET, table, 20), ==, VIRTIO_NET_OK);
    g_assert_true(passes(&f, other, 0));
    g_assert_true(passes(&f, multi, 0));
    g_assert_cmpuint(control(&f, 0, VIRTIO_NET_CTRL_RX_NOBCAST, &on, 1), ==, VIRTIO_NET_OK);
    g_assert_false(passes(&f, broadcast, 0));
    g_assert_cmpuint(control(&f, 0, VIRTIO_NET_CTRL_RX_NOMULTI, &on, 1), ==, VIRTIO_NET_OK);
    g_assert_false(passes(&f, multi, 0));
    g_assert_false(passes(&f, our_mac, 0x134));
    g_assert_cmpuint(control(&f, 2, VIRTIO_NET_CTRL_VLAN_ADD, vlan, 2), ==, VIRTIO_NET_OK);
    g_assert_true(passes(&f, our_mac, 0x134));
    g_assert_cmpuint(control(&f, 2, VIRTIO_NET_CTRL_VLAN_DEL, vlan, 2), ==, VIRTIO_NET_OK);
    g_assert_false(passes(&f, our_mac, 0x134));
    finish(&f);
}

static void test_set_mac(void)
{
    static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 9 };
    Fixture f = start(&guest_kinds[0], UINT64_MAX);

    g_assert_cmpuint(control(&f, 1, VIRTIO_NET_CTRL_MAC_ADDR_SET, mac, 6), ==, VIRTIO_NET_OK);
    g_assert_cmphex(config_byte(f.g, 5), ==, 9);
    guest_wr(f.g, R_STATUS, 0);
    g_assert_cmphex(config_byte(f.g, 5), ==, 0x56);
    finish(&f);
}

static void test_bad_commands(void)
{
    Fixture f = start(&guest_kinds[0], UINT64_MAX);
    uint8_t data[400] = { 0 };

    g_assert_cmpuint(control(&f, 0, 6, data, 1), ==, VIRTIO_NET_ERR);
    g_assert_cmpuint(control(&f, 0, 0, data, 2), ==, VIRTIO_NET_ERR);
    g_assert_cmpuint(control(&f, 0, 0, data, 0), ==, VIRTIO_NET_ERR);
    g_assert_cmpuint(control(&f, 99, 0, data, 1), ==, VIRTIO_NET_ERR);
    memset(data, 0xff, 8);
    g_assert_cmpuint(control(&f, 1, VIRTIO_NET_CTRL_MAC_TABLE_SET, data, 400), ==, VIRTIO_NET_ERR);
    g_assert_cmpuint(control(&f, 2, VIRTIO_NET_CTRL_VLAN_ADD, data, 2), ==, VIRTIO_NET_ERR);
    g_assert_cmpuint(control(&f, 4, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, data, 2), ==, VIRTIO_NET_ERR);
    g_assert_cmpuint(control(&f, 5, VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET, data, 8), ==,
                     VIRTIO_NET_ERR);
    finish(&f);
}

static void test_table_overflow(void)
{
    static const uint8_t other[6] = { 2, 0, 0, 0, 0, 1 };
    Fixture f = start(&guest_kinds[0], UINT64_MAX);
    uint8_t off = 0, table[4 + 65 * 6 + 4] = { 65 };

    control(&f, 0, VIRTIO_NET_CTRL_RX_PROMISC, &off, 1);
    g_assert_cmpuint(control(&f, 1, VIRTIO_NET_CTRL_MAC_TABLE_SET, table, sizeof(table)), ==,
                     VIRTIO_NET_OK);
    g_assert_true(passes(&f, other, 0));
    finish(&f);
}

static void test_query_filter(void)
{
    Fixture f = start(&guest_kinds[0], UINT64_MAX);
    g_autoptr(JsonArray) all = net_rx_filters(NULL, NULL);
    JsonObject *info;

    g_assert_cmpuint(json_array_get_length(all), ==, 1);
    info = json_array_get_object_element(all, 0);
    g_assert_true(json_object_get_boolean_member(info, "promiscuous"));
    g_assert_cmpstr(json_object_get_string_member(info, "vlan"), ==, "none");
    g_assert_cmpstr(json_object_get_string_member(info, "unicast"), ==, "normal");
    g_assert_cmpstr(json_object_get_string_member(info, "main-mac"), ==, "52:54:00:12:34:56");
    finish(&f);
}

/* ---- announcements ---- */

static void test_announce(void)
{
    Fixture f = start(&guest_kinds[0], UINT64_MAX);
    NetAnnounce params = { .initial = 1, .max = 1, .rounds = 1 };
    uint8_t frame[64];

    net_announce(&params);
    g_assert_cmpuint(host_receive(&f, frame, sizeof(frame)), ==, 60);
    g_assert_cmphex(frame[0], ==, 0xff);
    g_assert_cmpmem(frame + 6, 6, our_mac, 6);
    g_assert_cmphex(frame[12] << 8 | frame[13], ==, 0x8035);
    guest_wait_isr(f.g, ISR_CONFIG);
    g_assert_cmphex(config_byte(f.g, 6), ==, VIRTIO_NET_S_LINK_UP | VIRTIO_NET_S_ANNOUNCE);
    g_assert_cmpuint(control(&f, 3, VIRTIO_NET_CTRL_ANNOUNCE_ACK, NULL, 0), ==, VIRTIO_NET_OK);
    g_assert_cmphex(config_byte(f.g, 6), ==, VIRTIO_NET_S_LINK_UP);
    finish(&f);
}

/* ---- what a driver must not do ---- */

static void check_broken(Fixture *f)
{
    guest_wait_isr(f->g, ISR_CONFIG);
    g_assert_true(guest_rd(f->g, R_STATUS) & S_NEEDS_RESET);
    finish(f);
}

static void test_short_header(void)
{
    Fixture f = start(&guest_kinds[0], UINT64_MAX);
    uint64_t gpa = guest_alloc(f.g, 16, 16);

    guest_submit(f.g, TX, &(Buf){ gpa, 11, false }, 1);
    check_broken(&f);
}

static void test_short_receive_buffer(void)
{
    Fixture f = start(&guest_kinds[0], UINT64_MAX);
    uint8_t frame[FRAME] = { 0 };
    uint64_t gpa;

    give_buffer(&f, &gpa, 11);
    guest_barrier(f.g);
    host_send(&f, frame, FRAME);
    serve_main();
    check_broken(&f);
}

static void test_endless_packet(void)
{
    Fixture f = start(&guest_kinds[0], UINT64_MAX);
    uint8_t got[FRAME];
    Buf bufs[64];

    for (unsigned i = 0; i < 64; i++) {
        bufs[i] = (Buf){ RAM_BASE, 1 << 20, false };
    }
    guest_submit(f.g, TX, bufs, 64);
    guest_wait(f.g, TX); /* dropped */
    guest_submit(f.g, TX, &(Buf){ RAM_BASE, 12, false }, 1);
    guest_wait(f.g, TX); /* nothing behind the header */
    guest_submit(f.g, TX, &(Buf){ RAM_BASE, 12 + FRAME, false }, 1);
    guest_wait(f.g, TX);
    g_assert_cmpuint(host_receive(&f, got, sizeof(got)), ==, FRAME);
    finish(&f);
}

/* A peer that says a packet is longer than any can be. */
static void test_bad_length(void)
{
    Fixture f = start(&guest_kinds[0], UINT64_MAX);
    uint8_t byte;

    g_assert_cmpint(send(f.host, "\xff\xff\xff\xff", 4, 0), ==, 4);
    while (recv(f.host, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN) {
        g_main_context_iteration(NULL, FALSE);
    }
    finish(&f);
}

static void test_unplug_busy(gconstpointer kind)
{
    Fixture f = start(kind, UINT64_MAX);
    uint64_t gpa = guest_alloc(f.g, 60012, 16);
    uint8_t frame[FRAME] = { 0 };

    for (unsigned i = 0; i < 60; i++) {
        guest_submit(f.g, TX, &(Buf){ gpa, 60012, false }, 1);
    }
    host_send(&f, frame, FRAME);
    serve_main();
    guest_unplug(f.g);
    serve_main();
    finish(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    guest_add_test("/virtio-net", "receives", test_receive);
    guest_add_test("/virtio-net", "transmits", test_transmit);
    guest_add_test("/virtio-net", "mergeable-packet-is-seen-as-a-whole", test_mergeable);
    guest_add_test("/virtio-net", "all-packets-in-order", test_many);
    guest_add_test("/virtio-net", "no-buffer-is-overlooked", test_race);
    guest_add_test("/virtio-net", "transmit-waits-for-the-host", test_transmit_waits);
    guest_add_test("/virtio-net", "unplug-with-packets-in-flight", test_unplug_busy);
    g_test_add_func("/virtio-net/too-large-for-the-buffer-is-dropped", test_too_large);
    g_test_add_func("/virtio-net/stopped-machine-gets-it-later", test_stopped);
    g_test_add_func("/virtio-net/packet-waits-for-the-driver", test_before_driver);
    g_test_add_func("/virtio-net/mac", test_mac);
    g_test_add_func("/virtio-net/default-macs-differ", test_default_macs_differ);
    g_test_add_func("/virtio-net/link-state", test_link);
    g_test_add_func("/virtio-net/ctrl/filter", test_filter);
    g_test_add_func("/virtio-net/ctrl/mac-until-reset", test_set_mac);
    g_test_add_func("/virtio-net/ctrl/bad-commands-get-an-error", test_bad_commands);
    g_test_add_func("/virtio-net/ctrl/table-overflow-receives-all", test_table_overflow);
    g_test_add_func("/virtio-net/query-rx-filter", test_query_filter);
    g_test_add_func("/virtio-net/announce", test_announce);
    g_test_add_func("/virtio-net/hostile/short-header-needs-reset", test_short_header);
    g_test_add_func("/virtio-net/hostile/short-receive-buffer-needs-reset",
                    test_short_receive_buffer);
    g_test_add_func("/virtio-net/hostile/endless-packet-is-dropped", test_endless_packet);
    g_test_add_func("/virtio-net/hostile/length-on-the-wire-ends-the-connection", test_bad_length);
    return g_test_run();
}
