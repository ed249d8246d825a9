#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The ways to launch a VM, each protected and not: QEMU's words, a file for 'humpy vm run', crosvm's
words. Debian's kernel boots, checks data on its disk and says through which kind of devices. The fourth
way, UEFI, is in test_efi.py."""
import functools
import hashlib
import json
import os
import random
import shutil
import tempfile

import humpy
import tap
from tap import check_equal, check_in, test

DATA = random.Random(3).randbytes(1 << 20)
# The 34th character of a device's features is ACCESS_PLATFORM.
JOB = """echo cpus=$(nproc)
for d in /sys/bus/virtio/devices/*; do echo platform=$(cut -c 34 $d/features); done
head -c 1048576 /dev/disk | md5sum
grep -o 'way=[a-z]*' /proc/cmdline
"""
WINDOW = 32  # MiB


def qemu(guest, protected):
    args = guest.args("-smp", "2")
    args[args.index("-append") + 1] += " way=qemu"
    if protected:
        args[args.index("-machine") + 1] += ",confidential-guest-support=prot0"
        args += ["-object", f"arm-confidential-guest,id=prot0,swiotlb-size={WINDOW}M"]
    return humpy.BINARY, args


def config(guest, protected):
    more = {"protected": True, "swiotlb_mib": WINDOW} if protected else {}
    with open(guest.path("vm.json"), "w", encoding="utf-8") as out:
        json.dump({"kernel": "vmlinuz", "initrd": "initrd", "params": "panic=-1 way=file",
                   "platform_version": "~1.0", "memory_mib": 512, "cpu_topology": "cpu_count=2",
                   **more,
                   "disks": [{"image": "job", "writable": True}, {"image": "disk"}]}, out)
    return humpy.LAUNCH, ["vm", "run", guest.path("vm.json"), "--accel", "gunyah,host=model"]


def crosvm(guest, protected):
    more = ["--protected-vm-without-firmware", "--swiotlb", str(WINDOW)] if protected else []
    return humpy.LAUNCH, [
        "crosvm", "run", *more, "--disable-sandbox", "--mem", "512", "--hypervisor", "gunyah",
        "--cpus", "num-cores=2", "--serial", "type=stdout,hardware=serial,num=1,console,stdin",
        "--initrd", guest.path("initrd"), "--rwdisk", guest.path("job"), "--block",
        guest.path("disk") + ",ro", "-p", "panic=-1 way=crosvm", guest.path("vmlinuz")]


WAYS = {"qemu": ("QEMU's words", qemu), "file": ("a file for vm run", config),
        "crosvm": ("crosvm's words", crosvm)}


def boots(word, way, protected):
    with humpy.Guest(JOB) as guest:
        with open(guest.path("disk"), "wb") as disk:
            disk.write(DATA)
        binary, args = way(guest, protected)
        with humpy.Process(args, terminal=False, binary=binary) as process:
            check_equal(process.wait(), 0, f"exit status of {process.seen[-2000:]}")
        check_equal(guest.job_status(), 0, "status of the job; console: " + process.seen[-3000:])
        for text in ("cpus=2\n", f"platform={int(protected)}\n", hashlib.md5(DATA).hexdigest(),
                     f"way={word}\n"):
            check_in(text, process.seen, "console")
        check_equal(f"platform={int(not protected)}" in process.seen, False, "another kind of device")


for _word, (_name, _way) in WAYS.items():
    for _protected in (False, True):
        test(f"{_name} boot Linux, {'protected' if _protected else 'sharing memory'}")(
            functools.partial(boots, _word, _way, _protected))

humpy.need_guest()
RUNTIME = tempfile.mkdtemp(prefix="humpy-ways-")
os.environ["HUMPY_RUNTIME_DIR"] = RUNTIME
try:
    tap.main()
finally:
    shutil.rmtree(RUNTIME)
