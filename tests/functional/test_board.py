#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The virt machine's own devices, driven register by register through the qtest protocol."""
import os
import socket
import struct
import tempfile

import humpy
import tap
from qmp import Qmp
from tap import check_equal, check_in, test

GICD, FLASH1, FW_CFG, GPIO, RAM = 0x08000000, 0x04000000, 0x09020000, 0x09030000, 0x40000000
ECAM, PCI_MMIO = 0x4010000000, 0x10000000


class Board(Qmp):
    """A machine without vCPUs: qtest moves its registers and its clock."""

    def __init__(self, *args):
        self.work = tempfile.TemporaryDirectory(prefix="humpy-board-")
        path = os.path.join(self.work.name, "qtest")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen(1)
            listener.settimeout(humpy.LONGEST)
            super().__init__("-machine", "virt", "-accel", "qtest", "-qtest", f"unix:{path}",
                             "-qtest-log", "none", *args)
            self.wire, _ = listener.accept()
        self.wire.settimeout(humpy.LONGEST)
        self.lines = self.wire.makefile("r")
        self.irqs = []

    def __exit__(self, *rest):
        self.lines.close()
        self.wire.close()
        super().__exit__(*rest)
        self.work.cleanup()

    def do(self, line):
        """The reply's words behind OK; IRQ lines met on the way are kept."""
        self.wire.sendall(line.encode() + b"\n")
        while True:
            words = self.lines.readline().split()
            if words[:1] == ["IRQ"]:
                self.irqs.append((words[1], int(words[2])))
                continue
            check_equal(words[:1], ["OK"], f"reply to {line!r}")
            return words[1:]

    def read(self, addr, width="l"):
        return int(self.do(f"read{width} {addr:#x}")[0], 0)

    def write(self, addr, value, width="l"):
        self.do(f"write{width} {addr:#x} {value:#x}")

    def put(self, addr, data):
        self.do(f"write {addr:#x} {len(data)} 0x{data.hex()}")

    def get(self, addr, size):
        return bytes.fromhex(self.do(f"read {addr:#x} {size}")[0][2:])

    def path_of(self, kind):
        """QOM path of the board's one device of a type."""
        for item in self.client.execute("qom-list", path="/machine/unattached"):
            if item["type"] == f"child<{kind}>":
                return "/machine/unattached/" + item["name"]
        raise AssertionError(f"no {kind} on the board")


@test("GICv3: a device's interrupt can be seen and reaches the pending register")
def gic_input():
    with Board() as board:
        board.do(f"irq_intercept_in {board.path_of('arm-gicv3')}")
        board.write(0x09000038, 0x20)  # PL011: transmit interrupt
        board.write(0x09000000, 0x41)
        check_equal(board.read(GICD + 0x204), 1 << 1, "GICD_ISPENDR1")
        check_equal(board.irqs, [("raise", 1)], "interrupts")
        board.write(0x09000044, 0x20)
        board.read(GICD)
        check_equal(board.irqs, [("raise", 1), ("lower", 1)], "interrupts")


