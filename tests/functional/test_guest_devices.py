#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Consoles, ports, balloon, sockets and input, as Linux uses them."""
import contextlib
import os
import random
import shutil
import socket
import time

import humpy
import tap
from qmp import Client
from tap import check_equal, check_in, test

MIB = 1 << 20
MODERN = ["-global", "virtio-mmio.force-legacy=off"]


@contextlib.contextmanager
def running(job, *args):
    """(guest, its process, a QMP client) of a guest that does job; args may name files in the
    guest's directory as {dir}."""
    with humpy.Guest(job) as guest:
        path = guest.path("qmp")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen(1)
            words = [a.replace("{dir}", guest.dir) for a in args]
            with humpy.Process(guest.args(*words, "-qmp", f"unix:{path}")) as process:
                connection, _ = listener.accept()
                client = Client(connection)
                yield guest, process, client
                client.close()


def end(guest, process):
    check_equal(process.wait(), 0, "exit status; console: " + process.seen[-2000:])
    check_equal(guest.job_status(), 0, "status of the job; console: " + process.seen[-2000:])


def connect(path):
    peer = socket.socket(socket.AF_UNIX)
    peer.settimeout(humpy.LONGEST)
    peer.connect(path)
    return peer


def wait_event(client, name, is_it):
    while not is_it(client.event(name)["data"]):
        pass


def read_all(peer):
    data = b""
    while True:
        more = peer.recv(65536)
        if not more:
            return data
        data += more


def read_line(peer):
    line = b""
    while not line.endswith(b"\n"):
        byte = peer.recv(1)
        check_equal(len(byte), 1, f"a byte after {line!r}")
        line += byte
    return line


@test("bytes cross a virtserialport both ways, and hvc0 is a console")
def ports():
    job = """load-modules virtio_console || exit 90
one=$(echo /dev/vport*p1) two=$(echo /dev/vport*p2)
[ "$(cat /sys/class/virtio-ports/${one#/dev/}/name)" = org.test ] || exit 1
echo text on hvc0 >/dev/hvc0 || exit 2
exec 3<>$one
read line <&3 && echo "got $line" >&3 || exit 3
exec 4<>$two
head -c 1048576 <&4 >/tmp/big || exit 4
cat /tmp/big >&4
"""
    data = random.Random(2).randbytes(MIB)
    with running(job, "-device", "virtio-serial-device", "-chardev", "file,id=h,path={dir}/hvc",
                 "-device", "virtconsole,chardev=h",
                 "-chardev", "socket,id=p,path={dir}/port,server=on,wait=off",
                 "-device", "virtserialport,chardev=p,name=org.test,id=p1",
                 "-chardev", "socket,id=b,path={dir}/big,server=on,wait=off",
                 "-device", "virtserialport,chardev=b,id=p2") as (guest, process, client):
        with connect(guest.path("port")) as peer, connect(guest.path("big")) as big:
            wait_event(client, "VSERPORT_CHANGE", lambda d: d == {"id": "p1", "open": True})
            peer.sendall(b"a line\n")
            check_equal(read_line(peer), b"got a line\n")
            big.sendall(data)
            check_equal(read_all_of(big, MIB) == data, True, "what came back is what was sent")
            end(guest, process)
        with open(guest.path("hvc"), encoding="ascii") as f:
            check_in("text on hvc0", f.read())


def read_all_of(peer, size):
    data = b""
    while len(data) < size:
        more = peer.recv(size - len(data))
        check_equal(bool(more), True, f"more than {len(data)} bytes")
        data += more
    return data


@test("a port can be added and removed under a running guest")
def hotplug():
    job = """load-modules virtio_console || exit 90
echo ready
while [ ! -c /dev/vport*p1 ]; do sleep 0.1; done
echo added
while [ -e /dev/vport*p1 ]; do sleep 0.1; done
"""
    with running(job, "-device", "virtio-serial-device,id=vser0") as (guest, process, client):
        process.expect("\nready")
        client.execute("device_add", driver="virtserialport", bus="vser0.0", id="p1")
        process.expect("\nadded")
        client.execute("device_del", id="p1")
        wait_event(client, "DEVICE_DELETED", lambda d: d.get("device") == "p1")
        end(guest, process)


@test("the balloon takes memory from the guest and gives it back")
def balloon():
    job = """load-modules virtio_balloon || exit 90
total() { awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo; }
full=$(total)
echo "balloon: ready"
while [ $(total) -gt 300 ]; do sleep 0.1; done
echo "balloon: small"
while [ $(total) -lt $full ]; do sleep 0.1; done
while [ $(total) -gt 300 ]; do sleep 0.1; done
"""
    with running(job, "-device", "virtio-balloon-device,id=b") as (guest, process, client):
        process.expect("\nballoon: ready")
        client.execute("qom-set", path="/machine/peripheral/b", property="guest-stats-polling-interval",
                       value=1)
        client.execute("balloon", value=256 * MIB)
        wait_event(client, "BALLOON_CHANGE", lambda d: d["actual"] == 256 * MIB)
        check_equal(client.execute("query-balloon"), {"actual": 256 * MIB})
        process.expect("\nballoon: small")
        while True:
            stats = client.execute("qom-get", path="/machine/peripheral/b", property="guest-stats")
            if 0 < stats["stats"]["stat-total-memory"] < 300 * MIB:
                break
        client.execute("balloon", value=512 * MIB)
        wait_event(client, "BALLOON_CHANGE", lambda d: d["actual"] == 512 * MIB)
        client.execute("balloon", value=256 * MIB)
        end(guest, process)


