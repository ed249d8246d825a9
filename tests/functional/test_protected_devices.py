#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A hostile driver in a protected guest names lent memory to every device that does DMA: with its
rings there, and with its buffers there. The model has taken that memory away, so that a device that
touches it ends the program. The guest is a list of stores, no CPU executes it."""
import functools
import os
import re
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
ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK, NEEDS_RESET = 1, 2, 4, 8, 0x40
QUEUE_SIZE = 8
NEXT, WRITE, INDIRECT, AVAIL = 1, 2, 4, 1 << 7
# Feature bits: the high word's VERSION_1 and ACCESS_PLATFORM, which every driver here has.
MODERN = 1 << 32 | 1 << 33
INDIRECT_DESC, PACKED = 1 << 28, 1 << 34

# What is needed for it besides -device, its queues, and those it serves when told to. {0} is the
# transport.
DEVICES = {
    "virtio-blk-{0},drive=d": (["-drive", "if=none,id=d,format=raw,file={disk}"], 1, [0]),
    "virtio-net-{0},netdev=n": (["-netdev", "user,id=n"], 3, [1]),
    "virtio-rng-{0}": ([], 1, [0]),
    "virtio-serial-{0},id=s": (["-chardev", "null,id=c", "-device",
                                "virtconsole,chardev=c,bus=s.0"], 4, [1, 3]),
    "virtio-balloon-{0}": ([], 3, [0, 1]),
    "virtio-9p-{0},fsdev=f,mount_tag=t": (["-fsdev", "local,id=f,path={dir},security_model=none"],
                                          1, [0]),
    "virtio-vsock-{0},guest-cid=3,path={dir}/vsock": ([], 3, [1]),
    "virtio-gpu-{0}": ([], 2, [0, 1]),
    "virtio-keyboard-{0}": ([], 2, [1]),
    "virtio-mouse-{0}": ([], 2, [1]),
    "virtio-tablet-{0}": ([], 2, [1]),
}


def w(size, addr, value):
    return f"w{size} {addr:#x} {value:#x}"


class Mmio:
    """The registers of the first virtio-mmio device (virtio 1.2, section 4.2.2)."""

    NAMES = ("device",)
    WIDTH = "w"  # of STATUS
    AT = 0x0A000000 + 31 * 0x200
    STATUS = AT + 0x70
    EXTRA = ""

    def set_up(self):
        return []

    def status(self, value):
        return [w(4, self.STATUS, value)]

    def features(self, bits):
        at = self.AT
        return [step for n in (0, 1)
                for step in (w(4, at + 0x24, n), w(4, at + 0x20, bits >> 32 * n & 0xFFFFFFFF))]

    def queue(self, n, *addresses):
        steps = [w(4, self.AT + 0x30, n), w(4, self.AT + 0x38, QUEUE_SIZE)]
        for register, addr in zip((0x80, 0x90, 0xA0), addresses):
            steps += [w(4, self.AT + register, addr), w(4, self.AT + register + 4, 0)]
        return steps + [w(4, self.AT + 0x44, 1)]

    def notify(self, n):
        return [w(4, self.AT + 0x50, n)]


class Pci:
    """The modern interface of a PCI function (section 4.1.4), with our places in its BAR. There are
    no messages: Gunyah's board has none."""

    NAMES = ("pci", "pci-transitional", "pci-non-transitional")
    WIDTH = "b"
    SLOT = 4
    CONFIG = 0x3F000000 + (SLOT << 15)
    BAR = 0x10200000
    STATUS = BAR + 0x14
    EXTRA = f",addr={SLOT:x}"

    def set_up(self):
        return [w(4, self.CONFIG + 0x20, self.BAR), w(4, self.CONFIG + 0x24, 0),
                w(2, self.CONFIG + 4, 0x6)]

    def status(self, value):
        return [w(1, self.STATUS, value)]

    def features(self, bits):
        return [step for n in (0, 1)
                for step in (w(4, self.BAR + 0x8, n), w(4, self.BAR + 0xC, bits >> 32 * n & 0xFFFFFFFF))]

    def queue(self, n, *addresses):
        steps = [w(2, self.BAR + 0x16, n), w(2, self.BAR + 0x18, QUEUE_SIZE)]
        for register, addr in zip((0x20, 0x28, 0x30), addresses):
            steps += [w(4, self.BAR + register, addr), w(4, self.BAR + register + 4, 0)]
        return steps + [w(2, self.BAR + 0x1C, 1)]

    def notify(self, n):
        return [w(2, self.BAR + 0x3000 + 4 * n, n)]


