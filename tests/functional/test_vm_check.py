#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""'humpy vm check' for each thing that a machine can lack: what it says, and what it tells to do."""
import json
import os
import resource
import shutil
import subprocess

import humpy
import tap
from scratch import Scratch
from tap import check_equal, check_in, test

SCRATCH = Scratch("vm-check")
PRELOAD = os.environ.get("HUMPY_PRELOAD", "")
NOBODY = {"user": 65534, "group": 65534, "extra_groups": []}
os.chmod(SCRATCH.dir, 0o755)
os.environ["HUMPY_RUNTIME_DIR"] = SCRATCH.path("run")


def results(*args, before=(), knobs=None, **kwargs):
    """By name: state, text and fix of each, and the exit status that they come to."""
    env = dict(os.environ)
    if knobs is not None:
        if not PRELOAD:
            raise tap.Skip("this build has no model that can be preloaded")
        env.update(LD_PRELOAD=PRELOAD, HUMPY_MODEL_GUNYAH=f"engine=script,{knobs}")
    command = [*before, humpy.LAUNCH, "vm", "check", *args]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False, env=env,
                          stdin=subprocess.DEVNULL, timeout=humpy.LONGEST, **kwargs)
    if before and done.returncode != 0 and not done.stdout:
        raise tap.Skip(f"{before[0]}: {done.stderr.strip()}")
    check_equal(done.stderr, "")
    found = json.loads(done.stdout)
    check_equal([r for r in found if r["state"] == "missing" and not r.get("fix")], [])
    check_equal(done.returncode, 1 if any(r["state"] == "missing" for r in found) else 0)
    plain = subprocess.run(command, capture_output=True, text=True, check=False, env=env,
                           stdin=subprocess.DEVNULL, timeout=humpy.LONGEST, **kwargs).stdout
    for r in found:
        if r["name"] != "fragmentation":  # memory comes and goes
            check_in(f"{r['state']:8} {r['name']:14} {r['text']}\n", plain)
            check_in(r.get("fix", ""), plain)
    return {r["name"]: (r["state"], r["text"], r.get("fix", "")) for r in found}


def expect(result, state, *texts):
    check_equal(result[0], state)
    for text in texts:
        check_in(text, result[1] + "\n" + result[2])


@test("no node")
def no_node():
    expect(results("--device", "/nowhere/gunyah")["node"], "missing",
           "/nowhere/gunyah: No such file or directory", "CONFIG_GUNYAH", "host=model")


@test("a node that one may not open")
def permissions():
    node = SCRATCH.write("gunyah", b"")
    os.chmod(node, 0)
    found = results("--device", node, **(NOBODY if os.geteuid() == 0 else {}))
    expect(found["permissions"], "missing", "mode 0", "Permission denied", "udev rule", "avc: denied")


@test("a node that is something else")
def other_node():
    expect(results("--device", "/dev/null")["revision"], "missing",
           "Inappropriate ioctl", "0xB2", "not Gunyah's")
    expect(results("--device", "/")["node"], "missing", "Is a directory")


@test("each revision of the interface is told by its name")
def revisions():
    for knobs, name, firmware in [("rev=android14", "android14-6.1", "pvmfw"),
                                  ("rev=android15", "Android 15 or 16", "pvmfw"),
                                  ("rev=v17", "the v17 posting", "")]:
        found = results(knobs=knobs)
        expect(found["node"], "ok", "/dev/gunyah can be opened")
        expect(found["revision"], "ok", f"is that of {name}")
        expect(found["protected"], "ok", "can be lent", firmware)
        check_equal(bool(firmware), "pvmfw" in found["protected"][1], knobs)
        expect(found["firmware"], "note", "shows only at a start", "protected=auto")


@test("the old interface")
def old():
    expect(results(knobs="rev=0xb2")["revision"], "missing", "0xB2", "android14-6.1 or newer")


@test("too little memory may be pinned, with what helps who may raise it and who may not")
def memlock():
    if os.geteuid() != 0:
        raise tap.Skip("only root can become somebody without CAP_IPC_LOCK")

    def limited(*limits):
        script = f'ulimit -S -l 1024; {"; ".join(limits)}; exec setpriv --reuid 65534 --clear-groups "$@"'
        return results(before=["sh", "-c", script, "sh"])["memlock"]

    raised = "ulimit -H -l unlimited 2>/dev/null"  # as far as this root may
    hard = subprocess.run(["sh", "-c", f"{raised}; ulimit -H -l"], capture_output=True, text=True,
                          check=True).stdout.strip()
    enough = hard == "unlimited" or int(hard) >= 589824
    expect(limited(raised), "missing", "only 1024 KiB", "needs 589824 KiB", "ulimit -l unlimited")
    check_equal("as root" in limited(raised)[2], not enough)
    expect(limited("ulimit -H -l 1024"), "missing", "as root: raise memlock")
    expect(results()["memlock"], "ok", "CAP_IPC_LOCK")


@test("memory in small pieces only, or none of it to be seen")
def fragmentation():
    def buddy(text):
        place = SCRATCH.write("buddyinfo", text.encode())
        script = f'mount --bind {place} /proc/buddyinfo && exec "$@"'
        return ["unshare", "-rm", "sh", "-c", script, "sh"]
    row = "Node 0, zone {0:>8} {1}\n"
    small = row.format("DMA", "1 1 1 1 1 1 1 1 1 3 0") + row.format("Normal", "9999 " * 9 + "20 10")
    expect(results(before=buddy(small))["fragmentation"], "note", "86 MiB are free in pieces",
           "compact_memory", "--mem")
    large = row.format("Normal", "0 " * 10 + "128")
    expect(results(before=buddy(large))["fragmentation"], "ok", "512 MiB are free in pieces")
    expect(results(before=buddy("nonsense\n"))["fragmentation"], "note", "0 MiB are free")


@test("a directory that others can write to")
def runtime():
    os.mkdir(SCRATCH.path("open"))
    os.chmod(SCRATCH.path("open"), 0o777)
    env = os.environ["HUMPY_RUNTIME_DIR"]
    os.environ["HUMPY_RUNTIME_DIR"] = SCRATCH.path("open")
    try:
        expect(results()["directory"], "missing", "only you can write to", "HUMPY_RUNTIME_DIR")
    finally:
        os.environ["HUMPY_RUNTIME_DIR"] = env


try:
    tap.main()
finally:
    shutil.rmtree(SCRATCH.dir)
