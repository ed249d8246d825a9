# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# For the scripts that start a machine to test in: what is put into its initramfs beside that which
# guest-files makes. Sourced. What the machine is and how it is started is the scripts' business.

# put ROOT FILE PATH: FILE with its libraries in /lib; only the loader has a fixed place.
put()
{
    local library place missing
    install -D "$2" "$1/$3"
    missing=$({ ldd "$2" 2>/dev/null || true; } | sed -n 's/^\s*\(.*\) => not found.*/\1/p' | head -n 1)
    if [ -n "$missing" ]; then
        printf '%s: needs %s, which is not here\n' "$2" "$missing" >&2
        return 1
    fi
    { ldd "$2" 2>/dev/null || true; } | sed -n 's#^[^/]*\(/[^ ]*\) (.*#\1#p' | while read -r library; do
        case $library in
        */ld-linux*) place=$library ;;
        *) place=lib/$(basename "$library") ;;
        esac
        [ -e "$1/$place" ] || install -D "$library" "$1/$place"
    done
}

# put_pairs ROOT FILE=/PATH...
put_pairs()
{
    local root=$1 pair
    shift
    for pair in "$@"; do
        if [[ $pair != ?*=/?* ]]; then
            printf '%s: is not FILE=/PATH\n' "$pair" >&2
            return 1
        fi
        put "$root" "${pair%%=*}" "${pair#*=}" || return 1
    done
}

# append_root ROOT INITRD: an initramfs may be several archives one after the other.
append_root()
{
    (cd "$1" && find . -mindepth 1 -printf '%P\n' | cpio --quiet -o -H newc -R 0:0) >>"$2"
}
