/* SPDX-License-Identifier: GPL-2.0-or-later
 * Nodes that are no host file (null-co, blkdebug), and changing a disk's size.
 */
#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "block/block.h"
#include "util/error.h"

static BlockBackend *open_ok(const BlockOptions *o)
{
    g_autoptr(GError) error = NULL;
    BlockBackend *blk = block_open(o, &error);

    g_assert_no_error(error);
    return blk;
}

static BlockBackend *open_null(const char *name, bool read_zeroes)
{
    return open_ok(&(BlockOptions){ .driver = BLOCK_DRIVER_NULL,
                                    .node_name = name,
                                    .size = 65536,
                                    .read_zeroes = read_zeroes });
}

static int read_sector(BlockBackend *blk, uint64_t offset, uint8_t *buf)
{
    return block_preadv(blk, offset, &(struct iovec){ buf, 512 }, 1);
}

static void test_null(void)
{
    BlockBackend *blk = open_null("n", true);
    uint8_t buf[512], zeroes[512] = { 0 };

    memset(buf, 1, sizeof(buf));
    g_assert_cmpuint(block_length(blk), ==, 65536);
    g_assert_cmpint(read_sector(blk, 65536 - 512, buf), ==, 0);
    g_assert_cmpmem(buf, 512, zeroes, 512);
    g_assert_cmpint(read_sector(blk, 65536, buf), ==, -EIO);
    g_assert_cmpint(block_pwritev(blk, 0, &(struct iovec){ buf, 512 }, 1), ==, 0);
    g_assert_cmpint(block_flush(blk), ==, 0);
    block_unref(blk);
}

static void test_null_leaves_buffer(void)
{
    BlockBackend *blk = open_null("n", false);
    uint8_t buf[512];

    memset(buf, 1, sizeof(buf));
    g_assert_cmpint(read_sector(blk, 0, buf), ==, 0);
    g_assert_cmpuint(buf[100], ==, 1);
    block_unref(blk);
}

static void count(void *opaque)
{
    ++*(unsigned *)opaque;
}

static void test_resize(void)
{
    g_autofree char *path = NULL;
    g_autoptr(GError) error = NULL;
    int fd = g_file_open_tmp("humpy-XXXXXX", &path, NULL);
    BlockBackend *file, *null = open_null("n", true);
    unsigned told = 0;
    uint8_t buf[512];

    g_assert_cmpint(ftruncate(fd, 4096), ==, 0);
    file = open_ok(&(BlockOptions){ .filename = path, .node_name = "f" });
    g_assert_true(block_claim(file, "test", NULL));
    block_set_resize_handler(file, count, &told);
    g_assert_cmpint(read_sector(file, 8192, buf), ==, -EIO);
    g_assert_true(block_resize(file, 16384 - 100, &error)); /* rounded up */
    g_assert_cmpuint(block_length(file), ==, 16384);
    g_assert_cmpint(lseek(fd, 0, SEEK_END), ==, 16384);
    g_assert_cmpuint(told, ==, 1);
    g_assert_cmpint(read_sector(file, 8192, buf), ==, 0);
    g_assert_true(block_resize(file, 512, &error));
    g_assert_cmpint(read_sector(file, 512, buf), ==, -EIO);
    g_assert_false(block_resize(file, UINT64_MAX, &error));
    g_clear_error(&error);
    g_assert_true(block_resize(null, 512, &error));
    g_assert_cmpuint(block_length(null), ==, 512);
    block_release(file);
    block_unref(file);
    block_unref(null);
    close(fd);
    g_unlink(path);
}

static BlockBackend *open_debug(const char *rules, GError **error)
{
    BlockOptions image = { .driver = BLOCK_DRIVER_NULL, .size = 65536, .read_zeroes = true };

    return block_open(
        &(BlockOptions){ .driver = BLOCK_DRIVER_BLKDEBUG, .image = &image, .rules = rules }, error);
}

static void test_debug(void)
{
    g_autoptr(GError) error = NULL;
    uint8_t buf[512];
    BlockBackend *blk = open_debug("[inject-error]\nevent = \"read_aio\"\nerrno = \"28\"\n"
                                   "sector = \"2\"\n\n[inject-error]\nevent = \"flush_to_disk\"\n"
                                   "once = \"on\"\n",
                                   &error);

    g_assert_no_error(error);
    g_assert_cmpint(read_sector(blk, 0, buf), ==, 0);
    g_assert_cmpint(read_sector(blk, 1024, buf), ==, -ENOSPC);
    g_assert_cmpint(read_sector(blk, 1024, buf), ==, -ENOSPC);
    g_assert_cmpint(block_pwritev(blk, 1024, &(struct iovec){ buf, 512 }, 1), ==, 0);
    g_assert_cmpint(block_flush(blk), ==, -EIO);
    g_assert_cmpint(block_flush(blk), ==, 0);
    block_unref(blk);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/block/null/reads-zeroes-keeps-nothing", test_null);
    g_test_add_func("/block/null/leaves-the-buffer", test_null_leaves_buffer);
    g_test_add_func("/block/resize/file-and-null", test_resize);
    g_test_add_func("/block/blkdebug/rules", test_debug);
    return g_test_run();
}
