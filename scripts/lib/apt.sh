# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# An apt of our own, for packages that are unpacked in the cache and never installed: the system's
# sources and keys, private lists and archives, no installed packages. Sourced; the caller's messages
# go through say, die and quietly, which are here too.

say()
{
    printf '%s %s\n' "$(date +%H:%M:%S)" "$*" >&2
}

die()
{
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# Runs a command silently; its output is shown only when it fails.
quietly()
{
    local log
    log=$(mktemp)
    if ! "$@" >"$log" 2>&1; then
        tail -n 60 "$log" >&2
        rm -f "$log"
        die "'$*' failed"
    fi
    rm -f "$log"
}

# use_state STATE LINE...: an apt that knows nothing yet, with these lines of configuration beside.
use_state()
{
    local state=$1
    shift

    mkdir -p "$state/lists/partial" "$state/archives/partial"
    : >"$state/status"
    {
        printf '%s;\n' "$@"
        cat <<CONF
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Retries "3";
Dir::State "$state";
Dir::State::Lists "$state/lists";
Dir::State::status "$state/status";
Dir::Cache "$state";
Dir::Cache::archives "$state/archives";
CONF
    } >"$state/apt.conf"
    export APT_CONFIG=$state/apt.conf
}

# private_apt STATE ARCH: from here on apt-get and apt-cache are about that architecture.
private_apt()
{
    use_state "$1" "APT::Architecture \"$2\"" "APT::Architectures { \"$2\"; }" \
        'APT::Install-Recommends "false"'
}

# private_source_apt STATE [RELEASE]: the same for source packages, from wherever the system's sources
# have the component main, of that release if one is given.
private_source_apt()
{
    local state=$1 release=${2-} keys=/usr/share/keyrings/debian-archive-keyring.gpg

    [ -r "$keys" ] || die "$keys is missing (install debian-archive-keyring)"
    mkdir -p "$state"
    # shellcheck disable=SC2016 # apt's own variables
    (unset APT_CONFIG && apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' \
        'Created-By: Packages') | awk -v keys="$keys" -v release="$release" \
        '$3 == "main" && (release == "" || $2 == release) && !seen[$0]++ {
            printf "deb-src [signed-by=%s] %s %s main\n", keys, $1, $2 }' >"$state/sources.list"
    [ -s "$state/sources.list" ] || die "the system's apt sources have no ${release:+$release }main"
    use_state "$state" "Dir::Etc::SourceList \"$state/sources.list\"" \
        'Dir::Etc::SourceParts "/dev/null"'
}
