#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""How VMs end, reboot and log, with guests that are scripts: no kernel is executed."""
import fcntl
import json
import os
import shutil
import subprocess
from unittest import mock

import humpy
import tap
from qmp import Qmp
from scratch import Scratch, arm64_image
from tap import check_equal, check_in, test

SCRATCH = Scratch("vm-life")
WORK, path, write = SCRATCH.dir, SCRATCH.path, SCRATCH.write
os.environ["HUMPY_RUNTIME_DIR"] = os.path.join(WORK, "run")
UART, PANIC, STALL = 0x09000000, 0x0C000000, 0x0C001000


KERNEL = write("kernel", arm64_image())


def env(script, knobs=""):
    return {**os.environ, "HUMPY_ENGINE_SCRIPT": script,
            "HUMPY_MODEL_GUNYAH": f"engine=script{knobs}"}


def system(script, *args, knobs="", **kwargs):
    """The program with a guest that does what script says."""
    return humpy.run([*humpy.ACCEL, "-machine", "virt", "-display", "none", "-kernel", KERNEL,
                      *args], env=env(script, knobs), **kwargs)


def launch(script, *args, knobs="", accel="gunyah,host=model", **kwargs):
    return subprocess.run([humpy.LAUNCH, "vm", "run-linux", KERNEL, "--accel", accel, "--console",
                           "none", *args], env=env(script, knobs), capture_output=True, text=True,
                          check=False, stdin=subprocess.DEVNULL, timeout=humpy.LONGEST, **kwargs)


def say(text):
    """Script steps that write text to the console."""
    return ";".join(f"w1 {UART:#x} {ord(c):#x}" for c in text)


ENDS = [("poweroff", "off", "", 0, 0),
        ("reset", "reset", "", 0, 32),
        ("crash", "off", ",end=crash", 1, 33),
        ("panic", f"w1 {PANIC:#x} 1", "", 0, 34),
        ("watchdog", "off", ",end=watchdog", 0, 36),
        ("watchdog", f"w4 {STALL + 4:#x} 1; w4 {STALL:#x} 1; spin", "", 0, 36),
        ("load", "off", ",fail=init:4", 1, 37),
        ("load", "off", ",end=load", 1, 37),
        ("hypervisor", "error", "", 1, 38),
        ("hypervisor", "off", ",run-error=busy", 1, 38),
        ("hypervisor", "off", ",end=abort", 1, 38),
        ("stopped", "off", ",end=stopped", 1, 39)]


@test("each kind of end has its exit status, plain and detailed")
def exit_status():
    for name, script, knobs, plain, detailed in ENDS:
        args = ["-no-reboot", "-device", "pvpanic-mmio", "-device", "vcpu-stall-detector"]
        check_equal(system(script, *args, knobs=knobs).returncode, plain, f"plain {name}")
        done = system(script, *args, "-exit-status", "detailed", knobs=knobs)
        check_equal(done.returncode, detailed, f"detailed {name}: {done.stderr}")
        done = launch(script, "--no-reboot", "--watchdog", knobs=knobs)
        check_equal(done.returncode, detailed, f"vm {name}: {done.stderr}")


@test("a refused START says which step of the kernel's log it was, in the background as well")
def step():
    done = launch("off", "--background", knobs=",fail=configure:4")
    check_equal(done.returncode, 37, done.stderr)
    check_in("START: Invalid argument", done.stderr)
    check_in("the kernel log says 'Failed to configure VM: -22'", done.stderr)


@test("a wrong command line is status 2 of humpy, a missing file 1")
def errors():
    check_equal(launch("off", "--nonsense").returncode, 2)
    check_equal(launch("off", "--disk", path("none")).returncode, 1)
    check_equal(system("off", "-exit-status", "ful").returncode, 1)


