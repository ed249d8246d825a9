#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Launches that are killed at any moment, and a good one after each: nothing of the dead one is in
its way, and nothing stays. The guest is a few instructions, so that a launch takes little.

HUMPY_CRASH_LAUNCHES and HUMPY_CRASH_SEED say how many and which; the suite launch-crash of
scripts/test makes 500."""
import collections
import json
import os
import random
import resource
import select
import shutil
import signal
import subprocess
import sys
import time

import humpy
import tap
from scratch import Scratch, arm64_image
from tap import check_equal, test

LAUNCHES = int(os.environ.get("HUMPY_CRASH_LAUNCHES", "60"))
SEED = int(os.environ.get("HUMPY_CRASH_SEED", "6"))
FILES = Scratch("crash")
WORK, path, write = FILES.dir, FILES.path, FILES.write
RUNTIME = os.path.join(WORK, "run")
SCRATCH = os.path.join(WORK, "tmp")
MODEL = ["--accel", "gunyah,host=model"]
SIGNALS = [signal.SIGKILL] * 5 + [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGSEGV,
                                  signal.SIGABRT]


# Says H on the PL011 at 0x9000000; then PSCI SYSTEM_OFF, or sleep.
SAY_H = (0xD2A12001, 0x52800900, 0xB9000020)
GOOD = write("good", arm64_image(code=(*SAY_H, 0xD2800100, 0xF2B08000, 0xD4000002)))
STAYS = write("stays", arm64_image(code=(*SAY_H, 0xD503207F, 0x17FFFFFF)))
DISK = write("disk", os.urandom(1 << 16).ljust(1 << 20, b"\0"))


def config(name, kernel):
    text = json.dumps({"name": "crash", "kernel": kernel, "platform_version": "1", "memory_mib": 64,
                       "disks": [{"partitions": [{"label": "a", "path": "disk"}]}]})
    return write(name, text.encode())


CONFIGS = {kernel: config(os.path.basename(kernel) + ".json", kernel) for kernel in (GOOD, STAYS)}


# Ways to launch: the words for a kernel.
def linux(*more):
    return lambda kernel: [humpy.LAUNCH, "vm", "run-linux", kernel, "--name", "crash", "--mem", "64",
                           *more, *MODEL]


def system(kernel):
    return [humpy.BINARY, *humpy.ACCEL, "-machine", "virt", "-m", "64", "-display", "none", "-serial",
            "stdio", "-kernel", kernel, "-qmp", f"unix:{path('qmp')},server=on,wait=off",
            "-pidfile", path("pid"), "-drive", f"if=none,id=d,format=raw,file={DISK}",
            "-device", "virtio-blk-device,drive=d"]


WAYS = {
    "plain": linux(),
    "protected": linux("--protected", "--swiotlb", "8"),
    "disk": linux("--disk", DISK),
    "temporary overlay": linux("--disk", DISK + ",temporary"),
    "kept overlay": linux("--disk", f"{DISK},overlay={path('over')}"),
    "vsock": linux("--vsock", "7"),
    "configuration": lambda kernel: [humpy.LAUNCH, "vm", "run", CONFIGS[kernel], *MODEL],
    "background": linux("--background"),
    "QEMU's words": system,
}
if shutil.which("qemu-img") and shutil.which("qemu-nbd"):
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path("qcow2"), "1M"], check=True)
    WAYS["qemu-nbd"] = linux("--disk", path("qcow2"))


def fresh():
    """No core files; and a shell in the background, or nohup, has some signals ignored."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for number in set(SIGNALS) - {signal.SIGKILL}:
        signal.signal(number, signal.SIG_DFL)


def start(words):
    return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, cwd=WORK, preexec_fn=fresh,
                            env={**os.environ, "HUMPY_RUNTIME_DIR": RUNTIME, "TMPDIR": SCRATCH})


def list_vms():
    process = start([humpy.LAUNCH, "vm", "list", "--json"])
    out, err = process.communicate(timeout=humpy.LONGEST)
    check_equal((process.returncode, err), (0, b""), "result of vm list")
    return {vm["name"]: vm for vm in json.loads(out)}


