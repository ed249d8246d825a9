/* SPDX-License-Identifier: GPL-2.0-or-later
 * Every virtio device on every transport it has, against the same list of behaviours. The list is
 * the table of docs/device-matrix.json: test-virtio --matrix prints it.
 */
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>

#include "virtio.h"

typedef struct {
    const char *name;           /* NAME-device and NAME-pci */
    uint16_t id;                /* virtio 1.2, section 5 */
    const char *backend;        /* options before -device */
    const char *props;          /* of the device, with a comma in front */
    bool legacy_pci;            /* has a transitional function */
    void (*io)(VirtioDev *dev); /* a whole data path; may run again after a reset */
    /* Many requests of all kinds of queues, without waiting for one. */
    void (*busy)(VirtioDev *dev);
    unsigned hostile_queue; /* one that the device looks at when it is notified */
} DeviceRow;

typedef struct {
    const char *name, *summary;
    void (*test)(const DeviceRow *row, VirtioTransport transport);
    bool modern_only, packed, hot_plug;
} BehaviourRow;

/* Puts many requests into queue n of a device that was just started: out_len bytes to read, the
 * same for all, and in_len bytes to write for each. */
static void many(VirtioDev *dev, unsigned n, uint64_t out, uint32_t out_len, uint32_t in_len)
{
    unsigned requests = MIN(16, dev->queues[n].size / 2);
    uint64_t in = in_len > 0 ? virtio_alloc(dev, requests * 4096) : 0;

    for (unsigned i = 0; i < requests; i++) {
        unsigned first = 2 * i;

        if (dev->packed) {
            virtq_submit(dev, n, out, out_len, in + i * 4096, in_len);
            continue;
        }
        if (out_len > 0) {
            virtq_write_desc(dev, n, first, out, out_len, in_len > 0 ? VIRTQ_NEXT : 0, first + 1);
        }
        if (in_len > 0) {
            virtq_write_desc(dev, n, out_len > 0 ? first + 1 : first, in + i * 4096, in_len,
                             VIRTQ_WRITE, 0);
        }
        virtq_offer(dev, n, first);
    }
}

/* ---- data paths ---- */

/* Reads sector 0 of a disk of zeros (section 5.2.6). */
static void blk_io(VirtioDev *dev)
{
    uint64_t out = virtio_alloc(dev, 16), in = virtio_alloc(dev, 513);

    qtest_write_value(dev->q, in + 512, 1, 0xff);
    virtq_submit(dev, 0, out, 16, in, 513);
    g_assert_cmpuint(virtq_wait(dev, 0), ==, 513);
    g_assert_cmpuint(qtest_read_value(dev->q, in + 512, 1), ==, 0);
}

static void blk_busy(VirtioDev *dev)
{
    many(dev, 0, virtio_alloc(dev, 16), 16, 513);
}

static void rng_io(VirtioDev *dev)
{
    uint64_t in = virtio_alloc(dev, 64);
    uint8_t bytes[64], nothing[64] = {};
    uint32_t len;

    virtq_submit(dev, 0, 0, 0, in, sizeof(bytes));
    len = virtq_wait(dev, 0);
    g_assert_cmpuint(len, >=, 16);
    qtest_read_bytes(dev->q, in, bytes, sizeof(bytes));
    g_assert_cmpint(memcmp(bytes, nothing, len), !=, 0);
}

static void rng_busy(VirtioDev *dev)
{
    many(dev, 0, 0, 0, 4096);
}

/* Tversion: size[4] type[1] tag[2] msize[4] version[s]. */
enum { TVERSION_SIZE = 21 };

static uint64_t tversion(VirtioDev *dev)
{
    static const uint8_t request[TVERSION_SIZE] = {
        TVERSION_SIZE, 0,   0,   0,   100, 0xff, 0xff, 0,  16, 0, 0, 8, 0,
        '9',           'P', '2', '0', '0', '0',  '.',  'L'
    };
    uint64_t out = virtio_alloc(dev, sizeof(request));

    qtest_write_bytes(dev->q, out, request, sizeof(request));
    return out;
}

static void p9_busy(VirtioDev *dev)
{
    many(dev, 0, tversion(dev), TVERSION_SIZE, 64);
}

static void p9_io(VirtioDev *dev)
{
    uint64_t out = tversion(dev), in = virtio_alloc(dev, 64);

    virtq_submit(dev, 0, out, TVERSION_SIZE, in, 64);
    virtq_wait(dev, 0);
    g_assert_cmpuint(qtest_readl(dev->q, in), ==, TVERSION_SIZE);
    g_assert_cmpuint(qtest_read_value(dev->q, in + 4, 1), ==, 101);
}

