/* SPDX-License-Identifier: GPL-2.0-or-later
 * A driver of virtio-blk and virtio-net that shares the guest's memory with the program under
 * test: rings and data are touched directly, only notifications go through qtest, when the device
 * asks for them. scripts/bench runs it on Humpy and on QEMU by turns.
 *
 *     HUMPY='PROGRAM ARGUMENT...' bench-virtio blk DRIVE-OPTIONS [DEVICE-OPTIONS]
 *     HUMPY='PROGRAM ARGUMENT...' bench-virtio net-hub|net-socket
 *
 * prints "requests SECONDS" and "cpu SECONDS": the time a request takes with DEPTH of them under
 * way, and the processor time the program (or both) spends on it.
 */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "virtio.h"

#define RAM_BASE UINT64_C(0x40000000)

enum {
    RAM_SIZE = 128 << 20,
    DEPTH = 64, /* requests under way: all that a ring takes */
    BLOCK = 4096,
    DISK = 64 << 20,
    NET_HEADER = 12, /* virtio 1.2 section 5.1.6: with VERSION_1 */
    PACKET = 1500,
    NOTIFY_WINDOW = 1 << 15, /* an index so far away that no interrupt is asked for */
    MEASURE_MS = 400,
    WARM_UP_MS = 100,
};

typedef struct {
    QTest *q;
    char *path; /* of the memory's file */
    uint8_t *ram;
    bool notified; /* a notification was not answered yet */
} Guest;

typedef struct {
    uint64_t addr;
    uint32_t len;
    uint16_t flags, next;
} Desc;

typedef struct {
    Guest *guest;
    VirtioDev *dev;
    unsigned n;
    uint16_t next, seen;
    uint64_t notify;
    Desc *desc;
    uint16_t *avail; /* flags, index, ring, used event */
    uint16_t *used;  /* flags, index, then pairs of 32 bits, available event */
} Ring;

static double now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* ---- the guest ---- */

static void guest_start(Guest *guest, const char *options)
{
    int fd;

    guest->path = g_strdup("/dev/shm/humpy-bench-XXXXXX");
    fd = g_mkstemp(guest->path);
    if (fd < 0 || ftruncate(fd, RAM_SIZE) < 0) {
        g_error("%s: cannot make the guest's memory", guest->path);
    }
    guest->ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    g_assert_true(guest->ram != MAP_FAILED);
    close(fd);
    guest->q = qtest_startf("-M virt,memory-backend=ram -m %d -nodefaults "
                            "-object memory-backend-file,id=ram,size=%d,mem-path=%s,share=on %s",
                            RAM_SIZE >> 20, RAM_SIZE, guest->path, options);
    g_unlink(guest->path);
}

static void guest_end(Guest *guest)
{
    if (guest->notified) {
        g_free(qtest_next_line(guest->q));
    }
    qtest_end(guest->q);
    munmap(guest->ram, RAM_SIZE);
    g_free(guest->path);
}

static void *at(Guest *guest, uint64_t gpa)
{
    g_assert_true(gpa >= RAM_BASE && gpa < RAM_BASE + RAM_SIZE);
    return guest->ram + (gpa - RAM_BASE);
}

