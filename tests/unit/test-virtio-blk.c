/* SPDX-License-Identifier: GPL-2.0-or-later
 * The block device (virtio 1.2, section 5.2), driven by a guest through both register sets. The
 * image is a real file; fdatasync is replaced to see when data is made stable.
 */
#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "block/block.h"
#include "hw/core/user-object.h"
#include "util/error.h"
#include "virtio-driver.h"

enum {
    T_IN = 0,
    T_OUT = 1,
    T_FLUSH = 4,
    T_GET_ID = 8,
    T_DISCARD = 11,
    T_WRITE_ZEROES = 13,
    ST_OK = 0,
    ST_IOERR = 1,
    ST_UNSUPP = 2,
    F_SEG_MAX = 2,
    F_RO = 5,
    F_FLUSH = 9,
    F_CONFIG_WCE = 11,
    F_MQ = 12,
    F_DISCARD = 13,
    F_WRITE_ZEROES = 14,
    C_CAPACITY = R_CONFIG + 0,
    C_SEG_MAX = R_CONFIG + 12,
    C_BLK_SIZE = R_CONFIG + 20,
    C_WCE = R_CONFIG + 32,
    C_NUM_QUEUES = R_CONFIG + 34,
    IMAGE_SIZE = 1 << 20,
};

static gint syncs; /* atomic */
static gint sync_error;

int fdatasync(int fd)
{
    g_atomic_int_inc(&syncs);
    if (g_atomic_int_get(&sync_error) != 0) {
        errno = g_atomic_int_get(&sync_error);
        return -1;
    }
    return syscall(SYS_fdatasync, fd);
}

typedef struct {
    char *dir, *file;
    BlockBackend *blk;
    Guest *g;
    uint64_t data; /* guest buffer */
} Disk;

static uint8_t pattern(uint64_t i)
{
    return (i * 5 + i / 512) & 0xff;
}

static BlockBackend *open_image(Disk *d, bool read_only, bool writethrough)
{
    BlockOptions o = BLOCK_OPTIONS_INIT;
    g_autoptr(GError) error = NULL;
    BlockBackend *blk;

    o.filename = d->file;
    o.node_name = "disk0";
    o.read_only = read_only;
    o.writethrough = writethrough;
    o.discard_unmap = true;
    blk = block_open(&o, &error);
    g_assert_no_error(error);
    return blk;
}

static Disk *disk_new(void)
{
    Disk *d = g_new0(Disk, 1);
    g_autofree uint8_t *bytes = g_malloc(IMAGE_SIZE);

    for (unsigned i = 0; i < IMAGE_SIZE; i++) {
        bytes[i] = pattern(i);
    }
    d->dir = g_dir_make_tmp("humpy-vblk-XXXXXX", NULL);
    d->file = g_build_filename(d->dir, "disk.img", NULL);
    g_assert_true(g_file_set_contents(d->file, (char *)bytes, IMAGE_SIZE, NULL));
    g_atomic_int_set(&syncs, 0);
    g_atomic_int_set(&sync_error, 0);
    return d;
}

static void disk_plug(Disk *d, const GuestKind *kind, const char *const *props)
{
    const char *all[16] = { "drive=disk0" };

    for (unsigned i = 0; props != NULL && props[i] != NULL; i++) {
        all[i + 1] = props[i];
    }
    if (d->blk == NULL) {
        d->blk = open_image(d, false, false);
    }
    d->g = guest_new(kind);
    guest_plug_ok(d->g, "virtio-blk-device", all);
    d->data = guest_alloc(d->g, 1 << 20, 4096);
}

static Disk *disk_started(const GuestKind *kind, const char *const *props)
{
    Disk *d = disk_new();

    disk_plug(d, kind, props);
    guest_start(d->g, UINT64_MAX);
    return d;
}

static void disk_free(Disk *d)
{
    guest_free(d->g);
    block_unref(d->blk);
    g_unlink(d->file);
    g_rmdir(d->dir);
    g_free(d->file);
    g_free(d->dir);
    g_free(d);
}

static uint8_t *image_bytes(Disk *d)
{
    char *bytes;
    size_t size;

    g_assert_true(g_file_get_contents(d->file, &bytes, &size, NULL));
    g_assert_cmpuint(size, ==, IMAGE_SIZE);
    return (uint8_t *)bytes;
}

/* ---- requests ---- */