@test("GICv3: set_irq_in drives an SPI")
def gic_set_irq():
    with Board("-smp", "2") as board:
        path = board.path_of("arm-gicv3")
        board.do(f"set_irq_in {path} unnamed-gpio-in 100 1")
        check_equal(board.read(GICD + 0x200 + 4 * (132 // 32)), 1 << 132 % 32, "pending")
        board.do(f"set_irq_in {path} unnamed-gpio-in 100 0")
        check_equal(board.read(GICD + 0x200 + 4 * (132 // 32)), 0, "pending")


@test("PL061: system_powerdown holds pin 3 for 100 ms of the virtual clock")
def power_button():
    with Board() as board:
        board.write(GPIO + 0x40C, 8)
        board.write(GPIO + 0x410, 8)
        board.client.execute("system_powerdown")
        check_equal(board.read(GPIO + 0x3FC), 8, "pins")
        check_equal(board.read(GICD + 0x204) >> 7 & 1, 1, "SPI 7")
        board.do("clock_step 99999999")
        check_equal(board.read(GPIO + 0x3FC), 8, "pins")
        board.do("clock_step 1")
        check_equal(board.read(GPIO + 0x3FC), 0, "pins")


@test("PL061: outputs can be intercepted")
def gpio_outputs():
    with Board() as board:
        board.do(f"irq_intercept_out {board.path_of('pl061')}")
        board.write(GPIO + 0x400, 0xFF)
        board.write(GPIO + 0x3FC, 0x81)
        board.write(GPIO + (0x80 << 2), 0)
        check_equal(board.irqs, [("raise", 0), ("raise", 7), ("lower", 7)], "outputs")


def fw_cfg_dma(board, control, length, addr):
    board.put(RAM, struct.pack(">IIQ", control, length, addr))
    board.put(FW_CFG + 16, struct.pack(">Q", RAM))
    return struct.unpack(">I", board.get(RAM, 4))[0]


@test("fw_cfg: a file given as an option is found in the directory and read by DMA")
def fw_cfg():
    with Board("-fw_cfg", "name=opt/a,string=hello", "-smp", "3") as board:
        check_equal(fw_cfg_dma(board, 0x19 << 16 | 0xA, 4 + 64, RAM + 0x100), 0, "outcome")
        count, size, key = struct.unpack(">IIH", board.get(RAM + 0x100, 10))
        check_equal((count, size), (1, 5), "directory")
        check_equal(board.get(RAM + 0x100 + 12, 6), b"opt/a\0", "name")
        check_equal(fw_cfg_dma(board, key << 16 | 0xA, 5, RAM + 0x200), 0, "outcome")
        check_equal(board.get(RAM + 0x200, 5), b"hello", "content")
        check_equal(fw_cfg_dma(board, 5 << 16 | 0xA, 2, RAM + 0x200), 0, "outcome")
        check_equal(board.get(RAM + 0x200, 2), b"\3\0", "number of CPUs")
        check_equal(fw_cfg_dma(board, key << 16 | 0x18, 1, RAM), 1, "writing what is fixed")


@test("flash: what is programmed is in the image, and there again the next time")
def flash():
    with tempfile.NamedTemporaryFile() as image:
        image.truncate(64 << 20)
        drive = f"if=pflash,unit=1,format=raw,file={image.name}"
        with Board("-drive", drive) as board:
            board.write(FLASH1 + 0x55 * 4, 0x00980098)
            check_equal(board.read(FLASH1 + 0x10 * 4), 0x00510051, "Q of the query")
            board.write(FLASH1, 0x00FF00FF)
            board.write(FLASH1, 0x00200020)
            board.write(FLASH1, 0x00D000D0)
            board.write(FLASH1 + 8, 0x00400040)
            board.write(FLASH1 + 8, 0x12345678)
            check_equal(board.read(FLASH1), 0x00800080, "status")
        with Board("-drive", drive) as board:
            check_equal(board.get(FLASH1 + 4, 8), b"\xff\xff\xff\xff\x78\x56\x34\x12", "content")
        image.seek(8)
        check_equal(image.read(4), b"\x78\x56\x34\x12", "image")


@test("flash: -pflash fills the first flash, then the second")
def pflash():
    with tempfile.TemporaryDirectory() as scratch:
        words = []
        for text in ("one", "two,"):
            path = os.path.join(scratch, text)
            with open(path, "wb") as image:
                image.write(text.encode())
                image.truncate(64 << 20)
            words += ["-pflash", path]
        with Board(*words) as board:
            check_equal(board.get(0, 3), b"one", "first flash")
            check_equal(board.get(FLASH1, 4), b"two,", "second flash")


@test("flash: -bios is what the CPU finds at 0")
def bios():
    with tempfile.NamedTemporaryFile() as image:
        image.write(b"firmware")
        image.flush()
        with Board("-bios", image.name) as board:
            check_equal(board.get(0, 8), b"firmware", "address 0")


def report_panic(board):
    """Finds the function at slot 4, gives BAR 0 an address and reports."""
    config = ECAM + (4 << 15)
    check_equal(board.read(config), 0x00111B36, "vendor and device")
    board.write(config + 0x10, PCI_MMIO)
    board.write(config + 4, 2, "w")
    check_equal(board.read(PCI_MMIO, "b"), 3, "events understood")
    board.write(PCI_MMIO, 1, "b")


@test("pvpanic-pci: panic=pause stops the machine and says so")
def pvpanic_pci():
    with Board("-device", "pvpanic-pci,addr=04.0", "-action", "panic=pause") as board:
        report_panic(board)
        check_equal(board.client.event("GUEST_PANICKED")["data"], {"action": "pause"}, "data")
        board.client.event("STOP")
        check_equal(board.client.execute("query-status")["status"], "guest-panicked", "status")


@test("pvpanic-pci: a crash kernel's message does not stop the machine")
def pvpanic_crash_loaded():
    with Board("-device", "pvpanic-pci,addr=04.0,events=2") as board:
        config = ECAM + (4 << 15)
        board.write(config + 0x10, PCI_MMIO)
        board.write(config + 4, 2, "w")
        board.write(PCI_MMIO, 3, "b")
        check_equal(board.client.event("GUEST_CRASHLOADED")["data"], {"action": "run"}, "data")
        check_equal(board.client.execute("query-status")["status"], "running", "status")


@test("screendump: without a display, with an unknown one, with a bad head")
def screendump_errors():
    with Board() as board:
        check_in("no console", board.client.error("screendump", filename="x")[1])
    with Board("-device", "virtio-gpu-pci,id=g,max_outputs=2,xres=100,yres=60") as board:
        path = os.path.join(board.work.name, "screen.ppm")
        check_in("'h'", board.client.error("screendump", filename=path, device="h")[1])
        check_in("head", board.client.error("screendump", filename=path, head=1)[1])
        check_in("output 2", board.client.error("screendump", filename=path, device="g",
                                                head=2)[1])
        board.client.execute("screendump", filename=path, device="g", head=1)
        check_equal(os.path.getsize(path), len("P6\n100 60\n255\n") + 100 * 60 * 3, "size")
        reply = board.client.execute("human-monitor-command",
                                     command_line=f"screendump {path} -f png g 0")
        check_equal(reply, "", "reply")
        with open(path, "rb") as f:
            check_equal(f.read(8), b"\x89PNG\r\n\x1a\n", "signature")


@test("VNC: without a server there is nothing to tell")
def no_vnc():
    with Board() as board:
        for command in ("query-vnc", "query-vnc-servers"):
            check_equal(board.client.error(command)[0], "GenericError", "class")


@test("VNC: the server says where it is, and shows what there is")
def vnc():
    with tempfile.TemporaryDirectory() as work:
        path = os.path.join(work, "vnc")
        with Board("-vnc", f"unix:{path}", "-device", "virtio-gpu-device,xres=320,yres=200") as b:
            info = b.client.execute("query-vnc")
            check_equal((info["enabled"], info["host"], info["family"]), (True, path, "unix"))
            with socket.socket(socket.AF_UNIX) as viewer:
                viewer.settimeout(humpy.LONGEST)
                viewer.connect(path)
                talk = viewer.makefile("rwb", buffering=0)
                talk.read(12)
                talk.write(b"RFB 003.008\n")
                talk.read(talk.read(1)[0])
                talk.write(b"\1")
                talk.read(4)
                talk.write(b"\1")
                check_equal(struct.unpack(">HH", talk.read(4)), (320, 200), "size")
                check_equal(len(b.client.execute("query-vnc")["clients"]), 1, "clients")


tap.main()
