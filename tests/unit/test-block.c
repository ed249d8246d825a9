/* SPDX-License-Identifier: GPL-2.0-or-later
 * Rules of the block layer (include/block/block.h) with the raw driver on files in a temporary
 * directory. The host calls whose failure matters are replaced here so that they can fail.
 */
#include "block/block.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd.h"
#include "util/iov.h"

/* ---- host calls that can be made to fail; the library's references end up here ---- */

static struct {
    int fdatasync_error, fallocate_error, pwritev_error;
    unsigned fdatasyncs, fallocates;
    int last_mode;
    size_t pwritev_limit; /* longest transfer, 0: any */
} host;

int statx(int dir, const char *path, int flags, unsigned mask, struct statx *stx)
{
    int result = syscall(SYS_statx, dir, path, flags, mask, stx);

    if (result == 0 && (mask & STATX_DIOALIGN) != 0) {
        stx->stx_mask |= STATX_DIOALIGN; /* the strictest disk: 4096 bytes */
        stx->stx_dio_offset_align = 4096;
        stx->stx_dio_mem_align = 4096;
    }
    return result;
}

int fdatasync(int fd)
{
    host.fdatasyncs++;
    if (host.fdatasync_error != 0) {
        errno = host.fdatasync_error;
        return -1;
    }
    return syscall(SYS_fdatasync, fd);
}

int fallocate(int fd, int mode, off_t offset, off_t len)
{
    host.fallocates++;
    host.last_mode = mode;
    if (host.fallocate_error != 0) {
        errno = host.fallocate_error;
        return -1;
    }
    return syscall(SYS_fallocate, fd, mode, offset, len);
}

ssize_t pwritev(int fd, const struct iovec *iov, int n, off_t offset)
{
    if (host.pwritev_error != 0) {
        errno = host.pwritev_error;
        return -1;
    }
    if (host.pwritev_limit != 0 && iov[0].iov_len > host.pwritev_limit) {
        return pwrite(fd, iov[0].iov_base, host.pwritev_limit, offset);
    }
    return syscall(SYS_pwritev, fd, iov, n, offset, 0L);
}

/* ---- a disk image per test ---- */

typedef struct {
    char *dir, *file;
} Fixture;

static void setup(Fixture *f, gconstpointer data)
{
    memset(&host, 0, sizeof(host));
    f->dir = g_dir_make_tmp("humpy-block-XXXXXX", NULL);
    g_assert_nonnull(f->dir);
    f->file = g_build_filename(f->dir, "disk.img", NULL);
}

static void teardown(Fixture *f, gconstpointer data)
{
    g_unlink(f->file);
    g_rmdir(f->dir);
    g_free(f->file);
    g_free(f->dir);
}

/* Byte i of the image is a function of i, so that misplaced data shows. */
static uint8_t pattern(uint64_t i)
{
    return (i * 7 + i / 256) & 0xff;
}

static void make_image(Fixture *f, size_t size)
{
    g_autofree uint8_t *bytes = g_malloc(size);
    g_autoptr(GError) error = NULL;

    for (size_t i = 0; i < size; i++) {
        bytes[i] = pattern(i);
    }
    g_file_set_contents(f->file, (char *)bytes, size, &error);
    g_assert_no_error(error);
    memset(&host, 0, sizeof(host)); /* GLib made some of the calls, too */
}

static uint8_t *image_bytes(Fixture *f, size_t *size)
{
    char *bytes;

    g_assert_true(g_file_get_contents(f->file, &bytes, size, NULL));
    return (uint8_t *)bytes;
}

static BlockOptions options(Fixture *f)
{
    BlockOptions o = BLOCK_OPTIONS_INIT;

    o.filename = f->file;
    return o;
}

static BlockBackend *open_ok(const BlockOptions *o)
{
    g_autoptr(GError) error = NULL;
    BlockBackend *blk = block_open(o, &error);

    g_assert_no_error(error);
    g_assert_nonnull(blk);
    return blk;
}

