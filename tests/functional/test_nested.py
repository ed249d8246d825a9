#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A stock Debian amd64 guest under each accelerator that runs on KVM, in a machine that has it
(scripts/nested): devices over PCI and over virtio-mmio, two processors, power-off."""
import os
import shutil

import humpy
import nested
import tap

BINARY = os.environ.get("HUMPY_X86",
                        os.path.join(humpy.ROOT, "build", "system", "humpy-system-x86_64"))

# Runs in the outer machine, with ACCEL and DEVICES replaced. Under emulation a guest without KVM's
# clock cannot measure its own: it is told the rate that the outer kernel found.
OUTER = nested.SERVE + r"""
load-modules kvm-amd || exit 90
khz=$(dmesg | sed -n 's/.*tsc: Detected \([0-9]*\)\.\([0-9]*\) MHz.*/\1\2/p')
timeout 400 humpy-system-x86_64 -M microvm,pcie=on -accel ACCEL -smp 2 -m 256M -no-reboot \
    -display none -serial stdio -monitor none \
    -kernel /guest/vmlinuz -initrd /guest/initrd \
    -append "console=ttyS0 quiet panic=-1 tsc_early_khz=$khz" \
    -drive file=/guest/disk,format=raw,if=none,id=disk \
    -drive file=/guest/job,format=raw,if=none,id=job \
    -netdev user,id=net DEVICES </dev/null
echo "outer: the program ended with $?"
""" + nested.STATUS

# Both kinds of transports under each accelerator, and each device once on either.
DEVICES = {
    "kvm": "-device virtio-blk-pci,drive=disk -device virtio-blk-device,drive=job "
           "-device virtio-net-pci,netdev=net",
    "acrn,host=model": "-device virtio-blk-device,drive=disk -device virtio-blk-pci,drive=job "
                       "-device virtio-net-device,netdev=net",
}


def boot(accel):
    outer = OUTER.replace("ACCEL", accel).replace("DEVICES", DEVICES[accel])
    status, text = nested.run(outer, nested.INNER, "--binary", BINARY)
    nested.check_inner(text, 2)
    tap.check_equal(status, 7, "exit status of the inner guest's job")


def register(accel):
    @tap.test(f"Debian boots to a shell under -accel {accel}, with disk and network")
    def _():
        boot(accel)


for each in DEVICES:
    register(each)

# The first boot marks the disk and restarts; the second waits for a device to come and go.
AGAIN = r"""
if [ "$(dd if=/dev/vdb bs=1 skip=600 count=1 2>/dev/null | tr -d '\0')" != X ]; then
    printf X | dd of=/dev/vdb bs=1 seek=600 conv=notrunc 2>/dev/null
    sync
    echo "inner: restart"
    reboot -f
fi
echo "inner: again, with $(grep -c ^processor /proc/cpuinfo) cpus"
card=/sys/bus/pci/devices/0000:01:00.0
echo "inner: plug"
while [ ! -e $card ]; do sleep 1; done
echo "inner: plugged $(cat $card/vendor)"
echo "inner: unplug"
while [ -e $card ]; do sleep 1; done
echo "inner: unplugged"
exit 7
"""

PLUG = r"""
load-modules kvm-amd || exit 90
mkfifo /tmp/mon.in /tmp/mon.out
cat /tmp/mon.out >/dev/null &
say() {
    while ! grep -q "$1" /tmp/console 2>/dev/null; do sleep 1; done
    echo "$2"
}
(say "inner: plug" "device_add virtio-rng-pci,bus=port,id=card"
 say "inner: unplug" "device_del card"
 sleep 1000) >/tmp/mon.in &
timeout 200 humpy-system-x86_64 -M microvm -accel kvm -smp 2 -m 256M -display none \
    -serial file:/tmp/console -monitor pipe:/tmp/mon \
    -kernel /guest/vmlinuz -initrd /guest/initrd -append "console=ttyS0 quiet panic=-1" \
    -device pcie-root-port,id=port,chassis=1 \
    -drive file=/guest/job,format=raw,if=none,id=job -device virtio-blk-pci,drive=job \
    -drive file=/guest/disk,format=raw,if=none,id=disk -device virtio-blk-pci,drive=disk
echo "outer: the program ended with $?"
cat /tmp/console
"""


@tap.test("Debian restarts in the same machine, and a PCI device comes and goes")
def restart_and_hot_plug():
    _, text = nested.run(PLUG, AGAIN, "--binary", BINARY)
    for line in ("inner: restart", "inner: again, with 2 cpus", "inner: plugged 0x1af4",
                 "inner: unplugged", "outer: the program ended with 0"):
        tap.check_in(line, text)


if __name__ == "__main__":
    if shutil.which("qemu-system-x86_64") is None:
        tap.skip_all("qemu-system-x86_64 is not installed (package qemu-system-x86)")
    tap.main()
