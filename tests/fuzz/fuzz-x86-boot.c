/* SPDX-License-Identifier: GPL-2.0-or-later
 * libFuzzer target for x86 kernels: the same bytes as a bzImage's head and as an ELF file. What is
 * accepted keeps the promises that loading relies on. Run: tests/fuzz/fuzz-x86-boot CORPUS
 */
#include "hw/i386/kernel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void as_bzimage(const uint8_t *data, size_t size)
{
    BzImage image;

    if (!bzimage_parse(data, MIN(size, X86_KERNEL_HEAD), size, &image, NULL)) {
        return;
    }
    g_assert(image.kernel_offset + image.kernel_size <= size);
    g_assert(image.load >= X86_KERNEL_LOW && image.memory_size >= image.kernel_size);
    g_assert(BZIMAGE_HEADER + image.header_size <= MIN(size, BZIMAGE_HEADER_MAX));
}

static void as_pvh(const uint8_t *data, size_t size)
{
    g_autoptr(LoaderStream) stream = loader_open_bytes(data, size);
    PvhImage image;

    if (!pvh_parse(stream, &image, NULL)) {
        return;
    }
    g_assert(image.n >= 1 && image.n <= PVH_MAX_SEGMENTS);
    for (unsigned i = 0; i < image.n; i++) {
        const PvhSegment *s = &image.segment[i];

        g_assert(s->offset <= size && s->file_size <= size - s->offset);
        g_assert(s->file_size <= s->memory_size && s->addr >= X86_KERNEL_LOW);
        g_assert(s->addr >= image.start && s->addr + s->memory_size <= image.end);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    as_bzimage(data, size);
    as_pvh(data, size);
    return 0;
}
