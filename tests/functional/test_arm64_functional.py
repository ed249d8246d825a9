#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The functional tests of an arm64 build on a real arm64 KVM, in the machine of machine_arm64.py: the
models run their guests on it, where on x86 an engine does. Each case of each file is one result; a
file that ends otherwise than by itself is one more."""
import os
import re
import subprocess
import sys
import tempfile

import machine_arm64 as machine
import tap

SUITES = ("smoke", "functional")
LONGEST = 900  # seconds until a test gives up on a guest: one that is emulated in an emulated one
SECONDS = 3600  # for each file
MORE = (("HUMPY_ENGINE", "yes"), ("HUMPY_LONGEST", str(LONGEST)), ("HUMPY_CRASH_LAUNCHES", "10"))


def prepared():
    """Folders of our cache that the tests look for guests in; what makes them is not in the machine."""
    guest_files = os.path.join(machine.SCRIPTS, "guest-files")
    folders = []
    for kernel in ("cloud", "generic"):
        folders.append(subprocess.run([guest_files], check=True, stdout=subprocess.PIPE, text=True,
                                      env={**os.environ, "HUMPY_GUEST_KERNEL": kernel}).stdout.strip())
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([os.path.join(machine.SCRIPTS, "efi-files"), folder], check=True)
        paths = [os.path.realpath(os.path.join(folder, "firmware"))]
    with open(os.path.join(folders[0], "stamp")) as stamp:
        kernel = re.search(r"^(linux-image-[^_]*)_", stamp.read(), re.MULTILINE).group(1)
    for name in ("grub-efi-arm64-bin", kernel):
        paths.append(subprocess.run([guest_files, "packages", name], check=True, text=True,
                                    stdout=subprocess.PIPE).stdout.strip())
    cache = os.path.dirname(folders[0])
    packages = {os.path.relpath(path, cache).split(os.sep)[0] for path in paths}
    return folders + [os.path.join(cache, name) for name in sorted(packages)]


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
        found = re.match(r"arm64-(\w+): (.*)$", line)
        if not found:
            return
        name, text = found.groups()
        case = re.match(r"(not )?ok \d+ - (.*)$", text)
        if case:
            self.result(not case.group(1), f"{name}: {case.group(2)}")
        elif text.startswith("1..0 # SKIP "):
            self.result(True, f"{name} # SKIP {text[len('1..0 # SKIP '):]}")
        elif text.startswith("ended "):
            self.ended.add(name)
            if text not in ("ended 0", "ended 1"):  # 1: by cases that failed
                self.result(False, f"{name} {text}")
        else:
            print(f"# {name}: {text}", flush=True)


def main():
    words = sys.argv[1:]
    tests = [test for test in machine.listed(SUITES)
             if not words or any(word == re.sub("^functional-", "", test["name"]) for word in words)]
    if not tests:
        tap.skip_all(f"{machine.BUILD} has no functional tests")
    results = Results()
    script = "\n".join(machine.command(test, SECONDS, MORE) for test in tests)
    status, text = machine.run(script, prepared(), results.hear, 4 * SECONDS)
    for test in tests:
        name = re.sub("^functional-", "", test["name"])
        if name not in results.ended:
            results.result(False, f"{name} was not run to its end")
    if results.failed and status != 0:
        print("\n".join(f"# {line}" for line in text.splitlines()[-30:]))
    print(f"1..{results.count}", flush=True)
    return 1 if results.failed else 0


if __name__ == "__main__":
    sys.exit(main())