static void open_fails(const BlockOptions *o, HumpyError code, const char *message)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(block_open(o, &error));
    g_assert_error(error, HUMPY_ERROR, (int)code);
    g_assert_nonnull(strstr(error->message, message));
    g_assert_null(strchr(error->message, '\n'));
}

static int read1(BlockBackend *blk, uint64_t offset, void *buf, size_t len)
{
    struct iovec iov = { buf, len };

    return block_preadv(blk, offset, &iov, 1);
}

static int write1(BlockBackend *blk, uint64_t offset, const void *buf, size_t len)
{
    struct iovec iov = { (void *)buf, len };

    return block_pwritev(blk, offset, &iov, 1);
}

static void assert_pattern(const uint8_t *bytes, uint64_t from, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        g_assert_cmpuint(bytes[i], ==, pattern(from + i));
    }
}

static void assert_bytes(const uint8_t *bytes, uint8_t value, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        g_assert_cmpuint(bytes[i], ==, value);
    }
}

/* ---- reading and writing ---- */

static void test_read_scatters(Fixture *f, gconstpointer data)
{
    uint8_t a[100], b[924];
    struct iovec iov[] = { { a, sizeof(a) }, { b, 0 }, { b, sizeof(b) } };
    BlockOptions o = options(f);
    g_autoptr(BlockBackend) blk = NULL;

    make_image(f, 8192);
    blk = open_ok(&o);
    g_assert_cmpuint(block_length(blk), ==, 8192);
    g_assert_cmpint(block_preadv(blk, 512, iov, 3), ==, 0);
    assert_pattern(a, 512, sizeof(a));
    assert_pattern(b, 612, sizeof(b));
}

static void test_short_writes_continue(Fixture *f, gconstpointer data)
{
    uint8_t a[300], b[724];
    struct iovec iov[] = { { a, sizeof(a) }, { b, sizeof(b) } };
    BlockOptions o = options(f);
    g_autoptr(BlockBackend) blk = NULL;
    g_autofree uint8_t *bytes = NULL;
    size_t size;

    make_image(f, 4096);
    memset(a, 0xaa, sizeof(a));
    memset(b, 0xbb, sizeof(b));
    blk = open_ok(&o);
    host.pwritev_limit = 70;
    g_assert_cmpint(block_pwritev(blk, 1024, iov, 2), ==, 0);
    bytes = image_bytes(f, &size);
    assert_pattern(bytes, 0, 1024);
    assert_bytes(bytes + 1024, 0xaa, 300);
    assert_bytes(bytes + 1324, 0xbb, 724);
    assert_pattern(bytes + 2048, 2048, 2048);
}

static void test_many_iovecs(Fixture *f, gconstpointer data)
{
    enum { N = 3072 };
    g_autofree struct iovec *iov = g_new(struct iovec, N);
    g_autofree uint8_t *buf = g_malloc(N * 2);
    BlockOptions o = options(f);
    g_autoptr(BlockBackend) blk = NULL;

    make_image(f, N * 2);
    for (unsigned i = 0; i < N; i++) {
        iov[i] = (struct iovec){ buf + i * 2, 2 };
    }
    blk = open_ok(&o);
    g_assert_cmpint(block_preadv(blk, 0, iov, N), ==, 0);
    assert_pattern(buf, 0, N * 2);
}

static void test_bounds(Fixture *f, gconstpointer data)
{
    static const struct {
        uint64_t offset, length;
        int result;
    } rows[] = {
        { 0, 4096, 0 },
        { 4096, 0, 0 },
        { 4096, 512, -EIO },
        { 3584, 1024, -EIO },
        { 1ull << 63, 512, -EIO },
        { -512ull, 512, -EIO },
        { 1, 512, -EINVAL },
        { 0, 511, -EINVAL },
    };
    uint8_t buf[4096] = { 0 };
    BlockOptions o = options(f);
    g_autoptr(BlockBackend) blk = NULL;

    make_image(f, 4096);
    blk = open_ok(&o);
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        uint64_t offset = rows[i].offset, length = rows[i].length;

        g_assert_cmpint(read1(blk, offset, buf, length), ==, rows[i].result);
        g_assert_cmpint(write1(blk, offset, buf, length), ==, rows[i].result);
        g_assert_cmpint(block_discard(blk, offset, length), ==, rows[i].result);
        g_assert_cmpint(block_write_zeroes(blk, offset, length, true), ==, rows[i].result);
    }
}

