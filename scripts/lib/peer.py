#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs QEMU 7.2's own qtest programs against Humpy and scores them on fixed counts.

The programs make their lists of tests from what the binary says it has, and end with status 0 when
that is little. So what counts is how many tests of a fixed list passed: a test that is not offered
has failed. Each test runs in a process of its own, because the programs abort at the first failure.
"""
import argparse
import collections
import concurrent.futures
import json
import os
import re
import signal
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
AARCH64, ARM, MODEL = "qemu-system-aarch64", "qemu-system-arm", "model/qemu-system-aarch64"

# count: how many tests there must be at least; each that is listed must pass. paths: which of the
# program's tests are meant.
Group = collections.namedtuple("Group", "name count program binary paths slow timeout",
                               defaults=(".", False, 60))

P9_LOCAL = r"virtio-9p-tests/local/"
GROUPS = [
    Group("virtio-pci", 43, "qos-test", AARCH64, rf"generic-pcihost/(?!.*{P9_LOCAL}).*/virtio-"),
    Group("virtio-mmio", 33, "qos-test", ARM, rf"virt/virtio-mmio/(?!.*{P9_LOCAL})"),
    Group("9p local on pci", 10, "qos-test", AARCH64, P9_LOCAL, True),
    Group("9p local on mmio", 10, "qos-test", ARM, P9_LOCAL, True),
    Group("qmp-test", 4, "qmp-test", AARCH64),
    Group("machine-none", 1, "machine-none-test", AARCH64),
    Group("readconfig", 1, "readconfig-test", AARCH64),
    Group("device-introspect", 5, "device-introspect-test", AARCH64, timeout=300),
    Group("qmp-cmd", None, "qmp-cmd-test", AARCH64),
    Group("numa", 5, "numa-test", AARCH64),
    Group("qom, machine virt", 1, "qom-test", AARCH64, r"/qom/virt", timeout=300),
    Group("qom, machine none", 1, "qom-test", AARCH64, r"/qom/none", timeout=300),
    Group("hmp", 2, "test-hmp", AARCH64, r"/hmp/(virt|none|none\+)", timeout=300),
    # With the arm64 engine in place of the -accel tcg that the program asks for.
    Group("boot-serial, arm64 engine", 1, "boot-serial-test", MODEL, r"/virt$", timeout=400),
]
# With no count above: what Humpy's schema must at least offer.
QMP_CMD_AT_LEAST = 26


class Peer:
    def __init__(self, args, clients, folder):
        self.args = args
        self.clients = os.path.join(clients, "tests", "qtest")
        self.folder = folder
        self.results = []
        os.mkdir(os.path.join(folder, "model"))
        for name in (AARCH64, ARM):
            os.symlink(args.binary, os.path.join(folder, name))
        with open(os.path.join(folder, MODEL), "w") as f:
            f.write("#!/usr/bin/env bash\n"
                    "exec %s \"${@/#tcg/gunyah,host=model}\"\n" % args.binary)
        os.chmod(os.path.join(folder, MODEL), 0o755)

    def run(self, group, arguments):
        """Output of the program, with why it was ended as the last line."""
        env = {**os.environ, "QTEST_QEMU_BINARY": os.path.join(self.folder, group.binary),
               "TMPDIR": self.folder, "G_TEST_SLOW": "1"}
        argv = [os.path.join(self.clients, group.program)] + arguments
        if group.slow:
            argv += ["-m", "slow"]
        proc = subprocess.Popen(argv, env=env, cwd=self.folder, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                errors="replace", start_new_session=True)
        try:
            out, _ = proc.communicate(timeout=group.timeout)
        except subprocess.TimeoutExpired:
            os.killpg(proc.pid, signal.SIGKILL)
            out, _ = proc.communicate()
            out += f"no answer in {group.timeout} s"
        return out

    def one(self, group, path):
        """Passed, and what the program said."""
        out = self.run(group, ["--tap", "-k", "-p", path])
        mine = [line for line in out.splitlines() if re.match(r"(not )?ok \d+ ", line)]
        return bool(mine) and all(line.startswith("ok") for line in mine), out

    def group(self, group):
        listed = [line for line in self.run(group, ["-l"]).splitlines() if line.startswith("/")]
        paths = [p for p in dict.fromkeys(listed) if re.search(group.paths, p)]
        count = max(len(paths), group.count or QMP_CMD_AT_LEAST)
        passed, failed = 0, {}
        with concurrent.futures.ThreadPoolExecutor(self.args.jobs) as pool:
            outcomes = list(pool.map(lambda path: self.one(group, path), paths))
        for path, (ok, out) in zip(paths, outcomes):
            if ok:
                passed += 1
                continue
            said = [line for line in out.splitlines()
                    if not re.match(r"# (random seed|Start of|End of|starting)|1\.\.|.*terminating",
                                    line)]
            failed[path] = said[-6:]
        self.results.append({"group": group.name, "count": count, "offered": len(paths),
                             "passed": min(passed, count), "failed": failed})
        print(f"{group.name:<28} {min(passed, count):3} of {count:3}"
              + (f"  ({len(paths)} offered)" if len(paths) < count else ""), flush=True)
        for path, said in failed.items():
            print(f"    {path}")
            for line in said:
                print(f"        {line[:160]}", flush=True)

    def score(self):
        return (sum(r["passed"] for r in self.results), sum(r["count"] for r in self.results))


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--binary", default=os.path.join(ROOT, "build", "system",
                                                     "humpy-system-aarch64"))
    ap.add_argument("--only", metavar="REGEX", default="", help="groups whose name matches")
    ap.add_argument("--jobs", type=int, default=2, help="tests at a time (default: %(default)s)")
    ap.add_argument("--json", metavar="FILE", help="write the results there, too")
    args = ap.parse_args()
    args.binary = os.path.abspath(args.binary)
    clients = subprocess.run([os.path.join(ROOT, "scripts", "peer-clients")], check=True,
                             stdout=subprocess.PIPE, text=True).stdout.strip()
    with tempfile.TemporaryDirectory(prefix="humpy-peer-") as folder:
        peer = Peer(args, clients, folder)
        for group in GROUPS:
            if re.search(args.only, group.name):
                peer.group(group)
    passed, count = peer.score()
    if args.json:
        with open(args.json, "w") as f:
            json.dump(peer.results, f, indent=1)
            f.write("\n")
    print(f"{passed} of {count}")
    return 0 if passed == count else 1


if __name__ == "__main__":
    sys.exit(main())
