#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Static programs, in a directory that has nothing but them: no library, no /etc, no /proc. Those of
another machine run below a static qemu-user of Debian's, which is put beside them. Arguments: the
programs humpy and humpy-system-aarch64, and their architecture."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

import tap
from tap import Skip, check_equal, check_in, test

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAMS, ARCH = sys.argv[1:3], sys.argv[3]
del sys.argv[1:4]
SYSTEM = "/humpy-system-aarch64"


def emulator():
    """The path of a static program that executes code of ARCH, or None where the host does."""
    if os.uname().machine == ARCH:
        return None
    done = subprocess.run([os.path.join(ROOT, "scripts", "guest-files"), "packages",
                           "qemu-user-static"], env={**os.environ, "HUMPY_GUEST_ARCH": "amd64"},
                          stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        tap.skip_all("scripts/guest-files cannot fetch qemu-user-static")
    return os.path.join(done.stdout.strip(), "usr", "bin", f"qemu-{ARCH}-static")


PLACE = tempfile.TemporaryDirectory()
for path in PROGRAMS:
    shutil.copy(path, PLACE.name)
ENTER = [*([] if os.geteuid() == 0 else ["unshare", "-r"]), "chroot", PLACE.name]
EMULATOR = emulator()
if EMULATOR is not None:
    shutil.copy(EMULATOR, os.path.join(PLACE.name, "emulator"))
    ENTER.append("/emulator")


def run(*argv, stdin=""):
    """The finished process, started with no variables but those given here."""
    done = subprocess.run([*ENTER, *argv], input=stdin, capture_output=True, text=True, timeout=60,
                          check=False, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
    if done.returncode == 125 or "unshare:" in done.stderr:
        raise Skip(f"cannot enter a directory: {done.stderr.strip()}")
    return done


def says(*argv):
    done = run(SYSTEM, *argv)
    check_equal((done.returncode, done.stderr), (0, ""), " ".join(argv))
    return done.stdout


@test("the programs ask for no library and no linker")
def no_libraries():
    for path in PROGRAMS:
        told = subprocess.run(["readelf", "-W", "-l", "-d", path], capture_output=True, text=True,
                              check=True).stdout
        check_equal(re.findall(r"NEEDED|INTERP", told), [], path)


@test("the version is told")
def version():
    check_in("version", says("-version"))
    check_equal(run("/humpy", "version").returncode, 0)


@test("help lists what is built in, and nothing else")
def lists():
    accelerators = {line.split()[0] for line in says("-accel", "help").splitlines()[1:]}
    check_equal(accelerators & {"gunyah", "xen", "qtest"}, {"gunyah", "qtest"})
    check_equal(says("-netdev", "help").split()[-1], "user")
    check_equal(says("-display", "help").splitlines()[1:], ["none"])


@test("what is left out says so")
def left_out():
    for words, answer in {
            ("-M", "none", "-vnc", ":1"): "this build has no VNC server",
            ("-M", "virt", "-accel", "qtest", "-drive", "file=nbd://x,if=none,id=d"):
                "this build has no NBD client",
            ("-M", "virt", "-accel", "gunyah"):
                "cannot open /dev/gunyah: No such file or directory (this kernel has no Gunyah driver",
            ("-M", "virt", "-accel", "xen"): "'xen' is not known"}.items():
        done = run(SYSTEM, *words)
        check_equal(done.returncode, 1, " ".join(words))
        check_equal(done.stderr.count("\n"), 1, "lines")
        check_in(answer, done.stderr)


@test("humpy vm check tells what a machine lacks that has nothing")
def check():
    done = run("/humpy", "vm", "check")
    check_in("/dev/gunyah", done.stdout)
    check_in("qcow2", done.stdout)
    found = json.loads(run("/humpy", "vm", "check", "--json").stdout)
    check_equal(bool(found), True)


@test("QMP on standard input, without a machine")
def qmp():
    done = run(SYSTEM, "-M", "none", "-qmp", "stdio", stdin=''.join(
        json.dumps({"execute": name}) + "\n" for name in
        ("qmp_capabilities", "query-status", "quit")))
    check_equal(done.returncode, 0, done.stderr)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    check_in("QMP", answers[0])
    check_equal(sum("return" in answer for answer in answers), 3)


@test("devices are driven through qtest, with memory and a network card")
def qtest():
    process = subprocess.Popen(
        [*ENTER, SYSTEM, "-M", "virt", "-accel", "qtest", "-qtest", "stdio", "-display", "none",
         "-m", "64M", "-netdev", "user,id=n", "-device", "virtio-net-device,netdev=n"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    with process:
        try:
            for command, answer in (("writel 0x40000000 0x12345678", "OK"),
                                    ("readl 0x40000000", "OK 0x0000000012345678"),
                                    ("readl 0x9000fe0", "OK 0x0000000000000011")):
                process.stdin.write(command + "\n")
                process.stdin.flush()
                line = process.stdout.readline()
                while line.startswith(("[", "IRQ")):
                    line = process.stdout.readline()
                check_equal(line.strip(), answer, command)
        finally:
            process.terminate()
    check_equal(process.returncode, 0)


tap.main()