static void test_odd_size(Fixture *f, gconstpointer data)
{
    uint8_t buf[1024];
    BlockOptions o = options(f);
    g_autoptr(BlockBackend) blk = NULL;
    g_autofree uint8_t *bytes = NULL;
    size_t size;

    make_image(f, 1000);
    blk = open_ok(&o);
    g_assert_cmpuint(block_length(blk), ==, 1024);
    memset(buf, 0xff, sizeof(buf));
    g_assert_cmpint(read1(blk, 0, buf, 1024), ==, 0);
    assert_pattern(buf, 0, 1000);
    assert_bytes(buf + 1000, 0, 24);
    memset(buf, 0x55, 512);
    g_assert_cmpint(write1(blk, 512, buf, 512), ==, 0);
    g_assert_cmpint(read1(blk, 512, buf + 512, 512), ==, 0);
    assert_bytes(buf + 512, 0x55, 512);
    bytes = image_bytes(f, &size);
    g_assert_cmpuint(size, ==, 1024);
}

static void test_truncated(Fixture *f, gconstpointer data)
{
    uint8_t buf[1024];
    BlockOptions o = options(f);
    g_autoptr(BlockBackend) blk = NULL;

    make_image(f, 4096);
    blk = open_ok(&o);
    g_assert_cmpint(truncate(f->file, 1024), ==, 0);
    g_assert_cmpint(read1(blk, 0, buf, 1024), ==, 0);
    g_assert_cmpint(read1(blk, 512, buf, 1024), ==, -EIO);
}

static void test_write_error(Fixture *f, gconstpointer data)
{
    uint8_t buf[512] = { 0 };
    BlockOptions o = options(f);
    g_autoptr(BlockBackend) blk = NULL;

    make_image(f, 4096);
    blk = open_ok(&o);
    host.pwritev_error = ENOSPC;
    g_assert_cmpint(write1(blk, 0, buf, 512), ==, -ENOSPC);
    host.pwritev_error = EIO;
    g_assert_cmpint(write1(blk, 0, buf, 512), ==, -EIO);
}

static void test_read_only(Fixture *f, gconstpointer data)
{
    uint8_t buf[512];
    BlockOptions o = options(f);
    g_autoptr(BlockBackend) blk = NULL;

    make_image(f, 4096);
    o.read_only = true;
    blk = open_ok(&o);
    g_assert_true(block_is_read_only(blk));
    g_assert_cmpint(read1(blk, 512, buf, 512), ==, 0);
    assert_pattern(buf, 512, 512);
    g_assert_cmpint(write1(blk, 0, buf, 512), ==, -EROFS);
    g_assert_cmpint(block_discard(blk, 0, 512), ==, -EROFS);
    g_assert_cmpint(block_write_zeroes(blk, 0, 512, false), ==, -EROFS);
}

static void test_auto_read_only(Fixture *f, gconstpointer data)
{
    BlockOptions o = options(f);
    g_autoptr(BlockBackend) blk = NULL;
    uid_t user = geteuid();

    make_image(f, 4096);
    g_assert_cmpint(chmod(f->dir, 0755), ==, 0);
    g_assert_cmpint(chmod(f->file, 0444), ==, 0);
    if (user == 0) { /* who may write everything */
        g_assert_cmpint(seteuid(65534), ==, 0);
    }
    open_fails(&o, HUMPY_ERROR_HOST, "for writing: Permission denied");
    o.auto_read_only = true;
    blk = open_ok(&o);
    g_assert_true(block_is_read_only(blk));
    g_assert_cmpint(seteuid(user), ==, 0);
}

/* ---- cache modes ---- */