typedef struct {
    uint64_t header, status;
    unsigned queue;
} Req;

static Req new_request(Disk *d, uint32_t type, uint64_t sector)
{
    Req r = { .header = guest_alloc(d->g, 16, 8), .status = guest_alloc(d->g, 1, 1) };
    uint8_t *h = guest_ptr(d->g, r.header);
    uint32_t type_le = GUINT32_TO_LE(type), zero = 0;
    uint64_t sector_le = GUINT64_TO_LE(sector);

    memcpy(h, &type_le, 4);
    memcpy(h + 4, &zero, 4);
    memcpy(h + 8, &sector_le, 8);
    guest_fill(d->g, r.status, 0xee, 1);
    return r;
}

static void publish(Disk *d, const Req *r, uint64_t data, uint32_t len, bool device_writes)
{
    Buf bufs[] = { { r->header, 16, false }, { data, len, device_writes }, { r->status, 1, true } };

    if (len == 0) {
        bufs[1] = bufs[2];
    }
    guest_publish(d->g, r->queue, guest_chain(d->g, r->queue, bufs, len == 0 ? 2 : 3));
}

static uint8_t finish(Disk *d, const Req *r, uint32_t *used_len)
{
    Used used = guest_wait(d->g, r->queue);

    if (used_len != NULL) {
        *used_len = used.len;
    }
    return *(uint8_t *)guest_ptr(d->g, r->status);
}

/* All of one queue, which may end in any order. */
static void wait_all(Disk *d, const Req *r, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        guest_wait(d->g, r[i].queue);
    }
}

static uint8_t status_of(Disk *d, const Req *r)
{
    return *(uint8_t *)guest_ptr(d->g, r->status);
}

static uint8_t request(Disk *d, uint32_t type, uint64_t sector, uint64_t data, uint32_t len,
                       uint32_t *used_len)
{
    Req r = new_request(d, type, sector);

    publish(d, &r, data, len, type == T_IN || type == T_GET_ID);
    guest_notify(d->g, 0);
    return finish(d, &r, used_len);
}

static uint8_t range_request(Disk *d, uint32_t type, uint64_t sector, uint32_t sectors,
                             uint32_t flags)
{
    uint64_t seg = guest_alloc(d->g, 16, 8);
    uint8_t *p = guest_ptr(d->g, seg);
    uint64_t sector_le = GUINT64_TO_LE(sector);
    uint32_t sectors_le = GUINT32_TO_LE(sectors), flags_le = GUINT32_TO_LE(flags);

    memcpy(p, &sector_le, 8);
    memcpy(p + 8, &sectors_le, 4);
    memcpy(p + 12, &flags_le, 4);
    return request(d, type, 0, seg, 16, NULL);
}

/* ---- data path ---- */

static void test_read(gconstpointer kind)
{
    Disk *d = disk_started(kind, NULL);
    uint8_t *bytes = guest_ptr(d->g, d->data);
    uint32_t used;

    g_assert_cmpuint(request(d, T_IN, 7, d->data, 4096, &used), ==, ST_OK);
    g_assert_cmpuint(used, ==, 4097);
    for (unsigned i = 0; i < 4096; i++) {
        g_assert_cmpuint(bytes[i], ==, pattern(7 * 512 + i));
    }
    disk_free(d);
}

static void test_write(gconstpointer kind)
{
    Disk *d = disk_started(kind, NULL);
    g_autofree uint8_t *bytes = NULL;
    uint32_t used;

    guest_fill(d->g, d->data, 0xab, 1024);
    g_assert_cmpuint(request(d, T_OUT, 3, d->data, 1024, &used), ==, ST_OK);
    g_assert_cmpuint(used, ==, 1);
    bytes = image_bytes(d);
    for (unsigned i = 0; i < IMAGE_SIZE; i++) {
        bool in = i >= 3 * 512 && i < 5 * 512;

        g_assert_cmpuint(bytes[i], ==, in ? 0xab : pattern(i));
    }
    disk_free(d);
}

