#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Linux in memory that is lent to it: it reads, writes and talks through the window that devices
reach, and what the host may not touch nothing in the program touches."""
import hashlib
import os
import random

import humpy
import tap
from humpy import Process
from qmp import Client, Qmp
from tap import check_equal, check_in, test
from hostnet import DHCP, Server

MIB = 1 << 20
PROTECTED = ["-accel", "gunyah,host=model,protected=on"]
# The 34th character of a device's features is ACCESS_PLATFORM.
FEATURES = "for d in /sys/bus/virtio/devices/*; do echo platform=$(cut -c 34 $d/features); done\n"
DISK_JOB = FEATURES + """dd if=/dev/urandom of=/tmp/a bs=64k count=128 2>/dev/null
head -c 8388608 /dev/disk | md5sum
dd if=/tmp/a of=/dev/disk bs=64k conv=fsync 2>/dev/null
echo 3 >/proc/sys/vm/drop_caches; head -c 8388608 /dev/disk | cmp - /tmp/a
"""


def protected(args, accel=None, machine=None):
    """A guest's arguments with another accelerator and more for -machine."""
    args = list(args)
    if accel:
        at = args.index("-accel")
        args[at:at + 2] = accel
    if machine:
        args[args.index("-machine") + 1] += "," + machine
    return args


def run_disk_job(*more, accel=PROTECTED, machine=None, pci=False, knobs="", job=DISK_JOB):
    with humpy.Guest(job) as guest:
        data = random.Random(1).randbytes(16 * MIB)
        with open(guest.path("disk"), "wb") as f:
            f.write(data)
        args = protected(guest.args(*more), accel, machine)
        if pci:
            args = [a.replace("virtio-blk-device", "virtio-blk-pci") for a in args]
        os.environ["HUMPY_MODEL_GUNYAH"] = knobs
        try:
            with Process(args, terminal=False) as process:
                check_equal(process.wait(), 0, "exit status of " + process.seen[-2000:])
                stderr = process.stderr()
        finally:
            del os.environ["HUMPY_MODEL_GUNYAH"]
        check_equal(guest.job_status(), 0, "status of the job; console: " + process.seen[-3000:])
        check_in(hashlib.md5(data[:8 * MIB]).hexdigest(), process.seen)
        return process.seen, stderr


@test("Debian's kernel reads and writes its disks through the window, on virtio-mmio")
def disk():
    console, _ = run_disk_job()
    check_in("platform=1", console)
    check_equal("platform=0" in console, False, "a device without ACCESS_PLATFORM")
    check_in("swiotlb=16384", console)


@test("the same with the object that QEMU's users know, and a larger window")
def confidential():
    console, _ = run_disk_job("-object", "arm-confidential-guest,id=prot0,swiotlb-size=128M",
                              accel=humpy.ACCEL, machine="confidential-guest-support=prot0")
    check_in("platform=1", console)
    check_in("swiotlb=32768", console)


@test("the same on PCI")
def pci():
    console, _ = run_disk_job(pci=True)
    check_in("platform=1", console)


@test("the same on the drivers of Android 15 and of the v17 posting")
def revisions():
    for revision in ("android15", "v17"):
        check_in("platform=1", run_disk_job(knobs=f"rev={revision}")[0])


@test("the resource manager's firmware starts the kernel")
def firmware():
    accel = ["-accel", "gunyah,host=model,protected=on,pvmfw=on"]
    check_in("platform=1", run_disk_job(accel=accel, knobs="pvmfw=on,policy=lend")[0])
    refused = humpy.run([*accel, "-machine", "virt", "-display", "none", "-kernel", "/dev/null"])
    check_equal(refused.returncode, 1, "exit status")


@test("a protected guest reboots into a protected guest")
def reboot():
    with humpy.Guest(FEATURES + "reboot -f") as guest:
        args = protected(guest.args(reboot=True), PROTECTED)
        with Process(args, terminal=False) as process:
            first = process.expect("platform=1")
            second = process.expect(humpy.INIT_LINE, first)
            process.expect("platform=1", second)


@test("auto shares where the firmware lets it, and lends where it does not")
def auto():
    accel = ["-accel", "gunyah,host=model,protected=auto"]
    console, stderr = run_disk_job(accel=accel, knobs="policy=any")
    check_equal("platform=1" in console, False, "ACCESS_PLATFORM without need")
    console, stderr = run_disk_job(accel=accel, knobs="policy=lend")
    check_in("platform=1", console)
    check_in("going on with a protected guest", stderr)


@test("DHCP, and 16 MiB from the host over virtio-net")
def net():
    data = random.Random(7).randbytes(16 * MIB)
    with Server(data) as server:
        job = FEATURES + DHCP + f"echo sum=$(wget -q -O - http://10.0.2.2:{server.port}/ | md5sum)"
        with humpy.Guest(job) as guest:
            args = protected(guest.args("-netdev", "user,id=n0", "-device",
                                        "virtio-net-device,netdev=n0"), PROTECTED)
            with Process(args, terminal=False) as process:
                check_equal(process.wait(), 0, "exit status of " + process.seen[-2000:])
    check_in("platform=1", process.seen)
    check_in("leased=10.0.2.15", process.seen)
    check_in(f"sum={hashlib.md5(data).hexdigest()} ", process.seen)


if __name__ == "__main__":
    humpy.need_guest()
    tap.main()
