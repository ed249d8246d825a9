# SPDX-License-Identifier: GPL-2.0-or-later
"""payload_x86.py ACCEL TEST SMP [TEXT]: the bare-metal x86 payload on the microvm machine under one
accelerator. What it prints on the first serial port is TAP and is passed on; the guest powers off
when it is done. One that hangs is ended by the test's own time-out."""
import os
import subprocess
import sys

import tap

PORTS = "pm1=0x604 ecam=0xe0000000 bar=0xd0000000"  # where microvm has them


def need_hypervisor(accel):
    nodes = {"kvm": ["/dev/kvm"], "acrn": ["/dev/acrn_hsm", "/dev/kvm"]}[accel]
    if not any(os.access(node, os.R_OK | os.W_OK) for node in nodes):
        tap.skip_all(f"no {nodes[-1]}")


def main():
    accel, test, smp, text = sys.argv[1:]
    kernel = os.path.join(os.environ["HUMPY_PAYLOADS"], "x86", "payload-x86.elf")
    if not os.path.exists(kernel):
        tap.skip_all("no x86_64-linux-gnu-gcc when this was built")
    need_hypervisor(accel)
    sys.stdout.flush()
    done = subprocess.run(
        [os.environ["HUMPY_X86"], "-M", "microvm", "-accel", accel, "-m", "64", "-smp", smp,
         *(["-no-reboot"] if test == "triple-fault" else []), "-display", "none", "-monitor", "none", "-serial", "stdio",
         "-device", "pc-testdev", "-device", "edu", "-device", "virtio-rng-pci",
         "-kernel", kernel, "-append", f"{PORTS} cpus={smp} test={test} {text}"],
        stdin=subprocess.DEVNULL, check=False)
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