/* A frame to a hub with nobody else on it. */
static void net_io(VirtioDev *dev)
{
    unsigned header = virtio_is_modern(dev) ? 12 : 10;
    uint64_t out;

    if (virtio_features(dev) & 1u << 15) { /* mergeable buffers: the long header */
        header = 12;
    }
    out = virtio_alloc(dev, header + 60);
    virtq_submit(dev, 1, out, header + 60, 0, 0);
    g_assert_cmpuint(virtq_wait(dev, 1), ==, 0);
}

/* Frames of nobody, to nobody: to itself, where the hub has another card. */
static void net_busy(VirtioDev *dev)
{
    many(dev, 0, 0, 0, 2048);
    many(dev, 1, virtio_alloc(dev, 72), 72, 0);
}

/* What the guest writes to port 0 is taken (section 5.3.6). */
static void serial_io(VirtioDev *dev)
{
    uint64_t out = virtio_alloc(dev, 5);

    qtest_write_bytes(dev->q, out, "hello", 5);
    virtq_submit(dev, 1, out, 5, 0, 0);
    g_assert_cmpuint(virtq_wait(dev, 1), ==, 0);
}

static void serial_busy(VirtioDev *dev)
{
    many(dev, 0, 0, 0, 64);
    many(dev, 1, virtio_alloc(dev, 64), 64, 0);
}

/* Gives one page to the host, whose count goes up (section 5.5.6). */
static void balloon_io(VirtioDev *dev)
{
    uint64_t out = virtio_alloc(dev, 4), page = virtio_alloc(dev, 4096);

    qtest_writel(dev->q, out, page >> 12);
    virtq_submit(dev, 0, out, 4, 0, 0);
    g_assert_cmpuint(virtq_wait(dev, 0), ==, 0);
}

static void balloon_busy(VirtioDev *dev)
{
    uint64_t out = virtio_alloc(dev, 4), page = virtio_alloc(dev, 4096);

    qtest_writel(dev->q, out, page >> 12);
    many(dev, 0, out, 4, 0);
    many(dev, 1, out, 4, 0);
}

/* An LED the host does not care about: status queue (section 5.8.6). */
static void input_io(VirtioDev *dev)
{
    static const uint8_t led[] = { 0x11, 0, 0, 0, 1, 0, 0, 0 };
    uint64_t out = virtio_alloc(dev, sizeof(led));

    qtest_write_bytes(dev->q, out, led, sizeof(led));
    virtq_submit(dev, 1, out, sizeof(led), 0, 0);
    virtq_wait(dev, 1);
}

static void input_busy(VirtioDev *dev)
{
    many(dev, 0, 0, 0, 8);
    many(dev, 1, virtio_alloc(dev, 8), 8, 0);
}

/* GET_DISPLAY_INFO, 0x100, is answered with OK_DISPLAY_INFO, 0x1101 (section 5.7.6). */
static void gpu_io(VirtioDev *dev)
{
    uint64_t out = virtio_alloc(dev, 24), in = virtio_alloc(dev, 408);

    qtest_writel(dev->q, out, 0x100);
    virtq_submit(dev, 0, out, 24, in, 408);
    g_assert_cmpuint(virtq_wait(dev, 0), ==, 408);
    g_assert_cmphex(qtest_readl(dev->q, in), ==, 0x1101);
}

static void gpu_busy(VirtioDev *dev)
{
    uint64_t out = virtio_alloc(dev, 24);

    qtest_writel(dev->q, out, 0x100);
    many(dev, 0, out, 24, 408);
}

/* Who asks for a connection to a port where nobody listens gets RST, op 3 (section 5.10.6). */
enum { VSOCK_SIZE = 44 };

static uint64_t vsock_request(VirtioDev *dev)
{
    const struct {
        uint64_t src_cid, dst_cid;
        uint32_t src_port, dst_port, len;
        uint16_t type, op;
        uint32_t flags, buf_alloc, fwd_cnt;
    } __attribute__((packed)) request = {
        .src_cid = GUINT64_TO_LE(3),
        .dst_cid = GUINT64_TO_LE(2),
        .src_port = GUINT32_TO_LE(1000),
        .dst_port = GUINT32_TO_LE(1),
        .type = GUINT16_TO_LE(1),
        .op = GUINT16_TO_LE(1),
    };
    uint64_t out = virtio_alloc(dev, sizeof(request));

    G_STATIC_ASSERT(sizeof(request) == VSOCK_SIZE);
    qtest_write_bytes(dev->q, out, &request, sizeof(request));
    return out;
}

