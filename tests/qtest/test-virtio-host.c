/* SPDX-License-Identifier: GPL-2.0-or-later
 * What virtio devices make of their host's side: input events, a balloon's size, connections
 * through a socket, a picture in a screendump, and the virtual clock. Their registers, rings and
 * resets are test-virtio.c's.
 */
#include <gio/gio.h>
#include <gio/gunixsocketaddress.h>
#include <glib/gstdio.h>
#include <string.h>

#include "virtio.h"

static QTest *start(VirtioDev *dev, const char *device)
{
    QTest *q = qtest_startf("-machine %s -nodefaults -device %s,addr=04.0,id=dut",
                            qtest_board()->machine, device);

    virtio_find(dev, q, VIRTIO_PCI_MODERN);
    virtio_start(dev);
    return q;
}

/* Section 5.8.6: type, code and value; each report ends with SYN. */
static void key_arrives(void)
{
    enum { KEY_A = 30, EV_SYN = 0, EV_KEY = 1, EVENT_SIZE = 8 };
    static const uint32_t expected[][3] = {
        { EV_KEY, KEY_A, 1 }, { EV_SYN, 0, 0 }, { EV_KEY, KEY_A, 0 }, { EV_SYN, 0, 0 }
    };
    VirtioDev dev;
    g_autoptr(QTest) q = start(&dev, "virtio-keyboard-pci");
    uint64_t in[G_N_ELEMENTS(expected)];

    for (unsigned i = 0; i < G_N_ELEMENTS(in); i++) {
        in[i] = virtio_alloc(&dev, EVENT_SIZE);
        virtq_write_desc(&dev, 0, i, in[i], EVENT_SIZE, VIRTQ_WRITE, 0);
        virtq_offer(&dev, 0, i);
    }
    for (unsigned down = 2; down-- > 0;) {
        qtest_qmp_ok(q,
                     "{'execute': 'input-send-event', 'arguments': {'events': [{'type': 'key', "
                     "'data': {'down': %s, 'key': {'type': 'qcode', 'data': 'a'}}}]}}",
                     down ? "true" : "false");
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(in); i++) {
        g_assert_cmpuint(virtq_wait(&dev, 0), ==, EVENT_SIZE);
        g_assert_cmpuint(qtest_read_value(q, in[i], 2), ==, expected[i][0]);
        g_assert_cmpuint(qtest_read_value(q, in[i] + 2, 2), ==, expected[i][1]);
        g_assert_cmpuint(qtest_readl(q, in[i] + 4), ==, expected[i][2]);
    }
}

/* Section 5.5.4: num_pages is what the host wants, actual what the guest has given. */
static void balloon_size(void)
{
    enum { MIB = 1 << 20, PAGE = 4096, WANTED = 100 };
    VirtioDev dev;
    g_autoptr(QTest) q = start(&dev, "virtio-balloon-pci");
    g_autoptr(JsonObject) event = NULL;
    int64_t ram;

    {
        g_autoptr(JsonObject) reply = qtest_qmp(q, "{'execute': 'query-memory-size-summary'}");

        ram = json_object_get_int_member(json_object_get_object_member(reply, "return"),
                                         "base-memory");
    }
    qtest_qmp_ok(q, "{'execute': 'balloon', 'arguments': {'value': %" G_GINT64_FORMAT "}}",
                 ram - (int64_t)WANTED * MIB);
    g_assert_cmpuint(virtio_config(&dev, 0, 4), ==, WANTED * (MIB / PAGE));
    qtest_writel(q, dev.config + 4, WANTED * (MIB / PAGE));
    event = qtest_event(q, "BALLOON_CHANGE");
    g_assert_cmpint(json_object_get_int_member(event, "actual"), ==, ram - (int64_t)WANTED * MIB);
}

/* CONNECT on the host's socket is a request (op 1) to the guest from CID 2; a guest that refuses it
 * (op 3) ends the connection. */
