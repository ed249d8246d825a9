#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What 'humpy' makes of its words and files, without starting anything: the command line it would
run, and one line for each thing that is wrong."""
import json
import os
import shlex
import shutil
import struct
import subprocess

import humpy
import tap
from scratch import Scratch
from tap import check_equal, check_in, test

SCRATCH = Scratch("vm-words")
WORK, path, write = SCRATCH.dir, SCRATCH.path, SCRATCH.write
os.environ["HUMPY_RUNTIME_DIR"] = os.path.join(WORK, "run")


KERNEL = write("kernel", bytes(4096))
DISK = write("disk", bytes(1 << 20))
PART = write("part", bytes(8192))


def launch(*args):
    return subprocess.run([humpy.LAUNCH, *args], capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL, timeout=humpy.LONGEST)


def words(*args):
    """The words behind the program's name of the command line that would be run."""
    done = launch(*args, "--dry-run")
    check_equal((done.returncode, done.stderr), (0, ""))
    return shlex.split(done.stdout)[1:]


def after(argv, option):
    return [argv[i + 1] for i, word in enumerate(argv[:-1]) if word == option]


def refused(message, *args, status=1):
    done = launch(*args)
    check_equal((done.returncode, done.stdout), (status, ""))
    check_equal(done.stderr, f"humpy: {message}\n")


def config(**members):
    members.setdefault("kernel", KERNEL)
    members.setdefault("platform_version", "1")
    text = json.dumps({key: value for key, value in members.items() if value != "absent"})
    return write("config.json", text.encode())


def config_refused(message, **members):
    file = config(**members)
    refused(f"{file}: {message}" if message[0] != "=" else message[1:], "vm", "run", file)


@test("memory, CPUs and parameters come out as the program's options")
def plain():
    argv = words("vm", "run-linux", KERNEL, "--mem", "1G", "--cpus=3", "-p", "a", "-p", "b=c d")
    check_equal((after(argv, "-m"), after(argv, "-smp"), after(argv, "-append")),
                (["1024M"], ["3"], ["console=ttyAMA0 a b=c d"]))


@test("a protected VM's window comes on top of its memory")
def protected():
    argv = words("vm", "run-linux", KERNEL, "--mem", "256", "--protected", "--swiotlb", "32")
    check_equal((after(argv, "-m"), after(argv, "-accel")),
                (["288M"], ["gunyah,protected=on,swiotlb-size=32M"]))
    argv = words("vm", "run", config(protected=True, memory_mib=100), "--accel",
                 "gunyah,host=model")
    check_equal((after(argv, "-m"), after(argv, "-accel")),
                (["164M"], ["gunyah,host=model,protected=on,swiotlb-size=64M"]))


@test("what the command line says goes before the file, words of the kernel add up")
def command_line_first():
    file = config(memory_mib=100, cpu_topology="one_cpu", params="x")
    argv = words("vm", "run", file, "--mem", "200", "--cpus", "2", "--params", "y")
    check_equal((after(argv, "-m"), after(argv, "-smp"), after(argv, "-append")),
                (["200M"], ["2"], ["console=ttyAMA0 x y"]))


@test("a bzImage is for x86_64")
def arch():
    bzimage = write("bzimage", bytes(0x202) + b"HdrS" + bytes(100))
    done = launch("vm", "run-linux", bzimage, "--dry-run")
    check_in("humpy-system-x86_64", done.stdout)
    check_in("console=ttyS0", done.stdout)


