# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# For the scripts that start a machine with programs of this system in it: a folder that takes the
# programs with the libraries that they need, and makes an initramfs archive of it. Sourced; what
# the kernel and the first archive are made of is scripts/guest-files's business.

# put ROOT FILE PATH: FILE as PATH below ROOT, its libraries in /lib; only the loader has a fixed place.
put()
{
    local root=$1 library place
    install -D "$2" "$root/$3"
    { ldd "$2" 2>/dev/null || true; } | sed -n 's#^[^/]*\(/[^ ]*\) (.*#\1#p' | while read -r library; do
        case $library in
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
