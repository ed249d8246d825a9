#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The test programs of an arm64 build, in a machine of that architecture that has KVM
(scripts/nested --arch arm64): what user emulation cannot carry runs there as well. One result for
each program, and what it said if it failed."""
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile

import humpy
import nested
import tap

BUILD = os.environ.get("HUMPY_ARM64_BUILD", os.path.join(humpy.ROOT, "build-arm64"))
SUITES = os.environ.get("HUMPY_ARM64_SUITES", "unit conformance").split()
SECONDS = 300  # for each program: the machine is an emulated one
LOADED = ("libnbd.so.0", "libvncserver.so.1")  # by programs while they run, so nobody else says so


def programs():
    """Name, words and environment of each test that is a program of the build."""
    listed = json.loads(subprocess.run(["meson", "introspect", "--tests", BUILD], check=True,
                                       stdout=subprocess.PIPE).stdout)
    for test in listed:
        suites = {word.split(":")[-1] for word in test["suite"]}
        if suites & set(SUITES) and test["cmd"][0].startswith(BUILD + os.sep):
            yield test["name"], test["cmd"], test["env"]


def script(tests):
    lines = ["export HUMPY_KVM_ON_TCG=1 HOME=/root TMPDIR=/tmp G_TEST_SRCDIR= G_TEST_BUILDDIR=",
             "ifconfig lo 127.0.0.1 up"]
    for name, words, env in tests:
        settings = [f"{key}={value}" for key, value in env.items()]
        lines += [f"timeout {SECONDS} env {shlex.join(settings + words)} </dev/null >/tmp/log 2>&1",
                  f"echo 'arm64: {name} '$?", "sed 's/^/arm64-log: /' /tmp/log"]
    return "\n".join(lines) + "\nexit 0\n"


def progress(line):
    if line.startswith("arm64: "):
        print(f"# {line}", flush=True)


def run(tests):
    """What each test said and its status, by name. Files have the paths that they have here, for
    some are built into programs; symbols stay behind, they are large."""
    add = {}
    with tempfile.TemporaryDirectory(prefix="humpy-arm64-") as folder:
        for _, words, env in tests:
            for path in [*words, *env.values()]:
                if not os.path.isfile(path) or path in add:
                    continue
                copy = os.path.join(folder, str(len(add)))
                if subprocess.run(["aarch64-linux-gnu-strip", "-o", copy, path],
                                  stderr=subprocess.DEVNULL).returncode != 0:
                    copy = path
                add[path] = copy
        root = subprocess.run([os.path.join(humpy.ROOT, "scripts", "sysroot"), "--root"], check=True,
                              stdout=subprocess.PIPE, text=True).stdout.strip()
        for name in LOADED:
            path = os.path.join(root, "usr", "lib", "aarch64-linux-gnu", name)
            if os.path.exists(path):
                add[f"/lib/{name}"] = path
        options = [word for path, copy in add.items() for word in ("--add", f"{copy}={path}")]
        options += ["--arch", "arm64", "--smp", "2", "--mem", "2G", "--timeout", "3000",
                    "--binary", os.path.join(BUILD, "system", "humpy-system-aarch64")]
        _, text = nested.run(script(tests), None, *options, tell=progress)
    results, said = {}, []
    for line in text.splitlines():
        found = re.match(r"arm64: (\S+) (\d+)$", line)
        if found:
            said = []
            results[found.group(1)] = (int(found.group(2)), said)
        elif line.startswith("arm64-log: "):
            said.append(line[len("arm64-log: "):])
    return results, text


WORDS = sys.argv[1:]
TESTS = [test for test in (programs() if os.path.isdir(BUILD) else ())
         if not WORDS or any(word in test[0] for word in WORDS)]
RESULTS = {}


def register(name):
    @tap.test(name)
    def _():
        if not RESULTS:
            results, text = run(TESTS)
            RESULTS.update(results or {"": (1, text.splitlines())})
        status, said = RESULTS.get(name, (1, ["it was not run"] + RESULTS.get("", (1, []))[1]))
        if status != 0:
            bad = [line for line in said if line.startswith(("not ok", "Bail out"))]
            raise AssertionError("\n".join([f"status {status}", *bad, *said[-30:]]))
        skipped = [line for line in said if "# SKIP" in line]
        if skipped and len(skipped) == sum(line.startswith("ok ") for line in said):
            raise tap.Skip(skipped[0].split("# SKIP")[-1].strip())


for each in TESTS:
    register(each[0])

if __name__ == "__main__":
    if not TESTS:
        tap.skip_all(f"{BUILD} has no test programs")
    tap.main()
