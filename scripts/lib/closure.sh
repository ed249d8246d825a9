# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Packages together with all that they depend on, fetched for a root of their own. Sourced after
# apt.sh; the caller has called private_apt, and unpacks them.

candidate()
{
    apt-cache policy "$1" | sed -n 's/^  Candidate: //p'
}

# pretend_installed STATE ARCH NAME...: apt takes these for installed, so it does not ask for what they
# depend on.
pretend_installed()
{
    local state=$1 arch=$2 name
    shift 2
    for name in "$@"; do
        printf 'Package: %s\nStatus: install ok installed\nArchitecture: %s\nVersion: %s\n' \
            "$name" "$arch" "$(candidate "$name")"
        printf 'Maintainer: nobody\nDescription: not unpacked\n\n'
    done >"$state/status.new"
    mv "$state/status.new" "$state/status"
}

# fetch_closure STATE NAME...: prints the file names of the packages, in the order of their dependencies.
fetch_closure()
{
    local state=$1 name version where deb
    shift
    quietly apt-get -q -y --download-only install "$@"
    apt-get -q -s install "$@" |
        sed -n 's/^Inst \([^ ]*\) (\([^ ]*\) .*\[\([a-z0-9]*\)\]).*/\1 \2 \3/p' |
        while read -r name version where; do
            deb=$state/archives/${name%:*}_${version//:/%3a}_$where.deb
            [ -f "$deb" ] || die "apt fetched $name $version, but not as ${deb##*/}"
            printf '%s\n' "$deb"
        done
}
