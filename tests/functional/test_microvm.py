#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The microvm machine as a whole: what a user can get wrong, and what the program does when a guest
resets or powers itself off. (The payload itself is payload_x86.py's.)"""
import os
import struct
import tempfile

import humpy
import tap
from qmp import Qmp
from tap import Skip, check_equal, check_in, test

PAYLOAD = os.path.join(os.environ.get("HUMPY_PAYLOADS", ""), "x86", "payload-x86.elf")
WORK = tempfile.TemporaryDirectory(prefix="humpy-microvm-")


def write(name, data):
    path = os.path.join(WORK.name, name)
    with open(path, "wb") as f:
        f.write(data)
    return path


# ---- what a user gets wrong ----

def bzimage(**fields):
    """A bzImage whose kernel is a jump to itself. Fields: offset and bytes by name."""
    places = {"sectors": (0x1f1, b"\4"), "size": (0x1f4, b"\0\1\0\0"), "flag": (0x1fe, b"\x55\xaa"),
              "jump": (0x200, b"\xeb\x66"), "magic": (0x202, b"HdrS"), "version": (0x206, b"\x0f\2"),
              "loadflags": (0x211, b"\1"), "initrd_max": (0x22c, b"\xff\xff\xff\x7f"),
              "relocatable": (0x234, b"\1"), "cmdline_max": (0x238, b"\xff\7\0\0"),
              "preferred": (0x258, struct.pack("<Q", 1 << 24)), "init": (0x260, b"\0\0\1\0")}
    image = bytearray(5 * 512 + 4096)
    for name, (offset, value) in places.items():
        value = fields.get(name, value)
        image[offset:offset + len(value)] = value
    image[2560:2562] = b"\xeb\xfe"
    return bytes(image)


def refused(args, *parts):
    done = humpy.run(["-machine", "microvm", "-accel", "qtest", "-display", "none", *args])
    check_equal(done.returncode, 1, f"status of {args}")
    check_equal(done.stderr.count("\n"), 1, f"lines on stderr: {done.stderr!r}")
    for part in parts:
        check_in(part, done.stderr)


def boots(args):
    """Gets as far as a running machine, from which QMP asks it to leave."""
    with Qmp("-machine", "microvm", "-accel", "qtest", "-display", "none", *args) as q:
        q.client.execute("quit")
        check_equal(q.wait(), 0)


@test("-machine help lists the machine, and not the arm64 one")
def machine_help():
    done = humpy.run(["-machine", "help"])
    check_equal(done.returncode, 0)
    check_in("microvm", done.stdout)
    check_equal("virt-7.2" in done.stdout, False)


@test("options that cannot be had are refused, each with its reason")
def bad_options():
    refused(["-bios", "/dev/null"], "-bios", "no ROM for firmware yet")
    refused(["-dtb", "/dev/null"], "-dtb", "ACPI tables")
    refused(["-m", "1M"], "-m", "4 MiB to 252 GiB")
    refused(["-m", "300G"], "-m", "4 MiB to 252 GiB")
    refused(["-cpu", "cortex-a57"], "-cpu cortex-a57", "not known")
    refused(["-cpu", "host,pmu=on"], "-cpu host,pmu=on")
    refused(["-smp", "33"], "-smp 33", "1 to 32")
    refused(["-append", "x"], "-append", "-kernel")
    refused(["-initrd", "x"], "-initrd", "-kernel")
    refused(["-machine", "microvm,pciee=on"], "pcie")
    refused(["-machine", "microvm,x-option-roms=on"], "x-option-roms=on", "no firmware")
    refused(["-device", "pvpanic-mmio"], "pvpanic-mmio", "has no place")
    refused(["-device", "pc-testdev", "-device", "pc-testdev"], "already is a 'pc-testdev'")


@test("a good bzImage is loaded")
def good_kernel():
    boots(["-kernel", write("good", bzimage()), "-append", "x" * 2047])


@test("bad kernels are refused, each with its reason")
def bad_kernels():
    rows = [(bzimage(magic=b"XXXX"), "no 'HdrS' at 0x202"), (bzimage(version=b"\5\2"), "protocol 2.05"),
            (bzimage(relocatable=b"\0"), "not relocatable"), (bzimage(loadflags=b"\0"), "zImage"),
            (bzimage(flag=b"\0\0"), "0xaa55"), (bzimage()[:-1], "cut short"), (b"", "an empty file"),
            (bzimage(init=b"\0\0\0\x7f"), "see -m"), (b"\x7fELF\2\1\1", "ELF header"),
            (bzimage(preferred=b"\xff" * 8), "pref_address"), (b"\x1f\x8b" + bytes(100), "gzip data")]
    for i, (data, why) in enumerate(rows):
        name = write(f"bad{i}", data)
        refused(["-kernel", name], f"-kernel {name}: ", why)
    refused(["-kernel", write("good", bzimage()), "-append", "x" * 2048], "-append", "2047")
    refused(["-kernel", write("good", bzimage()), "-initrd", "/nonexistent"], "-initrd /nonexistent")
    refused(["-kernel", "/nonexistent"], "-kernel /nonexistent")
    refused(["-kernel", WORK.name], "not a regular file")


@test("info roms tells where kernel and initrd are")
def roms():
    with Qmp("-machine", "microvm", "-accel", "qtest", "-display", "none",
             "-kernel", write("good", bzimage()), "-initrd", write("initrd", bytes(5000))) as q:
        text = q.client.execute("human-monitor-command", command_line="info roms")
        check_in("addr=0000000001000000 size=0x001000", text)
        check_in("addr=0000000007ffe000 size=0x001388", text)


@test("isa-debug-exit ends the program with the guest's status")
def debug_exit():
    commands = os.path.join(WORK.name, "commands")
    for value, status in (("0x0", 1), ("0x15", 43), ("0xffff", 255)):
        with open(commands, "w", encoding="ascii") as f:
            f.write(f"outw 0x501 {value}\n")
        with open(commands, encoding="ascii") as f:
            done = humpy.run(["-machine", "microvm", "-accel", "qtest", "-display", "none", "-qtest",
                              "stdio", "-qtest-log", "none", "-device", "isa-debug-exit"], stdin=f)
        check_equal(done.returncode, status, done.stderr)
    refused(["-device", "isa-debug-exit,iobase=0xffff"], "iobase=0xffff", "end at 0xffff")
    refused(["-device", "isa-debugcon"], "chardev is missing")


# ---- with a guest ----

def need(accel):
    if not os.path.exists(PAYLOAD):
        raise Skip("no compiler for the payload")
    if humpy.no_x86_kvm():
        raise Skip(f"-accel {accel}: {humpy.no_x86_kvm()}")


def machine(accel, cpus, words, *more):
    return ["-machine", "microvm", "-accel", accel, "-smp", str(cpus), "-nodefaults",
            "-display", "none", "-device", "pc-testdev", "-device", "edu", "-kernel", PAYLOAD,
            "-append", f"cpus={cpus} ecam=0xe0000000 bar=0xc0000000 pm1=0x604 {words}", *more]


@test("kvm: a guest's reset and power-off are told by QMP")
def events():
    need("kvm")
    with Qmp(*machine("kvm", 1, "test=reset resets=3"), "-no-shutdown", "-S") as q:
        q.client.execute("cont")
        for _ in range(3):
            check_equal(q.client.event("RESET")["data"], {"guest": True, "reason": "guest-reset"})
        check_equal(q.client.event("SHUTDOWN")["data"], {"guest": True, "reason": "guest-shutdown"})
        q.client.event("STOP")
        check_equal(q.client.execute("query-status")["status"], "shutdown")


@test("kvm: -no-reboot ends the program at the guest's reset")
def no_reboot():
    need("kvm")
    done = humpy.run(machine("kvm", 1, "test=reset resets=3", "-no-reboot"))
    check_equal((done.returncode, done.stderr), (0, ""))


@test("a machine without a kernel does not start vCPUs")
def needs_kernel():
    need("kvm")
    done = humpy.run(["-machine", "microvm", "-accel", "kvm", "-display", "none"])
    check_equal(done.returncode, 1)
    check_in("-kernel: is missing", done.stderr)


tap.main()
