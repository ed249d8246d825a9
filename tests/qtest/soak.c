/* SPDX-License-Identifier: GPL-2.0-or-later
 * Keeps disks, network cards and a console busy for a given time, in rings of both formats, while
 * the machine is stopped, asked and reset and the driver resets devices in the middle of requests.
 * What comes back is checked. Meant for a program built with a sanitizer, which ends at a report:
 * the guest's memory is shared, so that the sanitizer sees the devices' accesses and not ours.
 *
 *     HUMPY=PROGRAM soak [--seconds N] [--seed N]
 */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "virtio.h"

enum {
    MIB = 128,
    BATCH = 16, /* requests under way for each device: two descriptors each */
    BLOCK = 4096,
    DISK = 8 << 20,
    HEADER = 12, /* virtio 1.2, section 5.1.6 */
    FRAME = HEADER + 400,
    TEXT = 512,
    AREA = 8 << 20, /* of guest memory, for each device */
};

typedef enum { DISK_SPLIT, DISK_PACKED, NET_SPLIT, NET_PACKED, CONSOLE, N_DEVICES } Which;

typedef struct {
    QTest *q;
    GRand *rand;
    char *dir, *disk, *socket;
    int console;
    VirtioDev devs[N_DEVICES];
    uint64_t memory[N_DEVICES]; /* what a device's requests use, behind its rings */
    uint64_t requests, packets, bytes, resets, stops; /* done */
    uint8_t stamps[DISK / BLOCK];                     /* what each block of the disk is full of */
} Soak;

/* ---- set-up ---- */

static void open_device(Soak *s, Which which)
{
    static const unsigned devfns[N_DEVICES] = { 4 << 3, 0, 5 << 3, 6 << 3, 7 << 3 };
    VirtioDev *dev = &s->devs[which];

    if (which == DISK_PACKED) {
        virtio_find(dev, s->q, VIRTIO_MMIO_MODERN);
    } else {
        virtio_find_pci(dev, s->q, VIRTIO_PCI_MODERN, devfns[which]);
    }
    dev->packed = which == DISK_PACKED || which == NET_PACKED;
    dev->free += which * AREA;
    virtio_start(dev);
    s->memory[which] = virtio_alloc(dev, BATCH * 2 * BLOCK);
}

static void open_devices(Soak *s)
{
    for (Which which = 0; which < N_DEVICES; which++) {
        open_device(s, which);
    }
}

static void start(Soak *s)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    g_autofree char *options = NULL;
    int fd;

    s->dir = g_dir_make_tmp("humpy-soak-XXXXXX", NULL);
    g_assert_nonnull(s->dir);
    s->disk = g_build_filename(s->dir, "disk", NULL);
    s->socket = g_build_filename(s->dir, "console", NULL);
    fd = open(s->disk, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    g_assert_cmpint(ftruncate(fd, DISK), ==, 0);
    close(fd);
    options = g_strdup_printf(
        "-global virtio-mmio.force-legacy=off -object iothread,id=t0 "
        "-drive if=none,id=d0,file=%s,format=raw,discard=unmap "
        "-device virtio-blk-pci,addr=04.0,drive=d0,iothread=t0 "
        "-drive if=none,id=d1,file=null-co://,file.read-zeroes=on,format=raw "
        "-device virtio-blk-device,drive=d1,packed=on "
        "-netdev hubport,hubid=0,id=n0 -device virtio-net-pci,addr=05.0,netdev=n0 "
        "-netdev hubport,hubid=0,id=n1 -device virtio-net-pci,addr=06.0,netdev=n1,packed=on "
        "-device virtio-serial-pci,addr=07.0,max_ports=1 "
        "-chardev socket,id=c0,path=%s,server=on,wait=off -device virtconsole,chardev=c0",
        s->disk, s->socket);
    s->q = qtest_start_shared(MIB, options);
    s->console = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_strlcpy(addr.sun_path, s->socket, sizeof(addr.sun_path));
    g_assert_cmpint(connect(s->console, (struct sockaddr *)&addr, sizeof(addr)), ==, 0);
    open_devices(s);
}

static void end(Soak *s)
{
    qtest_end(s->q);
    close(s->console);
    g_unlink(s->socket);
    g_unlink(s->disk);
    g_rmdir(s->dir);
    g_free(s->socket);
    g_free(s->disk);
    g_free(s->dir);
    g_rand_free(s->rand);
}

/* ---- requests ---- */

/* Request i of a batch: out bytes at its first block, in bytes at its second. */
static uint64_t place(Soak *s, Which which, unsigned i)
{
    return s->memory[which] + i * 2 * BLOCK;
}

