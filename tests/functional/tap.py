# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests as functions, results as TAP: @test("rule"), then main()."""
import os
import sys
import traceback

_tests = []


class Skip(Exception):
    """Raised by a test that cannot run here; the text says why."""


def test(rule):
    def register(function):
        _tests.append((rule, function))
        return function
    return register


def check_equal(got, expected, what="value"):
    if got != expected:
        raise AssertionError(f"{what} is {got!r}, expected {expected!r}")


def check_in(part, text, what="output"):
    if part not in text:
        raise AssertionError(f"{what} has no {part!r}:\n{text[-2000:]}")


def skip_all(reason):
    print(f"1..0 # SKIP {reason}")
    sys.exit(0)


def main():
    """Runs all tests, or those whose rule holds one of the words given as arguments."""
    words = sys.argv[1:]
    chosen = [t for t in _tests if not words or any(w in t[0] for w in words)]
    failed = 0
    print(f"1..{len(chosen)}", flush=True)
    for number, (rule, function) in enumerate(chosen, 1):
        try:
            function()
            print(f"ok {number} - {rule}", flush=True)
        except Skip as skip:
            print(f"ok {number} - {rule} # SKIP {skip}", flush=True)
        except Exception:  # pylint: disable=broad-except
            failed += 1
            print(f"not ok {number} - {rule}", flush=True)
            for line in traceback.format_exc().splitlines():
                print(f"# {os.fsencode(line).decode('ascii', 'replace')}", flush=True)
    sys.exit(1 if failed else 0)