/* More questions than buffers for answers. */
static void vsock_busy(VirtioDev *dev)
{
    virtq_submit(dev, 0, 0, 0, virtio_alloc(dev, 4096), 4096);
    many(dev, 1, vsock_request(dev), VSOCK_SIZE, 0);
}

static void vsock_io(VirtioDev *dev)
{
    uint64_t out = vsock_request(dev), in = virtio_alloc(dev, 4096);

    virtq_submit(dev, 0, 0, 0, in, 4096);
    virtq_submit(dev, 1, out, VSOCK_SIZE, 0, 0);
    virtq_wait(dev, 1);
    g_assert_cmpuint(virtq_wait(dev, 0), ==, VSOCK_SIZE);
    g_assert_cmpuint(qtest_read_value(dev->q, in + 30, 2), ==, 3);
}

/* ---- devices ---- */

static const DeviceRow devices[] = {
    { "virtio-blk", 2,
      "-drive if=none,id=d0,file=null-co://,file.read-zeroes=on,"
      "file.latency-ns=1000000,format=raw",
      ",drive=d0", true, blk_io, blk_busy, 0 },
    { "virtio-net", 1, "-netdev hubport,hubid=0,id=n0", ",netdev=n0", true, net_io, net_busy, 1 },
    { "virtio-serial", 3, "", "", true, serial_io, serial_busy, 1 },
    { "virtio-rng", 4, "", "", true, rng_io, rng_busy, 0 },
    { "virtio-balloon", 5, "", "", true, balloon_io, balloon_busy, 0 },
    { "virtio-9p", 9, "-fsdev synth,id=f0", ",fsdev=f0,mount_tag=test", true, p9_io, p9_busy, 0 },
    { "virtio-gpu", 16, "", "", false, gpu_io, gpu_busy, 0 },
    { "virtio-vsock", 19, "", ",guest-cid=3,path=DIR/vsock", false, vsock_io, vsock_busy, 1 },
    { "virtio-keyboard", 18, "", "", false, input_io, input_busy, 1 },
    { "virtio-mouse", 18, "", "", false, input_io, input_busy, 1 },
    { "virtio-tablet", 18, "", "", false, input_io, input_busy, 1 },
};

static char *dir; /* for sockets */

static bool packed; /* devices are started with packed rings */

static void find(VirtioDev *dev, QTest *q, VirtioTransport transport)
{
    virtio_find(dev, q, transport);
    dev->packed = packed;
}

static QTest *start(const DeviceRow *row, VirtioTransport transport, VirtioDev *dev)
{
    bool mmio = transport == VIRTIO_MMIO_LEGACY || transport == VIRTIO_MMIO_MODERN;
    g_autoptr(GString) device = g_string_new(row->name);
    QTest *q;

    g_string_append_printf(device, "%s%s", mmio ? "-device" : "-pci,addr=04.0", row->props);
    g_string_replace(device, "DIR", dir, 0);
    q = qtest_startf(
        "-machine %s -nodefaults -global virtio-mmio.force-legacy=%s %s -device %s,id=dut%s",
        qtest_board()->machine, transport == VIRTIO_MMIO_MODERN ? "off" : "on", row->backend,
        device->str, packed ? ",packed=on" : "");
    find(dev, q, transport);
    return q;
}

/* ---- behaviours ---- */

static void identity(const DeviceRow *row, VirtioTransport transport)
{
    VirtioDev dev;
    g_autoptr(QTest) q G_GNUC_UNUSED = start(row, transport, &dev);

    g_assert_cmpuint(dev.device_id, ==, row->id);
    g_assert_cmphex(virtio_status(&dev), ==, 0);
    g_assert_cmpuint(virtio_queue_max(&dev, 0), >, 0);
    g_assert_cmpuint(virtio_queue_max(&dev, 1024), ==, 0);
    g_assert_cmpint(!!(virtio_features(&dev) >> VIRTIO_F_VERSION_1 & 1), ==,
                    virtio_is_modern(&dev));
}

