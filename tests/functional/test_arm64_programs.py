#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The unit and conformance programs of an arm64 build in the machine of machine_arm64.py: what user
emulation cannot carry runs there as well."""
import os
import sys

import machine_arm64 as machine

SUITES = os.environ.get("HUMPY_ARM64_SUITES", "unit conformance").split()
SECONDS = 1500  # for each program: the machine is an emulated one

if __name__ == "__main__":
    sys.exit(machine.main(SUITES, SECONDS, sys.argv[1:]))
