#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes DIR/TARGET/*, right inputs for the fuzzers whose formats have lengths and checks in many
places, so that the seconds of one run are spent behind them, not before."""
import argparse
import gzip
import json
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "functional"))
from android import (CRC, FILL, HOLE, LZ4, RAW, boot_img, chunk,  # noqa: E402
                     lz4_block, old_boot_img, sparse_img, vendor_boot_img)
from scratch import arm64_image  # noqa: E402

BOOTCONFIG = b"""# comment
androidboot { hardware = "virt", 'two'; serial += 1 }
kernel.key = a, b # more
androidboot.mode ?= "normal"; x := y
"""
SPARSE = [chunk(RAW, 1, b"data".ljust(4096, b"\0")), chunk(HOLE, 2), chunk(FILL, 1, b"\1\2\3\4"),
          chunk(CRC, 0, bytes(4))]
CONFIG = {
    "name": "n", "kernel": "/k", "initrd": "/i", "params": "p", "protected": True, "memory_mib": 256,
    "swiotlb_mib": 8, "cpu_topology": "cpu_count=2", "platform_version": ">=1.0.0-a.1, <2",
    "console_input_device": "ttyS0", "usb_config": {"controller": False}, "devices": [],
    "vendor_boot": "/v", "init_boot": "/b", "bootconfig": "/c",
    "disks": [{"image": "/d", "writable": True, "overlay": "/o"},
              {"partitions": [{"label": "l", "path": "/p", "writable": False, "size": 4096,
                               "guid": "01234567-89ab-cdef-0123-456789abcdef"}], "writable": True}]}
ESCAPES = b'{"platform_version":"1","name":"\\u0041\\ud83d\\ude00\\\\\\"","x":[[]]}'


def firmware_volume(length=4096):
    """One file, which holds a volume; the rest is erased. The target makes the checksum."""
    header = bytes(32) + struct.pack("<Q4sIHHHBB16x", length, b"_FVH", 0x800, 0x48, 0, 0, 0, 2)
    file = bytes(18) + b"\x0b\0" + (64).to_bytes(3, "little") + bytes(41)
    return (header + file).ljust(length, b"\xff")


def overlay(length):
    """An overlay of an image of this length with its first cluster there (block/overlay-file.c)."""
    return b"HUMPYOVL" + struct.pack("<IIQ", 1, 65536, length)


SEEDS = {
    "fuzz-android-boot": {
        "boot4": boot_img(arm64_image(), b"r" * 100, b"a=b"), "boot3": boot_img(b"k", b"r", version=3),
        "boot0": old_boot_img(arm64_image()), "boot1": old_boot_img(b"k", version=1),
        "boot2": old_boot_img(b"k", version=2), "vendor4": vendor_boot_img(b"r", b"c=d", BOOTCONFIG),
        "vendor3": vendor_boot_img(b"r", version=3), "bootconfig": BOOTCONFIG,
        "lz4": LZ4 + lz4_block(arm64_image()[:100]) + lz4_block(b"rest")},
    "fuzz-boot": {"image": arm64_image(), "gzip": gzip.compress(arm64_image(), mtime=0),
                  "lz4": LZ4 + lz4_block(arm64_image())},
    "fuzz-images": {
        "sparse": sparse_img(SPARSE, 4), "holes": sparse_img([chunk(HOLE, 1 << 20)], 1 << 20),
        "overlay": overlay(1 << 20).ljust(1 << 16, b"\0"),
        "labels": "boot\n{01234567-89ab-cdef-0123-456789abcdef\nsüper\n".encode()},
    "fuzz-efi": {"volume": firmware_volume()},
    "fuzz-json": {"config": json.dumps(CONFIG, indent=2).encode(), "escapes": ESCAPES,
                  "numbers": b"[0, -1, 1.5, 2e3, -2.5E-10, 9223372036854775807, null, false]"},
    "fuzz-vm-config": {
        "all": json.dumps(CONFIG).encode(),
        "firmware": json.dumps({"bootloader": "/f", "platform_version": "1"}).encode(),
        "escapes": ESCAPES},
}


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("dir", metavar="DIR")
    args = ap.parse_args()
    for target, files in SEEDS.items():
        folder = os.path.join(args.dir, target)
        os.makedirs(folder, exist_ok=True)
        for name, data in files.items():
            with open(os.path.join(folder, name), "wb") as out:
                out.write(data)


if __name__ == "__main__":
    main()
