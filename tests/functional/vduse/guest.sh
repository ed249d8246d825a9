#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What test_vduse_real.py runs in the machine of scripts/vduse: guest.sh DAEMON PART...; each part is
# one rule, in a shell of its own that ends at the first command that fails, on a daemon of its own
# (humpy-export, or QEMU's as the reference). Prints "DAEMON: part NAME ok" or what the part
# said and "DAEMON: part NAME failed". What a part waits for is an answer or a file, never a time.
set -euo pipefail
shopt -s nullglob

daemon=$1
shift
port=4444

# wait_for COMMAND...: until it succeeds; the part's time-out ends a wait in vain.
wait_for()
{
    local -
    set +x
    until "$@"; do
        usleep 20000
    done
}

is_away()
{
    [ ! -e "$1" ]
}

# start NAME IMAGE [OPTIONS-OF-THE-EXPORT]: a daemon that serves IMAGE as NAME, without attaching it.
start()
{
    local program=humpy-export
    [ "$daemon" = humpy ] || program=qemu-storage-daemon
    rm -f "/run/$1.pid"
    "$program" --blockdev "driver=file,node-name=file-$1,filename=$2,discard=unmap" \
        --blockdev "driver=raw,node-name=node-$1,file=file-$1,discard=unmap" \
        --chardev "socket,id=mon,host=127.0.0.1,port=$port,server=on,wait=off" \
        --monitor chardev=mon \
        --export "type=vduse-blk,id=export-$1,node-name=node-$1,name=$1,writable=on${3:-}" \
        --daemonize --pidfile "/run/$1.pid" 2>"/run/$1.log" || {
        cat "/run/$1.log"
        return 1
    }
    pid=$(cat "/run/$1.pid")
}

# attach NAME: the disk's name is in $disk then.
attach()
{
    vdpa dev add name "$1" mgmtdev vduse
    disk_of "$1"
}

disk_of()
{
    local found
    found=(/sys/bus/vdpa/devices/"$1"/virtio*/block/*)
    disk=/dev/$(basename "${found[0]}")
    [ -b "$disk" ]
}

# stop NAME: takes the device away and ends the daemon, as it is done in order.
stop()
{
    vdpa dev del "$1"
    kill "$pid"
    wait_for is_away "/dev/vduse/$1"
    wait_for is_away "/proc/$pid"
}

# qmp COMMAND...: each in turn; the answer to the last is in $answer.
qmp()
{
    local command _
    exec 3<>/dev/tcp/127.0.0.1/$port
    read -r _ <&3
    for command in '{"execute": "qmp_capabilities"}' "$@"; do
        printf '%s\n' "$command" >&3
        while read -r answer <&3; do
            case $answer in
            *'"return"'* | *'"error"'*) break ;;
            esac
        done
    done
    exec 3>&-
}

image()
{
    rm -f "$1"
    truncate -s "$2" "$1"
}

random_file()
{
    dd if=/dev/urandom of="$1" bs=64k count="$2" 2>/dev/null
}

sum()
{
    sha256sum <"$1"
}

forget_cache()
{
    echo 3 >/proc/sys/vm/drop_caches
}

# shellcheck source=tests/functional/vduse/parts-data.sh
. "${0%/*}/parts-data.sh"
# shellcheck source=tests/functional/vduse/parts-control.sh
. "${0%/*}/parts-control.sh"

if [ "${1-}" = --part ]; then
    "part_$2"
    exit
fi
load-modules vduse virtio_vdpa vhost_vdpa
ifconfig lo 127.0.0.1 up
for part in "$@"; do
    began=$(cut -d' ' -f1 /proc/uptime)
    if timeout 60 bash -x "$0" "$daemon" --part "$part" </dev/null >/run/part 2>&1 &&
        [ -z "$(echo /sys/bus/vdpa/devices/*)" ] && [ "$(ls /dev/vduse)" = control ]; then
        sed -n "s/^\(seen\|features\|queues\|said\): /$daemon: &/p" /run/part
        echo "$daemon: part $part ok ($began to $(cut -d' ' -f1 /proc/uptime) s)"
    else
        tail -n 60 /run/part
        cat /run/*.log
        echo "$daemon: part $part failed"
        exit 1
    fi
done