/* Processor time of all threads. */
static double cpu_seconds(Guest *guest)
{
    g_autofree char *tasks = g_strdup_printf("/proc/%d/task", qtest_pid(guest->q));
    g_autoptr(GDir) dir = g_dir_open(tasks, 0, NULL);
    const char *name;
    double sum = 0;

    g_assert_nonnull(dir);
    while ((name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *path = g_build_filename(tasks, name, "schedstat", NULL);
        g_autofree char *text = NULL;

        if (g_file_get_contents(path, &text, NULL, NULL)) {
            sum += g_ascii_strtoull(text, NULL, 10) / 1e9;
        }
    }
    return sum;
}

/* ---- rings ---- */

static void device_begin(VirtioDev *dev)
{
    const uint64_t wanted = UINT64_C(1) << VIRTIO_F_INDIRECT | UINT64_C(1) << VIRTIO_F_EVENT_IDX |
                            UINT64_C(1) << VIRTIO_F_VERSION_1;

    virtio_set_status(dev, 0);
    virtio_set_status(dev, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
    g_assert_cmphex(virtio_features(dev) & wanted, ==, wanted);
    virtio_set_features(dev, wanted);
    virtio_set_status(dev, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK);
    g_assert_true(virtio_status(dev) & VIRTIO_FEATURES_OK);
}

static void ring_setup(Ring *ring, Guest *guest, VirtioDev *dev, unsigned n)
{
    VirtQueue *vq = &dev->queues[n];

    virtio_queue_setup(dev, n);
    g_assert_cmpuint(vq->size, ==, DEPTH);
    *ring = (Ring){ .guest = guest, .dev = dev, .n = n };
    ring->notify = virtio_notify_address(dev, n);
    ring->desc = at(guest, vq->desc);
    ring->avail = at(guest, vq->avail);
    ring->used = at(guest, vq->used);
}

/* Makes the chain that begins at head available; ring_publish() shows all of these. */
static void ring_add(Ring *ring, uint16_t head)
{
    ring->avail[2 + ring->next++ % DEPTH] = head;
}

static void ring_publish(Ring *ring)
{
    uint16_t before = ring->avail[1], event;

    if (before == ring->next) {
        return;
    }
    ring->avail[2 + DEPTH] = ring->seen - NOTIFY_WINDOW;
    __atomic_store_n(&ring->avail[1], ring->next, __ATOMIC_SEQ_CST);
    event = __atomic_load_n(&ring->used[2 + 4 * DEPTH], __ATOMIC_SEQ_CST);
    if ((uint16_t)(ring->next - event - 1) < (uint16_t)(ring->next - before)) {
        g_autofree char *line =
            g_strdup_printf("writew 0x%" G_GINT64_MODIFIER "x %u\n", ring->notify, ring->n);

        if (ring->guest->notified) {
            g_free(qtest_next_line(ring->guest->q));
        }
        qtest_send_raw(ring->guest->q, line, strlen(line));
        ring->guest->notified = true;
    }
}

/* The head of the next chain that the device has used, or -1. */
static int ring_take(Ring *ring)
{
    if (__atomic_load_n(&ring->used[1], __ATOMIC_ACQUIRE) == ring->seen) {
        return -1;
    }
    return ring->used[2 + 4 * (ring->seen++ % DEPTH)];
}

/* ---- measuring ---- */

/* Does what is to do now; returns how many requests were completed. */
typedef unsigned (*Step)(void *opaque);

static uint64_t run_for(Step step, void *opaque, unsigned ms)
{
    double began = now(), last = began, t = began;
    uint64_t done = 0;

    while (t - began < ms / 1e3) {
        unsigned n = step(opaque);

        t = now();
        if (n > 0) {
            done += n;
            last = t;
        } else if (t - last > CLIENT_PATIENCE_S) {
            g_error("the device completes nothing");
        } else {
            g_thread_yield();
        }
    }
    return done;
}

static void measure(Step step, void *opaque, Guest *guests, unsigned n_guests)
{
    double began, elapsed, cpu = 0;
    uint64_t done;

    run_for(step, opaque, WARM_UP_MS);
    for (unsigned i = 0; i < n_guests; i++) {
        cpu -= cpu_seconds(&guests[i]);
    }
    began = now();
    done = run_for(step, opaque, MEASURE_MS);
    elapsed = now() - began;
    for (unsigned i = 0; i < n_guests; i++) {
        cpu += cpu_seconds(&guests[i]);
    }
    g_assert_cmpuint(done, >, 0);
    printf("requests %.9f\ncpu %.9f\n", elapsed / done, cpu / done);
}

/* ---- blk ---- */

typedef struct {
    uint32_t type, reserved;
    uint64_t sector;
} BlkHeader;

typedef struct {
    Ring ring;
    BlkHeader *headers[DEPTH];
    uint8_t *status[DEPTH];
} Blk;

static unsigned blk_step(void *opaque)
{
    Blk *blk = opaque;
    unsigned n = 0;
    int head;

    while ((head = ring_take(&blk->ring)) >= 0) {
        if (*blk->status[head] != 0) {
            g_error("a read failed with %u", *blk->status[head]);
        }
        *blk->status[head] = 0xff;
        blk->headers[head]->sector =
            (blk->headers[head]->sector + DEPTH * BLOCK / 512) % (DISK / 512);
        ring_add(&blk->ring, head);
        n++;
    }
    ring_publish(&blk->ring);
    return n;
}

/* Virtio 1.2 section 5.2.6: header, data, status, in an indirect table each. */
static void blk_prepare(Blk *blk)
{
    VirtioDev *dev = blk->ring.dev;

    for (unsigned i = 0; i < DEPTH; i++) {
        uint64_t table = virtio_alloc(dev, 4096), data = virtio_alloc(dev, BLOCK);
        uint64_t header = table + 256, status = table + 512;
        Desc *t = at(blk->ring.guest, table);

        t[0] = (Desc){ header, sizeof(BlkHeader), VIRTQ_NEXT, 1 };
        t[1] = (Desc){ data, BLOCK, VIRTQ_NEXT | VIRTQ_WRITE, 2 };
        t[2] = (Desc){ status, 1, VIRTQ_WRITE, 0 };
        blk->headers[i] = at(blk->ring.guest, header);
        *blk->headers[i] = (BlkHeader){ .sector = i * (BLOCK / 512) };
        blk->status[i] = at(blk->ring.guest, status);
        *blk->status[i] = 0xff;
        blk->ring.desc[i] = (Desc){ table, 3 * sizeof(Desc), VIRTQ_INDIRECT, 0 };
        ring_add(&blk->ring, i);
    }
}

static void bench_blk(const char *drive, const char *more)
{
    g_autofree char *options =
        g_strdup_printf("-drive if=none,id=d0,%s -device virtio-blk-pci,addr=4.0,drive=d0%s%s",
                        drive, *more ? "," : "", more);
    Guest guest = {};
    VirtioDev dev;
    Blk blk;

    guest_start(&guest, options);
    virtio_find(&dev, guest.q, VIRTIO_PCI_MODERN);
    device_begin(&dev);
    ring_setup(&blk.ring, &guest, &dev, 0);
    blk_prepare(&blk);
    virtio_set_status(&dev, virtio_status(&dev) | VIRTIO_DRIVER_OK);
    ring_publish(&blk.ring);
    measure(blk_step, &blk, &guest, 1);
    guest_end(&guest);
}

/* ---- net ---- */

typedef struct {
    Ring tx, rx;
    unsigned idle[DEPTH], n_idle; /* chains of tx that may be sent */
    unsigned flying;              /* sent and not yet received */
} Net;

static unsigned net_step(void *opaque)
{
    Net *net = opaque;
    unsigned n = 0;
    int head;

    while ((head = ring_take(&net->rx)) >= 0) {
        ring_add(&net->rx, head);
        net->flying--;
        n++;
    }
    ring_publish(&net->rx);
    while ((head = ring_take(&net->tx)) >= 0) {
        net->idle[net->n_idle++] = head;
    }
    while (net->n_idle > 0 && net->flying < DEPTH) {
        ring_add(&net->tx, net->idle[--net->n_idle]);
        net->flying++;
    }
    ring_publish(&net->tx);
    return n;
}

static void net_prepare(Net *net)
{
    for (unsigned i = 0; i < DEPTH; i++) {
        uint64_t out = virtio_alloc(net->tx.dev, 2048), in = virtio_alloc(net->rx.dev, 2048);
        uint8_t *packet = (uint8_t *)at(net->tx.guest, out) + NET_HEADER;

        memset(packet, 0xff, 6); /* to all */
        memcpy(packet + 6, "\x52\x54\x00\x00\x00\x01\x88\xb5", 8);
        net->tx.desc[i] = (Desc){ out, NET_HEADER + PACKET, 0, 0 };
        net->rx.desc[i] = (Desc){ in, 2048, VIRTQ_WRITE, 0 };
        net->idle[i] = i;
        ring_add(&net->rx, i);
    }
    net->n_idle = DEPTH;
}

static void net_measure(Guest *from, VirtioDev *a, Guest *to, VirtioDev *b, unsigned n_guests)
{
    Net net = {};
    Ring unused;

    device_begin(a);
    device_begin(b);
    ring_setup(&unused, from, a, 0);
    ring_setup(&net.tx, from, a, 1);
    ring_setup(&net.rx, to, b, 0);
    ring_setup(&unused, to, b, 1);
    net_prepare(&net);
    virtio_set_status(a, virtio_status(a) | VIRTIO_DRIVER_OK);
    virtio_set_status(b, virtio_status(b) | VIRTIO_DRIVER_OK);
    ring_publish(&net.rx);
    measure(net_step, &net, from, n_guests);
}

static void bench_hub(void)
{
    Guest guest = {};
    VirtioDev a, b;

    guest_start(&guest, "-netdev hubport,hubid=0,id=a -device virtio-net-pci,addr=4.0,netdev=a "
                        "-netdev hubport,hubid=0,id=b -device virtio-net-pci,addr=5.0,netdev=b");
    virtio_find_pci(&a, guest.q, VIRTIO_PCI_MODERN, 4 << 3);
    virtio_find_pci(&b, guest.q, VIRTIO_PCI_MODERN, 5 << 3);
    b.free += RAM_SIZE / 4;
    net_measure(&guest, &a, &guest, &b, 1);
    guest_end(&guest);
}

static void bench_socket(void)
{
    g_autofree char *dir = g_dir_make_tmp("humpy-bench-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "net", NULL);
    Guest guests[2] = {};
    VirtioDev devs[2];

    for (unsigned i = 0; i < 2; i++) {
        g_autofree char *options =
            g_strdup_printf("-netdev stream,id=n,server=%s,addr.type=unix,addr.path=%s "
                            "-device virtio-net-pci,addr=4.0,netdev=n",
                            i == 0 ? "on" : "off", path);

        guest_start(&guests[i], options);
        virtio_find(&devs[i], guests[i].q, VIRTIO_PCI_MODERN);
    }
    net_measure(&guests[0], &devs[0], &guests[1], &devs[1], 2);
    guest_end(&guests[1]);
    guest_end(&guests[0]);
    g_unlink(path);
    g_rmdir(dir);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    if (g_str_equal(what, "blk") && argc > 2) {
        bench_blk(argv[2], argc > 3 ? argv[3] : "");
    } else if (g_str_equal(what, "net-hub")) {
        bench_hub();
    } else if (g_str_equal(what, "net-socket")) {
        bench_socket();
    } else {
        fputs("usage: bench-virtio blk DRIVE [DEVICE] | net-hub | net-socket\n", stderr);
        return 2;
    }
    return 0;
}