static void feature_not_offered(const DeviceRow *row, VirtioTransport transport)
{
    VirtioDev dev;
    g_autoptr(QTest) q G_GNUC_UNUSED = start(row, transport, &dev);
    uint64_t offered = virtio_features(&dev);

    virtio_set_status(&dev, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
    virtio_set_features(&dev, offered | UINT64_C(1) << 60);
    virtio_set_status(&dev, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK);
    g_assert_false(virtio_status(&dev) & VIRTIO_FEATURES_OK);
}

static void data_path(const DeviceRow *row, VirtioTransport transport)
{
    VirtioDev dev;
    g_autoptr(QTest) q G_GNUC_UNUSED = start(row, transport, &dev);

    virtio_start(&dev);
    row->io(&dev);
    row->io(&dev);
}

/* The driver resets a device that has work, starts it again, and it works. */
static void driver_reset(const DeviceRow *row, VirtioTransport transport)
{
    VirtioDev dev;
    g_autoptr(QTest) q = start(row, transport, &dev);

    for (unsigned i = 0; i < 3; i++) {
        find(&dev, q, transport);
        virtio_start(&dev);
        row->busy(&dev);
        virtio_set_status(&dev, 0);
        g_assert_cmphex(virtio_status(&dev), ==, 0);
    }
    find(&dev, q, transport);
    virtio_start(&dev);
    row->io(&dev);
}

static void system_reset(const DeviceRow *row, VirtioTransport transport)
{
    VirtioDev dev;
    g_autoptr(QTest) q = start(row, transport, &dev);
    g_autoptr(JsonObject) data = NULL;

    virtio_start(&dev);
    row->busy(&dev);
    qtest_qmp_ok(q, "{'execute': 'system_reset'}");
    data = qtest_event(q, "RESET");
    find(&dev, q, transport);
    g_assert_cmphex(virtio_status(&dev), ==, 0);
    virtio_start(&dev);
    row->io(&dev);
}

/* The name of the device itself: its inner one has none. */
static void wait_deleted(QTest *q)
{
    bool found;

    do {
        g_autoptr(JsonObject) data = qtest_event(q, "DEVICE_DELETED");

        found = json_object_has_member(data, "device");
    } while (!found);
}

/* Properties as device_add takes them. */
static char *json_of(const char *props)
{
    g_autoptr(GString) json = g_string_new(NULL);
    g_auto(GStrv) pairs = g_strsplit(props, ",", -1);

    for (unsigned i = 0; pairs[i] != NULL; i++) {
        g_auto(GStrv) words = g_strsplit(pairs[i], "=", 2);
        bool plain = words[0] != NULL && words[1] != NULL && g_ascii_isdigit(words[1][0]);

        if (words[0] != NULL && words[1] != NULL) {
            g_string_append_printf(json, plain ? ", '%s': %s" : ", '%s': '%s'", words[0], words[1]);
        }
    }
    return g_string_free(g_steal_pointer(&json), FALSE);
}

/* Into a root port, out while it works, three times: what it used on the host is free again. */
static void hot_unplug(const DeviceRow *row, VirtioTransport transport)
{
    enum { PORT = 4 << 3 };
    g_autoptr(GString) props = g_string_new(row->props);
    g_autofree char *json = NULL;
    g_autoptr(QTest) q = qtest_startf("-machine %s -nodefaults %s -device pcie-root-port,id=rp0,"
                                      "chassis=1,addr=04.0",
                                      qtest_board()->machine, row->backend);

    g_string_replace(props, "DIR", dir, 0);
    json = json_of(props->str);
    qpci_open_port(q, PORT);
    for (unsigned i = 0; i < 3; i++) {
        VirtioDev dev;

        qtest_qmp_ok(q,
                     "{'execute': 'device_add', 'arguments': {'driver': '%s-pci', 'bus': 'rp0',"
                     " 'id': 'dut'%s}}",
                     row->name, json);
        qpci_slot_power(q, PORT, true);
        virtio_find_pci(&dev, q, transport, QPCI_BEHIND);
        virtio_start(&dev);
        row->io(&dev);
        row->busy(&dev);
        qtest_qmp_ok(q, "{'execute': 'device_del', 'arguments': {'id': 'dut'}}");
        qpci_slot_power(q, PORT, false);
        wait_deleted(q);
        g_assert_cmphex(qpci_config_read(q, QPCI_BEHIND, 0, 4), ==, UINT32_MAX);
    }
}

/* After each broken ring the machine lives, and so does the device once it is reset. */
static void hostile_rings(const DeviceRow *row, VirtioTransport transport)
{
    uint64_t memory = qtest_board()->memory;
    const struct {
        uint64_t addr;
        uint32_t len;
        uint16_t flags, next, head;
    } rings[] = {
        { memory, 16, VIRTQ_NEXT, 0, 0 },                      /* a loop */
        { memory, 16, VIRTQ_NEXT, 0x7fff, 0 },                 /* next out of range */
        { memory, 16, 0, 0, 0xfff0 },                          /* head out of range */
        { UINT64_C(0xffffffffffff0000), 0x20000, 0, 0, 0 },    /* around the end */
        { qtest_board()->mmio_last, 4096, VIRTQ_WRITE, 0, 0 }, /* registers */
        { memory, UINT32_MAX, 0, 0, 0 },                       /* 4 GiB */
        { memory, 0, 0, 0, 0 },                                /* nothing */
        { memory, 16, VIRTQ_INDIRECT, 0, 0 },                  /* not negotiated */
        { memory, 16, VIRTQ_INDIRECT | VIRTQ_NEXT, 0, 0 },
    };
    VirtioDev dev;
    g_autoptr(QTest) q = start(row, transport, &dev);

    for (unsigned i = 0; i < G_N_ELEMENTS(rings); i++) {
        virtio_find(&dev, q, transport);
        virtio_start(&dev);
        virtq_write_desc(&dev, row->hostile_queue, 0, rings[i].addr, rings[i].len, rings[i].flags,
                         rings[i].next);
        virtq_offer(&dev, row->hostile_queue, rings[i].head);
    }
    virtio_find(&dev, q, transport);
    virtio_start(&dev);
    row->io(&dev);
}

/* A jump of the available index beyond the ring stops the device until it is reset. */
static void needs_reset(const DeviceRow *row, VirtioTransport transport)
{
    VirtioDev dev;
    g_autoptr(QTest) q = start(row, transport, &dev);
    gint64 began = g_get_monotonic_time();

    virtio_start(&dev);
    qtest_write_value(q, dev.queues[row->hostile_queue].avail + 2, 2, 0x4000);
    virtq_notify(&dev, row->hostile_queue);
    while (!(virtio_status(&dev) & VIRTIO_NEEDS_RESET)) {
        g_assert_cmpint(g_get_monotonic_time() - began, <, CLIENT_PATIENCE_S * G_USEC_PER_SEC);
    }
    virtio_start(&dev);
    row->io(&dev);
}

/* Each ends with DEVICE_NEEDS_RESET (section 2.8), and with a device that works after a reset. */
static void hostile_packed(const DeviceRow *row, VirtioTransport transport)
{
    uint64_t memory = qtest_board()->memory;
    const struct {
        uint64_t addr;
        uint32_t len;
        uint16_t flags;
    } descs[] = {
        { memory, 0, 0 },
        { memory, UINT32_MAX, 0 },
        { UINT64_C(0xffffffffffff0000), 0x20000, 0 },
        { qtest_board()->mmio_last, 4096, VIRTQ_WRITE },
        { memory, 16, VIRTQ_INDIRECT },              /* not negotiated */
        { memory, 16, VIRTQ_NEXT | VIRTQ_INDIRECT }, /* in a list */
        { memory, 16, VIRTQ_NEXT },                  /* the rest of the ring is cleared */
    };
    VirtioDev dev;
    g_autoptr(QTest) q = start(row, transport, &dev);

    for (unsigned i = 0; i < G_N_ELEMENTS(descs); i++) {
        gint64 began = g_get_monotonic_time();

        find(&dev, q, transport);
        virtio_start(&dev);
        virtq_packed_desc(&dev, row->hostile_queue, 0, descs[i].addr, descs[i].len, descs[i].flags);
        virtq_packed_offer(&dev, row->hostile_queue, 1);
        while (!(virtio_status(&dev) & VIRTIO_NEEDS_RESET)) {
            g_assert_cmpint(g_get_monotonic_time() - began, <, CLIENT_PATIENCE_S * G_USEC_PER_SEC);
        }
    }
    find(&dev, q, transport);
    virtio_start(&dev);
    row->io(&dev);
}

static void early_notify(const DeviceRow *row, VirtioTransport transport)
{
    VirtioDev dev;
    g_autoptr(QTest) q G_GNUC_UNUSED = start(row, transport, &dev);

    virtq_notify(&dev, row->hostile_queue);
    virtq_notify(&dev, 0xffff);
    virtio_start(&dev);
    row->io(&dev);
}

static const BehaviourRow behaviours[] = {
    { "identity", "registers say what the device is and how many queues it has", identity, false },
    { "feature-not-offered", "a feature that was not offered is refused", feature_not_offered,
      true },
    { "data-path", "requests are carried out, twice", data_path, false },
    { "driver-reset", "reset by the driver with requests under way, then work again", driver_reset,
      false },
    { "system-reset", "reset of the machine with requests under way, then work again", system_reset,
      false },
    { "hostile-rings", "nine kinds of broken chains, then reset and work again", hostile_rings,
      false },
    { "needs-reset", "an impossible index stops the device and sets DEVICE_NEEDS_RESET",
      needs_reset, true },
    { "early-notify", "notifications before DRIVER_OK and of no queue do nothing", early_notify,
      false },
    { "packed-data-path", "the same requests through packed rings", data_path, true, true },
    { "packed-driver-reset", "reset by the driver with requests in packed rings, then work again",
      driver_reset, true, true },
    { "packed-system-reset", "reset of the machine with requests in packed rings, then work again",
      system_reset, true, true },
    { "packed-hostile-rings", "seven kinds of broken packed chains set DEVICE_NEEDS_RESET",
      hostile_packed, true, true },
    { "hot-unplug", "out of a root port with requests under way, in again, work again", hot_unplug,
      true, false, true },
};

static bool has(const DeviceRow *row, VirtioTransport transport, const BehaviourRow *behaviour)
{
    bool modern = transport == VIRTIO_MMIO_MODERN || transport == VIRTIO_PCI_MODERN;

    return (transport != VIRTIO_PCI_LEGACY || row->legacy_pci) &&
           (modern || !behaviour->modern_only) &&
           (transport == VIRTIO_PCI_MODERN || !behaviour->hot_plug);
}

/* ---- the matrix ---- */

static void print_matrix(void)
{
    printf("{\n \"behaviours\": {\n");
    for (unsigned i = 0; i < G_N_ELEMENTS(behaviours); i++) {
        printf("  \"%s\": \"%s\"%s\n", behaviours[i].name, behaviours[i].summary,
               i + 1 < G_N_ELEMENTS(behaviours) ? "," : "");
    }
    printf(" },\n \"devices\": {\n");
    for (unsigned d = 0; d < G_N_ELEMENTS(devices); d++) {
        const char *comma = "";

        printf("  \"%s\": {", devices[d].name);
        for (unsigned t = 0; t < N_VIRTIO_TRANSPORTS; t++) {
            if (!has(&devices[d], t, &behaviours[0])) {
                continue;
            }
            printf("%s\n   \"%s\": [", comma, virtio_transport_names[t]);
            comma = "";
            for (unsigned i = 0; i < G_N_ELEMENTS(behaviours); i++) {
                if (has(&devices[d], t, &behaviours[i])) {
                    printf("%s\"%s\"", comma, behaviours[i].name);
                    comma = ", ";
                }
            }
            printf("]");
            comma = ",";
        }
        printf("\n  }%s\n", d + 1 < G_N_ELEMENTS(devices) ? "," : "");
    }
    printf(" }\n}\n");
}

typedef struct {
    const DeviceRow *row;
    const BehaviourRow *behaviour;
    VirtioTransport transport;
} Case;

static void run_case(gconstpointer data)
{
    const Case *c = data;

    packed = c->behaviour->packed;
    c->behaviour->test(c->row, c->transport);
}

int main(int argc, char **argv)
{
    int status;

    if (argc == 2 && strcmp(argv[1], "--matrix") == 0) {
        print_matrix();
        return 0;
    }
    g_test_init(&argc, &argv, NULL);
    dir = g_dir_make_tmp("humpy-virtio-XXXXXX", NULL);
    g_assert_nonnull(dir);
    for (unsigned d = 0; d < G_N_ELEMENTS(devices); d++) {
        for (unsigned t = 0; t < N_VIRTIO_TRANSPORTS; t++) {
            for (unsigned i = 0; i < G_N_ELEMENTS(behaviours); i++) {
                g_autofree char *path =
                    g_strdup_printf("/virtio/%s/%s/%s", devices[d].name, virtio_transport_names[t],
                                    behaviours[i].name);
                Case *c = g_new(Case, 1);

                *c = (Case){ &devices[d], &behaviours[i], t };
                if (has(&devices[d], t, &behaviours[i])) {
                    g_test_add_data_func_full(path, c, run_case, g_free);
                } else {
                    g_free(c);
                }
            }
        }
    }
    status = g_test_run();
    g_rmdir(dir);
    g_free(dir);
    return status;
}
