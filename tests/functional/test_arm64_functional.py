#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The functional tests of an arm64 build on a real arm64 KVM, in the machine of machine_arm64.py: the
models run their guests on it, where on x86 an engine does."""
import os
import re
import subprocess
import sys
import tempfile

import machine_arm64 as machine

LONGEST = 3600  # seconds until a test gives up on a guest, which is an emulated one in an emulated one
SECONDS = 14400  # for each file
MORE = (("HUMPY_ENGINE", "yes"), ("HUMPY_LONGEST", str(LONGEST)), ("HUMPY_CRASH_LAUNCHES", "10"))
# What taps take, of the kernel's package: the initramfs has no more than guests need.
TUN = f"insmod $(find {machine.CACHE} -name tun.ko)"


def prepared():
    """Folders of our cache that the tests look for guests in; what makes them is not in the machine."""
    guest_files = os.path.join(machine.SCRIPTS, "guest-files")
    folders = []
    for kernel in ("cloud", "generic"):
        folders.append(subprocess.run([guest_files], check=True, stdout=subprocess.PIPE, text=True,
                                      env={**os.environ, "HUMPY_GUEST_KERNEL": kernel}).stdout.strip())
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([os.path.join(machine.SCRIPTS, "efi-files"), folder], check=True)
        paths = [os.path.realpath(os.path.join(folder, "firmware"))]
    with open(os.path.join(folders[0], "stamp")) as stamp:
        kernel = re.search(r"^(linux-image-[^_]*)_", stamp.read(), re.MULTILINE).group(1)
    for name in ("grub-efi-arm64-bin", kernel):
        paths.append(subprocess.run([guest_files, "packages", name], check=True, text=True,
                                    stdout=subprocess.PIPE).stdout.strip())
    cache = os.path.dirname(folders[0])
    packages = {os.path.relpath(path, cache).split(os.sep)[0] for path in paths}
    return folders + [os.path.join(cache, name) for name in sorted(packages)]


if __name__ == "__main__":
    sys.exit(machine.main(("smoke", "functional"), SECONDS, sys.argv[1:], prepared(), MORE, TUN))
