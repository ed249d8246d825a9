#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs Humpy's tests and counts them.

A suite is a build folder's tests, or a check of its own (a build without warnings, formatting).
Tests that speak TAP are counted one by one, from meson's JSON log; every skip is printed with its
reason. The last line is "N passed, N failed, N skipped"; the exit status is 1 if any failed.
"""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FUZZ_SECONDS = 20  # for each target


class Tests:
    def __init__(self, args):
        self.args = args
        self.passed = 0
        self.failed = []   # names
        self.skipped = []  # (name, reason)
        self.left = None   # reasons and counts, in a suite whose emulator cannot carry all

    # ---- counting ----

    def say(self, text):
        print(text, flush=True)

    def ok(self, name):
        self.passed += 1

    def fail(self, name, why=""):
        self.failed.append(name)
        self.say(f"FAILED {name}{': ' + why if why else ''}")

    def skip(self, name, reason):
        if self.left is not None:
            self.left[reason] = self.left.get(reason, 0) + 1
            return
        self.skipped.append((name, reason))
        self.say(f"skipped {name}: {reason}")

    def run(self, name, argv, env=None):
        """One check: a command that succeeds. Its output appears when it does not."""
        out = subprocess.run(argv, cwd=ROOT, env={**os.environ, **(env or {})},
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, errors="replace")
        if out.returncode == 0:
            self.ok(name)
            return True
        self.say("\n".join(out.stdout.splitlines()[-60:]))
        self.fail(name, f"status {out.returncode}")
        return False

    # ---- builds and their tests ----

    def build(self, name, options=(), env=None, targets=(), suites=()):
        """Sets up and builds folder NAME with warnings as errors, all of it unless targets are
        named, or suites whose tests need some; its path, or None."""
        path = os.path.join(self.args.build, name)
        if not os.path.exists(os.path.join(path, "build.ninja")):
            shutil.rmtree(path, ignore_errors=True)
            if not self.run(f"{name}: meson setup",
                            ["meson", "setup", path, "-Dwerror=true", *options], env):
                return None
        if suites:
            # What is known of the tests may be older than the tree.
            if not self.run(f"{name}: is configured", ["ninja", "-C", path, "build.ninja"], env):
                return None
            targets = [*targets, *self.needed(path, suites)]
        if not self.run(f"{name}: builds without warnings", ["ninja", "-C", path, *targets], env):
            return None
        return path

    def needed(self, path, suites):
        """The targets of build folder PATH that the tests of these suites depend on."""
        asked = [json.loads(subprocess.run(["meson", "introspect", what, path], check=True,
                                           capture_output=True, text=True).stdout)
                 for what in ("--targets", "--tests")]
        files = {target["id"]: target["filename"] for target in asked[0]}
        return sorted({os.path.relpath(file, path) for test in asked[1]
                       if {word.split(":")[-1] for word in test["suite"]} & set(suites)
                       for target in test["depends"] for file in files[target]})

    def meson_tests(self, path, suites, label="", env=None, wrapper_factor=1):
        """Runs the suites that the build folder has, and counts their tests."""
        listed = json.loads(subprocess.run(["meson", "introspect", "--tests", path],
                                           check=True, capture_output=True, text=True).stdout)
        have = {s.split(":")[-1] for test in listed for s in test["suite"]}
        wanted = [s for s in suites if s in have]
        if not wanted:
            self.skip(f"{label}{', '.join(suites)}", "no such tests in this build")
            return
        argv = ["meson", "test", "-C", path, "--no-rebuild", "--timeout-multiplier",
                str(wrapper_factor)]
        for suite in wanted:
            argv += ["--suite", suite]
        log = os.path.join(path, "meson-logs", "testlog.json")
        if os.path.exists(log):
            os.unlink(log)
        status = subprocess.run(argv, env={**os.environ, **(env or {})}, cwd=ROOT,
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL).returncode
        before = len(self.failed)
        if os.path.exists(log):
            with open(log, errors="replace") as f:
                for line in f:
                    self.count(label, json.loads(line))
        if status != 0 and len(self.failed) == before:
            self.fail(f"{label}meson test", f"status {status}")

    def count(self, label, test):
        name = label + test["name"].split(" / ")[-1]
        counted, failures = 0, len(self.failed)
        for line in test.get("stdout", "").splitlines():
            found = re.match(r"(not )?ok\b\s*\d*\s*-?\s*(.*?)(?:\s*#\s*(SKIP|TODO)\b\s*(.*))?$",
                             line, re.IGNORECASE)
            if not found:
                continue
            counted += 1
            case = f"{name} {found.group(2)}".strip()
            if (found.group(3) or "").upper() == "SKIP":
                self.skip(case, found.group(4) or "no reason given")
            elif found.group(1) and (found.group(3) or "").upper() == "TODO":
                self.skip(case, f"known to fail: {found.group(4)}")
            elif found.group(1):
                self.fail(case)
            else:
                self.ok(case)
        if test["result"] in ("FAIL", "ERROR", "TIMEOUT", "INTERRUPT"):
            if len(self.failed) == failures:
                self.fail(name, test["result"].lower())
            for key in ("stdout", "stderr"):
                text = [line for line in test.get(key, "").splitlines()
                        if not re.match(r"ok\b|# (Start|End) of", line)]
                if len(text) > 80:  # the cause comes first, what led to it last
                    text[20:-60] = [f"# ... {len(text) - 80} lines more ..."]
                self.say("\n".join(text))
        elif counted == 0:
            if test["result"] == "SKIP":
                said = re.search(r"^1\.\.0\s*#\s*SKIP\b\s*(.+)", test.get("stdout", ""), re.M)
                self.skip(name, said.group(1) if said else "no reason given")
            else:
                self.ok(name)

    def tap(self, name, argv):
        """Runs a program that speaks TAP and counts its tests."""
        done = subprocess.run(argv, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              text=True, errors="replace")
        self.count("", {"name": name, "stdout": done.stdout,
                        "result": "OK" if done.returncode == 0 else "FAIL"})

    # ---- suites ----

    def gcc(self):
        if not hasattr(self, "gcc_path"):
            self.gcc_path = self.build("gcc")
        return self.gcc_path

    def gcc_suite(self, *suites):
        path = self.gcc()
        if path:
            self.meson_tests(path, suites)

    def suite_unit(self):
        self.gcc_suite("unit")

    def suite_qtest(self):
        self.gcc_suite("qtest", "soak")

    def suite_conformance(self):
        self.gcc_suite("conformance")

    def suite_engine(self):
        self.gcc_suite("engine", *([] if self.args.quick else ["engine-full"]))

    def suite_payload(self):
        """Bare-metal x86 guests under each accelerator."""
        self.gcc_suite("payload")

    def suite_nested(self):
        """Stock x86 guests under KVM and ACRN, in a machine that QEMU emulates."""
        self.gcc_suite("nested")

    def suite_xen_real(self):
        """Debian's Xen, and Humpy in its dom0 with devices for a guest."""
        self.gcc_suite("xen-real")

    def suite_vduse_real(self):
        """Exports attached to a real kernel, in a machine that QEMU emulates."""
        self.gcc_suite("vduse-real")

    def suite_pool_kernel(self):
        """Protected guests of a kernel that has restricted DMA pools."""
        script = os.path.join(ROOT, "scripts", "pool-kernel")
        if self.run("scripts/pool-kernel builds the kernel", [script]):
            os.environ["HUMPY_POOL_KERNEL"] = subprocess.run(
                [script], check=True, capture_output=True, text=True).stdout.strip()
            self.gcc_suite("pool-kernel")

    def suite_docs(self):
        self.gcc_suite("docs")

    def suite_functional(self):
        path = self.gcc()
        if not path:
            return
        if not self.run("scripts/guest-files prepares a guest",
                        [os.path.join(ROOT, "scripts", "guest-files")]):
            return
        self.meson_tests(path, ["smoke"] if self.args.quick else ["smoke", "functional"])

    def suite_clang(self):
        self.build("clang", env={"CC": "clang", "CXX": "clang++"})

    def sysroot(self, *options):
        """What scripts/sysroot prints, or None."""
        done = subprocess.run([os.path.join(ROOT, "scripts", "sysroot"), *options], cwd=ROOT,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        name = " ".join(["scripts/sysroot", *options])
        if done.returncode != 0:
            self.fail(name, f"status {done.returncode}")
            return None
        self.ok(name)
        return done.stdout.strip()

    def arm64(self, *suites):
        """The arm64 build, as far as these suites need it."""
        cross = self.sysroot()
        return cross and self.build("arm64", ["--cross-file", cross, "-Dauto_features=enabled",
                                              "-Dengine_a64=disabled"], suites=suites)

    def arm64_suite(self, *suites, builds=None, factor=1):
        """builds: suites whose programs they need, too; (): all there is to build."""
        path = self.arm64(*(suites if builds is None else builds))
        if path:
            self.meson_tests(path, suites, "arm64: ", None, factor)

    def suite_cross(self):
        """The arm64 build's unit and conformance tests, as far as qemu-aarch64 carries them."""
        self.left = {}
        try:
            self.arm64_suite("unit", "conformance", factor=5)
            for reason, count in self.left.items():
                self.say(f"not below qemu-aarch64: {count} tests ({reason})")
        finally:
            self.left = None

    def suite_cross_full(self):
        """What else of its tests qemu-aarch64 carries; all of it builds without warnings."""
        self.arm64_suite("qtest", "soak", builds=(), factor=10)

    def suite_nested_arm64(self):
        """Payloads and stock arm64 guests on KVM, in a machine with EL2 that QEMU emulates."""
        self.arm64_suite("nested-arm64")

    def suite_arm64_programs(self):
        """The arm64 build's unit and conformance programs in that machine."""
        self.arm64_suite("arm64-programs", builds=("unit", "conformance", "arm64-programs"))

    def suite_arm64_functional(self):
        """Its functional tests there: the models run their guests on the machine's KVM."""
        self.arm64_suite("arm64-functional", builds=())

    def suite_static(self):
        """Programs for arm64 that need no library."""
        cross = self.sysroot("--static")
        path = cross and self.build("arm64-static", ["--cross-file", cross, "-Dstatic=true"],
                                    targets=["launch/humpy", "system/humpy-system-aarch64"])
        if path:
            self.meson_tests(path, ["static"], "arm64-static: ")

    def suite_packages(self):
        """scripts/package, twice: what it makes, and that it makes the same again."""
        folders = [os.path.join(self.args.build, name) for name in ("packages", "packages-again")]
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
            if not self.run(f"scripts/package to {os.path.basename(folder)}",
                            [os.path.join(ROOT, "scripts", "package"), "--output", folder]):
                return
            # What a build leaves behind must not matter.
            shutil.rmtree(os.path.join(ROOT, "build-package"), ignore_errors=True)
        self.run("the same packages are made again", ["diff", "-r", *folders])
        self.tap("packages", [sys.executable,
                              os.path.join(ROOT, "tests", "functional", "test_packages.py"),
                              folders[0], self.sysroot("--root")])

    def suite_format(self):
        files = sorted(os.path.join(folder, name)
                       for top in sorted(os.listdir(ROOT)) if not top.startswith((".", "build"))
                       for folder, _, names in os.walk(os.path.join(ROOT, top))
                       for name in names if name.endswith((".c", ".h", ".cc")))
        self.run("clang-format leaves every file as it is",
                 ["clang-format", "--dry-run", "-Werror", *files])

    def suite_scripts(self):
        for name in ("boot-linux", "guest-files", "nested", "package", "peer-clients", "pool-kernel",
                     "debian-disk", "sysroot", "test", "vduse", "xen", "lib/apt.sh", "lib/closure.sh",
                     "guest/init", "lib/initrd.sh", "dom0/domu", "dom0/toolstack", "lib/steps.sh"):
            self.run(f"scripts/{name} is valid shell",
                     ["bash", "-n", os.path.join(ROOT, "scripts", name)])
        path = os.path.join(ROOT, "scripts", "guest-files")
        self.run("scripts/guest-files --help", [path, "--help"])
        self.run("scripts/boot-linux --help",
                 [os.path.join(ROOT, "scripts", "boot-linux"), "--help"])

    ASAN = ("asan", ["-Db_sanitize=address,undefined", "-Db_lundef=false"],
            {"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=1:detect_stack_use_after_return=1",
             "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1", "G_SLICE": "always-malloc"})
    # GLib's own allocator orders threads by locks that the sanitizer does not see.
    TSAN = ("tsan", ["-Db_sanitize=thread", "-Db_lundef=false"],
            {"TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1:suppressions=" +
             os.path.join(ROOT, "scripts", "lib", "tsan.supp"),
             "G_SLICE": "always-malloc"})

    def sanitized(self, sanitizer, factor):
        name, options, env = sanitizer
        path = self.build(name, options)
        if path:
            self.meson_tests(path, ["unit", "conformance", "engine", "soak"], name + ": ", env,
                             factor)

    def suite_asan(self):
        self.sanitized(self.ASAN, 4)

    def suite_tsan(self):
        self.sanitized(self.TSAN, 6)

    def suite_soak(self):
        """Disks, cards and a console kept busy under both sanitizers at the same time."""
        running = []
        for name, options, env in (self.ASAN, self.TSAN):
            path = self.build(name, options)
            if path:
                env = {**os.environ, **env,
                       "HUMPY": os.path.join(path, "system", "humpy-system-aarch64")}
                argv = [os.path.join(path, "tests", "qtest", "soak"), "--seconds",
                        str(round(self.args.minutes * 60))]
                running.append((name, subprocess.Popen(
                    argv, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT, text=True, errors="replace")))
        for name, process in running:
            output = process.communicate()[0]
            self.say("\n".join(f"{name}: {line}" for line in output.splitlines()[-60:]))
            if process.returncode == 0:
                self.ok(f"soak: {name}")
            else:
                self.fail(f"soak: {name}", f"status {process.returncode}")

    def suite_launch_crash(self):
        """500 launches that are killed, and as many good ones; a few are in functional."""
        path = self.gcc()
        if path:
            out = subprocess.run(
                [sys.executable, os.path.join(ROOT, "tests", "functional", "test_launch_crash.py")],
                env={"HUMPY_CRASH_LAUNCHES": "500", **os.environ,
                     "HUMPY": os.path.join(path, "system", "humpy-system-aarch64"),
                     "HUMPY_LAUNCH": os.path.join(path, "launch", "humpy")},
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)  # progress is on stderr
            self.say(out.stdout)
            self.count("", {"name": "launch-crash", "stdout": out.stdout,
                            "result": "OK" if out.returncode == 0 else "FAIL"})

    def suite_fuzz(self):
        path = self.build("fuzz", ["-Dfuzz=true", "-Db_sanitize=address,undefined",
                                   "-Db_lundef=false"], {"CC": "clang", "CXX": "clang++"})
        if not path:
            return
        folder = os.path.join(path, "tests", "fuzz")
        targets = sorted(n for n in (os.listdir(folder) if os.path.isdir(folder) else ())
                         if n.startswith("fuzz-") and not n.endswith(".p"))
        if not targets:
            self.skip("fuzz", "no targets in this build")
        seeds = os.path.join(path, "seeds")
        if not self.run("fuzz: seeds", [os.path.join(ROOT, "tests", "fuzz", "seeds.py"), seeds]):
            return
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(lambda name: self.run(
                f"{name} for {FUZZ_SECONDS} s",
                [os.path.join(folder, name), *filter(os.path.isdir, [os.path.join(seeds, name)]),
                 f"-max_total_time={FUZZ_SECONDS}",
                 "-timeout=10", "-rss_limit_mb=2048", "-verbosity=0",
                 f"-artifact_prefix={folder}/"]), targets))

    def suite_peer(self):
        """QEMU's own qtest programs, on fixed counts; each test that is not passed is a failure."""
        path = self.gcc()
        if not path:
            return
        results = os.path.join(path, "peer.json")
        if os.path.exists(results):
            os.unlink(results)
        subprocess.run([os.path.join(ROOT, "scripts", "lib", "peer.py"), "--json", results,
                        "--binary", os.path.join(path, "system", "humpy-system-aarch64")],
                       cwd=ROOT, stdin=subprocess.DEVNULL)
        if not os.path.exists(results):
            self.fail("peer: the programs could not be built")
            return
        with open(results) as f:
            for group in json.load(f):
                self.passed += group["passed"]
                for missing in range(group["count"] - group["passed"]):
                    self.fail(f"peer: {group['group']} {missing + 1}",
                              "see the list of the group above")

    # In this order; the cheap ones first, those of --quick marked.
    SUITES = (("format", True), ("scripts", True), ("unit", True), ("qtest", True),
              ("conformance", True),
              ("engine", True), ("payload", True), ("docs", True), ("functional", True), ("peer", False),
              ("nested", False), ("xen-real", False), ("vduse-real", False),
              ("cross", False), ("nested-arm64", False),
              ("clang", False), ("asan", False), ("tsan", False), ("fuzz", False))
    # not part of a run without --suite
    ON_REQUEST = ("soak", "launch-crash", "pool-kernel", "cross-full", "static", "packages",
                  "arm64-programs", "arm64-functional")

    def main(self):
        names = self.args.suite or [n for n, quick in self.SUITES if quick or not self.args.quick]
        began = time.monotonic()
        for i, name in enumerate(names):
            since = time.monotonic()
            self.say(f"[{i + 1}/{len(names)}] {name}")
            before = (self.passed, len(self.failed), len(self.skipped))
            try:
                getattr(self, "suite_" + name.replace("-", "_"))()
            except Exception as error:  # a suite that cannot be run has failed
                self.fail(name, repr(error))
            after = (self.passed, len(self.failed), len(self.skipped))
            counts = tuple(a - b for a, b in zip(after, before))
            self.say(f"[{i + 1}/{len(names)}] {name}: %d passed, %d failed, %d skipped, %d s" %
                     (*counts, time.monotonic() - since))
        if self.failed:
            self.say("failed:\n  " + "\n  ".join(self.failed))
        if self.skipped:
            self.say("skipped:\n  " + "\n  ".join(f"{n}: {r}" for n, r in self.skipped))
        self.say(f"in {time.monotonic() - began:.0f} s")
        self.say(f"{self.passed} passed, {len(self.failed)} failed, {len(self.skipped)} skipped")
        return 1 if self.failed else 0


def main():
    names = [name for name, _ in Tests.SUITES] + list(Tests.ON_REQUEST)
    ap = argparse.ArgumentParser(prog="test", description=__doc__.splitlines()[0])
    ap.add_argument("--quick", action="store_true",
                    help="a few minutes: " + ", ".join(n for n, quick in Tests.SUITES if quick))
    ap.add_argument("--suite", action="append", metavar="NAME", choices=names,
                    help="only this suite (repeatable): " + ", ".join(names))
    ap.add_argument("--minutes", type=float, default=10, metavar="N",
                    help="how long the suite soak takes (default: %(default)s)")
    ap.add_argument("--list", action="store_true", help="list the suites and end")
    ap.add_argument("--build", default=os.path.join(ROOT, "build-test"), metavar="DIR",
                    help="folder for the builds (default: build-test)")
    ap.add_argument("--no-install", action="store_true",
                    help="do not look for missing packages")
    args = ap.parse_args()
    if args.list:
        print("\n".join(names))
        return 0
    return Tests(args).main()


if __name__ == "__main__":
    sys.exit(main())
