#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Signals, the terminal, Ctrl-A, other serial ports, and guests that do not behave."""
import os
import signal
import socket
import termios

import humpy
import tap
from tap import check_equal, check_in, test


@test("SIGTERM, SIGINT and SIGHUP end a running guest with status 0")
def signals():
    for number in humpy.SIGNALS:
        with humpy.Guest() as guest, humpy.Process(guest.args()) as process:
            process.expect(humpy.INIT_LINE)
            process.signal(number)
            check_equal(process.wait(), 0, f"status after signal {number}")
            check_equal(process.stderr().splitlines(),
                        [f"humpy-system-aarch64: terminating on signal {number}"])


@test("SIGTERM ends a guest with 4 busy vCPUs")
def signal_busy():
    job = "for i in 1 2 3 4; do (while :; do :; done) & done; echo busy; wait"
    with humpy.Guest(job, smp=4) as guest, humpy.Process(guest.args()) as process:
        process.expect("\nbusy\n")
        process.signal(signal.SIGTERM)
        check_equal(process.wait(), 0, "exit status")


@test("Ctrl-A x leaves with status 0 and gives the terminal back as it was")
def ctrl_a_x():
    with humpy.Guest() as guest, humpy.Process(guest.args()) as process:
        before = termios.tcgetattr(process.slave)
        process.expect(humpy.PROMPT)
        raw = termios.tcgetattr(process.slave)
        check_equal(bool(raw[3] & (termios.ICANON | termios.ECHO | termios.ISIG)), False, "raw")
        process.type("\x01x")
        check_equal(process.wait(), 0, "exit status")
        before[3] |= termios.ICANON | termios.ECHO | termios.ISIG
        check_equal(termios.tcgetattr(process.slave), before, "terminal settings")


@test("SIGTERM gives the terminal back")
def terminal_after_signal():
    with humpy.Guest() as guest, humpy.Process(guest.args()) as process:
        process.expect(humpy.INIT_LINE)
        process.signal(signal.SIGTERM)
        check_equal(process.wait(), 0, "exit status")
        check_equal(bool(termios.tcgetattr(process.slave)[3] & termios.ICANON), True, "cooked")


@test("Ctrl-A h helps, Ctrl-A c switches to the monitor and back, Ctrl-A Ctrl-A sends one")
def ctrl_a_others():
    with humpy.Guest() as guest, humpy.Process(guest.args()) as process:
        at = process.expect(humpy.PROMPT)
        process.type("\x01h")
        at = process.expect("Ctrl-A x    leave Humpy", at)
        process.type("\x01c")
        at = process.expect("(qemu) ", at)
        process.type("info status\r")
        at = process.expect("VM status: running\n(qemu) ", at)
        process.type("\x01c")
        process.type("stty raw -echo; head -c 1 | xxd -p; stty sane\n")
        at = process.expect("stty sane\n", at)
        process.type("\x01\x01")
        process.expect("01", at)
        process.type("\x01x")
        check_equal(process.wait(), 0, "exit status")


@test("Ctrl-C belongs to the guest with -nographic, and to the user with -serial stdio")
def ctrl_c():
    with humpy.Guest() as guest, humpy.Process(guest.args()) as process:
        at = process.expect(humpy.PROMPT)
        process.type("sh -c 'echo rea''dy; cat'\n")
        at = process.expect("ready\n", at)
        process.type("\x03")
        process.expect(humpy.PROMPT, at)
        process.type("exit\n")
        check_equal(process.wait(), 0, "exit status")
    with humpy.Guest() as guest, \
            humpy.Process(guest.args("-serial", "stdio", serial=False)) as process:
        process.expect(humpy.INIT_LINE)
        process.type("\x03")
        check_equal(process.wait(), 0, "exit status")
        check_in(f"terminating on signal {signal.SIGINT}", process.stderr())


@test("the end of standard input does not end the guest")
def stdin_ends():
    with humpy.Guest("exit 5") as guest:
        check_equal(guest.run_job()[1], 5, "status of the job")


@test("-serial file: has the whole console")
def serial_file():
    with humpy.Guest("exit 6") as guest:
        log = guest.path("log")
        check_equal(guest.run_job("-serial", f"file:{log}", serial=False)[1:], (6, ""))
        with open(log, encoding="utf-8", errors="replace") as f:
            check_in(humpy.INIT_LINE, f.read())


@test("-serial unix: serves the console, one peer after the other")
def serial_socket():
    with humpy.Guest() as guest:
        path = guest.path("socket")
        args = guest.args("-chardev", f"socket,id=c,path={path},server=on,wait=on", "-serial",
                          "chardev:c", serial=False)
        with humpy.Process(args, terminal=False) as process:
            with connect(process, path) as peer:
                read_until(peer, humpy.PROMPT)
            with connect(process, path) as peer:
                peer.sendall(b"echo $((40 + 2))\n")
                read_until(peer, "42")
                peer.sendall(b"exit\n")
                check_equal(process.wait(), 0, "exit status")
        check_equal(os.path.exists(path), False, "socket is left behind")


def connect(process, path):
    peer = socket.socket(socket.AF_UNIX)
    peer.settimeout(humpy.LONGEST)
    while True:
        try:
            peer.connect(path)
            return peer
        except (FileNotFoundError, ConnectionRefusedError):
            if process.process.poll() is not None:
                raise
            process._pump(0.02)


def read_until(peer, text):
    seen = ""
    while text not in seen:
        data = peer.recv(65536)
        if not data:
            raise AssertionError(f"the socket closed without {text!r}: {seen[-1000:]}")
        seen += data.decode("utf-8", "replace").replace("\r", "")


@test("SIGTERM ends the wait for a socket's peer with status 0")
def signal_while_waiting():
    with humpy.Guest() as guest:
        path = guest.path("socket")
        args = guest.args("-serial", f"unix:{path},server", serial=False)
        with humpy.Process(args, terminal=False) as process:
            while not os.path.exists(path) and process.process.poll() is None:
                process._pump(0.02)
            process.signal(signal.SIGTERM)
            check_equal(process.wait(), 0, "exit status")


@test("a reader who closes the pipe does not end the guest")
def closed_pipe():
    with humpy.Guest("exit 8") as guest, \
            humpy.Process(guest.args(), terminal=False) as process:
        process.process.stdout.close()
        check_equal(process.process.wait(humpy.LONGEST), 0, "exit status")
        check_equal(guest.job_status(), 8, "status of the job")
        process.process.stdout = open(os.devnull, "rb")


@test("garbage in every register of a virtio disk and of empty places harms nobody")
def garbage():
    # The job's disk is the first device, at the highest transport; the other one is below it.
    job = """echo a003c00.virtio_mmio >/sys/bus/platform/drivers/virtio-mmio/unbind || exit 1
for base in 0xa003c00 0xa003a00 0xa000000 0x9010000 0x8f00000; do
    for offset in 0x30 0x34 0x38 0x3c 0x40 0x44 0x28 0x20 0x14 0x24 0x64 0x70 0x50 0x80 0x84 \\
                  0x90 0xa0 0xa4 0x100 0x104 0x1fc; do
        for value in 0xffffffff 0 1 7 0x80000000; do
            devmem $((base + offset)) 32 $value 2>/dev/null
            devmem $((base + offset + 1)) 8 $value 2>/dev/null
        done
        devmem $((base + offset)) 32 >/dev/null 2>&1
    done
done
exit 9"""
    with humpy.Guest(job, append="iomem=relaxed") as guest:
        check_equal(guest.run_job()[1], 9, "status of the job")


humpy.need_guest()
tap.main()
