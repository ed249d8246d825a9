#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The rules of QMP, on a machine whose vCPUs never run."""
import json
import os
import select
import shutil
import socket
import sys
import tempfile

import humpy
import tap
from qmp import Client, Qmp
from tap import check_equal, check_in, test

NOT_FOUND, GENERIC = "CommandNotFound", "GenericError"
KERNEL = os.path.join(os.environ.get("HUMPY_PAYLOADS", ""), "hello.img")  # powers off at once


def stopped(*more, **kwargs):
    return Qmp(*humpy.ACCEL, "-machine", "virt", "-S", "-kernel", KERNEL, *more, **kwargs)


def reply_class(reply):
    return reply["error"]["class"]


@test("the greeting has a version and the capability oob")
def greeting():
    with stopped(greet=False) as vm:
        hello = vm.client.greeting["QMP"]
        check_equal(hello["capabilities"], ["oob"])
        check_equal(sorted(hello["version"]), ["package", "qemu"])
        check_equal(sorted(hello["version"]["qemu"]), ["major", "micro", "minor"])


@test("before qmp_capabilities nothing else is run, and after it it is not run again")
def negotiation():
    with stopped(greet=False) as vm:
        check_equal(vm.client.error("query-status")[0], NOT_FOUND)
        check_equal(vm.client.error("qmp_capabilities", enable=["no-such"])[0], GENERIC)
        check_equal(vm.client.error("query-status")[0], NOT_FOUND)
        check_equal(vm.client.execute("qmp_capabilities"), {})
        check_equal(vm.client.error("qmp_capabilities")[0], NOT_FOUND)
        check_equal(vm.client.execute("query-status")["status"], "prelaunch")


@test("what is no JSON or no request gets one error, and the connection lives")
def malformed():
    bad = [b"{]\n", b"{\xff", b"{\x01", b"{'bad \xff", b"{'execute': 'x', 'id':'\n", b"%p", b"null\n",
           b"{}\n", b"[]", b"17 ", b'"execute"', b'{"execute": true}', b'{"execute": "x", "extra": 1}',
           b'{"execute": "query-status", "arguments": []}', b'{"execute": "a", "execute": "b"}',
           b'{"execute": "a", "exec-oob": "b"}', b'{"id": 1}', b'{"execute": "\\ud800"}',
           b'{"execute": "\\u0000"}', b'{"execute": 0x1}\n', b'{"execute": 01}\n',
           b'{"execute": nul}\n', b'{"a" 1}\n', b'{"a": 1,}\n', b'[1,,2]\n', b'{"a": 1e999}\n',
           b"\xc0\x80\n", b"/* */\n"]
    with stopped() as vm:
        for text in bad:
            vm.client.send_raw(text)
            check_equal(reply_class(vm.client.reply()), GENERIC, repr(text))
            vm.client.send_raw(b'{"execute": "no-such"}\n')
            check_equal(reply_class(vm.client.reply()), NOT_FOUND, f"after {text!r}")


@test("a reply carries the id of its request, whatever its type, an error's too")
def ids():
    with stopped() as vm:
        for value in ("a", 1, -2.5, True, [1, [2]], {"x": {"y": 0}}):
            check_equal(vm.client.ask("query-status", request_id=value)["id"], value)
            check_equal(vm.client.ask("no-such", request_id=value)["id"], value)
        vm.client.send_raw(b'{"execute": true, "id": 5}')
        check_equal(vm.client.reply()["id"], 5)
        check_equal("id" in vm.client.ask("query-status"), False)


@test("requests are understood in any pieces, and many in one piece")
def pieces():
    text = '{"execute": "query-name", "id": "ä€\\ud83d\\ude00\\n"}'.encode()
    with stopped("-name", "n1") as vm:
        for byte in text:
            vm.client.send_raw(bytes([byte]))
        check_equal(vm.client.reply(), {"return": {"name": "n1"}, "id": "ä€😀\n"})
        vm.client.send_raw(b"".join(b'{"execute":"query-name","id":%d}' % n for n in range(5000)))
        for n in range(5000):
            check_equal(vm.client.reply()["id"], n)


sys.setrecursionlimit(20000)  # for json's reading of deep replies


@test("nesting, values and length of a message are bounded")
def bounds():
    with stopped() as vm:
        for text in (b"[" * 1025, b"[" + b"1," * 262144, b'"' + b"a" * (16 << 20)):
            vm.client.send_raw(text + b"\n")
            check_equal(reply_class(vm.client.reply()), GENERIC)
            vm.client.send_raw(b'\n{"execute": "query-name", "id": "mark"}\n')
            while vm.client.reply().get("id") != "mark":
                pass
        vm.client.send_raw(b'{"execute": "query-name", "id": ' + b"[" * 1022 + b"]" * 1022 + b"}")
        check_equal("return" in vm.client.reply(), True)