static void test_cache_modes(Fixture *f, gconstpointer data)
{
    static const struct {
        const char *mode;
        bool direct, no_flush, writethrough;
    } rows[] = {
        { "none", true, false, false },         { "writeback", false, false, false },
        { "writethrough", false, false, true }, { "directsync", true, false, true },
        { "unsafe", false, true, false },
    };
    g_autoptr(GError) error = NULL;
    BlockOptions o = options(f);

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_assert_true(block_options_set_cache(&o, rows[i].mode, NULL));
        g_assert_cmpint(o.cache_direct, ==, rows[i].direct);
        g_assert_cmpint(o.cache_no_flush, ==, rows[i].no_flush);
        g_assert_cmpint(o.writethrough, ==, rows[i].writethrough);
    }
    g_assert_false(block_options_set_cache(&o, "never", &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE);
    g_assert_nonnull(strstr(error->message, "'never'"));
}

static void test_flush_syncs(Fixture *f, gconstpointer data)
{
    uint8_t buf[512] = { 0 };
    BlockOptions o = options(f);
    g_autoptr(BlockBackend) blk = NULL;

    make_image(f, 4096);
    blk = open_ok(&o);
    g_assert_cmpint(write1(blk, 0, buf, 512), ==, 0);
    g_assert_cmpuint(host.fdatasyncs, ==, 0);
    g_assert_cmpint(block_flush(blk), ==, 0);
    g_assert_cmpuint(host.fdatasyncs, ==, 1);
}

static void test_writethrough_syncs_each_write(Fixture *f, gconstpointer data)
{
    uint8_t buf[512] = { 0 };
    BlockOptions o = options(f);
    g_autoptr(BlockBackend) blk = NULL;

    make_image(f, 4096);
    o.writethrough = true;
    blk = open_ok(&o);
    g_assert_cmpint(write1(blk, 0, buf, 512), ==, 0);
    g_assert_cmpuint(host.fdatasyncs, ==, 1);
    g_assert_cmpint(block_write_zeroes(blk, 0, 512, false), ==, 0);
    g_assert_cmpuint(host.fdatasyncs, ==, 2);
    host.fdatasync_error = EIO;
    g_assert_cmpint(write1(blk, 0, buf, 512), ==, -EIO);
}

static void test_unsafe_never_syncs(Fixture *f, gconstpointer data)
{
    BlockOptions o = options(f);
    g_autoptr(BlockBackend) blk = NULL;

    make_image(f, 4096);
    o.cache_no_flush = true;
    blk = open_ok(&o);
    g_assert_cmpint(block_flush(blk), ==, 0);
    g_assert_cmpuint(host.fdatasyncs, ==, 0);
}

static void test_failed_flush_stays_failed(Fixture *f, gconstpointer data)
{
    BlockOptions o = options(f);
    g_autoptr(BlockBackend) blk = NULL;

    make_image(f, 4096);
    blk = open_ok(&o);
    host.fdatasync_error = EIO;
    g_assert_cmpint(block_flush(blk), ==, -EIO);
    host.fdatasync_error = 0;
    g_assert_cmpint(block_flush(blk), ==, -EIO);
}

/* An image opened with O_DIRECT, or NULL after skipping where the file system has none. */
static BlockBackend *open_direct(Fixture *f)
{
    BlockOptions o = options(f);
    g_autoptr(GError) error = NULL;
    BlockBackend *blk;

    o.cache_direct = true;
    blk = block_open(&o, &error);
    if (blk == NULL && strstr(error->message, "no direct I/O") != NULL) {
        g_test_skip("the temporary directory has no direct I/O");
        return NULL;
    }
    g_assert_no_error(error);
    return blk;
}

