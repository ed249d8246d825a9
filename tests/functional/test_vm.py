#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""'humpy vm' from start to stop, with Debian's kernel."""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

import humpy
import tap
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


try:
    tap.main()
finally:
    shutil.rmtree(RUNTIME)
