# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of real virtualization share: a run of scripts/nested, and what the guest in the
guest does with its disk and its network card."""
import os
import subprocess

import humpy
import tap

NESTED = os.path.join(humpy.ROOT, "scripts", "nested")

# Runs in the inner guest. Each line that a test looks for starts with "inner:".
INNER = r"""
echo "inner: cpus $(grep -c ^processor /proc/cpuinfo)"
mount /dev/disk /mnt && echo "inner: $(cat /mnt/README)"
dd if=/dev/urandom of=/mnt/data bs=64k count=64 2>/dev/null
sync
before=$(sha256sum </mnt/data)
umount /mnt
echo 3 >/proc/sys/vm/drop_caches
mount /dev/disk /mnt
[ "$before" = "$(sha256sum </mnt/data)" ] && echo "inner: the disk keeps data"
ip link set eth0 up && ip addr add 10.0.2.15/24 dev eth0
wget -q -O - http://10.0.2.2:8080/payload | sha256sum | sed 's/^/inner: got /'
umount /mnt
exit 7
"""

# Runs in the outer machine before the program: what the inner guest fetches over the network.
SERVE = r"""
ifconfig lo 127.0.0.1 up
dd if=/dev/urandom of=/guest/payload bs=64k count=64 2>/dev/null
sha256sum </guest/payload | sed 's/^/outer: sent /'
httpd -p 127.0.0.1:8080 -h /guest || exit 91
"""

# And after it: the inner guest's exit status, which is on its job disk.
STATUS = r"""
exit $(head -c 512 /guest/job | tr -d '\0' | sed -n 's/^status \([0-9]*\)$/\1/p')
"""


def run(outer, inner, *options, tell=None):
    """Exit status, and all that both machines and the program have said; tell hears each line."""
    words = [NESTED, *options] + (["--inner", inner] if inner else []) + [outer]
    lines = []
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as process:
        for line in process.stdout:
            lines.append(line.decode("latin1").replace("\r", ""))
            if tell is not None:
                tell(lines[-1].rstrip("\n"))
    return process.returncode, "".join(lines)


def check_inner(text, cpus):
    """The lines of INNER, and that SERVE's file came through the network card."""
    for line in (f"inner: cpus {cpus}", "inner: This is the disk that scripts/nested made.",
                 "inner: the disk keeps data", "outer: the program ended with 0"):
        tap.check_in(line, text)
    sent = next(line for line in text.splitlines() if line.startswith("outer: sent "))
    tap.check_in(sent.replace("outer: sent", "inner: got"), text)