static void test_direct_unaligned(Fixture *f, gconstpointer data)
{
    enum { SIZE = 3 << 20, FROM = 512 * 3, LEN = (2 << 20) + 512 * 4 };
    g_autofree uint8_t *memory = g_malloc(SIZE + 1), *expected = g_malloc(SIZE);
    uint8_t *odd = memory + 1;
    struct iovec iov[] = { { odd, 1000 }, { odd + 1000, LEN - 1000 } };
    g_autoptr(BlockBackend) blk = NULL;
    g_autofree uint8_t *bytes = NULL;
    size_t size;

    make_image(f, SIZE);
    blk = open_direct(f);
    if (blk == NULL) {
        return;
    }
    g_assert_cmpint(block_preadv(blk, FROM, iov, 2), ==, 0);
    assert_pattern(odd, FROM, LEN);
    for (size_t i = 0; i < SIZE; i++) {
        expected[i] = pattern(i);
    }
    memset(odd, 0xcd, LEN);
    memset(expected + FROM, 0xcd, LEN);
    g_assert_cmpint(block_pwritev(blk, FROM, iov, 2), ==, 0);
    memset(expected + SIZE - 512, 0xcd, 512);
    g_assert_cmpint(write1(blk, SIZE - 512, odd, 512), ==, 0);
    g_assert_cmpint(block_flush(blk), ==, 0);
    bytes = image_bytes(f, &size);
    g_assert_cmpmem(bytes, size, expected, SIZE);
}

static void test_direct_odd_size(Fixture *f, gconstpointer data)
{
    BlockOptions o = options(f);
    g_autoptr(BlockBackend) blk = NULL;
    uint8_t buf[1024];

    make_image(f, 4096);
    blk = open_direct(f);
    if (blk == NULL) {
        return;
    }
    g_clear_pointer(&blk, block_unref);
    make_image(f, 1000);
    o.cache_direct = true;
    open_fails(&o, HUMPY_ERROR_RANGE, "has 1000 bytes");
    o.read_only = true;
    blk = open_ok(&o);
    memset(buf, 0xff, sizeof(buf));
    g_assert_cmpint(read1(blk, 0, buf, 1024), ==, 0);
    assert_pattern(buf, 0, 1000);
    assert_bytes(buf + 1000, 0, 24);
}

/* ---- zeroes and discards ---- */

static void check_zeroed(Fixture *f, int fallocate_error)
{
    enum { SIZE = 4 << 20, FROM = 512, LEN = (3 << 20) + 512 };
    BlockOptions o = options(f);
    g_autoptr(BlockBackend) blk = NULL;
    g_autofree uint8_t *bytes = NULL;
    size_t size;

    make_image(f, SIZE);
    o.discard_unmap = true;
    blk = open_ok(&o);
    host.fallocate_error = fallocate_error;
    g_assert_cmpint(block_write_zeroes(blk, FROM, LEN, true), ==, 0);
    bytes = image_bytes(f, &size);
    g_assert_cmpuint(size, ==, SIZE);
    assert_pattern(bytes, 0, FROM);
    assert_bytes(bytes + FROM, 0, LEN);
    assert_pattern(bytes + FROM + LEN, FROM + LEN, SIZE - FROM - LEN);
}

static void test_zeroes(Fixture *f, gconstpointer data)
{
    check_zeroed(f, 0);
    g_assert_cmpint(host.last_mode & FALLOC_FL_PUNCH_HOLE, !=, 0);
}

static void test_zeroes_fallback(Fixture *f, gconstpointer data)
{
    check_zeroed(f, EOPNOTSUPP);
}

static void test_zeroes_keep_allocation(Fixture *f, gconstpointer data)
{
    BlockOptions o = options(f);
    g_autoptr(BlockBackend) blk = NULL;

    make_image(f, 8192);
    o.discard_unmap = true;
    blk = open_ok(&o);
    g_assert_cmpint(block_write_zeroes(blk, 0, 4096, false), ==, 0);
    g_assert_cmpint(host.last_mode & FALLOC_FL_PUNCH_HOLE, ==, 0);
}

static void test_zeroes_error(Fixture *f, gconstpointer data)
{
    BlockOptions o = options(f);
    g_autoptr(BlockBackend) blk = NULL;

    make_image(f, 8192);
    blk = open_ok(&o);
    host.fallocate_error = ENOSPC;
    g_assert_cmpint(block_write_zeroes(blk, 0, 4096, false), ==, -ENOSPC);
}

