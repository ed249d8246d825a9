# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# For the scripts that start a machine with programs in it: a folder that takes the programs with
# the libraries that they need, and makes an initramfs archive of it. Sourced; what the kernel and
# the first archive are made of is scripts/guest-files's business.

# Where the libraries of programs for another architecture are (scripts/sysroot); empty: of this
# system's.
libraries=

# Prints the libraries that program FILE needs, the loader among them.
libraries_of()
{
    local pending=("$1") name folder path
    local -A seen=()

    if [ -z "$libraries" ]; then
        { ldd "$1" 2>/dev/null || true; } | sed -n 's#^[^/]*\(/[^ ]*\) (.*#\1#p'
        return
    fi
    while [ ${#pending[@]} -gt 0 ]; do
        while read -r name; do
            [ -z "${seen[$name]-}" ] || continue
            seen[$name]=yes path=
            for folder in "$libraries"/lib "$libraries"/usr/lib "$libraries"/{,usr/}lib/*-linux-gnu; do
                [ ! -e "$folder/$name" ] || path=$folder/$name
            done
            [ -n "$path" ] || die "$1 needs $name, which is not below $libraries"
            printf '%s\n' "$path"
            pending+=("$path")
        done < <(readelf -d "${pending[0]}" 2>/dev/null |
            sed -n 's/.*(NEEDED).*\[\(.*\)\]$/\1/p')
        pending=("${pending[@]:1}")
    done
}

# put ROOT FILE PATH: FILE as PATH below ROOT, its libraries in /lib; only the loader has a fixed place.
put()
{
    local root=$1 library place
    install -D "$2" "$root/$3"
    libraries_of "$2" | while read -r library; do
        case $library in
        */ld-linux-aarch64*) place=lib/$(basename "$library") ;;
        */ld-linux*) place=$library ;;
        *) place=lib/$(basename "$library") ;;
        esac
        [ -e "$root/$place" ] || install -D "$library" "$root/$place"
    done
}

# pack ROOT: what is below ROOT as an archive that can follow another one.
pack()
{
    (cd "$1" && find . -mindepth 1 -printf '%P\n' | cpio --quiet -o -H newc -R 0:0)
}
