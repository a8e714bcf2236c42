#!/bin/bash
# Install the compiler (gcc or clang: the newest of the base), the linker, ccache where no pinned one was copied, and
# what builds call. Links to the chosen versions, under the names that builds use, go to /opt/wheelkiln/toolchain.
# Arguments: gcc|clang default|mold|lld
set -euo pipefail

compiler=$1 linker=$2
links=/opt/wheelkiln/toolchain
mkdir -p "$links" /opt/wheelkiln/bin
packages() { bash /mnt/wheelkiln/packages.sh "$@"; }

# The highest N of the packages NAME-N that the lists know.
newest_deb() {
    apt-cache --names-only search "^$1-[0-9]+\$" | sed -n -E "s/^${1//+/\\+}-([0-9]+) .*/\1/p" | sort -n | tail -n 1
}

link() { # NAME PROGRAM: only where NAME, which need not be there, is not that program already
    local program
    program=$(command -v "$2") || { echo "wheelkiln: $2 is not there after its installation" >&2; exit 1; }
    [ "$(readlink -f "$(command -v "$1" || true)")" = "$(readlink -f "$program")" ] || ln -sf "$program" "$links/$1"
}

link_gcc() { # SUFFIX
    local triplet
    triplet=$(gcc -dumpmachine)
    for name in gcc g++ gcc-ar gcc-nm gcc-ranlib; do
        link "$name" "$name$1"
        ! command -v "$triplet-$name$1" >/dev/null || link "$triplet-$name" "$triplet-$name$1"
    done
    link cc "gcc$1"
    link c++ "g++$1"
}

link_clang() { # SUFFIX
    for name in clang clang++; do link "$name" "$name$1"; done
    ! command -v "ld.lld$1" >/dev/null || link ld.lld "ld.lld$1"
}

apt_toolchain() {
    packages --deb gcc g++ make git patch file unzip xz-utils ca-certificates pkg-config
    export APT_CONFIG=/var/cache/apt/wheelkiln.conf
    packages --update
    local version
    version=$(newest_deb g++)
    if [ -n "$version" ] && [ "$version" -gt "$(gcc -dumpversion | cut -d. -f1)" ]; then
        packages --deb "gcc-$version" "g++-$version"
        link_gcc "-$version"
    fi
    if [ "$compiler" = clang ]; then
        version=$(newest_deb clang)
        packages --deb "clang-$version" "lld-$version"
        link_clang "-$version"
    elif [ "$linker" = lld ]; then
        version=$(newest_deb lld)
        packages --deb "lld-$version"
        link ld.lld "ld.lld-$version"
    fi
    [ "$linker" != mold ] || packages --deb mold
    [ -x /opt/wheelkiln/bin/ccache ] || packages --deb ccache
}

# The official images have a gcc-toolset on their path; others get the newest that is offered.
rpm_toolchain() {
    local toolset=
    if ! command -v gcc >/dev/null || [ "$(gcc -dumpversion | cut -d. -f1)" -lt 14 ]; then
        for toolset in 15 14 13 12 ''; do
            [ -z "$toolset" ] || ! packages --rpm "gcc-toolset-$toolset-gcc" "gcc-toolset-$toolset-gcc-c++" || break
        done
    fi
    if [ -n "$toolset" ]; then
        for program in "/opt/rh/gcc-toolset-$toolset/root/usr/bin"/*; do ln -sf "$program" "$links/"; done
    elif ! command -v g++ >/dev/null; then
        packages --rpm gcc gcc-c++
    fi
    packages --rpm make git patch file unzip xz ca-certificates pkgconf-pkg-config
    [ "$compiler" != clang ] || packages --rpm clang lld
    [ "$compiler" = clang ] || [ "$linker" != lld ] || packages --rpm lld
    if [ "$linker" = mold ] || [ ! -x /opt/wheelkiln/bin/ccache ]; then
        rpm -q epel-release >/dev/null 2>&1 || packages --rpm epel-release
    fi
    [ "$linker" != mold ] || packages --rpm mold
    [ -x /opt/wheelkiln/bin/ccache ] || packages --rpm ccache
}

apk_toolchain() {
    packages --apk build-base linux-headers git patch file unzip xz tar ca-certificates pkgconf shadow
    [ "$compiler" != clang ] || packages --apk clang lld compiler-rt
    [ "$compiler" = clang ] || [ "$linker" != lld ] || packages --apk lld
    [ "$linker" != mold ] || packages --apk mold
    [ -x /opt/wheelkiln/bin/ccache ] || packages --apk ccache
}

if command -v apt-get >/dev/null; then
    apt_toolchain
elif command -v dnf >/dev/null || command -v yum >/dev/null; then
    rpm_toolchain
else
    apk_toolchain
fi

rm -f /usr/bin/*-lto-dump* # 30 MB that look into LTO objects; no build calls it

if [ ! -x /opt/wheelkiln/bin/ccache ]; then ln -s "$(command -v ccache)" /opt/wheelkiln/bin/ccache; fi
version=$(/opt/wheelkiln/bin/ccache --version | sed -n '1s/^ccache version //p')
# CCACHE_STATSLOG came with 4.4, redis storage with 4.3 (ccache: release notes); 4.7 is the oldest that was tried.
if [ "$(printf '%s\n' 4.7 "$version" | sort -V | head -n 1)" != 4.7 ]; then
    echo "wheelkiln: the base's ccache is $version, and 4.7 is needed: image.ccache = \"static\" takes the pinned one" >&2
    exit 1
fi
