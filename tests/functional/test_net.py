#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Linux and the host talk over user networking and over a socket between two guests."""
import hashlib
import os
import random
import socket
import subprocess
import sys

import humpy
import tap
from hostnet import DHCP, Server
from tap import check_equal, check_in, test

MIB = 1 << 20
CARD = ("-netdev", "user,id=n0", "-device", "virtio-net-device,netdev=n0")


@test("DHCP, ping of the gateway and 100 MiB from the host over user networking")
def download():
    data = random.Random(7).randbytes(100 * MIB)
    with Server(data) as server:
        job = DHCP + "ping -c 3 10.0.2.2 || exit 1\n" \
            f"echo sum=$(wget -q -O - http://10.0.2.2:{server.port}/ | md5sum)"
        with humpy.Guest(job) as guest:
            console = guest.run_job(*CARD)[2]
    check_in("leased=10.0.2.15 router=10.0.2.2 dns=10.0.2.3", console)
    check_in("3 packets transmitted, 3 packets received", console)
    check_in(f"sum={hashlib.md5(data).hexdigest()} ", console)


@test("the host reaches the guest through hostfwd, and restrict=on keeps the guest in")
def forward():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    job = DHCP + "(echo hello from the guest | nc -l -p 7000) & echo listen" "ing; wait\n" \
        "wget -q -T 3 -O - http://10.0.2.2:1/ && exit 1; exit 0"
    with humpy.Guest(job) as guest:
        args = guest.args("-netdev", f"user,id=n0,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:7000",
                          "-device", "virtio-net-device,netdev=n0")
        with humpy.Process(args, terminal=False) as process:
            process.expect("listening\n")
            said = b""
            while not said and process.process.poll() is None:  # nc may just be starting
                with socket.create_connection(("127.0.0.1", port), timeout=humpy.LONGEST) as peer:
                    said = peer.makefile("rb").read()
            check_equal(said, b"hello from the guest\n")
            check_equal(process.wait(), 0, "exit status")
            check_equal(guest.job_status(), 0, "status of the job")


@test("-nic user is a card on PCI; IPv6 and guestfwd to a command work")
def on_pci():
    job = DHCP + "readlink -f /sys/class/net/eth0/device\nping -c 1 10.0.2.2 || exit 1\n" \
        "until ifconfig eth0 | grep fec0; do :; done\n" \
        "ping -6 -c 1 fec0::2 || exit 2\n" \
        "echo command=$(nc 10.0.2.100 77 </dev/null)\n"
    with humpy.Guest(job) as guest:
        status, job_status, console = guest.run_job(
            "-nic", "user,guestfwd=tcp:10.0.2.100:77-cmd:echo spoken")
        check_equal((status, job_status), (0, 0), console[-2000:])
        check_in(".pcie/pci0000:00/", console)
        check_in("command=spoken", console)


@test("two guests on a stream socket download from each other")
def two_guests():
    serve = "ifconfig eth0 10.9.0.1\n" \
            "head -c 4194304 /dev/urandom >/tmp/data; echo sum=$(md5sum </tmp/data)\n" \
            "nc -l -p 7000 </tmp/data"
    fetch = "ifconfig eth0 10.9.0.2\nuntil nc 10.9.0.1 7000 >/tmp/data; do :; done\n" \
            "echo sum=$(md5sum </tmp/data)"
    with humpy.Guest(serve) as server, humpy.Guest(fetch) as client:
        path = server.path("wire")
        card = ["-device", "virtio-net-device,netdev=n0"]
        with humpy.Process(server.args(
                "-netdev", f"stream,id=n0,server=on,addr.type=unix,addr.path={path}", *card),
                terminal=False) as one:
            one.expect("sum=")
            with humpy.Process(client.args(
                    "-netdev", f"stream,id=n0,addr.type=unix,addr.path={path}",
                    "-device", "virtio-net-device,netdev=n0,mac=52:54:00:12:34:99"),
                    terminal=False) as two:
                check_equal(two.wait(), 0, "exit status")
                check_equal(one.wait(), 0, "exit status")
                check_equal(two.seen.split("sum=")[1].split()[0],
                            one.seen.split("sum=")[1].split()[0], "checksums")


def in_namespace():
    """This file again, in a network namespace of its own with a tap of two queues."""
    os.environ["HUMPY_TAP"] = "t0"
    script = ("ip tuntap add dev t0 mode tap vnet_hdr multi_queue && ip addr add 10.7.0.1/24 dev t0 && "
              "ip link set t0 up && exec \"$0\" \"$@\"")
    return ["unshare", "-rn", "sh", "-c", script, sys.executable, os.path.abspath(__file__), "over a tap"]


@test("100 MiB over a tap with two queues, checksums and segmentation left to the host")
def over_tap():
    if "HUMPY_TAP" not in os.environ:
        if subprocess.run(in_namespace()[:5] + ["true"], stderr=subprocess.DEVNULL,
                          check=False).returncode != 0:
            raise tap.Skip("no network namespace with a tap can be made here")
        done = subprocess.run(in_namespace(), capture_output=True, text=True, check=False)
        check_equal(done.returncode, 0, done.stdout + done.stderr)
        return
    data = random.Random(8).randbytes(100 * MIB)
    with Server(data, "10.7.0.1") as server:
        job = "ifconfig eth0 10.7.0.2\ncat /sys/class/net/eth0/device/features\n" \
            "ls /sys/class/net/eth0/queues | tr '\\n' ' '\n" \
            f"echo; echo sum=$(wget -q -O - http://10.7.0.1:{server.port}/ | md5sum)\n" \
            "echo received=$(cat /sys/class/net/eth0/statistics/rx_packets) packets"
        with humpy.Guest(job, smp=2) as guest:
            console = guest.run_job("-netdev", "tap,id=n0,ifname=t0,script=no,downscript=no,queues=2",
                                    "-device", "virtio-net-device,netdev=n0,mq=on")[2]
    check_in("rx-0 rx-1 tx-0 tx-1", console)
    check_in(f"sum={hashlib.md5(data).hexdigest()} ", console)
    packets = int(console.split("received=")[1].split()[0])
    check_equal(packets < 100 * MIB // 1460, True, f"unsegmented packets ({packets} came)")


humpy.need_guest()
if not os.path.exists("/proc/net/tcp"):
    tap.skip_all("this host has no TCP")
tap.main()
