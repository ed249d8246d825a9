/* SPDX-License-Identifier: GPL-2.0-or-later
 * Images that are more than a file: partition tables made in memory, composite disks, Android
 * sparse images, overlays.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "block/block.h"
#include "gpt.h"
#include "scratch.h"
#include "util/error.h"

enum { KIB = 1024, MIB = 1024 * KIB };

static BlockBackend *open_ok(const BlockOptions *o)
{
    g_autoptr(GError) error = NULL;
    BlockBackend *blk = block_open(o, &error);

    g_assert_no_error(error);
    return blk;
}

static void check_refused(const BlockOptions *o, int code, const char *part)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(block_open(o, &error));
    g_assert_error(error, HUMPY_ERROR, code);
    if (strstr(error->message, part) == NULL) {
        g_error("'%s' does not say '%s'", error->message, part);
    }
}

static int transfer(BlockBackend *blk, uint64_t offset, void *buf, size_t len, bool is_write)
{
    struct iovec iov[] = { { buf, len / 1024 * 512 }, { (char *)buf + len / 1024 * 512, 0 } };

    iov[1].iov_len = len - iov[0].iov_len;
    return is_write ? block_pwritev(blk, offset, iov, 2) : block_preadv(blk, offset, iov, 2);
}

/* A file of len bytes that count from first on. */
static char *make_file(const char *name, size_t len, uint8_t first)
{
    g_autofree uint8_t *bytes = g_malloc(len);
    char *path = path_of(name);

    for (size_t i = 0; i < len; i++) {
        bytes[i] = first + i / 512;
    }
    g_assert_true(g_file_set_contents(path, (char *)bytes, len, NULL));
    return path;
}

/* ---- GPT ---- */

static uint64_t get(const uint8_t *p, unsigned len)
{
    uint64_t value = 0;

    for (unsigned i = len; i-- > 0;) {
        value = value << 8 | p[i];
    }
    return value;
}

static void check_header(const uint8_t *header, const uint8_t *entries, uint64_t here,
                         uint64_t other, uint64_t entries_at)
{
    g_autofree uint8_t *copy = g_memdup2(header, 92);

    memset(copy + 16, 0, 4);
    g_assert_cmpmem(header, 8, "EFI PART", 8);
    g_assert_cmpuint(get(header + 16, 4), ==, crc32(0, copy, 92));
    g_assert_cmpuint(get(header + 88, 4), ==, crc32(0, entries, 128 * 128));
    g_assert_cmpuint(get(header + 24, 8), ==, here);
    g_assert_cmpuint(get(header + 32, 8), ==, other);
    g_assert_cmpuint(get(header + 72, 8), ==, entries_at);
}

/* UEFI 2.10, 5.3: both headers, their sums, and what an entry says. */
static void test_gpt_is_valid(void)
{
    const GptPartition parts[] = {
        { "boot", "01234567-89ab-cdef-0123-456789abcdef", NULL, MIB, 8 * KIB },
        { "\xc3\xa4", NULL, NULL, 2 * MIB, MIB },
    };
    static const uint8_t guid[] = { 0x67, 0x45, 0x23, 0x01, 0xab, 0x89, 0xef, 0xcd,
                                    0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef };
    g_autofree uint8_t *front = g_malloc(GPT_FRONT), *back = g_malloc(GPT_BACK);
    g_autofree uint8_t *again = g_malloc(GPT_FRONT);
    const uint64_t sectors = 4 * MIB / 512;
    const uint8_t *entry = front + 1024;
    GError *error = NULL;

    g_assert_true(gpt_build(parts, 2, 4 * MIB, front, back, &error));
    check_header(front + 512, front + 1024, 1, sectors - 1, 2);
    check_header(back + GPT_BACK - 512, back, sectors - 1, 1, sectors - 33);
    g_assert_cmpmem(back, 128 * 128, front + 1024, 128 * 128);
    g_assert_cmpuint(get(front + 510, 2), ==, 0xaa55);
    g_assert_cmpuint(front[450], ==, 0xee);
    g_assert_cmpmem(entry + 16, 16, guid, 16);
    g_assert_cmpuint(get(entry + 32, 8), ==, MIB / 512);
    g_assert_cmpuint(get(entry + 40, 8), ==, (MIB + 8 * KIB) / 512 - 1);
    g_assert_cmpmem(entry + 56, 10, "b\0o\0o\0t\0\0\0", 10);
    g_assert_cmpuint(get(entry + 128 + 56, 2), ==, 0xe4);
    g_assert_cmpuint(entry[128 + 16 + 7] >> 4, ==, 5); /* a made GUID's version */
    g_assert_true(gpt_build(parts, 2, 4 * MIB, again, back, &error));
    g_assert_cmpmem(front, GPT_FRONT, again, GPT_FRONT);
}