@test("who comes second to a console is told to wait, and gets it")
def second_console():
    def console():
        return subprocess.Popen([humpy.LAUNCH, "vm", "console", "shared"], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def at_it():
        done = subprocess.run([humpy.LAUNCH, "vm", "info", "shared", "--json"], capture_output=True,
                              text=True, check=True)
        return [c["filename"].startswith("unix:") for c in json.loads(done.stdout)["chardev"]
                if c["label"] == "socket"] == [True]
    check_equal(launch("spin", "--name", "shared", "--background").returncode, 0)
    try:
        with console() as first:
            while not at_it():
                pass
            with console() as second:
                check_equal(second.stderr.readline(), b"humpy: somebody else is at this console; it comes "
                                                      b"here when they leave\n")
                first.kill()
                check_equal(first.communicate()[1], b"")
                while not at_it():
                    pass
                second.kill()
        while at_it():
            pass
    finally:
        check_equal(subprocess.run([humpy.LAUNCH, "vm", "stop", "-f", "shared"], check=False).returncode, 0)


class Rebooting(Qmp):
    """The program with a guest that resets as soon as it runs, on a driver that takes VMs down late."""

    def __init__(self, *more, accel="", knobs=""):
        os.environ.update(env("reset", ",capacity=1" + knobs))
        super().__init__("-accel", "gunyah,host=model" + accel, "-machine", "virt", "-kernel", KERNEL,
                         "-S", *more)
        del os.environ["HUMPY_ENGINE_SCRIPT"], os.environ["HUMPY_MODEL_GUNYAH"]
        self.client.execute("cont")


@test("a reboot waits until the driver has taken the VM before down")
def reboot():
    for knobs in (",teardown-ms=200", ",teardown-ms=200,capacity-code=5",
                  ",teardown-ms=200,memlock=200M"):
        with Rebooting(knobs=knobs) as vm:
            for _ in range(3):
                vm.client.event("RESET")
            vm.client.execute("quit")
            check_equal((vm.wait(), vm.stderr()), (0, ""), knobs)


@test("a reboot keeps to what protected=auto came to")
def auto_reboot():
    for policy, lines in (("any", 0), ("lend", 1)):
        with Rebooting("-m", "128M", accel=",protected=auto,swiotlb-size=8M,dma-window=pool",
                       knobs=f",teardown-ms=300,policy={policy}") as vm:
            for _ in range(3):
                vm.client.event("RESET")
            vm.client.execute("quit")
            status = vm.wait()
            said = [line for line in vm.stderr().splitlines() if "no restricted DMA" not in line]
            check_equal((status, len(said)), (0, lines), said)


@test("a reboot that waits long says so; a signal ends the wait")
def long_wait():
    with Rebooting(knobs=",teardown-ms=60000") as vm:
        while "still being taken down" not in vm.stderr():
            check_equal(vm.process.poll(), None, vm.stderr())
        vm.process.terminate()
        check_equal(vm.wait(), 0, vm.stderr())


@test("a reboot does not wait for ever")
def bounded_wait():
    with Rebooting("-exit-status", "detailed", accel=",relaunch-timeout=1",
                   knobs=",teardown-ms=60000") as vm:
        check_equal(vm.wait(), 37)
        check_in("START: No such device", vm.stderr())


def node(name="gunyah"):
    """What the model gives to another process that opens its node."""
    fd = os.memfd_create(name, os.MFD_ALLOW_SEALING)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL)
    return fd


@test("without privileges a VM runs and reboots on a node that somebody else has opened")
def unprivileged():
    if os.geteuid() != 0:
        raise tap.Skip("only root can become somebody else")
    runtime, nobody = path("nobody"), 65534
    os.mkdir(runtime)
    os.chown(runtime, nobody, nobody)
    os.chmod(WORK, 0o755)
    fd = node()
    os.environ["HUMPY_RUNTIME_DIR"] = runtime
    try:
        done = launch("off", accel=f"gunyah,fd={fd}", pass_fds=[fd], user=nobody, group=nobody,
                      extra_groups=[])
        check_equal((done.returncode, done.stderr), (0, ""))
    finally:
        os.environ["HUMPY_RUNTIME_DIR"] = path("run")
        os.close(fd)
    fd = node()
    os.set_inheritable(fd, True)
    real_popen = subprocess.Popen
    with mock.patch("subprocess.Popen", lambda *a, **k: real_popen(*a, pass_fds=[fd], **k)):
        vm = Rebooting(accel=f",fd={fd}")
    with vm:
        for _ in range(2):
            vm.client.event("RESET")
        vm.client.execute("quit")
        check_equal((vm.wait(), vm.stderr()), (0, ""))
    os.close(fd)


@test("a descriptor that is not Gunyah's node is refused with what it is")
def wrong_node():
    for opened, host, message in [
            (lambda: os.open("/dev/null", os.O_RDWR), "kernel",
             "descriptor {} is not Gunyah's node: it does not answer as that does"),
            (lambda: os.open("/dev/null", os.O_RDONLY), "kernel",
             "descriptor {} ('/dev/null') is not open for reading and writing"),
            (lambda: os.open(KERNEL, os.O_RDWR), "kernel",
             "descriptor {} ('" + KERNEL + "') is a file, not a device node"),
            (lambda: node("other"), "auto", "descriptor {} ('/memfd:other (deleted)') is not what "
             "the userspace model gives for its node"),
            (lambda: os.open("/dev/kvm", os.O_RDWR), "auto",
             "descriptor {} is KVM's node, not Gunyah's")]:
        try:
            fd = opened()
        except OSError:
            continue  # this host has no /dev/kvm
        done = launch("off", accel=f"gunyah,host={host},fd={fd}", pass_fds=[fd])
        os.close(fd)
        check_equal((done.returncode, done.stderr.count("\n")), (1, 1), done.stderr)
        check_in(message.format(fd), done.stderr)
    done = launch("off", accel="gunyah,fd=99")
    check_in("descriptor 99: Bad file descriptor", done.stderr)
    done = launch("off", accel="gunyah,fd=x")
    check_in("fd is 'x' but must be the number of a descriptor", done.stderr)