static void test_any_layout(gconstpointer kind)
{
    Disk *d = disk_started(kind, NULL);
    Req r = new_request(d, T_IN, 0);
    uint64_t in = guest_alloc(d->g, 513, 1);
    Buf bufs[] = { { r.header, 3, false },
                   { r.header + 3, 13, false },
                   { in, 100, true },
                   { in + 100, 413, true } };
    uint8_t *bytes = guest_ptr(d->g, in);

    bytes[512] = 0xee;
    guest_submit(d->g, 0, bufs, 4);
    guest_wait(d->g, 0);
    g_assert_cmpuint(bytes[512], ==, ST_OK);
    for (unsigned i = 0; i < 512; i++) {
        g_assert_cmpuint(bytes[i], ==, pattern(i));
    }
    disk_free(d);
}

static void test_merged(gconstpointer kind)
{
    enum { N = 40, SECTORS = 3 };
    Disk *d = disk_started(kind, NULL);
    Req reqs[N];
    g_autofree uint8_t *bytes = NULL;

    /* Neighbours, a gap, a backward step, reads between writes: all in one run of the queue. */
    for (unsigned i = 0; i < N; i++) {
        bool is_read = i % 7 == 3;

        reqs[i] = new_request(d, is_read ? T_IN : T_OUT, i * SECTORS + (i > 20 ? 5 : 0));
        guest_fill(d->g, d->data + i * 2048, i + 1, SECTORS * 512);
        publish(d, &reqs[i], d->data + i * 2048, SECTORS * 512, is_read);
    }
    guest_notify(d->g, 0);
    wait_all(d, reqs, N);
    for (unsigned i = 0; i < N; i++) {
        g_assert_cmpuint(status_of(d, &reqs[i]), ==, ST_OK);
    }
    bytes = image_bytes(d);
    for (unsigned i = 0; i < N; i++) {
        uint64_t at = (i * SECTORS + (i > 20 ? 5 : 0)) * 512;
        uint8_t *buf = guest_ptr(d->g, d->data + i * 2048);

        for (unsigned j = 0; j < SECTORS * 512; j++) {
            uint8_t want = i % 7 == 3 ? pattern(at + j) : i + 1;

            g_assert_cmpuint(bytes[at + j], ==, want);
            g_assert_cmpuint(buf[j], ==, want);
        }
    }
    disk_free(d);
}

static void test_merged_error_is_per_request(void)
{
    Disk *d = disk_started(&guest_kinds[0], NULL);
    Req reqs[3];

    /* The file ends in the middle of the second request. */
    g_assert_cmpint(truncate(d->file, 512 * 3), ==, 0);
    for (unsigned i = 0; i < 3; i++) {
        reqs[i] = new_request(d, T_IN, i * 2);
        publish(d, &reqs[i], d->data + i * 1024, 1024, true);
    }
    guest_notify(d->g, 0);
    wait_all(d, reqs, 3);
    for (unsigned i = 0; i < 3; i++) {
        g_assert_cmpuint(status_of(d, &reqs[i]), ==, i == 0 ? ST_OK : ST_IOERR);
    }
    disk_free(d);
}

static void test_get_id(gconstpointer kind)
{
    Disk *d = disk_started(kind, (const char *[]){ "serial=humpy-0001", NULL });
    uint32_t used;

    guest_fill(d->g, d->data, 0xff, 32);
    g_assert_cmpuint(request(d, T_GET_ID, 0, d->data, 20, &used), ==, ST_OK);
    g_assert_cmpuint(used, ==, 21);
    g_assert_cmpmem(guest_ptr(d->g, d->data), 20, "humpy-0001\0\0\0\0\0\0\0\0\0\0", 20);
    disk_free(d);
}

static void test_two_queues(void)
{
    Disk *d = disk_started(&guest_kinds[0], (const char *[]){ "num-queues=4", NULL });

    g_assert_true(d->g->features & 1ull << F_MQ);
    g_assert_cmpuint(guest_rd(d->g, C_NUM_QUEUES & ~3u) >> 16, ==, 4);
    for (unsigned q = 0; q < 4; q++) {
        Req r = new_request(d, T_IN, q);

        r.queue = q;
        publish(d, &r, d->data, 512, true);
        guest_notify(d->g, q);
        g_assert_cmpuint(finish(d, &r, NULL), ==, ST_OK);
        g_assert_cmpuint(*(uint8_t *)guest_ptr(d->g, d->data), ==, pattern(q * 512));
    }
    disk_free(d);
}

/* ---- stable storage ---- */