/* ---- composite ---- */

static void test_composite(void)
{
    g_autofree char *a = make_file("a", 1 * MIB + 4096, 1), *b = make_file("b", 1000, 9);
    BlockOptions image_a = BLOCK_OPTIONS_INIT, image_b = BLOCK_OPTIONS_INIT;
    const BlockPart parts[] = { { .label = "a", .image = &image_a },
                                { .label = "b", .image = &image_b } };
    BlockOptions o = { .driver = BLOCK_DRIVER_COMPOSITE, .parts = parts, .n_parts = 2 };
    g_autofree uint8_t *buf = g_malloc(2 * MIB), *contents = NULL;
    gsize len;
    BlockBackend *blk;

    image_a.filename = a;
    image_b.filename = b;
    image_b.read_only = true;
    blk = open_ok(&o);
    g_assert_cmpuint(block_length(blk), ==, 4 * MIB);
    g_assert_cmpint(transfer(blk, 0, buf, 1024, false), ==, 0);
    g_assert_cmpmem(buf + 512, 8, "EFI PART", 8);
    g_assert_cmpint(transfer(blk, 4 * MIB - 512, buf, 512, false), ==, 0);
    g_assert_cmpmem(buf, 8, "EFI PART", 8);
    /* the end of a, the gap, the begin of b, which is longer than its file */
    g_assert_cmpint(transfer(blk, 2 * MIB, buf, MIB + 2048, false), ==, 0);
    g_assert_cmpuint(buf[0], ==, (uint8_t)(1 + 2048));
    g_assert_cmpuint(buf[4096], ==, 0);
    g_assert_cmpuint(buf[MIB], ==, 9);
    g_assert_cmpuint(buf[MIB + 999], ==, 10);
    g_assert_cmpuint(buf[MIB + 1000], ==, 0);
    g_assert_cmpuint(buf[MIB + 1024], ==, 0);
    memset(buf, 0xee, 4096);
    g_assert_cmpint(transfer(blk, MIB + 512, buf, 4096, true), ==, 0);
    g_assert_cmpint(transfer(blk, 0, buf, 512, true), ==, -EROFS);              /* the table */
    g_assert_cmpint(transfer(blk, 2 * MIB + 8192, buf, 512, true), ==, -EROFS); /* a gap */
    g_assert_cmpint(transfer(blk, 3 * MIB, buf, 512, true), ==, -EROFS);        /* b */
    g_assert_cmpint(block_write_zeroes(blk, MIB + 1024, 512, false), ==, 0);
    g_assert_cmpint(block_flush(blk), ==, 0);
    block_unref(blk);
    g_assert_true(g_file_get_contents(a, (char **)&contents, &len, NULL));
    g_assert_cmpuint(len, ==, MIB + 4096);
    g_assert_cmpuint(contents[511], ==, 1);
    g_assert_cmpuint(contents[512], ==, 0xee);
    g_assert_cmpuint(contents[1024], ==, 0);
    g_assert_cmpuint(contents[512 + 4095], ==, 0xee);
    g_assert_cmpuint(contents[512 + 4096], ==, 10);
}

static void test_composite_refused(void)
{
    g_autofree char *a = make_file("small", 4096, 1);
    BlockOptions image = { .filename = a, .locking = true, .read_only = true };
    BlockPart part = { .label = "p", .image = &image, .size = 8192 };
    const BlockOptions o = { .driver = BLOCK_DRIVER_COMPOSITE, .parts = &part, .n_parts = 1 };
    const BlockOptions none = { .driver = BLOCK_DRIVER_COMPOSITE };

    check_refused(&o, HUMPY_ERROR_RANGE,
                  "partition 'p': size is 8192 but its image has only 4096 bytes");
    part.size = 100;
    check_refused(&o, HUMPY_ERROR_RANGE, "partition 'p': has 100 bytes");
    part.size = 0;
    part.label = "abcdefghijklmnopqrstuvwxyz0123456789x";
    check_refused(&o, HUMPY_ERROR_RANGE, "longer than a partition table's 36 characters");
    part.label = "p";
    part.guid = "12";
    check_refused(&o, HUMPY_ERROR_SYNTAX, "'12' is not a GUID");
    check_refused(&none, HUMPY_ERROR_RANGE, "0 partitions");
    image.filename = "/nonexistent/file";
    check_refused(&o, HUMPY_ERROR_HOST, "partition 'p': cannot open '/nonexistent/file'");
}

