#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What scripts/package made: unpacked into a directory of its own, looked at and run. Arguments: the
directory with the packages and the sysroot that arm64 programs find their libraries in."""
import glob
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile

import tap
from tap import Skip, check_equal, check_in, test

PACKAGES, SYSROOT = sys.argv[1:3]
del sys.argv[1:3]
NAMES = ["humpy", "humpy-export", "humpy-system-aarch64", "humpy-system-x86_64"]


def package(pattern):
    found = glob.glob(os.path.join(PACKAGES, pattern))
    check_equal(len(found), 1, f"packages {pattern} in {PACKAGES}")
    return found[0]


def tool(*argv, **kwargs):
    return subprocess.run(argv, capture_output=True, text=True, check=True, **kwargs).stdout


def each_deb(function):
    with tempfile.TemporaryDirectory() as work:
        for arch, start in (("amd64", []), ("arm64", ["qemu-aarch64", "-L", SYSROOT])):
            deb = package(f"humpy_*_{arch}.deb")
            root = os.path.join(work, arch)
            tool("dpkg-deb", "-x", deb, root)
            function(deb, arch, root, start)


def field(deb, name):
    return tool("dpkg-deb", "-f", deb, name).strip()


@test("the packages have programs, pages, completions, the service, documents")
def contents():
    def check(deb, arch, root, start):
        def names(*path):
            return sorted(os.listdir(os.path.join(root, *path)))
        check_equal(names("usr", "bin"), NAMES, arch)
        share = ("usr", "share")
        check_equal(names(*share, "man", "man1"), sorted(f"{n}.1.gz" for n in NAMES), arch)
        check_equal(names(*share, "bash-completion", "completions"), NAMES, arch)
        check_equal(names(*share, "zsh", "vendor-completions"), sorted("_" + n for n in NAMES), arch)
        check_equal(names(*share, "fish", "vendor_completions.d"),
                    sorted(n + ".fish" for n in NAMES), arch)
        check_equal(names("lib", "systemd", "system"), ["humpy-export@.service"], arch)
        for name in ("copyright", "changelog.gz", "changelog.Debian.gz", "README.md",
                     "docs/phone.md"):
            check_equal(os.path.exists(os.path.join(root, *share, "doc", "humpy", name)), True, name)
        owners = {line.split()[1] for line in tool("dpkg-deb", "-c", deb).splitlines()}
        check_equal(owners, {"root/root"}, f"owners in {arch}")
        check_equal(field(deb, "Architecture"), arch)
    each_deb(check)


@test("the dependencies are those that the programs load")
def dependencies():
    def check(deb, arch, root, start):
        names = {part.split()[0] for part in field(deb, "Depends").split(",")}
        wanted = {"libc6", "libglib2.0-0", "libjson-glib-1.0-0", "libslirp0", "liburing2", "zlib1g"}
        check_equal(wanted - names, set(), arch)
        check_equal("libdynarmic6" in names, arch == "amd64", f"libdynarmic6 in {arch}")
        check_equal({n for n in names if n.startswith(("libvnc", "libnbd", "libxen"))}, set(), arch)
    each_deb(check)


@test("the programs of the packages run")
def programs():
    def check(deb, arch, root, start):
        if start and not shutil.which(start[0]):
            raise Skip(f"{start[0]} is missing")

        def says(name, *words):
            return tool(*start, os.path.join(root, "usr", "bin", name), *words)
        for name in NAMES[1:]:
            check_in(f"{name} version", says(name, "-version"))
        check_in("humpy", says("humpy", "version"))
        check_in("gunyah", says("humpy-system-aarch64", "-accel", "help"))
        check_in("kvm", says("humpy-system-x86_64", "-accel", "help"))
        answers = tool(*start, os.path.join(root, "usr", "bin", "humpy-system-aarch64"), "-M", "none",
                       "-qmp", "stdio",
                       input='{"execute":"qmp_capabilities"}{"execute":"quit"}')
        check_equal(answers.count('"return"'), 2, arch)
    each_deb(check)


@test("the amd64 package installs into an empty dpkg database")
def installs():
    if os.geteuid() != 0:
        raise Skip("dpkg wants root")
    with tempfile.TemporaryDirectory() as root:
        for name in ("info", "updates", "triggers"):
            os.makedirs(os.path.join(root, "var", "lib", "dpkg", name))
        with open(os.path.join(root, "var", "lib", "dpkg", "status"), "w", encoding="ascii"):
            pass
        dpkg = ["dpkg", "--root", root, "--force-depends", "--log=/dev/null"]
        tool(*dpkg, "-i", package("humpy_*_amd64.deb"))
        check_in("Status: install ok installed", tool(*dpkg, "-s", "humpy"))
        check_equal(tool(*dpkg, "--verify", "humpy"), "")
        tool(*dpkg, "--purge", "humpy")
        check_equal(os.path.exists(os.path.join(root, "usr", "bin", "humpy")), False)


@test("lintian has no error to report")
def lintian():
    if not shutil.which("lintian"):
        raise Skip("lintian is missing")
    for arch in ("amd64", "arm64"):
        done = subprocess.run(["lintian", "--allow-root", "--fail-on", "error",
                               package(f"humpy_*_{arch}.deb")], capture_output=True, text=True,
                              check=False)
        check_equal(done.returncode, 0, done.stdout + done.stderr)


@test("the tarball has static programs, their licenses and how to use them")
def tarball():
    with tempfile.TemporaryDirectory() as work:
        with tarfile.open(package("humpy-*-aarch64-static.tar.xz")) as archive:
            archive.extractall(work)
        (top,) = os.listdir(work)
        check_equal(sorted(os.listdir(os.path.join(work, top))),
                    ["humpy", "humpy-system-aarch64", "humpy-vm.md", "licenses", "phone.md"])
        with open(os.path.join(work, top, "licenses", "libraries"), encoding="utf-8") as terms:
            text = terms.read()
        for name in ("libc6-dev", "libglib2.0-dev", "libslirp-dev"):
            check_in(f"==== {name} ", text)
        told = tool("readelf", "-W", "-l", os.path.join(work, top, "humpy"))
        check_equal("INTERP" in told, False)
        if shutil.which("qemu-aarch64"):
            check_in("version", tool("qemu-aarch64",
                                     os.path.join(work, top, "humpy-system-aarch64"), "-version"))


tap.main()