static void test_flush(gconstpointer kind)
{
    Disk *d = disk_started(kind, NULL);

    guest_fill(d->g, d->data, 0x77, 512);
    g_assert_cmpuint(request(d, T_OUT, 0, d->data, 512, NULL), ==, ST_OK);
    g_assert_cmpint(g_atomic_int_get(&syncs), ==, 0);
    g_assert_cmpuint(request(d, T_FLUSH, 0, 0, 0, NULL), ==, ST_OK);
    g_assert_cmpint(g_atomic_int_get(&syncs), ==, 1);
    disk_free(d);
}

static void test_flush_follows_waiting_writes(void)
{
    Disk *d = disk_started(&guest_kinds[0], NULL);
    Req w = new_request(d, T_OUT, 9), f = new_request(d, T_FLUSH, 0);
    g_autofree uint8_t *bytes = NULL;

    guest_fill(d->g, d->data, 0x99, 512);
    publish(d, &w, d->data, 512, false);
    publish(d, &f, 0, 0, false);
    guest_notify(d->g, 0);
    wait_all(d, (Req[]){ w, f }, 2);
    g_assert_cmpuint(status_of(d, &w), ==, ST_OK);
    g_assert_cmpuint(status_of(d, &f), ==, ST_OK);
    bytes = image_bytes(d);
    g_assert_cmpuint(bytes[9 * 512], ==, 0x99);
    g_assert_cmpint(g_atomic_int_get(&syncs), ==, 1);
    disk_free(d);
}

static void test_flush_error(void)
{
    Disk *d = disk_started(&guest_kinds[0], NULL);

    g_atomic_int_set(&sync_error, EIO);
    g_assert_cmpuint(request(d, T_FLUSH, 0, 0, 0, NULL), ==, ST_IOERR);
    disk_free(d);
}

static void test_no_flush_feature_means_writethrough(gconstpointer kind)
{
    Disk *d = disk_new();

    disk_plug(d, kind, NULL);
    guest_start(d->g, ~(1ull << F_FLUSH | 1ull << F_CONFIG_WCE));
    g_assert_cmpuint(request(d, T_OUT, 0, d->data, 512, NULL), ==, ST_OK);
    g_assert_cmpint(g_atomic_int_get(&syncs), ==, 1);
    disk_free(d);
}

static void test_wce_switch(void)
{
    Disk *d = disk_started(&guest_kinds[0], NULL);
    uint64_t value;

    address_space_ld(d->g->as, MMIO_BASE + C_WCE, 1, &value);
    g_assert_cmpuint(value, ==, 1);
    address_space_st(d->g->as, MMIO_BASE + C_WCE, 1, 0);
    address_space_ld(d->g->as, MMIO_BASE + C_WCE, 1, &value);
    g_assert_cmpuint(value, ==, 0);
    g_assert_cmpuint(request(d, T_OUT, 0, d->data, 512, NULL), ==, ST_OK);
    g_assert_cmpint(g_atomic_int_get(&syncs), ==, 1);
    guest_wr(d->g, R_STATUS, 0);
    address_space_ld(d->g->as, MMIO_BASE + C_WCE, 1, &value);
    g_assert_cmpuint(value, ==, 1);
    disk_free(d);
}

static void test_config_is_read_only(void)
{
    Disk *d = disk_started(&guest_kinds[0], NULL);
    uint32_t capacity = guest_rd(d->g, C_CAPACITY);

    guest_wr(d->g, C_CAPACITY, 1);
    g_assert_cmpuint(guest_rd(d->g, C_CAPACITY), ==, capacity);
    g_assert_cmpuint(request(d, T_IN, 100, d->data, 512, NULL), ==, ST_OK);
    disk_free(d);
}

/* ---- bounds and bad requests ---- */

static void test_bounds(gconstpointer kind)
{
    static const struct {
        uint64_t sector;
        uint32_t len;
        uint8_t status;
    } rows[] = {
        { 0, 512, ST_OK },
        { IMAGE_SIZE / 512 - 1, 512, ST_OK },
        { IMAGE_SIZE / 512, 512, ST_IOERR },
        { IMAGE_SIZE / 512 - 1, 1024, ST_IOERR },
        { UINT64_MAX, 512, ST_IOERR },
        { 1ull << 55, 512, ST_IOERR },
        { (1ull << 55) - 1, 1024, ST_IOERR },
        { 0, 511, ST_IOERR },
        { 0, 513, ST_IOERR },
        { IMAGE_SIZE / 512, 0, ST_OK },
    };
    Disk *d = disk_started(kind, NULL);
    g_autofree uint8_t *before = image_bytes(d), *after = NULL;

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        uint8_t got = request(d, T_IN, rows[i].sector, d->data, rows[i].len, NULL);

        g_assert_cmpuint(got, ==, rows[i].status);
        if (rows[i].status != ST_OK) {
            got = request(d, T_OUT, rows[i].sector, d->data, rows[i].len, NULL);
            g_assert_cmpuint(got, ==, ST_IOERR);
        }
    }
    after = image_bytes(d);
    g_assert_cmpmem(before, IMAGE_SIZE, after, IMAGE_SIZE);
    disk_free(d);
}