/* ---- sparse ---- */

static void put(GByteArray *out, uint64_t value, unsigned len)
{
    for (unsigned i = 0; i < len; i++) {
        uint8_t byte = value >> 8 * i;

        g_byte_array_append(out, &byte, 1);
    }
}

static void put_chunk(GByteArray *out, unsigned kind, unsigned blocks, unsigned body)
{
    put(out, kind, 2);
    put(out, 0, 2);
    put(out, blocks, 4);
    put(out, 12 + body, 4);
}

/* Blocks of 4 KiB: one of data, two of a pattern, one of nothing. */
static GByteArray *make_sparse(void)
{
    GByteArray *out = g_byte_array_new();
    uint8_t data[4096];

    put(out, 0xed26ff3a, 4);
    put(out, 1, 2);
    put(out, 0, 2);
    put(out, 28, 2);
    put(out, 12, 2);
    put(out, 4096, 4);
    put(out, 4, 4);
    put(out, 4, 4);
    put(out, 0, 4);
    put_chunk(out, 0xcac1, 1, 4096);
    for (unsigned i = 0; i < sizeof(data); i++) {
        data[i] = 1 + i / 512;
    }
    g_byte_array_append(out, data, sizeof(data));
    put_chunk(out, 0xcac2, 2, 4);
    put(out, 0x04030201, 4);
    put_chunk(out, 0xcac3, 1, 0);
    put_chunk(out, 0xcac4, 0, 4);
    put(out, 0, 4);
    return out;
}

static void test_sparse(void)
{
    g_autoptr(GByteArray) bytes = make_sparse();
    g_autofree char *path = path_of("sparse");
    BlockOptions o = { .driver = BLOCK_DRIVER_SPARSE, .filename = path, .read_only = true };
    uint8_t buf[16384];
    BlockBackend *blk;

    g_assert_true(g_file_set_contents(path, (char *)bytes->data, bytes->len, NULL));
    blk = open_ok(&o);
    g_assert_cmpuint(block_length(blk), ==, 16384);
    g_assert_cmpint(transfer(blk, 512, buf, 15872, false), ==, 0);
    g_assert_cmpuint(buf[0], ==, 2);
    g_assert_cmpuint(buf[3583], ==, 8);
    g_assert_cmpmem(buf + 3584, 8, "\1\2\3\4\1\2\3\4", 8);
    g_assert_cmpuint(buf[3584 + 8191], ==, 4);
    g_assert_cmpuint(buf[3584 + 8192], ==, 0);
    g_assert_cmpint(transfer(blk, 0, buf, 512, true), ==, -EROFS);
    block_unref(blk);
    o.read_only = false;
    check_refused(&o, HUMPY_ERROR_UNSUPPORTED, "cannot be written to");
}

/* Every byte of the header and the chunks' headers changed, and every length cut: an error or a
 * disk that can be read, nothing else. */
static void test_sparse_damaged(void)
{
    g_autoptr(GByteArray) bytes = make_sparse();
    g_autofree char *path = path_of("damaged");
    const BlockOptions o = { .driver = BLOCK_DRIVER_SPARSE, .filename = path, .read_only = true };

    for (unsigned i = 0; i < 2 * bytes->len; i += i % bytes->len == 40 ? 4096 : 1) {
        bool cut = i >= bytes->len;
        unsigned at = i % bytes->len;
        uint8_t old = bytes->data[at];
        g_autoptr(GError) error = NULL;
        g_autoptr(BlockBackend) blk = NULL;
        uint8_t buf[512];

        bytes->data[at] ^= cut ? 0 : 0xff;
        g_assert_true(g_file_set_contents(path, (char *)bytes->data, cut ? at : bytes->len, NULL));
        bytes->data[at] = old;
        blk = block_open(&o, &error);
        if (blk == NULL) {
            g_assert_nonnull(error);
        } else {
            g_assert_false(cut);
            g_assert_cmpint(transfer(blk, block_length(blk) - 512, buf, 512, false), ==, 0);
        }
    }
}

