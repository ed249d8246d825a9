#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Options of -accel acrn, and the bare-metal program of tests/guest/x86 with them. What runs the
same under each accelerator is in test_microvm.py."""
import os

import humpy
import tap
from qmp import Qmp
from tap import check_equal, check_in, test

PAYLOAD = os.path.join(os.environ.get("HUMPY_PAYLOADS", os.path.join(humpy.ROOT, "build", "tests",
                                                                     "guest")),
                       "x86", "payload-x86.elf")
# test of the payload: (CPUs, more for its command line)
PAYLOADS = {"pio": (1, ""), "mmio": (1, ""), "pci": (1, ""), "irq": (1, ""), "msi": (1, ""),
            "smp": (4, ""), "storm": (1, "port=0xe0 writes=20000"), "reset": (4, "resets=100")}


def machine(accel, smp, *more):
    return ["-M", "microvm", "-accel", accel, "-m", "64", "-smp", str(smp), "-nographic", *more]


def run_payload(accel, name):
    smp, line = PAYLOADS[name]
    done = humpy.run([*machine(accel, smp, "-device", "pc-testdev", "-device", "edu"),
                      "-kernel", PAYLOAD, "-append", f"test={name} cpus={smp} ecam=0xe0000000 "
                      f"bar=0xc0100000 pm1=0x604 {line}"])
    lines = done.stdout.splitlines()
    check_equal(done.returncode, 0, f"exit status ({done.stderr!r}, {done.stdout!r})")
    check_equal([li for li in lines if li.startswith("not ok")], [], "what failed")
    check_in(f"1..{len([li for li in lines if li.startswith('ok ')])}", lines)


def refused(text, *args, accel="acrn,host=model"):
    done = humpy.run([*machine(accel, 2), "-kernel", PAYLOAD, *args])
    check_equal(done.returncode != 0, True, "refusal")
    check_in(text, done.stderr, "stderr")
    check_equal(len(done.stderr.strip().splitlines()), 1, f"lines of {done.stderr!r}")


@test("acrn: an affinity without a CPU is refused")
def affinity_empty():
    for value in ("", ":", "3-1", "64", "0x1", "-1"):
        refused(f"cpu-affinity: '{value}' is not a list of physical CPUs",
                accel=f"acrn,host=model,cpu-affinity={value}")


@test("acrn: an affinity of CPUs that the hypervisor does not have is refused")
def affinity_absent():
    refused("cannot create the VM", accel="acrn,host=model,cpu-affinity=62-63")


@test("acrn: an affinity that makes other vCPUs than -smp is refused")
def affinity_smp():
    refused("-smp asks for 2 vCPUs but the hypervisor gives the VM 3",
            accel="acrn,host=model,cpu-affinity=0-2")


@test("acrn: lapic-passthrough without rt is refused")
def flags():
    refused("lapic-passthrough=on needs rt=on", accel="acrn,host=model,lapic-passthrough=on")


@test("acrn: without the node, host=kernel says what is missing")
def no_node():
    if os.path.exists("/dev/acrn_hsm"):
        raise tap.Skip("this is an ACRN Service VM")
    refused("/dev/acrn_hsm", accel="acrn,host=kernel")


def storm(*more):
    return Qmp("-M", "microvm", "-accel", "acrn,host=model", "-m", "64", "-smp", "2",
               "-display", "none", "-serial", "null", "-device", "pc-testdev", "-kernel", PAYLOAD,
               "-append", "test=storm port=0xe0 writes=4000000000", *more)


@test("acrn: a VM that was not started yet can be continued, one that runs cannot be stopped")
def start_and_stop():
    with storm("-S") as q:
        check_equal(q.client.execute("query-status")["status"], "prelaunch")
        q.client.execute("cont")
        check_equal(q.client.execute("query-status")["status"], "running")
        try:
            q.client.execute("stop")
        except Exception as error:  # pylint: disable=broad-except
            check_in("a paused ACRN VM can only be reset", str(error))
        else:
            raise AssertionError("stop was taken")
        check_equal(q.client.execute("query-status")["status"], "running")


@test("acrn: system_reset in the middle of requests starts the guest anew, each time")
def resets():
    with storm() as q:
        for _ in range(50):
            q.client.execute("system_reset")
            check_equal(q.client.event("RESET")["data"], {"guest": False, "reason": "host-qmp-system-reset"})
        check_equal(q.client.execute("query-status")["status"], "running")
        q.client.execute("quit")
        check_equal(q.wait(), 0)


if not os.path.exists(PAYLOAD):
    tap.skip_all("no x86_64-linux-gnu-gcc to build the payload with")
if humpy.no_x86_kvm():
    tap.skip_all(f"{humpy.no_x86_kvm()}, which the ACRN model does on it")
for test_name in PAYLOADS:
    test(f"acrn: with completion polling, the payload's test {test_name} is passed")(
        lambda name=test_name: run_payload("acrn,host=model,completion-polling=on", name))
test("acrn: a guest writes to a port without end")(
    lambda: run_payload("acrn,host=model", "storm"))
tap.main()
