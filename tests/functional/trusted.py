# SPDX-License-Identifier: GPL-2.0-or-later
"""Images of trusted VMs, for tests and to try: an ELF file with a kernel in it and the hashes that
docs/model-gunyah.md describes, but without a maker's signature. As a program: KERNEL IMAGE."""
import gzip
import hashlib
import struct
import sys

LINK_AT = 0x40000000  # where the image's addresses begin; it may lie anywhere
HASHES_AT, HASHES_SIZE = 0x1000, 0x1000
KERNEL_AT = 2 << 20   # arm64 kernels lie at multiples of that


def segment(kind, flags, offset, filesz, memsz):
    return struct.pack("<IIQQQQQQ", kind, flags << 24, offset, LINK_AT + offset, LINK_AT + offset,
                       filesz, memsz, 4096)


def trusted_image(kernel):
    """The bytes of an image that starts this arm64 Image (gzip'd or not) at its first byte."""
    if kernel[:2] == b"\x1f\x8b":
        kernel = gzip.decompress(kernel)
    memory = max(struct.unpack_from("<Q", kernel, 16)[0], len(kernel))
    head_size = 64 + 3 * 56
    head = struct.pack("<4sBBBB8xHHIQQQIHHHHHH", b"\x7fELF", 2, 1, 1, 0, 2, 183, 1,
                       LINK_AT + KERNEL_AT, 64, 0, 0, 64, 56, 3, 0, 0, 0)
    head += segment(0, 7, 0, head_size, 0)
    head += segment(0, 2, HASHES_AT, HASHES_SIZE, 0)
    head += segment(1, 0, KERNEL_AT, len(kernel), memory)
    table = hashlib.sha384(head).digest() + bytes(48) + hashlib.sha384(kernel).digest()
    hashes = struct.pack("<12I", 0, 6, 0, 0, len(table), len(table), 0, 0, 0, 0, 0, 0) + table
    image = head.ljust(HASHES_AT, b"\0") + hashes
    return image.ljust(KERNEL_AT, b"\0") + kernel


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as source, open(sys.argv[2], "wb") as out:
        out.write(trusted_image(source.read()))
