#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""humpy-export below a real kernel's disks and cards: Debian's 6.12 with vduse in a machine that QEMU
emulates (scripts/vduse), QEMU's storage daemon beside it as the reference. The parts themselves are
in vduse/; all run in one machine, started once."""
import os
import shutil
import subprocess

import humpy
import tap

VDUSE = os.path.join(humpy.ROOT, "scripts", "vduse")
GUEST = os.path.join(humpy.ROOT, "tests", "functional", "vduse")
BINARY = os.environ.get("HUMPY_EXPORT", os.path.join(humpy.ROOT, "build", "system", "humpy-export"))
RINGS = os.environ.get("HUMPY_RINGS", os.path.join(humpy.ROOT, "build", "tests", "functional",
                                                   "vduse-rings"))

VSOCK = os.environ.get("HUMPY_VSOCK", os.path.join(os.path.dirname(RINGS), "vhost-vsock-real"))

# Daemon, part, the rule.
PARTS = (
    ("humpy", "options", "the driver sees what the options say"),
    ("humpy", "filesystem", "a file system keeps what was written, in the image too"),
    ("humpy", "fio", "fio finds what it wrote, on two queues"),
    ("humpy", "again", "a device is detached and attached again"),
    ("humpy", "resize", "a disk grows while it is mounted"),
    ("humpy", "readonly", "a disk that is not writable says so"),
    ("humpy", "discard", "discard makes holes, write zeroes makes zeroes"),
    ("humpy", "kill", "kill -9 in the middle of writes loses nothing"),
    ("humpy", "timeout", "a device that the kernel gave up is told about, destroyed and made again"),
    ("humpy", "attach", "a device that the program attached goes with it"),
    ("humpy", "monitor", "exports come and go in the monitor, but not below a driver"),
    ("humpy", "refused", "what cannot be had is refused in one line"),
    ("humpy", "net", "two cards ping each other and carry data"),
    ("humpy", "vhost", "a driver outside the kernel is served through vhost-vdpa"),
    ("humpy", "rings", "a driver that does everything wrong harms nobody but itself"),
    ("qsd", "options", "the reference shows what its options say"),
    ("qsd", "vhost", "the reference answers the same driver"),
)

_output = []


def output():
    """What the machine printed; it is started by the first test that asks."""
    if not _output:
        calls = []
        for daemon in dict.fromkeys(daemon for daemon, _, _ in PARTS):
            parts = " ".join(part for whose, part, _ in PARTS if whose == daemon)
            calls.append(f"bash /vduse/guest.sh {daemon} {parts}")
        command = [VDUSE, "--binary", BINARY, "--add", "/bin/bash=/bin/bash",
                   "--add", f"{shutil.which('blkdiscard', path='/usr/sbin:/sbin')}=/bin/blkdiscard",
                   "--add", f"{RINGS}=/vduse/rings", "--add", f"{VSOCK}=/vduse/vsock"]
        calls.append("load-modules vhost_vsock && /vduse/vsock | sed s/^/vsock:/")
        for name in ("guest.sh", "parts-data.sh", "parts-control.sh"):
            command += ["--add", f"{os.path.join(GUEST, name)}=/vduse/{name}"]
        command.append(" && ".join(calls))
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False)
        _output.append(done.stdout.decode("latin1").replace("\r", ""))
    return _output[0]


def said(daemon, word):
    """What followed the word in a line of that daemon."""
    for line in output().splitlines():
        if line.startswith(f"{daemon}: {word}: "):
            return line[len(f"{daemon}: {word}: "):]
    raise AssertionError(f"{daemon} has no line '{word}'")


def register(daemon, part, rule):
    @tap.test(rule)
    def _():
        text = output()
        if f"{daemon}: part {part} ok" in text:
            return
        # The parts after one that failed are not run.
        after = text.rpartition(" ok (")[2]
        raise AssertionError(f"{daemon}: part {part} has not passed:\n{after[-6000:]}")


for each in PARTS:
    register(*each)


@tap.test("vhost-vsock-device carries streams between its guest and AF_VSOCK sockets of the host")
def vhost_vsock():
    lines = [line for line in output().splitlines() if line.startswith("vsock:")]
    tap.check_equal(sorted(line.split()[2] for line in lines if line.startswith("vsock:ok ")),
                    [f"/vhost-vsock-real/{name}" for name in (
                        "address-in-use", "guest-connects", "reset-and-nobody-listens")],
                    "\n".join(lines))


@tap.test("the driver sees the same disk from both daemons")
def same_disk():
    for word in ("seen", "queues"):
        tap.check_equal(said("humpy", word), said("qsd", word), word)


@tap.test("no feature of the reference is missing")
def same_features():
    ours, theirs = said("humpy", "features"), said("qsd", "features")
    missing = [bit for bit, (a, b) in enumerate(zip(ours, theirs)) if b == "1" and a != "1"]
    tap.check_equal(missing, [], "feature bits that only the reference has")


if __name__ == "__main__":
    if shutil.which("qemu-system-x86_64") is None:
        tap.skip_all("qemu-system-x86_64 is not installed (package qemu-system-x86)")
    tap.main()
