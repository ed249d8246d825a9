#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Network back ends from their far ends: frames go in at one and come out at another, without a
guest."""
import os
import socket
import subprocess
import tempfile

import humpy
import tap
from qmp import Qmp
from tap import check_equal, check_in, test
from wire import Tcp, Wire

NONE = ("-machine", "none", "-nodefaults")
FRAME = b"\xff" * 6 + bytes.fromhex("525400000001 88b5") + bytes(range(100))


@test("frames of a multicast group reach the machine, and its frames the group")
def multicast():
    with Wire() as wire, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as member:
        member.settimeout(humpy.LONGEST)
        member.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            member.bind(("239.1.2.3", 0))
            member.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                              socket.inet_aton("239.1.2.3") + socket.inet_aton("127.0.0.1"))
            member.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF,
                              socket.inet_aton("127.0.0.1"))
        except OSError as error:
            raise tap.Skip(f"no multicast on this host's loopback: {error}") from error
        group = member.getsockname()
        with Qmp(*NONE, "-netdev", f"socket,id=n0,mcast={group[0]}:{group[1]},localaddr=127.0.0.1",
                 *wire.args):
            member.sendto(FRAME, group)
            check_equal(wire.receive(), FRAME)
            check_equal(member.recv(2000), FRAME)  # our own, from the loop
            wire.send(FRAME[::-1])
            check_equal(member.recv(2000), FRAME[::-1])


@test("guestfwd to a command gives the guest what it writes, and the command what the guest does")
def guestfwd_command():
    with Wire() as wire, Qmp(*NONE, "-netdev", "user,id=n0,guestfwd=tcp:10.0.2.100:77-cmd:cat",
                             *wire.args):
        connection = Tcp(wire, "10.0.2.100", 77)
        connection.send(b"there and back")
        check_equal(connection.receive(14), b"there and back")


@test("guestfwd to a character device carries bytes both ways")
def guestfwd_chardev():
    with Wire() as wire, socket.socket(socket.AF_UNIX) as server:
        server.bind(wire.path("server"))
        server.listen()
        server.settimeout(humpy.LONGEST)
        with Qmp(*NONE, "-chardev", "socket,id=c0,path=" + wire.path("server"), "-netdev",
                 "user,id=n0,guestfwd=tcp:10.0.2.100:78-chardev:c0", *wire.args):
            peer = server.accept()[0]
            peer.settimeout(humpy.LONGEST)
            connection = Tcp(wire, "10.0.2.100", 78)
            connection.send(b"from the guest")
            check_equal(peer.recv(14, socket.MSG_WAITALL), b"from the guest")
            peer.sendall(b"to the guest")
            check_equal(connection.receive(12), b"to the guest")
            peer.close()


@test("a guestfwd address outside the guest's network is refused")
def guestfwd_refused():
    done = humpy.run([*NONE, "-netdev", "user,id=n0,guestfwd=tcp:192.168.9.9:77-cmd:cat"])
    check_equal(done.returncode, 1)
    check_in("the address is not in the guest's network, or taken", done.stderr)


def in_namespace(*command):
    return ["unshare", "-rn", *command]


def need_taps():
    done = subprocess.run(in_namespace("ip", "tuntap", "add", "dev", "t9", "mode", "tap"),
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise tap.Skip(f"no network namespace with a tap can be made here: {done.stderr.strip()}")


def script(path, body):
    with open(path, "w", encoding="ascii") as file:
        file.write("#!/bin/sh\n" + body)
    os.chmod(path, 0o755)
    return path


@test("a tap's scripts get the interface's name: one before the first packet, one at the end")
def tap_scripts():
    need_taps()
    with tempfile.TemporaryDirectory() as scratch:
        log = os.path.join(scratch, "log")
        up = script(os.path.join(scratch, "up"),
                    f'echo "up $*" >>{log}\nexec ip link set "$1" up address 52:54:00:00:00:99\n')
        down = script(os.path.join(scratch, "down"),
                      f'echo "down $*" >>{log}\nip -o link show "$1" >>{log}\n')
        done = subprocess.run(
            in_namespace(humpy.BINARY, *NONE, "-display", "none", "-monitor", "stdio", "-netdev",
                         f"tap,id=n0,ifname=t9,script={up},downscript={down}"),
            input="quit\n", capture_output=True, text=True, timeout=humpy.LONGEST, check=False)
        check_equal(done.returncode, 0, done.stderr)
        with open(log, encoding="ascii") as file:
            lines = file.read().splitlines()
        check_equal((lines[0], lines[1]), ("up t9", "down t9"))
        check_in("52:54:00:00:00:99", lines[2])


@test("a tap's script that fails ends the program with its name and status")
def tap_script_fails():
    need_taps()
    with tempfile.TemporaryDirectory() as scratch:
        bad = script(os.path.join(scratch, "bad"), "exit 3\n")
        for path, why in ((bad, "3"), (os.path.join(scratch, "none"), "No such file")):
            done = humpy.run([*NONE, "-netdev", f"tap,id=n0,ifname=t9,script={path}"],
                             before=in_namespace())
            check_equal(done.returncode, 1)
            check_in(f"script '{path}'", done.stderr)
            check_in(why, done.stderr)


tap.main()
