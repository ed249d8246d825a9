#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A stock Debian guest of a real Xen whose devices are Humpy's, in dom0 (scripts/xen). One machine is
booted; each test looks for its part of what was printed there."""
import os
import shutil
import subprocess

import humpy
import tap

XEN = os.path.join(humpy.ROOT, "scripts", "xen")
BINARY = os.environ.get("HUMPY_X86",
                        os.path.join(humpy.ROOT, "build", "system", "humpy-system-x86_64"))
PROBE = os.environ.get("HUMPY_XEN_PROBE",
                       os.path.join(humpy.ROOT, "build", "tests", "guest", "xen", "xen-probe"))

# Runs in the guest, whose standard output is hvc0. A PVH guest has no line for the 16550's
# interrupt, so the driver is told to poll.
GUEST = r"""
echo "guest: $(grep -c ttyS1 /proc/consoles) console on the 16550"
echo "<1>guest: a message of the kernel" >/dev/kmsg
probe poll-serial /dev/ttyS1
stty -F /dev/ttyS1 raw
head -c 1500 /dev/urandom | base64 >/run/text
sha256sum </run/text | sed 's/^/guest: sent /'
(echo; echo "guest: begin"; cat /run/text; echo "guest: end") >/dev/ttyS1
probe ports 0xe0
probe memory 0xff000000 0x10000
probe strings 0xff000000 0x10000
probe pci 3 0xf0000000
echo "guest: done"
"""

# Runs in dom0. What Humpy's 16550 has taken is the file; -daemonize returns when it serves.
DOM0 = r"""
toolstack || exit 90
id=$(domu create "console=ttyS1 console=hvc0 quiet panic=-1") || exit 91
humpy-system-x86_64 -accel xen,domid=$id -machine xen-devices -nodefaults -display none \
    -chardev file,id=con,path=/run/serial -device isa-serial,chardev=con,iobase=0x2f8 \
    -device pc-testdev -device edu,addr=3 -daemonize -pidfile /run/humpy.pid || exit 92
domu start
domu wait 240 || echo "dom0: the guest did not end"
read -r pid </run/humpy.pid
[ ! -d "/proc/$pid" ] || echo "dom0: Humpy is still there"
domu console
echo "dom0: the 16550 has taken:"
tr -d '\r' </run/serial
sed '1,/^guest: begin/d; /^guest: end/,$d' </run/serial | tr -d '\r' | sha256sum |
    sed 's/^/dom0: got /'
exit 7
"""


class Machine:
    """What the machine printed; booted when a test first asks."""
    status = None
    text = ""

    @classmethod
    def output(cls):
        if cls.status is None:
            done = subprocess.run([XEN, "--binary", BINARY, "--domu-add", PROBE + "=/bin/probe",
                                   "--domu", GUEST, DOM0],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, check=False)
            cls.status = done.returncode
            cls.text = done.stdout.decode("latin1").replace("\r", "")
        return cls.text


@tap.test("the guest boots, runs to its end and powers off")
def boots():
    text = Machine.output()
    tap.check_equal(Machine.status, 7, "exit status of dom0's job, after\n" + text[-6000:])
    tap.check_in("\nguest: done\n", text)
    if "dom0: the guest did not end" in text:
        raise AssertionError("the guest did not end:\n" + text[-2000:])


@tap.test("the kernel's console is Humpy's 16550")
def console():
    text = Machine.output()
    tap.check_in("guest: 1 console on the 16550", text)
    tap.check_in("probe: /dev/ttyS1 has type 4, port 0x2f8", text)
    taken = text.partition("dom0: the 16550 has taken:")[2]
    tap.check_in("guest: a message of the kernel", taken, "what the 16550 has taken")


@tap.test("what a program sends to the 16550 arrives as it was")
def data():
    text = Machine.output()
    sent = next((line for line in text.splitlines() if line.startswith("guest: sent ")), "nothing")
    tap.check_in(sent.replace("guest: sent", "dom0: got"), text)


def probe(word, rule):
    @tap.test(rule)
    def _():
        text = Machine.output()
        line = next((each for each in text.splitlines() if each.startswith(f"probe: {word}: ")),
                    "nothing")
        if not line.endswith(" checks, 0 failed"):
            raise AssertionError("the probe says " + line + "\n" +
                                 "\n".join(each for each in text.splitlines()
                                           if each.startswith("probe: ")))


probe("ports", "ports: each width, rep ins and outs both ways, over the end of a page and the range")
probe("memory", "memory: each width at each place, over the end of a page and the range, at random")
probe("strings", "memory: rep movs, stos, scas, cmps, read-modify-write, 16 bytes, a checksum")
probe("pci", "a PCI function: configuration space, its BAR in two places, registers, DMA")


if __name__ == "__main__":
    if shutil.which("qemu-system-x86_64") is None:
        tap.skip_all("qemu-system-x86_64 is not installed (package qemu-system-x86)")
    if not os.path.exists(PROBE):
        tap.skip_all("the guest's probe is not built (package gcc)")
    tap.main()
