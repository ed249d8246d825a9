#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""humpy-export, its manual page and bash's completion agree. Arguments: the JSON of -dump-options,
the page and the completion made from it."""
import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "functional"))
import tap                                # noqa: E402
from tap import check_equal, test         # noqa: E402

DUMP, MANUAL, COMPLETION = (os.path.abspath(name) for name in sys.argv[1:4])
del sys.argv[1:4]
with open(DUMP, encoding="utf-8") as dump_file:
    OPTIONS = ["-" + option["name"] for section in json.load(dump_file)["sections"]
               for option in section["options"]]


@test("the manual has each option, and speaks of exports")
def manual():
    with open(MANUAL, encoding="utf-8") as f:
        page = f.read().replace("\\-", "-")
    check_equal([name for name in OPTIONS if f"\\fB{name}\\fR" not in page], [])
    check_equal("VDUSE" in page and "guest crashed" not in page, True, "what it is about")


@test("bash completes the options")
def completes():
    script = 'source "$0"; COMP_WORDS=(humpy-export -); COMP_CWORD=1; _humpy_export; ' \
        'printf "%s\\n" "${COMPREPLY[@]}"'
    done = subprocess.run(["bash", "-c", script, COMPLETION], capture_output=True, text=True,
                          check=True)
    check_equal(set(OPTIONS) - set(done.stdout.split()), set())


tap.main()
