# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: GPL-2.0-or-later
# Parts of guest.sh, which says what a part is: coming, going, being given up, other drivers, cards.

has_disk()
{
    disk_of "$1" 2>/dev/null
}

# Attached by the daemon itself. Too late an answer makes the kernel give the device up: all that is
# left is to destroy it, which the daemon does, says why and ends.
part_timeout()
{
    local status=0
    image /image 4M
    humpy-export --blockdev driver=file,node-name=node,filename=/image --attach \
        --export type=vduse-blk,id=export,node-name=node,name=disk,writable=on 2>/run/disk.log &
    pid=$!
    wait_for has_disk disk
    echo 1 >/sys/class/vduse/disk/msg_timeout
    kill -STOP "$pid"
    vdpa dev del disk
    kill -CONT "$pid"
    wait "$pid" || status=$?
    echo "said: $(cat /run/disk.log)"
    [ "$status" = 1 ]
    grep -q "not answered in time" /run/disk.log
    [ ! -e /dev/vduse/disk ]
    start disk /image
    attach disk
    [ "$(sum "$disk")" = "$(sum /image)" ]
    stop disk
}

# A device that is attached by one command goes with it, in order.
part_attach()
{
    image /image 4M
    humpy-export --blockdev driver=file,node-name=node,filename=/image --attach \
        --export type=vduse-blk,id=export,node-name=node,name=disk 2>/run/disk.log &
    pid=$!
    wait_for has_disk disk
    [ "$(sum "$disk")" = "$(sum /image)" ]
    kill "$pid"
    wait "$pid"
    [ ! -e /sys/bus/vdpa/devices/disk ]
}

# refused TEXT OPTION...: humpy-export with those ends with status 1 or 2 and one line with TEXT.
refused()
{
    local text=$1 status=0
    shift
    humpy-export --blockdev driver=null-co,node-name=node "$@" >/run/refused 2>&1 ||
        status=$?
    cat /run/refused
    [ "$status" = 1 ] || [ "$status" = 2 ]
    [ "$(wc -l </run/refused)" = 1 ]
    sed 's/^/said: /' /run/refused
    grep -q -- "$text" /run/refused
}

part_refused()
{
    local long
    image /image 4M
    start disk /image
    attach disk
    refused "property 'name' is missing" --export type=vduse-blk,id=e,node-name=node
    refused "another process" --export type=vduse-blk,id=e,node-name=node,name=disk
    long=$(printf 'n%.0s' {1..300})
    refused "is longer than 255 bytes" --export "type=vduse-blk,id=e,node-name=node,name=$long"
    refused "'../disk' has a '/'" --export type=vduse-blk,id=e,node-name=node,name=../disk
    refused "the name of a file" --export type=vduse-blk,id=e,node-name=node,name=vq0
    refused "queue-size is 3" --export type=vduse-blk,id=e,node-name=node,name=other,queue-size=3
    refused "logical-block-size is 768" \
        --export type=vduse-blk,id=e,node-name=node,name=other,logical-block-size=768
    refused "no block node 'nowhere'" --export type=vduse-blk,id=e,node-name=nowhere,name=other
    stop disk
    mv /dev/vduse/control /dev/control
    refused "modprobe vduse" --export type=vduse-blk,id=e,node-name=node,name=disk
    mv /dev/control /dev/vduse/control
}

# Exports come and go in the monitor.
part_monitor()
{
    image /image 4M
    image /image2 4M
    start disk /image
    qmp '{"execute": "blockdev-add", "arguments": {"driver": "file", "node-name": "more",
          "filename": "/image2"}}' \
        '{"execute": "block-export-add", "arguments": {"type": "vduse-blk", "id": "second",
          "node-name": "more", "name": "second", "writable": true}}'
    [[ $answer = *'"return"'* ]]
    attach second
    random_file "$disk" 16
    [ "$(sum "$disk")" = "$(sum /image2)" ]
    qmp '{"execute": "query-block-exports"}'
    [[ $answer = *second* ]]
    qmp '{"execute": "block-export-del", "arguments": {"id": "second"}}'
    [[ $answer = *'"error"'* ]]
    vdpa dev del second
    qmp '{"execute": "block-export-del", "arguments": {"id": "second"}}'
    [[ $answer = *'"return"'* ]]
    wait_for is_away /dev/vduse/second
    attach disk
    stop disk
}

# Two cards, one of them in a name space of its own, joined by a socket: packets go both ways.
part_net()
{
    local side far server
    declare -A card
    for side in a b; do
        local options=listen=127.0.0.1:5555
        [ $side = a ] || options=connect=127.0.0.1:5555
        humpy-export --netdev "socket,id=net,$options" \
            --export "type=vduse-net,id=export,netdev=net,name=net-$side" --attach \
            --daemonize --pidfile "/run/net-$side.pid"
        wait_for has_card "net-$side"
        card[$side]=$(basename /sys/bus/vdpa/devices/"net-$side"/virtio*/net/*)
    done
    unshare -n sleep 1000 &
    far=$!
    ifconfig "${card[a]}" 10.1.0.1 netmask 255.255.255.0 up
    wait_for is_apart $far
    ip link set "${card[b]}" netns $far
    nsenter -t $far -n ifconfig "${card[b]}" 10.1.0.2 netmask 255.255.255.0 up
    ping -c 5 -i 0.2 -w 20 10.1.0.2
    nsenter -t $far -n ping -c 3 -s 1400 -i 0.2 -w 20 10.1.0.1
    mkdir -p /www
    random_file /www/data 32
    nsenter -t $far -n httpd -f -p 10.1.0.2:80 -h /www &
    server=$!
    wait_for wget -q -O /copy http://10.1.0.2/data
    [ "$(sum /www/data)" = "$(sum /copy)" ]
    kill $server
    wait $server || true
    kill $far
    wait $far || true
    for side in b a; do
        pid=$(cat "/run/net-$side.pid")
        kill "$pid"
        wait_for is_away "/proc/$pid"
    done
}

has_card()
{
    local found
    found=(/sys/bus/vdpa/devices/"$1"/virtio*/net/*)
    [ "${#found[@]}" -gt 0 ]
}

is_apart()
{
    [ "$(readlink "/proc/$1/ns/net")" != "$(readlink /proc/self/ns/net)" ]
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
