#!/bin/bash
# Put ccache on the compilers' path by masquerading links (ccache manual: run modes). The distribution's ccache
# serves when it is new enough for CCACHE_STATSLOG (4.5) and redis storage (4.7), else the pinned static binary.
set -euo pipefail
# shellcheck source=/dev/null
. /mnt/pins.env

home=/opt/wheelkiln/ccache
mkdir -p "$home" /opt/wheelkiln/bin

new_enough() {
    local version
    version=$("$1" --version 2>/dev/null | sed -n '1s/^ccache version //p')
    [ -n "$version" ] && [ "$(printf '%s\n' 4.7 "$version" | sort -V | head -n 1)" = 4.7 ]
}

if ccache=$(command -v ccache) && new_enough "$ccache"; then
    ln -sf "$ccache" /opt/wheelkiln/bin/ccache
else
    case $(uname -m) in
        x86_64) sha256=$CCACHE_SHA256_X86_64 ;;
        aarch64) sha256=$CCACHE_SHA256_AARCH64 ;;
        *) echo "wheelkiln: no pinned ccache for $(uname -m)" >&2; exit 1 ;;
    esac
    archive=$(mktemp)
    certificates=()
    [ ! -f /run/secrets/ca ] || certificates=(--cacert /run/secrets/ca)
    curl --fail --silent --show-error --location --retry 3 "${certificates[@]}" --output "$archive" \
        "${CCACHE_URL//@ARCH@/$(uname -m)}"
    echo "$sha256  $archive" | sha256sum --check --quiet || {
        echo "wheelkiln: the downloaded ccache does not have the pinned SHA-256; nothing was installed" >&2
        exit 1
    }
    tar -xf "$archive" -C /opt/wheelkiln/bin --strip-components=1 --no-same-owner --wildcards '*/ccache'
    rm "$archive"
    ccache=/opt/wheelkiln/bin/ccache
fi

# Every name under which a compiler of this base can be called: cc, gcc-12, x86_64-linux-gnu-g++, clang++-16 ...
IFS=: read -r -a directories <<<"$PATH"
for directory in "${directories[@]}"; do
    if [ ! -d "$directory" ] || [ "$directory" = "$home" ]; then continue; fi
    find "$directory" -maxdepth 1 \( -type f -o -type l \) -executable -printf '%f\n'
done | grep -E '^([a-z0-9_]+-[a-z0-9_]+-(linux-gnu|linux-musl)-|[a-z0-9_]+-linux-gnu-)?(cc|c\+\+|gcc|g\+\+|clang|clang\+\+)(-[0-9.]+)?$' |
    sort -u | while read -r name; do
    ln -sf "$ccache" "$home/$name"
done
[ -e "$home/cc" ] || { echo "wheelkiln: no C compiler was found on $PATH" >&2; exit 1; }
