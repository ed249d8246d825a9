#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What scripts/bench runs in the machine of scripts/vduse: vduse.sh ROUNDS SECONDS. Both daemons serve
# an image in memory at the same time, and one fio takes its disks in turn: "ops SIDE KIND PER-SECOND".
# Then, below strace, which system calls a request takes: "calls SIDE KIND CALL PER-REQUEST".
set -euo pipefail

rounds=$1
seconds=$2
sides=(humpy qsd)
declare -A disk pid

load-modules vduse virtio_vdpa
mkdir -p /ram
mount -t tmpfs -o size=600m none /ram
for side in "${sides[@]}"; do
    program=humpy-export
    [ "$side" = humpy ] || program=qemu-storage-daemon
    dd if=/dev/zero of="/ram/$side" bs=1M count=128 2>/dev/null
    "$program" --blockdev "driver=file,node-name=file,filename=/ram/$side" \
        --blockdev driver=raw,node-name=node,file=file \
        --export "type=vduse-blk,id=export,node-name=node,name=$side,writable=on" \
        --daemonize --pidfile "/run/$side"
    pid[$side]=$(cat "/run/$side")
    vdpa dev add name "$side" mgmtdev vduse
    found=(/sys/bus/vdpa/devices/"$side"/virtio*/block/*)
    disk[$side]=/dev/$(basename "${found[0]}")
done

# job SIDE KIND: its lines in fio's file. KIND is PATTERN-SIZE-DEPTH.
job()
{
    local pattern size depth
    IFS=- read -r pattern size depth <<<"$2"
    printf '[%s %s]\nfilename=%s\nrw=%s\nbs=%s\niodepth=%s\nstonewall\n' "$1" "$2" "${disk[$1]}" \
        "$pattern" "$size" "$depth"
}

kinds=(randread-4k-1 randread-4k-32 randwrite-4k-1 randwrite-4k-32 read-1M-4 write-1M-4)
for ((round = 0; round < rounds; round++)); do
    {
        printf '[global]\ndirect=1\nioengine=libaio\ntime_based=1\nramp_time=200ms\nruntime=%s\n' \
            "$seconds"
        for kind in "${kinds[@]}"; do
            if [ $((round % 2)) = 0 ]; then
                job humpy "$kind"
                job qsd "$kind"
            else
                job qsd "$kind"
                job humpy "$kind"
            fi
        done
    } >/jobs
    fio --output-format=terse --terse-version=3 /jobs | awk -F';' '{ print "ops", $3, $8 + $49 }'
done

command -v strace >/dev/null || exit 0
for kind in randread-4k-1 randread-4k-32 randwrite-4k-32 read-1M-4; do
    for side in "${sides[@]}"; do
        requests=500
        [[ $kind != *-1M-* ]] || requests=50
        strace -f -c -U name,calls -o /calls -p "${pid[$side]}" 2>/dev/null &
        tracer=$!
        # Attached is who has a tracer.
        until grep -q "TracerPid:[[:space:]]*[1-9]" "/proc/${pid[$side]}/status"; do
            usleep 20000
        done
        {
            printf '[global]\ndirect=1\nioengine=libaio\nnumber_ios=%s\n' "$requests"
            job "$side" "$kind"
        } >/jobs
        fio --minimal /jobs >/dev/null
        kill -INT "$tracer"
        wait "$tracer" || true
        awk -v what="$side $kind" -v n="$requests" \
            '$2 ~ /^[0-9]+$/ && $1 != "total" { printf "calls %s %s %.2f\n", what, $1, $2 / n }' /calls
    done
done
