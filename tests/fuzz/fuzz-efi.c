/* SPDX-License-Identifier: GPL-2.0-or-later
 * libFuzzer target for firmware images: the bytes are a firmware volume whose checksum is right,
 * and a driver is added where one is found. Run: tests/fuzz/fuzz-efi -max_len=16384 CORPUS
 */
#include <string.h>

#include "../../hw/arm/efi/volume.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void seal(uint8_t *image, size_t size)
{
    size_t header = image[48] | image[49] << 8;
    uint16_t sum = 0;

    memcpy(image + 40, "_FVH", 4);
    image[50] = image[51] = 0;
    if (header > size) {
        return;
    }
    for (size_t i = 0; i + 1 < header; i += 2) {
        sum += image[i] | image[i + 1] << 8;
    }
    sum = -sum;
    image[50] = sum;
    image[51] = sum >> 8;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t code[256];
    g_autofree uint8_t *image = g_memdup2(data, size);
    EfiVolume volume, again;

    if (size >= 0x48) {
        seal(image, size);
    }
    if (!efi_volume_find(image, size, &volume, NULL)) {
        return 0;
    }
    g_assert(volume.at <= size && volume.len <= size - volume.at);
    g_assert(volume.free_at >= volume.at && volume.free_at <= volume.at + volume.len);
    if (efi_volume_add_driver(image, &volume, code, sizeof(code), 0, NULL)) {
        g_assert(efi_volume_find(image, size, &again, NULL));
        g_assert(again.at == volume.at && again.free_at == volume.free_at);
    }
    return 0;
}