def store(addr, data):
    data += bytes(-len(data) % 8)
    return [w(8, addr + i, struct.unpack_from("<Q", data, i)[0]) for i in range(0, len(data), 8)]


def driver(transport, queues, place, features=MODERN):
    """A driver's steps; place(n) gives what to store for queue n and the ring's three addresses."""
    alive = ACKNOWLEDGE | DRIVER
    steps = transport.set_up() + transport.status(0) + transport.status(alive) + \
        transport.features(features) + transport.status(alive | FEATURES_OK) + \
        [f"r{1 if isinstance(transport, Pci) else 4} {transport.STATUS:#x}"]
    for n in range(queues):
        stores, addresses = place(n)
        steps += stores + transport.queue(n, *addresses)
    steps += transport.status(alive | FEATURES_OK | DRIVER_OK)
    return steps + [step for n in range(queues) for step in transport.notify(n)]


def rings_in_lent(transport, queues):
    return driver(transport, queues, lambda n: (
        [], [LENT + n * 0x10000 + part for part in (0, 0x1000, 0x2000)]))


def in_window(n):
    base = WINDOW + 0x10000 * (n + 1)
    return base, base + 0x1000, base + 0x2000


def split(descriptors):
    """Rings in the window with one chain of these (addr, len, flags)."""
    def place(n):
        at = in_window(n)
        table = b"".join(struct.pack("<QIHH", *d, i + 1) for i, d in enumerate(descriptors))
        return store(at[0], table) + store(at[1], struct.pack("<HHHH", 0, 1, 0, 0)), at
    return place


def buffers_in_lent(transport, queues):
    return driver(transport, queues, split([(LENT, 512, NEXT), (LENT + 0x10000, 4096, WRITE)]))


def tables_in_lent(transport, queues):
    return driver(transport, queues, split([(LENT, 32, INDIRECT)]), MODERN | INDIRECT_DESC)


def packed_buffers_in_lent(transport, queues):
    def place(n):
        at = in_window(n)
        table = struct.pack("<QIHHQIHH", LENT, 512, 0, NEXT | AVAIL, LENT + 0x10000, 4096, 0,
                            WRITE | AVAIL)
        return store(at[0], table), at
    return driver(transport, queues, place, MODERN | PACKED)


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

    def word(self, addr, size="w"):
        return int(self.hmp(f"xp /1x{size} {addr:#x}").split(":")[1], 16)


def types():
    """The virtio device types on a transport that the program has."""
    listed = humpy.run(["-device", "help"]).stdout
    return set(re.findall(r"\bvirtio-\w+-(?:device|pci[a-z-]*)", listed))


def walk(make_steps, transport, option):
    known = types()
    for device, (more, queues, served) in DEVICES.items():
        for name in transport.NAMES:
            text = device.format(name, dir="{dir}") + transport.EXTRA + option
            if text.split(",")[0] not in known:
                continue  # not transitional, as the newer devices are
            at = transport()
            with Guest(make_steps(at, queues), "-device", text, *more) as guest:
                if served:
                    guest.wait(lambda: guest.word(at.STATUS, at.WIDTH) & NEEDS_RESET,
                               f"{text} goes on with what it cannot reach")
                check_in("0x", guest.hmp(f"xp /1xw {WINDOW:#x}"))


@test("the walk knows every virtio device that the program has")
def complete():
    names = {device.split(",")[0].format(name) for device in DEVICES
             for transport in (Mmio, Pci) for name in transport.NAMES}
    check_equal(types() - names, set(), "types that are left out")


for _rule, _steps, _option in (
        ("whose rings are in lent memory", rings_in_lent, ""),
        ("that is handed a buffer in lent memory", buffers_in_lent, ""),
        ("that is handed an indirect table in lent memory", tables_in_lent, ""),
        ("whose packed ring names a buffer in lent memory", packed_buffers_in_lent, ",packed=on")):
    for _transport in (Mmio, Pci):
        test(f"every device on {_transport.__name__.upper()} stops {_rule}")(
            functools.partial(walk, _steps, _transport, _option))


