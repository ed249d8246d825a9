#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Display, power button, fw_cfg and pvpanic, as Linux uses them."""
import contextlib
import os
import socket
import struct
import tempfile
import time
import zlib

import humpy
import tap
from qmp import Client
from tap import check_equal, check_in, test

# Says "ready" when no key can be missed any more, then shows the first.
ONE_KEY = "exec 3</dev/input/event0; echo ready; head -c 24 <&3 | hexdump -C"
CONSOLES = "console=tty0"  # besides the serial port, which stays /dev/console


@contextlib.contextmanager
def running(job, *args):
    """(guest, its process, a QMP client) of a guest that does job."""
    with humpy.Guest(job, append=CONSOLES) as guest:
        path = guest.path("qmp")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen(1)
            words = guest.args(*args, "-qmp", f"unix:{path}")
            # The last console= is /dev/console.
            words = [w.replace("console=ttyAMA0", "").strip() + " console=ttyAMA0"
                     if w.startswith("console=") else w for w in words]
            with humpy.Process(words) as process:
                connection, _ = listener.accept()
                client = Client(connection)
                yield guest, process, client
                client.close()


def read_png(path):
    """(width, height, rows) of an RGB picture of 8 bits; only what our writer makes."""
    with open(path, "rb") as f:
        data = f.read()
    check_equal(data[:8], b"\x89PNG\r\n\x1a\n", "PNG signature")
    at, packed, size = 8, b"", None
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + length]
        if kind == b"IHDR":
            size = struct.unpack(">II", body[:8])
            check_equal(body[8:10], b"\x08\x02", "depth and colour type")
        elif kind == b"IDAT":
            packed += body
        at += 12 + length
    raw = zlib.decompress(packed)
    check_equal(len(raw), size[1] * (1 + size[0] * 3), "bytes of picture")
    return (*size, raw)


def until_drawn(client, path, enough):
    """Dumps the screen until it holds more than enough bytes that are not black."""
    deadline = time.monotonic() + humpy.LONGEST
    while True:
        client.execute("screendump", filename=path, format="png")
        width, height, raw = read_png(path)
        lit = len(raw) - raw.count(0)
        if lit > enough:
            return width, height
        if time.monotonic() > deadline:
            raise AssertionError(f"only {lit} bytes of the picture are lit")


def check_console_is_visible(*args):
    job = "load-modules virtio-gpu; echo display up; read never"
    with running(job, *args) as (guest, process, client):
        process.expect("\ndisplay up\n")
        check_equal(until_drawn(client, guest.path("screen.png"), 20000), (1280, 800), "size")
        client.execute("screendump", filename=guest.path("screen.ppm"))
        check_equal(os.path.getsize(guest.path("screen.ppm")),
                    len("P6\n1280 800\n255\n") + 1280 * 800 * 3, "bytes of PPM")
        client.execute("quit")
        check_equal(process.wait(), 0, "exit status")


@test("the kernel's console on virtio-gpu-pci is visible in a screendump")
def gpu_pci():
    check_console_is_visible("-device", "virtio-gpu-pci")


@test("the kernel's console on virtio-gpu-device is visible in a screendump")
def gpu_mmio():
    check_console_is_visible("-global", "virtio-mmio.force-legacy=off", "-device",
                             "virtio-gpu-device,id=gpu0")


@test("system_powerdown reaches the guest as KEY_POWER, and it powers off")
def power_button():
    job = "load-modules evdev gpio_keys; " + ONE_KEY + "; exit 7"
    with running(job) as (guest, process, client):
        process.expect("\nready\n")
        client.execute("system_powerdown")
        check_equal(client.event("POWERDOWN")["event"], "POWERDOWN")
        process.expect("01 00 74 00 01 00 00 00")  # EV_KEY, KEY_POWER, pressed
        check_equal(client.event("SHUTDOWN")["data"],
                    {"guest": True, "reason": "guest-shutdown"}, "SHUTDOWN")
        check_equal(process.wait(), 0, "exit status")
        check_equal(guest.job_status(), 7, "the job's status")


@test("a key typed into the VNC display reaches the guest's virtio keyboard")
def vnc_keyboard():
    job = "load-modules evdev virtio_input; " + ONE_KEY
    with tempfile.TemporaryDirectory() as work:
        path = os.path.join(work, "vnc")
        with running(job, "-vnc", f"unix:{path}", "-device", "virtio-keyboard-pci") as (_, process,
                                                                                      __):
            process.expect("\nready\n")
            with socket.socket(socket.AF_UNIX) as viewer:
                viewer.settimeout(humpy.LONGEST)
                viewer.connect(path)
                talk = viewer.makefile("rwb", buffering=0)
                talk.read(12)
                talk.write(b"RFB 003.008\n")
                talk.read(talk.read(1)[0])
                talk.write(b"\1")  # no authentication
                talk.read(4)
                talk.write(b"\1")  # shared
                talk.read(24)
                talk.write(struct.pack(">BBHI", 4, 1, 0, ord("q")))
                process.expect("01 00 10 00 01 00 00 00")  # EV_KEY, KEY_Q, pressed
            check_equal(process.wait(), 0, "exit status")


@test("a -fw_cfg file is in sysfs")
def fw_cfg():
    job = ("load-modules qemu_fw_cfg; cd /sys/firmware/qemu_fw_cfg;"
           "cat by_name/opt/org.example/greeting/raw; echo .;"
           "cat rev")
    with running(job, "-fw_cfg", "name=opt/org.example/greeting,string=hello") as (_, process, __):
        process.expect("\nhello.\n3\n")
        check_equal(process.wait(), 0, "exit status")


def panic(action):
    """Events and exit status after a report through pvpanic."""
    job = "echo ready; devmem 0x0c000000 8 1; read never"
    with running(job, "-device", "pvpanic-mmio", "-action", f"panic={action}") as (_, process,
                                                                                 client):
        process.expect("\nready\n")
        what = client.event("GUEST_PANICKED")["data"]["action"]
        if action == "pause":
            client.event("STOP")
        if action in ("pause", "none"):
            status = client.execute("query-status")["status"]
            client.execute("quit")
        else:
            status = client.event("SHUTDOWN")["data"]["reason"]
        return what, status, process.wait(), process.stderr()


@test("pvpanic: -action panic= is obeyed")
def pvpanic():
    check_equal(panic("pause")[:3], ("pause", "guest-panicked", 0), "pause")
    check_equal(panic("none")[:3], ("run", "running", 0), "none")
    *got, stderr = panic("shutdown")
    check_equal(got, ["poweroff", "guest-panic", 0], "shutdown")
    *got, stderr = panic("exit-failure")
    check_equal(got, ["poweroff", "guest-panic", 1], "exit-failure")
    check_in("the guest panicked", stderr, "stderr")


humpy.need_guest("generic")
tap.main()
