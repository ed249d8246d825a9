#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The main job, once: Debian's kernel boots to a job that uses its disk and powers off."""
import humpy
import tap
from tap import check_equal, check_in, test


@test("a stock kernel boots with one CPU, runs a job and powers off with its status")
def boot():
    job = "nproc; mount /dev/disk /mnt && cat /mnt/README; exit 42"
    with humpy.Guest(job) as guest:
        status, job_status, console = guest.run_job()
        check_equal(status, 0, "exit status")
        check_equal(job_status, 42, "status of the job")
        check_in("\n1\n", console)
        check_in("This is the disk that scripts/guest-files made.", console)


humpy.need_guest()
tap.main()
