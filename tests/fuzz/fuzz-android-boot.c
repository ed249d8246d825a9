/* SPDX-License-Identifier: GPL-2.0-or-later
 * libFuzzer target for Android's boot images: the same bytes as boot.img, vendor_boot.img,
 * bootconfig and lz4 data. Run: tests/fuzz/fuzz-android-boot -max_len=65536 CORPUS
 */
#include "hw/core/android-boot.h"
#include "hw/core/bootconfig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_parts(const AndroidImage *image, size_t size)
{
    g_assert_cmpuint(image->n_ramdisks, <=, ANDROID_MAX_RAMDISKS);
    for (unsigned i = 0; i < image->n_ramdisks; i++) {
        g_assert_cmpuint(image->ramdisks[i].offset, <=, size);
        g_assert_cmpuint(image->ramdisks[i].size, <=, size - image->ramdisks[i].offset);
    }
    if (image->kernel.size > 0) {
        g_assert_cmpuint(image->kernel.offset, <=, size);
        g_assert_cmpuint(image->kernel.size, <=, size - image->kernel.offset);
    }
    g_assert_cmpuint(strlen(image->cmdline), <=, ANDROID_MAX_CMDLINE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { OUT = 1 << 20 };
    g_autoptr(LoaderStream) stream = loader_open_bytes(data, size);
    g_autofree uint8_t *out = g_malloc(OUT);
    AndroidImage image;
    size_t got;

    if (android_boot_parse(stream, &image, NULL)) {
        check_parts(&image, size);
    }
    if (android_vendor_boot_parse(stream, &image, NULL)) {
        check_parts(&image, size);
    }
    if (bootconfig_check((const char *)data, size, NULL)) {
        g_autoptr(GBytes) tail = bootconfig_tail((const char *)data, size, size);

        g_assert_cmpuint((size + g_bytes_get_size(tail)) % 4, ==, 0);
    }
    if (loader_is_lz4(data, size) && loader_select_lz4(stream, 0, size, NULL)) {
        loader_read(stream, out, OUT, &got, NULL);
    }
    return 0;
}