@test("a driver that does not know about protected memory is not taken")
def no_access_platform():
    at = Mmio()
    with Guest(driver(at, 0, None, 1 << 32), "-device", "virtio-rng-device") as guest:
        check_equal(guest.word(at.AT + 4), 2, "version of the transport")
        check_equal(guest.word(at.STATUS) & (FEATURES_OK | DRIVER_OK), 0,
                    "FEATURES_OK and DRIVER_OK")


@test("a PCI device has no legacy interface, be it asked for")
def legacy():
    port = 0x3EFF0000 + 0x1000
    steps = [w(4, Pci.CONFIG + 0x10, 0x1000), w(2, Pci.CONFIG + 4, 0x5), w(1, port + 18, 0),
             w(1, port + 18, 3), w(2, port + 14, 0), w(4, port + 8, LENT >> 12),
             w(1, port + 18, 7), w(2, port + 16, 0)]
    with Guest(steps, "-device", "virtio-rng-pci-transitional,addr=4") as guest:
        check_equal(guest.word(Pci.CONFIG), 0x10441AF4, "identity")
        check_in("Cannot access memory", guest.hmp(f"xp /1xb {port + 18:#x}"))


@test("the test device's DMA brings nothing from lent memory, and nothing there")
def edu():
    at, inside = 0x10300000, 0x40000

    def dma(source, to, command):
        return [w(8, at + 0x80, source), w(8, at + 0x88, to), w(8, at + 0x90, 8),
                w(8, at + 0x98, command)]

    # Into its buffer from lent memory, then from there to the window, then to lent memory.
    steps = [w(8, LENT, 0xA5A5A5A5A5A5A5A5), w(4, Pci.CONFIG + 0x10, at), w(2, Pci.CONFIG + 4, 6),
             *dma(LENT, inside, 1), *dma(inside, WINDOW + 0x100, 3), *dma(inside, LENT, 3),
             f"r8 {LENT:#x}"]
    with Guest(steps, "-device", "edu,addr=4,dma_mask=0xffffffffff") as guest:
        check_equal("a5" in guest.hmp(f"xp /8xb {WINDOW + 0x100:#x}").split(":")[1], False,
                    "the guest's bytes in the window")


def fw_cfg_command(control, length, addr):
    return struct.pack(">IIQ", control, length, addr)


def fw_cfg_start(at):
    return [w(8, 0x9020010, int.from_bytes(at.to_bytes(8, "big"), "little"))]


def ramfb_screen(frame):
    """The size that a screen dump has once the guest has named this frame buffer."""
    mode, at = WINDOW + 0x200, WINDOW + 0x100
    steps = store(mode, struct.pack(">QIIIII", frame, 0x34325258, 0, 64, 64, 256))
    for select in range(0x20, 0x40):  # whichever of the files it is; no other can be written
        steps += store(at, fw_cfg_command(select << 16 | 0x8 | 0x10, 28, mode)) + fw_cfg_start(at)
    with Guest(steps, "-device", "ramfb") as guest, tempfile.TemporaryDirectory() as scratch:
        out = os.path.join(scratch, "out")
        guest.hmp(f"screendump {out}")
        with open(out, "rb") as dump:
            return dump.read(64).split()[1:3]


@test("a frame buffer in lent memory is not shown")
def ramfb():
    check_equal(ramfb_screen(WINDOW + 0x10000), [b"64", b"64"], "size of one in the window")
    for frame in (LENT, WINDOW - 64 * 256 + 4):
        check_equal(ramfb_screen(frame) != [b"64", b"64"], True, f"{frame:#x} is left alone")


@test("fw_cfg DMA from and to lent memory fails, and says so where it can")
def fw_cfg():
    at = WINDOW + 0x100
    for control in (0x2 | 0x8, 0x10 | 0x8):  # read and write of the signature
        steps = store(at, fw_cfg_command(control, 4, LENT)) + fw_cfg_start(at) + fw_cfg_start(LENT)
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
