#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Asking about types and objects: every one answers, and asking changes nothing."""
import os
import tempfile

import humpy
import tap
from qmp import Qmp
from tap import check_equal, check_in, test

KERNEL = os.path.join(os.environ.get("HUMPY_PAYLOADS", ""), "hello.img")
NONE = ["-machine", "none", "-nodefaults"]
VIRT = ["-machine", "virt", "-accel", "qtest", "-nodefaults", "-device", "virtio-rng-pci,id=r0",
        "-device", "virtio-serial-device,id=s0", "-device", "virtserialport,bus=s0.0,id=p0"]


def hmp(vm, line):
    return vm.client.execute("human-monitor-command", command_line=line)


def trees(vm):
    return hmp(vm, "info qtree") + hmp(vm, "info qom-tree")


def walk(vm, path, seen):
    seen.append(path)
    for prop in vm.client.execute("qom-list", path=path):
        if prop["type"].startswith("child<"):
            walk(vm, path.rstrip("/") + "/" + prop["name"], seen)
        else:
            vm.client.execute("qom-get", path=path, property=prop["name"])


@test("each property of each object can be read")
def properties():
    for args in NONE, VIRT:
        with Qmp(*args) as vm:
            seen = []
            walk(vm, "/", seen)
            check_in("/machine/peripheral", seen)
            if args is VIRT:
                check_in("/machine/peripheral/r0/virtio-backend", seen)
                check_in("/machine/peripheral/p0", seen)
                check_in("/machine/unattached/device[0]", seen)


@test("each type of device tells its properties, and the trees stay as they were")
def types():
    for args in NONE, VIRT:
        with Qmp(*args) as vm:
            before = trees(vm)
            for info in vm.client.execute("qom-list-types", implements="device", abstract=True):
                name = info["name"]
                reply = vm.client.ask("device-list-properties", typename=name)
                text = hmp(vm, f'device_add "{name},help"')
                if info.get("abstract"):
                    check_equal(reply["error"]["class"], "GenericError", name)
                else:
                    check_equal("return" in reply, True, name)
                    check_in(f"{name} options:", text)
                check_equal(trees(vm), before, f"trees after {name}")


@test("each type has a parent up to object, and is there under its name")
def parents():
    with Qmp(*NONE) as vm:
        infos = vm.client.execute("qom-list-types", abstract=True)
        names = {info["name"]: info for info in infos}
        check_equal(len(names), len(infos))
        for info in infos:
            while info["name"] != "object":
                info = names[info["parent"]]
            vm.client.execute("qom-list-properties", typename=info["name"])
        concrete = {info["name"] for info in vm.client.execute("qom-list-types")}
        check_equal(concrete, {n for n, info in names.items() if not info.get("abstract")})
        for name in "device", "machine", "user-creatable", "bus":
            check_equal(names[name].get("abstract"), True, name)


@test("a type that is not there is said to be not found")
def unknown():
    with Qmp(*NONE) as vm:
        check_equal(vm.client.ask("device-list-properties", typename="nonexistent")["error"]["class"],
                    "DeviceNotFound")
        check_equal(vm.client.execute("qom-list-types", implements="nonexistent"), [])
        check_in("not known", hmp(vm, 'device_add "nonexistent,help"'))
        check_in("virtio-rng-pci", hmp(vm, "device_add help"))


@test("a configuration file makes an object")
def readconfig():
    with tempfile.NamedTemporaryFile("w") as config:
        config.write('[object "rng0"]\n  qom-type = "rng-builtin"\n')
        config.flush()
        with Qmp(*NONE, "-readconfig", config.name) as vm:
            check_in({"name": "rng0", "type": "child<rng-builtin>"},
                     vm.client.execute("qom-list", path="/objects"))


@test("CPUs are on the nodes they were put on")
def numa():
    with Qmp("-machine", "virt", "-accel", "qtest", "-nodefaults", "-object",
             "memory-backend-ram,id=ram,size=128M", "-machine", "smp.cpus=8", "-numa",
             "node,nodeid=0,memdev=ram,cpus=0-1", "-numa", "node,nodeid=1,cpus=4-5") as vm:
        check_in("node 0 cpus: 0 1 2 3 6 7", hmp(vm, "info numa"))
        check_in("node 1 cpus: 4 5", hmp(vm, "info numa"))
        nodes = {cpu["cpu-index"]: cpu["props"]["node-id"]
                 for cpu in vm.client.execute("query-cpus-fast")}
        check_equal(nodes, {0: 0, 1: 0, 2: 0, 3: 0, 4: 1, 5: 1, 6: 0, 7: 0})


@test("the values of -cpu are listed, and a model is its name alone")
def cpu_models():
    with Qmp(*NONE) as vm:
        names = [cpu["name"] for cpu in vm.client.execute("query-cpu-definitions")]
        check_in("max", names)
        check_equal(len(names), len(set(names)))
        check_equal(vm.client.execute("query-cpu-model-expansion", type="full",
                                      model={"name": "max"}), {"model": {"name": "max", "props": {}}})
        for model, why in (({"name": "z80"}, "CPU type"),
                           ({"name": "max", "props": {"sve": True}}, "has no property 'sve'"),
                           ({"name": "max", "props": [1]}, "is not an object")):
            check_in(why, vm.client.error("query-cpu-model-expansion", type="full", model=model)[1])


@test("query-machines has the machines of -M help, and no other target's")
def machines():
    helped = {line.split()[0] for line in humpy.run(["-M", "help"]).stdout.splitlines()[1:]}
    with Qmp(*NONE) as vm:
        told = vm.client.execute("query-machines")
    check_equal({m["name"] for m in told} | {m["alias"] for m in told if "alias" in m}, helped)


@test("each CPU's thread-id is the host's thread that runs it")
def thread_ids():
    if not os.path.exists(KERNEL):
        raise tap.Skip("the payloads are not built")
    with Qmp(*humpy.ACCEL, "-machine", "virt", "-nodefaults", "-smp", "2", "-S", "-kernel",
             KERNEL) as vm:
        threads = [cpu["thread-id"] for cpu in vm.client.execute("query-cpus-fast")]
        check_equal(len(set(threads)), 2)
        check_equal(vm.process.pid in threads, False, "the main thread runs a CPU")
        for thread in threads:
            check_in(str(thread), os.listdir(f"/proc/{vm.process.pid}/task"))


tap.main()
