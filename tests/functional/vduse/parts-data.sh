# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: GPL-2.0-or-later
# Parts of guest.sh, which says what a part is: disks, and what becomes of the data on them.

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
        "$folder"/queue/discard_granularity \
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
