#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Documentation and the program humpy agree. Arguments: the JSON of --dump-commands, the directory
with what is made of it."""
import json
import os
import re
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "functional"))
import tap                                # noqa: E402
from tap import check_equal, test         # noqa: E402

DUMP, BUILT = (os.path.abspath(name) for name in sys.argv[1:3])
del sys.argv[1:3]
with open(DUMP, encoding="utf-8") as dump_file:
    dump = json.load(dump_file)


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as f:
        return f.read()


def first_cells(text, heading):
    part = text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return {re.match(r"\| `([^`]+)`", line).group(1): line for line in part.splitlines()
            if line.startswith("| `")}


@test("docs/humpy-vm.md has exactly the commands of 'humpy vm'")
def commands():
    check_equal(set(first_cells(read("docs", "humpy-vm.md"), "Commands")),
                {c["name"] for c in dump["commands"] if c["name"].startswith("vm ")})


@test("docs/crosvm.md has each flag with its fate")
def flags():
    cells = first_cells(read("docs", "crosvm.md"), "Flags")
    check_equal(set(cells), {"--" + flag["name"] for flag in dump["crosvm"]})
    for flag in dump["crosvm"]:
        check_equal(f"| {flag['fate']} |" in cells["--" + flag["name"]], True, flag["name"])


@test("the manual names each option and formats without a warning")
def manual():
    with open(os.path.join(BUILT, "humpy.1"), encoding="utf-8") as page:
        text = page.read().replace("\\-", "-")
    for command in dump["commands"]:
        for option in command["options"]:
            check_equal(f"\\fB--{option['name']}\\fR" in text, True, option["name"])
    if not shutil.which("groff"):
        raise tap.Skip("groff is missing")
    done = subprocess.run(["groff", "-man", "-Tutf8", "-K", "utf8", "-ww", "-z",
                           os.path.join(BUILT, "humpy.1")], capture_output=True, text=True,
                          check=False)
    told = [line for line in done.stderr.splitlines()
            if not re.search(r"can(no|')t (break|adjust) line", line)]
    check_equal((done.returncode, told), (0, []))


def complete(*words):
    script = 'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _humpy; ' \
        'printf "%s\\n" "${COMPREPLY[@]}"'
    done = subprocess.run(["bash", "-c", script, os.path.join(BUILT, "humpy"), "humpy", *words],
                          capture_output=True, text=True, check=True)
    check_equal(done.stderr, "")
    return set(done.stdout.split())


@test("bash completes commands, their options and crosvm's flags")
def completion():
    check_equal(complete("v"), {"vm", "version"})
    check_equal(complete("vm", "run"), {"run", "run-linux"})
    check_equal(complete("vm", "run-linux", "--disk", "x", "--sw"), {"--swiotlb"})
    check_equal(complete("crosvm", "run", "--rwd"), {"--rwdisk"})


@test("the completions of zsh and fish name each command")
def other_shells():
    for name in ("_humpy", "humpy.fish"):
        with open(os.path.join(BUILT, name), encoding="utf-8") as script:
            text = script.read()
        for command in dump["commands"]:
            check_equal(command["name"].split()[1] in text, True, f"{command['name']} in {name}")


tap.main()
