#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Documentation and the program humpy agree. Arguments: the JSON of --dump-commands, the directory
with what is made of it, the programs."""
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

DUMP, BUILT, *PROGRAMS = (os.path.abspath(name) for name in sys.argv[1:])
del sys.argv[1:]
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


@test("docs/humpy-vm.md has exactly the members of a file")
def members():
    part = read("docs", "humpy-vm.md").split("| Member | Type | Meaning |\n", 1)[1].split("\n\n", 1)[0]
    told = re.findall(r"`(\w+)`", " ".join(line.split("|")[1] for line in part.splitlines()[1:]))
    check_equal(sorted(told), sorted(dump["members"]))


def examples():
    """(page, line) of each line of a code block, those that a backslash continues joined."""
    pages = ["README.md"] + ["docs/" + name for name in sorted(os.listdir(os.path.join(ROOT, "docs")))
                             if name.endswith(".md")]
    for page in pages:
        for line in re.sub(r"\\\n\s+", " ", read(page)).splitlines():
            if line.startswith("    "):
                yield page, line.strip()


@test("examples use commands and options that exist")
def example_words():
    seen = 0
    for page, line in examples():
        found = re.search(r"(?:^|[ /])humpy ((?:vm|crosvm) [a-z-]+)(.*)", line)
        if found is None:
            continue
        seen += 1
        where = f"{page}: {line}"
        command = [c for c in dump["commands"] if c["name"] == found.group(1)]
        check_equal(len(command), 1, where)
        known = command[0]["options"] + (dump["crosvm"] if found.group(1) == "crosvm run" else [])
        names = {"--" + o["name"] for o in known} | {"-" + o["letter"] for o in known if "letter" in o}
        used = re.findall(r" (--?[a-z][a-z-]*)", found.group(2).split(" -- ", 1)[0])
        check_equal([word for word in used if word not in names], [], where)
    check_equal(seen > 10, True)


@test("docs/phone.md's messages are those of the programs")
def messages():
    programs = b"".join(open(name, "rb").read() for name in PROGRAMS)
    text = read("docs", "phone.md")
    told = [line for line in text.splitlines() if line.startswith("| `")]
    check_equal(len(told) > 10, True)
    for line in told:
        quoted = re.findall(r"`([^`]+)`", line.split("|")[1])
        if not quoted[0].startswith(("missing ", "note ")):
            for part in quoted:
                check_equal(part.encode() in programs, True, part)


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
