#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's UEFI firmware on Gunyah: from the reset vector to a login, and what it keeps; the same in
memory that is lent to the guest, where the model lets no device reach anything but the window."""
import functools
import json
import os
import shutil
import subprocess
import tempfile

import humpy
import tap
from tap import check_equal, check_in, test

EFI_FILES = os.path.join(humpy.ROOT, "scripts", "efi-files")
WORK = tempfile.mkdtemp(prefix="humpy-efi-")
os.environ["HUMPY_RUNTIME_DIR"] = WORK
MODEL = ["--accel", "gunyah,host=model"]
PROTECTED = ["-accel", "gunyah,host=model,protected=on,swiotlb-size=64M"]
VARIABLE = "Humpy-12345678-1234-1234-1234-123456789abc"
EFIVARS = "/sys/firmware/efi/efivars"
# GRUB writes through UEFI's console, the kernel through its own driver.
FIRMWARE, LOADER, SYSTEM = "UEFI firmware (version", "EFI stub: Booting Linux", "humpy-efi login: "

humpy.need_guest()
if subprocess.run([EFI_FILES, WORK], stdout=subprocess.DEVNULL, check=False).returncode != 0:
    shutil.rmtree(WORK)
    tap.skip_all("scripts/efi-files cannot prepare a disk")


def path(name):
    return os.path.join(WORK, name)


def args(*more, accel=None):
    return [*(accel or humpy.ACCEL), "-machine", "virt", "-m", "512M", "-nographic", *more]


def bios():
    return ["-bios", path("firmware")]


def flash(variables):
    return ["-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={path('code')}",
            "-drive", f"if=pflash,unit=1,format=raw,file={variables}"]


def disk():
    return ["-drive", f"if=none,id=d,format=raw,file={path('disk')}",
            "-device", "virtio-blk-pci,drive=d"]


def log_in(process, after=0):
    at = process.expect(FIRMWARE, after)
    at = process.expect(LOADER, at)
    at = process.expect(SYSTEM, at)
    process.type("root\n")
    return process.expect("# ", at)


def run(process, at, command, answer):
    """Types command; the position behind its answer, which is a line of its own."""
    process.type(command + "\n")
    at = process.expect("\n" + answer + "\n", at)
    return process.expect("# ", at)


def check_devices(process, at, protected=True):
    """The 34th character of a device's features is ACCESS_PLATFORM."""
    return run(process, at, "cut -c 34 /sys/bus/virtio/devices/*/features | sort -u",
               str(int(protected)))


def power_off(process):
    process.type("poweroff -f\n")
    check_equal(process.wait(), 0, "exit status")


def copy_of_variables(name):
    shutil.copyfile(path("vars"), path(name))
    return path(name)


@test("firmware, GRUB, kernel, login on two vCPUs; poweroff ends with status 0")
def to_login():
    with humpy.Process(args("-smp", "2", *bios(), *disk())) as process:
        at = log_in(process)
        at = run(process, at, "nproc", "2")
        at = check_devices(process, at, False)
        run(process, at, f"ls -d {EFIVARS}/BootOrder-*",
            EFIVARS + "/BootOrder-8be4df61-93ca-11d2-aa0d-00e098032b8c")
        power_off(process)


def keep_variable(drive, accel=None, protected=False):
    with humpy.Process(args("-smp", "2", *flash(drive), *disk(), accel=accel)) as process:
        at = check_devices(process, log_in(process), protected)
        at = run(process, at, f"printf '\\007\\0\\0\\0wri''tten' >{EFIVARS}/{VARIABLE}; echo $?", "0")
        process.type("reboot -f\n")
        at = log_in(process, at)
        run(process, at, f"tail -c 7 {EFIVARS}/{VARIABLE}; echo", "written")
        power_off(process)
    with open(drive, "rb") as file:
        check_equal("Humpy\0".encode("utf-16-le") + b"written" in file.read(), True, "is on the drive")


@test("a variable written by the kernel is there after a reboot, and on the drive")
def variables():
    keep_variable(copy_of_variables("kept"))


@test("a protected guest boots, keeps a variable, and reboots into a protected guest")
def protected_variables():
    keep_variable(copy_of_variables("kept-protected"), PROTECTED, True)


@test("auto goes on with a protected guest where only lent memory will do")
def auto():
    os.environ["HUMPY_MODEL_GUNYAH"] = "policy=lend"
    try:
        accel = ["-accel", "gunyah,host=model,protected=auto"]
        with humpy.Process(args(*bios(), *disk(), accel=accel)) as process:
            check_devices(process, log_in(process))
            power_off(process)
            check_in("going on with a protected guest", process.stderr())
    finally:
        del os.environ["HUMPY_MODEL_GUNYAH"]


@test("without a disk UEFI's shell comes up and can power off")
def shell():
    with humpy.Process(args(*bios())) as process:
        at = process.expect("Press ")
        process.type("\x1b")
        at = process.expect("Shell> ", at)
        process.type("reset -s\r")
        check_equal(process.wait(), 0, "exit status")


def vm_run(protected):
    config = {"name": "uefi", "platform_version": "~1.0", "bootloader": path("firmware"),
              "memory_mib": 448, "disks": [{"image": path("disk"), "writable": True}],
              **({"protected": True} if protected else {})}
    # The same driver does not let shared memory be executed.
    os.environ["HUMPY_MODEL_GUNYAH"] = "rev=android15" if protected else "rev=android14"
    with open(path("vm.json"), "w", encoding="utf-8") as file:
        json.dump(config, file)
    words = ["vm", "run", *MODEL, path("vm.json")]
    try:
        with humpy.Process(words, binary=humpy.LAUNCH) as process:
            check_devices(process, log_in(process), protected)
            power_off(process)
    finally:
        del os.environ["HUMPY_MODEL_GUNYAH"]


