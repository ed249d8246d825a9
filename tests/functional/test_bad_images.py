#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Android boot images, sparse images, partitions, overlays and compressed kernels that are not what
they say: one line that names the file and what is wrong with it, status 1, no guest. Needs no engine."""
import functools
import gzip
import json
import os
import shutil
import struct
import subprocess

import humpy
import tap
from android import (FILL, HOLE, LZ4, RAW, boot_img, chunk, lz4_zeroes, old_boot_img, sparse_img,
                     vendor_boot_img)
from scratch import Scratch, arm64_image
from tap import check_equal, check_in, test

SCRATCH = Scratch("bad-images")
WORK, path, write = SCRATCH.dir, SCRATCH.path, SCRATCH.write


KERNEL = write("kernel", arm64_image())
os.environ["HUMPY_RUNTIME_DIR"] = path("run")
os.environ["HUMPY_MODEL_GUNYAH"] = "engine=script"


def refused(words, *parts):
    """One line on stderr that holds all parts, and status 1; nothing is left."""
    done = subprocess.run(
        [humpy.LAUNCH, "vm", *words, "--accel", "gunyah,host=model"], capture_output=True, text=True,
        errors="replace", stdin=subprocess.DEVNULL, timeout=20, check=False)
    check_equal(done.returncode, 1, f"status, stderr {done.stderr!r}")
    ours = [line for line in done.stderr.splitlines() if not line.startswith("qemu-nbd: ")]
    check_equal((done.stdout, len(ours)), ("", 1), f"stdout, lines of {done.stderr!r}")
    for part in parts:
        check_in(part, done.stderr)
    listed = subprocess.run([humpy.LAUNCH, "vm", "list", "--json"], capture_output=True,
                                  check=False)
    check_equal((json.loads(listed.stdout), os.listdir(path("run"))), ([], []), "what is left")


def kernel(rule, data, *parts):
    def body():
        name = write("bad-kernel", data)
        refused(["run-linux", name, "--mem", "64"], f"-kernel {name}: ", *parts)
    test(f"kernel: {rule}")(body)


def beside(option, rule, data, *parts):
    """A file beside a good boot.img."""
    def body():
        name = write("bad-part", data)
        refused(["run-linux", write("good-boot", boot_img(arm64_image(), b"r")), f"--{option}", name,
                 "--mem", "64"], name, *parts)
    test(f"{option}: {rule}")(body)


def disk(rule, data, *parts, more="", format=None):
    def body():
        name = write("bad-disk", data)
        form = f",format={format}" if format else ""
        form += ",ro" if data[:4] == SPARSE and not more else ""  # a writable one is warned of
        refused(["run-linux", KERNEL, "--disk", name + more.format(WORK) + form, "--mem", "64"],
                *(parts or (name,)))
    test(f"disk: {rule}")(body)


# ---- Android's boot images ----

ANDROID = "Android"
boot = functools.partial(boot_img, arm64_image(), b"")
old_boot = functools.partial(old_boot_img, arm64_image())
vendor = functools.partial(vendor_boot_img, b"r" * 100)
kernel("a boot.img that is only its magic", b"ANDROID!")
kernel("a boot.img cut short in its header", boot()[:40])
kernel("a boot.img of version 5", boot(version=5), "version 5")
kernel("a boot.img of version 2^32 - 1", boot(version=0xFFFFFFFF), "version")
kernel("a boot.img with a kernel larger than it", boot(kernel_size=1 << 20), "kernel of")
kernel("a boot.img with a kernel of 4 GiB", boot(kernel_size=0xFFFFFFFF), "kernel of")
kernel("a boot.img with a ramdisk of 4 GiB", boot(ramdisk_size=0xFFFFFFFF), "ramdisk")
kernel("a boot.img without a kernel", boot_img(b"", b"r"))
kernel("a boot.img whose kernel is text", boot_img(b"#!/bin/sh\n" * 1000, b""), "Image")
kernel("a boot.img of version 0 with pages of 0 bytes", old_boot(page=0), "0 bytes")
kernel("a boot.img of version 0 with pages of 3000 bytes", old_boot(page=3000), "3000 bytes")
kernel("a boot.img of version 0 with pages of 2 GiB", old_boot(page=1 << 31), "bytes")
kernel("a boot.img of version 0 with too large a kernel", old_boot(kernel_size=1 << 30), "kernel of")
kernel("a vendor_boot.img in its place", vendor(), "Image")

beside("vendor-boot", "a boot.img in its place", boot(), ANDROID)
beside("vendor-boot", "its magic alone", b"VNDRBOOT", ANDROID)
beside("vendor-boot", "version 2", vendor(version=2), "version 2")
beside("vendor-boot", "pages of 5 bytes", vendor(page=5), "5 bytes")
beside("vendor-boot", "more ramdisks than can be", vendor(entries=1000, table_size=108 * 1000),
       "ramdisks")
beside("vendor-boot", "entries of 0 bytes", vendor(entry_size=0), "0 bytes")
beside("vendor-boot", "entries of 4 GiB", vendor(entry_size=0xFFFFFFFF), "bytes")
beside("vendor-boot", "a ramdisk outside of all", vendor(entry_ramdisk=(100, 0xFFFFFFF0)), "ramdisk 0")
beside("vendor-boot", "a ramdisk larger than all", vendor(entry_ramdisk=(0xFFFFFFFF, 50)), "ramdisk 0")
beside("vendor-boot", "bootconfig beyond the end", vendor(bootconfig_size=1 << 30), "bootconfig")
beside("vendor-boot", "bootconfig that is none", vendor(bootconfig=b"a {{{"), "bootconfig, line 1")
beside("init-boot", "a vendor_boot.img in its place", vendor(), ANDROID)
beside("init-boot", "cut short", boot_img(b"", b"r" * 9000)[:5000])
beside("bootconfig", "a key twice", b"a = 1\na = 2\n", "bootconfig, line 2")
beside("bootconfig", "a block that does not end", b"a {\nb = 1\n", "bootconfig")
beside("bootconfig", "more than the kernel takes", b"a = " + b"1" * 40000 + b"\n", "bootconfig")
beside("bootconfig", "binary data", bytes(range(256)), "bootconfig")

# ---- compressed ----

kernel("1 GiB of zeroes as gzip", gzip.compress(arm64_image() + bytes(64 << 20)) * 16)
kernel("lz4 that is only its magic", LZ4)
kernel("an lz4 block of 4 GiB", LZ4 + b"\xff\xff\xff\xff")
kernel("an lz4 block of garbage", LZ4 + struct.pack("<I", 4096) + b"\xff" * 4096, "lz4")
kernel("a bomb of lz4", lz4_zeroes(200))
kernel("a boot.img around a bomb of lz4", boot_img(lz4_zeroes(200), b""))
kernel("a boot.img around damaged gzip", boot_img(gzip.compress(arm64_image(1 << 16))[:-30], b""))

# ---- sparse images ----

SPARSE = struct.pack("<I", 0xED26FF3A)

ONE = chunk(RAW, 1, bytes(4096))
disk("a sparse image that is only its magic", struct.pack("<I", 0xED26FF3A), format="sparse")
disk("a sparse image of version 2", sparse_img([ONE], 1, major=2), "version 2")
disk("a sparse image with a header of 4 bytes", sparse_img([ONE], 1, head=4))
disk("a sparse image with chunk headers of 0 bytes", sparse_img([ONE], 1, chunk_head=0))
disk("a sparse image with blocks of 0 bytes", sparse_img([ONE], 1, block=0), "0 bytes")
disk("a sparse image with blocks of 4 GiB", sparse_img([ONE], 1, block=0xFFFFFFFC), "blocks of")
disk("a sparse image with fewer chunks than it says", sparse_img([ONE], 1, count=2), "sparse")
disk("a sparse image of 2^32 - 1 chunks", sparse_img([ONE], 1, count=0xFFFFFFFF), "sparse")
disk("a sparse image with more blocks than chunks", sparse_img([ONE], 2), "sparse")
disk("a sparse image with fewer blocks than chunks", sparse_img([ONE, ONE], 1), "sparse")
disk("a sparse image whose chunk ends behind it", sparse_img([chunk(RAW, 1 << 20, total=12 + (1 << 31))],
                                                         1 << 20), "sparse")
disk("a sparse image whose sizes overflow", sparse_img([chunk(RAW, 0xFFFFFFFF, bytes(4096), 0xFFFFFFFF)],
                                                   0xFFFFFFFF), "sparse")
disk("a sparse image with a chunk of another kind", sparse_img([chunk(0xCAC9, 1, bytes(4096))], 1),
     "sparse")
disk("a sparse image with a fill chunk of 2 bytes", sparse_img([chunk(FILL, 1, b"ab")], 1), "sparse")
disk("a sparse image with a hole that has data", sparse_img([chunk(HOLE, 1, bytes(4096))], 1), "sparse")
disk("an overlay that is something else", bytes(65536), "is not an overlay", more=",overlay={0}/kernel")
if shutil.which("qemu-nbd"):
    disk("a qcow2 image that is only its magic", b"QFI\xfb", "qcow2")
    disk("a qcow2 image of version 99", b"QFI\xfb" + struct.pack(">I", 99) + bytes(65536), "qcow2")


# ---- partitions ----

def partitions(rule, parts, *says):
    def body():
        write("part", bytes(8192))
        write("empty", b"")
        text = json.dumps({"kernel": "kernel", "platform_version": "1", "memory_mib": 64,
                           "disks": [{"partitions": parts}]})
        refused(["run", write("vm.json", text.encode())], *says)
    test(f"partitions: {rule}")(body)


PART = {"label": "a", "path": "part"}
partitions("larger than its image", [dict(PART, size=8704)], "8704", "8192")
partitions("the largest size there is", [dict(PART, size=(1 << 63) - 1)], str((1 << 63) - 1))
partitions("no multiple of a sector", [dict(PART, size=100)], "100 bytes")
partitions("an image that is empty", [{"label": "a", "path": "empty"}], "0 bytes")
partitions("an image that is not there", [{"label": "a", "path": "none"}], path("none"), "No such file")
partitions("an image that is a directory", [{"label": "a", "path": "."}], "regular file")
partitions("a label of 37 characters", [dict(PART, label="x" * 37)], "36 characters")
GUID = "6f2a8e04-9f7e-4c0c-8d3b-0a1b2c3d4e5f"
partitions("a GUID twice", [dict(PART, guid=GUID), dict(PART, label="b", guid=GUID.upper())],
           "partition 1 ('b') has the GUID " + GUID.upper() + " of partition 0 ('a')")
partitions("128 at most", [dict(PART, label=f"p{i}") for i in range(129)], "at most 128")


# ---- every member of every object of a file ----

MEMBERS = {"name": str, "kernel": str, "initrd": str, "params": str, "bootloader": str, "disks": list,
           "protected": bool, "memory_mib": int, "swiotlb_mib": int, "cpu_topology": str,
           "platform_version": str, "devices": list, "console_input_device": str, "usb_config": dict,
           "vendor_boot": str, "init_boot": str, "bootconfig": str}
DISK_MEMBERS = {"image": str, "partitions": list, "writable": bool, "overlay": str, "format": str}
PART_MEMBERS = {"label": str, "path": str, "writable": bool, "guid": str, "size": int,
                "format": str}
VALUES = {str: "x", bool: True, int: 7, float: 1.5, list: [], dict: {}}
NAMES = {str: "a string", bool: "true or false", int: "a whole number", float: "a number with a fraction",
         list: "an array", dict: "an object"}


def wrong_types(where, members, around):
    def body():
        for name, right in members.items():
            for kind, value in VALUES.items():
                if kind is not right:
                    members_of = {"platform_version": "1", **around(name, value)}
                    refused(["run", write("vm.json", json.dumps(members_of).encode())],
                            f"{where}{name} is {NAMES[kind]} but must be {NAMES[right]}")
    test(f"a member of another type: {where or 'the VM'}")(body)


wrong_types("", MEMBERS, lambda name, value: {name: value})
wrong_types("disks[0]: ", DISK_MEMBERS, lambda name, value: {"disks": [{name: value}]})
wrong_types("disks[0]: partitions[0]: ", PART_MEMBERS,
            lambda name, value: {"disks": [{"partitions": [{name: value}]}]})

try:
    tap.main()
finally:
    shutil.rmtree(WORK)