static void test_discard(Fixture *f, gconstpointer data)
{
    BlockOptions o = options(f);
    g_autoptr(BlockBackend) blk = NULL;

    make_image(f, 8192);
    blk = open_ok(&o);
    g_assert_cmpint(block_discard(blk, 0, 4096), ==, 0);
    g_assert_cmpuint(host.fallocates, ==, 0);
    g_clear_pointer(&blk, block_unref);
    o.discard_unmap = true;
    blk = open_ok(&o);
    g_assert_cmpint(block_discard(blk, 0, 4096), ==, 0);
    g_assert_cmpuint(host.fallocates, ==, 1);
    host.fallocate_error = EOPNOTSUPP;
    g_assert_cmpint(block_discard(blk, 0, 4096), ==, 0);
    host.fallocate_error = EIO;
    g_assert_cmpint(block_discard(blk, 0, 4096), ==, -EIO);
}

/* ---- locks ---- */

static void test_second_writer(Fixture *f, gconstpointer data)
{
    BlockOptions o = options(f);
    g_autoptr(BlockBackend) blk = NULL;

    make_image(f, 4096);
    blk = open_ok(&o);
    open_fails(&o, HUMPY_ERROR_CONFLICT, "disk.img' is locked");
    o.read_only = true;
    open_fails(&o, HUMPY_ERROR_CONFLICT, "disk.img' is locked");
    g_clear_pointer(&blk, block_unref);
    blk = open_ok(&o);
}

static void test_many_readers(Fixture *f, gconstpointer data)
{
    BlockOptions o = options(f), w = options(f);
    g_autoptr(BlockBackend) a = NULL;
    g_autoptr(BlockBackend) b = NULL;

    make_image(f, 4096);
    o.read_only = true;
    a = open_ok(&o);
    b = open_ok(&o);
    open_fails(&w, HUMPY_ERROR_CONFLICT, "is locked");
}

static void test_other_process(Fixture *f, gconstpointer data)
{
    BlockOptions o = options(f);
    int ready[2], done[2], status;
    char c = 0;
    pid_t child;

    make_image(f, 4096);
    g_assert_cmpint(pipe(ready), ==, 0);
    g_assert_cmpint(pipe(done), ==, 0);
    child = fork();
    if (child == 0) {
        close(done[1]);
        if (block_open(&o, NULL) == NULL || write(ready[1], &c, 1) != 1) {
            _exit(1);
        }
        _exit(read(done[0], &c, 1) != 0);
    }
    g_assert_cmpint(read(ready[0], &c, 1), ==, 1);
    open_fails(&o, HUMPY_ERROR_CONFLICT, "is locked");
    o.locking = false;
    block_unref(open_ok(&o));
    close(done[1]);
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_cmpint(status, ==, 0);
    o.locking = true;
    block_unref(open_ok(&o));
    close(ready[0]);
    close(ready[1]);
    close(done[0]);
}

/* ---- registry and opening ---- */

static void test_node_names(Fixture *f, gconstpointer data)
{
    BlockOptions o = options(f);
    g_autoptr(BlockBackend) a = NULL;
    g_autoptr(BlockBackend) b = NULL;

    make_image(f, 4096);
    o.read_only = true;
    o.node_name = "disk0";
    g_assert_null(block_find("disk0"));
    a = open_ok(&o);
    g_assert_true(block_find("disk0") == a);
    open_fails(&o, HUMPY_ERROR_CONFLICT, "'disk0' is already used");
    g_assert_true(block_find("disk0") == a);
    o.node_name = NULL;
    b = open_ok(&o);
    g_assert_true(block_find(block_node_name(b)) == b);
    block_ref(a);
    block_unref(a);
    g_assert_true(block_find("disk0") == a);
    g_clear_pointer(&a, block_unref);
    g_assert_null(block_find("disk0"));
}

