#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Everything a user can get wrong gives one line that names option and cause, status 1, and leaves
nothing behind. Needs no engine: no guest gets as far as running."""
import gzip
import os
import shutil
import struct

import humpy
import tap
from scratch import Scratch, arm64_image as image
from tap import check_equal, check_in, test

SCRATCH = Scratch("bad-input")
WORK, path, write = SCRATCH.dir, SCRATCH.path, SCRATCH.write
BASE = [*humpy.ACCEL, "-machine", "virt", "-display", "none"]


KERNEL = write("kernel", image())
DISK = write("disk", bytes(1 << 20))


def refused(args, *parts, env=None, prefix=True, before=()):
    """args end with status 1 and one line that holds all parts."""
    files = set(os.listdir(WORK))
    done = humpy.run(args, before=before, env={**os.environ, "HUMPY_MODEL_GUNYAH": "engine=script", **(env or {})})
    check_equal(done.returncode, 1, f"status of {args}, stderr {done.stderr!r}")
    check_equal(len(done.stderr.splitlines()), 1, f"number of lines of {done.stderr!r}")
    check_equal(done.stdout, "", "stdout")
    if prefix:
        check_in("humpy-system-aarch64: ", done.stderr)
    for part in parts:
        check_in(part, done.stderr)
    check_equal(done.stderr.rstrip("\n").endswith("."), False, "full stop at the end")
    check_equal(set(os.listdir(WORK)), files, "files left behind")


def rows(rule, *table):
    """One test for each row (option words after BASE, parts of the message)."""
    for args, *parts in table:
        def body(args=args, parts=parts):
            refused([*BASE, "-kernel", KERNEL, *args], *parts)
        test(f"{rule}: {' '.join(args).replace(WORK + '/', '')[:70]}")(body)


rows("unknown words name the nearest",
     (["-kernle", "x"], "-kernle: ", "did you mean '-kernel'"),
     (["-machine", "vrit"], "-machine vrit: ", "did you mean 'virt'"),
     (["-machine", "virt,higmem=on"], "higmem", "did you mean 'highmem'"),
     (["-accel", "gunyah,hots=model"], "-accel gunyah,hots=model: ", "did you mean 'host'"),
     (["-accel", "gunyah,host=modle"], "-accel gunyah,host=modle: ", "must be one of"),
     (["-cpu", "cortex-a75"], "-cpu cortex-a75: ", "did you mean 'cortex-a"),
     (["-device", "virtio-blk-devise"], "-device virtio-blk-devise: ", "'virtio-blk-device'"),
     (["-device", "virtio-rng-device,perod=1"], "-device virtio-rng-device,perod=1: "),
     (["-serial", "studio"], "-serial studio: ", "did you mean 'stdio'"),
     (["-chardev", "sokcet,id=a"], "-chardev sokcet,id=a: ", "did you mean 'socket'"),
     (["-drive", f"fiel={DISK}"], "-drive fiel=", "did you mean 'file'"),
     (["-blockdev", f"fil,node-name=a,filename={DISK}"], "-blockdev fil,", "'file'"),
     (["-blockdev", "composit,node-name=a"], "-blockdev composit,", "did you mean 'composite'"),
     (["-display", "gtk"], "-display gtk: ", "none"))

rows("values out of range",
     (["-smp", "0"], "-smp 0: "),
     (["-smp", "9"], "-smp 9: ", "1 to 8"),
     (["-smp", "2,maxcpus=4"], "-smp ", "gunyah"),
     (["-numa", "node"], "-numa ", "gunyah"),
     (["-numa", "nodes"], "-numa nodes: ", "did you mean 'node'"),
     (["-object", "memory-backend-ram,id=m"], "-object memory-backend-ram,id=m: ", "size"),
     (["-object", "nonesuch,id=m"], "-object nonesuch,id=m: ", "iothread"),
     (["-machine", "memory-backend=m"], "-machine memory-backend=m: ", "'m'"),
     (["-readconfig", "/nonesuch"], "-readconfig /nonesuch: ", "No such file"),
     (["-smp", "99999999999999999999"], "-smp "),
     (["-m", "-1"], "-m -1: "),
     (["-m", "1M"], "-m: "),
     (["-m", "99999G"], "-m: "),
     (["-m", "99999999999T"], "-m 99999999999T: "),
     (["-machine", "virt,gic-version=2"], "-machine virt,gic-version=2: "),
     (["-cpu", "cortex-a57,pmu=on"], "-cpu cortex-a57,pmu=on: ", "gunyah"),
     (["-device", "virtio-rng-device,bus=virtio-mmio-bus.32"], "virtio-mmio-bus.32"),
     (["-serial", "null", "-serial", "null"], "-serial null: ", "serial port"))

rows("what an accelerator cannot do is its own word",
     (["-s"], "-s is not supported by accelerator 'gunyah'", "no debug exits"),
     (["-gdb", "tcp::1"], "-gdb tcp::1 is not supported by accelerator 'gunyah'"),
     (["-incoming", "tcp:0:1"], "-incoming tcp:0:1 is not supported", "no dirty log"),
     (["-loadvm", "a"], "-loadvm a is not supported by accelerator 'gunyah'"),
     (["-m", "64,slots=1,maxmem=128"], "-m 64,slots=1,maxmem=128: adding memory later is not",
      "only before the VM starts"),
     (["-machine", "virt,its=on"], "-machine virt,its=on is not supported by", "no ITS"),
     (["-machine", "virt,virtualization=on"], "-machine virt,virtualization=on is not", "EL1"))

rows("options of QEMU's that are missing say so",
     (["-M", "virt", "-pflash", "/nonexistent/efi"], "/nonexistent/efi", "No such file"),
     (["-vga", "std"], "-vga std: there is no VGA"))

rows("network",
     (["-netdev", "usr,id=n"], "-netdev usr,id=n: netdev type 'usr' is not known",
      "did you mean 'user'?"),
     (["-M", "virt", "-netdev", "user"], "-netdev user: Parameter 'id' is missing"),
     (["-M", "virt", "-netdev", "user,id=n,hostfwd=tcp::x-:22"],
      "hostfwd 'tcp::x-:22' is not [tcp|udp]:[HOST]:PORT-[GUEST]:PORT"),
     (["-M", "virt", "-netdev", "user,id=n,net=10.0.2.0/33"], "net is '10.0.2.0/33' but must be"),
     (["-M", "virt", "-netdev", "user,id=n,dns=1.2.3.4"], "dns is 1.2.3.4 but must be a host inside"),
     (["-M", "virt", "-netdev", "socket,id=n"], "exactly one of fd, listen, connect, mcast and udp"),
     (["-M", "virt", "-netdev", "socket,id=n,fd=77"], "fd 77: Bad file descriptor"),
     (["-M", "virt", "-netdev", "stream,id=n,addr.type=unix,addr.path=/nowhere/s"],
      "cannot connect to '/nowhere/s'"),
     (["-M", "virt", "-netdev", "hubport,id=n,hubid=x"], "hubid is 'x' but must be"))

rows("monitors",
     (["-mon", "mode=control"], "-mon mode=control: chardev is missing"),
     (["-mon", "nobody"], "-mon nobody: there is no chardev 'nobody'"),
     (["-mon", "chardev=c,mode=contrl"], "mode 'contrl' is not known (did you mean 'control'?)"),
     (["-chardev", "null,id=c", "-mon", "c,pretty=on"], "pretty=on needs mode=control"),
     (["-chardev", "null,id=c", "-mon", "c", "-mon", "c"], "chardev 'c' is already used"),
     (["-monitor", "bogus"], "-monitor bogus: "))

rows("files that cannot be used",
     (["-kernel", path("missing")], "-kernel ", "No such file or directory"),
     (["-kernel", WORK], "-kernel ", "regular file"),
     (["-kernel", "/dev/null"], "-kernel /dev/null: "),
     (["-initrd", path("missing")], "-initrd ", "No such file or directory"),
     (["-dtb", path("missing")], "-dtb ", "No such file or directory"),
     (["-dtb", DISK], "-dtb "),
     (["-drive", f"file={path('missing')},format=raw"], "-drive ", "No such file or directory"),
     (["-drive", f"file={WORK},format=raw"], "-drive "),
     (["-drive", "file=/dev/null,format=raw"], "-drive "),
     (["-drive", f"file={DISK},rerror=enospc"], "-drive ", "rerror is 'enospc'",
     "report, ignore or stop"),
    (["-drive", f"file={DISK},werror=halt"], "-drive ", "werror is 'halt'",
     "report, ignore, stop or enospc"),
    (["-drive", f"if=pflash,file={DISK},werror=stop"], "-drive ", "werror", "if=pflash"),
    (["-drive", f"file={DISK},snapshot=maybe"], "-drive ", "snapshot"),
     (["-drive", f"file={DISK},format=qcow2"], "-drive ", "is not a qcow2 image"),
     (["-blockdev", f"file,node-name=a,filename={path('missing')}"], "-blockdev ",
      "No such file"),
     (["-serial", f"file:{WORK}/no/such"], "-serial ", "No such file or directory"),
     (["-serial", f"unix:{path('nobody')}"], "-serial ", "No such file or directory"),
     (["-chardev", f"file,id=a,path={WORK}"], "-chardev ", "Is a directory"),
     (["-machine", f"virt,dumpdtb={WORK}/no/such"], "dumpdtb="))

rows("things that clash or are missing",
     (["-device", "virtio-blk-device"], "-device virtio-blk-device: ", "drive"),
     (["-device", "virtio-blk-device,drive=nope"], "'nope'"),
     (["-drive", f"file={DISK},id=a,format=raw,if=none", "-drive",
       f"file={KERNEL},id=a,format=raw,if=none"], "-drive ", "id 'a' is already used"),
     (["-drive", f"file={DISK},format=raw", "-drive", f"file={DISK},format=raw"], "-drive "),
     (["-drive", f"file={DISK},id=a,format=raw,if=none", "-device", "virtio-blk-device,drive=a",
       "-device", "virtio-blk-device,drive=a"], "-device virtio-blk-device,drive=a: ",
      "already used"),
     (["-device", "virtio-rng-device,id=a", "-device", "virtio-rng-device,id=a"],
      "id 'a' is already used"),
     (["-serial", "chardev:a"], "-serial chardev:a: ", "'a'"),
     (["-chardev", "stdio,id=a", "-serial", "stdio"], "-serial stdio: ", "already used"),
     (["-machine", "accel=gunyah"], "-machine accel=gunyah: ", "exclude each other"),
     (["-device", "pl011"], "-device pl011: "),
     (["-global", "virtio-mmio"], "-global virtio-mmio: "),
     (["-global", "virtio-mmoi.force-legacy=off"], "-global virtio-mmoi.", "not known"),
     (["-global", "virtio-mmio.legacy=off"], "-global virtio-mmio.legacy=off: ", "'legacy'"),
     (["-global", "driver=virtio-mmio,property=force-legacy,value=2"], "on or off"))


@test("an unknown accelerator in -machine")
def machine_accel():
    refused(["-machine", "virt,accel=gunia", "-kernel", KERNEL],
            "-accel gunia: ", "did you mean 'gunyah'")


@test("no machine")
def no_machine():
    refused(["-kernel", KERNEL], "-machine: ")


@test("no kernel")
def no_kernel():
    refused(BASE, "-kernel: ")


@test("-initrd, -append and -dtb without -kernel")
def without_kernel():
    for option in ("-initrd", "-append", "-dtb"):
        refused([*BASE, option, KERNEL], f"{option}: ")


@test("an option without its argument")
def no_argument():
    refused([*BASE, "-kernel"], "-kernel: ", "missing")


@test("a word that is no option")
def no_option():
    refused([*BASE, "disk.img"], "'disk.img'")


@test("a file name with a newline still gives one line")
def newline():
    refused([*BASE, "-kernel", "a\nb"], "-kernel a b: ")


@test("no device node")
def no_node():
    refused(["-accel", "gunyah,host=kernel,device=/dev/no-such-gunyah", "-machine", "virt",
             "-kernel", KERNEL], "-accel gunyah", "/dev/no-such-gunyah", "No such file")


@test("a device node without permission")
def no_permission():
    node = write("node", b"")
    os.chmod(node, 0)
    # Root without the capabilities that let it open everything.
    without = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    refused(["-accel", f"gunyah,host=kernel,device={node}", "-machine", "virt", "-kernel", KERNEL],
            "-accel gunyah", "Permission denied", before=without if os.geteuid() == 0 else [])


@test("a node that is something else")
def other_node():
    refused(["-accel", "gunyah,host=kernel,device=/dev/null", "-machine", "virt", "-kernel",
             KERNEL], "-accel gunyah", "/dev/null")


@test("the old 0xB2 interface")
def old_interface():
    refused([*BASE, "-kernel", KERNEL], "-accel gunyah", "0xB2",
            env={"HUMPY_MODEL_GUNYAH": "engine=script,rev=0xb2"})


@test("RLIMIT_MEMLOCK below the memory size")
def memlock():
    refused([*BASE, "-m", "256M", "-kernel", KERNEL], "-accel gunyah", "256 MiB", "ulimit -l",
            env={"HUMPY_MODEL_GUNYAH": "engine=script,memlock=64M"})


# What the resource manager answers, as the driver passes it on (models/gunyah), and what helps.
for _code, _advice in (("unimplemented", "does not implement a call"),
                       ("1", "less RAM, fewer vCPUs, or a larger chunk-size"),
                       ("2", "try protected=on"), ("3", "or only lent memory is: try protected=on"),
                       ("4", "the device tree must lie inside"), ("5", "try again later"),
                       ("6", "refused the configuration"), ("8", "refused the configuration"),
                       ("10", "refused the configuration"), ("17", "refused the configuration"),
                       ("18", "an error the driver does not know"),
                       ("99", "an error the driver does not know")):
    for _step, _said in (("vmid", "allocate VMID"), ("parcel", "share parcel"),
                         ("configure", "configure VM"), ("init", "initialize VM"),
                         ("resources", "get hypervisor resources"), ("start", "start VM")):
        test(f"START refused at {_step} with {_code}")(
            lambda code=_code, step=_step, said=_said, advice=_advice: refused(
                ["-accel", "gunyah,host=model,start-retries=0", *BASE[2:], "-kernel", KERNEL],
                "-accel gunyah", "START: ", advice, "the kernel log says 'Failed to " + said,
                env={"HUMPY_MODEL_GUNYAH": f"engine=script,fail={step}:{code}"}))


@test("vCPUs that the device tree does not have")
def other_vcpus():
    name = path("one.dtb")
    dumped = humpy.run(["-accel", "qtest", "-machine", f"virt,dumpdtb={name}"])
    check_equal((dumped.returncode, dumped.stderr), (0, ""))
    try:
        refused([*BASE, "-smp", "2", "-kernel", KERNEL, "-dtb", name], "device tree: /cpus has 1",
                "2 vCPUs")
    finally:
        os.unlink(name)


def kernel_refused(rule, data, *parts):
    def body():
        name = write("bad-kernel", data)
        try:
            refused([*BASE, "-m", "64M", "-kernel", name], f"-kernel {name}: ", *parts)
        finally:
            os.unlink(name)
    test(f"kernel: {rule}")(body)


kernel_refused("empty file", b"")
kernel_refused("text", b"#!/bin/sh\n" * 100, "Image")
kernel_refused("shorter than its header", image()[:41])
kernel_refused("big-endian", image(flags=0xb))
kernel_refused("64 KiB pages", image(flags=0xe), "page")
kernel_refused("larger than memory", image(image_size=1 << 40), "memory")
kernel_refused("text offset beyond memory", image(text_offset=1 << 60))
kernel_refused("truncated gzip", gzip.compress(image(1 << 16))[:-20])
kernel_refused("gzip of something else", gzip.compress(b"x" * 5000), "Image")
kernel_refused("gzip that never ends", gzip.compress(image() + bytes(300 << 20)))
kernel_refused("broken gzip", gzip.compress(image())[:30] + b"\xff" * 50)


def dtb_refused(rule, data):
    def body():
        name = write("bad-dtb", data)
        try:
            refused([*BASE, "-kernel", KERNEL, "-dtb", name], f"-dtb {name}: ")
        finally:
            os.unlink(name)
    test(f"device tree: {rule}")(body)


def fdt_header(totalsize=0x48, structure=0x38, strings=0x48, version=17):
    return struct.pack(">10I", 0xd00dfeed, totalsize, structure, strings, 0x28, version, 16, 0, 0,
                       max(totalsize - structure, 0))


dtb_refused("empty file", b"")
dtb_refused("header only", fdt_header())
dtb_refused("size beyond the file", fdt_header(totalsize=1 << 30) + bytes(64))
dtb_refused("structure beyond its size", fdt_header(structure=0xfffffff0) + bytes(64))
dtb_refused("structure of garbage", fdt_header() + b"\xff" * 32)
dtb_refused("version 1", fdt_header(version=1) + bytes(64))
dtb_refused("3 MiB", fdt_header(totalsize=3 << 20) + bytes(3 << 20))


@test("initrd that does not fit")
def big_initrd():
    name = path("big-initrd")
    with open(name, "wb") as f:
        f.truncate(1 << 40)
    try:
        refused([*BASE, "-m", "64M", "-kernel", KERNEL, "-initrd", name], f"-initrd {name}: ",
                "fit")
    finally:
        os.unlink(name)


@test("a command line longer than the device tree can hold")
def long_append():
    refused([*BASE, "-m", "64M", "-kernel", KERNEL, "-append", "x" * 120000, "-initrd", KERNEL,
             "-append", "y" * 120000, "-dtb", path("missing")], "-dtb ")


@test("-help, -version and the lists of names end with status 0 and nothing on stderr")
def informative():
    for args in (["-help"], ["--version"], ["-machine", "help"], ["-M", "virt,help"],
                 ["-accel", "help"], ["-accel", "gunyah,help"], ["-device", "help"],
                 ["-device", "virtio-blk-device,help"], ["-chardev", "help"], ["-cpu", "help"],
                 ["-dump-options"]):
        done = humpy.run(args)
        check_equal((done.returncode, done.stderr), (0, ""), f"result of {args}")
        check_equal(len(done.stdout) > 20, True, f"text of {args}")


@test("dumpdtb writes a device tree and ends with status 0")
def dumpdtb():
    name = path("out.dtb")
    done = humpy.run([*humpy.ACCEL, "-machine", f"virt,dumpdtb={name}", "-smp", "2"])
    check_equal(done.returncode, 0, done.stderr)
    with open(name, "rb") as f:
        check_equal(f.read(4), b"\xd0\x0d\xfe\xed", "magic")
    os.unlink(name)


try:
    tap.main()
finally:
    shutil.rmtree(WORK)
