/* SPDX-License-Identifier: GPL-2.0-or-later
 * The network card with the test as driver and as the other end of a stream: packets both ways, the
 * machine stopped and reset, the back end gone while packets are on their way.
 */
#include <arpa/inet.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "virtio.h"

enum {
    MMIO = 0x0a003e00, /* the last slot, where the first device goes */
    RAM = 0x40000000,
    QUEUE_SIZE = 256,
    HEADER = 10, /* nothing is negotiated */
    FRAME = 64,
};

typedef struct {
    QTest *q;
    char *dir, *path;
    int listener, peer;
} Wire;

static Wire start(const char *options)
{
    Wire w = { .dir = g_dir_make_tmp("humpy-net-XXXXXX", NULL) };
    struct sockaddr_un sun = { .sun_family = AF_UNIX };

    w.path = g_build_filename(w.dir, "wire", NULL);
    g_strlcpy(sun.sun_path, w.path, sizeof(sun.sun_path));
    w.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_assert_cmpint(bind(w.listener, (struct sockaddr *)&sun, sizeof(sun)), ==, 0);
    g_assert_cmpint(listen(w.listener, 1), ==, 0);
    w.q = qtest_startf("-machine virt -netdev stream,id=n0,addr.type=unix,addr.path=%s %s", w.path,
                       options);
    w.peer = accept4(w.listener, NULL, NULL, SOCK_CLOEXEC);
    g_assert_cmpint(w.peer, >=, 0);
    return w;
}

static void finish(Wire *w)
{
    qtest_end(w->q);
    close(w->peer);
    close(w->listener);
    g_unlink(w->path);
    g_rmdir(w->dir);
    g_free(w->path);
    g_free(w->dir);
}

/* ---- the driver: legacy registers, rings of queue n at RAM + n * 64 KiB ---- */

static uint64_t ring(unsigned n)
{
    return RAM + n * 0x10000;
}

static void drive(Wire *w)
{
    g_assert_cmphex(qtest_readl(w->q, MMIO), ==, 0x74726976);
    g_assert_cmphex(qtest_readl(w->q, MMIO + 8), ==, 1);
    qtest_writel(w->q, MMIO + 0x70, 0);
    qtest_writel(w->q, MMIO + 0x28, 4096);
    qtest_writel(w->q, MMIO + 0x70, 3);
    qtest_writel(w->q, MMIO + 0x20, 0);
    for (unsigned n = 0; n < 2; n++) {
        qtest_writel(w->q, MMIO + 0x30, n);
        qtest_writel(w->q, MMIO + 0x38, QUEUE_SIZE);
        qtest_writel(w->q, MMIO + 0x3c, 4096);
        g_free(qtest_ok(w->q, "memset 0x%" G_GINT64_MODIFIER "x 0x8000 0", ring(n)));
        qtest_writel(w->q, MMIO + 0x40, ring(n) / 4096);
    }
    qtest_writel(w->q, MMIO + 0x70, 7);
}

/* The i-th request of queue n: one buffer. */
static void submit(Wire *w, unsigned n, unsigned i, uint64_t gpa, uint32_t len, bool write)
{
    uint64_t desc = ring(n) + 16 * i, avail = ring(n) + 16 * QUEUE_SIZE;

    qtest_write_value(w->q, desc, 8, gpa);
    qtest_writel(w->q, desc + 8, len);
    qtest_writel(w->q, desc + 12, write ? 2 : 0);
    qtest_write_value(w->q, avail + 4 + 2 * i, 2, i);
    qtest_write_value(w->q, avail + 2, 2, i + 1);
    qtest_writel(w->q, MMIO + 0x50, n);
}

static unsigned used(Wire *w, unsigned n)
{
    return qtest_read_value(w->q, ring(n) + 16 * QUEUE_SIZE + 4096 + 2, 2);
}

static void wait_used(Wire *w, unsigned n, unsigned count)
{
    while (used(w, n) < count) {
    }
    g_assert_cmpuint(used(w, n), ==, count);
}