@test("command lines that make no sense are refused with what is wrong")
def bad_words():
    for message, args in [
            ("command 'lst' is not known (did you mean 'list'?)", ["vm", "lst"]),
            ("vm run-linux: option 'dsik' is not known (did you mean 'disk'?)",
             ["vm", "run-linux", "--dsik", "x"]),
            ("vm run-linux: --mem SIZE: the value is missing", ["vm", "run-linux", "--mem"]),
            ("vm run-linux: --protected takes no value", ["vm", "run-linux", "--protected=yes"]),
            ("vm run: CONFIG.json is missing", ["vm", "run"]),
            ("vm create-partition: SIZE is missing", ["vm", "create-partition", "f"]),
            ("vm run-linux: KERNEL is missing, or --bios FILE in its place", ["vm", "run-linux"]),
            ("vm run-linux: option 'memory' is not known (did you mean 'mem'?)",
             ["vm", "run-linux", "--memory", "5"]),
            ("vm run-linux: --arch arm64: architecture 'arm64' is not known (valid: aarch64, "
             "x86_64)", ["vm", "run-linux", KERNEL, "--arch", "arm64"]),
            ("vm run-linux: --name a/b: 'a/b' is not a name (a letter, then letters, digits, '-', "
             "'.' or '_')", ["vm", "run-linux", KERNEL, "--name", "a/b"]),
            ("vm run-linux: --console sdtio: 'sdtio' is nearly 'stdio'; a file of this name is "
             "'./sdtio'", ["vm", "run-linux", KERNEL, "--console", "sdtio"]),
            ("vm run-linux: --console unix:: the path is missing",
             ["vm", "run-linux", KERNEL, "--console", "unix:"]),
            ("vm run-linux: --disk a,format=qcow: format 'qcow' is not known (did you mean 'qcow2'?)",
             ["vm", "run-linux", KERNEL, "--disk", "a,format=qcow"]),
            ("vm run-linux: --mem 0: '0' is not a whole number of MiB from 1 to 261120",
             ["vm", "run-linux", KERNEL, "--mem", "0"]),
            ("vm run-linux: --cpus 9: '9' is not a number from 1 to 8",
             ["vm", "run-linux", KERNEL, "--cpus", "9"]),
            ("vm run-linux: --disk a,ro,temporary: ro excludes overlay and temporary, which are "
             "about what is written", ["vm", "run-linux", KERNEL, "--disk", "a,ro,temporary"]),
            ("vm run-linux: kernel and bootloader exclude each other",
             ["vm", "run-linux", KERNEL, "--bios", KERNEL]),
            ("vm run-linux: swiotlb is the window of a protected VM (see --protected)",
             ["vm", "run-linux", KERNEL, "--swiotlb", "8"]),
            ("vm stop: --timeout 0: '0' is not a number of seconds from 1 to 3600 (--force does not "
             "wait)", ["vm", "stop", "a", "-t", "0"]),
            ("vm stop: 'b' is one word too many", ["vm", "stop", "a", "b"])]:
        refused(message, *args, status=2)
    for message, args in [
            ("vm run-linux: accelerator 'kvm' has no protected VMs, only gunyah has",
             ["--protected", "--accel", "kvm"]),
            (f"disk 0: cannot open '{path('none')}': No such file or directory",
             ["--disk", path("none")]),
            (f"disk 0: '{WORK}' is neither a regular file nor a block device",
             ["--disk", WORK + ",ro"])]:
        refused(message, "vm", "run-linux", KERNEL, *args)
    refused("no VM is running, so none called 'x'", "vm", "info", "x")


@test("help may be asked of all, of a group and of one command")
def help_words():
    for args in ["--help"], ["help"], ["-h"]:
        check_in("crosvm run", launch(*args).stdout)
    for args in ["vm", "--help"], ["vm", "-h"], ["vm", "help"], ["help", "vm"]:
        said = launch(*args).stdout
        check_in("vm create-partition", said)
        check_equal("crosvm run" in said, False, "another group's")
    check_in("Usage: humpy vm run-linux", launch("vm", "run-linux", "--help").stdout)


