# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest's end of a network without a guest: frames over datagrams, and a TCP client that is just
enough to talk to a port of user networking."""
import os
import socket
import struct
import tempfile

import humpy

MAC = bytes.fromhex("525400fedcba")
GUEST = socket.inet_aton("10.0.2.15")


def checksum(data):
    total = sum(struct.unpack(f">{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total ^ 0xffff


class Wire:
    """Arguments that put a back end with the id "n0" and us on one hub; then frames."""

    def __init__(self):
        self.dir = tempfile.TemporaryDirectory(prefix="humpy-wire-")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.settimeout(humpy.LONGEST)
        self.socket.bind(self.path("ours"))
        self.args = ("-netdev", "dgram,id=w0,local.type=unix,local.path=" + self.path("theirs") +
                     ",remote.type=unix,remote.path=" + self.path("ours"),
                     "-netdev", "hubport,id=h0,hubid=7,netdev=w0",
                     "-netdev", "hubport,id=h1,hubid=7,netdev=n0")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        self.dir.cleanup()

    def path(self, name):
        return os.path.join(self.dir.name, name)

    def send(self, frame):
        self.socket.sendto(frame, self.path("theirs"))

    def receive(self):
        return self.socket.recv(1 << 16)


class Tcp:
    """A connection from the guest to address:port. Nothing is lost on this wire, so nothing is
    sent twice."""

    def __init__(self, wire, address, port):
        self.wire = wire
        self.peer = socket.inet_aton(address)
        self.port = port
        self.seq, self.ack = 1000, 0
        self.mac = self._resolve()
        self._send(0x02)
        flags, _ = self._receive()
        if flags != 0x12:
            raise AssertionError(f"the answer to SYN has flags {flags:#x}")
        self._send(0x10)

    def _resolve(self):
        self.wire.send(b"\xff" * 6 + MAC + bytes.fromhex("0806 0001 0800 06 04 0001") + MAC + GUEST +
                       bytes(6) + self.peer)
        while True:
            frame = self.wire.receive()
            if frame[12:14] == b"\x08\x06" and frame[28:32] == self.peer:
                return frame[22:28]

    def _send(self, flags, data=b""):
        tcp = struct.pack(">HHIIBBHHH", 4321, self.port, self.seq, self.ack, 5 << 4, flags, 8192, 0,
                          0) + data
        pseudo = GUEST + self.peer + struct.pack(">HH", 6, len(tcp))
        tcp = tcp[:16] + struct.pack(">H", checksum(pseudo + tcp)) + tcp[18:]
        ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0) + GUEST + self.peer
        ip = ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:]
        self.wire.send(self.mac + MAC + b"\x08\x00" + ip + tcp)
        self.seq += len(data) + bool(flags & 3)

    def _receive(self):
        """(flags, data) of the next segment of this connection that is the next in order."""
        while True:
            frame = self.wire.receive()
            if frame[12:14] != b"\x08\x00" or frame[23] != 6 or frame[26:30] != self.peer:
                continue
            ip = frame[14:14 + struct.unpack(">H", frame[16:18])[0]]
            tcp = ip[(ip[0] & 15) * 4:]
            seq, flags = struct.unpack(">I", tcp[4:8])[0], tcp[13]
            data = tcp[(tcp[12] >> 4) * 4:]
            if flags & 0x02:
                self.ack = seq
            elif seq != self.ack:
                continue
            self.ack += len(data) + bool(flags & 3)
            return flags, data

    def send(self, data):
        self._send(0x18, data)

    def receive(self, length):
        seen = b""
        while len(seen) < length:
            flags, data = self._receive()
            seen += data
            if data or flags & 1:
                self._send(0x10)
            if flags & 5:
                break
        return seen
