#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""humpy-export, its manual page and completions agree. Arguments: the JSON of -dump-options,
the page and the completions made from it, for bash, zsh and fish."""
import json
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "functional"))
import shells                             # noqa: E402
import tap                                # noqa: E402
from tap import check_equal, test         # noqa: E402

DUMP, MANUAL, BASH, ZSH, FISH = (os.path.abspath(name) for name in sys.argv[1:6])
del sys.argv[1:6]
with open(DUMP, encoding="utf-8") as dump_file:
    OPTIONS = ["-" + option["name"] for section in json.load(dump_file)["sections"]
               for option in section["options"]]


@test("the manual has each option, and speaks of exports")
def manual():
    with open(MANUAL, encoding="utf-8") as f:
        page = f.read().replace("\\-", "-")
    check_equal([name for name in OPTIONS if f"\\fB{name}\\fR" not in page], [])
    check_equal("VDUSE" in page and "guest crashed" not in page, True, "what it is about")


@test("each shell completes the options")
def completes():
    check_equal(set(OPTIONS) - shells.bash(BASH, "humpy-export", "-"), set())
    check_equal(set(OPTIONS) - shells.zsh(ZSH, "humpy-export", "-"), set())
    check_equal(set(OPTIONS) - shells.fish(FISH, "humpy-export", "-"), set())


tap.main()
