#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Linux mounts a directory of the host over virtio-9p."""
import hashlib
import os
import random
import stat

import humpy
import tap
from tap import check_equal, check_in, test

MODELS = ("none", "mapped-xattr", "mapped-file")
MOUNT = "load-modules 9p 9pnet_virtio || exit 90\n" \
        "mount -t 9p -o trans=virtio,version=9p2000.L share /mnt || exit 91\n"


def share(guest, model, *more):
    os.makedirs(guest.path("share"), exist_ok=True)
    extra = "".join("," + m for m in more)
    return ["-virtfs",
            f"local,path={guest.path('share')},mount_tag=share,security_model={model}{extra}"]


def run(job, model="none", prepare=None, more=()):
    """Runs job after the mount; (console, directory as the job left it) go to the caller."""
    with humpy.Guest(MOUNT + job) as guest:
        args = share(guest, model, *more)
        if prepare:
            prepare(guest.path("share"))
        _, status, console = guest.run_job(*args)
        check_equal(status, 0, "status of the job; console: " + console[-2000:])
        files = {}
        for folder, _, names in os.walk(guest.path("share")):
            for name in names:
                path = os.path.join(folder, name)
                mode = os.lstat(path).st_mode
                with open(path, "rb") as f:
                    files[os.path.relpath(path, guest.path("share"))] = (mode, f.read())
        return console, files


@test("what the host wrote the guest reads, and the other way round")
def both_ways():
    data = random.Random(1).randbytes(8 << 20)

    def prepare(path):
        with open(os.path.join(path, "from-host"), "wb") as f:
            f.write(data)

    console, files = run("echo sum=$(md5sum </mnt/from-host)\n"
                         "cp /mnt/from-host /tmp/x && cp /tmp/x /mnt/from-guest && sync\n"
                         "umount /mnt", prepare=prepare)
    check_in(f"sum={hashlib.md5(data).hexdigest()} ", console)
    check_equal(files["from-guest"][1] == data, True, "what the guest wrote is what it read")


@test("a directory of 1000 files is listed whole")
def readdir():
    def prepare(path):
        for i in range(1000):
            with open(os.path.join(path, f"file-number-{i}"), "w", encoding="ascii"):
                pass

    console, _ = run("echo names=$(ls /mnt | wc -l) first=$(ls /mnt | sort | head -n 1)",
                     prepare=prepare)
    check_in("names=1000 first=file-number-0", console)


@test("links, FIFOs, permissions, renames and removals work in every model")
def tree():
    job = """cd /mnt && mkdir -m 750 d && echo text >d/file && chmod 604 d/file || exit 1
ln -s file d/link && ln d/file d/hard && mkfifo d/fifo || exit 2
[ "$(cat d/link)" = text ] && [ -p d/fifo ] && [ -L d/link ] || exit 3
[ "$(stat -c %a.%h d/file)" = 604.2 ] && [ "$(stat -c %a d)" = 750 ] || exit 4
mv d e && [ "$(cat e/hard)" = text ] && rm e/hard && [ "$(stat -c %h e/file)" = 1 ] || exit 5
echo more >>e/file && [ "$(cat e/file | wc -l)" = 2 ] && : >e/file && [ ! -s e/file ] || exit 6
rm -r e && [ -z "$(ls)" ] || exit 7
exec 3>gone && rm gone && echo still >&3 && exec 3>&- || exit 8
"""
    for model in MODELS:
        run(job, model)


@test("under the mapped models owner and device nodes are the guest's alone")
def mapped():
    job = """cd /mnt && echo x >f && chown 1234:5678 f && mknod null c 1 3 || exit 1
[ "$(stat -c %u:%g f)" = 1234:5678 ] && [ "$(stat -c %t.%T null)" = 1.3 ] || exit 2
echo nothing >null && [ ! -s null ] || exit 3
"""
    for model in MODELS[1:]:
        _, files = run(job, model)
        check_equal(stat.S_ISREG(files["null"][0]), True, "null is a plain file on the host")


@test("readonly=on lets the guest change nothing")
def readonly():
    def prepare(path):
        with open(os.path.join(path, "f"), "w", encoding="ascii") as f:
            f.write("text")

    _, files = run("echo x >/mnt/f && exit 1; rm /mnt/f && exit 2; mkdir /mnt/d && exit 3\n"
                   "[ \"$(cat /mnt/f)\" = text ]", prepare=prepare, more=["readonly=on"])
    check_equal(files["f"][1], b"text")


humpy.need_guest("generic")
tap.main()