@test("each member of a file has a type, and what is wrong with it is said")
def members():
    for key, value, message in [
            ("kernel", 5, "kernel is a whole number but must be a string"),
            ("protected", "yes", "protected is a string but must be true or false"),
            ("memory_mib", 1.5, "memory_mib is a number with a fraction but must be a whole number"),
            ("memory_mib", 0, "memory_mib is 0 but must be 1 to 261120"),
            ("memory_mib", 1 << 63, "has a number that is too large, at offset 15"),
            ("memory_mib", (1 << 63) - 1, "memory_mib is 9223372036854775807 but must be 1 to 261120"),
            ("memory_mib", 10 ** 30, "has a number that is too large, at offset 15"),
            ("name", "my vm", "name: 'my vm' is not a name (a letter, then letters, digits, '-', "
             "'.' or '_')"),
            ("disks", [{"image": "a", "format": "raww"}],
             "disks[0]: format 'raww' is not known (did you mean 'raw'?)"),
            ("disks", {}, "disks is an object but must be an array"),
            ("disks", [1], "disks[0]: the disk is a whole number but must be an object"),
            ("disks", [{}], "disks[0]: has neither image nor partitions"),
            ("disks", [{"image": "a", "partitions": [{"label": "l", "path": "p"}]}],
             "disks[0]: image and partitions exclude each other"),
            ("disks", [{"partitions": [{"path": "p"}]}],
             "disks[0]: partitions[0]: label is missing"),
            ("disks", [{"partitions": [{"label": "l"}]}],
             "disks[0]: partitions[0]: path is missing"),
            ("disks", [{"partitions": [{"label": "l", "path": "p", "guid": "1"}]}],
             "disks[0]: partitions[0]: guid: '1' is not a GUID of 8, 4, 4, 4 and 12 hexadecimal "
             "digits"),
            ("cpu_topology", "many", "cpu_topology: CPU topology 'many' is not known (valid: "
             "one_cpu, match_host, cpu_count=N)"),
            ("platform_version", "absent", "platform_version is missing"),
            ("platform_version", None, "platform_version is missing"),
            ("platform_version", "1.0.0.0", "platform_version: '1.0.0.0' is no requirement on a "
             "semantic version (such as ~1.0 or >=1.2.3, <2)"),
            ("platform_version", "2", "platform_version: '2' does not allow for this platform's "
             "1.0.0"),
            ("devices", ["/sys/x"], "devices: devices of the host cannot be given to a VM"),
            ("usb_config", {"controller": True},
             "usb_config: controller: there is no USB controller"),
            ("console_input_device", "hvc1", "console_input_device 'hvc1' is not known (did you mean "
             "'hvc0'?)"),
            ("bootloader", KERNEL, "kernel and bootloader exclude each other"),
            ("initrd", "gone", f"=initrd: cannot open '{path('gone')}': No such file or directory"),
            ]:
        config_refused(message, **{key: value})


@test("an unknown member is warned of, with its place and the nearest name")
def unknown_member():
    part = {"label": "l", "path": DISK, "lable": 1}
    for members, place, name, near in [
            ({"memory_mb": 5}, "", "memory_mb", "memory_mib"),
            ({"disks": [{"image": DISK}, {"image": DISK, "writeable": True}]}, "disks[1]: ",
             "writeable", "writable"),
            ({"disks": [{"partitions": [part]}]}, "disks[0]: partitions[0]: ", "lable", "label"),
            ({"disks": [{"image": DISK}], "swiotlb": 1}, "", "swiotlb", "swiotlb_mib"),
            ({"usb_config": {"contoller": True}}, "usb_config: ", "contoller", "controller")]:
        file = config(**members)
        done = launch("vm", "run", file, "--dry-run")
        check_equal((done.returncode, done.stderr),
                    (0, f"humpy: warning: {file}: {place}'{name}' is not known and ignored (did you "
                        f"mean '{near}'?)\n"))


@test("words for a kernel that nobody gets are warned of")
def params_without_kernel():
    done = launch("vm", "run", config(kernel="absent", bootloader=KERNEL, params="quiet"), "--dry-run")
    check_equal((done.returncode, done.stderr),
                (0, "humpy: warning: params are for a kernel; the bootloader does not get 'quiet'\n"))


def qcow2(backing=0, version=3, incompatible=0):
    return struct.pack(">4sIQ56xQ", b"QFI\xfb", version, backing, incompatible).ljust(4096, b"\0")


