/* SPDX-License-Identifier: GPL-2.0-or-later
 * libFuzzer target for boot files: the same bytes as a kernel (plain, gzip, zboot) and as a device
 * tree. Run: tests/fuzz/fuzz-boot -max_len=65536 CORPUS
 */
#include "hw/arm/boot.h"
#include "hw/arm/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { RAM = 1 << 20 };
    g_autoptr(LoaderStream) stream = loader_open_bytes(data, size);
    g_autofree void *mem = g_malloc(RAM);
    g_autofree void *fdt = NULL;
    LoaderDest ram = { .host = mem, .fd = -1, .size = RAM };
    Arm64Image image;
    uint64_t used;

    if (arm64_image_load(stream, &ram, &image, &used, NULL)) {
        g_assert(used <= RAM);
    }
    fdt = arm_fdt_from_bytes(data, size, 0x40000000, RAM, NULL);
    if (fdt != NULL && arm_fdt_set_bootargs(fdt, "console=ttyAMA0", NULL)) {
        arm_fdt_set_initrd(fdt, 1, 2, NULL);
    }
    return 0;
}
