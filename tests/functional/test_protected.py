#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Linux in memory that is lent to it: it reads, writes and talks through the window that devices
reach, and what the host may not touch nothing in the program touches."""
import hashlib
import random

import humpy
import tap
from humpy import Process
from protected import FEATURES, MIB, PROTECTED, protected, run_disk_job
from tap import check_equal, check_in, test
from hostnet import DHCP, Server


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
