#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""'humpy vm' from start to stop, with Debian's kernel."""
import gzip
import json
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time

import humpy
import tap
from android import HOLE, RAW, boot_img, chunk, pad, sparse_img, vendor_boot_img
from tap import check_equal, check_in, test

humpy.need_guest()
MODEL = ["--accel", "gunyah,host=model"]
RUNTIME = tempfile.mkdtemp(prefix="humpy-vm-")
os.environ["HUMPY_RUNTIME_DIR"] = RUNTIME


def launch(*args, **kwargs):
    return subprocess.run([humpy.LAUNCH, *args], capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL, timeout=humpy.LONGEST, **kwargs)


def running():
    done = launch("vm", "list", "--json")
    check_equal((done.returncode, done.stderr), (0, ""))
    return {vm["name"]: vm for vm in json.loads(done.stdout)}


def linux(guest, *more):
    return ["vm", "run-linux", guest.path("vmlinuz"), guest.path("initrd"),
            "--disk", guest.path("job"), "--disk", guest.path("disk"), *MODEL, *more]


def start(guest, name, *more):
    """In the background, without a console."""
    done = launch(*linux(guest, "--name", name, "--background", *more))
    check_equal((done.returncode, done.stdout), (0, name + "\n"), done.stderr)


def wait_gone(name):
    deadline = time.monotonic() + humpy.LONGEST
    while name in running():
        if time.monotonic() > deadline:
            raise AssertionError(f"{name} is still there")


@test("vm run-linux boots to a shell; a second console shows and says the same")
def boots():
    with humpy.Guest() as guest, \
            humpy.Process(linux(guest, "--name", "seen"), binary=humpy.LAUNCH) as vm:
        vm.expect(humpy.PROMPT)
        check_equal(running()["seen"]["status"], "running")
        with humpy.Process(["vm", "console", "seen"], binary=humpy.LAUNCH) as console:
            console.type("echo $((6 * 7))-both\n")
            console.expect("42-both")
            vm.expect("42-both")
            console.type("\x1d")
            check_equal(console.wait(), 0)
        vm.type("poweroff -f\n")
        check_equal(vm.wait(), 0)
        check_equal(running(), {})


@test("vm run starts what a file says, paths being relative to it")
def runs_config():
    with humpy.Guest() as guest:
        config = guest.path("vm.json")
        with open(config, "w", encoding="utf-8") as out:
            json.dump({"name": "filed", "kernel": "vmlinuz", "initrd": "initrd",
                       "params": "panic=-1", "platform_version": "~1.0", "memory_mib": 300,
                       "cpu_topology": "cpu_count=2",
                       "disks": [{"image": "job"}, {"image": "disk", "writable": True}]}, out)
        with humpy.Process(["vm", "run", config, *MODEL], binary=humpy.LAUNCH) as vm:
            vm.expect(humpy.PROMPT)
            vm.type("echo $(nproc) $(cat /sys/block/vda/ro /sys/block/vdb/ro)\n")
            vm.expect("2 1 0")
            info = json.loads(launch("vm", "info", "filed", "--json").stdout)
            check_equal((info["memory_mib"], info["cpus"], len(info["cpus-fast"])), (300, 2, 2))
            check_equal([b["inserted"]["ro"] for b in info["block"]], [True, False])
            vm.type("\x01x")
            check_equal(vm.wait(), 0)


@test("vm stop ends a VM; its name is free again")
def stops():
    with humpy.Guest() as guest:
        for _ in range(2):
            start(guest, "once")
            check_equal(launch(*linux(guest, "--name", "once")).stderr,
                        "humpy: a VM called 'once' is running (--name gives another name)\n")
            done = launch("vm", "stop", "once", "--force")
            check_equal((done.returncode, done.stderr), (0, ""))
            check_equal(running(), {})


@test("after kill -9 nothing is shown, and nothing is left")
def killed():
    with humpy.Guest() as guest:
        start(guest, "victim")
        os.kill(running()["victim"]["pid"], signal.SIGKILL)
        wait_gone("victim")
        check_equal(os.listdir(RUNTIME), [])
        start(guest, "victim")
        check_equal(launch("vm", "stop", "victim", "--force").returncode, 0)


