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

# The first and the last thing: a file system keeps what was written, seen by the driver and in the image.
part_filesystem()
{
    local before
    image /image 16M
    start disk /image
    attach disk
    mkfs.ext4 -q "$disk"
    mount "$disk" /mnt
    random_file /mnt/data 64
    before=$(sum /mnt/data)
    umount /mnt
    forget_cache
    mount "$disk" /mnt
    [ "$before" = "$(sum /mnt/data)" ]
    umount /mnt
    fsck.ext4 -fn "$disk"
    [ "$(sum "$disk")" = "$(sum /image)" ]
    stop disk
    fsck.ext4 -fn /image
}

part_fio()
{
    image /image 16M
    start disk /image ,num-queues=2,queue-size=128
    attach disk
    [ "$(echo /sys/block/"${disk#/dev/}"/mq/* | wc -w)" -le 2 ]
    fio --name=verify --filename="$disk" --direct=1 --rw=randwrite --bsrange=4k-64k --iodepth=16 \
        --ioengine=io_uring --size=8M --verify=crc32c --do_verify=1 --verify_fatal=1 \
        --randseed=7 --minimal >/dev/null
    fio --name=verify --filename="$disk" --direct=1 --rw=write --bs=1M --iodepth=4 \
        --ioengine=libaio --size=16M --verify=md5 --do_verify=1 --verify_fatal=1 \
        --minimal >/dev/null
    stop disk
}

part_again()
{
    local before
    image /image 4M
    random_file /image 64
    before=$(sum /image)
    start disk /image
    for _ in 1 2; do
        attach disk
        [ "$before" = "$(sum "$disk")" ]
        vdpa dev del disk
    done
    attach disk
    stop disk
}

is_as_large()
{
    [ "$(blockdev --getsize64 "$disk")" = "$1" ]
}

part_resize()
{
    local before
    image /image 16M
    start disk /image
    attach disk
    mkfs.ext4 -q "$disk"
    mount "$disk" /mnt
    random_file /mnt/data 16
    before=$(sum /mnt/data)
    qmp '{"execute": "block_resize", "arguments": {"node-name": "node-disk", "size": 33554432}}'
    [[ $answer = *'"return"'* ]]
    wait_for is_as_large 33554432
    resize2fs "$disk"
    random_file /mnt/more 240
    [ "$before" = "$(sum /mnt/data)" ]
    umount /mnt
    fsck.ext4 -fn "$disk"
    stop disk
}

written()
{
    awk '{ print $5 }' "/sys/block/${disk#/dev/}/stat"
}

has_written()
{
    [ "$(written)" -ge "$1" ]
}

# crash_after WRITES: the daemon dies when that many have ended, and another one goes on.
crash_after()
{
    wait_for has_written "$1"
    kill -9 "$pid"
    wait_for is_away "/proc/$pid"
    start disk /image
}

part_kill()
{
    local writer round began
    image /image 16M
    start disk /image
    attach disk
    fio --name=verify --filename="$disk" --direct=1 --rw=randwrite --bs=4k --iodepth=16 \
        --ioengine=io_uring --size=4M --verify=crc32c --do_verify=1 --verify_fatal=1 \
        --minimal >/dev/null &
    writer=$!
    for round in 1 2 3; do
        crash_after $((round * 200))
    done
    wait "$writer"
    mkfs.ext4 -q "$disk"
    mount "$disk" /mnt
    random_file /data 8
    began=$(written)
    for round in {0..31}; do
        dd if=/data of="/mnt/copy$round" bs=16k count=1 skip="$round" conv=fsync 2>/dev/null
    done &
    writer=$!
    for round in 1 2 3; do
        crash_after $((began + round * 20))
    done
    wait "$writer"
    umount /mnt
    forget_cache
    fsck.ext4 -fn "$disk"
    mount "$disk" /mnt
    for round in {0..31}; do
        cat "/mnt/copy$round"
    done | cmp - /data
    umount /mnt
    stop disk
}

# Too late an answer makes the kernel give the device up: all that is left is to destroy it.
part_timeout()
{
    image /image 4M
    start disk /image
    attach disk
    echo 1 >/sys/class/vduse/disk/msg_timeout
    kill -STOP "$pid"
    vdpa dev del disk
    kill -CONT "$pid"
    if [ "$daemon" = humpy ]; then
        wait_for grep -q disk /run/disk.log
        cat /run/disk.log
    fi
    kill "$pid"
    wait_for is_away "/proc/$pid"
    wait_for is_away /dev/vduse/disk
    start disk /image
    attach disk
    [ "$(sum "$disk")" = "$(sum /image)" ]
    stop disk
}

# What the driver sees of the options; test_vduse_real.py compares the two daemons' lines.
part_options()
{
    local folder
    image /image 4M
    start disk /image ,num-queues=2,queue-size=128,logical-block-size=4096,serial=first
    attach disk
    folder=/sys/block/${disk#/dev/}
    # shellcheck disable=SC2046
    echo "seen:" $(cat "$folder"/queue/{logical_block_size,physical_block_size,write_cache} \
        "$folder"/queue/{discard_granularity,discard_max_bytes,write_zeroes_max_bytes} \
        "$folder"/{ro,size}) "$(cat "$folder/serial")"
    echo "queues: $(vdpa dev show disk)"
    echo "features: $(cat "$folder"/device/features)"
    stop disk
}

part_readonly()
{
    image /image 4M
    start disk /image ,writable=off
    attach disk
    [ "$(blockdev --getro "$disk")" = 1 ]
    [ "$(sum "$disk")" = "$(sum /image)" ]
    stop disk
}

part_discard()
{
    image /image 4M
    random_file /image 64
    start disk /image
    attach disk
    [ "$(stat -c %b /image)" -ge 8192 ]
    blkdiscard "$disk"
    [ "$(stat -c %b /image)" -lt 64 ]
    random_file "$disk" 64
    blkdiscard -z "$disk"
    [ "$(tr -d '\0' <"$disk" | wc -c)" = 0 ]
    stop disk
}

# A driver outside the kernel that does everything wrong; the same process serves it in the end.
part_rings()
{
    image /image 4M
    echo 0 >/sys/bus/vdpa/drivers_autoprobe
    start disk /image
    vdpa dev add name disk mgmtdev vduse
    echo disk >/sys/bus/vdpa/drivers/vhost_vdpa/bind
    /vduse/rings /dev/vhost-vdpa-0 "$@"
    [ -e "/proc/$pid" ]
    stop disk
    echo 1 >/sys/bus/vdpa/drivers_autoprobe
}

# The same driver, doing what is allowed: the reference serves that, too.
part_vhost()
{
    part_rings sector-beyond-the-end request-of-no-kind
}

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
