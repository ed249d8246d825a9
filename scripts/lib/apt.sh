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

# private_apt STATE ARCH: from here on apt-get and apt-cache are about that architecture.
private_apt()
{
    local state=$1 arch=$2

    mkdir -p "$state/lists/partial" "$state/archives/partial"
    : >"$state/status"
    cat >"$state/apt.conf" <<CONF
APT::Architecture "$arch";
APT::Architectures { "$arch"; };
APT::Sandbox::User "";
APT::Install-Recommends "false";
Acquire::Languages "none";
Acquire::Retries "3";
Dir::State "$state";
Dir::State::Lists "$state/lists";
Dir::State::status "$state/status";
Dir::Cache "$state";
Dir::Cache::archives "$state/archives";
CONF
    export APT_CONFIG=$state/apt.conf
}

# private_source_apt STATE: the same for source packages, from wherever the system's sources have
# the component main.
private_source_apt()
{
    local state=$1 keys=/usr/share/keyrings/debian-archive-keyring.gpg

    [ -r "$keys" ] || die "$keys is missing (install debian-archive-keyring)"
    mkdir -p "$state/lists/partial" "$state/archives/partial"
    : >"$state/status"
    # shellcheck disable=SC2016 # apt's own variables
    (unset APT_CONFIG && apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' \
        'Created-By: Packages') | awk -v keys="$keys" '$3 == "main" && !seen[$0]++ {
            printf "deb-src [signed-by=%s] %s %s main\n", keys, $1, $2 }' >"$state/sources.list"
    [ -s "$state/sources.list" ] || die "the system's apt sources have no component main"
    cat >"$state/apt.conf" <<CONF
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Retries "3";
Dir::State "$state";
Dir::State::Lists "$state/lists";
Dir::State::status "$state/status";
Dir::Cache "$state";
Dir::Etc::SourceList "$state/sources.list";
Dir::Etc::SourceParts "/dev/null";
CONF
    export APT_CONFIG=$state/apt.conf
}