@test("an image that names other files is taken for what the user says it is, or not at all")
def names_files():
    for name, data, kind in [("backed", qcow2(backing=512), "qcow2"),
                             ("old", qcow2(backing=512, version=2), "qcow2"),
                             ("external", qcow2(incompatible=4), "qcow2"),
                             ("vmdk", b"KDMV".ljust(512, b"\0"), "vmdk"),
                             ("qed", b"QED\0".ljust(16, b"\0") + b"\1".ljust(512, b"\0"), "qed")]:
        image = write(name, data)
        refused(f"disk 0: '{image}' looks like a {kind} image that names other files, which a guest "
                f"may have written into it; 'format' takes it for what you say it is: {kind} or raw",
                "vm", "run-linux", KERNEL, "--disk", image)
        for said in kind, "raw":
            argv = words("vm", "run-linux", KERNEL, "--disk", f"{image},format={said}")
            check_equal(json.loads(after(argv, "-blockdev")[0])["driver"], said)
            argv = words("vm", "run", config(disks=[{"image": image, "format": said}]))
            check_equal(json.loads(after(argv, "-blockdev")[0])["driver"], said)
        part = {"label": "l", "path": image}
        for disk, what in ({"image": image, "format": kind}, "disk 0"), \
                ({"partitions": [dict(part, format=kind)]}, "disk 0, partition 'l'"), \
                ({"partitions": [part]}, "disk 0, partition 'l'"):
            refused(f"{what}: '{image}' is a {kind} image that names other files, which --confine "
                    "does not allow", "vm", "run", config(disks=[disk]), "--confine", WORK)
        words("vm", "run", config(disks=[{"image": image, "format": "raw"}]), "--confine", WORK)
    for data, kind in (qcow2(), "qcow2"), (bytes(512), "raw"):
        image = write("alone", data)
        argv = words("vm", "run", config(disks=[{"image": image}]), "--confine", WORK)
        check_equal(json.loads(after(argv, "-blockdev")[0])["driver"], kind)


@test("a writable partition of a disk that is not is warned of")
def writable_partition():
    for writable, said in (True, ""), (False, "humpy: warning: disk 0, partition 'l': is writable only if "
                                              "the whole disk is, which says it is not\n"):
        disk = {"partitions": [{"label": "l", "path": DISK, "writable": True}], "writable": writable}
        done = launch("vm", "run", config(disks=[disk]), "--dry-run")
        check_equal((done.returncode, done.stderr), (0, said))


@test("a writable sparse image is warned of")
def sparse_writable():
    image = write("sparse", b"\x3a\xff\x26\xed" + bytes(100))
    for more, said in ("", f"humpy: warning: disk 0: '{image}' is a sparse image, which a guest cannot "
                           "write to without an overlay\n"), (",ro", ""), (",temporary", ""):
        done = launch("vm", "run-linux", KERNEL, "--disk", image + more, "--dry-run")
        check_equal((done.returncode, done.stderr), (0, said), more)


@test("what is no JSON object, or too deep, is refused")
def no_json():
    file = write("bad.json", b"[" * 100000)
    refused(f"{file}: is nested more than 16 levels deep", "vm", "run", file)
    file = write("bad.json", b'{"a": "\\\\", "b": ' + b"[" * 100000)  # the string ends
    refused(f"{file}: is nested more than 16 levels deep", "vm", "run", file)
    file = write("bad.json", b"[]")
    refused(f"{file}: is not a JSON object", "vm", "run", file)
    refused(f"{config(cpu_topology='a' + chr(10))}: cpu_topology: CPU topology 'a?' is not known "
            "(valid: one_cpu, match_host, cpu_count=N)", "vm", "run", path("config.json"))
    deep = b"[" * 100000
    for text in (b"{", b'{"a": "\xff"}', b"", b"\0", b'{/*"*/ "b": ' + deep, b"{'\"': " + deep,
                 b'{//"\n"b": ' + deep, b'{#"\n"b": ' + deep, b'{"a": 1}}', b'{"a": 1} x'):
        done = launch("vm", "run", write("bad.json", text))
        check_equal((done.returncode, done.stderr.count("\n")), (1, 1), text)


@test("crosvm's words become the program's")
def crosvm():
    argv = words("crosvm", "run", "--protected-vm-without-firmware", "--mem=size=256", "-c", "2",
                 "--swiotlb", "16", "--block", f"path={DISK},ro,id=x", "--rwdisk", PART,
                 "--disable-sandbox", "-p", "a", "-p", "b", "--cid", "5", "--no-balloon",
                 "--hypervisor", "gunyah[device=/dev/g]", "--net", "tap-name=t0", KERNEL)
    check_equal((after(argv, "-m"), after(argv, "-smp"), after(argv, "-append"),
                 after(argv, "-accel"), after(argv, "-netdev")),
                (["272M"], ["2"], ["console=ttyAMA0 a b"],
                 ["gunyah,device=/dev/g,protected=on,swiotlb-size=16M"],
                 ["tap,ifname=t0,script=no,downscript=no,id=net0"]))
    check_equal([json.loads(b)["read-only"] for b in after(argv, "-blockdev")], [True, False])
    check_in("virtio-blk-device,drive=disk0,serial=x", after(argv, "-device"), "devices")
    check_in("-no-reboot", argv, "words")
    argv = words("crosvm", "run", "--protected-vm", "--rwroot", DISK, KERNEL)
    check_equal((after(argv, "-accel"), after(argv, "-append")),
                (["gunyah,protected=on,pvmfw=on,swiotlb-size=64M"],
                 ["console=ttyAMA0 root=/dev/vda rw"]))