static void peer_send(Wire *w, uint8_t value)
{
    uint8_t packet[4 + FRAME] = { 0, 0, 0, FRAME };

    memset(packet + 4, value, FRAME);
    g_assert_cmpint(send(w->peer, packet, sizeof(packet), 0), ==, sizeof(packet));
}

static void check_received(Wire *w, uint64_t gpa, uint8_t value)
{
    uint8_t got[HEADER + FRAME], expected[HEADER + FRAME] = { 0 };

    memset(expected + HEADER, value, FRAME);
    qtest_read_bytes(w->q, gpa, got, sizeof(got));
    g_assert_cmpmem(got, sizeof(got), expected, sizeof(expected));
}

/* ---- tests ---- */

#define CARD "-device virtio-net-device,netdev=n0,id=card"

static void both_ways(void)
{
    Wire w = start(CARD);
    uint8_t packet[HEADER + FRAME] = { 0 }, got[4 + FRAME];

    drive(&w);
    for (unsigned i = 0; i < 3; i++) {
        submit(&w, 0, i, RAM + 0x100000, 2048, true);
        peer_send(&w, 0x40 + i);
        wait_used(&w, 0, i + 1);
        check_received(&w, RAM + 0x100000, 0x40 + i);
        memset(packet + HEADER, 0x50 + i, FRAME);
        qtest_write_bytes(w.q, RAM + 0x110000, packet, sizeof(packet));
        submit(&w, 1, i, RAM + 0x110000, sizeof(packet), false);
        wait_used(&w, 1, i + 1);
        g_assert_cmpint(recv(w.peer, got, sizeof(got), MSG_WAITALL), ==, sizeof(got));
        g_assert_cmphex(got[3], ==, FRAME);
        g_assert_cmpmem(got + 4, FRAME, packet + HEADER, FRAME);
    }
    g_assert_cmphex(qtest_readl(w.q, MMIO + 0x60), ==, 1);
    finish(&w);
}

/* What comes while the machine is stopped arrives when it runs again. */
static void stop_cont(void)
{
    Wire w = start(CARD);

    drive(&w);
    submit(&w, 0, 0, RAM + 0x100000, 2048, true);
    qtest_qmp_ok(w.q, "{'execute': 'stop'}");
    peer_send(&w, 0x77);
    qtest_qmp_ok(w.q, "{'execute': 'query-status'}");
    g_assert_cmpuint(used(&w, 0), ==, 0);
    qtest_qmp_ok(w.q, "{'execute': 'cont'}");
    wait_used(&w, 0, 1);
    check_received(&w, RAM + 0x100000, 0x77);
    finish(&w);
}

/* A reset with packets waiting on both sides; afterwards the card works as at first. */
static void reset_busy(void)
{
    Wire w = start(CARD);
    uint8_t got[4 + FRAME];

    drive(&w);
    for (unsigned i = 0; i < 8; i++) {
        peer_send(&w, i); /* no buffers */
        submit(&w, 1, i, RAM + 0x110000, HEADER + FRAME, false);
    }
    qtest_qmp_ok(w.q, "{'execute': 'system_reset'}");
    json_object_unref(qtest_event(w.q, "RESET"));
    g_assert_cmphex(qtest_readl(w.q, MMIO + 0x70), ==, 0);
    while (recv(w.peer, got, sizeof(got), MSG_DONTWAIT) > 0) {
    }
    drive(&w);
    for (unsigned i = 0; i < 8; i++) {
        submit(&w, 0, i, RAM + 0x100000 + 2048 * i, 2048, true);
    }
    wait_used(&w, 0, 8); /* none was lost */
    for (unsigned i = 0; i < 8; i++) {
        check_received(&w, RAM + 0x100000 + 2048 * i, i);
    }
    finish(&w);
}

/* The back end goes while the card uses it; another takes nobody's place. */
static void netdev_gone(void)
{
    Wire w = start(CARD);
    uint8_t byte;

    drive(&w);
    peer_send(&w, 1);
    qtest_qmp_ok(w.q, "{'execute': 'netdev_del', 'arguments': {'id': 'n0'}}");
    g_assert_cmpint(recv(w.peer, &byte, 1, 0), <=, 0); /* closed, or with our packet unread */
    submit(&w, 1, 0, RAM + 0x110000, HEADER + FRAME, false);
    wait_used(&w, 1, 1);
    g_assert_cmphex(qtest_read_value(w.q, MMIO + 0x106, 2), ==, 0); /* link down */
    finish(&w);
}

