#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""-accel kvm from outside: its options, and QMP's stop, cont and system_reset while the bare-metal
payload is in the middle of its tests. What the payload tests is payload_x86.py's."""
import os
import queue
import socket
import tempfile
import threading

import humpy
import tap
from qmp import Qmp
from tap import Skip, check_equal, check_in, test

PAYLOAD = os.path.join(os.environ.get("HUMPY_PAYLOADS", ""), "x86", "payload-x86.elf")
WORK = tempfile.TemporaryDirectory(prefix="humpy-kvm-")


def need_kvm():
    if not os.path.exists(PAYLOAD):
        raise Skip("no compiler for the payload")
    if humpy.no_x86_kvm():
        raise Skip(humpy.no_x86_kvm())


class Payload:
    """A stopped machine with the payload in it, and a line from its first serial port at a time."""

    def __init__(self, cpus, words):
        path = os.path.join(WORK.name, "serial")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(1)
        listener.settimeout(humpy.LONGEST)
        self.qmp = Qmp("-machine", "microvm", "-accel", "kvm", "-smp", str(cpus), "-nodefaults", "-S",
                       "-chardev", f"socket,id=serial,path={path}", "-serial", "chardev:serial",
                       "-device", "pc-testdev", "-device", "edu", "-kernel", PAYLOAD, "-append",
                       f"cpus={cpus} ecam=0xe0000000 bar=0xc0000000 {words}")
        connection = listener.accept()[0]
        connection.settimeout(humpy.LONGEST)
        listener.close()
        os.unlink(path)
        self.connection = connection
        self.lines = queue.SimpleQueue()
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self):
        """A socket holds a few hundred bytes that were sent one by one, and a UART's patience with
        a reader who does not read ends; so this reads at any time."""
        try:
            with self.connection.makefile("r", errors="replace") as lines:
                for line in lines:
                    self.lines.put(line)
        except OSError:
            pass  # a guest that says nothing for so long is gone as well
        self.lines.put("")

    def __enter__(self):
        return self

    def __exit__(self, *more):
        self.qmp.__exit__(*more)
        self.reader.join()
        self.connection.close()

    def execute(self, command):
        return self.qmp.client.execute(command)

    def results(self):
        """What one run of the payload says, its plan last."""
        said = []
        while not said or not said[-1].startswith("1.."):
            line = self.lines.get()
            if not line:
                raise AssertionError(f"the guest is gone: {said}: {self.qmp.stderr()}")
            said.append(line.strip())
        check_equal([line for line in said if line.startswith("not ok")], [], "failures")
        return said


@test("what cannot be had is refused, with its reason")
def refused():
    foreign = os.uname().machine != "x86_64"
    for option, part in (("kvm,device=/dev/null/kvm", "this host executes" if foreign else
                          "cannot open /dev/null/kvm: Not a directory"),
                         ("kvm,kernel-irqchip=of", "kernel-irqchip"),
                         ("kvm,kernel-irqchip=off", "kernel-irqchip=off: ")):
        if "irqchip=off" in option:
            need_kvm()
        done = humpy.run(["-machine", "microvm", "-accel", option, "-display", "none", "-kernel", "x"])
        check_equal(done.returncode, 1)
        check_equal(done.stderr.count("\n"), 1, f"lines on stderr: {done.stderr!r}")
        check_in(part, done.stderr)


@test("the next -accel is taken where there is no KVM")
def fallback():
    with Qmp("-machine", "none", "-accel", "kvm,device=/nonexistent", "-accel", "qtest") as q:
        check_equal(q.client.execute("query-kvm"), {"enabled": False, "present": True})


@test("query-kvm tells that KVM is in use")
def query():
    need_kvm()
    with Qmp("-machine", "none", "-enable-kvm") as q:
        check_equal(q.client.execute("query-kvm"), {"enabled": True, "present": True})


@test("stop and cont in the middle of accesses lose none")
def stop_cont():
    need_kvm()
    for words, cpus in (("mmio", 1), ("pio", 1), ("irq", 1), ("msi", 1), ("smp", 4)):
        with Payload(cpus, f"test={words}") as guest:
            for _ in range(40):
                guest.execute("cont")
                guest.execute("stop")
            guest.execute("cont")
            guest.results()


@test("a guest that is reset in the middle of its work starts anew each time")
def reset():
    need_kvm()
    with Payload(4, "test=smp") as guest:
        guest.execute("cont")
        first = guest.results()
        for _ in range(20):
            guest.execute("system_reset")
            check_equal(guest.results(), first)
        for _ in range(20):  # and without waiting for what it says
            guest.execute("system_reset")
        guest.execute("stop")
        guest.execute("system_reset")
        guest.execute("cont")
        check_equal(guest.results()[-1], first[-1])


tap.main()