@test("the console is where the file or the kernel's last console= has it")
def console_device():
    serial, hvc = ("console=ttyAMA0", ["chardev:console"], []), ("console=hvc0", [], ["console"])
    for params, device, (word, port, console) in [
            ("", None, serial), ("", "ttyS0", serial), ("", "ttyAMA0", serial), ("", "hvc0", hvc),
            ("console=hvc0", None, hvc), ("console=ttyAMA0 console=hvc0,9600", None, hvc),
            ("console=hvc0 console=ttyAMA0", None, serial), ("console=tty0", None, serial)]:
        argv = words("vm", "run", config(params=params, console_input_device=device))
        check_equal((after(argv, "-append"), after(argv, "-serial")), ([params or word], port), params)
        check_equal([d.split("=")[1] for d in after(argv, "-device") if d.startswith("virtconsole")],
                    console, params)
    done = launch("vm", "run-linux", KERNEL, "-p", "console=ttyS0,115200", "--dry-run")
    check_equal((done.returncode, done.stderr), (0, "humpy: warning: the kernel is told console=ttyS0, "
                                                    "but the VM's console is ttyAMA0\n"))


@test("words about CPUs, huge pages and logs come out as the program's")
def host_words():
    argv = words("vm", "run-linux", KERNEL, "--cpus", "2", "--cpu-affinity", "0=1,3:1=2",
                 "--boost-uclamp", "--sched", "core=vm", "--hugepages", "--log", "a,b", "--log-size",
                 "2M", "--log-count", "3")
    check_equal((after(argv, "-vcpu-sched"), after(argv, "-machine"), after(argv, "-object")),
                (["affinity.0=1:3,affinity.1=2,uclamp-min=1024,core=vm"],
                 ["virt,memory-backend=ram0"], ["memory-backend-memfd,id=ram0,thp=on,size=512M"]))
    check_equal(after(argv, "-chardev")[-1], "hub,id=console,chardevs.0=terminal,logfile=a,,b,"
                "logappend=on,logrotate-size=2097152,logrotate-count=3")
    check_equal((after(argv, "-exit-status"), "pvpanic-mmio" in after(argv, "-device")),
                (["detailed"], True))
    argv = words("vm", "run-linux", KERNEL, "--console", "unix:a,b")
    check_equal(after(argv, "-chardev"), ["socket,id=own,path=a,,b,server=on,wait=off",
                                          "hub,id=console,chardevs.0=own"])
    argv = words("crosvm", "run", "--cpu-affinity", "0,2-3", "--core-scheduling", "true",
                 "--hugepages", "--boost-uclamp", KERNEL)
    check_equal(after(argv, "-vcpu-sched"), ["affinity=0:2-3,core=vcpu,uclamp-min=1024"])
    for message, args in [
            ("--cpu-affinity a: 'a' is neither CPUs such as 0,2-3 nor VCPU=CPUS with colons between "
             "them", ["--cpu-affinity", "a"]),
            ("log-size and log-count are about a log (see --log)", ["--log-size", "1M"])]:
        done = launch("vm", "run-linux", KERNEL, *args)
        check_equal((done.returncode != 0, done.stderr.count("\n")), (True, 1), done.stderr)
        check_in(message, done.stderr)


