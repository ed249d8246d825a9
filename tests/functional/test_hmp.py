#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The monitor for humans: lines, keys, and what its commands print."""
import os
import tempfile

import humpy
import tap
from qmp import Qmp
from tap import check_equal, check_in, test

KERNEL = os.path.join(os.environ.get("HUMPY_PAYLOADS", ""), "hello.img")
MACHINE = [*humpy.ACCEL, "-machine", "virt", "-S", "-kernel", KERNEL]


def stopped(*more):
    return Qmp(*MACHINE, *more)


def run(vm, line):
    return vm.client.execute("human-monitor-command", command_line=line)


def terminal(*more):
    return humpy.Process([*MACHINE, "-display", "none", "-monitor", "stdio", *more])


@test("help lists each command once, and help of a command is its line")
def help_lists():
    with stopped() as vm:
        lines = run(vm, "help").splitlines()
        names = [line.split()[0] for line in lines]
        check_equal(len(names), len(set(names)))
        for name in (n for n in names if n != "info"):
            check_in(run(vm, "help " + name.split("|")[0]).strip(), lines)
        check_in("there is no command 'xy'", run(vm, "help xy"))


@test("each info command of 'help info' runs")
def infos():
    with stopped("-device", "virtio-rng-device,id=r") as vm:
        for line in run(vm, "help info").splitlines():
            words = line.split()
            check_equal(words[0], "info")
            check_equal("unknown command" in run(vm, " ".join(words[:2])), False, line)


@test("an unknown command names the nearest one, a wrong number of words the synopsis")
def errors():
    with stopped() as vm:
        check_in("did you mean 'stop'", run(vm, "stpo"))
        check_in("did you mean 'info status'", run(vm, "info statsu"))
        check_in("usage: sum ADDR SIZE", run(vm, "sum 1"))
        check_in("quotation mark", run(vm, "device_del 'a"))
        check_equal(run(vm, "   "), "")


@test("a machine without serial ports has its monitor behind Ctrl-A c")
def no_serial_port():
    with tempfile.TemporaryFile() as keys:
        keys.write(b"\x01cinfo status\nquit\n")
        keys.seek(0)
        done = humpy.run(["-machine", "none"], stdin=keys)
    check_in("VM status: running", done.stdout)
    check_equal((done.returncode, done.stderr), (0, ""))


@test("xp shows memory as written, in every format and size")
def examine():
    with stopped() as vm, open(KERNEL, "rb") as image, \
            tempfile.NamedTemporaryFile() as saved:
        data = image.read(32)
        for size, letter in ((1, "b"), (2, "h"), (4, "w"), (8, "g")):
            text = run(vm, f"xp /{32 // size}x{letter} 0x40000000")
            words = [w for line in text.splitlines() for w in line.split(":")[1].split()]
            expected = [f"0x{int.from_bytes(data[i:i + size], 'little'):0{2 * size}x}"
                        for i in range(0, 32, size)]
            check_equal(words, expected, letter)
        check_in(f" {int.from_bytes(data[:4], 'little', signed=True)}",
                 run(vm, "xp/1dw 0x40000000"))
        check_equal(run(vm, f'pmemsave 0x40000000 32 "{saved.name}"'), "")
        check_equal(saved.read(), data)
        check_in("no disassembler", run(vm, "xp /i 0"))
        check_in("65536 at most", run(vm, "xp /65537xb 0"))


@test("print works out expressions")
def expressions():
    with stopped() as vm:
        for text, value in (("1+2*3", "7"), ("(1+2)*3", "9"), ("-5%3", "-2"), ("~0", "-1"),
                            ("/x 0xff+1", "0x100"), ("/c 65", "'A'"), ("7/2", "3"),
                            ("-9223372036854775807-1", str(-1 << 63))):
            check_equal(run(vm, "print " + text), value + "\n")
        for text in ("1/0", "1+", "(1", "$pc", "1 2", "(" * 100 + "1" + ")" * 100):
            check_in("Error: expression", run(vm, "print " + text))
        check_equal(run(vm, "p (-9223372036854775807-1)/-1"), str(-1 << 63) + "\n")


@test("info qtree and qom-tree show devices with ids and properties")
def trees():
    with stopped("-device", "virtio-rng-device,id=noise,max-bytes=77") as vm:
        text = run(vm, "info qtree")
        check_in('dev: virtio-rng-device, id "noise"', text)
        check_in("max-bytes = 77", text)
        check_in("/noise (virtio-rng-device)", run(vm, "info qom-tree"))
        check_in("max-bytes (", run(vm, "qom-list /machine/peripheral/noise"))
        check_equal(run(vm, "qom-get /machine/peripheral/noise max-bytes"), "77\n")
        check_in("Error: ", run(vm, "qom-set /machine/peripheral/noise max-bytes 78"))


@test("keys: editing, history, completion")
def keys():
    with terminal() as process:
        at = process.expect("(qemu) ")
        for typed, line in (("inof\x08\x08fo name", "info name"), ("fo name\x01in\x05", "info name"),
                            ("info xxx\x17name", "info name"), ("junk\x15info name", "info name"),
                            ("info name\x1b[D\x1b[D\x1b[3~\x1b[C\x08\x08me", "info nme")):
            process.type(typed + "\r")
            at = process.expect("\n(qemu) " if line == "info name" else "unknown command", at)
        process.type("info ver\t\r")
        at = process.expect("Humpy ", at)
        process.type("\x1b[A\r")
        at = process.expect("Humpy ", at)
        process.type("system_\t\t")
        at = process.expect("system_powerdown  system_reset", at)
        process.type("\x15quit\r")
        check_equal(process.wait(), 0, "exit status")


@test("stop and cont run and are seen in info status")
def states():
    with stopped() as vm:
        check_equal(run(vm, "info status"), "VM status: paused (prelaunch)\n")
        check_equal(run(vm, "stop"), "")
        check_equal(run(vm, "q"), "")
        check_equal(vm.wait(), 0, "exit status")


if os.environ.get("HUMPY_ENGINE") == "no" or not os.path.exists(KERNEL):
    tap.skip_all("this build cannot make or run arm64 code")
tap.main()