static void test_claim(Fixture *f, gconstpointer data)
{
    BlockOptions o = options(f);
    g_autoptr(GError) error = NULL;
    g_autoptr(BlockBackend) blk = NULL;

    make_image(f, 4096);
    o.node_name = "disk0";
    blk = open_ok(&o);
    g_assert_true(block_claim(blk, "device a", &error));
    g_assert_false(block_claim(blk, "device b", &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT);
    g_assert_cmpstr(error->message, ==, "drive 'disk0' is already used by device a");
    block_release(blk);
    g_assert_true(block_claim(blk, "device b", NULL));
}

static void test_open_errors(Fixture *f, gconstpointer data)
{
    BlockOptions o = options(f);
    g_autofree char *fifo = g_build_filename(f->dir, "fifo", NULL);

    open_fails(&o, HUMPY_ERROR_HOST, "disk.img' for writing: No such file");
    o.filename = f->dir;
    o.read_only = true;
    open_fails(&o, HUMPY_ERROR_HOST, "neither a regular file nor a block device");
    g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
    o.filename = fifo;
    open_fails(&o, HUMPY_ERROR_HOST, "neither a regular file nor a block device");
    g_unlink(fifo);
    o.filename = NULL;
    open_fails(&o, HUMPY_ERROR_MISSING, "file name");
}

static void test_close_on_exec(Fixture *f, gconstpointer data)
{
    BlockOptions o = options(f);
    g_autoptr(BlockBackend) blk = NULL;
    unsigned found = 0;
    struct stat want, st;

    make_image(f, 4096);
    blk = open_ok(&o);
    g_assert_cmpint(stat(f->file, &want), ==, 0);
    for (int fd = 3; fd < 256; fd++) {
        if (fstat(fd, &st) == 0 && st.st_ino == want.st_ino && st.st_dev == want.st_dev) {
            g_assert_cmpint(fcntl(fd, F_GETFD), ==, FD_CLOEXEC);
            found++;
        }
    }
    g_assert_cmpuint(found, ==, 1);
}

static void test_iov_slice(Fixture *f, gconstpointer data)
{
    char bytes[] = "abcdefghij";
    struct iovec iov[] = { { bytes, 3 }, { bytes + 3, 0 }, { bytes + 3, 4 }, { bytes + 7, 3 } };
    struct iovec out[4];
    char copy[16] = { 0 };
    unsigned n = iov_slice(out, iov, 4, 2, 6);

    g_assert_cmpuint(n, ==, 3);
    g_assert_cmpuint(iov_size(out, n), ==, 6);
    g_assert_cmpuint(iov_to_buf(out, n, 0, copy, sizeof(copy)), ==, 6);
    g_assert_cmpstr(copy, ==, "cdefgh");
    g_assert_cmpuint(iov_from_buf(iov, 4, 8, "XYZ", 3), ==, 2);
    g_assert_cmpstr(bytes, ==, "abcdefghXY");
    g_assert_cmpuint(iov_slice(out, iov, 4, 10, 1), ==, 0);
}

static int request(BlockBackend *blk, uint64_t offset, bool write)
{
    char bytes[BLOCK_SECTOR_SIZE] = "x";
    struct iovec iov = { bytes, sizeof(bytes) };

    return write ? block_pwritev(blk, offset, &iov, 1) : block_preadv(blk, offset, &iov, 1);
}

static void test_null(void)
{
    BlockOptions options = { .driver = BLOCK_DRIVER_NULL, .size = 1000, .read_zeroes = true };
    g_autoptr(BlockBackend) blk = block_open(&options, NULL);
    char bytes[BLOCK_SECTOR_SIZE] = "x";
    struct iovec iov = { bytes, sizeof(bytes) };

    g_assert_cmpuint(block_length(blk), ==, 1024);
    g_assert_cmpint(request(blk, 512, true), ==, 0);
    g_assert_cmpint(block_preadv(blk, 512, &iov, 1), ==, 0);
    g_assert_cmpint(bytes[0], ==, 0);
    g_assert_cmpint(request(blk, 1024, false), ==, -EIO);
}

static void test_blkdebug_injects_errors(void)
{
    BlockOptions image = { .driver = BLOCK_DRIVER_NULL };
    BlockOptions options = { .driver = BLOCK_DRIVER_BLKDEBUG,
                             .image = &image,
                             .rules = "# rules\n[inject-error]\nevent = \"read_aio\"\n"
                                      "sector = \"3\"\n[inject-error]\nevent=write_aio\n"
                                      "errno = \"28\"\nonce = \"on\"\n" };
    g_autoptr(BlockBackend) blk = block_open(&options, NULL);

    g_assert_nonnull(blk);
    g_assert_cmpuint(block_length(blk), ==, 1 << 30);
    for (unsigned i = 0; i < 2; i++) {
        g_assert_cmpint(request(blk, 2 * 512, false), ==, 0);
        g_assert_cmpint(request(blk, 3 * 512, false), ==, -EIO);
        g_assert_cmpint(request(blk, 4 * 512, false), ==, 0);
        g_assert_cmpint(request(blk, 0, true), ==, i == 0 ? -ENOSPC : 0);
    }
    g_assert_cmpint(block_flush(blk), ==, 0);
}

static void test_blkdebug_refuses_bad_rules(void)
{
    static const char *const bad[] = {
        "event = \"read_aio\"",          "[set-state]",
        "[inject-error]\nevent = \"x\"", "[inject-error]\nerrno = \"0\"",
        "[inject-error]\nerrno = y",     "[inject-error]\nonce = maybe",
        "[inject-error]\nfoo = 1",       "[inject-error]\nfoo",
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        BlockOptions image = { .driver = BLOCK_DRIVER_NULL };
        BlockOptions options = { .driver = BLOCK_DRIVER_BLKDEBUG,
                                 .image = &image,
                                 .rules = bad[i] };
        g_autoptr(GError) error = NULL;

        g_assert_null(block_open(&options, &error));
        g_assert_true(g_str_has_prefix(error->message, "line "));
    }
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*fn)(Fixture *, gconstpointer);
    } tests[] = {
        { "read/scatters", test_read_scatters },
        { "write/short-writes-continue", test_short_writes_continue },
        { "read/more-than-iov-max", test_many_iovecs },
        { "bounds/checked-for-every-request", test_bounds },
        { "size/rounds-up-to-512", test_odd_size },
        { "size/truncated-file-gives-eio", test_truncated },
        { "write/errno-reaches-caller", test_write_error },
        { "read-only/refuses-changes", test_read_only },
        { "read-only/auto", test_auto_read_only },
        { "cache/modes-by-name", test_cache_modes },
        { "cache/flush-is-fdatasync", test_flush_syncs },
        { "cache/writethrough-syncs-each-write", test_writethrough_syncs_each_write },
        { "cache/unsafe-never-syncs", test_unsafe_never_syncs },
        { "cache/failed-flush-stays-failed", test_failed_flush_stays_failed },
        { "direct/unaligned-request", test_direct_unaligned },
        { "direct/odd-size-only-for-reading", test_direct_odd_size },
        { "zeroes/punch-hole", test_zeroes },
        { "zeroes/written-where-fallocate-cannot", test_zeroes_fallback },
        { "zeroes/keep-allocation-unless-unmap", test_zeroes_keep_allocation },
        { "zeroes/error-reaches-caller", test_zeroes_error },
        { "discard/hint-with-unmap-only", test_discard },
        { "lock/second-opener-of-a-writer-is-refused", test_second_writer },
        { "lock/readers-share-but-keep-writers-out", test_many_readers },
        { "lock/other-process-is-refused", test_other_process },
        { "registry/node-names", test_node_names },
        { "registry/one-front-end", test_claim },
        { "open/errors-name-file-and-cause", test_open_errors },
        { "open/close-on-exec", test_close_on_exec },
        { "iov/slice-and-copy", test_iov_slice },
    };

    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(tests); i++) {
        g_autofree char *path = g_strconcat("/block/", tests[i].name, NULL);

        g_test_add(path, Fixture, NULL, setup, tests[i].fn, teardown);
    }
    g_test_add_func("/block/null/discards-and-reads-zeroes", test_null);
    g_test_add_func("/block/blkdebug/injects-errors", test_blkdebug_injects_errors);
    g_test_add_func("/block/blkdebug/refuses-bad-rules", test_blkdebug_refuses_bad_rules);
    return g_test_run();
}