static void test_unknown_type(gconstpointer kind)
{
    Disk *d = disk_started(kind, NULL);

    g_assert_cmpuint(request(d, 0x12345678, 0, d->data, 512, NULL), ==, ST_UNSUPP);
    g_assert_cmpuint(request(d, 2, 0, 0, 0, NULL), ==, ST_UNSUPP);
    g_assert_cmpuint(request(d, T_IN, 0, d->data, 512, NULL), ==, ST_OK);
    disk_free(d);
}

static void check_broken(Disk *d)
{
    guest_wait_isr(d->g, ISR_CONFIG);
    g_assert_true(guest_rd(d->g, R_STATUS) & S_NEEDS_RESET);
    guest_start(d->g, UINT64_MAX);
    g_assert_cmpuint(request(d, T_IN, 0, d->data, 512, NULL), ==, ST_OK);
}

static void test_no_room_for_status(void)
{
    Disk *d = disk_started(&guest_kinds[0], NULL);
    Req r = new_request(d, T_OUT, 0);

    guest_submit(d->g, 0, (Buf[]){ { r.header, 16, false }, { d->data, 512, false } }, 2);
    check_broken(d);
    disk_free(d);
}

static void test_short_header(void)
{
    Disk *d = disk_started(&guest_kinds[0], NULL);
    Req r = new_request(d, T_IN, 0);

    guest_submit(d->g, 0, (Buf[]){ { r.header, 15, false }, { r.status, 1, true } }, 2);
    check_broken(d);
    disk_free(d);
}

static void test_read_only(gconstpointer kind)
{
    Disk *d = disk_new();

    d->blk = open_image(d, true, false);
    disk_plug(d, kind, NULL);
    guest_start(d->g, UINT64_MAX);
    g_assert_true(d->g->features & 1ull << F_RO);
    g_assert_false(d->g->features & 1ull << F_DISCARD);
    g_assert_cmpuint(request(d, T_OUT, 0, d->data, 512, NULL), ==, ST_IOERR);
    g_assert_cmpuint(range_request(d, T_DISCARD, 0, 8, 0), ==, ST_IOERR);
    g_assert_cmpuint(request(d, T_IN, 0, d->data, 512, NULL), ==, ST_OK);
    disk_free(d);
}

/* ---- discard and zeroes ---- */

static void test_write_zeroes(gconstpointer kind)
{
    Disk *d = disk_started(kind, NULL);
    g_autofree uint8_t *bytes = NULL;

    g_assert_cmpuint(range_request(d, T_WRITE_ZEROES, 10, 20, 0), ==, ST_OK);
    g_assert_cmpuint(range_request(d, T_WRITE_ZEROES, 50, 8, 1), ==, ST_OK);
    bytes = image_bytes(d);
    for (unsigned i = 0; i < IMAGE_SIZE; i++) {
        unsigned s = i / 512;
        bool zero = (s >= 10 && s < 30) || (s >= 50 && s < 58);

        g_assert_cmpuint(bytes[i], ==, zero ? 0 : pattern(i));
    }
    disk_free(d);
}

static void test_discard(gconstpointer kind)
{
    Disk *d = disk_started(kind, NULL);
    g_autofree uint8_t *bytes = NULL;

    g_assert_cmpuint(range_request(d, T_DISCARD, 8, 8, 0), ==, ST_OK);
    bytes = image_bytes(d);
    for (unsigned i = 0; i < IMAGE_SIZE; i++) {
        g_assert_cmpuint(bytes[i], ==, i / 4096 == 1 ? 0 : pattern(i));
    }
    disk_free(d);
}

