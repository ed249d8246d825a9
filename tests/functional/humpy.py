# SPDX-License-Identifier: GPL-2.0-or-later
"""The program under test, and the guest that scripts/guest-files makes."""
import fcntl
import os
import pty
import select
import shutil
import signal
import subprocess
import tempfile
import termios
import time

import tap

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.environ.get("HUMPY", os.path.join(ROOT, "build", "system", "humpy-system-aarch64"))
LAUNCH = os.environ.get("HUMPY_LAUNCH", os.path.join(ROOT, "build", "launch", "humpy"))
GUEST_FILES = os.path.join(ROOT, "scripts", "guest-files")
INIT_LINE = "humpy-guest: init reached"
PROMPT = "guest# "
ACCEL = ["-accel", "gunyah,host=model"]
LONGEST = int(os.environ.get("HUMPY_LONGEST", "100"))  # seconds until a test gives up on a guest that hangs


def need_guest(kernel="cloud"):
    """Call before the first test of a file that boots Linux. "generic" has all virtio drivers."""
    os.environ["HUMPY_GUEST_KERNEL"] = kernel
    if os.environ.get("HUMPY_ENGINE") == "no":
        tap.skip_all("this build has no engine for arm64 code (libdynarmic)")
    if subprocess.run([GUEST_FILES], stdout=subprocess.DEVNULL).returncode != 0:
        tap.skip_all("scripts/guest-files cannot prepare a guest")


def no_x86_kvm():
    """Why x86 guests cannot run on this host's KVM, or None."""
    if os.uname().machine != "x86_64":
        return f"this host is {os.uname().machine}: its KVM does not execute x86 code"
    return None if os.access("/dev/kvm", os.R_OK | os.W_OK) else "no /dev/kvm"


def run(args, before=(), **kwargs):
    """Runs the program, below the command before, to its end without a guest; returns the finished
    process, as text."""
    kwargs.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.run([*before, BINARY, *args], capture_output=True, text=True, errors="replace",
                          timeout=LONGEST, check=False, **kwargs)


class Process:
    """A running program whose console is a pseudo terminal (or a pipe, for one way)."""

    def __init__(self, args, terminal=True, binary=BINARY):
        self.seen = ""
        self.errors = tempfile.TemporaryFile()
        self.terminal = terminal
        if terminal:
            self.master, slave = pty.openpty()
            self.slave = slave  # kept open, so that its settings can be looked at afterwards
            self.process = subprocess.Popen([binary, *args], stdin=slave, stdout=slave,
                                            stderr=self.errors, start_new_session=True,
                                            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        else:
            self.process = subprocess.Popen([binary, *args], stdin=subprocess.DEVNULL,
                                            stdout=subprocess.PIPE, stderr=self.errors)
            self.master = self.process.stdout.fileno()
        self.deadline = time.monotonic() + LONGEST

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.errors.close()
        if self.terminal:
            os.close(self.master)
            os.close(self.slave)
        else:
            self.process.stdout.close()

    def stderr(self):
        self.errors.seek(0)
        return self.errors.read().decode("utf-8", "replace")

    def _fail(self, why):
        raise AssertionError(f"{why}; stderr: {self.stderr()!r}; console:\n{self.seen[-3000:]}")

    def _pump(self, seconds):
        """Reads what the console says within seconds; False at its end."""
        ready, _, _ = select.select([self.master], [], [], seconds)
        if not ready:
            return True
        try:
            data = os.read(self.master, 65536)
        except OSError:  # EIO: no process has the terminal open
            return False
        self.seen += data.decode("utf-8", "replace").replace("\r", "")
        return bool(data)

    def expect(self, text, after=0):
        """Waits until the console has said text; the position behind it."""
        while True:
            at = self.seen.find(text, after)
            if at >= 0:
                return at + len(text)
            if self.process.poll() is not None:
                while self._pump(0) and select.select([self.master], [], [], 0)[0]:
                    pass
                if self.seen.find(text, after) < 0:
                    self._fail(f"ended with {self.process.returncode} without saying {text!r}")
                continue
            if time.monotonic() > self.deadline:
                self._fail(f"did not say {text!r}")
            self._pump(0.2)

    def type(self, text):
        os.write(self.master, text.encode())

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self):
        """Exit status; the console is read meanwhile, so that nothing waits for it."""
        while self.process.poll() is None:
            if time.monotonic() > self.deadline:
                self._fail("did not end")
            self._pump(0.05)
        while select.select([self.master], [], [], 0)[0] and self._pump(0):
            pass
        return self.process.returncode


class Guest:
    """A directory with kernel, initramfs and disks for one run."""

    def __init__(self, job=None, append="", smp=1, mem="512M"):
        self.job = job
        self.append = append
        self.smp = smp
        self.mem = mem
        self.dir = None

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix="humpy-functional-")
        subprocess.run([GUEST_FILES, "run", self.dir] + ([self.job] if self.job else []),
                       check=True)
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.dir)

    def path(self, name):
        return os.path.join(self.dir, name)

    def drive(self, name, extra=""):
        return ["-drive", f"if=none,id={name},format=raw,file={self.path(name)}{extra}",
                "-device", f"virtio-blk-device,drive={name}"]

    def args(self, *more, reboot=False, disk_extra="", serial=True):
        words = f"console=ttyAMA0 panic=-1 {self.append}".strip()
        return [*ACCEL, "-machine", "virt", "-smp", str(self.smp), "-m", self.mem,
                *(["-nographic"] if serial else ["-display", "none"]),
                "-kernel", self.path("vmlinuz"), "-initrd", self.path("initrd"),
                "-append", words, *self.drive("job"), *self.drive("disk", disk_extra),
                *([] if reboot else ["-no-reboot"]), *more]

    def run_job(self, *more, **kwargs):
        """Runs to power-off; (exit status of the program, status of the job, console)."""
        with Process(self.args(*more, **kwargs), terminal=False) as process:
            status = process.wait()
            if status != 0:
                raise AssertionError(f"status {status}: {process.stderr()}\n{process.seen[-3000:]}")
            return status, self.job_status(), process.seen

    def job_status(self):
        """What the job left on its disk, or None."""
        done = subprocess.run([GUEST_FILES, "status", self.dir], capture_output=True, text=True,
                              check=False)
        return int(done.stdout) if done.returncode == 0 else None


SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
