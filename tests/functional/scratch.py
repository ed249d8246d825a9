# SPDX-License-Identifier: GPL-2.0-or-later
"""Files that tests make for themselves: a directory for them, and kernels of a few instructions."""
import os
import struct
import tempfile


class Scratch:
    """A directory, which whoever made it removes."""

    def __init__(self, prefix):
        self.dir = tempfile.mkdtemp(prefix=f"humpy-{prefix}-")

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, data=b""):
        with open(self.path(name), "wb") as out:
            out.write(data)
        return self.path(name)


def arm64_image(size=4096, text_offset=0, image_size=8192, flags=0xa, code=()):
    """An arm64 Image as Documentation/arm64/booting describes it: of these instructions, or one that
    loops."""
    first = 0x14000000 | (64 // 4 if code else 0)
    head = struct.pack("<IIQQQQQQ4sI", first, 0, text_offset, image_size, flags, 0, 0, 0, b"ARM\x64", 0)
    return (head + struct.pack(f"<{len(code)}I", *code)).ljust(size, b"\0")