static void host_connects(void)
{
    enum { SIZE = 44, OP_REQUEST = 1, OP_RST = 3, PORT = 1234 };
    g_autofree char *dir = g_dir_make_tmp("humpy-vsock-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "vm", NULL);
    g_autofree char *device = g_strdup_printf("virtio-vsock-pci,guest-cid=3,path=%s", path);
    VirtioDev dev;
    g_autoptr(QTest) q = start(&dev, device);
    g_autoptr(GSocketClient) client = g_socket_client_new();
    g_autoptr(GSocketAddress) address = g_unix_socket_address_new(path);
    g_autoptr(GSocketConnection) peer = NULL;
    uint64_t in = virtio_alloc(&dev, 4096), out = virtio_alloc(&dev, SIZE);
    uint8_t request[SIZE], answer[SIZE];
    char byte;

    virtq_submit(&dev, 0, 0, 0, in, 4096);
    peer = g_socket_client_connect(client, G_SOCKET_CONNECTABLE(address), NULL, NULL);
    g_assert_nonnull(peer);
    g_assert_true(g_output_stream_write_all(g_io_stream_get_output_stream(G_IO_STREAM(peer)),
                                            "CONNECT 1234\n", 13, NULL, NULL, NULL));
    g_assert_cmpuint(virtq_wait(&dev, 0), ==, SIZE);
    qtest_read_bytes(q, in, request, SIZE);
    g_assert_cmpuint(request[0], ==, 2); /* from the host */
    g_assert_cmpuint(request[8], ==, 3); /* to the guest */
    g_assert_cmpuint(request[20] | request[21] << 8, ==, PORT);
    g_assert_cmpuint(request[30], ==, OP_REQUEST);
    memcpy(answer, request, SIZE);
    memcpy(answer, request + 8, 8); /* CIDs and ports the other way round */
    memcpy(answer + 8, request, 8);
    memcpy(answer + 16, request + 20, 4);
    memcpy(answer + 20, request + 16, 4);
    answer[30] = OP_RST;
    qtest_write_bytes(q, out, answer, SIZE);
    virtq_submit(&dev, 1, out, SIZE, 0, 0);
    virtq_wait(&dev, 1);
    g_assert_cmpint(
        g_input_stream_read(g_io_stream_get_input_stream(G_IO_STREAM(peer)), &byte, 1, NULL, NULL),
        <=, 0);
    g_clear_pointer(&q, qtest_end);
    g_unlink(path);
    g_rmdir(dir);
}

/* One command of the GPU's control queue, which must succeed without data (0x1100). */
static void gpu(VirtioDev *dev, const uint32_t *command, unsigned n_words)
{
    uint64_t out = virtio_alloc(dev, n_words * 4), in = virtio_alloc(dev, 24);

    for (unsigned i = 0; i < n_words; i++) {
        qtest_writel(dev->q, out + i * 4, command[i]);
    }
    virtq_submit(dev, 0, out, n_words * 4, in, 24);
    virtq_wait(dev, 0);
    g_assert_cmphex(qtest_readl(dev->q, in), ==, 0x1100);
}
#define GPU(dev, type, ...)                                                                        \
    gpu(dev, (uint32_t[]){ type, 0, 0, 0, 0, 0, __VA_ARGS__ },                                     \
        G_N_ELEMENTS(((uint32_t[]){ type, 0, 0, 0, 0, 0, __VA_ARGS__ })))

/* Section 5.7.6: a resource of 16 by 16 pixels in B8G8R8X8, shown as the first output. */
static void picture_in_screendump(void)
{
    enum { SIDE = 16, BYTES = SIDE * SIDE * 4, ID = 1, FORMAT = 2 };
    static const char header[] = "P6\n16 16\n255\n";
    VirtioDev dev;
    g_autoptr(QTest) q = start(&dev, "virtio-gpu-pci");
    g_autofree char *path = g_build_filename(qtest_dir(q), "dump.ppm", NULL);
    uint64_t pixels = virtio_alloc(&dev, BYTES);
    g_autofree char *dump = NULL;
    gsize len;

    for (unsigned i = 0; i < SIDE * SIDE; i++) {
        qtest_writel(q, pixels + i * 4, 0x00102030 + i);
    }
    GPU(&dev, 0x101, ID, FORMAT, SIDE, SIDE);
    GPU(&dev, 0x106, ID, 1, (uint32_t)pixels, (uint32_t)(pixels >> 32), BYTES, 0);
    GPU(&dev, 0x103, 0, 0, SIDE, SIDE, 0, ID);
    GPU(&dev, 0x105, 0, 0, SIDE, SIDE, 0, 0, ID, 0);
    GPU(&dev, 0x104, 0, 0, SIDE, SIDE, ID, 0);
    qtest_qmp_ok(q, "{'execute': 'screendump', 'arguments': {'filename': '%s'}}", path);
    g_assert_true(g_file_get_contents(path, &dump, &len, NULL));
    g_unlink(path);
    g_assert_cmpuint(len, ==, strlen(header) + SIDE * SIDE * 3);
    g_assert_cmpmem(dump, strlen(header), header, strlen(header));
    for (unsigned i = 0; i < SIDE * SIDE; i++) {
        const uint8_t *rgb = (const uint8_t *)dump + strlen(header) + i * 3;

        g_assert_cmphex(rgb[0] << 16 | rgb[1] << 8 | rgb[2], ==, 0x102030 + i);
    }
}

/* max-bytes= are there again when period= has passed on the virtual clock, not before. */
static void entropy_by_the_clock(void)
{
    enum { BYTES = 16, PERIOD = 1000 * 1000000 };
    VirtioDev dev;
    g_autoptr(QTest) q = start(&dev, "virtio-rng-pci,max-bytes=16,period=1000");
    uint64_t in = virtio_alloc(&dev, BYTES);

    for (unsigned i = 0; i < 2; i++) {
        virtq_submit(&dev, 0, 0, 0, in, BYTES);
    }
    g_assert_cmpuint(virtq_wait(&dev, 0), ==, BYTES);
    qtest_clock_step(q, PERIOD - 1);
    g_assert_false(virtq_is_used(&dev, 0));
    qtest_clock_step(q, 1);
    g_assert_cmpuint(virtq_wait(&dev, 0), ==, BYTES);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/qtest/virtio-host/input/key-arrives", key_arrives);
    g_test_add_func("/qtest/virtio-host/balloon/size-and-event", balloon_size);
    g_test_add_func("/qtest/virtio-host/vsock/host-connects", host_connects);
    g_test_add_func("/qtest/virtio-host/gpu/picture-in-screendump", picture_in_screendump);
    g_test_add_func("/qtest/virtio-host/rng/period-is-virtual", entropy_by_the_clock);
    return g_test_run();
}