def ours():
    """Processes that a launch has left: all have SCRATCH in their environment."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as env, open(f"/proc/{pid}/cmdline", "rb") as cmd:
                if f"TMPDIR={SCRATCH}\0".encode() in env.read():
                    found[int(pid)] = cmd.read().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue  # it has ended
    return found


def wait_gone():
    """Waits for processes that end because another has."""
    left = ours()
    deadline = time.monotonic() + humpy.LONGEST
    while left:
        if time.monotonic() > deadline:
            raise AssertionError(f"still running: {left}")
        for pid in left:
            try:
                fd = os.pidfd_open(pid)
            except ProcessLookupError:
                continue
            select.select([fd], [], [], 1)
            os.close(fd)
        left = ours()


def wait_unlisted():
    """A process that is just ending has no environment any more but still its lock."""
    deadline = time.monotonic() + humpy.LONGEST
    while left := list_vms():
        if time.monotonic() > deadline:
            raise AssertionError(f"vm list still shows {left}")


def check_no_named_memory(pid):
    """Memory with a name would outlive the process."""
    try:
        with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as maps:
            named = [line for line in maps if "/dev/shm/" in line or "/SYSV" in line]
    except OSError:
        return  # it has ended
    check_equal(named, [], "memory that stays")


def good(way):
    """A launch that is left alone: the guest says H and powers off."""
    process = start(WAYS[way](GOOD))
    out, err = process.communicate(timeout=humpy.LONGEST)
    if way == "background":
        check_equal((process.returncode, out), (0, b"crash\n"), f"result of a launch ({way}), stderr {err}")
        wait_gone()  # the guest is off at once
    else:
        check_equal((process.returncode, out), (0, b"H"), f"result of a launch ({way}), stderr {err}")
    check_equal([name for name in ("qmp", "pid") if os.path.lexists(path(name))], [],
                "what is left of sockets and pid files")


def stage(way, process, said):
    """How far the launch has come."""
    place = WORK if way == "QEMU's words" else os.path.join(RUNTIME, "crash")
    if process.poll() is not None:
        return "ended before"
    if said:
        return "speaks"
    for name, text in (("pid", "pid file"), ("qmp", "sockets"), ("info.json", "description"),
                       ("lock", "lock")):
        if os.path.exists(os.path.join(place, name)):
            return text
    return "begins"


def crash(way, after, number):
    """A launch that number kills after this time or when it speaks; how far it had come."""
    process = start(WAYS[way](STAYS))
    said, _, _ = select.select([process.stdout], [], [], after)
    reached = stage(way, process, said)
    check_no_named_memory(process.pid)
    stop(process, number)
    return reached


def stop(process, number=signal.SIGKILL):
    """Sends a signal, then sees to it that nothing runs on."""
    process.send_signal(number)
    process.communicate(timeout=humpy.LONGEST)
    if "crash" in list_vms():  # in the background it lives on without who started it
        stopped = start([humpy.LAUNCH, "vm", "stop", "crash", "--force"])
        stopped.communicate(timeout=humpy.LONGEST)
    wait_gone()


def typical(way):
    """How long a launch takes until it speaks."""
    began = time.monotonic()
    process = start(WAYS[way](STAYS))
    select.select([process.stdout], [], [], humpy.LONGEST)
    took = time.monotonic() - began
    stop(process)
    good(way)
    return took


@test(f"after each of {LAUNCHES} launches killed at any moment a good one starts, nothing is left")
def crashes():
    rand = random.Random(SEED)
    times = {way: typical(way) for way in WAYS}
    reached = collections.Counter()
    for i in range(LAUNCHES):
        way = rand.choice(sorted(WAYS))
        number = rand.choice(SIGNALS)
        after = rand.random() * 1.3 * times[way]
        what = f"launch {i} of seed {SEED}: {way}, {number.name} after {after * 1e3:.1f} ms"
        try:
            reached[crash(way, after, number)] += 1
            good(way)
            wait_unlisted()
            check_equal(os.listdir(RUNTIME), [], "what is left of places")
            check_equal(os.listdir(SCRATCH), [], "what is left of temporary files")
            check_equal(ours(), {}, "what is left of processes")
        except Exception as error:
            raise AssertionError(f"{what}: {error}") from error
        if (i + 1) % 50 == 0:
            print(f"# {i + 1} of {LAUNCHES}", file=sys.stderr, flush=True)
    print("# " + ", ".join(f"{name}: {n}" for name, n in reached.most_common()), flush=True)


os.mkdir(SCRATCH)
try:
    tap.main()
finally:
    shutil.rmtree(WORK)
