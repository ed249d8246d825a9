/* SPDX-License-Identifier: GPL-2.0-or-later
 * What a boot file seems to be, for messages that refuse it: people pass kernels of another
 * architecture or packing, initrds, device trees.
 */
#include <string.h>

#include "hw/core/loader.h"

const char *loader_kind(const void *head, size_t len)
{
    static const struct {
        uint16_t offset;
        uint8_t len;
        const char *magic;
        const char *name;
    } kinds[] = {
        { 0, 4,
          "\x7f"
          "ELF",
          "an ELF file (vmlinux?)" },
        { 0x24, 4, "\x18\x28\x6f\x01", "a 32-bit Arm zImage" },
        { 0x38, 4, "ARM\x64", "an arm64 Image" },
        { 0x202, 4, "HdrS", "an x86 bzImage" },
        { 0x30, 5, "RISCV", "a RISC-V Image" },
        { 0, 4, "\x27\x05\x19\x56", "a U-Boot uImage" },
        { 0, 4, "\xd0\x0d\xfe\xed", "a device tree or FIT image" },
        { 0, 8, "ANDROID!", "an Android boot image" },
        { 0, 4, "\x28\xb5\x2f\xfd", "zstd data" },
        { 0, 6,
          "\xfd"
          "7zXZ",
          "xz data" },
        { 0, 3, "BZh", "bzip2 data" },
        { 0, 4, "\x04\x22\x4d\x18", "lz4 data" },
        { 0, 2, "\x1f\x8b", "gzip data" },
        { 0, 6, "070701", "a cpio archive (an initrd?)" },
        { 0, 2, "MZ", "an EFI program without a kernel's header" },
    };

    if (len == 0) {
        return "an empty file";
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++) {
        if (len >= (size_t)kinds[i].offset + kinds[i].len &&
            memcmp((const uint8_t *)head + kinds[i].offset, kinds[i].magic, kinds[i].len) == 0) {
            return kinds[i].name;
        }
    }
    return NULL;
}
