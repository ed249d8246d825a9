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
    unsigned hostile_queue;     /* one that the device looks at when it is notified */
} DeviceRow;

typedef struct {
    const char *name, *summary;
    void (*test)(const DeviceRow *row, VirtioTransport transport);
    bool modern_only, packed;
} BehaviourRow;

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

/* Tversion: size[4] type[1] tag[2] msize[4] version[s]. */
static void p9_io(VirtioDev *dev)
{
    static const uint8_t request[] = { 21, 0, 0,   0,   100, 0xff, 0xff, 0,   16,  0,  0,
                                       8,  0, '9', 'P', '2', '0',  '0',  '0', '.', 'L' };
    uint64_t out = virtio_alloc(dev, sizeof(request)), in = virtio_alloc(dev, 64);

    qtest_write_bytes(dev->q, out, request, sizeof(request));
    virtq_submit(dev, 0, out, sizeof(request), in, 64);
    virtq_wait(dev, 0);
    g_assert_cmpuint(qtest_readl(dev->q, in), ==, sizeof(request));
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

/* What the guest writes to port 0 is taken (section 5.3.6). */
static void serial_io(VirtioDev *dev)
{
    uint64_t out = virtio_alloc(dev, 5);

    qtest_write_bytes(dev->q, out, "hello", 5);
    virtq_submit(dev, 1, out, 5, 0, 0);
    g_assert_cmpuint(virtq_wait(dev, 1), ==, 0);
}

/* Gives one page to the host, whose count goes up (section 5.5.6). */
static void balloon_io(VirtioDev *dev)
{
    uint64_t out = virtio_alloc(dev, 4), page = virtio_alloc(dev, 4096);

    qtest_writel(dev->q, out, page >> 12);
    virtq_submit(dev, 0, out, 4, 0, 0);
    g_assert_cmpuint(virtq_wait(dev, 0), ==, 0);
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

/* GET_DISPLAY_INFO, 0x100, is answered with OK_DISPLAY_INFO, 0x1101 (section 5.7.6). */
static void gpu_io(VirtioDev *dev)
{
    uint64_t out = virtio_alloc(dev, 24), in = virtio_alloc(dev, 408);

    qtest_writel(dev->q, out, 0x100);
    virtq_submit(dev, 0, out, 24, in, 408);
    g_assert_cmpuint(virtq_wait(dev, 0), ==, 408);
    g_assert_cmphex(qtest_readl(dev->q, in), ==, 0x1101);
}

/* Who asks for a connection to a port where nobody listens gets RST, op 3 (section 5.10.6). */
static void vsock_io(VirtioDev *dev)
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
    uint64_t out = virtio_alloc(dev, sizeof(request)), in = virtio_alloc(dev, 4096);

    virtq_submit(dev, 0, 0, 0, in, 4096);
    qtest_write_bytes(dev->q, out, &request, sizeof(request));
    virtq_submit(dev, 1, out, sizeof(request), 0, 0);
    virtq_wait(dev, 1);
    g_assert_cmpuint(virtq_wait(dev, 0), ==, sizeof(request));
    g_assert_cmpuint(qtest_read_value(dev->q, in + 30, 2), ==, 3);
}

/* ---- devices ---- */

static const DeviceRow devices[] = {
    { "virtio-blk", 2, "-drive if=none,id=d0,file=null-co://,file.read-zeroes=on,format=raw",
      ",drive=d0", true, blk_io, 0 },
    { "virtio-net", 1, "-netdev hubport,hubid=0,id=n0", ",netdev=n0", true, net_io, 1 },
    { "virtio-serial", 3, "", "", true, serial_io, 1 },
    { "virtio-rng", 4, "", "", true, rng_io, 0 },
    { "virtio-balloon", 5, "", "", true, balloon_io, 0 },
    { "virtio-9p", 9, "-fsdev synth,id=f0", ",fsdev=f0,mount_tag=test", true, p9_io, 0 },
    { "virtio-gpu", 16, "", "", false, gpu_io, 0 },
    { "virtio-vsock", 19, "", ",guest-cid=3,path=DIR/vsock", false, vsock_io, 1 },
    { "virtio-keyboard", 18, "", "", false, input_io, 1 },
    { "virtio-mouse", 18, "", "", false, input_io, 1 },
    { "virtio-tablet", 18, "", "", false, input_io, 1 },
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
    g_autoptr(QTest) q G_GNUC_UNUSED = start(row, transport, &dev);

    virtio_start(&dev);
    row->io(&dev);
    virtq_submit(&dev, row->hostile_queue, virtio_alloc(&dev, 4096), 4096, 0, 0);
    virtio_set_status(&dev, 0);
    g_assert_cmphex(virtio_status(&dev), ==, 0);
    virtio_start(&dev);
    row->io(&dev);
}

static void system_reset(const DeviceRow *row, VirtioTransport transport)
{
    VirtioDev dev;
    g_autoptr(QTest) q = start(row, transport, &dev);
    g_autoptr(JsonObject) data = NULL;

    virtio_start(&dev);
    virtq_submit(&dev, row->hostile_queue, virtio_alloc(&dev, 4096), 4096, 0, 0);
    qtest_qmp_ok(q, "{'execute': 'system_reset'}");
    data = qtest_event(q, "RESET");
    find(&dev, q, transport);
    g_assert_cmphex(virtio_status(&dev), ==, 0);
    virtio_start(&dev);
    row->io(&dev);
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
    { "driver-reset", "reset by the driver with a request under way, then work again", driver_reset,
      false },
    { "system-reset", "reset of the machine with a request under way, then work again",
      system_reset, false },
    { "hostile-rings", "nine kinds of broken chains, then reset and work again", hostile_rings,
      false },
    { "needs-reset", "an impossible index stops the device and sets DEVICE_NEEDS_RESET",
      needs_reset, true },
    { "early-notify", "notifications before DRIVER_OK and of no queue do nothing", early_notify,
      false },
    { "packed-data-path", "the same requests through packed rings", data_path, true, true },
    { "packed-driver-reset", "reset by the driver with a request in a packed ring, then work again",
      driver_reset, true, true },
    { "packed-system-reset",
      "reset of the machine with a request in a packed ring, then work again", system_reset, true,
      true },
    { "packed-hostile-rings", "seven kinds of broken packed chains set DEVICE_NEEDS_RESET",
      hostile_packed, true, true },
};

static bool has(const DeviceRow *row, VirtioTransport transport, const BehaviourRow *behaviour)
{
    bool modern = transport == VIRTIO_MMIO_MODERN || transport == VIRTIO_PCI_MODERN;

    return (transport != VIRTIO_PCI_LEGACY || row->legacy_pci) &&
           (modern || !behaviour->modern_only);
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