def threads(vm):
    """Status of each vCPU thread, by the kernel's names."""
    all_threads = []
    for cpu in vm.client.execute("query-cpus-fast"):
        with open(f"/proc/{vm.process.pid}/task/{cpu['thread-id']}/status", encoding="utf-8") as f:
            all_threads.append(dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line))
    return all_threads


def waiting(*more):
    os.environ.update(env("wfi"))
    try:
        return Qmp("-accel", "gunyah,host=model", "-machine", "virt", "-kernel", KERNEL, *more)
    finally:
        del os.environ["HUMPY_ENGINE_SCRIPT"], os.environ["HUMPY_MODEL_GUNYAH"]


@test("vCPU threads run on the CPUs that were named")
def affinity():
    cpus = sorted(os.sched_getaffinity(0))
    first, last = cpus[0], cpus[-1]
    with waiting("-smp", "2", "-vcpu-sched", f"affinity={first},affinity.1={last}") as vm:
        vm.client.execute("query-status")
        check_equal([t["Cpus_allowed_list"] for t in threads(vm)], [str(first), str(last)])
    for text, message in [
            ("affinity=1000", "affinity=1000 of vCPU 0 (none of these CPUs is online"),
            ("affinity.1=0", "affinity.1: the VM has vCPUs 0 to 0"),
            ("affinity=a", "affinity is 'a' but must be CPUs of the host such as 0-3:6"),
            ("uclamp-min=2000", "uclamp-min is '2000' but must be 0 to 1024"),
            ("uclamp-min=9,uclamp-max=8", "uclamp-min is 9, above uclamp-max, 8"),
            ("core=on", "core 'on' is not known")]:
        done = system("off", "-vcpu-sched", text)
        check_equal((done.returncode, done.stderr.count("\n")), (1, 1), done.stderr)
        check_in(f"-vcpu-sched {text}: {message}", done.stderr)


@test("utilization clamps and core scheduling are set, or the kernel's refusal is said")
def clamps():
    for text, option in [("uclamp-min=100,uclamp-max=200", "CONFIG_UCLAMP_TASK"),
                         ("core=vcpu", "CONFIG_SCHED_CORE"), ("core=vm", "CONFIG_SCHED_CORE")]:
        done = system("off", "-vcpu-sched", text)
        if done.returncode == 0:
            check_equal(done.stderr, "")
        else:
            check_in(f"this kernel was built without {option}", done.stderr)


@test("memory comes from a file or a directory, all at once if that is asked for")
def memory_path():
    for args in (["-mem-path", path("ram")], ["-mem-path", WORK, "-mem-prealloc"],
                 ["-mem-prealloc"]):
        done = system("off", "-m", "64M", *args)
        check_equal((done.returncode, done.stderr), (0, ""), args)
    check_equal(os.path.getsize(path("ram")), 64 << 20)
    os.unlink(path("ram"))
    done = system("off", "-mem-path", path("none/x"))
    check_equal(done.returncode, 1)
    check_in("-mem-path: mem-path: cannot open", done.stderr)


@test("a log is put aside when it is full; no byte is lost or out of order")
def rotation():
    text = "".join(f"line {n:04}\n" for n in range(300))
    log = path("console.log")
    done = launch(say(text) + ";off", "--log", log, "--log-size", "1K", "--log-count", "2")
    check_equal((done.returncode, done.stderr), (0, ""))
    check_equal(sorted(name for name in os.listdir(WORK) if name.startswith("console.log")),
                ["console.log", "console.log.1", "console.log.2"])
    parts = [open(log + end, encoding="utf-8").read() for end in (".2", ".1", "")]
    check_equal([len(part) for part in parts[:2]], [1024, 1024])
    check_equal(text.endswith("".join(parts)), True, "newest output")
    done = launch(say("more\n") + ";off", "--log", log, "--log-size", "1G")
    with open(log, encoding="utf-8") as f:
        check_equal(f.read(), parts[2] + "more\n")


@test("a log that cannot be put aside grows on, and one line says so")
def no_rotation():
    log = path("kept.log")
    os.mkdir(log + ".1")
    done = launch(say("x" * 2000) + ";off", "--log", log, "--log-size", "1K", "--log-count", "1")
    check_equal((done.returncode, done.stderr.count("\n"), os.path.getsize(log)), (0, 1, 2000))
    check_in(f"logfile {log}: cannot rename it", done.stderr)
    os.rmdir(log + ".1")


try:
    tap.main()
finally:
    shutil.rmtree(WORK)