/* What is inside the card goes first and has no id. */
static void wait_deleted(Wire *w)
{
    bool found;

    do {
        JsonObject *data = qtest_event(w->q, "DEVICE_DELETED");

        found = json_object_has_member(data, "device");
        json_object_unref(data);
    } while (!found);
}

/* In and out of a root port while packets come; the guest has no driver for either. */
static void hot_unplug(void)
{
    Wire w = start("-device pcie-root-port,id=rp0,chassis=1");

    for (unsigned i = 0; i < 3; i++) {
        qtest_qmp_ok(w.q, "{'execute': 'device_add', 'arguments': {'driver': 'virtio-net-pci',"
                          " 'netdev': 'n0', 'id': 'card', 'bus': 'rp0'}}");
        peer_send(&w, i);
        qtest_qmp_ok(w.q, "{'execute': 'set_link', 'arguments': {'name': 'card', 'up': true}}");
        qtest_qmp_ok(w.q, "{'execute': 'device_del', 'arguments': {'id': 'card'}}");
        qtest_qmp_ok(w.q, "{'execute': 'system_reset'}");
        wait_deleted(&w);
    }
    finish(&w);
}

/* Says on the control queue whether everything is to be received (virtio 1.2, section 5.1.6.5.1).
 */
static void set_promiscuous(VirtioDev *dev, bool on)
{
    uint64_t out = virtio_alloc(dev, 4096), in = out + 16;

    qtest_write_value(dev->q, out + 2, 1, on); /* class and command are 0 */
    qtest_write_value(dev->q, in, 1, 0xff);
    virtq_submit(dev, 2, out, 3, in, 1);
    virtq_wait(dev, 2);
    g_assert_cmpuint(qtest_read_value(dev->q, in, 1), ==, 0);
}

static bool is_promiscuous(QTest *q)
{
    g_autoptr(JsonObject) reply =
        qtest_qmp(q, "{'execute': 'query-rx-filter', 'arguments': {'name': 'card'}}");
    JsonArray *filters = json_object_get_array_member(reply, "return");

    g_assert_cmpuint(json_array_get_length(filters), ==, 1);
    return json_object_get_boolean_member(json_array_get_object_element(filters, 0), "promiscuous");
}

/* Management hears that a driver changed what it receives, and can ask for it. */
static void rx_filter(gconstpointer props)
{
    g_autoptr(QTest) q = qtest_startf("-machine virt -nodefaults -netdev hubport,hubid=0,id=n0 "
                                      "-device virtio-net-pci,addr=04.0,netdev=n0,id=card%s",
                                      (const char *)props);
    VirtioDev dev;

    virtio_find(&dev, q, VIRTIO_PCI_MODERN);
    dev.packed = *(const char *)props != '\0';
    virtio_start(&dev);
    g_assert_true(is_promiscuous(q));
    for (unsigned i = 0; i < 4; i++) {
        g_autoptr(JsonObject) data = NULL;

        set_promiscuous(&dev, i % 2 != 0);
        data = qtest_event(q, "NIC_RX_FILTER_CHANGED");
        g_assert_cmpstr(json_object_get_string_member(data, "name"), ==, "card");
        g_assert_cmpint(is_promiscuous(q), ==, i % 2 != 0);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/qtest/virtio-net/both-ways", both_ways);
    g_test_add_func("/qtest/virtio-net/stop-cont", stop_cont);
    g_test_add_func("/qtest/virtio-net/reset-with-packets-in-flight", reset_busy);
    g_test_add_func("/qtest/virtio-net/netdev-del", netdev_gone);
    g_test_add_func("/qtest/virtio-net/hot-unplug", hot_unplug);
    g_test_add_data_func("/qtest/virtio-net/rx-filter", "", rx_filter);
    g_test_add_data_func("/qtest/virtio-net/rx-filter-packed", ",packed=on", rx_filter);
    return g_test_run();
}
