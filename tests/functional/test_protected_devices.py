#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A hostile driver in a protected guest names lent memory to every device that does DMA: with its
rings there, and with its buffers there. The model has taken that memory away, so that a device that
touches it ends the program. The guest is a list of stores, no CPU executes it."""
import os
import struct
import tempfile
import time

import humpy
from qmp import Qmp
from tap import check_equal, check_in, main, test

RAM = 0x40000000
MEM = 64 << 20
WINDOW = RAM + MEM - (8 << 20)
LENT = RAM + 0x800000
TRANSPORT = 0x0A000000 + 31 * 0x200  # of the first -device
STATUS = TRANSPORT + 0x70
NEEDS_RESET = 0x40
ACK_DRIVER_FEATURES = 11
DRIVER_OK = 4
QUEUE_SIZE = 8
NEXT, WRITE = 1, 2

# What is needed for it besides -device, its queues, and those it serves when told to.
DEVICES = {
    "virtio-blk-device,drive=d": (["-drive", "if=none,id=d,format=raw,file={disk}"], 1, [0]),
    "virtio-net-device,netdev=n": (["-netdev", "user,id=n"], 3, [1]),
    "virtio-rng-device": ([], 1, [0]),
    "virtio-serial-device,id=s": (["-chardev", "null,id=c", "-device",
                                   "virtconsole,chardev=c,bus=s.0"], 4, [1, 3]),
    "virtio-balloon-device": ([], 3, [0, 1]),
    "virtio-9p-device,fsdev=f,mount_tag=t": (["-fsdev", "local,id=f,path={dir},security_model=none"],
                                             1, [0]),
    "virtio-vsock-device,guest-cid=3,path={dir}/vsock": ([], 3, [1]),
    "virtio-gpu-device": ([], 2, [0, 1]),
    "virtio-keyboard-device": ([], 2, [1]),
    "virtio-mouse-device": ([], 2, [1]),
    "virtio-tablet-device": ([], 2, [1]),
}


def w(size, addr, value):
    return f"w{size} {addr:#x} {value:#x}"


def negotiate():
    t = TRANSPORT
    return [w(4, STATUS, 0), w(4, STATUS, 3), w(4, t + 0x24, 1), w(4, t + 0x20, 3),
            w(4, STATUS, ACK_DRIVER_FEATURES), f"r4 {STATUS:#x}"]


def set_queue(n, desc, avail, used):
    t = TRANSPORT
    steps = [w(4, t + 0x30, n), w(4, t + 0x38, QUEUE_SIZE)]
    for register, addr in ((0x80, desc), (0x90, avail), (0xA0, used)):
        steps += [w(4, t + register, addr), w(4, t + register + 4, 0)]
    return steps + [w(4, t + 0x44, 1)]


def store(addr, data):
    data += bytes(-len(data) % 8)
    return [w(8, addr + i, struct.unpack_from("<Q", data, i)[0]) for i in range(0, len(data), 8)]


def rings_in_lent(queues):
    steps = negotiate()
    for n in range(queues):
        base = LENT + n * 0x10000
        steps += set_queue(n, base, base + 0x1000, base + 0x2000)
    return steps + [w(4, STATUS, ACK_DRIVER_FEATURES | DRIVER_OK)] + \
        [w(4, TRANSPORT + 0x50, n) for n in range(queues)]


def buffers_in_lent(queues):
    """Rings in the window; one chain of a readable and a writable buffer in each."""
    steps = negotiate()
    for n in range(queues):
        base = WINDOW + 0x10000 * (n + 1)
        steps += store(base, struct.pack("<QIHH", LENT, 512, NEXT, 1) +
                       struct.pack("<QIHH", LENT + 0x10000, 4096, WRITE, 0))
        steps += store(base + 0x1000, struct.pack("<HHHH", 0, 1, 0, 0))
        steps += set_queue(n, base, base + 0x1000, base + 0x2000)
    return steps + [w(4, STATUS, ACK_DRIVER_FEATURES | DRIVER_OK)] + \
        [w(4, TRANSPORT + 0x50, n) for n in range(queues)]


class Guest:
    """The program with a guest that does these steps, then sleeps."""

    def __init__(self, steps, *args, knobs=""):
        self.dir = tempfile.TemporaryDirectory(prefix="humpy-functional-")
        kernel = os.path.join(self.dir.name, "kernel")
        with open(kernel, "wb") as f:
            f.write(struct.pack("<I", 0x14000000))  # never executed
        with open(os.path.join(self.dir.name, "disk"), "wb") as f:
            f.truncate(1 << 20)
        names = {"disk": os.path.join(self.dir.name, "disk"), "dir": self.dir.name}
        os.environ["HUMPY_MODEL_GUNYAH"] = "engine=script" + knobs
        # The last step: where a test sees that all others are done.
        os.environ["HUMPY_ENGINE_SCRIPT"] = ";".join([*steps, w(8, WINDOW, 0xD0E)])
        try:
            self.vm = Qmp("-accel", "gunyah,host=model,protected=on,swiotlb-size=8M,dma-window=pool",
                          "-machine", "virt", "-m", f"{MEM >> 20}M", "-kernel", kernel,
                          *(a.format(**names) for a in args))
        finally:
            del os.environ["HUMPY_MODEL_GUNYAH"], os.environ["HUMPY_ENGINE_SCRIPT"]

    def __enter__(self):
        self.vm.__enter__()
        self.wait(lambda: self.word(WINDOW) == 0xD0E, "the guest does not get to its end")
        return self

    def __exit__(self, *exc):
        self.vm.__exit__(*exc)
        self.dir.cleanup()

    def wait(self, condition, failure):
        deadline = time.monotonic() + humpy.LONGEST
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(failure)

    def hmp(self, line):
        return self.vm.client.execute("human-monitor-command", command_line=line)

    def word(self, addr):
        return int(self.hmp(f"xp /1xw {addr:#x}").split(":")[1], 16)


def walk(make_steps):
    for device, (more, queues, served) in DEVICES.items():
        with Guest(make_steps(queues), "-device", device, *more) as guest:
            if served:
                guest.wait(lambda: guest.word(STATUS) & NEEDS_RESET,
                           f"{device} goes on with what it cannot reach")
            check_in("0x", guest.hmp(f"xp /1xw {WINDOW:#x}"))


@test("every device stops whose rings are in lent memory")
def rings():
    walk(rings_in_lent)


@test("every device stops that is handed a buffer in lent memory")
def buffers():
    walk(buffers_in_lent)


@test("a driver that does not know about protected memory is not taken")
def no_access_platform():
    steps = [w(4, STATUS, 0), w(4, STATUS, 3), w(4, TRANSPORT + 0x24, 1),
             w(4, TRANSPORT + 0x20, 1), w(4, STATUS, ACK_DRIVER_FEATURES),
             w(4, STATUS, ACK_DRIVER_FEATURES | DRIVER_OK)]
    with Guest(steps, "-device", "virtio-rng-device") as guest:
        check_equal(guest.word(TRANSPORT + 4), 2, "version of the transport")
        check_equal(guest.word(STATUS) & (8 | DRIVER_OK), 0, "FEATURES_OK and DRIVER_OK")


@test("fw_cfg DMA from and to lent memory fails, and says so where it can")
def fw_cfg():
    def command(control, length, addr):
        return struct.pack(">IIQ", control, length, addr)

    at = WINDOW + 0x100
    for control in (0x2 | 0x8, 0x10 | 0x8):  # read and write of the signature
        steps = store(at, command(control, 4, LENT)) + \
            [w(8, 0x9020010, int.from_bytes(at.to_bytes(8, "big"), "little"))] + \
            [w(8, 0x9020010, int.from_bytes(LENT.to_bytes(8, "big"), "little"))]
        with Guest(steps) as guest:
            check_equal(guest.word(at), 0x01000000, "outcome (big-endian)")


@test("no command of the monitor reads or writes lent memory")
def monitor():
    with Guest([], "-device", "ramfb") as guest, tempfile.TemporaryDirectory() as scratch:
        out = os.path.join(scratch, "out")
        for line in (f"xp /4xw {LENT:#x}", f"xp /1xb {WINDOW - 1:#x}"):
            check_in("Cannot access memory", guest.hmp(line))
        check_in("lent to the guest", guest.hmp(f"pmemsave {LENT:#x} 4096 {out}"))
        check_in("lent to the guest", guest.hmp(f"pmemsave {WINDOW - 4096:#x} 8192 {out}"))
        for line in (f"sum {LENT:#x} 64", f"memsave {LENT:#x} 64 {out}", f"x /4xw {LENT:#x}",
                     "info mtree -f", "info roms", f"screendump {out}", f"gpa2hva {LENT:#x}",
                     f"dump-guest-memory {out}"):
            guest.hmp(line)  # whatever it says, the program lives
        check_in("0xd0e", guest.hmp(f"xp /1xw {WINDOW:#x}").replace("0x00000", "0x"))


if __name__ == "__main__":
    main()
