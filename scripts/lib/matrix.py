#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes docs/device-matrix.json and .md: which behaviour of which device is tested on which
transport, as the test program's own table (test-virtio --matrix) says. With --check: compares."""
import argparse
import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
JSON = os.path.join(ROOT, "docs", "device-matrix.json")
PAGE = os.path.join(ROOT, "docs", "device-matrix.md")


def page(matrix):
    names = list(matrix["behaviours"])
    out = ["# Devices and tested behaviours", "",
           "Made by `scripts/lib/matrix.py build/tests/qtest/test-virtio` from the list in",
           "`tests/qtest/test-virtio.c`; [device-matrix.json](device-matrix.json) is the same for "
           "programs.", "", "    meson test -C build qtest-virtio", "", "| Behaviour | What is tested |",
           "|---|---|"]
    out += [f"| {name} | {text} |" for name, text in matrix["behaviours"].items()]
    out += ["", "| Device | Transport | " + " | ".join(names) + " |",
            "|---|---|" + "---|" * len(names)]
    for device, transports in matrix["devices"].items():
        for transport, tested in transports.items():
            marks = ["x" if name in tested else "-" for name in names]
            out.append(f"| {device} | {transport} | " + " | ".join(marks) + " |")
    out += ["", "`-`: the transport has no such thing: feature negotiation that can be refused and",
            "DEVICE_NEEDS_RESET came with virtio 1.0, packed rings with 1.1, and only PCI has hot plug.",
            ""]
    return "\n".join(out)


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("program", help="test-virtio")
    ap.add_argument("--check", action="store_true", help="fail if the files are not what they would be")
    args = ap.parse_args()
    text = subprocess.run([args.program, "--matrix"], check=True, stdout=subprocess.PIPE,
                          text=True).stdout
    wanted = {JSON: text, PAGE: page(json.loads(text))}
    for path, content in wanted.items():
        if not args.check:
            with open(path, "w") as f:
                f.write(content)
            continue
        with open(path) as f:
            if f.read() != content:
                print(f"{os.path.relpath(path, ROOT)} is not what the tests do; run "
                      f"scripts/lib/matrix.py {args.program}")
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