/* Descriptors of a batch are of their own, in both formats: several are under way at a time. */
static void submit(Soak *s, Which which, unsigned n, unsigned i, uint32_t out_len, uint32_t in_len)
{
    VirtioDev *dev = &s->devs[which];
    uint64_t out = place(s, which, i), in = out + BLOCK;

    if (dev->packed) {
        virtq_submit(dev, n, out, out_len, in, in_len);
        return;
    }
    if (out_len > 0) {
        virtq_write_desc(dev, n, 2 * i, out, out_len, in_len > 0 ? VIRTQ_NEXT : 0, 2 * i + 1);
    }
    if (in_len > 0) {
        virtq_write_desc(dev, n, out_len > 0 ? 2 * i + 1 : 2 * i, in, in_len, VIRTQ_WRITE, 0);
    }
    virtq_offer(dev, n, 2 * i);
}

static void wait_batch(Soak *s, Which which, unsigned n)
{
    for (unsigned i = 0; i < BATCH; i++) {
        virtq_wait(&s->devs[which], n);
    }
}

/* ---- disks: section 5.2.6; data of 4 KiB less the header's and status' bytes' sectors ---- */

enum { DATA = 3584, SECTORS = DATA / 512, READ = 0, WRITE = 1 };

static void submit_disk(Soak *s, Which which, unsigned i, unsigned type, unsigned block)
{
    uint64_t out = place(s, which, i);

    qtest_write_value(s->q, out, 4, type);
    qtest_write_value(s->q, out + 4, 4, 0);
    qtest_write_value(s->q, out + 8, 8, (uint64_t)block * (BLOCK / 512));
    if (type == WRITE) {
        uint8_t data[DATA];

        s->stamps[block] = g_rand_int(s->rand);
        memset(data, s->stamps[block], DATA);
        qtest_write_bytes(s->q, out + 16, data, DATA);
        submit(s, which, 0, i, 16 + DATA, 1);
    } else {
        submit(s, which, 0, i, 16, DATA + 1);
    }
}

static void check_status(Soak *s, Which which, unsigned i, unsigned type)
{
    uint64_t in = place(s, which, i) + BLOCK;

    g_assert_cmpuint(qtest_read_value(s->q, in + (type == READ ? DATA : 0), 1), ==, 0);
}

/* Writes a batch of different blocks, reads them back. */
static void disk_round(Soak *s, Which which, bool keeps)
{
    unsigned blocks[BATCH], first = g_rand_int_range(s->rand, 0, DISK / BLOCK - BATCH * 3);

    for (unsigned i = 0; i < BATCH; i++) {
        blocks[i] = first + i * 3 - (i % 2); /* neighbours, some of them */
        submit_disk(s, which, i, WRITE, blocks[i]);
    }
    wait_batch(s, which, 0);
    for (unsigned i = 0; i < BATCH; i++) {
        check_status(s, which, i, WRITE);
        submit_disk(s, which, i, READ, blocks[i]);
    }
    wait_batch(s, which, 0);
    for (unsigned i = 0; i < BATCH; i++) {
        uint8_t data[DATA], expected[DATA];

        check_status(s, which, i, READ);
        memset(expected, keeps ? s->stamps[blocks[i]] : 0, DATA);
        qtest_read_bytes(s->q, place(s, which, i) + BLOCK, data, DATA);
        g_assert_cmpmem(data, DATA, expected, DATA);
    }
    s->requests += 2 * BATCH;
}

/* ---- cards: both on one hub ---- */

static void net_round(Soak *s, Which from, Which to)
{
    uint8_t frame[FRAME] = { [HEADER] = 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1 };
    uint8_t got[FRAME];

    for (unsigned i = 0; i < BATCH; i++) {
        submit(s, to, 0, i, 0, BLOCK);
    }
    for (unsigned i = 0; i < BATCH; i++) {
        memset(frame + HEADER + 12, g_rand_int(s->rand), FRAME - HEADER - 12);
        qtest_write_bytes(s->q, place(s, from, i), frame, FRAME);
        submit(s, from, 1, i, FRAME, 0);
    }
    wait_batch(s, from, 1);
    for (unsigned i = 0; i < BATCH; i++) {
        g_assert_cmpuint(virtq_wait(&s->devs[to], 0), ==, FRAME);
    }
    qtest_read_bytes(s->q, place(s, to, BATCH - 1) + BLOCK, got, FRAME);
    g_assert_cmpmem(got + HEADER, FRAME - HEADER, frame + HEADER, FRAME - HEADER);
    s->packets += BATCH;
}

/* ---- the console ---- */

