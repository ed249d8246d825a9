#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the guest reads from and writes to its disks."""
import hashlib
import os
import random
import signal
import subprocess

import humpy
import tap
from tap import check_equal, check_in, test

MIB = 1 << 20


def random_file(path, size, seed):
    data = random.Random(seed).randbytes(size)
    with open(path, "wb") as f:
        f.write(data)
    return data


def debugfs(disk, command):
    return subprocess.run(["/usr/sbin/debugfs", "-R", command, disk], check=True,
                          capture_output=True).stdout


@test("md5 of 64 MiB read from the disk matches the host's")
def md5_read():
    with humpy.Guest("echo sum=$(md5sum </dev/disk)") as guest:
        data = random_file(guest.path("disk"), 64 * MIB, 1)
        console = guest.run_job()[2]
        check_in(f"sum={hashlib.md5(data).hexdigest()} ", console)


@test("64 MiB written by the guest are what the host reads")
def md5_write():
    job = """mount /dev/disk /mnt && i=0
while [ $i -lt 64 ]; do yes "block $i" | head -c 1048576; i=$((i + 1)); done >/mnt/big
sync; echo 3 >/proc/sys/vm/drop_caches; echo sum=$(md5sum </mnt/big); umount /mnt"""
    with humpy.Guest(job) as guest:
        console = guest.run_job()[2]
        data = b"".join((b"block %d\n" % i * (MIB // 8 + 1))[:MIB] for i in range(64))
        expected = hashlib.md5(data).hexdigest()
        check_in(f"sum={expected} ", console)
        check_equal(hashlib.md5(debugfs(guest.path("disk"), "cat big")).hexdigest(), expected)


@test("the file system is clean after umount")
def clean():
    with humpy.Guest("mount /dev/disk /mnt && cp -r /bin /lib /mnt && umount /mnt") as guest:
        check_equal(guest.run_job()[1], 0, "status of the job")
        check = subprocess.run(["/usr/sbin/e2fsck", "-fn", guest.path("disk")],
                               capture_output=True, text=True, check=False)
        check_equal(check.returncode, 0, check.stdout)


@test("what was written with a flush is on the disk after kill -9")
def durable():
    job = """mount /dev/disk /mnt
dd if=/dev/urandom of=/tmp/data bs=1M count=4 2>/dev/null
cp /tmp/data /mnt/data && sync && echo sum=$(md5sum </tmp/data)
echo flush""" + """ed; cat"""
    with humpy.Guest(job) as guest, humpy.Process(guest.args()) as process:
        process.expect("\nflushed\n")
        process.signal(signal.SIGKILL)
        check_equal(process.wait(), -signal.SIGKILL, "status")
        expected = process.seen.split("sum=")[1].split()[0]
        subprocess.run(["/usr/sbin/e2fsck", "-fp", guest.path("disk")], capture_output=True,
                       check=False)  # replays the journal
        check_equal(hashlib.md5(debugfs(guest.path("disk"), "cat data")).hexdigest(), expected)


@test("a read-only disk is read-only to the guest and untouched")
def read_only():
    job = "[ $(cat /sys/class/block/$(basename $(readlink /dev/disk))/ro) = 1 ] || exit 1\n" \
          "dd if=/dev/zero of=/dev/disk bs=512 count=1 && exit 2; exit 0"
    with humpy.Guest(job) as guest:
        data = random_file(guest.path("disk"), MIB, 2)
        check_equal(guest.run_job(disk_extra=",readonly=on")[1], 0, "status of the job")
        with open(guest.path("disk"), "rb") as f:
            check_equal(f.read() == data, True, "disk is unchanged")


@test("cache=none, writethrough and unsafe all work")
def caches():
    job = "dd if=/dev/urandom of=/tmp/a bs=64k count=16 2>/dev/null\n" \
          "dd if=/tmp/a of=/dev/disk bs=64k conv=fsync 2>/dev/null\n" \
          "echo 3 >/proc/sys/vm/drop_caches; head -c 1048576 /dev/disk | cmp - /tmp/a"
    for mode in ("none", "writethrough", "unsafe"):
        with humpy.Guest(job) as guest:
            check_equal(guest.run_job(disk_extra=f",cache={mode}")[1], 0, f"cache={mode}")


@test("version 2 of virtio-mmio has VERSION_1 and works as well")
def modern():
    job = "f=$(cat /sys/class/block/$(basename $(readlink /dev/disk))/device/features)\n" \
          "echo version_1=$(echo $f | cut -c 33); head -c 1048576 /dev/disk | md5sum"
    with humpy.Guest(job) as guest:
        data = random_file(guest.path("disk"), MIB, 4)
        console = guest.run_job("-global", "virtio-mmio.force-legacy=off")[2]
        check_in("version_1=1", console)
        check_in(hashlib.md5(data).hexdigest(), console)


@test("Linux reads and writes a disk through packed rings")
def packed():
    job = "f=$(cat /sys/class/block/$(basename $(readlink /dev/disk))/device/features)\n" \
          "echo packed=$(echo $f | cut -c 35); head -c 4194304 /dev/disk | md5sum\n" \
          "dd if=/dev/urandom of=/tmp/a bs=64k count=64 2>/dev/null\n" \
          "dd if=/tmp/a of=/dev/disk bs=64k conv=fsync 2>/dev/null\n" \
          "echo 3 >/proc/sys/vm/drop_caches; head -c 4194304 /dev/disk | cmp - /tmp/a"
    with humpy.Guest(job) as guest:
        data = random_file(guest.path("disk"), 4 * MIB, 5)
        status, console = guest.run_job("-global", "virtio-mmio.force-legacy=off", "-global",
                                        "virtio-blk-device.packed=on")[1:]
        check_equal(status, 0, console[-2000:])
        check_in("packed=1", console)
        check_in(hashlib.md5(data).hexdigest(), console)


@test("if=virtio makes the device, serial numbers reach the guest")
def if_virtio():
    job = "cat /sys/class/block/vd*/serial; echo; ls /dev/vd? | wc -l"
    with humpy.Guest(job) as guest:
        for name in ("x", "y"):
            random_file(guest.path(name), MIB, 3)
        console = guest.run_job("-drive", f"file={guest.path('x')},format=raw",
                                "-blockdev", f"file,filename={guest.path('y')},node-name=y",
                                "-device", "virtio-blk-device,drive=y,serial=SN-y")[2]
        check_in("SN-y", console)
        check_in("\n4\n", console)


@test("a disk in use by another process is refused with one line")
def locked():
    with humpy.Guest() as guest, humpy.Process(guest.args()) as process:
        process.expect(humpy.INIT_LINE)
        second = humpy.run([*humpy.ACCEL, "-machine", "virt", "-display", "none", "-kernel",
                            guest.path("vmlinuz"), "-drive",
                            f"file={guest.path('disk')},format=raw"])
        check_equal(second.returncode, 1, "exit status")
        check_equal(len(second.stderr.splitlines()), 1, "lines of " + second.stderr)
        check_in(f"-drive file={guest.path('disk')},format=raw: ", second.stderr)
        process.signal(signal.SIGTERM)
        check_equal(process.wait(), 0, "exit status")


@test("random numbers come from the host")
def rng():
    job = "cat /sys/class/misc/hw_random/rng_current; head -c 4096 /dev/hwrng | wc -c"
    with humpy.Guest(job) as guest:
        console = guest.run_job("-device", "virtio-rng-device")[2]
        check_in("virtio_rng", console)
        check_in("\n4096\n", console)


humpy.need_guest()
if not os.path.exists("/usr/sbin/debugfs"):
    tap.skip_all("debugfs (e2fsprogs) is missing")
tap.main()