static void test_range_rules(void)
{
    static const struct {
        uint32_t type;
        uint64_t sector;
        uint32_t sectors, flags;
        uint8_t status;
    } rows[] = {
        { T_DISCARD, 0, 8, 1, ST_UNSUPP },
        { T_DISCARD, 0, 8, 2, ST_UNSUPP },
        { T_WRITE_ZEROES, 0, 8, 2, ST_UNSUPP },
        { T_WRITE_ZEROES, 0, 8, 0x80000001, ST_UNSUPP },
        { T_DISCARD, IMAGE_SIZE / 512, 1, 0, ST_IOERR },
        { T_DISCARD, UINT64_MAX, 2, 0, ST_IOERR },
        { T_WRITE_ZEROES, 0, UINT32_MAX, 0, ST_IOERR },
        { T_WRITE_ZEROES, IMAGE_SIZE / 512 - 1, 2, 0, ST_IOERR },
        { T_WRITE_ZEROES, 0, 101, 0, ST_IOERR },
        { T_WRITE_ZEROES, 0, 100, 0, ST_OK },
    };
    Disk *d =
        disk_started(&guest_kinds[0], (const char *[]){ "max-write-zeroes-sectors=100", NULL });

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        uint8_t got =
            range_request(d, rows[i].type, rows[i].sector, rows[i].sectors, rows[i].flags);

        g_assert_cmpuint(got, ==, rows[i].status);
    }
    g_assert_cmpuint(request(d, T_DISCARD, 0, d->data, 15, NULL), ==, ST_UNSUPP);
    g_assert_cmpuint(request(d, T_DISCARD, 0, d->data, 32, NULL), ==, ST_UNSUPP);
    disk_free(d);
}

/* ---- configuration and properties ---- */

static void test_config(gconstpointer kind)
{
    Disk *d =
        disk_started(kind, (const char *[]){ "logical_block_size=4096", "physical_block_size=8192",
                                             "queue-size=128", NULL });
    uint64_t value;

    g_assert_cmpuint(guest_rd(d->g, R_DEVICE_ID), ==, 2);
    g_assert_cmpuint(address_space_ld(d->g->as, MMIO_BASE + C_CAPACITY, 8, &value), ==, MEMTX_OK);
    g_assert_cmpuint(value, ==, IMAGE_SIZE / 512);
    g_assert_cmpuint(guest_rd(d->g, C_SEG_MAX), ==, 126);
    g_assert_cmpuint(guest_rd(d->g, C_BLK_SIZE), ==, 4096);
    address_space_ld(d->g->as, MMIO_BASE + C_BLK_SIZE + 4, 1, &value);
    g_assert_cmpuint(value, ==, 1);
    g_assert_cmpuint(request(d, T_IN, 0, d->data, 512, NULL), ==, ST_IOERR);
    g_assert_cmpuint(request(d, T_IN, 1, d->data, 4096, NULL), ==, ST_IOERR);
    g_assert_cmpuint(request(d, T_IN, 8, d->data, 4096, NULL), ==, ST_OK);
    disk_free(d);
}

static void test_features_follow_properties(void)
{
    Disk *d = disk_new();

    disk_plug(d, &guest_kinds[0],
              (const char *[]){ "discard=off", "write-zeroes=off", "config-wce=off",
                                "write-cache=off", "event_idx=off", "indirect_desc=off", NULL });
    g_assert_cmphex(guest_offered(d->g) &
                        (1ull << F_DISCARD | 1ull << F_WRITE_ZEROES | 1ull << F_CONFIG_WCE |
                         1ull << F_FLUSH | 1ull << F_MQ | 1ull << F_EVENT_IDX | 1ull << F_INDIRECT),
                    ==, 0);
    g_assert_cmphex(guest_offered(d->g) & 1ull << F_SEG_MAX, !=, 0);
    disk_free(d);
}