def crosvm_run(protected):
    os.environ["HUMPY_MODEL_GUNYAH"] = "rev=v17"
    drive = copy_of_variables("pflash")
    words = ["crosvm", "run", "--hypervisor", "gunyah", "--mem", "448", "--bios", path("firmware"),
             *(["--protected-vm-without-firmware"] if protected else []),
             "--pflash", f"path={drive}", "--block", path("disk")]
    try:
        with humpy.Process(words, binary=humpy.LAUNCH) as process:
            check_devices(process, log_in(process), protected)
            power_off(process)
        with open(drive, "rb") as file:
            check_equal("BootOrder\0".encode("utf-16-le") in file.read(), True, "is on the drive")
    finally:
        del os.environ["HUMPY_MODEL_GUNYAH"]


for kind, protect in (("shared", False), ("lent", True)):
    test(f"'humpy vm run' starts a bootloader in {kind} memory")(
        functools.partial(vm_run, protect))
    test(f"'humpy crosvm run' starts --bios in {kind} memory, on the v17 posting's driver")(
        functools.partial(crosvm_run, protect))


# ---- what is refused ----

def refused(words, *parts, accel=()):
    done = humpy.run([*(accel or humpy.ACCEL), "-machine", "virt", "-display", "none", *words])
    check_equal(done.returncode, 1, f"status, stderr {done.stderr!r}")
    check_equal(len(done.stderr.splitlines()), 1, f"number of lines of {done.stderr!r}")
    for part in parts:
        check_in(part, done.stderr)


def write(name, data, size=None):
    with open(path(name), "wb") as file:
        file.write(data)
        if size is not None:
            file.truncate(size)
    return path(name)


MIB = 1 << 20
UEFI = open(path("firmware"), "rb").read()
for rule, words, parts in (
        ("a missing file", ["-bios", path("missing")], ["-bios ", "No such file"]),
        ("more than the flash holds", ["-bios", write("large", b"x", 64 * MIB + 1)],
         ["-bios ", "67108865 bytes", "67108864"]),
        ("no room for the device tree", ["-bios", write("full", b"x" * (63 * MIB))],
         ["-bios ", "with accelerator 'gunyah' it must be 1 to "]),
        ("nothing but zeroes", ["-bios", write("empty", b"", MIB)], ["-bios ", "must be 1 to "]),
        ("a flash of odd size", ["-drive", f"if=pflash,format=raw,readonly=on,file={write('odd', UEFI)}"],
         ["pflash0=", "2097152 bytes", "exactly 67108864"]),
        ("variables of odd size", [*bios(), "-drive", f"if=pflash,unit=1,format=raw,file={path('odd')}"],
         ["pflash1: ", "2097152 bytes", "exactly 67108864"]),
        ("code that may be written",
         ["-drive", f"if=pflash,format=raw,file={write('code-rw', UEFI, 64 * MIB)}"],
         ["pflash0=", "must be readonly=on", "'gunyah'"]),
        ("variables that are none",
         [*bios(), "-drive", f"if=pflash,unit=1,format=raw,file={write('junk', b'junk', 64 * MIB)}"],
         ["pflash1: ", "neither a store of UEFI variables"]),
        ("variables that cannot be written",
         [*bios(), "-drive", f"if=pflash,unit=1,format=raw,readonly=on,file={path('vars')}"],
         ["pflash1: ", "is read-only"]),
        ("variables without firmware",
         ["-drive", f"if=pflash,unit=1,format=raw,file={path('vars')}"],
         ["pflash1=", "firmware, which is missing (see -bios)"]),
        ("variables for what is no UEFI firmware",
         ["-bios", write("raw", b"\x5f\x20\x03\xd5"), *flash(path("vars"))[2:]],
         ["pflash1: ", "has no UEFI firmware volume"]),
        ("two sorts of firmware", [*bios(), *flash(path("vars"))], ["-bios ", "already has the drive"]),
        ("firmware and a kernel", [*bios(), "-kernel", path("firmware")], ["-bios ", "not -kernel"])):
    def body(words=words, parts=parts):
        refused(words, *parts)
    test(f"refused: {rule}")(body)


@test("refused: memory that is lent without a window")
def lent():
    refused(bios(), "-bios ", "with lend=on no device reaches memory", accel=[
        "-accel", "gunyah,host=model,lend=on"])


for rule, words, more, parts in (
        ("in a protected guest: virtio-mmio, which UEFI's drivers use without regard to the window",
         [*bios(), "-device", "virtio-rng-device"], "",
         ["-bios ", "window", "'virtio-rng-device' must be one for PCI"]),
        ("in a protected guest: what is no UEFI firmware", ["-bios", path("raw")], "",
         ["-bios ", "is no UEFI firmware"]),
        ("in a protected guest: the resource manager's firmware besides", bios(), ",pvmfw=on",
         ["pvmfw=on", "no other firmware"]),
        ("in a protected guest: a window for which PCI has no room", ["-m", "2G", *bios()],
         ",swiotlb-size=450M", ["swiotlb-size", "450 MiB", "448 MiB"])):
    def protected_body(words=words, more=more, parts=parts):
        refused(words, *parts, accel=["-accel", f"gunyah,host=model,protected=on{more}"])
    test(f"refused: {rule}")(protected_body)


try:
    tap.main()
finally:
    shutil.rmtree(WORK)
