# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# For the scripts that prepare a bare Debian: numbered steps with progress and time, and the
# installation of missing packages. Sourced; set STEPS to the number of steps before the first.

step_number=0

# step TITLE COMMAND...: runs COMMAND silently but for one line of progress; its output appears when
# it fails, and then the script ends.
step()
{
    local title=$1 began=$SECONDS log status
    shift
    step_number=$((step_number + 1))
    log=$(mktemp)
    printf '[%d/%d] %s\n' "$step_number" "$STEPS" "$title" >&2
    if "$@" 2>&1 </dev/null | tee "$log" | show_progress; then
        status=0
    else
        status=$?
    fi
    if [ "$status" -ne 0 ]; then
        tail -n 60 "$log" >&2
        rm -f "$log"
        printf '[%d/%d] %s: failed with status %d\n' "$step_number" "$STEPS" "$title" "$status" >&2
        exit 1
    fi
    rm -f "$log"
    printf '[%d/%d] done in %d s\n' "$step_number" "$STEPS" $((SECONDS - began)) >&2
}

# The last line of output so far, in place, on a terminal.
show_progress()
{
    local line
    if [ ! -t 2 ]; then
        cat >/dev/null
        return
    fi
    while IFS= read -r line; do
        printf '\r\033[K      %.90s' "$line" >&2
    done
    printf '\r\033[K' >&2
}

as_root()
{
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        printf 'packages are missing (%s); be root or install sudo\n' "${*: -1}" >&2
        return 1
    fi
}

missing_packages()
{
    local package
    for package in "$@"; do
        if [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" != installed ]; then
            printf '%s\n' "$package"
        fi
    done
}

install_packages()
{
    local missing
    mapfile -t missing < <(missing_packages "$@")
    if [ "${#missing[@]}" -eq 0 ]; then
        return 0
    fi
    printf 'missing: %s\n' "${missing[*]}"
    as_root apt-get -q update || printf 'going on with the package lists there are\n'
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install \
        "${missing[@]}"
}

# What building and starting a guest takes.
build_packages=(
    gcc g++ libc6-dev meson ninja-build pkg-config zlib1g-dev liblz4-dev
    libdynarmic-dev libfdt-dev libglib2.0-dev libjson-glib-dev liburcu-dev
    libnbd-dev libxen-dev libpixman-1-dev libpng-dev libslirp-dev liburing-dev libvncserver-dev
)
guest_packages=(apt ca-certificates cpio dpkg e2fsprogs fdisk mtools util-linux xz-utils)
# The first line: for QEMU's test programs (scripts/peer-clients), and an NBD server. QEMU itself is
# the machine below the suites nested, nested-arm64, xen-real and vduse-real, its storage daemon the reference of the latter.
# The last line: for the suites docs and packages, and arm64 builds (scripts/sysroot).
test_packages=(
    dpkg-dev libattr1-dev libcap-ng-dev libpixman-1-dev nbdkit
    clang clang-format device-tree-compiler file gcc-aarch64-linux-gnu libc6-dev-arm64-cross
    acpica-tools libclang-rt-14-dev man-db python3
    qemu-system-arm qemu-system-x86 qemu-user qemu-utils lz4
    fio iproute2 qemu-system-common
    binutils binutils-aarch64-linux-gnu debian-archive-keyring fish zsh
)
