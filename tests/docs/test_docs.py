#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Documentation and program agree, in both directions. Arguments: the JSON of -dump-options, the
manual page and the completions made from it, for bash, zsh and fish."""
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "functional"))
import shells                             # noqa: E402
import tap                                # noqa: E402
from tap import check_equal, test         # noqa: E402

DUMP, MANUAL, BASH, ZSH, FISH = (os.path.abspath(name) for name in sys.argv[1:6])
del sys.argv[1:6]
with open(DUMP, encoding="utf-8") as dump_file:
    dump = json.load(dump_file)
OPTIONS = {}
for section in dump["sections"]:
    for option in section["options"]:
        OPTIONS["-" + option["name"]] = option
        if "alias" in option:
            OPTIONS["-" + option["alias"]] = option
PAGES = sorted(glob.glob(os.path.join(ROOT, "docs", "*.md")))


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as f:
        return f.read()


def first_cells(text, heading):
    """Names in backquotes in the first column of the table below a heading."""
    part = text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    cells = [line.split("|")[1] for line in part.splitlines() if line.startswith("| `")]
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def examples():
    """(page, words) of each example command line; a backslash joins lines."""
    for page in [*PAGES, os.path.join(ROOT, "README.md")]:
        text = read(page).replace("\\\n", " ")
        for line in text.splitlines():
            found = re.match(r"    \S*humpy-system-(?:aarch64|x86_64) (.*)", line)
            if found:
                yield os.path.relpath(page, ROOT), found.group(1).split()


@test("docs/command-line.md has exactly the options that the program has")
def options():
    check_equal(first_cells(read("docs", "command-line.md"), "Options"), set(OPTIONS))


@test("docs/accel-gunyah.md has exactly the properties that the accelerator has")
def accelerators():
    for accel in dump["accelerators"]:
        check_equal(first_cells(read("docs", f"accel-{accel['name']}.md"), "Options"),
                    {prop["name"] for prop in accel["properties"]})


@test("docs/machine-NAME.md tells each property of the machine")
def machines():
    for machine in dump["machines"]:
        page = read("docs", f"machine-{machine['name'].split('-')[0]}.md")
        missing = [p["name"] for p in machine["properties"] if p["name"] + "=" not in page]
        check_equal(missing, [], f"undocumented properties of {machine['name']}")


@test("each device type has a page that names it")
def devices():
    text = "".join(read(page) for page in PAGES)
    missing = [d["name"] for d in dump["devices"] if f"`{d['name']}`" not in text]
    check_equal(missing, [], "undocumented device types")


@test("the manual has each option and property")
def manual():
    page = read(MANUAL).replace("\\-", "-")
    for name in OPTIONS:
        check_equal(f"\\fB{name}\\fR" in page, True, f"{name} in the manual")
    for kind in [*dump["accelerators"], *dump["machines"], *dump["devices"]]:
        for prop in kind["properties"]:
            check_equal(f"\\fB{prop['name']}\\fR=" in page, True, f"{prop['name']} in the manual")


@test("the manual formats without a warning")
def manual_formats():
    if not shutil.which("groff"):
        raise tap.Skip("groff is missing")
    done = subprocess.run(["groff", "-man", "-Tutf8", "-K", "utf8", "-ww", "-z", MANUAL],
                          capture_output=True, text=True, check=False)
    # A line that cannot be filled to the margin is not a mistake of the page.
    told = [line for line in done.stderr.splitlines() if "can't break line" not in line
            and "cannot adjust line" not in line and "cannot break line" not in line]
    check_equal((done.returncode, told), (0, []))


def complete(*words):
    return shells.bash(BASH, dump["program"], *words)


@test("bash completes options, types and their properties")
def bash():
    check_equal(complete(""), set(OPTIONS))
    check_equal(complete("-nographic", "-kern"), {"-kernel"})
    check_equal(complete("-accel", ""), {"help"} | {a["name"] for a in dump["accelerators"]})
    check_equal(complete("--machine", "no"), {"none"})
    check_equal(complete("-device", "virtio-rng-device,max"), {"virtio-rng-device,max-bytes="})
    check_equal(complete("-device", "virtio-rng-device,period", "=", "5,max"), {"5,max-bytes="})
    check_equal(complete("-kernel", os.path.join(ROOT, "LICEN")), {os.path.join(ROOT, "LICENSE")})
    check_equal(complete("-kernel", "a", "-append"), {"-append"})


@test("zsh completes options, types and their properties")
def zsh():
    def offers(*words):
        return shells.zsh(ZSH, dump["program"], *words)
    check_equal(offers(""), set(OPTIONS))
    check_equal(offers("-nographic", "-kern"), {"-kernel"})
    check_equal(offers("-accel", ""), {"help"} | {a["name"] for a in dump["accelerators"]})
    check_equal(offers("--machine", "no"), {"none"})
    check_equal(offers("-device", "virtio-rng-device,period=5,max"), {"max-bytes="})
    check_equal(offers("-kernel", ""), {"FILES"})
    check_equal(offers("-append", ""), set())


@test("fish completes options, types and their properties")
def fish():
    def offers(*words):
        return shells.fish(FISH, dump["program"], *words)
    check_equal(set(OPTIONS) - offers("-"), set())
    check_equal(offers("-nographic", "-kern"), {"-kernel"})
    check_equal(offers("-accel", ""), {"help"} | {a["name"] for a in dump["accelerators"]})
    check_equal(offers("-machine", "no"), {"none"})
    check_equal(offers("-device", "virtio-rng-device,period=5,max"),
                {"virtio-rng-device,period=5,max-bytes="})
    check_equal(offers("-kernel", os.path.join(ROOT, "LICEN")), {os.path.join(ROOT, "LICENSE")})
    check_equal(offers("-append", ""), set())


@test("examples use options that exist")
def example_options():
    found = list(examples())
    check_equal(len(found) > 3, True, "number of examples")
    unknown = [(page, word) for page, words in found for word in words
               if re.match(r"--?[a-zA-Z]", word) and "-" + word.lstrip("-") not in OPTIONS]
    check_equal(unknown, [])


@test("links between pages lead somewhere")
def links():
    broken = []
    for page in [*PAGES, *(os.path.join(ROOT, n) for n in ("README.md", "CHANGELOG.md"))]:
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", read(page)):
            if "://" not in target and \
                    not os.path.exists(os.path.join(os.path.dirname(page), target)):
                broken.append((os.path.relpath(page, ROOT), target))
    check_equal(broken, [])


@test("docs/qmp is what system/qapi/gen.py makes of the schema")
def reference():
    schema = sorted(glob.glob(os.path.join(ROOT, "system", "qapi", "*.json")))
    with tempfile.TemporaryDirectory() as made:
        subprocess.run([sys.executable, os.path.join(ROOT, "system", "qapi", "gen.py"), "docs", made,
                        *schema], check=True)
        names = sorted(os.listdir(made))
        check_equal(sorted(os.listdir(os.path.join(ROOT, "docs", "qmp"))), names, "pages")
        for name in names:
            check_equal(read("docs", "qmp", name), read(made, name), f"docs/qmp/{name}")


@test("README.md leads to each page")
def index():
    readme = read("README.md")
    missing = [os.path.basename(p) for p in PAGES if f"(docs/{os.path.basename(p)})" not in readme]
    check_equal(missing, [])


@test("no page is longer than 150 lines or wider than 120 columns outside tables")
def size():
    for page in PAGES:
        lines = read(page).splitlines()
        check_equal(len(lines) <= 150, True, f"length of {page}")
        wide = [line for line in lines if len(line) > 120 and not line.startswith("|")]
        check_equal(wide, [], f"wide lines of {page}")


tap.main()
