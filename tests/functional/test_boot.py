#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Boot, shell, power-off, reboot and panic of a stock kernel."""
import humpy
import tap
from tap import check_equal, check_in, test


def shell(smp):
    with humpy.Guest(smp=smp) as guest, humpy.Process(guest.args()) as process:
        process.expect(humpy.INIT_LINE)
        at = process.expect(humpy.PROMPT)
        process.type("echo cpus=$(nproc) sum=$((6 * 7))\n")
        process.expect(f"cpus={smp} sum=42\n", at)
        process.type("exit\n")
        check_equal(process.wait(), 0, "exit status")


@test("1 vCPU: the shell answers, exit powers off with status 0")
def shell_1():
    shell(1)


@test("4 vCPUs: the shell sees all of them")
def shell_4():
    shell(4)


@test("4 vCPUs work at the same time and agree")
def work_4():
    job = """for i in 1 2 3 4; do
    (yes $i | head -n 50000 | md5sum >/tmp/a$i; yes $i | head -n 50000 | md5sum >/tmp/b$i) &
done
wait
for i in 1 2 3 4; do cmp /tmp/a$i /tmp/b$i || exit 1; done
grep -c ^processor /proc/cpuinfo"""
    with humpy.Guest(job, smp=4) as guest:
        check_equal(guest.run_job()[1], 0, "status of the job")


@test("8 vCPUs come up, one more is refused")
def cpus_8():
    with humpy.Guest("[ $(nproc) = 8 ]", smp=8) as guest:
        check_equal(guest.run_job()[1], 0, "status of the job")
    with humpy.Guest("true", smp=9) as guest:
        check_equal(humpy.run(guest.args()).returncode, 1, "exit status")


@test("a CPU goes offline and comes back")
def hotplug():
    job = """cd /sys/devices/system/cpu/cpu1
echo 0 >online && [ $(nproc) = 1 ] && echo 1 >online && [ $(nproc) = 2 ]"""
    with humpy.Guest(job, smp=2) as guest:
        check_equal(guest.run_job()[1], 0, "status of the job")


@test("poweroff ends the program with status 0")
def poweroff():
    with humpy.Guest("poweroff -f; cat") as guest:
        status, job_status, console = guest.run_job()
        check_equal((status, job_status), (0, None))
        check_in("reboot: Power down", console)


@test("reboot -no-reboot ends the program with status 0 after one boot")
def no_reboot():
    with humpy.Guest("reboot -f; cat") as guest:
        _, job_status, console = guest.run_job()
        check_equal(job_status, None, "status of the job")
        check_equal(console.count(humpy.INIT_LINE), 1, "number of boots")


@test("reboot boots a fresh guest on the same disk")
def reboot():
    job = """mount /dev/disk /mnt
if [ -e /mnt/again ]; then exit 7; fi
touch /mnt/again && umount /mnt && reboot -f; cat"""
    with humpy.Guest(job) as guest:
        _, job_status, console = guest.run_job(reboot=True)
        check_equal(job_status, 7, "status of the job")
        check_equal(console.count(humpy.INIT_LINE), 2, "number of boots")


@test("panic with panic=-1 resets: the program ends, no job status is made up")
def panic():
    with humpy.Guest("echo c >/proc/sysrq-trigger; cat") as guest:
        status, job_status, console = guest.run_job()
        check_equal((status, job_status), (0, None))
        check_in("Kernel panic - not syncing", console)


@test("a guest with little memory boots")
def little_memory():
    with humpy.Guest("free", mem="96M") as guest:
        check_equal(guest.run_job()[1], 0, "status of the job")


@test("a guest with memory above 4 GiB sees it")
def much_memory():
    job = "[ $(awk '/MemTotal/ {print $2}' /proc/meminfo) -gt 4500000 ]"
    with humpy.Guest(job, mem="5G") as guest:
        check_equal(guest.run_job()[1], 0, "status of the job")


@test("time goes on as on the host, and the clock is right")
def clock():
    job = """a=$(date +%s); sleep 1; b=$(date +%s)
echo clock=$a; [ $((b - a)) -ge 1 ]"""
    with humpy.Guest(job) as guest:
        import time
        before = int(time.time())
        _, job_status, console = guest.run_job()
        check_equal(job_status, 0, "status of the job")
        seen = int(console.split("clock=")[1].split()[0])
        if not before - 1 <= seen <= time.time() + 1:
            raise AssertionError(f"the guest's clock says {seen}, the host's {before}")


humpy.need_guest()
tap.main()