@test("arguments are checked: missing, unknown, of the wrong type, not in the enumeration")
def arguments():
    with stopped(greet=False) as vm:
        for value in ("oob", [1], [["oob"]], ["OOB"], None):
            check_equal(vm.client.error("qmp_capabilities", enable=value)[0], GENERIC, repr(value))
        check_in("did you mean 'oob'",
                 vm.client.error("qmp_capabilities", enable=["oob", "oop"])[1])
        vm.client.execute("qmp_capabilities", enable=["oob"])
        check_in("'x'", vm.client.error("query-status", x=1)[1])


@test("exec-oob must be enabled, and be allowed for the command")
def oob():
    with stopped() as vm:
        check_equal(reply_class(vm.client.ask("query-status", how="exec-oob")), GENERIC)
    with stopped(enable=["oob"]) as vm:
        check_equal(reply_class(vm.client.ask("query-status", how="exec-oob")), GENERIC)
        check_equal(reply_class(vm.client.ask("no-such", how="exec-oob")), NOT_FOUND)


class Blocked:
    """A blockdev-add that waits for the writer of a FIFO."""

    def __init__(self, client, name):
        self.dir = tempfile.mkdtemp()
        self.fifo = os.path.join(self.dir, "rules")
        os.mkfifo(self.fifo)
        client.send("blockdev-add", request_id=name, driver="blkdebug", node_name=name,
                    config=self.fifo, image={"driver": "null-co"})

    def release(self, text=b""):
        with open(self.fifo, "wb") as fifo:
            fifo.write(text)
        shutil.rmtree(self.dir)


@test("exec-oob overtakes a command that waits; other commands of the client keep their order")
def overtaking():
    with stopped(enable=["oob"]) as vm:
        blocked = Blocked(vm.client, "slow")
        vm.client.send("query-name", request_id="next")
        vm.client.send("migrate-pause", how="exec-oob", request_id="oob")
        check_equal(vm.client.reply()["id"], "oob")
        blocked.release()
        check_equal(vm.client.reply(), {"return": {}, "id": "slow"})
        check_equal(vm.client.reply()["id"], "next")
        blocked = Blocked(vm.client, "slow2")
        vm.client.send_raw(b'{"id": "malformed"}')
        blocked.release(b"[bad]")
        check_equal(reply_class(vm.client.reply()), GENERIC)
        check_equal(vm.client.reply()["id"], "malformed")
        check_equal([n["node-name"] for n in vm.client.execute("query-named-block-nodes")],
                    ["slow"])


@test("while a client's command waits, another client is served, and may end the program")
def waiting():
    with stopped(monitors=2) as vm:
        Blocked(vm.clients[0], "slow")
        check_equal(vm.clients[1].execute("query-named-block-nodes"), [])
        vm.clients[1].execute("quit")
        check_equal(reply_class(vm.clients[0].reply()), GENERIC)
        check_equal(vm.wait(), 0, "exit status")


