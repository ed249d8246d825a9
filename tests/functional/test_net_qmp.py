#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Network back ends and cards as QMP and the human monitor see them; vCPUs never run."""
import json
import os
import socket
import struct
import tempfile

import humpy
import tap
from qmp import Qmp
from tap import check_equal, check_in, test

KERNEL = os.path.join(os.environ.get("HUMPY_PAYLOADS", ""), "hello.img")
CARD = ("-device", "virtio-net-device,netdev=n0,id=card")


def stopped(*more, **kwargs):
    return Qmp(*humpy.ACCEL, "-machine", "virt", "-S", "-kernel", KERNEL, *more, **kwargs)


def human(client, line):
    return client.execute("human-monitor-command", **{"command-line": line})


@test("announce-self sends RARP frames over a stream socket")
def announce():
    with tempfile.TemporaryDirectory() as scratch, socket.socket(socket.AF_UNIX) as server:
        path = os.path.join(scratch, "s")
        server.bind(path)
        server.listen()
        with stopped("-netdev", f"stream,id=n0,addr.type=unix,addr.path={path}", *CARD) as vm:
            peer = server.accept()[0]
            peer.settimeout(humpy.LONGEST)
            vm.client.execute("announce-self", initial=20, max=100, rounds=3, step=10, id="a")
            for _ in range(3):
                length = struct.unpack(">I", peer.recv(4, socket.MSG_WAITALL))[0]
                frame = peer.recv(length, socket.MSG_WAITALL)
                check_equal((length, frame[12:14]), (60, b"\x80\x35"))
            peer.close()


@test("netdev_add takes a descriptor that getfd kept, netdev_del removes it")
def by_descriptor():
    with stopped() as vm:
        ours, theirs = socket.socketpair()
        check_equal(vm.client.ask("getfd", fdname="wire", fd=theirs.fileno()), {"return": {}})
        theirs.close()
        vm.client.send_raw(b'{"execute": "netdev_add", "arguments":'
                           b' {"type": "socket", "id": "n0", "fd": "wire"}}\n')
        check_equal(vm.client.reply(), {"return": {}})
        check_in("n0: index=0,type=socket,connected to an inherited descriptor",
                 human(vm.client, "info network"))
        check_equal(vm.client.error("netdev_add", type="hubport", id="n0", hubid=1)[0], "GenericError")
        vm.client.execute("netdev_del", id="n0")
        ours.settimeout(humpy.LONGEST)
        check_equal(ours.recv(1), b"")
        check_equal(vm.client.error("netdev_del", id="n0")[0], "DeviceNotFound")


@test("a stream tells in events when its peer comes and goes")
def stream_events():
    with tempfile.TemporaryDirectory() as scratch:
        path = os.path.join(scratch, "s")
        with stopped("-netdev", f"stream,id=n0,server=on,addr.type=unix,addr.path={path}") as vm:
            for _ in range(2):
                with socket.socket(socket.AF_UNIX) as peer:
                    peer.connect(path)
                    event = vm.client.event("NETDEV_STREAM_CONNECTED")
                    check_equal(event["data"], {"netdev-id": "n0", "addr": {"type": "unix", "path": path}})
                event = vm.client.event("NETDEV_STREAM_DISCONNECTED")
                check_equal(event["data"], {"netdev-id": "n0"})


@test("set_link, query-rx-filter and info network agree about a card")
def card():
    with stopped("-netdev", "hubport,hubid=3,id=n0", *CARD) as vm:
        q = vm.client
        check_equal(human(q, "info network").replace("\r", ""),
                    "card: index=0,type=nic,macaddr=52:54:00:12:34:56\n"
                    " \\ n0: index=0,type=hubport,hubid=3\n")
        q.execute("set_link", name="card", up=False)
        check_in("macaddr=52:54:00:12:34:56,link=down", human(q, "info network"))
        check_equal(q.error("set_link", name="cord", up=False)[0], "DeviceNotFound")
        filters = q.execute("query-rx-filter")
        check_equal([f["name"] for f in filters], ["card"])
        check_equal(filters, q.execute("query-rx-filter", name="card"))
        check_equal(filters[0]["promiscuous"], True)
        check_equal(q.error("query-rx-filter", name="n0")[0], "GenericError")


@test("hostfwd_add and hostfwd_remove open and close a port")
def forward():
    with stopped("-netdev", "user,id=n0", *CARD) as vm:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        check_equal(human(vm.client, f"hostfwd_add tcp:127.0.0.1:{port}-:22"), "")
        socket.create_connection(("127.0.0.1", port), timeout=humpy.LONGEST).close()
        check_in("removed", human(vm.client, f"hostfwd_remove n0 tcp:127.0.0.1:{port}"))
        try:
            socket.create_connection(("127.0.0.1", port), timeout=humpy.LONGEST).close()
            raise AssertionError("the port is still open")
        except ConnectionRefusedError:
            pass
        check_in("n0:", human(vm.client, "info usernet"))


@test("lists of forwarded ports in JSON")
def json_lists():
    ports = []
    for _ in range(2):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            ports.append(free.getsockname()[1])
    rules = [{"str": f"tcp:127.0.0.1:{port}-:22"} for port in ports]
    netdev = json.dumps({"type": "user", "id": "n0", "hostfwd": rules, "dnssearch": [{"str": "a.org"}]})
    with stopped("-netdev", netdev):
        for port in ports:
            socket.create_connection(("127.0.0.1", port), timeout=humpy.LONGEST).close()


@test("-nic and -net make cards on the machine's best bus")
def short_forms():
    with stopped("-nic", "user,mac=52:54:00:00:00:09", "-net", "nic,model=virtio-net-device",
                 "-net", "user") as vm:
        info = human(vm.client, "info network")
        check_in("macaddr=52:54:00:00:00:09", info)
        check_in("macaddr=52:54:00:12:34:56", info)
        check_in("hubid=0", info)


if not os.path.exists(KERNEL):
    tap.skip_all("the payloads are not built")
tap.main()
