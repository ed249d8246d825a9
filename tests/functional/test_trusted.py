#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Trusted VMs on the model: a signed image boots Linux through each of the words there are for it,
and what is wrong with one is said."""
import functools
import hashlib
import json
import os
import random
import shutil
import subprocess
import tempfile

import humpy
import tap
from tap import check_equal, check_in, test
from trusted import KERNEL_AT, trusted_image

MODEL = "rev=android15,policy=lend,trusted-vm="
VM_ID, PAS_ID = 45, 0x1234
IDS = f"trusted-vm-id={VM_ID},trusted-vm-pas-id={PAS_ID}"
DATA = random.Random(7).randbytes(1 << 20)
JOB = """head -c 1048576 /dev/disk | md5sum
for d in /sys/bus/virtio/devices/*; do echo platform=$(cut -c 34 $d/features); done
echo vmid=$(od -An -tx1 /proc/device-tree/hypervisor/qcom,gunyah-vm/qcom,vmid | tr -d ' ')
"""


def qemu(guest):
    args = guest.args("-accel", f"gunyah,host=model,protected=on,{IDS}")
    args[args.index("-kernel") + 1] = guest.path("image")
    return humpy.BINARY, args[:args.index("-accel")] + args[args.index("-accel") + 2:]


def config(guest):
    identity = bytes(58) + VM_ID.to_bytes(2, "little") + PAS_ID.to_bytes(4, "little")
    with open(guest.path("vm.json"), "w", encoding="utf-8") as out:
        json.dump({"kernel": "image", "initrd": "initrd", "params": "panic=-1", "protected": True,
                   "platform_version": "~1.0", "memory_mib": 512,
                   "enable_hypervisor_specific_auth_method": True, "instance_id": identity.hex(),
                   "disks": [{"image": "job", "writable": True}, {"image": "disk"}]}, out)
    return humpy.LAUNCH, ["vm", "run", guest.path("vm.json"), "--accel", "gunyah,host=model"]


def crosvm(guest):
    hypervisor = f"gunyah[qcom_trusted_vm_id={VM_ID},qcom_trusted_vm_pas_id={PAS_ID}]"
    return humpy.LAUNCH, [
        "crosvm", "run", "--protected-vm-without-firmware", "--mem", "512", "--hypervisor",
        hypervisor, "--fdt-position", "after-payload", "--serial", "type=stdout,num=1",
        "--initrd", guest.path("initrd"), "--rwdisk", guest.path("job"), "--block",
        guest.path("disk") + ",ro", "-p", "panic=-1", guest.path("image")]


def boots(way):
    with humpy.Guest(JOB) as guest:
        with open(guest.path("disk"), "wb") as disk:
            disk.write(DATA)
        with open(guest.path("vmlinuz"), "rb") as kernel, open(guest.path("image"), "wb") as out:
            out.write(trusted_image(kernel.read()))
        os.environ["HUMPY_MODEL_GUNYAH"] = MODEL + "check"
        binary, args = way(guest)
        with humpy.Process(args, terminal=False, binary=binary) as process:
            check_equal(process.wait(), 0, f"exit status of {process.seen[-2000:]}")
        check_equal(guest.job_status(), 0, "status of the job; console: " + process.seen[-3000:])
        for text in (hashlib.md5(DATA).hexdigest(), "platform=1\n", f"vmid=000000{VM_ID:02x}"):
            check_in(text, process.seen, "console")


for _name, _way in ("QEMU's words", qemu), ("a file for vm run", config), ("crosvm's words", crosvm):
    test(f"a signed image boots Linux by {_name}")(functools.partial(boots, _way))


def start(knobs, image, *more):
    """What the program says that is to start it, and its exit status."""
    with open(os.path.join(WORK, "image"), "wb") as out:
        out.write(image)
    env = dict(os.environ, HUMPY_MODEL_GUNYAH=knobs)
    done = subprocess.run([humpy.BINARY, "-accel", f"gunyah,host=model,protected=on,{IDS}",
                           "-machine", "virt", "-m", "128M", "-nographic", "-kernel",
                           os.path.join(WORK, "image"), *more], env=env, capture_output=True,
                          text=True, check=False, stdin=subprocess.DEVNULL, timeout=humpy.LONGEST)
    return done.returncode, done.stderr


@test("what is wrong with an image, or missing for it, is one line")
def refused():
    with open(os.path.join(os.environ["HUMPY_PAYLOADS"], "hello.img"), "rb") as file:
        hello = file.read()
    good = bytearray(trusted_image(hello))
    spoilt = bytearray(good)
    spoilt[KERNEL_AT + 70] ^= 1
    for knobs, image, said in [
            (MODEL + "check", spoilt, "the image was not authenticated"),
            (MODEL + "check", spoilt, "'Failed to Authenticate VM: -22'"),
            (MODEL + "check", hello, "the image was not authenticated"),
            (MODEL + "check", good[:4096], "is no signed image: its ELF header is not followed by"),
            (MODEL + "off", good, "gunyah_qtvm is not there"),
            ("rev=android14", good, "has no SET_AUTH_TYPE (Android 15 or newer has)")]:
        status, stderr = start(knobs, image)
        check_equal((status, stderr.count("\n")), (1, 1), stderr)
        check_in(said, stderr)
    for image in good, hello:
        check_equal(start(MODEL + "accept" if image is hello else MODEL + "check", image),
                    (0, ""))


humpy.need_guest()
WORK = tempfile.mkdtemp(prefix="humpy-trusted-")
os.environ["HUMPY_RUNTIME_DIR"] = os.path.join(WORK, "run")
try:
    tap.main()
finally:
    shutil.rmtree(WORK)
