/* SPDX-License-Identifier: GPL-2.0-or-later
 * libFuzzer target for disk images: the bytes as an Android sparse image, as an overlay's file, and
 * as labels and sizes of a partition table. Run: tests/fuzz/fuzz-images -max_len=65536 CORPUS
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "block/block.h"
#include "gpt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(BlockBackend *blk)
{
    uint8_t buf[4096];
    uint64_t length = block_length(blk);

    for (uint64_t at = 0, n = 0; at < length && n < 64; at += MAX(length / 64 / 512 * 512, 512)) {
        struct iovec iov = { buf, MIN(sizeof(buf), length - at) };

        block_preadv(blk, at, &iov, 1);
        n++;
    }
}

static void try_image(const BlockOptions *o)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(BlockBackend) blk = block_open(o, &error);

    if (blk != NULL) {
        read_all(blk);
    } else {
        g_assert_nonnull(error);
    }
}

/* Each partition's label and length are taken from the input. */
static void try_table(const uint8_t *data, size_t size)
{
    g_autofree uint8_t *front = g_malloc(GPT_FRONT), *back = g_malloc(GPT_BACK);
    g_autofree char *text = g_strndup((const char *)data, size);
    g_auto(GStrv) labels = g_strsplit(text, "\n", 200);
    g_autofree GptPartition *parts = g_new0(GptPartition, g_strv_length(labels) + 1);
    uint64_t at = 1 << 20;
    unsigned n = 0;

    for (; labels[n] != NULL; n++) {
        uint64_t length = (uint64_t)(1 + strlen(labels[n])) << 20;

        parts[n] = (GptPartition){ .label = labels[n], .start = at, .length = length };
        parts[n].guid = *labels[n] == '{' ? labels[n] + 1 : NULL;
        at += length;
    }
    if (gpt_build(parts, n, at + (1 << 20), front, back, NULL)) {
        g_assert_cmpint(memcmp(front + 512, "EFI PART", 8), ==, 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd = -1;
    static char path[64];
    BlockOptions base = { .driver = BLOCK_DRIVER_NULL, .size = 1 << 20 };
    BlockOptions sparse = { .driver = BLOCK_DRIVER_SPARSE, .filename = path, .read_only = true };
    BlockOptions overlay = { .driver = BLOCK_DRIVER_OVERLAY, .filename = path, .image = &base };

    if (fd < 0) {
        fd = memfd_create("image", MFD_CLOEXEC);
        g_snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    }
    if (ftruncate(fd, 0) != 0 || pwrite(fd, data, size, 0) != (ssize_t)size) {
        return 0;
    }
    try_image(&sparse);
    if (size >= 8 && memcmp(data, "HUMPYOVL", 8) == 0 && ftruncate(fd, 4 << 20) == 0) {
        /* Room for the data: which clusters are there is in the input. */
        try_image(&overlay);
    }
    try_table(data, size);
    return 0;
}