static void read_console(Soak *s, uint8_t *buf, size_t len)
{
    while (len > 0) {
        ssize_t n = recv(s->console, buf, len, 0);

        if (n <= 0) {
            g_error("the console's socket has closed");
        }
        buf += n;
        len -= n;
    }
}

static void console_round(Soak *s)
{
    uint8_t sent[TEXT], got[TEXT];
    unsigned have = 0, i = 0;

    for (unsigned j = 0; j < TEXT; j++) {
        sent[j] = g_rand_int(s->rand);
    }
    qtest_write_bytes(s->q, place(s, CONSOLE, 0), sent, TEXT);
    submit(s, CONSOLE, 1, 0, TEXT, 0);
    read_console(s, got, TEXT);
    g_assert_cmpmem(got, TEXT, sent, TEXT);
    virtq_wait(&s->devs[CONSOLE], 1);
    g_assert_cmpint(send(s->console, sent, TEXT, 0), ==, TEXT);
    while (have < TEXT) { /* in as many pieces as the device likes */
        uint32_t len;

        submit(s, CONSOLE, 0, i, 0, TEXT - have);
        len = virtq_wait(&s->devs[CONSOLE], 0);
        qtest_read_bytes(s->q, place(s, CONSOLE, i) + BLOCK, got + have, len);
        have += len;
        i = (i + 1) % BATCH;
    }
    g_assert_cmpmem(got, TEXT, sent, TEXT);
    s->bytes += 2 * TEXT;
}

/* ---- disturbances ---- */

static void stop_and_ask(Soak *s)
{
    static const char *const questions[] = { "query-block", "query-blockstats", "query-chardev",
                                             "query-pci", "query-status" };

    qtest_qmp_ok(s->q, "{'execute': 'stop'}");
    qtest_qmp_ok(s->q, "{'execute': '%s'}",
                 questions[g_rand_int_range(s->rand, 0, G_N_ELEMENTS(questions))]);
    qtest_qmp_ok(s->q, "{'execute': 'cont'}");
    s->stops++;
}

/* Everything has something to do when it is reset, by its driver or with the machine. */
static void reset(Soak *s)
{
    for (unsigned i = 0; i < BATCH; i++) {
        submit_disk(s, DISK_SPLIT, i, READ, i);
        submit_disk(s, DISK_PACKED, i, READ, i);
        submit(s, NET_PACKED, 0, i, 0, BLOCK);
        submit(s, NET_SPLIT, 1, i, FRAME, 0);
    }
    submit(s, CONSOLE, 0, 0, 0, TEXT);
    if (g_rand_boolean(s->rand)) {
        qtest_qmp_ok(s->q, "{'execute': 'system_reset'}");
        json_object_unref(qtest_event(s->q, "RESET"));
    } else {
        for (unsigned i = 0; i < N_DEVICES; i++) {
            virtio_set_status(&s->devs[(i * 2 + 1) % N_DEVICES], 0);
        }
    }
    open_devices(s);
    s->resets++;
}

static void run(Soak *s, int seconds)
{
    gint64 until = g_get_monotonic_time() + seconds * G_USEC_PER_SEC;

    while (g_get_monotonic_time() < until) {
        disk_round(s, DISK_SPLIT, true);
        disk_round(s, DISK_PACKED, false);
        net_round(s, NET_SPLIT, NET_PACKED);
        net_round(s, NET_PACKED, NET_SPLIT);
        console_round(s);
        switch (g_rand_int_range(s->rand, 0, 40)) {
        case 0:
            stop_and_ask(s);
            break;
        case 1:
            reset(s);
            break;
        }
    }
}

int main(int argc, char **argv)
{
    int seconds = 10, seed = 1;
    const GOptionEntry options[] = {
        { "seconds", 's', 0, G_OPTION_ARG_INT, &seconds, "How long", "N" },
        { "seed", 0, 0, G_OPTION_ARG_INT, &seed, "Where chance starts", "N" },
        { NULL },
    };
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_autoptr(GError) error = NULL;
    static Soak s;

    g_option_context_add_main_entries(context, options, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error)) {
        fprintf(stderr, "soak: %s\n", error->message);
        return 1;
    }
    s.rand = g_rand_new_with_seed(seed);
    start(&s);
    run(&s, seconds);
    end(&s);
    printf("1..1\nok 1 soak of %d s: %" G_GUINT64_FORMAT " disk requests, %" G_GUINT64_FORMAT
           " packets, %" G_GUINT64_FORMAT " console bytes, %" G_GUINT64_FORMAT
           " resets, %" G_GUINT64_FORMAT " stops\n",
           seconds, s.requests, s.packets, s.bytes, s.resets, s.stops);
    return 0;
}
