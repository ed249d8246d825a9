#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Character devices, ports and the balloon as QMP sees them, on a machine whose vCPUs never run."""
import base64
import os
import tempfile

import humpy
import tap
from qmp import Qmp
from tap import check_equal, check_in, test

KERNEL = os.path.join(os.environ.get("HUMPY_PAYLOADS", ""), "hello.img")


def stopped(*more, **kwargs):
    return Qmp(*humpy.ACCEL, "-machine", "virt", "-S", "-kernel", KERNEL, *more, **kwargs)


def chardevs(client):
    return {c["label"]: c for c in client.execute("query-chardev")}


@test("a chardev that is added can be used, and removed once nothing uses it")
def add_remove():
    with stopped("-device", "virtio-serial-device,id=vser0") as vm:
        q = vm.client
        check_equal(q.execute("chardev-add", id="r0", backend={"type": "ringbuf", "data": {"size": 16}}), {})
        check_equal(chardevs(q)["r0"], {"label": "r0", "filename": "ringbuf", "frontend-open": False})
        check_equal(q.execute("qom-get", path="/chardevs/r0", property="type"), "chardev-ringbuf")
        q.execute("device_add", driver="virtserialport", bus="vser0.0", chardev="r0", id="p1")
        check_equal(chardevs(q)["r0"]["frontend-open"], True)
        check_equal(q.error("chardev-remove", id="r0")[0], "GenericError")
        q.execute("device_del", id="p1")
        q.execute("chardev-remove", id="r0")
        check_equal("r0" in chardevs(q), False)
        check_equal(q.error("qom-get", path="/chardevs/r0", property="type")[0], "DeviceNotFound")


@test("chardev-add says which pty it made, and what is wrong with what it cannot make")
def backends():
    with stopped() as vm, tempfile.TemporaryDirectory() as scratch:
        q = vm.client
        pty = q.execute("chardev-add", id="p", backend={"type": "pty", "data": {}})["pty"]
        check_equal(chardevs(q)["p"]["filename"], "pty:" + pty)
        path = os.path.join(scratch, "a,b")
        q.execute("chardev-add", id="f", backend={"type": "file", "data": {"out": path}})
        check_equal(os.path.exists(path), True)
        q.execute("chardev-add", id="s", backend={"type": "socket", "data": {
            "addr": {"type": "unix", "data": {"path": path + ".sock"}}}})
        check_equal(chardevs(q)["s"]["filename"], f"disconnected:unix:{path}.sock,server=on")
        for bad in ({"type": "pty"}, {"type": "nosuch", "data": {}}, {"type": "ringbuf", "data": {"size": 3}},
                    {"type": "file", "data": {}}, {"type": "pipe", "data": {"device": path + "/x"}}):
            check_equal(q.error("chardev-add", id="bad", backend=bad)[0], "GenericError", repr(bad))
        check_equal("bad" in chardevs(q), False)


@test("a ring gives back what was written, as text and in base64")
def ring():
    with stopped("-chardev", "ringbuf,id=r,size=8") as vm:
        q = vm.client
        q.execute("ringbuf-write", device="r", data="hello")
        check_equal(q.execute("ringbuf-read", device="r", size=3), "hel")
        q.execute("ringbuf-write", device="r", data=base64.b64encode(b"\xff\x00").decode(), format="base64")
        check_equal(q.execute("ringbuf-read", device="r", size=99, format="base64"),
                    base64.b64encode(b"lo\xff\x00").decode())
        check_equal(q.error("ringbuf-read", device="no", size=1)[0], "GenericError")
        check_equal(q.error("ringbuf-read", device="r", size=0)[0], "GenericError")


@test("chardev-change keeps id and device, but not every device goes along")
def change():
    with stopped("-device", "virtio-serial-device", "-chardev", "null,id=c", "-serial", "null",
                 "-device", "virtserialport,chardev=c,id=p1") as vm:
        q = vm.client
        q.execute("chardev-change", id="c", backend={"type": "ringbuf", "data": {}})
        check_equal(chardevs(q)["c"], {"label": "c", "filename": "ringbuf", "frontend-open": True})
        check_equal(q.error("chardev-change", id="serial0", backend={"type": "null", "data": {}})[0],
                    "GenericError")


@test("without a balloon the commands are answered with DeviceNotActive")
def no_balloon():
    with stopped() as vm:
        check_equal(vm.client.error("query-balloon")[0], "DeviceNotActive")
        check_equal(vm.client.error("balloon", value=1 << 20)[0], "DeviceNotActive")


@test("a guest without a driver has all its memory, whatever the balloon asks for")
def balloon():
    with stopped("-m", "64", "-device", "virtio-balloon-device,id=b") as vm:
        q = vm.client
        check_equal(q.execute("balloon", value=32 << 20), {})
        check_equal(q.execute("query-balloon"), {"actual": 64 << 20})
        check_equal(q.error("balloon", value=0)[0], "GenericError")
        path = "/machine/peripheral/b"
        q.execute("qom-set", path=path, property="guest-stats-polling-interval", value=2)
        check_equal(q.execute("qom-get", path=path, property="guest-stats-polling-interval"), 2)
        stats = q.execute("qom-get", path=path, property="guest-stats")
        check_equal(stats["last-update"], 0)
        check_in("stat-free-memory", stats["stats"])


@test("keys and pointer events are checked, and nobody has to listen")
def keys():
    with stopped("-device", "virtio-keyboard-device") as vm:
        q = vm.client
        check_equal(q.execute("send-key", keys=[{"type": "qcode", "data": "ctrl"}, {"type": "number", "data": 30}]), {})
        events = [{"type": "btn", "data": {"button": b, "down": d}} for b in ("left", "wheel-up") for d in (True, False)]
        events += [{"type": t, "data": {"axis": a, "value": 5}} for t in ("rel", "abs") for a in ("x", "y")]
        events += [{"type": "key", "data": {"key": {"type": "qcode", "data": "ret"}, "down": True}}]
        check_equal(q.execute("input-send-event", events=events), {})
        for bad in ([{"type": "qcode", "data": "nosuch"}], [{"type": "number", "data": 0x1000}], [{}]):
            check_equal(q.error("send-key", keys=bad)[0], "GenericError", repr(bad))
        check_equal(q.error("input-send-event", events=[
            {"type": "abs", "data": {"axis": "x", "value": 32768}}])[0], "GenericError")


if os.environ.get("HUMPY_ENGINE") == "no" or not os.path.exists(KERNEL):
    tap.skip_all("this build cannot make or run arm64 code")
tap.main()
