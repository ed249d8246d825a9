# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs a guest under Humpy or QEMU and timestamps what its serial console prints."""
import collections
import os
import selectors
import subprocess
import tempfile
import time

SCRIPTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
INIT_LINE = "humpy-guest: init reached"  # printed by scripts/guest/init
APPEND = "console=ttyAMA0 panic=-1"

Files = collections.namedtuple("Files", "kernel initrd dir")


def files(exec_command=None):
    """Kernel and initramfs (running exec_command) in a directory that goes with the result."""
    holder = tempfile.TemporaryDirectory(prefix="humpy-guest-")
    argv = [os.path.join(SCRIPTS, "guest-files"), "run", holder.name]
    subprocess.run(argv + ([exec_command] if exec_command else []), check=True)
    return Files(os.path.join(holder.name, "vmlinuz"), os.path.join(holder.name, "initrd"), holder)



class Run:
    """One process with its console on a pipe; times are seconds since exec."""

    def __init__(self, argv, env=None):
        self.lines = []   # (seconds, text) of each whole line
        self._rest = b""
        self._seen = b""
        self._began = time.monotonic()
        self._proc = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, env={**os.environ, **(env or {})})
        self.pid = self._proc.pid
        self._sel = selectors.DefaultSelector()
        self._sel.register(self._proc.stdout, selectors.EVENT_READ)

    def _pump(self, deadline):
        """Reads once; FALSE at the end of output."""
        left = deadline - time.monotonic()
        if left <= 0 or not self._sel.select(left):
            raise TimeoutError("guest said: " + self._seen[-400:].decode("latin1"))
        data = os.read(self._proc.stdout.fileno(), 65536)
        now = time.monotonic() - self._began
        self._seen += data
        self._rest += data
        *whole, self._rest = self._rest.split(b"\n")
        self.lines += [(now, w.decode("latin1").rstrip("\r")) for w in whole]
        return bool(data)

    def wait_line(self, text, timeout):
        """Seconds until a line that holds text."""
        deadline = time.monotonic() + timeout
        done = 0
        while True:
            for when, line in self.lines[done:]:
                done += 1
                if text in line:
                    return when
            if not self._pump(deadline):
                raise EOFError("guest ended: " + self._seen[-400:].decode("latin1"))

    def wait_byte(self, byte, timeout):
        """Seconds until byte was printed."""
        deadline = time.monotonic() + timeout
        while byte not in self._seen:
            if not self._pump(deadline):
                raise EOFError("guest ended: " + self._seen[-400:].decode("latin1"))
        return time.monotonic() - self._began

    def wait_exit(self, timeout):
        """Exit status; every line is then in self.lines."""
        deadline = time.monotonic() + timeout
        while self._pump(deadline):
            pass
        status = self._proc.wait(timeout=max(0.1, deadline - time.monotonic()))
        self.lines.append((time.monotonic() - self._began, ""))
        return status

    def close(self):
        if self._proc.poll() is None:
            self._proc.kill()
            self._proc.wait()
        self._sel.close()
        self._proc.stdout.close()


def proportional(pid):
    """Bytes of memory of the process, its share of what is shared with others (PSS)."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("Pss:")) * 1024


def resident_beyond_ram(pid):
    """Resident bytes of the process that are not guest RAM (memfd mappings)."""
    total, ram, in_ram = 0, 0, False
    with open(f"/proc/{pid}/smaps") as f:
        for line in f:
            if "-" in line.split(" ", 1)[0]:
                in_ram = "/memfd:" in line
            elif line.startswith("Rss:"):
                size = int(line.split()[1]) * 1024
                total += size
                ram += size if in_ram else 0
    return total - ram