@test("what a client sends ahead is bounded: it is not read while its command waits")
def back_pressure():
    with stopped() as vm:
        blocked = Blocked(vm.client, "slow")
        vm.client.socket.setblocking(False)
        sent = 0
        try:
            while sent < 64 << 20:
                sent += vm.client.socket.send(b'{"execute": "query-name"}\n' * 1000)
        except BlockingIOError:
            pass
        vm.client.socket.settimeout(humpy.LONGEST)
        check_equal(sent < 16 << 20, True, f"{sent} bytes were taken")
        blocked.release()
        check_equal(vm.client.reply(), {"return": {}, "id": "slow"})
        for _ in range(sent // len(b'{"execute": "query-name"}\n')):
            vm.client.reply()


@test("a client that reads no replies is not read from, and harms nobody")
def deaf():
    with stopped(monitors=2) as vm:
        data = b'{"execute": "query-qmp-schema"}\n' * 1000
        vm.clients[0].socket.setblocking(False)
        try:
            while True:
                vm.clients[0].socket.send(data)
        except BlockingIOError:
            pass
        check_equal(vm.clients[1].execute("query-status")["running"], False)
        with open(f"/proc/{vm.process.pid}/statm", encoding="ascii") as f:
            pages = int(f.read().split()[1])
        check_equal(pages * 4096 < 300 << 20, True, "resident size")
        vm.clients[1].execute("quit")
        check_equal(vm.wait(), 0, "exit status")


@test("getfd keeps a descriptor that came with it; closefd closes it")
def descriptors():
    with stopped() as vm, tempfile.TemporaryFile() as file:
        number = lambda: len(os.listdir(f"/proc/{vm.process.pid}/fd"))  # noqa: E731
        before = number()
        check_equal(vm.client.error("getfd", fdname="a")[0], GENERIC)
        check_equal(vm.client.ask("getfd", fd=file.fileno(), fdname="a"), {"return": {}})
        check_equal(number(), before + 1)
        check_equal(vm.client.ask("getfd", fd=file.fileno(), fdname="a"), {"return": {}})
        check_equal(number(), before + 1)
        check_equal(reply_class(vm.client.ask("getfd", fd=file.fileno(), fdname="7")), GENERIC)
        check_equal(number(), before + 1)
        vm.client.execute("closefd", fdname="a")
        check_equal(number(), before)
        check_equal(vm.client.error("closefd", fdname="a")[0], GENERIC)


@test("blockdev-add and blockdev-del: raw, file, null-co, blkdebug")
def blockdevs():
    with stopped() as vm, tempfile.NamedTemporaryFile() as image:
        image.truncate(1 << 20)
        c = vm.client
        c.execute("blockdev-add", driver="file", node_name="f", filename=image.name)
        c.execute("blockdev-add", driver="raw", node_name="r", file="f")
        check_equal(c.error("blockdev-del", node_name="f")[0], GENERIC)
        check_equal(c.error("blockdev-add", driver="raw", node_name="r2", file="f")[0], GENERIC)
        c.execute("blockdev-add", driver="null-co", node_name="n", size=4096, **{"read-zeroes": True})
        sizes = {n["node-name"]: (n["drv"], n["image"]["virtual-size"])
                 for n in c.execute("query-named-block-nodes")}
        check_equal(sizes, {"n": ("null-co", 4096), "r": ("raw", 1 << 20)})
        for name in ("r", "f", "n"):
            c.execute("blockdev-del", node_name=name)
        check_equal(c.execute("query-named-block-nodes"), [])
        check_equal(c.error("blockdev-del", node_name="n")[0], GENERIC)
        c.execute("blockdev-add", driver="null-co", node_name="n", size=8192)
        c.execute("blockdev-add", driver="raw", node_name="r", file="n")
        check_equal([(n["node-name"], n["image"]["virtual-size"])
                     for n in c.execute("query-named-block-nodes")], [("r", 8192)])
        check_equal(c.error("blockdev-del", node_name="n")[0], GENERIC)
        c.execute("blockdev-del", node_name="r")
        check_equal([n["node-name"] for n in c.execute("query-named-block-nodes")], ["n"])
        c.execute("blockdev-del", node_name="n")
        check_equal(c.error("blockdev-add", driver="qcow2", node_name="q")[0], GENERIC)
        check_equal(c.error("blockdev-add", driver="null-co", node_name="n", sise=1)[0], GENERIC)


@test("trace events are switched on and off by pattern, and go to the file that -trace names")
def trace():
    with tempfile.NamedTemporaryFile("r") as file, \
            stopped("-trace", f"handle_qmp_*,file={file.name}") as vm:
        c = vm.client
        state = lambda: {e["name"]: e["state"]  # noqa: E731
                         for e in c.execute("trace-event-get-state", name="*qmp*")}
        check_equal(state(), {"handle_qmp_command": "enabled", "monitor_qmp_respond": "disabled"})
        c.execute("query-name")
        c.execute("trace-event-set-state", name="*qmp*", enable=False)
        c.execute("query-uuid")
        check_equal(set(state().values()), {"disabled"})
        c.execute("trace-event-set-state", name="monitor_qmp_respond", enable=True)
        lines = file.read()
        check_in("handle_qmp_command query-name\n", lines)
        check_equal("query-uuid" in lines, False, "after it was switched off")
        check_in('monitor_qmp_respond qmp0: {"return":{}}', lines)
        check_equal(c.error("trace-event-set-state", name="nonsense", enable=True)[0], GENERIC)
        check_equal(c.error("trace-event-get-state", name="nonsense")[0], GENERIC)


@test("-daemonize returns when the monitor can be reached; -pidfile says who it is, until the end")
def daemon():
    with tempfile.TemporaryDirectory() as folder:
        pidfile, path = os.path.join(folder, "pid"), os.path.join(folder, "qmp")
        args = [*humpy.ACCEL, "-machine", "virt", "-S", "-kernel", KERNEL, "-display", "none",
                "-pidfile", pidfile]
        done = humpy.run([*args, "-daemonize", "-qmp", f"unix:{path},server,nowait"])
        check_equal((done.returncode, done.stdout, done.stderr), (0, "", ""))
        with open(pidfile, encoding="ascii") as f:
            pid = int(f.read())
        check_equal(os.getsid(pid), pid, "session")
        second = humpy.run(args)
        check_equal(second.returncode, 1, "exit status of a second one")
        check_in("another process has it", second.stderr)
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(path)
        client = Client(connection)
        client.execute("quit")
        client.event("SHUTDOWN")
        check_equal(client.receive(), None, "end of the connection")
        while os.path.exists(f"/proc/{pid}/exe"):
            select.select([], [], [], 0.01)
        check_equal(os.listdir(folder), [])
        failed = humpy.run([*args, "-daemonize", "-device", "nonsense"])
        check_equal(failed.returncode, 1, "exit status of one that cannot start")
        check_in("nonsense", failed.stderr)


@test("several monitors are served at once and each hears the events")
def several():
    with stopped(monitors=3) as vm:
        vm.clients[1].send("query-name", request_id=1)
        vm.clients[2].send("query-name", request_id=2)
        check_equal(vm.clients[2].reply()["id"], 2)
        check_equal(vm.clients[1].reply()["id"], 1)
        vm.clients[0].execute("quit")
        for client in vm.clients:
            check_equal(client.event("SHUTDOWN")["data"],
                        {"guest": False, "reason": "host-qmp-quit"})
        check_equal(vm.wait(), 0, "exit status")


@test("query-commands names exactly the commands of query-qmp-schema")
def introspection():
    with stopped() as vm:
        commands = {c["name"] for c in vm.client.execute("query-commands")}
        schema = vm.client.execute("query-qmp-schema")
        check_equal({s["name"] for s in schema if s["meta-type"] == "command"}, commands)
        names = [s["name"] for s in schema]
        check_equal(len(names), len(set(names)), "names are different")
        for entry in schema:
            for key in ("arg-type", "ret-type", "element-type"):
                if key in entry:
                    check_in(entry[key], names)
            for member in entry.get("members", []) + entry.get("variants", []):
                if "type" in member:
                    check_in(member["type"], names)


@test("pretty output is the same JSON over several lines")
def pretty():
    with stopped(pretty=True) as vm:
        data = b""
        while data.count(b"{") == 0 or data.count(b"{") != data.count(b"}"):
            data += vm.client.recv(4096)
        check_equal(len(data.splitlines()) > 5, True)
        check_equal(list(json.loads(data)), ["QMP"])


@test("query-iothreads says how long each polls")
def iothreads():
    with stopped("-object", "iothread,id=a", "-object",
                 "iothread,id=b,poll-max-ns=50000,poll-grow=3,poll-shrink=4") as vm:
        found = {t["id"]: (t["poll-max-ns"], t["poll-grow"], t["poll-shrink"])
                 for t in vm.client.execute("query-iothreads")}
        check_equal(found, {"a": (8000, 0, 0), "b": (50000, 3, 4)})


@test("--preconfig: the machine waits for x-exit-preconfig, and few commands can be run")
def preconfig():
    with Qmp(*humpy.ACCEL, "-machine", "virt", "-S", "-kernel", KERNEL, "--preconfig") as vm:
        check_equal(vm.client.execute("query-status")["status"], "prelaunch")
        check_equal(vm.client.error("stop")[0], GENERIC)
        vm.client.execute("query-commands")
        vm.client.execute("x-exit-preconfig")
        check_equal(vm.client.execute("stop"), {})
        check_equal(vm.client.error("x-exit-preconfig")[0], GENERIC)


@test("quit in preconfig ends with status 0")
def preconfig_quit():
    with Qmp(*humpy.ACCEL, "-machine", "virt", "-kernel", KERNEL, "--preconfig") as vm:
        vm.client.execute("quit")
        check_equal(vm.wait(), 0, "exit status")


@test("the guest's power-off is a SHUTDOWN; -no-shutdown keeps the program and system_reset starts anew")
def no_shutdown():
    with stopped("-no-shutdown") as vm:
        for _ in range(2):
            vm.client.execute("cont")
            vm.client.event("RESUME")
            check_equal(vm.client.event("SHUTDOWN")["data"],
                        {"guest": True, "reason": "guest-shutdown"})
            vm.client.event("STOP")
            check_equal(vm.client.execute("query-status")["status"], "shutdown")
            check_equal(vm.client.error("cont")[0], GENERIC)
            vm.client.execute("system_reset")
            check_equal(vm.client.event("RESET")["data"],
                        {"guest": False, "reason": "host-qmp-system-reset"})
            check_equal(vm.client.execute("query-status")["status"], "prelaunch")
        vm.client.execute("quit")
        check_equal(vm.wait(), 0, "exit status")


@test("-no-reboot makes system_reset the end")
def no_reboot():
    with stopped("-action", "reboot=shutdown") as vm:
        vm.client.execute("system_reset")
        vm.client.event("SHUTDOWN")
        check_equal(vm.wait(), 0, "exit status")


if os.environ.get("HUMPY_ENGINE") == "no" or not os.path.exists(KERNEL):
    tap.skip_all("this build cannot make or run arm64 code")
tap.main()
