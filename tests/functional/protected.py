# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests whose memory is lent to them, for the tests that boot Linux in it."""
import hashlib
import os
import random

import humpy
from humpy import Process
from tap import check_equal, check_in

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