/* ---- overlay ---- */

/* Random requests against a copy in memory; the image never changes; a named overlay is found as
 * it was left. */
static void test_overlay_random(void)
{
    enum { SIZE = 5 * 64 * KIB + 1536, LONGEST = 100 * KIB };
    g_autofree char *base = make_file("base", SIZE, 3), *over = path_of("over");
    BlockOptions image = { .filename = base, .locking = true };
    const BlockOptions o = {
        .driver = BLOCK_DRIVER_OVERLAY, .filename = over, .image = &image, .locking = true
    };
    g_autofree uint8_t *expected = NULL, *before = NULL, *buf = g_malloc(SIZE);
    g_autoptr(GRand) rand = g_rand_new_with_seed(7);
    BlockBackend *blk = open_ok(&o);
    gsize len;

    g_assert_true(g_file_get_contents(base, (char **)&before, &len, NULL));
    expected = g_memdup2(before, SIZE);
    for (unsigned i = 0; i < 400; i++) {
        uint64_t offset = g_rand_int_range(rand, 0, SIZE / 512) * 512;
        uint64_t length = g_rand_int_range(rand, 1, LONGEST / 512) * 512;
        unsigned what = g_rand_int_range(rand, 0, 12);

        length = MIN(length, SIZE - offset);
        if (what < 4) {
            memset(buf, g_rand_int(rand), length);
            memcpy(expected + offset, buf, length);
            g_assert_cmpint(transfer(blk, offset, buf, length, true), ==, 0);
        } else if (what == 4) {
            memset(expected + offset, 0, length);
            g_assert_cmpint(block_write_zeroes(blk, offset, length, true), ==, 0);
        } else if (what == 5) {
            g_assert_cmpint(block_flush(blk), ==, 0);
        } else if (what == 6 && i % 4 == 0) {
            block_unref(blk);
            blk = open_ok(&o);
        } else {
            g_assert_cmpint(transfer(blk, offset, buf, length, false), ==, 0);
            g_assert_cmpmem(buf, length, expected + offset, length);
        }
    }
    g_assert_cmpint(transfer(blk, 0, buf, SIZE, false), ==, 0);
    g_assert_cmpmem(buf, SIZE, expected, SIZE);
    block_unref(blk);
    g_clear_pointer(&expected, g_free);
    g_assert_true(g_file_get_contents(base, (char **)&expected, &len, NULL));
    g_assert_cmpmem(expected, len, before, SIZE);
}

enum { N_THREADS = 4, ROUNDS = 200, SHARED = 4 * 64 * KIB };

typedef struct {
    BlockBackend *blk;
    unsigned number;
} Writer;

/* Each thread has every fourth sector: they meet in all clusters, and never in a sector. */
static void *write_own_sectors(void *opaque)
{
    const Writer *w = opaque;
    g_autoptr(GRand) rand = g_rand_new_with_seed(w->number);
    uint8_t buf[512], seen[512];

    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t sector = g_rand_int_range(rand, 0, SHARED / 512 / N_THREADS) * N_THREADS;
        uint64_t offset = (sector + w->number) * 512;

        memset(buf, i, sizeof(buf));
        g_assert_cmpint(transfer(w->blk, offset, buf, 512, true), ==, 0);
        g_assert_cmpint(transfer(w->blk, offset, seen, 512, false), ==, 0);
        g_assert_cmpmem(seen, 512, buf, 512);
        if (i % 50 == 0) {
            g_assert_cmpint(block_flush(w->blk), ==, 0);
        }
    }
    return NULL;
}