@test("what Android's virtualization service gives crosvm is understood")
def crosvm_android():
    argv = words("crosvm", "run", "--cpus", "num-cores=2,clusters=[[0],[1]],sve=[auto=true]",
                 "--pci", "mem=[start=0x2c000000,size=0x2000000],cam=[start=0x2e000000,size=1]",
                 "--no-pmu", "--irqchip=kernel[allow-vgic-its=true]", "--virt-cpufreq-upstream",
                 "--balloon-page-reporting", "--net", "tap-fd=9,mac=02:00:00:00:00:01,vq-pairs=2",
                 "--net", "tap-name=t0", KERNEL)
    check_equal((after(argv, "-smp"), after(argv, "-netdev")),
                (["2"], ["tap,fd=9,id=net0", "tap,ifname=t0,script=no,downscript=no,id=net1"]))
    for device in ("virtio-net-device,netdev=net0,mac=02:00:00:00:00:01",
                   "virtio-net-device,netdev=net1", "virtio-balloon-device,free-page-reporting=on"):
        check_in(device, after(argv, "-device"), "devices")
    argv = words("crosvm", "run", "--cpus", "sve=[auto=true]", "--host-cpu-topology", KERNEL)
    check_equal(after(argv, "-smp"), [str(min(os.cpu_count(), 8))])


@test("devices are on PCI for firmware in a protected VM, whose drivers keep to the window there alone")
def firmware_devices():
    for more, own in (["--bios", KERNEL, "--protected-vm-without-firmware"], "pci"), (
            ["--bios", KERNEL], "device"), ([KERNEL, "--protected-vm-without-firmware"], "device"):
        argv = words("crosvm", "run", "--net", "tap-fd=9", "--block", KERNEL, "--cid", "7", *more)
        virtio = [word.split(",")[0] for word in after(argv, "-device") if word.startswith("virtio-")]
        for kind in "blk", "net", "rng", "vsock":
            check_in(f"virtio-{kind}-{own}", virtio, "devices")
        check_equal({word.rsplit("-", 1)[1] for word in virtio}, {own})


@test("a trusted VM's image goes where a kernel goes, with its identity")
def trusted():
    ids = "gunyah[device=/dev/g,qcom_trusted_vm_id=45,qcom_trusted_vm_pas_id=0x1c]"
    for image in [KERNEL], ["--bios", KERNEL]:
        argv = words("crosvm", "run", "--protected-vm", "--hypervisor", ids, "--fdt-position",
                     "after-payload", *image)
        check_equal((after(argv, "-accel"), after(argv, "-kernel"), after(argv, "-bios")),
                    (["gunyah,device=/dev/g,protected=on,pvmfw=on,swiotlb-size=64M,"
                      "trusted-vm-id=45,trusted-vm-pas-id=28"], [KERNEL], []))
    own = {"enable_hypervisor_specific_auth_method": True, "instance_id": "00" * 58 + "2d001c000080"}
    for image in {"kernel": KERNEL}, {"kernel": "absent", "bootloader": KERNEL}:
        argv = words("vm", "run", config(protected=True, **own, **image))
        check_equal((after(argv, "-accel"), after(argv, "-kernel")),
                    (["gunyah,protected=on,swiotlb-size=64M,trusted-vm-id=45,"
                      "trusted-vm-pas-id=2147483676"], [KERNEL]))
    argv = words("vm", "run", config(protected=True, instance_id=own["instance_id"]))
    check_equal(after(argv, "-accel"), ["gunyah,protected=on,swiotlb-size=64M"], "only an ID")


@test("what a trusted VM lacks is said")
def trusted_refused():
    own = "enable_hypervisor_specific_auth_method"
    good = "00" * 58 + "2d001c000080"
    for message, members in [
            (f"{own}: instance_id, which has the VM's identity in it, is missing",
             {own: True, "protected": True}),
            (f"{own} is a whole number but must be true or false", {own: 1}),
            ("instance_id is not 128 hexadecimal digits", {"instance_id": "2d"}),
            ("instance_id is not 128 hexadecimal digits", {"instance_id": "0x" + good[2:]}),
            ("instance_id: VM ID '0' is not a number from 1 to 65535",
             {own: True, "protected": True, "instance_id": "00" * 64}),
            ("a trusted VM, with an identity of its own, must be a protected one",
             {own: True, "instance_id": good})]:
        config_refused(message, **members)
    for text, message in [
            ("gunyah[qcom_trusted_vm_id=45]",
             "a trusted VM has both, a VM ID and a PAS ID: the PAS ID is missing"),
            ("gunyah[qcom_trusted_vm_id=x,qcom_trusted_vm_pas_id=1]",
             "VM ID 'x' is not a number from 1 to 65535"),
            ("gunyah[qcom_trusted_vm_id=1,qcom_trusted_vm_pas_id=4294967296]",
             "PAS ID '4294967296' is not a number from 0 to 4294967295")]:
        refused(f"crosvm run: --hypervisor {text}: {message}", "crosvm", "run", "--protected-vm",
                "--hypervisor", text, KERNEL, status=2)


