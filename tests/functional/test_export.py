#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""humpy-export as a program: options, monitor, service manager; on kernels without VDUSE, too.
What a kernel that has it makes of exports is test_vduse_real.py's."""
import os
import signal
import socket
import subprocess
import tempfile

import tap
from qmp import Client
from tap import check_equal, check_in, test

BINARY = os.environ["HUMPY_EXPORT"]
SYSTEM = os.environ["HUMPY"]
LONGEST = 100
NULL = ("--blockdev", "driver=null-co,node-name=d")


def run(*args, binary=BINARY):
    return subprocess.run([binary, *args], capture_output=True, text=True, timeout=LONGEST,
                          check=False, stdin=subprocess.DEVNULL)


class Daemon:
    """The program with a QMP monitor and somebody who hears when it is ready."""

    def __init__(self, *args):
        self.scratch = tempfile.TemporaryDirectory()
        path = os.path.join(self.scratch.name, "qmp")
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(os.path.join(self.scratch.name, "notify"))
        self.notify.settimeout(LONGEST)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen()
            listener.settimeout(LONGEST)
            self.process = subprocess.Popen(
                [BINARY, "--chardev", f"socket,id=c,path={path}", "--monitor", "c", *args],
                stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                env={**os.environ, "NOTIFY_SOCKET": self.notify.getsockname()})
            self.client = Client(listener.accept()[0])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
        self.client.close()
        self.notify.close()
        self.scratch.cleanup()


@test("--help lists the options, --export help the types")
def helps():
    text = run("--help").stdout
    for option in ("blockdev", "netdev", "export", "attach", "monitor", "daemonize", "pidfile"):
        check_in(f"-{option}", text)
    check_in("vduse-blk", run("--export", "help").stdout)
    check_in("vduse-net", run("--export", "help", binary=SYSTEM).stdout)


@test("what is wrong with an export is said in one line, by both programs")
def mistakes():
    for export, line in (
            ("type=vduse-blk,id=e,name=n,node-name=d,logical-block-size=768",
             "logical-block-size is 768 but must be a power of two from 512 to 4096"),
            ("type=vduse-blk,id=e,name=n,node-name=d,cache=on", "property 'cache' is not known"),
            ("type=vduse-blk,id=e,name=n,node-name=x", "node-name: there is no block node 'x'"),
            ("type=vduse-blk,id=1,name=n,node-name=d", "id '1' is not valid"),
            ("type=nbd,id=e", "type 'nbd' is not known")):
        for binary, more in ((BINARY, ()), (SYSTEM, ("-machine", "none", "-nodefaults", "-display", "none"))):
            done = run(*more, *NULL, "--export", export, binary=binary)
            check_equal(done.returncode, 1)
            check_equal(len(done.stderr.splitlines()), 1)
            name = os.path.basename(binary).removeprefix("start-")
            check_in(f"{name}: -export {export}: {line}", done.stderr)


@test("without the kernel's module the line says how to get it")
def no_module():
    if os.path.exists("/dev/vduse/control"):
        return
    done = run(*NULL, "--export", "vduse-blk,id=e,name=n,node-name=d")
    check_equal(done.returncode, 1)
    check_in("cannot open /dev/vduse/control: No such file or directory (is the kernel's module there? "
             "modprobe vduse)", done.stderr)


@test("the monitor adds, lists and deletes; the service manager is told of beginning and end")
def monitor():
    with Daemon(*NULL) as daemon:
        check_equal(daemon.notify.recv(100), b"READY=1")
        check_equal(daemon.client.execute("query-block-exports"), [])
        kind, text = daemon.client.error("block-export-add", type="vduse-blk", id="e", name="a/b",
                                         **{"node-name": "d"})
        check_equal(kind, "GenericError")
        check_in("name: 'a/b' has a '/'", text)
        check_in("there is no export 'e'", daemon.client.error("block-export-del", id="e")[1])
        daemon.process.send_signal(signal.SIGTERM)
        check_equal(daemon.notify.recv(100), b"STOPPING=1")
        check_equal(daemon.process.wait(LONGEST), 0)


tap.main()
