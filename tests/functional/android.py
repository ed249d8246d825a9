# SPDX-License-Identifier: GPL-2.0-or-later
"""Android's image formats, for tests: boot and vendor_boot images, sparse images; right ones, and
ones whose fields say something else than what is there."""
import struct

PAGE = 4096


def pad(data, page=PAGE):
    return data + bytes(-len(data) % page)


def boot_img(kernel, ramdisk, cmdline=b"", version=4, kernel_size=None, ramdisk_size=None):
    """boot.img or init_boot.img, header versions 3 and 4."""
    head = b"ANDROID!" + struct.pack("<IIII16xI", len(kernel) if kernel_size is None else kernel_size,
                                     len(ramdisk) if ramdisk_size is None else ramdisk_size, 0, 1584,
                                     version)
    return pad(head + cmdline) + pad(kernel) + pad(ramdisk)


def old_boot_img(kernel, version=0, page=2048, kernel_size=None):
    """boot.img, header versions 0 to 2, without more than a kernel."""
    size = len(kernel) if kernel_size is None else kernel_size
    head = b"ANDROID!" + struct.pack("<10I", size, 0x8000, 0, 0, 0, 0, 0x100, page, version, 0)
    return pad(head.ljust(1660, b"\0"), 2048) + kernel


def vendor_boot_img(ramdisk, cmdline=b"", bootconfig=b"", version=4, page=PAGE, entries=1,
                    entry_size=108, table_size=None, bootconfig_size=None, entry_ramdisk=(None, 0)):
    """vendor_boot.img with one ramdisk, header version 4. entry_ramdisk: size and place in all."""
    size, offset = entry_ramdisk
    entry = struct.pack("<III96x", len(ramdisk) if size is None else size, offset, 1)
    head = b"VNDRBOOT" + struct.pack("<IIIII", version, page, 0, 0, len(ramdisk)) + cmdline
    head = head.ljust(2096, b"\0") + struct.pack(
        "<IIQIIII", 2128, 0, 0, len(entry) if table_size is None else table_size, entries, entry_size,
        len(bootconfig) if bootconfig_size is None else bootconfig_size)
    return pad(head) + pad(ramdisk) + pad(entry) + pad(bootconfig)


RAW, FILL, HOLE, CRC = 0xCAC1, 0xCAC2, 0xCAC3, 0xCAC4


def chunk(kind, blocks, data=b"", total=None):
    """A chunk of a sparse image; total: what it says of its own size."""
    return struct.pack("<HHII", kind, 0, blocks, 12 + len(data) if total is None else total) + data


def sparse_img(chunks, blocks, major=1, head=28, chunk_head=12, block=PAGE, count=None):
    return struct.pack("<IHHHHIIII", 0xED26FF3A, major, 0, head, chunk_head, block, blocks,
                       len(chunks) if count is None else count, 0) + b"".join(chunks)


LZ4 = struct.pack("<I", 0x184C2102)


def lz4_block(data):
    """A block of the legacy format, of literals alone."""
    rest = len(data) - 15
    size = b"" if rest < 0 else b"\xff" * (rest // 255) + bytes([rest % 255])
    out = bytes([min(len(data), 15) << 4]) + size + data
    return struct.pack("<I", len(out)) + out


def lz4_zeroes(blocks):
    """Blocks of 8 MiB of zeroes in 33 KiB each: one literal, one long match, the end."""
    left = (8 << 20) - 1 - 5 - 19
    match = b"\x1f\0" + b"\x01\0" + b"\xff" * (left // 255) + bytes([left % 255])
    block = match + b"\x50" + bytes(5)
    return LZ4 + (struct.pack("<I", len(block)) + block) * blocks
