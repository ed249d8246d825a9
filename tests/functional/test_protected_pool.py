#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A protected guest whose kernel has CONFIG_DMA_RESTRICTED_POOL, as Android's have: scripts/pool-kernel
builds it, and the suite runs on request."""
import os

import humpy
import tap
from protected import run_disk_job
from tap import check_equal, check_in, test

KERNEL = os.environ.get("HUMPY_POOL_KERNEL")
POOL = "created restricted DMA pool at 0x000000005c000000, size 64 MiB"


def run(window, pci):
    if not KERNEL:
        raise tap.Skip("HUMPY_POOL_KERNEL names no kernel")
    console, _ = run_disk_job("-kernel", KERNEL, pci=pci,
                              accel=["-accel", f"gunyah,host=model,protected=on{window}"])
    check_in(POOL, console)
    check_in("platform=1", console)
    check_equal("platform=0" in console, False, "a device without ACCESS_PLATFORM")
    return console


@test("it reads and writes its disks through the pool, on virtio-mmio")
def mmio():
    check_in("virtio_mmio: assigned reserved memory node", run(",dma-window=pool", False))


@test("the same on PCI")
def pci():
    check_in("virtio-pci 0000:00:01.0: assigned reserved memory node", run(",dma-window=pool", True))


@test("dma-window=auto takes the pool when the kernel has it")
def auto():
    run("", False)


if __name__ == "__main__":
    humpy.need_guest()
    tap.main()
