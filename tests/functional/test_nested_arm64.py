#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The arm64 program on a real arm64 KVM, in a machine that has it (scripts/nested --arch arm64):
bare-metal payloads on the engine, then a stock Debian guest under each accelerator that runs on
KVM, with devices over PCI and over virtio-mmio, two processors, restart and power-off."""
import os
import shutil

import humpy
import nested
import tap

BUILD = os.environ.get("HUMPY_ARM64_BUILD", os.path.join(humpy.ROOT, "build-arm64"))
# Limits are for what hangs: a busy host takes several times as long as an idle one.
OPTIONS = ["--arch", "arm64", "--smp", "2", "--timeout", "2400",
           "--binary", os.path.join(BUILD, "system", "humpy-system-aarch64")]

# Each payload and its number of vCPUs: NAME=N.
PAYLOADS = dict(word.split("=") for word in os.environ.get("HUMPY_PAYLOADS_ARM64", "").split())

RUN_PAYLOADS = r"""
export HUMPY_KVM_ON_TCG=1
bad=0
for each in PAYLOADS; do
    echo "outer: payload ${each%=*}"
    timeout 600 payload-run --engine kvm --smp "${each#*=}" "/payload/${each%=*}.bin" || {
        echo "outer: ended with $?"
        bad=1
    }
done
timeout 600 test-kvm-arm64 || bad=1
exit $bad
"""

# The inner guest marks its job disk and restarts before it does its work.
RESTART = r"""
job=$(for each in /dev/vd?; do
    head -c 11 $each | grep -q "HUMPY-JOB 1" && echo $each
done)
if [ "$(dd if=$job bs=1 skip=600 count=1 2>/dev/null | tr -d '\0')" != X ]; then
    printf X | dd of=$job bs=1 seek=600 conv=notrunc 2>/dev/null
    sync
    echo "inner: restart"
    reboot -f
    sleep 1000
fi
"""

# With ACCEL and DEVICES replaced.
OUTER = nested.SERVE + r"""
timeout 1800 humpy-system-aarch64 -M virt -accel ACCEL -smp 2 -m 256M \
    -display none -serial stdio -monitor none \
    -kernel /guest/vmlinuz -initrd /guest/initrd -append "console=ttyAMA0 quiet panic=-1" \
    -drive file=/guest/disk,format=raw,if=none,id=disk \
    -drive file=/guest/job,format=raw,if=none,id=job \
    -netdev user,id=net DEVICES </dev/null
echo "outer: the program ended with $?"
""" + nested.STATUS

# Both kinds of transports under each accelerator, and each device once on either.
GUESTS = {
    "kvm": ("-device virtio-blk-pci,drive=disk -device virtio-blk-device,drive=job "
            "-device virtio-net-pci,netdev=net", RESTART),
    "gunyah,host=model": ("-device virtio-blk-device,drive=disk -device virtio-blk-pci,drive=job "
                          "-device virtio-net-device,netdev=net", ""),
    "gunyah,host=model,protected=on": ("-device virtio-blk-pci,drive=disk "
                                       "-device virtio-blk-device,drive=job "
                                       "-device virtio-net-pci,netdev=net", ""),
}


@tap.test("every bare-metal payload passes on the engine, every rule of accel/kvm holds")
def payloads():
    if not PAYLOADS:
        raise tap.Skip("no payloads are given (no aarch64-linux-gnu-gcc)")
    folder = os.path.join(BUILD, "tests", "engine")
    add = [f"{os.path.join(folder, 'payload', name)}.bin=/payload/{name}.bin" for name in PAYLOADS]
    words = [each for pair in add for each in ("--add", pair)]
    script = RUN_PAYLOADS.replace("PAYLOADS", " ".join(f"{n}={c}" for n, c in PAYLOADS.items()))
    for path in (os.path.join(folder, "payload-run"),
                 os.path.join(BUILD, "tests", "unit", "test-kvm-arm64")):
        words += ["--add", f"{path}=/bin/{os.path.basename(path)}"]
    status, text = nested.run(script, None, *OPTIONS, *words)
    if status != 0:
        raise AssertionError(f"status {status}:\n{text}")
    if "SKIP no /dev/kvm" in text:
        raise AssertionError(f"there was no KVM:\n{text}")
    for name in PAYLOADS:
        tap.check_in(f"outer: payload {name}\n", text)


def boot(accel):
    devices, before = GUESTS[accel]
    outer = OUTER.replace("ACCEL", accel).replace("DEVICES", devices)
    status, text = nested.run(outer, before + nested.INNER, *OPTIONS)
    nested.check_inner(text, 2)
    if before:
        tap.check_in("inner: restart", text)
    tap.check_equal(status, 7, "exit status of the inner guest's job")


def register(accel):
    @tap.test(f"Debian boots to a shell under -accel {accel}, with disk and network")
    def _():
        boot(accel)


for each in GUESTS:
    register(each)

if __name__ == "__main__":
    if shutil.which("qemu-system-aarch64") is None:
        tap.skip_all("qemu-system-aarch64 is not installed (package qemu-system-arm)")
    tap.main()
