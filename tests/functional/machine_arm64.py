# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests of an arm64 build in a machine of that architecture that has KVM (scripts/nested --arch
arm64), inside a Debian system on a disk (scripts/debian-disk): files have the paths that they have
here, for some are built into programs. What the tests say comes back line by line."""
import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile

import humpy
import nested

BUILD = os.environ.get("HUMPY_ARM64_BUILD", os.path.join(humpy.ROOT, "build-arm64"))
SCRIPTS = os.path.join(humpy.ROOT, "scripts")
HOME = "/root"
CACHE = os.path.join(HOME, ".cache", "humpy")

# What tests and the scripts below them start, and the libraries of programs.
PACKAGES = """apt base-files base-passwd bash coreutils cpio dash debianutils diffutils dpkg e2fsprogs
fdisk findutils grep gzip hostname iproute2 kmod libc-bin lz4 mawk mount mtools nbdkit netbase passwd procps
python3 qemu-utils sed tar util-linux xz-utils libfdt1 libglib2.0-0 libjson-glib-1.0-0 liblz4-1 libnbd0
libpixman-1-0 libpng16-16 libslirp0 liburcu8 liburing2 libvncserver1 zlib1g""".split()

ENTER = r"""
ifconfig lo 127.0.0.1 up
for each in /sys/class/block/vd?; do
    case $(cat $each/serial) in
    debian) debian=/dev/${each##*/};;
    stage) stage=/dev/${each##*/};;
    esac
done
mount -t ext4 $debian /mnt || exit 91
mkdir -p /mnt/stage
mount -t ext4 $stage /mnt/stage || exit 92
for each in dev dev/pts proc sys; do mount --bind /$each /mnt/$each; done
mount -t tmpfs tmpfs /mnt/dev/shm
mount -t tmpfs tmpfs /mnt/run
while read -r from to; do
    mkdir -p "/mnt$to"
    mount --bind "/mnt/stage/$from" "/mnt$to"
done </mnt/stage/places
# Over the root and not only below it: no user namespace can be made in a chroot.
cd /mnt && mount --move . / && exec chroot . /bin/bash /stage/run
"""


def listed(suites):
    """meson's tests of these suites, in its order."""
    tests = json.loads(subprocess.run(["meson", "introspect", "--tests", BUILD], check=True,
                                      stdout=subprocess.PIPE).stdout)
    return [test for test in tests
            if {word.split(":")[-1] for word in test["suite"]} & set(suites)]


def stage_build(folder):
    """The build's programs and what tests read, without symbols: they are large."""
    for top, folders, names in os.walk(BUILD):
        folders[:] = [n for n in folders if not n.endswith(".p") and not n.startswith("meson-")]
        to = os.path.join(folder, os.path.relpath(top, BUILD))
        for name in names:
            path, copy = os.path.join(top, name), os.path.join(to, name)
            if name.startswith(".") or name.endswith((".a", ".ninja", ".o")) or name == \
                    "compile_commands.json":
                continue
            os.makedirs(to, exist_ok=True)
            if name.startswith("start-"):  # a program below an emulator, which the machine is
                with open(path) as script:
                    program = script.read().split("'")[1]
                with open(copy, "w") as script:
                    script.write(f"#!/bin/sh\nexec '{program}' \"$@\"\n")
                os.chmod(copy, 0o755)
            elif not os.access(path, os.X_OK) or subprocess.run(
                    ["aarch64-linux-gnu-strip", "-o", copy, path],
                    stderr=subprocess.DEVNULL).returncode != 0:
                shutil.copy(path, copy)


def stage_tree(folder):
    names = subprocess.run(["git", "ls-files", "-z"], cwd=humpy.ROOT, check=True,
                           stdout=subprocess.PIPE, text=True).stdout.split("\0")
    for name in filter(None, names):
        path = os.path.join(humpy.ROOT, name)
        if os.path.exists(path):
            os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
            shutil.copy(path, os.path.join(folder, name))


def run(script, cache=(), tell=None, seconds=36000):
    """Runs script, for bash, in the Debian system; its exit status and all that was said. cache:
    folders of ours for the machine's cache, as they are named in it."""
    debian = subprocess.run([os.path.join(SCRIPTS, "debian-disk"), "arm64", *PACKAGES], check=True,
                            stdout=subprocess.PIPE, text=True).stdout.strip()
    with tempfile.TemporaryDirectory(prefix="humpy-arm64-") as folder:
        stage = os.path.join(folder, "stage")
        stage_tree(os.path.join(stage, "tree"))
        stage_build(os.path.join(stage, "build"))
        os.makedirs(os.path.join(stage, "cache"))
        for path in cache:
            subprocess.run(["cp", "-a", "--sparse=always", path, os.path.join(stage, "cache")],
                           check=True)
        with open(os.path.join(stage, "places"), "w") as places:
            places.write(f"tree {humpy.ROOT}\nbuild {BUILD}\ncache {CACHE}\n")
        with open(os.path.join(stage, "run"), "w") as out:
            out.write(f"export HOME={HOME} TMPDIR=/tmp PATH=/usr/sbin:/usr/bin:/sbin:/bin "
                      f"LC_ALL=C.UTF-8 HUMPY_KVM_ON_TCG=1\ncd {shlex.quote(humpy.ROOT)}\n{script}\nexit 0\n")
        disk = os.path.join(folder, "disk")
        subprocess.run(["mke2fs", "-q", "-t", "ext4", "-E", "root_owner=0:0", "-d", stage, disk, "3G"],
                       check=True, env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"})
        shutil.rmtree(stage)
        return nested.run(ENTER, None, "--arch", "arm64", "--smp", "2", "--mem", "3G", "--timeout",
                          str(seconds), "--disk", f"{debian}=debian", "--disk", f"{disk}=stage",
                          "--binary", os.path.join(BUILD, "system", "humpy-system-aarch64"),
                          tell=tell)


def short(test):
    return re.sub(r"^functional-", "", test["name"])


def command(test, seconds, more=()):
    """Lines for the shell: one of meson's tests, whose environment gets what more says; what it says
    comes with its name, then how it ended."""
    words = [f"{key}={value}" for key, value in {**test["env"], **dict(more)}.items()]
    words += ["python3" if each.endswith("/python3") else each for each in test["cmd"]]
    return (f"{{ timeout -k 10 {seconds} env {shlex.join(words)} </dev/null 2>&1; "
            f"echo \"ended $?\"; }} | sed -u 's/^/arm64-{short(test)}: /'")


class Results:
    """Hears the machine's lines and passes them on as one list of results."""

    def __init__(self):
        self.count = self.failed = 0
        self.ended = set()

    def result(self, good, text):
        self.count += 1
        self.failed += not good
        print(f"{'' if good else 'not '}ok {self.count} - {text}", flush=True)

    def hear(self, line):
        found = re.search(r"\barm64-([\w-]+): (.*)$", line)
        if not found:
            return
        name, text = found.groups()
        case = re.match(r"(not )?ok \d+ (?:- )?(.*)$", text)
        if case:
            self.result(not case.group(1), f"{name}: {case.group(2)}")
        elif text.startswith("1..0 # SKIP "):
            self.result(True, f"{name} # SKIP {text[len('1..0 # SKIP '):]}")
        elif text.startswith("ended "):
            self.ended.add(name)
            if text != "ended 0":
                self.result(False, f"{name}: its program {text}")
        elif not re.match(r"# (Start|End) of|1\.\.", text):
            print(f"# {name}: {text}", flush=True)


def main(suites, seconds, words=(), cache=(), more=(), before=""):
    """Runs the tests of these suites, or those of them that are named (NAME, or NAME=WORD for what
    the program takes of words), each for so many seconds at most, after what the shell does before;
    the exit status for whoever reads the results."""
    chosen = {}
    for word in words:
        name, _, rule = word.partition("=")
        chosen.setdefault(name, []).extend([rule] if rule else [])
    tests = [{**test, "cmd": test["cmd"] + chosen.get(short(test), [])} for test in listed(suites)
             if not words or short(test) in chosen]
    results = Results()
    status, text = run("\n".join([before, *(command(test, seconds, more) for test in tests)]), cache,
                       results.hear)
    for name in map(short, tests):
        if name not in results.ended:
            results.result(False, f"{name} was not run to its end")
    if status != 0:
        print("\n".join(f"# {line}" for line in text.splitlines()[-30:]))
        results.result(False, f"the machine ended with {status}")
    print(f"1..{results.count}", flush=True)
    return 1 if results.failed else 0