@test("crosvm's words that cannot be obeyed are refused with the reason")
def crosvm_refused():
    for message, args, status in [
            ("--vfio: devices of the host cannot be given to a VM", ["--vfio", "/x"], 1),
            ("crosvm's flag 'mme' is not known here, did you mean 'mem'? (docs/crosvm.md lists "
             "those that are)", ["--mme", "5"], 2),
            ("--block id=x: path is missing", ["--block", "id=x"], 2),
            ("--hypervisor hyperv: hypervisor 'hyperv' is not known (valid: gunyah, kvm)",
             ["--hypervisor", "hyperv"], 2),
            ("--no-rng takes no value", ["--no-rng=maybe"], 2),
            ("--cpus num-cores=2,core=1: property 'core' is not known (valid: num-cores",
             ["--cpus", "num-cores=2,core=1"], 2),
            ("--cpus ]: ']' is not a number from 1 to 8", ["--cpus", "]"], 2),
            ("--net tap-fd=1,mac=a-b: mac 'a-b' is not", ["--net", "tap-fd=1,mac=a-b"], 2),
            ("--mem: the value is missing", ["--mem"], 2),
            ("'b' is one word too many", ["a", "b"], 2)]:
        done = launch("crosvm", "run", *args)
        check_equal((done.returncode, done.stderr.count("\n")), (status, 1), args)
        check_in(message.split(" (valid")[0].split(": the value")[0], done.stderr)


@test("create-partition makes an empty image and leaves others alone")
def create_partition():
    file = path("new.img")
    check_equal(launch("vm", "create-partition", file, "1M").returncode, 0)
    check_equal(os.path.getsize(file), 1 << 20)
    refused(f"cannot make '{file}': File exists", "vm", "create-partition", file, "2M")
    refused("SIZE '100' is not a multiple of 512 bytes above 0", "vm", "create-partition",
            path("other"), "100")
    check_equal(os.path.exists(path("other")), False)


@test("vm check says of each thing what it is, and of what is missing what helps")
def check():
    done = launch("vm", "check", "--json")
    results = json.loads(done.stdout)
    missing = [result for result in results if result["state"] == "missing"]
    check_equal(done.returncode, 1 if missing else 0)
    check_equal([result for result in missing if not result.get("fix")], [])
    check_in("memlock", [result["name"] for result in results], "names")


@test("--confine refuses what leads out of the directory, by name or by link")
def confined():
    inside = path("inside")
    os.mkdir(inside)
    shutil.copy(KERNEL, os.path.join(inside, "kernel"))
    os.symlink(KERNEL, os.path.join(inside, "link"))
    os.symlink("kernel", os.path.join(inside, "good"))
    for kernel, why in [("../kernel", "'{0}' leads out of '{1}'"), ("link", "'{0}' leads out of '{1}'"),
                        (KERNEL, "'{0}' is not below '{1}'")]:
        file = os.path.join(inside, "c.json")
        with open(file, "w", encoding="utf-8") as out:
            json.dump({"kernel": kernel, "platform_version": "1"}, out)
        name = kernel if kernel[0] == "/" else os.path.join(inside, kernel)
        refused("kernel: " + why.format(name, inside), "vm", "run", file, "--confine", inside)
    with open(os.path.join(inside, "c.json"), "w", encoding="utf-8") as out:
        json.dump({"kernel": "good", "platform_version": "1"}, out)
    argv = words("vm", "run", os.path.join(inside, "c.json"), "--confine", inside)
    check_in("/proc/self/fd/", after(argv, "-kernel")[0])
    done = subprocess.run([humpy.LAUNCH, "vm", "run", "./inside/c.json", "--confine", "inside/",
                           "--dry-run"], capture_output=True, text=True, check=False, cwd=WORK)
    check_equal((done.returncode, done.stderr), (0, ""))


try:
    tap.main()
finally:
    shutil.rmtree(WORK)