@test("launches killed at any moment never keep a good one from starting")
def crashes():
    rand = random.Random(5)
    with humpy.Guest() as guest:
        for _ in range(25):
            args = linux(guest, "--name", "crash", "--console", "none", "--mem", "64", "--", "-S")
            with subprocess.Popen([humpy.LAUNCH, *args], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as vm:
                try:
                    vm.wait(rand.random() * 0.2)
                except subprocess.TimeoutExpired:
                    vm.kill()
        check_equal((running(), os.listdir(RUNTIME)), ({}, []))
        start(guest, "crash", "--", "-S")
        check_equal(launch("vm", "stop", "crash", "--force").returncode, 0)


@test("a protected VM boots, and its disk's driver goes through the window")
def protected():
    with humpy.Guest() as guest, \
            humpy.Process(linux(guest, "--protected", "--swiotlb", "32"),
                          binary=humpy.LAUNCH) as vm:
        at = vm.expect(humpy.PROMPT)
        vm.type("cut -c 34 /sys/bus/virtio/devices/virtio*/features; echo end-$((0))\n")
        vm.expect("end-0", at)
        check_in("\n1\n1\n", vm.seen[at:], "console")
        vm.type("\x01x")
        check_equal(vm.wait(), 0)


@test("crosvm's words boot, protected as well")
def crosvm():
    for more in ([], ["--protected-vm-without-firmware", "--swiotlb", "32"]):
        with humpy.Guest() as guest, \
                humpy.Process(["crosvm", "run", *more, "--disable-sandbox", "--mem", "256",
                               "--hypervisor", "gunyah", "--cpus", "num-cores=2", "--serial",
                               "type=stdout,hardware=serial,num=1,console,stdin", "--initrd",
                               guest.path("initrd"), "--block", guest.path("job") + ",ro",
                               "--rwdisk", guest.path("disk"), "-p", "panic=-1",
                               guest.path("vmlinuz")], binary=humpy.LAUNCH) as vm:
            at = vm.expect(humpy.PROMPT)
            vm.type("echo cpus-$(nproc)\n")
            vm.expect("cpus-2", at)
            vm.type("poweroff -f\n")
            check_equal(vm.wait(), 0)


@test("a VM without a name gets one; a stopped one answers as well")
def names():
    with humpy.Guest() as guest:
        done = launch(*linux(guest, "--background", "--", "-S"))
        check_equal(done.stdout, "vm0\n", done.stderr)
        vm = running()["vm0"]
        check_equal(vm["status"], "prelaunch")
        os.kill(vm["pid"], signal.SIGSTOP)
        check_equal(running()["vm0"]["status"], "no-answer")
        done = launch("vm", "stop", "vm0", "--force")
        check_equal(done.returncode, 0)
        check_in("killed", done.stderr)
        wait_gone("vm0")


def cpio(name, data):
    """One file, as an archive of its own."""
    def member(name, data, mode):
        name = name.encode() + b"\0"
        fields = (0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0)
        head = b"070701" + b"".join(b"%08X" % field for field in fields) + name
        return pad(head, 4) + pad(data, 4)
    return member(name, data, 0o100644) + member("TRAILER!!!", b"", 0)


@test("Android's boot images boot: kernel, RAM disks, command lines and bootconfig")
def android():
    with humpy.Guest() as guest:
        def read(name):
            with open(guest.path(name), "rb") as data:
                return data.read()

        def write(name, data):
            with open(guest.path(name), "wb") as out:
                out.write(data)
        kernel = read("vmlinuz")
        if kernel[:2] == b"\x1f\x8b":
            kernel = gzip.decompress(kernel)
        if shutil.which("lz4"):
            kernel = subprocess.run(["lz4", "-l", "-1", "-c"], input=kernel, capture_output=True,
                                    check=True).stdout
        write("boot.img", boot_img(kernel, b"", b"from=boot") + b"AVBf".ljust(64, b"\0"))
        write("init_boot.img", boot_img(b"", read("initrd"), b"from=init"))
        write("vendor_boot.img", vendor_boot_img(cpio("vendor-file", b"from-vendor\n"),
                                                 b"from=vendor", b"androidboot.x = y\n"))
        args = ["vm", "run-linux", guest.path("boot.img"), "--disk", guest.path("job"), "--disk",
                guest.path("disk"), "--init-boot", guest.path("init_boot.img"), "--vendor-boot",
                guest.path("vendor_boot.img"), "--params", "from=user", *MODEL]
        with humpy.Process(args, binary=humpy.LAUNCH) as vm:
            at = vm.expect(humpy.PROMPT)
            vm.type("cat /vendor-file /proc/cmdline; cat /proc/bootconfig; echo end-$((0))\n")
            vm.expect("end-0", at)
            check_in("from-vendor\n", vm.seen[at:])
            check_in("from=vendor from=boot from=init bootconfig console=ttyAMA0 from=user",
                     vm.seen[at:])
            if "can't open '/proc/bootconfig'" not in vm.seen:  # Debian's has no bootconfig
                check_in('androidboot.x = "y"', vm.seen[at:])
            vm.type("\x01x")
            check_equal(vm.wait(), 0, vm.stderr())


def sparse(blocks):
    """A sparse image with these blocks of 4 KiB; None: nothing there."""
    return sparse_img([chunk(HOLE, 1) if block is None else chunk(RAW, 1, block.ljust(4096, b"\0"))
                       for block in blocks], len(blocks))


@test("partitions, sparse images, overlays and qcow2 images are what the guest sees")
def images():
    with humpy.Guest() as guest:
        def write(name, data):
            with open(guest.path(name), "wb") as out:
                out.write(data)
        write("plain", b"plain!".ljust(8192, b"."))
        write("sparse", sparse([None, b"sparse", None]))
        write("base", b"base".ljust(65536, b"."))
        disks = [{"image": "job"}, {"image": "disk"},
                 {"partitions": [{"label": "one", "path": "plain", "writable": True},
                                 {"label": "two", "path": "sparse"}], "writable": True},
                 {"image": "base", "writable": True, "overlay": "over"},
                 {"image": "sparse", "writable": True, "overlay": "over2"}]
        script = "head -c 6 /dev/vdc1; dd if=/dev/vdc2 bs=1 skip=4096 count=6 2>/dev/null; " \
            "head -c 4 /dev/vdd; dd if=/dev/vde bs=1 skip=4096 count=6 2>/dev/null; " \
            "ls -d /dev/vdc3; wc -c </dev/vdc2; echo PARTNAME=two; " \
            "grep -c PARTNAME=two /sys/block/vdc/vdc2/uevent; "
        if shutil.which("qemu-img") and shutil.which("qemu-nbd"):
            subprocess.run(["qemu-img", "convert", "-O", "qcow2", "-f", "raw", guest.path("base"),
                            guest.path("qcow2")], check=True)
            disks.append({"image": "qcow2", "writable": True})
            script += "head -c 4 /dev/vdf; printf QCOW >/dev/vdf; sync; "
        script += "printf OVER >/dev/vdd; printf ONE >/dev/vdc1; printf X >/dev/vde; sync; " \
            "head -c 4 /dev/vdd; echo the-end"
        with open(guest.path("vm.json"), "w", encoding="utf-8") as out:
            json.dump({"kernel": "vmlinuz", "initrd": "initrd", "platform_version": "1.0",
                       "disks": disks}, out)
        with humpy.Process(["vm", "run", guest.path("vm.json"), *MODEL],
                           binary=humpy.LAUNCH) as vm:
            at = vm.expect(humpy.PROMPT)
            vm.type(script.replace("the-end", "the-$((0))-end") + "\n")
            vm.expect("the-0-end", at)
            for text in ("plain!sparsebasesparse", "12288", "OVERthe-0-end"):
                check_in(text, vm.seen[at:], "console")
            vm.type("\x01x")
            check_equal(vm.wait(), 0, vm.stderr())

        def head(name, count):
            with open(guest.path(name), "rb") as data:
                return data.read(count)
        check_equal((head("plain", 6), head("base", 4)), (b"ONEin!", b"base"))
        if len(disks) == 6:
            raw = subprocess.run(["qemu-img", "convert", "-O", "raw", guest.path("qcow2"),
                                  guest.path("raw")], capture_output=True, check=False)
            check_equal((raw.returncode, head("raw", 4)), (0, b"QCOW"))
        with humpy.Process(["vm", "run", guest.path("vm.json"), *MODEL],
                           binary=humpy.LAUNCH) as vm:
            vm.expect(humpy.PROMPT)
            vm.type("head -c 4 /dev/vdd; echo -$((1))\n")
            vm.expect("OVER-1")


try:
    tap.main()
finally:
    shutil.rmtree(RUNTIME)