static void test_overlay_threads(void)
{
    g_autofree char *base = make_file("base5", SHARED, 1), *over = path_of("over5");
    BlockOptions image = { .filename = base, .locking = true };
    const BlockOptions o = { .driver = BLOCK_DRIVER_OVERLAY, .filename = over, .image = &image };
    BlockBackend *blk = open_ok(&o);
    Writer writers[N_THREADS];
    pthread_t threads[N_THREADS];

    for (unsigned i = 0; i < N_THREADS; i++) {
        writers[i] = (Writer){ blk, i };
        g_assert_cmpint(pthread_create(&threads[i], NULL, write_own_sectors, &writers[i]), ==, 0);
    }
    for (unsigned i = 0; i < N_THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    block_unref(blk);
}

static void test_overlay_temporary(void)
{
    g_autofree char *base = make_file("base2", 200 * KIB, 1);
    BlockOptions image = { .filename = base, .locking = true };
    const BlockOptions o = { .driver = BLOCK_DRIVER_OVERLAY, .image = &image };
    BlockBackend *blk = open_ok(&o), *other = NULL;
    BlockOptions second = { .filename = base, .locking = true, .read_only = true };
    uint8_t buf[1024];

    memset(buf, 0xaa, sizeof(buf));
    g_assert_cmpint(transfer(blk, 512, buf, 1024, true), ==, 0);
    other = open_ok(&second); /* the image is shared with other readers */
    block_unref(other);
    block_unref(blk);
    blk = open_ok(&o);
    g_assert_cmpint(transfer(blk, 512, buf, 1024, false), ==, 0);
    g_assert_cmpuint(buf[0], ==, 2);
    block_unref(blk);
}

static void test_overlay_refused(void)
{
    g_autofree char *base = make_file("base3", 4096, 1), *other = make_file("base4", 8192, 1);
    g_autofree char *over = path_of("over3");
    BlockOptions image = { .filename = base, .locking = true };
    BlockOptions o = {
        .driver = BLOCK_DRIVER_OVERLAY, .filename = over, .image = &image, .locking = true
    };
    BlockBackend *blk = open_ok(&o);

    check_refused(&o, HUMPY_ERROR_CONFLICT, "is locked");
    block_unref(blk);
    image.filename = other;
    check_refused(&o, HUMPY_ERROR_CONFLICT, "was made for an image of another size");
    o.filename = base;
    check_refused(&o, HUMPY_ERROR_SYNTAX, "is not an overlay");
    image.filename = base;
    o.filename = over;
    g_assert_cmpint(truncate(over, 1 * MIB), ==, 0);
    check_refused(&o, HUMPY_ERROR_RANGE, "is cut short");
}

/* Whoever made it was killed after the header, which comes first. */
static void test_overlay_interrupted(void)
{
    g_autofree char *base = make_file("base7", 4096, 1), *over = path_of("over7");
    BlockOptions image = { .filename = base, .locking = true };
    BlockOptions o = {
        .driver = BLOCK_DRIVER_OVERLAY, .filename = over, .image = &image, .locking = true
    };
    BlockBackend *blk = open_ok(&o);
    uint8_t buf[512];

    block_unref(blk);
    g_assert_cmpint(truncate(over, 24), ==, 0);
    for (unsigned i = 0; i < 2; i++) { /* as it was, and made again */
        blk = open_ok(&o);
        g_assert_cmpint(transfer(blk, 0, buf, 512, false), ==, 0);
        g_assert_cmpuint(buf[0], ==, i == 0 ? 1 : 0x77);
        memset(buf, 0x77, sizeof(buf));
        g_assert_cmpint(transfer(blk, 0, buf, 512, true), ==, 0);
        block_unref(blk);
    }
}

int main(int argc, char **argv)
{
    int result;

    g_test_init(&argc, &argv, NULL);
    scratch_make("images");
    g_test_add_func("/block/gpt/is-valid", test_gpt_is_valid);
    g_test_add_func("/block/composite/reads-and-writes-partitions", test_composite);
    g_test_add_func("/block/composite/refused", test_composite_refused);
    g_test_add_func("/block/sparse/reads", test_sparse);
    g_test_add_func("/block/sparse/damaged", test_sparse_damaged);
    g_test_add_func("/block/overlay/random", test_overlay_random);
    g_test_add_func("/block/overlay/threads", test_overlay_threads);
    g_test_add_func("/block/overlay/temporary", test_overlay_temporary);
    g_test_add_func("/block/overlay/refused", test_overlay_refused);
    g_test_add_func("/block/overlay/interrupted-making", test_overlay_interrupted);
    result = g_test_run();
    scratch_remove();
    return result;
}
