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
import shells                             # noqa: E402
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


@test("docs/vm-life.md and the manual have the table of exit statuses")
def exit_status():
    cells = first_cells(read("docs", "vm-life.md"), "Exit status")
    rows = {row["name"]: f"| `{row['name']}` | {row['plain']} | {row['detailed']} | "
            f"{row['meaning']} |" for row in dump["exit-status"]}
    check_equal(cells, rows)
    with open(os.path.join(BUILT, "humpy.1"), encoding="utf-8") as page:
        text = page.read().replace("\\-", "-").split(".SH EXIT STATUS", 1)[1]
    for row in dump["exit-status"]:
        check_equal(f".TP\n{row['detailed']}\n" in text, True, row["name"])


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


def offers(shell, name, *words):
    return shell(os.path.join(BUILT, name), "humpy", *words)


@test("each shell completes commands, their options and crosvm's flags")
def completion():
    for shell, name in ((shells.bash, "humpy"), (shells.zsh, "_humpy"), (shells.fish, "humpy.fish")):
        check_equal(offers(shell, name, "v"), {"vm", "version"}, name)
        check_equal(offers(shell, name, "vm", "run"), {"run", "run-linux"}, name)
        check_equal(offers(shell, name, "vm", "run-linux", "--disk", "x", "--sw"), {"--swiotlb"}, name)
        check_equal(offers(shell, name, "crosvm", "run", "--rwd"), {"--rwdisk"}, name)
        for group in {command["name"].split()[0] for command in dump["commands"]}:
            check_equal(offers(shell, name, group, ""),
                        {c["name"].split()[1] for c in dump["commands"]
                         if c["name"].split()[0] == group}, f"{group} in {name}")


tap.main()