def ram_bytes(pid):
    """What the guest's memory takes of the host."""
    fds = f"/proc/{pid}/fd"
    sizes = [os.stat(os.path.join(fds, fd)) for fd in os.listdir(fds)
             if os.readlink(os.path.join(fds, fd)).startswith("/memfd:")]
    return max(sizes, key=lambda st: st.st_size).st_blocks * 512


@test("a driver that pages on demand gives back what the balloon and free page reporting find")
def reclaim():
    job = """load-modules virtio_balloon || exit 90
dd if=/dev/zero of=/tmp/fill bs=1M count=250 2>/dev/null
echo "reclaim: filled"; read go; rm /tmp/fill; echo "reclaim: free"; read go
"""
    os.environ["HUMPY_MODEL_GUNYAH"] = "rev=android15,share-exec=on"
    try:
        with humpy.Guest(job) as guest, \
                humpy.Process(guest.args("-device", "virtio-balloon-device,free-page-reporting=on")) \
                as process:
            process.expect("\nreclaim: filled")
            full = ram_bytes(process.process.pid)
            process.type("\n")
            process.expect("\nreclaim: free")
            while ram_bytes(process.process.pid) > full - 150 * MIB:
                if process.process.poll() is not None or time.monotonic() > process.deadline:
                    raise AssertionError("the host does not get the memory back")
            process.type("\n")
            check_equal((process.wait(), guest.job_status()), (0, 0), process.stderr())
    finally:
        del os.environ["HUMPY_MODEL_GUNYAH"]


@test("programs on both sides connect to each other through vsock")
def vsock():
    echo = os.path.join(os.environ["HUMPY_PAYLOADS"], "vsock-echo")
    job = """load-modules 9p 9pnet_virtio vmw_vsock_virtio_transport || exit 90
mount -t 9p -o trans=virtio,version=9p2000.L share /mnt && cp /mnt/vsock-echo /tmp/ || exit 91
[ "$(/tmp/vsock-echo connect 5 hello)" = "HELLO" ] || exit 1
/tmp/vsock-echo connect 6 hello && exit 2
/tmp/vsock-echo listen 1234 || exit 3
"""
    data = random.Random(3).randbytes(4 * MIB)
    with running(job, "-virtfs", "local,path={dir},mount_tag=share,security_model=none", "-device",
                 "virtio-vsock-device,guest-cid=3,path={dir}/v") as (guest, process, _):
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(guest.path("v_5"))
            listener.listen(1)
            listener.settimeout(humpy.LONGEST)
            shutil.copy(echo, guest.path("vsock-echo"))
            peer, _ = listener.accept()
            with peer:
                peer.settimeout(humpy.LONGEST)
                check_equal(read_all(peer), b"hello")
                peer.sendall(b"HELLO")
        process.expect("vsock-echo: listening")
        with connect(guest.path("v")) as peer:
            peer.sendall(b"CONNECT 1234\n")
            check_equal(read_line(peer)[:3], b"OK ")
            back = b""
            for at in range(0, len(data), 65536):
                peer.sendall(data[at:at + 65536])
                back += read_all_of(peer, 65536)
            check_equal(back == data, True, "what came back is what was sent")
            peer.shutdown(socket.SHUT_WR)
            check_equal(read_all(peer), b"")
        end(guest, process)


@test("keys and positions arrive at evdev")
def evdev():
    job = """load-modules virtio_input evdev || exit 90
for i in 0 1; do
    name=$(cat /sys/class/input/event$i/device/name)
    case $name in *Keyboard) keyboard=/dev/input/event$i;; *Tablet) tablet=/dev/input/event$i;; esac
done
exec 3<$keyboard 4<$tablet
echo "evdev: reading"
event() { dd bs=24 count=1 2>/dev/null | tail -c 8 | xxd -p; }
for i in 1 2 3 4; do event <&3; done
for i in 1 2 3; do event <&4; done
"""
    with running(job, *MODERN, "-device", "virtio-keyboard-device", "-device",
                 "virtio-tablet-device") as (guest, process, client):
        at = process.expect("\nevdev: reading")
        client.execute("send-key", keys=[{"type": "qcode", "data": "a"}])
        for line in ("01001e0001000000", "0000000000000000", "01001e0000000000", "0000000000000000"):
            at = process.expect("\n" + line, at)
        client.execute("input-send-event", events=[
            {"type": "abs", "data": {"axis": "x", "value": 0x1234}},
            {"type": "abs", "data": {"axis": "y", "value": 0x7fff}}])
        for line in ("0300000034120000", "03000100ff7f0000", "0000000000000000"):
            at = process.expect("\n" + line, at)
        end(guest, process)


humpy.need_guest("generic")
tap.main()
