#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Linux on PCI: disks and entropy as PCI functions, hot plug and unplug behind a root port."""
import socket

import humpy
import tap
from qmp import Client
from tap import check_equal, check_in, test


def on_pci(args, *options):
    """The guest's disks as PCI functions instead of on virtio-mmio."""
    return [a.replace("virtio-blk-device", "virtio-blk-pci") + ",".join(("", *options))
            if a.startswith("virtio-blk-device") else a for a in args]


def boots(*options):
    job = """mount /dev/disk /mnt && cp -r /bin /mnt && umount /mnt || exit 1
dd if=/dev/hwrng of=/dev/null bs=16 count=1 || exit 2
echo ids $(cat /sys/bus/pci/devices/*/device)"""
    with humpy.Guest(job) as guest:
        args = on_pci(guest.args("-device", "virtio-rng-pci"), *options)
        with humpy.Process(args, terminal=False) as process:
            check_equal(process.wait(), 0, "exit status")
            check_equal(guest.job_status(), 0, "status of the job; console: " + process.seen)
            return process.seen


@test("Linux runs from transitional functions, interrupted by INTx")
def transitional():
    check_in("ids 0x0008 0x1001 0x1001 0x1005", boots())


@test("Linux runs from modern functions")
def modern():
    check_in("ids 0x0008 0x1042 0x1042 0x1005", boots("disable-legacy=on"))


@test("Linux runs from functions with the legacy interface alone")
def legacy():
    check_in("ids 0x0008 0x1001 0x1001 0x1005", boots("disable-modern=on"))


@test("a disk comes and goes behind a root port while Linux runs")
def hot_plug():
    job = """echo ready
while [ ! -b /dev/vdc ]; do sleep 0.2; done
dd if=/dev/vdc of=/dev/null bs=1M count=1 || exit 1
echo there
while [ -d /sys/bus/pci/devices/0000:01:00.0 ]; do sleep 0.2; done"""
    with humpy.Guest(job) as guest, socket.socket(socket.AF_UNIX) as listener:
        with open(guest.path("hot"), "wb") as f:
            f.truncate(1 << 20)
        listener.bind(guest.path("qmp"))
        listener.listen(1)
        args = guest.args("-device", "pcie-root-port,id=rp0,slot=5",
                          "-drive", f"if=none,id=hot,format=raw,file={guest.path('hot')}",
                          "-qmp", f"unix:{guest.path('qmp')}")
        with humpy.Process(args) as process:
            client = Client(listener.accept()[0])
            process.expect("ready\n")
            client.execute("device_add", driver="virtio-blk-pci", drive="hot", id="hp0", bus="rp0")
            process.expect("there\n")
            client.execute("device_del", id="hp0")
            while client.event("DEVICE_DELETED")["data"].get("device") != "hp0":
                pass
            check_equal(process.wait(), 0, "exit status; console: " + process.seen[-2000:])
            check_equal(guest.job_status(), 0, "status of the job: " + process.seen[-2000:])
            client.close()


humpy.need_guest()
tap.main()