static void test_property_errors(void)
{
    static const struct {
        const char *prop;
        int code;
        const char *message;
    } rows[] = {
        { "drive=none", HUMPY_ERROR_UNKNOWN, "drive 'none' is not known" },
        { "logical_block_size=600", HUMPY_ERROR_RANGE, "logical_block_size is 600" },
        { "logical_block_size=1024", HUMPY_ERROR_RANGE, "physical_block_size is 512" },
        { "queue-size=100", HUMPY_ERROR_RANGE, "queue-size is 100" },
        { "discard_granularity=100", HUMPY_ERROR_RANGE, "discard_granularity is 100" },
        { "serial=a-serial-number-of-more-than-20", HUMPY_ERROR_RANGE, "serial is 'a-" },
    };
    Disk *d = disk_new();

    d->blk = open_image(d, false, false);
    d->g = guest_new(&guest_kinds[0]);
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        const char *props[] = { "drive=disk0", rows[i].prop, NULL };
        g_autoptr(GError) error = NULL;

        g_assert_false(guest_plug(d->g, "virtio-blk-device", props, &error));
        g_assert_error(error, HUMPY_ERROR, rows[i].code);
        g_assert_true(g_str_has_prefix(error->message, rows[i].message));
        g_assert_null(d->g->dev);
    }
    guest_plug_ok(d->g, "virtio-blk-device", (const char *[]){ "drive=disk0", NULL });
    disk_free(d);
}

/* The thread is an object that is in use as long as the disk is there. */
static void test_shared_iothread(void)
{
    g_autoptr(KeyVal) kv = keyval_parse("iothread,id=t0", "qom-type", NULL);
    Disk *d;

    hw_register_types();
    g_assert_nonnull(user_object_add(kv, NULL));
    d = disk_started(&guest_kinds[0], (const char *[]){ "drive=disk0", "iothread=t0", NULL });
    g_assert_cmpuint(request(d, T_IN, 7, d->data, 512, NULL), ==, ST_OK);
    g_assert_false(user_object_del("t0", NULL));
    disk_free(d);
    g_assert_true(user_object_del("t0", NULL));
}

static void test_drive_has_one_user(void)
{
    Disk *d = disk_started(&guest_kinds[0], NULL);
    Guest *other = guest_new(&guest_kinds[0]);
    const char *props[] = { "drive=disk0", NULL };
    g_autoptr(GError) error = NULL;

    g_assert_false(guest_plug(other, "virtio-blk-device", props, &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT);
    guest_unplug(d->g);
    guest_plug_ok(other, "virtio-blk-device", props);
    guest_free(other);
    disk_free(d);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    guest_add_test("/virtio-blk", "read", test_read);
    guest_add_test("/virtio-blk", "write", test_write);
    guest_add_test("/virtio-blk", "any-layout-of-buffers", test_any_layout);
    guest_add_test("/virtio-blk", "waiting-neighbours-all-served", test_merged);
    guest_add_test("/virtio-blk", "get-id", test_get_id);
    guest_add_test("/virtio-blk", "flush-is-fdatasync", test_flush);
    guest_add_test("/virtio-blk", "no-flush-feature-means-writethrough",
                   test_no_flush_feature_means_writethrough);
    guest_add_test("/virtio-blk", "requests-beyond-capacity-fail", test_bounds);
    guest_add_test("/virtio-blk", "unknown-type-is-unsupported", test_unknown_type);
    guest_add_test("/virtio-blk", "read-only-drive", test_read_only);
    guest_add_test("/virtio-blk", "write-zeroes", test_write_zeroes);
    guest_add_test("/virtio-blk", "discard", test_discard);
    guest_add_test("/virtio-blk", "config", test_config);
    g_test_add_func("/virtio-blk/merged-error-is-per-request", test_merged_error_is_per_request);
    g_test_add_func("/virtio-blk/every-queue-serves", test_two_queues);
    g_test_add_func("/virtio-blk/flush-follows-waiting-writes", test_flush_follows_waiting_writes);
    g_test_add_func("/virtio-blk/flush-error-reaches-guest", test_flush_error);
    g_test_add_func("/virtio-blk/wce-off-makes-writes-stable", test_wce_switch);
    g_test_add_func("/virtio-blk/config-is-read-only", test_config_is_read_only);
    g_test_add_func("/virtio-blk/no-room-for-status-needs-reset", test_no_room_for_status);
    g_test_add_func("/virtio-blk/short-header-needs-reset", test_short_header);
    g_test_add_func("/virtio-blk/discard-and-zeroes-rules", test_range_rules);
    g_test_add_func("/virtio-blk/features-follow-properties", test_features_follow_properties);
    g_test_add_func("/virtio-blk/property-errors", test_property_errors);
    g_test_add_func("/virtio-blk/shared-iothread", test_shared_iothread);
    g_test_add_func("/virtio-blk/drive-has-one-user", test_drive_has_one_user);
    return g_test_run();
}
